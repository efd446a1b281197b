"""What learning is given from Python: what is of another type is refused by name, with the next step, and nothing is guessed."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from arz import Invalid
from rl import Env, Task, VecEnv, VectorEnv, pipeline, ready
from rl.checks import check
from rl.compare import Outcome, lines, together
from rl.compare import load as load_outcome
from rl.controllers.fixed_time import FixedTime
from rl.errors import Foreign
from rl.experiment import FIRST_VALIDATION_DAY, MOST_SEEDS, MOST_WORLDS, changed, read
from rl.scores import METRICS, drive
from tests.rl.makers import spec
from tests.rl.small import small


@pytest.fixture(scope="module")
def task() -> Task:
    made = Task(spec(), 2)
    made.reset([0, 1])
    return made


@pytest.mark.parametrize("given", [None, "Corridor", 5, {}])
def test_a_task_is_made_of_a_spec(given: Any) -> None:
    """A name instead of a spec ended as an attribute that it lacked; so did an environment of no task."""
    with pytest.raises(Invalid, match="spec.*give a TaskSpec"):
        Task(given)
    with pytest.raises(Invalid, match="task.*give a Task"):
        VecEnv(given)
    with pytest.raises(Invalid, match="task.*give a Task"):
        check(given)


@pytest.mark.parametrize("given", [1.5, 2.0, "2", True, None, [2], 0, -1, 10**9])
def test_worlds_are_a_whole_number(given: Any) -> None:
    """Other numbers ended in a multiplication of lists, and a thousand million worlds in no memory."""
    with pytest.raises(Invalid, match="worlds"):
        Task(spec(), given)
    with pytest.raises(Invalid, match="worlds"):
        VectorEnv(spec=spec(), num_envs=given)


@pytest.mark.parametrize("made", [Env, VectorEnv])
def test_an_environment_is_made_of_a_name_or_a_spec(made: Any) -> None:
    """A spec of another type is refused, and so are changes beside a spec, which were ignored."""
    given: Any
    for given in ("Corridor", 5, {}):
        with pytest.raises(Invalid, match="spec.*give a TaskSpec"):
            made(spec=given)
    with pytest.raises(Invalid, match="horizon_s: is given beside a spec"):
        made(spec=spec(), horizon_s=600.0)
    for given in (["Corridor"], None, 5):
        with pytest.raises(Invalid, match="no ready task"):
            made(given)


@pytest.mark.parametrize("given", [[1.5, 2], [1.0, 2], ["1", "2"], "12", 5, [True, False], np.array([1.5, 2]), {1, 2}, [None, None]])
def test_seeds_are_whole_numbers_in_an_order(task: Task, given: Any) -> None:
    """1.5 was the day 1."""
    with pytest.raises(Invalid, match="seeds"):
        task.reset(given)
    with pytest.raises(Invalid, match="seeds"):
        drive(task.worlds, FixedTime().driver(task.spec.layout, task.spec.guard), given, 15.0)


def test_seeds_of_environments_are_whole_numbers() -> None:
    """A float was truncated or half of a pair, and a number of numpy no number."""
    many, flat = VectorEnv(spec=spec(), num_envs=2), VecEnv(Task(spec(), 2))
    given: Any
    for given in (1.5, "12", True, {}):
        with pytest.raises(Invalid, match="seed"):
            many.reset(seed=given)
        with pytest.raises(Invalid, match="seed"):
            flat.seed(given)
    many.reset(seed=np.int64(3))  # type: ignore[arg-type]
    flat.seed(np.int64(3))  # type: ignore[arg-type]
    flat.reset()

    assert [3, 4] == many.task.seeds.tolist() == flat.task.seeds.tolist()


@pytest.mark.parametrize("given", ["x", 0, [0, 0], [[0.0, 0], [0, 0]], [[0], [0, 1]], {}])
def test_actions_are_told_their_shape(given: Any) -> None:
    """Whatever is no table of whole numbers is refused with the shape, and not by numpy."""
    many, flat = VectorEnv(spec=spec(), num_envs=2), VecEnv(Task(spec(), 2))
    many.reset(seed=0)
    flat.seed(0)
    flat.reset()
    for step in (many.step, flat.step, flat.task.step):
        with pytest.raises(Invalid, match=r"actions.*\[world, agent, slot\]"):
            step(given)


class TestRestore:
    """Snapshots that somebody spoilt."""

    @pytest.mark.parametrize("given", [None, 5, "x", []])
    def test_is_a_table(self, task: Task, given: Any) -> None:
        """What holds nothing by name is no snapshot."""
        with pytest.raises(Invalid, match="snapshot"):
            task.restore(given)

    def test_holds_every_part(self, task: Task) -> None:
        """Each part that lacks, or is of another form, is told by its name; then nothing has changed."""
        held = task.snapshot()
        mine = [name for name in held if not name.startswith("simulator_")]
        assert len(mine) > 30
        for name in mine:
            for spoilt in ({key: part for key, part in held.items() if key != name}, {**held, name: "abc"}, {**held, name: None}):
                with pytest.raises(Foreign) as refused:
                    task.restore(spoilt)
                assert name == refused.value.field

        now = task.snapshot()
        assert [np.asarray(part).tobytes() for part in held.values()] == [np.asarray(part).tobytes() for part in now.values()]


class TestExperiments:
    """Trainings, measurements and tables."""

    @pytest.mark.parametrize("given", [None, "quick", 5, {}])
    def test_are_records(self, given: Any) -> None:
        """The name of an experiment is no experiment."""
        for call in (
            lambda: pipeline.series(given, 1),
            lambda: pipeline.train(given, 1),
            lambda: pipeline.trained(given, print, pipeline.Clock(None)),
            lambda: pipeline.measured(given, print),
            lambda: pipeline.evaluate(given, [], print),
            lambda: changed(given, {}),
        ):
            with pytest.raises(Invalid, match="experiment.*give an Experiment"):
                call()

    @pytest.mark.parametrize("given", [1.5, "1", None, True, -1, MOST_SEEDS, FIRST_VALIDATION_DAY // MOST_WORLDS + 1])
    def test_train_with_seeds_of_their_own(self, given: Any) -> None:
        """A seed beyond the experiment's was trained on the days of tuning, or on those that it is measured on."""
        with pytest.raises(Invalid, match="seed: is .*give a whole number from 0 to 999"):
            pipeline.train(small(), given)

    @pytest.mark.parametrize("given", [None, {5: 1}, {"steps": object()}, [("steps", 1)]])
    def test_change_by_paths(self, given: Any) -> None:
        """Changes are values that JSON has, by the paths of fields."""
        with pytest.raises(Invalid):
            changed(small(), given)

    @pytest.mark.parametrize("given", [None, 5])
    def test_are_read_from_paths(self, given: Any) -> None:
        """A path is a text or a path."""
        for call in (read, load_outcome):
            with pytest.raises(Invalid, match="path"):
                call(given)


class TestOutcomes:
    """Results of which something lacks."""

    GROUND: ClassVar[dict[str, Any]] = {"scenario": "a", "world": "b", "demand": "c", "horizon_s": 1.0, "decision_s": 1.0, "days": [1, 2]}

    def test_without_rows(self) -> None:
        """A table of nothing ended in the least of nothing."""
        with pytest.raises(Invalid, match="rows: are none"):
            lines(Outcome(experiment={}, ground=self.GROUND, rows=[]))  # type: ignore[arg-type]
        with pytest.raises(Invalid, match="outcomes: are none"):
            together([], [])

    @pytest.mark.parametrize("name", METRICS)
    def test_without_a_measure(self, name: str, tmp_path: Path) -> None:
        """A file of which a row lacks a measure is refused by row and measure, and not while the table is made."""
        row = {"name": "x", "kind": "k", "measures": {each: [1.0, 2.0] for each in METRICS if each != name}}
        place = tmp_path / "result.json"
        place.write_text(json.dumps({"experiment": {}, "ground": self.GROUND, "rows": [row]}), encoding="utf-8")
        with pytest.raises(Invalid, match=f"rows.x: lacks {name}"):
            load_outcome(str(place))


def test_ready_tasks_are_named() -> None:
    """What cannot be a name is no ready task."""
    given: Any
    for given in (None, 5, ["Corridor"], {}):
        with pytest.raises(Invalid, match="no ready task"):
            ready(given)

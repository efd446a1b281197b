"""A training is computed once and extended by what is missing, and nothing of learning touches a baseline."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl import pipeline
from rl.cached import days_of_baseline, training
from simcache import Cache, cached
from tests.rl.small import small
from tests.rl.small import training as how
from tests.rl.trains import bytes_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the test's own."""
    monkeypatch.setenv("SIMCACHE_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def test_a_second_training_computes_nothing_and_a_longer_one_the_rest() -> None:
    """The length is no part of the key."""
    first = pipeline.train(small(), 1)
    run = pipeline.series(small(), 1)
    assert (len(first.windows), run.stored) == (2, 2)
    entries = [entry.name for entry in run.segments]

    again = pipeline.train(small(), 1)
    longer = pipeline.train(small(steps=80), 1)

    assert bytes_of(again.windows[-1]) == bytes_of(first.windows[-1])
    assert [entry.name for entry in pipeline.series(small(), 1).segments][:2] == entries
    assert [window.steps for window in longer.windows] == [20, 40, 60, 80]


def test_what_counts_for_the_key_of_a_training() -> None:
    """Another learning rate, seed or reward is another training; another length, evaluation or name is not."""
    plain = small()
    keys = {
        pipeline.series(each, seed).key
        for each, seed in (
            (plain, 1),
            (plain, 2),
            (small(training=how(algorithm={"kind": "ppo", "rollout_steps": 5, "batch": 10})), 1),
            (small(task={**plain.task.model_dump(), "reward": [{"kind": "queue"}]}), 1),
        )
    }

    assert len(keys) == 4
    for same in (small(steps=4000), small(name="x"), small(evaluation={"days": 9}), small(baselines=[], tuning={})):
        assert pipeline.series(same, 1).key in keys


def test_no_setting_of_learning_touches_a_baseline() -> None:
    """With another algorithm, observation, reward, agents and number of worlds the stored days of a rule are hits."""
    one = small()
    other = small(
        task={**one.task.model_dump(mode="json"), "observation": {"kind": "queues"}, "reward": [{"kind": "queue"}], "agents": "joint"},
        training=how(worlds=4, algorithm={"kind": "dqn"}),
    )
    first = [pipeline.baseline(one, rule, 5, 3) for rule in one.baselines]
    entries = [run.segments for run in _runs(one)]

    second = [pipeline.baseline(other, rule, 5, 3) for rule in other.baselines]

    assert pipeline.series(one, 1).key != pipeline.series(other, 1).key
    assert [run.segments for run in _runs(other)] == entries
    assert [[bytes_of(day) for day in row.days] for row in first] == [[bytes_of(day) for day in row.days] for row in second]


def test_days_are_the_same_in_any_batch(tmp_path: Path) -> None:
    """How many worlds a baseline's days are driven in, and where they were cut, changes no bit."""
    one = small()
    whole = pipeline.baseline(one, one.baselines[1], 5, 5)
    plain = cached(cache=Cache(str(tmp_path / "other")))(days_of_baseline.compute)
    run = plain(*_arguments(one, 1, 5), worlds=3)

    cut = [*run[:2], *run[2:5]]

    assert [bytes_of(day) for day in cut] == [bytes_of(day) for day in whole.days]
    assert [day.seed for day in whole.days] == [5, 6, 7, 8, 9]


def test_the_network_is_built_once() -> None:
    """Checks, training, tuning, picking and measuring share one simulator in a process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.rl.small", "once"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout) == {"built": 1, "rows": 3, "days": 3}


def test_the_real_simulator_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """Two windows and two more are the bytes of four, with DQN and PPO, through the store."""
    for kind in ({"kind": "dqn", "net": [8], "learning_starts": 20, "batch": 8, "target_every": 20}, how()["algorithm"]):
        experiment = small(training=how(algorithm=kind, normalise={}))
        cut = training(experiment.task, experiment.training, 1)
        for length in (2, 4):
            cut.take(length)
        straight = cached(every=1, ignore=("pulse",), cache=Cache(str(tmp_path / "straight")))(training.compute)(
            experiment.task, experiment.training, 1
        )
        straight.take(4)

        assert [bytes_of(window) for window in cut[:4]] == [bytes_of(window) for window in straight[:4]]
        kept = [[(entry.value, entry.state, entry.blobs) for entry in run.segments] for run in (cut, straight)]
        assert kept[0] == kept[1]


def test_a_deadline_ends_a_training_with_what_there_is() -> None:
    """It keeps the windows that it has, and says that they are not all."""
    trained = pipeline.train(small(steps=2_000_000), 1, deadline_s=1.0)

    assert not trained.complete
    assert pipeline.series(small(), 1).stored == len(trained.windows)


@pytest.mark.parametrize(("part", "kinds"), [("evaluation", {"fixed_time", "webster"}), ("simulation", {"ppo"})])
def test_a_time_limit_leaves_out_what_did_not_come_to_pass(part: str, kinds: set[str]) -> None:
    """Of policies, or of rules; the outcome says that it is not whole."""
    limits: dict[str, Any] = {
        "evaluation": {"days": 3, "validation_days": 2, "timeout_seconds": 1e-9},
        "simulation": {"timeout_seconds": 1e-9},
    }
    late = small(**{part: limits[part]})

    outcome = pipeline.evaluate(late, [pipeline.train(late, 1)], lambda _: None)

    assert not outcome.complete
    assert {row.kind for row in outcome.rows} == kinds


def test_the_clock_of_the_evaluation_begins_when_the_rules_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long rules are tuned and driven, the policies have the time that the evaluation says; and each simulation has its own."""
    begun: list[tuple[float | None, int]] = []
    driven: list[str] = []

    class Noted(pipeline.Clock):
        def __init__(self, limit_s: float | None) -> None:
            begun.append((limit_s, len(driven)))
            super().__init__(limit_s)

    real = pipeline.baseline

    def noted(*given: Any) -> Any:
        driven.append("rule")
        return real(*given)

    monkeypatch.setattr(pipeline, "Clock", Noted)
    monkeypatch.setattr(pipeline, "baseline", noted)
    experiment = small(evaluation={"days": 3, "validation_days": 2, "timeout_seconds": 600.0})
    pipeline.evaluate(experiment, [pipeline.train(experiment, 1)], lambda _: None)

    assert len(driven) == 2 + 2  # two values tried, two rules measured
    assert begun == [(600.0, len(driven))]


def test_a_rule_that_could_not_be_tuned_stays_as_given_and_is_told() -> None:
    """The values whose days did not come to pass are not chosen, and the outcome says that it is not whole."""
    said: list[str] = []
    late = small(simulation={"timeout_seconds": 1e-9}, tuning={"webster": {"stretch": [0.5, 0.8]}})

    rule, whole = pipeline.tuned(late, late.baselines[1], said.append)

    assert (rule, whole) == (late.baselines[1], False)
    assert "the best of 0 of 2 tried" in said[0]


def test_an_outcome_is_of_the_held_out_days() -> None:
    """Every row has every held-out day; tuning and picking looked at others."""
    experiment = small()
    outcome = pipeline.measured(experiment, lambda _: None)

    assert outcome.complete
    assert list(outcome.ground.days) == experiment.evaluation.held_out
    assert set(experiment.evaluation.held_out).isdisjoint(experiment.evaluation.validation)
    assert np.isfinite([row.measures["delay_s"] for row in outcome.rows]).all()
    assert outcome.experiment == experiment.model_dump(mode="json")


def _arguments(experiment: Any, rule: int, first: int) -> tuple[Any, ...]:
    from rl.evaluate import Bounds

    task = experiment.task
    return (
        task.world,
        Bounds(min_green_s=task.min_green_s, max_green_s=task.max_green_s, dtype=task.dtype),
        experiment.baselines[rule],
        first,
    )


def _runs(experiment: Any) -> list[Any]:
    return [days_of_baseline(*_arguments(experiment, rule, 5)) for rule in range(len(experiment.baselines))]

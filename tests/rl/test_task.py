"""The decision process: days by seed, episodes that begin by themselves, and going on to the last bit."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import arz
from rl.controllers.fixed_time import FixedTime
from rl.errors import Foreign, NotBegun
from rl.scores import drive
from rl.task import Task, TaskSpec
from rl.worlds import Bench
from tests.rl.makers import chance, play, same, spec, walk


def test_one_seed_is_one_day() -> None:
    """The same seed gives the same episode, the first time and the second, in another task, and beside other worlds."""
    task = Task(spec(), 2)
    task.reset([5, 6])
    first = walk(task, 19)
    task.reset([5, 6])
    second = walk(task, 19)
    task.reset([7, 5])
    other = walk(task, 19)

    assert all((one == two).all() for one, two in zip(first, second, strict=True))
    assert any((one != two).any() for one, two in zip(first, other, strict=True))


@pytest.mark.parametrize("agents", ["multi", "joint", "shared"])
def test_a_world_is_the_same_in_any_batch(agents: str) -> None:
    """Observations and rewards of a world alone are those of that world among others, to the last bit."""
    many, one = Task(spec(agents=agents), 3), Task(spec(agents=agents), 1)
    many.reset([1, 2, 3])
    one.reset([2])
    for number in range(12):
        actions = chance(many, number)
        of_many, of_one = many.step(actions), one.step(actions[1:2])

        assert of_many.observation[1].tobytes() == of_one.observation[0].tobytes()
        assert of_many.reward[1].tobytes() == of_one.reward[0].tobytes()


def test_an_episode_begins_by_itself() -> None:
    """At the horizon: all worlds are cut off, the last observation is kept, and the next day begins within the same step."""
    task = Task(spec(), 2)
    first = task.reset([0, 1])
    days = [task.seeds.tolist()]
    returns = np.zeros((2, 1))
    for _ in range(2):
        for number in range(20):
            done = task.step(chance(task, number))
            returns += done.reward
            assert done.truncated.tolist() == [number == 19] * 2
            assert not done.terminated.any()
            assert (done.final_observation is None) == (number < 19)
            if done.final_observation is not None and done.episode_return is not None:
                assert done.final_observation[0, 0, -1] == 1
                assert done.observation[0, 0, -1] == 0
                assert (done.observation == first).all()  # the first moment has nothing of the day yet
                assert np.allclose(done.episode_return, returns, rtol=1e-5)
                returns[:] = 0
        days.append(task.seeds.tolist())

    assert days[0] == [0, 1]
    assert len({seed for day in days for seed in day}) == 6
    assert all(seed >= 2**63 for day in days[1:] for seed in day)


def test_later_days_follow_from_the_seed() -> None:
    """The second episode of a seed is always the same one, whether the first was finished or not."""
    task = Task(spec(), 1)
    task.reset([3])
    walk(task, 20)
    finished = task.seeds
    task.reset([3])
    walk(task, 4)
    task.reset()

    assert (task.seeds == finished).all()


@settings(max_examples=8)
@given(cut=st.integers(1, 45), agents=st.sampled_from(["multi", "shared"]))
def test_a_cut_leaves_no_trace(cut: int, agents: str) -> None:
    """A snapshot, carried through a file without pickle and restored into another task, goes on to the last bit, over resets too."""
    task = Task(spec(agents=agents), 2)
    task.reset([10, 11])
    walk(task, cut)
    file = io.BytesIO()
    np.savez(file, **task.snapshot())
    straight = walk(task, 25, seed=100)
    end = task.snapshot()

    file.seek(0)
    with np.load(file, allow_pickle=False) as kept:
        snapshot = {name: kept[name] if kept[name].ndim else kept[name].item() for name in kept.files}
    other = Task(spec(agents=agents), 2)
    seen = other.restore(snapshot)
    masks = other.action_masks()
    again = walk(other, 25, seed=100)

    assert seen.shape == (2, other.agent_count, len(other.features))
    assert masks.any(axis=2).all()
    assert all(one.tobytes() == two.tobytes() for one, two in zip(straight, again, strict=True))
    same(end, other.snapshot())


@pytest.mark.parametrize(
    "part",
    [
        "task_seeds",
        "task_episodes",
        "task_decisions",
        "worlds_now_waiting",
        "simulator_seeds",
        "simulator_waiting",
        "simulator_lamps_switched",
    ],
)
def test_every_part_of_a_snapshot_matters(part: str) -> None:
    """Who restores one part otherwise goes another way: the test before would see it."""
    task = Task(spec(), 1)
    task.reset([1])
    walk(task, 9)
    kept = task.snapshot()
    straight = [row.tobytes() for row in walk(task, 40, seed=50)]

    task.restore({**kept, part: kept[part] + 1})

    assert [row.tobytes() for row in walk(task, 40, seed=50)] != straight


def test_a_foreign_snapshot_is_refused() -> None:
    """Of more worlds, of other agents, of another format, of another network."""
    task = Task(spec(), 2)
    task.reset([0, 1])
    kept = task.snapshot()

    with pytest.raises(Foreign, match="worlds and agents"):
        Task(spec(), 1).restore(kept)
    with pytest.raises(Foreign, match="worlds and agents"):
        Task(spec(agents="shared"), 2).restore(kept)
    with pytest.raises(Foreign, match="task_format"):
        task.restore({**kept, "task_format": 99})
    with pytest.raises(Foreign, match="worlds_now_"):
        Task(spec(options={"crossings": 3, "block_m": 200.0}), 2).restore(kept)


def test_nothing_before_the_first_episode() -> None:
    """Who steps, looks or keeps before a reset is told so."""
    task = Task(spec(), 1)
    for ask in (task.snapshot, task.reset, task.action_masks, lambda: task.step(np.zeros((1, 1, 2), int))):
        with pytest.raises(NotBegun, match="reset"):
            ask()


def test_two_tasks_share_one_simulator() -> None:
    """Tasks that go on by turns, as in training with an evaluation in between, see what they would see alone; nothing is built for it."""
    alone = Task(spec(), 2)
    alone.reset([1, 2])
    expected = walk(alone, 10)
    built = Bench.built
    training, evaluation = Task(spec(), 2), Task(spec(agents="shared"), 2)
    training.reset([1, 2])
    seen = walk(training, 5)
    evaluation.reset([100, 101])
    walk(evaluation, 7)
    seen += walk(training, 5, seed=5)

    assert all(one.tobytes() == two.tobytes() for one, two in zip(expected, seen, strict=True))
    assert Bench.built == built


def test_worlds_that_somebody_else_took_are_not_stepped() -> None:
    """A rule that drives a task's own worlds ends the task's episode: it is told so instead of going on in the other's."""
    task = Task(spec(), 1)
    task.reset([0])
    drive(task.worlds, FixedTime().driver(task.spec.layout, task.spec.guard), [5], 15.0)

    with pytest.raises(NotBegun, match="another episode"):
        task.step(chance(task, 0))
    with pytest.raises(NotBegun, match="another episode"):
        task.snapshot()
    task.reset([0])
    task.step(chance(task, 0))


def test_a_refused_restore_changes_nothing() -> None:
    """Of a task whose state was parked while another one used the simulator, too."""
    one, other = Task(spec(), 1), Task(spec(), 1)
    one.reset([1])
    walk(one, 3)
    before = one.snapshot()
    other.reset([2])
    lacking = {name: value for name, value in before.items() if name != "simulator_rho"}

    with pytest.raises(arz.Invalid, match="lacks rho"):
        one.restore(lacking)

    same(before, one.snapshot())


def test_a_changed_copy_is_a_record_of_its_own() -> None:
    """What follows from the old fields is not kept, and a wrong field is refused."""
    made = spec()

    assert made.model_copy(update={"decision_s": 5.0}).decisions == 60
    assert made.model_copy(update={"amber_s": 4.0}).layout.signals[0].lost_s == 6.0
    assert made.model_copy() == made
    with pytest.raises(arz.Invalid, match="decision_s"):
        made.model_copy(update={"decision_s": -5.0})


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"decision_s": -1.0}, "decision_s"),
        ({"decision_s": "15"}, "decision_s"),
        ({"decision_s": True}, "decision_s"),
        ({"horizon_s": 100.0}, "horizon_s"),
        ({"amber_s": -3.0}, "amber_s"),
        ({"max_green_s": 10.0}, "max_green_s"),
        ({"min_green_s": 150.0}, "max_green_s"),
        ({"colour": "red"}, "colour"),
        ({"scenario": "nowhere"}, "scenario"),
        ({"options": {"crossing": 3}}, "options.crossing"),
        ({"options": {"seed": 3}}, "options.seed"),
        ({"options": {"demand_veh_per_h": -1.0}}, "options."),
        ({"options": {"initial": {"everywhere": {"density_veh_per_m": [150.0, 0.0]}}}}, "options.initial.everywhere.density_veh_per_m[0]"),
        ({"options": {"physics": {"jam_veh_per_m": 150.0}}}, "options.physics.jam_veh_per_m"),
        ({"observation": {"kind": "detectors", "reach_m": 0.0}}, "observation"),
        ({"observation": {"kind": "eyes"}}, "observation"),
        ({"reward": ()}, "reward"),
        ({"reward": [{"kind": "delay", "weight": "much"}]}, "reward[0].weight"),
        ({"reward": [{"kind": "delay", "per": 1.0}]}, "reward[0].per"),
        ({"action": {"kind": "rate"}}, "action"),
        ({"agents": "many"}, "agents"),
        ({"sees": "all"}, "sees"),
        ({"agents": "joint", "common": 0.5}, "common"),
        ({"demand": {"spread": -0.1}}, "demand.spread"),
        ({"demand": {"surges": [{"factor": 2.0, "length_s": 60.0, "earliest_s": 100.0, "latest_s": 50.0}]}}, "demand.surges[0].latest_s"),
        ({"dtype": "float16"}, "dtype"),
        ({"scenario": "grid", "options": {"n": 4, "m": 4}, "agents": "joint"}, "agents"),
    ],
)
def test_a_wrong_field_is_refused_by_its_path(changes: dict[str, object], path: str) -> None:
    """Before anything runs: what, which, and the next step."""
    built = Bench.built

    with pytest.raises(arz.Invalid) as refused:
        spec(**changes)

    assert path in refused.value.path
    assert refused.value.remedy
    assert Bench.built == built


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ({"kind": "rate", "rates_veh_per_h": [0.2]}, "rates_veh_per_h[0]"),
        ({"kind": "rate", "rates_veh_per_h": [-5.0]}, "rates_veh_per_h[0]"),
        ({"kind": "limit", "limits_kmh": [13.9, 500.0]}, "limits_kmh[1]"),
        ({"kind": "limit", "limits_kmh": [2.0]}, "limits_kmh[0]"),
    ],
)
def test_a_slipped_unit_is_noticed(action: dict[str, object], path: str) -> None:
    """Vehicles a second for vehicles an hour, metres a second for km/h."""
    with pytest.raises(arz.Invalid) as refused:
        spec(scenario="ramp", options={}, action=action)

    assert refused.value.path == f"action.{path}"


@pytest.mark.parametrize(("field", "value"), [("scale", 1e9), ("noise", 1e200), ("spread", 50.0)])
def test_days_that_nobody_means_are_refused(field: str, value: float) -> None:
    """What the solver refuses of a demand, it refuses of a task's: such numbers once ran until a state was no number any more."""
    with pytest.raises(arz.Invalid) as refused:
        spec(demand={field: value})

    assert refused.value.path == f"demand.{field}"


def test_a_spec_is_its_json() -> None:
    """Written and read again it is equal, and gives the same world."""
    made = spec(reward=[{"kind": "queue", "change": True}, {"kind": "switches", "weight": 0.5}], demand={"spread": 0.3})

    again = TaskSpec.load(made.model_dump_json())

    assert again == made
    assert again.world == made.world


@pytest.mark.parametrize("actions", [np.zeros((2, 1, 2)), np.zeros((2, 1, 3), int), np.full((2, 1, 2), 2), np.full((2, 1, 2), -1)])
def test_a_wrong_action_is_refused(actions: np.ndarray) -> None:
    """Of another type, shape, or beyond what there is; the worlds stay where they were."""
    task = Task(spec(), 2)
    task.reset([0, 1])
    before = task.snapshot()

    with pytest.raises(arz.Invalid, match="actions"):
        task.step(actions)

    same(before, task.snapshot())


def test_wrong_seeds_are_refused() -> None:
    """Too few, negative, or of the half that belongs to later days."""
    task = Task(spec(), 2)
    for seeds in ([1], [1, -1], [1, 2**63]):
        with pytest.raises(arz.Invalid, match="seeds"):
            task.reset(seeds)


def test_amber_and_all_red_are_what_the_spec_says() -> None:
    """Longer changes leave less green: the same actions discharge fewer vehicles."""
    left = []
    for amber in (1.0, 8.0):
        crowd = {"crossings": 2, "block_m": 200.0, "demand_veh_per_h": 3000.0, "side_veh_per_h": 1500.0}
        task = Task(spec(amber_s=amber, options=crowd), 1)
        task.reset([0])
        done = play(task, (np.full((1, 1, 2), number % 2) for number in range(19)))
        left.append(float(done.moment.measures.left.sum()))
        assert task.spec.layout.signals[0].lost_s == amber + 2

    assert left[1] < 0.8 * left[0]

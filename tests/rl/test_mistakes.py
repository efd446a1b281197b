"""What went wrong before, each as a test: the table of the design, line by line, as far as the environment is concerned."""

import subprocess
import sys
from unittest.mock import patch

import numpy as np

import arz
from rl.checks import check
from rl.controllers.fixed_time import FixedTime
from rl.controllers.max_pressure import MaxPressure
from rl.scores import drive, paired
from rl.task import Task
from rl.tasks import ready
from rl.vec_env import VecEnv
from rl.worlds import Bench
from tests.rl.makers import chance, play, spec, walk


def test_the_network_is_built_once() -> None:
    """Before: nine times in one run. Now checks, training, evaluation and baselines share one simulator: the counter says 1."""
    made = ready("VictoriaIsland", agents="shared", horizon_s=600.0)
    built = Bench.built
    assert all(finding.passed for finding in check(Task(made)))
    env = VecEnv(Task(made))
    env.seed(0)
    env.reset()
    for _ in range(3):
        env.step(np.zeros(8, int))
    task = Task(made)
    drive(task.worlds, FixedTime().driver(made.layout, made.guard), [1], made.decision_s)
    again = ready("VictoriaIsland", agents="multi", horizon_s=600.0)
    Task(again).reset([0])

    assert Bench.built == built + 1


def test_a_decision_is_one_call_for_all_worlds() -> None:
    """Before: 0.75 s a step. Now the solver is asked once for a whole interval of all worlds, and no world is looked at alone."""
    task = Task(spec(), 5)
    task.reset([0, 1, 2, 3, 4])
    simulator = task.worlds.simulator
    with patch.object(simulator, "step", wraps=simulator.step) as step:
        task.step(chance(task, 0))

    assert [call.args[1] for call in step.call_args_list] == [15.0]


def test_nothing_is_printed() -> None:
    """Before: debug prints cost twelve hours. Now an episode with its checks and baselines is silent."""
    code = (
        "import numpy as np\n"
        "from rl import Task, VecEnv, ready\n"
        "from rl.checks import check\n"
        "task = Task(ready('Corridor', horizon_s=300.0))\n"
        "check(task)\n"
        "env = VecEnv(task)\n"
        "env.seed(0)\n"
        "env.reset()\n"
        "for _ in range(25):\n"
        "    env.step(np.zeros((1, 5), int))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == ("", "")


def test_an_episode_that_ended_on_red_leaves_nothing_behind() -> None:
    """Before: one policy scored 259, then 800, since reset left the lights as they were. Now the next episode of a seed is the same."""
    task = Task(spec(), 2)
    task.reset([1, 2])
    first = walk(task, 10)
    ends = set()
    for phase in (0, 1):
        for side in (0, 1):
            task.reset([1, 2])
            for number in range(19):
                task.step(np.full((2, 1, 2), phase if number < 18 else side))
            ends.add(tuple(task.worlds.moment.measures.phase[0].tolist()))
            task.reset([1, 2])
            assert [row.tobytes() for row in walk(task, 10)] == [row.tobytes() for row in first]
    assert len(ends) > 1


def test_throughput_is_lower_where_nobody_gets_green() -> None:
    """Before: 40 times higher under red. Now who holds one phase gets less through than who changes, and vehicles add up."""
    crowd = {"crossings": 2, "block_m": 200.0, "demand_veh_per_h": 1800.0, "side_veh_per_h": 900.0}
    made = spec(options=crowd, horizon_s=900.0, max_green_s=890.0)
    task = Task(made)
    left = {}
    for name in ("hold", "change"):
        task.reset([0])
        rows = (np.full((1, 1, 2), 0 if name == "hold" else number // 2 % 2) for number in range(59))
        measures = play(task, rows).moment.measures
        left[name] = float(measures.left.sum())
        assert abs(measures.entered.sum() - measures.left.sum() - measures.inside.sum()) < 1e-3

    assert left["hold"] < 0.9 * left["change"]


def test_phases_are_opposed() -> None:
    """Before: green was all green, and red all red. Now in every ready task no two approaches of a phase conflict, and every one has a turn."""
    for name in ("VictoriaIsland", "Corridor", "Grid"):
        for lights in ready(name).layout.signals:
            turns = [set(phase.approaches) for phase in lights.phases]
            assert len(turns) > 1
            assert not set.intersection(*turns)
            assert all(turns)


def test_comparisons_are_paired() -> None:
    """Before: gains of 45 %, from one run against a straw man. Now differences are of the same days, and small samples say so by their spread."""
    made = spec(horizon_s=600.0)
    task = Task(made, 4)
    seeds = range(100, 108)
    given, pressed = (
        drive(task.worlds, rule.driver(made.layout, made.guard), seeds, made.decision_s) for rule in (FixedTime(), MaxPressure())
    )
    gain = paired(given, pressed, "delay_s")

    assert len(gain) == 8
    assert gain.std() < given.of("delay_s").std() + pressed.of("delay_s").std()
    assert (given.came == pressed.came).mean() > 0.5  # the same vehicles came


def test_demand_is_of_the_seed_not_of_the_lights() -> None:
    """The same day under two policies brings the same vehicles; two days do not."""
    task = Task(spec(demand={"spread": 0.3, "surges": [{"factor": 1.5, "length_s": 60.0, "latest_s": 200.0}]}), 2)
    came = []
    for phase in (0, 1):
        task.reset([3, 4])
        measures = play(task, [np.full((2, 1, 2), phase)] * 19).moment.measures
        came.append(measures.entered + measures.waiting)

    assert np.allclose(came[0], came[1], rtol=1e-6)
    assert not np.allclose(came[0][0], came[0][1], rtol=1e-3)


def test_what_was_asked_for_reaches_the_run() -> None:
    """Before: the total of steps did not. Now a task does what its spec says: decisions, horizon, demand, changes of the lights."""
    made = spec(decision_s=10.0, horizon_s=120.0, amber_s=4.0, all_red_s=1.0, demand={"scale": 0.5, "noise": 0.0, "spread": 0.0})
    task = Task(made)
    task.reset([0])
    done = play(task, [np.zeros((1, 1, 2), int)] * 12)
    came = done.moment.measures.entered.sum() + done.moment.measures.waiting.sum()

    assert done.truncated.all()
    assert done.moment.time_s == 120.0
    assert made.layout.signals[0].lost_s == 5.0
    assert abs(came - 0.5 * (2 * 1200 + 4 * 400) * 120 / 3600) < 1e-4
    assert isinstance(made.world, arz.Scenario)

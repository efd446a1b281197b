"""How many environment steps a second 64 worlds of the Victoria Island twin make, and which part of a step is the task's own.

sumo-rl and UXsim take their turns if PEERS_PYTHON names the Python of an environment that has them; otherwise they are left out.
"""

from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from arz import Controls, scenario
from benchmarks.measure import Least, Limit, Question
from benchmarks.peers import python_of_peers, sumo_rl, uxsim
from rl import Env, Task, TaskSpec, VecEnv

Array = NDArray[Any]

WORLDS, STEPS = 64, 10
WARM_S = 0.3
"""So long a way runs before it is timed: a host that has seen one busy thread packs two virtual cores onto one, and parts them again slowly."""
DECISION_S = 15.0
ELSEWHERE = {"sumo-rl": 14.8, "UXsim's RL loop": 237, "LightSim's environment, one intersection": 3087}
"""Steps of 15 s a second on networks of like size, or as said; measured for this project elsewhere, on two other cores."""


def vec_env(agents: str, worlds: int) -> tuple[VecEnv, Callable[[], None]]:
    """The environment, and some steps of it; an environment step is a decision in one world, however many agents make it."""
    env = VecEnv(Task(TaskSpec(agents=agents), worlds))  # type: ignore[arg-type]
    env.seed(0)
    env.reset()
    env.action_space.seed(0)
    actions = [np.array([env.action_space.sample() for _ in range(env.num_envs)]) for _ in range(STEPS)]

    def run() -> None:
        for each in actions:
            env.step(each)

    return env, run


def stepping(run: Callable[[], object], worlds: int) -> Callable[[], float]:
    """A way that gives environment steps a second."""

    def rate() -> float:
        warm = perf_counter() + WARM_S
        while perf_counter() < warm:
            run()
        began = perf_counter()
        run()
        return STEPS * worlds / (perf_counter() - began)

    return rate


def own_part(env: VecEnv, run: Callable[[], None]) -> Callable[[], float]:
    """A way that gives the part of a step, in percent, in which the solver does not compute."""

    def part() -> float:
        simulator = env.task.worlds.simulator
        solver = simulator.step
        within = 0.0

        def timed(controls: Controls | None, duration_s: float) -> Any:
            nonlocal within
            began = perf_counter()
            measures = solver(controls, duration_s)
            within += perf_counter() - began
            return measures

        with patch.object(simulator, "step", timed):
            began = perf_counter()
            run()
            whole = perf_counter() - began
        return 100 * (whole - within) / whole

    return part


def simulator_alone(worlds: int) -> Callable[[], None]:
    """The same lights, asked of the solver itself."""
    simulator = Task(TaskSpec(horizon_s=3000.0), worlds).worlds.simulator
    simulator.reset(range(worlds))
    rng = np.random.default_rng(0)
    phases = [rng.integers(0, 2, (worlds, len(simulator.signals))) for _ in range(STEPS)]

    def run() -> None:
        for phase in phases:
            simulator.step(Controls(phase=phase), DECISION_S)

    return run


def gymnasium_env() -> Callable[[], None]:
    """One world, reset when its day is over."""
    env = Env()
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(STEPS)]

    def run() -> None:
        for action in actions:
            if env.step(action)[3]:
                env.reset()

    return run


def main() -> None:
    with (
        Question("env", "How many environment steps a second do 64 worlds of 70 roads and 8 signals make?") as question,
        ExitStack() as peers,
    ):
        shared, run_shared = vec_env("shared", WORLDS)
        multi, run_multi = vec_env("multi", WORLDS)
        case = f"decisions of 15 s, {WORLDS} worlds"
        ways = {
            "VecEnv, an agent at each signal": stepping(run_shared, WORLDS),
            "VecEnv, one agent": stepping(run_multi, WORLDS),
            "the simulator alone": stepping(simulator_alone(WORLDS), WORLDS),
        }
        python = python_of_peers()
        if python:
            for way, within in (("sumo-rl", False), ("sumo-rl, SUMO in its own process", True)):
                ways[way] = peers.enter_context(sumo_rl(python, scenario("victoria_island"), decisions=STEPS, within=within))
            ways["UXsim C++, its loop of decisions"] = lambda: uxsim(python, "3600", "cpp", "decides") / DECISION_S
        question.rates(case, ways, "/s", rounds=30)
        for peer, rate in ELSEWHERE.items():
            question.add(case, f"{peer} (measured elsewhere)", [rate], "/s")
        question.judge(case, Least("VecEnv, an agent at each signal", 5000))
        if python:
            question.judge(case, Least("VecEnv, an agent at each signal", 300, times="sumo-rl"))
        parts = {"VecEnv, an agent at each signal": own_part(shared, run_shared), "VecEnv, one agent": own_part(multi, run_multi)}
        question.rates("part of a step that is not the solver's", parts, "%", rounds=30)
        question.judge("part of a step that is not the solver's", Limit("VecEnv, an agent at each signal", 15))
        question.rates("decisions of 15 s, one world", {"Gymnasium Env": stepping(gymnasium_env(), 1)}, "/s", rounds=30)


if __name__ == "__main__":
    main()

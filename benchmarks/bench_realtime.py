"""How fast an hour of a city's district goes by, and how many decisions of 15 s a batch of worlds makes in a second.

UXsim takes its turns if PEERS_PYTHON names the Python of an environment that has it; otherwise it is left out.
"""

from collections.abc import Callable
from functools import partial
from time import perf_counter

import numpy as np

from arz import scenario
from arz.engine.simulator import Controls, Simulator
from benchmarks.measure import Least, Question
from benchmarks.peers import python_of_peers, uxsim

HOUR_S, DECISION_S = 3600.0, 15.0
WORLDS = 64
SUMO = {"SUMO meso": 8800, "SUMO micro": 302}
"""Times real time of one hour of a comparable network (75 edges of 200 m, 15 signals, 9,300 trips), measured for this project elsewhere."""


def hour(*, decides: bool, order: int, horizon_s: float) -> Callable[[], float]:
    """A way that gives times real time: reset, then an hour; its decisions change the phase of every signal once a minute."""
    made = scenario("victoria_island")
    made = made.model_copy(update={"scheme": made.scheme.model_copy(update={"order": order})})
    simulator = Simulator(made, threads=1)
    phases = len(simulator.signals)

    def run() -> float:
        began = perf_counter()
        simulator.reset([7])
        if not decides:
            simulator.step(None, horizon_s)
        else:
            for at in range(round(horizon_s / DECISION_S)):
                simulator.step(Controls(phase=np.full((1, phases), at // 4 % 2)), DECISION_S)
        return horizon_s / (perf_counter() - began)

    return run


def decisions(threads: int) -> Callable[[], float]:
    """A way that gives decisions of one world a second."""
    simulator = Simulator([scenario("victoria_island")] * WORLDS, threads=threads)
    simulator.reset(range(WORLDS))
    signals = len(simulator.signals)
    number = 0

    def run() -> float:
        nonlocal number
        began = perf_counter()
        for _ in range(10):
            number += 1
            simulator.step(Controls(phase=np.full((WORLDS, signals), number // 4 % 2)), DECISION_S)
        return 10 * WORLDS / (perf_counter() - began)

    return run


def main() -> None:
    with Question("realtime", "How many times faster than real time is one hour of 70 edges and 8 signals?") as question:
        horizon_s = 300.0 if question.quick else HOUR_S
        case = "one hour, one world"
        ways: dict[str, Callable[[], float]] = {
            "arz, order 2, decisions": hour(decides=True, order=2, horizon_s=horizon_s),
            "arz, order 2, no decisions": hour(decides=False, order=2, horizon_s=horizon_s),
        }
        if python := python_of_peers():
            ways["UXsim C++, decisions"] = partial(uxsim, python, str(horizon_s), "cpp", "decides")
            ways["UXsim C++, no decisions"] = partial(uxsim, python, str(horizon_s), "cpp")
            ways["UXsim Python, no decisions"] = partial(uxsim, python, str(horizon_s), "python")
        question.rates(case, ways, "× real time", rounds=9)
        for peer, times in SUMO.items():
            question.add(case, f"{peer} (measured elsewhere)", [times], "× real time")
        question.judge(case, Least("arz, order 2, decisions", 30_000))
        many = f"decisions of 15 s, {WORLDS} worlds"
        question.rates(many, {"two threads": decisions(2), "one thread": decisions(1)}, "/s", rounds=30)
        question.add(many, "sumo-rl (measured elsewhere)", [14.8], "/s")
        question.add(many, "UXsim (measured elsewhere)", [237.0], "/s")
        question.judge(many, Least("two threads", 12_000))


if __name__ == "__main__":
    main()

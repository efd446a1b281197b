"""How many cell updates one core makes in a second, beside what its arithmetic can do at best."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from arz import scenario
from arz.bench import CHAIN, multiply_add
from arz.engine.plan import make_plan
from arz.engine.simulator import Simulator
from arz.jit import compiled
from arz.world.scenario import Initial, Scenario, Uniform
from benchmarks.measure import Least, Limit, Question

WORLDS = 64
INTERVAL_S, MOST_STEPS = 15.0, 64
"""Of a decision; short cells have short steps, and fewer seconds then."""
WARM_UP = 40
"""Intervals before anything is timed, so that the network is full of traffic."""
SETTLE_S, TIMED_S = 0.15, 0.25
"""Each turn works so long untimed, and then at least so long timed. A virtual machine may keep its processors on one core as long as a single
thread works: two threads then need about 100 ms until each has a core, and turns shorter than that measure the host."""
CELLS = 100_000
SIDE, BLOCK_M = 50, 155.0
"""A grid of so many streets each way has as many cells, and a crossing every ten."""
BUSY = Initial(everywhere=Uniform(density_veh_per_m=(0.02, 0.02)))
"""What is on the large networks, which would take long to fill."""
MULTIPLY_ADDS, DIVISIONS = 121_500, 6_000
"""10⁶ a second by these loops on the machine where the targets were measured: a target is so many of them for each update."""
PYCLAW = {1: 30.6e6, 2: 19.2e6}
"""Cell updates a second of PyClaw's ARZ in Fortran, double, one core, by order: measured elsewhere, for this project, with AVX-512. From the
package index PyClaw installs only where there is a Fortran compiler, so it takes no turn here."""


def _divide(x: Any, rounds: int) -> None:
    """Four divisions a number and round."""
    by = x[1]
    for _ in range(rounds):
        for i in range(x.size):
            v = x[i]
            v = by / v
            v = by / v
            v = by / v
            v = by / v
            x[i] = v


divide = compiled(_divide, nogil=True)


def model(name: str, order: int, **options: Any) -> Scenario:
    whole = scenario(name, **options)
    return whole.model_copy(update={"scheme": whole.scheme.model_copy(update={"order": order})})


def cut(made: Scenario, cells: int) -> Scenario:
    """The same roads in about so many cells."""
    length = made.scheme.cell_m * make_plan(made).cells / cells
    return made.model_copy(update={"scheme": made.scheme.model_copy(update={"cell_m": length})})


def calibrations(threads: int = 1) -> dict[str, Callable[[], float]]:
    """Ways that give 10⁶ operations a second; on several threads each does as much as one alone."""
    ways: dict[str, Callable[[], float]] = {}
    for name, loop, each in (("multiply-adds", multiply_add, CHAIN), ("divisions", divide, 4)):
        tables = [np.linspace(1, 2, 2048, dtype=np.float32) for _ in range(threads)]
        loop(tables[0], 1)
        several = name if threads == 1 else f"{name}, two threads"
        ways[several] = partial(_rate, _together(loop, tables), 1000 * tables[0].size * each * threads)
    return ways


def _together(loop: Callable[[Any, int], None], tables: list[Any]) -> Callable[[], object]:
    """A way to run the loop over each table, in a thread of its own if there are several."""
    if len(tables) == 1:
        return lambda: loop(tables[0], 1000)
    pool = ThreadPoolExecutor(len(tables))
    return lambda: list(pool.map(lambda table: loop(table, 1000), tables))


def updates(made: Scenario, worlds: int, dtype: str, threads: int = 1, warm_up: int = WARM_UP) -> Callable[[], float]:
    """A way that gives 10⁶ cell updates a second: whole intervals, with nodes, signals, ledgers and measures."""
    simulator = Simulator([made] * worlds, dtype=dtype, threads=threads)
    simulator.reset(range(worlds))
    seconds = min(INTERVAL_S, MOST_STEPS * simulator.dt_bound_s)
    for _ in range(warm_up):
        simulator.step(None, seconds)
    return partial(_rate, lambda: simulator.step(None, seconds), simulator.steps(seconds) * simulator.plan.cells * worlds)


def _rate(work: Callable[[], object], count: int) -> float:
    """10⁶ a second of what the work does `count` of."""
    settled = perf_counter() + SETTLE_S
    while perf_counter() < settled:
        work()
    times, began = 0, perf_counter()
    while perf_counter() < began + TIMED_S:
        work()
        times += 1
    return times * count / (perf_counter() - began) / 1e6


def main() -> None:
    with Question("solver", "How many cell updates does one core make in a second?") as question:
        orders = (2,) if question.quick else (1, 2)
        case = f"70 edges, {WORLDS} worlds"
        ways = {}
        for order in orders:
            made = model("victoria_island", order)
            ways[f"order {order}, float32"] = updates(made, WORLDS, "float32")
            ways[f"order {order}, float32, two threads"] = updates(made, WORLDS, "float32", threads=2)
            ways[f"order {order}, float64"] = updates(made, WORLDS, "float64")
        question.rates(case, {**ways, **calibrations(), **calibrations(threads=2)}, "10⁶/s", rounds=20)
        for order, least in ((1, 700), (2, 450)):
            if order not in orders:
                continue
            one = f"order {order}, float32"
            question.judge(case, Least(one, least))
            question.judge(case, Limit("multiply-adds", MULTIPLY_ADDS / least, times=one))
            question.judge(case, Limit("divisions", DIVISIONS / least, times=one))
            question.judge(case, Least(f"{one}, two threads", 1.7, times=one))
            question.judge(case, Least(f"order {order}, float64", 0.5, times=one))
        side, cells = (10, CELLS // 25) if question.quick else (SIDE, CELLS)
        for order in orders:
            for name, empty in (
                (f"70 edges of {cells:,} cells", cut(model("victoria_island", order), cells)),
                (f"a grid of {side} × {side}", model("grid", order, n=side, m=side, block_m=BLOCK_M)),
            ):
                large = f"{name}, one world, order {order}"
                made = empty.model_copy(update={"initial": BUSY})
                ways = {dtype: updates(made, 1, dtype, warm_up=2) for dtype in ("float32", "float64")}
                question.rates(large, ways | calibrations(), "10⁶/s", rounds=10)
                for dtype, times in (("float32", 12), ("float64", 6)):
                    wanted = times * PYCLAW[order] / 1e6
                    question.judge(large, Least(dtype, wanted))
                    question.judge(large, Limit("multiply-adds", MULTIPLY_ADDS / wanted, times=dtype))


if __name__ == "__main__":
    main()

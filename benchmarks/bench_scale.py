"""Whether cost grows linearly with the number of cells, and what memory a cell takes."""

import math
import subprocess
import sys
from functools import partial
from time import perf_counter

from arz import scenario
from arz.engine.simulator import Simulator
from benchmarks.measure import Limit, Question

BLOCK_M = 155.0
SIDES = (5, 15, 50, 158)
"""Grids of so many streets each way have about 10³, 10⁴, 10⁵ and 10⁶ cells."""
MEMORY = """
import sys
from pathlib import Path
from arz import Simulator, scenario

def peak():
    # Not getrusage: a child begins with the greatest memory of its parent.
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

name, worlds, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
small = Simulator(scenario(name), threads=1)
small.step(None, 15.0)
before = peak()
made = scenario(name) if side == 0 else scenario(name, n=side, m=side, block_m=155.0)
simulator = Simulator([made] * worlds, threads=1)
simulator.step(None, 15.0)
print((peak() - before) / (simulator.plan.cells * worlds))
"""


def bytes_each(name: str, worlds: int, side: int = 0) -> float:
    """The greatest memory of a process (Linux tells it), beyond that of one that has run one small world, over the cells of all worlds."""
    done = subprocess.run([sys.executable, "-c", MEMORY, name, str(worlds), str(side)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def each_update(simulator: Simulator) -> float:
    """Nanoseconds of one cell and step."""
    seconds = max(15.0, 4 * simulator.dt_bound_s) if simulator.plan.cells < 200_000 else 4 * simulator.dt_bound_s
    began = perf_counter()
    simulator.step(None, seconds)
    steps = math.ceil(seconds / simulator.dt_bound_s - 1e-9)
    return 1e9 * (perf_counter() - began) / (steps * simulator.plan.cells)


def main() -> None:
    with Question("scale", "Does the cost of a cell stay the same from 10³ to 10⁶ cells, and how many bytes does it take?") as question:
        memory = "memory beyond a small run, for each cell and world"
        few, side = (64, SIDES[2]) if question.quick else (1280, SIDES[-1])
        for name, each in (
            (f"70 edges, {few} worlds", bytes_each("victoria_island", few)),
            (f"a grid of {side} × {side}, one world", bytes_each("grid", 1, side)),
        ):
            question.add(memory, name, [each], "bytes")
            question.judge(memory, Limit(name, 200.0))
        ways = {}
        building = {}
        for side in SIDES[:3] if question.quick else SIDES:
            began = perf_counter()
            simulator = Simulator(scenario("grid", n=side, m=side, block_m=BLOCK_M), threads=1)
            simulator.step(None, 2 * simulator.dt_bound_s)
            name = f"{simulator.plan.cells:,} cells"
            building[name] = perf_counter() - began
            ways[name] = partial(each_update, simulator)
        case = "a step of a grid, one world, one thread, for each cell"
        question.rates(case, ways, "ns", rounds=7)
        first, *_, before, last = ways
        question.judge(case, Limit(last, 1.5, times=first))
        question.judge(case, Limit(last, 1.5, times=before))
        for name, took in building.items():
            question.add("until the first step is done", name, [took], "s")


if __name__ == "__main__":
    main()

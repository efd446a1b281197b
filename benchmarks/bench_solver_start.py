"""How long a fresh process takes until the first step of a network is done, compiled code kept from before; each part by itself."""

import subprocess
import sys

from benchmarks.measure import Limit, Question

PROGRAM = """
from time import perf_counter
began = perf_counter()
import numpy
numpy_s = perf_counter()
import numba
numba_s = perf_counter()
import arz
from arz import Simulator, scenario
Simulator
imported = perf_counter()
made = scenario("victoria_island")
read = perf_counter()
simulator = Simulator(made, threads=1)
planned = perf_counter()
simulator.step(None, 15.0)
stepped = perf_counter()
print(numpy_s - began, numba_s - numpy_s, imported - numba_s, read - imported, planned - read, stepped - planned, stepped - began)
"""
PARTS = ("import numpy", "import numba", "import arz", "scenario", "plan and reset", "first step", "all")


def parts() -> list[float]:
    """Milliseconds of each part of one process."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return [1000 * float(part) for part in done.stdout.split()]


def main() -> None:
    with Question("solver_start", "How long does a fresh process take until the first step of 70 edges is done?") as question:
        case = "70 edges, one world, compiled code kept"
        parts()  # compiles
        told = [parts() for _ in range(3 if question.quick else 20)]
        for number, name in enumerate(PARTS):
            question.add(case, name, [each[number] for each in told], "ms")
        question.judge(case, Limit("all", 1000.0))


if __name__ == "__main__":
    main()

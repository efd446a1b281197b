"""How fast this machine computes a scenario: cell updates a second, beside a plain loop of multiply-adds timed in the same run."""

import math
import time
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

import numpy as np

from arz.engine.simulator import Simulator
from arz.errors import Invalid
from arz.jit import compiled
from arz.memory import GB, installed
from arz.world.scenario import Scenario

CHAIN: Final = 8
"""Multiply-adds per number and round of the calibration loop: enough that arithmetic limits it, not the cache."""
SIZE: Final = 2048
WARM_UP: Final = 3
SLICE_S: Final = 0.05
"""About how long one sample is."""


@dataclass(frozen=True)
class Throughput:
    """What was measured: medians over `samples` slices, the calibration loop between every two."""

    scenario: str
    worlds: int
    cells: int
    order: int
    dtype: str
    device: str
    threads: int
    samples: int
    updates_per_s: float
    """Full time steps of one cell of one world, a second, with nodes, signals, ledgers and measures on."""
    decisions_per_s: float
    """Control intervals of one world, a second."""
    real_time: float
    """Simulated over real seconds of one world, times the worlds."""
    multiply_adds_per_s: float
    """Of the calibration loop, on one thread of the host."""
    bytes_in: float
    """To the device, an interval; and what comes back, and how often it is sent to work."""
    bytes_out: float
    launches: float

    @property
    def multiply_adds_per_update(self) -> float:
        """The time of one cell update on one thread, counted in multiply-adds of the calibration loop."""
        return self.multiply_adds_per_s * self.threads / self.updates_per_s


def bench(
    scenario: Scenario, worlds: int = 64, *, device: str = "cpu", dtype: str = "float32", threads: int = 1, seconds: float = 3.0
) -> Throughput:
    """Measures for about so many seconds, beyond compiling; each world has a seed of its own."""
    for name, value in (("worlds", worlds), ("threads", threads), ("seconds", seconds)):
        if not value > 0:
            raise Invalid(name, f"is {value}", "give a number above 0")
    _require_room(Simulator(scenario, device=device, dtype=dtype, threads=threads), worlds)
    simulator = Simulator([scenario] * worlds, device=device, dtype=dtype, threads=threads)
    simulator.reset(range(worlds))
    interval = scenario.decision_s
    calibration = np.linspace(0, 1, SIZE).astype(dtype)
    one = min(_timed(lambda: simulator.step(None, interval)) for _ in range(WARM_UP))
    loop = min(_timed(lambda: multiply_add(calibration, 1)) for _ in range(WARM_UP))
    repeats, rounds = max(1, round(SLICE_S / one)), max(1, round(SLICE_S / loop))
    before = asdict(simulator.traffic)
    intervals: list[float] = []
    loops: list[float] = []
    until = time.perf_counter() + seconds
    while not intervals or time.perf_counter() < until:
        intervals.append(_timed(lambda: [simulator.step(None, interval) for _ in range(repeats)]) / repeats)
        loops.append(_timed(lambda: multiply_add(calibration, rounds)) / rounds)
    took = median(intervals)
    travelled = {name: (value - before[name]) / (len(intervals) * repeats) for name, value in asdict(simulator.traffic).items()}
    return Throughput(
        scenario=scenario.name,
        worlds=worlds,
        cells=simulator.plan.cells,
        order=scenario.scheme.order,
        dtype=dtype,
        device=simulator.device,
        threads=threads,
        samples=len(intervals),
        updates_per_s=math.ceil(interval / simulator.dt_bound_s - 1e-9) * simulator.plan.cells * worlds / took,
        decisions_per_s=worlds / took,
        real_time=worlds * interval / took,
        multiply_adds_per_s=SIZE * CHAIN / median(loops),
        bytes_in=travelled["bytes_in"],
        bytes_out=travelled["bytes_out"],
        launches=travelled["launches"],
    )


def _require_room(one: Simulator, worlds: int) -> None:
    """Refuses, before anything is taken, more worlds than the memory of this machine holds: each has two quantities of each class in a cell."""
    needed, there = worlds * one.plan.cells * len(one.classes) * 2 * one.dtype.itemsize, installed()
    if needed > there:
        raise Invalid(
            "worlds", f"is {worlds:,}: they take {needed / GB:,.3g} GB at the least, and there are {there / GB:,.3g}", "give fewer"
        )


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _rounds(x: Any, rounds: int) -> None:
    factor, term = x[1], x[2]
    for _ in range(rounds):
        for i in range(x.size):
            v = x[i]
            # CHAIN of them, written out so that the compiler keeps v in a register.
            v = v * factor + term
            v = v * factor + term
            v = v * factor + term
            v = v * factor + term
            v = v * factor + term
            v = v * factor + term
            v = v * factor + term
            v = v * factor + term
            x[i] = v


# Fused, which strict arithmetic is not: this loop stands for what the machine can do at best.
multiply_add = compiled(_rounds, fastmath={"contract"}, nogil=True)

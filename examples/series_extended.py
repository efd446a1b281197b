"""A series: the stream of a generator function, kept as far as anyone needed it, and extended by what is missing."""

import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from simcache import Cache, Step, cached

folder = TemporaryDirectory()
computed: list[float] = []


@cached(cache=Cache(f"{folder.name}/store"), every=10)
def traffic(density: float, *, resume: Any = None) -> Iterator[Step[float]]:
    """One item per minute. The state carries everything that the next minute depends on, here also the random numbers."""
    rng = np.random.default_rng(7)
    cars = np.arange(200) < 200 * density
    if resume is not None:
        cars, rng.bit_generator.state = resume
    while True:
        moved = 0
        for _ in range(60):
            moving = cars & ~np.roll(cars, -1) & (rng.random(cars.size) < 0.8)
            cars = (cars & ~moving) | np.roll(moving, 1)
            moved += int(moving.sum())
        computed.append(density)
        yield Step(moved / 60, state=(cars, rng.bit_generator.state))


run = traffic(0.3)
assert run.stored == len(computed) == 0
assert len(run[:40]) == len(computed) == 40
print("40 asked: 40 computed")

assert len(run[:80]) == len(computed) == 80
print("80 asked: 40 more computed")

assert run[:25] == run[:80][:25]
assert len(computed) == 80
print("25 asked: nothing computed")

assert len(run[:81]) == len(computed) == 81
print("81 asked: one computed")

straight = cached(cache=Cache(f"{folder.name}/straight"))(traffic.compute)
assert straight(0.3)[:81] == run[:81]
print("extended three times or run in one go: the same bits")

began = time.perf_counter()
taken = run.take(1_000_000, deadline=0.2)
assert not taken.complete
assert len(taken) == run.stored > 81
print(f"a million asked, with a deadline of 0.2 s: {len(taken)} there after {time.perf_counter() - began:.1f} s, and all of them kept")

assert run.stack(40).shape == (40,)
print(f"mean flow of the first 40 minutes: {run.stack(40).mean():.4f}")

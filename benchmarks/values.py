"""The functions that the benchmarks cache: arrays that cost nothing to make, so that only the cache is timed."""

import functools
import time
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@functools.cache
def held(count: int) -> Array:
    """Random numbers, made once in a process."""
    return np.random.default_rng(0).random(count)


def field(count: int, seed: int) -> Array:
    """An array of this many numbers; another one for every seed."""
    array = held(count)
    array[0] = seed
    return array


def small(seed: int) -> Array:
    """One kilobyte; another one for every seed."""
    return np.full(128, float(seed))


def slow(log: str, seconds: float) -> Array:
    """Work that takes its time; every run of it adds a line to a file: when it began."""
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{time.time()}\n")
    time.sleep(seconds)
    return np.full(128, seconds)

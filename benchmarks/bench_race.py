"""What happens when eight processes want one result at the same moment, when another wants another one, when the owner is killed."""

import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks.floor import Floor
from benchmarks.measure import Limit, Question
from benchmarks.values import slow

WAYS = ("floor", "simcache", "joblib", "diskcache", "cachier")
PROCESSES = 8
GIVEN_UP = 10.0
"""Seconds after which a process that still waits counts as hung."""
STARTED = 60.0
"""Seconds in which every process must have begun."""

_spawn = multiprocessing.get_context("spawn")


def as_function(kept: Any) -> Callable[..., object]:
    """What a library without types gives."""
    function: Callable[..., object] = kept
    return function


def keeper(way: str, folder: Path) -> Callable[..., object]:
    """The slow function, its results kept by one way."""
    if way == "floor":
        floor = Floor(folder)
        return lambda *args: floor(slow, *args)
    if way == "simcache":
        from simcache import Cache, cached

        return cached(cache=Cache(folder))(slow)
    if way == "joblib":
        from joblib import Memory

        return as_function(Memory(folder, verbose=0).cache(slow))
    if way == "diskcache":
        from diskcache import Cache as DiskCache

        return as_function(DiskCache(str(folder)).memoize()(slow))
    from cachier import cachier

    return as_function(cachier(cache_dir=str(folder))(slow))


def call(way: str, folder: Path, log: Path, seconds: float, ready: Barrier, done: Path) -> None:
    """What each process does: get ready, begin with the others, say when it has the result."""
    warnings.simplefilter("ignore")
    function = keeper(way, folder)
    ready.wait()
    function(str(log), seconds)
    with done.open("a", encoding="utf-8") as file:
        file.write(f"{time.time()}\n")


def times_in(log: Path) -> list[float]:
    """The moments that were noted in a file."""
    return [float(line) for line in log.read_text(encoding="utf-8").split()] if log.exists() else []


@contextmanager
def started(count: int, *arguments: Any, done: Path) -> Iterator[tuple[list[SpawnProcess], float]]:
    """Processes that have all begun at one moment; ended by force if they are still there in the end."""
    ready = _spawn.Barrier(count + 1)
    processes = [_spawn.Process(target=call, args=(*arguments, ready, done)) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        ready.wait(STARTED)
        yield processes, time.time()
    finally:
        for process in processes:
            process.kill()
            process.join()


def race(question: Question, way: str, folder: Path, rounds: int) -> None:
    """Eight processes, one key: how often the function ran, and how long after its end the last one had the result."""
    runs, delays = [], []
    for number in range(rounds):
        log, done = folder / f"{way}-race{number}", folder / f"{way}-race{number}-done"
        with started(PROCESSES, way, folder / way, log, 0.5, done=done) as (processes, began):
            for process in processes:
                process.join(max(0.0, began + GIVEN_UP - time.time()))
        finished = times_in(done)
        runs.append(len(times_in(log)))
        delays.append(1000 * ((max(finished) if len(finished) == PROCESSES else began + GIVEN_UP) - began - 0.5))
    question.add(RACE_RUNS, way, runs, "runs")
    question.add(RACE_DELAY, way, delays, "ms")


def other(question: Question, way: str, folder: Path, rounds: int) -> None:
    """How long the miss of another key takes beyond its own work, while the first key is computed."""
    delays = []
    for number in range(rounds):
        log, done, other_done = (folder / f"{way}-other{number}{end}" for end in ("", "-done", "-other-done"))
        with started(1, way, folder / way, log, 3.0, done=done):
            time.sleep(0.3)
            with started(1, way, folder / way, log, 0.1, done=other_done) as (processes, began):
                processes[0].join(GIVEN_UP)
        delays.append(1000 * (max(times_in(other_done), default=began + GIVEN_UP) - began - 0.1))
    question.add(OTHER, way, delays, "ms")


def killed(question: Question, way: str, folder: Path, rounds: int) -> None:
    """How long after the owner's kill -9 the process that waited begins to compute."""
    delays = []
    for number in range(rounds):
        log, done = folder / f"{way}-killed{number}", folder / f"{way}-killed{number}-done"
        with started(1, way, folder / way, log, 0.7, done=done) as (owners, began):
            while not times_in(log) and time.time() < began + GIVEN_UP:
                time.sleep(0.01)
            with started(1, way, folder / way, log, 0.7, done=done) as (waiters, _):
                time.sleep(0.1)
                os.kill(owners[0].pid or 0, signal.SIGKILL)
                ended = time.time()
                waiters[0].join(GIVEN_UP)
        delays.append(1000 * max(0.0, (times_in(log)[1:] or [ended + GIVEN_UP])[0] - ended))
    question.add(KILLED, way, delays, "ms")


RACE_RUNS = "8 processes miss one key at once: how often the function runs"
RACE_DELAY = "8 processes miss one key at once: until the last has the result, its computation taken off"
OTHER = "another key is missed meanwhile: its computation taken off"
KILLED = "the owner is killed: until the next begins (10,000: it still waits after ten seconds)"


def main() -> None:
    with Question("race", "What happens when eight processes want one result at the same moment?") as question, question.folder() as folder:
        rounds = 1 if question.quick else 5
        for measured in (race, other, killed):
            for way in WAYS:
                measured(question, way, folder, rounds)
        question.judge(RACE_RUNS, Limit("simcache", 1))
        question.judge(OTHER, Limit("simcache", 100))
        question.judge(KILLED, Limit("simcache", 1500))


if __name__ == "__main__":
    main()

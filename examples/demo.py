"""The cache at work on a small traffic simulation: every number that it prints was measured in this very run."""

import itertools
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simcache import Cache, Step, cached
from simcache.upkeep.verify import verify

computed: Counter[str] = Counter()
"""What this process has computed; only the simulation itself adds to it."""


@dataclass(frozen=True)
class Road:
    """A ring road with one traffic light; densities are shares of bumper to bumper."""

    density: float = 0.175
    cells: int = 200
    green: int = 30


def minute(road: Road, before: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One minute in steps of a second (Godunov): what leaves a cell is what it can send, as far as the next one has room."""
    computed["minutes"] += 1
    density = before.copy()
    for second in range(60):
        send, room = np.minimum(density, 0.5), np.roll(np.maximum(density, 0.5), -1)
        flow = np.minimum(send * (1 - send), room * (1 - room))
        flow[road.cells // 2] *= second < road.green
        density += 0.6 * (np.roll(flow, 1) - flow)
    return density


@cached
def simulate(road: Road, minutes: int = 300) -> np.ndarray[Any, Any]:
    """The density of every cell, minute by minute."""
    history = [np.full(road.cells, road.density)]
    while len(history) <= minutes:
        history.append(minute(road, history[-1]))
    return np.stack(history)


@cached(every=10)
def traffic(road: Road, *, resume: Any = None) -> Any:
    """The same as a series: as many minutes as anybody has ever asked for."""
    density = np.full(road.cells, road.density) if resume is None else resume
    while True:
        density = minute(road, density)
        yield Step(density, state=density)


LONG, CONTESTED = Road(cells=20_000), Road(density=0.3)
LAW = "def speed(density):\n    return 1.0 - density\n"
MODEL = """from law import speed
from simcache import cached
@cached
def flow(density: float) -> float:
    print("computed", end=" ")
    return density * speed(density)
print(*flow.explain(0.25).differences, flow(0.25), sep=" -> ")
"""


def demo(folder: Path) -> None:
    """Seven things that a cache of simulations should do, done."""
    os.environ["SIMCACHE_STORE"] = str(folder / "store")
    print("simcache at work on a ring road with a traffic light. The store is new, so the first call of all computes.")

    title("A result is computed once")
    first, took = timed(lambda: simulate(Road()))
    say("first call", f"{computed['minutes']} minutes computed in {took:.2f} s")
    again, took_again = timed(lambda: simulate(Road()))
    say("second call", f"loaded and checked in {1000 * took_again:.1f} ms, {took / took_again:.0f} times faster, {same(first, again)}")

    title("Another argument is another key")
    say("density 0.2125", f"no hit: {'; '.join(map(str, simulate.explain(Road(density=0.2125)).differences))}")

    title("A series grows by what is missing")
    run = traffic(Road())
    for length in (40, 80, 41):
        say(f"{length} minutes", f"{counted(run.take, length)} computed, {run.stored} stored")
    say("extended = straight", same(run[79], simulate.compute(Road(), 80)[80]))

    title("A process that is told to stop keeps what it has")
    series, process = traffic(LONG), child("long")
    while series.stored < 10 and process.poll() is None:
        time.sleep(0.01)
    process.terminate()
    say("the other process", f"asked for 1000 minutes, ended with {process.wait()}, left {series.stored}")
    say("this one, 30 more", f"{counted(series.take, series.stored + 30)} computed, {series.stored} stored")

    title("Edited code is another key (each line is a fresh process)")
    edits = {"as written": LAW, "a comment": f"# Greenshields\n{LAW}", "the law squared": LAW.replace("1.0 - density", "(1.0 - density) ** 2")}
    for edit, law in edits.items():
        for name, text in {"law.py": law, "model.py": MODEL}.items():
            (folder / name).write_text(text)
        say(edit, subprocess.run([sys.executable, folder / "model.py"], capture_output=True, text=True, check=True).stdout.strip())

    title("A damaged result is never served")
    entry = simulate.entry(Road())
    assert entry is not None and entry.value is not None
    with (folder / "store" / entry.blobs[entry.value["blobs"][0]].name).open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)[0]
        file.seek(1000)
        file.write(bytes([byte ^ 1]))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        minutes = counted(lambda: say("one bit flipped", same(first, simulate(Road()))))
    say("what was said", str(said[0].message))
    say("computed again", f"{minutes} minutes")

    title("Of four processes that miss one key, one computes")
    answers = [process.communicate()[0].split() for process in [child("race") for _ in range(4)]]
    say("minutes computed", " + ".join(minutes for minutes, _ in answers))
    say("answers", " ".join(answer for _, answer in answers))
    ...

"""The cache alone, at work on a small traffic simulation: every number that it prints was measured in this very run."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from simcache import Step, cached

done = {"minutes": 0}  # of traffic, computed in this process since the last look; only the simulation adds to it


def minute(density: Any) -> Any:
    """One minute on a ring road with a traffic light (Godunov): a cell sends what it can, as far as the next one has room."""
    done["minutes"] += 1
    for second in range(60):
        send, room = np.minimum(density, 0.5), np.roll(np.maximum(density, 0.5), -1)
        flow = np.minimum(send * (1 - send), room * (1 - room))
        flow[density.size // 2] *= second < 30
        density = density + 0.6 * (np.roll(flow, 1) - flow)
    return density


@cached
def simulate(density: float = 0.175, cells: int = 200, minutes: int = 300) -> Any:
    """A function: the density of every cell, minute by minute."""
    history = [np.full(cells, density)]
    while len(history) <= minutes:
        history.append(minute(history[-1]))
    return np.stack(history)


@cached(every=10)
def traffic(density: float = 0.175, cells: int = 200, *, resume: Any = None) -> Iterator[Step[Any]]:
    """A generator function, so a series: as many minutes as anybody has ever asked for."""
    now = np.full(cells, density) if resume is None else resume
    while True:
        now = minute(now)
        yield Step(now, state=now)


LAW = "def speed(density):\n    return 1 - density\n"
EDITS = {"as written": LAW, "comment added": f"# Greenshields\n{LAW}", "law squared": LAW.replace("1 - density", "(1 - density) ** 2")}
MODEL = """from law import speed
from simcache import cached
@cached
def flow(density: float) -> float:
    print("computed", end=" ")
    return density * speed(density)
why = flow.explain(0.25).differences
print(flow(0.25), *why, sep=", as ")
"""


def tour() -> None:
    """Seven things that a cache of simulations should do, done in a new store."""
    os.environ["SIMCACHE_STORE"] = str(store := Path(tempfile.mkdtemp(prefix="simcache-tour-"), "store"))
    start = partial(subprocess.Popen, cwd=store.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    show("1  A result is computed once")
    first, seconds, minutes = watch(simulate)
    show("first call", f"{minutes} minutes of traffic computed in {seconds:.2f} s")
    again, faster, minutes = watch(simulate)
    show("second call", f"{minutes} computed: loaded and checked in {1000 * faster:.1f} ms, {seconds / faster:,.0f} times faster")
    show("2  Another argument is another key")
    show("density 0.2125", f"not stored; {simulate.explain(0.2125).differences[0]}")
    show("3  A series grows by what is missing")
    run = traffic()
    for length in (40, 80, 41):
        show(f"{length} minutes", f"{watch(run.take, length)[2]} computed, {run.stored} stored")
    show("a straight run", f"has the same bits: {np.array_equal(run.stack(80), simulate.compute(minutes=80)[1:])}")
    show("4  A process that is told to stop keeps what it has")
    series, other = traffic(cells=20_000), start([sys.executable, __file__, "long"])
    while series.stored < 10 and other.poll() is None:
        time.sleep(0.01)
    other.terminate()
    show("SIGTERM", f"at work on 1000 minutes: it ended with {other.wait()} and left {series.stored}")
    show("30 more, here", f"{watch(series.take, series.stored + 30)[2]} computed, {series.stored} stored")
    show("5  Edited code is another key; each line is a new process")
    for edit, law in EDITS.items():
        (store.parent / "law.py").write_text(law)
        show(edit, start([sys.executable, "-c", MODEL]).communicate()[0].strip())
    show("6  A damaged result is never served")
    damaged = store / simulate.cache.entries(simulate.name, simulate.key())[0].blobs[0].name
    damaged.write_bytes(bytes([damaged.read_bytes()[0] ^ 1]) + damaged.read_bytes()[1:])
    with warnings.catch_warnings(record=True) as said:
        again, _, minutes = watch(simulate)
    show("one bit flipped", f"{minutes} minutes computed again, with the same bits: {np.array_equal(first, again)}")
    show("it was said that", *(str(warning.message) for warning in said))
    show("7  Of four processes that miss one key, one computes")
    others = [start([sys.executable, __file__, "race"]) for _ in range(4)]
    show("computed", " + ".join(other.communicate()[0].strip() for other in others) + " minutes")
    command = f"{os.path.relpath(sys.executable)} -m simcache"
    show(f"The store stays in {store}. Next, try:")
    print(f"   {command} ls --store {store}\n   {command} verify --store {store}\n   {command} --help")


def show(text: str, answer: str | None = None) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "")
    print(f"\n{bold}{text}{plain}" if answer is None else f"   {text:18}{answer}", flush=True)


def watch(call: Any, *arguments: Any) -> tuple[Any, float, int]:
    """What a call gives, how many seconds it took, and how many minutes of traffic were computed for it."""
    done["minutes"], began = 0, time.perf_counter()
    return call(*arguments), time.perf_counter() - began, done["minutes"]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # Ctrl-C ends it without a word
    parts: dict[str, Any] = {"long": lambda: traffic(cells=20_000).take(1000), "race": lambda: print(watch(simulate, 0.3)[2])}
    parts.get(sys.argv[-1], tour)()

"""Once: however many processes and threads miss one key at the same moment, the function runs once; a killed winner is taken over."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simcache.stores.local import LocalStore
from simcache.upkeep.verify import verify
from tests.simcache.programs import TICKS, Programs, finish, programs_in

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9")

MODEL = (
    TICKS
    + """
import sys, time
from simcache import cached

def wait_for(name):
    deadline = time.monotonic() + 30
    while not os.path.exists(name) and time.monotonic() < deadline:
        time.sleep(0.002)

@cached
def slow(n):
    tick(f"by{os.getpid()}")
    tick(f"computed{n}")
    if os.path.exists(f"hold{n}"):
        wait_for(f"go{n}")
    if os.path.exists(f"fail{n}"):
        raise ValueError(n)
    time.sleep(0.2)
    return {"n": n, "items": list(range(n))}

def race(n):
    slow.key(n)
    tick("ready")
    wait_for("start")
    try:
        assert slow(n) == {"n": n, "items": list(range(n))}
    except ValueError:
        tick("failed")
    tick("right")
"""
)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with programs_in(tmp_path) as programs:
        programs.write("model.py", MODEL)
        yield programs


def race(programs: Programs, count: int, key: int = 5) -> "list[subprocess.Popen[str]]":
    """So many processes that all ask for one key at the same moment, once the file `start` is there."""
    racers = [programs.start("-c", f"from model import *; race({key})") for _ in range(count)]
    programs.wait_for_tick("ready", count)
    return racers


def check_all_right(programs: Programs, racers: "list[subprocess.Popen[str]]") -> None:
    for racer in racers:
        _, err = finish(racer)
        assert (0, "") == (racer.returncode, err)
    assert len(racers) == programs.ticks().count("right")
    assert verify(LocalStore(programs.store)).sound


def test_eight_processes_miss_one_key(programs: Programs) -> None:
    """Eight at the same moment: the function runs once, all get the result, and the store holds it once."""
    racers = race(programs, 8)
    (programs.folder / "start").touch()

    check_all_right(programs, racers)
    assert 1 == programs.ticks().count("computed5")
    assert 1 == verify(LocalStore(programs.store)).entries


def test_threads_of_several_processes(programs: Programs) -> None:
    """Processes with several threads each: once in all."""
    code = "import threading; from model import *\nfor t in [threading.Thread(target=race, args=(5,)) for _ in range(4)]: t.start()"
    racers = [programs.start("-c", code) for _ in range(3)]
    programs.wait_for_tick("ready", 12)
    (programs.folder / "start").touch()
    for racer in racers:
        assert ("", "") == finish(racer)

    assert {"ready": 12, "right": 12, "computed5": 1} == Counter(tick for tick in programs.ticks() if not tick.startswith("by"))


def test_forked_children(programs: Programs) -> None:
    """Children that were forked by a process that uses the cache itself: once in all."""
    code = """
import os
from model import *
slow(1)
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        race(5)
        os._exit(0)
    children.append(child)
race(5)
print([os.waitpid(child, 0)[1] for child in children])
"""
    program = programs.start("-c", code)
    programs.wait_for_tick("ready", 5)
    (programs.folder / "start").touch()

    assert ("[0, 0, 0, 0]\n", "") == finish(program)
    assert (5, 1) == (programs.ticks().count("right"), programs.ticks().count("computed5"))


def test_the_winner_is_killed(programs: Programs) -> None:
    """After kill -9 in the middle of the computation: another takes over within 1.5 seconds, and only one does."""
    (programs.folder / "hold5").touch()
    racers = race(programs, 4)
    (programs.folder / "start").touch()
    programs.wait_for_tick("computed5")
    time.sleep(0.3)
    assert 1 == programs.ticks().count("computed5")
    winner = next(racer for racer in racers if f"by{racer.pid}" in programs.ticks())
    winner.kill()
    began = time.monotonic()
    programs.wait_for_tick("computed5", 2)
    waited = time.monotonic() - began
    time.sleep(0.3)
    assert 2 == programs.ticks().count("computed5")
    (programs.folder / "go5").touch()

    racers.remove(winner)
    check_all_right(programs, racers)
    assert waited < 1.5
    assert 2 == programs.ticks().count("computed5")


def test_the_winner_fails(programs: Programs) -> None:
    """Its error is its own: each of the others computes in its turn, and when it works again, once."""
    (programs.folder / "fail5").touch()
    racers = race(programs, 3)
    (programs.folder / "start").touch()
    for racer in racers:
        finish(racer)

    assert (3, 3) == (programs.ticks().count("computed5"), programs.ticks().count("failed"))
    (programs.folder / "fail5").unlink()
    again = race(programs, 3)
    for racer in again:
        finish(racer)
    assert 4 == programs.ticks().count("computed5")


def test_other_keys_are_unaffected(programs: Programs) -> None:
    """While one key is being computed, and others wait for it, further keys are computed and served without waiting."""
    programs.ask("slow(2)")
    (programs.folder / "hold5").touch()
    racers = race(programs, 3)
    (programs.folder / "start").touch()
    programs.wait_for_tick("computed5")
    took = programs.ask("(time.perf_counter(), slow(2), slow(3), slow(4), time.perf_counter())")

    assert 0.4 <= took[-1] - took[0] < 2.0
    assert [1, 1, 1] == [programs.ticks().count(f"computed{n}") for n in (2, 3, 4)]
    (programs.folder / "go5").touch()
    check_all_right(programs, racers)
    assert 1 == programs.ticks().count("computed5")


def test_a_stopped_winner_is_waited_for(programs: Programs) -> None:
    """A process that is only suspended still has its turn: nobody computes beside it."""
    (programs.folder / "hold5").touch()
    first = programs.start("-c", "from model import *; race(5)")
    (programs.folder / "start").touch()
    programs.wait_for_tick("computed5")
    first.send_signal(signal.SIGSTOP)
    second = programs.start("-c", "from model import *; race(5)")
    programs.wait_for_tick("ready", 2)
    time.sleep(0.5)
    assert 1 == programs.ticks().count("computed5")
    (programs.folder / "go5").touch()
    first.send_signal(signal.SIGCONT)

    check_all_right(programs, [first, second])
    assert 1 == programs.ticks().count("computed5")


INTERRUPTED = """
import itertools, sys
from simcache import Cache

cache = Cache("store")
kept = []

def interrupted(step):
    steps = itertools.count(1)

    def interrupt(frame, event, _):  # signals come where Python calls something, and where that ends
        ours = frame.f_globals["__name__"] in ("simcache.cache", "simcache.locks")
        if ours and event in ("call", "c_return") and next(steps) == step:
            raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        with cache.turn(f"{step:032x}"):
            pass
    except KeyboardInterrupt as problem:
        kept.append(problem)
        return True
    finally:
        sys.setprofile(None)
    return False

for step in itertools.takewhile(interrupted, itertools.count(1)):
    with cache.turn(f"{step:032x}", wait=False) as turn:
        if not turn.mine:
            print(step)
print(len(kept) > 20)
"""


def test_an_interrupt_at_each_step_of_a_turn(programs: Programs) -> None:
    """Ctrl-C wherever the key is taken or given back: the same thread can go on with it, also where a notebook keeps the traceback."""
    assert ("True\n", "") == finish(programs.start("-c", INTERRUPTED))


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_races_with_kills(programs: Programs) -> None:
    """Many rounds in which racers are killed at any moment: all that live are right, and no more is computed than was killed."""
    chance = random.Random(5)
    for key in range(10, 40):
        before = programs.ticks().count("ready")
        (programs.folder / "start").unlink(missing_ok=True)
        racers = [programs.start("-c", f"from model import *; race({key})") for _ in range(6)]
        programs.wait_for_tick("ready", before + 6)
        (programs.folder / "start").touch()
        killed = chance.sample(racers, chance.randint(0, 4))
        for racer in killed:
            time.sleep(chance.random() * 0.15)
            racer.kill()
        for racer in racers:
            _, err = finish(racer)
            assert racer in killed or (0, "") == (racer.returncode, err)

        assert 1 <= programs.ticks().count(f"computed{key}") <= 1 + len(killed)
        assert verify(LocalStore(programs.store)).sound

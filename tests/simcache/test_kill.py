"""kill -9 at every step of a write leaves a sound store: each child dies at its n-th system call, for every n."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simcache.locks import KeyLock
from simcache.model import Entry, check_name
from simcache.stores.local import LocalStore
from tests.simcache.killed import EARLIER, KEY, contents, write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9")

_SOME = [
    ("fresh", [1000], False, 0.5),
    ("fresh", [1000, 0, 70_000], True, 0.5),
    ("fresh", [1000, 2_000_000], True, 0.5),
    ("used", [3, 5], True, 1.0),
    ("checkout", [100], False, 0.0),
    ("obstructed", [10], False, 0.5),
]
_ALL = [
    *itertools.product(["fresh", "used", "checkout"], [[1], [7] * 2000, [70_000, 3]], [False, True], [0.0, 0.5, 1.0]),
    *itertools.product(["fresh"], [[], [40]], [True], [0.025, 0.25, 0.75, 0.975]),
]


@pytest.mark.parametrize(("beginning", "sizes", "durable", "written"), _SOME)
def test_a_kill_at_any_step_leaves_a_sound_store(tmp_path: Path, beginning: str, sizes: list[int], durable: bool, written: float) -> None:
    """Whatever step a writer dies at, what is listed is whole, an entry has its blob, and the next write clears up."""
    _kill_at_every_step(tmp_path, beginning, sizes, durable, written)


@pytest.mark.deep
@pytest.mark.parametrize(("beginning", "sizes", "durable", "written"), _ALL)
def test_kills_of_every_kind(tmp_path: Path, beginning: str, sizes: list[int], durable: bool, written: float) -> None:
    """The same for all sizes, with more or fewer bytes of each write out."""
    _kill_at_every_step(tmp_path, beginning, sizes, durable, written)


def _kill_at_every_step(place: Path, beginning: str, sizes: list[int], durable: bool, written: float) -> None:
    given = json.dumps({"beginning": beginning, "sizes": sizes, "durable": durable, "written": written})
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simcache.killed", place, given],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("", 0) == (ran.stderr, ran.returncode)
    deaths = int(ran.stdout)

    assert deaths > 20
    for step in range(1, deaths + 2):
        _check(place / str(step), sizes, complete=step > deaths)
        if beginning == "used":
            assert set(EARLIER) <= {(name, (place / str(step) / name).read_bytes()) for name, _ in LocalStore(place / str(step)).list()}
        _check_next_write(place / str(step), sizes)
        shutil.rmtree(place / str(step))


def _check(folder: Path, sizes: list[int], *, complete: bool) -> None:
    """What `verify` asks: every name has its bytes, every entry its blobs; and the lock of the dead is free."""
    _, blob, entry = contents(sizes)
    store = LocalStore(folder)
    # A folder that stands where a file should be is damage of before; it is no less sound for the kill.
    listed = {name for name, _ in store.list() if not (folder / name).is_dir()}

    for name in listed:
        check_name(name, store.get(name))
        if name.startswith("entries/"):
            assert {blob.name for blob in Entry.from_bytes(name, store.get(name)).blobs} <= listed
    assert not complete or {blob.name, entry.name} <= listed
    lock = KeyLock(folder / ".local" / "locks", KEY)
    assert lock.try_acquire()
    assert not lock.degraded
    lock.release()


def _check_next_write(folder: Path, sizes: list[int]) -> None:
    """The next writer finishes the work, and nothing of the dead one is left."""
    _, blob, entry = contents(sizes)
    write(folder, sizes, durable=False)

    assert {blob.name, entry.name} <= {name for name, _ in LocalStore(folder, create=False).list()}
    assert [] == list((folder / ".local" / "tmp").iterdir())
    assert b"*\n" == (folder / ".local" / ".gitignore").read_bytes()
    assert b'{"format": 1}\n' == (folder / "simcache.json").read_bytes()

"""Prune frees what may go, never a byte that a kept result needs, also against a writer, a kill, and a series that grows."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcache.cache import Cache
from simcache.chain import longest_chain
from simcache.decorator import cached
from simcache.locks import KeyLock
from simcache.provenance import made_now
from simcache.series import Step
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.upkeep.prune import prune
from simcache.upkeep.verify import verify
from tests.simcache.stored import environment, files_under, keep, keep_segment, long, value_blob

DAY = 86400.0
NOW = 1_800_000_000.0  # 2027-01-15


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def cache(root: Path) -> Cache:
    return Cache(root)


def day(number: int) -> str:
    return f"2026-01-{number:02}T00:00:00.000000Z"


def age(root: Path, seconds: float = 2 * DAY) -> None:
    """Let all files look as old as that."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - seconds, time.time() - seconds))


def served(root: Path, name: str, key: str) -> object:
    return Cache(root).lookup(name, key).value


def test_nothing_to_do(cache: Cache, root: Path) -> None:
    """Without a limit no result goes."""
    keep(cache, 1, "one")
    before = files_under(root)
    report = prune(cache.near)

    assert (0, 0, 0) == (report.entries, report.blobs, report.freed)
    assert before == files_under(root)
    assert sum(map(len, before.values())) - len(before["simcache.json"]) == report.bytes_left


def test_older_than(cache: Cache, root: Path) -> None:
    """Old results go with their blobs, younger ones stay; what both name stays."""
    old, young = keep(cache, 1, "old", at=day(1)), keep(cache, 2, "young", at=day(20))
    report = prune(LocalStore(root), older_than=time.time() - 1_768_435_200.0)  # the 15th of January 2026

    assert (old.key,) == report.results
    assert {young.name, *(blob.name for blob in young.blobs), "simcache.json"} == files_under(root).keys()
    assert verify(LocalStore(root)).sound


def test_max_size(cache: Cache, root: Path) -> None:
    """The oldest go until everything takes at most so much."""
    entries = [keep(cache, number, f"{number}" * 10_000, at=day(number + 1)) for number in range(5)]
    report = prune(LocalStore(root), max_size=25_000)

    assert [entry.key for entry in entries[:3]] == list(report.results)
    left = sum(map(len, files_under(root).values())) - 14
    assert left == report.bytes_left <= 25_000
    assert "4" * 10_000 == served(root, entries[4].function, entries[4].key)


def test_keep(cache: Cache, root: Path) -> None:
    """Results of kept functions and keys never go."""
    keep(cache, 1, "one", function="arz.baseline.run")
    two = keep(cache, 2, "two", function="rl.train")
    three = keep(cache, 3, "three", function="rl.train")
    report = prune(LocalStore(root), max_size=0, keep=["arz.*", two.key])

    assert (three.key,) == report.results


def test_dry_run(cache: Cache, root: Path) -> None:
    """A dry run tells the same and changes nothing."""
    for number in range(3):
        keep(cache, number, "x" * 1000 + str(number))
    before = files_under(root)
    told = prune(LocalStore(root), max_size=0, dry_run=True)

    assert before == files_under(root)
    done = prune(LocalStore(root), max_size=0)
    assert (told.entries, told.blobs, told.freed, told.bytes_left) == (done.entries, done.blobs, done.freed, done.bytes_left)


def test_shared_blobs_stay(cache: Cache, root: Path) -> None:
    """A blob that a kept result names stays, however old the others are that name it."""
    keep(cache, 1, "same", at=day(1))
    kept = keep(cache, 2, "same", at=day(20))
    prune(LocalStore(root), max_size=len(kept.to_bytes()) + sum(blob.size for blob in kept.blobs))

    assert "same" == served(root, kept.function, kept.key)


class TestGarbage:
    """What belongs to no result goes, unless it may belong to a writer."""

    def test_old_garbage(self, cache: Cache, root: Path) -> None:
        """A blob without an entry goes when it is old enough."""
        entry = keep(cache, 1, long("one"))
        (root / entry.name).unlink()
        young = prune(LocalStore(root))
        age(root)
        old = prune(LocalStore(root))

        assert (0, 2) == (young.blobs, young.kept_young)
        assert (2, 0) == (old.blobs, old.kept_young)
        assert {"simcache.json"} == files_under(root).keys()

    def test_quarantine_and_dead_writers(self, cache: Cache, root: Path) -> None:
        """The quarantine is emptied, files of dead writers go, those of living ones stay."""
        keep(cache, 1, "one")
        for name in ("quarantine/a.0", "quarantine/b.1", "tmp/1-dead-0"):
            (root / ".local" / name).parent.mkdir(exist_ok=True)
            (root / ".local" / name).write_bytes(b"12345")
        (root / ".local" / "quarantine" / "folder.2").mkdir()
        report = prune(LocalStore(root))

        assert (3, 10) == (report.quarantined, report.freed)
        assert [] == [*(root / ".local" / "quarantine").iterdir(), *(root / ".local" / "tmp").iterdir()]

    def test_writer_that_names_an_old_blob(self, cache: Cache, root: Path) -> None:
        """A writer that finds its blob there already claims it, so that it is not pruned before its entry is written."""
        first = keep(cache, 1, long("same"))
        (root / first.name).unlink()
        age(root)

        class Writer(LocalStore):
            def put(self, name: str, chunks: object, *, durable: bool = False) -> None:
                if name.startswith("entries/"):
                    prune(LocalStore(root))
                super().put(name, chunks, durable=durable)  # type: ignore[arg-type]  # as given

        second = keep(Cache(Writer(root)), 2, long("same"))

        assert long("same") == served(root, second.function, second.key)
        assert verify(LocalStore(root)).sound

    def test_in_memory(self) -> None:
        """A store that no other process sees keeps no times, and garbage goes at once."""
        cache = Cache(MemoryStore())
        kept, gone = keep(cache, 1, long("one")), keep(cache, 2, long("two"))
        cache.near.delete(gone.name)
        report = prune(cache.near)

        assert 1 == report.blobs
        assert long("one") == cache.lookup(kept.function, kept.key).value


class TestSeries:
    """A series goes from its end, and is as old as its newest segment."""

    def test_from_the_end(self, cache: Cache, root: Path) -> None:
        """What is left of a series is a whole beginning."""
        segments = [keep_segment(cache, 1, start, [f"{start}" * 1000] * 10, state=start, at=day(1 + start // 10)) for start in (0, 10, 20)]
        whole = sum(map(len, files_under(root).values()))
        prune(LocalStore(root), max_size=whole - 1000)

        assert {segments[0].name, segments[1].name} == {name for name in files_under(root) if name.startswith("entries/")}
        assert () == verify(LocalStore(root)).gaps

    def test_as_old_as_its_newest(self, cache: Cache, root: Path) -> None:
        """A series that was extended lately keeps its old beginning."""
        keep_segment(cache, 1, 0, [1], at=day(1))
        keep_segment(cache, 1, 1, [2], at=day(20))
        report = prune(LocalStore(root), older_than=time.time() - 1_768_435_200.0)

        assert 0 == report.entries

    def test_being_computed(self, cache: Cache, root: Path) -> None:
        """A series whose lock is held is left alone, and the report says so."""
        entry = keep_segment(cache, 1, 0, [1])
        with KeyLock(root / ".local" / "locks", entry.key):
            report = prune(LocalStore(root), max_size=0)

        assert ((entry.key,), 0) == (report.busy, report.entries)

    @pytest.mark.parametrize("limit", [{"older_than": DAY}, {"max_size": 0}])
    def test_a_series_that_has_grown_since_it_was_looked_at(
        self, cache: Cache, root: Path, monkeypatch: pytest.MonkeyPatch, limit: Any
    ) -> None:
        """What was its end lies before new items by now, which would serve no more without it."""
        entry = keep_segment(cache, 1, 0, [1, 2], state=2, at=day(1))
        from simcache.upkeep import prune as module

        look = module._Pruning.look

        def grow_after(self: module._Pruning) -> list[module._Group]:
            found = look(self)
            keep_segment(Cache(root), 1, 2, [3], state=3, at=day(2))
            return found

        monkeypatch.setattr(module._Pruning, "look", grow_after)
        report = prune(LocalStore(root), **limit)

        assert ((entry.key,), 0) == (report.busy, report.entries)
        assert [0, 2] == [one.segment.start for one in longest_chain(cache.entries(entry.function, entry.key)) if one.segment is not None]

    def test_goes_on_after_pruning(self, cache: Cache, root: Path) -> None:
        """A pruned series computes what went again, and is the same."""

        @cached(cache=cache, every=2)
        def count(*, resume: int | None = None):  # type: ignore[no-untyped-def]  # noqa: ANN202
            number = resume or 0
            while True:
                number += 1
                yield Step("x" * 500 + str(number), state=number)

        before = count()[:8]
        prune(LocalStore(root), max_size=4000)

        assert 0 < count().stored < 8
        assert before == count()[:8]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
    @given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.floats(0, 1))
    def test_never_a_gap(self, tmp_path: Path, lengths: list[int], part: float) -> None:
        """However much must go, what is left reaches from item 0 on without a gap."""
        root = tmp_path / f"{time.monotonic_ns()}"
        cache, start = Cache(root), 0
        for length in lengths:
            keep_segment(cache, 1, start, [f"{start}" * 100] * length, state=start)
            start += length
        whole = sum(map(len, files_under(root).values()))
        prune(LocalStore(root), max_size=int(whole * part))
        left = list(Cache(root).all_entries())

        assert len(left) == len(longest_chain(left))
        assert verify(LocalStore(root)).sound


class TestWithdrawn:
    """A withdrawn result never comes back by pruning."""

    def test_tombstones_stay(self, cache: Cache, root: Path) -> None:
        """The result goes, the tombstone stays."""
        entry = keep(cache, 1, "wrong")
        tombstone = cache.withdraw([entry], made_now(0.0, (), source=None), "wrong")
        prune(LocalStore(root), max_size=0)

        assert {tombstone.name} == {name for name in files_under(root) if name.startswith("entries/")}

    def test_withdrawn_first(self, cache: Cache, root: Path) -> None:
        """Of one key, what is served no more goes before what is."""
        wrong, right = keep(cache, 1, "wrong" * 1000, at=day(1)), keep(cache, 1, "right" * 1000, at=day(2))
        cache.withdraw([wrong], made_now(0.0, (), source=None), "wrong")
        prune(LocalStore(root), max_size=9000)

        assert "right" * 1000 == served(root, right.function, right.key)
        assert value_blob(wrong) not in files_under(root)


KILLED = """
import os, sys
from simcache.stores.local import LocalStore
from simcache.upkeep.prune import prune

class Dying(LocalStore):
    left = int(sys.argv[1])
    def delete(self, name):
        if Dying.left == 0:
            os.kill(os.getpid(), 9)
        Dying.left -= 1
        super().delete(name)

prune(Dying("store"), max_size=0)
"""


@pytest.mark.parametrize("deletions", [0, 1, 2, 4, 6])
def test_killed(tmp_path: Path, deletions: int) -> None:
    """Ended before its n-th deletion, prune leaves a sound store, and the next one frees the rest."""
    cache = Cache(tmp_path / "store")
    for number in range(3):
        keep(cache, number, long(f"value {number}"))
    keep_segment(cache, "s", 0, [1], state=1)
    keep_segment(cache, "s", 1, [2], state=2)
    done = subprocess.run([sys.executable, "-c", KILLED, str(deletions)], cwd=tmp_path, check=False, env=environment(tmp_path))
    report = verify(LocalStore(tmp_path / "store"))
    age(tmp_path / "store")
    prune(LocalStore(tmp_path / "store"), max_size=0)

    assert (-9, True, ()) == (done.returncode, report.sound, report.gaps)
    assert {"simcache.json"} == files_under(tmp_path / "store").keys()


WRITER = """
import sys, time
from simcache.cache import Cache
from tests.simcache.stored import keep
cache, until, number = Cache(sys.argv[1]), time.monotonic() + 1.0, 0
while time.monotonic() < until:
    keep(cache, number, f"{number % 7}" * 300)
    number += 1
print(number)
"""


def test_against_a_writer(tmp_path: Path) -> None:
    """Results that another process writes all the while are never left without their bytes."""
    here = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "store")], cwd=here, stdout=subprocess.PIPE, text=True) as writer:
        while writer.poll() is None:
            if (tmp_path / "store").exists():
                prune(LocalStore(tmp_path / "store"), max_size=5000)
        assert writer.stdout is not None
        assert int(writer.stdout.read()) > 10

    assert verify(LocalStore(tmp_path / "store")).sound

"""Listings, counts and comparisons of a store tell what its files say."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcache.cache import Cache
from simcache.decorator import cached
from simcache.model import INLINE, Entry
from simcache.provenance import made_now
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.upkeep.compare import diff, why
from simcache.upkeep.listing import listing
from simcache.upkeep.stats import stats
from tests.simcache.stored import files_under, keep, keep_segment, long


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def cache(root: Path) -> Cache:
    return Cache(root)


def day(number: int) -> str:
    return f"2026-01-{number:02}T00:00:00.000000Z"


def take_back(cache: Cache, *entries: Entry) -> None:
    cache.withdraw(entries, made_now(0.0, (), source=None), 'wrong, said "withdraws":["0"]')


class TestStats:
    """How much there is, and what it saved."""

    def test_counts(self, cache: Cache, root: Path) -> None:
        """Entries, blobs and bytes are those of the files; shared blobs count once."""
        keep(cache, 1, "same", function="a.f")
        keep(cache, 2, "same", function="a.f")
        keep(cache, 3, "other", function="b.g")
        report = stats(LocalStore(root))
        files = files_under(root)

        assert 3 == report.entries
        assert sum(map(len, files.values())) - len(files["simcache.json"]) == report.bytes
        assert [("a.f", 2), ("b.g", 1)] == [(one.function, one.entries) for one in report.functions]
        assert (1.5, 0) == (report.seconds, report.unreferenced)

    def test_hits(self, root: Path) -> None:
        """Hits and the time they saved are counted per function, by every process that had some."""

        @cached(cache=Cache(root))
        def slow(n: int) -> int:
            time.sleep(0.01)
            return n

        for _ in range(3):
            slow(1)
        slow.cache.tally.flush()
        [one] = stats(LocalStore(root)).functions

        assert (slow.name, 1, 2) == (one.function, one.entries, one.hits)
        assert 0.02 <= one.saved < 1.0

    def test_unreferenced(self, cache: Cache, root: Path) -> None:
        """Bytes that belong to no result are told."""
        entry = keep(cache, 1, "text")
        (root / entry.name).unlink()

        assert sum(blob.size for blob in entry.blobs) == stats(LocalStore(root)).unreferenced

    def test_an_empty_store(self, root: Path) -> None:
        """Nothing is nothing, and stays nothing."""
        assert (0, 0, ()) == ((report := stats(LocalStore(root))).entries, report.bytes, report.functions)
        assert not root.exists()


class TestListing:
    """One row a key, the newest first."""

    def test_rows(self, cache: Cache) -> None:
        """A row says what the entry says."""
        keep(cache, 1, "one", at=day(1))
        newest = keep(cache, 2, {"made": {"at": "no"}, "blobs": [["x", "y", 9]]}, at=day(2), host='a "b" ü')
        rows = listing(cache.near).rows

        assert [day(2), day(1)] == [row.at for row in rows]
        assert ('a "b" ü', newest.key, "value", 0.5) == (rows[0].host, rows[0].key, rows[0].kind, rows[0].seconds)
        assert newest.value is not None
        assert sum(blob.size for blob in newest.blobs) + newest.named(newest.value).size == rows[0].size

    def test_series(self, cache: Cache) -> None:
        """A series is one row that says how far it goes."""
        keep_segment(cache, 1, 0, [1, 2])
        keep_segment(cache, 1, 2, [3])
        [row] = listing(cache.near).rows

        assert ("series", 3, 2, 1.0) == (row.kind, row.items, row.results, row.seconds)

    def test_withdrawn(self, cache: Cache) -> None:
        """A key whose only result is withdrawn says so."""
        entry = keep(cache, 1, 1)
        cache.withdraw([entry], made_now(0.0, (), source=None), "wrong")

        assert ["withdrawn"] == [row.kind for row in listing(cache.near).rows]

    def test_withdrawn_and_computed_again_is_listed_as_served(self, cache: Cache) -> None:
        """The row is made of what is served: neither the withdrawn result nor what takes it back counts."""
        wrong = keep(cache, 1, "wrong", at=day(1), host="there")
        take_back(cache, wrong)
        keep(cache, 1, "right, and longer", at=day(2))
        [row] = listing(cache.near).rows

        assert ("value", 1, day(2), "here", 0.5) == (row.kind, row.results, row.at, row.host, row.seconds)

    def test_withdrawn_series_is_listed_as_withdrawn(self, cache: Cache) -> None:
        """A series of which nothing is served has no items."""
        take_back(cache, keep_segment(cache, 1, 0, [1, 2]), keep_segment(cache, 1, 2, [3]))
        [row] = listing(cache.near).rows

        assert ("withdrawn", None, 2) == (row.kind, row.items, row.results)

    def test_series_computed_again_is_as_large_as_before(self, cache: Cache) -> None:
        """Segments that are withdrawn are part of neither its size nor its time."""
        segments = [keep_segment(cache, 1, 0, [1, 2]), keep_segment(cache, 1, 2, [3])]
        [before] = listing(cache.near).rows
        take_back(cache, *segments)
        keep_segment(cache, 1, 0, [1, 2], host="there")
        keep_segment(cache, 1, 2, [4], host="there")
        [row] = listing(cache.near).rows

        assert before._replace(at=row.at, host="there") == row

    def test_size_is_that_of_stats(self, cache: Cache) -> None:
        """What several segments share counts once in their row, as it does in `stats`."""
        for start in range(0, 30, 10):
            keep_segment(cache, 1, start, [long("same")] * 2 + [start] * 8, state=start)
        [row], [counted] = listing(cache.near).rows, stats(cache.near).functions

        assert counted.bytes == row.size
        assert sum(blob.size for blob in cache.find(row.key)[0].blobs) < row.size

    def test_items_are_those_that_a_reader_gets(self, cache: Cache) -> None:
        """Where segments overlap, or wait for others before them, `items` is how far the longest chain from 0 goes."""
        for start, stop in ((0, 4), (0, 6), (4, 8), (8, 9), (6, 7), (12, 20)):
            keep_segment(cache, 1, start, list(range(start, stop)))
        keep_segment(cache, 2, 3, [4])

        assert {9, 0} == {row.items for row in listing(cache.near).rows}

    def test_damaged_entries_are_passed_over(self, cache: Cache, root: Path) -> None:
        """A listing shows what can be read."""
        keep(cache, 1, 1)
        (root / keep(cache, 2, 2).name).write_bytes(b"{")

        assert 1 == listing(cache.near).total

    @pytest.mark.parametrize(("pattern", "found"), [("some.*", 2), ("some", 2), ("some.f", 1), ("other.f", 1), ("none", 0), (None, 3)])
    def test_pattern(self, cache: Cache, pattern: str | None, found: int) -> None:
        """A pattern is a glob of functions, a module, or the beginning of a key."""
        for function in ("some.f", "some.g", "other.f"):
            keep(cache, function, 1, function=function)

        assert found == listing(cache.near, pattern).total

    def test_limit_and_order(self, cache: Cache) -> None:
        """A limit shortens the rows, not the count; the order is the one that was asked for."""
        for number in range(4):
            keep(cache, number, "x" * number * 10, at=day(9 - number))
        report = listing(cache.near, limit=2, order="size")

        assert (2, 4) == (len(report.rows), report.total)
        assert report.rows[0].size > report.rows[1].size

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
    @given(
        st.dictionaries(st.text(max_size=20), st.text() | st.dictionaries(st.text(max_size=5), st.integers())),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        st.integers(0, 10) | st.integers(INLINE - 5, INLINE + 5),
    )
    def test_reads_what_entries_say(self, arguments: dict[str, object], function: str, host: str, size: int) -> None:
        """Whatever stands in an entry, its row is that of the parsed entry."""
        cache = Cache(MemoryStore())
        entry = keep(cache, 1, "x" * size, function=function, host=host, arguments=arguments)
        [row] = listing(cache.near).rows

        assert (function, host, entry.made.at, entry.made.seconds) == (row.function, row.host, row.at, row.seconds)
        assert sum(blob.size for blob in entry.blobs) + (size + 2 if size + 2 <= INLINE else 0) == row.size


class TestWhy:
    """Why a result was computed, from what was written down."""

    def test_argument(self, cache: Cache) -> None:
        """The argument that differs from the nearest earlier result is named."""
        keep(cache, 1, 1, arguments={"n": 1, "rho": [1, 2, 3]}, at=day(1))
        keep(cache, 2, 2, arguments={"n": 7, "rho": [9, 9, 9]}, at=day(2))
        new = keep(cache, 3, 3, arguments={"n": 1, "rho": [1, 2, 4]}, at=day(3))

        assert ["rho[2]: 4, was 3"] == [change.text for change in why(cache, new).changes]

    def test_code(self, cache: Cache) -> None:
        """The function that changed is named with its file."""
        keep(cache, 1, 1, arguments={"n": 1}, parts={"arz.laws:flux": "a" * 32, "arz.run:run": "b" * 32}, at=day(1))
        new = keep(cache, 2, 1, arguments={"n": 1}, parts={"arz.laws:flux": "c" * 32, "arz.run:run": "b" * 32}, code="ef" * 16, at=day(2))

        assert ["arz/laws.py: flux has changed"] == [change.text for change in why(cache, new).changes]

    def test_first(self, cache: Cache) -> None:
        """The first result has nothing to be compared with."""
        assert None is why(cache, keep(cache, 1, 1)).old

    def test_first_of_several(self, cache: Cache) -> None:
        """The first result is not compared with one that was made after it."""
        first = keep(cache, 1, 1, at=day(1))
        keep(cache, 2, 2, at=day(2))

        assert (None, ()) == ((report := why(cache, first)).old, report.changes)

    def test_earlier_result_behind_thousands_of_later_ones(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        """That only so many results are compared does not make a result the first."""
        monkeypatch.setattr("simcache.upkeep.compare._LOOKED_AT", 3)
        old, new = keep(cache, "old", 1, at=day(1)), keep(cache, "new", 2, at=day(2))
        for number in range(20):
            keep(cache, number, number, at=day(3))

        assert f"{old.key}.{old.digest}" == getattr(why(cache, new).old, "entry", None)


class TestDiff:
    """Two results side by side."""

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ({"a": [1, 2]}, {"a": [1, 3]}, "value['a'][1]: 3, was 2"),
            (
                {"a": np.zeros(3)},
                {"a": np.ones(3)},
                "value['a']: array float64 [3], first 1.0, mean 1, was array float64 [3], first 0.0, mean 0",
            ),
            (np.zeros(2), np.zeros(3), "value: array float64 [3], first 0.0, mean 0, was array float64 [2], first 0.0, mean 0"),
        ],
    )
    def test_values(self, cache: Cache, old: object, new: object, said: str) -> None:
        """Where two values differ is told, without the classes that made them."""
        report = diff(cache, keep(cache, 1, old), keep(cache, 1, new))

        assert (True, False) == (report.same_key, report.same_bytes)
        assert [said] == [change.text for change in report.changes if change.kind == "value"]

    def test_surroundings(self, cache: Cache) -> None:
        """Equal values made elsewhere differ in the machine alone."""
        report = diff(cache, keep(cache, 1, 1, host="one"), keep(cache, 1, 1, host="two"))

        assert report.same_bytes
        assert ["host: two, was one"] == [change.text for change in report.changes]

    def test_plain_form(self, cache: Cache) -> None:
        """A comparison is JSON as it stands."""
        plain = diff(cache, keep(cache, 1, 1), keep(cache, 2, 2)).to_json()

        assert plain == json.loads(json.dumps(plain))

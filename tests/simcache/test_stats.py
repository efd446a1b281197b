"""Listings, counts and comparisons of a store tell what its files say."""

import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcache.cache import Cache, Call
from simcache.decorator import cached
from simcache.model import INLINE, Entry, Segment
from simcache.provenance import made_now
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.upkeep.compare import diff, why
from simcache.upkeep.listing import listing
from simcache.upkeep.served import Served, served
from simcache.upkeep.stats import stats
from tests.simcache.stored import CODE, files_under, keep, keep_segment, key_of, long, value_blob


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


def pickled(cache: Cache, name: str, start: int, items: list[Any]) -> Entry:
    """A segment that is kept by pickle."""
    call = Call("model.f", key_of(name), CODE, {}, {})
    return cache.keep(
        call, items, made_now(0.5, (), source=None), codec="pickle", segment=Segment(start, len(items), ended=False, every=10)
    )


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
            (
                {"a": b"x" * 5000},
                {"a": b"y" * 5000},
                "value['a']: another 5,000 bytes, was 5,000 bytes",
            ),
            (np.zeros(2), np.zeros(3), "value: array float64 [3], first 0.0, mean 0, was array float64 [2], first 0.0, mean 0"),
        ],
    )
    def test_values(self, cache: Cache, old: object, new: object, said: str) -> None:
        """Where two values differ is told, without the classes that made them."""
        report = diff(cache, served([keep(cache, 1, old)]), served([keep(cache, 1, new)]))

        assert (True, False) == (report.same_key, report.same_bytes)
        assert [said] == [change.text for change in report.changes if change.kind == "value"]

    def test_surroundings(self, cache: Cache) -> None:
        """Equal values made elsewhere differ in the machine alone."""
        report = diff(cache, served([keep(cache, 1, 1, host="one")]), served([keep(cache, 1, 1, host="two")]))

        assert report.same_bytes
        assert ["host: two, was one"] == [change.text for change in report.changes]

    def test_plain_form(self, cache: Cache) -> None:
        """A comparison is JSON as it stands."""
        plain = diff(cache, served([keep(cache, 1, 1)]), served([keep(cache, 2, 2)])).to_json()

        assert plain == json.loads(json.dumps(plain))


class TestDiffOfSeries:
    """Two series are compared over all their items, however they are cut."""

    def chain(self, cache: Cache, name: str, items: list[Any], every: int, **more: Any) -> Served:
        """A series of these items, in segments of so many."""
        return served([keep_segment(cache, name, start, items[start : start + every], **more) for start in range(0, len(items), every)])

    @pytest.mark.parametrize("arrays", [False, True], ids=["plain", "arrays"])
    @pytest.mark.parametrize("every", [2, 5, 12])
    def test_items_beyond_the_first_segment_count(self, cache: Cache, every: int, arrays: bool) -> None:
        """The first item that differs is told, though the first segments have the same bytes."""

        def item(number: float) -> object:
            return {"rho": np.full(3, number), "n": 1} if arrays else [number, 0]

        was = [item(float(number)) for number in range(12)]
        report = diff(cache, self.chain(cache, "old", was, 5), self.chain(cache, "new", [*was[:7], item(99.0), *was[8:]], every))
        [told] = [change for change in report.changes if change.kind == "value"]

        assert (False, 7, None) == (report.same_bytes, report.first_difference, report.beginning)
        assert told.text.startswith("item 7['rho']: array float64 [3], first 99.0" if arrays else "item 7[0]: 99.0, was 7.0")

    @pytest.mark.parametrize("arrays", [False, True], ids=["plain", "arrays"])
    def test_equal_items_in_other_segments_are_the_same(self, cache: Cache, arrays: bool) -> None:
        """`every` is no part of the items."""
        items = [{"rho": np.full(3, float(n)), "none": np.zeros((0, 2))} if arrays else {"n": n} for n in range(12)]
        report = diff(cache, self.chain(cache, "old", items, 5), self.chain(cache, "new", items, 3))

        assert (True, None, None) == (report.same_bytes, report.first_difference, report.beginning)
        assert [] == [change.text for change in report.changes if change.kind == "value"]
        assert ((0, 12), (0, 12)) == (getattr(report.old, "items", None), report.new.items)

    def test_a_series_that_is_longer_is_told_as_that(self, cache: Cache) -> None:
        """The shorter one is a beginning of the longer one, and the bytes are not the same."""
        short, long_one = self.chain(cache, "old", [1, 2, 3], 2), self.chain(cache, "new", [1, 2, 3, 4, 5], 3)
        there, back = diff(cache, short, long_one), diff(cache, long_one, short)

        assert [(False, None, "old"), (False, None, "new")] == [
            (one.same_bytes, one.first_difference, one.beginning) for one in (there, back)
        ]
        assert ["items: 5, was 3"] == [change.text for change in there.changes if change.kind == "value"]

    def test_a_segment_that_is_named_is_compared_alone(self, cache: Cache) -> None:
        """With the same items of the other series, or with the segment that was named of it."""
        old, new = self.chain(cache, "old", [1, 2, 3, 4], 2), self.chain(cache, "new", [9, 2, 3, 4, 5, 6], 3)
        [first, second] = [served([entry], whole=False) for entry in old.chain]

        assert [True, False] == [diff(cache, one, new).same_bytes for one in (second, first)]
        assert (0, "old") == (
            (report := diff(cache, first, new)).first_difference,
            "old" if report.old and report.old.items == (0, 2) else "",
        )
        assert ["value[0]: 3, was 1", "value[1]: 4, was 2"] == [
            one.text for one in diff(cache, first, second).changes if one.kind == "value"
        ]

    def test_items_that_no_reader_gets_are_not_compared(self, cache: Cache) -> None:
        """Of overlapping and withdrawn segments those count that are served."""
        wrong = keep_segment(cache, "old", 0, [7, 7])
        take_back(cache, wrong)
        for start, items in ((0, [1, 2]), (2, [3]), (9, [10])):
            keep_segment(cache, "old", start, items)

        assert diff(cache, served(cache.find(wrong.key)), self.chain(cache, "new", [1, 2, 3], 1)).same_bytes

    @pytest.mark.parametrize(
        ("last", "same", "said"),
        [([3, 5], False, "items 2 to 3: other bytes"), ([3, 4, 5], None, "items from 2 on cannot be compared: ")],
        ids=["same cut", "other cut"],
    )
    def test_pickled_items_are_not_told_apart(self, cache: Cache, last: list[int], same: bool | None, said: str) -> None:
        """No pickle is run: whole segments are compared, and where they are cut in another way, that is said."""
        old = served([pickled(cache, "old", 0, [1, 2]), pickled(cache, "old", 2, [3, 4])])
        report = diff(cache, old, served([pickled(cache, "new", 0, [1, 2]), pickled(cache, "new", 2, last)]))

        assert (same, None) == (report.same_bytes, report.first_difference)
        assert [True] == [change.text.startswith(said) for change in report.changes if change.kind == "value"]

    def test_a_segment_that_cannot_be_read_is_told(self, cache: Cache, root: Path) -> None:
        """Nothing is said of items that nobody could look at."""
        old, new = self.chain(cache, "old", [long(1), long(2), long(3)], 1), self.chain(cache, "new", [long(1), long(2), long(4)], 2)
        (root / value_blob(old.chain[2])).unlink()
        report = diff(cache, old, new)

        assert (None, None) == (report.same_bytes, report.first_difference)
        assert ["items from 2 on cannot be compared: "] == [one.text[:36] for one in report.changes if one.kind == "value"]

    def test_a_segment_that_holds_fewer_items_than_it_says(self, cache: Cache) -> None:
        """Is told, whoever wrote it."""
        odd = keep(cache, "old", [1], segment=Segment(0, 3, ended=False, every=10))
        report = diff(cache, served([odd]), self.chain(cache, "new", [1, 2, 3], 3))

        assert None is report.same_bytes
        assert [True] == [f"{odd.key}.{odd.digest} holds 1 items, and says 3" in one.text for one in report.changes if one.kind == "value"]

    def test_a_series_and_a_value(self, cache: Cache) -> None:
        """Are no two series, and have other bytes."""
        report = diff(cache, served([keep(cache, 1, 1)]), self.chain(cache, "new", [1, 2], 1))

        assert (False, ["value: a series of 2 items, was one value"]) == (
            report.same_bytes,
            [change.text for change in report.changes if change.kind == "value"],
        )

    def test_one_segment_of_each_is_in_memory(self, cache: Cache) -> None:
        """However long the series are."""
        items = [np.full(20_000, float(n)) for n in range(60)]
        old, new = self.chain(cache, "old", items, 2), self.chain(cache, "new", items, 3)
        tracemalloc.start()
        try:
            same = diff(cache, old, new).same_bytes
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert same
        assert peak < 12 * items[0].nbytes

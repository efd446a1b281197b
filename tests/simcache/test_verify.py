"""Verify finds everything that is wrong with a store, blames nothing that is not, and repairs without losing what still serves."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcache.cache import Cache
from simcache.codecs.file import File
from simcache.decorator import cached
from simcache.errors import CacheError, Corrupt, FormatTooNew, NotAStore
from simcache.model import Entry, Segment, blob_name, entry_digest, entry_prefix, folder_of, pointer_oid, record_of
from simcache.provenance import made_now
from simcache.series import Step
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.upkeep import divergences
from simcache.upkeep.contents import LARGE
from simcache.upkeep.listing import listing
from simcache.upkeep.mark import opened_to_mend
from simcache.upkeep.rerun import NotFound, Recomputable, rerun
from simcache.upkeep.stats import stats
from simcache.upkeep.verify import VerifyReport, verify
from tests.simcache.stored import files_under, keep, keep_segment, long, value_blob


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def cache(root: Path) -> Cache:
    return Cache(root)


def kinds(report: VerifyReport) -> list[tuple[str, str]]:
    return [(problem.kind, problem.name) for problem in report.problems]


def put_entry(root: Path, record: dict[str, object]) -> str:
    """An entry with the right digest in its name, whatever it says."""
    data = json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    name = f"{entry_prefix(str(record['function']), str(record['key']))}{entry_digest(data)}.json"
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)
    return name


class TestSound:
    """What is well is called well."""

    def test_an_empty_store(self, root: Path) -> None:
        """A store that was never written is sound, and looking at it makes nothing."""
        report = verify(LocalStore(root))

        assert (0, 0, True) == (report.entries, report.blobs, report.sound)
        assert not root.exists()

    @pytest.mark.parametrize("kind", ["folder", "memory"])
    def test_a_full_store(self, root: Path, kind: str) -> None:
        """Values, arrays, large blobs and series are counted to the byte, in a folder as in any other store."""
        cache = Cache(root if kind == "folder" else MemoryStore())
        keep(cache, 1, {"a": 1})
        keep(cache, 2, np.arange(300_000.0))
        keep_segment(cache, 3, 0, [1, 2], state=2)
        keep_segment(cache, 3, 2, [3], state=3)
        report = verify(cache.near)
        sizes = [listed.size for listed in cache.near.list()]

        assert report.sound
        assert (4, sum(sizes)) == (report.entries, report.bytes)
        assert ((), (), (), 0) == (report.problems, report.divergences, report.gaps, report.unreferenced)

    def test_progress(self, cache: Cache) -> None:
        """Long work tells how many bytes are done and how many there are."""
        keep(cache, 1, np.zeros(4 * LARGE, np.uint8))
        told: list[tuple[int, int]] = []
        verify(cache.near, progress=lambda done, total: told.append((done, total)))

        assert all(0 <= done <= total for done, total in told)

    def test_reading_the_entries_is_told(self, cache: Cache) -> None:
        """Of a store far away that takes minutes, and how many bytes they are is not known before."""
        for number in range(256):
            keep(cache, number, number)
        told: list[tuple[int, int]] = []
        report = verify(cache.near, progress=lambda done, total: told.append((done, total)))

        assert (report.bytes - sum(size for name, size in cache.near.list("blobs/")), 0) == told[0]

    def test_leftovers_are_no_problem(self, cache: Cache, root: Path) -> None:
        """What a killed writer left, and a blob without an entry, are told and are no damage."""
        entry = keep(cache, 1, long(1))
        (root / ".local" / "tmp").mkdir(exist_ok=True)
        (root / ".local" / "tmp" / "99-dead-0").write_bytes(b"half")
        (root / entry.name).unlink()
        report = verify(cache.near)

        assert (True, 1, 2) == (report.sound, report.unfinished, report.unreferenced)
        assert 0 == verify(cache.near, repair=True).unfinished

    def test_files_of_the_system_are_passed_over(self, cache: Cache, root: Path) -> None:
        """Hidden files, as systems and editors leave them, are no problem."""
        keep(cache, 1, 1)
        (root / "entries" / ".DS_Store").write_bytes(b"x")
        (root / "blobs" / ".gitattributes").write_bytes(b"x")

        assert verify(cache.near).sound

    def test_pruned_meanwhile(self, cache: Cache, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A blob that goes with its entry while verify looks is not called missing."""
        entry = keep(cache, 1, long(1))
        looked = LocalStore(root)
        from simcache.upkeep import verify as module

        at_blobs = module._Look.at_blobs

        def prune_first(self: module._Look) -> None:
            for name in (entry.name, *(blob.name for blob in entry.blobs)):
                (root / name).unlink()
            at_blobs(self)

        monkeypatch.setattr(module._Look, "at_blobs", prune_first)

        assert verify(looked).sound

    def test_pruned_and_computed_again_meanwhile(self, cache: Cache, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A blob that goes with its entry, and comes back with another one while verify looks, is not called missing; nor is that entry set aside."""
        entry = keep(cache, 1, long(1))
        later: list[Entry] = []
        from simcache.upkeep import verify as module

        at_blobs = module._Look.at_blobs

        def prune_first(self: module._Look) -> None:
            for name in (entry.name, *(blob.name for blob in entry.blobs)):
                (root / name).unlink()
            at_blobs(self)
            later.append(keep(Cache(root), 2, long(1)))

        monkeypatch.setattr(module._Look, "at_blobs", prune_first)
        report = verify(LocalStore(root), repair=True)

        assert () == report.problems
        assert later[0].name in files_under(root)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "flipped": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "longer": lambda data: data + b"x",
    "zeros": lambda data: bytes(len(data)),
}


class TestDamage:
    """Every damage is found, at the place where it is."""

    @pytest.mark.parametrize("damage", DAMAGE)
    @pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
    def test_blob(self, cache: Cache, root: Path, damage: str, large: bool) -> None:
        """A damaged blob is corrupt; nothing else is."""
        entry = keep(cache, 1, np.arange(LARGE / 4) if large else long("some text"))
        path = root / value_blob(entry)
        path.write_bytes(DAMAGE[damage](path.read_bytes()))

        assert [("corrupt", value_blob(entry))] == kinds(verify(LocalStore(root)))

    @pytest.mark.parametrize("damage", DAMAGE)
    def test_entry(self, cache: Cache, root: Path, damage: str) -> None:
        """A damaged entry is corrupt."""
        entry = keep(cache, 1, 1)
        (root / entry.name).write_bytes(DAMAGE[damage]((root / entry.name).read_bytes()))

        assert [("corrupt", entry.name)] == kinds(verify(LocalStore(root)))

    def test_missing_blob(self, cache: Cache, root: Path) -> None:
        """A blob that an entry names and that is not there is missing; the report says who names it."""
        entry = keep(cache, 1, long(1))
        (root / value_blob(entry)).unlink()
        report = verify(LocalStore(root))

        assert [("missing", value_blob(entry))] == kinds(report)
        assert entry.name in report.problems[0].reason

    def test_swapped_entry(self, cache: Cache, root: Path) -> None:
        """An entry under the name of another key is corrupt, whatever its digest says."""
        entry = keep(cache, 1, 1)
        other = entry_prefix("model.f", "0" * 32) + entry.digest + ".json"
        (root / other).parent.mkdir(parents=True)
        (root / entry.name).rename(root / other)

        assert ("corrupt", other) in kinds(verify(LocalStore(root)))

    def test_folder_in_the_place_of_a_blob(self, cache: Cache, root: Path) -> None:
        """A folder where a blob should be is corrupt, and a file where a folder should be is foreign."""
        entry = keep(cache, 1, long(1))
        (root / value_blob(entry)).unlink()
        (root / value_blob(entry)).mkdir()
        (root / "blobs" / "zz").write_bytes(b"x")

        assert [("corrupt", value_blob(entry)), ("foreign", "blobs/zz")] == kinds(verify(LocalStore(root)))

    def test_foreign_files(self, cache: Cache, root: Path) -> None:
        """Files that are neither entry nor blob are told with their path."""
        entry = keep(cache, 1, long(1))
        stray = Path(entry.name).parent / "notes.txt"
        (root / stray).write_bytes(b"mine")
        misplaced = "blobs/00/" + Path(value_blob(entry)).name
        (root / "blobs" / "00").mkdir(exist_ok=True)
        (root / misplaced).write_bytes(b"1")

        assert [("foreign", misplaced), ("foreign", str(stray))] == kinds(verify(LocalStore(root)))

    def test_entry_that_lies_about_a_blob(self, cache: Cache, root: Path) -> None:
        """Of sound bytes and an entry that says something else of them, the entry is at fault."""
        entry = keep(cache, 1, long(1))
        record = json.loads(entry.to_bytes())
        record["blobs"][0][1] = "0" * 32
        (root / entry.name).unlink()
        name = put_entry(root, record)

        assert [("corrupt", name)] == kinds(verify(LocalStore(root)))

    def test_newer_entry(self, cache: Cache, root: Path) -> None:
        """An entry of a newer format is told as such, and a repair leaves it alone."""
        entry = keep(cache, 1, 1)
        record = {**json.loads(entry.to_bytes()), "format": 3}
        (root / entry.name).unlink()
        name = put_entry(root, record)

        assert [("newer", name)] == kinds(verify(LocalStore(root), repair=True))
        assert (root / name).exists()

    @pytest.mark.parametrize(
        "spoil",
        [
            {"made": {}},
            {"made": 5},
            {
                "made": {
                    **dict.fromkeys(("at", "host", "device", "python", "platform", "simcache"), ""),
                    "seconds": 1,
                    "git": None,
                    "packages": {"numpy": 2},
                }
            },
            {"blobs": [["x", "y", 1]]},
            {"blobs": [1]},
            {"arguments": []},
            {"arguments": {"n": {"blob": 7}}},
            {"value": {"codec": "json", "blobs": []}},
            {"value": {"codec": "json", "blobs": [9]}},
            {"value": []},
            {"parts": -1},
            {"parts": "0"},
            {"kind": "other"},
            {"kind": "segment"},
            {"segment": [0, 1]},
            {"segment": [0, -1, False, 1]},
            {"code": "x"},
            {"format": "1"},
            {"withdraws": [1]},
            {"reason": 1},
            {"reason": "\ud800"},
            {"arguments": {"n": {"json": float("nan")}}},
            {"arguments": {"n": {"json": float("-inf")}}},
            {"arguments": {"n": {}}},
            {"arguments": {"n": {"digest": "00", "text": 1}}},
            {"arguments": {"n": {"describe": {"codec": "json"}}}},
            {"arguments": {"n": {"blob": 0}}},
            {"arguments": {"n": {"blob": 0, "describe": "json"}}},
            {"arguments": {"n": {"inline": "MQ==", "describe": {}}}},
            {"value": {"inline": "MQ=="}},
            {"state": {"codec": 1, "inline": "MQ=="}},
        ],
        ids=json.dumps,
    )
    def test_schema(self, cache: Cache, root: Path, spoil: dict[str, object]) -> None:
        """An entry whose digest is right and whose content is none is corrupt for everyone: verify, listings, lookups."""
        entry = keep(cache, 1, 1)
        record = {**json.loads(entry.to_bytes()), **spoil}
        (root / entry.name).unlink()
        name = put_entry(root, record)

        assert ("corrupt", name) in kinds(verify(LocalStore(root)))
        assert [] == list(Cache(root).all_entries())
        assert None is Cache(root).lookup(entry.function, entry.key).entry

    @pytest.mark.parametrize("spoil", [b'"key":', b'"codec":', b'"digest":'])
    def test_a_field_is_not_there(self, cache: Cache, root: Path, spoil: bytes) -> None:
        """An entry from elsewhere that lacks a field is corrupt for everyone; a missing key ended every call and every command with a traceback."""
        entry = keep(cache, 1, 1)
        data = entry.to_bytes().replace(b'"json":"1"', b'"digest":"0","text":"1"').replace(spoil, b'"other":')
        (root / entry.name).unlink()
        name = f"{entry_prefix(entry.function, entry.key)}{entry_digest(data)}.json"
        (root / name).write_bytes(data)

        assert [("corrupt", name)] == kinds(verify(LocalStore(root)))
        assert None is Cache(root).lookup(entry.function, entry.key).entry

    @pytest.mark.parametrize("seconds", [b"1e999", b"1" * 400])
    def test_a_number_beyond_all_numbers(self, cache: Cache, root: Path, seconds: bytes) -> None:
        """What Python would read as infinity, or could not add to a float, is damage: it is no JSON to anybody else, and ended `stats`."""
        entry = keep(cache, 1, 1)
        data = entry.to_bytes().replace(b'"seconds":0.5', b'"seconds":' + seconds)
        name = f"{entry_prefix(entry.function, entry.key)}{entry_digest(data)}.json"
        (root / name).write_bytes(data)

        assert [("corrupt", name)] == kinds(verify(LocalStore(root)))
        assert [0.5] == [row.seconds for row in listing(LocalStore(root)).rows]
        assert 0.5 == stats(LocalStore(root)).seconds

    def test_other_bytes_of_one_entry_are_withdrawn_by_their_own_name(self, cache: Cache, root: Path) -> None:
        """Whoever writes an entry with spaces, or fields of his own, gives it another digest; it is the one by which it is taken back."""
        entry = keep(cache, 1, 1)
        (root / entry.name).unlink()
        name = put_entry(root, {**json.loads(entry.to_bytes()), "mine": 1})
        [found] = Cache(root).entries(entry.function, entry.key)
        cache.withdraw([found], entry.made, "wrong")

        assert name == found.name
        assert None is Cache(root).lookup(entry.function, entry.key).entry

    def test_made_of_wrong_types(self, cache: Cache, root: Path) -> None:
        """A time that is no text would break the order of entries, so such an entry is damaged."""
        entry = keep(cache, 1, 1)
        record = json.loads(entry.to_bytes())
        record["made"]["at"] = 5

        with pytest.raises(Corrupt, match="made.at"):
            Cache(root).near.get(put_entry(root, record)) and record_of(name := put_entry(root, record), (root / name).read_bytes())

    @given(st.binary(max_size=60))
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever stands in the place of an entry is Corrupt, never another error."""
        name = f"entries/{folder_of('f')}/00/{'0' * 32}.{entry_digest(data)}.json"

        with pytest.raises(Corrupt):
            record_of(name, data)

    def test_deep_nesting(self) -> None:
        """JSON too deep for any reader is Corrupt."""
        data = b"[" * 100_000
        name = f"entries/{folder_of('f')}/00/{'0' * 32}.{entry_digest(data)}.json"

        with pytest.raises(Corrupt):
            record_of(name, data)


def pointer(oid: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()


class TestPointers:
    """A Git LFS pointer is a blob that is elsewhere, not damage."""

    def test_unavailable(self, cache: Cache, root: Path) -> None:
        """A pointer to the very blob is unavailable, the store is sound, and a repair leaves the pointer."""
        entry = keep(cache, 1, "text")
        blob = entry.blobs[0]
        (root / blob.name).write_bytes(pointer(blob.sha256, blob.size))
        report = verify(LocalStore(root), repair=True)

        assert (True, (), (blob.name,)) == (report.sound, report.problems, report.unavailable)
        assert (root / blob.name).exists()

    def test_pointer_to_something_else(self, cache: Cache, root: Path) -> None:
        """A pointer to another blob is damage."""
        entry = keep(cache, 1, long("text"))
        (root / entry.blobs[0].name).write_bytes(pointer("0" * 64, 1))

        assert [("corrupt", entry.blobs[0].name)] == kinds(verify(LocalStore(root)))

    def test_fetched(self, cache: Cache, root: Path, tmp_path: Path) -> None:
        """A repair from another store brings the content of a pointer."""
        entry = keep(cache, 1, long("text"))
        keep(Cache(tmp_path / "other"), 1, long("text"))
        blob = entry.blobs[0]
        (root / blob.name).write_bytes(pointer(blob.sha256, blob.size))
        report = verify(LocalStore(root), repair=True, source=LocalStore(tmp_path / "other"))

        assert () == report.unavailable
        assert f'"{long("text")}"'.encode() == (root / blob.name).read_bytes()

    def test_a_large_blob_can_be_a_pointer(self, cache: Cache, root: Path) -> None:
        """The pointer of a blob that is large is recognised too."""
        entry = keep(cache, 1, np.zeros(2 * LARGE, np.uint8))
        blob = entry.blobs[0]
        (root / blob.name).write_bytes(pointer(blob.sha256, blob.size))

        assert (blob.name,) == verify(LocalStore(root)).unavailable

    def test_no_pointer(self) -> None:
        """Text that only looks a little like a pointer is none."""
        assert "" == pointer_oid(b"version 1\noid sha256:00")


class TestDivergences:
    """One key, different bytes: told with who made which, on what."""

    def test_values(self, cache: Cache) -> None:
        """Two values of one key contradict each other; the one that is served comes first."""
        late = keep(cache, 1, 2.0, at="2026-02-01T00:00:00.000000Z", host="laptop")
        early = keep(cache, 1, 1.0, at="2026-01-01T00:00:00.000000Z", host="cluster")
        [found] = verify(cache.near).divergences

        assert ("value", early.key) == (found.what, found.key)
        assert ["cluster", "laptop"] == [one.host for one in found.results]
        assert [f"{entry.key}.{entry.digest}" for entry in (early, late)] == [one.entry for one in found.results]

    def test_equal_values(self, cache: Cache) -> None:
        """Two machines with the same bytes agree."""
        keep(cache, 1, 1.0, host="laptop")
        keep(cache, 1, 1.0, host="cluster")

        assert verify(cache.near).sound

    def test_withdrawn(self, cache: Cache) -> None:
        """A withdrawn result contradicts nobody."""
        wrong = keep(cache, 1, 2.0)
        keep(cache, 1, 1.0)
        cache.withdraw([wrong], made_now(0.0, (), source=None), "wrong")

        assert verify(cache.near).sound

    def test_same_segments(self, cache: Cache) -> None:
        """The same items cut in another way agree, arrays too."""
        items = [{"t": n, "rho": np.full(3, float(n)), "none": np.zeros((0, 2))} for n in range(6)]
        keep_segment(cache, 1, 0, items)
        keep_segment(cache, 1, 0, items[:4])
        keep_segment(cache, 1, 4, items[4:])

        assert verify(cache.near).sound

    @pytest.mark.parametrize("array", [False, True], ids=["plain", "arrays"])
    def test_overlapping_segments(self, cache: Cache, array: bool) -> None:
        """Overlapping items with different bytes are told by the first item that differs."""

        def item(number: float) -> object:
            return np.full(3, number) if array else number

        keep_segment(cache, 1, 0, [item(n) for n in range(6)], host="one")
        keep_segment(cache, 1, 2, [item(2), item(3), item(99), item(5)], host="two")
        [found] = verify(cache.near).divergences

        assert ("item 4", {"one", "two"}) == (found.what, {one.host for one in found.results})

    def test_a_long_series_is_not_compared_pair_by_pair(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only segments with an item in common are held against each other: with 20,000 segments `verify` came to no end."""
        compared: list[set[int]] = []
        differing = divergences._differing

        def noted(one: Entry, first: Segment, other: Entry, second: Segment, read: Callable[[str], bytes]) -> int | None:
            compared.append({first.start, second.start})
            return differing(one, first, other, second, read)

        monkeypatch.setattr(divergences, "_differing", noted)
        for start in range(0, 60, 2):
            keep_segment(cache, 1, start, [start, start + 1])
        keep_segment(cache, 1, 20, [20, 99, 22])
        found = verify(cache.near).divergences

        assert ["item 21"] == [one.what for one in found]
        assert [{20}, {20, 22}] == sorted(compared, key=len)

    def test_gap(self, cache: Cache) -> None:
        """Items that no reader reaches are told, and are no damage."""
        keep_segment(cache, 1, 0, [1, 2], state=2)
        keep_segment(cache, 1, 5, [6, 7], state=7)
        report = verify(cache.near)

        assert report.sound
        assert ["items 2 to 4 are missing"] == [said.partition(": ")[2].partition(";")[0] for said in report.gaps]

    def test_gap_of_one(self, cache: Cache) -> None:
        """One item is missing, not several."""
        keep_segment(cache, 1, 0, [1, 2], state=2)
        keep_segment(cache, 1, 3, [4], state=4)

        assert ["item 2 is missing; those from 3 on wait for it"] == [said.partition(": ")[2] for said in verify(cache.near).gaps]


class TestRepair:
    """What is damaged goes to quarantine, what can be fetched is fetched, what still serves stays."""

    def test_sets_aside(self, cache: Cache, root: Path) -> None:
        """A damaged blob goes to quarantine with the entry that lost its value; the store is sound after it."""
        damaged, good = keep(cache, 1, long("one")), keep(cache, 2, long("two"))
        (root / value_blob(damaged)).write_bytes(b"bad")
        report = verify(LocalStore(root), repair=True)

        assert report.sound
        assert "set aside" in report.problems[0].mended
        assert {value_blob(damaged), damaged.name} == {value_blob(damaged), damaged.name} - files_under(root).keys()
        assert long("two") == Cache(root).lookup(good.function, good.key).value
        assert verify(LocalStore(root)).sound

    def test_what_was_mended_meanwhile_stays(self, cache: Cache, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A blob that was damaged when verify read it, and that somebody has computed again since, is not set aside, nor is a result that names it."""
        damaged = keep(cache, 1, long("one"))
        (root / value_blob(damaged)).write_bytes(b"bad")
        from simcache.upkeep import verify as module

        at_foreign = module._Look.at_foreign

        def compute_again(self: module._Look) -> None:
            keep(Cache(root), 1, long("one"), at="2026-02-02T03:04:05.000000Z")
            at_foreign(self)

        monkeypatch.setattr(module._Look, "at_foreign", compute_again)
        report = verify(LocalStore(root), repair=True)

        assert report.sound
        assert ["written anew meanwhile"] == [problem.mended for problem in report.problems]
        assert long("one") == Cache(root).lookup(damaged.function, damaged.key).value

    def test_keeps_what_still_serves(self, cache: Cache, root: Path) -> None:
        """An entry that lost only the list of its functions is not thrown away."""
        entry = keep(cache, 1, "one")
        assert entry.parts is not None
        (root / entry.blobs[entry.parts].name).unlink()
        report = verify(LocalStore(root), repair=True)

        assert not report.sound
        assert "one" == Cache(root).lookup(entry.function, entry.key).value

    @pytest.mark.parametrize("part", ["state", "parts", "argument"])
    @pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"bad")], ids=["missing", "damaged"])
    def test_a_loss_beside_the_value_names_what_ends_it(self, root: Path, part: str, change: Callable[[Path], object]) -> None:
        """Without another store: the next step that is told does make the store sound, and no result is lost on the way to it."""
        f, run = cached(cache=Cache(root))(_told), cached(cache=Cache(root), every=2)(_counted)
        f(long(1))
        run()[:4]
        entry = run().segments[-1] if part == "state" else f.entry(long(1))
        assert entry is not None
        held = {
            "state": (entry.state or {}).get("blobs", [0])[0],
            "parts": entry.parts,
            "argument": entry.arguments.get("text", {}).get("blob"),
        }
        change(root / entry.blobs[held[part]].name)
        verify(LocalStore(root), repair=True)
        report = verify(LocalStore(root), repair=True)
        [problem] = report.problems

        assert ("missing", "") == (problem.kind, problem.mended)
        assert "still serve" in problem.reason
        assert f"`simcache forget {entry.key}` has it computed again" in problem.reason
        if part == "parts":
            assert f"the next new call of {f.name} writes them down again" in problem.reason
            cached(cache=Cache(root))(_told)(long(2))
        else:
            for held_entry in Cache(root).find(entry.key):
                LocalStore(root).delete(held_entry.name)
        assert verify(LocalStore(root)).sound
        assert ("1 ", [1, 2, 3, 4]) == (f(long(1)), [item for item, _ in cached(cache=Cache(root), every=2)(_counted)()[:4]])
        assert verify(LocalStore(root)).sound

    @pytest.mark.skipif(os.name == "nt", reason="links")
    @pytest.mark.parametrize("what", ["entry", "blob"])
    def test_a_link_to_itself_is_set_aside(self, cache: Cache, root: Path, what: str) -> None:
        """No permission and no other machine brings what it should be, so it goes to quarantine, and the store is sound."""
        entry = keep(cache, 1, long("one"))
        path = root / (entry.name if what == "entry" else value_blob(entry))
        path.unlink()
        path.symlink_to(path.name)
        report = verify(LocalStore(root), repair=True)

        assert [("corrupt", path.relative_to(root).as_posix())] == kinds(report)
        assert report.sound
        assert not path.is_symlink()
        assert verify(LocalStore(root)).sound

    @pytest.mark.skipif(os.name == "nt", reason="links")
    def test_a_blob_that_is_a_link_to_nowhere_is_missing(self, cache: Cache, root: Path) -> None:
        """Its name stands in the folder, and its bytes do not."""
        path = root / value_blob(keep(cache, 1, long("one")))
        path.unlink()
        path.symlink_to("nowhere")

        assert [("missing", path.relative_to(root).as_posix())] == kinds(verify(LocalStore(root)))

    @pytest.mark.parametrize("what", ["blob", "entry", "missing"])
    def test_from_another_store(self, cache: Cache, root: Path, tmp_path: Path, what: str) -> None:
        """A good copy in another store takes the place of what is damaged."""
        entry = keep(cache, 1, long("one"))
        before = files_under(root)
        other = Cache(tmp_path / "other")
        for name, data in before.items():
            if name != "simcache.json":
                other.near.put(name, [data])
        path = root / (entry.name if what == "entry" else value_blob(entry))
        path.unlink() if what == "missing" else path.write_bytes(b"bad")
        report = verify(LocalStore(root), repair=True, source=other.near)
        if what == "entry":
            other_report = verify(LocalStore(root))
            assert other_report.sound

        assert report.sound
        assert before == files_under(root)

    def test_from_a_damaged_store(self, cache: Cache, root: Path, tmp_path: Path) -> None:
        """A copy that is damaged too is not taken."""
        entry = keep(cache, 1, long("one"))
        other = keep(Cache(tmp_path / "other"), 1, long("one"))
        (root / value_blob(entry)).write_bytes(b"bad")
        (tmp_path / "other" / value_blob(other)).write_bytes(b"evil")
        verify(LocalStore(root), repair=True, source=LocalStore(tmp_path / "other"))

        assert value_blob(entry) not in files_under(root)

    def test_foreign_files_go_to_quarantine(self, cache: Cache, root: Path) -> None:
        """Somebody's file is moved, never deleted; two of one name both stay."""
        keep(cache, 1, 1)
        for folder in ("aa", "bb"):
            (root / "blobs" / folder).mkdir(exist_ok=True)
            (root / "blobs" / folder / "notes").write_bytes(folder.encode())
        report = verify(LocalStore(root), repair=True)

        assert report.sound
        assert {b"aa", b"bb"} == {path.read_bytes() for path in (root / ".local" / "quarantine").iterdir()}


MARKS: dict[str, bytes | None] = {"empty": b"", "cut": b'{"form', "random": b"\0\xff" * 40, "none": b'{"format": 0}', "folder": None}


class TestMark:
    """The file that tells the format of a store."""

    @staticmethod
    def spoil(root: Path, damage: bytes | None) -> None:
        mark = root / "simcache.json"
        mark.unlink(missing_ok=True)
        mark.mkdir() if damage is None else mark.write_bytes(damage)

    @pytest.mark.parametrize("damage", MARKS.values(), ids=MARKS)
    def test_a_damaged_mark_is_found_and_written_anew(self, cache: Cache, root: Path, damage: bytes | None) -> None:
        """What stood there goes to quarantine, and the store is as it was."""
        keep(cache, 1, long("one"))
        before = files_under(root)
        self.spoil(root, damage)
        found = verify(opened_to_mend(str(root)))
        report = verify(opened_to_mend(str(root)), repair=True)

        assert [("corrupt", "simcache.json", "")] == [(one.kind, one.name, one.mended) for one in found.problems]
        assert (False, True) == (found.sound, report.sound)
        assert "and written anew" in report.problems[0].mended
        assert before == files_under(root)
        assert verify(LocalStore(root)).sound
        aside = root / ".local" / "quarantine" / "foreign-simcache.json"
        assert aside.is_dir() if damage is None else damage == aside.read_bytes()

    def test_with_other_damage_and_another_store(self, cache: Cache, root: Path, tmp_path: Path) -> None:
        """The mark is written first, so that good copies can be put in."""
        entry = keep(cache, 1, long("one"))
        keep(Cache(tmp_path / "other"), 1, long("one"))
        before = files_under(root)
        self.spoil(root, b"")
        (root / value_blob(entry)).write_bytes(b"bad")
        report = verify(opened_to_mend(str(root)), repair=True, source=LocalStore(tmp_path / "other"))

        assert report.sound
        assert before == files_under(root)

    @pytest.mark.parametrize("held", ["nothing", "a newer entry", "a newer mark"])
    def test_where_our_format_is_not_known_it_stays(self, cache: Cache, root: Path, held: str) -> None:
        """A store that a newer simcache may have made is not called ours."""
        entry = keep(cache, 1, long("one"))
        self.spoil(root, b'{"format": 7}' if held == "a newer mark" else b"")
        newer = dict(json.loads((root / entry.name).read_bytes()), format=7, key="12" * 16)
        if held == "nothing":
            (root / entry.name).unlink()
        elif held == "a newer entry":
            put_entry(root, newer)
        before = files_under(root)

        if held == "a newer mark":
            with pytest.raises(FormatTooNew):
                opened_to_mend(str(root))
        else:
            report = verify(opened_to_mend(str(root)), repair=True)
            [said] = [one for one in report.problems if one.name == "simcache.json"]
            assert (False, "") == (report.sound, said.mended)
            assert 'write {"format": 1} there if this version of simcache made the store' in said.reason
        assert before == files_under(root)

    def test_a_folder_that_never_was_a_store_is_refused(self, root: Path) -> None:
        """A file of this name makes no store, and nothing is moved."""
        root.mkdir()
        self.spoil(root, b"mine")
        (root / "thesis.tex").write_bytes(b"mine too")

        with pytest.raises(NotAStore):
            opened_to_mend(str(root))
        assert {"simcache.json": b"mine", "thesis.tex": b"mine too"} == files_under(root)


def _told(text: str) -> str:
    return text.strip(".")


def _counted(*, resume: list[int] | None = None) -> Iterator[Step[tuple[int, str]]]:
    state = list(resume or [0] * 2000)
    while True:
        state[0] += 1
        yield Step((state[0], ""), state=list(state))


class Finder:
    """Functions by name, as the command line finds them."""

    def __init__(self, *functions: object) -> None:
        self.held = {getattr(function, "name", ""): function for function in functions}

    def __call__(self, name: str) -> Recomputable:
        from simcache.cli.functions import Function

        if name not in self.held:
            raise NotFound(name, "a script")
        return Function(self.held[name])  # type: ignore[arg-type]  # they are cached functions


class TestRerun:
    """Results computed again are compared byte for byte."""

    def test_same(self, cache: Cache) -> None:
        """A function that is reproducible gives the same bytes; arguments are rebuilt from what was written down."""

        @cached(cache=cache)
        def square(values: tuple[float, ...], device: str = "cpu") -> list[float]:
            return [value * value for value in values]

        square((1.0, 2.0))
        square((3.0,))
        report = rerun(cache, 5, Finder(square))

        assert ["same", "same"] == [one.outcome for one in report.reruns]
        assert (True, 2) == (report.sound, report.computed)

    def test_differs(self, cache: Cache) -> None:
        """A function that is not reproducible is told, with the machine that made the stored result."""
        times: list[int] = []

        @cached(cache=cache, version="1")
        def draw() -> int:
            times.append(1)
            return len(times)

        draw()
        report = rerun(cache, 5, Finder(draw))

        assert ["differs"] == [one.outcome for one in report.reruns]
        assert not report.sound

    def test_series(self, cache: Cache) -> None:
        """Each segment is computed again from the state before it, and the state after it is compared too."""
        starts: list[object] = []

        @cached(cache=cache, every=2)
        def count(*, resume: int | None = None):  # type: ignore[no-untyped-def]  # noqa: ANN202
            starts.append(resume)
            number = resume or 0
            while True:
                number += 1
                yield Step(number, state=number)

        count()[:6]
        starts.clear()
        report = rerun(cache, 9, Finder(count))

        assert ["same"] * 3 == [one.outcome for one in report.reruns]
        assert {None, 2, 4} == set(starts)

    def test_left_out(self, cache: Cache) -> None:
        """Of a function that cannot be had, and of changed code, nothing is compared, and the reason is said."""
        keep(cache, 1, 1, function="script.f")

        @cached(cache=cache)
        def one() -> int:
            return 1

        one()
        [entry] = cache.all_entries(one.name)
        cache.near.delete(entry.name)
        changed = entry._replace(code="0" * 32)
        cache.near.put(changed.name, [changed.to_bytes()])
        report = rerun(cache, 9, Finder(one))

        assert {("script.f", "skipped"), (one.name, "skipped")} == {(run.function, run.outcome) for run in report.reruns}
        assert any("code has changed" in run.reason for run in report.reruns)
        assert (0, 2, 2) == (report.computed, report.left_out, report.there)

    def test_nothing_compared_is_not_sound(self, cache: Cache) -> None:
        """Whoever asks for a proof and gets none is told so: nothing was there, or all was left out."""
        empty = rerun(cache, 9, Finder())
        keep(cache, 1, 1, function="script.f")
        left_out = rerun(cache, 9, Finder())

        assert [(False, 0, 0), (False, 1, 1)] == [(report.sound, report.there, report.left_out) for report in (empty, left_out)]

    def test_how_many_there_are(self, cache: Cache) -> None:
        """What is there is counted, not what is asked for; withdrawn results are not there, and a function that is gone takes all its results."""

        @cached(cache=cache)
        def one(n: int) -> int:
            return n

        for n in range(3):
            one(n)
            keep(cache, n, n, function="script.f")
        one.withdraw(0, reason="a test")
        report = rerun(cache, 20, Finder(one))

        assert (20, 5, 2, 3) == (report.asked, report.there, report.computed, report.left_out)
        assert report.sound

    def test_arguments_not_written_down(self, cache: Cache) -> None:
        """A result whose argument was only recognised is left out."""

        @cached(cache=cache)
        def total(values: object) -> float:
            return 1.0

        total(np.zeros(1 << 18))
        report = rerun(cache, 9, Finder(total))

        assert ["skipped"] == [one.outcome for one in report.reruns]
        assert report.reruns[0].reason.startswith("its argument values was too large")

    def test_an_argument_that_has_no_key_any_more(self, cache: Cache) -> None:
        """A bare path was keyed by its name once where a File is annotated: what came of it is left out, and not called wrong."""

        @cached(cache=cache, version="1")
        def size(p: str) -> int:
            return 1

        size("f.txt")
        size.compute.__annotations__["p"] = File
        report = rerun(cache, 9, Finder(cached(cache=cache, version="1")(size.compute)))

        assert [("skipped", True)] == [(one.outcome, "is only a name: pass File('f.txt')" in one.reason) for one in report.reruns]

    def test_an_argument_that_cannot_be_read(self, cache: Cache, root: Path) -> None:
        """Its bytes are damaged, or gone: it is the argument that is told, not the stored value."""

        @cached(cache=cache)
        def total(values: np.ndarray) -> float:
            return float(values.sum())

        total(np.zeros(1 << 12))
        [entry] = cache.all_entries()
        blob = entry.blobs[entry.arguments["values"]["blob"]]
        (root / blob.name).unlink()
        report = rerun(cache, 9, Finder(total))

        assert [f"its argument values cannot be read: nothing is stored under {blob.name}"] == [one.reason for one in report.reruns]

    def test_spread_over_functions(self, cache: Cache) -> None:
        """A few results are taken from all functions, the newest first, the same every time."""

        @cached(cache=cache)
        def one(n: int) -> int:
            return n

        @cached(cache=cache)
        def two(n: int) -> int:
            return n

        for n in range(3):
            one(n)
            two(n)
        reports = [rerun(cache, 2, Finder(one, two)) for _ in range(2)]

        assert {one.name, two.name} == {run.function for run in reports[0].reruns}
        assert [run.entry for run in reports[0].reruns] == [run.entry for run in reports[1].reruns]

    def test_raises(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        """A function that raises now is a finding, not a crash."""

        @cached(cache=cache)
        def shaky() -> int:
            if os.environ.get("TEST_FAILS"):
                raise ValueError("no more")
            return 1

        shaky()
        monkeypatch.setenv("TEST_FAILS", "1")
        report = rerun(cache, 1, Finder(shaky))

        assert [("failed", "computing it raised ValueError: no more")] == [(run.outcome, run.reason) for run in report.reruns]


def test_plain_form(cache: Cache) -> None:
    """A report is JSON as it stands."""
    keep(cache, 1, 1.0)
    keep(cache, 1, 2.0)
    plain = verify(cache.near).to_json()

    assert plain == json.loads(json.dumps(plain))
    assert not plain["sound"]


def test_entries_as_before(cache: Cache) -> None:
    """What a record says and what an entry holds are the same, to the byte."""
    for entry in (keep(cache, 1, 1), keep_segment(cache, 2, 0, [1], state=1)):
        assert entry == Entry.from_bytes(entry.name, entry.to_bytes())
        assert blob_name(entry.blobs[0].sha256) == entry.blobs[0].name


@pytest.mark.deep
def test_ten_thousand(tmp_path: Path) -> None:
    """A large store is verified in a moment."""
    cache = Cache(tmp_path / "store")
    for number in range(10_000):
        keep(cache, number, f"{number:08}" * 125)
    began = time.process_time()
    report = verify(cache.near)

    assert report.sound
    assert time.process_time() - began < 3.0, os.uname().nodename


def test_unreadable_is_told(cache: Cache, root: Path) -> None:
    """A file that may not be read is told, and neither called damaged nor set aside."""
    entry = keep(cache, 1, long(1))
    path = root / value_blob(entry)
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        assert [("unreadable", value_blob(entry))] == kinds(verify(LocalStore(root), repair=True))
    except CacheError:  # pragma: no cover - no other error can come
        raise
    finally:
        path.chmod(0o644)

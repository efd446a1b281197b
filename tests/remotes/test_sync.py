"""Two stores become one set, whatever order, fault, cut or malice."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from simcache.cache import Cache
from simcache.cli.progress import Bar
from simcache.errors import BadSettings, StoreReadOnly, Unavailable
from simcache.home import user_folder
from simcache.model import INLINE, Blob, Capabilities, Entry, entry_digest, entry_prefix
from simcache.stores.base import Listed, Store
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.upkeep.sync import Patience, SyncReport, Way, sync
from simcache.upkeep.verify import verify
from tests.remotes.parties import a_party, a_project
from tests.simcache import faulty
from tests.simcache.killed import die_at
from tests.simcache.stored import files_under, keep, simcache, unprivileged, value_blob

ONCE = Patience(tries=1)
SOON = Patience(tries=3, first=0.001)


def held(store: Store) -> dict[str, bytes]:
    return {listed.name: bytes(store.get(listed.name)) for listed in store.list()}


def filled(store: Store, *names: object) -> list[Entry]:
    cache = Cache(store)
    return [keep(cache, name, {"name": str(name), "more": "x" * INLINE}, state=None) for name in names]


def moved(report: SyncReport) -> tuple[int, int]:
    """How many blobs came, and went."""
    return (0 if report.received is None else report.received.blobs, 0 if report.sent is None else report.sent.blobs)


class Bucket(MemoryStore):
    """A store that lists its names page by page, and remembers what was listed."""

    def __init__(self) -> None:
        super().__init__()
        self.url = f"bucket://{id(self)}-{time.monotonic_ns()}"
        self.capabilities = self.capabilities._replace(quick=False, paged=True)
        self.listed: list[str] = []
        self.named_otherwise: list[str] = []

    def foreign(self) -> Sequence[str]:
        return self.named_otherwise

    def list(self, prefix: str = "") -> Iterator[Listed]:
        self.listed.append(prefix)
        return super().list(prefix)


class TestUnion:
    """What one side lacks is moved, and nothing else."""

    @pytest.mark.parametrize("way", ["both", "to", "from"])
    def test_the_ways(self, tmp_path: Path, way: Way) -> None:
        """Each direction moves its own side's results; both together make two equal sets."""
        near, far = LocalStore(tmp_path / "near"), MemoryStore()
        filled(near, 1, 2)
        filled(far, 2, 3, 4)
        before = held(near), held(far)
        report = sync(near, far, way)

        union = before[0] | before[1]
        assert report.complete
        assert (union if way != "to" else before[0]) == held(near)
        assert (union if way != "from" else before[1]) == held(far)
        assert (0, 0) == moved(sync(near, far, way))

    def test_small_results_are_one_thing_each(self, tmp_path: Path) -> None:
        """What stands in its entry arrives with it; only the list of functions, which all share, is a blob."""
        near, far = LocalStore(tmp_path / "near"), MemoryStore()
        entries = [keep(Cache(far), name, {"name": name}, state=None) for name in range(5)]
        report = sync(near, far)

        assert (1, 0) == moved(report)
        assert [{"name": name} for name in range(5)] == [Cache(near).lookup(entry.function, entry.key).value for entry in entries]
        assert verify(near).sound

    def test_again_moves_no_byte(self) -> None:
        """With nothing new, names are listed and nothing is read or written."""
        near, far = MemoryStore(), faulty.Faulty(MemoryStore())
        filled(near, *range(20))
        sync(near, far)
        far.log.clear()
        sync(near, far)

        assert {"list"} == {call for call, _ in far.log}

    def test_a_dry_run_tells_what_would_be_moved(self) -> None:
        """The same numbers as the run itself, and nothing is changed."""
        near, far = MemoryStore(), MemoryStore()
        filled(near, 1, 2)
        filled(far, 3)
        before = held(near), held(far)
        told = sync(near, far, dry_run=True)

        assert before == (held(near), held(far))
        done = sync(near, far)
        assert (told.received, told.sent) == (done.received, done.sent)

    def test_only_some(self) -> None:
        """A glob of functions or keys; what their results need comes along, and nothing else."""
        near, far = MemoryStore(), MemoryStore()
        kept = [keep(Cache(near), name, [name], function=f"model.{name}") for name in ("f", "g", "h")]
        sync(near, far, only=["model.f", kept[2].key[:8] + "*"])

        assert {kept[0].name, kept[2].name} == {listed.name for listed in far.list("entries/")}
        assert verify(far).sound
        assert 0 == verify(far).unreferenced

    @pytest.mark.parametrize("way", ["both", "to", "from"])
    def test_a_glob_that_nothing_matches(self, way: Way) -> None:
        """Is told apart from one whose results are all there already, by function and by key, whichever side has them."""
        near, far = MemoryStore(), MemoryStore()
        entry = keep(Cache(far), 1, [1], function="model.f")

        assert not sync(near, far, way, only=["modell.*"]).matched
        for glob in ("model.?", f"{entry.key[:6]}*"):
            assert sync(near, far, way, only=["modell.*", glob]).matched
            assert sync(near, far, way, only=[glob], dry_run=True).matched
        assert sync(near, far, way).matched

    def test_a_lost_blob_comes_back(self) -> None:
        """An entry that both have, whose blob one has lost: the blob is moved."""
        near, far = MemoryStore(), MemoryStore()
        entry = filled(near, 1, 2)[0]
        sync(near, far)
        near.delete(value_blob(entry))
        report = sync(near, far)

        assert (1, 0) == moved(report)
        assert verify(near).sound

    @pytest.mark.parametrize("way", ["both", "to", "from"])
    def test_nothing_new_far_away_asks_for_entries_alone(self, way: Way) -> None:
        """Where both sides have been seen the same, the blobs are not listed again; nor is one of them moved."""
        near, far = MemoryStore(), Bucket()
        filled(near, 1, 2)
        filled(far, 3)
        sync(near, far)
        far.listed.clear()

        assert (0, 0) == moved(sync(near, far, way))
        assert {"entries/"} == set(far.listed)

    @pytest.mark.parametrize("new", ["near", "far"])
    def test_what_is_new_is_found_far_away(self, new: str) -> None:
        """One more result on either side, and one blob is moved."""
        stores = {"near": MemoryStore(), "far": Bucket()}
        filled(stores["near"], 1, 2)
        sync(stores["near"], stores["far"])
        filled(stores[new], 3)

        assert ((0, 1) if new == "near" else (1, 0)) == moved(sync(stores["near"], stores["far"]))
        assert held(stores["near"]) == held(stores["far"])

    def test_a_blob_lost_here_comes_back_from_far_away(self) -> None:
        """What an entry of the near side names and the near side has lost is asked for, though both have the same entries."""
        near, far = MemoryStore(), Bucket()
        entry = filled(near, 1, 2)[0]
        sync(near, far)
        near.delete(value_blob(entry))

        assert (1, 0) == moved(sync(near, far))
        assert verify(near).sound

    @pytest.mark.parametrize("kind", ["its value", "its functions"])
    def test_a_blob_set_aside_far_away_comes_back(self, kind: str) -> None:
        """What `verify` finds wrong is looked at by the next sync, also where the entry still stands."""
        near, far = MemoryStore(), Bucket()
        entry = filled(near, 1, 2)[0]
        lost = value_blob(entry) if kind == "its value" else entry.blobs[entry.parts or 0].name
        sync(near, far)
        far.put(lost, [b"damaged"])
        assert not verify(far).sound
        verify(far, repair=True)

        assert (0, 1) == moved(sync(near, far))
        assert verify(far).sound

    @pytest.mark.parametrize(("hours", "sent"), [(0, 0), (23, 0), (25, 1), (-1, 1)])
    def test_a_blob_lost_far_away_is_missed_within_a_day(self, hours: float, sent: int) -> None:
        """A look counts for a day, and one of tomorrow does not; with something new it is not asked."""
        near, far = MemoryStore(), Bucket()
        lost = value_blob(filled(near, 1, 2)[0])
        sync(near, far)
        far.delete(lost)
        (look,) = (Path(user_folder()) / "looks" / xxh3_128_hexdigest(far.url.encode())).iterdir()
        os.utime(look, (time.time() - hours * 3600,) * 2)

        assert (0, sent) == moved(sync(near, far))
        filled(near, 3)
        assert (0, 2 - sent) == moved(sync(near, far))
        assert verify(far).sound

    @pytest.mark.parametrize("why", ["foreign", "one way", "only", "dry run"])
    def test_what_is_no_look(self, why: str) -> None:
        """Where something was refused or left out, the next sync lists all names again."""
        near, far = MemoryStore(), Bucket()
        filled(near, 1)
        filled(far, 2) if why == "one way" else sync(near, far)
        filled(near, 3)
        if why == "foreign":
            far.named_otherwise = ["blobs/../evil"]
        sync(near, far, "to" if why == "one way" else "both", only=["nothing.*"] if why == "only" else (), dry_run=why == "dry run")
        far.listed.clear()
        report = sync(near, far)

        assert {"entries/", "blobs/"} == set(far.listed)
        assert (why == "foreign") == bool(report.refused)

    def test_a_damaged_copy_is_replaced(self, tmp_path: Path) -> None:
        """A blob that stands there already is not believed: it is taken anew if it is damaged."""
        near, far = LocalStore(tmp_path / "near"), MemoryStore()
        entry = filled(far, 1)[0]
        near.put(value_blob(entry), [b"damaged"])
        sync(near, far, "from")

        assert verify(near).sound

    def test_tombstones_travel(self) -> None:
        """What is withdrawn on one side is served on none."""
        near, far = MemoryStore(), MemoryStore()
        entry = filled(near, 1)[0]
        sync(near, far)
        Cache(far).withdraw([entry], entry.made, "wrong")
        sync(near, far)

        assert [] == Cache(near).entries(entry.function, entry.key)

    def test_what_differs_is_told(self) -> None:
        """One key, other bytes from elsewhere: both are kept, and the report says who made which."""
        near, far = MemoryStore(), MemoryStore()
        keep(Cache(near), 1, [1.0], host="laptop")
        keep(Cache(far), 1, [2.0], host="cluster")
        report = sync(near, far)

        assert report.complete
        assert ["laptop", "cluster"] == sorted((one.host for one in report.divergences[0].results), reverse=True)
        assert 1 == len(verify(far).divergences)

    def test_only_results_of_one_key_differ(self) -> None:
        """A second result of one key is not held against those of other keys, though their names begin alike."""
        near, far = MemoryStore(), MemoryStore()
        filled(near, 1, 2, 3)
        keep(Cache(near), 1, [2.0], function="model.g")
        keep(Cache(far), 1, {"name": "1", "more": "x" * INLINE}, host="cluster")
        report = sync(near, far, "from")

        assert 1 == (report.received and report.received.entries)
        assert () == report.divergences

    def test_the_same_store_twice(self) -> None:
        """A store has nothing to give to itself."""
        store = MemoryStore()
        with pytest.raises(BadSettings, match="one and the same"):
            sync(store, store)

    def test_the_same_folder_by_another_name(self, tmp_path: Path) -> None:
        """A link to the store is no copy of it: "nothing new" would say that there is one."""
        near = LocalStore(tmp_path / "store")
        filled(near, 1)
        (tmp_path / "backup").symlink_to("store")
        with pytest.raises(BadSettings, match="one and the same"):
            sync(near, LocalStore(tmp_path / "backup"))

    @settings(max_examples=30)
    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from(["both", "to", "from"])), max_size=12))
    def test_any_order_ends_with_one_set(self, steps: list[tuple[int, int, Way]]) -> None:
        """Three parties compute and sync with one hub in any order; after one round for each, and another, all have all."""
        parties, hub = [MemoryStore() for _ in range(3)], MemoryStore()
        every: dict[str, bytes] = {}
        for party, number, way in steps:
            filled(parties[party], number, f"{party} {number}")
            every |= held(parties[party])
            assert sync(parties[party], hub, way, jobs=1).complete
            assert verify(hub).sound
        for party in [*range(3), *range(3)]:
            sync(parties[party], hub, jobs=1)

        assert all(every == held(store) for store in (*parties, hub))

    def test_three_at_once(self, tmp_path: Path) -> None:
        """At the same time, through one folder."""
        stores = [LocalStore(tmp_path / name) for name in "abc"]
        for store in stores:
            filled(store, "shared", *(f"{store.url} {number}" for number in range(10)))
        threads = [threading.Thread(target=lambda near=store: sync(near, LocalStore(tmp_path / "hub"))) for store in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for store in stores:
            sync(store, LocalStore(tmp_path / "hub"))

        assert 1 == len({frozenset(held(store)) for store in (*stores, LocalStore(tmp_path / "hub"))})
        assert all(verify(store).sound for store in stores)


class TestFaults:
    """What may pass is tried again; what cannot be had is named; nothing is lost."""

    @pytest.mark.parametrize("way", ["to", "from"])
    @pytest.mark.parametrize("late", [False, True])
    def test_a_cut_at_every_call(self, way: Way, late: bool) -> None:
        """Far fails at its n-th call, before or after the call did its work, for every n: the target is sound, and the next run moves only the rest."""
        for number in range(1, 200):
            near, far = MemoryStore(), MemoryStore()
            entries = filled(near if way == "to" else far, 1, 2, 3)
            target = far if way == "to" else near
            broken = faulty.fails_at(far, number, ConnectionResetError(errno.ECONNRESET, "cut"), late=late)
            try:
                report: SyncReport | None = sync(near, broken, way, jobs=1, patience=ONCE)
            except OSError:
                report = None
            assert verify(target).sound
            there = {listed.name for listed in target.list("blobs/")}
            again = sync(near, far, way, jobs=1)
            assert again.complete
            assert {blob.name for entry in entries for blob in entry.blobs} - there == {
                listed.name for listed in target.list("blobs/")
            } - there
            assert len({blob.name for entry in entries for blob in entry.blobs} - there) == sum(moved(again))
            assert held(near) == held(far)
            if report is not None and report.complete:
                break

        assert number > 5

    def test_what_passes_is_tried_again(self) -> None:
        """A connection that is cut now and then costs time and nothing else."""
        near, far = MemoryStore(), MemoryStore()
        filled(far, *range(5))
        for number in range(1, 12):
            broken = faulty.fails_at(far, number, Unavailable("x", "busy"))
            assert sync(MemoryStore(), broken, "from", patience=SOON, jobs=1).complete
        assert sync(near, faulty.fails_at(far, 3, TimeoutError()), "from", patience=SOON).complete

    def test_one_that_is_away_is_not_asked_for_everything(self) -> None:
        """After a few things in a row that cannot be had, the run stops, and says how to go on."""
        far = MemoryStore()
        filled(far, *range(50))
        gone = faulty.Faulty(far, faulty.Fault(error=lambda _, name: Unavailable(name, "the network is down"), calls=frozenset({"get"})))
        report = sync(MemoryStore(), gone, "from", patience=ONCE)

        assert not report.complete
        assert "the network is down" in report.stopped
        assert len(gone.log) < 40

    def test_a_side_that_cannot_be_asked(self) -> None:
        """No listing, no sync: one error."""
        with pytest.raises(Unavailable):
            sync(MemoryStore(), faulty.offline(MemoryStore()), patience=ONCE)

    @pytest.mark.parametrize("way", ["to", "both"])
    def test_a_side_that_takes_no_writes(self, way: Way) -> None:
        """Said before anything is moved; taking from it works."""
        near, far = MemoryStore(), MemoryStore()
        filled(far, 1)
        with pytest.raises(StoreReadOnly):
            sync(near, faulty.read_only(far), way)
        assert sync(near, faulty.read_only(far), "from").complete
        assert held(near) == held(far)

    @pytest.mark.parametrize("room", [0, 1, 3, 4])
    def test_a_full_disk(self, room: int) -> None:
        """The run stops with the reason; what fitted stays, is sound, and is not moved again."""
        near, far = MemoryStore(), MemoryStore()
        filled(near, 1, 2, 3)
        report = sync(near, faulty.full(far, after=room), "to", jobs=1, patience=ONCE)

        assert "No space left on device" in report.stopped
        assert verify(far).sound
        assert room == len(held(far))
        assert sync(near, far, "to").complete
        assert held(near) == held(far)

    def test_an_interrupt_leaves_a_sound_store(self) -> None:
        """Ctrl-C is an end like any other."""
        near, far = MemoryStore(), MemoryStore()
        filled(near, *range(30))
        with pytest.raises(KeyboardInterrupt):
            sync(near, faulty.fails_at(far, 10, KeyboardInterrupt()), "to")  # type: ignore[arg-type]
        assert verify(far).sound
        assert sync(near, far).complete

    @pytest.mark.skipif(os.name == "nt", reason="kill -9")
    def test_a_kill_at_every_step(self, tmp_path: Path) -> None:
        """Kill -9 before the n-th system call that writes, for every n: the folder is sound, and the next run completes it."""
        near = LocalStore(tmp_path / "near")
        filled(near, 1, 2)
        expected = held(near)
        for last in range(1, 300):
            far = tmp_path / str(last)
            child = os.fork()
            if not child:
                die_at(last, 0.5)
                sync(near, LocalStore(far), "to", jobs=1)
                os._exit(0)
            died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
            assert verify(LocalStore(far)).sound
            assert sync(near, LocalStore(far), "to", jobs=1).complete
            assert expected == held(LocalStore(far))
            shutil.rmtree(far)
            if not died:
                break

        assert last > 20


class Hostile(MemoryStore):
    """A far store whose owner wishes us ill: it lists what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.capabilities = Capabilities()
        self.odd: list[str] = []

    def foreign(self) -> list[str]:
        return self.odd


class TestMalice:
    """Refused one by one, by name and with a reason; the rest arrives."""

    @pytest.fixture
    def far(self) -> Hostile:
        return Hostile()

    def arrives(self, far: Hostile, bad: set[str], good: list[Entry], *, trust: bool = False) -> SyncReport:
        near = MemoryStore()
        report = sync(near, far, "from", trust=trust, patience=ONCE)

        assert bad == {one.name for one in report.refused}
        assert all(one.reason for one in report.refused)
        assert {entry.name for entry in good} == {listed.name for listed in near.list("entries/")}
        assert verify(near).sound
        return report

    def test_one_flipped_bit_of_many(self, far: Hostile) -> None:
        """One wrong byte: one result is refused, and all others arrive."""
        entries = filled(far, *range(40))
        name = value_blob(entries[7])
        far._kept.bytes[name] = b"!" + far._kept.bytes[name][1:]
        report = self.arrives(far, {entries[7].name}, [*entries[:7], *entries[8:]])

        assert "SHA-256" in report.refused[0].reason

    @pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: data + b"x", lambda _: b"", lambda data: data * 1000])
    def test_another_length(self, far: Hostile, spoil: Callable[[bytes], bytes]) -> None:
        """Short, long, empty, or swollen."""
        entries = filled(far, 1, 2)
        name = value_blob(entries[0])
        far._kept.bytes[name] = spoil(far._kept.bytes[name])
        self.arrives(far, {entries[0].name}, entries[1:])

    def test_an_entry_that_names_another_key(self, far: Hostile) -> None:
        """Its own digest is right, and it lies under a key that it was not made for."""
        entries = filled(far, 1, 2)
        data = entries[0].to_bytes()
        name = f"{entry_prefix(entries[0].function, 'ab' * 16)}{entry_digest(data)}.json"
        far.put(name, [data])
        self.arrives(far, {name}, entries)

    def test_an_entry_with_other_bytes(self, far: Hostile) -> None:
        """What its name promises is something else."""
        entries = filled(far, 1, 2)
        far._kept.bytes[entries[0].name] = entries[0].to_bytes().replace(b"model.f", b"model.g")
        self.arrives(far, {entries[0].name}, entries[1:])

    def test_an_entry_that_lies_about_a_blob(self, far: Hostile) -> None:
        """The bytes are sound, and the entry says another XXH3-128 or size of them; also if they are here already."""
        entries = filled(far, 1, 2)
        lies = []
        for lie in (Blob(entries[0].blobs[0].sha256, "0" * 32, entries[0].blobs[0].size), entries[0].blobs[0]._replace(size=1)):
            entry = entries[0]._replace(blobs=(lie, *entries[0].blobs[1:]), key="ab" * 16)
            far.put(entry.name, [entry.to_bytes()])
            lies.append(entry.name)
        self.arrives(far, set(lies), entries)

    def test_a_blob_that_nobody_has(self, far: Hostile) -> None:
        """An entry whose bytes are nowhere is not seen."""
        entries = filled(far, 1, 2)
        far.delete(value_blob(entries[0]))
        report = self.arrives(far, {entries[0].name}, entries[1:])

        assert "nothing is stored" in report.refused[0].reason

    def test_an_entry_of_the_future(self, far: Hostile) -> None:
        """A newer format is not guessed at."""
        entries = filled(far, 1)
        record = json.loads(entries[0].to_bytes()) | {"format": 99}
        data = json.dumps(record).encode()
        name = f"{entry_prefix(entries[0].function, entries[0].key)}{entry_digest(data)}.json"
        far.put(name, [data])
        self.arrives(far, {name}, entries)

    def test_pickles(self, far: Hostile) -> None:
        """A pickle could run any code: refused, unless everything is trusted."""
        good = filled(far, 1)
        cache = Cache(far)
        bad = keep(cache, "p", [1])
        pickled = bad._replace(value={**(bad.value or {}), "codec": "pickle"}, key="cd" * 16)
        argument = bad._replace(arguments={"n": {"blob": 0, "describe": {"codec": "pickle"}}}, key="ef" * 16)
        far.delete(bad.name)
        for entry in (pickled, argument):
            far.put(entry.name, [entry.to_bytes()])
        self.arrives(far, {pickled.name, argument.name}, good)
        self.arrives(far, set(), [*good, pickled, argument], trust=True)

    def test_names_that_lead_elsewhere(self, far: Hostile, tmp_path: Path) -> None:
        """`..`, absolute names and others that are neither blob nor entry are named and never opened."""
        entries = filled(far, 1)
        far.odd = ["entries/../../evil.json", "/etc/passwd", "blobs/../x"]
        self.arrives(far, set(far.odd), entries)

    def test_a_store_that_lists_names_that_lead_elsewhere(self, tmp_path: Path) -> None:
        """Even a kind of store that hands such names on cannot have them written."""

        class Careless(MemoryStore):
            def list(self, prefix: str = "") -> Iterator[Listed]:
                yield Listed(f"{prefix or 'entries/'}../../../evil", 1)
                yield from super().list(prefix)

        far = Careless()
        entries = filled(MemoryStore(far._name), 1)
        near = LocalStore(tmp_path / "deep" / "near")
        report = sync(near, far, "from", patience=ONCE)

        assert {"entries/../../../evil", "blobs/../../../evil"} == {one.name for one in report.refused}
        assert {entries[0].name} == {listed.name for listed in near.list("entries/")}
        assert ["deep"] == [path.name for path in tmp_path.iterdir()]

    def test_files_of_others_in_a_folder(self, tmp_path: Path) -> None:
        """A file among the blobs of a folder is no blob."""
        far = LocalStore(tmp_path / "far")
        entries = filled(far, 1)
        (tmp_path / "far" / "blobs" / "ab" / "README").parent.mkdir(exist_ok=True)
        (tmp_path / "far" / "blobs" / "ab" / "README").write_text("hello")
        near = MemoryStore()
        report = sync(near, far, "from")

        assert ["blobs/ab/README"] == [one.name for one in report.refused]
        assert {entries[0].name} == {listed.name for listed in near.list("entries/")}


class TestTheTwoSides:
    """The plan of the project, through a folder that both can reach: separate processes and homes."""

    @pytest.mark.parametrize(("first", "second"), [("laptop", "cluster"), ("cluster", "laptop")])
    def test_what_one_computes_the_other_does_not(self, tmp_path: Path, first: str, second: str) -> None:
        """One computes and sends; the other receives and hits. Another rate misses, and its baseline still hits."""
        one, other = a_party(tmp_path, first), a_party(tmp_path, second)
        for party in (one, other):
            a_project(party, {"lab": str(tmp_path / "lab")})
        value = one.ask("learn(0.5)")
        one.simcache("sync", "--to", "lab")
        other.simcache("sync", "--from", "lab")

        assert value == other.ask("learn(0.5)")
        assert [] == other.ticks()
        other.ask("learn(0.25)")
        assert ["learn 0.25"] == other.ticks()
        other.simcache("sync", "lab")
        one.simcache("sync", "lab")
        one.ask("learn(0.25)")
        assert ["learn 0.5", "baseline 3"] == one.ticks()
        assert one.names() == other.names()


class TestVerifyAcross:
    """Stores that do not know each other, looked at together."""

    def test_results_that_differ_are_told_with_who_made_which(self, tmp_path: Path) -> None:
        """Two machines, two results of one key: each store alone is sound, both together are not."""
        for name, value in (("laptop", 1.0), ("cluster", 2.0)):
            cache = Cache(tmp_path / name)
            keep(cache, "same", [7.0], host=name)
            keep(cache, "other", [value], host=name)
        (tmp_path / "simcache.toml").write_text('store = "laptop"\n[remotes]\ncluster = "cluster"\n')
        assert 0 == simcache(tmp_path, "verify", "cluster").returncode
        done = simcache(tmp_path, "verify", "--with", "cluster", "--json")
        told = json.loads(done.stdout)

        assert (1, False, 2) == (done.returncode, told["sound"], len(told["stores"]))
        assert all(store["sound"] for store in told["stores"])
        assert [{"laptop", "cluster"}] == [{one["host"] for one in found["results"]} for found in told["divergences"]]
        lines = simcache(tmp_path, "verify", "--with", "cluster").stdout
        assert "made 2026-01-02 03:04:05 on laptop" in lines
        assert "1 divergence among the 2 stores" in lines

    def test_damage_anywhere_is_told(self, tmp_path: Path) -> None:
        """What is wrong with one of them is wrong with all together."""
        filled(LocalStore(tmp_path / "one"), 1)
        entry = filled(LocalStore(tmp_path / "two"), 1)[0]
        (tmp_path / "two" / value_blob(entry)).write_bytes(b"x")
        done = simcache(tmp_path, "verify", "one", "--with", "two")

        assert 1 == done.returncode
        assert "the stores agree" in done.stdout


class TestCommand:
    """`simcache sync`, for real."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "simcache.toml").write_text('store = "store"\n[remotes]\nlab = "lab"\n')
        filled(LocalStore(tmp_path / "store"), 1, 2)
        return tmp_path

    def test_json(self, folder: Path) -> None:
        """One document with all that was done."""
        told = json.loads(simcache(folder, "sync", "--to", "lab", "--json").stdout)

        assert (True, 2, None) == (told["complete"], told["sent"]["entries"], told["received"])
        assert files_under(folder / "store") == files_under(folder / "lab")

    def test_a_dry_run_before_the_first_sync(self, folder: Path) -> None:
        """A folder that is not there yet is what the first sync makes: a dry run tells that, and makes none."""
        done = simcache(folder, "sync", "--to", "lab", "--dry-run")

        assert 0 == done.returncode, done.stderr
        assert done.stdout.startswith("would be sent 2 entries")
        assert f"would make the store {folder / 'lab'}, where there was none" == done.stdout.splitlines()[1]
        assert not (folder / "lab").exists()

    @pytest.mark.parametrize("arguments", [("--to", "./typo"), ("--from", "store", "--store", "typo")], ids=" ".join)
    def test_a_store_that_is_made_is_told(self, folder: Path, arguments: tuple[str, ...]) -> None:
        """A slip of the finger makes a store of its own: the report says so, once."""
        filled(LocalStore(folder / "lab"), 1)
        done = simcache(folder, "sync", *arguments)
        again = [simcache(folder, "sync", *arguments, *more) for more in ((), ("--json",))]

        assert (0, f"made the store {folder / 'typo'}, where there was none") == (done.returncode, done.stdout.splitlines()[-1]), done
        assert "made the store" not in again[0].stdout
        assert [] == json.loads(again[1].stdout)["made"]

    def test_a_glob_that_nothing_matches(self, folder: Path) -> None:
        """Says so, with exit code 1; one whose results are all there is well."""
        done = simcache(folder, "sync", "lab", "--only", "modle.*")

        assert (1, "") == (done.returncode, done.stderr)
        assert done.stdout == "nothing on either side matches --only modle.*: `simcache ls` lists functions and keys\n"
        assert [0, 0] == [simcache(folder, "sync", "lab", "--only", "m*").returncode for _ in range(2)]

    def test_a_heartbeat_tells_how_far_it_is(self, folder: Path) -> None:
        """Short runs have nothing to tell; what is told goes to stderr, so that the answer stands alone."""
        done = simcache(folder, "sync", "lab", "--progress")

        assert 0 == done.returncode
        assert done.stdout.startswith("nothing new from")

    def test_what_is_read_before_anything_is_moved_is_told(self) -> None:
        """Of many new results far away, reading the entries is most of the work: it is not silent."""
        told: list[tuple[int, int]] = []
        near, far = MemoryStore(), MemoryStore()
        filled(far, *range(5))
        sync(near, far, "from", jobs=1, looking=lambda done, total: told.append((done, total)))

        assert [(number, 5) for number in range(1, 6)] == told

    def test_the_time_left_is_told_from_where_the_work_began(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What came before it (an hour of other work, bytes that were there already) says nothing about how fast it goes."""
        clock = iter((0.0, 3600.0, 3610.0))
        monkeypatch.setattr("simcache.cli.progress.time.monotonic", lambda: next(clock))
        bar = Bar("moving", heartbeat=True)
        bar(100, 400)
        bar(200, 400)

        assert ["moving: 100 B of 400 B", "moving: 200 B of 400 B, about 20 s left"] == capsys.readouterr().err.splitlines()

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            ((), 2, "name one other store"),
            (("--to", "lab", "--from", "lab"), 2, "name one other store"),
            (("labb",), 2, "there is no remote of this name (there are: lab)"),
            (("--from", "./nowhere"), 2, "nothing is there"),
            (("--from", "packed://nowhere"), 2, "nothing is there"),
            (("--from", "packed://."), 2, "no index of packs (*.simidx) is there"),
            (("--from", "mounted://."), 2, "it holds other things"),
            (("--to", "ftp://x/y"), 2, "no kind of store"),
            (("--to", "s3:bucket/lab"), 2, "two slashes are missing"),
            (("--to", "s3:/bucket/lab"), 2, "two slashes are missing"),
            (("--to", "kaggle:me/results"), 2, "it is written kaggle://"),
            (("--to", "labb:results"), 2, "a folder of this name is ./labb:results"),
            (("--to", "git+lfs:"), 2, "names no folder"),
            (("--to", "git+lfs:?branch=x"), 2, "names no folder"),
            (("store",), 2, "one and the same store"),
            (("lab", "--jobs", "0"), 2, "--jobs"),
        ],
    )
    def test_mistakes(self, folder: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
        """One line, the right exit code, and nothing is moved."""
        done = simcache(folder, "sync", *arguments)

        assert code == done.returncode, done.stdout
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert {"simcache.toml", "store"} == {path.name for path in folder.iterdir()}

    def test_mistakes_of_who_verifies(self, folder: Path) -> None:
        """A remote that is none is told with those that there are, as by sync."""
        done = simcache(folder, "verify", "--with", "labb")

        assert 2 == done.returncode
        assert "there is no remote of this name (there are: lab)" in done.stderr

    def test_refused_things_are_named(self, folder: Path) -> None:
        """Exit code 1, one line for each, and the rest is moved."""
        entry = filled(LocalStore(folder / "lab"), "far", "other")[0]
        (folder / "lab" / value_blob(entry)).write_bytes(b"damaged")
        done = simcache(folder, "sync", "--from", "lab")

        assert 1 == done.returncode
        assert [line for line in done.stdout.splitlines() if line.startswith(f"refused {entry.name}")]
        assert "received 1 entry" in done.stdout

    @pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
    @pytest.mark.parametrize(("way", "closed"), [("--to", "lab"), ("--from", "store")])
    def test_a_side_that_takes_no_writes(self, folder: Path, way: str, closed: str) -> None:
        """Exit code 2, as of everything that cannot begin: nothing is called new or old, and what opens it is said; not to run it again."""
        assert 0 == simcache(folder, "sync", "lab").returncode
        filled(LocalStore(folder / ("store" if way == "--to" else "lab")), 3)
        subprocess.run(["chmod", "-R", "a-w", folder / closed], check=True)
        done = unprivileged(folder, "sync", way, "lab")
        subprocess.run(["chmod", "-R", "u+w", folder / closed], check=True)

        assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines())), done
        assert f"simcache: the store {folder / closed} cannot be written: Permission denied" in done.stderr
        assert done.stderr.endswith(f"; `simcache doctor --store {folder / closed}` tells what opens it\n")
        assert 0 == unprivileged(folder, "sync", way, "lab").returncode

    @pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
    def test_a_side_that_takes_no_writes_after_the_other_did(self, folder: Path) -> None:
        """What was received stays, which is exit code 1; that nothing was sent, and what opens the other side, is said."""
        filled(LocalStore(folder / "lab"), 3)
        subprocess.run(["chmod", "-R", "a-w", folder / "lab"], check=True)
        done = unprivileged(folder, "sync", "lab")
        subprocess.run(["chmod", "-R", "u+w", folder / "lab"], check=True)

        received, sent, stopped = done.stdout.splitlines()
        assert 1 == done.returncode, done
        assert received.startswith("received 1 entry")
        assert f"nothing was sent to {folder / 'lab'}" == sent
        assert stopped.startswith(f"stopped: {folder / 'lab'} takes no writes: Permission denied")
        assert stopped.endswith(f"; `simcache doctor --store {folder / 'lab'}` tells what opens it")

    @pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
    def test_a_side_that_takes_no_writes_and_needs_none(self, folder: Path) -> None:
        """Both sides have the same: that is well, whoever may write there."""
        assert 0 == simcache(folder, "sync", "lab").returncode
        subprocess.run(["chmod", "-R", "a-w", folder / "lab"], check=True)
        done = unprivileged(folder, "sync", "lab")
        subprocess.run(["chmod", "-R", "u+w", folder / "lab"], check=True)

        assert (0, "") == (done.returncode, done.stderr)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
    def test_a_full_disk(self, folder: Path) -> None:
        """A far folder on a file system without room: said in one line, exit code 1, and nothing half is there."""
        program = "import resource, sys; sys.dont_write_bytecode = True; resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50)); import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from simcache.cli import main; main(['sync', '--to', 'lab'])"
        done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)

        assert 1 == done.returncode, done.stderr
        assert 1 == len([line for line in done.stdout.splitlines() if line.startswith("stopped")])
        assert verify(LocalStore(folder / "lab")).sound

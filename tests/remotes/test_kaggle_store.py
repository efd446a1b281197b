"""Kaggle's own client against a Kaggle on loopback: what is published is all there or not seen, and nothing is lost on the way."""

import errno
import io
import itertools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from simcache import cached
from simcache.cache import Cache
from simcache.errors import BadSettings, Corrupt, Missing, NotStored, StoreReadOnly, Unavailable
from simcache.model import blob_of, check_name
from simcache.stores.base import Store
from simcache.stores.kaggle import SIZES, KaggleShelf, Sizes
from simcache.stores.kaggle_api import Dataset, Kaggle, Patience
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.stores.packs import PackedStore
from simcache.stores.registry import open_store
from simcache.upkeep.sync import sync
from simcache.upkeep.verify import verify
from tests.remotes.kaggle_server import KaggleServer
from tests.simcache.contract import an_entry, packed_by_hand, unpacked_by_hand
from tests.simcache.killed import die_at

HASTY = Patience(tries=3, pause=0.001, longest=0.002, wait=5.0)
SHY = HASTY._replace(tries=1)
"""Gives up at the first fault, so that every one of them is met from outside."""
REF = "me/results"


def opened(writer: str = "laptop", *, patience: Patience = HASTY, sizes: Sizes = SIZES) -> PackedStore:
    """The store as one writer opens it."""
    return PackedStore(KaggleShelf(Dataset("me", "results"), writer=writer, patience=patience, sizes=sizes))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], PackedStore]:
    """The store as it is opened on another machine, or on this one after all that was kept here is gone."""

    def move(name: str, **options: object) -> PackedStore:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        return opened(name, **options)  # type: ignore[arg-type]

    return move


def results(*numbers: int, size: int = 1000) -> dict[str, bytes]:
    """Entries, each with a blob of its own."""
    held = {}
    for number in numbers:
        blob = blob_of([data := b"%8d" % number * (size // 8)])
        held[blob.name] = data
        held |= dict([an_entry("f", number, (blob,))])
    return held


def put_all(store: Store, items: dict[str, bytes]) -> None:
    for name in sorted(items):  # blobs before entries
        store.put(name, [items[name]])


def all_of(store: Store) -> dict[str, bytes]:
    """Everything that can be read there, each item checked."""
    held = {}
    for name, _ in store.list():
        data = bytes(store.get(name))
        check_name(name, data)
        held[name] = data
    return held


def shown(kaggle: KaggleServer) -> dict[str, bytes]:
    """What the current versions of all datasets hold, unpacked by hand and checked."""
    held: dict[str, bytes] = {}
    for ref in kaggle.datasets:
        files = kaggle.shown(ref)
        if files:
            for name, data in files.items():
                assert name == "index.simidx" or name == f"packs/{sha256(data).hexdigest()}.pack"
            held |= unpacked_by_hand(files["index.simidx"], lambda pack, files=files: files[f"packs/{pack}"])  # type: ignore[misc]
    for name, data in held.items():
        check_name(name, data)
    return held


class TestPublishing:
    """From a put to what others see."""

    def test_others_see_it_after_publishing_and_not_before(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """What was put is seen by nobody else until it is published, and then whole."""
        store, items = opened(), results(1, 2)
        put_all(store, items)

        assert kaggle.datasets == {}
        assert set(store.unpublished()) == set(items)
        store.publish()
        assert set(store.unpublished()) == set()
        assert shown(kaggle) == items
        assert all_of(elsewhere("phone")) == items

    def test_a_second_sync_moves_nothing(self, kaggle: KaggleServer) -> None:
        """With nothing new a publishing asks nothing, and a refresh asks for versions only, in less than a second."""
        store = opened()
        put_all(store, results(1))
        store.publish()
        kaggle.log.clear()
        began = time.perf_counter()
        store.publish()
        store.refresh()

        assert time.perf_counter() - began < 1
        assert [line for line in kaggle.log if "GetDataset" not in line and "ListDatasets" not in line] == []

    def test_one_new_result_is_one_small_delta(self, kaggle: KaggleServer) -> None:
        """The base stays as it is; what is new goes into the writer's delta."""
        store = opened()
        put_all(store, results(*range(50)))
        store.publish()
        base, before = kaggle.current(REF), kaggle.bytes_up
        put_all(store, results(99))
        store.publish()

        assert kaggle.current(REF) == base
        assert kaggle.bytes_up - before < 5_000
        assert set(kaggle.datasets) == {REF, f"{REF}-delta-laptop"}

    def test_ten_thousand_results_are_a_handful_of_files(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """10,000 small results are an index, a pack of entries and a pack of blobs; they arrive with as few requests."""
        items = results(*range(10_000), size=64)
        store = opened()
        put_all(store, items)
        store.publish()

        assert len(kaggle.shown(REF)) == 3
        assert len(kaggle.log) < 40
        kaggle.log.clear()
        other = elsewhere("phone")
        assert len(list(other.list())) == 20_000
        names = sorted(items)[::500]
        other.expect(sorted(items))
        assert {name: bytes(other.get(name)) for name in names} == {name: items[name] for name in names}
        assert len(kaggle.log) < 15

    def test_equal_results_make_equal_bytes(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """The same names make the same packs on every machine, in whatever order they were put."""
        items = results(*range(20))
        store = opened()
        put_all(store, items)
        store.publish()
        first = kaggle.shown(REF)
        kaggle.datasets.clear()
        other = elsewhere("laptop")
        for name in sorted(items, reverse=True):
            other.put(name, [items[name]])
        other.publish()

        assert kaggle.shown(REF) == first

    def test_a_large_delta_goes_into_the_base(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """When a delta outgrows its share the base takes it up, and the next delta holds only what is new."""
        store = opened(sizes=Sizes(pack=2000, compact_at_least=3000, compact_share=0.25))
        for number in range(8):
            put_all(store, results(number))
            store.publish()
        put_all(store, results(100))
        store.publish()

        assert kaggle.current(REF) > 1
        assert shown(kaggle) == results(*range(8), 100) == all_of(elsewhere("phone"))
        delta = kaggle.shown(f"{REF}-delta-laptop")
        assert len(delta["index.simidx"].splitlines()) < 10

    def test_many_small_publishings_do_not_make_many_files(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """Packs that are not full are put together before a version has more files than Kaggle takes."""
        store = opened()
        for number in range(24):
            put_all(store, results(number))
            store.publish()

        assert all(len(kaggle.shown(ref)) <= 50 for ref in kaggle.datasets)
        assert all_of(elsewhere("phone")) == results(*range(24))

    def test_progress_ends_at_all_bytes(self, kaggle: KaggleServer) -> None:
        """Who is told hears bytes that never fall and end at the total."""
        store, told = opened(), list[tuple[int, int]]()
        put_all(store, results(1, 2, size=200_000))
        store.publish(lambda done, total: told.append((done, total)))

        assert told == sorted(told)
        assert told[-1][0] == told[-1][1] == kaggle.bytes_up


class TestProcessing:
    """Kaggle takes its time, and does not always succeed."""

    def test_slow_processing_is_followed(self, kaggle: KaggleServer) -> None:
        """Publishing returns when others can read it, however often one has to look; 404 and 403 on the way are no failure."""
        kaggle.processing = 7
        store = opened()
        put_all(store, results(1))
        store.publish()
        put_all(store, results(2))
        store.publish()

        assert shown(kaggle) == results(1, 2)

    def test_who_does_not_wait_loses_nothing(self, kaggle: KaggleServer) -> None:
        """When the wait ends too early one line says so; run again, it sees the version through and uploads nothing again."""
        kaggle.processing = 1_000_000
        store = opened(patience=HASTY._replace(wait=0.01))
        put_all(store, results(1))
        with pytest.raises(Unavailable, match=r"still processing me/results; nothing is lost"):
            store.publish()
        assert all_of(store) == results(1)
        sent = kaggle.bytes_up
        kaggle.datasets[REF][0].left = 0
        store.publish()

        assert kaggle.bytes_up == sent
        assert shown(kaggle) == results(1)

    def test_a_version_that_fails_is_told_and_made_anew(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """A version that Kaggle fails to process is an error in one line; the next run publishes, and readers see no half."""
        store = opened()
        put_all(store, results(1))
        store.publish()
        put_all(store, results(2))
        store.publish()
        put_all(store, results(3))
        kaggle.fail_next = 1
        with pytest.raises(Unavailable, match="failed to process"):
            store.publish()

        assert shown(kaggle) == results(1, 2)
        store.publish()
        assert all_of(elsewhere("phone")) == results(1, 2, 3)

    def test_a_first_version_that_fails(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """The very first version may fail too."""
        kaggle.fail_next = 1
        store = opened()
        put_all(store, results(1))
        with pytest.raises(Unavailable, match="failed to process"):
            store.publish()
        store.publish()

        assert all_of(elsewhere("phone")) == results(1)

    @pytest.mark.parametrize("first", [True, False])
    def test_no_room_at_kaggle(self, kaggle: KaggleServer, first: bool) -> None:
        """What Kaggle says no to is told with its reason, at once; with room, the next run publishes."""
        store = opened()
        for number in range(1 if first else 3):
            put_all(store, results(number))
            kaggle.full = first or number == 2
            if kaggle.full:
                with pytest.raises(Unavailable, match="quota of this account is used up.*nothing is lost"):
                    store.publish()
                kaggle.full = False
            store.publish()

        assert shown(kaggle) == results(*range(1 if first else 3))

    def test_a_version_without_one_of_its_files_is_not_believed(
        self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]
    ) -> None:
        """A version whose last file got lost on the way is seen by reading back, and made anew."""
        kaggle.lose_pack = True
        store = opened()
        put_all(store, results(1, 2))
        store.publish()

        assert all_of(elsewhere("phone")) == results(1, 2)
        assert sum(map(len, kaggle.datasets.values())) == 2


class TestWriters:
    """Several writers, at once."""

    def test_two_publishers_at_once_lose_nothing(
        self, kaggle: KaggleServer, tmp_path: Path, elsewhere: Callable[[str], PackedStore]
    ) -> None:
        """Processes with homes of their own that publish at the same time, each several times: everything is there at the end."""
        kaggle.processing = 2
        context = multiprocessing.get_context("spawn")
        writers = [
            context.Process(target=_publish_some, args=(str(tmp_path / name), name, start)) for name, start in (("a", 0), ("b", 100))
        ]
        for process in writers:
            process.start()
        for process in writers:
            process.join(60)

        assert [process.exitcode for process in writers] == [0, 0]
        expected = results(*range(4), *range(100, 104))
        assert all_of(elsewhere("phone")) == expected

    def test_two_machines_with_one_writers_name_lose_nothing(
        self, kaggle: KaggleServer, tmp_path: Path, elsewhere: Callable[[str], PackedStore]
    ) -> None:
        """Even one dataset with two writers keeps what each of them put, though Kaggle lets the last one win."""
        context = multiprocessing.get_context("spawn")
        writers = [
            context.Process(target=_publish_some, args=(str(tmp_path / name), "same", start)) for name, start in (("a", 0), ("b", 100))
        ]
        for process in writers:
            process.start()
        for process in writers:
            process.join(60)

        assert [process.exitcode for process in writers] == [0, 0]
        assert all_of(elsewhere("phone")) == results(*range(4), *range(100, 104))

    def test_a_version_that_its_successor_did_not_see_is_read(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """The lost update: v2 and v3 both start from v1. A reader takes both, and the next writer joins them."""
        for number, follows in ((1, 0), (2, 1), (3, 1)):
            index, pack = packed_by_hand(results(number), follows=follows)
            kaggle.add(REF, {"index.simidx": index, f"packs/{sha256(pack).hexdigest()}.pack": pack})
        held = all_of(elsewhere("phone"))

        assert held.keys() >= results(2, 3).keys()

    def test_writers_that_kaggle_does_not_list_yet_are_found(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """A list that is behind hides nobody whom an index names."""
        for number, writer in enumerate(("a", "b", "a")):
            store = elsewhere(writer)
            put_all(store, results(number))
            store.publish()
        kaggle.unlisted = True

        assert all_of(elsewhere("phone")).keys() >= results(0, 2).keys()

    def test_a_dataset_of_somebody_else_is_read_only(self, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Publishing under another owner is refused in one line that says what to do, and what was put stays."""
        for name, value in kaggle.environment("other").items():
            monkeypatch.setenv(name, value)
        store = opened()
        put_all(store, results(1))
        with pytest.raises(StoreReadOnly, match=r"only me can: publish as kaggle://YOU/results"):
            store.publish()

        assert all_of(store) == results(1)


def _publish_some(home: str, writer: str, start: int) -> None:
    os.environ["XDG_CACHE_HOME"] = home
    store = opened(writer, patience=HASTY._replace(tries=6))
    for number in range(start, start + 4):
        put_all(store, results(number))
        store.publish()


def requests_of_a_publishing() -> int:
    """More requests than a publishing and reading of this size makes; the tests below stop where a run meets no fault."""
    return 40


def _publish_until(step: int) -> None:
    store = opened()
    die_at(step, 0.5)
    store.publish()


class TestFaults:
    """Each request in turn goes wrong; run again, it completes, and what is visible in between is sound."""

    @pytest.mark.parametrize(
        "kind", ["drop", "cut", pytest.param("lose", marks=pytest.mark.deep), pytest.param("500", marks=pytest.mark.deep)]
    )
    def test_a_fault_at_each_request_of_publishing(self, kaggle: KaggleServer, kind: str) -> None:
        """Whichever request goes wrong, one line says so; the next run completes, and nobody ever sees a half."""
        put_all(store := opened(), results(1))
        store.publish()
        met: list[str] = []
        for number in range(1, requests_of_a_publishing()):
            before, new = shown(kaggle), results(100 + number, size=4000)
            put_all(opened(), new)
            fault = kaggle.fault(kind, at=number)
            self.publish_once(met)
            assert shown(kaggle) in (before, before | new)
            kaggle.faults.clear()
            opened(patience=SHY).publish()
            assert shown(kaggle) == before | new
            if fault.seen < number:
                break
        else:
            pytest.fail("a publishing takes more requests than were tried")
        assert len(met) >= 5
        assert not any("\n" in said for said in met)

    @pytest.mark.parametrize("kind", ["lose", pytest.param("drop", marks=pytest.mark.deep), pytest.param("cut", marks=pytest.mark.deep)])
    def test_a_fault_at_each_request_of_the_first_publishing(
        self, kaggle: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """The same while the datasets are made."""
        met: list[str] = []
        for number in range(1, requests_of_a_publishing()):
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(number)))
            kaggle.datasets.clear()
            put_all(opened(), results(1, 2))
            fault = kaggle.fault(kind, at=number)
            self.publish_once(met)
            assert shown(kaggle) in ({}, results(1, 2))
            kaggle.faults.clear()
            opened(patience=SHY).publish()
            assert shown(kaggle) == results(1, 2)
            if fault.seen < number:
                break
        else:
            pytest.fail("a publishing takes more requests than were tried")
        assert len(met) >= 5

    def publish_once(self, met: list[str]) -> None:
        try:
            opened(patience=SHY).publish()
        except Unavailable as problem:
            met.append(str(problem))

    @pytest.mark.parametrize("kind", ["drop", "cut", "503", "429"])
    def test_passing_faults_are_waited_out(self, kaggle: KaggleServer, kind: str) -> None:
        """Two faults in a row of each request are not even noticed by who is a little patient."""
        store = opened(patience=HASTY._replace(tries=12))
        for match in ("GetDataset$", "StartBlobUpload", "PUT", "GET", "ListDatasets"):
            kaggle.fault(kind, match, times=2)
        put_all(store, results(1, size=100_000))
        store.publish()

        assert shown(kaggle) == results(1, size=100_000)

    def test_an_upload_goes_on_where_it_was_cut(self, kaggle: KaggleServer) -> None:
        """After a cut in the middle of a pack, also in another process, only the rest is sent."""
        store = opened(patience=SHY)
        items = results(1, size=4_000_000)
        put_all(store, items)
        kaggle.fault("cut", r"PUT .* bytes 0-4\d{6}/")
        with pytest.raises(Unavailable):
            store.publish()
        opened(patience=SHY).publish()

        assert shown(kaggle) == items
        assert kaggle.bytes_up < 4_200_000

    def test_a_download_goes_on_where_it_was_cut(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """The rest of a pack is asked for by Range; the whole is checked."""
        store, items = opened(), results(1, size=4_100_000)
        put_all(store, items)
        store.publish()
        other = elsewhere("phone")
        other.refresh()
        kaggle.fault("cut", r"GET .*\.pack")
        before = kaggle.bytes_down
        big = max(items, key=lambda name: len(items[name]))
        assert bytes(other.get(big)) == items[big]
        assert kaggle.bytes_down - before < 7_000_000
        assert kaggle.count(r"GET .*pack bytes=\d{5,}-") == 1

    @pytest.mark.parametrize("every", [11, pytest.param(1, marks=[pytest.mark.deep, pytest.mark.timeout(900)])])
    def test_a_publisher_that_is_killed(self, kaggle: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int) -> None:
        """Killed while any request is on its way, it loses nothing: the next run completes, and no half is seen in between."""
        context = multiprocessing.get_context("spawn")
        kills = 0
        for number in itertools.count(1, every):
            home = str(tmp_path / str(number))
            monkeypatch.setenv("XDG_CACHE_HOME", home)
            kaggle.datasets.clear()
            kaggle.faults.clear()
            put_all(opened("same"), results(*range(4)))
            kaggle.hanging.clear()
            kaggle.go_on.clear()
            kaggle.fault("hang", at=number)
            process = context.Process(target=_publish_some, args=(home, "same", 100))
            process.start()
            while process.is_alive() and not kaggle.hanging.wait(0.01):
                pass
            killed = process.is_alive()
            process.kill()
            process.join()
            kaggle.go_on.set()
            assert shown(kaggle).keys() <= results(*range(4), *range(100, 104)).keys()
            kaggle.faults.clear()
            opened("same").publish()
            assert shown(kaggle).keys() >= results(*range(4)).keys()
            if not killed:
                break
            kills += 1
        assert kills >= 2

    @pytest.mark.deep
    @pytest.mark.timeout(900)
    @pytest.mark.skipif(os.name == "nt", reason="kill -9")
    def test_a_publisher_that_is_killed_between_requests(self, kaggle: KaggleServer) -> None:
        """Killed before any system call that writes here, for each in turn: what others see is whole, and the next run completes it."""
        put_all(store := opened(), results(0))
        store.publish()
        context = multiprocessing.get_context("spawn")
        for number in itertools.count(1):
            before, new = shown(kaggle), results(number)
            put_all(opened(), new)
            process = context.Process(target=_publish_until, args=(number,))
            process.start()
            process.join()
            assert process.exitcode in (0, -signal.SIGKILL)
            assert shown(kaggle) in (before, before | new)
            opened().publish()
            assert shown(kaggle) == before | new
            if process.exitcode == 0:
                break
        assert number > 10

    def test_a_lost_answer_does_not_make_a_second_version(self, kaggle: KaggleServer) -> None:
        """When the answer to the making of a version is lost, one looks whether it is there before making another."""
        store = opened()
        put_all(store, results(1))
        kaggle.fault("lose", "CreateDataset$")
        store.publish()

        assert len(kaggle.datasets[REF]) == 1


class TestReading:
    """What comes down."""

    def test_one_item_of_a_large_pack_is_read_by_range(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """Who wants one result of many does not fetch all; who wants many fetches the pack once."""
        items = results(*range(60), size=131_072)
        store = opened()
        put_all(store, items)
        store.publish()
        other = elsewhere("phone")
        other.refresh()
        before = kaggle.bytes_down
        blobs = [name for name in sorted(items) if name.startswith("blobs/")]
        assert bytes(other.get(blobs[7])) == items[blobs[7]]
        assert kaggle.bytes_down - before < 200_000
        assert {name: bytes(other.get(name)) for name in blobs} == {name: items[name] for name in blobs}
        assert kaggle.bytes_down - before < 2 * 60 * 131_072

    @pytest.mark.parametrize("size", [1000, 5_000_000])
    def test_files_that_come_as_zips(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore], size: int) -> None:
        """Kaggle may give a file in a zip of itself."""
        items = results(1, 2, size=size)
        store = opened()
        put_all(store, items)
        store.publish()
        kaggle.compressed = True

        assert all_of(elsewhere("phone")) == items

    def test_the_whole_dataset_as_anybody_downloads_it(self, kaggle: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The folder that kagglehub makes of a dataset is a store of packs."""
        kagglehub = pytest.importorskip("kagglehub")
        store, items = opened(), results(1, 2)
        put_all(store, items)
        store.publish()
        monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "hub"))
        folder = kagglehub.dataset_download("me/results")

        assert all_of(open_store(f"packed://{folder}", create=False)) == items

    def test_offline_it_says_so(self, kaggle: KaggleServer, tmp_path: Path) -> None:
        """Without a network a far store is passed over: the function is computed, and a warning names the store."""
        kaggle.fault("drop", times=1000)
        cache = Cache(tmp_path / "near", far=[opened()])

        @cached(cache=cache)
        def double(x: int) -> int:
            return 2 * x

        with pytest.warns(NotStored, match="cannot be asked"):
            assert double(3) == 6
        with pytest.raises(Unavailable, match="cannot be reached"):
            opened().refresh()

    def test_a_page_of_the_network_is_not_kaggle(self, kaggle: KaggleServer, tmp_path: Path) -> None:
        """Where a hotel or a proxy answers in Kaggle's place, a sync says so, and a call computes; the sync ended in a traceback."""
        kaggle.fault("page", times=1000)
        cache = Cache(tmp_path / "near", far=[opened()])

        @cached(cache=cache)
        def double(x: int) -> int:
            return 2 * x

        with pytest.warns(NotStored, match="not Kaggle that answers"):
            assert double(3) == 6
        with pytest.raises(Unavailable, match="not Kaggle that answers"):
            opened().refresh()
        kaggle.faults.clear()
        kaggle.fault("page", times=1)
        opened().refresh()

    def test_a_miss_does_not_wait_long_for_kaggle(self, kaggle: KaggleServer) -> None:
        """Who only looks for a result asks twice, and then not again for a while; a refresh three times, and as often as it is told to
        once Kaggle has answered anything.
        """
        kaggle.fault("drop", times=1000)
        store = opened(patience=HASTY._replace(tries=6))
        for _ in range(3):
            with pytest.raises(Unavailable):
                list(store.list())
        assert len(kaggle.log) == 2
        with pytest.raises(Unavailable):
            store.refresh()
        assert len(kaggle.log) == 2 + 3
        kaggle.faults.clear()
        store.refresh()
        kaggle.log.clear()
        kaggle.fault("drop", times=1000)
        with pytest.raises(Unavailable):
            store.refresh()
        assert len(kaggle.log) == 6

    @pytest.mark.parametrize("kind", ["drop", "503"])
    def test_one_that_went_away_is_not_asked_for_the_rest(
        self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore], kind: str
    ) -> None:
        """Kaggle goes away after the index was read: it is waited for once, and not for each result anew; the run stops and says so."""
        put_all(store := opened(), results(*range(60)))
        store.publish()
        kaggle.log.clear()
        kaggle.fault(kind, "GET .*pack", times=10_000)
        report = sync(MemoryStore(), elsewhere("phone"), "from")

        assert "gives nothing more" in report.stopped
        assert kaggle.count("GET .*pack") < 60

    def test_packs_that_cannot_be_kept_here_are_not_fetched_again_and_again(
        self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The disk of the cache folder is full: the run stops after a few results, and says which folder it is."""
        put_all(store := opened(), results(*range(60)))
        store.publish()

        def no_room(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(Kaggle, "fetch", no_room)
        report = sync(MemoryStore(), elsewhere("phone"), "from")

        assert f"{os.environ['XDG_CACHE_HOME']}/simcache/kaggle/me/results (No space left on device)" in report.stopped
        assert len(report.refused) < 30

    def test_a_pack_that_is_gone_is_asked_for_once(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """An index names a pack that the version lacks: each result of it is refused, what lies elsewhere comes, and nobody asks again."""
        put_all(store := opened(), results(*range(60)))
        store.publish()
        put_all(store, results(*range(100, 103)))
        store.publish()
        files = kaggle.datasets[REF][0].files
        for name in [name for name in files if name.startswith("packs/")]:
            del files[name]
        kaggle.log.clear()
        near = MemoryStore()
        report = sync(near, elsewhere("phone"), "from")

        assert {name for name, _ in near.list()} == results(*range(100, 103)).keys()
        assert (60, "") == (len(report.refused), report.stopped)
        assert kaggle.count("DownloadDataset") < 10

    def test_what_was_kept_here_may_vanish(self, kaggle: KaggleServer) -> None:
        """Somebody cleans the cache folder, all or a part of it: what is published is learned and fetched anew."""
        put_all(store := opened(), results(1, 2))
        store.publish()
        folder = Path(os.environ["XDG_CACHE_HOME"]) / "simcache" / "kaggle" / "me" / "results"
        for part in ("indexes", "packs", "shown.json"):
            shutil.rmtree(folder / part) if (folder / part).is_dir() else (folder / part).write_text("{")

            assert all_of(opened()) == results(1, 2), part

    def test_a_private_dataset_of_somebody_else_is_told(self, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """A dataset that is not shared with us is not an empty store."""
        put_all(store := opened(), results(1))
        store.publish()
        for name, value in kaggle.environment("other").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("XDG_CACHE_HOME", os.environ["XDG_CACHE_HOME"] + "-other")
        with pytest.raises(Unavailable, match="ask me to share it"):
            opened().refresh()

    def test_damaged_here_it_is_fetched_anew(self, kaggle: KaggleServer, elsewhere: Callable[[str], PackedStore]) -> None:
        """A pack that was damaged on this machine's own disk is fetched again once that is seen."""
        store, items = opened(), results(1)
        put_all(store, items)
        store.publish()
        other = elsewhere("phone")
        name = next(name for name in items if name.startswith("blobs/"))
        other.get(name)
        other = elsewhere("phone")
        for pack in Path(os.environ["XDG_CACHE_HOME"]).rglob("*.pack"):
            pack.write_bytes(pack.read_bytes()[:-1] + b"?")
        with pytest.raises(Corrupt):
            check_name(name, other.get(name))
        assert other.set_aside(name)
        assert bytes(other.get(name)) == items[name]


class TestHostile:
    """A dataset that somebody made to do harm: refused item by item, and the rest arrives."""

    def put(self, kaggle: KaggleServer, index: bytes, *packs: bytes, ref: str = REF) -> None:
        kaggle.add(ref, {"index.simidx": index, **{f"packs/{sha256(pack).hexdigest()}.pack": pack for pack in packs}})

    def test_names_that_lead_out(self, kaggle: KaggleServer, tmp_path: Path) -> None:
        """Names with `..`, absolute ones and others that are none are refused by name; all else arrives; exit would be 1."""
        bad = {"../../outside": b"x", "/etc/passwd": b"x", "blobs/../../x": b"x", "entries/../../x.json": b"x", "C:\\x": b"x"}
        self.put(kaggle, *packed_by_hand({**results(1, 2), **bad}))
        near = open_store(tmp_path / "near")
        report = sync(near, opened(), "from")

        assert {refused.name for refused in report.refused} == set(bad)
        assert not report.complete
        assert all_of(near) == results(1, 2)
        assert not (tmp_path / "outside").exists()

    def test_wrong_bytes(self, kaggle: KaggleServer, tmp_path: Path) -> None:
        """An item whose bytes are not those of its name is refused, and the other 9 arrive."""
        items = results(*range(10))
        wrong = next(name for name in items if name.startswith("blobs/"))
        self.put(kaggle, *packed_by_hand({**items, wrong: b"x" * len(items[wrong])}))
        near = open_store(tmp_path / "near")
        report = sync(near, opened(), "from")

        assert len(report.refused) == 1
        assert report.received is not None
        assert report.received.entries == 9

    def test_a_wrong_copy_does_not_hide_a_right_one(self, kaggle: KaggleServer) -> None:
        """Where one writer has an item wrong and another has it right, the right one is read."""
        items = results(1)
        self.put(kaggle, *packed_by_hand({name: b"?" * len(data) for name, data in items.items()}))
        self.put(kaggle, *packed_by_hand(items), ref=f"{REF}-delta-b")

        assert all_of(opened()) == items

    def test_a_pack_that_is_not_what_its_name_says(self, kaggle: KaggleServer) -> None:
        """A pack with other bytes than its SHA-256 is not used, and no partial file is kept."""
        index, pack = packed_by_hand(results(1))
        kaggle.add(REF, {"index.simidx": index, f"packs/{sha256(pack).hexdigest()}.pack": pack[:-3] + b"abc"})
        store = opened()
        with pytest.raises(Unavailable, match="does not match its digest"):
            store.get(min(results(1)))
        assert list(Path(os.environ["XDG_CACHE_HOME"]).rglob("*.pack*")) == []

    @pytest.mark.parametrize(
        "damage", [lambda data: data[:-70], lambda data: b"", lambda data: data.replace(b"f", b"g"), lambda data: b"[" * 100_000]
    )
    def test_a_damaged_index(self, kaggle: KaggleServer, damage: Callable[[bytes], bytes]) -> None:
        """An index that is cut or changed is left out with a warning; other writers' results are read all the same."""
        index, pack = packed_by_hand(results(1))
        self.put(kaggle, damage(index), pack)
        self.put(kaggle, *packed_by_hand(results(2)), ref=f"{REF}-delta-b")
        with pytest.warns(UserWarning, match="left out"):
            assert all_of(opened()) == results(2)

    @pytest.mark.parametrize("place", [f"kaggle://{REF}", "packed"])
    @pytest.mark.filterwarnings("ignore:left out")
    def test_what_a_damaged_index_names_is_not_passed_over_in_silence(self, kaggle: KaggleServer, tmp_path: Path, place: str) -> None:
        """A sync that could not see all there is does not say that all was moved, nor `verify` that all is sound."""
        index, pack = packed_by_hand(results(1))
        self.put(kaggle, index[:-70], pack)
        if place == "packed":
            place = f"packed://{kaggle.mount(tmp_path, REF)}/results"
        report = sync(MemoryStore(), open_store(place), "from")

        assert [False, ["the index is cut or changed (SHA-256)"]] == [report.complete, [one.reason for one in report.refused]]
        assert ["unreadable"] == [one.kind for one in verify(open_store(place)).problems]

    @pytest.mark.parametrize(
        "head", ["5", "{}", '{"follows":1e999,"format":1,"packs":[],"writers":[]}', '{"follows":0,"format":1,"packs":5,"writers":[]}']
    )
    def test_an_index_that_says_something_else(self, kaggle: KaggleServer, head: str) -> None:
        """One whose digest is right and whose first line is none is left out too; an endless number ended whoever read it with a traceback."""
        text = f"{head}\n".encode()
        self.put(kaggle, text + f"sha256 {sha256(text).hexdigest()}\n".encode())
        with pytest.warns(UserWarning, match="left out"):
            assert list(opened().list()) == []

    def test_places_outside_of_packs(self, kaggle: KaggleServer) -> None:
        """Rows that point beyond a pack, before it or into none, or name a file that is no pack, are refused."""
        import json

        name = min(results(1))
        rows: list[object] = [[name, 0, 0, 10**12], [name, 0, -5, 3], [name, 7, 0, 3], [name, 0, True, 3], [name, 0], "x", None, {"a": 1}]
        head = {"format": 1, "follows": 0, "writers": ["../x", "A B"], "packs": [["../../../x", 100], ["ab" * 32, 100]]}
        text = "".join(f"{json.dumps(row)}\n" for row in [head, *rows, [name, 0, 0, 3]]).encode()
        self.put(kaggle, text + f"sha256 {sha256(text).hexdigest()}\n".encode())
        store = opened()

        assert list(store.list()) == []
        with pytest.raises(Missing):
            store.get(name)
        assert len(store.foreign()) == len(rows) + 1

    def test_a_zip_bomb(self, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """A zip that unpacks to more than may be is left, at the limit."""
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("index.simidx", bytes(50_000_000))
        monkeypatch.setattr("simcache.stores.kaggle._INDEX_AT_MOST", 1_000_000)
        kaggle.add(REF, {"index.simidx": held.getvalue()})
        with pytest.warns(UserWarning, match="unpacked, it is larger"):
            assert list(opened().list()) == []

    def test_a_pack_bomb(self, kaggle: KaggleServer) -> None:
        """A pack that comes as a zip of more than its size is left, at its size."""
        index, pack = packed_by_hand(results(1))
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.pack", pack + bytes(50_000_000))
        kaggle.add(REF, {"index.simidx": index, f"packs/{sha256(pack).hexdigest()}.pack": held.getvalue()})
        with pytest.raises(Unavailable, match="larger than it may be"):
            opened().get(min(results(1)))


class TestMistakes:
    """What a user does wrong is said in one line."""

    def test_no_network(self, home: Path, tmp_path: Path) -> None:
        """A sync where nobody listens ends soon, in one line, with exit code 2; before, it tried for minutes."""
        del home
        (tmp_path / "simcache.toml").write_text('store = "store"\n[remotes]\nkaggle = "kaggle://me/results?pause=0.2"\n')
        nowhere = {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
        login = {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "key"}
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "simcache", "sync", "kaggle"],
            cwd=tmp_path,
            env={**os.environ, **nowhere, **login},
            capture_output=True,
            text=True,
            check=False,
        )

        assert (2, "") == (done.returncode, done.stdout)
        assert 1 == len(done.stderr.splitlines())
        assert "nothing is lost" in done.stderr
        assert time.monotonic() - began < 20

    def test_who_waits_no_longer_is_told_once(self, kaggle: KaggleServer, tmp_path: Path) -> None:
        """A sync does not begin the wait for Kaggle's processing anew."""
        kaggle.processing = 1_000_000
        near = LocalStore(tmp_path / "near")
        put_all(near, results(1))
        report = sync(near, opened(patience=HASTY._replace(wait=0.5)), "to")

        assert "still processing" in report.stopped
        assert report.seconds < 2

    @pytest.mark.parametrize(
        "url",
        [
            "kaggle://me",
            "kaggle://me/",
            "kaggle://me/ab",
            "kaggle://Me/results",
            "kaggle://me/results/x",
            "kaggle://me/../x",
            "kaggle://me/results?x=1",
            "kaggle://me/results?wait=long",
            "kaggle://me/results?writer=A_b",
        ],
    )
    def test_urls(self, home: Path, url: str) -> None:
        """A URL that names no dataset, or an option that there is not, is refused before anything is asked."""
        with pytest.raises(BadSettings):
            open_store(url)

    def test_a_wrong_owner_is_told_as_that(self, home: Path) -> None:
        """Not as a wrong slug, which is well."""
        with pytest.raises(BadSettings, match="the owner is a user name as Kaggle writes it in addresses, .*, and 'YOU' is none"):
            open_store("kaggle://YOU/my-results")

    def test_no_credentials(self, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without credentials one line says where to put them."""
        monkeypatch.delenv("KAGGLE_USERNAME")
        monkeypatch.delenv("KAGGLE_KEY")
        monkeypatch.setenv("KAGGLE_CONFIG_DIR", os.environ["HOME"])
        with pytest.raises(BadSettings, match="no credentials for Kaggle"):
            opened().refresh()

    def test_wrong_credentials(self, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Credentials that Kaggle does not know are said to be that."""
        monkeypatch.setenv("KAGGLE_KEY", "wrong")
        with pytest.raises(Unavailable, match="does not know these credentials"):
            opened().refresh()

    def test_a_token_is_enough(self, kaggle: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """The newer token, in the environment or in its file, works as name and key do."""
        monkeypatch.delenv("KAGGLE_USERNAME")
        monkeypatch.delenv("KAGGLE_KEY")
        token = Path(os.environ["HOME"]) / ".kaggle" / "access_token"
        token.parent.mkdir()
        token.write_text("me-key\n")
        opened().refresh()

        assert kaggle.count("GetDataset") > 0

    def test_without_the_extra(self, home: Path) -> None:
        """Where Kaggle's client is not installed, one line names the extra; `import simcache` needs none of it."""
        code = (
            "import sys; sys.modules['kagglesdk'] = sys.modules['kagglehub'] = None\n"
            "from simcache.errors import BadSettings\nfrom simcache.stores.registry import open_store\n"
            "try: open_store('kaggle://me/results?pause=0').refresh()\nexcept BadSettings as problem: print(problem)"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

        assert 'pip install "kagglehub<2"' in said
        assert said.count("\n") == 1


def test_nothing_of_kaggle_is_loaded_until_it_is_asked() -> None:
    """Opening a Kaggle store loads neither its client nor requests."""
    code = "import sys; from simcache.stores.registry import open_store; open_store('kaggle://me/results'); print([m for m in sys.modules if m in ('kagglesdk', 'kagglehub', 'requests')])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"

"""`simcache sync` over S3 and SSH: two sides that never see each other's disks, cuts at every request, and a hostile remote."""

import itertools
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simcache.cache import Cache
from simcache.errors import CacheError
from simcache.model import INLINE, check_name
from simcache.stores import transport
from simcache.stores.base import Store
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.stores.registry import open_store
from simcache.upkeep.sync import sync
from simcache.upkeep.verify import verify
from tests.remotes.between import FAULTS, Between
from tests.remotes.parties import Party, a_party, a_project
from tests.simcache.contract import Backdoor, S3Backdoor, SftpBackdoor, an_entry_of, run_threads
from tests.simcache.stored import keep, value_blob


def filled(store: Store, *names: object) -> list[str]:
    cache = Cache(store)
    return [keep(cache, name, {"name": str(name), "more": "x" * INLINE}, state=None).name for name in names]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to wait for a server that is told to fail."""
    monkeypatch.setattr(transport, "_FIRST_WAIT", 0.001)


class TestTwoSides:
    """A laptop and a machine elsewhere, with a home, a project and a store each, and one remote between them."""

    @pytest.fixture(params=[S3Backdoor, SftpBackdoor], ids=["s3", "sftp"])
    def remote(self, request: pytest.FixtureRequest, tmp_path: Path) -> Backdoor:
        made: Backdoor = request.param(tmp_path / "remote")
        return made

    @pytest.fixture
    def sides(self, tmp_path: Path, remote: Backdoor, monkeypatch: pytest.MonkeyPatch) -> dict[str, Party]:
        found = {name: a_party(tmp_path, name) for name in ("laptop", "kernel")}
        for party in found.values():
            a_project(party, {"bucket": remote.url})
            ssh = Path(remote.environment.get("HOME", "/nowhere")) / ".ssh"
            if ssh.is_dir():
                shutil.copytree(ssh, party.home / ".ssh")
        for name, value in remote.environment.items():
            if name != "HOME":
                monkeypatch.setenv(name, value)
        return found

    @pytest.mark.parametrize(("first", "second"), [("laptop", "kernel"), pytest.param("kernel", "laptop", marks=pytest.mark.deep)])
    def test_what_one_computes_the_other_does_not(self, sides: dict[str, Party], first: str, second: str) -> None:
        """One computes and sends, the other receives and hits; a changed rate misses, and still hits the baseline below it."""
        here, there = sides[first], sides[second]
        expected = here.ask("learn(0.1)")
        assert ["learn 0.1", "baseline 3"] == here.ticks()
        here.simcache("sync", "--to", "bucket")
        assert "nothing new" in here.simcache("sync", "--to", "bucket").stdout
        there.simcache("sync", "--from", "bucket")

        assert expected == there.ask("learn(0.1)")
        assert [] == there.ticks()
        there.ask("learn(0.2)")
        assert ["learn 0.2"] == there.ticks()
        there.simcache("sync", "bucket")
        here.simcache("sync", "bucket")
        assert here.names() == there.names()
        here.ask("learn(0.2)")
        assert ["learn 0.1", "baseline 3"] == here.ticks()
        assert 0 == there.simcache("verify").returncode

    def test_reading_on_without_a_sync(self, sides: dict[str, Party]) -> None:
        """`far = ["bucket"]` alone: what was sent is found, checked and kept near."""
        here, there = sides["laptop"], sides["kernel"]
        here.ask("baseline(3).sum()")
        here.simcache("sync", "--to", "bucket")
        settings = there.work / "simcache.toml"
        settings.write_text('far = ["bucket"]\n' + settings.read_text())

        assert here.ask("baseline(3).sum()") == there.ask("baseline(3).sum()")
        assert [] == there.ticks()
        settings.write_text(settings.read_text().partition("\n")[2])
        there.ask("baseline(3).sum()")
        assert [] == there.ticks()


class TestCuts:
    """The remote is S3, and the connection fails."""

    @pytest.mark.parametrize("way", ["to", "from"])
    def test_at_each_request_for_good(self, bucket: S3Backdoor, wire: Between, quick: None, way: str) -> None:
        """The network goes at the n-th request, for every n: both sides stay sound, and the next run moves the rest."""
        far = open_store(bucket.url)
        far.put(*_as_put(_some()))
        for at in itertools.count(1):
            near = MemoryStore()
            names = filled(near if way == "to" else far, f"{way} {at} a", f"{way} {at} b", f"{way} {at} c")
            wire.told()
            wire.fault = lambda number, _, at=at: "503" if number >= at else None  # type: ignore[misc]
            try:
                met = not sync(near, far, way, jobs=2).complete  # type: ignore[arg-type]
            except CacheError:
                met = True
            wire.fault = lambda *_: None
            for store in (near, far):
                assert verify(store).sound
            assert sync(near, far, way).complete  # type: ignore[arg-type]
            target = far if way == "to" else near
            assert set(names) <= {name for name, _ in target.list("entries/")}
            assert verify(target).sound
            for name in bucket.names():
                far.delete(name)
            if not met:
                break
        assert at > 4

    def test_each_fault_once(self, bucket: S3Backdoor, wire: Between, quick: None) -> None:
        """A fault that passes, at any request: the sync completes, and tells of nothing."""
        far = open_store(bucket.url)
        for at, fault in zip(itertools.count(1), itertools.cycle(FAULTS), strict=False):
            near = MemoryStore()
            filled(near, f"{at} a", f"{at} b")
            wire.told()
            wire.fault = lambda number, _, at=at, fault=fault: fault if number == at else None  # type: ignore[misc]
            assert sync(near, far, "to", jobs=2).complete
            if len(wire.log) < at:
                break
        assert at > 6
        assert verify(open_store(bucket.url)).sound

    def test_one_that_went_away_is_not_asked_for_the_rest(self, bucket: S3Backdoor, wire: Between, quick: None) -> None:
        """The network goes for good while much is received: after a few things that cannot be had, the run stops and says so."""
        far = open_store(bucket.url)
        filled(far, *range(60))
        wire.told()
        wire.fault = lambda number, _: "dropped" if number > 20 else None
        report = sync(MemoryStore(), far, "from", jobs=1)

        assert "gives nothing more" in report.stopped
        assert len(wire.log) < 50

    def test_a_kill_in_the_middle(self, bucket: S3Backdoor, wire: Between, tmp_path: Path) -> None:
        """Killed (-9) after some requests, again and again: what is there is sound, nothing is sent twice, and in the end all is there."""
        near = LocalStore(tmp_path / "near")
        filled(near, *range(12))
        open_store(bucket.url).put(*_as_put(near))
        sent: list[str] = []
        for allowed in (4, 9, 14):
            child = self.sending(near, bucket, wire)
            deadline = time.monotonic() + 60
            while len(wire.log) < allowed and child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.001)
            child.send_signal(signal.SIGKILL)
            child.communicate()
            sent += [told for told in wire.told() if told.startswith("PUT")][:-1]  # the last one may not have arrived
            assert verify(open_store(bucket.url)).sound
        child = self.sending(near, bucket, wire)
        said = child.communicate()[0]
        assert 0 == child.returncode, said
        sent += [told for told in wire.told() if told.startswith("PUT")]

        assert len(sent) == len(set(sent))
        assert {name for name, _ in near.list()} == bucket.names()

    def sending(self, near: Store, bucket: S3Backdoor, wire: Between) -> "subprocess.Popen[str]":
        wire.told()
        command = [sys.executable, "-m", "simcache", "sync", "--to", bucket.url, "--store", near.url, "--jobs", "1"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def test_nothing_to_do_is_one_listing(self, bucket: S3Backdoor, wire: Between) -> None:
        """With nothing new, the names of the entries are listed, and nothing else is asked."""
        near, far = MemoryStore(), open_store(bucket.url)
        filled(near, *range(20))
        sync(near, far)
        wire.told()
        sync(near, far)

        assert ["GET ?list-type"] == wire.told()

    def test_three_at_once(self, bucket: S3Backdoor, wire: Between) -> None:
        """Three parties that sync at the same moment, over and over, end with one set."""
        near = [MemoryStore() for _ in range(3)]
        for number, store in enumerate(near):
            filled(store, "shared", *(f"{number} {item}" for item in range(3)))
        turns = iter(near)
        run_threads(lambda store=None: _sync_often(store or next(turns), bucket.url), 3)  # type: ignore[misc]
        for store in near:
            sync(store, open_store(bucket.url))

        assert 1 == len({frozenset(store.list()) for store in (*near, open_store(bucket.url))})
        assert 10 == len({name for name, _ in near[0].list("entries/")})


class TestMalice:
    """A bucket that somebody else writes to is refused thing by thing, named, and the rest arrives."""

    @pytest.fixture
    def hostile(self, bucket: S3Backdoor, wire: Between) -> S3Backdoor:
        far = open_store(bucket.url)
        filled(far, *range(5))
        return bucket

    def refused(self, hostile: S3Backdoor, arrive: int) -> list[str]:
        near = MemoryStore()
        report = sync(near, open_store(hostile.url), "from")
        assert verify(near).sound
        assert not report.complete
        assert arrive == len(list(near.list("entries/")))
        return [f"{one.name}: {one.reason}" for one in report.refused]

    def test_wrong_bytes(self, hostile: S3Backdoor) -> None:
        """One flipped bit of a blob costs the entries that need it."""
        entry = next(e for e in Cache(open_store(hostile.url)).all_entries())
        data = hostile.read(value_blob(entry))
        assert data is not None
        hostile.write(value_blob(entry), data[:-1] + bytes([data[-1] ^ 1]))
        [told] = self.refused(hostile, 4)
        assert entry.name in told

    @pytest.mark.parametrize("odd", ["blobs/../../etc/passwd", "entries/../x", "blobs/ab/x", "entries/f/ab/" + "0" * 32 + ".json"])
    def test_odd_names(self, hostile: S3Backdoor, odd: str) -> None:
        """A name that is neither a blob's nor an entry's is told, and never followed."""
        hostile.write(odd, b"x")
        [told] = self.refused(hostile, 5)
        assert odd in told

    def test_an_entry_that_names_another_key(self, hostile: S3Backdoor) -> None:
        """A sound entry under the name of another key is not that key's."""
        entry = an_entry_of("f", "ab" * 16, 1)[1]
        hostile.write(entry.name.replace("ab" * 16, "cd" * 16).replace("/ab/", "/cd/"), entry.to_bytes())
        [told] = self.refused(hostile, 5)
        assert "another key" in told

    def test_the_cache_itself(self, hostile: S3Backdoor, recwarn: pytest.WarningsRecorder) -> None:
        """A far store with wrong bytes under every name is a miss with a reason, never a wrong value."""
        entries = list(Cache(open_store(hostile.url)).all_entries())
        for entry in entries:
            hostile.write(value_blob(entry), b"wrong")
        cache = Cache(MemoryStore(), far=[hostile.url])
        found = [cache.lookup(entry.function, entry.key) for entry in entries]

        assert [None] * 5 == [one.entry for one in found]
        assert all("SHA-256" in reason for one in found for reason in one.reasons)


def _some() -> Store:
    store = MemoryStore()
    filled(store, 0)
    return store


def _as_put(store: Store) -> tuple[str, list[bytes]]:
    """Something of a store, so that the remote is marked and each put is a name of its own."""
    name = next(store.list("blobs/")).name
    data = bytes(store.get(name))
    check_name(name, data)
    return name, [data]


def _sync_often(store: Store, url: str) -> None:
    far = open_store(url)
    for _ in range(4):
        assert sync(store, far, jobs=2).complete

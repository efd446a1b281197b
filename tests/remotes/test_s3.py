"""S3, against a real server on loopback: few requests, whole writes, cuts at every request, large objects, and clear refusals."""

import itertools
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from simcache.cache import Cache
from simcache.decorator import cached
from simcache.errors import CacheError, Missing, NotAStore, NotStored, StoreReadOnly, Unavailable
from simcache.model import check_name
from simcache.stores import s3, transport
from simcache.stores.base import Listed
from simcache.stores.memory import MemoryStore
from simcache.stores.registry import open_store
from tests.remotes.between import FAULTS, Between
from tests.remotes.servers import s3_environment
from tests.simcache.contract import S3Backdoor, a_blob, an_entry, run_threads

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to wait for a server that is told to fail."""
    monkeypatch.setattr(transport, "_FIRST_WAIT", 0.001)


def field(n: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.arange(float(n)) / 7.0


def below(bucket: S3Backdoor, *paths: str) -> list[str]:
    return [path.replace("@", f"{bucket.root}store/") for path in paths]


class TestRequests:
    """A request over a network is what a far store costs, so they are counted."""

    def test_a_far_miss_and_a_far_hit(self, bucket: S3Backdoor, wire: Between) -> None:
        """A miss is one listing; a hit one listing, the entry, and each blob that is not near yet; a second hit asks nobody."""
        filling = cached(cache=Cache(bucket.url))(field)
        filling(5000)
        entry = filling.entry(5000)
        assert entry is not None
        wire.told()
        reading = cached(cache=Cache(MemoryStore(), far=[bucket.url]))(field)
        assert below(bucket, "GET @simcache.json") == wire.told()

        assert reading(5000).tolist() == field(5000).tolist()
        names = [entry.name, *(blob.name for blob in entry.blobs)]
        prefix = "GET ?list-type"
        assert sorted([prefix, *below(bucket, *(f"GET @{name}" for name in names))]) == sorted(wire.told())
        reading(5000)
        assert [] == wire.told()
        reading(6)
        assert [prefix] == wire.told()

    def test_a_put_is_one_request(self, bucket: S3Backdoor, wire: Between) -> None:
        """The first write finds out whether the place is marked, and marks it; from then on a put is one request, as is a get."""
        store = open_store(bucket.url)
        assert [*below(bucket, "GET @simcache.json"), "GET ?list-type"] == wire.told()
        (one, data), (two, more) = a_blob(b"one"), an_entry("f", 1)
        store.put(one, [data])
        assert [*below(bucket, "GET @simcache.json"), "GET ?list-type", *below(bucket, "PUT @simcache.json", f"PUT @{one}")] == wire.told()
        store.put(two, [more])
        store.get(two)
        store.has(two)
        list(store.list("entries/"))
        assert [*below(bucket, f"PUT @{two}", f"GET @{two}", f"HEAD @{two}"), "GET ?list-type"] == wire.told()

    def test_what_stands_there_is_not_sent_twice(self, bucket: S3Backdoor, wire: Between) -> None:
        """A put over the same bytes leaves the object alone; over other bytes it replaces them."""
        store = open_store(bucket.url)
        name, data = a_blob(b"the same")
        store.put(name, [data])
        before = bucket.client.head_object(Bucket=bucket.bucket, Key=f"{bucket.root}store/{name}")["LastModified"]
        time.sleep(1.1)  # the server counts in seconds
        store.put(name, [data])

        assert before == bucket.client.head_object(Bucket=bucket.bucket, Key=f"{bucket.root}store/{name}")["LastModified"]

    def test_a_list_of_many_is_whole(self, bucket: S3Backdoor, wire: Between) -> None:
        """More names than one answer holds are listed page by page; a page that does not come fails the listing, it is never short."""
        kept = dict(an_entry("f", number) for number in range(1, 503))
        for name, data in kept.items():
            bucket.write(name, data)
        store = open_store(bucket.url)
        assert {Listed(name, len(data)) for name, data in kept.items()} == set(store.list())
        wire.told()
        wire.fault = lambda _, request: "forbidden" if "continuation-token" in request.query else None

        with pytest.raises(Unavailable, match="AccessDenied"):
            list(store.list("entries/"))


class TestCuts:
    """Every request fails once, in every way that passes."""

    @pytest.mark.parametrize("first", [0, *(pytest.param(first, marks=pytest.mark.deep) for first in range(1, len(FAULTS)))])
    def test_at_each_request_in_turn(self, bucket: S3Backdoor, wire: Between, first: int) -> None:
        """What passes is tried again: nothing is lost, nothing is half, and nobody hears of it."""
        store = open_store(bucket.url)
        for at, fault in zip(itertools.count(1), itertools.cycle(FAULTS[first:] + FAULTS[:first]), strict=False):
            wire.told()
            wire.fault = lambda number, _, at=at, fault=fault: fault if number == at else None  # type: ignore[misc]
            if at < 4:  # what opening and marking cost
                store = open_store(f"{bucket.url}-{at}")
            pairs = [a_blob(os.urandom(100_000)), a_blob(b""), an_entry("f", at)]
            for name, data in pairs:
                store.put(name, [data])
            assert [data for _, data in pairs] == [bytes(store.get(name)) for name, _ in pairs]
            assert {name for name, _ in pairs} == {name for name, _ in store.list()}
            assert store.set_aside(pairs[1][0])
            for name, _ in pairs:
                store.delete(name)
            assert not store.has(pairs[0][0])
            if len(wire.log) < at:
                break
        assert at > 10

    @pytest.mark.parametrize("fault", ["dropped", "503"])
    def test_what_stays_is_unavailable(self, bucket: S3Backdoor, wire: Between, fault: str) -> None:
        """A server that goes on failing is told in one line, after five tries; then each call tries once, until it answers again."""
        store = open_store(bucket.url)
        name, data = a_blob(b"x")
        store.put(name, [data])
        wire.told()
        wire.fault = lambda *_: fault
        with pytest.raises(Unavailable) as caught:
            store.get(name)
        twice = 2 if fault == "dropped" else 1  # where a kept connection was closed, aiohttp asks once more by itself
        assert 5 * twice == len(wire.told())
        assert "\n" not in str(caught.value)
        with pytest.raises(Unavailable):
            store.has(name)
        with pytest.raises(Unavailable):
            list(store.list())
        assert 2 * twice == len(wire.told())
        wire.fault = lambda *_: None

        assert data == bytes(store.get(name))

    def test_what_cannot_pass_is_not_tried_again(self, bucket: S3Backdoor, wire: Between) -> None:
        """A refusal is final: one request, one error of its kind."""
        store = open_store(bucket.url)
        name, data = a_blob(b"x")
        store.put(name, [data])
        wire.told()
        wire.fault = lambda *_: "forbidden"

        for call, kind in ((lambda: store.get(name), Unavailable), (lambda: store.put(name, [data]), StoreReadOnly)):
            with pytest.raises(kind, match="do not allow it"):
                call()
        assert 2 == len(wire.told())

    def test_a_read_goes_on_where_it_was_cut(self, bucket: S3Backdoor, wire: Between) -> None:
        """Of a large object only what is missing is asked for again."""
        store = open_store(bucket.url)
        name, data = a_blob(os.urandom(3_000_000))
        bucket.write(name, data)
        wire.told()
        wire.fault = lambda number, _: "cut" if number < 3 else None

        assert data == bytes(store.get(name))
        ranges = [request.headers.get("Range") for request in wire.log]
        assert [None, "bytes=1500000-", "bytes=2250000-"] == ranges

    def test_a_server_without_ranges(self, bucket: S3Backdoor, wire: Between) -> None:
        """Who is asked for the rest and gives the whole is believed, and a sound object is not taken for a damaged one."""
        store = open_store(bucket.url)
        name, data = a_blob(os.urandom(3_000_000))
        bucket.write(name, data)
        wire.told()
        wire.fault = lambda number, _: "cut" if number == 1 else "no ranges"

        assert data == bytes(store.get(name))

    def test_a_server_without_conditions(self, bucket: S3Backdoor, wire: Between) -> None:
        """Correctness does not rest on conditional puts: a server that ignores them keeps the same promises."""
        wire.fault = lambda *_: "no conditions"
        store = open_store(bucket.url)
        blobs = [a_blob(bytes([number]) * 5000) for number in range(4)]
        bucket.write(blobs[0][0], b"damaged")

        run_threads(lambda: [store.put(name, [data]) for name, data in blobs], 6)  # type: ignore[arg-type]
        assert blobs == [(name, bucket.read(name)) for name, _ in blobs]


class TestLarge:
    """What goes up in parts."""

    @pytest.fixture(autouse=True)
    def small_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3, "_PART", 5 * 1024 * 1024)  # the least that S3 takes

    DATA = os.urandom(23 * 1024 * 1024)

    def sent(self, wire: Between) -> list[str]:
        return [told for told in wire.told() if "partNumber" in told]

    def test_a_cut_upload_is_gone_on_with(self, bucket: S3Backdoor, wire: Between) -> None:
        """Cut after three of five parts, by another process even: the next one sends two, and until then nobody sees anything."""
        name = a_blob(self.DATA)[0]
        wire.fault = lambda _, request: "forbidden" if len([1 for one in wire.log if "partNumber" in one.query]) > 3 else None
        with pytest.raises(StoreReadOnly):
            open_store(bucket.url).put(name, [self.DATA])
        assert 4 == len(self.sent(wire))
        assert bucket.read(name) is None
        assert [] == list(open_store(bucket.url).list())
        wire.fault = lambda *_: None
        wire.told()

        open_store(bucket.url).put(name, [self.DATA[:7], self.DATA[7:]])
        assert 2 == len(self.sent(wire))
        assert self.DATA == bucket.read(name)
        assert 0 == bucket.leftovers()

    def test_a_part_that_differs_is_sent_again(self, bucket: S3Backdoor, wire: Between) -> None:
        """What an earlier, wrong upload left under this name does not get into the object."""
        name = a_blob(self.DATA)[0]
        key = f"{bucket.root}store/{name}"
        upload = bucket.client.create_multipart_upload(Bucket=bucket.bucket, Key=key)["UploadId"]
        bucket.client.upload_part(Bucket=bucket.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"w" * s3._PART)
        open_store(bucket.url).put(name, [self.DATA])

        assert self.DATA == bucket.read(name)
        assert 0 == bucket.leftovers()

    def test_each_request_fails_once(self, bucket: S3Backdoor, wire: Between) -> None:
        """A put in parts survives a lost connection at any of its requests."""
        store, name = open_store(bucket.url), a_blob(self.DATA)[0]
        store.put(*_put(b"first"))
        for at, fault in zip(itertools.count(1), itertools.cycle(["lost", "dropped", "half", "503"]), strict=False):
            store.delete(name)
            wire.told()
            wire.fault = lambda number, _, at=at, fault=fault: fault if number == at else None  # type: ignore[misc]
            store.put(name, [self.DATA])
            if len(wire.log) < at:
                break
            check_name(name, store.get(name))
        assert at > 8

    def test_many_writers_of_one(self, bucket: S3Backdoor, wire: Between, monkeypatch: pytest.MonkeyPatch) -> None:
        """Writers of one large object at the same moment all succeed, and nothing of theirs is left."""
        name = a_blob(self.DATA)[0]
        monkeypatch.setattr(transport, "_TRIES", 4)  # this server answers 500, where S3 has a word for an upload that is complete
        run_threads(lambda: open_store(bucket.url).put(name, [self.DATA]), 3)

        assert self.DATA == bucket.read(name)
        open_store(bucket.url).put(name, [self.DATA])
        assert self.DATA == bucket.read(name)

    def test_what_the_dead_left_is_swept_after_a_day(self, bucket: S3Backdoor, wire: Between, monkeypatch: pytest.MonkeyPatch) -> None:
        """An upload that nobody goes on with costs room until a sweep a day later."""
        store = open_store(bucket.url)
        bucket.client.create_multipart_upload(Bucket=bucket.bucket, Key=f"{bucket.root}store/{a_blob(b'x')[0]}")
        monkeypatch.setattr(s3, "FORGOTTEN_AFTER", 10**12)  # this server dates every upload 2010
        assert 0 == store.sweep()
        monkeypatch.undo()

        assert 1 == store.sweep()
        assert 0 == bucket.leftovers()


class TestProcesses:
    """Threads, forks and pickles."""

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_a_fork_goes_on(self, bucket: S3Backdoor, wire: Between) -> None:
        """A child and its parent use one store side by side, with connections of their own."""
        store = open_store(bucket.url)
        store.put(*_put(b"before"))
        program = f"""
import os, sys
from simcache.stores.registry import open_store
from tests.simcache.contract import a_blob
store = open_store({bucket.url!r})
def work(text):
    for number in range(20):
        name, data = a_blob(f"{{text}} {{number}}".encode())
        store.put(name, [data])
        assert bytes(store.get(name)) == data
work("warm")
children = []
for number in range(3):
    child = os.fork()
    if not child:
        try:
            work(f"child {{number}}")
        except BaseException as problem:
            print(repr(problem), flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
work("parent")
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
print(len(list(store.list())))
"""
        told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

        assert ("", "101\n") == (told.stderr, told.stdout)

    def test_threads_share_one_store(self, bucket: S3Backdoor, wire: Between) -> None:
        """Sixteen threads at once, from the very first call on."""
        store = open_store(bucket.url)
        numbers = itertools.count()

        def work() -> None:
            for _ in range(10):
                name, data = a_blob(str(next(numbers)).encode())
                store.put(name, [data])
                assert data == bytes(store.get(name))

        run_threads(work, 16)
        assert 160 == len(bucket.names())

    def test_it_travels_by_pickle(self, bucket: S3Backdoor, wire: Between) -> None:
        """A cache with far stores arrives in another process, and finds there what it would find here."""
        name, data = a_blob(b"far")
        bucket.write(name, data)
        cache = Cache(MemoryStore(), far=[bucket.url])
        program = "import pickle, sys; print(bytes(pickle.load(sys.stdin.buffer).store.get(sys.argv[1])).decode())"
        told = subprocess.run([sys.executable, "-c", program, name], cwd=ROOT, input=pickle.dumps(cache), capture_output=True, check=False)

        assert (b"", b"far\n") == (told.stderr, told.stdout)


class TestRefusals:
    """A user's mistake is one line: what, which, the next step."""

    def refused(self, url: str, kind: type[CacheError] = Unavailable) -> str:
        with pytest.raises(kind) as caught:
            open_store(url)
        text = str(caught.value)
        assert "\n" not in text
        assert url in text
        return text

    def test_no_bucket(self, wire: Between) -> None:
        """A bucket that is not there is not made, and not taken for an empty store."""
        text = self.refused("s3://not-there/store")
        assert "there is no bucket 'not-there'" in text
        assert "aws s3 mb" in text

    def test_a_bucket_that_goes_away(self, wire: Between) -> None:
        """A bucket that is removed meanwhile is no empty store either."""
        client = S3Backdoor(Path("unused")).client
        client.create_bucket(Bucket="passing")
        store = open_store("s3://passing/store")
        client.delete_bucket(Bucket="passing")

        with pytest.raises(Unavailable, match="no bucket 'passing'"):
            list(store.list())
        with pytest.raises(Unavailable, match="no bucket 'passing'"):
            store.put(*_put(b"x"))
        with pytest.raises((Missing, Unavailable)):
            store.get(a_blob(b"x")[0])

    def test_no_credentials(self, wire: Between, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who may not enter is told how to log in."""
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        text = self.refused("s3://tests/store")
        assert "no credentials" in text
        assert "aws configure" in text

    def test_no_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A server that does not answer is tried twice, not for minutes."""
        for name, value in s3_environment("http://127.0.0.1:9").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(transport, "_FIRST_WAIT", 0.2)
        began = time.monotonic()
        text = self.refused("s3://tests/store")
        assert "Could not connect" in text
        assert "check the network" in text
        assert 0.1 < time.monotonic() - began < 10

    def test_a_far_store_without_network_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A laptop on a train computes, with one warning."""
        for name, value in s3_environment("http://127.0.0.1:9").items():
            monkeypatch.setenv(name, value)
        with pytest.warns(RuntimeWarning, match="s3://tests/store"):
            cache = Cache(MemoryStore(), far=["s3://tests/store"])
        assert cached(cache=cache)(field)(3).tolist() == field(3).tolist()

    def test_a_far_store_that_goes_down(self, bucket: S3Backdoor, wire: Between) -> None:
        """A far store that stops answering is a miss with a reason, and costs five tries once."""
        open_store(bucket.url).put(*_put(b"x"))
        cache = Cache(MemoryStore(), far=[bucket.url])
        wire.told()
        wire.fault = lambda *_: "503"
        with pytest.warns(NotStored, match="cannot be asked"):
            assert cached(cache=cache)(field)(3).tolist() == field(3).tolist()
        with pytest.warns(NotStored, match="cannot be asked"):
            assert cached(cache=cache)(field)(4).tolist() == field(4).tolist()
        assert 6 == len(wire.told())

    @pytest.mark.parametrize("url", ["s3://", "s3:///store", "fsspec+ftp://x/y"])
    def test_a_url_that_names_nothing(self, url: str) -> None:
        """A URL without a bucket, or of a protocol that nobody here knows, is refused before anything is asked."""
        with pytest.raises(CacheError, match=url.partition(":")[0].replace("+", r"\+")):
            open_store(url)

    def test_a_bucket_of_somebody_elses(self, bucket: S3Backdoor, wire: Between) -> None:
        """A prefix with other things in it is not filled with blobs."""
        bucket.client.put_object(Bucket=bucket.bucket, Key=f"{bucket.root}store/thesis.tex", Body=b"")
        assert "thesis.tex" in self.refused(bucket.url, NotAStore)

    @pytest.mark.parametrize(
        ("url", "package"), [("s3://tests/x", "s3fs"), ("sftp://h/x", "paramiko"), ("gs://b/x", "gcsfs"), ("az://b/x", "adlfs")]
    )
    def test_no_extra(self, url: str, package: str) -> None:
        """A package that is not installed is named, and what installs it."""
        program = f"""
import sys
sys.modules[{package!r}] = None
from simcache import Cache
from simcache.errors import Unavailable
from simcache.stores.registry import open_store
try:
    open_store({url!r})
except Unavailable as problem:
    print(problem)
"""
        told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

        assert "" == told.stderr
        assert f"{package} is not installed" in told.stdout
        assert f"pip install {package}`" in told.stdout

    def test_importing_asks_nobody(self) -> None:
        """Neither `import simcache` nor a cache without a far store loads a client."""
        program = "import sys, simcache; simcache.Cache('x'); print({'s3fs', 'fsspec', 'paramiko', 'aiohttp'} & set(sys.modules))"
        told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

        assert "set()\n" == told.stdout


def test_a_store_of_a_newer_format(bucket: S3Backdoor, wire: Between) -> None:
    """A store of a newer simcache is not touched."""
    bucket.client.put_object(Bucket=bucket.bucket, Key=f"{bucket.root}store/simcache.json", Body=b'{"format": 7}')
    with pytest.raises(CacheError, match="format 7"):
        open_store(bucket.url)


def test_names_with_every_sign(bucket: S3Backdoor, wire: Between) -> None:
    """Whatever a function is called, its entries come back from a bucket under their names."""
    kept = dict(
        an_entry(function, 1) for function in ("a.b:c", "naïve", "<lambda>", "a b", "%2E", "a+b=c~d@e,f", "x" * 300, "..", "?versionId=1")
    )
    store = open_store(bucket.url)
    for name, data in kept.items():
        store.put(name, [data])

    assert {Listed(name, len(data)) for name, data in kept.items()} == set(store.list())
    for name, data in kept.items():
        assert data == bytes(store.get(name))
        assert [name] == [found for found, _ in store.list(name)]


def _put(data: bytes) -> tuple[str, list[bytes]]:
    name, _ = a_blob(data)
    return name, [data]

"""What every kind of store promises, as one test class; a kind is tested by being registered here and in the registry.

The class looks round the back: it sets up and checks by a `Backdoor`, which reads and writes what a kind keeps without
asking the store under test.
"""

import json
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import pytest

from simcache.errors import Corrupt, Missing
from simcache.model import Blob, Buffer, Entry, Made, blob_name, blob_of, check_name, entry_prefix
from simcache.stores.base import Listed, Store
from simcache.stores.memory import MemoryStore
from simcache.stores.registry import open_store
from tests.remotes import kaggle_server
from tests.remotes.servers import open_to_server, s3_client, s3_server, sftp_server

LARGE = 300_000
"""Bytes that every kind hands out as a map or shares, rather than copies."""

BAD_NAMES = (
    "",
    "x",
    "blobs",
    "blobs/",
    "blobs/..",
    "../blobs/ab/" + "ab" * 32,
    "/blobs/ab/" + "ab" * 32,
    "blobs/cd/" + "ab" * 32,
    "blobs/ab/" + "ab" * 31,
    "blobs/AB/" + "AB" * 32,
    "blobs/ab/" + "ab" * 32 + "\n",
    "blobs/ab/" + "ab" * 32 + "/x",
    "entries/../ab/" + "ab" * 16 + "." + "0" * 16 + ".json",
    "entries/./ab/" + "ab" * 16 + "." + "0" * 16 + ".json",
    "entries//ab/" + "ab" * 16 + "." + "0" * 16 + ".json",
    "entries/a\0b/ab/" + "ab" * 16 + "." + "0" * 16 + ".json",
    "entries/a\\..\\b/ab/" + "ab" * 16 + "." + "0" * 16 + ".json",
    "entries/f/cd/" + "ab" * 16 + "." + "0" * 16 + ".json",
    "entries/f/ab/" + "ab" * 16 + ".json",
    "simcache.json",
    ".local/tmp/x",
    "blobs\\ab\\" + "ab" * 32,
    "C:/blobs/ab/" + "ab" * 32,
)


class Backdoor(ABC):
    """One place of one kind of store, and what lies in it, without asking the store."""

    url: str
    environment: Mapping[str, str] = MappingProxyType({})
    """What a process must have in its environment to find the place."""

    @abstractmethod
    def open(self) -> Store:
        """The store of this place; each call opens it anew."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """What is kept under this name; None if nothing is."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Put bytes there behind the store's back, be they damaged."""

    @abstractmethod
    def names(self) -> set[str]:
        """The names of all blobs and entries that are kept."""

    @abstractmethod
    def leftovers(self) -> int:
        """How many unfinished writes lie about."""


class FolderBackdoor(Backdoor):
    """A local folder, by plain files."""

    def __init__(self, folder: Path, scheme: str = "") -> None:
        self.root = folder / "store"
        self.url = self.root.as_uri() if scheme == "file" else str(self.root)

    def open(self) -> Store:
        return open_store(self.url)

    def read(self, name: str) -> bytes | None:
        path = self.root / name
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def names(self) -> set[str]:
        tops = (self.root / "blobs", self.root / "entries")
        return {path.relative_to(self.root).as_posix() for top in tops for path in top.rglob("*") if path.is_file()}

    def leftovers(self) -> int:
        return len(list((self.root / ".local" / "tmp").glob("*")))


class MemoryBackdoor(Backdoor):
    """A store in memory, by its dictionary."""

    def __init__(self, folder: Path, scheme: str = "memory") -> None:
        self.url = f"{scheme}://{folder}"
        self._keep = self.open()  # a name that nobody uses is forgotten

    def open(self) -> Store:
        return open_store(self.url)

    @property
    def _bytes(self) -> dict[str, bytes]:
        assert isinstance(self._keep, MemoryStore)
        return self._keep._kept.bytes

    def read(self, name: str) -> bytes | None:
        return self._bytes.get(name)

    def write(self, name: str, data: bytes) -> None:
        self._bytes[name] = data

    def names(self) -> set[str]:
        return set(self._bytes)

    def leftovers(self) -> int:
        return 0


class S3Backdoor(Backdoor):
    """A prefix of a bucket on a real server, by Amazon's own client."""

    def __init__(self, folder: Path) -> None:
        server = s3_server()
        self.environment = server.environment
        self.bucket, self.root = "tests", f"{folder.as_posix().strip('/')}/"
        self.client = s3_client(server.address)
        self.url = f"s3://{self.bucket}/{self.root}store"

    def open(self) -> Store:
        return open_store(self.url)

    def read(self, name: str) -> bytes | None:
        try:
            data: bytes = self.client.get_object(Bucket=self.bucket, Key=f"{self.root}store/{name}")["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None
        return data

    def write(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{self.root}store/{name}", Body=data)

    def names(self) -> set[str]:
        root = f"{self.root}store/"
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=root)
        names = {item["Key"].removeprefix(root) for page in pages for item in page.get("Contents", ())}
        return {name for name in names if name.startswith(("blobs/", "entries/"))}

    def leftovers(self) -> int:
        return len(self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=self.root).get("Uploads", ()))


class SftpBackdoor(FolderBackdoor):
    """A folder behind a real SSH server, which is on this machine: by plain files."""

    def __init__(self, folder: Path) -> None:
        server = sftp_server()
        place = server.folder / sha256(str(folder).encode()).hexdigest()[:16]
        place.mkdir()
        open_to_server(place)
        super().__init__(place)
        self.environment = server.environment
        self.url = f"sftp://{server.address}{self.root}"

    def write(self, name: str, data: bytes) -> None:
        super().write(name, data)
        open_to_server(self.root)


class FsspecMemoryBackdoor(Backdoor):
    """A folder in fsspec's own memory, by its dictionary."""

    def __init__(self, folder: Path) -> None:
        self.root = f"{folder.as_posix()}/store"
        self.url = f"fsspec+memory:/{self.root}"

    def open(self) -> Store:
        return open_store(self.url)

    def read(self, name: str) -> bytes | None:
        from fsspec.implementations.memory import MemoryFileSystem

        file = MemoryFileSystem.store.get(f"{self.root}/{name}")
        return None if file is None else bytes(file.getvalue())

    def write(self, name: str, data: bytes) -> None:
        from fsspec.implementations.memory import MemoryFileSystem

        MemoryFileSystem().pipe_file(f"{self.root}/{name}", data)

    def names(self) -> set[str]:
        from fsspec.implementations.memory import MemoryFileSystem

        names = {path.removeprefix(f"{self.root}/") for path in MemoryFileSystem.store}
        return {name for name in names if name.startswith(("blobs/", "entries/"))}

    def leftovers(self) -> int:
        return 0


class PackedBackdoor(Backdoor):
    """A folder of packs: what is written behind its back is a pack and an index of one name, byte by byte as the format says."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "packed"
        self.url = f"packed://{self.root}"

    def open(self) -> Store:
        return open_store(self.url)

    def read(self, name: str) -> bytes | None:
        loose = self.root / "loose" / name
        return loose.read_bytes() if loose.is_file() else self._packed().get(name)

    def write(self, name: str, data: bytes) -> None:
        index, pack = packed_by_hand({name: data})
        (self.root / "packs").mkdir(parents=True, exist_ok=True)
        (self.root / "packs" / f"{sha256(pack).hexdigest()}.pack").write_bytes(pack)
        (self.root / f"by-hand-{sha256(index).hexdigest()}.simidx").write_bytes(index)

    def names(self) -> set[str]:
        loose = self.root / "loose"
        tops = (loose / "blobs", loose / "entries")
        return {path.relative_to(loose).as_posix() for top in tops for path in top.rglob("*") if path.is_file()} | set(self._packed())

    def leftovers(self) -> int:
        return len([*self.root.glob("loose/.local/tmp/*"), *self.root.glob(".local/tmp/*")])

    def _packed(self) -> dict[str, bytes]:
        held: dict[str, bytes] = {}
        for index in self.root.glob("*.simidx"):
            held |= unpacked_by_hand(index.read_bytes(), lambda pack: (self.root / "packs" / pack).read_bytes())
        return held


class KaggleBackdoor(Backdoor):
    """A dataset of a loopback Kaggle, and the folder of this machine in which lies what is not published yet."""

    def __init__(self, folder: Path) -> None:
        self.server = kaggle_server.shared()
        self.environment = {**self.server.environment(), "XDG_CACHE_HOME": str(folder / "home")}
        self.ref = f"me/store-{sha256(folder.as_posix().encode()).hexdigest()[:10]}"
        self.url = f"kaggle://{self.ref}?writer=here"
        self.near = folder / "home" / "simcache" / "kaggle" / self.ref
        self.theirs: dict[str, bytes] = {}

    def open(self) -> Store:
        return open_store(self.url)

    def read(self, name: str) -> bytes | None:
        loose = self.near / "loose" / name
        return loose.read_bytes() if loose.is_file() else self.theirs.get(name)

    def write(self, name: str, data: bytes) -> None:
        self.theirs[name] = data
        index, pack = packed_by_hand(self.theirs)
        self.server.add(f"{self.ref}-delta-there", {"index.simidx": index, f"packs/{sha256(pack).hexdigest()}.pack": pack})

    def names(self) -> set[str]:
        loose = self.near / "loose"
        tops = (loose / "blobs", loose / "entries")
        return {path.relative_to(loose).as_posix() for top in tops for path in top.rglob("*") if path.is_file()} | set(self.theirs)

    def leftovers(self) -> int:
        return len([*self.near.glob("loose/.local/tmp/*"), *self.near.glob(".local/tmp/*")])


def unpacked_by_hand(index: bytes, pack: Callable[[str], bytes]) -> dict[str, bytes]:
    """What an index names, each taken out of its pack."""
    head, *rows = [json.loads(line) for line in index.splitlines()[:-1]]
    return {name: pack(f"{head['packs'][number][0]}.pack")[offset : offset + size] for name, number, offset, size in rows}


def packed_by_hand(items: Mapping[str, bytes], **head: object) -> tuple[bytes, bytes]:
    """An index, and the one pack that it names, of these items, be they damaged."""
    pack = b"simcache pack 1\n".ljust(64, b"\0") + b"".join(items.values())
    rows = []
    at = 64
    for name, data in items.items():
        rows.append([name, 0, at, len(data)])
        at += len(data)
    head = {"format": 1, "follows": 0, "writers": [], "packs": [[sha256(pack).hexdigest(), len(pack)]], **head}
    text = "".join(f"{json.dumps(line)}\n" for line in (head, *rows)).encode()
    return text + f"sha256 {sha256(text).hexdigest()}\n".encode(), pack


class GitBackdoor(FolderBackdoor):
    """The store folder of a fresh clone, by the files of what waits there to be published; what was published: tests/remotes."""

    def __init__(self, folder: Path) -> None:
        work = folder / "work"
        for command in (("init", "--quiet", "--bare", folder / "far.git"), ("init", "--quiet", "--initial-branch", "main", work)):
            subprocess.run(["git", *command], check=True, capture_output=True)
        subprocess.run(["git", "remote", "add", "origin", folder / "far.git"], cwd=work, check=True)
        self.url = f"git+lfs:{work / 'store'}"
        self.root = Path(self.open()._waiting.url)  # type: ignore[attr-defined]


BACKDOORS: Mapping[str, Callable[[Path], Backdoor]] = {
    "": FolderBackdoor,
    "file": lambda folder: FolderBackdoor(folder, "file"),
    "git+lfs": GitBackdoor,
    "kaggle": KaggleBackdoor,
    "memory": MemoryBackdoor,
    "packed": PackedBackdoor,
    "s3": S3Backdoor,
    "sftp": SftpBackdoor,
    "fsspec+memory": FsspecMemoryBackdoor,
}
"""One line for each scheme in the registry, and whatever runs over every kind of store runs over it: the contract, the games against a
dict, the faults. A test says which scheme has none."""

UNTRIED: Mapping[str, str] = {
    "gs": "no server of Google's storage runs on loopback; its transport is that of fsspec+memory",
    "az": "no server of Azure's storage runs here; its transport is that of fsspec+memory",
    "kaggle-kernel": "it is only read: tests/remotes/test_kaggle_kernels.py reads what kernels put out",
    "mounted": "it is only read: the same tests read through every layout of mounts",
}
"""Schemes that the contract is not run over, and why."""


class StoreContract:
    """The promises of `Store`. A subclass gives the fixture `backdoor`; everything else is inherited."""

    @pytest.fixture
    def backdoor(self, tmp_path: Path) -> Iterator[Backdoor]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, backdoor: Backdoor) -> Store:
        return backdoor.open()

    def test_empty_place_is_an_empty_store(self, store: Store, backdoor: Backdoor) -> None:
        """A place where nothing was ever written reads as an empty store, and reading writes nothing."""
        name, _ = a_blob(b"x")

        with pytest.raises(Missing):
            store.get(name)
        assert not store.has(name)
        assert [] == list(store.list())
        assert set() == backdoor.names()

    @pytest.mark.parametrize("size", [0, 1, 1000, 65_535, 65_536, 65_537, LARGE])
    def test_get_gives_what_is_there(self, store: Store, backdoor: Backdoor, size: int) -> None:
        """What lies there is given byte for byte, whatever its size."""
        name, data = a_blob(bytes(size))
        backdoor.write(name, data)

        assert data == bytes(store.get(name))
        assert store.has(name)

    @pytest.mark.parametrize("durable", [False, True])
    @pytest.mark.parametrize("size", [0, 1, 1000, LARGE])
    def test_put_keeps_the_bytes(self, store: Store, backdoor: Backdoor, size: int, durable: bool) -> None:
        """What is put lies there under its name, whole, and nothing unfinished beside it."""
        name, data = a_blob(b"p" * size)
        store.put(name, [data], durable=durable)

        assert data == backdoor.read(name)
        assert {name} == backdoor.names()
        assert 0 == backdoor.leftovers()

    def test_put_takes_any_chunks(self, store: Store, backdoor: Backdoor) -> None:
        """Chunks of every kind of buffer, empty ones among them and more than one call takes, are kept in order."""
        wide = memoryview(b"12345678" * 3).cast("Q")
        many = [b"%d," % number for number in range(3000)]
        chunks: list[Buffer] = [b"", b"a", bytearray(b"bc"), memoryview(b""), memoryview(b"xdefx")[1:4], wide, *many]
        name, data = a_blob(b"abcdef"[:3] + b"def" + b"12345678" * 3 + b"".join(many))
        store.put(name, chunks)

        assert data == backdoor.read(name)

    @pytest.mark.parametrize("durable", [False, True])
    @pytest.mark.parametrize("sizes", [[], [5], [3, 0, LARGE], [1_000_000, 1_000_000]])
    def test_put_blob_finds_the_name(self, store: Store, backdoor: Backdoor, sizes: list[int], durable: bool) -> None:
        """Bytes are kept under the name that they themselves make, and that name is told."""
        chunks: list[Buffer] = [bytes([number]) * size for number, size in enumerate(sizes)]
        expected = blob_of(chunks)

        assert expected == store.put_blob(chunks, durable=durable)
        assert expected == store.put_blob(chunks)
        assert b"".join(chunks) == backdoor.read(expected.name)
        assert {expected.name} == backdoor.names()
        assert 0 == backdoor.leftovers()

    @pytest.mark.parametrize("size", [1000, 2_000_000])
    def test_put_blob_mends_what_was_cut(self, store: Store, backdoor: Backdoor, size: int) -> None:
        """A file that is too short under that name is not taken for the blob."""
        blob = blob_of([b"w" * size])
        backdoor.write(blob.name, b"w" * (size // 2))
        store.put_blob([b"w" * size])

        assert b"w" * size == backdoor.read(blob.name)

    def test_put_again_is_harmless(self, store: Store, backdoor: Backdoor) -> None:
        """A retried put succeeds and leaves one name."""
        name, data = a_blob(b"again")
        store.put(name, [data])
        store.put(name, [data])

        assert data == backdoor.read(name)
        assert {name} == backdoor.names()

    @pytest.mark.parametrize("damaged", [b"", b"short", b"y" * LARGE])
    def test_put_replaces_what_was_damaged(self, store: Store, backdoor: Backdoor, damaged: bytes) -> None:
        """Writing a name again mends what stands under it."""
        name, data = a_blob(b"z" * 1000)
        backdoor.write(name, damaged)
        store.put(name, [data])

        assert data == backdoor.read(name)

    def test_adopt_keeps_the_file_or_takes_nothing(self, store: Store, backdoor: Backdoor, tmp_path: Path) -> None:
        """A file that is offered stands under its name, or the store says no; nobody writes into it, whatever comes after."""
        name, data = a_blob(b"a" * 5000)
        offered = tmp_path / "offered"
        offered.write_bytes(data)
        taken = store.adopt(name, str(offered))

        assert ({name} if taken else set()) == backdoor.names()
        assert (data if taken else None) == backdoor.read(name)
        assert 0 == backdoor.leftovers()
        store.put(name, [data[:100]])
        store.delete(name)
        assert data == offered.read_bytes()
        assert not store.adopt(name, str(tmp_path / "nothing"))
        assert set() == backdoor.names()

    def test_another_opening_sees_the_same(self, store: Store, backdoor: Backdoor) -> None:
        """Two openings of one place are one store."""
        name, data = a_blob(b"both")
        store.put(name, [data])
        other = backdoor.open()

        assert data == bytes(other.get(name))
        other.delete(name)
        assert not store.has(name)

    def test_url_opens_the_same_store(self, store: Store) -> None:
        """`url` is what a person can give to open the store again."""
        name, data = a_blob(b"url")
        store.put(name, [data])

        assert data == bytes(open_store(store.url).get(name))

    def test_small_bytes_are_a_private_copy(self, store: Store) -> None:
        """Whoever changes the bytes of a small result changes no other's."""
        name, data = a_blob(b"private")
        store.put(name, [data])
        store.get(name)[:] = b"scribed"

        assert data == bytes(store.get(name))

    def test_large_bytes_cannot_be_written(self, store: Store) -> None:
        """Large bytes are shared, so they are read-only."""
        name, data = a_blob(b"r" * LARGE)
        store.put(name, [data])

        assert store.get(name).readonly

    def test_what_was_got_outlives_its_name(self, store: Store) -> None:
        """Bytes in hand stay as they were when the name is replaced, set aside or deleted."""
        name, data = a_blob(b"o" * LARGE)
        store.put(name, [data])
        got = store.get(name)
        store.put(name, [b"n" * LARGE])
        store.set_aside(name)
        store.delete(name)

        assert data == bytes(got)

    def test_put_keeps_no_hold_of_the_callers_buffer(self, store: Store, backdoor: Backdoor) -> None:
        """A buffer that is changed after the put changes nothing that is kept."""
        buffer = bytearray(b"m" * 1000)
        name, data = a_blob(bytes(buffer))
        store.put(name, [buffer])
        buffer[:] = b"n" * 1000

        assert data == backdoor.read(name)

    def test_list_gives_names_and_sizes(self, store: Store, backdoor: Backdoor) -> None:
        """Every name is listed once, with the number of its bytes."""
        kept = dict([a_blob(b"a" * 10), a_blob(b""), a_blob(b"c" * LARGE), an_entry("f", 1), an_entry("f", 2), an_entry("g.h", 1)])
        for name, data in kept.items():
            backdoor.write(name, data)

        assert sorted(Listed(name, len(data)) for name, data in kept.items()) == sorted(store.list())

    def test_list_takes_any_text_as_prefix(self, store: Store, backdoor: Backdoor) -> None:
        """For every text that begins some name, and others, exactly the names that begin with it are listed."""
        blob, entry, other = a_blob(b"a")[0], an_entry("f", 1)[0], an_entry("ff", 2)[0]
        for name in (blob, entry, other):
            backdoor.write(name, b"x")
        prefixes = {name[:end] for name in (blob, entry, other) for end in range(len(name) + 1)}
        odd = {
            "e/",
            "/",
            "..",
            "../",
            "entries/../",
            "entries//",
            "entries/f/../ff/",
            "entries/./",
            "blobs/\0/",
            "entries/f/zz/",
            name + "x",
        }
        for prefix in prefixes | odd:
            assert {name for name in (blob, entry, other) if name.startswith(prefix)} == {name for name, _ in store.list(prefix)}, prefix

    def test_list_of_one_key(self, store: Store, backdoor: Backdoor) -> None:
        """The prefix of a key lists the entries of this key alone."""
        key, first = an_entry_of("f", "ab" * 16, 1)
        second = an_entry_of("f", "ab" * 16, 2)[1]
        others = [an_entry_of("f", "ab" * 15 + "cd", 1)[1], an_entry_of("g", "ab" * 16, 1)[1]]
        for entry in (first, second, *others):
            backdoor.write(entry.name, entry.to_bytes())

        assert {first.name, second.name} == {name for name, _ in store.list(entry_prefix("f", key))}

    def test_delete(self, store: Store, backdoor: Backdoor) -> None:
        """A deleted name is gone, its neighbours stay, and deleting it again is no error."""
        (name, data), (other, more) = a_blob(b"gone"), a_blob(b"stays")
        store.put(name, [data])
        store.put(other, [more])
        store.delete(name)
        store.delete(name)

        assert {other} == backdoor.names()
        assert not store.has(name)
        with pytest.raises(Missing):
            store.get(name)

    def test_set_aside(self, store: Store, backdoor: Backdoor) -> None:
        """What is set aside is no longer under its name, and the name can be put anew."""
        name, data = a_blob(b"fine")
        backdoor.write(name, b"bad")

        assert store.set_aside(name)
        assert not store.has(name)
        assert [] == list(store.list())
        store.put(name, [data])
        assert data == backdoor.read(name)

    def test_set_aside_of_nothing(self, store: Store) -> None:
        """Where nothing stands there is nothing to move."""
        assert store.set_aside(a_blob(b"nothing")[0]) is None

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_other_names_are_refused(self, store: Store, backdoor: Backdoor, name: str) -> None:
        """A name that is neither a blob's nor an entry's is refused by every method, and nothing is written."""
        calls: list[Callable[[], object]] = [
            lambda: store.get(name),
            lambda: store.put(name, [b"x"]),
            lambda: store.has(name),
            lambda: store.delete(name),
            lambda: store.set_aside(name),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="neither a blob nor an entry"):
                call()
        assert set() == backdoor.names()

    def test_stamp_tells_of_changes(self, store: Store, backdoor: Backdoor) -> None:
        """While a stamp stays the same no name under its prefix has come or gone; None promises nothing."""
        key, first = an_entry_of("f", "ab" * 16, 1)
        second = an_entry_of("f", "ab" * 16, 2)[1]
        prefix = entry_prefix("f", key)
        store.put(first.name, [first.to_bytes()])
        before = store.stamp(prefix)
        store.put(second.name, [second.to_bytes()])
        between = store.stamp(prefix)
        store.delete(second.name)
        after = store.stamp(prefix)

        assert before is None or before != between
        assert between is None or between != after

    def test_threads_put_and_read_at_once(self, store: Store, backdoor: Backdoor) -> None:
        """Threads that write and read the same few names see whole bytes or none."""
        blobs = [a_blob(bytes([number]) * size) for number, size in enumerate((10, 5000, LARGE))]
        wrong: list[str] = []

        def work() -> None:
            for name, data in blobs * 5:
                store.put(name, [data[:7], data[7:]])
                for other, expected in blobs:
                    try:
                        if bytes(store.get(other)) != expected:
                            wrong.append(other)
                    except Missing:
                        continue

        run_threads(work, 6)

        assert [] == wrong
        assert {name for name, _ in blobs} == backdoor.names()
        assert 0 == backdoor.leftovers()

    def test_damage_is_seen_by_the_checks(self, store: Store, backdoor: Backdoor) -> None:
        """A store gives damaged bytes as they are; the names tell."""
        blob = blob_of([b"sound"])
        backdoor.write(blob.name, b"s0und")
        got = store.get(blob.name)

        with pytest.raises(Corrupt):
            blob.check(got)
        with pytest.raises(Corrupt):
            check_name(blob.name, got)


def run_threads(work: Callable[[], None], count: int) -> None:
    """Run the work in so many threads at once, and raise what one of them raised."""
    problems: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def a_blob(data: bytes) -> tuple[str, bytes]:
    """The name of these bytes, and the bytes."""
    return blob_name(sha256(data).hexdigest()), data


def an_entry(function: str, number: int, blobs: tuple[Blob, ...] = ()) -> tuple[str, bytes]:
    """The name and bytes of a sound entry with a key of its own."""
    entry = an_entry_of(function, sha256(f"{function} {number}".encode()).hexdigest()[:32], number, blobs)[1]
    return entry.name, entry.to_bytes()


def an_entry_of(function: str, key: str, number: int, blobs: tuple[Blob, ...] = ()) -> tuple[str, Entry]:
    """A sound entry of this key; entries of other numbers differ."""
    made = Made(
        at="2026-01-01T00:00:00Z",
        seconds=float(number),
        host="here",
        device="cpu",
        python="3.11",
        platform="linux",
        packages={},
        git=None,
        simcache="0",
    )
    if not blobs:  # the one kind of entry that needs none
        return key, Entry(key=key, function=function, kind="withdrawn", made=made, code="0" * 32, withdraws=("0" * 16,), reason="wrong")
    value = {"codec": "json", "blobs": list(range(len(blobs)))}
    return key, Entry(key=key, function=function, kind="value", made=made, code="0" * 32, blobs=blobs, value=value)

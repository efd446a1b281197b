"""What lies in a store, read in bulk: names by folder, small files whole, large ones hashed piece by piece.

A store that is a folder is read by plain system calls, for ten thousand small files cost more in a store's own care than in
their bytes; any other store is asked by its contract.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from xxhash import xxh3_128

from simcache.errors import CacheError, Corrupt, Missing, Unavailable
from simcache.model import digest_in_name, entry_leaves, pointer_oid
from simcache.stores.base import Store, root_of
from simcache.stores.local import NOT_A_FILE

LARGE = 1 << 20
"""Bytes from which on a file is hashed piece by piece, beside others."""

_PIECE = 1 << 20
_AT_ONCE = 4096
"""Bytes in which a small file is read: most entries are a quarter of that, and a larger buffer takes longer to get."""
_POINTERS = range(100, 180)
"""Bytes that a Git LFS pointer has: three lines, the last with a number."""
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class Digests(NamedTuple):
    """What the bytes under a name really are."""

    sha256: str
    xxh3: str
    size: int
    head: bytes
    """How they begin, enough to recognise a pointer."""


class Contents(Protocol):
    """The names and bytes of one store."""

    @property
    def foreign(self) -> Sequence[str]:
        """What lies among blobs and entries and is neither, as met by listing."""

    def entries(self) -> Iterator[list[str]]:
        """The names of all entries, those of one key always in one list."""

    def blobs(self) -> Iterator[str]:
        """The names of all blobs; the sizes are known from then on."""

    def blob_names(self) -> Iterator[str]:
        """The names of all blobs whose content is here: not those of which there is only a Git LFS pointer."""

    def read(self, name: str, size: int | None = None) -> bytes:
        """The bytes under a name; of more than `size`, so many that one sees that there are more."""

    def size(self, name: str) -> int:
        """How many bytes stand under a name; 0 if there are none."""

    def time(self, name: str) -> float | None:
        """When a name was last written or claimed, in seconds; None if it is not there or the store does not tell."""

    def digests(self, name: str, told: "Told") -> Digests:
        """Both digests of what stands under a name; `told` hears of each piece."""


class Told:
    """How many bytes were read so far, by any number of threads."""

    def __init__(self) -> None:
        self.bytes = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self.bytes += size


def contents(store: Store) -> Contents:
    root = root_of(store)
    return _Stored(store) if root is None else _Folder(root)


class _Folder:
    """The contents of a store that is a folder."""

    def __init__(self, root: str) -> None:
        self.foreign: list[str] = []
        self._root = root

    def entries(self) -> Iterator[list[str]]:
        for function in self._listed("entries"):
            for pair in self._listed(f"entries/{function}"):
                below = f"entries/{function}/{pair}"
                items = self._listed(below, leaves=True)
                leaves = entry_leaves(below, items)
                if len(leaves) < len(items):
                    self.foreign += [f"{below}/{item}" for item in sorted({*items}.difference(leaves)) if not item.startswith(".")]
                if leaves:
                    yield [f"{below}/{leaf}" for leaf in leaves]

    def blobs(self) -> Iterator[str]:
        for pair in self._listed("blobs"):
            below = f"blobs/{pair}"
            for item in self._listed(below, leaves=True):
                name = f"{below}/{item}"
                if digest_in_name(name):
                    yield name
                elif not item.startswith("."):
                    self.foreign.append(name)

    def read(self, name: str, size: int | None = None) -> bytes:
        try:
            file = os.open(f"{self._root}/{name}", _READ)
            try:
                data = os.read(file, _AT_ONCE if size is None else size + 1)
                while size is None and len(data) % _AT_ONCE == 0 and (more := os.read(file, _AT_ONCE)):
                    data += more
            finally:
                os.close(file)
        except OSError as problem:
            raise _unreadable(name, problem) from problem
        return data

    def size(self, name: str) -> int:
        try:
            return os.stat(f"{self._root}/{name}").st_size
        except OSError:
            return 0

    def blob_names(self) -> Iterator[str]:
        return (name for name in self.blobs() if not self._is_pointer(name))

    def _is_pointer(self, name: str) -> bool:
        try:
            return self.size(name) in _POINTERS and pointer_oid(self.read(name)) == name[-64:]
        except CacheError:
            return False  # gone this very moment, or unreadable: whoever reads it says so

    def time(self, name: str) -> float | None:
        try:
            return os.stat(f"{self._root}/{name}").st_mtime
        except OSError:
            return None

    def digests(self, name: str, told: Told) -> Digests:
        strong, fast, size, head = sha256(), xxh3_128(), 0, b""
        piece = bytearray(_PIECE)
        view = memoryview(piece)
        file = self._open(name)
        try:
            with open(file, "rb", buffering=0) as opened:
                while got := opened.readinto(piece):
                    head = head or bytes(view[:200])
                    strong.update(view[:got])
                    fast.update(view[:got])
                    size += got
                    told.add(got)
        except OSError as problem:
            raise _unreadable(name, problem) from problem
        return Digests(strong.hexdigest(), fast.hexdigest(), size, head)

    def _open(self, name: str) -> int:
        try:
            return os.open(f"{self._root}/{name}", _READ)
        except OSError as problem:
            raise _unreadable(name, problem) from problem

    def _listed(self, folder: str, *, leaves: bool = False) -> list[str]:
        """The names in a folder; files that stand among folders are foreign."""
        path = f"{self._root}/{folder}"
        try:
            if leaves:
                return os.listdir(path)
            with os.scandir(path) as found:
                items = list(found)
        except NotADirectoryError:
            self.foreign.append(folder)
            return []
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise Unavailable(path, f"the folder cannot be listed ({problem.strerror})") from problem
        self.foreign += [f"{folder}/{item.name}" for item in items if not item.is_dir() and not item.name.startswith(".")]
        return [item.name for item in items if item.is_dir()]


class _Stored:
    """The contents of any other store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes: dict[str, int] = {}

    @property
    def foreign(self) -> Sequence[str]:
        return self._store.foreign()

    def entries(self) -> Iterator[list[str]]:
        folders: dict[str, list[str]] = {}
        for name in self._store.names("entries/"):
            folders.setdefault(name.rpartition("/")[0], []).append(name)
        yield from folders.values()

    def blobs(self) -> Iterator[str]:
        for listed in self._store.list("blobs/"):
            self._sizes[listed.name] = listed.size
            yield listed.name

    def blob_names(self) -> Iterator[str]:
        yield from self._store.names("blobs/")

    def read(self, name: str, size: int | None = None) -> bytes:
        del size  # it comes whole
        return bytes(self._store.get(name))

    def size(self, name: str) -> int:
        if name not in self._sizes:
            self._sizes.update((listed.name, listed.size) for listed in self._store.list(name))
        return self._sizes.get(name, 0)

    def time(self, name: str) -> float | None:
        del name
        return None  # the contract of a store knows no times

    def digests(self, name: str, told: Told) -> Digests:
        data = self._store.get(name)
        told.add(data.nbytes)
        return Digests(sha256(data).hexdigest(), xxh3_128(data).hexdigest(), data.nbytes, bytes(data[:200]))


def _unreadable(name: str, problem: OSError) -> CacheError:
    if isinstance(problem, FileNotFoundError):
        return Missing(name)
    if problem.errno in NOT_A_FILE:
        return Corrupt(name, f"something that is not a file stands in its place ({problem.strerror})")
    return Unavailable(name, f"it cannot be read ({problem.strerror})")

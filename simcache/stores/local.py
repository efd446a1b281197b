"""A folder as a store: files that appear whole under their names, shared by all processes of a machine."""

import errno
import os
import sys
import time
from collections.abc import Iterator, Sequence
from stat import S_ISREG
from typing import TYPE_CHECKING

from simcache.errors import CacheError, Corrupt, Missing, StoreReadOnly, Unavailable
from simcache.model import Blob, Buffer, Capabilities, digest_in_name
from simcache.stores.base import Listed, Store, require_name
from simcache.stores.place import check_place

if TYPE_CHECKING:
    from mmap import mmap

    from simcache.stores.writer import Writer

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""Without waiting: a pipe that stands where a blob should be must not hang its reader."""
_READ_ONLY_FROM = 64 * 1024
_MAP_FROM = 256 * 1024
"""Below it, reading takes half as long as mapping, checking and unmapping; from 1 MiB on, mapping is ever faster."""
_READ_AT_ONCE = 64 * 1024 * 1024
_HASHED_ASIDE_FROM = 1024 * 1024
"""From here on SHA-256, which takes twice as long as writing, is computed in a thread beside it; below, a thread costs more."""
_DEPTHS = {"blobs": 2, "entries": 3}
"""How many folders, one inside the other, lead to names."""
_MAPS_HOLD_FILES = hasattr(os, "sysconf") and sys.version_info < (3, 13) and os.sysconf("SC_OPEN_MAX") > 0
_MAP_UP_TO = os.sysconf("SC_OPEN_MAX") // 2 if _MAPS_HOLD_FILES else sys.maxsize
"""Before Python 3.13 a map keeps its file open. Descriptors are given out lowest first, so one beyond half of what the
process may have means that many maps are alive: from there on bytes are read instead, or a long list of results would
leave no descriptor for anything else."""
_TICK = 50_000_000
_COARSE_TICK = 2_100_000_000
"""Nanoseconds in which two changes of a folder may show one time: on most file systems, and on those that count seconds."""
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
NOT_A_FILE = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV})
"""What opening says of a folder, a link that leads to itself, a socket: no permission and no network mends it."""


class LocalStore(Store):
    """A store in a folder of a file system that has rename: the near store of every cache.

    The folder and its parents are made by the first write; until then the store is empty, and reading makes nothing.
    No state of the folder is remembered, so other processes may write, sweep or even remove it at any moment.
    Links are followed by reading (contents are checked by whoever knows the digest) and replaced, never written through.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True, to_mend: bool = False) -> None:
        """Open the store. FormatTooNew, NotAStore, Unavailable or Corrupt if it cannot be; with `create=False` it must be there.

        `to_mend` opens it though its mark is damaged: it can be read and set aside in, and nothing is written before `mark`.
        """
        self._root = os.path.abspath(os.fspath(path))
        self.url = self._root
        self.capabilities = Capabilities(trusted=True, shared=True, quick=True)
        self.local: str = os.path.join(self._root, ".local")
        self._changes: Writer | None = None
        try:
            check_place(self._root, create=create)
        except Corrupt:
            if not to_mend:
                raise

    def __repr__(self) -> str:
        return f"LocalStore({self._root!r})"

    def get(self, name: str) -> memoryview:
        require_name(name)
        path = f"{self._root}/{name}"
        try:
            file = os.open(path, _READ)
        except OSError as problem:
            raise self._unreadable(name, path, problem) from problem
        try:
            status = os.fstat(file)
            if not S_ISREG(status.st_mode):
                raise Corrupt(name, "something that is not a file stands in its place")
            size = status.st_size
            if size < _READ_ONLY_FROM:
                return memoryview(bytearray(_read(file, size)))
            if size >= _MAP_FROM and file < _MAP_UP_TO:
                try:
                    return memoryview(_map(file, size))
                except (OSError, ValueError):
                    pass  # it shrank this very moment, or cannot be mapped here: what there is can still be read
            return memoryview(_read(file, size)).toreadonly()
        except OSError as problem:
            raise self._unreadable(name, path, problem) from problem
        finally:
            os.close(file)

    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool = False) -> None:
        require_name(name)
        try:
            self._writer.put(name, chunks, durable=durable)
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def adopt(self, name: str, path: str) -> bool:
        require_name(name)
        try:
            return self._writer.adopt(name, path)
        except OSError:
            return False  # another file system, one without links: `put` manages, or says why it cannot

    def put_blob(self, chunks: Sequence[Buffer], *, durable: bool = False) -> Blob:
        if sum(memoryview(chunk).nbytes for chunk in chunks) < _HASHED_ASIDE_FROM:
            return super().put_blob(chunks, durable=durable)
        try:
            return self._writer.put_large(chunks, durable=durable)
        except RuntimeError:  # the program ends, and no thread begins any more
            return super().put_blob(chunks, durable=durable)
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def has(self, name: str) -> bool:
        require_name(name)
        try:
            return S_ISREG(os.stat(f"{self._root}/{name}").st_mode)
        except OSError:
            return False

    def claim(self, name: str, size: int) -> bool:
        require_name(name)
        path = f"{self._root}/{name}"
        try:
            status = os.stat(path)
            if not S_ISREG(status.st_mode) or status.st_size != size:
                return False
            os.utime(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return self.has(name)  # another user's file: whoever may prune it is not slowed down, and a reader computes what is lost
        return True

    def list(self, prefix: str = "") -> Iterator[Listed]:
        for folder in self._leaf_folders(prefix):
            begin = prefix[len(folder) :]
            for item in self._leaves(folder):
                if item.startswith(begin) and digest_in_name(name := folder + item):
                    try:
                        status = os.stat(f"{self._root}/{name}")
                    except OSError:  # removed meanwhile, or a link to nowhere
                        continue
                    yield Listed(name, status.st_size if S_ISREG(status.st_mode) else 0)

    def delete(self, name: str) -> None:
        require_name(name)
        path = f"{self._root}/{name}"
        try:
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                return
            except OSError:
                if not os.path.isdir(path):
                    raise
                self._writer.set_aside(name)
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def set_aside(self, name: str) -> str | None:
        require_name(name)
        try:
            return self._writer.set_aside(name)
        except OSError:
            return None

    def stamp(self, prefix: str) -> object:
        folder = prefix[: prefix.rfind("/")]
        if folder.count("/") + 1 != _DEPTHS.get(folder[: folder.find("/")]):
            return None  # names under this prefix lie in many folders, and only the innermost one's time would change
        try:
            status = os.stat(f"{self._root}/{folder}")
        except OSError:
            return None
        newest = max(status.st_mtime_ns, status.st_ctime_ns)
        tick = _TICK if newest % 1_000_000_000 else _COARSE_TICK
        if time.time_ns() - newest < tick:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_ctime_ns

    def sweep(self) -> int:
        return self._writer.sweep()

    def mark(self) -> None:
        """Mark the folder as a store of this format, if it has no mark. FormatTooNew or Corrupt if it has another one."""
        try:
            self._writer.prepare()
        except OSError as problem:
            raise self._unwritable(problem) from problem

    @property
    def _writer(self) -> "Writer":
        """What changes the folder; whoever only reads does not load it."""
        if self._changes is None:  # no cached_property: before Python 3.12 it has a lock, which a forked child may find taken
            from simcache.stores.writer import Writer

            self._changes = Writer(self._root, self.local)
        return self._changes

    # what there is

    def _leaf_folders(self, prefix: str) -> Iterator[str]:
        """The folders that can hold names with this prefix, each with a slash at its end; one that is named is not looked for."""
        above = prefix[: max(0, prefix.rfind("/"))]
        parts = above.split("/")
        if len(parts) == _DEPTHS.get(parts[0]):  # asked by every miss
            if {"", ".", ".."}.isdisjoint(parts) and "\0" not in above:
                yield f"{above}/"
            return
        for top, depth in (("blobs/", 1), ("entries/", 2)):
            folders = [top]
            for _ in range(depth):
                folders = [f"{folder}{below}/" for folder in folders if _meet(folder, prefix) for below in self._folders_in(folder, prefix)]
            yield from (folder for folder in folders if _meet(folder, prefix))

    def _folders_in(self, folder: str, prefix: str) -> Sequence[str]:
        below, named, _ = prefix[len(folder) :].partition("/")
        if named:
            return () if below in ("", ".", "..") or "\0" in below else (below,)
        return tuple(item.name for item in self._scan(folder) if item.is_dir())

    def _leaves(self, folder: str) -> Sequence[str]:
        try:
            return os.listdir(f"{self._root}/{folder}")
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as problem:
            raise self._unlisted(folder, problem) from problem

    def _scan(self, folder: str) -> Sequence["os.DirEntry[str]"]:
        try:
            with os.scandir(f"{self._root}/{folder}") as found:
                return tuple(found)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as problem:
            raise self._unlisted(folder, problem) from problem

    def _unlisted(self, folder: str, problem: OSError) -> CacheError:
        return Unavailable(f"{self._root}/{folder}", f"the folder cannot be listed ({problem.strerror})")

    # what went wrong

    def _unreadable(self, name: str, path: str, problem: OSError) -> CacheError:
        if isinstance(problem, FileNotFoundError):
            return Missing(name)
        if problem.errno in NOT_A_FILE or os.path.isdir(path):
            return Corrupt(name, f"something that is not a file stands in its place ({problem.strerror})")
        return Unavailable(name, f"{path} cannot be read ({problem.strerror})")

    def _unwritable(self, problem: OSError) -> Exception:
        if problem.errno in _NOT_WRITABLE:
            return StoreReadOnly(self.url, f"{problem.strerror}: {problem.filename}" if problem.filename else str(problem.strerror))
        if isinstance(problem, (FileExistsError, FileNotFoundError)) and (link := self._link_to_nowhere(problem.filename or "")):
            return FileNotFoundError(
                errno.ENOENT, "a link that leads nowhere stands where a folder should be: mount what it leads to, or remove it", link
            )
        return problem

    def _link_to_nowhere(self, path: str) -> str | None:
        """The first link on the way up from this path to the store that leads to nothing: a disk that is not there, perhaps."""
        while len(path) >= len(self._root):
            if os.path.islink(path) and not os.path.exists(path):
                return path
            path = os.path.dirname(path)
        return None


def _map(file: int, size: int) -> "mmap":
    from mmap import ACCESS_READ, mmap  # small results are read

    if sys.version_info >= (3, 13):
        return mmap(file, size, access=ACCESS_READ, trackfd=False)
    return mmap(file, size, access=ACCESS_READ)


def _read(file: int, size: int) -> bytes | bytearray:
    data = os.read(file, min(size, _READ_AT_ONCE))
    if len(data) == size:
        return data
    whole = bytearray(data)
    while len(whole) < size and (more := os.read(file, min(size - len(whole), _READ_AT_ONCE))):
        whole += more  # until the end: if it shrank this very moment, whoever checks the bytes will say so
    return whole


def _meet(folder: str, prefix: str) -> bool:
    return folder.startswith(prefix) or prefix.startswith(folder)

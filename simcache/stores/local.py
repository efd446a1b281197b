"""A folder as a store: files that appear whole under their names, shared by all processes of a machine."""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from stat import S_ISREG
from types import ModuleType
from typing import TYPE_CHECKING

from xxhash import xxh3_128

from simcache.errors import CacheError, Corrupt, Missing, StoreReadOnly, Unavailable
from simcache.model import Blob, Buffer, Capabilities, blob_name, digest_in_name
from simcache.stores.base import Listed, Store, require_name
from simcache.stores.place import FORMAT_BYTES, FORMAT_FILE, check_place

if TYPE_CHECKING:
    from mmap import mmap

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
_QUARANTINED = 32
"""How many damaged files are kept to be looked at. A disk that goes bad would otherwise fill itself with quarantine."""
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_NOT_A_FILE = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV})
_MOVES = 4


class LocalStore(Store):
    """A store in a folder of a file system that has rename: the near store of every cache.

    The folder and its parents are made by the first write; until then the store is empty, and reading makes nothing.
    No state of the folder is remembered, so other processes may write, sweep or even remove it at any moment.
    Links are followed by reading (contents are checked by whoever knows the digest) and replaced, never written through.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True) -> None:
        """Open the store. FormatTooNew, NotAStore or Unavailable if it cannot be; with `create=False` it must be there."""
        self._root = os.path.abspath(os.fspath(path))
        self.url = self._root
        self.capabilities = Capabilities(trusted=True, shared=True, quick=True)
        self.local: str = os.path.join(self._root, ".local")
        self._tmp = os.path.join(self.local, "tmp")
        self._prepared_by = 0
        self._on_disk: set[tuple[int, int]] = set()
        check_place(self._root, create=create)

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
        path = f"{self._root}/{name}"
        self._put(_views(chunks), lambda: path, durable=durable)

    def adopt(self, name: str, path: str) -> bool:
        require_name(name)
        place = f"{self._root}/{name}"
        try:
            if self._prepared_by != os.getpid() or not os.path.isdir(self._tmp):
                self._prepare()
            adopted: bool = _unfinished().link_whole(self._tmp, path, lambda temporary: self._give_name(temporary, place))
            if adopted:
                os.utime(place)  # the file may be old, and whoever prunes must see that it is wanted from now on
        except OSError:
            return False  # another file system, one without links: `put` manages, or says why it cannot
        return adopted

    def put_blob(self, chunks: Sequence[Buffer], *, durable: bool = False) -> Blob:
        views = _views(chunks)
        size = sum(view.nbytes for view in views)
        if size < _HASHED_ASIDE_FROM:
            return super().put_blob(chunks, durable=durable)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            strong, fast = pool.submit(_sha256_of, views), xxh3_128()
            for view in views:
                fast.update(view)
            self._put(views, lambda: f"{self._root}/{blob_name(strong.result())}", durable=durable)
        return Blob(strong.result(), fast.hexdigest(), size)

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
                self._move_aside(path)
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def set_aside(self, name: str) -> str | None:
        require_name(name)
        path = f"{self._root}/{name}"
        path = self._file_for_folder(path) or path
        if not os.path.lexists(path):
            return None
        try:
            return self._move_aside(path)
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
        removed: int = _unfinished().sweep(self._tmp)
        return removed

    # how a file gets its name

    def _put(self, views: Sequence[memoryview], path: Callable[[], str], *, durable: bool) -> None:
        """Keep these bytes under a path that is asked for when they are written."""
        try:
            if self._prepared_by != os.getpid():
                self._prepare()
            try:
                self._write(views, path, durable=durable)
            except FileNotFoundError:  # somebody removed the store while it was open: it begins anew
                self._prepare()
                self._write(views, path, durable=durable)
            if durable:
                self._sync_folders(path())
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def _prepare(self) -> None:
        """Make and mark the folder if that is still to do, and clear away what dead writers left."""
        os.makedirs(self._tmp, exist_ok=True)
        ignore = os.path.join(self.local, ".gitignore")
        if not os.path.lexists(ignore):
            self._write([memoryview(b"*\n")], lambda: ignore, durable=False)
        if not check_place(self._root):
            # Durable always: an empty mark after a power cut would make the whole store unreadable.
            self._write([memoryview(FORMAT_BYTES)], lambda: os.path.join(self._root, FORMAT_FILE), durable=True)
        self.sweep()
        self._prepared_by = os.getpid()

    def _write(self, views: Sequence[memoryview], path: Callable[[], str], *, durable: bool) -> None:
        _unfinished().write_whole(self._tmp, views, lambda temporary: self._give_name(temporary, path()), durable=durable)

    def _give_name(self, temporary: str, path: str) -> bool:
        """Move a whole file under its name, making room for it; False if the file has vanished."""
        for _ in range(_MOVES):
            try:
                os.replace(temporary, path)
            except FileNotFoundError:
                if not os.path.lexists(temporary):
                    return False
                os.makedirs(os.path.dirname(path), exist_ok=True)
            except OSError:
                if not self._clear_the_way(path):
                    raise
            else:
                return True
        raise OSError(errno.EAGAIN, "its place was taken or removed again and again", path)

    def _clear_the_way(self, path: str) -> bool:
        """Set aside a file that stands where a folder should be, or a folder where the file should be; False if neither does."""
        obstacle = self._file_for_folder(path) or (path if os.path.isdir(path) else None)
        if obstacle is None:
            return False
        self._move_aside(obstacle)
        return True

    def _file_for_folder(self, path: str) -> str | None:
        """The file that stands where a folder above this path should be; a link is somebody's will, and left alone."""
        above: list[str] = []
        while (path := os.path.dirname(path)) != self._root:
            above.append(path)
        return next((folder for folder in reversed(above) if os.path.isfile(folder) and not os.path.islink(folder)), None)

    def _sync_folders(self, path: str) -> None:
        """Have the name reach the disk: its folder, and those above it up to one that this process has seen there."""
        if sys.platform == "win32":  # a folder cannot be synced there
            return
        seen: set[tuple[int, int]] = set()
        folder = path
        while folder != os.path.dirname(self._root):
            folder = os.path.dirname(folder)
            identity = _sync_folder(folder)
            if identity is None or identity in self._on_disk:
                break
            seen.add(identity)
        self._on_disk |= seen

    def _move_aside(self, path: str) -> str:
        quarantine = os.path.join(self.local, "quarantine")
        os.makedirs(quarantine, exist_ok=True)
        kept = sorted((int(number), name) for name in os.listdir(quarantine) if (number := name.rpartition(".")[2]).isdecimal())
        target = os.path.join(quarantine, f"{os.path.basename(path)}.{kept[-1][0] + 1 if kept else 0}")
        os.rename(path, target)
        for _, name in kept[: max(0, len(kept) + 1 - _QUARANTINED)]:
            _remove(os.path.join(quarantine, name))
        return target

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
        if problem.errno in _NOT_A_FILE or os.path.isdir(path):
            return Corrupt(name, f"something that is not a file stands in its place ({problem.strerror})")
        return Unavailable(name, f"{path} cannot be read ({problem.strerror})")

    def _unwritable(self, problem: OSError) -> Exception:
        if problem.errno in _NOT_WRITABLE:
            return StoreReadOnly(self.url, f"{problem.strerror}: {problem.filename}" if problem.filename else str(problem.strerror))
        return problem


@cache
def _unfinished() -> ModuleType:
    """What writes; whoever only reads does not load it."""
    from simcache.stores import unfinished

    return unfinished


def _views(chunks: Sequence[Buffer]) -> list[memoryview]:
    return [view.cast("B") for chunk in chunks if (view := memoryview(chunk)).nbytes]


def _sha256_of(views: Sequence[memoryview]) -> str:
    from hashlib import sha256

    digest = sha256()
    for view in views:
        digest.update(view)
    return digest.hexdigest()


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


def _sync_folder(folder: str) -> tuple[int, int] | None:
    """Have the names in this folder reach the disk, and tell which folder it is; None if it is gone or must not be read."""
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return None
    try:
        os.fsync(file)
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # a file system that keeps no promise about folders
            raise
    else:
        status = os.fstat(file)
        return status.st_dev, status.st_ino
    finally:
        os.close(file)
    return None


def _meet(folder: str, prefix: str) -> bool:
    return folder.startswith(prefix) or prefix.startswith(folder)


def _remove(path: str) -> None:
    """Remove a quarantined file or folder; one that resists stays, and is tried again next time."""
    try:
        os.unlink(path)
    except OSError:
        import shutil

        shutil.rmtree(path, ignore_errors=True)

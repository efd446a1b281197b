"""What changes the folder of a store: it is made and marked, files get their names when they are whole, damaged ones go aside."""

import errno
import os
import sys
from collections.abc import Callable, Sequence

from xxhash import xxh3_128

from simcache.model import Blob, Buffer, blob_name
from simcache.stores.place import FORMAT_BYTES, FORMAT_FILE, check_place
from simcache.stores.unfinished import link_whole, sweep, write_whole

_QUARANTINED = 32
"""How many damaged files are kept to be looked at. A disk that goes bad would otherwise fill itself with quarantine."""
_MOVES = 4


class Writer:
    """Changes one folder, for a process and for those that are forked from it; what it raises is the system's error."""

    def __init__(self, root: str, local: str) -> None:
        self._root = root
        self._local = local
        self._tmp = os.path.join(local, "tmp")
        self._prepared_by = 0
        self._on_disk: set[tuple[int, int]] = set()

    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool) -> None:
        self._put(_views(chunks), lambda: name, durable=durable)

    def put_large(self, chunks: Sequence[Buffer], *, durable: bool) -> Blob:
        """Keep these bytes under the name that they themselves make, which is found while they are written."""
        from concurrent.futures import ThreadPoolExecutor

        views = _views(chunks)
        with ThreadPoolExecutor(1) as pool:
            strong, fast = pool.submit(_sha256_of, views), xxh3_128()
            for view in views:
                fast.update(view)
            self._put(views, lambda: blob_name(strong.result()), durable=durable)
        return Blob(strong.result(), fast.hexdigest(), sum(view.nbytes for view in views))

    def adopt(self, name: str, source: str) -> bool:
        """Give a file its second name here; False if it vanished in between. OSError if it can have none."""
        if self._prepared_by != os.getpid() or not os.path.isdir(self._tmp):
            self.prepare()
        adopted = link_whole(self._tmp, source, lambda temporary: self._give_name(temporary, name))
        if adopted:
            os.utime(self._path(name))  # the file may be old, and whoever prunes must see that it is wanted from now on
        return adopted

    def set_aside(self, name: str) -> str | None:
        """Move what stands under this name, or stands where a folder above it should be, into quarantine; None if nothing does."""
        path = self._path(name)
        path = self._file_for_folder(path) or path
        return self._move_aside(path) if os.path.lexists(path) else None

    def sweep(self) -> int:
        return sweep(self._tmp)

    # how a file gets its name

    def _put(self, views: Sequence[memoryview], name: Callable[[], str], *, durable: bool) -> None:
        """Keep these bytes under a name that is asked for when they are written."""
        if self._prepared_by != os.getpid():
            self.prepare()
        try:
            self._write(views, name, durable=durable)
        except FileNotFoundError:  # somebody removed the store while it was open: it begins anew
            self.prepare()
            self._write(views, name, durable=durable)
        if durable:
            self._sync_folders(name())

    def prepare(self) -> None:
        """Make and mark the folder if that is still to do, and clear away what dead writers left."""
        os.makedirs(self._tmp, exist_ok=True)
        ignore = os.path.join(self._local, ".gitignore")
        if not os.path.lexists(ignore):
            self._write([memoryview(b"*\n")], lambda: ".local/.gitignore", durable=False)
        if not check_place(self._root):
            # Durable always: an empty mark after a power cut would make the whole store unreadable.
            self._write([memoryview(FORMAT_BYTES)], lambda: FORMAT_FILE, durable=True)
        self.sweep()
        self._prepared_by = os.getpid()

    def _write(self, views: Sequence[memoryview], name: Callable[[], str], *, durable: bool) -> None:
        write_whole(self._tmp, views, lambda temporary: self._give_name(temporary, name()), durable=durable)

    def _sync_folders(self, name: str) -> None:
        """Have the name reach the disk: its folder, and those above it up to one that this process has seen there."""
        if sys.platform == "win32":  # a folder cannot be synced there
            return
        seen: set[tuple[int, int]] = set()
        folder = self._path(name)
        while folder != os.path.dirname(self._root):
            folder = os.path.dirname(folder)
            identity = _sync_folder(folder)
            if identity is None or identity in self._on_disk:
                break
            seen.add(identity)
        self._on_disk |= seen

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    # making room

    def _give_name(self, temporary: str, name: str) -> bool:
        """Move a whole file under its name, making room for it; False if the file has vanished."""
        path = self._path(name)
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

    def _move_aside(self, path: str) -> str:
        quarantine = os.path.join(self._local, "quarantine")
        os.makedirs(quarantine, exist_ok=True)
        kept = sorted((int(number), name) for name in os.listdir(quarantine) if (number := name.rpartition(".")[2]).isdecimal())
        target = os.path.join(quarantine, f"{os.path.basename(path)}.{kept[-1][0] + 1 if kept else 0}")
        os.rename(path, target)
        for _, name in kept[: max(0, len(kept) + 1 - _QUARANTINED)]:
            _remove(os.path.join(quarantine, name))
        return target


def _views(chunks: Sequence[Buffer]) -> list[memoryview]:
    return [view.cast("B") for chunk in chunks if (view := memoryview(chunk)).nbytes]


def _sha256_of(views: Sequence[memoryview]) -> str:
    from hashlib import sha256

    digest = sha256()
    for view in views:
        digest.update(view)
    return digest.hexdigest()


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


def _remove(path: str) -> None:
    """Remove a quarantined file or folder; one that resists stays, and is tried again next time."""
    try:
        os.unlink(path)
    except OSError:
        import shutil

        shutil.rmtree(path, ignore_errors=True)

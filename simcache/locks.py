"""One computation per key among processes and threads: a lock that dies with whoever holds it."""

import errno
import os
import struct
import sys
import threading
import time
from contextlib import suppress
from typing import Self

from xxhash import xxh3_64_intdigest

from simcache.errors import warn

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_NO_ROOM = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT})
"""Nothing can be written here: whoever keeps the result says so, and once is enough."""
_FILE = "keys"
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.02


class KeyLock:
    """The lock of one key in a folder: `with KeyLock(folder, key): …`; locks of different keys never wait for one another.

    It excludes other processes of this machine and other threads of this one, and the system frees it when its holder
    dies, however that happens. A child that is forked meanwhile does not hold it.
    Where there are no locks (some network mounts, a folder that cannot be written), only threads are excluded,
    `degraded` says why, and a warning says so once for each folder: the work is then done twice, never wrongly.
    Make one object for each use; any thread may release it.

    All keys of a folder share one file, of which each locks a byte of its own. A file for each key would be made and
    removed with every miss, and on ext4 each removal slows the making of every new file near it for minutes (7 µs
    became 50 to 230 µs here).
    """

    degraded: str
    """Why other processes are not excluded; empty where they are."""

    def __init__(self, folder: str | os.PathLike[str], key: str, *, shared: bool = True) -> None:
        """The lock of a key in a folder; where only this process has what it guards, `shared=False` leaves the disk alone."""
        self._folder = os.fspath(folder)
        self._key = key
        self._shared = shared
        self._byte = xxh3_64_intdigest(key.encode()) >> 2
        self._file: int | None = None
        self._holder = 0
        self.degraded = ""

    @property
    def held(self) -> bool:
        """Whether this object holds the lock in this process."""
        return self._holder == os.getpid()

    def acquire(self, timeout: float | None = None) -> bool:
        """Wait for the lock, at most this many seconds, and say whether it is ours now."""
        if self.held:
            raise RuntimeError(f"the lock of {self._key} is held by this object already; make another KeyLock to wait for it")
        deadline = None if timeout is None else time.monotonic() + timeout
        if not _take_turn(self._name, timeout):
            return False
        locked = False
        try:
            locked = self._lock(deadline)
        finally:
            if not locked:
                _give_turn(self._name)
        return locked

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it, without waiting, and say whether it is ours now."""
        return self.acquire(timeout=0.0)

    def release(self) -> None:
        """Give the lock back; in a forked child, or if it is not held, nothing happens."""
        if not self.held:
            return
        file, self._file, self._holder = self._file, None, 0
        try:  # a Ctrl-C comes where anything is called
            if file is not None:
                _free(file, self._byte)
        finally:
            _give_turn(self._name)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *problem: object) -> None:
        self.release()

    @property
    def _name(self) -> tuple[str, str]:
        return self._folder, self._key

    def _lock(self, deadline: float | None) -> bool:
        """Exclude other processes; True also where that cannot be done."""
        self.degraded = ""
        process = os.getpid()
        if not self._shared:
            self._holder = process
            return True
        file: int | None = None
        locked = False
        try:
            file = _open(self._folder)
            locked = _wait(file, self._byte, deadline)
        except OSError as problem:
            self.degraded = problem.strerror or str(problem)
            if problem.errno not in _NO_ROOM:
                _tell(self._folder, self.degraded)
        finally:
            if file is not None and not locked:
                _close(file)
        if locked:
            self._file = file
        if locked or self.degraded:
            self._holder = process
            return True
        return False


# Among the threads of this process


class _Turn:
    """The lock of one key among the threads of this process, and how many hold it or wait for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted = 0


_turns: dict[tuple[str, str], _Turn] = {}
_files: set[int] = set()
"""The descriptors of all lock files that are open, held or waiting."""
_guard = threading.RLock()
"""Taken for moments only: by whoever changes the two above, and by a fork, so that the child knows every descriptor."""
_told: set[str] = set()


def _take_turn(name: tuple[str, str], timeout: float | None) -> bool:
    with _guard:
        turn = _turns.setdefault(name, _Turn())
        turn.wanted += 1
    taken = False
    try:
        taken = turn.lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
    finally:
        if not taken:
            _leave(name, turn)
    return taken


def _give_turn(name: tuple[str, str]) -> None:
    turn = _turns[name]
    try:
        turn.lock.release()
    finally:
        _leave(name, turn)


def _leave(name: tuple[str, str], turn: _Turn) -> None:
    with _guard:
        turn.wanted -= 1
        if not turn.wanted:
            del _turns[name]


def _forget_all() -> None:
    """In a forked child: close what the parent holds, or its locks would live as long as the child does."""
    for file in _files:
        with suppress(OSError):
            os.close(file)
    _files.clear()
    _turns.clear()
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_forget_all)


# Among processes


def _open(folder: str) -> int:
    path = f"{folder}/{_FILE}"
    with _guard:
        try:
            file = os.open(path, _OPEN, 0o666)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            file = os.open(path, _OPEN, 0o666)
        _files.add(file)
        return file


def _close(file: int) -> None:
    with _guard:
        if file in _files:  # else this is a child, which has closed it
            _files.remove(file)
            os.close(file)


def _free(file: int, byte: int) -> None:
    """Unlock the byte, not only by closing: a fork that runs no Python may have the descriptor too."""
    try:
        with suppress(OSError):
            _unlock(file, byte)
    finally:
        _close(file)


def _wait(file: int, byte: int, deadline: float | None) -> bool:
    """Lock the byte; False if others hold it still when the time is up."""
    if deadline is None and sys.platform != "win32":
        fcntl.fcntl(file, _LOCK_WAITING, _request(fcntl.F_WRLCK, byte))
        return True
    pause = _FIRST_PAUSE
    while not _try(file, byte):
        left = _LONGEST_PAUSE if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
    return True


def _tell(folder: str, reason: str) -> None:
    if folder not in _told:
        _told.add(folder)
        warn(f"no locks in {folder} ({reason}): processes that miss one result at once will each compute it", RuntimeWarning)


if sys.platform == "win32":

    def _try(file: int, byte: int) -> bool:
        _seek(file, byte)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(file: int, byte: int) -> None:
        _seek(file, byte)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

    def _seek(file: int, byte: int) -> None:
        os.lseek(file, byte % (2**31 - 1), os.SEEK_SET)  # locking takes no larger places

else:
    # Locks of the open file, not of the process: closing another descriptor of the same file does not lose them. The
    # numbers are those of macOS, for a Python that does not name them; a system that knows none answers with an error.
    _LOCK = getattr(fcntl, "F_OFD_SETLK", 90)
    _LOCK_WAITING = getattr(fcntl, "F_OFD_SETLKW", 91)

    def _try(file: int, byte: int) -> bool:
        try:
            fcntl.fcntl(file, _LOCK, _request(fcntl.F_WRLCK, byte))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _unlock(file: int, byte: int) -> None:
        fcntl.fcntl(file, _LOCK, _request(fcntl.F_UNLCK, byte))

    def _request(kind: int, byte: int) -> bytes:
        """The system's `struct flock` for one byte counted from the beginning."""
        if sys.platform == "darwin":
            return struct.pack("qqihh", byte, 1, 0, kind, os.SEEK_SET)
        return struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)

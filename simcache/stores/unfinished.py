"""Files on their way: written aside under a lock, moved under their name when whole, swept when their writer has died."""

import errno
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count

if sys.platform != "win32":
    import fcntl

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_ANY_FILE = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_TRIES = 8
_CHUNKS_AT_ONCE = 1024
"""How many chunks one system call takes (IOV_MAX of Linux and macOS)."""
_FORGOTTEN_AFTER = 24 * 3600
"""Seconds after which an unfinished file counts as dead where locks do not tell."""

_process = os.urandom(4).hex()
_numbers = count()


def write_whole(folder: str, views: Sequence[memoryview], move: Callable[[str], bool], *, durable: bool) -> None:
    """Write the bytes to a new file in this folder and have `move` give it its name: all of them, or no trace is left.

    `move` answers False if the file has vanished under it (a sweeper took it before it was locked, or somebody removed
    the folder); then it is written again. FileNotFoundError if the folder is not there.
    """
    for _ in range(_TRIES):
        path, held = _begin(folder)
        moved = False
        try:
            _write_all(held, views)
            if durable:
                os.fsync(held)
            if sys.platform == "win32":  # there an open file cannot be renamed; nor can a sweeper remove it before that
                os.close(held)
                held = -1
            moved = move(path)
        finally:
            if held >= 0:
                os.close(held)  # not before the rename: the lock tells sweepers that this file has an owner
            if not moved:
                with suppress(OSError):
                    os.unlink(path)
        if moved:
            return
    raise OSError(errno.EAGAIN, "the unfinished file vanished again and again", folder)


def link_whole(folder: str, source: str, move: Callable[[str], bool]) -> bool:
    """Have `move` give a second name to a file, by way of one in this folder; False if a sweeper took that in between. OSError if it cannot have one."""
    path = _new_path(folder)
    os.link(source, path)
    try:
        return move(path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)  # a rename to a name that the file has already does nothing


def sweep(folder: str) -> int:
    """Remove the files in this folder whose writers have died, and say how many."""
    removed = 0
    try:
        names = os.listdir(folder)
    except OSError:
        return 0
    for name in names:
        path = os.path.join(folder, name)
        with suppress(OSError):  # it was renamed or removed meanwhile, or belongs to someone else
            _remove_if_dead(path)
            removed += 1
    return removed


def _begin(folder: str) -> tuple[str, int]:
    """A new file of this process in the folder, open and locked."""
    for _ in range(_TRIES):
        path = _new_path(folder)
        held = os.open(path, _NEW_FILE, 0o666)
        if _take(held):
            return path, held
        os.close(held)  # a sweeper was faster and removes it
    raise OSError(errno.EAGAIN, "a new file was locked by others again and again", folder)


def _new_path(folder: str) -> str:
    return f"{folder}/{os.getpid()}-{_process}-{next(_numbers)}"


def _write_all(held: int, views: Sequence[memoryview]) -> None:
    if len(views) == 1 or sys.platform == "win32":
        for view in views:
            _write_one(held, view)
        return
    for start in range(0, len(views), _CHUNKS_AT_ONCE):
        group = views[start : start + _CHUNKS_AT_ONCE]
        written = os.writev(held, group)
        for view in group:
            if written < view.nbytes:
                _write_one(held, view[written:])
            written = max(0, written - view.nbytes)


def _write_one(held: int, view: memoryview) -> None:
    written = os.write(held, view)
    while written < view.nbytes:
        written += os.write(held, view[written:])


if sys.platform == "win32":

    def _take(held: int) -> bool:
        """An open file cannot be removed by others there, so it needs no lock."""
        del held
        return True

    def _remove_if_dead(path: str) -> None:
        os.unlink(path)

else:

    def _take(held: int) -> bool:
        """Lock this open file, and say whether no other holds it; on a file system without locks, always True."""
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _remove_if_dead(path: str) -> None:
        """Remove the file unless a living writer holds it (then BlockingIOError)."""
        found = os.open(path, _ANY_FILE)
        try:
            try:
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise
            except OSError:  # no locks here, so only its age tells
                if time.time() - os.fstat(found).st_mtime < _FORGOTTEN_AFTER:
                    raise
            os.unlink(path)
        finally:
            os.close(found)

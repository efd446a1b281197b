"""One holder at a time for each key, among real processes and threads, and none that outlives its process."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simcache import locks
from simcache.locks import KeyLock
from tests.simcache.contract import run_threads

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX processes")
KEY = "ab" * 16
_FILE = locks._FILE
SOON = 1.5
"""Seconds in which a lock must be free after its holder was killed."""

_BEGIN = """
import os, sys, time, threading, signal
from simcache.locks import KeyLock
folder, key = sys.argv[1:3]
def tell(*words):
    print(*words, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the locks lie; not there yet."""
    return tmp_path / ".local" / "locks"


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """Whatever a test starts here is ended with it."""
    with ExitStack() as stack:
        yield stack


class TestOne:
    """One lock, one process."""

    def test_with(self, folder: Path) -> None:
        """Inside `with` the lock is held, after it free."""
        with KeyLock(folder, KEY) as lock:
            assert lock.held
            assert not _is_free(folder)

        assert not lock.held
        assert _is_free(folder)

    def test_an_error_inside_frees_it(self, folder: Path) -> None:
        """A computation that fails gives its lock back."""
        with pytest.raises(ZeroDivisionError), KeyLock(folder, KEY):
            _ = 1 / 0

        assert _is_free(folder)

    def test_all_keys_share_one_file(self, folder: Path) -> None:
        """However many keys are computed, one small file is all that locking leaves."""
        for number in range(100):
            with KeyLock(folder, f"{number:032x}"):
                pass

        assert [(_FILE, 0)] == [(path.name, path.stat().st_size) for path in folder.iterdir()]

    @pytest.mark.parametrize("key", ["", "..", "../../a", "/a", "k\0", "é", "x" * 1000])
    def test_any_text_is_a_key(self, folder: Path, key: str) -> None:
        """A key never becomes a path, so nothing outside the folder is touched."""
        with KeyLock(folder, key), KeyLock(folder, KEY):
            assert not _is_free(folder, key)

        assert [folder / _FILE] == [path for path in folder.parent.parent.rglob("*") if path.is_file()]

    def test_waiting_ends_in_time(self, folder: Path) -> None:
        """A wait with a timeout ends then, and says that the lock is not ours."""
        with KeyLock(folder, KEY):
            begin = time.monotonic()
            taken = KeyLock(folder, KEY).acquire(timeout=0.2)
            waited = time.monotonic() - begin

        assert not taken
        assert 0.2 <= waited < 1.0

    def test_other_keys_do_not_wait(self, folder: Path) -> None:
        """A lock that is held stops nobody who wants another key."""
        with KeyLock(folder, KEY), KeyLock(folder, "cd" * 16) as other:
            assert other.held

    def test_an_object_is_taken_once(self, folder: Path) -> None:
        """Waiting for oneself would never end; it is an error."""
        with KeyLock(folder, KEY) as lock, pytest.raises(RuntimeError, match="held by this object already"):
            lock.acquire()

    def test_it_can_be_taken_again(self, folder: Path) -> None:
        """A released object can be used again; a release too many does nothing."""
        lock = KeyLock(folder, KEY)
        for _ in range(3):
            assert lock.acquire()
            lock.release()
            lock.release()

        assert {} == locks._turns
        assert set() == locks._files

    def test_a_removed_folder_harms_nobody(self, folder: Path) -> None:
        """If somebody removes the locks while one is held, it is released all the same, and others are made anew."""
        lock = KeyLock(folder, KEY)
        lock.acquire()
        (folder / _FILE).unlink()
        folder.rmdir()
        lock.release()

        assert _is_free(folder)


class TestThreads:
    """Threads of one process."""

    def test_threads_exclude_one_another(self, folder: Path) -> None:
        """Never two threads inside, and all get in."""
        inside: list[int] = []
        most: list[int] = []

        def work() -> None:
            for _ in range(10):
                with KeyLock(folder, KEY):
                    inside.append(1)
                    most.append(len(inside))
                    time.sleep(0.0005)
                    inside.pop()

        run_threads(work, 8)

        assert {1} == set(most)
        assert 80 == len(most)
        assert {} == locks._turns

    def test_any_thread_may_release(self, folder: Path) -> None:
        """A lock that was taken in one thread can be released in another (as coroutines do)."""
        lock = KeyLock(folder, KEY)
        lock.acquire()
        thread = threading.Thread(target=lock.release)
        thread.start()
        thread.join()

        assert _is_free(folder)


class TestProcesses:
    """Processes of one machine."""

    def test_processes_exclude_one_another(self, folder: Path, processes: ExitStack) -> None:
        """What another process holds is not ours until it gives it back; other keys are."""
        holder = _start(
            processes,
            folder,
            "lock = KeyLock(folder, key); lock.acquire(); tell('held'); sys.stdin.readline(); lock.release(); tell('free')",
        )
        _hear(holder, "held")

        assert not _is_free(folder)
        assert not KeyLock(folder, KEY).acquire(timeout=0.1)
        assert _is_free(folder, "cd" * 16)
        _say(holder)
        _hear(holder, "free")
        assert _is_free(folder)

    def test_a_waiter_goes_on_when_the_holder_is_done(self, folder: Path, processes: ExitStack) -> None:
        """A waiting process wakes as soon as the lock is given back."""
        waiter = _start(processes, folder, "sys.stdin.readline(); lock = KeyLock(folder, key); lock.acquire(); tell('mine')")
        with KeyLock(folder, KEY):
            _say(waiter)
            time.sleep(0.2)
            begin = time.monotonic()
        _hear(waiter, "mine")

        assert time.monotonic() - begin < 0.5

    @POSIX
    @pytest.mark.parametrize("timeout", [None, 30.0])
    def test_a_killed_holder_frees_its_lock(self, folder: Path, processes: ExitStack, timeout: float | None) -> None:
        """After kill -9 the next one goes on within 1.5 seconds, whether it waits for ever or for a time."""
        holder = _start(processes, folder, "lock = KeyLock(folder, key); lock.acquire(); tell('held'); time.sleep(60)")
        _hear(holder, "held")
        got: list[float] = []

        def wait() -> None:
            lock = KeyLock(folder, KEY)
            assert lock.acquire(timeout)
            got.append(time.monotonic())
            lock.release()

        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.2)
        begin = time.monotonic()
        holder.kill()
        waiter.join(10)

        assert got
        assert got[0] - begin < SOON

    def test_eight_processes_race(self, folder: Path, processes: ExitStack) -> None:
        """Eight processes that want one key at once go through one by one: no count is lost."""
        counter = folder.parent.parent / "counter"
        counter.write_text("0")
        program = """
tell('ready'); sys.stdin.readline()
for _ in range(20):
    with KeyLock(folder, key):
        count = int(open(sys.argv[3]).read())
        time.sleep(0.0005)
        open(sys.argv[3], 'w').write(str(count + 1))
tell('done')
"""
        racers = [_start(processes, folder, program, str(counter)) for _ in range(8)]
        for racer in racers:
            _hear(racer, "ready")
        for racer in racers:
            _say(racer)
        for racer in racers:
            _hear(racer, "done")

        assert "160" == counter.read_text()

    @POSIX
    def test_an_interrupted_waiter_leaves_nothing(self, folder: Path, processes: ExitStack) -> None:
        """Ctrl-C ends a wait at once; the process can use the lock afterwards."""
        program = """
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    tell('waiting'); KeyLock(folder, key).acquire()
except KeyboardInterrupt:
    tell('interrupted')
sys.stdin.readline()
tell('mine' if KeyLock(folder, key).try_acquire() else 'not mine')
"""
        with KeyLock(folder, KEY):
            waiter = _start(processes, folder, program)
            _hear(waiter, "waiting")
            time.sleep(0.2)
            waiter.send_signal(signal.SIGINT)
            _hear(waiter, "interrupted")
        _say(waiter)
        _hear(waiter, "mine")


@POSIX
class TestForks:
    """Children that inherit what their parent had open."""

    @pytest.mark.parametrize("moment", ["held", "waiting"])
    def test_a_child_does_not_keep_a_killed_parents_lock(self, folder: Path, processes: ExitStack, moment: str) -> None:
        """A child that was forked while the lock was held, or awaited, does not hold it after its parent was killed."""
        program = """
thread = threading.Thread(target=KeyLock(folder, key).acquire, daemon=True)
thread.start()
if sys.argv[3] == 'held':
    thread.join()
else:
    time.sleep(0.2)
child = os.fork()
if not child:
    time.sleep(60)
    os._exit(0)
tell(child)
if sys.argv[3] == 'waiting':
    thread.join()
    tell('held')
time.sleep(60)
"""
        first = KeyLock(folder, KEY)
        if moment == "waiting":
            first.acquire()
        parent = _start(processes, folder, program, moment)
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        processes.callback(os.kill, child, signal.SIGKILL)
        first.release()
        if moment == "waiting":
            _hear(parent, "held")
        assert not _is_free(folder)
        parent.kill()
        begin = time.monotonic()

        with KeyLock(folder, KEY):
            pass
        assert time.monotonic() - begin < SOON
        os.kill(child, 0)  # it is alive still

    def test_a_child_holds_nothing_and_frees_nothing(self, folder: Path, processes: ExitStack) -> None:
        """In a forked child the parent's lock is not held; releasing it there does nothing, and the child can wait for it."""
        program = """
lock = KeyLock(folder, key); lock.acquire()
child = os.fork()
if not child:
    tell('child', lock.held, KeyLock(folder, key).try_acquire())
    lock.release()
    tell('child', KeyLock(folder, key).try_acquire())
    with KeyLock(folder, key) as own:
        tell('child', own.held, not own.degraded)
    os._exit(0)
sys.stdin.readline()
lock.release()
tell('parent', os.waitpid(child, 0)[1])
"""
        parent = _start(processes, folder, program)
        for told in ("child False False", "child False"):
            _hear(parent, told)
        _say(parent)
        for told in ("child True True", "parent 0"):
            _hear(parent, told)

    def test_release_frees_it_though_a_child_has_it_open(self, folder: Path, processes: ExitStack) -> None:
        """A child forked behind Python's back keeps the file open; a release frees the lock all the same."""
        program = """
import ctypes
lock = KeyLock(folder, key); lock.acquire()
child = ctypes.CDLL(None).fork()  # no Python hook runs
if not child:
    time.sleep(60)
    os._exit(0)
lock.release()
tell(child)
time.sleep(60)
"""
        parent = _start(processes, folder, program)
        assert parent.stdout is not None
        processes.callback(os.kill, int(parent.stdout.readline()), signal.SIGKILL)

        assert _is_free(folder)

    def test_forks_in_the_middle_of_locking(self, folder: Path, processes: ExitStack) -> None:
        """Children forked at any moment, while threads take and give locks, can lock and leave no lock behind."""
        program = """
def work():
    while not over:
        with KeyLock(folder, key):
            pass
over = []
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
children = []
for _ in range(20):
    child = os.fork()
    if not child:
        with KeyLock(folder, key):
            os._exit(0)
    children.append(child)
tell(*(os.waitpid(child, 0)[1] for child in children))
over.append(1)
for thread in threads: thread.join()
"""
        parent = _start(processes, folder, program)
        _hear(parent, " ".join(["0"] * 20))
        assert 0 == parent.wait(10)
        assert _is_free(folder)


class TestWithoutLocks:
    """Where the system has no locks, the work may be done twice; it is never wrong, and it is told."""

    @POSIX
    @pytest.mark.parametrize("code", [errno.ENOLCK, errno.EINVAL, errno.ENOSYS])
    def test_a_file_system_without_locks(self, folder: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        """The lock is ours, `degraded` says why it excludes no process, and one warning says so for the folder."""
        monkeypatch.setattr("fcntl.fcntl", _failing(code))
        lock = KeyLock(folder, KEY)
        with pytest.warns(RuntimeWarning, match="will each compute it"):
            lock.acquire()
        assert os.strerror(code) == lock.degraded
        lock.release()

        with KeyLock(folder, KEY) as again:  # a second warning would be an error here
            assert os.strerror(code) == again.degraded
        assert set() == locks._files

    @POSIX
    def test_threads_are_excluded_still(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Threads of one process take turns also there."""
        monkeypatch.setattr("fcntl.fcntl", _failing(errno.ENOLCK))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with KeyLock(folder, KEY):
                assert not _is_free(folder)
            assert _is_free(folder)

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        """A store that cannot be written has no lock files; the computation goes on without."""
        (tmp_path / "file").touch()
        lock = KeyLock(tmp_path / "file" / "locks", KEY)
        with pytest.warns(RuntimeWarning, match="no locks in"):
            lock.acquire()

        assert lock.held
        assert lock.degraded
        lock.release()

    def test_a_lock_that_works_is_not_degraded(self, folder: Path) -> None:
        """An empty reason means that other processes are excluded."""
        with KeyLock(folder, KEY) as lock:
            assert "" == lock.degraded


def _is_free(folder: Path, key: str = KEY) -> bool:
    lock = KeyLock(folder, key)
    free = lock.try_acquire()
    lock.release()
    return free


def _failing(code: int) -> object:
    def fcntl(file: int, operation: int, request: bytes) -> bytes:
        raise OSError(code, os.strerror(code))

    return fcntl


def _start(processes: ExitStack, folder: Path, program: str, *arguments: str) -> "subprocess.Popen[str]":
    """Another process that runs this program, with the folder and the key as its first arguments."""
    child = subprocess.Popen(
        [sys.executable, "-c", _BEGIN + program, str(folder), KEY, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    processes.enter_context(child)
    processes.callback(child.kill)
    return child


def _say(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def _hear(child: "subprocess.Popen[str]", expected: str) -> None:
    assert child.stdout is not None
    assert f"{expected}\n" == child.stdout.readline()

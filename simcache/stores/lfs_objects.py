"""What Git LFS keeps of blobs in a repository, and what git-lfs brings and takes."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from errno import ENOENT
from hashlib import sha256
from typing import Final, NamedTuple

from simcache.stores.base import Listed
from simcache.stores.git import GitFailed, Repository, lfs_is_there

NO_LFS: Final = "git-lfs is not installed: see https://git-lfs.com (Debian, Ubuntu: `apt-get install git-lfs`), then `git lfs install`"

_GLANCE = 0.002
"""Seconds between two looks for a content that is on its way."""
_NOT_ON_THE_SERVER = ("missing object", "does not exist")
_AT_ONCE = 1024
"""Objects that one call of git-lfs uploads: its start takes 50 ms, and between two calls progress is told."""


class Wanted(NamedTuple):
    """A content that a commit names."""

    pointer: str
    """Git's object of the pointer."""
    size: int


class LfsObjects:
    """The contents of blobs that Git LFS has here; each is read as soon as it is here, though others are still on their way."""

    def __init__(self, git: Repository, remote: str) -> None:
        self._git = git
        self._remote = remote
        self._folder = ""
        self.away = ""
        """Why contents cannot be fetched, until somebody looks again."""
        self._coming: Mapping[str, Wanted] = {}
        self._bringing: _Beside | None = None

    # what is here

    def path(self, name: str) -> str:
        """Where the content of a blob stands, or would stand."""
        return f"{self._objects}/{name[-64:-62]}/{name[-62:-60]}/{name[-64:]}"

    def is_whole(self, name: str, size: int) -> bool:
        """Whether a content of this size is here."""
        try:
            return os.path.getsize(self.path(name)) == size
        except OSError:
            return False

    def lent(self, name: str) -> str | None:
        """The file of a content, as `Store.lent` tells it."""
        path = self.path(name)
        return path if os.path.isfile(path) and not os.path.islink(path) else None

    def read(self, name: str) -> bytes:
        """A content, waited for if it is on its way; OSError if it is not here.

        git-lfs has checked what it just fetched. What has been here longer may have been damaged since: that goes where
        `git lfs fsck` would put it, so that it is fetched anew.
        """
        checked = self._await(name)
        path = self.path(name)
        with open(path, "rb", buffering=0) as file:
            data = file.read()
        if not checked and sha256(data).hexdigest() != name[-64:]:
            bad = os.path.join(os.path.dirname(self._objects), "bad")
            os.makedirs(bad, exist_ok=True)
            os.replace(path, os.path.join(bad, name[-64:]))
            raise FileNotFoundError(ENOENT, "it was damaged", path)
        return data

    @property
    def _objects(self) -> str:
        if not self._folder:
            self._folder = os.path.join(self._git.place.common, self._git.ask("config", "lfs.storage") or "lfs", "objects")
        return self._folder

    # bringing

    def bring(self, wanted: Mapping[str, Wanted]) -> None:
        """Begin to fetch these, in this order, beside their reader."""
        self.settle()
        self._coming = wanted
        self._bringing = _Beside.begin(lambda: self.fetch([one.pointer for one in wanted.values()]))

    def fetch(self, pointers: Sequence[str]) -> None:
        """Have these here, in this order: those of a commit that holds nothing else, so that git-lfs looks for nothing else."""
        if self.away or not pointers:
            return
        try:
            commit = self._git.commit(
                [], [(f"{number:08}", pointer) for number, pointer in enumerate(pointers)], "simcache: what is fetched"
            )
            self._git.run("lfs", "fetch", self._remote, commit)
        except GitFailed as problem:
            self.away = self._why(problem) if lfs_is_there(self._git.place.top) else NO_LFS

    def _why(self, problem: GitFailed) -> str:
        """Why git-lfs brought nothing; where the server never got it, only somebody who has it can help."""
        lost = any(mark in problem.reason.lower() for mark in _NOT_ON_THE_SERVER)
        mend = f"; whoever has it sends it with `git lfs push --all {self._remote}`" if lost else ""
        return f"Git LFS cannot fetch it ({problem.reason}){mend}"

    def _await(self, name: str) -> bool:
        """Return when this content is here whole, or is not on its way any more; False if it never was."""
        wanted, bringing = self._coming.get(name), self._bringing
        while wanted is not None and bringing is not None and bringing.goes_on() and not self.is_whole(name, wanted.size):
            wait((bringing.future,), timeout=_GLANCE)
        return wanted is not None

    def settle(self) -> None:
        """Let what is being fetched come to its end."""
        bringing, self._bringing, self._coming = self._bringing, None, {}
        if bringing is not None:
            bringing.wait()

    # taking

    def upload(
        self, blobs: Sequence[Listed], file_of: Callable[[str], str], sent: set[str], told: Callable[[int, int], None] | None
    ) -> None:
        """Have the remote hold what these files hold, and note in `sent` what it holds; what stands there already is not sent again."""
        total = sum(size for _, size in blobs)
        done = 0
        for start in range(0, len(blobs), _AT_ONCE):
            group = blobs[start : start + _AT_ONCE]
            names = [name for name, _ in group if name not in sent]
            for name in names:
                with suppress(OSError):
                    self.read(name)  # one that was damaged here must not go in place of what waits
                link(file_of(name), self.path(name))
            if names:
                self._git.run("lfs", "push", "--object-id", self._remote, *(name[-64:] for name in names))
            sent.update(names)
            done += sum(size for _, size in group)
            if told is not None:
                told(done, total)


class _Beside(NamedTuple):
    """Work in a thread of its own."""

    process: int
    """Whose thread it is: a forked child has none."""
    future: "Future[None]"

    @classmethod
    def begin(cls, work: Callable[[], None]) -> "_Beside":
        pool = ThreadPoolExecutor(1)
        begun = cls(os.getpid(), pool.submit(work))
        pool.shutdown(wait=False)
        return begun

    def goes_on(self) -> bool:
        return self.process == os.getpid() and not self.future.done()

    def wait(self) -> None:
        """Return when it has ended; raises what it failed with."""
        if self.process == os.getpid():
            self.future.result()


def link(source: str, target: str) -> bool:
    """Give a file a second name, or a copy where the file system has no links; False if something has that name."""
    try:
        try:
            os.link(source, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.link(source, target)
    except FileExistsError:
        return False
    except OSError:
        import shutil

        aside = f"{target}.{os.getpid()}"
        shutil.copyfile(source, aside)
        os.replace(aside, target)
    return True

"""How a far place is spoken with: few requests, whole writes, and another try where the trouble may pass."""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from simcache.errors import Unavailable

T = TypeVar("T")

FORGOTTEN_AFTER = 24 * 3600
"""Seconds after which an unfinished write counts as dead: a far place has no locks that end with their holder."""
_TRIES = 5
_FIRST_WAIT = 0.1
_LONGER = 3.0


class Found(NamedTuple):
    """A path that a place holds, below its root, and how many bytes stand there; None if it is no file."""

    path: str
    size: int | None


class Patience:
    """Calls again what failed for a reason that may pass, after 0.1, 0.3, 0.9 and 2.7 seconds, each give or take a half.

    A place that did not answer in all these tries gets one try a call from then on, until it answers: a network that is down
    must not cost every call the whole wait. May be used by several threads at once.
    """

    def __init__(self, passing: Callable[[Exception], bool], *, first: int = 2) -> None:
        """`passing` tells which failures may pass; `first` is how often is tried before anything was ever answered."""
        self._passing = passing
        self._tries = first

    def call(self, work: Callable[[], T]) -> T:
        """What the work gives; its last error if it never succeeds, at once if that cannot pass."""
        left, wait = self._tries, _FIRST_WAIT
        while True:
            try:
                result = work()
            except Exception as problem:
                left -= 1
                if not self._passing(problem):
                    self._tries = _TRIES  # it answers, if only with a refusal
                    raise
                if left <= 0:
                    self._tries = 1
                    raise
            else:
                self._tries = _TRIES
                return result
            time.sleep(wait * random.uniform(0.5, 1.5))
            wait *= _LONGER


class Transport(ABC):
    """A far place with its protocol: paths below its root, and bytes.

    Each method tries again by itself what may pass, and may be called from several threads. An instance belongs to the process
    that made it: connections do not survive a fork. What stays wrong is raised as the protocol's own error, or as an OSError of
    the usual kinds (FileNotFoundError, PermissionError, IsADirectoryError); `reason` puts it into words.
    """

    @abstractmethod
    def read(self, path: str) -> bytearray:
        """All bytes under this path."""

    @abstractmethod
    def write(self, path: str, chunks: Sequence[memoryview]) -> None:
        """Keep these bytes under this path: whoever reads meets all of them, or what stood there before.

        Where the protocol can, nothing is written if these very bytes stand there already.
        """

    @abstractmethod
    def size(self, path: str) -> int | None:
        """How many bytes stand under this path; None if no file does."""

    @abstractmethod
    def find(self, prefix: str) -> Iterator[Found]:
        """Everything below the root whose path begins with this text, page by page, or an error: nothing is left out silently.

        May give more than was asked for.
        """

    @abstractmethod
    def top(self) -> list[str]:
        """The names directly below the root, some at least; Unavailable if the place that should hold the root is not there."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove what stands under this path; nothing there is no error."""

    @abstractmethod
    def move(self, path: str, target: str) -> None:
        """Give what stands under this path another one; FileNotFoundError if nothing does."""

    def sweep(self) -> int:
        """Remove what writers left unfinished a day ago or longer, and say how much that was."""
        return 0

    @abstractmethod
    def may_pass(self, problem: Exception) -> bool:
        """Whether this is trouble of the network, or of a server that is busy: it may pass, and until then meets every call."""

    @abstractmethod
    def reason(self, problem: Exception) -> str:
        """What went wrong, in one line, with what to do about it where that is known."""


def not_installed(url: str, package: str) -> Unavailable:
    """The error for a protocol whose package is not installed."""
    return Unavailable(url, f"{package} is not installed, which speaks this protocol: `pip install {package}`", passes=False)


def one_line(problem: BaseException) -> str:
    """An error's own words on one line."""
    return " ".join(str(problem).split()) or type(problem).__name__


def is_kind(problem: BaseException, *names: str) -> bool:
    """Whether an error is of a class of this full name, or of one below it: asked so that no package is loaded for its errors."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in names for kind in type(problem).__mro__)

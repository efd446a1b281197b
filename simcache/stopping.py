"""What ends a computation: signals and deadlines, honoured between two items, and the end of the program; what is computed is kept first."""

import atexit
import os
import signal
import sys
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, Self

from simcache.errors import NotStored, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_MOMENT = 0.02
_PATIENCE = 10.0
"""Seconds that a signal waits for a store or an import that it has cut into."""


class Unstored(Protocol):
    """What is computed and not stored yet."""

    def keep(self) -> object:
        """Store it now, in the middle of whatever the program does."""


class Stop:
    """Why computing stops: `with stop: …` is around what no signal may cut, `deliver` lets those that came do their work."""

    def __init__(self, until: float | None = None) -> None:
        """For one computation; `until` is its deadline, by the monotonic clock."""
        self.until = until
        self.longest = 0.0
        """Seconds that the slowest item took, its storing included."""
        self.ended = False
        """The generator finished by itself."""
        self.met = False
        """What follows is stored already."""
        self._noted: list[int] = []
        self._depth = 0

    @property
    def asked(self) -> bool:
        """Whether a signal has come that was not delivered yet."""
        return bool(self._noted)

    def __enter__(self) -> Self:
        self._depth += 1
        if self._depth == 1 and threading.current_thread() is threading.main_thread():
            _working.append(self)
            _settle()
        return self

    def __exit__(self, *problem: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self in _working:
            _working.remove(self)
            _settle()

    def before_item(self) -> bool:
        """Whether to stop here, because an item as long as the longest so far would miss the deadline."""
        return self.until is not None and time.monotonic() + self.longest >= self.until

    def note(self, number: int) -> None:
        """A signal has come."""
        if number == signal.SIGINT and number in self._noted:  # asked twice: now, not after the item
            self._noted.remove(number)
            self._let_come(number)
        else:
            self._noted.append(number)

    def deliver(self) -> None:
        """Now that all is kept, let each signal do what it would have done; if it lets us go on, we do."""
        while self._noted:
            self._let_come(self._noted.pop(0))

    def _let_come(self, number: int) -> None:
        """Have a signal come again, for whoever is around this computation."""
        within = self in _working
        if within:
            _working.remove(self)
        try:
            handler = signal.getsignal(number)
            if callable(handler):
                handler(number, sys._getframe())  # noqa: SLF001 - raised once more, it would be counted twice by who watches signals aside (asyncio)
            else:
                signal.raise_signal(number)
        finally:
            if within:
                _working.append(self)
                _settle()


class _Taken:
    """The handler of a signal while ours stands in its place. It works as well where somebody calls or sets it later, as the one before."""

    def __init__(self, number: int, before: "Callable[[int, FrameType | None], object] | int") -> None:
        self.before = before
        self._first = 0.0
        """When it came first, while it waits for a store."""
        signal.signal(number, self)

    def __call__(self, number: int, frame: "FrameType | None") -> None:
        if _working:
            _working[-1].note(number)
            return
        if _unstored and _must_go_on(frame) and self._comes_again(number):
            return
        stop = Stop()
        try:
            if self.before is not signal.default_int_handler:  # its KeyboardInterrupt ends the loops, which keep what they have
                with stop:  # who ends programs may say so twice
                    keep_all()
        finally:
            try:
                self._pass_on(number, frame)
            finally:
                stop.deliver()

    def _comes_again(self, number: int) -> bool:
        """Have the signal come again in a moment, unless that has been done for long: what goes on here, storing would wait for or lack."""
        now = time.monotonic()
        self._first = self._first or now
        if now - self._first > _PATIENCE:
            return False
        again = threading.Timer(_MOMENT, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
        return True

    def _pass_on(self, number: int, frame: "FrameType | None") -> None:
        """What the signal would have done."""
        if callable(self.before):
            self.before(number, frame)
        else:
            signal.signal(number, self.before)
            signal.raise_signal(number)


_working: list[Stop] = []
"""What the main thread computes now and no signal may cut, the innermost last."""
_unstored: "dict[int, tuple[weakref.ref[Unstored], int]]" = {}
"""Weak, so that a loop that nobody can go on with is ended as ever; by identity. And in how many imports its loop stands."""


def add_unstored(held: Unstored) -> None:
    """From now on this is kept when the program ends, by a signal or by itself."""
    if id(held) not in _unstored:
        _unstored[id(held)] = weakref.ref(held), _imports_around(sys._getframe())  # noqa: SLF001 - a few steps for each segment


def remove_unstored(held: Unstored) -> None:
    """It is stored now, or is not to be."""
    _unstored.pop(id(held), None)


def unstored() -> list[Unstored]:
    """All that this process has computed and not stored."""
    # A copy made at one go: other threads, and the end of what was collected, change the original at any moment.
    return [held for weak, _ in _unstored.copy().values() if (held := weak()) is not None]


def keep_all() -> None:
    """Store all that this process has computed and not stored; what cannot be stored is no reason to lose the rest."""
    for held in unstored():
        try:
            held.keep()
        except Exception as problem:  # whatever a user's state raises
            with suppress(NotStored):  # where warnings are errors
                warn(f"a series is not kept whole as the program ends: {type(problem).__name__}: {problem}", NotStored)


def _must_go_on(frame: "FrameType | None") -> bool:
    """Whether the main thread is about to read or write in a store, for something else than what is kept here, or imports what storing may need."""
    return _imports_around(frame) > max((imports for _, imports in _unstored.copy().values()), default=0) or any(
        str(each.f_globals.get("__name__")).startswith("simcache.stores.") for each in _outwards(frame)
    )


def _imports_around(frame: "FrameType | None") -> int:
    """How many steps of imports are at work around a frame: a program may loop in a module that is imported."""
    return sum(each.f_code.co_filename == "<frozen importlib._bootstrap>" for each in _outwards(frame))


def _outwards(frame: "FrameType | None") -> "Iterator[FrameType]":
    while frame is not None:
        yield frame
        frame = frame.f_back


def _settle() -> None:
    """Have our handlers stand where they are needed, and nowhere else."""
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may change handlers, and only it runs them
    for number in _SIGNALS:
        now = signal.getsignal(number)
        before = now.before if isinstance(now, _Taken) else now
        # Between two items Ctrl-C needs no help, and others (asyncio, debuggers) look whether its handler is the usual one.
        if _working or (_unstored and before is not signal.default_int_handler):
            if now is before and now is not None and now != signal.SIG_IGN:
                _Taken(number, now)
        elif isinstance(now, _Taken):
            signal.signal(number, now.before)


def _begin_anew() -> None:
    """A forked child computes and stores nothing for its parent, and ends when it is told to."""
    _working.clear()
    _unstored.clear()
    _settle()


def _keep_at_exit() -> None:
    """A program that ends with a loop that somebody still holds."""
    stop = Stop()
    try:
        with stop:
            keep_all()
    finally:
        stop.deliver()


atexit.register(_keep_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)

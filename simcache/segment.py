"""The segment of a series that is being filled: it takes items in, and stores them with the state after them."""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from simcache.cache import Cache, Call
from simcache.errors import CacheError, Unstorable
from simcache.model import Made, Segment
from simcache.stopping import add_unstored, remove_unstored

T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds that the end of a program waits for another thread that stores its items itself."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the items of a series come from when they are not stored."""

    function: str
    key: str
    call: Callable[[], Call]
    """What an entry says of the call; asked before the generator starts, and not at all where all is stored."""
    generate: Callable[[Any], Iterator[Any]]
    """Start the generator: from a state, or from the beginning if that is None."""
    resumable: bool
    """The generator takes a state; without that every extension begins anew and skips what is stored."""
    every: int
    strict: bool
    into: object
    state_into: object
    """The annotated type of what `resume` takes."""
    codec: str | None
    made: Callable[[float], Made]
    keepable: Callable[[], str | None]
    """Why nothing may be stored now, if so."""
    settled: Callable[[], None]
    """What the code finds set now was left by the generator itself, and belongs to the series."""
    running: Callable[[], AbstractContextManager[None]]
    """To be held while the generator makes an item."""


class OpenSegment:
    """The segment that is being filled. Its thread fills it; at the end of the program another one may have to store it."""

    def __init__(self, cache: Cache, source: Source, start: int, *, alone: bool) -> None:
        self.cache = cache
        self.source = source
        self.start = start
        self._alone = alone
        """No code but the generator's own runs between its items."""
        self.items: list[Any] = []
        self.state: Any = None
        self.seconds = 0.0
        self.refused = False
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._ahead = False
        """The generator has gone on since its last item, so its state belongs to no item."""

    def goes_on(self) -> None:
        """The generator makes its next item now."""
        with self._lock:
            self._ahead = True

    def add(self, number: int, item: Any, state: Any, seconds: float) -> Any:
        """Take the item of this number in, as it is now: many generators change and yield one and the same array again and again."""
        kept = self.copied(item)
        with self._lock:
            self._ahead = False
            self._thread = threading.get_ident()
            if number > self.start:
                self.items.append(kept)
                self.state = state
                self.seconds += seconds
                add_unstored(self)
        return kept

    def copied(self, item: T) -> T:
        """An item of its own; one that cannot be copied is given as it is, and not stored: it could be changed before it would be."""
        try:
            return copy.deepcopy(item)
        except Exception as problem:  # whatever a user's class raises
            self._refuse(f"an item cannot be stored: it cannot be copied ({type(problem).__name__}: {problem})")
            return item

    def pass_by(self, reach: int) -> None:
        """So many items are stored by now, by whomever: none of them is stored again."""
        with self._lock:
            if reach > self.start:
                self.items = self.items[reach - self.start :]
                self.start = reach
                if not self.items:
                    remove_unstored(self)

    def close(self, *, ended: bool = False) -> None:
        """Store what there is, durably, and begin the next segment; what cannot be stored is said once."""
        with self._lock:
            self._close(ended=ended)

    def waits_for(self, cache: Cache, key: str) -> bool:
        """Whether it is of this series, and of a loop of this thread that waits for its consumer."""
        mine = self._thread == threading.get_ident() and not self._ahead
        return mine and self.source.key == key and self.cache.near.url == cache.near.url

    def keep(self) -> bool:
        """Store what there is while its generator waits, or makes its next item in another thread; whether that could be tried."""
        # A thread that is in the middle of storing cannot be interrupted by itself and then wait for itself.
        if not self._lock.acquire(timeout=0.0 if self._thread == threading.get_ident() else _PATIENCE):
            return False
        try:
            self._close(ended=False)
        finally:
            self._lock.release()
        return True

    def _close(self, *, ended: bool) -> None:
        if not self.items and not ended:
            return
        try:
            state = None if self._ahead else self.state() if callable(self.state) else self.state
        except BaseException:
            self._store(None, ended=ended)
            raise
        self._store(state, ended=ended)

    def _store(self, state: Any, *, ended: bool) -> None:
        items, seconds, start = self.items, self.seconds, self.start
        self.items, self.seconds, self.start = [], 0.0, start + len(items)
        remove_unstored(self)
        if self._alone:
            self.source.settled()
        reason = self.source.keepable()
        if reason is None and not self.refused:
            segment = Segment(start, len(items), ended, self.source.every)
            try:
                self.cache.keep(
                    self.source.call(),
                    items,
                    self.source.made(seconds),
                    codec=self.source.codec,
                    into=self.source.into,
                    segment=segment,
                    state=state,
                    state_into=self.source.state_into,
                    has_state=state is not None,
                )
            except Unstorable as problem:
                reason = str(problem)
            except (CacheError, OSError) as problem:
                reason = f"{self.cache.near.url} took no more: {problem}"
        if reason is not None:
            self._refuse(reason)

    def _refuse(self, reason: str) -> None:
        self.refused = True
        self.cache.warn_once(f"{self.source.function} is computed and not stored", reason)

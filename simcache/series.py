"""A cached generator: a stream that is as long as anyone has ever needed it, kept in segments and extended on demand."""

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, SupportsIndex, TypeVar, overload

from simcache.cache import Cache
from simcache.chain import has_ended, longest_chain, range_of, reach_of, reaches
from simcache.errors import CacheError, Undecodable
from simcache.items import Items as Items
from simcache.model import Entry
from simcache.named_tuple import NamedTuple
from simcache.provenance import environment
from simcache.segment import OpenSegment, Source
from simcache.stack import stacked
from simcache.stopping import Stop, unstored

if TYPE_CHECKING:
    from simcache.stores.base import Store

T = TypeVar("T")

_POLL = 0.02


class Step(NamedTuple, Generic[T]):
    """One item of a series, and the state after it: a value, or a callable that is asked for it when it is needed."""

    item: T
    state: Any = None


class Series(Generic[T]):
    """A stream of items: those that are stored come from the store, further ones are computed and stored as they come."""

    def __init__(self, cache: Cache, source: Source) -> None:
        """Made by calling a cached generator function; nothing is computed yet."""
        self._cache = cache
        self._source = source
        self._broken: set[str] = set()
        self._far: dict[str, tuple[Entry, Store]] | None = None

    def __repr__(self) -> str:
        return f"<series {self._source.function} {self.key}: {self.stored} items stored>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a series stays in its process: send {self._source.function} and its arguments, or its items, as run[:40]")

    def __copy__(self) -> Self:
        return self  # what it gives lies in the store, and never changes

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self

    @property
    def key(self) -> str:
        """The address of all segments of this series; its length is not part of it."""
        return self._source.key

    @property
    def stored(self) -> int:
        """How many items are stored already."""
        return reach_of(self.segments)

    @property
    def ended(self) -> bool:
        """Whether the generator is known to finish after the stored items."""
        return has_ended(self.segments)

    @property
    def mixed(self) -> bool:
        """Whether the stored items were made in more than one environment."""
        return len({environment(entry.made) for entry in self.segments}) > 1

    @property
    def segments(self) -> list[Entry]:
        """The entries behind the stored items, in order, near and far."""
        self._ask_far()
        return self._chain()

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Items[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> T | Items[T]:
        """`run[:40]` or `run[39]`: from the store as far as it reaches, computed and stored beyond."""
        if isinstance(index, slice):
            for bound in (index.start, index.stop, index.step):
                if bound is not None and bound < 0:
                    raise IndexError("a series has no end to count back from: use indices from 0 on")
            if index.stop is None:
                raise IndexError("a series may be endless: say how many items, as in run[:40]")
            taken = self.take(index.stop, first=index.start or 0)
            kept: Items[T] = Items(list.__getitem__(taken, slice(None, None, index.step)))
            kept.complete, kept.ended, kept.mixed = taken.complete, taken.ended, taken.mixed
            return kept
        if not hasattr(index, "__index__"):
            raise TypeError(f"the items of a series have numbers, and {index!r} is none")
        position = index.__index__()
        if position < 0:
            raise IndexError("a series has no end to count back from: use an index from 0 on")
        taken = self.take(position + 1, first=position)
        if not taken:
            raise IndexError(f"the series ended after {self.stored} items, before item {position}")
        return list.__getitem__(taken, 0)

    def __iter__(self) -> Iterator[T]:
        """Endless: the stored items, then computed ones, as long as the generator goes on.

        Between two items nothing is held that others wait for: they read and compute meanwhile, and what they store is read here.
        """
        position = 0
        work: _Work[T] | None = None
        try:
            while True:
                if work is not None and work.looks_again() and work.is_passed(position):
                    work.close()
                    work = None
                if work is None:
                    before = position
                    for item in self._stored_items(position):
                        yield item
                        position += 1
                    if position > before:
                        continue
                    chain = self.segments
                    if has_ended(chain) and position >= reach_of(chain):
                        return
                made = None
                with self._cache.turn(self.key, wait=False) as turn:
                    if turn.mine and (work is not None or reach_of(chain := self.segments) <= position):
                        work = work or self._begin(chain)
                        made = next((each for each in work.items if each[0] > position), None)
                if not turn.mine:
                    if work is not None:
                        work.waited()
                    time.sleep(_POLL)  # somebody else computes: look again soon
                elif made is not None and work is not None:
                    position, item = made
                    theirs = work.segment.copied(item)  # to change, while ours waits to be stored
                    work.given()
                    yield theirs
                elif work is not None:
                    if work.stop.ended:
                        return
                    work.close()
                    work = None
        finally:
            if work is not None:
                work.close()

    def take(
        self, count: int, *, deadline: float | None = None, first: int = 0, progress: Callable[[int, int], None] | None = None
    ) -> Items[T]:
        """The first `count` items (from number `first` on); computing stops in time for a deadline in seconds.

        Whatever was computed is kept. `progress` is told how many items there are and how many were asked for.
        """
        for number in (count, first):
            if isinstance(number, bool) or not hasattr(number, "__index__"):
                raise TypeError(f"a series has a whole number of items, and {number!r} is none")
            if number < 0:
                raise ValueError(f"a series has no {number} items: ask for 0 or more")
        if deadline is not None and not hasattr(deadline, "__float__"):
            raise TypeError(f"a deadline is a number of seconds, as in deadline=3600, and {deadline!r} is none")
        if deadline is not None and math.isnan(deadline):
            raise ValueError("a deadline is a number of seconds, and nan is none")
        until = None if deadline is None else time.monotonic() + deadline
        while True:
            fresh = self._extend(count, until, progress)
            items: Items[T] = Items(self._stored_items(first, fresh.start))
            if len(items) >= max(0, fresh.start - first):
                break  # else a damaged segment came up: it is computed again
        items.extend(fresh.items[max(0, first - fresh.start) :])
        items.ended = fresh.ended
        items.complete = items.ended or first + len(items) >= count
        items.mixed = len({environment(entry.made) for entry in self._chain()}) > 1
        return items

    def stack(self, count: int) -> Any:
        """The first `count` items with their arrays stacked along a new first axis."""
        return stacked(self[:count])

    def state(self, count: int) -> Any:
        """The state after the first `count` items; None if none is kept after just so many."""
        entry = next((each for each in self.segments if range_of(each).stop == count), None)
        return None if entry is None or entry.state is None else self._load(entry, state=True)

    # -- what is stored

    def _chain(self) -> list[Entry]:
        """The longest run of segments from item 0; among equally long ones the earliest made, then the smallest digest."""
        return longest_chain(self._sound())

    def _ask_far(self) -> bool:
        """Learn once what far stores have beyond the near one; whether that is anything."""
        if self._far is None:
            self._far = self._cache.far_entries(self._source.function, self.key)
            return bool(self._far)
        return False

    def _sound(self) -> list[Entry]:
        """All segments that may be served, near and as far as far stores were asked."""
        reasons: list[str] = []
        near = self._cache.entries_in(self._cache.near, self._source.function, self.key, reasons, set())
        for reason in reasons:
            self._cache.warn_once(f"a segment of {self._source.function} is computed again: {reason}")
        names = {entry.name for entry in near} if self._far else set()
        entries = [*near, *(entry for name, (entry, _) in (self._far or {}).items() if name not in names)]
        segments = [entry for entry in entries if entry.segment is not None and entry.name not in self._broken]
        if self._source.strict:
            here = environment(self._source.made(0.0))
            segments = [entry for entry in segments if environment(entry.made) == here]
        return segments

    def _stored_items(self, first: int, count: int | None = None) -> Iterator[T]:
        """Stored items from number `first` on; a damaged segment ends them, and is not looked at again."""
        position = first
        chain = self._chain()
        while count is None or position < count:
            index = bisect_right(chain, position, key=lambda entry: range_of(entry).start) - 1
            if index < 0 or range_of(chain[index]).stop <= position:
                return
            start = range_of(chain[index]).start
            held = self._segment_items(chain[index])
            if held is None:
                chain = self._chain()
                continue
            for item in held[position - start : None if count is None else count - start]:
                yield item
                position += 1

    def _segment_items(self, entry: Entry) -> Sequence[T] | None:
        try:
            held = self._load(entry)
            if not isinstance(held, list) or len(held) != range_of(entry).length:
                raise Undecodable(f"{entry.name} does not hold the {range_of(entry).length} items that it names")
        except CacheError as problem:
            self._broken.add(entry.name)
            self._cache.warn_once(f"a segment of {entry.function} is computed again: {problem}")
            return None
        self._cache.tally.hit(entry.function, entry.made.seconds)
        return held

    def _load(self, entry: Entry, *, state: bool = False) -> Any:
        """The items of a segment, or the state after it; one that lies far is brought near first."""
        found = (self._far or {}).get(entry.name)
        if found is not None and not self._cache.near.has(entry.name):
            self._cache.bring(*found)
        into = self._source.state_into if state else self._source.into
        return self._cache.load(entry, into, state=state, codec=self._source.codec)

    # -- computing

    def _extend(self, count: int, until: float | None, progress: Callable[[int, int], None] | None) -> "_Fresh[T]":
        """Have at least `count` items, by computing what is not stored or by waiting for whoever computes it.

        What is decided together is decided from one look at the store: between two looks a sync may add segments, and a look that
        fails shows none.
        """
        while True:
            chain = self._chain()
            if not reaches(chain, count) and self._keep_held_back():
                chain = self._chain()
            if reaches(chain, count) or (until is not None and time.monotonic() >= until):
                return _stored(chain, count)
            with self._cache.turn(self.key, wait=False) as turn:
                if not turn.mine:
                    time.sleep(_POLL)  # somebody else computes: look again soon
                    continue
                chain = self._chain()
                if not reaches(chain, count) and self._ask_far():
                    chain = self._chain()
                if reaches(chain, count):
                    return _stored(chain, count)
                fresh: _Fresh[T] = _Fresh(reach_of(chain), [], ended=False)
                stop, segment = Stop(until), OpenSegment(self._cache, self._source, fresh.start, alone=True)
                try:
                    with stop:
                        for position, item in self._compute(chain, segment, count, stop):
                            fresh.items.append(item)
                            if progress is not None:
                                progress(position, count)
                finally:
                    stop.deliver()
            if not stop.met:
                return fresh._replace(ended=stop.ended)

    def _begin(self, chain: Sequence[Entry]) -> "_Work[T]":
        """Begin to compute for a loop, behind what is stored."""
        stop, segment = Stop(), OpenSegment(self._cache, self._source, reach_of(chain), alone=False)
        return _Work(self._compute(chain, segment, None, stop), segment, stop, self._chain)

    def _keep_held_back(self) -> bool:
        """Store what loops of this thread have computed and not stored, so that nobody computes it twice; whether there was any."""
        stop = Stop()
        try:
            with stop:
                kept = [each.keep() for each in unstored() if isinstance(each, OpenSegment) and each.waits_for(self._cache, self.key)]
        finally:
            stop.deliver()
        return any(kept)

    def _compute(
        self, chain: Sequence[Entry], segment: "OpenSegment", count: int | None, stop: Stop
    ) -> Generator[tuple[int, T], None, None]:
        """Compute items beyond the stored ones, each with how many there are then; every full segment is stored at once."""
        source = self._source
        reach = reach_of(chain)
        further = {range_of(entry).start for entry in self._sound() if range_of(entry).start > reach}
        position, state = self._last_state(chain)
        item: Any = None
        running = source.generate(state)
        begins = True
        try:
            while (count is None or position < count) and not stop.before_item():
                began = time.perf_counter()
                with stop:
                    segment.goes_on()
                    try:
                        with source.running():
                            made = next(running)
                    except StopIteration:
                        segment.close(ended=True)
                        stop.ended = True
                        return
                    if begins:
                        source.settled()
                        begins = False
                    position += 1
                    if position > reach:
                        step = made if isinstance(made, Step) else Step(made)
                        item = segment.add(position, step.item, step.state, time.perf_counter() - began)
                    if position % source.every == 0 or position == count or position in further:
                        segment.close()
                stop.longest = max(stop.longest, time.perf_counter() - began)
                if stop.asked:
                    with stop:
                        segment.close()
                    stop.deliver()
                if position > reach:
                    yield position, item
                if position in further and not segment.refused:  # a damaged segment is mended: what follows it is stored
                    stop.met = True
                    return
            with stop:
                segment.close()
        except BaseException:
            with stop:
                segment.close()
            raise
        finally:
            if isinstance(running, Generator):
                running.close()

    def _last_state(self, chain: Sequence[Entry]) -> tuple[int, Any]:
        """The last stored state that can be read and the number of items before it; (0, None) to begin anew."""
        if self._source.resumable:
            for entry in reversed(chain):
                if entry.state is None:
                    continue
                try:
                    return range_of(entry).stop, self._load(entry, state=True)
                except CacheError as problem:
                    self._cache.warn_once(f"{entry.function} goes on from an earlier state: {problem}")
        return 0, None


class _Fresh(NamedTuple, Generic[T]):
    """Items that were just computed, and which number the first of them has."""

    start: int
    items: list[T]
    ended: bool


def _stored(chain: Sequence[Entry], count: int) -> "_Fresh[Any]":
    """No items, after as many as are asked for or stored."""
    return _Fresh(min(count, reach_of(chain)), [], ended=has_ended(chain) and count >= reach_of(chain))


class _Work(Generic[T]):
    """A generator at work for a loop, between whose items others may store."""

    def __init__(
        self, items: Generator[tuple[int, T], None, None], segment: OpenSegment, stop: Stop, chain: Callable[[], Sequence[Entry]]
    ) -> None:
        self.items = items
        self.segment = segment
        self.stop = stop
        self._chain = chain
        self._given = time.monotonic()
        self._looking = 0.0
        """Seconds that the last look at the store took."""

    def given(self) -> None:
        """An item goes to the consumer, who may take any time."""
        self._given = time.monotonic()

    def waited(self) -> None:
        """Somebody else computes, and stores before long."""
        self._looking = 0.0

    def looks_again(self) -> bool:
        """Whether the consumer took longer than a look at the store does: looks never cost more time than consumers take."""
        return time.monotonic() - self._given >= self._looking

    def is_passed(self, position: int) -> bool:
        """Whether more is stored by now than was given here, and can be gone on from; what others have stored is not stored again."""
        began = time.monotonic()
        chain = self._chain()
        self._looking = time.monotonic() - began
        with self.stop:
            self.segment.pass_by(reach_of(chain))
        self.stop.deliver()
        if reach_of(chain) <= position:
            return False
        return has_ended(chain) or (self.segment.source.resumable and chain[-1].state is not None)

    def close(self) -> None:
        """Store what there is, end the generator, and let signals that came meanwhile do their work."""
        try:
            if self.segment.items and self.looks_again():
                self.is_passed(self.segment.start)
            self.items.close()
        finally:
            self.stop.deliver()

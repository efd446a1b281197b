"""Two series item by item, however each is cut into segments; of each, one segment at a time is in memory."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from simcache.cache import Cache
from simcache.chain import items_named, range_of
from simcache.errors import CacheError
from simcache.leaves import tree_of
from simcache.model import Entry, form_of
from simcache.upkeep.divergences import by_digest


class Agreement(NamedTuple):
    """How far two series have the same bytes."""

    until: int
    """All items before this one have."""
    differs: tuple[Entry, Entry] | None = None
    """The segments that hold item `until`, if it is the first that differs."""
    other_bytes: str = ""
    """Which items have other bytes, where they cannot be told apart; empty otherwise."""
    unknown: str = ""
    """Why item `until` and those after it cannot be compared; empty if that is no question."""


def agreement(cache: Cache, old: Sequence[Entry], new: Sequence[Entry], start: int, stop: int) -> Agreement:
    """Compare the items from `start` to `stop`, which both chains hold, up to the first that differs."""
    sides = _Side(cache, old), _Side(cache, new)
    at = start
    while at < stop:
        was, now = sides[0].segment(at), sides[1].segment(at)
        end = min(range_of(was).stop, range_of(now).stop, stop)
        if not same_value(was, now) or range_of(was).start != range_of(now).start:
            try:
                before, after = sides[0].items(was), sides[1].items(now)
            except (CacheError, ValueError, LookupError, TypeError) as problem:
                return Agreement(at, unknown=str(problem))
            if before is None or after is None:
                return _as_a_whole(was, now, at)
            for number in range(at, end):
                if before[number - range_of(was).start] != after[number - range_of(now).start]:
                    return Agreement(number, differs=(was, now))
        at = end
    return Agreement(stop)


def same_value(old: Entry, new: Entry) -> bool:
    """Whether two entries name the same bytes, in the same form."""
    return _sha(old) == _sha(new) and form_of(old.value) == form_of(new.value)


def _sha(entry: Entry) -> str | None:
    return None if entry.value is None else entry.named(entry.value).sha256


def _as_a_whole(was: Entry, now: Entry, at: int) -> Agreement:
    """Two segments with other bytes, one of which is a pickle: its items cannot be told apart without running it."""
    if range_of(was)[:2] == range_of(now)[:2] and (was.value or {}).get("codec") == (now.value or {}).get("codec"):
        return Agreement(at, other_bytes=items_named(at, range_of(was).stop))
    return Agreement(at, unknown="they are pickled in segments of other lengths or codecs, and no pickle is run to tell its items apart")


class _Side:
    """One of the two, of which the segment that was asked for last is held."""

    def __init__(self, cache: Cache, chain: Sequence[Entry]) -> None:
        self._cache = cache
        self._chain = chain
        self._starts = [range_of(entry).start for entry in chain]
        self._held: tuple[Entry, list[str] | None] | None = None

    def segment(self, item: int) -> Entry:
        """The segment that holds an item."""
        return self._chain[bisect_right(self._starts, item) - 1]

    def items(self, entry: Entry) -> list[str] | None:
        """The items of a segment, each as text that is equal for equal bytes; None if they cannot be told apart."""
        if self._held is None or self._held[0] is not entry:
            self._held = None
            self._held = entry, self._read(entry)
        return self._held[1]

    def _read(self, entry: Entry) -> list[str] | None:
        described = entry.value or {}
        if described.get("codec") not in ("json", "tree"):
            return None
        items = [json.dumps(item) for item in tree_of(described, self._cache.content(entry, described), by_digest)]
        if len(items) != range_of(entry).length:
            raise ValueError(f"{entry.key}.{entry.digest} holds {len(items)} items, and says {range_of(entry).length}")
        return items

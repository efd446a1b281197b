"""Two results side by side: which argument, which function in which file, which package, and which bytes differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from simcache.cache import Cache
from simcache.chain import items_named, range_of
from simcache.errors import CacheError
from simcache.identity.difference import Difference, code_differences, differences, package_differences, version_differences
from simcache.leaves import seen
from simcache.model import Entry, Json
from simcache.upkeep.items import agreement, same_value
from simcache.upkeep.report import Report
from simcache.upkeep.served import Served, served

_LOOKED_AT = 2000
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Side(Report):
    """One of the two results."""

    entry: str
    """`key.digest`; of a whole series the key."""
    function: str
    kind: str
    at: str
    """When the newest of its segments was made."""
    host: str
    device: str
    seconds: float
    """What all of it took."""
    items: tuple[int, int] | None
    """Of a series: the numbers of its first item and of the item after its last one."""


@dataclass(frozen=True, slots=True)
class Change(Report):
    """One thing that differs, and how a person would say it."""

    kind: str
    """`argument`, `code`, `package`, `environment` or `value`."""
    path: str
    old: str | None
    new: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Comparison(Report):
    """What differs between two results; in `why`, the first is the nearest one that was there before."""

    old: Side | None
    new: Side
    same_key: bool
    same_bytes: bool | None
    """Whether the values, or all items of two series, have the same bytes; None if they were not compared, or not all could be."""
    changes: tuple[Change, ...]
    first_difference: int | None = None
    """Of two series: the number of the first item that differs."""
    beginning: Literal["old", "new"] | None = None
    """Of two series: the one whose items are all in the other one, which has more."""


def why(cache: Cache, entry: Entry) -> Comparison:
    """Why this result was computed instead of taken from another one: what differs from the nearest that was made before.

    `old` is None if none was: it is the first of its function here.
    """
    others = (other for other in cache.all_entries(entry.function) if other.key != entry.key and other.kind != "withdrawn")
    before = list(islice((other for other in others if other.made.at < entry.made.at), _LOOKED_AT))
    new = side(served([entry], whole=False))
    if not before:
        return Comparison(None, new, same_key=False, same_bytes=None, changes=())
    arguments, parts = cache.arguments_of(entry), cache.parts_of(entry)

    def distance(other: Entry) -> tuple[int, float]:
        code = len(code_differences(cache.parts_of(other), parts)) or 1 if other.code != entry.code else 0
        return len(differences(cache.arguments_of(other), arguments)) + code, -before_order[other.name]

    ordered = sorted(before, key=lambda other: (other.made.at, other.name))
    before_order = {other.name: float(place) for place, other in enumerate(ordered)}
    nearest = min(ordered, key=distance)
    old = side(served([nearest], whole=False))
    return Comparison(old, new, same_key=False, same_bytes=None, changes=tuple(_inputs(cache, nearest, entry)))


def diff(cache: Cache, old: Served, new: Served) -> Comparison:
    """Everything that differs between two results, their values too.

    Two series are compared item by item, however they are cut, up to the first item that differs. Where one segment was named, it
    is compared with the same items of the other series, or with the segment that was named of that.
    """
    inputs = [*_inputs(cache, old.first, new.first), *_surroundings(old, new)]
    if old.is_series and new.is_series and (old.whole or new.whole):
        return _series(cache, old, new, inputs)
    same, values = _values(cache, old, new)
    return Comparison(side(old), side(new), same_key=old.first.key == new.first.key, same_bytes=same, changes=(*inputs, *values))


def _series(cache: Cache, old: Served, new: Served, inputs: list[Change]) -> Comparison:
    start = max(old.start, new.start)
    # Of a whole series as much is asked for as was named of the other one.
    old_stop = max(start, old.stop if new.whole else min(old.stop, new.stop))
    new_stop = max(start, new.stop if old.whole else min(new.stop, old.stop))
    stop = min(old_stop, new_stop)
    found = agreement(cache, old.chain, new.chain, start, stop)
    same: bool | None = False
    beginning: Literal["old", "new"] | None = None
    if found.differs is not None:
        items = (_seen(cache, entry)["json"][found.until - range_of(entry).start] for entry in found.differs)
        values = _places(f"item {found.until}", *({"json": item} for item in items))
    elif found.other_bytes:
        values = [_told(f"{found.other_bytes}: other bytes, and no pickle is run to tell its items apart")]
    elif found.unknown:
        same, values = None, [_told(f"items from {found.until} on cannot be compared: {found.unknown}")]
    elif old_stop != new_stop:
        beginning = "old" if old_stop < new_stop else "new"
        counts = str(old_stop - start), str(new_stop - start)
        values = [Change("value", "items", *counts, f"items: {counts[1]}, was {counts[0]}")]
    else:
        same, values = True, []
    return Comparison(
        side(old),
        side(new),
        same_key=old.first.key == new.first.key,
        same_bytes=same,
        changes=(*inputs, *values),
        first_difference=None if found.differs is None else found.until,
        beginning=beginning,
    )


def side(result: Served) -> Side:
    """What a comparison tells of one result."""
    return Side(
        result.name,
        result.first.function,
        result.first.kind,
        max(entry.made.at for entry in result.entries),
        _told_of([entry.made.host for entry in result.entries]) or "",
        _told_of([entry.made.device for entry in result.entries]) or "",
        sum(entry.made.seconds for entry in result.entries),
        (result.start, result.stop) if result.is_series else None,
    )


def _inputs(cache: Cache, old: Entry, new: Entry) -> list[Change]:
    found = differences(cache.arguments_of(old), cache.arguments_of(new))
    found += version_differences(old.code, new.code, cache.parts_of(old), cache.parts_of(new))
    return [_change(one) for one in found]


def _surroundings(old: Served, new: Served) -> list[Change]:
    found = [_change(one) for one in package_differences(_packages(old), _packages(new))]
    for name in ("device", "host", "python", "platform", "git"):
        was, now = (_told_of([getattr(entry.made, name) for entry in one.entries]) for one in (old, new))
        if was != now:
            found.append(_change(Difference(name, was, now), "environment"))
    return found


def _change(difference: Difference, kind: str = "") -> Change:
    return Change(kind or difference.kind, difference.path, difference.old, difference.new, str(difference))


def _packages(result: Served) -> dict[str, str]:
    names = {name for entry in result.entries for name in entry.made.packages}
    return {name: _told_of([entry.made.packages.get(name) for entry in result.entries]) or "" for name in names}


def _told_of(said: Sequence[str | None]) -> str | None:
    """What the segments of a series say, each once; None if none says anything."""
    return ", ".join(dict.fromkeys(one for one in said if one is not None)) or None


def _values(cache: Cache, old: Served, new: Served) -> tuple[bool | None, list[Change]]:
    """Whether two values have the same bytes, and where they differ, read without their classes."""
    if old.first.value is None or new.first.value is None:
        return None, [_told("value: it was withdrawn, and is here no more")]
    if old.is_series != new.is_series:
        was, now = _kind(old), _kind(new)
        return False, [Change("value", "value", was, now, f"value: {now}, was {was}")]
    if same_value(old.first, new.first):
        return True, []
    try:
        values = [_seen(cache, one.first) for one in (old, new)]
    except (CacheError, ValueError, LookupError, TypeError, RecursionError) as problem:
        return False, [_told(f"value: the bytes cannot be compared: {problem}")]
    return False, _places("value", *values)


def _seen(cache: Cache, entry: Entry) -> Json:
    described = entry.value or {}
    return seen(described, cache.content(entry, described))


def _kind(result: Served) -> str:
    if not result.is_series:
        return "one value"
    items = result.stop - result.start
    return f"a series of {items:,} item{'s' * (items != 1)}" if result.whole else f"{items_named(result.start, result.stop)} of a series"


def _places(name: str, was: Json, now: Json) -> list[Change]:
    """Where two values differ."""
    found = differences({name: was}, {name: now})
    changes = [_change(one, "value") for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        changes.append(_told(f"and {len(found) - _SHOWN} more place{'s' if len(found) > _SHOWN + 1 else ''}"))
    return changes or [_told(f"{name}: the same value in other bytes")]


def _told(text: str) -> Change:
    """Something about values that has no two sides."""
    return Change("value", "value", None, None, text)

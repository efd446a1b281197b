"""Two results side by side: which argument, which function in which file, which package, and which bytes differ."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from simcache.cache import Cache
from simcache.errors import CacheError
from simcache.identity.difference import Difference, code_differences, differences, package_differences
from simcache.model import Entry, Json, form_of
from simcache.upkeep.report import Report

_LOOKED_AT = 2000
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Side(Report):
    """One of the two results."""

    entry: str
    """`key.digest`."""
    function: str
    kind: str
    at: str
    host: str
    device: str
    seconds: float


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
    """Whether the values have the same bytes; None if they were not compared."""
    changes: tuple[Change, ...]


def why(cache: Cache, entry: Entry) -> Comparison:
    """Why this result was computed instead of taken from another one: what differs from the nearest that was made before.

    `old` is None if none was: it is the first of its function here.
    """
    others = (other for other in cache.all_entries(entry.function) if other.key != entry.key and other.kind != "withdrawn")
    before = list(islice((other for other in others if other.made.at < entry.made.at), _LOOKED_AT))
    if not before:
        return Comparison(None, side(entry), same_key=False, same_bytes=None, changes=())
    arguments, parts = cache.arguments_of(entry), cache.parts_of(entry)

    def distance(other: Entry) -> tuple[int, float]:
        code = len(code_differences(cache.parts_of(other), parts)) or 1 if other.code != entry.code else 0
        return len(differences(cache.arguments_of(other), arguments)) + code, -before_order[other.name]

    ordered = sorted(before, key=lambda other: (other.made.at, other.name))
    before_order = {other.name: float(place) for place, other in enumerate(ordered)}
    nearest = min(ordered, key=distance)
    return Comparison(side(nearest), side(entry), same_key=False, same_bytes=None, changes=tuple(_inputs(cache, nearest, entry)))


def diff(cache: Cache, old: Entry, new: Entry) -> Comparison:
    """Everything that differs between two results, their values too."""
    changes = [*_inputs(cache, old, new), *_surroundings(old, new)]
    same = _sha(old) == _sha(new) and form_of(old.value) == form_of(new.value)
    if not same:
        changes += _values(cache, old, new)
    return Comparison(side(old), side(new), same_key=old.key == new.key, same_bytes=same, changes=tuple(changes))


def side(entry: Entry) -> Side:
    made = entry.made
    return Side(f"{entry.key}.{entry.digest}", entry.function, entry.kind, made.at, made.host, made.device, made.seconds)


def _inputs(cache: Cache, old: Entry, new: Entry) -> list[Change]:
    found = differences(cache.arguments_of(old), cache.arguments_of(new))
    if old.code != new.code:
        code = code_differences(cache.parts_of(old), cache.parts_of(new))
        found += code or [Difference("code version", old.code, new.code, "code")]
    return [_change(one) for one in found]


def _surroundings(old: Entry, new: Entry) -> list[Change]:
    found = [_change(one) for one in package_differences(old.made.packages, new.made.packages)]
    for name in ("device", "host", "python", "platform", "git"):
        was, now = getattr(old.made, name), getattr(new.made, name)
        if was != now:
            found.append(_change(Difference(name, was, now), "environment"))
    return found


def _change(difference: Difference, kind: str = "") -> Change:
    return Change(kind or difference.kind, difference.path, difference.old, difference.new, str(difference))


def _sha(entry: Entry) -> str | None:
    return None if entry.value is None else entry.named(entry.value).sha256


def _values(cache: Cache, old: Entry, new: Entry) -> list[Change]:
    """Where two values differ, read without their classes; the codec and size alone where that cannot be."""
    try:
        was, now = _tree(cache, old), _tree(cache, new)
    except (CacheError, ValueError, LookupError, TypeError) as problem:
        return [Change("value", "value", None, None, f"value: the bytes cannot be compared: {problem}")]
    found = differences({"value": {"json": was}}, {"value": {"json": now}})
    changes = [_change(one, "value") for one in found[:_SHOWN]]
    if len(found) > _SHOWN:
        changes.append(Change("value", "value", None, None, f"and {len(found) - _SHOWN} more places"))
    return changes or [Change("value", "value", None, None, "value: the same value in other bytes")]


def _tree(cache: Cache, entry: Entry) -> Any:
    described = entry.value or {}
    data = cache.content(entry, described)
    if described["codec"] == "json":
        return json.loads(bytes(data))
    if described["codec"] == "tree":
        offset, length = described["json"]
        return _with_arrays(json.loads(bytes(data[offset : offset + length])), data)
    if described["codec"] == "array":
        return _array_form(data, [0, described["dtype"], described["shape"], described["order"]])
    return {"$bytes": [described["codec"], data.nbytes, entry.named(described).sha256]}


def _with_arrays(tree: Any, data: memoryview) -> Any:
    if isinstance(tree, list):
        return [_with_arrays(part, data) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1 and "$array" in tree:
        return _array_form(data, tree["$array"])
    return {name: _with_arrays(part, data) for name, part in tree.items()}


def _array_form(data: memoryview, place: Sequence[Any]) -> Json:
    """An array as a leaf that a person can compare: dtype, shape, a few numbers of it, and its digest."""
    from simcache.codecs.arrays import unpack
    from simcache.model import blob_of

    array = unpack(data, *place)
    said = f"array {array.dtype} {list(array.shape)}"
    if array.size and array.dtype.kind in "biufc":
        said += f", first {array.flat[0]}, mean {array.mean():.17g}"
    return {"$recorded": {"digest": blob_of([array.tobytes()]).sha256, "text": said}}

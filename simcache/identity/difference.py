"""Why two keys differ: the argument and the field in it, the function in which file, the package.

Arguments are compared as entries record them: as the tagged JSON of codecs/json.py, else by digest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from simcache.model import Json

E = TypeVar("E")

LONGEST = 100
"""Letters of a value that are shown; what differs is named by its path anyway."""

_ABSENT: Any = object()
_TABLE = ("columns", "index", "values", "attrs", "flags")
_COLUMN = ("name", "index", "values", "attrs", "flags")
_ONE_BY_ONE = ("object", "text")
"""Values of a column that stand in the tree themselves."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was; its text is a line for a person."""

    path: str
    """`scenario.network.roads[3].length`, `arz/laws/state.py: pressure` or the name of a package."""
    old: str | None
    """How it was, as a person would write it; None if it was not there."""
    new: str | None
    """How it is; None if it is not there any more."""
    kind: Literal["argument", "code", "package"] = "argument"

    def __str__(self) -> str:
        if self.kind == "code":
            verb = "is new" if self.old is None else "is no longer used" if self.new is None else "has changed"
            return f"{self.path} {verb}"
        if self.old is None:
            return f"{self.path}: {self.new}, was not there"
        if self.new is None:
            return f"{self.path}: is not there, was {self.old}"
        return f"{self.path}: {self.new}, was {self.old}"


class _Row(NamedTuple):
    """A place where two trees differ, and what stands there in each."""

    path: str
    old: Any
    new: Any


class _Node(NamedTuple):
    """A part of a tree that can be compared part by part: what it is, and its parts by name, each with its step."""

    kind: str
    parts: dict[str, tuple[str, Any]]


def differences(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[Difference]:
    """What differs between the arguments of two calls, in the order of their names.

    Each argument is {"json": tree} (whoever asks has read a tree that stands in a blob) or {"digest": …, "text": …}.
    """
    return [_difference(row) for row in _rows(old, new)]


def code_differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[Difference]:
    """Which parts of the code changed, came or went, from the parts of two fingerprints (`module:name` -> digest)."""
    return [Difference(_place(name), was, now, "code") for name, was, now in _unequal(old, new)]


def version_differences(old: str, new: str, was: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    """What of the code makes two keys differ, by the code versions of the function and the parts behind both keys.

    One version has one set of parts; what differs then is a class or function that the arguments hold, and those that come or go do so
    with them.
    """
    found = code_differences(was, now)
    if old == new:
        return [one for one in found if one.old is not None and one.new is not None]
    return found or [Difference("code version", old, new, "code")]


def package_differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[Difference]:
    """Which recorded packages have another version: no part of a key, but it may explain another result."""
    return [Difference(name, was, now, "package") for name, was, now in _unequal(old, new)]


def nearest(candidates: Iterable[tuple[E, Mapping[str, Json]]], arguments: Mapping[str, Json]) -> E | None:
    """Of some entries, each beside its arguments, the one in which the fewest leaves differ: the first of several."""
    best = min(candidates, key=lambda candidate: sum(map(_weight, _rows(candidate[1], arguments))), default=None)
    return None if best is None else best[0]


def _unequal(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def _place(part: str) -> str:
    """`arz.laws.state:pressure` as a person looks for it: `arz/laws/state.py: pressure`."""
    module, colon, name = part.partition(":")
    return f"{module.replace('.', '/')}.py: {name}" if colon else part


def _rows(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[_Row]:
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was and now and "digest" in was and was["digest"] == now.get("digest"):
            continue  # its text is for people, and may be written otherwise by another version
        yield from _compare(name, _tree(was), _tree(now))


def _tree(argument: Json | None) -> Any:
    if argument is None:
        return _ABSENT
    return argument.get("json", {"$recorded": argument})


def _compare(path: str, old: Any, new: Any) -> Iterator[_Row]:
    before, now = _node(old), _node(new)
    if before is None or now is None or before.kind != now.kind:
        if old is _ABSENT or new is _ABSENT or _text(old) != _text(new):
            yield _Row(path, old, new)
        return
    for name in {**before.parts, **now.parts}:
        step, was = before.parts.get(name, ("", _ABSENT))
        step, is_now = now.parts.get(name, (step, _ABSENT))
        yield from _compare(path + step, was, is_now)


def _node(tree: Any) -> _Node | None:
    """None for a leaf; sets are leaves, as their members have no place."""
    if isinstance(tree, list):
        return _items("list", tree)
    if not isinstance(tree, dict):
        return None
    tag, payload = _tagged(tree)
    if tag == "":
        return _Node("dict", {key: (f"[{key!r}]", item) for key, item in tree.items()})
    if tag == "$tuple":
        return _items(tag, payload)
    if tag == "$dict":
        return _pairs(tag, payload)
    if tag == "$ordereddict":
        node = _pairs(tag, payload[0])
        node.parts.update({"." + name: ("." + name, item) for more in payload[1:] for name, item in more.items()})
        node.parts["order"] = (" (the order of its keys)", {"$keys": [key for key, _ in payload[0]]})
        return node
    if tag == "$namedtuple":
        return _items(payload[0], payload[1])
    if tag == "$table":
        return _Node(tag, {"labels": (".columns", payload[0]), **_beside(payload), **_columns(payload[0], payload[2])})
    if tag == "$column":
        return _Node(tag, {"name": (".name", payload[0]), **_beside(payload), "values": ("", payload[2])})
    if tag == "$values":
        return _items(_text(payload[:-1]), payload[-1]) if payload[0] in _ONE_BY_ONE else None
    if tag in ("$dataclass", "$model"):
        # Which fields of a model were set by hand (payload[2]) is no part of a key.
        held = [part for part in (payload[1], *payload[3:]) if isinstance(part, dict)]
        return _Node(payload[0], {name: ("." + name, item) for part in held for name, item in part.items()})
    return None


def _beside(payload: list[Any]) -> dict[str, tuple[str, Any]]:
    """What a table and a column have beside what they hold."""
    return {"index": (".index", payload[1]), "attrs": (".attrs", payload[3]), "flags": (".flags.allows_duplicate_labels", payload[4])}


def _columns(labels: Any, columns: list[Any]) -> dict[str, tuple[str, Any]]:
    """The columns of a table by their labels, as far as these are texts and differ; else by their places."""
    match labels:
        case {"$index": ["Index", [_], {"$values": [_, *_, [*names]]}, *_]} if len({*map(_text, names)}) == len(columns) == len(names):
            return {f"column {_text(name)}": (f"[{shown(name)}]", column) for name, column in zip(names, columns, strict=True)}
    return {f"column {place}": (f".iloc[:, {place}]", column) for place, column in enumerate(columns)}


def _tagged(tree: dict[str, Any]) -> tuple[str, Any]:
    """A node's tag and what it holds; no tag for a plain mapping, and for what only looks like a node: an entry from elsewhere may say anything."""
    if len(tree) == 1:
        [(tag, payload)] = tree.items()
        if tag.startswith("$") and _is_node(tag, payload):
            return tag, payload
    return "", tree


def _is_node(tag: str, payload: Any) -> bool:
    """Whether a tag holds what is taken from it here."""
    match tag:
        case "$tuple" | "$set" | "$frozenset" | "$keys":
            return isinstance(payload, list)
        case "$dict":
            return _are_pairs(payload)
        case "$ordereddict":
            return (
                bool(payload) and isinstance(payload, list) and _are_pairs(payload[0]) and all(isinstance(one, dict) for one in payload[1:])
            )
        case "$dataclass" | "$model":
            return isinstance(payload, list) and [type(one) for one in payload[:2]] == [str, dict]
        case "$namedtuple":
            return isinstance(payload, list) and [type(one) for one in payload] == [str, list]
        case "$enum" | "$flag":
            return isinstance(payload, list) and len(payload) == len(("class", "member")) and isinstance(payload[0], str)
        case "$recorded":
            return isinstance(payload, dict)
        case "$table":
            return isinstance(payload, list) and len(payload) == len(_TABLE) and isinstance(payload[2], list)
        case "$column":
            return isinstance(payload, list) and len(payload) == len(_COLUMN)
        case "$values":
            return isinstance(payload, list) and bool(payload) and (payload[0] not in _ONE_BY_ONE or isinstance(payload[-1], list))
    return True


def _are_pairs(payload: Any) -> bool:
    return isinstance(payload, list) and all(isinstance(pair, list) and len(pair) == len(("key", "value")) for pair in payload)


def _items(kind: str, items: list[Any]) -> _Node:
    return _Node(kind, {str(place): (f"[{place}]", item) for place, item in enumerate(items)})


def _pairs(kind: str, pairs: list[Any]) -> _Node:
    return _Node(kind, {"key " + _text(key): (f"[{shown(key)}]", item) for key, item in pairs})


def _text(tree: Any) -> str:
    """Equal for equal leaves alone: 1, 1.0 and true differ here as they do in a key."""
    return json.dumps(tree, sort_keys=True)


def _weight(row: _Row) -> int:
    return max(_leaves(row.old), _leaves(row.new))


def _leaves(tree: Any) -> int:
    node = None if tree is _ABSENT else _node(tree)
    return 1 if node is None else max(1, sum(_leaves(part) for _, part in node.parts.values()))


def _difference(row: _Row) -> Difference:
    old = None if row.old is _ABSENT else shown(row.old)
    new = None if row.new is _ABSENT else shown(row.new)
    return Difference(row.path, old, f"another {new}" if old == new else new)


def shown(tree: Any) -> str:
    """A tree as a person would write the value, cut where it gets long."""
    text = ""
    for piece in _pieces(tree):
        text += piece
        if len(text) > LONGEST:
            return text[: LONGEST - 1] + "…"
    return text


def _pieces(tree: Any) -> Iterator[str]:
    if isinstance(tree, list):
        yield from _bracketed("[]", tree)
    elif not isinstance(tree, dict):
        yield repr(tree)
    else:
        tag, payload = _tagged(tree)
        yield from _mapping(((key, item) for key, item in tree.items())) if tag == "" else _tag(tag, payload)


def _tag(tag: str, payload: Any) -> Iterator[str]:
    if tag == "$tuple":
        yield from _bracketed("()", payload)
    elif tag == "$set":
        yield from _bracketed("{}", payload) if payload else ["set()"]
    elif tag == "$frozenset":
        yield from _call("frozenset", [("", {"$set": payload})] if payload else [])
    elif tag == "$dict":
        yield from _mapping(payload)
    elif tag == "$ordereddict":
        yield from _call("OrderedDict", [("", {"$dict": payload[0]})])
    elif tag == "$keys":
        yield from _bracketed("[]", payload)
    elif tag in ("$dataclass", "$model"):
        yield from _call(_class(payload[0]), ((f"{name}=", item) for name, item in payload[1].items()))
    elif tag == "$namedtuple":
        yield from _call(_class(payload[0]), (("", item) for item in payload[1]))
    elif tag == "$enum":
        yield f"{_class(payload[0])}.{payload[1]}"
    elif tag == "$flag":
        yield f"{_class(payload[0])}({payload[1]})"
    elif tag == "$table":
        yield from _call("table", ((f"{step}: ", column) for step, column in _columns(payload[0], payload[2]).values()))
    elif tag == "$column":
        yield from _call("column", [("", payload[2])])
    elif tag == "$values" and payload[0] in _ONE_BY_ONE:
        yield f"{way} " if (way := str(payload[-2] if payload[0] == "object" else payload[1])) else ""
        yield from _bracketed("[]", payload[-1])
    elif tag == "$recorded":
        yield str(payload.get("text", "a value that was not recorded"))
    elif tag == "$float":
        yield str(payload)
    else:
        yield from _call(tag[1:], (("", item) for item in (payload if isinstance(payload, list) else [payload])))


def _class(name: str) -> str:
    return name.partition(":")[2] or name


def _bracketed(brackets: str, items: list[Any]) -> Iterator[str]:
    yield brackets[0]
    for place, item in enumerate(items):
        if place:
            yield ", "
        yield from _pieces(item)
    yield ",)" if brackets == "()" and len(items) == 1 else brackets[1]


def _mapping(pairs: Iterable[Any]) -> Iterator[str]:
    opening = "{"
    for key, item in pairs:
        yield opening
        yield from _pieces(key)
        yield ": "
        yield from _pieces(item)
        opening = ", "
    yield "}" if opening == ", " else "{}"


def _call(name: str, arguments: Iterable[tuple[str, Any]]) -> Iterator[str]:
    opening = f"{name}("
    for label, item in arguments:
        yield opening + label
        yield from _pieces(item)
        opening = ", "
    yield ")" if opening == ", " else f"{name}()"

"""Values as plain or tagged JSON, in the form that json.py describes; what has no exact form is refused with its path."""

import json
import struct
from base64 import b64encode
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from math import isfinite, isinf
from typing import Any, Final, TypeAlias

from simcache.errors import Unstorable
from simcache.model import Json

MAX_DEPTH: Final = 200
"""How deep values may nest: what is written here must be readable where less of the stack is left."""
INLINE: Final = 4096
"""Longer bytes go beside the JSON where there is a place for them (tree.py)."""

Leaf: TypeAlias = Callable[[object], Json | None]
Write: TypeAlias = Callable[["Writer", Any], Any]

_BIG: Final = 1 << 1024
_NAN: Final = struct.pack(">d", float("nan"))
_TEXT: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode
_SHOWN_PATH: Final = 160


def text_of(value: object, writer: "Writer") -> str:
    """The JSON of a value; Unstorable names the path of what has no exact form."""
    try:
        return _TEXT(writer.form(value))
    except Unstorable as refused:
        raise Unstorable(_short(f"{writer.root}{refused.path}"), refused.reason) from None
    except RecursionError:
        raise Unstorable(writer.root, "it is nested too deep for what is left of the stack") from None


class Writer:
    """Turns one value into what JSON has.

    `rarer` writes a value that is not of the basic types; `leaf` gives a tagged form of its own for what is kept elsewhere.
    """

    __slots__ = ("_open", "_rarer", "classes", "into", "leaf")
    root = "value"
    annotated = "return type"
    """Where the annotation stands that leads to its classes."""

    def __init__(self, rarer: "Write", into: object = None, leaf: Leaf | None = None) -> None:
        self._rarer = rarer
        self.into = into
        self.leaf = leaf
        self.classes: dict[type, str] = {}
        """What those were found to be called that stand in the value."""
        self._open: set[int] = set()

    def form(self, value: object) -> Any:
        write = _WRITE.get(type(value))
        return write(self, value) if write is not None else self._other(value)

    def enter(self, value: object) -> None:
        """Begin a value that holds others."""
        if id(value) in self._open:
            raise Unstorable("", "it holds itself, and would never end: break the circle")
        if len(self._open) >= MAX_DEPTH:
            raise Unstorable("", f"it is nested deeper than {MAX_DEPTH} levels: return a flat list, or use codec='pickle'")
        self._open.add(id(value))

    def leave(self, value: object) -> None:
        """End it; one that failed is not left, since all of the value failed."""
        self._open.discard(id(value))

    def items(self, values: Iterable[object]) -> list[Any]:
        """The forms of a sequence's items, in order."""
        self.enter(values)
        forms: list[Any] = []
        try:
            forms.extend(map(self.form, values))  # those before the failing one are kept: their number is its index
        except Unstorable as refused:
            refused.path = f"[{len(forms)}]{refused.path}"
            raise
        self.leave(values)
        return forms

    def pairs(self, values: Mapping[Any, object]) -> list[list[Any]]:
        """The forms of a mapping's keys and values, in its order."""
        self.enter(values)
        forms = []
        key: object = None
        try:
            for key, item in values.items():
                forms.append([self.form(key), self.form(item)])
        except Unstorable as refused:
            refused.path = f"[{_shown(key)}]{refused.path}"
            raise
        self.leave(values)
        return forms

    def members(self, values: Iterable[object]) -> list[Any]:
        """The forms of a set's items in the order of their JSON, which is the same in every process."""
        self.enter(values)
        # Offsets of leaves would follow the order of iteration, which differs between processes: none in a set.
        leaf, self.leaf = self.leaf, None
        try:
            forms = [self.form(item) for item in values]
        except Unstorable as refused:
            refused.path = f"{{…}}{refused.path}"
            raise
        self.leaf = leaf
        self.leave(values)
        return sorted(forms, key=_TEXT)

    def named(self, values: Mapping[str, object]) -> dict[str, Any]:
        """The forms of an object's attributes; the caller has entered the object."""
        forms = {}
        name = ""
        try:
            for name, item in values.items():
                forms[name] = self.form(item)
        except Unstorable as refused:
            refused.path = f".{name}{refused.path}"
            raise
        return forms

    def _other(self, value: object) -> Any:
        if self.leaf is not None and (form := self.leaf(value)) is not None:
            return form
        return self._rarer(self, value)


def encodable(text: str) -> bool:
    """Whether UTF-8 can hold this text; lone surrogates (from file names that are no text) it cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_itself(_writer: Writer, value: object) -> Any:
    return value


def _str(_writer: Writer, value: str) -> Any:
    return value if encodable(value) else {"$str": b64encode(value.encode("utf-8", "surrogatepass")).decode()}


def _int(_writer: Writer, value: int) -> Any:
    # Python refuses to read and write decimal numbers of thousands of digits; hexadecimal ones it takes.
    return value if -_BIG < value < _BIG else {"$int": hex(value)}


def _float(_writer: Writer, value: float) -> Any:
    if isfinite(value):
        return value
    bits = struct.pack(">d", value)
    return {"$float": str(value) if isinf(value) or bits == _NAN else bits.hex()}


def _complex(writer: Writer, value: complex) -> Any:
    return {"$complex": [_float(writer, value.real), _float(writer, value.imag)]}


def _bytes(writer: Writer, value: bytes) -> Any:
    if len(value) > INLINE and writer.leaf is not None and (form := writer.leaf(value)) is not None:
        return form
    return {"$bytes": b64encode(value).decode()}


def _bytearray(_writer: Writer, value: bytearray) -> Any:
    return {"$bytearray": b64encode(value).decode()}


def _list(writer: Writer, value: list[object]) -> Any:
    return writer.items(value)


def _tuple(writer: Writer, value: tuple[object, ...]) -> Any:
    return {"$tuple": writer.items(value)}


def _set(writer: Writer, value: set[object]) -> Any:
    return {"$set": writer.members(value)}


def _frozenset(writer: Writer, value: frozenset[object]) -> Any:
    return {"$frozenset": writer.members(value)}


def _dict(writer: Writer, value: dict[Any, object]) -> Any:
    for key in value:
        if type(key) is not str or key[:1] == "$" or not encodable(key):
            return {"$dict": writer.pairs(value)}
    writer.enter(value)
    forms = {}
    key = ""
    try:
        for key, item in value.items():
            forms[key] = writer.form(item)
    except Unstorable as refused:
        refused.path = f"[{_shown(key)}]{refused.path}"
        raise
    writer.leave(value)
    return forms


def _ordereddict(writer: Writer, value: "OrderedDict[Any, object]") -> Any:
    # A torch state_dict is one of these, and carries the versions of its layers as an attribute.
    attributes = [_dict(writer, vars(value))] if vars(value) else []
    return {"$ordereddict": [writer.pairs(value), *attributes]}


def _deque(writer: Writer, value: "deque[object]") -> Any:
    return {"$deque": [writer.items(value), value.maxlen]}


def _range(writer: Writer, value: range) -> Any:
    return {"$range": [_int(writer, value.start), _int(writer, value.stop), _int(writer, value.step)]}


def _slice(writer: Writer, value: slice) -> Any:
    writer.enter(value)
    form = writer.named({"start": value.start, "stop": value.stop, "step": value.step})
    writer.leave(value)
    return {"$slice": list(form.values())}


_WRITE: dict[type, Write] = {
    type(None): _as_itself,
    bool: _as_itself,
    int: _int,
    float: _float,
    str: _str,
    list: _list,
    dict: _dict,
    tuple: _tuple,
    set: _set,
    frozenset: _frozenset,
    bytes: _bytes,
    bytearray: _bytearray,
    complex: _complex,
    range: _range,
    slice: _slice,
    OrderedDict: _ordereddict,
    deque: _deque,
}


def _shown(key: object) -> str:
    """A key as it stands in a path: short, and without calling a repr of the user's own."""
    plain = type(key) in (str, bytes, float, bool) or (type(key) is int and -_BIG < key < _BIG)
    return repr(key)[:40] if plain else f"<{type(key).__name__}>"


def _short(path: str) -> str:
    half = _SHOWN_PATH // 2
    return path if len(path) <= _SHOWN_PATH else f"{path[:half]} … {path[-half:]}"

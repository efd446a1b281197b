"""Values from plain or tagged JSON, in the form that json.py describes; anything else is Undecodable, never another error."""

import json
import struct
from base64 import b64decode
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from simcache.codecs.base import BAD_DATA
from simcache.errors import Undecodable

if TYPE_CHECKING:
    from simcache.codecs.reach import Reach

Read: TypeAlias = Callable[["Reader", Any], Any]


def value_of(data: memoryview, reader: "Reader") -> Any:
    """The value of some JSON; Undecodable if it is not what `text_of` writes."""
    try:
        text = str(data, "utf-8")
        return (reader.decoder() if '"$' in text else _PLAIN).decode(text)
    except BAD_DATA as problem:
        raise Undecodable(f"not the JSON of a value: {type(problem).__name__}: {problem}") from problem


class Reader:
    """Turns JSON back into one value; `leaves` reads the tags of what is kept elsewhere."""

    __slots__ = ("_classes", "into", "leaves")

    def __init__(self, into: object = None, leaves: Mapping[str, Callable[[Any], Any]] | None = None) -> None:
        self.into = into
        self.leaves = leaves or {}
        self._classes: dict[str, type] = {}

    def decoder(self) -> json.JSONDecoder:
        return json.JSONDecoder(object_hook=self._object, parse_constant=_no_constant)

    def class_named(self, name: object) -> type:
        """The class of this name that the annotated type leads to."""
        if isinstance(name, str) and name in self._classes:
            return self._classes[name]
        reach: Reach = import_module("simcache.codecs.reach").reach(self.into)  # only values of classes need it
        found = reach.find(name) if isinstance(name, str) else None
        if found is None:
            raise Undecodable(f"the class {name!r} cannot be reached from the annotated return type{reach.doubts()}")
        self._classes[str(name)] = found
        return found

    def _object(self, record: dict[str, Any]) -> Any:
        tag = next(iter(record), "")
        if tag[:1] != "$":
            return record
        if len(record) != 1:
            raise Undecodable(f"the tag {tag!r} stands beside other keys")
        if leaf := self.leaves.get(tag):
            return leaf(record[tag])
        read = _READ.get(tag) or _late(tag)
        return read(self, record[tag])


def listed(payload: object, length: int | None = None) -> list[Any]:
    """The payload of a tag as a list (of this length); Undecodable if it is anything else."""
    if type(payload) is not list or (length is not None and len(payload) != length):
        raise Undecodable("a tag holds something else than it should")
    return payload


def texted(payload: object) -> str:
    """The payload of a tag as text; Undecodable if it is anything else."""
    if type(payload) is not str:
        raise Undecodable("a tag holds something else than text")
    return payload


def _read_float(_reader: Reader, payload: Any) -> float:
    if payload in ("inf", "-inf", "nan"):
        return float(payload)
    bits = bytes.fromhex(texted(payload))
    if len(bits) != 8:  # noqa: PLR2004 - of a double
        raise Undecodable("the bits of a float are 16 hex digits")
    value: float = struct.unpack(">d", bits)[0]
    return value


def _read_complex(_reader: Reader, payload: Any) -> complex:
    real, imaginary = listed(payload, 2)
    if type(real) is not float or type(imaginary) is not float:
        raise Undecodable("a complex number is two floats")
    return complex(real, imaginary)


def _read_bytes(_reader: Reader, payload: Any) -> bytes:
    return b64decode(texted(payload), validate=True)


def _read_int(_reader: Reader, payload: Any) -> int:
    return int(texted(payload), 16)


def _read_dict(_reader: Reader, payload: Any) -> dict[Any, Any]:
    return dict(listed(pair, 2) for pair in listed(payload))


def _read_ordereddict(reader: Reader, payload: Any) -> "OrderedDict[Any, Any]":
    pairs, *attributes = listed(payload)
    value = OrderedDict(_read_dict(reader, pairs))
    for more in attributes:
        vars(value).update(more)
    return value


def _read_deque(_reader: Reader, payload: Any) -> "deque[Any]":
    items, longest = listed(payload, 2)
    return deque(listed(items), longest)


def _read_str(reader: Reader, payload: Any) -> str:
    return _read_bytes(reader, payload).decode("utf-8", "surrogatepass")


_READ: dict[str, Read] = {
    "$tuple": lambda _, payload: tuple(listed(payload)),
    "$set": lambda _, payload: set(listed(payload)),
    "$frozenset": lambda _, payload: frozenset(listed(payload)),
    "$dict": _read_dict,
    "$ordereddict": _read_ordereddict,
    "$deque": _read_deque,
    "$float": _read_float,
    "$int": _read_int,
    "$str": _read_str,
    "$bytes": _read_bytes,
    "$bytearray": lambda reader, payload: bytearray(_read_bytes(reader, payload)),
    "$complex": _read_complex,
    "$range": lambda _, payload: range(*listed(payload, 3)),
    "$slice": lambda _, payload: slice(*listed(payload, 3)),
}

# Where the rarer tags are read: imported when one is met, so that a hit of plain data stays cheap.
_LATE = {
    **dict.fromkeys(("$date", "$time", "$datetime", "$timedelta", "$timezone", "$zone"), "simcache.codecs.standard"),
    **dict.fromkeys(("$decimal", "$uuid", "$path", "$posixpath", "$windowspath"), "simcache.codecs.standard"),
    **dict.fromkeys(("$enum", "$flag", "$namedtuple", "$dataclass", "$model"), "simcache.codecs.objects"),
    "$scalar": "simcache.codecs.arrays",
    **dict.fromkeys(("$table", "$column", "$index", "$values", "$pandas"), "simcache.codecs.tables"),
}


def _late(tag: str) -> Read:
    if tag not in _LATE:
        raise Undecodable(f"the tag {tag!r} is not known here: a newer simcache may have written it")
    try:
        table: dict[str, Read] = import_module(_LATE[tag]).READ
    except ImportError as problem:
        raise Undecodable(f"it holds a {tag[1:]} of {problem.name}, which is not here: install {problem.name}") from problem
    _READ.update(table)
    return table[tag]


def _no_constant(text: str) -> NoReturn:
    raise Undecodable(f"{text} is not JSON")


_PLAIN = json.JSONDecoder(parse_constant=_no_constant)

"""What tests are made of: classes as a user might write them, values of every storable type, and exact comparison."""

import dataclasses
import string
import struct
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import BaseModel, ConfigDict, PrivateAttr

T = TypeVar("T")


class Colour(Enum):
    """A plain enum, with an alias and values of several types."""

    RED = 1
    GREEN = "green"
    BLUE = (1, 2)
    CRIMSON = 1  # noqa: PIE796 - an alias


class Level(IntEnum):
    """An enum whose members are ints."""

    LOW = 0
    HIGH = 1


class Mode(StrEnum):
    """An enum whose members are texts."""

    OPEN = "open"


class Rights(Flag):
    """Members that can be combined."""

    READ = 1
    WRITE = 2


class Point(NamedTuple):
    """A named tuple."""

    x: float
    y: object = None


@dataclass(frozen=True, slots=True)
class Road:
    """Frozen, and in slots."""

    name: str
    length: float = 0.0
    ends: tuple[Point, ...] = ()


@dataclass
class Lane(Generic[T]):
    """Generic, with a field that is not given to `__init__` and a value that is worked out when asked for."""

    content: T
    count: int = field(init=False, default=0)
    made: list[int] = field(init=False, default_factory=list)

    @cached_property
    def double(self) -> int:
        return 2 * self.count


@dataclass
class Motorway(Lane[T]):
    """A subclass that the annotation of its base leads to."""

    toll: Decimal = Decimal(0)


class Settings(BaseModel):
    """A model with private attributes."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    name: str = "x"
    number: float = 0.0
    more: Any = None
    _seen: int = PrivateAttr(default=3)


class Loose(BaseModel):
    """A model that takes fields it does not know."""

    model_config = ConfigDict(extra="allow")
    name: str = "x"


class Box(BaseModel, Generic[T]):
    """A generic model."""

    content: T


Everything = Colour | Level | Mode | Rights | Point | Road | Lane[Any] | Settings | Loose | Box[int] | Box[str]
"""An annotation that leads to every class above."""


def identical(one: object, other: object) -> bool:
    """Whether two values agree in type and in every bit: NaN with itself, 0.0 not with -0.0, the order of dicts counts."""
    if type(one) is not type(other):
        return False
    compare = _COMPARE.get(type(one))
    if compare is not None:
        return compare(one, other)
    if isinstance(one, np.ndarray | np.generic) and isinstance(other, np.ndarray | np.generic):
        return _same_arrays(one, other)
    if isinstance(one, Enum):
        return one is other
    if isinstance(one, tuple) and isinstance(other, tuple):
        return _same_items(one, other)
    if isinstance(one, BaseModel) and isinstance(other, BaseModel):
        return all(
            identical(getattr(one, part), getattr(other, part))
            for part in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
        )
    if dataclasses.is_dataclass(one):
        same_fields = all(identical(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
        return same_fields and getattr(one, "__dict__", {}).keys() == getattr(other, "__dict__", {}).keys()
    return one == other


def _same_items(one: Any, other: Any) -> bool:
    return len(one) == len(other) and all(map(identical, one, other))


def _same_dicts(one: Any, other: Any) -> bool:
    return _same_items(list(one), list(other)) and _same_items(list(one.values()), list(other.values()))


def _same_sets(one: Any, other: Any) -> bool:
    left = list(other)
    for item in one:
        found = next((i for i, candidate in enumerate(left) if identical(item, candidate)), None)
        if found is None:
            return False
        del left[found]
    return not left


def _same_floats(one: Any, other: Any) -> bool:
    return struct.pack("<d", one) == struct.pack("<d", other)


def _same_arrays(one: Any, other: Any) -> bool:
    if one.dtype.names and one.dtype == other.dtype:  # what lies between the fields is no part of the value
        return one.shape == other.shape and all(_same_arrays(one[name], other[name]) for name in one.dtype.names)
    same_kind = one.dtype == other.dtype and one.dtype.isalignedstruct == other.dtype.isalignedstruct
    same_order = one.flags.c_contiguous == other.flags.c_contiguous and one.flags.f_contiguous == other.flags.f_contiguous
    return bool(same_kind and same_order and one.shape == other.shape and one.tobytes("A") == other.tobytes("A"))


_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    list: _same_items,
    tuple: _same_items,
    deque: lambda one, other: one.maxlen == other.maxlen and _same_items(one, other),
    dict: _same_dicts,
    OrderedDict: lambda one, other: _same_dicts(one, other) and _same_dicts(vars(one), vars(other)),
    set: _same_sets,
    frozenset: _same_sets,
    float: _same_floats,
    complex: lambda one, other: _same_floats(one.real, other.real) and _same_floats(one.imag, other.imag),
    slice: lambda one, other: _same_items((one.start, one.stop, one.step), (other.start, other.stop, other.step)),
    Decimal: lambda one, other: one.as_tuple() == other.as_tuple(),
    datetime: lambda one, other: repr(one) == repr(other),
    time: lambda one, other: repr(one) == repr(other),
    timezone: lambda one, other: repr(one) == repr(other),
}

_names = st.text(string.ascii_letters, max_size=5)
_zones = st.sampled_from(
    [None, timezone.utc, timezone(timedelta(hours=-3, microseconds=5)), timezone(timedelta(hours=1), "CET"), ZoneInfo("UTC")]  # noqa: UP017
)
_nan_bits = st.integers(1, 2**52 - 1).flatmap(
    lambda low: st.sampled_from([0x7FF, 0xFFF]).map(lambda high: struct.unpack(">d", struct.pack(">Q", high << 52 | low))[0])
)
_dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
    hnp.complex_number_dtypes(sizes=(64, 128), endianness="?"),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
    hnp.byte_string_dtypes(),
    hnp.unicode_string_dtypes(),
)

arrays = hnp.arrays(
    st.one_of(_dtypes, hnp.array_dtypes(_dtypes, max_size=3)),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
).flatmap(lambda array: st.sampled_from([array, np.asfortranarray(array) if array.ndim > 1 else array]))
"""Arrays of every dtype that is kept, in C and F order, empty ones and 0-d ones among them."""

hashable_atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    _nan_bits,
    st.complex_numbers(),
    st.text(),
    st.text(st.characters()),
    st.binary(),
    st.dates(),
    st.datetimes(timezones=st.just(None) | st.sampled_from([timezone.utc])),  # noqa: UP017
    st.builds(datetime.replace, st.datetimes(), tzinfo=_zones, fold=st.sampled_from([0, 1])),
    st.builds(time.replace, st.times(), tzinfo=st.sampled_from([None, timezone.utc]), fold=st.sampled_from([0, 1])),  # noqa: UP017
    st.timedeltas(),
    _zones,
    st.decimals().filter(lambda number: not number.is_snan()),  # it cannot be hashed
    st.uuids(),
    st.builds(Path, _names, _names),
    st.builds(PurePosixPath, _names),
    st.builds(PureWindowsPath, _names),
    st.builds(range, st.integers(), st.integers(), st.integers(1, 9)),
    st.sampled_from([*Colour, *Level, *Mode, Rights.READ, Rights.READ | Rights.WRITE, Rights(0)]),
    _dtypes.filter(lambda dtype: dtype.kind not in "SU").flatmap(hnp.from_dtype),
    st.builds(np.str_, st.text()),
    st.builds(np.bytes_, st.binary()),
    st.builds(Road, st.text(), st.floats()),
)

_keys = (
    hashable_atoms | st.sampled_from(["$", "$tuple", "$array", ""]) | st.tuples(hashable_atoms) | st.frozensets(hashable_atoms, max_size=3)
)


def _loose(more: object) -> Loose:
    return Loose.model_validate({"more": more})


def _with_models(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(Point, st.floats(), inner),
        st.builds(Lane, inner),
        st.builds(Motorway, inner),
        st.builds(Settings, number=st.floats(), more=inner),
        inner.map(_loose),
        st.builds(Box[int], content=st.integers()),
        st.builds(Box[str], content=st.text()),
    )


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(deque),
        st.dictionaries(_names, inner, max_size=3),
        st.dictionaries(_keys, inner, max_size=3),
        st.dictionaries(_keys, inner, max_size=3).map(OrderedDict),
        st.sets(hashable_atoms, max_size=3),
        st.frozensets(hashable_atoms, max_size=3),
        st.builds(slice, inner, inner, inner),
        _with_models(inner),
    )


_atoms = st.one_of(
    hashable_atoms,
    st.binary(max_size=9).map(bytearray),
    st.integers(4090, 4100).map(bytes),
    st.integers(1000, 9000).map(lambda bits: -1 << bits),
    st.just("\ud83d\ude00"),
)

plain_values = st.recursive(_atoms, _containers, max_leaves=12)
"""Everything that the json codec keeps; `Everything` leads to its classes."""

values = st.recursive(_atoms | arrays, _containers, max_leaves=12)
"""The same with arrays anywhere."""

samples: dict[str, Any] = {
    "none": None,
    "text": "Lagos ✓",
    "surrogate": "file-\udcff",
    "list": [1, 2.5, True, None, "x"],
    "tagged": {"$tuple": [1], "plain": {"a": 1}},
    "keys": {1: "a", (1, 2): "b", None: "c"},
    "sets": {"names": {"a", "b", "c", "d"}, "mixed": frozenset({1, "1", b"1", (1, 2)})},
    "bytes": b"\0\xff" * 3000,
    "dates": [date(2024, 2, 29), datetime(2024, 1, 1, 12, 0, tzinfo=ZoneInfo("UTC")), time(1, 2, 3), timedelta(1, 2, 3)],
    "numbers": [Decimal("1.10"), 2j, float("inf"), 1 << 4000, np.float32(0.1), np.int64(3)],
    "names": [UUID(int=5), Path("a/b"), PurePosixPath("/x"), PureWindowsPath("c:/x")],
    "array": np.arange(12.0).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "tree": [{"rho": np.linspace(0, 1, 5), "n": i, "big": np.arange(3, dtype=">i4")} for i in range(3)],
    "classes": [
        Colour.GREEN,
        Rights.READ | Rights.WRITE,
        Point(1.0, [2]),
        Road("a", 2.0, (Point(0.0),)),
        Motorway([1]),
        Settings(),
        Box[int](content=1),
    ],
}
"""A value or two of every sort, for what is tried on all of them."""

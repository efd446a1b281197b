"""Canonical bytes: equal for the same value however it was made, different for any other, refused with a path where there are none."""

import argparse
import array
import collections
import contextvars
import copy
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import gc
import io
import itertools
import math
import operator
import pathlib
import pickle
import random
import re
import struct
import subprocess
import sys
import threading
import tracemalloc
import types
import uuid
import weakref
import zoneinfo
from collections import abc
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simcache.errors import Unkeyable
from simcache.identity.forms.arrays import PIECE
from simcache.identity.forms.base import DEEPEST
from simcache.identity.forms.canonical import canonical, canonical_arguments

T = TypeVar("T")


def version(thing: object) -> str:
    """A code version that any function or class has."""
    return f"version of {getattr(thing, '__qualname__', thing)}"


def form(value: object) -> bytes:
    return canonical(value, "value", version)


class Colour(enum.Enum):
    """Has an alias."""

    RED = 1
    GREEN = 2
    CRIMSON = 1  # noqa: PIE796 - the alias is what is tested


class Level(enum.IntEnum):
    """An int as well."""

    LOW = 1


class Word(enum.StrEnum):
    """A text as well."""

    RED = "red"


class Access(enum.Flag):
    """Can be combined."""

    READ = 1
    WRITE = 2


class Point(NamedTuple):
    """Has a default."""

    x: float
    y: float = 0.0


class Labelled(Point):
    """Can carry attributes."""


class Options(TypedDict):
    """No class of its own at run time."""

    n: int


@dataclasses.dataclass
class Road:
    """Plain fields."""

    length: float
    lanes: int = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """Slots, and a field that equality leaves out."""

    name: str
    roads: tuple[Road, ...] = ()
    note: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass
class Late:
    """Fields that `__init__` does not set."""

    a: int
    b: int = dataclasses.field(default=3, init=False)
    c: int = dataclasses.field(init=False)


@dataclasses.dataclass
class Area:
    """Remembers what it computed."""

    side: float

    @functools.cached_property
    def size(self) -> float:
        return self.side**2


@dataclasses.dataclass
class Box(Generic[T]):
    """Notes how it was subscripted."""

    held: T


@dataclasses.dataclass
class Bag(list[int]):
    """Fields beside what a list holds."""

    name: str


class Model(pydantic.BaseModel):
    """Takes anything in its roads."""

    density: float = 0.175
    name: str = "ring"
    roads: list[Any] = []


class Open(pydantic.BaseModel, extra="allow"):
    """Takes fields it does not know."""

    a: int = 1
    _secret: int = pydantic.PrivateAttr(default=0)


class Sized(pydantic.BaseModel):
    """Remembers what it computed."""

    side: float = 1.0

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @functools.cached_property
    def size(self) -> float:
        return self.side**2


class Tagged(pydantic.BaseModel):
    """Says its key, so that a new field at its default changes nothing."""

    a: int = 1
    b: int | None = None

    def __cache_key__(self) -> object:
        return self.model_dump(exclude_defaults=True)


class Plain:
    """Any attributes."""

    def __init__(self, **held: object) -> None:
        vars(self).update(held)


class Slotted:
    """A private slot."""

    __slots__ = ("__private", "a")

    def __init__(self, a: object, private: object) -> None:
        self.a = a
        self.__private = private


class SlottedChild(Slotted):
    """More slots."""

    __slots__ = ("b",)


class Shadowing(Slotted):
    """Hides a slot of its base behind one of its own."""

    __slots__ = ("a",)


class Named:
    """Says its key."""

    def __init__(self, name: object, noise: object = None) -> None:
        self.name = name
        self.noise = noise

    def __cache_key__(self) -> object:
        return self.name

    def method(self) -> None:
        pass


class MyDict(dict[Any, Any]):
    """A dict that is another type."""


class MyList(list[Any]):
    """Hides its items from whoever iterates."""

    def __iter__(self) -> abc.Iterator[Any]:
        return iter(())


class MyInt(int):
    """An int that is another type."""


class MyStr(str):
    """A text that is another type."""

    __slots__ = ()


class MyPath(pathlib.PurePosixPath):
    """A path that is another type."""


class MyOrdered(collections.OrderedDict[Any, Any]):
    """An ordered dict that is another type."""


class Failure(Exception):
    """Its arguments are kept out of sight."""


class Subarray(np.ndarray[Any, Any]):
    """May be more than its numbers."""


class KeyedSubarray(np.ndarray[Any, Any]):
    """Says its key."""

    def __cache_key__(self) -> object:
        return np.asarray(self)


anything: Any = len
factory: Any = list


def plain_function() -> None:
    pass


def with_attribute(thing: Any, **more: object) -> Any:
    vars(thing).update(more)
    return thing


def used(sized: Any) -> Any:
    """The same, after its cached property was asked for."""
    assert sized.size >= 0
    return sized


def read_only(held: Any) -> Any:
    held.setflags(write=False)
    return held


def nan_with(payload: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<Q", 0x7FF8 << 48 | payload))[0]
    return value


def moment(zone: dt.tzinfo | None, hour: int = 12, fold: int = 0) -> dt.datetime:
    return dt.datetime(2026, 10, 25, hour, 30, fold=fold, tzinfo=zone)


try:
    ZONE: dt.tzinfo = zoneinfo.ZoneInfo("Etc/GMT")
except zoneinfo.ZoneInfoNotFoundError:  # a machine without time zones
    ZONE = dt.timezone(dt.timedelta(0), "no zones here")
PAIRED = np.dtype([("a", "i4"), ("b", "f8")], align=True)

DIFFERENT: list[object] = [
    # nothing, truth, numbers and texts that Python may call equal
    *(None, ..., NotImplemented, False, True, 0, 1, -1, 0.0, -0.0, 1.0, 1j, complex(0.0, -0.0), complex(-0.0, 0.0), "", "0", "1", "None"),
    *(
        b"",
        b"1",
        bytearray(b"1"),
        memoryview(b"1"),
        memoryview(b"1234").cast("B", (2, 2)),
        memoryview(b"1234"),
        memoryview(b"1234").cast("c"),
    ),
    *(2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**5000, -(10**5000), 255, 256, 1 << 71, -(1 << 71)),
    *(math.inf, -math.inf, math.nan, -math.nan, nan_with(1), 5e-324, 0.1, np.nextafter(0.1, 1).item()),
    *("a", "ä", "a\u0308", "\ud800", "\udfff", "\U00010000", "\ud800\udc00", "\x00", "ab", "a\x00"),
    # containers: their type, their nesting, where one ends and the next begins
    *([], (), {}, set(), frozenset(), [[]], [()], ([],), [[], []], [[[]]], [None], [1, 2], [2, 1], [12], ["ab"], ["a", "b"], ["", "ab"]),
    *([[1], 2], [[1, 2]], [1, [2]], (1, 2), {1, 2}, frozenset({1, 2}), {1: 2}, {2: 1}, {"1": 2}, {True: 2}, {1.0: 2}, {1: True}, {(1,): 2}),
    *(
        {"a": {"b": 1}},
        {"a": {}, "b": 1},
        {1: None, 2: None},
        {None: 1},
        range(3),
        range(0, 3, 2),
        range(0),
        range(1, 1),
        slice(3),
        slice(0, 3),
    ),
    *(collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1), {"a": 1, "b": 2}, collections.Counter(a=1, b=2)),
    *(collections.defaultdict(factory, a=1), collections.defaultdict(anything, a=1), collections.defaultdict(None, a=1), {"a": 1}),
    with_attribute(collections.OrderedDict(a=1, b=2), noted=1),
    *(collections.deque([1]), collections.deque([1], 3), collections.deque([1], 4), types.MappingProxyType({"a": 1})),
    *(array.array("d", [1.0]), array.array("f", [1.0]), array.array("i", [1]), array.array("d")),
    # the library's values
    *(
        decimal.Decimal(1),
        decimal.Decimal("1.0"),
        decimal.Decimal("-0"),
        decimal.Decimal(0),
        decimal.Decimal("NaN"),
        decimal.Decimal("sNaN"),
    ),
    *(decimal.Decimal("Infinity"), decimal.Decimal("1E+2"), decimal.Decimal(100), fractions.Fraction(1, 2), fractions.Fraction(1)),
    *(uuid.UUID(int=1), uuid.UUID(int=2), re.compile("a"), re.compile("a", re.IGNORECASE), re.compile(b"a")),
    *(dt.date(2026, 10, 25), moment(None), moment(None, fold=1), moment(dt.UTC), moment(dt.timezone(dt.timedelta(hours=1)), 13)),
    *(moment(dt.timezone(dt.timedelta(0), "GMT")), moment(ZONE), dt.datetime(2026, 10, 25)),  # noqa: DTZ001
    *(moment(None, 2), moment(None, 2, 1), dt.time(12, 30), dt.time(12, 30, tzinfo=dt.UTC), dt.time(12, 30, fold=1), dt.timedelta(1)),
    *(dt.timedelta(seconds=1), dt.timedelta(-1), dt.UTC, dt.timezone(dt.timedelta(hours=1)), ZONE, "2026-10-25"),
    *(pathlib.PurePosixPath("a"), pathlib.PurePosixPath("a/b"), pathlib.PurePosixPath("/a"), pathlib.PurePosixPath("../a"), MyPath("a")),
    # numpy: a scalar is no number, an array of one is no scalar, a dtype counts
    *(np.float64(1), np.float32(1), np.float16(1), np.int64(1), np.int32(1), np.uint8(1), np.bool_(True), np.complex128(1), np.longlong(2)),
    *(np.str_("1"), np.str_(""), np.bytes_(b"1"), np.bytes_(b""), np.void(b"1"), np.datetime64("2026"), np.datetime64("2026-01")),
    *(np.datetime64("NaT", "s"), np.timedelta64(1, "s"), np.timedelta64(1, "ms"), np.float64(-0.0), np.float64(0.0), np.float64("nan")),
    *(np.array(1.0), np.array([1.0]), np.array([[1.0]]), np.array([1.0], "f4"), np.array([1.0], ">f8"), np.array([1]), np.array([True])),
    *(
        np.zeros(0),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.zeros(0, "f4"),
        np.array([1.0, 2.0]),
        np.array([2.0, 1.0]),
        np.array([[1.0, 2.0]]),
    ),
    *(
        np.array([[1.0], [2.0]]),
        np.array([0.0]),
        np.array([-0.0]),
        np.array([math.nan]),
        np.array(["a"]),
        np.array(["a"], "U2"),
        np.array([b"a"]),
    ),
    *(np.array(["2026"], "M8[D]"), np.array(["2026"], "M8[s]"), np.array([1], "m8[s]"), np.array([1 + 0j]), np.array([b"1"], "V8")),
    *(np.array([1.0], object), np.array([1], object), np.array([[1]], object), np.array([None], object), np.zeros(0, object)),
    *(np.zeros(1, PAIRED), np.zeros(1, [("a", "i4"), ("b", "f8")]), np.zeros(1, [("b", "i4"), ("a", "f8")]), np.zeros(1, [("a", "i4")])),
    *(
        np.zeros(1, [("a", "f8", (2,))]),
        np.zeros(1, [("a", "f8", (2, 1))]),
        np.zeros(1, []),
        np.zeros((), PAIRED)[()],
        np.zeros(1, (np.record, [("a", "i4")])),
        np.zeros(1, [(("t", "a"), "i4")]),
    ),
    *(np.array(["a"], np.dtypes.StringDType()), np.array(["a"], np.dtypes.StringDType(na_object=None))),
    *(np.array([None], np.dtypes.StringDType(na_object=None)), np.array(["a"], np.dtypes.StringDType(coerce=False))),
    *(
        np.ma.masked_array([1, 2], [False, True]),
        np.ma.masked_array([1, 3], [False, True]),
        np.ma.masked_array([1, 2], [True, False]),
        np.array([1, 2]),
    ),
    *(
        np.ma.masked_array([1, 2]),
        np.ma.masked_array([1, 2], fill_value=7),
        np.dtype("f8"),
        np.dtype(">f8"),
        np.dtype("f4"),
        np.dtype("M8[s]"),
    ),
    *(PAIRED, np.dtype(("f8", (2,))), np.dtype([("a", "f8")]), np.sin, np.cos),
    # classes and instances, never confused with what they are built upon
    *(
        Colour.RED,
        Colour.GREEN,
        Level.LOW,
        Word.RED,
        "red",
        Access.READ,
        Access.WRITE,
        Access.READ | Access.WRITE,
        Access(0),
        Colour,
        Level,
    ),
    *(Point(1.0), Point(1.0, 2.0), Point(1, 0), Labelled(1.0), (1.0, 0.0), with_attribute(Labelled(1.0), noted=1)),
    *(
        Road(1.0),
        Road(1.0, 3),
        Road(1),
        with_attribute(Road(1.0), noted=1),
        Node("a"),
        Node("a", (Road(1.0),)),
        Node("a", note="b"),
        Late(1),
    ),
    *(Area(1.0), Area(2.0), Box(1), Box(1.0), Bag("a"), Bag("b"), Road, Node, int, float, list),
    *(Model(), Model(density=0.2125), Model(name="x"), Model(roads=[1]), Model(roads=[1.0]), Model(roads=[Model()]), Open(), Open(a=2)),
    *(
        Open.model_validate({"b": 1}),
        Open.model_validate({"b": 2}),
        with_attribute(Model(), noted=1),
        Sized(),
        Tagged(),
        Tagged(b=0),
        Model,
    ),
    *(Plain(), Plain(a=1), Plain(a=2), Plain(b=1), Plain(a=1, b=1), Slotted(1, 2), Slotted(2, 1), SlottedChild(1, 2)),
    *(Named("a"), Named("b"), Named(Named("a")), MyDict(), MyDict(a=1), with_attribute(MyDict(), a=1), MyList([1]), MyList([2]), MyInt(1)),
    *(MyStr("a"), MyStr("b"), MyOrdered(a=1, b=2), MyOrdered(b=2, a=1), types.SimpleNamespace(a=1), argparse.Namespace(a=1)),
    # code
    *(plain_function, len, math.sin, str.upper, "a".upper, "b".upper, dict.fromkeys, (1).__add__, Named("a").method, Named("b").method),
    *(functools.partial(len), functools.partial(anything, 1), functools.partial(math.sin, 1), functools.partial(anything, a=1)),
    *(functools.partial(anything, functools.partial(len)), Named.method),
]

SAME: list[tuple[str, object, object]] = [
    ("order of a dict", {"a": 1, "b": 2, 3: 4}, {3: 4, "b": 2, "a": 1}),
    ("order of NaN keys", {math.nan: 1, nan_with(0): 2}, {nan_with(0): 2, math.nan: 1}),
    ("order of a set", set(map(str, range(50))), set(map(str, range(49, -1, -1)))),
    ("order of a frozenset", frozenset(range(100, 0, -7)), frozenset(range(2, 101, 7))),
    ("order of a model's extras", Open.model_validate({"b": 1, "c": 2}), Open.model_validate({"c": 2, "b": 1})),
    ("order of attributes", Plain(a=1, b=2), Plain(b=2, a=1)),
    ("order of a default dict", collections.defaultdict(int, a=1, b=2), collections.defaultdict(int, b=2, a=1)),
    ("a long int", int("9" * 4000), 10**4000 - 1),
    ("a text made of parts", "scenario", str(b"scenario", "ascii")),
    ("path and pure path", pathlib.Path("a/b"), pathlib.PurePath("a/b")),
    ("separators", pathlib.PureWindowsPath("a\\b\\c"), pathlib.PurePosixPath("a/b/c")),
    ("one pattern", re.compile("a+"), re.compile("a+")),
    ("one zone", dt.UTC, dt.timezone(dt.timedelta(0))),
    ("a memoryview's stride", memoryview(b"abcd")[::2], memoryview(b"ac")),
    ("a default left out", Road(1.0), Road(1.0, 2)),
    ("a default that is not assigned", Late(1), with_attribute(Late(1), b=3)),
    ("a model's default left out", Model(), Model(density=0.175, name="ring")),
    ("a model made in another way", Model(density=0.2), Model.model_construct(name="ring", density=0.2, roads=[])),
    ("an unused cache of a class", Area(3.0), used(Area(3.0))),
    ("an unused cache of a model", Sized(side=3.0), used(Sized(side=3.0))),
    ("a subscripted class", Box(1), Box[int](1)),
    ("what a key leaves out", Named("a", noise=1), Named("a", noise=threading.Lock())),
    ("a new optional field", Tagged(), Tagged(b=None)),
    ("alias of a member", Colour.RED, Colour.CRIMSON),
    ("combined flags", Access.READ | Access.WRITE, Access(3)),
    ("a typed dict", Options(n=1), {"n": 1}),
    ("dtype names", np.zeros(2, "i8"), np.zeros(2, np.longlong if np.longlong(0).itemsize == 8 else np.int64)),
    ("dtype with metadata", np.zeros(2), np.zeros(2, np.dtype("f8", metadata={"unit": "m"}))),
    ("a view", np.arange(10)[2:5], np.array([2, 3, 4])),
    ("a read-only array", np.arange(3), read_only(np.arange(3))),
    ("backwards", np.arange(3)[::-1], np.array([2, 1, 0])),
    ("broadcast", np.broadcast_to(np.arange(3), (2, 3)), np.array([[0, 1, 2], [0, 1, 2]])),
    ("zero-size strides", np.zeros((4, 0, 3)).T, np.zeros((3, 0, 4))),
    ("no mask", np.ma.masked_array([1, 2]), np.ma.masked_array([1, 2], mask=[False, False])),
    ("an object array's order", np.array([[1, "a"], [None, 2]], object), np.asfortranarray(np.array([[1, "a"], [None, 2]], object))),
]

REFUSED: list[tuple[object, str, str]] = [
    ((x for x in [1]), "value", "pass a list"),
    (iter([1]), "value", "pass a list"),
    (itertools.count(), "value", "pass a list"),
    (map(str, []), "value", "pass a list"),
    (threading.Lock(), "value", "ignore="),
    (threading.local(), "value", "__cache_key__"),
    (object(), "value", "__cache_key__"),
    (np, "value", "module"),
    ([math], "value[0]", "module"),
    (io.StringIO("x"), "value", "File(path)"),
    (io.BytesIO(b"x"), "value", "File(path)"),
    (random.Random(1), "value", "seed"),
    (np.random.default_rng(1), "value", "seed"),
    (np.random.RandomState(1), "value", "seed"),
    (Failure("x"), "value", "cannot be seen"),
    (memoryview(b"12345678").cast("d"), "value", "numpy array"),
    (weakref.ref(Plain), "value", "__cache_key__"),
    ({}.keys(), "value", "__cache_key__"),
    (np.zeros((1, 1)).view(np.matrix), "value", "np.asarray"),
    (np.ma.masked, "value", "np.asarray"),
    (np.zeros(1).view(Subarray), "value", "np.asarray"),
    (np.rec.array([(1,)], dtype=[("a", int)]), "value", "np.asarray"),
    (np.zeros(1, np.longdouble), "value", "float64"),
    (np.longdouble(1), "value", "float64"),
    (np.zeros(1, [("a", "f8"), ("b", np.clongdouble)]), "value", "complex128"),
    (np.frompyfunc(plain_function, 0, 1), "value", "ufunc"),
    (np.array([1, [threading.Lock()]], object), "value[1][0]", "ignore="),
    (np.array([[1, 2], [3, math]], object), "value[1, 1]", "module"),
    (np.array([(1, math)], [("a", "i4"), ("b", object)]), "value['b'][0]", "module"),
    (with_attribute(functools.partial(len), noted=1), "value", "attributes"),
    ([1, (2, {"a": [math]})], "value[1][1]['a'][0]", "module"),
    ({"a b": {3: math}}, "value['a b'][3]", "module"),
    ({Named(1): math}, "value[a Named]", "module"),
    ({Named(math): 1}, "value[a key].__cache_key__()", "module"),
    ({frozenset({Named(math)})}, "value{a member}{a member}.__cache_key__()", "module"),
    ({"x" * 100: math}, f"value['{'x' * 58}…]", "module"),
    (Road(Plain(a=Slotted(1, [math]))), "value.length.a._Slotted__private[0]", "module"),  # type: ignore[arg-type]
    (Node("a", (Road(1.0), Road(1.0, math))), "value.roads[1].lanes", "module"),  # type: ignore[arg-type]
    (Model(roads=[0, 1, 2, Plain(callback=math)]), "value.roads[3].callback", "module"),
    (Open.model_validate({"b": [math]}), "value.b[0]", "module"),
    (Point(1.0, math), "value.y", "module"),  # type: ignore[arg-type]
    (Named([math]), "value.__cache_key__()[0]", "module"),
    (MyDict(a=math), "value['a']", "module"),
    (collections.deque([1, math]), "value[1]", "module"),
    (collections.OrderedDict(a=math), "value['a']", "module"),
    (functools.partial(anything, math), "value.args[0]", "module"),
    (functools.partial(anything, a=math), "value.keywords['a']", "module"),
    (Named(math).method, "value.__self__.__cache_key__()", "module"),
    ([math].append, "value.__self__[0]", "module"),
    (types.SimpleNamespace(a=math), "value.a", "module"),
    (argparse.Namespace(a=math), "value.a", "module"),
    (slice(None, math), "value.stop", "module"),
    (types.MappingProxyType({"a": math}), "value['a']", "module"),
    (tuple.__new__(Point, (1, 2, 3)), "value", "3 items for 2 names"),
    (list[int], "value", "__cache_key__"),
]


def test_no_two_different_values_share_a_form() -> None:
    """All values of the table have forms of their own, and none is the beginning of another."""
    forms = sorted((form(value), position) for position, value in enumerate(DIFFERENT))

    confused = [(DIFFERENT[a], DIFFERENT[b]) for (one, a), (two, b) in itertools.pairwise(forms) if two.startswith(one)]

    assert confused == []


@pytest.mark.parametrize(("one", "two"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_how_a_value_was_made_does_not_count(one: object, two: object) -> None:
    """Order of insertion, layout in memory and defaults left out give one form."""
    assert form(one) == form(two)


@pytest.mark.parametrize(("value", "path", "word"), REFUSED, ids=[f"{path}-{word}-{n}" for n, (_, path, word) in enumerate(REFUSED)])
def test_what_has_no_form_is_refused_with_its_path(value: object, path: str, word: str) -> None:
    """The error names the very part that cannot be keyed, and what to do about it."""
    with pytest.raises(Unkeyable) as caught:
        form(value)

    assert (caught.value.path, word in caught.value.reason) == (path, True), caught.value


def test_coroutines_and_open_files_are_refused(tmp_path: pathlib.Path) -> None:
    """What is used up or changes under the hand has no form."""

    async def nothing() -> None:
        pass

    started = nothing()
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(Unkeyable, match="uses it up"):
        form(started)
    started.close()
    with (tmp_path / "file").open("rb") as file, pytest.raises(Unkeyable, match=r"File\(path\)"):
        form(file)


def test_the_path_begins_with_the_name_of_the_argument() -> None:
    """`scenario.roads[3].callback`, as a person would write it."""
    scenario = Model(roads=[0, 1, 2, Plain(callback=threading.Lock())])

    with pytest.raises(Unkeyable) as caught:
        canonical_arguments({"n": 1, "scenario": scenario}, version)

    assert caught.value.path == "scenario.roads[3].callback"


def circle(make: type[Any]) -> Any:
    made: Any = make()
    if isinstance(made, dict):
        made["again"] = [made]
    elif isinstance(made, list):
        made.append({"again": made})
    else:
        made.again = [made]
    return made


@pytest.mark.parametrize("make", [dict, list, MyDict, collections.OrderedDict, Plain, types.SimpleNamespace, Open])
def test_a_value_that_contains_itself_is_refused(make: type[Any]) -> None:
    """Its path goes round once, and the message says where it began."""
    with pytest.raises(Unkeyable, match="contains itself") as caught:
        form([0, circle(make)])

    assert caught.value.path in {"value[1]['again'][0]", "value[1][0]['again']", "value[1].again[0]"}, caught.value
    assert "value[1] again" in caught.value.reason


def nested(levels: int, wrap: abc.Callable[[Any], Any]) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = wrap(value)
    return value


WRAPS: list[abc.Callable[[Any], Any]] = [
    *(lambda v: [v], lambda v: (v,), lambda v: {0: v}, lambda v: frozenset({v}), Box, lambda v: Plain(a=v), Named),
    *(lambda v: functools.partial(anything, v), lambda v: MyList([v]), slice, lambda v: np.array([v, None], object)),
    *(lambda v: Open.model_construct(a=v), lambda v: Slotted(v, 0), Point),
]


@pytest.mark.parametrize("wrap", WRAPS)
def test_very_deep_nesting_is_refused(wrap: abc.Callable[[Any], Any]) -> None:
    """Every type that holds others counts its level."""
    with pytest.raises(Unkeyable, match=f"nested more than {DEEPEST} levels"):
        form(nested(DEEPEST + 5, wrap))


def test_endless_nesting_is_refused() -> None:
    """Never a RecursionError, however deep."""
    value = nested(20_000, lambda v: [v])

    with pytest.raises(Unkeyable, match="nested"):
        form(value)


def test_of_two_slots_with_one_name_the_visible_one_counts() -> None:
    """The base's slot is out of reach once a derived class has taken its name."""
    one, two = Shadowing(1, 0), Shadowing(2, 0)
    for each in (one, two):
        Slotted.__dict__["a"].__set__(each, "hidden")

    assert form(one) != form(two)


def test_a_wrapper_is_its_state_and_the_function_inside() -> None:
    """What `functools.update_wrapper` copies does not count, as documentation may change; a name of one's own does."""
    plain, documented = Plain(factor=2), Plain(factor=2)
    for wrapper in (plain, documented):
        functools.update_wrapper(wrapper, plain_function)  # type: ignore[arg-type]
    documented.__doc__ = "Explained at last."

    assert form(plain) == form(documented)
    assert form(Plain(__name__="a")) != form(Plain(__name__="b"))


def test_a_hundred_levels_are_fine() -> None:
    """Real data nests less than this."""
    assert form(nested(100, lambda v: [{"a": v}])) == form(nested(100, lambda v: [{"a": v}]))


def test_a_caller_near_the_recursion_limit_gets_a_sentence() -> None:
    """What is left of the stack may be less than the nesting."""

    def dig(levels: int) -> str:
        if levels:
            return dig(levels - 1)
        try:
            form(nested(150, lambda v: [v]))
        except Unkeyable as refused:
            return refused.reason
        return "no refusal"

    frames, frame = 0, sys._getframe()
    while frame.f_back is not None:
        frames, frame = frames + 1, frame.f_back

    assert "call stack" in dig(sys.getrecursionlimit() - frames - 60)


# --- properties -----------------------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(width=64),
    st.sampled_from([0.0, -0.0, 1.0, math.nan, nan_with(1)]),
    st.text(st.characters(exclude_categories=()), max_size=3),
    st.binary(max_size=3),
    st.complex_numbers(),
    st.decimals(allow_nan=False),
    st.datetimes(timezones=st.sampled_from([None, dt.UTC, dt.timezone(dt.timedelta(hours=1))])),
    st.builds(np.float64, st.sampled_from([0.0, 1.0])),
    st.builds(np.int64, st.integers(0, 2)),
    st.sampled_from([Colour.RED, Level.LOW, Access.READ]),
    st.uuids(),
)
HASHABLE = st.recursive(LEAVES, lambda inner: st.tuples(inner) | st.tuples(inner, inner) | st.frozensets(inner, max_size=2), max_leaves=4)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(HASHABLE, inner, max_size=3),
        st.builds(Road, inner, inner),
        st.builds(Box, inner),
        st.builds(Point, inner, inner),
        st.builds(lambda roads: Model(roads=roads), st.lists(inner, max_size=2)),
        st.builds(lambda a, b: Plain(a=a, b=b), inner, inner),
        st.sets(HASHABLE, max_size=3),
    ),
    max_leaves=8,
)


def spelled(value: Any) -> Any:
    """A second, slow and plain way to tell values apart: nested tuples that Python compares."""
    kind = type(value).__qualname__
    if isinstance(value, float):
        return kind, struct.pack("<d", value)
    if isinstance(value, complex):
        return kind, struct.pack("<dd", value.real, value.imag)
    if isinstance(value, enum.Enum):
        return kind, value.name
    if isinstance(value, (list, tuple)):
        return kind, tuple(map(spelled, value))
    if isinstance(value, (set, frozenset)):
        return kind, tuple(sorted(map(repr, map(spelled, value))))
    if isinstance(value, dict):
        return kind, tuple(sorted(repr((spelled(key), spelled(item))) for key, item in value.items()))
    if isinstance(value, (Road, Box, Model, Plain)):
        return kind, spelled(vars(value))
    if isinstance(value, dt.datetime):
        return kind, value.isoformat(), value.fold
    return kind, repr(value)


def bits(values: list[Any]) -> list[str]:
    return [repr(spelled(value)) for value in values]


@given(VALUES, VALUES)
def test_forms_are_equal_exactly_if_the_values_are(one: Any, two: Any) -> None:
    """One form for one value, another for any other; no form is the beginning of another."""
    same = bits([one]) == bits([two])

    assert (form(one) == form(two)) is same
    assert same or not form(one).startswith(form(two))


@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=4))
def test_where_one_value_ends_cannot_be_confused(one: list[Any], two: list[Any]) -> None:
    """Forms stand one after the other and can still be told apart: no boundary can be shifted."""
    joined = [b"".join(map(form, values)) for values in (one, two)]

    assert (joined[0] == joined[1]) is (bits(one) == bits(two))


@given(VALUES)
def test_a_copy_has_the_same_form(value: Any) -> None:
    """Identity, shared parts and interned texts do not count."""
    assert form(copy.deepcopy(value)) == form(value)
    assert form([value, value]) == form([value, copy.deepcopy(value)])


@given(st.lists(st.tuples(HASHABLE, VALUES), max_size=6), st.randoms(use_true_random=False))
def test_order_of_insertion_does_not_count(pairs: list[tuple[Any, Any]], chance: random.Random) -> None:
    """Dicts, sets and arguments by name are the same in any order."""
    held = dict(pairs)
    mixed = list(held.items())
    chance.shuffle(mixed)

    assert form(dict(mixed)) == form(held)
    assert form(dict(mixed).keys() | set()) == form(set(held))
    assert canonical_arguments({repr(key): item for key, item in mixed}, version) == canonical_arguments(
        {repr(key): item for key, item in held.items()}, version
    )


@given(st.integers())
def test_every_int_is_another(number: int) -> None:
    """Neighbours and numbers that share their lowest bits differ."""
    others = {number + 1, -number - 1, number ^ (1 << 63), number ^ (1 << 64), number << 8}

    assert form(number) not in {form(other) for other in others - {number}}


@given(st.text(st.characters(exclude_categories=()), max_size=8), st.text(st.characters(exclude_categories=()), max_size=8))
def test_every_text_is_another(one: str, two: str) -> None:
    """Also with lone surrogates, which cannot be encoded otherwise."""
    assert (form(one) == form(two)) is (one == two)


DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.unicode_string_dtypes(endianness="?", max_len=4),
    hnp.byte_string_dtypes(max_len=4),
)
ARRAYS = hnp.arrays(DTYPES | hnp.array_dtypes(DTYPES, max_size=3), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


@given(ARRAYS, st.randoms(use_true_random=False))
def test_layout_in_memory_does_not_count(held: Any, chance: random.Random) -> None:
    """C order, Fortran order, transposed, backwards, strided and unaligned copies of one array have one form."""
    want = form(np.array(held, order="C"))
    axes = list(range(held.ndim))
    chance.shuffle(axes)
    turned = np.array(held.transpose(axes), order="C").transpose(np.argsort(axes)) if axes else held
    room: Any = np.zeros([2 * side + 1 for side in held.shape], held.dtype)
    strided = room[(..., *(slice(1, 2 * side + 1, 2) for side in held.shape))]
    strided[...] = held
    reverse: Any = (..., *(slice(None, None, -1) for _ in held.shape))
    backwards = np.array(held[reverse], order="C")[reverse]
    unaligned = np.frombuffer(b"x" + held.tobytes(), held.dtype, held.size, 1).reshape(held.shape) if held.nbytes else held

    assert [form(each) for each in (held, np.array(held, order="F"), turned, strided, backwards, unaligned)] == [want] * 6


@given(ARRAYS, ARRAYS)
def test_arrays_are_equal_exactly_if_all_of_them_is(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any]) -> None:
    """Dtype, shape and bits decide, nothing else."""
    same = (one.dtype.descr, one.shape, one.tobytes()) == (two.dtype.descr, two.shape, two.tobytes())

    assert (form(one) == form(two)) is same


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3), elements=st.floats(width=64)), st.data())
def test_one_flipped_bit_is_another_array(held: np.ndarray[Any, Any], data: st.DataObject) -> None:
    """Every bit of every element counts, also the sign of a zero and the payload of a NaN."""
    raw = bytearray(held.tobytes())
    place = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[place // 8] ^= 1 << place % 8

    assert form(np.frombuffer(bytes(raw)).reshape(held.shape)) != form(held)


# --- arrays ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f8", ">f8", "f4", "U3", "M8[s]", "c16", [("a", "i4"), ("b", "f8", (2,))]])
def test_large_arrays_in_any_order_have_one_form(dtype: Any) -> None:
    """Also where an array is read in several pieces."""
    count = 3 * PIECE // np.dtype(dtype).itemsize // 7 * 7
    held = np.frombuffer(np.random.default_rng(0).bytes(count * np.dtype("f8").itemsize), "u8").astype("u1").astype(bool).astype("i8")
    held = np.resize(held, count).astype(dtype) if not isinstance(dtype, list) else np.zeros(count, dtype)
    if isinstance(dtype, list):
        held["a"] = np.arange(count)
    held = held.reshape(7, -1)

    assert {form(np.asfortranarray(held)), form(np.repeat(held, 2, axis=1)[:, ::2]), form(held.T.copy().T)} == {form(held)}


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_not_copied(order: Any) -> None:
    """In C order not a byte of it, in any other order a piece at a time."""
    held = np.ones((2048, 2048), order=order)
    form(held[:2, :2])

    tracemalloc.start()
    try:
        form(held)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < (100_000 if order == "C" else 3 * PIECE)


def test_bytes_between_the_fields_do_not_count() -> None:
    """Padding holds whatever was in memory before."""
    ones, zeros = (np.frombuffer(bytearray([fill]) * 32, PAIRED) for fill in (1, 0))
    for name in ("a", "b"):
        ones[name] = zeros[name]

    assert ones.data != zeros.data
    assert form(ones) == form(zeros)
    assert form(ones[0]) == form(zeros[0])


def test_a_memory_map_is_an_array(tmp_path: pathlib.Path) -> None:
    """Where the numbers lie is no part of them."""
    held = np.arange(1000.0)
    held.tofile(tmp_path / "numbers")

    assert form(np.memmap(tmp_path / "numbers", mode="r")) == form(np.frombuffer((tmp_path / "numbers").read_bytes(), "u1"))
    assert form(np.memmap(tmp_path / "numbers", float, "r")) == form(held)


def test_an_array_type_may_say_its_key() -> None:
    """`__cache_key__` is asked before an array subclass is refused."""
    assert form(np.ones(2).view(KeyedSubarray)) != form(np.ones(2))


# --- classes and code -----------------------------------------------------------------------------------------------


def test_each_class_is_asked_for_its_code_once() -> None:
    """However many instances the arguments hold."""
    asked: list[object] = []

    def note(thing: object) -> str:
        asked.append(thing)
        return "1"

    canonical_arguments({"a": [Road(1.0), Road(2.0), Node("x", (Road(3.0),))], "b": Road(4.0), "c": {"k": Model()}, "d": Colour.RED}, note)

    assert sorted(asked, key=repr) == sorted([Road, Node, Model, Colour], key=repr)


INSTANCES = [
    *(
        Road(1.0),
        Node("a"),
        Model(),
        Open(),
        Point(1.0),
        Colour.RED,
        Access.READ,
        Plain(a=1),
        Slotted(1, 2),
        Named("a"),
        Tagged(),
        MyDict(),
    ),
    *(plain_function, Named("a").method, Road, functools.partial(plain_function)),
]


@pytest.mark.parametrize("value", INSTANCES, ids=lambda value: type(value).__name__)
def test_the_code_of_a_class_counts(value: object) -> None:
    """A method or a validator that changed can change a result."""
    assert canonical(value, code_version=lambda _: "1") != canonical(value, code_version=lambda _: "2")


def test_without_code_versions_functions_are_refused_and_instances_named() -> None:
    """A constant in source can be compared without anybody who reads code; a function cannot."""
    for code in (plain_function, Road, len, lambda: 1, functools.partial(len)):
        with pytest.raises(Unkeyable, match="its version is not known"):
            canonical(code)

    assert canonical(Road(1.0)) == canonical(Road(1.0)) != canonical(Road(2.0))


def test_a_function_that_the_hook_refuses_is_named_by_its_path() -> None:
    """The reason is the hook's, the path is ours."""

    def refuse(thing: object) -> str:
        raise Unkeyable("elsewhere", f"no source for {thing!r}")

    with pytest.raises(Unkeyable) as caught:
        canonical_arguments({"scenario": {"roads": [plain_function]}}, refuse)

    assert (caught.value.path, caught.value.reason) == ("scenario['roads'][0]", f"no source for {plain_function!r}")


def test_a_compiled_function_is_code() -> None:
    """The dispatchers of numba are keyed by the function inside, through the same hook."""
    numba = pytest.importorskip("numba")
    compiled = numba.njit(plain_function)

    assert canonical(compiled, code_version=lambda _: "1") != canonical(compiled, code_version=lambda _: "2")


def test_the_main_script_has_one_name_in_child_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spawned child of multiprocessing calls it `__mp_main__`; in a notebook an installed file started it."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/lib/site-packages/starter.py", raising=False)
    made = [type("Config", (), {"__module__": name})() for name in ("__main__", "__mp_main__")]

    assert form(made[0]) == form(made[1])


def test_a_class_that_is_gone_is_forgotten() -> None:
    """Classes made in a loop or a notebook are not kept alive by having been keyed."""
    made = dataclasses.make_dataclass("Made", [("a", int)])
    form([made(1), made])
    gone = weakref.ref(made)

    del made
    gc.collect()

    assert gone() is None


def test_types_that_differ_only_in_their_module_differ() -> None:
    """Two classes `Road` of two modules are two classes."""
    one, two = (type("Twin", (), {"__module__": name}) for name in ("first", "second"))

    assert canonical(one()) != canonical(two())


def test_a_decimal_does_not_follow_the_context() -> None:
    """Contexts change how a decimal is printed, not what it is."""
    number = decimal.Decimal("1E+50")
    want = form(number)

    with decimal.localcontext(decimal.Context(prec=3, capitals=0)):
        assert form(number) == want


def test_a_named_zone_counts() -> None:
    """The same fields and offset in a zone with other rules are another value."""
    pytest.importorskip("tzdata" if sys.platform == "win32" else "zoneinfo")
    zones = [zone for zone in ("Europe/Paris", "Africa/Algiers") if zone in zoneinfo.available_timezones()]
    if len(zones) < 2:
        pytest.skip("this machine has no time zones")
    winter = [dt.datetime(2026, 1, 5, 12, tzinfo=zoneinfo.ZoneInfo(zone)) for zone in zones]

    assert winter[0].utcoffset() == winter[1].utcoffset()
    assert form(winter[0]) != form(winter[1])


def test_a_pickled_value_has_the_same_form() -> None:
    """A value that was shipped to a worker is the same value."""
    values = [Road(1.0), Node("a", (Road(1.0),)), Model(density=0.2), Open(), Point(1.0), Colour.RED, Slotted(1, 2).a, np.ones(3).T, PAIRED]

    assert [form(pickle.loads(pickle.dumps(value))) for value in values] == [form(value) for value in values]


def test_tensors_have_forms() -> None:
    """By dtype, shape and numbers, where torch is loaded; strides do not count, requires_grad does."""
    torch = pytest.importorskip("torch")
    held = torch.arange(6.0).reshape(2, 3)
    different = [
        *(held, held.double(), held.reshape(3, 2), held + 1, torch.nn.Parameter(held), held.clone().requires_grad_(), held.bfloat16()),
        *(held.half(), torch.tensor(1.0), torch.tensor([1.0]), torch.zeros(0), torch.zeros(0, 3), held.bool(), torch.complex(held, held)),
        *(torch.complex(held, held).conj(), torch.float32, torch.device("cpu"), torch.Size([1, 2]), (1, 2), held.numpy()),
    ]

    assert len({form(value) for value in different}) == len(different)
    assert form(held.t().contiguous().t()) == form(held)
    for value in (held.to_sparse(), torch.zeros(2, device="meta")):
        with pytest.raises(Unkeyable, match="no form"):
            form(value)


def test_operators_and_getters_are_refused_or_named() -> None:
    """Small callables of the library hide what they hold, so they are never keyed by name alone."""
    with pytest.raises(Unkeyable):
        form(operator.itemgetter(1))
    assert form(operator.add) != form(operator.sub)


def test_a_plain_call_loads_nothing_heavy() -> None:
    """A hit without arrays must not pay for numpy, pydantic or torch."""
    heavy = (
        "numpy",
        "pydantic",
        "torch",
        "dataclasses",
        "pathlib",
        "decimal",
        "simcache.identity.forms.arrays",
        "simcache.identity.forms.tensors",
    )
    # model.py, which every key passes, needs dataclasses itself; here only what the canonical form loads is of interest.
    code = f"""
import sys
from simcache.identity.forms.canonical import canonical
class Plain: pass
canonical([1, "a", 2.0, {{"a": (None, b"x")}}, {{1}}, range(3), Plain()])
print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=pathlib.Path(__file__).parents[2])

    assert done.stdout.strip() == "[]"


def test_a_variable_of_the_context_is_what_it_stands_for() -> None:
    unset, step = contextvars.ContextVar[int]("step"), contextvars.ContextVar("step", default=2)
    elsewhere = contextvars.copy_context()
    elsewhere.run(step.set, 3)
    forms = [form(unset), form(step), elsewhere.run(form, step), form(contextvars.ContextVar("stop", default=2))]

    assert len({*forms}) == 4
    assert form(contextvars.ContextVar("step", default=2)) == form(step)

"""The values whose keys are golden, each as an expression; run it to see their keys, to add rows, or to change them.

    python -m tests.simcache.golden.rows              prints {expression: key}
    python -m tests.simcache.golden.rows --add        adds the keys of new rows to keys.json
    python -m tests.simcache.golden.rows --replace    writes all keys anew: a decision, see test_keys_golden.py

It needs nothing but numpy and xxhash; rows with pydantic are left out where there is none. The classes say that they
belong to a module `golden`, as the name of this file is no promise.
"""

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import importlib.util
import json
import math
import pathlib
import re
import struct
import sys
import types
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simcache.identity.key import make_key

KEYS = Path(__file__).with_name("keys.json")


class Colour(enum.Enum):
    """One of a few."""

    __module__ = "golden"
    RED = 1
    GREEN = "g"


class Access(enum.Flag):
    """Some of a few."""

    __module__ = "golden"
    READ = 1
    WRITE = 2


class Level(enum.IntEnum):
    """An int as well."""

    __module__ = "golden"
    LOW = 1


class Point(NamedTuple):
    """A tuple with names."""

    x: float
    y: float = 0.0


Point.__module__ = "golden"


@dataclasses.dataclass
class Road:
    """A plain dataclass."""

    __module__ = "golden"
    length: float
    lanes: int = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A frozen one with slots."""

    __module__ = "golden"
    name: str
    roads: tuple[Road, ...] = ()


class Plain:
    """Any attributes."""

    __module__ = "golden"

    def __init__(self, **held: object) -> None:
        vars(self).update(held)


class Named:
    """Says its key."""

    __module__ = "golden"

    def __init__(self, name: object) -> None:
        self.name = name

    def __cache_key__(self) -> object:
        return self.name


class MyDict(dict[Any, Any]):
    """A dict that is another type."""

    __module__ = "golden"


def function() -> None:
    """A function of the project."""


function.__module__ = "golden"
function.__qualname__ = "function"

NAMES: dict[str, Any] = {
    **{thing.__name__: thing for thing in (Colour, Access, Level, Point, Road, Node, Plain, Named, MyDict, function)},
    **{thing.__name__: thing for thing in (collections, math, re, struct, types)},
    "Date": dt.date,
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
    "Moment": dt.datetime,
    "PurePosixPath": pathlib.PurePosixPath,
    "PureWindowsPath": pathlib.PureWindowsPath,
    "UUID": uuid.UUID,
    "dt": dt,
    "np": np,
    "partial": functools.partial,
}
"""What the expressions may name."""

if importlib.util.find_spec("pydantic"):
    import pydantic

    class Scenario(pydantic.BaseModel, extra="allow"):
        """A model with everything a model can hold."""

        __module__ = "golden"
        density: float = 0.175
        name: str = "ring"
        roads: list[Any] = []
        _seen: int = pydantic.PrivateAttr(default=0)

    NAMES["Scenario"] = Scenario

EXPRESSIONS = r"""
None
...
True
False
0
1
-1
2**63 - 1
2**63
-2**63 - 1
10**400
0.0
-0.0
1.0
0.1
5e-324
math.inf
-math.inf
math.nan
struct.unpack('<d', struct.pack('<Q', 0xfff8000000000001))[0]
1j
complex(-0.0, 2.5)
''
'a'
'ä€😀'
'\ud800'
'\x00'
b''
b'bytes'
bytes(100_000)
bytearray(b'bytes')
memoryview(b'bytes')
[]
()
{}
set()
frozenset()
[1, 2.0, '3', None, [True]]
(1, (2, (3,)))
{'b': 1, 'a': [2], 3: {4: 5}, None: (), (1, 2): 0.5}
{'x', 'y', 'z', 1, 2.5, None, (1,)}
frozenset({frozenset({1}), frozenset({2})})
range(2, 40, 3)
slice(None, 5, -1)
collections.OrderedDict(b=1, a=2)
collections.defaultdict(int, a=1)
collections.Counter('abracadabra')
collections.deque([1, 2], maxlen=3)
types.MappingProxyType({'a': 1})
types.SimpleNamespace(b=1, a=2)
Date(2026, 11, 20)
Moment(2026, 11, 20, 23, 5, 1, 250)
Moment(2026, 11, 20, 23, 5, tzinfo=dt.timezone.utc)
Moment(2026, 11, 20, 23, 5, fold=1, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30), 'X'))
dt.time(23, 5)
dt.timedelta(days=-1, microseconds=7)
dt.timezone.utc
Decimal('0.2125')
Decimal('-1.50E+7')
Decimal('NaN')
Fraction(-3, 7)
UUID('12345678-1234-5678-1234-567812345678')
PurePosixPath('data/map.osm')
PureWindowsPath('data\\map.osm')
re.compile('a+', re.IGNORECASE)
np.float64(1.5)
np.float32(1.5)
np.int64(-7)
np.uint8(200)
np.bool_(True)
np.complex128(1 + 2j)
np.str_('text')
np.bytes_(b'text')
np.datetime64('2026-11-20T23:05', 's')
np.timedelta64(3, 'ms')
np.array(2.5)
np.zeros(0)
np.arange(12.0).reshape(3, 4)
np.asfortranarray(np.arange(12.0).reshape(3, 4))
np.arange(24, dtype='i4')[::-2]
np.arange(6, dtype='>f8')
np.arange(6, dtype='f4').reshape(1, 2, 3).T
np.array([True, False])
np.array(['a', 'bcd'])
np.array([b'a', b'bcd'])
np.array(['2026-11-20', 'NaT'], 'M8[D]')
np.array([0.0, -0.0, np.nan, np.inf])
np.array([1, 'a', None, [2.5]], object)
np.array([(1, 2.5), (3, 4.5)], np.dtype([('a', 'i4'), ('b', 'f8')], align=True))
np.array([(1, [2.5, 3.5])], [('a', 'u2'), ('b', '>f4', (2,))])
np.array(['a', 'long enough to live elsewhere'], np.dtypes.StringDType())
np.ma.masked_array([1.0, 2.0], mask=[False, True])
np.arange(300_000.0)
np.asfortranarray(np.arange(300_000.0).reshape(3, -1))
np.dtype('f8')
np.dtype([('a', 'i4'), ('b', 'f8')])
np.sin
Colour.RED
Colour.GREEN
Access.READ | Access.WRITE
Level.LOW
Point(1.0)
Road(500.0)
Node('n', (Road(1.0), Road(2.0, 3)))
Plain()
Plain(b=[1], a=Plain(c=None))
Named(('name', 3))
MyDict(a=1)
function
Road
int
len
math.sin
str.upper
'a'.upper
partial(function, 1, b=[2])
[1].append
Scenario()
Scenario(density=0.2125)
Scenario(roads=[Road(1.0), Scenario()], extra=np.arange(3))
""".strip().splitlines()


def version(thing: Any) -> str:
    """A code version that does not follow this file."""
    return f"version of {thing.__qualname__}"


def keys() -> dict[str, str]:
    """The key of each row that this machine can make."""
    rows = [text for text in EXPRESSIONS if "Scenario" in NAMES or "Scenario" not in text]
    return {text: make_key("golden:run", "0123456789abcdef" * 2, {"value": eval(text, NAMES), "seed": 0}, version) for text in rows}  # noqa: S307


def write(*, replace: bool) -> None:
    known = {} if replace or not KEYS.exists() else json.loads(KEYS.read_text("utf-8"))
    table = {text: known.get(text, key) for text, key in keys().items()}
    KEYS.write_text(json.dumps(table, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    if {"--add", "--replace"} & set(sys.argv):
        write(replace="--replace" in sys.argv)
    else:
        print(json.dumps(keys()))

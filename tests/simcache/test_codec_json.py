"""Plain data: what stays readable, what is tagged, and what is refused with its path."""

import io
import json
import struct
import sys
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from simcache.codecs import registry
from simcache.codecs.writing import MAX_DEPTH
from simcache.errors import Undecodable, Unstorable
from tests.simcache.makers import identical


def written(value: object) -> str:
    encoded = registry.encode(value, "json")
    return b"".join(bytes(chunk) for chunk in encoded.chunks).decode()


def read(text: str | bytes) -> Any:
    data = text.encode() if isinstance(text, str) else text
    return registry.decode({"codec": "json"}, memoryview(data))


READABLE = [
    (None, "null"),
    ({"a": [1, 2.5, True], "b": "✓"}, '{"a":[1,2.5,true],"b":"✓"}'),
    ({"b": 1, "a": 2}, '{"b":1,"a":2}'),
    ((1, 2), '{"$tuple":[1,2]}'),
    ({3, 1, 2}, '{"$set":[1,2,3]}'),
    (frozenset("ba"), '{"$frozenset":["a","b"]}'),
    ({1: "x"}, '{"$dict":[[1,"x"]]}'),
    ({"$tuple": [1]}, '{"$dict":[["$tuple",[1]]]}'),
    (float("inf"), '{"$float":"inf"}'),
    (float("nan"), '{"$float":"nan"}'),
    (-float("nan"), '{"$float":"fff8000000000000"}'),
    (-0.0, "-0.0"),
    (1e300, "1e+300"),
    (2**64, "18446744073709551616"),
    (b"\x00\xff", '{"$bytes":"AP8="}'),
    (1 + 2j, '{"$complex":[1.0,2.0]}'),
    (range(1, 9, 2), '{"$range":[1,9,2]}'),
    (slice(None, 3), '{"$slice":[null,3,null]}'),
    (datetime(2024, 1, 1, tzinfo=UTC), '{"$datetime":"2024-01-01T00:00:00+00:00"}'),
    (datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")), '{"$datetime":["2024-01-01T00:00:00",0,{"$zone":"UTC"}]}'),
    (timezone(timedelta(hours=1), "CET"), '{"$timezone":[{"$timedelta":[0,3600,0]},"CET"]}'),
    (Decimal("1.10"), '{"$decimal":"1.10"}'),
    (UUID(int=1), '{"$uuid":"00000000-0000-0000-0000-000000000001"}'),
    (Path("a") / "b", '{"$path":"a/b"}'),
    (np.float32(0.5), '{"$scalar":["<f4",0.5]}'),
    (np.bool_(True), '{"$scalar":["|b1",true]}'),
    (np.datetime64("2024-01-01"), '{"$scalar":["<M8[D]",{"$bytes":"C00AAAAAAAA="}]}'),
    ("\udcff", '{"$str":"7bO/"}'),
]


@pytest.mark.parametrize(("value", "text"), READABLE, ids=[text for _, text in READABLE])
def test_form(value: object, text: str) -> None:
    """The forms of version 1: a change here is another format."""
    assert text == written(value)
    assert identical(value, read(text))


def test_types_that_look_alike_stay_apart() -> None:
    """True is not 1 is not 1.0; a list is no tuple; a key keeps its type."""
    value = [1, True, 1.0, "1", np.int64(1), np.float64(1), (1,), [1], {1: 1, "1": 1, 1.5: 1}, b"1", bytearray(b"1"), {1}, frozenset({1})]

    assert identical(value, read(written(value)))


@pytest.mark.parametrize("bits", [1000, 2**14, 2**20])
def test_huge_ints(bits: int) -> None:
    """Numbers that Python refuses to write in decimal come back; ones of a thousand bits stay decimal."""
    for value in (1 << bits, -(1 << bits) - 1):
        assert value == read(written(value))
    assert (bits == 1000) == written(1 << bits).isdigit()


def test_an_object_held_twice_comes_back_as_two() -> None:
    """Sharing is no part of a value."""
    shared = [1]

    first, second = read(written([shared, shared]))

    assert first == second
    assert first is not second


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"k": v}, lambda v: (v,), lambda v: {1: v}, lambda v: frozenset([v])])
def test_depth(wrap: Callable[[Any], Any]) -> None:
    """As deep as is allowed comes back; one more is refused, as is any depth at all, without a RecursionError."""
    deep = nested(MAX_DEPTH, wrap)

    assert identical(deep, read(written(deep)))
    for depth in (MAX_DEPTH + 1, 900, 50_000 if wrap(0) != frozenset([0]) else 900):
        with pytest.raises(Unstorable, match="nested deeper"):
            written(nested(depth, wrap))


def test_little_stack_left() -> None:
    """Where the stack is nearly used up, a value is refused or not decoded, and nothing breaks."""
    text = written(nested(150, lambda v: (v,)))

    def down(left: int, action: Callable[[], object]) -> object:
        return action() if left == 0 else down(left - 1, action)

    frame, used = sys._getframe(), 0
    while frame.f_back is not None:
        frame, used = frame.f_back, used + 1
    room = sys.getrecursionlimit() - used - 60
    with pytest.raises(Unstorable, match="stack"):
        down(room, lambda: written(nested(100, lambda v: [v])))
    with suppress(Undecodable):  # from 3.12 on Python counts the steps of C apart, and reads it
        assert nested(150, lambda v: (v,)) == down(room, lambda: read(text))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"$tuple":[' * 50_000, "[" * 100_000 + "]" * 100_000])
def test_hostile_depth(text: str) -> None:
    """JSON that is nested without end cannot be decoded, and does not break the process, not even in a thread."""
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            read(text)
        except Undecodable as refused:
            outcomes.append(refused.reason)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()

    assert len(outcomes) == 1


def circle() -> Any:
    value: dict[str, Any] = {"a": [1]}
    value["a"].append(value)
    return value


def generator() -> Generator[int]:
    yield 1


class Plain:
    """A class of no sort that is known."""


class MyDict(dict[str, int]):
    """More than a dict."""


class MyFloat(float):
    """More than a float."""


class MyList(list[int]):
    """More than a list."""


async def coroutine() -> None: ...


def _closed(awaitable: Any) -> Any:
    awaitable.close()
    return awaitable


_ZONE = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb", 3600, 0, 0) + b"ODD\0"
"""A time zone file: an hour ahead of UTC, always."""

REFUSED: list[tuple[Callable[[], object], str]] = [
    (circle, r"value\['a'\]\[1\] cannot be stored: it holds itself"),
    (lambda: {"a": [0, {"b": generator()}]}, r"value\['a'\]\[1\]\['b'\] .*generator gives its items only once: return a list"),
    (lambda: _closed(coroutine()), r"value .*coroutine is no result: await it"),
    (lambda: [print], r"value\[0\] .*it is code"),
    (lambda: (1, lambda: 0), r"value\[1\] .*it is code"),
    (lambda: int, "it is code"),
    (
        lambda: [datetime(2024, 1, 1, tzinfo=ZoneInfo.from_file(io.BytesIO(_ZONE), key="UTC"))],
        r"value\[0\] .*not the one that ZoneInfo\('UTC'\)",
    ),
    (lambda: ZoneInfo.from_file(io.BytesIO(_ZONE)), "without a key"),
    (lambda: ZoneInfo.no_cache("UTC"), "not the one that ZoneInfo"),
    (lambda: json, "it is code"),
    (lambda: {(1, 2): Plain()}, r"value\[<tuple>\] .*Plain back exactly: return plain data"),
    (lambda: {"x": {1, Plain}}, r"value\['x'\]{…} .*it is code"),
    (lambda: MyDict(a=1), r"a MyDict is more than the dict that it extends: return a plain dict"),
    (lambda: MyList([1]), "more than the list"),
    (lambda: MyFloat(1), "more than the float"),
    (lambda: Counter("a"), "more than the dict"),
    (lambda: defaultdict(list), "more than the dict"),
    (lambda: ValueError("x"), r"ValueError is an exception, not data: return its name and its args, or store it with codec='pickle'"),
    (lambda: [Exception("x")], r"value\[0\] .*return its name and its args"),
    (io.StringIO, "StringIO back exactly"),
    (threading.Lock, "lock back exactly"),
    (lambda: iter([1]), "list_iterator back exactly"),
    (lambda: memoryview(b"x"), "memoryview back exactly"),
    (object, "object back exactly"),
    (lambda: np.longdouble(1), "longdouble"),
    (lambda: np.dtype("f8"), "back exactly"),
    (lambda: {"a": np.zeros(2)}, r"value\['a'\] .*codec='tree'"),
    (lambda: slice(Plain()), r"value.stop "),
    (lambda: OrderedDict(a=Plain()), r"value\['a'\] "),
    (lambda: {"x" * 300: {"y" * 300: Plain()}}, "^value.* cannot be stored"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_refused(make: Callable[[], object], message: str) -> None:
    """What has no exact form is refused, by its path and with a reason; it never becomes something like it."""
    with pytest.raises(Unstorable, match=message) as refused:
        written(make())

    assert len(refused.value.path) < 200


HOSTILE = [
    "",
    "nul",
    "NaN",
    "[Infinity]",
    '{"$tuple":[1],"x":1}',
    '{"$tuple":"ab"}',
    '{"$nothing":1}',
    '{"$":1}',
    '{"$array":[0,"<f8",[],"C"]}',
    '{"$set":[[1]]}',
    '{"$dict":[[[1],2]]}',
    '{"$dict":[[1]]}',
    '{"$dict":["ab"]}',
    '{"$float":"3.5"}',
    '{"$float":7}',
    '{"$float":""}',
    '{"$int":"zz"}',
    '{"$int":[]}',
    '{"$bytes":"***"}',
    '{"$str":"/w=="}',
    '{"$complex":[1,"2"]}',
    '{"$range":[1,2,0]}',
    '{"$range":[1.5,2,3]}',
    '{"$timedelta":[99999999999,0,0]}',
    '{"$datetime":"yesterday"}',
    '{"$datetime":["2024-01-01T00:00:00",5,null]}',
    '{"$datetime":["2024-01-01T00:00:00",0,"UTC"]}',
    '{"$zone":"../../etc/passwd"}',
    '{"$zone":"Nowhere/None"}',
    '{"$zone":""}',
    '{"$zone":"America"}',
    '{"$timezone":[{"$timedelta":[9,0,0]},null]}',
    '{"$decimal":"ten"}',
    '{"$uuid":"1"}',
    '{"$path":7}',
    '{"$deque":[[1],-1]}',
    '{"$ordereddict":[[["a",1]],5]}',
    '{"$scalar":["|O",1]}',
    '{"$scalar":["|u1",300]}',
    '{"$scalar":["<f4",1e300]}',
    '{"$scalar":["<f4",0.1]}',
    '{"$scalar":["<f8",1]}',
    '{"$scalar":["<f8",{"$bytes":"AA=="}]}',
    '{"$scalar":["<U1",{"$bytes":"/////w=="}]}',
    '{"$scalar":["<f16",{"$bytes":"AAAAAAAAAAAAAAAAAAAAAA=="}]}',
    '{"$enum":["enum:Enum","x"]}',
    '{"$dataclass":["builtins:object",{}]}',
    '{"$dataclass":["os:system",{}]}',
    '{"$namedtuple":["builtins:tuple",[1]]}',
    "9" * 5000,
    b"\xff\xfe",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[str(text)[:40] for text in HOSTILE])
def test_hostile_text(text: str | bytes) -> None:
    """What `encode` would never write is Undecodable."""
    with pytest.raises(Undecodable):
        read(text)


def test_torch_like_ordered_dicts_keep_their_attributes() -> None:
    """A state_dict carries the versions of its layers as an attribute; that is part of it."""
    value: Any = OrderedDict(weight=[1.0])
    value._metadata = OrderedDict({"": {"version": 1}})

    back = read(written(value))

    assert identical(value, back)
    assert {"": {"version": 1}} == back._metadata

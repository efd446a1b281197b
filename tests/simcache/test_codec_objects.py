"""Dataclasses, models, named tuples and enums: rebuilt exactly, from the annotated type alone, without running their code."""

import dataclasses
import enum
import http
import subprocess
import sys
import textwrap
import types
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, computed_field, field_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from simcache.codecs import registry
from simcache.codecs.reach import result_type
from simcache.errors import Undecodable, Unstorable
from tests.simcache import makers
from tests.simcache.makers import Box, Colour, Lane, Level, Motorway, Point, Rights, Road, Settings, identical

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")
RoadId = NewType("RoadId", Road)
BoundToRoad = TypeVar("BoundToRoad", bound=Road)


def there_and_back(value: object, into: object) -> Any:
    encoded = registry.encode(value, None, into)
    data = b"".join(bytes(chunk) for chunk in encoded.chunks)
    return registry.decode(encoded.describe, memoryview(bytearray(data)), into)


class Row(TypedDict):
    """A dict whose values have annotations."""

    road: Road


@dataclass
class Network:
    """Leads to its parts."""

    roads: "list[Road]"
    by_name: Mapping[str, Point | None] = field(default_factory=dict)
    colour: "Colour | None" = None


ANNOTATIONS = [
    (Road("a"), Road),
    (Road("a"), Road | None),
    (Road("a"), Union[int, Road]),  # noqa: UP007
    (Road("a"), Optional[Road]),  # noqa: UP045
    ([Road("a")], list[Road]),
    ({"a": (1, Road("a"))}, dict[str, tuple[int, Road]]),
    (Road("a"), Annotated[Road, "metres"]),
    (Road("a"), RoadId),
    (Road("a"), BoundToRoad),
    ([Road("a")], Iterator[Road]),
    (Colour.RED, Literal[Colour.RED]),
    ({"road": Road("a")}, Row),
    (Network([Road("a", 1.0, (Point(0.0),))], {"x": Point(1.0)}, Colour.BLUE), Network),
    (Road("a", 1.0, (Point(0.0),)), Network),
    (Motorway(1), Lane[int]),
    (Motorway(Level.HIGH), Lane[Level]),
    (Box[int](content=1), Box[int]),
    (Box[int](content=1), Box),
    (Box[Road](content=Road("a")), Box[Road]),
    (http.HTTPStatus.OK, http.HTTPStatus),
    (Rights.READ | Rights.WRITE, Rights),
    (Rights(0), Rights),
    (Road("a"), Callable[[int], Road]),
]


@pytest.mark.parametrize(("value", "into"), ANNOTATIONS, ids=[str(into) for _, into in ANNOTATIONS])
def test_reached(value: object, into: object) -> None:
    """An annotation leads to its classes through unions, generics, fields and loaded subclasses."""
    assert identical(value, there_and_back(value, into))


@pytest.mark.parametrize("into", [None, Any, object, list[int], dict, "Road", Colour, BaseModel, enum.Enum, Generic, int | str])
def test_not_reached(into: object) -> None:
    """A class that the annotation does not lead to is refused when it is stored, with the remedy, and never found by name."""
    with pytest.raises(Unstorable, match=r"value\[0\] .*makers:Road could not be rebuilt.*annotate the return type.*codec='pickle'"):
        registry.encode([Road("a")], None, into)
    encoded = registry.encode(Road("a"), None, Road)
    data = b"".join(bytes(chunk) for chunk in encoded.chunks)
    with pytest.raises(Undecodable, match="makers:Road' cannot be reached"):
        registry.decode(encoded.describe, memoryview(data), into)


Pair_ = namedtuple("Pair_", "a b")  # noqa: PYI024
Wide = namedtuple("Pair_", "a b")  # type: ignore[name-match]  # noqa: PYI024
_KEPT = [namedtuple("Pair_", "left right")]  # noqa: PYI024


def test_another_class_of_the_same_name() -> None:
    """A value of a class that only bears the same name is refused: it would come back as the other."""

    def made() -> Any:
        @dataclass
        class Local:
            x: int

        return Local

    one, other = made(), made()

    assert there_and_back(one(1), one) == one(1)
    with pytest.raises(Unstorable, match="another class of this name"):
        registry.encode(other(1), None, one)


AGAIN = """
from dataclasses import dataclass
from enum import Enum

class Light(Enum):
    RED = 1

@dataclass
class Result(Base):
    light: Light = Light.RED

class Held:
    @dataclass
    class Inner:
        x: int

into, value = {annotated}, {made}
"""


@pytest.mark.parametrize(
    ("annotated", "made"),
    [
        ("Result", "Result(1)"),
        ("Light", "Light.RED"),
        ("Held.Inner", "Held.Inner(1)"),
        ("Base", "Result(1)"),
        ("list[Result]", "[Result(1)]"),
    ],
)
def test_incident_a_class_that_was_defined_again_came_back_as_the_old_one(
    annotated: str, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell with an enum was run again: a hit was of the class before, and `result == Light.RED` was False where the function gives True."""
    module = types.ModuleType("defined_again")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    space = vars(module)
    exec("from dataclasses import dataclass\n@dataclass\nclass Base:\n    x: int\n", space)
    text = AGAIN.format(annotated=annotated, made=made)
    exec(text, space)
    into, before = space["into"], space["value"]
    encoded = registry.encode(before, None, into)
    data = memoryview(b"".join(bytes(chunk) for chunk in encoded.chunks))
    assert before == registry.decode(encoded.describe, data, into)

    exec(text, space)

    now = space["value"]
    back = registry.decode(encoded.describe, data, into)
    assert now == back  # dataclasses of two classes are never equal
    assert now == there_and_back(now, into)
    with pytest.raises(Unstorable, match="another class of this name"):
        registry.encode(before, None, into)


def test_two_classes_of_one_name_stand_side_by_side() -> None:
    """What is made with a name that another class bears is not taken for it."""
    kinds: list[Any] = [Wide, Pair_, *_KEPT]
    for kind in kinds:
        assert type(there_and_back(kind(1, 2), kind)) is kind


def test_a_subclass_that_is_loaded_later() -> None:
    """A subclass may be defined after the annotation was first looked at."""

    @dataclass
    class Base:
        x: int

    there_and_back(Base(1), Base)

    @dataclass
    class Later(Base):
        y: int = 0

    assert Later(1, 2) == there_and_back(Later(1, 2), Base)


def test_annotations_as_text(tmp_path: Path) -> None:
    """Text annotations are read where the function stands; one that cannot be read is named in the refusal."""
    source = """
        from __future__ import annotations
        from dataclasses import dataclass
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from nowhere import Missing

        def good() -> list[Node]: ...
        def bad() -> Node | Missing: ...

        @dataclass
        class Node:
            label: str
            next: Node | None = None
            lost: Missing | None = None

        @dataclass
        class Other:
            x: int
    """
    scope: dict[str, Any] = {"__name__": "written_here"}
    module = type(sys)("written_here")
    sys.modules["written_here"] = module
    try:
        exec(compile(textwrap.dedent(source), "written_here.py", "exec"), vars(module))
        scope = vars(module)
        node = scope["Node"]("a", scope["Node"]("b"))

        assert [node] == there_and_back([node], result_type(scope["good"]))
        with pytest.raises(Unstorable, match=r"Node could not be rebuilt.*'Node \| Missing' \(NameError: name 'Missing' is not defined\)"):
            registry.encode(node, None, result_type(scope["bad"]))
        with pytest.raises(Unstorable, match=r"Other could not be rebuilt.*'Missing \| None'"):
            registry.encode(scope["Other"](1), None, result_type(scope["good"]))
    finally:
        del sys.modules["written_here"]


def test_result_type_of_a_closure() -> None:
    """A text annotation may name a class of the enclosing function."""

    @dataclass
    class Local:
        x: int

    def function() -> "list[Local]":
        return [Local(1)]

    assert list[Local] == result_type(function)
    assert type(None) is result_type(lambda: 1)


class Noisy:
    """A mixin whose every hook would be heard."""

    heard: list[str] = []  # noqa: RUF012 - shared on purpose


@dataclass
class Hooks(Noisy):
    """Checks and changes what it is given."""

    x: int

    def __post_init__(self) -> None:
        self.heard.append("init")
        if self.x < 0:
            raise ValueError("negative")

    def __setattr__(self, name: str, value: object) -> None:
        self.heard.append(name)
        object.__setattr__(self, name, value)

    def __setstate__(self, state: object) -> None:
        self.heard.append("state")


class Checked(BaseModel):
    """A model that would refuse what it is given."""

    x: int = Field(gt=0)

    @field_validator("x")
    @classmethod
    def noisy(cls, value: int) -> int:
        Noisy.heard.append("validator")
        return value


def test_no_code_is_run() -> None:
    """Rebuilding runs no `__init__`, no validator, no `__setattr__`: the value is what it was, also where it breaks the rules."""
    hooks, checked = Hooks(1), Checked(x=1)
    object.__setattr__(hooks, "x", -1)
    checked.__dict__["x"] = "not even an int"
    Noisy.heard.clear()

    back = there_and_back([hooks, checked], list[Hooks | Checked])

    assert [] == Noisy.heard
    assert (-1, "not even an int") == (back[0].x, back[1].x)


@dataclass
class Extended:
    """Sets more than its fields."""

    x: int
    later: int = field(init=False)
    default: int = field(init=False, default=5)

    def __post_init__(self) -> None:
        self.grid = [self.x] * 3
        self.later = self.x + 1

    @cached_property
    def expensive(self) -> object:
        return open  # could not be stored, and need not be


@dataclass
class Worked:
    """Works one field out of the others."""

    time: float = field(init=False)
    length: float
    speed: float = 2.0

    def __post_init__(self) -> None:
        self.time = self.length / self.speed


class Slotted:
    """Keeps its state in slots, one of them private."""

    __slots__ = ("__hidden", "plain")


@dataclass
class WithSlots(Slotted):
    """A dataclass above slots."""

    __slots__ = ("x",)
    x: int


def test_all_attributes_come_back() -> None:
    """Also those that are no fields; what a cached_property has worked out is worked out again."""
    value = Extended(1)
    assert value.expensive is open

    back = there_and_back(value, Extended)

    assert {"x": 1, "later": 2, "grid": [1, 1, 1]} == vars(back)
    assert 5 == back.default


def test_incident_attributes_came_back_in_another_order() -> None:
    """A field that `__post_init__` sets comes last in `vars(value)`, and stood where the class names it in that of a hit."""
    value = Worked(length=3.0)
    value.more = 1  # type: ignore[attr-defined]

    back = there_and_back(value, Worked)

    assert ["length", "speed", "time", "more"] == list(vars(value)) == list(vars(back))


def test_slots_come_back() -> None:
    """Slots of bases too, private ones by their mangled name."""
    value = WithSlots(1)
    value.plain = "p"  # type: ignore[attr-defined]
    value._Slotted__hidden = "h"  # type: ignore[attr-defined]

    back = there_and_back(value, WithSlots)

    assert (1, "p", "h") == (back.x, back.plain, back._Slotted__hidden)


class Private(BaseModel):
    """All that a model can keep."""

    model_config = ConfigDict(extra="allow", frozen=True, arbitrary_types_allowed=True)
    a: int = 1
    grid: Any = None
    _memo: dict[str, int] = {}

    @computed_field  # type: ignore[prop-decorator]
    @cached_property
    def total(self) -> int:
        return self.a + 1


def test_models_keep_everything() -> None:
    """Fields, which of them were set, extra and private attributes."""
    more: Any = {"$odd": [1], "more": {2: 3}}
    value = Private(grid=np.arange(3.0), **more)
    value._memo["x"] = 7
    assert value.total == 2

    back = there_and_back(value, Private)

    assert {"grid", "$odd", "more"} == back.model_fields_set
    assert {"$odd": [1], "more": {2: 3}} == back.model_extra
    assert ({"x": 7}, 2) == (back._memo, back.total)
    assert identical(value.grid, back.grid)


def test_other_sorts_of_models() -> None:
    """Root models, pydantic's own dataclasses, constructed models."""

    class Names(RootModel[list[str]]):
        """A model of one list."""

    @pydantic_dataclass(frozen=True)
    class Checkable:
        x: int

    for value in (Names(["a"]), Checkable(1), Settings.model_construct(name="n", number="no number")):
        assert identical(value, there_and_back(value, type(value)))


class Base(dict[str, int]):
    """Content beside its fields."""


@dataclass
class OverDict(Base):
    """A dataclass whose base has content of its own."""

    x: int = 0


class Member(NamedTuple):
    """A named tuple."""

    x: int


class MoreThanMember(Member):
    """Which can carry attributes."""


def unset() -> Extended:
    value = Extended(1)
    del value.later
    return value


def beside() -> MoreThanMember:
    value = MoreThanMember(1)
    vars(value)["y"] = 1
    return value


def odd_attribute() -> Extended:
    value = Extended(1)
    vars(value)["$tuple"] = []
    return value


REFUSED: list[tuple[Callable[[], object], str]] = [
    (unset, r"value.later .*never set"),
    (Checked.model_construct, r"value.x .*never set"),
    (beside, "attributes beside its fields"),
    (odd_attribute, "no name that could be set again"),
    (lambda: OverDict(1), "extends dict, whose own content would be lost"),
    (lambda: Network([Road("a", 0.0, (print,))]), r"value.roads\[0\].ends\[0\] .*it is code"),  # type: ignore[arg-type]
    (lambda: Settings(more=[print]), r"value.more\[0\] .*it is code"),
    (lambda: Point(0.0, print), r"value.y .*it is code"),
    (lambda: sys.version_info, "more than the tuple"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refused(make: Callable[[], object], message: str) -> None:
    """What could not be rebuilt as it was is refused now, by its path."""
    value = make()
    with pytest.raises(Unstorable, match=message):
        registry.encode(value, None, type(value) | Network | Extended)


def circular() -> Any:
    value = Lane[Any](None)
    value.content = [value]
    return value


def test_circles_through_objects() -> None:
    """An object that holds itself is refused by its path."""
    with pytest.raises(Unstorable, match=r"value.content\[0\] .*holds itself"):
        registry.encode(circular(), None, Lane)


ROAD, LANE, SETTINGS = "tests.simcache.makers:Road", "tests.simcache.makers:Lane", "tests.simcache.makers:Settings"
HOSTILE = [
    f'{{"$dataclass":["{ROAD}",{{}}]}}',
    f'{{"$dataclass":["{ROAD}",{{"name":"a","length":1.0,"ends":[],"more":1}}]}}',
    f'{{"$dataclass":["{LANE}",{{"content":1,"count":1,"made":[],"__class__":1}}]}}',
    f'{{"$dataclass":["{LANE}",{{"content":1,"count":1,"made":[],"__dict__":{{}}}}]}}',
    f'{{"$dataclass":["{LANE}",[]]}}',
    f'{{"$dataclass":["{SETTINGS}",{{}}]}}',
    f'{{"$dataclass":"{ROAD}"}}',
    f'{{"$model":["{SETTINGS}",{{}},[],null,null]}}',
    f'{{"$model":["{SETTINGS}",{{"name":"a","number":1,"more":1,"x":1}},[],null,null]}}',
    f'{{"$model":["{SETTINGS}",{{"name":"a","number":1,"more":1}},[7],null,null]}}',
    f'{{"$model":["{SETTINGS}",{{"name":"a","number":1,"more":1}},[],null,[1]]}}',
    f'{{"$model":["{SETTINGS}",{{"name":"a","number":1,"more":1}},[],{{"$dict":[[1,1]]}},null]}}',
    f'{{"$model":["{ROAD}",{{}},[],null,null]}}',
    f'{{"$enum":["{ROAD}","name"]}}',
    '{"$enum":["tests.simcache.makers:Colour","PINK"]}',
    '{"$enum":["tests.simcache.makers:Colour",{"$set":[]}]}',
    '{"$flag":["tests.simcache.makers:Rights",64]}',
    '{"$flag":["tests.simcache.makers:Colour",1]}',
    '{"$namedtuple":["tests.simcache.makers:Point",[1]]}',
    '{"$namedtuple":["tests.simcache.makers:Point","ab"]}',
    f'{{"$namedtuple":["{ROAD}",[1]]}}',
    '{"$dataclass":[["unhashable"],{}]}',
    '{"$dataclass":["os:path",{}]}',
    '{"$model":["pydantic.main:BaseModel",{},[],null,null]}',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_state(text: str) -> None:
    """Attributes that the class does not have, or that would change what it is, are Undecodable."""
    with pytest.raises(Undecodable):
        registry.decode({"codec": "json"}, memoryview(text.encode()), makers.Everything)


def test_a_script_and_its_workers_agree(tmp_path: Path) -> None:
    """A class of a script bears one name in the script and in the processes that it starts."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            import multiprocessing, sys
            from dataclasses import dataclass
            from simcache.codecs import registry

            @dataclass
            class Result:
                x: int

            def encoded(x):
                return b"".join(registry.encode(Result(x), None, Result).chunks)

            if __name__ == "__main__":
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(registry.decode({"codec": "json"}, memoryview(pool.apply(encoded, (3,))), Result))
        """)
    )

    answer = subprocess.run([sys.executable, script], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)

    assert "Result(x=3)" == answer.stdout.strip()


def test_plain_namedtuples_and_frozen_dataclasses() -> None:
    """Classes made on the fly can be annotated too."""
    pair = namedtuple("pair", "a b")  # noqa: PYI024
    made = dataclasses.make_dataclass("made", [("x", int)], frozen=True)

    for value in (pair(1, [2]), made(1)):
        assert identical(value, there_and_back(value, type(value)))

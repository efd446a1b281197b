"""Why two keys differ, in words: the field that changed, the function that changed, the entry that comes nearest."""

import json
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcache.codecs.json import JsonCodec
from simcache.identity.difference import LONGEST, Difference, code_differences, differences, nearest, package_differences, shown

Json = dict[str, Any]


@dataclass
class Road:
    """A dataclass."""

    length: float
    lanes: int = 2


class Point(NamedTuple):
    """A tuple with names."""

    x: float
    y: float


def model(**fields: Any) -> Json:
    return {"$model": ["arz.world:Scenario", fields, sorted(fields), None, None]}


def recorded(**arguments: Any) -> dict[str, Json]:
    return {name: {"json": tree} for name, tree in arguments.items()}


def lines(old: dict[str, Json], new: dict[str, Json]) -> list[str]:
    return [str(difference) for difference in differences(old, new)]


def tree(value: object, into: object = None) -> Any:
    """A value as the codec writes it into an entry."""
    return json.loads(b"".join(JsonCodec().encode(value, into).chunks))


def changed(old: Any, new: Any) -> list[str]:
    """What differs when one argument `a` has other trees."""
    return lines(recorded(a=old), recorded(a=new))


def test_the_incident_is_told_in_one_line() -> None:
    """A baseline of another initial density: the field, how it is, and how it was."""
    old = recorded(scenario=model(name="baseline", density=0.175), seed=0)
    new = recorded(scenario=model(name="baseline", density=0.2125), seed=0)

    assert lines(old, new) == ["scenario.density: 0.2125, was 0.175"]
    assert differences(old, new) == [Difference("scenario.density", "0.175", "0.2125", "argument")]


CHANGES: list[tuple[Any, Any, list[str]]] = [
    (1, 1, []),
    (1, 2, ["a: 2, was 1"]),
    (1, 1.0, ["a: 1.0, was 1"]),
    (1, True, ["a: True, was 1"]),
    (0.0, -0.0, ["a: -0.0, was 0.0"]),
    (None, "x", ["a: 'x', was None"]),
    (False, 0, ["a: 0, was False"]),
    ([1, 2, 3], [1, 5, 3], ["a[1]: 5, was 2"]),
    ([1, 2], [1, 2, 3], ["a[2]: 3, was not there"]),
    ([1, 2], [1], ["a[1]: is not there, was 2"]),
    ([1, 2], {"$tuple": [1, 2]}, ["a: (1, 2), was [1, 2]"]),
    ([], {}, ["a: {}, was []"]),
    ({}, {}, []),
    ({"x": {"y": [1]}}, {"x": {"y": [2]}}, ["a['x']['y'][0]: 2, was 1"]),
    ({"x": 1, "y": 2}, {"y": 2, "x": 1}, []),
    ({"x": 1}, {"y": 1}, ["a['x']: is not there, was 1", "a['y']: 1, was not there"]),
    ({"$dict": [[1, "a"], [1.0, "b"]]}, {"$dict": [[1, "a"], [1.0, "c"]]}, ["a[1.0]: 'c', was 'b'"]),
    ({"$dict": [[1, "a"], [2, "b"]]}, {"$dict": [[2, "b"], [1, "a"]]}, []),
    ({"$dict": [[{"$tuple": [1, 2]}, 0]]}, {"$dict": [[{"$tuple": [1, 2]}, 1]]}, ["a[(1, 2)]: 1, was 0"]),
    ({"$set": [1, 2]}, {"$set": [1, 3]}, ["a: {1, 3}, was {1, 2}"]),
    ({"$set": []}, {"$frozenset": []}, ["a: frozenset(), was set()"]),
    ({"$tuple": [1]}, {"$tuple": [2]}, ["a[0]: 2, was 1"]),
    ({"$float": "inf"}, {"$float": "nan"}, ["a: nan, was inf"]),
    ({"$enum": ["m:Colour", "RED"]}, {"$enum": ["m:Colour", "BLUE"]}, ["a: Colour.BLUE, was Colour.RED"]),
    ({"$flag": ["m:Access", 1]}, {"$flag": ["m:Access", 3]}, ["a: Access(3), was Access(1)"]),
    ({"$dataclass": ["m:Road", {"length": 1.0}]}, {"$dataclass": ["m:Road", {"length": 2.0}]}, ["a.length: 2.0, was 1.0"]),
    ({"$dataclass": ["m:Road", {"n": 1}]}, {"$dataclass": ["m:Path", {"n": 1}]}, ["a: Path(n=1), was Road(n=1)"]),
    ({"$dataclass": ["m:Road", {"n": 1}]}, {"$dataclass": ["o:Road", {"n": 1}]}, ["a: another Road(n=1), was Road(n=1)"]),
    (
        {"$model": ["m:S", {"n": 1}, ["n"], {"x": 1}, {"_p": 1}]},
        {"$model": ["m:S", {"n": 1}, [], {"x": 2}, {"_p": 2}]},
        ["a.x: 2, was 1", "a._p: 2, was 1"],
    ),
    ({"$ordereddict": [[["x", 1], ["y", 2]]]}, {"$ordereddict": [[["x", 1], ["y", 3]]]}, ["a['y']: 3, was 2"]),
    (
        {"$ordereddict": [[["x", 1], ["y", 2]]]},
        {"$ordereddict": [[["y", 2], ["x", 1]]]},
        ["a (the order of its keys): ['y', 'x'], was ['x', 'y']"],
    ),
    ({"$ordereddict": [[], {"v": 1}]}, {"$ordereddict": [[], {"v": 2}]}, ["a.v: 2, was 1"]),
    ({"$date": "2026-01-01"}, {"$date": "2026-01-02"}, ["a: date('2026-01-02'), was date('2026-01-01')"]),
    ({"$range": [0, 3, 1]}, {"$range": [0, 4, 1]}, ["a: range(0, 4, 1), was range(0, 3, 1)"]),
    ({"$unknown": {"deep": [1]}}, {"$unknown": {"deep": [2]}}, ["a: unknown({'deep': [2]}), was unknown({'deep': [1]})"]),
    ({"$a": 1, "$b": 2}, {"$a": 1, "$b": 3}, ["a['$b']: 3, was 2"]),
]


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES)
def test_what_changed_inside_an_argument(old: Any, new: Any, expected: list[str]) -> None:
    """Each change has the path of the smallest part that differs, and values as a person writes them."""
    assert changed(old, new) == expected
    assert len(changed(new, old)) == len(expected)


def test_it_reads_what_the_codec_writes() -> None:
    """The tags are those of codecs/json.py, not a second idea of them."""
    old = {"roads": [Road(1.0), Road(2.0)], "at": Point(0.0, 1.0), 3: {1, 2}, "limits": (0.0, math.inf)}
    new = {"roads": [Road(1.0), Road(2.0, 3)], "at": Point(0.0, 2.0), 3: {1, 4}, "limits": (0.0, math.nan)}
    into = dict[Any, list[Road] | Point | set[int] | tuple[float, float]]

    assert changed(tree(old, into), tree(new, into)) == [
        "a['roads'][1].lanes: 3, was 2",
        "a['at'][1]: 2.0, was 1.0",
        "a[3]: {1, 4}, was {1, 2}",
        "a['limits'][1]: nan, was inf",
    ]


def test_arguments_that_came_or_went() -> None:
    """A new parameter, or one that was dropped, is named with its value."""
    assert lines(recorded(a=1, b=2), recorded(b=2, c=[3])) == ["a: is not there, was 1", "c: [3], was not there"]


def test_arguments_that_were_not_recorded_whole_differ_by_digest() -> None:
    """Their short text is shown; if it is the same in both, the line says that it is another one."""
    old: dict[str, Json] = {"a": {"digest": "1", "text": "array float64 (3,)"}, "b": {"digest": "2", "text": "x"}, "c": {"json": 1}}
    new = {
        "a": {"digest": "3", "text": "array float64 (3,)"},
        "b": {"digest": "2", "text": "written anew"},
        "c": {"digest": "4", "text": "big"},
    }

    assert lines(old, new) == ["a: another array float64 (3,), was array float64 (3,)", "c: big, was 1"]


def test_the_code_that_changed_is_named_by_file_and_function() -> None:
    """`arz/laws/state.py: pressure`, as a person looks for it."""
    old = {"arz.laws.state:pressure": "1", "arz.laws.state:speed": "1", "arz.run:run": "1", "arz/data.py": "1"}
    new = {"arz.laws.state:pressure": "2", "arz.laws.riemann:solve": "1", "arz.run:run": "1", "arz/data.py": "2"}

    found = code_differences(old, new)

    assert [str(difference) for difference in found] == [
        "arz/laws/riemann.py: solve is new",
        "arz/laws/state.py: pressure has changed",
        "arz/laws/state.py: speed is no longer used",
        "arz/data.py has changed",
    ]
    assert found[1] == Difference("arz/laws/state.py: pressure", "1", "2", "code")


def test_packages_that_differ_are_information() -> None:
    """They are recorded, not keyed, and may explain another result."""
    found = package_differences({"numpy": "2.0.2", "numba": "0.60.0"}, {"numpy": "2.4.6", "torch": "2.13.0"})

    assert [str(difference) for difference in found] == [
        "numba: is not there, was 0.60.0",
        "numpy: 2.4.6, was 2.0.2",
        "torch: 2.13.0, was not there",
    ]
    assert {difference.kind for difference in found} == {"package"}


def test_long_values_are_cut() -> None:
    """A line stays a line, and a tree of any size is shown at once."""
    assert shown(list(range(10**6))).endswith("…")
    assert len(shown(["x" * 1000])) == LONGEST
    assert len(changed([0] * 3, [list(range(1000))] * 3)[0]) < 2 * LONGEST


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"$tuple": [1]}, "(1,)"),
        ({"$tuple": []}, "()"),
        ({"$set": [1]}, "{1}"),
        ({"$frozenset": [1, 2]}, "frozenset({1, 2})"),
        ({"$dict": [[1, 2]]}, "{1: 2}"),
        ({"$ordereddict": [[["a", 1]]]}, "OrderedDict({'a': 1})"),
        ({"$namedtuple": ["m:Point", [1, 2]]}, "Point(1, 2)"),
        ({"$dataclass": ["m:Empty", {}]}, "Empty()"),
        ({"$model": ["m:Outer.Inner", {"a": None}, ["a"], None, None]}, "Outer.Inner(a=None)"),
        ({"$decimal": "0.5"}, "decimal('0.5')"),
        ({"$float": "-inf"}, "-inf"),
        ({"a": [True]}, "{'a': [True]}"),
    ],
)
def test_trees_are_shown_as_values(value: Any, text: str) -> None:
    """Nobody has to know the tags."""
    assert shown(value) == text


def test_the_nearest_entry_differs_in_the_fewest_leaves() -> None:
    """Not in the fewest arguments: one other field is nearer than a whole other scenario."""
    asked = recorded(scenario=model(name="ring", density=0.2, length=100.0), seed=1)
    entries = [
        ("another scenario", recorded(scenario=model(name="grid", density=0.3, length=50.0), seed=1)),
        ("without the scenario", recorded(seed=1)),
        ("one field", recorded(scenario=model(name="ring", density=0.3, length=100.0), seed=1)),
        ("one field, later", recorded(scenario=model(name="ring", density=0.4, length=100.0), seed=1)),
        ("a field and the seed", recorded(scenario=model(name="ring", density=0.3, length=100.0), seed=2)),
    ]

    assert nearest(entries, asked) == "one field"
    assert nearest([], asked) is None
    assert nearest([("only", {})], asked) == "only"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(width=16) | st.text(max_size=2) | st.binary(max_size=2),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2) | st.integers(0, 2), inner, max_size=3),
        st.builds(Road, inner, inner),
    ),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    """Whatever it holds, NaN too."""
    assert changed(tree(value, Road), tree(value, Road)) == []


@given(VALUES, VALUES)
def test_values_that_differ_have_a_difference(one: Any, two: Any) -> None:
    """Exactly if their JSON differs beyond the order of a dict, there is something to tell, both ways."""
    forms = [json.dumps(tree(sorted_dicts(value), Road)) for value in (one, two)]

    assert bool(changed(tree(one, Road), tree(two, Road))) is (forms[0] != forms[1])
    assert len(changed(tree(one, Road), tree(two, Road))) == len(changed(tree(two, Road), tree(one, Road)))


def sorted_dicts(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(sorted(((key, sorted_dicts(item)) for key, item in value.items()), key=repr))
    if isinstance(value, (list, tuple)):
        return type(value)(map(sorted_dicts, value))
    if isinstance(value, Road):
        return Road(sorted_dicts(value.length), sorted_dicts(value.lanes))
    return value


TAGS = (
    "$tuple",
    "$set",
    "$frozenset",
    "$dict",
    "$ordereddict",
    "$namedtuple",
    "$dataclass",
    "$model",
    "$enum",
    "$flag",
    "$keys",
    "$recorded",
    "$float",
    "$new",
)
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*TAGS, "a", "b")), inner, max_size=2),
    max_leaves=12,
)


@given(ANYTHING, ANYTHING)
def test_trees_from_elsewhere_are_told_whatever_they_say(one: Any, two: Any) -> None:
    """An entry that others wrote may hold tags with anything inside; it ended `why`, `diff`, `show` and `explain` with a traceback."""
    found = differences({"x": {"json": one}}, {"x": {"json": two}})

    assert bool(found) == (json.dumps(one, sort_keys=True) != json.dumps(two, sort_keys=True)) or "$" in str((one, two))
    assert shown(one)

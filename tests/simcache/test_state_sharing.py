"""What a state holds twice, or in memory that is shared: a series that goes on from it is the one that was never cut."""

import copy
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from simcache.cache import Cache
from simcache.cli.functions import Function
from simcache.codecs import registry
from simcache.decorator import cached
from simcache.errors import NotStored, Undecodable, Unstorable
from simcache.series import Step
from simcache.upkeep.rerun import rerun

COLUMN = np.arange(6.0).reshape(3, 2)


@dataclass
class Fields:
    """A simulator as it is often written: names for the rows of one array."""

    grid: np.ndarray
    density: np.ndarray
    log: list[float] = field(default_factory=list)


class Held(BaseModel):
    """A model that two others hold."""

    count: int = 0


class Pair(BaseModel):
    """Holds one model, perhaps twice."""

    one: Held
    other: Held


@dataclass(frozen=True)
class Frozen:
    """Cannot be changed itself, but what it holds can."""

    queue: list[int]


def _fields() -> Fields:
    grid = np.zeros((2, 3))
    return Fields(grid, grid[0])


def _views() -> dict[str, Any]:
    grid = np.zeros((2, 3))
    return {"last": grid[1, 1:], "grid": grid, "flat": grid.reshape(-1)}


def _halves() -> list[Any]:
    line = np.zeros(5)
    return [line[:3], line[2:]]


def _twice(made: Any) -> Any:
    return made, made


def _tensors() -> dict[str, Any]:
    weights = torch.zeros(4)
    return {"tail": weights[2:], "all": weights, "numpy": weights.numpy()}


def _pair() -> Pair:
    held = Held()
    return Pair.model_construct(one=held, other=held)


def _frozen() -> tuple[Frozen, list[int]]:
    queue: list[int] = []
    return Frozen(queue), queue


def _add(array: Any) -> None:
    array += 1


def _count(held: Held) -> None:
    held.count += 1


# Each state, what a step changes in it, and what an item shows of it: elsewhere, and the same object.
SHARED: dict[str, tuple[Callable[[], Any], Callable[[Any], object], Callable[[Any], object]]] = {
    "a row of an array": (_fields, lambda state: _add(state.grid), lambda state: float(state.density.sum())),
    "views that come before their base": (_views, lambda state: _add(state["grid"]), lambda state: state["last"].tolist()),
    "a view in another shape": (_views, lambda state: _add(state["flat"]), lambda state: state["grid"].tolist()),
    "views that overlap": (_halves, lambda state: _add(state[0]), lambda state: state[1].tolist()),
    "one array twice": (lambda: _twice(np.zeros(2)), lambda state: _add(state[0]), lambda state: state[1].tolist()),
    "one list twice": (lambda: _twice([]), lambda state: state[0].append(1), lambda state: len(state[1])),
    "one list within others": (lambda: {"a": (kept := [[1]]), "b": kept[0]}, lambda state: state["b"].append(1), lambda state: len(state["a"][0])),
    "one dict twice": (lambda: _twice({}), lambda state: state[0].update({len(state[0]): 1}), lambda state: len(state[1])),
    "one set twice": (lambda: _twice(set()), lambda state: state[0].add(len(state[0])), lambda state: len(state[1])),
    "one deque twice": (lambda: _twice(deque(maxlen=30)), lambda state: state[0].append(1), lambda state: len(state[1])),
    "one bytearray twice": (lambda: _twice(bytearray()), lambda state: state[0].append(1), lambda state: len(state[1])),
    "one model twice": (_pair, lambda state: _count(state.one), lambda state: state.other.count),
    "a list in something frozen": (_frozen, lambda state: state[1].append(1), lambda state: len(state[0].queue)),
    "views of a tensor": (_tensors, lambda state: _add(state["all"]), lambda state: (state["tail"].tolist(), state["numpy"].tolist())),
    "a tensor and its transpose": (lambda: [(made := torch.zeros(2, 3)), made.T], lambda state: _add(state[0][0]), lambda state: state[1].tolist()),
    "an array backwards": (lambda: [(made := np.zeros((2, 3))), made[::-1]], lambda state: _add(state[0][0]), lambda state: state[1].tolist()),
    "one tensor twice": (lambda: _twice(torch.zeros(2)), lambda state: _add(state[0]), lambda state: state[1].tolist()),
}  # fmt: skip


@pytest.mark.parametrize(("start", "change", "seen"), SHARED.values(), ids=SHARED)
def test_incident_what_a_state_holds_twice_came_back_as_two(
    start: Callable[[], Any], change: Callable[[Any], object], seen: Callable[[Any], object]
) -> None:
    """A step changes the array, and an item is read from the view: resumed, the view stood still, and 12 was stored for 15 and ever after."""

    def run(*, resume: Fields | Pair | tuple[Frozen, list[int]] | None = None) -> Iterator[Step[Any]]:
        state: Any = start() if resume is None else resume
        while True:
            change(state)
            yield Step(seen(state), state=state)

    def of(*lengths: int) -> Any:
        series = cached(cache=Cache(f"memory://{lengths} {id(start)}"), every=3)(run)()
        return [series[:length] for length in lengths][-1]

    plain = [copy.deepcopy(step.item) for step, _ in zip(run(), range(11), strict=False)]

    assert plain == of(11)
    assert plain == of(4, 5, 8, 11)


CUBE = np.random.default_rng(0).normal(size=(30, 40, 50))
LAID = {
    "axes in another order": lambda: CUBE.transpose(1, 0, 2),
    "axes turned round": lambda: CUBE.transpose(1, 2, 0),
    "columns first": lambda: CUBE.T,
    "backwards": lambda: CUBE[::-1],
    "backwards and turned": lambda: CUBE.transpose(2, 0, 1)[:, ::-1, ::-1],
    "big-endian": lambda: CUBE.astype(">f8").transpose(1, 0, 2),
    "a tensor's channels last": lambda: torch.from_numpy(CUBE.reshape(2, 15, 40, 50).copy()).to(memory_format=torch.channels_last),
    "a tensor turned": lambda: torch.from_numpy(CUBE.copy()).permute(2, 0, 1),
}  # fmt: skip


@pytest.mark.parametrize("within", [False, True], ids=["alone", "within"])
@pytest.mark.parametrize("make", LAID.values(), ids=LAID)
def test_incident_a_state_that_lay_otherwise_was_gone_on_with_by_rows(make: Callable[[], Any], within: bool) -> None:
    """Sums are taken in the order of the memory: an extended series differed from a straight one in the last bits of its items."""

    def run(*, resume: Any = None) -> Iterator[Step[float]]:
        field = make() if resume is None else resume["field"] if within else resume
        while True:
            field = field * 1.01
            yield Step(float(field.sum()), state={"field": field} if within else field)

    def of(*lengths: int) -> Any:
        series = cached(cache=Cache(f"memory://{lengths} {id(make)} {within}"), every=4)(run)()
        return [series[:length] for length in lengths][-1]

    value: Any = make()
    back = _back(registry.encode([value], is_state=True))[0]

    assert of(9) == of(3, 5, 9)
    assert type(back) is type(value)
    assert value.dtype == back.dtype
    assert value.tolist() == back.tolist()
    assert _steps(value) == _steps(back)


def _steps(array: Any) -> Any:
    return array.strides if isinstance(array, np.ndarray) else array.stride()


def test_what_is_held_once_is_written_as_ever() -> None:
    """A state in which nothing is shared has the bytes of a value; rows of an array that is not in it are arrays of their own."""
    grid = np.zeros((2, 3))
    held: list[Any] = [
        [grid[0], grid[1], [1], [1], (2, 3), "a", "a"],
        {"a": ({},), "b": ({},)},
        [COLUMN[:, 0]],
        [COLUMN[:, 0], COLUMN[:, 1]],
    ]
    for value in held:
        plain, state = registry.encode(value), registry.encode(value, is_state=True)

        assert (plain.describe, _joined(plain)) == (state.describe, _joined(state))


def test_a_value_is_written_as_ever() -> None:
    """Only a state is gone on with: a result that holds an array twice is written as it was."""
    held = np.zeros(2)

    assert b"$same" not in _joined(registry.encode([held, held]))
    assert b"$same" in _joined(registry.encode([held, held], is_state=True))


def test_arrays_that_share_memory_are_stored_once() -> None:
    """Each by its place in one piece, at the alignment that it had."""
    grid = np.arange(1000.0)
    encoded = registry.encode({"grid": grid, "part": grid[8:], "all": grid}, is_state=True)

    assert len(_joined(encoded)) < 2 * grid.nbytes
    back = _back(encoded)
    assert back["grid"] is back["all"]
    assert np.shares_memory(back["grid"], back["part"])
    assert back["part"].flags.aligned
    assert back["part"].tolist() == grid[8:].tolist()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([COLUMN, COLUMN[:, 0]], "in steps.*give a copy"),
        ([COLUMN[:, 0], COLUMN[:, ::-1]], "in steps.*give a copy"),
        ([(weights := torch.zeros(2, 2)), weights[:, 0]], "in steps.*give a copy"),
    ],
    ids=["a column", "two in steps", "a column of a tensor"],
)
def test_what_cannot_come_back_together_is_refused(value: Any, message: str) -> None:
    """A view in steps is stored as an array of its own, and would stand still when the other is changed."""
    registry.encode(value)
    with pytest.raises(Unstorable, match=message):
        registry.encode(value, is_state=True)


def test_the_json_codec_refuses_what_is_held_twice() -> None:
    """It has no tag for it, and was named."""
    held: list[int] = []

    assert registry.encode([held, []], "json") == registry.encode([held, []], "json", is_state=True)
    with pytest.raises(Unstorable, match="holds an object twice"):
        registry.encode([held, held], "json", is_state=True)


def test_a_pickle_refuses_views_of_one_array() -> None:
    """It keeps objects together by itself, and would take the views apart."""
    grid = np.zeros((2, 3))

    registry.encode([grid, grid, np.zeros(3), (held := [1]), held], "pickle", is_state=True)
    registry.encode([grid, grid[0]], "pickle")
    with pytest.raises(Unstorable, match="the same memory.*name no codec"):
        registry.encode({"grid": grid, "row": grid[0]}, "pickle", is_state=True)


def test_what_nobody_can_write_to_may_be_shared(tmp_path: Path) -> None:
    """Columns of a stored result that is mapped: they are written as ever."""
    table = cached(cache=Cache(tmp_path / "store"))(lambda: np.zeros((300, 300)))
    table()
    held = table()

    assert not held.flags.writeable
    plain, state = (registry.encode([held, held[:, 0], held[1]], is_state=is_state) for is_state in (False, True))
    assert _joined(plain) == _joined(state)


def test_a_series_whose_state_is_refused_says_so(tmp_path: Path) -> None:
    """It is computed and not stored, with one warning, and is right."""

    def run(*, resume: Any = None) -> Iterator[Step[float]]:
        grid = np.zeros((3, 2)) if resume is None else resume[0]
        column = grid[:, 0] if resume is None else resume[1]
        while True:
            grid += 1
            yield Step(float(column.sum()), state=(grid, column))

    series = cached(cache=Cache(tmp_path / "store"), every=2)(run)()
    with pytest.warns(NotStored, match="state cannot be stored: .*in steps"):
        assert [3.0, 6.0, 9.0] == series[:3]
    assert [3.0 * number for number in range(1, 8)] == series[:7]


def test_a_class_of_a_state_is_asked_for_where_it_counts() -> None:
    """The annotation of `resume` leads to the classes of a state; the return type was named, where it does not help."""
    with pytest.raises(
        Unstorable, match=r"state\[0\] cannot.*annotated argument `resume` does not lead to it: annotate the argument `resume` with it"
    ):
        registry.encode([_fields()], is_state=True)


@pytest.mark.parametrize(
    "text",
    ['{"$same":0}', '{"$same":[0]}', '{"$same":["a",1]}', '[{"$same":[0,1]},{"$same":[0,1]}]', '{"$same":true}', '{"$same":[true,[]]}'],
)
def test_hostile_numbers(text: str) -> None:
    """A number that nothing bears, or two things bear, is Undecodable."""
    with pytest.raises(Undecodable):
        registry.decode({"codec": "tree", "json": [0, len(text)]}, memoryview(bytearray(text.encode())))


@pytest.mark.parametrize(
    "payload",
    [
        "[[0],[],1]",
        "[[0],[],LEAF]",
        "[[0,0],[],LEAF]",
        "[[0,1],[2],LEAF]",
        "[[true,0],[],LEAF]",
        "[[1,0],LEAF]",
        "[[0,-1],[],LEAF]",
        '["ab",[],LEAF]',
        '[[0],[],{"ndim":1}]',
    ],
)
def test_hostile_axes(payload: str) -> None:
    """An order of axes that the array does not have is Undecodable."""
    text = f'{{"$axes":{payload}}}'.replace("LEAF", '{"$array":[0,"|u1",[2,2],"C"]}')
    good = '{"$axes":[[1,0],[0],{"$array":[0,"|u1",[2,2],"C"]}]}'
    for each in (good, text):
        data = memoryview(bytearray(f"\1\2\3\4{each}".encode()))
        if each is good:
            assert [[2, 4], [1, 3]] == registry.decode({"codec": "tree", "json": [4, len(each)]}, data).tolist()
        else:
            with pytest.raises(Undecodable):
                registry.decode({"codec": "tree", "json": [4, len(each)]}, data)


def test_incident_a_state_of_classes_was_reported_as_one_that_cannot_be_stored(tmp_path: Path) -> None:
    """`simcache verify --rerun` encoded the state without the annotation that leads to its classes, and reported each as different."""
    cache = Cache(tmp_path / "store")

    @cached(cache=cache, every=2)
    def run(*, resume: Fields | None = None) -> Iterator[Step[float]]:
        state = _fields() if resume is None else resume
        while True:
            state.grid += 1
            yield Step(float(state.density.sum()), state=state)

    run()[:4]
    report = rerun(cache, 9, lambda _name: Function(run))

    assert [("same", ""), ("same", "")] == [(one.outcome, one.reason) for one in report.reruns]


def _joined(encoded: Any) -> bytes:
    return b"".join(bytes(chunk) for chunk in encoded.chunks)


def _back(encoded: Any) -> Any:
    return registry.decode(json.loads(json.dumps(encoded.describe)), memoryview(bytearray(_joined(encoded))))

"""The public types, as a type checker sees them: `dev.py check` reads this file, and running it shows that the calls work."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, assert_type

import pytest

from simcache import Step, cached
from simcache.model import Entry
from simcache.series import Items, Series


@cached
def area(width: float, height: float = 1.0) -> float:
    return width * height


@cached(every=5)
def counted(start: int, *, resume: int | None = None) -> Iterator[Step[int]]:
    number = start if resume is None else resume
    while True:
        number += 1
        yield Step(number, state=number)


@cached
def letters(text: str) -> Iterator[str]:
    yield from text


class Square(NamedTuple):
    side: float

    @cached
    def area(self, times: int = 1) -> float:
        return self.side**2 * times

    @staticmethod
    @cached
    def doubled(number: float) -> float:
        return 2 * number

    @cached
    def sides(self, first: int) -> Iterator[float]:
        yield from [self.side] * first


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMCACHE_STORE", str(tmp_path))


def test_a_function_keeps_its_types() -> None:
    """A cached function is called as before, and its questions take the same arguments."""
    assert_type(area(2.0, height=3.0), float)
    assert_type(area.key(2.0), str)
    assert_type(area.entry(2.0), Entry | None)

    assert area(2.0, height=3.0) == 6.0


def test_a_generator_is_a_series() -> None:
    """One item is an item, a slice is Items, and a loop gives items, with Step or without."""
    run = counted(3)
    assert_type(run, Series[int])
    assert_type(run[0], int)
    assert_type(run[:2], Items[int])
    assert_type(run.stored, int)
    assert_type(letters("ab"), Series[str])

    assert list(run[:3]) == [4, 5, 6]
    assert list(letters("ab")) == ["a", "b"]


def test_a_method_keeps_the_type_of_its_result() -> None:
    """What it gives has a type; it was Any."""
    square = Square(2.0)
    assert_type(square.area(times=3), float)
    assert_type(square.area.key(3), str)
    assert_type(square.area.refresh(3), float)
    assert_type(square.sides(2), Series[float])
    assert_type(square.doubled(2.0), float)

    assert square.area(times=3) == 12.0
    assert square.area.key(3) == square.area.key(times=3) != square.area.key()
    assert (list(square.sides(2)), square.doubled(2.0), Square.doubled(3.0)) == ([2.0, 2.0], 4.0, 6.0)
    assert (square.area.forget(3), square.area.name, square.area.__name__) == (1, Square.area.name, "area")

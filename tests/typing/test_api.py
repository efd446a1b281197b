"""The public types, as a type checker sees them: `dev.py check` reads this file, and running it shows that the calls work."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

from simcache import Cache, Step, cached

if TYPE_CHECKING:
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


def test_types_and_values_agree(tmp_path: Path) -> None:
    """A cached function keeps its signature; a generator becomes a series of its items."""
    held = cached(cache=Cache(tmp_path))(area.compute)

    assert_type(held(2.0, height=3.0), float)
    assert_type(held.key(2.0), str)
    assert_type(held.entry(2.0), "Entry | None")
    assert held(2.0, height=3.0) == 6.0


def test_a_generator_is_a_series(tmp_path: Path) -> None:
    """One item is an item, a slice is Items, and a loop gives items."""
    run = cached(cache=Cache(tmp_path))(counted.compute)(3)

    assert_type(run, "Series[int]")
    assert_type(run[0], int)
    assert_type(run[:2], "Items[int]")
    assert_type(run.stored, int)
    assert list(run[:3]) == [4, 5, 6]
    assert [item for item, _ in zip(cached(cache=Cache(tmp_path))(letters.compute)("ab"), "ab", strict=False)] == ["a", "b"]

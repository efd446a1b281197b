"""What a case of the validation is, and the table that the cases fill."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import log
from typing import Any, Literal

Order = Literal[1, 2]
BOTH: tuple[Order, ...] = (1, 2)
"""The orders of the scheme."""


@dataclass(frozen=True)
class Figure:
    """One measured number and, where something is promised, its bound."""

    name: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def bounded(self) -> bool:
        return self.at_most is not None or self.at_least is not None

    @property
    def met(self) -> bool:
        """Whether it keeps its bound; a figure without one always does, and NaN keeps none."""
        over = self.at_most is not None and not self.value <= self.at_most
        under = self.at_least is not None and not self.value >= self.at_least
        return not (over or under)


@dataclass(frozen=True)
class Group:
    """Cases that are measured alike: a heading of the page, and what its figures mean."""

    title: str
    about: str


@dataclass(frozen=True)
class Case:
    """One thing to prove; `measure` runs the engine and gives the figures."""

    name: str
    group: Group
    about: str
    measure: Callable[[], Sequence[Figure]]


@dataclass(frozen=True)
class Row:
    """What became of a case; `fault` is why it has no figures, where the engine stopped."""

    case: str
    group: str
    about: str
    figures: tuple[Figure, ...]
    fault: str = ""

    @property
    def met(self) -> bool:
        return not self.fault and all(figure.met for figure in self.figures)

    def figure(self, name: str) -> Figure:
        """The figure of this name."""
        return next(figure for figure in self.figures if figure.name == name)


@dataclass(frozen=True)
class Table:
    """All rows that were asked for, in the order of the registry."""

    rows: tuple[Row, ...]
    groups: tuple[Group, ...]

    @property
    def ok(self) -> bool:
        """Whether every bound is kept."""
        return all(row.met for row in self.rows)

    @property
    def bounds(self) -> int:
        """How many bounds there are."""
        return sum(figure.bounded for row in self.rows for figure in row.figures)

    @property
    def misses(self) -> tuple[str, ...]:
        """One sentence for each bound that is not kept."""
        return tuple(sentence for row in self.rows for sentence in _misses(row))

    def plain(self) -> dict[str, Any]:
        """The table as plain data, for JSON."""
        return {"ok": self.ok, "bounds": self.bounds, "misses": list(self.misses), "rows": [_plain(row) for row in self.rows]}


def in_full(values: Iterable[float], sizes: Sequence[int], bounds: Mapping[int, float], least_order: float | None) -> list[Figure]:
    """The errors at these numbers of cells, with bounds where there are some, and the order that the finest two show."""
    found = list(values)
    figures = [Figure(f"L1, N = {size}", value, at_most=bounds.get(size)) for size, value in zip(sizes, found, strict=True)]
    order = log(found[-2] / found[-1]) / log(sizes[-1] / sizes[-2])
    return [*figures, Figure("order", order, at_least=least_order)]


def _misses(row: Row) -> list[str]:
    if row.fault:
        return [f"{row.case}: {row.fault}"]
    told = []
    for figure in row.figures:
        if not figure.met:
            bound = f"at most {figure.at_most:.3g}" if figure.at_most is not None else f"at least {figure.at_least:.3g}"
            told.append(f"{row.case}: {figure.name} is {figure.value:.3g}, to be {bound}")
    return told


def _plain(row: Row) -> dict[str, Any]:
    figures = [asdict(figure) | {"met": figure.met if figure.bounded else None} for figure in row.figures]
    return asdict(row) | {"met": row.met, "figures": figures}

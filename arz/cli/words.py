"""Numbers as a person reads and writes them: durations, counts, tables."""

import re
from collections.abc import Sequence

import click

_SPANS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}
_LONG = (("h", 3600), ("min", 60))
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


class Span(click.ParamType[float]):
    """A length of time in seconds, as in 90, 90s, 5min, 2h."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = _AMOUNT.fullmatch(str(value))
        if match is None or match[2].lower() not in _SPANS or not float(match[1]):
            self.fail(f"{value!r} is no time above 0: write it as 90s, 5min or 2h", param, ctx)
        return float(match[1]) * _SPANS[match[2].lower()]


def span(seconds: float) -> str:
    """A length of time in the unit that fits."""
    for unit, length in _LONG:
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 road`, `2 roads`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def number(value: float) -> str:
    """Four digits, and thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"  # noqa: PLR2004 - more digits than four


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows in columns as wide as they need; those in `right` end flush."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def shortened(lines: Sequence[str], most: int, head: int = 0) -> list[str]:
    """At most so many lines after the head, and how many more there are."""
    more = len(lines) - head - most
    return [*lines[: head + most], f"… {more} more: --limit 0 shows all"] if most and more > 0 else list(lines)

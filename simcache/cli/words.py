"""Numbers as a person reads and writes them: bytes, durations, tables."""

import re
from collections.abc import Sequence

import click

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{letter}{end}": 1000**power for power, letter in enumerate("kmgt", 1) for end in ("", "b")}
_UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)}
_SPANS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_LARGE = (("TB", 1000**4), ("GB", 1000**3), ("MB", 1000**2), ("kB", 1000))
_LONG = (("days", 86400), ("h", 3600), ("min", 60))
_MILLI = 1e-3
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


class Size(click.ParamType[int]):
    """A number of bytes, as in 5GB, 500 MiB, 0."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = _AMOUNT.fullmatch(str(value))
        if match is None or match[2].lower() not in _UNITS:
            self.fail(f"{value!r} is no size: write it as 500MB, 5GB or 2GiB", param, ctx)
        return int(float(match[1]) * _UNITS[match[2].lower()])


class Span(click.ParamType[float]):
    """A length of time, as in 30d, 12h, 90s."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = _AMOUNT.fullmatch(str(value))
        if match is None or match[2].lower() not in _SPANS:
            self.fail(f"{value!r} is no time: write it as 30d, 12h, 45min or 90s", param, ctx)
        return float(match[1]) * _SPANS[match[2].lower()]


def size(count: float) -> str:
    """Bytes in the unit that fits."""
    for unit, bytes_in_it in _LARGE:
        if count >= bytes_in_it:
            return f"{count / bytes_in_it:.3g} {unit}"
    return f"{count:.0f} B"


def span(seconds: float) -> str:
    """A length of time in the units that fit."""
    for unit, length in _LONG:
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    if seconds >= 1:
        return f"{seconds:.3g} s"
    if seconds >= _MILLI:
        return f"{seconds / _MILLI:.3g} ms"
    return f"{seconds * 1e6:.0f} µs" if seconds else "0 s"


def moment(at: str) -> str:
    """When something was made, to the second."""
    return at[:19].replace("T", " ") if at else "-"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 entry`, `2 entries`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


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

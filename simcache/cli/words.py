"""Numbers and texts as a person reads and writes them: bytes, durations, tables, names that are no text."""

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
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)")
_NO_TEXT = re.compile("[\ud800-\udfff]|(?!\x1b\\[[0-9;]*m)[\0-\x08\x0b-\x1f\x7f-\x9f]")
"""Half characters, and what a terminal obeys instead of showing it, but for colours and the ends of lines."""
_LAST_BYTE = 0xFF
_BYTES = range(0xDC80, 0xDD00)
"""How Python writes the bytes of a path that are no UTF-8."""
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
    """A length of time in seconds, as in 30d, 12h, 8h30m, 90s; of a limit, which is above 0, the unit may be left out: 90."""

    name = "time"

    def __init__(self, *, limit: bool = False) -> None:
        self._limit = limit

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip().lower()
        if self._limit and _NUMBER.fullmatch(text):
            text += "s"
        parts = _PART.findall(text)
        known = all(unit in _SPANS for _, unit in parts)
        seconds = sum(float(number) * _SPANS[unit] for number, unit in parts) if known else 0.0
        whole = "".join(number + unit for number, unit in parts) == text.replace(" ", "")
        if not (parts and known and whole) or (self._limit and not seconds > 0):
            self.fail(f"{value!r} is no time{' above 0' * self._limit}: write it as 30d, 12h, 8h30m or 90s", param, ctx)
        return seconds


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


def printable(text: str) -> str:
    """The text with what no terminal shows escaped: the bytes of a path that is no UTF-8 as in b'…', half characters and control characters by number.

    Names and hosts in a shared store are what others wrote, and must not drive the terminal of whoever lists them.
    """
    return _NO_TEXT.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    byte = number - 0xDC00 if number in _BYTES else number
    return f"\\x{byte:02x}" if byte <= _LAST_BYTE else f"\\u{byte:04x}"


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

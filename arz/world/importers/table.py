"""Tables as CSV: rows whose cells are read by name, and refused with the file, the line and the column."""

import csv
import io
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from arz.errors import Invalid
from arz.world.importers.draft import refused
from arz.world.importers.elements import PACKED_ERRORS, damaged, opened, unreadable

EMPTY = frozenset({"", "nan", "null", "none", "na", "n/a"})
"""What programs write into a cell that holds nothing, in lower case."""
TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
LONGEST_CELL = 1 << 24
"""A cell may hold the line of a long road."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    file: str
    line: int
    cells: dict[str, str]

    @property
    def place(self) -> str:
        return f"line {self.line}"

    def refused(self, column: str, problem: str, remedy: str) -> Invalid:
        return refused(self.file, f"{self.place}, column {column}", problem, remedy)

    def get(self, column: str) -> str:
        """The text of a cell; empty where there is none, or a word that means nothing."""
        text = self.cells.get(column, "").strip()
        return "" if text.lower() in EMPTY else text

    def text(self, column: str) -> str:
        """The text of a cell that must not be empty."""
        text = self.get(column)
        if not text:
            found = self.cells.get(column, "").strip()
            raise self.refused(column, f"it is {found!r}" if found else "it is empty", "fill the cell")
        return text

    def number(self, column: str) -> float:
        """The finite number in a cell that must not be empty."""
        return self._number(column, self.text(column))

    def number_or(self, column: str, otherwise: float) -> float:
        """The finite number in a cell, or this one where it is empty."""
        text = self.get(column)
        return self._number(column, text) if text else otherwise

    def truth(self, column: str) -> bool | None:
        """Yes, no, or nothing."""
        text = self.get(column).lower()
        if text in TRUE:
            return True
        if text in FALSE:
            return False
        if text:
            raise self.refused(column, f"it is {text!r}", "give true or false")
        return None

    def _number(self, column: str, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.refused(column, f"it is {text!r}, not a number", "give a number with a decimal point and no unit")
        return number


def rows(path: str, needed: Iterable[str]) -> Iterator[Row]:
    """The lines of a table with a header, in lower case. Invalid if a column is missing, a line cut off, or this is no text."""
    text = _text(path)
    header, delimiter = _header(path, text)
    missing = [column for column in needed if column not in header]
    if missing:
        problem = f"the columns {', '.join(missing)} are missing; there are {', '.join(filter(None, header))}"
        raise refused(path, "line 1", problem, "add them, or name the right kind")
    for line, cells in _lines(path, text, delimiter)[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        # Spreadsheets leave commas at the end of lines, and leave out cells only where a file is cut off.
        if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
            problem = f"the line has {len(cells)} cells, the header {len(header)}"
            raise refused(path, f"line {line}", problem, "put quotes round cells with commas; if it is the last line, the file is cut off")
        yield Row(path, line, dict(zip(header, cells, strict=False)))


def _lines(path: str, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """The cells of each line, with its number; a quoted cell may go over several."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[tuple[int, list[str]]] = []
    before = csv.field_size_limit(LONGEST_CELL)
    begun = 1
    try:
        for cells in reader:
            lines.append((begun, cells))
            begun = reader.line_num + 1
    except csv.Error as error:
        raise refused(path, f"line {begun}", f"the line is broken or cut off ({error})", "write the table again") from None
    finally:
        csv.field_size_limit(before)
    return lines


def _text(path: str) -> str:
    try:
        with opened(path) as stream:
            return stream.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused(
            path, "", f"this is no text in UTF-8 ({error.reason} at byte {error.start})", "save the table as CSV in UTF-8"
        ) from None
    except PACKED_ERRORS as error:
        raise damaged(path, error) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _header(path: str, text: str) -> tuple[list[str], str]:
    first = text.split("\n", 1)[0].strip()
    if not first:
        raise refused(path, "line 1", "the table is empty", f"begin {os.path.basename(path)} with a line of column names")
    delimiter = max(",;\t", key=first.count)
    return [cell.strip().strip('"').lower() for cell in first.split(delimiter)], delimiter

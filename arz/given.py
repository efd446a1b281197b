"""What a caller gives from Python: taken as what it has to be, or refused by its name before anything is computed."""

import operator
import os
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

from arz.errors import Invalid

T = TypeVar("T")

_WIDEST = 60
"""About half a line."""


def shown(value: object) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."


def integer(path: str, given: Any, remedy: str) -> int:
    """A whole number of Python or numpy; "15", 15.0, True and 15 are four different things."""
    try:
        if not isinstance(given, bool):
            return operator.index(given)
    except TypeError:
        pass
    raise Invalid(path, f"is {shown(given)}", remedy)


def number(path: str, given: Any, remedy: str) -> float:
    """A number of Python or numpy, which may be infinite or none; a text or True is no number."""
    try:
        if isinstance(given, Real) and not isinstance(given, bool):
            return float(given)
    except OverflowError:
        pass
    raise Invalid(path, f"is {shown(given)}", remedy)


def several(path: str, given: Any, remedy: str) -> tuple[Any, ...]:
    """Things in an order: neither a set, nor a table, nor a text."""
    try:
        if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping | AbstractSet):
            return tuple(given)
    except TypeError:  # an array of no axis can be asked for its items, and has none
        pass
    raise Invalid(path, f"is {shown(given)}", remedy)


def of_kind(kind: type[T], path: str, given: Any, remedy: str) -> T:
    """Something of this kind."""
    if isinstance(given, kind):
        return given
    raise Invalid(path, f"is {shown(given)}, of the type {type(given).__name__}", remedy)


def place(given: Any, remedy: str) -> Path:
    """The path of a file or folder."""
    if isinstance(given, str | os.PathLike):
        return Path(given)
    raise Invalid("path", f"is {shown(given)}", remedy)

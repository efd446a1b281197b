"""Compiled functions (numba): what they read of their module was taken in as they were compiled, and is not what it has been set to since."""

from collections.abc import Hashable
from typing import Any
from weakref import ref

from simcache.errors import CompiledBefore

_met: dict[tuple[int, Hashable], tuple["ref[Any]", str, list[object]]] = {}
"""Of each compiled function, by its id: itself, what it read when it was met last, and what it had been compiled to by then."""


def check_compiled(name: str, function: Any, read: str, context: Hashable) -> None:
    """Raise CompiledBefore if a function is compiled, and what it reads, by this digest, is something else than when it was met before.

    What was compiled in between may have been so before or after the change: nobody knows. In another `context` digests differ.
    """
    place = (id(function), context)
    made = [*_overloads(function).values()]
    before = _met.get(place)
    if before is None or before[0]() is not function:
        _met[place] = ref(function, lambda _: _met.pop(place, None)), read, made
    elif before[1] == read or not made or (before[2] and {*map(id, before[2])}.isdisjoint(map(id, made))):
        _met[place] = before[0], read, made
    else:
        _met[place] = before[0], before[1], made  # so that it is seen when it is compiled again
        raise CompiledBefore(name)


def is_compiled(function: object) -> bool:
    """Whether this is compiled when it is called, with all that it reads then."""
    return type(function).__module__.startswith("numba.") and isinstance(_overloads(function), dict)


def _overloads(function: Any) -> Any:
    """What it has been compiled to so far; a function of arrays (`@vectorize`) is made of another one."""
    return getattr(getattr(function, "_dispatcher", function), "overloads", None)

"""Compiled functions (numba): what they read of their module was taken in as they were compiled, and is not what it has been set to since."""

from collections.abc import Hashable
from typing import Any
from weakref import ref

from simcache.errors import CompiledBefore
from simcache.identity.bytecode import same_code
from simcache.identity.forms import SCALARS

_met: dict[tuple[int, Hashable], tuple["ref[Any]", str, list[object]]] = {}
"""Of each compiled function, by its id: itself, what it read when it was met last, and what it had been compiled to by then."""


def check_compiled(name: str, function: Any, read: str, context: Hashable) -> None:
    """Raise CompiledBefore if a function is compiled, and what it reads, by this digest, is something else than when it was met before.

    What was compiled in between may have been so before or after the change: nobody knows. In another `context` digests differ.
    """
    place = (id(function), context)
    made = [*_overloads(function).values()]
    before = _met.get(place)
    is_known = before is not None and before[0]() is function
    if before and is_known and made and before[1] != read and not (before[2] and {*map(id, before[2])}.isdisjoint(map(id, made))):
        _met[place] = before[0], before[1], made  # so that it is seen when it is compiled again
        raise CompiledBefore(name)
    if not all(map(_is_as_compiled, made)):
        raise CompiledBefore(name)
    _met[place] = before[0] if before and is_known else ref(function, lambda _: _met.pop(place, None)), read, made


def is_compiled(function: object) -> bool:
    """Whether this is compiled when it is called, with all that it reads then."""
    return type(function).__module__.startswith("numba.") and isinstance(_overloads(function), dict)


def _is_as_compiled(made: Any) -> bool:
    """Whether the numbers, texts and functions that were compiled into it are still those of the names."""
    told = getattr(made, "type_annotation", None)
    names = getattr(getattr(getattr(told, "func_id", None), "func", None), "__globals__", {})
    for block in getattr(told, "blocks", {}).values():
        for statement in block.body:
            read: Any = getattr(statement, "value", None)
            if type(read).__name__ == "Global" and read.name in names and not _is_same(read.value, names[read.name]):
                return False
    return True


def _is_same(before: Any, now: Any) -> bool:
    if is_compiled(before):
        was, becomes = (getattr(getattr(one, "py_func", None), "__code__", None) for one in (before, now))
        return was is None or becomes is None or same_code(was, becomes)
    return type(before) not in SCALARS or (type(now) is type(before) and repr(now) == repr(before))


def _overloads(function: Any) -> Any:
    """What it has been compiled to so far; a function of arrays (`@vectorize`) is made of another one."""
    return getattr(getattr(function, "_dispatcher", function), "overloads", None)

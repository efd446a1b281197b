"""Functions that keep what they have made of what they read (machine code, results): setting that anew changes nothing in it."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import _lru_cache_wrapper
from typing import Any, NamedTuple
from weakref import ref

from simcache.errors import MadeBefore
from simcache.identity.forms.base import SCALARS
from simcache.identity.process.bytecode import same_code

_COMPILED = (
    "was compiled before something that it reads was changed, and still computes with what that was: "
    "define it again, call its recompile(), or start anew"
)
_REMEMBERED = "remembers results of before something that it reads was changed: call its cache_clear(), or start anew"

_RESULTS = object()
"""Stands for all results that are remembered, for nobody can tell them apart."""
_UNKNOWN = ""
"""What was read, where some of what is kept was made of one text and some of another, or nobody can tell of which."""

_met: dict[tuple[int, Hashable], tuple["ref[Any]", str, Sequence[object]]] = {}
"""Of each such function, by its id: itself, what it read when it was met last, and what it kept by then."""


class Kept(NamedTuple):
    """A function that keeps what it makes of what it reads."""

    name: str
    function: Any
    nodes: frozenset[str]
    """What it is, among the pieces of a closure."""
    reached: Sequence[str]
    """All that it leads to, itself among it."""
    read: str
    """One digest of that."""
    beyond: bool
    """Whether it leads to more than its own text and libraries."""
    edited: bool
    """Whether something of that was edited in this process after the function had been made."""


def check(one: Kept, context: Hashable) -> None:
    """Raise MadeBefore if a function keeps something, and what it reads, by this digest, is something else than when it was met before.

    What was made in between may have been so before or after the change: nobody knows. In another `context` digests differ.
    """
    name, function, read = one.name, one.function, one.read
    place = (id(function), context)
    kept = made_by(function) or ()
    before = _met.get(place)
    if before is None or before[0]() is not function:
        before = ref(function, lambda _: _met.pop(place, None)), _UNKNOWN if one.edited else read, kept if one.edited else ()
    if before[1] != read and kept and not (before[2] and {*map(id, before[2])}.isdisjoint(map(id, kept))):
        grown = remembers(function) or not {*map(id, before[2])}.issuperset(map(id, kept))
        # So that it is seen when it is made again. The change may be taken back, and what came meanwhile stays.
        _met[place] = before[0], _UNKNOWN if grown else before[1], kept
        raise MadeBefore(name, _REMEMBERED if remembers(function) else _COMPILED)
    if not remembers(function) and not all(map(_is_as_compiled, kept)):
        raise MadeBefore(name, _COMPILED)
    _met[place] = before[0], read, kept


def keeps(function: object) -> bool:
    """Whether it keeps what it makes of all that it reads then."""
    return made_by(function) is not None


def remembers(function: object) -> bool:
    """Whether it keeps its results (`lru_cache`)."""
    return isinstance(function, _lru_cache_wrapper)


def keeps_results(function: object) -> bool:
    """Whether it keeps them on disk (`joblib.Memory`)."""
    return type(function).__module__ == "joblib.memory" and hasattr(function, "store_backend")


def made_by(function: Any) -> Sequence[object] | None:
    """What it has made so far: numba's machine code, where a function of arrays (`@vectorize`) is made of another one; all results as one."""
    if remembers(function):
        return [_RESULTS] if function.cache_info().currsize else []
    if keeps_results(function):
        return [_RESULTS]
    kind = type(function)
    if not kind.__module__.startswith("numba."):
        return None
    if kind.__name__ == "CFunc":  # compiled as it is defined
        return [function]
    made = getattr(getattr(function, "_dispatcher", function), "overloads", None)
    return [*made.values()] if isinstance(made, dict) else None


def _is_as_compiled(made: Any) -> bool:
    """Whether the numbers, texts and functions that were compiled into it are still those of the names."""
    told = getattr(made, "type_annotation", None)
    names = getattr(getattr(getattr(told, "func_id", None), "func", None), "__globals__", {})
    loops = (getattr(made, "metadata", None) or {}).get("parfor_diagnostics")  # tells what is computed once, ahead of a parallel loop
    hoisted = (one for loop in getattr(loops, "hoist_info", {}).values() for one in loop["hoisted"])
    read: Iterator[Any] = (getattr(one, "value", None) for one in (*_statements(getattr(told, "blocks", {}).values()), *hoisted))
    return all(type(one).__name__ != "Global" or one.name not in names or _is_same(one.value, names[one.name]) for one in read)


def _statements(blocks: Iterable[Any]) -> Iterator[Any]:
    """Those of compiled code, and of its parallel loops, each of which is one statement and fails when asked for what it lacks."""
    for block in blocks:
        for one in block.body:
            if type(one).__name__ == "Parfor":
                yield from _statements([one.init_block, *one.loop_body.values()])
            else:
                yield one


def _is_same(before: Any, now: Any) -> bool:
    if keeps(before):
        was, becomes = (getattr(getattr(one, "py_func", None), "__code__", None) for one in (before, now))
        return was is None or becomes is None or same_code(was, becomes)
    return type(before) not in SCALARS or (type(now) is type(before) and repr(now) == repr(before))

"""Functions that keep what they have made of what they read (machine code, results): setting that anew changes nothing in it."""

from collections.abc import Hashable, Sequence
from functools import _lru_cache_wrapper
from typing import Any
from weakref import ref

from simcache.errors import MadeBefore

_COMPILED = (
    "was compiled before something that it reads was changed, and still computes with what that was: "
    "define it again, call its recompile(), or start anew"
)
_REMEMBERED = "remembers results of before something that it reads was changed: call its cache_clear(), or start anew"

_met: dict[tuple[int, Hashable], tuple["ref[Any]", str, Sequence[object]]] = {}
"""Of each such function, by its id: itself, what it read when it was met last, and what it kept by then."""


def check_kept(name: str, function: Any, read: str, context: Hashable) -> None:
    """Raise MadeBefore if a function keeps something, and what it reads, by this digest, is something else than when it was met before.

    What was made in between may have been so before or after the change: nobody knows. In another `context` digests differ.
    """
    place = (id(function), context)
    kept = _kept_by(function) or ()
    before = _met.get(place)
    if before is None or before[0]() is not function:
        _met[place] = ref(function, lambda _: _met.pop(place, None)), read, kept
    elif before[1] == read or not kept or (before[2] and {*map(id, before[2])}.isdisjoint(map(id, kept))):
        _met[place] = before[0], read, kept
    else:
        _met[place] = before[0], before[1], kept  # so that it is seen when it is made again
        raise MadeBefore(name, _REMEMBERED if remembers(function) else _COMPILED)


def keeps(function: object) -> bool:
    """Whether it keeps what it makes of all that it reads then."""
    return _kept_by(function) is not None


def remembers(function: object) -> bool:
    """Whether it keeps its results (`lru_cache`)."""
    return isinstance(function, _lru_cache_wrapper)


def _kept_by(function: Any) -> Sequence[object] | None:
    """What it has made so far: numba's machine code, where a function of arrays (`@vectorize`) is made of another one; all results as one."""
    if remembers(function):
        return [_met] if function.cache_info().currsize else []
    if not type(function).__module__.startswith("numba."):
        return None
    made = getattr(getattr(function, "_dispatcher", function), "overloads", None)
    return [*made.values()] if isinstance(made, dict) else None

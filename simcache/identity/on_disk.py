"""What others keep on disk by the text of one function alone (numba, joblib): made anew if something else that it reads was edited, or not trusted."""

import contextlib
import os
import sys
from collections.abc import Hashable, Sequence
from typing import Any
from weakref import WeakSet

from simcache.errors import MadeBefore
from simcache.home import user_folder
from simcache.identity.frozen import Kept, keeps_results, made_by, remembers
from simcache.identity.piece import digest_of

_LOADED = "was loaded as numba keeps it on disk, maybe of before an edit elsewhere, which is thrown away now: start anew"
_HALVES = "is kept on disk by numba, where nobody can tell whether it was compiled before an edit elsewhere: leave `cache=True` out"
"""In two files, of which only one could be thrown away: with the other alone the process ends."""
_RESULTS = "gives results that joblib keeps, maybe of before an edit elsewhere: put @cached in the place of joblib's"
_old: "WeakSet[Any]" = WeakSet()
"""Functions that cannot be compiled again in this process, and were loaded as they had been compiled before an edit."""


def make_anew(found: Sequence[Kept], context: Hashable) -> None:
    """Have nothing on disk, nor made of it in this process, that was compiled while something that it reads was something else.

    What was there before a note of ours was made may have been compiled at any time. In another `context` digests differ.
    """
    notes = {id(one.function): path for one in found if not _lasting(one) and (path := _note_of(one.function, context))}
    old = [one for one in found if id(one.function) in notes and _read(notes[id(one.function)]) != one.read]
    ran = frozenset().union(*(one.nodes for one in old if made_by(one.function)))
    for one in sorted(found, key=lambda one: len(one.reached)) if old else ():  # first what others take into their code
        if one in old or (made_by(one.function) and not ran.isdisjoint(one.reached)):
            _make_anew(one)
    for one in old:
        _write(notes[id(one.function)], one.read)
    for one in found:
        if reason := _lasting(one) or (_LOADED if one.function in _old else ""):
            raise MadeBefore(one.name, reason)


def _make_anew(one: Kept) -> None:
    function = one.function
    try:
        if remembers(function):
            function.cache_clear()
        elif hasattr(function, "recompile"):
            function.recompile()  # what is on disk is thrown away, even if nothing was loaded of it yet
        elif not _lasting(one):
            if made_by(function):
                _old.add(function)
            _cache_of(function).flush()
    except OSError as problem:
        raise MadeBefore(
            one.name, f"is kept compiled by numba, maybe of before an edit, and that cannot be thrown away ({problem})"
        ) from problem


def _lasting(one: Kept) -> str:
    """Why nothing that it gives can be stored, if so. Their owners look at the text of the function itself."""
    if not one.beyond:
        return ""
    if keeps_results(one.function):
        return _RESULTS
    return _HALVES if type(one.function).__name__ == "GUFunc" and _folder_of(one.function) else ""


def _note_of(function: Any, context: Hashable) -> str | None:
    """Where it is written down what a function read that numba keeps on disk; None if it keeps nothing of it there."""
    folder = _folder_of(function)
    if not folder:
        return None
    inner = _compiled(function)
    code = (getattr(inner, "py_func", None) or inner.__wrapped__).__code__
    # Its folder is told already: numba's is beside it. That of a notebook's cell lies in another one in each session.
    place = (folder, os.path.basename(code.co_filename), code.co_qualname, str(code.co_firstlineno))
    return os.path.join(user_folder(), "compiled", digest_of(*place, repr(context), *map(str, sys.version_info[:2])))


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def _write(path: str, read: str) -> None:
    # A note only saves time: where none can be written, the next process has it compiled once more.
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(read)


def _folder_of(function: Any) -> str:
    return str(getattr(_cache_of(function), "cache_path", None) or "")


def _cache_of(function: Any) -> Any:
    """The record of numba itself of what it keeps on disk of a function: no public name gives that of functions of arrays."""
    inner = _compiled(function)
    return getattr(inner, "_cache", None) or getattr(inner, "cache", None)


def _compiled(function: Any) -> Any:
    return getattr(function, "_dispatcher", function)

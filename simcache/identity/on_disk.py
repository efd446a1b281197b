"""Machine code that numba keeps on disk (`cache=True`) by the file of the function alone: made anew if something else that it reads was edited."""

import contextlib
import os
import sys
from collections.abc import Hashable, Sequence
from typing import Any
from weakref import WeakSet

from simcache.errors import MadeBefore
from simcache.home import user_folder
from simcache.identity.frozen import COMPILED, Kept, made_by, remembers
from simcache.identity.piece import digest_of

_old: "WeakSet[Any]" = WeakSet()
"""Functions that cannot be compiled again in this process, and were loaded as they had been compiled before an edit."""


def make_anew(found: Sequence[Kept], context: Hashable) -> None:
    """Have nothing on disk, nor made of it in this process, that was compiled while something that it reads was something else.

    What was there before a note of ours was made may have been compiled at any time. In another `context` digests differ.
    """
    notes = {id(one.function): path for one in found if (path := _note_of(one.function, context)) is not None}
    old = {id(one.function): one for one in found if id(one.function) in notes and _read(notes[id(one.function)]) != one.read}
    ran = frozenset().union(*(one.nodes for one in old.values() if made_by(one.function)))
    for one in sorted(found, key=lambda one: len(one.reached)) if old else ():  # first what others take into their code
        if id(one.function) in old or (made_by(one.function) and not ran.isdisjoint(one.reached)):
            _make_anew(one)
    for place, one in old.items():
        # A note only saves time: where none can be written, the next process has it compiled once more.
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(notes[place]), exist_ok=True)
            with open(notes[place], "w", encoding="ascii") as file:
                file.write(one.read)
    for one in found:
        if one.function in _old:
            raise MadeBefore(one.name, COMPILED)


def _make_anew(one: Kept) -> None:
    function = one.function
    try:
        if remembers(function):
            function.cache_clear()
        elif hasattr(function, "recompile"):
            function.recompile()  # what is on disk is thrown away, even if nothing was loaded of it yet
        else:
            if made_by(function):
                _old.add(function)
            _cache_of(function).flush()
    except OSError as problem:
        raise MadeBefore(
            one.name, f"is kept compiled by numba, maybe of before an edit, and that cannot be thrown away ({problem})"
        ) from problem


def _note_of(function: Any, context: Hashable) -> str | None:
    """Where it is written down what a function read that numba keeps on disk; None if it keeps nothing of it there."""
    folder = getattr(_cache_of(function), "cache_path", None)
    if folder is None:
        return None
    code = _compiled(function).py_func.__code__  # whose file the folder is beside; that of a notebook lies in another one each time
    place = digest_of(
        str(folder), code.co_filename, code.co_qualname, str(code.co_firstlineno), repr(context), *map(str, sys.version_info[:2])
    )
    return os.path.join(user_folder(), "compiled", place)


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def _cache_of(function: Any) -> Any:
    """The record of numba itself of what it keeps on disk of a function: no public name gives that of functions of arrays."""
    inner = _compiled(function)
    return getattr(inner, "_cache", None) or getattr(inner, "cache", None)


def _compiled(function: Any) -> Any:
    return getattr(function, "_dispatcher", function)

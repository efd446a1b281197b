"""What others keep on disk by the text of one function alone (numba, joblib): made anew if something else that it reads was edited, or not trusted."""

import contextlib
import glob
import os
import sys
from collections.abc import Hashable, Sequence
from types import CellType, CodeType, FunctionType
from typing import Any
from weakref import WeakSet

from simcache.errors import MadeBefore
from simcache.home import user_folder
from simcache.identity.process.began import LOADING
from simcache.identity.process.frozen import Kept, keeps_results, made_by, remembers
from simcache.identity.text.piece import digest_of

_LOADED = "was loaded as numba keeps it on disk, maybe of before an edit elsewhere, which is thrown away now: start anew"
_HALVES = "is kept on disk by numba, where nobody can tell whether it was compiled before an edit elsewhere: leave `cache=True` out"
"""In two files, of which only one could be thrown away: with the other alone the process ends."""
_RESULTS = "gives results that joblib keeps, maybe of before an edit elsewhere: put @cached in the place of joblib's"
_old: "WeakSet[Any]" = WeakSet()
"""Functions that cannot be compiled again in this process, and were loaded as they had been compiled before an edit."""
_sure: "WeakSet[Any]" = WeakSet()
"""Functions of which this process has nothing from before it asked for their note."""


class Inside:
    """A function inside another one, which numba may compile as that runs: what it keeps of it on disk is there before the function is."""

    def __init__(self, code: CodeType, names: dict[str, Any]) -> None:
        from numba.core.caching import FunctionCache

        self.py_func = FunctionType(code, names, code.co_name, None, tuple(CellType() for _ in code.co_freevars))
        self.py_func.__qualname__ = code.co_qualname
        self.cache: Any = None
        with contextlib.suppress(RuntimeError):  # numba can keep nothing of it
            self.cache = FunctionCache(self.py_func)


def make_anew(found: Sequence[Kept], context: Hashable) -> None:
    """Have nothing on disk, nor made of it in this process, that was compiled while something that it reads was something else.

    What was there before a note of ours was made may have been compiled at any time. In another `context` digests differ.
    """
    notes = {id(one.function): path for one in found if not _in_halves(one.function) and (path := _note_of(one.function, context))}
    old = [one for one in found if id(one.function) in notes and not _is_new(one, notes[id(one.function)])]
    ran = frozenset().union(*(one.nodes for one in old if made_by(one.function) or isinstance(one.function, Inside)))
    for one in sorted(found, key=lambda one: len(one.reached)) if old else ():  # first what others take into their code
        if one in old or (made_by(one.function) and not ran.isdisjoint(one.reached)):
            _make_anew(one)
    for one in old:
        _write(notes[id(one.function)], one.read)
    _sure.update(one.function for one in found if id(one.function) in notes)
    for one in found:
        if reason := _lasting(one) or (_LOADED if one.function in _old else ""):
            raise MadeBefore(one.name, reason)


def _is_new(one: Kept, note: str) -> bool:
    """Whether its note tells what it reads now, and was there before this process could load anything that the note does not know of."""
    read, since = _read(note)
    return read == one.read and (since < LOADING or one.function in _sure or not made_by(one.function))


def _make_anew(one: Kept) -> None:
    function = one.function
    try:
        if remembers(function):
            function.cache_clear()
        elif hasattr(function, "recompile"):
            _throw_away(function)
            _compile(function)
        elif not _lasting(one):
            if made_by(function):
                _old.add(function)
            _throw_away(function)
    except OSError as problem:
        raise MadeBefore(
            one.name, f"is kept compiled by numba, maybe of before an edit, and that cannot be thrown away ({problem})"
        ) from problem


def _compile(function: Any) -> None:
    from numba.core.errors import NumbaError

    with contextlib.suppress(NumbaError):  # for types that the new text does not take, which says so when it is called with such
        function.recompile()


def _throw_away(function: Any) -> None:
    """Have nothing of it on disk, even if nothing was loaded of it yet.

    numba itself would empty its index, and later name the same files there again before it writes them: who loads them in between, or
    after the writer was killed, would have what they held before.
    """
    folder, name = _folder_of(function), _function_in(function).__qualname__.replace("<", "").replace(">", "")
    for path in glob.glob(os.path.join(glob.escape(folder), f"*.{name}-*.nb[ic]")) if folder else ():
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            os.remove(path)


def _lasting(one: Kept) -> str:
    """Why nothing that it gives can be stored, if so. Their owners look at the text of the function itself."""
    if not one.beyond:
        return ""
    if keeps_results(one.function):
        return _RESULTS
    return _HALVES if _in_halves(one.function) and _folder_of(one.function) else ""


def _in_halves(function: object) -> bool:
    return type(function).__name__ == "GUFunc"


def _note_of(function: Any, context: Hashable) -> str | None:
    """Where it is written down what a function read that numba keeps on disk; None if it keeps nothing of it there."""
    folder = _folder_of(function)
    if not folder:
        return None
    code = _function_in(function).__code__
    # Its folder is told already: numba's is beside it. That of a notebook's cell lies in another one in each session.
    place = (type(function).__name__, folder, os.path.basename(code.co_filename), code.co_qualname, str(code.co_firstlineno))
    return os.path.join(user_folder(), "compiled", digest_of(*place, repr(context), *map(str, sys.version_info[:2])))


def _read(path: str) -> tuple[str, int]:
    """What a note tells, and since when."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read(), os.fstat(file.fileno()).st_mtime_ns
    except (OSError, ValueError):
        return "", 0


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


def _function_in(function: Any) -> Any:
    inner = _compiled(function)
    return getattr(inner, "py_func", None) or inner.__wrapped__


def _compiled(function: Any) -> Any:
    return getattr(function, "_dispatcher", function)

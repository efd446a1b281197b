"""From a function's name to the function: for `call`, and for computing stored results again."""

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
import typing
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from simcache.cli.root import Told
from simcache.decorator import Bound, Cached
from simcache.upkeep.rerun import NotFound


class Function:
    """A cached function, as `verify --rerun` needs it."""

    def __init__(self, cached: "Cached[..., Any]") -> None:
        self._cached = cached
        self.compute = cached.compute
        self.into = cached.into
        self.codec = cached.options.codec
        self.hints: Mapping[str, object] = hints_of(cached)

    def version(self) -> str:
        return self._cached.fingerprint().version

    def key(self, *args: Any, **kwargs: Any) -> str:
        return self._cached.key(*args, **kwargs)


def find(name: str) -> Function:
    """The cached function that results of this name belong to (`package.module.Class.method`); NotFound says why not."""
    if "<locals>" in name:
        raise NotFound(name, "it is defined inside another function, which nobody can import")
    parts = name.split(".")
    for split in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:split])
        if not _exists(module_name):
            continue
        try:
            held = _attribute(_imported(module_name), parts[split:])
        except (AttributeError, Told) as problem:
            raise NotFound(name, str(problem)) from None
        if not isinstance(held, Cached):
            raise NotFound(name, "it is no @cached function any more")
        if held.name != name:
            raise NotFound(name, f"what has this name keeps its results as {held.name}")
        return Function(held)
    raise NotFound(name, f"no module {parts[0]} can be imported from here (a script cannot be, nor a notebook)")


def cached_at(target: str) -> "Cached[..., Any] | Bound[Any]":
    """The cached function that a person names as `module:function`; Told says what is wrong."""
    module_name, colon, path = target.partition(":")
    if not colon or not module_name or not path:
        raise Told(f"{target!r} is no function: write module:function, as in model:simulate or package.model:Class.method")
    if not _exists(module_name):
        raise Told(f"there is no module {module_name!r} in {os.getcwd()} or among what is installed: check the name and the folder")
    module = _imported(module_name)
    try:
        held = _attribute(module, path.split("."))
    except AttributeError:
        offered = sorted(name for name, held in vars(module).items() if isinstance(held, Cached))
        raise Told(f"{module_name} has no {path!r}; its cached functions are: {', '.join(offered) or 'none'}") from None
    if not isinstance(held, (Cached, Bound)):
        raise Told(f"{target} is not cached: put @cached above it")
    return held


def importable_from_here() -> None:
    """Let modules of the current folder be imported, as `python -m` does."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def hints_of(cached: "Cached[..., Any] | Bound[Any]") -> Mapping[str, object]:
    """The annotated types of its arguments, those that can be read."""
    function = inspect.unwrap(cached.compute)
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # an annotation is any expression
        return {name: hint for name, hint in getattr(function, "__annotations__", {}).items() if not isinstance(hint, str)}


def where(problem: BaseException) -> str:
    """The innermost place of an exception outside of this program, as `file:line`."""
    frames = [frame for frame in traceback.extract_tb(problem.__traceback__) if not _is_ours(frame.filename)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"


def _is_ours(path: str) -> bool:
    return path.startswith("<") or os.sep.join(("", "simcache", "")) in path or os.sep.join(("", "importlib", "")) in path


def _exists(module: str) -> bool:
    importable_from_here()
    try:
        return module in sys.modules or importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
    except Exception as problem:  # looking for a.b imports a, which may raise anything
        raise Told(f"importing {module} raised {type(problem).__name__}: {problem} ({where(problem)})") from None


def _imported(module: str) -> ModuleType:
    importable_from_here()
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as problem:  # a module may raise anything while it is imported
        if isinstance(problem, SyntaxError):
            raise Told(f"{module} is no Python: {problem.msg} ({problem.filename}:{problem.lineno})") from None
        raise Told(f"importing {module} raised {type(problem).__name__}: {problem} ({where(problem)})") from None


def _attribute(holder: Any, path: list[str]) -> Any:
    for name in path:
        holder = getattr(holder, name)
    return holder

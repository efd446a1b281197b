"""The arguments of a call by their names, and what the annotations of a function say of them and of its result."""

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from simcache.errors import BadSettings

RESUME = "resume"
"""The argument that a series goes on with: the cache gives it, and it is part of no key."""


class Binder:
    """From the arguments of a call to their names, defaults filled in."""

    def __init__(self, name: str, function: Callable[..., Any], ignore: tuple[str, ...]) -> None:
        self._said = getattr(function, "__qualname__", repr(function))
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters.values()
        self.names = tuple(parameter.name for parameter in parameters)
        unknown = set(ignore) - set(self.names)
        if unknown:
            raise BadSettings(
                f"@cached(ignore={ignore!r})",
                f"the function has no argument {min(unknown)!r}: it has {', '.join(self.names)}",
            )
        is_series = inspect.isgeneratorfunction(inspect.unwrap(function))
        if is_series and RESUME in self.names and self.signature.parameters[RESUME].default is not None:
            raise TypeError(f"{name}: the cache gives `{RESUME}`, and None to start: write {RESUME}=None")
        self._unkeyed = frozenset({*ignore, RESUME} if is_series else ignore)
        self._simple = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
        self._defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self._sentinels = {name: default for name, default in self._defaults.items() if type(default) is object}
        self._needed = frozenset(self.names) - self._defaults.keys()

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name; TypeError as the function itself would raise it."""
        if self._simple and len(args) <= len(self.names):
            given = dict(zip(self.names, args, strict=False))
            if len(given) == len(self.names) and not kwargs:
                return given
            total = len(given) + len(kwargs)
            given.update(kwargs)
            bound = {**self._defaults, **given}
            if len(given) == total and len(bound) == len(self.names) and self._needed <= given.keys():
                return bound
        try:
            arguments = self.signature.bind(*args, **kwargs)
        except TypeError as problem:
            raise TypeError(f"{self._said}() {problem}") from None
        arguments.apply_defaults()
        return arguments.arguments

    def keyed(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Those that are part of the key; a bare `object()` that stands for an argument left out is left out."""
        if not self._unkeyed and not self._sentinels:
            return arguments
        return {
            name: value
            for name, value in arguments.items()
            if name not in self._unkeyed and (name not in self._sentinels or value is not self._sentinels[name])
        }


def result_type(function: Callable[..., Any]) -> object:
    """The annotated return type, as `result_type` tells it; most functions have none, and need not load what reads one."""
    plain = inspect.unwrap(function)
    if getattr(plain, "__annotations__", {}).get("return") is None:
        return types.NoneType if isinstance(plain, types.FunctionType) else None
    from simcache.codecs import reach

    return reach.result_type(function)


def annotated_files(function: Callable[..., Any], signature: inspect.Signature) -> Mapping[str, object]:
    """The parameters that are annotated as files; most functions have none, and need not load what finds them.

    Before the class is loaded no annotation can be it, but a text may name it.
    """
    texts = [parameter.annotation for parameter in signature.parameters.values() if isinstance(parameter.annotation, str)]
    if "simcache.codecs.file" not in sys.modules and not any("File" in text or "Folder" in text for text in texts):
        return {}
    from simcache.codecs import bare

    return bare.annotated_files(function, signature)


def hints(function: Callable[..., Any]) -> dict[str, object]:
    """The annotated types of a function; none where they cannot be evaluated (names that only a type checker sees)."""
    try:
        return typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except Exception:  # evaluating annotations runs any expression
        return dict(getattr(function, "__annotations__", {}))

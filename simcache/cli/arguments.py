"""From JSON to the arguments that a function's annotations ask for: numbers, paths, dates, enums, dataclasses, models, arrays."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, NewType, TypeVar, Union
from uuid import UUID

_SHOWN = 60


class Unfit(Exception):
    """A JSON value that is not what the annotation asks for; names its path."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


_FROM_TEXT: Mapping[type, Callable[[str], Any]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    Decimal: Decimal,
    UUID: UUID,
    complex: complex,
}


def bound(function: Callable[..., Any], hints: Mapping[str, object], given: Mapping[str, Any]) -> inspect.BoundArguments:
    """The arguments of a call, each converted by its annotation; Unfit names the one that does not fit, is missing or unknown."""
    signature = inspect.signature(function)
    named = {name: p for name, p in signature.parameters.items() if p.kind is not p.VAR_KEYWORD and name != "resume"}
    rest = next((name for name, p in signature.parameters.items() if p.kind is p.VAR_KEYWORD), None)
    unknown = [name for name in given if name not in named]
    if unknown and rest is None:
        raise Unfit(unknown[0], f"the function has no such argument; it has {', '.join(named) or 'none'}")
    missing = [name for name, p in named.items() if name not in given and p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    if missing:
        raise Unfit(missing[0], "is needed, and not among the arguments")
    arguments: dict[str, Any] = {}
    for name, parameter in named.items():
        if name in given:
            hint: Any = hints.get(name, Any)
            if parameter.kind is parameter.VAR_POSITIONAL:
                hint = types.GenericAlias(tuple, (hint, ...))
            arguments[name] = converted(given[name], hint, name)
    if rest is not None and unknown:
        arguments[rest] = {name: converted(given[name], hints.get(rest, Any), name) for name in unknown}
    return inspect.BoundArguments(signature, arguments)


def converted(value: Any, hint: Any, path: str) -> Any:
    """A JSON value as the annotated type; Unfit if it cannot be one."""
    try:
        return _converted(value, hint, path)
    except RecursionError:
        raise Unfit(path, "it is nested too deep") from None


def _converted(value: Any, hint: Any, path: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object, inspect.Parameter.empty):
        return value
    if hint is None or hint is type(None):
        return _only(value is None, value, path, "null")
    if origin is Annotated:
        return _converted(value, inner[0], path)
    if isinstance(hint, NewType):
        return _converted(value, hint.__supertype__, path)
    if isinstance(hint, TypeVar):
        return _converted(value, hint.__bound__ or Any, path)
    if origin in (Union, types.UnionType):
        return _one_of(value, inner, path)
    if origin is Literal:
        return _only(any(value == one and type(value) is type(one) for one in inner), value, path, f"one of {', '.join(map(repr, inner))}")
    kind = origin or hint
    if not isinstance(kind, type):
        raise Unfit(path, f"{hint} cannot be given as JSON")
    return _as(value, kind, inner, path)


def _as(value: Any, kind: type, inner: tuple[Any, ...], path: str) -> Any:
    if kind is float:
        return _made(float, _only(type(value) in (int, float), value, path, "a number"), path)
    if kind in (bool, int, str):
        return _only(type(value) is kind, value, path, {bool: "true or false", int: "a whole number", str: "a text"}[kind])
    if issubclass(kind, Enum):
        return _member(value, kind, path)
    if kind in _FROM_TEXT or issubclass(kind, PurePath):
        return _made(_FROM_TEXT.get(kind, kind), _only(isinstance(value, str), value, path, f"the text of a {kind.__name__}"), path)
    if kind is timedelta:
        return _made(
            lambda seconds: timedelta(seconds=seconds), _only(type(value) in (int, float), value, path, "a number of seconds"), path
        )
    if hasattr(kind, "model_validate"):
        return _made(kind.model_validate, value, path)
    if dataclasses.is_dataclass(kind):
        return _record(value, kind, [field.name for field in dataclasses.fields(kind) if field.init], path)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        fields: tuple[str, ...] = kind._fields
        as_dict = dict(zip(fields, value, strict=False)) if isinstance(value, list) and len(value) == len(fields) else value
        return _record(as_dict, kind, fields, path)
    if typing.is_typeddict(kind):
        return _record(value, kind, kind.__annotations__, path)
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return _array(value, path)
    if issubclass(kind, (str, bytes, bytearray)):
        raise Unfit(path, f"a {kind.__name__} cannot be given as JSON")
    if issubclass(kind, Mapping) or kind is dict:
        return _mapping(value, inner, path)
    if issubclass(kind, Collection) or kind.__module__ in ("collections.abc", "builtins"):
        return _collection(value, kind, inner, path)
    return _made(kind, value, path)


def _one_of(value: Any, choices: tuple[Any, ...], path: str) -> Any:
    """A value of a union: of the choice that has the JSON's own type, else of the first that takes it."""
    exact = [choice for choice in choices if choice is type(value) or (choice is dict and isinstance(value, dict))]
    said = []
    for choice in (*exact, *choices):
        try:
            return _converted(value, choice, path)
        except Unfit as problem:
            said.append(str(problem))
    raise Unfit(
        path, f"{_short(value)} fits none of {', '.join(getattr(choice, '__name__', str(choice)) for choice in choices)}; {said[-1]}"
    )


def _member(value: Any, kind: type[Enum], path: str) -> Enum:
    for member in kind:
        if value == member.name or (value == member.value and type(value) is type(member.value)):
            return member
    raise Unfit(path, f"{_short(value)} is none of {', '.join(member.name for member in kind)}")


def _record(value: Any, kind: type, fields: Collection[str], path: str) -> Any:
    _only(isinstance(value, dict), value, path, f"an object with the fields of {kind.__name__}")
    for name in value:
        if name not in fields:
            raise Unfit(f"{path}.{name}", f"{kind.__name__} has no such field; it has {', '.join(fields)}")
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except Exception:  # an annotation is any expression
        hints = {}
    held = {name: _converted(item, hints.get(name, Any), f"{path}.{name}") for name, item in value.items()}
    return _made(lambda fields: kind(**fields), held, path)


def _mapping(value: Any, inner: tuple[Any, ...], path: str) -> dict[Any, Any]:
    _only(isinstance(value, dict), value, path, "an object")
    keys, items = inner or (Any, Any)
    return {_key(key, keys, path): _converted(item, items, f"{path}[{key!r}]") for key, item in value.items()}


def _key(key: str, kind: Any, path: str) -> Any:
    """JSON has texts alone as keys."""
    return _made(kind, key, f"{path}[{key!r}]") if kind in (int, float) else _converted(key, kind, f"{path}[{key!r}]")


def _collection(value: Any, kind: type, inner: tuple[Any, ...], path: str) -> Any:
    _only(isinstance(value, list), value, path, "a list")
    if issubclass(kind, tuple) and inner and inner[-1] is not ...:
        if len(inner) != len(value):
            raise Unfit(path, f"{len(value)} items, and {len(inner)} are needed")
        return tuple(_converted(item, hint, f"{path}[{place}]") for place, (item, hint) in enumerate(zip(value, inner, strict=True)))
    hint = inner[0] if inner else Any
    items = [_converted(item, hint, f"{path}[{place}]") for place, item in enumerate(value)]
    if kind.__name__ in ("Set", "MutableSet"):
        return _made(frozenset, items, path)
    return _made(kind, items, path) if kind in (tuple, set, frozenset) else items


def _array(value: Any, path: str) -> Any:
    import numpy as np

    _only(isinstance(value, (list, int, float)), value, path, "a list of numbers")
    return _made(np.asarray, value, path)


def _made(make: Callable[[Any], Any], value: Any, path: str) -> Any:
    try:
        return make(value)
    except Unfit:
        raise
    except Exception as problem:  # constructors and validators raise what they like
        first = next((f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in _errors_of(problem)), str(problem))
        raise Unfit(path, f"{_short(value)} is refused: {first}") from None


def _errors_of(problem: Exception) -> list[dict[str, Any]]:
    """The single errors of a pydantic validation."""
    listed = getattr(problem, "errors", None)
    return list(listed()) if callable(listed) else []


def _only(fits: bool, value: Any, path: str, wanted: str) -> Any:
    if not fits:
        raise Unfit(path, f"{_short(value)} is not {wanted}")
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

"""A bare path where a File or a Folder is annotated: its content is to count, and only its name would; it is refused."""

import os
import typing
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, Signature, unwrap
from types import FunctionType, UnionType
from typing import Annotated, Any, Final, Union

from simcache.codecs.file import File, Folder
from simcache.codecs.reach import resolved
from simcache.errors import Unkeyable

_KINDS: Final = (File, Folder)
_SEQUENCES: Final = (list, tuple, set, frozenset)


def annotated_files(function: Callable[..., Any], signature: Signature) -> dict[str, Any]:
    """The parameters whose annotation asks for a File or a Folder, itself or within a collection, and what it is."""
    plain = unwrap(function)
    scope = plain.__globals__ if isinstance(plain, FunctionType) else {}
    found: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        hint: Any = resolved(parameter.annotation, scope, {})
        if any(part is kind for part in _parts(hint) for kind in _KINDS):
            rest: dict[Any, Any] = {Parameter.VAR_POSITIONAL: tuple[hint, ...], Parameter.VAR_KEYWORD: dict[str, hint]}
            found[name] = rest.get(parameter.kind, hint)
    return found


def refuse_bare_paths(hints: Mapping[str, Any], arguments: Mapping[str, object]) -> None:
    """Unkeyable names the first argument that is a path and not the File or Folder that its annotation asks for."""
    for name, hint in hints.items():
        for path, value, kind in _bare(arguments.get(name), hint, name) if name in arguments else ():
            what = f"{kind.__name__}({os.fspath(value)!r})"
            raise Unkeyable(path, f"the content of a {kind.__name__} is to count, and {value!r} is only a name: pass {what}")


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in typing.get_args(hint):
        yield from _parts(part)


def _bare(value: Any, hint: Any, path: str) -> Iterator[tuple[str, Any, type]]:
    """The paths in a value that stand where the annotation asks for a File or a Folder: where, what, and which of the two."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is File or hint is Folder:
        if isinstance(value, (str, bytes, os.PathLike)) and not isinstance(value, _KINDS):
            yield path, value, hint
    elif origin is Annotated:
        yield from _bare(value, inner[0], path)
    elif origin in (Union, UnionType):
        fitting = [list(_bare(value, choice, path)) for choice in inner if _takes(choice, value)]
        if fitting:
            yield from min(fitting, key=len)  # a path where a text will do as well is the author's will
        else:
            for choice in inner:
                yield from _bare(value, choice, path)
    elif isinstance(value, Mapping) and len(inner) == len(("key", "value")):
        for key, item in value.items():
            yield from _bare(item, inner[1], f"{path}[{key!r}]")
    elif isinstance(value, _SEQUENCES) and inner:
        same = not isinstance(value, tuple) or inner[-1] is ...
        for place, item in enumerate(value):
            if same or place < len(inner):
                yield from _bare(item, inner[0 if same else place], f"{path}[{place}]")


def _takes(choice: Any, value: object) -> bool:
    """Whether one choice of a union is a type that a value is of."""
    kind = typing.get_origin(choice) or choice
    return kind is Any or (isinstance(kind, type) and isinstance(value, kind))

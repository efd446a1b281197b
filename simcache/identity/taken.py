"""A code version once it is taken: what was followed, and what must stay as it was for the version to hold."""

import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from simcache.identity.files import Signature, signature_of

_CONTAINERS = (dict, list, set)
_COPIED = 256
"""Containers up to this many items are watched for changes in place, larger ones for being replaced."""


class Fingerprint(NamedTuple):
    """What code a function is made of, as this process loaded it."""

    version: str
    parts: Mapping[str, str]
    """`module:name` of everything that was followed, and its digest."""
    outside: frozenset[str]
    """Packages that the code reaches and that are recorded, not keyed."""
    files: Mapping[str, Signature]
    guards: tuple["Guard", ...]

    def holds(self) -> bool:
        """Whether every name still stands for the object that it stood for when this was taken; asked at every hit."""
        for names, name, held, inside, detail in self.guards:
            if names.get(name, ABSENT) is not held:
                return False
            if inside is not None:
                try:
                    if inside(held) != detail:
                        return False
                except ValueError:  # an array has come in, which does not compare to one truth
                    return False
        return True

    def files_unchanged(self) -> bool:
        return all(signature_of(path) == signature for path, signature in self.files.items())


class Names(Protocol):
    """Something that tells what a name stands for now: a namespace, or a captured variable."""

    def get(self, name: str, default: object, /) -> object: ...


class Variable(NamedTuple):
    """One captured variable, asked like a namespace."""

    cell: types.CellType

    def get(self, _name: str, default: object, /) -> object:
        try:
            return self.cell.cell_contents
        except ValueError:  # it is not bound now
            return default


class Guard(NamedTuple):
    """One name that must still stand for one object, or for none."""

    names: Names
    name: str
    held: object
    inside: Callable[[Any], object] | None
    """Tells what of the object may change in place: a function's code and defaults, what a container or a record holds."""
    detail: object


ABSENT = object()


def guard_of(names: Names, name: str, held: object, *, record: bool = False) -> Guard:
    """A guard of a name; a `record` is an instance whose attributes are watched too."""
    inside: Callable[[Any], object] | None = None
    if isinstance(held, types.FunctionType):
        inside = _of_function
    elif type(held) in _CONTAINERS and len(held) <= _COPIED:  # type: ignore[arg-type]
        inside = _copied
    elif record:
        inside = _of_record
    return Guard(names, name, held, inside, None if inside is None else inside(held))


def _of_function(function: types.FunctionType) -> tuple[object, ...]:
    return function.__code__, function.__defaults__, function.__kwdefaults__, dict(vars(function))


def _of_record(record: Any) -> object:
    return _copied(dict(vars(record)))


def _copied(held: Any) -> Any:
    """Containers copied, what they hold kept."""
    if type(held) is dict:
        return {key: _copied(value) for key, value in held.items()}
    return [_copied(value) for value in held] if type(held) is list else held.copy() if type(held) is set else held

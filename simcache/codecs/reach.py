"""Which classes a stored value may be rebuilt as: those that the annotated type leads to, never one named by the data."""

import inspect
import sys
import typing
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Annotated, Any, Final, ForwardRef, Literal, NewType, TypeVar

from simcache.identity.process.modules import MAIN, module_name, own_function

# Their subclasses and their own annotations lead to no class that a user has annotated.
_FOREIGN: Final = sys.stdlib_module_names | {"numpy", "pandas", "pydantic", "torch", "typing_extensions"}
_LIMIT: Final = 512

_known: dict[int, tuple[object, "Reach"]] = {}


class Reach:
    """The classes that one annotated type leads to: its own, those of their fields, and the loaded subclasses of all these."""

    def __init__(self, into: object) -> None:
        self._into = into
        self._walk: _Walk | None = None

    def find(self, name: str) -> type | None:
        """The class of this name (`module:qualname`), if the annotated type leads to one."""
        held = None if self._walk is None else self._walk.classes.get(name)
        if held is None or _as_now_defined(held) is not held:
            self._walk = _Walk(self._into)  # also the second time: a subclass may have been loaded since, or a class defined again
            held = self._walk.classes.get(name)
        return held

    def doubts(self) -> str:
        """Which annotations could not be followed, to be added to a message; empty if all could."""
        doubts = self._walk.doubts if self._walk is not None else []
        return f" ({'; '.join(doubts[:3])})" if doubts else ""


class _Walk:
    """One look through an annotated type, nearest classes first."""

    def __init__(self, into: object) -> None:
        self.classes: dict[str, type] = {}
        self.doubts: list[str] = []
        todo = deque((into,))
        seen: dict[int, object] = {}
        while todo:
            part = todo.popleft()
            if id(part) not in seen:
                seen[id(part)] = part  # kept, so that no other part gets its id
                todo.extend(self._next(part))

    def _next(self, part: Any) -> Iterator[object]:
        """What a piece of an annotation leads to."""
        if isinstance(part, Unresolved | ForwardRef | str):
            self.doubts.append(f"the annotation {part} could not be read")
        elif (origin := typing.get_origin(part)) is not None:
            yield from _arguments(origin, part)
        elif isinstance(part, list):  # of parameters, in a Callable
            yield from part
        elif isinstance(part, TypeVar):
            yield from (part.__bound__, *part.__constraints__)
        elif isinstance(part, NewType):
            yield part.__supertype__
        elif type(part).__name__ == "TypeAliasType":  # `type X = …`, from Python 3.12
            yield self._alias(part)
        elif isinstance(part, type):
            yield from self._class(part)

    def _alias(self, part: Any) -> object:
        try:
            return part.__value__
        except Exception as problem:
            return Unresolved(str(part), f"{type(problem).__name__}: {problem}")

    def _class(self, part: type) -> Iterator[object]:
        if part.__module__ == "builtins":
            return
        part = _as_now_defined(part)
        self.classes.setdefault(name_of(part), part)
        if part.__module__ in MAIN:  # so were they named once
            self.classes.setdefault(f"__main__:{part.__qualname__}", part)
        if part.__module__.partition(".")[0] in _FOREIGN:
            return
        yield from type.__subclasses__(part)
        yield from vars(part).get("__orig_bases__", ())
        if not issubclass(part, Enum):
            yield from self._annotations(part)

    def _annotations(self, part: type) -> Iterator[object]:
        """The types of a class's fields; what cannot be read is doubted, and the rest still counts."""
        fields = getattr(part, "__pydantic_fields__", None)
        if isinstance(fields, dict):  # pydantic has resolved them itself
            yield from (field.annotation for field in fields.values())
        try:
            yield from typing.get_type_hints(part, include_extras=True).values()
        except Exception:  # an annotation is any expression: read one by one, to keep the good ones
            names = {found.__name__: found for found in self.classes.values()}
            for base in part.__mro__:
                if base.__module__.partition(".")[0] not in _FOREIGN | {"builtins"}:
                    scope = vars(sys.modules.get(base.__module__, ModuleType("none")))
                    for annotation in inspect.get_annotations(base).values():
                        yield resolved(annotation, scope, names)


class Unresolved:
    """An annotation that could not be read, and why."""

    def __init__(self, text: str, reason: str) -> None:
        self._said = f"{text!r} ({reason})"

    def __str__(self) -> str:
        return self._said


def reach(into: object) -> Reach:
    """The classes that an annotated type leads to; the same type is looked through once."""
    held = _known.get(id(into))
    if held is None or held[0] is not into:
        if len(_known) >= _LIMIT:
            _known.clear()
        held = _known[id(into)] = (into, Reach(into))
    return held[1]


def result_type(function: Callable[..., object]) -> object:
    """The annotated return type of a function, read where the function stands; None if it has none.

    Asked at the first call, not at decoration: text annotations may name classes that are defined further down. One that
    cannot be read is Unresolved, which leads to no class and says so when a class is asked for.
    """
    plain = inspect.unwrap(function)
    annotation = getattr(plain, "__annotations__", {}).get("return")
    if not isinstance(plain, FunctionType):
        return annotation
    return resolved(annotation, plain.__globals__, _enclosed(plain))


def resolved(annotation: object, scope: dict[str, Any], names: dict[str, Any]) -> object:
    """An annotation with its text read as code in this scope; Unresolved if that fails."""
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, scope, names, include_extras=True)["it"]
    except Exception as problem:
        return Unresolved(str(annotation), f"{type(problem).__name__}: {problem}")


def _as_now_defined(kind: type) -> type:
    """The class that stands now where this one stood: a cell was run again, or a module loaded again, and code makes the new one."""
    module = getattr(sys.modules.get(kind.__module__), "__dict__", {})  # asking the module itself could run its own `__getattr__`
    found: Any = module
    for name in kind.__qualname__.split("."):
        found = (found if found is module else getattr(found, "__dict__", {})).get(name)
    if found is kind or not isinstance(found, type) or _likeness(found) != _likeness(kind):
        return kind
    return kind if any(held is kind for held in module.copy().values()) else found  # two that are made with one name may stand side by side


def _likeness(kind: type) -> tuple[object, ...]:
    """What a class has in common with what it was before its text was run again."""
    held = vars(kind)
    return kind.__module__, kind.__qualname__, [*held.get("__annotations__", ())], held.get("_member_names_"), held.get("_fields")


def name_of(kind: type) -> str:
    """How the data names a class: one of a script as if the script were imported, which is how another program meets it."""
    if kind.__module__ not in MAIN:
        return f"{kind.__module__}:{kind.__qualname__}"
    # A class that was shipped by value to a worker, and has no code of its own, does not tell from where.
    held = vars(sys.modules["__main__"]).get(kind.__qualname__.partition(".")[0])
    return f"{module_name(kind) if held is not None or own_function(kind) is not kind else '__main__'}:{kind.__qualname__}"


def _arguments(origin: object, part: Any) -> Iterator[object]:
    if origin is Annotated:
        yield part.__origin__
    elif origin is Literal:
        yield from (type(value) for value in typing.get_args(part))
    else:
        yield origin
        yield from typing.get_args(part)


def _enclosed(function: FunctionType) -> dict[str, Any]:
    """The variables of the enclosing functions that a function uses, as far as they have a value."""
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):
            found[name] = cell.cell_contents
    return found

"""What the loaded objects of a module tell that its text does not: names bound anew at run time, and files edited since."""

import contextlib
import inspect
import sys
import types
from collections.abc import Container, Iterator, Mapping
from typing import Any, Protocol

from simcache.errors import SourceChanged, Unkeyable
from simcache.identity.bytecode import same_code
from simcache.identity.files import held_when_noted, is_new, is_outside, times_reloaded
from simcache.identity.forms import SCALARS
from simcache.identity.live import Live, check_code, which
from simcache.identity.modules import Module, place_in, target, underlying
from simcache.identity.piece import Piece
from simcache.identity.taken import ABSENT, Guard, Names, guard_of

_PLAIN = (*SCALARS, tuple, frozenset)
_TABLES = (dict, list, set)
_ADD_NOTHING = frozenset("dataclass final runtime_checkable total_ordering".split())
"""Decorators that give a class no attribute but of Python's own kind, with two underscores."""

_first_seen: dict[tuple[int, str, int], Guard] = {}
"""What a name of a module stood for when it was first followed after a load; what it holds later was bound or changed at run time."""
_first_told: dict[tuple[int, str, int], tuple[object, str]] = {}
"""The value of something that changes as it is used, as it was when it was first asked."""


class Guarding(Protocol):
    """The part of a closure that is told what must stay as it is."""

    counted: frozenset[str]

    def guard(self, names: Names, name: str, held: object, *, record: bool = False, inside: bool = True) -> None: ...
    def watch(self, held: object) -> None: ...


class Loaded:
    """Compares the text of the project's modules with their loaded names."""

    def __init__(self, closure: Guarding, objects: Live) -> None:
        self.closure = closure
        self.objects = objects

    def difference(self, module: Module, name: str, piece: Piece) -> str:
        """What the object of a name is beyond its text, as text; empty if it is just that, or not loaded."""
        namespace = module.namespace
        if namespace is None or name not in namespace:
            return ""
        held = namespace[name]
        if piece.state or f"{module.name}:{name}" in self.closure.counted:
            return self.objects.registered(held, module, deep=False) if piece.kind == "data" else self._checked(module, held)
        self.closure.guard(namespace, name, held)
        if piece.kind == "data":
            return self._data(module, namespace, name, piece, held)
        if piece.kind == "class":
            return "|".join(self._class(module, name, piece, held))
        return "|".join(self._function(module, name, piece, held))

    def _checked(self, module: Module, held: object) -> str:
        for member in (*_members(held).values(), held):
            self._check_text(module, member)
        return self.objects.registered(held, module, deep=False) if isinstance(held, type) else ""

    def _check_text(self, module: Module, function: object) -> types.FunctionType | None:
        """The plain function inside, known to be what its file says now if it is of this file."""
        inner = underlying(function)
        if not isinstance(inner, types.FunctionType):
            return None
        if inner.__code__.co_filename == module.file.path and is_new(module.file):
            check_code(module, inner.__code__)
        return inner

    def _function(self, module: Module, name: str, piece: Piece, held: Any) -> Iterator[str]:
        path = f"{module.name}.{name}"
        inner = self._check_text(module, held)
        expected = piece.simple and not piece.decorators
        if inner is None:
            if expected:
                yield self.objects.live(held, path)
            return
        own = inner.__code__.co_filename == module.file.path and inner.__code__.co_qualname == name
        # A decorator may give a function of its own, but none that stands somewhere by itself.
        replaced = piece.simple and not own and "<locals>" not in inner.__code__.co_qualname
        if (expected and not own) or replaced or (piece.simple and piece.bare and held is not inner):
            yield self.objects.follow(held, path)
        if isinstance(registry := getattr(held, "registry", None), Mapping):  # functools.singledispatch
            yield from sorted(f"{kind.__qualname__}={self.objects.follow(function, path)}" for kind, function in registry.items())
        if own:
            yield from self._defaults(inner, piece, path)
            if piece.reads_outside:
                yield from self._read_in(module, inner, path)
            attributes = {key: value for key, value in vars(inner).items() if not key.startswith("__") and isinstance(value, _PLAIN)}
            if attributes and (piece.bare or not piece.simple):  # what a decorator gives it, the decorator's text tells
                with contextlib.suppress(Unkeyable):  # something in a tuple: the statement that sets it has to do
                    yield self.objects.value(attributes, path)

    def _defaults(self, function: types.FunctionType, piece: Piece, path: str) -> Iterator[str]:
        """Default values that are not those of the text."""
        code = function.__code__
        defaults = function.__defaults__ or ()
        names = code.co_varnames[: code.co_argcount]
        held = {**dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)), **(function.__kwdefaults__ or {})}
        for name, digest in (constant.split(" ") for constant in piece.constants):
            now = self.objects.value_digest(held[name], path) if name in held else "none"
            if now != digest:
                yield f"{name}={now}"

    def as_it_stands(self, module: Module, name: str) -> str:
        """The value of a name that others have set up or that was read from somewhere, watched from now on; its kind where it has no form.

        Something that changes as it is used counts as it was when it was first asked.
        """
        namespace, path = module.namespace or {}, f"{module.name}.{name}"
        held = namespace[name]
        inner = underlying(held)
        if module.file.summary.names[name].made_by and isinstance(inner, (type, types.FunctionType)):
            wrapper = [self.objects.follow(held, path)] if isinstance(held, types.FunctionType) and held.__closure__ else []
            return "|".join([*self._read_in(module, inner, path), *wrapper])
        try:
            if self.objects.is_plain(held) or isinstance(underlying(held), types.FunctionType):
                told = self.objects.live(held, path, of=module, reduces=True)
                self.closure.guard(namespace, name, held, record=self.objects.is_record(held))
                return told
            seen = (id(namespace), name, times_reloaded(module.file.path))
            if seen not in _first_told or _first_told[seen][0] is not held:
                _first_told[seen] = held, self.objects.digest_now(held, path, module)
            return f"{self.objects.registered(held, module)} {_first_told[seen][1]}"
        except Unkeyable:
            return self.objects.registered(held, module)

    def _read_in(self, module: Module, held: Any, path: str) -> Iterator[str]:
        """Defaults of a function, or attributes of a class, that were read from outside when the module was loaded, as far as they are data."""
        values = {f"default {index}": value for index, value in enumerate(_defaults_of(held))} if not isinstance(held, type) else {}
        for name, member in self._own_members(held) if isinstance(held, type) else ():
            if isinstance(method := underlying(member), types.FunctionType):
                values |= {f"{name} default {index}": value for index, value in enumerate(_defaults_of(method))}
            elif not name.startswith("__"):
                values[name] = member
        for name, value in sorted(values.items()):
            own = not self.objects.is_foreign(type(value))
            if own or (not callable(value) and not hasattr(type(value), "__get__")):
                try:
                    yield f"{name}={self.objects.value(value, f'{path}.{name}', of=module, reduces=True)}"
                except Unkeyable:  # an open file, say: its text has to do
                    continue

    def _own_members(self, cls: type) -> Iterator[tuple[str, object]]:
        """What a class has, and the classes of the project that it is built upon, and what its fields are where nothing is given."""
        for base in reversed(cls.__mro__):
            if not self.objects.is_foreign(base):
                yield from vars(base).items()
                for name, inner in vars(base).items():
                    if isinstance(inner, type) and inner.__qualname__ == f"{base.__qualname__}.{name}":
                        yield from ((f"{name}.{key}", held) for key, held in self._own_members(inner) if not key.startswith("__"))
        fields = getattr(cls, "__pydantic_fields__", None)
        for name, field in fields.items() if isinstance(fields, dict) else ():
            yield name, getattr(field, "default", None)

    def _class(self, module: Module, name: str, piece: Piece, held: Any) -> Iterator[str]:
        path = f"{module.name}.{name}"
        if not isinstance(held, type):
            if piece.simple and not piece.decorators:
                yield self.objects.live(held, path)
            return
        if piece.simple and not piece.decorators and held.__qualname__ != name:
            yield self.objects.follow(held, path)
            return
        for base in held.__mro__[1:]:
            if not self.objects.is_foreign(base) and (made_in := self.objects.module_of(base)) is not None:
                self.objects.check_class(made_in, base)
        counted = self._counted(held)
        constants = dict(constant.split(" ") for constant in piece.constants if constant.partition(" ")[0] not in counted)
        remade = _is_remade(piece, held)
        come = set() if remade else {name for name in vars(held) if not name.startswith("_")}.difference(piece.attributes, counted)
        self.closure.watch(held)
        for key, member in _members(held).items():
            function = self._check_text(module, member)
            if function is not None:
                name_in_class = key.partition(".")[0]
                self.closure.guard(vars(held), name_in_class, vars(held)[name_in_class])
                # Somebody else has put a function around it, and kept it inside; Python itself makes a class method of `__init_subclass__`.
                wrapped = not remade and key in piece.bare_methods and member is not function and isinstance(member, types.FunctionType)
                if wrapped or (not _is_of(function, module, name) and not _is_generated(key, function)):
                    yield f"{key}={self.objects.follow(member, f'{path}.{key}')}"
            elif key in constants and isinstance(member, _PLAIN) and not isinstance(member, held):
                yield from self._set_anew(held, key, member, constants[key], path)
            elif key in come and isinstance(member, _PLAIN):
                self.closure.guard(vars(held), key, member)
                with contextlib.suppress(Unkeyable):
                    yield f"{key}={self.objects.value_digest(member, f'{path}.{key}')}"

        yield from self._inner(held, path, constants)
        if piece.reads_outside:
            yield from self._read_in(module, held, path)
        if registered := self.objects.registered(held, module):
            yield registered

    def _set_anew(self, held: type, key: str, member: object, digest: str, path: str) -> Iterator[str]:
        """A plain attribute of a class, if it is not what the text says; a member of an enumeration is held for good."""
        self.closure.guard(vars(held), key, member)
        now = self.objects.value_digest(member, f"{path}.{key}")
        if now != digest:
            yield f"{key}={now}"

    def set_in(self, module: Module, name: str, piece: Piece) -> str:
        """What functions of a module, of which none may run, have set in a class of it: plain values that its text tells, but no counters."""
        held = (module.namespace or {}).get(name)
        if module.namespace is None or not isinstance(held, type):
            return ""
        self.closure.guard(module.namespace, name, held)
        names = module.file.summary.names
        counts = {chain for changer in piece.changed_by if changer in names for chain in names[changer].counts}
        counted = self._counted(held) | {chain.partition(".")[2] for chain in counts if chain.startswith(f"{name}.")}
        constants = dict(constant.split(" ") for constant in piece.constants if constant.partition(" ")[0] not in counted)
        path, found = f"{module.name}.{name}", list[str]()
        for key, digest in constants.items():
            member = vars(held).get(key)
            if key in vars(held) and isinstance(member, _PLAIN) and not isinstance(member, held):
                found += self._set_anew(held, key, member, digest, path)
        return "|".join([*found, *self._inner(held, path, constants)])

    def _inner(self, held: type, path: str, constants: Mapping[str, str]) -> Iterator[str]:
        """The attributes of classes inside a class that are not what the text says."""
        for chain, digest in constants.items():
            *inside, name = chain.split(".")
            owner: object = held
            for step in inside:
                owner = vars(owner).get(step) if isinstance(owner, type) else None
            member = vars(owner).get(name, ABSENT) if inside and isinstance(owner, type) else ABSENT
            if isinstance(owner, type) and isinstance(member, _PLAIN) and not isinstance(member, owner):
                self.closure.guard(vars(owner), name, member)
                now = self.objects.value_digest(member, f"{path}.{chain}")
                if now != digest:
                    yield f"{chain}={now}"

    def _counted(self, held: type) -> set[str]:
        """The attributes of a class that code which is reached counts up."""
        return {
            place.rpartition(".")[2] for base in held.__mro__ for place in self.closure.counted if place.startswith(f"{place_in(base)}.")
        }

    def tables(self, module: Module, name: str, piece: Piece, filled: Container[str]) -> str:
        """The lists, dicts and sets of a class that are not what its text says, but for those that code which is reached changes."""
        held = (module.namespace or {}).get(name)
        if not isinstance(held, type):
            return ""
        found = []
        for key, digest in (constant.split(" ") for constant in piece.constants):
            member = vars(held).get(key)
            if type(member) in _TABLES and key not in filled:
                self.closure.guard(vars(held), key, member)
                with contextlib.suppress(Unkeyable):  # of what it has come to hold, functions and classes count
                    now = self.objects.value_digest(member, f"{module.name}.{name}.{key}", of=module)
                    found += [] if now == digest else [f"{key}={now}"]
        return "|".join(found)

    def _data(self, module: Module, namespace: dict[str, Any], name: str, piece: Piece, held: object) -> str:
        path = f"{module.name}.{name}"
        guard = guard_of(namespace, name, held)
        noted = held_when_noted(module.file.path, namespace, name) if piece.simple else held
        if noted is not held:  # somebody has bound it anew since the one statement that makes it
            guard = Guard(namespace, name, noted, None, None)
        first = _first_seen.setdefault((id(namespace), name, times_reloaded(module.file.path)), guard)
        if piece.value:
            digest = self.objects.value_digest(held, path)
            return "" if digest == piece.value else digest
        if not first.holds():
            return self.objects.live(held, path, of=module, reduces=True)
        if module.before is not None:  # what was worked out at import may be made of values that were edited since
            raise SourceChanged(module.file.path)
        inner = underlying(held)
        captures = isinstance(inner, types.FunctionType) and inner.__closure__ is not None
        if piece.reads_outside:
            return self.as_it_stands(module, name)
        record = self.objects.is_record(held)
        if captures or record:
            try:
                told = self.objects.live(held, path, of=module)
            except Unkeyable:  # an open file, say: its text has to do
                return ""
            self.closure.guard(namespace, name, held, record=record)
            return told
        if isinstance(inner, types.FunctionType) and inner.__code__.co_qualname == name:  # chosen by an `if` or a `try`
            here = inner.__code__.co_filename == module.file.path
            return which(module, inner.__code__, piece) if here else self.objects.follow(held, path)
        return self.objects.registered(held, module)

    def imported(self, module: Module, name: str, piece: Piece) -> str:
        """What an imported name stands for, if that is something else than what was imported."""
        namespace = module.namespace
        if namespace is None or name not in namespace:
            return ""
        held = namespace[name]
        seen = (id(namespace), name, times_reloaded(module.file.path))
        first = _first_seen.setdefault(seen, Guard(namespace, name, held, None, None))
        same = first.holds() and any(self._stands_for(module, link, held) for link in piece.links)
        self.closure.guard(namespace, name, held, inside=not same)  # where it comes from, what is inside is watched
        return "" if same else f"={self.objects.live(held, f'{module.name}.{name}')}"

    def _stands_for(self, module: Module, link: str, held: object) -> bool:
        absolute, chain = target(module, link)
        source, attribute = sys.modules.get(absolute), ".".join(chain)
        if source is None:
            return isinstance(held, types.ModuleType) or not attribute
        if not attribute:
            return held is source
        if self.objects.project.module(absolute) is None and not isinstance(held, types.FunctionType):
            return True
        found = inspect.getattr_static(source, attribute, None)
        return found is held or found is None or sys.modules.get(f"{absolute}.{attribute}") is held or _same_text(found, held)


def _defaults_of(function: types.FunctionType) -> list[object]:
    return [*(function.__defaults__ or ()), *(value for _, value in sorted((function.__kwdefaults__ or {}).items()))]


def _members(held: object) -> dict[str, Any]:
    """What a class body made; of a property the function that reads it."""
    members = dict(vars(held)) if isinstance(held, type) else {}
    for name, member in list(members.items()):
        if isinstance(member, property):
            members[name] = member.fget
            members.update({f"{name}.{kind}": function for kind, function in (("set", member.fset), ("del", member.fdel)) if function})
    return members


def _is_remade(piece: Piece, held: type) -> bool:
    """Whether others than a class's body (a decorator, a metaclass, a base class, another statement) may have made what it has."""
    return (
        not piece.simple
        or not _ADD_NOTHING.issuperset(chain.rpartition(".")[2] for chain in piece.decorators)
        or type(held).__module__ not in ("abc", "builtins", "typing")
        or any("__init_subclass__" in vars(base) for base in held.__mro__[1:-1] if base.__module__ != "typing")
    )


def _is_of(function: types.FunctionType, module: Module, name: str) -> bool:
    return function.__code__.co_filename == module.file.path and function.__code__.co_qualname.startswith(f"{name}.")


def _is_generated(name: str, function: types.FunctionType) -> bool:
    """A method that a class decorator or a base class has made up, or that belongs to an installed package."""
    filename = function.__code__.co_filename
    return (filename.startswith("<") and name.startswith("__")) or (not filename.startswith("<") and is_outside(filename))


def _same_text(one: object, other: object) -> bool:
    """Two objects of one definition (a module was loaded twice, or reloaded)."""
    first, second = underlying(one), underlying(other)
    if not (
        isinstance(first, types.FunctionType) and isinstance(second, types.FunctionType) and same_code(first.__code__, second.__code__)
    ):
        return False
    # Code tells nothing of what was captured, nor of defaults that are no plain values.
    defaults, others = ([(type(value), value) for value in _defaults_of(function)] for function in (first, second))
    plain = all(kind in SCALARS for kind, _ in (*defaults, *others))
    return not first.__closure__ and not second.__closure__ and plain and defaults == others

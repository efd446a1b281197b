"""What the loaded objects of a module tell that its text does not: names bound anew at run time, and files edited since."""

import contextlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from functools import partial, singledispatchmethod
from typing import Any, Protocol

from simcache.errors import BoundAnew, SourceChanged, Unkeyable
from simcache.identity.forms.attributes import is_data, is_pythons
from simcache.identity.forms.base import SCALARS
from simcache.identity.process.at_first import is_changed, member_of
from simcache.identity.process.bytecode import is_of_file, qualname_of, same_code
from simcache.identity.process.files import codes_of, held_when_noted, is_new, is_outside, times_reloaded
from simcache.identity.process.library_data import LibraryData, data_of, may_be_record
from simcache.identity.process.live import Live, check_code, which
from simcache.identity.process.modules import Module, place_in, target, underlying
from simcache.identity.process.taken import ABSENT, Guard, Names, guard_of
from simcache.identity.text.piece import Piece
from simcache.named_tuple import NamedTuple

_PLAIN = (*SCALARS, tuple, frozenset)
_TABLES = (dict, list, set)
_MAKES_CLASSES = frozenset("__init__ __new__ __prepare__".split())
"""Methods of a metaclass that may give attributes to the classes which it makes."""
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
    def lead_to(self, node: str) -> None: ...
    def count(self, *held: object) -> None: ...
    def watch(self, held: object) -> None: ...
    def watch_data(self, data: LibraryData) -> None: ...


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
            if piece.kind == "data":
                return self.objects.registered(held, module, deep=False)
            self._check_text(module, held)
            if any(chain.endswith("singledispatch") for chain in piece.decorators):
                self.closure.guard(namespace, name, held, inside=False)
                if self._is_bound_anew(module, name, piece, held):
                    return self._bound_anew(held, f"{module.name}.{name}", module)
            # What is registered by a decorator counts as a change of it.
            return "|".join(self.objects.registry(held, f"{module.name}.{name}"))
        self.closure.guard(namespace, name, held)
        if piece.kind == "data":
            told = self._data(module, namespace, name, piece, held)
            return told if piece.value else told + self.objects.changed_in(held, f"{module.name}.{name}", module)
        if piece.kind == "class":
            return "|".join(self._class(module, name, piece, held))
        return "|".join(self._function(module, name, piece, held))

    def note_bases(self, module: Module, name: str) -> None:
        """A class is made by those of its bases, too, that are told of it."""
        held = (module.namespace or {}).get(name)
        for base in held.__mro__[1:] if isinstance(held, type) else ():
            if "__init_subclass__" in vars(base) and not self.objects.is_foreign(base):
                source, _, place = place_in(base).partition(":")
                self.closure.lead_to(f"{source}:{place.partition('.')[0]}")

    def _check_text(self, module: Module, function: object) -> types.FunctionType | None:
        """The plain function inside, known to be what its file says now if it is of this file."""
        inner = underlying(function)
        if not isinstance(inner, types.FunctionType):
            return None
        if is_of_file(inner, module.file.path) and is_new(module.file):
            check_code(module, inner)
        return inner

    def _function(self, module: Module, name: str, piece: Piece, held: Any) -> Iterator[str]:
        path = f"{module.name}.{name}"
        inner = self._check_text(module, held)
        expected = piece.simple and not piece.decorators
        anew = self._is_bound_anew(module, name, piece, held)
        if anew:
            self._check_mock(held, path)
        if inner is None:
            if expected or anew:
                yield self._bound_anew(held, path, module)
            return
        own = inner.__code__.co_filename == module.file.path and qualname_of(inner) == name
        # A decorator may give a function of its own, but none that stands somewhere by itself.
        replaced = not own and "<locals>" not in inner.__code__.co_qualname
        if (expected and not own) or replaced or (piece.simple and piece.bare and held is not inner) or anew:
            yield self.objects.follow(held, path)
        yield from self.objects.registry(held, path)
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
                is_record = self.objects.is_record(held)
                self.closure.guard(namespace, name, held, record=is_record)
                for record in () if is_record else self.objects.records_in(held):  # those in a record are watched with it
                    self.closure.watch(record)
                return told
            self.closure.guard(namespace, name, held, inside=False)
            if (data := data_of(held)) is not None:
                self.closure.watch_data(data)
                return f"{self.objects.registered(held, module)} {self.objects.digest_now(held, path, module)}"
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
            if own or not (isinstance(value, (type, types.BuiltinFunctionType)) or hasattr(type(value), "__get__")):
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
        expected = piece.simple and not piece.decorators
        anew = self._is_bound_anew(module, name, piece, held)
        if not isinstance(held, type):
            if expected or anew:
                yield self._bound_anew(held, path, module)
            return
        if (expected and held.__qualname__ != name) or anew:
            yield self.objects.follow(held, path)
            return
        for base in held.__mro__[1:]:
            if not self.objects.is_foreign(base) and (made_in := self.objects.module_of(base)) is not None:
                self.objects.check_class(made_in, base)
        yield from self._attributes(module, _Body.of(piece, held), held)
        if piece.reads_outside:
            yield from self._read_in(module, held, path)
        if registered := self.objects.registered(held, module, deep=not piece.changed_by):
            yield registered

    def _attributes(self, module: Module, body: "_Body", held: type, inside: str = "") -> Iterator[str]:
        """What a class has that its text does not say, and each one `inside` it, but for what code that is reached keeps there."""
        kept, path = self._kept(held), f"{module.name}.{held.__qualname__}"
        self.closure.watch(held)
        for key, member in _members(held).items():
            own, place = key.partition(".")[0], f"{inside}{_as_written(key, held)}"
            if _as_written(own, held) in kept:
                continue
            self._check_mock(member, f"{path}.{key}")
            function = self._check_text(module, member)
            if function is not None:
                self.closure.guard(vars(held), own, vars(held)[own])
                if body.is_replaced(module, held, place, member, function):
                    yield f"{place}={self.objects.follow(member, f'{path}.{key}')}"
            elif isinstance(member, type) and member.__qualname__ == f"{held.__qualname__}.{key}":
                self.closure.guard(vars(held), key, member)
                yield from self._attributes(module, body, member, f"{place}.")
            elif isinstance(member, types.ModuleType):
                self.closure.guard(vars(held), key, member)
                yield f"{place}={self.objects.live(member, path)}"
            elif not isinstance(member, _TABLES) and not _is_instance(member, held):  # a member of an enumeration is held for good
                yield from self._value(module, body, held, key, place)
                if not is_data(key, member) and not key.startswith("__"):
                    yield from self._put_into(module, body, held, key, place)

    def _value(self, module: Module, body: "_Body", held: type, key: str, place: str) -> Iterator[str]:
        """An attribute of a class that is data, where it is another one than its text says, or than it was when it was first followed."""
        member = vars(held)[key]
        if not (self.objects.is_fixed(member) or self.objects.is_plain(member)) or key.startswith("__"):
            return
        self.closure.guard(vars(held), key, member, record=self.objects.is_record(member))
        first = _first_member(module, held, key, place)
        other = body.is_other(module, held, place, member)
        if not other if other is not None else first.holds() and not is_changed(member):
            return
        with contextlib.suppress(Unkeyable):  # something in a tuple: the statement that sets it has to do
            path = f"{module.name}.{held.__qualname__}.{key}"
            now = (
                self.objects.value_digest(member, path)
                if isinstance(member, _PLAIN)
                else self.objects.live(member, path, of=module, reduces=True)
            )
            if now != body.constants.get(place):
                yield f"{place}={now}"

    def _put_into(self, module: Module, body: "_Body", held: type, key: str, place: str) -> Iterator[str]:
        """A descriptor, or an object that is called, if it has come to a class since that was first followed: the text tells the one of the body."""
        member = vars(held)[key]
        self.closure.guard(vars(held), key, member)
        first = _first_member(module, held, key, place)
        if body.has_come(held, place) or not first.holds():
            yield from self.objects.put_into(held, key, member)
        elif isinstance(member, singledispatchmethod):
            yield from self.objects.registry(member.dispatcher, f"{module.name}.{held.__qualname__}.{key}", beyond=held.__qualname__)

    def _kept(self, held: type) -> set[str]:
        """The attributes of a class in which code that is reached keeps something itself."""
        bases = [f"{place_in(base)}." for base in held.__mro__]
        return {place.removeprefix(base) for place in self.closure.counted for base in bases if place.startswith(base)}

    def tables(self, module: Module, name: str, piece: Piece, fills: Callable[[str], bool]) -> str:
        """The lists, dicts, sets and library data of a class that are not what its text says, but for those that code which is reached changes."""
        held = (module.namespace or {}).get(name)
        if not isinstance(held, type):
            return ""
        return "|".join(self._tables(module, _Body.of(piece, held), held, "", fills))

    def _tables(self, module: Module, body: "_Body", held: type, inside: str, fills: Callable[[str], bool]) -> Iterator[str]:
        kept = self._kept(held)
        for key, member in list(vars(held).items()):
            name = _as_written(key, held)
            place = f"{inside}{name}"
            if isinstance(member, type) and member.__qualname__ == f"{held.__qualname__}.{key}":
                yield from self._tables(module, body, member, f"{place}.", fills)
                continue
            if is_pythons(key) or name in kept or fills(name):
                continue
            path = f"{module.name}.{held.__qualname__}.{key}"
            if type(member) in _TABLES:
                self.closure.guard(vars(held), key, member)
                if place in body.constants or is_changed(member):
                    with contextlib.suppress(Unkeyable):  # of what it has come to hold, functions and classes count
                        now = self._digest(member, path, module)
                        if now != body.constants.get(place):
                            yield f"{place}={now}"
            elif data_of(member) is not None:
                self.closure.guard(vars(held), key, member, inside=False)
                if member_of(held, key, member) is not member:
                    yield f"{place}={self._digest(member, path, module)}"
            if changed := self.objects.changed_in(member, path, module):
                yield f"{place}{changed}"

    def _digest(self, held: object, path: str, module: Module) -> str:
        """By its value; what has no form may be taken apart where it is known that it is another one than it was."""
        try:
            return self.objects.value_digest(held, path, of=module)
        except Unkeyable:
            return self.objects.value_digest(held, path, of=module, reduces=True)

    def _data(self, module: Module, namespace: dict[str, Any], name: str, piece: Piece, held: object) -> str:
        path = f"{module.name}.{name}"
        first = self._first(module, name, piece, guard_of(namespace, name, held))
        if piece.value:
            try:
                digest = self.objects.value_digest(held, path)
            except Unkeyable as problem:
                raise BoundAnew(path, type(held).__qualname__) from problem
            if digest == piece.value:
                return ""
            self.closure.count(held)
            return digest
        if not first.holds():
            return self._bound_anew(held, path, module, reduces=True)
        if is_changed(held) and (self.objects.is_record(held) or not may_be_record(held)):
            with contextlib.suppress(BoundAnew):  # what has no form in it may be what another module has registered
                return self._bound_anew(held, path, module, reduces=True)
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
                told = ""
            self.closure.guard(namespace, name, held, record=record)
            return told
        if isinstance(inner, types.FunctionType) and inner.__code__.co_qualname == name:  # chosen by an `if` or a `try`
            here = inner.__code__.co_filename == module.file.path
            return (
                which(partial(codes_of, module.file), inner.__code__, piece, as_written=module.as_written)
                if here
                else self.objects.follow(held, path)
            )
        return self.objects.registered(held, module)

    def _first(self, module: Module, name: str, piece: Piece, guard: Guard) -> Guard:
        """What a name stood for when its module was loaded, as far as that is known, else when the name was first followed (the `guard` of now)."""
        namespace = module.namespace or {}
        noted = held_when_noted(module.file, namespace, name, once=piece.simple)
        if noted is not guard.held:  # somebody has bound it anew since the one statement that makes it
            guard = Guard(namespace, name, noted, None, None)
        return _first_seen.setdefault((id(namespace), name, times_reloaded(module.file.path)), guard)

    def _is_bound_anew(self, module: Module, name: str, piece: Piece, held: object) -> bool:
        """Whether a function or class stands there no more that the statements of the module have put there."""
        return not self._first(module, name, piece, Guard(module.namespace or {}, name, held, None, None)).holds()

    def _bound_anew(self, held: object, path: str, module: Module, *, reduces: bool = False) -> str:
        """What somebody has put in the place of what the text says: all that is set in it from now on counts, too.

        Data may be taken apart, where a part without a form counts by its type.
        """
        self._check_mock(held, path)
        self.closure.count(held)
        try:
            return self.objects.live(held, path, of=module, reduces=reduces)
        except Unkeyable as problem:
            raise BoundAnew(path, type(held).__qualname__) from problem

    def _check_mock(self, held: object, path: str) -> None:
        """Raise BoundAnew for a mock, or a function that `create_autospec` made: no two have another form, whatever they give."""
        mock: Any = getattr(sys.modules.get("unittest.mock"), "NonCallableMock", None)
        for one in () if mock is None else (held, vars(held).get("mock") if isinstance(held, types.FunctionType) else None):
            if issubclass(type(one), mock):
                raise BoundAnew(path, type(one).__qualname__)

    def imported(self, module: Module, name: str, links: tuple[str, ...]) -> str:
        """What an imported name stands for, if that is something else than what was imported."""
        namespace = module.namespace
        if namespace is None or name not in namespace:
            return ""
        held = namespace[name]
        seen = (id(namespace), name, times_reloaded(module.file.path))
        noted = held_when_noted(module.file, namespace, name, once=False)
        first = _first_seen.setdefault(seen, Guard(namespace, name, noted, None, None))
        same = first.holds() and any(self._stands_for(module, link, held) for link in links)
        self.closure.guard(namespace, name, held, inside=not same)  # where it comes from, what is inside is watched
        if same:
            return ""
        return f"={self._bound_anew(held, f'{module.name}.{name}', module, reduces=True)}"

    def _stands_for(self, module: Module, link: str, held: object) -> bool:
        absolute, chain = target(module, link)
        source, attribute = sys.modules.get(absolute), ".".join(chain)
        if source is None:
            return isinstance(held, types.ModuleType) or not attribute
        if not attribute:
            return held is source
        if self.objects.project.module(absolute) is None and not isinstance(held, types.FunctionType):
            return True
        found = inspect.getattr_static(source, attribute, ABSENT)
        return found is held or found is ABSENT or sys.modules.get(f"{absolute}.{attribute}") is held or _same_text(found, held)


def _first_member(module: Module, held: type, key: str, place: str) -> Guard:
    """What a class had under a name when its module was loaded, as far as that is known, else when it was first followed."""
    first = Guard(vars(held), key, member_of(held, key, vars(held)[key]), None, None)
    return _first_seen.setdefault((id(held), place, times_reloaded(module.file.path)), first)


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


def is_remade(piece: Piece, held: type) -> bool:
    """Whether others than a class's body (a decorator, a metaclass, a base class, another statement) may have made what it has."""
    metaclass: type = type(held)
    return (
        not piece.simple
        or not _ADD_NOTHING.issuperset(chain.rpartition(".")[2] for chain in piece.decorators)
        or any(_MAKES_CLASSES & vars(base).keys() for base in metaclass.__mro__ if base.__module__ not in ("abc", "builtins", "typing"))
        or any("__init_subclass__" in vars(base) for base in held.__mro__[1:-1] if base.__module__ != "typing")
    )


class _Body(NamedTuple):
    """What the text says of the attributes of a class, and of those of classes inside it, by their names from the class on."""

    name: str
    piece: Piece
    constants: Mapping[str, str]
    """The digests of those that it tells."""
    stands_for: Mapping[str, str]
    remade: bool

    @classmethod
    def of(cls, piece: Piece, held: type) -> "_Body":
        constants, stands_for = (dict(row.split(" ") for row in rows) for rows in (piece.constants, piece.stands_for))
        return cls(held.__qualname__, piece, constants, stands_for, is_remade(piece, held))

    def is_replaced(self, module: Module, held: type, place: str, member: object, function: types.FunctionType) -> bool:
        """Whether a function in a class is another one than its body makes."""
        method = place.removesuffix(".set").removesuffix(".del")  # of a property
        if not self.remade and method in self.piece.methods:
            # Somebody else has put a function around it, and kept it inside; Python itself makes a class method of `__init_subclass__`.
            wrapped = place in self.piece.bare_methods and member is not function and isinstance(member, types.FunctionType)
            own = f"{self.name}.{method}" == qualname_of(function) and _is_of(function, module, self.name)
            return wrapped or not own
        nested = held.__qualname__ != self.name  # of what else may have been put into it the text tells nothing
        return not nested and not _is_of(function, module, self.name) and not _is_generated(place, function)

    def is_other(self, module: Module, held: type, place: str, member: object) -> bool | None:
        """Whether data in a class may be something else than its body makes; None where that is not known."""
        if self.remade:
            return True if place in self.constants and isinstance(member, _PLAIN) else None
        if place in self.stands_for:
            found = _found(module.namespace or {}, self.stands_for[place])
            return None if found is ABSENT else found is not member
        was_class = isinstance(member, type) and any(name.startswith(f"{place}.") for name in self.piece.attributes)
        return True if self.has_come(held, place) or was_class or place in self.constants or place in self.piece.methods else None

    def has_come(self, held: type, place: str) -> bool:
        """Whether others have given a class a name that its body does not."""
        if self.remade or held.__qualname__ != self.name or place in self.piece.attributes:
            return False
        return not place.startswith("_") or any(row.endswith(f" {self.name}.{place}") for row in self.piece.sets)


def _found(namespace: Mapping[str, Any], chain: str) -> object:
    """What a chain stands for that leads through modules to one of their names, or to a member of an enumeration."""
    root, *names = chain.split(".")
    one = namespace.get(root, ABSENT)
    for name in names:
        inside = vars(one) if isinstance(one, types.ModuleType) else vars(one).get("_member_map_") if isinstance(one, type) else None
        one = inside.get(name, ABSENT) if isinstance(inside, Mapping) else ABSENT
    return one


def _is_instance(member: object, held: type) -> bool:
    """Whatever a metaclass answers."""
    cls: type = type(member)
    return held in cls.__mro__


def _as_written(name: str, held: type) -> str:
    """The name of an attribute as it stands in the class body: a private one is another name in the class (`__dt` in C is `_C__dt`)."""
    private = f"_{held.__name__.lstrip('_')}__"
    return name.removeprefix(private[:-2]) if name.startswith(private) else name


def _is_of(function: types.FunctionType, module: Module, name: str) -> bool:
    return is_of_file(function, module.file.path) and qualname_of(function).startswith(f"{name}.")


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

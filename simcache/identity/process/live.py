"""What objects of this process stand for: functions, classes, wrappers and values that the text alone does not tell."""

import contextlib
import enum
import functools
import os
import sys
import types
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

from simcache.errors import BoundAnew, SourceChanged, Unkeyable
from simcache.identity.forms.attributes import (
    FIELDS,
    attributes_of,
    fields_of,
    has_attributes,
    has_own_key,
    is_inert,
    options_of,
    plain_member,
)
from simcache.identity.forms.base import SCALARS
from simcache.identity.process.bytecode import piece_of_code, place_of, qualname_of, same_code, stored_attributes
from simcache.identity.process.cells import class_in_cell, codes_in_cell, piece_in_cell
from simcache.identity.process.files import codes_of, is_new, is_outside, read, stands_in, text_before, times_reloaded
from simcache.identity.process.library_data import LibraryData, data_in
from simcache.identity.process.modules import (
    MAIN,
    Module,
    held_function,
    is_named,
    is_of_python,
    layers,
    locate,
    module_name,
    own_function,
    place_in,
    root_of,
    underlying,
)
from simcache.identity.process.project import Project
from simcache.identity.process.taken import ABSENT, Itself, Names, Variable
from simcache.identity.text.link import is_link, taken_apart
from simcache.identity.text.piece import Piece, digest_of

_PLAIN = (*SCALARS, type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
_PLAIN_MODULES = frozenset({"datetime", "decimal", "fractions", "numpy", "pathlib", "pathlib._local", "re", "uuid"})
_AROUND = (functools.partial, types.MethodType, staticmethod, classmethod, property)
"""What leads to a function, and is told beside it."""
_MAKES_CLASSES = frozenset({"abc", "types"})
"""Python's own modules in which a class seems to stand that a call of theirs has made."""
_WATCHED = 256


class Followed(Protocol):
    """The part of a closure that objects lead back to: the text of the project's modules."""

    parts: dict[str, str]
    outside: set[str]
    counted: frozenset[str]
    keeping: list[tuple[object, str]]

    def imported(self, name: str, chain: list[str]) -> str: ...
    def asked_of(self, held: types.ModuleType, chain: list[str]) -> str: ...
    def held(self, module: Module, name: str, piece: Piece, *, start: bool = False, behaviour: bool = False) -> str: ...
    def guard(self, names: Names, name: str, held: object, *, record: bool = False) -> None: ...
    def note_cell(self, node: str, piece: Piece) -> None: ...
    def fills(self, function: types.FunctionType, names: Iterable[str]) -> None: ...
    def lead_to(self, node: str) -> None: ...
    def met(self, held: object) -> None: ...
    def following(self, held: object) -> AbstractContextManager[object]: ...
    def count(self, *held: object) -> None: ...
    def watch_registry(self, held: object) -> None: ...
    def watch_data(self, data: LibraryData) -> None: ...


class Live:
    """Follows objects, and enters what they are into a closure."""

    def __init__(self, closure: Followed, project: Project) -> None:
        self.closure = closure
        self.project = project
        self.objects: dict[int, str] = {}
        self.kept: list[object] = []
        self.cells: dict[str, str] = {}
        """The texts of the cells that were looked at, by the names that their code has for files."""
        self.roots: dict[str, str] = {}
        """Of each module the folder of its checkout."""

    def is_foreign(self, obj: Any) -> bool:
        """Whether a function or class is Python's or an installed package's."""
        name = getattr(obj, "__module__", None) or "builtins"
        if name in MAIN:  # a decorator gives its function the place of the one inside
            return isinstance(obj, types.FunctionType) and is_outside(obj.__code__.co_filename) and is_made(obj)
        if isinstance(obj, type) and self._is_made_of_own(obj, name):
            return False
        if name == "builtins" and _is_of_text(obj) and not is_named(obj):
            return False  # made by `exec` in a namespace without a name
        code = None if isinstance(obj, type) else getattr(obj, "__code__", None)  # a metaclass may answer for any name
        top = name.partition(".")[0]
        if code is not None and top not in ("simcache", *self.project.packages) and not is_of_python(top):
            return is_outside(code.co_filename) and top != self.project.own
        if top == "simcache" or top in self.project.packages or (is_of_python(top) and top != self.project.own):
            return True
        path, _ = locate(name)
        if path is None and (method := _method_of_unlisted(obj, name)) is not None:
            path = method.__code__.co_filename
        return path is None or (is_outside(path) and top != self.project.own)

    def _is_made_of_own(self, cls: type, module: str) -> bool:
        """Whether a call has made a class that has its place in a package: `make_dataclass`, `create_model`, `type("X", (Law,), {…})` of an abstract one."""
        if not FIELDS.keys().isdisjoint(vars(cls)):
            return not is_named(cls)
        return module in _MAKES_CLASSES and not is_named(cls) and any(not self.is_foreign(base) for base in cls.__mro__[1:])

    def is_record(self, held: object) -> bool:
        """Whether an object is data of the project: an instance whose class gives it no way to change itself as it runs."""
        cls = type(held)
        if cls is types.SimpleNamespace or (cls.__module__, cls.__qualname__) == ("argparse", "Namespace"):
            return True
        # Asked of the type, here and below: a weak reference to what is gone has no class of its own.
        if issubclass(cls, (type, types.ModuleType, types.FunctionType)) or not has_attributes(held) or self.is_foreign(cls):
            return False
        return all(self._changes_nothing(base) for base in cls.__mro__ if not self.is_foreign(base))

    def is_fixed(self, held: object) -> bool:
        """Whether nobody can change a value in place: a number, a text, a path, a date, code; also a tuple, whatever is in it."""
        if issubclass(type(held), (*_PLAIN, tuple, frozenset, enum.Enum)):
            return True
        return type(held).__module__ in _PLAIN_MODULES and type(held).__hash__ is not None

    def is_plain(self, held: object) -> bool:
        """Whether nothing in a value changes by itself as it is used: no instance whose methods change it, and none of an installed package."""
        seen: set[int] = set()
        queue = [held]
        while queue:
            one = queue.pop()
            if isinstance(one, _PLAIN) or type(one).__module__ in _PLAIN_MODULES or id(one) in seen:
                continue
            seen.add(id(one))
            if isinstance(one, dict):
                queue += [*one, *one.values()]
            elif isinstance(one, (list, tuple, set, frozenset)):
                queue += one
            elif self.is_record(one):
                queue += attributes_of(one).values()
            else:
                return False
        return True

    def records_in(self, held: object) -> list[object]:
        """The records that a record or a container holds, also those in its lists and dicts, as far as one can look at them at each hit."""
        found: list[object] = []
        queue, seen = [held], set[int]()
        while queue and len(seen) < _WATCHED:
            one = queue.pop()
            if isinstance(one, _PLAIN) or id(one) in seen:
                continue
            seen.add(id(one))
            if isinstance(one, dict):
                queue += dict.values(one)  # whatever its class makes of being asked
            elif isinstance(one, (list, tuple)):
                queue += list.__iter__(one) if isinstance(one, list) else tuple.__iter__(one)
            if self.is_record(one):
                found += [one] if one is not held else []
                queue += attributes_of(one).values()
        return found

    def _changes_nothing(self, cls: type) -> bool:
        piece = self.piece_of(cls)
        return piece is not None and not piece.changes_itself

    def piece_of(self, cls: type) -> Piece | None:
        """What the text says of a class at the top of a module."""
        module = self.module_of(cls)
        piece = None if module is None else module.file.summary.names.get(cls.__qualname__)
        return piece if piece is not None and piece.kind == "class" else None

    def registered(self, held: object, of: Module | None = None, *, deep: bool = True) -> str:
        """Code that a container has come to hold, or one of a class or an instance, and the data beside it: a registry, however it was filled.

        Not `deep` where the code that is followed may fill it itself.
        """
        from simcache.identity.process.kept import Kept  # few functions reach a registry, and a process that only loads results is short

        return "|".join(Kept(self, self.root(of), self.closure.watch_registry, deep=deep).told(held))

    def subclasses(self, cls: object) -> list[str]:
        """All classes of the project that are built upon a class, as far as they are loaded."""
        found = []
        # Of `type`, for a metaclass has a method of this name that needs an argument.
        derived: type
        for derived in type.__subclasses__(cls) if isinstance(cls, type) and cls is not type else ():
            if not self.is_foreign(derived):
                found += [self.follow(derived, derived.__qualname__), *self.subclasses(derived)]
        return sorted(found)

    def live(self, obj: object, path: str, *, of: Module | None = None, reduces: bool = False) -> str:
        """Any object of this process: code is followed, a module is taken whole, data counts by its value."""
        return self._code(obj, path) or self.value(obj, path, of=of, reduces=reduces)

    def live_anyway(self, obj: object, path: str, *, of: Module | None = None) -> str:
        """The same of what nobody gave as an argument, nor can leave out: a signature, a sentinel, a lock inside something."""
        return self._code(obj, path) or self.value_anyway(obj, path, of=of)

    def _code(self, obj: object, path: str) -> str:
        if isinstance(obj, types.ModuleType):
            return self.closure.asked_of(obj, [])
        if isinstance(obj, type) or isinstance(underlying(obj), (types.FunctionType, types.BuiltinFunctionType)):
            return self.follow(obj, path)
        return ""

    def value_anyway(self, obj: object, path: str, *, of: Module | None = None) -> str:
        """By what a pickle would keep of what has no form. Unkeyable if nobody can tell a part of it: two such may do different things."""
        try:
            return self.value(obj, path, of=of)
        except Unkeyable:
            return self.value(obj, path, of=of, reduces=True, whole=True)

    def value(self, obj: object, path: str, *, of: Module | None = None, reduces: bool = False, whole: bool = False) -> str:
        return f"value {self.value_digest(obj, path, of=of, reduces=reduces, whole=whole)}"

    def value_digest(self, obj: object, path: str, *, of: Module | None = None, reduces: bool = False, whole: bool = False) -> str:
        """By its canonical form. What a module holds (`of`) is the same in every checkout; what it has read may also be taken apart."""
        if is_inert(type(obj)):
            return type(obj).__qualname__
        from simcache.identity.forms.constant import value_digest  # nor do all reach data

        return value_digest(obj, path, _CodeWithin(self, path), root=self.root(of), reduces=reduces, whole=whole)

    def changed_in(self, held: object, path: str, of: Module) -> str:
        """The tables, graphs and networks of libraries in something that somebody has changed in place, by their values, watched from now on."""
        changed: list[str] = []
        for number, data in enumerate(data_in(held, self.is_record)):
            self.closure.watch_data(data)
            if data.is_changed():
                try:
                    changed.append(f" {number}={self.value_digest(data.held, path, of=of, reduces=True, whole=True)}")
                except Unkeyable as problem:  # what nobody can tell may be what was changed
                    raise BoundAnew(path, type(held).__qualname__) from problem
        return "".join(changed)

    def digest_now(self, obj: object, path: str, of: Module) -> str:
        """The value of something that changes as it is used; nothing is followed from it, for later it may lead elsewhere."""
        from simcache.identity.forms.constant import value_digest

        return value_digest(obj, path, module_name, root=self.root(of), reduces=True)

    def root(self, module: Module | None) -> str | None:
        if module is None:
            return None
        if module.name not in self.roots:
            self.roots[module.name] = root_of(module)
        return self.roots[module.name]

    def follow(self, obj: Any, path: str, *, start: bool = False) -> str:
        """A function, class or wrapper of this process: what it is, as text; its pieces are entered.

        Of the function that a closure starts from, the return annotation counts too.
        """
        self.closure.met(obj)
        known = self.objects.get(id(obj))
        if known is not None:
            return known
        self.kept.append(obj)  # so that its id is not given to another object meanwhile
        self.objects[id(obj)] = f"{module_name(obj)}.{_name_of(obj, path)}"  # for code that leads back to itself
        try:
            with self.closure.following(obj):
                text = self._follow(obj, path, start=start)
        except Unkeyable:
            del self.objects[id(obj)]  # whoever asks again must not be told no more than its name
            raise
        self.objects[id(obj)] = text
        return text

    def _follow(self, obj: Any, path: str, *, start: bool) -> str:
        if isinstance(obj, functools.partial):
            inner = underlying(obj)
            of = self.module_of(inner) if isinstance(inner, types.FunctionType) and not self.is_foreign(inner) else None
            self.closure.count(*obj.args, *obj.keywords.values())
            given = (list(obj.args), dict(obj.keywords), *filter(None, [vars(obj)]))
            parts = [self.follow(obj.func, path), self.value_anyway(given, path, of=of)]
            return f"partial({', '.join(parts)})"
        if isinstance(obj, types.MethodType):
            self.closure.count(obj.__self__)
            return f"{self.follow(obj.__func__, path)} of {self.live_anyway(obj.__self__, path)}"
        if isinstance(obj, (staticmethod, classmethod)):
            return self.follow(obj.__func__, path)
        if isinstance(obj, type):
            return self.class_(obj)
        if isinstance(obj, types.FunctionType):
            inner = getattr(obj, "__wrapped__", None)
            wrapped = f" of {self.follow(inner, path)}" if callable(inner) else ""
            return self.function(obj, path, start=start) + wrapped + "".join(f" {one}" for one in self.registry(obj, path))
        held = None if self.is_told_by_name(obj) else held_function(obj)
        if held is not None:
            text = self.follow(held, path)
            self.closure.keeping.append((obj, text))
            return text + compiled_with(obj)
        if isinstance(obj, types.BuiltinFunctionType) and not isinstance(obj.__self__, (types.ModuleType, type(None))):
            self.closure.count(obj.__self__)
            return f"{self.foreign(obj)} of {self.live_anyway(obj.__self__, path)}"
        if not hasattr(obj, "__qualname__"):
            self.closure.count(obj)
            return f"{self.follow(type(obj), path)} {self.value_anyway(obj, path)}"
        return self.foreign(obj)

    def registry(self, function: Any, path: str, *, beyond: str = "") -> list[str]:
        """The functions among which a `functools.singledispatch` chooses, by their types, watched from now on: more may be registered.

        Of those that stand in a class (`beyond`) its text tells.
        """
        registry = getattr(function, "registry", None)
        if not isinstance(registry, types.MappingProxyType):
            return []
        self.closure.guard(Itself(registry), "", registry)
        found = [(kind, one) for kind, one in registry.items() if not (beyond and one.__qualname__.startswith(f"{beyond}."))]
        return sorted(f"{kind.__qualname__}={self.follow(one, path)}" for kind, one in found)

    def foreign(self, obj: Any, path: str = "") -> str:
        """The name of what an installed package holds; of a function that a call of it has made what that captured, too."""
        if isinstance(obj, types.FunctionType) and is_made(obj):
            name, qualname = str(obj.__globals__.get("__name__")), obj.__code__.co_qualname
            more = f"{self.captured(obj, Piece('def'), path)}{self.defaults(obj, path)}"
        else:
            name, qualname, more = getattr(obj, "__module__", None) or "builtins", obj.__qualname__, ""
        self.closure.outside.add(name.partition(".")[0])
        return f"{name}.{qualname}{more}"

    def is_told_by_name(self, obj: Any) -> bool:
        """Whether the name of an installed package's function or class tells all of it."""
        within = layers(obj)
        if any(isinstance(one, functools.partial) or (isinstance(one, types.FunctionType) and is_made(one)) for one in within):
            return False
        return not isinstance(within[-1], (type, types.FunctionType)) or self.is_foreign(within[-1])

    def class_(self, cls: type) -> str:
        if self.is_foreign(cls):
            return self.foreign(cls)
        module = self.module_of(cls)
        behaviour = has_own_key(cls)
        if module is not None and "<" not in cls.__qualname__:
            top = cls.__qualname__.partition(".")[0]
            piece = module.file.summary.names.get(top)
            if piece is not None and piece.kind == "class":
                self.check_class(module, cls)
                return self.closure.held(module, top, piece, behaviour=behaviour and top == cls.__qualname__)
        return self.live_class(cls)

    def check_class(self, module: Module, cls: type) -> None:
        """Raise SourceChanged if a class was made before its module was loaded again: what it was made of is no longer known."""
        now = (module.namespace or {}).get(cls.__qualname__, cls)
        if isinstance(now, type) and now is not cls and times_reloaded(module.file.path):
            raise SourceChanged(module.file.path)

    def live_class(self, cls: type) -> str:
        """A class without a place at the top of a file: by its methods, plain attributes, field types and bases."""
        node = f"{module_name(cls)}:{cls.__qualname__}"
        self.closure.lead_to(node)
        edges = [self.follow(base, node) for base in (type(cls), *cls.__bases__) if base not in (object, type)]
        maker = self.maker_of(cls)
        edges += maker
        self.closure.count(cls)
        if (piece := class_in_cell(cls, self.cells)) is not None:
            self.closure.note_cell(node, piece)
        for name, held in sorted(_attributes_of(cls).items()):
            within = layers(held.func if isinstance(held, functools.cached_property) else held)
            inner = within[-1]
            made_up = isinstance(inner, types.FunctionType) and name.startswith("__") and is_outside(inner.__code__.co_filename)
            if (made_up and maker) or any(f"{place_in(base)}.{name}" in self.closure.counted for base in cls.__mro__):
                continue  # by a decorator, which stands there (each Python's dataclasses make up others); or kept by code that is followed
            of_project = isinstance(inner, type) and not name.startswith("__") and not self.is_foreign(inner)
            if of_project or (isinstance(inner, types.FunctionType) and not _is_generated(inner, cls, name)):
                kept = plain_member(held)
                outermost = next(one for one in within if not isinstance(one, _AROUND))  # a decorator may have captured something
                with self.closure.following(kept) if kept is not outermost else contextlib.nullcontext():
                    text = self.follow(outermost, f"{node}.{name}")
                edges.append(f"{name}={text}")
                edges += self.put_into(cls, name, held)
                if kept is not outermost:
                    self.closure.keeping.append((kept, text))
            elif name in ("__annotations__", "__match_args__", "__slots__"):
                edges.append(f"{name}={sorted(held.items()) if isinstance(held, dict) else held!r}"[:4096])
            elif not name.startswith("__") and name != "_abc_impl":
                if hasattr(type(held), "__get__") or (callable(held) and self._parts_of(held)):
                    edges += self.put_into(cls, name, held)
                    continue
                try:
                    edges.append(f"{name}={self.live_anyway(held, f'{node}.{name}')}")
                except Unkeyable:
                    if maker:  # it may have been given to the function that made the class; else the text of the class tells it
                        raise
        if not maker:
            edges += self.fields(cls, node, () if piece is None else piece.constants)
        self.closure.parts[node] = digest_of(self.closure.parts.get(node, ""), *edges)[:16]
        return node

    def fields(self, cls: type, node: str, told: Container[str]) -> Iterator[str]:
        """What fields are where nothing is given, and what makes that, and all options: a model has no attributes for them, and without methods no text."""
        yield from self._options("", options_of(cls), node)
        for name, default, factory, options in fields_of(cls):
            yield from self._options(name, options, f"{node}.{name}")
            if isinstance(made_by := underlying(factory), (type, types.FunctionType)) and not self.is_foreign(made_by):
                yield f"{name} by {self.follow(factory, f'{node}.{name}')}"
            if name not in vars(cls):
                with contextlib.suppress(Unkeyable):  # there is no default
                    if f"{name} {(now := self.value_digest(default, f'{node}.{name}'))}" not in told:
                        yield f"{name} is {now}"

    def _options(self, name: str, options: Mapping[str, object], path: str) -> Iterator[str]:
        for option, held in options.items():
            with contextlib.suppress(Unkeyable):  # what has no form is made by code that counts
                yield f"{name} {option} {self.value(held, path)}"

    def put_into(self, cls: type, name: str, held: Any) -> Iterator[str]:
        """What a class holds under a name beside a plain function: a later cell may have put it there, of which the text of the class tells nothing."""
        place = f"{cls.__qualname__}.{name}"
        for part in self._parts_of(held):
            if not (isinstance(part, types.FunctionType) and qualname_of(part) == place):  # which stands in that text
                self.closure.count(part)
                yield f"{name}:{self.live_anyway(part, place)}"

    def _parts_of(self, held: Any) -> tuple[object, ...]:
        """What something in a class was made with; nothing of a plain method, and of what packages have made for themselves."""
        if isinstance(held, property):
            return tuple(one for one in (held.fset, held.fdel) if one is not None)
        if isinstance(held, functools.cached_property):
            return (held.func,)
        if isinstance(held, functools.singledispatchmethod):
            return (held.dispatcher,)
        if isinstance(held, functools.partialmethod):
            return held.func, held.args, held.keywords
        if isinstance(held, (functools.partial, types.MethodType, types.BuiltinFunctionType)):
            return (held,)
        return () if isinstance(held, (type, types.FunctionType, staticmethod, classmethod)) or self.is_foreign(type(held)) else (held,)

    def maker_of(self, cls: type) -> list[str]:
        """The function in which a class is made: fields, options and whatever else leaves no trace that could be read stand in its text."""
        top, inside, _ = cls.__qualname__.partition(".<locals>.")
        module = self.module_of(cls) if inside else None
        piece = None if module is None else module.file.summary.names.get(top.partition(".")[0])
        return [] if module is None or piece is None else [self.closure.held(module, top.partition(".")[0], piece)]

    def module_of(self, obj: Any) -> Module | None:
        """The project's module whose file an object comes from, also for scripts and functions shipped by value."""
        name = module_name(obj)
        code = None if isinstance(obj, type) else getattr(obj, "__code__", None)
        of_script = getattr(obj, "__module__", None) in MAIN
        module = None if of_script or name in self.project.others else self.project.module(name)
        if not of_script:
            if code is None and (module is not None or _method_of_unlisted(obj, name) is None):
                return module or self.project.other_with(obj)
            if module is not None and code is not None and code.co_filename == module.file.path:
                return module
        main = sys.modules.get("__main__")
        own = own_function(obj)
        code = None if isinstance(own, type) else getattr(own, "__code__", None)
        path = code.co_filename if code is not None else getattr(main, "__file__", None)
        if not path or not path.endswith(".py") or not os.path.isfile(path):
            return None
        file = read(path)
        if file is None:
            return None
        self.project.files[path] = file.signature
        if module is None and not of_script:  # which Python does not list, or no more
            return self.project.beside(name, path, own.__globals__)
        key = f"{name} {path}"
        if key not in self.project.modules:
            package = getattr(main, "__package__", None) or ""
            namespace = getattr(own, "__globals__", vars(main) if main else None)
            self.project.modules[key] = Module(name, file, package, (), namespace, before=text_before(file, namespace))
        return self.project.modules[key]

    def function(self, function: types.FunctionType, path: str, *, start: bool = False) -> str:
        if self.is_foreign(function):
            return self.foreign(function, path)
        code = function.__code__
        module = self.module_of(function)
        qualname = qualname_of(function)
        if module is not None:
            if "<" not in qualname:
                top = qualname.partition(".")[0]
                piece = module.file.summary.names.get(top)
                if piece is not None:
                    node = self.closure.held(module, top, piece, start=start)
                    if is_new(module.file):
                        check_code(module, function)
                    return f"{node}{'' if start else qualname.removeprefix(top)}{which(partial(codes_of, module.file), code, piece, as_written=module.as_written)}{self.captured(function, piece, path)}"
            piece = module.file.summary.nested.get(qualname)
            if is_new(module.file) or piece is None:
                check_code(module, function)
            if piece is not None:
                return self.nested(module, function, piece, path, start=start)
        return self.without_file(function, path, start=start)

    def nested(self, module: Module, function: types.FunctionType, piece: Piece, path: str, *, start: bool) -> str:
        """A function made inside another: its own text, what it captured and its defaults."""
        node = self.closure.held(module, function.__code__.co_qualname, piece, start=start)
        place = which(partial(codes_of, module.file), function.__code__, piece, as_written=module.as_written)
        return f"{node}{place}{self.captured(function, piece, path)}{self.defaults(function, path)}{self.given(function, path)}"

    def given(self, function: types.FunctionType, path: str) -> str:
        """Plain values that somebody has set as attributes of a function which a call has made, but for those that it sets itself, as a counter."""
        held = {name: value for name, value in vars(function).items() if isinstance(value, SCALARS) and not name.startswith("__")}
        own = stored_attributes(function.__code__) if held else ()
        return "".join(f" .{name}={self.value(value, f'{path}.{name}')}" for name, value in sorted(held.items()) if name not in own)

    def captured(self, function: types.FunctionType, piece: Piece, path: str) -> str:
        """The values of captured variables, but for those that the function itself changes as it runs."""
        texts = []
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            if name in piece.changes or name == "__class__":
                continue
            try:
                held = cell.cell_contents
            except ValueError:  # a name that the function around it has not bound yet
                continue
            self.closure.guard(Variable(cell), name, held)
            self.closure.count(held)
            texts.append(f" {name}={self.live_anyway(held, f'{path}.<captured {name}>', of=self.module_of(function))}")
        return "".join(texts)

    def defaults(self, function: types.FunctionType, path: str) -> str:
        values = [*(function.__defaults__ or ()), *(value for _, value in sorted((function.__kwdefaults__ or {}).items()))]
        self.closure.count(*(value for value in values if not isinstance(value, (dict, list, set))))  # `memo={}` is its own
        return "".join(f" default={self.live_anyway(value, f'{path}.<default>')}" for value in values)

    def without_file(self, function: types.FunctionType, path: str, *, start: bool) -> str:
        """A function of a notebook, the prompt or standard input: by its cell's text if there is one, else by its bytecode."""
        code = function.__code__
        node = f"{module_name(function)}:{code.co_qualname}"
        piece, place = piece_in_cell(function, self.cells), ""
        if piece is None:
            piece = piece_of_code(code)
        else:
            place = which(partial(codes_in_cell, self.cells[code.co_filename], code), code, piece)
        self.closure.lead_to(node)
        self.closure.fills(function, piece.changes)
        self.closure.note_cell(node if piece.kind == "def" else node.rpartition(".")[0], piece)  # a method stands in the text of its class
        edges = [text for reach in piece.reaches for text in (reach, self.live_reach(function, reach, piece.changes))]
        for name, value in sorted(vars(function).items()):
            if isinstance(value, SCALARS) and not name.startswith("__") and f"{node}.{name}" not in self.closure.counted:
                edges.append(f"{name}={self.value(value, f'{path}.{name}')}")
        returns = (piece.returns or str(function.__annotations__.get("return", ""))) if start else ""
        digest = digest_of(piece.digest, returns, *edges, *filter(None, (place,)))
        self.closure.parts[node] = digest_of(self.closure.parts.get(node, ""), digest)[:16]
        return f"{node}={digest}{self.captured(function, piece, path)}{self.defaults(function, path)}"

    def live_reach(self, function: types.FunctionType, reach: str, changed: tuple[str, ...]) -> str:
        if is_link(reach):
            link = taken_apart(reach)
            return self.closure.imported(link.module, link.names)
        root, *attributes = reach.split(".")
        return self.live_name(function.__globals__, root, attributes, changed)

    def asked_of_bare(self, held: types.ModuleType, chain: list[str]) -> str:
        """What is asked of a module that was made of nothing (`ModuleType("cfg")`), by what it holds."""
        if chain:
            return self.live_name(vars(held), chain[0], chain[1:], ())
        return "|".join(f"{name}={self.live_name(vars(held), name, [], ())}" for name in sorted(vars(held)) if not name.startswith("__"))

    def live_name(self, namespace: dict[str, Any], root: str, chain: list[str], changed: tuple[str, ...]) -> str:
        """A name by the object that it stands for now."""
        if root not in namespace:
            self.closure.guard(namespace, root, ABSENT)  # a later cell may define it
            return ""
        held = namespace[root]
        if held is sys.modules["simcache"] or (
            type(held) is types.FunctionType and (held.__module__ or "").partition(".")[0] == "simcache"
        ):
            return ""  # `cached`, which a worker does not have to which the function inside was shipped
        if isinstance(held, types.ModuleType):
            self.closure.guard(namespace, root, held)
            return self.closure.asked_of(held, chain)
        if root in changed and not isinstance(held, (type, types.FunctionType)):
            return self.registered(held, deep=False)
        self.closure.guard(namespace, root, held)
        self.closure.count(held)
        return self.live_anyway(held, root)


def _name_of(obj: Any, path: str) -> str:
    try:
        return str(getattr(obj, "__qualname__", path))
    except Exception:  # it stands for something that is not there; what it was made with is followed all the same
        return path


class _CodeWithin:
    """Follows the code that a value holds, as it is met there."""

    follows_modules = True

    def __init__(self, objects: Live, path: str) -> None:
        self.objects = objects
        self.path = path

    def __call__(self, code: object) -> str:
        return self.objects.closure.asked_of(code, []) if isinstance(code, types.ModuleType) else self.objects.follow(code, self.path)


def compiled_with(obj: Any) -> str:
    """With which options numba compiles a function, as text: the types of its variables, and the signatures that are the only ones, too."""
    options = getattr(obj, "targetoptions", None)
    if isinstance(options, dict):
        shown = ", ".join(f"({name!r}, {_in_order(value)})" for name, value in sorted(options.items()))
        types_told = sorted(f"{name}: {of}" for name, of in getattr(obj, "locals", {}).items())
        only = [] if getattr(obj, "_can_compile", True) else [*map(str, obj.nopython_signatures)]
        return f" [{shown}]" + "".join(f" {told}" for told in (types_told, only) if told)
    if hasattr(obj, "kernel_ir"):  # of a stencil
        return f" {obj.mode} {sorted(obj.options.items())!r} {obj.neighborhood}"
    return ""


def _in_order(value: object) -> str:
    """As Python shows it, but that the order of a set is another one in each process."""
    return f"{{{', '.join(sorted(map(repr, value)))}}}" if isinstance(value, set) and value else repr(value)


def _method_of_unlisted(obj: object, module: str) -> types.FunctionType | None:
    """A method of a class whose module Python does not list (`module_from_spec`), by which the file of that is known."""
    own = own_function(obj) if isinstance(obj, type) and module not in sys.modules else None
    return own if isinstance(own, types.FunctionType) else None


def _is_of_text(obj: object) -> bool:
    """Whether a statement has made a function or class: Python's own types, of which not all have their name in `builtins`, note no module."""
    return isinstance(vars(obj).get("__module__"), str) if isinstance(obj, type) else isinstance(obj, types.FunctionType)


def is_made(function: types.FunctionType) -> bool:
    """Whether a call has made it, which may have given it values."""
    return bool(function.__closure__ or "<locals>" in function.__code__.co_qualname) and not is_named(function)


def check_code(module: Module, function: types.FunctionType) -> None:
    """Raise SourceChanged unless a module's file holds the code that a function has."""
    held = stands_in(module.file, function) if module.as_written else module.before is None
    if not held:
        raise SourceChanged(module.file.path)


def which(
    codes: Callable[[], Mapping[str, tuple[types.CodeType, ...]]], code: types.CodeType, piece: Piece, *, as_written: bool = True
) -> str:
    """Which of several functions of one name this is (every lambda has one name, and one is chosen by `if`): its place in the file or cell."""
    chosen = piece.kind == "data"
    if piece.simple and not chosen:
        return ""
    found = sorted(codes().get(code.co_qualname, ()), key=place_of)
    if chosen and len(found) == 1:
        return ""
    same = [number for number, other in enumerate(found) if (same_code(code, other) if as_written else place_of(code) == place_of(other))]
    return f" {same[0]}" if same else f" {piece_of_code(code).digest}"


def _is_generated(function: types.FunctionType, cls: type, name: str) -> bool:
    """Whether a decorator has made a method from a text (`__init__` of a dataclass); what stands so in a class of `python -c` has its name."""
    place = f"{cls.__qualname__}.{name}"
    return name.startswith("__") and function.__code__.co_filename.startswith("<string>") and qualname_of(function) != place


def _attributes_of(cls: type) -> dict[str, object]:
    """What a class has; of an enumeration the values of its members, for what else it keeps of them differs between Pythons."""
    members = vars(cls).get("_member_map_")
    if not isinstance(members, dict):
        return dict(vars(cls))
    others = {name: held for name, held in vars(cls).items() if not (name in members or (name.startswith("_") and name.endswith("_")))}
    return {**others, **{name: member._value_ for name, member in members.items()}}

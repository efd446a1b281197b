"""Finds the objects of options that a module holds, and tells what is set in them: values of this process, watched from now on."""

import contextlib
import types
from _contextvars import ContextVar
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from simcache.errors import Unkeyable
from simcache.identity.forms.attributes import attributes_of, is_data, is_idle, is_text, items_of
from simcache.identity.forms.base import SCALARS
from simcache.identity.process.at_first import set_since
from simcache.identity.process.files import times_reloaded
from simcache.identity.process.library_data import is_data as is_of_library
from simcache.identity.process.live import Live
from simcache.identity.process.modules import Module, place_in
from simcache.identity.process.options import Running, Upon, made_with, worked_out
from simcache.identity.process.taken import Names
from simcache.identity.text.piece import Piece
from simcache.identity.text.use import ANY, ITEMS, Use

_CONTAINERS = (dict, list, set, tuple)
_FUNCTIONS = (types.FunctionType, classmethod, property, staticmethod)
_PYTHONS = (Counter, OrderedDict)
_UNSET = object()
_LOOKED_AT = 256
"""Objects of options that are looked for in a list or dict of such."""

_first_set: dict[tuple[int, str, int], tuple[object, dict[str, str]]] = {}
"""The options of something that the text does not tell, as they were when they were first asked."""


class Watching(Protocol):
    """The part of a closure that is told what must stay as it is."""

    def guard(self, names: Names, name: str, held: object) -> None: ...
    def watch(self, held: object) -> None: ...
    def watch_attributes(self, held: object, names: tuple[str, ...]) -> None: ...
    def watch_names(self, held: object, sets: Callable[[str], bool]) -> None: ...


class SetUp:
    """What programs have set in objects whose classes have methods that change them."""

    def __init__(self, closure: Watching, objects: Live) -> None:
        self.closure = closure
        self.objects = objects

    def told(self, module: Module, name: str, running: Running, *, of_told: bool, fixed: bool) -> str:
        """What is set in an instance that has methods which change it, but for what the code that is reached sets or works out.

        What is made of values that the text does not tell counts where it is another one than when it was first asked. What it holds as a
        dict or list counts only if no code that is reached changes that under the name (`fixed`).
        """
        namespace = module.namespace or {}
        held = namespace.get(name)
        path = f"{module.name}.{name}"
        if isinstance(held, ContextVar):
            return self._in_context(held, path, module, running)
        if isinstance(held, type):
            return self._in_class(held, path, module, running)
        changed: dict[str, str] = {}
        if type(held) in _PYTHONS or self.objects.is_record(held):  # whose attributes, if there are any, count already
            found = dict(self._items(held, module, path, running)) if fixed else {}
        else:
            found = dict(self._options(held, module, path, running, {}, changed, fixed=fixed))
        if found and not of_told:
            first = _first_set.setdefault((id(namespace), name, times_reloaded(module.file.path)), (held, {}))
            if first[0] is held:
                found = {path: digest for path, digest in found.items() if first[1].setdefault(path, digest) != digest}
        return " ".join(f"{path}={digest}" for path, digest in sorted({**found, **changed}.items()))

    def _in_context(self, held: ContextVar[object], path: str, module: Module, running: Running) -> str:
        """What a program has set a variable of the context to, if no code that is reached sets one."""
        value = held.get(_UNSET)
        if value is _UNSET or running.upon(frozenset()).may_run("set"):
            return ""
        digest = self._digest(value, path, module)
        return digest and f"{path}={digest}"

    def _in_class(self, held: type, path: str, module: Module, running: Running) -> str:
        """What others have set in a class that a call made, since it was loaded: the text tells what was there then."""
        upon, found = running.upon(frozenset()), []
        counts = {name: one for name, one in vars(held).items() if _is_set(name, one) and upon.is_unset(name)}
        for name, one in counts.items():
            self.closure.guard(vars(held), name, one)
        for name in sorted(counts.keys() & set_since(held)):
            with contextlib.suppress(Unkeyable):
                found.append(f"{name}={self.objects.live_anyway(counts[name], f'{path}.{name}', of=module)}")
        return " ".join(found)

    def _options(
        self, held: Any, module: Module, path: str, running: Running, met: dict[int, object], changed: dict[str, str], *, fixed: bool
    ) -> Iterator[tuple[str, str]]:
        """The same of this object, of those that it holds if it is a list or dict, and of those that were made with it.

        Each once, for they may lead back to where they are held. What has `changed` in the tables and graphs in them is known by itself.
        """
        if isinstance(held, (type, types.ModuleType, types.FunctionType)) or id(held) in met or len(met) > _LOOKED_AT:
            return
        met[id(held)] = held
        if type(held) in _CONTAINERS:
            for key, one in held.items() if isinstance(held, dict) else enumerate(held):
                if not isinstance(one, SCALARS):
                    yield from self._options(
                        one, module, f"{path}[{key!r}]" if isinstance(key, SCALARS) else path, running, met, changed, fixed=fixed
                    )
            return
        pieces = self._classes(type(held))
        if not pieces:
            changed.update(self._changed_in_built(held, module, path, running))
            return
        uses = [Use.of(row) for piece in pieces.values() for row in piece.uses]
        upon, attributes = running.upon(frozenset(pieces)), attributes_of(held)
        of_class = {name: value for base in reversed(type(held).__mro__) for name, value in vars(base).items() if is_data(name, value)}
        without = worked_out(uses, {**of_class, **attributes})
        watched = []
        for name in sorted(filter(is_text, {**of_class, **attributes})):
            if not upon.is_only_read(name):
                continue
            value = attributes.get(name, of_class.get(name))
            if told := self.objects.changed_in(value, f"{path}.{name}", module):
                changed[f"{path}.{name}"] = told
            if ANY in without or name in without:
                continue
            if not self.objects.is_fixed(value) and (name in upon.fills or not self._is_still(value, upon)):
                continue
            if name not in attributes:
                watched.append(name)
            elif digest := self._digest(value, f"{path}.{name}", module):
                yield f"{path}.{name}", digest
                watched.append(name)
        self.closure.watch_names(held, upon.sets)
        if fixed:
            yield from self._items(held, module, path, running)
        inside = [name for name in sorted({*made_with(uses)} & attributes.keys()) if upon.is_only_read(name)]
        if watched or inside:
            self.closure.watch_attributes(held, (*watched, *inside))
        for name in inside:
            yield from self._options(attributes[name], module, f"{path}.{name}", running, met, changed, fixed=fixed)

    def _changed_in_built(self, held: object, module: Module, path: str, running: Running) -> Iterator[tuple[str, str]]:
        """What has changed in tables and graphs in an object that is built upon a class of a package, which may call any of its methods (`step`)."""
        own = [base for base in type(held).__mro__ if not self.objects.is_foreign(base)]
        if own and not is_of_library(held):  # of which it counts itself
            upon = running.upon(frozenset(map(place_in, own)), frozenset(name for base in own for name in vars(base)))
            for name, value in attributes_of(held).items():
                if is_text(name) and not upon.sets(name) and (told := self.objects.changed_in(value, f"{path}.{name}", module)):
                    yield f"{path}.{name}", told

    def _items(self, held: object, module: Module, path: str, running: Running) -> Iterator[tuple[str, str]]:
        """What it holds as a dict, list or set, if no method that may run changes that; `o.dt = 1` may, if its class says so."""
        if not isinstance(held, (dict, list, set)):
            return
        upon = running.upon(frozenset(self._classes(type(held))))
        by_attribute = type(held).__setattr__ is not object.__setattr__ and upon.sets_anything
        if by_attribute or not upon.is_only_read(ITEMS):
            return
        if digest := self._digest(items_of(held), path, module):
            yield f"{path}[]", digest
            self.closure.watch_attributes(held, (ITEMS,))

    def _digest(self, value: object, path: str, module: Module) -> str:
        """Of an option; empty of what may be anything, and for what has no form."""
        if not self.objects.is_plain(value):  # in a list or tuple anything may lie
            return ""
        try:
            return self.objects.live(value, path, of=module)
        except Unkeyable:
            return ""

    def _classes(self, cls: type) -> dict[str, Piece]:
        """The project's classes that a class is built upon, by their places; none where foreign code may set anything in it (`emit`, `forward`)."""
        found = {}
        for base in cls.__mro__:
            if not self.objects.is_foreign(base):
                piece = self.objects.piece_of(base)
                if piece is None:
                    return {}
                found[place_in(base)] = piece
            elif not is_idle(base):
                return {}
        return found

    def _is_still(self, value: object, upon: Upon) -> bool:
        """Whether running code changes none of the records in a value."""
        records = [value, *self.objects.records_in(value)] if self.objects.is_record(value) else []
        for record in records:
            self.closure.watch(record)
        return all(upon.is_unset(name) for record in records for name in attributes_of(record))


def _is_set(name: object, held: object) -> bool:
    """Whether this may be what somebody has set: what Python and libraries keep for themselves has a name with an underscore and is no function."""
    return is_text(name) and (not str(name).startswith("_") or isinstance(held, _FUNCTIONS))

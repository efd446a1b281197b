"""Watches what counts by the value that it has now: what notebooks, closures and partial functions hold, as far as only others change it."""

import enum
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from simcache.identity.forms.attributes import attributes_of, is_compiled, is_data, is_idle, is_text, methods_of_compiled
from simcache.identity.forms.base import SCALARS
from simcache.identity.process.keeping import Keeping
from simcache.identity.process.library_data import stays
from simcache.identity.process.modules import module_name, place_in, underlying
from simcache.identity.process.options import Running, Upon
from simcache.identity.process.taken import Itself, Names, is_array, is_large
from simcache.identity.text.use import ITEMS

_CONTAINERS = (dict, list, set, tuple, frozenset)
_CLOSED = (*SCALARS, enum.Enum, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
"""What holds nothing that is set here."""
_LOOKED_AT = 4096
"""Objects that are looked at: of more only so many."""


class Watching(Protocol):
    """The part of a closure that is told what must stay as it is."""

    def guard(self, names: Names, name: str, held: object, *, record: bool = False, inside: bool = True) -> None: ...
    def watch(self, held: object) -> None: ...
    def watch_attributes(self, held: object, names: tuple[str, ...]) -> None: ...
    def watch_names(self, held: object, sets: Callable[[str], bool]) -> None: ...
    def watch_value(self, held: object) -> None: ...


class Objects(Protocol):
    """What knows whose an object is."""

    def is_foreign(self, obj: Any) -> bool: ...
    def is_record(self, held: object) -> bool: ...
    def is_fixed(self, held: object) -> bool: ...


class Counted:
    """Values that count, and all that is in them."""

    def __init__(self, closure: Watching, objects: Objects, running: Running, keeping: Keeping | None) -> None:
        self._closure = closure
        self._objects = objects
        self._running = running
        self._keeping = keeping
        self._places = frozenset[str]() if keeping is None else frozenset(keeping.places())
        """What running code keeps in classes."""

    def watch(self, held: Iterable[object]) -> None:
        """Watch their items, their attributes and the data of their classes, but for what running code changes itself."""
        roots = [one for one in held if not _is_closed(one)]
        self._guard_all(roots)
        handed = {one.__func__.__name__ for one in self._all_in(roots) if type(one) is types.MethodType}
        queue, met = roots, dict[int, object]()
        while queue and len(met) < _LOOKED_AT:
            one = queue.pop()
            if _is_closed(one) or id(one) in met:
                continue
            met[id(one)] = one
            inside = _items_in(one)
            queue += inside
            if not issubclass(type(one), (dict, list, set)) or is_large(one):  # it is taken as it is wherever it stands
                self._guard_all(inside)
            if self._is_own(one):
                queue += self._watched_in(one, handed)
            elif stays(one):
                self._closure.watch_value(one)

    def _guard_all(self, held: Iterable[object]) -> None:
        for one in held:
            if not _is_closed(one):
                self._closure.guard(Itself(one), "", one)

    def _all_in(self, roots: Sequence[object]) -> Iterator[object]:
        queue, met = [*roots], dict[int, object]()
        while queue and len(met) < _LOOKED_AT:
            one = queue.pop()
            if _is_closed(one) or id(one) in met:
                continue
            met[id(one)] = one
            yield one
            queue += [*_items_in(one), *(attributes_of(one).values() if self._is_own(one) else ())]

    def _is_own(self, one: object) -> bool:
        """Whether it is a class, or an object whose attributes are the project's."""
        kind = type(one)
        return issubclass(kind, type) or is_compiled(kind) or not self._objects.is_foreign(kind) or self._objects.is_record(one)

    def _watched_in(self, one: object, handed: Iterable[str]) -> Iterator[object]:
        """What lies in an object, or in a class, that is watched from now on."""
        kind = one if isinstance(one, type) else type(one)
        own = [base for base in kind.__mro__ if not self._objects.is_foreign(base)]
        # What is built upon a class of a package is changed by that as it is used, and its methods are called from there.
        is_alone = is_compiled(kind) or all(base in own or is_idle(base) for base in kind.__mro__)
        places = _places_of_compiled(kind) if is_compiled(kind) else [*map(place_in, own)]
        upon = self._running.upon(frozenset(places), frozenset([*handed, *(() if is_alone else _methods_of(own))]))
        of_class = {name: (base, value) for base in reversed(own) for name, value in vars(base).items() if not name.startswith("__")}
        for name, (base, value) in of_class.items():
            if self._places.isdisjoint(f"{place}.{name}" for place in places) and not self._fills(name, value, upon):
                self._closure.guard(vars(base), name, value)
                yield value
        for base in own:
            self._closure.watch(base)
        if kind is one:
            return
        attributes = attributes_of(one)
        every = {
            name: attributes.get(name)
            for name in (*filter(is_text, attributes), *(name for name in of_class if is_data(name, of_class[name][1])))
        }
        names = sorted(name for name, value in every.items() if self._is_kept(name, value, upon) and (is_alone or upon.asks_for(name)))
        lacking = [] if is_alone else sorted(name for name in upon.asked() - every.keys() if not upon.sets(name))
        if names or lacking:
            self._closure.watch_attributes(one, (*names, *lacking))
        if is_alone and not is_compiled(kind):
            self._closure.watch_names(one, upon.sets)
        if isinstance(one, (dict, list, set)) and not upon.stores.has(ITEMS):
            self._closure.watch_attributes(one, (ITEMS,))
        if not is_alone and not upon.stores.has(ITEMS):  # what the package keeps there, as a network its weights
            inside = [value for name, value in every.items() if self._is_kept(name, value, upon)]
            self._guard_all(filter(_holds_items, inside))
            yield from inside
        yield from (every[name] for name in names)

    def _fills(self, name: str, value: object, upon: Upon) -> bool:
        """Whether running code logs and remembers in what a class holds under a name."""
        return _holds_items(value) and (name in upon.fills or (self._keeping is not None and self._keeping.fills(name)))

    def _is_kept(self, name: str, value: object, upon: Upon) -> bool:
        """Whether running code sets no such attribute, nor changes what is in it, unless that is an object of its own."""
        if upon.sets(name):
            return False
        return name not in upon.fills or self._objects.is_fixed(value) or not (_holds_items(value) or self._objects.is_foreign(type(value)))


def _is_closed(one: object) -> bool:
    return issubclass(type(one), _CLOSED)  # asked of the type, as is all here: a weak reference to what is gone has no class of its own


def _items_in(held: Any) -> Sequence[object]:
    """What a container holds, whatever its class makes of being asked; what a method or a partial function was made with."""
    if type(held) is types.MethodType:
        return [held.__self__]
    if type(held) is partial:
        return [*held.args, *held.keywords.values()]
    if is_array(held):
        return [*held.flat] if held.dtype.hasobject else ()
    kind = next((kind for kind in _CONTAINERS if issubclass(type(held), kind)), None)
    if kind is dict:
        return [*dict.values(held)]
    return () if kind is None else [*kind.__iter__(held)]


def _holds_items(value: object) -> bool:
    return issubclass(type(value), _CONTAINERS)


def _places_of_compiled(kind: type) -> list[str]:
    """Where the classes stand of which a compiled one was made: it knows nothing of them but their functions."""
    return [f"{module_name(method)}:{method.__qualname__.rpartition('.')[0]}" for method in methods_of_compiled(kind).values()]


def _methods_of(classes: Iterable[type]) -> Iterator[str]:
    return (name for cls in classes for name, held in [*vars(cls).items()] if isinstance(underlying(held), types.FunctionType))

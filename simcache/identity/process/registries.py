"""The code that a registry holds, looked at at each hit: somebody may register more, or put another law in the place of one."""

import types
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import is_
from typing import Any, TypeAlias

from simcache.identity.forms.attributes import attributes_of, has_only_dict, is_inert
from simcache.identity.forms.base import SCALARS
from simcache.identity.process.taken import is_array

_PLAIN = frozenset(SCALARS)
_CONTAINERS: tuple[Any, ...] = (dict, list, tuple, set, frozenset, deque)
_LOOKED_AT = 1024
"""Things in a registry: what holds more is a memo, and not looked at."""

_Items: TypeAlias = list[tuple[Callable[[Any], Iterable[object]], object, list[object]]]
"""What is asked, of what, and what it gave."""


class Registry:
    """The functions, classes and whatever else is called that something holds, itself or in what it holds; nothing of the data beside it."""

    __slots__ = ("_called", "_held", "_items")

    def __init__(self, held: object) -> None:
        self._held = held
        self.note()

    def note(self) -> None:
        """What it holds now is what it has to hold."""
        self._items, self._called = _looked_at(self._held)

    def holds(self) -> bool:
        if all(_are(_given(ask, one), items) for ask, one, items in self._items):
            return True
        items, called = _looked_at(self._held)
        if not _are(called, self._called):
            return False
        self._items = items  # data has come
        return True


def _looked_at(registry: object) -> tuple[_Items, list[object]]:
    """What lies in a registry, and what of that is called, in its order."""
    found: _Items = []
    called: list[object] = []
    queue, met, seen = [registry], 0, set[int]()
    while queue:
        one = queue.pop()
        ask = _asked_of(one, alone=one is registry)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if ask is None:
            if callable(one) or type(one) is types.ModuleType:
                called.append(one)
            continue
        items = _given(ask, one)
        if items is None:
            continue
        met += len(items)
        if met > _LOOKED_AT:
            return [], []
        found.append((ask, one, items))
        queue += [item for item in items if type(item) not in _PLAIN]
    return found, called


def _asked_of(one: Any, *, alone: bool) -> Callable[[Any], Iterable[object]] | None:
    """How something tells what it holds: a container its items, an object its attributes; None for what is called itself, and for other data."""
    kind = type(one)
    plain = next((base for base in _CONTAINERS if issubclass(kind, base)), None)
    if plain is not None:
        return dict.values if plain is dict else plain.__iter__
    if alone:
        return _values_of
    is_one = callable(one) or issubclass(kind, types.ModuleType) or is_array(one) or is_inert(kind)
    return None if is_one or not has_only_dict(kind) else _values_of_dict


def _values_of(one: object) -> Iterable[object]:
    return attributes_of(one).values()


def _values_of_dict(one: object) -> Iterable[object]:
    held: dict[str, object] = object.__getattribute__(one, "__dict__")
    return held.values()


def _given(ask: Callable[[Any], Iterable[object]], one: object) -> list[object] | None:
    """What something holds; None if it fails at being asked."""
    try:
        return [*ask(one)]
    except Exception:  # whatever its class makes of that
        return None


def _are(some: Sequence[object] | None, others: Sequence[object]) -> bool:
    """Whether these are those, one by one."""
    return some is not None and len(some) == len(others) and all(map(is_, some, others))

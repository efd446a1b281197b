"""What a registry has come to hold, however it was filled: the code in it, however deep it lies, and the data that stands beside code."""

import sys
import types
from collections import UserDict, UserList, deque
from collections.abc import Callable, Iterator
from inspect import CO_NESTED
from operator import itemgetter
from typing import Any, Protocol

from simcache.errors import Unkeyable
from simcache.identity.forms.attributes import attributes_of, is_pythons
from simcache.identity.forms.base import SCALARS
from simcache.identity.forms.constant import value_digest
from simcache.identity.process.modules import module_name, underlying

_CONTAINERS = (dict, list, tuple, set, frozenset, deque)
_HOLDERS = (types.SimpleNamespace, UserDict, UserList)
"""Python's own classes whose attributes are looked at."""
_LOOKED_AT = 20_000
"""Objects that are looked at in one registry: what lies further in (a memo of a hundred thousand results) is no registry."""
_DEEPEST = 100
"""Objects inside one another: a chain of many (a linked list) would be more than Python's own limit."""

_first_told: dict[int, tuple[object, str]] = {}
"""The data beside code, and that of objects whose methods are registered, as it was when it was first asked: a count of calls may stand there."""


class Follower(Protocol):
    """What knows how to follow code."""

    def follow(self, obj: Any, path: str) -> str: ...
    def live(self, obj: Any, path: str) -> str: ...
    def is_foreign(self, obj: Any) -> bool: ...
    def is_record(self, held: object) -> bool: ...


class Kept:
    """Walks over what one container, class or instance holds, and over each thing once.

    What code puts somewhere as it runs (a memo) lies in the same places, and differs from process to process. So of what the code that is
    followed may fill itself (not `deep`), only the functions and classes count that stand in it by themselves; and nowhere do the classes of
    instances, nor functions that were made by others, which a memo of compiled ones is full of.
    """

    def __init__(self, objects: Follower, root: str | None, watch: Callable[[object], None], *, deep: bool) -> None:
        self._objects = objects
        self._watch = watch
        """Told of all that may come to hold other code."""
        self._deep = deep
        self._root = root
        """The folder of the checkout, from which on paths count."""
        self._met: dict[int, object] = {}

    def told(self, held: object) -> list[str]:
        """The code in what a container holds, or in the containers of a class, or in the attributes of an instance."""
        self._met[id(held)] = held
        if not isinstance(held, type):
            self._watch(held)
        if issubclass(type(held), _CONTAINERS):
            return self._members(held)
        if not isinstance(held, type):
            inside = self._attributes(held)
        elif self._objects.is_foreign(held):
            inside = []
        else:
            own = [(name, one) for name, one in vars(held).items() if isinstance(one, (*_CONTAINERS, *_HOLDERS)) and not is_pythons(name)]
            inside = [one for _, one in sorted(own, key=itemgetter(0))]
            for one in inside:
                self._watch(one)
        return [text for one in inside for text in (self._members(one) if isinstance(one, _CONTAINERS) else self._attribute(one))]

    def _attribute(self, one: object) -> list[str]:
        """The code in an attribute: a function by itself counts, whoever made it."""
        if not self._deep:
            return []
        return (
            [self._followed(one, inner)] if _is_made(inner := underlying(one)) and not self._objects.is_foreign(inner) else self._code(one)
        )

    def _members(self, registry: object) -> list[str]:
        """The code in the items of a registry, each with the data beside it."""
        found = []
        for name, item in _items(registry):
            if not self._deep:
                code = self._code(item) if issubclass(type(underlying(item)), (types.FunctionType, type)) else []
                found += [f"{name}={text}" for text in code]
            elif code := self._code(item):
                found.append(f"{name}={'|'.join(code)}{self._beside(item)}")
        return found if isinstance(registry, (list, tuple, deque)) else sorted(found)

    def _code(self, one: Any, deep: int = 0) -> list[str]:
        """All code that is found from here on."""
        kind = type(one)  # what stands for something else would be made by being asked for its class, or fail at it
        if issubclass(kind, SCALARS) or id(one) in self._met or len(self._met) >= _LOOKED_AT or deep > _DEEPEST:
            return []
        self._met[id(one)] = one
        if issubclass(kind, types.ModuleType):
            return [self._objects.live(one, one.__name__)]
        if issubclass(kind, types.MethodType):
            of = one.__self__
            return [f"{text} of {self._first_asked(of)}" for text in self._code(one.__func__)] + (
                [] if isinstance(of, type) else self._code(of, deep + 1)
            )
        if issubclass(kind, _CONTAINERS):
            found = [f"{name}={text}" for name, item in _items(one) for text in self._code(item, deep + 1)]
            return found if issubclass(kind, (list, tuple, deque)) else sorted(found)
        inner = underlying(one)
        if issubclass(type(inner), (types.FunctionType, type)):
            return [] if _is_made(inner) or self._objects.is_foreign(inner) else [self._followed(one, inner)]
        return [text for held in self._attributes(one) for text in self._code(held, deep + 1)]

    def _followed(self, obj: Any, inner: Any) -> str:
        try:
            return self._objects.follow(obj, inner.__qualname__)
        except Unkeyable:  # what a partial or a nested function holds beside its code has no form
            return self._objects.follow(inner, inner.__qualname__)

    def _attributes(self, one: object) -> list[object]:
        """What an instance holds, by the names of its attributes; nothing of what a library keeps in its objects."""
        if not issubclass(type(one), _HOLDERS) and self._objects.is_foreign(type(one)):
            return []
        held = attributes_of(one)
        return [held[name] for name in sorted(held, key=str)]  # of an object that is its own dict any keys

    def _beside(self, item: object) -> str:
        """The data that an item with code holds; of an object whose methods change it none, for it may be anything."""
        if not issubclass(type(item), (*_CONTAINERS, *_HOLDERS)) and not self._objects.is_record(item):
            return ""
        return f" {self._first_asked(item)}"

    def _first_asked(self, held: object) -> str:
        """The value of something as it was when it was first asked; of a class nothing, for its code counts."""
        if isinstance(held, type):
            return ""
        if id(held) not in _first_told:
            try:
                digest = value_digest(held, "registered", module_name, root=self._root, reduces=True)
            except Unkeyable:  # it is nested without end
                digest = ""
            _first_told[id(held)] = held, digest
        return _first_told[id(held)][1]


def _items(container: Any) -> Iterator[tuple[str, object]]:
    """What a container holds, whatever its class makes of being asked, by the name under which it does, if that is a text or a number."""
    if isinstance(container, dict):
        yield from [(str(name) if isinstance(name, (str, int)) else "", item) for name, item in [*dict.items(container)]]
    else:
        plain = next(kind for kind in _CONTAINERS if isinstance(container, kind))
        yield from [("", item) for item in plain.__iter__(container)]


def _is_made(inner: object) -> bool:
    """Whether this is a function or class that a function or a comprehension has made, or a lambda made from a text as the process runs.

    The name does not tell: since Python 3.12 a comprehension is no part of it. At the prompt, and in `python -c`, all is made from a text.
    """
    if isinstance(inner, types.FunctionType):
        code = inner.__code__
        from_text = inner.__name__ == "<lambda>" and code.co_filename.startswith("<")
        return bool(code.co_flags & CO_NESTED) or (from_text and inner.__globals__ is not vars(sys.modules["__main__"]))
    return isinstance(inner, type) and "<locals>" in inner.__qualname__

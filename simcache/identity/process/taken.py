"""A code version once it is taken: what was followed, and what must stay as it was for the version to hold."""

import marshal
import sys
import types
from _contextvars import ContextVar  # Python's face of it takes a file of its own to load
from _thread import _count as thread_count
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from itertools import repeat
from operator import attrgetter, is_, itemgetter
from typing import Any, Protocol

from xxhash import xxh3_128_digest

from simcache.identity.forms.attributes import attributes_of, fields_of_compiled, has_only_dict, is_compiled, items_of, length_of
from simcache.identity.forms.base import SCALARS
from simcache.identity.forms.values import home_of
from simcache.identity.process.bytecode import functions_in
from simcache.identity.process.files import Signature, signature_of
from simcache.identity.text.use import ITEMS
from simcache.named_tuple import NamedTuple

_CONTAINERS = frozenset({dict, list, set, OrderedDict, Counter, defaultdict})
_HOLDERS = _CONTAINERS | {tuple, frozenset}
_NUMBERS = frozenset({bool, int, float, complex})
_FIXED = frozenset({str, bytes, type(None), type, types.FunctionType})
_KNOWN_TO_MARSHAL = frozenset({dict, list, set, frozenset, tuple})
_WRITTEN = frozenset(SCALARS)
_TOLD_BY_VALUE = frozenset("datetime decimal fractions numpy pathlib pathlib._local uuid".split())
"""Modules whose objects, if they can be hashed, are what they say they are equal to; any other object may say so of another one."""
_WITHOUT_COUNTS = 2
"""The format of `marshal` in which it does not matter how often an object is referred to."""
_DEEPEST = 100
_COPIED = 256
"""Containers up to this many items are watched for changes in place, larger ones for being replaced."""
_WRITTEN_WHOLE = 1 << 18
"""The same for those that hold nothing but plain values, which are compared in one call."""
_WATCHED = 1 << 16
"""Bytes of an array that are kept to be compared; of a larger one their digest, a millisecond for 16 MiB."""
_REMEMBERED = 1 << 24
"""Bytes of arrays that are looked at as their module has been loaded: a digest of them takes 2 ms."""
_REMEMBERED_ITEMS = 1 << 16
"""Plain values in a container that are kept then."""


class Fingerprint(NamedTuple):
    """What code a function is made of, as this process loaded it."""

    version: str
    parts: Mapping[str, str]
    """`module:name` of everything that was followed, and its digest."""
    outside: frozenset[str]
    """Packages that the code reaches and that are recorded, not keyed."""
    files: Mapping[str, Signature]
    guards: "Guards"
    cells: Mapping[str, str]
    """The texts of the cells of a notebook that were followed, by the names that their code has for files."""
    late: frozenset[str] = frozenset()
    """Modules that were not loaded, and whose functions may keep what they made before an edit."""

    def holds(self) -> bool:
        """Whether every name still stands for the object that it stood for when this was taken; asked at every hit."""
        return self.guards.hold()

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


class Itself(NamedTuple):
    """An object that is watched wherever it is kept, asked like a namespace."""

    held: object

    def get(self, _name: str, _default: object, /) -> object:
        return self.held


class Guard(NamedTuple):
    """One name that must still stand for one object, or for none."""

    names: Names
    name: str
    held: object
    inside: Callable[[Any], object] | None
    """Tells what of the object may change in place: a function's code and defaults, what a container or a record holds."""
    detail: object

    def holds(self) -> bool:
        if self.names.get(self.name, ABSENT) is not self.held:
            return False
        try:
            return self.inside is None or bool(self.inside(self.held) == self.detail)
        except Exception:  # something has come in that does not compare to one truth, as arrays do not
            return False


class Watched(Protocol):
    """Something that is looked at by itself, whose changes may be taken as they are."""

    def holds(self) -> bool: ...
    def note(self) -> None: ...


class Guards:
    """All guards of a fingerprint, side by side: a hit asks thousands of them, each in a few hundred nanoseconds."""

    __slots__ = ("_functions", "_loading", "_registries", "_singly", "_spaces", "_state", "_unloaded")

    def __init__(
        self, guards: Iterable[Guard], unloaded: Iterable[str] = (), loading: Iterable[object] = (), registries: Iterable[Watched] = ()
    ) -> None:
        """Of `unloaded` modules only the text is known: what their names stand for is asked as soon as they are loaded.

        Those that were `loading`, by their specifications, are asked again as soon as that is done.
        """
        self._unloaded = tuple(unloaded)
        self._loading = tuple(loading)
        spaces: dict[int, list[Guard]] = {}
        self._singly: list[Guard] = []
        self._functions: list[types.FunctionType] = []
        self._state: list[tuple[object, ...]] = []
        self._registries = tuple(registries)
        for guard in guards:
            known = guard
            if guard.inside is _of_functions and isinstance(guard.detail, list):
                self._functions += functions_in(guard.held)
                self._state += guard.detail
                if isinstance(guard.names, Itself):
                    continue
                known = guard._replace(inside=None)
            if known.inside is not None or known.held is ABSENT or type(known.names) is not dict:
                self._singly.append(known)
            else:
                spaces.setdefault(id(known.names), []).append(known)
        self._spaces = [_together(together) for together in spaces.values()]

    def hold(self) -> bool:
        """Whether every name still stands for what it stood for, and nothing has changed inside."""
        try:
            for names, asked, held in self._spaces:
                if not all(map(is_, asked(names), held)):
                    return False
            for space, name, one, inside, detail in self._singly:
                if space.get(name, ABSENT) is not one or (inside is not None and inside(one) != detail):
                    return False
            if self._functions and list(map(_inside, self._functions)) != self._state:
                return False
            if self._registries and not self.registries_hold():
                return False
        except Exception:  # a name is gone; something has come in that does not compare to one truth, as arrays do not
            return False
        if not all(getattr(spec, "_initializing", False) for spec in self._loading):
            return False
        return all(sys.modules.get(module) is None for module in self._unloaded)

    def registries_hold(self) -> bool:
        """Whether nobody has registered other code."""
        return all(registry.holds() for registry in self._registries)

    def note_registered(self) -> None:
        """What is registered by now is no change."""
        for registry in self._registries:
            registry.note()


def _together(guards: Sequence[Guard]) -> tuple[Any, Callable[[Any], tuple[object, ...]], tuple[object, ...]]:
    """The names of one namespace, asked at once; the last one twice, for a single one would not be given as a tuple."""
    asked = [*guards, guards[-1]]
    return guards[0].names, itemgetter(*(guard.name for guard in asked)), tuple(guard.held for guard in asked)


@contextmanager
def running_code(code: Iterable[Fingerprint]) -> Iterator[None]:
    """While this code runs: what it registers itself, as it loads what it needs, is no change of it.

    Where there are other threads, nobody can tell which of them did it.
    """
    held = [one.guards for one in code if one.guards.registries_hold()]
    try:
        yield
    finally:
        if not thread_count():
            for guards in held:
                guards.note_registered()


ABSENT = object()


def guard_of(names: Names, name: str, held: object, *, record: bool = False) -> Guard:
    """A guard of a name; a `record` is an instance whose attributes are watched too."""
    inside: Callable[[Any], object] | None = None
    if isinstance(held, (types.FunctionType, classmethod, property, staticmethod)):
        inside = _of_functions
    elif type(held) in _CONTAINERS:
        inside = _written if _can_be_written(held) else _of_many if is_large(held) else _copied
    elif type(held) is deque:
        inside = _of_deque
    elif _may_change_within(held):
        inside = _copied
    elif is_array(held):
        inside = _of_array
    elif type(held) is types.MappingProxyType:
        inside = _of_view
    elif type(held) is ContextVar:
        inside = _of_variable
    elif record:
        inside = _of_record(held)
    return Guard(names, name, held, inside, None if inside is None else inside(held))


def watched(held: object, names: tuple[str, ...] = ()) -> Guard:
    """A guard of what is inside an object: of a class how many names it has, of an instance its attributes, or those of these names."""
    inside: Callable[[Any], object] = _of_class if isinstance(held, type) else _of_named(held, names) if names else _of_record(held)
    return Guard(Itself(held), "", held, inside, inside(held))


def watched_names(held: object, sets: Callable[[str], bool]) -> Guard:
    """A guard of which attributes an instance has: that none comes but those that running code `sets`, or a cached property remembers."""
    cls = type(held)
    held_by = vars if has_only_dict(cls) else attributes_of
    remembered = (name for base in cls.__mro__ for name, one in vars(base).items() if isinstance(one, cached_property))
    return Guard(Itself(held), "", held, partial(_has_only, frozenset([*held_by(held), *remembered]), sets, held_by), True)


def is_watched(held: object) -> bool:
    """Whether a guard of an object tells by itself what changes in it."""
    return type(held) in _CONTAINERS or type(held) is deque or is_array(held)


def _may_change_within(held: Any) -> bool:
    """Whether this is a tuple, with names or without, of few things that are more than plain values."""
    return issubclass(type(held), tuple) and bool(no_plain(tuple.__getitem__(held, slice(None)))) and _is_small(held)


def is_large(held: Any) -> bool:
    """Whether of a container it is looked at only which objects are in it."""
    return len(held) > _COPIED and not _can_be_written(held)


def _of_many(held: Any) -> object:
    if len(held) > _WRITTEN_WHOLE:
        return len(held)
    return [*map(_Same, held), *map(_Same, held.values() if isinstance(held, dict) else ())]


_inside = attrgetter("__code__", "__defaults__", "__kwdefaults__", "__closure__", "__dict__")
"""Python lets nobody exchange what a function has captured; autoreload does it where a decorator's function captured another one."""


def _of_functions(held: object) -> list[tuple[object, ...]]:
    return [(*others, dict(attributes)) for *others, attributes in map(_inside, functions_in(held))]


def _of_class(cls: Any) -> object:
    return len(vars(cls))


def _of_variable(held: ContextVar[Any]) -> object:
    return _of_option(held.get(ABSENT))


def _of_view(held: Any) -> object:
    return _copied(dict(held))


def _of_deque(held: Any) -> object:
    return _copied(list(held))


def _of_array(array: Any) -> object:
    if array.dtype.hasobject:
        return _copied(array) if array.size <= _COPIED else array.tobytes()
    return array.tobytes() if array.nbytes <= _WATCHED else digest_of_array(array)


def digest_of_array(array: Any) -> bytes:
    """All that an array without objects holds, however it lies in memory."""
    in_one_piece = array.nbytes and array.flags.c_contiguous
    return xxh3_128_digest(array.reshape(-1).view("u1").data if in_one_piece else array.tobytes())


def _of_value(held: object) -> str:
    from simcache.identity.forms.constant import value_digest  # few notebooks hold such, and a process that only loads results is short

    return value_digest(held, "value", home_of, reduces=True)


def _of_record(record: object) -> Callable[[Any], object]:
    if not has_only_dict(type(record)):
        return _of_slots
    return _of_written if _can_be_written(vars(record)) else _of_dict


def _of_written(record: Any) -> object:
    return _written(vars(record))


def _of_dict(record: Any) -> object:
    return _copied(dict(vars(record)))  # some are their own


def _of_slots(record: Any) -> object:
    return _copied(attributes_of(record))


def _of_named(held: object, names: tuple[str, ...]) -> Callable[[Any], object]:
    if names == (ITEMS,):
        return _of_items
    if is_compiled(type(held)):
        return partial(_of_fields, names)
    held_by = vars if has_only_dict(type(held)) else attributes_of
    plain = _can_be_written(_named(names, held_by(held)))
    return partial(_of_plain_names if plain else _of_names, names, held_by)


def _named(names: Iterable[str], held: dict[str, Any]) -> list[Any]:
    return [*map(held.get, names, repeat(ABSENT))]


def _of_plain_names(names: Iterable[str], held_by: Callable[[Any], dict[str, Any]], record: Any) -> bytes:
    """In one call, for there may be thousands; where something else has come in, it is another value or an error."""
    return _written(_named(names, held_by(record)))


def _of_names(names: Iterable[str], held_by: Callable[[Any], dict[str, Any]], record: Any) -> object:
    return [*map(_of_option, _named(names, held_by(record)))]


def _has_only(known: frozenset[str], sets: Callable[[str], bool], held_by: Callable[[Any], dict[str, Any]], record: Any) -> bool:
    names = held_by(record)
    return known.issuperset(names) or all(name in known or sets(name) for name in names)


def _of_fields(names: Iterable[str], compiled: Any) -> object:
    """Of a compiled instance, which gives another array or list each time it is asked for one."""
    return [_of_field(getattr(compiled, name)) for name in names]


def _of_field(value: Any) -> object:
    if type(value) in _WRITTEN or is_array(value):
        return _told_apart(value)
    return _of_fields(fields_of_compiled(value._numba_type_), value) if is_compiled(type(value)) else _of_value(value)


def _of_items(held: Any) -> object:
    """Of many items only how many there are: to copy them at each hit would take longer than most functions."""
    count = length_of(held)
    items = items_of(held) if count <= _COPIED else None
    return _copied(items) if _is_small(items) else count


def _of_option(value: Any) -> object:
    """Of a plain value its type too, of a small container or array what it holds, of anything else which object it is, whatever that thinks is equal."""
    if issubclass(type(value), SCALARS):
        return type(value), _told_apart(value)
    if is_array(value):
        return _Same(value), _of_array(value)
    return (type(value), _copied(value)) if _is_small(value) else _Same(value)


class _Same:
    """Equal only to what holds the same object, which is kept so that no other one gets its place."""

    __slots__ = ("held",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, held: object) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.held is self.held


def is_little(value: Any, is_much: Callable[[object], bool]) -> bool:
    """Whether this is a container or an array in which there is so little that what is there can be remembered, whoever may need it.

    Nothing is remembered that holds an object which is too much by itself.
    """
    if type(value) in _CONTAINERS and _COPIED < len(value) <= _REMEMBERED_ITEMS:
        return _can_be_written(value)
    queue, met, size = [value], 0, 0
    while queue and met <= _COPIED:
        one = queue.pop()
        if _is_holder(type(one)) or type(one) is deque:
            items = _items_of(one)
            met += len(items)
            if met <= _COPIED:
                queue += no_plain(items)
        elif is_array(one):
            size += one.nbytes if not one.dtype.hasobject else one.nbytes * (_REMEMBERED // _WATCHED)
        elif is_much(one):
            return False
    is_one = type(value) in _CONTAINERS or type(value) is deque or is_array(value) or _may_change_within(value)
    return is_one and met <= _COPIED and size <= _REMEMBERED


def no_plain(items: Collection[Any]) -> Iterable[Any]:
    """Those of some things that are more than a plain value."""
    return () if _WRITTEN.issuperset(map(type, items)) else [item for item in items if type(item) not in _WRITTEN]


def _is_small(value: Any) -> bool:
    """Whether a container holds few things, also in those inside it, so that all can be looked at at each hit."""
    queue, met = [value], 0
    while queue:
        one = queue.pop()
        if _is_holder(type(one)):
            items = _items_of(one)
            met += len(items)
            if met > _COPIED:
                return False
            queue += items
    return _is_holder(type(value))


def _is_holder(kind: type) -> bool:
    """Whether instances are containers, or tuples with names."""
    return kind in _HOLDERS or issubclass(kind, tuple)


def _items_of(held: Any) -> Collection[Any]:
    """What lies in one of these."""
    if isinstance(held, dict):
        return held.values()
    return tuple.__getitem__(held, slice(None)) if isinstance(held, tuple) else held


def is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"


def _can_be_written(held: Any) -> bool:
    """Whether there is nothing in a container but Python's plain values, so that one call tells all of it, each number with its type."""
    queue, met = [held], 0
    while queue:
        one = queue.pop()
        kind = type(one)
        if kind in _KNOWN_TO_MARSHAL and met <= _WRITTEN_WHOLE:
            met += len(one) * (2 if kind is dict else 1)
            queue += no_plain([*one, *one.values()] if kind is dict else one)
        elif kind not in _WRITTEN:
            return False
    try:
        _written(held)
    except ValueError:  # it is nested too deep
        return False
    return True


def _written(held: Any) -> bytes:
    return marshal.dumps(held, _WITHOUT_COUNTS)


def _copied(held: Any) -> Any:
    """Containers copied, what they hold kept; each once, for some are met again, within themselves or beside."""
    return _copied_once(held, set(), 0)


def _copied_once(held: Any, met: set[int], depth: int) -> Any:
    kind = type(held)
    if not (_is_holder(kind) or (is_array(held) and held.dtype.hasobject and held.size <= _COPIED)):
        return _told_apart(held)
    if id(held) in met or depth > _DEEPEST:
        return _Same(held)
    met.add(id(held))
    if isinstance(held, dict):
        return kind, [(key, value if type(value) in _FIXED else _copied_once(value, met, depth + 1)) for key, value in held.items()]
    if kind is set or kind is frozenset:
        return kind, {(type(one), one or repr(one)) if type(one) in _NUMBERS else one for one in held}
    items = tuple.__iter__(held) if issubclass(kind, tuple) else held if kind is list else held.ravel().tolist()
    return kind, [value if type(value) in _FIXED else _copied_once(value, met, depth + 1) for value in items]


def _told_apart(value: Any) -> object:
    """A number with its type, and the sign of a zero: Python calls 1, 1.0 and True equal, and 0.0 and -0.0. Of an array what it holds.

    Anything else is the same object or another one, unless it is known to be what it is equal to.
    """
    kind = type(value)
    if kind in _NUMBERS:
        return kind, value or repr(value)
    if is_array(value):
        return _of_array(value)
    if kind in _WRITTEN:
        return value
    return (kind, value) if place_of(kind) in _TOLD_BY_VALUE and kind.__hash__ is not None else _Same(value)


def place_of(cls: type) -> str:
    """The module of a class, as far as it names one."""
    place: object = cls.__module__
    return place if isinstance(place, str) else ""

"""Objects of libraries that modules hold as data (tables, graphs, networks): whether a program has changed one in place."""

import types
from collections import deque
from collections.abc import Callable, Collection, Iterator
from functools import partial
from sys import getrefcount
from typing import TYPE_CHECKING, Any
from weakref import ref

from simcache.identity.forms.attributes import attributes_of, has_attributes
from simcache.identity.forms.base import SCALARS
from simcache.identity.forms.values import home_of
from simcache.identity.process.files import file_of, is_outside
from simcache.identity.process.taken import is_array, is_watched, no_plain, place_of

if TYPE_CHECKING:
    from simcache.identity.process.pickled import Pickled

_DATA = frozenset("array collections configparser geopandas networkx numpy pandas polars scipy shapely torch xarray".split())
"""Packages whose objects stay as they are while they are only used."""
_CHANGE = (
    *("numpy.lib", "numpy.random", "scipy.stats", "torch._C", "torch.optim", "torch.utils"),
    *(
        "pandas.api.typing",
        "pandas.core.groupby",
        "pandas.core.resample",
        "pandas.core.window",
        "pandas.io",
        "xarray.backends",
        "xarray.core.groupby",
    ),
)
"""Their modules whose objects do not: generators, optimizers, archives that are read as they are asked, groups that remember what they were asked."""
_FOR_GOOD = frozenset("Interval NAType NaTType Period Timedelta Timestamp".split())
"""Classes of pandas whose objects nobody can change."""
_CONTAINERS: tuple[Any, ...] = (dict, list, set, tuple, frozenset, deque)
_PLAIN = frozenset(SCALARS)
_CODE = frozenset({types.ModuleType, types.FunctionType, types.BuiltinFunctionType, *_PLAIN})
_BUILT_UPON = _DATA - {"array", "collections", "configparser"}
_LOOKED_AT = 256
"""Things in containers among which such objects are looked for."""
_BY_THIS = 2
"""References to what is known of here alone: this one, and that of who asks how many there are."""
_MANY = 1 << 16
"""Things in one container, of which none is looked at if there are more."""


def stays(one: object) -> bool:
    """Whether this is data of a package, which changes only if somebody changes it."""
    place = place_of(type(one))
    return (
        issubclass(type(one), bytearray)
        or place.startswith("numba.typed")
        or (place.partition(".")[0] in _DATA and not place.startswith(_CHANGE) and not is_watched(one))
    )


def is_data(one: object) -> bool:
    """The same of what others have built upon it, too (a network of one's own), and of dicts and lists of other packages; but for what nobody can change."""
    cls = type(one)
    if cls.__module__ == "builtins" or is_watched(one):
        return cls is bytearray
    package = place_of(cls).partition(".")[0]
    if package == "numpy" and cls.__hash__ is not None:  # a number, a dtype, a function
        return False
    if package == "pandas" and (cls.__name__ in _FOR_GOOD or cls.__name__.endswith("Dtype")):
        return False
    if place_of(cls).startswith("torch.jit"):  # what a network was compiled to, which shows nothing of itself
        return False
    if stays(one) or any(_is_built_upon(base) for base in cls.__mro__):
        return True
    return issubclass(cls, (dict, list, set)) and is_outside(file_of(cls))


def _is_built_upon(base: type) -> bool:
    """Whether what is built upon a class of a library is data, too: a network is, a memo that is a dict of one's own is not."""
    place = place_of(base)
    return place.partition(".")[0] in _BUILT_UPON and not place.startswith(_CHANGE)


class LibraryData:
    """One such object, and what was in it when its module had been loaded, or when it was first met."""

    __slots__ = ("_first", "_held")

    def __init__(self, held: object) -> None:
        self._held = ref(held, partial(_forget, id(held))) if type(held).__weakrefoffset__ else partial(_given, held)
        self._first = self.now()

    @property
    def held(self) -> object:
        return self._held()

    @property
    def is_known(self) -> bool:
        """Whether there was little enough in it to be looked at."""
        return self._first is not None

    @property
    def is_alone(self) -> bool:
        """Whether it is kept by this alone, and not weakly."""
        return not isinstance(self._held, ref) and getrefcount(self._held()) <= _BY_THIS

    def now(self) -> "Pickled | None":
        """What is in it now; None of too much."""
        from simcache.identity.process.pickled import pickled  # most modules hold nothing of libraries

        return pickled(self.held, is_data)

    def is_changed(self) -> bool:
        return self.now() != self._first


def what_is_in(held: object) -> "Pickled | str":
    """All that a pickle would keep of an object, however much that is."""
    from simcache.identity.forms.constant import value_digest
    from simcache.identity.process.pickled import pickled

    return pickled(held, is_data) or value_digest(held, "value", home_of, reduces=True)


class Unchanged:
    """Has a fingerprint hold only as long as nobody changes an object but the code itself that it is of."""

    __slots__ = ("_data", "_now")

    def __init__(self, data: LibraryData) -> None:
        self._data = data
        self.note()

    def holds(self) -> bool:
        return self._now is not None and self._data.now() == self._now  # of too much nobody can tell

    def note(self) -> None:
        """What is in it by now is no change: the code has run, and it is its state."""
        self._now = self._data.now()


_known: dict[int, LibraryData] = {}


def data_of(held: object) -> LibraryData | None:
    """What is known of an object from now on; nothing of what is no data, or in which there is too much."""
    known = _known.get(id(held))
    if known is not None and known.held is held:
        return known if known.is_known else None
    if not is_data(held):
        return None
    if not type(held).__weakrefoffset__:
        _forget_unheld()
    found = _known[id(held)] = LibraryData(held)
    return found if found.is_known else None


def data_in(held: object, is_record: Callable[[object], bool]) -> Iterator[LibraryData]:
    """The objects of libraries that something is, or that lie in a container or a record, and in those inside it."""
    queue, met = [held], set[int]()
    while queue and len(met) < _LOOKED_AT:
        one = queue.pop()
        if id(one) in met or type(one) in _CODE:
            continue
        met.add(id(one))
        if (found := data_of(one)) is not None:
            yield found
            continue
        items = _items_in(one)
        if len(items) <= _MANY:
            queue += no_plain(items)
        if is_record(one):
            queue += attributes_of(one).values()


def _items_in(held: Any) -> Collection[object]:
    """What lies in a container, whatever its class makes of being asked."""
    if is_array(held):
        return held.ravel().tolist() if held.dtype.hasobject and held.size <= _LOOKED_AT else ()
    if type(held) is types.MappingProxyType:
        return [*held.values()]
    kind: Any = next((kind for kind in _CONTAINERS if issubclass(type(held), kind)), tuple)
    if kind is dict:
        return dict.values(held)
    return [*kind.__iter__(held)] if issubclass(type(held), kind) else ()


def note_data(held: object) -> tuple[bool, list[LibraryData]]:
    """Look at what is in the data that a module holds: in a while somebody may have changed it. Whether there is such, and what was not known yet."""
    if type(held) in _CODE:
        return False, []
    before = {*_known}
    found = [*data_in(held, may_be_record)]
    return bool(found), [one for one in found if id(one.held) not in before]


def is_too_much(one: object) -> bool:
    """Whether this is data of which nothing is known, because there is too much in it: nobody keeps it for his own purposes."""
    return is_data(one) and data_of(one) is None


def may_be_record(held: object) -> bool:
    """Whether it is an object of the project whose attributes can be looked at without asking it."""
    cls = type(held)
    return not issubclass(cls, type) and has_attributes(held) and (cls is types.SimpleNamespace or not is_outside(file_of(cls)))


def forget(data: LibraryData) -> None:
    """No module holds it any more."""
    if _known.get(id(data.held)) is data:
        del _known[id(data.held)]


def _forget_unheld() -> None:
    """Forget what nobody else holds of that which cannot be held weakly."""
    for one, data in [*_known.items()]:
        if data.is_alone:
            del _known[one]


def _forget(one: int, _dead: object) -> None:
    _known.pop(one, None)


def _given(held: object) -> object:
    return held

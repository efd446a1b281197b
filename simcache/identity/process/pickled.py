"""What is in an object of a library, as a pickle would keep it: told by one digest, to be compared within this process."""

import sys
import types
from _pickle import Pickler  # the face of it takes longer to load
from collections.abc import Callable, Mapping
from typing import Any

from xxhash import xxh3_128

from simcache.errors import Unkeyable
from simcache.identity.forms.attributes import attributes_of, has_attributes, is_inert
from simcache.identity.forms.canonical import canonical
from simcache.identity.forms.objects import kept
from simcache.identity.forms.tensors import form_of
from simcache.identity.process.files import file_of, is_outside
from simcache.identity.process.taken import digest_of_array, is_watched

_CODE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_MOST = 1 << 24
"""Bytes of arrays that are looked at: 2 ms. Of an object that holds more nothing is told."""
_MOST_WRITTEN = 1 << 20
"""The same of all else: names, numbers of Python, edges of a graph."""
_MOST_OBJECTS = 4096
"""Objects among these, each of which takes some microseconds to be taken apart."""


class Pickled:
    """One state of an object, to be compared with others."""

    __slots__ = ("_digest", "_same")

    def __init__(self, digest: bytes, same: list[object]) -> None:
        self._digest = digest
        self._same = same
        """What counts by being just this object, kept so that no other one gets its place."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pickled) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)


def pickled(held: object, is_data: Callable[[object], bool]) -> Pickled | None:
    """What is in an object, and in those in it that are data or Python's own; any other counts by being the same.

    None of one that holds too much, or that nobody can take apart.
    """
    writing = _Writing(is_data)
    try:
        writing.dump(held)
    except Exception:  # whatever a class makes of being taken apart
        return None
    return Pickled(writing.written.digest.digest(), writing.same)


_PICKLES = frozenset({"__getstate__", "__reduce__", "__reduce_ex__"})
_IN_MEMORY = frozenset({"NumpyIndexingAdapter", "PandasIndexingAdapter", "PandasMultiIndexingAdapter"})
"""Classes of xarray around what lies in memory."""


class _TooMuch(Exception):
    """There is more in it than is looked at."""


class _Written:
    """Where a pickle goes: its bytes are not kept."""

    def __init__(self) -> None:
        self.digest = xxh3_128()
        self._left = _MOST_WRITTEN

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise _TooMuch
        self.digest.update(data)


class _Writing(Pickler):
    def __init__(self, is_data: Callable[[object], bool]) -> None:
        self.written = _Written()
        super().__init__(self.written, 5, buffer_callback=self._buffer)
        self.same: list[object] = []
        self._is_data = is_data
        self._bytes, self._objects = _MOST, _MOST_OBJECTS

    def _buffer(self, buffer: Any) -> None:
        self.written.digest.update(buffer.raw())

    def _take(self, size: int, objects: int = 1) -> None:
        self._bytes -= size
        self._objects -= objects
        if self._bytes < 0 or self._objects < 0:
            raise _TooMuch

    def reducer_override(self, one: Any) -> Any:
        """How all is written but Python's plain values and containers."""
        kind = type(one)
        if "numpy" in sys.modules and isinstance(one, sys.modules["numpy"].ndarray) and not one.dtype.hasobject:
            return _same, self._of_array(one)
        if one is _same or is_watched(one):
            self._take(0)
            return NotImplemented
        if issubclass(kind, _CODE):
            return self._by_itself(one)
        if is_inert(kind):
            return _same, (kind.__qualname__,)
        if "torch" in sys.modules and form_of(kind) is not None:
            return _same, self._of_torch(one)
        self._take(*_size_of(one))
        if not (_is_pythons(kind) or self._is_data(one)):
            return self._by_itself(one)
        if _is_pickled_by_its_user(kind):
            return _same, (id(kind), attributes_of(one))
        try:
            return _same, tuple(kept(one))
        except Exception:  # an iterator, a file: nobody can tell what is in it but for its attributes
            return (_same, (id(kind), attributes_of(one))) if has_attributes(one) else self._by_itself(one)

    def _of_array(self, one: Any) -> tuple[object, ...]:
        """An array by its numbers, however it lies in memory; one with a mask by that, too, and others by their attributes."""
        self._take(one.nbytes)
        plain = sys.modules["numpy"].asarray(one)
        told = type(one).__qualname__, plain.dtype.str, plain.dtype.descr if plain.dtype.names else "", plain.shape, digest_of_array(plain)
        if type(one).__module__.partition(".")[0] != "numpy":
            return *told, attributes_of(one)
        if not hasattr(type(one), "hardmask"):
            return told
        fills = one._fill_value  # noqa: SLF001 - asked by its name it is worked out, and remembered
        fills = sys.modules["numpy.ma"].default_fill_value(one) if fills is None else fills
        return *told, one.mask, one.hardmask, sys.modules["numpy"].asarray(fills, one.dtype)

    def _of_torch(self, one: Any) -> tuple[object, ...]:
        """A tensor by its elements, and what somebody has said of it in attributes; a dtype or a device by its name."""
        if not hasattr(one, "detach"):
            return (canonical(one),)
        gradient = one.grad if one.is_leaf else None
        try:
            self._take(one.nbytes)
            held: object = canonical(one.detach())
        except (Unkeyable, RuntimeError):  # a sparse one, one without memory: torch counts how often it was changed in place
            self.same.append(one)
            held = id(one), one._version  # noqa: SLF001 - nothing else tells
        return type(one).__qualname__, held, one.requires_grad, gradient, vars(one)

    def _by_itself(self, one: object) -> Any:
        self.same.append(one)
        return _same, (id(one),)


def _is_pythons(kind: type) -> bool:
    """Whether a class is Python's own, or one of numpy's plain values."""
    package, _, inside = kind.__module__.partition(".")
    return package in sys.stdlib_module_names or (package == "numpy" and not inside.startswith("random"))


def _size_of(one: Any) -> tuple[int, int]:
    """The bytes of the data in a table or an array, and how much there is in it to be taken apart, as far as these tell at once."""
    package, _, inside = type(one).__module__.partition(".")
    if package == "xarray" and inside.startswith("core.indexing") and type(one).__name__ not in _IN_MEMORY:
        raise _TooMuch  # it is read from a file as it is asked for
    if package == "polars":
        return (int(one.estimated_size()), 1) if hasattr(one, "estimated_size") else (0, 1)
    if hasattr(type(one), "iloc") and hasattr(type(one), "columns"):
        return 0, one.shape[1]
    if isinstance(one, Mapping):
        return 0, len(one) // 16
    return (int(getattr(one, "nbytes", 0)), 1) if package in ("numpy", "xarray") else (0, 1)


def _is_pickled_by_its_user(kind: type) -> bool:
    """Whether a class of the project says how it is pickled: that would run, and may say anything; of arrays only that tells what is in them."""
    if hasattr(kind, "nbytes"):
        return False
    return any(not _PICKLES.isdisjoint(vars(base)) and not is_outside(file_of(base)) for base in kind.__mro__)


def _same(*_parts: object) -> None:
    """Stands in a pickle that nobody reads for whatever has these parts."""

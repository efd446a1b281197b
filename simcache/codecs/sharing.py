"""What a state holds twice, found as it is written: it comes back as one, since what goes on from a state changes it in place."""

import dataclasses
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from simcache.codecs.json import rarer
from simcache.codecs.writing import Leaf, Writer
from simcache.errors import Unstorable
from simcache.named_tuple import NamedTuple

_CONTAINERS: Final = (list, dict, set, bytearray, deque)
_PLAIN: Final = frozenset((type(None), bool, int, float, str, bytes, tuple))
_ALIGNMENT: Final = 16
"""What every allocator keeps to, so that arrays lie as they lay, and the same state gives the same bytes."""
_MAX_WORK: Final = 100_000
_APART: Final = (
    "two arrays of this state lie in the same memory, one of them in steps (a column, every second item), and would come back apart: "
    "give a copy of it, or make it anew from the other when the state is resumed"
)
_TOGETHER: Final = (
    "two arrays of this state lie in the same memory (an array and its rows), and a pickle would take them apart: name no codec, or make "
    "one anew from the other when the state is resumed"
)
_UNORDERED: Final = "it stands in a set and elsewhere in this state, and would come back as two: keep a list instead of the set"


class Census(Writer):
    """Writes a value as ever, and notes what it meets that can be changed, and which of that it meets twice."""

    __slots__ = ("met", "twice")
    root = "state"
    annotated = "argument `resume`"

    def __init__(self, into: object, leaf: Leaf) -> None:
        super().__init__(rarer, into, leaf)
        self.met: dict[int, object] = {}
        """The objects themselves, so that none that is made meanwhile gets the id of another."""
        self.twice: set[int] = set()

    def form(self, value: object) -> Any:
        kind: Any = type(value)
        if kind not in _PLAIN and _can_change(kind):
            if id(value) in self.met:
                self.twice.add(id(value))
            self.met[id(value)] = value
        return Writer.form(self, value)


class Once(Writer):
    """Writes what is held twice where it is met first, with a number that stands for it from then on."""

    __slots__ = ("_numbers", "_sets", "_twice")
    root = "state"

    def __init__(self, into: object, leaf: Leaf, twice: set[int]) -> None:
        super().__init__(rarer, into, leaf)
        self._twice = twice
        self._numbers: dict[int, int] = {}
        self._sets = 0

    def form(self, value: object) -> Any:
        if id(value) not in self._twice:
            return super().form(value)
        if self._sets:  # their items are put in another order than they are met in
            raise Unstorable("", _UNORDERED)
        number = self._numbers.get(id(value))
        if number is not None:
            return {"$same": number}
        number = self._numbers[id(value)] = len(self._numbers)
        return {"$same": [number, super().form(value)]}

    def members(self, values: Iterable[object]) -> list[Any]:
        self._sets += 1
        forms = super().members(values)
        self._sets -= 1
        return forms


def refuse_shared(met: Mapping[int, object]) -> None:
    """Unstorable if two of these arrays lie in the same memory: for a form that has no way to say so."""
    if regions(met):
        raise Unstorable("state", _TOGETHER)


class Memory(NamedTuple):
    """Where an array or a tensor lies in this process."""

    holder: object
    start: int
    stop: int
    in_one_piece: bool


class Layout(NamedTuple):
    """How an array lies in memory, if in one piece and neither by rows nor by columns."""

    rows: Any
    """The same memory as an array that lies by rows."""
    axes: list[int]
    """Which axis of that each of its own is."""
    reversed: list[int]
    """Its own axes that run backwards."""


class Region:
    """A piece of memory that several arrays lie in: it is stored once, and each of them by its place in it."""

    def __init__(self, held: Sequence[Memory]) -> None:
        self.start = held[0].start
        self.stop = max(each.stop for each in held)
        self.held = held

    def content(self, memory_of: Any) -> bytearray:
        """Its bytes, put together from what `memory_of` gives for each array."""
        gap = self.start % _ALIGNMENT
        content = bytearray(gap + self.stop - self.start)
        for each in self.held:
            content[self.place(each) : self.place(each) + each.stop - each.start] = memory_of(each.holder)
        return content

    def place(self, one: Memory) -> int:
        """Where one of the arrays begins in the content."""
        return self.start % _ALIGNMENT + one.start - self.start


def regions(met: Mapping[int, object]) -> list[Region]:
    """The pieces of memory that more than one of these arrays lie in; Unstorable if one lies there in steps."""
    memories = sorted((memory for value in met.values() if (memory := _memory(value)) is not None), key=lambda each: each.start)
    found: list[list[Memory]] = []
    stop = 0
    for memory in memories:
        if memory.start < stop:
            found[-1].append(memory)
        else:
            found.append([memory])
        stop = max(stop, memory.stop)
    return [region for held in found if len(held) > 1 for region in _of(held)]


def _of(held: list[Memory]) -> list[Region]:
    """The regions of arrays whose bounds overlap; those in steps may lie between the others."""
    in_steps = [each for each in held if not each.in_one_piece]
    if any(_meet(each, other) for each in in_steps for other in held if other is not each):
        raise Unstorable("state", _APART)
    return [Region(held)] if not in_steps else regions({id(each.holder): each.holder for each in held if each.in_one_piece})


def _meet(one: Memory, other: Memory) -> bool:
    """Whether two arrays share a byte; yes where that cannot be told."""
    if one.start >= other.stop or other.start >= one.stop:
        return False
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not (isinstance(one.holder, numpy.ndarray) and isinstance(other.holder, numpy.ndarray)):
        return True
    try:
        return bool(numpy.shares_memory(one.holder, other.holder, max_work=_MAX_WORK))
    except numpy.exceptions.TooHardError:
        return True


def _memory(value: Any) -> Memory | None:
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None and isinstance(value, numpy.ndarray):
        if _is_constant(value, numpy.ndarray):
            return None
        start, size, steps = value.__array_interface__["data"][0], value.itemsize, value.strides
        in_one_piece = value.flags.c_contiguous or value.flags.f_contiguous or layout(value) is not None
    elif torch is not None and isinstance(value, torch.Tensor):
        start, size, steps = value.data_ptr(), value.element_size(), [step * value.element_size() for step in value.stride()]
        in_one_piece = (value.is_contiguous() or layout(value) is not None) and not value.is_conj() and not value.is_neg()
    else:
        return None
    if 0 in value.shape:
        return None
    ways = [(length - 1) * step for length, step in zip(value.shape, steps, strict=True)]
    return Memory(value, start + sum(min(0, way) for way in ways), start + sum(max(0, way) for way in ways) + size, bool(in_one_piece))


def layout(value: Any) -> Layout | None:
    """How an array lies; None if by rows or by columns, or with gaps. Sums depend on it to the last bit, so what goes on must find it."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        plain = type(value) is torch.Tensor and value.layout is torch.strided and not value.requires_grad and not vars(value)
        if not plain or value.is_contiguous():
            return None
        order = sorted(range(value.ndim), key=lambda axis: -value.stride(axis))
        rows = value.permute(order)
        return Layout(rows, _turned_back(order), []) if rows.is_contiguous() else None
    if value.flags.c_contiguous or value.flags.f_contiguous:
        return None
    backwards = [axis for axis, step in enumerate(value.strides) if step < 0]
    order = sorted(range(value.ndim), key=lambda axis: -abs(value.strides[axis]))
    rows = value[tuple(slice(None, None, -1 if axis in backwards else None) for axis in range(value.ndim))].transpose(order)
    return Layout(rows, _turned_back(order), backwards) if rows.flags.c_contiguous else None


def _turned_back(order: list[int]) -> list[int]:
    return sorted(range(len(order)), key=order.__getitem__)


def _is_constant(value: Any, array: Any) -> bool:
    """Whether nobody can write to an array, nor to what it is a view of, as to the map of a stored result."""
    while isinstance(value, array) and not value.flags.writeable:
        value = value.base
    try:
        return not isinstance(value, array) and memoryview(value).readonly
    except TypeError:  # it owns its memory, and may have been written to before by a view that still can
        return False


@lru_cache(maxsize=512)
def _can_change(kind: Any) -> bool:
    """Whether objects of this class can be changed in place."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if issubclass(kind, _CONTAINERS) or (numpy is not None and issubclass(kind, numpy.ndarray)):
        return True
    if torch is not None and issubclass(kind, torch.Tensor):
        return True
    if dataclasses.is_dataclass(kind):
        return not getattr(kind, "__dataclass_params__").frozen  # noqa: B009 - typing knows no such name
    config = getattr(kind, "model_config", None)
    return isinstance(config, dict) and not config.get("frozen")

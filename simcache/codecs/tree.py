"""Any nesting of plain data with arrays, tensors and long bytes inside: their memory first, then JSON that points to it."""

import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from simcache.codecs.base import Codec, Encoded
from simcache.codecs.json import encoded, rarer
from simcache.codecs.reading import Reader, listed, value_of
from simcache.codecs.writing import Writer, text_of
from simcache.errors import Undecodable
from simcache.model import Buffer, Json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simcache.codecs.sharing import Layout, Region

ALIGNMENT: Final = 64
"""Offsets are multiples of it: a cache line, and enough for every vector instruction on a mapped array."""

_PADDING: Final = bytes(ALIGNMENT)


class TreeCodec(Codec):
    """The blob: each leaf's memory at a multiple of 64, zeros between, then the JSON, whose place the entry tells.

    In that JSON a leaf is {"$array": [offset, dtype, shape, order]}, {"$raw": [offset, length]} for long bytes, or
    {"$tensor": [offset, dtype, shape, requires_grad, is_parameter]}. A value without leaves is left to the json codec.

    In a state, an array that lies in memory in another order of its axes is {"$axes": [axes, reversed axes, form]}, the form being that
    of its rows as they lie; what is held twice is {"$same": [number, form]} where it is met first and {"$same": number} after that, and arrays
    that share memory have offsets into one piece of it.
    """

    name = "tree"

    def takes(self, value: object) -> bool:
        del value
        return True  # it comes last, and says of what it cannot hold where that is and why

    def encode(self, value: Any, into: object = None) -> Encoded:
        leaves = _Leaves()
        text = text_of(value, Writer(rarer, into, leaves.form))
        return self._whole(text, leaves) if leaves.placed else encoded(text)

    def encode_state(self, value: Any, into: object = None) -> Encoded:
        from simcache.codecs.sharing import Census, Once, layout, regions  # whoever hits has no use for it

        leaves = _Leaves(layout)
        census = Census(into, leaves.form)
        text = text_of(value, census)
        shared = regions(census.met)
        if not census.twice and not shared:
            return self._whole(text, leaves) if leaves.placed else encoded(text)
        leaves = _Leaves(layout, shared)
        return self._whole(text_of(value, Once(into, leaves.form, census.twice)), leaves)

    def _whole(self, text: str, leaves: "_Leaves") -> Encoded:
        content = text.encode()
        offset = leaves.place(content)
        return Encoded({"codec": self.name, "json": [offset, len(content)]}, leaves.chunks)

    def decode(self, describe: Json, data: memoryview, into: object = None) -> Any:
        offset, length = listed(describe.get("json"), 2)
        return value_of(_part(data, offset, length), Reader(into, _readers(data)))


class _Leaves:
    """The memory of the leaves of one tree, as they are met."""

    def __init__(self, layout: "Callable[[Any], Layout | None] | None" = None, shared: "Sequence[Region]" = ()) -> None:
        self.chunks: list[Buffer] = []
        self.placed = False
        self._size = 0
        self._layout = layout
        self._shared = {id(each.holder): (region, region.place(each)) for region in shared for each in region.held}
        """The arrays that lie in memory with others, and where in it."""
        self._begun: dict[Region, int] = {}

    def place(self, memory: Buffer) -> int:
        """Add some memory; where it begins."""
        self.placed = True
        if gap := -self._size % ALIGNMENT:
            self.chunks.append(_PADDING[:gap])
            self._size += gap
        offset = self._size
        if size := len(memory):
            self.chunks.append(memory)
            self._size += size
        return offset

    def form(self, value: object) -> Json | None:
        """The tagged form of a leaf; None if the value is none."""
        if type(value) is bytes:
            return {"$raw": [self.place(value), len(value)]}
        numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
        if numpy is not None and isinstance(value, numpy.ndarray):
            tag, pack = "$array", _arrays().pack
        elif torch is not None and isinstance(value, torch.Tensor):
            tag, pack = "$tensor", _weights().pack
        else:
            return None
        laid = None if self._layout is None else self._layout(value)
        array, memory = pack(value if laid is None else laid.rows)
        form = {tag: [self._place_of(value, memory), *array]}
        return form if laid is None else {"$axes": [laid.axes, laid.reversed, form]}

    def _place_of(self, value: object, memory: Buffer) -> int:
        """Where the memory of an array begins, in that of others if it lies there."""
        if id(value) not in self._shared:
            return self.place(memory)
        region, within = self._shared[id(value)]
        if region not in self._begun:
            self._begun[region] = self.place(region.content(_packed))
        return self._begun[region] + within


def _readers(data: memoryview) -> dict[str, Any]:
    def array(payload: Any) -> Any:
        return _arrays().unpack(data, *listed(payload, 4))

    def tensor(payload: Any) -> Any:
        try:
            weights = _weights()
        except ImportError as problem:
            raise Undecodable("it holds tensors, and torch is not here: install torch") from problem
        return weights.unpack(data, payload)

    def raw(payload: Any) -> bytes:
        return bytes(_part(data, *listed(payload, 2)))

    held: dict[int, Any] = {}

    def same(payload: Any) -> Any:
        if type(payload) is int and payload in held:
            return held[payload]
        number, value = listed(payload, 2)
        if type(number) is not int or number in held:
            raise Undecodable(f"{number!r} is no number of what is held twice")
        held[number] = value
        return value

    return {"$array": array, "$tensor": tensor, "$raw": raw, "$same": same, "$axes": _as_it_lay}


def _as_it_lay(payload: Any) -> Any:
    """An array whose rows were stored in the order in which they lie in memory, with its axes in their own order again."""
    axes, backwards, rows = listed(payload, 3)
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    is_array = numpy is not None and isinstance(rows, numpy.ndarray)
    is_tensor = torch is not None and isinstance(rows, torch.Tensor) and not backwards
    whole = all(type(axis) is int for axis in [*listed(axes), *listed(backwards)])
    if not (is_array or is_tensor) or not whole or sorted(axes) != list(range(rows.ndim)) or not set(backwards) <= set(axes):
        raise Undecodable("no order of the axes of an array")
    if is_tensor:
        return rows.permute(axes)
    return rows.transpose(axes)[tuple(slice(None, None, -1 if axis in backwards else None) for axis in range(rows.ndim))]


def _part(data: memoryview, offset: Any, length: Any) -> memoryview:
    if type(offset) is not int or type(length) is not int or offset < 0 or length < 0 or offset + length > data.nbytes:
        raise Undecodable(f"{length!r} bytes from {offset!r} on are not in {data.nbytes} bytes")
    return data[offset : offset + length]


def _packed(value: Any) -> memoryview:
    """The memory of an array or a tensor that lies in one piece, as it lies."""
    from simcache.codecs.sharing import layout

    laid = layout(value)
    value = value if laid is None else laid.rows
    torch = sys.modules.get("torch")
    packed: memoryview = (_weights() if torch is not None and isinstance(value, torch.Tensor) else _arrays()).pack(value)[1]
    return packed


# numpy and torch are loaded only where there are arrays and tensors; asked by every leaf, so not an import statement each.
@cache
def _arrays() -> Any:
    return import_module("simcache.codecs.arrays")


@cache
def _weights() -> Any:
    return import_module("simcache.codecs.weights")


CODEC: Final = TreeCodec()

"""Any nesting of plain data with arrays, tensors and long bytes inside: their memory first, then JSON that points to it."""

import sys
from functools import cache
from importlib import import_module
from typing import Any, Final

from simcache.codecs.base import Codec, Encoded
from simcache.codecs.json import encoded, rarer
from simcache.codecs.reading import Reader, listed, value_of
from simcache.codecs.writing import Writer, text_of
from simcache.errors import Undecodable
from simcache.model import Buffer, Json

ALIGNMENT: Final = 64
"""Offsets are multiples of it: a cache line, and enough for every vector instruction on a mapped array."""

_PADDING: Final = bytes(ALIGNMENT)


class TreeCodec(Codec):
    """The blob: each leaf's memory at a multiple of 64, zeros between, then the JSON, whose place the entry tells.

    In that JSON a leaf is {"$array": [offset, dtype, shape, order]}, {"$raw": [offset, length]} for long bytes, or
    {"$tensor": [offset, dtype, shape, requires_grad, is_parameter]}. A value without leaves is left to the json codec.
    """

    name = "tree"

    def takes(self, value: object) -> bool:
        del value
        return True  # it comes last, and says of what it cannot hold where that is and why

    def encode(self, value: Any, into: object = None) -> Encoded:
        leaves = _Leaves()
        text = text_of(value, Writer(rarer, into, leaves.form))
        if not leaves.placed:
            return encoded(text)
        content = text.encode()
        offset = leaves.place(content)
        return Encoded({"codec": self.name, "json": [offset, len(content)]}, leaves.chunks)

    def decode(self, describe: Json, data: memoryview, into: object = None) -> Any:
        offset, length = listed(describe.get("json"), 2)
        return value_of(_part(data, offset, length), Reader(into, _readers(data)))


class _Leaves:
    """The memory of the leaves of one tree, as they are met."""

    def __init__(self) -> None:
        self.chunks: list[Buffer] = []
        self.placed = False
        self._size = 0

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
            array, memory = _arrays().pack(value)
            return {"$array": [self.place(memory), *array]}
        if torch is not None and isinstance(value, torch.Tensor):
            tensor, memory = _weights().pack(value)
            return {"$tensor": [self.place(memory), *tensor]}
        return None


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

    return {"$array": array, "$tensor": tensor, "$raw": raw}


def _part(data: memoryview, offset: Any, length: Any) -> memoryview:
    if type(offset) is not int or type(length) is not int or offset < 0 or length < 0 or offset + length > data.nbytes:
        raise Undecodable(f"{length!r} bytes from {offset!r} on are not in {data.nbytes} bytes")
    return data[offset : offset + length]


# numpy and torch are loaded only where there are arrays and tensors; asked by every leaf, so not an import statement each.
@cache
def _arrays() -> Any:
    return import_module("simcache.codecs.arrays")


@cache
def _weights() -> Any:
    return import_module("simcache.codecs.weights")


CODEC: Final = TreeCodec()

"""Tensors of torch as plain memory, so that network weights are kept without pickle; loaded only where there are tensors."""

from math import prod
from typing import Any, Final

import torch

from simcache.codecs.base import BAD_DATA
from simcache.codecs.reading import listed
from simcache.errors import Undecodable, Unstorable

_DTYPES: Final[dict[str, Any]] = {
    name: getattr(torch, name)
    for name in (
        "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128 "
        "float8_e4m3fn float8_e5m2"
    ).split()
    if hasattr(torch, name)
}
_NAMES: Final = {dtype: name for name, dtype in _DTYPES.items()}
_MAX_DIMENSIONS: Final = 64


def pack(tensor: Any) -> tuple[list[Any], memoryview]:
    """The dtype, shape and sort of a tensor, and its memory in C order on the CPU (where it comes back to)."""
    parameter = type(tensor) is torch.nn.Parameter
    if not parameter and type(tensor) is not torch.Tensor:
        raise Unstorable("", f"a {type(tensor).__qualname__} is more than its tensor: return a plain tensor, or a state_dict()")
    if tensor.layout is not torch.strided or tensor.is_meta or tensor.dtype not in _NAMES:
        raise Unstorable("", f"a tensor of {tensor.dtype}, {tensor.layout} on {tensor.device} has no plain memory: return a dense one")
    if tensor.grad_fn is not None or (tensor.is_leaf and tensor.grad is not None):
        raise Unstorable("", "the tensor is part of a graph of gradients, which is not kept: return tensor.detach()")
    if vars(tensor) or tensor._backward_hooks:  # noqa: SLF001 - nothing else tells
        what = f"the attribute {next(iter(vars(tensor)))!r}" if vars(tensor) else "a hook"
        raise Unstorable("", f"the tensor carries {what}, which is not kept: return tensor.detach(), and beside it what it carries")
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    memory = plain.view(torch.uint8).numpy().data if plain.numel() else memoryview(b"")
    return [_NAMES[tensor.dtype], list(tensor.shape), bool(tensor.requires_grad), parameter], memory


def unpack(data: memoryview, payload: Any) -> Any:
    """The tensor that `payload` describes, sharing the memory of `data` if that may be written, else a copy of its own."""
    offset, name, shape, requires_grad, parameter = listed(payload, 5)
    if type(offset) is not int or offset < 0 or type(name) is not str or name not in _DTYPES:
        raise Undecodable(f"no tensor of dtype {name!r} at {offset!r}")
    if type(shape) is not list or len(shape) > _MAX_DIMENSIONS or any(type(length) is not int or length < 0 for length in shape):
        raise Undecodable("the shape of a tensor is a list of lengths")
    if type(requires_grad) is not bool or type(parameter) is not bool:
        raise Undecodable("whether a tensor requires gradients is yes or no")
    count, dtype = prod(shape), _DTYPES[name]
    size = count * dtype.itemsize
    if offset + size > data.nbytes:
        raise Undecodable(f"a tensor of {size} bytes from {offset} on is not in {data.nbytes} bytes")
    try:
        tensor = torch.empty(shape, dtype=dtype) if not count else _within(data[offset : offset + size], dtype).reshape(shape)
        return torch.nn.Parameter(tensor, requires_grad) if parameter else tensor.requires_grad_(requires_grad)
    except BAD_DATA as problem:
        raise Undecodable(f"not a tensor: {problem}") from problem


def _within(memory: memoryview, dtype: Any) -> Any:
    # A tensor can always be written, and writing to a read-only map would end the process.
    return torch.frombuffer(bytearray(memory) if memory.readonly else memory, dtype=dtype)

"""The canonical forms of torch's values; torch itself is never imported here, as whoever made one has loaded it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from simcache.identity.forms.base import Refused, compound, digested, text
from simcache.identity.forms.values import boolean, integers

if TYPE_CHECKING:
    from simcache.identity.forms.base import Form, Walk


def form_of(cls: type) -> Form | None:
    """How values of torch's types are written; None for a type that is none of them."""
    if cls.__module__.partition(".")[0] != "torch":
        return None
    torch: Any = sys.modules["torch"]
    if cls is torch.Tensor or cls is torch.nn.Parameter:
        return _tensor
    if cls is torch.dtype or cls is torch.device:
        return lambda value, _walk, _depth: compound("torch", text(b"s", cls.__name__), text(b"s", str(value)))
    if cls is torch.Size:
        return lambda value, walk, _depth: compound("torch.Size", integers(value, walk))
    return None


def _tensor(value: Any, walk: Walk, depth: int) -> bytes:
    """By dtype, shape and elements, and the gradient that was gathered; the device it lies on is where a computation runs, not what it computes."""
    torch: Any = sys.modules["torch"]
    if value.layout is not torch.strided or value.is_quantized or value.is_meta or value.is_nested:
        raise Refused("a tensor that is sparse, nested, quantized or without memory has no form: pass .to_dense() or what it is made of")
    if vars(value):
        raise Refused(f"a tensor with attributes of its own ({', '.join(sorted(vars(value)))}) has no form: pass .detach() of it")
    plain = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
    shown = text(b"s", f"{type(value).__name__} {plain.dtype}")
    # One element counts as contiguous with whatever stride, but does not come apart into bytes with it.
    held = digested(b"b", plain.reshape(-1).as_strided((plain.numel(),), (1,)).view(torch.uint8).numpy())
    gradient = () if not value.is_leaf or value.grad is None else (_tensor(value.grad, walk, depth),)
    return compound("tensor", shown, integers(plain.shape, walk), boolean(value.requires_grad, walk, depth), held, *gradient)

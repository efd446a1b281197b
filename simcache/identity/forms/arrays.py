"""The canonical forms of numpy's values: what an array holds, not how it lies in memory; loaded when one is met."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from xxhash import xxh3_128, xxh3_128_digest

from simcache.identity.forms.attributes import attributes_of
from simcache.identity.forms.base import DEEPEST, Refused, compound, counted, digested, refuse, text
from simcache.identity.forms.values import boolean, integers

if TYPE_CHECKING:
    from simcache.identity.forms.base import Form, Walk

PIECE = 1 << 20
"""Bytes that are copied at a time where an array does not lie in C order."""

_LAST_OF_NUMPY = 255  # numbers of dtypes beyond it belong to other packages


def form_of(cls: type) -> Form | None:
    """How values of numpy's types are written; None for a type that is none of them."""
    if cls is np.ndarray or cls is np.memmap:
        return array
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    if cls is masked:
        return _masked
    if issubclass(cls, np.ndarray) and not hasattr(cls, "__cache_key__"):
        return _derived(cls)
    if issubclass(cls, np.generic) and cls.__module__ == "numpy":
        return _scalar
    if issubclass(cls, np.dtype):
        return lambda value, walk, depth: compound("dtype", dtype_form(value, walk, depth))
    if cls is np.ufunc:
        return _ufunc
    return None


def array(value: np.ndarray[Any, Any], walk: Walk, depth: int) -> bytes:
    """By dtype, shape and elements in C order; order in memory, strides and who owns the memory do not count."""
    return b"n" + dtype_form(value.dtype, walk, depth) + integers(value.shape, walk) + _elements(value, walk, depth)


def _derived(cls: type) -> Form:
    """The form of arrays of another class: as an argument none, of what a module holds the numbers and attributes."""
    unknown = refuse(f"a {cls.__module__}.{cls.__qualname__} may be more than its numbers: pass np.asarray(it)")

    def form(value: Any, walk: Walk, depth: int) -> bytes:
        if not walk.reduces:
            return unknown(value, walk, depth)
        more = attributes_of(value)
        beside = (walk.forms[dict](more, walk, depth + 1),) if more else ()
        return compound(cls.__qualname__, array(np.asarray(value), walk, depth), *beside)

    return form


def dtype_form(dtype: np.dtype[Any], walk: Walk, depth: int) -> bytes:
    """A dtype, with its byte order as "this machine's own" or "swapped": the same program has one key on any machine."""
    if dtype.names is not None:
        fields = []
        for name in dtype.names:
            inner, offset, *title = dtype.fields[name]  # type: ignore[index]
            place = integers((offset,), walk) + walk.forms[list](title, walk, depth)
            fields.append(text(b"s", name) + place + dtype_form(inner, walk, depth))
        return compound("record" if dtype.type is np.record else "fields", integers((dtype.itemsize,), walk), *fields)
    if dtype.subdtype is not None:
        inner, shape = dtype.subdtype
        return compound("items", dtype_form(inner, walk, depth), integers(shape, walk))
    if dtype.kind == "T":
        return compound("text", boolean(dtype.coerce, walk, depth), *_na_object(dtype, walk, depth))  # type: ignore[attr-defined]
    if dtype.num > _LAST_OF_NUMPY:
        raise Refused(f"its dtype {dtype} comes from another package: pass .view() of it as unsigned integers, and the dtype's name")
    if dtype.char in "gG":
        raise Refused("a long double is another number on other machines: pass float64 or complex128")
    return text(b"y" if dtype.isnative else b"x", dtype.str[1:])


def _na_object(dtype: Any, walk: Walk, depth: int) -> tuple[bytes, ...]:
    if not hasattr(dtype, "na_object"):
        return ()
    return (walk.forms[type(dtype.na_object)](dtype.na_object, walk, depth + 1),)


def _elements(value: np.ndarray[Any, Any], walk: Walk, depth: int) -> bytes:
    dtype = value.dtype
    if dtype.names is not None:
        # Field by field, as the bytes between fields hold whatever was there before.
        return b"".join(_field(value, name, walk, depth) for name in dtype.names)
    if dtype.kind in "OT":
        return _objects(value, walk, depth)
    return counted(b"b", value.nbytes) + _digest(value)


def _field(value: np.ndarray[Any, Any], name: str, walk: Walk, depth: int) -> bytes:
    try:
        return _elements(value[name], walk, depth)
    except Refused as refused:
        refused.inside(f"[{name!r}]", value)
        raise


def _objects(value: np.ndarray[Any, Any], walk: Walk, depth: int) -> bytes:
    if depth > DEEPEST:
        raise Refused
    parts: list[bytes] = []
    add = parts.append
    try:
        for item in value.flat:
            add(walk.forms[type(item)](item, walk, depth + 1))
    except Refused as refused:
        place = np.unravel_index(len(parts), value.shape)
        refused.inside(f"[{', '.join(map(str, place))}]", value)
        raise
    return counted(b"l", len(parts)) + b"".join(parts)


def _digest(value: np.ndarray[Any, Any]) -> bytes:
    """XXH3-128 of the elements in C order and little-endian: read in place if they lie so, else copied in pieces."""
    if not value.nbytes:
        return xxh3_128_digest(b"")
    little = value.dtype.newbyteorder("<")
    if value.flags.c_contiguous and value.dtype == little:
        return xxh3_128_digest(value.reshape(-1).view(np.uint8).data)
    running = xxh3_128()
    pieces = np.nditer(  # type: ignore[call-overload]  # numpy's stubs misspell "contig"
        [value],
        flags=["external_loop", "buffered"],
        op_flags=[["readonly", "contig"]],
        op_dtypes=[little],
        casting="equiv",
        order="C",
        buffersize=max(1, PIECE // value.itemsize),
    )
    for piece in pieces:
        running.update(piece.view(np.uint8).data)
    return running.digest()


def _scalar(value: np.generic, walk: Walk, depth: int) -> bytes:
    if isinstance(value, np.str_):  # as an array it would lose zeros at its end
        return compound("numpy.str_", text(b"s", str(value)))
    if isinstance(value, np.bytes_):
        return compound("numpy.bytes_", digested(b"b", bytes(value)))
    held = np.asarray(value)
    return b"z" + dtype_form(held.dtype, walk, depth) + _elements(held, walk, depth)


def _masked(value: Any, walk: Walk, depth: int) -> bytes:
    """Also by what lies under the mask, which a function can read."""
    fill = np.asarray(value.fill_value)
    mask = sys.modules["numpy.ma"].getmaskarray(value)
    parts = (array(np.asarray(value.data), walk, depth), array(mask, walk, depth), array(fill, walk, depth))
    return compound("masked", *parts, boolean(bool(value.hardmask), walk, depth))


def _ufunc(value: np.ufunc, _walk: Walk, _depth: int) -> bytes:
    if getattr(np, value.__name__, None) is not value:
        raise Refused(f"the ufunc {value.__name__} was made outside numpy: pass the function that it was made from")
    return compound("ufunc", text(b"s", value.__name__))

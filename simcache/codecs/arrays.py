"""Arrays as they lie in memory: the codec of one array, and the parts of it that trees and numpy scalars share."""

from functools import lru_cache
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simcache.codecs.base import BAD_DATA, Codec, Encoded
from simcache.errors import Undecodable, Unstorable
from simcache.model import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray  # 3 ms

    from simcache.codecs.reading import Read, Reader
    from simcache.codecs.writing import Writer

_PLAIN: Final = frozenset("biufcmMSUV")
"""The kinds of numpy's own dtypes that are bytes and nothing else."""
_MAX_DIMENSIONS: Final = 64
_NUMBERS: Final = {"b": bool, "i": int, "u": int, "f": float}


class ArrayCodec(Codec):
    """One array: the blob is its memory in C or F order, so that it can be mapped; the entry tells dtype, shape and order."""

    name = "array"

    def takes(self, value: object) -> bool:
        return isinstance(value, np.ndarray)

    def encode(self, value: Any, into: object = None) -> Encoded:
        del into
        if not isinstance(value, np.ndarray):
            raise Unstorable("value", f"codec='array' takes one numpy array, and this is a {type(value).__qualname__}: name no codec")
        try:
            (dtype, shape, order), chunk = pack(value)
        except Unstorable as refused:
            raise Unstorable("value", refused.reason) from None
        return Encoded({"codec": self.name, "dtype": dtype, "shape": shape, "order": order}, [chunk] if len(chunk) else [])

    def encode_state(self, value: Any, into: object = None) -> Encoded:
        if type(value) is np.ndarray and not (value.flags.c_contiguous or value.flags.f_contiguous):
            encoded: Encoded = import_module("simcache.codecs.tree").CODEC.encode_state(value, into)  # which can say how it lies
            return encoded
        return self.encode(value, into)

    def decode(self, describe: Json, data: memoryview, into: object = None) -> "NDArray[Any]":
        del into
        array = unpack(data, 0, describe.get("dtype"), describe.get("shape"), describe.get("order"))
        if array.nbytes != data.nbytes:
            raise Undecodable(f"{data.nbytes} bytes for an array of {array.nbytes}")
        return array


def pack(array: "NDArray[Any]") -> tuple[tuple[Any, list[int], str], memoryview]:
    """The dtype, shape and order of an array, and its memory (not copied if it lies in one piece)."""
    if type(array) is not np.ndarray:
        kind = type(array).__qualname__
        # As an array of another kind a masked one would lose its mask, and show what that covers.
        instead = "its data and its mask (.data, .mask)" if isinstance(array, np.ma.MaskedArray) else "np.asarray(…) of it"
        raise Unstorable("", f"a {kind} is more than its array: return {instead}, or store it with codec='pickle'")
    dtype = array.dtype
    form = dtype_form(dtype)
    shape, flags = list(array.shape), array.flags
    if array.nbytes == 0:
        return (form, shape, "C" if flags.c_contiguous else "F"), memoryview(b"")
    if flags.c_contiguous:
        order, flat = "C", array.reshape(-1)
    elif flags.f_contiguous:
        order, flat = "F", array.T.reshape(-1)
    else:
        order, flat = "C", array.flatten()
    memory = flat.view(np.uint8)
    if dtype.names is not None and not (covered := _covered(dtype)).all():
        # Padding between fields holds whatever was there: two equal arrays would have different bytes.
        memory = memory.copy()
        memory.reshape(-1, dtype.itemsize)[:, ~covered] = 0
    return (form, shape, order), memory.data


def unpack(data: memoryview, offset: object, dtype: object, shape: object, order: object) -> "NDArray[Any]":
    """The array that lies in `data` from `offset` on, sharing its memory; Undecodable if it would reach beyond."""
    if type(offset) is not int or offset < 0:
        raise Undecodable(f"{offset!r} is no offset")
    if type(shape) is not list or len(shape) > _MAX_DIMENSIONS or any(type(length) is not int or length < 0 for length in shape):
        raise Undecodable("the shape of an array is a list of lengths")
    if order not in ("C", "F"):
        raise Undecodable(f"{order!r} is no order of an array")
    try:
        found = dtype_of(dtype)
        size = prod(shape) * found.itemsize
        if offset + size > data.nbytes:
            raise Undecodable(f"an array of {size} bytes from {offset} on is not in {data.nbytes} bytes")
        return np.ndarray(tuple(shape), found, data, offset if size else 0, None, order)
    except BAD_DATA as problem:
        raise Undecodable(f"not an array: {type(problem).__name__}: {problem}") from problem


def dtype_form(dtype: np.dtype[Any]) -> Any:
    """A dtype as JSON: numpy's own text of a plain one, names and offsets of a structured one."""
    if dtype.metadata:
        raise Unstorable("", "its dtype carries metadata, which is not kept: return the array with a plain dtype")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": dtype_form(base), "shape": list(shape)}
    if dtype.names is None:
        return _plain_form(dtype)
    if dtype.type is not np.void:
        raise Unstorable("", f"arrays of {dtype.type.__qualname__} would come back as plain structured ones: return .astype(dtype.descr)")
    fields = []
    for name in dtype.names:
        field, offset, *title = dtype.fields[name]  # type: ignore[index]
        if title and not isinstance(title[0], str):
            raise Unstorable("", f"the field {name!r} of the dtype has a title that is no text: leave the title out")
        fields.append([name, dtype_form(field), offset, *title])
    return {"fields": fields, "itemsize": dtype.itemsize, "aligned": dtype.isalignedstruct}


@lru_cache(maxsize=256)
def _plain_form(dtype: np.dtype[Any]) -> str:
    if dtype.hasobject:
        raise Unstorable("", f"an array of dtype {dtype} holds objects, not their bytes: return a list, or an array of numbers or 'U' text")
    if dtype.type in (np.longdouble, np.clongdouble):
        raise Unstorable("", "the bytes of longdouble mean other numbers on other machines: return float64")
    if dtype.kind not in _PLAIN or np.dtype(dtype.str) != dtype:
        raise Unstorable("", f"the dtype {dtype} is not one of numpy's own: return an array of a plain dtype")
    return dtype.str


def dtype_of(form: Any) -> np.dtype[Any]:
    """The dtype that `dtype_form` described; Undecodable, ValueError or TypeError for anything else."""
    if isinstance(form, str):
        return _plain_dtype(form)
    if form.keys() == {"base", "shape"}:
        dtype = np.dtype((dtype_of(form["base"]), tuple(form["shape"])))
    else:
        if type(form["aligned"]) is not bool:  # numpy takes anything, and warns
            raise Undecodable("whether a dtype is aligned is yes or no")
        fields = [[*field, None] for field in form["fields"]]  # a title is there or not
        layout = {
            "names": [field[0] for field in fields],
            "formats": [dtype_of(field[1]) for field in fields],
            "offsets": [field[2] for field in fields],
            "titles": [field[3] for field in fields],
            "itemsize": form["itemsize"],
        }
        dtype = np.dtype(layout, align=form["aligned"])  # type: ignore[call-overload]
    if dtype_form(dtype) != form:
        raise Undecodable("the dtype of an array is not written as it should be")
    return dtype


@lru_cache(maxsize=256)
def _plain_dtype(text: str) -> np.dtype[Any]:
    dtype = np.dtype(text) if text[:1] in ("<", ">", "|") and text[1:2] in _PLAIN else None
    if dtype is None or dtype.str != text or dtype.type in (np.longdouble, np.clongdouble):
        raise Undecodable(f"{text[:80]!r} is no dtype of an array")
    return dtype


def scalar_form(writer: "Writer", value: Any) -> Any:
    """A numpy scalar as tagged JSON: a number that a person can read where that is exact, else its bytes."""
    kind = type(value)
    if kind in (np.str_, np.bytes_):
        plain = str.__str__(value) if kind is np.str_ else bytes(value)  # str() would drop a NUL at the end
        return {"$scalar": ["U" if kind is np.str_ else "S", writer.form(plain)]}
    dtype = value.dtype
    if kind is not dtype.type:
        raise Unstorable("", f"a {kind.__qualname__} is more than the {dtype.type.__qualname__} that it extends: return a plain one")
    form = dtype_form(dtype)
    if dtype.kind in _NUMBERS and np.isfinite(value):
        return {"$scalar": [form, value.item()]}
    return {"$scalar": [form, writer.form(bytes(pack(np.asarray(value, dtype))[1]))]}


def _read_scalar(_reader: "Reader", payload: Any) -> Any:
    from simcache.codecs.reading import listed  # whoever reads one array has no use for it

    form, content = listed(payload, 2)
    if form == "U" and type(content) is str:
        return np.str_(content)
    if form == "S" and type(content) is bytes:
        return np.bytes_(content)
    dtype = dtype_of(form)
    if type(content) is bytes:
        if len(content) != dtype.itemsize or dtype.kind in "SU":
            raise Undecodable(f"{len(content)} bytes for a scalar of {dtype.itemsize}")
        return np.ndarray((), dtype, bytearray(content))[()]
    if type(content) is not _NUMBERS.get(dtype.kind):
        raise Undecodable(f"{type(content).__name__} for a scalar of dtype {dtype}")
    with np.errstate(over="ignore"):
        value = dtype.type(content)
    if value.item() != content:
        raise Undecodable(f"{content!r} is no number of dtype {dtype}")
    return value


def _covered(dtype: np.dtype[Any]) -> "NDArray[np.bool_]":
    """Which bytes of an item belong to a field."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.tile(_covered(base), prod(shape))
    if dtype.names is None:
        return np.ones(dtype.itemsize, np.bool_)
    covered = np.zeros(dtype.itemsize, np.bool_)
    for name in dtype.names:
        field, offset = dtype.fields[name][:2]  # type: ignore[index]
        covered[offset : offset + field.itemsize] |= _covered(field)
    return covered


READ: "Final[dict[str, Read]]" = {"$scalar": _read_scalar}
CODEC: Final = ArrayCodec()

"""Arrays, alone and in trees: every dtype and order, no copies, and no reading beyond the data."""

import json
from typing import Any

import numpy as np
import pytest

from simcache.codecs import registry
from simcache.codecs.tree import ALIGNMENT
from simcache.errors import Undecodable, Unstorable
from tests.simcache.makers import identical

Padded = np.dtype([("a", "i1"), ("b", "<f8"), ("c", "U2", (2,))], align=True)
Offsets = np.dtype({"names": ["x", "y"], "formats": ["<i4", ">f2"], "offsets": [8, 1], "itemsize": 20})
Nested = np.dtype([("inner", Padded), ("m", "<M8[us]", (2, 3)), (("title", "t"), "S3")])


def blob(value: object) -> tuple[dict[str, Any], bytes]:
    encoded = registry.encode(value)
    return json.loads(json.dumps(encoded.describe)), b"".join(bytes(chunk) for chunk in encoded.chunks)


def filled(dtype: object, shape: Any = (3, 2)) -> Any:
    array = np.zeros(shape, dtype)  # type: ignore[call-overload]
    array.view(np.uint8)[...] = 1
    return array


ARRAYS = {
    **{name: filled(name) for name in "b1 i1 u2 <i4 >i4 <u8 <f2 >f2 <f4 <f8 >f8 <c8 >c16 <M8[ns] >M8[D] <m8[25s] <M8 S5 V7".split()},
    "text": np.array([["ä", "bcd"], ["", "\U0001f600"]]),
    "big-endian text": np.array(["ä", "b"], ">U3"),
    "padded": np.zeros((2, 2), Padded),
    "offsets": np.ones(3, Offsets),
    "nested": np.zeros(4, Nested),
    "no fields": np.zeros(3, np.dtype([])),
    "0-d": np.array(2.5),
    "0-d structured": np.array((1, 2.0, ["a", "b"]), Padded),
    "empty": np.zeros((0, 3)),
    "empty F": np.zeros((3, 0, 2), order="F"),
    "no text": np.zeros(3, "U0"),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "nan bits": np.array([0x7FF8000000000001, 0xFFF0000000000000], "u8").view("f8"),
    "odd bools": np.array([0, 1, 2, 255], np.uint8).view(bool),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("within", [False, True], ids=["alone", "in a tree"])
def test_comes_back(name: str, within: bool) -> None:
    """dtype, shape, order and every bit, alone and inside other data."""
    array = ARRAYS[name]

    describe, data = blob([array, {"again": array}] if within else array)
    back = registry.decode(describe, memoryview(bytearray(data)))

    for found in (back[0], back[1]["again"]) if within else (back,):
        assert identical(array, found)


@pytest.mark.parametrize(
    "view",
    [np.arange(24.0).reshape(4, 6)[::2, ::-1], np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2), np.broadcast_to(np.float32(3), (2, 3))],
    ids=["strided", "turned", "broadcast"],
)
def test_views_are_stored_in_one_piece(view: Any) -> None:
    """What does not lie in one piece is stored in C order."""
    describe, data = blob(view)

    back = registry.decode(describe, memoryview(data))

    assert identical(np.array(view, order="C"), back)


def test_no_copies() -> None:
    """Encoding gives the array's own memory, decoding gives an array in the blob's."""
    for array in (np.arange(1000.0), np.asfortranarray(np.ones((30, 40))), np.array(["2024-01-01"], "M8[D]")):
        encoded = registry.encode(array)
        data = bytearray(b"".join(bytes(chunk) for chunk in encoded.chunks))
        back = registry.decode(encoded.describe, memoryview(data))

        assert np.shares_memory(np.frombuffer(encoded.chunks[0], np.uint8), array)
        assert np.shares_memory(np.frombuffer(data, np.uint8), back)


def test_arrays_can_be_written_exactly_if_the_data_can() -> None:
    """A map of a stored file gives read-only arrays, a private copy gives ones that can be changed."""
    describe, data = blob({"a": np.arange(3.0)})

    assert not registry.decode(describe, memoryview(data))["a"].flags.writeable
    assert registry.decode(describe, memoryview(bytearray(data)))["a"].flags.writeable


def test_leaves_are_aligned() -> None:
    """Each array of a tree begins at a multiple of 64 bytes; between them are zeros; the JSON comes last."""
    describe, data = blob([np.full(3, 255, np.uint8), b"\xff" * 5000, np.full(1, -1, np.int64)])
    offset, length = describe["json"]
    form = json.loads(data[offset : offset + length])

    assert [{"$array": [0, "|u1", [3], "C"]}, {"$raw": [64, 5000]}, {"$array": [5120, "<i8", [1], "C"]}] == form
    assert 0 == offset % ALIGNMENT
    assert len(data) == offset + length
    assert {0} == set(data[3:64]) | set(data[5064:5120]) | set(data[5128:offset])


def test_a_masked_array_was_to_lose_its_mask() -> None:
    """The advice was np.asarray(…) of it, which shows what the mask covers; what is advised now keeps both."""
    masked = np.ma.masked_array([1.0, 2.0], mask=[False, True])
    with pytest.raises(Unstorable, match=r"return its data and its mask \(.data, .mask\), or") as told:
        registry.encode(masked)
    assert "asarray" not in str(told.value)
    describe, data = blob((masked.data, masked.mask))
    assert identical((masked.data, masked.mask), registry.decode(describe, memoryview(data)))


def test_padding_is_no_part_of_the_bytes() -> None:
    """Equal structured arrays give equal bytes, whatever lies between their fields."""
    clean = np.zeros(3, Padded)
    dirty = np.frombuffer(bytearray(b"\xff" * clean.nbytes), Padded).copy()
    for name in Padded.names or ():
        dirty[name] = clean[name]

    assert blob(clean) == blob(dirty)
    assert blob([clean]) == blob([dirty])


REFUSED = [
    (np.array([1, "a", None], object), "holds objects"),
    (np.zeros(2, [("a", "f8"), ("b", "O")]), "holds objects"),
    (np.zeros(2, np.longdouble), "longdouble"),
    (np.zeros(2, np.clongdouble), "longdouble"),
    (np.ma.masked_array([1, 2], mask=[False, True]), "MaskedArray is more than its array"),
    (np.zeros((2, 2)).view(np.matrix), "matrix is more than its array"),
    (np.zeros(2, [("a", "f8")]).view(np.recarray), "recarray is more than its array"),
    (np.zeros(2, np.dtype((np.record, [("a", "f8")]))), "record"),
    (np.array(["a"], np.dtypes.StringDType()), "objects"),
    (np.zeros(2, np.dtype("f8", metadata={"unit": "m"})), "metadata"),
    (np.zeros(2, [("a", np.dtype("u1", metadata={"enum": 1}))]), "metadata"),
    (np.zeros(2, [("a", np.dtype("u1", metadata={"enum": 1}), (2,))]), "metadata"),
]


@pytest.mark.parametrize(("array", "message"), REFUSED, ids=[message + str(number) for number, (_, message) in enumerate(REFUSED)])
def test_refused(array: Any, message: str) -> None:
    """What would not come back as it was is refused, alone and by its path in a tree."""
    with pytest.raises(Unstorable, match=f"^value cannot be stored: .*{message}"):
        registry.encode(array)
    with pytest.raises(Unstorable, match=rf"^value\['a'\]\[0\] cannot be stored: .*{message}"):
        registry.encode({"a": [array]})


GOOD = {"codec": "array", "dtype": "<f8", "shape": [2, 2], "order": "C"}
BAD = [
    {"dtype": "<f4"},
    {"dtype": "f8"},
    {"dtype": "|O"},
    {"dtype": "O"},
    {"dtype": "<f16"},
    {"dtype": "<M8[parsec]"},
    {"dtype": "<U999999999"},
    {"dtype": "f8,f8"},
    {"dtype": None},
    {"dtype": 3},
    {"dtype": ["<f8"]},
    {"dtype": {"base": "<f8", "shape": [-1]}},
    {"dtype": {"base": "<f8", "shape": [2**40, 2**40]}},
    {"dtype": {"fields": [["a", "<f8", -8]], "itemsize": 8, "aligned": False}},
    {"dtype": {"fields": [["a", "<f8", 4]], "itemsize": 8, "aligned": False}},
    {"dtype": {"fields": [["a", "|O", 0]], "itemsize": 8, "aligned": False}},
    {"dtype": {"fields": [["a", "<f4", 0], ["a", "<f4", 4]], "itemsize": 8, "aligned": False}},
    {"dtype": {"fields": [["a"]], "itemsize": 8, "aligned": False}},
    {"dtype": {"fields": [], "itemsize": -8, "aligned": False}},
    {"dtype": {"fields": 7}},
    {"dtype": {"fields": [["a", "<f8", 0]], "itemsize": 8, "aligned": [0]}},
    {"shape": [2, 3]},
    {"shape": [2]},
    {"shape": [-2, -2]},
    {"shape": [4, True]},
    {"shape": [4.0, 1]},
    {"shape": "22"},
    {"shape": [2**62, 2**62]},
    {"shape": [0, 2**62]},
    {"shape": [1] * 65},
    {"shape": None},
    {"order": "K"},
    {"order": None},
    {"order": ["C"]},
]


@pytest.mark.parametrize("change", BAD, ids=str)
def test_hostile_descriptions(change: dict[str, Any]) -> None:
    """A description that does not fit the data is Undecodable, and nothing is touched or allocated."""
    data = memoryview(bytes(32))

    assert (2, 2) == registry.decode(GOOD, data).shape
    with pytest.raises(Undecodable):
        registry.decode({**GOOD, **change}, data)


@pytest.mark.parametrize(
    "leaf",
    [
        {"$array": [-8, "<f8", [1], "C"]},
        {"$array": [0, "<f8", [100], "C"]},
        {"$array": [2**64, "<f8", [1], "C"]},
        {"$array": ["0", "<f8", [1], "C"]},
        {"$array": [True, "<f8", [1], "C"]},
        {"$array": [0, "<f8", [1]]},
        {"$array": [0, {"$tuple": ["<f8"]}, [1], "C"]},
        {"$array": 0},
        {"$raw": [-1, 5]},
        {"$raw": [0, 10**9]},
        {"$raw": [0]},
        {"$raw": ["a", 1]},
        {"$int": "0x1", "$raw": [0, 1]},
        {"$tensor": [0, "float32", [999], False, False]},
        {"$tensor": [0, "load", [1], False, False]},
    ],
    ids=str,
)
def test_hostile_leaves(leaf: dict[str, Any]) -> None:
    """A leaf that would lie outside the data is Undecodable."""
    text = json.dumps([leaf]).encode()

    with pytest.raises(Undecodable):
        registry.decode({"codec": "tree", "json": [0, len(text)]}, memoryview(text))


@pytest.mark.parametrize("place", [None, [], [0], [0, 5, 5], [-1, 2], [0, 99], [99, 0], [0, True], "02", {"0": 2}, [[], []]], ids=str)
def test_hostile_places(place: object) -> None:
    """A tree whose JSON is not in the data is Undecodable."""
    with pytest.raises(Undecodable):
        registry.decode({"codec": "tree", "json": place}, memoryview(b"[1]"))


def test_scalars_keep_their_type() -> None:
    """Every numpy scalar comes back as one of the same type and bits; a C name more for a dtype comes back as its usual one."""
    scalars = [np.dtype(code).type(1) for code in "?bBhHiIlLefdFD"]
    scalars += [np.timedelta64(3, "h"), np.datetime64("NaT"), np.float64("nan"), np.float32("-inf"), np.float64(-0.0), np.complex64(1 + 2j)]
    scalars += [np.str_("ä\0"), np.bytes_(b"x\0"), np.void(b"abc"), np.array([(1, 2.0, ["a", "b"])], Padded)[0]]
    for scalar in scalars:
        describe, data = blob([scalar])

        assert identical([scalar], registry.decode(describe, memoryview(data)))
    describe, data = blob([np.longlong(1)])
    assert identical([np.dtype("i8").type(1)], registry.decode(describe, memoryview(data)))


def test_scalar_subclasses_are_refused() -> None:
    """A class that extends a numpy scalar would lose what it adds."""

    class Metres(np.float64):
        """A float64 with a unit."""

    with pytest.raises(Unstorable, match="Metres is more than the float64"):
        registry.encode([Metres(1)])

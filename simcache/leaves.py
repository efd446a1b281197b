"""The leaves of a stored tree (arrays, tensors, long bytes): what lies at their places, so that trees can be compared without them."""

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from simcache.model import Buffer, Json, blob_of

Leaf: TypeAlias = Callable[[str, list[Any], Buffer], Any]
"""Makes something of a leaf: of its tag, of what stands there beside its offset, and of its bytes (with the zeros after them)."""

_TAGS = ("$array", "$raw", "$tensor")


def tree_of(described: Json, data: Buffer, leaf: Leaf) -> Any:
    """The tree of a value of the codecs json and tree, each leaf replaced by what `leaf` makes of it."""
    view = memoryview(data)
    begin, length = described.get("json", (0, view.nbytes))
    tree = json.loads(bytes(view[begin : begin + length]))
    return _replaced(tree, view, sorted({begin, *_offsets(tree)}), leaf) if described["codec"] == "tree" else tree


def seen(described: Json, data: Buffer) -> Json:
    """A stored value as people compare it, read without its classes: {"json": tree}; {"digest": …, "text": …} if it is none that could be read so."""
    if described["codec"] in ("json", "tree"):
        return {"json": tree_of(described, data, _recognised)}
    if described["codec"] == "array":
        return {"json": _recognised("$array", [described["dtype"], described["shape"], described["order"]], data)}
    return _digest(data, f"{described['codec']}, {memoryview(data).nbytes} bytes")


def _recognised(tag: str, rest: list[Any], memory: Buffer) -> Json:
    """A leaf as one that a person can compare: what it is, a few numbers of an array, and its digest."""
    if tag == "$array":
        said = _array(rest, memory)
    elif tag == "$tensor":
        said = f"tensor {rest[0]} {rest[1]}"
    else:
        said = f"{rest[0]:,} bytes"
    return {"$recorded": _digest(memory, said)}


def _digest(memory: Buffer, said: str) -> Json:
    return {"digest": blob_of([memory]).sha256, "text": said}


def _array(form: Sequence[Any], memory: Buffer) -> str:
    import numpy as np

    from simcache.codecs.arrays import unpack

    array = unpack(memoryview(memory), 0, *form)
    said = f"array {array.dtype} {list(array.shape)}"
    if array.size and array.dtype.kind in "biufc":
        with np.errstate(all="ignore"):  # an infinite one beside its opposite
            said += f", first {array.flat[0]}, mean {array.mean():.17g}"
    return said


def _offsets(tree: Any) -> list[int]:
    if isinstance(tree, list):
        return [offset for part in tree for offset in _offsets(part)]
    if isinstance(tree, dict):
        if len(tree) == 1 and next(iter(tree)) in _TAGS:
            return [next(iter(tree.values()))[0]]
        return [offset for part in tree.values() for offset in _offsets(part)]
    return []


def _replaced(tree: Any, data: memoryview, ends: Sequence[int], leaf: Leaf) -> Any:
    """Between two offsets lie the bytes of one leaf and zeros, as many for equal sizes."""
    if isinstance(tree, list):
        return [_replaced(part, data, ends, leaf) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1 and (tag := next(iter(tree))) in _TAGS:
        offset, *rest = tree[tag]
        empty = rest[0] == 0 if tag == "$raw" else 0 in rest[1]
        place = bisect_right(ends, offset)
        end = offset if empty else ends[place] if place < len(ends) else data.nbytes
        return leaf(tag, rest, data[offset:end])
    return {name: _replaced(part, data, ends, leaf) for name, part in tree.items()}

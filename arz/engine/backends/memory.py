"""Numbers in flat arrays, read and written as the compiler likes it best: no check of the index, and arrays known to lie apart.

Plain indexing lets numba ask of every index whether it is negative, and leaves LLVM to suspect that writing one array changes another;
either keeps a loop from being computed several lanes at a time. Whoever calls these promises what they do not check.
"""

from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.extending import intrinsic

NODES = (
    "ratio", "priority", "width_out", "width_in", "before", "ahead", "limit", "last",
    "opened", "here", "demand", "marked", "v_ahead", "room", "moved", "work",
)  # fmt: skip
"""The tables of a node bundle, in their order in memory."""
APART = ("state", "scratch", "numbers", "sums", "tally", "gates", "marks", *NODES)
"""Arrays of different names in this list share no memory."""


def access(name: str) -> tuple[Callable[[Any, int], Any], Callable[[Any, int, Any], None]]:
    """Gives get(array, i) and put(array, i, x) for contiguous arrays of this name."""

    @intrinsic  # type: ignore[untyped-decorator]
    def get(typing_context: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - numba's signature
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            load = builder.load(_place(context, builder, signature, values))
            set_apart(builder, load, name)
            return load

        return array.dtype(array, types.intp), generate

    @intrinsic  # type: ignore[untyped-decorator]
    def put(typing_context: Any, array: Any, index: Any, x: Any) -> Any:  # noqa: ARG001 - numba's signature
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            store = builder.store(values[2], _place(context, builder, signature, values))
            set_apart(builder, store, name)
            return context.get_dummy_value()

        return types.void(array, types.intp, array.dtype), generate

    return get, put


def _place(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.gep(array.data, [values[1]], inbounds=True)


def set_apart(builder: Any, instruction: Any, name: str) -> None:
    """LLVM's alias scopes: an access is in the scope of its own name and outside those of all others."""
    module = builder.module
    domain = module.add_metadata(["arz"])
    scopes = {each: module.add_metadata([each, domain]) for each in APART}
    instruction.set_metadata("alias.scope", module.add_metadata([scopes[name]]))
    instruction.set_metadata("noalias", module.add_metadata([scopes[each] for each in APART if each != name]))

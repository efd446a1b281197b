"""Tables for compiled code: plain addresses and lengths, known to lie apart, indexed like arrays.

What arrays of numpy cost in a loop, these do not: an index is never negative and never checked, nobody counts who holds them, so a block
of them is handed from function to function for nothing; and the compiler knows that to write one changes no other, so that it computes
several lanes at a time. Whoever uses them promises what they do not check.
"""

import operator
from collections.abc import Callable
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_getattr, models, overload, register_model

from arz.engine.backends.packing import NODE_LANES, NODE_WIDTH, Block, Roads
from arz.jit import WITHIN

Law = TypeVar("Law", bound=Callable[..., object])

NODES = (
    "ratio", "priority", "width_out", "width_in", "before", "ahead", "limit", "last",
    "opened", "here", "demand", "marked", "v_ahead", "room", "moved", "work",
)  # fmt: skip
"""The tables of a node bundle."""
APART = (*Block._fields, *Roads._fields, *NODES)
"""Tables of different names share no memory."""
LANES = ir.Constant(ir.IntType(64), NODE_WIDTH)


def inlined(loop: Law) -> Law:
    """Marks a function that becomes part of whoever calls it: so a loop along lanes that calls it is seen as a whole.

    What the caller writes as a constant is a constant within, as with `device`.
    """

    def implementation(*_: object) -> Law:
        return loop

    overload(loop, jit_options={**WITHIN, "forceinline": True, "error_model": "numpy"}, strict=False, prefer_literal=True)(implementation)
    return loop


class Table(types.Type):  # type: ignore[misc]  # numba has no types
    """A table of so many axes; the last axis of a table of nodes has room for NODE_WIDTH lanes."""

    def __init__(self, called: str, axes: int, dtype: Any) -> None:
        self.called, self.axes, self.dtype = called, axes, dtype
        super().__init__(name=f"table({called}, {axes}, {dtype})")

    @property
    def key(self) -> tuple[str, int, Any]:
        return self.called, self.axes, self.dtype


@register_model(Table)
class _Model(models.StructModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Table) -> None:
        lengths = [(f"length{axis}", types.intp) for axis in range(fe_type.axes)]
        super().__init__(dmm, fe_type, [("data", types.CPointer(fe_type.dtype)), *lengths])


@intrinsic  # type: ignore[untyped-decorator]
def bare(typing_context: Any, block: Any) -> Any:  # noqa: ARG001 - numba's signature
    """The arrays of a block, all contiguous, as tables of their names; the arrays must outlive them."""
    kinds = [Table(name, array.ndim, array.dtype) for name, array in zip(block.fields, block.types, strict=True)]
    made = types.NamedTuple(kinds, block.instance_class)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        whole = context.get_constant_undef(made)
        for place, (table, array_type) in enumerate(zip(kinds, signature.args[0].types, strict=True)):
            array = context.make_array(array_type)(context, builder, builder.extract_value(values[0], place))
            part = cgutils.create_struct_proxy(table)(context, builder)
            part.data = array.data
            for axis in range(table.axes):
                setattr(part, f"length{axis}", builder.extract_value(array.shape, axis))
            whole = builder.insert_value(whole, part._getvalue(), place)  # noqa: SLF001 - numba's way to the value
        return whole

    return made(block), generate


def node_table(called: str, axes: int) -> Callable[..., Any]:
    """Gives at(whole, first, lengths): the table of nodes of this name that begins at number `first` of another table."""

    @intrinsic  # type: ignore[untyped-decorator]
    def at(typing_context: Any, whole: Any, first: Any, lengths: Any) -> Any:  # noqa: ARG001 - numba's signature
        kind = Table(called, axes, whole.dtype)

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            made = cgutils.create_struct_proxy(kind)(context, builder)
            made.data = builder.gep(_proxy(context, builder, signature.args[0], values[0]).data, [values[1]], inbounds=True)
            for axis in range(axes):
                length = builder.extract_value(values[2], axis)
                setattr(made, f"length{axis}", context.cast(builder, length, signature.args[2][axis], types.intp))
            return made._getvalue()  # noqa: SLF001

        return kind(whole, types.intp, lengths), generate

    return cast("Callable[..., Any]", at)


@infer_global(operator.getitem)
class _Get(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:  # noqa: ARG002 - numba's signature
        if not isinstance(args[0], Table):
            return None
        table, index = args
        if isinstance(index, types.BaseTuple) or table.axes == 1:
            return signature(table.dtype, table, index)
        return signature(Table(table.called, table.axes - 1, table.dtype), table, index)


@infer_global(operator.setitem)
class _Put(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:  # noqa: ARG002 - numba's signature
        return signature(types.none, args[0], args[1], args[0].dtype) if isinstance(args[0], Table) else None


@infer_getattr
class _Attributes(AttributeTemplate):  # type: ignore[misc]
    key = Table

    def resolve_shape(self, table: Table) -> Any:
        return types.UniTuple(types.intp, table.axes)


def _proxy(context: Any, builder: Any, table: Table, value: Any) -> Any:
    return cgutils.create_struct_proxy(table)(context, builder, value=value)


def _place(context: Any, builder: Any, table: Table, value: Any, index_type: Any, index: Any) -> Any:
    """The address of a number, or of the first number of a smaller table."""
    made = _proxy(context, builder, table, value)
    if isinstance(index_type, types.BaseTuple):
        parts = [context.cast(builder, builder.extract_value(index, at), kind, types.intp) for at, kind in enumerate(index_type)]
    else:
        parts = [context.cast(builder, index, index_type, types.intp)]
    offset = parts[0]
    for axis in range(1, table.axes):
        # Wrapping is promised not to happen, so that the compiler can tell rows apart.
        length = LANES if table.called in NODES and axis == table.axes - 1 else getattr(made, f"length{axis}")
        offset = builder.mul(offset, length, flags=("nsw",))
        if axis < len(parts):
            offset = builder.add(offset, parts[axis], flags=("nsw",))
    return builder.gep(made.data, [offset], inbounds=True)


def _set_apart(builder: Any, instruction: Any, name: str) -> None:
    """LLVM's alias scopes: an access is in the scope of its own name and outside those of all others."""
    module = builder.module
    domain = module.add_metadata(["arz"])
    scopes = {each: module.add_metadata([each, domain]) for each in APART}
    instruction.set_metadata("alias.scope", module.add_metadata([scopes[name]]))
    instruction.set_metadata("noalias", module.add_metadata([scopes[each] for each in APART if each != name]))


@lower_builtin(operator.getitem, Table, types.Any)  # type: ignore[untyped-decorator]
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table, index_type = sig.args
    place = _place(context, builder, table, args[0], index_type, args[1])
    if isinstance(sig.return_type, Table):
        part, made = cgutils.create_struct_proxy(sig.return_type)(context, builder), _proxy(context, builder, table, args[0])
        part.data = place
        for axis in range(1, table.axes):
            setattr(part, f"length{axis - 1}", getattr(made, f"length{axis}"))
        return part._getvalue()  # noqa: SLF001
    load = builder.load(place)
    _set_apart(builder, load, table.called)
    return load


@lower_builtin(operator.setitem, Table, types.Any, types.Any)  # type: ignore[untyped-decorator]
def _put(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table, index_type, value_type = sig.args
    place = _place(context, builder, table, args[0], index_type, args[1])
    store = builder.store(context.cast(builder, args[2], value_type, table.dtype), place)
    _set_apart(builder, store, table.called)
    return context.get_dummy_value()


@lower_getattr(Table, "shape")  # type: ignore[untyped-decorator]
def _shape(context: Any, builder: Any, table: Table, value: Any) -> Any:
    made = _proxy(context, builder, table, value)
    lengths = [getattr(made, f"length{axis}") for axis in range(table.axes)]
    if table.called in NODES:
        # The compiler is told that they are eights and few, but not how many: it would unroll the loop, and then see no lanes any more.
        lengths[-1] = builder.and_(lengths[-1], ir.Constant(ir.IntType(64), sum(NODE_LANES)))
    return context.make_tuple(builder, types.UniTuple(types.intp, table.axes), lengths)

"""Tables of a node bundle for compiled code: the last axis is always one bundle of lanes, and tables of different names lie apart.

The laws of junctions index them like any array. What plain arrays hide from the compiler it knows here: how long every innermost loop
is, and that to write one table changes no other; so a loop needs no question before it and no rest after it.
"""

import operator
from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_getattr, models, register_model

from arz.engine.backends.memory import set_apart
from arz.engine.backends.packing import WIDTH


class Rows(types.Type):  # type: ignore[misc]  # numba has no types
    """A table of so many axes, the lanes included."""

    def __init__(self, called: str, axes: int, dtype: Any) -> None:
        self.called, self.axes, self.dtype = called, axes, dtype
        super().__init__(name=f"rows({called}, {axes}, {dtype})")

    @property
    def key(self) -> tuple[str, int, Any]:
        return self.called, self.axes, self.dtype


@register_model(Rows)
class _Model(models.StructModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Rows) -> None:
        lengths = [(f"length{axis}", types.intp) for axis in range(fe_type.axes)]
        super().__init__(dmm, fe_type, [("data", types.CPointer(fe_type.dtype)), *lengths])


def rows(called: str, axes: int) -> Callable[..., Any]:
    """Gives at(array, first, lengths): the table of this name that begins at number `first` of an array."""

    @intrinsic  # type: ignore[untyped-decorator]
    def at(typing_context: Any, array: Any, first: Any, lengths: Any) -> Any:  # noqa: ARG001 - numba's signature
        table = Rows(called, axes, array.dtype)

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            whole = context.make_array(signature.args[0])(context, builder, values[0])
            made = cgutils.create_struct_proxy(table)(context, builder)
            made.data = builder.gep(whole.data, [values[1]], inbounds=True)
            for axis in range(axes):
                length = builder.extract_value(values[2], axis)
                setattr(made, f"length{axis}", context.cast(builder, length, signature.args[2][axis], types.intp))
            return made._getvalue()  # noqa: SLF001 - numba's way to the value

        return table(array, types.intp, lengths), generate

    return cast("Callable[..., Any]", at)


@infer_global(operator.getitem)
class _Get(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:  # noqa: ARG002 - numba's signature
        if not isinstance(args[0], Rows):
            return None
        table, index = args
        if isinstance(index, types.BaseTuple) or table.axes == 1:
            return signature(table.dtype, table, index)
        return signature(Rows(table.called, table.axes - 1, table.dtype), table, index)


@infer_global(operator.setitem)
class _Put(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:  # noqa: ARG002 - numba's signature
        return signature(types.none, args[0], args[1], args[0].dtype) if isinstance(args[0], Rows) else None


@infer_getattr
class _Attributes(AttributeTemplate):  # type: ignore[misc]
    key = Rows

    def resolve_shape(self, table: Rows) -> Any:
        return types.UniTuple(types.intp, table.axes)


def _proxy(context: Any, builder: Any, table: Rows, value: Any) -> Any:
    return cgutils.create_struct_proxy(table)(context, builder, value=value)


def _place(context: Any, builder: Any, table: Rows, value: Any, index_type: Any, index: Any) -> Any:
    """The address of a number, or of the first number of a smaller table."""
    made = _proxy(context, builder, table, value)
    if isinstance(index_type, types.BaseTuple):
        parts = [context.cast(builder, builder.extract_value(index, at), kind, types.intp) for at, kind in enumerate(index_type)]
    else:
        parts = [context.cast(builder, index, index_type, types.intp)]
    offset = parts[0]
    for axis in range(1, table.axes):
        # Wrapping is promised not to happen, so that the compiler can tell rows apart.
        length = ir.Constant(ir.IntType(64), WIDTH) if axis == table.axes - 1 else getattr(made, f"length{axis}")
        offset = builder.mul(offset, length, flags=("nsw",))
        if axis < len(parts):
            offset = builder.add(offset, parts[axis], flags=("nsw",))
    return builder.gep(made.data, [offset], inbounds=True)


@lower_builtin(operator.getitem, Rows, types.Any)  # type: ignore[untyped-decorator]
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table, index_type = sig.args
    place = _place(context, builder, table, args[0], index_type, args[1])
    if isinstance(sig.return_type, Rows):
        part, made = cgutils.create_struct_proxy(sig.return_type)(context, builder), _proxy(context, builder, table, args[0])
        part.data = place
        for axis in range(1, table.axes):
            setattr(part, f"length{axis - 1}", getattr(made, f"length{axis}"))
        return part._getvalue()  # noqa: SLF001
    load = builder.load(place)
    set_apart(builder, load, table.called)
    return load


@lower_builtin(operator.setitem, Rows, types.Any, types.Any)  # type: ignore[untyped-decorator]
def _put(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table, index_type, value_type = sig.args
    place = _place(context, builder, table, args[0], index_type, args[1])
    store = builder.store(context.cast(builder, args[2], value_type, table.dtype), place)
    set_apart(builder, store, table.called)
    return context.get_dummy_value()


@lower_getattr(Rows, "shape")  # type: ignore[untyped-decorator]
def _shape(context: Any, builder: Any, table: Rows, value: Any) -> Any:
    made = _proxy(context, builder, table, value)
    lengths = [getattr(made, f"length{axis}") for axis in range(table.axes)]
    return context.make_tuple(builder, types.UniTuple(types.intp, table.axes), lengths)

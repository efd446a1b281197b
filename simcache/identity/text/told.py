"""What the text alone tells of values: constants, defaults and class attributes of literals, arithmetic and constants before them."""

import ast
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from simcache.errors import Unkeyable
from simcache.identity.forms.constant import value_digest
from simcache.identity.text.reach import changed_arguments

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_CONTAINERS: dict[str, Callable[..., Any]] = {"frozenset": frozenset, "list": list, "set": set, "tuple": tuple}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_LARGEST_FOLDED = 1 << 256


def told(expression: ast.expr, known: Mapping[str, object]) -> tuple[object, str] | None:
    """The value of an expression and its digest, if the text alone tells them."""
    try:
        value = _evaluated(expression, known)
        return value, value_digest(value)
    except (ValueError, ArithmeticError, TypeError, RecursionError, Unkeyable):
        return None


def default_constants(function: Function, known: Mapping[str, object]) -> Iterator[str]:
    """Of a function's defaults those that are told, each as `name digest`: not what it keeps in them from call to call (`memo={}`)."""
    for argument, default in defaults_of(function.args):
        found = told(default, known)
        if found is not None and not (isinstance(found[0], (dict, list, set)) and argument.arg in _changed(function)):
            yield f"{argument.arg} {found[1]}"


def _changed(function: Function) -> set[str]:
    return set() if isinstance(function, ast.Lambda) else changed_arguments(function)


def defaults_of(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr]]:
    """The arguments of a function that have a default, and that."""
    positional = [*arguments.posonlyargs, *arguments.args]
    yield from zip(reversed(positional), reversed(arguments.defaults), strict=False)
    yield from (
        (argument, default) for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is not None
    )


def class_constants(body: Iterable[ast.stmt], known: Mapping[str, object]) -> Iterator[str]:
    """Of a class's attributes, and of those of classes inside it, those that are told, each as `name digest`."""
    for statement in body:
        match statement:
            case ast.ClassDef(name=inside, body=more):
                yield from (f"{inside}.{constant}" for constant in class_constants(more, known))
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=expression)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as expression)
            ):
                if (found := told(expression, known)) is not None:
                    yield f"{name} {found[1]}"


def _evaluated(node: ast.expr, known: Mapping[str, object]) -> object:
    """The value of an expression of literals, arithmetic and constants already known; ValueError for any other."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=parts):
            return tuple(_evaluated(part, known) for part in parts)
        case ast.List(elts=parts):
            return [_evaluated(part, known) for part in parts]
        case ast.Set(elts=parts):
            return {_evaluated(part, known) for part in parts}
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_evaluated(key, known): _evaluated(value, known) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=named) if "dict" not in known and all(word.arg for word in named):
            return {word.arg: _evaluated(word.value, known) for word in named}
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in _CONTAINERS and name not in known and len(parts) <= 1:
            return _CONTAINERS[name](*(_evaluated(part, known) for part in parts))
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
            return _SIGNS[type(op)](_number(_evaluated(operand, known)))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            one, other = _evaluated(left, known), _evaluated(right, known)
            if isinstance(one, (list, tuple, str)) and isinstance(op, ast.Add):
                if type(other) is not type(one):
                    raise ValueError("not of one kind")
                return one + other  # type: ignore[operator]
            return _number(_ARITHMETIC[type(op)](_number(one), _number(other)))
    raise ValueError("not a constant")


def _number(value: object) -> int | float:
    if type(value) not in (int, float) or (isinstance(value, int) and abs(value) > _LARGEST_FOLDED):
        raise ValueError("not a number")
    return value  # type: ignore[return-value]

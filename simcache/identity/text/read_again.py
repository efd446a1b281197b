"""Whether functions read what they fill, by their text."""

import ast
from collections.abc import Container, Iterator

from simcache.identity.text.piece import MUTATORS

_SHOWN = frozenset("critical debug display error exception info log print warn warning".split())
"""Functions and methods that tell people of what they are given."""
_TOLD = MUTATORS | frozenset("close flush set_description set_postfix write writelines".split())
"""Methods that only change or tell what they are called on: a log, a progress bar."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def is_read(text: bytes, name: str, reached: Container[str]) -> bool:
    """Whether one of the functions and classes that are reached, or any other code, does more with what a name stands for than fill it."""
    return any(
        _reads(statement, name, inside=False)
        for statement in ast.parse(text).body
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or statement.name in reached
    )


def _reads(node: ast.AST, name: str, *, inside: bool) -> bool:
    """Whether a function uses what a global name stands for, for anything but to fill it or to tell of it."""
    if isinstance(node, _FUNCTIONS):
        if _is_local(node, name):
            return False
        inside = True
    if isinstance(node, ast.Name):
        return inside and node.id == name and isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.stmt) and _leads_nowhere(node, name):
        return False
    return any(_reads(inner, name, inside=inside) for inner in ast.iter_child_nodes(node))


def _is_local(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, name: str) -> bool:
    """Whether a name is an argument or variable of a function."""
    bound = any(isinstance(one, ast.arg) and one.arg == name for one in ast.walk(function.args))
    for one in _own(function):
        if isinstance(one, ast.Global) and name in one.names:
            return False
        bound |= isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Store)
    return bound


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """All that stands in a function, but for what has names of its own."""
    queue = [*ast.iter_child_nodes(function)]
    while queue:
        one = queue.pop()
        if not isinstance(one, (*_FUNCTIONS, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            yield one
            queue += ast.iter_child_nodes(one)


def _leads_nowhere(statement: ast.stmt, name: str) -> bool:
    """Whether what a statement reads of it only goes back there (`kept[x] = kept.get(x, 0) + 1`), or is told to people."""
    match statement:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return all(_root(target) == name for target in targets)
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return _root(target) == name
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=value, attr=method))):
            return method in _SHOWN or (method in _TOLD and _root(value) == name)
        case ast.Expr(value=ast.Call(func=ast.Name(id=function))):
            return function in _SHOWN
        case ast.If(body=body, orelse=orelse) | ast.While(body=body, orelse=orelse):
            return all(_leads_nowhere(one, name) for one in (*body, *orelse))
        case _:
            return isinstance(statement, (ast.Pass, ast.Global))


def _root(target: ast.expr) -> str:
    while isinstance(target, ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""

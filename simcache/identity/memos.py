"""Memos of one's own: what code fills as it runs, and reads again, may be of before that code was changed, as notebooks change it."""

import ast
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from simcache.errors import MadeBefore
from simcache.identity.again import Filled
from simcache.identity.closure import Closure
from simcache.identity.process.made import behind, is_name, is_text
from simcache.identity.text.piece import MUTATORS, digest_of
from simcache.named_tuple import NamedTuple

_FILLED = "may hold what was put there before the code that fills it was changed: empty it, define it again, or start anew"
_CONTAINERS = (dict, list, set)
_SHOWN = frozenset("critical debug display error exception info log print warn warning".split())
"""Functions and methods that tell people of what they are given."""
_TOLD = MUTATORS | frozenset("close flush set_description set_postfix write writelines".split())
"""Methods that only change or tell what they are called on: a log, a progress bar."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class _Met(NamedTuple):
    """What a name held when it was met last."""

    held: Callable[[], object]
    """Of other things than containers a weak reference, where there can be one: they may be large."""
    needed: bool
    """It was made as it was needed (`DATA = None`), between two of these times."""
    text: str
    """What the code says that fills it."""


_met: dict[tuple[int, str, str], _Met] = {}
"""By namespace, name, and the function that was followed."""


def check_memos(closure: Closure, start: str, filled: Iterable[Filled]) -> None:
    """Raise MadeBefore if something of what is filled, and read again, was not empty as the code was changed that fills it.

    What other values that code reads does not count: whoever keeps results by hand may keep them by such values. By code nobody does.
    """
    fillers: dict[tuple[int, str], tuple[dict[str, Any], list[str]]] = {}
    for namespace, name, node in filled:
        fillers.setdefault((id(namespace), name), (namespace, []))[1].append(node)
    for (space, name), (namespace, nodes) in fillers.items():
        held, text = namespace.get(name), _text_behind(closure, nodes)
        met = _met.get((space, name, start))
        was = held if met is None else met.held()
        needed = held is not None and (was is None or (met is not None and met.needed and was is held))
        if met is not None and met.text != text and _is_filled(was, held, needed=needed) and _is_read(closure, namespace, name):
            raise MadeBefore(f"{namespace.get('__name__')}.{name}", _FILLED)
        _met[space, name, start] = _Met(_reference(held), needed, text)


def _reference(held: object) -> Callable[[], object]:
    if not isinstance(held, _CONTAINERS):
        try:
            return weakref.ref(held)
        except TypeError:  # a number, a text
            pass
    return lambda: held


def _text_behind(closure: Closure, nodes: Iterable[str]) -> str:
    """One digest of what the code says that leads from these nodes."""
    said = []
    for node in sorted({*behind(nodes, closure.made.edges.get)}):
        if is_name(node):
            module = closure.project.modules.get(node.partition(":")[0])
            piece = None if module is None else module.file.summary.names.get(node.partition(":")[2])
            said += [node] if piece is None else [node, piece.digest]
        elif is_text(node):
            said.append(node)
    return digest_of(*said)


def _is_filled(was: object, held: object, *, needed: bool) -> bool:
    """Whether the same container holds something still, or what was to be made as it is needed (`DATA = None`) has been made."""
    if isinstance(held, _CONTAINERS):
        return (needed or was is held) and any(True for _ in held)
    return needed


def _is_read(closure: Closure, namespace: dict[str, Any], name: str) -> bool:
    """Whether functions that are reached do more with it than fill it: a log, a counter, a table of results for people are no memo."""
    modules = [module for module in closure.project.modules.values() if module is not None and module.now().namespace is namespace]
    texts = [module.file.content for module in modules] or [text.encode() for text in closure.objects.cells.values()]
    reached = {node.partition(":")[2].partition(".")[0] for node in (*closure.parts, *closure.again.nodes_in_cells())}
    return any(
        _reads(statement, name, inside=False)
        for text in texts
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

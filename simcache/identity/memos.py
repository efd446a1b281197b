"""Memos of one's own: what code fills as it runs, and reads again, may be of before that code was changed, as notebooks change it."""

from collections.abc import Iterable, Iterator
from typing import Any

from simcache.errors import MadeBefore
from simcache.identity.again import Filled
from simcache.identity.closure import Closure
from simcache.identity.process.made import behind, is_name
from simcache.identity.text.piece import digest_of

_FILLED = "may hold what was put there before the code that fills it was changed: empty it, define it again, or start anew"
_CONTAINERS = (dict, list, set)

_met: dict[tuple[int, str, str], tuple[object, str]] = {}
"""By namespace, name, and the function that was followed: what the name held when it was met last, and what the code said that fills it."""


def check_memos(closure: Closure, start: str, filled: Iterable[Filled]) -> None:
    """Raise MadeBefore if something of what is filled, and read again, was not empty as the code was changed that fills it.

    What other values that code reads does not count: whoever keeps results by hand may keep them by such values. By code nobody does.
    """
    fillers: dict[tuple[int, str], tuple[dict[str, Any], list[str]]] = {}
    for namespace, name, node in filled:
        fillers.setdefault((id(namespace), name), (namespace, []))[1].append(node)
    for (space, name), (namespace, nodes) in fillers.items():
        held, text = namespace.get(name), _text_behind(closure, nodes)
        was, said = _met.get((space, name, start), (held, text))
        if said != text and _may_be_of_before(was, held) and _is_read(closure, namespace, name):
            raise MadeBefore(f"{namespace.get('__name__')}.{name}", _FILLED)
        _met[space, name, start] = held, text


def _text_behind(closure: Closure, nodes: Iterable[str]) -> str:
    """One digest of what the code says that leads from these nodes."""
    in_cells = closure.again.cell_digests()
    said = []
    for node in sorted({*filter(is_name, behind(nodes, closure.made.edges.get))}):
        module = closure.project.modules.get(node.partition(":")[0])
        piece = None if module is None else module.file.summary.names.get(node.partition(":")[2])
        said += [node, *in_cells.get(node, ())] if piece is None else [node, piece.digest]
    return digest_of(*said)


def _may_be_of_before(was: object, held: object) -> bool:
    """Whether the same container holds something still, or what was to be made as it is needed (`DATA = None`) has been made."""
    return bool(held) if was is held and isinstance(held, _CONTAINERS) else was is None and held is not None


def _is_read(closure: Closure, namespace: dict[str, Any], name: str) -> bool:
    """Whether functions beside it do more with it than fill it: a log, a counter, a table of results for people are no memo."""
    modules = [module for module in closure.project.modules.values() if module is not None and module.now().namespace is namespace]
    texts = [module.file.content for module in modules] or [text.encode() for text in closure.objects.cells.values()]
    return any(True for text in texts for _ in _reading(text, name))


def _reading(text: bytes, name: str) -> Iterator[object]:
    """Where a function reads what a name stands for."""
    import ast

    from simcache.identity.text.piece import MUTATORS

    for function in ast.walk(ast.parse(text)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            filled: set[int] = set()
            for node in ast.walk(function):
                match node:
                    case ast.Subscript(value=ast.Name() as root, ctx=ast.Store() | ast.Del()):
                        filled.add(id(root))
                    case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as root, attr=method))) if method in MUTATORS:
                        filled.add(id(root))
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load) and id(node) not in filled:
                    yield node

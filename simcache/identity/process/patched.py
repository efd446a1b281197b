"""Functions that were given the code of their edited text in place, as IPython's autoreload does it: their module is not loaded again."""

import ast
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import lru_cache

from simcache.identity.process.bytecode import functions_in
from simcache.identity.process.files import content_before, stands_in
from simcache.identity.process.loaded import is_remade
from simcache.identity.process.modules import Module
from simcache.identity.process.taken import Variable
from simcache.identity.text.piece import Piece

_OF_PYTHON = frozenset("classmethod deleter property setter staticmethod".split())
"""What decorates methods and keeps the function as it is."""
_RAN_EARLY = frozenset("__class_getitem__ __init_subclass__ __set_name__".split())
"""Methods that may have run as classes were made."""

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def runs_as_written(module: Module, name: str, piece: Piece) -> bool:
    """Whether a function, or each one of a class, runs what the file says now, which differs in nothing else from what was loaded."""
    held = (module.namespace or {}).get(name)
    before = content_before(module.file.path)
    if before is None or not piece.simple or (is_remade(piece, held) if isinstance(held, type) else not piece.bare):
        return False
    was, now = (_definitions(content).get(name) for content in (before, module.file.content))
    return was is not None and now is not None and _frame(was) == _frame(now) and _runs(module, now, held)


@lru_cache(maxsize=64)
def _definitions(content: bytes) -> Mapping[str, _Definition]:
    """The functions and classes at the top of a file."""
    try:
        statements = ast.parse(content).body
    except (SyntaxError, ValueError):  # it was being saved as somebody looked
        return {}
    return {one.name: one for one in statements if isinstance(one, _Definition)}


def _frame(definition: _Definition) -> str:
    """What it says but for docstrings, and for the bodies of functions that can be found in what is loaded."""
    framed = deepcopy(definition)
    queue = [framed]
    while queue:
        one = queue.pop()
        queue += _inside(one)
        one.body = [each for each in one.body if not _is_text(each)] if isinstance(one, ast.ClassDef) else []
    return ast.dump(framed)


def _runs(module: Module, definition: _Definition, held: object, cls: type | None = None) -> bool:
    """Whether all functions in an object (in a class) have the code of the file."""
    if isinstance(definition, ast.ClassDef):
        return (
            isinstance(held, type)
            and type(held).__module__ in ("abc", "builtins")
            and all(_runs(module, one, vars(held).get(_private(one.name, definition.name)), held) for one in _inside(definition))
        )
    functions = functions_in(held)
    return bool(functions) and all(
        # A method that asked nothing of its class before has got that of whoever compiled it.
        stands_in(module.file, one) and all(Variable(cell).get("", None) is cls for cell in one.__closure__ or ())
        for one in functions
    )


def _inside(definition: _Definition) -> list[_Definition]:
    """The classes and functions right inside a class that are found there as they were made, and that none ran as the class was made."""
    inside = [one for one in definition.body if isinstance(one, _Definition)] if isinstance(definition, ast.ClassDef) else []
    if not _RAN_EARLY.isdisjoint(one.name for one in inside):
        return []  # they may have called any of the others
    used = {name for one in ast.iter_child_nodes(definition) for name in _used(one)}
    return [one for one in inside if one.name not in used and all(_keeps(decorator, one) for decorator in one.decorator_list)]


def _used(node: ast.AST) -> Iterator[str]:
    """The names that something right in a class reads as that is made, but for another name of one, and for the property of a setter."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
        return
    if isinstance(node, ast.Name):
        yield node.id
    parts = ast.iter_child_nodes(node)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parts = iter([node.args, *(one for one in node.decorator_list if not _keeps(one, node))])
    for part in parts:
        yield from _used(part)


def _keeps(decorator: ast.expr, definition: _Definition) -> bool:
    name = decorator.attr if isinstance(decorator, ast.Attribute) else decorator.id if isinstance(decorator, ast.Name) else ""
    return name in _OF_PYTHON and not isinstance(definition, ast.ClassDef)


def _private(name: str, cls: str) -> str:
    """The name that an attribute of a class has there."""
    return f"_{cls.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)

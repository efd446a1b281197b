"""What stands in a syntax tree: the trees of a file are gone through some twenty times, and taken apart once."""

import ast
from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_forgetting: list[Callable[[], None]] = []


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """Work out once what follows from trees, until they are forgotten."""
    found = lru_cache(maxsize=1 << 16)(function)
    _forgetting.append(found.cache_clear)
    return found  # type: ignore[return-value]


def forget() -> None:
    """Give back the memory of trees that nobody goes through any more."""
    for forgets in _forgetting:
        forgets()


@remembered
def children(node: ast.AST) -> tuple[ast.AST, ...]:
    """The nodes right below one, in their order; whether a name is read or bound stands in the name."""
    found: list[ast.AST] = []
    for field in node._fields:
        value = None if field == "ctx" else getattr(node, field, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return tuple(found)


@remembered
def walk(node: ast.AST) -> tuple[ast.AST, ...]:
    """A node and all below it, level by level."""
    found = [node]
    for one in found:
        found += children(one)
    return tuple(found)

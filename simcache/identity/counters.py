"""Counters that a function or class keeps elsewhere: names of other modules, and of classes, that it counts up as it runs."""

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from simcache.identity.link import further
from simcache.identity.normal import FUNCTIONS, called, chain_of
from simcache.identity.reach import bindings
from simcache.identity.tree import children

_OF_CLASSES = frozenset({"__class_getitem__", "__init_subclass__", "__new__"})


class _Scope(NamedTuple):
    """The function in which something stands."""

    local: frozenset[str]
    links: Mapping[str, tuple[str, ...]]
    me: str
    """Its first argument, the instance or class in a method."""
    of_class: str
    """The class of which it is a method, or whose method it stands in."""
    on_class: bool


def counted(node: ast.stmt) -> tuple[str, ...]:
    """What a function, or the methods of a class, count up, as chains from a name of the module or of an import inside."""
    return tuple(sorted(set(_inside(node, _Scope(frozenset(), {}, "", "", on_class=False)))))


def _inside(node: ast.AST, scope: _Scope) -> Iterator[str]:
    if isinstance(node, FUNCTIONS):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        names = [argument.arg for argument in arguments if argument is not None]
        bound, links, _ = bindings(node.body)
        on_class = node.name in _OF_CLASSES or any(called(decorator) == "classmethod" for decorator in node.decorator_list)
        me = names[0] if names and scope.of_class and not scope.me else scope.me
        scope = _Scope(scope.local.union(names, bound), {**scope.links, **links}, me, scope.of_class, on_class or scope.on_class)
    elif isinstance(node, ast.ClassDef):
        scope = scope._replace(of_class=node.name, me="", on_class=False)
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub)) and _is_whole(node.value):
        # Anything else that is assigned may be a setting: `cls.dt /= 2`, `options["dt"] = 1`, and `roads.append(road)` too.
        yield from _chains(node.target, scope)
    for inner in children(node):
        yield from _inside(inner, scope)


def _chains(target: ast.expr, scope: _Scope) -> Iterator[str]:
    root, _, rest = chain_of(target).partition(".")
    if isinstance(target, ast.Attribute) and _is_class_of(target.value, scope):
        yield f"{scope.of_class}.{target.attr}"
    elif root in scope.links:
        yield from (further(link, rest) for link in scope.links[root])
    elif root and root not in scope.local:
        yield f"{root}.{rest}" if rest else root


def _is_whole(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _is_class_of(node: ast.expr, scope: _Scope) -> bool:
    """Whether an expression in a method is its class: `cls`, `type(self)`, `self.__class__`."""
    match node:
        case ast.Name(id=name):
            return scope.on_class and bool(name) and name == scope.me
        case ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=name)]) | ast.Attribute(value=ast.Name(id=name), attr="__class__"):
            return bool(name) and name == scope.me
    return False

"""What a function or class sets elsewhere as it runs: counters of other modules, and attributes of classes, also of its own."""

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from simcache.identity.text.link import further
from simcache.identity.text.normal import FUNCTIONS, called, chain_of, method_name
from simcache.identity.text.reach import bindings
from simcache.identity.text.statements import bound_by
from simcache.identity.text.tree import children, walk
from simcache.identity.text.use import ADDS, COUNTS, MAKERS, PUTS, READS, REMEMBERS, Setting

_OF_CLASSES = frozenset({"__class_getitem__", "__init_subclass__", "__new__"})


class _Scope(NamedTuple):
    """The function in which something stands."""

    local: frozenset[str] = frozenset()
    links: Mapping[str, tuple[str, ...]] = {}
    me: str = ""
    """Its first argument, the instance or class in a method."""
    of_class: str = ""
    """The class of which it is a method, or whose method it stands in."""
    method: str = ""
    """The name of that method."""
    on_class: bool = False
    given: frozenset[str] = frozenset()
    """Its other arguments, and the variables that are made of them."""
    reads: frozenset[str] = frozenset()
    """The attributes that it reads, whatever they are attributes of."""
    misses: frozenset[str] = frozenset()
    """Those of them of which it asks whether they are there at all."""


def set_elsewhere(node: ast.stmt) -> tuple[str, ...]:
    """What a function, or the methods of a class, set in other modules and in classes, as rows of `Setting`."""
    return tuple(sorted({setting.row() for setting in _inside(node, _Scope())}))


def _inside(node: ast.AST, scope: _Scope) -> Iterator[Setting]:
    if isinstance(node, FUNCTIONS):
        scope = _within(node, scope)
        if scope.method in MAKERS:
            yield from (Setting(scope.method, READS, f"{scope.of_class}.{name}") for name in scope.reads)
    elif isinstance(node, ast.ClassDef):
        around = f"{scope.of_class}." if scope.of_class and not scope.method else ""
        scope = scope._replace(of_class=f"{around}{node.name}", me="", method="", on_class=False)
    else:
        for target, value, mark in _set(node):
            how = mark or _mark(target, value, scope)
            yield from (Setting(scope.method, how, chain) for chain in _chains(target, scope))
    for inner in children(node):
        yield from _inside(inner, scope)


def _within(node: ast.FunctionDef | ast.AsyncFunctionDef, scope: _Scope) -> _Scope:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    names = [argument.arg for argument in arguments if argument is not None]
    bound, links, _ = bindings(node.body)
    begins = bool(scope.of_class) and not scope.method
    on_class = node.name in _OF_CLASSES or any(called(decorator) == "classmethod" for decorator in node.decorator_list)
    me = names[0] if names and begins else scope.me
    given = scope.given.union(names) - {me}
    sources = [found for inner in walk(node) for found in bound_by(inner)]
    while (
        more := {name for targets, source in sources if _names(source) & given for name in set().union(*map(_names, targets))}
        - given
        - {me}
    ):
        given |= more
    return _Scope(
        scope.local.union(names, bound),
        {**scope.links, **links},
        me,
        scope.of_class,
        method_name(node) if begins else scope.method,
        on_class or scope.on_class,
        given,
        scope.reads.union(inner.attr for inner in walk(node) if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Load)),
        scope.misses.union(name for inner in walk(node) for name in _missed(inner)),
    )


def _set(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr, str]]:
    """What one node sets, to what, and how where its form tells that."""
    match node:
        case ast.AugAssign(target=target, op=ast.Add() | ast.Sub(), value=value):
            yield target, value, COUNTS if isinstance(value, ast.Constant) and type(value.value) is int else ADDS
        case (
            ast.AugAssign(target=ast.Attribute() as target, value=value)
            | ast.AnnAssign(target=ast.Attribute() as target, value=ast.expr() as value)
        ):
            yield target, value, ""
        case ast.Assign(targets=targets, value=value):
            for one in targets:
                for part in one.elts if isinstance(one, (ast.Tuple, ast.List)) else [one]:
                    if isinstance(part, ast.Attribute):
                        yield part, value, ""
        case ast.Call(func=ast.Name(id="setattr"), args=[of, ast.Constant(value=str(name)), value]):
            yield ast.Attribute(of, name, ast.Store()), value, ""


def _mark(target: ast.expr, value: ast.expr, scope: _Scope) -> str:
    """Whether something is set to what is made of itself, or is a memo, at which the function looks itself, or is set by a program."""
    chains = {*_chains(target, scope)}
    if any(chains.intersection(_chains(inner, scope)) for inner in walk(value) if isinstance(inner, ast.Attribute)):
        return ADDS
    name = target.attr if isinstance(target, ast.Attribute) else ""
    remembers = name in scope.misses or (name in scope.reads and not _names(value) & scope.given)
    return REMEMBERS if remembers else PUTS


def _missed(node: ast.AST) -> Iterator[str]:
    """Of which attribute an expression asks whether it is there: `C.grid is None`, `not C.grid`, `hasattr(C, "grid")`."""
    match node:
        case (
            ast.Compare(left=ast.Attribute(attr=name), ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)])
            | ast.UnaryOp(op=ast.Not(), operand=ast.Attribute(attr=name))
            | ast.Call(func=ast.Name(id="hasattr"), args=[_, ast.Constant(value=str(name))])
        ):
            yield name


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in walk(node) if isinstance(inner, ast.Name)}


def _chains(target: ast.expr, scope: _Scope) -> Iterator[str]:
    """Where in the module, or in another one, that stands which is set."""
    names: list[str] = []
    of: ast.expr = target
    while isinstance(of, ast.Attribute) and not _is_class_of(of, scope):
        names.insert(0, of.attr)
        of = of.value
    root, rest = chain_of(of), ".".join(names)
    if names and _is_class_of(of, scope):
        yield f"{scope.of_class}.{rest}"
    elif root in scope.links:
        yield from (further(link, rest) for link in scope.links[root])
    elif root and root not in scope.local:
        yield f"{root}.{rest}" if rest else root


def _is_class_of(node: ast.expr, scope: _Scope) -> bool:
    """Whether an expression in a method is its class: `cls`, `type(self)`, `self.__class__`."""
    match node:
        case ast.Name(id=name):
            return scope.on_class and bool(name) and name == scope.me
        case ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=name)]) | ast.Attribute(value=ast.Name(id=name), attr="__class__"):
            return bool(name) and name == scope.me
    return False

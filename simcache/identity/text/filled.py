"""Of which attributes code changes the objects in place as it runs (`self.seen[x] = 1`)."""

import ast
from collections.abc import Collection, Iterator, Mapping

from simcache.identity.text.kinds import given_to, stores_in
from simcache.identity.text.normal import FUNCTIONS, called, method_name
from simcache.identity.text.piece import FILLERS, MUTATORS
from simcache.identity.text.statements import bound_by
from simcache.identity.text.tree import walk
from simcache.identity.text.use import OWN

_READ = frozenset(
    "abs all any bool deepcopy dict enumerate filter float format frozenset hasattr hash id int isinstance issubclass iter len list map max "
    "min next print range repr reversed round set sorted str sum tuple type zip".split()
)


def filled(node: ast.AST, fills: Mapping[str, Collection[int]], *, me: str = "") -> tuple[str, ...]:
    """The names of attributes whose objects a function or class may change as it runs, whatever they are attributes of.

    `fills` tells of functions of the module which of their arguments they change; who else is given an object may do so.
    Those of the instance `me` alone are told as `.NAME`.
    """
    nodes = list(walk(node))
    behind = _behind_names(nodes)
    asked = {inner.func.id for inner in nodes if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)}
    found: set[str] = set()
    own: set[str] = set()
    for inner in nodes:
        for part in (*_changed(inner, fills), *_named(inner, asked)):
            root, *chain = _chain(part)
            names = _attributes(part, behind)
            if me and root == me:
                found.update(chain[1:])  # `self.env.queue.append(x)`: the queue is one of another object
                own.update(names.difference(chain[1:]))
            else:
                found.update(names)
    return tuple(sorted(found.union(f"{OWN}{name}" for name in own - found)))


def filled_by_method(node: ast.AST, fills: Mapping[str, Collection[int]]) -> Iterator[str]:
    """The same, each with the method that does so (`METHOD ATTRIBUTE`), which a function has none."""
    if not isinstance(node, ast.ClassDef):
        yield from (f" {name}" for name in filled(node, fills))
        return
    for part in node.body:
        if isinstance(part, FUNCTIONS):
            yield from (f"{method_name(part)} {name}" for name in filled(part, fills))
        else:
            yield from filled_by_method(part, fills)


def _changed(node: ast.AST, fills: Mapping[str, Collection[int]]) -> Iterator[ast.expr]:
    yield from (target.value for target in stores_in(node) if isinstance(target, (ast.Attribute, ast.Subscript)))
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):  # `rows = self.rows; rows += [x]`
        yield node.target
    if isinstance(node, (ast.Return, ast.Yield)) and isinstance(node.value, ast.Attribute):
        yield node.value
    if not isinstance(node, ast.Call):
        return
    name = called(node)
    if isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        yield node.func.value
    if name in fills or name.rpartition(".")[2] in FILLERS:
        places = fills.get(name, (0,))
        yield from (part for place, part in enumerate(node.args) if place in places)
    elif name not in _READ and not (isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "index", "join")):
        yield from given_to(node)


def _named(node: ast.AST, asked: Collection[str]) -> Iterator[ast.expr]:
    """What is changed under a name that a method gets: `add = self.rows.append; add(x)`."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Attribute(value=of, attr=method)) if name in asked and method in MUTATORS:
            yield of


def _chain(node: ast.expr) -> list[str]:
    """The variable in which an object lies, and the attributes that lead to it from there."""
    names: list[str] = []
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
        node = node.value
    return [node.id if isinstance(node, ast.Name) else "", *reversed(names)]


def _behind_names(nodes: list[ast.AST]) -> dict[str, set[str]]:
    """Of each variable the attributes from which its object may come."""
    behind: dict[str, set[str]] = {}
    bound = [found for inner in nodes for found in bound_by(inner)]
    for _ in range(2):  # the second time what stands in a loop is known
        for targets, source in bound:
            for name in (part.id for target in targets for part in walk(target) if isinstance(part, ast.Name)):
                behind.setdefault(name, set()).update(_attributes(source, behind))
    return behind


def _attributes(node: ast.expr, behind: Mapping[str, set[str]]) -> set[str]:
    """The attributes in an expression, and those from which its variables come."""
    found: set[str] = set()
    for inner in walk(node):
        if isinstance(inner, ast.Attribute):
            found.add(inner.attr)
        elif isinstance(inner, ast.Name):
            found |= behind.get(inner.id, set())
    return found

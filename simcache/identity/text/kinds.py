"""Which classes and functions a statement at module level may set something of: under another name, in a loop, through somebody else."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping

from simcache.identity.text.normal import FUNCTIONS, called
from simcache.identity.text.piece import FILLERS, MUTATORS
from simcache.identity.text.statements import at_once, bound_in
from simcache.identity.text.tree import children, walk

_SAME_FUNCTIONS = frozenset("chain dict enumerate filter frozenset getattr iter list next reversed set sorted tuple vars zip".split())
_SAME_METHODS = frozenset("__subclasses__ copy get items keys mro pop popitem setdefault values".split())
"""What these give is, or holds, what they are given, or are asked of."""
_DISPLAYS = (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Starred)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp)


class Kinds:
    """Follows the classes and functions of one module, and what they have, through its statements, in the order in which they run.

    An instance leads to no class: what is set in it is not set in the class, and neither is what is put into a list beside it.
    """

    def __init__(self, asks: Callable[[ast.Call], bool], is_pure: Callable[[str], bool]) -> None:
        self.asks = asks
        """Whether a call changes nothing of what it is given."""
        self.is_pure = is_pure
        """Whether a name is a module whose functions give parts of what they are given."""
        self.same: dict[str, set[str]] = {}
        """Of each name those whose objects it may stand for, or may be a part of."""
        self.held: dict[str, set[str]] = {}
        """Of each name those whose objects may be inside of it."""

    def note(self, statement: ast.stmt) -> None:
        """Remember what its names stand for now."""
        asked = {id(node.iter) for node in at_once(statement) if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension))}
        for targets, source in bound_in(statement):
            inside = id(source) in asked or isinstance(targets[0], (ast.Tuple, ast.List))
            is_, holds = self._is(source), self._holds(source)
            for node in (node for target in targets for node in walk(target) if isinstance(node, ast.Name)):
                self.held.setdefault(node.id, set()).update(holds - {node.id})
                if isinstance(node.ctx, ast.Store):
                    self.same.setdefault(node.id, set()).update((is_ | holds if inside else is_) - {node.id})
                else:  # `KINDS["a"] = A`
                    self.held[node.id] |= is_ - {node.id}
        for call in _calls(statement):
            if isinstance(call.func, ast.Attribute) and call.func.attr in MUTATORS and isinstance(call.func.value, ast.Name):
                self.held.setdefault(call.func.value.id, set()).update(*(self._is(part) | self._holds(part) for part in given_to(call)))

    def set_by(self, statement: ast.stmt, classes: Iterable[str], fills: Mapping[str, tuple[int, ...]]) -> set[str]:
        """The names of which a statement may set something.

        Whoever calls something, and drops what it gives, does so for what it changes: of a class that is asked for an instance, too.
        """
        found: set[str] = set()
        for node in at_once(statement):
            for target in stores_in(node):
                found |= self._is(target.value if isinstance(target, (ast.Attribute, ast.Subscript)) else target)
            if isinstance(node, ast.Call):
                found |= self._changed(node, fills)
        for call in _dropped(statement):
            method = call.func if isinstance(call.func, ast.Attribute) else None
            if not self.asks(call) and (method is None or method.attr not in MUTATORS):  # a list changes nothing of what it takes
                found |= set().union(*(self._is(part) | self._holds(part) for part in given_to(call)))
                found |= self._is(method.value) if method is not None else {called(call)}.intersection(classes)
        return found

    def _changed(self, call: ast.Call, fills: Mapping[str, tuple[int, ...]]) -> set[str]:
        """What a call surely changes."""
        name = called(call)
        if isinstance(call.func, ast.Attribute) and call.func.attr in MUTATORS:
            return self._is(call.func.value)
        places = (0,) if name in ("setattr", "delattr") or name.rpartition(".")[2] in FILLERS else fills.get(name, ())
        parts = [call.args[place] for place in places if place < len(call.args)]
        return set().union(*map(self._is, [*parts, *(keyword.value for keyword in call.keywords if keyword.arg == "out")]))

    def _is(self, node: ast.AST | None) -> set[str]:
        """The names whose objects the value of an expression may be, or be a part of."""
        if isinstance(node, ast.Name):
            return {node.id, *self.same.get(node.id, ())}
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            return self._is(node.value) | self._holds(node.value)
        if isinstance(node, (ast.IfExp, ast.BoolOp, ast.NamedExpr, ast.Starred)):
            return set().union(*(self._is(part) for part in children(node)))
        if isinstance(node, ast.Call):
            return set().union(*(self._is(part) | self._holds(part) for part in self._passed(node)))
        return set()

    def _holds(self, node: ast.AST | None) -> set[str]:
        """The names whose objects may be inside the value of an expression."""
        if isinstance(node, ast.Name):
            return self.held.get(node.id, set())
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            return self._holds(node.value)
        if isinstance(node, _DISPLAYS):
            return set().union(*(self._is(part) | self._holds(part) for part in children(node)))
        if isinstance(node, _COMPREHENSIONS):
            return self._is(node.elt) | self._holds(node.elt)
        if isinstance(node, ast.DictComp):
            return set().union(*(self._is(part) | self._holds(part) for part in (node.key, node.value)))
        if isinstance(node, (ast.IfExp, ast.BoolOp, ast.NamedExpr)):
            return set().union(*(self._holds(part) for part in children(node)))
        if isinstance(node, ast.Call):
            return self._is(node)
        return set()

    def _passed(self, call: ast.Call) -> Iterator[ast.AST]:
        """What of a call may be, or be inside, what it gives."""
        root, _, rest = called(call).partition(".")
        if isinstance(call.func, ast.Attribute) and call.func.attr in _SAME_METHODS:
            yield call.func.value
        elif (root in _SAME_FUNCTIONS and not rest) or self.is_pure(root):
            yield from given_to(call)


def given_to(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _calls(statement: ast.stmt) -> Iterator[ast.Call]:
    if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        yield from (node for node in at_once(statement) if isinstance(node, ast.Call))


def _dropped(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls of which nobody keeps what they give."""
    for node in at_once(statement):
        if isinstance(node, ast.Expr):
            value: ast.AST = node.value.elt if isinstance(node.value, _COMPREHENSIONS) else node.value
            while isinstance(value, (ast.Call, ast.Attribute)):  # `A.setup(2).freeze()`
                if isinstance(value, ast.Call):
                    yield value
                value = value.func if isinstance(value, ast.Call) else value.value


def stores_in(node: ast.AST) -> Iterator[ast.expr]:
    """What is assigned to, but for names that are only bound."""
    targets = [*getattr(node, "targets", ()), *([node.target] if isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.For)) else ())]
    for target in targets:
        for part in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
            if isinstance(node, ast.AugAssign) or isinstance(part, (ast.Attribute, ast.Subscript)):
                yield part

"""What methods put into attributes: nothing but what they are given, or more than that (a count, a time, what they look up)."""

import ast
from collections.abc import Collection, Iterator, Mapping

from simcache.identity.text.kinds import given_to
from simcache.identity.text.normal import FUNCTIONS, called
from simcache.identity.text.piece import MUTATORS
from simcache.identity.text.statements import bound_by
from simcache.identity.text.told import Function, default_constants, defaults_of
from simcache.identity.text.tree import children, walk
from simcache.identity.text.use import ALL, ANY, FOLLOWS

CONVERTS = frozenset(
    "Path SimpleNamespace abs bool dict enumerate float frozenset int len list max min open range reversed round set sorted str sum tuple zip".split()
)
_GIVES = frozenset(
    "copy decode encode format get items joinpath keys lower lstrip open partition read read_bytes read_text readlines replace "
    "rstrip split splitlines strip upper values".split()
)
"""Methods that give nothing but what is in what they are asked of."""
_PURE = frozenset("copy json math np numpy operator tomllib yaml".split())
"""Modules whose functions give nothing but what is in what they are given."""
_IMPURE = frozenset({"empty", "empty_like", "memmap"})


class Helpers:
    """Functions of a module, and methods of its classes, that give nothing but what they are given: what checks or converts a value."""

    def __init__(self, code: Mapping[str, ast.stmt], known: Mapping[str, object]) -> None:
        self.code = code
        """The functions and classes at the top of the module."""
        self.known = known
        """The values of its names that the text tells."""
        self._found: dict[ast.stmt, bool] = {}

    def give(self, node: ast.stmt | None, around: ast.ClassDef | None = None) -> bool:
        """Whether this is such a function, or such a method of the class around it."""
        if not isinstance(node, ast.FunctionDef):
            return False
        if node not in self._found:
            self._found[node] = False  # while it is looked at: who calls himself is not known to be one
            self._found[node] = self._gives(node, around)
        return self._found[node]

    def _gives(self, node: ast.FunctionDef, around: ast.ClassDef | None) -> bool:
        decorators = {called(decorator) for decorator in node.decorator_list}
        inside = list(walk(node))
        if not decorators <= {"staticmethod", "classmethod"} or any(isinstance(inner, (ast.Yield, ast.YieldFrom)) for inner in inside):
            return False
        arguments = [*node.args.posonlyargs, *node.args.args]
        me = arguments[0].arg if around is not None and arguments and "staticmethod" not in decorators else ""
        given = Given.to(node, me, self, around)
        returned = [inner.value for inner in inside if isinstance(inner, ast.Return) and inner.value is not None]
        return all(given.has(value) and not given.attributes_in(value) for value in returned)


def method_of(around: ast.stmt | None, name: str) -> ast.stmt | None:
    """What a class body itself defines under a name, if it does so once."""
    found = [part for part in around.body if isinstance(part, FUNCTIONS) and part.name == name] if isinstance(around, ast.ClassDef) else []
    return found[0] if len(found) == 1 else None


class Given:
    """Knows values that are nothing but what is given: these names, constants, and what is made of them without looking elsewhere."""

    def __init__(self, names: Collection[str], helpers: Helpers, me: str = "", around: ast.ClassDef | None = None) -> None:
        self.names = {*names}
        self.known = helpers.known
        self.me = me
        """The instance, whose attributes are given as far as methods put nothing else into them."""
        self.around = around
        """Its class."""
        self.made_of: dict[str, set[str]] = {}
        """Of each variable the attributes of the instance of which it is made."""
        self._helpers = helpers
        self._local: set[str] = set()
        """What is no function or class of the module, whatever its name."""

    @classmethod
    def to(cls, node: Function, me: str, helpers: Helpers, around: ast.ClassDef | None = None) -> "Given":
        """To a method: its arguments, but for those with a default which the text does not tell, the variables that are made of such, and code."""
        every = node.args
        told = {constant.partition(" ")[0] for constant in default_constants(node, helpers.known)}
        untold = {argument.arg for argument, _ in defaults_of(every)} - told
        arguments = (*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg)
        bound = [found for inner in walk(node) for found in bound_to(inner)]
        elsewhere = {name for inner in walk(node) if isinstance(inner, (ast.Global, ast.Nonlocal)) for name in inner.names}
        local = {argument.arg for argument in arguments if argument is not None}.union(*(targets for targets, _ in bound))
        given = cls(local.union(helpers.code) - untold - elsewhere - {me}, helpers, me, around)
        given._local = local
        while more := set().union(*(targets for targets, value in bound if not given.has(value))) & given.names:
            given.names -= more
        for _ in range(2):  # the second time what stands in a loop is known
            for targets, value in bound:
                for name in targets:
                    given.made_of.setdefault(name, set()).update(given.attributes_in(value))
        return given

    def has(self, node: ast.expr) -> bool:
        """Whether a value is nothing but what is given."""
        match node:
            case ast.Name(id=name):
                return name in self.names or (name in self.known and name not in self._local)
            case ast.Constant():
                return True
            case ast.Attribute(value=ast.Name(id=name)) if name == self.me:
                return True  # if that attribute is
            case ast.Attribute(value=ast.Name(id=kind), attr=name) if name.isupper() and kind[:1].isupper():
                return True  # a member of an enumeration
            case ast.Attribute(value=of):
                return self.has(of)
            case ast.Call():
                return self._calls(node)
            case ast.Tuple() | ast.List() | ast.Set() | ast.Dict() | ast.Subscript() | ast.BinOp() | ast.UnaryOp() | ast.IfExp():
                return self._all_in(node)
            case ast.BoolOp() | ast.Compare() | ast.Starred() | ast.JoinedStr() | ast.FormattedValue() | ast.Slice():
                return self._all_in(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return all(self.has(part.iter) for part in node.generators) and self._all_in(node)
        return False

    def _all_in(self, node: ast.expr) -> bool:
        return all(self.has(part) for part in children(node) if isinstance(part, ast.expr))

    def _calls(self, call: ast.Call) -> bool:
        match call.func:
            case ast.Name(id=name):
                pure = name in CONVERTS or (name not in self._local and self._helpers.give(self._helpers.code.get(name)))
            case ast.Attribute(value=ast.Name(id=name), attr=method) if self._is_helper(name, method):
                pure = True
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in _PURE and name not in self.names:
                pure = attribute not in _IMPURE
            case ast.Attribute(value=of, attr=attribute):
                pure = attribute in _GIVES and self.has(of)
            case _:
                pure = False
        return pure and all(self.has(part) for part in given_to(call))

    def _is_helper(self, name: str, method: str) -> bool:
        """Whether a method of the instance, or of a class of the module, gives nothing but what it is given."""
        around = self.around if name == self.me else None if name in self._local else self._helpers.code.get(name)
        return isinstance(around, ast.ClassDef) and self._helpers.give(method_of(around, method), around)

    def attributes_in(self, node: ast.AST) -> set[str]:
        """The attributes of the instance of which a value is made."""
        found: set[str] = set()
        asked = {id(inner.func) for inner in walk(node) if isinstance(inner, ast.Call)}
        for inner in walk(node):
            match inner:
                case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name == self.me and id(inner) not in asked:
                    found.add(attribute)
                case ast.Name(id=name):
                    found |= self.made_of.get(name, set())
        return found


def worked_out(node: Function, given: Given) -> Iterator[str]:
    """The attributes that a method sets, or whose objects it changes, to more than it is given.

    What is made of other attributes is told as `one<other`; what is only put back where it came from is not.
    """
    for inner in walk(node):
        for names, values in _set(inner):
            if values is None or not all(map(given.has, values)):
                yield from names
                continue
            moved = isinstance(values[-1], (ast.Name, ast.Attribute)) if values else True
            for of in set().union(*map(given.attributes_in, values)):
                yield from (f"{name}{FOLLOWS}{of}" for name in names if not (moved and name == of))


def made(node: Function, given: Given) -> Iterator[str]:
    """The attributes of a new instance that are made by a call with nothing but what is given."""
    for inner in walk(node):
        match inner:
            case (
                ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Call(func=ast.Name()) as call)
                | ast.AnnAssign(target=ast.Attribute(attr=name), value=ast.Call(func=ast.Name()) as call)
            ) if all(map(given.has, given_to(call))):
                yield name


def is_default(node: ast.expr, known: Mapping[str, object]) -> bool:
    """Whether what a field is told in a class body gives the same default everywhere: constants, `default_factory=list`."""
    return Given(CONVERTS, Helpers({}, known)).has(node)


def bound_to(node: ast.AST) -> Iterator[tuple[set[str], ast.expr]]:
    """Variables, and to what they are bound here; an object whose attribute is set keeps its name."""
    for targets, value in bound_by(node):
        yield set().union(*map(_names_in, targets)), value
    if isinstance(node, ast.AugAssign):
        yield _names_in(node.target), node.value


def _names_in(target: ast.AST) -> set[str]:
    return {part.id for part in walk(target) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def _set(node: ast.AST) -> Iterator[tuple[list[str], list[ast.expr] | None]]:
    """The attributes that one node of a method sets, or whose objects it changes, and to what; None where that is never only what is given."""
    match node:
        case ast.Assign(targets=targets, value=value):
            yield _attributes_in(*targets), [value]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield _attributes_in(target), [value]
        case (
            ast.AugAssign(target=target)
            | ast.For(target=target)
            | ast.AsyncFor(target=target)
            | ast.withitem(optional_vars=ast.expr() as target)
        ):
            yield _attributes_in(target), None
        case ast.Call(func=ast.Name(id="setattr") | ast.Attribute(attr="__setattr__"), args=[*_, ast.Constant(value=str(name)), value]):
            yield [name], [value]
        case ast.Call(func=ast.Name(id="setattr"), args=[_, _, value]):
            yield [ANY], [value]
        case ast.Call(func=ast.Attribute(attr="update", value=of), keywords=words) if is_dict_of_object(of):
            yield from (([word.arg], [word.value]) for word in words if word.arg)
        case ast.Call(func=ast.Attribute(attr=method, value=of)) as call if method in MUTATORS:
            yield _attributes_in(of), given_to(call)


def _attributes_in(*targets: ast.expr) -> list[str]:
    found = [part.attr for target in targets for part in walk(target) if isinstance(part, ast.Attribute)]
    for target in targets:
        match target:
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name))) if is_dict_of_object(value):
                found.append(name)
    return found


def is_dict_of_object(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == ALL) or (isinstance(node, ast.Call) and called(node) == "vars")

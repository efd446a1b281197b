"""What a statement at module level may change besides the names that it binds: objects that it hands to others, and their other names."""

import ast
from collections.abc import Iterable, Mapping

from simcache.identity.text.link import taken_apart
from simcache.identity.text.normal import FUNCTIONS, called, chain_of
from simcache.identity.text.piece import FILLERS
from simcache.identity.text.statements import at_once, bound_in
from simcache.identity.text.tree import children, walk

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FRESH = (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp, ast.JoinedStr, ast.Constant, ast.Lambda)
"""What gives a new value, or none, of what is in it."""
# Calls that change nothing of what they are given: each that is missing here costs, at worst, a result that is computed once more.
_FUNCTIONS_ASK = frozenset(
    "abs bool copy deepcopy float format hasattr hash id int isinstance issubclass len print range repr round str type".split()
)
"""Not `sum` and `max`, which use up an iterator."""
_METHODS_ASK = frozenset(
    "all any argmax argmin argsort as_posix astype copy count cumsum decode diff dot encode endswith exists format index is_dir is_file "
    "joinpath keys lower max mean min resolve round split startswith std strip sum tobytes tolist upper var with_name with_suffix".split()
)
_LOGS = frozenset("critical debug error exception info warning".split())
_WRITES_NOWHERE = ("assert", "save", "set")
"""How functions of numpy begin that are called for what they do, and change nothing of what they are given."""
_MAKES_FIXED = frozenset("bool bytes complex float frozenset int len range str".split())
_TAKEN_MAKES_FIXED = frozenset("decimal.Decimal fractions.Fraction os.getenv pathlib.Path pathlib.PurePath re.compile".split())
_STAYS_FIXED = frozenset("absolute encode expanduser format joinpath lower replace resolve strip upper with_name with_suffix".split())
_PURE_MODULES = frozenset({"math", "numpy"})


class Effects:
    """Follows the objects of one module through its statements, in the order in which they run."""

    def __init__(self, links: Mapping[str, tuple[str, ...]]) -> None:
        self.links = links
        """The imported names of the module."""
        self.also: dict[str, set[str]] = {}
        """Of each name those whose objects it may stand for, or may be a part of."""
        self.fixed: set[str] = set()
        """Names of numbers, texts, paths and the like: nobody can change what he is given of them."""

    def note(self, statement: ast.stmt) -> None:
        """Remember which names a statement gives to objects that have one already, or to their parts, and which to what never changes."""
        for targets, source in bound_in(statement):
            names = {node.id for target in targets for node in walk(target) if isinstance(node, ast.Name)}
            self.fixed -= names
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is source and self._is_fixed(source):
                self.fixed |= names
            given = self._given(source) | (names if len(targets) > 1 else set())
            for name in names:
                self.also.setdefault(name, set()).update(given - {name})

    def handed(self, statement: ast.stmt) -> set[str]:
        """The names whose objects a statement gives to somebody who may change them."""
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            calls = [decorator for decorator in statement.decorator_list if isinstance(decorator, ast.Call)]
        else:
            calls = [node for node in at_once(statement) if isinstance(node, ast.Call)]
        return self.all_of({name for call in calls for name in self._handed(call)} | self._written(statement))

    def _written(self, statement: ast.stmt) -> set[str]:
        """What numpy writes a result to that nobody keeps: `np.multiply(A, 2, A)`."""
        match statement:
            case ast.Expr(value=ast.Call(args=[_, *_, last]) as call) if self.is_pure(called(call).partition(".")[0]):
                return set() if called(call).rpartition(".")[2].startswith(_WRITES_NOWHERE) else self._given(last)
        return set()

    def all_of(self, names: Iterable[str]) -> set[str]:
        """These names, and all others that may stand for the same objects or for what these are part of."""
        found: set[str] = set()
        queue = list(names)
        while queue:
            if (name := queue.pop()) not in found:
                found.add(name)
                queue.extend(self.also.get(name, ()))
        return found

    def _is_fixed(self, node: ast.expr) -> bool:
        """Whether the value of an expression surely is one that cannot be changed in place."""
        if isinstance(node, ast.Name):
            return node.id in self.fixed
        if isinstance(node, (ast.Constant, ast.JoinedStr)):
            return True
        if isinstance(node, (ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.IfExp, ast.Tuple)):
            return all(self._is_fixed(part) for part in children(node) if isinstance(part, ast.expr))
        if isinstance(node, ast.Attribute):
            return self._is_fixed(node.value) or self.is_pure(chain_of(node).partition(".")[0])
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _STAYS_FIXED:
                return self._is_fixed(node.func.value)
            root, _, rest = chain_of(node.func).partition(".")
            links = self.links.get(root, ())
            if not links:
                return not rest and root in _MAKES_FIXED
            return all(f"{link.module}.{link.chain or rest}" in _TAKEN_MAKES_FIXED for link in map(taken_apart, links))
        return False

    def is_pure(self, name: str) -> bool:
        links = self.links.get(name, ())
        return bool(links) and all(taken_apart(link).module.partition(".")[0] in _PURE_MODULES for link in links)

    def _handed(self, node: ast.Call) -> set[str]:
        """What a call may change: what it is given, and what its method belongs to."""
        if self.asks(node):
            return set()
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        return set().union(*map(self._given, [*given, node.func]))

    def asks(self, node: ast.Call) -> bool:
        root, _, rest = called(node).partition(".")
        name, known = (node.func.attr, _METHODS_ASK) if isinstance(node.func, ast.Attribute) else (root, _FUNCTIONS_ASK)
        links = self.links.get(root, ())
        if rest and name in _LOGS:
            return True
        if rest and links:
            random = "random" in rest.split(".")[:-1]
            return self.is_pure(root) and not random and name not in FILLERS and all(keyword.arg != "out" for keyword in node.keywords)
        return name in known

    def _given(self, node: ast.AST | None) -> set[str]:
        """The names whose objects the value of an expression is, holds, or is a part of."""
        if node is None or isinstance(node, _FRESH):
            return set()
        if isinstance(node, ast.Name):
            return {node.id}
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            return self._given(node.value)
        if isinstance(node, ast.Call):
            # What numpy makes of an array may be a view of it.
            return set().union(*map(self._given, node.args)) if self.is_pure(called(node).partition(".")[0]) else self._handed(node)
        if isinstance(node, _COMPREHENSIONS):
            return set().union(*(self._given(generator.iter) for generator in node.generators))
        return set().union(*map(self._given, children(node)))

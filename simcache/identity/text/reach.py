"""Which names of its module (and of functions around it) a syntax tree can reach, and which of them it changes."""

import ast
from collections.abc import Iterable, Iterator, Mapping

from simcache.identity.text.entry_points import ALL_CODE, registered_by
from simcache.identity.text.link import further, link_to
from simcache.identity.text.normal import FUNCTIONS, called, chain_of, is_blind, unquoted
from simcache.identity.text.piece import FILLERS, MUTATORS
from simcache.identity.text.tree import children, remembered, walk

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

Bindings = tuple[frozenset[str], Mapping[str, tuple[str, ...]], tuple[str, ...]]


class Scope:
    """The names that one function or class body binds, and which of them are imports."""

    def __init__(
        self, names: Iterable[str], links: Mapping[str, tuple[str, ...]], *, of_class: str | None = None, of_module: Iterable[str] = ()
    ) -> None:
        self.names = frozenset(names)
        self.of_module = frozenset(of_module)
        """Those that are declared `global` there."""
        self.links = links
        self.of_class = of_class
        """The name of the class whose body this is, if it is one."""


class Reach:
    """Collects the module-level names that a tree can reach, and those that it changes."""

    def __init__(self, outside: Iterable[Scope] = (), fills: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self.fills = fills or {}
        """Functions of the module, and which of their arguments they change in place."""
        self.reached: dict[str, None] = {}
        self.perhaps: dict[str, None] = {}
        """What a class body reads under a name that it binds itself: before that, the name is the module's (`dt: float = dt`)."""
        self.changed: set[str] = set()
        """Names that are bound anew, or whose objects are changed in place; these are `mutated`."""
        self.mutated: set[str] = set()
        self.scopes = list(outside)
        self.outside = len(self.scopes)
        """How many of the scopes lie around the tree: their names are captured, not the tree's own."""

    def found(self) -> tuple[str, ...]:
        return tuple(sorted(self.reached))

    def visit(self, node: ast.AST | None) -> None:
        if node is None:
            return
        if isinstance(node, (ast.Name, ast.Attribute)):
            self.chain(node)
        elif isinstance(node, FUNCTIONS):
            self.function(node, annotated=not all(is_blind(called(d), frozenset()) for d in node.decorator_list))
        elif isinstance(node, ast.Lambda):
            self.function(node, annotated=False)
        elif isinstance(node, ast.ClassDef):
            self.class_(node)
        elif isinstance(node, _COMPREHENSIONS):
            self.comprehension(node)
        elif isinstance(node, ast.AnnAssign):
            self.assignment(node)
        else:
            self.note_changes(node)
            for child in children(node):
                self.visit(child)

    def chain(self, node: ast.Name | ast.Attribute) -> None:
        text = chain_of(node)
        if not text:
            self.visit(node.value if isinstance(node, ast.Attribute) else None)
            return
        root, _, rest = text.partition(".")
        scope = self.lookup(root)
        stores = isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        if stores and self.is_foreign(root):
            self.changed.add(root)
        elif scope is None:
            self.reached[self.mangled(text)] = None
        elif scope is self.scopes[-1] and scope.of_class is not None and not stores:
            self.perhaps[self.mangled(text)] = None
        for link in () if scope is None else scope.links.get(root, ()):
            self.reached[further(link, rest)] = None

    def mangled(self, chain: str) -> str:
        """Inside a class, a private name of the module is another one (`__limit` in C is `_C__limit`)."""
        around = next((scope.of_class for scope in reversed(self.scopes) if scope.of_class is not None), None)
        root = chain.partition(".")[0]
        return f"_{around.lstrip('_')}{chain}" if around and root.startswith("__") and not root.endswith("__") else chain

    def lookup(self, name: str) -> Scope | None:
        for distance, scope in enumerate(reversed(self.scopes)):
            if name in scope.of_module:
                return None
            if name in scope.names and (distance == 0 or scope.of_class is None):
                return scope
        return None

    def is_foreign(self, name: str) -> bool:
        """Whether a name belongs to the module or to a function around the tree."""
        scope = self.lookup(name)
        return scope is None or scope in self.scopes[: self.outside]

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, *, annotated: bool) -> None:
        arguments = node.args
        for default in (*arguments.defaults, *arguments.kw_defaults):
            self.visit(default)
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        names = {argument.arg for argument in every if argument is not None}
        body: list[ast.stmt] | list[ast.expr]
        if isinstance(node, ast.Lambda):
            body = [node.body]
        else:
            body = node.body
            for decorator in node.decorator_list:
                self.visit(decorator)
            if annotated:
                for argument in every:
                    if argument is not None and argument.annotation is not None:
                        self.visit(unquoted(argument.annotation))
                if node.returns is not None:
                    self.visit(unquoted(node.returns))
        self.inside(body, names)

    def class_(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self.inside(node.body, set(), of_class=node.name)

    def inside(self, body: Iterable[ast.AST], names: set[str], *, of_class: str | None = None) -> None:
        body = list(body)
        bound, links, _ = bindings(body)
        of_module = [name for node in body if isinstance(node, ast.Global) for name in node.names]
        self.scopes.append(Scope(names | bound, links, of_class=of_class, of_module=of_module))
        for statement in body:
            if not is_text(statement):
                self.visit(statement)
        self.scopes.pop()

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        first = node.generators[0]
        self.visit(first.iter)
        targets = {name.id for generator in node.generators for name in walk(generator.target) if isinstance(name, ast.Name)}
        self.scopes.append(Scope(targets, {}))
        for generator in node.generators:
            if generator is not first:
                self.visit(generator.iter)
            for condition in generator.ifs:
                self.visit(condition)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.visit(part)
        self.scopes.pop()

    def assignment(self, node: ast.AnnAssign) -> None:
        if self.scopes and self.scopes[-1].of_class is not None:
            self.visit(unquoted(node.annotation))
        self.note_target(node.target)
        self.visit(node.target)
        self.visit(node.value)

    def note_changes(self, node: ast.AST) -> None:
        """Which module-level names a statement changes in place, and which it reaches without saying their names."""
        if isinstance(node, ast.Call):  # whoever registers `"x.y:Ring"` has Ring imported of the module x.y
            self.reached.update((place, None) for place in registered_by(node) if place != ALL_CODE)
        if isinstance(node, (ast.Assign, ast.Delete)):
            for target in node.targets:
                self.note_target(target)
        elif isinstance(node, (ast.AugAssign, ast.For, ast.AsyncFor)):
            self.note_target(node.target)
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and self.is_foreign(node.target.id):
                self.mutated.add(node.target.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            self.note_root(node.func.value)
        elif isinstance(node, ast.Call) and called(node) in ("setattr", "delattr") and node.args:
            self.note_root(node.args[0])
        elif isinstance(node, ast.Call):
            self.note_import(node)
            self.note_filled(node)
        elif isinstance(node, ast.Subscript):
            self.note_lookup(node)

    def note_import(self, node: ast.Call) -> None:
        """`importlib.import_module("x.y")` is an import of the whole module."""
        if called(node).rpartition(".")[2] not in ("import_module", "__import__"):
            return
        given = {keyword.arg: keyword.value for keyword in node.keywords} | dict(zip(("name", "package"), node.args, strict=False))
        match given.get("name"):
            case ast.Constant(value=str(name)):
                rest = name.lstrip(".")
                match given.get("package") if rest != name else None:
                    case ast.Constant(value=str(package)):
                        base = package.split(".")
                        above = ".".join(base[: len(base) - (len(name) - len(rest) - 1)])
                        self.reached[link_to(0, f"{above}.{rest}")] = None
                    case _:  # `__package__`, as good as always
                        self.reached[link_to(len(name) - len(rest), rest)] = None

    def note_filled(self, node: ast.Call) -> None:
        """What is given to somebody who fills it: `out=BUFFER`, `heappush(HEAP, x)`, a function of the module that does so."""
        name = called(node)
        filled = [keyword.value for keyword in node.keywords if keyword.arg == "out"]
        places = self.fills.get(name, (0,) if name.rpartition(".")[2] in FILLERS else ())
        filled += [node.args[place] for place in places if place < len(node.args)]
        for part in filled:
            for one in part.elts if isinstance(part, ast.Tuple) else [part]:
                self.note_root(one)

    def note_lookup(self, node: ast.Subscript) -> None:
        """`globals()["g"]` is the name g, and `sys.modules["x.y"]` the module, however it came to be there."""
        match node:
            case ast.Subscript(value=ast.Call(func=ast.Name(id="globals"), args=[]), slice=ast.Constant(value=str(name))):
                self.reached[name] = None
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name))) if chain_of(value) == "sys.modules":
                self.reached[link_to(0, name)] = None

    def note_target(self, target: ast.expr) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self.note_target(part)
        elif isinstance(target, (ast.Subscript, ast.Attribute)):
            self.note_root(target.value)

    def note_root(self, node: ast.expr) -> None:
        while isinstance(node, (ast.Subscript, ast.Attribute)):
            node = node.value
        if isinstance(node, ast.Name) and self.is_foreign(node.id):
            self.changed.add(node.id)
            self.mutated.add(node.id)


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def bindings(body: Iterable[ast.AST]) -> Bindings:
    """The names that statements bind in their own scope, what the imported ones stand for, and star imports."""
    return _bindings(tuple(body))


@remembered
def _bindings(body: tuple[ast.AST, ...]) -> Bindings:
    names: set[str] = set()
    links: dict[str, tuple[str, ...]] = {}
    stars: list[str] = []
    outer: set[str] = set()
    queue: list[tuple[ast.AST, bool]] = [(node, False) for node in body]
    for node, comprehension in queue:
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            outer.update(node.names)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, link in imports(node):
                if name == "*":
                    stars.append(link)
                else:
                    names.add(name)
                    links[name] = (*links.get(name, ()), link)
            continue
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
            continue
        elif isinstance(node, ast.Lambda):
            continue
        elif isinstance(node, ast.NamedExpr):
            names.add(node.target.id)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and not comprehension:
            names.add(node.id)
        elif (isinstance(node, ast.ExceptHandler) and node.name) or (isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name):
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
        within = comprehension or isinstance(node, _COMPREHENSIONS)
        queue.extend((child, within) for child in children(node))
    return frozenset(names - outer), {name: link for name, link in links.items() if name not in outer}, tuple(stars)


def changed_arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Which of its arguments a function binds anew, or changes in place."""
    every = function.args
    names = {argument.arg for argument in (*every.posonlyargs, *every.args, *every.kwonlyargs)}
    reach = Reach([Scope(names, {})])
    for statement in function.body:
        reach.visit(statement)
    return names & reach.changed


def imports(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, link_to(node.level, node.module or "", alias.name)
        elif alias.asname:
            yield alias.asname, link_to(0, alias.name)
        else:
            top = alias.name.partition(".")[0]
            yield top, link_to(0, top)

"""What the statements of a module set in libraries: seeds, precisions, defaults, which its functions then find there."""

import ast
from collections.abc import Iterable, Mapping

from simcache.identity.text.link import further, taken_apart
from simcache.identity.text.normal import FUNCTIONS, called, chain_of
from simcache.identity.text.reach import bindings
from simcache.identity.text.tree import walk

_SETTERS = ("add_", "disable", "enable", "lower_", "overload", "register", "set", "type_callable", "unregister", "use_")
"""How what sets something is named, or is given code that the library then runs (`yaml.add_constructor`)."""
_FILTERS = frozenset({"filterwarnings", "resetwarnings", "simplefilter"})
_SEEDERS = ("fix", "init", "manual", "reset", "seed", "set")
_INERT = frozenset(
    "atexit faulthandler gc logging matplotlib multiprocessing os rich seaborn signal simcache socket sys threading tqdm typing typing_extensions warnings".split()
)
"""What is set there is not what a function returns, or is found there by other ways."""
_INERT_NAMES = ("register_dataclass", "register_pytree", "register_static", "set_printoptions", "set_string_function")
"""How that is named which sets nothing but looks, or is found by the type alone that it is given."""
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
_RANDOM = frozenset({"jax", "numpy", "random", "tensorflow", "torch"})

Links = Mapping[str, tuple[str, ...]]
Setting = dict[str, list[ast.stmt]]
"""By library, the statements that set something there, and what else tells how."""


class LibraryState:
    """Collects the statements of one module that leave something in a library, by the library's name."""

    def __init__(self, links: Links) -> None:
        self.links = links
        """The imported names of the module, as far as it has been read."""
        self.aliases: dict[str, tuple[str, ...]] = {}
        """Other names of something in a library (`rng = np.random`, `context = getcontext()`)."""
        self.set: Setting = {}
        self.inside: dict[str, Setting] = {}
        """Of each function of the module the statements that do so when it is called."""
        self.calls: set[str] = set()
        """What statements call of what is imported, as links: the functions of another module may do so."""

    def settings(self) -> Setting:
        """All that is set, by library; filters of warnings only if one makes errors of them, for no result depends on what is shown."""
        errors = any(map(_may_make_errors, self.set.get("warnings", ())))
        return {library: statements for library, statements in self.set.items() if errors or library != "warnings"}

    def note(self, statement: ast.stmt) -> None:
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            for decorator in statement.decorator_list:
                for library in sorted(self._set_by_call(decorator, {**self.aliases, **self.links})):
                    made = ast.Name(statement.name, ast.Load())
                    self.set.setdefault(library, []).extend(_said([decorator, made]))
        if isinstance(statement, FUNCTIONS):
            self.inside[statement.name] = self._in_function(statement)
        elif not isinstance(statement, ast.ClassDef):
            self._note([statement], {**self.aliases, **self.links}, self.set, ())
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_part_of_library(value):
                    self.aliases[name] = self.links.get(_root(value), ())

    def _in_function(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Setting:
        found: Setting = {}
        self._note(function.body, {**self.aliases, **self.links, **bindings(function.body)[1]}, found, ())
        defaults = [default for default in (*function.args.defaults, *function.args.kw_defaults) if default is not None]
        for library, statements in found.items():
            found[library] = [*_said(defaults), *_with_locals(statements, function)]
        return found

    def _note(self, body: Iterable[ast.stmt], links: Links, into: Setting, tests: tuple[ast.expr, ...]) -> None:
        for statement in body:
            if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                continue
            deeper = (*tests, *(part for name in ("test", "iter") if (part := getattr(statement, name, None)) is not None))
            for inner in ("body", "orelse", "finalbody"):
                self._note(getattr(statement, inner, ()), links, into, deeper)
            for handler in getattr(statement, "handlers", ()):
                self._note(handler.body, links, into, deeper)
            for library in sorted(self._set_by(statement, links)):
                into.setdefault(library, []).extend([*_said(tests), statement])
            self._note_called(statement, into, tests)

    def _note_called(self, statement: ast.stmt, into: Setting, tests: tuple[ast.expr, ...]) -> None:
        """A function of the module that sets something, among other things as a `main` does: that, and what it is given, counts."""
        match statement:
            case ast.Expr(value=ast.Call() as call) | ast.Assign(value=ast.Call() as call):
                root, _, rest = called(call).partition(".")
                if into is self.set:
                    self.calls |= {further(link, rest) for link in self.links.get(root, ())}
                given = [*call.args, *(keyword.value for keyword in call.keywords)]
                for library, statements in self.inside.get(called(call), {}).items():
                    into.setdefault(library, []).extend([*_said((*tests, *given)), *statements])

    def _set_by(self, statement: ast.stmt, links: Links) -> set[str]:
        """The libraries in which one statement, without those inside it, sets something."""
        found: set[str] = set()
        if isinstance(statement, _ASSIGNMENTS):
            for target in _targets(statement):
                found |= set() if isinstance(target, ast.Name) else self._behind(_root(target), links)
        if isinstance(statement, (*_ASSIGNMENTS, ast.Expr)) and isinstance(statement.value, ast.Call):
            found |= self._set_by_call(statement.value, links)
        return found

    def _set_by_call(self, call: ast.expr, links: Links) -> set[str]:
        """The libraries in which a call, or a decorator, sets something."""
        root, _, rest = called(call).partition(".")
        names = [rest.rpartition(".")[2]] if rest else [taken_apart(link).chain for link in links.get(root, ())]
        seeds = any(map(_is_seeder, names))
        if (
            seeds
            or rest.endswith("config.update")
            or any(name.startswith(_SETTERS) and not name.startswith(_INERT_NAMES) for name in names)
        ):
            there = self._behind(root, links)
            # A helper of somebody seeds all of them.
            return there | (_RANDOM if seeds and root in links and there.isdisjoint(_RANDOM) else set())
        return {"warnings"} & _libraries(root, links) if not _FILTERS.isdisjoint(names) else set()

    def _behind(self, root: str, links: Links) -> set[str]:
        """The libraries that an imported name may come from, and in which something counts."""
        return _libraries(root, links) - _INERT


def _libraries(root: str, links: Links) -> set[str]:
    """The libraries that an imported name may come from."""
    return {link.module.partition(".")[0] for link in map(taken_apart, links.get(root, ())) if link.level == 0}


def _may_make_errors(statement: ast.stmt) -> bool:
    """Whether it may be a filter by which warnings are raised."""
    for call in walk(statement):
        if isinstance(call, ast.Call):
            action = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "action")]
            if any(not isinstance(part, ast.Constant) or part.value == "error" for part in action):
                return True
    return False


def _is_seeder(name: str) -> bool:
    return "seed" in name and name.startswith(_SEEDERS)


def _said(parts: Iterable[ast.expr]) -> list[ast.stmt]:
    """Expressions as statements, which are counted and followed."""
    return [ast.Expr(part) for part in parts]


def _with_locals(statements: list[ast.stmt], function: ast.stmt) -> list[ast.stmt]:
    """These statements, and those of their function that work out what they use."""
    makers = [(node, _names(*_targets(node))) for node in walk(function) if isinstance(node, _ASSIGNMENTS)]
    wanted, found = list(statements), list(statements)
    while wanted:
        used = _names(wanted.pop(), read=True)
        new = [node for node, made in makers if node not in found and not used.isdisjoint(made)]
        found += new
        wanted += new
    return found


def _targets(statement: "ast.Assign | ast.AnnAssign | ast.AugAssign") -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _names(*nodes: ast.AST, read: bool = False) -> set[str]:
    """The names in some trees; those that are read, or all of them."""
    every = [node for root in nodes for node in walk(root) if isinstance(node, ast.Name)]
    return {node.id for node in every if not read or isinstance(node.ctx, ast.Load)}


def _is_part_of_library(value: ast.expr) -> bool:
    """Whether a name for this would be another name for a part of a library; what most calls give is something new."""
    call = called(value) if isinstance(value, ast.Call) else ""
    return bool(chain_of(value)) or call.rpartition(".")[2].startswith("get")


def _root(target: ast.expr) -> str:
    """The name that a target such as `np.x`, `a.b["c"]` or `getcontext().prec` begins with."""
    inner: ast.AST = target
    while isinstance(inner, (ast.Attribute, ast.Subscript, ast.Call)):
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    return inner.id if isinstance(inner, ast.Name) else ""

"""What the statements of a module set in libraries: seeds, precisions, defaults, which its functions then find there."""

import ast
from collections.abc import Mapping

from simcache.identity.effects import at_once
from simcache.identity.normal import FUNCTIONS, called
from simcache.identity.reach import bindings

_SETTERS = ("disable", "enable", "set", "use_")
_INERT = frozenset("atexit faulthandler logging matplotlib rich seaborn signal simcache sys tqdm warnings".split())
"""What is set there is not what a function returns."""
_RANDOM = frozenset({"jax", "numpy", "random", "tensorflow", "torch"})

Links = Mapping[str, tuple[str, ...]]
Setting = dict[str, list[ast.stmt]]
"""By library, the statements that set something there."""


class LibraryState:
    """Collects the statements of one module that leave something in a library, by the library's name."""

    def __init__(self, links: Links) -> None:
        self.links = links
        """The imported names of the module, as far as it has been read."""
        self.set: Setting = {}
        self.inside: dict[str, Setting] = {}
        """Of each function of the module the statements that do so when it is called."""

    def note(self, statement: ast.stmt) -> None:
        if isinstance(statement, FUNCTIONS):
            links = {**self.links, **bindings(statement.body)[1]}
            inside = self.inside[statement.name] = {}
            for inner in ast.walk(statement):
                self._note(inner, links, inside)
        elif not isinstance(statement, ast.ClassDef):
            for inner in at_once(statement):
                self._note(inner, self.links, self.set)

    def _note(self, node: ast.AST, links: Links, into: Setting) -> None:
        if not isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)):
            return
        if isinstance(node.value, ast.Call) and not isinstance(node, ast.AugAssign):
            # Of a function that also does other things, as a `main` does, only these statements count, not all that it leads to.
            called_here = self.inside.get(called(node.value), {})
            for library, statements in called_here.items():
                into.setdefault(library, []).extend(statements)
            libraries = self._set_by_call(node.value, links) | (called_here.keys() if _is_setter(called(node.value)) else set())
        else:
            libraries = set()
        for target in [] if isinstance(node, ast.Expr) else node.targets if isinstance(node, ast.Assign) else [node.target]:
            libraries |= set() if isinstance(target, ast.Name) else self._behind(_root(target), links)
        for library in sorted(libraries):
            into.setdefault(library, []).append(node)

    def _set_by_call(self, call: ast.Call, links: Links) -> set[str]:
        root, _, rest = called(call).partition(".")
        names = [rest.rpartition(".")[2]] if rest else [link.rpartition(" ")[2] for link in links.get(root, ())]
        if not (any(map(_is_setter, names)) or rest.endswith("config.update")):
            return set()
        found = self._behind(root, links)
        # A helper of somebody, which seeds all of them.
        return found | _RANDOM if any("seed" in name for name in names) and root in links and found.isdisjoint(_RANDOM) else found

    def _behind(self, root: str, links: Links) -> set[str]:
        """The libraries that an imported name may come from."""
        sources = (link.split(" ", 3)[1:3] for link in links.get(root, ()))
        return {module.partition(".")[0] for level, module in sources if level == "0"} - _INERT


def _is_setter(name: str) -> bool:
    return "seed" in name or name.startswith(_SETTERS)


def _root(target: ast.expr) -> str:
    """The name that a target such as `np.x`, `a.b["c"]` or `getcontext().prec` begins with."""
    inner: ast.AST = target
    while isinstance(inner, (ast.Attribute, ast.Subscript, ast.Call)):
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    return inner.id if isinstance(inner, ast.Name) else ""

"""The meaning of a syntax tree as text: comments, layout, quotes, docstrings and annotations that nobody reads do not count.

The text is the same under every Python version.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import TypeGuard

from simcache.identity.text.tree import children, walk

# Decorators that do not look at annotations: with these alone, a parameter's type hint cannot change a result.
_BLIND = frozenset(
    "abstractmethod asynccontextmanager cache cached cached_property classmethod contextmanager deleter final getter jit lru_cache njit "
    "overload override property register_jitable setter staticmethod total_ordering wraps".split()
)
# What is left out stands as None in a tree, and so would a None that is written there: `*, a` and `*, a=None`, `**D` and `None: D`.
_TOLD_APART = {("kw_defaults", True): "-", ("keys", False): "None"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Normal:
    """Writes the meaning of a tree as text: node names, fields and values; nothing of how it was typed."""

    def __init__(self, cached_names: frozenset[str]) -> None:
        self.cached_names = cached_names
        self.out: list[str] = []
        self.written: dict[tuple[ast.AST, bool], str] = {}
        self.around: ast.AST | None = None
        """The function whose body is written."""

    def text(self, node: ast.AST, *, annotated: bool = False) -> str:
        if (node, annotated) not in self.written:
            self.out = []
            if isinstance(node, FUNCTIONS):
                self.function(node, annotated=annotated)
            else:
                self.node(node)
            self.written[node, annotated] = "".join(self.out)
        return self.written[node, annotated]

    def statements(self, body: Iterable[ast.stmt], *, in_class: bool = False) -> None:
        self.out.append("[")
        for statement in body:
            if isinstance(statement, ast.Pass) or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                continue
            if not in_class and declares(statement) and chain_of(statement.target) not in _only_declared(self.around):
                continue
            self.node(statement, in_class=in_class)
            self.out.append(";")
        self.out.append("]")

    def node(self, node: ast.AST, *, in_class: bool = False, annotated: bool = False) -> None:
        if isinstance(node, ast.Constant):
            self.out.append(_constant(node.value))
        elif isinstance(node, FUNCTIONS):
            self.function(node, annotated=not self._blind(node))
        elif isinstance(node, ast.AnnAssign) and not in_class:
            if node.value is not None:
                self.node(ast.Assign(targets=[node.target], value=node.value))
        elif isinstance(node, ast.ClassDef):
            self.fields(node, ("name", "bases", "keywords", "decorator_list", "type_params"))
            self.statements(node.body, in_class=True)
        elif isinstance(node, ast.arg):
            self.out.append(f"arg {node.arg}")
            if annotated and node.annotation is not None:
                self.annotation(node.annotation)
        elif isinstance(node, ast.JoinedStr):
            self.joined(node)
        else:
            self.fields(node, node._fields, in_class=in_class)

    def fields(self, node: ast.AST, names: Iterable[str], *, in_class: bool = False) -> None:
        self.out.append(f"{type(node).__name__}(")
        for name in names:
            value = getattr(node, name, None)
            if value is None or value == [] or name in ("ctx", "type_comment", "kind"):
                continue
            self.out.append(f"{name}=")
            if name == "annotation" and isinstance(value, ast.expr):
                self.annotation(value)
            elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self.statements(value, in_class=in_class)
            elif isinstance(value, list):
                for item in value:
                    self.item(_TOLD_APART.get((name, item is None), item) if item is None or _is_none(item) else item)
                    self.out.append(",")
            else:
                self.item(value)
        self.out.append(")")

    def item(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self.node(value)
        else:
            self.out.append(_constant(value))

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, *, annotated: bool) -> None:
        self.out.append(f"{type(node).__name__} {node.name}(")
        arguments = node.args
        for name in ("posonlyargs", "args", "vararg", "kwonlyargs", "kwarg"):
            held = getattr(arguments, name)
            self.out.append(f"{name}=")
            for argument in held if isinstance(held, list) else [held]:
                if argument is not None:
                    self.node(argument, annotated=annotated)
                    self.out.append(",")
        for default in (*arguments.defaults, *arguments.kw_defaults):
            self.out.append("default=")
            self.item(_TOLD_APART["kw_defaults", True] if default is None else default)
        self.out.append(")")
        for decorator in node.decorator_list:
            self.decorator(decorator)
        if annotated and node.returns is not None:
            self.annotation(node.returns)
        around, self.around = self.around, node
        self.statements(node.body)
        self.around = around

    def decorator(self, node: ast.expr) -> None:
        """Of simcache's own decorator only what a person put into the key by hand counts."""
        if called(node) not in self.cached_names:
            self.out.append("@")
            self.node(node)
            return
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            if keyword.arg in ("version", "code", "packages"):
                self.out.append(f"@{keyword.arg}=")
                self.node(keyword.value)

    def annotation(self, node: ast.expr) -> None:
        """`"Result"` and `Result` are one annotation."""
        self.out.append(":")
        self.node(unquoted(node))

    def joined(self, node: ast.JoinedStr) -> None:
        """An f-string; Python versions cut its constant parts differently, so neighbours are joined first."""
        self.out.append("f(")
        pending = ""
        for part in node.values:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                pending += part.value
                continue
            if pending:
                self.out.append(_constant(pending))
                pending = ""
            if not isinstance(part, ast.FormattedValue):
                self.node(part)
                continue
            self.out.append(f"{{{part.conversion}")
            self.node(part.value)
            if isinstance(part.format_spec, ast.JoinedStr) and part.format_spec.values:
                self.node(part.format_spec)
            self.out.append("}")
        if pending:
            self.out.append(_constant(pending))
        self.out.append(")")

    def _blind(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        return all(is_blind(called(decorator), self.cached_names) for decorator in node.decorator_list)


def chain_of(node: ast.AST) -> str:
    """`a.b.c` for an attribute chain that begins with a name, else empty."""
    tail: list[str] = []
    while isinstance(node, ast.Attribute):
        tail.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(tail)]) if isinstance(node, ast.Name) else ""


def declares(node: ast.AST) -> TypeGuard[ast.AnnAssign]:
    """Whether a statement gives a name or attribute a hint and no value (`n: int`), which does nothing outside of a class body."""
    return isinstance(node, ast.AnnAssign) and node.value is None and bool(chain_of(node.target))


def _only_declared(function: ast.AST | None) -> set[str]:
    """The names that a function reads and does not bind, but declares: they are its own for that."""
    if not isinstance(function, FUNCTIONS):
        return set()
    bound = {node.arg for node in walk(function.args) if isinstance(node, ast.arg)}
    declared: set[str] = set()
    queue: list[ast.AST] = [*function.body]
    while queue:
        node = queue.pop()
        if declares(node):
            declared.add(chain_of(node.target))
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            queue.extend(children(node))
    return {node.id for node in walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)} & declared - bound


def called(node: ast.AST) -> str:
    """The chain of a decorator or call, with or without its arguments."""
    while isinstance(node, ast.Call):
        node = node.func
    return chain_of(node)


def method_name(method: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Under which name a method runs: `NAME=` is a property's setter."""
    setter = any(called(decorator).endswith(".setter") for decorator in method.decorator_list)
    return f"{method.name}=" if setter else method.name


def words(nodes: Iterable[ast.AST]) -> set[str]:
    """All names, attributes and texts in some trees."""
    return {word for node in nodes for inner in walk(node) for word in words_of(inner)}


def words_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def is_blind(chain: str, cached_names: frozenset[str]) -> bool:
    return chain in cached_names or chain.rpartition(".")[2] in _BLIND


def _constant(value: object) -> str:
    if isinstance(value, str):
        return f"s{len(value)}'{value}'"
    if isinstance(value, float):
        return f"f{value.hex()}"
    if isinstance(value, complex):
        return f"c{value.real.hex()},{value.imag.hex()}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"i{value:x}"
    if isinstance(value, bytes):
        return f"b{value.hex()}"
    return repr(value)  # None, True, False, Ellipsis


def _is_none(item: object) -> bool:
    return isinstance(item, ast.Constant) and item.value is None


def unquoted(node: ast.expr) -> ast.expr:
    """An annotation without quotes, also where a part of it stands in them: `list["Road"]` is `list[Road]`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return unquoted(ast.parse(node.value.strip(), mode="eval").body)
        except SyntaxError:
            return node
    if isinstance(node, ast.Subscript):
        return ast.Subscript(node.value, _unquoted_inside(chain_of(node.value).rpartition(".")[2], node.slice), node.ctx)
    if isinstance(node, ast.BinOp):
        return ast.BinOp(unquoted(node.left), node.op, unquoted(node.right))
    return node


def _unquoted_inside(generic: str, node: ast.expr) -> ast.expr:
    """What stands in the brackets: of `Literal` texts, of `Annotated` one type and then anything, of others types."""
    if generic == "Literal":
        return node
    if not isinstance(node, (ast.Tuple, ast.List)):
        return unquoted(node)
    types = 1 if generic == "Annotated" else len(node.elts)
    inside = [_unquoted_inside("", part) if isinstance(part, ast.List) else unquoted(part) for part in node.elts[:types]]
    return type(node)([*inside, *node.elts[types:]], node.ctx)

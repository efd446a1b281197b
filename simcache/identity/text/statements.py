"""What of a module's statements runs as it is loaded, and which of them come before anything that it keeps."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from simcache.identity.text.entry_points import loaded_to_make
from simcache.identity.text.link import link_to
from simcache.identity.text.normal import FUNCTIONS, called, chain_of
from simcache.identity.text.reach import Reach, bindings, imports
from simcache.identity.text.tree import children, walk


def flattened(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module; what only a type checker sees, or only a script does, stands among the others, one by one."""
    for statement in body:
        if isinstance(statement, ast.If) and not statement.orelse and (_is_for_types(statement.test) or _is_for_scripts(statement.test)):
            yield from flattened(statement.body)
        else:
            yield statement


def _is_for_types(test: ast.expr) -> bool:
    return chain_of(test).rpartition(".")[2] == "TYPE_CHECKING"


def _is_for_scripts(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
    return False


def setting_up(body: Iterable[ast.stmt], cached: Iterable[str]) -> set[int]:
    """The statements of a module that surely run before anything that it keeps is called: not those of a script's main part."""
    found = set()
    for statement in body:
        if isinstance(statement, ast.If) and _is_for_scripts(statement.test):
            continue
        if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)) and not {
            node.id for node in walk(statement) if isinstance(node, ast.Name)
        }.isdisjoint(cached):
            break
        found |= {id(inner) for inner in flattened([statement])}
    return found


def read_at_import(statement: ast.stmt) -> set[str]:
    return {
        node.id
        for part in (*at_import(statement), *made_with(statement))
        for node in walk(part)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def at_import(statement: ast.stmt) -> Iterator[ast.AST]:
    """The parts of a statement that run when the module is loaded."""
    if isinstance(statement, FUNCTIONS):
        yield from statement.args.defaults
        yield from (default for default in statement.args.kw_defaults if default is not None)
    elif isinstance(statement, ast.ClassDef):
        for inner in statement.body:
            yield from at_import(inner)
    else:
        yield statement


def made_with(statement: ast.stmt) -> Iterator[ast.expr]:
    """What a function or class is made with besides its body, as its module is loaded."""
    yield from getattr(statement, "decorator_list", ())
    if isinstance(statement, ast.ClassDef):
        yield from statement.bases
        yield from (keyword.value for keyword in statement.keywords)


def only_called(parts: Iterable[ast.stmt]) -> tuple[str, ...]:
    """The names of which statements do nothing but call them, and drop what they return; each with the functions that they decorate."""
    callees: dict[str, list[str]] = {}
    used = Counter[str]()
    for part in parts:
        match part:
            case ast.Expr(value=ast.Call(func=ast.Name(id=name) | ast.Call(func=ast.Name(id=name)))):
                callees.setdefault(name, []).append("")
            case ast.FunctionDef(name=function) | ast.AsyncFunctionDef(name=function):
                for decorator in part.decorator_list:
                    callees.setdefault(called(decorator), []).append(function)
        used.update(node.id for node in walk(part) if isinstance(node, ast.Name))
    alone = ((name, sorted(filter(None, ones))) for name, ones in sorted(callees.items()) if used[name] == len(ones))
    return tuple(" ".join([name, *functions]) for name, functions in alone if len({*functions}) == len(functions))


def only_loaded(node: ast.AST) -> Iterator[str]:
    """What functions import without asking anything of it, or have a library import, as links: only for what happens as it is loaded."""
    for function in walk(node):
        if isinstance(function, FUNCTIONS):
            inside = list(walk(function))
            outer = {name for one in inside if isinstance(one, (ast.Global, ast.Nonlocal)) for name in one.names}
            asked = _asked_in(inside) | outer
            for one in inside:
                yield from _asked_nothing(one, asked)
                yield from loaded_to_make(one) if isinstance(one, ast.Call) else ()


def loaded_by(body: Iterable[ast.stmt]) -> Iterator[str]:
    """What a module imports as it is loaded, as links."""
    for statement in body:
        for node in () if isinstance(statement, ast.If) and _is_for_types(statement.test) else at_once(statement):
            yield from _asked_nothing(node, set())


def _asked_in(nodes: Iterable[ast.AST]) -> set[str]:
    return {chain_of(one) for one in nodes if isinstance(one, (ast.Name, ast.Attribute)) and isinstance(one.ctx, ast.Load)}


def _asked_nothing(node: ast.AST, asked: set[str]) -> Iterator[str]:
    match node:
        case ast.Import(names=aliases):
            for alias in aliases:
                name = alias.asname or alias.name
                if not any(chain == name or chain.startswith(f"{name}.") for chain in asked):
                    yield link_to(0, alias.name)
        case ast.ImportFrom():
            yield from (link for name, link in imports(node) if name not in asked)
        case ast.Expr(value=ast.Call() as call) if called(call).rpartition(".")[2] == "import_module":
            reach = Reach()
            reach.note_import(call)
            yield from reach.reached


def calls_of(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    """What is reached by the calls in some expressions."""
    return reached_by(call for node in nodes for call in walk(node) if isinstance(call, ast.Call))


def reached_by(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    """What some expressions and statements reach."""
    reach = Reach()
    for node in nodes:
        reach.visit(node)
    return reach.found()


def at_once(statement: ast.AST) -> Iterator[ast.AST]:
    """All of a statement but what stands in functions, which run when they are called."""
    yield statement
    if not isinstance(statement, (*FUNCTIONS, ast.Lambda)):
        for part in children(statement):
            yield from at_once(part)


def bound_in(statement: ast.stmt) -> Iterator[tuple[list[ast.expr], ast.expr]]:
    """What is bound in a statement, but for a function or class, and to what."""
    for node in () if isinstance(statement, (*FUNCTIONS, ast.ClassDef)) else at_once(statement):
        yield from bound_by(node)


def bound_by(node: ast.AST) -> Iterator[tuple[list[ast.expr], ast.expr]]:
    """The same of one node, without what is in it."""
    if isinstance(node, ast.Assign):
        yield node.targets, node.value
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield [node.target], node.value
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        yield [node.target], node.iter
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield [node.optional_vars], node.context_expr


def is_bound_once(content: bytes, name: str) -> bool:
    """Whether one statement alone at the top of a file binds a name; others may change what it stands for."""
    times = 0
    for statement in ast.parse(content).body:
        names, _, stars = bindings([statement])
        times += name in names or (times > 0 and bool(stars))
    return times == 1

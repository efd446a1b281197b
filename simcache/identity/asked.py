"""What functions and methods ask of objects and set in them, by the names of attributes: so an object of options is told from one that works."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping

from simcache.identity.filled import filled
from simcache.identity.kinds import given_to
from simcache.identity.normal import FUNCTIONS, called
from simcache.identity.piece import MUTATORS
from simcache.identity.told import defaults_of, told
from simcache.identity.tree import children, walk
from simcache.identity.use import ALL, ANY, MAKERS, Use

_LISTS = frozenset(
    "asdict astuple attr.asdict attr.astuple attrs.asdict attrs.astuple dataclasses.asdict dataclasses.astuple dataclasses.replace replace vars".split()
)
"""Functions that ask for all attributes of an object."""
_DUMPS = frozenset({"model_copy", "model_dump", "model_dump_json"})
"""Methods that do, which a package gives to classes."""
_FIELDS = frozenset("Field attr.field attr.ib attrib attrs.field dataclasses.field field pydantic.Field".split())
_CONVERTS = frozenset("Path abs bool dict float frozenset int list max min round set sorted str tuple".split())


def uses_of(nodes: Iterable[ast.AST], fills: Mapping[str, Collection[int]], known: Mapping[str, object]) -> Iterator[Use]:
    """Of a class one for each method and one for its fields; of functions, and of the lambdas in anything else, one each."""
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            remembered = _remembered(node.body)
            yield Use(
                "", works_out=frozenset({*_fields_worked_out(node.body, known), *remembered}), makes=frozenset(_fields_made(node.body))
            )
            for method in node.body:
                if isinstance(method, FUNCTIONS):
                    setter = any(called(decorator).endswith(".setter") for decorator in method.decorator_list)
                    yield _use(method, f"{method.name}=" if setter else method.name, fills, known)
        elif isinstance(node, FUNCTIONS):
            yield _use(node, "", fills, known)
        else:
            yield from (_use(part, "", fills, known) for part in walk(node) if isinstance(part, ast.Lambda))


def is_made_of_told(parts: Iterable[ast.stmt], known: Mapping[str, object]) -> bool:
    """Whether a name is bound once, to what is called with nothing but values that the text tells, and its module sets no others in it."""
    statements = list(parts)
    bound = [part for part in statements if isinstance(part, (ast.Assign, ast.AnnAssign)) and _binds(part)]
    return len(bound) == 1 and isinstance(bound[0].value, ast.Call) and all(_sets_told(part, known) for part in statements)


def _sets_told(part: ast.stmt, known: Mapping[str, object]) -> bool:
    """Whether a statement makes or sets something with told values alone; what a call gives that is kept in it (`CFG.t = time()`) is none."""
    match part:
        case ast.Expr(value=ast.Call() as call):
            values = given_to(call)
        case ast.Assign(value=ast.Call() as call) | ast.AnnAssign(value=ast.Call() as call) if _binds(part):
            values = given_to(call)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) | ast.AugAssign(value=value):
            values = [value]
        case _:
            return False
    return all(told(value, known) for value in values)


def _binds(part: ast.Assign | ast.AnnAssign) -> bool:
    return all(isinstance(target, ast.Name) for target in (part.targets if isinstance(part, ast.Assign) else [part.target]))


def _use(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, name: str, fills: Mapping[str, Collection[int]], known: Mapping[str, object]
) -> Use:
    arguments = [*node.args.posonlyargs, *node.args.args]
    me = arguments[0].arg if name and arguments else ""
    inside = list(walk(node))
    made = me if name in MAKERS else ""
    asks: set[str] = set()
    stores: set[str] = set()
    for inner in inside:
        asks.update(_asked(inner, made))
        stores.update(_stored(inner, made))
    works_out = frozenset(_worked_out(node, me, known)) if name else frozenset[str]()
    if not made:
        return Use(name, frozenset(asks), frozenset(stores), frozenset(filled(node, fills)), works_out)
    fill = filled(node, fills, but=made)
    return Use(name, frozenset(asks), frozenset(stores), frozenset(fill), works_out, frozenset(_made(node, me, known)))


def _asked(node: ast.AST, made: str) -> Iterator[str]:
    """The attributes and methods that are asked for; of the instance that is being made none."""
    match node:
        case ast.Attribute(value=ast.Name(id=name)) if name == made:
            return
        case ast.Attribute(attr=name, ctx=ast.Load()):
            yield name
        case ast.Attribute(attr=name):
            yield f"{name}="
        case ast.Subscript(ctx=ast.Store() | ast.Del()):
            yield "__setitem__"
        case ast.MatchClass(kwd_attrs=names):
            yield from names
        case ast.Call(func=ast.Attribute(attr=name)) if name in _DUMPS:
            yield ALL
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
            yield name
        case ast.Call(func=ast.Name(id="getattr")):
            yield ANY
    if isinstance(node, ast.Call) and called(node) in _LISTS:
        yield ALL


def _stored(node: ast.AST, made: str) -> Iterator[str]:
    match node:
        case ast.Attribute(value=ast.Name(id=name)) if name == made:
            return
        case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[ast.Name(id=name), *_]) if name == made:
            return
        case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[_, ast.Constant(value=str(name)), *_]):
            yield name
        case ast.Call(func=ast.Name(id="setattr" | "delattr" | "vars")) | ast.Attribute(attr="__dict__" | "__setattr__"):
            yield ANY


def _worked_out(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, me: str, known: Mapping[str, object]) -> Iterator[str]:
    """The attributes that a method sets, or whose objects it changes, to more than it is given."""
    given = _given(node, me, known)
    for inner in walk(node):
        match inner:
            case ast.Assign(targets=targets, value=value):
                is_given = _is_given(value, given, known)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                targets, is_given = [target], _is_given(value, given, known)
            case ast.AugAssign(target=target) | ast.For(target=target) | ast.AsyncFor(target=target):
                targets, is_given = [target], False
            case ast.withitem(optional_vars=ast.expr() as target):
                targets, is_given = [target], False
            case ast.Call(func=ast.Name(id="setattr") | ast.Attribute(attr="__setattr__"), args=[*_, ast.Constant(value=str(name)), value]):
                if not _is_given(value, given, known):
                    yield name
                continue
            case ast.Call(func=ast.Attribute(attr="update", value=of), keywords=words) if _is_dict_of_object(of):
                yield from (word.arg for word in words if word.arg and not _is_given(word.value, given, known))
                continue
            case ast.Call(func=ast.Attribute(attr=method, value=of)) as call if method in MUTATORS:
                targets, is_given = [of], all(_is_given(one, given, known) for one in given_to(call))
            case _:
                continue
        if not is_given:
            yield from (
                part.slice.value
                for part in targets
                if isinstance(part, ast.Subscript)
                and _is_dict_of_object(part.value)
                and isinstance(part.slice, ast.Constant)
                and isinstance(part.slice.value, str)
            )
            yield from (part.attr for target in targets for part in walk(target) if isinstance(part, ast.Attribute))


def _is_dict_of_object(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == ALL) or (isinstance(node, ast.Call) and called(node) == "vars")


def _made(node: ast.AST, me: str, known: Mapping[str, object]) -> Iterator[str]:
    """The attributes of a new instance that are made by a call with nothing but what is given."""
    if not isinstance(node, FUNCTIONS):
        return
    given = _given(node, me, known)
    for inner in walk(node):
        match inner:
            case (
                ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Call(func=ast.Name()) as call)
                | ast.AnnAssign(target=ast.Attribute(attr=name), value=ast.Call(func=ast.Name()) as call)
            ) if all(_is_given(part, given, known) for part in given_to(call)):
                yield name


def _fields_made(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The fields of a class that are made with each instance: `sim: Sim = field(default_factory=Sim)`."""
    for statement in body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(args=[], keywords=[ast.keyword(value=ast.Name())]) as call):
                if called(call) in _FIELDS:
                    yield name
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=ast.Name(), args=[], keywords=[])):
                yield name


def _given(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, me: str, known: Mapping[str, object]) -> set[str]:
    """The arguments of a method and what loops take from them, but for those with a default which the text does not tell, and those bound to more."""
    every = node.args
    untold = {argument.arg for argument, default in defaults_of(every) if told(default, known) is None}
    names = {
        argument.arg for argument in (*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg) if argument is not None
    }
    given = names - untold - {me}
    inside = list(walk(node))
    for inner in inside:
        if isinstance(inner, (ast.For, ast.comprehension)) and _is_given(inner.iter, given, known):
            given |= _names_in(inner.target)
    while more := {name for inner in inside for name in _bound_to_more(inner, given, known)} & given:
        given -= more
    return given


def _bound_to_more(node: ast.AST, given: Collection[str], known: Mapping[str, object]) -> set[str]:
    """The variables that are bound here to what is not given: `if name is None: name = os.getpid()`."""
    match node:
        case ast.Assign(targets=targets, value=value) if not _is_given(value, given, known):
            return set().union(*map(_names_in, targets))
        case (
            ast.AnnAssign(target=target, value=ast.expr() as value)
            | ast.NamedExpr(target=target, value=value)
            | ast.AugAssign(target=target, value=value)
        ) if not _is_given(value, given, known):
            return _names_in(target)
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value) if not _is_given(value, given, known):
            return _names_in(target)
        case ast.withitem(optional_vars=ast.expr() as target):
            return _names_in(target)
    return set()


def _names_in(target: ast.AST) -> set[str]:
    """The variables that are bound to what is assigned here; an object whose attribute is set keeps its name."""
    return {part.id for part in walk(target) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def _is_given(node: ast.expr, given: Collection[str], known: Mapping[str, object]) -> bool:
    """Whether a value is nothing but what is given: arguments, constants, and what is made of them without looking elsewhere."""
    match node:
        case ast.Name(id=name):
            return name in given or name in known
        case ast.Constant():
            return True
        case ast.Call(func=ast.Name(id=name)) as call:
            return name in _CONVERTS and all(_is_given(part, given, known) for part in given_to(call))
        case ast.Call(func=ast.Attribute(value=of, attr="items" | "keys" | "values" | "copy" | "get"), args=args):
            return all(_is_given(part, given, known) for part in (of, *args))
        case ast.Attribute(value=of):
            return _is_given(of, given, known)
        case ast.Tuple() | ast.List() | ast.Set() | ast.Dict() | ast.Subscript() | ast.BinOp() | ast.UnaryOp() | ast.IfExp() | ast.BoolOp():
            return all(_is_given(part, given, known) for part in children(node) if isinstance(part, ast.expr))
        case ast.Compare() | ast.Starred() | ast.JoinedStr() | ast.FormattedValue():
            return all(_is_given(part, given, known) for part in children(node) if isinstance(part, ast.expr))
    return False


def _fields_worked_out(body: Iterable[ast.stmt], known: Mapping[str, object]) -> Iterator[str]:
    """The fields of a class whose default the text does not tell."""
    for statement in body:
        match statement:
            case (
                ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
                | ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
            ) if called(call) in _FIELDS:
                if not all(_is_given(part, _CONVERTS, known) for part in given_to(call)):
                    yield name
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if told(value, known) is None:
                yield name


def _remembered(body: Iterable[ast.stmt]) -> Iterator[str]:
    """What cached properties leave in an instance as soon as somebody asks for it."""
    for method in body:
        if isinstance(method, FUNCTIONS) and is_remembered(method):
            yield method.name


def is_remembered(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is a cached property."""
    return any(called(decorator).rpartition(".")[2] == "cached_property" for decorator in method.decorator_list)

"""What functions and methods ask of objects and set in them, by the names of attributes: so an object of options is told from one that works."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping

from simcache.identity.text.filled import filled
from simcache.identity.text.given import Given, Helpers, bound_to, is_default, is_dict_of_object, made, worked_out
from simcache.identity.text.kinds import given_to
from simcache.identity.text.normal import FUNCTIONS, called, method_name
from simcache.identity.text.piece import MUTATORS
from simcache.identity.text.told import Function, told
from simcache.identity.text.tree import children, walk
from simcache.identity.text.use import ALL, ANY, CALLS, ITEMS, MAKERS, OWN, Use
from simcache.named_tuple import NamedTuple

_LISTS = frozenset(
    "asdict astuple attr.asdict attr.astuple attrs.asdict attrs.astuple dataclasses.asdict dataclasses.astuple dataclasses.replace replace vars".split()
)
"""Functions that ask for all attributes of an object."""
_DUMPS = frozenset({"model_copy", "model_dump", "model_dump_json"})
"""Methods that do, which a package gives to classes."""
_FIELDS = frozenset("Field attr.field attr.ib attrib attrs.field dataclasses.field field pydantic.Field".split())
_READ = frozenset(
    "abs bool dict float format frozenset hash int isinstance json.dumps len list max min print repr round set sorted str sum tuple".split()
)
"""Functions that neither call nor change what they are given."""
_FRESH = frozenset("Counter OrderedDict defaultdict deque dict list set sorted str".split())
"""What gives an object of Python's own that nobody else has."""
_DISPLAYS = (ast.Constant, ast.Dict, ast.DictComp, ast.GeneratorExp, ast.JoinedStr, ast.List, ast.ListComp, ast.Set, ast.SetComp, ast.Tuple)


class Known(NamedTuple):
    """What is known of a module while its functions are looked at."""

    fills: Mapping[str, Collection[int]]
    """Of its functions, which of their arguments they change in place."""
    told: Mapping[str, object]
    """The values of its names that the text tells."""
    modules: Collection[str]
    """Its names that are modules."""
    helpers: Helpers


def uses_of(nodes: Iterable[ast.AST], known: Known) -> Iterator[Use]:
    """Of a class one for each method and one for its fields; of functions, and of the lambdas in anything else, one each."""
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            remembered = _remembered(node.body)
            yield Use(
                "", works_out=frozenset({*_fields_worked_out(node.body, known.told), *remembered}), makes=frozenset(_fields_made(node.body))
            )
            for inner in walk(node):
                if isinstance(inner, ast.ClassDef):
                    yield from (_use(method, method_name(method), known, inner) for method in inner.body if isinstance(method, FUNCTIONS))
        elif isinstance(node, FUNCTIONS):
            yield _use(node, "", known)
        else:
            yield from (_use(part, "", known) for part in walk(node) if isinstance(part, ast.Lambda))
            yield Use("", asks=frozenset(_handed_on(node, known.modules)))


def _handed_on(statement: ast.AST, modules: Collection[str]) -> Iterator[str]:
    """The attributes that a statement at the top of a module asks for and does not call: who gets a method may call it later (`ON = [LOG.note]`)."""
    asked = {id(node.func) for node in walk(statement) if isinstance(node, ast.Call)}
    for node in walk(statement):
        match node:
            case ast.Attribute(value=ast.Name(id=name)) if name in modules:
                continue
            case ast.Attribute(attr=name, ctx=ast.Load()) if id(node) not in asked:
                yield name


def is_made_of_told(name: str, parts: Iterable[ast.stmt], known: Mapping[str, object]) -> bool:
    """Whether a name is bound once, to what is called with nothing but values that the text tells, and its module sets no others in it.

    Who is given it (`RUN = Runner(CFG)`) may do so, but hardly does.
    """
    statements = list(parts)
    bound = [part for part in statements if isinstance(part, (ast.Assign, ast.AnnAssign)) and name in _bound_by(part)]
    others = [part for part in statements if part not in bound]
    told_ones = [part for part in bound if part.value is not None and _is_made(part.value, known)]
    return len(bound) == len(told_ones) == 1 and all(_sets_told(part, name, known) for part in others)


def _is_made(value: ast.expr, known: Mapping[str, object]) -> bool:
    """Whether something is made by a call with told values, or holds what is."""
    match value:
        case ast.Call():
            return all(told(part, known) or _makes_one(part, known) for part in given_to(value))
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Dict(values=parts):
            return bool(parts) and all(_is_made(part, known) for part in parts)
    return False


def _makes_one(value: ast.expr, known: Mapping[str, object]) -> bool:
    """Whether this is an instance that is made on the way: `Config(sim=Sim(dt=1))`."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id[:1].isupper() and _is_made(value, known)


def _sets_told(part: ast.stmt, name: str, known: Mapping[str, object]) -> bool:
    """Whether a statement sets something with told values alone; what a call gives that is kept in it (`CFG.t = time()`) is none."""
    match part:
        case ast.Expr(value=ast.Call() as call):
            values = given_to(call)
        case ast.Assign(value=ast.Call() as call) | ast.AnnAssign(value=ast.Call() as call) if _bound_by(part):
            values = given_to(call)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) | ast.AugAssign(value=value):
            values = [value]
        case _:
            return False
    return all(told(value, known) or (isinstance(value, ast.Name) and value.id == name) for value in values)


def _bound_by(part: ast.Assign | ast.AnnAssign) -> set[str]:
    """The names that a statement binds, if it does nothing else."""
    targets = part.targets if isinstance(part, ast.Assign) else [part.target]
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    return names if len(names) == len(targets) else set()


def _use(method: Function, name: str, known: Known, around: ast.ClassDef | None = None) -> Use:
    """Of one function, or method of the class around it: what a method does with its own instance is told apart, and while that is made does not count at all."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    me = arguments[0].arg if name and arguments else ""
    look = _Look(method, me, known.modules, making=name in MAKERS)
    use = Use(name, frozenset(look.asks()), frozenset(look.stores()), frozenset(filled(method, known.fills, me=me)))
    if not name:
        return use
    given = Given.to(method, me, known.helpers, around)
    use = use._replace(works_out=frozenset(worked_out(method, given)))
    if name not in MAKERS:
        return use
    others = frozenset(one for one in use.fills if not one.startswith(OWN))
    return use._replace(fills=others, makes=frozenset(made(method, given)))


class _Look:
    """Looks at what one function or method does with the attributes of objects."""

    def __init__(self, method: Function, me: str, modules: Collection[str], *, making: bool) -> None:
        self.me = me
        self.making = making
        self.inside = list(walk(method))
        self.around = {id(part): node for node in self.inside for part in children(node)}
        """What each part is a part of."""
        self.called = {node.func.id for node in self.inside if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        bound: dict[str, list[ast.expr]] = {}
        for names, value in (found for node in self.inside for found in bound_to(node)):
            for one in names:
                bound.setdefault(one, []).append(value)
        arguments = {node.arg for node in self.inside if isinstance(node, ast.arg)}
        fresh = {name for name, values in bound.items() if all(map(_is_fresh, values))}
        self.others = (fresh | {*modules} - bound.keys()) - arguments
        """Variables that are no instances: modules, and what the function has just made of Python's own."""
        self.new = {name for name, values in bound.items() if all(map(_is_instance, values))} - arguments
        """Variables of instances that the function has just made, so that nobody else has them."""

    def asks(self) -> Iterator[str]:
        """The attributes and methods that are asked for."""
        for node in self.inside:
            match node:
                case ast.Attribute(value=of, attr=name):
                    yield from self._of(of, name if isinstance(node.ctx, ast.Load) else f"{name}=")
                    if name in _DUMPS or name == ALL:
                        yield ALL
                case ast.Subscript(value=of, ctx=ast.Store() | ast.Del()):
                    yield from self._of(of, "__setitem__")
                case ast.MatchClass(kwd_attrs=names):
                    yield from names
                case ast.Call(func=ast.Name(id="getattr"), args=[of, name, *_]):
                    yield from self._of(of, _text_of(name, CALLS if self._may_be_called(node) else ANY))
                case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[of, name, *_]):
                    yield from self._of(of, f"{_text_of(name, ANY)}=")
            if isinstance(node, ast.Call) and called(node) in _LISTS:
                yield ALL

    def stores(self) -> Iterator[str]:
        """The attributes that are set; of an instance's own items, that they are."""
        for node in self.inside:
            match node:
                case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()) if name in self.new:
                    continue
                case ast.Attribute(value=of, attr=name, ctx=ast.Store() | ast.Del()):
                    yield from self._of(of, ANY if name == ALL else name)
                case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[of, name, *_]):
                    yield from self._of(of, _text_of(name, ANY))
                case ast.Call(func=ast.Attribute(attr="__setattr__"), args=[of, name, _]):  # object.__setattr__(self, "dt", 1)
                    yield from self._of(of, _text_of(name, ANY))
                case ast.Call(func=ast.Attribute(value=of, attr="__setattr__"), args=[name, _]):
                    yield from self._of(of, _text_of(name, ANY))
                case ast.Subscript(value=of, ctx=ast.Store() | ast.Del()) if self._is_me(of):
                    yield f"{OWN}{ITEMS}"
                case ast.Call(func=ast.Attribute(value=of, attr=name), args=args) if name in MUTATORS:
                    if self._is_me(of) or any(map(self._is_me, args[:1])):  # dict.update(self, …)
                        yield f"{OWN}{ITEMS}"
            if isinstance(node, (ast.Attribute, ast.Call)) and is_dict_of_object(node) and self._may_be_changed(node):
                yield from (name for of in (node.args if isinstance(node, ast.Call) else [node.value]) for name in self._of(of, ANY))

    def _is_me(self, node: ast.AST) -> bool:
        """Whether this is the instance whose method this is, while it is not being made."""
        me = isinstance(node, ast.Name) and node.id == self.me != ""
        return (me or (isinstance(node, ast.Call) and called(node) == "super")) and not self.making

    def _of(self, node: ast.AST, name: str) -> Iterator[str]:
        """What is asked of an object, or set in it, as far as it may be one of options."""
        if self._is_me(node):
            yield f"{OWN}{name}"
        elif isinstance(node, ast.Name):
            if node.id not in self.others and not (self.making and node.id == self.me):
                yield name
        elif not _is_fresh(node):
            yield name

    def _may_be_called(self, node: ast.AST) -> bool:
        """Whether what is asked for by a computed name may be a method, and run."""
        match self.around.get(id(node)):
            case ast.Call() as call:
                return call.func is node or called(call) not in _READ
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.NamedExpr(target=ast.Name(id=name)):
                return name in self.called
            case ast.Return() | ast.Yield():
                return True
        return False

    def _may_be_changed(self, node: ast.AST) -> bool:
        """Whether all attributes of an object, as a dict, may be set through it."""
        match self.around.get(id(node)):
            case ast.Subscript(ctx=ctx):
                return not isinstance(ctx, ast.Load)
            case ast.Attribute(attr=name):
                return name in MUTATORS
            case ast.Call() as call:
                return called(call) not in _READ
            case ast.keyword(arg=None) | ast.Dict() | ast.For() | ast.comprehension() | ast.Compare() | ast.FormattedValue():
                return False
        return True


def _is_fresh(node: ast.AST) -> bool:
    return isinstance(node, _DISPLAYS) or (isinstance(node, ast.Call) and called(node) in _FRESH)


def _is_instance(node: ast.AST) -> bool:
    """Whether it is made by calling a class, as far as its name tells."""
    return isinstance(node, ast.Call) and called(node).rpartition(".")[2][:1].isupper()


def _text_of(name: ast.expr, computed: str) -> str:
    """The name of an attribute that is given as a text; how it begins and `*` where it is computed."""
    match name:
        case ast.Constant(value=str(text)) if text.isidentifier():
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) | ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Add()) if (
            text.isidentifier()
        ):
            return f"{text}{computed}"
    return computed


def _fields_made(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The fields of a class that are made with each instance: `sim: Sim = field(default_factory=Sim)`."""
    for statement in body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(args=[], keywords=[ast.keyword(value=ast.Name())]) as call):
                if called(call) in _FIELDS:
                    yield name
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=ast.Name(), args=[], keywords=[])):
                yield name


def _fields_worked_out(body: Iterable[ast.stmt], known: Mapping[str, object]) -> Iterator[str]:
    """The fields of a class whose default the text does not tell."""
    for statement in body:
        match statement:
            case (
                ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
                | ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
            ) if called(call) in _FIELDS:
                if not all(is_default(part, known) for part in given_to(call)):
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

"""What each name of a source file is made of: a digest of its meaning, and the other names it reaches."""

import ast
import contextlib
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

from simcache.identity.text.asked import Known, is_made_of_told, is_remembered, uses_of
from simcache.identity.text.effects import Effects
from simcache.identity.text.elsewhere import set_elsewhere
from simcache.identity.text.entry_points import ALL_CODE, registered_among
from simcache.identity.text.filled import filled_by_method
from simcache.identity.text.given import Helpers
from simcache.identity.text.hints import reads_annotations
from simcache.identity.text.kinds import Kinds
from simcache.identity.text.library import LibraryState
from simcache.identity.text.link import further, is_link, is_of_module, link_to
from simcache.identity.text.normal import FUNCTIONS, Normal, called, chain_of, declares, is_blind, unquoted, words
from simcache.identity.text.outline import outlined
from simcache.identity.text.piece import PLACES, Piece, Summary, digest_of
from simcache.identity.text.reach import Reach, Scope, bindings, changed_arguments, imports, is_text
from simcache.identity.text.reading import Reading
from simcache.identity.text.statements import (
    at_import,
    calls_of,
    flattened,
    made_with,
    only_called,
    only_loaded,
    reached_by,
    read_at_import,
    setting_up,
)
from simcache.identity.text.told import class_constants, default_constants, told
from simcache.identity.text.tree import children, forget, walk
from simcache.identity.text.use import MAKERS

_OF_METHODS = frozenset("abstractmethod abc.abstractmethod classmethod property staticmethod".split())
_NESTS = 6000
"""Calls within calls while a text is read."""


def summarise(text: str | bytes) -> Summary:
    """Read a source file. SyntaxError where this Python cannot."""
    try:
        with _room_to_nest():
            return _Reader(ast.parse(text)).summary()
    finally:
        forget()


@contextlib.contextmanager
def _room_to_nest() -> Iterator[None]:
    """A sum of five hundred terms nests as deep, and Python's compiler takes it."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _NESTS))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


class _Reader:
    """Takes a module apart, statement by statement, and puts it together again name by name."""

    def __init__(self, tree: ast.Module) -> None:
        self.statements = list(_without_declarations(list(flattened(tree.body))))
        self.tree = tree
        self.cached_names = _cached_names(self.statements)
        self.normal = Normal(self.cached_names)
        # What a cached function changes as it runs (a log, a counter) is no part of how anything is made.
        plain = [node for node in self.statements if isinstance(node, FUNCTIONS) and not self._is_cached(node)]
        self.fills = {node.name: _filled_by(node) for node in plain}
        changed = {node: _changes_of(node, self.fills) for node in self.statements if isinstance(node, (*FUNCTIONS, ast.ClassDef))}
        self.changes = {node.name: changed[node] for node in plain}
        self.changers = {node.name: names for node, names in changed.items()}
        self.reading = Reading(plain)
        cached = {node.name for node in self.statements if isinstance(node, FUNCTIONS) and self._is_cached(node)}
        self.setting_up = setting_up(tree.body, cached)
        self.told: dict[str, object] = {}
        """Values that the text alone tells, as far as the statements are sorted in."""
        self.read: dict[int, dict[str, int]] = {}
        """Which names a statement reads as the module is loaded, and how many statements had made each until then."""
        self.parts: dict[str, list[ast.stmt]] = {}
        self.links: dict[str, tuple[str, ...]] = {}
        self.effects = Effects(self.links)
        self.classes = {node.name for node in self.statements if isinstance(node, ast.ClassDef)}
        self.code = {node.name: node for node in self.statements if isinstance(node, (*FUNCTIONS, ast.ClassDef))}
        self.kinds = Kinds(self.effects.asks, self.effects.is_pure)
        self.libraries = LibraryState(self.links)
        self.setups: dict[str, list[ast.stmt]] = {}
        """By imported name the statements that may set something of what it stands for."""
        self.stars: list[str] = []

    def summary(self) -> Summary:
        for statement in self.statements:
            self._sort_in(statement)
        self.reading.know_imports(self.links)
        names = {name: self._piece(name, parts) for name, parts in self.parts.items()}
        for name in self.links.keys() - names.keys():
            names[name] = Piece("import", links=self.links[name])
        reads = any(piece.reads_annotations for piece in names.values())
        texts = sorted(self.normal.text(statement, annotated=reads) for statement in self.statements if not is_text(statement))
        # Sorted, so that functions may change places; what several statements make also depends on their order.
        texts += [f"{name} {names[name].digest}" for name, parts in sorted(self.parts.items()) if len(parts) > 1]
        known = self._give_values(names)
        self._give_attributes(names)
        exports = known.get("__all__")
        listed = tuple(map(str, exports)) if isinstance(exports, (list, tuple)) else None
        nested = self._nested()
        taken = {*self.stars, *_taken(names, [*names.values(), *nested.values()])}
        settings = {f"state of {name}": parts for name, parts in self.libraries.settings().items()}
        settings |= {f"setup of {name}": parts for name, parts in self.setups.items()}
        for function, set_there in self.libraries.inside.items():
            settings |= {f"state of {name} in {function}": parts for name, parts in set_there.items()}
        libraries = {made: piece for name, parts in sorted(settings.items()) for made, piece in self._setting(name, parts)}
        outline = outlined(self.tree.body, self.libraries)
        whole = digest_of(*texts)
        return Summary(dict(sorted(names.items())), nested, tuple(self.stars), listed, whole, tuple(sorted(taken)), libraries, outline)

    @functools.cached_property
    def known(self) -> Known:
        """What the whole module tells, once its statements are sorted in."""
        modules = {name for name, links in self.links.items() if all(map(is_of_module, links))}
        changed = set().union(*self.changers.values())
        constants = {name: value for name, value in self.told.items() if name not in changed}
        return Known(self.fills, self.told, modules, Helpers(self.code, constants))

    def _is_cached(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        return any(called(decorator) in self.cached_names for decorator in node.decorator_list)

    def _sort_in(self, statement: ast.stmt) -> None:
        if is_text(statement):
            return
        bound, links, stars = bindings([statement])
        self.stars.extend(stars)
        for name, link in links.items():
            self.links[name] = (*self.links.get(name, ()), *link)
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            return
        self.read[id(statement)] = {name: len(self.parts[name]) for name in read_at_import(statement) if name in self.parts}
        self.effects.note(statement)
        self.kinds.note(statement)
        self.libraries.note(statement)
        set_by = self._set_by(statement)
        set_here = {name for name in set_by if name in self.parts and not self._is_data(name)}
        for name in bound | self._touched(statement, bound) | set_here:
            self.parts.setdefault(name, []).append(statement)
            self.told.pop(name, None)
        for name in set_by & _imported_only(self.links, self.parts):
            if not all(map(is_of_module, self.links[name])):
                self.setups.setdefault(name, []).append(statement)
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=expression)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as expression)
            ) if len(self.parts[name]) == 1 and (found := told(expression, self.told)) is not None:
                self.told[name] = found[0]

    def _touched(self, statement: ast.stmt, bound: frozenset[str]) -> set[str]:
        """Names that a statement at module level changes without binding them."""
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            chains = [called(decorator) for decorator in statement.decorator_list]
            touched = mutated = {chain.partition(".")[0] for chain in chains if "." in chain}
        else:
            chains = [called(node) for node in walk(statement) if isinstance(node, ast.Call)]
            reach = Reach()
            reach.visit(statement)
            touched, mutated = reach.changed, reach.mutated
        if id(statement) in self.setting_up:  # what a script's main part sets is known by its value
            touched = touched.union(*(self.changes.get(chain, ()) for chain in chains))
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id=function), args=given)):
                filled = (given[index] for index in self.fills.get(function, ()) if index < len(given))
                touched |= {argument.id for argument in filled if isinstance(argument, ast.Name)}
        known = {name for name in touched if name not in _imported_only(self.links, self.parts)}
        return known | {name for name in self._moreover(statement, mutated | touched - bound) if self._is_data(name)}

    def _set_by(self, statement: ast.stmt) -> set[str]:
        """The classes, functions and imported names of which it may set something, also under another name or by handing them to somebody."""
        if id(statement) not in self.setting_up:
            return set()
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):  # `@BUS.on("tick")`
            return {root for root, dot, _ in (called(decorator).partition(".") for decorator in statement.decorator_list) if dot}
        return self.kinds.set_by(statement, self.classes, self.fills)

    def _moreover(self, statement: ast.stmt, touched: set[str]) -> set[str]:
        """What it changes under another name, or by handing it to somebody; a value that the text tells is compared with the loaded one."""
        if id(statement) not in self.setting_up:
            return set()
        handed = {name for name in self.effects.handed(statement) if name in self.parts and name not in self.told}
        handed -= self.effects.fixed
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            return handed
        taken = {name for name in touched if any(not is_of_module(link) for link in self.links.get(name, ()))}
        return taken | {name for name in self.effects.all_of(touched) if name in self.parts} | handed

    def _is_data(self, name: str) -> bool:
        made = self.parts.get(name, ())
        return bool(made or name in self.links) and not any(
            isinstance(part, (*FUNCTIONS, ast.ClassDef)) and part.name == name for part in made
        )

    def _piece(self, name: str, parts: list[ast.stmt]) -> Piece:
        last = next((part for part in reversed(parts) if isinstance(part, (*FUNCTIONS, ast.ClassDef)) and part.name == name), None)
        kind = "data" if last is None else "class" if isinstance(last, ast.ClassDef) else "def"
        changed_by = tuple(sorted(changer for changer, changed in self.changers.items() if name in changed))
        of_told = last is None and is_made_of_told(name, parts, self.told)
        described = self._described(kind, parts, last)
        return described._replace(
            links=self.links.get(name, ()), state=bool(changed_by) and kind != "class", changed_by=changed_by, of_told=of_told
        )

    def _described(self, kind: str, parts: list[ast.stmt], last: ast.stmt | None, scopes: tuple[Scope, ...] = ()) -> Piece:
        plain = self._digest_and_reach(parts, scopes, annotated=False)
        inside = words(parts)
        piece = Piece(
            kind,
            plain[0],
            plain[1],
            changes=plain[2],
            simple=len(parts) == 1,
            reads_annotations=reads_annotations(parts, inside, last),
            asks_subclasses="__subclasses__" in inside,
            reads_outside=any(self.reading.has(run) for part in parts for run in self._at_import(part)),
            chosen=last is None and any(isinstance(inner, FUNCTIONS) for part in parts for inner in walk(part)),
            reads=last is not None and any(map(self.reading.may, parts)),
            made_by=() if last is None else calls_of(self._at_import(last)),
            made_of=() if last is None else self._made_of(last, plain[1]),
            sets=() if last is None else set_elsewhere(last),
            filled=() if last is None else tuple(sorted(set(filled_by_method(last, self.fills)))),
            only_called=only_called(parts),
            loads=() if last is None else tuple(sorted(set(only_loaded(last)))),
            uses=tuple(sorted({use.row() for use in uses_of(parts if last is None else [last], self.known) if any(use)})),
        )
        if isinstance(last, FUNCTIONS):
            annotated = self._digest_and_reach(parts, scopes, annotated=True)
            returns = self._returns(last, scopes)
            chains = [called(decorator) for decorator in last.decorator_list]
            unknown = tuple(chain for chain in chains if not is_blind(chain, self.cached_names))
            piece = piece._replace(
                annotated=annotated[0],
                annotated_reaches=annotated[1],
                returns=returns[0],
                returns_reaches=returns[1],
                decorators=unknown,
                cached=any(chain in self.cached_names for chain in chains),
                packages=tuple(self._packages(last)),
                bare=not last.decorator_list,
            )
        if isinstance(last, ast.ClassDef):
            decorators = tuple(called(decorator) for decorator in last.decorator_list)
            piece = piece._replace(decorators=decorators, changes_itself=any(map(_changes_its_instance, last.body)))
            piece = piece._replace(bare_methods=tuple(sorted(_bare_methods(last))))
            behaviour = self._digest_and_reach([_without_fields(last)], scopes, annotated=False)
            piece = piece._replace(behaviour=behaviour[0], behaviour_reaches=behaviour[1])
        return piece

    def _setting(self, name: str, parts: list[ast.stmt]) -> Iterator[tuple[str, Piece]]:
        """What statements set elsewhere, and apart from it what they register there by its place alone: whoever looks it up finds it."""
        piece = self._described("library", parts, None)
        read = [self.told[root] for reach in piece.reaches if (root := reach.partition(".")[0]) in self.told]
        places = {*registered_among(parts, read)}
        if ALL_CODE in places:
            places = {*(places - {ALL_CODE}), *self.code}
        yield name, piece._replace(reaches=tuple(reach for reach in piece.reaches if reach not in places))
        if places:
            yield f"{PLACES}{name}", Piece("library", digest_of(*sorted(places)), tuple(sorted(places)))

    def _at_import(self, statement: ast.stmt) -> Iterator[ast.AST]:
        """What of a statement runs as the module is loaded, but for simcache's own decorator."""
        yield from at_import(statement)
        yield from (part for part in made_with(statement) if called(part) not in self.cached_names)

    def _made_of(self, statement: ast.stmt, reaches: Iterable[str]) -> tuple[str, ...]:
        """Which of its reaches give it something for good; base classes do not: what they call, they look up as they run."""
        bases = getattr(statement, "bases", [])
        found = reached_by(run for run in self._at_import(statement) if run not in bases)
        return tuple(reach for reach in reaches if reach in found)

    def _digest_and_reach(
        self, parts: list[ast.stmt], scopes: tuple[Scope, ...], *, annotated: bool
    ) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        reach = Reach(scopes)
        for part in parts:
            tree = _without_cached(part, self.cached_names)
            if isinstance(tree, FUNCTIONS):
                reach.function(tree, annotated=annotated)
            else:
                reach.visit(tree)
        digest = digest_of(*(self.normal.text(part, annotated=annotated) for part in parts), *self._between(parts))
        perhaps = (chain for chain in reach.perhaps if (root := chain.partition(".")[0]) in self.parts or root in self.links)
        return digest, tuple(sorted({*reach.reached, *perhaps})), tuple(sorted(reach.changed))

    def _between(self, parts: list[ast.stmt]) -> Iterator[str]:
        """Which names are read as the module is loaded before all is done that makes them, and after how much of it."""
        for part in parts:
            for name, made in sorted(self.read.get(id(part), {}).items()):
                if made < len(self.parts[name]) and not any(part is other for other in self.parts[name]):
                    yield f"{name} {made}"

    def _returns(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scopes: tuple[Scope, ...]) -> tuple[str, tuple[str, ...]]:
        if node.returns is None:
            return "", ()
        annotation = unquoted(node.returns)
        reach = Reach(scopes)
        reach.visit(annotation)
        return digest_of(self.normal.text(annotation)), reach.found()

    def _packages(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
        for decorator in node.decorator_list:
            if called(decorator) in self.cached_names and isinstance(decorator, ast.Call):
                for keyword in decorator.keywords:
                    if keyword.arg == "code":
                        yield from (
                            item.value for item in walk(keyword.value) if isinstance(item, ast.Constant) and isinstance(item.value, str)
                        )

    def _nested(self) -> dict[str, Piece]:
        """Every function or class inside a function, and every lambda; those of one name stand together."""
        found: dict[str, list[Piece]] = {}
        for name, node, scopes in _inner(self.tree.body, "", ()):
            if isinstance(node, ast.Lambda):
                piece = self._described("def", [ast.Expr(node)], None, scopes)
            else:
                piece = self._described("class" if isinstance(node, ast.ClassDef) else "def", [node], node, scopes)
            found.setdefault(name, []).append(piece)
        return {name: pieces[0] if len(pieces) == 1 else _together(pieces) for name, pieces in sorted(found.items())}

    def _give_values(self, names: dict[str, Piece]) -> dict[str, object]:
        """Note the digest of the value itself for constants that the text alone tells; the values."""
        known: dict[str, object] = {}
        for statement in self.statements:
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=expression)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as expression)
                ):
                    if len(self.parts[name]) > 1 or name in self.links:
                        continue
                    if (found := told(expression, known)) is not None:
                        known[name], digest = found
                        names[name] = names[name]._replace(value=digest)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if names[name].simple:
                    names[name] = names[name]._replace(constants=tuple(default_constants(statement, known)))
                case ast.ClassDef(name=name):
                    names[name] = names[name]._replace(constants=tuple(class_constants(statement.body, known)))
        return known

    def _bound_once(self, name: str) -> bool:
        """Whether a name stands for one thing alone, also while the module's functions run."""
        made = len(self.parts.get(name, ())) + len(self.links.get(name, ()))
        return made == 1 and not any(name in changed for changed in self.changers.values())

    def _give_attributes(self, names: dict[str, Piece]) -> None:
        """Note of classes what their bodies make of their attributes."""
        for node in self.statements:
            if isinstance(node, ast.ClassDef) and names[node.name].simple:
                names[node.name] = names[node.name]._replace(
                    attributes=tuple(sorted(_bound_in(node))),
                    methods=tuple(sorted(_methods_in(node))),
                    stands_for=tuple(sorted(_standing_for(node, self._bound_once))),
                )


def _taken(names: Mapping[str, Piece], pieces: Iterable[Piece]) -> Iterator[str]:
    """What pieces take from other modules; of a module that is imported as such, the names that are asked of it."""
    for piece in pieces:
        yield from (link for link in piece.links if not is_of_module(link))
        for reach in piece.reaches:
            root, _, rest = reach.partition(".")
            if is_link(reach):
                yield reach
            elif root in names:
                yield from (further(link, rest) for link in names[root].links)


def _together(pieces: list[Piece]) -> Piece:
    reaches = tuple(sorted({chain for piece in pieces for chain in piece.reaches}))
    return pieces[0]._replace(digest=digest_of(*sorted(piece.digest for piece in pieces)), reaches=reaches, simple=False)


def _imported_only(links: dict[str, tuple[str, ...]], parts: dict[str, list[ast.stmt]]) -> set[str]:
    return links.keys() - parts.keys()


def _cached_names(statements: Iterable[ast.stmt]) -> frozenset[str]:
    """Under which chains this module knows simcache's own decorator."""
    names = set()
    for statement in statements:
        for name, link in imports(statement) if isinstance(statement, (ast.Import, ast.ImportFrom)) else ():
            if link in (link_to(0, "simcache", "cached"), link_to(0, "simcache.decorator", "cached")):
                names.add(name)
            elif link == link_to(0, "simcache"):
                names.add(f"{name}.cached")
    return frozenset(names)


def _without_declarations(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements without `K: int` where another one gives K its value."""
    bound = bindings(statement for statement in statements if not declares(statement))[0]
    return (statement for statement in statements if not declares(statement) or bound.isdisjoint(bindings([statement])[0]))


def _changes_of(node: ast.stmt, fills: Mapping[str, tuple[int, ...]]) -> set[str]:
    reach = Reach(fills=fills)
    reach.visit(node)
    return reach.changed


def _filled_by(function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[int, ...]:
    """Which of a function's arguments it changes in place."""
    changed = changed_arguments(function)
    return tuple(index for index, argument in enumerate((*function.args.posonlyargs, *function.args.args)) if argument.arg in changed)


def _bare_methods(node: ast.ClassDef) -> set[str]:
    """The methods that stand in a class just as they are: nothing else in its body binds the name."""
    bare = {part.name for part in node.body if isinstance(part, FUNCTIONS) and not part.decorator_list}
    others = bindings(part for part in node.body if not (isinstance(part, FUNCTIONS) and part.name in bare))[0]
    return bare - others


def _bound_in(node: ast.ClassDef) -> Iterator[str]:
    """The attributes that a class body binds, and those of classes inside it."""
    yield from bindings(part for part in node.body if not declares(part))[0]
    yield from (f"{inside.name}.{name}" for inside in _classes_in(node) for name in _bound_in(inside))


def _methods_in(node: ast.ClassDef) -> Iterator[str]:
    """Those that are functions of the body, whatever Python's own decorators make of them."""
    made = [part for part in node.body if isinstance(part, FUNCTIONS)]
    others = bindings(part for part in node.body if not isinstance(part, FUNCTIONS))[0]
    otherwise = {part.name for part in made if any(not _is_pythons(called(one)) for one in part.decorator_list)}
    yield from {part.name for part in made} - others - otherwise
    yield from (f"{inside.name}.{name}" for inside in _classes_in(node) for name in _methods_in(inside))


def _is_pythons(decorator: str) -> bool:
    return decorator in _OF_METHODS or decorator.rpartition(".")[2] in ("getter", "setter", "deleter")


def _standing_for(node: ast.ClassDef, bound_once: Callable[[str], bool]) -> Iterator[str]:
    """The attributes that are only other names, as `name chain`."""
    names = bindings(node.body)[0]
    for part in node.body:
        match part:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                if isinstance(value, ast.Call) and called(value) in ("classmethod", "staticmethod") and len(value.args) == 1:
                    value = value.args[0]
                root = (chain := chain_of(value)).partition(".")[0]
                if chain and root not in names and bound_once(root):
                    yield f"{name} {chain}"
    yield from (f"{inside.name}.{row}" for inside in _classes_in(node) for row in _standing_for(inside, bound_once))


def _classes_in(node: ast.ClassDef) -> Iterator[ast.ClassDef]:
    """The classes inside a class, but for those that others may have made anew."""
    return (part for part in node.body if isinstance(part, ast.ClassDef) and not part.decorator_list)


def _changes_its_instance(method: ast.stmt) -> bool:
    if not isinstance(method, FUNCTIONS) or method.name in MAKERS:
        return False
    if is_remembered(method):
        return True
    instance = next((argument.arg for argument in (*method.args.posonlyargs, *method.args.args)), "")
    reach = Reach([Scope([instance], {})])
    for statement in method.body:
        reach.visit(statement)
    return instance in reach.changed


def _without_cached(node: ast.stmt, cached_names: frozenset[str]) -> ast.stmt:
    """The function without simcache's decorator, whose options (a store, an interval) are not part of the code."""
    if not isinstance(node, FUNCTIONS) or not node.decorator_list:
        return node
    kept = [decorator for decorator in node.decorator_list if called(decorator) not in cached_names]
    return type(node)(**{**dict(ast.iter_fields(node)), "decorator_list": kept})


def _without_fields(node: ast.ClassDef) -> ast.ClassDef:
    kept = [statement for statement in node.body if not isinstance(statement, ast.AnnAssign) or _is_no_field(statement)]
    return ast.ClassDef(**{**dict(ast.iter_fields(node)), "body": kept})


def _is_no_field(statement: ast.AnnAssign) -> bool:
    """Whether nobody gives this attribute: one of the class, or one that is worked out."""
    if "ClassVar" in words([unquoted(statement.annotation)]):
        return True
    options = statement.value.keywords if isinstance(statement.value, ast.Call) else []
    return any(option.arg == "init" and isinstance(option.value, ast.Constant) and not option.value.value for option in options)


def _inner(
    body: Iterable[ast.AST], prefix: str, scopes: tuple[Scope, ...], *, within_function: bool = False
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda, tuple[Scope, ...]]]:
    """Functions in functions, classes in functions and lambdas: qualified name, tree and the scopes around it."""
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            name = prefix + ("<lambda>" if isinstance(node, ast.Lambda) else node.name)
            if within_function or isinstance(node, ast.Lambda):
                yield name, node, scopes
            inside = [node.body] if isinstance(node, ast.Lambda) else node.body
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
            bound, links, _ = bindings(inside)
            scope = Scope(bound | {argument.arg for argument in every if argument is not None}, links)
            outside = [*node.args.defaults, *node.args.kw_defaults, *getattr(node, "decorator_list", ())]
            yield from _inner([part for part in outside if part is not None], prefix, scopes, within_function=within_function)
            yield from _inner(inside, f"{name}.<locals>.", (*scopes, scope), within_function=True)
        elif isinstance(node, ast.ClassDef):
            if within_function:
                yield prefix + node.name, node, scopes
            yield from _inner(node.body, f"{prefix}{node.name}.", scopes, within_function=within_function)
        else:
            yield from _inner(children(node), prefix, scopes, within_function=within_function)

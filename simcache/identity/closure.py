"""The closure of a function: everything of the project's own source that it can reach, piece by piece.

Names are followed through the text of the source files, so that nothing has to be imported to know a version. The
objects loaded in this process are asked for what the text cannot tell: what was bound anew at run time, what a registry
has come to hold, and whether the text is still the one that was loaded.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from types import FunctionType, ModuleType

from simcache.errors import BadSettings, SourceChanged
from simcache.identity.again import Again, Filled
from simcache.identity.process.bytecode import functions_within, may_be_patched
from simcache.identity.process.files import (
    SourceFile,
    came_since,
    read,
    text_before,
    times_patched,
    times_reloaded,
    was_written,
)
from simcache.identity.process.library_data import LibraryData, Unchanged, what_is_in
from simcache.identity.process.live import Live
from simcache.identity.process.loaded import Loaded
from simcache.identity.process.made import Made, node_of, text_node
from simcache.identity.process.modules import Module, is_bare, locate, target
from simcache.identity.process.project import Project
from simcache.identity.process.registries import Registry
from simcache.identity.process.taken import (
    ABSENT,
    Fingerprint,
    Guard,
    Guards,
    Itself,
    Names,
    Variable,
    Watched,
    guard_of,
    watched,
    watched_names,
)
from simcache.identity.text.link import further, is_link
from simcache.identity.text.piece import PLACES, Piece, digest_of

_CATCH_WARNINGS = ("Warning", "Exception")
"""How what a function catches is named if it may be a warning that is made an error."""
_FINDERS = {name: frozenset({"make", "make_vec", "spec"}) for name in ("gym", "gymnasium")}
"""By which names code finds what was registered in a library by its place: who asks it for a space only finds nothing. Of other libraries nobody knows."""
_MAKE_ENVIRONMENTS = ("make_atari_env", "make_vec_env")
"""How other libraries name what makes by its name what was registered in gymnasium."""
_MAKE_ANYTHING = ("importlib.", "types.ModuleType", "types.SimpleNamespace")
"""What makes or finds something of which the text does not tell what is in it."""


class Closure:
    """Everything that one function or class can reach, piece by piece."""

    def __init__(self, own: str, packages: Iterable[str], counted: Iterable[str] = (), tried: Container[str] = ()) -> None:
        self.project = Project(own, packages, tried)
        self.counted = frozenset(counted)
        """What the code that is reached keeps there itself, as `module:name` or `module:class.attribute`: a counter, a memo; no value counts."""
        self.counts: set[str] = set()
        """Those that were found."""
        self.parts: dict[str, str] = {}
        self.outside: set[str] = set()
        self.keeping: list[tuple[object, str]] = []
        """Functions around functions that were followed as objects, with what these are as text."""
        self.filled: list[Filled] = []
        """What functions of notebooks change as they run."""
        self.guards: dict[tuple[int, str], Guard] = {}
        self.registries: dict[int, Watched] = {}
        self.listed: set[str] = set()
        """Packages whose every file is among the parts already: a lazy face is met at each of its names."""
        self.queue: deque[Callable[[], None]] = deque()
        self.finds: set[str] = set()
        """Libraries that are asked for what was registered there."""
        self.libraries: set[str] = set()
        """Those that are reached."""
        self.reached: set[str] = set()
        """Modules that are, or are loaded by a function only for what happens then."""
        self.beside: set[str] = set()
        """These, and all that are loaded with them."""
        self.registering: dict[str, bool] = {}
        """Of modules that are not loaded whether they leave something in others as they are."""
        self.resolving: set[tuple[str, str]] = set()
        self.made = Made()
        self.objects = Live(self, self.project)
        self.loaded = Loaded(self, self.objects)
        self.again = Again(self)

    def finish(self, *extra: str) -> Fingerprint:
        while self.queue:
            self.queue.popleft()()
            if not self.queue:
                self._set_in_libraries()
            if not self.queue:
                self.again.look()
        self.again.close()
        if self._is_edited:
            self.made.check(self.project.modules)
        version = digest_of(*extra, *(text for item in sorted(self.parts.items()) for text in item))
        return Fingerprint(
            version,
            dict(sorted(self.parts.items())),
            frozenset(self.outside - sys.stdlib_module_names),
            self.project.files,
            Guards(self.guards.values(), self.project.unloaded(), self.project.loading, self.registries.values()),
            self.objects.cells,
        )

    @cached_property
    def _is_edited(self) -> bool:
        """Asked when all is reached: whether a file may have been edited and loaded again, or what it holds set anew."""
        return any(map(times_reloaded, self.project.files)) or any(
            each is not None and was_written(each.file) for each in self.project.modules.values()
        )

    def edited_since(self, maker: str, names: Iterable[str]) -> bool:
        """Whether one of these names, or of those that they lead to, was edited in this process after a module had been loaded."""
        return self._is_edited and self.made.edited_since(maker, names, self.project.modules) is not None

    def patches(self, nodes: Iterable[str]) -> Iterator[str]:
        """Those of these names of which functions were given other code in place, and how often."""
        for node in nodes if self._is_edited else ():
            source, _, name = node.partition(":")
            module = self.project.modules.get(source)
            if module is not None and module.namespace is not None and (times := times_patched(module.file.path, module.namespace, name)):
                yield f"{node} {times}"

    def named(self) -> Iterator[tuple[str, object, tuple[str, ...]]]:
        """What the names stand for that were reached, in modules that are loaded, and the values of its own that its text tells."""
        for node in self.parts:
            source, _, name = node.partition(":")
            module = self.project.modules.get(source)
            if module is not None and module.namespace is not None and name in module.namespace:
                piece = module.file.summary.names.get(name)
                yield node, module.namespace[name], () if piece is None else piece.constants

    # -- modules

    def load_for_effect(self, module: Module, link: str) -> None:
        """Have a module loaded that a function loads only for what happens then: it may register there what the function looks up."""
        absolute, chain = target(module, link)
        inside = ".".join([absolute, *chain])
        name = inside if self.project.module(inside) is not None else absolute
        if self.project.module(name) is not None:
            self.project.need(name)
            self.reached.add(name)

    def _set_in_libraries(self) -> None:
        """What the statements of modules set in libraries counts, wherever one is loaded with what is reached."""
        queue = [*(self.reached - self.beside)]
        while queue:
            name = queue.pop()
            if name not in self.beside:
                self.beside.add(name)
                queue += self.project.as_loaded(name).beside
        loaded = {name: self.project.as_loaded(name) for name in sorted(self.beside)}
        # Where no function sets anything that is reached, nobody need read the modules whose functions are called.
        is_called = any(not self.libraries.isdisjoint(sets) for one in loaded.values() for sets in one.outline.inside.values())
        for name, loading in loaded.items():
            self._settings(name, "", loading.outline.sets)
            for absolute, chain in loading.calls if is_called else ():
                module = self.project.module(absolute)
                for place, names, _ in () if module is None or not chain else self.standing(module, ".".join(chain)):
                    self._settings(place, f" in {names[0]}", self.project.as_loaded(place).outline.inside.get(names[0], ()))

    def _settings(self, name: str, where: str, libraries: Iterable[str]) -> None:
        for library in sorted(self.libraries.intersection(libraries)):
            module = self.project.module(name)
            if module is not None:
                self.setting(module, f"state of {library}{where}")
                if library not in _FINDERS or library in self.finds:
                    self.setting(module, f"{PLACES}state of {library}{where}")

    def package(self, name: str, *, lazy: bool = False) -> None:
        """Every file of a package that counts as a whole; a lazy one loads them when they are asked for."""
        if name in self.listed:
            return
        self.listed.add(name)
        from pathlib import Path  # 4 ms, for what few ask

        path, folders = locate(name)
        roots = [Path(folder) for folder in folders] or ([Path(path)] if path and path.endswith(".py") else [])
        if not roots:
            raise BadSettings(f"@cached(code=({name!r},))", f"there is no package or module {name!r} with Python source: check the name")
        for root in roots:
            for found in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
                file = read(str(found))
                if file is None:
                    raise BadSettings(f"@cached(code=({name!r},))", f"{found} cannot be read as Python source")
                self._check_package_file(file, None if lazy else path)
                inside = found.relative_to(root) if root.is_dir() else Path(found.name)
                self.project.files[file.path] = file.signature
                self.parts[f"{name}/{inside.as_posix()}"] = file.summary.whole
                self.beyond(name, inside.parts if root.is_dir() else (), file)

    def beyond(self, package: str, inside: tuple[str, ...], file: SourceFile) -> None:
        """Follow what a file of a package that counts as a whole imports from the project outside it."""
        stem = tuple(part.removesuffix(".py") for part in inside if part != "__init__.py")
        name = ".".join([package, *stem])
        around = name if inside[-1:] in ((), ("__init__.py",)) else name.rpartition(".")[0]
        module = Module(name, file, around, (), None)
        loaded = getattr(sys.modules.get(name), "__dict__", {}) if may_be_patched() else {}
        for each in file.summary.names if loaded.get("__file__") == file.path else ():
            self.watch_code(loaded.get(each))
        for link in file.summary.taken:
            absolute, chain = target(module, link)
            if absolute and absolute != package and not absolute.startswith(f"{package}."):
                self.imported(absolute, [] if chain == ["*"] else chain)

    def _check_package_file(self, file: SourceFile, package: str | None) -> None:
        before = text_before(file)
        if before is not None and before.whole != file.summary.whole:
            raise SourceChanged(file.path)
        if package is not None and came_since(file, package):  # the package was loaded without it
            raise SourceChanged(file.path)

    # -- names

    def resolve(self, module: Module, reach: str) -> str:
        """Follow one reach from a module; what it leads to, as text."""
        if reach.endswith(_CATCH_WARNINGS):
            self.libraries.add("warnings")
        if reach.endswith(_MAKE_ENVIRONMENTS):
            self.libraries.add("gymnasium")
            self.finds.add("gymnasium")
        if is_link(reach):
            return self.taken(module, *target(module, reach))
        root, *attributes = reach.split(".")
        return self.name(module, root, attributes)

    def name(self, module: Module, root: str, chain: list[str]) -> str:
        self.made.note(module, root)
        if module.namespace is None and module.file.summary.stars:  # which of them hides which name, its order of loading tells
            self.project.need(module.name)
        piece = module.file.summary.names.get(root)
        _check_piece(module, root, piece)
        if piece is None:
            return self.unbound(module, root, chain)
        if piece.kind != "import":
            return self.piece(module, root, piece) + self.asked_behind(module, root, piece, chain)
        self.check_absent(module, piece)
        self.resolving.add((module.name, root))
        places = [target(module, link) for link in piece.links]
        targets = [self.taken(module, absolute, [*names, *chain]) for absolute, names in places]
        self.resolving.discard((module.name, root))
        text = "|".join(targets)
        if ":" in text and all(self.project.module(".".join([absolute, *names])) is None for absolute, names in places):
            self.setting(module, f"setup of {root}")
        return text + self.loaded.imported(module, root, piece.links)

    def asked_behind(self, module: Module, root: str, piece: Piece, chain: list[str]) -> str:
        """What is asked of another module, where the text computes for which a name stands: `xp = import_module(NAME)`.

        What the code that is reached binds as it runs is state, and differs from call to call.
        """
        held = None if piece.kind != "data" or piece.state else (module.now().namespace or {}).get(root)
        if held is None or not issubclass(type(held), ModuleType):  # what stands for something else may fail at being asked
            return ""
        self.libraries.add(held.__name__.partition(".")[0])
        self.finds.add(held.__name__.partition(".")[0])
        return f" {self.asked_of(held, chain)}"

    def unbound(self, module: Module, root: str, chain: list[str]) -> str:
        """A name that the text does not bind: from a star import, a builtin, or put there at run time."""
        candidates: list[str] = []
        outside: list[str] = []
        if module.before is not None and module.before.stars != module.file.summary.stars:
            raise SourceChanged(module.file.path)
        for star in reversed(module.file.summary.stars):
            absolute, _ = target(module, star)
            source = self.project.module(absolute)
            if source is None:
                self.outside.add(absolute.partition(".")[0])
                outside.append(absolute)
                continue
            if (absolute, root) in self.resolving:
                continue  # modules that import everything from each other
            if source.before is not None and source.before.exports != source.file.summary.exports:
                raise SourceChanged(source.file.path)
            self.resolving.add((module.name, root))
            found = self.name(source, root, chain) if _may_export(source, root) else ""
            self.resolving.discard((module.name, root))
            if found:
                piece = source.file.summary.names.get(root)
                # Of state the module holds what it was as it was loaded.
                anew = "" if piece is not None and piece.state else self.loaded.imported(module, root, (star.removesuffix("*") + root,))
                candidates.append(found + anew)
                if not _makes_up_exports(source):
                    break
                candidates.append(self.name(source, "__all__", []))
        if candidates:
            return "|".join(candidates)
        if module.namespace is None or root.startswith("__"):
            return ""
        if root not in module.namespace:
            self.guard(module.namespace, root, ABSENT)
            return ""
        held = module.namespace[root]
        for absolute in outside:
            loaded = sys.modules.get(absolute)
            if loaded is not None and vars(loaded).get(root, ABSENT) is held:
                self.guard(module.namespace, root, held)
                return ".".join([absolute, root, *chain])
        return self.objects.live_name(module.namespace, root, chain, changed=())

    def taken(self, module: Module, name: str, chain: list[str]) -> str:
        """What an import in a module leads to; of a library what is set there counts, too."""
        if self.project.module(name) is None:
            library = name.partition(".")[0]
            self.libraries.add(library)
            self.reached.add(module.name)
            if not chain or not _FINDERS.get(library, frozenset()).isdisjoint(chain):
                self.finds.add(library)
        return self.imported(name, chain)

    def setting(self, module: Module, name: str) -> None:
        """What the statements of a module set elsewhere, if there is anything of this name."""
        piece = module.file.summary.libraries.get(name)
        _check_piece(module, name, piece)
        if piece is not None:
            self.piece(module, name, piece)

    def imported(self, name: str, chain: list[str]) -> str:
        """What an import of `name` and then `.chain` leads to."""
        module = self.project.module(name)
        if module is None:
            if name.partition(".")[0] not in self.project.packages:
                self.outside.add(name.partition(".")[0])
            return ".".join([name, *chain])
        return self.asked(module, chain)

    def asked_of(self, held: ModuleType, chain: list[str]) -> str:
        """The same of a module that somebody holds; one that Python does not list under its name is known by its file."""
        name = held.__name__
        if sys.modules.get(name) is not held:
            if (unlisted := self.project.unlisted(held)) is not None:
                return self.asked(unlisted, chain)
            if is_bare(held):
                return self.objects.asked_of_bare(held, chain)
        return self.imported(name, chain)

    def asked(self, module: Module, chain: list[str]) -> str:
        """What is asked of a module: a chain of names, or all of it."""
        if not chain:
            return self.whole(module)
        name = module.name
        head, *rest = chain
        if head in module.file.summary.names and (name, head) not in self.resolving:
            return self.name(module, head, rest)
        if module.folder and locate(f"{name}.{head}") != (None, ()):
            return self.imported(f"{name}.{head}", rest)
        if "__getattr__" in module.file.summary.names:
            return self.lazy(module)
        if head in module.file.summary.names:
            return f"{name}:{head}"  # modules that import one name from each other
        return self.unbound(module, head, rest) or f"{name}:{head}?"

    def lazy(self, module: Module) -> str:
        """A face that finds its names when asked (PEP 562): nobody can tell from the text which, so all of the package counts."""
        self.made.note(module, "*")
        self.piece(module, "__getattr__", module.file.summary.names["__getattr__"])
        self.package(module.name, lazy=True)
        return f"{module.name}/*"

    def whole(self, module: Module) -> str:
        """A module that is handed on as a value: anything in it may be used."""
        node = f"{module.name}:*"
        if node not in self.parts:
            if module.before is not None and module.before.names.keys() != module.file.summary.names.keys():
                raise SourceChanged(module.file.path)
            names = module.file.summary.names
            self.parts[node] = digest_of(*names)
            with self.made.noting(node):
                targets = {name: self.name(module, name, []) for name in names}
            taken = [text for name, text in targets.items() if names[name].kind == "import"]
            taken += [self.imported(target(module, star)[0], []) for star in module.file.summary.stars]
            self.parts[node] = digest_of(*names, *taken)
            if "__getattr__" in names:
                self.lazy(module)
            for inside in map(self.project.module, _submodules(module)):
                if inside is not None:
                    self.whole(inside)
        self.made.note(module, "*")
        return node

    def held(self, module: Module, name: str, piece: Piece, *, start: bool = False, behaviour: bool = False) -> str:
        """The piece of an object that was met: it may run."""
        node = self.piece(module, name, piece, start=start, behaviour=behaviour)
        self.lead_to(node)
        self.again.objects_met.add(node)
        return node

    def lead_to(self, node: str) -> None:
        """What is followed now leads to this piece."""
        self.made.lead_to(node)

    def met(self, held: object) -> None:
        """What is followed now leads to this object."""
        self.made.lead_to(node_of(held))

    def following(self, held: object) -> AbstractContextManager[object]:
        """What is met meanwhile is what this object leads to: it may run."""
        self.again.objects_met.add(node := node_of(held))
        return self.made.noting(node)

    def piece(self, module: Module, name: str, piece: Piece, *, start: bool = False, behaviour: bool = False) -> str:
        node = f"{module.name}:{name}"
        if node not in self.parts:
            self.parts[node] = ""
            self.queue.append(lambda: self.enter(node, module, name, piece, start=start, behaviour=behaviour))
        return node

    def enter(self, node: str, module: Module, name: str, piece: Piece, *, start: bool, behaviour: bool) -> None:
        """Write down one piece: its digest, and where each of its names leads."""
        _check_piece(module, name, piece)
        self.reached.add(module.name)
        digest, reaches = piece.digest, piece.reaches
        if behaviour and piece.behaviour:
            digest, reaches = piece.behaviour, piece.behaviour_reaches
        elif piece.annotated and any(":" not in self.resolve(module, chain) for chain in piece.decorators):
            # A decorator of an outside package may look at the annotations.
            digest, reaches = piece.annotated, piece.annotated_reaches
        elif start or piece.cached:
            digest, reaches = digest_of(digest, piece.returns), (*reaches, *piece.returns_reaches)
        for package in piece.packages:
            self.package(package)
        self.again.note(node, module, name, piece)
        if piece.value:
            self.parts[node] = digest_of(f"value {self.loaded.difference(module.now(), name, piece) or piece.value}")[:16]
            return
        with self.made.noting(node) as names:
            targets = [(reach, self.resolve(module, reach)) for reach in sorted({*reaches, *piece.links})]
        self.check_absent(module, piece)
        for link in piece.loads:
            self.load_for_effect(module, link)
        if piece.kind != "data":  # of a function or class not all ran as the module was loaded
            with self.made.noting() as names:
                for reach in piece.made_of:
                    if reach in reaches:
                        self.resolve(module, reach)
                self.loaded.note_bases(module.now(), name)
        self.made.add(module, names)
        if module.namespace is None and (_needs_its_object(piece, targets) or self.registers(module)):
            self.project.need(module.name)
        if piece.kind == "data" and not (piece.state or piece.reads_outside):
            self.again.computed.append((node, node, module, name))
        if piece.made_by and not piece.reads_outside:
            beside = f"{node} beside"  # its body ran for nothing of this
            with self.made.noting(beside):
                for reach in piece.made_by:
                    self.resolve(module, reach)
            self.again.computed.append((beside, node, module, name))
        loaded = self.loaded.difference(module.now(), name, piece)
        edges = [text for reach, found in targets for text in ("" if is_link(reach) else reach, found)]
        self.parts[node] = digest_of(digest, *edges, loaded + self.parts[node])[:16]  # a class without a text of its own is there already

    def places(self, module: Module, chain: str) -> Iterator[str]:
        """Where in the project that stands which a chain of a module leads to: a name at the top of a module, or an attribute of a class.

        What the text of the module itself tells to be state is known already.
        """
        for absolute, rest, piece in self.standing(module, chain):
            if not piece.state and (len(rest) > 1 if piece.kind == "class" else len(rest) == 1):
                yield f"{absolute}:{'.'.join(rest)}"

    def standing(self, module: Module, chain: str, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, list[str], Piece]]:
        """Of what a chain of a module leads to: the module, the names that are asked of it, and the piece of the first."""
        absolute, rest = module.name, chain.split(".")
        source: Module | None = module
        if is_link(chain):
            absolute, rest = target(module, chain)
            source = self.project.module(absolute)
        while source is not None and source.folder and rest and rest[0] not in source.file.summary.names:
            absolute = f"{absolute}.{rest.pop(0)}"
            source = self.project.module(absolute)
        piece = None if source is None or not rest else source.file.summary.names.get(rest[0])
        place = f"{absolute}:{'.'.join(rest)}"
        if source is None or piece is None or place in seen:
            return
        if piece.kind == "import":
            for link in piece.links:
                yield from self.standing(source, further(link, ".".join(rest[1:])), seen | {place})
        else:
            yield absolute, rest, piece

    def registers(self, module: Module) -> bool:
        """Whether a module, as it is loaded, leaves something in others of the project, where code may look it up."""
        if module.name not in self.registering:
            self.registering[module.name] = any(
                absolute != module.name and _takes_in(piece, rest, decorates=decorates)
                for one in module.file.summary.names.values()
                for chains, decorates in ((one.decorators, True), (one.reaches if one.kind == "class" else (), False))
                for chain in chains
                for absolute, rest, piece in self.standing(module, chain)
            )
        return self.registering[module.name]

    def check_absent(self, module: Module, piece: Piece) -> None:
        """Raise SourceChanged if a loaded module names one in an import that was not there to be loaded and has come to the folder since."""
        for link in piece.links if module.namespace is not None else ():
            absolute, chain = target(module, link)
            package = self.project.module(absolute)
            inside = ".".join([absolute, *chain]) if package is not None and package.folder else absolute
            for named in {absolute, inside} - sys.modules.keys():
                found = self.project.module(named)
                if found is not None and came_since(found.file, module.file.path):
                    raise SourceChanged(found.file.path)

    def guard(self, names: Names, name: str, held: object, *, record: bool = False, inside: bool = True) -> None:
        """Have the fingerprint hold only as long as this name stands for this object, unchanged inside as far as that can be watched."""
        key = (id(names.cell) if isinstance(names, Variable) else id(names), name)
        if record or key not in self.guards:
            self.guards[key] = guard_of(names, name, held, record=record) if inside else Guard(names, name, held, None, None)
        for inner in self.objects.records_in(held) if record else ():
            self.watch(inner)

    def note_cell(self, node: str, piece: Piece) -> None:
        """A function or class of a notebook is followed: what it sets itself is no setting of a program."""
        self.lead_to(node)
        self.lead_to(text_node(piece.digest))  # several may have one name, as every lambda has
        self.again.note_cell(node, piece)

    def fills(self, function: FunctionType, names: Iterable[str]) -> None:
        """A function of a notebook changes these as it runs."""
        self.filled += [
            Filled(function.__globals__, name, node_of(function)) for name in names if name not in function.__code__.co_freevars
        ]

    def count(self, *held: object) -> None:
        """These count by the values that they have now: have it hold only as long as nobody but the code that is reached changes them."""
        self.again.count(held)

    def watch(self, held: object) -> None:
        """Have it hold only as long as nothing comes to this class or changes in this record, wherever it is kept."""
        self.guards.setdefault((id(held), ""), watched(held))

    def watch_code(self, held: object) -> None:
        """Have it hold only as long as the functions in this run what they run now."""
        for function in functions_within(held):
            self.guards.setdefault((id(function), ""), guard_of(Itself(function), "", function))

    def watch_registry(self, held: object) -> None:
        """Have it hold only as long as the code in this is what it is: somebody may register more."""
        if id(held) not in self.registries:
            self.registries[id(held)] = Registry(held)

    def watch_data(self, data: LibraryData) -> None:
        """Have it hold only as long as a table, graph or network of a library is as it is."""
        self.registries.setdefault(id(data), Unchanged(data))

    def watch_attributes(self, held: object, names: tuple[str, ...]) -> None:
        """Have it hold only as long as these attributes of an object are as they are."""
        self.guards[id(held), ",".join(names)] = watched(held, names)

    def watch_names(self, held: object, sets: Callable[[str], bool]) -> None:
        """Have it hold only as long as an object gets no attribute that it lacks, but for those that running code `sets`."""
        self.guards[id(held), "*"] = watched_names(held, sets)

    def watch_value(self, held: object) -> None:
        """Have it hold only as long as all that a pickle would keep of an object is as it is."""
        self.guards[id(held), "="] = Guard(Itself(held), "", held, what_is_in, what_is_in(held))


def _submodules(module: Module) -> list[str]:
    """The modules directly inside a package."""
    names = {item.partition(".")[0] for folder in module.folder for item in _listed(folder) if item.endswith(".py") or "." not in item}
    return sorted(f"{module.name}.{name}" for name in names - {"__init__", "__main__"} if name.isidentifier() and name != "__pycache__")


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _check_piece(module: Module, name: str, piece: Piece | None) -> None:
    """Raise SourceChanged if what a file says of a name was edited since it was loaded: a base class, a decorator or an enumeration
    leaves no code by which the running one could be known. A plain value is known by itself, and a function by its code.
    """
    if module.before is None:
        return
    loaded = module.before.piece(name)
    if loaded == piece or (loaded and piece and loaded.value and piece.value):
        return
    from simcache.identity.process.patched import runs_as_written  # few processes edit the code that they run

    if piece is None or not runs_as_written(module, name, piece):
        raise SourceChanged(module.file.path)


def _needs_its_object(piece: Piece, targets: Iterable[tuple[str, str]]) -> bool:
    """Whether the text leaves open what a name is, so that every process must look at the object, not only those that have it."""
    if piece.kind == "data":
        return piece.state or piece.reads_outside or piece.chosen or any(":" in to or to.startswith(_MAKE_ANYTHING) for _, to in targets)
    if piece.reads_outside or (piece.kind == "class" and not piece.simple):
        return True
    return piece.kind == "def" and (not piece.simple or any(chain.endswith("singledispatch") for chain in piece.decorators))


def _takes_in(piece: Piece, asked: list[str], *, decorates: bool) -> bool:
    """Whether a decorator (`@register`, `@LAWS.add`) or a base class keeps what is made with it."""
    if not decorates:
        return piece.kind == "class" and (piece.asks_subclasses or "__init_subclass__" in piece.bare_methods)
    return bool(piece.changes) if piece.kind == "def" else len(asked) > 1


def _may_export(module: Module, name: str) -> bool:
    """Whether a star import may take this name along."""
    exports = module.file.summary.exports
    return name in exports if exports is not None else not name.startswith("_") or _makes_up_exports(module)


def _makes_up_exports(module: Module) -> bool:
    """Whether the text does not tell what a star import takes."""
    return module.file.summary.exports is None and "__all__" in module.file.summary.names

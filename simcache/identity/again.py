"""What is looked at again when all is known that leads to it: state, values that were read, annotations, subclasses."""

from collections.abc import Callable, Container, Iterable, Iterator, Sized
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Protocol

from simcache.identity.forms.attributes import members_within
from simcache.identity.process.bytecode import is_of_file, qualname_of
from simcache.identity.process.live import Live
from simcache.identity.process.loaded import Loaded
from simcache.identity.process.made import Made, behind
from simcache.identity.process.modules import Module
from simcache.identity.process.project import Project
from simcache.identity.process.taken import Names
from simcache.identity.text.piece import PLACES, Piece, digest_of
from simcache.named_tuple import NamedTuple

if TYPE_CHECKING:
    from simcache.identity.process.keeping import Keeping
    from simcache.identity.process.options import Running


class Filled(NamedTuple):
    """Something that a function changes as it runs."""

    namespace: dict[str, object]
    """Where it stands."""
    name: str
    node: str
    """By which the function is known."""


class Entered(Protocol):
    """The part of a closure whose pieces are looked at again, which may lead to further ones."""

    parts: dict[str, str]
    counts: set[str]
    project: Project
    made: Made
    objects: Live
    loaded: Loaded

    @property
    def queue(self) -> Sized: ...
    def resolve(self, module: Module, reach: str) -> str: ...
    def places(self, module: Module, chain: str) -> Iterator[str]: ...
    def standing(self, module: Module, chain: str) -> Iterator[tuple[str, list[str], Piece]]: ...
    def watch(self, held: object) -> None: ...
    def watch_attributes(self, held: object, names: tuple[str, ...]) -> None: ...
    def watch_names(self, held: object, sets: Callable[[str], bool]) -> None: ...
    def watch_value(self, held: object) -> None: ...
    def guard(self, names: Names, name: str, held: object, *, record: bool = False, inside: bool = True) -> None: ...


class Again:
    """Remembers what of a closure cannot be told piece by piece."""

    def __init__(self, closure: Entered) -> None:
        self.closure = closure
        self.objects_met: set[str] = set()
        """Functions and classes that were followed as objects, above all the one that the closure starts from."""
        self.computed: list[tuple[str, str, Module, str]] = []
        """What was worked out as its module was loaded, by code that is followed: by which node it is known who made it, and its own."""
        self._entered: list[tuple[str, Module, Piece]] = []
        self._states: list[tuple[str, Module, str, Piece]] = []
        self._readers: set[str] = set()
        """Functions and classes that may read files or the environment."""
        self._counted: list[object] = []
        self._in_cells: dict[tuple[str, int], tuple[str, Piece]] = {}
        """Functions and classes of notebooks with their nodes, each piece once: of one name there may be several."""
        self._options: dict[str, str] = {}
        """By node what has been set in it, as it was looked at last: each time more may be known that is reached."""
        self._reads_annotations = False
        self._asks_subclasses = False
        self._annotated: set[str] = set()
        self._derived: set[str] = set()
        self._settled: set[str] = set()

    def note(self, node: str, module: Module, name: str, piece: Piece) -> None:
        """A piece is entered."""
        self._entered.append((node, module, piece))
        self._reads_annotations |= piece.reads_annotations
        self._asks_subclasses |= piece.asks_subclasses
        if piece.reads or (piece.kind == "data" and piece.reads_outside):
            self._readers.add(node)
        if piece.state:
            self._states.append((node, module, name, piece))

    def note_cell(self, node: str, piece: Piece) -> None:
        """A function or class of a notebook is followed, which has no place in a file."""
        self._in_cells[node, id(piece)] = node, piece

    def decorated(self) -> Iterator[tuple[object, str]]:
        """What stands in loaded modules, and in their classes, where a call or a decorator has made it of functions, by their nodes."""
        return (found for node, module in self._made_of_functions() for found in _standing(node, module))

    def functions(self) -> Iterator[tuple[object, str]]:
        """The functions and methods of loaded modules, decorated or not, by their nodes."""
        return (found for node, module, piece in self._entered if piece.kind != "data" for found in _standing(node, module))

    def filled(self) -> Iterator[Filled]:
        """What functions of loaded modules change as they run."""
        may_run = self._may_run() if self._states else ()
        for _, module, name, piece in self._states:
            namespace = module.now().namespace
            if namespace is not None and piece.kind == "data":
                changers = (f"{module.name}:{changer}" for changer in piece.changed_by)
                yield from (Filled(namespace, name, changer) for changer in changers if changer in may_run)

    def nodes_in_cells(self) -> Iterator[str]:
        """Functions and classes of notebooks."""
        return (node for node, _ in self._in_cells.values())

    def not_loaded(self) -> Iterator[str]:
        """The modules in which such things are to be made."""
        return (module.name for _, module in self._made_of_functions() if module.now().namespace is None)

    def _made_of_functions(self) -> Iterator[tuple[str, Module]]:
        return ((node, module) for node, module, piece in self._entered if not piece.value and (piece.kind != "def" or not piece.bare))

    def count(self, held: Iterable[object]) -> None:
        """These count by the values that they have now."""
        self._counted += held

    def look(self) -> None:
        """Look, until something leads further."""
        if self._reads_annotations:
            self._annotate()
        if self._asks_subclasses and not self.closure.queue:
            self._derive()
        if self.closure.queue:
            return
        may_run = self._may_run()
        self._settle(may_run)
        if not self.closure.queue:
            self._set_up(may_run)

    def _set_up(self, may_run: Container[str]) -> None:
        """Have count what objects of options have been set to since they were made, now that it is known who sets what."""
        data = [
            (node, module, piece)
            for node, module, piece in self._entered
            if piece.kind == "data" and not piece.value and not _is_changed(module, piece, may_run)
        ]
        if not data:
            return
        from simcache.identity.process.set_up import (
            SetUp,  # not all reach what may be an object of options, and a process that hits is short
        )

        running = self._running()
        filled = {
            place
            for _, module, piece in self._entered
            if piece.kind in ("class", "def")
            for name in piece.changes
            for place in self.closure.places(module, name)
        }
        set_up = SetUp(self.closure, self.closure.objects)
        for node, module, piece in data:
            self._options[node] = set_up.told(
                module.now(), node.partition(":")[2], running, of_told=piece.of_told and not piece.state, fixed=node not in filled
            )

    def _running(self) -> "Running":
        from simcache.identity.process.options import Running
        from simcache.identity.text.use import Use

        return Running((node if piece.kind == "class" else "", Use.of(row)) for node, piece in self._pieces() for row in piece.uses)

    def _pieces(self) -> list[tuple[str, Piece]]:
        return [*((node, piece) for node, _, piece in self._entered), *self._in_cells.values()]

    def close(self) -> None:
        """Nothing leads further: what options are set to is known now, what is kept in classes, and who changes what counts by its value."""
        keeps = any(piece.kind == "class" or piece.sets for _, piece in self._pieces())
        running = self._running() if keeps or self._counted else None  # a function that sets nothing and holds nothing needs none
        keeping = self._keep(running) if running is not None and keeps else None
        for node, told in self._options.items():
            if told:
                self._add(node, told)
        if running is not None and self._counted:
            from simcache.identity.process.counted import Counted  # code in files seldom captures anything

            Counted(self.closure, self.closure.objects, running, keeping).watch(self._counted)

    def _keep(self, running: "Running") -> "Keeping":
        keeping = self._keeping(running)
        self.closure.counts.update(keeping.places())
        for node, module, piece in self._entered:
            if piece.kind == "class" and (told := self.closure.loaded.tables(module.now(), node.partition(":")[2], piece, keeping.fills)):
                self._add(node, told)
        return keeping

    def _keeping(self, running: "Running") -> "Keeping":
        """What is set in classes by what was followed, and by functions beside a class that are not reached."""
        from simcache.identity.process.keeping import Keeping  # whose code sets nothing has nothing of its own

        classes = frozenset(node for node, piece in self._pieces() if piece.kind == "class")
        keeping, may_run = Keeping(lambda: running.upon(classes)), self._may_run()
        for node, module, piece in self._entered:
            places = partial(self.closure.places, module)
            if piece.kind in ("class", "def"):
                keeping.note(piece, places, reached=node in may_run)
            for changer in piece.changed_by if piece.kind == "class" else ():
                keeping.note(module.file.summary.names[changer], places, reached=False)
        for node, piece in self._in_cells.values():
            keeping.note(piece, partial(_places_in_cells, node.partition(":")[0]), reached=True)
        return keeping

    def _settle(self, may_run: Container[str]) -> None:
        """Data whose text does not tell it.

        What functions of a module change is data where none of them may run: it was set up. And what code has worked out
        that reads a file somewhere is what it is, whatever the code says.
        """
        for node, module, name, piece in self._states:
            if _is_changed(module, piece, may_run):
                continue
            if piece.kind == "data":
                self._as_it_stands(node, module, name)
        reading = self.closure.made.leading_to(self._readers)
        for made, node, module, name in self.computed:
            if made in reading:
                self._as_it_stands(node, module, name)

    def _may_run(self) -> set[str]:
        """What may run when the function does: not what only statements of a module have called as it was loaded."""
        edges = self.closure.made.edges
        at_import = {
            node: (module, piece) for node, module, piece in self._entered if piece.only_called or piece.kind in ("data", "library")
        }

        def led_to(node: str) -> Iterable[str]:
            module, piece = at_import.get(node, (None, None))
            if module is None or piece is None:
                return edges.get(node, ())
            if piece.kind == "library":  # what is registered there may run, what statements have called runs no more
                return edges.get(node, ()) if node in registered else ()
            done = self._done_at_import(module, piece)
            return (name for name in edges.get(node, ()) if name not in done)

        registered = {node for node in at_import if node.partition(":")[2].startswith(PLACES)}
        return {*behind(self.objects_met | registered, led_to)}

    def _done_at_import(self, module: Module, piece: Piece) -> set[str]:
        """What statements have called, or have decorated functions with that it gave back as they are, as a module was loaded: it runs no more."""
        rows = (row.split(" ") for row in piece.only_called)
        names = [name for name, *decorated in rows if all(_is_as_made(module, one) for one in decorated)]
        places = (f"{absolute}:{rest[0]}" for name in names for absolute, rest, _ in self.closure.standing(module, name))
        return {*places, *(f"{module.name}:{name}" for name in names)}

    def _as_it_stands(self, node: str, module: Module, name: str) -> None:
        """Have the value count that a name has."""
        if node in self._settled:
            return
        self._settled.add(node)
        if module.namespace is None:
            self.closure.project.need(module.name)
        now = module.now()
        if now.namespace is not None and name in now.namespace:
            told = self.closure.loaded.as_it_stands(now, name)  # which may enter a class under this very node
            self._add(node, told)

    def _annotate(self) -> None:
        """Something that is reached looks at annotations: those of every function count then."""
        for node, module, piece in self._entered:
            if piece.annotated and node not in self._annotated:
                self._annotated.add(node)
                edges = [text for reach in piece.annotated_reaches for text in (reach, self.closure.resolve(module, reach))]
                self._add(node, piece.annotated, *edges)

    def _derive(self) -> None:
        """Something that is reached asks classes for those that are built upon them: they count then."""
        for node, module, piece in list(self._entered):
            name = node.partition(":")[2]
            if piece.kind == "class" and module.namespace is not None and node not in self._derived:
                self._derived.add(node)
                self._add(node, *self.closure.objects.subclasses(module.namespace.get(name)))

    def _add(self, node: str, *texts: str) -> None:
        """Have these texts count, too."""
        parts = self.closure.parts
        parts[node] = digest_of(parts[node], *texts)[:16]


def _is_as_made(module: Module, name: str) -> bool:
    """Whether a name stands for just the function that the text makes: no decorator has put another around it."""
    held = (module.now().namespace or {}).get(name)
    return isinstance(held, FunctionType) and qualname_of(held) == name and is_of_file(held, module.file.path)


def _standing(node: str, module: Module) -> Iterator[tuple[object, str]]:
    """What a name of a loaded module stands for; of a class all that is in it."""
    if module.namespace is not None:
        held = module.namespace.get(node.partition(":")[2])
        yield from ((one, node) for one in (members_within(held) if isinstance(held, type) else (held,)))


def _places_in_cells(name: str, chain: str) -> tuple[str, ...]:
    """All cells of a notebook have the names of one module."""
    return (f"{name}:{chain}",)


def _is_changed(module: Module, piece: Piece, may_run: Container[str]) -> bool:
    """Whether a function of the module that changes this may run."""
    return any(f"{module.name}:{changer}" in may_run for changer in piece.changed_by)

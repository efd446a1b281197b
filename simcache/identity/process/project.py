"""The project's modules as one closure meets them: found by name, read once, compared with what is loaded, and loaded where the text leaves it open."""

import sys
from collections.abc import Container, Iterable
from itertools import accumulate
from types import ModuleType
from typing import Any

from simcache.errors import SourceChanged
from simcache.identity.process.files import (
    Signature,
    SourceFile,
    check_bytecode,
    content_as_loaded,
    is_outside,
    note_held,
    outlined,
    read,
    text_before,
    was_noted,
)
from simcache.identity.process.modules import (
    Module,
    NotLoaded,
    compiled_as_written,
    is_being_loaded,
    is_of_python,
    locate,
    may_load,
    target_from,
)
from simcache.identity.text.piece import NO_OUTLINE, Outline, Summary
from simcache.named_tuple import NamedTuple

Place = tuple[str | None, tuple[str, ...]]
"""The file of a module, and the folders in which its submodules lie."""


class Loading(NamedTuple):
    """What happens as a module is loaded."""

    beside: list[str]
    """The modules of the project that are loaded, too."""
    outline: Outline
    calls: list[tuple[str, list[str]]]
    """What is called of the project, as modules and chains of names."""


class Project:
    """Knows which modules are the project's own."""

    def __init__(self, own: str, packages: Iterable[str], tried: Container[str] = ()) -> None:
        self.own = own.partition(".")[0]
        self.packages = frozenset(packages)
        """Packages that count as a whole, so that nothing inside them is followed name by name."""
        self.tried = tried
        """Modules that were asked to be loaded: more than there is now will not come."""
        self.loading: list[object] = []
        """The specifications of modules of which half the names were there."""
        self.files: dict[str, Signature] = {}
        self.modules: dict[str, Module | None] = {}
        self.others: dict[str, Module] = {}
        """Those of them to which no import leads."""
        self.loads: dict[str, Loading] = {}
        self.places: dict[str, Place | None] = {}

    def module(self, name: str) -> Module | None:
        """A module of the project by name; None for one that is outside."""
        if name not in self.modules:
            self.modules[name] = self._module(name)
        return self.modules[name]

    def as_loaded(self, name: str) -> Loading:
        """What happens as a module of the project is loaded; of those that are not reached no more is read."""
        if name not in self.loads:
            self.loads[name] = self._as_loaded(name)
        return self.loads[name]

    def _as_loaded(self, name: str) -> Loading:
        path, folders = self._place(name) or (None, ())
        module = self.modules.get(name)
        if module is not None:
            outline = (module.before or module.file.summary).outline
        else:
            content = None if path is None else content_as_loaded(path)
            outline = NO_OUTLINE if content is None else outlined(content)
        package = name if folders else name.rpartition(".")[0]
        beside = [*accumulate(name.split(".")[:-1], "{}.{}".format)]
        for absolute, chain in (target_from(package, link) for link in outline.loads):
            if place := self._place(absolute):
                inside = ".".join([absolute, *chain])
                beside.append(inside if place[1] and self._place(inside) else absolute)
        calls = [called for called in (target_from(package, link) for link in outline.calls) if self._place(called[0])]
        return Loading(beside, outline, calls)

    def _place(self, name: str) -> Place | None:
        """The file and folders of a module of the project; None for one that is outside."""
        if name not in self.places:
            self.places[name] = self._found(name)
        return self.places[name]

    def _found(self, name: str) -> Place | None:
        top = name.partition(".")[0]
        if not name or top == "simcache" or top in self.packages or (is_of_python(top) and top != self.own):
            return None
        path, folders = locate(name)
        if path is None:  # a namespace package has folders and nothing else
            return (path, folders) if folders and (not all(map(is_outside, folders)) or top == self.own) else None
        return (path, folders) if path.endswith(".py") and (not is_outside(path) or top == self.own) else None

    def _module(self, name: str) -> Module | None:
        place = self._place(name)
        if place is None:
            return None
        path, folders = place
        if path is None:
            return Module(name, _NOTHING, name, folders, None)
        file = read(path)
        loaded = sys.modules.get(name)
        if file is None:
            if loaded is not None and was_noted(path):  # it is gone, or somebody is in the middle of saving it
                raise SourceChanged(path)
            return None
        self.files[path] = file.signature
        package = name if folders else name.rpartition(".")[0]
        if loaded is None:
            return Module(name, file, package, folders, None)
        if is_being_loaded(loaded):  # nobody waits for that: the thread that loads it may be waiting for this key
            self.loading.append(loaded.__spec__)
        if cached := getattr(loaded.__spec__, "cached", None):
            check_bytecode(file, cached)
        return Module(name, file, package, folders, vars(loaded), compiled_as_written(loaded), text_before(file, vars(loaded)))

    def unlisted(self, held: ModuleType) -> Module | None:
        """A module of the project that somebody holds and Python does not list under its name (`module_from_spec`), by its file.

        Several may have one name, and are told apart by the order in which they are met.
        """
        namespace = vars(held)
        path = namespace.get("__file__")
        if not isinstance(path, str) or not path.endswith(".py") or is_outside(path):
            return None
        note_held(path, namespace)
        return self.beside(held.__name__, path, namespace, as_written=compiled_as_written(held))

    def beside(self, name: str, path: str, namespace: dict[str, Any], *, as_written: bool = True) -> Module | None:
        """A module to which no import leads, by its name, with a number if another one has that."""
        file = read(path)
        if file is None:
            return None
        self.files[path] = file.signature
        number, own = 1, name
        while True:
            if own not in self.others and (number > 1 or self.module(name) is None):
                found = Module(own, file, str(namespace.get("__package__") or ""), (), namespace, as_written, text_before(file, namespace))
                self.others[own] = self.modules[own] = found
            known = self.others.get(own)
            if known is not None and known.namespace is namespace:
                return known
            number += 1
            own = f"{name} {number}"

    def other_with(self, cls: type) -> Module | None:
        """Of the modules to which no import leads the one that holds a class."""
        return next((one for one in self.others.values() if one.namespace and one.namespace.get(cls.__qualname__) is cls), None)

    def need(self, name: str) -> None:
        """Have a module loaded, and all taken anew, if the text leaves open what it is: every process must see the same."""
        if name not in self.tried and may_load(name):
            raise NotLoaded(name)

    def unloaded(self) -> list[str]:
        """The modules of which only the text was asked: who calls the function may load them, and bind their names anew."""
        return [
            name for name, module in self.modules.items() if module is not None and module.namespace is None and module.file is not _NOTHING
        ]


_NOTHING = SourceFile("", Signature(0, 0, 0, 0), b"", Summary({}, {}, (), (), "", (), {}, NO_OUTLINE))

"""What was inside the data and classes of modules when these had been loaded: who changes it in place does so before anybody asks for a key."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from simcache.identity.process import files
from simcache.identity.process.library_data import LibraryData, forget, is_too_much, may_be_record, note_data
from simcache.identity.process.taken import ABSENT, Guard, Itself, guard_of, is_little, watched

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
else:
    ModuleSpec = type(__spec__)  # that module is loaded by few

_seen: dict[str, object] = {}
"""By file the specification of the module that was looked into."""
_inside: dict[int, Guard] = {}
"""Of containers and arrays what was in them."""
_noted: dict[str, list[int]] = {}
"""By file what was remembered of its module, until that is loaded again."""
_of_scripts: dict[str, tuple[frozenset[tuple[str, int]], dict[int, tuple[Guard | None, list[LibraryData]]]]] = {}
"""By script what its names stood for as it was looked at last, and what was remembered of these by that alone."""
_members: dict[int, tuple[object, dict[str, object]]] = {}
"""Of classes what they had."""


def note_loaded() -> None:
    """Remember what the modules of the project say and hold that were loaded since the last time, and be told of the end of those that are not."""
    files.note_loaded()
    for path, spec, namespace in list(files.loaded_modules()):
        if spec is None:  # of a script nobody is told when it is loaded: it is looked at as each of its functions is made
            _note_script(path, _names_of(namespace))
            continue
        if _seen.get(path) is spec:
            continue
        if getattr(spec, "_initializing", False):
            if type(spec) is ModuleSpec:
                spec.__class__ = _Loading
            continue
        _seen[path] = spec
        files.note_end(path)
        for one in _noted.get(path, ()):
            _members.pop(one, None)
            _inside.pop(one, None)
        _noted[path] = [one for held in _names_of(namespace).values() for one in _note(held, namespace.get("__name__"))]


def _names_of(namespace: Mapping[str, object]) -> dict[str, object]:
    """What a module holds, but for what Python gives to each."""
    return {name: held for name, held in list(namespace.items()) if not name.startswith("__")}


def _note_script(path: str, names: dict[str, object]) -> None:
    """Remember what is in the data that a script holds now, and forget what it holds no more: it may make large things in a loop.

    What another module holds, too, stays known as it was there.
    """
    before, own = _of_scripts.get(path, (frozenset(), {}))
    now = frozenset((name, id(held)) for name, held in names.items())
    ids = {one for _, one in now}
    for gone in own.keys() - ids:
        guard, data = own.pop(gone)
        if guard is not None and _inside.get(gone) is guard:
            del _inside[gone]
        for one in data:
            forget(one)
    for name, held in names.items():
        if (name, id(held)) not in before:
            guard, data = _note_inside(held)
            if guard is not None or data:
                known, others = own.get(id(held), (None, []))
                own[id(held)] = guard or known, [*others, *data]
    _of_scripts[path] = now, own


def _note(held: object, module: object) -> Iterator[int]:
    """Remember what is in something that a module holds; of a class only if it is the module's own."""
    if issubclass(type(held), type):  # asked of the type: what stands for something else may fail at being asked
        if vars(held).get("__module__") == module and id(held) not in _members:
            _members[id(held)] = held, dict(vars(held))
            yield id(held)
            for inside in list(vars(held).values()):
                yield from _note(inside, module)
    elif _note_inside(held)[0] is not None:
        yield id(held)


def _note_inside(held: object) -> tuple[Guard | None, list[LibraryData]]:
    """Remember what is in a container, an array, in data of a library, or in an object that holds such; what of that was not known yet."""
    guard, data = None, list[LibraryData]()
    try:
        if id(held) not in _inside and is_little(held, is_too_much):  # the first module that holds it is the one that has made it
            guard = _inside[id(held)] = guard_of(Itself(held), "", held)
        holds_data, data = note_data(held)
        if holds_data and id(held) not in _inside and may_be_record(held):
            guard = _inside[id(held)] = watched(held)
    except Exception:  # whatever a class makes of being looked at: what cannot be, nobody loads a module for
        return guard, data
    return guard, data


def is_changed(held: object) -> bool:
    """Whether somebody has put something else into a container, or into an array, since its module was loaded."""
    first = _inside.get(id(held))
    return first is not None and first.held is held and not first.holds()


def member_of(held: type, name: str, now: object) -> object:
    """What a class had under a name when its module had been loaded; what it has `now`, if nobody knows."""
    known, members = _members.get(id(held), (None, {}))
    return members.get(name, ABSENT) if known is held else now


def set_since(held: type) -> set[str]:
    """The names in a class under which somebody has set something since its module was loaded, or has changed a container."""
    known, members = _members.get(id(held), (None, {}))
    return {name for name, one in vars(held).items() if members.get(name, ABSENT) is not one or is_changed(one)} if known is held else set()


class _Loading(ModuleSpec):
    """The specification of a module that is being loaded: Python notes in it when that is done."""

    @property
    def _initializing(self) -> bool:
        return bool(vars(self).get("_initializing"))

    @_initializing.setter
    def _initializing(self, value: bool) -> None:
        vars(self)["_initializing"] = value
        if not value:
            self.__class__ = ModuleSpec  # type: ignore[assignment]
            note_loaded()

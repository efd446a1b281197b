"""What keeps what it makes of all that it reads (machine code, results), among the functions and classes that a closure reaches."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property, partial
from types import CodeType, FunctionType
from typing import Any

from simcache.errors import MadeBefore, Unkeyable
from simcache.identity.closure import Closure
from simcache.identity.process.bytecode import functions_within
from simcache.identity.process.made import behind, is_name, node_of
from simcache.identity.process.modules import underlying
from simcache.identity.process.taken import ABSENT, Variable
from simcache.identity.text.piece import digest_of

_HELD = "may keep what was made before code that it reaches was edited in place: start anew"
_ON_DISK = ("joblib", "numba")
"""Packages whose functions keep on disk what they make of others."""
_OF_KEEPERS = ("functools", *(f"{package}." for package in _ON_DISK))
"""Where the types of all come from."""


def check_kept(closure: Closure, start: str) -> None:
    """Raise MadeBefore if what one of them keeps was made before something that it reads was set or written anew."""
    # By their types, so that a process that hits, which is short, loads what knows of such functions only if it reaches one.
    met_as_objects = ((one, text) for held, text in closure.again.decorated() for one in _inside(held))
    found = [(one, text) for one, text in (*closure.keeping, *met_as_objects) if type(one).__module__.startswith(_OF_KEEPERS)]
    compiled_inside = [*_compiled_inside(closure)] if "numba" in closure.outside and "numba" in sys.modules else []
    if not found and not compiled_inside:
        return
    from simcache.identity.process.frozen import Kept, check, keeps, remembers
    from simcache.identity.process.on_disk import Inside, make_anew

    met: dict[int, tuple[object, set[str]]] = {}
    for one, text in found:  # some are met by their name and as an object
        if keeps(one):
            met.setdefault(id(one), (one, set()))[1].add(text)
    for function, code, node in compiled_inside:
        inside = Inside(code, function.__globals__)
        met[id(inside)] = inside, {node}
    kept: list[Kept] = []
    for one, texts in met.values():
        nodes = sorted(text.partition("=")[0] for text in texts)
        reached = sorted(filter(is_name, behind([*nodes, node_of(one)], closure.made.edges.get)))
        read = digest_of(*sorted(texts), *(closure.parts.get(name, "") for name in reached), *closure.patches(reached))
        beyond = any(_is_own(closure, name) for name in reached if name not in nodes)
        edited = closure.edited_since(nodes[0].partition(":")[0], reached)
        kept.append(Kept(nodes[0].replace(":", "."), one, frozenset(nodes), reached, read, beyond, edited))
    context = (closure.project.own, tuple(sorted(closure.project.packages)))
    make_anew(kept, context)
    for row in kept:
        if isinstance(row.function, Inside):
            continue
        # Which attributes of an object of options count depends on all that is reached, and no machine code is made of such.
        check(row, (*context, start if remembers(row.function) else ""))


def check_held(closure: Closure) -> None:
    """Raise MadeBefore if functions were given other code in place, and something keeps what nobody can tell when it was made.

    That is a cached property, and what code fills in default values, classes and functions.
    """
    patched = {row.partition(" ")[0] for row in closure.patches(filter(is_name, closure.parts))}
    if not patched:
        return
    for node, name in _holders(closure):
        if not patched.isdisjoint(behind([node], closure.made.edges.get)):
            raise MadeBefore(name, _HELD)


def _holders(closure: Closure) -> Iterator[tuple[str, str]]:
    """By what code is known that may keep something so, and the name of it."""
    one: Any
    for node, one, told in (*closure.named(), *((node_of(one), one, ()) for one in closure.objects.kept)):
        for name, held in [*vars(one).items()] if isinstance(one, (type, FunctionType)) else ():
            if isinstance(held, cached_property) or (
                _is_filled(held) and not name.startswith("__") and not _is_told(closure, name, held, told)
            ):
                yield node, f"{one.__qualname__}.{name}"
        for function in functions_within(one):
            if any(map(_is_filled, (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()))):
                yield node, function.__qualname__


def _is_told(closure: Closure, name: str, held: object, told: Sequence[str]) -> bool:
    """Whether something in a class is what its text tells."""
    with suppress(Unkeyable):
        return f"{name} {closure.objects.value_digest(held, name)}" in told
    return False


def _is_filled(held: object) -> bool:
    return isinstance(held, (dict, list, set)) and len(held) > 0


def late(closure: Closure) -> frozenset[str]:
    """The modules of the project, and the packages, that are loaded only as the code runs, where something may be kept on disk."""
    packages = closure.outside.intersection(_ON_DISK)
    return frozenset({*closure.again.not_loaded(), *packages} - sys.modules.keys()) if packages else frozenset()


def _inside(held: object) -> Iterator[object]:
    """An object, and what the function of a decorator has captured, which calls it."""
    queue, seen = [held], set[int]()
    while queue:
        one = queue.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, FunctionType) and one.__closure__:
            queue += [Variable(cell).get("", None) for cell in one.__closure__]
        elif type(one) is partial:
            queue.append(one.func)


def _compiled_inside(closure: Closure) -> Iterator[tuple[FunctionType, CodeType, str]]:
    """The functions inside functions that numba may compile as these run (`@njit(cache=True)` in a body): around it, its code, the node."""
    for held, node in closure.again.functions():
        function = underlying(held)
        if isinstance(function, FunctionType) and (codes := [*_codes_in(function.__code__)]):
            names = {name for code in (function.__code__, *codes) for name in code.co_names}
            if "numba" in names or any(_is_of_numba(function.__globals__.get(name)) for name in names):
                yield from ((function, code, node) for code in codes)


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            if not one.co_name.startswith("<") or one.co_name == "<lambda>":
                yield one
            yield from _codes_in(one)


def _is_of_numba(held: object) -> bool:
    return str(getattr(held, "__module__", None) or getattr(held, "__name__", "")).partition(".")[0] == "numba"


def _is_own(closure: Closure, node: str) -> bool:
    """Whether a name stands for something of the project, and neither for a library, nor one of Python's own names, nor what a library has
    for those who decorate functions (`memory = joblib.Memory(…)`). Of what is imported, the name where it was made is told as well.
    """
    name, _, inside = node.partition(":")
    module = closure.project.modules.get(name)
    held = ABSENT if module is None or module.namespace is None else module.namespace.get(inside, ABSENT)
    if node not in closure.parts:
        return held is not ABSENT and module is not None and inside not in module.file.summary.names
    return not type(held).__module__.startswith(_OF_KEEPERS) or callable(held)

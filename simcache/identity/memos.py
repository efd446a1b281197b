"""Memos of one's own: what code fills as it runs, and reads again, may be of before that code was changed, as notebooks change it."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from simcache.errors import MadeBefore
from simcache.identity.again import Filled
from simcache.identity.closure import Closure
from simcache.identity.process.made import behind, is_name, is_text
from simcache.identity.text.piece import digest_of
from simcache.named_tuple import NamedTuple

_FILLED = "may hold what was put there before the code that fills it was changed: empty it, define it again, or start anew"
_CONTAINERS = (dict, list, set)
_GONE = object()
_UNKNOWN = ""
"""What the code said, where of what is held some may have come by one text and some by another."""


class _Met(NamedTuple):
    """What a name held when it was met last."""

    held: Callable[[], object]
    """Of other things than containers a weak reference, where there can be one: they may be large."""
    needed: bool
    """It was made as it was needed (`DATA = None`), between two of these times."""
    text: str
    """What the code says that fills it."""


_met: dict[tuple[int, str, str], _Met] = {}
"""By namespace, name, and the function that was followed."""


def check_memos(closure: Closure, start: str, filled: Iterable[Filled]) -> None:
    """Raise MadeBefore if something of what is filled, and read again, was not empty as the code was changed that fills it.

    What other values that code reads does not count: whoever keeps results by hand may keep them by such values. By code nobody does.
    """
    fillers: dict[tuple[int, str], tuple[dict[str, Any], list[str]]] = {}
    for namespace, name, node in filled:
        fillers.setdefault((id(namespace), name), (namespace, []))[1].append(node)
    for (space, name), (namespace, nodes) in fillers.items():
        held, text = namespace.get(name), _text_behind(closure, nodes)
        met = _met.get((space, name, start))
        was = held if met is None else met.held()
        needed = held is not None and (was is None or (met is not None and met.needed and was is held))
        edited = closure.edited_since(str(namespace.get("__name__")), nodes) if met is None else met.text != text
        if edited and _is_filled(was, held, needed=needed) and _is_read(closure, namespace, name):
            # The change may be taken back, and what came meanwhile stays.
            _met[space, name, start] = _Met(_reference(held), needed, _UNKNOWN)
            raise MadeBefore(f"{namespace.get('__name__')}.{name}", _FILLED)
        _met[space, name, start] = _Met(_reference(held), needed, text)


def _reference(held: object) -> Callable[[], object]:
    if not isinstance(held, _CONTAINERS):
        try:
            kept = weakref.ref(held)
        except TypeError:  # a number, a text
            return lambda: held
        return lambda: _GONE if (now := kept()) is None else now  # whoever bound the name anew made nothing that was lacking
    return lambda: held


def _text_behind(closure: Closure, nodes: Iterable[str]) -> str:
    """One digest of what the code says that leads from these nodes."""
    reached = sorted({*behind(nodes, closure.made.edges.get)})
    said = [*closure.patches(filter(is_name, reached))]
    for node in reached:
        if is_name(node):
            module = closure.project.modules.get(node.partition(":")[0])
            piece = None if module is None else module.file.summary.names.get(node.partition(":")[2])
            said += [node] if piece is None else [node, piece.digest]
        elif is_text(node):
            said.append(node)
    return digest_of(*said)


def _is_filled(was: object, held: object, *, needed: bool) -> bool:
    """Whether the same container holds something still, or what was to be made as it is needed (`DATA = None`) has been made."""
    if isinstance(held, _CONTAINERS):
        return (needed or was is held) and any(True for _ in held)
    return needed


def _is_read(closure: Closure, namespace: dict[str, Any], name: str) -> bool:
    """Whether functions that are reached do more with it than fill it: a log, a counter, a table of results for people are no memo."""
    modules = [module for module in closure.project.modules.values() if module is not None and module.now().namespace is namespace]
    texts = [module.file.content for module in modules] or [text.encode() for text in closure.objects.cells.values()]
    reached = {node.partition(":")[2].partition(".")[0] for node in (*closure.parts, *closure.again.nodes_in_cells())}
    from simcache.identity.text.read_again import is_read  # code is seldom edited

    return any(is_read(text, name, reached) for text in texts)

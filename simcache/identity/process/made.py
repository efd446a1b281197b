"""What a module worked out as it was loaded: whether that is still made of what the files say."""

import contextlib
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from simcache.errors import SourceChanged
from simcache.identity.process.files import held_when_noted, reads_as_before, times_patched
from simcache.identity.process.modules import Module


class Made:
    """Remembers which names lead to which, and asks them all again after a module was edited and loaded again.

    A notebook loads again just what was edited, or sets no more than the edited names. What other modules had made of it as they were
    loaded (a table, a decorated function) stays, and leaves no trace in any text.
    """

    def __init__(self) -> None:
        self.edges: dict[str, list[str]] = {}
        """Of each piece, of each module taken whole and of each object that was followed, the names and objects that it leads to."""
        self._noted: list[str] = []
        self._made: list[tuple[Module, list[str]]] = []
        """By which module, and the names that it is made of."""
        self._order: dict[str, int] | None = None
        """In which modules were last loaded to their end."""

    def note(self, module: Module, name: str) -> None:
        """A name of a module is looked up; `*` is all of it."""
        self.lead_to(f"{module.name}:{name}")

    def lead_to(self, node: str) -> None:
        """What is looked at now leads to this."""
        self._noted.append(node)

    @contextlib.contextmanager
    def noting(self, node: str = "") -> Iterator[list[str]]:
        """The names that are looked up meanwhile; it is these that a node leads to."""
        before, self._noted = self._noted, []
        if node:
            self.edges[node] = self._noted
        try:
            yield self._noted
        finally:
            self._noted = before

    def add(self, module: Module, names: list[str]) -> None:
        """Something was made of these names when the module was loaded."""
        self._made.append((module, names))

    def check(self, modules: Mapping[str, Module | None]) -> None:
        """Raise SourceChanged if something was made of a module that was edited and loaded again, or set anew, since: it is of the old text."""
        for module, names in self._made:
            if (edited := self.edited_since(module.name, names, modules)) is not None:
                raise SourceChanged(edited.file.path)

    def edited_since(self, maker: str, names: Iterable[str], modules: Mapping[str, Module | None]) -> Module | None:
        """A module of which one of these names, or of those that they lead to, was edited and loaded again, or set anew, since a maker was loaded."""
        if self._order is None:
            self._order = {name: at for at, name in enumerate(list(sys.modules))}
        since = self._order.get(maker, len(self._order))
        for node in behind(names, self.edges.get):
            source, _, name = node.partition(":")
            other = modules.get(source)
            if other is not None and (
                _is_set_anew(other, name) or (self._order.get(source, 0) > since and not reads_as_before(other.file, name))
            ):
                return other
        return None

    def leading_to(self, names: Iterable[str]) -> set[str]:
        """All that leads to one of these names, and they themselves."""
        wanted = set(names)
        if not wanted:
            return wanted
        back: dict[str, list[str]] = {}
        for node, targets in self.edges.items():
            for target in targets:
                back.setdefault(target, []).append(node)
        return {*behind(wanted, back.get)}


def _is_set_anew(module: Module, name: str) -> bool:
    """Whether an edited name, or any for "*", was bound anew without loading the module again, as IPython's autoreload does it.

    Functions of which the text differs were given its code: whoever has met them knows that.
    """
    before, held = module.before, module.namespace
    if held is None:
        return False
    now, path = module.file.summary, module.file.path
    names = [one for one in ((*now.names,) if name == "*" else (name,)) if one in held]
    if any(times_patched(path, held, one) for one in names):
        return True  # it may be the old text again, of which not all was made meanwhile
    return before is not None and any(
        before.piece(one) != (piece := now.piece(one))
        and (held_when_noted(module.file, held, one, once=True) is not held[one] or (piece is not None and piece.kind in ("class", "def")))
        for one in names
    )


def node_of(held: object) -> str:
    """By what an object that is followed is known among the names."""
    return f"object {id(held)}"


def text_node(digest: str) -> str:
    """By what a text that has no place in a module is known among the names."""
    return f"text {digest}"


def is_text(node: str) -> bool:
    """Whether it is a text that has no place in a module."""
    return node.startswith("text ")


def is_name(node: str) -> bool:
    """Whether it is a name, and neither an object of this process nor a text."""
    return ":" in node


def behind(names: Iterable[str], led_to: Callable[[str], Iterable[str] | None]) -> Iterator[str]:
    """These names, and all that they lead to."""
    queue, seen = deque(names), set(names)
    while queue:
        node = queue.popleft()
        yield node
        further = [new for new in dict.fromkeys(led_to(node) or ()) if new not in seen]
        queue.extend(further)
        seen.update(further)

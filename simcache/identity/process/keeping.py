"""What code keeps on its own account in classes, and in counters of other modules, as it runs: no setting of a program, so no key."""

from collections.abc import Callable, Iterable
from functools import cached_property

from simcache.identity.process.options import Upon
from simcache.identity.text.piece import Piece
from simcache.identity.text.use import ADDS, COUNTS, PUTS, READS, REMEMBERS, Setting

_ADDS_UP = frozenset({COUNTS, ADDS})


class Keeping:
    """Tells counts, sums, memos and logs from what a program sets up between two calls.

    Nobody knows who calls a method that sets something. So of what is asked for, only what code that may run adds up, remembers or logs is
    its own; of what is not asked for, all that it sets, and what others add up and log.
    """

    def __init__(self, upon: Callable[[], Upon]) -> None:
        self._find_upon = upon
        self._set: dict[str, set[tuple[str, str | None]]] = {}
        """By place how it is set, and by which method that may run if it is asked for; none by what does not run."""
        self._filled: dict[str, set[str | None]] = {}
        """By attribute whose objects are changed in place the methods that do so."""
        self._read: set[str] = set()
        """Attributes that are read where an instance is made."""

    @cached_property
    def _upon(self) -> Upon:
        """What running code asks for: found out only where it matters."""
        return self._find_upon()

    def note(self, piece: Piece, places: Callable[[str], Iterable[str]], *, reached: bool) -> None:
        """What a function or class does, where it may run if it is reached; `places` tells what its chains lead to."""
        for setting in map(Setting.of, piece.sets):
            if setting.how == READS:
                self._read.add(setting.chain.rpartition(".")[2])
                continue
            for place in places(setting.chain):
                self._set.setdefault(place, set()).add((setting.how, setting.method if reached else None))
        for method, _, name in (row.partition(" ") for row in piece.filled):
            self._filled.setdefault(name, set()).add(method if reached else None)

    def places(self) -> set[str]:
        """What is kept in classes, and counters of modules, as `module:name` or `module:class.attribute`."""
        return {place for place, found in self._set.items() if self._is_kept(place, found)}

    def _is_kept(self, place: str, found: set[tuple[str, str | None]]) -> bool:
        ways = {how for how, _ in found}
        _, dot, name = place.partition(":")[2].rpartition(".")
        if not dot:
            return COUNTS in ways
        running = {how for how, method in found if self._runs(method)}
        if running & _ADDS_UP or (REMEMBERS in running and PUTS not in ways):
            return True
        return bool(running or ways & _ADDS_UP) and not self._is_asked_for(name)

    def fills(self, name: str) -> bool:
        """Whether the objects of an attribute of this name are logs and memos."""
        methods = self._filled.get(name, set())
        return any(map(self._runs, methods)) or (bool(methods) and not self._is_asked_for(name))

    def _runs(self, method: str | None) -> bool:
        return method == "" or (method is not None and self._upon.may_run(method))

    def _is_asked_for(self, name: str) -> bool:
        return name in self._read or self._upon.asks_for(name)

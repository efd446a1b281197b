"""What has been set in objects of options since they were made, by methods that the code which is reached does not call."""

from collections.abc import Collection, Container, Iterable, Iterator

from simcache.identity.text.use import ALL, ANY, CALLS, FOLLOWS, ITEMS, MAKERS, OWN, SETS, Use


class Running:
    """What the code that is reached does with attributes, whatever they are attributes of: functions, and the methods that these ask for."""

    def __init__(self, uses: Iterable[tuple[str, Use]]) -> None:
        """Each use with the class of which it is a method, empty for that of a function; they are gone through where there is an instance."""
        self._uses = uses
        self._upon: dict[tuple[frozenset[str], frozenset[str]], Upon] = {}

    def upon(self, classes: frozenset[str], called: frozenset[str] = frozenset()) -> "Upon":
        """The same for an instance that is built upon these classes; methods of the `called` names may run, whoever asks for them."""
        if (classes, called) not in self._upon:
            self._uses = [*self._uses]
            self._upon[classes, called] = Upon([*self._uses, ("", Use("", asks=called))], classes)
        return self._upon[classes, called]


class _Names:
    """Names of which some are known only by how they begin (`phase_*`): these few are gone through for each one that is looked up."""

    def __init__(self) -> None:
        self.exact: set[str] = set()
        self.open: set[str] = set()
        self.set_anything = False
        """Whether one is of what is set."""

    def update(self, names: Iterable[str]) -> None:
        for name in names:
            (self.open if ANY in name else self.exact).add(name)
            self.set_anything |= name.endswith("=")

    def has(self, name: str, *kinds: str) -> bool:
        """Whether a name is among them."""
        return name in self.exact or any(
            name.startswith(one.removesuffix(kind)) for kind in kinds for one in self.open if one.endswith(kind)
        )


class Upon:
    """What running code may do with instances of one class: what methods of other classes do with their own instance does not count.

    Python's own methods (`__call__`) may always run.
    """

    def __init__(self, uses: Iterable[tuple[str, Use]], classes: Collection[str]) -> None:
        self._asks = _Names()
        self._asks_elsewhere = _Names()
        self.stores = _Names()
        self.fills: set[str] = set()
        runs: list[tuple[str, Use]] = []
        waiting: dict[tuple[str, bool], list[tuple[str, Use]]] = {}
        for of, use in uses:
            (waiting.setdefault((use.name, of in classes), []) if of else runs).append((of, use))
        while runs or (runs := [one for key in [*waiting] if self._may_run(*key) for one in waiting.pop(key)]):
            of, use = runs.pop()
            for found, names in ((self._asks, use.asks), (self.stores, use.stores), (self.fills, use.fills)):
                found.update(name.removeprefix(OWN) for name in names if of in classes or not name.startswith(OWN))
            self._asks_elsewhere.update(name.removeprefix(OWN) for name in use.asks)
            for name in use.asks:  # what is named is looked up at once, so that all that waits is gone through only for what is not
                runs += [
                    one
                    for own in (False, True)
                    if self._may_run(name.removeprefix(OWN), own)
                    for one in waiting.pop((name.removeprefix(OWN), own), ())
                ]

    def _may_run(self, name: str, own: bool) -> bool:
        asks = self._asks if own else self._asks_elsewhere
        if name in ("__setattr__", "__delattr__", "__set__", "__delete__"):
            return asks.set_anything
        if name == "__set_name__":  # it ran as the class was made
            return False
        if name in ("__setitem__", "__delitem__"):
            return "__setitem__" in asks.exact
        kind = SETS if name.endswith("=") else CALLS
        return asks.has(name, kind) or name in MAKERS or (name.startswith("__") and name.endswith("__"))

    def may_run(self, method: str) -> bool:
        """Whether a method of this name may run, whoever asks for it."""
        return self._may_run(method, own=True)

    def asks_for(self, name: str) -> bool:
        """Whether an attribute is read."""
        return ALL in self._asks.exact or self._asks.has(name, ANY, CALLS)

    def asked(self) -> set[str]:
        """The attributes that are read, as far as they are told by their whole names."""
        return self._asks.exact

    def sets(self, name: str) -> bool:
        """Whether an attribute of this name may be set."""
        return self.stores.has(name, ANY)

    @property
    def sets_anything(self) -> bool:
        """Whether an attribute is set of what may be such an instance."""
        return bool(self.stores.open or self.stores.exact - {ITEMS})

    def is_unset(self, name: str) -> bool:
        """Whether nothing sets an attribute, nor changes what is in it."""
        return name not in self.fills and not self.sets(name)

    def is_only_read(self, name: str) -> bool:
        """Whether nothing of an attribute is set by what may run, while it is read."""
        if name == ITEMS:
            return name not in self.stores.exact
        return not self.sets(name) and self.asks_for(name)


def worked_out(uses: Iterable[Use], held: Container[str]) -> set[str]:
    """The attributes in which methods put more than they are given; also what is made of such, of itself, or of what is no attribute."""
    every = {name for use in uses for name in use.works_out}
    made_of: dict[str, set[str]] = {}
    for name, _, of in (name.partition(FOLLOWS) for name in every):
        if of:
            made_of.setdefault(name, set()).add(of)
    found = {name for name in every if FOLLOWS not in name}
    found |= {name for name, of in made_of.items() if name in _behind(name, made_of) or not all(one in held for one in of)}
    while more := {name for name, of in made_of.items() if of & found} - found:
        found |= more
    return found


def _behind(name: str, made_of: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    queue = [*made_of.get(name, ())]
    while queue:
        if (one := queue.pop()) not in found:
            found.add(one)
            queue += made_of.get(one, ())
    return found


def made_with(uses: Iterable[Use]) -> Iterator[str]:
    """The attributes that hold what was made with an instance, which may be options again."""
    return (name for use in uses for name in use.makes)

"""Every way the solver can refuse."""

from collections.abc import Iterable, Mapping


class ArzError(Exception):
    """Anything that arz refuses; catch this to catch all of it."""


class Unknown(ArzError, KeyError):
    """There is no kind of this name: choose one of `known`."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.what = what
        self.name = name
        self.known = tuple(known)
        super().__init__(what, name, self.known)

    def __str__(self) -> str:
        apart = "; " if any("," in name for name in self.known) else ", "
        return f"there is no {self.what} named {self.name!r}; known: {apart.join(self.known)}"


class Invalid(ArzError, ValueError):
    """What was given cannot be run: mend the field at `path` as `remedy` says; `others` are further faults of the same input."""

    def __init__(self, path: str, problem: str, remedy: str, others: "tuple[Invalid, ...]" = ()) -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        self.others = others
        super().__init__(path, problem, remedy, others)

    def __str__(self) -> str:
        return "\n".join([f"{self.path}: {self.problem}; {self.remedy}", *map(str, self.others)])


class NoRoom(ArzError, MemoryError):
    """The memory of a device holds only `fit` of the worlds asked for: ask for no more at a time."""

    def __init__(self, device: str, worlds: int, fit: float) -> None:
        self.device = device
        self.worlds = worlds
        self.fit = max(int(fit), 0)
        super().__init__(device, worlds, fit)

    def __str__(self) -> str:
        remedy = "make simulators of no more at a time, or free what waits in its pool"
        return f"the memory of {self.device} does not hold {self.worlds} worlds, only {self.fit}: {remedy}"


class Unstable(ArzError):
    """A run went wrong numerically and was stopped: `road` and `cell` of world `world` at `time_s`; do as `remedy` says; what was before is kept."""

    result: object = None
    """Of `run`: the Result of the whole intervals before, with the last sound state."""

    def __init__(
        self, time_s: float, world: int, road: str, cell: int, state: Mapping[str, float | str], problem: str, remedy: str
    ) -> None:
        self.time_s = time_s
        self.world = world
        self.road = road
        self.cell = cell
        self.state = dict(state)
        self.problem = problem
        self.remedy = remedy
        super().__init__(time_s, world, road, cell, self.state, problem, remedy)

    def __str__(self) -> str:
        values = ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in self.state.items())
        where = f" in world {self.world}, road {self.road!r}, cell {self.cell}" if self.state else ""
        return f"at {self.time_s:g} s{where} the state {self.problem}{f' ({values})' if values else ''}; {self.remedy}"

"""What a backend promises.

A backend holds a batch of worlds that share one plan and one longest time step. Its arrays are its own; what goes in and comes out is in
the order [world, class, cell] and does not depend on how the backend lays it out, so a state moves between backends and batch sizes.
Worlds do not know each other: each is computed to the last bit as if it were alone.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Books:
    """What a batch of worlds keeps account of, in float64."""

    waiting: Array
    """[world, source, class], vehicles."""
    entered: Array
    """[world, source, class, (sum, what rounding added too much)], vehicles since the start; so is left[world, sink, class, …]."""
    left: Array
    removed: Array
    """[world, class], y that the velocity limiter took, veh·m/s."""


@dataclass(frozen=True)
class State(Books):
    """All that a batch of worlds remembers, apart from clock and lights."""

    rho: Array
    """[world, class, cell]; so is y."""
    y: Array


@dataclass(frozen=True)
class Orders:
    """What holds during one control interval."""

    start_s: float
    dt: float
    steps: int
    limit: Array
    """[world, section, class], m/s."""
    windows: Array
    """[light, window, (begin, end), world], s: when it is green."""
    rate: Array
    """[world, meter], veh/s."""
    times: Array
    """[world, piece], s, when the demand changes; rising, padded with infinity."""
    arriving: Array
    """[source, class, piece, world], veh/s. Both are never written to: as long as this is the same array, so are they."""


@dataclass(frozen=True)
class Counted:
    """What one control interval was: float64 [world, road, class] for whole roads, all lanes.

    `spent` and `distance` are sums over the steps of vehicles and of vehicle-metres a second, to be multiplied by the length of a step;
    `inside` and `queue` are vehicles at its end. faults counts [world] unsound cells.
    """

    spent: Array
    distance: Array
    inside: Array
    queue: Array
    faults: Array


@dataclass(frozen=True)
class Held:
    """What the last interval was, where it was computed: the fields of `Counted`, of types that other packages take over by DLPack.

    They are written again by the next interval. Only `faults` is an array of numpy.
    """

    spent: Any
    distance: Any
    inside: Any
    queue: Any
    faults: Array


@dataclass
class Traffic:
    """What went between host and device since the process began, and how often the device was sent to work."""

    copies_in: int = 0
    bytes_in: int = 0
    copies_out: int = 0
    bytes_out: int = 0
    launches: int = 0


class Backend(Protocol):
    """Holds worlds of one plan: place a state, advance it, count, fetch it."""

    @property
    def traffic(self) -> Traffic:
        """Of its device; where that is the host, nothing travels."""
        ...

    def place(self, state: State) -> None: ...

    def advance(self, orders: Orders) -> None: ...

    def count(self) -> Counted:
        """What the last `advance` was; after `place`, the state itself."""
        ...

    def held(self) -> Held:
        """The same without a copy."""
        ...

    def fetch(self) -> State: ...

    def books(self) -> Books:
        """The small part of `fetch`."""
        ...

    def go_back(self) -> None:
        """Returns to the state before the last `advance`."""
        ...

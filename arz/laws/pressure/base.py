"""What a closure promises: the speed that a driver's marker and the occupancy around it make, and its inverses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Law5: TypeAlias = Callable[[float, float, float, float, float], float]
Law6: TypeAlias = Callable[[float, float, float, float, float, float], float]


@dataclass(frozen=True, slots=True)
class Closure:
    """One form of v(w, r): six scalar laws that belong together, for one class of vehicles.

    w is the marker (m/s), the speed on an empty road; r is the occupancy that the class feels (effective veh/m per lane, see `state`).
    Every law ends in the same three numbers, constant on a road: `scale`, `jam` (effective veh/m per lane), `shape` (no unit).
    An additive closure's scale is its pressure (m/s), a product's is 1/jam, given because a division costs as much as ten products.
    A closure ignores those of the three that it does not know.

    For w ≥ 0 and r ≥ 0, up to rounding: velocity(w, 0) = w, 0 ≤ velocity ≤ w, it falls with r, and r·velocity(w, r) is concave in r
    as long as it is positive.
    """

    name: str
    velocity: Law5
    """(w, r, …) → v, never below 0."""
    slope: Law5
    """(w, r, …) → ∂v/∂r ≤ 0, at a kink from the side of less occupancy. An additive closure gives it as if v were not held at 0: the
    start wave of standing traffic, which a time step must resolve, is there whichever way the last bit of w fell."""
    occupancy: Law5
    """(w, v, …) → the occupancy in which the marker w moves at v ≥ 0; an uncongested one where v ≥ w."""
    fan: Law5
    """(w, ξ, …) → the occupancy ≥ 0 at which the slower characteristic ∂(r v)/∂r is ξ; ξ = 0 gives the occupancy of greatest flow."""
    lowered: Law6
    """(w, v, r, …) → w, or, where that would move faster than v in the occupancy r, the marker that moves at v."""
    target: Law6
    """(speed limit, equilibrium speed, r, …) → the marker that drivers relax to."""
    built_in_equilibrium: bool = False
    """The equilibrium speed is velocity(speed limit, r): the closure asks no equilibrium law."""

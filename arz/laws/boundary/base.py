"""What an end of a road promises."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class End:
    """One kind of end: of what wants to pass and what has room behind it, how much passes. All in veh/s.

    0 ≤ flux ≤ sent for every kind; what passes carries the marker of the side it comes from.
    """

    name: str
    flux: Callable[[float, float, float], float]
    """(sent, taken, cap) → flux. sent is the demand upstream of the end, taken the supply downstream of it, cap what the end lets pass."""

"""What an equilibrium law promises."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """The share g of the speed range that is left in the occupancy r: g(0) = 1, g(jam) = 0, falling, between 0 and 1."""

    name: str
    share: Callable[[float, float, float], float]
    """(r, jam, shape) → g."""

"""The velocity limiter: no cell becomes faster than the fastest traffic that could come into it.

The states slower than a given speed are not convex in (rho, y), so an average of two states that move at v, but differ in their
markers, moves faster than both: every conservative scheme overshoots at a contact, at any order and resolution. This law lowers y there
and leaves rho alone; where it acts, y is not conserved, and who applies it counts what it takes away.

Only a class that is alone has this maximum principle. A class that shares its road becomes faster than everybody around it where the
others leave, so the limiter would take y for good and lead to another solution: of several classes only the range of the markers is kept.
"""

from arz.jit import device, like
from arz.laws.order import between, larger
from arz.laws.pressure.registry import lowered


@device
def reaching(sent: float, taken: float, v_behind: float) -> float:
    """The speed behind a face, or 0 if it cannot come through: sent and taken are demand and supply at that face.

    Where supply decides, the waves between both sides run backwards, and all that enters the cell ahead moves at that cell's own speed.
    """
    return v_behind if sent < taken else like(v_behind, 0)


@device
def limited(
    code: int, y: float, rho: float, r: float, v_max: float, low: float, high: float, scale: float, jam: float, shape: float
) -> float:
    """Gives y such that its speed is at most v_max, the fastest of the cell and what can come into it, and low ≤ w ≤ high.

    The range wins: the maximum principle for markers is exact.
    """
    # By bounds on y, not on w = y/rho: that spares a division, and an empty cell needs no case of its own.
    fastest = larger(lowered(code, (high, v_max, r, scale, jam, shape)), low)
    return between(y, rho * low, rho * fastest)


@device
def ranged(y: float, rho: float, low: float, high: float) -> float:
    """Gives y such that low ≤ w ≤ high."""
    return between(y, rho * low, rho * high)

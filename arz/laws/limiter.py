"""The velocity limiter: no cell becomes faster than the fastest around it was.

The states slower than a given speed are not convex in (rho, y), so an average of two states that move at v, but differ in their
markers, moves faster than both: every conservative scheme overshoots at a contact, at any order and resolution. This law lowers y there
and leaves rho alone; where it acts, y is not conserved, and who applies it counts what it takes away.
"""

from arz.jit import device
from arz.laws.order import between, larger
from arz.laws.pressure.registry import lowered


@device
def limited(
    code: int, y: float, rho: float, r: float, v_max: float, low: float, high: float, scale: float, jam: float, shape: float
) -> float:
    """Gives y such that its speed is at most v_max, the fastest of the cell and its neighbours before the step, and low ≤ w ≤ high.

    The range wins: the maximum principle for markers is exact.
    """
    # By bounds on y, not on w = y/rho: that spares a division, and an empty cell needs no case of its own.
    fastest = larger(lowered(code, (high, v_max, r, scale, jam, shape)), low)
    return between(y, rho * low, rho * fastest)

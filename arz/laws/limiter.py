"""The velocity limiter: no cell becomes faster than the fastest around it was.

The states slower than a given speed are not convex in (rho, y), so an average of two states that move at v, but differ in their
markers, moves faster than both: every conservative scheme overshoots at a contact, at any order and resolution. This law lowers y there
and leaves rho alone; where it acts, y is not conserved, and who applies it counts what it takes away.
"""

from arz.jit import device, like
from arz.laws.order import between
from arz.laws.pressure.registry import lowered


@device
def limited(
    code: int, y: float, rho: float, r: float, v_max: float, low: float, high: float, scale: float, jam: float, shape: float
) -> float:
    """Gives y such that its speed is at most v_max, the fastest of the cell and its neighbours before the step, and low ≤ w ≤ high.

    The range comes last and wins: the maximum principle for markers is exact.
    """
    if rho > like(rho, 0):
        return rho * between(lowered(code, (y / rho, v_max, r, scale, jam, shape)), low, high)
    return like(rho, 0)

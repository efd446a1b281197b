"""The second order: slopes inside a cell, and the cell's own motion during half a step.

MUSCL of van Leer 1979, doi:10.1016/0021-9991(79)90145-1, in the form of Hancock. A face takes (rho, w) from the cell upstream and v from
the cell downstream.
"""

from arz.jit import device, like
from arz.laws.order import between, larger, smaller


@device
def half_slope(behind: float, ahead: float) -> float:
    """Half the slope of a cell from the differences to its neighbours: central, or twice the smaller one, or 0 where they disagree in sign.

    Half, because every use asks for the change from the middle of the cell to its face. No face value leaves the range of the neighbours.
    A cell at the end of a road has a difference of 0 there, so its slope is 0. van Leer 1977, doi:10.1016/0021-9991(77)90095-X.
    """
    # By extremes and not by cases: of the two bounds one is 0, and both are where the neighbours disagree.
    zero = like(behind, 0)
    highest, lowest = larger(smaller(behind, ahead), zero), smaller(larger(behind, ahead), zero)
    return between(like(behind, 0.25) * (behind + ahead), lowest, highest)


@device
def halfway_density(rho: float, v: float, half_rho: float, half_v: float, ratio: float) -> float:
    """Gives rho in the middle of the cell after half a step; ratio is dt/dx."""
    return larger(rho - ratio * (rho * half_v + v * half_rho), like(rho, 0))


@device
def halfway_marker(w: float, v: float, half_w: float, ratio: float) -> float:
    """Gives w in the middle of the cell after half a step: it moves with v. The speed follows from both by the closure."""
    return w - ratio * v * half_w


@device
def face_ahead(x: float, half: float) -> float:
    """A value that cannot be negative, at the downstream face of its cell."""
    return larger(x + half, like(x, 0))


@device
def face_behind(x: float, half: float) -> float:
    """A value that cannot be negative, at the upstream face of its cell."""
    return larger(x - half, like(x, 0))

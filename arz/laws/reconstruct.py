"""The second order: slopes inside a cell, and the cell's own motion during half a step.

MUSCL of van Leer 1979, doi:10.1016/0021-9991(79)90145-1, in the form of Hancock. A face takes (rho, w) from the cell upstream and v from
the cell downstream.
"""

from arz.jit import device, like
from arz.laws.order import larger


@device
def monotonized(behind: float, ahead: float) -> float:
    """The slope of a cell from the differences to its neighbours: central, or twice the smaller one, or 0 where they disagree in sign.

    No face value leaves the range of the neighbours. A cell at the end of a road has a difference of 0 there, so its slope is 0.
    van Leer 1977, doi:10.1016/0021-9991(77)90095-X.
    """
    if behind * ahead <= like(behind, 0):
        return like(behind, 0)
    central = like(behind, 0.5) * (behind + ahead)
    steepest = like(behind, 2) * (behind if abs(behind) < abs(ahead) else ahead)
    return central if abs(central) < abs(steepest) else steepest


@device
def halfway_density(rho: float, v: float, slope_rho: float, slope_v: float, ratio: float) -> float:
    """Gives rho in the middle of the cell after half a step; slopes are differences over the cell, ratio is dt/dx."""
    moved = rho - like(rho, 0.5) * ratio * (rho * slope_v + v * slope_rho)
    return larger(moved, like(rho, 0))


@device
def halfway_marker(w: float, v: float, slope_w: float, ratio: float) -> float:
    """Gives w in the middle of the cell after half a step: it moves with v. The speed follows from both by the closure."""
    return w - like(w, 0.5) * ratio * v * slope_w


@device
def face_ahead(x: float, slope: float) -> float:
    """A value that cannot be negative, at the downstream face of its cell."""
    return larger(x + like(x, 0.5) * slope, like(x, 0))


@device
def face_behind(x: float, slope: float) -> float:
    """A value that cannot be negative, at the upstream face of its cell."""
    return larger(x - like(x, 0.5) * slope, like(x, 0))

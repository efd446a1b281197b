"""v = w − p, p = scale·r/(jam − r): an additive closure whose pressure grows without bound, so that no marker reaches the jam.

It is the pressure of Berthelin, Degond, Delitala and Rascle 2008, doi:10.1007/s00205-007-0061-9, with exponent 1. `shape` is not used.
"""

import math

from arz.jit import device, like
from arz.laws.order import larger
from arz.laws.pressure.base import Closure


@device
def velocity(w: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - one signature for all closures
    return larger(w - scale * r / (jam - r), like(w, 0)) if r < jam else like(w, 0)


@device
def slope(w: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    room = jam - r
    return -scale * jam / (room * room) if room > like(w, 0) else like(w, 0)


@device
def occupancy(w: float, v: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return jam * (w - v) / (scale + w - v) if v < w else like(w, 0)


@device
def fan(w: float, xi: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return jam * (like(w, 1) - math.sqrt(scale / (scale + w - xi))) if xi < w else like(w, 0)


@device
def lowered(w: float, v: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    room = jam - r
    return v + scale * r / room if (w - v) * room > scale * r else w


@device
def target(limit: float, equilibrium: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    # Beyond the jam there is no such marker; the speed limit's stands in, with which nothing moves there either.
    return equilibrium + scale * r / (jam - r) if r < jam else limit


BOUNDED = Closure("bounded", velocity, slope, occupancy, fan, lowered, target)

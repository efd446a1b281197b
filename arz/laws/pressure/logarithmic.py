"""v = w − p, p = scale·log2(1 + r/jam): an additive closure whose pressure grows ever more slowly.

It stands for the logarithm K·ln(r/jam) of Aw and Rascle 2000, doi:10.1137/S0036139997332099, which is −∞ on an empty road; this one is 0
there, and `scale` at r = jam as with the power law. `shape` is not used.
"""

import math

from arz.jit import device, like
from arz.laws.order import larger, smaller
from arz.laws.pressure.base import Closure

LN2 = math.log(2.0)
NEWTON_STEPS = 6  # from the start below, float64 is exact after 5 for every (w − ξ)/scale up to 3


@device
def pressure(r: float, scale: float, jam: float) -> float:
    return scale * math.log1p(r / jam) / like(r, LN2)


@device
def velocity(w: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - one signature for all closures
    return larger(w - pressure(r, scale, jam), like(w, 0))


@device
def slope(w: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return -scale / (like(w, LN2) * (jam + r))


@device
def occupancy(w: float, v: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return jam * math.expm1(like(w, LN2) * (w - v) / scale) if v < w else like(w, 0)


@device
def fan(w: float, xi: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    if xi >= w:
        return like(w, 0)
    # With u = ln(1 + r/jam) the characteristic is ξ where u + 1 − e^−u = c. The left side is concave and at most 2u, so that
    # Newton's steps from c/2 climb to the root and never pass it.
    c = like(w, LN2) * (w - xi) / scale
    u = like(w, 0.5) * c
    for _ in range(NEWTON_STEPS):
        decay = math.exp(-u)
        u += (c - u - like(w, 1) + decay) / (like(w, 1) + decay)
    return jam * math.expm1(u)


@device
def lowered(w: float, v: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return smaller(w, v + pressure(r, scale, jam))


@device
def target(limit: float, equilibrium: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return equilibrium + pressure(r, scale, jam)


LOGARITHMIC = Closure("logarithmic", velocity, slope, occupancy, fan, lowered, target)

"""v = w − p, p = scale·(r/jam)^shape, shape ≥ 1: the additive closure of Aw and Rascle 2000, doi:10.1137/S0036139997332099.

The velocity is held at 0 where w < p, which two classes with different occupancies can reach though one class cannot.
"""

import math

from arz.jit import device, like
from arz.laws.order import larger, smaller
from arz.laws.pressure.base import Closure


@device
def pressure(r: float, scale: float, jam: float, shape: float) -> float:
    return scale * math.pow(r / jam, shape)


@device
def velocity(w: float, r: float, scale: float, jam: float, shape: float) -> float:
    return larger(w - pressure(r, scale, jam, shape), like(w, 0))


@device
def slope(w: float, r: float, scale: float, jam: float, shape: float) -> float:
    return -scale * shape / jam * math.pow(r / jam, shape - like(w, 1))


@device
def occupancy(w: float, v: float, scale: float, jam: float, shape: float) -> float:
    return jam * math.pow((w - v) / scale, like(w, 1) / shape) if v < w else like(w, 0)


@device
def fan(w: float, xi: float, scale: float, jam: float, shape: float) -> float:
    one = like(w, 1)
    return jam * math.pow((w - xi) / ((shape + one) * scale), one / shape) if xi < w else like(w, 0)


@device
def lowered(w: float, v: float, r: float, scale: float, jam: float, shape: float) -> float:
    return smaller(w, v + pressure(r, scale, jam, shape))


@device
def target(limit: float, equilibrium: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - one signature
    return equilibrium + pressure(r, scale, jam, shape)


POWER = Closure("power", velocity, slope, occupancy, fan, lowered, target)

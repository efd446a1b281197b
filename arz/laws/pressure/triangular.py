"""v = w·min(1, (jam/r − 1)·shape/(1 − shape)): the triangular diagram; shape is the critical over the jam occupancy.

With a common marker it is the first order model of Newell 1993, doi:10.1016/0191-2615(93)90038-C, whose demand/supply scheme is the
cell transmission model of Daganzo 1994, doi:10.1016/0191-2615(94)90002-7.
"""

from arz.jit import device, like
from arz.laws.order import larger, smaller
from arz.laws.pressure.base import Closure


@device
def velocity(w: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - one signature for all closures
    if r <= shape * jam:
        return w
    # At the kink the last bit may fall either way.
    return w * smaller(shape * larger(jam - r, like(w, 0)) / ((like(w, 1) - shape) * r), like(w, 1))


@device
def slope(w: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    if r <= shape * jam or r > jam:
        return like(w, 0)
    return -w * shape * jam / ((like(w, 1) - shape) * r * r)


@device
def occupancy(w: float, v: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return jam * w * shape / (w * shape + v * (like(w, 1) - shape)) if v < w else like(w, 0)


@device
def fan(w: float, xi: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    # The diagram has two straight branches: every characteristic between their speeds is at the kink.
    if xi >= w:
        return like(w, 0)
    return shape * jam if xi * (like(w, 1) - shape) > -w * shape else jam


@device
def lowered(w: float, v: float, r: float, scale: float, jam: float, shape: float) -> float:
    moving = velocity(w, r, scale, jam, shape)
    return w * v / moving if moving > v else w


@device
def target(limit: float, equilibrium: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return limit


TRIANGULAR = Closure("triangular", velocity, slope, occupancy, fan, lowered, target, built_in_equilibrium=True)

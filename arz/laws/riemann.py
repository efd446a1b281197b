"""What passes one point of a road: the flux of vehicles (veh/s per lane) between what stands before and behind it.

No flux is negative: nothing here can push vehicles back out of a queue. The flux of y is always that of the vehicles times the marker
upstream, which keeps every marker within the range of the data (the maximum principle).
"""

from collections.abc import Callable

from arz.jit import device, like, named, switch
from arz.laws.order import larger, smaller
from arz.laws.pressure.base import Closure
from arz.laws.pressure.registry import CLOSURES, Picked, fan, velocity


@device
def demand(code: int, rho: float, w: float, own: float, scale: float, jam: float, shape: float) -> float:
    """What a class that is alone sends if the road ahead is empty; `own` is its weight in its occupancy.

    Demand and supply are the exact Godunov flux of the one-class system at a fixed point: Lebacque, Mammar and Haj-Salem 2007.
    """
    critical = fan(code, (w, like(w, 0), scale, jam, shape))
    r = smaller(own * rho, critical)
    return r * velocity(code, (w, r, scale, jam, shape)) / own


def supply_of(closure: Closure) -> Callable[[float, float, float, float, float, float], float]:
    """Gives the law of supply of one closure, for loops that must not choose inside."""
    fan, occupancy, velocity = closure.fan, closure.occupancy, closure.velocity

    @device
    def law(w: float, v: float, own: float, scale: float, jam: float, shape: float) -> float:
        critical = fan(w, like(w, 0), scale, jam, shape)
        r = occupancy(w, v, scale, jam, shape)
        # r·v and not r·velocity(w, r): behind standing traffic it is exactly 0.
        return (r * v if r > critical else critical * velocity(w, critical, scale, jam, shape)) / own

    return named(law, "supply", closure.name)


_supply: Picked = switch(*(supply_of(closure) for closure in CLOSURES))


@device
def supply(code: int, w: float, v: float, own: float, scale: float, jam: float, shape: float) -> float:
    """What the road ahead, on which traffic moves at v, takes of traffic with marker w: on *its* curve, whatever drives there now."""
    return _supply(code, (w, v, own, scale, jam, shape))


@device
def flux_exact(sent: float, taken: float) -> float:
    """The Godunov flux of one class, from its demand upstream and its supply downstream."""
    return smaller(sent, taken)


@device
def flux_coupled(rho: float, w: float, v_ahead: float) -> float:
    """The flux of a class that shares the road: its density moves at the speed ahead, but no faster than its own marker.

    After Hilliges and Weidlich 1995, doi:10.1016/0191-2615(95)00018-9. Demand and supply of one class with the other held fixed do not
    converge where classes overtake. A cell is filled from behind at its own speed, up to w·(1 − r/jam), so it cannot overfill as long as
    dt·w/dx ≤ 1 for the highest marker w; the waves alone, which are slower than w in medium traffic, do not bound the step enough.
    """
    return rho * smaller(larger(v_ahead, like(v_ahead, 0)), w)


@device
def thinning(weight_m: float, weight_c: float, fill_m: float, fill_c: float) -> float:
    """The factor ≤ 1 on both densities at which two classes that share an approach flow most, if the road ahead is empty.

    weight is own·rho·w of a class, fill its occupancy over its occupancy of greatest flow (`fan` at 0). A queue that is let go thins out
    as a whole, so the demand of a class is its flux at both densities times this factor. For the multiplicative closure it is the exact
    maximum along that ray, and for one class alone, or two equal ones, for every closure.
    """
    one, zero = like(weight_m, 1), like(weight_m, 0)
    # Nobody, or who would stand on an empty road too, has no greatest flow: its fill is infinite, and 0 times that is no number.
    crowding = (weight_m * fill_m if weight_m > zero else zero) + (weight_c * fill_c if weight_c > zero else zero)
    weight = weight_m + weight_c
    return weight / crowding if crowding > weight else one

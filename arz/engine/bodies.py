"""The work of one cell, one face and one end of a road, from the laws: what every backend's loops call."""

from typing import Any

from arz.jit import device, like
from arz.laws.equilibrium.registry import equilibrium_speed
from arz.laws.limiter import limited, ranged, reaching
from arz.laws.order import larger, smaller
from arz.laws.pressure.registry import fan, target, velocity
from arz.laws.reconstruct import face_ahead, face_behind, half_slope, halfway_density, halfway_marker
from arz.laws.relaxation import relaxed
from arz.laws.riemann import demand, flux_coupled, flux_exact, supply, thinning
from arz.laws.state import marker, occupancy_of


@device
def read_cell(
    closure: int,
    rho: float,
    y: float,
    rho_other: float,
    own: float,
    other: float,
    scale: float,
    jam: float,
    shape: float,
    low: float,
    high: float,
) -> tuple[float, float]:
    """The marker and the speed of one class in a cell."""
    w = marker(rho, y, low, high)
    return w, velocity(closure, (w, occupancy_of(rho, rho_other, own, other), scale, jam, shape))


@device
def half_way(
    rho: float,
    w: float,
    v: float,
    rho_behind: float,
    w_behind: float,
    v_behind: float,
    rho_ahead: float,
    w_ahead: float,
    v_ahead: float,
    ratio: float,
) -> tuple[float, float, float, float, float]:
    """(rho, w) in the middle of the cell after half a step, and half the slopes of rho, w and v."""
    of_rho = half_slope(rho - rho_behind, rho_ahead - rho)
    of_w = half_slope(w - w_behind, w_ahead - w)
    of_v = half_slope(v - v_behind, v_ahead - v)
    return halfway_density(rho, v, of_rho, of_v, ratio), halfway_marker(w, v, of_w, ratio), of_rho, of_w, of_v


@device
def at_faces(
    closure: int,
    rho: float,
    rho_other: float,
    w: float,
    of_w: float,
    of_v: float,
    own: float,
    other: float,
    scale: float,
    jam: float,
    shape: float,
) -> tuple[float, float]:
    """From the middle of the cell after half a step: w at the face ahead, v at the face behind. The density follows by `face_ahead`."""
    v = velocity(closure, (w, occupancy_of(rho, rho_other, own, other), scale, jam, shape))
    return face_ahead(w, of_w), face_behind(v, of_v)


@device
def passing(
    closure: int,
    coupled: bool,
    rho: float,
    w: float,
    v_behind: float,
    v_ahead: float,
    own: float,
    scale: float,
    jam: float,
    shape: float,
) -> tuple[float, float]:
    """The flux of one class through a face inside a road, and how fast what comes through it may be, for the limiter of the cell ahead."""
    if coupled:
        return flux_coupled(rho, w, v_ahead), v_behind
    sent, taken = demand(closure, rho, w, own, scale, jam, shape), supply(closure, w, v_ahead, own, scale, jam, shape)
    return flux_exact(sent, taken), reaching(sent, taken, v_behind)


@device
def balanced(rho: float, change: float, rest: float) -> tuple[float, float]:
    """Gives rho less its change, and what rounding has left of that: to be given again in the next step, so that it does not add up.

    Kahan 1965, doi:10.1145/363707.363723. What is left is never taken from a cell that has nothing.
    """
    owed = rest - change
    now = rho + owed
    if now < like(rho, 0):
        now = rho - change
    return now, owed - (now - rho)


@device
def change(ratio: float, out: float, into: float) -> float:
    """What a cell loses in a step that lets the flux `out` leave it and `into` enter it; ratio is dt/dx."""
    return ratio * (out - into)


@device
def kept(
    closure: int,
    coupled: bool,
    y: float,
    rho: float,
    r: float,
    v_through: float,
    v: float,
    v_ahead: float,
    low: float,
    high: float,
    scale: float,
    jam: float,
    shape: float,
) -> float:
    """What the limiters leave of y; the speeds are those before the step, v_through of what can come through the face behind."""
    if coupled:
        return ranged(y, rho, low, high)
    fastest = larger(larger(v_through, v), v_ahead)
    return limited(closure, y, rho, r, fastest, low, high, scale, jam, shape)


@device
def adapted(
    closure: int,
    equilibrium: int,
    built_in: bool,
    y: float,
    rho: float,
    r: float,
    limit: float,
    creep: float,
    left: float,
    scale: float,
    jam: float,
    shape: float,
) -> float:
    """Gives y after the drivers have adapted for the time that leaves the share `left`."""
    settled = limit if built_in else equilibrium_speed(equilibrium, r, limit, creep, jam, shape)
    return relaxed(y, rho, target(closure, (limit, settled, r, scale, jam, shape)), left)


@device
def crowding(
    closure: int, rho: float, rho_other: float, w: float, own: float, other: float, scale: float, jam: float, shape: float
) -> float:
    """The occupancy of a class over its occupancy of greatest flow."""
    return occupancy_of(rho, rho_other, own, other) / fan(closure, (w, like(w, 0), scale, jam, shape))


@device
def thinned(
    closure: int, rho: float, rho_other: float, w: float, thin: float, own: float, other: float, scale: float, jam: float, shape: float
) -> float:
    """What one class sends out of a queue of two, of which the share `thin` of both densities flows most (`thinning`)."""
    return thin * rho * velocity(closure, (w, thin * occupancy_of(rho, rho_other, own, other), scale, jam, shape))


@device
def alone(closure: int, rho: float, w: float, own: float, scale: float, jam: float, shape: float) -> float:
    """What one class sends that shares its road with nobody."""
    return demand(closure, rho, w, own, scale, jam, shape)


@device
def thinnest(own_m: float, own_c: float, rho_m: float, rho_c: float, w_m: float, w_c: float, crowd_m: float, crowd_c: float) -> float:
    """The share of both densities of a queue at which it flows most."""
    return thinning(own_m * rho_m * w_m, own_c * rho_c * w_c, crowd_m, crowd_c)


@device
def gated(flow: float, total: float, cap: float) -> float:
    """What a gate that lets `cap` pass in all leaves of one of the flows that make up `total`."""
    return flow * (cap / total) if total > cap else flow


@device
def hold_back(demand: Any, i: int, a: int, cap: float) -> None:
    """A gate at approach i of lane a of computation that lets `cap` pass of demand[class, approach, lane], all classes together."""
    total = demand[0, i, a]
    for k in range(1, demand.shape[0]):
        total += demand[k, i, a]
    for k in range(demand.shape[0]):
        demand[k, i, a] = gated(demand[k, i, a], total, cap)


@device
def asked_for(waiting: float, arrived: float, dt: float) -> float:
    """The flux that would let in, within a step, all who wait at an entry and all who come to it."""
    return (waiting + arrived) / dt


@device
def still_waiting(waiting: float, arrived: float, came: float) -> float:
    """Who waits at an entry after a step in which `came` vehicles found room."""
    return larger(waiting + arrived - came, like(waiting, 0))


@device
def vehicles(flux: float, lanes: float, dt: float) -> float:
    """How many pass the end of a road in a step, in float64; flux is that of one lane of it."""
    return float(flux) * float(lanes) * dt


@device
def exactly(total: float, rest: float, x: float) -> tuple[float, float]:
    """Adds x to a sum whose rounding is kept, so that ten thousand steps lose nothing (Kahan 1965, doi:10.1145/363707.363723)."""
    y = x - rest
    now = total + y
    return now, (now - total) - y


@device
def lit(begin: float, end: float, window_begin: float, window_end: float) -> float:
    """How many seconds of a step lie within a green window."""
    return larger(smaller(end, window_end) - larger(begin, window_begin), like(begin, 0))


@device
def openness(seconds: float, dt: float) -> float:
    """The part of a step that is green; what rounding leaves of nothing is nothing, so that red passes exactly 0."""
    part = seconds / dt
    if part < like(part, 1e-9):
        return like(part, 0)
    return like(part, 1) if part > like(part, 1) - like(part, 1e-9) else part

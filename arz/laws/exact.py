"""Exact solutions for one class alone, which prove the scheme: Riemann problems and a smooth contact, for every strictly concave closure.

The curves of equal marker carry shocks and fans alike, so a Riemann problem is one wave on the curve of the left state, perhaps vacuum,
and a contact: Aw and Rascle 2000, doi:10.1137/S0036139997332099. With one marker everywhere it is the first order model's solution.
"""

import math

from arz.jit import device, like
from arz.laws.eigenvalues import density_wave
from arz.laws.order import between, smaller
from arz.laws.pressure.registry import fan, occupancy, slope, velocity


@device
def riemann(
    code: int, xi: float, rho_l: float, w_l: float, rho_r: float, w_r: float, scale: float, jam: float, shape: float
) -> tuple[float, float]:
    """(rho, w) at x/t = xi for the states l and r (weight 1, so r = rho); in a vacuum rho is 0 and w is that of the left."""
    zero = like(xi, 0)
    v_r = velocity(code, (w_r, rho_r, scale, jam, shape))
    if rho_r > zero and xi >= v_r:
        return rho_r, w_r
    if rho_l <= zero:
        return zero, w_l
    v_l = velocity(code, (w_l, rho_l, scale, jam, shape))
    v_m = smaller(v_r, w_l) if rho_r > zero else w_l
    # Equal speeds: no wave but the contact, and no rounding through the inverse.
    rho_m = occupancy(code, (w_l, v_m, scale, jam, shape)) if v_m != v_l else rho_l
    if rho_m > rho_l:
        shock = (rho_m * v_m - rho_l * v_l) / (rho_m - rho_l)
        return (rho_l if xi < shock else rho_m), w_l
    return between(fan(code, (w_l, xi, scale, jam, shape)), rho_m, rho_l), w_l


@device
def fan_head(code: int, rho: float, w: float, scale: float, jam: float, shape: float) -> float:
    """How fast a fan's upstream edge, or a start wave, moves into the state (rho, w)."""
    v = velocity(code, (w, rho, scale, jam, shape))
    return density_wave(rho, v, slope(code, (w, rho, scale, jam, shape)), like(rho, 1))


@device
def smooth_contact(
    code: int, x: float, t: float, v: float, w_mean: float, w_swing: float, scale: float, jam: float, shape: float
) -> tuple[float, float]:
    """(rho, w) of markers w_mean + w_swing·sin 2πx that all move at v < w_mean − |w_swing|: a solution of period 1 without a wave."""
    w = w_mean + w_swing * math.sin(like(x, 2 * math.pi) * (x - v * t))
    return occupancy(code, (w, v, scale, jam, shape)), w

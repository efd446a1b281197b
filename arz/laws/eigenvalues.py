"""How fast disturbances travel: the exact eigenvalues of the flux Jacobian, the same for every closure.

A marker travels with its class, at v. The densities of two coupled classes m and c have the block
[[a, ρ_m v_m' m_c], [ρ_c v_c' c_m, d]] with v' = ∂v/∂r ≤ 0 and the weights of `state.occupancy_of`; its off-diagonals have one sign,
so its eigenvalues are real. The form without the off-diagonals, seen in earlier work, is wrong by metres a second.
"""

import math

from arz.jit import device, like
from arz.laws.order import larger


@device
def density_wave(rho: float, v: float, slope: float, own: float) -> float:
    """The wave of a class that is alone, v + ρ·own·∂v/∂r: the slower eigenvalue of Aw and Rascle 2000, doi:10.1137/S0036139997332099."""
    return v + rho * own * slope


@device
def coupled_waves(a: float, d: float, off: float) -> tuple[float, float]:
    """The slower and the faster wave of two coupled classes; a, d are their `density_wave`s, off ≥ 0 is their `coupling`."""
    middle = like(a, 0.5) * (a + d)
    apart = like(a, 0.5) * (a - d)
    root = math.sqrt(apart * apart + off)
    return middle - root, middle + root


@device
def coupling(rho_m: float, rho_c: float, slope_m: float, slope_c: float, other_m: float, other_c: float) -> float:
    """The product of the off-diagonals; other_m is what a car weighs for motorcycles, other_c what a motorcycle weighs for cars."""
    return rho_m * rho_c * slope_m * slope_c * other_m * other_c


@device
def fastest(slow: float, fast: float, v_m: float, v_c: float) -> float:
    """The greatest speed of any wave, which bounds the time step; slow ≤ fast are `coupled_waves`."""
    return larger(larger(larger(v_m, v_c), fast), -slow)

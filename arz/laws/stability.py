"""Whether uniform traffic stays uniform: the growth of small waves, computed on the host when parameters are chosen.

Unlike the laws around it this is no device code: it needs complex eigenvalues, once.
"""

from collections.abc import Callable

import numpy as np

from arz.laws.pressure.base import Closure
from arz.laws.state import occupancy_of

Pair = tuple[float, ...]


def growth(
    closure: Closure,
    equilibrium: Callable[[int, float], float],
    limit: Pair,
    rho: Pair,
    wavelength: float,
    tau: Pair,
    own: Pair,
    other: Pair,
    scale: Pair,
    jam: Pair,
    shape: Pair,
) -> float:
    """The growth rate (1/s) of the fastest growing wave of this length (m) on uniform equilibrium traffic; ≤ 0, up to rounding, is stable.

    Pairs are (motorcycles, cars), equilibrium(k, r) is the speed that class k settles to, and the weights are those of `occupancy_of`.
    The unknowns are (rho_m, rho_c, w_m, w_c); the matrix is that of the linear system at wave number 2π/wavelength.
    """
    wave = 1j * 2 * np.pi / wavelength
    matrix = np.zeros((4, 4), dtype=np.complex128)
    for k in (0, 1):
        numbers = (scale[k], jam[k], shape[k])
        r = occupancy_of(rho[k], rho[1 - k], own[k], other[k])
        w = closure.target(limit[k], equilibrium(k, r), r, *numbers)
        v = closure.velocity(w, r, *numbers)
        # Velocities are linear in w, and equilibria have kinks at most, so differences serve as derivatives.
        by_w = (closure.velocity(w * 1.25, r, *numbers) - v) / (w * 0.25)
        step = 1e-6 * jam[k]
        ahead = closure.target(limit[k], equilibrium(k, r + step), r + step, *numbers)
        behind = closure.target(limit[k], equilibrium(k, r - step), r - step, *numbers)
        by_r = (ahead - behind) / (2 * step)
        steep = closure.slope(w, r, *numbers)
        for at, weight in ((k, own[k]), (1 - k, other[k])):
            matrix[k, at] -= wave * rho[k] * steep * weight
            matrix[2 + k, at] += by_r * weight / tau[k]
        matrix[k, k] -= wave * v
        matrix[k, 2 + k] -= wave * rho[k] * by_w
        matrix[2 + k, 2 + k] -= wave * v + 1 / tau[k]
    return float(np.linalg.eigvals(matrix).real.max())

"""How drivers adapt: the marker relaxes to its target, integrated exactly."""

import math

from arz.jit import device


@device
def decay(dt: float, tau: float) -> float:
    """The share of a deviation that is left after dt seconds."""
    return math.exp(-dt / tau)


@device
def relaxed(y: float, rho: float, target: float, left: float) -> float:
    """Gives y after the time that leaves the share `left` (see `decay`) of the deviation of w from its target.

    Densities stand still meanwhile, and the target depends on them only; so this is the exact solution of dy/dt = (rho·target − y)/tau
    for both closures, for every dt, and the first order limit for left = 0.
    """
    at_rest = rho * target
    return at_rest + (y - at_rest) * left

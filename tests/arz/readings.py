"""Every scalar law in one kernel body, and the whole node, for the tests that read the laws as Python, as CPU code and as CUDA code."""

from typing import Any

from arz.jit import compiled, like
from arz.laws.boundary import registry as ends
from arz.laws.boundary.inflow import still_waiting, wanting
from arz.laws.eigenvalues import coupled_waves, coupling, density_wave, fastest
from arz.laws.equilibrium.registry import EQUILIBRIA, equilibrium_speed
from arz.laws.exact import fan_head, riemann
from arz.laws.junctions.mixture import remembered
from arz.laws.junctions.node import node
from arz.laws.limiter import limited, ranged, reaching
from arz.laws.pressure import registry as closures
from arz.laws.reconstruct import face_ahead, face_behind, half_slope, halfway_density, halfway_marker
from arz.laws.relaxation import decay, relaxed
from arz.laws.riemann import demand, flux_coupled, flux_exact, supply, thinning
from arz.laws.state import marker, occupancy_of, sound, verdict

ANSWERS = 32
node_kernel = compiled(node)
"""The whole node as machine code, compiled once for all tests that ask for it; the law itself is the same function in Python."""
CLOSURES, ENDS, EQUILIBRIA_COUNT = len(closures.CLOSURES), len(ends.ENDS), len(EQUILIBRIA)


def cell(out: Any, x: Any, code: Any) -> None:
    """The answers of all scalar laws, for the closure, the end and the equilibrium of this code, at a state made of the numbers x.

    All but the smooth contact: no kernel needs it, and CUDA's sine reduces its argument in double precision.
    """
    rho, w, v, w_r, jam, scale, shape, dt = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
    closure, end, equilibrium = code % CLOSURES, code % ENDS, code % EQUILIBRIA_COUNT
    one, low = like(rho, 1), like(rho, 0.5)
    r = occupancy_of(rho, low * rho, one, low)
    moving = closures.velocity(closure, (w, r, scale, jam, shape))
    steep = closures.slope(closure, (w, r, scale, jam, shape))
    out[0], out[1] = moving, steep
    out[2] = closures.occupancy(closure, (w, v, scale, jam, shape))
    out[3] = closures.fan(closure, (w, v - w_r, scale, jam, shape))
    out[4] = closures.lowered(closure, (w, v, r, scale, jam, shape))
    settled = equilibrium_speed(equilibrium, r, w_r, v, jam, shape - one + low)
    out[5] = settled
    out[6] = closures.target(closure, (w_r, settled, r, scale, jam, shape))
    out[7] = demand(closure, rho, w, one, scale, jam, shape)
    out[8] = supply(closure, w, v, one, scale, jam, shape)
    out[9] = flux_exact(out[7], out[8])
    out[10] = flux_coupled(rho, w, v)
    out[11] = thinning(rho, low * rho, v, w)
    out[12], out[13] = coupled_waves(density_wave(rho, moving, steep, one), v, coupling(rho, rho, steep, steep, one, low))
    out[14] = fastest(out[12], out[13], moving, v)
    out[15] = relaxed(rho * w, rho, w_r, decay(dt, w))
    out[16] = limited(closure, rho * w, rho, r, v, low, w_r, scale, jam, shape)
    slope = half_slope(w - v, w_r - w)
    out[17] = slope
    out[18] = halfway_density(rho, v, low * rho, slope, low * dt)
    out[19] = face_ahead(halfway_marker(w, v, slope, low * dt), slope)
    out[20] = face_behind(w, slope)
    out[21], out[22] = riemann(closure, v - low * w, rho, w, low * rho, w_r, scale, jam, shape)
    out[23] = fan_head(closure, rho, w, scale, jam, shape)
    out[24] = ends.flux(end, (out[7], out[8], dt))
    out[25] = still_waiting(dt, rho, wanting(dt, rho, w), w)
    out[26] = remembered(w, w_r, low)
    out[27] = marker(rho, rho * w, low, w_r)
    out[28] = verdict(rho, w, r, jam)
    out[29] = sound(rho, w, r, jam)
    out[30] = ranged(rho * w, rho, low, v)
    out[31] = reaching(out[7], out[8], v)

"""One road as the smallest finite volume loop that uses every law of a cell: it proves the laws before there is an engine."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.jit import compiled, like
from arz.laws.eigenvalues import coupled_waves, coupling, density_wave, fastest
from arz.laws.limiter import limited
from arz.laws.order import larger, smaller
from arz.laws.pressure.registry import code_of, fan, slope, target, velocity
from arz.laws.reconstruct import face_ahead, face_behind, halfway_density, halfway_marker, monotonized
from arz.laws.relaxation import decay, relaxed
from arz.laws.riemann import demand, flux_coupled, flux_exact, supply, thinning
from arz.laws.state import SOUND, marker, occupancy_of, verdict

Array = NDArray[np.floating[Any]]
COPY, RING, RED = range(3)
"""What is at the ends: more of the same, the other end, or the same upstream and a red light downstream."""


@dataclass(frozen=True)
class Traffic:
    """The numbers of K classes: the closure and its constants, the weights in the occupancy, and the range of the markers."""

    closure: str
    own: tuple[float, ...]
    other: tuple[float, ...]
    scale: tuple[float, ...]
    jam: tuple[float, ...]
    shape: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass
class Run:
    """What a run leaves: the fields, what passed the ends, what the limiter removed, and what must be nothing."""

    rho: Array
    y: Array
    steps: int
    passed: Array
    removed: Array
    faults: int
    courant: float
    fastest_seen: float
    back: float


def run(
    traffic: Traffic,
    rho: Array,
    w: Array,
    time: float,
    dx: float,
    *,
    cfl: float = 0.9,
    order: int = 1,
    coupled: bool = False,
    limiter: bool = True,
    ends: int = COPY,
    tau: tuple[float, ...] = (),
    steps: int = 10**9,
) -> Run:
    """Carries cell averages rho[k, i] and their markers on for `time` seconds, or for so many steps."""
    kind = rho.dtype
    y = rho * w
    rho = rho.copy()
    table = [np.array(getattr(traffic, name), kind) for name in ("own", "other", "scale", "jam", "shape", "low", "high")]
    passed = np.zeros((2, 2, rho.shape[0]), kind)
    removed = np.zeros(rho.shape[0], kind)
    seen = np.zeros(4)
    done = advance(
        rho, y, passed, removed, seen, *table, np.array(tau, kind), kind.type(time), kind.type(dx), kind.type(cfl),
        code_of(traffic.closure), order, coupled, limiter, ends, steps,
    )  # fmt: skip
    return Run(rho, y, done, passed, removed, int(seen[0]), seen[1], seen[2], seen[3])


@compiled
def advance(
    rho: Any, y: Any, passed: Any, removed: Any, seen: Any,
    own: Any, other: Any, scale: Any, jam: Any, shape: Any, low: Any, high: Any, tau: Any,
    time: float, dx: float, cfl: float,
    code: int, order: int, coupled: bool, limiter: bool, ends: int, steps: int,
) -> int:  # fmt: skip
    classes, cells = rho.shape
    zero, one = like(dx, 0), like(dx, 1)
    w, v, r = np.empty_like(rho), np.empty_like(rho), np.empty_like(rho)
    half = np.empty((5, classes, cells), rho.dtype)
    flux = np.empty((2, classes, cells + 1), rho.dtype)
    now, count = zero, 0
    while now < time and count < steps:
        # Primitive values, and the fastest wave.
        top = zero
        for i in range(cells):
            for k in range(classes):
                w[k, i] = marker(rho[k, i], y[k, i], low[k], high[k])
                r[k, i] = occupancy_of(rho[k, i], rho[classes - 1 - k, i] if classes > 1 else zero, own[k], other[k])
                v[k, i] = velocity(code, (w[k, i], r[k, i], scale[k], jam[k], shape[k]))
            steep = slope(code, (w[0, i], r[0, i], scale[0], jam[0], shape[0]))
            a = density_wave(rho[0, i], v[0, i], steep, own[0])
            if classes > 1:
                steeper = slope(code, (w[1, i], r[1, i], scale[1], jam[1], shape[1]))
                d = density_wave(rho[1, i], v[1, i], steeper, own[1])
                off = coupling(rho[0, i], rho[1, i], steep, steeper, other[0], other[1])
                slow, fast = coupled_waves(a, d, off)
                top = larger(top, fastest(slow, fast, v[0, i], v[1, i]))
            else:
                top = larger(top, fastest(a, v[0, i], v[0, i], v[0, i]))
        dt = smaller(cfl * dx / top, time - now)
        ratio = dt / dx
        seen[1] = max(seen[1], ratio * top)
        # Half a step inside each cell: half[0] and half[1] become rho and w at the face ahead, half[4] v at the face behind.
        for i in range(cells):
            left, right = i - 1, i + 1
            if ends == RING:
                left, right = left % cells, right % cells
            else:
                left, right = max(left, 0), min(right, cells - 1)
            for k in range(classes):
                d_rho, d_w, d_v = zero, zero, zero
                if order == 2:
                    d_rho = monotonized(rho[k, i] - rho[k, left], rho[k, right] - rho[k, i])
                    d_w = monotonized(w[k, i] - w[k, left], w[k, right] - w[k, i])
                    d_v = monotonized(v[k, i] - v[k, left], v[k, right] - v[k, i])
                half[0, k, i] = halfway_density(rho[k, i], v[k, i], d_rho, d_v, ratio) if order == 2 else rho[k, i]
                half[1, k, i] = halfway_marker(w[k, i], v[k, i], d_w, ratio)
                half[2, k, i], half[3, k, i], half[4, k, i] = d_rho, d_w, d_v
            for k in range(classes):
                crowd = occupancy_of(half[0, k, i], half[0, classes - 1 - k, i] if classes > 1 else zero, own[k], other[k])
                middle = velocity(code, (half[1, k, i], crowd, scale[k], jam[k], shape[k])) if order == 2 else v[k, i]
                half[4, k, i] = face_behind(middle, half[4, k, i])
            for k in range(classes):
                half[0, k, i] = face_ahead(half[0, k, i], half[2, k, i])
                half[1, k, i] = face_ahead(half[1, k, i], half[3, k, i])
        # Fluxes: face i is between the cells i − 1 and i.
        for i in range(cells + 1):
            left, right = i - 1, i
            if ends == RING:
                left, right = left % cells, right % cells
            else:
                left, right = max(left, 0), min(right, cells - 1)
            red = ends == RED and i == cells
            for k in range(classes):
                upstream, behind, ahead = half[0, k, left], half[1, k, left], half[4, k, right]
                if red:
                    q = zero
                elif coupled:
                    q = flux_coupled(upstream, behind, ahead)
                else:
                    q = flux_exact(
                        demand(code, upstream, behind, own[k], scale[k], jam[k], shape[k]),
                        supply(code, behind, ahead, own[k], scale[k], jam[k], shape[k]),
                    )
                flux[0, k, i] = q
                flux[1, k, i] = q * behind
                seen[3] = min(seen[3], q)
        for k in range(classes):
            for n in range(2):
                passed[n, 0, k] += dt * flux[n, k, 0]
                passed[n, 1, k] += dt * flux[n, k, cells]
            for i in range(cells):
                rho[k, i] -= ratio * (flux[0, k, i + 1] - flux[0, k, i])
                y[k, i] -= ratio * (flux[1, k, i + 1] - flux[1, k, i])
        for i in range(cells):
            left, right = i - 1, i + 1
            if ends == RING:
                left, right = left % cells, right % cells
            else:
                left, right = max(left, 0), min(right, cells - 1)
            for k in range(classes):
                crowd = occupancy_of(rho[k, i], rho[classes - 1 - k, i] if classes > 1 else zero, own[k], other[k])
                if verdict(rho[k, i], y[k, i], crowd, jam[k] * (one + like(dx, 1e-12)) if code == 0 else like(dx, 1e30)) != SOUND:
                    seen[0] += 1
                if limiter:
                    most = larger(larger(v[k, left], v[k, i]), v[k, right])
                    kept = limited(code, y[k, i], rho[k, i], crowd, most, low[k], high[k], scale[k], jam[k], shape[k])
                    removed[k] += (y[k, i] - kept) * dx
                    y[k, i] = kept
                if len(tau) > 0:
                    aim = target(code, (high[k], zero, crowd, scale[k], jam[k], shape[k]))
                    y[k, i] = relaxed(y[k, i], rho[k, i], aim, decay(dt, tau[k]))
                w_new = marker(rho[k, i], y[k, i], low[k], high[k])
                if rho[k, i] > zero:
                    seen[2] = max(seen[2], velocity(code, (w_new, crowd, scale[k], jam[k], shape[k])))
        now += dt
        count += 1
    return count


@compiled
def queue_demand(rho: Any, w: Any, own: Any, other: Any, scale: Any, jam: Any, shape: Any, code: int, out: Any) -> None:
    """out[k]: what two classes that share an approach send."""
    zero = like(rho[0], 0)
    fill = np.empty_like(rho)
    for k in range(2):
        r = occupancy_of(rho[k], rho[1 - k], own[k], other[k])
        fill[k] = r / fan(code, (w[k], zero, scale[k], jam[k], shape[k]))
    s = thinning(own[0] * rho[0] * w[0], own[1] * rho[1] * w[1], fill[0], fill[1])
    for k in range(2):
        r = s * occupancy_of(rho[k], rho[1 - k], own[k], other[k])
        out[k] = s * rho[k] * velocity(code, (w[k], r, scale[k], jam[k], shape[k]))

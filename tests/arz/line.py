"""One road as the smallest finite volume loop that uses every law of a cell: it proves the laws before there is an engine."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.jit import compiled, like
from arz.laws.eigenvalues import coupled_waves, coupling, density_wave, fastest
from arz.laws.limiter import limited, ranged, reaching
from arz.laws.order import larger
from arz.laws.pressure.registry import code_of, fan, slope, target, velocity
from arz.laws.reconstruct import face_ahead, face_behind, half_slope, halfway_density, halfway_marker
from arz.laws.relaxation import decay, relaxed
from arz.laws.riemann import demand, flux_coupled, flux_exact, supply, thinning
from arz.laws.state import SOUND, marker, occupancy_of, verdict

Array = NDArray[Any]
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
    y, rho = rho * w, rho.copy()
    table = tuple(np.array(getattr(traffic, name), kind) for name in ("own", "other", "scale", "jam", "shape", "low", "high"))
    code, step_of = code_of(traffic.closure), float(dx)
    ceiling = float(max(traffic.jam) * (1 + 1e-12) if traffic.closure == "multiplicative" else np.inf)
    classes, cells = rho.shape
    w, r, v = np.empty_like(rho), np.empty_like(rho), np.empty_like(rho)
    half, flux = np.empty((5, classes, cells), kind), np.empty((3, classes, cells + 1), kind)
    passed, removed, seen = np.zeros((2, 2, classes)), np.zeros(classes), np.zeros(3)
    now, count, back, courant = 0.0, 0, 0.0, 0.0
    while now < time and count < steps:
        top = read(rho, y, w, r, v, table, code, coupled)
        dt = min(cfl * dx / top, time - now) if top > 0 else time - now
        ratio = kind.type(dt / dx)
        courant = max(courant, dt / dx * top)
        reconstruct(rho, w, v, half, table[:5], ratio, code, order, ends)
        pass_faces(flux, half, v, table[:5], code, coupled, ends)
        passed += dt * flux[:2, :, [0, -1]].swapaxes(1, 2)
        back = min(back, float(flux[0].min()))
        rho -= ratio * np.diff(flux[0])
        y -= ratio * np.diff(flux[1])
        left = np.array([decay(dt, each) for each in tau], kind)
        settle(rho, y, v, flux[2], removed, seen, table, left, step_of, ceiling, code, limiter, ends)
        now += dt
        count += 1
    return Run(rho, y, count, passed, removed, int(seen[0]), courant, seen[2], back)


# Four kernels and not one: compiled apart they are ready several times sooner.


@compiled
def read(rho: Any, y: Any, w: Any, r: Any, v: Any, table: Any, code: int, coupled: bool) -> float:
    """Primitive values, and the speed that bounds the step: the fastest wave, and for the coupled flux the highest marker too."""
    own, other, scale, jam, shape, low, high = table
    classes, cells = rho.shape
    zero = like(rho[0, 0], 0)
    top = zero
    for i in range(cells):
        for k in range(classes):
            w[k, i] = marker(rho[k, i], y[k, i], low[k], high[k])
            r[k, i] = occupancy_of(rho[k, i], rho[classes - 1 - k, i] if classes > 1 else zero, own[k], other[k])
            v[k, i] = velocity(code, (w[k, i], r[k, i], scale[k], jam[k], shape[k]))
            if coupled:
                top = larger(top, w[k, i])
        c = classes - 1
        steep = slope(code, (w[0, i], r[0, i], scale[0], jam[0], shape[0]))
        steeper = slope(code, (w[c, i], r[c, i], scale[c], jam[c], shape[c]))
        a, d = density_wave(rho[0, i], v[0, i], steep, own[0]), density_wave(rho[c, i], v[c, i], steeper, own[c])
        off = coupling(rho[0, i], rho[c, i], steep, steeper, other[0], other[c])  # 0 for one class: its `other` is 0
        slow, fast = coupled_waves(a, d, off)
        top = larger(top, fastest(slow, fast, v[0, i], v[c, i]))
    return top


@compiled
def reconstruct(rho: Any, w: Any, v: Any, half: Any, table: Any, ratio: float, code: int, order: int, ends: int) -> None:
    """half[0] and half[1] become rho and w at the face ahead of each cell, half[2] becomes v at the face behind it."""
    own, other, scale, jam, shape = table
    classes, cells = rho.shape
    if order == 1:
        half[0], half[1], half[2] = rho, w, v
        return
    zero = like(rho[0, 0], 0)
    for i in range(cells):
        left, right = around(i, cells, ends)
        for k in range(classes):
            d_rho = half_slope(rho[k, i] - rho[k, left], rho[k, right] - rho[k, i])
            d_v = half_slope(v[k, i] - v[k, left], v[k, right] - v[k, i])
            half[0, k, i] = halfway_density(rho[k, i], v[k, i], d_rho, d_v, ratio)
            half[3, k, i], half[4, k, i] = d_rho, d_v
        for k in range(classes):
            d_w = half_slope(w[k, i] - w[k, left], w[k, right] - w[k, i])
            middle = halfway_marker(w[k, i], v[k, i], d_w, ratio)
            crowd = occupancy_of(half[0, k, i], half[0, classes - 1 - k, i] if classes > 1 else zero, own[k], other[k])
            half[1, k, i] = face_ahead(middle, d_w)
            half[2, k, i] = face_behind(velocity(code, (middle, crowd, scale[k], jam[k], shape[k])), half[4, k, i])
        for k in range(classes):
            half[0, k, i] = face_ahead(half[0, k, i], half[3, k, i])


@compiled
def pass_faces(flux: Any, half: Any, v: Any, table: Any, code: int, coupled: bool, ends: int) -> None:
    """flux[0] and flux[1] become the fluxes of vehicles and of y, flux[2] the speed that may come through; face i is behind the cell i."""
    own, _, scale, jam, shape = table
    _, classes, faces = flux.shape
    for i in range(faces):
        left, _ = around(i, faces - 1, ends)
        right = i % (faces - 1) if ends == RING else min(i, faces - 2)
        for k in range(classes):
            behind, ahead = half[1, k, left], half[2, k, right]
            through = v[k, left]
            if coupled:
                q = flux_coupled(half[0, k, left], behind, ahead)
            else:
                sent = demand(code, half[0, k, left], behind, own[k], scale[k], jam[k], shape[k])
                taken = supply(code, behind, ahead, own[k], scale[k], jam[k], shape[k])
                q, through = flux_exact(sent, taken), reaching(sent, taken, through)
            if ends == RED and i == faces - 1:
                q = like(q, 0)
            flux[0, k, i] = q
            flux[1, k, i] = q * behind
            flux[2, k, i] = through


@compiled
def settle(
    rho: Any,
    y: Any,
    v: Any,
    through: Any,
    removed: Any,
    seen: Any,
    table: Any,
    left: Any,
    dx: float,
    ceiling: float,
    code: int,
    limiter: bool,
    ends: int,
) -> None:
    """The limiter and the source term, and what must never be met."""
    own, other, scale, jam, shape, low, high = table
    classes, cells = rho.shape
    zero = like(dx, 0)
    for i in range(cells):
        _, after = around(i, cells, ends)
        for k in range(classes):
            crowd = occupancy_of(rho[k, i], rho[classes - 1 - k, i] if classes > 1 else zero, own[k], other[k])
            seen[0] += verdict(rho[k, i], y[k, i], crowd, ceiling) != SOUND
            if limiter:
                if classes > 1:
                    kept = ranged(y[k, i], rho[k, i], low[k], high[k])
                else:
                    most = larger(larger(through[k, i], v[k, i]), v[k, after])
                    kept = limited(code, y[k, i], rho[k, i], crowd, most, low[k], high[k], scale[k], jam[k], shape[k])
                removed[k] += (y[k, i] - kept) * dx
                y[k, i] = kept
            if len(left) > 0:
                y[k, i] = relaxed(y[k, i], rho[k, i], target(code, (high[k], zero, crowd, scale[k], jam[k], shape[k])), left[k])
            if rho[k, i] > zero:
                moving = velocity(code, (marker(rho[k, i], y[k, i], low[k], high[k]), crowd, scale[k], jam[k], shape[k]))
                seen[2] = max(seen[2], moving)


@compiled
def around(i: int, cells: int, ends: int) -> tuple[int, int]:
    """The cells before and after; at an open end the cell itself."""
    if ends == RING:
        return (i - 1) % cells, (i + 1) % cells
    return max(i - 1, 0), min(i + 1, cells - 1)


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

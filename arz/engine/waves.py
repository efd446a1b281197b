"""Speeds and waves of whole fields, on the host: what is shown and checked, not what is computed with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine import bodies
from arz.engine.backends.base import State
from arz.engine.plan import Plan
from arz.engine.start import Start
from arz.jit import compiled
from arz.laws.eigenvalues import coupled_waves, coupling, density_wave, fastest
from arz.laws.pressure.registry import slope
from arz.laws.state import marker, occupancy_of

Array = NDArray[Any]


def speeds(plan: Plan, state: State, starts: Sequence[Start]) -> Array:
    """Speeds [world, class, cell], float64."""
    out = np.zeros(state.rho.shape)
    rho, y, numbers, low, high = _tables(plan, state, starts)
    _speeds(rho, y, numbers, low, high, out, plan.closure)
    return out


def fastest_wave(plan: Plan, state: State, starts: Sequence[Start]) -> Array:
    """The greatest |λ| [world, cell], m/s, from the exact eigenvalues."""
    out = np.zeros((state.rho.shape[0], state.rho.shape[2]))
    rho, y, numbers, low, high = _tables(plan, state, starts)
    _waves(rho, y, numbers, low, high, out, plan.closure)
    return out


def _tables(plan: Plan, state: State, starts: Sequence[Start]) -> tuple[Array, Array, Array, Array, Array]:
    numbers = np.ascontiguousarray(np.repeat(plan.reaches.numbers, plan.reaches.cells, axis=0))
    low, high = np.stack([start.low for start in starts]), np.stack([start.high for start in starts])
    return state.rho.astype(np.float64), state.y.astype(np.float64), numbers, low, high


@compiled
def _speeds(rho: Any, y: Any, numbers: Any, low: Any, high: Any, out: Any, closure: int) -> None:
    worlds, classes, cells = rho.shape
    for b in range(worlds):
        for k in range(classes):
            for c in range(cells):
                n = numbers[c, k]
                beside = rho[b, 1 - k, c] if classes > 1 else 0.0
                _, out[b, k, c] = bodies.read_cell(
                    closure, rho[b, k, c], y[b, k, c], beside, n[0], n[1], n[2], n[3], n[4], low[b, k], high[b, k]
                )


@compiled
def _waves(rho: Any, y: Any, numbers: Any, low: Any, high: Any, out: Any, closure: int) -> None:
    worlds, classes, cells = rho.shape
    last = classes - 1
    for b in range(worlds):
        for c in range(cells):
            a = d = off = v_m = v_c = 0.0
            steep = np.zeros(2)
            for k in range(classes):
                n = numbers[c, k]
                beside = rho[b, 1 - k, c] if classes > 1 else 0.0
                w = marker(rho[b, k, c], y[b, k, c], low[b, k], high[b, k])
                r = occupancy_of(rho[b, k, c], beside, n[0], n[1])
                _, v = bodies.read_cell(closure, rho[b, k, c], y[b, k, c], beside, n[0], n[1], n[2], n[3], n[4], low[b, k], high[b, k])
                steep[k] = slope(closure, (w, r, n[2], n[3], n[4]))
                wave = density_wave(rho[b, k, c], v, steep[k], n[0])
                if k == 0:
                    a, v_m = wave, v
                if k == last:
                    d, v_c = wave, v
            if classes > 1:
                off = coupling(rho[b, 0, c], rho[b, 1, c], steep[0], steep[1], numbers[c, 0, 1], numbers[c, 1, 1])
            slow, fast = coupled_waves(a, d, off)
            out[b, c] = fastest(slow, fast, v_m, v_c)

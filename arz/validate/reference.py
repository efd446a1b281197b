"""Two coupled classes computed in another way than the engine does: Rusanov's flux of (rho, y), slopes of rho and w, two stages."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.world.physics import Numbers

Array = NDArray[Any]

COURANT = 0.45
EMPTY = 1e-9
"""veh/m: in a cell that holds less, a marker is not looked for."""


def computed(numbers: Sequence[Numbers], rho: Array, w: Array, dx: float, seconds: float) -> Array:
    """The densities [class, cell] after so long, under the default closure and without relaxation; the ends repeat their cells."""
    state = np.stack([rho, rho * w])
    highest = float(w.max())
    steps = int(np.ceil(seconds * highest / (COURANT * dx)))
    ratio = seconds / steps / dx
    for _ in range(steps):
        half = state - ratio * _balance(numbers, state, w.max(axis=1))
        state = (state + half - ratio * _balance(numbers, half, w.max(axis=1))) / 2
    found: Array = state[0]
    return found


def _balance(numbers: Sequence[Numbers], state: Array, empty: Array) -> Array:
    """What leaves each cell, less what comes: differences of fluxes."""
    rho = np.pad(state[0], ((0, 0), (2, 2)), mode="edge")
    y = np.pad(state[1], ((0, 0), (2, 2)), mode="edge")
    w = np.where(rho > EMPTY, y / np.maximum(rho, EMPTY), empty[:, None])
    of_rho, of_w = _slope(rho), _slope(w)
    left = rho[:, 1:-2] + of_rho[:, :-1], w[:, 1:-2] + of_w[:, :-1]
    right = rho[:, 2:-1] - of_rho[:, 1:], w[:, 2:-1] - of_w[:, 1:]
    flux_l, flux_r = _flux(numbers, *left), _flux(numbers, *right)
    # No wave is faster than the highest marker.
    fastest = float(empty.max())
    jump = np.stack([right[0] - left[0], right[0] * right[1] - left[0] * left[1]])
    change: Array = np.diff((flux_l + flux_r - fastest * jump) / 2, axis=2)
    return change


def _flux(numbers: Sequence[Numbers], rho: Array, w: Array) -> Array:
    q = np.empty_like(rho)
    for k, n in enumerate(numbers):
        crowd = n.own * rho[k] + n.other * rho[1 - k]
        q[k] = rho[k] * w[k] * np.maximum(1 - crowd / n.jam, 0)
    return np.stack([q, q * w])


def _slope(values: Array) -> Array:
    """Half the difference across a cell, the lesser of both sides."""
    one, other = values[:, 1:-1] - values[:, :-2], values[:, 2:] - values[:, 1:-1]
    least: Array = np.where(one * other > 0, np.sign(one) * np.minimum(np.abs(one), np.abs(other)), 0) / 2
    return least

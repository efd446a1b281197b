"""Whether anything was lost: vehicles per world and class, in float64, from the gates of the network and from its cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine.backends.base import State
from arz.engine.plan import Plan

Array = NDArray[Any]


@dataclass(frozen=True)
class Ledger:
    """Arrays [world, class], vehicles; `drift` is what start + entered − left − inside leaves, over start + entered."""

    start: Array
    entered: Array
    left: Array
    inside: Array
    waiting: Array
    drift: Array
    y_removed: Array
    """What the velocity limiter took of y at contacts, veh·m/s."""


def inside(plan: Plan, rho: Array) -> Array:
    """Vehicles [world, class] from densities [world, class, cell]."""
    weight = np.repeat(plan.reaches.dx * plan.reaches.lanes, plan.reaches.cells)
    total: Array = np.einsum("bkc,c->bk", rho.astype(np.float64), weight)
    return total


def ledger(plan: Plan, state: State, start: Array) -> Ledger:
    entered, left = _total(state.entered), _total(state.left)
    now = inside(plan, state.rho)
    known = start + entered
    lost = known - left - now
    drift = np.divide(lost, known, out=np.zeros_like(lost), where=known > 0)
    return Ledger(start, entered, left, now, state.waiting.sum(axis=1), drift, state.removed)


def _total(books: Array) -> Array:
    # The second number is what rounding took too much of the sum.
    total: Array = (books[..., 0] - books[..., 1]).sum(axis=1)
    return total

"""Two classes that overtake each other, against a fine run of another scheme."""

from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from arz.validate.base import BOTH, Case, Figure, Group, Order, in_full
from arz.validate.carry import carry
from arz.validate.jumps import Array
from arz.validate.reference import computed
from arz.validate.riemann import LENGTH_M, ROUNDING, SIZES
from arz.world.physics import Physics
from arz.world.scenario import Scenario
from arz.world.scenarios.registry import scenario
from arz.world.scheme import Scheme

FINE = 3200
LIMIT_KMH = 50.0
LEAST_ORDER = 0.3
"""Of the first order, whose errors are well above those of the reference."""
NEAR = 3.0
"""How many times the reference's own error the second order may leave on its finest grid."""

PHYSICS = Physics(motorcycle_tau_s=None, car_tau_s=None)
NUMBERS = PHYSICS.numbers(LIMIT_KMH, "R2")
TIME_S = 0.4 * LENGTH_M / NUMBERS[0].limit
"""When the fastest marker has come 0.4 of the length."""

State = tuple[float, float, float, float]


@dataclass(frozen=True)
class Pair:
    """(motorcycles, cars) in veh/m per lane and the markers of both over V_max, on both sides."""

    name: str
    left: State
    right: State


PAIRS = (
    Pair("shock", (0.06, 0.03, 1.0, 1.0), (0.12, 0.07, 1.0, 1.0)),
    Pair("fan", (0.12, 0.08, 1.0, 1.0), (0.03, 0.02, 1.0, 1.0)),
    Pair("mix change", (0.10, 0.02, 1.0, 1.0), (0.02, 0.06, 1.0, 0.8)),
    Pair("creeping", (0.08, 0.03, 1.0, 1.0), (0.0, NUMBERS[1].jam, 1.0, 1.0)),
    Pair("full jam", (0.08, 0.03, 1.0, 1.0), (NUMBERS[0].jam / NUMBERS[0].own, 0.0, 1.0, 1.0)),
)

GROUP = Group(
    "Two classes that overtake each other",
    "Motorcycles and cars under the default closure, without relaxation: no exact solution is known, so each run is held against one of "
    f"N = {FINE} by another scheme (Rusanov's flux of ρ and y, linear in ρ and w, two stages), which shares no flux with the engine.\n"
    "L1 is the error of both densities over the sum of both densities. The reference's own is what half as many cells change in it: "
    f"the second order comes within {NEAR:g} times of it if both schemes have one limit, however fine the grid.",
)


def posed(pair: Pair, order: Order, cells: int) -> Scenario:
    """The jump in the middle of three lengths, of which the middle one is looked at."""
    return scenario(
        "riemann",
        physics=PHYSICS,
        left=_state(pair.left),
        right=_state(pair.right),
        length_m=3 * LENGTH_M,
        limit_kmh=LIMIT_KMH,
        scheme=Scheme(order=order, cell_m=LENGTH_M / cells),
    )


def _state(state: State) -> tuple[float, ...]:
    """Densities and speeds."""
    rho, w = state[:2], state[2:]
    crowds = [n.own * rho[k] + n.other * rho[1 - k] for k, n in enumerate(NUMBERS)]
    speeds = (w[k] * n.limit * max(1 - crowds[k] / n.jam, 0.0) for k, n in enumerate(NUMBERS))
    return (*rho, *speeds)


@cache
def reference(pair: Pair, cells: int) -> Array:
    """The reference [class, cell] on the length that is looked at."""
    left = np.arange(2 * cells) < cells
    rho, w = (
        np.array([np.where(left, pair.left[at + k], pair.right[at + k]) * (NUMBERS[k].limit if at else 1.0) for k in range(2)])
        for at in (0, 2)
    )
    return computed(NUMBERS, rho, w, LENGTH_M / cells, TIME_S)[:, cells // 2 : cells // 2 + cells]


def measure(pair: Pair, order: Order) -> list[Figure]:
    fine = reference(pair, FINE)
    own = _apart(reference(pair, FINE // 2), fine)
    errors, drifts = [], []
    for size in SIZES:
        done = carry(posed(pair, order, size), TIME_S)
        errors.append(_apart(done.density[:, size : 2 * size], fine))
        drifts.append(done.drift)
    bounds, least = ({}, LEAST_ORDER) if order == 1 else ({SIZES[-1]: NEAR * own}, None)
    return [*in_full(errors, SIZES, bounds, least), Figure("reference's own", own), Figure("drift", max(drifts), at_most=ROUNDING)]


def _apart(found: Array, fine: Array) -> float:
    coarse = fine.reshape(2, found.shape[1], -1).mean(axis=2)
    return float(np.abs(found - coarse).sum() / coarse.sum())


def cases() -> list[Case]:
    return [Case(f"{pair.name}, order {order}", GROUP, "two classes", partial(measure, pair, order)) for pair in PAIRS for order in BOTH]

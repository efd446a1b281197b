"""What a world begins with, and the longest step that stays sound whatever happens to it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine.plan import Plan
from arz.laws.pressure.registry import CLOSURES
from arz.world.physics import Numbers
from arz.world.scenario import Scenario

Array = NDArray[Any]

UNBOUNDED = 1e9
"""A marker beyond all markers, m/s."""
SAMPLES = 200
"""Occupancies at which the fastest wave is looked for."""
ROUNDED = 8
"""By so many roundings a step is shorter than its bound, or else rounding took more from a cell than is in it, where all of it may leave."""
FEWEST_WITH_A_SLOPE = 3
"""So many cells has a reach with a cell that is neither its first nor its last."""


@dataclass(frozen=True)
class Start:
    """What a world begins with: fields [class, cell] in float64, the range of the markers, the longest time step."""

    rho: Array
    y: Array
    low: Array
    high: Array
    dt_bound: float


def make_start(scenario: Scenario, plan: Plan, dtype: Any) -> Start:
    """The first state of a scenario on its plan; pieces are averaged over the cells exactly. It will be stepped in numbers of `dtype`."""
    classes = len(plan.classes)
    rho, y = np.zeros((classes, plan.cells)), np.zeros((classes, plan.cells))
    given = {initial.road: initial.pieces for initial in scenario.initial.roads}
    everywhere = scenario.initial.everywhere
    reach_of_road = _reach_of_road(plan)
    markers: list[Array] = []
    if everywhere is not None or given:
        dx = np.repeat(plan.reaches.dx, plan.reaches.cells)
        for at, name in enumerate(plan.roads):
            numbers = [Numbers(*row) for row in plan.reaches.numbers[reach_of_road[at]].tolist()]
            span = slice(plan.pieces.first[at], plan.pieces.first[at + 1])
            cell, begin, end = plan.pieces.cell[span], plan.pieces.from_m[span], plan.pieces.to_m[span]
            part = plan.pieces.metres[span] / dx[cell]
            parts = [(p.from_m, p.to_m, p.density_veh_per_m, p.speed_m_per_s) for p in given[name]] if name in given else []
            if name not in given and everywhere is not None:
                parts = [(0.0, math.inf, everywhere.density_veh_per_m, everywhere.speed_m_per_s)]
            for low, high, density, speed in parts:
                w = _markers(plan, numbers, density, speed)
                markers.append(np.where(np.array(density) > 0, w, np.nan))
                met = np.clip(np.minimum(end, high) - np.maximum(begin, low), 0, None)
                share = part * np.divide(met, end - begin, out=np.zeros_like(met), where=end > begin)
                for k in range(classes):
                    np.add.at(rho[k], cell, share * density[k])
                    np.add.at(y[k], cell, share * density[k] * w[k])
    low_w, high_w = _range_of_markers(plan, markers)
    return Start(rho, y, low_w, high_w, _longest_step(plan, high_w, dtype))


def _reach_of_road(plan: Plan) -> Array:
    of_road = np.zeros(len(plan.roads), dtype=int)
    for at, chain in enumerate(plan.reaches.roads):
        of_road[list(chain)] = at
    return of_road


def _markers(plan: Plan, numbers: Sequence[Numbers], density: Sequence[float], speed: Sequence[float] | None) -> Array:
    """The markers of a given state: those of its speeds, or of the equilibrium."""
    closure = CLOSURES[plan.closure]
    w = []
    for k, n in enumerate(numbers):
        r = n.own * density[k] + n.other * density[len(numbers) - 1 - k]
        if speed is not None:
            # Whoever stands in a jam wants to drive as everybody does; so does whoever never adapts, and stands where everybody would.
            held = math.isinf(n.tau) and closure.velocity(n.limit, r, n.scale, n.jam, n.shape) == 0
            stands = speed[k] == 0 and (held or r >= n.jam * (1 - 1e-9))
            w.append(n.limit if stands else closure.lowered(UNBOUNDED, speed[k], r, n.scale, n.jam, n.shape))
        else:
            w.append(closure.target(n.limit, _settled(plan, n, r), r, n.scale, n.jam, n.shape))
    return np.array(w)


def _settled(plan: Plan, n: Numbers, r: float) -> float:
    from arz.laws.equilibrium.registry import equilibrium_speed

    return equilibrium_speed(plan.equilibrium, r, n.limit, n.creep, n.jam, n.shape)


def _range_of_markers(plan: Plan, markers: Sequence[Array]) -> tuple[Array, Array]:
    """The lowest and the highest marker that each class starts with, brings in, or relaxes to: none is ever beyond."""
    low, high = [], []
    closure = CLOSURES[plan.closure]
    darkest = 5 / 3.6 if plan.limits else math.inf
    for k in range(len(plan.classes)):
        targets = [darkest] if plan.limits else []
        for row in np.unique(plan.reaches.numbers[:, k], axis=0).tolist():
            n = Numbers(*row)
            if math.isfinite(n.tau):
                occupancies = [0.0] if plan.built_in else [r for r in np.linspace(0, n.ceiling, SAMPLES).tolist() if r < n.jam]
                targets += [closure.target(n.limit, _settled(plan, n, r), r, n.scale, n.jam, n.shape) for r in occupancies]
            targets.append(n.limit)
        begun = [float(w[k]) for w in markers if np.isfinite(w[k])]
        low.append(min(targets + begun))
        high.append(max(targets + begun))
    return np.array(low), np.array(high)


def _longest_step(plan: Plan, high: Array, dtype: Any) -> float:
    """The longest time step (s) under which no wave crosses more of a cell than the order allows, whatever happens: the a-priori bound.

    It depends on nothing but the world itself and does not change in time, so a world alone takes the steps that it takes among others.
    """
    longest, lengths = math.inf, crossed(plan) * plan.reaches.dx
    kinds, which = np.unique(plan.reaches.numbers.reshape(len(plan.reaches.dx), -1), axis=0, return_inverse=True)
    for kind, flat in enumerate(kinds):
        numbers = [Numbers(*part) for part in flat.reshape(len(plan.classes), -1).tolist()]
        shortest = float(lengths[which.ravel() == kind].min())
        longest = min(longest, plan.courant * shortest / _fastest_wave(plan, numbers, high))
    return longest * (1 - ROUNDED * float(np.finfo(dtype).eps))


def crossed(plan: Plan) -> Array:
    """The part of a cell that a wave may cross in a step, for each reach: the whole where no cell has a slope, or else half of it.

    The first and the last cell of a reach have no slope: there are none at first order, and none in a reach of one or two cells.
    """
    even = (plan.order == 1) | ((plan.reaches.cells < FEWEST_WITH_A_SLOPE) & ~plan.reaches.closed)
    return np.where(even, 1.0, 0.5)


def _fastest_wave(plan: Plan, numbers: Sequence[Numbers], high: Array) -> float:
    """A bound on |λ| over all sound states.

    λ ≥ min v − Σ ρ_k·own_k·|∂v_k/∂r|, and the sum is a mean of r·|∂v_k/∂r| over the classes. The coupled flux also asks that nobody's
    marker crosses a cell in one step.
    """
    closure = CLOSURES[plan.closure]
    fastest = float(high.max())
    for n, w in zip(numbers, high.tolist(), strict=True):
        top = n.ceiling if plan.coupled else min(closure.occupancy(w, 0.0, n.scale, n.jam, n.shape), n.ceiling)
        # A law with a kink is steepest just beyond it, where its flow is greatest.
        kink = closure.fan(w, 0.0, n.scale, n.jam, n.shape) * (1 + 1e-12)
        for r in (*np.linspace(0, top, SAMPLES)[1:].tolist(), min(kink, top)):
            steep = r * abs(closure.slope(w, r, n.scale, n.jam, n.shape))
            with_the_flow = 0.0 if plan.coupled else closure.velocity(w, r, n.scale, n.jam, n.shape)
            fastest = max(fastest, steep - with_the_flow)
    return fastest

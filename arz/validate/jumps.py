"""Two uniform states that meet: the exact waves, the exact cell averages, and where a computed profile has its waves."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.laws.exact import fan_head, riemann
from arz.laws.pressure.registry import CLOSURES, code_of, fan, occupancy, velocity
from arz.world.physics import ClosureName, Physics

Array = NDArray[Any]
State = tuple[float, float]

SPEED = 12.0
"""m/s: the unit of speed of all jumps, and K or V_max of their drivers."""
JAM = 0.15
"""Veh/m: the unit of density."""
KMH = 3.6
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(8)
"""On [−1, 1], for averages over cells."""


@dataclass(frozen=True)
class Jump:
    """(density, speed) on both sides, in units of the jam density and of `SPEED`; drivers never adapt, so the solution is exact."""

    name: str
    about: str
    closure: ClosureName
    left: State
    right: State
    shape: float = 1.0

    @property
    def physics(self) -> Physics:
        return Physics(
            closure=self.closure,
            classes=("car",),
            jam_veh_per_m=JAM,
            car_tau_s=None,
            car_pressure_kmh=None if self.closure == "multiplicative" else SPEED * KMH,
            shape=None if self.closure == "multiplicative" else self.shape,
        )

    @cached_property
    def numbers(self) -> tuple[float, float, float]:
        """Of the laws, in units of the jump: scale, jam, shape."""
        return 1.0, 1.0, self.shape

    @cached_property
    def code(self) -> int:
        return code_of(self.closure)

    def marker(self, state: State) -> float:
        """Of a state; whoever stands in the jam wants to drive at the unit of speed."""
        if state[0] >= 1 and state[1] == 0:
            return 1.0
        return CLOSURES[self.code].lowered(1e9, state[1], state[0], *self.numbers)

    def speed(self, rho: float, w: float) -> float:
        return velocity(self.code, (w, rho, *self.numbers))

    @cached_property
    def middle(self) -> float:
        """The density between the two waves."""
        w = self.marker(self.left)
        if self.left[0] == 0:
            return 0.0
        v = min(self.right[1], w) if self.right[0] > 0 else w
        reached = self.left[0] if v == self.left[1] else occupancy(self.code, (w, v, *self.numbers))
        # Where the two differ by rounding only, there is no contact.
        return self.right[0] if math.isclose(reached, self.right[0], rel_tol=1e-12) else reached

    @property
    def shock(self) -> float | None:
        """Its speed, where there is one."""
        (rho, v), middle = self.left, self.middle
        if not 0 < rho < middle:
            return None
        return (middle * self.speed(middle, self.marker(self.left)) - rho * v) / (middle - rho)

    @property
    def contact(self) -> float | None:
        """Its speed, where there is one."""
        return self.right[1] if self.right[0] > 0 and self.right[0] != self.middle else None

    @property
    def fan(self) -> tuple[float, float] | None:
        """The speeds of its edges, where there is one."""
        rho, w = self.left[0], self.marker(self.left)
        if not 0 <= self.middle < rho:
            return None
        return self._head(rho, w), self._head(self.middle, w)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The speeds of all points where the solution is not smooth."""
        found = [speed for speed in (self.shock, self.contact) if speed is not None]
        return tuple(sorted([*found, *(self.fan or ())]))

    @property
    def highest(self) -> float:
        """The highest speed of the exact solution."""
        states = [state for state in (self.left, self.right) if state[0] > 0]
        reached = self.speed(self.middle, self.marker(self.left)) if self.left[0] > 0 else 0.0
        return max([v for _, v in states] + [reached])

    @property
    def time(self) -> float:
        """When a wave has come 0.4 far, in units of length over speed."""
        return 0.4 / max(abs(speed) for speed in self.kinks)

    @property
    def margin(self) -> int:
        """How many lengths the road goes on at either end, so that nothing of its ends is seen."""
        upstream = -self._head(self.right[0], self.marker(self.right)) if self.right[0] > 0 else 0.0
        return math.ceil(1.1 * self.time * max(upstream, self.left[1], 0.1))

    def density(self, xi: float) -> float:
        """Exact, at x/t."""
        (rho_l, w_l), (rho_r, w_r) = ((state[0], self.marker(state)) for state in (self.left, self.right))
        return riemann(self.code, xi, rho_l, w_l, rho_r, w_r, *self.numbers)[0]

    def crowd(self, xi: float) -> float:
        """The density of the fan of the left marker at x/t."""
        return fan(self.code, (self.marker(self.left), xi, *self.numbers))

    def _head(self, rho: float, w: float) -> float:
        return fan_head(self.code, rho, w, *self.numbers)


def averages(profile: Callable[[float], float], edges: Array, kinks: Sequence[float]) -> Array:
    """The means of a function over the cells between these edges, exactly but for rounding where it is smooth between the kinks."""
    inside = [kink for kink in kinks if edges[0] < kink < edges[-1]]
    parts = np.unique(np.concatenate([edges, inside]))
    half = np.diff(parts) / 2
    points = (parts[:-1] + half)[:, None] + half[:, None] * POINTS
    values = np.array([[profile(x) for x in row] for row in points.tolist()])
    cell = np.searchsorted(edges, parts[:-1], side="right") - 1
    total = np.zeros(len(edges) - 1)
    np.add.at(total, cell, half * (values @ WEIGHTS))
    mean: Array = total / np.diff(edges)
    return mean


def crossing(x: Array, values: Array, level: float, *, last: bool = False) -> float:
    """Where a profile crosses a level for the first, or for the last time, between the middles of cells."""
    above = values > level
    places = np.flatnonzero(above[1:] != above[:-1])
    if not len(places):
        return math.nan
    at = places[-1 if last else 0]
    part = (level - values[at]) / (values[at + 1] - values[at])
    return float(x[at] + part * (x[at + 1] - x[at]))

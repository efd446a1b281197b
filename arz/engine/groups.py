"""Worlds of one plan and one time step, which one backend computes together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine import lights
from arz.engine.backends.base import Backend, State
from arz.engine.plan import Plan, make_plan
from arz.engine.start import Start, make_start
from arz.errors import Invalid
from arz.world.scenario import Scenario

Array = NDArray[Any]

NO_LIMIT = 1e30
"""What a gate or a sign that asks for nothing asks for."""


@dataclass
class Group:
    """Worlds of one plan and one time step; `worlds` are their places in the batch."""

    plan: Plan
    worlds: Array
    starts: list[Start]
    backend: Backend
    lamps: lights.Lamps
    limit: Array
    rate: Array
    times: Array
    arriving: Array
    drawn_of: list[int]
    """The seeds of the demand that is drawn."""
    drawn_until: float
    begun: Array

    def steps(self, duration_s: float) -> int:
        """How many it takes in so many seconds; what is a multiple of the bound, to rounding, takes no further one."""
        return max(1, math.ceil(duration_s / self.starts[0].dt_bound * (1 - 1e-15)))


def grouped(scenarios: Sequence[Scenario], make: Any, dtype: Any, threads: int | None) -> list[Group]:
    """Those whose plan and time step agree, of worlds of one shape."""
    plans: list[tuple[Scenario, Plan]] = []
    members: dict[tuple[int, float], list[tuple[int, Start]]] = {}
    known: dict[int, tuple[int, Start]] = {}  # thousands of worlds are often one scenario with many seeds
    for world, scenario in enumerate(scenarios):
        if id(scenario) not in known:
            at = next((n for n, (other, _) in enumerate(plans) if _same_plan(scenario, other)), None)
            if at is None:
                at = len(plans)
                plans.append((scenario, make_plan(scenario)))
            known[id(scenario)] = at, make_start(scenario, plans[at][1], dtype)
        at, start = known[id(scenario)]
        members.setdefault((at, start.dt_bound), []).append((world, start))
    groups = []
    for (at, _), worlds in members.items():
        plan, starts = plans[at][1], [start for _, start in worlds]
        nothing = np.zeros(0)
        groups.append(
            Group(
                plan=plan,
                worlds=np.array([world for world, _ in worlds]),
                starts=starts,
                backend=make(plan, starts, dtype, threads=threads),
                lamps=lights.by_plan(plan, len(worlds)),
                limit=nothing,
                rate=nothing,
                times=nothing,
                arriving=nothing,
                drawn_of=[],
                drawn_until=0.0,
                begun=nothing,
            )
        )
    _require_one_shape([group.plan for group in groups])
    return groups


def _same_plan(one: Scenario, other: Scenario) -> bool:
    parts = ("network", "physics", "scheme", "actuators")
    return all(getattr(one, part) is getattr(other, part) or getattr(one, part) == getattr(other, part) for part in parts)


def _require_one_shape(plans: Sequence[Plan]) -> None:
    def shape(plan: Plan) -> tuple[Any, ...]:
        actuators = tuple(each.id for each in (*plan.meters, *plan.limits))
        return plan.classes, plan.roads, plan.cells, tuple(each.node for each in plan.lights), actuators

    for number, plan in enumerate(plans):
        if shape(plan) != shape(plans[0]):
            problem = f"(group {number}) differs in roads, cells, classes, signals or actuators from the first"
            raise Invalid("scenarios", problem, "put scenarios of different networks into simulators of their own")


def first_orders(plan: Plan, worlds: int) -> tuple[Array, Array]:
    """What gates and signs are told as long as nobody else tells them."""
    limits = np.array([NO_LIMIT if each.limit_kmh is None else each.limit_kmh / 3.6 for each in plan.limits])
    rates = np.array([NO_LIMIT if each.rate_veh_per_h is None else each.rate_veh_per_h / 3600 for each in plan.meters])
    limit = np.broadcast_to(limits[None, :, None], (worlds, len(limits), len(plan.classes))).copy()
    return limit, np.broadcast_to(rates, (worlds, len(rates))).copy()


def first_state(plan: Plan, starts: Sequence[Start], dtype: Any) -> State:
    """Of worlds that begin."""
    worlds, classes = len(starts), len(plan.classes)
    return State(
        rho=np.stack([start.rho for start in starts]).astype(dtype),
        y=np.stack([start.y for start in starts]).astype(dtype),
        waiting=np.zeros((worlds, len(plan.sources), classes)),
        entered=np.zeros((worlds, len(plan.sources), classes, 2)),
        left=np.zeros((worlds, len(plan.sinks), classes, 2)),
        removed=np.zeros((worlds, classes)),
    )

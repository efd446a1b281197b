"""Where a run went wrong: the road, the cell and the state of the first world that did; and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arz.engine.backends.base import State
from arz.engine.groups import Group
from arz.errors import Unstable
from arz.laws.pressure.registry import CLOSURES
from arz.laws.state import NEGATIVE, NOT_A_NUMBER, OVERFULL, SOUND, marker, occupancy_of, verdict
from arz.world.physics import Numbers

WHAT = {NOT_A_NUMBER: "is not a number", NEGATIVE: "is negative", OVERFULL: "is beyond the jam"}

RESTORE = "the interval began with a state that was none: restore a snapshot as snapshot() gave it"
"""The steps are short enough for every sound state, so that shorter ones would mend nothing."""
OVERFILLED = (
    "no law keeps two classes within a jam under an additive closure: take the closure multiplicative, or report it with the scenario"
)
REPORT = "this may never be: report it, with the scenario and the snapshot before, where the simulator stays"
COMPUTE_AGAIN = "compute it again; if that goes wrong too, the memory of the machine may be faulty, or else report it with the scenario"


@dataclass(frozen=True)
class _Place:
    """An unsound cell, and one class there."""

    at: int
    """The world, counted in its group."""
    cell: int
    k: int
    verdict: int


def unstable(group: Group, before: State, state: State, time_s: float) -> Unstable:
    """The first unsound cell of a state, in the order of worlds, cells and classes; the interval began with the state `before`."""
    every = range(len(group.worlds))
    place = _first(group, state, every)
    if place is None:
        # It was mended before the step ended: an unsound density that the next clamp hid.
        return Unstable(time_s, int(group.worlds[0]), "?", -1, {}, "was unsound within a step", _remedy(group, before, every, SOUND))
    plan, at, cell, k = group.plan, place.at, place.cell, place.k
    road, start, _ = plan.cell_places
    n = _numbers(group)[cell][k]
    rho, y, r = _felt(group, state, at, cell, k, n)
    w = marker(rho, y, float(group.starts[at].low[k]), float(group.starts[at].high[k]))
    values = {
        "vehicle": plan.classes[k],
        "density_veh_per_m": rho,
        "speed_m_per_s": CLOSURES[plan.closure].velocity(w, r, n.scale, n.jam, n.shape),
        "occupancy_veh_per_m": r,
        "from_m": start[cell],
    }
    remedy = _remedy(group, before, [at], place.verdict)
    return Unstable(time_s, int(group.worlds[at]), plan.roads[road[cell]], cell, values, WHAT[place.verdict], remedy)


def not_again(time_s: float) -> Unstable:
    """Something went wrong, and not when the same interval was computed step by step."""
    return Unstable(time_s, -1, "?", -1, {}, "went wrong, and did not when it was computed again", COMPUTE_AGAIN)


def _remedy(group: Group, before: State, worlds: Sequence[int], found: int) -> str:
    if _first(group, before, worlds) is not None:
        return RESTORE
    return OVERFILLED if found == OVERFULL and group.plan.coupled and not group.plan.built_in else REPORT


def _first(group: Group, state: State, worlds: Sequence[int]) -> _Place | None:
    numbers = _numbers(group)
    near = 1e-12 if state.rho.dtype == np.float64 else 1e-5
    for at in worlds:
        for cell in range(group.plan.cells):
            for k in range(len(group.plan.classes)):
                n = numbers[cell][k]
                found = verdict(*_felt(group, state, at, cell, k, n), n.ceiling * (1 + near))
                if found != SOUND:
                    return _Place(at, cell, k, found)
    return None


def _numbers(group: Group) -> list[list[Numbers]]:
    """[cell][class]."""
    rows = np.repeat(group.plan.reaches.numbers, group.plan.reaches.cells, axis=0)
    return [[Numbers(*row) for row in cell] for cell in rows.tolist()]


def _felt(group: Group, state: State, at: int, cell: int, k: int, n: Numbers) -> tuple[float, float, float]:
    """(ρ, y, r) of a class in a cell."""
    rho, y = float(state.rho[at, k, cell]), float(state.y[at, k, cell])
    beside = float(state.rho[at, -1 - k, cell]) if len(group.plan.classes) > 1 else 0.0
    return rho, y, occupancy_of(rho, beside, n.own, n.other)

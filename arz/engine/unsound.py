"""Where a run went wrong: the road, the cell and the state of the first world that did."""

import numpy as np

from arz.engine.backends.base import State
from arz.engine.groups import Group
from arz.errors import Unstable
from arz.laws.pressure.registry import CLOSURES
from arz.laws.state import NEGATIVE, NOT_A_NUMBER, OVERFULL, SOUND, marker, occupancy_of, verdict
from arz.world.physics import Numbers

WHAT = {NOT_A_NUMBER: "is not a number", NEGATIVE: "is negative", OVERFULL: "is beyond the jam"}


def unstable(group: Group, state: State, time_s: float) -> Unstable:
    """The first unsound cell, in the order of worlds, cells and classes."""
    plan = group.plan
    numbers = np.repeat(plan.reaches.numbers, plan.reaches.cells, axis=0)
    road, start, _ = plan.cell_places
    near = 1e-12 if state.rho.dtype == np.float64 else 1e-5
    for at, world in enumerate(group.worlds.tolist()):
        for cell in range(plan.cells):
            for k, name in enumerate(plan.classes):
                n = Numbers(*numbers[cell, k].tolist())
                rho, y = float(state.rho[at, k, cell]), float(state.y[at, k, cell])
                beside = float(state.rho[at, -1 - k, cell]) if len(plan.classes) > 1 else 0.0
                r = occupancy_of(rho, beside, n.own, n.other)
                found = verdict(rho, y, r, n.ceiling * (1 + near))
                if found != SOUND:
                    w = marker(rho, y, float(group.starts[at].low[k]), float(group.starts[at].high[k]))
                    v = CLOSURES[plan.closure].velocity(w, r, n.scale, n.jam, n.shape)
                    values = {
                        "vehicle": name,
                        "density_veh_per_m": rho,
                        "speed_m_per_s": v,
                        "occupancy_veh_per_m": r,
                        "from_m": start[cell],
                    }
                    return Unstable(time_s, world, plan.roads[road[cell]], cell, values, WHAT[found])
    # It was mended before the step ended: an unsound density that the next clamp hid.
    return Unstable(time_s, int(group.worlds[0]), "?", -1, {}, "was unsound within a step")

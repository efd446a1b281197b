"""What is read from a batch of worlds: interval averages per road, by the definitions of Edie, and what signals and entries do.

Edie 1963: over a road of length L and an interval T, density is the time spent over L·T, flow the distance driven over L·T, speed their
ratio. So nothing is sampled: what happened within the interval counts as long as it lasted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine.backends.base import Counted
from arz.engine.plan import Plan

Array = NDArray[Any]


@dataclass(frozen=True)
class Measures:
    """Arrays [world, road | entry | outlet | signal, class], float64, at the end of an interval; without an interval, of a moment."""

    time_s: float
    density: Array
    """[world, road, class], veh/m per lane."""
    flow: Array
    """[world, road, class], veh/s, all lanes."""
    speed: Array
    """[world, road, class], m/s; on an empty road the limit."""
    inside: Array
    """[world, road, class], vehicles at the end of the interval."""
    queue: Array
    """[world, road, class], vehicles slower than 2 m/s at the end of the interval."""
    delay: Array
    """[world, road, class], veh·s lost in the interval against driving at the limit."""
    spent: Array
    """[world, road, class], veh·s in the interval."""
    distance: Array
    """[world, road, class], veh·m in the interval."""
    waiting: Array
    """[world, entry, class], vehicles that have come and find no room yet."""
    entered: Array
    """[world, entry, class], vehicles since the start."""
    left: Array
    """[world, outlet, class], vehicles since the start."""
    phase: Array
    """int[world, signal]; while the lights change, the coming one."""
    phase_age_s: Array
    """[world, signal], since the phase began; negative while the lights change."""


def of_roads(plan: Plan, counted: Counted, dt: float, steps: int) -> dict[str, Array]:
    """The fields of `Measures` that belong to roads; steps is 0 for a moment."""
    length = plan.road_length[:, None]
    seconds = dt * steps
    # Of a moment, `spent` and `distance` are vehicles and vehicle-metres a second.
    mean = 1 / steps if steps else 1.0
    vehicles, moving = counted.spent * mean, counted.distance * mean
    limit = np.broadcast_to(plan.road_limit, vehicles.shape)
    return {
        "density": vehicles / (length * plan.road_lanes[:, None]),
        "flow": moving / length,
        "speed": np.divide(moving, vehicles, out=limit.copy(), where=vehicles > 0),
        "inside": counted.inside,
        "queue": counted.queue,
        "delay": (vehicles - moving / limit) * seconds,
        "spent": vehicles * seconds,
        "distance": moving * seconds,
    }

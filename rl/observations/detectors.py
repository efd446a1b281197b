"""Detectors before every stop line: density, speed and queue of each class, as they were measured since the last decision."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rl.guard import Guard
from rl.layout import Layout, Site, Sums
from rl.moment import Moment
from rl.observations.base import Observation, Part, Sensor, joined, setting

Array = NDArray[Any]


class Detectors(Observation):
    """Of the roads that begin within `reach_m` before each stop line, meter or end of a section, and of the exits if `exits`.

    Densities and queues are shares of what stands there in a jam, speeds (v, as a detector sees them, never the marker w) of the limit.
    """

    kind: Literal["detectors"] = "detectors"
    reach_m: Annotated[float, Field(gt=0)] = 150.0
    exits: bool = False

    def sensor(self, layout: Layout, sites: Sequence[Site], guard: Guard) -> Sensor:
        groups = [[layout.near(stretch, self.reach_m) for stretch in site.stretches] for site in sites]
        if self.exits:
            groups = [[*lines, *((road,) for road in site.exits)] for lines, site in zip(groups, sites, strict=True)]
        parts = [counted(layout, groups), setting(layout, sites, guard)]
        return joined(parts)


def counted(layout: Layout, groups: Sequence[Sequence[Sequence[int]]]) -> tuple[Sequence[str], Part]:
    """Density, speed and queue of each group of roads [site][group] and class; where a site has fewer groups than another: 0, 1, 0."""
    most = max(len(lines) for lines in groups)
    sums = Sums([line for lines in groups for line in (*lines, *[()] * (most - len(lines)))])
    width = (layout.lanes * layout.length_m)[:, None]
    length = layout.length_m[:, None]
    room = sums.total(layout.room[None])
    # Where nobody drives, everybody who came would drive at the limit; that is what vehicles would do, on the whole group.
    limit = np.divide(sums.total((layout.limit_m_per_s * layout.room)[None]), room, out=np.ones_like(room), where=room > 0)
    room[room == 0] = 1.0
    shape = (len(groups), most * len(layout.classes))

    def read(moment: Moment) -> Array:
        measures = moment.measures
        vehicles = sums.total(measures.density * width)
        moving = sums.total(measures.flow * length)
        worlds = len(vehicles)
        seen = np.empty((3, worlds, *shape))
        seen[0] = (vehicles / room).reshape(worlds, *shape)
        speed = np.divide(moving, vehicles * limit, out=np.ones_like(moving), where=vehicles > 0)
        seen[1] = speed.reshape(worlds, *shape)
        seen[2] = (sums.total(measures.queue) / room).reshape(worlds, *shape)
        np.clip(seen, 0.0, 1.0, out=seen)
        return np.concatenate(list(seen), axis=2)

    what = ("density", "speed", "queue")
    return tuple(f"{each} {line} {vehicle}" for each in what for line in range(most) for vehicle in layout.classes), read

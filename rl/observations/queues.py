"""Queues only: what a camera at the lights counts."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rl.guard import Guard
from rl.layout import Layout, Site, Sums, of_classes
from rl.moment import Moment
from rl.observations.base import Observation, Sensor, joined, setting

Array = NDArray[Any]


class Queues(Observation):
    """The queue on all that leads to each stop line, both classes together, as a share of what stands there in a jam."""

    kind: Literal["queues"] = "queues"

    def sensor(self, layout: Layout, sites: Sequence[Site], guard: Guard) -> Sensor:
        most = max(len(site.stretches) for site in sites)
        sums = Sums([stretch for site in sites for stretch in (*site.stretches, *[()] * (most - len(site.stretches)))])
        room = sums.total(layout.room[None]).max(axis=2)
        room[room == 0] = 1.0

        def read(moment: Moment) -> Array:
            queue = sums.total(of_classes(moment.measures.queue)) / room
            shown: Array = np.clip(queue, 0.0, 1.0).reshape(len(queue), len(sites), most)
            return shown

        names = tuple(f"queue {line}" for line in range(most))
        return joined([(names, read), setting(layout, sites, guard)])

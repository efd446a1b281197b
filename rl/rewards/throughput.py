"""Vehicles that have reached where they go."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rl.layout import Layout
from rl.moment import Moment
from rl.rewards.base import Area, Gauge, Reward

Array = NDArray[Any]


class Throughput(Reward):
    """Vehicles a second that left the network within the interval: the same for every agent, since all of them brought them there."""

    kind: Literal["throughput"] = "throughput"

    def gauge(self, layout: Layout, areas: Sequence[Area]) -> Gauge:  # noqa: ARG002 - a kind may need it
        agents = len(areas)

        def read(moment: Moment) -> Array:
            left = (moment.measures.left - moment.before.left).sum(axis=(1, 2)) / moment.seconds
            return np.repeat(left[:, None], agents, axis=1)

        return read

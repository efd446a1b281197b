"""Time lost against driving at the limit, and before the entries."""

from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from rl.layout import Layout, Sums
from rl.moment import Moment
from rl.rewards.base import Area, Gauge, Reward

Array = NDArray[Any]


class Delay(Reward):
    """Minus the vehicle-seconds lost a second: as if so many vehicles had stood all the time. Whoever waits outside loses time too."""

    kind: Literal["delay"] = "delay"
    weight: float = 0.01

    def gauge(self, layout: Layout, areas: Sequence[Area]) -> Gauge:  # noqa: ARG002 - a kind may need it
        roads, entries = Sums([area.roads for area in areas]), Sums([area.entries for area in areas])

        def read(moment: Moment) -> Array:
            waiting = (moment.measures.waiting.sum(axis=2) + moment.before.waiting.sum(axis=2)) / 2
            return -roads.total(moment.measures.delay.sum(axis=2)) / moment.seconds - entries.total(waiting)

        return read

"""Time lost against driving at the limit, and before the entries."""

from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from rl.layout import Layout, Sums, of_classes
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
            waiting = (of_classes(moment.measures.waiting) + of_classes(moment.before.waiting)) / 2
            return -roads.total(of_classes(moment.measures.delay)) / moment.seconds - entries.total(waiting)

        return read

"""What changing the lights costs."""

from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from rl.layout import Layout, Sums
from rl.moment import Moment
from rl.rewards.base import Area, Gauge, Reward

Array = NDArray[Any]


class Switches(Reward):
    """Minus the changes of lights that began within the interval."""

    kind: Literal["switches"] = "switches"
    weight: float = 0.01

    def gauge(self, layout: Layout, areas: Sequence[Area]) -> Gauge:  # noqa: ARG002 - a kind may need it
        signals = Sums([area.signals for area in areas])

        def read(moment: Moment) -> Array:
            return -signals.total(moment.changes).astype(float)

        return read

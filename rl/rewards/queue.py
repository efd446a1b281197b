"""Vehicles that stand, and how many fewer than before."""

from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from rl.layout import Layout, Sums, of_classes
from rl.moment import Moment
from rl.rewards.base import Area, Gauge, Reward

Array = NDArray[Any]


class Queue(Reward):
    """Minus the vehicles that stand or wait outside at the end of the interval; with `change`, by how many they have become fewer."""

    kind: Literal["queue"] = "queue"
    weight: float = 0.01
    change: bool = False

    def gauge(self, layout: Layout, areas: Sequence[Area]) -> Gauge:  # noqa: ARG002 - a kind may need it
        roads, entries = Sums([area.roads for area in areas]), Sums([area.entries for area in areas])

        def standing(moment: Moment, *, before: bool) -> Array:
            measures = moment.before if before else moment.measures
            return roads.total(of_classes(measures.queue)) + entries.total(of_classes(measures.waiting))

        def read(moment: Moment) -> Array:
            now = -standing(moment, before=False)
            return now + standing(moment, before=True) if self.change else now

        return read

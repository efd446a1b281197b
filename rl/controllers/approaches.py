"""What leads to the lights that are green in each phase, for rules that compare phases."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rl.layout import Layout, Sums

Array = NDArray[Any]


class Approaches:
    """All approaches of all signals in a row, and which of them are green in which phase."""

    def __init__(self, layout: Layout, reach_m: float) -> None:
        of = [(number, stretch) for number, site in enumerate(layout.sites["signal"]) for stretch in site.stretches]
        self.roads = np.array([stretch[0] for _, stretch in of], np.intp)
        """int[approach]: the last road before the light."""
        self._near = Sums([layout.near(stretch, reach_m) for _, stretch in of])
        self._green = np.zeros((len(layout.signals), layout.most_phases, len(of)))
        for at, (number, stretch) in enumerate(of):
            for phase, green in enumerate(layout.signals[number].phases):
                self._green[number, phase, at] = stretch[0] in green.approaches

    def near(self, values: Array) -> Array:
        """[world, approach] from [world, road]: added up over the roads within reach."""
        return self._near.total(values)

    def added(self, values: Array) -> Array:
        """[world, signal, phase] from [world, approach]: over the approaches that are green."""
        total: Array = (values[:, None, None] * self._green).sum(axis=3)
        return total

    def highest(self, values: Array) -> Array:
        """The same, but of the one with most; values are not negative."""
        most: Array = (values[:, None, None] * self._green).max(axis=3)
        return most


def of_phase(values: Array, phase: Array) -> Array:
    """[world, signal]: of values [world, signal, phase] those of one phase of each."""
    chosen: Array = np.take_along_axis(values, phase[..., None], axis=2)[..., 0]
    return chosen

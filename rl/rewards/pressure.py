"""How unevenly the roads before and behind the lights are filled."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rl.layout import Layout, Sums, of_classes
from rl.moment import Moment
from rl.rewards.base import Area, Gauge, Reward

Array = NDArray[Any]


class Pressure(Reward):
    """Minus the pressure of each site, added up: how differently its approaches and its exits are filled, as shares of a jam.

    Wei and others 2019, doi:10.1145/3292500.3330949.
    """

    kind: Literal["pressure"] = "pressure"

    def gauge(self, layout: Layout, areas: Sequence[Area]) -> Gauge:
        sites = [site for area in areas for site in area.sites]
        ways_in = Sums([[stretch[0] for stretch in site.stretches] for site in sites])
        ways_out = Sums([site.exits for site in sites])
        of_area = Sums(_runs([len(area.sites) for area in areas]))
        room = layout.room

        def read(moment: Moment) -> Array:
            filled = of_classes(moment.measures.inside / room)
            return -of_area.total(np.abs(ways_in.total(filled) - ways_out.total(filled)))

        return read


def _runs(lengths: Sequence[int]) -> list[list[int]]:
    """0, 1, … cut into runs of these lengths."""
    ends = np.cumsum(lengths).tolist()
    return [list(range(end - length, end)) for end, length in zip(ends, lengths, strict=True)]

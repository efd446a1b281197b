"""What is known of all worlds at one moment: what detectors counted since the last one, and what the lights do."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from arz import Measures

Array = NDArray[Any]


@dataclass(frozen=True)
class Moment:
    """Arrays [world, …]; at the beginning of an episode nothing has been counted, and `before` is `measures`."""

    measures: Measures
    """Of the interval that has just ended."""
    before: Measures
    """Of the interval before it."""
    seconds: float
    """How long the interval was; 0 at the beginning."""
    changes: Array
    """int[world, signal]: how often the lights were told to change within the interval."""
    rate_veh_per_h: Array
    """[world, meter]; NaN: the gate stands open."""
    limit_kmh: Array
    """[world, section]; NaN: the signs are dark."""

    @property
    def time_s(self) -> float:
        return self.measures.time_s

    @property
    def worlds(self) -> int:
        return len(self.measures.phase)

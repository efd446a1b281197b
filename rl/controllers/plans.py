"""Fixed plans whose greens are chosen, carried out to the moment."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz import Controls
from rl.controllers.base import Driver
from rl.layout import Layout
from rl.moment import Moment

Array = NDArray[Any]
ROUNDING_S = 1e-6


class Plans(Driver):
    """Greens of each signal, in the order of its phases, over and over; offsets are those of the plans as given, times `offsets`."""

    def __init__(self, layout: Layout, greens: list[list[float]], offsets: float) -> None:
        signals = layout.signals
        most = layout.most_phases
        self.begins = np.full((len(signals), most), np.inf)
        self.cycle, self.offset = np.zeros(len(signals)), np.zeros(len(signals))
        for number, (lights, green) in enumerate(zip(signals, greens, strict=True)):
            whole = [each + lights.lost_s for each in green]
            # A phase is asked for when the green before it ends: its own begins when the lights have changed.
            self.begins[number, : len(green)] = np.cumsum([0.0, *whole[:-1]])
            self.cycle[number] = sum(whole)
            self.offset[number] = (lights.offset_s * offsets - lights.lost_s) % self.cycle[number]

    def controls(self, moment: Moment) -> Controls:
        into = self._into(moment.time_s)
        phase = (self.begins <= into[:, None] + ROUNDING_S).sum(axis=1) - 1
        return Controls(phase=np.repeat(phase[None], moment.worlds, axis=0))

    def seconds(self, moment: Moment) -> float:
        into = self._into(moment.time_s)[:, None]
        ahead = np.where(self.begins > into + ROUNDING_S, self.begins - into, self.begins + self.cycle[:, None] - into)
        return float(ahead.min())

    def _into(self, time_s: float) -> Array:
        into: Array = (time_s - self.offset + ROUNDING_S) % self.cycle - ROUNDING_S
        return into

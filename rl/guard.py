"""The interlock: whatever is asked, no green is shorter than its minimum or longer than its maximum, and no change is cut short."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz import Invalid
from rl.layout import Lights

Array = NDArray[Any]
ROUNDING_S = 1e-6


@dataclass(frozen=True)
class Guard:
    """Arrays [signal]. `phase` and `age` [world, signal] are those of the measures: the age is negative while the lights change."""

    phases: Array
    min_green_s: Array
    max_green_s: Array

    def may_change(self, age: Array) -> Array:
        """bool[world, signal]: no change is under way, and the green has lasted long enough."""
        able: Array = (age >= np.maximum(self.min_green_s, 0.0) - ROUNDING_S) & (self.phases > 1)
        return able

    def must_change(self, age: Array, seconds: float) -> Array:
        """bool[world, signal]: in so many seconds the green would be too long."""
        due: Array = self.may_change(age) & (age + seconds > self.max_green_s + ROUNDING_S)
        return due

    def allowed(self, phase: Array, age: Array, seconds: float) -> Array:
        """bool[world, signal, phase]: what can be asked for now, if one can ask again in so many seconds; always at least one phase."""
        number = np.arange(int(self.phases.max(initial=0)))
        stays = number == phase[..., None]
        there = number < self.phases[:, None]
        open_to: Array = np.where(stays, ~self.must_change(age, seconds)[..., None], there & self.may_change(age)[..., None])
        return open_to

    def grant(self, wish: Array, phase: Array, age: Array, seconds: float) -> Array:
        """int[world, signal]: the wish where it is allowed; or else the phase that is, or where that has lasted too long the next one."""
        granted = np.where(self.may_change(age), wish, phase)
        overdue = self.must_change(age, seconds) & (granted == phase)
        kept: Array = np.where(overdue, (phase + 1) % self.phases, granted)
        return kept


def guard(signals: tuple[Lights, ...], decision_s: float) -> Guard:
    """The guard of these signals, if one asks every `decision_s`: refused where no decision would fall between both bounds."""
    for lights in signals:
        least = lights.min_green_s + decision_s
        if lights.max_green_s < least:
            problem = f"is {lights.max_green_s:g} s, too short for {lights.name!r}: min_green_s and one decision are {least:g} s"
            raise Invalid("max_green_s", problem, "lengthen it, or decide more often")
    return Guard(
        np.array([len(lights.phases) for lights in signals], np.int64),
        np.array([lights.min_green_s for lights in signals]),
        np.array([lights.max_green_s for lights in signals]),
    )

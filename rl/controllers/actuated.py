"""Actuated lights: a green is kept as long as vehicles come without a gap, and phases that nobody waits for are left out."""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from arz import Controls
from rl.controllers.approaches import Approaches, of_phase
from rl.controllers.base import Controller, Driver
from rl.guard import Guard
from rl.layout import Layout, SiteKind, of_classes
from rl.moment import Moment

Array = NDArray[Any]


class Actuated(Controller):
    """After `min_green_s` the green goes on while somebody stands before it or a lane's headway (of cars, or as many motorcycles as count
    for one) is shorter than `gap_s`, at most as long as the interlock allows; then comes the next phase that somebody is near to.
    """

    kind: Literal["actuated"] = "actuated"
    drives: ClassVar[SiteKind | None] = "signal"
    gap_s: Annotated[float, Field(gt=0)] = 3.0
    min_green_s: Annotated[float, Field(ge=0)] = 5.0
    reach_m: Annotated[float, Field(gt=0)] = 50.0
    interval_s: Annotated[float, Field(gt=0)] = 1.0

    def driver(self, layout: Layout, guard: Guard) -> Driver:
        layout.sites_of("signal")
        return _Gaps(self, layout, guard)


class _Gaps(Driver):
    def __init__(self, rule: Actuated, layout: Layout, guard: Guard) -> None:
        self.rule, self.layout, self.guard = rule, layout, guard
        self.approaches = Approaches(layout, rule.reach_m)

    def controls(self, moment: Moment) -> Controls:
        measures, weight = moment.measures, self.layout.weight
        phase, age = measures.phase, measures.phase_age_s
        standing = self.approaches.highest(self.approaches.near(of_classes(measures.queue * weight)))
        per_lane = (of_classes(measures.flow * weight) / self.layout.lanes)[:, self.approaches.roads]
        busy = (of_phase(standing, phase) >= 1) | (of_phase(self.approaches.highest(per_lane), phase) * self.rule.gap_s >= 1)
        called = self.approaches.highest(self.approaches.near(of_classes(measures.inside * weight))) >= 1
        over = (age >= self.rule.min_green_s - 1e-6) & (~busy | self.guard.must_change(age, self.rule.interval_s))
        return Controls(phase=np.where(over, self._next(phase, called), phase))

    def seconds(self, moment: Moment) -> float:
        del moment
        return self.rule.interval_s

    def _next(self, phase: Array, called: Array) -> Array:
        """The next phase in turn that somebody calls, or the one that is."""
        chosen = phase.copy()
        for ahead in range(self.layout.most_phases - 1, 0, -1):
            candidate = (phase + ahead) % self.guard.phases
            chosen = np.where(of_phase(called, candidate), candidate, chosen)
        return chosen

"""Self-organising lights: who waits at red collects time until it is enough, and platoons are not cut.

S.-B. Cools, C. Gershenson, B. D'Hooghe 2013, doi:10.1007/978-1-4471-5113-5_3.
"""

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


class Sotl(Controller):
    """A red phase collects the vehicles (as cars) within `reach_m` times the seconds they are there; at `threshold_veh_s`, if the green has
    lasted `min_green_s`, it is its turn, unless between none and `platoon_veh` are within `cut_m` before the green.
    """

    kind: Literal["sotl"] = "sotl"
    drives: ClassVar[SiteKind | None] = "signal"
    threshold_veh_s: Annotated[float, Field(gt=0)] = 100.0
    min_green_s: Annotated[float, Field(ge=0)] = 10.0
    reach_m: Annotated[float, Field(gt=0)] = 80.0
    cut_m: Annotated[float, Field(gt=0)] = 25.0
    platoon_veh: Annotated[float, Field(ge=0)] = 3.0
    interval_s: Annotated[float, Field(gt=0)] = 1.0

    def driver(self, layout: Layout, guard: Guard) -> Driver:
        layout.sites_of("signal")
        return _Collected(self, layout, guard)


class _Collected(Driver):
    def __init__(self, rule: Sotl, layout: Layout, guard: Guard) -> None:
        self.rule, self.layout, self.guard = rule, layout, guard
        self.approaches = Approaches(layout, rule.reach_m)
        # What stands on a longer road than the reach is taken to be spread evenly over it.
        self.part = np.minimum(rule.reach_m / layout.length_m, 1.0)
        self.cut = np.minimum(rule.cut_m / layout.length_m, 1.0)
        self.collected = np.zeros((0, len(layout.signals), layout.most_phases))

    def begin(self, worlds: int) -> None:
        self.collected = np.zeros((worlds, *self.collected.shape[1:]))

    def controls(self, moment: Moment) -> Controls:
        measures, weight = moment.measures, self.layout.weight
        phase, age = measures.phase, measures.phase_age_s
        vehicles = of_classes(measures.density * weight) * self.layout.lanes * self.layout.length_m
        coming = self.approaches.added(self.approaches.near(vehicles * self.part))
        self.collected = self.collected + coming * moment.seconds
        np.put_along_axis(self.collected, phase[..., None], 0.0, axis=2)
        fullest = self.collected.argmax(axis=2)
        before_green = of_phase(self.approaches.added((vehicles * self.cut)[:, self.approaches.roads]), phase)
        platoon = (before_green >= 1) & (before_green <= self.rule.platoon_veh)
        due = (of_phase(self.collected, fullest) >= self.rule.threshold_veh_s) & (age >= self.rule.min_green_s - 1e-6) & ~platoon
        return Controls(phase=np.where(due, fullest, phase))

    def seconds(self, moment: Moment) -> float:
        del moment
        return self.rule.interval_s

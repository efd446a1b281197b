"""ALINEA: a ramp lets in what keeps the motorway behind it just below its capacity.

M. Papageorgiou, H. Hadj-Salem, J.-M. Blosseville, ALINEA: a local feedback control law for on-ramp metering, TRR 1320, 1991.
"""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from arz import Controls
from rl.controllers.base import Controller, Driver
from rl.guard import Guard
from rl.layout import Layout, SiteKind, Sums, of_classes
from rl.moment import Moment

Array = NDArray[Any]


class Alinea(Controller):
    """Every `interval_s`: rate + `gain` · (target - occupancy) per percent, within both bounds.

    Occupancy is how full the roads behind the merge are, as a share of a jam of cars; the flow is highest at about 0.5. A ramp that is
    fuller than `spill` is opened.
    """

    kind: Literal["alinea"] = "alinea"
    drives: ClassVar[SiteKind | None] = "meter"
    gain_veh_per_h: Annotated[float, Field(gt=0)] = 70.0
    target: Annotated[float, Field(gt=0, lt=1)] = 0.45
    least_veh_per_h: Annotated[float, Field(ge=0)] = 240.0
    most_veh_per_h: Annotated[float, Field(gt=0)] = 1800.0
    spill: Annotated[float, Field(gt=0)] = 0.9
    interval_s: Annotated[float, Field(gt=0)] = 30.0

    def driver(self, layout: Layout, guard: Guard) -> Driver:
        del guard
        layout.sites_of("meter")
        return _Feedback(self, layout)


class _Feedback(Driver):
    def __init__(self, rule: Alinea, layout: Layout) -> None:
        self.rule, self.layout = rule, layout
        sites = layout.sites["meter"]
        self.behind = Sums([site.exits for site in sites])
        self.ramp = Sums([site.stretches[0] for site in sites])
        room = layout.room[:, -1] * layout.weight[-1]
        self.room_behind, self.room_ramp = self.behind.total(room[None]), self.ramp.total(room[None])

    def controls(self, moment: Moment) -> Controls:
        rule, measures = self.rule, moment.measures
        mean = of_classes(measures.density * self.layout.weight) * self.layout.lanes * self.layout.length_m
        occupancy = self.behind.total(mean) / self.room_behind
        rate = np.where(np.isnan(moment.rate_veh_per_h), rule.most_veh_per_h, moment.rate_veh_per_h)
        rate = rate + rule.gain_veh_per_h * 100 * (rule.target - occupancy)
        full = self.ramp.total(of_classes(measures.inside * self.layout.weight)) / self.room_ramp
        rate = np.where(full > rule.spill, rule.most_veh_per_h, np.clip(rate, rule.least_veh_per_h, rule.most_veh_per_h))
        return Controls(rate_veh_per_h=rate)

    def seconds(self, moment: Moment) -> float:
        del moment
        return self.rule.interval_s

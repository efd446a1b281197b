"""Max-pressure: the phase before which most wait, and behind which fewest do.

P. Varaiya 2013, doi:10.1016/j.trc.2013.08.014.
"""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from arz import Controls
from rl.controllers.approaches import Approaches, of_phase
from rl.controllers.base import Controller, Driver
from rl.guard import Guard
from rl.layout import Layout, SiteKind, Sums, of_classes
from rl.moment import Moment

Array = NDArray[Any]


class MaxPressure(Controller):
    """Every `interval_s`, once a green has lasted `min_green_s`: the phase of the highest pressure, which is lanes times vehicles before the
    light less those behind it, by the turning shares. Vehicles are counted as cars, all or those that stand; behind an outlet is nobody.

    With a short `min_green_s` the lights change so often that amber and all-red cost more than the choice gains: sweep it.
    """

    kind: Literal["max_pressure"] = "max_pressure"
    drives: ClassVar[SiteKind | None] = "signal"
    min_green_s: Annotated[float, Field(ge=0)] = 10.0
    interval_s: Annotated[float, Field(gt=0)] = 5.0
    counts: Literal["vehicles", "queue"] = "vehicles"

    def driver(self, layout: Layout, guard: Guard) -> Driver:
        layout.sites_of("signal")
        return _Pressures(self, layout, guard)


class _Pressures(Driver):
    def __init__(self, rule: MaxPressure, layout: Layout, guard: Guard) -> None:
        self.rule, self.layout, self.guard = rule, layout, guard
        self.approaches = Approaches(layout, float("inf"))
        ways = [layout.onward[int(road)] for road in self.approaches.roads]
        most = max((len(each) for each in ways), default=0)
        self.exits = np.zeros((len(ways), most), np.intp)
        self.shares = np.zeros((len(ways), most, len(layout.classes)))
        for at, each in enumerate(ways):
            for number, (road, share) in enumerate(each):
                self.exits[at, number], self.shares[at, number] = road, share
        outlets = set(layout.outlets)
        chains = [layout.downstream(road) for road in range(len(layout.roads))]
        self.behind = Sums([() if outlets & set(chain) else chain for chain in chains])
        self.lanes = layout.lanes[self.approaches.roads]

    def controls(self, moment: Moment) -> Controls:
        measures = moment.measures
        phase, age = measures.phase, measures.phase_age_s
        vehicles = (measures.queue if self.rule.counts == "queue" else measures.inside) * self.layout.weight
        before = self.approaches.near(of_classes(vehicles))
        behind = (self.behind.total(vehicles)[:, self.exits] * self.shares).sum(axis=(2, 3))
        pressure = self.approaches.added(self.lanes * (before - behind))
        there = np.arange(pressure.shape[2]) < self.guard.phases[:, None]
        pressure = np.where(there, pressure, -np.inf)
        best = pressure.argmax(axis=2)
        # Of equals the one that is stays.
        better = of_phase(pressure, best) > of_phase(pressure, phase) + 1e-9
        return Controls(phase=np.where(better & (age >= self.rule.min_green_s - 1e-6), best, phase))

    def seconds(self, moment: Moment) -> float:
        del moment
        return self.rule.interval_s

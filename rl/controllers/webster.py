"""Fixed plans made for the demand: cycle and splits by Webster.

F. V. Webster, Traffic Signal Settings, Road Research Technical Paper 39, 1958.
"""

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from arz import Invalid
from rl.controllers.base import Controller, Driver
from rl.controllers.plans import Plans
from rl.guard import Guard
from rl.layout import Layout, SiteKind

Array = NDArray[Any]


class Webster(Controller):
    """C = (1.5 L + 5) / (1 - Y), times `stretch`, between both bounds; greens in proportion to the flow ratios of the phases.

    Flows are those that the demand brings on average, carried on by the turning shares. Seconds are whole. With `common` all signals
    have the longest cycle of all and begin as much later than each other as in the plan as given, times `offsets`.
    """

    kind: Literal["webster"] = "webster"
    drives: ClassVar[SiteKind | None] = "signal"
    stretch: Annotated[float, Field(gt=0)] = 1.0
    common: bool = False
    shortest_s: Annotated[float, Field(gt=0)] = 30.0
    longest_s: Annotated[float, Field(gt=0)] = 150.0
    offsets: float = 1.0

    def driver(self, layout: Layout, guard: Guard) -> Driver:
        layout.sites_of("signal")
        if self.longest_s < self.shortest_s:
            raise Invalid("longest_s", f"is {self.longest_s:g} s, less than shortest_s ({self.shortest_s:g} s)", "let it be longer")
        busy = (flows(layout) / saturation(layout)).sum(axis=1)
        # The classes share the green, so their ratios add up.
        ratios = [
            [max((float(busy[road]) for road in each.approaches), default=0.0) for each in lights.phases] for lights in layout.signals
        ]
        lost = [lights.lost_s * len(lights.phases) for lights in layout.signals]
        cycles = [self._cycle(of_phase, each) for of_phase, each in zip(ratios, lost, strict=True)]
        if self.common:
            cycles = [max(cycles)] * len(cycles)
        greens = []
        for number, lights in enumerate(layout.signals):
            least, most = float(guard.min_green_s[number]), float(guard.max_green_s[number])
            greens.append(
                _split(ratios[number], cycles[number] - lost[number], max(least, 1.0), most) if len(lights.phases) > 1 else [cycles[number]]
            )
        return Plans(layout, greens, self.offsets)

    def _cycle(self, ratios: list[float], lost_s: float) -> float:
        """A whole number of seconds."""
        critical = min(sum(ratios), 0.95)
        optimal = (1.5 * lost_s + 5) / (1 - critical) * self.stretch
        return float(round(min(max(optimal, self.shortest_s), self.longest_s)))


@lru_cache(maxsize=4)
def flows(layout: Layout) -> Array:
    """[road, class] veh/s: what the demand brings to each road on average over the horizon, if nothing holds it up."""
    scenario, roads = layout.scenario, len(layout.roads)
    demand = scenario.demand
    times, rates = demand.model_copy(update={"noise": 0.0, "spread": 0.0, "surges": ()}).table(0, layout.horizon_s)
    rush = 1 + sum((surge.factor - 1) * surge.length_s for surge in demand.surges) / layout.horizon_s
    weight = np.diff([*times, layout.horizon_s]) / layout.horizon_s * rush
    arriving = np.zeros((roads, len(layout.classes)))
    for inflow, rate in zip(scenario.demand.inflows, rates, strict=True):
        arriving[layout.network.road_index[inflow.road], layout.classes.index(inflow.vehicle)] += (rate * weight).sum()
    carried = np.zeros_like(arriving)
    for k in range(len(layout.classes)):
        onward = np.zeros((roads, roads))
        for road in range(roads):
            for way, share in layout.onward[road]:
                onward[way, road] = share[k]
        # Whoever never gets out would go round for ever: lstsq instead of solve, so that a ring does not stop us.
        carried[:, k] = np.linalg.lstsq(np.eye(roads) - onward, arriving[:, k], rcond=None)[0]
    whole: Array = np.maximum(carried, 0.0)
    whole.setflags(write=False)  # every plan that is tried has it
    return whole


def saturation(layout: Layout) -> Array:
    """[road, class] veh/s: what one class alone could discharge, if the flow is a parabola in the density."""
    most: Array = layout.room / layout.length_m[:, None] * layout.limit_m_per_s / 4
    return most


def _split(ratios: list[float], green_s: float, least: float, most: float) -> list[float]:
    """Whole seconds within both bounds, in proportion to the ratios."""
    total = sum(ratios) or float(len(ratios))
    parts = [max(ratio, 1e-9) / total for ratio in ratios]
    greens = [float(round(min(max(part * green_s, least), most))) for part in parts]
    # What rounding took or gave goes to the longest green, so that signals of one cycle stay in step.
    longest = greens.index(max(greens))
    greens[longest] = min(max(greens[longest] + green_s - sum(greens), least), most)
    return greens

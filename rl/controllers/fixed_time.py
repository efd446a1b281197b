"""The fixed plans as given, gates open, signs dark: what happens when nobody controls."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from arz import Controls
from rl.controllers.base import Controller, Driver
from rl.controllers.plans import Plans
from rl.guard import Guard
from rl.layout import Layout, SiteKind
from rl.moment import Moment

LOOK_S = 5.0
"""How often queues are counted: plans change lights between the decisions of a task."""


class FixedTime(Controller):
    """Every signal follows the plan of its network, to the moment; with another `stretch` than 1 all its greens are so much longer.

    `offsets` multiplies how much later than each other the plans begin: at 0 all begin at once.
    """

    kind: Literal["fixed_time"] = "fixed_time"
    drives: ClassVar[SiteKind | None] = None
    stretch: Annotated[float, Field(gt=0)] = 1.0
    offsets: float = 1.0

    def driver(self, layout: Layout, guard: Guard) -> Driver:
        if self.stretch == 1 and self.offsets == 1:
            return _AsGiven()
        layout.sites_of("signal")
        least, most = guard.min_green_s.tolist(), guard.max_green_s.tolist()
        return Plans(
            layout,
            [
                [min(max(phase.duration_s * self.stretch, least[number]), most[number]) for phase in lights.phases]
                for number, lights in enumerate(layout.signals)
            ],
            self.offsets,
        )


class _AsGiven(Driver):
    def controls(self, moment: Moment) -> Controls:
        del moment
        return Controls()

    def seconds(self, moment: Moment) -> float:
        del moment
        return LOOK_S

"""A gate at the end of a road: it lets no more vehicles pass than its rate."""

from typing import Literal

from arz.world.actuators.base import Actuator
from arz.world.record import Id, NotNegative


class RampMeter(Actuator):
    """Bounds what leaves a road at its end, all lanes and classes together; with no rate it stands open."""

    kind: Literal["ramp_meter"] = "ramp_meter"
    road: Id
    rate_veh_per_h: NotNegative | None = None

    @property
    def reach(self) -> tuple[str, ...]:
        return (self.road,)

"""Signs that change: one speed limit over a section of roads."""

from typing import Annotated, Literal

from pydantic import Field

from arz.world.actuators.base import Actuator
from arz.world.record import Id, LimitKmh


class SpeedLimit(Actuator):
    """A limit for all its roads at once. It never lifts the limit or the quality of a road; with no limit the signs are dark."""

    kind: Literal["speed_limit"] = "speed_limit"
    roads: Annotated[tuple[Id, ...], Field(min_length=1)]
    limit_kmh: LimitKmh | None = None

    @property
    def reach(self) -> tuple[str, ...]:
        return self.roads

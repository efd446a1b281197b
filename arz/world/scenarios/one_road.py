"""One road: vehicles come at one end and leave at the other."""

from typing import Literal

from arz.world.demand import Demand, mixed
from arz.world.physics import Physics, Quality
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.row import row


def make(
    physics: Physics,
    *,
    length_m: float = 2000.0,
    lanes: int = 2,
    limit_kmh: float = 50.0,
    quality: Quality = "R2",
    demand_veh_per_h: float = 2400.0,
    motorcycle_share: float = 0.5,
    end: Literal["free", "capped", "wall"] = "free",
    cap_veh_per_h: float | None = None,
) -> Scenario:
    road = {"length_m": length_m, "lanes": lanes, "limit_kmh": limit_kmh, "quality": quality}
    return Scenario(
        name="one_road",
        network=row("one road", [("road", road)], end=end, cap_veh_per_h=cap_veh_per_h),
        physics=physics,
        demand=Demand(inflows=mixed("road", demand_veh_per_h, physics.classes, motorcycle_share)),
        horizon_s=900.0,
    )


ONE_ROAD = Kind("one_road", "one road, from an entry to an end that is free, capped or a wall", make)

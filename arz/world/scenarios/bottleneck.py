"""A narrow place between two wide roads: the queue before it, the free flow behind it."""

from arz.world.demand import Demand, mixed
from arz.world.physics import Physics
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.row import row


def make(
    physics: Physics,
    *,
    length_m: float = 1500.0,
    narrow_m: float = 300.0,
    lanes: int = 2,
    narrow_lanes: int = 1,
    limit_kmh: float = 50.0,
    demand_veh_per_h: float = 3600.0,
    motorcycle_share: float = 0.5,
) -> Scenario:
    wide = {"length_m": length_m, "lanes": lanes, "limit_kmh": limit_kmh}
    narrow = {"length_m": narrow_m, "lanes": narrow_lanes, "limit_kmh": limit_kmh}
    return Scenario(
        name="bottleneck",
        network=row("bottleneck", [("before", wide), ("narrow", narrow), ("behind", wide)]),
        physics=physics,
        demand=Demand(inflows=mixed("before", demand_veh_per_h, physics.classes, motorcycle_share)),
        horizon_s=1800.0,
    )


BOTTLENECK = Kind("bottleneck", "a narrow place between two wide roads", make)

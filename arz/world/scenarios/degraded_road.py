"""A road whose surface gets worse: from R1 to R4, unless other qualities are asked for."""

from collections.abc import Sequence

from arz.world.demand import Demand, mixed
from arz.world.physics import Physics, Quality
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.row import row


def make(
    physics: Physics,
    *,
    length_m: float = 1000.0,
    qualities: Sequence[Quality] = ("R1", "R4"),
    lanes: int = 2,
    limit_kmh: float = 100.0,
    demand_veh_per_h: float = 2400.0,
    motorcycle_share: float = 0.5,
) -> Scenario:
    parts = [
        (f"part{at}", {"length_m": length_m, "lanes": lanes, "limit_kmh": limit_kmh, "quality": quality})
        for at, quality in enumerate(qualities)
    ]
    return Scenario(
        name="degraded_road",
        network=row("degraded road", parts),
        physics=physics,
        demand=Demand(inflows=mixed("part0", demand_veh_per_h, physics.classes, motorcycle_share)),
        horizon_s=1800.0,
    )


DEGRADED_ROAD = Kind("degraded_road", "a road whose surface gets worse, from R1 to R4", make)

"""A road that loses lanes and does not get them back."""

from collections.abc import Sequence

from arz.world.demand import Demand, mixed
from arz.world.physics import Physics
from arz.world.record import LimitKmh, NotNegative, Positive, Share
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.row import row


def make(
    physics: Physics,
    *,
    length_m: Positive = 1000.0,
    lanes: Sequence[int] = (3, 2),
    limit_kmh: LimitKmh = 50.0,
    demand_veh_per_h: NotNegative = 5400.0,
    motorcycle_share: Share = 0.5,
) -> Scenario:
    parts = [(f"lanes{at}", {"length_m": length_m, "lanes": number, "limit_kmh": limit_kmh}) for at, number in enumerate(lanes)]
    return Scenario(
        name="lane_drop",
        network=row("lane drop", parts),
        physics=physics,
        demand=Demand(inflows=mixed("lanes0", demand_veh_per_h, physics.classes, motorcycle_share)),
        horizon_s=1800.0,
    )


LANE_DROP = Kind("lane_drop", "a road that loses lanes", make)

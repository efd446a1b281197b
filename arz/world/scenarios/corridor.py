"""A main road with signals: side streets cross it, and a green wave may run along it."""

from typing import Annotated

from pydantic import Field

from arz.world.demand import Demand, mixed
from arz.world.physics import KMH, Physics
from arz.world.record import LimitKmh, NotNegative, Positive, Share
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.lattice import MOST_CROSSINGS, Lattice


def make(
    physics: Physics,
    *,
    crossings: Annotated[int, Field(ge=1, le=MOST_CROSSINGS)] = 5,
    block_m: Positive = 300.0,
    lanes: int = 2,
    side_lanes: int = 1,
    limit_kmh: LimitKmh = 50.0,
    green_wave: bool = True,
    straight: Share = 0.8,
    demand_veh_per_h: NotNegative = 1200.0,
    side_veh_per_h: NotNegative = 400.0,
    motorcycle_share: Share = 0.5,
) -> Scenario:
    """Each way of the main road carries `demand_veh_per_h`, each side street `side_veh_per_h`; the green wave runs eastwards."""
    delay_s = block_m / (limit_kmh * KMH) if green_wave else 0.0
    lattice = Lattice(crossings, 1, block_m, lanes, side_lanes, limit_kmh, (30.0, 20.0), delay_s, straight)
    flows = [(road, demand_veh_per_h) for road in lattice.entries(avenues=True)]
    flows += [(road, side_veh_per_h) for road in lattice.entries(avenues=False)]
    inflows = tuple(inflow for road, flow in flows for inflow in mixed(road, flow, physics.classes, motorcycle_share))
    return Scenario(name="corridor", network=lattice.network("corridor"), physics=physics, demand=Demand(inflows=inflows))


CORRIDOR = Kind("corridor", "a main road with signals and side streets", make)

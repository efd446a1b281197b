"""A motorway with a ramp that joins it, and a meter at the end of the ramp."""

from typing import Any

from arz.world.actuators.ramp_meter import RampMeter
from arz.world.demand import Demand, mixed
from arz.world.network import Network, Node, Road
from arz.world.physics import Physics
from arz.world.record import LimitKmh, NotNegative, Positive, Share
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind


def make(
    physics: Physics,
    *,
    length_m: Positive = 1500.0,
    ramp_m: Positive = 300.0,
    lanes: int = 2,
    limit_kmh: LimitKmh = 80.0,
    demand_veh_per_h: NotNegative = 3600.0,
    ramp_veh_per_h: NotNegative = 900.0,
    rate_veh_per_h: float | None = None,
    motorcycle_share: Share = 0.5,
) -> Scenario:
    main: dict[str, Any] = {"length_m": length_m, "lanes": lanes, "limit_kmh": limit_kmh, "quality": "R1", "highway": "motorway"}
    roads = (
        Road(id="before", start="west", end="merge", **main),
        Road(id="ramp", start="side", end="merge", length_m=ramp_m, lanes=1, limit_kmh=50.0, highway="motorway_link"),
        Road(id="behind", start="merge", end="east", **main),
    )
    nodes = (
        Node(id="west", x_m=-length_m),
        Node(id="side", x_m=-0.9 * ramp_m, y_m=-0.4 * ramp_m),
        Node(id="merge"),
        Node(id="east", x_m=length_m),
    )
    inflows = mixed("before", demand_veh_per_h, physics.classes, motorcycle_share)
    inflows += mixed("ramp", ramp_veh_per_h, physics.classes, motorcycle_share)
    return Scenario(
        name="ramp",
        network=Network(name="ramp", roads=roads, nodes=nodes),
        physics=physics,
        demand=Demand(inflows=inflows),
        actuators=(RampMeter(id="meter", road="ramp", rate_veh_per_h=rate_veh_per_h),),
        horizon_s=1800.0,
    )


RAMP = Kind("ramp", "a motorway with a metered ramp", make)

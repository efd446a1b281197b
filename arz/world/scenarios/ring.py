"""A ring road: nobody comes or goes, and one stretch is denser than the rest."""

import math

from arz.world.network import Network, Node, Road
from arz.world.physics import Physics, Quality
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario
from arz.world.scenarios.base import Kind, densities

CORNERS = 48


def make(
    physics: Physics,
    *,
    length_m: float = 1500.0,
    lanes: int = 1,
    limit_kmh: float = 50.0,
    quality: Quality = "R2",
    fill: float = 0.3,
    bump: float = 0.1,
    motorcycle_share: float = 0.5,
) -> Scenario:
    """`fill` is the occupied share of the jam, and `fill + bump` that of the first tenth of the ring."""
    radius = length_m / (2 * math.pi)
    circle = tuple(
        (radius * math.cos(2 * math.pi * corner / CORNERS), radius * math.sin(2 * math.pi * corner / CORNERS)) for corner in range(CORNERS)
    )
    road = Road(
        id="ring",
        start="seam",
        end="seam",
        length_m=length_m,
        lanes=lanes,
        limit_kmh=limit_kmh,
        quality=quality,
        geometry=(*circle, circle[0]),
    )
    pieces = (
        Piece(from_m=0.0, to_m=0.1 * length_m, density_veh_per_m=densities(physics, road, fill + bump, motorcycle_share)),
        Piece(from_m=0.1 * length_m, to_m=length_m, density_veh_per_m=densities(physics, road, fill, motorcycle_share)),
    )
    return Scenario(
        name="ring",
        network=Network(name="ring", roads=(road,), nodes=(Node(id="seam", x_m=radius),)),
        physics=physics,
        initial=Initial(roads=(InitialRoad(road="ring", pieces=pieces),)),
        horizon_s=900.0,
    )


RING = Kind("ring", "a ring road with one denser stretch", make)

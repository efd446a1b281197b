"""A grid of signalised streets, as large as one likes: for scale."""

from typing import Annotated

from pydantic import Field

from arz.errors import Invalid
from arz.world.demand import Demand, mixed
from arz.world.physics import Physics
from arz.world.record import LimitKmh, NotNegative, Positive, Share
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.lattice import MOST_CROSSINGS, Lattice


def make(
    physics: Physics,
    *,
    n: Annotated[int, Field(ge=1)] = 10,
    m: Annotated[int, Field(ge=1)] = 10,
    block_m: Positive = 150.0,
    lanes: int = 2,
    limit_kmh: LimitKmh = 50.0,
    signals: bool = True,
    straight: Share = 0.6,
    demand_veh_per_h: NotNegative = 600.0,
    motorcycle_share: Share = 0.5,
) -> Scenario:
    """From west to east run n avenues, from south to north m streets; `demand_veh_per_h` comes through every gate."""
    if n * m > MOST_CROSSINGS:
        raise Invalid("n", f"times m is {n * m:,} crossings", f"have at most {MOST_CROSSINGS:,}, which take some GiB")
    green_s = (25.0, 25.0) if signals else (0.0, 0.0)
    lattice = Lattice(m, n, block_m, lanes, lanes, limit_kmh, green_s, straight=straight)
    entries = lattice.entries(avenues=True) + lattice.entries(avenues=False)
    inflows = tuple(inflow for road in entries for inflow in mixed(road, demand_veh_per_h, physics.classes, motorcycle_share))
    return Scenario(name="grid", network=lattice.network(f"grid of {n} × {m}"), physics=physics, demand=Demand(inflows=inflows))


GRID = Kind("grid", "n × m signalised streets that cross, with a gate at every end", make)

"""A grid of signalised streets, as large as one likes: for scale."""

from arz.world.demand import Demand, mixed
from arz.world.physics import Physics
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.lattice import Lattice


def make(
    physics: Physics,
    *,
    n: int = 10,
    m: int = 10,
    block_m: float = 150.0,
    lanes: int = 2,
    limit_kmh: float = 50.0,
    signals: bool = True,
    straight: float = 0.6,
    demand_veh_per_h: float = 600.0,
    motorcycle_share: float = 0.5,
) -> Scenario:
    """From west to east run n avenues, from south to north m streets; `demand_veh_per_h` comes through every gate."""
    green_s = (25.0, 25.0) if signals else (0.0, 0.0)
    lattice = Lattice(m, n, block_m, lanes, lanes, limit_kmh, green_s, straight=straight)
    entries = lattice.entries(avenues=True) + lattice.entries(avenues=False)
    inflows = tuple(inflow for road in entries for inflow in mixed(road, demand_veh_per_h, physics.classes, motorcycle_share))
    return Scenario(name="grid", network=lattice.network(f"grid of {n} × {m}"), physics=physics, demand=Demand(inflows=inflows))


GRID = Kind("grid", "n × m signalised streets that cross, with a gate at every end", make)

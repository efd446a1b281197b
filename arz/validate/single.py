"""What float32 costs: how far the number of vehicles drifts in an hour of time steps."""

import math
from functools import partial

import numpy as np

from arz.engine.simulator import Simulator
from arz.validate.base import Case, Figure, Group
from arz.world.scenario import Scenario
from arz.world.scenarios.registry import scenario

STEPS = 14_400
DRIFT = 2.1e-7
AT_ONCE = 60
"""Steps of one call."""

GROUP = Group(
    "Single precision",
    f"Two classes, order 2, float32 states with float64 ledgers, {STEPS} time steps. "
    "On the ring nobody comes or goes, so the drift is that of the fields alone; on the Victoria Island twin it is start + entered − left − inside, "
    "over start + entered.\nThe larger of the two classes: at the end, and the worst at any time.",
)


def measure(posed: Scenario, bound: float | None) -> list[Figure]:
    simulator = Simulator(posed, dtype="float32", threads=1)
    dt = simulator.dt_bound_s
    worst = 0.0
    for _ in range(STEPS // AT_ONCE):
        simulator.step(None, AT_ONCE * dt)
        worst = max(worst, float(np.abs(simulator.ledger().drift).max()))
    return [
        Figure("cells", simulator.plan.cells),
        Figure("time step, s", dt),
        Figure("steps", STEPS // AT_ONCE * math.ceil(AT_ONCE * dt / simulator.dt_bound_s - 1e-9)),
        Figure("drift", float(np.abs(simulator.ledger().drift).max()), at_most=bound),
        Figure("worst drift", worst),
    ]


def cases() -> list[Case]:
    # The bound was measured before on as many cells as the long ring has.
    long, short = (scenario("ring", length_m=length_m) for length_m in (14_700.0, 1500.0))
    return [
        Case("long ring, float32", GROUP, "ring of 14.7 km", partial(measure, long, DRIFT)),
        Case("ring, float32", GROUP, "ring of 1.5 km", partial(measure, short, DRIFT)),
        Case("Victoria Island, float32", GROUP, "the network of 12.4 km", partial(measure, scenario("victoria_island"), None)),
    ]

"""Carries a scenario through time on the engine, and keeps what is seen on the way."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine.ledger import Ledger
from arz.engine.simulator import Simulator
from arz.world.scenario import Scenario

Array = NDArray[Any]


@dataclass(frozen=True)
class Carried:
    """The last densities [class, cell] of one world, its ledger, and the highest speed that was seen where somebody drove."""

    density: Array
    ledger: Ledger
    fastest: float
    steps: int

    @property
    def drift(self) -> float:
        """The largest relative loss or gain of a class of vehicles."""
        return float(np.abs(self.ledger.drift).max())


def carry(scenario: Scenario, seconds: float, watched: slice | None = None) -> Carried:
    """Goes on for so long in float64; of the watched cells no time step goes unseen, of others only the end is looked at."""
    simulator = Simulator(scenario, dtype="float64", threads=1)
    steps = max(1, math.ceil(seconds / simulator.dt_bound_s - 1e-9))
    looks = 1 if watched is None else steps
    cells = slice(None) if watched is None else watched
    fastest = _fastest(simulator, cells)
    for _ in range(looks):
        simulator.step(None, seconds / looks)
        fastest = max(fastest, _fastest(simulator, cells))
    fields = simulator.fields()
    return Carried(fields.density[0], simulator.ledger(), fastest, steps)


def _fastest(simulator: Simulator, watched: slice) -> float:
    fields = simulator.fields()
    density, speed = fields.density[:, :, watched], fields.speed[:, :, watched]
    return float(speed[density > 0].max(initial=0.0))

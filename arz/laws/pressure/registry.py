"""The closures, and their laws picked by number: a closure's code is its place in this list."""

from collections.abc import Callable
from typing import Any

from arz.errors import Unknown
from arz.jit import switch
from arz.laws.pressure.base import Closure
from arz.laws.pressure.bounded import BOUNDED
from arz.laws.pressure.logarithmic import LOGARITHMIC
from arz.laws.pressure.multiplicative import MULTIPLICATIVE
from arz.laws.pressure.power import POWER
from arz.laws.pressure.triangular import TRIANGULAR

CLOSURES: tuple[Closure, ...] = (MULTIPLICATIVE, POWER, LOGARITHMIC, BOUNDED, TRIANGULAR)

Picked = Callable[[int, tuple[Any, ...]], float]

velocity: Picked = switch(*(closure.velocity for closure in CLOSURES))
slope: Picked = switch(*(closure.slope for closure in CLOSURES))
occupancy: Picked = switch(*(closure.occupancy for closure in CLOSURES))
fan: Picked = switch(*(closure.fan for closure in CLOSURES))
lowered: Picked = switch(*(closure.lowered for closure in CLOSURES))
target: Picked = switch(*(closure.target for closure in CLOSURES))


def code_of(name: str) -> int:
    """The number by which compiled code knows this closure."""
    names = [closure.name for closure in CLOSURES]
    if name not in names:
        raise Unknown("closure", name, names)
    return names.index(name)

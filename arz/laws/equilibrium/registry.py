"""The equilibrium laws, picked by number, and the speed that they make of a road's limits."""

from collections.abc import Callable
from typing import Any

from arz.errors import Unknown
from arz.jit import device, switch
from arz.laws.equilibrium.base import Equilibrium
from arz.laws.equilibrium.greenshields import GREENSHIELDS
from arz.laws.equilibrium.triangular import TRIANGULAR

EQUILIBRIA: tuple[Equilibrium, ...] = (GREENSHIELDS, TRIANGULAR)

share: Callable[[int, tuple[Any, ...]], float] = switch(*(law.share for law in EQUILIBRIA))


@device
def equilibrium_speed(code: int, r: float, limit: float, creep: float, jam: float, shape: float) -> float:
    """The speed between `creep` in a jam and `limit` on an empty road; creep is 0 for a class that stands in a jam."""
    return creep + (limit - creep) * share(code, (r, jam, shape))


def code_of(name: str) -> int:
    """The number by which compiled code knows this equilibrium law."""
    names = [law.name for law in EQUILIBRIA]
    if name not in names:
        raise Unknown("equilibrium law", name, names)
    return names.index(name)

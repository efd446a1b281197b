"""The ends of roads, picked by number: an end's code is its place in this list."""

from collections.abc import Callable
from typing import Any

from arz.errors import Unknown
from arz.jit import switch
from arz.laws.boundary.base import End
from arz.laws.boundary.capped import CAPPED
from arz.laws.boundary.free import FREE
from arz.laws.boundary.inflow import INFLOW
from arz.laws.boundary.ring import RING
from arz.laws.boundary.wall import WALL

ENDS: tuple[End, ...] = (INFLOW, FREE, CAPPED, WALL, RING)

flux: Callable[[int, tuple[Any, ...]], float] = switch(*(end.flux for end in ENDS))


def code_of(name: str) -> int:
    """The number by which compiled code knows this end."""
    names = [end.name for end in ENDS]
    if name not in names:
        raise Unknown("road end", name, names)
    return names.index(name)

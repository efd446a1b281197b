"""The kinds of junction, picked by number: a kind's code is its place in this list."""

from collections.abc import Callable
from typing import Any

from arz.errors import Unknown
from arz.jit import switch
from arz.laws.junctions.base import Junction
from arz.laws.junctions.fifo import FIFO
from arz.laws.junctions.lanes import LANES

JUNCTIONS: tuple[Junction, ...] = (FIFO, LANES)

share: Callable[[int, tuple[Any, ...]], bool] = switch(*(junction.share for junction in JUNCTIONS))


def code_of(name: str) -> int:
    """The number by which compiled code knows this kind of junction."""
    names = [junction.name for junction in JUNCTIONS]
    if name not in names:
        raise Unknown("junction", name, names)
    return names.index(name)

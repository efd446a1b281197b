"""A closed end: exactly nothing passes."""

from arz.jit import device, like
from arz.laws.boundary.base import End


@device
def flux(sent: float, taken: float, cap: float) -> float:  # noqa: ARG001 - one signature for all ends
    return like(sent, 0)


WALL = End("wall", flux)

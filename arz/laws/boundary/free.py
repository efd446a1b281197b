"""An exit into empty space: whatever wants to leave leaves."""

from arz.jit import device
from arz.laws.boundary.base import End


@device
def flux(sent: float, taken: float, cap: float) -> float:  # noqa: ARG001 - one signature for all ends
    return sent


FREE = End("free", flux)

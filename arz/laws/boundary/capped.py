"""An exit with a capacity: a narrow place, a toll, a ramp meter."""

from arz.jit import device
from arz.laws.boundary.base import End
from arz.laws.order import smaller


@device
def flux(sent: float, taken: float, cap: float) -> float:  # noqa: ARG001 - one signature for all ends
    return smaller(sent, cap)


CAPPED = End("capped", flux)

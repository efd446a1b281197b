"""An entry: demand that does not fit waits before the road in a queue without length, and is not lost."""

from arz.jit import device, like
from arz.laws.boundary.base import End
from arz.laws.order import larger, smaller


@device
def wanting(waiting: float, arriving: float, dt: float) -> float:
    """The flux (veh/s) that would empty the queue of `waiting` vehicles, to which `arriving` a second come, in dt seconds."""
    return arriving + waiting / dt


@device
def still_waiting(waiting: float, arriving: float, entered: float, dt: float) -> float:
    """The queue (veh) after dt seconds in which `entered` vehicles a second found room."""
    return larger(waiting + (arriving - entered) * dt, like(waiting, 0))


@device
def flux(sent: float, taken: float, cap: float) -> float:
    return smaller(smaller(sent, taken), cap)


INFLOW = End("inflow", flux)

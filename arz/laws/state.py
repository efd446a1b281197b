"""The state of a cell: per class the density rho (veh/m per lane) and y = rho·w, both conserved, and what is read from them.

Two classes feel each other through the occupancy r = own·rho + other·rho_other, of which each class has its own reading:
the multiplicative closure counts a motorcycle as A_m cars for both classes, the additive one counts cars as α for motorcycles only.
"""

from arz.jit import device, like
from arz.laws.order import between, smaller

NOBODY = 1e-18
"""veh/m. A cell that empties would halve its density for ever, into numbers that processors are slow with; less than this is nobody.

It is far below the rounding of any sum: ten thousand steps of a thousand emptying cells lose less than 1e-9 vehicles.
"""

SOUND, NOT_A_NUMBER, NEGATIVE, OVERFULL = range(4)
"""What `verdict` answers."""


@device
def occupancy_of(rho: float, rho_other: float, own: float, other: float) -> float:
    """What a class of density rho feels (effective veh/m per lane); rho_other is 0 where it is alone."""
    return own * rho + other * rho_other


@device
def present(rho: float) -> float:
    """The density, or 0 if that is nobody; what is negative or no number stays so and is found out."""
    return like(rho, 0) if abs(rho) < like(rho, NOBODY) else rho


@device
def marker(rho: float, y: float, low: float, high: float) -> float:
    """The marker w = y/rho (m/s), within the range of the data.

    An empty cell has the highest marker: who could drive there would be hindered by nobody, so nobody behind is hindered by it either.
    """
    # All lanes divide, an empty one by 1: a processor then need not choose which of them do.
    somebody = rho > like(rho, 0)
    w = between(y / (rho if somebody else like(rho, 1)), low, high)
    return w if somebody else high


@device
def sound(rho: float, y: float, r: float, ceiling: float) -> bool:
    """Whether a state may be: nothing negative or infinite, nothing beyond the ceiling, no NaN, for which every comparison is false."""
    # The least of what must not be negative, and one question: cells are judged side by side. A density that is no number, or infinite, is
    # so in r too; 0 times infinity is NaN, which `smaller` keeps where it comes first.
    room = (ceiling - r) + y * like(rho, 0)
    return smaller(smaller(smaller(room, r), rho), y) >= like(rho, 0)


@device
def verdict(rho: float, y: float, r: float, ceiling: float) -> int:
    """SOUND, or the first thing that is wrong with a state: none of the others may ever be met, whatever the data."""
    # The difference is NaN for infinite numbers too, and NaN differs from itself.
    total = rho + y + r
    if total - total != like(rho, 0):
        return NOT_A_NUMBER
    if sound(rho, y, r, ceiling):
        return SOUND
    return OVERFULL if r > ceiling else NEGATIVE

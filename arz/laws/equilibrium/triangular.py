"""g = min(1, (jam/r − 1)·shape/(1 − shape)), the triangular diagram of Newell 1993, doi:10.1016/0191-2615(93)90038-C.

`shape` is the critical over the jam occupancy.
"""

from arz.jit import device, like
from arz.laws.equilibrium.base import Equilibrium
from arz.laws.order import larger, smaller


@device
def share(r: float, jam: float, shape: float) -> float:
    if r <= shape * jam:
        return like(r, 1)
    # At the kink the last bit may fall either way.
    return smaller(shape * larger(jam - r, like(r, 0)) / ((like(r, 1) - shape) * r), like(r, 1))


TRIANGULAR = Equilibrium("triangular", share)

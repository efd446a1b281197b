"""g = max(1 − r/jam, 0), Greenshields 1935; `shape` is not used."""

from arz.jit import device, like
from arz.laws.equilibrium.base import Equilibrium
from arz.laws.order import larger


@device
def share(r: float, jam: float, shape: float) -> float:  # noqa: ARG001 - one signature for all equilibria
    return larger(jam - r, like(r, 0)) / jam


GREENSHIELDS = Equilibrium("greenshields", share)

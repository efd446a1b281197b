"""v = w·max(1 − r/jam, 0): the default. Velocity and occupancy keep their bounds by construction, and no uniform flow is unstable.

The form v = w·φ(r) is a generic second order model (Lebacque, Mammar and Haj-Salem 2007, 17th ISTTT), here with
Greenshields' φ (1935); a motorcycle's jam occupancy beyond a car's is the creeping of Fan and Work 2015, doi:10.1137/140977977.
"""

from arz.jit import device, like
from arz.laws.order import larger
from arz.laws.pressure.base import Closure


@device
def velocity(w: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - one signature for all closures
    # The share first: it is exactly 1 on an empty road and never more.
    return w * larger(like(w, 1) - r * scale, like(w, 0))


@device
def slope(w: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return -w * scale if r <= jam else like(w, 0)


@device
def occupancy(w: float, v: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return jam * (w - v) / w if v < w else like(w, 0)


@device
def fan(w: float, xi: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return like(w, 0.5) * jam * (w - xi) / w if xi < w else like(w, 0)


@device
def lowered(w: float, v: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    # Nothing moves beyond the jam, so there the marker is free.
    share = like(w, 1) - r * scale
    return v / share if w * share > v else w


@device
def target(limit: float, equilibrium: float, r: float, scale: float, jam: float, shape: float) -> float:  # noqa: ARG001 - see above
    return limit


MULTIPLICATIVE = Closure("multiplicative", velocity, slope, occupancy, fan, lowered, target, built_in_equilibrium=True)

"""A Riemann problem: two uniform states that meet in the middle of one long road."""

from collections.abc import Sequence

from arz.errors import Invalid
from arz.world.physics import Physics, Quality
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.row import row

State = Sequence[float]


def make(
    physics: Physics = Physics(classes=("car",), car_tau_s=None),  # noqa: B008 - a record does not change
    *,
    left: State = (0.02, 12.0),
    right: State = (0.12, 2.0),
    length_m: float = 2000.0,
    lanes: int = 1,
    limit_kmh: float = 50.0,
    quality: Quality = "R2",
) -> Scenario:
    """A state is the densities of all classes (veh/m per lane) and then, in the same order, their speeds (m/s).

    The horizon ends before the fastest driver of the left end could reach the right one's waves.
    """
    half = length_m / 2
    road = {"length_m": length_m, "lanes": lanes, "limit_kmh": limit_kmh, "quality": quality}
    pieces = (_piece("left", 0.0, half, left, physics), _piece("right", half, length_m, right, physics))
    horizon_s = 0.4 * length_m / max(number.limit for number in physics.numbers(limit_kmh, quality))
    return Scenario(
        name="riemann",
        network=row("one long road", [("road", road)]),
        physics=physics,
        initial=Initial(roads=(InitialRoad(road="road", pieces=pieces),)),
        horizon_s=horizon_s,
        decision_s=horizon_s,
    )


def _piece(name: str, from_m: float, to_m: float, state: State, physics: Physics) -> Piece:
    classes = len(physics.classes)
    if len(state) != 2 * classes:
        raise Invalid(name, f"has {len(state)} numbers", f"give {classes} densities and then {classes} speeds")
    return Piece(from_m=from_m, to_m=to_m, density_veh_per_m=tuple(state[:classes]), speed_m_per_s=tuple(state[classes:]))


RIEMANN = Kind("riemann", "two uniform states that meet in the middle of a road", make)

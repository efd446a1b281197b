"""What a kind of scenario is, and how roads are filled with traffic."""

from collections.abc import Callable
from dataclasses import dataclass

from arz.world.network import Road
from arz.world.physics import Physics
from arz.world.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of ready scenario: a name, a sentence for people who choose, and its maker.

    The maker takes a `Physics` as its first parameter, named `physics`, and any options of its own, which all have defaults. The same
    options make equal scenarios.
    """

    name: str
    about: str
    make: Callable[..., Scenario]


def densities(physics: Physics, road: Road, fill: float, motorcycle_share: float = 0.5) -> tuple[float, ...]:
    """The density of each class (veh/m per lane) that fills the share `fill` of the road's jam occupancy, as cars feel it.

    `motorcycle_share` is the part of that occupancy which motorcycles make up, where there are two classes.
    """
    numbers = physics.numbers(road.limit_kmh, road.quality)
    shares = (motorcycle_share, 1 - motorcycle_share) if len(numbers) > 1 else (1.0,)
    return tuple(share * fill * numbers[-1].jam / number.own for share, number in zip(shares, numbers, strict=True))

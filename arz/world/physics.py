"""How drivers drive: the closure and its parameters, and what they are for one class of vehicles on one road."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from arz.errors import Invalid
from arz.world.record import DensityVehPerM, NotNegative, Positive, Record, Share

VehicleClass = Literal["motorcycle", "car"]
Quality = Literal["R1", "R2", "R3", "R4", "R5"]
ClosureName = Literal["multiplicative", "power", "logarithmic", "bounded", "triangular"]
EquilibriumName = Literal["greenshields", "triangular"]

if TYPE_CHECKING:
    from arz.laws.pressure.base import Closure

KMH = 1 / 3.6
CLASSES: tuple[VehicleClass, ...] = ("motorcycle", "car")

QUALITY_KMH: dict[Quality, dict[VehicleClass, float]] = {
    "R1": {"motorcycle": 85.0, "car": 75.0},
    "R2": {"motorcycle": 70.0, "car": 60.0},
    "R3": {"motorcycle": 50.0, "car": 35.0},
    "R4": {"motorcycle": 45.0, "car": 25.0},
    "R5": {"motorcycle": 30.0, "car": 10.0},
}
"""The speed that each quality of road surface allows to each class."""

PRODUCT: tuple[ClosureName, ...] = ("multiplicative", "triangular")
"""The closures v = w·φ(r), whose equilibrium is built in; the others are additive, v = w − p."""

STEEPEST_LOGARITHM = 2 * math.log(2.0)
"""K/V_max from which the slope of K·log2(1 + r/jam) is nowhere, up to the jam, below that of the equilibrium speed."""

CHECKED_SHARES = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85, 0.97)
CHECKED_SPLITS = (0.0, 0.3, 0.6, 1.0)
CHECKED_LENGTHS_M = (10.0, 50.0, 250.0, 2000.0)
EAGERNESS = 4.0
"""How many times V_max a driver may want to drive."""

GROWTH_PER_S = 1e-9
"""What rounding may make of no growth at all."""


class Numbers(NamedTuple):
    """The constants of one class on one road, SI: what the laws take."""

    own: float
    """What a vehicle of the class weighs in the occupancy that the class feels."""
    other: float
    """The same for a vehicle of the other class; 0 where there is none."""
    scale: float
    """The additive closures' K (m/s); the product closures' 1/jam, because a division costs ten products."""
    jam: float
    """Effective vehicles a metre, per lane."""
    shape: float
    limit: float
    """V_max of class and road (m/s)."""
    creep: float
    """The equilibrium speed in a jam (m/s); 0 for a class that stands."""
    tau: float
    """Seconds; infinite where drivers do not relax."""
    ceiling: float
    """The largest occupancy of a sound state."""


class Physics(Record):
    """The model of traffic: `classes` of vehicles under one closure.

    Parameters under which uniform traffic breaks up by itself are refused unless `allow_unstable`: on such a model a finer grid grows
    faster waves. Stop-and-go waves are a legitimate subject, so it can be allowed.
    """

    closure: ClosureName = "multiplicative"
    equilibrium: EquilibriumName = "greenshields"
    """What drivers settle to under an additive closure; the others have theirs built in."""
    classes: Annotated[tuple[VehicleClass, ...], Field(min_length=1, max_length=2)] = CLASSES
    jam_veh_per_m: Annotated[DensityVehPerM, Field(gt=0)] | None = None
    """Of cars, per lane; 0.15 for product closures and 0.25 for additive ones if it is not given."""
    motorcycle_weight: Positive = 0.4
    """A_m: how many cars a motorcycle is, under a product closure."""
    alpha: Share = 0.4
    """How much of a car a motorcycle feels, under an additive closure. If it were more than the whole, the motorcycles between cars that
    stand would be beyond their own jam, and would want to drive faster than anybody may."""
    creep_kmh: NotNegative = 5.0
    """How fast motorcycles still move where cars stand."""
    motorcycle_tau_s: Positive | None = 5.0
    car_tau_s: Positive | None = 10.0
    """How long drivers take to adapt; None: they never do."""
    motorcycle_pressure_kmh: Positive | None = None
    car_pressure_kmh: Positive | None = None
    """K of the additive closures; V_max of class and road, or the least stable multiple of it, if it is not given."""
    shape: Positive | None = None
    """The exponent of `power` (1 if not given), or the critical over the jam occupancy of `triangular` (0.25 if not given)."""
    allow_unstable: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.classes not in {CLASSES, ("motorcycle",), ("car",)}:
            raise Invalid("classes", f"are {', '.join(self.classes)}", "give motorcycle, car, or both in this order")
        if self.closure in PRODUCT and self.equilibrium != "greenshields":
            raise Invalid("equilibrium", f"is not asked by the closure {self.closure}", "leave it out, or choose the closure triangular")
        if self.closure == "power" and self.equilibrium == "triangular":
            raise Invalid("equilibrium", "would share the number `shape` with the closure power", "choose the closure logarithmic")
        if self.closure == "bounded" and (len(self.classes) > 1 or self._tau(self.classes[0]) < math.inf):
            raise Invalid(
                "closure",
                "is bounded, whose waves grow without bound where drivers who adapt, or a second class, press towards the jam: "
                "no time step is short enough",
                "give one class and None for its tau, or choose power or logarithmic",
            )
        if "triangular" in {self.closure, self.equilibrium} and self._shape() >= 1:
            raise Invalid("shape", f"is {self._shape():g}, but the critical is less than the jam occupancy", "give a share between 0 and 1")
        if self.closure == "power" and self._shape() < 1:
            raise Invalid("shape", f"is {self._shape():g}, with which the flow is not concave", "give an exponent of at least 1")
        if not self.allow_unstable:
            self._require_stability()
        return self

    def numbers(self, limit_kmh: float, quality: Quality) -> tuple[Numbers, ...]:
        """Gives the constants of each class, in the order of `classes`, on a road with this limit and quality.

        Refused are roads on which the parameters make no sense: motorcycles that creep faster than they drive, two coupled classes whose
        pressure is too weak to keep them within the jam density, and, unless `allow_unstable`, a road that is unstable.
        """
        numbers = self._numbers(*(min(limit_kmh, QUALITY_KMH[quality][vehicle]) * KMH for vehicle in self.classes))
        if not self.allow_unstable and not _stable(self.closure, self.equilibrium, numbers):
            problem = f"is unstable on a road of quality {quality} with limit {limit_kmh:g} km/h"
            raise Invalid(self._culprit(), problem, "raise the pressure to V_max of every road, or set allow_unstable")
        return numbers

    def drivable(self, numbers: Numbers, speed_m_per_s: float, crowd: float) -> bool:
        """Whether anybody would drive at this speed where this occupancy is felt.

        Under a product closure, and `bounded`, the marker that it takes grows without bound towards the jam, and the time step has to
        follow it.
        """
        fastest = _law(self.closure).velocity(EAGERNESS * numbers.limit, crowd, numbers.scale, numbers.jam, numbers.shape)
        return speed_m_per_s == 0 or speed_m_per_s <= fastest

    def _numbers(self, *limits: float) -> tuple[Numbers, ...]:
        make = self._product if self.closure in PRODUCT else self._additive
        numbers = tuple(make(vehicle, limit) for vehicle, limit in zip(self.classes, limits, strict=True))
        highest = max(number.jam for number in numbers) if self.closure in PRODUCT else 2 * numbers[0].jam
        return tuple(number._replace(ceiling=highest) for number in numbers)

    def _product(self, vehicle: VehicleClass, limit: float) -> Numbers:
        jam = 0.15 if self.jam_veh_per_m is None else self.jam_veh_per_m
        weights = {"motorcycle": self.motorcycle_weight, "car": 1.0}
        own, other = weights.pop(vehicle), sum(weights.values()) if len(self.classes) > 1 else 0.0
        if vehicle == "motorcycle":
            jam *= self._widening(limit)
        return Numbers(own, other, 1 / jam, jam, self._shape(), limit, self._creep(vehicle, limit), self._tau(vehicle), jam)

    def _widening(self, limit: float) -> float:
        """R_m/R_c, so that motorcycles move at the creeping speed in the jam of the cars."""
        slowness = self._creep("motorcycle", limit) / limit
        if self.closure == "triangular":
            return 1 + slowness * (1 - self._shape()) / self._shape()
        return 1 / (1 - slowness)

    def _additive(self, vehicle: VehicleClass, limit: float) -> Numbers:
        jam = 0.25 if self.jam_veh_per_m is None else self.jam_veh_per_m
        given = self.motorcycle_pressure_kmh if vehicle == "motorcycle" else self.car_pressure_kmh
        least = STEEPEST_LOGARITHM if self.closure == "logarithmic" else 1.0
        scale = least * limit if given is None else given * KMH
        coupled = len(self.classes) > 1
        if coupled and scale < limit * (1 - 1e-12):
            problem = f"is {given:g} km/h, below the {limit / KMH:g} km/h that {vehicle}s may drive: the two classes would overfill a road"
            raise Invalid(f"{vehicle}_pressure_kmh", problem, "give at least V_max of every road, or leave it out")
        other = (self.alpha if vehicle == "motorcycle" else 1.0) if coupled else 0.0
        return Numbers(1.0, other, scale, jam, self._shape(), limit, self._creep(vehicle, limit), self._tau(vehicle), 2 * jam)

    def _shape(self) -> float:
        if self.shape is not None:
            return self.shape
        return 0.25 if "triangular" in {self.closure, self.equilibrium} else 1.0

    def _creep(self, vehicle: VehicleClass, limit: float) -> float:
        if vehicle == "car":
            return 0.0
        creep = self.creep_kmh * KMH
        if creep >= limit:
            problem = f"is {self.creep_kmh:g} km/h, but motorcycles drive at most {limit / KMH:g} km/h on some road"
            raise Invalid("creep_kmh", problem, "lower it below the limit of every road")
        return creep

    def _tau(self, vehicle: VehicleClass) -> float:
        tau = self.motorcycle_tau_s if vehicle == "motorcycle" else self.car_tau_s
        return math.inf if tau is None else tau

    def _culprit(self) -> str:
        given = [name for name in ("shape", "motorcycle_pressure_kmh", "car_pressure_kmh") if getattr(self, name) is not None]
        return given[0] if given else "equilibrium"

    def _require_stability(self) -> None:
        """Refuses parameters that are stable on no road: V_max is taken as K allows, or, if K follows V_max, as each quality has it.

        Whether a given K suits the limit of a road is asked by `numbers`, when the road is known.
        """
        if self.closure in PRODUCT:
            return
        given = {"motorcycle": self.motorcycle_pressure_kmh, "car": self.car_pressure_kmh}
        for speeds in QUALITY_KMH.values():
            limits = [min(speeds[vehicle], given[vehicle] or math.inf) * KMH for vehicle in self.classes]
            if self.creep_kmh * KMH < limits[0] and not _stable(self.closure, self.equilibrium, self._numbers(*limits)):
                problem = f"makes uniform traffic unstable under the closure {self.closure}: small waves grow, the shorter the faster"
                raise Invalid(self._culprit(), problem, "take shape 1 and pressures of at least V_max, or set allow_unstable")


def _law(closure: ClosureName) -> "Closure":
    # The laws bring the compiler with them, which a record of the default model never needs.
    from arz.laws.pressure.registry import CLOSURES

    return next(law for law in CLOSURES if law.name == closure)


@lru_cache(maxsize=256)
def _stable(closure: ClosureName, equilibrium: EquilibriumName, numbers: tuple[Numbers, ...]) -> bool:
    """Whether no wave grows on any of a grid of uniform equilibria."""
    # Drivers who adapt to a constant, or never, cannot drive a wave.
    if closure in PRODUCT or all(math.isinf(number.tau) for number in numbers):
        return True
    from arz.laws.equilibrium.registry import code_of, equilibrium_speed
    from arz.laws.stability import growth

    # The other class of a class that is alone is one that nobody meets.
    m, c = numbers[0], numbers[-1]
    law = _law(closure)
    code = code_of(equilibrium)

    def settled(k: int, r: float) -> float:
        n = (m, c)[k]
        return equilibrium_speed(code, r, n.limit, n.creep, n.jam, n.shape)

    splits = CHECKED_SPLITS if len(numbers) > 1 else (0.0,)
    return all(
        growth(
            law,
            settled,
            (m.limit, c.limit),
            (split * share * m.jam, (1 - split) * share * c.jam),
            length,
            (m.tau, c.tau),
            (m.own, c.own),
            (m.other, c.other),
            (m.scale, c.scale),
            (m.jam, c.jam),
            (m.shape, c.shape),
        )
        <= GROWTH_PER_S
        for split in splits
        for share in CHECKED_SHARES
        for length in CHECKED_LENGTHS_M
    )

"""Everything that a run needs to know, in one record that is checked as a whole."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from arz.errors import Invalid
from arz.world.actuators.registry import AnyActuator
from arz.world.demand import Demand
from arz.world.network import Network, Road
from arz.world.physics import Numbers, Physics
from arz.world.record import DensityVehPerM, Id, NotNegative, Positive, Record, joined
from arz.world.scheme import Scheme

FULLEST_LANE_VEH_PER_H = 10_000.0
"""More than motorcycles could ever be; who gives more gives vehicles a day."""
HASTE = 2.0
"""How many times V_max a vehicle may drive at the start before its speed looks like km/h."""
LONGEST_S = 366 * 24 * 3600.0
"""A year: longer than any study of traffic, so whoever gives more gives another unit."""
ROUNDING = 1e-9

PerClass = Annotated[tuple[DensityVehPerM, ...], Field(min_length=1, max_length=2)]
Speeds = Annotated[tuple[NotNegative, ...], Field(min_length=1, max_length=2)]


class Uniform(Record):
    """One state of traffic; densities are per lane, and both are in the order of the classes. Without speeds it is in equilibrium."""

    density_veh_per_m: PerClass
    speed_m_per_s: Speeds | None = None


class Piece(Record):
    """One state of traffic on a part of a road."""

    from_m: NotNegative
    to_m: Positive
    density_veh_per_m: PerClass
    speed_m_per_s: Speeds | None = None


class InitialRoad(Record):
    """What is on one road at the start: pieces in the order of the road; between them it is empty."""

    road: Id
    pieces: tuple[Piece, ...]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        end = 0.0
        for at, piece in enumerate(self.pieces):
            if piece.to_m <= piece.from_m:
                problem = f"is {piece.to_m:g} m, not beyond from_m ({piece.from_m:g} m)"
                raise Invalid(f"pieces[{at}].to_m", problem, "let the piece have a length")
            if piece.from_m < end:
                raise Invalid(f"pieces[{at}].from_m", f"is {piece.from_m:g} m, within the piece before", "order the pieces, and part them")
            end = piece.to_m
        return self


class Initial(Record):
    """The traffic at the start: `everywhere`, but for the roads that are named; without it the others are empty."""

    roads: tuple[InitialRoad, ...] = ()
    everywhere: Uniform | None = None


class Scenario(Record):
    """A network, its traffic and how both are computed. Equal scenarios give equal results, to the last bit."""

    name: str
    network: Network
    physics: Physics = Physics()
    scheme: Scheme = Scheme()
    demand: Demand = Demand()
    actuators: tuple[AnyActuator, ...] = ()
    initial: Initial = Initial()
    horizon_s: Annotated[float, Field(gt=0, le=LONGEST_S)] = 3600.0
    decision_s: Positive = 15.0
    """How long controls hold: measures are taken, and controls may change, at its multiples."""
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    fields: bool = True
    """Whether a result keeps the state of every cell."""

    @model_validator(mode="after")
    def _runnable(self) -> Self:
        numbers = self._numbers_of_roads()
        self._require_inflows()
        self._require_actuators()
        self._require_initial(numbers)
        if self.decision_s > self.horizon_s:
            problem = f"is {self.decision_s:g} s, longer than horizon_s ({self.horizon_s:g} s)"
            raise Invalid("decision_s", problem, "shorten it, or run for longer")
        return self

    def _numbers_of_roads(self) -> Sequence[tuple[Numbers, ...]]:
        # Thousands of roads have a handful of limits and qualities.
        known: dict[tuple[float, str], tuple[Numbers, ...]] = {}
        numbers = []
        for at, road in enumerate(self.network.roads):
            kind = (road.limit_kmh, road.quality)
            if kind not in known:
                try:
                    known[kind] = self.physics.numbers(road.limit_kmh, road.quality)
                except Invalid as error:
                    problem = f"{error.problem} (network.roads[{at}], {road.id!r})"
                    raise Invalid(joined("physics", error.path), problem, error.remedy) from None
            numbers.append(known[kind])
        return numbers

    def _require_inflows(self) -> None:
        entries = {road.id for road in self.network.entries}
        for at, inflow in enumerate(self.demand.inflows):
            here = f"demand.inflows[{at}]"
            road = self._road(f"{here}.road", inflow.road)
            if road.id not in entries:
                before = self.network.approaches(road.start)[0].id
                problem = f"is {road.id!r}, which is no entry: road {before!r} leads to where it starts"
                raise Invalid(f"{here}.road", problem, f"choose among the entries ({_some(sorted(entries))})")
            if inflow.vehicle not in self.physics.classes:
                remedy = "take the inflow out, or add the class to the physics"
                raise Invalid(f"{here}.vehicle", f"is {inflow.vehicle!r}, but the physics knows {_some(self.physics.classes)} only", remedy)
            for step, (_, rate) in enumerate(inflow.profile):
                if rate > FULLEST_LANE_VEH_PER_H * road.lanes:
                    problem = f"is {rate:g} veh/h on {road.lanes} lanes, which looks like vehicles a day"
                    raise Invalid(f"{here}.profile[{step}]", problem, f"give vehicles an hour: {rate / 24:g}?")

    def _require_actuators(self) -> None:
        ids: set[str] = set()
        taken: set[tuple[str, str]] = set()
        for at, actuator in enumerate(self.actuators):
            here = f"actuators[{at}]"
            if actuator.id in ids:
                raise Invalid(f"{here}.id", f"is {actuator.id!r}, as another one's is", "give every actuator an id of its own")
            ids.add(actuator.id)
            for road in actuator.reach:
                self._road(here, road)
                if (actuator.kind, road) in taken:
                    raise Invalid(here, f"acts on road {road!r}, as another {actuator.kind} does", "let each road obey one of a kind")
                taken.add((actuator.kind, road))

    def _require_initial(self, numbers: Sequence[tuple[Numbers, ...]]) -> None:
        if self.initial.everywhere is not None:
            # What fits on one road of each kind fits on all of them.
            for kind in set(numbers):
                self._require_state("initial.everywhere", self.initial.everywhere, kind)
        seen: set[str] = set()
        for at, initial in enumerate(self.initial.roads):
            here = f"initial.roads[{at}]"
            road = self._road(f"{here}.road", initial.road)
            if road.id in seen:
                raise Invalid(f"{here}.road", f"is {road.id!r} a second time", "put all its pieces together")
            seen.add(road.id)
            for number, piece in enumerate(initial.pieces):
                if piece.to_m > road.length_m * (1 + ROUNDING):
                    problem = f"is {piece.to_m:g} m, but road {road.id!r} is {road.length_m:g} m long"
                    raise Invalid(f"{here}.pieces[{number}].to_m", problem, "let the piece end on the road")
                self._require_state(f"{here}.pieces[{number}]", piece, numbers[self.network.road_index[road.id]])

    def _require_state(self, here: str, state: Uniform | Piece, numbers: tuple[Numbers, ...]) -> None:
        for field in ("density_veh_per_m", "speed_m_per_s"):
            given = getattr(state, field)
            if given is not None and len(given) != len(numbers):
                remedy = f"give one for each of {_some(self.physics.classes)}"
                raise Invalid(f"{here}.{field}", f"has {len(given)} numbers for {len(numbers)} classes", remedy)
        density = state.density_veh_per_m
        crowds = [number.own * density[k] + number.other * density[len(numbers) - 1 - k] for k, number in enumerate(numbers)]
        self._require_room(f"{here}.density_veh_per_m", density, crowds, numbers)
        for k, (number, crowd) in enumerate(zip(numbers, crowds, strict=True)):
            if state.speed_m_per_s is not None and state.speed_m_per_s[k] > HASTE * number.limit:
                problem = f"is {state.speed_m_per_s[k]:g} m/s where {number.limit:g} m/s are driven, which looks like km/h"
                raise Invalid(f"{here}.speed_m_per_s", problem, f"give metres a second: {state.speed_m_per_s[k] / 3.6:g}?")
            if state.speed_m_per_s is not None and not self.physics.drivable(number, state.speed_m_per_s[k], crowd):
                problem = f"is {state.speed_m_per_s[k]:g} m/s in a crowd of {crowd:g} effective veh/m, in which nobody drives so fast"
                raise Invalid(f"{here}.speed_m_per_s", problem, "lower the speed or the density")

    def _require_room(self, path: str, density: Sequence[float], crowds: Sequence[float], numbers: tuple[Numbers, ...]) -> None:
        """Refuses what could never have come in: a class may be beyond its jam by what the other one brings, not by itself, nor may both."""
        widest = max(number.jam for number in numbers)
        for vehicle, held, number in zip(self.physics.classes, density, numbers, strict=True):
            fits = widest / number.own
            if held > fits * (1 + ROUNDING):
                raise Invalid(path, f"has {held:g} {vehicle}s a metre of lane, more than the {fits:g} that fit", "lower it")
        crowd, jam = min(zip(crowds, (number.jam for number in numbers), strict=True), key=lambda felt: felt[0] / felt[1])
        if crowd > jam * (1 + ROUNDING):
            raise Invalid(path, f"fills a lane with {crowd:g} effective veh/m, more than the {jam:g} that fit", "lower it")

    def _road(self, path: str, road_id: str) -> Road:
        if road_id not in self.network.road_index:
            remedy = f"choose among {_some(list(self.network.road_index))}"
            raise Invalid(path, f"names {road_id!r}, which is no road of the network", remedy)
        return self.network.road(road_id)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")  # noqa: PLR2004 - as many as one reads

"""A network while it is being read: what importers fill and `finish` makes sound."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from arz.errors import Invalid
from arz.world.importers.lights import LightPlan
from arz.world.importers.notes import Notes
from arz.world.importers.plane import Point
from arz.world.network import Road
from arz.world.record import FASTEST_KMH, SLOWEST_KMH

LONGEST_M = 1_000_000.0
MOST_LANES = 30


@dataclass(frozen=True, slots=True)
class Draft:
    """Roads by id, and what is known about the nodes between them; a node that has no place is unknown."""

    file: str
    name: str
    roads: dict[str, Road] = field(default_factory=dict)
    places: dict[str, Point] = field(default_factory=dict)
    weights: dict[str, Mapping[str, float]] = field(default_factory=dict)
    """How many of an approach turn into each exit, in any unit; an approach that is not here turns as the lanes of its exits say."""
    plans: dict[str, LightPlan] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)

    def add(self, place: str, road: Road) -> None:
        """One more road, read at this place of the file; Invalid for one that no traffic could use."""
        if road.id in self.roads:
            raise refused(self.file, place, f"the road {road.id!r} is there twice", "give each road an id of its own")
        for node in (road.start, road.end):
            if node not in self.places:
                raise refused(self.file, place, f"the road {road.id!r} names the node {node!r}, which is not in the file", "add that node")
        self.roads[road.id] = road


def refused(file: str, place: str, problem: str, remedy: str) -> Invalid:
    """The refusal of a file: where in it, what is wrong, what to do."""
    return Invalid(f"{file}, {place}" if place else file, problem, remedy)


def sound_length(file: str, place: str, length_m: float) -> float:
    if not math.isfinite(length_m) or not 0 < length_m <= LONGEST_M:
        raise refused(file, place, f"a road cannot be {length_m:g} m long", "give its length in metres, above 0")
    return length_m


def sound_lanes(file: str, place: str, lanes: int) -> int:
    if not 1 <= lanes <= MOST_LANES:
        raise refused(file, place, f"a road cannot have {lanes} lanes", f"give the lanes of one direction, 1 to {MOST_LANES}")
    return lanes


def sound_limit(file: str, place: str, limit_kmh: float) -> float:
    if not SLOWEST_KMH <= limit_kmh <= FASTEST_KMH:
        remedy = f"check its unit; {SLOWEST_KMH:g} to {FASTEST_KMH:g} km/h are understood"
        raise refused(file, place, f"a speed limit cannot be {limit_kmh:g} km/h", remedy)
    return limit_kmh

"""From degrees on the ellipsoid to metres on a plane, and lengths and directions of lines there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

EQUATOR_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
_E2 = FLATTENING * (2 - FLATTENING)

Point = tuple[float, float]
"""(x, y) in metres, or (longitude, latitude) in degrees."""


def metres_per_degree(lat_deg: float) -> Point:
    """How many metres one degree of longitude and one of latitude are, here, on the ellipsoid of 1984."""
    lat = math.radians(lat_deg)
    bulge = 1 - _E2 * math.sin(lat) ** 2
    east = EQUATOR_M / math.sqrt(bulge) * math.cos(lat)
    north = EQUATOR_M * (1 - _E2) / bulge**1.5
    return math.radians(east), math.radians(north)


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane that touches the ellipsoid at one point, x to the east and y to the north.

    Positions are true near that point; 20 km north or south of it, east and west are off by 0.3 % at most below 45° of latitude.
    Lengths of roads are therefore taken by `earth_length_m`, which is true anywhere.
    """

    lon_deg: float
    lat_deg: float

    def point(self, place: Point) -> Point:
        east, north = metres_per_degree(self.lat_deg)
        return _turned(place[0] - self.lon_deg) * east, (place[1] - self.lat_deg) * north


def plane_over(places: Sequence[Point]) -> Plane:
    """The plane that touches in the middle of these places; there must be one."""
    first = places[0][0]
    east = [_turned(lon - first) for lon, _ in places]
    lats = [lat for _, lat in places]
    return Plane(first + (min(east) + max(east)) / 2, (min(lats) + max(lats)) / 2)


def earth_length_m(line: Sequence[Point]) -> float:
    """The length of a line of (longitude, latitude): each piece is measured with the degrees of its own latitude."""
    total = 0.0
    for (lon, lat), (next_lon, next_lat) in pairwise(line):
        east, north = metres_per_degree((lat + next_lat) / 2)
        total += math.hypot(_turned(next_lon - lon) * east, (next_lat - lat) * north)
    return total


def plane_length_m(line: Sequence[Point]) -> float:
    return sum(math.dist(here, there) for here, there in pairwise(line))


def heading(line: Sequence[Point]) -> float | None:
    """The direction in which a line arrives at its end, in radians from east; None where all its points are one."""
    end = line[-1]
    for point in reversed(line):
        if math.dist(point, end) > 0:
            return math.atan2(end[1] - point[1], end[0] - point[0])
    return None


def on_earth(place: Point) -> bool:
    """Whether these could be degrees."""
    return abs(place[0]) <= 180 and abs(place[1]) <= 90  # noqa: PLR2004 - the ends of the degrees


def _turned(degrees: float) -> float:
    """The same angle between -180 and 180, so that a network may lie across the date line."""
    return (degrees + 180) % 360 - 180

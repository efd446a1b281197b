"""What a class of highway usually is, and what the texts that people write for speeds and lanes mean."""

import re
from typing import NamedTuple

MPH_KMH = 1.609344
KNOT_KMH = 1.852


class Usual(NamedTuple):
    """What is taken where a file does not say."""

    lanes: int
    """In one direction."""
    limit_kmh: float


USUAL: dict[str, Usual] = {
    "motorway": Usual(2, 110),
    "motorway_link": Usual(1, 70),
    "trunk": Usual(2, 80),
    "trunk_link": Usual(1, 60),
    "primary": Usual(2, 60),
    "primary_link": Usual(1, 50),
    "secondary": Usual(2, 50),
    "secondary_link": Usual(1, 50),
    "tertiary": Usual(1, 50),
    "tertiary_link": Usual(1, 40),
    "unclassified": Usual(1, 50),
    "road": Usual(1, 50),
    "residential": Usual(1, 30),
    "living_street": Usual(1, 20),
}
OTHER = Usual(1, 50)

_ZONES = {
    "walk": 7.0,
    "living_street": 20.0,
    "urban": 50.0,
    "rural": 80.0,
    "trunk": 100.0,
    "motorway": 110.0,
    "nsl_restricted": 30 * MPH_KMH,
    "nsl_single": 60 * MPH_KMH,
    "nsl_dual": 70 * MPH_KMH,
}
"""What `urban` and the like mean in most countries, in km/h."""
_COUNTRIES = {
    "ro:rural": 90.0,
    "ro:motorway": 130.0,
    "de:rural": 100.0,
    "de:motorway": 130.0,
    "fr:motorway": 130.0,
    "it:rural": 90.0,
    "it:motorway": 130.0,
    "gb:motorway": 70 * MPH_KMH,
    "uk:motorway": 70 * MPH_KMH,
    "ng:motorway": 100.0,
}
_UNITS = {"": 1.0, "kmh": 1.0, "km/h": 1.0, "kph": 1.0, "mph": MPH_KMH, "knots": KNOT_KMH, "m/s": 3.6}
_SPEED = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z/]*)")
_ZONE = re.compile(r"(?:[a-z]{2}:)?(?:zone:?)(\d+)")
_LANES = re.compile(r"(\d{1,6})(?:\.\d+)?")


class Limit(NamedTuple):
    """A speed limit, and in words how its text had to be understood; empty for a plain number of km/h."""

    kmh: float
    how: str = ""


class Lanes(NamedTuple):
    """A number of lanes, and in words how its text had to be understood; empty for a plain number."""

    number: int
    how: str = ""


def usual(highway: str) -> Usual:
    return USUAL.get(highway, OTHER)


def limit_of(text: str) -> Limit | None:
    """The limit that a text such as `50`, `30 mph`, `RO:urban` or `50;60` means, or None, however high or low."""
    words = [word for part in re.split(r"[;|,]", text.strip().strip("[]")) if (word := part.strip().strip("'\"").lower())]
    limits = [limit for word in words if (limit := _one_limit(word))]
    if not limits:
        return None
    slowest = min(limits)
    return slowest if len({limit.kmh for limit in limits}) == 1 else Limit(slowest.kmh, "several limits: the lowest taken")


def lanes_of(text: str) -> Lanes | None:
    """The number of lanes that a text such as `2`, `2;3` or `['1', '2']` means, or None."""
    words = [word for part in re.split(r"[;|,]", text.strip().strip("[]")) if (word := part.strip().strip("'\""))]
    numbers = [int(found[1]) for word in words if (found := _LANES.fullmatch(word))]
    if not numbers or min(numbers) < 1:
        return None
    if len(set(numbers)) > 1:
        return Lanes(min(numbers), "several numbers of lanes: the lowest taken")
    return Lanes(numbers[0])


def first_of(text: str) -> str:
    """The first of several values in one text: `['primary', 'secondary']` or `primary;secondary` is `primary`."""
    listed = text.strip()
    if listed.startswith("[") and listed.endswith("]"):
        return listed[1:-1].split(",")[0].strip().strip("'\"")
    return listed.split(";")[0].strip()


def _one_limit(word: str) -> Limit | None:
    if word == "none":
        return Limit(130.0, "no limit: read as 130 km/h")
    zone = word.partition(":")[2] or word
    known = _COUNTRIES.get(word) or _ZONES.get(zone)
    if known is not None:
        return Limit(known, "named by a zone (as RO:urban): the usual limit there taken")
    numbered = _ZONE.fullmatch(word)
    if numbered:
        return Limit(float(numbered[1]), "named by a zone (as RO:urban): the usual limit there taken")
    found = _SPEED.fullmatch(word)
    if found is None or found[2] not in _UNITS:
        return None
    factor = _UNITS[found[2]]
    return Limit(float(found[1]) * factor, "" if factor == 1 else f"in {found[2]}: turned into km/h")

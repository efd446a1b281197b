"""What the tags of an OSM way say about a road: whether cars may use it, its directions, lanes, limit and quality."""

from collections.abc import Mapping
from typing import NamedTuple

from arz.world.importers.guesses import Limit, lanes_of, limit_of, usual
from arz.world.importers.notes import Notes
from arz.world.physics import Quality
from arz.world.record import FASTEST_KMH, SLOWEST_KMH

Tags = Mapping[str, str]

ROADS = frozenset(
    "motorway motorway_link trunk trunk_link primary primary_link secondary secondary_link tertiary tertiary_link unclassified "
    "residential living_street road".split()
)
_ACCESS = ("motorcar", "motor_vehicle", "vehicle", "access")
"""From the narrowest to the widest word: the first that a way has counts."""
_CLOSED = frozenset({"no", "private", "agricultural", "forestry", "emergency", "military"})
_ROUND = frozenset({"roundabout", "circular"})
_SMOOTHNESS: dict[str, Quality] = {
    "excellent": "R1",
    "good": "R2",
    "intermediate": "R3",
    "bad": "R4",
    "very_bad": "R5",
    "horrible": "R5",
    "very_horrible": "R5",
    "impassable": "R5",
}
_SURFACES: dict[str, Quality] = {
    **dict.fromkeys(("sett", "cobblestone", "unhewn_cobblestone", "compacted", "fine_gravel"), "R3"),
    **dict.fromkeys(("unpaved", "gravel", "pebblestone", "dirt", "earth", "ground", "grass", "clay"), "R4"),
    **dict.fromkeys(("mud", "sand"), "R5"),
}
MOST_LANES = 20


class Directions(NamedTuple):
    """Which ways along the way a car may drive, and in words where that was guessed."""

    forward: bool
    backward: bool
    how: str = ""


def why_not(tags: Tags) -> str:
    """Why a way with a `highway` tag is no road here; empty if it is one."""
    highway = tags["highway"]
    if highway not in ROADS:
        if tags.get("motorcycle") in ("yes", "designated", "permissive"):
            return "ways for motorcycles only: left out, a road here carries all classes"
        if highway in ("service", "track"):
            return f"{highway} ways: left out"
        return "ways that are no roads for cars (paths, footways, ...): left out"
    if tags.get("area") == "yes":
        return "areas: left out"
    for word in _ACCESS:
        if word in tags:
            if tags[word] not in _CLOSED:
                return ""
            if tags.get("motorcycle") in ("yes", "designated", "permissive"):
                return "ways for motorcycles only: left out, a road here carries all classes"
            return "roads closed to the public's cars: left out"
    return ""


def directions(tags: Tags) -> Directions:
    oneway = next((tags[key] for key in ("oneway:motorcar", "oneway:motor_vehicle", "oneway") if key in tags), "")
    if oneway in ("yes", "true", "1"):
        return Directions(forward=True, backward=False)
    if oneway in ("-1", "reverse"):
        return Directions(forward=False, backward=True, how="roads one-way against their line")
    if oneway in ("no", "false", "0"):
        return Directions(forward=True, backward=True)
    if tags.get("junction") in _ROUND:
        return Directions(forward=True, backward=False, how="roundabouts: one-way implied")
    if tags["highway"] in ("motorway", "motorway_link"):
        return Directions(forward=True, backward=False, how="motorways: one-way implied")
    how = f"roads with oneway={oneway}: read as two-way" if oneway else ""
    return Directions(forward=True, backward=True, how=how)


def lanes(tags: Tags, notes: Notes, road: str, *, forward: bool, both_ways: bool) -> int:
    """The lanes of one direction: what is said of it, or half of what is said of the road, or what is usual."""
    for key, share in ((f"lanes:{'forward' if forward else 'backward'}", 1), ("lanes", 2 if both_ways else 1)):
        text = tags.get(key)
        if text is None:
            continue
        told = lanes_of(text)
        if told is None or told.number > MOST_LANES:
            notes.count("lanes that make no sense: guessed instead", f"{road} ({text})")
            continue
        if told.how:
            notes.count(told.how, f"{road} ({text})")
        if told.number % share:
            notes.count("two-way roads with an odd number of lanes: the smaller half, at least 1, for each direction", road)
        return max(1, told.number // share)
    guess = usual(tags["highway"]).lanes
    notes.count(f"{tags['highway']} roads without lanes: taken as {guess} in each direction", road)
    return guess


def limit_kmh(tags: Tags, notes: Notes, road: str, *, forward: bool) -> float:
    text = tags.get(f"maxspeed:{'forward' if forward else 'backward'}", tags.get("maxspeed", ""))
    told = limit_of(text) if text else None
    if text and (told is None or not SLOWEST_KMH <= told.kmh <= FASTEST_KMH):
        notes.count("limits that make no sense: guessed instead", f"{road} ({text})")
        told = None
    if told is None:
        told = _zone_of(tags)
    if told is None:
        guess = usual(tags["highway"]).limit_kmh
        notes.count(f"{tags['highway']} roads without a limit: taken as {guess:g} km/h", road)
        return guess
    if told.how:
        notes.count(f"limits {told.how}", f"{road} ({text})" if text else road)
    return told.kmh


def quality(tags: Tags, notes: Notes, road: str) -> Quality:
    told = _SMOOTHNESS.get(tags.get("smoothness", "")) or _SURFACES.get(tags.get("surface", ""))
    if told is None:
        notes.count("roads whose surface tells no quality: taken as R2", road)
        return "R2"
    notes.count("qualities guessed from smoothness or surface", f"{road} ({told})")
    return told


def _zone_of(tags: Tags) -> Limit | None:
    """The limit of the zone that a way without a limit of its own is said to lie in."""
    for key in ("maxspeed:type", "source:maxspeed", "zone:maxspeed", "zone:traffic"):
        told = limit_of(tags[key]) if key in tags else None
        if told is not None and told.how and SLOWEST_KMH <= told.kmh <= FASTEST_KMH:
            return told
    return None

"""Networks in the General Modeling Network Specification: node.csv and link.csv in a folder, with movements and signals if they are there."""

import math
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from arz.world.importers.base import Importer
from arz.world.importers.draft import Draft, refused, sound_lanes, sound_length, sound_limit
from arz.world.importers.gmns_lights import light_plans
from arz.world.importers.guesses import KNOT_KMH, MPH_KMH, first_of, usual
from arz.world.importers.plane import Plane, Point, on_earth, plane_length_m, plane_over
from arz.world.importers.table import Row, rows
from arz.world.importers.wkt import line_of
from arz.world.network import Road

_FOOT_M, _MILE_M = 0.3048, 1609.344
_METRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("km", "kilometer", "kilometers", "kilometre", "kilometres"), 1000.0),
    **dict.fromkeys(("ft", "foot", "feet"), _FOOT_M),
    **dict.fromkeys(("mi", "mile", "miles"), _MILE_M),
}
_KMH = {
    **dict.fromkeys(("kmh", "km/h", "kph", "kmph", "km/hr", "kilometers per hour", "kilometres per hour"), 1.0),
    **dict.fromkeys(("mph", "mi/h", "miles per hour"), MPH_KMH),
    **dict.fromkeys(("m/s", "mps"), 3.6),
    **dict.fromkeys(("ft/s", "fps"), _FOOT_M * 3.6),
    **dict.fromkeys(("knots",), KNOT_KMH),
}
_NAMES = {1.0: "metres", 1000.0: "kilometres", _FOOT_M: "feet", _MILE_M: "miles"}
_ON_FOOT = frozenset("walk pedestrian ped peds foot bike bicycle bicyclist cycle transit rail tram subway ferry bus wheelchair".split())
_ASIDE = frozenset("sidewalk crosswalk walkway footway bikeway cycletrack path rail railway transit".split())
_DEGREE_M = 20.0
"""Lengths are this many times the distance of coordinates, or more, only where coordinates are degrees; a mile in metres is told apart below."""


def claims(path: str) -> bool:
    folder = _folder(path)
    named = os.path.isdir(path) or os.path.basename(path).lower() in ("link.csv", "node.csv")
    return named and os.path.isfile(os.path.join(folder, "link.csv"))


def read(path: str) -> Draft:
    """Roads are the links that cars may use, in the units of config.csv or those that fit the coordinates."""
    folder = _folder(path)
    draft = Draft(os.path.join(folder, "link.csv"), os.path.basename(os.path.abspath(folder)))
    nodes = _nodes(os.path.join(folder, "node.csv"))
    links = [row for row in rows(draft.file, ("link_id", "from_node_id", "to_node_id")) if _for_cars(draft, row)]
    _check_ends(draft, nodes, links)
    config = _config(folder)
    lines = _lines(draft, links, _geometries(folder))
    length_unit = _place(draft, config, nodes, links, lines)
    speed_unit = _speed_unit(draft, config, length_unit)
    for link, line in zip(links, lines, strict=True):
        _add(draft, link, line, length_unit, speed_unit)
    movements = _optional(folder, "movement.csv", ("mvmt_id", "ib_link_id", "ob_link_id"))
    _set_weights(draft, movements)
    light_plans(draft, folder, nodes, movements)
    return draft


GMNS = Importer("gmns", "a GMNS folder with node.csv and link.csv", claims, read)


@dataclass(frozen=True, slots=True)
class _Config:
    """What config.csv says, in lower case."""

    length: str = ""
    speed: str = ""
    crs: str = ""


def _folder(path: str) -> str:
    return path if os.path.isdir(path) else os.path.dirname(path) or "."


def _optional(folder: str, name: str, needed: Sequence[str]) -> list[Row]:
    path = os.path.join(folder, name)
    return list(rows(path, needed)) if os.path.isfile(path) else []


def _config(folder: str) -> _Config:
    for row in _optional(folder, "config.csv", ()):
        unit, speed = row.get("long_length").lower(), row.get("speed").lower()
        for column, text, known in (("long_length", unit, _METRES), ("speed", speed, _KMH)):
            if text and text not in known:
                raise row.refused(column, f"it is {text!r}", f"choose among {', '.join(known)}")
        return _Config(unit, speed, row.get("crs").lower())
    return _Config()


def _nodes(path: str) -> dict[str, Row]:
    nodes: dict[str, Row] = {}
    for row in rows(path, ("node_id", "x_coord", "y_coord")):
        name = row.text("node_id")
        if name in nodes:
            raise row.refused("node_id", f"the node {name!r} is there twice", "give each node an id of its own")
        nodes[name] = row
    return nodes


def _check_ends(draft: Draft, nodes: Mapping[str, Row], links: Sequence[Row]) -> None:
    if not links:
        raise refused(draft.file, "", "there is no link for cars in it", "check that it is the right file, and whole")
    for link in links:
        for column in ("from_node_id", "to_node_id"):
            if link.text(column) not in nodes:
                raise link.refused(column, f"{link.text(column)!r} is not in node.csv", "add that node")


def _geometries(folder: str) -> dict[str, str]:
    return {row.text("geometry_id"): row.get("geometry") for row in _optional(folder, "geometry.csv", ("geometry_id", "geometry"))}


def _for_cars(draft: Draft, link: Row) -> bool:
    uses = {use.strip().lower() for use in link.get("allowed_uses").replace(";", ",").split(",") if use.strip()}
    aside = uses <= _ON_FOOT if uses else link.get("facility_type").lower() in _ASIDE
    if aside or link.number_or("lanes", 1) == 0:
        draft.notes.count("links that cars may not use, or without a lane: left out", link.text("link_id"))
        return False
    return True


def _lines(draft: Draft, links: Sequence[Row], geometries: Mapping[str, str]) -> list[tuple[Point, ...]]:
    """The line of each link in the coordinates of the file, in the direction of the link; empty where there is none."""
    lines: list[tuple[Point, ...]] = []
    for link in links:
        text = link.get("geometry") or geometries.get(link.get("geometry_id"), "")
        line = line_of(text) if text else ()
        if line is None:
            draft.notes.count("links whose geometry is no LINESTRING: drawn straight", link.text("link_id"))
            line = ()
        lines.append(tuple(reversed(line)) if link.number_or("dir_flag", 1) == -1 else line)
    return lines


def _place(draft: Draft, config: _Config, nodes: Mapping[str, Row], links: Sequence[Row], lines: list[tuple[Point, ...]]) -> float:
    """Puts nodes and lines onto a plane in metres; gives the metres of the unit of lengths."""
    names = dict.fromkeys(link.text(column) for link in links for column in ("from_node_id", "to_node_id"))
    raw = {name: (nodes[name].number("x_coord"), nodes[name].number("y_coord")) for name in names}
    told = [(link, line or (raw[link.text("from_node_id")], raw[link.text("to_node_id")])) for link, line in zip(links, lines, strict=True)]
    ratio = _ratio(told, plane_length_m)
    plane = _plane(draft, config, raw, ratio)
    if plane is not None:
        draft.notes.say("the coordinates are degrees: projected onto a plane in metres")
        ratio = _ratio(told, lambda line: plane_length_m([plane.point(point) for point in line]))
        lines[:] = [tuple(plane.point(point) for point in line) for line in lines]
    draft.places.update({name: plane.point(point) if plane else point for name, point in raw.items()})
    return _length_unit(draft, config, ratio)


def _ratio(told: Sequence[tuple[Row, Sequence[Point]]], measured: Callable[[Sequence[Point]], float]) -> float:
    """How many units of length links usually have for one unit of their coordinates; 0 where they tell none."""
    ratios = [length / apart for link, line in told if (length := _told_length(link)) and (apart := measured(line)) > 0]
    return statistics.median(ratios) if ratios else 0.0


def _told_length(link: Row) -> float:
    """The length of a link in the unit of the file; 0 where it tells none."""
    length = link.number_or("length", 0.0)
    if length < 0:
        raise link.refused("length", f"it is {length:g}", "give a length above 0, or leave the cell empty")
    return length


def _plane(draft: Draft, config: _Config, raw: Mapping[str, Point], ratio: float) -> Plane | None:
    """The plane for coordinates in degrees; None where they are metres already."""
    possible = all(on_earth(point) for point in raw.values())
    told = any(word in config.crs for word in ("4326", "wgs84", "4269", "crs84", "lat"))
    if told and not possible:
        name, point = next((name, point) for name, point in raw.items() if not on_earth(point))
        problem = f"config.csv says degrees, but the node {name!r} is at {point[0]:g}, {point[1]:g}"
        raise refused(draft.file.replace("link.csv", "node.csv"), "", problem, "mend the coordinates, or crs in config.csv")
    degrees = possible if told or not ratio else possible and ratio > _DEGREE_M and not config.crs
    return plane_over(list(raw.values())) if degrees else None


def _length_unit(draft: Draft, config: _Config, ratio: float) -> float:
    if config.length:
        metres = _METRES[config.length]
        off = ratio * metres if ratio else 1.0
        if not 1 / 3 < off < 3:  # noqa: PLR2004 - roads wind, but not by that
            draft.notes.say(
                f"lengths in {config.length}, as config.csv says, are {off:.3g} times the distances of the coordinates: check the unit"
            )
        return metres
    if not ratio:
        draft.notes.say("config.csv does not tell the unit of lengths: taken as metres")
        return 1.0
    metres = min(_NAMES, key=lambda unit: abs(math.log(ratio * unit)))
    draft.notes.say(f"config.csv does not tell the unit of lengths: {_NAMES[metres]} fit the coordinates")
    return metres


def _speed_unit(draft: Draft, config: _Config, length_unit: float) -> float:
    if config.speed:
        return _KMH[config.speed]
    imperial = length_unit in (_FOOT_M, _MILE_M)
    draft.notes.say(
        f"config.csv does not tell the unit of speeds: taken as {'mph' if imperial else 'km/h'}, as lengths are in {_NAMES[length_unit]}"
    )
    return MPH_KMH if imperial else 1.0


def _add(draft: Draft, link: Row, line: tuple[Point, ...], length_unit: float, speed_unit: float) -> None:
    name, start, end = (link.text(column) for column in ("link_id", "from_node_id", "to_node_id"))
    highway = first_of(link.get("facility_type").lower().replace(" ", "_")) or "secondary"
    road = Road(
        id=name,
        start=start,
        end=end,
        length_m=_length(draft, link, line or (draft.places[start], draft.places[end]), length_unit),
        lanes=_lanes(draft, link, highway),
        limit_kmh=_limit(draft, link, highway, speed_unit),
        highway=highway,
        name=link.get("name"),
        geometry=line,
    )
    draft.add(link.place, road)
    if link.truth("directed") is False:
        draft.notes.count("links that are not directed: the other direction was added", name)
        back = {"id": f"-{name}", "start": end, "end": start, "geometry": tuple(reversed(line))}
        draft.add(link.place, road.model_copy(update=back))


def _length(draft: Draft, link: Row, line: Sequence[Point], unit: float) -> float:
    place = f"{link.place}, column length"
    if told := _told_length(link):
        return sound_length(draft.file, place, told * unit)
    length_m = plane_length_m(line)
    draft.notes.count("links without a length: measured on the plane", link.text("link_id"), length_m)
    return sound_length(draft.file, place, length_m)


def _lanes(draft: Draft, link: Row, highway: str) -> int:
    if link.get("lanes"):
        return sound_lanes(draft.file, f"{link.place}, column lanes", math.floor(link.number("lanes")))
    guess = usual(highway).lanes
    draft.notes.count(f"{highway} without lanes: taken as {guess}", link.text("link_id"))
    return guess


def _limit(draft: Draft, link: Row, highway: str, unit: float) -> float:
    if link.get("free_speed"):
        return sound_limit(draft.file, f"{link.place}, column free_speed", link.number("free_speed") * unit)
    guess = usual(highway).limit_kmh
    draft.notes.count(f"{highway} without a free speed: taken as {guess:g} km/h", link.text("link_id"))
    return guess


def _set_weights(draft: Draft, movements: Sequence[Row]) -> None:
    """An approach with movements turns only as they say, in proportion to the lanes that each leaves from."""
    weights: dict[str, dict[str, float]] = {}
    for row in movements:
        approach, leaving = row.text("ib_link_id"), row.text("ob_link_id")
        if approach not in draft.roads or leaving not in draft.roads:
            draft.notes.count("movements from or to links that are not roads for cars: left out", row.text("mvmt_id"))
            continue
        if draft.roads[approach].end != draft.roads[leaving].start:
            raise row.refused("ob_link_id", f"link {leaving!r} does not begin where {approach!r} ends", "mend the movement")
        first = row.number_or("start_ib_lane", 1)
        last = row.number_or("end_ib_lane", first)
        told = weights.setdefault(approach, {})
        told[leaving] = told.get(leaving, 0.0) + abs(last - first) + 1
    for approach, told in weights.items():
        if len(told) > 1:
            draft.notes.count("approaches with movements: turning shares guessed from their lanes", approach)
    draft.weights.update(weights)

"""Edge lists as CSV: columns u, v, length, and what is known of name, highway, oneway, lanes, quality, maxspeed and geometry."""

import os
from collections.abc import Sequence
from typing import cast, get_args

from arz.world.importers.base import Importer
from arz.world.importers.draft import Draft, refused, sound_lanes, sound_length, sound_limit
from arz.world.importers.guesses import first_of, lanes_of, limit_of, usual
from arz.world.importers.plane import Point, on_earth, plane_over
from arz.world.importers.table import Row, rows
from arz.world.importers.wkt import line_of
from arz.world.network import Road
from arz.world.physics import Quality

_KILOMETRES_M = 10.0
"""Where no road is longer than this, the lengths look like kilometres."""


def claims(path: str) -> bool:
    """Every table of edges that is not a GMNS file."""
    return os.path.isfile(path) and path.lower().endswith((".csv", ".csv.gz"))


def read(path: str) -> Draft:
    """Roads from one table. A row that is not one-way is both directions, unless the table holds the other direction itself."""
    draft = Draft(path, os.path.basename(path).partition(".")[0])
    table = list(rows(path, ("u", "v", "length")))
    if not table:
        raise refused(path, "", "the table holds no edges", "add a line for each road")
    lengths = [row.number("length") for row in table]
    if min(lengths) > 0 and max(lengths) < _KILOMETRES_M:
        problem = f"no road is {_KILOMETRES_M:g} long, which looks like kilometres"
        raise refused(path, "column length", problem, "give metres")
    lines = _lines(draft, table)
    _place_nodes(draft, table, lines)
    written = {(row.text("u"), row.text("v")) for row in table}
    for row, line in zip(table, lines, strict=True):
        _add(draft, row, line, written)
    return draft


EDGE_LIST = Importer("edge_list", "a CSV table of edges with the columns u, v and length", claims, read)


def _lines(draft: Draft, table: Sequence[Row]) -> list[tuple[Point, ...]]:
    """The line of each row on a plane, in metres; empty where the table gives none."""
    lines: list[tuple[Point, ...]] = []
    for row in table:
        text = row.get("geometry")
        line = line_of(text) if text else ()
        if line is None:
            raise row.refused("geometry", f"it is {text[:40]!r}", "give a LINESTRING in well-known text, or leave the cell empty")
        lines.append(line)
    points = [point for line in lines for point in line]
    if not points or not all(on_earth(point) for point in points):
        return lines
    draft.notes.say("the geometry looks like degrees: projected onto a plane in metres")
    plane = plane_over(points)
    return [tuple(plane.point(point) for point in line) for line in lines]


def _place_nodes(draft: Draft, table: Sequence[Row], lines: Sequence[tuple[Point, ...]]) -> None:
    for row, line in zip(table, lines, strict=True):
        for column, at in (("u", 0), ("v", -1)):
            if line:
                draft.places.setdefault(row.text(column), line[at])
    for row in table:
        for column in ("u", "v"):
            if row.text(column) not in draft.places:
                draft.places[row.text(column)] = (0.0, 0.0)
                draft.notes.count("nodes without a place: drawn at 0, 0", row.text(column))


def _add(draft: Draft, row: Row, line: tuple[Point, ...], written: set[tuple[str, str]]) -> None:
    start, end = row.text("u"), row.text("v")
    road = Road(
        id=_name(draft, start, end),
        start=start,
        end=end,
        length_m=sound_length(draft.file, f"{row.place}, column length", row.number("length")),
        lanes=1,
        limit_kmh=50.0,
        quality=_quality(draft, row),
        highway=_highway(draft, row),
        name=first_of(row.get("name")),
        geometry=line,
    )
    oneway = _oneway(draft, row, road, twin=(end, start) in written)
    lanes = _lanes(draft, row, road, both_ways=not oneway)
    road = road.model_copy(update={"lanes": lanes, "limit_kmh": _limit(draft, row, road)})
    draft.add(row.place, road)
    if not oneway and (end, start) not in written:
        draft.notes.count("two-way rows without a row for the other direction: it was added", road.id)
        back = {"id": _name(draft, end, start), "start": end, "end": start, "geometry": tuple(reversed(line))}
        draft.add(row.place, road.model_copy(update=back))


def _name(draft: Draft, start: str, end: str) -> str:
    name, number = f"{start}->{end}", 2
    while name in draft.roads:
        name, number = f"{start}->{end}#{number}", number + 1
    return name


def _highway(draft: Draft, row: Row) -> str:
    text = row.get("highway")
    if not text:
        draft.notes.count("rows without a highway: taken as secondary", row.place)
    return first_of(text) or "secondary"


def _quality(draft: Draft, row: Row) -> Quality:
    text = row.get("quality").upper()
    if not text:
        draft.notes.count("rows without a quality: taken as R2", row.place)
        return "R2"
    if text not in get_args(Quality):
        raise row.refused("quality", f"it is {row.get('quality')!r}", f"choose among {', '.join(get_args(Quality))}")
    return cast("Quality", text)


def _oneway(draft: Draft, row: Row, road: Road, *, twin: bool) -> bool:
    told = row.truth("oneway")
    if told is None:
        implied = twin or road.highway in ("motorway", "motorway_link")
        draft.notes.count(f"rows that do not say whether they are one-way: taken as {'one-way' if implied else 'two-way'}", road.id)
        return implied
    return told


def _lanes(draft: Draft, row: Row, road: Road, *, both_ways: bool) -> int:
    text = row.get("lanes")
    if not text:
        guess = usual(road.highway).lanes
        draft.notes.count(f"{road.highway} without lanes: taken as {guess} in each direction", road.id)
        return guess
    lanes = lanes_of(text)
    if lanes is None:
        raise row.refused("lanes", f"it is {text!r}", "give the number of lanes, 1 or more, or leave the cell empty")
    if lanes.how:
        draft.notes.count(lanes.how, road.id)
    if not both_ways:
        return sound_lanes(draft.file, f"{row.place}, column lanes", lanes.number)
    draft.notes.count("two-way rows with a number of lanes: half of them for each direction", road.id)
    return sound_lanes(draft.file, f"{row.place}, column lanes", max(1, lanes.number // 2))


def _limit(draft: Draft, row: Row, road: Road) -> float:
    text = row.get("maxspeed")
    # `None` is what Python writes for nothing, `none` what a mapper writes where there is no limit.
    if not text and row.cells.get("maxspeed", "").strip() != "none":
        guess = usual(road.highway).limit_kmh
        draft.notes.count(f"{road.highway} without a limit: taken as {guess:g} km/h", road.id)
        return guess
    limit = limit_of(text or "none")
    if limit is None:
        raise row.refused("maxspeed", f"it is {text!r}", "give km/h, or a text such as `30 mph` or `RO:urban`, or leave the cell empty")
    if limit.how:
        draft.notes.count(f"limits {limit.how}" if limit.how.startswith("in ") else limit.how, road.id)
    return sound_limit(draft.file, f"{row.place}, column maxspeed", limit.kmh)

"""Extracts of OpenStreetMap: .osm (also packed by gzip) and .osm.pbf."""

import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from arz.world.importers import osm_pbf, osm_tags, osm_xml
from arz.world.importers.base import Importer
from arz.world.importers.draft import Draft, refused
from arz.world.importers.lights import two_phases
from arz.world.importers.notes import Notes
from arz.world.importers.osm_objects import OsmNode, OsmRelation, OsmWay
from arz.world.importers.plane import Plane, Point, earth_length_m, heading, on_earth, plane_over
from arz.world.network import Road

SIGNAL_REACH_M = 50.0
"""A light this near a junction, along the road, belongs to the junction."""
SHORTEST_M = 0.1
"""Two nodes may have one place; a road between them has this length."""
DIRECTED = ("forward", "backward")


def claims(path: str) -> bool:
    return os.path.basename(path).lower().endswith((".osm", ".osm.gz", ".osm.xml", ".osm.xml.gz", ".pbf"))


def read(path: str) -> Draft:
    """Roads are the ways for cars, split where they share a node; two passes, so that only the nodes of roads are kept."""
    draft = Draft(path, os.path.basename(path).partition(".")[0])
    source = _PBF if path.lower().endswith(".pbf") else _XML
    found = _ways(path, source, draft.notes)
    nodes = _nodes(path, source, found.ways)
    ways = _clipped(draft, found.ways, nodes)
    plane = plane_over([(node.lon, node.lat) for node in nodes.values()])
    pieces = _pieces(ways)
    for piece in pieces:
        _add_roads(draft, piece, nodes, plane)
    _restrict(draft, found.restrictions, pieces)
    _set_lights(draft, pieces, nodes)
    return draft


OSM = Importer("osm", "an extract of OpenStreetMap (.osm, .osm.gz, .osm.pbf)", claims, read)


@dataclass(frozen=True, slots=True)
class _Source:
    """How one form of the file is read."""

    ways_and_relations: Callable[[str], Iterator[OsmWay | OsmRelation]]
    nodes: Callable[[str, Container[int]], Iterator[OsmNode]]


_XML = _Source(osm_xml.ways_and_relations, osm_xml.nodes)
_PBF = _Source(osm_pbf.ways_and_relations, osm_pbf.nodes)


@dataclass(frozen=True, slots=True)
class _Found:
    """The roads of the file, and the rules for turning."""

    ways: list[OsmWay] = field(default_factory=list)
    restrictions: list[OsmRelation] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A way from one junction to the next, and the roads that it became."""

    way: OsmWay
    number: int
    refs: tuple[int, ...]
    roads: list[Road] = field(default_factory=list)


def _ways(path: str, source: _Source, notes: Notes) -> _Found:
    found = _Found()
    seen: set[int] = set()
    for each in source.ways_and_relations(path):
        if isinstance(each, OsmRelation):
            if each.tags.get("type") == "restriction":
                found.restrictions.append(each)
        elif "highway" in each.tags:
            reason = osm_tags.why_not(each.tags)
            # Where extracts were put together, what lies on their border is there twice.
            if each.id in seen:
                reason = "ways that are there twice: the first taken"
            seen.add(each.id)
            if reason:
                notes.count(reason, str(each.id))
            else:
                found.ways.append(each)
    if not found.ways:
        raise refused(path, "", "there is no road for cars in it", "check that it is the right extract, with its highways")
    return found


def _nodes(path: str, source: _Source, ways: Iterable[OsmWay]) -> dict[int, OsmNode]:
    wanted = {ref for way in ways for ref in way.refs}
    nodes: dict[int, OsmNode] = {}
    for node in source.nodes(path, wanted):
        if not (math.isfinite(node.lon) and math.isfinite(node.lat) and on_earth((node.lon, node.lat))):
            problem = f"it is at longitude {node.lon:g}, latitude {node.lat:g}"
            raise refused(path, node.place, problem, "fetch the extract again; each node needs lon and lat in degrees")
        nodes[node.id] = node
    if not nodes:
        raise refused(path, "", "none of the nodes of its ways is in the file", "ask for the nodes of the ways too")
    return nodes


def _clipped(draft: Draft, ways: Iterable[OsmWay], nodes: Container[int]) -> list[OsmWay]:
    """The ways without the nodes that are not in the file, as at the border of an extract; a way with a gap becomes two."""
    clipped = []
    for way in ways:
        runs: list[list[int]] = [[]]
        for ref in way.refs:
            if ref not in nodes:
                runs.append([])
            elif not runs[-1] or runs[-1][-1] != ref:
                runs[-1].append(ref)
        if len(runs) > 1:
            draft.notes.count("ways with nodes that are not in the file: cut there", str(way.id))
        clipped += [OsmWay(way.id, tuple(run), way.tags) for run in runs if len(run) > 1]
    return clipped


def _pieces(ways: Sequence[OsmWay]) -> list[_Piece]:
    used = Counter(ref for way in ways for ref in way.refs)
    counts: Counter[int] = Counter()
    pieces = []
    for way in ways:
        start = 0
        for at in range(1, len(way.refs)):
            if at == len(way.refs) - 1 or used[way.refs[at]] > 1:
                pieces.append(_Piece(way, counts[way.id], way.refs[start : at + 1]))
                counts[way.id] += 1
                start = at
    return pieces


def _add_roads(draft: Draft, piece: _Piece, nodes: Mapping[int, OsmNode], plane: Plane) -> None:
    tags, name = piece.way.tags, f"{piece.way.id}#{piece.number}"
    places = [(nodes[ref].lon, nodes[ref].lat) for ref in piece.refs]
    line = tuple(plane.point(place) for place in places)
    length_m = earth_length_m(places)
    if length_m < SHORTEST_M:
        draft.notes.count(f"roads between nodes at one place: taken as {SHORTEST_M:g} m long", name)
        length_m = SHORTEST_M
    for ref, point in ((piece.refs[0], line[0]), (piece.refs[-1], line[-1])):
        draft.places[str(ref)] = point
    ways = osm_tags.directions(tags)
    if ways.how:
        draft.notes.count(ways.how, name, length_m)
    quality = osm_tags.quality(tags, draft.notes, name)
    for forward, wanted in ((True, ways.forward), (False, ways.backward)):
        if wanted:
            start, end = (piece.refs[0], piece.refs[-1]) if forward else (piece.refs[-1], piece.refs[0])
            road = Road(
                id=name if forward else f"-{name}",
                start=str(start),
                end=str(end),
                length_m=length_m,
                lanes=osm_tags.lanes(tags, draft.notes, name, forward=forward, both_ways=ways.forward and ways.backward),
                limit_kmh=osm_tags.limit_kmh(tags, draft.notes, name, forward=forward),
                quality=quality,
                highway=tags["highway"],
                name=tags.get("name", ""),
                geometry=line if forward else line[::-1],
            )
            draft.add(f"way {piece.way.id}", road)
            piece.roads.append(road)


def _restrict(draft: Draft, restrictions: Iterable[OsmRelation], pieces: Iterable[_Piece]) -> None:
    """Turning where it is not free: `no_left_turn`, `only_straight_on` and their like, at nodes."""
    arriving: dict[tuple[int, str], list[Road]] = defaultdict(list)
    leaving: dict[tuple[int, str], list[Road]] = defaultdict(list)
    exits: dict[str, list[Road]] = defaultdict(list)
    for piece in pieces:
        for road in piece.roads:
            arriving[piece.way.id, road.end].append(road)
            leaving[piece.way.id, road.start].append(road)
            exits[road.start].append(road)
    allowed: dict[str, set[str]] = {}
    for relation in restrictions:
        rule = relation.tags.get("restriction:motorcar", relation.tags.get("restriction", ""))
        of = {role: [(kind, ref) for kind, ref, its in relation.members if its == role] for role in ("from", "via", "to")}
        if not rule.startswith(("no_", "only_")) or len(of["via"]) != 1 or of["via"][0][0] != "node":
            draft.notes.count("turning rules that are not of one node, or of some times only: left out", str(relation.id))
            continue
        if "motorcar" in relation.tags.get("except", ""):
            continue
        node = str(of["via"][0][1])
        targets = {road.id for _, way in of["to"] for road in leaving[way, node]}
        for approach in (road for _, way in of["from"] for road in arriving[way, node]):
            onward = allowed.setdefault(approach.id, {road.id for road in exits[node] if road.end != approach.start})
            rest = onward & targets if rule.startswith("only_") else onward - targets
            if rest and rest != onward:
                draft.notes.count("turning rules: kept", str(relation.id))
                allowed[approach.id] = rest
                draft.weights[approach.id] = {road.id: float(road.lanes) for road in exits[node] if road.id in rest}
            elif not rest:
                draft.notes.count("turning rules that leave no way on: left out", str(relation.id))


def _set_lights(draft: Draft, pieces: Sequence[_Piece], nodes: Mapping[int, OsmNode]) -> None:
    """Two phases by compass direction for every junction that has a light, or one on the road shortly before it."""
    arriving: dict[str, dict[str, float | None]] = defaultdict(dict)
    for piece in pieces:
        for road in piece.roads:
            arriving[road.end][road.id] = heading(road.geometry)
    for node in _lit(draft, pieces, nodes):
        name = str(node)
        plan = two_phases(arriving[name]) if name in arriving else None
        if plan is None:
            draft.notes.count("lights where nobody has to wait for another: left out", name)
        else:
            draft.notes.count("lights: given two phases by compass direction, 30 s of green each", name)
            draft.plans[name] = plan


def _lit(draft: Draft, pieces: Sequence[_Piece], nodes: Mapping[int, OsmNode]) -> dict[int, None]:
    """The junctions with a light, in the order of the file."""
    lit: dict[int, None] = {}
    for piece in pieces:
        for at, ref in enumerate(piece.refs):
            if nodes[ref].tags.get("highway") != "traffic_signals":
                continue
            if at in (0, len(piece.refs) - 1):
                lit[ref] = None
                continue
            junction = _junction_of(piece, at, nodes)
            if junction is None:
                draft.notes.count("lights between junctions, as for people on foot: left out", str(ref))
            else:
                draft.notes.count("lights before a junction: counted as its", str(ref))
                lit[junction] = None
    return lit


def _junction_of(piece: _Piece, at: int, nodes: Mapping[int, OsmNode]) -> int | None:
    """The end of the piece that a light within it belongs to: the one its traffic drives to, if it is near."""
    line: list[Point] = [(nodes[ref].lon, nodes[ref].lat) for ref in piece.refs]
    tags = nodes[piece.refs[at]].tags
    told = tags.get("traffic_signals:direction", tags.get("direction", ""))
    driven = {not road.id.startswith("-") for road in piece.roads}
    ways = {told == "forward"} if told in DIRECTED else driven
    ends = [(earth_length_m(line[at:] if forward else line[: at + 1]), piece.refs[-1 if forward else 0]) for forward in sorted(ways)]
    near_m, end = min(ends)
    return end if near_m <= SIGNAL_REACH_M else None

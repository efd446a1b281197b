"""Networks of SUMO: .net.xml and .net.xml.gz, with their connections and traffic lights."""

import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from arz.world.importers.base import Importer
from arz.world.importers.draft import Draft, refused, sound_lanes, sound_length, sound_limit
from arz.world.importers.elements import Element, elements
from arz.world.importers.plane import Point
from arz.world.importers.sumo_lights import Link, light_plans
from arz.world.network import Road
from arz.world.record import FASTEST_KMH, SLOWEST_KMH

_INSIDE = frozenset({"internal", "crossing", "walkingarea"})
_INDEX = re.compile("[0-9]{1,6}")
_FASTEST_READ_KMH = 500.0
"""Nets of railways and runways hold such limits, and some roads the default of a converter; above it is a slip of units."""


def claims(path: str) -> bool:
    return f".{os.path.basename(path).lower()}".endswith((".net.xml", ".net.xml.gz"))


def read(path: str) -> Draft:
    """Roads are the edges that cars may use; a road has the lanes that they may use."""
    draft = Draft(path, os.path.basename(path).partition(".")[0])
    net = _Net(path)
    for element in elements(path, "net"):
        net.take(element)
    draft.places.update(net.places)
    for edge in net.edges.values():
        _add_road(draft, edge)
    _note_inside(draft, net)
    links = [link for connection in net.connections if (link := _link(draft, net, connection))]
    _set_weights(draft, links)
    light_plans(draft, net.programs, links)
    return draft


SUMO_NET = Importer("sumo_net", "a network of SUMO (.net.xml, .net.xml.gz)", claims, read)


@dataclass(slots=True)
class _Net:
    """The elements of the file, gathered by their kind."""

    path: str
    edges: dict[str, Element] = field(default_factory=dict)
    inside: list[Element] = field(default_factory=list)
    connections: list[Element] = field(default_factory=list)
    programs: list[Element] = field(default_factory=list)
    places: dict[str, Point] = field(default_factory=dict)

    def take(self, element: Element) -> None:
        if element.tag == "edge":
            if element.attributes.get("function") in _INSIDE:
                self.inside.append(element)
                return
            name = _text(self.path, element, "id")
            if name in self.edges:
                raise refused(self.path, _place(element), "the edge is there twice", "write the network again")
            self.edges[name] = element
        elif element.tag == "junction":
            if element.attributes.get("type") != "internal":
                place = _number(self.path, element, "x"), _number(self.path, element, "y")
                self.places[_text(self.path, element, "id")] = place
        elif element.tag == "connection":
            ends = [_text(self.path, element, attribute) for attribute in ("from", "to")]
            if not any(end.startswith(":") for end in ends):
                self.connections.append(element)
        elif element.tag == "tlLogic":
            self.programs.append(element)


def _place(element: Element) -> str:
    name = element.attributes.get("id", "")
    return f"line {element.line}, <{element.tag}{f' {name}' if name else ''}>"


def _text(path: str, element: Element, attribute: str) -> str:
    if attribute not in element.attributes:
        raise refused(
            path, _place(element), f"the attribute {attribute!r} is missing", "write the network again with the tool that made it"
        )
    return element.attributes[attribute]


def _number(path: str, element: Element, attribute: str) -> float:
    text = _text(path, element, attribute)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise refused(path, _place(element), f"{attribute} is {text!r}, not a number", "mend the number")
    return number


def _shape(path: str, element: Element) -> tuple[Point, ...]:
    """The points of an attribute such as `0,0 10,5`; a height behind them is left out."""
    text = element.attributes.get("shape", "")
    points = []
    for word in text.split():
        try:
            x, y, *_ = (float(number) for number in word.split(","))
        except ValueError:
            x = y = math.nan
        if not (math.isfinite(x) and math.isfinite(y)):
            raise refused(path, _place(element), f"the shape holds {word!r}", "give points as x,y with spaces between them")
        points.append((x, y))
    return tuple(points) if len(points) > 1 else ()


def _for_cars(lane: Element) -> bool:
    allow, disallow = lane.attributes.get("allow"), lane.attributes.get("disallow")
    if allow is not None:
        return not {"passenger", "all"}.isdisjoint(allow.split())
    return disallow is None or {"passenger", "all"}.isdisjoint(disallow.split())


def _add_road(draft: Draft, edge: Element) -> None:
    path, where = draft.file, _place(edge)
    name, start, end = (_text(path, edge, attribute) for attribute in ("id", "from", "to"))
    lanes = [lane for lane in edge.within if lane.tag == "lane"]
    if not lanes:
        raise refused(path, where, "the edge has no lanes", "write the network again; edges of plain XML are no network yet")
    usable = [lane for lane in lanes if _for_cars(lane)]
    length_m = sound_length(path, where, _number(path, (usable or lanes)[0], "length"))
    if not usable:
        draft.notes.count("edges that cars may not use: left out", name, length_m)
        return
    if len(usable) < len(lanes):
        draft.notes.count("roads some of whose lanes cars may not use: those lanes left out", name, length_m)
    highway = _highway(draft, edge, name)
    limit_kmh = _limit(draft, where, name, [_number(path, lane, "speed") * 3.6 for lane in usable])
    draft.add(
        where,
        Road(
            id=name,
            start=start,
            end=end,
            length_m=length_m,
            lanes=sound_lanes(path, where, len(usable)),
            limit_kmh=limit_kmh,
            highway=highway,
            name=edge.attributes.get("name", ""),
            geometry=_shape(path, edge),
        ),
    )


def _highway(draft: Draft, edge: Element, name: str) -> str:
    kind = edge.attributes.get("type", "").partition("|")[0].removeprefix("highway.")
    if not kind:
        draft.notes.count("roads without a type: taken as secondary", name)
    return kind or "secondary"


def _limit(draft: Draft, where: str, name: str, limits_kmh: Sequence[float]) -> float:
    slowest, fastest = min(limits_kmh), max(limits_kmh)
    if fastest - slowest > 1:
        draft.notes.count("roads whose lanes have different limits: the highest taken", name)
    if FASTEST_KMH < fastest <= _FASTEST_READ_KMH:
        draft.notes.count(f"roads with limits above {FASTEST_KMH:g} km/h: taken as {FASTEST_KMH:g} km/h", name)
        return FASTEST_KMH
    if 0 < fastest < SLOWEST_KMH:
        draft.notes.count(f"roads with limits below {SLOWEST_KMH:g} km/h: taken as {SLOWEST_KMH:g} km/h", name)
        return SLOWEST_KMH
    return sound_limit(draft.file, where, fastest)


def _note_inside(draft: Draft, net: _Net) -> None:
    for edge in net.inside:
        if edge.attributes.get("function") == "internal":
            lanes = [lane for lane in edge.within if lane.tag == "lane"]
            length_m = _number(net.path, lanes[0], "length") if lanes else 0.0
            draft.notes.count(
                "internal edges, the ways across junctions: left out, nodes have no length", edge.attributes.get("id", ""), length_m
            )
        else:
            draft.notes.count("crossings and walking areas: left out", edge.attributes.get("id", ""))


def _link(draft: Draft, net: _Net, connection: Element) -> Link | None:
    """A connection between lanes of two roads; None if either is not for cars."""
    path, where = net.path, f"line {connection.line}, <connection>"
    names = [_text(path, connection, attribute) for attribute in ("from", "to")]
    for name in names:
        if name not in draft.roads:
            if name not in net.edges:
                raise refused(path, where, f"it names the edge {name!r}, which is not in the file", "write the network again")
            return None
    approach, leaving = (draft.roads[name] for name in names)
    if approach.end != leaving.start:
        raise refused(path, where, f"{names[1]!r} does not begin where {names[0]!r} ends", "write the network again")
    index = connection.attributes.get("linkIndex", "")
    return Link(
        approach.id,
        leaving.id,
        _text(path, connection, "fromLane"),
        turns_round=connection.attributes.get("dir") == "t" or leaving.end == approach.start,
        light=connection.attributes.get("tl", ""),
        index=int(index) if _INDEX.fullmatch(index) else -1,
    )


def _set_weights(draft: Draft, links: Iterable[Link]) -> None:
    """Every lane of an approach is worth the same, and is shared out evenly among where it leads."""
    by_approach: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_approach[link.approach].append(link)
    for name in draft.roads:
        onward = [link for link in by_approach.get(name, ()) if not link.turns_round] or by_approach.get(name, [])
        if onward:
            draft.weights[name] = _weights(onward)
            if len(draft.weights[name]) > 1:
                draft.notes.count("approaches with a choice: turning shares guessed from the connections of their lanes", name)
    leading = {road.start for road in draft.roads.values()}
    for name, road in draft.roads.items():
        if name not in draft.weights and road.end in leading:
            draft.notes.count("approaches without a connection: they turn as the lanes of the exits say", name)


def _weights(links: Sequence[Link]) -> Mapping[str, float]:
    leads = Counter(link.lane for link in links)
    weights: dict[str, float] = defaultdict(float)
    for link in links:
        weights[link.exit] += 1 / leads[link.lane]
    return dict(weights)

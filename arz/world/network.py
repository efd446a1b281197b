"""Roads and the nodes where they meet, checked as a whole: what is made can be driven on."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from arz.errors import Invalid
from arz.world.physics import CLASSES, Quality, VehicleClass
from arz.world.record import Id, LimitKmh, NotNegative, Positive, Record, Share

SUM_TOLERANCE = 1e-6
SHORTEST_NETWORK_M = 2.0
MOST_LANES = 100
"""More than any road has; whoever gives more gives something else."""
SHORTEST_PHASE_S = 0.1
"""No light changes faster, and so many windows of green would have to be listed."""

Priority = Annotated[float, Field(ge=1e-6, le=1e6)]
"""A share of 1e-12 is nobody; what is farther apart is no number any more in single precision."""


class Road(Record):
    """One direction of one street, from a node to a node; both directions of a street are two roads."""

    id: Id
    start: Id
    end: Id
    length_m: Positive
    lanes: Annotated[int, Field(ge=1, le=MOST_LANES)]
    limit_kmh: LimitKmh
    quality: Quality = "R2"
    highway: str = "secondary"
    """Its class, in the words of OpenStreetMap."""
    name: str = ""
    geometry: tuple[tuple[float, float], ...] = ()
    """Points (x, y) in metres from start to end, for pictures only; a straight line between the nodes if there are none."""

    @model_validator(mode="after")
    def _drawable(self) -> Self:
        if len(self.geometry) == 1:
            raise Invalid("geometry", "has one point", "give at least two points, or none")
        return self


class Turn(Record):
    """The share of an approach that goes on to an exit: of one class of vehicles, or of every class that has no turns of its own there."""

    approach: Id
    exit: Id
    share: Share
    vehicle: VehicleClass | None = None


class Phase(Record):
    """The approaches that are green together, and for how long in a fixed plan; an approach that no phase names stays shut."""

    green: tuple[Id, ...]
    duration_s: Annotated[float, Field(ge=SHORTEST_PHASE_S)]


class Signal(Record):
    """The lights of a node: phases in their order, parted by amber and all-red.

    Amber is red for the flow; an approach that is green in two phases in a row stays green between them; one phase alone is always on.
    """

    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    amber_s: NotNegative = 3.0
    all_red_s: NotNegative = 2.0
    offset_s: NotNegative = 0.0
    """When the first phase begins."""
    min_green_s: NotNegative = 5.0
    conflicts: tuple[tuple[Id, Id], ...] = ()
    """Pairs of approaches that may never be green together."""

    @property
    def cycle_s(self) -> float:
        """How long the fixed plan takes to come round."""
        green = sum(phase.duration_s for phase in self.phases)
        return green if len(self.phases) == 1 else green + len(self.phases) * (self.amber_s + self.all_red_s)

    @model_validator(mode="after")
    def _safe(self) -> Self:
        for at, (first, second) in enumerate(self.conflicts):
            if first == second:
                raise Invalid(f"conflicts[{at}]", f"sets {first!r} against itself", "name two different approaches")
        for at, phase in enumerate(self.phases):
            here = f"phases[{at}]"
            green = set(phase.green)
            if len(green) < len(phase.green):
                raise Invalid(f"{here}.green", "names an approach twice", "name each approach once")
            for first, second in self.conflicts:
                if first in green and second in green:
                    problem = f"gives green to {first!r} and {second!r}, which conflict"
                    raise Invalid(f"{here}.green", problem, "put them into different phases, or take the pair out of conflicts")
            if len(self.phases) > 1 and phase.duration_s < self.min_green_s:
                problem = f"is {phase.duration_s:g} s, less than min_green_s ({self.min_green_s:g} s)"
                raise Invalid(f"{here}.duration_s", problem, "lengthen the phase, or lower min_green_s")
        return self


def _pairs(given: object) -> object:
    return tuple(given.items()) if isinstance(given, Mapping) else given


class Node(Record):
    """Where roads meet, begin or end.

    Without turns of its own an approach is shared out by the lanes of the exits, and nobody turns back to where they came from unless
    there is no other way. A node without approaches lets vehicles in, one without exits lets them out as `end` says.
    """

    id: Id
    x_m: float = 0.0
    y_m: float = 0.0
    kind: Literal["fifo", "lanes"] = "fifo"
    turns: tuple[Turn, ...] = ()
    priority: Annotated[tuple[tuple[Id, Priority], ...], BeforeValidator(_pairs)] = ()
    """What approaches are worth where they compete for room, as a mapping or as pairs; an approach not named is worth its lanes."""
    memory: Share = 1.0
    """How much of their marker drivers keep beyond the node."""
    end: Literal["free", "capped", "wall"] = "free"
    cap_veh_per_h: NotNegative | None = None
    """What a capped end lets pass, all lanes and classes together."""
    signal: Signal | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.end == "capped") != (self.cap_veh_per_h is not None):
            remedy = "give it" if self.end == "capped" else "take it out, or make the end capped"
            raise Invalid("cap_veh_per_h", f"is {self.cap_veh_per_h}, but the end is {self.end}", remedy)
        if len(dict(self.priority)) < len(self.priority):
            raise Invalid("priority", "names a road twice", "name each approach once")
        seen: set[tuple[str, str, VehicleClass | None]] = set()
        for at, turn in enumerate(self.turns):
            movement = (turn.approach, turn.exit, turn.vehicle)
            if movement in seen:
                raise Invalid(f"turns[{at}]", f"gives {turn.approach!r} to {turn.exit!r} a second time", "give each movement once a class")
            seen.add(movement)
        return self


class Network(Record):
    """Roads and nodes that belong together. The order of `roads` is the order of everything that is counted by road."""

    name: str
    roads: Annotated[tuple[Road, ...], Field(min_length=1)]
    nodes: Annotated[tuple[Node, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()
    """What had to be guessed when the network was read."""

    @model_validator(mode="after")
    def _drivable(self) -> Self:
        _require_unique("roads", [road.id for road in self.roads])
        _require_unique("nodes", [node.id for node in self.nodes])
        self._require_nodes()
        self._require_lengths()
        self._require_connection()
        for at, node in enumerate(self.nodes):
            here = f"nodes[{at}]"
            self._require_end(here, node)
            self._require_turns(here, node)
            self._require_approaches(here, node)
        return self

    @cached_property
    def road_index(self) -> Mapping[str, int]:
        """The place of each road in `roads`, by its id."""
        return {road.id: at for at, road in enumerate(self.roads)}

    @cached_property
    def node_index(self) -> Mapping[str, int]:
        """The place of each node in `nodes`, by its id."""
        return {node.id: at for at, node in enumerate(self.nodes)}

    def road(self, road_id: str) -> Road:
        return self.roads[self.road_index[road_id]]

    def node(self, node_id: str) -> Node:
        return self.nodes[self.node_index[node_id]]

    def approaches(self, node_id: str) -> tuple[Road, ...]:
        """The roads that end at the node, in the order of `roads`."""
        return self._approaches.get(node_id, ())

    def exits(self, node_id: str) -> tuple[Road, ...]:
        """The roads that start at the node, in the order of `roads`."""
        return self._exits.get(node_id, ())

    @cached_property
    def entries(self) -> tuple[Road, ...]:
        """The roads by which vehicles come: nothing leads to where they start."""
        return tuple(road for road in self.roads if not self.approaches(road.start))

    @cached_property
    def outlets(self) -> tuple[Road, ...]:
        """The roads by which vehicles go: nothing leads on from where they end."""
        return tuple(road for road in self.roads if not self.exits(road.end))

    def turning(self, node: Node | str, classes: Sequence[VehicleClass] = CLASSES) -> tuple[tuple[tuple[float, ...], ...], ...]:
        """Gives share[class][approach][exit], in the orders of `classes`, `approaches` and `exits`; each row adds up to 1."""
        place = node if isinstance(node, Node) else self.node(node)
        exits = self.exits(place.id)
        if not exits:
            return tuple(tuple(() for _ in self.approaches(place.id)) for _ in classes)
        given: dict[tuple[str, VehicleClass | None], dict[str, float]] = {}
        for turn in place.turns:
            given.setdefault((turn.approach, turn.vehicle), {})[turn.exit] = turn.share

        def row(approach: Road, vehicle: VehicleClass) -> tuple[float, ...]:
            shares = given.get((approach.id, vehicle)) or given.get((approach.id, None)) or _by_lanes(approach, exits)
            total = sum(shares.values())
            return tuple(shares.get(way.id, 0.0) / total for way in exits)

        return tuple(tuple(row(approach, vehicle) for approach in self.approaches(place.id)) for vehicle in classes)

    def priorities(self, node: Node | str) -> tuple[float, ...]:
        """What each approach is worth, in the order of `approaches`."""
        place = node if isinstance(node, Node) else self.node(node)
        given = dict(place.priority)
        return tuple(given.get(road.id, float(road.lanes)) for road in self.approaches(place.id))

    @cached_property
    def _approaches(self) -> Mapping[str, tuple[Road, ...]]:
        return _grouped([(road.end, road) for road in self.roads])

    @cached_property
    def _exits(self) -> Mapping[str, tuple[Road, ...]]:
        return _grouped([(road.start, road) for road in self.roads])

    def _require_nodes(self) -> None:
        for at, road in enumerate(self.roads):
            for end in ("start", "end"):
                node = getattr(road, end)
                if node not in self.node_index:
                    raise Invalid(
                        f"roads[{at}].{end}", f"is {node!r}, which is no node", f"add a node of this id, or mend road {road.id!r}"
                    )

    def _require_lengths(self) -> None:
        longest = max(road.length_m for road in self.roads)
        if longest < SHORTEST_NETWORK_M:
            problem = f"are all shorter than {SHORTEST_NETWORK_M:g} m, which looks like kilometres"
            raise Invalid("roads[*].length_m", problem, f"give metres: {longest * 1000:g} instead of {longest:g}?")

    def _require_connection(self) -> None:
        """Refuses a node without roads, and roads that cannot be reached from the first one even against the traffic."""
        for at, node in enumerate(self.nodes):
            if not self.approaches(node.id) and not self.exits(node.id):
                raise Invalid(f"nodes[{at}]", f"({node.id!r}) has no road", "connect it, or take it out")
        reached = {self.roads[0].start}
        ahead = [self.roads[0].start]
        while ahead:
            node_id = ahead.pop()
            beside = [road.end for road in self.exits(node_id)] + [road.start for road in self.approaches(node_id)]
            for other in beside:
                if other not in reached:
                    reached.add(other)
                    ahead.append(other)
        for at, road in enumerate(self.roads):
            if road.start not in reached:
                problem = f"({road.id!r}) is not connected with roads[0] ({self.roads[0].id!r})"
                raise Invalid(f"roads[{at}]", problem, "connect the parts, or make each a network of its own")

    def _require_end(self, here: str, node: Node) -> None:
        if node.end != "free" and self.exits(node.id):
            first = self.exits(node.id)[0].id
            raise Invalid(
                f"{here}.end", f"is {node.end}, but road {first!r} leads on from {node.id!r}", "leave it out: only a last node has one"
            )

    def _require_turns(self, here: str, node: Node) -> None:
        if not node.turns:
            return
        approaches = {road.id for road in self.approaches(node.id)}
        exits = {road.id for road in self.exits(node.id)}
        totals: dict[tuple[str, VehicleClass | None], float] = {}
        for at, turn in enumerate(node.turns):
            path = f"{here}.turns[{at}]"
            if turn.approach not in approaches:
                raise Invalid(f"{path}.approach", f"is {turn.approach!r}, which does not end at node {node.id!r}", _among(approaches))
            if turn.exit not in exits:
                raise Invalid(f"{path}.exit", f"is {turn.exit!r}, which does not start at node {node.id!r}", _among(exits))
            totals[turn.approach, turn.vehicle] = totals.get((turn.approach, turn.vehicle), 0.0) + turn.share
        for (approach, vehicle), total in totals.items():
            if abs(total - 1) > SUM_TOLERANCE:
                problem = f"of road {approach!r} for {vehicle or 'every class'} add up to {total:g} at node {node.id!r}"
                raise Invalid(f"{here}.turns", problem, "make the shares of each approach add up to 1")

    def _require_approaches(self, here: str, node: Node) -> None:
        approaches = {road.id for road in self.approaches(node.id)}
        for at, (road, _) in enumerate(node.priority):
            if road not in approaches:
                raise Invalid(f"{here}.priority[{at}]", f"is of {road!r}, which does not end at node {node.id!r}", _among(approaches))
        if node.signal is None:
            return
        named = [(f"phases[{p}].green[{g}]", road) for p, phase in enumerate(node.signal.phases) for g, road in enumerate(phase.green)]
        named += [(f"conflicts[{c}]", road) for c, pair in enumerate(node.signal.conflicts) for road in pair]
        for path, road in named:
            if road not in approaches:
                raise Invalid(f"{here}.signal.{path}", f"is {road!r}, which does not end at node {node.id!r}", _among(approaches))


def _require_unique(path: str, ids: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for at, each in enumerate(ids):
        if each in seen:
            raise Invalid(f"{path}[{at}].id", f"is {each!r}, as {path}[{seen[each]}].id already is", "give every one an id of its own")
        seen[each] = at


def _grouped(pairs: Sequence[tuple[str, Road]]) -> Mapping[str, tuple[Road, ...]]:
    groups: dict[str, list[Road]] = {}
    for node_id, road in pairs:
        groups.setdefault(node_id, []).append(road)
    return {node_id: tuple(roads) for node_id, roads in groups.items()}


def _by_lanes(approach: Road, exits: Sequence[Road]) -> dict[str, float]:
    onward = [road for road in exits if road.end != approach.start] or exits
    return {road.id: float(road.lanes) for road in onward}


def _among(ids: set[str]) -> str:
    return f"choose among {', '.join(sorted(ids)[:8])}" if ids else "take it out: there is none"

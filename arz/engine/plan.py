"""A scenario as flat arrays of reaches, cells and nodes: the last file that knows records.

A *reach* is a chain of roads between two places where something happens; what is between two such roads is a point like any other, so
the scheme passes it at full order, and a road shorter than a cell shares one with its neighbour.
"""

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.errors import Invalid
from arz.laws.boundary.registry import code_of as end_code
from arz.laws.equilibrium.registry import code_of as equilibrium_code
from arz.laws.junctions.registry import code_of as junction_code
from arz.laws.pressure.base import Closure
from arz.laws.pressure.registry import CLOSURES
from arz.laws.pressure.registry import code_of as closure_code
from arz.memory import installed
from arz.world.actuators.ramp_meter import RampMeter
from arz.world.actuators.speed_limit import SpeedLimit
from arz.world.network import Network, Node, Road, Signal
from arz.world.physics import Numbers
from arz.world.scenario import Scenario

Array = NDArray[Any]

SHORTEST_CELL = 0.5
"""The least length of a cell, as a part of what the scheme asks for: a lone short road would shorten everybody's time step."""
_CELL = 200
"""Bytes that a cell takes at the least, in the plan and in the state of one world."""


@dataclass(frozen=True)
class Reaches:
    """Arrays [reach] of the chains of roads; `numbers` is [reach, class, field of `Numbers`]."""

    first_cell: Array
    cells: Array
    dx: Array
    lanes: Array
    closed: Array
    """A ring: it goes on with its own beginning."""
    numbers: Array
    section: Array
    """The variable speed limit that holds there, or −1."""
    roads: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Pieces:
    """Which metres of which cell belong to which road: arrays [piece], in the order of the roads and along them."""

    road: Array
    cell: Array
    metres: Array
    """As they are computed: where a short road is computed longer than it is, they are more than lie between from_m and to_m."""
    from_m: Array
    to_m: Array
    first: Array
    """The first piece of each road; one more at the end."""


@dataclass(frozen=True)
class Crossing:
    """A node with approaches and exits: reaches in the order of its ratios [class, approach, exit]."""

    node: str
    junction: int
    approaches: tuple[int, ...]
    exits: tuple[int, ...]
    ratio: Array
    priority: Array
    memory: float
    lights: tuple[int, ...]
    """For each approach its place among the plan's lights, or −1."""
    meters: tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """The beginning of a road where vehicles come in."""

    road: int
    reach: int


@dataclass(frozen=True)
class Sink:
    """The end of a road where vehicles leave, or a wall."""

    road: int
    reach: int
    end: int
    cap: float
    light: int
    meter: int


@dataclass(frozen=True)
class Lights:
    """One signal: which of the plan's lights (first, first + 1, …) are on in each phase, bool[phase, light], and how phases follow."""

    node: str
    signal: Signal
    first: int
    green: Array


@dataclass(frozen=True)
class Timetable:
    """The fixed plans of all signals as arrays [signal, phase], [signal], [light] and [window]; phases that a signal has not begin never."""

    phases: Array
    """How many each signal has."""
    starts: Array
    """When a phase begins in a cycle that begins at 0, s."""
    lengths: Array
    """How long it is green."""
    cycle: Array
    offset: Array
    lost: Array
    """How long everything is red between two phases, amber included; a signal of one phase never changes."""
    signal: Array
    """The signal of each light."""
    green: Array
    """bool[light, phase]."""
    always: Array
    """bool[light]: green in all phases."""
    light: Array
    """The light of each green window of a cycle, and when it opens and how long it is open. Lights that are always green have none."""
    opens: Array
    open_s: Array


@dataclass(frozen=True)
class Plan:
    """Everything about a scenario that time does not change."""

    closure: int
    equilibrium: int
    built_in: bool
    order: int
    classes: tuple[str, ...]
    roads: tuple[str, ...]
    road_length: Array
    """As it is computed; see `Pieces.metres`."""
    road_lanes: Array
    road_limit: Array
    """[road, class], m/s: what delay is counted against."""
    reaches: Reaches
    pieces: Pieces
    crossings: tuple[Crossing, ...]
    sources: tuple[Source, ...]
    sinks: tuple[Sink, ...]
    lights: tuple[Lights, ...]
    meters: tuple[RampMeter, ...]
    limits: tuple[SpeedLimit, ...]
    courant: float
    notes: tuple[str, ...]

    @property
    def cells(self) -> int:
        return int(self.reaches.cells.sum())

    @property
    def coupled(self) -> bool:
        return len(self.classes) > 1

    @property
    def light_count(self) -> int:
        return sum(lights.green.shape[1] for lights in self.lights)

    @cached_property
    def timetable(self) -> Timetable:
        return _timetable(self.lights)

    @cached_property
    def cell_places(self) -> tuple[Array, Array, Array]:
        """The road that each cell begins on, where on it, and how long the cell is."""
        road, start, pieces = np.full(self.cells, -1), np.zeros(self.cells), self.pieces
        # Of several roads that share a cell the last one written stays: the one that holds most of it, and begins last if there are two.
        order = np.lexsort((pieces.cell, pieces.from_m, pieces.metres))
        road[pieces.cell[order]], start[pieces.cell[order]] = pieces.road[order], pieces.from_m[order]
        return road, start, np.repeat(self.reaches.dx, self.reaches.cells)


def make_plan(scenario: Scenario) -> Plan:
    """Lays a scenario out; equal networks, physics, schemes and actuators give equal plans."""
    network, classes = scenario.network, scenario.physics.classes
    meters = tuple(each for each in scenario.actuators if isinstance(each, RampMeter))
    limits = tuple(each for each in scenario.actuators if isinstance(each, SpeedLimit))
    section = np.full(len(network.roads), -1)
    for number, limit in enumerate(limits):
        section[[network.road_index[road] for road in limit.roads]] = number
    metered = {network.road_index[meter.road]: number for number, meter in enumerate(meters)}
    known: dict[tuple[float, str], tuple[Numbers, ...]] = {}
    numbers = _with_room([_numbers(scenario, road, known) for road in network.roads], CLOSURES[closure_code(scenario.physics.closure)])
    chains = _chains(network, numbers, section, metered)
    reaches, notes = _reaches(network, chains, numbers, section, metered, scenario.scheme.cell_m)
    reach_of = {road: at for at, chain in enumerate(chains) for road in chain}
    stretches = _stretches(network, chains, reaches)
    lights, light_of = _lights(network)
    crossings, sinks = [], []
    ends = {chain[-1] for at, chain in enumerate(chains) if not reaches.closed[at]}
    begins = {chain[0] for at, chain in enumerate(chains) if not reaches.closed[at]}
    for node in network.nodes:
        ways_in = [network.road_index[road.id] for road in network.approaches(node.id)]
        ways_out = [network.road_index[road.id] for road in network.exits(node.id)]
        if ways_in and ways_out and ways_in[0] in ends:
            crossings.append(_crossing(network, node, ways_in, ways_out, classes, reach_of, light_of, metered))
        elif not ways_out:
            cap = math.inf if node.cap_veh_per_h is None else node.cap_veh_per_h / 3600
            sinks += [
                Sink(road, reach_of[road], end_code(node.end), cap, light_of.get(road, -1), metered.get(road, -1)) for road in ways_in
            ]
    sources = [Source(road, reach_of[road]) for road in (network.road_index[road.id] for road in network.entries) if road in begins]
    physics = scenario.physics
    return Plan(
        closure=closure_code(physics.closure),
        equilibrium=equilibrium_code(physics.equilibrium),
        built_in=CLOSURES[closure_code(physics.closure)].built_in_equilibrium,
        order=scenario.scheme.order,
        classes=tuple(classes),
        roads=tuple(road.id for road in network.roads),
        road_length=np.array([road.length_m for road in network.roads]) * stretches[[reach_of[road] for road in range(len(network.roads))]],
        road_lanes=np.array([float(road.lanes) for road in network.roads]),
        road_limit=np.array([[n.limit for n in each] for each in numbers]),
        reaches=reaches,
        pieces=_pieces(network, chains, reaches, stretches),
        crossings=tuple(crossings),
        sources=tuple(sources),
        sinks=tuple(sorted(sinks, key=lambda sink: sink.road)),
        lights=lights,
        meters=meters,
        limits=limits,
        courant=scenario.scheme.courant,
        notes=(*network.notes, *notes),
    )


def _numbers(scenario: Scenario, road: Road, known: dict[tuple[float, str], tuple[Numbers, ...]]) -> tuple[Numbers, ...]:
    kind = (road.limit_kmh, road.quality)
    if kind not in known:
        known[kind] = scenario.physics.numbers(road.limit_kmh, road.quality)
    return known[kind]


def _with_room(numbers: Sequence[tuple[Numbers, ...]], closure: Closure) -> list[tuple[Numbers, ...]]:
    """The constants of all roads, with the ceilings that they have among each other.

    Under an additive closure who comes from a faster road stands closer than who drives here, and is as sound; so are motorcycles who
    creep in between cars that stand, which they feel less than the cars feel them.
    """
    fastest = [max(n.limit for n in kinds) for kinds in zip(*numbers, strict=True)]
    eager = [max(closure.target(n.limit, n.creep, n.jam, n.scale, n.jam, n.shape) for n in kinds) for kinds in zip(*numbers, strict=True)]

    def stands(each: tuple[Numbers, ...], markers: Sequence[float]) -> list[float]:
        return [closure.occupancy(w, 0.0, n.scale, n.jam, n.shape) for n, w in zip(each, markers, strict=True)]

    def room(each: tuple[Numbers, ...]) -> float:
        closest = stands(each, eager)
        between = closest[0] + (1 - each[0].other) * closest[1] if len(each) > 1 else 0.0
        return max(2 * max(stands(each, fastest)), between)

    if closure.built_in_equilibrium:
        return list(numbers)
    known = {each: tuple(n._replace(ceiling=max(n.ceiling, room(each))) for n in each) for each in set(numbers)}
    return [known[each] for each in numbers]


def _chains(network: Network, numbers: Sequence[tuple[Numbers, ...]], section: Array, metered: dict[int, int]) -> list[list[int]]:
    """Roads that follow each other without a crossing, a light, a meter or a change of what holds; each road is in one chain."""
    after: dict[int, int] = {}
    for node in network.nodes:
        ways_in, ways_out = network.approaches(node.id), network.exits(node.id)
        if len(ways_in) != 1 or len(ways_out) != 1 or node.signal is not None or node.memory != 1:
            continue
        one, other = network.road_index[ways_in[0].id], network.road_index[ways_out[0].id]
        alike = numbers[one] == numbers[other] and ways_in[0].lanes == ways_out[0].lanes and section[one] == section[other]
        turns_back = ways_out[0].end == ways_in[0].start and one != other and len(network.nodes) > 2  # noqa: PLR2004 - a ring of two roads is no dead end
        if alike and one not in metered and not turns_back:
            after[one] = other
    before = {other: one for one, other in after.items()}
    chains, seen = [], set()
    # First the chains that begin somewhere, then the rings.
    for road in [r for r in range(len(network.roads)) if r not in before] + list(range(len(network.roads))):
        chain = []
        at: int | None = road
        while at is not None and at not in seen:
            seen.add(at)
            chain.append(at)
            at = after.get(at)
        if chain:
            chains.append(chain)
    return chains


def _require_room(lengths: Sequence[float], cell_m: float) -> None:
    """Refuses, before anything is taken, cells so small that the plan of one world has no room in the memory of this machine."""
    cells = sum(lengths) / cell_m
    if cells * _CELL > installed():
        raise Invalid("scheme.cell_m", f"is {cell_m:g} m, which makes {cells:,.0f} cells", "give longer cells, in metres")


def _reaches(
    network: Network,
    chains: Sequence[Sequence[int]],
    numbers: Sequence[tuple[Numbers, ...]],
    section: Array,
    metered: Container[int],
    cell_m: float,
) -> tuple[Reaches, list[str]]:
    lengths = [sum(network.roads[road].length_m for road in chain) for chain in chains]
    _require_room(lengths, cell_m)
    cells = np.array([max(1, round(length / cell_m)) for length in lengths])
    dx = np.array(lengths) / cells
    notes = []
    short = dx < SHORTEST_CELL * cell_m
    if short.any():
        added = (SHORTEST_CELL * cell_m - dx[short]).sum()
        names = ", ".join(network.roads[chains[at][0]].id for at in np.flatnonzero(short)[:3])
        notes.append(
            f"{short.sum()} roads between crossings are shorter than half a cell ({names}, …): computed {added:.0f} m longer in all"
        )
        dx = np.maximum(dx, SHORTEST_CELL * cell_m)
    closed = np.array([chain[-1] not in metered and _is_ring(network, chain) for chain in chains])
    firsts = [chain[0] for chain in chains]
    return (
        Reaches(
            first_cell=np.concatenate([[0], np.cumsum(cells)[:-1]]),
            cells=cells,
            dx=dx,
            lanes=np.array([float(network.roads[road].lanes) for road in firsts]),
            closed=closed,
            numbers=np.array([numbers[road] for road in firsts]),
            section=section[firsts],
            roads=tuple(tuple(chain) for chain in chains),
        ),
        notes,
    )


def _is_ring(network: Network, chain: Sequence[int]) -> bool:
    """Whether the chain's end is its own beginning, with nothing there (or the chain would have been begun there)."""
    last, first = network.roads[chain[-1]], network.roads[chain[0]]
    node = network.node(last.end)
    plain = node.signal is None and node.memory == 1 and len(network.approaches(node.id)) == len(network.exits(node.id)) == 1
    return last.end == first.start and plain and _same(network, chain)


def _same(network: Network, chain: Sequence[int]) -> bool:
    kinds = {(network.roads[road].lanes, network.roads[road].limit_kmh, network.roads[road].quality) for road in chain}
    return len(kinds) == 1


def _pieces(network: Network, chains: Sequence[Sequence[int]], reaches: Reaches, stretches: Array) -> Pieces:
    chain, begin, end = (np.zeros(len(network.roads), kind) for kind in (np.int64, float, float))
    for at, roads in enumerate(chains):
        here = 0.0
        for road in roads:
            chain[road], begin[road] = at, here
            here += network.roads[road].length_m
            end[road] = here
    stretch, dx, count = stretches[chain], reaches.dx[chain], reaches.cells[chain]
    low = np.minimum((begin * stretch / dx + 1e-9).astype(np.int64), count - 1)
    high = np.minimum(np.maximum(np.ceil(end * stretch / dx - 1e-9).astype(np.int64), low + 1), count)
    of_road = np.repeat(np.arange(len(chain)), high - low)
    first = np.concatenate([[0], np.cumsum(high - low)])
    cell = np.arange(len(of_road)) - first[of_road] + low[of_road]
    stretch, dx, begin, end = stretch[of_road], dx[of_road], begin[of_road], end[of_road]
    left = np.maximum(cell * dx / stretch, begin)
    right = np.maximum(np.where(cell < high[of_road] - 1, np.minimum((cell + 1) * dx / stretch, end), end), left)
    return Pieces(
        road=of_road,
        cell=reaches.first_cell[chain[of_road]] + cell,
        metres=(right - left) * stretch,
        from_m=left - begin,
        to_m=right - begin,
        first=first,
    )


def _stretches(network: Network, chains: Sequence[Sequence[int]], reaches: Reaches) -> Array:
    """[reach]: how many times longer than it is a chain is computed; more than 1 where a lone short road has a cell of its own."""
    stretch: Array = reaches.dx * reaches.cells / [sum(network.roads[road].length_m for road in chain) for chain in chains]
    return np.where(stretch > 1 + 1e-9, stretch, 1.0)


def _lights(network: Network) -> tuple[tuple[Lights, ...], dict[int, int]]:
    """The signals in the order of the nodes, and the place of each approach's light among all lights."""
    signals: list[Lights] = []
    light_of: dict[int, int] = {}
    for node in network.nodes:
        if node.signal is None:
            continue
        first = len(light_of)
        approaches = network.approaches(node.id)
        for road in approaches:
            light_of[network.road_index[road.id]] = len(light_of)
        green = np.array([[road.id in phase.green for road in approaches] for phase in node.signal.phases])
        signals.append(Lights(node.id, node.signal, first, green))
    return tuple(signals), light_of


def _timetable(signals: Sequence[Lights]) -> Timetable:
    most = max((len(lights.signal.phases) for lights in signals), default=0)
    starts, lengths = np.full((len(signals), most), math.inf), np.zeros((len(signals), most))
    lost = np.zeros(len(signals))
    green = np.zeros((sum(lights.green.shape[1] for lights in signals), most), bool)
    windows: list[tuple[int, float, float]] = []
    for number, lights in enumerate(signals):
        phases, count = lights.signal.phases, len(lights.signal.phases)
        lost[number] = lights.signal.amber_s + lights.signal.all_red_s if count > 1 else 0.0
        lengths[number, :count] = [phase.duration_s for phase in phases]
        starts[number, :count] = np.concatenate([[0.0], np.cumsum(lengths[number, :count] + lost[number])[:-1]])
        for light in range(lights.green.shape[1]):
            on = lights.green[:, light]
            green[lights.first + light, :count] = on
            # Green in phases that follow each other is one window, the changes between them included.
            for at in np.flatnonzero(on & ~np.roll(on, 1)).tolist():
                length, p = 0.0, at
                while on[p % count]:
                    length += phases[p % count].duration_s + (lost[number] if on[(p + 1) % count] else 0.0)
                    p += 1
                windows.append((lights.first + light, lights.signal.offset_s + starts[number, at], length))
    counts = [lights.green.shape[1] for lights in signals]
    return Timetable(
        phases=np.array([len(lights.signal.phases) for lights in signals], np.int64),
        starts=starts,
        lengths=lengths,
        cycle=np.array([lights.signal.cycle_s for lights in signals]),
        offset=np.array([lights.signal.offset_s for lights in signals]),
        lost=lost,
        signal=np.repeat(np.arange(len(signals)), counts),
        green=green,
        always=np.array([bool(on) for lights in signals for on in np.atleast_1d(lights.green.all(axis=0))], bool),
        light=np.array([window[0] for window in windows], np.int64),
        opens=np.array([window[1] for window in windows]),
        open_s=np.array([window[2] for window in windows]),
    )


def _crossing(
    network: Network,
    node: Node,
    ways_in: Sequence[int],
    ways_out: Sequence[int],
    classes: Sequence[Any],
    reach_of: dict[int, int],
    light_of: dict[int, int],
    metered: dict[int, int],
) -> Crossing:
    return Crossing(
        node=node.id,
        junction=junction_code(node.kind),
        approaches=tuple(reach_of[road] for road in ways_in),
        exits=tuple(reach_of[road] for road in ways_out),
        ratio=np.array(network.turning(node, classes)),
        priority=np.array(network.priorities(node)),
        memory=node.memory,
        lights=tuple(light_of.get(road, -1) for road in ways_in),
        meters=tuple(metered.get(road, -1) for road in ways_in),
    )

"""A twin of a network on Victoria Island, Lagos: made up from the statistics of the real one, which is not ours to ship.

70 roads of 12.4 km between 60 nodes. A main road of two carriageways, the primary roads, crosses an avenue of two carriageways at four
signalised nodes; beyond the crossing both send some traffic to a two-way street, which links them. All that is drawn by chance are lengths.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

from arz.world.demand import Demand, Inflow
from arz.world.network import Network, Node, Phase, Road, Signal, Turn
from arz.world.physics import Physics
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind

Point = tuple[float, float]

LENGTHS_SEED, ORDER_SEED = 118687, 1259
"""Chosen once, so that the sample has the total, the median and the spread of the real network, and fits the plan below."""
LOG_LENGTH = NormalDist(5.126, 0.702)
LONGEST_M = 665.0
STUB_M = (9.0, 12.0)
LIMIT_KMH = 50.0
HALF_GAP_M = 5.0
"""Half the distance between the carriageways."""
ARC_POINTS = 6


@dataclass(frozen=True, slots=True)
class Chain:
    """Roads in a row, one way or, `both`, two ways; the nodes between them are made for it. One of them may be a stub."""

    name: str
    start: str
    end: str
    roads: int
    stub: int | None = None
    highway: str = "secondary"
    both: bool = False

    def road_id(self, at: int) -> str:
        return f"{self.name}_{at % self.roads}"

    def back_id(self, at: int) -> str:
        return f"{self.name}_back_{at % self.roads}"

    def node_id(self, at: int) -> str:
        return {0: self.start, self.roads: self.end}.get(at, f"{self.name}:{at}")


STUBS = (
    Chain("cross_west", "nw", "sw", 1, 0),
    Chain("cross_south", "sw", "se", 1, 0, "primary"),
    Chain("cross_east", "se", "ne", 1, 0),
    Chain("cross_north", "ne", "nw", 1, 0, "primary"),
)
"""The four sides of the crossing: traffic keeps to the right and goes round it with the clock's hands turned back."""
ARMS = (
    Chain("main_from_west", "west_in", "sw", 7, 6, "primary"),
    Chain("main_to_west", "nw", "west_out", 6, None, "primary"),
    Chain("main_eastward", "se", "east_fork", 3, None, "primary"),
    Chain("main_to_east", "east_fork", "east_out", 6, None, "primary"),
    Chain("main_from_east", "east_in", "east_merge", 6, None, "primary"),
    Chain("main_westward", "east_merge", "ne", 3, None, "primary"),
    Chain("avenue_from_north", "north_in", "nw", 3, 2),
    Chain("avenue_to_north", "ne", "north_out", 3, 0),
    Chain("avenue_southward", "sw", "south_fork", 2, 0),
    Chain("avenue_to_south", "south_fork", "south_out", 2),
    Chain("avenue_from_south", "south_in", "south_merge", 3, 2),
    Chain("avenue_northward", "south_merge", "se", 2, 1),
)
SLIPS = (
    Chain("slip_from_avenue", "south_fork", "market", 2, 0),
    Chain("slip_to_avenue", "market", "south_merge", 1),
    Chain("slip_from_main", "east_fork", "creek", 2, 0),
    Chain("slip_to_main", "creek", "east_merge", 1),
)
STREETS = (
    Chain("market_street", "market", "square", 3, None, "tertiary", both=True),
    Chain("creek_street", "square", "creek", 3, None, "tertiary", both=True),
    Chain("quay", "square", "quay_end", 1, None, "tertiary", both=True),
)
CHAINS = STUBS + ARMS + SLIPS + STREETS

SHARES = (
    # At the crossing: who comes from outside turns right or goes on; who is on it leaves or goes on to turn left.
    ("avenue_from_north", "main_to_west", 0.25, "cross_west", 0.75),
    ("cross_north", "main_to_west", 0.75, "cross_west", 0.25),
    ("main_from_west", "avenue_southward", 0.2, "cross_south", 0.8),
    ("cross_west", "avenue_southward", 0.75, "cross_south", 0.25),
    ("avenue_northward", "main_eastward", 0.25, "cross_east", 0.75),
    ("cross_south", "main_eastward", 0.75, "cross_east", 0.25),
    ("main_westward", "avenue_to_north", 0.2, "cross_north", 0.8),
    ("cross_east", "avenue_to_north", 0.75, "cross_north", 0.25),
    ("main_eastward", "main_to_east", 0.8, "slip_from_main", 0.2),
    ("avenue_southward", "avenue_to_south", 0.7, "slip_from_avenue", 0.3),
    # Where a slip meets the street, a few turn round to the road that they came from.
    ("slip_from_avenue", "market_street", 0.9, "slip_to_avenue", 0.1),
    ("slip_from_main", "creek_street_back", 0.9, "slip_to_main", 0.1),
    ("market_street", "creek_street", 0.9, "quay", 0.1),
    ("creek_street_back", "market_street_back", 0.9, "quay", 0.1),
)
"""Of the last road of a chain, to the first roads of two others; all other turns have no choice, or none that matters."""

ARRIVALS = (
    ("main_from_west", 1100.0, 900.0),
    ("main_from_east", 1000.0, 800.0),
    ("avenue_from_north", 450.0, 400.0),
    ("avenue_from_south", 350.0, 350.0),
)
"""Cars and motorcycles an hour at demand 1."""


def make(physics: Physics, *, demand: float = 1.0, noise: float = 0.1) -> Scenario:
    """`demand` multiplies all arrivals, `noise` is how much they vary from minute to minute."""
    rates = [(f"{chain}_0", {"car": cars, "motorcycle": motorcycles}) for chain, cars, motorcycles in ARRIVALS]
    inflows = [Inflow(road=road, vehicle=vehicle, profile=((0.0, rate[vehicle]),)) for road, rate in rates for vehicle in physics.classes]
    return Scenario(
        name="victoria_island",
        network=network(),
        physics=physics,
        demand=Demand(inflows=tuple(inflows), scale=demand, noise=noise),
    )


def network() -> Network:
    """The network, the same at every call."""
    lengths = _lengths()
    lines = _lines(lengths)
    roads = [road for chain in CHAINS for road in _roads(chain, lengths[chain.name], lines[chain.name])]
    places = {chain.node_id(at): line[0] for chain in CHAINS for at, line in enumerate([*lines[chain.name], [lines[chain.name][-1][-1]]])}
    nodes = [_node(node, x, y) for node, (x, y) in places.items()]
    return Network(name="Victoria Island (twin)", roads=tuple(roads), nodes=tuple(nodes))


def _node(node: str, x: float, y: float) -> Node:
    """Crossings with lights have a lane for each direction: under one queue for all, a few who turn left would lock the ten metres inside."""
    signal = _signal(node)
    return Node(id=node, x_m=x, y_m=y, kind="fifo" if signal is None else "lanes", turns=tuple(_turns(node)), signal=signal)


def _lengths() -> dict[str, list[float]]:
    """The length of every road of every chain; both directions of a street are equally long."""
    draw = Random(LENGTHS_SEED)
    streets = sum(chain.roads for chain in CHAINS if chain.both)
    stubs = sum(chain.stub is not None for chain in CHAINS)
    highest = LOG_LENGTH.cdf(math.log(LONGEST_M))
    drawn = [math.exp(LOG_LENGTH.inv_cdf(highest * (1e-12 + draw.random()))) for _ in range(sum(chain.roads for chain in CHAINS) - stubs)]
    short = [STUB_M[0] + (STUB_M[1] - STUB_M[0]) * draw.random() for _ in range(stubs)]
    # Of Random, only random() is promised to give the same numbers in every version of Python.
    order = Random(ORDER_SEED)
    two_way = sorted(drawn[:streets], key=lambda _: order.random())
    one_way = sorted(drawn[streets:], key=lambda _: order.random())
    return {
        chain.name: [short.pop() if at == chain.stub else (two_way if chain.both else one_way).pop() for at in range(chain.roads)]
        for chain in CHAINS
    }


def _lines(lengths: dict[str, list[float]]) -> dict[str, list[list[Point]]]:
    """For each chain, the points of each of its roads: arms are straight, slips and streets bend to be as long as they are."""
    total = {name: sum(parts) for name, parts in lengths.items()}
    at: dict[str, Point] = {
        "nw": (-HALF_GAP_M, HALF_GAP_M),
        "ne": (HALF_GAP_M, HALF_GAP_M),
        "sw": (-HALF_GAP_M, -HALF_GAP_M),
        "se": (HALF_GAP_M, -HALF_GAP_M),
    }
    headings = {"west": 176.0, "east": -5.0, "north": 96.0, "south": -82.0}

    def along(start: str, side: str, distance: float) -> Point:
        turn = math.radians(headings[side])
        return at[start][0] + distance * math.cos(turn), at[start][1] + distance * math.sin(turn)

    for known, side, other, chain in (
        ("sw", "west", "west_in", "main_from_west"),
        ("nw", "west", "west_out", "main_to_west"),
        ("se", "east", "east_fork", "main_eastward"),
        ("ne", "east", "east_merge", "main_westward"),
        ("east_fork", "east", "east_out", "main_to_east"),
        ("east_merge", "east", "east_in", "main_from_east"),
        ("nw", "north", "north_in", "avenue_from_north"),
        ("ne", "north", "north_out", "avenue_to_north"),
        ("sw", "south", "south_fork", "avenue_southward"),
        ("se", "south", "south_merge", "avenue_northward"),
        ("south_fork", "south", "south_out", "avenue_to_south"),
        ("south_merge", "south", "south_in", "avenue_from_south"),
    ):
        at[other] = along(known, side, total[chain])
    at["market"] = _between(at["south_fork"], at["south_merge"], total["slip_from_avenue"], total["slip_to_avenue"], -8.0)
    at["creek"] = _between(at["east_fork"], at["east_merge"], total["slip_from_main"], total["slip_to_main"], -100.0)
    street = _arc(at["market"], at["creek"], [*lengths["market_street"], *lengths["creek_street"]])
    at["square"] = street[2][-1]
    at["quay_end"] = at["square"][0] + 0.3 * total["quay"], at["square"][1] - 0.95 * total["quay"]

    lines = {chain.name: _arc(at[chain.start], at[chain.end], lengths[chain.name]) for chain in CHAINS}
    return lines | {"market_street": street[:3], "creek_street": street[3:]}


def _between(first: Point, second: Point, reach: float, other_reach: float, heading: float) -> Point:
    """A point towards `heading` (degrees) that both can reach by a road that bends a little."""
    middle = (first[0] + second[0]) / 2, (first[1] + second[1]) / 2
    distance = 0.95 * min(reach, other_reach) - math.dist(first, second) / 2
    return middle[0] + distance * math.cos(math.radians(heading)), middle[1] + distance * math.sin(math.radians(heading))


def _arc(start: Point, end: Point, parts: Sequence[float]) -> list[list[Point]]:
    """Parts of one arc from start to end, to the right, as long together as `parts` are; a straight line where that is the longest."""
    chord, total = math.dist(start, end), sum(parts)
    half = _half_angle(chord / total)
    toward = math.atan2(end[1] - start[1], end[0] - start[0])

    def point(distance: float) -> Point:
        # The chord from the start to a point of the arc turns evenly with the way.
        angle = half * distance / total
        reach = chord * distance / total if half == 0 else chord * math.sin(angle) / math.sin(half)
        return start[0] + reach * math.cos(toward - half + angle), start[1] + reach * math.sin(toward - half + angle)

    lines: list[list[Point]] = []
    before = 0.0
    for part in parts:
        steps = ARC_POINTS if half > 0 else 1
        lines.append([point(before + part * step / steps) for step in range(steps + 1)])
        before += part
    return lines


def _half_angle(ratio: float) -> float:
    """Half the angle of the arc whose chord is this share of its length: sin(x)/x = ratio, by bisection."""
    if ratio > 1 - 1e-3:
        return 0.0
    low, high = 0.0, math.pi
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.sin(middle) > ratio * middle else (low, middle)
    return low


def _roads(chain: Chain, lengths: Sequence[float], lines: Sequence[Sequence[Point]]) -> Iterator[Road]:
    for at, length in enumerate(lengths):
        there = Road(
            id=chain.road_id(at),
            start=chain.node_id(at),
            end=chain.node_id(at + 1),
            length_m=length,
            lanes=3 if chain.highway == "primary" else 2,
            limit_kmh=LIMIT_KMH,
            quality="R2",
            highway=chain.highway,
            name=chain.name.replace("_", " "),
            geometry=tuple(lines[at]) if len(lines[at]) > 2 else (),  # noqa: PLR2004 - a straight line needs no points
        )
        yield there
        if chain.both:
            back = {"id": chain.back_id(at), "start": there.end, "end": there.start, "geometry": there.geometry[::-1]}
            yield there.model_copy(update=back)


def _turns(node: str) -> Iterator[Turn]:
    for approach, first, first_share, second, second_share in SHARES:
        if _last(approach)[1] == node:
            for way, share in ((first, first_share), (second, second_share)):
                yield Turn(approach=_last(approach)[0], exit=_first(way), share=share)


def _last(way: str) -> tuple[str, str]:
    """The last road of a chain, or of its way back, and the node where that ends."""
    chain, back = _chain(way)
    return (chain.back_id(0), chain.start) if back else (chain.road_id(-1), chain.end)


def _first(way: str) -> str:
    chain, back = _chain(way)
    return chain.back_id(-1) if back else chain.road_id(0)


def _chain(way: str) -> tuple[Chain, bool]:
    back = way.endswith("_back")
    return next(chain for chain in CHAINS if chain.name == way.removesuffix("_back")), back


GREENS = {
    "nw": ("avenue_from_north", "cross_north"),
    "se": ("avenue_northward", "cross_south"),
    "ne": ("cross_east", "main_westward"),
    "sw": ("cross_west", "main_from_west"),
    "south_merge": ("avenue_from_south", "slip_to_avenue"),
    "east_merge": ("main_from_east", "slip_to_main"),
    "market": ("slip_from_avenue", "market_street_back"),
    "creek": ("slip_from_main", "creek_street"),
}
"""The signalised nodes: who is green first, and who then. At the crossing the avenue comes first, everywhere at once."""


def _signal(node: str) -> Signal | None:
    if node not in GREENS:
        return None
    first, second = (_last(way)[0] for way in GREENS[node])
    crossing = node in {chain.start for chain in STUBS}
    durations = (25.0, 40.0) if crossing else (40.0, 15.0)
    return Signal(
        phases=(Phase(green=(first,), duration_s=durations[0]), Phase(green=(second,), duration_s=durations[1])),
        conflicts=((first, second),),
    )


VICTORIA_ISLAND = Kind("victoria_island", "a twin of 70 roads on Victoria Island, Lagos, with 8 signalised nodes", make)

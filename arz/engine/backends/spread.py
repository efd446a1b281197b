"""How a GPU likes a batch of worlds: a thread for each segment of a reach in each world, and tables that all worlds share.

A row of numbers has a *place* for each cell. Over the *grid* the worlds stand side by side, [row][place][world], so that neighbouring
threads read neighbouring numbers; a world in a *block* of its own stands by itself, [world][row][place], and the cells of neighbouring
segments side by side. Where a reach is cut changes no result.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arz.engine.backends.packing import CROSSING, SINK, nodes_alike
from arz.engine.plan import Plan
from arz.world.physics import Numbers

Array = NDArray[Any]

OWN, OTHER, SCALE, JAM, SHAPE, LOW, HIGH, LIMIT, CREEP, LEFT, CEILING, RATIO = range(12)
"""Rows of the numbers of a reach; LOW and HIGH are those of a world, RATIO is dt/dx, LEFT what relaxation leaves in a step."""
NUMBERS = 12
KIND, LAW, APPROACHES, EXITS, NUMBER = range(5)
"""Columns of the shape of a node."""
STATE_ROWS, SUM_ROWS = 2, 3
"""Rows a class: rho and y; spent, distance and what rounding left of rho."""
LENGTHS = (1, 2, 4, 8, 16)
"""Cells of a segment that are tried over the grid."""
BLOCK_LENGTHS = (2, 4, 6, 8, 10, 12, 16, 24, 32, 48, 64)
ENOUGH = 1 << 17
"""Threads that keep a large GPU busy: segments are as long as leaves so many."""
BLOCK_BYTES = 48 << 10
"""Shared memory that every GPU gives a block unasked."""
BLOCK_THREADS = 256
"""As many as have the 255 registers each that a kernel may take."""
WARP = 32


class Segments(NamedTuple):
    """Pieces of reaches, a thread's work each; arrays [segment]."""

    first: Array
    """int: the place of its first cell."""
    cells: Array
    reach: Array
    told: Array
    """int[segment, (in, out)]: 1 where a node says what passes the end, 0 where the road goes on."""
    ghosts: Array
    """int[segment, 4]: the places of two cells before it and two behind; at an end of the road its last cell once more."""


class Roads(NamedTuple):
    """What holds on the reaches."""

    numbers: Array
    """[reach, NUMBERS, class]."""
    span: Array
    """[(low, high), class, world]: the range of the markers."""
    limit: Array
    """[section, class, world]: the speed that the signs of a section show."""
    section: Array
    """int[reach]: of variable speed limits, or −1."""
    lanes: Array
    ends: Array
    """int[reach, (first, last)]: the places of its outer cells."""


class Ways(NamedTuple):
    """The nodes and what meets there; tables are as wide as the node with the most approaches, or exits."""

    shape: Array
    """int[node, (KIND, LAW, APPROACHES, EXITS, NUMBER)]."""
    ways_in: Array
    """int[node, approach]: reaches; so is ways_out[node, exit]."""
    ways_out: Array
    lights: Array
    """int[node, approach]; approaches without a light have the last one, which is always green."""
    meters: Array
    ratio: Array
    """[node, class, approach, exit, 1]."""
    priority: Array
    """[node, approach, 1]."""
    lanes_out: Array
    """[node, exit, 1]."""
    exits: Array
    """[node, (own, scale, jam, shape), class, exit, 1]."""
    last: Array
    """[node]: how much drivers remember; at the end of the network its cap."""


class Pieces(NamedTuple):
    """Which metres of which cells are those of a road."""

    first: Array
    """int[road + 1]: the first piece of each road."""
    place: Array
    reach: Array
    metres: Array
    """float64, times the lanes of the road."""


@dataclass(frozen=True)
class Spread:
    """Where everything is, and the tables that time does not change."""

    blocks: bool
    """Each world in a block of its own; else all over the grid."""
    places: int
    jump: int
    """From a cell's place to that of the next cell of its segment."""
    place: Array
    """[cell]."""
    segments: Segments
    weight: Array
    """float64[segment]: the length of a cell times the lanes of the road."""
    ways: Ways
    pieces: Pieces
    sources: Array
    """int[source]: reaches; so is sinks[sink]."""
    sinks: Array
    section: Array
    lanes: Array
    ends: Array

    @property
    def threads(self) -> int:
        """Of a block that has a world."""
        return -(-len(self.segments.first) // WARP) * WARP

    def shared_numbers(self, classes: int) -> int:
        """How many numbers a block shares: state, sums and gates."""
        return (STATE_ROWS + SUM_ROWS) * classes * self.places + len(self.ends) * 4 * classes


def spread(plan: Plan, worlds: int, kind: Any, blocks: bool | None = None) -> Spread:
    """Lays a batch out. Unless told, a world has a block of its own where it fits: then a whole interval is one launch."""
    size = np.dtype(kind).itemsize
    if blocks is not False:
        made = _laid_out(plan, _block_length(plan), kind, blocks=True)
        fits = made.shared_numbers(len(plan.classes)) * size <= BLOCK_BYTES and made.threads <= BLOCK_THREADS
        if fits or blocks:
            return made
    return _laid_out(plan, _grid_length(plan, worlds), kind, blocks=False)


def _grid_length(plan: Plan, worlds: int) -> int:
    long = [length for length in LENGTHS if _parts(plan, length).sum() * worlds >= ENOUGH]
    return max(long, default=LENGTHS[0])


def _block_length(plan: Plan) -> int:
    """The length with the fewest rows to compute, those of idle threads and of ghosts among them."""

    def rows(length: int) -> int:
        parts = _parts(plan, length)
        longest = int((-(-plan.reaches.cells // parts)).max())
        return int(-(-parts.sum() // WARP)) * (longest + 2 * plan.order)

    return min(BLOCK_LENGTHS, key=rows)


def _parts(plan: Plan, length: int) -> Array:
    parts: Array = -(-plan.reaches.cells // length)
    return parts


def _laid_out(plan: Plan, length: int, kind: Any, *, blocks: bool) -> Spread:
    reaches = plan.reaches
    parts = _parts(plan, length)
    reach = np.repeat(np.arange(len(parts)), parts)
    number = np.arange(len(reach)) - np.repeat(np.cumsum(parts) - parts, parts)
    begin = number * reaches.cells[reach] // parts[reach]
    count = (number + 1) * reaches.cells[reach] // parts[reach] - begin
    if blocks:
        # Neighbouring threads have equally long segments, so that few of them wait for another.
        order = np.argsort(-count, kind="stable")
        reach, begin, count = reach[order], begin[order], count[order]
    total = len(reach)
    which = np.repeat(np.arange(total), count)
    within = np.arange(plan.cells) - np.repeat(np.cumsum(count) - count, count)
    cell = reaches.first_cell[reach][which] + begin[which] + within
    place = np.zeros(plan.cells, np.int64)
    place[cell] = within * total + which if blocks else cell
    first_cell = reaches.first_cell
    return Spread(
        blocks=blocks,
        places=int(count.max()) * total if blocks else plan.cells,
        jump=total if blocks else 1,
        place=place,
        segments=_segments(plan, place, reach, begin, count),
        weight=(reaches.dx * reaches.lanes)[reach],
        ways=_ways(plan, kind),
        pieces=_pieces(plan, place),
        sources=_whole([source.reach for source in plan.sources]),
        sinks=_whole([sink.reach for sink in plan.sinks]),
        section=_whole(reaches.section),
        lanes=reaches.lanes.astype(kind),
        ends=_whole(np.stack([place[first_cell], place[first_cell + reaches.cells - 1]], axis=1)),
    )


def _whole(values: Any) -> Array:
    return np.ascontiguousarray(values, np.int32)


def _segments(plan: Plan, place: Array, reach: Array, begin: Array, count: Array) -> Segments:
    cells, closed, first = plan.reaches.cells[reach], plan.reaches.closed[reach], plan.reaches.first_cell[reach]
    away = np.stack([begin - 2, begin - 1, begin + count, begin + count + 1], axis=1)
    around, held = away % cells[:, None], np.clip(away, 0, cells[:, None] - 1)
    told = np.stack([~closed & (begin == 0), ~closed & (begin + count == cells)], axis=1)
    return Segments(
        first=_whole(place[first + begin]),
        cells=_whole(count),
        reach=_whole(reach),
        told=_whole(told),
        ghosts=_whole(place[first[:, None] + np.where(closed[:, None], around, held)]),
    )


def _pieces(plan: Plan, place: Array) -> Pieces:
    pieces = plan.pieces
    reach_of = np.repeat(np.arange(len(plan.reaches.cells)), plan.reaches.cells)
    return Pieces(
        first=_whole(pieces.first),
        place=_whole(place[pieces.cell]),
        reach=_whole(reach_of[pieces.cell]),
        metres=pieces.metres * plan.road_lanes[pieces.road],
    )


def _ways(plan: Plan, kind: Any) -> Ways:
    """Nodes of one shape stand together, so that threads beside each other do the same."""
    found = sorted(nodes_alike(plan), key=lambda each: (each.kind != CROSSING, each.ways_in.shape[1] + each.ways_out.shape[1]))
    count = sum(len(each.number) for each in found)
    most_in = max((each.ways_in.shape[1] for each in found), default=1)
    most_out = max((each.ways_out.shape[1] for each in found if each.kind != SINK), default=1)
    classes = len(plan.classes)
    shape = np.zeros((count, 5), np.int32)
    ways_in, lights, meters = (np.full((count, most_in), -1, np.int32) for _ in range(3))
    ways_out = np.full((count, most_out), -1, np.int32)
    ratio = np.zeros((count, classes, most_in, most_out, 1), kind)
    priority = np.ones((count, most_in, 1), kind)
    lanes_out = np.ones((count, most_out, 1), kind)
    exits = np.ones((count, 4, classes, most_out, 1), kind)
    last = np.zeros(count, kind)
    at = 0
    for each in found:
        n, m, span = each.ways_in.shape[1], each.ways_out.shape[1], slice(at, at + len(each.number))
        shape[span, :NUMBER] = each.kind, each.law, n, m
        shape[span, NUMBER] = each.number
        ways_in[span, :n], ways_out[span, :m] = each.ways_in, each.ways_out
        lights[span, :n] = np.where(each.lights < 0, plan.light_count, each.lights)
        meters[span, :n] = each.meters
        ratio[span, :, :n, :m, 0] = each.ratio
        priority[span, :n, 0] = each.priority
        lanes_out[span, :m, 0] = plan.reaches.lanes[each.ways_out]
        for row, column in enumerate((OWN, SCALE, JAM, SHAPE)):
            exits[span, row, :, :m, 0] = plan.reaches.numbers[each.ways_out][..., column].swapaxes(1, 2)
        last[span] = each.last
        at = span.stop
    return Ways(shape, ways_in, ways_out, lights, meters, ratio, priority, lanes_out, exits, last)


def numbers_of(plan: Plan, kind: Any) -> Array:
    """[reach, NUMBERS, class], but for what depends on a world or on the length of a step."""
    table = np.zeros((len(plan.reaches.cells), NUMBERS, len(plan.classes)), kind)
    n = Numbers(*np.moveaxis(plan.reaches.numbers, -1, 0))
    table[:, OWN], table[:, OTHER], table[:, SCALE], table[:, JAM], table[:, SHAPE] = n.own, n.other, n.scale, n.jam, n.shape
    table[:, LIMIT], table[:, CREEP] = n.limit, n.creep
    table[:, CEILING] = n.ceiling * (1 + (1e-12 if np.dtype(kind) == np.float64 else 1e-5))
    return table

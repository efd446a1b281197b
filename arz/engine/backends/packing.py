"""How a CPU likes a batch of worlds: side by side in *lanes*, so that one instruction serves several.

A reach is cut into segments of nearly equal length, and a lane is one segment in one world; a *bundle* is WIDTH lanes, cell by cell, with
two ghost cells at each end. Nodes of one shape are bundled likewise. Where a reach is cut changes no result: ghosts hold what is beyond.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arz.engine.plan import Plan
from arz.laws.junctions.node import rows as scratch_rows
from arz.world.physics import Numbers

Array = NDArray[Any]

WIDTH = 32
"""Lanes of a bundle: long enough to hide the overhead of a loop, short enough that a bundle stays in the nearest cache."""
NODE_WIDTH = 32
NODE_LANES = (8, 16, 32)
"""Lanes that a node bundle has room for, and how many of them are computed, the fewest that hold its nodes: no loop along them is long."""
CROSSING, SOURCE, SINK = range(3)
SOURCE_ROWS, SINK_ROWS = 3, 2
"""Rows of `books` per class: of a source (waiting, entered, rest) and of a sink (left, rest)."""
SUM_ROWS, TAKEN = 4, 3
"""Rows of `sums` per class: vehicles, vehicle-metres a second, what rounding left of the last step, y that the limiter took."""
CLASS_ROWS = 11
"""Rows of numbers per class: own, other, scale, jam, shape, low, high, limit, creep, left, ceiling; one row dt/dx goes before all."""
LOW, HIGH, LIMIT, LEFT = 5, 6, 7, 9
SCRATCH_ROWS, PAD = 8, 16
"""Rows of scratch per class of a row of cells; and numbers behind them, so that neighbouring rows do not compete for the same cache lines."""
LENGTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512)
"""Segment lengths that are tried; the one with the fewest rows to compute is taken."""
UNBOUNDED = 1e30


class Block(NamedTuple):
    """The arrays of one block of worlds, as the kernels take them. Offsets count numbers, not bytes."""

    state: Array
    """Per bundle: [cell and ghosts][class: rho, y][lane]."""
    sums: Array
    """Per bundle: [cell][class: the SUM_ROWS][lane]."""
    tally: Array
    """Per bundle: [lane], how many cells were unsound."""
    numbers: Array
    """Per bundle: [1 + class·CLASS_ROWS][lane]."""
    gates: Array
    """Per bundle: [in, out][class: flux, flux of y][lane], per lane of the road."""
    scratch: Array
    rows: Array
    """Per node bundle: what is fixed of its nodes, their approaches and exits; see `_fixed`."""
    spare: Array
    """What is worked out at a bundle of nodes, one after the other; see `node_rows`."""
    cells: Array
    """Of each bundle: the cells of its longest and shortest segment, and its offsets in state and sums: int[bundle, 4]."""
    marks: Array
    """Per bundle: [in, out][lane], 1 where a node says what passes the end, 0 where the road goes on; [cells of the segment][lane]."""
    ghosts: Array
    """int[ghost, (from, to)]: offsets in state."""
    nodes: Array
    """int[node bundle, (kind, law, approaches, exits, offset in rows, offset in links, nodes, first world, lanes)]."""
    links: Array
    """Per node bundle, [slot] each: approaches' last cells, their gates, lights and meters; exits' first cells, their gates; the source
    or sink by number. A slot without a node repeats the first one."""
    books: Array
    """float64, [source][class: waiting, entered, rest][world], then [sink][class: left, rest][world]."""
    opens: Array
    """[light, world]; a last row, of approaches without a light, is always 1."""
    windows: Array
    rates: Array
    """[meter, world]."""
    times: Array
    arriving: Array
    pieces: Array
    """int[world]: the piece of the demand that holds."""
    arrived: Array
    """float64[source, class, world], vehicles that come in this step."""


class Roads(NamedTuple):
    """The pieces of the roads of one block, and what is counted of the roads, as the kernels take them."""

    piece_road: Array
    """int[piece]."""
    piece_at: Array
    """int[piece, (offset in state, in sums, in numbers)]."""
    piece_metres: Array
    """Times the lanes of the road."""
    counted: Array
    """float64[(spent, distance, inside, queue), road, class, world]."""


@dataclass(frozen=True)
class Segments:
    """Arrays [segment]: the reach, the first of its cells, how many."""

    reach: Array
    begin: Array
    count: Array


@dataclass(frozen=True)
class Packing:
    """Where everything is in a block."""

    worlds: int
    slots: int
    segments: Segments
    cell_at: Array
    """[cell]: the offset of its rho of the first class in the first world, in `state`."""
    sum_at: Array
    """[cell]: the same in `sums`."""
    numbers_at: Array
    """[cell]: the offset of the first of its numbers in the first world, in `numbers`."""
    bundle_slot: Array
    """int[segment, (bundle, slot)]."""
    gate_in: Array
    """int[reach]: the offset of its upstream gate in `gates`, and of its downstream one."""
    gate_out: Array


@dataclass(frozen=True)
class Alike:
    """Nodes of one kind, law and shape: arrays [node, …]."""

    kind: int
    law: int
    ways_in: Array
    """int[node, approach], reaches; so is ways_out[node, exit]."""
    ways_out: Array
    ratio: Array
    """[node, class, approach, exit]."""
    priority: Array
    last: Array
    """How much drivers remember; at the end of the network its cap."""
    lights: Array
    meters: Array
    number: Array
    """int[node]: of the source or sink."""


def node_rows(classes: int, n: int, m: int) -> tuple[int, int]:
    """How many rows a node bundle has, as `nodes.cross` takes them: what is fixed, with 7 numbers per class and way, and what is worked out."""
    fixed = classes * n * m + n + m + n + 7 * classes * n + 7 * classes * m + classes * m + 1
    worked = n + 2 * classes + 2 * classes * n + 2 * classes * m + classes * n * m + scratch_rows(classes, m)
    return fixed, worked


def cut(plan: Plan, slots: int) -> Segments:
    """Cuts the reaches so that bundles of so many slots have the fewest rows: short segments fill lanes, long ones spare ghosts."""
    best, fewest = Segments(*np.zeros((3, 0), int)), math.inf
    for length in LENGTHS:
        parts = -(-plan.reaches.cells // length)
        reach = np.repeat(np.arange(len(parts)), parts)
        number = np.arange(len(reach)) - np.repeat(np.cumsum(parts) - parts, parts)
        cells, cuts = plan.reaches.cells[reach], parts[reach]
        begin = number * cells // cuts
        count = (number + 1) * cells // cuts - begin
        order = np.argsort(-count, kind="stable")
        segments = Segments(reach[order], begin[order], count[order])
        rows = float((segments.count[::slots] + 3).sum())
        if rows < fewest:
            best, fewest = segments, rows
    return best


def pack(plan: Plan, low: Array, high: Array, kind: Any) -> tuple[Packing, Block]:
    """Lays out a block of worlds (a power of two up to WIDTH), with everything in it that time does not change.

    low and high [class, world] are the range of the markers.
    """
    worlds = low.shape[1]
    classes, slots = len(plan.classes), WIDTH // worlds
    segments = cut(plan, slots)
    count = len(segments.reach)
    bundles = -(-count // slots)
    place = np.stack([np.arange(count) // slots, np.arange(count) % slots], axis=1)
    longest = segments.count[::slots]
    filled = np.full(bundles * slots, 0)
    filled[:count] = segments.count
    shortest = filled.reshape(bundles, slots).min(axis=1)
    row, sum_row = 2 * classes * WIDTH, SUM_ROWS * classes * WIDTH
    state_at = np.concatenate([[0], np.cumsum((longest + 4) * row)])
    sums_at = np.concatenate([[0], np.cumsum(longest * sum_row)])
    reach_first = plan.reaches.first_cell[segments.reach]
    cell_at, sum_at = np.zeros(plan.cells, dtype=np.int64), np.zeros(plan.cells, dtype=np.int64)
    within = np.arange(segments.count.sum()) - np.repeat(np.cumsum(segments.count) - segments.count, segments.count)
    which = np.repeat(np.arange(count), segments.count)
    cell = reach_first[which] + segments.begin[which] + within
    cell_at[cell] = state_at[place[which, 0]] + (within + 2) * row + place[which, 1] * worlds
    sum_at[cell] = sums_at[place[which, 0]] + within * sum_row + place[which, 1] * worlds
    numbers_at = np.zeros(plan.cells, dtype=np.int64)
    numbers_at[cell] = place[which, 0] * (1 + classes * CLASS_ROWS) * WIDTH + place[which, 1] * worlds
    packing = Packing(worlds, slots, segments, cell_at, sum_at, numbers_at, place, *_gates(plan, segments, place, worlds))
    nodes, links, rows = _nodes(plan, packing, low, high, kind)
    block = Block(
        state=_aligned(int(state_at[-1]), kind),
        sums=_aligned(int(sums_at[-1]), kind),
        tally=_aligned(bundles * WIDTH, kind),
        numbers=_numbers(plan, packing, bundles, low, high, kind),
        gates=_aligned(bundles * 2 * row, kind),
        scratch=_aligned((int(longest.max()) + 4) * (SCRATCH_ROWS * classes * WIDTH + PAD), kind),
        rows=rows,
        spare=_aligned(max((node_rows(classes, n, m)[1] for n, m in nodes[:, 2:4].tolist()), default=1) * NODE_WIDTH, kind),
        cells=np.stack([longest, shortest, state_at[:-1], sums_at[:-1]], axis=1).astype(np.int64),
        marks=_marks(plan, packing, bundles, kind),
        ghosts=_ghosts(plan, packing),
        nodes=nodes,
        links=links,
        books=np.zeros(classes * worlds * (SOURCE_ROWS * len(plan.sources) + SINK_ROWS * len(plan.sinks))),
        opens=np.ones((plan.light_count + 1, worlds), kind),
        windows=np.zeros((plan.light_count, 1, 2, worlds)),
        rates=np.full((len(plan.meters), worlds), UNBOUNDED, kind),
        times=np.zeros((worlds, 1)),
        arriving=np.zeros((len(plan.sources), classes, 1, worlds)),
        pieces=np.zeros(worlds, np.int64),
        arrived=np.zeros((len(plan.sources), classes, worlds)),
    )
    return packing, block


def _aligned(count: int, kind: Any) -> Array:
    """Zeros that begin at a cache line."""
    size = np.dtype(kind).itemsize
    raw = np.zeros(count + 64 // size, kind)
    skip = (-raw.ctypes.data % 64) // size
    return raw[skip : skip + count]


def _spread(values: Array, packing: Packing, bundles: int, kind: Any) -> Array:
    """[segment, row] → [bundle, row, lane]; lanes without a segment take the numbers of the first one, so that nothing divides by 0."""
    filled = np.repeat(values[:1], bundles * packing.slots, axis=0)
    filled[: len(values)] = values
    return np.repeat(filled.reshape(bundles, packing.slots, -1).swapaxes(1, 2), packing.worlds, axis=2).astype(kind)


def _numbers(plan: Plan, packing: Packing, bundles: int, low: Array, high: Array, kind: Any) -> Array:
    classes = len(plan.classes)
    values = np.zeros((len(packing.segments.reach), 1 + classes * CLASS_ROWS))
    table = plan.reaches.numbers[packing.segments.reach]
    for k in range(classes):
        at = 1 + k * CLASS_ROWS
        n = Numbers(*np.moveaxis(table[:, k], -1, 0))
        for row, column in ((0, n.own), (1, n.other), (2, n.scale), (3, n.jam), (4, n.shape), (LIMIT, n.limit), (8, n.creep)):
            values[:, at + row] = column
        values[:, at + LEFT] = 1
        values[:, at + 10] = n.ceiling * (1 + (1e-12 if np.dtype(kind) == np.float64 else 1e-5))
    spread = _spread(values, packing, bundles, kind)
    for k in range(classes):
        at = 1 + k * CLASS_ROWS
        spread[:, at + LOW], spread[:, at + HIGH] = np.tile(low[k], packing.slots), np.tile(high[k], packing.slots)
    flat = _aligned(spread.size, kind)
    flat[:] = spread.ravel()
    return flat


def _marks(plan: Plan, packing: Packing, bundles: int, kind: Any) -> Array:
    segments = packing.segments
    open_ended = ~plan.reaches.closed[segments.reach]
    first = open_ended & (segments.begin == 0)
    last = open_ended & (segments.begin + segments.count == plan.reaches.cells[segments.reach])
    spread = _spread(np.stack([first, last, segments.count], axis=1).astype(float), packing, bundles, kind)
    spread.reshape(bundles, 3, packing.slots, -1)[:, 2].reshape(bundles * packing.slots, -1)[len(first) :] = 0
    flat = _aligned(spread.size, kind)
    flat[:] = spread.ravel()
    return flat


def _ghosts(plan: Plan, packing: Packing) -> Array:
    """Where each ghost takes its state from: the cells beyond, or at an end of the road its last cell once more."""
    segments = packing.segments
    row = 2 * len(plan.classes) * WIDTH
    table = np.zeros((len(segments.reach), 4, 2), np.int64)
    count, closed = plan.reaches.cells[segments.reach], plan.reaches.closed[segments.reach]
    first = plan.reaches.first_cell[segments.reach]
    home = packing.cell_at[first + segments.begin]
    for ghost, away in enumerate((-2, -1, 0, 1)):
        offset = away if away < 0 else segments.count + away
        cell = segments.begin + offset
        cell = np.where(closed, cell % count, np.clip(cell, 0, count - 1))
        table[:, ghost, 0] = packing.cell_at[first + cell]
        table[:, ghost, 1] = home + offset * row
    return table.reshape(-1, 2)


def _gates(plan: Plan, segments: Segments, place: Array, worlds: int) -> tuple[Array, Array]:
    row = 2 * len(plan.classes) * WIDTH
    at = place[:, 0] * 2 * row + place[:, 1] * worlds
    begins, ends = np.zeros(len(plan.reaches.cells), np.int64), np.zeros(len(plan.reaches.cells), np.int64)
    first = segments.begin == 0
    last = segments.begin + segments.count == plan.reaches.cells[segments.reach]
    begins[segments.reach[first]] = at[first]
    ends[segments.reach[last]] = at[last] + row
    return begins, ends


def nodes_alike(plan: Plan) -> list[Alike]:
    """All nodes, those of one shape and one law together."""
    found = []
    if plan.sources:
        found.append(_ends(plan, SOURCE, 0, list(range(len(plan.sources)))))
    laws = np.array([sink.end for sink in plan.sinks], np.int64)
    found += [_ends(plan, SINK, law, np.flatnonzero(laws == law).tolist()) for law in np.unique(laws).tolist()]
    shapes: dict[tuple[int, int, int], list[Any]] = {}
    for crossing in plan.crossings:
        shapes.setdefault((crossing.junction, len(crossing.approaches), len(crossing.exits)), []).append(crossing)
    for (law, _, _), members in sorted(shapes.items()):
        found.append(
            Alike(
                kind=CROSSING,
                law=law,
                ways_in=np.array([each.approaches for each in members]),
                ways_out=np.array([each.exits for each in members]),
                ratio=np.array([each.ratio for each in members]),
                priority=np.array([each.priority for each in members]),
                last=np.array([each.memory for each in members]),
                lights=np.array([each.lights for each in members]),
                meters=np.array([each.meters for each in members]),
                number=np.zeros(len(members), np.int64),
            )
        )
    return found


def _ends(plan: Plan, kind: int, law: int, numbers: list[int]) -> Alike:
    """Sources or sinks as nodes with one approach; a sink has no exit, and the approach of a source is its queue."""
    ends: list[Any] = [(plan.sources if kind == SOURCE else plan.sinks)[number] for number in numbers]
    reaches = np.array([[each.reach] for each in ends])
    one = np.ones((len(ends), 1))
    exits = int(kind == SOURCE)
    return Alike(
        kind=kind,
        law=law,
        ways_in=reaches,
        ways_out=reaches[:, :exits],
        ratio=np.ones((len(ends), len(plan.classes), 1, exits)),
        priority=one,
        last=one[:, 0] if kind == SOURCE else np.array([min(each.cap, UNBOUNDED) for each in ends]),
        lights=np.array([[-1 if kind == SOURCE else each.light] for each in ends]),
        meters=np.array([[-1 if kind == SOURCE else each.meter] for each in ends]),
        number=np.array(numbers),
    )


def _nodes(plan: Plan, packing: Packing, low: Array, high: Array, kind: Any) -> tuple[Array, Array, Array]:
    """The bundles of nodes: their table, their links, and what is fixed of them."""
    width = min(packing.worlds, NODE_WIDTH)
    chunks = packing.worlds // width
    # The world of each lane, for bundles that begin with different worlds.
    world = np.arange(chunks)[:, None] * width + np.arange(NODE_WIDTH) % width
    table, links, rows = [np.zeros((0, 9), np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, kind)]
    row_at = link_at = 0
    for alike in nodes_alike(plan):
        count, (n, m) = len(alike.number), (alike.ways_in.shape[1], alike.ways_out.shape[1])
        lanes = next((each for each in NODE_LANES if count * packing.worlds <= each), NODE_WIDTH)
        slots = lanes // width
        bundles = -(-count // slots)
        # A slot without a node repeats the first of its bundle.
        node = np.arange(bundles * slots).reshape(bundles, slots)
        node = np.where(node < count, node, node[:, :1])
        linked = _links(plan, packing, alike)[node].swapaxes(1, 2)
        fixed = _fixed(plan, alike, low[:, world], high[:, world], node, width)
        each = np.arange(bundles)
        entry = np.full((bundles, chunks, 9), lanes)
        entry[..., :4] = alike.kind, alike.law, n, m
        entry[..., 4] = row_at + (each[:, None] * chunks + np.arange(chunks)) * fixed.shape[2] * NODE_WIDTH
        entry[..., 5] = (link_at + each * linked.shape[1] * slots)[:, None]
        entry[..., 6] = np.minimum(count - each * slots, slots)[:, None]
        entry[..., 7] = np.arange(chunks) * width
        table.append(entry.reshape(-1, 9))
        links.append(linked.ravel())
        rows.append(fixed.astype(kind).ravel())
        row_at += rows[-1].size
        link_at += links[-1].size
    flat = _aligned(max(row_at, 1), kind)
    flat[:row_at] = np.concatenate(rows)
    return np.concatenate(table), np.concatenate(links), flat


def _fixed(plan: Plan, alike: Alike, low: Array, high: Array, node: Array, width: int) -> Array:
    """[bundle, chunk of worlds, row, lane]: ratio, priority, width out, width in, numbers in, numbers out, limit, memory or cap.

    low and high are [class, chunk, lane], node is [bundle, slot], and a slot has so many worlds.
    """
    lanes = plan.reaches.lanes
    count = len(alike.number)
    tables = []
    for ways in (alike.ways_in, alike.ways_out):
        # Seven rows each: own, other, scale, jam, shape, and the range of the markers.
        seven = np.zeros((count, 7, len(plan.classes), ways.shape[1]))
        seven[:, :5] = plan.reaches.numbers[ways][..., :5].transpose(0, 3, 2, 1)
        tables.append(seven)
    limit = plan.reaches.numbers[alike.ways_out][..., 5].swapaxes(1, 2)
    parts = (alike.ratio, alike.priority, lanes[alike.ways_out], lanes[alike.ways_in], *tables, limit, alike.last)
    flat = np.concatenate([part.reshape(count, -1) for part in parts], axis=1)
    # Lanes that are not computed have numbers too.
    slot = np.arange(NODE_WIDTH) // width % node.shape[1]
    spread = np.repeat(flat[node][:, slot].swapaxes(1, 2)[:, None], low.shape[1], axis=1)
    at = sum(part[0].size for part in parts[:4])
    for seven in tables:
        rows = spread[:, :, at : at + seven[0].size].reshape(*spread.shape[:2], *seven.shape[1:], NODE_WIDTH)
        rows[:, :, LOW], rows[:, :, HIGH] = low.swapaxes(0, 1)[:, :, None], high.swapaxes(0, 1)[:, :, None]
        spread[:, :, at : at + seven[0].size] = rows.reshape(*spread.shape[:2], -1, NODE_WIDTH)
        at += seven[0].size
    return spread


def _links(plan: Plan, packing: Packing, alike: Alike) -> Array:
    """[node, link]: last cells, gates, lights and meters of its approaches; first cells and gates of its exits; the source or sink."""
    first, cells = plan.reaches.first_cell, plan.reaches.cells
    return np.concatenate(
        [
            packing.cell_at[first[alike.ways_in] + cells[alike.ways_in] - 1],
            packing.gate_out[alike.ways_in],
            np.where(alike.lights < 0, plan.light_count, alike.lights),
            alike.meters,
            packing.cell_at[first[alike.ways_out]],
            packing.gate_in[alike.ways_out],
            alike.number[:, None],
        ],
        axis=1,
    )

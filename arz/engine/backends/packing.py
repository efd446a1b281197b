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
NODE_LANES = 128
"""Lanes of a node bundle, at most: nodes are few, and their loops many."""
CROSSING, SOURCE, SINK = range(3)
BOOK_ROWS = (0, 3, 2)
"""Rows of `books` per class: of a crossing, a source (waiting, entered, rest) and a sink (left, rest)."""
CLASS_ROWS = 11
"""Rows of numbers per class: own, other, scale, jam, shape, low, high, limit, creep, left, ceiling; one row dt/dx goes before all."""
LIMIT, LEFT = 7, 9
LENGTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512)
"""Segment lengths that are tried; the one with the fewest rows to compute is taken."""
UNBOUNDED = 1e30


class Block(NamedTuple):
    """The arrays of one block of worlds, as the kernels take them. Offsets count numbers, not bytes."""

    state: Array
    """Per bundle: [cell and ghosts][class: rho, y][lane]."""
    sums: Array
    """Per bundle: [cell][class: rho, flux, what rounding left of rho][lane]."""
    tally: Array
    """Per bundle: [class: y removed][lane], [faults][lane]."""
    numbers: Array
    """Per bundle: [1 + class·CLASS_ROWS][lane]."""
    gates: Array
    """Per bundle: [in, out][class: flux, flux of y][lane], per lane of the road."""
    scratch: Array
    rows: Array
    """Per node bundle: the numbers of its approaches and exits, and what is worked out; see `node_rows`."""
    cells: Array
    """Of each bundle: the cells of its longest and shortest segment, and its offsets in state and sums: int[bundle, 4]."""
    marks: Array
    """Per bundle: [in, out][lane], 1 where a node says what passes the end, 0 where the road goes on; [cells of the segment][lane]."""
    ghosts: Array
    """int[bundle, slot, ghost, (from, to)]."""
    nodes: Array
    """int[node bundle, (kind, law, approaches, exits, offset in rows, offset in links, offset in books, slots)]."""
    links: Array
    """Per node bundle, [slot] each: approaches' last cells, their gates, lights and meters; exits' first cells, their gates."""
    books: Array
    """float64, per source bundle [class: waiting, entered, rest][lane], per sink bundle [class: left, rest][lane]."""
    opens: Array
    """[light, world]."""
    windows: Array
    rates: Array
    """[meter, world]."""
    times: Array
    arriving: Array
    pieces: Array
    """int[world]: the piece of the demand that holds."""
    arrived: Array
    """float64[source, class, world], vehicles that come in this step."""


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
    sources: Array
    """int[source, (offset, stride)]: where its first row is in `books`, and how far the next; sinks likewise."""
    sinks: Array
    gate_in: Array
    """int[reach]: the offset of its upstream gate in `gates`, and of its downstream one."""
    gate_out: Array


def node_rows(classes: int, n: int, m: int) -> int:
    """How many rows a node bundle has: 7 numbers per class, approach and exit; the rest as `cpu.nodes` takes them."""
    fixed = classes * n * m + n + m + n + 7 * classes * n + 7 * classes * m + classes * m + 1
    worked = n + 2 * classes + 2 * classes * n + 2 * classes * m + classes * n * m + scratch_rows(classes, m)
    return fixed + worked


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


def pack(plan: Plan, worlds: int, kind: Any) -> tuple[Packing, Block]:
    """Lays out a block of so many worlds (a power of two up to WIDTH), with everything in it that time does not change."""
    classes, slots = len(plan.classes), WIDTH // worlds
    segments = cut(plan, slots)
    count = len(segments.reach)
    bundles = -(-count // slots)
    place = np.stack([np.arange(count) // slots, np.arange(count) % slots], axis=1)
    longest = segments.count[::slots]
    filled = np.full(bundles * slots, 0)
    filled[:count] = segments.count
    shortest = filled.reshape(bundles, slots).min(axis=1)
    row, sum_row = 2 * classes * WIDTH, 3 * classes * WIDTH
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
    packing = Packing(
        worlds, slots, segments, cell_at, sum_at, numbers_at, place, *_book_places(plan, worlds), *_gates(plan, segments, place, worlds)
    )
    nodes, links, rows, books = _nodes(plan, packing, kind)
    block = Block(
        state=_aligned(int(state_at[-1]), kind),
        sums=_aligned(int(sums_at[-1]), kind),
        tally=_aligned(bundles * (classes + 1) * WIDTH, kind),
        numbers=_numbers(plan, packing, bundles, kind),
        gates=_aligned(bundles * 2 * row, kind),
        scratch=_aligned((int(longest.max()) + 6) * (8 * classes * WIDTH + 16), kind),
        rows=rows,
        cells=np.stack([longest, shortest, state_at[:-1], sums_at[:-1]], axis=1).astype(np.int64),
        marks=_marks(plan, packing, bundles, kind),
        ghosts=_ghosts(plan, packing, bundles),
        nodes=nodes,
        links=links,
        books=books,
        opens=np.ones((plan.light_count, worlds), kind),
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


def _numbers(plan: Plan, packing: Packing, bundles: int, kind: Any) -> Array:
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


def _ghosts(plan: Plan, packing: Packing, bundles: int) -> Array:
    """Where each ghost takes its state from: the cells beyond, or at an end of the road its last cell once more."""
    segments = packing.segments
    row = 2 * len(plan.classes) * WIDTH
    table = np.zeros((bundles * packing.slots, 4, 2), np.int64)
    count, closed = plan.reaches.cells[segments.reach], plan.reaches.closed[segments.reach]
    first = plan.reaches.first_cell[segments.reach]
    home = packing.cell_at[first + segments.begin]
    for ghost, away in enumerate((-2, -1, 0, 1)):
        offset = away if away < 0 else segments.count + away
        cell = segments.begin + offset
        cell = np.where(closed, cell % count, np.clip(cell, 0, count - 1))
        table[: len(count), ghost, 0] = packing.cell_at[first + cell]
        table[: len(count), ghost, 1] = home + offset * row
    # A slot without a segment copies a ghost of the first one onto itself.
    table[len(count) :] = table[0, 0, 1]
    return table.reshape(bundles, packing.slots, 4, 2)


def _gates(plan: Plan, segments: Segments, place: Array, worlds: int) -> tuple[Array, Array]:
    row = 2 * len(plan.classes) * WIDTH
    at = place[:, 0] * 2 * row + place[:, 1] * worlds
    begins, ends = np.zeros(len(plan.reaches.cells), np.int64), np.zeros(len(plan.reaches.cells), np.int64)
    first = segments.begin == 0
    last = segments.begin + segments.count == plan.reaches.cells[segments.reach]
    begins[segments.reach[first]] = at[first]
    ends[segments.reach[last]] = at[last] + row
    return begins, ends


def _bundled(items: list[Any], slots: int) -> list[list[Any]]:
    return [items[at : at + slots] for at in range(0, len(items), slots)]


def _book_places(plan: Plan, worlds: int) -> tuple[Array, Array]:
    """Three rows a class for the sources, two for the sinks, bundle after bundle."""
    sources, sinks = np.zeros((len(plan.sources), 2), np.int64), np.zeros((len(plan.sinks), 2), np.int64)
    at = 0
    for kind, _, members in _node_bundles(plan, worlds):
        for slot, member in enumerate(members):
            if kind == SOURCE:
                sources[plan.sources.index(member)] = at + slot * worlds, len(members) * worlds
            elif kind == SINK:
                sinks[plan.sinks.index(member)] = at + slot * worlds, len(members) * worlds
        at += BOOK_ROWS[kind] * len(plan.classes) * len(members) * worlds
    return sources, sinks


def _node_bundles(plan: Plan, worlds: int) -> list[tuple[int, int, list[Any]]]:
    """(kind, law, members): nodes of one shape and one law together."""
    slots = NODE_LANES // worlds
    bundles = [(SOURCE, 0, members) for members in _bundled(list(plan.sources), slots)]
    for end in sorted({sink.end for sink in plan.sinks}):
        bundles += [(SINK, end, members) for members in _bundled([sink for sink in plan.sinks if sink.end == end], slots)]
    for shape in sorted({(c.junction, len(c.approaches), len(c.exits)) for c in plan.crossings}):
        alike = [c for c in plan.crossings if (c.junction, len(c.approaches), len(c.exits)) == shape]
        bundles += [(CROSSING, shape[0], members) for members in _bundled(alike, slots)]
    return bundles


def _nodes(plan: Plan, packing: Packing, kind: Any) -> tuple[Array, Array, Array, Array]:
    classes, worlds = len(plan.classes), packing.worlds
    table, links, rows = [], [], []
    books = row_at = link_at = 0
    for what, law, members in _node_bundles(plan, worlds):
        n = len(members[0].approaches) if what == CROSSING else 1
        m = len(members[0].exits) if what == CROSSING else int(what == SOURCE)
        lanes = len(members) * worlds
        numbers = np.stack([_node_numbers(plan, what, member, n, m) for member in members])
        fixed = np.repeat(numbers.T[:, :, None], worlds, axis=2).reshape(-1, lanes)
        total = node_rows(classes, n, m)
        rows.append(np.concatenate([fixed, np.zeros((total - len(fixed), lanes))]).ravel())
        links.append(np.stack([_node_links(plan, packing, what, member, n, m) for member in members]).T.ravel())
        table.append((what, law, n, m, row_at, link_at, books, len(members)))
        row_at += rows[-1].size
        link_at += links[-1].size
        books += BOOK_ROWS[what] * classes * lanes
    flat = _aligned(max(row_at, 1), kind)
    flat[:row_at] = np.concatenate(rows) if rows else 0
    return (
        np.array(table, np.int64).reshape(-1, 8),
        np.concatenate(links).astype(np.int64) if links else np.zeros(0, np.int64),
        flat,
        np.zeros(books),
    )


def _node_numbers(plan: Plan, what: int, member: Any, n: int, m: int) -> Array:
    """The fixed rows of one node: ratio, priority, width out, width in, numbers in, numbers out, limit, memory."""
    classes = len(plan.classes)
    ways_in = member.approaches if what == CROSSING else (member.reach,)
    ways_out = member.exits if what == CROSSING else (member.reach,) * m
    ratio = member.ratio if what == CROSSING else np.ones((classes, n, m))
    priority = member.priority if what == CROSSING else np.ones(n)
    numbers_in, numbers_out = plan.reaches.numbers[list(ways_in)], plan.reaches.numbers[list(ways_out)]
    # Seven rows each: own, other, scale, jam, shape, and the range of the markers, which a world fills in.
    seven_in = np.concatenate([numbers_in[..., :5], np.zeros((n, classes, 2))], axis=2)
    seven_out = np.concatenate([numbers_out[..., :5], np.zeros((m, classes, 2))], axis=2)
    return np.concatenate(
        [
            ratio.ravel(),
            priority,
            plan.reaches.lanes[list(ways_out)],
            plan.reaches.lanes[list(ways_in)],
            seven_in.transpose(2, 1, 0).ravel(),
            seven_out.transpose(2, 1, 0).ravel(),
            numbers_out[..., 5].T.ravel(),
            [member.memory if what == CROSSING else 1.0 if what == SOURCE else min(member.cap, UNBOUNDED)],
        ]
    )


def _node_links(plan: Plan, packing: Packing, what: int, member: Any, n: int, m: int) -> Array:
    """Offsets of one node: last cells, gates, lights and meters of its approaches; first cells and gates of its exits; the source."""
    ways_in = list(member.approaches) if what == CROSSING else [member.reach] * n
    ways_out = list(member.exits) if what == CROSSING else [member.reach] * m
    lights = member.lights if what == CROSSING else (member.light if what == SINK else -1,)
    meters = member.meters if what == CROSSING else (member.meter if what == SINK else -1,)
    first, cells = plan.reaches.first_cell, plan.reaches.cells
    last_cell = packing.cell_at[first[ways_in] + cells[ways_in] - 1]
    source = plan.sources.index(member) if what == SOURCE else 0
    first_cell = packing.cell_at[first[ways_out]]
    return np.array([*last_cell, *packing.gate_out[ways_in], *lights, *meters, *first_cell, *packing.gate_in[ways_out], source])

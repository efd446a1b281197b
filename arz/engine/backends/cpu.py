"""The CPU: worlds and segments side by side in lanes, several blocks of worlds at once in threads."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from arz.engine import bodies
from arz.engine.backends.base import Books, Counted, Orders, State
from arz.engine.backends.memory import access
from arz.engine.backends.packing import CLASS_ROWS, CROSSING, LEFT, LIMIT, SINK, SOURCE, WIDTH, Block, Packing, pack
from arz.engine.plan import Plan, Start
from arz.jit import compiled, device, like, named, ready
from arz.laws.boundary.registry import flux as end_flux
from arz.laws.junctions.base import WORK
from arz.laws.junctions.mixture import arriving, carried, mixed, remembered
from arz.laws.junctions.node import node
from arz.laws.reconstruct import face_ahead
from arz.laws.relaxation import decay
from arz.laws.state import marker, occupancy_of, present, sound

Array = NDArray[Any]
Law = TypeVar("Law", bound=Callable[..., object])

get_state, put_state = access("state")
get_scratch, put_scratch = access("scratch")
get_number, _ = access("numbers")
get_sum, put_sum = access("sums")
get_gate, put_gate = access("gates")
get_tally, put_tally = access("tally")
get_mark, _ = access("marks")

OWN, OTHER, SCALE, JAM, SHAPE, LOW, HIGH = range(7)
CREEP, CEILING = 8, 10
RHO, MARK, SPEED, FACE_RHO, FACE_MARK, FACE_SPEED, FLUX, FLUX_Y = range(8)
"""What scratch holds of a cell, a row per class each."""
PAD = 16  # so that rows of neighbouring cells do not compete for the same lines of the cache

inlined: Callable[[Law], Law] = numba.njit(inline="always", error_model="numpy")
"""For loops along a row: so that what their callers write as constants is constant within."""


@inlined
def at_row(k: int, row: int) -> int:
    """The place of a row of `numbers`."""
    return (1 + k * CLASS_ROWS + row) * WIDTH


@device
def fill_ghosts(block: Any, classes: int) -> None:
    """What is beyond the ends of every segment, from the state before the step."""
    state, ghosts = block.state, block.ghosts
    worlds = WIDTH // ghosts.shape[1]
    for b in range(ghosts.shape[0]):
        for slot in range(ghosts.shape[1]):
            for ghost in range(4):
                source, target = ghosts[b, slot, ghost, 0], ghosts[b, slot, ghost, 1]
                for row in range(2 * classes):
                    for x in range(worlds):
                        put_state(state, target + row * WIDTH + x, get_state(state, source + row * WIDTH + x))


@inlined
def read_row(block: Any, at: int, numbers: int, c: int, classes: int, closure: int) -> None:
    """Markers and speeds of a row of cells, ghosts included, into scratch."""
    cell = at + c * 2 * classes * WIDTH
    here = c * (8 * classes * WIDTH + PAD)
    for k in range(classes):
        for a in range(WIDTH):
            rho = get_state(block.state, cell + 2 * k * WIDTH + a)
            y = get_state(block.state, cell + (2 * k + 1) * WIDTH + a)
            beside = get_state(block.state, cell + 2 * (1 - k) * WIDTH + a) if classes > 1 else like(rho, 0)
            w, v = bodies.read_cell(
                closure,
                rho,
                y,
                beside,
                get_number(block.numbers, numbers + at_row(k, OWN) + a),
                get_number(block.numbers, numbers + at_row(k, OTHER) + a),
                get_number(block.numbers, numbers + at_row(k, SCALE) + a),
                get_number(block.numbers, numbers + at_row(k, JAM) + a),
                get_number(block.numbers, numbers + at_row(k, SHAPE) + a),
                get_number(block.numbers, numbers + at_row(k, LOW) + a),
                get_number(block.numbers, numbers + at_row(k, HIGH) + a),
            )
            put_scratch(block.scratch, here + (RHO * classes + k) * WIDTH + a, rho)
            put_scratch(block.scratch, here + (MARK * classes + k) * WIDTH + a, w)
            put_scratch(block.scratch, here + (SPEED * classes + k) * WIDTH + a, v)


@inlined
def reach_faces(block: Any, numbers: int, c: int, classes: int, closure: int, order: int) -> None:
    """The values of a row of cells at its faces, after half a step, into scratch; at first order those of the cell."""
    stride = 8 * classes * WIDTH + PAD
    here = c * stride
    scratch = block.scratch
    if order == 1:
        return
    for k in range(classes):
        for a in range(WIDTH):
            i = here + k * WIDTH + a
            rho, w, of_rho, of_w, of_v = bodies.half_way(
                get_scratch(scratch, i + RHO * classes * WIDTH),
                get_scratch(scratch, i + MARK * classes * WIDTH),
                get_scratch(scratch, i + SPEED * classes * WIDTH),
                get_scratch(scratch, i - stride + RHO * classes * WIDTH),
                get_scratch(scratch, i - stride + MARK * classes * WIDTH),
                get_scratch(scratch, i - stride + SPEED * classes * WIDTH),
                get_scratch(scratch, i + stride + RHO * classes * WIDTH),
                get_scratch(scratch, i + stride + MARK * classes * WIDTH),
                get_scratch(scratch, i + stride + SPEED * classes * WIDTH),
                get_number(block.numbers, numbers + a),
            )
            put_scratch(scratch, i + FACE_RHO * classes * WIDTH, rho)
            put_scratch(scratch, i + FACE_MARK * classes * WIDTH, w)
            put_scratch(scratch, i + FACE_SPEED * classes * WIDTH, of_v)
            put_scratch(scratch, i + FLUX * classes * WIDTH, of_rho)
            put_scratch(scratch, i + FLUX_Y * classes * WIDTH, of_w)
    for k in range(classes):
        for a in range(WIDTH):
            i = here + k * WIDTH + a
            rho = get_scratch(scratch, i + FACE_RHO * classes * WIDTH)
            beside = get_scratch(scratch, here + (FACE_RHO * classes + 1 - k) * WIDTH + a) if classes > 1 else like(rho, 0)
            w, v = bodies.at_faces(
                closure,
                rho,
                beside,
                get_scratch(scratch, i + FACE_MARK * classes * WIDTH),
                get_scratch(scratch, i + FLUX_Y * classes * WIDTH),
                get_scratch(scratch, i + FACE_SPEED * classes * WIDTH),
                get_number(block.numbers, numbers + at_row(k, OWN) + a),
                get_number(block.numbers, numbers + at_row(k, OTHER) + a),
                get_number(block.numbers, numbers + at_row(k, SCALE) + a),
                get_number(block.numbers, numbers + at_row(k, JAM) + a),
                get_number(block.numbers, numbers + at_row(k, SHAPE) + a),
            )
            put_scratch(scratch, i + FACE_MARK * classes * WIDTH, w)
            put_scratch(scratch, i + FACE_SPEED * classes * WIDTH, v)


@inlined
def pass_face(block: Any, numbers: int, gates: int, b: int, c: int, shortest: int, classes: int, closure: int, order: int) -> None:
    """The fluxes between the rows c − 1 and c, into scratch of c − 1; at an end of a road what its node has said."""
    stride = 8 * classes * WIDTH + PAD
    scratch = block.scratch
    face_rho = FACE_RHO if order > 1 else RHO
    face_mark = FACE_MARK if order > 1 else MARK
    face_speed = FACE_SPEED if order > 1 else SPEED
    for k in range(classes):
        for a in range(WIDTH):
            i = (c - 1) * stride + k * WIDTH + a
            rho = get_scratch(scratch, i + face_rho * classes * WIDTH)
            if order > 1:
                rho = face_ahead(rho, get_scratch(scratch, i + FLUX * classes * WIDTH))
            w = get_scratch(scratch, i + face_mark * classes * WIDTH)
            q, through = bodies.passing(
                closure,
                classes > 1,
                rho,
                w,
                get_scratch(scratch, i + SPEED * classes * WIDTH),
                get_scratch(scratch, i + stride + face_speed * classes * WIDTH),
                get_number(block.numbers, numbers + at_row(k, OWN) + a),
                get_number(block.numbers, numbers + at_row(k, SCALE) + a),
                get_number(block.numbers, numbers + at_row(k, JAM) + a),
                get_number(block.numbers, numbers + at_row(k, SHAPE) + a),
            )
            put_scratch(scratch, i + FLUX * classes * WIDTH, q)
            put_scratch(scratch, i + FLUX_Y * classes * WIDTH, q * w)
            if classes == 1:
                # The speed at the face behind has been used, so its place is free for what the limiter asks.
                put_scratch(scratch, i + FACE_SPEED * WIDTH, through)
    if c == 2:  # noqa: PLR2004 - the first cell, behind two ghosts
        for k in range(classes):
            for a in range(WIDTH):
                i = stride + k * WIDTH + a
                mark = get_mark(block.marks, 3 * b * WIDTH + a)
                told = mark > like(mark, 0)
                gate = gates + 2 * k * WIDTH + a
                q, of_y = get_gate(block.gates, gate), get_gate(block.gates, gate + WIDTH)
                put_scratch(scratch, i + FLUX * classes * WIDTH, q if told else get_scratch(scratch, i + FLUX * classes * WIDTH))
                put_scratch(scratch, i + FLUX_Y * classes * WIDTH, of_y if told else get_scratch(scratch, i + FLUX_Y * classes * WIDTH))
                if classes == 1:
                    # Beyond a node the limiter's neighbours are other roads: what a ghost repeats would hold back a queue that is let go.
                    through, high = get_scratch(scratch, i + FACE_SPEED * WIDTH), get_number(block.numbers, numbers + at_row(k, HIGH) + a)
                    put_scratch(scratch, i + FACE_SPEED * WIDTH, high if told else through)
    if c >= shortest + 2:
        for k in range(classes):
            for a in range(WIDTH):
                i = (c - 1) * stride + k * WIDTH + a
                mark = get_mark(block.marks, (3 * b + 1) * WIDTH + a)
                told = (mark > like(mark, 0)) & (get_mark(block.marks, (3 * b + 2) * WIDTH + a) == like(mark, c - 2))
                gate = gates + 2 * (classes + k) * WIDTH + a
                q, of_y = get_gate(block.gates, gate), get_gate(block.gates, gate + WIDTH)
                put_scratch(scratch, i + FLUX * classes * WIDTH, q if told else get_scratch(scratch, i + FLUX * classes * WIDTH))
                put_scratch(scratch, i + FLUX_Y * classes * WIDTH, of_y if told else get_scratch(scratch, i + FLUX_Y * classes * WIDTH))
                if classes == 1:
                    i += stride
                    speed, high = get_scratch(scratch, i + SPEED * WIDTH), get_number(block.numbers, numbers + at_row(k, HIGH) + a)
                    put_scratch(scratch, i + SPEED * WIDTH, high if told else speed)


@inlined
def settle_row(
    block: Any, at: int, sums_at: int, numbers: int, b: int, c: int, classes: int, closure: int, equilibrium: int, built_in: bool
) -> None:
    """The state of a row of cells after the step: balance, velocity limiter, relaxation; and what is counted."""
    stride = 8 * classes * WIDTH + PAD
    here = c * stride
    cell = at + c * 2 * classes * WIDTH
    counted = sums_at + (c - 2) * 3 * classes * WIDTH
    scratch, table = block.scratch, block.numbers
    tally = b * (classes + 1) * WIDTH
    for k in range(classes):
        for a in range(WIDTH):
            i = here + k * WIDTH + a
            ratio = get_number(table, numbers + a)
            flux = get_scratch(scratch, i + FLUX * classes * WIDTH)
            change = ratio * (flux - get_scratch(scratch, i - stride + FLUX * classes * WIDTH))
            j = counted + 3 * k * WIDTH + a
            rho, rest = bodies.balanced(get_scratch(scratch, i + RHO * classes * WIDTH), change, get_sum(block.sums, j + 2 * WIDTH))
            put_sum(block.sums, j + 2 * WIDTH, rest)
            before = get_state(block.state, cell + (2 * k + 1) * WIDTH + a)
            of_y = get_scratch(scratch, i + FLUX_Y * classes * WIDTH) - get_scratch(scratch, i - stride + FLUX_Y * classes * WIDTH)
            rho = present(rho)
            put_scratch(scratch, i + FACE_RHO * classes * WIDTH, rho)
            put_scratch(scratch, i + FACE_MARK * classes * WIDTH, before - ratio * of_y)
            put_sum(block.sums, j, get_sum(block.sums, j) + rho)
            put_sum(block.sums, j + WIDTH, get_sum(block.sums, j + WIDTH) + flux)
    for k in range(classes):
        for a in range(WIDTH):
            i = here + k * WIDTH + a
            rho = get_scratch(scratch, i + FACE_RHO * classes * WIDTH)
            y = get_scratch(scratch, i + FACE_MARK * classes * WIDTH)
            beside = get_scratch(scratch, here + (FACE_RHO * classes + 1 - k) * WIDTH + a) if classes > 1 else like(rho, 0)
            scale = get_number(table, numbers + at_row(k, SCALE) + a)
            jam = get_number(table, numbers + at_row(k, JAM) + a)
            shape = get_number(table, numbers + at_row(k, SHAPE) + a)
            r = occupancy_of(
                rho, beside, get_number(table, numbers + at_row(k, OWN) + a), get_number(table, numbers + at_row(k, OTHER) + a)
            )
            kept = bodies.kept(
                closure,
                classes > 1,
                y,
                rho,
                r,
                get_scratch(scratch, i - stride + FACE_SPEED * classes * WIDTH),
                get_scratch(scratch, i + SPEED * classes * WIDTH),
                get_scratch(scratch, i + stride + SPEED * classes * WIDTH),
                get_number(table, numbers + at_row(k, LOW) + a),
                get_number(table, numbers + at_row(k, HIGH) + a),
                scale,
                jam,
                shape,
            )
            # What is beyond the end of a lane's segment is nobody's state.
            zero, one = like(rho, 0), like(rho, 1)
            inside = like(rho, c - 2) < get_mark(block.marks, (3 * b + 2) * WIDTH + a)
            fault = zero if sound(rho, y, r, get_number(table, numbers + at_row(k, CEILING) + a)) else one
            j = tally + k * WIDTH + a
            put_tally(block.tally, j, get_tally(block.tally, j) + (y - kept if inside else zero))
            j = tally + classes * WIDTH + a
            put_tally(block.tally, j, get_tally(block.tally, j) + (fault if inside else zero))
            adapted = bodies.adapted(
                closure,
                equilibrium,
                built_in,
                kept,
                rho,
                r,
                get_number(table, numbers + at_row(k, LIMIT) + a),
                get_number(table, numbers + at_row(k, CREEP) + a),
                get_number(table, numbers + at_row(k, LEFT) + a),
                scale,
                jam,
                shape,
            )
            put_state(block.state, cell + 2 * k * WIDTH + a, rho)
            put_state(block.state, cell + (2 * k + 1) * WIDTH + a, adapted)


@device
def sweep(block: Any, b: int, classes: int, closure: int, equilibrium: int, built_in: bool, order: int) -> None:
    """One step of one bundle, from its first cell to its last: a row is read, reached, passed and settled while it is near."""
    longest, shortest, at, sums_at = block.cells[b, 0], block.cells[b, 1], block.cells[b, 2], block.cells[b, 3]
    numbers = b * (1 + classes * CLASS_ROWS) * WIDTH
    gates = b * 4 * classes * WIDTH
    for c in range(longest + 4):
        # Reading is ahead by one row, settling behind by one.
        read_row(block, at, numbers, c, classes, closure)
        if c > 1:
            reach_faces(block, numbers, c - 1, classes, closure, order)
        if c > 2:  # noqa: PLR2004
            pass_face(block, numbers, gates, b, c - 1, shortest, classes, closure, order)
        if c > 3:  # noqa: PLR2004
            settle_row(block, at, sums_at, numbers, b, c - 2, classes, closure, equilibrium, built_in)


@device
def turn_lights(block: Any, begin: float, dt: float) -> None:
    """opens[light, world]: which part of this step is green."""
    kind = block.opens
    for light in range(block.opens.shape[0]):
        for x in range(block.opens.shape[1]):
            seconds = 0.0
            for window in range(block.windows.shape[1]):
                seconds += bodies.lit(begin, begin + dt, block.windows[light, window, 0, x], block.windows[light, window, 1, x])
            kind[light, x] = bodies.openness(seconds, dt)


@device
def let_arrive(block: Any, begin: float, dt: float) -> None:
    """arrived[source, class, world]: the vehicles that come to the entries in this step."""
    sources, classes, _, worlds = block.arriving.shape
    last = block.times.shape[1] - 1
    for x in range(worlds):
        while block.pieces[x] < last and block.times[x, block.pieces[x] + 1] <= begin:
            block.pieces[x] += 1
        for e in range(sources):
            for k in range(classes):
                block.arrived[e, k, x] = 0.0
        piece, now = block.pieces[x], begin
        while now < begin + dt:
            until = begin + dt if piece == last else min(block.times[x, piece + 1], begin + dt)
            for e in range(sources):
                for k in range(classes):
                    block.arrived[e, k, x] += block.arriving[e, k, piece, x] * (until - now)
            now = until
            piece += 1


@device
def read_approaches(
    block: Any,
    here: Any,
    work: Any,
    demand: Any,
    marked: Any,
    opened: Any,
    numbers: Any,
    links: int,
    n: int,
    classes: int,
    closure: int,
    width: Any,
    slots: int,
) -> None:
    """demand[class, approach] and marker of a bundle's approaches, from the last cell of each; a red light sends exactly nothing."""
    worlds = block.times.shape[0]
    lanes = slots * worlds
    for i in range(n):
        for slot in range(slots):
            source = block.links[links + i * slots + slot]
            light = block.links[links + (2 * n + i) * slots + slot]
            for x in range(worlds):
                for row in range(2 * classes):
                    here[row, slot * worlds + x] = get_state(block.state, source + row * WIDTH + x)
                opened[i, slot * worlds + x] = block.opens[light, x] if light >= 0 else like(here[0, 0], 1)
        for k in range(classes):
            for a in range(lanes):
                marked[k, i, a] = marker(here[2 * k, a], here[2 * k + 1, a], numbers[5, k, i, a], numbers[6, k, i, a])
        if classes > 1:
            for k in range(2):
                for a in range(lanes):
                    work[k, a] = bodies.crowding(
                        closure, here[2 * k, a], here[2 - 2 * k, a], marked[k, i, a],
                        numbers[0, k, i, a], numbers[1, k, i, a], numbers[2, k, i, a], numbers[3, k, i, a], numbers[4, k, i, a],
                    )  # fmt: skip
            for a in range(lanes):
                work[2, a] = bodies.thinnest(
                    numbers[0, 0, i, a],
                    numbers[0, 1, i, a],
                    here[0, a],
                    here[2, a],
                    marked[0, i, a],
                    marked[1, i, a],
                    work[0, a],
                    work[1, a],
                )
            for k in range(2):
                for a in range(lanes):
                    sent = bodies.thinned(
                        closure, here[2 * k, a], here[2 - 2 * k, a], marked[k, i, a], work[2, a],
                        numbers[0, k, i, a], numbers[1, k, i, a], numbers[2, k, i, a], numbers[3, k, i, a], numbers[4, k, i, a],
                    )  # fmt: skip
                    demand[k, i, a] = sent * width[i, a] * opened[i, a]
        else:
            for a in range(lanes):
                sent = bodies.alone(
                    closure, here[0, a], marked[0, i, a],
                    numbers[0, 0, i, a], numbers[2, 0, i, a], numbers[3, 0, i, a], numbers[4, 0, i, a],
                )  # fmt: skip
                demand[0, i, a] = sent * width[i, a] * opened[i, a]
        for slot in range(slots):
            meter = block.links[links + (3 * n + i) * slots + slot]
            if meter >= 0:
                for x in range(worlds):
                    hold_back(demand, i, slot * worlds + x, block.rates[meter, x])


@device
def hold_back(demand: Any, i: int, a: int, cap: float) -> None:
    """A gate at approach i that lets `cap` pass, all classes together."""
    total = demand[0, i, a]
    for k in range(1, demand.shape[0]):
        total += demand[k, i, a]
    for k in range(demand.shape[0]):
        demand[k, i, a] = bodies.gated(demand[k, i, a], total, cap)


@device
def read_exits(
    block: Any, here: Any, v_ahead: Any, numbers: Any, links: int, n: int, m: int, classes: int, closure: int, slots: int
) -> None:
    """v_ahead[class, exit]: how fast traffic moves in the first cell of each exit."""
    worlds = block.times.shape[0]
    lanes = slots * worlds
    for j in range(m):
        for slot in range(slots):
            source = block.links[links + (4 * n + j) * slots + slot]
            for x in range(worlds):
                for row in range(2 * classes):
                    here[row, slot * worlds + x] = get_state(block.state, source + row * WIDTH + x)
        for k in range(classes):
            for a in range(lanes):
                beside = here[2 - 2 * k, a] if classes > 1 else like(here[0, a], 0)
                _, v_ahead[k, j, a] = bodies.read_cell(
                    closure, here[2 * k, a], here[2 * k + 1, a], beside,
                    numbers[0, k, j, a], numbers[1, k, j, a], numbers[2, k, j, a], numbers[3, k, j, a], numbers[4, k, j, a],
                    numbers[5, k, j, a], numbers[6, k, j, a],
                )  # fmt: skip


@device
def open_gates(block: Any, target: int, k: int, q: Any, of_y: Any, slots: int) -> None:
    """Tells the end of a road what passes: rows of fluxes per lane of the road, for the worlds of one bundle slot by slot."""
    worlds = block.times.shape[0]
    for slot in range(slots):
        gate = block.links[target + slot] + 2 * k * WIDTH
        for x in range(worlds):
            put_gate(block.gates, gate + x, q[slot * worlds + x])
            put_gate(block.gates, gate + WIDTH + x, of_y[slot * worlds + x])


@device
def add_exactly(books: Any, total: int, rest: int, x: float) -> None:
    """Adds to a sum whose rounding is kept, so that ten thousand steps lose nothing (Kahan 1965, doi:10.1145/363707.363723)."""
    y = x - books[rest]
    t = books[total] + y
    books[rest] = (t - books[total]) - y
    books[total] = t


@device
def cross(block: Any, b: int, dt: float, classes: int, closure: int) -> None:
    """One step of one bundle of nodes: what wants to pass, what may, and what is told to the roads."""
    kind, law, n, m = block.nodes[b, 0], block.nodes[b, 1], block.nodes[b, 2], block.nodes[b, 3]
    at, links, books = block.nodes[b, 4], block.nodes[b, 5], block.nodes[b, 6]
    rows, worlds = block.rows, block.times.shape[0]
    slots = block.nodes[b, 7]
    lanes = slots * worlds
    ends = at
    ratio, ends = rows[ends : ends + classes * n * m * lanes].reshape((classes, n, m, lanes)), ends + classes * n * m * lanes
    priority, ends = rows[ends : ends + n * lanes].reshape((n, lanes)), ends + n * lanes
    width_out, ends = rows[ends : ends + m * lanes].reshape((m, lanes)), ends + m * lanes
    width_in, ends = rows[ends : ends + n * lanes].reshape((n, lanes)), ends + n * lanes
    before, ends = rows[ends : ends + 7 * classes * n * lanes].reshape((7, classes, n, lanes)), ends + 7 * classes * n * lanes
    ahead, ends = rows[ends : ends + 7 * classes * m * lanes].reshape((7, classes, m, lanes)), ends + 7 * classes * m * lanes
    limit, ends = rows[ends : ends + classes * m * lanes].reshape((classes, m, lanes)), ends + classes * m * lanes
    last, ends = rows[ends : ends + lanes], ends + lanes  # how much drivers remember; at the end of the network its cap
    opened, ends = rows[ends : ends + n * lanes].reshape((n, lanes)), ends + n * lanes
    here, ends = rows[ends : ends + 2 * classes * lanes].reshape((2 * classes, lanes)), ends + 2 * classes * lanes
    demand, ends = rows[ends : ends + classes * n * lanes].reshape((classes, n, lanes)), ends + classes * n * lanes
    marked, ends = rows[ends : ends + classes * n * lanes].reshape((classes, n, lanes)), ends + classes * n * lanes
    v_ahead, ends = rows[ends : ends + classes * m * lanes].reshape((classes, m, lanes)), ends + classes * m * lanes
    room, ends = rows[ends : ends + classes * m * lanes].reshape((classes, m, lanes)), ends + classes * m * lanes
    moved, ends = rows[ends : ends + classes * n * m * lanes].reshape((classes, n, m, lanes)), ends + classes * n * m * lanes
    spare = WORK + classes * m
    work = rows[ends : ends + spare * lanes].reshape((spare, lanes))

    if kind == SOURCE:
        for k in range(classes):
            for slot in range(slots):
                source = block.links[links + (4 * n + 2 * m) * slots + slot]
                for x in range(worlds):
                    a = slot * worlds + x
                    waiting = block.books[books + 3 * k * lanes + a]
                    demand[k, 0, a] = (waiting + block.arrived[source, k, x]) / dt
                    marked[k, 0, a] = limit[k, 0, a]
    else:
        read_approaches(block, here, work, demand, marked, opened, before, links, n, classes, closure, width_in, slots)
    if kind == SINK:
        for a in range(lanes):
            hold_back(demand, 0, a, last[a])
        for k in range(classes):
            for a in range(lanes):
                # The cap has been shared out among the classes above.
                work[0, a] = end_flux(law, (demand[k, 0, a], demand[k, 0, a], demand[k, 0, a]))
                work[1, a] = work[0, a] / width_in[0, a]
                work[2, a] = work[1, a] * marked[k, 0, a]
            open_gates(block, links + n * slots, k, work[1], work[2], slots)
            for a in range(lanes):
                place = books + 2 * k * lanes + a
                add_exactly(block.books, place, place + lanes, float(work[1, a]) * float(width_in[0, a]) * dt)
        return
    read_exits(block, here, v_ahead, ahead, links, n, m, classes, closure, slots)
    node(moved, room, demand, marked, v_ahead, ratio, priority, width_out, ahead[0], ahead[2], ahead[3], ahead[4], work, closure, law)
    if kind == CROSSING:
        for k in range(classes):
            for i in range(n):
                for a in range(lanes):
                    work[0, a] = like(work[0, a], 0)
                for j in range(m):
                    for a in range(lanes):
                        work[0, a] += moved[k, i, j, a]
                for a in range(lanes):
                    work[1, a] = work[0, a] / width_in[i, a]
                    work[2, a] = work[1, a] * marked[k, i, a]
                open_gates(block, links + (n + i) * slots, k, work[1], work[2], slots)
    for k in range(classes):
        for j in range(m):
            arriving(work[0], moved[k], j)
            carried(work[1], moved[k], marked[k], j)
            for a in range(lanes):
                w = remembered(mixed(work[0, a], work[1, a], limit[k, j, a]), limit[k, j, a], last[a])
                work[2, a] = work[0, a] / width_out[j, a]
                work[3, a] = (work[1, a] if last[a] == like(w, 1) else work[0, a] * w) / width_out[j, a]
            open_gates(block, links + (4 * n + m + j) * slots, k, work[2], work[3], slots)
    if kind == SOURCE:
        for k in range(classes):
            for slot in range(slots):
                source = block.links[links + (4 * n + 2 * m) * slots + slot]
                for x in range(worlds):
                    a = slot * worlds + x
                    place = books + 3 * k * lanes + a
                    came = float(moved[k, 0, 0, a] / width_out[0, a]) * float(width_out[0, a]) * dt
                    block.books[place] = max(block.books[place] + block.arrived[source, k, x] - came, 0.0)
                    add_exactly(block.books, place + lanes, place + 2 * lanes, came)


@cache
def kernel(closure: int, equilibrium: int, built_in: bool, order: int, classes: int) -> Callable[[Block, float, float, int], None]:
    """The compiled steps of a control interval for one model; what makes the model is a constant to the compiler."""

    def advance(block: Any, begin: float, dt: float, steps: int) -> None:
        for step in range(steps):
            now = begin + step * dt
            fill_ghosts(block, classes)
            turn_lights(block, now, dt)
            let_arrive(block, now, dt)
            for b in range(block.nodes.shape[0]):
                cross(block, b, dt, classes, closure)
            for b in range(block.cells.shape[0]):
                sweep(block, b, classes, closure, equilibrium, built_in, order)

    return compiled(named(advance, "advance", closure, equilibrium, built_in, order, classes), nogil=True)


@compiled
def count_pieces(
    block: Any, roads: Any, places: Any, metres: Any, out: Any, classes: int, closure: int, threshold: float, summed: bool
) -> None:
    """out[spent, distance, inside, queue][road, class, world] from the pieces of the roads: [piece] road, (state, sums, numbers), metres."""
    worlds = block.times.shape[0]
    for piece in range(len(roads)):
        road, at, sums_at, numbers = roads[piece], places[piece, 0], places[piece, 1], places[piece, 2]
        for k in range(classes):
            for x in range(worlds):
                rho = block.state[at + 2 * k * WIDTH + x]
                beside = block.state[at + 2 * (1 - k) * WIDTH + x] if classes > 1 else like(rho, 0)
                y = block.state[at + (2 * k + 1) * WIDTH + x]
                row = numbers + (1 + k * CLASS_ROWS) * WIDTH + x
                _, v = bodies.read_cell(
                    closure, rho, y, beside,
                    block.numbers[row], block.numbers[row + WIDTH], block.numbers[row + 2 * WIDTH], block.numbers[row + 3 * WIDTH],
                    block.numbers[row + 4 * WIDTH], block.numbers[row + 5 * WIDTH], block.numbers[row + 6 * WIDTH],
                )  # fmt: skip
                vehicles = float(rho) * metres[piece]
                out[2, road, k, x] += vehicles
                out[3, road, k, x] += vehicles if v < threshold else 0.0
                if summed:
                    out[0, road, k, x] += float(block.sums[sums_at + 3 * k * WIDTH + x]) * metres[piece]
                    out[1, road, k, x] += float(block.sums[sums_at + (3 * k + 1) * WIDTH + x]) * metres[piece]
                else:
                    out[0, road, k, x] += vehicles
                    out[1, road, k, x] += vehicles * float(v)


QUEUE_SPEED = 2.0
"""Who is slower (m/s) stands in a queue."""
NEAR_BYTES = 5 << 18
"""State and sums of a block stay below this, so that all steps of an interval run near the processor; smaller blocks were slower."""


@dataclass
class Part:
    """One block of worlds: the worlds first … last of the batch, where everything is, and the arrays."""

    first: int
    last: int
    packing: Packing
    block: Block
    before_state: Array
    before_books: Array
    dt: float = 0.0
    """The step that the numbers are set for."""


class Cpu:
    """The backend for processors; see `base`."""

    def __init__(self, plan: Plan, starts: Sequence[Start], kind: Any, threads: int | None = None) -> None:
        self.plan = plan
        self._kind = np.dtype(kind)
        self._classes = len(plan.classes)
        self._kernel = kernel(plan.closure, plan.equilibrium, plan.built_in, plan.order, self._classes)
        self._threads = threads or _processors()
        self._steps = 0
        worlds = _block_worlds(plan, len(starts), self._kind.itemsize, self._threads)
        self._parts = [self._part(starts, first, min(first + worlds, len(starts)), worlds) for first in range(0, len(starts), worlds)]
        self._removed = np.zeros((len(starts), self._classes))
        self._removed_before = self._removed
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 and len(self._parts) > 1 else None
        road, self._metres = plan.pieces.road, plan.pieces.metres * plan.road_lanes[plan.pieces.road]
        self._piece_roads = road.astype(np.int64)

    def place(self, state: State) -> None:
        for part in self._parts:
            span, packing, block = slice(part.first, part.last), part.packing, part.block
            real = part.last - part.first
            block.state[:] = 0
            for k in range(self._classes):
                for row, field in ((2 * k, state.rho), (2 * k + 1, state.y)):
                    block.state[packing.cell_at[:, None] + row * WIDTH + np.arange(real)] = field[span, k].T
            for rows, at in self._book_rows(part):
                for row, pick in enumerate(rows):
                    block.books[at[row]] = np.moveaxis(pick(state)[span], 0, -1)
            block.sums[:] = 0
            block.tally[:] = 0
        self._steps = 0
        self._removed = state.removed.copy()

    def advance(self, orders: Orders) -> None:
        self._removed_before = self._removed.copy()
        if self._pool is None:
            for part in self._parts:
                self._advance_part(part, orders)
        else:
            list(self._pool.map(lambda part: self._advance_part(part, orders), self._parts))
        self._steps = orders.steps

    def count(self) -> Counted:
        roads, total = len(self.plan.roads), sum(part.last - part.first for part in self._parts)
        whole = np.zeros((4, total, roads, self._classes))
        faults = np.zeros(total)
        for part in self._parts:
            places = self._piece_places(part)
            out = np.zeros((4, roads, self._classes, part.packing.worlds))
            count_pieces(
                part.block, self._piece_roads, places, self._metres, out, self._classes, self.plan.closure, QUEUE_SPEED, self._steps > 0
            )
            real = part.last - part.first
            whole[:, part.first : part.last] = out[..., :real].transpose(0, 3, 1, 2)
            faults[part.first : part.last] = self._tally_of(part)[:, self._classes].sum(axis=(0, 1))[:real]
        return Counted(whole[0], whole[1], whole[2], whole[3], faults)

    def fetch(self) -> State:
        total = sum(part.last - part.first for part in self._parts)
        rho, y = (np.zeros((total, self._classes, self.plan.cells), self._kind) for _ in range(2))
        for part in self._parts:
            span, packing, block = slice(part.first, part.last), part.packing, part.block
            real = part.last - part.first
            for k in range(self._classes):
                for row, field in ((2 * k, rho), (2 * k + 1, y)):
                    field[span, k] = block.state[packing.cell_at[:, None] + row * WIDTH + np.arange(real)].T
        books = self.books()
        return State(books.waiting, books.entered, books.left, books.removed, rho, y)

    def books(self) -> Books:
        total = sum(part.last - part.first for part in self._parts)
        books = Books(
            waiting=np.zeros((total, len(self.plan.sources), self._classes)),
            entered=np.zeros((total, len(self.plan.sources), self._classes, 2)),
            left=np.zeros((total, len(self.plan.sinks), self._classes, 2)),
            removed=self._removed.copy(),
        )
        for part in self._parts:
            for rows, at in self._book_rows(part):
                for row, pick in enumerate(rows):
                    pick(books)[part.first : part.last] = np.moveaxis(part.block.books[at[row]], -1, 0)
        return books

    def go_back(self) -> None:
        for part in self._parts:
            part.block.state[:], part.block.books[:] = part.before_state, part.before_books
            part.block.sums[:] = 0
            part.block.tally[:] = 0
        self._removed = self._removed_before.copy()
        self._steps = 0

    def _part(self, starts: Sequence[Start], first: int, last: int, worlds: int) -> Part:
        packing, block = pack(self.plan, worlds, self._kind)
        lane = [min(first + x, last - 1) for x in range(worlds)]
        for k in range(self._classes):
            for row, name in ((5, "low"), (6, "high")):
                of_worlds = np.array([getattr(starts[w], name)[k] for w in lane])
                block.numbers.reshape(-1, 1 + self._classes * CLASS_ROWS, WIDTH)[:, 1 + k * CLASS_ROWS + row] = np.tile(
                    of_worlds, packing.slots
                )
                for _, _, n, m, at, _, _, slots in block.nodes.tolist():
                    lanes = slots * worlds
                    ends = at + (self._classes * n * m + n + m + n) * lanes
                    for ways in (n, m):
                        rows = block.rows[ends : ends + 7 * self._classes * ways * lanes].reshape(7, self._classes, ways, lanes)
                        rows[row, k] = np.tile(of_worlds, slots)
                        ends += 7 * self._classes * ways * lanes
        return Part(first, last, packing, block, block.state.copy(), block.books.copy())

    def _advance_part(self, part: Part, orders: Orders) -> None:
        block = part.block
        span = np.minimum(np.arange(part.first, part.first + part.packing.worlds), part.last - 1)
        part.before_state[:], part.before_books[:] = block.state, block.books
        block.sums[:] = 0
        block.tally[:] = 0
        if orders.dt != part.dt:
            self._set_step(part, orders.dt)
        if self.plan.limits:
            self._set_limits(part, orders.limit[span])
        times = orders.times[span]
        now = block._replace(
            windows=np.ascontiguousarray(orders.windows[..., span]),
            rates=np.ascontiguousarray(orders.rate[span].T.astype(self._kind)),
            times=times,
            arriving=np.ascontiguousarray(orders.arriving[..., span]),
            pieces=np.maximum((times <= orders.start_s).sum(axis=1) - 1, 0),
        )
        ready(self._kernel, now, orders.start_s, orders.dt, orders.steps)
        self._kernel(now, orders.start_s, orders.dt, orders.steps)
        self._removed[part.first : part.last] += self._removed_of(part)

    def _set_step(self, part: Part, dt: float) -> None:
        """The numbers that depend on the length of a step: dt/dx, and what relaxation leaves."""
        reaches, table, reach = self.plan.reaches, self._table(part), self._reach_of_slot(part)
        table[:, 0] = (dt / reaches.dx)[reach][:, :, None]
        for k in range(self._classes):
            left = np.array([decay(dt, tau) for tau in reaches.numbers[:, k, 7].tolist()])
            table[:, 1 + k * CLASS_ROWS + LEFT] = left[reach][:, :, None]
        part.dt = dt

    def _set_limits(self, part: Part, told: Array) -> None:
        """The speed limits of the moment, told[world, section, class]."""
        reaches, table, reach = self.plan.reaches, self._table(part), self._reach_of_slot(part)
        section = reaches.section[reach]
        for k in range(self._classes):
            own = reaches.numbers[:, k, 5][reach][:, :, None]
            signs = told[:, np.maximum(section, 0), k].transpose(1, 2, 0)
            table[:, 1 + k * CLASS_ROWS + LIMIT] = np.where((section >= 0)[:, :, None], np.minimum(own, signs), own)

    def _table(self, part: Part) -> Array:
        """`numbers` as [bundle, row, slot, world]."""
        return part.block.numbers.reshape(-1, 1 + self._classes * CLASS_ROWS, part.packing.slots, part.packing.worlds)

    def _reach_of_slot(self, part: Part) -> Array:
        """int[bundle, slot]; slots without a segment take the first reach."""
        packing = part.packing
        reach = np.zeros(part.block.cells.shape[0] * packing.slots, np.int64)
        reach[: len(packing.segments.reach)] = packing.segments.reach
        return reach.reshape(-1, packing.slots)

    def _removed_of(self, part: Part) -> Array:
        """[world, class] of what the last interval took, times the lengths of the cells and the lanes."""
        rows = self._tally_of(part)[:, : self._classes]
        weight = (self.plan.reaches.dx * self.plan.reaches.lanes)[self._reach_of_slot(part)]
        total: Array = np.einsum("bksx,bs->xk", rows.astype(np.float64), weight)
        return total[: part.last - part.first]

    def _tally_of(self, part: Part) -> Array:
        """[bundle, (class: y removed, faults), slot, world]."""
        return part.block.tally.reshape(-1, self._classes + 1, part.packing.slots, part.packing.worlds)

    def _piece_places(self, part: Part) -> Array:
        cell = self.plan.pieces.cell
        return np.stack([part.packing.cell_at[cell], part.packing.sum_at[cell], part.packing.numbers_at[cell]], axis=1)

    def _book_rows(self, part: Part) -> Iterator[tuple[Sequence[Callable[[Books], Array]], list[Array]]]:
        """For sources and sinks: what each row of a class holds, and where, [source, class, world]."""
        real = np.arange(part.last - part.first)
        for places, rows in (
            (part.packing.sources, (_waiting, _entered, _entered_rest)),
            (part.packing.sinks, (_left, _left_rest)),
        ):
            classes = np.arange(self._classes)[:, None]
            first, stride = places[:, 0, None, None], places[:, 1, None, None]
            yield rows, [first + (classes * len(rows) + row) * stride + real for row in range(len(rows))]


def _waiting(books: Books) -> Array:
    return books.waiting


def _entered(books: Books) -> Array:
    return books.entered[..., 0]


def _entered_rest(books: Books) -> Array:
    return books.entered[..., 1]


def _left(books: Books) -> Array:
    return books.left[..., 0]


def _left_rest(books: Books) -> Array:
    return books.left[..., 1]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _block_worlds(plan: Plan, worlds: int, size: int, threads: int) -> int:
    """A power of two: no more than WIDTH, or than a cache or a thread's share asks for."""
    each = plan.cells * 5 * len(plan.classes) * size
    count = 1
    while count < WIDTH and count * 2 * each <= NEAR_BYTES and count * threads < worlds:
        count *= 2
    return count

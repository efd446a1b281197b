"""The CPU: worlds and segments side by side in lanes, several blocks of worlds at once in threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from arz.engine import bodies
from arz.engine.backends.base import Books, Counted, Orders, State
from arz.engine.backends.packing import (
    CLASS_ROWS,
    CROSSING,
    HIGH,
    LEFT,
    LIMIT,
    LOW,
    NODE_WIDTH,
    SINK,
    SINK_ROWS,
    SOURCE,
    SOURCE_ROWS,
    WIDTH,
    Block,
    Packing,
    pack,
)
from arz.engine.backends.tables import bare, node_table
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

ratio_at, before_at, ahead_at, moved_at = (node_table(name, 4) for name in ("ratio", "before", "ahead", "moved"))
limit_at, demand_at, marked_at, v_ahead_at, room_at = (node_table(name, 3) for name in ("limit", "demand", "marked", "v_ahead", "room"))
priority_at, width_out_at, width_in_at, last_at = (node_table(name, 2) for name in ("priority", "width_out", "width_in", "last"))
opened_at, here_at, work_at = (node_table(name, 2) for name in ("opened", "here", "work"))

OWN, OTHER, SCALE, JAM, SHAPE = range(5)
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
                        state[target + row * WIDTH + x] = state[source + row * WIDTH + x]


@inlined
def read_row(block: Any, at: int, numbers: int, c: int, classes: int, closure: int) -> None:
    """Markers and speeds of a row of cells, ghosts included, into scratch."""
    cell = at + c * 2 * classes * WIDTH
    here = c * (8 * classes * WIDTH + PAD)
    for k in range(classes):
        for a in range(WIDTH):
            rho = block.state[cell + 2 * k * WIDTH + a]
            y = block.state[cell + (2 * k + 1) * WIDTH + a]
            beside = block.state[cell + 2 * (1 - k) * WIDTH + a] if classes > 1 else like(rho, 0)
            w, v = bodies.read_cell(
                closure,
                rho,
                y,
                beside,
                block.numbers[numbers + at_row(k, OWN) + a],
                block.numbers[numbers + at_row(k, OTHER) + a],
                block.numbers[numbers + at_row(k, SCALE) + a],
                block.numbers[numbers + at_row(k, JAM) + a],
                block.numbers[numbers + at_row(k, SHAPE) + a],
                block.numbers[numbers + at_row(k, LOW) + a],
                block.numbers[numbers + at_row(k, HIGH) + a],
            )
            block.scratch[here + (RHO * classes + k) * WIDTH + a] = rho
            block.scratch[here + (MARK * classes + k) * WIDTH + a] = w
            block.scratch[here + (SPEED * classes + k) * WIDTH + a] = v


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
                scratch[i + RHO * classes * WIDTH],
                scratch[i + MARK * classes * WIDTH],
                scratch[i + SPEED * classes * WIDTH],
                scratch[i - stride + RHO * classes * WIDTH],
                scratch[i - stride + MARK * classes * WIDTH],
                scratch[i - stride + SPEED * classes * WIDTH],
                scratch[i + stride + RHO * classes * WIDTH],
                scratch[i + stride + MARK * classes * WIDTH],
                scratch[i + stride + SPEED * classes * WIDTH],
                block.numbers[numbers + a],
            )
            scratch[i + FACE_RHO * classes * WIDTH] = rho
            scratch[i + FACE_MARK * classes * WIDTH] = w
            scratch[i + FACE_SPEED * classes * WIDTH] = of_v
            scratch[i + FLUX * classes * WIDTH] = of_rho
            scratch[i + FLUX_Y * classes * WIDTH] = of_w
    for k in range(classes):
        for a in range(WIDTH):
            i = here + k * WIDTH + a
            rho = scratch[i + FACE_RHO * classes * WIDTH]
            beside = scratch[here + (FACE_RHO * classes + 1 - k) * WIDTH + a] if classes > 1 else like(rho, 0)
            w, v = bodies.at_faces(
                closure,
                rho,
                beside,
                scratch[i + FACE_MARK * classes * WIDTH],
                scratch[i + FLUX_Y * classes * WIDTH],
                scratch[i + FACE_SPEED * classes * WIDTH],
                block.numbers[numbers + at_row(k, OWN) + a],
                block.numbers[numbers + at_row(k, OTHER) + a],
                block.numbers[numbers + at_row(k, SCALE) + a],
                block.numbers[numbers + at_row(k, JAM) + a],
                block.numbers[numbers + at_row(k, SHAPE) + a],
            )
            scratch[i + FACE_MARK * classes * WIDTH] = w
            scratch[i + FACE_SPEED * classes * WIDTH] = v


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
            rho = scratch[i + face_rho * classes * WIDTH]
            if order > 1:
                rho = face_ahead(rho, scratch[i + FLUX * classes * WIDTH])
            w = scratch[i + face_mark * classes * WIDTH]
            q, through = bodies.passing(
                closure,
                classes > 1,
                rho,
                w,
                scratch[i + SPEED * classes * WIDTH],
                scratch[i + stride + face_speed * classes * WIDTH],
                block.numbers[numbers + at_row(k, OWN) + a],
                block.numbers[numbers + at_row(k, SCALE) + a],
                block.numbers[numbers + at_row(k, JAM) + a],
                block.numbers[numbers + at_row(k, SHAPE) + a],
            )
            scratch[i + FLUX * classes * WIDTH] = q
            scratch[i + FLUX_Y * classes * WIDTH] = q * w
            if classes == 1:
                # The speed at the face behind has been used, so its place is free for what the limiter asks.
                scratch[i + FACE_SPEED * WIDTH] = through
    if c == 2:  # noqa: PLR2004 - the first cell, behind two ghosts
        for k in range(classes):
            for a in range(WIDTH):
                i = stride + k * WIDTH + a
                mark = block.marks[3 * b * WIDTH + a]
                told = mark > like(mark, 0)
                gate = gates + 2 * k * WIDTH + a
                q, of_y = block.gates[gate], block.gates[gate + WIDTH]
                scratch[i + FLUX * classes * WIDTH] = q if told else scratch[i + FLUX * classes * WIDTH]
                scratch[i + FLUX_Y * classes * WIDTH] = of_y if told else scratch[i + FLUX_Y * classes * WIDTH]
                if classes == 1:
                    # Beyond a node the limiter's neighbours are other roads: what a ghost repeats would hold back a queue that is let go.
                    through, high = scratch[i + FACE_SPEED * WIDTH], block.numbers[numbers + at_row(k, HIGH) + a]
                    scratch[i + FACE_SPEED * WIDTH] = high if told else through
    if c >= shortest + 2:
        for k in range(classes):
            for a in range(WIDTH):
                i = (c - 1) * stride + k * WIDTH + a
                mark = block.marks[(3 * b + 1) * WIDTH + a]
                told = (mark > like(mark, 0)) & (block.marks[(3 * b + 2) * WIDTH + a] == like(mark, c - 2))
                gate = gates + 2 * (classes + k) * WIDTH + a
                q, of_y = block.gates[gate], block.gates[gate + WIDTH]
                scratch[i + FLUX * classes * WIDTH] = q if told else scratch[i + FLUX * classes * WIDTH]
                scratch[i + FLUX_Y * classes * WIDTH] = of_y if told else scratch[i + FLUX_Y * classes * WIDTH]
                if classes == 1:
                    i += stride
                    speed, high = scratch[i + SPEED * WIDTH], block.numbers[numbers + at_row(k, HIGH) + a]
                    scratch[i + SPEED * WIDTH] = high if told else speed


@inlined
def settle_row(
    block: Any, at: int, sums_at: int, numbers: int, b: int, c: int, classes: int, closure: int, equilibrium: int, built_in: bool
) -> None:
    """The state of a row of cells after the step: balance, velocity limiter, relaxation; and what is counted."""
    stride = 8 * classes * WIDTH + PAD
    here = c * stride
    cell = at + c * 2 * classes * WIDTH
    counted = sums_at + (c - 2) * 2 * classes * WIDTH
    scratch, table = block.scratch, block.numbers
    tally = b * (classes + 1) * WIDTH
    for k in range(classes):
        for a in range(WIDTH):
            i = here + k * WIDTH + a
            ratio = table[numbers + a]
            flux = scratch[i + FLUX * classes * WIDTH]
            rho = scratch[i + RHO * classes * WIDTH] - ratio * (flux - scratch[i - stride + FLUX * classes * WIDTH])
            before = block.state[cell + (2 * k + 1) * WIDTH + a]
            of_y = scratch[i + FLUX_Y * classes * WIDTH] - scratch[i - stride + FLUX_Y * classes * WIDTH]
            rho = present(rho)
            scratch[i + FACE_RHO * classes * WIDTH] = rho
            scratch[i + FACE_MARK * classes * WIDTH] = before - ratio * of_y
            j = counted + 2 * k * WIDTH + a
            block.sums[j] = block.sums[j] + rho
            block.sums[j + WIDTH] = block.sums[j + WIDTH] + flux
    for k in range(classes):
        for a in range(WIDTH):
            i = here + k * WIDTH + a
            rho = scratch[i + FACE_RHO * classes * WIDTH]
            y = scratch[i + FACE_MARK * classes * WIDTH]
            beside = scratch[here + (FACE_RHO * classes + 1 - k) * WIDTH + a] if classes > 1 else like(rho, 0)
            scale = table[numbers + at_row(k, SCALE) + a]
            jam = table[numbers + at_row(k, JAM) + a]
            shape = table[numbers + at_row(k, SHAPE) + a]
            r = occupancy_of(rho, beside, table[numbers + at_row(k, OWN) + a], table[numbers + at_row(k, OTHER) + a])
            kept = bodies.kept(
                closure,
                classes > 1,
                y,
                rho,
                r,
                scratch[i - stride + FACE_SPEED * classes * WIDTH],
                scratch[i + SPEED * classes * WIDTH],
                scratch[i + stride + SPEED * classes * WIDTH],
                table[numbers + at_row(k, LOW) + a],
                table[numbers + at_row(k, HIGH) + a],
                scale,
                jam,
                shape,
            )
            # What is beyond the end of a lane's segment is nobody's state.
            zero, one = like(rho, 0), like(rho, 1)
            inside = like(rho, c - 2) < block.marks[(3 * b + 2) * WIDTH + a]
            fault = zero if sound(rho, y, r, table[numbers + at_row(k, CEILING) + a]) else one
            j = tally + k * WIDTH + a
            block.tally[j] = block.tally[j] + (y - kept if inside else zero)
            j = tally + classes * WIDTH + a
            block.tally[j] = block.tally[j] + (fault if inside else zero)
            adapted = bodies.adapted(
                closure,
                equilibrium,
                built_in,
                kept,
                rho,
                r,
                table[numbers + at_row(k, LIMIT) + a],
                table[numbers + at_row(k, CREEP) + a],
                table[numbers + at_row(k, LEFT) + a],
                scale,
                jam,
                shape,
            )
            block.state[cell + 2 * k * WIDTH + a] = rho
            block.state[cell + (2 * k + 1) * WIDTH + a] = adapted


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
    for light in range(block.windows.shape[0]):
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


@inlined
def look(here: Any, block: Any, links: int, first: int, width: int, slots: int, classes: int) -> None:
    """here[class: rho, y]: the states of the cells that the links name, slot by slot, so many worlds of each."""
    if slots == 1:
        cell = block.links[links] + first
        for row in range(2 * classes):
            for a in range(here.shape[1]):
                here[row, a] = block.state[cell + row * WIDTH + a]
    else:
        for slot in range(slots):
            cell = block.links[links + slot]
            for row in range(2 * classes):
                for x in range(width):
                    here[row, slot * width + x] = block.state[cell + row * WIDTH + x]


@inlined
def look_up(opened: Any, i: int, block: Any, links: int, first: int, width: int, slots: int) -> None:
    """opened[approach]: which part of this step the lights that the links name are green."""
    if slots == 1:
        light = block.links[links]
        for a in range(opened.shape[1]):
            opened[i, a] = block.opens[light, first + a]
    else:
        for slot in range(slots):
            light = block.links[links + slot]
            for x in range(width):
                opened[i, slot * width + x] = block.opens[light, x]


@inlined
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
    lanes_in: Any,
    first: int,
    width: int,
    slots: int,
) -> None:
    """demand[class, approach] and marker of a bundle's approaches, from the last cell of each; a red light sends exactly nothing."""
    for i in range(n):
        look(here, block, links + i * slots, first, width, slots, classes)
        look_up(opened, i, block, links + (2 * n + i) * slots, first, width, slots)
        for k in range(classes):
            for a in range(here.shape[1]):
                marked[k, i, a] = marker(here[2 * k, a], here[2 * k + 1, a], numbers[LOW, k, i, a], numbers[HIGH, k, i, a])
        if classes > 1:
            for k in range(2):
                for a in range(here.shape[1]):
                    work[k, a] = bodies.crowding(
                        closure, here[2 * k, a], here[2 - 2 * k, a], marked[k, i, a],
                        numbers[0, k, i, a], numbers[1, k, i, a], numbers[2, k, i, a], numbers[3, k, i, a], numbers[4, k, i, a],
                    )  # fmt: skip
            for a in range(here.shape[1]):
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
                for a in range(here.shape[1]):
                    sent = bodies.thinned(
                        closure, here[2 * k, a], here[2 - 2 * k, a], marked[k, i, a], work[2, a],
                        numbers[0, k, i, a], numbers[1, k, i, a], numbers[2, k, i, a], numbers[3, k, i, a], numbers[4, k, i, a],
                    )  # fmt: skip
                    demand[k, i, a] = sent * lanes_in[i, a] * opened[i, a]
        else:
            for a in range(here.shape[1]):
                sent = bodies.alone(
                    closure, here[0, a], marked[0, i, a],
                    numbers[0, 0, i, a], numbers[2, 0, i, a], numbers[3, 0, i, a], numbers[4, 0, i, a],
                )  # fmt: skip
                demand[0, i, a] = sent * lanes_in[i, a] * opened[i, a]
        for slot in range(slots):
            meter = block.links[links + (3 * n + i) * slots + slot]
            if meter >= 0:
                for x in range(width):
                    hold_back(demand, i, slot * width + x, block.rates[meter, first + x])


@device
def hold_back(demand: Any, i: int, a: int, cap: float) -> None:
    """A gate at approach i that lets `cap` pass, all classes together."""
    total = demand[0, i, a]
    for k in range(1, demand.shape[0]):
        total += demand[k, i, a]
    for k in range(demand.shape[0]):
        demand[k, i, a] = bodies.gated(demand[k, i, a], total, cap)


@inlined
def read_exits(
    block: Any,
    here: Any,
    v_ahead: Any,
    numbers: Any,
    links: int,
    n: int,
    m: int,
    classes: int,
    closure: int,
    first: int,
    width: int,
    slots: int,
) -> None:
    """v_ahead[class, exit]: how fast traffic moves in the first cell of each exit."""
    for j in range(m):
        look(here, block, links + (4 * n + j) * slots, first, width, slots, classes)
        for k in range(classes):
            for a in range(here.shape[1]):
                beside = here[2 - 2 * k, a] if classes > 1 else like(here[0, a], 0)
                _, v_ahead[k, j, a] = bodies.read_cell(
                    closure, here[2 * k, a], here[2 * k + 1, a], beside,
                    numbers[0, k, j, a], numbers[1, k, j, a], numbers[2, k, j, a], numbers[3, k, j, a], numbers[4, k, j, a],
                    numbers[LOW, k, j, a], numbers[HIGH, k, j, a],
                )  # fmt: skip


@inlined
def open_gates(block: Any, links: int, k: int, work: Any, row: int, first: int, width: int, slots: int) -> None:
    """Tells the ends of the roads that the links name what passes, per lane of the road: two rows of work, the flux and that of y."""
    if slots == 1:
        gate = block.links[links] + 2 * k * WIDTH + first
        for a in range(work.shape[1]):
            block.gates[gate + a] = work[row, a]
            block.gates[gate + WIDTH + a] = work[row + 1, a]
    else:
        for slot in range(slots):
            gate = block.links[links + slot] + 2 * k * WIDTH
            for x in range(width):
                block.gates[gate + x] = work[row, slot * width + x]
                block.gates[gate + WIDTH + x] = work[row + 1, slot * width + x]


@device
def add_exactly(books: Any, total: int, rest: int, x: float) -> None:
    """Adds to a sum whose rounding is kept, so that ten thousand steps lose nothing (Kahan 1965, doi:10.1145/363707.363723)."""
    y = x - books[rest]
    t = books[total] + y
    books[rest] = (t - books[total]) - y
    books[total] = t


@inlined
def place_of_source(source: int, k: int, classes: int, worlds: int) -> int:
    """Where the books of a class at a source begin."""
    return (source * classes + k) * SOURCE_ROWS * worlds


@inlined
def place_of_sink(sink: int, k: int, classes: int, worlds: int, sources: int) -> int:
    """Where the books of a class at a sink begin."""
    return ((sources * SOURCE_ROWS + sink * SINK_ROWS) * classes + k * SINK_ROWS) * worlds


@device
def cross(block: Any, b: int, dt: float, classes: int, closure: int) -> None:
    """One step of one bundle of nodes: what wants to pass, what may, and what is told to the roads."""
    kind, law, n, m = block.nodes[b, 0], block.nodes[b, 1], block.nodes[b, 2], block.nodes[b, 3]
    at, links, members, first = block.nodes[b, 4], block.nodes[b, 5], block.nodes[b, 6], block.nodes[b, 7]
    fixed, spare, worlds = block.rows, block.spare, block.times.shape[0]
    width, lanes = min(worlds, NODE_WIDTH), block.nodes[b, 8]
    slots, step = lanes // width, NODE_WIDTH
    ratio, at = ratio_at(fixed, at, (classes, n, m, lanes)), at + classes * n * m * step
    priority, at = priority_at(fixed, at, (n, lanes)), at + n * step
    lanes_out, at = width_out_at(fixed, at, (m, lanes)), at + m * step
    lanes_in, at = width_in_at(fixed, at, (n, lanes)), at + n * step
    before, at = before_at(fixed, at, (7, classes, n, lanes)), at + 7 * classes * n * step
    ahead, at = ahead_at(fixed, at, (7, classes, m, lanes)), at + 7 * classes * m * step
    limit, at = limit_at(fixed, at, (classes, m, lanes)), at + classes * m * step
    last = last_at(fixed, at, (1, lanes))  # how much drivers remember; at the end of the network its cap
    opened, at = opened_at(spare, 0, (n, lanes)), n * step
    here, at = here_at(spare, at, (2 * classes, lanes)), at + 2 * classes * step
    demand, at = demand_at(spare, at, (classes, n, lanes)), at + classes * n * step
    marked, at = marked_at(spare, at, (classes, n, lanes)), at + classes * n * step
    v_ahead, at = v_ahead_at(spare, at, (classes, m, lanes)), at + classes * m * step
    room, at = room_at(spare, at, (classes, m, lanes)), at + classes * m * step
    moved, at = moved_at(spare, at, (classes, n, m, lanes)), at + classes * n * m * step
    work = work_at(spare, at, (WORK + classes * m, lanes))
    number = links + (4 * n + 2 * m) * slots

    if kind == SOURCE:
        for k in range(classes):
            for slot in range(slots):
                source = block.links[number + slot]
                place = place_of_source(source, k, classes, worlds) + first
                for x in range(width):
                    demand[k, 0, slot * width + x] = (block.books[place + x] + block.arrived[source, k, first + x]) / dt
            for a in range(work.shape[1]):
                marked[k, 0, a] = limit[k, 0, a]
    else:
        read_approaches(block, here, work, demand, marked, opened, before, links, n, classes, closure, lanes_in, first, width, slots)
    if kind == SINK:
        for a in range(work.shape[1]):
            hold_back(demand, 0, a, last[0, a])
        for k in range(classes):
            for a in range(work.shape[1]):
                # The cap has been shared out among the classes above.
                work[0, a] = end_flux(law, (demand[k, 0, a], demand[k, 0, a], demand[k, 0, a]))
                work[1, a] = work[0, a] / lanes_in[0, a]
                work[2, a] = work[1, a] * marked[k, 0, a]
            open_gates(block, links + n * slots, k, work, 1, first, width, slots)
            for slot in range(members):
                place = place_of_sink(block.links[number + slot], k, classes, worlds, block.arrived.shape[0]) + first
                for x in range(width):
                    a = slot * width + x
                    add_exactly(block.books, place + x, place + worlds + x, float(work[1, a]) * float(lanes_in[0, a]) * dt)
        return
    read_exits(block, here, v_ahead, ahead, links, n, m, classes, closure, first, width, slots)
    node(moved, room, demand, marked, v_ahead, ratio, priority, lanes_out, ahead[0], ahead[2], ahead[3], ahead[4], work, closure, law)
    if kind == CROSSING:
        for k in range(classes):
            for i in range(n):
                for a in range(work.shape[1]):
                    work[0, a] = like(work[0, a], 0)
                for j in range(m):
                    for a in range(work.shape[1]):
                        work[0, a] += moved[k, i, j, a]
                for a in range(work.shape[1]):
                    work[1, a] = work[0, a] / lanes_in[i, a]
                    work[2, a] = work[1, a] * marked[k, i, a]
                open_gates(block, links + (n + i) * slots, k, work, 1, first, width, slots)
    for k in range(classes):
        for j in range(m):
            arriving(work[0], moved[k], j)
            carried(work[1], moved[k], marked[k], j)
            for a in range(work.shape[1]):
                w = remembered(mixed(work[0, a], work[1, a], limit[k, j, a]), limit[k, j, a], last[0, a])
                work[2, a] = work[0, a] / lanes_out[j, a]
                work[3, a] = (work[1, a] if last[0, a] == like(w, 1) else work[0, a] * w) / lanes_out[j, a]
            open_gates(block, links + (4 * n + m + j) * slots, k, work, 2, first, width, slots)
    if kind == SOURCE:
        for k in range(classes):
            for slot in range(members):
                source = block.links[number + slot]
                place = place_of_source(source, k, classes, worlds) + first
                for x in range(width):
                    a = slot * width + x
                    came = float(moved[k, 0, 0, a] / lanes_out[0, a]) * float(lanes_out[0, a]) * dt
                    block.books[place + x] = max(block.books[place + x] + block.arrived[source, k, first + x] - came, 0.0)
                    add_exactly(block.books, place + worlds + x, place + 2 * worlds + x, came)


@cache
def kernel(closure: int, equilibrium: int, built_in: bool, order: int, classes: int) -> Callable[[Block, float, float, int], None]:
    """The compiled steps of a control interval for one model; what makes the model is a constant to the compiler."""

    def advance(given: Any, begin: float, dt: float, steps: int) -> None:
        block = bare(given)
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


def _count_pieces(
    given: Any, roads: Any, places: Any, metres: Any, out: Any, classes: int, closure: int, threshold: float, summed: bool
) -> None:
    """out[spent, distance, inside, queue][road, class, world] from the pieces of the roads: [piece] road, (state, sums, numbers), metres."""
    block, worlds = bare(given), given.times.shape[0]
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
                    out[0, road, k, x] += float(block.sums[sums_at + 2 * k * WIDTH + x]) * metres[piece]
                    out[1, road, k, x] += float(block.sums[sums_at + (2 * k + 1) * WIDTH + x]) * metres[piece]
                else:
                    out[0, road, k, x] += vehicles
                    out[1, road, k, x] += vehicles * float(v)


count_pieces = compiled(_count_pieces, nogil=True)

QUEUE_SPEED = 2.0
"""Who is slower (m/s) stands in a queue."""
NEAR_BYTES = 1 << 20
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
    pieces: Array
    """[piece, (state, sums, numbers)]: where each piece of a road is."""
    reach: Array
    """int[bundle, slot]; slots without a segment take the first reach."""
    weight: Array
    """[bundle, slot]: the length of a cell times the lanes of the road."""
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
            for pick, row in self._book_rows(part):
                row[..., :real] = np.moveaxis(pick(state)[span], 0, -1)
            block.sums[:] = 0
            block.tally[:] = 0
        self._steps = 0
        self._removed = state.removed.copy()

    def advance(self, orders: Orders) -> None:
        self._removed_before = self._removed.copy()
        self._each(lambda part: self._advance_part(part, orders))
        self._steps = orders.steps

    def count(self) -> Counted:
        roads, total = len(self.plan.roads), sum(part.last - part.first for part in self._parts)
        whole = np.zeros((4, total, roads, self._classes))
        faults = np.zeros(total)
        for part, (out, wrong) in zip(self._parts, self._each(self._count_part), strict=True):
            real = part.last - part.first
            whole[:, part.first : part.last] = out[..., :real].transpose(0, 3, 1, 2)
            faults[part.first : part.last] = wrong[:real]
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
            for pick, row in self._book_rows(part):
                pick(books)[part.first : part.last] = np.moveaxis(row[..., : part.last - part.first], -1, 0)
        return books

    def go_back(self) -> None:
        for part in self._parts:
            part.block.state[:], part.block.books[:] = part.before_state, part.before_books
            part.block.sums[:] = 0
            part.block.tally[:] = 0
        self._removed = self._removed_before.copy()
        self._steps = 0

    def _each(self, work: Callable[[Part], Any]) -> list[Any]:
        """What the work gives for every part, in their order; parts do not know each other."""
        return list(map(work, self._parts) if self._pool is None else self._pool.map(work, self._parts))

    def _count_part(self, part: Part) -> tuple[Array, Array]:
        out = np.zeros((4, len(self.plan.roads), self._classes, part.packing.worlds))
        count_pieces(
            part.block, self._piece_roads, part.pieces, self._metres, out, self._classes, self.plan.closure, QUEUE_SPEED, self._steps > 0
        )
        return out, self._tally_of(part)[:, self._classes].sum(axis=(0, 1))

    def _part(self, starts: Sequence[Start], first: int, last: int, worlds: int) -> Part:
        lane = [min(first + x, last - 1) for x in range(worlds)]
        low, high = (np.array([getattr(starts[world], name) for world in lane]).T for name in ("low", "high"))
        packing, block = pack(self.plan, low, high, self._kind)
        cell, reaches = self.plan.pieces.cell, self.plan.reaches
        reach = np.zeros(block.cells.shape[0] * packing.slots, np.int64)
        reach[: len(packing.segments.reach)] = packing.segments.reach
        reach = reach.reshape(-1, packing.slots)
        return Part(
            first,
            last,
            packing,
            block,
            before_state=block.state.copy(),
            before_books=block.books.copy(),
            pieces=np.stack([packing.cell_at[cell], packing.sum_at[cell], packing.numbers_at[cell]], axis=1),
            reach=reach,
            weight=(reaches.dx * reaches.lanes)[reach],
        )

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
        reaches, table, reach = self.plan.reaches, self._table(part), part.reach
        table[:, 0] = (dt / reaches.dx)[reach][:, :, None]
        for k in range(self._classes):
            left = np.array([decay(dt, tau) for tau in reaches.numbers[:, k, 7].tolist()])
            table[:, 1 + k * CLASS_ROWS + LEFT] = left[reach][:, :, None]
        part.dt = dt

    def _set_limits(self, part: Part, told: Array) -> None:
        """The speed limits of the moment, told[world, section, class]."""
        reaches, table, reach = self.plan.reaches, self._table(part), part.reach
        section = reaches.section[reach]
        for k in range(self._classes):
            own = reaches.numbers[:, k, 5][reach][:, :, None]
            signs = told[:, np.maximum(section, 0), k].transpose(1, 2, 0)
            table[:, 1 + k * CLASS_ROWS + LIMIT] = np.where((section >= 0)[:, :, None], np.minimum(own, signs), own)

    def _table(self, part: Part) -> Array:
        """`numbers` as [bundle, row, slot, world]."""
        return part.block.numbers.reshape(-1, 1 + self._classes * CLASS_ROWS, part.packing.slots, part.packing.worlds)

    def _removed_of(self, part: Part) -> Array:
        """[world, class] of what the last interval took, times the lengths of the cells and the lanes."""
        rows = self._tally_of(part)[:, : self._classes]
        total: Array = np.einsum("bksx,bs->xk", rows.astype(np.float64), part.weight)
        return total[: part.last - part.first]

    def _tally_of(self, part: Part) -> Array:
        """[bundle, (class: y removed, faults), slot, world]."""
        return part.block.tally.reshape(-1, self._classes + 1, part.packing.slots, part.packing.worlds)

    def _book_rows(self, part: Part) -> list[tuple[Callable[[Books], Array], Array]]:
        """What each row of the books holds, and the row, a view [source or sink, class, world]."""
        plan, worlds, books = self.plan, part.packing.worlds, part.block.books
        end = len(plan.sources) * self._classes * SOURCE_ROWS * worlds
        sources = books[:end].reshape(len(plan.sources), self._classes, SOURCE_ROWS, worlds)
        sinks = books[end:].reshape(len(plan.sinks), self._classes, SINK_ROWS, worlds)
        rows = ((_waiting, sources, 0), (_entered, sources, 1), (_entered_rest, sources, 2), (_left, sinks, 0), (_left_rest, sinks, 1))
        return [(pick, table[:, :, row]) for pick, table, row in rows]


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
    each = plan.cells * 4 * len(plan.classes) * size
    count = 1
    while count < WIDTH and count * 2 * each <= NEAR_BYTES and count * threads < worlds:
        count *= 2
    return count

"""One step of the nodes, lights and entries: what `cpu` runs where roads meet, begin and end."""

from typing import Any

from arz.engine import bodies
from arz.engine.backends.packing import CROSSING, HIGH, LOW, NODE_WIDTH, SINK, SINK_ROWS, SOURCE, SOURCE_ROWS, WIDTH
from arz.engine.backends.tables import inlined, node_table
from arz.jit import device, like
from arz.laws.boundary.registry import flux as end_flux
from arz.laws.junctions.base import WORK
from arz.laws.junctions.mixture import mixed, remembered
from arz.laws.junctions.node import node
from arz.laws.state import marker

ratio_at, before_at, ahead_at, moved_at = (node_table(name, 4) for name in ("ratio", "before", "ahead", "moved"))
limit_at, demand_at, marked_at, v_ahead_at, room_at = (node_table(name, 3) for name in ("limit", "demand", "marked", "v_ahead", "room"))
priority_at, width_out_at, width_in_at, last_at = (node_table(name, 2) for name in ("priority", "width_out", "width_in", "last"))
opened_at, here_at, work_at = (node_table(name, 2) for name in ("opened", "here", "work"))


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
        for a in range(here.shape[1]):
            for row in range(2 * classes):
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
def numbers_of(numbers: Any, k: int, way: int, a: int) -> tuple[float, float, float, float, float]:
    """What the laws ask of a class on one road of a node: own, other, scale, jam, shape."""
    return numbers[0, k, way, a], numbers[1, k, way, a], numbers[2, k, way, a], numbers[3, k, way, a], numbers[4, k, way, a]


@inlined
def read_approaches(
    block: Any,
    here: Any,
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
        # All of a lane in one loop: a loop for each law would cost more than the laws.
        if classes > 1:
            for a in range(here.shape[1]):
                rho_m, rho_c = here[0, a], here[2, a]
                m, c = numbers_of(numbers, 0, i, a), numbers_of(numbers, 1, i, a)
                w_m = marker(rho_m, here[1, a], numbers[LOW, 0, i, a], numbers[HIGH, 0, i, a])
                w_c = marker(rho_c, here[3, a], numbers[LOW, 1, i, a], numbers[HIGH, 1, i, a])
                crowd_m = bodies.crowding(closure, rho_m, rho_c, w_m, m[0], m[1], m[2], m[3], m[4])
                crowd_c = bodies.crowding(closure, rho_c, rho_m, w_c, c[0], c[1], c[2], c[3], c[4])
                thin = bodies.thinnest(m[0], c[0], rho_m, rho_c, w_m, w_c, crowd_m, crowd_c)
                sent_m = bodies.thinned(closure, rho_m, rho_c, w_m, thin, m[0], m[1], m[2], m[3], m[4])
                sent_c = bodies.thinned(closure, rho_c, rho_m, w_c, thin, c[0], c[1], c[2], c[3], c[4])
                marked[0, i, a], marked[1, i, a] = w_m, w_c
                demand[0, i, a], demand[1, i, a] = sent_m * lanes_in[i, a] * opened[i, a], sent_c * lanes_in[i, a] * opened[i, a]
        else:
            for a in range(here.shape[1]):
                m = numbers_of(numbers, 0, i, a)
                w_m = marker(here[0, a], here[1, a], numbers[LOW, 0, i, a], numbers[HIGH, 0, i, a])
                marked[0, i, a] = w_m
                demand[0, i, a] = bodies.alone(closure, here[0, a], w_m, m[0], m[2], m[3], m[4]) * lanes_in[i, a] * opened[i, a]
        for slot in range(slots):
            meter = block.links[links + (3 * n + i) * slots + slot]
            if meter >= 0:
                for x in range(width):
                    bodies.hold_back(demand, i, slot * width + x, block.rates[meter, first + x])


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
        for a in range(here.shape[1]):
            for k in range(classes):
                beside = here[2 - 2 * k, a] if classes > 1 else like(here[0, a], 0)
                n_k = numbers_of(numbers, k, j, a)
                _, v_ahead[k, j, a] = bodies.read_cell(
                    closure, here[2 * k, a], here[2 * k + 1, a], beside, n_k[0], n_k[1], n_k[2], n_k[3], n_k[4],
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
    """Adds to a sum of the books and keeps what rounding took too much."""
    books[total], books[rest] = bodies.exactly(books[total], books[rest], x)


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
                    demand[k, 0, slot * width + x] = bodies.asked_for(block.books[place + x], block.arrived[source, k, first + x], dt)
            for a in range(work.shape[1]):
                marked[k, 0, a] = limit[k, 0, a]
    else:
        read_approaches(block, here, demand, marked, opened, before, links, n, classes, closure, lanes_in, first, width, slots)
    if kind == SINK:
        for a in range(work.shape[1]):
            bodies.hold_back(demand, 0, a, last[0, a])
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
                    add_exactly(block.books, place + x, place + worlds + x, bodies.vehicles(work[1, a], lanes_in[0, a], dt))
        return
    read_exits(block, here, v_ahead, ahead, links, n, m, classes, closure, first, width, slots)
    node(moved, room, demand, marked, v_ahead, ratio, priority, lanes_out, ahead[0], ahead[2], ahead[3], ahead[4], work, closure, law)
    # Sums over the ways of a node: the last one and what follows in one loop, which leaves the sums empty for the next.
    for a in range(work.shape[1]):
        work[0, a], work[1, a] = like(work[0, a], 0), like(work[0, a], 0)
    if kind == CROSSING:
        for k in range(classes):
            for i in range(n):
                for j in range(m - 1):
                    for a in range(work.shape[1]):
                        work[0, a] += moved[k, i, j, a]
                for a in range(work.shape[1]):
                    flux = (work[0, a] + moved[k, i, m - 1, a]) / lanes_in[i, a]
                    work[2, a], work[3, a] = flux, flux * marked[k, i, a]
                    work[0, a] = like(flux, 0)
                open_gates(block, links + (n + i) * slots, k, work, 2, first, width, slots)
    for k in range(classes):
        for j in range(m):
            for i in range(n - 1):
                for a in range(work.shape[1]):
                    work[0, a] += moved[k, i, j, a]
                    work[1, a] += moved[k, i, j, a] * marked[k, i, a]
            for a in range(work.shape[1]):
                flow, zero, memory = work[0, a] + moved[k, n - 1, j, a], like(work[0, a], 0), last[0, a]
                of_y = work[1, a] + moved[k, n - 1, j, a] * marked[k, n - 1, a]
                w = remembered(mixed(flow, of_y, limit[k, j, a]), limit[k, j, a], memory)
                work[2, a] = flow / lanes_out[j, a]
                work[3, a] = (of_y if memory == like(w, 1) else flow * w) / lanes_out[j, a]
                work[0, a], work[1, a] = zero, zero
            open_gates(block, links + (4 * n + m + j) * slots, k, work, 2, first, width, slots)
    if kind == SOURCE:
        for k in range(classes):
            for slot in range(members):
                source = block.links[number + slot]
                place = place_of_source(source, k, classes, worlds) + first
                for x in range(width):
                    a = slot * width + x
                    came = bodies.vehicles(moved[k, 0, 0, a] / lanes_out[0, a], lanes_out[0, a], dt)
                    block.books[place + x] = bodies.still_waiting(block.books[place + x], block.arrived[source, k, first + x], came)
                    add_exactly(block.books, place + worlds + x, place + 2 * worlds + x, came)

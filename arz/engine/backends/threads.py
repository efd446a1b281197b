"""What one CUDA thread does in a step: it marches along a segment, crosses a node, or keeps a light, an entry or an exit.

Scratch is handed in, because numba makes a thread's own arrays in kernels only; nothing here knows how many threads there are.
"""

from typing import Any

from arz.engine import bodies
from arz.engine.backends.packing import CROSSING, SINK, SOURCE
from arz.engine.backends.spread import (
    APPROACHES,
    CEILING,
    CREEP,
    EXITS,
    HIGH,
    JAM,
    KIND,
    LAW,
    LEFT,
    LIMIT,
    LOW,
    NUMBER,
    NUMBERS,
    OTHER,
    OWN,
    RATIO,
    SCALE,
    SHAPE,
)
from arz.jit import device, index, like
from arz.laws.boundary.registry import flux as end_flux
from arz.laws.junctions.mixture import arriving, carried, mixed, remembered
from arz.laws.junctions.node import node
from arz.laws.order import smaller
from arz.laws.reconstruct import face_ahead
from arz.laws.state import marker, occupancy_of, present, sound

RHO, Y, MARK, SPEED = range(4)
"""Of the cells that a thread has in hand: seen[RHO … SPEED, (behind, here, ahead), class]."""
FACE_RHO, FACE_MARK, MIDDLE_MARK, HALF_MARK, FACE_SPEED = range(5)
"""Of their faces: faces[…, class]; the first two are those of the cell before, until they have been passed."""
FLUX, FLUX_Y, THROUGH, FLUX_BEHIND, FLUX_Y_BEHIND, THROUGH_BEHIND = range(6)
"""What passes a cell's faces: flux[…, class]."""


@device
def read_numbers(n: Any, roads: Any, reach: int, x: int, classes: int) -> None:
    """n[NUMBERS, class]: what holds on a reach of world x."""
    section = roads.section[reach]
    for k in range(classes):
        for row in range(NUMBERS):
            n[row, k] = roads.numbers[reach, row, k]
        n[LOW, k] = roads.span[0, k, x]
        n[HIGH, k] = roads.span[1, k, x]
        if section >= 0:
            n[LIMIT, k] = smaller(n[LIMIT, k], roads.limit[section, k, x])


@device
def read_ghosts(ghosts: Any, state: Any, base: int, stride: int, row: int, segments: Any, s: int, classes: int, order: int) -> None:
    """ghosts[(two before, two behind), row]: the cells beyond a segment, before anybody changes them."""
    for g in range(2 - order, 2 + order):
        at = segments.ghosts[s, g] * stride + base
        for j in range(2 * classes):
            ghosts[g, j] = state[index(at + j * row)]


@device
def reach_faces(faces: Any, middle: Any, seen: Any, n: Any, classes: int, closure: int) -> None:
    """The values of the cell in the middle of three at its faces, after half a step; middle[class] is scratch."""
    for k in range(classes):
        rho, w, of_rho, of_w, of_v = bodies.half_way(
            seen[RHO, 1, k], seen[MARK, 1, k], seen[SPEED, 1, k],
            seen[RHO, 0, k], seen[MARK, 0, k], seen[SPEED, 0, k],
            seen[RHO, 2, k], seen[MARK, 2, k], seen[SPEED, 2, k],
            n[RATIO, 0],
        )  # fmt: skip
        middle[k] = rho
        faces[FACE_RHO, k] = face_ahead(rho, of_rho)
        faces[MIDDLE_MARK, k] = w
        faces[HALF_MARK, k] = of_w
        faces[FACE_SPEED, k] = of_v
    for k in range(classes):
        beside = middle[1 - k] if classes > 1 else like(middle[k], 0)
        w, v = bodies.at_faces(
            closure, middle[k], beside, faces[MIDDLE_MARK, k], faces[HALF_MARK, k], faces[FACE_SPEED, k],
            n[OWN, k], n[OTHER, k], n[SCALE, k], n[JAM, k], n[SHAPE, k],
        )  # fmt: skip
        faces[FACE_MARK, k] = w
        faces[FACE_SPEED, k] = v


@device
def obey(flux: Any, k: int, gates: Any, gate: int, stride: int) -> None:
    """The flux of a class is what the node has said."""
    flux[FLUX, k] = gates[index(gate + 2 * k * stride)]
    flux[FLUX_Y, k] = gates[index(gate + (2 * k + 1) * stride)]


@device
def march(
    before: Any,
    after: Any,
    sums: Any,
    gates: Any,
    base: int,
    stride: int,
    row: int,
    jump: int,
    segments: Any,
    s: int,
    n: Any,
    ghosts: Any,
    seen: Any,
    faces: Any,
    middle: Any,
    flux: Any,
    taken: Any,
    classes: int,
    closure: int,
    equilibrium: int,
    built_in: bool,
    order: int,
) -> None:
    """One step of a segment, cell by cell: read, reached, passed and settled while it is in hand.

    Number j of cell c is at base + (j·places + place(c))·stride, with row = places·stride; so it is in `sums`. taken[class] is what the
    velocity limiter takes, and the last one how many cells are unsound.
    """
    count, at = segments.cells[s], segments.first[s] * stride + base
    gate_in = segments.reach[s] * 4 * classes * stride + base
    gate_out = gate_in + 2 * classes * stride
    step = jump * stride
    up = 2 - order  # the cell behind the face that is passed, among the three in hand
    zero = like(n[OWN, 0], 0)
    one = like(n[OWN, 0], 1)
    told_in, told_out = segments.told[s, 0] > 0, segments.told[s, 1] > 0
    for r in range(-order, count + order):
        here = at + r * step
        for k in range(classes):
            for field in range(4):
                seen[field, 0, k] = seen[field, 1, k]
                seen[field, 1, k] = seen[field, 2, k]
            if r < 0:
                seen[RHO, 2, k], seen[Y, 2, k] = ghosts[index(r + 2), 2 * k], ghosts[index(r + 2), 2 * k + 1]
            elif r >= count:
                seen[RHO, 2, k], seen[Y, 2, k] = ghosts[index(r - count + 2), 2 * k], ghosts[index(r - count + 2), 2 * k + 1]
            else:
                seen[RHO, 2, k], seen[Y, 2, k] = before[index(here + 2 * k * row)], before[index(here + (2 * k + 1) * row)]
        for k in range(classes):
            beside = seen[RHO, 2, 1 - k] if classes > 1 else zero
            w, v = bodies.read_cell(
                closure, seen[RHO, 2, k], seen[Y, 2, k], beside,
                n[OWN, k], n[OTHER, k], n[SCALE, k], n[JAM, k], n[SHAPE, k], n[LOW, k], n[HIGH, k],
            )  # fmt: skip
            seen[MARK, 2, k] = w
            seen[SPEED, 2, k] = v
        face = r - order  # the cell behind the face that can be passed now
        if order > 1 and r >= 0:
            for k in range(classes):
                flux[FLUX, k] = faces[FACE_RHO, k]
                flux[FLUX_Y, k] = faces[FACE_MARK, k]
            reach_faces(faces, middle, seen, n, classes, closure)
        if face >= -1:
            for k in range(classes):
                if order > 1:
                    rho, w, v_ahead = flux[FLUX, k], flux[FLUX_Y, k], faces[FACE_SPEED, k]
                else:
                    rho, w, v_ahead = seen[RHO, up, k], seen[MARK, up, k], seen[SPEED, up + 1, k]
                q, through = bodies.passing(
                    closure, classes > 1, rho, w, seen[SPEED, up, k], v_ahead, n[OWN, k], n[SCALE, k], n[JAM, k], n[SHAPE, k]
                )
                flux[FLUX, k] = q
                flux[FLUX_Y, k] = q * w
                flux[THROUGH, k] = through
                if face == -1 and told_in:
                    obey(flux, k, gates, gate_in, stride)
                    # Beyond a node the limiter's neighbours are other roads: what a ghost repeats would hold back a queue that is let go.
                    flux[THROUGH, k] = n[HIGH, k]
                if face == count - 1 and told_out:
                    obey(flux, k, gates, gate_out, stride)
                    seen[SPEED, up + 1, k] = n[HIGH, k] if classes == 1 else seen[SPEED, up + 1, k]
            if face >= 0:
                settle(
                    after, sums, at + face * step, row, seen, up, middle, flux, n, taken, zero, one, classes, closure, equilibrium, built_in
                )
            for k in range(classes):
                flux[FLUX_BEHIND, k] = flux[FLUX, k]
                flux[FLUX_Y_BEHIND, k] = flux[FLUX_Y, k]
                flux[THROUGH_BEHIND, k] = flux[THROUGH, k]


@device
def settle(
    after: Any,
    sums: Any,
    at: int,
    row: int,
    seen: Any,
    up: int,
    middle: Any,
    flux: Any,
    n: Any,
    taken: Any,
    zero: float,
    one: float,
    classes: int,
    closure: int,
    equilibrium: int,
    built_in: bool,
) -> None:
    """The state of a cell after the step: balance, velocity limiter, relaxation; and what is counted."""
    ratio = n[RATIO, 0]
    for k in range(classes):
        change = bodies.change(ratio, flux[FLUX, k], flux[FLUX_BEHIND, k])
        j = at + 3 * k * row
        rho, rest = bodies.balanced(seen[RHO, up, k], change, sums[index(j + 2 * row)])
        rho = present(rho)
        middle[k] = rho
        sums[index(j)] = sums[index(j)] + rho
        sums[index(j + row)] = sums[index(j + row)] + flux[FLUX, k]
        sums[index(j + 2 * row)] = rest
    for k in range(classes):
        rho = middle[k]
        y = seen[Y, up, k] - bodies.change(ratio, flux[FLUX_Y, k], flux[FLUX_Y_BEHIND, k])
        beside = middle[1 - k] if classes > 1 else zero
        r = occupancy_of(rho, beside, n[OWN, k], n[OTHER, k])
        kept = bodies.kept(
            closure, classes > 1, y, rho, r, flux[THROUGH_BEHIND, k], seen[SPEED, up, k], seen[SPEED, up + 1, k],
            n[LOW, k], n[HIGH, k], n[SCALE, k], n[JAM, k], n[SHAPE, k],
        )  # fmt: skip
        taken[k] = taken[k] + (y - kept)
        taken[classes] = taken[classes] + (zero if sound(rho, y, r, n[CEILING, k]) else one)
        after[index(at + 2 * k * row)] = rho
        after[index(at + (2 * k + 1) * row)] = bodies.adapted(
            closure, equilibrium, built_in, kept, rho, r,
            n[LIMIT, k], n[CREEP, k], n[LEFT, k], n[SCALE, k], n[JAM, k], n[SHAPE, k],
        )  # fmt: skip


@device
def read_approach(
    i: int,
    state: Any,
    at: int,
    row: int,
    roads: Any,
    reach: int,
    x: int,
    opened: float,
    demand: Any,
    marked: Any,
    crowd: Any,
    classes: int,
    closure: int,
) -> None:
    """demand[class, approach i] and marker of its last cell, which is at `at`; a red light sends exactly nothing."""
    numbers, lanes = roads.numbers, roads.lanes[reach]
    for k in range(classes):
        marked[k, i, 0] = marker(state[at + 2 * k * row], state[at + (2 * k + 1) * row], roads.span[0, k, x], roads.span[1, k, x])
    if classes > 1:
        for k in range(2):
            crowd[k, 0] = bodies.crowding(
                closure, state[at + 2 * k * row], state[at + (2 - 2 * k) * row], marked[k, i, 0],
                numbers[reach, OWN, k], numbers[reach, OTHER, k], numbers[reach, SCALE, k], numbers[reach, JAM, k], numbers[reach, SHAPE, k],
            )  # fmt: skip
        thin = bodies.thinnest(
            numbers[reach, OWN, 0], numbers[reach, OWN, 1], state[at], state[at + 2 * row],
            marked[0, i, 0], marked[1, i, 0], crowd[0, 0], crowd[1, 0],
        )  # fmt: skip
        for k in range(2):
            sent = bodies.thinned(
                closure, state[at + 2 * k * row], state[at + (2 - 2 * k) * row], marked[k, i, 0], thin,
                numbers[reach, OWN, k], numbers[reach, OTHER, k], numbers[reach, SCALE, k], numbers[reach, JAM, k], numbers[reach, SHAPE, k],
            )  # fmt: skip
            demand[k, i, 0] = sent * lanes * opened
    else:
        sent = bodies.alone(
            closure, state[at], marked[0, i, 0],
            numbers[reach, OWN, 0], numbers[reach, SCALE, 0], numbers[reach, JAM, 0], numbers[reach, SHAPE, 0],
        )  # fmt: skip
        demand[0, i, 0] = sent * lanes * opened


@device
def speed_at(state: Any, at: int, row: int, roads: Any, reach: int, x: int, k: int, classes: int, closure: int) -> float:
    """How fast a class drives in the cell of a reach that is at `at`."""
    numbers, rho = roads.numbers, state[at + 2 * k * row]
    beside = state[at + (2 - 2 * k) * row] if classes > 1 else like(rho, 0)
    _, v = bodies.read_cell(
        closure, rho, state[at + (2 * k + 1) * row], beside,
        numbers[reach, OWN, k], numbers[reach, OTHER, k], numbers[reach, SCALE, k], numbers[reach, JAM, k], numbers[reach, SHAPE, k],
        roads.span[0, k, x], roads.span[1, k, x],
    )  # fmt: skip
    return v


@device
def cross(
    v: int,
    x: int,
    state: Any,
    gates: Any,
    base: int,
    stride: int,
    row: int,
    ways: Any,
    roads: Any,
    opens: Any,
    wanted: Any,
    rates: Any,
    demand: Any,
    marked: Any,
    v_ahead: Any,
    room: Any,
    moved: Any,
    work: Any,
    classes: int,
    closure: int,
) -> None:
    """One step of node v in world x: what wants to pass, what may, and what is told to the roads.

    demand and marked are [class, approach, 1], v_ahead and room [class, exit, 1], moved [class, approach, exit, 1], as many as it has.
    """
    kind, law, number = ways.shape[v, KIND], ways.shape[v, LAW], ways.shape[v, NUMBER]
    n, m = ways.shape[v, APPROACHES], ways.shape[v, EXITS]
    last = ways.last[v]
    if kind == SOURCE:
        for k in range(classes):
            demand[k, 0, 0] = wanted[number, k, x]
            marked[k, 0, 0] = roads.numbers[ways.ways_out[v, 0], LIMIT, k]
    else:
        for i in range(n):
            reach, meter = ways.ways_in[v, i], ways.meters[v, i]
            at = roads.ends[reach, 1] * stride + base
            read_approach(i, state, at, row, roads, reach, x, opens[ways.lights[v, i], x], demand, marked, work, classes, closure)
            if meter >= 0:
                bodies.hold_back(demand, i, 0, rates[meter, x])
    if kind == SINK:
        reach = ways.ways_in[v, 0]
        gate = (reach * 4 + 2) * classes * stride + base
        bodies.hold_back(demand, 0, 0, last)
        for k in range(classes):
            # The cap has been shared out among the classes above.
            flux = end_flux(law, (demand[k, 0, 0], demand[k, 0, 0], demand[k, 0, 0])) / roads.lanes[reach]
            gates[gate + 2 * k * stride] = flux
            gates[gate + (2 * k + 1) * stride] = flux * marked[k, 0, 0]
        return
    for j in range(m):
        reach = ways.ways_out[v, j]
        for k in range(classes):
            v_ahead[k, j, 0] = speed_at(state, roads.ends[reach, 0] * stride + base, row, roads, reach, x, k, classes, closure)
    node(
        moved, room, demand, marked, v_ahead, ways.ratio[v, :, :n, :m], ways.priority[v, :n], ways.lanes_out[v, :m],
        ways.exits[v, 0, :, :m], ways.exits[v, 1, :, :m], ways.exits[v, 2, :, :m], ways.exits[v, 3, :, :m], work, closure, law,
    )  # fmt: skip
    if kind == CROSSING:
        for k in range(classes):
            for i in range(n):
                reach = ways.ways_in[v, i]
                gate = (reach * 4 + 2) * classes * stride + base
                flow = like(last, 0)
                for j in range(m):
                    flow += moved[k, i, j, 0]
                flux = flow / roads.lanes[reach]
                gates[gate + 2 * k * stride] = flux
                gates[gate + (2 * k + 1) * stride] = flux * marked[k, i, 0]
    for k in range(classes):
        for j in range(m):
            reach, lanes, limit = ways.ways_out[v, j], ways.lanes_out[v, j, 0], roads.numbers[ways.ways_out[v, j], LIMIT, k]
            gate = reach * 4 * classes * stride + base
            arriving(work[0], moved[k], j)
            carried(work[1], moved[k], marked[k], j)
            flow, of_y = work[0, 0], work[1, 0]
            w = remembered(mixed(flow, of_y, limit), limit, last)
            gates[gate + 2 * k * stride] = flow / lanes
            gates[gate + (2 * k + 1) * stride] = (of_y if last == like(w, 1) else flow * w) / lanes


@device
def turn_light(light: int, x: int, opens: Any, windows: Any, begin: float, dt: float) -> None:
    """opens[light, x]: which part of this step is green."""
    seconds = 0.0
    for window in range(windows.shape[1]):
        seconds += bodies.lit(begin, begin + dt, windows[light, window, 0, x], windows[light, window, 1, x])
    opens[light, x] = bodies.openness(seconds, dt)


@device
def let_arrive(
    source: int,
    x: int,
    arrived: Any,
    wanted: Any,
    entries: Any,
    times: Any,
    arriving: Any,
    pieces: Any,
    begin: float,
    dt: float,
    classes: int,
) -> None:
    """arrived[source, class, x]: the vehicles that come to an entry in this step; and wanted, the flux that would let all in."""
    last = times.shape[1] - 1
    piece = pieces[x]
    while piece < last and times[x, piece + 1] <= begin:
        piece += 1
    for k in range(classes):
        arrived[source, k, x] = 0.0
    now = begin
    while now < begin + dt:
        until = begin + dt if piece == last else smaller(times[x, piece + 1], begin + dt)
        for k in range(classes):
            arrived[source, k, x] += arriving[source, k, piece, x] * (until - now)
        now = until
        piece += 1
    for k in range(classes):
        wanted[source, k, x] = bodies.asked_for(entries[source, k, 0, x], arrived[source, k, x], dt)


@device
def let_in(
    source: int, x: int, arrived: Any, entries: Any, gates: Any, gate: int, stride: int, lanes: float, dt: float, classes: int
) -> None:
    """Books who has come in by an entry, whose gate is at `gate`."""
    for k in range(classes):
        came = bodies.vehicles(gates[gate + 2 * k * stride], lanes, dt)
        entries[source, k, 0, x] = bodies.still_waiting(entries[source, k, 0, x], arrived[source, k, x], came)
        entries[source, k, 1, x], entries[source, k, 2, x] = bodies.exactly(entries[source, k, 1, x], entries[source, k, 2, x], came)


@device
def let_out(sink: int, x: int, exits: Any, gates: Any, gate: int, stride: int, lanes: float, dt: float, classes: int) -> None:
    """Books who has left by an exit, whose gate is at `gate`."""
    for k in range(classes):
        went = bodies.vehicles(gates[gate + 2 * k * stride], lanes, dt)
        exits[sink, k, 0, x], exits[sink, k, 1, x] = bodies.exactly(exits[sink, k, 0, x], exits[sink, k, 1, x], went)


@device
def keep(
    p: int,
    x: int,
    moment: Any,
    gates: Any,
    base: int,
    stride: int,
    roads: Any,
    begin: float,
    dt: float,
    ends: bool,
    begins: bool,
    classes: int,
) -> None:
    """Keeper p of world x, a light, an entry or an exit: books the step that ends, and makes ready the one that begins."""
    lights, sources = moment.windows.shape[0], moment.sources.shape[0]
    if p < lights:
        if begins:
            turn_light(p, x, moment.opens, moment.windows, begin, dt)
    elif p < lights + sources:
        source = p - lights
        reach = moment.sources[source]
        if ends:
            gate = reach * 4 * classes * stride + base
            let_in(source, x, moment.arrived, moment.entries, gates, gate, stride, roads.lanes[reach], dt, classes)
        if begins:
            let_arrive(
                source, x, moment.arrived, moment.wanted, moment.entries, moment.times, moment.arriving, moment.pieces, begin, dt, classes
            )
    elif ends:
        sink = p - lights - sources
        reach = moment.sinks[sink]
        gate = (reach * 4 + 2) * classes * stride + base
        let_out(sink, x, moment.exits, gates, gate, stride, roads.lanes[reach], dt, classes)


@device
def count_road(
    road: int,
    x: int,
    state: Any,
    base: int,
    sums: Any,
    sums_base: int,
    stride: int,
    row: int,
    pieces: Any,
    roads: Any,
    counted: Any,
    threshold: float,
    summed: bool,
    classes: int,
    closure: int,
) -> None:
    """Adds up what is counted of a road from its pieces: of the steps since the sums were begun, or if not summed of this moment."""
    for k in range(classes):
        spent, distance, inside, queue = 0.0, 0.0, 0.0, 0.0
        for piece in range(pieces.first[road], pieces.first[road + 1]):
            reach, metres = pieces.reach[piece], pieces.metres[piece]
            at, sums_at = pieces.place[piece] * stride + base, pieces.place[piece] * stride + sums_base
            v = speed_at(state, at, row, roads, reach, x, k, classes, closure)
            vehicles = float(state[at + 2 * k * row]) * metres
            if summed:
                spent += float(sums[sums_at + 3 * k * row]) * metres
                distance += float(sums[sums_at + (3 * k + 1) * row]) * metres
            else:
                spent += vehicles
                distance += vehicles * float(v)
            inside += vehicles
            if v < threshold:
                queue += vehicles
        counted[0, x, road, k], counted[1, x, road, k], counted[2, x, road, k], counted[3, x, road, k] = spent, distance, inside, queue

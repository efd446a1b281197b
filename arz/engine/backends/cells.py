"""One step of the cells of a bundle, row after row: what `cpu` runs on all that is between nodes."""

from typing import Any

from arz.engine import bodies
from arz.engine.backends.packing import CLASS_ROWS, HIGH, LEFT, LIMIT, LOW, PAD, SCRATCH_ROWS, SUM_ROWS, TAKEN, WIDTH
from arz.engine.backends.tables import inlined
from arz.jit import device, like
from arz.laws.junctions.filling import instead
from arz.laws.reconstruct import face_ahead
from arz.laws.state import occupancy_of, present, sound

OWN, OTHER, SCALE, JAM, SHAPE = range(5)
CREEP, CEILING = 8, 10
RHO, MARK, SPEED, FACE_RHO, FACE_MARK, THROUGH, FLUX, FLUX_Y = range(SCRATCH_ROWS)
"""What scratch holds of a cell, a row per class each; the last three of its face ahead."""


@inlined
def number(block: Any, numbers: int, k: int, row: int, a: int) -> Any:
    """One of `numbers`."""
    return block.numbers[numbers + (1 + k * CLASS_ROWS + row) * WIDTH + a]


@inlined
def place(c: int, field: int, k: int, a: int, classes: int) -> int:
    """Where scratch holds a field of row c."""
    return c * (SCRATCH_ROWS * classes * WIDTH + PAD) + (field * classes + k) * WIDTH + a


@device
def fill_ghosts(block: Any, classes: int) -> None:
    """What is beyond the ends of every segment, from the state before the step."""
    state, ghosts, worlds = block.state, block.ghosts, block.times.shape[0]
    for ghost in range(ghosts.shape[0]):
        source, target = ghosts[ghost, 0], ghosts[ghost, 1]
        for row in range(2 * classes):
            if worlds == 1:
                state[target + row * WIDTH] = state[source + row * WIDTH]
            else:
                for x in range(worlds):
                    state[target + row * WIDTH + x] = state[source + row * WIDTH + x]


@inlined
def read(block: Any, at: int, numbers: int, c: int, k: int, a: int, classes: int, closure: int) -> None:
    """The marker and the speed of a class in a cell of row c, a ghost as well, into scratch."""
    cell = at + c * 2 * classes * WIDTH + a
    rho = block.state[cell + 2 * k * WIDTH]
    beside = block.state[cell + 2 * (1 - k) * WIDTH] if classes > 1 else like(rho, 0)
    w, v = bodies.read_cell(
        closure,
        rho,
        block.state[cell + (2 * k + 1) * WIDTH],
        beside,
        number(block, numbers, k, OWN, a),
        number(block, numbers, k, OTHER, a),
        number(block, numbers, k, SCALE, a),
        number(block, numbers, k, JAM, a),
        number(block, numbers, k, SHAPE, a),
        number(block, numbers, k, LOW, a),
        number(block, numbers, k, HIGH, a),
    )
    block.scratch[place(c, RHO, k, a, classes)] = rho
    block.scratch[place(c, MARK, k, a, classes)] = w
    block.scratch[place(c, SPEED, k, a, classes)] = v


@inlined
def half_way(block: Any, numbers: int, c: int, k: int, a: int, classes: int) -> Any:
    """A class in the middle of a cell of row c after half a step, and half its slopes; see `bodies`."""
    scratch = block.scratch
    return bodies.half_way(
        scratch[place(c, RHO, k, a, classes)],
        scratch[place(c, MARK, k, a, classes)],
        scratch[place(c, SPEED, k, a, classes)],
        scratch[place(c - 1, RHO, k, a, classes)],
        scratch[place(c - 1, MARK, k, a, classes)],
        scratch[place(c - 1, SPEED, k, a, classes)],
        scratch[place(c + 1, RHO, k, a, classes)],
        scratch[place(c + 1, MARK, k, a, classes)],
        scratch[place(c + 1, SPEED, k, a, classes)],
        block.numbers[numbers + a],
    )


@inlined
def reach(block: Any, numbers: int, c: int, k: int, a: int, half: Any, beside: float, classes: int, closure: int) -> float:
    """From there to the faces: what is ahead into scratch; gives the speed at the face behind."""
    w, v = bodies.at_faces(
        closure,
        half[0],
        beside,
        half[1],
        half[3],
        half[4],
        number(block, numbers, k, OWN, a),
        number(block, numbers, k, OTHER, a),
        number(block, numbers, k, SCALE, a),
        number(block, numbers, k, JAM, a),
        number(block, numbers, k, SHAPE, a),
    )
    block.scratch[place(c, FACE_RHO, k, a, classes)] = face_ahead(half[0], half[2])
    block.scratch[place(c, FACE_MARK, k, a, classes)] = w
    return v


@inlined
def pass_face(block: Any, numbers: int, c: int, k: int, a: int, v_ahead: float, classes: int, closure: int, order: int) -> None:
    """The flux of a class from row c to the next, into scratch of c; at the end of a road it is not what passes."""
    scratch = block.scratch
    w = scratch[place(c, FACE_MARK if order > 1 else MARK, k, a, classes)]
    q, through = bodies.passing(
        closure,
        classes > 1,
        scratch[place(c, FACE_RHO if order > 1 else RHO, k, a, classes)],
        w,
        scratch[place(c, SPEED, k, a, classes)],
        v_ahead,
        number(block, numbers, k, OWN, a),
        number(block, numbers, k, SCALE, a),
        number(block, numbers, k, JAM, a),
        number(block, numbers, k, SHAPE, a),
    )
    scratch[place(c, FLUX, k, a, classes)] = q
    scratch[place(c, FLUX_Y, k, a, classes)] = q * w
    if classes == 1:
        scratch[place(c, THROUGH, k, a, classes)] = through


@inlined
def read_row(block: Any, at: int, numbers: int, c: int, classes: int, closure: int) -> None:
    """What `read` says, for a row."""
    for a in range(WIDTH):
        read(block, at, numbers, c, 0, a, classes, closure)
        if classes > 1:
            read(block, at, numbers, c, 1, a, classes, closure)


@inlined
def reach_row(block: Any, numbers: int, c: int, classes: int, closure: int) -> None:
    """What `reach` says, for a row."""
    for a in range(WIDTH):
        m = half_way(block, numbers, c, 0, a, classes)
        if classes > 1:
            n = half_way(block, numbers, c, 1, a, classes)
            reach(block, numbers, c, 0, a, m, n[0], classes, closure)
            reach(block, numbers, c, 1, a, n, m[0], classes, closure)
        else:
            reach(block, numbers, c, 0, a, m, like(m[0], 0), classes, closure)


@inlined
def pass_row(block: Any, at: int, numbers: int, c: int, classes: int, closure: int, order: int) -> None:
    """The fluxes from row c to the next, from rows that have not been read yet: one more at first order, two at second."""
    # In one loop: what one law leaves for the next need not go through memory.
    for a in range(WIDTH):
        if order == 1:
            read(block, at, numbers, c + order, 0, a, classes, closure)
            if classes > 1:
                read(block, at, numbers, c + order, 1, a, classes, closure)
        if order > 1:
            m = half_way(block, numbers, c + 1, 0, a, classes)
            if classes > 1:
                n = half_way(block, numbers, c + 1, 1, a, classes)
                v_m = reach(block, numbers, c + 1, 0, a, m, n[0], classes, closure)
                v_n = reach(block, numbers, c + 1, 1, a, n, m[0], classes, closure)
                pass_face(block, numbers, c, 0, a, v_m, classes, closure, order)
                pass_face(block, numbers, c, 1, a, v_n, classes, closure, order)
            else:
                v_m = reach(block, numbers, c + 1, 0, a, m, like(m[0], 0), classes, closure)
                pass_face(block, numbers, c, 0, a, v_m, classes, closure, order)
        else:
            pass_face(block, numbers, c, 0, a, block.scratch[place(c + 1, SPEED, 0, a, classes)], classes, closure, order)
            if classes > 1:
                pass_face(block, numbers, c, 1, a, block.scratch[place(c + 1, SPEED, 1, a, classes)], classes, closure, order)


@inlined
def begin_road(block: Any, numbers: int, gates: int, b: int, classes: int) -> None:
    """The fluxes into the first row, where a road begins: what its node has said."""
    for k in range(classes):
        for a in range(WIDTH):
            mark = block.marks[3 * b * WIDTH + a]
            now = like(mark, 1) if mark > like(mark, 0) else like(mark, 0)
            # The limiter asks how fast traffic may come through this face.
            limiter = place(1, THROUGH, k, a, classes)
            obey(block, 1, k, a, limiter, gates + 2 * k * WIDTH + a, numbers, now, classes)


@inlined
def end_road(block: Any, numbers: int, gates: int, b: int, c: int, classes: int) -> None:
    """The fluxes out of row c, where a road ends with it: what its node has said."""
    for k in range(classes):
        for a in range(WIDTH):
            mark = block.marks[(3 * b + 1) * WIDTH + a]
            told = (mark > like(mark, 0)) & (block.marks[(3 * b + 2) * WIDTH + a] == like(mark, c - 1))
            now = like(mark, 1) if told else like(mark, 0)
            # The limiter asks how fast traffic moves in the cell beyond.
            limiter = place(c + 1, SPEED, k, a, classes)
            obey(block, c, k, a, limiter, gates + 2 * (classes + k) * WIDTH + a, numbers, now, classes)


@inlined
def obey(block: Any, c: int, k: int, a: int, limiter: int, gate: int, numbers: int, now: float, classes: int) -> None:
    """Where now is 1, the flux from row c is what the node has said, and the limiter holds nothing back; where it is 0, nothing changes."""
    scratch = block.scratch
    flux, flux_y = place(c, FLUX, k, a, classes), place(c, FLUX_Y, k, a, classes)
    scratch[flux] = instead(now, block.gates[gate], scratch[flux])
    scratch[flux_y] = instead(now, block.gates[gate + WIDTH], scratch[flux_y])
    if classes == 1:
        # Beyond a node the limiter's neighbours are other roads: what a ghost repeats would hold back a queue that is let go.
        scratch[limiter] = instead(now, number(block, numbers, k, HIGH, a), scratch[limiter])


@inlined
def moved(block: Any, at: int, sums_at: int, numbers: int, c: int, k: int, a: int, classes: int) -> Any:
    """(rho, y) of a class in a cell of row c after what came and went; and what is counted."""
    scratch, ratio = block.scratch, block.numbers[numbers + a]
    flux = scratch[place(c, FLUX, k, a, classes)]
    change = bodies.change(ratio, flux, scratch[place(c - 1, FLUX, k, a, classes)])
    of_y = bodies.change(ratio, scratch[place(c, FLUX_Y, k, a, classes)], scratch[place(c - 1, FLUX_Y, k, a, classes)])
    j = sums_at + ((c - 2) * classes + k) * SUM_ROWS * WIDTH + a
    rho, rest = bodies.balanced(scratch[place(c, RHO, k, a, classes)], change, block.sums[j + 2 * WIDTH])
    rho = present(rho)
    block.sums[j] = block.sums[j] + rho
    block.sums[j + WIDTH] = block.sums[j + WIDTH] + flux
    block.sums[j + 2 * WIDTH] = rest
    return rho, block.state[at + (c * 2 * classes + 2 * k + 1) * WIDTH + a] - of_y


@inlined
def settle(
    block: Any, at: int, sums_at: int, numbers: int, c: int, k: int, a: int,
    rho: float, y: float, beside: float, classes: int, closure: int, equilibrium: int, built_in: bool,
) -> bool:  # fmt: skip
    """The state of a class in a cell of row c after the step: velocity limiter, relaxation. Tells whether it was sound before them."""
    scratch = block.scratch
    scale, jam, shape = number(block, numbers, k, SCALE, a), number(block, numbers, k, JAM, a), number(block, numbers, k, SHAPE, a)
    r = occupancy_of(rho, beside, number(block, numbers, k, OWN, a), number(block, numbers, k, OTHER, a))
    kept = bodies.kept(
        closure,
        classes > 1,
        y,
        rho,
        r,
        scratch[place(c - 1, THROUGH, k, a, classes)],
        scratch[place(c, SPEED, k, a, classes)],
        scratch[place(c + 1, SPEED, k, a, classes)],
        number(block, numbers, k, LOW, a),
        number(block, numbers, k, HIGH, a),
        scale,
        jam,
        shape,
    )
    j = sums_at + (((c - 2) * classes + k) * SUM_ROWS + TAKEN) * WIDTH + a
    block.sums[j] = block.sums[j] + (y - kept)
    adapted = bodies.adapted(
        closure,
        equilibrium,
        built_in,
        kept,
        rho,
        r,
        number(block, numbers, k, LIMIT, a),
        number(block, numbers, k, CREEP, a),
        number(block, numbers, k, LEFT, a),
        scale,
        jam,
        shape,
    )
    cell = at + (c * 2 * classes + 2 * k) * WIDTH + a
    block.state[cell] = rho
    block.state[cell + WIDTH] = adapted
    return sound(rho, y, r, number(block, numbers, k, CEILING, a))


@inlined
def settle_row(
    block: Any, at: int, sums_at: int, numbers: int, b: int, c: int, ragged: int,
    classes: int, closure: int, equilibrium: int, built_in: bool,
) -> None:  # fmt: skip
    """The state of a row of cells after the step, and how many are unsound; in a ragged row some are beyond the end of their segment."""
    for a in range(WIDTH):
        cells = block.marks[(3 * b + 2) * WIDTH + a]
        zero, one = like(cells, 0), like(cells, 1)
        # What is beyond the end is nobody's state.
        inside = like(cells, c - 2) < cells if ragged else True
        m = moved(block, at, sums_at, numbers, c, 0, a, classes)
        if classes > 1:
            n = moved(block, at, sums_at, numbers, c, 1, a, classes)
            right = settle(block, at, sums_at, numbers, c, 0, a, m[0], m[1], n[0], classes, closure, equilibrium, built_in)
            right = right & settle(block, at, sums_at, numbers, c, 1, a, n[0], n[1], m[0], classes, closure, equilibrium, built_in)
        else:
            right = settle(block, at, sums_at, numbers, c, 0, a, m[0], m[1], zero, classes, closure, equilibrium, built_in)
        j = b * WIDTH + a
        block.tally[j] = block.tally[j] + (one if inside & (not right) else zero)


@device
def sweep(block: Any, b: int, classes: int, closure: int, equilibrium: int, built_in: bool, order: int) -> None:
    """One step of one bundle, from its first cell to its last: a row is read, passed and settled while it is near."""
    longest, shortest, at, sums_at = block.cells[b, 0], block.cells[b, 1], block.cells[b, 2], block.cells[b, 3]
    numbers = b * (1 + classes * CLASS_ROWS) * WIDTH
    gates = b * 4 * classes * WIDTH
    for c in range(order + 1):
        read_row(block, at, numbers, c, classes, closure)
    if order > 1:
        reach_row(block, numbers, 1, classes, closure)
    for c in range(1, longest + 2):
        if order > 1:
            read_row(block, at, numbers, c + order, classes, closure)
        pass_row(block, at, numbers, c, classes, closure, order)
        if c == 1:
            begin_road(block, numbers, gates, b, classes)
        if c > shortest:
            end_road(block, numbers, gates, b, c, classes)
        if c > shortest + 1:
            settle_row(block, at, sums_at, numbers, b, c, 1, classes, closure, equilibrium, built_in)
        elif c > 1:
            settle_row(block, at, sums_at, numbers, b, c, 0, classes, closure, equilibrium, built_in)

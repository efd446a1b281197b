"""One step of the cells of a bundle, row after row: what `cpu` runs on all that is between nodes."""

from typing import Any

from arz.engine import bodies
from arz.engine.backends.packing import CLASS_ROWS, HIGH, LEFT, LIMIT, LOW, WIDTH
from arz.engine.backends.tables import inlined
from arz.jit import device, like
from arz.laws.junctions.filling import instead
from arz.laws.reconstruct import face_ahead
from arz.laws.state import occupancy_of, present, sound

OWN, OTHER, SCALE, JAM, SHAPE = range(5)
CREEP, CEILING = 8, 10
RHO, MARK, SPEED, FACE_RHO, FACE_MARK, FACE_SPEED, FLUX, FLUX_Y = range(8)
"""What scratch holds of a cell, a row per class each."""
PAD = 16  # so that rows of neighbouring cells do not compete for the same lines of the cache


@inlined
def at_row(k: int, row: int) -> int:
    """The place of a row of `numbers`."""
    return (1 + k * CLASS_ROWS + row) * WIDTH


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
                mark = block.marks[3 * b * WIDTH + a]
                now = like(mark, 1) if mark > like(mark, 0) else like(mark, 0)
                i = stride + k * WIDTH + a
                # The limiter asks how fast traffic may come through this face.
                obey(block, i, i + FACE_SPEED * WIDTH, gates + 2 * k * WIDTH + a, numbers + at_row(k, HIGH) + a, now, classes)
    if c >= shortest + 2:
        for k in range(classes):
            for a in range(WIDTH):
                mark = block.marks[(3 * b + 1) * WIDTH + a]
                told = (mark > like(mark, 0)) & (block.marks[(3 * b + 2) * WIDTH + a] == like(mark, c - 2))
                now = like(mark, 1) if told else like(mark, 0)
                i = (c - 1) * stride + k * WIDTH + a
                # The limiter asks how fast traffic moves in the cell beyond.
                beyond = i + stride + SPEED * WIDTH
                obey(block, i, beyond, gates + 2 * (classes + k) * WIDTH + a, numbers + at_row(k, HIGH) + a, now, classes)


@inlined
def obey(block: Any, i: int, limiter: int, gate: int, high: int, now: float, classes: int) -> None:
    """Where now is 1, the flux of scratch i is what the node has said, and the limiter holds nothing back; where it is 0, nothing changes."""
    scratch = block.scratch
    flux, flux_y = i + FLUX * classes * WIDTH, i + FLUX_Y * classes * WIDTH
    scratch[flux] = instead(now, block.gates[gate], scratch[flux])
    scratch[flux_y] = instead(now, block.gates[gate + WIDTH], scratch[flux_y])
    if classes == 1:
        # Beyond a node the limiter's neighbours are other roads: what a ghost repeats would hold back a queue that is let go.
        scratch[limiter] = instead(now, block.numbers[high], scratch[limiter])


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
            ratio = table[numbers + a]
            flux = scratch[i + FLUX * classes * WIDTH]
            change = bodies.change(ratio, flux, scratch[i - stride + FLUX * classes * WIDTH])
            j = counted + 3 * k * WIDTH + a
            rho, rest = bodies.balanced(scratch[i + RHO * classes * WIDTH], change, block.sums[j + 2 * WIDTH])
            block.sums[j + 2 * WIDTH] = rest
            before = block.state[cell + (2 * k + 1) * WIDTH + a]
            of_y = bodies.change(ratio, scratch[i + FLUX_Y * classes * WIDTH], scratch[i - stride + FLUX_Y * classes * WIDTH])
            rho = present(rho)
            scratch[i + FACE_RHO * classes * WIDTH] = rho
            scratch[i + FACE_MARK * classes * WIDTH] = before - of_y
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
            wrong = inside & (not sound(rho, y, r, table[numbers + at_row(k, CEILING) + a]))
            j = tally + k * WIDTH + a
            block.tally[j] = block.tally[j] + (y - kept if inside else zero)
            j = tally + classes * WIDTH + a
            block.tally[j] = block.tally[j] + (one if wrong else zero)
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

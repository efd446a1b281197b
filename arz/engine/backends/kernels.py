"""The CUDA kernels of one model: who does what, and who waits for whom.

Over the grid a step is two launches: the nodes tell the roads what passes their ends, then the segments march, while others keep the books.
In a block a whole interval is one launch, and its threads wait for each other where launches would. Fused multiply-adds are off, as on the
CPU: so a result depends neither on the device, nor on where a reach is cut, nor on which of two places the compiler put an expression.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, NamedTuple

import numba
from numba import config, cuda

from arz.engine.backends.spread import APPROACHES, EXITS, NUMBERS
from arz.engine.backends.threads import count_road, cross, keep, march, read_ghosts, read_numbers
from arz.jit import code_folder, named
from arz.laws.junctions.node import rows as scratch_rows

SIMULATED: bool = bool(config.ENABLE_CUDASIM)
"""Whether numba plays the device in Python, for tests on machines without one."""


class Model(NamedTuple):
    """What is a constant to the compiler."""

    classes: int
    closure: int
    equilibrium: int
    built_in: bool
    order: int
    kind: str
    most_in: int
    """Approaches of the widest node; so are its exits."""
    most_out: int
    books: bool = True
    """Whether lights, entries and exits are kept; without, only to look at the code: it has no float64 then."""
    registers: int = 0
    """The most that a thread of the long kernels may take, so that more of them are at work; 0 leaves that to the compiler."""


class Kernels(NamedTuple):
    """Called as kernel[blocks, threads, stream, shared bytes](…)."""

    begin: Any
    nodes: Any
    cells: Any
    interval: Any
    reckon: Any
    count: Any


@cache
def kernels(model: Model, *, blocks: bool) -> Kernels:
    """The kernels of a model, for worlds in blocks of their own or over the grid; each is compiled when it is first asked for."""
    classes, closure, equilibrium, built_in, order, _, most_in, most_out, books, registers = model
    kind = getattr(numba, model.kind)
    scratch, both, told = scratch_rows(classes, most_out), 2 * classes, classes + 1

    def begin(moment: Any, gates: Any, roads: Any, sums: Any, tally: Any, worlds: int, start: float, dt: float) -> None:
        """Makes ready the first step of an interval, a thread for each keeper and world, and sets to 0 what is summed over it."""
        i, width = cuda.grid(1), cuda.gridsize(1)
        keepers = moment.windows.shape[0] + moment.sources.shape[0] + moment.sinks.shape[0]
        if i < keepers * worlds:
            keep(i // worlds, i % worlds, moment, gates, i % worlds, worlds, roads, start, dt, False, True, classes)
        for j in range(i, sums.size, width):
            sums[j] = 0
        for j in range(i, tally.shape[1] * worlds, width):
            for k in range(classes + 1):
                tally[k, j // worlds, j % worlds] = 0

    def nodes(state: Any, gates: Any, ways: Any, roads: Any, opens: Any, wanted: Any, rates: Any, worlds: int, row: int) -> None:
        """A thread for each node and world."""
        i = cuda.grid(1)
        if i < ways.shape.shape[0] * worlds:
            v, x = i // worlds, i % worlds
            n, m = ways.shape[v, APPROACHES], ways.shape[v, EXITS]
            demand = cuda.local.array((classes, most_in, 1), kind)
            marked = cuda.local.array((classes, most_in, 1), kind)
            v_ahead = cuda.local.array((classes, most_out, 1), kind)
            room = cuda.local.array((classes, most_out, 1), kind)
            moved = cuda.local.array((classes, most_in, most_out, 1), kind)
            work = cuda.local.array((scratch, 1), kind)
            cross(
                v, x, state, gates, x, worlds, row, ways, roads, opens, wanted, rates,
                demand[:, :n], marked[:, :n], v_ahead[:, :m], room[:, :m], moved[:, :n, :m], work, classes, closure,
            )  # fmt: skip

    def cells(
        before: Any, after: Any, sums: Any, gates: Any, tally: Any, segments: Any, roads: Any, moment: Any,
        worlds: int, row: int, following: float, dt: float, more: int,
    ) -> None:  # fmt: skip
        """A thread for each segment and world; and for each keeper and world, who books this step and makes ready the one that follows."""
        i = cuda.grid(1)
        marching = segments.first.shape[0] * worlds
        if i < marching:
            s, x = i // worlds, i % worlds
            n = cuda.local.array((NUMBERS, classes), kind)
            ghosts = cuda.local.array((4, both), kind)
            seen = cuda.local.array((4, 3, classes), kind)
            faces = cuda.local.array((5, classes), kind)
            middle = cuda.local.array((classes,), kind)
            flux = cuda.local.array((6, classes), kind)
            taken = cuda.local.array((told,), kind)
            read_numbers(n, roads, segments.reach[s], x, classes)
            read_ghosts(ghosts, before, x, worlds, row, segments, s, classes, order)
            for k in range(classes + 1):
                taken[k] = tally[k, s, x]
            march(
                before, after, sums, gates, x, worlds, row, 1, segments, s, n, ghosts, seen, faces, middle, flux, taken,
                classes, closure, equilibrium, built_in, order,
            )  # fmt: skip
            for k in range(classes + 1):
                tally[k, s, x] = taken[k]
        elif books:
            j = i - marching
            keepers = moment.windows.shape[0] + moment.sources.shape[0] + moment.sinks.shape[0]
            if j < keepers * worlds:
                keep(j // worlds, j % worlds, moment, gates, j % worlds, worlds, roads, following, dt, True, more > 0, classes)

    def interval(
        state: Any, sums: Any, tally: Any, segments: Any, ways: Any, roads: Any, moment: Any,
        worlds: int, places: int, start: float, dt: float, steps: int,
    ) -> None:  # fmt: skip
        """A block for each world, which is in shared memory from the first step to the last; a thread for each segment."""
        x, t, width = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
        if x >= worlds:
            return
        whole = cuda.shared.array(0, kind)
        here = whole[: 2 * classes * places]
        added = whole[2 * classes * places : 5 * classes * places]
        gates = whole[5 * classes * places :]
        for i in range(t, 2 * classes * places, width):
            here[i] = state[x * 2 * classes * places + i]
        for i in range(t, 3 * classes * places, width):
            added[i] = 0
        n = cuda.local.array((NUMBERS, classes), kind)
        ghosts = cuda.local.array((4, both), kind)
        seen = cuda.local.array((4, 3, classes), kind)
        faces = cuda.local.array((5, classes), kind)
        middle = cuda.local.array((classes,), kind)
        flux = cuda.local.array((6, classes), kind)
        taken = cuda.local.array((told,), kind)
        demand = cuda.local.array((classes, most_in, 1), kind)
        marked = cuda.local.array((classes, most_in, 1), kind)
        v_ahead = cuda.local.array((classes, most_out, 1), kind)
        room = cuda.local.array((classes, most_out, 1), kind)
        moved = cuda.local.array((classes, most_in, most_out, 1), kind)
        work = cuda.local.array((scratch, 1), kind)
        marches = t < segments.first.shape[0]
        if marches:
            read_numbers(n, roads, segments.reach[t], x, classes)
        for k in range(classes + 1):
            taken[k] = 0
        keepers = moment.windows.shape[0] + moment.sources.shape[0] + moment.sinks.shape[0]
        # The last threads have the shortest segments, or none.
        late = width - 1 - t
        if books:
            for p in range(late, keepers, width):
                keep(p, x, moment, gates, 0, 1, roads, start, dt, False, True, classes)
        cuda.syncthreads()
        for step in range(steps):
            if marches:
                read_ghosts(ghosts, here, 0, 1, places, segments, t, classes, order)
            for v in range(late, ways.shape.shape[0], width):
                a, b = ways.shape[v, APPROACHES], ways.shape[v, EXITS]
                cross(
                    v, x, here, gates, 0, 1, places, ways, roads, moment.opens, moment.wanted, moment.rates,
                    demand[:, :a], marked[:, :a], v_ahead[:, :b], room[:, :b], moved[:, :a, :b], work, classes, closure,
                )  # fmt: skip
            cuda.syncthreads()  # the gates are told, and nobody needs the state of before any more
            if marches:
                march(
                    here, here, added, gates, 0, 1, places, segments.first.shape[0], segments, t, n, ghosts, seen, faces, middle, flux, taken,
                    classes, closure, equilibrium, built_in, order,
                )  # fmt: skip
            if books:
                for p in range(late, keepers, width):
                    keep(p, x, moment, gates, 0, 1, roads, start + (step + 1) * dt, dt, True, step + 1 < steps, classes)
            cuda.syncthreads()  # everybody sees the state after the step
        for i in range(t, 2 * classes * places, width):
            state[x * 2 * classes * places + i] = here[i]
        for i in range(t, 3 * classes * places, width):
            sums[x * 3 * classes * places + i] = added[i]
        if marches:
            for k in range(classes + 1):
                tally[k, t, x] = taken[k]

    def reckon(tally: Any, weight: Any, faults: Any, removed: Any, worlds: int) -> None:
        """A thread for each world: its unsound cells, and what the velocity limiter has taken."""
        x = cuda.grid(1)
        if x < worlds:
            faults[x] = 0.0
            for s in range(weight.shape[0]):
                faults[x] += float(tally[classes, s, x])
                for k in range(classes):
                    removed[k, x] += float(tally[k, s, x]) * weight[s]

    def count(
        state: Any, sums: Any, pieces: Any, roads: Any, counted: Any, worlds: int, places: int, threshold: float, summed: int
    ) -> None:
        """A thread for each road and world."""
        i = cuda.grid(1)
        lengths = pieces.first.shape[0] - 1
        if i < lengths * worlds:
            if blocks:
                road, x = i % lengths, i // lengths
                base, sums_base, stride = x * 2 * classes * places, x * 3 * classes * places, 1
            else:
                road, x = i // worlds, i % worlds
                base, sums_base, stride = x, x, worlds
            count_road(
                road,
                x,
                state,
                base,
                sums,
                sums_base,
                stride,
                places * stride,
                pieces,
                roads,
                counted,
                threshold,
                summed > 0,
                classes,
                closure,
            )

    made = (begin, nodes, cells, interval, reckon, count)
    return Kernels(*(_kernel(body, registers, *model, blocks) for body in made))


def _kernel(body: Callable[..., None], registers: int, *of: Any) -> Any:
    """A kernel whose machine code is kept for the next process, where code of these sources is kept."""
    folder, before = code_folder(), config.CACHE_DIR
    config.CACHE_DIR = folder or before
    options: dict[str, Any] = {} if SIMULATED else {"cache": bool(folder), "max_registers": registers or None}
    try:
        return cuda.jit(**options)(named(body, body.__name__, *of))
    finally:
        config.CACHE_DIR = before


@contextmanager
def unfused() -> Iterator[None]:
    """As long as this lasts, what is compiled for CUDA multiplies and adds in two steps: numba has no setting for it."""
    if SIMULATED:
        yield
        return
    from numba.cuda.cudadrv import nvvm

    before = nvvm.compile_ir
    nvvm.compile_ir = partial(before, fma=False)
    try:
        yield
    finally:
        nvvm.compile_ir = before

"""The CPU: worlds and segments side by side in lanes, several blocks of worlds at once in threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine import bodies
from arz.engine.backends.base import Books, Counted, Held, Orders, State, Traffic
from arz.engine.backends.cells import fill_ghosts, sweep
from arz.engine.backends.nodes import cross, let_arrive, turn_lights
from arz.engine.backends.packing import (
    CLASS_ROWS,
    LEFT,
    LIMIT,
    SINK_ROWS,
    SOURCE_ROWS,
    SUM_ROWS,
    TAKEN,
    WIDTH,
    Block,
    Packing,
    Roads,
    pack,
)
from arz.engine.backends.tables import bare
from arz.engine.plan import Plan
from arz.engine.start import Start
from arz.jit import compiled, like, named, ready
from arz.laws.relaxation import decay

Array = NDArray[Any]


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


@cache
def counter(closure: int, classes: int) -> Callable[[Block, Roads, float, bool], None]:
    """Adds up what is counted of the roads from their pieces: of the steps since the sums were begun, or if not summed of this moment."""

    def count_pieces(given: Any, told: Any, threshold: float, summed: bool) -> None:
        block, roads, worlds = bare(given), bare(told), given.times.shape[0]
        out = roads.counted
        for piece in range(roads.piece_road.shape[0]):
            road, metres = roads.piece_road[piece], roads.piece_metres[piece]
            at, sums_at, numbers = roads.piece_at[piece, 0], roads.piece_at[piece, 1], roads.piece_at[piece, 2]
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
                    vehicles = float(rho) * metres
                    spent = float(block.sums[sums_at + k * SUM_ROWS * WIDTH + x]) * metres
                    distance = float(block.sums[sums_at + (k * SUM_ROWS + 1) * WIDTH + x]) * metres
                    out[0, road, k, x] += spent if summed else vehicles
                    out[1, road, k, x] += distance if summed else vehicles * float(v)
                    out[2, road, k, x] += vehicles
                    out[3, road, k, x] += vehicles if v < threshold else 0.0

    return compiled(named(count_pieces, "count_pieces", closure, classes), nogil=True)


@cache
def collector(classes: int) -> Callable[[Block, Roads, Array], None]:
    """Adds up what the limiter took [class, world], cell by cell in the order of the roads: however reaches are cut, to the same bit."""

    def collect(given: Any, told: Any, taken: Array) -> None:
        block, roads, worlds = bare(given), bare(told), given.times.shape[0]
        for piece in range(roads.piece_road.shape[0]):
            metres = roads.piece_metres[piece]
            for k in range(classes):
                row = roads.piece_at[piece, 1] + (k * SUM_ROWS + TAKEN) * WIDTH
                for x in range(worlds):
                    taken[k, x] += float(block.sums[row + x]) * metres

    return compiled(named(collect, "collect", classes), nogil=True)


QUEUE_SPEED = 2.0
"""Who is slower (m/s) stands in a queue."""
NEAR_BYTES = 5 << 18
"""State and sums of a block stay below this, so that all steps of an interval run near the processor; smaller blocks were slower."""


@dataclass
class Part:
    """One block of worlds: the worlds first … last of the batch, where everything is, and the arrays."""

    first: int
    last: int
    lanes: Array
    """int[lane]: the world of the batch in it."""
    packing: Packing
    block: Block
    before_state: Array
    before_books: Array
    roads: Roads
    reach: Array
    """int[bundle, slot]; slots without a segment take the first reach."""
    dt: float = 0.0
    """The step that the numbers are set for."""
    drawn: Array | None = None
    """The demand, of all worlds, that the block has its part of."""


class Cpu:
    """The backend for processors; see `base`."""

    def __init__(self, plan: Plan, starts: Sequence[Start], kind: Any, threads: int | None = None) -> None:
        self.plan = plan
        self._kind = np.dtype(kind)
        self._classes = len(plan.classes)
        self._kernel = kernel(plan.closure, plan.equilibrium, plan.built_in, plan.order, self._classes)
        self._counter = counter(plan.closure, self._classes)
        self._collector = collector(self._classes)
        self._ready = False
        self._threads = threads or _processors()
        worlds = _block_worlds(plan, len(starts), self._kind.itemsize, self._threads)
        self._parts = [self._part(starts, first, min(first + worlds, len(starts))) for first in range(0, len(starts), worlds)]
        self._counted: list[tuple[Array, Array]] | None = None
        self._removed = np.zeros((len(starts), self._classes))
        self._removed_before = self._removed
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 and len(self._parts) > 1 else None

    @property
    def traffic(self) -> Traffic:
        return Traffic()

    def place(self, state: State) -> None:
        for part in self._parts:
            span, packing, block = slice(part.first, part.last), part.packing, part.block
            real = part.last - part.first
            block.state[:] = 0
            for k in range(self._classes):
                for row, field in ((2 * k, state.rho), (2 * k + 1, state.y)):
                    block.state[packing.cell_at[:, None] + row * WIDTH + np.arange(real)] = field[span, k].T
            for pick, table in self._book_rows(part):
                table[..., :real] = pick(state)[span].transpose(1, 2, 0)
            block.sums[:] = 0
            block.tally[:] = 0
        self._counted = None
        self._removed = state.removed.copy()

    def advance(self, orders: Orders) -> None:
        self._removed_before = self._removed.copy()
        # Counted by the thread that has the block near: whoever goes on asks for it, and each asking of the threads takes its time.
        self._counted = self._each(lambda part: self._advance_part(part, orders))

    def count(self) -> Counted:
        roads, total = len(self.plan.roads), sum(part.last - part.first for part in self._parts)
        whole = np.zeros((4, total, roads, self._classes))
        faults = np.zeros(total)
        counted = self._each(lambda part: self._count_part(part, summed=False)) if self._counted is None else self._counted
        for part, (out, wrong) in zip(self._parts, counted, strict=True):
            real = part.last - part.first
            whole[:, part.first : part.last] = out[..., :real].transpose(0, 3, 1, 2)
            faults[part.first : part.last] = wrong[:real]
        return Counted(whole[0], whole[1], whole[2], whole[3], faults)

    def held(self) -> Held:
        counted = self.count()
        return Held(counted.spent, counted.distance, counted.inside, counted.queue, counted.faults)

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
                pick(books)[part.first : part.last] = row[..., : part.last - part.first].transpose(2, 0, 1)
        return books

    def go_back(self) -> None:
        for part in self._parts:
            part.block.state[:], part.block.books[:] = part.before_state, part.before_books
            part.block.sums[:] = 0
            part.block.tally[:] = 0
        self._removed = self._removed_before.copy()
        self._counted = None

    def _each(self, work: Callable[[Part], Any]) -> list[Any]:
        """What the work gives for every part, in their order; parts do not know each other."""
        return list(map(work, self._parts) if self._pool is None else self._pool.map(work, self._parts))

    def _count_part(self, part: Part, *, summed: bool) -> tuple[Array, Array]:
        part.roads.counted[:] = 0
        self._counter(part.block, part.roads, QUEUE_SPEED, summed)
        return part.roads.counted, part.block.tally.reshape(-1, part.packing.slots, part.packing.worlds).sum(axis=(0, 1))

    def _part(self, starts: Sequence[Start], first: int, last: int) -> Part:
        # The last block may have fewer worlds than the others: then it is narrower, and lanes that are left over repeat its last world.
        lanes = np.minimum(np.arange(first, first + _power_of_two(last - first)), last - 1)
        low, high = (np.array([getattr(starts[world], name) for world in lanes.tolist()]).T for name in ("low", "high"))
        packing, block = pack(self.plan, low, high, self._kind)
        pieces = self.plan.pieces
        reach = np.zeros(block.cells.shape[0] * packing.slots, np.int64)
        reach[: len(packing.segments.reach)] = packing.segments.reach
        reach = reach.reshape(-1, packing.slots)
        return Part(
            first,
            last,
            lanes,
            packing,
            block,
            before_state=block.state.copy(),
            before_books=block.books.copy(),
            roads=Roads(
                piece_road=pieces.road,
                piece_at=np.stack([packing.cell_at[pieces.cell], packing.sum_at[pieces.cell], packing.numbers_at[pieces.cell]], axis=1),
                piece_metres=pieces.metres * self.plan.road_lanes[pieces.road],
                counted=np.zeros((4, len(self.plan.roads), self._classes, len(lanes))),
            ),
            reach=reach,
        )

    def _advance_part(self, part: Part, orders: Orders) -> tuple[Array, Array]:
        block, lanes = part.block, part.lanes
        part.before_state[:], part.before_books[:] = block.state, block.books
        block.sums[:] = 0
        block.tally[:] = 0
        if orders.dt != part.dt:
            self._set_step(part, orders.dt)
        if self.plan.limits:
            self._set_limits(part, orders.limit[lanes])
        if orders.arriving is not part.drawn:
            # Megabytes where demand is noisy, and the same ones for many intervals.
            block = part.block = block._replace(times=orders.times[lanes], arriving=orders.arriving.take(lanes, axis=-1))
            part.drawn = orders.arriving
        now = block._replace(
            windows=orders.windows.take(lanes, axis=-1),
            rates=np.ascontiguousarray(orders.rate[lanes].T.astype(self._kind)),
            pieces=np.maximum((block.times <= orders.start_s).sum(axis=1) - 1, 0),
        )
        if not self._ready:
            ready(self._kernel, now, orders.start_s, orders.dt, orders.steps)
            self._ready = True
        self._kernel(now, orders.start_s, orders.dt, orders.steps)
        taken = np.zeros((self._classes, part.packing.worlds))
        self._collector(now, part.roads, taken)
        self._removed[part.first : part.last] += taken.T[: part.last - part.first]
        return self._count_part(part, summed=True)

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
    each = plan.cells * (2 + SUM_ROWS) * len(plan.classes) * size
    count = 1
    while count < WIDTH and count * 2 * each <= NEAR_BYTES and count * threads < worlds:
        count *= 2
    return count


def _power_of_two(count: int) -> int:
    """The least one that is no less."""
    return 1 << (count - 1).bit_length()

"""A GPU: thousands of worlds at once, whose state stays on the device from one decision to the next."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arz.engine.backends.base import Books, Counted, Held, Orders, State, Traffic
from arz.engine.backends.cpu import QUEUE_SPEED
from arz.engine.backends.gpu import Gpu, Loan, gpu
from arz.engine.backends.handed import Handed
from arz.engine.backends.kernels import Model, kernels
from arz.engine.backends.spread import LEFT, RATIO, STATE_ROWS, SUM_ROWS, Roads, Spread, numbers_of, spread
from arz.engine.plan import Plan
from arz.engine.start import Start
from arz.laws.relaxation import decay

Array = NDArray[Any]


class Moment(NamedTuple):
    """What holds in a step, or in an interval; arrays on the device."""

    opens: Any
    """[light, world]; a last row, of approaches without a light, is always 1."""
    wanted: Any
    """[source, class, world], veh/s: the flux that would let in all who are there."""
    arrived: Any
    """float64[source, class, world], vehicles that come in this step."""
    entries: Any
    """float64[source, class, (waiting, entered, rest), world]."""
    exits: Any
    """float64[sink, class, (left, rest), world]."""
    windows: Any
    rates: Any
    """[meter, world]."""
    times: Any
    arriving: Any
    pieces: Any
    """int[world]: the piece of the demand that holds as the interval begins."""
    sources: Any
    sinks: Any


class Cuda:
    """The backend for GPUs; see `base`."""

    _loan: Loan
    _state: Any
    _kept: Any
    """The state before the last interval, as far as that may be gone back; so are the books."""
    _after: Any
    """Over the grid, where the next state goes."""
    _sums: Any
    _gates: Any
    _tally: Any
    _counted: Any
    _books: Any
    _kept_books: Any
    _faults: Any
    _removed: Any
    _weight: Any
    _segments: Any
    _ways: Any
    _pieces: Any
    _roads: Roads
    _moment: Moment
    _numbers: Array
    _keepers: int

    def __init__(
        self,
        plan: Plan,
        starts: Sequence[Start],
        kind: Any,
        threads: int | None = None,
        number: int = 0,
        blocks: bool | None = None,
        registers: int = 0,
    ) -> None:
        """On the GPU of this number; `blocks` and `registers` (see `Model`) are decided here unless told, and change no result."""
        del threads  # of processors
        self.plan = plan
        self.gpu: Gpu = gpu(number)
        self._kind = np.dtype(kind)
        self._worlds, self._classes = len(starts), len(plan.classes)
        self._spread: Spread = spread(plan, self._worlds, kind, blocks)
        ways = self._spread.ways
        model = Model(
            self._classes, plan.closure, plan.equilibrium, plan.built_in, plan.order,
            self._kind.name, ways.ways_in.shape[1], ways.ways_out.shape[1], registers=registers,
        )  # fmt: skip
        self._kernels = kernels(model, blocks=self._spread.blocks)
        self._steps = 0
        self._dt = 0.0
        self._times = self._arriving = np.zeros(0)
        with self.gpu.here():
            self._lay_out(starts)

    @property
    def blocks(self) -> bool:
        """Whether each world has a block of its own."""
        return self._spread.blocks

    @property
    def traffic(self) -> Traffic:
        return self.gpu.traffic

    def place(self, state: State) -> None:
        laid = self._spread
        rows = np.zeros((self._worlds, STATE_ROWS * self._classes, laid.places), self._kind)
        for k in range(self._classes):
            rows[:, 2 * k, laid.place], rows[:, 2 * k + 1, laid.place] = state.rho[:, k], state.y[:, k]
        told = np.zeros(self._books.shape)
        faults, removed, entries, exits = self._parts(told)
        faults[:], removed[:] = 0, state.removed.T
        entries[:, :, 0], entries[:, :, 1:] = state.waiting.transpose(1, 2, 0), state.entered.transpose(1, 2, 3, 0)
        exits[:] = state.left.transpose(1, 2, 3, 0)
        with self.gpu.here():
            self.gpu.put((rows if laid.blocks else rows.transpose(1, 2, 0)).ravel(), self._state)
            self.gpu.put(told, self._books)
        self._steps = 0

    def advance(self, orders: Orders) -> None:
        with self.gpu.here():
            self._kept.copy_to_device(self._state)
            self._kept_books.copy_to_device(self._books)
            self._obey(orders)
            if self._spread.blocks:
                self._advance_blocks(orders)
            else:
                self._advance_grid(orders)
            self.gpu.launch(self._kernels.reckon, self._worlds, self._tally, self._weight, self._faults, self._removed, self._worlds)
        self._steps = orders.steps

    def count(self) -> Counted:
        held = self.held()
        with self.gpu.here():
            spent, distance, inside, queue = self.gpu.get(self._counted)
        return Counted(spent, distance, inside, queue, held.faults)

    def held(self) -> Held:
        with self.gpu.here():
            self.gpu.launch(
                self._kernels.count, self._worlds * len(self.plan.roads),
                self._state, self._sums, self._pieces, self._roads, self._counted,
                self._worlds, self._spread.places, QUEUE_SPEED, int(self._steps > 0),
            )  # fmt: skip
            faults = self.gpu.get(self._faults)
            spent, distance, inside, queue = (Handed(self._counted[field], self.gpu.number, self) for field in range(4))
        return Held(spent, distance, inside, queue, faults)

    def fetch(self) -> State:
        laid, books = self._spread, self.books()
        with self.gpu.here():
            flat = self.gpu.get(self._state)
        rows = STATE_ROWS * self._classes
        if laid.blocks:
            table = flat.reshape(self._worlds, rows, laid.places)
        else:
            table = flat.reshape(rows, laid.places, self._worlds).transpose(2, 0, 1)
        cells = table[:, :, laid.place]
        return State(
            books.waiting,
            books.entered,
            books.left,
            books.removed,
            np.ascontiguousarray(cells[:, 0::2]),
            np.ascontiguousarray(cells[:, 1::2]),
        )

    def books(self) -> Books:
        with self.gpu.here():
            _, removed, entries, exits = self._parts(self.gpu.get(self._books))
        return Books(
            waiting=np.ascontiguousarray(entries[:, :, 0].transpose(2, 0, 1)),
            entered=np.ascontiguousarray(entries[:, :, 1:].transpose(3, 0, 1, 2)),
            left=np.ascontiguousarray(exits.transpose(3, 0, 1, 2)),
            removed=np.ascontiguousarray(removed.T),
        )

    def go_back(self) -> None:
        with self.gpu.here():
            self._state.copy_to_device(self._kept)
            told = self.gpu.get(self._kept_books)
            self._parts(told)[0][:] = 0
            self.gpu.put(told, self._books)
        self._steps = 0

    def _advance_grid(self, orders: Orders) -> None:
        laid, worlds, moment = self._spread, self._worlds, self._moment
        row, keepers = laid.places * worlds, self._keepers * worlds
        self.gpu.launch(
            self._kernels.begin, max(keepers, len(laid.weight) * worlds),
            moment, self._gates, self._roads, self._sums, self._tally, worlds, orders.start_s, orders.dt,
        )  # fmt: skip
        for step in range(orders.steps):
            before, after = self._state, self._after
            self.gpu.launch(
                self._kernels.nodes, len(laid.ways.shape) * worlds,
                before, self._gates, self._ways, self._roads, moment.opens, moment.wanted, moment.rates, worlds, row,
            )  # fmt: skip
            self.gpu.launch(
                self._kernels.cells, len(laid.weight) * worlds + keepers,
                before, after, self._sums, self._gates, self._tally, self._segments, self._roads, moment,
                worlds, row, orders.start_s + (step + 1) * orders.dt, orders.dt, int(step + 1 < orders.steps),
            )  # fmt: skip
            self._state, self._after = after, before

    def _advance_blocks(self, orders: Orders) -> None:
        laid = self._spread
        self.gpu.launch(
            self._kernels.interval, self._worlds * laid.threads,
            self._state, self._sums, self._tally, self._segments, self._ways, self._roads, self._moment,
            self._worlds, laid.places, orders.start_s, orders.dt, orders.steps,
            threads=laid.threads, shared=laid.shared_numbers(self._classes) * self._kind.itemsize,
        )  # fmt: skip

    def _obey(self, orders: Orders) -> None:
        """Brings in what holds in an interval; the demand only where it is another than last time."""
        if orders.dt != self._dt:
            self._set_step(orders.dt)
        if self.plan.limits:
            self.gpu.put(orders.limit.transpose(1, 2, 0), self._roads.limit)
        if self.plan.meters:
            self.gpu.put(orders.rate.T, self._moment.rates)
        moment, loan = self._moment, self._loan
        if orders.times is not self._times or orders.arriving is not self._arriving:
            self._moment = moment = moment._replace(
                times=loan.filled("times", orders.times), arriving=loan.filled("arriving", orders.arriving)
            )
            # Not before: what there was no room for is asked for again.
            self._times, self._arriving = orders.times, orders.arriving
        pieces = np.maximum((orders.times <= orders.start_s).sum(axis=1) - 1, 0)
        self._moment = moment._replace(windows=loan.filled("windows", orders.windows), pieces=loan.filled("pieces", pieces))

    def _set_step(self, dt: float) -> None:
        """The numbers that depend on the length of a step: dt/dx, and what relaxation leaves."""
        numbers, reaches = self._numbers.copy(), self.plan.reaches
        numbers[:, RATIO] = (dt / reaches.dx)[:, None]
        for k in range(self._classes):
            numbers[:, LEFT, k] = [decay(dt, tau) for tau in reaches.numbers[:, k, 7].tolist()]
        self.gpu.put(numbers, self._roads.numbers)
        self._dt = dt

    def _lay_out(self, starts: Sequence[Start]) -> None:
        """Takes every array that time does not reshape, and fills in what time does not change."""
        plan, laid, worlds, classes, kind = self.plan, self._spread, self._worlds, self._classes, self._kind
        state, sums = STATE_ROWS * classes * laid.places * worlds, SUM_ROWS * classes * laid.places * worlds
        gates = len(laid.ends) * 4 * classes * (1 if laid.blocks else worlds)
        books = self._book_places()[-1]
        counted = (4, worlds, len(plan.roads), classes)
        sources, lights = len(plan.sources), plan.light_count + 1
        numbers = (3 if not laid.blocks else 2) * state + sums + gates + (classes + 1) * len(laid.weight) * worlds
        each = numbers * kind.itemsize + (2 * books + 4 * len(plan.roads) * classes * worlds) * 8
        self._loan = loan = Loan(self.gpu, self, worlds, -(-each // worlds))
        self._state, self._kept = loan.array("state", (state,), kind), loan.array("kept", (state,), kind)
        self._after = self._state if laid.blocks else loan.array("after", (state,), kind)
        self._sums, self._gates = loan.array("sums", (sums,), kind), loan.array("gates", (gates,), kind)
        self._tally = loan.array("tally", (classes + 1, len(laid.weight), worlds), kind)
        self._counted = loan.array("counted", counted, np.float64)
        self._books, self._kept_books = loan.array("books", (books,), np.float64), loan.array("kept books", (books,), np.float64)
        self._faults, self._removed, entries, exits = self._parts(self._books)
        self._weight = loan.filled("weight", laid.weight)
        self._segments = self._placed("segments", laid.segments)
        self._ways = self._placed("ways", laid.ways)
        self._pieces = self._placed("pieces of roads", laid.pieces)
        self._numbers = numbers_of(plan, kind)
        span = np.array([[getattr(start, name) for start in starts] for name in ("low", "high")]).transpose(0, 2, 1)
        self._roads = Roads(
            numbers=loan.filled("numbers", self._numbers),
            span=loan.filled("span", np.ascontiguousarray(span, kind)),
            limit=loan.array("limit", (len(plan.limits), classes, worlds), kind),
            section=loan.filled("section", laid.section),
            lanes=loan.filled("lanes", laid.lanes),
            ends=loan.filled("ends", laid.ends),
        )
        self._moment = Moment(
            opens=loan.filled("opens", np.ones((lights, worlds), kind)),
            wanted=loan.array("wanted", (sources, classes, worlds), kind),
            arrived=loan.array("arrived", (sources, classes, worlds), np.float64),
            entries=entries,
            exits=exits,
            windows=None,
            rates=loan.array("rates", (len(plan.meters), worlds), kind),
            times=None,
            arriving=None,
            pieces=None,
            sources=loan.filled("sources", laid.sources),
            sinks=loan.filled("sinks", laid.sinks),
        )
        self._keepers = plan.light_count + sources + len(plan.sinks)

    def _placed(self, name: str, tables: Any) -> Any:
        """Tables by their names, on the device."""
        return type(tables)(*(self._loan.filled(f"{name}: {field}", table) for field, table in zip(tables._fields, tables, strict=True)))

    def _book_places(self) -> list[int]:
        """Where the parts of the books begin, and where they end."""
        plan, worlds, classes = self.plan, self._worlds, self._classes
        lengths = [worlds, classes * worlds, len(plan.sources) * classes * 3 * worlds, len(plan.sinks) * classes * 2 * worlds]
        return [0, *np.cumsum(lengths).tolist()]

    def _parts(self, books: Any) -> tuple[Any, Any, Any, Any]:
        """[world] faults, [class, world] y removed, [source, class, (waiting, entered, rest), world], [sink, class, (left, rest), world]."""
        plan, worlds, classes, at = self.plan, self._worlds, self._classes, self._book_places()
        return (
            books[at[0] : at[1]],
            books[at[1] : at[2]].reshape(classes, worlds),
            books[at[2] : at[3]].reshape(len(plan.sources), classes, 3, worlds),
            books[at[3] : at[4]].reshape(len(plan.sinks), classes, 2, worlds),
        )

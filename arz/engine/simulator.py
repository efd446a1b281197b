"""Worlds that go on in time together: reset, step, snapshot, restore."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine import lights
from arz.engine.backends.base import Held, Orders, State, Traffic
from arz.engine.backends.registry import backend, chosen
from arz.engine.groups import NO_LIMIT, Group, first_orders, first_state, grouped
from arz.engine.ledger import Ledger, inside, ledger
from arz.engine.measures import Measures, of_roads
from arz.engine.plan import Plan
from arz.engine.snapshots import KEPT, SNAPSHOT_FORMAT, STATE, remembered, require_fitting
from arz.engine.start import crossed
from arz.engine.unsound import not_again, unstable
from arz.errors import Invalid, NoRoom, Unstable
from arz.given import integer, number, of_kind, several
from arz.world.scenario import Scenario

Array = NDArray[Any]

DTYPES = ("float32", "float64")
MORE_THREADS = "give a whole number of at least 1, or None for all processors"


@dataclass(frozen=True)
class Controls:
    """What a controller asks for: arrays [world, signal | meter | section]; None keeps what is."""

    phase: Array | None = None
    rate_veh_per_h: Array | None = None
    """NaN or infinity: the gate stands open."""
    limit_kmh: Array | None = None
    """NaN or infinity: the signs are dark."""


@dataclass(frozen=True)
class Fields:
    """Every cell: density [world, class, cell] (veh/m per lane), speed (m/s), and where the cells are on the roads."""

    density: Array
    speed: Array
    cell_road: Array
    cell_from_m: Array
    cell_length_m: Array


class Simulator:
    """A batch of worlds of one shape. Each is computed to the last bit as if it were alone, whatever the others do."""

    def __init__(
        self, scenarios: Sequence[Scenario] | Scenario, device: str = "cpu", dtype: str = "float32", threads: int | None = None
    ) -> None:
        self.scenarios = _worlds(scenarios)
        if dtype not in DTYPES:
            raise Invalid("dtype", f"is {dtype!r}", f"choose among {', '.join(DTYPES)}")
        if threads is not None and integer("threads", threads, MORE_THREADS) < 1:
            raise Invalid("threads", f"is {threads}", MORE_THREADS)
        self.dtype = np.dtype(dtype)
        self.device = chosen(device)
        self.time_s = 0.0
        self._groups = grouped(self.scenarios, backend(self.device), self.dtype, threads)
        self._seeds = [scenario.seed for scenario in self.scenarios]
        self.reset()

    @property
    def plan(self) -> Plan:
        """Of the first world."""
        return self._groups[0].plan

    @property
    def classes(self) -> tuple[str, ...]:
        return self.plan.classes

    @property
    def roads(self) -> tuple[str, ...]:
        return self.plan.roads

    @property
    def entries(self) -> tuple[str, ...]:
        return tuple(self.plan.roads[source.road] for source in self.plan.sources)

    @property
    def outlets(self) -> tuple[str, ...]:
        return tuple(self.plan.roads[sink.road] for sink in self.plan.sinks)

    @property
    def signals(self) -> tuple[str, ...]:
        return tuple(each.node for each in self.plan.lights)

    @property
    def meters(self) -> tuple[str, ...]:
        return tuple(meter.id for meter in self.plan.meters)

    @property
    def limits(self) -> tuple[str, ...]:
        return tuple(limit.id for limit in self.plan.limits)

    @property
    def traffic(self) -> Traffic:
        """What has gone between the host and the device, of all simulators there."""
        return self._groups[0].backend.traffic

    @property
    def dt_bound_s(self) -> float:
        """The longest step that some world takes."""
        return max(group.starts[0].dt_bound for group in self._groups)

    def reset(self, seeds: Sequence[int] | None = None) -> Measures:
        """Begins again, with these seeds or the scenarios' own; nothing of before is left, and nothing is built anew."""
        self._seeds = [scenario.seed for scenario in self.scenarios] if seeds is None else _checked(seeds, len(self.scenarios))
        self.time_s = 0.0
        for group in self._groups:
            group.lamps = lights.by_plan(group.plan, len(group.worlds))
            group.limit, group.rate = first_orders(group.plan, len(group.worlds))
            self._draw(group, 0.0)
            state = first_state(group.plan, group.starts, self.dtype)
            group.begun = inside(group.plan, state.rho)
            group.backend.place(state)
        return self._measures(0.0, 0)

    def step(self, controls: Controls | None, duration_s: float) -> Measures:
        """Goes on for one control interval and ends exactly at time + duration.

        A world takes equal steps of at most its own bound. If a state becomes unsound, `Unstable` says where, and the simulator stays
        where it was before the interval.
        """
        counted, taken = self._advance(controls, duration_s, lambda group: group.backend.count())
        return self._gathered([self._of_group(g, c, o.dt, o.steps) for g, c, o in zip(self._groups, counted, taken, strict=True)])

    def step_held(self, controls: Controls | None, duration_s: float) -> Held:
        """As `step`, but what was counted of the roads stays on the device, for who goes on with it there.

        Sums over the steps are to be multiplied by duration_s over their number, `steps(duration_s)`.
        """
        if len(self._groups) > 1:
            raise Invalid("scenarios", "are of several plans or time steps", "give worlds that differ in seeds, demands and controls only")
        held: list[Held] = self._advance(controls, duration_s, lambda group: group.backend.held())[0]
        return held[0]

    def steps(self, duration_s: float) -> int:
        """How many steps the first world takes in so many seconds."""
        return self._groups[0].steps(_duration(duration_s))

    def _advance(self, controls: Controls | None, duration_s: float, look: Callable[[Group], Any]) -> tuple[list[Any], list[Orders]]:
        """Goes on, and gives what `look` finds of every group, and what each was told to do."""
        duration_s = _duration(duration_s)
        end = self.time_s + duration_s
        asked = [self._ask(group, controls) for group in self._groups]
        held = [(group.lamps, group.limit, group.rate) for group in self._groups]
        for group, (lamps, limit, rate) in zip(self._groups, asked, strict=True):
            if end > group.drawn_until:
                self._draw(group, end)
            group.lamps, group.limit, group.rate = lamps, limit, rate
        taken: list[Orders] = []
        try:
            for group in self._groups:
                orders = self._orders(group, duration_s)
                group.backend.advance(orders)
                taken.append(orders)
            found = [look(group) for group in self._groups]
            if any(each.faults.any() for each in found):
                self._explain(taken, [each.faults for each in found])
        except (NoRoom, Unstable) as error:
            for group, kept in zip(self._groups, held, strict=True):
                group.lamps, group.limit, group.rate = kept
            if isinstance(error, NoRoom):  # the group that found none computed nothing; an unstable one stays at the last good step
                for group in self._groups[: len(taken)]:
                    group.backend.go_back()
            raise
        self.time_s = end
        return found, taken

    def measures(self) -> Measures:
        """What is at this moment: averages over no time."""
        # A backend counts the interval that it has computed; of a state that it has just been given it counts the state.
        for group in self._groups:
            group.backend.place(group.backend.fetch())
        return self._measures(0.0, 0)

    def snapshot(self) -> dict[str, Any]:
        """Everything a later process needs to go on to the last bit: arrays [world, …] and numbers, storable without pickle."""
        return {
            "format": SNAPSHOT_FORMAT,
            "time_s": self.time_s,
            "dtype": str(self.dtype),
            "seeds": np.array(self._seeds, np.uint64),
            **self._spread([remembered(group) for group in self._groups]),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Goes back, or on, to where a snapshot was taken: of these scenarios, on any device and in any batch."""
        require_fitting(snapshot, self._groups, self.dtype)
        self.time_s = float(snapshot["time_s"])
        self._seeds = [int(seed) for seed in snapshot["seeds"]]
        for group in self._groups:
            mine = {name: np.array(snapshot[name])[group.worlds] for name in (*STATE, *KEPT)}
            group.lamps = lights.Lamps(*(mine[f"lamps_{field.name}"] for field in fields(lights.Lamps)))
            group.limit, group.rate, group.begun = mine["limit"], mine["rate"], mine["begun"]
            self._draw(group, self.time_s)
            group.backend.place(State(**{name: mine[name] for name in STATE}))

    def fields(self) -> Fields:
        """The state of every cell, float64; cell positions are those of the first world's roads."""
        from arz.engine.waves import speeds

        plan = self.plan
        density = np.zeros((len(self.scenarios), len(plan.classes), plan.cells))
        speed = np.zeros_like(density)
        for group in self._groups:
            state = group.backend.fetch()
            density[group.worlds] = state.rho
            speed[group.worlds] = speeds(group.plan, state, group.starts)
        return Fields(density, speed, *plan.cell_places)

    def ledger(self) -> Ledger:
        """Vehicles in, out, inside and waiting since the start."""
        books = [ledger(group.plan, group.backend.fetch(), group.begun) for group in self._groups]
        whole = self._spread([{field.name: getattr(book, field.name) for field in fields(Ledger)} for book in books])
        return Ledger(**whole)

    def courant(self) -> Array:
        """[world]: the part of a cell that the fastest wave of this moment crosses in the longest step, over what the order allows."""
        from arz.engine.waves import fastest_wave

        found = np.zeros(len(self.scenarios))
        for group in self._groups:
            waves = fastest_wave(group.plan, group.backend.fetch(), group.starts)
            reaches = group.plan.reaches
            allowed = np.repeat(crossed(group.plan) * reaches.dx, reaches.cells)
            bound = np.array([start.dt_bound for start in group.starts])
            found[group.worlds] = (waves / allowed).max(axis=1) * bound
        return found

    def _ask(self, group: Group, controls: Controls | None) -> tuple[lights.Lamps, Array, Array]:
        lamps, limit, rate = group.lamps, group.limit, group.rate
        if controls is None:
            return lamps, limit, rate
        of_kind(Controls, "controls", controls, "give Controls(phase=…), or None to keep what is")
        if controls.phase is not None:
            phase = self._table("phase", controls.phase, len(group.plan.lights))
            if not np.issubdtype(phase.dtype, np.integer):
                raise Invalid("phase", f"has numbers of type {phase.dtype}", "give whole numbers")
            lamps = lights.ask(group.plan, lamps, phase[group.worlds].astype(np.int64), self.time_s)
        if controls.rate_veh_per_h is not None:
            rate = _open_ended("rate_veh_per_h", self._table("rate_veh_per_h", controls.rate_veh_per_h, len(group.plan.meters)))[
                group.worlds
            ]
        if controls.limit_kmh is not None:
            told = _open_ended("limit_kmh", self._table("limit_kmh", controls.limit_kmh, len(group.plan.limits)))[group.worlds]
            if (told < 5 / 3.6 * (1 - 1e-9)).any():
                raise Invalid("limit_kmh", f"is {told.min() * 3.6:g} km/h somewhere", "give at least 5 km/h, or NaN for dark signs")
            limit = np.repeat(told[:, :, None], len(group.plan.classes), axis=2)
        return lamps, limit, rate

    def _table(self, name: str, given: Any, count: int) -> Array:
        shape = (len(self.scenarios), count)
        remedy = f"give {shape[0]} worlds by {shape[1]}"
        try:
            table = np.asarray(given)
        except ValueError:
            raise Invalid(name, "has rows of several lengths", remedy) from None
        if table.shape != shape:
            raise Invalid(name, f"has shape {table.shape}", remedy)
        return table

    def _orders(self, group: Group, duration_s: float) -> Orders:
        steps = group.steps(duration_s)
        return Orders(
            start_s=self.time_s,
            dt=duration_s / steps,
            steps=steps,
            limit=group.limit,
            windows=lights.windows(group.plan, group.lamps, self.time_s, self.time_s + duration_s),
            rate=group.rate,
            times=group.times,
            arriving=group.arriving,
        )

    def _draw(self, group: Group, until: float) -> None:
        """The demand up to a time; further than asked, so that it is not drawn again for every interval, and not if it is there already."""
        plan, classes = group.plan, group.plan.classes
        seeds = [self._seeds[world] for world in group.worlds.tolist()]
        drawn_until = max(until * 2, *(self.scenarios[world].horizon_s for world in group.worlds), 1.0)
        if (seeds, drawn_until) == (group.drawn_of, group.drawn_until):
            return
        place = {plan.roads[source.road]: at for at, source in enumerate(plan.sources)}
        drawn: dict[tuple[int, int], Any] = {}
        for world in group.worlds.tolist():
            # Worlds of one scenario and one seed have one demand.
            whose = id(self.scenarios[world]), self._seeds[world]
            if whose not in drawn:
                drawn[whose] = self.scenarios[world].demand.table(self._seeds[world], drawn_until)
        tables = [drawn[id(self.scenarios[world]), self._seeds[world]] for world in group.worlds.tolist()]
        most = max(len(times) for times, _ in tables)
        changes = np.full((len(tables), most), math.inf)
        arriving = np.zeros((len(plan.sources), len(classes), most, len(tables)))
        for at, (world, (times, rates)) in enumerate(zip(group.worlds.tolist(), tables, strict=True)):
            changes[at, : len(times)] = times
            for inflow, rate in zip(self.scenarios[world].demand.inflows, rates, strict=True):
                arriving[place[inflow.road], classes.index(inflow.vehicle), : len(times), at] = rate
        group.times, group.arriving = changes, arriving
        group.drawn_of, group.drawn_until = seeds, drawn_until

    def _measures(self, dt: float, steps: int) -> Measures:
        return self._gathered([self._of_group(group, group.backend.count(), dt, steps) for group in self._groups])

    def _of_group(self, group: Group, counted: Any, dt: float, steps: int) -> dict[str, Array]:
        books = group.backend.books()
        phase, age = lights.phase(group.plan, group.lamps, self.time_s)
        return {
            **of_roads(group.plan, counted, dt, steps),
            "waiting": books.waiting,
            "entered": books.entered[..., 0],
            "left": books.left[..., 0],
            "phase": phase,
            "phase_age_s": age,
        }

    def _gathered(self, parts: Sequence[dict[str, Array]]) -> Measures:
        return Measures(time_s=self.time_s, **self._spread(parts))

    def _spread(self, parts: Sequence[dict[str, Array]]) -> dict[str, Array]:
        """[world of the group, …] of every group → [world, …]."""
        if len(parts) == 1:
            return dict(parts[0])
        whole = {}
        for name in parts[0]:
            table = np.zeros((len(self.scenarios), *parts[0][name].shape[1:]), parts[0][name].dtype)
            for group, part in zip(self._groups, parts, strict=True):
                table[group.worlds] = part[name]
            whole[name] = table
        return whole

    def _explain(self, taken: Sequence[Orders], faults: Sequence[Array]) -> None:
        """Goes back, computes the interval again step by step to find where it went wrong, and stays at the last good state."""
        for group in self._groups:
            group.backend.go_back()
        for group, orders, wrong in zip(self._groups, taken, faults, strict=True):
            if not wrong.any():
                continue
            good = group.backend.fetch()
            for step in range(orders.steps):
                group.backend.advance(replace(orders, start_s=orders.start_s + step * orders.dt, steps=1))
                state = group.backend.fetch()
                if group.backend.count().faults.any():
                    group.backend.place(good)
                    raise unstable(group, good, state, orders.start_s + (step + 1) * orders.dt)
            group.backend.place(good)
        raise not_again(self.time_s)


def _worlds(given: Sequence[Scenario] | Scenario) -> tuple[Scenario, ...]:
    remedy = "give a Scenario, such as scenario('one_road'), or several"
    worlds: tuple[Scenario, ...] = (given,) if isinstance(given, Scenario) else several("scenarios", given, remedy)
    if not worlds:
        raise Invalid("scenarios", "is empty", "give at least one scenario")
    for at, world in enumerate(worlds):
        of_kind(Scenario, f"scenarios[{at}]", world, remedy)
    return worlds


def _checked(given: Sequence[int], worlds: int) -> list[int]:
    seeds = several("seeds", given, "give one whole number for each world")
    if len(seeds) != worlds:
        raise Invalid("seeds", f"has {len(seeds)} numbers for {worlds} worlds", "give one for each world")
    remedy = "give a whole number from 0 to 2**64 - 1"
    checked = [integer(f"seeds[{at}]", seed, remedy) for at, seed in enumerate(seeds)]
    for at, seed in enumerate(checked):
        if not 0 <= seed < 2**64:
            raise Invalid(f"seeds[{at}]", f"is {seed}", remedy)
    return checked


def _duration(given: float) -> float:
    """In Python's own numbers: a float32 of numpy would make the clock, and every step, one of seven digits."""
    remedy = "give a positive number of seconds"
    seconds = number("duration_s", given, remedy)
    if not (seconds > 0 and math.isfinite(seconds)):
        raise Invalid("duration_s", f"is {seconds:g}", remedy)
    return seconds


def _open_ended(name: str, given: Array) -> Array:
    """Veh/h or km/h as veh/s or m/s, where nothing is asked for a very large number."""
    if given.dtype.kind not in "iuf":
        raise Invalid(name, f"has numbers of type {given.dtype}", "give numbers, and NaN where nothing is asked")
    table = given.astype(np.float64)
    if (table < 0).any():
        raise Invalid(name, f"is {np.nanmin(table):g} somewhere", "give no negative numbers")
    return np.where(np.isfinite(table), table, NO_LIMIT) / (3600 if name == "rate_veh_per_h" else 3.6)

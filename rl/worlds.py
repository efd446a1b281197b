"""Worlds under control: one simulator behind the interlock, which several tasks may use by turns."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Self
from weakref import ReferenceType, ref

import numpy as np
from numpy.typing import NDArray

from arz import Controls, Invalid, Measures, Scenario, Simulator
from arz.given import integer
from rl.errors import Foreign, NotBegun
from rl.guard import Guard
from rl.layout import Layout
from rl.moment import Moment

Array = NDArray[Any]

SNAPSHOT_FORMAT = 1
KEPT = 4
"""How many simulators a process keeps for tasks to come."""
NUMBERS = {"u": "whole numbers without a sign", "i": "whole numbers", "f": "numbers"}
"""What numpy's kinds of numbers are called."""
AT_LEAST = "give a whole number of at least 1"
MEASURED = tuple(field.name for field in fields(Measures) if field.name != "time_s")


class Bench:
    """A simulator and whose worlds are on it: whoever comes next parks the other's state and puts its own back, to the last bit."""

    built = 0
    """How many simulators this process has built."""

    def __init__(self, scenario: Scenario, count: int, dtype: str, device: str) -> None:
        self.simulator = Simulator([scenario] * count, device=device, dtype=dtype)
        self.form = self.simulator.measures()
        """Measures as they are of these worlds; of which moment is all the same."""
        self._user: ReferenceType[Worlds] | None = None
        Bench.built += 1

    def taken_by(self, worlds: "Worlds") -> Simulator:
        user = self._user() if self._user else None
        if user is not worlds:
            if user is not None:
                user.parked = self.simulator.snapshot()
            if worlds.parked is not None:
                self.simulator.restore(worlds.parked)
                worlds.parked = None
            self._user = ref(worlds)
        return self.simulator


_BENCHES: OrderedDict[tuple[str, int, str, str], Bench] = OrderedDict()


def bench(scenario: Scenario, count: int, dtype: str, device: str) -> Bench:
    """The process's simulator for so many worlds of this scenario; built when it is first asked for."""
    key = (scenario.model_dump_json(), count, dtype, device)
    if key not in _BENCHES:
        _BENCHES[key] = Bench(scenario, count, dtype, device)
    _BENCHES.move_to_end(key)
    while len(_BENCHES) > KEPT:
        _BENCHES.popitem(last=False)
    return _BENCHES[key]


class Worlds:
    """So many worlds of one scenario; they begin together and go on together, for any number of seconds at a time."""

    def __init__(self, layout: Layout, guard: Guard, count: int, dtype: str = "float32", device: str = "cpu") -> None:
        if integer("worlds", count, AT_LEAST) < 1:
            raise Invalid("worlds", f"is {count}", AT_LEAST)
        self.layout = layout
        self.count = count
        self.guard = guard
        self.beginnings = 0
        """How often somebody has begun here, or restored: whoever remembers the number knows whether what goes on is still theirs."""
        self.parked: dict[str, Any] | None = None
        self._bench = bench(layout.scenario, count, dtype, device)
        self._moment: Moment | None = None
        self._controlled = False

    @property
    def moment(self) -> Moment:
        if self._moment is None:
            raise NotBegun("there is no moment")
        return self._moment

    @property
    def simulator(self) -> Simulator:
        """With these worlds on it."""
        return self._bench.taken_by(self)

    def begin(self, seeds: Sequence[int]) -> Moment:
        """A new episode: the scenario's first state, the demand of these seeds, the lights by plan. Nothing is built, nothing is left over."""
        measures = self.simulator.reset(seeds)
        self.beginnings += 1
        layout = self.layout
        self._controlled = False
        self._moment = Moment(
            measures=measures,
            before=measures,
            seconds=0.0,
            changes=np.zeros((self.count, len(layout.signals)), np.int64),
            rate_veh_per_h=np.full((self.count, len(layout.sites["meter"])), np.nan),
            limit_kmh=np.full((self.count, len(layout.sites["section"])), np.nan),
        )
        return self._moment

    def advance(self, wish: Controls, seconds: float) -> Moment:
        """Does what is asked as far as the interlock allows it, for so many seconds; None keeps what is, at first the fixed plan."""
        was = self.moment
        phase = self._granted(wish.phase, was, seconds)
        rate = was.rate_veh_per_h if wish.rate_veh_per_h is None else np.array(wish.rate_veh_per_h, np.float64)
        limit = was.limit_kmh if wish.limit_kmh is None else np.array(wish.limit_kmh, np.float64)
        measures = self.simulator.step(Controls(phase, wish.rate_veh_per_h, wish.limit_kmh), seconds)
        changes = (
            self._planned_changes(was.measures, measures, seconds) if phase is None else (phase != was.measures.phase).astype(np.int64)
        )
        self._controlled = phase is not None
        self._moment = Moment(measures, was.measures, seconds, changes, rate, limit)
        return self._moment

    def snapshot(self) -> dict[str, Any]:
        """Everything that a later process needs to go on to the last bit: arrays and numbers, storable without pickle."""
        now = self.moment
        return {
            "worlds_format": SNAPSHOT_FORMAT,
            "worlds_controlled": int(self._controlled),
            "worlds_seconds": now.seconds,
            "worlds_changes": now.changes,
            "worlds_rate_veh_per_h": now.rate_veh_per_h,
            "worlds_limit_kmh": now.limit_kmh,
            "worlds_before_time_s": now.before.time_s,
            **_named("worlds_now_", now.measures),
            **_named("worlds_before_", now.before),
            **{f"simulator_{name}": value for name, value in self.simulator.snapshot().items()},
        }

    def restore(self, snapshot: dict[str, Any]) -> Self:
        """Goes back, or on, to where a snapshot was taken."""
        if snapshot.get("worlds_format") != SNAPSHOT_FORMAT:
            raise Foreign("worlds_format", f"is {snapshot.get('worlds_format')}, this version reads {SNAPSHOT_FORMAT}")
        mark, sites = "simulator_", self.layout.sites
        inner = {name.removeprefix(mark): value for name, value in snapshot.items() if name.startswith(mark)}
        controlled = bool(kept(snapshot, "worlds_controlled", (), "i"))
        moment = Moment(
            measures=_measures(snapshot, "worlds_now_", kept(snapshot, f"{mark}time_s", (), "f"), self._bench.form),
            before=_measures(snapshot, "worlds_before_", kept(snapshot, "worlds_before_time_s", (), "f"), self._bench.form),
            seconds=float(kept(snapshot, "worlds_seconds", (), "f")),
            changes=kept(snapshot, "worlds_changes", (self.count, len(self.layout.signals)), "i"),
            rate_veh_per_h=kept(snapshot, "worlds_rate_veh_per_h", (self.count, len(sites["meter"])), "f"),
            limit_kmh=kept(snapshot, "worlds_limit_kmh", (self.count, len(sites["section"])), "f"),
        )
        self.simulator.restore(inner)
        self.beginnings += 1
        self._controlled, self._moment = controlled, moment
        return self

    def _granted(self, wish: Array | None, was: Moment, seconds: float) -> Array | None:
        now = was.measures
        if wish is None and not self._controlled:
            return None
        asked = now.phase if wish is None else np.asarray(wish)
        if asked.shape != now.phase.shape:
            raise Invalid("phase", f"has shape {asked.shape}", f"give {now.phase.shape[0]} worlds by {now.phase.shape[1]} signals")
        return self.guard.grant(asked, now.phase, now.phase_age_s, seconds)

    def _planned_changes(self, was: Measures, now: Measures, seconds: float) -> Array:
        """How many phases a fixed plan went on, of plans whose cycle is longer than the interval."""
        on = (now.phase - was.phase) % np.maximum(self.guard.phases, 1)
        round_about = (on == 0) & (now.phase_age_s < was.phase_age_s + seconds - 1e-6) & (self.guard.phases > 1)
        changes: Array = np.where(round_about, self.guard.phases, on)
        return changes


def _named(mark: str, measures: Measures) -> dict[str, Array]:
    return {mark + name: getattr(measures, name) for name in MEASURED}


def _measures(snapshot: dict[str, Any], mark: str, time_s: Array, form: Measures) -> Measures:
    like = {name: getattr(form, name) for name in MEASURED}
    return Measures(time_s=float(time_s), **{name: kept(snapshot, mark + name, one.shape, one.dtype.kind) for name, one in like.items()})


def kept(snapshot: dict[str, Any], name: str, shape: tuple[int, ...], kind: str) -> Array:
    """A copy of what a snapshot holds under a name; Foreign where that is of another form, kinds of numbers being those of numpy."""
    if name not in snapshot:
        raise Foreign(name, "is missing")
    held = np.array(snapshot[name])
    if held.shape != shape or held.dtype.kind != kind:
        raise Foreign(name, f"is {held.dtype} of the shape {held.shape}, not {NUMBERS[kind]} of {shape}")
    return held

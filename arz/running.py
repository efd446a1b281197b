"""From a scenario to its result: `run`, which reports progress, stops in time, and goes on bit for bit where it stopped.

The file is not called run.py: importing `arz.run` would put the module where the face has the function.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from arz.compiling import watched
from arz.engine.measures import Measures
from arz.engine.simulator import Simulator
from arz.errors import Invalid, Unstable
from arz.given import number, of_kind, shown
from arz.memory import GB, installed
from arz.result import MEASURED, Array, Held, Result, of_one_world
from arz.world.scenario import Scenario

PIECE_S: Final = 15.0
"""The longest piece of simulated time between two looks at the clock. Every interval is divided into equal pieces no longer than this,
whatever the time limit, so that a run with a stop passes the same times as one without."""

_DUST: Final = 1e-9
"""Times that differ by no more than this share are one: what rounding leaves."""

_ROOM: Final = 64
"""Rows that there is room for at first."""

_SOME_TIME: Final = "give seconds above 0, or None"

_MEANS: Final = ("density", "flow")
_SUMS: Final = ("delay", "spent", "distance")


def run(
    scenario: Scenario,
    *,
    device: str = "cpu",
    dtype: str | None = None,
    every_s: float | None = None,
    timeout_seconds: float | None = None,
    resume: Result | Mapping[str, Held] | None = None,
    progress: Callable[[float, float], object] | None = None,
    compiling: Callable[[], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Result:
    """Computes the scenario up to its horizon: the same scenario gives the same bits.

    `every_s` is the length of the intervals that the result tells about (default: the scenario's decision_s), `dtype` float32 (default) or
    float64. After `timeout_seconds`, compiling included, or as soon as `stop()` is true, the run ends with what it has: the result's
    `complete` is False. Given that result as `resume`, a run goes on from there, also towards a later horizon, and its result covers
    the whole; a bare snapshot gives the rest alone. `progress(time_s, horizon_s)` is called after every 15 simulated seconds at most.
    `compiling()` is called when the solver begins to be compiled, which takes a minute, if it is not yet on this machine.

    A run that goes wrong raises Unstable; its `result` holds the whole intervals before, and the last sound state.
    """
    began = time.monotonic()
    of_kind(Scenario, "scenario", scenario, "give a Scenario, such as scenario('one_road')")
    if timeout_seconds is not None and not number("timeout_seconds", timeout_seconds, _SOME_TIME) > 0:
        raise Invalid("timeout_seconds", f"is {timeout_seconds}, no time to work in", _SOME_TIME)
    if resume is not None and not isinstance(resume, Result | Mapping):
        raise Invalid("resume", f"is {shown(resume)}", "give the result of an earlier run, or a snapshot")
    for name, called in (("progress", progress), ("compiling", compiling), ("stop", stop)):
        if called is not None and not callable(called):
            raise Invalid(name, f"is {shown(called)}", "give a function, or None")
    earlier = resume if isinstance(resume, Result) else None
    if earlier is not None:
        _check_continues(scenario, earlier, dtype, every_s)
        dtype, every_s = earlier.dtype, earlier.every_s
    remedy = f"give seconds above 0, such as {scenario.decision_s:g}"
    every_s = scenario.decision_s if every_s is None else number("every_s", every_s, remedy)
    if not 0 < every_s < math.inf:
        raise Invalid("every_s", f"is {every_s:g}, no length of an interval", remedy)
    dtype = "float32" if dtype is None else dtype
    before_s = earlier.wall_s if earlier is not None else 0.0
    with watched(compiling) as compiler:
        simulator = Simulator(scenario, device=device, dtype=dtype)
        form = simulator.reset()
        snapshot = resume.snapshot if isinstance(resume, Result) else resume
        if snapshot is not None:
            simulator.restore(dict(snapshot))
        log = _Log(scenario, simulator, form, every_s, earlier)

        def result(*, complete: bool) -> Result:
            wall_s = before_s + time.monotonic() - began - compiler.seconds
            return log.result(simulator, dtype=dtype, wall_s=wall_s, complete=complete)

        try:
            complete = _advance(simulator, log, _Clock(began, timeout_seconds, stop), progress)
        except Unstable as problem:
            problem.result = result(complete=False)
            raise
        return result(complete=complete)


def _check_continues(scenario: Scenario, earlier: Result, dtype: str | None, every_s: float | None) -> None:
    """A run goes on with the scenario that it began with; only its end may be put off."""
    horizon, goal = earlier.scenario.horizon_s, scenario.horizon_s
    if any(getattr(scenario, field) != getattr(earlier.scenario, field) for field in Scenario.model_fields if field != "horizon_s"):
        raise Invalid("resume", "is the result of another scenario", "run result.scenario, or leave it out")
    for name, asked, held in (("dtype", dtype, earlier.dtype), ("every_s", every_s, earlier.every_s)):
        if asked not in (None, held):
            raise Invalid(name, f"is {asked}, and {held} in the result to go on from", "leave it out")
    if earlier.snapshot is None:
        raise Invalid("resume", "holds no state to go on from", "run the scenario from its start")
    reached = float(str(earlier.snapshot["time_s"]))
    if goal < reached:
        raise Invalid("horizon_s", f"is {goal:g} s, before the {reached:g} s that the result has reached", "put it later")
    # The horizon cuts the last interval short, and so moves the times that a run lands on within it.
    uncut = math.floor(min(goal, horizon) / earlier.every_s * (1 + _DUST)) * earlier.every_s
    if goal != horizon and reached > uncut * (1 + _DUST):
        problem = f"has reached {reached:g} s, in an interval that another horizon cuts elsewhere"
        raise Invalid("resume", problem, f"keep horizon_s = {horizon:g}, or run the scenario from its start")


def _require_room(scenario: Scenario, intervals: int, every_s: float, bytes_each: int) -> None:
    """Refuses, before anything is computed, a run that would tell more than the memory of this machine holds."""
    needed, there = intervals * bytes_each, installed()
    if needed > there:
        problem = f"is {scenario.horizon_s:g} s: what is told of {intervals:,} intervals takes {needed / GB:,.3g} GB, and there are {there / GB:,.3g}"
        less = ", or keep no states of cells (fields=false)" if scenario.fields else ""
        raise Invalid("horizon_s", problem, f"tell about fewer and longer intervals than {every_s:g} s (every_s, --every){less}")


def _advance(simulator: Simulator, log: "_Log", clock: "_Clock", progress: Callable[[float, float], object] | None) -> bool:
    """Works piece by piece up to the horizon; False if it had to stop before."""
    for start, end in log.intervals():
        pieces = max(1, math.ceil((end - start) / PIECE_S * (1 - _DUST)))
        for piece in range(1, pieces + 1):
            target = end if piece == pieces else start + (end - start) * piece / pieces
            duration = target - simulator.time_s
            if duration <= _DUST * target:  # it lies behind the state that the run goes on from
                continue
            if clock.is_up():
                return False
            with clock:
                measures = simulator.step(None, duration)
                if pieces > 1:
                    log.add(measures, duration)
                if piece == pieces:
                    log.close(simulator, measures, end)
            if progress is not None:
                progress(target, log.scenario.horizon_s)
    return True


class _Clock:
    """Whether to stop before the next piece: when asked to, or if a piece as long as the last would end too late."""

    def __init__(self, began: float, timeout_seconds: float | None, stop: Callable[[], bool] | None) -> None:
        self._deadline = math.inf if timeout_seconds is None else began + timeout_seconds
        self._stop = stop
        self._piece_began = began
        self._next_takes: float | None = None

    def is_up(self) -> bool:
        return (self._stop is not None and self._stop()) or time.monotonic() + (self._next_takes or 0.0) >= self._deadline

    def __enter__(self) -> None:
        self._piece_began = time.monotonic()

    def __exit__(self, *problem: object) -> None:
        # The first piece may have waited for the compiler: it says nothing about the next.
        self._next_takes = 0.0 if self._next_takes is None else time.monotonic() - self._piece_began


class _Log:
    """The rows of a result, one for each interval that is over, and the sums over the one that is not."""

    def __init__(self, scenario: Scenario, simulator: Simulator, form: Measures, every_s: float, earlier: Result | None) -> None:
        self.scenario = scenario
        self._every_s = every_s
        # The intervals before a bare snapshot are not in this result.
        self._first = 0 if earlier else math.floor(simulator.time_s / every_s * (1 + _DUST))
        self._total = max(0, math.ceil(scenario.horizon_s / every_s * (1 - _DUST)) - self._first)
        self._done = len(earlier.times_s) if earlier else 0
        self._sums = dict(earlier.partial) if earlier else {}
        shapes = {name: getattr(form, name)[0] for name in MEASURED} | {"times_s": np.zeros(())}
        if scenario.fields:
            shapes |= _cells(simulator)
        _require_room(scenario, self._total, every_s, sum(one.nbytes for one in shapes.values()))
        # Arrays that grow where they are: fields may fill half of the memory, too much to gather them first and join them then.
        self._rows = {name: np.zeros((self._done, *one.shape), one.dtype) for name, one in shapes.items()}
        if earlier is not None:
            for name, rows in self._rows.items():
                rows[:] = getattr(earlier, name)

    def intervals(self) -> Iterator[tuple[float, float]]:
        """Start and end of the intervals that are not over."""
        for k in range(self._first + self._done, self._first + self._total):
            yield k * self._every_s, min((k + 1) * self._every_s, self.scenario.horizon_s)

    def add(self, measures: Measures, duration: float) -> None:
        """Takes in a piece of the interval."""
        # In float64, so that many small pieces add up to the whole.
        parts = {name: getattr(measures, name)[0] * np.float64(duration) for name in _MEANS}
        parts |= {name: getattr(measures, name)[0].astype(np.float64) for name in _SUMS} | {"seconds": np.array([duration])}
        self._sums = {name: self._sums[name] + part for name, part in parts.items()} if self._sums else parts

    def close(self, simulator: Simulator, measures: Measures, end: float) -> None:
        """The interval is over, and these are its measures, or those of its last piece."""
        row = {name: getattr(measures, name)[0] for name in MEASURED} | self._whole(measures) | {"times_s": end}
        if self.scenario.fields:
            row |= _cells(simulator)
        for name, held in row.items():
            rows = self._rows[name]
            if len(rows) == self._done:
                rows.resize((min(self._total, self._done + self._done // 4 + _ROOM), *rows.shape[1:]), refcheck=False)
            rows[self._done] = held
        self._sums = {}
        self._done += 1

    def _whole(self, last: Measures) -> dict[str, Array]:
        """What the sums of the pieces say about the whole interval, if it has more than one."""
        sums = self._sums
        if not sums:
            return {}
        driven = sums["spent"] > 0
        whole = {name: sums[name] / sums["seconds"] for name in _MEANS} | {name: sums[name] for name in _SUMS}
        return whole | {"speed": np.where(driven, sums["distance"] / np.where(driven, sums["spent"], 1.0), last.speed[0])}

    def result(self, simulator: Simulator, *, dtype: str, wall_s: float, complete: bool) -> Result:
        fields, pieces = simulator.fields(), simulator.plan.pieces
        rows: dict[str, Any] = {name: held[: self._done] for name, held in self._rows.items()}
        return Result(
            scenario=self.scenario,
            **({"cell_density": None, "cell_speed": None} | rows),
            cell_road=fields.cell_road,
            cell_from_m=fields.cell_from_m,
            cell_length_m=fields.cell_length_m,
            piece_road=pieces.road,
            piece_cell=pieces.cell,
            piece_from_m=pieces.from_m,
            piece_length_m=pieces.to_m - pieces.from_m,
            ledger=of_one_world(simulator.ledger()),
            snapshot=simulator.snapshot(),
            partial=self._sums,
            classes=simulator.classes,
            roads=simulator.roads,
            entries=simulator.entries,
            outlets=simulator.outlets,
            signals=simulator.signals,
            notes=simulator.plan.notes,
            dtype=dtype,
            every_s=self._every_s,
            complete=complete,
            wall_s=wall_s,
        )


def _cells(simulator: Simulator) -> dict[str, Array]:
    """The state of every cell, in the type that it is computed in."""
    fields = simulator.fields()
    return {"cell_density": fields.density[0].astype(simulator.dtype), "cell_speed": fields.speed[0].astype(simulator.dtype)}

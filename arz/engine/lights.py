"""The signals of a batch of worlds in time: fixed plans, or phases that a controller asks for; amber and all-red are never skipped."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine.plan import Lights, Plan
from arz.errors import Invalid

Array = NDArray[Any]


@dataclass
class Lamps:
    """What signals do, arrays [world, signal]: until `switched` the phase `before`, after amber and all-red the phase `now`."""

    controlled: Array
    """False as long as the fixed plan holds; the other arrays have no meaning then."""
    before: Array
    now: Array
    switched: Array


def by_plan(plan: Plan, worlds: int) -> Lamps:
    """All signals follow their fixed plans."""
    shape = (worlds, len(plan.lights))
    return Lamps(np.zeros(shape, bool), np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape))


def ask(plan: Plan, lamps: Lamps, phases: Array, time_s: float) -> Lamps:
    """The lamps after a controller asked for phases [world, signal].

    Who asks for the phase that is, or while a change is under way, changes nothing; from the first question on the fixed plan is over.
    """
    for number, lights in enumerate(plan.lights):
        count = len(lights.signal.phases)
        wrong = (phases[:, number] < 0) | (phases[:, number] >= count)
        if wrong.any():
            problem = f"asks for phase {phases[wrong, number][0]} of signal {lights.node!r}, which has {count}"
            raise Invalid(f"phase[{np.flatnonzero(wrong)[0]}, {number}]", problem, f"give a number from 0 to {count - 1}")
    before, now, switched = lamps.before.copy(), lamps.now.copy(), lamps.switched.copy()
    for number, lights in enumerate(plan.lights):
        at, begin, changing = _moment(lights, time_s)
        planned = ~lamps.controlled[:, number]
        following = (at + 1) % len(lights.signal.phases)
        before[planned, number] = at
        now[planned, number] = following if changing else at
        switched[planned, number] = begin + (lights.signal.phases[at].duration_s if changing else -_lost(lights))
    ready = switched + np.array([_lost(lights) for lights in plan.lights]) <= time_s + 1e-9
    change = ready & (phases != now)
    return Lamps(
        controlled=np.ones_like(lamps.controlled),
        before=np.where(change, now, before),
        now=np.where(change, phases, now),
        switched=np.where(change, time_s, switched),
    )


def windows(plan: Plan, lamps: Lamps, begin: float, end: float) -> Array:
    """[light, window, (begin, end), world]: when each light is green between two times; windows that are not needed are empty."""
    worlds = lamps.controlled.shape[0]
    planned = [_planned_windows(lights, begin, end) for lights in plan.lights]
    most = max([1, *(len(each) for of_signal in planned for each in of_signal)])
    table = np.zeros((plan.light_count, most, 2, worlds))
    for number, lights in enumerate(plan.lights):
        controlled = lamps.controlled[:, number]
        was, becomes = lights.green[lamps.before[:, number]], lights.green[lamps.now[:, number]]
        changed = lamps.switched[:, number] + _lost(lights)
        for light in range(lights.green.shape[1]):
            row = table[lights.first + light]
            for window, (opens, shuts) in enumerate(planned[number][light]):
                row[window, 0], row[window, 1] = opens, shuts
            if controlled.any():
                row[:, :, controlled] = 0
                first = np.where(was[:, light], -math.inf, changed)
                last = np.where(becomes[:, light], math.inf, lamps.switched[:, number])
                on = was[:, light] | becomes[:, light]
                row[0, 0, controlled] = np.where(on, first, 0)[controlled]
                row[0, 1, controlled] = np.where(on, last, 0)[controlled]
    return table


def phase(plan: Plan, lamps: Lamps, time_s: float) -> tuple[Array, Array]:
    """(phase, seconds since it began) [world, signal]; while lights change it is the coming phase, and the seconds are negative."""
    number, age = lamps.now.copy(), np.zeros(lamps.now.shape)
    for signal, lights in enumerate(plan.lights):
        planned = ~lamps.controlled[:, signal]
        at, begin, changing = _moment(lights, time_s)
        coming = begin + lights.signal.phases[at].duration_s + _lost(lights)
        number[planned, signal] = (at + 1) % len(lights.signal.phases) if changing else at
        age[planned, signal] = time_s - (coming if changing else begin)
        age[~planned, signal] = time_s - lamps.switched[~planned, signal] - _lost(lights)
    return number, age


def _lost(lights: Lights) -> float:
    """How long everything is red between two phases, amber included; a signal of one phase never changes."""
    return lights.signal.amber_s + lights.signal.all_red_s if len(lights.signal.phases) > 1 else 0.0


def _starts(lights: Lights) -> Array:
    """When each phase begins in a cycle that begins at 0."""
    lengths = [phase.duration_s + _lost(lights) for phase in lights.signal.phases]
    return np.concatenate([[0.0], np.cumsum(lengths)[:-1]])


def _moment(lights: Lights, time_s: float) -> tuple[int, float, bool]:
    """What the fixed plan does: the phase, when it began, and whether it has ended and the lights change."""
    cycle = lights.signal.cycle_s
    turns = math.floor((time_s - lights.signal.offset_s) / cycle)
    begin = lights.signal.offset_s + turns * cycle
    starts = _starts(lights)
    at = int(np.searchsorted(starts, time_s - begin, side="right") - 1)
    began = begin + float(starts[at])
    return at, began, time_s >= began + lights.signal.phases[at].duration_s and len(starts) > 1


def _planned_windows(lights: Lights, begin: float, end: float) -> list[list[tuple[float, float]]]:
    """For each light the windows of the fixed plan that meet begin … end."""
    signal, starts = lights.signal, _starts(lights)
    count = len(starts)
    found: list[list[tuple[float, float]]] = []
    for light in range(lights.green.shape[1]):
        green = lights.green[:, light]
        if green.all():
            found.append([(-math.inf, math.inf)])
            continue
        spans = []
        for at in np.flatnonzero(green & ~np.roll(green, 1)).tolist():
            # Green in phases that follow each other is one window, the changes between them included.
            length, p = 0.0, at
            while green[p % count]:
                length += signal.phases[p % count].duration_s + (_lost(lights) if green[(p + 1) % count] else 0.0)
                p += 1
            first = math.floor((begin - signal.offset_s - starts[at] - length) / signal.cycle_s)
            last = math.ceil((end - signal.offset_s - starts[at]) / signal.cycle_s)
            opens = [signal.offset_s + starts[at] + turn * signal.cycle_s for turn in range(first, last + 1)]
            spans += [(each, each + length) for each in opens if each < end and each + length > begin]
        found.append(sorted(spans))
    return found

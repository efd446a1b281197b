"""The signals of a batch of worlds in time: fixed plans, or phases that a controller asks for; amber and all-red are never skipped."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine.plan import Plan, Timetable
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
    table = plan.timetable
    wrong = (phases < 0) | (phases >= table.phases)
    if wrong.any():
        world, number = np.argwhere(wrong)[0].tolist()
        count = table.phases[number]
        problem = f"asks for phase {phases[world, number]} of signal {plan.lights[number].node!r}, which has {count}"
        raise Invalid(f"phase[{world}, {number}]", problem, f"give a number from 0 to {count - 1}")
    before, now, switched = lamps.before, lamps.now, lamps.switched
    if not lamps.controlled.all():
        planned = ~lamps.controlled
        at, begin, changing = _moment(table, time_s)
        length = table.lengths[np.arange(len(at)), at]
        before = np.where(planned, at, before)
        now = np.where(planned, np.where(changing, (at + 1) % table.phases, at), now)
        switched = np.where(planned, begin + np.where(changing, length, -table.lost), switched)
    change = (switched + table.lost <= time_s + 1e-9) & (phases != now)
    return Lamps(
        controlled=np.ones_like(lamps.controlled),
        before=np.where(change, now, before),
        now=np.where(change, phases, now),
        switched=np.where(change, time_s, switched),
    )


def windows(plan: Plan, lamps: Lamps, begin: float, end: float) -> Array:
    """[light, window, (begin, end), world]: when each light is green between two times; windows that are not needed are empty."""
    table, worlds = plan.timetable, lamps.controlled.shape[0]
    controlled = lamps.controlled.T[table.signal]
    if controlled.all():
        return _asked_windows(table, lamps)[:, None]
    light, opens, shuts = _planned_windows(table, begin, end)
    place = np.arange(len(light)) - np.searchsorted(light, light)
    made = np.zeros((plan.light_count, int(place.max(initial=0)) + 1, 2, worlds))
    made[light, place, 0] = opens[:, None]
    made[light, place, 1] = shuts[:, None]
    made[table.always, 0, 0], made[table.always, 0, 1] = -math.inf, math.inf
    if controlled.any():
        made[np.broadcast_to(controlled[:, None, None], made.shape)] = 0
        made[:, 0] = np.where(controlled[:, None], _asked_windows(table, lamps), made[:, 0])
    return made


def phase(plan: Plan, lamps: Lamps, time_s: float) -> tuple[Array, Array]:
    """(phase, seconds since it began) [world, signal]; while lights change it is the coming phase, and the seconds are negative."""
    table = plan.timetable
    asked = time_s - lamps.switched - table.lost
    if lamps.controlled.all():
        return lamps.now.copy(), asked
    at, begin, changing = _moment(table, time_s)
    coming = begin + table.lengths[np.arange(len(at)), at] + table.lost
    number = np.where(lamps.controlled, lamps.now, np.where(changing, (at + 1) % table.phases, at))
    return number, np.where(lamps.controlled, asked, time_s - np.where(changing, coming, begin))


def _moment(table: Timetable, time_s: float) -> tuple[Array, Array, Array]:
    """What the fixed plans do, [signal]: the phase, when it began, and whether it has ended and the lights change."""
    turns = np.floor((time_s - table.offset) / table.cycle)
    turns -= table.offset + turns * table.cycle > time_s  # rounding may lift the quotient to a turn that has not begun
    begin = table.offset + turns * table.cycle
    at = (table.starts <= (time_s - begin)[:, None]).sum(axis=1) - 1
    every = np.arange(len(at))
    began = begin + table.starts[every, at]
    return at, began, (time_s >= began + table.lengths[every, at]) & (table.phases > 1)


def _planned_windows(table: Timetable, begin: float, end: float) -> tuple[Array, Array, Array]:
    """(light, begin, end) of the windows of the fixed plans that meet begin … end, light by light and in time."""
    cycle = table.cycle[table.signal[table.light]]
    first = np.floor((begin - table.opens - table.open_s) / cycle)
    turns = math.ceil(((end - begin + table.open_s) / cycle).max(initial=0)) + 2
    opens = table.opens[:, None] + (first[:, None] + np.arange(turns)) * cycle[:, None]
    shuts = opens + table.open_s[:, None]
    window, turn = np.nonzero((opens < end) & (shuts > begin) & ~table.always[table.light][:, None])
    light, opens, shuts = table.light[window], opens[window, turn], shuts[window, turn]
    order = np.lexsort((opens, light))
    return light[order], opens[order], shuts[order]


def _asked_windows(table: Timetable, lamps: Lamps) -> Array:
    """[light, (begin, end), world] of the lights of signals that a controller has."""
    before, now = lamps.before.T[table.signal], lamps.now.T[table.signal]
    switched = lamps.switched.T[table.signal]
    every = np.arange(len(table.signal))[:, None]
    was, becomes = table.green[every, before], table.green[every, now]
    first = np.where(was, -math.inf, switched + table.lost[table.signal][:, None])
    last = np.where(becomes, math.inf, switched)
    on = was | becomes
    return np.stack([np.where(on, first, 0), np.where(on, last, 0)], axis=1)

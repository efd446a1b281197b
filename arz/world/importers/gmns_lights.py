"""The signals of GMNS: timed phases of movements, read as greens of whole approaches."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arz.world.importers.draft import Draft
from arz.world.importers.lights import AMBER_S, GREEN_S, LightPlan, Stage, merged, two_phases
from arz.world.importers.plane import heading
from arz.world.importers.table import Row, rows

CLEARANCE_S = 5.0
FIRST_RING = 4
HALF = 0.5


@dataclass(frozen=True, slots=True)
class _Timing:
    """One timed phase: when in the cycle it comes (barrier, then position), for how long, and what is behind it."""

    order: tuple[float, float]
    green_s: float
    clearance_s: float


def light_plans(draft: Draft, folder: str, nodes: Mapping[str, Row], movements: Sequence[Row]) -> None:
    """The plans of the timing files, and guessed ones for nodes that are said to have a signal and have no timing."""
    _timed(draft, folder, movements)
    arriving: dict[str, dict[str, float | None]] = defaultdict(dict)
    for road in draft.roads.values():
        line = road.geometry or (draft.places[road.start], draft.places[road.end])
        arriving[road.end][road.id] = heading(line)
    for name, row in nodes.items():
        if not row.get("ctrl_type").lower().startswith("signal") or name in draft.plans or name not in arriving:
            continue
        plan = two_phases(arriving[name])
        if plan is None:
            draft.notes.count("signals where nobody has to wait for another: left out", name)
        else:
            draft.notes.count("signals without timing: given two phases by compass direction", name)
            draft.plans[name] = plan


def _timed(draft: Draft, folder: str, movements: Sequence[Row]) -> None:
    timings, phases = (_table(folder, name) for name in ("signal_timing_phase.csv", "signal_phase_mvmt.csv"))
    if not timings or not phases or not movements:
        return
    moving = {row.text("mvmt_id"): row for row in movements}
    book = _Book(draft, timings, _table(folder, "signal_timing_plan.csv"))
    by_node: dict[str, dict[_Timing, list[Row]]] = defaultdict(lambda: defaultdict(list))
    plans: dict[str, Row | None] = {}
    for phase in phases:
        movement = moving.get(phase.get("mvmt_id"))
        if movement is None or movement.get("ib_link_id") not in draft.roads:
            continue
        timing = book.timing_of(phase)
        if timing is None:
            draft.notes.count("movements in phases without timing: left out of the plan", movement.text("mvmt_id"))
            continue
        node = draft.roads[movement.text("ib_link_id")].end
        by_node[node][_read(timing)].append(movement)
        plans[node] = book.plan_of(phase, timing)
    for node, greens in by_node.items():
        plan = plans[node]
        light = _plan(draft, greens, plan.number_or("offset", 0) if plan else 0, plan.number_or("cycle_length", 0) if plan else 0)
        if light is None:
            draft.notes.count("signals where nobody has to wait for another: left out", node)
        else:
            draft.notes.count("signals: timed phases of movements read as greens of approaches", node)
            draft.plans[node] = light


def _table(folder: str, name: str) -> list[Row]:
    path = os.path.join(folder, name)
    return list(rows(path, ())) if os.path.isfile(path) else []


class _Book:
    """The timings of phases and the plans of controllers, by what phases name them."""

    def __init__(self, draft: Draft, timings: Sequence[Row], plans: Sequence[Row]) -> None:
        self._plans: dict[str, Row] = {}
        self._by_plan: dict[str, Row] = {}
        for plan in plans:
            controller = plan.get("controller_id")
            if controller in self._plans:
                draft.notes.count("controllers with several timing plans: the first taken", controller)
                continue
            self._plans[controller] = plan
            self._by_plan.setdefault(plan.get("timing_plan_id"), plan)
        self._own: dict[str, Row] = {}
        self._phase: dict[str, Row] = {}
        self._numbered: dict[tuple[str, str], Row] = {}
        for timing in timings:
            self._own.setdefault(timing.get("timing_phase_id"), timing)
            self._phase.setdefault(timing.get("signal_phase_id"), timing)
            self._numbered.setdefault((timing.get("timing_plan_id"), _number(timing)), timing)

    def timing_of(self, phase: Row) -> Row | None:
        """The timing of a phase: by its own id where the files have one, else by its number in the controller's first plan."""
        for index, column in ((self._own, "timing_phase_id"), (self._phase, "signal_phase_id")):
            if phase.get(column) in index and phase.get(column):
                return index[phase.get(column)]
        plan = self._plans.get(phase.get("controller_id"))
        return self._numbered.get((plan.get("timing_plan_id"), _number(phase))) if plan else None

    def plan_of(self, phase: Row, timing: Row) -> Row | None:
        """The plan that a timing belongs to; numbers of plans may be of one controller only, so the controller is asked first."""
        return self._plans.get(phase.get("controller_id")) or self._by_plan.get(timing.get("timing_plan_id"))


def _number(row: Row) -> str:
    return row.get("signal_phase_num") or row.get("phase_num")


def _read(timing: Row) -> _Timing:
    """Phases with the same barrier and position run together; where the file has none, as the usual eight phases do."""
    number = int(timing.number_or("signal_phase_num", timing.number_or("phase_num", 1)))
    usual = (1.0 if number % FIRST_RING in (1, 2) else 2.0, 1.0 if number % 2 else 2.0)
    order = (timing.number_or("barrier", usual[0]), timing.number_or("position", usual[1]))
    green_s = timing.number_or("max_green", 0) or timing.number_or("min_green", 0) or GREEN_S
    clearance_s = timing.number_or("clearance", CLEARANCE_S)
    for column, value in (("max_green", green_s), ("clearance", clearance_s)):
        if value < 0:
            raise timing.refused(column, f"it is {value:g}", "give seconds, 0 or more")
    return _Timing(order, green_s, clearance_s)


def _plan(draft: Draft, greens: Mapping[_Timing, Sequence[Row]], offset_s: float, cycle_s: float) -> LightPlan | None:
    """Stages in the order of barrier and position; phases that run together last as long as the longest of them."""
    together: dict[tuple[float, float], list[_Timing]] = defaultdict(list)
    for timing in greens:
        together[timing.order].append(timing)
    all_lanes: dict[str, set[str]] = defaultdict(set)
    for movements in greens.values():
        for movement in movements:
            all_lanes[movement.text("ib_link_id")].add(movement.text("mvmt_id"))
    moves = [{movement.text("mvmt_id") for timing in together[order] for movement in greens[timing]} for order in sorted(together)]
    green_of = _approach_greens(all_lanes, moves)
    stages = []
    for green, order in zip(green_of, sorted(together), strict=True):
        green_s = max(timing.green_s for timing in together[order])
        clearance_s = max(timing.clearance_s for timing in together[order])
        stages.append(Stage(green, green_s, min(AMBER_S, clearance_s), max(0.0, clearance_s - AMBER_S)))
    return merged(LightPlan(tuple(_scaled(draft, stages, cycle_s)), offset_s))


def _approach_greens(movements: Mapping[str, set[str]], stages: Sequence[set[str]]) -> list[frozenset[str]]:
    """An approach is green where at least half of its movements are, or the most that ever are."""
    shares = {approach: [len(own & moving) / len(own) for moving in stages] for approach, own in movements.items()}
    return [
        frozenset(approach for approach, of_stage in shares.items() if of_stage[at] >= min(HALF, max(of_stage)))
        for at in range(len(stages))
    ]


def _scaled(draft: Draft, stages: Sequence[Stage], cycle_s: float) -> Sequence[Stage]:
    """The stages with their greens stretched or shortened to the cycle of the plan, where it tells one."""
    lost_s = sum(stage.amber_s + stage.red_s for stage in stages)
    green_s = sum(stage.go_s for stage in stages)
    if cycle_s <= lost_s or green_s <= 0 or abs(cycle_s - lost_s - green_s) < 1:
        return stages
    draft.notes.count("signals whose greens were scaled to the length of the cycle", ", ".join(sorted(stages[0].green)))
    factor = (cycle_s - lost_s) / green_s
    return [Stage(stage.green, stage.go_s * factor, stage.amber_s, stage.red_s) for stage in stages]

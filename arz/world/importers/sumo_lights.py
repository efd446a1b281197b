"""The traffic lights of SUMO: programs of single movements, read as greens of whole approaches."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from arz.world.importers.draft import Draft, refused
from arz.world.importers.elements import Element
from arz.world.importers.lights import LightPlan, Step, plan_of_steps

_GREEN = frozenset("Ggs")
_AMBER = frozenset("yYu")
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Link:
    """A connection from a lane of an approach to an exit, and the place of its light in the states of a program."""

    approach: str
    exit: str
    lane: str
    turns_round: bool
    light: str
    index: int


def light_plans(draft: Draft, programs: Sequence[Element], links: Iterable[Link]) -> None:
    """The plan of every node whose connections a program controls.

    An approach has green where at least half of what it sends may go; if that never happens, where the most of it may go.
    """
    first = _first_programs(draft, programs)
    by_node: dict[tuple[str, str], list[Link]] = defaultdict(list)
    for link in links:
        if link.light and link.index >= 0:
            by_node[draft.roads[link.approach].end, link.light].append(link)
    for (node, light), controlled in by_node.items():
        if light not in first:
            draft.notes.count("lights without a program: left out, their nodes are not signalled", light)
            continue
        if node in draft.plans:
            draft.notes.count("nodes with several lights: the first taken", node)
            continue
        plan = _plan(draft, first[light], controlled)
        if plan is None:
            draft.notes.count("lights where nobody has to wait for another: left out", node)
        else:
            draft.notes.count("lights: greens of movements read as greens of approaches", node)
            draft.plans[node] = plan
            _note_movements(draft, first[light], controlled)


def _first_programs(draft: Draft, programs: Iterable[Element]) -> Mapping[str, Element]:
    first: dict[str, Element] = {}
    for program in programs:
        name = program.attributes.get("id")
        if name is None:
            raise refused(draft.file, f"line {program.line}, <tlLogic>", "it has no id", "write the network again")
        if name in first:
            draft.notes.count("lights with several programs: the first taken", name)
        elif program.attributes.get("type", "static") != "static":
            draft.notes.count("lights driven by traffic: read as fixed plans with the durations of the file", name)
        first.setdefault(name, program)
    return first


def _plan(draft: Draft, program: Element, links: Sequence[Link]) -> LightPlan | None:
    states = [
        (step, _duration(draft, program, step), _state(draft, program, step, links)) for step in program.within if step.tag == "phase"
    ]
    states = [(step, duration_s, state) for step, duration_s, state in states if duration_s > 0]
    if not states:
        raise refused(draft.file, _place(program), "the program has no phases", "write the network again")
    by_approach: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_approach[link.approach].append(link)
    greens: list[set[str]] = [set() for _ in states]
    for approach, own in by_approach.items():
        shares = [_green_share(draft, approach, own, state) for _, _, state in states]
        enough = min(HALF, max(shares))
        if enough > 0:
            for green, share in zip(greens, shares, strict=True):
                if share >= enough:
                    green.add(approach)
        else:
            draft.notes.count("approaches that never have green: read as not controlled", approach)
    steps = [
        Step(frozenset(green), duration_s, changing=not _AMBER.isdisjoint(state[link.index] for link in links))
        for green, (_, duration_s, state) in zip(greens, states, strict=True)
    ]
    return plan_of_steps(steps, _offset(draft, program))


def _note_movements(draft: Draft, program: Element, links: Sequence[Link]) -> None:
    by_approach: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_approach[link.approach].append(link)
    states = [step.attributes["state"] for step in program.within if step.tag == "phase"]
    for approach, own in by_approach.items():
        onward = [link for link in own if not link.turns_round] or own
        if any(len({state[link.index] in _GREEN for link in onward}) > 1 for state in states):
            draft.notes.count("approaches whose movements have green at different times: green with the larger part of them", approach)


def _green_share(draft: Draft, approach: str, links: Sequence[Link], state: str) -> float:
    """How much of an approach's traffic may go in this state."""
    weights = draft.weights[approach]
    of_exit: dict[str, list[bool]] = defaultdict(list)
    for link in links:
        if link.exit in weights:
            of_exit[link.exit].append(state[link.index] in _GREEN)
    total = sum(weights[leaving] for leaving in of_exit)
    return sum(weights[leaving] * sum(greens) / len(greens) for leaving, greens in of_exit.items()) / total if total else 0.0


def _place(program: Element) -> str:
    return f"line {program.line}, <tlLogic {program.attributes.get('id', '')}>"


def _state(draft: Draft, program: Element, step: Element, links: Sequence[Link]) -> str:
    state = step.attributes.get("state", "")
    if len(state) <= max(link.index for link in links):
        problem = f"the state {state!r} has no letter for link {max(link.index for link in links)}"
        raise refused(draft.file, f"line {step.line}, {_place(program)}", problem, "write the network again")
    return state


def _duration(draft: Draft, program: Element, step: Element) -> float:
    text = step.attributes.get("duration", "")
    try:
        duration_s = float(text)
    except ValueError:
        duration_s = math.nan
    if not (math.isfinite(duration_s) and duration_s >= 0):
        raise refused(draft.file, f"line {step.line}, {_place(program)}", f"the duration is {text!r}", "give seconds, 0 or more")
    return duration_s


def _offset(draft: Draft, program: Element) -> float:
    text = program.attributes.get("offset", "0")
    try:
        offset_s = float(text)
    except ValueError:
        offset_s = math.nan
    if not math.isfinite(offset_s):
        draft.notes.count("offsets of lights that are no numbers: taken as 0", program.attributes.get("id", ""))
        return 0.0
    return offset_s

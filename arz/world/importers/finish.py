"""From a draft to a sound network: one connected part, open ends, no traps, shares that add up."""

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from arz.world.importers.draft import Draft, refused
from arz.world.importers.lights import LightPlan, narrowed
from arz.world.importers.plane import heading
from arz.world.network import Network, Node, Phase, Road, Signal, Turn

_STRAIGHT = math.cos(math.radians(10))
"""Two lines in one direction, as the two sides of a street are."""

DeadEnds = Literal["open", "turn"]
"""What a two-way street that ends does: traffic enters and leaves there, or turns round."""


def finished(draft: Draft, dead_ends: DeadEnds) -> Network:
    """The network; what is left out on the way is noted."""
    if not draft.roads:
        raise refused(draft.file, "", "there is no road for cars in it", "check that it is the right extract, with its highways")
    draft = _without_loops(draft)
    draft = _largest_part(draft)
    if dead_ends == "open":
        draft = _opened(draft)
    draft = _without_traps(draft)
    return _network(draft)


class _Joints:
    """Which roads meet at which node, in the order of the roads."""

    def __init__(self, roads: Iterable[Road]) -> None:
        self.approaches: dict[str, list[Road]] = defaultdict(list)
        self.exits: dict[str, list[Road]] = defaultdict(list)
        for road in roads:
            self.approaches[road.end].append(road)
            self.exits[road.start].append(road)


def _without_loops(draft: Draft) -> Draft:
    loops = [road for road in draft.roads.values() if road.start == road.end]
    for road in loops:
        draft.notes.count("roads that end where they begin: left out", road.id, road.length_m)
    if len(loops) == len(draft.roads):
        raise refused(draft.file, "", "every road ends where it begins", "check the ids of the nodes")
    return _kept(draft, {road.id for road in draft.roads.values() if road.start != road.end})


class _Parts:
    """Which nodes hang together, directions not looked at."""

    def __init__(self, roads: Iterable[Road] = ()) -> None:
        self._above: dict[str, str] = {}
        for road in roads:
            self.join(road.start, road.end)

    def of(self, node: str) -> str:
        """A node that stands for the part of this one."""
        above = self._above
        while above.setdefault(node, node) != node:
            above[node] = above[above[node]]
            node = above[node]
        return node

    def join(self, node: str, other: str) -> None:
        self._above[self.of(node)] = self.of(other)


def _largest_part(draft: Draft) -> Draft:
    """The connected part with the most metres of road."""
    joined = _Parts(draft.roads.values())
    parts: dict[str, list[Road]] = defaultdict(list)
    for road in draft.roads.values():
        parts[joined.of(road.start)].append(road)
    if len(parts) == 1:
        return draft
    longest = max(parts.values(), key=lambda part: sum(road.length_m for road in part))
    for part in parts.values():
        if part is not longest:
            length_m = sum(road.length_m for road in part)
            draft.notes.count("parts that are not connected with the largest: left out", f"{len(part)} roads at {part[0].id}", length_m)
    return _kept(draft, {road.id for road in longest})


def _opened(draft: Draft) -> Draft:
    """Two-way streets that end become an entry and an exit: the node is parted into one for each."""
    joints = _Joints(draft.roads.values())
    entry_of = {node: _entry_of(node, draft.places) for node in joints.approaches if _is_dead_end(draft, joints, node)}

    def opened(road: Road, entries: Mapping[str, str]) -> Road:
        return road.model_copy(update={"start": entries[road.start]}) if road.start in entries else road

    # What hangs together by its turning point alone, as two carriageways may, stays closed there.
    parts = _Parts(opened(road, entry_of) for road in draft.roads.values())
    for node, entry in tuple(entry_of.items()):
        if parts.of(node) != parts.of(entry):
            parts.join(node, entry)
            del entry_of[node]
        else:
            draft.notes.count("ends of two-way streets: traffic enters and leaves there, and does not turn round", node)
    places = draft.places | {entry: draft.places[node] for node, entry in entry_of.items()}
    return replace(draft, roads={name: opened(road, entry_of) for name, road in draft.roads.items()}, places=places)


def _is_dead_end(draft: Draft, joints: _Joints, node: str) -> bool:
    """Whether one can only turn round here: there is one neighbour, or the only way on goes back along the way that came."""
    arriving, leaving = joints.approaches[node], joints.exits.get(node, [])
    if not leaving:
        return False
    if len({road.start for road in arriving} | {road.end for road in leaving}) == 1:
        return True
    if len(arriving) > 1 or len(leaving) > 1:
        return False
    there, back = (road.geometry or (draft.places[road.start], draft.places[road.end]) for road in (arriving[0], leaving[0]))
    came, goes = heading(there), heading(tuple(reversed(back)))
    return came is not None and goes is not None and math.cos(came - goes) > _STRAIGHT


def _entry_of(node: str, places: Mapping[str, object]) -> str:
    name = f"{node}.in"
    while name in places:
        name += "'"
    return name


def _without_traps(draft: Draft) -> Draft:
    """Without the roads that nobody reaches from an entry, and those from which nobody reaches an exit."""
    joints = _Joints(draft.roads.values())
    onward = {road.id: tuple(_turning(draft, joints, road)) for road in draft.roads.values()}
    backward: dict[str, list[str]] = defaultdict(list)
    for road, exits in onward.items():
        for way in exits:
            backward[way].append(road)
    entries = [road.id for road in draft.roads.values() if road.start not in joints.approaches]
    outlets = [road.id for road in draft.roads.values() if road.end not in joints.exits]
    if not entries or not outlets:
        missing = " and ".join(what for what, some in (("no entry", entries), ("no exit", outlets)) if not some)
        draft.notes.say(f"the network has {missing}: traffic can be put on its roads at the start, and stays on them")
        return draft
    reached, leaving = _reached(entries, onward.__getitem__), _reached(outlets, lambda road: backward[road])
    kept = reached & leaving
    if not kept:
        draft.notes.say("no exit can be reached from any entry: all roads are kept; check the directions of the roads")
        return draft
    for each in draft.roads.values():
        if each.id not in reached:
            draft.notes.count("roads that cannot be reached from any entry: left out", each.id, each.length_m)
        elif each.id not in leaving:
            draft.notes.count("roads from which no exit can be reached: left out", each.id, each.length_m)
    return _kept(draft, kept)


def _reached(starts: Iterable[str], onward: Callable[[str], Iterable[str]]) -> set[str]:
    seen = set(starts)
    waiting = deque(seen)
    while waiting:
        for road in onward(waiting.popleft()):
            if road not in seen:
                seen.add(road)
                waiting.append(road)
    return seen


def _kept(draft: Draft, roads: set[str]) -> Draft:
    if len(roads) == len(draft.roads):
        return draft
    return replace(draft, roads={name: road for name, road in draft.roads.items() if name in roads})


def _turning(draft: Draft, joints: _Joints, road: Road) -> dict[str, float]:
    """How much of this road turns into each exit: as the draft says, or as lanes say, without turning round unless that is the only way."""
    exits = joints.exits.get(road.end, [])
    told = draft.weights.get(road.id, {})
    weights = {leaving.id: told[leaving.id] for leaving in exits if told.get(leaving.id, 0.0) > 0}
    if weights:
        return weights
    onward = [leaving for leaving in exits if leaving.end != road.start] or exits
    return {leaving.id: float(leaving.lanes) for leaving in onward}


def _network(draft: Draft) -> Network:
    joints = _Joints(draft.roads.values())
    names = dict.fromkeys(node for road in draft.roads.values() for node in (road.start, road.end))
    nodes = tuple(_node(draft, joints, name) for name in names)
    return Network(name=draft.name, roads=tuple(draft.roads.values()), nodes=nodes, notes=draft.notes.sentences())


def _node(draft: Draft, joints: _Joints, name: str) -> Node:
    approaches, exits = joints.approaches.get(name, []), joints.exits.get(name, [])
    x_m, y_m = draft.places[name]
    told = (road for road in approaches if exits and road.id in draft.weights)
    turns = tuple(turn for road in told for turn in _turns(road, _turning(draft, joints, road)))
    signal = _signal(draft, name, frozenset(road.id for road in approaches)) if exits else None
    return Node(id=name, x_m=x_m, y_m=y_m, turns=turns, signal=signal)


def _turns(road: Road, weights: Mapping[str, float]) -> Iterator[Turn]:
    total = sum(weights.values())
    for leaving, weight in weights.items():
        yield Turn(approach=road.id, exit=leaving, share=weight / total)


def _signal(draft: Draft, node: str, approaches: frozenset[str]) -> Signal | None:
    plan = draft.plans.get(node)
    if plan is None:
        return None
    narrow = narrowed(plan, approaches)
    if narrow is None:
        draft.notes.count("lights where nobody has to wait for another: left out", node)
        return None
    return _signal_of(narrow, approaches)


def _signal_of(plan: LightPlan, approaches: frozenset[str]) -> Signal:
    """The signal of a plan. An approach that the plan never names is not stopped by it."""
    free = approaches - frozenset().union(*(stage.green for stage in plan.stages))
    phases = tuple(Phase(green=tuple(sorted(green | free)), duration_s=duration_s) for green, duration_s in plan.phases())
    return Signal(
        phases=phases,
        amber_s=plan.amber_s,
        all_red_s=plan.between_s - plan.amber_s,
        offset_s=plan.offset_s,
        min_green_s=min(5.0, *(phase.duration_s for phase in phases)),
    )

"""Signal plans as files tell of them, turned into greens of whole approaches; and a plan where a file only says that there is a light."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

GREEN_S = 30.0
AMBER_S = 3.0
ALL_RED_S = 2.0
"""A guessed plan has two phases with these times: a cycle of 70 s."""


@dataclass(frozen=True, slots=True)
class Step:
    """One state of a light: who has green for how long; `changing` where somebody has amber."""

    green: frozenset[str]
    duration_s: float
    changing: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """A green with the amber and the red for all behind it."""

    green: frozenset[str]
    go_s: float
    amber_s: float = 0.0
    red_s: float = 0.0

    @property
    def between_s(self) -> float:
        return self.amber_s + self.red_s

    @property
    def length_s(self) -> float:
        return self.go_s + self.between_s


@dataclass(frozen=True, slots=True)
class LightPlan:
    """A fixed plan: stages in a circle, the first of which begins at offset_s."""

    stages: tuple[Stage, ...]
    offset_s: float = 0.0

    @property
    def between_s(self) -> float:
        """The time between greens that every stage has, amber and red for all together."""
        return min(stage.between_s for stage in self.stages)

    @property
    def amber_s(self) -> float:
        """The amber in it."""
        return min(self.between_s, *(stage.amber_s for stage in self.stages))

    @property
    def cycle_s(self) -> float:
        return sum(stage.length_s for stage in self.stages)

    def phases(self) -> Iterator[tuple[frozenset[str], float]]:
        """Who has green for how long, with the same time between greens behind each, in a cycle of the same length.

        A long red for all, as people on foot have, is a phase of nobody; a few seconds above what every stage has count as green.
        """
        between_s = self.between_s
        for stage in self.stages:
            alone_s = stage.between_s - 2 * between_s
            yield stage.green, stage.go_s + (0.0 if alone_s > 0 else stage.between_s - between_s)
            if alone_s > 0:
                yield frozenset(), alone_s


def plan_of_steps(steps: Sequence[Step], offset_s: float = 0.0) -> LightPlan | None:
    """The plan that goes through these states again and again; None where nobody ever has to wait for another.

    A state in which nobody has green, or somebody amber, ends the stage before it. The cycle keeps its length.
    """
    goes = [at for at, step in enumerate(steps) if step.green and not step.changing]
    if not goes:
        return None
    offset_s += sum(step.duration_s for step in steps[: goes[0]])
    stages: list[Stage] = []
    for step in (*steps[goes[0] :], *steps[: goes[0]]):
        if step.green and not step.changing:
            stages.append(Stage(step.green, step.duration_s))
        elif step.changing:
            stages[-1] = replace(stages[-1], amber_s=stages[-1].amber_s + step.duration_s)
        else:
            stages[-1] = replace(stages[-1], red_s=stages[-1].red_s + step.duration_s)
    return merged(LightPlan(tuple(stages), offset_s))


def merged(plan: LightPlan) -> LightPlan | None:
    """The same plan with neighbours of the same green made one; None where one stage is left."""
    stages: list[Stage] = []
    for stage in plan.stages:
        if stages and stages[-1].green == stage.green:
            stages[-1] = replace(stage, go_s=stages[-1].length_s + stage.go_s)
        else:
            stages.append(stage)
    offset_s = plan.offset_s
    if len(stages) > 1 and stages[0].green == stages[-1].green:
        last = stages.pop()
        stages[0] = replace(stages[0], go_s=last.length_s + stages[0].go_s)
        offset_s -= last.length_s
    if len(stages) == 1:
        return None
    whole = LightPlan(tuple(stages), offset_s)
    return replace(whole, offset_s=offset_s % whole.cycle_s)


def narrowed(plan: LightPlan, approaches: frozenset[str]) -> LightPlan | None:
    """The plan as it is for those of its approaches that are still there."""
    steps: list[Step] = []
    for stage in plan.stages:
        steps.append(Step(stage.green & approaches, stage.go_s))
        steps.append(Step(frozenset(), stage.amber_s, changing=True))
        steps.append(Step(frozenset(), stage.red_s))
    return plan_of_steps([step for step in steps if step.duration_s > 0], plan.offset_s)


def two_phases(headings: Mapping[str, float | None]) -> LightPlan | None:
    """A guessed plan: approaches that run north or south, then those that run east or west.

    Nodes that are near each other so change together. Where all would fall into one group, the first approach gives the directions
    instead of the compass. None where even so nobody crosses anybody.
    """
    angles = {road: angle for road, angle in headings.items() if angle is not None}
    if not angles:
        return None
    for north in (math.pi / 2, next(iter(angles.values()))):
        along = frozenset(road for road, angle in angles.items() if abs(math.cos(angle - north)) >= math.sqrt(0.5))
        across = frozenset(headings) - along
        if along and across:
            return LightPlan(tuple(Stage(green, GREEN_S, AMBER_S, ALL_RED_S) for green in (along, across)))
    return None

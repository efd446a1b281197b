"""Signal plans of other programs keep their time: the cycle, who is green when, and the beginning."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arz.world.importers.lights import LightPlan, Stage, Step, merged, narrowed, plan_of_steps, two_phases

approaches = st.frozensets(st.sampled_from("abc"))
steps = st.lists(st.builds(Step, approaches, st.integers(1, 40).map(float), st.booleans()), min_size=1, max_size=8)


def greens(plan: LightPlan) -> dict[int, frozenset[str]]:
    """Who is green in each second of the cycle, from the plan as a signal runs it: time between greens is nobody's."""
    seconds: dict[int, frozenset[str]] = {}
    at = plan.offset_s
    for green, duration_s in plan.phases():
        for second in range(round(duration_s)):
            seconds[round(at + second) % round(plan.cycle_s)] = green
        at += duration_s + plan.between_s
    return seconds


@given(told=steps, offset_s=st.integers(-50, 50))
def test_a_plan_keeps_its_cycle(told: list[Step], offset_s: int) -> None:
    """Phases and the time between them add up to the durations of the file, all of them positive; the beginning lies in the cycle."""
    plan = plan_of_steps(told, offset_s)
    cycle_s = sum(step.duration_s for step in told)

    if plan is None:
        assert len({step.green for step in told if step.green and not step.changing}) <= 1
        return
    phases = list(plan.phases())
    assert sum(duration_s for _, duration_s in phases) + len(phases) * plan.between_s == pytest.approx(cycle_s)
    assert all(duration_s > 0 for _, duration_s in phases)
    assert 0 <= plan.offset_s < cycle_s
    assert 0 <= plan.amber_s <= plan.between_s


@given(told=st.lists(st.tuples(approaches.filter(bool), st.integers(1, 40)), min_size=2, max_size=6), offset_s=st.integers(0, 50))
def test_green_is_where_it_was(told: list[tuple[frozenset[str], int]], offset_s: int) -> None:
    """Where every green is followed by the same amber and red, each second of the plan is what the file says of it."""
    states = [
        step
        for green, duration in told
        for step in (Step(green, float(duration)), Step(frozenset(), 3.0, changing=True), Step(frozenset(), 2.0))
    ]
    plan = plan_of_steps(states, float(offset_s))
    expected: dict[int, frozenset[str]] = {}
    at, cycle = offset_s, sum(duration + 5 for _, duration in told)
    for green, duration in told:
        expected |= {second % cycle: green for second in range(at, at + duration)}
        at += duration + 5

    if plan is None:
        assert len({green for green, _ in told}) == 1
        return
    # Between two phases of one green the light does not change.
    assert expected.items() <= greens(plan).items()


def test_neighbours_of_one_green_are_one_stage() -> None:
    """Also over the end of the cycle, which then begins earlier."""
    a, b = frozenset("a"), frozenset("b")
    plan = merged(LightPlan((Stage(a, 10, 3), Stage(b, 20, 3), Stage(a, 5, 3)), 4.0))

    assert plan == LightPlan((Stage(a, 18, 3), Stage(b, 20, 3)), 40.0)


def test_a_plan_without_some_approaches_keeps_its_time() -> None:
    """Where the only approach of a stage is gone, nobody has green for that long; where one approach is left, it has a red still."""
    plan = LightPlan(tuple(Stage(frozenset(road), 20, 3, 2) for road in "abc"))
    narrow = narrowed(plan, frozenset("ab"))
    alone = narrowed(plan, frozenset("a"))

    assert narrow is not None
    assert narrow.cycle_s == 75
    assert [(set(green), duration_s) for green, duration_s in narrow.phases()] == [({"a"}, 20), ({"b"}, 20), (set(), 20)]
    assert alone is None


@given(turn=st.floats(0, math.tau), flip=st.booleans())
def test_a_cross_always_has_two_phases(turn: float, flip: bool) -> None:
    """However a crossing lies, opposed approaches are green together and crossing ones are not."""
    angles = [turn, turn + math.pi, turn + math.pi / 2, turn - math.pi / 2]
    names = "nsew" if flip else "ewns"
    plan = two_phases(dict(zip(names, angles, strict=True)))

    assert plan is not None
    assert {stage.green for stage in plan.stages} == {frozenset(names[:2]), frozenset(names[2:])}

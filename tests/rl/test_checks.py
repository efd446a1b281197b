"""The five checks pass on every ready task, on one simulator, and each is seen to fail where the thing it asks for is broken."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from arz import Controls
from rl.checks import CHECKS, _trials, check
from rl.guard import Guard
from rl.moment import Moment
from rl.rewards.base import whole
from rl.rewards.switches import Switches
from rl.task import Task
from rl.tasks import TASKS, ready
from rl.worlds import Bench
from tests.rl.makers import spec

ROOMY = {"horizon_s": 900.0}


def failed(task: Task) -> list[str]:
    return [finding.name for finding in check(task) if not finding.passed]


@pytest.mark.parametrize("name", TASKS)
def test_the_ready_tasks_are_well(name: str) -> None:
    """All five, with nothing built for them."""
    task = Task(ready(name))
    built = Bench.built

    findings = check(task)

    assert [finding.detail for finding in findings if not finding.passed] == []
    assert [finding.name for finding in findings] == list(CHECKS)
    assert Bench.built == built


def test_the_farthest_light_is_waited_for() -> None:
    """With short decisions too: it took as many of them, whatever they last, and nobody had come to the island's last lights."""
    assert failed(Task(ready("VictoriaIsland", decision_s=5.0, agents="shared"))) == []


@pytest.mark.parametrize("agents", ["multi", "joint", "shared"])
@pytest.mark.parametrize("kind", ["phase", "switch"])
def test_so_are_their_variants(agents: str, kind: str) -> None:
    """Of two worlds, however the choices are shared out."""
    assert failed(Task(spec(agents=agents, action={"kind": kind}, **ROOMY), 2)) == []


@cache
def unbroken(**changes: Any) -> list[str]:
    """What fails of a task that is whole."""
    return failed(Task(spec(**{**ROOMY, **changes}), 2))


@pytest.mark.parametrize("worlds", [1, 2, 3, 4])
def test_policies_are_tried_on_the_same_day_however_many_worlds_there_are(worlds: int) -> None:
    """Side by side or one after the other: who drives beside a policy changes nothing of what it is told by."""
    alone, task = Task(spec(**ROOMY)), Task(spec(**ROOMY), worlds)

    def kept(of: Task, option: int) -> Callable[[], Any]:
        return lambda: np.full((of.count, of.agent_count, len(of.action_sizes)), option)

    expected = {name: _trials(alone, {name: kept(alone, option)})[name] for name, option in (("first", 0), ("last", 1))}

    assert _trials(task, {"first": kept(task, 0), "last": kept(task, 1), "first again": kept(task, 0)}) == {
        **expected,
        "first again": expected["first"],
    }
    assert expected["first"] != expected["last"]


class Broken(Task):
    """A task in which one thing is wrong."""

    def __init__(self, breaking: Callable[["Broken"], None], **changes: Any) -> None:
        super().__init__(spec(**{**ROOMY, **changes}), 2)
        breaking(self)


def phases_exchanged(task: Broken) -> None:
    """Whoever asks for one phase gets the other."""
    advance = task.worlds.advance
    task.worlds.advance = lambda wish, seconds: advance(_other(wish), seconds)  # type: ignore[method-assign]


def _other(wish: Controls) -> Controls:
    assert wish.phase is not None
    return replace(wish, phase=1 - wish.phase)


def actions_ignored(task: Broken) -> None:
    """The lights follow their plan, whatever is asked."""
    advance = task.worlds.advance
    task.worlds.advance = lambda wish, seconds: advance(Controls(), seconds)  # type: ignore[method-assign]


def lights_without_meaning(task: Broken) -> None:
    """The lamps show one phase, and those who have the other one drive."""
    advance = task.worlds.advance

    def lying(wish: Controls, seconds: float) -> Moment:
        was = task.worlds.moment
        task.worlds._moment = _exchanged(was)
        moment = advance(_other(wish), seconds)
        return _as_measured(task, _exchanged(moment))

    task.worlds.advance = lying  # type: ignore[method-assign]


def _exchanged(moment: Moment) -> Moment:
    return replace(moment, measures=replace(moment.measures, phase=1 - moment.measures.phase))


def nobody_leaves(task: Broken) -> None:
    """Green discharges nothing: no traffic comes at all."""
    advance = task.worlds.advance

    def stuck(wish: Controls, seconds: float) -> Moment:
        moment = advance(wish, seconds)
        full = np.ones_like(moment.measures.inside)
        return _as_measured(task, replace(moment, measures=replace(moment.measures, inside=full)))

    task.worlds.advance = stuck  # type: ignore[method-assign]


def decisions_cut(task: Broken) -> None:
    """A decision lasts two thirds of what it says."""
    advance = task.worlds.advance
    task.worlds.advance = lambda wish, seconds: advance(wish, seconds * 2 / 3)  # type: ignore[method-assign]


def episodes_without_end(task: Broken) -> None:
    """The horizon is never noticed."""
    step = task.step

    def endless(actions: Any) -> Any:
        task._decisions = min(task._decisions, task.spec.decisions - 3)
        return step(actions)

    task.step = endless  # type: ignore[method-assign]


def vehicles_lost(task: Broken) -> None:
    """One vehicle in ten thousand is not in the books."""
    advance = task.worlds.advance

    def leaking(wish: Controls, seconds: float) -> Moment:
        moment = advance(wish, seconds)
        return _as_measured(task, replace(moment, measures=replace(moment.measures, left=moment.measures.left * 0.9999)))

    task.worlds.advance = leaking  # type: ignore[method-assign]


def observation_unbounded(task: Broken) -> None:
    """Queues in vehicles instead of shares."""
    observe = task.observe
    task.observe = lambda moment: observe(moment) * 30  # type: ignore[method-assign]


def not_a_number(task: Broken) -> None:
    """A division by an empty road."""
    task._gauges = [(1.0, lambda moment: np.full((moment.worlds, 1), np.nan))]


def no_minimum_green(task: Broken) -> None:
    """The interlock has forgotten its bounds."""
    loose = Guard(task.worlds.guard.phases, task.worlds.guard.min_green_s * 0, task.worlds.guard.max_green_s * 1000)
    task.worlds.__dict__["guard"] = _Loose(task.worlds.guard, loose)


class _Loose:
    """Says one thing and does another."""

    def __init__(self, said: Guard, done: Guard) -> None:
        self.phases, self.min_green_s, self.max_green_s = said.phases, said.min_green_s, said.max_green_s
        self.may_change, self.grant = done.may_change, done.grant


def reward_of_nothing(task: Broken) -> None:
    """The same praise for everything."""
    task._gauges = [(1.0, lambda moment: np.full((moment.worlds, 1), -0.5))]


def reward_of_the_clock(task: Broken) -> None:
    """Praise that varies, but not by what is done."""
    task._gauges = [(1.0, lambda moment: np.full((moment.worlds, 1), np.sin(moment.time_s)))]


def reward_of_red(task: Broken) -> None:
    """The sign is wrong: delay is praised, as when "throughput" was higher under red."""
    task._gauges = [(-weight, gauge) for weight, gauge in task._gauges]


def reward_of_sitting_still(task: Broken) -> None:
    """Changes cost so much that nobody should ever change."""
    switches = Switches(weight=1000.0).gauge(task.spec.layout, [whole(task.spec.layout, task.sites)])
    task._gauges = [*task._gauges, (1000.0, switches)]


def _as_measured(task: Broken, moment: Moment) -> Moment:
    task.worlds._moment = moment
    return moment


@pytest.mark.parametrize(
    ("breaking", "changes", "noticed"),
    [
        (phases_exchanged, {}, "actions arrive"),
        (actions_ignored, {}, "actions arrive"),
        (lights_without_meaning, {}, "red stops, green goes"),
        (nobody_leaves, {}, "red stops, green goes"),
        (decisions_cut, {}, "decisions last"),
        (episodes_without_end, {}, "decisions last"),
        (vehicles_lost, {}, "rollout is sound"),
        (observation_unbounded, {}, "rollout is sound"),
        (not_a_number, {}, "rollout is sound"),
        (no_minimum_green, {"decision_s": 5.0, "min_green_s": 20.0}, "rollout is sound"),
        (reward_of_nothing, {}, "reward tells apart"),
        (reward_of_the_clock, {}, "reward tells apart"),
        (reward_of_red, {}, "reward tells apart"),
        (reward_of_sitting_still, {}, "reward tells apart"),
    ],
)
def test_each_check_can_fail(breaking: Callable[[Broken], None], changes: dict[str, Any], noticed: str) -> None:
    """A task broken on purpose is found out by the check that asks for it, with a sentence that says what is wrong."""
    assert unbroken(**changes) == []

    findings = {finding.name: finding for finding in check(Broken(breaking, **changes))}

    assert not findings[noticed].passed
    assert len(findings[noticed].detail) > 10


def test_gates_and_signs_are_asked_too() -> None:
    """A meter that stands open whatever its rate, and signs that nobody heeds."""
    for name, open_ in (
        ("RampMetering", Controls(rate_veh_per_h=np.full((1, 1), np.nan))),
        ("SpeedLimits", Controls(limit_kmh=np.full((1, 1), np.nan))),
    ):
        task = Task(ready(name))
        advance = task.worlds.advance

        def shown(wish: Controls, seconds: float, advance: Any = advance, task: Task = task, open_: Controls = open_) -> Moment:
            moment = advance(open_, seconds)
            rate = moment.rate_veh_per_h if wish.rate_veh_per_h is None else wish.rate_veh_per_h
            limit = moment.limit_kmh if wish.limit_kmh is None else wish.limit_kmh
            task.worlds._moment = replace(moment, rate_veh_per_h=rate, limit_kmh=limit)
            return task.worlds._moment

        task.worlds.advance = shown  # type: ignore[method-assign]
        findings = {finding.name: finding for finding in check(task)}

        assert findings["actions arrive"].passed
        assert not findings["red stops, green goes"].passed


def test_a_check_that_stops_has_failed() -> None:
    """An error within a check is its answer, not the end of the checks."""
    task = Task(spec(**ROOMY))

    def fails(wish: Controls, seconds: float) -> Moment:
        raise ValueError("no lights here")

    task.worlds.advance = fails  # type: ignore[method-assign]

    assert [finding.passed for finding in check(task)] == [False] * 5
    assert "no lights here" in check(task)[0].detail

"""Five questions to a task before anybody learns from it; each can be answered with no.

They run one after another on the task that is given, and on its worlds: nothing is built for them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.given import of_kind
from rl.moment import Moment
from rl.task import Task

Array = NDArray[Any]

SEED = 20_260_801
STEPS = 100
"""Of the random rollout; fewer where the episode is shorter."""
TRIAL = 30
"""Decisions by which policies are told apart."""
ARRIVAL_S = 900.0
"""So long the first vehicles may take to the last light, in a network that is empty at first."""
SMALLEST = 1e-6
LITTLE = 1.01
"""Who loses so many times the least is as good."""
LEAK_VEH = 1e-3
"""Who passes a red light: more than float32 fields round off, and far less than one vehicle."""
DRIFT = {"float32": 1e-5, "float64": 1e-11}
"""What the ledger may be off, relatively."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question: `detail` says what was seen, or what is wrong and where."""

    name: str
    passed: bool
    detail: str


def check(task: Task) -> tuple[Finding, ...]:
    """All five, in their order; a check that cannot go on has failed."""
    of_kind(Task, "task", task, "give a Task, such as rl.Task(rl.ready('Corridor'), 8)")
    findings = []
    for name, question in CHECKS.items():
        try:
            problem = question(task)
        except (ArithmeticError, LookupError, RuntimeError, ValueError) as error:
            problem = f"stopped: {type(error).__name__}: {error}"
        findings.append(Finding(name, problem is None, problem or "as it should be"))
    return tuple(findings)


def actions_arrive(task: Task) -> str | None:
    """Each option of each site, where the interlock lets it through, is what the lights, gates or signs then show."""
    task.reset(_seeds(task))
    options = np.array(task.lever.options)
    shown = np.zeros((len(task.sites), options.max()), bool)
    for number in range(min(_patience(task) * int(options.max()) * 2, task.spec.decisions - 1)):
        choice = np.full(len(options), number // _patience(task)) % options
        was = task.worlds.moment
        moment = task.step(_same(task, choice)).moment
        expected, free = _meant(task, choice, was)
        actual = _state(task, moment)
        wrong = free & ~np.isclose(actual, expected, equal_nan=True)
        if wrong.any():
            world, site = np.argwhere(wrong)[0].tolist()
            what = f"{task.sites[site].name!r} was told option {choice[site]}"
            return f"{what}, which means {expected[world, site]:g}, and shows {actual[world, site]:g}"
        shown[np.arange(len(options)), choice] |= free.any(axis=0)
    never = np.argwhere(~shown & (np.arange(shown.shape[1]) < options[:, None]))
    return f"option {never[0][1]} of {task.sites[never[0][0]].name!r} was never let through" if len(never) else None


def red_stops_and_green_goes(task: Task) -> str | None:
    """While a light is red nobody passes it: what leads to it does not become less. At a light that turns green it does.

    Of a meter: no more pass than its rate. Of signs: nobody is faster on average than without them.
    """
    match task.spec.action.site_kind:
        case "signal":
            return _lights_hold(task)
        case "meter":
            return _meters_hold(task)
        case "section":
            return _signs_slow(task)


def decisions_last(task: Task) -> str | None:
    """A decision is as long as it says, an episode has as many as it says, and after it a new one has begun."""
    task.reset(_seeds(task))
    near = {**task.snapshot(), "task_decisions": task.spec.decisions - 2}
    for _ in range(2):
        was = task.worlds.moment.time_s
        moment = task.step(_option(task, 0)).moment
        if abs(moment.time_s - was - task.spec.decision_s) > 1e-6 or abs(moment.seconds - task.spec.decision_s) > 1e-6:  # noqa: PLR2004
            return f"a decision lasted {moment.time_s - was:g} s, not {task.spec.decision_s:g} s"
    task.restore(near)
    if task.step(_option(task, 0)).truncated.any():
        return "an episode ended one decision too early"
    done = task.step(_option(task, 0))
    if not done.truncated.all():
        return f"an episode went on after its {task.spec.decisions} decisions"
    if done.final_observation is None or task.worlds.moment.time_s != 0:
        return f"no new episode has begun: it is {task.worlds.moment.time_s:g} s"
    return None


def rollout_is_sound(task: Task) -> str | None:
    """Random actions: all numbers finite and within their bounds, no vehicle lost or made, no green too short or too long."""
    rng = np.random.default_rng(SEED)
    task.reset(_seeds(task))
    guard, start = task.worlds.guard, task.worlds.moment.measures.inside.sum(axis=(1, 2))
    for number in range(min(STEPS, task.spec.decisions - 1)):
        was = task.worlds.moment.measures
        done = task.step(_random(task, rng))
        for name, values in (("observation", done.observation), ("reward", done.reward)):
            if not np.isfinite(values).all():
                return f"decision {number}: the {name} is not finite"
        outside = (done.observation < 0) | (done.observation > 1)
        if outside.any():
            return f"decision {number}: {task.features[int(np.argwhere(outside)[0][2])]!r} is outside 0 to 1"
        now = done.moment.measures
        known = start + now.entered.sum(axis=(1, 2))
        lost = np.abs(known - now.left.sum(axis=(1, 2)) - now.inside.sum(axis=(1, 2))) / np.maximum(known, 1.0)
        if lost.max() > DRIFT[task.spec.dtype]:
            return f"decision {number}: the ledger of world {int(lost.argmax())} is off by {lost.max():.1e} of its vehicles"
        early = (now.phase != was.phase) & (was.phase_age_s < guard.min_green_s - 1e-6)
        if early.any():
            return f"decision {number}: a green of {task.spec.layout.signals[int(np.argwhere(early)[0][1])].name!r} was cut short"
        late = (now.phase == was.phase) & (now.phase_age_s > guard.max_green_s + 1e-6) & (was.phase_age_s <= guard.max_green_s)
        if (late & (guard.phases > 1)).any():
            return f"decision {number}: a green of {task.spec.layout.signals[int(np.argwhere(late)[0][1])].name!r} lasts too long"
    return None


def reward_tells_apart(task: Task) -> str | None:
    """What is done matters, and the reward knows it: it varies, opposed policies have different returns, the worst of them does not win."""
    rng = np.random.default_rng(SEED)
    policies = {"chance": lambda: _random(task, rng)}
    if task.spec.action.site_kind == "signal":
        policies["never to change"] = lambda: _asked(task, task.worlds.moment.measures.phase)
        policies["always to change"] = lambda: _asked(task, (task.worlds.moment.measures.phase + 1) % task.worlds.guard.phases)
    else:
        policies["the first option"] = lambda: _option(task, 0)
        policies["the last option"] = lambda: _option(task, -1)
    seen = _trials(task, policies)
    returns = {name: trial.returned for name, trial in seen.items()}
    if np.ptp([reward for trial in seen.values() for reward in trial.rewards]) < SMALLEST:
        return f"the reward is always {seen['chance'].rewards[0]:g}"
    if np.ptp(list(returns.values())) < SMALLEST:
        return f"whatever is done, the return is {returns['chance']:g}"
    if returns.get("never to change", -math.inf) == max(returns.values()):
        least = min(trial.lost_s for trial in seen.values())
        if seen["never to change"].lost_s > LITTLE * least:
            return f"never to change the lights wins, {returns['never to change']:g}, though it loses {seen['never to change'].lost_s / least:.2f} times the time"
    worst, praised = max(seen, key=lambda name: seen[name].lost_s), max(returns, key=lambda name: returns[name])
    spread = max(trial.lost_s for trial in seen.values()) / max(min(trial.lost_s for trial in seen.values()), SMALLEST)
    if worst == praised and spread > 1 + SMALLEST:
        return f"{praised!r} has the best return, {returns[praised]:g}, and loses most time, {seen[worst].lost_s:g} vehicle-seconds"
    return None


CHECKS: dict[str, Callable[[Task], str | None]] = {
    "actions arrive": actions_arrive,
    "red stops, green goes": red_stops_and_green_goes,
    "decisions last": decisions_last,
    "rollout is sound": rollout_is_sound,
    "reward tells apart": reward_tells_apart,
}
"""Each gives what is wrong, or None."""


@dataclass(frozen=True)
class _Trial:
    rewards: list[float]
    returned: float
    lost_s: float


def _trials(task: Task, policies: dict[str, Callable[[], Array]]) -> dict[str, _Trial]:
    """The beginning of the same days under each policy: side by side, a world for each, in as many turns as that takes.

    A world is computed as if it were alone, so that whoever drives beside it changes nothing.
    """
    turns, steps = math.ceil(len(policies) / task.count), min(TRIAL, task.spec.decisions - 1)
    days = turns * task.count // len(policies)
    rewards, lost = np.zeros((len(policies), steps)), np.zeros(len(policies))
    for turn in range(turns):
        day, policy = np.divmod(np.arange(turn * task.count, (turn + 1) * task.count), len(policies))
        # Worlds that are left over drive too, and are not counted.
        counted = np.flatnonzero(day < days)
        task.reset((SEED + day).tolist())
        for number in range(steps):
            done = task.step(np.stack([act() for act in policies.values()])[policy, np.arange(task.count)])
            measures, before = done.moment.measures, done.moment.before
            waiting = (measures.waiting + before.waiting).sum(axis=(1, 2)) / 2 * done.moment.seconds
            np.add.at(rewards[:, number], policy[counted], done.reward.sum(axis=1, dtype=np.float64)[counted] / days)
            np.add.at(lost, policy[counted], (measures.delay.sum(axis=(1, 2)) + waiting)[counted] / days)
    return {
        name: _Trial(of.tolist(), float(of.sum()), float(lost[at])) for at, (name, of) in enumerate(zip(policies, rewards, strict=True))
    }


def _lights_hold(task: Task) -> str | None:
    layout = task.spec.layout
    discharged = np.zeros(len(layout.signals), bool)
    patience = _patience(task) + 1
    task.reset(_seeds(task))
    rounds = 3 * patience * layout.most_phases
    for number in range(min(max(rounds, math.ceil(ARRIVAL_S / task.spec.decision_s)), task.spec.decisions - 1)):
        if number >= rounds and discharged.all():
            break
        was = task.worlds.moment
        asked = np.full((task.count, len(layout.signals)), number // patience) % layout.phases
        now = task.step(_asked(task, asked)).moment
        for at, (site, lights) in enumerate(zip(layout.sites["signal"], layout.signals, strict=True)):
            green = np.array([[stretch[0] in phase.approaches for phase in lights.phases] for stretch in site.stretches])
            for line, stretch in enumerate(site.stretches):
                fewer = _inside(was, stretch) - _inside(now, stretch)
                # Whoever was not green, and is not yet, was red all the time.
                red = ~green[line][was.measures.phase[:, at]] & ~(
                    green[line][now.measures.phase[:, at]] & (now.measures.phase_age_s[:, at] > 0)
                )
                if (fewer[red] > LEAK_VEH).any():
                    return f"{fewer[red].max():.3g} vehicles passed the red light of {site.name!r} from road {layout.roads[stretch[0]]!r}"
                discharged[at] |= bool((fewer[~red] > LEAK_VEH).any())
    stuck = [lights.name for lights, moved in zip(layout.signals, discharged, strict=True) if not moved]
    return f"nobody ever passed the green light of {', '.join(stuck)}" if stuck else None


def _meters_hold(task: Task) -> str | None:
    """Vehicles that pass are those that entered less those that are still there; known where the stretch begins at an entry."""
    layout = task.spec.layout
    task.reset(_seeds(task))
    passed: dict[tuple[str, int], float] = {}
    for option in range(max(task.lever.options)):
        task.reset(_seeds(task))
        for _ in range(min(TRIAL, task.spec.decisions - 1)):
            was = task.worlds.moment
            now = task.step(_option(task, option)).moment
            for at, site in enumerate(layout.sites["meter"]):
                stretch = site.stretches[0]
                doors = [entry for entry, road in enumerate(layout.entries) if road in stretch]
                entered = (now.measures.entered - was.measures.entered)[:, doors].sum(axis=(1, 2))
                out = entered + _inside(was, stretch) - _inside(now, stretch)
                passed[site.name, option] = passed.get((site.name, option), 0.0) + float(out.mean())
                most = np.nan_to_num(now.rate_veh_per_h[:, at], nan=np.inf) / 3600 * now.seconds
                if doors and (out > most + LEAK_VEH).any():
                    return f"{out.max():.3g} vehicles passed {site.name!r}, whose rate allows {most.min():.3g}"
    stuck = [
        site.name
        for site in layout.sites["meter"]
        if max(passed[site.name, option] for option in range(max(task.lever.options))) <= LEAK_VEH
    ]
    return f"nobody ever passed {', '.join(stuck)}" if stuck else None


def _signs_slow(task: Task) -> str | None:
    layout = task.spec.layout
    driven = []
    for option in range(max(task.lever.options)):
        task.reset(_seeds(task))
        now = task.worlds.moment
        for _ in range(min(TRIAL, task.spec.decisions - 1)):
            now = task.step(_option(task, option)).moment
        roads = [site.stretches[0][0] for site in layout.sites["section"]]
        driven.append((now.limit_kmh[0, 0], now.measures.speed[:, roads].max() * 3.6))
    for limit, speed in driven:
        if speed > limit * 1.05:
            return f"{speed:g} km/h are driven under signs that show {limit:g} km/h"
    return None if np.ptp([speed for _, speed in driven]) > SMALLEST else "whatever the signs show, all drive alike"


def _meant(task: Task, choice: Array, was: Moment) -> tuple[Array, Array]:
    """What options mean [world, site], by the words of their kinds, and where the interlock has no say."""
    action = task.spec.action
    everywhere = np.ones((task.count, len(task.sites)), bool)
    match action.kind:
        case "phase" | "switch":
            phase, age, guard = was.measures.phase, was.measures.phase_age_s, task.worlds.guard
            meant = np.broadcast_to(choice, phase.shape) if action.kind == "phase" else (phase + choice) % guard.phases
            free = (age >= guard.min_green_s) | (meant == phase)
            return meant, free & (age + task.spec.decision_s <= guard.max_green_s)
        case "rate":
            return np.broadcast_to(np.array([*action.rates_veh_per_h, np.nan])[choice], everywhere.shape), everywhere
        case "limit":
            return np.broadcast_to(np.array([*action.limits_kmh, np.nan])[choice], everywhere.shape), everywhere


def _state(task: Task, moment: Moment) -> Array:
    """What the sites show [world, site]."""
    match task.spec.action.site_kind:
        case "signal":
            return moment.measures.phase
        case "meter":
            return moment.rate_veh_per_h
        case "section":
            return moment.limit_kmh


def _patience(task: Task) -> int:
    """So many decisions after which the interlock surely lets through what is asked."""
    if task.spec.action.site_kind != "signal":
        return 1
    longest = max(lights.lost_s + lights.min_green_s for lights in task.spec.layout.signals)
    return math.ceil(longest / task.spec.decision_s) + 1


def _seeds(task: Task) -> list[int]:
    return [SEED + world for world in range(task.count)]


def _same(task: Task, choice: Array) -> Array:
    """The actions by which all worlds choose alike."""
    return task.agents.actions(np.repeat(np.asarray(choice)[None], task.count, axis=0))


def _option(task: Task, option: int) -> Array:
    """Every site is given its option of this number; of negative ones from the last."""
    options = np.array(task.lever.options)
    return _same(task, option % options)


def _asked(task: Task, phase: Array) -> Array:
    """The actions that ask for phases [world, signal]."""
    now = task.worlds.moment.measures.phase
    return task.agents.actions(phase if task.spec.action.kind == "phase" else (phase != now).astype(np.int64))


def _random(task: Task, rng: np.random.Generator) -> Array:
    return task.agents.actions(rng.integers(0, np.array(task.lever.options), (task.count, len(task.sites))))


def _inside(moment: Moment, stretch: tuple[int, ...]) -> Array:
    """Vehicles [world] on these roads."""
    total: Array = moment.measures.inside[:, list(stretch)].sum(axis=(1, 2))
    return total

"""From an experiment to its table: train, tune the baselines, measure all on the held-out days; whatever is stored already is loaded."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from arz import Invalid
from arz.given import integer, of_kind
from rl.budget import BEAT_S, Heartbeat
from rl.cached import days_of_baseline, days_of_policy, findings, training
from rl.compare import Ground, Outcome, Row
from rl.controllers.base import Controller
from rl.controllers.registry import AnyController
from rl.errors import NotKept, RlError
from rl.evaluate import Bounds, Day
from rl.experiment import MOST_SEEDS, Experiment, candidates, title, trained_title
from rl.scores import METRICS
from rl.train import Policy, Pulse, Window
from simcache.series import Items, Series

Say = Callable[[str], None]
"""Told in a line what goes on."""
Progress = Callable[[int, int], None]

SCORE: Final = "delay_s"
"""By this baselines are tuned and checkpoints picked: less is better."""


AN_EXPERIMENT: Final = "give an Experiment, such as rl.experiment.read('quick')"


@dataclass(frozen=True, slots=True)
class Trained:
    """A training as far as it came."""

    seed: int
    windows: list[Window]
    complete: bool
    computed: int
    """How many of the windows this process computed; it loaded the others, or waited for who computed them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Days under one controller, as far as they came."""

    name: str
    kind: str
    days: list[Day]
    complete: bool

    @property
    def score(self) -> float:
        return fmean(day.total[SCORE] for day in self.days)


class Clock:
    """A time limit over several parts, in several processes too: what is left for the next one."""

    def __init__(self, limit_s: float | None) -> None:
        self._until = None if limit_s is None else time.time() + limit_s

    def left(self) -> float | None:
        return None if self._until is None else max(0.0, self._until - time.time())


class Unsound(RlError, ValueError):
    """The task does not do what it says, so nothing is learned from it: mend the task, or train unchecked."""

    def __init__(self, name: str, detail: str) -> None:
        self.name, self.detail = name, detail
        super().__init__(name, detail)

    def __str__(self) -> str:
        return f"the task fails the check {self.name!r}: {self.detail}; see `rl check`, mend the task, or train with --unchecked"


def require_sound(experiment: Experiment) -> None:
    """Asks the five questions, once for each task; Unsound if one is answered with no."""
    for finding in findings(experiment.task, experiment.training.worlds):
        if not finding.passed:
            raise Unsound(finding.name, finding.detail)


def series(experiment: Experiment, seed: int, pulse: Pulse | None = None) -> Series[Window]:
    """The windows of one training; nothing is computed yet."""
    of_kind(Experiment, "experiment", experiment, AN_EXPERIMENT)
    remedy = f"give a whole number from 0 to {MOST_SEEDS - 1}, beyond which are the days of tuning and of measuring"
    if not 0 <= integer("seed", seed, remedy) < MOST_SEEDS:
        raise Invalid("seed", f"is {seed}", remedy)
    return training(experiment.task, experiment.training, seed, pulse)


def train(
    experiment: Experiment, seed: int, *, deadline_s: float | None = None, pulse: Pulse | None = None, progress: Progress | None = None
) -> Trained:
    """Have the training as long as the experiment asks; a deadline ends it with what it has."""
    computed = 0

    def note(done: int, asked: int) -> None:
        nonlocal computed
        computed += 1
        if progress is not None:
            progress(done, asked)

    items: Items[Window] = series(experiment, seed, pulse).take(experiment.windows, deadline=deadline_s, progress=note)
    return Trained(seed, list(items), items.complete, computed)


def trained(experiment: Experiment, say: Say, clock: Clock, every_s: float = BEAT_S, *, unchecked: bool = False) -> list[Trained]:
    """Every training of the experiment, with a sign of life by the clock; before the first step the task is checked."""
    of_kind(Experiment, "experiment", experiment, AN_EXPERIMENT)
    if not unchecked and not all(series(experiment, seed).stored for seed in experiment.seeds):
        require_sound(experiment)
    done = []
    for seed in experiment.seeds:
        run, left = series(experiment, seed), clock.left()
        begun = run.stored * experiment.training.window_steps
        name = f"{experiment.name}, seed {seed}"
        with Heartbeat(say, name, experiment.steps, begun=begun, deadline_s=left, every_s=every_s) as beat:
            saving = _saving(beat, name, run, experiment.training.window_steps)
            done.append(train(experiment, seed, deadline_s=left, pulse=beat, progress=saving))
    return done


def measured(experiment: Experiment, say: Say, clock: Clock | None = None) -> Outcome:
    """What the experiment measures: trained first where it is not, then evaluated. The clock is that of its deadline, if it runs already."""
    of_kind(Experiment, "experiment", experiment, AN_EXPERIMENT)
    trainings = trained(experiment, say, clock or Clock(experiment.deadline.timeout_seconds))
    rows = len(experiment.baselines) + len(experiment.seeds)
    with Heartbeat(say, f"{experiment.name}, evaluation", rows, unit="rows") as beat:
        return evaluate(experiment, trainings, say, beat)


def _saving(beat: Heartbeat, name: str, run: Series[Window], window: int) -> Progress:
    """Notes each checkpoint; NotKept ends a training that the store does not take, for hours of it would be lost."""

    def saved(done: int, asked: int) -> None:
        del asked
        kept = run.stored
        if kept < done:
            raise NotKept(name, done, kept)
        beat.saved(done * window)

    return saved


def baseline(experiment: Experiment, controller: Controller, first: int, count: int) -> Measured:
    """Days under a rule, in the time that one simulation has; none of the experiment's settings of learning is in their key."""
    task = experiment.task
    bounds = Bounds(min_green_s=task.min_green_s, max_green_s=task.max_green_s, dtype=task.dtype)
    days = days_of_baseline(task.world, bounds, controller, first, experiment.training.worlds)  # type: ignore[arg-type]
    taken = days.take(count, deadline=experiment.simulation.timeout_seconds)
    return Measured(title(controller), str(getattr(controller, "kind", "")), list(taken), taken.complete)


def policy(experiment: Experiment, learned: Policy, name: str, first: int, count: int, clock: Clock) -> Measured:
    """Days under a learned policy."""
    how = experiment.training
    days = days_of_policy(experiment.task, how.algorithm, learned, first, how.worlds)
    taken = days.take(count, deadline=clock.left())
    return Measured(name, how.algorithm.kind, list(taken), taken.complete)


def tuned(experiment: Experiment, base: AnyController, say: Say) -> tuple[Controller, bool]:
    """The baseline with those of the values to try that lose least time on the validation days, and whether all of them were tried.

    Values whose days were not over in time are not chosen; if none were, the baseline stays as it is given.
    """
    first, count = experiment.evaluation.validation[0], experiment.evaluation.validation_days
    tries = candidates(base, experiment.tuning.get(base.kind, {}))
    if len(tries) == 1:
        return tries[0], True
    measured = [baseline(experiment, each, first, count) for each in tries]
    whole = [number for number, each in enumerate(measured) if each.complete]
    chosen = tries[min(whole, key=lambda number: measured[number].score)] if whole else base
    say(f"{title(chosen)}: the best of {len(whole)} of {len(tries)} tried on {count} validation days")
    return chosen, len(whole) == len(tries)


def picked(experiment: Experiment, trained: Trained, clock: Clock) -> tuple[int, bool]:
    """The number of the window whose policy is the result, and whether all were asked that were to be."""
    last = len(trained.windows) - 1
    if experiment.evaluation.pick == "last":
        return last, True
    scores = validation(experiment, trained, clock)
    return min(scores, key=lambda number: scores[number], default=last), len(scores) == len(trained.windows)


def validation(experiment: Experiment, trained: Trained, clock: Clock) -> dict[int, float]:
    """The delay on the validation days after each window, as far as time allowed."""
    first, count = experiment.evaluation.validation[0], experiment.evaluation.validation_days
    scores = {}
    for number, window in enumerate(trained.windows):
        measured = policy(experiment, window.policy, str(number), first, count, clock)
        if measured.complete:
            scores[number] = measured.score
    return scores


def evaluate(experiment: Experiment, trainings: Sequence[Trained], say: Say, beat: Callable[[int], None] = lambda _: None) -> Outcome:
    """Every baseline and every training on the held-out days; a time limit leaves out the days that did not come to pass."""
    of_kind(Experiment, "experiment", experiment, AN_EXPERIMENT)
    first, count = experiment.evaluation.held_out[0], experiment.evaluation.days
    rows: list[tuple[Measured, str]] = []
    whole = all(each.complete for each in trainings)
    for base in experiment.baselines:
        rule, tried = tuned(experiment, base, say)
        whole &= tried
        rows.append((baseline(experiment, rule, first, count), ""))
        say(f"{rows[-1][0].name}: {_result(rows[-1][0])}")
        beat(len(rows))
    clock = Clock(experiment.evaluation.timeout_seconds)
    for training_ in trainings:
        if not training_.windows:
            continue
        number, asked = picked(experiment, training_, clock)
        whole &= asked
        name = trained_title(experiment, training_.seed)
        learned = policy(experiment, training_.windows[number].policy, name, first, count, clock)
        rows.append((learned, experiment.training.algorithm.kind))
        say(f"{rows[-1][0].name}, checkpoint {number + 1} of {len(training_.windows)}: {_result(rows[-1][0])}")
        beat(len(rows))
    return outcome(experiment, rows, complete=whole)


def _result(row: Measured) -> str:
    return f"{row.score:.1f} s of delay" if row.days else "no day in time"


def outcome(experiment: Experiment, rows: Sequence[tuple[Measured, str]], *, complete: bool = True) -> Outcome:
    """The rows over the days that all of them have."""
    seen = [row for row, _ in rows if row.days]
    count = min((len(row.days) for row in seen), default=0)
    asked = experiment.evaluation.days
    return Outcome(
        experiment=experiment.model_dump(mode="json"),
        ground=ground(experiment, [day.seed for day in seen[0].days[:count]] if seen else []),
        rows=tuple(
            Row(
                name=row.name,
                kind=row.kind,
                group=group,
                measures={name: tuple(day.total[name] for day in row.days[:count]) for name in METRICS},
            )
            for row, group in rows
            if row.days
        ),
        complete=complete and len(seen) == len(rows) and count == asked,
    )


def ground(experiment: Experiment, days: Sequence[int]) -> Ground:
    """What has to be the same for another run to be compared with this one."""
    world = experiment.task.world
    return Ground(
        scenario=world.name,
        world=_digest(world.network, world.physics, world.scheme, world.initial, world.actuators),
        demand=_digest(world.demand),
        horizon_s=world.horizon_s,
        decision_s=world.decision_s,
        days=tuple(days),
    )


def _digest(*parts: Any) -> str:
    texts = (
        part.model_dump_json() if hasattr(part, "model_dump_json") else str([each.model_dump_json() for each in part]) for part in parts
    )
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]

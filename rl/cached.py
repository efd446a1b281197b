"""The one door between learning and the cache: trainings and days of traffic as series, each key computed once, anywhere."""

from collections.abc import Iterator
from itertools import islice

from arz import Scenario
from rl.algorithms import AnyAlgorithm
from rl.capture import State
from rl.controllers.registry import AnyController
from rl.evaluate import Bounds, Day, baseline_days, policy_days
from rl.experiment import Training
from rl.task import Task, TaskSpec
from rl.train import Learner, Policy, Pulse, Window
from rl.vec_env import VecEnv
from simcache import Step, cached


@cached(every=1, ignore=("pulse",))
def training(
    spec: TaskSpec, how: Training, seed: int, pulse: Pulse | None = None, *, resume: State | None = None
) -> Iterator[Step[Window]]:
    """Windows of a training. Its length is no part of the key: a longer one goes on where a shorter one ended.

    Every window is a segment with the whole state of learner and worlds, so a cut costs one window at most.
    """
    task = Task(spec, how.worlds)
    learner = Learner(VecEnv(task), how.algorithm, seed, how.horizon_steps, how.normalise, agents=task.agent_count, pulse=pulse)
    learner.model.get_env().seed(how.days(seed)[0])
    if resume is not None:
        learner.restore(resume)
    window = learner.steps // how.window_steps
    while True:
        window += 1
        yield Step(learner.advance(window * how.window_steps), state=learner.snapshot)


@cached(every=10, ignore=("worlds",))
def days_of_baseline(
    scenario: Scenario, bounds: Bounds, controller: AnyController, first: int, worlds: int = 10, *, resume: int | None = None
) -> Iterator[Step[Day]]:
    """Days under a rule. Nothing of learning is in the key, so every training is compared with the same stored days."""
    done = resume or 0
    yield from _steps(baseline_days(scenario, bounds, controller, first + _whole(done, worlds), worlds), worlds, done)


@cached(every=10)
def days_of_policy(
    spec: TaskSpec, algorithm: AnyAlgorithm, policy: Policy, first: int, worlds: int, *, resume: int | None = None
) -> Iterator[Step[Day]]:
    """Days under a learned policy; its weights are in the key, not the way to them."""
    done = resume or 0
    yield from _steps(policy_days(spec, algorithm, policy, first + _whole(done, worlds), worlds), worlds, done)


def _whole(done: int, worlds: int) -> int:
    """Days in whole batches: a day is always driven among the same neighbours, for one's network may round otherwise among others."""
    return done // worlds * worlds


def _steps(days: Iterator[Day], worlds: int, done: int) -> Iterator[Step[Day]]:
    for day in islice(days, done % worlds, None):
        done += 1
        yield Step(day, state=done)

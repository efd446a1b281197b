"""Episodes that are measured: a baseline or a learned policy drives the same days, and each day has its scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz import Invalid, Scenario
from rl.algorithms import AnyAlgorithm
from rl.capture import Randomness
from rl.controllers.base import Controller, Driver
from rl.controllers.policy import Policy as PolicyDriver
from rl.guard import guard
from rl.layout import Layout
from rl.scores import METRICS, Scores, drive
from rl.setting import Setting
from rl.spaces import action_space, observation_space
from rl.task import Task, TaskSpec
from rl.train import Policy
from rl.worlds import Worlds

Array = NDArray[Any]


class Bounds(Setting):
    """What the interlock allows, and how numbers are kept: with a scenario, all that a baseline's episode depends on."""

    min_green_s: float
    max_green_s: float
    dtype: str


@dataclass(frozen=True, slots=True)
class Day:
    """What one day was like under one controller."""

    seed: int
    total: dict[str, float]
    """By the names of `METRICS`, all classes together."""
    by_class: dict[str, dict[str, float]]
    """The same by class; lights change for all classes."""


def baseline_days(scenario: Scenario, bounds: Bounds, controller: Controller, first: int, worlds: int) -> Iterator[Day]:
    """Day after day under a rule, from the day `first` on; so many at a time."""
    layout = Layout(scenario, bounds.min_green_s, bounds.max_green_s)
    interlock = guard(layout.signals, scenario.decision_s)
    streets = Worlds(layout, interlock, worlds, dtype=bounds.dtype)
    return _days(streets, controller.driver(layout, interlock), first, scenario.decision_s)


def policy_days(spec: TaskSpec, algorithm: AnyAlgorithm, policy: Policy, first: int, worlds: int) -> Iterator[Day]:
    """Day after day under a learned policy, which takes the best action that it knows."""
    task = Task(spec, worlds)
    return _days(task.worlds, PolicyDriver(task, chooser(task, algorithm, policy)), first, spec.decision_s)


def chooser(task: Task, algorithm: AnyAlgorithm, policy: Policy) -> Any:
    """The policy as a function of observations and masks."""
    seen, mean, spread = Randomness(), policy.mean, policy.spread
    with seen:
        net = algorithm.policy(observation_space(task), action_space(task))
        _require_fit(net.state_dict(), policy, len(task.features))
        net.load_state_dict(policy.weights)
        net.set_training_mode(False)

    def choose(observations: Array, masks: Array) -> Array:
        if mean is not None:
            observations = np.clip((observations - mean) / spread, -policy.clip, policy.clip).astype(np.float32)
        masked = {"action_masks": masks} if algorithm.kind == "maskable_ppo" else {}
        with seen:
            actions, _ = net.predict(observations, deterministic=True, **masked)
        chosen: Array = actions
        return chosen

    return choose


def _require_fit(wanted: dict[str, Any], policy: Policy, features: int) -> None:
    """Refused where a policy was learned by other eyes, for other actions, or in another network."""
    remedy = "give the policy of an experiment with the same task and the same training.algorithm"
    if wanted.keys() != policy.weights.keys():
        apart = sorted(wanted.keys() ^ policy.weights.keys())
        raise Invalid("policy", f"is of another kind: {apart[0]} is only in one of both", remedy)
    for name, tensor in wanted.items():
        if tensor.shape != policy.weights[name].shape:
            shapes = f"{tuple(policy.weights[name].shape)}, and this task's is {tuple(tensor.shape)}"
            raise Invalid("policy", f"is of another layout: its {name} is {shapes}", remedy)
    for name, held in (("mean", policy.mean), ("spread", policy.spread)):
        if held is not None and np.shape(held) != (features,):
            raise Invalid("policy", f"is of another layout: its {name} is {np.shape(held)}, and this task has {features} features", remedy)


def _days(worlds: Worlds, driver: Driver, first: int, decision_s: float) -> Iterator[Day]:
    while True:
        seeds = list(range(first, first + worlds.count))
        scores = drive(worlds, driver, seeds, decision_s)
        yield from (_day(scores, at) for at in range(len(seeds)))
        first += worlds.count


def _day(scores: Scores, at: int) -> Day:
    by_class = {
        name: {vehicle: float(scores.by_class(name)[at, k]) for k, vehicle in enumerate(scores.classes)}
        for name in METRICS
        if name != "switches_per_h"
    }
    return Day(int(scores.seeds[at]), {name: float(scores.of(name)[at]) for name in METRICS}, by_class)

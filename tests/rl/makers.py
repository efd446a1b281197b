"""Small tasks for the tests: all of one compiled model, short, and busy enough that lights matter."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rl.actions.registry import ACTIONS
from rl.controllers.registry import CONTROLLERS
from rl.observations.registry import OBSERVATIONS
from rl.rewards.registry import REWARDS
from rl.task import Stepped, Task, TaskSpec
from rl.tasks import ready

Array = NDArray[Any]

SMALL = {"scenario": "corridor", "options": {"crossings": 2, "block_m": 200.0}, "horizon_s": 300.0}
AT = {"signal": "Corridor", "meter": "RampMetering", "section": "SpeedLimits"}
KINDS = {kind.__name__: kind for kinds in (OBSERVATIONS, REWARDS, ACTIONS, CONTROLLERS) for kind in kinds}


def spec(**changes: Any) -> TaskSpec:
    """Two crossings, 20 decisions."""
    return TaskSpec(**{**SMALL, **changes})


def at(site_kind: str, **changes: Any) -> TaskSpec:
    """A short task with something of this kind to control."""
    return spec(**changes) if site_kind == "signal" else ready(AT[site_kind], **{"horizon_s": 300.0, **changes})


def chance(task: Task, seed: int) -> Array:
    """Random actions for one decision."""
    rng = np.random.default_rng(seed)
    return task.agents.actions(rng.integers(0, np.array(task.lever.options), (task.count, len(task.sites))))


def play(task: Task, actions: Iterable[Array]) -> Stepped:
    """What came of the last of these decisions."""
    return [task.step(each) for each in actions][-1]


def walk(task: Task, decisions: int, seed: int = 0) -> list[Array]:
    """Everything that a learner sees of so many random decisions, as one row of numbers each."""
    seen = []
    for number in range(decisions):
        done = task.step(chance(task, seed + number))
        seen.append(np.concatenate([done.observation.ravel(), done.reward.ravel(), done.truncated]))
    return seen


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two snapshots agree to the last bit."""
    assert sorted(one) == sorted(other)
    for name, value in one.items():
        if isinstance(value, np.ndarray):
            assert value.dtype == other[name].dtype, name
            assert value.tobytes() == other[name].tobytes(), name
        else:
            assert value == other[name], name

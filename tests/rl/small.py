"""Experiments that take seconds in the real simulator, and what a child process does with them: `python -m tests.rl.small WHAT`."""

import json
import sys
from typing import Any

from rl.experiment import Experiment

FIELDS: dict[str, Any] = {
    "name": "small",
    "task": {"scenario": "corridor", "options": {"crossings": 1}, "horizon_s": 150.0, "agents": "shared"},
    "training": {
        "algorithm": {"kind": "ppo", "net": [8], "rollout_steps": 5, "batch": 10, "epochs": 2},
        "worlds": 2,
        "window_steps": 20,
        "horizon_steps": 80,
    },
    "steps": 40,
    "baselines": [{"kind": "fixed_time"}, {"kind": "webster"}],
    "tuning": {"webster": {"stretch": [0.8, 1.0]}},
    "evaluation": {"days": 3, "validation_days": 2},
}


def small(**changes: Any) -> Experiment:
    """The experiment, with other values for some of its fields."""
    return Experiment.load(json.dumps({**FIELDS, **changes}))


def training(**changes: Any) -> dict[str, Any]:
    """Its way to learn, with other values."""
    return {**FIELDS["training"], **changes}


def once() -> None:
    """Checks, training and evaluation in one process: how many simulators they built, and how long the start took."""
    from rl import pipeline
    from rl.checks import check
    from rl.task import Task
    from rl.worlds import Bench

    experiment = small()
    check(Task(experiment.task, experiment.training.worlds))
    outcome = pipeline.measured(experiment, lambda _: None)
    print(json.dumps({"built": Bench.built, "rows": len(outcome.rows), "days": len(outcome.ground.days)}))


if __name__ == "__main__":
    {"once": once}[sys.argv[1]]()

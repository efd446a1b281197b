"""Ready tasks by name, so that a first try needs no settings."""

from typing import Any

from arz import Invalid
from arz.given import of_kind, shown
from rl.task import TaskSpec

TASKS: dict[str, dict[str, Any]] = {
    # Eight signals of a town, in a busy hour.
    "VictoriaIsland": {},
    # A main road of five signals.
    "Corridor": {"scenario": "corridor"},
    # Nine signals.
    "Grid": {"scenario": "grid", "options": {"n": 3, "m": 3}},
    # A ramp beside a motorway that is nearly full.
    "RampMetering": {
        "scenario": "ramp",
        "options": {"demand_veh_per_h": 7200.0, "ramp_veh_per_h": 1600.0},
        "decision_s": 30.0,
        "horizon_s": 1800.0,
        "observation": {"kind": "detectors", "reach_m": 2000.0, "exits": True},
        "action": {"kind": "rate"},
    },
    # Three lanes that become two, and signs that slow down who comes.
    "SpeedLimits": {
        "scenario": "lane_drop",
        "options": {
            "demand_veh_per_h": 7000.0,
            "lanes": [3, 3, 2],
            "length_m": 600.0,
            "actuators": [{"kind": "speed_limit", "id": "signs", "roads": ["lanes0"]}],
        },
        "decision_s": 30.0,
        "horizon_s": 1800.0,
        "observation": {"kind": "detectors", "reach_m": 2000.0, "exits": True},
        "action": {"kind": "limit"},
    },
}
"""The fields of `TaskSpec` that are not its defaults."""


def ready(name: str, **changes: Any) -> TaskSpec:
    """The task of this name, with some fields changed."""
    if name not in list(TASKS):
        raise Invalid("task", f"is {shown(name)}, which is no ready task", f"choose among {', '.join(TASKS)}")
    return TaskSpec(**{**TASKS[name], **changes})


def refuse_options(options: object) -> None:
    """Options of a reset: there are none, and what would be passed over in silence is refused."""
    if options:
        raise Invalid(
            "options", f"are {shown(options)}, but nothing can be chosen at a reset", "make the environment anew with other fields"
        )


def chosen(task: str, spec: TaskSpec | None, changes: dict[str, Any]) -> TaskSpec:
    """What an environment is made of: a ready task with some fields changed, or a spec, which is whole."""
    if spec is None:
        return ready(task, **changes)
    if changes:
        raise Invalid(next(iter(changes)), "is given beside a spec, which has all fields", "put it into the spec, or leave the spec out")
    return of_kind(TaskSpec, "spec", spec, "give a TaskSpec, such as rl.ready('Corridor')")

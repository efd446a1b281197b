"""What a snapshot holds, and whether one is of these worlds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine import lights
from arz.engine.backends.base import State
from arz.engine.groups import Group
from arz.engine.plan import Plan
from arz.errors import Invalid
from arz.given import number, of_kind
from arz.laws.pressure.registry import CLOSURES
from arz.world.physics import Numbers

Array = NDArray[Any]

SNAPSHOT_FORMAT = 1
STATE = tuple(field.name for field in fields(State))
KEPT = (*(f"lamps_{field.name}" for field in fields(lights.Lamps)), "limit", "rate", "begun")
"""What a backend remembers, and what the simulator does, of every world."""
_LEFT_TO_STEP = ("rho", "y")
"""An unsound state is told by `step`, with its place."""


def require_fitting(snapshot: dict[str, Any], groups: Sequence[Group], dtype: Any) -> None:
    """Refuses what was not taken of such worlds."""
    of_kind(Mapping, "snapshot", snapshot, "give what snapshot() gave")  # type: ignore[type-abstract]
    missing = [name for name in ("format", "time_s", "dtype", "seeds", *STATE, *KEPT) if name not in snapshot]
    if missing:
        raise Invalid("snapshot", f"lacks {', '.join(missing[:4])}", "give what snapshot() gave")
    if snapshot["format"] != SNAPSHOT_FORMAT:
        raise Invalid("snapshot.format", f"is {snapshot['format']}", f"this version reads {SNAPSHOT_FORMAT}")
    if snapshot["dtype"] != str(dtype):
        raise Invalid("snapshot.dtype", f"is {snapshot['dtype']}, the simulator's is {dtype}", "make the simulator with the same dtype")
    time_s = number("snapshot.time_s", snapshot["time_s"], "give what snapshot() gave")
    if not 0 <= time_s < math.inf:
        raise Invalid("snapshot.time_s", f"is {time_s:g}", "give what snapshot() gave")
    for name, (shape, kind) in _forms(groups, dtype).items():
        _require_array(name, np.asarray(snapshot[name]), shape, kind)
    for group in groups:
        _require_phases(group, *(np.asarray(snapshot[name])[group.worlds] for name in ("lamps_before", "lamps_now")))
        _require_markers(group, np.asarray(snapshot["rho"])[group.worlds], np.asarray(snapshot["y"])[group.worlds])


def _require_array(name: str, held: Array, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
    if held.shape != shape:
        raise Invalid(f"snapshot.{name}", f"has shape {held.shape}, not {shape}", "restore it into the scenarios it is of")
    if held.dtype != kind:
        raise Invalid(f"snapshot.{name}", f"has numbers of type {held.dtype}, not {kind}", "give what snapshot() gave")
    if name not in _LEFT_TO_STEP and np.isnan(held).any():
        raise Invalid(f"snapshot.{name}", "holds what is no number", "give what snapshot() gave")


def _require_phases(group: Group, before: Array, now: Array) -> None:
    for name, held in (("lamps_before", before), ("lamps_now", now)):
        if ((held < 0) | (held >= group.plan.timetable.phases)).any():
            raise Invalid(f"snapshot.{name}", "names phases that some signal does not have", "restore it into the scenarios it is of")


def _forms(groups: Sequence[Group], dtype: Any) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """The shape of every array of a snapshot, and the type of its numbers."""
    plan, worlds = groups[0].plan, sum(len(group.worlds) for group in groups)
    classes = len(plan.classes)
    cells, books = (worlds, classes, plan.cells), (worlds, len(plan.sources), classes)
    lamps = worlds, len(plan.lights)
    forms = {
        "seeds": ((worlds,), np.uint64),
        "rho": (cells, dtype),
        "y": (cells, dtype),
        "waiting": (books, np.float64),
        "entered": ((*books, 2), np.float64),
        "left": ((worlds, len(plan.sinks), classes, 2), np.float64),
        "removed": ((worlds, classes), np.float64),
        "limit": ((worlds, len(plan.limits), classes), np.float64),
        "rate": ((worlds, len(plan.meters)), np.float64),
        "begun": ((worlds, classes), np.float64),
        "lamps_controlled": (lamps, np.bool_),
        "lamps_before": (lamps, np.int64),
        "lamps_now": (lamps, np.int64),
        "lamps_switched": (lamps, np.float64),
    }
    return {name: (shape, np.dtype(kind)) for name, (shape, kind) in forms.items()}


def _require_markers(group: Group, rho: Array, y: Array) -> None:
    """Refuses traffic whose markers its scenario cannot bring forth: the scheme would clip them. An unsound state is left to `step`."""
    low, high = (np.array([getattr(start, name) for start in group.starts])[:, :, None] for name in ("low", "high"))
    least, most = _adapted(group.plan)
    low, high = np.minimum(low, least), np.maximum(high, most)
    near = 1e-9 if rho.dtype == np.float64 else 1e-4
    w = np.divide(y, rho, out=np.repeat(low, rho.shape[2], axis=2), where=(rho > 0) & np.isfinite(rho + y) & (y >= 0), dtype=np.float64)
    wrong = (w < low * (1 - near)) | (w > high * (1 + near))
    if wrong.any():
        at, k, cell = np.argwhere(wrong)[0].tolist()
        problem = f"has a {group.plan.classes[k]} marker of {w[at, k, cell]:.4g} m/s in world {group.worlds[at]}, cell {cell}"
        beyond = f"beyond the {low[at, k, 0]:.4g} … {high[at, k, 0]:.4g} m/s of its scenario"
        raise Invalid("snapshot.y", f"{problem}, {beyond}", "restore it into the scenarios it is of")


def _adapted(plan: Plan) -> tuple[Array, Array]:
    """[class, 1]: between what the markers lie that drivers adapt to in a sound crowd, which may be denser than a jam.

    The scheme reads what is beyond the range of the data as its end, and keeps y as it is.
    """
    closure, classes = CLOSURES[plan.closure], len(plan.classes)
    least, most = np.full((classes, 1), math.inf), np.full((classes, 1), -math.inf)
    for k in range(classes):
        kinds = [Numbers(*row) for row in np.unique(plan.reaches.numbers[:, k], axis=0).tolist()]
        adapting = [n for n in kinds if math.isfinite(n.tau)]
        if adapting and not plan.built_in:
            # Equilibrium speeds are between 0 and V_max, and the pressure is greatest where it is fullest.
            least[k] = 0.0
            most[k] = max(closure.target(n.limit, n.limit, n.ceiling, n.scale, n.jam, n.shape) for n in adapting)
    return least, most


def remembered(group: Group) -> dict[str, Array]:
    """[world of the group, …]: everything that goes into a snapshot of every world."""
    state = group.backend.fetch()
    lamps = {f"lamps_{field.name}": getattr(group.lamps, field.name) for field in fields(lights.Lamps)}
    return {name: getattr(state, name) for name in STATE} | lamps | {"limit": group.limit, "rate": group.rate, "begun": group.begun}

"""What a snapshot holds, and whether one is of these worlds."""

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine import lights
from arz.engine.backends.base import State
from arz.engine.groups import Group
from arz.engine.plan import Plan
from arz.errors import Invalid
from arz.laws.pressure.registry import CLOSURES
from arz.world.physics import Numbers

Array = NDArray[Any]

SNAPSHOT_FORMAT = 1
STATE = tuple(field.name for field in fields(State))
KEPT = (*(f"lamps_{field.name}" for field in fields(lights.Lamps)), "limit", "rate", "begun")
"""What a backend remembers, and what the simulator does, of every world."""


def require_fitting(snapshot: dict[str, Any], groups: Sequence[Group], dtype: Any) -> None:
    """Refuses what was not taken of such worlds."""
    missing = [name for name in ("format", "time_s", "dtype", "seeds", *STATE, *KEPT) if name not in snapshot]
    if missing:
        raise Invalid("snapshot", f"lacks {', '.join(missing[:4])}", "give what snapshot() gave")
    if snapshot["format"] != SNAPSHOT_FORMAT:
        raise Invalid("snapshot.format", f"is {snapshot['format']}", f"this version reads {SNAPSHOT_FORMAT}")
    if snapshot["dtype"] != str(dtype):
        raise Invalid("snapshot.dtype", f"is {snapshot['dtype']}, the simulator's is {dtype}", "make the simulator with the same dtype")
    for name, shape in _shapes(groups).items():
        if np.shape(snapshot[name]) != shape:
            problem = f"has shape {np.shape(snapshot[name])}, not {shape}"
            raise Invalid(f"snapshot.{name}", problem, "restore it into the scenarios it is of")

    for group in groups:
        _require_markers(group, np.asarray(snapshot["rho"])[group.worlds], np.asarray(snapshot["y"])[group.worlds])


def _shapes(groups: Sequence[Group]) -> dict[str, tuple[int, ...]]:
    """Of every array of a snapshot."""
    plan, worlds = groups[0].plan, sum(len(group.worlds) for group in groups)
    classes = len(plan.classes)
    cells, books = (worlds, classes, plan.cells), (worlds, len(plan.sources), classes)
    lamps = {f"lamps_{field.name}": (worlds, len(plan.lights)) for field in fields(lights.Lamps)}
    return {
        "seeds": (worlds,),
        "rho": cells,
        "y": cells,
        "waiting": books,
        "entered": (*books, 2),
        "left": (worlds, len(plan.sinks), classes, 2),
        "removed": (worlds, classes),
        "limit": (worlds, len(plan.limits), classes),
        "rate": (worlds, len(plan.meters)),
        "begun": (worlds, classes),
        **lamps,
    }


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

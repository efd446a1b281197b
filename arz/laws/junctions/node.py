"""A whole node: roads ahead take traffic on the curve of what comes, and what comes depends on what they take.

The supply of an exit is taken for the mean marker of those who enter it (Herty, Moutari and Rascle 2006, doi:10.3934/nhm.2006.1.275).
The mixture is found by a fixed number of steps that start with the mixture of the demands; one last scaling of all flows alike, which
leaves every mixture as it is, makes the result fit whatever the steps have left open.
"""

from collections.abc import Callable
from typing import Any

from arz.jit import device, like, named, switch
from arz.laws.junctions.base import WORK
from arz.laws.junctions.filling import clear, instead
from arz.laws.junctions.mixture import mixed
from arz.laws.junctions.registry import share
from arz.laws.pressure.base import Closure
from arz.laws.pressure.registry import CLOSURES
from arz.laws.riemann import supply_of

MIXING_STEPS = 3  # leaves 4e-5 of the flow open where one approach is not congested, rounding elsewhere
FLOW, OF_Y, WANTED, FITTING = range(4)
"""The rows of scratch that are used between two calls of the junction."""


def rows(classes: int, exits: int) -> int:
    """How many rows of scratch a node needs."""
    return WORK + classes * exits


@device
def node(
    moved: Any,
    room: Any,
    demand: Any,
    marker: Any,
    v_ahead: Any,
    ratio: Any,
    priority: Any,
    width: Any,
    own: Any,
    scale: Any,
    jam: Any,
    shape: Any,
    work: Any,
    closure: int,
    junction: int,
) -> None:
    """Fills moved[k, i, j] (veh/s): who of class k passes from approach i to exit j; room[k, j] is left with what the exits would take.

    Every array has the lanes of `base` as its last axis. demand[k, i] counts all lanes of the road and is 0 at a red light; marker[k, i]
    and ratio[k, i, j] belong to the approaches, priority[i] to the node; v_ahead[k, j], width[j] (lanes of the road) and own, scale, jam,
    shape [k, j] belong to the exits. work has `rows` rows.
    """
    classes, n, m, lanes = ratio.shape
    for k in range(classes):
        for i in range(n):
            for j in range(m):
                for a in range(lanes):
                    moved[k, i, j, a] = ratio[k, i, j, a] * demand[k, i, a]
    divide(work, moved, width, own)
    # Traffic from one approach has one marker, whoever of it passes.
    free = False
    for step in range(MIXING_STEPS if n > 1 else 1):
        take(closure, (room, moved, marker, v_ahead, scale, jam, shape, work))
        content = True
        for k in range(classes):
            content = share(junction, (moved[k], demand[k], room[k], ratio[k], priority, work)) & content
        # Where all pass who want to, the mixture is that of the demands, from which the room was found: further steps would repeat it.
        free = content & (step == 0)
        if free:
            break
    if n > 1 and not free:
        take(closure, (room, moved, marker, v_ahead, scale, jam, shape, work))
    for k in range(classes):
        fit(moved, room, work, k)


@device
def divide(work: Any, moved: Any, width: Any, own: Any) -> None:
    """Fills the rows behind `WORK` with the parts of the exits that fall to the classes, in lanes of the road over `own`.

    Classes share an exit in proportion to the occupancy that they want to bring. One class alone has all of it, and a class that is cut
    into equal ones passes as before.
    """
    classes, n, m, lanes = moved.shape
    for j in range(m):
        for a in range(lanes):
            work[WANTED, a] = like(work[WANTED, a], 0)
        for k in range(classes):
            part = WORK + k * m + j
            for a in range(lanes):
                work[part, a] = moved[k, 0, j, a]
                work[WANTED, a] += own[k, j, a] * moved[k, 0, j, a]
            for i in range(1, n):
                for a in range(lanes):
                    work[part, a] += moved[k, i, j, a]
                    work[WANTED, a] += own[k, j, a] * moved[k, i, j, a]
        for k in range(classes):
            part = WORK + k * m + j
            for a in range(lanes):
                mine, wanted, whole = work[part, a], work[WANTED, a], width[j, a]
                work[part, a] = whole * mine / wanted if wanted > like(wanted, 0) else like(wanted, 0)


def take_of(closure: Closure) -> Callable[..., None]:
    """Gives `take` for one closure: a choice inside its loops would keep lanes from being computed side by side."""
    supply = supply_of(closure)

    @device
    def take(room: Any, moved: Any, marker: Any, v_ahead: Any, scale: Any, jam: Any, shape: Any, work: Any) -> None:
        """Fills room[k, j]: the supply of exit j for the present mixture of class k, times the part of it that falls to the class."""
        classes, n, m, lanes = moved.shape
        clear(work, FLOW, OF_Y)
        for k in range(classes):
            for j in range(m):
                part = WORK + k * m + j
                for i in range(n - 1):
                    for a in range(lanes):
                        work[FLOW, a] += moved[k, i, j, a]
                        work[OF_Y, a] += moved[k, i, j, a] * marker[k, i, a]
                # The last approach and what follows in one loop, which leaves the two sums empty for the next exit.
                for a in range(lanes):
                    last, zero = moved[k, n - 1, j, a], like(moved[k, n - 1, j, a], 0)
                    w = mixed(work[FLOW, a] + last, work[OF_Y, a] + last * marker[k, n - 1, a], marker[k, n - 1, a])
                    whole = supply(w, v_ahead[k, j, a], like(w, 1), scale[k, j, a], jam[k, j, a], shape[k, j, a])
                    room[k, j, a] = work[part, a] * whole
                    work[FLOW, a], work[OF_Y, a] = zero, zero

    return named(take, "take", closure.name)


take: Callable[[int, tuple[Any, ...]], None] = switch(*(take_of(closure) for closure in CLOSURES))


@device
def fit(moved: Any, room: Any, work: Any, k: int) -> None:
    """Scales all flows of class k alike, until every exit has room for what comes."""
    _, n, m, lanes = moved.shape
    clear(work, FLOW, FLOW)
    for a in range(lanes):
        work[FITTING, a] = like(work[FITTING, a], 1)
    for j in range(m):
        for i in range(n - 1):
            for a in range(lanes):
                work[FLOW, a] += moved[k, i, j, a]
        for a in range(lanes):
            flow, most, fitting = work[FLOW, a] + moved[k, n - 1, j, a], room[k, j, a], work[FITTING, a]
            full = most / flow if flow > most else like(flow, 1)
            work[FITTING, a] = instead(like(flow, 1) if full < fitting else like(flow, 0), full, fitting)
            work[FLOW, a] = like(flow, 0)
    for i in range(n):
        for j in range(m):
            for a in range(lanes):
                moved[k, i, j, a] *= work[FITTING, a]

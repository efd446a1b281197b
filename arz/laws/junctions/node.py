"""A whole node: roads ahead take traffic on the curve of what comes, and what comes depends on what they take.

The supply of an exit is taken for the mean marker of those who enter it (Herty, Moutari and Rascle 2006, doi:10.3934/nhm.2006.1.275).
The mixture is found by a fixed number of steps that start with the mixture of the demands; one last scaling of all flows alike, which
leaves every mixture as it is, makes the result fit whatever the steps have left open.
"""

from typing import Any

from arz.jit import device, like
from arz.laws.junctions.mixture import arriving, mixed
from arz.laws.junctions.registry import share
from arz.laws.order import smaller
from arz.laws.riemann import supply

MIXING_STEPS = 3  # leaves 4e-5 of the flow open where one approach is not congested, rounding elsewhere


@device
def node(
    moved: Any,
    room: Any,
    demand: Any,
    marker: Any,
    v_ahead: Any,
    ratio: Any,
    priority: Any,
    lanes: Any,
    own: Any,
    scale: Any,
    jam: Any,
    shape: Any,
    closure: int,
    junction: int,
) -> None:
    """Fills moved[k, i, j] (veh/s): who of class k passes from approach i to exit j; room[k, j] is left with what the exits would take.

    demand[k, i] counts all lanes and is 0 at a red light; marker[k, i] and ratio[k, i, j] belong to the approaches, priority[i] to the
    node; v_ahead[k, j], lanes[j] and own, scale, jam, shape [k, j] belong to the exits.
    """
    classes, n, m = ratio.shape
    for k in range(classes):
        for i in range(n):
            for j in range(m):
                moved[k, i, j] = ratio[k, i, j] * demand[k, i]
    for _ in range(MIXING_STEPS):
        take(room, moved, demand, marker, v_ahead, ratio, lanes, own, scale, jam, shape, closure)
        for k in range(classes):
            share(junction, (moved[k], demand[k], room[k], ratio[k], priority))
    take(room, moved, demand, marker, v_ahead, ratio, lanes, own, scale, jam, shape, closure)
    for k in range(classes):
        fitting = like(demand[k, 0], 1)
        for j in range(m):
            flow = arriving(moved[k], j)
            if flow > room[k, j]:
                fitting = smaller(fitting, room[k, j] / flow)
        for i in range(n):
            for j in range(m):
                moved[k, i, j] *= fitting


@device
def take(
    room: Any,
    moved: Any,
    demand: Any,
    marker: Any,
    v_ahead: Any,
    ratio: Any,
    lanes: Any,
    own: Any,
    scale: Any,
    jam: Any,
    shape: Any,
    closure: int,
) -> None:
    """Fills room[k, j]: the supply of exit j for the present mixture of class k, times the part of the road that falls to the class.

    Classes share an exit in proportion to the occupancy that they want to bring. One class alone has all of it, and a class that is cut
    into equal ones passes as before.
    """
    classes, n, m = ratio.shape
    zero = like(demand[0, 0], 0)
    for j in range(m):
        wanted = zero
        for k in range(classes):
            for i in range(n):
                wanted += own[k, j] * ratio[k, i, j] * demand[k, i]
        for k in range(classes):
            mine = zero
            for i in range(n):
                mine += own[k, j] * ratio[k, i, j] * demand[k, i]
            room[k, j] = zero
            if mine > zero:
                w = mixed(moved[k], marker[k], j, marker[k, 0])
                whole = supply(closure, w, v_ahead[k, j], own[k, j], scale[k, j], jam[k, j], shape[k, j])
                room[k, j] = lanes[j] * whole * mine / wanted

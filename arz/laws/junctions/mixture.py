"""What enters a road at a node: the markers of those who come, mixed by their flows. Arrays as in `base`, for one class."""

from typing import Any

from arz.jit import device, like


@device
def arriving(total: Any, moved: Any, j: int) -> None:
    """total: the flow (veh/s) into exit j."""
    n, _, lanes = moved.shape
    for a in range(lanes):
        total[a] = like(total[a], 0)
    for i in range(n):
        for a in range(lanes):
            total[a] += moved[i, j, a]


@device
def carried(total: Any, moved: Any, marker: Any, j: int) -> None:
    """total: the flow of y into exit j, to the last bit what its movements took from their approaches, moved[i, j]·marker[i]."""
    n, _, lanes = moved.shape
    for a in range(lanes):
        total[a] = like(total[a], 0)
    for i in range(n):
        for a in range(lanes):
            total[a] += moved[i, j, a] * marker[i, a]


@device
def mixed(flow: float, of_y: float, none: float) -> float:
    """The mean marker of those who enter an exit, Herty and Rascle 2006, doi:10.1137/05062617X; `none` if nobody does."""
    return of_y / flow if flow > like(flow, 0) else none


@device
def remembered(w: float, target: float, memory: float) -> float:
    """The marker behind a node of which drivers keep the share `memory` of theirs; with 1 they keep it to the last bit."""
    return w if memory == like(w, 1) else target + memory * (w - target)

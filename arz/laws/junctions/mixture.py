"""What enters a road at a node: the markers of those who come, mixed by their flows."""

from typing import Any

from arz.jit import device, like


@device
def arriving(moved: Any, j: int) -> float:
    """The flow (veh/s) into exit j."""
    total = like(moved[0, 0], 0)
    for i in range(moved.shape[0]):
        total += moved[i, j]
    return total


@device
def carried(moved: Any, marker: Any, j: int) -> float:
    """The flow of y into exit j: to the last bit what its movements took from their approaches, moved[i, j]·marker[i]."""
    total = like(moved[0, 0], 0)
    for i in range(moved.shape[0]):
        total += moved[i, j] * marker[i]
    return total


@device
def mixed(moved: Any, marker: Any, j: int, none: float) -> float:
    """The mean marker of those who enter exit j, Herty and Rascle 2006, doi:10.1137/05062617X; `none` if nobody does."""
    flow = arriving(moved, j)
    return carried(moved, marker, j) / flow if flow > like(flow, 0) else none


@device
def remembered(w: float, target: float, memory: float) -> float:
    """The marker behind a node of which drivers keep the share `memory` of theirs; with 1 they keep it to the last bit."""
    return w if memory == like(w, 1) else target + memory * (w - target)

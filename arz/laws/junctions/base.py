"""What a junction promises.

The last axis of every array at a node is that of *lanes of computation*: many nodes of one shape, or one node in many worlds, side by side.
No lane knows the others, and every innermost loop runs along them, so that a processor does several at once; a CUDA thread has one lane.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WORK = 5
"""Rows of scratch that a junction needs: work[WORK, lane]."""


@dataclass(frozen=True, slots=True)
class Junction:
    """One kind of node: it shares the room on the roads ahead among the approaches, for one class of vehicles.

    share(moved, demand, room, ratio, priority, work) fills moved[i, j], the flow from approach i to exit j, in veh/s like demand[i] and
    room[j]. ratio[i, j] is the part of approach i that wants to go to j, each row adding up to 1; priority[i] > 0 need not be normalised.

    For every kind: 0 ≤ moved[i, j] ≤ ratio[i, j]·demand[i]; the sum over i is at most room[j], up to rounding; an approach without demand
    sends exactly 0; what leaves i for j is the very number that arrives in j from i, so nothing is lost or made.
    """

    name: str
    share: Callable[[Any, Any, Any, Any, Any, Any], bool]
    """Tells whether everybody everywhere passes who wants to, and was found to at the first look."""

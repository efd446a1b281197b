"""A lane for each movement: a full exit holds back only those who go there, and every exit is shared by itself."""

from typing import Any

from arz.jit import device, like
from arz.laws.junctions.base import Junction
from arz.laws.junctions.filling import CONTENT, LEVEL, all_settled, find_level, instead, serve_content, start_round, unsettle
from arz.laws.order import smaller


@device
def share(moved: Any, demand: Any, room: Any, ratio: Any, priority: Any, work: Any) -> bool:
    n, m, lanes = moved.shape
    content = True
    for j in range(m):
        unsettle(moved, j)
        # Every round settles at least one approach.
        at_once = False
        for turn in range(n):
            start_round(work)
            find_level(work, moved, j, room, ratio, priority, j)
            serve_content(work, moved, j, demand, priority)
            if all_settled(moved, j):
                at_once = turn == 0
                break
            cut(work, moved, demand, priority, j)
        for i in range(n):
            for a in range(lanes):
                moved[i, j, a] *= ratio[i, j, a]
        content = content & at_once
    return content


@device
def cut(work: Any, moved: Any, demand: Any, priority: Any, j: int) -> None:
    """Settles, where nobody was content, all who want to go to exit j."""
    n, _, lanes = moved.shape
    for i in range(n):
        for a in range(lanes):
            served, zero = moved[i, j, a], like(moved[i, j, a], 0)
            given = smaller(work[LEVEL, a] * priority[i, a], demand[i, a])
            held = (served < zero) & (work[CONTENT, a] == zero)
            moved[i, j, a] = instead(like(zero, 1) if held else zero, given, served)


LANES = Junction("lanes", share)

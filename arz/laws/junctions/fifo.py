"""First in, first out: one lane for all movements, so a full exit holds back the whole approach; the flow is the largest that allows.

The water filling of Tampère, Corthout, Cattrysse and Immers 2011, doi:10.1016/j.trb.2010.06.004: approaches are served in proportion to
their priorities until their demand or one of their exits is exhausted. For one approach it is q = min(d, min_j s_j/ratio_j), for two that
merge the middle of d_1, s − d_2 and P_1·s.
"""

from typing import Any

from arz.jit import device, like
from arz.laws.junctions.base import Junction
from arz.laws.junctions.filling import CONTENT, LEVEL, TIGHTEST, all_settled, find_level, instead, serve_content, start_round, unsettle
from arz.laws.order import smaller


@device
def share(moved: Any, demand: Any, room: Any, ratio: Any, priority: Any, work: Any) -> bool:
    n, m, _ = moved.shape
    content = False
    unsettle(moved, 0)
    # Every round settles at least one approach.
    for turn in range(n):
        start_round(work)
        for j in range(m):
            find_level(work, moved, 0, room, ratio, priority, j)
        serve_content(work, moved, 0, demand, priority)
        if all_settled(moved, 0):
            content = turn == 0
            break
        cut(work, moved, demand, ratio, priority)
    spread(moved, ratio)
    return content


@device
def cut(work: Any, moved: Any, demand: Any, ratio: Any, priority: Any) -> None:
    """Settles, where nobody was content, every approach that wants to go to the exit that is full."""
    n, m, lanes = moved.shape
    for i in range(n):
        for j in range(m):
            for a in range(lanes):
                served, zero = moved[i, 0, a], like(moved[i, 0, a], 0)
                given = smaller(work[LEVEL, a] * priority[i, a], demand[i, a])
                full = (work[TIGHTEST, a] == like(zero, j)) & (ratio[i, j, a] > zero)
                held = full & (work[CONTENT, a] == zero) & (served < zero)
                moved[i, 0, a] = instead(like(zero, 1) if held else zero, given, served)


@device
def spread(moved: Any, ratio: Any) -> None:
    """What passes of an approach, by exits."""
    n, m, lanes = moved.shape
    for i in range(n):
        for j in range(1, m):
            for a in range(lanes):
                moved[i, j, a] = ratio[i, j, a] * moved[i, 0, a]
        for a in range(lanes):
            moved[i, 0, a] *= ratio[i, 0, a]


FIFO = Junction("fifo", share)

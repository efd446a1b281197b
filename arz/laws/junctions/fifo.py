"""First in, first out: one lane for all movements, so a full exit holds back the whole approach; the flow is the largest that allows.

The water filling of Tampère, Corthout, Cattrysse and Immers 2011, doi:10.1016/j.trb.2010.06.004: approaches are served in proportion to
their priorities until their demand or one of their exits is exhausted. For one approach it is q = min(d, min_j s_j/ratio_j), for two that
merge the middle of d_1, s − d_2 and P_1·s.
"""

from typing import Any

from arz.jit import device, like
from arz.laws.junctions.base import Junction
from arz.laws.order import larger, smaller


@device
def share(moved: Any, demand: Any, room: Any, ratio: Any, priority: Any) -> None:
    n, m = ratio.shape
    zero = like(demand[0], 0)
    # A negative flow marks an approach that is not settled yet: nothing need be allocated.
    for i in range(n):
        for j in range(m):
            moved[i, j] = -like(demand[0], 1)
    # Every round settles at least one approach.
    for _ in range(n):
        level, tightest = zero, -1
        for j in range(m):
            left, weight = room[j], zero
            for i in range(n):
                if moved[i, j] >= zero:
                    left -= moved[i, j]
                else:
                    weight += ratio[i, j] * priority[i]
            if weight > zero and (tightest < 0 or larger(left, zero) < level * weight):
                level, tightest = larger(left, zero) / weight, j
        content = False
        for i in range(n):
            if moved[i, 0] < zero and demand[i] <= level * priority[i]:
                content = True
                for j in range(m):
                    moved[i, j] = ratio[i, j] * demand[i]
        # Who is content leaves more for the others, so the level is found again before anybody is cut.
        if content:
            continue
        for i in range(n):
            if moved[i, 0] < zero and (tightest < 0 or ratio[i, tightest] > zero):
                passing = smaller(level * priority[i], demand[i])
                for j in range(m):
                    moved[i, j] = ratio[i, j] * passing


FIFO = Junction("fifo", share)

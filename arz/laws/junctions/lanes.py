"""A lane for each movement: a full exit holds back only those who go there, and every exit is shared by itself."""

from typing import Any

from arz.jit import device, like
from arz.laws.junctions.base import Junction
from arz.laws.order import larger, smaller


@device
def share(moved: Any, demand: Any, room: Any, ratio: Any, priority: Any) -> None:
    n, m = ratio.shape
    zero = like(demand[0], 0)
    for j in range(m):
        # A negative flow marks a movement that is not settled yet.
        for i in range(n):
            moved[i, j] = -like(demand[0], 1)
        for _ in range(n):
            left, weight = room[j], zero
            for i in range(n):
                if moved[i, j] >= zero:
                    left -= moved[i, j]
                else:
                    weight += ratio[i, j] * priority[i]
            level = larger(left, zero) / weight if weight > zero else zero
            content = False
            for i in range(n):
                if moved[i, j] < zero and demand[i] <= level * priority[i]:
                    content = True
                    moved[i, j] = ratio[i, j] * demand[i]
            if content:
                continue
            for i in range(n):
                if moved[i, j] < zero:
                    moved[i, j] = ratio[i, j] * smaller(level * priority[i], demand[i])


LANES = Junction("lanes", share)

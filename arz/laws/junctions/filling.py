"""Water filling, the steps that the kinds of junction share.

While approaches are served, moved[i, column] holds how much of approach i passes, whatever its directions, and −1 as long as nothing is
settled; only the last step multiplies by the ratios. `fifo` needs one column for all exits, `lanes` has one for each.

Lanes are computed side by side as long as the loops along them have neither branches, nor reads or writes that depend on a condition:
so everything is read before anything is decided, conditions are joined by & and not by `and`, and what may stay as it is, is written
anew (`instead`).
"""

import math
from typing import Any

from arz.jit import device, like
from arz.laws.order import larger, smaller

USED, WEIGHT, LEVEL, TIGHTEST, CONTENT = range(5)
"""The rows of scratch. They are named by number: a view of a row costs as much as the work on it."""


@device
def unsettle(moved: Any, column: int) -> None:
    """Nobody is settled."""
    n, _, lanes = moved.shape
    for i in range(n):
        for a in range(lanes):
            moved[i, column, a] = -like(moved[i, column, a], 1)


@device
def clear(work: Any, one_row: int, other_row: int) -> None:
    """Two rows are 0."""
    for a in range(work.shape[1]):
        work[one_row, a] = like(work[one_row, a], 0)
        work[other_row, a] = like(work[one_row, a], 0)


@device
def start_round(work: Any) -> None:
    """No exit is known to be full, and nobody to be content."""
    clear(work, USED, WEIGHT)
    for a in range(work.shape[1]):
        work[LEVEL, a] = like(work[LEVEL, a], math.inf)
        work[TIGHTEST, a] = -like(work[LEVEL, a], 1)
        work[CONTENT, a] = like(work[LEVEL, a], 0)


@device
def find_level(work: Any, moved: Any, column: int, room: Any, ratio: Any, priority: Any, j: int) -> None:
    """LEVEL: the flow per priority at which the first exit is full, infinite if nobody wants to go on; TIGHTEST: that exit, or −1."""
    n, _, lanes = moved.shape
    for i in range(n - 1):
        for a in range(lanes):
            work[USED, a] += passing(moved[i, column, a], ratio[i, j, a])
            work[WEIGHT, a] += waiting(moved[i, column, a], ratio[i, j, a], priority[i, a])
    # The last approach and what follows in one loop, which leaves the two sums empty for the next exit.
    for a in range(lanes):
        served, share, zero = moved[n - 1, column, a], ratio[n - 1, j, a], like(room[j, a], 0)
        left = larger(room[j, a] - (work[USED, a] + passing(served, share)), zero)
        weight = work[WEIGHT, a] + waiting(served, share, priority[n - 1, a])
        full = left / weight if weight > zero else like(left, math.inf)
        # A later exit has the larger number.
        work[TIGHTEST, a] = larger(work[TIGHTEST, a], like(left, j) if full < work[LEVEL, a] else -like(left, 1))
        work[LEVEL, a] = smaller(work[LEVEL, a], full)
        work[USED, a], work[WEIGHT, a] = zero, zero


@device
def passing(served: float, ratio: float) -> float:
    """What a settled approach sends to one exit."""
    return ratio * larger(served, like(served, 0))


@device
def waiting(served: float, ratio: float, priority: float) -> float:
    """The priority of an approach that is not settled and wants to go to one exit."""
    return ratio * priority if served < like(served, 0) else like(served, 0)


@device
def serve_content(work: Any, moved: Any, column: int, demand: Any, priority: Any) -> None:
    """Settles every approach that wants no more than the level gives it; CONTENT is above 0 where there was one.

    Who is content leaves more for the others, so the level is found again before anybody is cut.
    """
    n, _, lanes = moved.shape
    for i in range(n):
        for a in range(lanes):
            served, wanted, zero, one = moved[i, column, a], demand[i, a], like(moved[i, column, a], 0), like(moved[i, column, a], 1)
            fits = (served < zero) & (wanted <= work[LEVEL, a] * priority[i, a])
            now = one if fits else zero
            moved[i, column, a] = instead(now, wanted, served)
            work[CONTENT, a] += now


@device
def instead(now: float, new: float, old: float) -> float:
    """`new` where now is 1 and `old` where it is 0, both to the last bit."""
    # By products and not by a choice: to keep what is there would become a write under a condition.
    return now * new + (like(now, 1) - now) * old


@device
def all_settled(moved: Any, column: int) -> bool:
    """Whether no further round would change anything, as in light traffic after the first one."""
    n, _, lanes = moved.shape
    # Counted and not asked one by one: a way out of the loop would keep lanes from being looked at side by side.
    open_still = 0
    for i in range(n):
        for a in range(lanes):
            open_still += 1 if moved[i, column, a] < like(moved[i, column, a], 0) else 0
    return open_still == 0

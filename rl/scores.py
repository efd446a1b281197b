"""What came of an episode: delay, queue, travel time, throughput, stops and switches, for each world, each class and in total."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from arz import Invalid
from arz.given import several
from rl.controllers.base import Driver
from rl.moment import Moment
from rl.worlds import Worlds

Array = NDArray[Any]

METRICS = {
    "delay_s": "time lost per vehicle against driving at the limit, waiting outside included",
    "queue_veh": "vehicles that stand or wait outside, on average over time",
    "travel_time_s": "time spent per vehicle, waiting outside included",
    "throughput_veh_per_h": "vehicles that left the network",
    "stops": "how often a vehicle came to stand: at least so often, since what is counted is how queues grow from moment to moment",
    "switches_per_h": "changes of a signal's lights",
}
"""What is scored; of all but the throughput less is better."""


@dataclass(frozen=True)
class Scores:
    """Arrays [episode, class] or [episode] of whole episodes; an episode is told by its seed, and of one demand and horizon."""

    classes: tuple[str, ...]
    horizon_s: float
    seeds: Array
    came: Array
    """Vehicles that entered or wait."""
    left: Array
    inside: Array
    waiting: Array
    lost_s: Array
    spent_s: Array
    queue_veh: Array
    stopped: Array
    switches: Array
    """[episode], of all signals."""
    signals: int

    def of(self, metric: str) -> Array:
        """[episode], all classes together."""
        if metric == "switches_per_h":
            return self.switches / max(self.signals, 1) * 3600 / self.horizon_s
        per, what = self._parts(metric)
        total: Array = what.sum(axis=1) / (per if isinstance(per, float) else per.sum(axis=1))
        return total

    def by_class(self, metric: str) -> Array:
        """[episode, class]; lights change for all classes."""
        per, what = self._parts(metric)
        each: Array = what / per
        return each

    def _parts(self, metric: str) -> tuple[Array | float, Array]:
        came = np.maximum(self.came, 1e-9)
        match metric:
            case "delay_s":
                return came, self.lost_s
            case "travel_time_s":
                return came, self.spent_s
            case "stops":
                return came, self.stopped
            case "queue_veh":
                return 1.0, self.queue_veh
            case "throughput_veh_per_h":
                return self.horizon_s / 3600, self.left
        raise Invalid("metric", f"is {metric!r}", f"choose among {', '.join(METRICS)}")


@dataclass
class Tally:
    """Counts one episode of all worlds, interval by interval; arrays [world, class], switches [world].

    Delay and time spent inside are integrals, exact whatever the intervals. Queues, and who waits outside, are known at the ends of intervals
    only, and taken to change evenly in between, as they do where lights change at those ends alone.
    """

    lost_s: Array
    spent_s: Array
    queue_s: Array
    stopped: Array
    switches: Array

    @classmethod
    def empty(cls, worlds: int, classes: int) -> Self:
        lost, spent, queue, stopped = np.zeros((4, worlds, classes))
        return cls(lost, spent, queue, stopped, np.zeros(worlds))

    def add(self, moment: Moment) -> None:
        now, was = moment.measures, moment.before
        waiting = (now.waiting + was.waiting).sum(axis=1) / 2 * moment.seconds
        self.lost_s += now.delay.sum(axis=1) + waiting
        self.spent_s += now.spent.sum(axis=1) + waiting
        self.queue_s += (now.queue + was.queue).sum(axis=1) / 2 * moment.seconds + waiting
        self.stopped += np.maximum(now.queue - was.queue, 0.0).sum(axis=1) + np.maximum(now.waiting - was.waiting, 0.0).sum(axis=1)
        self.switches += moment.changes.sum(axis=1)


def drive(worlds: Worlds, driver: Driver, seeds: Sequence[int], decision_s: float) -> Scores:
    """One episode for each seed under this controller: in batches of as many as there are worlds, which changes no number."""
    seeds = several("seeds", seeds, "give whole numbers, one for each episode")
    if not seeds:
        raise Invalid("seeds", "is empty", "give at least one")
    parts = list(_batches(worlds, driver, seeds, decision_s))
    first = parts[0]
    arrays = {each.name for each in fields(Scores)} - {"classes", "horizon_s", "signals"}
    joined = {name: np.concatenate([getattr(part, name) for part in parts])[: len(seeds)] for name in arrays}
    return Scores(classes=first.classes, horizon_s=first.horizon_s, signals=first.signals, **joined)


def _batches(worlds: Worlds, driver: Driver, seeds: Sequence[int], decision_s: float) -> Iterable[Scores]:
    for first in range(0, len(seeds), worlds.count):
        some = list(seeds[first : first + worlds.count])
        # Worlds that are left over drive somebody else's day again, and are not counted.
        yield episode(worlds, driver, some + some[:1] * (worlds.count - len(some)), decision_s)


def episode(worlds: Worlds, driver: Driver, seeds: Sequence[int], decision_s: float) -> Scores:
    """One episode in every world."""
    horizon_s = worlds.layout.horizon_s
    moment = worlds.begin(seeds)
    driver.begin(worlds.count)
    tally = Tally.empty(worlds.count, len(worlds.layout.classes))
    for number in range(round(horizon_s / decision_s)):
        end = (number + 1) * decision_s
        while moment.time_s < end - 1e-6:
            rest = end - moment.time_s
            wanted = driver.seconds(moment)
            # What would leave less than a moment is taken along.
            moment = worlds.advance(driver.controls(moment), rest if wanted > rest - 1e-3 else wanted)
            tally.add(moment)
    return _scores(worlds, tally, moment, seeds)


def _scores(worlds: Worlds, tally: Tally, last: Moment, seeds: Sequence[int]) -> Scores:
    measures = last.measures
    waiting = measures.waiting.sum(axis=1)
    return Scores(
        classes=worlds.layout.classes,
        horizon_s=worlds.layout.horizon_s,
        seeds=np.array(seeds, np.uint64),
        came=measures.entered.sum(axis=1) + waiting,
        left=measures.left.sum(axis=1),
        inside=measures.inside.sum(axis=1),
        waiting=waiting,
        lost_s=tally.lost_s,
        spent_s=tally.spent_s,
        queue_veh=tally.queue_s / worlds.layout.horizon_s,
        stopped=tally.stopped,
        switches=tally.switches,
        signals=len(worlds.layout.signals),
    )


def paired(one: Scores, other: Scores, metric: str) -> Array:
    """[episode]: one less the other on the same days; refused where the days are not the same."""
    if one.horizon_s != other.horizon_s or one.classes != other.classes:
        raise Invalid(
            "scores", f"are of {one.horizon_s:g} s and {other.horizon_s:g} s, or of other classes", "compare episodes of one task"
        )
    if not np.array_equal(one.seeds, other.seeds):
        raise Invalid("scores", "are of different seeds", "evaluate both on the same seeds, in the same order")
    return one.of(metric) - other.of(metric)

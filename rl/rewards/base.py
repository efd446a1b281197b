"""What every reward is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from rl.layout import Layout, Site
from rl.moment import Moment
from rl.setting import Setting

Array = NDArray[Any]
Gauge = Callable[[Moment], Array]
"""Gives float64[world, agent] of the interval that has ended."""


@dataclass(frozen=True)
class Area:
    """What one agent answers for."""

    sites: tuple[Site, ...]
    roads: tuple[int, ...]
    entries: tuple[int, ...]
    """Places among the layout's entries."""
    signals: tuple[int, ...]


class Reward(Setting):
    """One term: `weight` times what its kind measures; an agent's reward is the sum of its terms. More is better.

    Each kind adds a field `kind` that tells it from the others, and says its unit.
    """

    weight: float = 1.0

    def gauge(self, layout: Layout, areas: Sequence[Area]) -> Gauge:
        """What is measured for each area, without the weight."""
        raise NotImplementedError


def whole(layout: Layout, sites: Sequence[Site]) -> Area:
    """Everything, for an agent that is alone."""
    return Area(tuple(sites), tuple(range(len(layout.roads))), tuple(range(len(layout.entries))), tuple(range(len(layout.signals))))


def own(layout: Layout, site: Site) -> Area:
    """What leads to a site, and the entries of that."""
    roads = tuple(dict.fromkeys(road for stretch in site.stretches for road in stretch))
    entries = tuple(at for at, road in enumerate(layout.entries) if road in roads)
    signals = tuple(at for at, lights in enumerate(layout.signals) if site.kind == "signal" and lights.name == site.name)
    return Area((site,), roads, entries, signals)

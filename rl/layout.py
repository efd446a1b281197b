"""What time does not change about a scenario, as a controller sees it: roads, stop lines, and what lies around them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from arz import Invalid, Network, Scenario

Array = NDArray[Any]
SiteKind = Literal["signal", "meter", "section"]
NOUNS = {"signal": "traffic light", "meter": "ramp meter", "section": "variable speed limit"}


@dataclass(frozen=True)
class Site:
    """A place that is controlled. Roads are numbers; a stretch is a row of them, the nearest first."""

    name: str
    kind: SiteKind
    stretches: tuple[tuple[int, ...], ...]
    """What leads to it, upstream as far as there is one way only: for a signal one for each approach."""
    exits: tuple[int, ...]
    """The roads that begin where it is."""


@dataclass(frozen=True)
class Green:
    """One phase of a signal: the approaches (roads) that are green."""

    approaches: tuple[int, ...]
    duration_s: float
    """In the plan as given."""


@dataclass(frozen=True)
class Lights:
    """One signal: its phases, how long everything is red between two of them, and the bounds of every green."""

    name: str
    phases: tuple[Green, ...]
    lost_s: float
    offset_s: float
    min_green_s: float
    max_green_s: float


class Sums:
    """Sums over groups of columns: `total(x[world, column, …])` gives [world, group, …], each group added in its own order."""

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        # An empty group borrows a column, which is struck out again.
        columns = [list(group) or [0] for group in groups]
        self._columns = np.array([column for group in columns for column in group], np.intp)
        self._begins = np.cumsum([0, *map(len, columns)])[:-1]
        self._empty = np.array([not len(group) for group in groups], bool)

    def total(self, values: Array) -> Array:
        if not len(self._begins):
            return np.zeros((len(values), 0, *values.shape[2:]))
        if self._empty.all():
            return np.zeros((len(values), len(self._begins), *values.shape[2:]))
        whole: Array = np.add.reduceat(values.take(self._columns, axis=1), self._begins, axis=1)
        if self._empty.any():
            whole[:, self._empty] = 0
        return whole


def of_classes(values: Array) -> Array:
    """[…] from […, class], added up: twenty times as fast as numpy's sum over an axis of two."""
    total: Array = values[..., 0]
    for k in range(1, values.shape[-1]):
        total = total + values[..., k]
    return total


class Layout:
    """Everything is numbered as in the measures: roads, entries, outlets, signals, meters and sections in the simulator's order."""

    def __init__(self, scenario: Scenario, min_green_s: float, max_green_s: float) -> None:
        network = scenario.network
        numbers = [scenario.physics.numbers(road.limit_kmh, road.quality) for road in network.roads]
        self.scenario = scenario
        self.network: Network = network
        self.horizon_s = scenario.horizon_s
        self.classes: tuple[str, ...] = tuple(scenario.physics.classes)
        self.roads = tuple(road.id for road in network.roads)
        self.length_m = np.array([road.length_m for road in network.roads])
        self.lanes = np.array([float(road.lanes) for road in network.roads])
        self.limit_m_per_s = np.array([[each.limit for each in kinds] for kinds in numbers])
        """[road, class]."""
        self.room = np.array([[each.jam / each.own for each in kinds] for kinds in numbers]) * (self.length_m * self.lanes)[:, None]
        """[road, class]: how many vehicles of one class alone stand on the road in a jam."""
        self.weight = np.array([each.own for each in numbers[0]])
        """[class]: how many cars a vehicle counts for, where there is room for both."""
        self.entries = tuple(network.road_index[road.id] for road in network.entries)
        self.outlets = tuple(network.road_index[road.id] for road in network.outlets)
        self.signals = tuple(_signals(network, min_green_s, max_green_s))
        self.sites: dict[SiteKind, tuple[Site, ...]] = {
            "signal": tuple(self._signal_sites()),
            "meter": tuple(self._meter_sites()),
            "section": tuple(self._section_sites()),
        }

    def sites_of(self, kind: SiteKind) -> tuple[Site, ...]:
        """The places of this kind; refused where there are none."""
        if not self.sites[kind]:
            raise Invalid("action.kind", f"controls a {NOUNS[kind]}, but {self.scenario.name!r} has none", "choose another scenario")
        return self.sites[kind]

    @cached_property
    def phases(self) -> Array:
        """int[signal]."""
        return np.array([len(lights.phases) for lights in self.signals], np.int64)

    @cached_property
    def most_phases(self) -> int:
        return int(self.phases.max(initial=0))

    def near(self, stretch: Sequence[int], reach_m: float) -> tuple[int, ...]:
        """The roads of a stretch that begin, seen from its end, within this reach; always the nearest."""
        begins = np.concatenate([[0.0], np.cumsum(self.length_m[list(stretch)])[:-1]])
        return tuple(road for road, begin in zip(stretch, begins.tolist(), strict=True) if begin < reach_m)

    @cached_property
    def onward(self) -> tuple[tuple[tuple[int, Array], ...], ...]:
        """[road]: where vehicles go from its end: (road, share[class])."""
        return tuple(map(self._onward, range(len(self.roads))))

    def _onward(self, road: int) -> tuple[tuple[int, Array], ...]:
        node = self.network.roads[road].end
        exits = self.network.exits(node)
        approaches = [way.id for way in self.network.approaches(node)]
        shares = np.array(self.network.turning(node, self.scenario.physics.classes))
        if not exits:
            return ()
        row = shares[:, approaches.index(self.roads[road])]
        return tuple((self.network.road_index[way.id], row[:, at]) for at, way in enumerate(exits) if row[:, at].any())

    def _signal_sites(self) -> Iterable[Site]:
        for node in self.network.nodes:
            if node.signal is not None:
                yield Site(node.id, "signal", tuple(map(self._upstream, self._approaches(node.id))), self._exits(node.id))

    def _meter_sites(self) -> Iterable[Site]:
        for actuator in self.scenario.actuators:
            if actuator.kind == "ramp_meter":
                ramp = self.network.road_index[actuator.road]
                node = self.network.roads[ramp].end
                beside = [road for road in self._approaches(node) if road != ramp]
                yield Site(actuator.id, "meter", tuple(map(self._upstream, (ramp, *beside))), self._exits(node))

    def _section_sites(self) -> Iterable[Site]:
        for actuator in self.scenario.actuators:
            if actuator.kind == "speed_limit":
                within = [self.network.road_index[road] for road in actuator.roads]
                ends = [road for road in within if not set(self._exits(self.network.roads[road].end)) & set(within)] or within[-1:]
                exits = tuple(dict.fromkeys(way for road in ends for way in self._exits(self.network.roads[road].end)))
                yield Site(actuator.id, "section", tuple(map(self._upstream, ends)), exits)

    def downstream(self, road: int) -> tuple[int, ...]:
        """The road and those that follow it, as long as there is one way only and no light."""
        chain = [road]
        while True:
            end = self.network.roads[chain[-1]].end
            ways, before = self._exits(end), self._approaches(end)
            if len(ways) != 1 or len(before) != 1 or self.network.node(end).signal is not None or ways[0] in chain:
                return tuple(chain)
            chain.append(ways[0])

    def _approaches(self, node: str) -> tuple[int, ...]:
        return tuple(self.network.road_index[road.id] for road in self.network.approaches(node))

    def _exits(self, node: str) -> tuple[int, ...]:
        return tuple(self.network.road_index[road.id] for road in self.network.exits(node))

    def _upstream(self, road: int) -> tuple[int, ...]:
        """The road and those that lead to it, as long as there is one way only and no light."""
        stretch = [road]
        while True:
            start = self.network.roads[stretch[-1]].start
            ways, onward = self._approaches(start), self._exits(start)
            if len(ways) != 1 or len(onward) != 1 or self.network.node(start).signal is not None or ways[0] in stretch:
                return tuple(stretch)
            stretch.append(ways[0])


def _signals(network: Network, min_green_s: float, max_green_s: float) -> Iterable[Lights]:
    for node in network.nodes:
        signal = node.signal
        if signal is not None:
            phases = tuple(Green(tuple(network.road_index[road] for road in phase.green), phase.duration_s) for phase in signal.phases)
            lost = signal.amber_s + signal.all_red_s if len(phases) > 1 else 0.0
            yield Lights(node.id, phases, lost, signal.offset_s, max(signal.min_green_s, min_green_s), max_green_s)

"""The scheme written a second time, from docs/spec/scheme.md alone: slow, in plain numpy, and without a line of the package's own laws.

It knows the product closures, fixed plans, constant inflows and both orders; roads that follow each other must be parted by a light.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.world.network import Node
from arz.world.physics import QUALITY_KMH, VehicleClass
from arz.world.scenario import Scenario

Array = NDArray[np.float64]


class Law:
    """How one class drives on one road: v = w·φ(r)."""

    def __init__(self, scenario: Scenario, vehicle: VehicleClass, limit_kmh: float, quality: Any) -> None:
        physics = scenario.physics
        self.limit = min(limit_kmh, QUALITY_KMH[quality][vehicle]) / 3.6
        tau = physics.motorcycle_tau_s if vehicle == "motorcycle" else physics.car_tau_s
        self.tau = math.inf if tau is None else tau
        weights = {"motorcycle": physics.motorcycle_weight, "car": 1.0}
        self.own = weights.pop(vehicle)
        self.other = sum(weights.values()) if len(physics.classes) > 1 else 0.0
        self.jam = physics.jam_veh_per_m or 0.15
        self.steep = None
        if physics.closure == "triangular":
            share = physics.shape or 0.25
            self.steep = share / (1 - share)
        if vehicle == "motorcycle":
            slowness = physics.creep_kmh / 3.6 / self.limit
            self.jam *= 1 / (1 - slowness) if self.steep is None else 1 + slowness / self.steep
        self.critical = self.jam / 2 if self.steep is None else self.jam * self.steep / (1 + self.steep)

    def share(self, r: float) -> float:
        """φ(r)."""
        if self.steep is None:
            return max(1 - r / self.jam, 0.0)
        return max(min(1.0, (self.jam / r - 1) * self.steep), 0.0) if r > 0 else 1.0

    def demand(self, rho: float, w: float) -> float:
        thin = min(rho, self.critical / self.own)
        return thin * w * self.share(self.own * thin)

    def supply(self, w: float, v: float) -> float:
        """Of this class alone, veh/s per lane."""
        most = self.critical * w * self.share(self.critical)
        if v >= w:
            return most / self.own
        beyond = self.jam * (1 - v / w) if self.steep is None else self.jam / (1 + v / w / self.steep)
        return (beyond * v if beyond > self.critical else most) / self.own


def water(demand: Sequence[float], ratio: Sequence[Sequence[float]], priority: Sequence[float], room: Sequence[float]) -> list[float]:
    """What passes of each approach where all are served alike per priority, until their demand or one of their exits is exhausted."""
    served, left = [0.0] * len(demand), list(room)
    going = {i for i, wanted in enumerate(demand) if wanted > 0}
    while going:
        pull = [sum(priority[i] * ratio[i][j] for i in going) for j in range(len(left))]
        level, who, exit_ = min(
            [((demand[i] - served[i]) / priority[i], i, -1) for i in going]
            + [(left[j] / weight, -1, j) for j, weight in enumerate(pull) if weight > 0]
        )
        for i in going:
            served[i] += priority[i] * level
        left = [has - level * weight for has, weight in zip(left, pull, strict=True)]
        if exit_ < 0:
            served[who] = demand[who]
            going.discard(who)
        else:
            left[exit_] = 0.0
            going = {i for i in going if ratio[i][exit_] == 0}
    return served


def half_slopes(x: Array) -> Array:
    """Monotonized central differences, halved; none in the first and the last cell."""
    found = np.zeros(len(x))
    for i in range(1, len(x) - 1):
        a, b = x[i] - x[i - 1], x[i + 1] - x[i]
        if a * b > 0:
            found[i] = min((a + b) / 4, a, b, key=abs)
    return found


class Oracle:
    """One world, float64. Fields are rho[road][class, cell]; what is counted is counted since the start."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.net = scenario, scenario.network
        self.classes = scenario.physics.classes
        roads = self.net.roads
        self.law = [[Law(scenario, vehicle, road.limit_kmh, road.quality) for vehicle in self.classes] for road in roads]
        self.cells = [max(1, round(road.length_m / scenario.scheme.cell_m)) for road in roads]
        self.dx = [road.length_m / cells for road, cells in zip(roads, self.cells, strict=True)]
        self.rho = [np.zeros((len(self.classes), cells)) for cells in self.cells]
        self.y = [np.zeros_like(rho) for rho in self.rho]
        markers = [[laws[k].limit for laws in self.law] for k in range(len(self.classes))]
        for start in scenario.initial.roads:
            at = self.net.road_index[start.road]
            for piece in start.pieces:
                for k, law in enumerate(self.law[at]):
                    density = piece.density_veh_per_m
                    r = law.own * density[k] + law.other * density[len(density) - 1 - k]
                    w = law.limit if piece.speed_m_per_s is None else piece.speed_m_per_s[k] / law.share(r)
                    for i in range(self.cells[at]):
                        met = max(0.0, min(piece.to_m, (i + 1) * self.dx[at]) - max(piece.from_m, i * self.dx[at])) / self.dx[at]
                        self.rho[at][k, i] += met * density[k]
                        self.y[at][k, i] += met * density[k] * w
                    if density[k] > 0:
                        markers[k].append(w)
        self.low, self.high = [min(each) for each in markers], [max(each) for each in markers]
        self.entries = [self.net.road_index[road.id] for road in self.net.entries]
        self.outlets = [self.net.road_index[road.id] for road in self.net.outlets]
        self.waiting, self.left = np.zeros((len(self.entries), len(self.classes))), np.zeros((len(self.outlets), len(self.classes)))
        self.entered = np.zeros_like(self.waiting)
        self.spent, self.distance = np.zeros((2, len(roads), len(self.classes)))
        self.time_s = 0.0

    def advance(self, duration_s: float, steps: int) -> None:
        begin = self.time_s
        for step in range(steps):
            self.time_s = begin + step * duration_s / steps
            self._step(duration_s / steps)
        self.time_s = begin + duration_s

    def speeds(self, at: int) -> Array:
        return self._read(at)[1]

    def _crowd(self, at: int, k: int, rho: Array) -> Array:
        law = self.law[at][k]
        crowd: Array = law.own * rho[k] + (law.other * rho[1 - k] if len(self.classes) > 1 else 0.0)
        return crowd

    def _read(self, at: int) -> tuple[Array, Array]:
        """Markers and speeds."""
        rho = self.rho[at]
        w, v = np.empty_like(rho), np.empty_like(rho)
        for k, law in enumerate(self.law[at]):
            mean = np.divide(self.y[at][k], rho[k], out=np.full(rho.shape[1], self.high[k]), where=rho[k] > 0)
            w[k] = np.clip(mean, self.low[k], self.high[k])
            v[k] = [speed * law.share(r) for speed, r in zip(w[k], self._crowd(at, k, rho), strict=True)]
        return w, v

    def _green(self, node: Node, approach: str, dt: float) -> float:
        """The part of a step in which an approach is green."""
        light = node.signal
        if light is None:
            return 1.0
        if len(light.phases) == 1:
            return float(approach in light.phases[0].green)
        between, seconds = light.amber_s + light.all_red_s, 0.0
        begin = light.offset_s + light.cycle_s * (math.floor((self.time_s - light.offset_s) / light.cycle_s) - 1)
        while begin < self.time_s + dt:
            for at, phase in enumerate(light.phases):
                stays = approach in light.phases[(at + 1) % len(light.phases)].green
                end = begin + phase.duration_s + (between if stays else 0.0)
                if approach in phase.green:
                    seconds += max(0.0, min(self.time_s + dt, end) - max(self.time_s, begin))
                begin += phase.duration_s + between
        part = seconds / dt
        return 0.0 if part < 1e-9 else min(part, 1.0)

    def _sent(self, at: int, w: Array) -> list[float]:
        rho, laws = self.rho[at][:, -1], self.law[at]
        if len(laws) == 1:
            return [laws[0].demand(rho[0], w[0, -1]) * self.net.roads[at].lanes]
        crowds = [self._crowd(at, k, self.rho[at])[-1] for k in (0, 1)]
        weight = [law.own * rho[k] * w[k, -1] for k, law in enumerate(laws)]
        crowding = sum(b * r / law.critical for b, r, law in zip(weight, crowds, laws, strict=True))
        thin = min(1.0, sum(weight) / crowding) if crowding > 0 else 1.0
        return [thin * rho[k] * w[k, -1] * law.share(thin * crowds[k]) * self.net.roads[at].lanes for k, law in enumerate(laws)]

    def _shared(
        self, node: Node, k: int, sent: Array, w: Array, ratio: Any, priority: Sequence[float], exits: list[int], v: Array
    ) -> Array:
        """Flows [approach, exit] of one class; sent and w are [approach, class] of all of them, v is [exit, class]."""
        part = np.array(ratio)
        own = np.array([[law.own for law in self.law[at]] for at in exits])
        wanted = np.einsum("ik,kij->jk", sent, part) * own
        mine = np.divide(wanted[:, k], wanted.sum(axis=1), out=np.zeros(len(exits)), where=wanted.sum(axis=1) > 0)
        moved: Array = sent[:, k, None] * part[k]
        mean = np.full(len(exits), self.high[k])

        def room() -> Array:
            total = moved.sum(axis=0)
            np.divide((moved * w[:, k, None]).sum(axis=0), total, out=mean, where=total > 0)
            taken = [self.law[at][k].supply(mean[j], v[j, k]) * self.net.roads[at].lanes for j, at in enumerate(exits)]
            left: Array = mine * np.array(taken)
            return left

        for _ in range(3 if len(sent) > 1 else 1):
            has = room().tolist()
            if node.kind == "fifo":
                moved = np.array(water(sent[:, k].tolist(), part[k].tolist(), priority, has))[:, None] * part[k]
            else:
                ways = [water((sent[:, k]).tolist(), part[k][:, [j]].tolist(), priority, [has[j]]) for j in range(len(exits))]
                moved = np.array(ways).T * part[k]
        total, has = moved.sum(axis=0), room()
        moved *= min([1.0, *(has[j] / total[j] for j in range(len(exits)) if total[j] > has[j])])
        return moved

    def _step(self, dt: float) -> None:
        count, roads = len(self.classes), self.net.roads
        for inflow in self.scenario.demand.inflows:
            entry = self.entries.index(self.net.road_index[inflow.road])
            self.waiting[entry, self.classes.index(inflow.vehicle)] += inflow.profile[0][1] / 3600 * dt
        known = [self._read(at) for at in range(len(roads))]
        # At each end of a road: the flux, and the marker that it carries.
        into, out = np.zeros((2, len(roads), count)), np.zeros((2, len(roads), count))
        for node in self.net.nodes:
            before = [self.net.road_index[road.id] for road in self.net.approaches(node.id)]
            exits = [self.net.road_index[road.id] for road in self.net.exits(node.id)]
            sent = np.array([self._sent(at, known[at][0]) for at in before]).reshape(-1, count)
            sent *= np.array([self._green(node, roads[at].id, dt) for at in before])[:, None]
            w = np.array([known[at][0][:, -1] for at in before])
            v = np.array([known[at][1][:, 0] for at in exits])
            if not exits:
                for i, at in enumerate(before):
                    if node.end != "free":
                        cap = (node.cap_veh_per_h or 0.0) / 3600
                        sent[i] *= min(1.0, cap / sent[i].sum()) if sent[i].sum() > 0 else 1.0
                    out[:, at] = sent[i], w[i]
                    self.left[self.outlets.index(at)] += sent[i] * dt
                continue
            if not before:
                for at in exits:
                    entry = self.entries.index(at)
                    want, marker = self.waiting[[entry]] / dt, np.array([[law.limit for law in self.law[at]]])
                    for k in range(count):
                        flow = self._shared(node, k, want, marker, [[[1.0]]] * count, [1.0], [at], v[[exits.index(at)]])[0, 0]
                        came = min(flow * dt, self.waiting[entry, k])
                        self.waiting[entry, k] -= came
                        self.entered[entry, k] += came
                        into[:, at, k] = flow, marker[0, k]
                continue
            ratio, priority = self.net.turning(node, self.classes), self.net.priorities(node)
            for k in range(count):
                moved = self._shared(node, k, sent, w, ratio, priority, exits, v)
                for i, at in enumerate(before):
                    out[:, at, k] = moved[i].sum(), w[i, k]
                for j, at in enumerate(exits):
                    total = moved[:, j].sum()
                    mean = (moved[:, j] * w[:, k]).sum() / total if total > 0 else 0.0
                    into[:, at, k] = total, node.memory * mean + (1 - node.memory) * self.law[at][k].limit if total > 0 else 0.0
        for at, road in enumerate(roads):
            self._move(at, known[at], into[:, at], out[:, at], road.lanes, dt)

    def _move(self, at: int, known: tuple[Array, Array], into: Array, out: Array, lanes: int, dt: float) -> None:
        (w, v), rho, n, ratio = known, self.rho[at], self.cells[at], dt / self.dx[at]
        laws, alone = self.law[at], len(self.classes) == 1
        rho_face, w_face, v_face = rho.copy(), w.copy(), v.copy()
        if self.scenario.scheme.order == 2:
            of_rho, of_w, of_v = (np.array([half_slopes(each) for each in field]) for field in (rho, w, v))
            half = rho - ratio * (rho * of_v + v * of_rho)
            rho_face, w_face = np.maximum(half + of_rho, 0), np.maximum(w - ratio * v * of_w + of_w, 0)
            for k, law in enumerate(laws):
                for i in range(1, n - 1):
                    speed = (w[k, i] - ratio * v[k, i] * of_w[k, i]) * law.share(self._crowd(at, k, half)[i])
                    v_face[k, i] = max(speed - of_v[k, i], 0.0)
        for k, law in enumerate(laws):
            q, open_ = np.zeros(n + 1), np.zeros(n + 1, bool)
            q[0], q[n] = into[0, k] / lanes, out[0, k] / lanes
            carried = np.array([into[1, k], *w_face[k, :-1], out[1, k]])
            for i in range(1, n):
                if alone:
                    sends, takes = law.demand(rho_face[k, i - 1], w_face[k, i - 1]), law.supply(w_face[k, i - 1], v_face[k, i])
                    q[i], open_[i] = min(sends, takes), sends < takes
                else:
                    q[i] = rho_face[k, i - 1] * min(v_face[k, i], w_face[k, i - 1])
            self.distance[at, k] += q[1:].sum() * self.dx[at] * lanes * dt
            self.y[at][k] -= ratio * np.diff(q * carried)
            rho[k] -= ratio * np.diff(q)
            rho[k][rho[k] < 1e-18] = 0.0
            self.spent[at, k] += rho[k].sum() * self.dx[at] * lanes * dt
            y, room = self.y[at][k], [law.share(r * law.own) for r in rho[k]]
            for i in range(1, n - 1) if alone else ():
                fastest = max(v[k, i], v[k, i + 1], v[k, i - 1] if open_[i] else 0.0)
                if room[i] > 0:
                    y[i] = min(y[i], rho[k, i] * fastest / room[i])
            y[:] = np.clip(y, rho[k] * self.low[k], rho[k] * self.high[k])
            settled = rho[k] * law.limit
            y[:] = settled + (y - settled) * math.exp(-dt / law.tau)

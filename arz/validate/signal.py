"""A queue at a red light and its discharge at green; and two classes on a ring with a signal, which keep all bounds."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from arz.engine.simulator import Simulator
from arz.validate.base import BOTH, Case, Figure, Group, Order, in_full
from arz.validate.jumps import JAM, KMH, SPEED, Array, Jump, averages, crossing
from arz.validate.riemann import LEAST_ORDER, OFF, ROUNDING
from arz.world.network import Network, Node, Phase, Road, Signal
from arz.world.physics import ClosureName
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario
from arz.world.scenarios.registry import scenario
from arz.world.scheme import Scheme

RED_S, GREEN_S = 120.0, 60.0
BEFORE_M, BEYOND_M = 3000.0, 1500.0
SEEN_M = 1000.0
"""What is looked at on either side of the stop line."""
CELLS_M = (20.0, 10.0, 5.0, 2.5)
SATURATION_OFF = 0.01
HOUR_S, CHECK_S = 3600.0, 1.0

ARRIVING = 0.4


@dataclass(frozen=True)
class Light:
    """The two jumps at a stop line: traffic that meets a standing queue, and the queue before an empty road."""

    name: str
    red: Jump
    green: Jump


def _light(name: str, closure: ClosureName, shape: float) -> Light:
    jam = (1.0, 0.0)
    green = Jump("green", "queue before an empty road", closure, jam, (0.0, 0.0), shape)
    return Light(name, Jump("red", "traffic before a queue", closure, (ARRIVING, green.speed(ARRIVING, 1.0)), jam, shape), green)


LIGHTS = (_light("additive", "power", 2.0), _light("default", "multiplicative", 1.0))

QUEUE = Group(
    "Red and green",
    "Traffic of 0.4 of the jam density meets a light that is red for two minutes and then green; drivers never adapt, so all is exact: "
    "the queue's end is a shock, its discharge a fan.\n"
    "L1 is the error of the density over the jam density one minute after green, on the kilometres before and beyond the stop line.\n"
    "The queue's end is taken after the red minutes, the start wave where the fan is half way to the jam's wave speed, both on the finest cells; "
    "saturation is the flow over the stop line in the green minute, off its exact value.",
)
RING = Group(
    "Two classes on a ring with a signal",
    "Half motorcycles, half cars by room, with relaxation, 30 s green and 30 s red for an hour: nobody is lost, "
    "no speed is negative, no cell holds more than fits (R_m), whatever the light does.",
)


def stop_line(light: Light, order: Order, cell_m: float) -> Scenario:
    """A road with a light at its end and a road behind it; the light is red first."""
    roads = tuple(
        Road(id=name, start=start, end=end, length_m=length, lanes=1, limit_kmh=SPEED * KMH)
        for name, start, end, length in (("before", "far", "light", BEFORE_M), ("beyond", "light", "out", BEYOND_M))
    )
    phases = (Phase(green=(), duration_s=RED_S), Phase(green=("before",), duration_s=2 * GREEN_S))
    signal = Signal(phases=phases, amber_s=0.0, all_red_s=0.0)
    nodes = (Node(id="far"), Node(id="light", x_m=BEFORE_M, signal=signal), Node(id="out", x_m=BEFORE_M + BEYOND_M))
    density, speed = light.red.left
    arriving = Piece(from_m=0.0, to_m=BEFORE_M, density_veh_per_m=(density * JAM,), speed_m_per_s=(speed * SPEED,))
    return Scenario(
        name="red and green",
        network=Network(name="one light", roads=roads, nodes=nodes),
        physics=light.red.physics,
        scheme=Scheme(order=order, cell_m=cell_m),
        initial=Initial(roads=(InitialRoad(road="before", pieces=(arriving,)),)),
        horizon_s=RED_S + GREEN_S,
    )


def measure_queue(light: Light, order: Order) -> list[Figure]:
    figures: list[Figure] = []
    errors, drifts = [], []
    for cell_m in CELLS_M:
        simulator = Simulator(stop_line(light, order, cell_m), dtype="float64", threads=1)
        simulator.step(None, RED_S)
        red = _seen(simulator, cell_m)
        simulator.step(None, GREEN_S)
        green = _seen(simulator, cell_m)
        errors.append(float(np.abs(green - _exact(light, len(green))).mean()))
        drifts.append(float(np.abs(simulator.ledger().drift).max()))
        if cell_m == CELLS_M[-1]:
            figures = _waves(light, red, green, cell_m)
    sizes = [round(2 * SEEN_M / cell_m) for cell_m in CELLS_M]
    return [*in_full(errors, sizes, {}, LEAST_ORDER), *figures, Figure("drift", max(drifts), at_most=ROUNDING)]


def _seen(simulator: Simulator, cell_m: float) -> Array:
    """The density around the stop line, over the jam density."""
    line, half = round(BEFORE_M / cell_m), round(SEEN_M / cell_m)
    seen: Array = simulator.fields().density[0, 0, line - half : line + half] / JAM
    return seen


def _exact(light: Light, cells: int) -> Array:
    """After the green minute: the queue's end has gone on as a shock, and its head has not come there."""
    end = _must(light.red.shock) * SPEED * (RED_S + GREEN_S)
    kinks = [end, *(speed * SPEED * GREEN_S for speed in light.green.kinks)]

    def density(x: float) -> float:
        return light.green.density(x / (SPEED * GREEN_S)) if x > end else ARRIVING

    return averages(density, np.linspace(-SEEN_M, SEEN_M, cells + 1), kinks)


def _waves(light: Light, red: Array, green: Array, cell_m: float) -> list[Figure]:
    half = len(red) // 2
    x = (np.arange(2 * half) - half + 0.5) * cell_m
    shock, (head, _) = _must(light.red.shock), _must(light.green.fan)
    queue_end = crossing(x[:half], red[:half], (ARRIVING + 1) / 2)
    # Before the fan's head has met the queue's end nothing else falls to its densities.
    start = crossing(x, green, light.green.density(head / 2), last=True)
    at_line = light.green.density(0.0)
    saturation = at_line * light.green.speed(at_line, 1.0)
    flow = float(green[half:].sum()) * cell_m / (SPEED * GREEN_S)
    return [
        Figure("passed at red", float(red[half:].sum()), at_most=0.0),
        Figure("queue's end off", abs(queue_end / (shock * SPEED * RED_S) - 1), at_most=OFF),
        Figure("start wave off", abs(start / (head / 2 * SPEED * GREEN_S) - 1), at_most=OFF),
        Figure("saturation flow", flow),
        Figure("off", abs(flow / saturation - 1), at_most=SATURATION_OFF),
    ]


def measure_ring(order: Order) -> list[Figure]:
    made = scenario("ring", scheme=Scheme(order=order))
    phases = (Phase(green=("ring",), duration_s=30.0), Phase(green=(), duration_s=30.0))
    (node,) = made.network.nodes
    lit = node.model_copy(update={"signal": Signal(phases=phases, amber_s=0.0, all_red_s=0.0)})
    network = Network(name="ring with a signal", roads=made.network.roads, nodes=(lit,))
    posed = Scenario(**{**{name: getattr(made, name) for name in Scenario.model_fields}, "network": network, "horizon_s": HOUR_S})
    simulator = Simulator(posed, dtype="float64", threads=1)
    motorcycle, car = posed.physics.numbers(network.roads[0].limit_kmh, network.roads[0].quality)
    fullest, slowest = 0.0, math.inf
    for _ in range(round(HOUR_S / CHECK_S)):
        simulator.step(None, CHECK_S)
        fields = simulator.fields()
        crowd = motorcycle.own * fields.density[0, 0] + motorcycle.other * fields.density[0, 1]
        fullest, slowest = max(fullest, float(crowd.max())), min(slowest, float(fields.speed.min()))
    book = simulator.ledger()
    return [
        Figure("steps", round(HOUR_S / CHECK_S) * math.ceil(CHECK_S / simulator.dt_bound_s)),
        Figure("fullest cell / R_c", fullest / car.jam),
        Figure("beyond R_m", max(fullest / motorcycle.jam - 1, 0.0), at_most=ROUNDING),
        Figure("lowest speed", slowest, at_least=0.0),
        Figure("drift", float(np.abs(book.drift).max()), at_most=ROUNDING),
    ]


def _must(found: Any) -> Any:
    if found is None:
        raise ValueError("this jump has no such wave")
    return found


def cases() -> list[Case]:
    queues = [
        Case(f"light {light.name}, order {order}", QUEUE, "red, then green", partial(measure_queue, light, order))
        for light in LIGHTS
        for order in BOTH
    ]
    return [*queues, *(Case(f"signal ring, order {order}", RING, "two classes, an hour", partial(measure_ring, order)) for order in BOTH)]

"""What the tests of the engine share: two models, small networks, and how two worlds are compared bit for bit."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz.engine.measures import Measures
from arz.world.demand import Demand, Inflow
from arz.world.network import Network, Node, Phase, Road, Signal, Turn
from arz.world.physics import Physics
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario
from arz.world.scenarios.row import row
from arz.world.scheme import Scheme

Array = NDArray[Any]

PAIR = Physics()
"""The default model: motorcycles and cars, multiplicative closure; with `SECOND` its order is 2."""
FROZEN = Physics(motorcycle_tau_s=None, car_tau_s=None)
"""The same without relaxation; to the compiler it is the same model."""
LWR = Physics(classes=("car",), closure="triangular", car_tau_s=None)
"""One class that is nowhere in a hurry of its own: the first order model with a triangular diagram."""
FIRST, SECOND = Scheme(order=1), Scheme(order=2)

LIMIT_KMH = 50.0
FREE = LIMIT_KMH / 3.6
JAM = 0.15
CAPACITY = 0.25 * JAM * FREE
"""Of `LWR`, veh/s per lane; of `PAIR` without motorcycles too, since R·w/4 is the same number."""
BACKWARD = FREE * 0.25 / 0.75
"""How fast the waves of `LWR` run upstream in a queue (m/s)."""

STATE = ("rho", "y", "waiting", "entered", "left", "removed")


def road(road_id: str, start: str, end: str, length_m: float = 300.0, lanes: int = 1, **more: Any) -> Road:
    return Road(id=road_id, start=start, end=end, length_m=length_m, lanes=lanes, **{"limit_kmh": LIMIT_KMH, **more})


def inflow(road_id: str, vehicle: str, *profile: tuple[float, float]) -> Inflow:
    return Inflow(road=road_id, vehicle=vehicle, profile=profile)  # type: ignore[arg-type]


def cars(road_id: str, veh_per_h: float) -> Demand:
    return Demand(inflows=(inflow(road_id, "car", (0.0, veh_per_h)),))


def filled(density: Sequence[float], **lengths: float) -> Initial:
    """These densities (veh/m per lane, in equilibrium) on whole roads of these lengths."""
    return Initial(
        roads=tuple(
            InitialRoad(road=name, pieces=(Piece(from_m=0.0, to_m=length, density_veh_per_m=tuple(density)),))
            for name, length in lengths.items()
        )
    )


def lwr(network: Network, **more: Any) -> Scenario:
    return Scenario(name="lwr", network=network, physics=LWR, **{"scheme": FIRST, **more})


def one_road(length_m: float = 600.0, *, lanes: int = 1, **last: Any) -> Network:
    """One road "road"; `last` are fields of its last node."""
    return row("one road", [("road", {"length_m": length_m, "lanes": lanes, "limit_kmh": LIMIT_KMH})], **last)


def street(*lengths_m: float, **last: Any) -> Network:
    """Roads r0, r1, … of one lane with a light that is always green between them, so that each border is a crossing."""
    nodes = [Node(id="n0")]
    roads = []
    for at, length in enumerate(lengths_m):
        roads.append(road(f"r{at}", f"n{at}", f"n{at + 1}", length))
        light = Signal(phases=(Phase(green=(f"r{at}",), duration_s=60.0),))
        nodes.append(Node(id=f"n{at + 1}", **(last if at == len(lengths_m) - 1 else {"signal": light})))
    return Network(name="street", roads=tuple(roads), nodes=tuple(nodes))


def stop_lines(signal: Signal, *, length_m: float = 900.0, approaches: str = "ab") -> Scenario:
    """Standing queues on roads a, b, … of one lane before one light, behind which everything is free."""
    roads = tuple(road(name, f"from_{name}", "light", length_m) for name in approaches)
    nodes = (*(Node(id=f"from_{name}") for name in approaches), Node(id="light", signal=signal))
    return lwr(
        Network(name="stop lines", roads=roads, nodes=nodes),
        initial=filled((JAM,), **dict.fromkeys(approaches, length_m)),
    )


def town(seed: int = 0, scale: float = 1.0, **more: Any) -> Scenario:
    """Everything at once, and too much traffic: two entries, three approaches to a light, a loop, a free and a capped end, noise."""
    roads = (
        road("a", "west", "x", 300.0, 2),
        road("b", "south", "x", 200.0, 1, quality="R4"),
        road("c", "x", "y", 250.0, 2),
        road("d", "x", "east", 152.0),
        road("e", "y", "north", 200.0),
        road("g", "y", "x", 210.0),
    )
    light = Signal(phases=(Phase(green=("a",), duration_s=25.0), Phase(green=("b", "g"), duration_s=15.0)), conflicts=(("a", "b"),))
    shares = (("a", 0.7), ("b", 0.4), ("g", 0.2))
    turns = [Turn(approach=way, exit=exit_, share=part) for way, to_c in shares for exit_, part in (("c", to_c), ("d", 1 - to_c))]
    turns += [
        Turn(approach="c", exit="e", share=0.9, vehicle="motorcycle"),
        Turn(approach="c", exit="g", share=0.1, vehicle="motorcycle"),
        Turn(approach="c", exit="e", share=0.6, vehicle="car"),
        Turn(approach="c", exit="g", share=0.4, vehicle="car"),
    ]
    nodes = (
        Node(id="west"),
        Node(id="south"),
        Node(id="x", signal=light, turns=tuple(turns[:6]), priority=(("g", 3.0),)),
        Node(id="y", kind="lanes", turns=tuple(turns[6:]), memory=0.7),
        Node(id="east"),
        Node(id="north", end="capped", cap_veh_per_h=500.0),
    )
    inflows = [
        inflow(name, vehicle, (0.0, rate), (900.0, 0.3 * rate)) for name, rate in (("a", 1400.0), ("b", 500.0)) for vehicle in PAIR.classes
    ]
    return Scenario(
        name="town",
        network=Network(name="town", roads=roads, nodes=nodes),
        physics=PAIR,
        demand=Demand(inflows=tuple(inflows), scale=scale, noise=0.3),
        initial=filled((0.05, 0.06), a=300.0, d=152.0),
        seed=seed,
        **more,
    )


def same_world(expected: Mapping[str, Any], one: int, actual: Mapping[str, Any], other: int, near: Container[str] = ()) -> None:
    """World `one` of a snapshot is world `other` of another one, to the last bit; what is only near, to the rounding of sums."""
    for name, held in expected.items():
        if name in near:
            error = 1e-4 if expected["dtype"] == "float32" else 1e-12
            assert np.allclose(held[one], np.asarray(actual[name])[other], rtol=error, atol=error), name
        elif isinstance(held, np.ndarray):
            assert held[one].tobytes() == np.asarray(actual[name])[other].tobytes(), name


def same_snapshot(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> None:
    assert sorted(expected) == sorted(actual)
    for name, held in expected.items():
        if isinstance(held, np.ndarray):
            assert (held.dtype, held.shape) == (actual[name].dtype, actual[name].shape), name
            assert held.tobytes() == actual[name].tobytes(), name
        else:
            assert held == actual[name], name


def same_measures(expected: Measures, one: int, actual: Measures, other: int) -> None:
    """World `one` of an interval is world `other` of another one, to the last bit."""
    for field in fields(Measures):
        if field.name != "time_s":
            assert getattr(expected, field.name)[one].tobytes() == getattr(actual, field.name)[other].tobytes(), field.name

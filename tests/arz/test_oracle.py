"""The engine is the scheme on paper: random small networks, run by the engine and by a second reading of docs/spec/scheme.md."""

import random
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arz.engine.simulator import Simulator
from arz.world.demand import Demand
from arz.world.network import Network, Node, Phase, Road, Signal, Turn
from arz.world.physics import Physics
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario
from tests.arz.engines import FIRST, FROZEN, JAM, LWR, PAIR, SECOND, inflow, road
from tests.arz.oracle import Oracle

pytestmark = pytest.mark.timeout(600)

ENDS: tuple[Literal["free", "capped", "wall"], ...] = ("free", "free", "capped", "wall")
LIMITS_KMH, QUALITIES = (30.0, 50.0, 70.0), ("R1", "R2", "R4")


@settings(max_examples=30)
@given(seed=st.integers(0, 10**9), physics=st.sampled_from([PAIR, FROZEN, LWR]), second=st.booleans())
@example(seed=66, physics=LWR, second=False)
@example(seed=17, physics=PAIR, second=True)
def test_the_engine_does_what_the_page_says(seed: int, physics: Physics, second: bool) -> None:
    """Densities, speeds, queues before the entries, vehicles counted, time spent and ways driven are those of the oracle, to rounding."""
    world = _world(random.Random(seed), physics, second=second and physics is not LWR)
    simulator, oracle = Simulator(world, dtype="float64", threads=1), Oracle(world)
    intervals = []
    for duration_s in (5.0, 7.0, 12.0):
        oracle.advance(duration_s, simulator.steps(duration_s))
        intervals.append(simulator.step(None, duration_s))
    measured = intervals[-1]
    fields = simulator.fields()
    for at in range(len(world.network.roads)):
        here = fields.cell_road == at
        somebody = oracle.rho[at] > 1e-9
        _near(fields.density[0][:, here], oracle.rho[at], JAM)
        _near(fields.speed[0][:, here] * somebody, oracle.speeds(at) * somebody, 10.0)

    for found, expected in ((measured.waiting, oracle.waiting), (measured.entered, oracle.entered), (measured.left, oracle.left)):
        _near(found[0], expected, 10.0)
    _near(sum(one.spent[0] for one in intervals), oracle.spent, 100.0)
    _near(sum(one.distance[0] for one in intervals), oracle.distance, 1000.0)


def _near(found: Any, expected: Any, scale: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * scale)


def _world(chance: random.Random, physics: Physics, *, second: bool) -> Scenario:
    """A few roads of a few cells around up to three crossings, with anything that a crossing may have, and traffic of all kinds on them."""
    inner = [f"x{at}" for at in range(chance.randint(1, 3))]
    ways = list(pairwise(inner))
    ways += [(f"in{at}", chance.choice(inner)) for at in range(chance.randint(1, 3))]
    ways += [(chance.choice(inner), f"out{at}") for at in range(chance.randint(1, 3))]
    ways += [way for way in ((chance.choice(inner), chance.choice(inner)) for _ in range(3)) if way[0] != way[1]]
    chance.shuffle(ways)
    roads = tuple(
        road(
            f"r{at}", *way, 15.0 * chance.randint(1, 6), chance.randint(1, 3),
            limit_kmh=chance.choice(LIMITS_KMH), quality=chance.choice(QUALITIES),
        )
        for at, way in enumerate(ways)
    )  # fmt: skip
    names = sorted({node for way in ways for node in way})
    nodes = tuple(_node(chance, name, [r.id for r in roads if r.end == name], [r.id for r in roads if r.start == name]) for name in names)
    network = Network(name="random", roads=roads, nodes=nodes)
    comes = (inflow(r.id, vehicle, (0.0, chance.choice((200.0, 900.0, 3000.0)))) for r in network.entries for vehicle in physics.classes)
    filled = tuple(InitialRoad(road=r.id, pieces=tuple(_pieces(chance, r, len(physics.classes)))) for r in roads)
    return Scenario(
        name="random",
        network=network,
        physics=physics,
        scheme=SECOND if second else FIRST,
        demand=Demand(inflows=tuple(each for each in comes if chance.random() < 0.8)),
        initial=Initial(roads=filled),
    )


def _node(chance: random.Random, name: str, approaches: list[str], exits: list[str]) -> Node:
    if not approaches:
        return Node(id=name)
    if not exits:
        end = chance.choice(ENDS)
        return Node(id=name, end=end, cap_veh_per_h=chance.choice((0.0, 400.0)) if end == "capped" else None)
    turns = []
    for approach in approaches:
        # Above 0 for one exit at least.
        shares = [chance.choice((0.0, 1.0, 3.0)) for _ in exits[1:]] + [chance.choice((1.0, 2.0))]
        turns += [Turn(approach=approach, exit=exit_, share=part / sum(shares)) for exit_, part in zip(exits, shares, strict=True)]
    light = None
    if len(approaches) == len(exits) == 1:
        light = Signal(phases=(Phase(green=tuple(approaches), duration_s=60.0),))
    elif chance.random() < 0.6:
        greens = [tuple(each for each in approaches if chance.random() < 0.6) for _ in range(chance.randint(1, 3))]
        phases = tuple(Phase(green=green, duration_s=chance.choice((5.0, 7.3))) for green in greens)
        light = Signal(phases=phases, amber_s=chance.choice((0.0, 3.0)), all_red_s=1.0, offset_s=chance.choice((0.0, 3.7, 20.0)))
    return Node(
        id=name,
        kind=chance.choice(("fifo", "lanes")),
        turns=tuple(turns) if chance.random() < 0.7 else (),
        priority=tuple((each, chance.choice((0.1, 2.5))) for each in approaches if chance.random() < 0.4),
        memory=chance.choice((1.0, 1.0, 0.5, 0.0)),
        signal=light,
    )


def _pieces(chance: random.Random, way: Road, classes: int) -> list[Piece]:
    cut = 15.0 * chance.randint(0, round(way.length_m / 15))
    pieces = []
    for begin, end in ((0.0, cut), (cut, way.length_m)):
        fill, part = chance.choice((0.1, 0.4, 0.8, 1.0)) * JAM, chance.choice((0.0, 0.3, 1.0))
        if begin < end and chance.random() < 0.8:
            density = (part * fill, (1 - part) * fill) if classes > 1 else (fill,)
            speeds = tuple(chance.choice((0.5, 2.0)) for _ in density) if fill < JAM and chance.random() < 0.3 else None
            pieces.append(Piece(from_m=begin, to_m=end, density_veh_per_m=density, speed_m_per_s=speeds))
    return pieces

"""Crossings on the engine: merges by priority, diverges first in first out or lane by lane, memory."""

from typing import Any, Literal

import numpy as np
import pytest

from arz.engine.simulator import Simulator
from arz.world.demand import Demand
from arz.world.network import Network, Node, Turn
from arz.world.scenario import Scenario
from tests.arz.engines import CAPACITY, FIRST, FREE, JAM, PAIR, cars, filled, inflow, lwr, road

pytestmark = pytest.mark.timeout(600)

LONG = 900.0


def merge(priority: dict[str, float], **filling: float) -> Simulator:
    """Two approaches of one lane that meet before a road of one lane; those named are full."""
    roads = (road("a", "A", "x", LONG), road("b", "B", "x", LONG), road("c", "x", "C", LONG))
    nodes = (Node(id="A"), Node(id="B"), Node(id="x", priority=tuple(priority.items())), Node(id="C"))
    network = Network(name="merge", roads=roads, nodes=nodes)
    return Simulator(lwr(network, initial=filled((JAM,), **filling), demand=cars("b", 0.1 * CAPACITY * 3600)), dtype="float64")


class TestMerge:
    """Approaches that want more than the exit takes."""

    @pytest.mark.parametrize(("priority", "share"), [({}, 0.5), ({"a": 3.0, "b": 1.0}, 0.75), ({"b": 4.0}, 0.2)])
    def test_by_priority(self, priority: dict[str, float], share: float) -> None:
        """Two queues share the capacity of the exit by their priorities, which are their lanes if nothing is said."""
        simulator = merge(priority, a=LONG, b=LONG)
        measured = simulator.step(None, 60.0)
        book = measured.inside[0, :, 0] - np.array([0, measured.entered[0, 1, 0], 0])

        assert JAM * LONG - book[0] == pytest.approx(share * CAPACITY * 60.0, rel=1e-9)
        assert JAM * LONG - book[1] == pytest.approx((1 - share) * CAPACITY * 60.0, rel=1e-9)

    def test_who_wants_less_has_all_of_it(self) -> None:
        """An approach whose demand is below its share is served fully, and the queue beside it has the rest."""
        simulator = merge({"a": 1.0, "b": 1.0}, a=LONG)
        simulator.step(None, 90.0)
        before = simulator.measures().inside[0, :2, 0]
        measured = simulator.step(None, 30.0)

        assert measured.inside[0, 1, 0] == pytest.approx(before[1], rel=1e-6)
        assert before[0] - measured.inside[0, 0, 0] == pytest.approx(0.9 * CAPACITY * 30.0, rel=1e-6)


def diverge(kind: Literal["fifo", "lanes"], *, cap: float | None, to_c: float = 0.6) -> Simulator:
    """A queue before a fork; the exit "d" is short, and behind it passes `cap` (veh/s), or nothing at all."""
    end: dict[str, Any] = {"end": "wall"} if cap is None else {"end": "capped", "cap_veh_per_h": cap * 3600}
    roads = (road("a", "A", "x", LONG), road("c", "x", "C"), road("d", "x", "D", 30.0))
    turns = (Turn(approach="a", exit="c", share=to_c), Turn(approach="a", exit="d", share=1 - to_c))
    nodes = (Node(id="A"), Node(id="x", kind=kind, turns=turns), Node(id="C"), Node(id="D", **end))
    network = Network(name="fork", roads=roads, nodes=nodes)
    return Simulator(lwr(network, initial=filled((JAM,), a=LONG, d=30.0)), dtype="float64")


class TestDiverge:
    """An approach some of whose vehicles want to go to a full exit."""

    def test_fifo_is_held_back_by_a_full_exit(self) -> None:
        """First in, first out: behind one standing vehicle nobody passes."""
        simulator = diverge("fifo", cap=None)
        simulator.step(None, 60.0)

        assert 0.0 == simulator.ledger().left[0, 0]
        assert 0.0 == simulator.measures().inside[0, 1, 0]

    def test_lanes_let_the_others_pass(self) -> None:
        """With a lane for each movement those who go elsewhere pass as if nothing stood there."""
        simulator = diverge("lanes", cap=None)
        measured = simulator.step(None, 60.0)

        assert measured.left[0, 0, 0] + measured.inside[0, 1, 0] == pytest.approx(0.6 * CAPACITY * 60.0, rel=1e-9)

    @pytest.mark.parametrize(("kind", "passes"), [("fifo", 0.05 * 1.5), ("lanes", 0.6 * CAPACITY)])
    def test_share_of_a_slow_exit(self, kind: Literal["fifo", "lanes"], passes: float) -> None:
        """Where an exit passes 0.05 veh/s of the 40 % that want it, first in first out lets 0.075 veh/s of the others pass."""
        simulator = diverge(kind, cap=0.05)
        simulator.step(None, 120.0)
        before = simulator.ledger().left[0, 0], simulator.measures().left[0, :, 0].copy()
        measured = simulator.step(None, 120.0)

        assert (measured.left[0, :, 0] - before[1]).tolist() == pytest.approx([passes * 120, 0.05 * 120], rel=0.01)

    def test_classes_turn_apart(self) -> None:
        """Motorcycles all turn left and cars all go on: neither is found on the other's road."""
        roads = (road("a", "A", "x"), road("c", "x", "C"), road("d", "x", "D"))
        turns = (Turn(approach="a", exit="c", share=1, vehicle="motorcycle"), Turn(approach="a", exit="d", share=1, vehicle="car"))
        network = Network(name="apart", roads=roads, nodes=(Node(id="A"), Node(id="x", turns=turns), Node(id="C"), Node(id="D")))
        demand = Demand(inflows=tuple(inflow("a", vehicle, (0.0, 600.0)) for vehicle in PAIR.classes))
        simulator = Simulator(Scenario(name="apart", network=network, physics=PAIR, demand=demand), dtype="float64")
        left = simulator.step(None, 120.0).left[0]

        assert (left.diagonal() > 5).all()
        assert [0.0, 0.0] == [left[0, 1], left[1, 0]]


class TestMemory:
    """How much of their marker drivers keep beyond a node."""

    @pytest.mark.parametrize(("memory", "speed"), [(1.0, 8.0), (0.5, (8 + FREE) / 2), (0.0, FREE)])
    def test_speed_behind(self, memory: float, speed: float) -> None:
        """Drivers who are slow and never adapt are, behind the node, as fast as what they keep of it says."""
        roads = (road("a", "A", "x"), road("c", "x", "C"))
        network = Network(name="memory", roads=roads, nodes=(Node(id="A"), Node(id="x", memory=memory), Node(id="C")))
        start = filled((0.01,), a=300.0)
        slow = start.roads[0].pieces[0].model_copy(update={"speed_m_per_s": (8.0,)})
        initial = start.model_copy(update={"roads": (start.roads[0].model_copy(update={"pieces": (slow,)}),)})
        simulator = Simulator(lwr(network, initial=initial, scheme=FIRST), dtype="float64")
        simulator.step(None, 20.0)
        fields = simulator.fields()
        behind = (fields.cell_road == 1) & (fields.density[0, 0] > 1e-6)

        assert behind.sum() > 8
        assert np.allclose(speed, fields.speed[0, 0, behind], rtol=1e-12, atol=0)

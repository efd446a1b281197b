"""Queues at lights on the engine, in the limit of first order: all speeds are known in closed form."""

import numpy as np
import pytest

from arz.engine.simulator import Simulator
from arz.world.demand import Demand
from arz.world.network import Network, Node, Phase, Signal
from arz.world.scenario import Scenario
from arz.world.scheme import Scheme
from tests.arz.engines import BACKWARD, CAPACITY, FREE, JAM, PAIR, cars, filled, lwr, one_road, road, stop_lines, street

pytestmark = pytest.mark.timeout(600)

SHUT = Signal(phases=(Phase(green=(), duration_s=60.0),))


class TestGrowth:
    """A queue that grows at a red light."""

    @pytest.mark.parametrize("share", [0.3, 0.8])
    def test_tail_runs_back_at_the_shock_speed(self, share: float) -> None:
        """Traffic of flow q that must stop builds a queue whose tail runs back at q / (jam − q/V), within 2 %."""
        q = share * CAPACITY
        network = one_road(1200.0, signal=SHUT)
        simulator = Simulator(
            lwr(network, demand=cars("road", q * 3600), initial=filled((q / FREE,), road=1200.0), scheme=Scheme(order=1, cell_m=1.0)),
            dtype="float64",
        )
        speed = q / (JAM - q / FREE)
        for seconds in (60.0, 120.0):
            measured = simulator.step(None, 60.0)

            assert simulator.time_s == seconds
            # All that stand: the density of the jam over the length of the queue.
            assert measured.queue[0, 0, 0] == pytest.approx(JAM * speed * seconds, rel=0.02)
        tail = float((simulator.fields().density[0, 0] > JAM / 2).sum())
        assert tail == pytest.approx(speed * 120.0, rel=0.02)


class TestDischarge:
    """A queue that leaves at a green light."""

    def test_at_capacity_with_the_start_wave(self) -> None:
        """It leaves at capacity from the first moment, and its start runs back at the speed of the jam's waves, within 2 %."""
        simulator = Simulator(
            lwr(one_road(900.0, lanes=2), initial=filled((JAM,), road=900.0), scheme=Scheme(order=1, cell_m=3.0)), dtype="float64"
        )
        for seconds in (30.0, 60.0, 90.0):
            simulator.step(None, 30.0)
            moving = float((simulator.fields().density[0, 0] < 0.625 * JAM).sum() * 3.0)

            assert simulator.ledger().left[0, 0] == pytest.approx(2 * CAPACITY * seconds, rel=1e-9)
            # Half way from the density of the jam to the critical one, which is a quarter of it.
            assert moving == pytest.approx(BACKWARD * seconds, rel=0.02, abs=3.0)

    def test_of_the_default_model(self) -> None:
        """Cars alone leave a jam of the default model at R·w/4 per lane, within 2 %."""
        scenario = Scenario(name="jam", network=one_road(900.0), physics=PAIR, initial=filled((0.0, JAM), road=900.0))
        simulator = Simulator(scenario, dtype="float64")
        simulator.step(None, 60.0)

        assert simulator.ledger().left[0, 1] == pytest.approx(CAPACITY * 60.0, rel=0.02)


class TestSignalDelay:
    """Webster 1958: the uniform delay of a signal that clears its queue in every cycle."""

    @pytest.mark.parametrize("saturation", [0.4, 0.8])
    def test_uniform_delay(self, saturation: float) -> None:
        """The mean delay is C(1 − λ)² / 2(1 − λx), within 3 %."""
        signal = Signal(phases=(Phase(green=("r0",), duration_s=25.0), Phase(green=(), duration_s=25.0)))
        cycle, part = signal.cycle_s, 25.0 / signal.cycle_s
        roads = (road("r0", "A", "x", 600.0), road("r1", "x", "B", 300.0))
        network = Network(name="signal", roads=roads, nodes=(Node(id="A"), Node(id="x", signal=signal), Node(id="B")))
        q = saturation * part * CAPACITY
        simulator = Simulator(
            lwr(network, demand=cars("r0", q * 3600), initial=filled((q / FREE,), r0=600.0), scheme=Scheme(order=1, cell_m=5.0)),
            dtype="float64",
        )
        simulator.step(None, 3 * cycle)
        before = simulator.ledger().left[0, 0]
        measured = simulator.step(None, 5 * cycle)
        vehicles = simulator.ledger().left[0, 0] - before

        assert vehicles == pytest.approx(5 * cycle * q, rel=1e-6)
        assert measured.delay.sum() / vehicles == pytest.approx(cycle * (1 - part) ** 2 / (2 * (1 - part * saturation)), rel=0.03)


class TestSpillback:
    """A queue that is longer than a road goes on on the roads before it."""

    def test_over_two_nodes(self) -> None:
        """Behind a wall road after road fills up to the jam, over two nodes and out of the entry, when it must and in order."""
        q = 0.6 * CAPACITY
        simulator = Simulator(lwr(street(150.0, 150.0, 150.0, end="wall"), demand=cars("r0", q * 3600)), dtype="float64")
        full = np.full(3, np.inf)
        while simulator.time_s < 400:
            measured = simulator.step(None, 5.0)
            now = measured.inside[0, :, 0] > 0.98 * JAM * 150.0
            full[now & np.isinf(full)] = simulator.time_s
        measured = simulator.measures()
        # The shock leaves the wall when the first vehicle comes there.
        expected = 450.0 / FREE + np.array([450.0, 300.0, 150.0]) / (q / (JAM - q / FREE))

        assert np.allclose(expected, full, atol=10.0)
        assert (np.abs(measured.inside[0, :, 0] - JAM * 150.0) < 0.02 * JAM * 150.0).all()
        assert measured.waiting[0, 0, 0] == pytest.approx(q * 400 - JAM * 450.0, rel=0.02)

    def test_queue_leaves_from_the_front(self) -> None:
        """When the light turns green the start wave passes both nodes, one after the other, at the speed of the waves."""
        simulator = Simulator(
            lwr(street(300.0, 300.0, 300.0), initial=filled((JAM,), r0=300.0, r1=300.0, r2=300.0), scheme=Scheme(order=1, cell_m=2.0)),
            dtype="float64",
        )
        moved = np.full(3, np.inf)
        while simulator.time_s < 250:
            measured = simulator.step(None, 2.5)
            moved[(measured.inside[0, :, 0] < 0.99 * JAM * 300.0) & np.isinf(moved)] = simulator.time_s

        assert np.allclose(np.array([600.0, 300.0, 0.0]) / BACKWARD, moved, atol=10.0)


class TestRedAndGreen:
    """What a queue is let to do, second by second."""

    def test_fixed_plan(self) -> None:
        """By a fixed plan each approach discharges at capacity while it is green and not at all otherwise, over two cycles."""
        signal = Signal(phases=(Phase(green=("a",), duration_s=12.5), Phase(green=("b",), duration_s=7.0)), offset_s=4.0)
        simulator = Simulator(stop_lines(signal), dtype="float64")
        green = np.zeros(2)
        for _ in range(59):
            measured = simulator.step(None, 1.0)
            green += np.array([_green(simulator.time_s, 4.0, 16.5), _green(simulator.time_s, 21.5, 28.5)])

            assert np.allclose(CAPACITY * green, measured.left[0, :, 0], rtol=1e-9, atol=1e-9)

    def test_two_classes_stop(self) -> None:
        """In mixed traffic nothing of either class passes from the end of the green to its next beginning."""
        light = Signal(phases=(Phase(green=("road",), duration_s=20.0), Phase(green=(), duration_s=10.0)))
        scenario = Scenario(
            name="pair", network=one_road(signal=light), physics=PAIR, demand=Demand(), initial=filled((0.1, 0.1), road=600.0)
        )
        simulator = Simulator(scenario, dtype="float64")
        simulator.step(None, 20.0)
        at_red = simulator.ledger().left
        simulator.step(None, 20.0)
        at_green = simulator.ledger().left
        simulator.step(None, 1.0)

        assert (at_red > 1).all()
        assert at_red.tolist() == at_green.tolist()
        assert (simulator.ledger().left > at_green).all()


def _green(time_s: float, opens: float, shuts: float) -> float:
    """The green seconds of the last second, in a cycle of 29.5 s."""
    return sum(max(min(time_s, shuts + turn) - max(time_s - 1, opens + turn), 0.0) for turn in (-29.5, 0.0, 29.5))

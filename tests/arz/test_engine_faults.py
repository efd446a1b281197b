"""The faults of the earlier work, each as a test that fails if it comes back; what needs more than a test is proved in its own file."""

import math
from typing import Any, Literal

import numpy as np
import pytest

from arz.engine.simulator import Controls, Simulator
from arz.errors import Invalid, Unstable
from arz.world.demand import Demand
from arz.world.network import Network, Node, Phase, Signal, Turn
from arz.world.physics import Physics
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario, Uniform
from arz.world.scenarios.registry import scenario
from arz.world.scheme import Scheme
from tests.arz.engines import (
    BACKWARD,
    CAPACITY,
    FREE,
    FROZEN,
    JAM,
    PAIR,
    cars,
    filled,
    inflow,
    lwr,
    one_road,
    road,
    same_snapshot,
    stop_lines,
    street,
    town,
)

pytestmark = pytest.mark.timeout(600)

FRACTIONS = (50, 100, 200)


def pieces(*parts: tuple[float, float, tuple[float, ...], tuple[float, ...]]) -> Initial:
    """Pieces (from, to, densities, speeds) of road "road"."""
    made = tuple(Piece(from_m=low, to_m=high, density_veh_per_m=density, speed_m_per_s=speed) for low, high, density, speed in parts)
    return Initial(roads=(InitialRoad(road="road", pieces=made),))


class TestAdvection:
    """Who carries what, how fast, and which way."""

    @pytest.mark.parametrize("speed", [3.0, 9.0])
    def test_fault_marker_carried_at_1_m_per_s(self, speed: float) -> None:
        """Between two platoons of one speed and different markers the border moves at that speed, and not at 1 m/s."""
        initial = pieces((0.0, 300.0, (0.0, 0.03), (0.0, speed)), (300.0, 900.0, (0.0, 0.02), (0.0, speed)))
        world = Scenario(name="contact", network=one_road(900.0), physics=FROZEN, scheme=Scheme(cell_m=5.0), initial=initial)
        simulator = Simulator(world, dtype="float64")
        simulator.step(None, 40.0)
        state = simulator.snapshot()
        there = np.flatnonzero(state["rho"][0, 1] > 1e-3)
        w = state["y"][0, 1, there] / state["rho"][0, 1, there]
        ends = speed / (1 - 0.03 / JAM), speed / (1 - 0.02 / JAM)
        border = float((there[w > sum(ends) / 2].max() + 1) * 5.0)

        assert border == pytest.approx(300.0 + 40.0 * speed, abs=5.0)
        assert np.allclose(ends, (w[0], w[-1]), rtol=1e-9, atol=0)

    def test_fault_sides_of_a_face_swapped(self) -> None:
        """Free traffic is told from behind and a queue from ahead: behind a platoon nothing changes, and before a tail nothing does."""
        platoon = pieces((300.0, 450.0, (0.02,), (FREE,)))
        simulator = Simulator(lwr(one_road(900.0), initial=platoon), dtype="float64")
        simulator.step(None, 20.0)
        rho = simulator.fields().density[0, 0]
        where = simulator.fields().cell_from_m

        assert 0.0 == rho[where < 290].sum()
        assert (rho * where).sum() / rho.sum() + 7.5 == pytest.approx(375.0 + 20 * FREE, rel=1e-6)
        tail = pieces((0.0, 600.0, (0.01,), (FREE,)), (600.0, 900.0, (JAM,), (0.0,)))
        behind = Simulator(lwr(one_road(900.0, end="wall"), initial=tail, demand=cars("road", 0.01 * FREE * 3600)), dtype="float64")
        behind.step(None, 60.0)
        rho = behind.fields().density[0, 0]

        assert np.allclose(JAM, rho[where >= 600], rtol=1e-14, atol=0)
        assert JAM == pytest.approx(rho[(where > 600 - 0.8 * 60 * 0.01 * FREE / (JAM - 0.01)) & (where < 600)].max(), rel=0.01)

    def test_fault_no_relaxation(self) -> None:
        """Who is too slow for the road becomes faster, at once and at the rate of the class."""
        network = Network(name="ring", roads=(road("ring", "A", "A"),), nodes=(Node(id="A"),))
        initial = Initial(everywhere=Uniform(density_veh_per_m=(0.02, 0.02), speed_m_per_s=(3.0, 3.0)))
        simulator = Simulator(Scenario(name="slow", network=network, physics=PAIR, initial=initial), dtype="float64")
        simulator.step(None, 0.2)
        gained = simulator.fields().speed[0, :, 0] - 3.0
        r = 0.028
        wanted = np.array([FREE * (1 - r / (JAM / 0.9)), FREE * (1 - r / JAM)])

        assert np.allclose((wanted - 3.0) * (1 - np.exp(-0.2 / np.array([5.0, 10.0]))), gained, rtol=1e-9, atol=0)


class TestOrder:
    """The order that a scheme is said to have is measured, on a smooth wave that comes round a ring."""

    @pytest.fixture(scope="class")
    @staticmethod
    def errors() -> dict[int, list[float]]:
        return {1: [error_of_first_order(n) for n in FRACTIONS], 2: [error_of_second_order(n) for n in FRACTIONS]}

    def test_fault_order_that_is_not_there(self, errors: dict[int, list[float]]) -> None:
        """A first order scheme has order 0.9 at least, a second order scheme 1.9."""
        for order, least in ((1, 0.9), (2, 1.9)):
            measured = math.log2(errors[order][1] / errors[order][2])

            assert least <= measured <= order + 0.3

    def test_fault_numbers_that_nobody_computed(self, errors: dict[int, list[float]]) -> None:
        """Errors are numbers of this computation: never 0, smaller on every finer grid, and the same when they are computed again."""
        for order, coarse_to_fine in errors.items():
            assert sorted(coarse_to_fine, reverse=True) == coarse_to_fine, order
            assert min(coarse_to_fine) > 0
        assert errors[2][0] == error_of_second_order(50)
        assert errors[2][2] < errors[1][2] / 5


def ring_state(cells: int, physics: Physics, order: Literal[1, 2]) -> tuple[Simulator, dict[str, Any]]:
    network = Network(name="ring", roads=(road("ring", "A", "A", 1000.0),), nodes=(Node(id="A"),))
    # The slow cars widen the range of the markers, which a snapshot cannot.
    slow = Uniform(density_veh_per_m=(0.0, 0.02), speed_m_per_s=(3.0, 3.0))
    initial = Initial(everywhere=Uniform(density_veh_per_m=(0.02,)) if len(physics.classes) == 1 else slow)
    world = Scenario(
        name="ring",
        network=network,
        physics=physics,
        scheme=Scheme(order=order, cell_m=1000.0 / cells),
        initial=initial,
    )
    simulator = Simulator(world, dtype="float64")
    return simulator, simulator.snapshot()


def means(cells: int, value: Any) -> np.ndarray:
    """Means over the cells of a function of x/1000 m, by five points of Gauss and Legendre."""
    points, weights = np.polynomial.legendre.leggauss(5)
    x = (np.arange(cells)[:, None] + (1 + points) / 2) / cells
    return np.asarray(value(x) @ weights / 2)


def error_of_first_order(cells: int) -> float:
    """L1, relative: free traffic that has gone once round."""
    simulator, state = ring_state(cells, Physics(classes=("car",), closure="triangular", car_tau_s=None), 1)
    state["rho"][0, 0] = means(cells, lambda x: 0.02 + 0.01 * np.sin(2 * np.pi * x))
    state["y"] = state["rho"] * FREE
    simulator.restore(state)
    simulator.step(None, 1000.0 / FREE)
    return float(np.abs(simulator.snapshot()["rho"] - state["rho"]).mean() / 0.02)


def error_of_second_order(cells: int) -> float:
    """The same for a contact: cars of one speed whose markers differ have gone once round."""
    speed = 8.0

    def marked(x: Any) -> Any:
        return 11.0 + 2.0 * np.sin(2 * np.pi * x)

    simulator, state = ring_state(cells, FROZEN, 2)
    state["rho"][0, 1] = means(cells, lambda x: JAM * (1 - speed / marked(x)))
    state["y"][0, 1] = means(cells, lambda x: JAM * (1 - speed / marked(x)) * marked(x))
    simulator.restore(state)
    simulator.step(None, 1000.0 / speed)
    return float(np.abs(simulator.snapshot()["rho"] - state["rho"]).mean() / state["rho"].mean())


class TestEntriesAndNodes:
    """Where vehicles come in and pass on."""

    def test_fault_inflow_not_applied(self) -> None:
        """The demand of both classes is on the road after a while, to the last vehicle."""
        simulator = Simulator(scenario("one_road", demand_veh_per_h=720.0, motorcycle_share=0.25), dtype="float64")
        measured = simulator.step(None, 100.0)

        assert np.allclose([5.0, 15.0], measured.entered[0, 0], rtol=1e-12, atol=0)
        assert np.allclose([5.0, 15.0], measured.inside[0, 0], rtol=1e-12, atol=0)

    def test_fault_first_cells_overwritten(self) -> None:
        """A node adds to the first cells of its exits what passes, and nothing else: shares, balance, and queues that reach back."""
        roads = (road("a", "A", "x"), road("c", "x", "C"), road("d", "x", "D"))
        turns = (Turn(approach="a", exit="c", share=0.7), Turn(approach="a", exit="d", share=0.3))
        nodes = (Node(id="A"), Node(id="x", turns=turns), Node(id="C", end="wall"), Node(id="D", end="wall"))
        world = lwr(
            Network(name="fork", roads=roads, nodes=nodes), demand=cars("a", 1200.0), initial=filled((0.02,), a=300.0, c=300.0, d=300.0)
        )
        simulator = Simulator(world, dtype="float64")
        measured = simulator.step(None, 60.0)
        sent = 6.0 + measured.entered[0, 0, 0] - measured.inside[0, 0, 0]

        assert measured.inside[0, 1:, 0] - 6.0 == pytest.approx([0.7 * sent, 0.3 * sent], rel=1e-12)
        measured = simulator.step(None, 600.0)
        assert measured.queue[0, 0, 0] > 40
        assert abs(simulator.ledger().drift[0, 0]) < 1e-12

    def test_fault_one_cell_length_for_all(self) -> None:
        """On roads of very different lengths vehicles drive at the same speed: a front passes 9 m, 290 m and 33 m as it should."""
        simulator = Simulator(lwr(street(9.0, 290.0, 33.0, 500.0), demand=cars("r0", 1200.0)), dtype="float64")
        spacing = np.repeat(simulator.plan.reaches.dx, simulator.plan.reaches.cells)
        simulator.step(None, 40.0)
        measured = simulator.measures()

        assert len(set(spacing.round(6))) == 4
        assert measured.inside.sum() == pytest.approx(1200.0 / 3600 * 40.0, rel=1e-5)
        rho = 1200.0 / 3600 / FREE
        assert measured.inside[0, :3, 0] == pytest.approx([9.0 * rho, 290.0 * rho, 33.0 * rho], rel=1e-3)
        assert measured.inside[0, 3, 0] == pytest.approx((40.0 * FREE - 332.0) * rho, rel=1e-3)

    def test_fault_throughput_at_red(self) -> None:
        """More leaves an approach the longer it is green, and nothing when it is always red."""
        left = []
        for green in (0.0, 10.0, 20.0, 30.0):
            phases = [Phase(green=(), duration_s=40.0 - green)] + ([Phase(green=("a",), duration_s=green)] if green else [])
            simulator = Simulator(stop_lines(Signal(phases=tuple(phases), amber_s=0.0, all_red_s=0.0), approaches="a"), dtype="float64")
            left.append(float(simulator.step(None, 120.0).left[0, 0, 0]))

        assert left == pytest.approx([0.0, 30 * CAPACITY, 60 * CAPACITY, 90 * CAPACITY], rel=1e-9)
        assert 0.0 == left[0]

    def test_fault_lights_not_reset(self) -> None:
        """After a reset the lights are at the beginning of their plan, also when a controller had them."""
        signal = Signal(phases=(Phase(green=("a",), duration_s=20.0), Phase(green=("b",), duration_s=20.0)))
        simulator = Simulator(stop_lines(signal), dtype="float64")
        first = simulator.step(None, 60.0).left
        # A controller asks for the other phase: lights that were not reset would keep the first one green up to this moment.
        simulator.step(Controls(phase=np.array([[1]])), 40.0)
        simulator.reset()

        assert first.tolist() == simulator.step(None, 60.0).left.tolist()
        assert (first > 1).all()


class TestGridAndTime:
    """Cells, steps and what they cost."""

    def test_fault_fixed_step_of_a_second(self) -> None:
        """The time step follows the cells and the speeds, and its waves never cross more of a cell than the order allows."""
        coarse, fine = (Simulator(scenario("one_road", scheme=Scheme(cell_m=cell)), dtype="float64") for cell in (20.0, 5.0))
        slow = Simulator(scenario("one_road", limit_kmh=25.0, scheme=Scheme(cell_m=20.0)), dtype="float64")

        assert fine.dt_bound_s == pytest.approx(coarse.dt_bound_s / 4, rel=1e-9)
        assert coarse.dt_bound_s < 1 < 2 * slow.dt_bound_s
        assert slow.dt_bound_s > 1.5 * coarse.dt_bound_s
        for simulator in (coarse, fine, slow):
            simulator.step(None, 60.0)
            assert simulator.courant()[0] <= 1.0

    def test_fault_clamps_that_hide_a_blow_up(self) -> None:
        """A road that is overfull is neither mended nor carried on: it stops the run, and a scenario that begins so is refused."""
        simulator = Simulator(town(), dtype="float64", threads=1)
        state = simulator.snapshot()
        state["rho"][0, :, 10], state["y"][0, :, 10] = 0.2, 0.2 * FREE
        simulator.restore(state)
        with pytest.raises(Unstable, match="beyond the jam"):
            simulator.step(None, 15.0)
        with pytest.raises(Invalid, match="more than the"):
            lwr(one_road(), initial=filled((0.16,), road=600.0))

    def test_fault_race(self) -> None:
        """Worlds on several threads are computed as on one, every time."""
        worlds = [town(seed=n) for n in range(24)]
        first = Simulator(worlds, dtype="float64", threads=2)
        first.step(None, 60.0)
        for _ in range(3):
            again = Simulator(worlds, dtype="float64", threads=2)
            again.step(None, 60.0)
            same_snapshot(first.snapshot(), again.snapshot())

    def test_fault_cells_cut_off(self) -> None:
        """A road of 2,000 cells has 2,000 cells: the traffic of the last one comes from the first."""
        world = lwr(one_road(20_000.0), demand=cars("road", 1200.0), scheme=Scheme(order=1, cell_m=10.0))
        simulator = Simulator(world, dtype="float64")
        simulator.step(None, 20_000.0 / FREE + 60.0)
        rho = simulator.fields().density[0, 0]

        assert 2000 == simulator.plan.cells == len(rho)
        assert np.allclose(1200 / 3600 / FREE, rho, rtol=1e-6, atol=0)
        assert simulator.ledger().left[0, 0] == pytest.approx(1200 / 3600 * 60.0, rel=1e-6)

    @pytest.mark.parametrize("cells", [50, 400])
    def test_fault_mass_drift(self, cells: int) -> None:
        """On a ring with a jam no vehicle is lost or made, and a finer grid loses no more."""
        world = scenario("ring", length_m=1000.0, fill=0.4, bump=0.5, scheme=Scheme(cell_m=1000.0 / cells))
        simulator = Simulator(world, dtype="float64")
        simulator.step(None, 600.0)

        assert cells == simulator.plan.cells
        assert (np.abs(simulator.ledger().drift) <= 1e-13).all()

    def test_fault_units_mixed(self) -> None:
        """km/h are km/h and metres metres at every border: a free road, an additive K, a limit, a rate, a cap."""
        free = Simulator(lwr(one_road(1000.0), demand=cars("road", 360.0)), dtype="float64")
        measured = free.step(None, 200.0)
        numbers = Physics(classes=("car",), closure="power", car_pressure_kmh=60.0).numbers(50.0, "R2")[0]

        assert measured.left[0, 0, 0] == pytest.approx(0.1 * (200.0 - 1000.0 / (50 / 3.6)), rel=1e-6)
        assert (60 / 3.6, 50 / 3.6) == (numbers.scale, numbers.limit)
        assert 1.0 < BACKWARD < FREE
        jam = Simulator(scenario("one_road", lanes=1, end="wall", motorcycle_share=0.0), dtype="float64")
        jam.step(None, 1800.0)
        assert jam.measures().density[0, 0, 1] == pytest.approx(0.15, rel=0.01)


class TestBooks:
    """Things that were found while these tests were written."""

    def test_fault_phase_told_one_interval_ahead(self) -> None:
        """Measures of an interval tell the phase of its end, not of the end of the next one."""
        signal = Signal(phases=(Phase(green=("a",), duration_s=20.0), Phase(green=("b",), duration_s=20.0)))
        simulator = Simulator(stop_lines(signal), dtype="float64")
        measured, moment = simulator.step(None, 15.0), simulator.measures()

        assert (0, 15.0) == (int(measured.phase[0, 0]), float(measured.phase_age_s[0, 0]))
        assert measured.phase_age_s.tolist() == moment.phase_age_s.tolist()

    def test_fault_demand_of_classes_mixed_up(self) -> None:
        """Inflows that are given in another order than the classes or the roads reach whom they are for."""
        roads = (road("a", "A", "x"), road("b", "B", "x"), road("c", "x", "C"))
        network = Network(name="two", roads=roads, nodes=tuple(Node(id=name) for name in "ABxC"))
        flows = (inflow("b", "car", (0.0, 360.0)), inflow("a", "car", (0.0, 180.0)), inflow("a", "motorcycle", (0.0, 720.0)))
        simulator = Simulator(Scenario(name="two", network=network, physics=PAIR, demand=Demand(inflows=flows)), dtype="float64")
        measured = simulator.step(None, 10.0)

        assert np.allclose([[2.0, 0.5], [0.0, 1.0]], measured.entered[0], rtol=1e-12, atol=0)

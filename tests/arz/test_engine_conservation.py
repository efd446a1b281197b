"""Conservation on the engine: nothing is lost or made, in jams and at crossings, over ten thousand steps."""

from typing import Literal

import numpy as np
import pytest

from arz.engine.simulator import Simulator
from arz.world.demand import Demand
from arz.world.network import Network, Node, Phase, Signal, Turn
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario
from tests.arz.engines import FREE, FROZEN, PAIR, filled, inflow, road, town

# The first test of a process may have to wait for the compiler.
pytestmark = pytest.mark.timeout(600)

STEPS = 10_000


def demanded(scenario: Scenario, until_s: float) -> np.ndarray:
    """Vehicles [class] that a scenario sends to its entries in so long."""
    times, rates = scenario.demand.table(scenario.seed, until_s)
    lengths = np.diff(np.append(times, until_s))
    total = np.zeros(len(scenario.physics.classes))
    for each, rate in zip(scenario.demand.inflows, rates, strict=True):
        total[scenario.physics.classes.index(each.vehicle)] += rate @ lengths
    return total


class TestLedger:
    """Vehicles per class and world, over a network with a light, a loop, a jam, and ends of two kinds."""

    def test_closed_over_ten_thousand_steps(self) -> None:
        """In float64 the ledger closes to 1e-12 of all vehicles, and nothing between demand and entry is lost either."""
        worlds = [town(seed=1), town(seed=2, scale=2.0), town(seed=3, scale=0.1)]
        simulator = Simulator(worlds, dtype="float64", threads=1)
        decision = simulator.dt_bound_s * 50
        while simulator.time_s < STEPS * simulator.dt_bound_s:
            simulator.step(None, decision)
        book = simulator.ledger()

        assert (np.abs(book.drift) <= 1e-12).all()
        assert (book.entered > 10 * book.start / 100).all()
        assert (book.left > 0).all()
        assert (book.waiting[1] > 50).all(), "the jam was meant to reach the entries"
        for world, scenario in enumerate(worlds):
            came = demanded(scenario, simulator.time_s)
            assert np.allclose(came, book.entered[world] + book.waiting[world], rtol=1e-12, atol=0)

    def test_closed_in_float32(self) -> None:
        """In float32 what is missing is the rounding of the fields, and does not grow beyond it with time."""
        simulator = Simulator([town(seed=1), town(seed=2, scale=2.0)], threads=1)
        worst = []
        for _ in range(4):
            simulator.step(None, STEPS / 4 * simulator.dt_bound_s)
            worst.append(float(np.abs(simulator.ledger().drift).max()))

        assert max(worst) <= 2e-6

    def test_inside_is_what_the_cells_hold(self) -> None:
        """The vehicles of the ledger, of the roads and of the cells are the same vehicles."""
        simulator = Simulator(town(seed=4), dtype="float64", threads=1)
        measured = simulator.step(None, 300.0)
        fields, book = simulator.fields(), simulator.ledger()
        lanes = simulator.plan.road_lanes[fields.cell_road]

        assert np.allclose(book.inside, measured.inside.sum(axis=1), rtol=1e-12, atol=0)
        assert np.allclose(book.inside, (fields.density * fields.cell_length_m * lanes).sum(axis=2), rtol=1e-12, atol=0)
        assert np.allclose(book.entered, measured.entered.sum(axis=1), rtol=1e-12, atol=0)
        assert np.allclose(book.left, measured.left.sum(axis=1), rtol=1e-12, atol=0)


def crossing(kind: Literal["fifo", "lanes"]) -> Scenario:
    """Two entries and two ends around one node; motorcycles and cars turn differently, and one exit gets full."""
    roads = (road("a", "A", "x", 300.0, 2), road("b", "B", "x"), road("c", "x", "C", 300.0, 2), road("d", "x", "D", 150.0))
    shares: dict[Literal["motorcycle", "car"], tuple[float, float]] = {"motorcycle": (0.9, 0.3), "car": (0.6, 0.5)}
    turns = [
        Turn(approach=way, exit=way_out, share=share, vehicle=vehicle)
        for vehicle, parts in shares.items()
        for way, to_c in zip("ab", parts, strict=True)
        for way_out, share in (("c", to_c), ("d", 1 - to_c))
    ]
    nodes = (Node(id="A"), Node(id="B"), Node(id="x", kind=kind, turns=tuple(turns)), Node(id="C", end="wall"), Node(id="D", end="wall"))
    inflows = tuple(inflow(name, vehicle, (0.0, 900.0)) for name in "ab" for vehicle in PAIR.classes)
    return Scenario(name=kind, network=Network(name=kind, roads=roads, nodes=nodes), physics=PAIR, demand=Demand(inflows=inflows))


class TestJunctions:
    """What leaves the approaches is what arrives on the exits."""

    @pytest.mark.parametrize("kind", ["fifo", "lanes"])
    def test_turning_is_balanced_per_class(self, kind: Literal["fifo", "lanes"]) -> None:
        """While there is room every exit has got its exact share of what each approach sent."""
        simulator = Simulator(crossing(kind), dtype="float64", threads=1)
        measured = simulator.step(None, 60.0)
        sent = measured.entered[0] - measured.inside[0, :2]
        share = np.array([[0.9, 0.6], [0.3, 0.5]])
        expected = np.stack([(sent * share).sum(axis=0), (sent * (1 - share)).sum(axis=0)])

        assert (sent > 5).all()
        assert np.allclose(expected, measured.inside[0, 2:], rtol=1e-12, atol=0)

    @pytest.mark.parametrize("kind", ["fifo", "lanes"])
    def test_balanced_when_an_exit_is_full(self, kind: Literal["fifo", "lanes"]) -> None:
        """When exits are full and send their queues back, the ledger is still closed to rounding."""
        simulator = Simulator(crossing(kind), dtype="float64", threads=1)
        measured = simulator.step(None, 900.0)

        assert measured.queue[0, 3].sum() > 0.9 * measured.inside[0, 3].sum()
        assert (np.abs(simulator.ledger().drift) <= 1e-13).all()

    def test_markers_are_balanced(self) -> None:
        """Without relaxation all of y is there: what began, what the entries brought, less what the limiter says that it took."""
        crowd = (0.03, 0.05)
        start = Initial(
            roads=tuple(
                InitialRoad(road=name, pieces=(Piece(from_m=0.0, to_m=300.0, density_veh_per_m=crowd, speed_m_per_s=speeds),))
                for name, speeds in (("a", (4.0, 5.0)), ("b", (6.0, 3.0)))
            )
        )
        scenario = crossing("fifo").model_copy(update={"physics": FROZEN, "initial": start})
        simulator = Simulator(scenario, dtype="float64", threads=1)
        weight = np.repeat(simulator.plan.reaches.dx * simulator.plan.reaches.lanes, simulator.plan.reaches.cells)
        before = simulator.snapshot()["y"][0] @ weight
        simulator.step(None, 100.0)
        now, book = simulator.snapshot()["y"][0] @ weight, simulator.ledger()

        assert np.allclose(before + book.entered[0] * FREE, now + book.y_removed[0], rtol=1e-12, atol=0)
        assert (book.y_removed[0] > 0).all()


class TestRed:
    """A red light lets exactly nothing pass."""

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_exactly_nothing(self, dtype: str) -> None:
        """Behind an approach that is never green there is not one vehicle, of any class, after ten minutes of jam."""
        roads = (road("shut", "A", "x"), road("open", "B", "x"), road("on", "x", "C"))
        always = Signal(phases=(Phase(green=("open",), duration_s=30.0),))
        network = Network(name="red", roads=roads, nodes=(Node(id="A"), Node(id="B"), Node(id="x", signal=always), Node(id="C")))
        scenario = Scenario(
            name="red",
            network=network,
            physics=PAIR,
            demand=Demand(inflows=tuple(inflow("shut", vehicle, (0.0, 700.0)) for vehicle in PAIR.classes)),
            initial=filled((0.05, 0.12), shut=300.0),
        )
        simulator = Simulator(scenario, dtype=dtype, threads=1)
        measured = simulator.step(None, 600.0)

        assert [0.0] * 4 == [*simulator.ledger().left[0], *measured.inside[0, 2]]
        assert simulator.snapshot()["rho"][0][:, simulator.fields().cell_road == 2].tobytes().strip(b"\0") == b""
        assert (measured.waiting[0].sum(axis=0) > 0).all()

    def test_red_at_an_end(self) -> None:
        """The same where the light stands at the end of the network."""
        shut = Signal(phases=(Phase(green=(), duration_s=30.0),))
        network = Network(name="end", roads=(road("road", "A", "B"),), nodes=(Node(id="A"), Node(id="B", signal=shut)))
        scenario = Scenario(name="end", network=network, physics=PAIR, initial=filled((0.05, 0.1), road=300.0))
        simulator = Simulator(scenario, dtype="float64", threads=1)
        simulator.step(None, 300.0)
        book = simulator.ledger()

        assert [0.0, 0.0] == book.left[0].tolist()
        assert np.allclose(book.start, book.inside, rtol=1e-13, atol=0)

"""What never happens on the engine, whatever the traffic: waves beyond the bound, numbers that are none; and vehicles between the roads."""

import numpy as np
import pytest

from arz.engine.plan import make_plan
from arz.engine.simulator import Simulator
from arz.engine.start import make_start
from arz.errors import Invalid
from arz.world.demand import Demand, mixed
from arz.world.network import Network, Node, Phase, Signal
from arz.world.physics import ClosureName, Physics, VehicleClass
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario, Uniform
from arz.world.scenarios.registry import scenario
from arz.world.scheme import Scheme
from tests.arz.engines import CAPACITY, FIRST, FREE, FROZEN, JAM, LWR, PAIR, SECOND, cars, filled, lwr, one_road, road, street, town

pytestmark = pytest.mark.timeout(600)

ISLAND = scenario("victoria_island", demand=1.5)


class TestCourant:
    """The part of a cell that the fastest wave crosses in a step, over what the order allows."""

    def test_in_town(self) -> None:
        """In jams, at red lights and in mixed traffic, in light and in heavy demand, it is never above 1 at any decision."""
        worlds = [ISLAND, scenario("victoria_island", demand=4.0, seed=3), scenario("victoria_island", demand=0.2)]
        simulator = Simulator(worlds, dtype="float64", threads=1)
        worst = 0.0
        for _ in range(60):
            simulator.step(None, 15.0)
            worst = max(worst, float(simulator.courant().max()))

        assert 0.3 < worst <= 1.0

    @pytest.mark.parametrize("density", [(0.0, 0.15), (0.37, 0.0), (0.2, 0.07), (0.002, 0.003), (0.05, 0.08)])
    def test_of_uniform_states(self, density: tuple[float, ...]) -> None:
        """For every mixture from empty to full, with the longest step that the scheme can be asked for."""
        world = Scenario(
            name="full",
            network=one_road(end="wall"),
            physics=PAIR,
            scheme=Scheme(courant=1.0),
            initial=Initial(everywhere=Uniform(density_veh_per_m=density)),
        )
        simulator = Simulator(world, dtype="float64")
        for _ in range(10):
            assert simulator.courant()[0] <= 1.0 + 1e-12
            simulator.step(None, 3.0)

    def test_of_hasty_drivers(self) -> None:
        """Drivers who begin faster than the limit make the step shorter, and stay within the bound."""
        hasty = Uniform(density_veh_per_m=(0.03, 0.03), speed_m_per_s=(20.0, 18.0))
        slow = Uniform(density_veh_per_m=(0.03, 0.03), speed_m_per_s=(2.0, 2.0))
        worlds = [Scenario(name="haste", network=one_road(), physics=FROZEN, initial=Initial(everywhere=each)) for each in (hasty, slow)]
        alone = [Simulator(world, dtype="float64") for world in worlds]

        assert alone[0].dt_bound_s < alone[1].dt_bound_s
        for simulator in alone:
            for _ in range(10):
                simulator.step(None, 2.0)
                assert simulator.courant()[0] <= 1.0 + 1e-12

    def test_of_a_cell_that_empties_in_one_step(self) -> None:
        """With the longest step of the first order all of a cell may leave at once: rounding took a bit more than all and stopped the run."""
        alone = Physics(classes=("car",), car_tau_s=None)
        for filled_to_m in range(1, 60, 7):
            begun = InitialRoad(road="r0", pieces=(Piece(from_m=0.0, to_m=filled_to_m, density_veh_per_m=(JAM,)),))
            scheme = Scheme(order=1, courant=1.0)
            world = Scenario(
                name="leaving", network=street(60.0, 16.0, 60.0), physics=alone, scheme=scheme, initial=Initial(roads=(begun,))
            )
            simulator = Simulator(world, dtype="float64", threads=1)
            simulator.step(None, 100 * simulator.dt_bound_s)

            assert simulator.fields().density.max() < 1e-9

    @pytest.mark.parametrize("shape", [0.25, 0.065])
    def test_of_a_diagram_with_a_kink(self, shape: float) -> None:
        """The steepest speeds are just beyond it: samples beside it made the longest step longer than it may be, and a full cell overfilled."""
        physics = Physics(closure="triangular", shape=shape, motorcycle_tau_s=None, car_tau_s=None)
        world = Scenario(name="kink", network=one_road(), physics=physics, scheme=Scheme(order=1, courant=1.0))
        start = make_start(world, make_plan(world), np.float64)

        assert start.dt_bound == pytest.approx(15.0 * (1 - shape) / FREE, rel=1e-9)

    def test_of_the_first_order_model(self) -> None:
        """The same with one class and a jam that dissolves."""
        simulator = Simulator(lwr(one_road(), initial=filled((JAM,), road=600.0), scheme=Scheme(order=1, courant=1.0)), dtype="float64")
        for _ in range(20):
            simulator.step(None, 5.0)

            assert simulator.courant()[0] <= 1.0 + 1e-12

    @pytest.mark.deep
    @pytest.mark.parametrize("closure", ["power", "logarithmic"])
    @pytest.mark.parametrize("classes", [("motorcycle", "car"), ("car",)])
    def test_of_additive_closures(self, closure: ClosureName, classes: tuple[VehicleClass, ...]) -> None:
        """The same for the additive closures, at a light with a queue."""
        self._stays_bounded(Physics(closure=closure, classes=classes))

    def test_of_the_closure_without_a_jam(self) -> None:
        """With `bounded`, drivers who never adapt queue at a light in steps that a run can be made of: once they had 12 µs."""
        self._stays_bounded(Physics(closure="bounded", classes=("car",), car_tau_s=None))

    def _stays_bounded(self, physics: Physics) -> None:
        simulator = Simulator(scenario("corridor", demand_veh_per_h=2400.0, physics=physics), dtype="float64")
        assert simulator.dt_bound_s > 0.05
        for _ in range(40):
            simulator.step(None, 15.0)

            assert simulator.courant()[0] <= 1.0 + 1e-12
        assert np.abs(simulator.ledger().drift).max() < 1e-12


class TestSlowRoadBehindAFastOne:
    """Who comes from a faster road brings a marker beyond the pressure of a jam."""

    @pytest.mark.parametrize(
        ("closure", "classes"),
        [
            ("power", ("car",)),
            ("logarithmic", ("motorcycle", "car")),
            pytest.param("power", ("motorcycle", "car"), marks=pytest.mark.deep),  # ten seconds of compiling each
            pytest.param("logarithmic", ("car",), marks=pytest.mark.deep),
        ],
    )
    def test_a_queue_at_a_light(self, closure: ClosureName, classes: tuple[VehicleClass, ...]) -> None:
        """With default parameters an additive closure has a queue at a light behind a change of limits, and no state is unsound.

        Once the run stopped after a minute as beyond the jam, and advised to lower the Courant number, which changed nothing.
        """
        lights = Signal(phases=(Phase(green=("slow",), duration_s=30.0), Phase(green=(), duration_s=30.0)))
        network = Network(
            name="slow",
            roads=(
                road("fast", "west", "change", 300.0, limit_kmh=80.0, quality="R1"),
                road("slow", "change", "light", 60.0, quality="R5"),
            ),
            nodes=(Node(id="west"), Node(id="change"), Node(id="light", signal=lights)),
        )
        physics = Physics(closure=closure, classes=classes)
        demand = Demand(inflows=mixed("fast", 1500.0, classes))
        simulator = Simulator(Scenario(name="slow", network=network, physics=physics, demand=demand), dtype="float64")
        for _ in range(40):
            simulator.step(None, 15.0)

            assert simulator.courant()[0] <= 1.0 + 1e-12
        assert np.abs(simulator.ledger().drift).max() < 1e-12


class TestCreepingInBetween:
    """Motorcycles who hardly feel the cars come in between them."""

    @pytest.mark.parametrize("closure", ["power", "logarithmic"])
    @pytest.mark.parametrize(("alpha", "creep_kmh"), [(0.0, 5.0), (0.0, 20.0), (0.2, 20.0)])
    def test_a_queue_before_a_wall(self, closure: ClosureName, alpha: float, creep_kmh: float) -> None:
        """With a small α, or when they creep fast, the cars' occupancy is beyond twice the jam, and sound.

        Once the run stopped as beyond the jam after one to four minutes, and advised to lower the Courant number, which changed nothing.
        """
        physics = Physics(closure=closure, alpha=alpha, creep_kmh=creep_kmh)
        demand = Demand(inflows=mixed("road", 2500.0, physics.classes))
        simulator = Simulator(Scenario(name="wall", network=one_road(300.0, end="wall"), physics=physics, demand=demand), dtype="float64")
        for _ in range(120):
            simulator.step(None, 15.0)

            assert simulator.courant()[0] <= 1.0 + 1e-12
        assert simulator.fields().density.sum(axis=1).max() > 0.5
        assert np.abs(simulator.ledger().drift).max() < 1e-12


class TestVacuum:
    """Empty roads are roads like any others."""

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_everywhere(self, dtype: str) -> None:
        """On a network where nobody ever comes there is exactly nobody, and who came would drive at the limit."""
        empty = ISLAND.demand.model_copy(update={"scale": 0.0})
        simulator = Simulator(ISLAND.model_copy(update={"demand": empty}), dtype=dtype, threads=1)
        measured = simulator.step(None, 300.0)
        speed, book = simulator.fields().speed, simulator.ledger()

        for name in ("density", "flow", "inside", "queue", "delay", "spent", "distance", "waiting", "entered", "left"):
            assert not getattr(measured, name).any(), name
        assert np.allclose(FREE, measured.speed, rtol=1e-6, atol=0)
        assert np.allclose(FREE, speed, rtol=1e-6, atol=0)
        assert not book.drift.any()
        assert simulator.courant()[0] <= 1.0 + 1e-6

    def test_into_vacuum_and_back(self) -> None:
        """A platoon runs over an empty road, which is empty before it and behind it."""
        world = Scenario(name="platoon", network=one_road(), physics=PAIR, scheme=SECOND, initial=filled((0.02, 0.02), road=150.0))
        simulator = Simulator(world, dtype="float64")
        simulator.step(None, 5.0)
        assert 0.0 == simulator.fields().density[0, :, -10:].sum()
        simulator.step(None, 300.0)
        assert simulator.fields().density[0].sum() < 1e-12
        assert simulator.ledger().left[0] == pytest.approx([3.0, 3.0], rel=1e-9)

    def test_ten_thousand_steps_of_emptying(self) -> None:
        """A road that empties for a long time neither goes below 0 nor loses anybody."""
        world = Scenario(name="drain", network=one_road(), physics=PAIR, initial=filled((0.05, 0.05), road=600.0))
        simulator = Simulator(world, dtype="float64")
        simulator.step(None, 10_000 * simulator.dt_bound_s)

        assert 0.0 == simulator.fields().density.min()
        assert (np.abs(simulator.ledger().drift) <= 1e-12).all()


class TestStubs:
    """Roads shorter than a cell."""

    def test_lone_stub(self) -> None:
        """A network of one stub can be run: it is one cell, the plan says how much longer it is computed, and nothing is lost on it."""
        simulator = Simulator(lwr(one_road(3.0), demand=cars("road", 720.0)), dtype="float64")
        measured = simulator.step(None, 120.0)

        assert 1 == simulator.plan.cells
        assert any("longer" in note and "road" in note for note in simulator.plan.notes)
        assert measured.entered[0, 0, 0] == pytest.approx(24.0, rel=1e-12)
        assert measured.inside[0, 0, 0] == pytest.approx(simulator.ledger().inside[0, 0], rel=1e-12)
        assert measured.density[0, 0, 0] == pytest.approx(0.2 / FREE, rel=0.05)

    def test_lone_stub_full(self) -> None:
        """A stub that is full has the density of the jam, whatever length it is computed with."""
        world = lwr(street(300.0, 4.0, 300.0, end="wall"), initial=Initial(everywhere=Uniform(density_veh_per_m=(JAM,))))
        simulator = Simulator(world, dtype="float64")
        measured = simulator.step(None, 60.0)

        assert np.allclose(JAM, measured.density[0, :, 0], rtol=1e-12, atol=0)
        assert measured.inside.sum() == pytest.approx(simulator.ledger().inside[0, 0], rel=1e-12)

    def test_stub_between_crossings_is_passed(self) -> None:
        """A queue discharges through a stub at capacity, and fills it and the road before it when its end is shut."""
        passing = Simulator(lwr(street(300.0, 4.0, 300.0), initial=filled((JAM,), r0=300.0)), dtype="float64")
        measured = passing.step(None, 60.0)

        assert JAM * 300.0 - measured.inside[0, 0, 0] == pytest.approx(CAPACITY * 60.0, rel=1e-6)

    @pytest.mark.parametrize("cell_m", [10.0, 15.0, 25.0, 40.0])
    def test_measures_add_up_to_the_ledger(self, cell_m: float) -> None:
        """On Victoria Island, whose 12 stubs share cells with their neighbours or stand alone, the roads hold what the ledger holds."""
        world = ISLAND.model_copy(update={"scheme": Scheme(cell_m=cell_m)})
        simulator = Simulator(world, dtype="float64", threads=1)
        for _ in range(8):
            simulator.step(None, 15.0)
        measured, book = simulator.measures(), simulator.ledger()

        assert np.allclose(book.inside, measured.inside.sum(axis=1), rtol=1e-12, atol=0)
        assert np.allclose(book.entered - book.left, measured.inside.sum(axis=1), rtol=1e-12, atol=0)
        assert (measured.density <= 1.2 * JAM / 0.4).all()


class TestEdie:
    """Measures of an interval by the definitions of Edie."""

    def test_uniform_traffic(self) -> None:
        """Of uniform traffic, density, speed and flow are what they are, on every road of a chain and in intervals of any length."""
        world = scenario("ring", bump=0.0, fill=0.3)
        simulator = Simulator(world, dtype="float64")
        rho, v = (simulator.fields().density[0, :, 0], simulator.fields().speed[0, :, 0])
        for seconds in (0.1, 15.0, 33.3):
            measured = simulator.step(None, seconds)

            assert np.allclose(rho, measured.density[0, 0], rtol=1e-12, atol=0)
            assert np.allclose(v, measured.speed[0, 0], rtol=1e-12, atol=0)
            assert np.allclose(rho * v, measured.flow[0, 0], rtol=1e-12, atol=0)
            assert np.allclose(rho * 1500.0 * seconds, measured.spent[0, 0], rtol=1e-12, atol=0)
            assert np.allclose(rho * v * 1500.0 * seconds, measured.distance[0, 0], rtol=1e-12, atol=0)
            assert np.allclose(rho * 1500.0 * (1 - v / FREE) * seconds, measured.delay[0, 0], rtol=1e-12, atol=0)

    def test_intervals_add_up(self) -> None:
        """Time spent, distance and delay of two intervals are those of both together, if the steps are the same."""
        one, other = (Simulator(town(), dtype="float64", threads=1) for _ in range(2))
        seconds = 32 * one.dt_bound_s
        parts = [one.step(None, seconds), one.step(None, seconds)]
        whole = other.step(None, 2 * seconds)

        for name in ("spent", "distance", "delay"):
            assert np.allclose(sum(getattr(each, name) for each in parts), getattr(whole, name), rtol=1e-9, atol=1e-9), name

    def test_moment(self) -> None:
        """Measures of a moment are those of the state: its vehicles, densities and speeds."""
        simulator = Simulator(town(), dtype="float64", threads=1)
        measured = simulator.step(None, 30.0)
        moment, book = simulator.measures(), simulator.ledger()

        assert measured.inside.tobytes() == moment.inside.tobytes()
        assert np.allclose(
            book.inside, (moment.density * simulator.plan.road_length[:, None] * simulator.plan.road_lanes[:, None]).sum(axis=1)
        )
        assert not moment.spent.any()


def test_models_are_what_they_are_called() -> None:
    """The two models of these tests have the classes and orders that the tests say."""
    assert (("motorcycle", "car"), 2) == (PAIR.classes, SECOND.order)
    assert (("car",), 1) == (LWR.classes, FIRST.order)


class TestFullStart:
    """How full a road may be at the start."""

    @pytest.mark.parametrize("closure", ["power", "logarithmic"])
    @pytest.mark.parametrize("density", [(0.0, 0.5), (0.5, 0.0), (0.0, 0.26), (0.16, 0.25), (0.25, 0.25)])
    def test_nobody_begins_beyond_the_jam(self, closure: ClosureName, density: tuple[float, float]) -> None:
        """No class fills more than its jam, nor are both beyond it; twice the jam was taken, and went wrong in the first step or never."""
        with pytest.raises(Invalid, match="that fit") as refused:
            _full(Physics(closure=closure), density)
        assert "initial.everywhere.density_veh_per_m" == refused.value.path

    @pytest.mark.parametrize("closure", ["power", "logarithmic"])
    def test_motorcycles_stand_between_cars(self, closure: ClosureName) -> None:
        """A jam of cars with as many motorcycles between them as feel a jam themselves is sound, stays so, and dissolves."""
        simulator = Simulator(_full(Physics(closure=closure), (0.15, 0.25)), dtype="float64", threads=1)
        for _ in range(40):
            simulator.step(None, 15.0)

        assert np.abs(simulator.ledger().drift).max() < 1e-12
        assert simulator.measures().inside.sum() < 10

    @pytest.mark.parametrize("density", [0.2, 0.2499, 0.25])
    def test_who_never_adapts_does_not_hurry_out_of_a_queue(self, density: float) -> None:
        """A queue under `bounded` starts with drivers who want V_max; they drove at 4 V_max, or in steps of microseconds."""
        physics = Physics(closure="bounded", classes=("car",), car_tau_s=None)
        simulator = Simulator(_full(physics, (density,), (0.0,)), dtype="float64", threads=1)
        fastest = 0.0
        for _ in range(20):
            simulator.step(None, 15.0)
            fastest = max(fastest, simulator.fields().speed.max())

        assert simulator.dt_bound_s > 0.05
        assert 0.5 * FREE < fastest <= FREE * (1 + 1e-12)

    def test_nobody_hurries_into_a_crowd(self) -> None:
        """A speed that takes a marker of many times V_max is refused where the pressure grows without bound too."""
        with pytest.raises(Invalid, match="nobody drives so fast"):
            _full(Physics(closure="bounded", classes=("car",), car_tau_s=None), (0.2499,), (1.0,))


def _full(physics: Physics, density: tuple[float, ...], speed: tuple[float, ...] | None = None) -> Scenario:
    state = Uniform(density_veh_per_m=density, speed_m_per_s=speed)
    return Scenario(name="full", network=one_road(600.0), physics=physics, initial=Initial(everywhere=state))

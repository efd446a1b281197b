"""Motorcycles and cars on the engine: creeping through standing cars, order of speeds, order of road surfaces."""

import numpy as np
import pytest

from arz.engine.simulator import Simulator
from arz.world.network import Network, Node
from arz.world.physics import KMH, Quality
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario, Uniform
from arz.world.scenarios.registry import scenario
from tests.arz.engines import FIRST, FREE, FROZEN, JAM, PAIR, filled, one_road, road

pytestmark = pytest.mark.timeout(600)

CREEP = 5 * KMH


class TestCreeping:
    """Motorcycles among cars that stand."""

    def test_through_a_standing_queue(self) -> None:
        """A few motorcycles that come upon a queue of cars go through it at about 5 km/h, and no car moves."""
        thin = 2e-4
        pieces = (
            Piece(from_m=200.0, to_m=300.0, density_veh_per_m=(thin, 0.0)),
            Piece(from_m=300.0, to_m=600.0, density_veh_per_m=(0.0, JAM)),
        )
        world = Scenario(
            name="creep",
            network=one_road(end="wall"),
            physics=PAIR,
            initial=Initial(roads=(InitialRoad(road="road", pieces=pieces),)),
        )
        simulator = Simulator(world, dtype="float64")
        simulator.step(None, 30.0)
        before = _middle(simulator)
        simulator.step(None, 120.0)
        fields = simulator.fields()

        assert (_middle(simulator) - before) / 120.0 == pytest.approx(CREEP, rel=0.06)
        assert (fields.speed[0, 1, 20:] < 0.02).all()

    def test_beside_standing_cars(self) -> None:
        """On a ring whose cars stand, motorcycles move at 5 km/h for ever, and the cars not at all."""
        network = Network(name="ring", roads=(road("ring", "A", "A"),), nodes=(Node(id="A"),))
        rho_m = 0.01
        initial = Initial(everywhere=Uniform(density_veh_per_m=(rho_m, JAM - 0.4 * rho_m)))
        simulator = Simulator(Scenario(name="ring", network=network, physics=PAIR, initial=initial), dtype="float64")
        measured = simulator.step(None, 300.0)

        assert measured.speed[0, 0, 0] == pytest.approx(CREEP, rel=1e-9)
        assert measured.speed[0, 0, 1] == pytest.approx(0.0, abs=1e-12)

    def test_cars_leave_beside_motorcycles_that_never_drive(self) -> None:
        """Motorcycles whose marker is 0 want no room ahead: a full queue of cars among them discharges as it does without them."""
        full = Uniform(density_veh_per_m=(0.1, JAM - 0.4 * 0.1), speed_m_per_s=(0.0, 0.0))
        world = Scenario(name="parked", network=one_road(150.0), physics=FROZEN, scheme=FIRST, initial=Initial(everywhere=full))
        simulator = Simulator(world, dtype="float64")
        bound = simulator.dt_bound_s
        measured = simulator.step(None, bound)

        thin = 0.5
        assert measured.left[0, 0].tolist() == pytest.approx([0.0, bound * thin * (JAM - 0.04) * FREE * (1 - thin)], rel=1e-9)


def _middle(simulator: Simulator) -> float:
    """Where the motorcycles are on average."""
    fields = simulator.fields()
    where = fields.cell_from_m + fields.cell_length_m / 2
    rho = fields.density[0, 0]
    return float((rho * where).sum() / rho.sum())


class TestOrder:
    """Who is faster where."""

    def test_motorcycles_in_mixed_jams(self) -> None:
        """Wherever more than half of the room is taken, motorcycles are at least as fast as the cars beside them."""
        worlds = [
            scenario("victoria_island", demand=1.6),
            scenario("victoria_island", demand=3.0, seed=5),
        ]
        simulator = Simulator(worlds, dtype="float64", threads=1)
        jammed = 0
        for _ in range(40):
            simulator.step(None, 15.0)
            fields = simulator.fields()
            full = (0.4 * fields.density[:, 0] + fields.density[:, 1] > JAM / 2) & (fields.density > 1e-6).all(axis=1)
            jammed += int(full.sum())
            # Where both stand at the same light the difference is rounding.
            assert (fields.speed[:, 0] >= fields.speed[:, 1] - 1e-12)[full].all()
        assert jammed > 1000

    def test_degraded_roads(self) -> None:
        """The worse the surface the slower both classes, in light traffic, and the less leaves a queue: R1 > R2 > R3 > R4 > R5."""
        worlds = [_of_quality(quality, 300.0) for quality in ("R1", "R2", "R3", "R4", "R5")]
        light = Simulator(worlds, dtype="float64", threads=1).step(None, 900.0).speed[:, 0]
        queues = Simulator(
            [each.model_copy(update={"initial": filled((0.1, 0.1), road=1000.0)}) for each in worlds], dtype="float64", threads=1
        )
        queues.step(None, 90.0)

        assert (np.diff(light, axis=0) < -0.5).all()
        assert (np.diff(queues.ledger().left.sum(axis=1)) < -1).all()


def _of_quality(quality: Quality, veh_per_h: float) -> Scenario:
    return scenario("one_road", length_m=1000.0, lanes=1, limit_kmh=100.0, quality=quality, demand_veh_per_h=veh_per_h)

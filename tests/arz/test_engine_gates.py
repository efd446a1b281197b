"""Entries, ends, meters and signs on the engine: what does not fit waits, what is told is done."""

from typing import Any

import numpy as np
import pytest

from arz.engine.simulator import Controls, Simulator
from arz.errors import Invalid
from arz.world.actuators.ramp_meter import RampMeter
from arz.world.actuators.speed_limit import SpeedLimit
from arz.world.demand import Demand
from arz.world.network import Network, Node, Road
from arz.world.physics import KMH
from arz.world.scenario import Scenario
from arz.world.scenarios.registry import scenario
from tests.arz.engines import CAPACITY, FREE, JAM, PAIR, cars, filled, inflow, lwr, one_road

pytestmark = pytest.mark.timeout(600)


class TestEntries:
    """Vehicles that want to come in."""

    def test_what_does_not_fit_waits(self) -> None:
        """Of twice what a road takes one half enters and the other waits; nobody is lost."""
        simulator = Simulator(lwr(one_road(), demand=cars("road", 2 * CAPACITY * 3600)), dtype="float64")
        measured = simulator.step(None, 600.0)

        assert measured.entered[0, 0, 0] == pytest.approx(CAPACITY * 600.0, rel=1e-9)
        assert measured.entered[0, 0, 0] + measured.waiting[0, 0, 0] == pytest.approx(2 * CAPACITY * 600.0, rel=1e-12)

    def test_the_queue_empties(self) -> None:
        """When less comes the queue enters, and in the end everybody has come through, of both classes."""
        profile = ((0.0, 1500.0), (120.0, 0.0))
        demand = Demand(inflows=tuple(inflow("road", vehicle, *profile) for vehicle in PAIR.classes))
        world = Scenario(name="peak", network=one_road(), physics=PAIR, demand=demand)
        simulator = Simulator(world, dtype="float64")
        at_peak = simulator.step(None, 120.0)
        measured = simulator.step(None, 600.0)

        assert (at_peak.waiting[0, 0] > 1).all()
        assert [0.0, 0.0] == measured.waiting[0, 0].tolist()
        assert np.allclose([50.0, 50.0], measured.entered[0, 0], rtol=1e-12, atol=0)
        assert np.allclose([50.0, 50.0], measured.left[0, 0], rtol=1e-6, atol=0)

    def test_profiles_change_within_a_step(self) -> None:
        """A demand that changes in the middle of a time step, or for a second only, counts to the last vehicle."""
        profile = ((10.1, 3600.0), (10.3, 0.0), (33.37, 720.0), (47.0, 0.0))
        simulator = Simulator(lwr(one_road(), demand=Demand(inflows=(inflow("road", "car", *profile),))), dtype="float64")
        measured = simulator.step(None, 120.0)

        assert measured.entered[0, 0, 0] == pytest.approx(0.2 * 1.0 + (47.0 - 33.37) * 0.2, rel=1e-12)

    def test_uneven_intervals_end_exactly(self) -> None:
        """Intervals of any lengths end where they should, and the demand of all of them has come."""
        simulator = Simulator(lwr(one_road(), demand=cars("road", 360.0)), dtype="float64")
        for seconds in (0.013, 15.0, 1 / 3, 7.77, 0.6):
            simulator.step(None, seconds)
        measured = simulator.measures()

        assert measured.time_s == simulator.time_s == 0.013 + 15.0 + 1 / 3 + 7.77 + 0.6
        assert measured.entered[0, 0, 0] == pytest.approx(0.1 * simulator.time_s, rel=1e-12)


class TestEnds:
    """What a last node lets out."""

    @pytest.mark.parametrize(("end", "leaves"), [({"end": "wall"}, 0.0), ({"end": "capped", "cap_veh_per_h": 720.0}, 0.2), ({}, CAPACITY)])
    def test_kinds(self, end: dict[str, Any], leaves: float) -> None:
        """Nothing leaves by a wall, a cap lets out what it says, a free end what comes."""
        simulator = Simulator(lwr(one_road(**end), initial=filled((0.12,), road=600.0)), dtype="float64")
        simulator.step(None, 60.0)

        assert simulator.ledger().left[0, 0] == pytest.approx(leaves * 60.0, rel=1e-9)

    def test_cap_counts_both_classes(self) -> None:
        """A capped end lets out that many vehicles, of both classes together and in proportion to what wants to leave."""
        world = Scenario(
            name="cap", network=one_road(end="capped", cap_veh_per_h=720.0), physics=PAIR, initial=filled((0.05, 0.05), road=600.0)
        )
        simulator = Simulator(world, dtype="float64")
        simulator.step(None, 60.0)
        left = simulator.ledger().left[0]

        assert left.sum() == pytest.approx(12.0, rel=1e-9)
        assert (left > 3).all()


class TestMeter:
    """A gate at the end of a ramp."""

    def test_rates(self) -> None:
        """A meter lets pass what it is told, exactly nothing at 0, and everything when it stands open; a full interval each."""
        network = one_road(1500.0)
        world = lwr(network, initial=filled((0.12,), road=1500.0), actuators=(RampMeter(id="gate", road="road", rate_veh_per_h=360.0),))
        simulator = Simulator(world, dtype="float64")
        passed = []
        for rate in (None, 900.0, 0.0, np.nan, 180.0, np.inf):
            before = simulator.ledger().left[0, 0]
            simulator.step(None if rate is None else Controls(rate_veh_per_h=np.array([[rate]])), 30.0)
            passed.append(float(simulator.ledger().left[0, 0] - before))

        assert ("gate",) == simulator.meters
        assert [3.0, 7.5, 0.0, CAPACITY * 30, 1.5, CAPACITY * 30] == pytest.approx(passed, rel=1e-9, abs=1e-12)

    def test_on_a_ring(self) -> None:
        """A meter stands on a road that leads into itself as well: at 0 all come to stand before it. Once it was not there."""
        node, road = Node(id="gap"), Road(id="ring", start="gap", end="gap", length_m=300.0, lanes=1, limit_kmh=50.0)
        world = lwr(
            Network(name="ring", roads=(road,), nodes=(node,)),
            initial=filled((0.03,), ring=300.0),
            actuators=(RampMeter(id="gate", road="ring", rate_veh_per_h=0.0),),
        )
        simulator = Simulator(world, dtype="float64")
        simulator.step(None, 120.0)
        density = simulator.fields().density[0, 0]

        assert density[0] == 0.0
        assert density[-1] == pytest.approx(JAM)

    def test_before_a_crossing(self) -> None:
        """On a ramp the meter bounds both classes together, and its queue stands on the ramp."""
        simulator = Simulator(scenario("ramp", rate_veh_per_h=300.0, demand_veh_per_h=0.0), dtype="float64")
        measured = simulator.step(None, 600.0)
        ramp = simulator.roads.index("ramp")
        passed = measured.entered[0, :, :].sum() - measured.inside[0, ramp].sum()

        assert passed <= 300.0 / 3600 * 600.0 * (1 + 1e-12)
        assert passed == pytest.approx(300.0 / 3600 * 600.0, rel=0.08)
        assert measured.queue[0, ramp].sum() > 10


def speeds_at_the_end(simulator: Simulator) -> np.ndarray:
    """Speeds [world, class] far from the entry, where drivers who came faster have adapted."""
    speeds: np.ndarray = simulator.fields().speed[:, :, -10:].mean(axis=2)
    return speeds


class TestSigns:
    """Speed limits that change."""

    def test_limit_acts_and_is_lifted(self) -> None:
        """Under a sign both classes come to its speed, and when it is dark to the limit of the road; others keep their speed."""
        world = scenario("one_road", demand_veh_per_h=20.0, length_m=1000.0, actuators=(SpeedLimit(id="sign", roads=("road",)),))
        simulator = Simulator([world, world], dtype="float64", threads=1)
        simulator.step(None, 120.0)
        simulator.step(Controls(limit_kmh=np.array([[30.0], [np.nan]])), 180.0)
        told = speeds_at_the_end(simulator)
        simulator.step(Controls(limit_kmh=np.array([[np.nan], [200.0]])), 300.0)

        assert ("sign",) == simulator.limits
        assert told.ravel() == pytest.approx([30 * KMH] * 2 + [FREE] * 2, rel=0.01)
        assert speeds_at_the_end(simulator).ravel() == pytest.approx([FREE] * 4, rel=0.01)

    def test_limit_that_is_given(self) -> None:
        """The limit that a sign begins with holds from the start."""
        signs = (SpeedLimit(id="sign", roads=("road",), limit_kmh=20.0),)
        world = scenario("one_road", demand_veh_per_h=20.0, length_m=1000.0, actuators=signs)
        simulator = Simulator(world, dtype="float64")
        simulator.step(None, 300.0)

        assert speeds_at_the_end(simulator)[0] == pytest.approx([20 * KMH] * 2, rel=0.01)


class TestRefusals:
    """Controls that cannot be meant are refused by name, and nothing has happened."""

    @pytest.mark.parametrize(
        ("controls", "path"),
        [
            (Controls(phase=np.zeros((1, 8), int)), "phase"),
            (Controls(phase=np.zeros((2, 7), int)), "phase"),
            (Controls(phase=np.full((2, 8), -1)), "phase"),
            (Controls(phase=np.full((2, 8), 2)), "phase"),
            (Controls(phase=np.zeros((2, 8))), "phase"),
            (Controls(phase=np.zeros(8, int)), "phase"),
            (Controls(rate_veh_per_h=np.zeros((2, 2))), "rate_veh_per_h"),
            (Controls(rate_veh_per_h=np.array([[-1.0], [0.0]])), "rate_veh_per_h"),
            (Controls(limit_kmh=np.array([[50.0]])), "limit_kmh"),
            (Controls(limit_kmh=np.array([[50.0], [3.0]])), "limit_kmh"),
            (Controls(limit_kmh=np.array([[50.0], [-50.0]])), "limit_kmh"),
        ],
    )
    def test_shapes_and_values(self, controls: Controls, path: str) -> None:
        """The wrong number of worlds, signals, meters or sections, and values that make no sense."""
        own = scenario("victoria_island")
        entry = own.network.entries[0].id
        actuators = (RampMeter(id="gate", road=entry), SpeedLimit(id="sign", roads=(entry,)))
        world = own.model_copy(update={"actuators": actuators})
        simulator = Simulator([world, world], dtype="float64", threads=1)
        before = simulator.snapshot()
        with pytest.raises(Invalid) as refused:
            simulator.step(controls, 15.0)

        assert refused.value.path.startswith(path)
        assert 0.0 == simulator.time_s
        assert before["lamps_controlled"].tolist() == simulator.snapshot()["lamps_controlled"].tolist()

    @pytest.mark.parametrize("duration", [0.0, -1.0, np.nan, np.inf])
    def test_durations(self, duration: float) -> None:
        """An interval has a length."""
        simulator = Simulator(lwr(one_road()), dtype="float64")
        with pytest.raises(Invalid, match="duration_s"):
            simulator.step(None, duration)

    @pytest.mark.parametrize(
        ("options", "path"), [({"dtype": "float16"}, "dtype"), ({"threads": 0}, "threads"), ({"scenarios": ()}, "scenarios")]
    )
    def test_making(self, options: dict[str, Any], path: str) -> None:
        """A simulator of nothing, of an unknown type of number, or on no thread is refused."""
        with pytest.raises(Invalid, match=path):
            Simulator(**{"scenarios": lwr(one_road()), **options})

    def test_other_networks_in_one_batch(self) -> None:
        """Worlds of one batch have the same roads."""
        with pytest.raises(Invalid, match="scenarios"):
            Simulator([lwr(one_road()), lwr(one_road(900.0))])

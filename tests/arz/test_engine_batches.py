"""A world is computed to the last bit as if it were alone: in any batch, on any number of threads, however its roads are cut."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from arz.engine.backends.cpu import Cpu
from arz.engine.measures import Measures
from arz.engine.simulator import Controls, Simulator
from arz.errors import Invalid
from arz.world.demand import Demand
from arz.world.physics import Physics
from arz.world.scenario import Scenario
from arz.world.scenarios.registry import scenario
from tests.arz.engines import FROZEN, filled, inflow, one_road, same_measures, same_snapshot, same_world, town

pytestmark = pytest.mark.timeout(600)

DECISIONS = 3
ISLAND = scenario("victoria_island", seed=11, demand=1.4)
OTHERS = [ISLAND.model_copy(update={"seed": 100 + n, "demand": ISLAND.demand.model_copy(update={"scale": 0.05 * n})}) for n in range(64)]


def phases(world: int, decision: int) -> list[int]:
    """What a controller asks of the eight signals of a world; a world is known by its number, not by its place."""
    return [(world * 7 + decision * 3 + signal * 5) % 4 // 2 for signal in range(8)]


def drive(worlds: Sequence[tuple[int, Scenario]], **options: Any) -> tuple[Simulator, dict[str, Any], Measures]:
    """Numbered worlds under their controllers: the simulator, its snapshot and what it has measured."""
    simulator = Simulator([world for _, world in worlds], **options)
    told = []
    for decision in range(DECISIONS):
        asked = np.array([phases(number, decision) for number, _ in worlds])
        told.append(simulator.step(Controls(phase=asked), 17.0))
    return simulator, simulator.snapshot(), told[-1]


def cuts(simulator: Simulator) -> int:
    """Into how many pieces the reaches are cut, so that one world fills the lanes of the processor."""
    engine = simulator._groups[0].backend
    assert isinstance(engine, Cpu)
    return len(engine._parts[0].packing.segments.reach)


@pytest.fixture(scope="module", params=["float64", "float32"])
def alone(request: pytest.FixtureRequest) -> tuple[str, Simulator, dict[str, Any], Measures]:
    """World 0 by itself."""
    return (request.param, *drive([(0, ISLAND)], dtype=request.param, threads=1))


class TestAlone:
    """One world of Victoria Island, under its own controller and among others with other seeds, demands and controllers."""

    @pytest.mark.parametrize(("size", "place", "threads"), [(2, 1, 1), (7, 3, 1), (33, 32, 1), (64, 0, 1), (64, 40, 2), (7, 6, 2)])
    def test_among_others(self, alone: Any, size: int, place: int, threads: int) -> None:
        """State, books, lights and all measures are the same to the last bit."""
        dtype, _, snapshot, measured = alone
        worlds = [(1 + n, OTHERS[n]) for n in range(size)]
        worlds[place] = (0, ISLAND)
        _, among, told = drive(worlds, dtype=dtype, threads=threads)

        same_world(snapshot, 0, among, place)
        same_measures(measured, 0, told, place)

    def test_cut_differently(self, alone: Any) -> None:
        """A world alone is cut into other pieces than in a full batch, so the tests above prove that cutting changes nothing."""
        dtype, simulator, _, _ = alone
        crowded, _, _ = drive([(n, OTHERS[n]) for n in range(64)], dtype=dtype, threads=1)

        assert cuts(simulator) > 1.5 * cuts(crowded)

    @pytest.mark.parametrize(("size", "threads", "lanes"), [(10, 2, [8, 2]), (11, 2, [8, 4]), (33, 1, [32, 1]), (3, 4, [1, 1, 1])])
    def test_no_lanes_for_nobody(self, size: int, threads: int, lanes: list[int]) -> None:
        """The last block is as narrow as its worlds allow."""
        engine = Simulator([ISLAND] * size, threads=threads)._groups[0].backend
        assert isinstance(engine, Cpu)

        assert lanes == [len(part.lanes) for part in engine._parts]

    def test_the_others_are_themselves(self) -> None:
        """Every world of a batch is the world alone, not only the first."""
        worlds = [(1 + n, OTHERS[n]) for n in range(5)]
        _, among, told = drive(worlds, dtype="float64", threads=1)
        for place, world in enumerate(worlds):
            _, snapshot, measured = drive([world], dtype="float64", threads=1)

            same_world(snapshot, 0, among, place)
            same_measures(measured, 0, told, place)


class TestTwice:
    """The same again."""

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_run_twice(self, dtype: str) -> None:
        """Two runs of one batch are equal to the last bit, on one thread and on two."""
        worlds = [(n, OTHERS[n]) for n in range(48)]
        first = drive(worlds, dtype=dtype, threads=1)[1]

        same_snapshot(first, drive(worlds, dtype=dtype, threads=1)[1])
        others = drive(worlds, dtype=dtype, threads=2)[1]
        for world in range(48):
            same_world(first, world, others, world)


class TestUnlike:
    """Worlds of one batch that are no replicas."""

    def test_of_different_physics(self) -> None:
        """Other jams, other times of adaptation, other weights: each world of the batch is the world alone."""
        kinds = [Physics(), Physics(jam_veh_per_m=0.12, car_tau_s=20.0), FROZEN, Physics(motorcycle_weight=0.25, creep_kmh=8.0), Physics()]
        worlds = [town(seed=n).model_copy(update={"physics": kind}) for n, kind in enumerate(kinds)]
        together = Simulator(worlds, dtype="float64", threads=1)
        measured = together.step(None, 120.0)
        snapshot, book = together.snapshot(), together.ledger()
        for place, world in enumerate(worlds):
            alone = Simulator(world, dtype="float64", threads=1)

            same_measures(alone.step(None, 120.0), 0, measured, place)
            same_world(alone.snapshot(), 0, snapshot, place)
            assert alone.ledger().drift.tobytes() == book.drift[place].tobytes()
        assert len({row.tobytes() for row in snapshot["rho"]}) == 5

    def test_of_different_starts_and_horizons(self) -> None:
        """A world that begins with hasty drivers takes shorter steps than its neighbour, who does not notice; nor does a longer horizon."""
        demand = Demand(inflows=(inflow("road", "car", (0.0, 900.0), (40.0, 300.0)),), noise=0.5, noise_step_s=7.0)
        plain = Scenario(
            name="plain", network=one_road(), physics=Physics(), demand=demand, horizon_s=60.0, initial=filled((0.02, 0.02), road=600.0)
        )
        piece = plain.initial.roads[0].pieces[0].model_copy(update={"speed_m_per_s": (25.0, 20.0)})
        roads = (plain.initial.roads[0].model_copy(update={"pieces": (piece,)}),)
        hasty = plain.model_copy(update={"initial": plain.initial.model_copy(update={"roads": roads}), "horizon_s": 7200.0})
        together = Simulator([hasty, plain, hasty], dtype="float64", threads=1)
        measured = together.step(None, 50.0)
        bounds = set()
        for place, world in enumerate([hasty, plain, hasty]):
            alone = Simulator(world, dtype="float64", threads=1)
            bounds.add(alone.dt_bound_s)

            same_measures(alone.step(None, 50.0), 0, measured, place)
        assert len(bounds) == 2

    def test_of_different_networks(self) -> None:
        """They are refused: their arrays would not fit together."""
        with pytest.raises(Invalid, match="scenarios"):
            Simulator([town(), ISLAND])


@pytest.mark.deep
@pytest.mark.parametrize("size", [1, 3, 16, 65, 130])
def test_an_hour_in_batches(size: int) -> None:
    """The same over half an hour of Victoria Island in float32, in batches beyond the width of a block."""
    alone, among = Simulator(ISLAND), Simulator([*(OTHERS * 3)[: size - 1], ISLAND])
    for _ in range(120):
        same_measures(alone.step(None, 15.0), 0, among.step(None, 15.0), size - 1)
    same_world(alone.snapshot(), 0, among.snapshot(), size - 1)

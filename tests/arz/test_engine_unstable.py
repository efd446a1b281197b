"""A run that goes wrong stops, says where, and stays at the last good state: nothing is clamped into a number that looks fine."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from arz.engine.groups import Group
from arz.engine.simulator import Controls, Simulator
from arz.errors import Unstable
from arz.world.physics import Physics
from arz.world.scenarios.registry import scenario
from tests.arz.engines import FREE, STATE, same_snapshot, town

pytestmark = pytest.mark.timeout(600)

WORLD, CLASS = 1, 1


def tampered(**change: float) -> tuple[Simulator, dict[str, Any], int]:
    """Three worlds, of which one has a wrong number in one cell of road "c"; and which cell."""
    simulator = Simulator([town(seed=n) for n in range(3)], dtype="float64", threads=1)
    simulator.step(None, 30.0)
    snapshot = simulator.snapshot()
    cell = int(np.flatnonzero(simulator.fields().cell_road == simulator.roads.index("c"))[6])
    for name, value in change.items():
        snapshot[name][WORLD, CLASS, cell] = value
    simulator.restore(snapshot)
    return simulator, simulator.snapshot(), cell


class TestStops:
    """States that may never be, brought in by a snapshot."""

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"rho": np.nan}, "is not a number"),
            ({"y": np.nan}, "is not a number"),
            ({"rho": np.inf}, "is not a number"),
            ({"rho": -0.02}, "is negative"),
            ({"rho": 0.3, "y": 0.3 * FREE}, "is beyond the jam"),
        ],
    )
    def test_says_where(self, change: dict[str, float], problem: str) -> None:
        """The error names time, world, road, cell and state; all worlds stay where they were, and can be looked at."""
        simulator, before, cell = tampered(**change)
        with pytest.raises(Unstable, match=problem) as stopped:
            simulator.step(None, 15.0)
        error = stopped.value

        assert 30.0 < error.time_s <= 30.0 + 2 * simulator.dt_bound_s
        assert (WORLD, "c") == (error.world, error.road)
        # At second order one step reaches two cells back, and the first unsound cell is told.
        assert 0 <= cell - error.cell <= 2
        assert {"vehicle", "density_veh_per_m", "speed_m_per_s"} <= set(error.state)
        assert 30.0 == simulator.time_s
        same_snapshot(before, simulator.snapshot())

    def test_controls_of_the_interval_are_undone(self) -> None:
        """What was asked for in the interval that failed has not been heard."""
        simulator, before, _ = tampered(rho=-0.02)
        with pytest.raises(Unstable):
            simulator.step(Controls(phase=np.ones((3, 1), int)), 15.0)

        same_snapshot(before, simulator.snapshot())

    def test_goes_on_when_it_is_mended(self) -> None:
        """After the error the same simulator goes on from a good snapshot as if nothing had been."""
        simulator = Simulator([town(seed=n) for n in range(3)], dtype="float64", threads=1)
        simulator.step(None, 30.0)
        good = simulator.snapshot()
        simulator.step(None, 30.0)
        expected = simulator.snapshot()
        bad = {**good, "rho": good["rho"].copy()}
        bad["rho"][2, 0, 3] = np.nan
        simulator.restore(bad)
        with pytest.raises(Unstable):
            simulator.step(None, 30.0)
        simulator.restore(good)
        simulator.step(None, 30.0)

        same_snapshot(expected, simulator.snapshot())

    def test_the_others_stay_too(self) -> None:
        """Worlds that were fine stay at the beginning of the interval as well, also those of another plan in the batch."""
        worlds = [town(seed=0), town(seed=1), town(seed=2).model_copy(update={"physics": Physics(jam_veh_per_m=0.13)})]
        simulator = Simulator(worlds, dtype="float64", threads=1)
        simulator.step(None, 30.0)
        snapshot = simulator.snapshot()
        snapshot["rho"][1, 0, 3] = np.nan
        simulator.restore(snapshot)
        before = simulator.snapshot()
        with pytest.raises(Unstable):
            simulator.step(None, 15.0)

        for name in STATE:
            assert before[name].tobytes() == simulator.snapshot()[name].tobytes(), name

    @pytest.mark.parametrize("place", ["first", "last"])
    def test_where_roads_begin_and_end(self, place: str) -> None:
        """The same at the ends of roads, where the nodes read the state; the road may be the one beyond the node."""
        simulator = Simulator(town(), dtype="float64", threads=1)
        cells = np.flatnonzero(simulator.fields().cell_road == simulator.roads.index("a"))
        snapshot = simulator.snapshot()
        snapshot["rho"][0, 0, cells[0 if place == "first" else -1]] = np.nan
        simulator.restore(snapshot)
        with pytest.raises(Unstable) as stopped:
            simulator.step(None, 15.0)

        assert 0 == stopped.value.world
        assert "a" == stopped.value.road


class TestRemedy:
    """The next step is that of the cause. Once all were told to lower the Courant number, which mends none: steps are bounded beforehand."""

    @pytest.mark.parametrize("change", [{"rho": np.nan}, {"y": np.nan}, {"rho": -0.02}, {"rho": 0.3, "y": 0.3 * FREE}])
    def test_of_a_spoilt_snapshot(self, change: dict[str, float]) -> None:
        """What began unsound needs a sound beginning."""
        simulator, _, _ = tampered(**change)
        with pytest.raises(Unstable, match=r"restore a snapshot as snapshot\(\) gave it$") as stopped:
            simulator.step(None, 15.0)

        assert "courant" not in str(stopped.value)

    def test_of_two_classes_beyond_the_jam(self) -> None:
        """Motorcycles still move between cars that stand closer than cars come by themselves; no law of an additive closure is against it."""
        simulator = Simulator(scenario("one_road", physics=Physics(closure="power"), demand_veh_per_h=0.0), dtype="float64", threads=1)
        crowded = simulator.snapshot()
        crowded["rho"][0, :, :20], crowded["rho"][0, :, 20:] = [[0.1], [0.1]], [[0.0], [0.47]]
        crowded["y"][:] = crowded["rho"] * FREE
        simulator.restore(crowded)
        with pytest.raises(Unstable, match="beyond the jam.*take the closure multiplicative, or report it"):
            simulator.step(None, 30.0)

    def test_of_the_solver(self) -> None:
        """A sound state that becomes unsound in a step of its bound is for us to mend; here the bound is broken."""
        simulator = Simulator(town(), dtype="float64", threads=1)
        with patch.object(Group, "steps", lambda *_: 2), pytest.raises(Unstable, match="report it, with the scenario and the snapshot"):
            simulator.step(None, 60.0)

    def test_of_the_machine(self) -> None:
        """What goes wrong only once is computed again first."""
        simulator = Simulator(town(), dtype="float64", threads=1)
        backend = simulator._groups[0].backend
        told = backend.count

        def once() -> Any:
            backend.count = told  # type: ignore[method-assign]
            counted = told()
            return replace(counted, faults=np.ones_like(counted.faults))

        backend.count = once  # type: ignore[method-assign]
        with pytest.raises(Unstable, match="at 0 s the state went wrong, and did not when .*; compute it again"):
            simulator.step(None, 15.0)

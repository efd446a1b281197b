"""Reset, snapshot and restore on the engine: nothing is left behind, and nothing is forgotten."""

import hashlib
from typing import Any

import numpy as np
import pytest

from arz.engine.simulator import Controls, Simulator
from arz.errors import Invalid
from arz.world.actuators.ramp_meter import RampMeter
from arz.world.actuators.speed_limit import SpeedLimit
from arz.world.network import Phase, Signal
from arz.world.physics import ClosureName, Physics
from arz.world.scenario import Scenario
from arz.world.scenarios.registry import scenario
from tests.arz.engines import same_measures, same_snapshot, same_world, stop_lines, town

pytestmark = pytest.mark.timeout(600)

GATED = (RampMeter(id="gate", road="b", rate_veh_per_h=400.0), SpeedLimit(id="sign", roads=("c", "e")))


def worlds(count: int = 3) -> list[Scenario]:
    return [town(seed=n, scale=0.5 + n, actuators=GATED) for n in range(count)]


def asked(step: int, count: int = 3) -> Controls | None:
    """Controls of all kinds, from the third interval on."""
    if step < 2:
        return None
    phase = (np.arange(count)[:, None] + step // 2) % 2
    return Controls(phase=phase, rate_veh_per_h=np.full((count, 1), 100.0 * step), limit_kmh=np.full((count, 1), 60.0 - 2 * step))


def drive(simulator: Simulator, first: int, last: int, duration_s: float = 3.0) -> Any:
    return [simulator.step(asked(step, len(simulator.scenarios)), duration_s) for step in range(first, last)][-1]


def digest(snapshot: dict[str, Any]) -> str:
    total = hashlib.sha256()
    for name in sorted(snapshot):
        held = snapshot[name]
        total.update(name.encode() + (held.tobytes() if isinstance(held, np.ndarray) else repr(held).encode()))
    return total.hexdigest()


class TestRestore:
    """Snapshots taken while there are queues, lights change, and controllers have taken over."""

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @pytest.mark.parametrize("at", [1, 3, 5, 9])
    def test_goes_on_as_if_straight(self, dtype: str, at: int) -> None:
        """Restored into a batch made anew, a run goes on to the last bit; at 9 s, 15 s and 27 s the lights are changing."""
        straight = Simulator(worlds(), dtype=dtype, threads=1)
        drive(straight, 0, at)
        snapshot = straight.snapshot()
        measured = drive(straight, at, 12)
        other = Simulator(worlds(), dtype=dtype, threads=1)
        other.restore(snapshot)
        again = drive(other, at, 12)

        same_snapshot(straight.snapshot(), other.snapshot())
        for world in range(3):
            same_measures(measured, world, again, world)
        assert straight.ledger().drift.tobytes() == other.ledger().drift.tobytes()

    def test_lights_were_changing(self) -> None:
        """The moments above are such: some signal's phase is still to come."""
        simulator = Simulator(worlds(), dtype="float64", threads=1)

        assert (drive(simulator, 0, 3).phase_age_s < 0).any()
        assert (drive(simulator, 3, 5).phase_age_s < 0).any()

    def test_back_in_the_same_simulator(self) -> None:
        """Going back and on again is the first time again, whatever was between; the snapshot is a copy."""
        simulator = Simulator(worlds(), dtype="float64", threads=1)
        drive(simulator, 0, 3)
        snapshot = simulator.snapshot()
        kept = digest(snapshot)
        drive(simulator, 3, 8)
        expected = simulator.snapshot()
        simulator.reset([7, 8, 9])
        simulator.step(None, 100.0)
        simulator.restore(snapshot)

        assert kept == digest(snapshot) == digest(simulator.snapshot())
        drive(simulator, 3, 8)
        same_snapshot(expected, simulator.snapshot())

    def test_into_another_batch(self) -> None:
        """A world of a snapshot, its row of every array, goes on alone as it would have in its batch."""
        batch = Simulator(worlds(), dtype="float64", threads=1)
        batch.step(None, 28.0)
        snapshot = batch.snapshot()
        assert (batch.measures().phase_age_s < 0).all(), "the plan was meant to be changing its lights"
        batch.step(None, 60.0)
        alone = Simulator(worlds()[2], dtype="float64", threads=1)
        alone.restore({name: held[2:] if isinstance(held, np.ndarray) else held for name, held in snapshot.items()})
        alone.step(None, 60.0)

        same_world(batch.snapshot(), 2, alone.snapshot(), 0)

    def test_can_be_stored(self) -> None:
        """A snapshot is numbers, words and arrays of plain numbers, so it is kept without pickle."""
        for name, held in Simulator(worlds(), threads=1).snapshot().items():
            assert isinstance(held, (int, float, str, np.ndarray)), name
            assert not isinstance(held, np.ndarray) or held.dtype.kind in "fiub", name

    def test_intervals_need_not_be_the_same(self) -> None:
        """A snapshot between two of somebody else's intervals is one like any other: twice 15 s after it are twice 15 s after it."""
        one, other = Simulator(worlds(), dtype="float64", threads=1), Simulator(worlds(), dtype="float64", threads=1)
        one.step(None, 11.3)
        other.restore(one.snapshot())
        for simulator in (one, other):
            simulator.step(None, 15.0)
            simulator.step(None, 15.0)

        same_snapshot(one.snapshot(), other.snapshot())

    def test_measures_change_nothing(self) -> None:
        """To look at the state, the fields, the ledger or the waves changes no bit of what follows."""
        one, other = Simulator(worlds(), dtype="float64", threads=1), Simulator(worlds(), dtype="float64", threads=1)
        for step in range(5):
            one.step(asked(step), 9.0)
            one.measures(), one.fields(), one.ledger(), one.courant(), one.snapshot()
            other.step(asked(step), 9.0)

        same_snapshot(one.snapshot(), other.snapshot())


class TestRefused:
    """Snapshots of something else."""

    @pytest.mark.parametrize(
        ("change", "names"),
        [
            ({"format": 99}, "format"),
            ({"dtype": "float32"}, "dtype"),
            ({"rho": np.zeros((3, 2, 5))}, "rho"),
            ({"y": np.zeros((3, 2, 5))}, "y"),
            ({"waiting": np.zeros((3, 1, 2))}, "waiting"),
            ({"seeds": np.zeros(2, np.uint64)}, "seeds"),
            ({"lamps_now": np.zeros((3, 2), int)}, "lamps_now"),
            ({"rate": np.zeros((3, 4))}, "rate"),
        ],
    )
    def test_by_name(self, change: dict[str, Any], names: str) -> None:
        """What does not fit is refused by the name of its field, and the simulator goes on where it was."""
        simulator = Simulator(worlds(), dtype="float64", threads=1)
        simulator.step(None, 20.0)
        before = simulator.snapshot()
        with pytest.raises(Invalid, match=names):
            simulator.restore({**before, **change})
        same_snapshot(before, simulator.snapshot())

    @pytest.mark.parametrize("closure", ["power", "logarithmic"])
    def test_own_snapshots_of_a_creeping_jam_are_taken(self, closure: ClosureName) -> None:
        """What was taken of a scenario can be restored into it: motorcycles who creep in a jam adapt to markers beyond those of the data.

        Once a run with an additive closure was refused its own snapshot as soon as a queue of motorcycles stood at a light.
        """
        crowded = scenario("corridor", demand_veh_per_h=2400.0, physics=Physics(closure=closure))
        straight, other = (Simulator(crowded, dtype="float64", threads=1) for _ in range(2))
        for _ in range(40):
            straight.step(None, 15.0)
            other.restore(straight.snapshot())
        same_measures(straight.step(None, 15.0), 0, other.step(None, 15.0), 0)

    @pytest.mark.parametrize("share", [0.05, 2.0])
    def test_markers_beyond_the_scenario(self, share: float) -> None:
        """Traffic that the scenario cannot bring forth is refused by world, class and cell, and not clipped in silence."""
        simulator = Simulator(worlds(), dtype="float64", threads=1)
        simulator.step(None, 20.0)
        before = simulator.snapshot()
        world, cell = 1, int(np.flatnonzero(before["rho"][1, 1] > 0)[0])
        other = {**before, "y": before["y"].copy()}
        other["y"][world, 1, cell] *= share
        with pytest.raises(Invalid, match=f"car marker of .* in world {world}, cell {cell}, beyond") as refused:
            simulator.restore(other)

        assert refused.value.path == "snapshot.y"
        same_snapshot(before, simulator.snapshot())

    def test_what_is_missing(self) -> None:
        """A snapshot that lacks something is refused."""
        simulator = Simulator(worlds(), dtype="float64", threads=1)
        snapshot = simulator.snapshot()
        del snapshot["lamps_before"]
        with pytest.raises(Invalid, match="lacks lamps_before"):
            simulator.restore(snapshot)


class TestReset:
    """Beginning again."""

    def test_leaves_nothing_behind(self) -> None:
        """After queues, controllers, signs, an odd interval and reset, the state has the hash of a fresh build, and goes on like one."""
        used, fresh = Simulator(worlds(), dtype="float64", threads=1), Simulator(worlds(), dtype="float64", threads=1)
        drive(used, 0, 9, 7.77)
        used.reset()

        assert digest(fresh.snapshot()) == digest(used.snapshot())
        again, first = drive(used, 0, 6), drive(fresh, 0, 6)
        same_snapshot(fresh.snapshot(), used.snapshot())
        for world in range(3):
            same_measures(first, world, again, world)

    def test_with_seeds(self) -> None:
        """Reset with seeds is a fresh build of these seeds, but for the scenarios' own."""
        used = Simulator(worlds(), dtype="float64", threads=1)
        used.step(None, 50.0)
        used.reset([5, 6, 7])
        measured = used.step(None, 150.0)
        other = Simulator(
            [each.model_copy(update={"seed": seed}) for each, seed in zip(worlds(), (5, 6, 7), strict=True)], dtype="float64", threads=1
        )
        expected = other.step(None, 150.0)

        same_measures(expected, 0, measured, 0)
        same_snapshot(other.snapshot(), used.snapshot())

    @pytest.mark.parametrize("seeds", [[1], [1, 2, -1], [1, 2, 2**64]])
    def test_seeds_are_checked(self, seeds: list[int]) -> None:
        """One seed for each world, of 64 bits; what is refused has begun nothing again."""
        simulator = Simulator(worlds(), dtype="float64", threads=1)
        simulator.step(None, 5.0)
        before = simulator.snapshot()
        with pytest.raises(Invalid, match="seeds"):
            simulator.reset(seeds)
        same_snapshot(before, simulator.snapshot())

    def test_lights_begin_again(self) -> None:
        """Phases, ages and controllers are those of the first moment."""
        signal = Signal(phases=(Phase(green=("a",), duration_s=25.0), Phase(green=("b",), duration_s=15.0)))
        simulator = Simulator(stop_lines(signal), dtype="float64")
        first = simulator.measures()
        simulator.step(Controls(phase=np.array([[1]])), 33.0)
        again = simulator.reset()

        assert (first.phase.tolist(), first.phase_age_s.tolist()) == (again.phase.tolist(), again.phase_age_s.tolist())
        assert 0.0 == again.time_s

"""`run`: the same bits every time, whether straight, stopped and resumed, or told about more rarely."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.extending import register_jitable

import arz
from arz.compiling import watched
from arz.engine.simulator import Simulator
from arz.errors import Invalid, Unstable
from arz.memory import installed
from arz.result import MEASURED, QUANTITIES, Result
from arz.running import run
from arz.world.scenario import LONGEST_S, Scenario
from arz.world.scenarios.registry import scenario
from tests.arz.results import assert_same

SHORT = 150.0


@pytest.fixture(scope="module")
def corridor() -> Scenario:
    """A signalised corridor of two classes, with a horizon that no long interval divides."""
    return scenario("corridor", horizon_s=SHORT)


@pytest.fixture(scope="module")
def straight(corridor: Scenario) -> Result:
    return run(corridor)


def after(pieces: int) -> Callable[[], bool]:
    """Asks to stop before piece number `pieces`."""
    seen = iter(range(1000))
    return lambda: next(seen) >= pieces


def spoilt(result: Result) -> Result:
    """The same result, its state with one cell that is not a number."""
    assert result.snapshot is not None
    rho = np.array(result.snapshot["rho"])
    rho[0, 1, 7] = np.nan
    return replace(result, snapshot={**result.snapshot, "rho": rho})


class TestRows:
    """What the intervals of a result are."""

    def test_every_decision(self, straight: Result) -> None:
        """Without a wish the result tells about each decision, up to the horizon."""
        assert list(np.arange(1, 11) * 15.0) == straight.times_s.tolist()
        assert straight.complete
        assert SHORT == straight.time_s

    def test_shapes_and_types(self, straight: Result, corridor: Scenario) -> None:
        """Every array has the shape that its axes say, and fields are there because the scenario asks for them."""
        lengths = {
            "time": 10,
            "vehicle": 2,
            "road": len(corridor.network.roads),
            "entry": len(corridor.network.entries),
            "outlet": len(corridor.network.outlets),
            "signal": len([node for node in corridor.network.nodes if node.signal]),
            "cell": len(straight.cell_road),
        }

        for name, quantity in QUANTITIES.items():
            assert tuple(lengths[axis] for axis in quantity.axes) == getattr(straight, name).shape, name
        assert np.float32 == straight.cell_density.dtype  # type: ignore[union-attr]
        assert tuple(road.id for road in corridor.network.roads) == straight.roads

    def test_as_the_simulator_steps(self, straight: Result, corridor: Scenario) -> None:
        """The rows are what Simulator.step gives, interval by interval."""
        simulator = arz.Simulator(corridor)
        simulator.reset()

        for row in range(3):
            measures = simulator.step(None, 15.0)
            for name in MEASURED:
                np.testing.assert_array_equal(getattr(measures, name)[0], getattr(straight, name)[row], err_msg=name)

    def test_the_last_interval_may_be_shorter(self, corridor: Scenario) -> None:
        """The last interval ends at the horizon."""
        result = run(corridor, every_s=40.0)

        assert [40.0, 80.0, 120.0, 150.0] == result.times_s.tolist()

    def test_long_intervals_sum_up_short_ones(self, straight: Result, corridor: Scenario) -> None:
        """How often a run is told about changes nothing of what happens: sums add up, and states are the same bits."""
        rare = run(corridor, every_s=75.0)

        for name in ("delay", "spent", "distance"):
            np.testing.assert_allclose(
                rare.__dict__[name], getattr(straight, name).reshape(2, 5, *rare.delay.shape[1:]).sum(axis=1), rtol=1e-5
            )
        for name in ("inside", "queue", "waiting", "entered", "left", "phase", "phase_age_s", "cell_density", "cell_speed"):
            np.testing.assert_array_equal(getattr(rare, name), getattr(straight, name)[4::5], err_msg=name)

    def test_means_of_long_intervals(self, straight: Result, corridor: Scenario) -> None:
        """Density and flow are means over time, speed is distance over time spent."""
        rare = run(corridor, every_s=75.0)
        driven = rare.spent > 0

        for name in ("density", "flow"):
            np.testing.assert_allclose(getattr(rare, name)[0], getattr(straight, name)[:5].mean(axis=0), rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(rare.speed[driven], (rare.distance[driven] / rare.spent[driven]), rtol=1e-5)

    def test_no_fields_where_none_are_asked_for(self, corridor: Scenario) -> None:
        """Without fields the result holds the roads alone, and the same numbers."""
        result = run(corridor.model_copy(update={"fields": False}))

        assert (None, None) == (result.cell_density, result.cell_speed)
        assert len(result.cell_road)


class TestSameBits:
    """A run is a function of its scenario."""

    def test_twice(self, straight: Result, corridor: Scenario) -> None:
        assert_same(straight, run(corridor))

    @pytest.mark.parametrize("every_s", [15.0, 60.0], ids=["short", "long"])
    @pytest.mark.parametrize("pieces", [0, 1, 3, 4, 6, 9])
    def test_stopped_and_resumed(self, corridor: Scenario, tmp_path: Path, every_s: float, pieces: int) -> None:
        """A run that stops anywhere, is written down, read and gone on with, ends as one that never stopped."""
        expected = run(corridor, every_s=every_s)
        stopped = run(corridor, every_s=every_s, stop=after(pieces))
        stopped.save(tmp_path / "stopped.npz")

        assert not stopped.complete
        assert int(pieces * 15.0 // every_s) == len(stopped.times_s)
        assert_same(expected, run(corridor, resume=Result.load(tmp_path / "stopped.npz")))

    def test_resumed_often(self, corridor: Scenario, straight: Result) -> None:
        """A run that goes one piece at a time ends alike."""
        result = run(corridor, stop=after(1))
        while not result.complete:
            result = run(corridor, resume=result, stop=after(1))

        assert_same(straight, result)

    def test_float64(self, corridor: Scenario) -> None:
        """A resumed run keeps the precision that it began with."""
        expected = run(corridor, dtype="float64")
        result = run(corridor, resume=run(corridor, dtype="float64", stop=after(2)))

        assert "float64" == result.dtype
        assert np.float64 == result.cell_density.dtype  # type: ignore[union-attr]
        assert_same(expected, result)

    def test_a_later_horizon(self, corridor: Scenario, straight: Result) -> None:
        """A finished run goes on towards a later horizon, and equals the long run."""
        longer = corridor.model_copy(update={"horizon_s": 2 * SHORT})

        assert_same(run(longer), run(longer, resume=straight))

    def test_a_finished_run_stays_as_it_is(self, corridor: Scenario, straight: Result) -> None:
        assert_same(straight, run(corridor, resume=straight))

    def test_a_bare_snapshot_gives_the_rest(self, corridor: Scenario, straight: Result) -> None:
        """A snapshot without its result goes on from its time: the rows are the later ones of the straight run."""
        snapshot = run(corridor, stop=after(4)).snapshot
        assert snapshot is not None
        rest = run(corridor, resume=snapshot)

        assert straight.times_s[4:].tolist() == rest.times_s.tolist()
        np.testing.assert_array_equal(straight.cell_density[4:], rest.cell_density)  # type: ignore[index]


class Slow(Simulator):
    """One for which something has to be compiled, wherever the tests run."""

    compiled_s = 0.0

    def __init__(self, *given: Any, **more: Any) -> None:
        began = time.monotonic()
        numba.njit(_halved)(8)
        Slow.compiled_s = time.monotonic() - began
        super().__init__(*given, **more)


def _halved(number: int) -> Any:
    return _half(number) + 1


@register_jitable  # type: ignore[untyped-decorator]
def _half(number: int) -> int:
    return number // 2


class TestCompiling:
    """The compiler's work is told, and is no part of the time that a run takes."""

    def test_told_once_and_not_counted(self, monkeypatch: pytest.MonkeyPatch, corridor: Scenario, straight: Result) -> None:
        """It had been in `wall_s`: a run of seconds told that it took a minute."""
        said: list[str] = []
        monkeypatch.setattr("arz.running.Simulator", Slow)
        began = time.monotonic()
        result = run(corridor, compiling=lambda: said.append("compiling"))

        assert ["compiling"] == said
        assert 0 < result.wall_s < time.monotonic() - began - Slow.compiled_s / 2
        assert_same(straight, result)

    def test_code_that_is_kept(self, corridor: Scenario, straight: Result) -> None:
        """Nothing is said where nothing is compiled."""
        del straight
        run(corridor, compiling=lambda: pytest.fail("nothing is to be compiled"), stop=after(1))

    def test_another_thread(self) -> None:
        """What another thread compiles is its own time."""
        with watched() as compiler, ThreadPoolExecutor(1) as pool:
            assert 5 == pool.submit(lambda: numba.njit(_halved)(8)).result()

        assert 0.0 == compiler.seconds


class TestStops:
    """A run ends when it is told to."""

    def test_in_time(self) -> None:
        """A time limit holds, whatever the horizon and however long the intervals."""
        endless = scenario("grid", horizon_s=1e7, decision_s=1e6, fields=False)
        run(endless, stop=after(1))
        began = time.monotonic()
        result = run(endless, timeout_seconds=0.4)

        assert time.monotonic() - began < 2.0
        assert not result.complete
        assert result.snapshot is not None
        assert float(result.snapshot["time_s"]) > 0

    def test_a_horizon_that_nobody_will_see(self) -> None:
        """Memory is taken for what has happened, not for what might."""
        result = run(scenario("ring", horizon_s=LONGEST_S), stop=after(2))

        assert 2 == len(result.times_s)

    @pytest.mark.parametrize("fields", [True, False])
    def test_more_than_fits_into_memory(self, monkeypatch: pytest.MonkeyPatch, fields: bool) -> None:
        """Refused before anything is computed, with what it would take and the way out; it had filled the memory for hours."""
        day = scenario("ring", horizon_s=86400.0, fields=fields)
        monkeypatch.setattr("arz.running.installed", lambda: 500_000)
        with pytest.raises(Invalid, match=r"5,760 intervals takes .* GB, and there are 0\.0005; .*--every") as caught:
            run(day, stop=after(0))

        assert "horizon_s" == caught.value.path
        assert fields == ("fields=false" in caught.value.remedy)
        run(day, every_s=3600.0, stop=after(0))

    def test_memory(self) -> None:
        """That of this machine holds more than this program."""
        assert 100_000_000 < installed() < 1e15

    def test_more_rows_than_at_first(self) -> None:
        """Rows keep their order and numbers as there come more of them."""
        result = run(scenario("ring", horizon_s=150.0), every_s=1.0)

        assert list(np.arange(1.0, 151.0)) == result.times_s.tolist()
        assert_same(result, run(result.scenario, every_s=1.0, resume=run(result.scenario, every_s=1.0, stop=after(70))))

    def test_before_it_begins(self, corridor: Scenario) -> None:
        """A time limit that is over before the first step gives an empty result, to go on from."""
        result = run(corridor, timeout_seconds=1e-9)

        assert (False, 0, 0.0) == (result.complete, len(result.times_s), result.time_s)
        assert run(corridor, resume=result).complete

    def test_progress(self, corridor: Scenario) -> None:
        """Progress rises up to the horizon, and names it."""
        seen: list[tuple[float, float]] = []
        run(corridor, progress=lambda done, total: seen.append((done, total)))

        assert [(15.0 * (i + 1), SHORT) for i in range(10)] == seen

    def test_progress_of_long_intervals(self, corridor: Scenario) -> None:
        """It is told within long intervals, too."""
        seen: list[float] = []
        run(corridor, every_s=75.0, progress=lambda done, _: seen.append(done))

        assert 10 == len(seen)


class TestRefused:
    """Wrong use is refused before anything runs."""

    @pytest.mark.parametrize(
        ("options", "path"),
        [
            ({"timeout_seconds": 0}, "timeout_seconds"),
            ({"timeout_seconds": -1}, "timeout_seconds"),
            ({"timeout_seconds": float("nan")}, "timeout_seconds"),
            ({"every_s": 0}, "every_s"),
            ({"every_s": float("inf")}, "every_s"),
        ],
        ids=str,
    )
    def test_numbers(self, corridor: Scenario, options: dict[str, Any], path: str) -> None:
        with pytest.raises(Invalid) as caught:
            run(corridor, **options)

        assert path == caught.value.path

    @pytest.mark.parametrize(
        ("change", "options", "path"),
        [
            ({"seed": 7}, {}, "resume"),
            ({"horizon_s": 100.0}, {}, "horizon_s"),
            ({}, {"dtype": "float64"}, "dtype"),
            ({}, {"every_s": 30.0}, "every_s"),
        ],
        ids=["scenario", "horizon", "dtype", "every"],
    )
    def test_what_does_not_continue(
        self, corridor: Scenario, straight: Result, change: dict[str, Any], options: dict[str, Any], path: str
    ) -> None:
        """A run goes on as it began."""
        with pytest.raises(Invalid) as caught:
            run(corridor.model_copy(update=change), resume=straight, **options)

        assert path == caught.value.path

    @pytest.mark.parametrize(("horizon", "pieces", "goal"), [(150.0, 99, 200.0), (150.0, 10, 200.0), (200.0, 10, 150.0)])
    def test_an_interval_cut_by_the_horizon(self, corridor: Scenario, horizon: float, pieces: int, goal: float) -> None:
        """Within an interval that a horizon cuts a run cannot go on to another horizon: straight, it would have landed on other times."""
        cut = run(corridor.model_copy(update={"horizon_s": horizon}), every_s=40.0, stop=after(pieces))
        with pytest.raises(Invalid) as caught:
            run(corridor.model_copy(update={"horizon_s": goal}), resume=cut)

        assert "resume" == caught.value.path


class TestGoesWrong:
    """A run that goes wrong numerically says where, and keeps what was good."""

    def test_the_result_before(self, corridor: Scenario, straight: Result) -> None:
        """The error holds the whole intervals before, the last sound state, and the place."""
        stopped = run(corridor, stop=after(4))
        with pytest.raises(Unstable) as caught:
            run(corridor, resume=spoilt(stopped))
        kept = caught.value.result

        assert isinstance(kept, Result)
        assert (False, 60.0) == (kept.complete, kept.time_s)
        assert straight.density[:4].tobytes() == kept.density.tobytes()
        assert caught.value.road in straight.roads
        assert caught.value.time_s > 60.0
        assert kept.snapshot is not None
        assert 60.0 == kept.snapshot["time_s"]

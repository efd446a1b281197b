"""What the solver is given from Python: what is of another type is refused by name, with the next step, and nothing is guessed."""

from typing import Any

import numpy as np
import pytest

from arz import Controls, Invalid, Network, Scenario, Simulator, read_network, run, scenario

pytestmark = pytest.mark.timeout(600)

ROAD = scenario("one_road", horizon_s=30.0)
NOT_NUMBERS = ["15", None, [15.0], np.array([15.0]), 1j, True]


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(ROAD, threads=1)


class TestSimulator:
    """The batch of worlds."""

    @pytest.mark.parametrize("given", ["one_road", None, 5, [1], [ROAD, None], ROAD.model_dump(), [ROAD, "one_road"]])
    def test_takes_scenarios_only(self, given: Any) -> None:
        """What is no scenario ended deep in the plan, as an attribute that somebody lacked."""
        with pytest.raises(Invalid, match="scenarios.*give a Scenario"):
            Simulator(given)

    @pytest.mark.parametrize("given", [1.5, 1.0, "2", True, [1], float("nan"), 0, -1])
    def test_counts_threads_in_whole_numbers(self, given: Any) -> None:
        """1.5 threads were one, NaN threads as many as there are."""
        with pytest.raises(Invalid, match="threads: is .*give a whole number of at least 1"):
            Simulator(ROAD, threads=given)

    @pytest.mark.parametrize("given", [[1.5], [1.0], ["1"], "1", [None], 5, [True], np.array([1.5]), np.array([[1]]), {1}, {1: 2}, [1j]])
    def test_takes_whole_seeds_in_an_order(self, simulator: Simulator, given: Any) -> None:
        """1.5 was 1, and so were "1" and True."""
        with pytest.raises(Invalid, match="seeds"):
            simulator.reset(given)

    @pytest.mark.parametrize("given", [[7], (7,), range(7, 8), np.array([7]), np.array([7], np.uint8), [np.int64(7)]])
    def test_takes_seeds_of_python_and_numpy(self, simulator: Simulator, given: Any) -> None:
        """Whole numbers are whole numbers, whoever made them."""
        simulator.reset(given)

        assert [7] == simulator.snapshot()["seeds"].tolist()

    @pytest.mark.parametrize("given", NOT_NUMBERS)
    def test_takes_seconds_as_a_number(self, simulator: Simulator, given: Any) -> None:
        """A text or a list ended in a comparison, True was a second."""
        for call in (lambda: simulator.step(None, given), lambda: simulator.steps(given)):
            with pytest.raises(Invalid, match="duration_s: is .*give a positive number of seconds"):
                call()

    @pytest.mark.parametrize("given", [0, float("nan"), float("inf"), 10**400])
    def test_asks_for_steps_of_some_time_only(self, simulator: Simulator, given: Any) -> None:
        """No time was one step, and NaN ended in a conversion."""
        with pytest.raises(Invalid, match="duration_s"):
            simulator.steps(given)

    @pytest.mark.parametrize("given", [5, "x", {}, [0], np.zeros((1, 1))])
    def test_takes_controls_only(self, simulator: Simulator, given: Any) -> None:
        """A bare array of phases ended as an attribute that it lacked."""
        with pytest.raises(Invalid, match="controls.*give Controls"):
            simulator.step(given, 1.0)


@pytest.mark.parametrize("given", [[["a"]], [[None]], [[1j]], [[True]], [[1], [2, 3]], 5])
def test_rates_and_limits_are_numbers(given: Any) -> None:
    """A complex rate lost its imaginary part, True was one vehicle an hour, and rows of several lengths ended in numpy."""
    sign = {"kind": "speed_limit", "id": "sign", "roads": ["lanes0"]}
    metered = Simulator(scenario("ramp"), threads=1)
    signed = Simulator(scenario("lane_drop", actuators=[sign]), threads=1)
    with pytest.raises(Invalid, match="rate_veh_per_h"):
        metered.step(Controls(rate_veh_per_h=given), 1.0)
    with pytest.raises(Invalid, match="limit_kmh"):
        signed.step(Controls(limit_kmh=given), 1.0)


class TestRestore:
    """Snapshots that somebody spoilt."""

    @pytest.fixture(scope="class")
    @staticmethod
    def lit() -> Simulator:
        made = Simulator(scenario("corridor", crossings=2), threads=1)
        made.step(Controls(phase=np.array([[0, 1]])), 15.0)
        return made

    @pytest.mark.parametrize("given", [None, 5, "x", [1]])
    def test_is_a_table(self, lit: Simulator, given: Any) -> None:
        """What holds nothing by name is no snapshot."""
        with pytest.raises(Invalid, match=r"snapshot.*give what snapshot\(\) gave"):
            lit.restore(given)

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("time_s", lambda held: None),
            ("time_s", lambda held: "15"),
            ("time_s", lambda held: float("nan")),
            ("time_s", lambda held: -held),
            ("seeds", lambda held: held + 0.5),
            ("seeds", lambda held: held.astype(str)),
            ("rho", lambda held: held.astype(str)),
            ("rho", lambda held: held.astype(object)),
            ("rho", lambda held: held.astype(complex)),
            ("rho", lambda held: held.astype(np.float64)),
            ("waiting", lambda held: held * np.nan),
            ("lamps_now", lambda held: held + 0.5),
            ("lamps_now", lambda held: held + 99),
            ("lamps_before", lambda held: held - 2),
            ("lamps_controlled", lambda held: held + 7),
            ("lamps_switched", lambda held: held * np.nan),
        ],
    )
    def test_is_what_a_simulator_gave(self, lit: Simulator, name: str, change: Any) -> None:
        """Numbers of another type, no numbers, and phases that are not there were taken, and ended later, elsewhere, or never."""
        before = lit.snapshot()
        with pytest.raises(Invalid) as refused:
            lit.restore({**before, name: change(before[name])})

        assert f"snapshot.{name}" == refused.value.path
        lit.restore(before)


class TestRun:
    """A whole run."""

    @pytest.mark.parametrize("given", ["one_road", None, {}, 5])
    def test_is_of_a_scenario(self, given: Any) -> None:
        """What is no scenario is told to be none."""
        with pytest.raises(Invalid, match="scenario.*give a Scenario"):
            run(given)

    @pytest.mark.parametrize(
        ("name", "given"),
        [
            *(("every_s", each) for each in NOT_NUMBERS if each is not None),
            *(("timeout_seconds", each) for each in (*NOT_NUMBERS, 10**400) if each is not None),
            *(("resume", each) for each in (5, "x", [1])),
            *((name, each) for name in ("progress", "compiling", "stop") for each in (5, True)),
            ("dtype", ""),
        ],
    )
    def test_refuses_by_name(self, name: str, given: Any) -> None:
        """Options of another type; "5" was five seconds, and an empty name of a type the default one."""
        with pytest.raises(Invalid) as refused:
            run(ROAD, **{name: given})

        assert name == refused.value.path


@pytest.mark.parametrize("given", [5, None, ["a"]])
def test_paths_are_paths(given: Any) -> None:
    """Reading and writing say which path is none."""
    for call in (read_network, Scenario.load, ROAD.save):
        with pytest.raises(Invalid, match="path: is .*give the path"):
            call(given)


class TestChangedCopy:
    """`model_copy` with an update."""

    def test_is_checked(self) -> None:
        """A horizon of -5 s was taken."""
        with pytest.raises(Invalid, match="horizon_s"):
            ROAD.model_copy(update={"horizon_s": -5.0})

    def test_keeps_nothing_that_followed_from_the_old(self) -> None:
        """A network with its roads in another order found them where they had been."""
        whole = scenario("corridor", crossings=1).network
        assert whole.road(whole.roads[0].id) is whole.roads[0]
        turned: Network = whole.model_copy(update={"roads": whole.roads[::-1]})

        assert turned.road(turned.roads[0].id) is turned.roads[0]

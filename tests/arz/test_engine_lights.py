"""Signals on the engine: fixed plans and controllers; amber and all-red are never skipped."""

import random

import numpy as np
import pytest

from arz.engine.simulator import Controls, Simulator
from arz.errors import Invalid
from arz.world.network import Phase, Signal
from tests.arz.engines import CAPACITY, stop_lines

pytestmark = pytest.mark.timeout(600)

LOST = 5.0
TWO = Signal(phases=(Phase(green=("a",), duration_s=20.0), Phase(green=("b",), duration_s=10.0)))


def passed(simulator: Simulator, phase: int | None, duration_s: float) -> np.ndarray:
    """Vehicles [approach] that pass in one interval, for which a controller asks for a phase, or nobody asks."""
    before = simulator.measures().left[0, :, 0]
    controls = None if phase is None else Controls(phase=np.array([[phase]]))
    passed: np.ndarray = simulator.step(controls, duration_s).left[0, :, 0] - before
    return passed


class TestPlan:
    """What a fixed plan does is told."""

    def test_phase_and_age(self) -> None:
        """Measures tell the phase and its age; while the lights change, the coming phase and how long it is still to come."""
        simulator = Simulator(stop_lines(TWO), dtype="float64")
        told = []
        for _ in range(9):
            measured = simulator.step(None, 5.0)
            told.append((int(measured.phase[0, 0]), float(measured.phase_age_s[0, 0])))

        assert [(0, 5), (0, 10), (0, 15), (1, -5), (1, 0), (1, 5), (0, -5), (0, 0), (0, 5)] == told

    @pytest.mark.parametrize("green_s", [5.05, 15.1, 35.2])
    def test_a_cycle_that_rounds_up_to_the_moment(self, green_s: float) -> None:
        """A plan is in one of its phases at every moment, also where time over cycle rounds up to a turn that has not begun.

        After 1005 s of cycles of 20.1 s it once was in phase -1, and who asked for another one then waited for it for ever.
        """
        plan = Signal(phases=(Phase(green=("a",), duration_s=green_s), Phase(green=("b",), duration_s=green_s)))
        simulator = Simulator(stop_lines(plan), dtype="float64")
        measured = simulator.step(None, 2010.0)
        assert 0 == measured.phase[0, 0]
        assert 0.0 == pytest.approx(measured.phase_age_s[0, 0], abs=1e-9)

        asked = simulator.step(Controls(phase=np.array([[1]])), 7.5)
        assert 1 == asked.phase[0, 0]
        assert 2.5 == pytest.approx(asked.phase_age_s[0, 0], abs=1e-9)

    def test_one_phase_is_always_on(self) -> None:
        """A signal of one phase never changes, and has neither amber nor all-red."""
        simulator = Simulator(stop_lines(Signal(phases=(Phase(green=("a",), duration_s=7.0),))), dtype="float64")
        measured = simulator.step(None, 90.0)

        assert measured.left[0, :, 0].tolist() == pytest.approx([CAPACITY * 90.0, 0.0], rel=1e-9)

    def test_green_in_two_phases_stays_green(self) -> None:
        """An approach that is green before and after a change is green during it, by the plan and under a controller."""
        phases = (Phase(green=("a", "c"), duration_s=10.0), Phase(green=("b", "c"), duration_s=10.0))
        planned = Simulator(stop_lines(Signal(phases=phases), approaches="abc"), dtype="float64")
        asked = Simulator(stop_lines(Signal(phases=phases), approaches="abc"), dtype="float64")
        measured = planned.step(None, 60.0)
        for second in range(60):
            asked.step(Controls(phase=np.array([[second // 12 % 2]])), 1.0)
        controlled = asked.measures()

        assert CAPACITY * 60.0 == pytest.approx(measured.left[0, 2, 0], rel=1e-9)
        assert CAPACITY * 60.0 == pytest.approx(controlled.left[0, 2, 0], rel=1e-9)
        assert (controlled.left[0, :2, 0] < CAPACITY * 30.0).all()


class TestController:
    """What a controller may do, and what it may not."""

    def test_asking_changes_after_amber_and_all_red(self) -> None:
        """Who asks for another phase stops the first at once; the second begins when amber and all-red have passed, to the millisecond."""
        simulator = Simulator(stop_lines(TWO), dtype="float64")

        assert [CAPACITY * 7, 0] == pytest.approx(passed(simulator, 0, 7.0), abs=1e-9)
        assert [0, 0] == passed(simulator, 1, 4.999).tolist()
        assert [0, CAPACITY * 2] == pytest.approx(passed(simulator, 1, 2.001), abs=1e-9)
        assert [0, CAPACITY * 50] == pytest.approx(passed(simulator, 1, 50.0), abs=1e-9)

    def test_changing_ones_mind_is_too_late(self) -> None:
        """What is asked while the lights change is not heard: the change is completed."""
        simulator = Simulator(stop_lines(TWO), dtype="float64")
        passed(simulator, 0, 3.0)
        passed(simulator, 1, 2.0)

        assert [0, 0] == passed(simulator, 0, 3.0).tolist()
        assert [0, CAPACITY * 4] == pytest.approx(passed(simulator, None, 4.0), abs=1e-9)

    def test_taking_over_within_a_change(self) -> None:
        """A controller that comes while the plan changes its lights does not shorten the change."""
        simulator = Simulator(stop_lines(TWO), dtype="float64")
        simulator.step(None, 22.0)

        assert [0, 0] == passed(simulator, 0, 3.0).tolist()
        assert [0, CAPACITY * 6] == pytest.approx(passed(simulator, None, 6.0), abs=1e-9)

    def test_plan_is_over_once_somebody_asks(self) -> None:
        """From the first question on the fixed plan is over, even if what was asked for is what was on."""
        simulator = Simulator(stop_lines(TWO), dtype="float64")
        passed(simulator, 0, 1.0)

        assert [CAPACITY * 60, 0] == pytest.approx(passed(simulator, None, 60.0), abs=1e-9)

    @pytest.mark.parametrize("seed", range(3))
    def test_never_skipped(self, seed: int) -> None:
        """Whatever is asked at whatever moments, between one approach's last vehicle and another one's first amber and all-red pass."""
        draw = random.Random(seed)
        simulator = Simulator(stop_lines(TWO, length_m=1500.0), dtype="float64")
        spans: list[list[tuple[float, float]]] = [[], []]
        for _ in range(120):
            begin, duration = simulator.time_s, draw.choice([0.5, 1.0, 2.5])
            went = passed(simulator, draw.choice([0, 1, 1, None]), duration)
            for approach in np.flatnonzero(went > 0).tolist():
                # From the moment it began to pass, which is the end less the green time that the flow tells.
                green = float(went[approach]) / CAPACITY
                part = (
                    (simulator.time_s - green, simulator.time_s)
                    if not spans[approach] or spans[approach][-1][1] < begin
                    else (begin, begin + green)
                )
                spans[approach].append(part)

        assert all(spans), "both were meant to pass"
        for first in spans[0]:
            for second in spans[1]:
                assert max(first[0] - second[1], second[0] - first[1]) >= LOST - 1e-6

    def test_worlds_are_asked_apart(self) -> None:
        """Each world of a batch follows its own controller."""
        simulator = Simulator([stop_lines(TWO)] * 3, dtype="float64", threads=1)
        simulator.step(Controls(phase=np.array([[0], [1], [0]])), 15.0)
        measured = simulator.step(Controls(phase=np.array([[0], [1], [1]])), 15.0)

        assert np.allclose(CAPACITY * np.array([[30, 0], [0, 25], [15, 10]]), measured.left[:, :, 0], rtol=1e-9, atol=1e-9)

    def test_unknown_phases_are_refused(self) -> None:
        """A phase that is not there, or no whole number, is refused by name, and nothing has changed."""
        simulator = Simulator(stop_lines(TWO), dtype="float64")
        with pytest.raises(Invalid, match="phase 2 of signal 'light', which has 2"):
            simulator.step(Controls(phase=np.array([[2]])), 5.0)
        with pytest.raises(Invalid, match="whole numbers"):
            simulator.step(Controls(phase=np.array([[0.0]])), 5.0)

        assert 0.0 == simulator.time_s
        measured = simulator.step(None, 21.0)
        assert (1, -4.0) == (measured.phase[0, 0], measured.phase_age_s[0, 0]), "the fixed plan still holds"

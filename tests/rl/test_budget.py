"""Time as a budget: what fits is said from what was measured, and there is a sign of life by the clock."""

import time

import pytest

from rl.budget import Heartbeat, fit, rate, span


def test_the_rate_leaves_out_what_compiled() -> None:
    """The first window took minutes, the newest ones are the rate; one outlier among them does not count."""
    measured = rate([90.0, 2.0, 2.0, 9.0, 2.0, 2.0], 1000)

    assert measured is not None
    assert measured.steps_per_s == 500
    assert measured.windows == 5
    assert rate([], 1000) is None


def test_a_deadline_is_not_filled_to_the_brim() -> None:
    """Whole windows, and room for a checkpoint, the evaluation and a tenth."""
    measured = rate([2.0, 2.0], 1000)
    assert measured is not None

    fits = fit(measured, 100.0, wanted=1_000_000, window_steps=1000, evaluation_s=8.0)

    assert (fits.steps, fits.enough) == (40_000, False)
    assert fits.training_s + fits.reserve_s <= 100
    assert fits.reserve_s == pytest.approx(20)


def test_what_is_wanted_is_enough() -> None:
    """Nobody is told to train longer than they want; several trainings share the time."""
    measured = rate([2.0, 2.0], 1000)
    assert measured is not None

    assert fit(measured, 100.0, wanted=2500, window_steps=1000).steps == 3000
    assert fit(measured, 100.0, wanted=50_000, window_steps=1000, trainings=5).steps == 8_000
    assert fit(measured, 1.0, wanted=1000, window_steps=1000).steps == 0


def test_a_sign_of_life_while_nothing_is_done() -> None:
    """Also while one window takes long, or compiles: by the clock, not by the work."""
    said: list[str] = []
    with Heartbeat(said.append, "training", 100, every_s=0.02):
        time.sleep(0.3)

    assert len(said) >= 3
    assert said[0].startswith("training: 0 of 100 steps")


def test_what_the_sign_of_life_says() -> None:
    """Steps, rate, time left, slack before the deadline, last checkpoint."""
    now = [0.0]
    beat = Heartbeat(lambda _: None, "quick", 1000, begun=100, deadline_s=60.0, clock=lambda: now[0])
    beat.saved(200)
    beat(300)
    now[0] = 10.0

    assert beat.line() == "quick: 300 of 1,000 steps, 20 steps/s, 35 s left, 15 s to spare before the deadline, last checkpoint at 200"


@pytest.mark.parametrize(("seconds", "text"), [(0.05, "50 ms"), (45.2, "45.2 s"), (600, "10 min"), (30_600, "8 h 30 min")])
def test_lengths_of_time(seconds: float, text: str) -> None:
    """As a person writes them."""
    assert span(seconds) == text

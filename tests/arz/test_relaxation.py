"""The source term is integrated exactly."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arz.laws.relaxation import decay, relaxed
from tests.arz.makers import CASES, Case, name_of

every = pytest.mark.parametrize("case", CASES, ids=name_of)
waits = st.floats(0.0, 100.0)


@every
@given(w=st.floats(0.0, 9.0), x=st.floats(0.05, 0.95), dt=waits, parts=st.integers(1, 9))
def test_many_short_steps_are_one_long_one(case: Case, w: float, x: float, dt: float, parts: int) -> None:
    """The exact solution does not ask how the time was divided, and a deviation falls to 1/e in tau seconds, for every closure."""
    rho = 0.1
    target = case.closure.target(8.0, 8.0 * (1 - x), x * 0.15, *case.numbers)
    y = rho * w
    for _ in range(parts):
        y = relaxed(y, rho, target, decay(dt / parts, 7.0))

    assert y == pytest.approx(relaxed(rho * w, rho, target, decay(dt, 7.0)), rel=1e-12)
    after = relaxed(rho * w, rho, target, decay(7.0, 7.0)) / rho
    assert after - target == pytest.approx((w - target) / math.e, rel=1e-9, abs=1e-12)


@given(w=st.floats(0.0, 9.0), target=st.floats(0.0, 9.0))
def test_the_limits(w: float, target: float) -> None:
    """With tau → 0 drivers are at their target at once, the first order model; with tau → ∞ nothing changes."""
    assert relaxed(0.1 * w, 0.1, target, decay(1.0, 1e-9)) == 0.1 * target
    assert relaxed(0.1 * w, 0.1, target, decay(1.0, math.inf)) == pytest.approx(0.1 * w, rel=1e-15, abs=1e-15)
    assert relaxed(0.0, 0.0, target, decay(1.0, 5.0)) == 0


@given(target=st.floats(0.0, 9.0), dt=waits)
def test_who_is_at_the_target_stays_to_the_last_bit(target: float, dt: float) -> None:
    """Uniform equilibrium is not disturbed by a source that is 0 there."""
    assert relaxed(0.1 * target, 0.1, target, decay(dt, 5.0)) == 0.1 * target

"""Every closure and every equilibrium law keeps its contract."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arz.errors import ArzError, Unknown
from arz.laws.equilibrium import registry as equilibria
from arz.laws.pressure import registry as closures
from arz.laws.state import NEGATIVE, NOT_A_NUMBER, OVERFULL, SOUND, marker, occupancy_of, sound, verdict
from tests.arz.makers import CASES, CONCAVE, NUMBERS, Case, fractions, markers, name_of

every = pytest.mark.parametrize("case", CASES, ids=name_of)
concave = pytest.mark.parametrize("case", CONCAVE, ids=name_of)


def jam_of(case: Case, w: float) -> float:
    return case.closure.occupancy(w, 0.0, *case.numbers)


def test_every_closure_is_tried() -> None:
    """A closure that is registered is tested: it has numbers here."""
    assert [closure.name for closure in closures.CLOSURES] == list(NUMBERS)


@every
@given(w=markers, x=fractions)
def test_velocity_is_between_standing_and_the_marker(case: Case, w: float, x: float) -> None:
    """0 ≤ v ≤ w at every occupancy, also beyond the jam; v = w on an empty road."""
    r = 1.5 * case.numbers[1] * x

    assert 0 <= case.closure.velocity(w, r, *case.numbers) <= w
    assert case.closure.velocity(w, 0.0, *case.numbers) == w


@every
@given(w=markers, x=st.floats(0.02, 0.98))
def test_slope_is_the_derivative(case: Case, w: float, x: float) -> None:
    """The slope is that of the velocity, away from kinks."""
    r = x * jam_of(case, w)
    if case.closure.name == "triangular" and abs(r - 0.25 * 0.2) < 1e-3:
        return
    step = 1e-6
    by_difference = (case.closure.velocity(w, r + step, *case.numbers) - case.closure.velocity(w, r - step, *case.numbers)) / (2 * step)

    assert case.closure.slope(w, r, *case.numbers) == pytest.approx(by_difference, rel=1e-5, abs=1e-5)


@every
@given(w=markers, x=st.floats(0.0, 0.999))
def test_occupancy_inverts_velocity(case: Case, w: float, x: float) -> None:
    """The occupancy of a speed below the marker moves at that speed; no crowd is needed for more."""
    v = x * w

    assert case.closure.velocity(w, case.closure.occupancy(w, v, *case.numbers), *case.numbers) == pytest.approx(v, rel=1e-9, abs=1e-9)
    assert case.closure.occupancy(w, w + x, *case.numbers) == 0


@concave
@given(w=markers, x=st.floats(0.001, 0.999))
def test_fan_inverts_the_slower_wave(case: Case, w: float, x: float) -> None:
    """The fan gives back the occupancy whose characteristic is ξ."""
    r = x * jam_of(case, w)
    xi = case.closure.velocity(w, r, *case.numbers) + r * case.closure.slope(w, r, *case.numbers)

    assert case.closure.fan(w, xi, *case.numbers) == pytest.approx(r, rel=1e-9)


@every
@given(w=markers, x=fractions)
def test_fan_at_rest_is_the_greatest_flow(case: Case, w: float, x: float) -> None:
    """No occupancy flows more than the critical one."""
    critical = case.closure.fan(w, 0.0, *case.numbers)
    r = x * 1.2 * case.numbers[1]

    assert r * case.closure.velocity(w, r, *case.numbers) <= critical * case.closure.velocity(w, critical, *case.numbers) * (1 + 1e-14)


@every
@given(w=markers, v=markers, x=fractions)
def test_lowered_moves_at_most_at_v(case: Case, w: float, v: float, x: float) -> None:
    """A lowered marker moves at v or slower, is never raised, and is the same number where nothing was too fast."""
    r = 1.1 * case.numbers[1] * x
    lowered = case.closure.lowered(w, v, r, *case.numbers)
    before = case.closure.velocity(w, r, *case.numbers)

    assert lowered <= w
    assert case.closure.velocity(lowered, r, *case.numbers) <= v * (1 + 1e-14)
    assert lowered == w if before <= v * (1 - 1e-14) else lowered == pytest.approx(w * v / before) or lowered < w


@every
@given(x=st.floats(0.0, 0.95))
def test_target_moves_at_the_equilibrium_speed(case: Case, x: float) -> None:
    """Traffic at its target drives at the equilibrium speed, which a closure with its own takes from the speed limit."""
    r = x * jam_of(case, 8.0)
    equilibrium = 8.0 * (1 - x)
    speed = case.closure.velocity(case.closure.target(8.0, equilibrium, r, *case.numbers), r, *case.numbers)
    built_in = case.closure.velocity(8.0, r, *case.numbers)

    assert speed == pytest.approx(built_in if case.closure.built_in_equilibrium else equilibrium, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("code", range(len(equilibria.EQUILIBRIA)))
@given(x=fractions, y=fractions)
def test_equilibrium_falls_from_one_to_zero(code: int, x: float, y: float) -> None:
    """The share is 1 on an empty road, 0 in a jam, and never grows with the crowd; the speed lies between creep and limit."""
    low, high = sorted((x, y))
    share = equilibria.EQUILIBRIA[code].share

    assert share(0.0, 0.2, 0.3) == 1
    assert share(0.2, 0.2, 0.3) == 0
    assert 0 <= share(0.2 * high, 0.2, 0.3) <= share(0.2 * low, 0.2, 0.3) <= 1
    assert 1.4 <= equilibria.equilibrium_speed(code, 0.2 * x, 15.0, 1.4, 0.2, 0.3) <= 15


def test_names_have_codes() -> None:
    """A name is looked up with the list at hand, and an unknown one is refused with it."""
    assert [closures.code_of(closure.name) for closure in closures.CLOSURES] == list(range(len(closures.CLOSURES)))
    assert equilibria.code_of("greenshields") == 0
    with pytest.raises(Unknown, match="no closure named 'cubic'; known: multiplicative, power") as caught:
        closures.code_of("cubic")
    assert isinstance(caught.value, ArzError)
    with pytest.raises(Unknown, match="no equilibrium law named"):
        equilibria.code_of("cubic")


def test_an_empty_cell_hinders_nobody() -> None:
    """The marker of vacuum is the highest there is; any other is kept within the range of the data."""
    assert marker(0.0, 0.0, 3.0, 8.0) == 8.0
    assert marker(1e-300, 1e-300, 3.0, 8.0) == 3.0
    assert marker(0.1, 0.5, 3.0, 8.0) == 5.0


def test_verdict_names_what_is_wrong() -> None:
    """Sound states are sound, and no fault passes."""
    assert verdict(0.0, 0.0, 0.0, 0.2) == SOUND
    assert verdict(0.1, 0.5, 0.2, 0.2) == SOUND
    assert verdict(math.nan, 0.5, 0.1, 0.2) == NOT_A_NUMBER
    assert verdict(0.1, math.inf, 0.1, 0.2) == NOT_A_NUMBER
    assert verdict(-1e-300, 0.0, 0.0, 0.2) == NEGATIVE
    assert verdict(0.1, 0.5, 0.2001, 0.2) == OVERFULL


numbers = st.one_of(st.sampled_from([0.0, -0.0, 0.2, math.inf, -math.inf, math.nan]), st.floats(-0.1, 0.3), st.floats())


@given(rho=numbers, y=numbers, other=numbers, ceiling=st.floats(0.1, 0.4))
@example(rho=0.0, y=0.0, other=-math.inf, ceiling=0.25)
def test_sound_is_the_short_form_of_the_verdict(rho: float, y: float, other: float, ceiling: float) -> None:
    """The quick question and the full answer agree for every pair of densities, NaN and infinite numbers among them."""
    r = occupancy_of(rho, other, 0.4, 1.0)

    assert sound(rho, y, r, ceiling) == (verdict(rho, y, r, ceiling) == SOUND)

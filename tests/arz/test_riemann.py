"""What passes a point agrees with the exact solutions, and these solve the equations."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arz.laws.exact import fan_head, riemann, smooth_contact
from arz.laws.riemann import demand, flux_coupled, flux_exact, supply, thinning
from tests.arz.makers import CASES, CONCAVE, Case, fractions, markers, name_of

POWER = CONCAVE[2]
UNIT = {1: (1.0, 1.0, 1.0), 2: (8.0, 0.2, 2.0)}
# Name: exponent, left and right (rho, v), the Godunov flux (q, q·w) and the state (rho, v) at x = 0.
TABLE = {
    "T1": (1, (0.5, 0.5), (0.3, 0.2), (0.16, 0.16), (0.8, 0.2)),
    "T2": (1, (0.7, 0.1), (0.3, 0.5), (0.16, 0.128), (0.4, 0.4)),
    "T3": (1, (0.9, 0.3), (0.2, 0.3), (0.27, 0.324), (0.9, 0.3)),
    "T4": (1, (0.3, 0.1), (0.2, 0.8), (0.04, 0.016), (0.2, 0.2)),
    "T5": (1, (0.4, 0.6), (1.0, 0.0), (0.0, 0.0), (1.0, 0.0)),
    "T6": (1, (1.0, 0.0), (0.0, 0.0), (0.25, 0.25), (0.5, 0.5)),
    "T7": (1, (0.0, 0.0), (0.5, 0.4), (0.0, 0.0), (0.0, 0.0)),
    "T10": (2, (0.2, 0.0), (0.02, 12.0), (0.615840287, 4.9267223), (0.115470054, 5.33333333)),
}
concave = pytest.mark.parametrize("case", CONCAVE, ids=name_of)
every = pytest.mark.parametrize("case", CASES, ids=name_of)


def godunov(case: Case, rho_l: float, w_l: float, rho_r: float, w_r: float) -> float:
    """The flux by demand and supply; an empty road ahead has the speed of its marker, which here is at least that of the left."""
    v_r = case.closure.velocity(w_r, rho_r, *case.numbers) if rho_r > 0 else max(w_l, w_r)
    return flux_exact(demand(case.code, rho_l, w_l, 1.0, *case.numbers), supply(case.code, w_l, v_r, 1.0, *case.numbers))


def speed(case: Case, rho: float, w: float) -> float:
    return case.closure.velocity(w, rho, *case.numbers)


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_exact_states(name: str) -> None:
    """Flux and state at x = 0 are those of the specification's table, for every kind of wave pattern."""
    exponent, (rho_l, v_l), (rho_r, v_r), (q, qw), (rho, v) = TABLE[name]
    case = Case(POWER.closure, UNIT[exponent])
    w_l = case.marker(rho_l, v_l) if rho_l else 1.0
    w_r = case.marker(rho_r, v_r) if rho_r else w_l
    passing = godunov(case, rho_l, w_l, rho_r, w_r)
    at_rest = riemann(case.code, 0.0, rho_l, w_l, rho_r, w_r, *case.numbers)

    assert [passing, passing * w_l] == pytest.approx([q, qw], abs=1e-9, rel=2e-8)
    assert at_rest[0] == pytest.approx(rho, abs=1e-9)
    assert rho == 0 or speed(case, *at_rest) == pytest.approx(v, abs=1e-8)


def state(case: Case, x: float, w: float) -> tuple[float, float]:
    return x * case.closure.occupancy(w, 0.0, *case.numbers), w


@every
@given(w=markers, x=fractions)
def test_flux_of_equal_states_is_the_flux_of_the_state(case: Case, w: float, x: float) -> None:
    """F(U, U) = F(U), for both fluxes."""
    rho, _ = state(case, x, w)
    v = speed(case, rho, w)

    assert godunov(case, rho, w, rho, w) == pytest.approx(rho * v, rel=1e-12, abs=1e-12)
    assert flux_coupled(rho, w, v) == rho * v


@concave
@given(w_l=markers, x_l=fractions, w_r=markers, x_r=fractions)
def test_demand_and_supply_are_the_exact_flux(case: Case, w_l: float, x_l: float, w_r: float, x_r: float) -> None:
    """The smaller of demand and supply is rho·v of the exact solution at x = 0, vacuum on either side included; it never is negative."""
    left, right = state(case, x_l, w_l), state(case, x_r, w_r)
    rho, w = riemann(case.code, 0.0, *left, *right, *case.numbers)
    passing = godunov(case, *left, *right)

    assert passing >= 0
    assert passing == pytest.approx(rho * speed(case, rho, w), rel=1e-9, abs=1e-9)


@concave
@given(w_l=markers, x_l=fractions, w_r=markers, x_r=fractions, span=st.floats(12.0, 40.0))
@example(w_l=8.0, x_l=0.75, w_r=1.0, x_r=1.0, span=12.0)  # a shock that outruns the waves of both states
def test_exact_solutions_balance(case: Case, w_l: float, x_l: float, w_r: float, x_r: float, span: float) -> None:
    """Rankine-Hugoniot in the large: in a box around all waves, what is inside at t = 1 is what was there and what passed its sides.

    The solution is a function of x/t alone, so this holds across each wave; the sum over the box is by midpoints.
    """
    left, right = state(case, x_l, w_l), state(case, x_r, w_r)
    # A shock runs slower than the wave behind it: traffic of the left marker at the speed of the right.
    behind = case.closure.occupancy(w_l, min(speed(case, *right), w_l), *case.numbers)
    heads = [fan_head(case.code, rho, w, *case.numbers) for rho, w in (left, right, (behind, w_l)) if rho > 0]
    span = max([span, *(2 * abs(head) for head in heads)])
    cells = 2000
    inside_rho = inside_y = 0.0
    for n in range(cells):
        rho, w = riemann(case.code, span * (2 * (n + 0.5) / cells - 1), *left, *right, *case.numbers)
        inside_rho += rho * 2 * span / cells
        inside_y += rho * w * 2 * span / cells
    flow_l, flow_r = left[0] * speed(case, *left), right[0] * speed(case, *right)
    scale = span * 0.3

    assert inside_rho == pytest.approx(span * (left[0] + right[0]) + flow_l - flow_r, abs=4 * scale / cells)
    assert inside_y == pytest.approx(span * (left[0] * w_l + right[0] * w_r) + flow_l * w_l - flow_r * w_r, abs=40 * scale / cells)


@concave
@given(w=markers, x_l=st.floats(0.05, 0.6), x_r=st.floats(0.65, 1.0))
def test_a_jump_on_one_curve_is_the_first_order_shock(case: Case, w: float, x_l: float, x_r: float) -> None:
    """With one marker everywhere the solution is the first order model's: a single shock of the speed of Rankine and Hugoniot."""
    left, right = state(case, x_l, w), state(case, x_r, w)
    jump = right[0] * speed(case, *right) - left[0] * speed(case, *left)
    shock = jump / (right[0] - left[0])

    assert riemann(case.code, shock - 1e-6, *left, *right, *case.numbers) == left
    assert riemann(case.code, shock + 1e-6, *left, *right, *case.numbers)[0] == pytest.approx(right[0], rel=1e-9)


@concave
@given(w=markers, x_l=st.floats(0.3, 1.0), share=fractions)
def test_a_fan_solves_the_equation(case: Case, w: float, x_l: float, share: float) -> None:
    """Inside a fan the slower wave speed is x/t itself; its upstream edge is the start wave."""
    left = state(case, x_l, w)
    head = fan_head(case.code, *left, *case.numbers)
    xi = head + share * 0.999 * (w - head)
    rho, _ = riemann(case.code, xi, *left, 0.0, w, *case.numbers)

    assert fan_head(case.code, rho, w, *case.numbers) == pytest.approx(xi, rel=1e-6, abs=1e-6)


@every
@given(w=markers, x=fractions, v=markers)
def test_standing_traffic_takes_exactly_nothing(case: Case, w: float, x: float, v: float) -> None:
    """Behind standing traffic both fluxes are exactly 0, whatever comes; nothing is ever pushed backwards."""
    rho, _ = state(case, x, w)

    assert supply(case.code, w, 0.0, 1.0, *case.numbers) == 0
    assert flux_coupled(rho, w, 0.0) == 0
    assert flux_coupled(rho, w, -v) == 0
    assert 0 <= demand(case.code, rho, w, 1.0, *case.numbers)


def test_a_queue_discharges_at_its_saturation_flow() -> None:
    """rj·K·g/(g+1)^(1+1/g): 0.6158 veh/s for K = 8 m/s, rj = 0.2, g = 2; for the default closure w·R/4."""
    assert demand(1, 0.2, 8.0, 1.0, 8.0, 0.2, 2.0) == pytest.approx(0.2 * 8 * 2 / 3**1.5, rel=1e-14)
    assert demand(0, 0.15, 16.0, 1.0, 1 / 0.15, 0.15, 1.0) == pytest.approx(16 * 0.15 / 4, rel=1e-14)


@given(weight=st.floats(0.01, 1.0), fill=st.floats(0.01, 3.0), share=fractions)
def test_equal_classes_thin_out_as_one(weight: float, fill: float, share: float) -> None:
    """A class that is cut into two equal ones thins out as before: to the density of greatest flow, and not at all below it."""
    both = thinning(share * weight, (1 - share) * weight, fill, fill)

    assert both == pytest.approx(min(1, 1 / fill), rel=1e-12)
    assert thinning(weight, 0.0, fill, 7.0) == pytest.approx(min(1, 1 / fill), rel=1e-12)
    assert thinning(0.0, 0.0, fill, fill) == 1


@given(weight=st.floats(0.01, 1.0), fill=st.floats(0.01, 3.0), none=st.sampled_from([math.inf, math.nan]))
def test_who_wants_to_stand_thins_nobody_out(weight: float, fill: float, none: float) -> None:
    """A class whose marker is 0 has no greatest flow to be beyond of; what shares the road with it thins out as if alone."""
    assert thinning(0.0, weight, none, fill) == thinning(weight, 0.0, fill, none) == pytest.approx(min(1, 1 / fill), rel=1e-12)


@concave
@given(x=st.floats(-1.0, 1.0), t=st.floats(0.0, 3.0))
def test_the_smooth_contact_moves_with_its_drivers(case: Case, x: float, t: float) -> None:
    """Everybody moves at v, and the picture with them."""
    rho, w = smooth_contact(case.code, x, t, 3.0, 5.0, 1.0, *case.numbers)

    assert speed(case, rho, w) == pytest.approx(3.0, rel=1e-12)
    assert smooth_contact(case.code, x - 3.0 * t, 0.0, 3.0, 5.0, 1.0, *case.numbers) == pytest.approx((rho, w), rel=1e-9)
    assert 4.0 <= w <= 6.0
    assert not math.isnan(rho)

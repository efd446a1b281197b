"""The wave speeds are the eigenvalues of the flux, and default traffic is stable."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arz.laws.eigenvalues import coupled_waves, coupling, density_wave, fastest
from arz.laws.equilibrium.registry import equilibrium_speed
from arz.laws.pressure.registry import CLOSURES, code_of
from arz.laws.stability import growth
from arz.laws.state import occupancy_of
from tests.arz.line import Traffic
from tests.arz.makers import ADDITIVE_PAIR, ALPHA, CONCAVE, KMH, LIMIT, MULTIPLICATIVE_PAIR, RHO_JAM, TAU, V_CREEP, Case, name_of

# The step of a derivative in the complex plane: no difference is taken, so it is exact to rounding.
TINY = 1e-200
STEEP = Traffic(
    "power", (1.0, 1.0), (ALPHA, 1.0), (10 * KMH, 15 * KMH), (RHO_JAM, RHO_JAM), (1.5, 2.0), (0.0, 0.0), LIMIT
)  # the parameters of the earlier work
PAIRS = {"multiplicative": MULTIPLICATIVE_PAIR, "additive": ADDITIVE_PAIR, "additive, exponents 1.5 and 2": STEEP}


def velocity_in_formulas(traffic: Traffic, k: int, w: complex, r: complex) -> complex:
    """v(w, r) for complex numbers, written down once more so that the laws are not checked by themselves."""
    if traffic.closure == "multiplicative":
        return w * (1 - r / traffic.jam[k])
    return w - traffic.scale[k] * (r / traffic.jam[k]) ** traffic.shape[k]


def flux_in_formulas(traffic: Traffic, u: "np.ndarray[tuple[int], np.dtype[np.complex128]]") -> list[complex]:
    """(rho_m v_m, rho_c v_c, y_m v_m, y_c v_c) of the conserved variables."""
    (w_m, w_c), (a, b), (c, d) = u[2:] / u[:2], traffic.own, traffic.other
    v_m = velocity_in_formulas(traffic, 0, w_m, a * u[0] + c * u[1])
    v_c = velocity_in_formulas(traffic, 1, w_c, b * u[1] + d * u[0])
    return [u[0] * v_m, u[1] * v_c, u[2] * v_m, u[3] * v_c]


@pytest.mark.parametrize("pair", PAIRS)
@given(share=st.floats(0.02, 0.98), fill=st.floats(0.02, 0.95), w_m=st.floats(8.0, LIMIT[0]), w_c=st.floats(8.0, LIMIT[1]))
def test_two_classes_have_the_eigenvalues_of_the_jacobian(pair: str, share: float, fill: float, w_m: float, w_c: float) -> None:
    """The four waves are the numbers that numpy finds for the 4×4 Jacobian of the conserved variables, at random states that move."""
    traffic = PAIRS[pair]
    closure = CLOSURES[code_of(traffic.closure)]
    rho = (fill * share * 0.15 / traffic.own[0], fill * (1 - share) * 0.15)
    crowd = [occupancy_of(rho[k], rho[1 - k], traffic.own[k], traffic.other[k]) for k in (0, 1)]
    numbers = [(traffic.scale[k], traffic.jam[k], traffic.shape[k]) for k in (0, 1)]
    v = [closure.velocity(w, crowd[k], *numbers[k]) for k, w in enumerate((w_m, w_c))]
    if min(v) <= 1e-3:
        return
    steep = [closure.slope(w, crowd[k], *numbers[k]) for k, w in enumerate((w_m, w_c))]
    a, d = (density_wave(rho[k], v[k], steep[k], traffic.own[k]) for k in (0, 1))
    slow, fast = coupled_waves(a, d, coupling(*rho, *steep, *traffic.other))
    u = np.array([*rho, rho[0] * w_m, rho[1] * w_c], complex)
    jacobian = np.array([np.imag(flux_in_formulas(traffic, u + 1j * TINY * row)) / TINY for row in np.eye(4)]).T
    expected = np.sort(np.linalg.eigvals(jacobian).real)

    assert np.sort([slow, fast, *v]) == pytest.approx(expected, abs=2e-6)  # two speeds may coincide: numpy then has √rounding
    assert np.sum([slow, fast, *v]) == pytest.approx(np.trace(jacobian), rel=1e-12, abs=1e-12)
    assert slow * fast == pytest.approx(np.linalg.det(jacobian[:2, :2] + np.diag([w_m, w_c]) @ jacobian[:2, 2:]), rel=1e-9, abs=1e-9)
    assert fastest(slow, fast, *v) == max(abs(number) for number in (slow, fast, *v))


@pytest.mark.parametrize("case", CONCAVE, ids=name_of)
@given(x=st.floats(0.02, 0.98), w=st.floats(2.0, 9.0))
def test_one_class_has_the_eigenvalues_of_the_jacobian(case: Case, x: float, w: float) -> None:
    """The waves of one class are v and v + rho ∂v/∂r: what numpy finds for the 2×2 Jacobian by differences."""
    rho = x * case.closure.occupancy(w, 0.0, *case.numbers)
    v = case.closure.velocity(w, rho, *case.numbers)
    wave = density_wave(rho, v, case.closure.slope(w, rho, *case.numbers), 1.0)

    def flux(rho: float, y: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return case.closure.velocity(y / rho, rho, *case.numbers) * np.array([rho, y])

    y, by_rho, by_y = rho * w, 1e-6 * rho, 1e-6 * rho * w
    columns = [
        (flux(rho + by_rho, y) - flux(rho - by_rho, y)) / (2 * by_rho),
        (flux(rho, y + by_y) - flux(rho, y - by_y)) / (2 * by_y),
    ]
    expected = np.sort(np.linalg.eigvals(np.array(columns).T).real)

    assert [wave, v] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_the_cross_term_counts() -> None:
    """What the earlier work dropped is worth metres a second: without the coupling the slower wave is off by more than 1 m/s."""
    slow, _ = coupled_waves(2.0, 1.0, 9.0)

    assert 1.0 - slow > 1.0
    assert slow == 1.5 - math.sqrt(9.25)


def grows(traffic: Traffic, rho: tuple[float, float], wavelength: float) -> float:
    creep = (V_CREEP, 0.0)
    return growth(
        CLOSURES[code_of(traffic.closure)],
        lambda k, r: equilibrium_speed(0, r, LIMIT[k], creep[k], traffic.jam[k], 1.0),
        LIMIT, rho, wavelength, TAU, traffic.own, traffic.other, traffic.scale, traffic.jam, traffic.shape,
    )  # fmt: skip


@given(share=st.floats(0.0, 1.0), fill=st.floats(0.02, 0.98), wavelength=st.floats(10.0, 5000.0))
def test_default_traffic_is_stable(share: float, fill: float, wavelength: float) -> None:
    """No small wave on uniform default traffic grows, at any density, mixture and length."""
    rho = (fill * share * 0.15 / 0.4, fill * (1 - share) * 0.15)

    assert grows(MULTIPLICATIVE_PAIR, rho, wavelength) <= 1e-13


def test_the_stable_additive_family_is_stable_and_the_earlier_parameters_are_not() -> None:
    """Exponent 1 and K ≥ V_max hold for 9 densities, 4 mixtures and 60 lengths; exponents 1.5 and 2 with small K never do."""
    wavelengths = np.geomspace(10, 5000, 60)
    for fill in np.linspace(0.1, 0.9, 9):
        for share in (0.2, 0.4, 0.6, 0.8):
            rho = (fill * share * 0.7 * RHO_JAM, fill * (1 - share) * 0.7 * RHO_JAM)

            assert max(grows(ADDITIVE_PAIR, rho, length) for length in wavelengths) <= 1e-13
            assert max(grows(STEEP, rho, length) for length in wavelengths) > 1e-3

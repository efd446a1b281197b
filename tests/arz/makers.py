"""Traffic for the tests: default parameters of the specification, random states, and each closure with numbers that suit it."""

from dataclasses import dataclass

from hypothesis import strategies as st

from arz.laws.pressure.base import Closure
from arz.laws.pressure.registry import CLOSURES
from tests.arz.line import Traffic

KMH = 1 / 3.6
R_C, A_M, V_CREEP = 0.15, 0.4, 5 * KMH
LIMIT = (70 * KMH, 60 * KMH)  # road quality R2: motorcycles, cars
R_M = R_C / (1 - V_CREEP / LIMIT[0])
ALPHA, RHO_JAM = 0.4, 0.25
TAU = (5.0, 10.0)

MULTIPLICATIVE_PAIR = Traffic(
    "multiplicative",
    own=(A_M, 1.0),
    other=(1.0, A_M),
    scale=(1 / R_M, 1 / R_C),
    jam=(R_M, R_C),
    shape=(1.0, 1.0),
    low=(3.0, 3.0),
    high=LIMIT,
)
"""The default model: both classes feel A_m·rho_m + rho_c."""

ADDITIVE_PAIR = Traffic(
    "power", own=(1.0, 1.0), other=(ALPHA, 1.0), scale=LIMIT, jam=(RHO_JAM, RHO_JAM), shape=(1.0, 1.0), low=(0.0, 0.0), high=LIMIT
)
"""The additive model with exponents 1 and K = V_max, its stable family; motorcycles feel only the share ALPHA of the cars."""


@dataclass(frozen=True)
class Case:
    """A closure and constants for it, the speeds near 10 m/s and the jam at 0.2 veh/m."""

    closure: Closure
    numbers: tuple[float, float, float]

    @property
    def code(self) -> int:
        return CLOSURES.index(self.closure)

    def marker(self, rho: float, v: float) -> float:
        """The marker that moves at v in a crowd of rho."""
        return self.closure.lowered(1e9, v, rho, *self.numbers)

    def traffic(self, low: float, high: float) -> Traffic:
        """One class alone, its markers in this range."""
        scale, jam, shape = self.numbers
        return Traffic(self.closure.name, (1.0,), (0.0,), (scale,), (jam,), (shape,), (low,), (high,))


NUMBERS: dict[str, list[tuple[float, float, float]]] = {
    "multiplicative": [(5.0, 0.2, 1.0)],
    "power": [(9.0, 0.2, 1.0), (9.0, 0.2, 2.0)],
    "logarithmic": [(9.0, 0.2, 1.0)],
    "bounded": [(3.0, 0.2, 1.0)],
    "triangular": [(5.0, 0.2, 0.25)],
}
CASES = [Case(closure, numbers) for closure in CLOSURES for numbers in NUMBERS[closure.name]]
CONCAVE = [case for case in CASES if case.closure.name != "triangular"]

markers = st.floats(1.0, 9.0)
fractions = st.floats(0.0, 1.0)


def name_of(case: Case) -> str:
    return f"{case.closure.name}-{case.numbers[2]:g}"

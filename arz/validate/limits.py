"""The first order limit: a cell-transmission model under a triangular diagram, and drivers who adapt faster and faster."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from arz.engine.simulator import Simulator
from arz.validate.base import BOTH, Case, Figure, Group, Order, in_full
from arz.validate.carry import carry
from arz.validate.jumps import JAM, KMH, SPEED, Jump, averages
from arz.validate.riemann import LEAST_ORDER, LENGTH_M, ROUNDING, SIZES
from arz.world.physics import Physics
from arz.world.scenario import Initial, InitialRoad, Piece
from arz.world.scenarios.registry import scenario
from arz.world.scheme import Scheme

CELLS, CELL_M, STEPS = 60, 12.0, 600
CRITICAL = 0.25
"""Of the triangular diagram, over the jam density."""

TAUS = (10.0, 1.0, 0.1)
FAST = 1e-3
FINE = 400
PRESSURE = 2.0
"""K over V_max: markers of the equilibrium differ from each other, so relaxation has work to do."""
# Densities on both sides, over the jam density.
LIMITS: dict[str, tuple[float, float]] = {"shock": (0.1, 0.4), "fan": (0.8, 0.1)}
UNSETTLED = 0.5
"""The speeds at the start, as a share of the equilibrium's."""

TRANSMISSION = Group(
    "The first order limit: a cell-transmission model",
    "Under the triangular closure, at a Courant number of 1 and with relaxation times that vanish, "
    f"{STEPS} steps on a ring of {CELLS} random cells are those of Daganzo's model, to rounding.",
)
RELAXATION = Group(
    "The first order limit: drivers who adapt at once",
    "Under the additive closure with K = 2 V_max drivers start at half their equilibrium speed; the faster they adapt, "
    "the nearer is the exact solution of the first order model with Greenshields' diagram.\n"
    f"L1 is the error of the density over the jam density with τ = {FAST * 1000:g} ms; then what greater τ leave at N = {FINE}.",
)


def measure_transmission() -> list[Figure]:
    physics = Physics(closure="triangular", classes=("car",), jam_veh_per_m=JAM, car_tau_s=1e-9, shape=CRITICAL)
    rho = np.random.default_rng(4).uniform(0, JAM, CELLS)
    pieces = tuple(Piece(from_m=at * CELL_M, to_m=(at + 1) * CELL_M, density_veh_per_m=(held,)) for at, held in enumerate(rho.tolist()))
    posed = scenario(
        "ring",
        physics=physics,
        length_m=CELLS * CELL_M,
        limit_kmh=SPEED * KMH,
        scheme=Scheme(order=1, cell_m=CELL_M, courant=1.0),
        initial=Initial(roads=(InitialRoad(road="ring", pieces=pieces),)),
    )
    simulator = Simulator(posed, dtype="float64", threads=1)
    held = rho * CELL_M
    most, wave = CRITICAL * JAM * CELL_M, CRITICAL / (1 - CRITICAL)
    worst = 0.0
    for _ in range(STEPS):
        simulator.step(None, simulator.dt_bound_s)
        passing = np.minimum(np.minimum(held, most), np.minimum(most, wave * (JAM * CELL_M - np.roll(held, -1))))
        held = held - passing + np.roll(passing, 1)
        worst = max(worst, float(np.abs(simulator.fields().density[0, 0] * CELL_M - held).max()))
    return [
        Figure("time step over CELL/V", simulator.dt_bound_s * SPEED / CELL_M, at_least=1 - ROUNDING),
        Figure("worst difference", worst / (JAM * CELL_M), at_most=ROUNDING),
        Figure("drift", float(np.abs(simulator.ledger().drift).max()), at_most=ROUNDING),
    ]


def measure_relaxation(name: str, order: Order) -> list[Figure]:
    errors = [_error(name, order, size, FAST) for size in SIZES]
    slower = [Figure(f"τ = {tau:g} s", _error(name, order, FINE, tau)) for tau in TAUS]
    falling = all(one.value > other.value for one, other in pairwise(slower))
    return [*in_full(errors, SIZES, {}, LEAST_ORDER), *slower, Figure("falls with τ", float(falling), at_least=1.0)]


def _error(name: str, order: Order, cells: int, tau_s: float) -> float:
    left, right = LIMITS[name]
    # With one marker the default closure is the first order model.
    jump = Jump(name, "", "multiplicative", (left, 1 - left), (right, 1 - right))
    physics = Physics(closure="power", classes=("car",), jam_veh_per_m=JAM, car_tau_s=tau_s, car_pressure_kmh=PRESSURE * SPEED * KMH)
    states: list[Any] = [(rho * JAM, UNSETTLED * (1 - rho) * SPEED) for rho in (left, right)]
    posed = scenario(
        "riemann",
        physics=physics,
        left=states[0],
        right=states[1],
        length_m=(2 * jump.margin + 1) * LENGTH_M,
        limit_kmh=SPEED * KMH,
        scheme=Scheme(order=order, cell_m=LENGTH_M / cells),
    )
    done = carry(posed, jump.time * LENGTH_M / SPEED)
    edges = np.linspace(-0.5, 0.5, cells + 1)
    exact = averages(lambda x: jump.density(x / jump.time), edges, [speed * jump.time for speed in jump.kinks])
    return float(np.abs(done.density[0, jump.margin * cells : (jump.margin + 1) * cells] / JAM - exact).mean())


def cases() -> list[Case]:
    return [
        Case("transmission", TRANSMISSION, "τ → 0, triangular", measure_transmission),
        *(
            Case(f"relaxation {name}, order {order}", RELAXATION, name, partial(measure_relaxation, name, order))
            for name in LIMITS
            for order in BOTH
        ),
    ]

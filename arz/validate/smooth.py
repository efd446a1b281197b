"""What has an exact answer in every digit or a known order: a smooth contact, and a platoon that meets a queue."""

from functools import partial

import numpy as np

from arz.laws.exact import smooth_contact
from arz.validate.base import BOTH, Case, Figure, Group, Order, in_full
from arz.validate.carry import carry
from arz.validate.jumps import JAM, KMH, SPEED, Jump, averages
from arz.validate.riemann import LENGTH_M, ROUNDING, posed
from arz.world.physics import ClosureName
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario
from arz.world.scenarios.registry import scenario
from arz.world.scheme import Scheme

SIZES = (50, 100, 200, 400)
ORDERS = {1: 0.9, 2: 1.9}
SPECIFIED = dict(zip(SIZES, (9.95e-4, 2.53e-4, 6.07e-5, 1.48e-5), strict=True))
"""What the best second order scheme known before leaves of the smooth contact of the closure `power`."""
SLACK = 1.1

# Exponent, common speed, mean and swing of the markers, and for how long, in units of `SPEED` and a ring of length 1.
CONTACTS: dict[ClosureName, tuple[float, float, float, float, float]] = {
    "power": (2.0, 0.5, 1.2, 0.2, 1.0),
    "multiplicative": (1.0, 0.5, 1.0, 0.2, 1.0),
}
PLATOON, QUEUE, STEP = (0.1, 0.9), (1.0, 0.0), 0.002
LEFT_BEHIND = 0.136

SMOOTH = Group(
    "Smooth contact on a ring",
    "Drivers of different markers move at one speed, so the picture travels unchanged: v = 0.5, w = mean + 0.2 sin 2πx, until t = 1.\n"
    "The bounds of the second order are 1.1 times the errors of the best scheme known before.",
)
LEAK = Group(
    "A queue does not leak backwards",
    "A platoon (0.1, 0.9) meets a queue (1, 0), one step later the cell before it holds 0.136 and the queue 1, exactly.\n"
    "HLL and Rusanov fluxes put some 15 % of the queue into the cell behind it.",
)


def ring(closure: ClosureName, order: Order, cells: int) -> Scenario:
    """The ring with the exact averages of rho and y in every cell."""
    shape, v, mean, swing, _ = CONTACTS[closure]
    jump = Jump("ring", "", closure, (0.0, 0.0), (0.0, 0.0), shape)
    edges = np.linspace(0, 1, cells + 1)
    at = partial(smooth_contact, jump.code, t=0.0, v=v, w_mean=mean, w_swing=swing, scale=1.0, jam=1.0, shape=shape)
    rho = averages(lambda x: at(x)[0], edges, ())
    y = averages(lambda x: at(x)[0] * at(x)[1], edges, ())
    pieces = tuple(
        Piece(
            from_m=float(low) * LENGTH_M,
            to_m=float(high) * LENGTH_M,
            density_veh_per_m=(held * JAM,),
            speed_m_per_s=(jump.speed(held, of_y / held) * SPEED,),
        )
        for low, high, held, of_y in zip(edges[:-1], edges[1:], rho.tolist(), y.tolist(), strict=True)
    )
    return scenario(
        "ring",
        physics=jump.physics,
        length_m=LENGTH_M,
        limit_kmh=SPEED * KMH,
        scheme=Scheme(order=order, cell_m=LENGTH_M / cells),
        initial=Initial(roads=(InitialRoad(road="ring", pieces=pieces),)),
    )


def measure_contact(closure: ClosureName, order: Order) -> list[Figure]:
    shape, v, mean, swing, time = CONTACTS[closure]
    code = Jump("ring", "", closure, (0.0, 0.0), (0.0, 0.0), shape).code
    runs = [carry(ring(closure, order, size), time * LENGTH_M / SPEED) for size in SIZES]
    errors = []
    for size, done in zip(SIZES, runs, strict=True):
        exact = averages(lambda x: smooth_contact(code, x, time, v, mean, swing, 1.0, 1.0, shape)[0], np.linspace(0, 1, size + 1), ())
        errors.append(float(np.abs(done.density[0] / JAM - exact).mean()))
    bounds = {size: SLACK * error for size, error in SPECIFIED.items()} if closure == "power" and order > 1 else {}
    return [*in_full(errors, SIZES, bounds, ORDERS[order]), Figure("drift", max(done.drift for done in runs), at_most=ROUNDING)]


def measure_leak(order: Order) -> list[Figure]:
    cells = 200
    jump = Jump("leak", "", "power", PLATOON, QUEUE)
    done = carry(posed(jump, order, cells), STEP * LENGTH_M / SPEED)
    queue = jump.margin * cells + cells // 2
    behind, head = done.density[0, queue - 1 : queue + 1].tolist()
    return [
        Figure("steps", done.steps, at_most=1),
        Figure("cell before", behind / JAM),
        Figure("its error", abs(behind / JAM - LEFT_BEHIND), at_most=ROUNDING),
        Figure("queue's error", abs(head / JAM - 1), at_most=ROUNDING),
    ]


def cases() -> list[Case]:
    contacts = [
        Case(f"smooth {closure}, order {order}", SMOOTH, "smooth contact", partial(measure_contact, closure, order))
        for closure in CONTACTS
        for order in BOTH
    ]
    leaks = [Case(f"leak, order {order}", LEAK, "platoon and queue", partial(measure_leak, order)) for order in BOTH]
    return [*contacts, *leaks]

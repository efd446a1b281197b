"""Two classes on the engine stay within what a road can hold, from every state and for long: no bound on speeds is needed for that."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arz.engine.simulator import Simulator
from arz.laws.state import NOBODY
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario
from arz.world.scenarios.registry import SCENARIOS, scenario
from arz.world.scheme import Scheme
from tests.arz.engines import FROZEN, LIMIT_KMH, PAIR, one_road, street

pytestmark = pytest.mark.timeout(600)

CELLS, CELL_M = 24, 15.0
NUMBERS = PAIR.numbers(LIMIT_KMH, "R2")
ROOM = NUMBERS[0].jam
"""R_m, which no occupancy exceeds; of both classes, who weigh alike."""
NEAR = {"float32": 1e-5, "float64": 1e-12}
STEPS = 300
LOST = NOBODY * CELL_M * CELLS * STEPS
"""Vehicles, at most: a cell that empties loses what is nobody, 1e-18 veh/m, which counts where there is hardly anybody."""

cell = st.tuples(
    st.floats(0, 1) | st.sampled_from([0.0, 0.9, 1.0]),  # the part of the road that is occupied
    st.floats(0, 1) | st.sampled_from([0.0, 1.0]),  # of which motorcycles
    st.floats(0.05, 1) | st.just(1.0),  # the markers over V_max
    st.floats(0.05, 1) | st.just(1.0),
)


def piece(at: int, filled: float, share: float, *markers: float) -> Piece:
    m = NUMBERS[0]
    rho = (filled * ROOM * share / m.own, filled * ROOM * (1 - share))
    # The occupancy of these very densities: by rounding they may fill all the room where `filled` leaves some, and then nobody moves.
    crowds = (n.own * rho[k] + n.other * rho[1 - k] for k, n in enumerate(NUMBERS))
    speeds = tuple(w * n.limit * max(1 - r * n.scale, 0.0) for n, w, r in zip(NUMBERS, markers, crowds, strict=True))
    return Piece(from_m=at * CELL_M, to_m=(at + 1) * CELL_M, density_veh_per_m=rho, speed_m_per_s=speeds)


def sound(simulator: Simulator, dtype: str) -> None:
    """Nobody is negative, nobody is lost, nothing is beyond R_m, and each marker is one that was there."""
    snapshot: dict[str, Any] = simulator.snapshot()
    rho, y = snapshot["rho"].astype(float), snapshot["y"].astype(float)
    occupied = NUMBERS[0].own * rho[:, 0] + NUMBERS[0].other * rho[:, 1]

    assert rho.min() >= 0
    assert y.min() >= 0
    assert occupied.max() <= ROOM * (1 + NEAR[dtype])
    for k, n in enumerate(NUMBERS):
        assert (y[:, k] <= rho[:, k] * n.limit * (1 + NEAR[dtype])).all()
    ledger = simulator.ledger()
    assert (np.abs(ledger.drift) * ledger.start <= NEAR[dtype] / 10 * ledger.start + LOST).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cells=st.lists(cell, min_size=CELLS, max_size=CELLS), wall=st.booleans())
def test_from_every_state(dtype: str, cells: list[tuple[float, float, float, float]], wall: bool) -> None:
    """Any state, with the longest step there is, towards a free end or a wall, for 300 steps: an unsound one would stop the run."""
    world = Scenario(
        name="any",
        network=one_road(CELLS * CELL_M, end="wall" if wall else "free"),
        physics=FROZEN,
        scheme=Scheme(order=2, cell_m=CELL_M, courant=1.0),
        initial=Initial(roads=(InitialRoad(road="road", pieces=tuple(piece(at, *each) for at, each in enumerate(cells))),)),
    )
    simulator = Simulator(world, dtype=dtype, threads=1)
    begun = float(simulator.snapshot()["y"].sum())
    for _ in range(6):
        simulator.step(None, STEPS / 6 * simulator.dt_bound_s)
        sound(simulator, dtype)
    # What the range of the markers takes is rounding: y is conserved as vehicles are.
    assert np.abs(simulator.ledger().y_removed).sum() <= 1e-4 * begun * CELL_M


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("lengths", "shortest_m"), [((60.0, 7.5, 60.0, 9.0, 45.0), 7.5), ((22.5, 24.0, 22.5), 11.25)], ids=["one cell", "two cells"]
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cells=st.lists(cell, min_size=12, max_size=12), wall=st.booleans())
def test_roads_without_slopes_are_crossed_whole(
    lengths: tuple[float, ...], shortest_m: float, dtype: str, cells: list[tuple[float, float, float, float]], wall: bool
) -> None:
    """A road of one or two cells has no slopes at second order either: its longest step is that of the first, and is sound from every state.

    Once a stub of ten metres at a crossing halved the step of a whole town.
    """
    network = street(*lengths, end="wall" if wall else "free")
    given_of = iter(cells)
    initial = []
    for at, length in enumerate(lengths):
        parts = [piece(0, *each) for each in (next(given_of), next(given_of))]
        halves = [part.model_copy(update={"from_m": n * length / 2, "to_m": (n + 1) * length / 2}) for n, part in enumerate(parts)]
        initial.append(InitialRoad(road=f"r{at}", pieces=tuple(halves)))
    scheme = Scheme(order=2, cell_m=CELL_M, courant=1.0)
    world = Scenario(name="short", network=network, physics=FROZEN, scheme=scheme, initial=Initial(roads=tuple(initial)))
    simulator = Simulator(world, dtype=dtype, threads=1)

    assert simulator.dt_bound_s == pytest.approx(shortest_m / NUMBERS[0].limit, rel=NEAR[dtype])
    for _ in range(6):
        simulator.step(None, STEPS / 6 * simulator.dt_bound_s)
        assert simulator.courant()[0] <= 1.0 + NEAR[dtype]
        sound(simulator, dtype)


@pytest.mark.deep
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", [made.name for made in SCENARIOS])
def test_an_hour_of_every_scenario(name: str, dtype: str) -> None:
    """Each scenario runs an hour of two classes at second order: nobody is lost, nobody is negative, no cell is overfull."""
    world = scenario(name)
    simulator = Simulator(world, dtype=dtype, threads=1)
    for _ in range(60):
        simulator.step(None, 60.0)
        fields = simulator.fields()
        assert fields.density.min() >= 0
        assert fields.speed.min() >= 0
    assert np.abs(simulator.ledger().drift).max() <= (2.1e-7 if dtype == "float32" else 1e-12)

"""`arz.validate` measures the engine against exact answers, keeps its bounds where it says so, and its page is what it measures."""

import json
from pathlib import Path

import numpy as np
import pytest

from arz.engine.simulator import Simulator
from arz.errors import Unknown
from arz.validate.base import Figure, Group, Row, Table
from arz.validate.jumps import JAM, SPEED, Jump, averages
from arz.validate.page import HEAD, page
from arz.validate.registry import cases
from arz.validate.riemann import ADDITIVE, PRODUCT
from arz.validate.signal import BEYOND_M, GREEN_S, LIGHTS, RED_S, stop_line
from arz.validate.suite import validate
from arz.world.scenario import Initial, InitialRoad, Piece, Scenario

pytestmark = pytest.mark.timeout(600)  # the first run on a machine compiles a kernel
PAGE = Path(__file__).parents[2] / "docs" / "validation.md"
SOME = ("M6, order 1", "M8, order 1", "smooth multiplicative, order 1", "light default, order 1")
"""One model, so that one kernel is compiled."""


@pytest.fixture(scope="module")
def some() -> Table:
    return validate(cases=SOME)


def test_the_quick_cases_keep_their_bounds(some: Table) -> None:
    """A fan into a vacuum, a discharge, a smooth contact and a stop line, by the engine, at first order."""
    assert some.misses == ()
    assert some.ok
    assert tuple(row.case for row in some.rows) == SOME
    assert some.rows[2].figure("order").value > 0.95
    assert some.rows[3].figure("passed at red").value == 0
    assert some.rows[3].figure("saturation flow").value == pytest.approx(0.25, rel=1e-12)


def held(text: str) -> dict[str, dict[str, str]]:
    """By case, what each column of a page says; empty cells are left out."""
    found: dict[str, dict[str, str]] = {}
    names: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| ") else []
        if cells and cells[0] == "case":
            names = cells
        elif cells and cells[0] != "---":
            found[cells[0]] = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
    return found


def test_the_page_is_what_was_measured(some: Table) -> None:
    """All cases stand on docs/validation.md, and the quick ones with the figures that they have here; nothing is written by hand."""
    text = PAGE.read_text()
    said = held(text)

    assert text.startswith(HEAD)
    assert list(said) == [case.name for case in cases()]
    assert {name: said[name] for name in SOME} == held(page(some))


def test_a_table_is_plain_data(some: Table) -> None:
    """`plain` survives JSON, and says of each figure whether it is kept, and None where nothing is promised."""
    plain = json.loads(json.dumps(some.plain()))

    assert plain["ok"] is True
    assert plain["bounds"] == some.bounds > 10
    figures = {figure["name"]: figure for figure in plain["rows"][0]["figures"]}
    assert figures["drift"]["met"] is True
    assert figures["L1, N = 100"]["met"] is None


def test_a_missed_bound_is_told() -> None:
    """A figure beyond its bound, NaN and a run that was stopped make the table not ok, and stand bold or as a sentence."""
    group = Group("Things", "They are.")
    good, high, low = Figure("a", 1.0, at_most=1.0), Figure("b", 2.0, at_most=1.0), Figure("c", float("nan"), at_least=0.0)
    rows = (
        Row("one", "Things", "kept", (good,)),
        Row("two", "Things", "missed", (high, low)),
        Row("three", "Things", "stopped", (), "went wrong"),
    )
    table = Table(rows, (group,))

    assert not table.ok
    assert table.misses == ("two: b is 2, to be at most 1", "two: c is nan, to be at least 0", "three: went wrong")
    assert "| two | missed |  | **2** (≤ 1) | **nan** (≥ 0) |" in page(table)
    assert Table(rows[:1], (group,)).ok


def test_cases_are_chosen_by_name_and_progress_is_told() -> None:
    """An unknown name is refused before anything is computed; progress runs from 0 to the number of cases."""
    with pytest.raises(Unknown, match="no case named 'T99'"):
        validate(cases=["T99"])
    told: list[tuple[float, float]] = []
    assert validate(lambda done, total: told.append((done, total)), cases=()).rows == ()
    assert told == [(0, 0)]
    assert len({case.name for case in cases()}) == len(cases())


@pytest.mark.parametrize("jump", [*ADDITIVE, *PRODUCT], ids=lambda jump: jump.name)
def test_the_exact_waves_agree_with_the_exact_solution(jump: Jump) -> None:
    """Between two neighbouring kinks the density is smooth, and mass is conserved: what is measured against is right."""
    edges = np.linspace(-2.0, 2.0, 81)
    mean = averages(jump.density, edges, jump.kinks).mean() * 4
    (rho_l, v_l), (rho_r, v_r) = jump.left, jump.right

    # In unit time the ends at ±2 have seen nothing but their own states. The edge of T10's fan is a root, no polynomial.
    assert mean == pytest.approx(2 * rho_l + 2 * rho_r + rho_l * v_l - rho_r * v_r, abs=1e-5)


def test_a_queue_is_let_go_at_saturation_flow_whoever_else_drives() -> None:
    """A stop line passes w·R/4 at green although slower drivers are far away: the limiter has no neighbours beyond a node."""
    light = next(light for light in LIGHTS if light.name == "default")
    made = stop_line(light, 1, 10.0)
    slow = Piece(from_m=BEYOND_M - 50, to_m=BEYOND_M, density_veh_per_m=(0.5 * JAM,), speed_m_per_s=(0.2 * SPEED,))
    initial = Initial(roads=(*made.initial.roads, InitialRoad(road="beyond", pieces=(slow,))))
    simulator = Simulator(Scenario(**{**{n: getattr(made, n) for n in Scenario.model_fields}, "initial": initial}), dtype="float64")
    simulator.step(None, RED_S)
    before = simulator.ledger()
    simulator.step(None, GREEN_S)
    passed = simulator.measures().inside[0, 1, 0] + simulator.ledger().left.sum() - before.left.sum()

    assert passed == pytest.approx(GREEN_S * SPEED * JAM / 4, rel=1e-9)


@pytest.mark.deep
@pytest.mark.timeout(3000)
def test_the_whole_table() -> None:
    """The engine misses what the page says it misses, and nothing else."""
    table = validate()
    said = [line[2:] for line in PAGE.read_text().splitlines() if line.startswith("- ")]

    assert list(table.misses) == said

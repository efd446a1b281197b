"""Every kind of road end keeps its contract, and the queue before an entry loses nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arz.errors import Unknown
from arz.laws.boundary.base import End
from arz.laws.boundary.inflow import still_waiting, wanting
from arz.laws.boundary.registry import ENDS, code_of, flux

flows = st.floats(0.0, 5.0)
every = pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)


@every
@given(sent=flows, taken=flows, cap=flows)
def test_no_more_passes_than_was_sent(end: End, sent: float, taken: float, cap: float) -> None:
    """0 ≤ flux ≤ sent, and a red light before the end, which sends 0, passes exactly 0."""
    assert 0 <= end.flux(sent, taken, cap) <= sent
    assert end.flux(0.0, taken, cap) == 0
    assert flux(code_of(end.name), (sent, taken, cap)) == end.flux(sent, taken, cap)


@given(sent=flows, taken=flows, cap=flows)
def test_each_end_asks_what_it_should(sent: float, taken: float, cap: float) -> None:
    """An entry asks for room and its meter, an exit for nothing or its capacity, a ring for room, and a wall lets nobody through."""
    passed = {end.name: end.flux(sent, taken, cap) for end in ENDS}

    assert passed == {
        "inflow": min(sent, taken, cap),
        "free": sent,
        "capped": min(sent, cap),
        "wall": 0,
        "ring": min(sent, taken),
    }


@given(arrivals=st.lists(st.floats(0.0, 2.0), max_size=30), room=flows)
def test_demand_that_does_not_fit_waits(arrivals: list[float], room: float) -> None:
    """Who arrived has entered or is waiting, and waits only while there is no room."""
    waiting = entered = 0.0
    for arriving in arrivals:
        passing = flux(code_of("inflow"), (wanting(waiting, arriving, 0.5), room, 1e9))
        waiting = still_waiting(waiting, arriving, passing, 0.5)
        entered += 0.5 * passing

        assert waiting >= 0
        assert waiting <= 1e-12 or passing == room
    assert entered + waiting == pytest.approx(0.5 * sum(arrivals), rel=1e-12, abs=1e-12)


def test_an_unknown_end_is_refused() -> None:
    """The refusal lists what there is."""
    with pytest.raises(Unknown, match="no road end named 'cliff'; known: inflow, free, capped, wall, ring"):
        code_of("cliff")

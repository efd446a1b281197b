"""What a network answers about its nodes, and how physics and demand answer for its roads."""

import math
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arz.errors import Invalid
from arz.world.demand import Demand, Inflow, mixed
from arz.world.network import Network, Node, Phase, Road, Signal, Turn


def road(road_id: str, start: str, end: str, lanes: int = 1) -> Road:
    return Road(id=road_id, start=start, end=end, length_m=100.0, lanes=lanes, limit_kmh=50.0)


def crossing(*turns: Turn) -> Network:
    """Two-way streets to a and b, a one-way street in from c and one out to d, all meeting at x."""
    roads = (
        road("a_in", "a", "x", 2),
        road("a_out", "x", "a", 1),
        road("b_in", "b", "x", 1),
        road("b_out", "x", "b", 3),
        road("c_in", "c", "x", 1),
        road("d_out", "x", "d", 1),
    )
    nodes = (Node(id="x", turns=turns, priority={"c_in": 5.0}), *(Node(id=each) for each in "abcd"))  # type: ignore[arg-type]
    return Network(name="crossing", roads=roads, nodes=nodes)


def test_approaches_and_exits_keep_the_order_of_roads() -> None:
    """A node's roads come in the order in which the network lists them."""
    network = crossing()

    assert ["a_in", "b_in", "c_in"] == [each.id for each in network.approaches("x")]
    assert ["a_out", "b_out", "d_out"] == [each.id for each in network.exits("x")]
    assert ["c_in"] == [each.id for each in network.entries]
    assert ["d_out"] == [each.id for each in network.outlets]


def test_turns_follow_lanes_and_nobody_turns_back() -> None:
    """Without turns of its own an approach is shared out by the lanes of the exits, the way back left out."""
    expected = ((0.0, 0.75, 0.25), (0.5, 0.0, 0.5), (0.2, 0.6, 0.2))

    assert (expected, expected) == crossing().turning("x")
    assert (expected,) == crossing().turning("x", ("car",))


def test_a_dead_end_turns_back() -> None:
    """Where the way back is the only one it is taken."""
    assert (((1.0,),),) == crossing().turning("a", ("car",))


def test_turns_of_a_class_come_before_those_of_all() -> None:
    """A class follows its own turns, then those of every class, then the lanes."""
    network = crossing(
        Turn(approach="c_in", exit="a_out", share=1.0, vehicle="motorcycle"),
        Turn(approach="c_in", exit="d_out", share=0.6),
        Turn(approach="c_in", exit="b_out", share=0.4),
        Turn(approach="a_in", exit="a_out", share=1.0, vehicle="car"),
    )
    motorcycles, cars = network.turning("x")

    assert ((1.0, 0.0, 0.0), (0.0, 0.4, 0.6)) == (motorcycles[2], cars[2])
    assert ((0.0, 0.75, 0.25), (1.0, 0.0, 0.0)) == (motorcycles[0], cars[0])


def test_approaches_are_worth_their_lanes() -> None:
    """A priority that is not given is the number of lanes."""
    assert (2.0, 1.0, 5.0) == crossing().priorities("x")


def test_an_exit_has_nothing_to_turn_to() -> None:
    """At an outlet each approach has an empty row."""
    assert (((),),) == crossing().turning("d", ("car",))


def test_a_cycle_counts_the_changes_of_phases() -> None:
    """Amber and all-red follow every phase, unless it is the only one."""
    one, other = Phase(green=("a",), duration_s=30.0), Phase(green=("b",), duration_s=20.0)

    assert 60.0 == Signal(phases=(one, other), amber_s=3.0, all_red_s=2.0).cycle_s
    assert 30.0 == Signal(phases=(one,)).cycle_s


def test_checking_a_network_is_linear_in_its_roads() -> None:
    """Eight times the roads are eight times the lines run: nothing is looked up by a loop of its own."""

    def lines_run(count: int) -> int:
        roads = tuple(road(f"r{at}", f"n{at}", f"n{at + 1}") for at in range(count))
        nodes = tuple(
            Node(id=f"n{at}", turns=(Turn(approach=f"r{at - 1}", exit=f"r{at}", share=1.0),) if 0 < at < count else ())
            for at in range(count + 1)
        )
        run = 0

        def count_line(_frame: FrameType, event: str, _: object) -> Callable[..., Any]:
            nonlocal run
            run += event == "line"
            return count_line

        before = sys.gettrace()
        sys.settrace(count_line)
        try:
            Network(name="line", roads=roads, nodes=nodes)
        finally:
            sys.settrace(before)
        return run

    assert lines_run(800) < 9 * lines_run(100)


STEPPED = Demand(
    inflows=(
        Inflow(road="r", vehicle="car", profile=((0.0, 360.0), (600.0, 720.0), (1200.0, 0.0))),
        Inflow(road="r", vehicle="motorcycle", profile=((300.0, 3600.0),)),
    )
)


def test_a_table_has_a_piece_for_every_change() -> None:
    """Rates are in veh/s, scaled, 0 before the first time of a profile and constant after its last one."""
    times, rates = STEPPED.table(seed=0, horizon_s=1500.0)
    doubled = STEPPED.model_copy(update={"scale": 2.0}).table(seed=0, horizon_s=1500.0)[1]

    assert [0.0, 300.0, 600.0, 1200.0] == times.tolist()
    np.testing.assert_allclose([[0.1, 0.1, 0.2, 0.0], [0.0, 1.0, 1.0, 1.0]], rates, rtol=1e-15)
    np.testing.assert_allclose(2 * rates, doubled, rtol=1e-15)


def test_a_table_ends_before_the_horizon() -> None:
    """Changes at the horizon or later are nobody's business; without inflows there is one piece of nothing."""
    assert [0.0, 300.0] == STEPPED.table(seed=0, horizon_s=600.0)[0].tolist()
    assert (0, 1) == Demand().table(seed=0, horizon_s=600.0)[1].shape


@settings(max_examples=30)
@example(seed=0, start=float(np.nextafter(1500.0, 0)))  # just before a step of the noise, which it was once taken for
@given(seed=st.integers(0, 2**64 - 1), start=st.floats(0.0, 3000.0))
def test_a_window_is_known_without_the_time_before(seed: int, start: float) -> None:
    """What a table of a window says at any moment is what the whole table says."""
    demand = STEPPED.model_copy(update={"noise": 0.3})
    times, rates = demand.table(seed, 3600.0)
    window, within = demand.table(seed, 3600.0, start_s=start)
    moments = np.linspace(start, 3599.0, 50)
    whole = rates[:, np.searchsorted(times, moments, side="right") - 1]

    assert start == window[0]
    np.testing.assert_array_equal(whole, within[:, np.searchsorted(window, moments, side="right") - 1])


def test_noise_has_mean_one_and_the_spread_that_is_asked_for() -> None:
    """Factors of 20,000 steps and two inflows are right to sampling error, unrelated, and change with the seed."""
    demand = Demand(
        inflows=mixed("r", 7200.0, ("motorcycle", "car")), noise=0.25, noise_step_s=1.0
    )  # of one veh/s each, a rate is its factor
    factors = demand.table(seed=7, horizon_s=20_000.0)[1]

    assert factors.shape == (2, 20_000)
    assert factors.min() > 0
    np.testing.assert_allclose(1.0, factors.mean(axis=1), atol=4 * 0.25 / math.sqrt(20_000))
    np.testing.assert_allclose(0.25, factors.std(axis=1), rtol=0.03)
    assert abs(np.asarray(np.corrcoef(factors))[0, 1]) < 4 / math.sqrt(20_000)
    assert abs(np.corrcoef(factors[0, 1:], factors[0, :-1])[0, 1]) < 4 / math.sqrt(20_000)
    assert (factors == demand.table(seed=7, horizon_s=20_000.0)[1]).all()
    assert not (factors == demand.table(seed=8, horizon_s=20_000.0)[1]).any()


def test_mixed_flows_add_up() -> None:
    """Two classes share a flow; one class alone has all of it."""
    rates = {inflow.vehicle: inflow.profile[0][1] for inflow in mixed("r", 1000.0, ("motorcycle", "car"), 0.3)}

    assert rates == pytest.approx({"motorcycle": 300.0, "car": 700.0})
    assert [1000.0] == [inflow.profile[0][1] for inflow in mixed("r", 1000.0, ("car",))]


def test_a_priority_may_be_given_as_pairs() -> None:
    """A mapping and its pairs make the same node."""
    assert Node(id="x", priority=(("a", 2.0),)) == Node(id="x", priority={"a": 2.0})  # type: ignore[arg-type]


def test_a_turn_to_the_own_start_can_be_asked_for() -> None:
    """Turning back is refused to nobody who gives its share; only shares that leave a rest are."""
    with pytest.raises(Invalid, match="add up to 1"):
        crossing(Turn(approach="a_in", exit="a_out", share=0.5))

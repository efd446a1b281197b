"""Every ready scenario keeps its contract, and the twin of Victoria Island has the statistics of the real one."""

import math
import statistics
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from typing import get_args

import pytest

from arz.errors import Invalid, Unknown
from arz.laws.junctions.registry import JUNCTIONS
from arz.world.actuators.registry import ACTUATORS
from arz.world.network import Network, Node, Road
from arz.world.physics import Physics, VehicleClass
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.registry import SCENARIOS, options_of, scenario
from arz.world.scenarios.riemann import RIEMANN
from arz.world.scheme import Scheme

every = pytest.mark.parametrize("kind", SCENARIOS, ids=[kind.name for kind in SCENARIOS])
CARS: tuple[VehicleClass, ...] = ("car",)


def test_nodes_name_every_junction() -> None:
    """The kinds of node that a record takes are those of the registry."""
    assert get_args(Node.model_fields["kind"].annotation) == tuple(junction.name for junction in JUNCTIONS)


def test_every_actuator_has_a_kind_of_its_own() -> None:
    """Their discriminators differ, or one could not be told from another in a file."""
    kinds = [actuator.model_fields["kind"].default for actuator in ACTUATORS]

    assert len(set(kinds)) == len(kinds) == 2


@every
def test_a_scenario_is_the_same_every_time(kind: Kind) -> None:
    """Equal options make equal scenarios, which go out to JSON and come back equal."""
    made = scenario(kind.name)

    assert made == scenario(kind.name)
    assert made == Scenario.load(made.model_dump_json())
    assert kind.name == made.name
    assert "physics" in options_of(kind.name)


@every
def test_a_scenario_takes_one_class_or_two(kind: Kind) -> None:
    """A scenario follows the physics that it is given."""
    if kind is not RIEMANN:
        for classes in (CARS, ("motorcycle",), ("motorcycle", "car")):
            made = scenario(kind.name, physics={"classes": classes})

            assert classes == made.physics.classes
            assert {inflow.vehicle for inflow in made.demand.inflows} <= set(classes)


@every
def test_fields_of_a_scenario_are_options_too(kind: Kind) -> None:
    """What the kind has chosen can be chosen otherwise."""
    made = scenario(kind.name, scheme=Scheme(order=1), horizon_s=30.0, decision_s=10.0, seed=5)

    assert (1, 30.0, 10.0, 5) == (made.scheme.order, made.horizon_s, made.decision_s, made.seed)


@every
def test_a_wrong_option_is_refused(kind: Kind) -> None:
    """An unknown option is refused with those that there are, and a value of another type with the option's name."""
    with pytest.raises(Invalid, match="choose among physics"):
        scenario(kind.name, colour="red")
    option = next(name for name, value in options_of(kind.name).items() if isinstance(value, float))
    with pytest.raises(Invalid) as refused:
        scenario(kind.name, **{option: "many"})
    assert option == refused.value.path


def test_an_unknown_scenario_is_refused() -> None:
    """The error tells which there are."""
    with pytest.raises(Unknown, match="victoria_island"):
        scenario("atlantis")


def test_a_riemann_problem_needs_all_numbers() -> None:
    """A state is as many densities and speeds as there are classes."""
    with pytest.raises(Invalid, match="2 densities and then 2 speeds"):
        scenario("riemann", physics=Physics(), left=(0.1, 2.0))


ISLAND = scenario("victoria_island", demand=1.2, seed=3)


def lengths(network: Network, highway: str | None = None) -> list[float]:
    return [road.length_m for road in network.roads if highway in {None, road.highway}]


def test_the_twin_has_the_roads_of_the_island() -> None:
    """70 directed edges between 60 nodes, 12.4 km, median 148 m."""
    network = ISLAND.network

    assert (70, 60) == (len(network.roads), len(network.nodes))
    assert 12_400 == pytest.approx(sum(lengths(network)), abs=50)
    assert 148 == pytest.approx(statistics.median(lengths(network)), abs=1)


def test_the_twin_has_the_lengths_of_the_island() -> None:
    """12 stubs of 9-12 m, the rest lognormal with the right mean and spread, none beyond 665 m."""
    every_length = sorted(lengths(ISLAND.network))
    stubs, logs = every_length[:12], [math.log(length) for length in every_length[12:]]

    assert 9 <= min(stubs) < max(stubs) <= 12
    assert min(every_length[12:]) > 20
    assert 5.126 == pytest.approx(statistics.mean(logs), abs=0.05)
    assert 0.702 == pytest.approx(statistics.stdev(logs), abs=0.05)
    assert 600 < max(every_length) <= 665


def test_the_twin_has_the_classes_of_the_island() -> None:
    """33 primary (7.2 km), 23 secondary, 14 tertiary; 2-3 lanes, R2, 50 km/h."""
    roads = ISLAND.network.roads

    assert {"primary": 33, "secondary": 23, "tertiary": 14} == Counter(road.highway for road in roads)
    assert 7_200 == pytest.approx(sum(lengths(ISLAND.network, "primary")), abs=50)
    assert {2, 3} == {road.lanes for road in roads}
    assert {("R2", 50.0)} == {(road.quality, road.limit_kmh) for road in roads}


def test_the_twin_has_the_degrees_of_the_island() -> None:
    """56 one-way edges, 7 two-way pairs, and the table of (in, out) degrees."""
    network = ISLAND.network
    between = Counter(frozenset((road.start, road.end)) for road in network.roads)
    degrees = Counter((len(network.approaches(node.id)), len(network.exits(node.id))) for node in network.nodes)

    assert {1: 56, 2: 7} == Counter(between.values())
    assert {(1, 1): 37, (2, 2): 10, (1, 0): 4, (0, 1): 4, (1, 2): 2, (2, 1): 2, (3, 3): 1} == degrees
    assert 4 == len(network.entries) == len(network.outlets)


def test_the_twin_has_the_signals_of_the_island() -> None:
    """8 signalised nodes with 16 approaches, whose greens conflict."""
    network = ISLAND.network
    lit = [node for node in network.nodes if node.signal is not None]

    assert (8, 16) == (len(lit), sum(len(network.approaches(node.id)) for node in lit))
    assert all(node.signal is not None and node.signal.conflicts for node in lit)


def test_the_twin_can_be_crossed() -> None:
    """From every entry vehicles find a way to every outlet, by turns that somebody takes."""
    network = ISLAND.network
    for entry in network.entries:
        reached = {entry.id}
        ahead = [entry]
        while ahead:
            road = ahead.pop()
            at = network.approaches(road.end).index(road)
            for row in network.turning(road.end, CARS):
                for way, share in zip(network.exits(road.end), row[at], strict=True):
                    if share > 0 and way.id not in reached:
                        reached.add(way.id)
                        ahead.append(way)

        assert {outlet.id for outlet in network.outlets} <= reached


def drawn_m(network: Network, road: Road) -> float:
    ends = [network.node(road.start), network.node(road.end)]
    line = road.geometry or tuple((node.x_m, node.y_m) for node in ends)
    assert math.dist(line[0], (ends[0].x_m, ends[0].y_m)) < 1e-6
    assert math.dist(line[-1], (ends[1].x_m, ends[1].y_m)) < 1e-6
    return sum(math.dist(here, there) for here, there in pairwise(line))


def test_the_twin_is_drawn_as_long_as_it_is() -> None:
    """The picture joins the nodes, and every road in it is as long as it should be, to 2 % or a metre."""
    for road in ISLAND.network.roads:
        assert road.length_m == pytest.approx(drawn_m(ISLAND.network, road), rel=0.02, abs=1.0)


def test_demand_multiplies_all_arrivals() -> None:
    """`demand` is a factor, `seed` that of the noise; neither changes the network."""
    assert 1.2 == ISLAND.demand.scale
    assert ISLAND.network == scenario("victoria_island").network
    assert len(ISLAND.demand.inflows) == 8


def test_a_grid_has_crossings_streets_and_gates() -> None:
    """There are n × m crossings, a road each way between neighbours and through each gate, all crossings signalised."""
    network = scenario("grid", n=3, m=4).network

    assert 2 * (3 * 3 + 2 * 4) + 2 * 2 * (3 + 4) == len(network.roads)
    assert (14, 14) == (len(network.entries), len(network.outlets))
    assert 12 == sum(node.signal is not None for node in network.nodes)
    assert not any(node.signal for node in scenario("grid", n=2, m=2, signals=False).network.nodes)


def test_a_grid_of_a_hundred_thousand_cells_is_made_in_seconds() -> None:
    """10⁵ cells of 15 m cost less than ten seconds of one core."""
    begin = time.process_time()
    made = scenario("grid", n=50, m=50)

    assert sum(lengths(made.network)) / made.scheme.cell_m > 1e5
    assert time.process_time() - begin < 10


def test_a_green_wave_runs_along_the_corridor() -> None:
    """Each signal begins later than the one before, by the time that the way takes at the limit, within the cycle."""
    signals = [node.signal for node in scenario("corridor", crossings=4).network.nodes if node.signal is not None]
    delay_s = 300.0 / (50 / 3.6)

    assert [at * delay_s % signals[0].cycle_s for at in range(4)] == [signal.offset_s for signal in signals]


def test_making_a_default_scenario_needs_no_compiler() -> None:
    """A description is light: the compiler is loaded by who runs it."""
    program = (
        "import sys; from arz.world.scenarios.registry import scenario; scenario('victoria_island'); assert 'numba' not in sys.modules"
    )

    assert 0 == subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode

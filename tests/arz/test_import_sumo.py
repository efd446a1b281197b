"""SUMO networks become roads, turning shares and signals, whether written by hand or by netgenerate."""

import gzip
import math
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from arz.errors import Invalid
from arz.world.importers.registry import read
from arz.world.network import Network
from tests.arz.sumo_files import Net, crossing

FIXED = ((42, "GGGggrrrrrGGGggrrrrr"), (3, "yyyyyrrrrryyyyyrrrrr"), (40, "rrrrrGGGggrrrrrGGGgg"), (5, "rrrrryyyyyrrrrryyyyy"))


def imported(net: Net, folder: Path) -> Network:
    return read(net.write(folder / "town.net.xml"))


def note(network: Network, words: str) -> str:
    (found,) = [each for each in network.notes if words in each]
    return found


def test_edges_are_roads(tmp_path: Path) -> None:
    """Length, lanes, limit, type, name and line are those of the edge; junctions are nodes at their places."""
    net = Net().junction("a", 0, 0).junction("b", 200, 0).junction("c", 300, 50)
    net.edge("a", "b", 3, length="193.50", speed="22.22", more='type="highway.primary" name="Ring Road" shape="0,0 50,9,7 200,0"')
    network = imported(net.edge("b", "c").connect("ab", "bc"), tmp_path)
    first, second = network.roads

    assert (first.length_m, first.lanes, round(first.limit_kmh, 2)) == (193.5, 3, 79.99)
    assert (first.highway, first.name, first.geometry) == ("primary", "Ring Road", ((0, 0), (50, 9), (200, 0)))
    assert (second.lanes, second.geometry) == (1, ())
    assert [(node.id, node.x_m, node.y_m) for node in network.nodes] == [("a", 0, 0), ("b", 200, 0), ("c", 300, 50)]
    assert network.name == "town"


def test_turning_shares_come_from_the_lanes(tmp_path: Path) -> None:
    """Each lane is worth the same and is shared by where it leads; nobody turns round; the guess is noted."""
    network = imported(crossing(), tmp_path)
    shares = {(turn.approach, turn.exit): turn.share for turn in network.node("c").turns}

    assert len(shares) == 12
    for approach, right, straight, left in (("nc", "cw", "cs", "ce"), ("ec", "cn", "cw", "cs")):
        assert shares[approach, right] == pytest.approx(0.25)
        assert shares[approach, straight] == pytest.approx(0.5)
        assert shares[approach, left] == pytest.approx(0.25)
    assert note(network, "turning shares guessed").startswith("4 ×")


def test_ends_are_open(tmp_path: Path) -> None:
    """The arms let traffic in and out, though SUMO lets it turn round there; with dead_ends="turn" it does."""
    path = crossing().write(tmp_path / "town.net.xml")

    assert {road.id for road in read(path).entries} == {"nc", "ec", "sc", "wc"}
    assert {road.id for road in read(path).outlets} == {"cn", "ce", "cs", "cw"}
    assert read(path, dead_ends="turn").turning("n") == (((1.0,),), ((1.0,),))


def test_a_program_of_movements_is_a_signal_of_approaches(tmp_path: Path) -> None:
    """Green, amber and cycle are those of the program; the amber that one phase has more of counts as its green."""
    signal = imported(crossing(*FIXED, offset="10"), tmp_path).node("c").signal

    assert signal is not None
    assert [set(phase.green) for phase in signal.phases] == [{"nc", "sc"}, {"ec", "wc"}]
    assert [phase.duration_s for phase in signal.phases] == [42, 42]
    assert (signal.amber_s, signal.all_red_s, signal.cycle_s, signal.offset_s) == (3, 0, 90, 10)


def test_a_program_may_begin_between_its_phases(tmp_path: Path) -> None:
    """A program that begins with amber begins its first green that much later; its green in two steps is one phase."""
    steps = ((3, "yyyyyrrrrryyyyyrrrrr"), (2, "r" * 20), *FIXED[2:], (10, "GGGggrrrrrGGGggrrrrr"), (30, "GGGggrrrrrGGGggrrrrr"))
    signal = imported(crossing(*steps), tmp_path).node("c").signal

    assert signal is not None
    assert [(set(phase.green), phase.duration_s) for phase in signal.phases] == [({"ec", "wc"}, 40), ({"nc", "sc"}, 40)]
    assert (signal.amber_s, signal.all_red_s, signal.offset_s, signal.cycle_s) == (3, 2, 5, 90)


def test_a_left_turn_phase_does_not_open_the_approach(tmp_path: Path) -> None:
    """Where less than half of an approach may go it counts as red, in a cycle of the same length; the note says so."""
    steps = (FIXED[0], FIXED[1], (8, "rrrGGrrrrrrrrGGrrrrr"), (3, "rrryyrrrrrrrryyrrrrr"), *FIXED[2:])
    network = imported(crossing(*steps), tmp_path)
    signal = network.node("c").signal

    assert signal is not None
    assert [set(phase.green) for phase in signal.phases] == [{"nc", "sc"}, set(), {"ec", "wc"}]
    assert signal.cycle_s == 101
    assert note(network, "different times").startswith("2 ×")


def test_who_has_green_all_the_time_is_never_stopped(tmp_path: Path) -> None:
    """An approach that the light does not name, and one that always has green, are in every phase."""
    net = Net().junction("c", 0, 0, "traffic_light").junction("o", 100, 0)
    for at, arm in enumerate("nsw"):
        net.junction(arm, -9, 9 * at).edge(arm, "c").connect(f"{arm}c", "co", 0, "s", "" if arm == "w" else "c", at)
    network = imported(net.edge("c", "o").program("c", (30, "Gr"), (3, "yr"), (20, "rG"), (3, "ry")), tmp_path)
    signal = network.node("c").signal

    assert signal is not None
    assert [set(phase.green) for phase in signal.phases] == [{"nc", "wc"}, {"sc", "wc"}]


def test_a_long_red_for_all_stays_red(tmp_path: Path) -> None:
    """Twenty seconds for people on foot are a phase of nobody, not more green."""
    signal = imported(crossing(*FIXED[:3], (3, FIXED[3][1]), (20, "r" * 20)), tmp_path).node("c").signal

    assert signal is not None
    assert [(len(phase.green), phase.duration_s) for phase in signal.phases] == [(2, 42), (2, 40), (0, 17)]
    assert signal.cycle_s == 108


def test_other_programs_and_lights_without_one_are_noted(tmp_path: Path) -> None:
    """The first program counts; a program driven by traffic is read as fixed; a missing program leaves the node without a signal."""
    network = imported(crossing(*FIXED).program("c", (9, "G" * 20), number="1"), tmp_path)
    assert note(network, "several programs").startswith("1 ×")
    assert network.node("c").signal

    driven = crossing()
    network = imported(driven.program("c", *FIXED, kind="actuated"), tmp_path)
    assert note(network, "driven by traffic").startswith("1 ×")

    network = imported(crossing(), tmp_path)
    assert note(network, "without a program")
    assert network.node("c").signal is None


def test_what_is_not_for_cars_is_left_out(tmp_path: Path) -> None:
    """Footpaths, cycle lanes, and the ways inside of junctions are no roads and no lanes; each is counted."""
    net = crossing().edge("n", "e", lane='allow="pedestrian"').edge("e", "s", lane='disallow="all"')
    net.edges[0] = net.edges[0].replace('index="0"', 'index="0" allow="bicycle bus"')
    net.edges.append('<edge id=":c_0" function="internal"><lane id=":c_0_0" index="0" speed="9" length="12.5" shape="0,0 1,1"/></edge>')
    net.edges.append(
        '<edge id=":c_w0" function="walkingarea"><lane id=":c_w0_0" index="0" speed="1" length="2" allow="pedestrian"/></edge>'
    )
    net.connections.append('<connection from="ne" to=":c_w0" fromLane="0" toLane="0" dir="s" state="M"/>')
    network = imported(net.connect("ne", "ec"), tmp_path)

    assert {"ne", "es"}.isdisjoint(road.id for road in network.roads)
    assert network.road("nc").lanes == 1
    assert "2 × edges that cars may not use" in note(network, "edges that cars")
    assert "1 × internal edges" in note(network, "internal edges")
    assert "0.01 km" in note(network, "internal edges")
    assert "1 × crossings and walking areas" in note(network, "walking areas")


@pytest.mark.parametrize(("speed", "kmh"), [("55.56", 200), ("1.00", 5), ("13.89", 50.004)])
def test_limits_at_the_edge_are_drawn_in(speed: str, kmh: float, tmp_path: Path) -> None:
    """What converters write for no limit is 200 km/h, a walking pace 5 km/h."""
    network = imported(Net().junction("a", 0, 0).junction("b", 9, 0).edge("a", "b", speed=speed), tmp_path)

    assert network.roads[0].limit_kmh == pytest.approx(kmh)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('length="100.00"', 'length="-5"', ["<edge nc>", "-5", "metres"]),
        ('length="100.00"', 'length="nan"', ["<lane nc_0>", "'nan'"]),
        ('length="100.00"', "", ["<lane nc_0>", "'length' is missing"]),
        ('speed="13.89"', 'speed="1e9"', ["<edge nc>", "speed limit"]),
        ('speed="13.89"', 'speed="0"', ["<edge nc>", "speed limit"]),
        ('from="n" to="c"', 'from="n" to="q"', ["<edge nc>", "'q'", "not in the file"]),
        ('from="n" to="c"', 'from="n"', ["<edge nc>", "'to' is missing"]),
        ('x="100.00"', 'x="east"', ["<junction", "'east'"]),
        ('<edge id="cn"', '<edge id="nc"', ["<edge nc>", "twice"]),
        ('to="cs"', 'to="nowhere"', ["<connection>", "'nowhere'"]),
        ('to="cs"', 'to="nc"', ["<connection>", "does not begin where"]),
        ('duration="42"', 'duration="-1"', ["<tlLogic c>", "duration is '-1'"]),
        ('state="GGGggrrrrrGGGggrrrrr"', 'state="GG"', ["<tlLogic c>", "no letter for link"]),
        ("<lane ", "<band ", ["<edge nc>", "no lanes"]),
        ("</net>", "", ["cut off"]),
        ("<net ", "<osm ", ["holds <osm>, not <net>"]),
    ],
)
def test_a_spoilt_net_is_refused_with_its_element(old: str, new: str, words: list[str], tmp_path: Path) -> None:
    """The refusal names the file, the line, the element and the remedy."""
    path = tmp_path / "town.net.xml"
    text = crossing(*FIXED).xml().replace(old, new)
    path.write_text(text.replace("</net>", "</osm>") if new == "<osm " else text, encoding="utf-8")

    with pytest.raises(Invalid) as refusal:
        read(path)
    for word in [str(path), *words]:
        assert word in str(refusal.value)
    assert refusal.value.remedy


def test_a_packed_net_is_the_same(tmp_path: Path) -> None:
    """.net.xml.gz is read as .net.xml; cut off, it is refused."""
    path = tmp_path / "town.net.xml.gz"
    path.write_bytes(gzip.compress(crossing(*FIXED).xml().encode()))
    assert read(path) == imported(crossing(*FIXED), tmp_path)

    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(Invalid, match="cut off or damaged"):
        read(path)


GENERATED = [
    ["--grid", "--grid.number=4", "--grid.length=120", "--grid.attach-length=80", "-j=traffic_light", "-L=2"],
    ["--spider", "--spider.arm-number=7", "--spider.circle-number=4", "--spider.omit-center", "--tls.guess"],
    ["--rand", "--rand.iterations=150", "--seed=3", "--rand.random-lanenumber", "--tls.guess", "--tls.join"],
    ["--grid", "--grid.number=4", "--turn-lanes=1", "--sidewalks.guess", "--crossings.guess", "--grid.attach-length=90", "--lefthand"],
]


@pytest.mark.parametrize("options", GENERATED, ids=lambda options: options[0].strip("-"))
def test_nets_of_netgenerate_are_read(options: list[str], tmp_path: Path) -> None:
    """What SUMO's own generator writes is read whole: shares add up, signals keep their cycles, and no road for cars is lost."""
    program = shutil.which("netgenerate")
    if program is None:
        pytest.skip("netgenerate is not on the PATH; it comes with SUMO")
    path = tmp_path / "made.net.xml"
    subprocess.run([program, *options, "-o", str(path), "--no-warnings"], check=True, capture_output=True, cwd=tmp_path)
    network = read(path)

    assert all(road.length_m > 0 and road.lanes > 0 for road in network.roads)
    for node in network.nodes:
        for rows in network.turning(node):
            assert not network.exits(node.id) or all(math.isclose(sum(row), 1) for row in rows)
    assert {round(node.signal.cycle_s) for node in network.nodes if node.signal} <= {90}
    lanes = _lanes_for_cars(path)
    assert {road.id: road.lanes for road in network.roads}.items() <= lanes.items()
    left_out = [each for each in network.notes if "left out" in each and "reached" in each]
    assert left_out or len(network.roads) == len(lanes)


def _lanes_for_cars(path: Path) -> dict[str, int]:
    """The edges of a net with the number of their lanes that are not for people on foot, found another way than by the importer."""
    lanes: dict[str, int] = {}
    for edge in ET.parse(path).getroot().iter("edge"):  # noqa: S314 - written above
        if not edge.get("id", "").startswith(":"):
            lanes[edge.get("id", "")] = sum(lane.get("allow") != "pedestrian" for lane in edge.iter("lane"))
    return lanes

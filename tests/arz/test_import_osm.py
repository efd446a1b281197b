"""OpenStreetMap extracts become roads: split where ways meet, in metres, with what the tags say and notes for what they do not."""

import gzip
import itertools
import math
from pathlib import Path

import pytest

from arz.errors import Invalid
from arz.world.importers.registry import read
from arz.world.network import Network
from tests.arz.osm_files import Extract


def crossing(**tags: str) -> Extract:
    """Two streets that cross at node 5: way 10 from west (1) to east (2), way 20 from south (3) to north (4)."""
    extract = Extract().node(1, -200, 0).node(2, 300, 0).node(3, 0, -100).node(4, 0, 150).node(5, 0, 0, **tags)
    return extract.way(10, [1, 5, 2], "secondary", name="Broad Street").way(20, [3, 5, 4], "residential")


def imported(extract: Extract, folder: Path, dead_ends: str = "open") -> Network:
    return read(extract.write(folder / "city.osm"), dead_ends=dead_ends)  # type: ignore[arg-type]


def note(network: Network, words: str) -> str:
    """The one note with these words."""
    (found,) = [each for each in network.notes if words in each]
    return found


def test_ways_are_split_where_they_share_a_node(tmp_path: Path) -> None:
    """Two two-way streets that cross become eight roads; the crossing is one node, and every road has its own end of it."""
    network = imported(crossing(), tmp_path)

    assert {road.id for road in network.roads} == {f"{sign}{way}#{piece}" for sign in ("", "-") for way in (10, 20) for piece in (0, 1)}
    assert {road.id for road in network.approaches("5")} == {"10#0", "-10#1", "20#0", "-20#1"}
    assert {road.id for road in network.exits("5")} == {"-10#0", "10#1", "-20#0", "20#1"}
    assert network.road("10#0").name == "Broad Street"
    assert network.road("10#0").highway == "secondary"


def test_streets_that_end_let_traffic_in_and_out(tmp_path: Path) -> None:
    """Where a two-way street leaves the extract there is an entry and an exit; on request traffic turns round there instead."""
    network = imported(crossing(), tmp_path)
    closed = imported(crossing(), tmp_path, "turn")

    assert {road.id for road in network.entries} == {"10#0", "-10#1", "20#0", "-20#1"}
    assert {road.id for road in network.outlets} == {"-10#0", "10#1", "-20#0", "20#1"}
    assert note(network, "traffic enters and leaves there").startswith("4 ×")
    assert (closed.entries, closed.outlets) == ((), ())
    assert note(closed, "no entry and no exit")


def test_lengths_and_places_are_metres(tmp_path: Path) -> None:
    """A degree of latitude is 110.6 km near the equator, and a road is as long as the way from node to node over its bends."""
    extract = Extract((3.0, 0.0)).node(1, 0, 0).node(2, 0, 11_100).node(3, 11_100, 11_100)
    network = imported(extract.way(1, [1, 2, 3], oneway="yes"), tmp_path)
    (road,) = network.roads

    assert road.length_m == pytest.approx(11_057.43 + 11_131.95, abs=1)
    assert sum(itertools.starmap(math.dist, itertools.pairwise(road.geometry))) == pytest.approx(road.length_m, rel=1e-4)
    assert len(road.geometry) == 3
    start, end = network.node(road.start), network.node(road.end)
    assert ((start.x_m, start.y_m), (end.x_m, end.y_m)) == (road.geometry[0], road.geometry[-1])


@pytest.mark.parametrize("lat", [-60.0, 6.4, 52.0, 69.0])
def test_lengths_are_true_at_any_latitude(lat: float, tmp_path: Path) -> None:
    """A way to the east is as much shorter as its circle of latitude is, against the formula for the sphere."""
    network = imported(Extract((10.0, lat)).node(1, 0, 0).node(2, 1110, 0).way(1, [1, 2], oneway="yes"), tmp_path)

    assert network.roads[0].length_m == pytest.approx(math.radians(0.01) * 6_371_000 * math.cos(math.radians(lat)), rel=5e-3)


def test_an_extract_may_lie_across_the_date_line(tmp_path: Path) -> None:
    """From 179.999 to -179.999 degrees are two thousandths of a degree, not the way round the earth."""
    extract = Extract((0.0, 0.0)).way(1, [1, 2], oneway="yes")
    extract.nodes |= {1: (179.999, -17.0, {}), 2: (-179.999, -17.0, {})}
    network = imported(extract, tmp_path)

    assert network.roads[0].length_m == pytest.approx(213, rel=0.01)
    assert abs(network.nodes[0].x_m - network.nodes[1].x_m) == pytest.approx(213, rel=0.01)


def test_one_way_roads(tmp_path: Path) -> None:
    """oneway=yes, -1, roundabouts and motorways have one direction each; what was implied is noted, oneway=no wins over it."""
    extract = Extract()
    for at in range(6):
        extract.node(at, 100 * at, 0)
    extract.way(1, [0, 1], oneway="yes").way(2, [2, 1], oneway="-1").way(3, [2, 3], junction="roundabout").way(4, [3, 4], "motorway")
    network = imported(extract.way(5, [4, 5], "motorway", oneway="no"), tmp_path)

    assert [(road.id, road.start, road.end) for road in network.roads[:4]] == [
        ("1#0", "0", "1"),
        ("-2#0", "1", "2"),
        ("3#0", "2", "3"),
        ("4#0", "3", "4"),
    ]
    assert {road.id for road in network.roads[4:]} <= {"5#0", "-5#0"}
    assert network.road("-2#0").geometry[0] == (network.node("1").x_m, network.node("1").y_m)
    assert "1 × roundabouts: one-way implied" in note(network, "roundabouts")
    assert "1 × motorways: one-way implied" in note(network, "motorways")
    assert "1 × roads one-way against their line" in note(network, "against their line")


def test_a_roundabout_is_a_ring_of_roads(tmp_path: Path) -> None:
    """A closed way is split at the streets that meet it, and goes round in one direction."""
    extract = Extract()
    ring = [(20, 0), (0, 20), (-20, 0), (0, -20)]
    for at, (east, north) in enumerate(ring):
        extract.node(at, east, north).node(10 + at, 10 * east, 10 * north).way(10 + at, [10 + at, at])
    network = imported(extract.way(1, [0, 1, 2, 3, 0], "primary", junction="roundabout"), tmp_path)

    around = [road for road in network.roads if road.id.startswith("1#")]
    assert [(road.start, road.end) for road in around] == [("0", "1"), ("1", "2"), ("2", "3"), ("3", "0")]
    assert len(network.roads) == 12
    assert [len(network.approaches(str(at))) for at in range(4)] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("tags", "forward", "backward"),
    [
        ({"lanes": "4"}, 2, 2),
        ({"lanes": "3"}, 1, 1),
        ({"lanes": "1"}, 1, 1),
        ({"lanes": "3", "lanes__forward": "2", "lanes__backward": "1"}, 2, 1),
        ({"lanes": "3", "oneway": "yes"}, 3, None),
        ({"lanes": "2;3", "oneway": "yes"}, 2, None),
        ({"lanes": "many", "oneway": "yes"}, 2, None),
        ({"lanes": "0", "oneway": "yes"}, 2, None),
        ({"lanes": "-2", "oneway": "yes"}, 2, None),
        ({"lanes": "250", "oneway": "yes"}, 2, None),
        ({}, 2, 2),
    ],
)
def test_lanes(tags: dict[str, str], forward: int, backward: int | None, tmp_path: Path) -> None:
    """Lanes are those of one direction; nonsense and nothing give what a secondary road usually has."""
    network = imported(Extract().node(1, 0, 0).node(2, 100, 0).way(1, [1, 2], "secondary", **tags), tmp_path)
    lanes = {road.id: road.lanes for road in network.roads}

    assert lanes == {"1#0": forward} | ({"-1#0": backward} if backward else {})
    if not tags.keys() & {"lanes"} or tags["lanes"] in {"many", "0", "-2", "250"}:
        assert note(network, "secondary roads without lanes: taken as 2")


@pytest.mark.parametrize(
    ("text", "kmh", "words"),
    [
        ("50", 50, ""),
        ("50 km/h", 50, ""),
        ("30 mph", 48.28, "in mph"),
        ("20mph", 32.19, "in mph"),
        ("RO:urban", 50, "RO:urban"),
        ("RO:rural", 90, "RO:rural"),
        ("DE:zone30", 30, "zone"),
        ("DE:zone:30", 30, "zone"),
        ("NG:urban", 50, "zone"),
        ("none", 130, "no limit"),
        ("walk", 7, "zone"),
        ("50;60", 50, "several limits"),
        ("signals", 50, "make no sense"),
        ("500", 50, "make no sense"),
        ("0", 50, "make no sense"),
        ("-50", 50, "make no sense"),
        ("nan", 50, "make no sense"),
        ("", 50, "without a limit"),
    ],
)
def test_limits(text: str, kmh: float, words: str, tmp_path: Path) -> None:
    """Numbers, miles, knots and zones are understood and what was not a plain number is noted; nonsense becomes the usual limit."""
    network = imported(Extract().node(1, 0, 0).node(2, 100, 0).way(1, [1, 2], "secondary", oneway="yes", maxspeed=text), tmp_path)

    assert network.roads[0].limit_kmh == pytest.approx(kmh, abs=0.01)
    assert not words or note(network, words)


def test_limits_and_zones_of_one_direction(tmp_path: Path) -> None:
    """maxspeed:forward and :backward go before maxspeed, and a zone is looked for where there is neither."""
    extract = Extract().node(1, 0, 0).node(2, 100, 0).node(3, 200, 0)
    extract.way(1, [1, 2], maxspeed="40", maxspeed__backward="60").way(2, [2, 3], "primary", source__maxspeed="RO:urban")
    network = imported(extract, tmp_path)

    assert {road.id: road.limit_kmh for road in network.roads} == {"1#0": 40, "-1#0": 60, "2#0": 50, "-2#0": 50}


def test_quality_is_guessed_from_the_surface(tmp_path: Path) -> None:
    """The tag smoothness goes before surface; a road that tells neither is R2."""
    extract = Extract()
    for at in range(5):
        extract.node(at, 100 * at, 0)
    extract.way(1, [0, 1], oneway="yes", smoothness="bad", surface="asphalt").way(2, [1, 2], oneway="yes", surface="unpaved")
    extract.way(3, [2, 3], oneway="yes", smoothness="excellent").way(4, [3, 4], oneway="yes", surface="asphalt")
    network = imported(extract, tmp_path)

    assert [road.quality for road in network.roads] == ["R4", "R4", "R1", "R2"]
    assert note(network, "qualities guessed").startswith("3 ×")


def test_what_is_no_road_for_cars_is_left_out_and_said(tmp_path: Path) -> None:
    """Footways, tracks, private roads and paths for motorcycles are not read, and neither split streets nor count as roads."""
    extract = crossing().node(6, -100, 0)
    extract.ways[0] = (10, [1, 6, 5, 2], extract.ways[0][2])
    extract.way(30, [6, 3], "footway").way(31, [6, 4], "service").way(32, [6, 4], "track").way(33, [6, 3], "residential", access="private")
    extract.way(34, [6, 3], "path", motorcycle="yes").way(35, [6, 3], "residential", motor_vehicle="no", motorcycle="yes")
    extract.way(36, [6, 3], "pedestrian", area="yes").way(37, [1, 3], "residential", access="no", motor_vehicle="yes")
    network = imported(extract, tmp_path)

    assert {road.id.strip("-") for road in network.roads} == {"10#0", "10#1", "20#0", "20#1", "37#0"}
    assert len(network.road("10#0").geometry) == 3
    assert "2 × ways for motorcycles only: left out" in note(network, "motorcycles")
    assert "(for example 34, 35)" in note(network, "motorcycles")
    assert note(network, "service ways: left out")
    assert note(network, "track ways: left out")
    assert "1 ×" in note(network, "closed to the public")
    assert "2 ×" in note(network, "no roads for cars")


def test_a_junction_with_a_light_gets_two_phases_by_the_compass(tmp_path: Path) -> None:
    """North and south are green together, then west and east; the node is noted."""
    network = imported(crossing(highway="traffic_signals"), tmp_path)
    signal = network.node("5").signal

    assert signal is not None
    assert [set(phase.green) for phase in signal.phases] == [{"20#0", "-20#1"}, {"10#0", "-10#1"}]
    assert signal.cycle_s == pytest.approx(70)
    assert note(network, "two phases by compass direction").startswith("1 ×")


def test_a_light_on_the_way_to_a_junction_is_the_junctions(tmp_path: Path) -> None:
    """A stop line 20 m before the crossing counts; a light 100 m away from any crossing does not, and both are said."""
    extract = crossing().node(6, -20, 0, highway="traffic_signals").node(7, 150, 0, highway="traffic_signals")
    extract.ways[0] = (10, [1, 6, 5, 7, 2], extract.ways[0][2])
    network = imported(extract, tmp_path)

    assert [node.id for node in network.nodes if node.signal] == ["5"]
    assert "(for example 6)" in note(network, "lights before a junction")
    assert "(for example 7)" in note(network, "lights between junctions")


def test_a_light_for_one_direction_belongs_to_the_junction_ahead(tmp_path: Path) -> None:
    """A light for the backward direction, 30 m behind one crossing and 40 m before another, is the first one's."""
    extract = Extract().node(1, -200, 0).node(2, 0, 0).node(3, 70, 0).node(4, 300, 0)
    extract.node(5, 30, 0, highway="traffic_signals", **{"traffic_signals:direction": "forward"})
    for at, east in ((2, 0), (3, 70)):
        extract.node(10 + at, east, -100).node(20 + at, east, 100).way(10 + at, [10 + at, at, 20 + at])
    network = imported(extract.way(1, [1, 2, 5, 3, 4], "primary"), tmp_path)

    assert [node.id for node in network.nodes if node.signal] == ["3"]


def test_a_slanted_crossing_is_grouped_by_its_own_axes(tmp_path: Path) -> None:
    """Where the compass puts all approaches into one group, the first approach gives the directions."""
    extract = Extract().node(1, -100, -80).node(2, 100, 80).node(3, 100, -80).node(4, -100, 80).node(5, 0, 0, highway="traffic_signals")
    network = imported(extract.way(10, [1, 5, 2]).way(20, [3, 5, 4]), tmp_path)
    signal = network.node("5").signal

    assert signal is not None
    assert [set(phase.green) for phase in signal.phases] == [{"10#0", "-10#1"}, {"20#0", "-20#1"}]


def test_a_light_where_nobody_crosses_is_left_out(tmp_path: Path) -> None:
    """A light on a street alone stops nobody for anybody."""
    extract = Extract().node(1, 0, 0).node(2, 100, 0, highway="traffic_signals").node(3, 200, 0)
    network = imported(extract.way(1, [1, 2], name="A").way(2, [2, 3], name="B"), tmp_path)

    assert not any(node.signal for node in network.nodes)
    assert note(network, "nobody has to wait").startswith("1 ×")


@pytest.mark.parametrize(
    ("rule", "shares"),
    [("no_left_turn", {"10#0": 0.5, "11#0": 0.5}), ("only_straight_on", {"11#0": 1.0}), ("no_entry", {"11#0": 0.5, "21#0": 0.5})],
)
def test_rules_for_turning_are_kept(rule: str, shares: dict[str, float], tmp_path: Path) -> None:
    """What a rule forbids has no share, and the rest is shared out by lanes; other approaches turn as before."""
    extract = Extract().node(1, -200, 0).node(2, 300, 0).node(3, 0, -100).node(4, 0, 150).node(5, 0, 0)
    extract.way(10, [5, 1]).way(11, [5, 2]).way(20, [3, 5]).way(21, [5, 4])
    target = {"no_left_turn": 21, "only_straight_on": 11, "no_entry": 20}[rule]
    came = 20 if rule == "no_left_turn" else 10
    network = imported(extract.rule(rule, came, 5, target), tmp_path)
    approach = "20#0" if rule == "no_left_turn" else "-10#0"

    assert {turn.exit: turn.share for turn in network.node("5").turns} == shares
    assert {turn.approach for turn in network.node("5").turns} == {approach}
    assert note(network, "turning rules: kept").startswith("1 ×")


def test_an_extract_cut_at_its_border_is_read(tmp_path: Path) -> None:
    """Ways that lead to nodes outside of the extract end at the last node inside, and that is said."""
    extract = crossing()
    extract.ways[0] = (10, [1, 5, 2, 99], extract.ways[0][2])
    extract.ways[1] = (20, [98, 3, 97, 5, 4], extract.ways[1][2])
    network = imported(extract, tmp_path)

    assert {road.id.strip("-") for road in network.roads} == {"10#0", "10#1", "20#0"}
    assert note(network, "nodes that are not in the file").startswith("2 ×")


def test_extracts_that_were_put_together_are_read_once(tmp_path: Path) -> None:
    """A way that stands in the file twice is one way, not two beside each other."""
    extract = crossing()
    extract.ways.append(extract.ways[0])
    network = imported(extract, tmp_path)

    assert network.roads == imported(crossing(), tmp_path).roads
    assert "(for example 10)" in note(network, "there twice")


def test_parts_that_hang_on_nothing_are_left_out(tmp_path: Path) -> None:
    """The largest connected part is kept; the note tells how much was lost, and where."""
    extract = crossing().node(8, 5000, 0).node(9, 5250, 0)
    network = imported(extract.way(30, [8, 9], oneway="yes"), tmp_path)

    assert len(network.roads) == 8
    assert note(network, "not connected") == (
        "1 × parts that are not connected with the largest: left out, 0.25 km (for example 1 roads at 30#0)"
    )


def test_traps_and_deserted_roads_are_left_out(tmp_path: Path) -> None:
    """A one-way ring that leads nowhere holds traffic for ever, and a road that comes from one never sees any."""
    extract = crossing()
    for first, side in ((60, 1), (80, -1)):
        extract.node(first, side * 100, 100).node(first + 1, side * 100, 200).node(first + 2, side * 200, 200)
        for at in range(3):
            extract.way(first + at, [first + at, first + (at + 1) % 3], oneway="yes")
    extract.way(30, [5, 60], oneway="yes").way(40, [80, 5], oneway="yes")
    network = imported(extract, tmp_path)

    assert len(network.roads) == 8
    assert note(network, "no exit can be reached").startswith("4 ×")
    assert note(network, "cannot be reached from any entry").startswith("4 ×")


def test_a_street_that_ends_in_a_loop_ends_before_it(tmp_path: Path) -> None:
    """A turning loop has one node in common with the network: it is left out, and the street is open there."""
    extract = crossing().node(6, 350, 50).node(7, 350, -50)
    network = imported(extract.way(30, [2, 6, 7, 2]), tmp_path)

    assert len(network.roads) == 8
    assert "2 × roads that end where they begin: left out" in note(network, "end where they begin")
    assert "-10#1" in {road.id for road in network.entries}


@pytest.mark.parametrize("form", ["pbf", "plain nodes", "unpacked", "gzip"])
def test_every_form_of_a_file_is_the_same_network(form: str, tmp_path: Path) -> None:
    """PBF with dense and with plain nodes, packed and not, and packed XML give bit for bit what the XML gives."""
    extract = crossing(highway="traffic_signals").rule("no_left_turn", 10, 5, 20).node(6, 30, 30, name="Ọ̀ṣun & <co>")
    extract.way(40, [4, 6, 2], "tertiary", name="Adéọlá Ọdẹ́kù", maxspeed="30 mph")
    expected = read(extract.write(tmp_path / "city.osm"))
    path = tmp_path / ("city.osm.gz" if form == "gzip" else "city.osm.pbf")
    if form == "gzip":
        path.write_bytes(gzip.compress(extract.xml().encode()))
    else:
        path.write_bytes(extract.pbf(dense=form != "plain nodes", pack=form != "unpacked"))

    assert read(path) == expected
    assert expected.road("40#0").name == "Adéọlá Ọdẹ́kù"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('lat="6.4300000"', 'lat="NaN"', ["line 3, node 1", "latitude nan"]),
        ('lat="6.4300000"', 'lat="643.0"', ["line 3, node 1", "latitude 643"]),
        ('lat="6.4300000"', "", ["line 3, node 1", "latitude nan"]),
        ('<nd ref="5"/>', '<nd ref="five"/>', ["line 8, <nd>", "ref is 'five'"]),
        ("</way>", "</road>", ["line 8", "no XML"]),
        ("<osm ", '<!DOCTYPE osm [<!ENTITY a "aaaa">]><osm ', ["line 2", "entities"]),
        ('encoding="UTF-8"', 'encoding="UTF-5"', ["line 1", "encoding"]),
        ('encoding="UTF-8"', 'encoding="rot13"', ["line 1"]),
        ('encoding="UTF-8"', 'encoding="hex"', ["line 1"]),
        ('encoding="UTF-8"', 'encoding="big5"', ["line 1"]),
        ("highway", "railway", ["no road for cars"]),
        ('<node id="', '<node id="9', ["none of the nodes"]),
        ("osm", "net", ["line 2", "holds <net>, not <osm>"]),
    ],
)
def test_a_spoilt_file_is_refused_with_its_place(old: str, new: str, words: list[str], tmp_path: Path) -> None:
    """The refusal names the file, the line or element, what is wrong and what to do."""
    path = tmp_path / "city.osm"
    path.write_text(crossing().xml().replace(old, new), encoding="utf-8")

    with pytest.raises(Invalid) as refusal:
        read(path)
    for word in [str(path), *words]:
        assert word in str(refusal.value)
    assert refusal.value.remedy


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda whole: whole[:-20], "cut off"),
        (lambda whole: b"PK\x03\x04" + whole, "no OSM file in PBF"),
        (lambda whole: whole.replace(b"OSMHeader", b"OSMTrailer"[:9]), "no OSM file in PBF"),
        (lambda _: b"", "empty"),
    ],
)
def test_a_spoilt_pbf_is_refused(spoil: object, words: str, tmp_path: Path) -> None:
    """Cut off, another format or empty: said, with the file."""
    path = tmp_path / "city.osm.pbf"
    path.write_bytes(spoil(crossing().pbf()))  # type: ignore[operator]

    with pytest.raises(Invalid, match=words) as refusal:
        read(path)
    assert str(path) in str(refusal.value)


def test_features_that_are_not_known_are_refused(tmp_path: Path) -> None:
    """A file that asks for more than is understood here is not half read."""
    path = tmp_path / "city.osm.pbf"
    path.write_bytes(crossing().pbf(pack=False).replace(b"DenseNodes", b"DenseCurve"))

    with pytest.raises(Invalid, match="asks for DenseCurve"):
        read(path)

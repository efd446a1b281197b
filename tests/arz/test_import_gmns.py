"""GMNS folders become roads in metres, whatever units they are in, with turning shares and signals where the folder has them."""

from pathlib import Path

import pytest

from arz.errors import Invalid
from arz.world.importers.registry import read
from arz.world.network import Network

NODES = """node_id,name,x_coord,y_coord,node_type,ctrl_type
1,,0,0,external,
2,,200,0,,signal
3,,400,0,external,
4,,200,150,external,
"""
LINKS = """link_id,name,from_node_id,to_node_id,directed,geometry,dir_flag,length,facility_type,free_speed,lanes,allowed_uses
12,Main,1,2,TRUE,"LINESTRING (0 0, 100 8, 200 0)",1,210,primary,50,2,"AUTO, BIKE"
23,Main,2,3,1,,,200,primary,50,2,
42,Side,4,2,true,,,150,,,,ALL
24,Side,2,4,true,"LINESTRING (200 150, 200 0)",-1,150,,,,ALL
13,Path,1,3,FALSE,,,400,sidewalk,,,WALK
"""
MOVEMENTS = """mvmt_id,node_id,ib_link_id,start_ib_lane,end_ib_lane,ob_link_id,type
1,2,12,1,2,23,thru
2,2,12,1,,24,left
3,2,42,1,,23,left
4,2,13,1,,23,thru
"""
TIMINGS = """timing_phase_id,timing_plan_id,signal_phase_num,min_green,max_green,clearance,ring,barrier,position
91,7,2,10,42,5,1,1,1
92,7,4,8,,6,1,2,1
"""
PHASES = """signal_phase_mvmt_id,timing_phase_id,mvmt_id,link_id,protection
1,91,1,,protected
2,91,2,,permitted
3,92,3,,protected
4,92,,13,permitted
"""
PLANS = "controller_id,timing_plan_id,cycle_length,offset\n2,7,{cycle},12\n"


def folder(path: Path, **files: str) -> Path:
    """A folder of GMNS tables: node and link, and whatever else is named."""
    path.mkdir(exist_ok=True)
    for name, text in ({"node": NODES, "link": LINKS} | files).items():
        (path / f"{name}.csv").write_text(text, encoding="utf-8")
    return path


def note(network: Network, words: str) -> str:
    (found,) = [each for each in network.notes if words in each]
    return found


def test_links_are_roads(tmp_path: Path) -> None:
    """Links for cars are roads with the length, lanes and speed that they tell; what they do not tell is guessed and noted."""
    network = read(folder(tmp_path / "town"))
    main, _, side, back = network.roads

    assert [road.id for road in network.roads] == ["12", "23", "42", "24"]
    assert (main.length_m, main.lanes, main.limit_kmh, main.highway, main.name) == (210, 2, 50, "primary", "Main")
    assert main.geometry == ((0, 0), (100, 8), (200, 0))
    assert back.geometry == ((200, 0), (200, 150))
    assert (side.lanes, side.limit_kmh, side.highway) == (2, 50, "secondary")
    assert (network.node("2").x_m, network.node("2").y_m) == (200, 0)
    assert network.name == "town"
    assert "(for example 13)" in note(network, "cars may not use")
    assert note(network, "secondary without lanes: taken as 2").startswith("2 ×")
    assert note(network, "secondary without a free speed: taken as 50 km/h").startswith("2 ×")


@pytest.mark.parametrize("name", ["town", "town/link.csv", "town/node.csv"])
def test_the_folder_or_one_of_its_tables_may_be_named(name: str, tmp_path: Path) -> None:
    """All three name the same network."""
    town = folder(tmp_path / "town")

    assert read(tmp_path / name) == read(town, "gmns")


def test_links_that_are_not_directed_are_two_roads(tmp_path: Path) -> None:
    """The other direction has the id with a minus, and the same line the other way round."""
    links = LINKS.replace("12,Main,1,2,TRUE", "12,Main,1,2,FALSE")
    network = read(folder(tmp_path / "town", link=links))

    assert (network.road("-12").start, network.road("-12").end) == ("2", "1")
    assert network.road("-12").geometry == network.road("12").geometry[::-1]
    assert note(network, "not directed").startswith("1 ×")


@pytest.mark.parametrize(
    ("config", "factor", "speed", "words"),
    [
        (None, 1, 1, "metres fit the coordinates"),
        ("long_length,speed\nmile,mph\n", 1 / 1609.344, 1 / 1.609344, ""),
        ("long_length,speed\nfoot,mph\n", 1 / 0.3048, 1 / 1.609344, ""),
        ("long_length,speed\nkm,km/h\n", 0.001, 1, ""),
        ("long_length,speed\nmeter,m/s\n", 1, 1 / 3.6, ""),
        (None, 1 / 1609.344, 1 / 1.609344, "miles fit the coordinates"),
        (None, 1 / 0.3048, 1 / 1.609344, "taken as mph, as lengths are in feet"),
        (None, 0.001, 1, "kilometres fit the coordinates"),
        ("long_length,speed\nmile,mph\n", 1, 1 / 1.609344, "1.61e+03 times the distances"),
    ],
)
def test_units(config: str | None, factor: float, speed: float, words: str, tmp_path: Path) -> None:
    """Units are those of config.csv or, with a note, those that fit the coordinates; a unit that cannot be is said."""
    links = LINKS
    for length in (210, 200, 150, 400):
        links = links.replace(f",{length},", f",{length * factor:.6f},")
    links = links.replace("primary,50", f"primary,{50 * speed:.6f}")
    network = read(folder(tmp_path / "town", link=links, **({"config": config} if config else {})))

    if "times the distances" not in words:
        assert [road.length_m for road in network.roads] == pytest.approx([210, 200, 150, 150], rel=1e-3)
    assert network.roads[0].limit_kmh == pytest.approx(50, rel=1e-5)
    assert not words or any(words in each for each in network.notes)


@pytest.mark.parametrize("crs", ["", "4326"])
def test_degrees_are_projected(crs: str, tmp_path: Path) -> None:
    """Coordinates in degrees are known by config.csv or by the lengths; the nodes then stand in metres."""
    nodes = "node_id,x_coord,y_coord\n1,-71.090,42.360\n2,-71.088,42.360\n3,-71.088,42.362\n"
    links = "link_id,from_node_id,to_node_id,length\n12,1,2,165\n23,2,3,222\n"
    config = {"config": f"crs,long_length,speed\n{crs},m,kmh\n"} if crs else {}
    network = read(folder(tmp_path / "town", node=nodes, link=links, **config))
    first, second, third = network.nodes

    assert second.x_m - first.x_m == pytest.approx(164.7, abs=0.5)
    assert third.y_m - second.y_m == pytest.approx(222.1, abs=0.5)
    assert note(network, "degrees")


def test_lengths_that_are_not_told_are_measured(tmp_path: Path) -> None:
    """Along the line of the link, or straight; the note counts them."""
    network = read(folder(tmp_path / "town", link=LINKS.replace(",210,", ",,").replace(",150,secondary", ",,")))

    assert network.road("12").length_m == pytest.approx(200.64, abs=0.01)
    assert note(network, "without a length").startswith("1 ×")


def test_lines_may_stand_in_a_table_of_their_own(tmp_path: Path) -> None:
    """geometry.csv gives the lines that links name; a line that is none is left out and said."""
    links = LINKS.replace("geometry,dir_flag", "geometry_id,dir_flag").replace('"LINESTRING (0 0, 100 8, 200 0)"', "g1")
    links = links.replace('"LINESTRING (200 150, 200 0)"', "g2")
    lines = 'geometry_id,geometry\ng1,"LINESTRING (0 0, 90 7, 200 0)"\ng2,"POINT (2 3)"\n'
    network = read(folder(tmp_path / "town", link=links, geometry=lines))

    assert network.road("12").geometry == ((0, 0), (90, 7), (200, 0))
    assert network.road("24").geometry == ()
    assert "(for example 24)" in note(network, "no LINESTRING")


def test_movements_give_the_turning(tmp_path: Path) -> None:
    """An approach turns as its movements say, by the lanes that they leave from; movements of footpaths are left out and said."""
    network = read(folder(tmp_path / "town", movement=MOVEMENTS))
    turns = {(turn.approach, turn.exit): turn.share for turn in network.node("2").turns}

    assert turns == {("12", "23"): pytest.approx(2 / 3), ("12", "24"): pytest.approx(1 / 3), ("42", "23"): 1}
    assert "(for example 4)" in note(network, "movements from or to links")


def test_a_node_that_is_said_to_have_a_signal_gets_one(tmp_path: Path) -> None:
    """Without timing it has two phases by compass direction, and the note says so."""
    network = read(folder(tmp_path / "town"))
    signal = network.node("2").signal

    assert signal is not None
    assert [phase.green for phase in signal.phases] == [("42",), ("12",)]
    assert note(network, "two phases by compass").startswith("1 ×")


@pytest.mark.parametrize(("cycle", "greens"), [("", (42, 9)), ("90", (66.36, 13.64))])
def test_timed_phases_are_a_signal(cycle: str, greens: tuple[float, float], tmp_path: Path) -> None:
    """Phases run in the order of barrier and position, with max_green or min_green, scaled to the cycle if one is told."""
    plan = PLANS.format(cycle=cycle)
    files = {"movement": MOVEMENTS, "signal_timing_phase": TIMINGS, "signal_phase_mvmt": PHASES, "signal_timing_plan": plan}
    network = read(folder(tmp_path / "town", **files))
    signal = network.node("2").signal

    assert signal is not None
    assert [phase.green for phase in signal.phases] == [("12",), ("42",)]
    assert [phase.duration_s for phase in signal.phases] == pytest.approx(greens)
    assert signal.cycle_s == pytest.approx(float(cycle) if cycle else 42 + 8 + 5 + 6)
    assert (signal.amber_s, signal.all_red_s, signal.offset_s) == (3, 2, 12)


def test_phases_may_be_named_by_controller_and_number(tmp_path: Path) -> None:
    """Older folders name phases by the controller and the number; of several plans the first counts, and that is noted."""
    timings = TIMINGS.replace("timing_phase_id", "own_id")
    phases = "controller_id,signal_phase_num,mvmt_id\n2,2,1\n2,2,2\n2,4,3\n2,8,3\n"
    plans = PLANS.format(cycle="") + "2,8,60,0\n"
    files = {"movement": MOVEMENTS, "signal_timing_phase": timings, "signal_phase_mvmt": phases, "signal_timing_plan": plans}
    network = read(folder(tmp_path / "town", **files))
    signal = network.node("2").signal

    assert signal is not None
    assert [phase.green for phase in signal.phases] == [("12",), ("42",)]
    assert (signal.cycle_s, signal.offset_s) == (61, 12)
    assert note(network, "several timing plans").startswith("1 ×")
    assert note(network, "phases without timing").startswith("1 ×")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("link", ",210,", ",-210,", ["line 2, column length", "-210"]),
        ("link", ",210,", ",nan,", []),
        ("link", ",210,", ",far,", ["line 2, column length", "'far'"]),
        ("link", "12,Main,1,2", "12,Main,1,99", ["line 2, column to_node_id", "'99'", "node.csv"]),
        ("link", "12,Main,1,2", "23,Main,1,2", ["line 3", "'23'", "twice"]),
        ("link", "TRUE", "perhaps", ["line 2, column directed", "perhaps"]),
        ("link", "primary,50", "primary,900", ["line 2, column free_speed", "1448"]),
        ("link", "50,2,", "50,-2,", ["line 2, column lanes"]),
        ("link", "from_node_id", "from", ["line 1", "from_node_id"]),
        ("link", '"LINESTRING (0 0', "LINESTRING (0 0", ["line 2"]),
        ("node", "200,0,,signal", "NaN,0,,signal", ["line 3, column x_coord", "'NaN'"]),
        ("node", "2,,200", "1,,200", ["line 3", "'1'", "twice"]),
        ("movement", "2,12,1,,24", "2,12,1,,42", ["line 3", "does not begin where"]),
        ("config", "foot", "furlong", ["long_length", "furlong", "mile"]),
        ("signal_timing_phase", ",42,", ",-42,", ["max_green"]),
    ],
)
def test_a_spoilt_table_is_refused_with_its_cell(name: str, old: str, new: str, words: list[str], tmp_path: Path) -> None:
    """The refusal names the table, the line, the column and the remedy; a length that is no number is measured instead."""
    files = {
        "node": NODES,
        "link": LINKS,
        "movement": MOVEMENTS,
        "config": "long_length,speed\nfoot,mph\n",
        "signal_timing_phase": TIMINGS,
        "signal_phase_mvmt": PHASES,
    }
    assert old in files[name]
    town = folder(tmp_path / "town", **{**files, name: files[name].replace(old, new, 1)})
    if not words:
        assert note(read(town), "without a length")
        return

    with pytest.raises(Invalid) as refusal:
        read(town)
    for word in [f"{name}.csv", *words]:
        assert word in str(refusal.value)
    assert refusal.value.remedy


def test_a_folder_without_nodes_is_refused(tmp_path: Path) -> None:
    """The refusal names the table that is missing."""
    town = folder(tmp_path / "town")
    (town / "node.csv").unlink()

    with pytest.raises(Invalid, match=r"node\.csv: cannot be read"):
        read(town)

"""Tables of edges become roads; what the cells do not say is guessed by the class of the road and noted."""

from pathlib import Path

import pytest

from arz.errors import Invalid
from arz.world.importers.registry import read
from arz.world.network import Network

HEADER = "u,v,name,highway,length,oneway,lanes,quality,maxspeed\n"
ROWS = """a,b,Ahmadu Bello Way,primary,210.5,True,3,R2,50
b,c,Ahmadu Bello Way,primary,9.7,True,2,R1,30 mph
c,d,,tertiary,120,False,2,R4,40
"""


def table(folder: Path, text: str) -> Path:
    path = folder / "edges.csv"
    path.write_text(text, encoding="utf-8")
    return path


def note(network: Network, words: str) -> str:
    (found,) = [each for each in network.notes if words in each]
    return found


def test_rows_are_roads(tmp_path: Path) -> None:
    """A one-way row is a road, any other one two; lanes of a two-way row are halved; the road is named by its nodes."""
    network = read(table(tmp_path, HEADER + ROWS))
    first, second, third, back = network.roads

    assert [road.id for road in network.roads] == ["a->b", "b->c", "c->d", "d->c"]
    assert (first.length_m, first.lanes, first.limit_kmh, first.quality) == (210.5, 3, 50, "R2")
    assert (first.name, first.highway) == ("Ahmadu Bello Way", "primary")
    assert (second.lanes, round(second.limit_kmh, 2), second.quality) == (2, 48.28, "R1")
    assert (third.lanes, third.quality, back.lanes, back.start, back.end) == (1, "R4", 1, "d.in", "c")
    assert note(network, "without a row for the other direction")
    assert note(network, "half of them for each direction")
    assert note(network, "in mph").startswith("1 ×")
    assert "4 × nodes without a place" in note(network, "without a place")


def test_a_two_way_street_that_is_written_twice_is_two_roads(tmp_path: Path) -> None:
    """Some programs write each direction of a two-way street as a row: nothing is added then."""
    text = HEADER + ROWS + "d,c,,tertiary,120,False,2,R4,40\n"
    network = read(table(tmp_path, text))

    assert [road.id for road in network.roads] == ["a->b", "b->c", "c->d", "d->c"]
    assert not any("other direction" in each for each in network.notes)


def test_parallel_roads_have_names_of_their_own(tmp_path: Path) -> None:
    """The second road from a to b is a->b#2."""
    network = read(table(tmp_path, HEADER + "a,b,,primary,100,1,2,R2,50\na,b,,primary,130,1,2,R2,50\n"))

    assert [(road.id, road.length_m) for road in network.roads] == [("a->b", 100), ("a->b#2", 130)]


def test_what_is_missing_is_guessed(tmp_path: Path) -> None:
    """Columns and cells may be missing but for u, v and length; every guess is counted in the notes."""
    network = read(table(tmp_path, "u,v,length\na,b,100\nb,c,100\n"))

    assert [(road.highway, road.lanes, road.limit_kmh, road.quality) for road in network.roads] == 4 * [("secondary", 2, 50, "R2")]
    for words in ("taken as secondary", "taken as R2", "taken as 2 in each", "taken as 50 km/h", "taken as two-way"):
        assert note(network, words).startswith("2 ×")


def test_lists_in_cells_are_read(tmp_path: Path) -> None:
    """Where several ways were made one row, cells hold lists: the first name and class, the lowest lanes and limit, with a note."""
    row = "a,b,\"['Awolowo Road', 'Falomo']\",\"['primary', 'secondary']\",100,True,\"['2', '3']\",,\"['50', '40']\"\n"
    network = read(table(tmp_path, HEADER + row))
    (road,) = network.roads

    assert (road.name, road.highway, road.lanes, road.limit_kmh) == ("Awolowo Road", "primary", 2, 40)
    assert note(network, "several numbers of lanes")
    assert note(network, "several limits")


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8"), ("\t", "utf-8"), (",", "utf-8-sig")])
def test_what_spreadsheets_write_is_read(delimiter: str, encoding: str, tmp_path: Path) -> None:
    """Semicolons, tabs, a mark at the beginning, empty lines and commas at the ends of lines."""
    path = tmp_path / "edges.csv"
    text = HEADER + "\n" + ROWS.replace("\n", ",,\n")
    path.write_text(text.replace(",", delimiter), encoding=encoding, newline="\r\n")

    assert read(path) == read(table(tmp_path, HEADER + ROWS))


def test_lines_give_places(tmp_path: Path) -> None:
    """A column of lines in degrees puts the nodes onto a plane in metres, and is kept on the roads."""
    text = 'u,v,length,oneway,geometry\na,b,111,1,"LINESTRING (3.42 6.43, 3.42 6.4305, 3.42 6.431)"\nb,c,50,1,\n'
    network = read(table(tmp_path, text))
    road = network.road("a->b")

    assert len(road.geometry) == 3
    assert network.node("b").y_m - network.node("a").y_m == pytest.approx(110.6, abs=0.1)
    assert note(network, "degrees")
    assert "(for example c)" in note(network, "without a place")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("210.5", "-210.5", ["line 2, column length", "-210.5"]),
        ("210.5", "nan", ["line 2, column length", "'nan'"]),
        ("210.5", "inf", ["line 2, column length", "'inf'"]),
        ("210.5", "", ["line 2, column length", "empty"]),
        ("210.5", "0", ["line 2, column length"]),
        ("210.5", "210,5", ["line 2", "10 cells", "9"]),
        ("a,b", ",b", ["line 2, column u", "empty"]),
        (",3,R2", ",0,R2", ["line 2, column lanes", "'0'"]),
        (",3,R2", ",three,R2", ["line 2, column lanes", "'three'"]),
        (",3,R2", ",300,R2", ["line 2, column lanes", "300"]),
        ("R4", "R9", ["line 4, column quality", "R1, R2, R3, R4, R5"]),
        ("R2,50", "R2,500", ["line 2, column maxspeed", "500"]),
        ("R2,50", "R2,fast", ["line 2, column maxspeed", "'fast'"]),
        ("True,3", "oui,3", ["line 2, column oneway", "'oui'"]),
        ("length", "metres", ["line 1", "length are missing"]),
        ("primary,210.5", '"primary,210.5', ["line 2", "cut off"]),
        (",R4,40\n", "", ["line 4", "7 cells", "9"]),
        ("Ahmadu", "Ah\x00madu", []),
    ],
)
def test_a_spoilt_table_is_refused_with_its_cell(old: str, new: str, words: list[str], tmp_path: Path) -> None:
    """The refusal names the file, the line, the column and the remedy."""
    path = table(tmp_path, (HEADER + ROWS).replace(old, new, 1))

    if words:
        with pytest.raises(Invalid) as refusal:
            read(path)
        for word in [str(path), *words]:
            assert word in str(refusal.value)
        assert refusal.value.remedy


def test_kilometres_are_noticed(tmp_path: Path) -> None:
    """A table in which no road is ten metres long is in kilometres."""
    with pytest.raises(Invalid, match="looks like kilometres"):
        read(table(tmp_path, HEADER + ROWS.replace("210.5", "0.2105").replace("9.7", "0.0097").replace("120", "0.12")))


def test_a_length_below_nothing_is_no_length_in_kilometres(tmp_path: Path) -> None:
    """It is told with its line."""
    with pytest.raises(Invalid, match=r"line 2, column length: a road cannot be -3 m long"):
        read(table(tmp_path, "u,v,length\na,b,-3\n"))


def test_a_table_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """Latin letters of an old spreadsheet are not guessed."""
    path = tmp_path / "edges.csv"
    path.write_bytes((HEADER + ROWS.replace("Bello", "Béllo")).encode("latin-1"))

    with pytest.raises(Invalid, match="no text in UTF-8"):
        read(path)

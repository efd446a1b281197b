"""What every importer keeps: the same file gives the same network, and what is spoilt is refused, never a traceback."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arz.errors import ArzError, Invalid, Unknown
from arz.world.importers.base import Importer
from arz.world.importers.registry import IMPORTERS, read
from arz.world.network import Network
from tests.arz import osm_files, sumo_files

FIXED = ((42.0, "GGGggrrrrrGGGggrrrrr"), (3.0, "yyyyyrrrrryyyyyrrrrr"), (42.0, "rrrrrGGGggrrrrrGGGgg"), (3.0, "rrrrryyyyyrrrrryyyyy"))
GMNS_NODES = "node_id,x_coord,y_coord,ctrl_type\n1,0,0,\n2,200,0,signal\n3,400,0,\n4,200,90,\n"
GMNS_LINKS = "link_id,from_node_id,to_node_id,directed,length,lanes,free_speed\n12,1,2,1,200,2,50\n23,2,3,0,200,2,50\n42,4,2,1,90,,\n"


def _extract() -> osm_files.Extract:
    extract = osm_files.Extract().node(1, -200, 0).node(2, 300, 0).node(3, 0, -100).node(4, 0, 150).node(5, 0, 0, highway="traffic_signals")
    return extract.way(10, [1, 5, 2], "primary", maxspeed="30 mph").way(20, [3, 5, 4], lanes="2").rule("no_left_turn", 10, 5, 20)


def _gmns(folder: Path) -> Path:
    (folder / "node.csv").write_text(GMNS_NODES, encoding="utf-8")
    (folder / "link.csv").write_text(GMNS_LINKS, encoding="utf-8")
    return folder / "link.csv"


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


SAMPLES: dict[str, Callable[[Path], Path]] = {
    "osm": lambda folder: _written(folder / "city.osm", _extract().xml().encode()),
    "osm as pbf": lambda folder: _written(folder / "city.osm.pbf", _extract().pbf()),
    "osm as unpacked pbf": lambda folder: _written(folder / "city.osm.pbf", _extract().pbf(dense=False, pack=False)),
    "sumo_net": lambda folder: _written(folder / "town.net.xml", sumo_files.crossing(*FIXED).xml().encode()),
    "gmns": _gmns,
    "edge_list": lambda folder: _written(folder / "edges.csv", b"u,v,length,highway\na,b,100,primary\nb,c,200,residential\nb,d,70,\n"),
}
every = pytest.mark.parametrize("name", SAMPLES)


def kind_of(name: str) -> str:
    return name.split(" ", 1)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that outlives the examples of one test."""
    return tmp_path_factory.mktemp("spoilt")


def outcome(path: Path, kind: str) -> Network | ArzError:
    """The network, or the refusal; whatever else is raised fails the test."""
    try:
        return read(path, kind)
    except Invalid as refusal:
        refused = refusal
    assert str(path.parent) in refused.path
    assert refused.problem
    assert refused.remedy
    return refused


def test_every_kind_has_a_sample() -> None:
    """A new importer is tested by being registered and given a sample."""
    assert {importer.name for importer in IMPORTERS} == {kind_of(name) for name in SAMPLES}


@every
def test_a_sample_is_read_by_its_name_or_its_kind(name: str, tmp_path: Path) -> None:
    """The name of the file tells the kind; twice read it is the same, drivable network, with notes of what was guessed."""
    path = SAMPLES[name](tmp_path)
    network = read(path)

    assert network == read(str(path), kind_of(name))
    assert network.notes
    assert network.entries
    assert network.outlets
    assert Network.model_validate_json(network.model_dump_json()) == network


@every
@given(data=st.data())
def test_a_file_that_is_cut_off_is_refused_or_whole(name: str, folder: Path, data: st.DataObject) -> None:
    """Wherever a file ends too early, it is refused; a table or packed blocks may lose whole lines without a trace."""
    path = SAMPLES[name](folder)
    whole = path.read_bytes()
    end = data.draw(st.integers(0, len(whole) - 2))
    found = outcome(_written(path, whole[:end]), kind_of(name))

    if name in {"osm", "sumo_net"}:
        assert isinstance(found, Invalid)


@every
@given(data=st.data())
def test_a_file_with_wrong_bytes_is_refused_or_read(name: str, folder: Path, data: st.DataObject) -> None:
    """Whatever bytes stand in a file, the outcome is a sound network or a refusal."""
    path = SAMPLES[name](folder)
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'0-9.e<>"/,\n n&')))

    outcome(_written(path, bytes(content)), kind_of(name))


@every
@given(words=st.lists(st.sampled_from(["nan", "-1", "1e999", "", "0", "999999999999999999999", "é\x00", '"', "<"]), min_size=1, max_size=3))
def test_absurd_words_are_refused_or_guessed(name: str, folder: Path, words: list[str]) -> None:
    """No number of the file leads to a traceback when it is replaced by an absurd one."""
    path = SAMPLES[name](folder)
    content = path.read_bytes()
    for number, word in zip((b"200", b"100", b"5"), words, strict=False):
        content = content.replace(number, word.encode())

    outcome(_written(path, content), kind_of(name))


@every
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"hello", b"\x00" * 50, b"\xff\xfe\x00", b"\x1f\x8b", b"\x1f\x8b" + b"x" * 40, b"<osm/>", b"<net/>"]
)
def test_what_is_no_such_file_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    """Empty, another format, rubbish: refused with the file and the remedy."""
    path = _written(SAMPLES[name](tmp_path), content)

    assert isinstance(outcome(path, kind_of(name)), Invalid)


@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda importer: importer.name)
def test_a_file_of_another_kind_is_refused(importer: Importer, tmp_path: Path) -> None:
    """No sample is read by the importer of another kind."""
    for name, make in SAMPLES.items():
        (tmp_path / name).mkdir()
        path = make(tmp_path / name)
        if kind_of(name) != importer.name and not (importer.name == "gmns" and path.name == "link.csv"):
            with pytest.raises(Invalid):
                read(path, importer.name)


@pytest.mark.parametrize("kind", [None, *(importer.name for importer in IMPORTERS)])
def test_a_path_that_is_not_there_is_refused(kind: str | None, tmp_path: Path) -> None:
    """The refusal names the path; a folder is only read as GMNS."""
    with pytest.raises(Invalid, match="no such file"):
        read(tmp_path / "nowhere.osm", kind)
    with pytest.raises(Invalid, match=str(tmp_path)):
        read(tmp_path, kind)


def test_unknown_words_are_refused(tmp_path: Path) -> None:
    """A kind, a way to end streets and a name that tells nothing are answered with what there is."""
    path = SAMPLES["osm"](tmp_path)
    with pytest.raises(Unknown, match="no kind of network file named 'shape'; known: osm, sumo_net, gmns, edge_list"):
        read(path, "shape")
    with pytest.raises(Unknown, match="known: open, turn"):
        read(path, dead_ends="shut")  # type: ignore[arg-type]
    with pytest.raises(Invalid, match=r"say which \(kind=, or --kind on the command line\): osm: an extract of OpenStreetMap"):
        read(_written(tmp_path / "map.txt", b"?"))


def _city(blocks: int) -> osm_files.Extract:
    extract = osm_files.Extract()
    for row in range(blocks):
        for column in range(blocks):
            tags = {"highway": "traffic_signals"} if (row + column) % 3 == 0 else {}
            extract.node(row * blocks + column + 1, 100 * column, 100 * row, **tags)
    for line in range(blocks):
        extract.way(10_000 + line, [line * blocks + at + 1 for at in range(blocks)], "primary")
        extract.way(20_000 + line, [at * blocks + line + 1 for at in range(blocks)])
    return extract


def _town(blocks: int) -> sumo_files.Net:
    net = sumo_files.Net()
    name = "j{}x{}.".format
    for row in range(blocks):
        for column in range(blocks):
            net.junction(name(row, column), 100 * column, 100 * row)
            for back in [(row - 1, column), (row, column - 1)]:
                if min(back) >= 0:
                    net.edge(name(*back), name(row, column), 2).edge(name(row, column), name(*back), 2)
    return net


def _table(blocks: int) -> str:
    lines = [f"{at},{at + 1},50,primary\n{at},{at + blocks},60,secondary" for at in range(blocks * blocks)]
    return "\n".join(["u,v,length,highway", *lines, ""])


def _seconds_to_read(path: Path) -> float:
    before = time.process_time()
    read(path)
    return time.process_time() - before


BIG: dict[str, Callable[[int], tuple[str, bytes]]] = {
    "osm": lambda blocks: ("city.osm", _city(blocks).xml().encode()),
    "osm as pbf": lambda blocks: ("city.osm.pbf", _city(blocks).pbf()),
    "sumo_net": lambda blocks: ("town.net.xml", _town(blocks).xml().encode()),
    "edge_list": lambda blocks: ("edges.csv", _table(blocks).encode()),
}


@pytest.mark.parametrize("name", BIG)
def test_time_grows_with_the_number_of_roads(name: str, tmp_path: Path) -> None:
    """Four times the roads, a few thousand, take about four times as long: far from sixteen."""
    seconds: dict[int, float] = {}
    for blocks in (16, 32):
        file, content = BIG[name](blocks)
        path = _written(tmp_path / file, content)
        assert len(read(path).roads) >= 3 * blocks * (blocks - 1)
        seconds[blocks] = min(_seconds_to_read(path) for _ in range(3))

    assert seconds[32] < 8 * seconds[16] + 0.05

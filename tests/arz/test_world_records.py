"""Bad input of every kind is refused before anything runs, with the path of the field and a remedy."""

import copy
import json
import math
import pickle
from pathlib import Path
from typing import Any

import pytest

from arz.errors import ArzError, Invalid
from arz.world.network import Node, Road
from arz.world.physics import Physics
from arz.world.scenario import Scenario
from arz.world.scheme import Scheme

ROAD = {"lanes": 2, "limit_kmh": 50.0}
GOOD: dict[str, Any] = {
    "name": "crossing",
    "network": {
        "name": "crossing",
        "roads": [
            {"id": "from_west", "start": "west", "end": "middle", "length_m": 300.0, **ROAD},
            {"id": "from_south", "start": "south", "end": "middle", "length_m": 200.0, **ROAD},
            {"id": "to_east", "start": "middle", "end": "east", "length_m": 300.0, **ROAD},
            {"id": "to_north", "start": "middle", "end": "north", "length_m": 200.0, **ROAD},
        ],
        "nodes": [
            {
                "id": "middle",
                "turns": [
                    {"approach": "from_west", "exit": "to_east", "share": 0.7},
                    {"approach": "from_west", "exit": "to_north", "share": 0.3},
                    {"approach": "from_south", "exit": "to_north", "share": 1.0, "vehicle": "car"},
                ],
                "priority": {"from_west": 3.0},
                "signal": {
                    "phases": [{"green": ["from_west"], "duration_s": 30.0}, {"green": ["from_south"], "duration_s": 20.0}],
                    "conflicts": [["from_west", "from_south"]],
                },
            },
            {"id": "west", "x_m": -300.0},
            {"id": "south", "y_m": -200.0},
            {"id": "east", "x_m": 300.0},
            {"id": "north", "y_m": 200.0},
        ],
    },
    "demand": {"inflows": [{"road": "from_west", "vehicle": "car", "profile": [[0.0, 600.0], [900.0, 300.0]]}], "noise": 0.1},
    "actuators": [
        {"kind": "ramp_meter", "id": "gate", "road": "from_south", "rate_veh_per_h": 400.0},
        {"kind": "speed_limit", "id": "sign", "roads": ["to_east", "to_north"], "limit_kmh": 30.0},
    ],
    "initial": {
        "roads": [{"road": "to_east", "pieces": [{"from_m": 0.0, "to_m": 100.0, "density_veh_per_m": [0.05, 0.04]}]}],
        "everywhere": {"density_veh_per_m": [0.01, 0.02], "speed_m_per_s": [9.0, 8.0]},
    },
}
"""A scenario that uses every record once."""

NODE = "network.nodes.0"
PHASE = f"{NODE}.signal.phases.0"
INFLOW = "demand.inflows.0"
PIECE = "initial.roads.0.pieces.0"
ABSENT = object()

BAD: list[tuple[str, Any, str, str]] = [
    # A field, what is put there, the path that the error names, and a word of its remedy or problem.
    ("network.roads.1.length_m", -5.0, "network.roads[1].length_m", "greater than 0, in metres"),
    ("network.roads.1.length_m", 0.0, "network.roads[1].length_m", "greater than 0, in metres"),
    ("network.roads.1.length_m", math.nan, "network.roads[1].length_m", "finite number, in metres"),
    ("network.roads.1.length_m", math.inf, "network.roads[1].length_m", "finite number"),
    ("network.roads.1.length_m", "long", "network.roads[1].length_m", "number, unable to parse string as a number, in metres"),
    ("network.roads.1.length_m", ABSENT, "network.roads[1].length_m", "give it, in metres"),
    ("network.roads.1.lanes", 0, "network.roads[1].lanes", "greater than or equal to 1"),
    ("network.roads.1.lanes", 10**400, "network.roads[1].lanes", "less than or equal to 100"),
    ("network.roads.1.limit_kmh", 3.6, "network.roads[1].limit_kmh", "looks like metres a second"),
    ("network.roads.1.limit_kmh", 500.0, "network.roads[1].limit_kmh", "between 5 and 200"),
    ("network.roads.1.quality", "R9", "network.roads[1].quality", "'R1', 'R2', 'R3', 'R4' or 'R5'"),
    ("network.roads.1.geometry", [[0.0, 0.0]], "network.roads[1].geometry", "at least two points"),
    ("network.roads.1.lenght_m", 3.0, "network.roads[1].lenght_m", "did you mean length_m?"),
    ("network.roads.1.start", "nowhere", "network.roads[1].start", "add a node of this id"),
    ("network.roads.1.end", "nowhere", "network.roads[1].end", "add a node of this id"),
    ("network.roads.1.id", "from_west", "network.roads[1].id", "an id of its own"),
    ("network.roads", [], "network.roads", "at least 1 item"),
    ("network.nodes.4.id", "east", "network.nodes[4].id", "an id of its own"),
    ("network.nodes.5", {"id": "island"}, "network.nodes[5]", "connect it, or take it out"),
    (f"{NODE}.turns.0.share", 0.6, "network.nodes[0].turns", "add up to 1"),
    (f"{NODE}.turns.0.share", 1.7, "network.nodes[0].turns[0].share", "less than or equal to 1"),
    (f"{NODE}.turns.2.share", 0.9, "network.nodes[0].turns", "'from_south' for car add up to 0.9"),
    (f"{NODE}.turns.0.approach", "to_east", "network.nodes[0].turns[0].approach", "choose among from_south, from_west"),
    (f"{NODE}.turns.0.exit", "from_south", "network.nodes[0].turns[0].exit", "choose among to_east, to_north"),
    (f"{NODE}.turns.1.exit", "to_east", "network.nodes[0].turns[1]", "give each movement once a class"),
    (f"{NODE}.priority", {"from_west": 0.0}, "network.nodes[0].priority[0][1]", "greater than or equal to 0.000001"),
    (f"{NODE}.priority", {"from_west": 1e300}, "network.nodes[0].priority[0][1]", "less than or equal to 1000000"),
    (f"{NODE}.priority", {"from_west": 1e-300}, "network.nodes[0].priority[0][1]", "greater than or equal to 0.000001"),
    (f"{NODE}.priority", {"to_east": 1.0}, "network.nodes[0].priority[0]", "does not end at node 'middle'"),
    (f"{NODE}.priority", [["from_west", 1.0], ["from_west", 2.0]], "network.nodes[0].priority", "name each approach once"),
    (f"{NODE}.memory", 1.1, "network.nodes[0].memory", "less than or equal to 1"),
    (f"{NODE}.end", "wall", "network.nodes[0].end", "only a last node has one"),
    ("network.nodes.3.end", "capped", "network.nodes[3].cap_veh_per_h", "give it"),
    ("network.nodes.3.cap_veh_per_h", 900.0, "network.nodes[3].cap_veh_per_h", "make the end capped"),
    (f"{PHASE}.green", ["from_west", "from_south"], "network.nodes[0].signal.phases[0].green", "put them into different phases"),
    (f"{PHASE}.green", ["to_east"], "network.nodes[0].signal.phases[0].green[0]", "does not end at node 'middle'"),
    (f"{PHASE}.green", ["from_west", "from_west"], "network.nodes[0].signal.phases[0].green", "name each approach once"),
    (f"{PHASE}.duration_s", 0.0, "network.nodes[0].signal.phases[0].duration_s", "greater than or equal to 0.1, in seconds"),
    (f"{PHASE}.duration_s", 1e-9, "network.nodes[0].signal.phases[0].duration_s", "greater than or equal to 0.1, in seconds"),
    (f"{PHASE}.duration_s", 4.0, "network.nodes[0].signal.phases[0].duration_s", "lower min_green_s"),
    (f"{NODE}.signal.phases", [], "network.nodes[0].signal.phases", "at least 1 item"),
    (f"{NODE}.signal.conflicts", [["from_west", "from_west"]], "network.nodes[0].signal.conflicts[0]", "two different approaches"),
    (f"{NODE}.signal.conflicts", [["from_west", "to_east"]], "network.nodes[0].signal.conflicts[0]", "choose among"),
    (f"{NODE}.signal.amber_s", -1.0, "network.nodes[0].signal.amber_s", "greater than or equal to 0, in seconds"),
    (f"{INFLOW}.road", "to_east", "demand.inflows[0].road", "no entry: road 'from_west' leads to where it starts"),
    (f"{INFLOW}.road", "nowhere", "demand.inflows[0].road", "no road of the network"),
    (f"{INFLOW}.vehicle", "lorry", "demand.inflows[0].vehicle", "'motorcycle' or 'car'"),
    (f"{INFLOW}.profile", [[0.0, 0.2]], "demand.inflows[0].profile", "looks like vehicles a second; give vehicles an hour: 720?"),
    (f"{INFLOW}.profile", [[0.0, 30000.0]], "demand.inflows[0].profile[0]", "looks like vehicles a day"),
    (f"{INFLOW}.profile", [[0.0, -3.0]], "demand.inflows[0].profile[0][1]", "greater than or equal to 0"),
    (f"{INFLOW}.profile", [[0.0, math.nan]], "demand.inflows[0].profile[0][1]", "finite number"),
    (f"{INFLOW}.profile", [[900.0, 300.0], [900.0, 600.0]], "demand.inflows[0].profile[1]", "let the times rise"),
    ("demand.inflows.1", GOOD["demand"]["inflows"][0], "demand.inflows[1]", "put both into one profile"),
    ("demand.scale", -1.0, "demand.scale", "greater than or equal to 0"),
    ("demand.scale", 1e300, "demand.scale", "less than or equal to 1000"),
    ("demand.noise", 1e200, "demand.noise", "less than or equal to 10"),
    ("demand.spread", 1e200, "demand.spread", "less than or equal to 10"),
    ("demand.surges", [{"factor": 1e308, "length_s": 60.0, "latest_s": 0.0}], "demand.surges[0].factor", "less than or equal to 1000"),
    ("demand.noise_step_s", 1e-9, "demand.noise_step_s", "greater than or equal to 1, in seconds"),
    ("demand.noise_step_s", 0.0, "demand.noise_step_s", "greater than or equal to 1, in seconds"),
    ("actuators.0.road", "nowhere", "actuators[0]", "no road of the network"),
    ("actuators.0.rate_veh_per_h", -1.0, "actuators[0].rate_veh_per_h", "in vehicles an hour"),
    ("actuators.0.kind", "toll", "actuators[0]", "'ramp_meter', 'speed_limit'"),
    ("actuators.1.id", "gate", "actuators[1].id", "an id of its own"),
    ("actuators.1.roads", ["to_east", "to_east"], "actuators[1]", "let each road obey one of a kind"),
    ("actuators.1.limit_kmh", 1000.0, "actuators[1].limit_kmh", "between 5 and 200"),
    ("initial.everywhere.density_veh_per_m", [40.0, 20.0], "initial.everywhere.density_veh_per_m[0]", "vehicles a kilometre"),
    ("initial.everywhere.density_veh_per_m", [-0.1, 0.0], "initial.everywhere.density_veh_per_m[0]", "less than nothing"),
    ("initial.everywhere.density_veh_per_m", [0.1, 0.15], "initial.everywhere.density_veh_per_m", "more than the 0.166667 that fit"),
    ("initial.everywhere.density_veh_per_m", [0.1], "initial.everywhere.density_veh_per_m", "one for each of motorcycle, car"),
    ("initial.everywhere.speed_m_per_s", [50.0, 45.0], "initial.everywhere.speed_m_per_s", "looks like km/h"),
    (PIECE, {"from_m": 0.0, "to_m": 9.0, "density_veh_per_m": [0.0, 0.14], "speed_m_per_s": [1.0, 10.0]}, "initial.roads[0].pieces[0].speed_m_per_s", "lower the speed or the density"),
    (f"{PIECE}.to_m", 301.0, "initial.roads[0].pieces[0].to_m", "let the piece end on the road"),
    (f"{PIECE}.from_m", 100.0, "initial.roads[0].pieces[0].to_m", "let the piece have a length"),
    ("initial.roads.0.pieces.1", GOOD["initial"]["roads"][0]["pieces"][0], "initial.roads[0].pieces[1].from_m", "part them"),
    ("initial.roads.0.road", "nowhere", "initial.roads[0].road", "no road of the network"),
    ("initial.roads.1", GOOD["initial"]["roads"][0], "initial.roads[1].road", "put all its pieces together"),
    ("physics.closure", "cubic", "physics.closure", "'multiplicative'"),
    ("physics.classes", ["car", "motorcycle"], "physics.classes", "in this order"),
    ("physics.classes", ["motorcycle"], "demand.inflows[0].vehicle", "add the class to the physics"),
    ("physics.jam_veh_per_m", 150.0, "physics.jam_veh_per_m", "looks like vehicles a kilometre; give vehicles a metre, per lane: here 0.15?"),
    ("physics.jam_veh_per_m", 0.0, "physics.jam_veh_per_m", "greater than 0"),
    ("physics.creep_kmh", 60.0, "physics.creep_kmh", "(network.roads[0], 'from_west'); lower it below the limit"),
    ("physics.car_tau_s", -1.0, "physics.car_tau_s", "greater than 0, in seconds"),
    ("scheme.order", 3, "scheme.order", "1 or 2"),
    ("scheme.cell_m", 0.0, "scheme.cell_m", "in metres"),
    ("scheme.courant", 1e-12, "scheme.courant", "greater than or equal to 0.001"),
    ("scheme.courant", 1.1, "scheme.courant", "less than or equal to 1"),
    ("horizon_s", 5.0, "decision_s", "shorten it, or run for longer"),
    ("seed", -1, "seed", "greater than or equal to 0"),
]  # fmt: skip


def changed(field: str, value: Any) -> dict[str, Any]:
    """The good scenario with another value, or none, at this place."""
    whole = copy.deepcopy(GOOD)
    *way, last = field.split(".")
    place: Any = whole
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    if isinstance(place, list):
        place[int(last) : int(last) + 1] = [value]
    elif value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return whole


def test_the_scenario_that_all_changes_start_from_is_good() -> None:
    """It is taken as a dict and as JSON, and both give the same record."""
    assert Scenario(**GOOD) == Scenario.load(json.dumps(GOOD))


@pytest.mark.parametrize(("field", "value", "path", "words"), BAD, ids=[f"{at}-{field}" for at, (field, *_) in enumerate(BAD)])
def test_bad_input_is_refused(field: str, value: Any, path: str, words: str) -> None:
    """Whether it comes from Python or from JSON, the error names the field and says what to do."""
    data = changed(field, value)
    with pytest.raises(Invalid) as from_python:
        Scenario(**data)
    with pytest.raises(Invalid) as from_json:
        Scenario.load(json.dumps(data))

    assert path == from_python.value.path == from_json.value.path
    assert words in str(from_python.value)
    assert words in str(from_json.value)
    assert from_python.value.remedy


def test_roads_in_two_parts_are_refused() -> None:
    """A network is one: a road that cannot be reached from the first one, even against the traffic, is named."""
    data = changed("network.roads.4", {"id": "far", "start": "there", "end": "away", "length_m": 100.0, **ROAD})
    data["network"]["nodes"] += [{"id": "there"}, {"id": "away"}]

    with pytest.raises(Invalid, match="not connected") as refused:
        Scenario(**data)

    assert "network.roads[4]" == refused.value.path


def test_lengths_in_kilometres_are_refused() -> None:
    """A whole network of less than two metres is one in kilometres."""
    data = copy.deepcopy(GOOD)
    for road in data["network"]["roads"]:
        road["length_m"] /= 1000

    with pytest.raises(Invalid, match="kilometres"):
        Scenario(**data)


def test_all_faulty_fields_are_told_at_once() -> None:
    """Who mends a file learns of every field that is wrong in itself."""
    with pytest.raises(Invalid) as refused:
        Road(id="", start="a", end="b", length_m=-1.0, lanes=0, limit_kmh=1.0)

    assert ["id", "length_m", "lanes", "limit_kmh"] == [refused.value.path, *(other.path for other in refused.value.others)]
    assert 4 == len(str(refused.value).splitlines())


def test_a_refusal_is_one_of_ours_and_travels() -> None:
    """Whoever catches ArzError or ValueError catches it, also from another process."""
    with pytest.raises(ArzError) as refused:
        Scheme(order=3)  # type: ignore[arg-type]
    again = pickle.loads(pickle.dumps(refused.value))

    assert isinstance(again, ValueError)
    assert str(refused.value) == str(again)


@pytest.mark.parametrize("text", ['{"name": "cut', "{}", '{"name": NaN}'])
def test_json_that_is_no_scenario_is_refused(text: str) -> None:
    """Text that was cut off, or holds something else, is refused."""
    with pytest.raises(Invalid):
        Scenario.load(text)


def test_a_file_goes_out_and_comes_back(tmp_path: Path) -> None:
    """What is saved is loaded to an equal record; a file that is not there is refused."""
    scenario = Scenario(**GOOD)
    scenario.save(tmp_path / "crossing.json")

    assert scenario == Scenario.load(tmp_path / "crossing.json") == Scenario.load(str(tmp_path / "crossing.json"))
    with pytest.raises(Invalid, match="cannot be read"):
        Scenario.load(tmp_path / "absent.json")


def test_records_do_not_change() -> None:
    """A record is frozen and hashable; its copy through pickle is equal."""
    scenario = Scenario(**GOOD)
    with pytest.raises(ValueError, match="frozen"):
        scenario.seed = 3

    assert scenario == pickle.loads(pickle.dumps(scenario))
    assert hash(Physics()) == hash(Physics())
    assert {Node(id="a")} == {Node(id="a")}

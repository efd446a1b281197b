"""Decisions of 15 s in sumo-rl, on the very network of a scenario; prints how many a second one world makes, and how many vehicles are in it.

Run by `peers.py` with the Python of an environment that has sumo-rl and eclipse-sumo; nothing of this project is imported. The scenario
comes as JSON in the first line of the input; each further line asks for so many decisions.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

DECISION_S, AMBER_S, MIN_GREEN_S = 15, 3, 5
HORIZON_S = 3600
DEMAND = 0.5
"""Of the scenario's. Where the lights follow chance, SUMO's drivers pass a crossing more slowly: after 220 decisions some 2,300 vehicles would
be inside, of half of them 675 are, and the scenario has 720."""
SHAPES = {
    "car": {"length": "4.5", "minGap": "2.0", "vClass": "passenger"},
    "motorcycle": {"length": "2.2", "minGap": "1.0", "vClass": "motorcycle"},
}

Attributes = Mapping[str, object]


def write(path: Path, root: str, children: Sequence[tuple[str, Attributes]]) -> None:
    """A flat file of SUMO's."""
    tree = Element(root)
    for tag, attributes in children:
        SubElement(tree, tag, {name: str(value) for name, value in attributes.items()})
    ElementTree(tree).write(path)


def turns(scenario: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """For each road the shares of those that follow it: an equal part each where nothing is said, and nobody turns back if there is a way on."""
    given: dict[str, dict[str, float]] = {}
    for node in scenario["network"]["nodes"]:
        for turn in node["turns"]:
            given.setdefault(turn["approach"], {})[turn["exit"]] = turn["share"]
    for road in scenario["network"]["roads"]:
        after = [other for other in scenario["network"]["roads"] if other["start"] == road["end"]]
        on = [other["id"] for other in after if other["end"] != road["start"]] or [other["id"] for other in after]
        given.setdefault(road["id"], dict.fromkeys(on, 1.0))
    return given


def network(scenario: Mapping[str, Any], folder: Path) -> Path:
    """The roads as long and as wide as they are, and lights where they are; netconvert chooses who is green with whom."""
    nodes = [
        {"id": node["id"], "x": node["x_m"], "y": node["y_m"], "type": "traffic_light" if node["signal"] else "priority"}
        for node in scenario["network"]["nodes"]
    ]
    edges = [
        {"id": road["id"], "from": road["start"], "to": road["end"], "length": road["length_m"]}
        | {"numLanes": road["lanes"], "speed": road["limit_kmh"] / 3.6}
        | ({"shape": " ".join(f"{x},{y}" for x, y in road["geometry"])} if road["geometry"] else {})
        for road in scenario["network"]["roads"]
    ]
    links = [{"from": approach, "to": leaving} for approach, after in turns(scenario).items() for leaving in after]
    made = folder / "made.net.xml"
    given: list[str | Path] = ["--no-warnings", "-o", made]
    for option, (root, tag, rows) in {
        "-n": ("nodes", "node", nodes),
        "-e": ("edges", "edge", edges),
        "-x": ("connections", "connection", links),
    }.items():
        path = folder / f"{root}.xml"
        write(path, root, [(tag, row) for row in rows])
        given += [option, path]
    call("netconvert", *given)
    return made


def routes(scenario: Mapping[str, Any], folder: Path) -> Path:
    """As many vehicles an hour at each entry, which turn as the scenario's do."""
    after, draw = turns(scenario), Random(7)
    vehicles: list[tuple[float, str, list[str]]] = []
    for inflow in scenario["demand"]["inflows"]:
        for _ in range(round(inflow["profile"][0][1] * DEMAND * HORIZON_S / 3600)):
            way = [inflow["road"]]
            while ways := after[way[-1]]:
                way += draw.choices(list(ways), list(ways.values()))
            vehicles.append((draw.uniform(0, HORIZON_S), inflow["vehicle"], way))
    path = folder / "made.rou.xml"
    root = Element("routes")
    for name, shape in SHAPES.items():
        SubElement(root, "vType", {"id": name, **shape})
    for number, (depart, vehicle, way) in enumerate(sorted(vehicles)):
        attributes = {"id": str(number), "type": vehicle, "depart": f"{depart:.2f}", "departLane": "best", "departSpeed": "max"}
        SubElement(SubElement(root, "vehicle", attributes), "route", edges=" ".join(way))
    ElementTree(root).write(path)
    return path


def call(program: str, *arguments: str | Path) -> None:
    """One of SUMO's programs, which stand beside this Python."""
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or program
    subprocess.run([found, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


class District:
    """One world, which begins anew when its hour is over."""

    def __init__(self, scenario: Mapping[str, Any], folder: Path) -> None:
        from sumo import SUMO_HOME

        os.environ.setdefault("SUMO_HOME", SUMO_HOME)  # where sumo_rl looks as it is imported
        from sumo_rl import SumoEnvironment

        net = network(scenario, folder)
        self.env = SumoEnvironment(
            net_file=str(net),
            route_file=str(routes(scenario, folder)),
            num_seconds=HORIZON_S,
            delta_time=DECISION_S,
            yellow_time=AMBER_S,
            min_green=MIN_GREEN_S,
            sumo_seed=7,
            sumo_warnings=False,
            add_system_info=False,
            add_per_agent_info=False,
        )
        self.env.reset()
        for number, signal in enumerate(self.env.ts_ids):
            self.env.action_spaces(signal).seed(number)

    def decide(self) -> bool:
        """One decision at every signal; whether the hour is over."""
        actions = {signal: self.env.action_spaces(signal).sample() for signal in self.env.ts_ids}
        return bool(self.env.step(actions)[2]["__all__"])

    def rate(self, decisions: int) -> float:
        """Decisions a second; beginnings are not counted."""
        spent = 0.0
        for _ in range(decisions):
            began = perf_counter()
            over = self.decide()
            spent += perf_counter() - began
            if over:
                self.env.reset()
        return decisions / spent


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")  # SUMO writes into the output that it finds
    os.dup2(2, 1)
    scenario = json.loads(sys.stdin.readline())
    with tempfile.TemporaryDirectory() as folder:
        district = District(scenario, Path(folder))
        for line in sys.stdin:
            print(district.rate(int(line)), len(district.env.sumo.vehicle.getIDList()), file=answers, flush=True)
        district.env.close()


if __name__ == "__main__":
    main()

"""SUMO networks for the tests, written by hand in the form that netconvert writes."""

from dataclasses import dataclass, field
from pathlib import Path

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<net version="1.20" junctionCornerDetail="5">\n'
LOCATION = '<location netOffset="0,0" convBoundary="0,0,9,9" origBoundary="0,0,9,9" projParameter="!"/>'


@dataclass
class Net:
    """Junctions, edges between them, connections of their lanes, and programs of lights."""

    junctions: dict[str, str] = field(default_factory=dict)
    edges: list[str] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)

    def junction(self, name: str, x: float, y: float, kind: str = "priority") -> "Net":
        self.junctions[name] = f'<junction id="{name}" type="{kind}" x="{x:.2f}" y="{y:.2f}" incLanes="" intLanes="" shape="0,0"/>'
        return self

    def edge(
        self, start: str, end: str, lanes: int = 1, *, length: str = "100.00", speed: str = "13.89", lane: str = "", more: str = ""
    ) -> "Net":
        name = start + end
        inner = "".join(
            f'<lane id="{name}_{at}" index="{at}" speed="{speed}" length="{length}" shape="0,0 9,9" {lane if at == 0 else ""}/>'
            for at in range(lanes)
        )
        self.edges.append(f'<edge id="{name}" from="{start}" to="{end}" priority="-1" {more}>{inner}</edge>')
        return self

    def connect(self, start: str, end: str, lane: int = 0, direction: str = "s", light: str = "", index: int = -1) -> "Net":
        lit = f'tl="{light}" linkIndex="{index}"' if light else ""
        self.connections.append(
            f'<connection from="{start}" to="{end}" fromLane="{lane}" toLane="0" via=":x_0_0" {lit} dir="{direction}" state="M"/>'
        )
        return self

    def program(self, name: str, *phases: tuple[float, str], offset: str = "0", kind: str = "static", number: str = "0") -> "Net":
        inner = "".join(f'<phase duration="{duration:g}" state="{state}"/>' for duration, state in phases)
        self.programs.append(f'<tlLogic id="{name}" type="{kind}" programID="{number}" offset="{offset}">{inner}</tlLogic>')
        return self

    def xml(self) -> str:
        return HEAD + "\n".join([LOCATION, *self.edges, *self.programs, *self.junctions.values(), *self.connections, "</net>", ""])

    def write(self, path: Path) -> str:
        path.write_text(self.xml(), encoding="utf-8")
        return str(path)


def crossing(*phases: tuple[float, str], offset: str = "0") -> Net:
    """Four two-way arms n, e, s, w at c; approaches of two lanes: one right and straight on, one straight on and left. Links in the order of arms."""
    net = Net().junction("c", 0, 0, "traffic_light")
    arms = {"n": (0, 100), "e": (100, 0), "s": (0, -100), "w": (-100, 0)}
    for arm, (x, y) in arms.items():
        net.junction(arm, x, y).edge(arm, "c", 2).edge("c", arm, 2).connect(f"c{arm}", f"{arm}c", 1, "t")
    order = list(arms)
    index = 0
    for at, arm in enumerate(order):
        right, straight, left = (order[(at + step) % 4] for step in (3, 2, 1))
        for target, lane, direction in ((right, 0, "r"), (straight, 0, "s"), (straight, 1, "s"), (left, 1, "l"), (arm, 1, "t")):
            net.connect(f"{arm}c", f"c{target}", lane, direction, "c", index)
            index += 1
    return net.program("c", *phases, offset=offset) if phases else net

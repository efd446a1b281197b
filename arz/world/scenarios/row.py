"""Roads in a row: one way from a first node to a last one."""

from collections.abc import Sequence
from typing import Any

from arz.world.network import Network, Node, Road


def row(name: str, parts: Sequence[tuple[str, dict[str, Any]]], **last: Any) -> Network:
    """Lays roads (id, fields) end to end along the x axis, between nodes n0, n1, …; `last` are fields of the last node."""
    roads: list[Road] = []
    nodes = [Node(id="n0")]
    for at, (road_id, fields) in enumerate(parts, start=1):
        road = Road(id=road_id, start=nodes[-1].id, end=f"n{at}", **fields)
        ends = last if at == len(parts) else {}
        nodes.append(Node(id=f"n{at}", x_m=nodes[-1].x_m + road.length_m, **ends))
        roads.append(road)
    return Network(name=name, roads=tuple(roads), nodes=tuple(nodes))

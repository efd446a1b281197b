"""`import`: a road network from a file of another program."""

import os
from typing import TYPE_CHECKING

import click

from arz.cli.options import emit, json_option
from arz.cli.root import Told

if TYPE_CHECKING:
    from arz.world.importers.finish import DeadEnds


@click.command(name="import", epilog="Example: python -m arz import lagos.osm --out network.json")
@click.argument("path", metavar="FILE")
@click.option("--kind", metavar="NAME", help="The format, where the name of the file does not tell: `python -m arz list importers`.")
@click.option(
    "--dead-ends",
    type=click.Choice(["open", "turn"]),
    default="open",
    show_default=True,
    help="Where a two-way street ends: traffic enters and leaves, or turns round.",
)
@click.option("--out", metavar="NETWORK.json", help="Where the network goes.")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Print at most so many roads; 0 for all.")
@json_option
def import_network(path: str, kind: str | None, dead_ends: "DeadEnds", out: str | None, limit: int, *, as_json: bool) -> None:
    """Read a road network, say what had to be guessed, and keep it as JSON.

    Formats: OSM extracts (.osm, .osm.pbf), SUMO networks (.net.xml), GMNS folders, edge lists (.csv).
    """
    from arz.cli.tables import network_lines
    from arz.world.importers.registry import read

    if out is not None:
        if not out.endswith(".json"):
            raise Told(f"--out {out}: end it with .json")
        if not os.path.isdir(os.path.dirname(out) or "."):
            raise Told(f"--out {out}: there is no such folder: make it first")
    network = read(path, kind, dead_ends=dead_ends)
    if out is not None:
        network.save(out)
    plain = {
        "name": network.name,
        "roads": len(network.roads),
        "nodes": len(network.nodes),
        "length_m": sum(road.length_m for road in network.roads),
        "signals": sum(node.signal is not None for node in network.nodes),
        "entries": [road.id for road in network.entries],
        "outlets": [road.id for road in network.outlets],
        "notes": list(network.notes),
        "out": out,
    }
    emit(plain, lambda: [*network_lines(network, limit), *([f"written to {out}"] if out else [])], as_json=as_json)

"""The formats of road networks, one line each, and the one verb that reads them."""

import os
from typing import get_args

from arz.errors import Invalid, Unknown
from arz.given import place
from arz.world.importers.base import Importer
from arz.world.importers.edge_list import EDGE_LIST
from arz.world.importers.finish import DeadEnds, finished
from arz.world.importers.gmns import GMNS
from arz.world.importers.osm import OSM
from arz.world.importers.sumo_net import SUMO_NET
from arz.world.network import Network

IMPORTERS: tuple[Importer, ...] = (OSM, SUMO_NET, GMNS, EDGE_LIST)
"""The first that claims a file reads it."""


def read(path: str | os.PathLike[str], kind: str | None = None, *, dead_ends: DeadEnds = "open") -> Network:
    """The road network of a file, or of a folder for GMNS; its notes say what had to be guessed and what was left out.

    `kind` names the format where the name of the file does not tell. With `dead_ends="open"` traffic enters and leaves where a two-way
    street ends, as at the border of an extract; with "turn" it turns round there.
    Invalid for a file that cannot be read as this format; Unknown for a kind that is not there.
    """
    file = os.fspath(place(path, "give the path of a file, or of a folder for GMNS"))
    if dead_ends not in get_args(DeadEnds):
        raise Unknown("way to end a street", dead_ends, get_args(DeadEnds))
    if not os.path.exists(file):
        raise Invalid(file, "there is no such file", "check the path")
    return finished(_importer(file, kind).read(file), dead_ends)


def _importer(file: str, kind: str | None) -> Importer:
    if kind is not None:
        for importer in IMPORTERS:
            if importer.name == kind:
                return importer
        raise Unknown("kind of network file", kind, (importer.name for importer in IMPORTERS))
    for importer in IMPORTERS:
        if importer.claims(file):
            return importer
    known = ", ".join(f"{importer.name}: {importer.says}" for importer in IMPORTERS)
    raise Invalid(file, "the name does not tell what kind of file it is", f"say which (kind=, or --kind on the command line): {known}")

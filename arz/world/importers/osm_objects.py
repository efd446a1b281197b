"""What an OSM file holds, whether it is XML or PBF: nodes, ways and relations."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OsmNode:
    """A point, in degrees."""

    id: int
    lon: float
    lat: float
    tags: dict[str, str]
    place: str
    """Where in the file it stands, for a person."""


@dataclass(frozen=True, slots=True)
class OsmWay:
    """A line through nodes, which it names."""

    id: int
    refs: tuple[int, ...]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class OsmRelation:
    """Things that mean something together, as a rule for turning does."""

    id: int
    members: tuple[tuple[str, int, str], ...]
    """(node, way or relation; its id; its role)."""
    tags: dict[str, str]

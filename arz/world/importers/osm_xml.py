"""OSM as XML: .osm files, of the site, of Overpass or of an editor."""

import math
from collections.abc import Container, Iterator

from arz.world.importers.draft import refused
from arz.world.importers.elements import Element, elements
from arz.world.importers.osm_objects import OsmNode, OsmRelation, OsmWay


def ways_and_relations(path: str) -> Iterator[OsmWay | OsmRelation]:
    for element in _visible(path):
        if element.tag == "way":
            refs = tuple(_id(path, inner, "ref") for inner in element.within if inner.tag == "nd")
            yield OsmWay(_id(path, element, "id"), refs, _tags(element))
        elif element.tag == "relation":
            members = tuple(
                (inner.attributes.get("type", ""), _id(path, inner, "ref"), inner.attributes.get("role", ""))
                for inner in element.within
                if inner.tag == "member"
            )
            yield OsmRelation(_id(path, element, "id"), members, _tags(element))


def nodes(path: str, wanted: Container[int]) -> Iterator[OsmNode]:
    for element in _visible(path):
        if element.tag == "node" and (name := _id(path, element, "id")) in wanted:
            lon, lat = _degrees(element, "lon"), _degrees(element, "lat")
            yield OsmNode(name, lon, lat, _tags(element), f"line {element.line}, node {name}")


def _visible(path: str) -> Iterator[Element]:
    """The elements that were not deleted."""
    for element in elements(path, "osm"):
        if element.attributes.get("visible") != "false" and element.attributes.get("action") != "delete":
            yield element


def _id(path: str, element: Element, attribute: str) -> int:
    text = element.attributes.get(attribute, "")
    try:
        return int(text)
    except ValueError:
        place = f"line {element.line}, <{element.tag}>"
        raise refused(path, place, f"{attribute} is {text!r}, not a whole number", "fetch the file again") from None


def _degrees(element: Element, attribute: str) -> float:
    """The degrees of an attribute, or no number, which the reader of the roads refuses."""
    try:
        return float(element.attributes.get(attribute, ""))
    except ValueError:
        return math.nan


def _tags(element: Element) -> dict[str, str]:
    return {inner.attributes.get("k", ""): inner.attributes.get("v", "") for inner in element.within if inner.tag == "tag"}

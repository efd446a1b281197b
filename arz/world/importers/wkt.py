"""Lines in well-known text: LINESTRING (x y, x y, ...)."""

import math
import re

from arz.world.importers.plane import Point

_LINE = re.compile(r"(?:SRID=\d+;)?\s*LINESTRING\s*(?:Z|M|ZM)?\s*\(([^()]*)\)", re.IGNORECASE)


def line_of(text: str) -> tuple[Point, ...] | None:
    """The points of a line, heights left out; None where the text is no line of at least two points."""
    found = _LINE.fullmatch(text.strip())
    if found is None:
        return None
    points = []
    for part in found[1].split(","):
        try:
            x, y, *_ = (float(number) for number in part.split())
        except ValueError:
            return None
        if not (math.isfinite(x) and math.isfinite(y)):
            return None
        points.append((x, y))
    return tuple(points) if len(points) > 1 else None

"""What an importer promises."""

from collections.abc import Callable
from dataclasses import dataclass

from arz.world.importers.draft import Draft


@dataclass(frozen=True, slots=True)
class Importer:
    """One format of road networks.

    `claims(path)` says, by the name, whether a file is probably of this format; `read(path)` reads it once, in time that grows with its
    size. What it has to guess it notes in the draft; a file that is not of the format, cut off or absurd is refused as Invalid with the
    file, the line or element, and the remedy.
    """

    name: str
    says: str
    claims: Callable[[str], bool]
    read: Callable[[str], Draft]

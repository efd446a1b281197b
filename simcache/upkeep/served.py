"""What a key answers: one value, or the segments of a series in a row; or the one entry of it that a person named."""

from collections.abc import Sequence
from typing import NamedTuple

from simcache.chain import longest_chain, range_of, reach_of
from simcache.model import Entry
from simcache.upkeep.divergences import in_service


class Served(NamedTuple):
    """A result as a reader gets it, or one entry that was named by its digest."""

    first: Entry
    """The one that is served first."""
    chain: tuple[Entry, ...]
    """Of a series: its segments from item 0 on, or the segment that was named; of a value nothing."""
    whole: bool
    """Whether it is all that the key answers, and not one entry that was named."""

    @property
    def is_series(self) -> bool:
        return self.first.segment is not None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries that it is made of."""
        return self.chain or (self.first,)

    @property
    def name(self) -> str:
        """How a person names it."""
        return self.first.key if self.whole and self.is_series else f"{self.first.key}.{self.first.digest}"

    @property
    def start(self) -> int:
        """The number of its first item."""
        return range_of(self.chain[0]).start if self.chain else 0

    @property
    def stop(self) -> int:
        """The number of the item after its last one."""
        return reach_of(self.chain)


def served(entries: Sequence[Entry], *, whole: bool = True) -> Served:
    """What these entries of one key answer; not `whole` if a person named one of them.

    Where all are withdrawn, it is the last result that was made, by itself.
    """
    in_use = in_service(entries)
    if not in_use or not whole:
        results = [entry for entry in entries if entry.kind != "withdrawn"]
        one = in_use[0] if in_use else (results or list(entries))[-1]
        return Served(one, () if one.segment is None else (one,), whole=False)
    return Served(in_use[0], tuple(longest_chain([entry for entry in in_use if entry.segment is not None])), whole=True)

"""Segments of a series in a row: which of those that are stored make up the series, and what they reach."""

from collections.abc import Sequence

from simcache.model import Entry, Segment


def longest_chain(segments: Sequence[Entry]) -> list[Entry]:
    """The segments that reach furthest from item 0 without a gap, by the rule that every reader follows."""
    starting: dict[int, list[Entry]] = {}
    for entry in segments:
        starting.setdefault(range_of(entry).start, []).append(entry)
    best: dict[int, tuple[int, Entry]] = {}  # how far one comes from there, and by which segment first
    for start in sorted(starting, reverse=True):
        for entry in starting[start]:
            stop = range_of(entry).stop
            reach = best[stop][0] if stop != start and stop in best else stop
            if start not in best or _better(reach, entry, best[start]):
                best[start] = (reach, entry)
    chain: list[Entry] = []
    start = 0
    while start in best:
        chain.append(best[start][1])
        stop = range_of(chain[-1]).stop
        if stop == start:  # the mark of an end has nothing behind it
            break
        start = stop
    return chain


def _better(reach: int, entry: Entry, than: tuple[int, Entry]) -> bool:
    first = than[1]
    if reach != than[0]:
        return reach > than[0]
    if (range_of(entry).length == 0) != (range_of(first).length == 0):
        return range_of(first).length == 0
    return (entry.made.at, entry.digest) < (first.made.at, first.digest)


def range_of(entry: Entry) -> Segment:
    if entry.segment is None:
        raise TypeError(f"{entry.name} is no segment")
    return entry.segment


def items_named(start: int, stop: int) -> str:
    """A range of items in words: `items 0 to 4`, `item 3`, `no items`."""
    if stop - start == 1:
        return f"item {start}"
    return f"items {start} to {stop - 1}" if stop > start else "no items"


def reach_of(chain: Sequence[Entry]) -> int:
    return range_of(chain[-1]).stop if chain else 0


def reaches(chain: Sequence[Entry], count: int) -> bool:
    return reach_of(chain) >= count or has_ended(chain)


def has_ended(chain: Sequence[Entry]) -> bool:
    return bool(chain) and range_of(chain[-1]).ended

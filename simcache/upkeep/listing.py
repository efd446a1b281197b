"""What is in a store, one row a result: read by patterns instead of parsing, for a listing wants six fields of ten thousand entries."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from operator import attrgetter
from typing import Literal, NamedTuple

from simcache.errors import CacheError
from simcache.model import Entry, folder_of, held_in
from simcache.stores.base import Store
from simcache.upkeep.contents import Contents, contents
from simcache.upkeep.report import Report

Order = Literal["time", "size", "seconds", "function"]
ORDERS: tuple[Order, ...] = ("time", "size", "seconds", "function")

# Entries are canonical JSON with sorted keys. In no text is a quote without a backslash before it, and nothing after the code version
# has a key of that name, so its last place is the place: arguments that look like an entry do not count. An entry with a backslash in
# one of these texts is parsed: a pattern that knows it takes longer for all others.
_CODE = b'],"code":"'
_FIELDS = re.compile(
    rb'\],"code":"[0-9a-f]{32}","format":[12],"function":"([^"\\]*)","key":"[0-9a-f]{32}","kind":"([a-z]+)",'
    rb'"made":\{"at":"([^"\\]*)","device":"[^"\\]*","git":(?:null|"[^"\\]*"),"host":"([^"\\]*)","packages":\{[^{}]*\},'
    rb'"platform":"[^"\\]*","python":"[^"\\]*","seconds":([0-9]{1,12}(?:\.[0-9]+)?(?:e-[0-9]+)?),'
)
_BLOBS = b'"blobs":['
_SIZE = re.compile(rb",([0-9]+)\]")
_BLOB = re.compile(rb'\["([0-9a-f]{64})","[0-9a-f]{32}",([0-9]+)\]')
_INLINE = b'"inline":"'
_SEGMENT = re.compile(rb'"segment":\[([0-9]+),([0-9]+),')


class Row(NamedTuple):
    """The results of one key that are served: one value (or several that contradict each other), or a series.

    Where all are withdrawn, they are those that were. A tuple, for there are thousands.
    """

    function: str
    key: str
    kind: str
    """`value`, `series`, or `withdrawn` where none of them is served."""
    at: str
    """When the newest of them was made."""
    seconds: float
    """How long all of them took."""
    size: int
    """Bytes of the blobs that they name, each once, and of the values that they hold themselves.

    What several keys share (the list of the functions behind them, a large argument) counts for each of them.
    """
    host: str
    results: int
    """How many entries these are."""
    items: int | None
    """How many items of a series a reader gets: those from the first one on that none is missing between."""


@dataclass(frozen=True, slots=True)
class Listing(Report):
    """Some rows of a store, and how many there would be without a limit."""

    store: str
    rows: tuple[Row, ...]
    total: int


class Fields(NamedTuple):
    """What a listing reads of one entry."""

    name: str
    function: str
    kind: str
    at: str
    host: str
    seconds: float
    held: int
    """Bytes of values that it holds itself."""
    blobs: bytes
    """The blobs that it names, as JSON."""
    segment: tuple[int, int] | None
    """The numbers of a segment's first item and of the item after its last one."""
    withdraws: tuple[str, ...]
    """The digests that a tombstone takes back."""


def listing(
    store: Store,
    pattern: str | None = None,
    *,
    function: str | None = None,
    limit: int | None = None,
    order: Order = "time",
) -> Listing:
    """The results in a store, newest first; `pattern` is a glob of functions or the beginning of a key.

    Rows are for people to look at: bytes are not checked here (`verify` does that).
    """
    rows = [row for row in _rows(contents(store), function) if pattern is None or _matches(row, pattern)]
    if order == "function":
        rows.sort(key=lambda row: (row.function, row.at, row.key))
    else:
        rows.sort(key=attrgetter("key"), reverse=True)  # twice by one text or number: faster than once by pairs
        rows.sort(key=attrgetter({"time": "at", "size": "size", "seconds": "seconds"}[order]), reverse=True)
    return Listing(store.url, tuple(rows if limit is None else rows[:limit]), len(rows))


def near_name(asked: str, functions: Iterable[str]) -> str:
    """Of some functions and their modules the one that somebody may have meant; empty if none is near."""
    from difflib import get_close_matches

    meant = {name: function for function in sorted(functions) for name in (function.rpartition(".")[2], function)}
    meant |= {module: module for module in sorted({function.rpartition(".")[0] for function in functions} - {""})}
    return next((meant[name] for name in get_close_matches(asked, meant, 1)), "")


def _matches(row: Row, pattern: str) -> bool:
    return fnmatchcase(row.function, pattern) or row.key.startswith(pattern) or fnmatchcase(row.function, f"{pattern}.*")


def _rows(held: Contents, function: str | None) -> Iterator[Row]:
    folder = None if function is None else f"entries/{folder_of(function)}/"
    for names in held.entries():
        if folder is not None and not names[0].startswith(folder):
            continue
        several: dict[str, list[Fields]] = {}
        texts: dict[bytes, str] = {}
        for name in names:
            if (fields := fields_of(held, name, texts)) is not None:
                several.setdefault(name[-54:-22], []).append(fields)
        for key, found in several.items():
            yield _row(key, found)


def _row(key: str, found: list[Fields]) -> Row:
    if len(found) == 1 and found[0].segment is None:
        only = found[0]
        return Row(only.function, key, only.kind, only.at, only.seconds, _size(only), only.host, 1, None)
    withdrawn = {digest for fields in found for digest in fields.withdraws}
    all_results = [fields for fields in found if fields.kind != "withdrawn"]
    served = [fields for fields in all_results if fields.name[-21:-5] not in withdrawn]
    results = served or all_results or found
    newest = max(results, key=attrgetter("at"))
    segments = [fields.segment for fields in served if fields.segment is not None]
    return Row(
        newest.function,
        key,
        "series" if segments else newest.kind if served else "withdrawn",
        newest.at,
        sum(fields.seconds for fields in results),
        _size_together(results),
        newest.host,
        len(results),
        _reach(segments) if segments else None,
    )


def _size(only: Fields) -> int:
    return only.held + _named_size(only.blobs)


@lru_cache(maxsize=64)  # results that stand in their entries name one blob together: the list of the functions behind them
def _named_size(blobs: bytes) -> int:
    return sum(map(int, _SIZE.findall(blobs)))


def _size_together(results: list[Fields]) -> int:
    blobs = {sha: int(size) for fields in results for sha, size in _BLOB.findall(fields.blobs)}
    return sum(fields.held for fields in results) + sum(blobs.values())


def _reach(segments: list[tuple[int, int]]) -> int:
    """How far the longest chain of segments goes (`chain.py` has the rule), by their numbers alone."""
    reached = {0}
    for start, stop in sorted(segments):
        if start in reached:
            reached.add(stop)
    return max(reached)


def fields_of(held: Contents, name: str, texts: dict[bytes, str] | None = None) -> Fields | None:
    """The listed fields of one entry; None if it cannot be read. `texts` remembers what stands in entry after entry."""
    texts = {} if texts is None else texts
    try:
        data = held.read(name)
        place = data.rfind(_CODE)
        match = _FIELDS.match(data, place) if place >= 0 else None
        if match is None:
            return _slowly(name, Entry.from_bytes(name, data))
        function, kind, at, host, seconds = match.groups()
        if kind == b"withdrawn":
            return _slowly(name, Entry.from_bytes(name, data))
        segment = _SEGMENT.search(data, match.end()) if kind == b"segment" else None
        return Fields(
            name,
            texts.get(function) or _text(function, texts),
            kind.decode(),
            at.decode(),
            texts.get(host) or _text(host, texts),
            float(seconds),
            _inlined(data, match.end()),
            data[data.rfind(_BLOBS, 0, place) + len(_BLOBS) - 1 : place + 1],
            None if segment is None else (int(segment[1]), int(segment[1]) + int(segment[2])),
            (),
        )
    except (CacheError, ValueError):
        return None


def _inlined(data: bytes, place: int) -> int:
    """How many bytes of values stand from here on."""
    size = 0
    while (place := data.find(_INLINE, place)) >= 0:
        begin = place + len(_INLINE)
        place = data.index(b'"', begin)
        size += 3 * (place - begin) // 4 - data.count(b"=", place - 2, place)
    return size


def _text(written: bytes, texts: dict[bytes, str]) -> str:
    text = texts[written] = written.decode()
    return text


def _slowly(name: str, entry: Entry) -> Fields:
    held = held_in({"value": entry.value, "state": entry.state})
    blobs = json.dumps(entry.blobs, separators=(",", ":")).encode()
    segment = None if entry.segment is None else (entry.segment.start, entry.segment.stop)
    return Fields(
        name, entry.function, entry.kind, entry.made.at, entry.made.host, entry.made.seconds, held, blobs, segment, entry.withdraws
    )

"""Results that contradict each other: one key, different bytes; and series that do not hang together."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from simcache.chain import items_named, longest_chain, reach_of
from simcache.errors import CacheError
from simcache.leaves import tree_of
from simcache.model import Blob, Buffer, Entry, Json, Segment, form_of
from simcache.upkeep.report import Report

_Part = tuple[Entry, Segment]
"""A segment, and which items it holds."""


@dataclass(frozen=True, slots=True)
class Testimony(Report):
    """One of several results: what it is, who made it, when and on what."""

    entry: str
    """`key.digest`: how `show`, `diff` and `withdraw` name this one result."""
    sha256: str
    at: str
    host: str
    device: str
    platform: str
    python: str
    packages: dict[str, str]
    git: str | None


@dataclass(frozen=True, slots=True)
class Divergence(Report):
    """One key that has results with different bytes."""

    key: str
    function: str
    what: str
    """`value`, or which item of the series is the first that differs."""
    results: tuple[Testimony, ...]
    """The one that is served first."""


def divergences(entries: Sequence[Entry], read: Callable[[str], bytes]) -> list[Divergence]:
    """Among the entries of one key, those not withdrawn whose bytes differ; `read` gives the bytes of a blob."""
    served = in_service(entries)
    found = []
    values: dict[str, Entry] = {}
    for entry in served:
        if entry.segment is None:
            values.setdefault(_identity(entry), entry)
    if len(values) > 1:
        found.append(_divergence(list(values.values()), "value"))
    segments = [(entry, entry.segment) for entry in served if entry.segment is not None]
    for (one, first), (other, second) in _overlapping(segments):
        if (item := _differing(one, first, other, second, read)) is not None:
            found.append(_divergence([one, other], f"item {item}"))
    return found


def in_service(entries: Sequence[Entry]) -> list[Entry]:
    """The entries of one key that are not withdrawn, the one that is served first."""
    withdrawn = {digest for entry in entries for digest in entry.withdraws}
    served = [(entry.made.at, entry.digest, entry) for entry in entries if entry.kind != "withdrawn"]
    return [entry for at, digest, entry in sorted(served, key=lambda held: held[:2]) if digest not in withdrawn]


def gap(entries: Sequence[Entry]) -> str | None:
    """Which items of a series are missing before others that are there; None if none are."""
    segments = [(entry, entry.segment) for entry in in_service(entries) if entry.segment is not None]
    chain = longest_chain([entry for entry, _ in segments])
    reach = reach_of(chain)
    beyond = min((segment.start for _, segment in segments if segment.start > reach), default=reach)
    if beyond == reach:
        return None
    are, them = ("is", "it") if beyond - reach == 1 else ("are", "them")
    return f"{entries[0].function} {entries[0].key}: {items_named(reach, beyond)} {are} missing; those from {beyond} on wait for {them}"


def _overlapping(segments: Sequence[_Part]) -> list[tuple[_Part, _Part]]:
    """The pairs with an item in common, in the order of serving; a long series has millions of pairs, and nearly all have none."""
    pairs: list[tuple[int, int]] = []
    reaching: list[int] = []
    for place in sorted(range(len(segments)), key=lambda place: segments[place][1].start):
        start = segments[place][1].start
        reaching = [before for before in reaching if segments[before][1].stop > start]
        pairs += [(min(before, place), max(before, place)) for before in reaching]
        reaching.append(place)
    return [(segments[one], segments[other]) for one, other in sorted(pairs)]


def _identity(entry: Entry) -> str:
    return json.dumps([form_of(entry.value), _sha(entry)], sort_keys=True)


def _sha(entry: Entry) -> str:
    return entry.named(entry.value).sha256 if entry.value else ""


def _divergence(entries: Sequence[Entry], what: str) -> Divergence:
    return Divergence(entries[0].key, entries[0].function, what, tuple(map(_testimony, entries)))


def _testimony(entry: Entry) -> Testimony:
    made = entry.made
    name = f"{entry.key}.{entry.digest}"
    return Testimony(name, _sha(entry), made.at, made.host, made.device, made.platform, made.python, dict(made.packages), made.git)


def _differing(one: Entry, first: Segment, other: Entry, second: Segment, read: Callable[[str], bytes]) -> int | None:
    """The first item that both segments hold with different bytes; None if they agree as far as one can see."""
    start, stop = max(first.start, second.start), min(first.stop, second.stop)
    if start >= stop:
        return None
    if first.start == second.start and _identity(one) == _identity(other):
        return None
    try:
        held, again = _items(one, read), _items(other, read)
    except (CacheError, ValueError, LookupError, TypeError):
        return None  # unreadable bytes are told of elsewhere
    if held is None or again is None:  # a pickle: its items cannot be told apart without running it
        return start if first.start == second.start and first.length == second.length else None
    pairs = range(start, stop)
    return next((item for item in pairs if held[item - first.start] != again[item - second.start]), None)


def _items(entry: Entry, read: Callable[[str], bytes]) -> list[str] | None:
    """Each item of a segment as text that is equal for equal items, wherever in the blob their arrays lie."""
    described: Json = entry.value or {}
    if described.get("codec") not in ("json", "tree"):
        return None
    content = entry.content(described)
    data = read(content.sha256) if isinstance(content, Blob) else content
    return [json.dumps(item, sort_keys=True) for item in tree_of(described, data, by_digest)]


def by_digest(tag: str, rest: list[Any], memory: Buffer) -> Json:
    """A leaf as its digest, wherever in its blob it lies."""
    return {tag: [sha256(memory).hexdigest(), *rest]}

"""How much a store holds and what it has saved, per function and in all."""

from dataclasses import dataclass

from simcache.errors import CacheError
from simcache.model import held_in, record_of
from simcache.stores.base import Store
from simcache.tally import Tally
from simcache.upkeep.contents import contents
from simcache.upkeep.report import Report


@dataclass(frozen=True, slots=True)
class FunctionStats(Report):
    """The results of one function."""

    function: str
    entries: int
    """All that lie there: withdrawn ones, until `prune` or `forget` removes them, and what takes them back, which stays."""
    bytes: int
    """Of the blobs that its entries name, each once, and of the values that they hold themselves."""
    seconds: float
    """What computing them took."""
    hits: int
    saved: float
    """Seconds that were not computed again."""
    newest: str


@dataclass(frozen=True, slots=True)
class StatsReport(Report):
    """A store in numbers."""

    store: str
    entries: int
    blobs: int
    bytes: int
    """Of all blobs and entries that are there."""
    unreferenced: int
    """Bytes of blobs that no entry names: `prune` frees them."""
    seconds: float
    hits: int
    saved: float
    functions: tuple[FunctionStats, ...]


@dataclass(slots=True)
class _Sum:
    entries: int = 0
    held: int = 0
    seconds: float = 0.0
    newest: str = ""


def stats(store: Store) -> StatsReport:
    """Count a store. Hits and time saved are those of this machine's processes; other stores do not share them."""
    held = contents(store)
    sums: dict[str, _Sum] = {}
    blobs: dict[str, dict[str, int]] = {}
    entry_bytes = 0
    for names in held.entries():
        for name in names:
            try:
                data = held.read(name)
                record = record_of(name, data)
            except CacheError:
                continue  # `verify` names it
            function, made = record["function"], record["made"]
            total = sums.setdefault(function, _Sum())
            total.entries += 1
            total.held += held_in(record)
            total.seconds += made["seconds"]
            total.newest = max(total.newest, made["at"])
            blobs.setdefault(function, {}).update((sha, size) for sha, _, size in record["blobs"])
            entry_bytes += len(data)
    hits = Tally(store.local).read()
    sizes = {name[-64:]: held.size(name) for name in held.blobs()}
    named = {sha for held_by in blobs.values() for sha in held_by}
    functions = [
        FunctionStats(
            function=function,
            entries=sums[function].entries if function in sums else 0,
            bytes=sum(blobs.get(function, {}).values()) + (sums[function].held if function in sums else 0),
            seconds=round(sums[function].seconds, 6) if function in sums else 0.0,
            hits=hits.get(function, (0, 0.0))[0],
            saved=round(hits.get(function, (0, 0.0))[1], 6),
            newest=sums[function].newest if function in sums else "",
        )
        for function in sorted({*sums, *hits})
    ]
    return StatsReport(
        store=store.url,
        entries=sum(one.entries for one in functions),
        blobs=len(sizes),
        bytes=entry_bytes + sum(sizes.values()),
        unreferenced=sum(size for sha, size in sizes.items() if sha not in named),
        seconds=round(sum(one.seconds for one in functions), 6),
        hits=sum(one.hits for one in functions),
        saved=round(sum(one.saved for one in functions), 6),
        functions=tuple(functions),
    )

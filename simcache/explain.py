"""Why a call is a hit or not: the nearest stored call, what differs, and what code was followed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from simcache.cache import Cache, Call
from simcache.errors import CacheError
from simcache.identity.difference import Difference, differences, nearest, version_differences
from simcache.identity.fingerprint import Fingerprint
from simcache.model import Entry
from simcache.recorded import comparable

_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer to «would this call be a hit, and if not, why not?»; its text is for a person."""

    function: str
    key: str
    hit: bool
    store: str
    reasons: tuple[str, ...]
    """What is wrong with entries of this very key, if there are any."""
    entry: Entry | None
    """The entry that would be served, or the nearest one of the same function."""
    differences: tuple[Difference, ...]
    """What differs from that entry: arguments and code."""
    followed: tuple[str, ...]
    """Every function, class and constant of the project that the key covers."""
    outside: tuple[str, ...]
    """Packages that the code reaches: their versions are recorded in entries, not part of the key."""

    def __str__(self) -> str:
        lines = [f"{'hit' if self.hit else 'miss'}: {self.function} {self.key} in {self.store}"]
        if self.hit and self.entry is not None:
            made = self.entry.made
            lines.append(f"  made {made.at} on {made.host} in {made.seconds:.3g} s")
        lines += [f"  {reason}" for reason in self.reasons]
        if not self.hit and self.entry is None and not self.reasons:
            lines.append("  nothing of this function is stored yet")
        if not self.hit and self.entry is not None:
            lines.append(f"  nearest: {self.entry.key}, made {self.entry.made.at} on {self.entry.made.host}")
            lines += [f"    {difference}" for difference in self.differences] or ["    nothing recorded differs"]
        lines.append(f"  code followed: {', '.join(self.followed)}")
        if self.outside:
            lines.append(f"  recorded, not keyed: {', '.join(self.outside)}")
        return "\n".join(lines)


def explain(cache: Cache, call: Call, used: Sequence[Fingerprint]) -> Explanation:
    """Look a call up without computing it, and compare it with what is stored."""
    reasons: list[str] = []
    withdrawn: set[str] = set()
    stored = [entry for layer in cache.store.layers() for entry in cache.entries_in(layer, call.function, call.key, reasons, withdrawn)]
    served = next((entry for entry in stored if _is_whole(cache, entry, reasons)), None)
    near = served or _nearest(cache, call)
    found: list[Difference] = []
    if served is None and near is not None:
        found = differences(cache.arguments_of(near), comparable(call.recorded))
        found += version_differences(near.code, call.code, cache.parts_of(near), call.parts)
    return Explanation(
        function=call.function,
        key=call.key,
        hit=served is not None,
        store=cache.near.url,
        reasons=tuple(reasons),
        entry=near,
        differences=tuple(found),
        followed=tuple(sorted({name for code in used for name in code.parts})),
        outside=tuple(sorted({name for code in used for name in code.outside})),
    )


def _is_whole(cache: Cache, entry: Entry, reasons: list[str]) -> bool:
    try:
        cache.content(entry, entry.value or {"blobs": [0]})
    except CacheError as problem:
        reasons.append(str(problem))
        return False
    return True


def _nearest(cache: Cache, call: Call) -> Entry | None:
    entries = [entry for entry in islice(cache.all_entries(call.function), _LOOKED_AT) if entry.kind != "withdrawn"]
    entries.sort(key=lambda entry: entry.made.at, reverse=True)  # of equally near ones the newest is told
    same_code = [entry for entry in entries if entry.code == call.code]
    return nearest(((entry, cache.arguments_of(entry)) for entry in same_code or entries), comparable(call.recorded))

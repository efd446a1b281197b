"""Mending a store: good copies from another one, and what stays damaged set aside, never deleted."""

import os
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from xxhash import xxh3_128_hexdigest

from simcache.errors import CacheError
from simcache.model import check_name, key_in_name
from simcache.stores.base import Store, root_of


class Naming(NamedTuple):
    """An entry that names a blob, and what it says of it."""

    entry: str
    function: str
    part: Literal["value", "state", "parts", "argument"]
    """What of the entry it holds."""
    xxh3: str
    size: int

    @property
    def needed(self) -> bool:
        """The entry has no value without it. Without the rest it still serves."""
        return self.part == "value"


def way_out(naming: Sequence[Naming]) -> str:
    """What an entry that still serves has lost with a blob, and what ends that where no store has a good copy; empty if it serves no more.

    The entry is not written anew without it: under another digest, whoever withdraws the old one would not reach it.
    """
    if not naming or any(one.needed for one in naming):
        return ""
    first = next((one for one in naming if one.part == "parts"), naming[0])
    forget = f"`simcache forget {key_in_name(first.entry)}` has it computed again"
    if first.part == "parts":
        return (
            "the results still serve, and `why` no longer knows the functions behind them: "
            f"the next new call of {first.function} writes them down again; if its code has changed since, {forget}"
        )
    if first.part == "state":
        return f"the items still serve, and going on after them begins at an earlier state: {forget}"
    return f"the result still serves, and an argument of it is no longer known: {forget}"


def mend(store: Store, broken: Sequence[tuple[str, str]], naming: Mapping[str, Sequence[Naming]], source: Store | None) -> dict[str, str]:
    """What was done about each broken name, in words; a name that nothing could be done about is left out.

    `broken` are pairs of what is wrong and where. An entry is set aside with the value that it lost, so that no name
    stands without its bytes; one that only lost what is written down beside its value stays, for it can still serve.
    """
    done: dict[str, str] = {}
    for kind, name in broken:
        if kind == "foreign":
            said = move_away(store, name)
        elif kind in ("corrupt", "missing", "unavailable"):
            said = _mend(store, kind, name, naming.get(name, ()), source)
        else:
            said = ""
        if said:
            done[name] = said
    return done


def _mend(store: Store, kind: str, name: str, naming: Sequence[Naming], source: Store | None) -> str:
    if name.startswith("blobs/") and _is_sound(store, name):  # it was found long ago, if the store is large
        return "written anew meanwhile"
    if source is not None and _fetched(store, kind, name, naming, source):
        return f"fetched from {source.url}"
    if kind == "unavailable":
        return ""
    aside = store.set_aside(name) if kind == "corrupt" else None
    if kind == "corrupt" and aside is None and store.has(name):
        return ""
    left = [one.entry for one in naming if not one.needed]
    lost = [one.entry for one in naming if one.needed]
    for entry in lost:
        store.set_aside(entry)
    if left:
        return ""
    parts = [f"set aside as {aside}"] if aside else []
    if lost:
        entries = "1 entry" if len(lost) == 1 else f"{len(lost)} entries"
        parts.append(f"with {entries} that had no other value" if parts else f"{entries} set aside")
    return " ".join(parts)


def _is_sound(store: Store, name: str) -> bool:
    try:
        check_name(name, store.get(name))
    except (CacheError, OSError):
        return False
    return True


def _fetched(store: Store, kind: str, name: str, naming: Sequence[Naming], source: Store) -> bool:
    """Whether a good copy stands in its place now; the damaged one is set aside first, for whoever wants to see why."""
    try:
        data = source.get(name)
        check_name(name, data)
        fast = xxh3_128_hexdigest(data)
        if any((one.xxh3, one.size) != (fast, data.nbytes) for one in naming):
            return False
        if kind == "corrupt":
            store.set_aside(name)
        store.put(name, [data], durable=True)
    except (CacheError, OSError):
        return False
    return True


def move_away(store: Store, path: str) -> str:
    """A file that has no digest (somebody's own among blobs and entries, a damaged mark) goes to quarantine under its own name, and no number: those are thrown away in turn."""
    root = root_of(store)
    if root is None:
        return ""
    quarantine = os.path.join(root, ".local", "quarantine")
    name = f"foreign-{os.path.basename(path)}"
    number = 0
    while os.path.lexists(os.path.join(quarantine, name)):
        number += 1
        name = f"foreign{number}-{os.path.basename(path)}"
    target = os.path.join(quarantine, name)
    try:
        os.makedirs(quarantine, exist_ok=True)
        os.rename(os.path.join(root, path), target)
    except OSError:
        return ""
    return f"moved to {target}"

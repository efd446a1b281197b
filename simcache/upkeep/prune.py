"""Freeing space: old results by age or size, what nobody names any more, and what dead writers and repairs left behind."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from simcache.errors import CacheError
from simcache.locks import KeyLock
from simcache.model import Blob, Entry, Json, entry_prefix, record_of
from simcache.stores.base import Store, root_of
from simcache.upkeep.contents import Contents, contents
from simcache.upkeep.divergences import in_service
from simcache.upkeep.report import Report

GRACE = 3600.0
"""Seconds for which a blob that no entry names yet is left alone: its writer may be about to name it."""


@dataclass(frozen=True, slots=True)
class PruneReport(Report):
    """What was removed, or would be."""

    store: str
    dry_run: bool
    entries: int
    blobs: int
    freed: int
    """Bytes of everything that went: entries, blobs, quarantine."""
    results: tuple[str, ...]
    """The keys of which something went, each once."""
    quarantined: int
    unfinished: int
    """Files of dead writers."""
    kept_young: int
    """Blobs that no entry names, and that may belong to a writer at this moment."""
    busy: tuple[str, ...]
    """Series that somebody is computing right now, or has gone on with since they were looked at; left alone."""
    bytes_left: int
    """What all blobs and entries take afterwards."""


@dataclass(slots=True)
class _Item:
    """One entry, as far as pruning needs to know it."""

    name: str
    at: str
    size: int
    blobs: tuple[Blob, ...]
    time: float | None
    start: int
    """Where its segment begins; -1 for a value."""
    served: bool
    """False for a withdrawn result: it goes before all others."""


@dataclass(slots=True)
class _Group:
    """All results of one key, in the order in which they may go."""

    function: str
    key: str
    items: list[_Item]
    newest: str = field(init=False)

    def __post_init__(self) -> None:
        self.newest = max(item.at for item in self.items)
        self.items.sort(key=lambda item: (item.served, -item.start, item.at, item.name))

    @property
    def is_series(self) -> bool:
        return any(item.start >= 0 for item in self.items)


def prune(
    store: Store,
    *,
    max_size: int | None = None,
    older_than: float | None = None,
    keep: Sequence[str] = (),
    dry_run: bool = False,
    grace: float = GRACE,
    now: float | None = None,
) -> PruneReport:
    """Free space; with neither `max_size` (bytes) nor `older_than` (seconds), only what no entry names.

    Oldest results go first, and those of functions or keys that match a glob of `keep` never. A series is as old as its
    newest segment, and goes from its end, so what is left of it is still a whole beginning; one that is being computed
    is left alone. Tombstones stay, or a withdrawn result could come back from another store. First the entries go, then
    the blobs that no entry names: ended at any moment, the store is sound, and the next run frees the rest.
    """
    pruning = _Pruning(store, contents(store), dry_run=dry_run, now=time.time() if now is None else now)
    groups = sorted(pruning.look(), key=lambda group: (group.newest, group.key))
    free = [group for group in groups if not any(fnmatchcase(group.function, glob) or fnmatchcase(group.key, glob) for glob in keep)]
    if older_than is not None:
        limit = _text_of(pruning.now - older_than)
        for group in free:
            if group.newest < limit:
                pruning.remove(group, None)
    if max_size is not None:
        for group in free:
            pruning.remove(group, max_size)
    pruning.sweep_blobs(grace)
    pruning.clear_local()
    return pruning.report()


class _Pruning:
    """One run, as it goes; `used` is what all that is left takes."""

    def __init__(self, store: Store, held: Contents, *, dry_run: bool, now: float) -> None:
        self.now = now
        self._store = store
        self._held = held
        self._dry = dry_run
        self._uses: dict[str, int] = {}
        """How many entries name each blob."""
        self._sizes: dict[str, int] = {}
        self._seen: set[str] = set()
        self._gone: dict[str, float] = {}
        """Blobs that entries named which have gone now, and when the last of those was written."""
        self._used = self._freed = 0
        self._entries = self._blobs = self._young = self._quarantined = self._unfinished = 0
        self._results: dict[str, None] = {}
        self._busy: list[str] = []

    def look(self) -> list[_Group]:
        """All results, by key; what each blob is named by, and how much room everything takes."""
        groups = []
        for names in self._held.entries():
            by_key: dict[str, list[tuple[str, Entry, int]]] = {}
            for name, record, size in self._read(names):
                entry = Entry.from_record(name, record)
                by_key.setdefault(entry.key, []).append((name, entry, size))
            groups += [group for held in by_key.values() if (group := self._group(held)) is not None]
        self._used += sum(self._sizes.values())
        return groups

    def _read(self, names: Sequence[str]) -> Iterator[tuple[str, Json, int]]:
        """The records of these entries, each counted as a user of its blobs; damaged ones are left to `verify`."""
        for name in names:
            self._seen.add(name)
            try:
                data = self._held.read(name)
                record = record_of(name, data)
            except CacheError:
                continue
            for sha, _, size in record["blobs"]:
                self._uses[sha] = self._uses.get(sha, 0) + 1
                self._sizes[sha] = size
            yield name, record, len(data)

    def _group(self, held: Sequence[tuple[str, Entry, int]]) -> _Group | None:
        served = {entry.digest for entry in in_service([entry for _, entry, _ in held])} if len(held) > 1 else None
        items = []
        for name, entry, size in held:
            self._used += size
            if entry.kind == "withdrawn":
                continue
            start = -1 if entry.segment is None else entry.segment.start
            in_use = served is None or name[-21:-5] in served
            items.append(_Item(name, entry.made.at, size, entry.blobs, self._held.time(name), start, in_use))
        return _Group(held[0][1].function, held[0][1].key, items) if items else None

    def remove(self, group: _Group, down_to: int | None) -> None:
        """Remove results of one key until everything takes `down_to` bytes, or all of them."""
        if not group.items or (down_to is not None and self._used <= down_to):
            return
        lock = self._turn(group)
        if lock is not None and not lock.try_acquire():
            self._busy.append(group.key)
            return
        try:
            if lock is not None and self._has_grown(group):
                self._busy.append(group.key)
                return
            while group.items and (down_to is None or self._used > down_to):
                self._remove_entry(group.key, group.items.pop(0))
        finally:
            if lock is not None:
                lock.release()

    def _turn(self, group: _Group) -> KeyLock | None:
        """Whoever extends a series holds this lock; cutting its end meanwhile would leave a gap before the new items."""
        if not group.is_series or self._dry or self._store.local is None:
            return None
        return KeyLock(os.path.join(self._store.local, "locks"), group.key)

    def _has_grown(self, group: _Group) -> bool:
        """Whether the series got items since the first look: then what was seen as its end lies in its middle, and it is not old."""
        return any(name not in self._seen for name in self._store.names(entry_prefix(group.function, group.key)))

    def _remove_entry(self, key: str, item: _Item) -> None:
        if not self._dry:
            self._store.delete(item.name)
        self._entries += 1
        self._freed += item.size
        self._used -= item.size
        self._results[key] = None
        for sha in {blob.sha256 for blob in item.blobs}:
            self._gone[sha] = max(self._gone.get(sha, 0.0), item.time or 0.0)
        for blob in item.blobs:
            self._uses[blob.sha256] -= 1
            if not self._uses[blob.sha256]:
                self._used -= self._sizes[blob.sha256]

    def sweep_blobs(self, grace: float) -> None:
        """Remove the blobs that no entry names, also none of those that were written since the first look."""
        for names in self._held.entries():
            for _ in self._read([name for name in names if name not in self._seen]):
                pass
        for name in self._held.blobs():
            sha = name[-64:]
            if self._uses.get(sha):
                continue
            size = self._held.size(name)
            if not self._may_go(name, sha, grace):
                self._young += 1
                self._used += size
                continue
            if not self._dry:
                self._store.delete(name)
            self._blobs += 1
            self._freed += size

    def _may_go(self, name: str, sha: str, grace: float) -> bool:
        """A writer writes or claims a blob before it names it, so one that was not touched for long has no writer any more."""
        touched = self._held.time(name)
        if touched is None:
            return not self._store.capabilities.shared
        return touched <= self._gone.get(sha, 0.0) or self.now - touched > grace

    def clear_local(self) -> None:
        """Empty the quarantine and remove what dead writers left."""
        root = root_of(self._store)
        if root is None:
            return
        quarantine = os.path.join(root, ".local", "quarantine")
        for name in os.listdir(quarantine) if os.path.isdir(quarantine) else ():
            path = os.path.join(quarantine, name)
            self._freed += _size(path)
            self._quarantined += 1
            if not self._dry:
                _remove(path)
        if not self._dry:
            self._unfinished = self._store.sweep()

    def report(self) -> PruneReport:
        return PruneReport(
            store=self._store.url,
            dry_run=self._dry,
            entries=self._entries,
            blobs=self._blobs,
            freed=self._freed,
            results=tuple(self._results),
            quarantined=self._quarantined,
            unfinished=self._unfinished,
            kept_young=self._young,
            busy=tuple(self._busy),
            bytes_left=max(0, self._used),
        )


def _text_of(moment: float) -> str:
    """A moment as entries write it, so that texts compare as times."""
    return datetime.fromtimestamp(max(0.0, moment), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _size(path: str) -> int:
    with suppress(OSError):
        if not os.path.isdir(path):
            return os.lstat(path).st_size
        return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)
    return 0


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        shutil.rmtree(path, ignore_errors=True)

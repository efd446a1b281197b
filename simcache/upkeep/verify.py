"""Whether a store is sound: every entry, every blob, every reference, every series, and results that contradict each other."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

from xxhash import xxh3_128_hexdigest

from simcache.errors import CacheError, Corrupt, FormatTooNew, Missing
from simcache.model import POINTER_AT_MOST, Entry, Json, blob_name, pointer_oid, record_of
from simcache.stores.base import Store, root_of
from simcache.stores.place import FORMAT_FILE
from simcache.upkeep.contents import LARGE, Contents, Digests, Told, contents
from simcache.upkeep.divergences import Divergence, divergences, gap
from simcache.upkeep.looks import Looks
from simcache.upkeep.mark import KNOWN, UNKNOWN, is_damaged, written_anew
from simcache.upkeep.repair import Naming, mend, way_out
from simcache.upkeep.report import Progress, Report

_WORKERS = 2
"""Threads that hash large blobs: two keep a disk busy, and hashing does not hold the interpreter."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Problem(Report):
    """One thing that is not as it should be."""

    kind: Literal["corrupt", "missing", "foreign", "unreadable", "newer"]
    """Damaged bytes; a blob that an entry names and nobody has; a file that is neither blob nor entry; a file (or an
    index) that cannot be read; an entry that a newer simcache wrote."""
    name: str
    reason: str
    mended: str = ""
    """What a repair did about it; empty if nothing."""


@dataclass(frozen=True, slots=True)
class VerifyReport(Report):
    """What a store holds and what is wrong with it."""

    store: str
    entries: int
    blobs: int
    bytes: int
    problems: tuple[Problem, ...]
    divergences: tuple[Divergence, ...]
    """Results of one key that differ: the function is not reproducible, or a machine is broken."""
    unavailable: tuple[str, ...]
    """Blobs of which only a Git LFS pointer is here: nothing is wrong with them, `git lfs pull` brings them."""
    gaps: tuple[str, ...]
    """Series with items that no reader reaches until those before them are computed again."""
    unreferenced: int
    """Blobs that no entry names: `prune` removes them."""
    unfinished: int
    """Files that writers have begun; those of dead ones are swept by a repair or the next write."""
    seconds: float

    @property
    def sound(self) -> bool:
        """Nothing is wrong, or all of it was mended."""
        return not self.divergences and all(problem.mended for problem in self.problems)

    def to_json(self) -> Json:
        # Named, because a class with slots is made anew by its decorator, and `super()` would mean the first one.
        return {"sound": self.sound, **Report.to_json(self)}


def verify(store: Store, *, repair: bool = False, source: Store | None = None, progress: Progress | None = None) -> VerifyReport:
    """Check everything in a store; with `repair`, set damaged things aside, and take good copies from `source` if it has them.

    Others may write, prune and compute meanwhile: what they add or take away is not mistaken for damage.
    """
    began = time.perf_counter()
    look = _Look(contents(store), progress)
    look.at_entries()
    if is_damaged(store):
        look.at_mark()
    if root_of(store) is None:
        store.expect([*store.names("blobs/")])
    look.at_blobs()
    look.at_references()
    look.at_foreign()
    look.problems += [Problem("unreadable", name, reason) for name, reason in store.unread().items()]
    problems = sorted(look.problems, key=lambda problem: (problem.kind, problem.name))
    if problems:
        Looks(store.url).forget()  # so that the next sync looks for itself
    unavailable = sorted(look.unavailable)
    unfinished = _unfinished(store)
    if repair:
        # First, for nothing can be put into a store of unknown format.
        marked = written_anew(store) if look.tells_format else ""
        broken = [(one.kind, one.name) for one in problems if one.name != FORMAT_FILE] + [("unavailable", name) for name in unavailable]
        done = {FORMAT_FILE: marked, **mend(store, broken, look.naming, source)}
        problems = [replace(problem, mended=done.get(problem.name, "")) for problem in problems]
        unavailable = [name for name in unavailable if name not in done]
        store.sweep()
        unfinished = _unfinished(store)
    return VerifyReport(
        store=store.url,
        entries=look.entries,
        blobs=look.blobs,
        bytes=look.told.bytes + look.entry_bytes,
        problems=tuple(problems),
        divergences=tuple(look.divergences),
        unavailable=tuple(unavailable),
        gaps=tuple(look.gaps),
        unreferenced=look.unreferenced,
        unfinished=unfinished,
        seconds=round(time.perf_counter() - began, 3),
    )


class _Look:
    """One look through a store, as it goes."""

    def __init__(self, held: Contents, progress: Progress | None) -> None:
        self.held = held
        self.told = Told()
        self.entries = self.blobs = self.entry_bytes = self.unreferenced = 0
        self.problems: list[Problem] = []
        self.divergences: list[Divergence] = []
        self.unavailable: list[str] = []
        self.gaps: list[str] = []
        self.naming: Mapping[str, list[Naming]] = {}
        """Which entries name a blob that is damaged or not there."""
        self._named: dict[str, tuple[str, int]] = {}
        """Each blob that entries name, with the XXH3-128 and size that they say it has."""
        self._at_odds: set[str] = set()
        """Blobs of which entries say something else than another entry, or than the bytes."""
        self._missing: set[str] = set()
        self._several: list[list[Entry]] = []
        self._progress = progress

    # -- entries

    def at_entries(self) -> None:
        for names in self.held.entries():
            keys = [name[-54:-22] for name in names]
            twice = _repeated(keys) if len(names) > 1 else frozenset()
            group: dict[str, list[Entry]] = {}
            for name, key in zip(names, keys, strict=True):
                record = self._record(name)
                if record is not None and key in twice:
                    group.setdefault(key, []).append(Entry.from_record(name, record))
            self._several += group.values()

    def _record(self, name: str) -> Json | None:
        try:
            data = self.held.read(name)
            record = record_of(name, data)
        except Missing:
            return None  # pruned or forgotten this very moment
        except CacheError as problem:
            self._note(name, problem)
            return None
        self.entries += 1
        self.entry_bytes += len(data)
        if self._progress is not None and self.entries % 256 == 0:
            self._progress(self.entry_bytes, 0)
        named = self._named
        for sha, xxh3, size in record["blobs"]:
            claim = xxh3, size
            if named.setdefault(sha, claim) != claim:
                self._at_odds.add(sha)
        return record

    def _note(self, name: str, problem: CacheError) -> None:
        kind: Literal["corrupt", "newer", "unreadable"] = "corrupt" if isinstance(problem, Corrupt) else "unreadable"
        if isinstance(problem, FormatTooNew):
            kind = "newer"
        self.problems.append(Problem(kind, name, str(getattr(problem, "reason", problem))))

    # -- the mark

    @property
    def tells_format(self) -> bool:
        """Whether the entries are known to be of a format that we know: one at least, and none of a newer simcache."""
        return self.entries > 0 and all(problem.kind != "newer" for problem in self.problems)

    def at_mark(self) -> None:
        self.problems.append(Problem("corrupt", FORMAT_FILE, KNOWN if self.tells_format else UNKNOWN))

    # -- blobs

    def at_blobs(self) -> None:
        left = dict(self._named)
        expected = sum(size for _, size in left.values())
        large: list[tuple[str, Future[Digests]]] = []
        with ThreadPoolExecutor(_WORKERS) as pool:
            for name in self.held.blobs():
                self.blobs += 1
                claim = left.pop(name[-64:], None)
                self.unreferenced += claim is None
                size = self.held.size(name) if claim is None else claim[1]
                if size >= LARGE:
                    large.append((name, pool.submit(self.held.digests, name, self.told)))
                else:
                    self._small(name, claim, size)
                    if self._progress is not None and self.blobs % 256 == 0:
                        self._progress(self.told.bytes, expected)
            for name, found in large:
                self._await(found, expected)
                self._large(name, found)
        self._missing |= left.keys()

    def _small(self, name: str, claim: tuple[str, int] | None, size: int) -> None:
        try:
            data = self.held.read(name, max(size, POINTER_AT_MOST))
        except Missing:  # a link to nowhere, if its entry is still there when references are looked at
            self._missing.add(name[-64:])
            return
        except CacheError as problem:
            self._note(name, problem)
            return
        self.told.bytes += len(data)
        sha = name[-64:]
        if sha256(data).hexdigest() != sha:
            self._damaged(name, len(data), data[:200], claim)
        elif claim is not None and (len(data) != claim[1] or xxh3_128_hexdigest(data) != claim[0]):
            self._at_odds.add(sha)

    def _large(self, name: str, found: "Future[Digests]") -> None:
        try:
            digests = found.result()
        except Missing:
            self._missing.add(name[-64:])
            return
        except CacheError as problem:
            self._note(name, problem)
            return
        sha = name[-64:]
        claim = self._named.get(sha)
        if digests.sha256 != sha:
            self._damaged(name, digests.size, digests.head, claim)
        elif claim is not None and claim != (digests.xxh3, digests.size):
            self._at_odds.add(sha)

    def _await(self, found: "Future[Digests]", expected: int) -> None:
        while self._progress is not None and not found.done():
            self._progress(self.told.bytes, expected)
            time.sleep(0.05)

    def _damaged(self, name: str, size: int, head: bytes, claim: tuple[str, int] | None) -> None:
        if pointer_oid(head) == name[-64:]:
            self.unavailable.append(name)
        elif claim is not None and size < claim[1]:
            self.problems.append(Problem("corrupt", name, "it is empty" if not size else f"{size} bytes, expected {claim[1]}"))
        else:
            self.problems.append(Problem("corrupt", name, "the bytes are not those that its name promises (SHA-256)"))

    # -- what hangs together

    def at_references(self) -> None:
        """Who names what is not there, who says something wrong of a blob, and which results contradict each other."""
        damaged = {problem.name[-64:] for problem in self.problems if problem.name.startswith("blobs/")}
        damaged |= {name[-64:] for name in self.unavailable}
        wanted = damaged | self._missing | self._at_odds
        if wanted:
            self.naming = self._who_names(wanted)
        for name in map(blob_name, sorted(self._missing)):
            if naming := self._still_without(name):
                self.problems.append(Problem("missing", name, f"named by {_listed(naming)}"))
        for sha in sorted(self._at_odds - damaged - self._missing):
            self._blame(sha)
        for entries in self._several:
            self.divergences += divergences(entries, self._bytes)
            if (said := gap(entries)) is not None:
                self.gaps.append(said)
        self.problems = [_with_way_out(problem, self.naming.get(problem.name, ())) for problem in self.problems]
        self.divergences.sort(key=lambda found: (found.function, found.key, found.what))
        self.gaps.sort()

    def _still_without(self, blob: str) -> list[Naming]:
        """The entries that name a blob and lack it: they were there before it was looked for again, and are after.

        Whoever lost it may have been pruned meanwhile, and who names it now has written it first.
        """
        naming = self.naming.get(blob, ())
        return [] if self._is_there(blob) else [one for one in naming if self._is_there(one.entry)]

    def _is_there(self, name: str) -> bool:
        try:
            self.held.read(name, 0)
        except CacheError:
            return False
        return True

    def _who_names(self, wanted: set[str]) -> Mapping[str, list[Naming]]:
        found: dict[str, list[Naming]] = {}
        for record, name in self._again():
            for index, (sha, xxh3, size) in enumerate(record["blobs"]):
                if sha in wanted:
                    found.setdefault(blob_name(sha), []).append(Naming(name, record["function"], _part(record, index), xxh3, size))
        return found

    def _again(self) -> Iterator[tuple[Json, str]]:
        for names in self.held.entries():
            for name in names:
                try:
                    yield record_of(name, self.held.read(name)), name
                except CacheError:
                    continue  # told already

    def _blame(self, sha: str) -> None:
        """The bytes are sound, so whoever says something else of them is not."""
        name = blob_name(sha)
        try:
            true = self.held.digests(name, Told())
        except CacheError:
            return
        for naming in self.naming.get(name, ()):
            if (naming.xxh3, naming.size) != (true.xxh3, true.size):
                self.problems.append(Problem("corrupt", naming.entry, f"it says of {name} what is not so: its size or its XXH3-128"))

    def _bytes(self, sha: str) -> bytes:
        return self.held.read(blob_name(sha))

    def at_foreign(self) -> None:
        for path in sorted(set(self.held.foreign)):
            self.problems.append(Problem("foreign", path, "it is neither an entry nor a blob"))


def _repeated(keys: Sequence[str]) -> frozenset[str]:
    """The keys that stand there more than once."""
    return frozenset(key for key, count in Counter(keys).items() if count > 1) if len(set(keys)) < len(keys) else frozenset()


def _part(record: Json, index: int) -> Literal["value", "state", "parts", "argument"]:
    """What of an entry its blob of this number holds."""
    if index in (record.get("value") or {}).get("blobs", ()):
        return "value"
    if index in (record.get("state") or {}).get("blobs", ()):
        return "state"
    return "parts" if index == record.get("parts") else "argument"


def _with_way_out(problem: Problem, naming: Sequence[Naming]) -> Problem:
    said = way_out(naming)
    return replace(problem, reason=f"{problem.reason}; {said}") if said else problem


def _listed(naming: Sequence[Naming]) -> str:
    shown = ", ".join(one.entry for one in naming[:_SHOWN])
    return shown if len(naming) <= _SHOWN else f"{shown} and {len(naming) - _SHOWN} more"


def _unfinished(store: Store) -> int:
    root = root_of(store)
    try:
        return 0 if root is None else len(os.listdir(os.path.join(root, ".local", "tmp")))
    except OSError:
        return 0

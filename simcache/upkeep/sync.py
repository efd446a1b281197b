"""Two stores become one set: what one side lacks is moved, every byte checked before its entry can be seen."""

import errno
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import count
from threading import Lock
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

from simcache.cache import runs_no_code
from simcache.errors import BadSettings, CacheError, Corrupt, Missing, StoreReadOnly, Unavailable, Untrusted
from simcache.model import Blob, Entry, Json, blob_name, check_name, digest_in_name, key_in_name
from simcache.stores.base import Store, is_one
from simcache.stores.registry import scheme_of
from simcache.upkeep.contents import contents
from simcache.upkeep.divergences import Divergence, divergences
from simcache.upkeep.looks import Looks
from simcache.upkeep.report import Progress, Report

T = TypeVar("T")
U = TypeVar("U")
Way: TypeAlias = Literal["both", "to", "from"]
"""Seen from the near store: `to` sends what the far one lacks, `from` receives what the near one lacks."""

_JOBS: Final = 8
_GIVE_UP = 8
"""So many things in a row that cannot be had: whoever gives them is away, and asking for the rest only takes time."""
_PASSING = frozenset(
    {errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.EPIPE, errno.ENETUNREACH}
    | {errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETRESET}
)


class Patience(NamedTuple):
    """How often a passing error (a connection that was cut, a service that is busy) is tried again, and after how long."""

    tries: int = 5
    first: float = 0.2
    """Seconds before the second try; each further wait is twice as long."""

    def waits(self) -> Iterable[float]:
        return (self.first * 2**number for number in range(self.tries - 1))


@dataclass(frozen=True, slots=True)
class Refused(Report):
    """One thing that was not moved, and why."""

    store: str
    """Where it stands."""
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Moved(Report):
    """What went from one store into the other, or would go."""

    source: str
    target: str
    entries: int
    blobs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class SyncReport(Report):
    """What a sync did."""

    near: str
    far: str
    received: Moved | None
    """From far to near; None if that was not asked for."""
    sent: Moved | None
    published: int
    """Entries that an earlier sync had sent and could not publish, and that others see from now on."""
    refused: tuple[Refused, ...]
    """What was damaged, dangerous or not to be had; everything else was moved."""
    stopped: str
    """Why it ended before all was moved; empty if it did not. What was moved stays, and the next run moves the rest."""
    closed: str
    """The store that takes no writes, which is why it ended: running again does not help before that is mended; empty otherwise."""
    divergences: tuple[Divergence, ...]
    """Results that arrived and differ from what the near store had under their key."""
    matched: bool
    """Whether a result of either side is one of those that `only` asks for; a glob that nothing matches is a slip of the finger."""
    dry_run: bool
    seconds: float

    @property
    def complete(self) -> bool:
        return not self.refused and not self.stopped

    def to_json(self) -> Json:
        return {"complete": self.complete, **Report.to_json(self)}


def sync(
    near: Store,
    far: Store,
    way: Way = "both",
    *,
    only: Sequence[str] = (),
    jobs: int | None = None,
    trust: bool = False,
    dry_run: bool = False,
    patience: Patience = Patience(),  # noqa: B008 - it cannot change
    looking: Progress | None = None,
    progress: Progress | None = None,
    publishing: Progress | None = None,
) -> SyncReport:
    """Give each side what it lacks of the other's results; `only` are globs of functions or keys, `jobs` how many are moved at once.

    Blobs go before the entries that name them, so both sides are sound at every moment, and a run that was cut is completed by
    the next one, which moves only what is still missing. A thing that is damaged, or a pickle from a store that is not trusted
    (unless `trust`), is refused by name, and the rest goes on. Raises if a side cannot be asked at all, and StoreReadOnly if nothing
    could be moved because a side takes no writes.

    A far side that lists its names page by page is asked for its entries alone, which are the fewest, where these are still those of
    a sync within a day that found or left both sides the same. What it has lost since is moved by the first sync after that day, or
    after `verify` found it.
    """
    began = time.perf_counter()
    if is_one(near, far):
        raise BadSettings(far.url, "both sides are one and the same store: name another one")
    for store, wanted in ((far, way != "from"), (near, way != "to")):
        if wanted and not store.capabilities.writes and not dry_run:
            other = "take what it has with --from" if store is far and way == "both" else "choose another direction"
            raise StoreReadOnly(store.url, f"it takes no writes; {other}")
    quick = near.capabilities.quick and far.capabilities.quick
    run = _Run(only, jobs or (1 if quick else _JOBS), trust=trust, patience=patience, looking=looking, progress=progress)
    run.patiently(far.refresh)
    here, there = run.patiently(lambda: _Held(near)), run.patiently(lambda: _Held(far))
    run.patiently(here.list_blobs)
    looks = Looks(far.url) if far.capabilities.paged else None
    if looks is not None and here.entries == there.entries and looks.counts(here.names):
        there.blobs, looks = here.blobs, None
    else:
        run.patiently(there.list_blobs)
    receiving = run.plan(there, here, near=here) if way != "to" else None
    sending = run.plan(here, there, near=here) if way != "from" else None
    plans = [plan for plan in (receiving, sending) if plan is not None]
    matched = any(plan.arrivals for plan in plans) or any(run.matches(held) for held in (here, there))
    waiting = list(far.unpublished("entries/")) if sending is not None else []
    if not dry_run:
        for plan in plans:
            run.move(plan, sum(plan.bytes for plan in plans))
        if run.closed is not None and not any(plan.arrived or plan.moved for plan in plans):
            far.settle()
            raise StoreReadOnly(run.closed.store, f"{run.closed.reason}; {_to_open(run.closed.store)}")
        _finish(run, far, published=sending is not None, told=publishing)
        if looks is not None and not run.refused and not run.stopped and (names := here.after(receiving)) == there.after(sending):
            looks.note(names)
        waiting = list(set(waiting).difference(far.unpublished("entries/"))) if waiting else []
    return SyncReport(
        near=near.url,
        far=far.url,
        received=None if receiving is None else receiving.report(dry_run=dry_run),
        sent=None if sending is None else sending.report(dry_run=dry_run),
        published=len(waiting),
        refused=tuple(run.refused),
        stopped=run.stopped,
        closed="" if run.closed is None else run.closed.store,
        divergences=tuple(_contradictions(near, here, receiving.arrived)) if receiving is not None else (),
        matched=matched,
        dry_run=dry_run,
        seconds=round(time.perf_counter() - began, 3),
    )


def _finish(run: "_Run", far: Store, *, published: bool, told: Progress | None) -> None:
    """Have others see what far was given; what cannot be published now stays there, and the next sync publishes it."""
    try:
        if published and not run.target_failed:
            run.patiently(lambda: far.publish(told))
    except (CacheError, OSError) as problem:
        run.stop(f"what was sent could not be published: {_said(problem)}")
    finally:
        far.settle()


class _Held:
    """The names in a store: of its entries, and of its blobs once they are listed, too."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._contents = contents(store)
        entries = {name for names in self._contents.entries() for name in names}
        self.foreign = sorted(name for name in entries if not digest_in_name(name))
        """Names of neither form; no name that could lead out of a store goes further than this."""
        self.entries = entries.difference(self.foreign)
        self.blobs: set[str] = set()

    def list_blobs(self) -> None:
        blobs = set(self._contents.blob_names())
        self.foreign = sorted({*self.foreign, *self._contents.foreign, *(name for name in blobs if not digest_in_name(name))})
        self.blobs = blobs.difference(self.foreign)

    @property
    def names(self) -> set[str]:
        return self.entries | self.blobs

    def after(self, plan: "_Plan | None") -> set[str]:
        """The names, with those that came."""
        return self.names if plan is None else {*self.names, *(arrival.name for arrival in plan.arrived), *plan.moved}

    def read(self, name: str) -> bytes:
        return self._contents.read(name)


class _Arrival(NamedTuple):
    """An entry that the target lacks, with its bytes; or one that it has, but not all of whose blobs."""

    name: str
    data: bytes
    blobs: tuple[Blob, ...]
    known: bool


class _Plan:
    """What goes from one store into another."""

    def __init__(self, source: _Held, target: _Held, arrivals: Sequence[_Arrival]) -> None:
        self.source = source
        self.target = target
        self.arrivals = arrivals
        lacking = dict.fromkeys(blob for arrival in arrivals for blob in arrival.blobs if blob.name not in target.blobs)
        self.expected = [blob for blob in lacking if blob.name in source.blobs]
        """What is moved, in the order in which it is wanted."""
        self.bytes = sum(blob.size for blob in self.expected) + sum(len(arrival.data) for arrival in arrivals if not arrival.known)
        self.arrived: list[_Arrival] = []
        """The entries that stand in the target now."""
        self.moved: dict[str, int] = {}
        """The blobs that do, and their sizes."""

    def report(self, *, dry_run: bool) -> Moved:
        arrivals = [arrival for arrival in (self.arrivals if dry_run else self.arrived) if not arrival.known]
        sizes = [blob.size for blob in self.expected] if dry_run else list(self.moved.values())
        entry_bytes = sum(len(arrival.data) for arrival in arrivals)
        return Moved(self.source.store.url, self.target.store.url, len(arrivals), len(sizes), sum(sizes) + entry_bytes)


class _TargetFailed(Exception):
    """The target cannot take any more: the disk is full, it is read-only, it is away."""


class _Run:
    """One sync as it goes, over any number of threads."""

    def __init__(
        self, only: Sequence[str], jobs: int, *, trust: bool, patience: Patience, looking: Progress | None, progress: Progress | None
    ) -> None:
        self.refused: list[Refused] = []
        self.stopped = ""
        self.target_failed = False
        self.closed: StoreReadOnly | None = None
        """That the target takes no writes, if that is why it failed."""
        self._only = only
        self._jobs = jobs
        self._trust = trust
        self._patience = patience
        self._looking = looking
        self._progress = progress
        self._lock = Lock()
        self._claimed: dict[tuple[str, Blob], Future[None]] = {}
        """Of each target and blob who moves it, so that nobody moves it twice, and whether that went well."""
        self._in_a_row = 0
        self._done = self._total = 0

    # what there is to do

    def plan(self, source: _Held, target: _Held, *, near: _Held) -> _Plan:
        """Read and check every entry that the target lacks; what cannot be taken is refused here."""
        store = source.store
        self.refused += [Refused(store.url, name, "it is neither an entry nor a blob") for name in source.foreign]
        self.refused += [Refused(store.url, name, reason) for name, reason in sorted(store.unread().items())]
        lacking = sorted(source.entries - target.entries)
        store.expect(lacking)
        looked = count(1)

        def read(name: str) -> _Arrival | None:
            arrival = self._read(source, name)
            if self._looking is not None:
                self._looking(next(looked), len(lacking))
            return arrival

        found = [arrival for arrival in self._each(lacking, read) if arrival is not None]
        spare = source.blobs - target.blobs - {blob.name for arrival in found for blob in arrival.blobs}
        if spare:  # rarely: a blob that no entry names, or that the target has lost
            shared = sorted(source.entries & target.entries)
            known = [self._known(near, name, spare) for name in shared]
            found += [arrival for arrival in known if arrival is not None]
        return _Plan(source, target, found)

    def _read(self, source: _Held, name: str) -> _Arrival | None:
        if self.stopped:
            return None
        try:
            data = self.patiently(lambda: source.read(name))
            entry = Entry.from_bytes(name, data)
            if not self._wanted(entry):
                return None
            if not (self._trust or source.store.capabilities.trusted or runs_no_code(entry)):
                raise Untrusted(source.store.url)
        except (CacheError, OSError, ValueError) as problem:
            self._refuse(source.store, name, problem)
            return None
        return _Arrival(name, data, entry.blobs, known=False)

    def _known(self, near: _Held, name: str, spare: set[str]) -> _Arrival | None:
        """An entry of both sides that names a blob which one has and the other lacks."""
        try:
            data = near.read(name)
            entry = Entry.from_bytes(name, data)
        except CacheError:
            return None  # damaged here: `verify` says so, and there is nothing to learn from it
        blobs = tuple(blob for blob in entry.blobs if blob.name in spare)
        return _Arrival(name, data, blobs, known=True) if blobs and self._wanted(entry) else None

    def matches(self, held: _Held) -> bool:
        """Whether a store has a result that is asked for: by the keys in the names, and by one entry of each function's folder."""
        if not self._only or any(fnmatchcase(key_in_name(name), glob) for name in held.entries for glob in self._only):
            return True
        told: set[str] = set()
        for name in held.entries:
            folder = name[: -len("/00/") - len(name.rpartition("/")[2])]
            if folder not in told:
                with suppress(CacheError):  # a damaged entry tells nothing; another one of the folder may
                    if self._wanted(Entry.from_bytes(name, held.read(name))):
                        return True
                    told.add(folder)
        return False

    def _wanted(self, entry: Entry) -> bool:
        return not self._only or any(fnmatchcase(entry.function, glob) or fnmatchcase(entry.key, glob) for glob in self._only)

    # moving it

    def move(self, plan: _Plan, total: int) -> None:
        """Move each entry's blobs, then the entry; ends early if the target takes no more or the source gives no more."""
        self._total = total
        if self.stopped or not plan.arrivals:
            return
        plan.source.store.expect([blob.name for blob in plan.expected])
        self._each(plan.arrivals, lambda arrival: self._move(plan, arrival))

    def _move(self, plan: _Plan, arrival: _Arrival) -> None:
        if self.stopped:
            return
        try:
            for blob in arrival.blobs:
                self._once(plan, blob)
            if not arrival.known:
                self._put(plan, arrival.name, arrival.data)
        except _TargetFailed as problem:
            self.target_failed = True
            if isinstance(problem.__cause__, StoreReadOnly):
                self.closed = problem.__cause__
            said = f"{plan.target.store.url} takes no {'more' if self.closed is None else 'writes'}: {problem}"
            self.stop(said if self.closed is None else f"{said}; {_to_open(self.closed.store)}")
        except (CacheError, OSError, ValueError) as problem:
            self._refuse(plan.source.store, arrival.name, problem)
        else:
            with self._lock:
                self._in_a_row = 0
                plan.arrived.append(arrival)

    def _once(self, plan: _Plan, blob: Blob) -> None:
        """Have the blob in the target: whoever comes first moves it, the others wait for how that goes."""
        mine: Future[None] = Future()
        with self._lock:
            held = self._claimed.setdefault((plan.target.store.url, blob), mine)
        if held is not mine:
            held.result()
            return
        try:
            self._have(plan, blob)
        except BaseException as problem:
            mine.set_exception(problem)
            raise
        mine.set_result(None)

    def _have(self, plan: _Plan, blob: Blob) -> None:
        if blob.name in plan.target.blobs and self._is_there(plan, blob):
            return
        store = plan.source.store
        data = self.patiently(lambda: store.get(blob.name))
        check_name(blob.name, data)
        blob.check(data)
        self._put(plan, blob.name, data, lent=store.lent(blob.name))
        with self._lock:
            plan.moved[blob.name] = blob.size

    def _is_there(self, plan: _Plan, blob: Blob) -> bool:
        """Whether the target's own copy can stand for the blob. A target on this machine is read, for what an entry from elsewhere
        says of a blob must be true of it; one far away has checked it as it came.
        """
        target = plan.target.store
        if target.local is None:
            return True
        try:
            data = target.get(blob.name)
            check_name(blob.name, data)
        except (Corrupt, Missing, Unavailable):
            return False
        blob.check(data)
        return target.claim(blob.name, blob.size)

    def _put(self, plan: _Plan, name: str, data: bytes | memoryview, *, lent: str | None = None) -> None:
        target = plan.target.store
        try:
            if lent is None or not target.adopt(name, lent):
                self.patiently(lambda: target.put(name, [data]))
        except (CacheError, OSError) as problem:
            raise _TargetFailed(_said(problem)) from problem
        self._count(memoryview(data).nbytes)

    # what goes wrong

    def patiently(self, work: Callable[[], T]) -> T:
        """Do this, again after a while if what fails may pass."""
        for wait in self._patience.waits():
            try:
                return work()
            except (Unavailable, OSError) as problem:
                if self.stopped or not _may_pass(problem):
                    raise
                time.sleep(wait)
        return work()

    def stop(self, reason: str) -> None:
        with self._lock:
            self.stopped = self.stopped or reason

    def _refuse(self, store: Store, name: str, problem: Exception) -> None:
        away = _may_pass(problem) or (isinstance(problem, Unavailable) and problem.away)
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if away else 0
            self.refused.append(Refused(store.url, name, _said(problem)))
        if self._in_a_row >= _GIVE_UP:
            self.stop(f"{store.url} gives nothing more: {_said(problem)}")

    # the work of many

    def _each(self, items: Sequence[U], work: Callable[[U], T]) -> list[T]:
        """Do this with every item, in threads; an interrupt ends it after what is under way."""
        if self._jobs == 1 or len(items) == 1:
            return [work(item) for item in items]
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                return list(pool.map(work, items))
            except BaseException as problem:
                self.stop(f"interrupted ({type(problem).__name__})")
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _count(self, size: int) -> None:
        if self._progress is not None:
            with self._lock:
                self._done += size
                self._progress(self._done, max(self._done, self._total))


def _contradictions(near: Store, before: _Held, arrived: Sequence[_Arrival]) -> list[Divergence]:
    """What is at odds, now that these have come, with what the near store had of the same keys."""
    new = {key_in_name(arrival.name): arrival.name for arrival in arrived if not arrival.known}
    several = {key for name in before.entries if (key := key_in_name(name)) in new}
    several |= {key_in_name(arrival.name) for arrival in arrived if new.get(key_in_name(arrival.name), arrival.name) != arrival.name}
    found: list[Divergence] = []
    held = contents(near)
    for key in sorted(several):
        entries = []
        for listed in near.list(f"{new[key].rpartition('/')[0]}/{key}."):
            try:
                entries.append(Entry.from_bytes(listed.name, held.read(listed.name)))
            except CacheError:
                continue  # damaged: `verify` names it
        found += divergences(entries, lambda sha: bytes(near.get(blob_name(sha))))
    return found


def _to_open(store: str) -> str:
    """What to do about a store that takes no writes: running again does not help."""
    if scheme_of(store):
        return "ask whoever owns it for the right to write"
    from shlex import quote

    return f"`simcache doctor --store {quote(store)}` tells what opens it"


def _may_pass(problem: Exception) -> bool:
    if isinstance(problem, Unavailable):
        return problem.passes
    return isinstance(problem, (ConnectionError, TimeoutError)) or getattr(problem, "errno", None) in _PASSING


def _said(problem: BaseException) -> str:
    if isinstance(problem, (Corrupt, Unavailable, StoreReadOnly)):
        return problem.reason
    if isinstance(problem, OSError):
        return problem.strerror or str(problem) or type(problem).__name__
    return str(problem) or type(problem).__name__

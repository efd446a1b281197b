"""The cache: from a key to a checked value, and from a value to an entry; near before far, blob before entry."""

import os
from _thread import get_ident
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from simcache.codecs.base import Encoded
from simcache.codecs.registry import decode, encode, is_safe
from simcache.errors import (
    BadSettings,
    CacheError,
    Corrupt,
    FormatTooNew,
    Missing,
    NotAStore,
    NotStored,
    Unavailable,
    Undecodable,
    Untrusted,
    warn,
)
from simcache.model import (
    INLINE,
    Blob,
    Buffer,
    Entry,
    Json,
    Made,
    Segment,
    check_name,
    digest_in_name,
    entry_digest,
    entry_prefix,
    folder_of,
    inline,
    key_in_name,
)
from simcache.named_tuple import NamedTuple
from simcache.stores.base import Store, is_one
from simcache.stores.registry import open_store, scheme_of
from simcache.tally import Tally

if TYPE_CHECKING:
    from simcache.locks import KeyLock

_REMEMBERED = 4096


class Lookup(NamedTuple):
    """What came of asking for a key: an entry and its value, or the reasons why there is none."""

    entry: Entry | None
    value: Any
    reasons: tuple[str, ...]


class Call(NamedTuple):
    """One call of a function, as the cache sees it: its name and key, and what they were made from."""

    function: str
    key: str
    code: str
    parts: Mapping[str, str]
    recorded: Mapping[str, Json]
    """What an entry says of the arguments, made by `record` before the function could change them."""


class Cache:
    """Results by key, in a near store and behind any number of far ones.

    A path or URL names a store; what is found far is checked and kept near. Instances may be used by several threads,
    and travel to other processes by their URLs. Over a near store that is damaged or cannot be reached, calls are computed, and
    whoever asks for what is stored there is told.
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | Store,
        *,
        far: Sequence[str | os.PathLike[str] | Store] = (),
        durable: bool = False,
        trust: bool = False,
    ) -> None:
        """Open the stores. `durable` has every result reach the disk before the call returns; `trust` lets far pickles in."""
        if isinstance(far, str):
            raise BadSettings(f"Cache(far={far!r})", f"a list of stores is needed: far=[{far!r}]")
        near, self._closed = _opened_near(store)
        beyond = [opened for url in far if (opened := _opened_far(url, near)) is not None]
        self.store: Store = _layered(near, beyond) if beyond else near
        self.near = near
        self.durable = durable
        self.trust = trust
        self.tally = Tally(near.local)
        self._entries: OrderedDict[str, tuple[object, list[Entry], frozenset[str]]] = OrderedDict()
        self._warned: set[str] = set()
        self._parts: dict[str, tuple[Mapping[str, str], Blob, bool]] = {}
        """What was last stored of each function's code, and whether durably: most calls store the same again."""

    def __repr__(self) -> str:
        near, *far = (store.url for store in self.store.layers())
        return f"Cache({near!r}{f', far={far!r}' if far else ''})"

    def __reduce__(self) -> tuple[Any, ...]:
        near, *far = (store.url for store in self.store.layers())
        return _reopened, (near, far, self.durable, self.trust)

    # -- reading

    def lookup(self, function: str, key: str, into: object = None, codec: str | None = None, *, far: bool = True) -> Lookup:
        """The value of a key, from the nearest store that has it whole; damaged things are set aside on the way.

        `codec` is the one that was asked for by name, if so. Without `far` only the near store is asked for entries.
        """
        reasons: list[str] = []
        withdrawn: set[str] = set()
        for index, layer in enumerate(self.store.layers() if far else (self.near,)):
            for entry in self.entries_in(layer, function, key, reasons, withdrawn):
                try:
                    if index:
                        self.bring(entry, layer)
                    return Lookup(entry, self.load(entry, into, codec=codec), tuple(reasons))
                except CacheError as problem:
                    reasons.append(str(problem))
        return Lookup(None, None, tuple(reasons))

    def entries(self, function: str, key: str) -> list[Entry]:
        """The sound entries of a key in the nearest store that has any, the one that is served first."""
        withdrawn: set[str] = set()
        for layer in self.store.layers():
            if found := self.entries_in(layer, function, key, [], withdrawn):
                return found
        return []

    def entries_in(self, layer: Store, function: str, key: str, reasons: list[str], withdrawn: set[str]) -> list[Entry]:
        """The entries of a key in one layer: withdrawn ones left out, earliest made first, ties by digest.

        `withdrawn` holds what nearer layers take back, and what this one takes back is added: it counts further out too.
        """
        prefix = entry_prefix(function, key)
        stamp = layer.stamp(prefix)
        remembered = self._entries.get(prefix) if stamp is not None and layer is self.near else None
        if remembered is not None and remembered[0] == stamp:
            withdrawn |= remembered[2]
            return remembered[1]
        found = self._read_entries(layer, prefix, reasons)
        withdrawn.update(digest for entry, _ in found for digest in entry.withdraws)
        served = sorted((e for e in found if e[0].kind != "withdrawn" and e[1] not in withdrawn), key=lambda e: (e[0].made.at, e[1]))
        entries = [entry for entry, _ in served]
        if stamp is not None and layer is self.near and not reasons:
            # No lock: each step is whole by itself, and a fork or a signal may come between any two.
            self._entries[prefix] = (stamp, entries, frozenset(withdrawn))
            if len(self._entries) > _REMEMBERED:
                self._entries.popitem(last=False)
        return entries

    def _read_entries(self, layer: Store, prefix: str, reasons: list[str]) -> list[tuple[Entry, str]]:
        found = []
        try:
            names = [listed.name for listed in layer.list(prefix)]
        except (CacheError, OSError) as problem:
            if layer is not self.near or not self._closed:  # else it is said once, where the result cannot be kept
                reasons.append(f"{layer.url} cannot be asked: {problem}")
            return []
        for name in names:
            try:
                found.append((Entry.from_bytes(name, layer.get(name)), name.rpartition(".json")[0][-16:]))
            except Corrupt as problem:
                aside = layer.set_aside(name) if layer is self.near else None
                reasons.append(f"{problem}{f' (set aside as {aside})' if aside else ''}")
            except (CacheError, OSError) as problem:
                reasons.append(str(problem))
        return found

    def load(self, entry: Entry, into: object = None, *, state: bool = False, codec: str | None = None) -> Any:
        """The value of an entry (or the state after its segment), every byte checked.

        A pickle is opened for who asked for this `codec` by name, not wherever one was planted; or for who trusts all.
        """
        described = entry.state if state else entry.value
        if described is None:
            raise Undecodable("the entry holds no value")
        asked_for = described.get("codec") == codec and self.near.capabilities.trusted
        if not (asked_for or self.trust or is_safe(described)):
            raise Untrusted(self.near.url)
        data = self.content(entry, described)
        if state and data.readonly:
            data = memoryview(bytearray(data))  # a state is gone on with, so it must be the generator's own to change
        return decode(described, data, into)

    def content(self, entry: Entry, held: Json) -> memoryview:
        """The bytes of an entry's value, state or argument, checked."""
        content = entry.content(held)
        return self.blob(content) if isinstance(content, Blob) else memoryview(bytearray(content))  # those were checked with the entry

    def blob(self, blob: Blob) -> memoryview:
        """The bytes of a blob, checked; a damaged copy is set aside and the next store is asked."""
        name = blob.name
        try:
            data = self.store.get(name)
            blob.check(data)
        except Corrupt as problem:
            aside = self.store.set_aside(name)
            if aside is None:
                raise
            try:
                data = self.store.get(name)
                blob.check(data)
            except Missing:
                raise Corrupt(name, f"{problem.reason} (set aside as {aside})") from problem
        except Unavailable:
            far = self._far_blob(blob)
            if far is None:
                raise
            return far
        return data

    def _far_blob(self, blob: Blob) -> memoryview | None:
        """The bytes of a blob of which near has only a Git LFS pointer, if a far store has them; they are kept near."""
        for layer in self.store.layers()[1:]:
            try:
                data = layer.get(blob.name)
                check_name(blob.name, data)
                blob.check(data)
            except (CacheError, OSError):
                continue
            try:
                self.near.put(blob.name, [data], durable=self.durable)
            except (CacheError, OSError) as problem:
                self.warn_once(f"what is found in {layer.url} cannot be kept in {self.near.url}", str(problem))
            return data
        return None

    def bring(self, entry: Entry, layer: Store) -> None:
        """Keep near what was found far: every blob, then the entry, so that nobody near meets a name without its bytes.

        Untrusted if it holds a pickle and the far store is not trusted; where near has no room, it is read from far.
        """
        if not (self.trust or layer.capabilities.trusted or runs_no_code(entry)):
            raise Untrusted(layer.url)
        for blob in entry.blobs:
            self.blob(blob)
        data = entry.to_bytes()
        check_name(entry.name, data)
        if not all(self.near.claim(blob.name, blob.size) for blob in entry.blobs):
            return  # it could not be kept, as was said
        try:
            self.near.put(entry.name, [data], durable=self.durable)
        except (CacheError, OSError) as problem:
            self.warn_once(f"what is found in {layer.url} cannot be kept in {self.near.url}", str(problem))

    def far_entries(self, function: str, key: str) -> dict[str, tuple[Entry, Store]]:
        """The entries of a key that far stores have and the near one has not, by name, and where each lies."""
        reasons: list[str] = []
        withdrawn: set[str] = set()
        near = {entry.name for entry in self.entries_in(self.near, function, key, [], withdrawn)}
        found: dict[str, tuple[Entry, Store]] = {}
        for layer in self.store.layers()[1:]:
            for entry in self.entries_in(layer, function, key, reasons, withdrawn):
                if entry.name not in near:
                    found.setdefault(entry.name, (entry, layer))
        if reasons:
            self.warn_once(f"{function} may be computed again: {'; '.join(reasons)}")
        return found

    def all_entries(self, function: str | None = None) -> Iterator[Entry]:
        """Every sound entry near, in no order; damaged ones are passed over (`simcache verify` names them)."""
        folder = f"entries/{folder_of(function)}/" if function else "entries/"
        return self._sound(listed.name for listed in self.near.list(folder))

    def find(self, key: str, digest: str = "", problems: list[CacheError] | None = None) -> list[Entry]:
        """The entries whose key and digest begin so, earliest made first; `problems` hears of those that cannot be read."""
        names = (
            listed.name
            for listed in self.near.list("entries/")
            if key_in_name(listed.name).startswith(key) and digest_in_name(listed.name).startswith(digest)
        )
        return sorted(self._sound(names, problems), key=lambda entry: (entry.made.at, entry.digest))

    def _sound(self, names: Iterable[str], problems: list[CacheError] | None = None) -> Iterator[Entry]:
        for name in names:
            try:
                yield Entry.from_bytes(name, self.near.get(name))
            except Missing:
                continue  # deleted since it was listed
            except (Corrupt, FormatTooNew, Unavailable) as problem:
                if problems is not None:
                    problems.append(problem)

    def arguments_of(self, entry: Entry) -> dict[str, Json]:
        """What an entry recorded of each argument, with the bytes of the larger ones fetched."""
        return {
            name: self._argument(entry, argument) if "describe" in argument else dict(argument)
            for name, argument in entry.arguments.items()
        }

    def _argument(self, entry: Entry, argument: Json) -> Json:
        from simcache.leaves import seen

        try:
            return seen(argument["describe"], self.content(entry, argument))
        except (CacheError, ValueError, LookupError, TypeError, RecursionError) as problem:
            return {"digest": entry.named(argument).sha256, "text": f"not readable: {problem}"}

    def parts_of(self, entry: Entry) -> dict[str, str]:
        """The functions behind an entry's code version, and their digests; empty if they cannot be read."""
        if entry.parts is None:
            return {}
        import json

        try:
            parts = json.loads(bytes(self.blob(entry.blobs[entry.parts])))
        except (CacheError, ValueError, RecursionError):
            return {}
        return {name: str(digest) for name, digest in parts.items()} if isinstance(parts, dict) else {}

    # -- writing

    def keep(
        self,
        call: Call,
        value: object,
        made: Made,
        *,
        codec: str | None = None,
        into: object = None,
        segment: Segment | None = None,
        state: object = None,
        state_into: object = None,
        has_state: bool = False,
    ) -> Entry:
        """Store a value under its key: its blobs, then the entry. Unstorable, StoreReadOnly or OSError if that fails."""
        blobs: list[Blob] = []
        durable = self.durable or segment is not None
        encoded = encode(value, codec, into)
        encoded_state = encode(state, codec, state_into, is_state=True) if has_state else None
        entry = Entry(
            key=call.key,
            function=call.function,
            kind="value" if segment is None else "segment",
            made=made,
            code=call.code,
            value=self._put(encoded, blobs, durable=durable),
            state=self._put(encoded_state, blobs, durable=durable) if encoded_state is not None else None,
            parts=self._put_parts(call, blobs, durable=durable),
            arguments=self._put_arguments(call.recorded, blobs, durable=durable),
            segment=segment,
            blobs=tuple(blobs),  # after all that add to them
        )
        data = entry.to_bytes()
        self.near.put(f"{entry_prefix(call.function, call.key)}{entry_digest(data)}.json", [data], durable=durable)
        return entry

    def _put(self, encoded: Encoded, blobs: list[Blob], *, durable: bool) -> Json:
        if sum(memoryview(chunk).nbytes for chunk in encoded.chunks) <= INLINE:
            return {**encoded.describe, "inline": inline(b"".join(encoded.chunks))}
        return {**encoded.describe, "blobs": [self._put_blob(encoded.chunks, blobs, durable=durable)]}

    def _put_blob(self, chunks: Sequence[Buffer], blobs: list[Blob], *, durable: bool) -> int:
        return _index(self.near.put_blob(chunks, durable=durable), blobs)

    def _put_parts(self, call: Call, blobs: list[Blob], *, durable: bool) -> int | None:
        if not call.parts:
            return None
        known = self._parts.get(call.function)
        if known is not None and known[0] is call.parts and known[2] >= durable and self.near.claim(known[1].name, known[1].size):
            return _index(known[1], blobs)
        import json

        index = self._put_blob([json.dumps(call.parts, sort_keys=True, separators=(",", ":")).encode()], blobs, durable=durable)
        self._parts[call.function] = (call.parts, blobs[index], durable)
        return index

    def _put_arguments(self, recorded: Mapping[str, Json], blobs: list[Blob], *, durable: bool) -> dict[str, Json]:
        """Arguments as they stand in an entry: the larger ones as blobs, which calls with an equal argument share."""
        kept: dict[str, Json] = {}
        for name, argument in recorded.items():
            kept[name] = dict(argument)
            if "bytes" in argument:
                kept[name].pop("json", None)
                data = kept[name].pop("bytes")
                if len(data) <= INLINE:
                    kept[name]["inline"] = inline(data)
                else:
                    kept[name]["blob"] = self._put_blob([data], blobs, durable=durable)
        return kept

    def withdraw(self, entries: Sequence[Entry], made: Made, reason: str) -> Entry:
        """Take results back everywhere: a tombstone that travels like an entry. All must be of one key."""
        first = entries[0]
        digests = tuple(sorted(entry.digest for entry in entries))
        tombstone = Entry(
            key=first.key, function=first.function, kind="withdrawn", made=made, code=first.code, withdraws=digests, reason=reason
        )
        self.near.put(tombstone.name, [tombstone.to_bytes()], durable=self.durable)
        return tombstone

    def forget(self, function: str, key: str) -> int:
        """Delete the near results of a key; how many there were. Their blobs go with the next `simcache prune`.

        Tombstones stay, or a withdrawn result could come back from another store.
        """
        names = [listed.name for listed in self.near.list(entry_prefix(function, key)) if self._withdraws_nothing(listed.name)]
        for name in names:
            self.near.delete(name)
        return len(names)

    def _withdraws_nothing(self, name: str) -> bool:
        """Whether an entry is a result, or damaged, when it is heeded by nobody; what cannot be read may be a tombstone."""
        try:
            return Entry.from_bytes(name, self.near.get(name)).kind != "withdrawn"
        except Corrupt:
            return True
        except (CacheError, OSError):
            return False

    # -- one computation per key

    def lock(self, key: str) -> "KeyLock":
        """The lock that whoever computes this key holds, among all processes that share the near store."""
        if self.near.local is None:
            return _key_lock()(self.near.url, key, shared=False)
        return _key_lock()(f"{self.near.local}/locks", key)

    def turn(self, key: str, *, wait: bool = True) -> "Turn":
        """The turn to compute this key, which one thread of all processes that share the near store has at a time."""
        return Turn(self.lock(key), (self.near.url, key), wait=wait)

    def warn_once(self, text: str, reason: str = "") -> None:
        """One warning per text and process, whatever the reasons: a full disk would otherwise say so a thousand times."""
        if text not in self._warned:
            self._warned.add(text)
            warn(f"{text}: {reason}" if reason else text, NotStored)


class Turn:
    """Whose turn it is to compute a key; a thread that has it already does not wait for itself."""

    _held: ClassVar[dict[tuple[tuple[str, str], int], "Turn"]] = {}
    """By key and thread."""

    def __init__(self, lock: "KeyLock", name: tuple[str, str], *, wait: bool) -> None:
        self._lock = lock
        self._name = name
        self._wait = wait
        self.mine = False
        """Whether it is ours; without waiting it may be somebody else's."""

    def __enter__(self) -> Self:
        mine = self._name, get_ident()
        if mine in self._held:
            self.mine = True
        elif self._lock.acquire() if self._wait else self._lock.try_acquire():
            self._held[mine] = self  # nothing is called from here on, for that is where a Ctrl-C comes
            self.mine = True
        return self

    def __exit__(self, *problem: object) -> None:
        mine = self._name, get_ident()
        if self._held.get(mine) is self:
            self._lock.release()
            del self._held[mine]  # last: a thread whose Ctrl-C cut this short does not wait for itself


def runs_no_code(entry: Entry) -> bool:
    """Whether no part of an entry (value, state, arguments) is a pickle, which could run any code."""
    described = (entry.value, entry.state, *(argument.get("describe") for argument in entry.arguments.values()))
    return all(is_safe(one) for one in described if one)


def _index(blob: Blob, blobs: list[Blob]) -> int:
    """Where a blob stands in a list, to which it is added if it is new."""
    if blob not in blobs:
        blobs.append(blob)
    return blobs.index(blob)


@cache
def _key_lock() -> type["KeyLock"]:
    """The class of locks; a hit needs none, and does not load it."""
    from simcache.locks import KeyLock

    return KeyLock


def _layered(near: Store, far: Sequence[Store]) -> Store:
    from simcache.stores.layered import Layered

    return Layered(near, *far)


def _opened_near(store: str | os.PathLike[str] | Store) -> tuple[Store, bool]:
    """The near store, and whether it could not be opened though it is one: no damage and no outage stops a program."""
    try:
        return open_store(store), False
    except (Corrupt, Unavailable) as problem:
        from simcache.stores.closed import Closed

        url = os.fspath(store)  # type: ignore[arg-type]  # a store is given back as it is
        path = not (isinstance(store, str) and scheme_of(store))
        return Closed(os.path.abspath(os.path.expanduser(url)) if path else url, problem.reason), True


def _opened_far(url: str | os.PathLike[str] | Store, near: Store) -> Store | None:
    """A far store; one that is not there now (a mount, a network) or is the near one is left out and said, as it can only save work."""
    try:
        opened = open_store(url, create=False)
        if not is_one(near, opened):
            return opened
        said = f"{opened.url} is the near store itself: name another one"
    except (Corrupt, NotAStore, Unavailable) as problem:
        said = str(problem)
    warn(f"a far store is left out: {said}", RuntimeWarning)
    return None


def _reopened(near: str, far: Sequence[str], durable: bool, trust: bool) -> Cache:
    return Cache(near, far=far, durable=durable, trust=trust)

"""Kaggle datasets as a store: a base, and beside it one small delta of each writer, all of them packs."""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from simcache.errors import BadSettings, CacheError, Corrupt, FormatTooNew, StoreReadOnly, Unavailable, warn
from simcache.home import user_folder
from simcache.locks import KeyLock
from simcache.model import Capabilities
from simcache.stores.base import Store
from simcache.stores.kaggle_api import PATIENCE, Dataset, Kaggle, Patience, Refused, Session
from simcache.stores.packs import (
    TARGET,
    Index,
    Pack,
    PackedStore,
    PackFiles,
    Place,
    Shelf,
    put_file,
    tidied,
    union,
    write_packs,
)

INDEX = "index.simidx"
_INDEX_AT_MOST = 256 * 1024 * 1024
_OWNER = re.compile(r"[a-z0-9][a-z0-9-]{0,49}", re.ASCII)
_URL = re.compile(rf"kaggle://({_OWNER.pattern})/([a-z0-9][a-z0-9-]{{4,48}}[a-z0-9])", re.ASCII)
_WRITER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?", re.ASCII)
_SLUG_AT_MOST = 50
_FORBIDDEN, _NOT_FOUND = 403, 404
_NOT_SHOWN = frozenset({_FORBIDDEN, _NOT_FOUND})
"""How Kaggle answers for what is not there, for what is not ours, and while the first version is being processed."""
_GONE = frozenset({"", "DELETED"})
_ENDED = frozenset({"", "READY", "FAILED", "DELETED"})
_FILES_AT_MOST = 40
"""Of one version: Kaggle takes 50 at the top, and what it takes below is not said."""
_WHOLE_BELOW = 4 * 1024 * 1024
_WHOLE_FROM = 8
"""A pack is fetched whole if it is small, or when so many items of it, or so small a part of its bytes as that, were asked for."""
_PUBLISHING = "0" * 32
_PENDING, _SESSIONS = "pending.simidx", "sessions.json"
_COPY_BELOW = 64 * 1024
_LAST = 64
_ROUNDS = 8
_TRIES_UNASKED = 2
_AWAY = 300.0
"""Where nobody asked for a sync, a miss must not wait long for Kaggle: few tries, and none for so many seconds after they failed."""
_BETWEEN_AT_MOST = 100
_LOOKS = 3
"""How often a dataset is looked at before a version whose making got no answer is taken for not made."""


class Sizes(NamedTuple):
    """Bytes: of a full pack, and from where on a delta is put into the base."""

    pack: int = TARGET
    compact_at_least: int = 64 * 1024 * 1024
    compact_share: float = 0.25
    """Of the base: so much a delta may hold beside it, since every version uploads the whole delta anew."""


SIZES = Sizes()


class Shown(NamedTuple):
    """A version of a dataset that counts."""

    dataset: Dataset
    version: int
    digest: str
    """SHA-256 of its index."""


def open_kaggle(url: str) -> Store:
    """The store at `kaggle://owner/slug`, with `?writer=NAME` for who publishes here; nothing is asked of Kaggle yet."""
    return PackedStore(shelf_of(url))


def shelf_of(url: str) -> "KaggleShelf":
    """The datasets behind a Kaggle store's URL."""
    from urllib.parse import parse_qsl

    place, _, query = url.partition("?")
    match = _URL.fullmatch(place)
    if match is None:
        owner = place.removeprefix("kaggle://").partition("/")[0]
        wrong = "a slug has 6 to 50 small letters, digits and hyphens"
        if not _OWNER.fullmatch(owner):
            wrong = (
                f"the owner is a user name as Kaggle writes it in addresses, of small letters, digits and hyphens, and {owner!r} is none"
            )
        raise BadSettings(url, f"a Kaggle store is kaggle://owner/slug; {wrong}")
    options = dict(parse_qsl(query))
    unknown = set(options) - {"writer", "pause", "wait"}
    if unknown:
        raise BadSettings(url, f"{min(unknown)} is no option of a Kaggle store: there are writer, pause and wait")
    try:
        pause, wait = float(options.get("pause", PATIENCE.pause)), float(options.get("wait", PATIENCE.wait))
    except ValueError:
        raise BadSettings(url, "pause and wait are seconds, as in ?wait=600") from None
    patience = PATIENCE._replace(pause=pause, wait=wait)
    return KaggleShelf(Dataset(match[1], match[2]), writer=options.get("writer", ""), patience=patience)


def writer_name() -> str:
    """What this user's results on this machine are published under: its name, and some digits that no other machine has.

    Kernels, whose home is gone when they end, are one writer: or each would leave a dataset.
    """
    import platform

    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "kaggle"
    folder = os.path.join(user_folder(), "kaggle")
    try:
        with open(f"{folder}/writer", encoding="ascii") as held:
            return held.read().strip()
    except FileNotFoundError:
        host = re.sub(r"[^a-z0-9]+", "-", platform.node().lower()).strip("-")[:8].strip("-") or "host"
        put_file(folder, "writer", [f"{host}-{os.urandom(2).hex()}".encode()])
    return writer_name()


class KaggleShelf(Shelf):
    """Packs in datasets of one owner: the base `slug`, and `slug-delta-WRITER` of each writer; readers take the union.

    A version of a dataset is a snapshot that replaces the one before, and Kaggle does not say no to whoever started from an
    older one. So every index tells which version its writer started from, and a reader takes the versions in between
    too: what a second writer of one dataset did not see is not lost. What is put here lies in a folder of this
    machine until a version that holds it has been read back.
    """

    def __init__(self, base: Dataset, *, writer: str = "", patience: Patience = PATIENCE, sizes: Sizes = SIZES) -> None:
        self._base = base
        self._asked_writer = writer
        self.owner = base.owner
        self.patience = patience
        self._sizes = sizes
        options = {"writer": writer, **{name: getattr(patience, name) for name in ("pause", "wait")}}
        given = [f"{name}={value}" for name, value in options.items() if value not in ("", getattr(PATIENCE, name, ""))]
        self.url = f"kaggle://{base}{'?' if given else ''}{'&'.join(given)}"
        self.capabilities = Capabilities(deletes=False)
        self.folder = os.path.join(user_folder(), "kaggle", base.owner, base.slug)
        self._kaggle = Kaggle(patience)
        self._unasked = Kaggle(patience._replace(tries=min(_TRIES_UNASKED, patience.tries)))
        self._away: tuple[float, CacheError] | None = None
        self._unread: dict[Dataset, str] = {}
        self._files = PackFiles()
        self._lost: dict[Pack, CacheError] = {}
        """Packs that no version gives, though an index names them: what is wrong; whoever reads another item of one need not ask again."""
        self._parsed: dict[str, Index] = {}
        self._shown: tuple[object, tuple[Shown, ...]] = (None, ())
        self._learning = threading.Lock()
        self._learned = False
        self._asked: dict[str, list[int]] = {}
        if writer and not _WRITER.fullmatch(writer):
            raise BadSettings(self.url, "a writer's name has up to 20 small letters, digits and hyphens")

    def __repr__(self) -> str:
        return f"KaggleShelf({str(self._base)!r})"

    def __reduce__(self) -> tuple[Callable[..., "KaggleShelf"], tuple[Any, ...]]:
        return _shelf, (self._base, self._asked_writer, self.patience, self._sizes)

    def datasets(self) -> list[str]:
        """The datasets that can be read now, as `owner/slug`: what a kernel must have attached."""
        self.refresh()
        return sorted({str(shown.dataset) for shown in self._known()})

    # -- reading

    def indexes(self) -> Sequence[Index]:
        if not self._learned:
            with self._learning:
                if not self._learned:
                    self._learn_unasked()
        return tuple(self._parse(shown.digest) for shown in self._known())

    def unread(self) -> Mapping[str, str]:
        return {f"kaggle://{dataset}": reason for dataset, reason in self._unread.items()}

    def refresh(self) -> None:
        with self._learning:
            self._learn(self._kaggle)

    def read(self, place: Place) -> memoryview:
        path = f"{self.folder}/{place.pack.file}"
        try:
            return self._files.read(path, place)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as problem:
            raise Unavailable(place.pack.file, f"the pack cannot be read in {self.folder} ({problem})") from problem
        if not place.size:
            return memoryview(bytearray())
        if not self._wants_whole(place):
            for shown in self._holding(place.pack):
                data = self._kaggle_part(shown, place)
                if data is not None:
                    return memoryview(bytearray(data)) if place.size < _COPY_BELOW else memoryview(data)
        self._fetch(place.pack)
        return self._files.read(path, place)

    def _kaggle_part(self, shown: Shown, place: Place) -> bytes | None:
        try:
            return self._kaggle.read_part(shown.dataset, shown.version, place.pack.file, place.offset, place.size, place.pack.size)
        except Refused:
            return None  # whoever fetches the pack asks the others that hold it

    def _wants_whole(self, place: Place) -> bool:
        asked = self._asked.setdefault(place.pack.sha256, [0, 0])
        asked[0] += 1
        asked[1] += place.size
        return place.pack.size <= _WHOLE_BELOW or asked[0] > _WHOLE_FROM or asked[1] > place.pack.size // _WHOLE_FROM

    def expect(self, places: Sequence[Place]) -> None:
        wanted: dict[Pack, int] = {}
        for place in places:
            wanted[place.pack] = wanted.get(place.pack, 0) + place.size
        for pack, size in wanted.items():
            if pack.size <= _WHOLE_BELOW or size > pack.size // _WHOLE_FROM:
                with suppress(CacheError, OSError):  # whoever reads an item of it is told
                    self._fetch(pack)

    def mend(self, place: Place) -> bool:
        path = f"{self.folder}/{place.pack.file}"
        try:
            if self._files.digest(path) == place.pack.sha256:
                return False
            os.unlink(path)
        except FileNotFoundError:
            return False
        return True

    def _fetch(self, pack: Pack) -> None:
        """Have a pack here: whole, and with the SHA-256 that its name says."""
        path = f"{self.folder}/{pack.file}"
        problem: CacheError = _no(pack.file, "no version that can be read holds it")
        with KeyLock(f"{self.folder}/.local/locks", pack.sha256[:32]):
            if os.path.exists(path):
                return
            if pack in self._lost:
                raise self._lost[pack]
            for shown in self._holding(pack):
                try:
                    self._kaggle.fetch(shown.dataset, shown.version, pack.file, path, pack.size, pack.sha256)
                except (Refused, Corrupt) as found:
                    problem = _no(pack.file, str(found))
                except OSError as found:
                    said = f"it cannot be kept in {self.folder} ({found.strerror or found})"
                    raise Unavailable(pack.file, said, passes=False, away=True) from found
                else:
                    return
            self._lost[pack] = problem
        raise problem

    def _holding(self, pack: Pack) -> Iterator[Shown]:
        return (shown for shown in self._known() if pack in self._parse(shown.digest).packs)

    def _parse(self, digest: str) -> Index:
        index = self._parsed.get(digest)
        if index is None:
            with open(self._index_path(digest), "rb") as file:
                index = self._parsed[digest] = Index.from_bytes(INDEX, file.read())
        return index

    def _index_path(self, digest: str) -> str:
        return f"{self.folder}/indexes/{digest}.simidx"

    # -- what the datasets show, kept here so that the processes of a machine know the same

    def _known(self) -> tuple[Shown, ...]:
        path = f"{self.folder}/shown.json"
        try:
            status = os.stat(path)
            stamp = (status.st_mtime_ns, status.st_ino)
            if self._shown[0] != stamp:
                with open(path, encoding="utf-8") as file:
                    shown = [Shown(Dataset(*dataset), version, digest) for dataset, version, digest in json.load(file)]
                self._shown = (stamp, tuple(one for one in shown if self._is_here(one)))
        except (FileNotFoundError, ValueError, TypeError):
            self._shown = (None, ())  # nothing was learned yet, or what was is lost: it is learned anew
        return self._shown[1]

    def _is_here(self, one: Shown) -> bool:
        """Whether the index that was read is still here, and sound."""
        try:
            self._parse(one.digest)
        except (OSError, Corrupt, FormatTooNew):
            return False
        return True

    def _learn_unasked(self) -> None:
        if self._away is not None and time.monotonic() < self._away[0]:
            raise self._away[1]
        try:
            self._learn(self._unasked)
        except Unavailable as problem:
            self._away = (time.monotonic() + _AWAY, problem)
            raise

    def _learn(self, kaggle: Kaggle) -> None:
        """Ask every dataset for its version, and read the index of each that is new."""
        self._lost.clear()
        shown: list[Shown] = []
        asked: set[Dataset] = set()
        waiting = [self._base, self._delta(), *self._listed(kaggle)]
        while waiting:
            dataset = waiting.pop(0)
            if dataset not in asked:
                asked.add(dataset)
                found = self._versions(kaggle, dataset)
                shown += found
                writers = {writer for one in found for writer in self._parse(one.digest).writers if self._is_writer(writer)}
                waiting += [self._delta(writer) for writer in sorted(writers)]
        self._keep_shown(shown)
        self._learned = True

    def _look(self, dataset: Dataset) -> None:
        """Learn what one dataset shows now."""
        with self._learning:
            self._keep_shown([*(shown for shown in self._known() if shown.dataset != dataset), *self._versions(self._kaggle, dataset)])

    def _listed(self, kaggle: Kaggle) -> list[Dataset]:
        """The deltas that Kaggle's list of the owner's datasets names."""
        start = f"{self._base.slug}-delta-"
        try:
            slugs = kaggle.datasets_of(self._base.owner, self._base.slug)
        except Refused as problem:
            raise _no(self.url, str(problem)) from None
        return [self._delta(slug[len(start) :]) for slug in slugs if slug.startswith(start) and self._is_writer(slug[len(start) :])]

    def _versions(self, kaggle: Kaggle, dataset: Dataset) -> list[Shown]:
        """The versions of a dataset that count: the current one, and those that its writer did not see."""
        try:
            current = kaggle.current(dataset)
        except Refused as problem:
            if problem.status == _FORBIDDEN and not self._processing(dataset):
                raise _no(self.url, f"{dataset} may not be read with these credentials (403): ask {dataset.owner} to share it") from None
            if problem.status in _NOT_SHOWN:
                return []  # not there, or its first version is being processed
            raise _no(self.url, str(problem)) from None
        known = {shown.version: shown for shown in self._known() if shown.dataset == dataset}
        self._unread.pop(dataset, None)
        last = known.get(current) or self._shown_by(kaggle, dataset, current)
        if last is None:
            self._unread.setdefault(dataset, "it has no index of ours")
            return []
        between = range(max(self._parse(last.digest).follows + 1, current - _BETWEEN_AT_MOST), current)
        found = (known.get(version) or self._shown_by(kaggle, dataset, version) for version in between)
        return [last, *(one for one in found if one is not None)]

    def _shown_by(self, kaggle: Kaggle, dataset: Dataset, version: int) -> Shown | None:
        """What one version shows; None, and a warning, if it is no version of ours or is damaged: others are read all the same."""
        where = f"kaggle://{dataset} version {version}"
        try:
            data = kaggle.read(dataset, version, INDEX, _INDEX_AT_MOST)
            index = Index.from_bytes(where, data)
        except Refused as problem:
            if problem.status not in _NOT_SHOWN:
                raise _no(self.url, str(problem)) from None
            return None  # it failed, or was removed: whoever published it was told so and has it still
        except (Corrupt, FormatTooNew) as problem:
            warn(f"left out: {problem}", UserWarning)
            self._unread[dataset] = str(getattr(problem, "reason", problem))
            return None
        digest = sha256(data).hexdigest()
        put_file(self.folder, f"indexes/{digest}.simidx", [data])
        self._parsed[digest] = index
        return Shown(dataset, version, digest)

    def _keep_shown(self, shown: Sequence[Shown]) -> None:
        if tuple(shown) != self._known():
            put_file(self.folder, "shown.json", [json.dumps(shown).encode()])

    def _is_writer(self, name: str) -> bool:
        """Whether a name that stood somewhere can be a writer's."""
        return bool(_WRITER.fullmatch(name)) and len(f"{self._base.slug}-delta-{name}") <= _SLUG_AT_MOST

    def _delta(self, writer: str = "") -> Dataset:
        """The dataset of a writer, by default ours."""
        slug = f"{self._base.slug}-delta-{writer or self._asked_writer or writer_name()}"
        if len(slug) > _SLUG_AT_MOST:
            raise BadSettings(
                self.url,
                f"{slug} has more than {_SLUG_AT_MOST} letters: name a shorter writer, as in kaggle://{self._base}?writer=me",
            )
        return self._base._replace(slug=slug)

    # -- publishing

    def publish(self, loose: Store, told: Callable[[int, int], None]) -> Sequence[str]:
        if not next(loose.list(), None) and not os.path.exists(f"{self.folder}/{_PENDING}"):
            return ()
        with KeyLock(f"{self.folder}/.local/locks", _PUBLISHING):
            return self._publish(loose, told)

    def _publish(self, loose: Store, told: Callable[[int, int], None]) -> Sequence[str]:
        """Pack what lies loose, upload it, have it processed, read it back; what an earlier try has done is not done again."""
        pending = self._pending()
        if pending.places:  # a version that an earlier try asked for may be on its way still
            for dataset in (self._base, self._delta()):
                self._wait_until(lambda dataset=dataset: self._processing(dataset) in _ENDED, dataset)  # type: ignore[misc]
        self.refresh()
        names = {listed.name for listed in loose.list()}
        pending = union([Index(write_packs(self.folder, names - set(pending.places), loose.get, target=self._sizes.pack)), pending])
        for _ in range(_ROUNDS):
            self._keep_pending(pending)
            if self._is_read_back(pending):
                break
            pending = self._send(pending, told)
        else:
            raise Unavailable(self.url, "what was published does not stand there; nothing is lost: run again later")
        self._keep_pending(Index({}))
        self._sweep()
        return [name for name in names if name in pending.places]

    def _send(self, pending: Index, told: Callable[[int, int], None]) -> Index:
        """Make one version with all that is pending, and wait until Kaggle shows it; where the names lie in it."""
        target, content = self._planned(pending)
        for pack in content.packs:
            self._fetch(pack)
        pending = Index({name: content.places[name] for name in pending.places})
        self._keep_pending(pending)
        accepted = self._make(target, content, self._uploaded(content, told))
        looks = 0

        def ended() -> bool:
            nonlocal looks
            self._look(target)
            if self._shows(pending, target):
                return True
            status = self._processing(target)
            if accepted and status == "FAILED":
                raise Unavailable(self.url, f"Kaggle failed to process the version of {target} that was sent; nothing is lost: run again")
            overtaken = any(one.dataset == target and one.version > content.follows for one in self._known())
            looks += status in _ENDED and (overtaken or not accepted)
            return looks >= _LOOKS

        self._wait_until(ended, target)
        return pending

    def _planned(self, pending: Index) -> tuple[Dataset, Index]:
        """Which dataset gets a new version, and all that it holds then."""
        base, delta = self._base, self._delta()
        held = {target: union(self._parse(one.digest) for one in self._known() if one.dataset == target) for target in (base, delta)}
        places = {name: place for name, place in held[delta].places.items() if name not in held[base].places}
        beside = union([pending, Index(places)])
        target, content = delta, beside
        if not self._exists(base) or (held[base].packs and self._is_large(beside, held[base])):
            target, content = base, union([beside, held[base]])
        if target in self._unread:
            raise _no(
                self.url,
                f"what {target} holds cannot be read and is not overwritten ({self._unread[target]}): "
                "mend that, or publish beside it as another writer (?writer=NAME)",
            )
        room = sum(pack.size for pack in content.packs) // _FILES_AT_MOST
        content = tidied(self.folder, content, self.read, target=max(self._sizes.pack, room))
        start = len(f"{base.slug}-delta-")
        writers = {one.dataset.slug[start:] for one in self._known() if one.dataset != base} | {delta.slug[start:]}
        follows = max((one.version for one in self._known() if one.dataset == target), default=0)
        return target, Index(content.places, follows=follows, writers=writers)

    def _is_large(self, beside: Index, base: Index) -> bool:
        size, whole = (sum(pack.size for pack in index.packs) for index in (beside, base))
        return size > max(self._sizes.compact_at_least, self._sizes.compact_share * whole)

    def _exists(self, dataset: Dataset) -> bool:
        return any(shown.dataset == dataset for shown in self._known()) or self._processing(dataset) not in _GONE

    def _processing(self, dataset: Dataset) -> str:
        """How far the last version is processed; empty if there is no such dataset."""
        try:
            return self._kaggle.status(dataset)
        except Refused as problem:
            if problem.status in _NOT_SHOWN:
                return ""
            raise _no(self.url, str(problem)) from None

    def _wait_until(self, ended: Callable[[], bool], dataset: Dataset) -> None:
        """Look until it is so, more and more seldom. Unavailable after the time that we are willing to wait."""
        began, pause = time.monotonic(), self.patience.pause
        while not ended():
            if time.monotonic() - began > self.patience.wait:
                raise _no(self.url, f"Kaggle is still processing {dataset}; nothing is lost: run again to see it through")
            time.sleep(pause)
            pause = min(pause * 1.5, self.patience.longest)

    def _shows(self, pending: Index, *datasets: Dataset) -> bool:
        """Whether others can see all that is pending: these very bytes, not others under the same name."""
        own = [self._parse(one.digest).places for one in self._known() if one.dataset in datasets]
        return all(any(places.get(name) == place for places in own) for name, place in pending.places.items())

    def _is_read_back(self, pending: Index) -> bool:
        """Whether others see all that is pending, and the packs are there as well."""
        own = (self._base, self._delta())
        there: set[Pack] = set()
        for one in self._known() if self._shows(pending, *own) else ():
            if one.dataset in own:
                there.update(self._packs_there(one, pending))
        return there.issuperset(pending.packs)

    def _packs_there(self, one: Shown, pending: Index) -> Iterator[Pack]:
        """Which packs of what is pending a version really has."""
        packs = set(pending.packs).intersection(self._parse(one.digest).packs)
        try:
            sizes = self._kaggle.files(one.dataset, one.version) if packs else {}
            for pack in packs:
                if sizes.get(pack.file) == pack.size or self._ends_alike(one, pack):
                    yield pack
        except Refused as problem:
            if problem.status not in _NOT_SHOWN:
                raise _no(self.url, str(problem)) from None

    def _ends_alike(self, one: Shown, pack: Pack) -> bool:
        """Whether Kaggle's copy ends as ours does: its list may tell other sizes than files have."""
        last = Place(pack, max(0, pack.size - _LAST), min(pack.size, _LAST))
        data = self._kaggle.read_part(one.dataset, one.version, pack.file, last.offset, last.size, pack.size)
        return data is None or data == bytes(self._files.read(f"{self.folder}/{pack.file}", last))

    def _uploaded(self, content: Index, told: Callable[[int, int], None]) -> dict[str, Session]:
        """Have the files of a version at Kaggle, its index first; those that an earlier try sent, or partly sent, are not sent again."""
        data = content.to_bytes()
        put_file(self.folder, INDEX, [data])
        files = {INDEX: Pack(sha256(data).hexdigest(), len(data)), **{pack.file: pack for pack in content.packs}}
        total = sum(pack.size for pack in files.values())
        sessions, done = self._sessions(), 0
        used: dict[str, Session] = {}
        for name, pack in files.items():
            used[pack.sha256] = self._upload(sessions, name, pack, lambda sent, before=done: told(before + sent, total))  # type: ignore[misc]
            done += pack.size
        return used

    def _upload(self, sessions: dict[str, Session], name: str, pack: Pack, told: Callable[[int], None]) -> Session:
        path = f"{self.folder}/{name}"
        try:
            if pack.sha256 in sessions:
                self._kaggle.upload(sessions[pack.sha256], path, told)
                return sessions[pack.sha256]
        except Refused:
            del sessions[pack.sha256]  # Kaggle has forgotten it
        try:
            sessions[pack.sha256] = self._kaggle.begin(os.path.basename(name), pack.size)
            self._keep_sessions(sessions)
            self._kaggle.upload(sessions[pack.sha256], path, told, fresh=True)
        except Refused as problem:
            raise _no(self.url, f"{problem}; nothing is lost: run again") from None
        return sessions[pack.sha256]

    def _make(self, target: Dataset, content: Index, files: dict[str, Session]) -> bool:
        """Ask for a version of what was uploaded; whether Kaggle has said yes. No, or no answer: the datasets tell what is there."""
        index, *packs = (session.token for session in files.values())
        new = self._processing(target) in _GONE
        self._keep_sessions({})  # whether two versions may use one token is not known, and this process may be ended now
        try:
            if new:
                self._kaggle.create(target, [index], packs)
            else:
                self._kaggle.add_version(target, [index], packs, f"{len(content.places)} names")
        except Unavailable:
            return False  # the answer was lost: whether the version was made will be seen
        except Refused as problem:
            state = self._processing(target)
            if state in _GONE or (state in _ENDED and not new):
                raise self._rejected(target, problem) from None
            self._keep_sessions(files)  # somebody made it this very moment, or its first version is being processed: later
            return False
        return True

    def _rejected(self, target: Dataset, problem: Refused) -> CacheError:
        if problem.status == _FORBIDDEN:
            said = f"only {target.owner} can: publish as kaggle://YOU/{self._base.slug}, and read both"
            return StoreReadOnly(self.url, f"{target} cannot be published ({problem.reason or problem.status}); {said}")
        return _no(
            self.url,
            f"Kaggle did not take what was to be published ({problem.reason or problem.status}); nothing is lost: mend that, and run again",
        )

    # -- what a try leaves for the next one

    def _pending(self) -> Index:
        """What an earlier try had packed and could not see at Kaggle."""
        try:
            with open(f"{self.folder}/{_PENDING}", "rb") as file:
                index = Index.from_bytes(_PENDING, file.read())
        except (FileNotFoundError, Corrupt, FormatTooNew):
            return Index({})  # it lies loose still, and is packed anew
        there = {pack for pack in index.packs if os.path.exists(f"{self.folder}/{pack.file}")}
        return Index({name: place for name, place in index.places.items() if place.pack in there})

    def _keep_pending(self, pending: Index) -> None:
        if pending.places:
            put_file(self.folder, _PENDING, [pending.to_bytes()])
        elif os.path.exists(f"{self.folder}/{_PENDING}"):
            os.unlink(f"{self.folder}/{_PENDING}")

    def _sessions(self) -> dict[str, Session]:
        try:
            with open(f"{self.folder}/{_SESSIONS}", encoding="utf-8") as file:
                return {sha: Session(*held) for sha, held in json.load(file).items()}
        except (FileNotFoundError, ValueError):
            return {}

    def _keep_sessions(self, sessions: dict[str, Session]) -> None:
        put_file(self.folder, _SESSIONS, [json.dumps(sessions).encode()])

    def _sweep(self) -> None:
        """Remove the packs and indexes that no version shows any more."""
        indexes = {f"{one.digest}.simidx" for one in self._known()}
        packs = {f"{pack.sha256}.pack" for one in self._known() for pack in self._parse(one.digest).packs}
        for folder, kept in (("indexes", indexes), ("packs", packs)):
            for name in os.listdir(f"{self.folder}/{folder}"):
                if name.removesuffix(".part") not in kept:
                    os.unlink(f"{self.folder}/{folder}/{name}")


def _shelf(base: Dataset, writer: str, patience: Patience, sizes: Sizes) -> KaggleShelf:
    return KaggleShelf(base, writer=writer, patience=patience, sizes=sizes)


def _no(name: str, reason: str) -> Unavailable:
    """An answer that stays as it is: who speaks with Kaggle has asked often enough, and a sync need not ask five times more."""
    return Unavailable(name, reason, passes=False)

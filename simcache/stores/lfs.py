"""A branch of a Git remote as a store: entries as text, blobs by Git LFS, or by plain Git where that is not at hand.

What the store holds is what the branch holds at the remote, and what was put here and waits to be published. Commits are made
from objects alone: no file of the work tree is read for them, and nothing that a person has staged or changed goes with them.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from xxhash import xxh3_128_hexdigest

from simcache.errors import BadSettings, Corrupt, Missing, StoreReadOnly, Unavailable, warn
from simcache.locks import KeyLock
from simcache.model import POINTER_AT_MOST, Buffer, Capabilities, check_name, digest_in_name, pointer_oid
from simcache.stores.base import Listed, Store, require_name
from simcache.stores.git import GitFailed, LostRace, Repository, lfs_is_there, place_of
from simcache.stores.lfs_objects import NO_LFS, LfsObjects, Wanted, link
from simcache.stores.local import LocalStore
from simcache.stores.place import FORMAT_BYTES, FORMAT_FILE, check_format

LFS_LINES: Final = ("blobs/** filter=lfs diff=lfs merge=lfs -text", "entries/** -text")
PLAIN_LINES: Final = ("blobs/** -text", "entries/** -text")
"""What .gitattributes says of a store: how its blobs go, and that no byte of an entry may change."""

_RACES = 12
_PUBLISHING, _SETTLING = "0" * 32, "1" * 32
_COPY_BELOW = 64 * 1024
_LINKED_FROM = 4096
"""Bytes from which on comparing a file takes less time than writing it again, and less room."""


class _Where(NamedTuple):
    """What a URL names."""

    folder: str
    remote: str
    branch: str
    """Empty for the branch that is checked out."""


class _Manner(NamedTuple):
    """How what follows a commit is kept."""

    by_lfs: bool
    """Whether blobs go by Git LFS."""
    lacking: Mapping[str, bytes]
    """The files that the commit lacks to hold a store."""


class GitStore(Store):
    """The store folder of one branch of one remote. `refresh` fetches; `publish` commits what was put, and pushes it."""

    def __init__(self, url: str) -> None:
        """Open the store. NotAStore if the folder is in no work tree; BadSettings if no branch can be told."""
        where = _where(url)
        self._place = place_of(where.folder)
        self._git = Repository(self._place)
        self._folder = where.folder
        self._remote = where.remote
        self._branch = where.branch or self._git.ask("symbolic-ref", "--quiet", "--short", "HEAD")
        if not self._branch:
            raise BadSettings(url, "no branch is checked out there: name one, as in git+lfs:store?branch=results")
        asked = [f"remote={where.remote}"] if where.remote != "origin" else []
        asked += [f"branch={where.branch}"] if where.branch else []
        self.url = f"git+lfs:{where.folder}{'?' if asked else ''}{'&'.join(asked)}"
        self.capabilities = Capabilities(deletes=False, quick=True)
        identity = xxh3_128_hexdigest(f"{self._place.prefix}\0{self._remote}\0{self._branch}".encode("utf-8", "surrogateescape"))
        self._waiting = LocalStore(os.path.join(self._place.common, "simcache", identity[:16]))
        """What was put and is not published."""
        self._put_here: set[str] = set()
        """What of it came through this object or was checked by it, as a process may have died with its machine."""
        self._lock = Lock()
        self._tip: str | None = None
        self._published: dict[str, str] = {}
        """Every name on the branch, and its object."""
        self._foreign: list[str] = []
        self._objects = LfsObjects(self._git, self._remote)
        self._ahead: dict[str, bytes] = {}
        """Entries that were read before they were asked for."""

    def __repr__(self) -> str:
        return f"GitStore({self.url!r})"

    def __reduce__(self) -> tuple[type["GitStore"], tuple[str]]:
        return GitStore, (self.url,)

    # reading

    def get(self, name: str) -> memoryview:
        require_name(name)
        oid = self._names().get(name)
        if oid is None:
            return self._waiting.get(name)
        if name.startswith("blobs/"):
            with suppress(OSError):
                return _handed_out(self._objects.read(name))  # mostly it is here, and then Git need not be asked for the pointer
        data = self._ahead.pop(name, None) or self._git.read(oid)
        if not self._is_pointer(name, data):
            return _handed_out(data)
        with suppress(Missing):
            return self._waiting.get(name)
        self._objects.settle()
        self._objects.fetch([oid])
        try:
            return _handed_out(self._objects.read(name))
        except OSError as problem:
            reason = f"its Git LFS object is not here ({problem.strerror}); `git lfs fetch --all {self._remote}` brings what the server has"
            raise Unavailable(name, self._objects.away or reason, passes=False) from None

    def lent(self, name: str) -> str | None:
        if not name.startswith("blobs/") or name not in self._names():
            return None  # what only waits is read from where it waits, and nobody has looked at what Git LFS has of it
        return self._objects.lent(name)

    def has(self, name: str) -> bool:
        require_name(name)
        return self._waiting.has(name) or name in self._names()

    def list(self, prefix: str = "") -> Iterator[Listed]:
        seen = set()
        for listed in self._waiting.list(prefix):
            seen.add(listed.name)
            yield listed
        for name, oid in self._names().items():
            if name.startswith(prefix) and name not in seen:
                data = self._git.read(oid)
                yield Listed(name, _pointed_size(data) if self._is_pointer(name, data) else len(data))

    def names(self, prefix: str = "") -> Iterator[str]:
        waiting = {listed.name for listed in self._waiting.list(prefix)}
        yield from waiting
        yield from (name for name in self._names() if name.startswith(prefix) and name not in waiting)

    def unpublished(self, prefix: str = "") -> Iterator[str]:
        return (name for name in self._waiting.names(prefix) if name not in self._names())

    def foreign(self) -> Sequence[str]:
        self._names()
        return self._foreign

    def expect(self, names: Sequence[str]) -> None:
        held = self._names()
        entries = [name for name in names if name.startswith("entries/") and name in held]
        wanted = [name for name in names if name.startswith("blobs/") and name in held and not self._waiting.has(name)]
        wanted = [name for name in wanted if not os.path.exists(self._objects.path(name))]
        try:
            self._ahead = dict(zip(entries, self._git.read_all([held[name] for name in entries]), strict=True))
            pointers = zip(wanted, self._git.read_all([held[name] for name in wanted]), strict=True)
        except GitFailed:
            return  # an object of Git's is not here: whoever asks for it by name is told
        coming = {name: Wanted(held[name], _pointed_size(data)) for name, data in pointers if self._is_pointer(name, data)}
        if coming:
            self._objects.bring(coming)

    # writing

    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool = False) -> None:
        require_name(name)
        if durable or not self._adopted(name, chunks):
            self._waiting.put(name, chunks, durable=durable)
        self._put_here.add(name)

    def _adopted(self, name: str, chunks: Sequence[Buffer]) -> bool:
        """Whether the work tree has a file with these very bytes, which got a second name among those that wait."""
        place = os.path.join(self._folder, name)
        size = sum(memoryview(chunk).nbytes for chunk in chunks)
        if size < _LINKED_FROM or not os.path.isdir(self._waiting.local):
            return False
        try:
            with open(place, "rb", buffering=0) as file:
                same = file.read(size + 1) == b"".join(chunks)
            return same and link(place, self._file_of(name))
        except OSError:
            return False

    def claim(self, name: str, size: int) -> bool:
        return self._waiting.claim(name, size) or super().claim(name, size)

    def delete(self, name: str) -> None:
        self._waiting.delete(name)
        if name in self._names():
            raise StoreReadOnly(
                self.url, "what was published stays, as Git keeps everything; `simcache withdraw` takes a result back everywhere"
            )

    def set_aside(self, name: str) -> str | None:
        return self._waiting.set_aside(name)

    def sweep(self) -> int:
        return self._waiting.sweep()

    # the remote

    def refresh(self) -> None:
        self._objects.settle()
        self._need_remote()
        self._check_waiting()
        self._objects.away = ""
        tip = self._git.fetch(self._remote, self._branch)
        if tip:
            self._check_format(tip)
        with self._lock:
            self._look_at(tip)

    def publish(self, told: Callable[[int, int], None] | None = None) -> None:
        self._objects.settle()
        with self._alone(_PUBLISHING):
            self._publish(told)

    def _alone(self, work: str) -> KeyLock:
        """Syncs of one clone do such work one after the other: what one has published must not vanish under another's hands."""
        return KeyLock(os.path.join(self._waiting.local, "locks"), work)

    def _publish(self, told: Callable[[int, int], None] | None) -> None:
        sent: set[str] = set()
        held = list(self._waiting.list())
        for number in range(_RACES):
            waiting = [listed for listed in held if listed.name not in self._names()]
            if not waiting:
                break
            try:
                self._push(waiting, sent, told)
            except LostRace:
                time.sleep(random.uniform(0, 0.1 * 2 ** min(number, 5)))
                self.refresh()
        else:
            raise Unavailable(self.url, f"others pushed to {self._remote}/{self._branch} in between, {_RACES} times in a row; run it again")
        for listed in held:
            self._waiting.delete(listed.name)

    def _push(self, waiting: Sequence[Listed], sent: set[str], told: Callable[[int, int], None] | None) -> None:
        """Upload what blobs hold, and make the commit beside; then have the branch name it all."""
        parents = self._parents(self._tip or "")
        by_lfs, attributes = self._manner(parents[0] if parents else "")
        pointed = {name: size for name, size in waiting if by_lfs and name.startswith("blobs/") and size}
        with ThreadPoolExecutor(1) as beside:
            uploading = beside.submit(self._objects.upload, [Listed(*item) for item in pointed.items()], self._file_of, sent, told)
            commit = self._commit(parents, waiting, pointed, attributes)
            uploading.result()
        self._git.push(self._remote, commit, self._branch)
        with self._lock:
            self._look_at(commit)

    def _commit(
        self, parents: Sequence[str], waiting: Sequence[Listed], pointed: Mapping[str, int], attributes: Mapping[str, bytes]
    ) -> str:
        """A commit with all that waits: of these blobs the pointers, of others (Git LFS has no pointer for nothing at all) the content."""
        prefix = self._place.prefix
        files: list[tuple[str, bytes | str]] = [(f"{prefix}{name}", data) for name, data in attributes.items()]
        entries = [name for name, _ in waiting if name.startswith("entries/")]
        plain = [name for name, _ in waiting if name.startswith("blobs/") and name not in pointed]
        files += [(f"{prefix}{name}", bytes(self._waiting.get(name))) for name in entries]
        files += [(f"{prefix}{name}", _pointer(name, size)) for name, size in pointed.items()]
        objects = self._git.keep_files([self._file_of(name) for name in plain])
        files += [(f"{prefix}{name}", oid) for name, oid in zip(plain, objects, strict=True)]
        return self._git.commit(parents, files, f"simcache: {len(entries)} {'result' if len(entries) == 1 else 'results'}")

    def _file_of(self, name: str) -> str:
        return os.path.join(self._waiting.url, name)

    def _check_waiting(self) -> None:
        """What waits must be what its name promises, and a power cut may have left less: that goes out of the way, to be put again."""
        for listed in self._waiting.list():
            if listed.name not in self._put_here:
                try:
                    check_name(listed.name, self._waiting.get(listed.name))
                except Corrupt:
                    self._waiting.set_aside(listed.name)
                else:
                    self._put_here.add(listed.name)

    def _manner(self, parent: str) -> _Manner:
        prefix = self._place.prefix
        held = self._git.files(parent, f"{prefix}{FORMAT_FILE}")
        lacking = {} if held else {FORMAT_FILE: FORMAT_BYTES}
        said = self._git.attributes_in(parent, f"{prefix}blobs/00/0", os.path.join(self._waiting.local, f"index-{os.getpid()}"))
        if said.get("filter") == "lfs":
            by_lfs = lfs_is_there(self._place.top)
            if not by_lfs:
                warn(f"{NO_LFS}; until then blobs go to {self._remote}/{self._branch} by plain Git", UserWarning)
            return _Manner(by_lfs, lacking)
        if said.get("text") == "unset":
            return _Manner(by_lfs=False, lacking=lacking)  # somebody chose plain Git
        by_lfs = lfs_is_there(self._place.top)
        if not by_lfs:
            warn(f"{NO_LFS}; blobs go to {self._remote}/{self._branch} by plain Git", UserWarning)
        lines = LFS_LINES if by_lfs else PLAIN_LINES
        return _Manner(by_lfs, {**lacking, ".gitattributes": "".join(f"{line}\n" for line in lines).encode()})

    def _parents(self, tip: str) -> Sequence[str]:
        """What a commit follows: the branch at the remote; a branch that is not there yet begins with what is committed here."""
        return [parent for parent in (tip or (self._head() if self._is_checked_out() else ""),) if parent]

    # the branch

    def _names(self) -> dict[str, str]:
        if self._tip is None:
            with self._lock:
                if self._tip is None:
                    self._look_at(self._git.tip(self._remote, self._branch))
        return self._published

    def _look_at(self, tip: str) -> None:
        if tip == self._tip:
            return
        prefix = self._place.prefix
        found = self._git.files(tip, f"{prefix}blobs", f"{prefix}entries")
        below = {path[len(prefix) :]: oid for path, oid in found.items()}
        self._published = {name: oid for name, oid in below.items() if oid and digest_in_name(name)}
        self._foreign = sorted(below.keys() - self._published.keys())
        self._tip = tip

    def _check_format(self, tip: str) -> None:
        path = f"{self._place.prefix}{FORMAT_FILE}"
        if oid := self._git.files(tip, path).get(path):
            check_format(f"{self.url} ({self._remote}/{self._branch})", self._git.read(oid))

    def _need_remote(self) -> None:
        if not self._git.ask("config", f"remote.{self._remote}.url"):
            known = ", ".join(self._git.ask("remote").split()) or "none"
            raise BadSettings(
                self.url,
                f"the repository has no remote {self._remote!r} (there are: {known}): `git remote add {self._remote} URL` names one",
            )

    def _is_pointer(self, name: str, data: bytes) -> bool:
        return len(data) <= POINTER_AT_MOST and name.startswith("blobs/") and pointer_oid(data) == name[-64:]

    # the work tree

    def settle(self) -> None:
        """Have the checked-out branch know the store's files in the work tree that the remote's branch has too.

        Otherwise they would be strangers, and the next `git pull` would refuse to write over them. If nothing but the store has
        changed at the remote, the branch follows it; if more has, the files are staged (where a pull will only move forward) or
        committed (where it will merge). No other path is touched, in the index or in the work tree.
        """
        self._objects.settle()
        with self._alone(_SETTLING):
            self._settle()

    def _settle(self) -> None:
        tip = self._tip or ""
        try:
            if tip and self._is_checked_out() and not self._git.ask("rev-parse", "--verify", "--quiet", "MERGE_HEAD"):
                self._follow(tip, self._head())
            for path in self._git.stage_again(f"{self._place.prefix}blobs"):
                self._make_way_for(path)
        except GitFailed as problem:
            warn(f"the files of {self._folder} are not yet known to the branch {self._branch} here: {problem}", UserWarning)

    def _make_way_for(self, path: str) -> None:
        """Set aside what Git LFS has of a blob if it was cut short: every command that looked at the sound file here would fail."""
        name = path[len(self._place.prefix) :]
        with suppress(OSError):
            if digest_in_name(name) and not self._objects.is_whole(name, os.path.getsize(os.path.join(self._place.top, path))):
                self._objects.read(name)

    def _follow(self, tip: str, head: str) -> None:
        prefix = self._place.prefix
        since = self._git.changed(head or self._git.empty_tree(), tip, prefix or ".")
        came = [(one.path, one.object) for one in since if one.kind == "A"]
        here = [(path, oid) for path, oid in came if self._is_here(path)]
        if not here:
            return
        self._git.stage(here)  # before the branch moves: cut in between, the next sync goes on, and no commit takes results away
        base = self._git.ask("merge-base", head, tip) if head else ""
        reference = f"refs/heads/{self._branch}"
        if len(here) == len(came) and (not head or base) and self._only_the_store_changed(base, tip):
            whole: list[tuple[str, bytes | str]] = [*here]
            merged = (
                tip if base == head else self._git.commit([head, tip], whole, f"simcache: {self._remote}/{self._branch} has new results")
            )
            self._git.run("update-ref", "-m", "simcache: sync", reference, merged, head)
        elif base != head:
            alone = self._git.commit([head], [*here], f"simcache: results that are at {self._remote}/{self._branch} too")
            self._git.run("update-ref", "-m", "simcache: sync", reference, alone, head)

    def _only_the_store_changed(self, base: str, tip: str) -> bool:
        prefix = self._place.prefix
        changes = self._git.changed(base or self._git.empty_tree(), tip, ".")
        return all(one.path.startswith(prefix) and one.kind == "A" for one in changes)

    def _is_here(self, path: str) -> bool:
        """Whether the work tree has a file of the store; what makes a folder a store there is written if it is not."""
        whole = os.path.join(self._place.top, path)
        name = path[len(self._place.prefix) :]
        if digest_in_name(name):
            return os.path.isfile(whole)
        if name == ".gitattributes" and os.path.isdir(os.path.dirname(whole)) and not os.path.lexists(whole):
            with open(whole, "wb") as file:
                file.write(self._git.read(self._git.files(self._tip or "", path)[path]))
        return os.path.isfile(whole)

    def _is_checked_out(self) -> bool:
        return self._git.ask("symbolic-ref", "--quiet", "HEAD") == f"refs/heads/{self._branch}"

    def _head(self) -> str:
        return self._git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")


def _where(url: str) -> _Where:
    path, _, query = url.partition(":")[2].partition("?")
    options = dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))  # a branch may have a plus in its name, and no space
    unknown = sorted(options.keys() - {"remote", "branch"})
    if unknown or not path:
        wrong = f"has no {unknown[0]!r}" if unknown else "names no folder"
        raise BadSettings(
            url, f"{wrong}: it is written git+lfs:FOLDER?remote=NAME&branch=NAME, and what follows the folder may be left out"
        )
    return _Where(os.path.abspath(os.path.expanduser(path)), options.get("remote") or "origin", options.get("branch", ""))


def _pointer(name: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{name[-64:]}\nsize {size}\n".encode()


def _pointed_size(pointer: bytes) -> int:
    last = pointer.rstrip(b"\n").rpartition(b"\nsize ")[2]
    return int(last) if last.isdigit() else 0


def _handed_out(data: bytes) -> memoryview:
    return memoryview(bytearray(data) if len(data) < _COPY_BELOW else data)

"""What would stop a store from being shared without anybody noticing; each finding with the one command that mends it."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from simcache.errors import CacheError, Corrupt, FormatTooNew, NotAStore, StoreReadOnly
from simcache.model import Json
from simcache.settings import Settings, misnamed
from simcache.stores.base import Store, root_of
from simcache.stores.git import GitFailed, Place, Repository, lfs_is_there, place_of
from simcache.stores.lfs_objects import NO_LFS
from simcache.stores.registry import ASKED_WHEN_OPENED, open_store
from simcache.upkeep.contents import contents
from simcache.upkeep.listing import fields_of
from simcache.upkeep.report import Report

_SKEW = 120.0
"""Seconds by which two clocks may differ before their order of results can be wrong."""
_FILE_SKEW = 5.0
_UPGRADE = "install a newer simcache"


@dataclass(frozen=True, slots=True)
class Finding(Report):
    """One thing that was looked at."""

    kind: Literal["fine", "note", "problem"]
    about: str
    says: str
    mend: str = ""
    """The command that mends it."""


@dataclass(frozen=True, slots=True)
class DoctorReport(Report):
    """All that was looked at."""

    store: str
    findings: tuple[Finding, ...]

    @property
    def well(self) -> bool:
        return not any(finding.kind == "problem" for finding in self.findings)

    def to_json(self) -> Json:
        return {"well": self.well, **Report.to_json(self)}


def doctor(held: Settings, place: str | None = None, *, network: bool = True, now: float | None = None) -> DoctorReport:
    """Look at the store (that of the settings unless `place` names another), at how Git sees it, and at every remote."""
    store = held.store if place is None else place
    findings = list(_settings(held, place))
    near = _opened(store, "store", findings, mend="" if os.path.lexists(store) or place is not None else "simcache init")
    if near is not None:
        findings += _near(near, time.time() if now is None else now)
        if (root := root_of(near)) is not None:
            findings += _git(root, held)
    ours = set() if near is None else _entries_of(near)
    for name, url in sorted({**held.remotes, **{url: url for url in held.far if url not in held.remotes.values()}}.items()):
        said = misnamed(held, url)
        findings += [Finding("problem", f"remote {name}", said)] if said else _remote(ours, name, url, network=network)
    return DoctorReport(store, tuple(findings))


def _settings(held: Settings, place: str | None) -> Iterator[Finding]:
    if place is None and held.file is None and not os.environ.get("SIMCACHE_STORE"):
        yield Finding(
            "note",
            "settings",
            f"no simcache.toml above this folder: results go to {held.store}, which is this user's alone",
            "simcache init",
        )
    if not held.remotes:
        yield Finding("note", "settings", "no other store has a name, so there is nothing to share with", "simcache remote add NAME URL")
    if (variable := os.environ.get("SIMCACHE_STORE")) and held.file is not None:
        yield Finding(
            "note", "settings", f"SIMCACHE_STORE={variable} is used, not the store that {held.file} names", "unset SIMCACHE_STORE"
        )


def _opened(url: str, about: str, findings: list[Finding], *, mend: str) -> Store | None:
    """The store, or why it cannot be opened."""
    try:
        return open_store(url, create=False)
    except FormatTooNew as problem:
        findings.append(Finding("problem", about, str(problem), _UPGRADE))
    except NotAStore as problem:
        findings.append(Finding("problem", about, str(problem), mend))
    except Corrupt as problem:
        findings.append(Finding("problem", about, str(problem), f"simcache verify --repair --store {_shell(problem.name)}"))
    except CacheError as problem:
        findings.append(Finding("problem", about, str(problem)))
    return None


# the near store


def _near(near: Store, now: float) -> Iterator[Finding]:
    root = root_of(near)
    closed = None if root is None else _closed_to_writers(near, root)
    if closed is not None:
        yield closed
    try:
        pointers, ahead = _pointers(near), _from_the_future(near, now)
    except CacheError as problem:
        yield Finding("problem", "store", f"what it holds is not served: {problem}", "" if root is None else _opened_by(root))
        return
    if pointers:
        yield Finding(
            "problem",
            "store",
            f"of {_counted(pointers, 'blob', 'blobs')} only the Git LFS pointer is here: what needs it is computed again",
            "git lfs pull",
        )
    for host, seconds in sorted(ahead.items()):
        says = f"{host} made results {seconds / 60:.0f} min ahead of this machine's clock: which of two results is the first is not sure"
        yield Finding("problem", "clock", says, "timedatectl set-ntp true")
    if root is not None and abs(skew := _file_clock(root)) > _FILE_SKEW:
        says = f"the file server of {root} is {skew:.0f} s off this machine's clock: what is young may be taken for old"
        yield Finding("problem", "clock", says, "timedatectl set-ntp true")
    if not pointers and not ahead and closed is None:
        yield Finding("fine", "store", f"{near.url} can be read{'' if root is None else ' and written'}")


def _closed_to_writers(near: Store, root: str) -> Finding | None:
    """What keeps writers from their work, found by doing it: bytes are kept and deleted again; None if nothing does.

    They land in one of many folders, so of the others it is asked whether they may be written, and of the file with the locks.
    """
    reason, mend = "", _opened_by(root)
    try:
        near.delete(near.put_blob([f"simcache doctor {os.urandom(16).hex()}".encode()]).name)
    except StoreReadOnly as problem:
        reason = problem.reason
    except (CacheError, OSError) as problem:  # a disk that is full, a file where a folder should be
        reason, mend = str(problem), f"simcache prune --store {_shell(root)}"
    else:
        folders = (folder for top in (".local", "blobs", "entries") for folder, _, _ in os.walk(os.path.join(root, top)))
        needed = [os.path.join(root, ".local", "locks", name) for name in _names_in(os.path.join(root, ".local", "locks"))]
        closed = next((path for path in (*folders, *needed) if not os.access(path, os.W_OK)), None)
        reason = "" if closed is None else f"Permission denied: {closed}"
    says = f"{root} cannot be written: what is computed is not kept ({reason})"
    return Finding("problem", "store", says, mend) if reason else None


def _names_in(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _opened_by(root: str) -> str:
    """The command that lets this user read and write the whole store; where only somebody else may do that, one that names another store."""
    own = not hasattr(os, "geteuid") or os.stat(root).st_uid == os.geteuid()
    return f"chmod -R u+rwX {_shell(root)}" if own and not _only_read(root) else "export SIMCACHE_STORE=FOLDER"


def _only_read(root: str) -> bool:
    """Whether the file system is mounted read-only."""
    return hasattr(os, "statvfs") and bool(os.statvfs(root).f_flag & os.ST_RDONLY)


def _pointers(near: Store) -> int:
    held = contents(near)
    return sum(1 for _ in held.blobs()) - sum(1 for _ in held.blob_names())


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _from_the_future(near: Store, now: float) -> Mapping[str, float]:
    """By how much the results of each machine are ahead of this one's clock, where that is too much."""
    held = contents(near)
    limit = datetime.fromtimestamp(now, UTC) + timedelta(seconds=_SKEW)
    text = limit.strftime("%Y-%m-%dT%H:%M:%S")
    ahead: dict[str, float] = {}
    for names in held.entries():
        for name in names:
            fields = fields_of(held, name)
            if fields is not None and fields.at > text:
                with suppress(ValueError, TypeError):  # an entry may say any text, and this one is no time
                    seconds = (datetime.fromisoformat(fields.at) - limit).total_seconds() + _SKEW
                    ahead[fields.host] = max(seconds, ahead.get(fields.host, 0.0))
    return ahead


def _file_clock(root: str) -> float:
    """How far the clock that gives files their times is ahead of ours; 0 if no file can be written."""
    path = os.path.join(root, ".local", f"clock-{os.getpid()}")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            began = time.time()
            return os.stat(path).st_mtime - began
    except OSError:
        return 0.0
    finally:
        if os.path.exists(path):
            os.unlink(path)


# Git


def _git(root: str, held: Settings) -> list[Finding]:
    """How Git sees the store; nothing, where it lies in no work tree."""
    try:
        where = place_of(root)
    except NotAStore:
        return []
    meant = any(url.startswith("git+lfs:") for url in held.remotes.values())
    repository = Repository(where)
    try:
        found = [*_seen(repository, where, meant=meant), *_lfs(repository, where)]
    except GitFailed as problem:
        return [Finding("problem", "git", str(problem))]
    if not meant and held.remotes:  # it is shared in another way
        found = [Finding("note" if one.kind == "problem" else one.kind, one.about, one.says, one.mend) for one in found]
    return found or [Finding("fine", "git", f"{root} is seen by Git")]


def _seen(repository: Repository, where: Place, *, meant: bool) -> Iterator[Finding]:
    folder = where.prefix or "./"
    ignored = repository.ask("check-ignore", "--verbose", "--no-index", f"{where.prefix}entries/f/00/x.json", f"{where.prefix}blobs/00/x")
    if ignored:
        rule = ignored.splitlines()[0].partition("\t")[0]
        own = ".gitignore" if os.path.samefile(where.top, os.curdir) else os.path.join(where.top, ".gitignore")
        yield Finding(
            "problem",
            "git",
            f"the store is ignored by {rule}: `git add` leaves it out without a word",
            f"echo {_shell(f'!/{where.prefix}')} >> {_shell(own)}",
        )
    said = repository.attributes(f"{where.prefix}blobs/00/x"), repository.attributes(f"{where.prefix}entries/f/00/x.json")
    if any(one.get("text") != "unset" for one in said):
        says = "no attributes keep Git from changing line ends of the store's files, or have its blobs go by Git LFS"
        yield Finding("problem", "git", says, "simcache init --git")
    loose = repository.run("ls-files", "--others", "--exclude-standard", "-z", "--", f"{folder}entries").count(b"\0")
    if loose and not ignored:
        says = f"{_counted(loose, 'entry is', 'entries are')} not known to Git: nobody else gets them"
        yield Finding("problem", "git", says, "simcache sync --to git" if meant else f"git add {_shell(folder)} && git commit -m results")


def _lfs(repository: Repository, where: Place) -> Iterator[Finding]:
    if repository.attributes(f"{where.prefix}blobs/00/x").get("filter") != "lfs":
        return
    if not lfs_is_there(where.top):
        yield Finding("problem", "git-lfs", NO_LFS, "apt-get install git-lfs")
        return
    hooks = repository.ask("rev-parse", "--git-path", "hooks/pre-push")
    if not repository.ask("config", "filter.lfs.clean") or not os.path.exists(os.path.join(where.top, hooks)):
        says = "Git LFS is not set up in this clone: a checkout leaves pointers, and a push by hand sends pointers without their content"
        yield Finding("problem", "git-lfs", says, "git lfs install --local")


# the others


def _entries_of(near: Store) -> set[str] | None:
    """The names of the entries here; None if they cannot be listed, which is told of the store."""
    try:
        return {listed for names in contents(near).entries() for listed in names}
    except CacheError:
        return None


def _remote(ours: set[str] | None, name: str, url: str, *, network: bool) -> list[Finding]:
    """Whether a remote can be asked, and what the two sides lack of each other, where it is known what is here."""
    about = f"remote {name}"
    findings: list[Finding] = []
    if not network and url.partition(":")[0].lower() in ASKED_WHEN_OPENED:
        return [Finding("note", about, f"{url} was not asked")]
    far = _opened(url, about, findings, mend="" if url.startswith("git+lfs:") else f"simcache sync --to {_shell(name)}")
    if far is None or not network:
        return findings or [Finding("note", about, f"{url} was not asked")]
    try:
        far.refresh()
        theirs = set(far.names("entries/")).difference(far.unpublished("entries/"))
    except FormatTooNew as problem:
        return [Finding("problem", about, str(problem), _UPGRADE)]
    except (CacheError, OSError) as problem:
        mend = "git fetch" if isinstance(problem, GitFailed) else ""  # by hand Git asks for what is missing: a password, a key
        return [Finding("problem", about, f"it cannot be asked: {problem}", mend)]
    if ours is None:
        return [Finding("fine", about, f"{url} has {len(theirs):,} entries")]
    if missing := len(ours - theirs):
        findings.append(
            Finding("problem", about, f"it is stale: it lacks {missing:,} of the entries here", f"simcache sync --to {_shell(name)}")
        )
    if missing := len(theirs - ours):
        says = f"it has {_counted(missing, 'entry that is', 'entries that are')} not here"
        findings.append(Finding("problem", about, says, f"simcache sync --from {_shell(name)}"))
    return findings or [Finding("fine", about, f"{url} has the same {_counted(len(theirs), 'entry', 'entries')}")]


def _shell(text: str) -> str:
    from shlex import quote

    return quote(text)

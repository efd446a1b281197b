"""A Git repository as a place for names and bytes: one branch of one remote, read and written without a work tree."""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple
from weakref import finalize

from simcache.errors import NotAStore, Unavailable

_GIT = ("git", "-c", "core.quotePath=false")
_NO_LFS = ("-c", "filter.lfs.process=", "-c", "filter.lfs.clean=", "-c", "filter.lfs.required=false")
"""For a question that must be answered also where git-lfs is not installed any more."""
_NO_BRANCH = "couldn't find remote ref"
_LOST_RACE = ("fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref", "incorrect old value", "remote ref has changed")
_LOCKED = ("index.lock", "unable to lock", "cannot lock ref")
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE")
"""What Git tells its own hooks; a sync that a hook starts has a repository of its own to look at."""
_HOPELESS = (
    "denied",
    "authentication",
    "could not read username",
    "does not appear to be a git repository",
    "not found",
    "not installed",
    "declined",
)
_HINTS = ("hint:", "To ", "warning:")
_FILES = frozenset({"100644", "100755"})
_ASKED_AT_ONCE = 512
"""Objects that are asked for before the first is read: so many names never fill the pipe, which would leave both sides waiting."""
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~%+=@,/ -]+")


class GitFailed(Unavailable):
    """A Git command did not do what it was asked for; what it said stands in the reason."""

    def __init__(self, command: str, said: str) -> None:
        super().__init__(command, said, passes=not any(mark in said.lower() for mark in _HOPELESS))

    def __str__(self) -> str:
        return f"`{self.name}` failed: {self.reason}"


class LostRace(GitFailed):
    """Somebody else pushed in between, or holds a lock: look again, and try again."""


class Changed(NamedTuple):
    """A path that differs between two commits."""

    path: str
    kind: str
    """A for added, M, D, T as Git calls them."""
    object: str
    """What it is now."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a folder lies in its repository."""

    top: str
    """The work tree's uppermost folder."""
    git: str
    """Git's own folder of this work tree: HEAD and the index."""
    common: str
    """Git's own folder of the repository: objects, refs, configuration."""
    prefix: str
    """The folder's path below `top`, with a slash at its end; empty for `top` itself."""


def place_of(folder: str) -> Place:
    """The repository that a folder (which need not be there yet) lies in; NotAStore if it is in none."""
    there = os.path.realpath(folder)
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    try:
        said = _run(there, "rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir")
    except GitFailed as problem:
        whole = os.path.realpath(folder)
        where = "it is" if whole == os.path.abspath(folder) else f"it leads to {whole}, which is"
        raise NotAStore(
            folder, f"{where} in no Git work tree ({problem.reason}): make one with `git init`, or name a folder in one"
        ) from None
    top, git, common = said.decode().splitlines()
    prefix = os.path.relpath(os.path.realpath(folder), top).replace(os.sep, "/")
    return Place(top, git, os.path.normpath(os.path.join(there, common)), "" if prefix == "." else f"{prefix}/")


class Repository:
    """The commands that simcache asks of Git. None looks at or changes a file of the work tree, nor what a person has staged."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._reader: _Reader | None = None
        self._lock = Lock()

    def run(self, *command: str, stdin: bytes | None = None, variables: Mapping[str, str] | None = None) -> bytes:
        """What a command prints; GitFailed, or LostRace, if it fails."""
        return _run(self.place.top, *command, stdin=stdin, variables=variables)

    def ask(self, *command: str) -> str:
        """The one line that a command prints; empty if it fails, as Git does where the answer is no."""
        try:
            return self.run(*command).decode().strip()
        except GitFailed:
            return ""

    def read(self, oid: str) -> bytes:
        """The content of an object."""
        return self.read_all([oid])[0]

    def read_all(self, oids: Sequence[str]) -> list[bytes]:
        """The contents of some objects, asked for many at a time."""
        if not oids:
            return []
        with self._lock:
            if self._reader is None or self._reader.process_id != os.getpid():
                self._reader = _Reader(self.place.top)
            groups = (oids[start : start + _ASKED_AT_ONCE] for start in range(0, len(oids), _ASKED_AT_ONCE))
            return [data for group in groups for data in self._reader.read(group)]

    def fetch(self, remote: str, branch: str) -> str:
        """Bring what the remote has of a branch, and tell its tip; empty if there is no such branch."""
        tracking = f"refs/remotes/{remote}/{branch}"
        try:
            self.run("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", remote, f"+refs/heads/{branch}:{tracking}")  # fmt: skip
        except GitFailed as problem:
            if _NO_BRANCH in problem.reason:
                return ""
            raise
        return self.tip(remote, branch)

    def tip(self, remote: str, branch: str) -> str:
        """The last commit of the branch that was seen at the remote; empty if none was."""
        return self.ask("rev-parse", "--verify", "--quiet", f"refs/remotes/{remote}/{branch}^{{commit}}")

    def push(self, remote: str, commit: str, branch: str) -> None:
        """Have the remote's branch point to a commit that follows its tip; LostRace if the tip has moved on.

        Hooks of the user's are for the user's pushes; what the one of Git LFS would do has been done.
        """
        self.run("push", "--quiet", "--no-verify", remote, f"{commit}:refs/heads/{branch}")
        self.run("update-ref", f"refs/remotes/{remote}/{branch}", commit)

    def files(self, commit: str, *paths: str) -> dict[str, str]:
        """What lies below some paths of a commit, and its object; what is no regular file (a link, say) has none."""
        if not commit:
            return {}
        found = {}
        for line in self.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths).decode(errors="surrogateescape").split("\0")[:-1]:
            told, path = line.split("\t", 1)
            mode, _, oid = told.split(" ")
            found[path] = oid if mode in _FILES else ""
        return found

    def changed(self, old: str, new: str, *paths: str) -> list[Changed]:
        """The paths that differ between two commits (or trees)."""
        said = self.run("diff-tree", "-r", "-z", "--no-renames", old, new, "--", *paths).decode(errors="surrogateescape").split("\0")[:-1]
        return [Changed(path, told.split(" ")[4], told.split(" ")[3]) for told, path in zip(said[::2], said[1::2], strict=True)]

    def empty_tree(self) -> str:
        return self.run("hash-object", "-t", "tree", "-w", "--stdin", stdin=b"").decode().strip()

    def keep_files(self, paths: Sequence[str]) -> list[str]:
        """The content of some files as objects, to the byte."""
        said = self.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin="".join(f"{path}\n" for path in paths).encode())
        return said.decode().split()

    def commit(self, parents: Sequence[str], files: Iterable[tuple[str, bytes | str]], message: str) -> str:
        """A commit that adds some files to those of its first parent: bytes, or an object that is there. No branch points to it."""
        reference = f"refs/simcache/{os.getpid()}"
        lines = [f"commit {reference}\nmark :1\ncommitter {self._identity()}\n".encode(), _data(message.encode())]
        if parents:
            lines.append(f"from {parents[0]}\n".encode())
        lines += [f"merge {parent}\n".encode() for parent in parents[1:]]
        for path, content in files:
            name = _quoted(path)
            if isinstance(content, str):
                lines.append(f"M 100644 {content} {name}\n".encode("utf-8", "surrogateescape"))
            else:
                lines += [f"M 100644 inline {name}\n".encode("utf-8", "surrogateescape"), _data(content)]
        lines.append(b"get-mark :1\ndone\n")
        try:
            said = self.run("fast-import", "--quiet", "--force", "--done", "--depth=0", "--date-format=now", stdin=b"".join(lines))
        finally:
            self.ask("update-ref", "-d", reference)
        return said.decode().strip()

    def _identity(self) -> str:
        """Who commits: whom Git knows here; a machine that was never told commits all the same."""
        known = re.match(r"(.*<[^>]*>)", self.ask("var", "GIT_COMMITTER_IDENT"))
        return f"{known[1] if known else 'simcache <simcache@localhost>'} now"

    def stage(self, files: Iterable[tuple[str, str]]) -> None:
        """Have the index know these paths with these objects, and nothing else changed in it."""
        lines = b"".join(f"100644 {oid}\t{path}\0".encode("utf-8", "surrogateescape") for path, oid in files)
        self.run("update-index", "--add", "-z", "--index-info", stdin=lines)

    def stage_again(self, folder: str) -> list[str]:
        """Have the index forget the size and age of the files of a folder that look changed, so that Git looks at what they hold; which they are.

        A pointer that gave way to what it stands for, received or computed again, is no change, though its size is another.
        """
        asked = ("diff-files", "-z", "--no-renames", "--diff-filter=M", "--", f":(top,literal){folder}")
        said = _run(self.place.top, *asked, options=_NO_LFS).split(b"\0")[:-1]
        lines = [
            b"%b %b\t%b" % (told.split(b" ")[0][1:], told.split(b" ")[2], path) for told, path in zip(said[::2], said[1::2], strict=True)
        ]
        if lines:
            self.run("update-index", "-z", "--index-info", stdin=b"".join(b"%b\0" % line for line in lines))
        return [os.fsdecode(path) for path in said[1::2]]

    def attributes(self, path: str) -> dict[str, str]:
        """What .gitattributes of the work tree say of a path."""
        return _attributes(self.run("check-attr", "-z", "filter", "text", "--", path))

    def attributes_in(self, commit: str, path: str, scratch: str) -> dict[str, str]:
        """What those of a commit say; `scratch` is the name of a file that may be written."""
        if not commit:
            return {}
        aside = {"GIT_INDEX_FILE": scratch}
        try:
            self.run("read-tree", commit, variables=aside)
            return _attributes(self.run("check-attr", "-z", "--cached", "filter", "text", "--", path, variables=aside))
        finally:
            if os.path.exists(scratch):
                os.unlink(scratch)


class _Reader:
    """One `git cat-file` that answers question after question; it ends with its reader."""

    def __init__(self, top: str) -> None:
        self.process_id = os.getpid()
        self._process = process = subprocess.Popen(
            [*_GIT, "cat-file", "--batch"],
            cwd=top,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        finalize(self, _end, process, self.process_id)

    def read(self, oids: Sequence[str]) -> list[bytes]:
        asked, answered = self._process.stdin, self._process.stdout
        try:
            if asked is None or answered is None:
                raise BrokenPipeError("it has ended")
            asked.write("".join(f"{oid}\n" for oid in oids).encode())
            asked.flush()
        except OSError as problem:
            raise GitFailed("git cat-file", str(problem)) from problem
        contents, absent = [], ""
        for oid in oids:  # every answer is taken, or the next question would get this one's
            told = answered.readline().split()
            if len(told) != len(("oid", "type", "size")):
                absent = absent or oid
                continue
            contents.append(answered.read(int(told[2])))
            answered.read(1)
        if absent:
            raise GitFailed("git cat-file", f"the object {absent} is not there")
        return contents


def _end(process: "subprocess.Popen[bytes]", owner: int) -> None:
    if process.stdin is not None and process.stdout is not None and owner == os.getpid():  # a forked child holds no more than copies
        process.stdin.close()
        process.stdout.close()
        process.wait()


def _attributes(said: bytes) -> dict[str, str]:
    fields = said.decode(errors="surrogateescape").split("\0")[:-1]
    return dict(zip(fields[1::3], fields[2::3], strict=True))


def lfs_is_there(folder: str) -> bool:
    """Whether the program git-lfs can be run here."""
    try:
        _run(folder, "lfs", "version")
    except GitFailed:
        return False
    return True


def _run(
    folder: str, *command: str, stdin: bytes | None = None, variables: Mapping[str, str] | None = None, options: Sequence[str] = ()
) -> bytes:
    shown = f"git {' '.join(word for word in command[:2] if not word.startswith('-'))}"
    try:
        done = subprocess.run(
            [*_GIT, *options, *command],
            cwd=folder,
            env={**_environment(), **(variables or {})},
            input=stdin if stdin is not None else b"",
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise GitFailed(shown, "Git is not installed: see https://git-scm.com/downloads") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace") + done.stdout.decode(errors="replace")
        kind = LostRace if any(mark in said for mark in (*_LOST_RACE, *_LOCKED)) else GitFailed
        raise kind(shown, _gist(said) or f"exit code {done.returncode}")
    return done.stdout


def _environment() -> dict[str, str]:
    """Ours, in plain English, without questions on the terminal, and without what a hook would be told."""
    kept = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


def _gist(said: str) -> str:
    """What matters of what Git said, on one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(_HINTS)] or lines
    return " ".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in told[:3])


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _quoted(path: str) -> str:
    """A path as fast-import reads it; one with anything unusual in it stands in quotes."""
    if _PLAIN_PATH.fullmatch(path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

"""Setting a project up: its settings file, its store folder, and the names of its remotes; nothing of a user's is overwritten."""

import json
import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simcache.errors import BadSettings
from simcache.settings import FILE, load, located
from simcache.stores.git import GitFailed, Place, Repository, lfs_is_there, place_of
from simcache.stores.lfs import LFS_LINES, PLAIN_LINES
from simcache.stores.lfs_objects import NO_LFS
from simcache.stores.place import FORMAT_BYTES, FORMAT_FILE, check_place
from simcache.stores.registry import scheme_of
from simcache.upkeep.report import Report

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\s*\[")


@dataclass(frozen=True, slots=True)
class InitReport(Report):
    """What was made, and what was there already."""

    settings: str
    store: str
    made: tuple[str, ...]
    found: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What a person should know or do."""


@dataclass(frozen=True, slots=True)
class Remote(Report):
    """A store that has a name."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class RemotesReport(Report):
    """The names that hold here, and the file they stand in."""

    file: str | None
    remotes: tuple[Remote, ...]
    changed: str = ""
    """What was done about which name; empty for a mere look."""


def init(folder: str | os.PathLike[str] = ".", store: str | None = None, *, git: bool = False) -> InitReport:
    """Make the settings file of a folder and the store that it names; what is there stays as it is.

    With `git`, set the store up to be shared through Git too: attributes, the programs of Git LFS, a remote called git.
    """
    if store == "":
        raise BadSettings("store", "the path is empty; name a folder or a URL")
    base = Path(folder).absolute()
    made: list[str] = []
    found: list[str] = []
    held = load(base, {})
    if held.file is not None and Path(held.file).parent == base:
        found.append(held.file)
        settings, place = held.file, held.store
        if store is not None and located(store, base) != place:
            raise BadSettings(held.file, f"names the store {place} already: change it there, or leave --store out")
    else:
        settings, place = str(base / FILE), located(store or "store", base)
    is_folder = not scheme_of(place)
    where = _in_git(place, is_folder=is_folder) if git else None  # what can be refused is refused before anything is made
    if is_folder:
        check_place(place)
    if not found:
        line = f"store = {_quoted(store or 'store', f'{settings}: store')}\n"
        _write(Path(settings), f"# Where the results of this project's cached functions are kept.\n{line}")
        made.append(settings)
    if is_folder:
        _make_store(Path(place), made, found)
    notes = _share_by_git(base, place, where, made, found) if where is not None else []
    return InitReport(settings, place, tuple(made), tuple(found), tuple(notes))


def _in_git(place: str, *, is_folder: bool) -> Place:
    if not is_folder:
        raise BadSettings(place, "Git shares a store that is a folder: name one with --store")
    return place_of(place)


def _share_by_git(base: Path, place: str, where: Place, made: list[str], found: list[str]) -> list[str]:
    """Blobs go by Git LFS if it is here, else by plain Git; returns what is to be known or done."""
    repository = Repository(where)
    notes: list[str] = []
    by_lfs = lfs_is_there(where.top)
    file = Path(where.top, ".gitattributes")
    if repository.attributes(f"{where.prefix}blobs/00/0").get("text") == "unset":
        found.append(str(file))
        by_lfs = repository.attributes(f"{where.prefix}blobs/00/0").get("filter") == "lfs"
    else:
        _append(file, [_attribute(where.prefix, line) for line in (LFS_LINES if by_lfs else PLAIN_LINES)])
        made.append(str(file))
    if not lfs_is_there(where.top):
        notes.append(f"{NO_LFS}; until then blobs go by plain Git")
    elif by_lfs:
        try:
            repository.run("lfs", "install", "--local")
        except GitFailed as problem:
            notes.append(f"the hooks of Git LFS could not be set up, see `git lfs install --local` ({problem.reason})")
    held = load(base, {}).remotes
    if not any(url.startswith("git+lfs:") for url in held.values()) and "git" not in held:
        add_remote("git", f"git+lfs:{os.path.relpath(place, base)}", base)
        made.append("remote git")
    return notes


def _attribute(prefix: str, line: str) -> str:
    pattern, _, rest = line.partition(" ")
    whole = re.sub(r"[\[*?\\]", r"\\\g<0>", prefix) + pattern  # in a pattern these stand for other letters
    if re.search(r"[\s\"\\]", whole):
        whole = '"' + whole.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{whole} {rest}"


def _append(file: Path, lines: Sequence[str]) -> None:
    """Some more lines at the end of a file, with its own line ends; what stands there stays."""
    text = _read(file)
    newline = "\r\n" if "\r\n" in text else "\n"
    opening = text if not text or text.endswith("\n") else text + newline
    _write(file, opening + "".join(f"{line}{newline}" for line in lines))


def _make_store(place: Path, made: list[str], found: list[str]) -> None:
    marked = check_place(str(place))
    ignore = place / ".local" / ".gitignore"
    ignore.parent.mkdir(parents=True, exist_ok=True)
    if not ignore.exists():
        _write(ignore, "*\n")
    if marked:
        found.append(str(place))
    else:
        _write(place / FORMAT_FILE, FORMAT_BYTES.decode())
        made.append(str(place))


def remotes(folder: str | os.PathLike[str] = ".") -> RemotesReport:
    """The remotes that hold for a folder."""
    held = load(folder, {})
    return RemotesReport(held.file, tuple(Remote(name, url) for name, url in sorted(held.remotes.items())))


def add_remote(name: str, url: str, folder: str | os.PathLike[str] = ".") -> RemotesReport:
    """Give a store a name, in the settings file that holds for the folder; no other line of it changes."""
    if not _NAME.fullmatch(name):
        raise BadSettings(f"remote {name!r}", "a name has letters, digits, - and _ only")
    if not url:
        raise BadSettings(f"remote {name}", "its URL is empty: give a path or a URL")
    base = Path(folder).absolute()
    file = Path(load(base, {}).file or base / FILE)
    text = _read(file)
    table = _remotes_in(file, text)
    if table.get(name) is not None:
        raise BadSettings(str(file), f"has a remote {name} already, {table[name]}: remove it first with `simcache remote rm {name}`")
    whole = located(url, base)
    scheme_of(whole)  # a slip of the finger is told now
    scheme, path = ("git+lfs:", whole[8:]) if whole.startswith("git+lfs:") else ("", whole)
    written = url if whole == url else scheme + os.path.relpath(path, file.parent).replace(os.sep, "/")
    line = f"{name} = {_quoted(written, f'{file}: remotes.{name}')}"
    _replace(file, _with_line(file, text, line), {**table, name: written})
    return _changed(base, f"added {name} to {file}")


def remove_remote(name: str, folder: str | os.PathLike[str] = ".") -> RemotesReport:
    """Take a name back; the store that had it is not touched."""
    base = Path(folder).absolute()
    held = load(base, {})
    if held.file is None or name not in held.remotes:
        known = ", ".join(sorted(held.remotes)) or "none"
        raise BadSettings(held.file or str(base / FILE), f"has no remote {name!r}: there are {known}")
    file = Path(held.file)
    text = _read(file)
    table = _remotes_in(file, text)
    lines = text.splitlines(keepends=True)
    begin, end = _section(file, lines)
    its_line = re.compile(rf"""\s*(?:{re.escape(name)}|"{re.escape(name)}"|'{re.escape(name)}')\s*=""")
    kept = [line for place, line in enumerate(lines) if not (begin <= place < end and its_line.match(line))]
    _replace(file, "".join(kept), {other: url for other, url in table.items() if other != name})
    return _changed(base, f"removed {name} from {file}")


def _quoted(text: str, where: str) -> str:
    """A path or URL as TOML writes it; BadSettings if it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadSettings(
            where,
            f"{text} is no UTF-8, which settings are written in: name the place with SIMCACHE_STORE or --store, or give the folder another name",
        ) from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", r"\u007f")


def _changed(base: Path, said: str) -> RemotesReport:
    now = remotes(base)
    return RemotesReport(now.file, now.remotes, said)


def _header(file: Path) -> str:
    return "[remotes]" if file.name == FILE else "[tool.simcache.remotes]"


def _section(file: Path, lines: list[str]) -> tuple[int, int]:
    """Which lines stand below the header of the remotes; none if there is no such header."""
    wanted = _header(file)
    start = next((place + 1 for place, line in enumerate(lines) if line.partition("#")[0].replace(" ", "").strip() == wanted), None)
    if start is None:
        return len(lines), len(lines)
    return start, next((place for place in range(start, len(lines)) if _HEADER.match(lines[place])), len(lines))


def _with_line(file: Path, text: str, line: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    begin, end = _section(file, lines)
    if begin == len(lines) == end and not any(held.partition("#")[0].replace(" ", "").strip() == _header(file) for held in lines):
        return "".join([*lines, *([newline] if lines else []), _header(file), newline, line, newline])
    last = max((place + 1 for place in range(begin, end) if lines[place].strip()), default=begin)
    return "".join([*lines[:last], line, newline, *lines[last:]])


def _remotes_in(file: Path, text: str) -> dict[str, str]:
    content: dict[str, Any] = tomllib.loads(text)
    table = content if file.name == FILE else content.get("tool", {}).get("simcache", {})
    return dict(table.get("remotes", {}))


def _replace(file: Path, text: str, expected: dict[str, str]) -> None:
    """Write the file if the edit did what it should; one that is laid out in another way is left to its owner."""
    try:
        worked = _remotes_in(file, text) == expected
    except tomllib.TOMLDecodeError:
        worked = False
    if not worked:
        raise BadSettings(
            str(file), f"writes its remotes in a way that cannot be edited safely: change them by hand, one a line under {_header(file)}"
        )
    _write(file, text)


def _read(file: Path) -> str:
    """The text of a file; bytes that are no UTF-8, as a .gitattributes may have, come through as they are."""
    try:
        return file.read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""


def _write(file: Path, text: str) -> None:
    """The whole file or nothing, with line ends as they are."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        aside.write_bytes(text.encode(errors="surrogateescape"))
        if file.exists():
            aside.chmod(file.stat().st_mode)
        aside.replace(file)
    except OSError as problem:
        aside.unlink(missing_ok=True)
        raise BadSettings(str(file), f"cannot be written ({problem.strerror})") from None

"""Copies of stored files, laid out in the user's cache folder for programs that want a path; and which names may stand there."""

import json
import os
import shutil
import tempfile
import time
import unicodedata
from pathlib import Path
from typing import Final

from xxhash import xxh3_128

from simcache.named_tuple import NamedTuple

_PIECE: Final = 1 << 20
_LONGEST_NAME: Final = 255
_ABANDONED: Final = 24 * 3600.0
_NO_NAME: Final = frozenset('/\\:*?"<>|')
_DEVICES: Final = frozenset(["CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))])


class Member(NamedTuple):
    """A piece of a blob that becomes one file."""

    inside: str
    """The name within the folder; empty for a file that is all of the value, ending in `/` for an empty folder."""
    content: memoryview


def files_folder() -> Path:
    """Where stored files are laid out for this user: SIMCACHE_FILES, else under the user's cache folder."""
    if chosen := os.environ.get("SIMCACHE_FILES"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "simcache" / "files"


def laid_out(name: str, index: object, data: memoryview, members: list[Member]) -> Path:
    """The path where this content lies under this name: laid out if it is not there yet, or no longer as it was.

    `index` tells how a folder's blob is cut into members; None for a single file. OSError if it cannot be written.
    """
    hasher = xxh3_128(json.dumps([name, index]).encode())
    hasher.update(data)
    place = files_folder() / hasher.hexdigest()
    if _same(place / name, members):
        return place / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent, ignore_cleanup_errors=True) as made:
        _sweep(place.parent)
        new = Path(made, "new")
        _lay_out(new / name, members, is_folder=index is not None)
        try:
            new.rename(place)
        except OSError:  # something stands there: what another process has just laid out, or a copy that was changed
            if not _same(place / name, members):
                place.rename(Path(made, "old"))
                new.rename(place)
    return place / name


def _lay_out(path: Path, members: list[Member], *, is_folder: bool) -> None:
    path.parent.mkdir()
    if is_folder:
        path.mkdir()
    for inside, content in members:
        target = path / inside if inside else path
        if inside.endswith("/"):
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(content)


def _same(path: Path, members: list[Member]) -> bool:
    """Whether exactly this content lies there: a person may have changed the copy."""
    try:
        if members[:1] and not members[0].inside:
            return not path.is_symlink() and path.is_file() and _equal(path, members[0].content)
        names = [member.inside for member in members]
        return names_in(path) == names and all(_equal(path / inside, content) for inside, content in members if not inside.endswith("/"))
    except (OSError, ValueError):
        return False


def _equal(path: Path, content: memoryview) -> bool:
    if path.stat().st_size != content.nbytes:
        return False
    with path.open("rb") as file:
        return all(file.read(_PIECE) == bytes(content[start : start + _PIECE]) for start in range(0, content.nbytes, _PIECE))


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed while laying files out have left."""
    for left in folder.glob(".new-*"):
        try:
            abandoned = left.stat().st_mtime < time.time() - _ABANDONED
        except OSError:  # its owner has just removed it
            continue
        if abandoned:
            shutil.rmtree(left, ignore_errors=True)


def names_in(folder: Path) -> list[str]:
    """The names of all files in a folder, sorted; an empty folder counts as a name that ends in `/`."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {str(folder)!r}")
    names: list[str] = []
    todo = [""]
    while todo:
        inside = todo.pop()
        with os.scandir(folder / inside) as found:
            items = list(found)
        if inside and not items:
            names.append(f"{inside}/")
        for item in items:
            name = f"{inside}/{item.name}" if inside else item.name
            if item.is_dir(follow_symlinks=False):
                todo.append(name)
            elif item.is_file(follow_symlinks=False):
                names.append(name)
            else:
                raise ValueError(f"{name!r} in it is a link or a special file")
    return sorted(names)


def check_names(names: list[str]) -> None:
    """Refuse names that some system cannot hold, or takes for one another."""
    if len(set(names)) != len(names):
        raise ValueError("a name in it is there twice")
    spelled: dict[str, str] = {}
    for name in names:
        way = ""
        for part in name.removesuffix("/").split("/"):
            way = f"{way}/{checked_name(part)}"
            other = spelled.setdefault(unicodedata.normalize("NFC", way).casefold(), way)
            if other != way:
                raise ValueError(f"{other[1:]!r} and {way[1:]!r} in it differ only in case or accents, and would meet on other systems")


def checked_name(name: object) -> str:
    """A name of one file, as every system takes it; anything that could lead elsewhere is refused."""
    if not isinstance(name, str) or name in {"", ".", ".."} or name[-1] in ". ":
        raise ValueError(f"{name!r} is no name of a file that every system takes")
    if any(letter in _NO_NAME or unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
        raise ValueError(f"{name!r} has letters that not every system takes in the name of a file")
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME or name.partition(".")[0].rstrip().upper() in _DEVICES:
        raise ValueError(f"{name[:80]!r} is too long, or the name of a device on some systems")
    return name

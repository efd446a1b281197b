"""Files and folders as arguments and results: what counts is their content, not where they lie."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from xxhash import xxh3_128

from simcache.codecs.base import Codec, Encoded
from simcache.codecs.copies import Member, check_names, checked_name, laid_out, names_in
from simcache.errors import Undecodable, Unkeyable, Unstorable
from simcache.model import Json

_PIECE: Final = 1 << 20


class _Content:
    """What a path leads to; two are equal if their paths are."""

    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and type(other) is type(self) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


class File(_Content):
    """One file. As an argument its content is keyed, not its name; as a result its content is kept, and its name with it.

    A stored File comes back with a `path` of its own in the user's cache folder: copy it before changing it.
    """

    __slots__ = ()

    def __cache_key__(self) -> tuple[str, int]:
        try:
            return _fingerprint(self.path)
        except (OSError, ValueError) as problem:
            raise Unkeyable(repr(self), f"{problem}: give the path of a file that can be read") from problem


class Folder(_Content):
    """All files below a folder, by their names in it and their content; links and special files are refused.

    A stored Folder comes back with a `path` of its own in the user's cache folder: copy it before changing it.
    """

    __slots__ = ()

    def __cache_key__(self) -> tuple[tuple[str, str, int], ...]:
        try:
            names = names_in(self.path)
            return tuple((name, *(("", 0) if name.endswith("/") else _fingerprint(self.path / name))) for name in names)
        except (OSError, ValueError) as problem:
            raise Unkeyable(repr(self), f"{problem}: give the path of a folder of plain files that can be read") from problem


class FileCodec(Codec):
    """A file: the blob is its content, so `sha256sum` of the file is the blob's name. A folder: its files one after the other.

    The entry holds the name, and of a folder the sorted list of [name in it, size]; an empty folder in it ends in `/`.
    """

    name = "file"

    def takes(self, value: object) -> bool:
        return isinstance(value, File | Folder)

    def encode(self, value: Any, into: object = None) -> Encoded:
        del into
        if type(value) not in (File, Folder):
            raise Unstorable("value", f"codec='file' takes a File or a Folder, and this is a {type(value).__qualname__}")
        try:
            # Not resolve(): a link to a file gives its own name, and the content of what it points to.
            name = checked_name(Path(os.path.abspath(value.path)).name)
            if type(value) is File:
                return Encoded({"codec": self.name, "name": name}, [_content(value.path)])
            names = names_in(value.path)
            check_names(names)
            contents = [b"" if inside.endswith("/") else _content(value.path / inside) for inside in names]
        except (OSError, ValueError) as problem:
            raise Unstorable("value", f"{value!r}: {problem}") from problem
        index = [[inside, len(content)] for inside, content in zip(names, contents, strict=True)]
        return Encoded({"codec": self.name, "name": name, "folder": index}, [content for content in contents if content])

    def decode(self, describe: Json, data: memoryview, into: object = None) -> File | Folder:
        del into
        try:
            name = checked_name(describe.get("name"))
            index = describe.get("folder")
            members = [Member("", data)] if index is None else list(_members(index, data))
            path = laid_out(name, index, data, members)
        except (OSError, RuntimeError, ValueError) as problem:
            raise Undecodable(f"a file could not be laid out ({problem}): SIMCACHE_FILES names another folder for it") from problem
        return File(path) if index is None else Folder(path)


def _fingerprint(path: Path) -> tuple[str, int]:
    """The XXH3-128 and the size of a file's content."""
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    hasher, size = xxh3_128(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
            size += len(piece)
    return hasher.hexdigest(), size


def _content(path: Path) -> bytes:
    # Read whole, not mapped: a file that changes between hashing and storing would be kept under a wrong name.
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    return path.read_bytes()


def _members(index: object, data: memoryview) -> Iterator[Member]:
    """The files of a folder, cut from its blob; ValueError if the list is not what `encode` writes."""
    if type(index) is not list or any(type(item) is not list for item in index):
        raise ValueError("the list of files is damaged")
    names = [name for name, _ in index]  # ValueError for more or fewer than two
    sizes = [size for _, size in index]
    if any(type(name) is not str for name in names) or any(type(size) is not int or size < 0 for size in sizes):
        raise ValueError("the list of files is damaged")
    check_names(names)
    if names != sorted(names) or sum(sizes) != data.nbytes or any(size and name.endswith("/") for name, size in index):
        raise ValueError("the list of files does not match their content")
    offset = 0
    for name, size in index:
        yield Member(name, data[offset : offset + size])
        offset += size


CODEC: Final = FileCodec()

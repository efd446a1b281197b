"""Files and folders: keyed by content, stored whole, laid out again, and never outside their folder."""

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from simcache.codecs import registry
from simcache.codecs.base import Encoded
from simcache.codecs.copies import files_folder
from simcache.codecs.file import File, Folder
from simcache.errors import Undecodable, Unkeyable, Unstorable


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "laid-out"
    monkeypatch.setenv("SIMCACHE_FILES", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "results"
    (top / "sub" / "empty").mkdir(parents=True)
    (top / "a.txt").write_bytes(b"first")
    (top / "sub" / "ä b.bin").write_bytes(bytes(range(256)))
    (top / "none").write_bytes(b"")
    return top


def joined(encoded: Encoded) -> memoryview:
    return memoryview(b"".join(bytes(chunk) for chunk in encoded.chunks))


def contents(top: Path) -> dict[str, bytes | None]:
    return {path.relative_to(top).as_posix(): path.read_bytes() if path.is_file() else None for path in top.rglob("*")}


def test_a_file_comes_back(folder: Path, place: Path) -> None:
    """The blob is the file's content, so its SHA-256 is the file's; name and content come back, below the user's folder."""
    encoded = registry.encode(File(folder / "a.txt"))

    back = registry.decode(encoded.describe, joined(encoded))

    assert {"codec": "file", "name": "a.txt"} == encoded.describe
    assert hashlib.sha256((folder / "a.txt").read_bytes()).digest() == hashlib.sha256(joined(encoded)).digest()
    assert isinstance(back, File)
    assert ("a.txt", b"first") == (back.path.name, back.path.read_bytes())
    assert back.path.is_relative_to(place)
    assert b"first" == Path(back).read_bytes()


def test_a_folder_comes_back(folder: Path, place: Path) -> None:
    """All files, also empty ones, and empty folders."""
    encoded = registry.encode(Folder(folder))

    back = registry.decode(encoded.describe, joined(encoded))

    assert [["a.txt", 5], ["none", 0], ["sub/empty/", 0], ["sub/ä b.bin", 256]] == encoded.describe["folder"]
    assert isinstance(back, Folder)
    assert "results" == back.path.name
    assert contents(folder) == contents(back.path)
    assert back.path.is_relative_to(place)


def test_an_empty_folder_comes_back(tmp_path: Path) -> None:
    """Nothing at all is content too."""
    (tmp_path / "bare").mkdir()
    encoded = registry.encode(Folder(tmp_path / "bare"))

    back = registry.decode(encoded.describe, joined(encoded))

    assert [] == list(back.path.iterdir())


def test_laid_out_once(folder: Path) -> None:
    """The same content is laid out at one place, and not written again."""
    for value in (File(folder / "a.txt"), Folder(folder)):
        encoded = registry.encode(value)
        first = registry.decode(encoded.describe, joined(encoded))
        before = os.stat(first.path).st_mtime_ns
        again = registry.decode(encoded.describe, joined(encoded))

        assert first == again
        assert before == os.stat(again.path).st_mtime_ns


@pytest.mark.parametrize("harm", ["changed", "shorter", "gone", "added", "a folder", "a link"])
def test_a_changed_copy_is_mended(folder: Path, harm: str) -> None:
    """A copy that a person has changed is not served: it is laid out again."""
    for value, inside in ((File(folder / "a.txt"), ""), (Folder(folder), "a.txt")):
        encoded = registry.encode(value)
        top = registry.decode(encoded.describe, joined(encoded)).path
        target = top / inside if inside else top
        if harm == "changed":
            target.write_bytes(b"FIRST")
        elif harm == "shorter":
            target.write_bytes(b"fir")
        elif harm == "added":
            (target.parent / "more").write_bytes(b"x")
        else:
            target.unlink()
            if harm == "a folder":
                target.mkdir()
            if harm == "a link":
                target.symlink_to(folder / "a.txt")

        back = registry.decode(encoded.describe, joined(encoded))

        assert top == back.path
        assert b"first" == target.read_bytes()
        assert not target.is_symlink()
        if inside:
            assert contents(folder) == contents(back.path)


def test_many_at_once(folder: Path, place: Path) -> None:
    """Threads that lay out the same folder at one moment all get it whole, and leave nothing else behind."""
    encoded = registry.encode(Folder(folder))
    found: list[Any] = []

    def attempt() -> None:
        found.append(contents(registry.decode(encoded.describe, joined(encoded)).path))

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [contents(folder)] * 8 == found
    assert 1 == len(list(place.iterdir()))


def test_leftovers_are_swept(folder: Path, place: Path) -> None:
    """What a killed process left behind a day ago goes; what is being written now stays."""
    (place / ".new-old" / "new").mkdir(parents=True)
    (place / ".new-now").mkdir()
    os.utime(place / ".new-old", (time.time() - 200_000,) * 2)
    encoded = registry.encode(File(folder / "a.txt"))

    registry.decode(encoded.describe, joined(encoded))

    assert [".new-now"] == [left.name for left in place.glob(".new-*")]


NAMES: list[Any] = [
    "",
    ".",
    "..",
    "../x",
    "/etc/x",
    "a/b",
    "a\\b",
    "c:x",
    "a\0b",
    "x\n",
    "con",
    "NUL.txt",
    "dot.",
    "space ",
    "x" * 256,
    "\udcff",
    None,
    7,
    ["x"],
    {},
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
def test_hostile_names(name: object, place: Path, tmp_path: Path) -> None:
    """A name that could lead elsewhere, or that some system cannot hold, is Undecodable, and nothing is written."""
    before = contents(tmp_path)

    with pytest.raises(Undecodable):
        registry.decode({"codec": "file", "name": name}, memoryview(b"x"))
    if name != "a/b":
        with pytest.raises(Undecodable):
            registry.decode({"codec": "file", "name": "top", "folder": [[name, 1]]}, memoryview(b"x"))
    if isinstance(name, str):
        with pytest.raises(Undecodable):
            registry.decode(
                {"codec": "file", "name": "top", "folder": [[f"sub/{name}/x", 1]]}, memoryview(b"x")
            ) if name != "a/b" else registry.decode({"codec": "file", "name": name}, memoryview(b"x"))

    assert before == contents(tmp_path)


@pytest.mark.parametrize(
    "index",
    [
        [["a", 2]],
        [["a", -1], ["b", 2]],
        [["a", True]],
        [["b", 1], ["a", 0]],
        [["a", 0], ["a", 1]],
        [["A", 0], ["a", 1]],
        [["A/x", 0], ["a/y", 1]],
        [["a", 0], ["a/b", 1]],
        [["a/", 1]],
        [["a"]],
        [["a", 1, 1]],
        ["a"],
        {"a": 1},
        "a",
        5,
        [["a", 10**30]],
    ],
    ids=str,
)
def test_hostile_lists(index: object, place: Path) -> None:
    """A list of files that does not fit the data, or whose names meet, is Undecodable, and leaves nothing behind."""
    with pytest.raises(Undecodable):
        registry.decode({"codec": "file", "name": "top", "folder": index}, memoryview(b"x"))

    assert not place.exists() or [] == list(place.iterdir())


def test_what_cannot_be_stored(folder: Path, tmp_path: Path) -> None:
    """Missing files, links and names that not every system takes are refused, each by name."""
    (tmp_path / "what?").write_bytes(b"")
    (folder / "A.txt").write_bytes(b"")
    for value, message in (
        (File(tmp_path / "missing"), "there is no file .*missing"),
        (File(folder), "there is no file"),
        (Folder(folder / "a.txt"), "there is no folder"),
        (File(tmp_path / "what?"), "letters that not every system takes"),
        (Folder(folder), "'A.txt' and 'a.txt'|'a.txt' and 'A.txt'"),
        ([File(folder / "a.txt")], r"value\[0\] .*a File is stored only alone"),
    ):
        with pytest.raises(Unstorable, match=message):
            registry.encode(value)
    (folder / "A.txt").unlink()
    (folder / "link").symlink_to(folder / "a.txt")
    with pytest.raises(Unstorable, match="'link' in it is a link"):
        registry.encode(Folder(folder))


def test_key_is_content(folder: Path, tmp_path: Path) -> None:
    """A copy under another name is the same argument; one byte more is another."""
    other = tmp_path / "other"
    other.write_bytes(b"first")

    assert File(folder / "a.txt").__cache_key__() == File(other).__cache_key__()
    other.write_bytes(b"first!")
    assert File(folder / "a.txt").__cache_key__() != File(other).__cache_key__()


def test_key_of_a_folder(folder: Path, tmp_path: Path) -> None:
    """Names in the folder count, its own name does not."""
    before = Folder(folder).__cache_key__()
    moved = folder.rename(tmp_path / "moved")

    assert before == Folder(moved).__cache_key__()
    (moved / "a.txt").rename(moved / "b.txt")
    assert before != Folder(moved).__cache_key__()


def test_key_of_what_is_not_there(folder: Path) -> None:
    """A missing file cannot be keyed, and is named."""
    with pytest.raises(Unkeyable, match=r"File\('.*missing'\) cannot be part of a key: there is no file"):
        File(folder / "missing").__cache_key__()
    with pytest.raises(Unkeyable, match="there is no folder"):
        Folder(folder / "missing").__cache_key__()
    (folder / "pipe").symlink_to(folder / "a.txt")
    with pytest.raises(Unkeyable, match="'pipe' in it is a link"):
        Folder(folder).__cache_key__()


def test_where_copies_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SIMCACHE_FILES, else below XDG_CACHE_HOME if that is absolute, else below ~/.cache."""
    assert tmp_path / "laid-out" == files_folder()
    monkeypatch.delenv("SIMCACHE_FILES")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert tmp_path / "xdg" / "simcache" / "files" == files_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert Path.home() / ".cache" / "simcache" / "files" == files_folder()


def test_nowhere_to_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where copies cannot be written, the value cannot be decoded, and the message names the setting."""
    monkeypatch.setenv("SIMCACHE_FILES", str(folder / "a.txt"))
    encoded = registry.encode(File(folder / "a.txt"))

    with pytest.raises(Undecodable, match="SIMCACHE_FILES"):
        registry.decode(encoded.describe, joined(encoded))


def test_as_a_value(folder: Path) -> None:
    """Files compare by path and say which they are."""
    assert {File("a"), Folder("a")} == {File(Path("a")), Folder("a"), File("a")}
    assert "File('a')" == repr(File("a"))
    assert "Folder('a')" == repr(Folder("a"))
    assert File("a") != Folder("a")

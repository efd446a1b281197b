"""Every kind of store keeps the contract; and what only folders, layers and URLs promise."""

import errno
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcache.errors import BadSettings, CacheError, Corrupt, FormatTooNew, Missing, NotAStore, NotStored, StoreReadOnly, Unavailable
from simcache.model import Entry, blob_name, blob_of, check_name, digest_in_name, entry_prefix, folder_of
from simcache.stores import local, registry, unfinished
from simcache.stores.base import Listed, Store
from simcache.stores.layered import Layered
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.stores.registry import open_store
from tests.simcache import faulty
from tests.simcache.contract import (
    BACKDOORS,
    LARGE,
    UNTRIED,
    Backdoor,
    FolderBackdoor,
    StoreContract,
    a_blob,
    an_entry,
    an_entry_of,
    run_threads,
)

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX files")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a local store may be."""
    return tmp_path / "store"


class TestRegistered(StoreContract):
    """Every kind that the registry opens."""

    @pytest.fixture(params=sorted(BACKDOORS), ids=lambda scheme: scheme or "path")
    def backdoor(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backdoor:
        backdoor = BACKDOORS[request.param](tmp_path)
        for name, value in backdoor.environment.items():
            monkeypatch.setenv(name, value)
        return backdoor

    def test_a_store_is_its_own_layer(self, store: Store) -> None:
        """A plain store is asked alone."""
        assert (store,) == store.layers()

    def test_pickled_it_is_the_same_store(self, store: Store) -> None:
        """A store that travels by pickle within one machine's file systems (or one process) arrives as itself."""
        name, data = a_blob(b"travels")
        store.put(name, [data])

        assert data == bytes(pickle.loads(pickle.dumps(store)).get(name))


class TestLayeredContract(StoreContract):
    """A near store in front of a far one keeps the contract of the near one."""

    @pytest.fixture
    def backdoor(self, tmp_path: Path) -> Backdoor:
        return _LayeredBackdoor(tmp_path)


class TestFaultyContract(StoreContract):
    """The wrapper that tests use changes nothing where it has no fault."""

    @pytest.fixture
    def backdoor(self, tmp_path: Path) -> Backdoor:
        return _FaultyBackdoor(tmp_path)


class _LayeredBackdoor(FolderBackdoor):
    def open(self) -> Store:
        return Layered(super().open(), MemoryStore(), MemoryStore())


class _FaultyBackdoor(FolderBackdoor):
    def open(self) -> Store:
        return faulty.Faulty(super().open())


def test_every_kind_has_a_backdoor() -> None:
    """A kind that is registered is tested: it has its backdoor, or a reason why nothing real can stand for it."""
    assert set(registry.KINDS) == {*BACKDOORS, *UNTRIED}


class TestNames:
    """The forms of names."""

    @pytest.mark.parametrize("function", ["f", "a.b:c", "..", ".", "a/b\\c", "naïve", "x" * 500, "<lambda>", "a b", "C:\\x", "%2E", "f\0"])
    def test_every_function_has_a_name_that_is_taken(self, function: str) -> None:
        """Whatever a function is called, its entries have names of the right form, which no path can leave."""
        name, _ = an_entry(function, 1)

        assert digest_in_name(name)
        assert name.startswith(f"entries/{folder_of(function)}/")
        assert folder_of(function) not in (".", "..")
        assert len(folder_of(function)) <= 120

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_different_functions_have_different_folders(self, one: str, other: str) -> None:
        """No two functions share a folder."""
        assert (one == other) == (folder_of(one) == folder_of(other))


class TestPlace:
    """Which folders are stores."""

    def test_reading_makes_nothing(self, root: Path) -> None:
        """Opening and reading a place that is not there leaves it so."""
        store = LocalStore(root)
        list(store.list())
        store.has(a_blob(b"")[0])
        store.set_aside(a_blob(b"")[0])
        store.delete(a_blob(b"")[0])
        store.sweep()

        assert not root.exists()

    def test_first_write_makes_the_store(self, root: Path) -> None:
        """The first write makes the folder and its parents, the format file, and keeps local files out of Git."""
        name, data = a_blob(b"first")
        LocalStore(root / "deeper").put(name, [data])

        assert b'{"format": 1}\n' == (root / "deeper" / "simcache.json").read_bytes()
        assert b"*\n" == (root / "deeper" / ".local" / ".gitignore").read_bytes()
        assert ["", ".local", "blobs", "simcache.json"] == ["", *sorted(path.name for path in (root / "deeper").iterdir())]

    def test_a_checkout_without_empty_folders_is_a_store(self, root: Path) -> None:
        """Git keeps no empty folders: the format file alone is a valid store."""
        root.mkdir()
        (root / "simcache.json").write_text('{"format": 1}')
        store = LocalStore(root, create=False)

        assert [] == list(store.list())
        store.put(*_put(b"later"))
        assert 1 == len(list(store.list()))

    def test_a_partial_copy_is_a_store(self, root: Path) -> None:
        """Entries or blobs without the format file are a copy that left it out; the next write adds it."""
        name, data = a_blob(b"copied")
        FolderBackdoor(root.parent).write(name, data)
        (root / "README").write_text("somebody's note")
        store = LocalStore(root, create=False)

        assert data == bytes(store.get(name))
        store.put(*_put(b"more"))
        assert (root / "simcache.json").exists()

    def test_hidden_files_do_not_matter(self, root: Path) -> None:
        """A folder with nothing but hidden files may become a store."""
        root.mkdir()
        (root / ".gitattributes").write_text("blobs/** filter=lfs")

        LocalStore(root).put(*_put(b"x"))

    def test_a_folder_with_other_things_is_refused(self, root: Path) -> None:
        """A mistyped path does not fill somebody's folder: the message names what is in the way."""
        root.mkdir()
        (root / "thesis.tex").write_text("")
        with pytest.raises(NotAStore, match=r"thesis\.tex") as caught:
            LocalStore(root)

        assert str(root) == caught.value.store

    def test_a_file_is_refused(self, root: Path) -> None:
        """A file is no store."""
        root.write_text("")
        with pytest.raises(NotAStore, match="a file, not a folder"):
            LocalStore(root)

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", "{}", '{"format": "1"}', '{"format": true}', '{"format": 0}', "null", "\0" * 20, "[" * 5000]
    )
    def test_a_damaged_format_file_is_refused(self, root: Path, content: str) -> None:
        """A format file that tells nothing is refused, and the message shows what it should read."""
        root.mkdir()
        (root / "simcache.json").write_text(content)
        with pytest.raises(NotAStore, match=r'should read {"format": 1}'):
            LocalStore(root)

    def test_a_folder_for_the_format_file_is_refused(self, root: Path) -> None:
        """A folder in place of the format file is refused."""
        (root / "simcache.json").mkdir(parents=True)
        with pytest.raises(NotAStore, match="a folder stands where"):
            LocalStore(root)

    def test_a_newer_format_is_refused_with_its_version(self, root: Path) -> None:
        """A store of a newer simcache is not touched."""
        root.mkdir()
        (root / "simcache.json").write_text('{"format": 7, "also": []}')
        with pytest.raises(FormatTooNew) as caught:
            LocalStore(root)

        assert (str(root), 7, 1) == (caught.value.store, caught.value.found, caught.value.known)

    def test_a_store_that_became_newer_is_not_written(self, root: Path) -> None:
        """The format is read again before the first write, for another process may have made the store meanwhile."""
        store = LocalStore(root)
        root.mkdir()
        (root / "simcache.json").write_text('{"format": 2}')

        with pytest.raises(FormatTooNew):
            store.put(*_put(b"x"))
        assert not (root / "blobs").exists()

    @pytest.mark.parametrize("present", [False, True])
    def test_without_create_it_must_be_there(self, root: Path, present: bool) -> None:
        """A command that looks at a store says so when there is none."""
        if present:
            root.mkdir()
        with pytest.raises(NotAStore, match="nothing is there"):
            LocalStore(root, create=False)

    def test_a_store_that_is_removed_begins_anew(self, root: Path) -> None:
        """Nothing of the folder is remembered: after `rm -r` the next write makes it again, format file and all."""
        store = LocalStore(root)
        store.put(*_put(b"one"))
        subprocess.run(["rm", "-r", root], check=True)
        assert [] == list(store.list())
        store.put(*_put(b"two"), durable=True)

        assert [a_blob(b"two")[0]] == [name for name, _ in store.list()]
        assert {".local", "blobs", "simcache.json"} == {path.name for path in root.iterdir()}

    @pytest.mark.skipif(os.name == "nt", reason="links")
    @pytest.mark.parametrize("depth", [0, 1, 2])
    def test_a_link_to_nowhere_for_a_folder(self, root: Path, depth: int) -> None:
        """It may be a disk that is not there, so it stays; that it is a link, and which one, is said."""
        store = LocalStore(root)
        name, _ = _put(b"x")
        link = root / Path(*Path(name).parts[:depth])
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("nowhere")

        with pytest.raises(FileNotFoundError, match="a link that leads nowhere stands where a folder should be: mount") as caught:
            store.put(*_put(b"x"))
        assert str(link) == caught.value.filename
        assert link.is_symlink()

    def test_two_processes_make_one_store(self, root: Path) -> None:
        """Processes that create one store at the same moment all succeed."""
        program = (
            "import sys; from hashlib import sha256; from simcache.stores.local import LocalStore; from simcache.model import blob_name\n"
            "store = LocalStore(sys.argv[1]); data = sys.argv[2].encode(); sys.stdin.read(1)\n"
            "store.put(blob_name(sha256(data).hexdigest()), [data])"
        )
        children = [
            subprocess.Popen([sys.executable, "-c", program, root, str(number)], stdin=subprocess.PIPE, cwd=Path(__file__).parents[2])
            for number in range(4)
        ]
        for child in children:
            assert child.stdin is not None
            child.stdin.close()

        assert [0] * 4 == [child.wait() for child in children]
        assert {a_blob(str(number).encode())[0] for number in range(4)} == {name for name, _ in LocalStore(root, create=False).list()}

    def test_a_relative_path_stays_the_same_store(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A store that was named relatively stays where it was when the working directory changes."""
        monkeypatch.chdir(root.parent)
        store = open_store("store")
        monkeypatch.chdir("/")
        store.put(*_put(b"x"))

        assert (root / "simcache.json").exists()
        assert str(root) == store.url


class TestFolder:
    """What stands in the folder, and is not what should."""

    def test_large_bytes_are_mapped(self, root: Path) -> None:
        """Large bytes are a map of the file: nothing is read until it is looked at."""
        store = LocalStore(root)
        name, data = a_blob(b"l" * LARGE)
        store.put(name, [data])

        assert "mmap" in type(store.get(name).obj).__name__

    def test_many_maps_leave_descriptors_free(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before Python 3.13 a map holds its file open: beyond half of what the process may open, bytes are read instead."""
        store = LocalStore(root)
        name, data = a_blob(b"l" * LARGE)
        store.put(name, [data])
        monkeypatch.setattr(local, "_MAP_UP_TO", 0)
        got = store.get(name)

        assert "bytes" == type(got.obj).__name__
        assert got.readonly
        assert data == bytes(got)

    @pytest.mark.parametrize("left", [0, 1, 70_000])
    def test_a_file_that_shrinks_while_it_is_read(self, root: Path, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        """A file that is cut between its measuring and its reading gives what is left of it; the check tells."""
        store = LocalStore(root)
        blob = blob_of([b"s" * LARGE])
        store.put(blob.name, [b"s" * LARGE])
        measure = os.fstat

        def cut(file: int) -> os.stat_result:
            status = measure(file)
            os.truncate(root / blob.name, left)
            return status

        monkeypatch.setattr(os, "fstat", cut)
        got = store.get(blob.name)
        monkeypatch.undo()

        assert b"s" * left == bytes(got)
        with pytest.raises(Corrupt):
            blob.check(got)

    def test_a_folder_where_a_file_should_be(self, root: Path) -> None:
        """A folder under the name of a blob is damage: found by listing, told by get, set aside, and put over."""
        store = LocalStore(root)
        name, data = a_blob(b"folder")
        (root / name / "inside").mkdir(parents=True)

        assert [Listed(name, 0)] == list(store.list())
        assert not store.has(name)
        with pytest.raises(Corrupt):
            store.get(name)
        store.put(name, [data])
        assert data == bytes(store.get(name))
        (root / blob_name(sha256(b"2").hexdigest())).mkdir(parents=True)
        assert (aside := store.set_aside(a_blob(b"2")[0])) is not None
        assert Path(aside).is_dir()

    def test_delete_of_a_folder(self, root: Path) -> None:
        """Deleting a name frees it even if a folder stands there; what was in it is kept aside."""
        store = LocalStore(root)
        name, _ = a_blob(b"folder")
        (root / name / "inside").mkdir(parents=True)
        store.delete(name)

        assert [] == list(store.list())
        assert ["inside"] == [path.name for path in (root / ".local" / "quarantine").glob("*/*")]

    @pytest.mark.parametrize("name", ["blobs", "blobs/{ab}", "entries", "entries/f"])
    def test_a_file_where_a_folder_should_be(self, root: Path, name: str) -> None:
        """A file in place of a folder hides nothing else, is told as damage, and gives way to a write."""
        store = LocalStore(root)
        (blob, data), (entry, record) = a_blob(b"below"), an_entry("f", 1)
        stands = root / name.format(ab=blob[6:8])
        stands.parent.mkdir(parents=True, exist_ok=True)
        stands.write_text("in the way")
        hidden, visible = (blob, entry) if name.startswith("blobs") else (entry, blob)

        assert [] == list(store.list())
        assert not store.has(hidden)
        with pytest.raises(Corrupt):
            store.get(hidden)
        with pytest.raises(Missing):
            store.get(visible)
        store.put(blob, [data])
        store.put(entry, [record])
        assert {blob, entry} == {name for name, _ in store.list()}
        assert ["in the way"] == [path.read_text() for path in (root / ".local" / "quarantine").iterdir()]

    def test_set_aside_of_a_file_where_a_folder_should_be(self, root: Path) -> None:
        """Setting a name aside moves what is in its way, be it above."""
        store = LocalStore(root)
        root.mkdir()
        (root / "blobs").write_text("in the way")

        assert store.set_aside(a_blob(b"x")[0])
        assert not (root / "blobs").exists()

    @POSIX
    def test_a_pipe_does_not_hang_its_reader(self, root: Path) -> None:
        """A pipe where a blob should be is damage, and nobody waits for it."""
        store = LocalStore(root)
        name, data = a_blob(b"pipe")
        (root / name).parent.mkdir(parents=True)
        os.mkfifo(root / name)

        with pytest.raises(Corrupt):
            store.get(name)
        store.put(name, [data])
        assert data == bytes(store.get(name))

    @POSIX
    def test_links_are_read_and_never_written_through(self, root: Path, tmp_path: Path) -> None:
        """A link to good bytes is good; writing its name replaces the link, not what it points to."""
        store = LocalStore(root)
        name, data = a_blob(b"linked")
        target = tmp_path / "elsewhere"
        target.write_bytes(data)
        (root / name).parent.mkdir(parents=True)
        (root / name).symlink_to(target)

        assert data == bytes(store.get(name))
        assert [Listed(name, len(data))] == list(store.list())
        store.put(name, [data])
        assert not (root / name).is_symlink()
        store.delete(name)
        assert data == target.read_bytes()

    @POSIX
    def test_a_link_to_nowhere_is_missing(self, root: Path) -> None:
        """A link whose target is gone holds no bytes, is not listed, and gives way to a write."""
        store = LocalStore(root)
        name, data = a_blob(b"dangling")
        (root / name).parent.mkdir(parents=True)
        (root / name).symlink_to(root / "nowhere")

        assert [] == list(store.list())
        with pytest.raises(Missing):
            store.get(name)
        store.put(name, [data])
        assert data == (root / name).read_bytes()

    @POSIX
    def test_a_link_to_itself_is_damage(self, root: Path) -> None:
        """A link that leads to itself is told as damage and can be set aside."""
        store = LocalStore(root)
        name, _ = a_blob(b"loop")
        (root / name).parent.mkdir(parents=True)
        (root / name).symlink_to(root / name)

        with pytest.raises(Corrupt):
            store.get(name)
        assert store.set_aside(name)

    @POSIX
    def test_folders_may_be_links(self, root: Path, tmp_path: Path) -> None:
        """Blobs may live behind a link, as on a larger disk: they are listed, read and written there."""
        store = LocalStore(root)
        (tmp_path / "large").mkdir()
        root.mkdir()
        (root / "blobs").symlink_to(tmp_path / "large")
        name, data = a_blob(b"behind")
        store.put(name, [data])

        assert data == (tmp_path / "large" / name.removeprefix("blobs/")).read_bytes()
        assert [Listed(name, len(data))] == list(store.list())

    @POSIX
    def test_a_link_to_an_absent_folder_is_left_alone(self, root: Path, tmp_path: Path) -> None:
        """A link whose disk is not mounted is somebody's will: the write fails, and the link stays."""
        store = LocalStore(root)
        root.mkdir()
        (root / "blobs").symlink_to(tmp_path / "absent")

        with pytest.raises(FileNotFoundError, match="mount what it leads to"):
            store.put(*_put(b"x"))
        assert (root / "blobs").is_symlink()
        assert [] == _unfinished(root)

    @POSIX
    def test_a_file_that_is_adopted_is_not_written_again(self, root: Path, tmp_path: Path) -> None:
        """It gets a second name, and today's time, so that nobody prunes it before its entry is there."""
        name, data = a_blob(b"second name" * 1000)
        offered = tmp_path / "offered"
        offered.write_bytes(data)
        os.utime(offered, (0, 0))
        store = LocalStore(root)

        assert store.adopt(name, str(offered))
        assert offered.samefile(root / name)
        assert time.time() - (root / name).stat().st_mtime < 60
        store.put(name, [data])
        assert not offered.samefile(root / name)

    @POSIX
    @pytest.mark.parametrize("before", ["pointer", "folder", "itself"])
    def test_what_is_in_the_way_gives_way(self, root: Path, tmp_path: Path, before: str) -> None:
        """A pointer under the name, or damage, is no hindrance; and a file that has this name already keeps it."""
        name, data = a_blob(b"in the way" * 1000)
        offered = tmp_path / "offered"
        offered.write_bytes(data)
        (root / name).parent.mkdir(parents=True)
        if before == "folder":
            (root / name).mkdir()
        elif before == "pointer":
            (root / name).write_bytes(b"pointer")
        else:
            (root / name).hardlink_to(offered)

        assert LocalStore(root).adopt(name, str(offered))
        assert offered.samefile(root / name)
        assert [] == list((root / ".local" / "tmp").iterdir())

    def test_a_file_of_another_file_system_is_not_adopted(self, root: Path, tmp_path: Path) -> None:
        """A file cannot have names on two disks."""
        elsewhere = Path("/dev/shm")
        if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is no second file system here")
        name, data = a_blob(b"elsewhere" * 1000)
        with tempfile.NamedTemporaryFile(dir=elsewhere) as offered:
            offered.write(data)
            offered.flush()

            assert not LocalStore(root).adopt(name, offered.name)
        assert not (root / name).exists()

    @POSIX
    def test_a_store_that_is_removed_adopts_anew(self, root: Path, tmp_path: Path) -> None:
        """What is adopted into a folder that somebody has removed makes a store of it again."""
        names = [a_blob(b"one" * 2000), a_blob(b"two" * 2000)]
        store = LocalStore(root)
        for name, data in names:
            (tmp_path / "offered").write_bytes(data)
            assert store.adopt(name, str(tmp_path / "offered"))
            (tmp_path / "offered").unlink()
            if name == names[0][0]:
                shutil.rmtree(root)

        assert names[1][1] == bytes(LocalStore(root, create=False).get(names[1][0]))

    def test_files_that_are_none_of_ours_are_not_listed(self, root: Path) -> None:
        """What other programs drop into the folders is never taken for a blob or an entry."""
        store = LocalStore(root)
        name, data = a_blob(b"ours")
        store.put(name, [data])
        for other in (
            ".DS_Store",
            "blobs/.DS_Store",
            f"{name}.tmp",
            f"{name}~",
            "entries/x.json",
            "entries/f/ab/x.json",
            "blobs/zz/" + "0" * 64,
        ):
            FolderBackdoor(root.parent).write(other, b"")

        assert [Listed(name, len(data))] == list(store.list())

    def test_one_key_is_listed_by_one_folder(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Listing a key looks into its own folder alone, however many others there are."""
        store = LocalStore(root)
        name, data = an_entry("f", 1)
        for number in range(20):
            other, record = an_entry("f", number)
            store.put(other, [record])
        scanned: list[str] = []

        def noting(scan: Callable[[str], object]) -> Callable[[str], object]:
            def noted(path: str) -> object:
                scanned.append(path)
                return scan(path)

            return noted

        monkeypatch.setattr(os, "scandir", noting(os.scandir))
        monkeypatch.setattr(os, "listdir", noting(os.listdir))

        assert [Listed(name, len(data))] == list(store.list(name[: name.rindex(".", 0, -5) + 1]))
        assert [f"{root}/{name[: name.rindex('/') + 1]}"] == scanned


class TestStamp:
    """A token that stays while nothing changes."""

    def test_an_old_folder_has_a_stamp_that_stays(self, root: Path) -> None:
        """Once a folder has rested, its stamp is there and stays the same."""
        store, prefix = self._rested(root)

        assert store.stamp(prefix) is not None
        assert store.stamp(prefix) == store.stamp(prefix)

    def test_a_fresh_folder_has_none(self, root: Path) -> None:
        """A change in the same tick of the clock would not show, so a fresh folder has no stamp."""
        store = LocalStore(root)
        name, data = an_entry("f", 1)
        store.put(name, [data])

        assert store.stamp(name) is None

    def test_a_change_by_another_process_shows(self, root: Path) -> None:
        """Whoever changes the folder changes the stamp, even if its time is set back afterwards."""
        store, prefix = self._rested(root)
        before, folder = store.stamp(prefix), (root / prefix).parent
        times = folder.stat()
        (folder / "new").write_bytes(b"")
        os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))
        time.sleep(0.1)

        assert store.stamp(prefix) not in (before, None)

    @pytest.mark.parametrize(
        "prefix", ["", "b", "blobs", "blobs/", "entries", "entries/f", "entries/f/", "entries/f/ab/x/y", "entries/g/ab/"]
    )
    def test_no_stamp_for_many_folders_or_none(self, root: Path, prefix: str) -> None:
        """A prefix that spans folders, or lies in none, has no cheap stamp."""
        store, _ = self._rested(root)

        assert store.stamp(prefix) is None

    def _rested(self, root: Path) -> tuple[LocalStore, str]:
        store = LocalStore(root)
        _, entry = an_entry_of("f", "ab" * 16, 1)
        store.put(entry.name, [entry.to_bytes()])
        time.sleep(0.1)
        return store, entry_prefix("f", "ab" * 16)


class TestQuarantine:
    """Damaged things are kept to be looked at, but not without end."""

    def test_what_is_set_aside_can_be_looked_at(self, root: Path) -> None:
        """The damaged bytes lie where the answer says, numbered, under their own name."""
        store = LocalStore(root)
        name, data = a_blob(b"fine")
        for bad in (b"bad", b"worse"):
            store.put(name, [data])
            FolderBackdoor(root.parent).write(name, bad)
            aside = store.set_aside(name)

            assert aside is not None
            assert bad == Path(aside).read_bytes()
            assert Path(aside).name.startswith(name.rpartition("/")[2])
        assert 2 == len(list((root / ".local" / "quarantine").iterdir()))

    def test_the_oldest_give_way(self, root: Path) -> None:
        """A disk that goes bad does not fill itself with quarantine: the newest 32 stay."""
        store = LocalStore(root)
        (root / ".local" / "quarantine" / "somebody's").mkdir(parents=True)
        for number in range(40):
            name, _ = a_blob(str(number).encode())
            if number % 5:
                FolderBackdoor(root.parent).write(name, str(number).encode())
            else:
                (root / name / "folder").mkdir(parents=True)
            store.set_aside(name)
        kept = [path for path in (root / ".local" / "quarantine").iterdir() if path.name != "somebody's"]

        assert set(range(8, 40)) == {int(path.suffix[1:]) for path in kept}
        assert "39" == next(path for path in kept if path.suffix == ".39").read_text()


class TestUnfinished:
    """Nothing half-written is ever seen, and what the dead leave is swept."""

    def test_leftovers_of_the_dead_are_swept_by_the_first_put(self, root: Path) -> None:
        """A new process's first write clears what killed writers left; a store is not filled by kills."""
        tmp = root / ".local" / "tmp"
        tmp.mkdir(parents=True)
        (tmp / "1-dead-0").write_bytes(b"x" * 1000)
        LocalStore(root).put(*_put(b"x"))

        assert [] == _unfinished(root)

    def test_sweep_counts(self, root: Path) -> None:
        """A sweep says how many files it removed, and leaves folders alone."""
        tmp = root / ".local" / "tmp"
        (tmp / "folder").mkdir(parents=True)
        (tmp / "a").write_bytes(b"")
        (tmp / "b").write_bytes(b"")

        assert 2 == LocalStore(root).sweep()
        assert ["folder"] == _unfinished(root)

    @POSIX
    def test_a_living_writer_is_not_swept(self, root: Path) -> None:
        """A sweep passes over the file of a writer that lives, in this process or another."""
        writing, go_on = threading.Event(), threading.Event()
        tmp = root / ".local" / "tmp"
        tmp.mkdir(parents=True)

        def move(path: str) -> bool:
            writing.set()
            go_on.wait(10)
            Path(path).rename(root / "moved")
            return True

        writer = threading.Thread(target=lambda: unfinished.write_whole(str(tmp), [memoryview(b"x")], move, durable=False))
        writer.start()
        writing.wait(10)
        swept = LocalStore(root).sweep()
        go_on.set()
        writer.join()

        assert 0 == swept
        assert b"x" == (root / "moved").read_bytes()

    @POSIX
    @pytest.mark.parametrize("moment", ["before the lock", "after the lock"])
    def test_a_writer_that_was_swept_writes_again(self, root: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
        """A file that a sweeper takes before its writer could lock it is written once more."""
        store = LocalStore(root)
        store.put(*_put(b"prepared"))
        take = unfinished._take
        swept: list[str] = []

        def taken(held: int) -> bool:
            if not swept and moment == "before the lock":
                swept.append(f"{store.sweep()} by a sweeper")
                return take(held)
            locked = take(held)
            if not swept:
                for path in (root / ".local" / "tmp").iterdir():
                    swept.append(path.name)
                    path.unlink()
            return locked

        monkeypatch.setattr(unfinished, "_take", taken)
        name, data = a_blob(b"swept")
        store.put(name, [data])

        assert data == bytes(store.get(name))
        assert 1 == len(swept)
        assert [] == _unfinished(root)

    @pytest.mark.parametrize("most", [1, 7, 1000])
    def test_partial_writes_are_carried_on(self, root: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        """A system that takes a few bytes at a time gets them all, in order."""
        store = LocalStore(root)
        write, writev = os.write, getattr(os, "writev", None)
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:most]))
        if writev is not None:
            monkeypatch.setattr(os, "writev", lambda file, views: write(file, b"".join(views)[:most]))
        chunks = [b"%d," % number for number in range(500)]
        name, data = a_blob(b"".join(chunks))
        store.put(name, chunks)
        store.put(*_put(b"one chunk"))

        assert data == bytes(store.get(name))
        assert b"one chunk" == bytes(store.get(a_blob(b"one chunk")[0]))

    @POSIX
    @pytest.mark.parametrize("call", ["open", "write", "fsync", "replace", "mkdir"])
    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
    def test_a_write_that_fails_leaves_nothing(self, root: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
        """A full, read-only or broken disk: the right error, nothing under the name, nothing unfinished, and later it works."""
        store = LocalStore(root)
        store.put(*_put(b"prepared"))
        name, data = an_entry("f", 1)
        sound = getattr(os, call)

        def failing(*arguments: object, **named: object) -> object:
            if call == "open" and not arguments[1] & os.O_CREAT:  # type: ignore[operator]
                return sound(*arguments, **named)
            raise OSError(code, os.strerror(code), "somewhere")

        monkeypatch.setattr(os, call, failing)
        with pytest.raises((OSError, StoreReadOnly)) as caught:
            store.put(name, [data], durable=True)
        monkeypatch.undo()

        assert (code in (errno.EROFS, errno.EACCES)) == isinstance(caught.value, StoreReadOnly)
        assert os.strerror(code) in str(caught.value)
        assert not store.has(name)
        assert [] == _unfinished(root)
        store.put(name, [data], durable=True)
        assert data == bytes(store.get(name))

    @POSIX
    def test_a_fork_while_a_thread_first_writes(self, root: Path) -> None:
        """A child that is forked while a thread begins to write to one store can write to another: it waits for no lock of that thread."""
        program = (
            "import os, signal, sys, threading\n"
            "from simcache.stores import writer\n"
            "from simcache.stores.local import LocalStore\n"
            "begun, sound, root, name = threading.Event(), writer.Writer.__init__, sys.argv[1], sys.argv[2]\n"
            "def begin(self, *given):\n"
            "    sound(self, *given)\n"
            "    if threading.current_thread() is not threading.main_thread():\n"
            "        begun.set()\n"
            "        threading.Event().wait()\n"
            "writer.Writer.__init__ = begin\n"
            "threading.Thread(target=lambda: LocalStore(root + '/one').put(name, [b'x']), daemon=True).start()\n"
            "begun.wait()\n"
            "child = os.fork()\n"
            "if not child:\n"
            "    signal.alarm(20)\n"
            "    LocalStore(root + '/two').put(name, [b'x'])\n"
            "    os._exit(0)\n"
            "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
        )
        name = a_blob(b"x")[0]
        subprocess.run([sys.executable, "-c", program, root, name], cwd=Path(__file__).parents[2], check=True, timeout=30)

        assert b"x" == bytes(LocalStore(root / "two").get(name))

    @POSIX
    def test_a_really_full_disk(self, root: Path) -> None:
        """A process that may not write such large files gets an OSError and leaves nothing (no stand-in: the system's own limit)."""
        program = (
            "import resource, signal, sys; sys.dont_write_bytecode = True; from simcache.stores.local import LocalStore\n"
            "store = LocalStore(sys.argv[1]); store.put(sys.argv[2], [b'x' * 10])\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
            "try:\n    store.put(sys.argv[3], [b'x' * 10000] * 3)\nexcept OSError as problem:\n    print(problem.errno)"
        )
        small, large = a_blob(b"x" * 10)[0], a_blob(b"x" * 30_000)[0]
        told = subprocess.run(
            [sys.executable, "-c", program, root, small, large], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
        )

        assert f"{errno.EFBIG}\n" == told.stdout
        assert [Listed(small, 10)] == list(LocalStore(root).list())
        assert [] == _unfinished(root)

    def test_durable_syncs_the_file_before_its_name_and_the_folders_after(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """`durable` means: bytes, then name, then folder; folders above it only as long as this process has not seen them there."""
        store = LocalStore(root)
        store.put(*_put(b"prepared"), durable=True)
        done: list[str] = []
        sync, replace = os.fsync, os.replace

        def noting_sync(file: int) -> None:
            sync(file)
            done.append("fsync")

        def noting_replace(old: str, new: str) -> None:
            replace(old, new)
            done.append("replace")

        monkeypatch.setattr(os, "fsync", noting_sync)
        monkeypatch.setattr(os, "replace", noting_replace)
        name, data = an_entry("f", 1)
        store.put(name, [data], durable=True)
        new_folders, done[:] = done[:], []
        store.put(name, [data], durable=True)
        known_folder, done[:] = done[:], []
        store.put(name, [data])

        # A new folder: its own names, those of the two above it, and of the store's, which is known.
        assert ["fsync", "replace", "fsync", "fsync", "fsync", "fsync"] == new_folders
        assert ["fsync", "replace", "fsync"] == known_folder
        assert ["replace"] == done


@POSIX
class TestPermissions:
    """Files that this user may not touch, tried in a child without the privileges of root."""

    def test_unreadable_bytes_are_unavailable(self, root: Path) -> None:
        """Bytes that may not be read are there, but not for us: the reason is told, and nothing is set aside."""
        name, data = a_blob(b"secret")
        LocalStore(root).put(name, [data])
        (root / name).chmod(0)

        assert [f"Unavailable: {name} is not available: {root / name} cannot be read (Permission denied)"] == _unprivileged(
            root, f"store.get({name!r})"
        )

    def test_a_folder_that_cannot_be_listed_is_told(self, root: Path) -> None:
        """A listing does not silently leave things out: prune would take what they need for garbage."""
        name, data = an_entry("f", 1)
        LocalStore(root).put(name, [data])
        (root / "entries" / "f").chmod(0o100)
        told = _unprivileged(root, "list(store.list())")
        (root / "entries" / "f").chmod(0o700)

        assert [f"Unavailable: {root}/entries/f/ is not available: the folder cannot be listed (Permission denied)"] == told

    def test_a_store_without_permission_to_write_is_read_only(self, root: Path) -> None:
        """A folder that may only be read serves what it has, and says that it takes no more."""
        name, data = a_blob(b"here")
        LocalStore(root).put(name, [data])
        folders = [root, root / ".local", root / ".local" / "tmp", root / "blobs", (root / name).parent]
        for folder in folders:
            folder.chmod(0o500)
        told = _unprivileged(
            root,
            f"print(bytes(store.get({name!r})))",
            f"store.put({name!r}, [b''])",
            f"store.delete({name!r})",
            f"print(store.set_aside({name!r}))",
        )
        for folder in folders:
            folder.chmod(0o700)

        assert ["b'here'", "StoreReadOnly", "StoreReadOnly", "None"] == [line.partition(":")[0] for line in told]
        assert all("Permission denied" in line for line in told[1:3])

    def test_a_store_that_cannot_be_read_at_all(self, root: Path) -> None:
        """A store whose folder is closed is unavailable, with the reason."""
        LocalStore(root).put(*_put(b"x"))
        root.chmod(0)
        told = _unprivileged(root)
        root.chmod(0o700)

        assert [f"Unavailable: {root} is not available: its simcache.json cannot be read (Permission denied)"] == told


@POSIX
class TestSpecification:
    """docs/spec/store-format.md, which a stranger reads."""

    def test_a_stranger_can_check_a_store(self, root: Path) -> None:
        """The commands of the page say nothing of a sound store, and name what is damaged."""
        page = (Path(__file__).parents[2] / "docs" / "spec" / "store-format.md").read_text()
        commands = re.findall(r"```console\n\$ (.*?)\n```", page)
        backdoor = FolderBackdoor(root.parent)
        names = []
        for name, data in (a_blob(b""), a_blob(b"x" * LARGE), an_entry("a.b:<lambda>", 1), an_entry("f", 2)):
            LocalStore(root).put(name, [data])
            names.append(name)
        sound = [
            subprocess.run(["bash", "-c", command], cwd=root.parent, capture_output=True, text=True, check=False) for command in commands
        ]
        for name in names[1:3]:
            backdoor.write(name, b"damaged")
        damaged = [
            subprocess.run(["bash", "-c", command], cwd=root.parent, capture_output=True, text=True, check=False) for command in commands
        ]

        assert 2 == len(commands)
        assert [("", "")] * 2 == [(told.stdout, told.stderr) for told in sound]
        assert [f"{names[1].removeprefix('blobs/')}: FAILED\n", f"{names[2].removeprefix('entries/')} is damaged\n"] == [
            told.stdout for told in damaged
        ]


class TestDamage:
    """No damage to a file makes a store give wrong bytes or fail in an unknown way."""

    @settings(deadline=None, max_examples=80)
    @given(data=st.data())
    def test_any_damage_is_found(self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
        """Overwritten, cut, lengthened, emptied, swapped, removed, or a folder in its place: the right bytes, or Corrupt or Missing."""
        self._damage_and_check(tmp_path_factory.mktemp("damage"), data)

    @pytest.mark.deep
    @settings(deadline=None, max_examples=1000)
    @given(data=st.data())
    def test_much_more_damage_is_found(self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
        """The same, many times over."""
        self._damage_and_check(tmp_path_factory.mktemp("damage"), data)

    def _damage_and_check(self, folder: Path, data: st.DataObject) -> None:
        store = LocalStore(folder / "store")
        payloads = [b"first", b"", bytes(range(256)) * 300]
        blobs = [blob_of([payload]) for payload in payloads]
        entries = [an_entry_of("f", "ab" * 16, number, tuple(blobs))[1] for number in range(2)]
        for blob, payload in zip(blobs, payloads, strict=True):
            store.put(blob.name, [payload])
        for entry in entries:
            store.put(entry.name, [entry.to_bytes()])
        names = [blob.name for blob in blobs] + [entry.name for entry in entries]
        for _ in range(data.draw(st.integers(1, 4))):
            _damage(folder / "store", data, data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names)))

        store = LocalStore(folder / "store")
        for listed in store.list():
            assert listed.name in names
        for blob, payload in zip(blobs, payloads, strict=True):
            try:
                got = store.get(blob.name)
                blob.check(got)
                check_name(blob.name, got)
                assert payload == bytes(got)
            except (Corrupt, Missing):
                store.set_aside(blob.name)
            store.put(blob.name, [payload])
            assert payload == bytes(store.get(blob.name))
        for entry in entries:
            try:
                assert entry == Entry.from_bytes(entry.name, store.get(entry.name))
            except (Corrupt, Missing):
                store.set_aside(entry.name)
            store.put(entry.name, [entry.to_bytes()])
            assert entry == Entry.from_bytes(entry.name, store.get(entry.name))
        assert sorted(names) == sorted(name for name, _ in store.list())


class TestMemory:
    """Only in memory."""

    def test_one_name_is_one_store(self, tmp_path: Path) -> None:
        """Every user of a name in this process has the same store; other names are others."""
        name, data = a_blob(b"shared")
        open_store(f"memory://{tmp_path}").put(name, [data])

        assert data == bytes(open_store(f"memory://{tmp_path}").get(name))
        assert not open_store(f"memory://{tmp_path}/other").has(name)

    def test_without_a_name_it_is_alone(self) -> None:
        """A store without a name shares with no other, yet its URL leads to it while it lives."""
        one, other = MemoryStore(), MemoryStore()
        one.put(*_put(b"mine"))

        assert one.url != other.url
        assert [] == list(other.list())
        assert 1 == len(list(open_store(one.url).list()))

    def test_quarantine_is_bounded(self) -> None:
        """Memory is not filled with damaged things either."""
        store = MemoryStore()
        for number in range(40):
            store.put(*_put(str(number).encode()))
            store.set_aside(a_blob(str(number).encode())[0])

        assert 32 == len(store._kept.quarantine)

    def test_listing_while_others_write(self) -> None:
        """A listing goes on undisturbed while names come and go."""
        store = MemoryStore()
        for number in range(300):
            store.put(*_put(str(number).encode()))

        def work() -> None:
            for _ in range(20):
                name, data = a_blob(os.urandom(8))
                store.put(name, [data])
                assert 300 <= sum(1 for _ in store.list())
                store.delete(name)

        run_threads(work, 8)
        assert 300 == len(list(store.list()))


class TestLayered:
    """Near, then far: checked, then kept near."""

    def test_far_bytes_are_kept_near(self) -> None:
        """What was found far is near the next time, and the far store is not asked again."""
        near, far = MemoryStore(), faulty.Faulty(MemoryStore())
        name, data = a_blob(b"far")
        far.store.put(name, [data])
        store = Layered(near, far)

        assert data == bytes(store.get(name))
        assert data == bytes(near.get(name))
        assert data == bytes(store.get(name))
        assert 1 == far.asked("get")

    def test_near_is_asked_first(self) -> None:
        """What is near costs no far call."""
        near, far = MemoryStore(), faulty.Faulty(MemoryStore())
        near.put(*_put(b"near"))
        Layered(near, far).get(a_blob(b"near")[0])

        assert [] == far.log

    @pytest.mark.parametrize("fault", [faulty.wrong_bytes, faulty.short, faulty.offline])
    def test_a_bad_far_store_is_passed_over(self, fault: "faulty.Wrap") -> None:
        """A far store that lies or is down costs nothing but the way to the next one."""
        near, bad, good = MemoryStore(), MemoryStore(), MemoryStore()
        name, data = a_blob(b"somewhere")
        bad.put(name, [data])
        good.put(name, [data])

        assert data == bytes(Layered(near, fault(bad), good).get(name))
        assert data == bytes(near.get(name))

    def test_wrong_bytes_from_far_are_never_kept(self) -> None:
        """If only wrong bytes are to be had the error says which store gave them, and the near store stays clean."""
        near, bad = MemoryStore(), MemoryStore()
        name, data = a_blob(b"somewhere")
        bad.put(name, [data])
        with pytest.raises(Corrupt) as caught:
            Layered(near, faulty.wrong_bytes(bad), MemoryStore()).get(name)

        assert bad.url in str(caught.value)
        assert [] == list(near.list())

    def test_the_error_names_every_store_that_failed(self) -> None:
        """Damage here and a network down there: both are told, and since the bytes may be there, it is no miss."""
        near, bad, down = MemoryStore(), MemoryStore(), MemoryStore()
        name, data = a_blob(b"somewhere")
        bad.put(name, [data])
        with pytest.raises(Unavailable) as caught:
            Layered(near, faulty.wrong_bytes(bad), faulty.offline(down)).get(name)

        assert bad.url in str(caught.value)
        assert f"in {down.url}: the network is down" in str(caught.value)

    def test_nowhere_is_missing(self) -> None:
        """A name that no store has is missing."""
        with pytest.raises(Missing):
            Layered(MemoryStore(), MemoryStore()).get(a_blob(b"x")[0])

    def test_connection_errors_are_unavailable(self) -> None:
        """A far store that raises what networks raise is unavailable, not a crash."""
        far = faulty.Faulty(MemoryStore(), faulty.Fault(error=lambda *_: ConnectionResetError("cut")))
        store = Layered(MemoryStore(), far)

        with pytest.raises(Unavailable, match="cut"):
            store.get(a_blob(b"x")[0])
        assert not store.has(a_blob(b"x")[0])

    def test_damage_near_is_mended_from_far(self, root: Path) -> None:
        """Something that is no file near is set aside, and the bytes come from far."""
        near, far = LocalStore(root), MemoryStore()
        name, data = a_blob(b"mended")
        (root / name).mkdir(parents=True)
        far.put(name, [data])

        assert data == bytes(Layered(near, far).get(name))
        assert data == (root / name).read_bytes()

    @pytest.mark.parametrize("fault", [faulty.full, faulty.read_only])
    def test_a_near_store_that_takes_nothing_still_serves(self, fault: "faulty.Wrap") -> None:
        """A near store that is full or read-only costs one warning, not the result."""
        near, far = fault(MemoryStore()), MemoryStore()
        for number in range(3):
            far.put(*_put(str(number).encode()))
        store = Layered(near, far)
        with pytest.warns(NotStored, match="could not be kept near") as told:
            got = [bytes(store.get(a_blob(str(number).encode())[0])) for number in range(3)]

        assert [b"0", b"1", b"2"] == got
        assert 1 == len(told)

    def test_entries_of_strangers_are_not_kept_as_ours(self) -> None:
        """An entry from a store that is not trusted stays there: near, a pickle in it would be opened as one of ours."""
        near, far = MemoryStore(), faulty.untrusted(MemoryStore())
        (entry, record), (blob, data) = an_entry("f", 1), a_blob(b"bytes")
        far.put(entry, [record])
        far.put(blob, [data])
        store = Layered(near, far)

        assert record == bytes(store.get(entry))
        assert data == bytes(store.get(blob))
        assert {blob} == {name for name, _ in near.list()}
        assert not store.capabilities.trusted
        assert [True, False] == [layer.capabilities.trusted for layer in store.layers()]

    def test_entries_of_the_trusted_are_kept(self) -> None:
        """An entry from a store as trusted as ours is kept near."""
        near, far = MemoryStore(), MemoryStore()
        entry, record = an_entry("f", 1)
        far.put(entry, [record])
        Layered(near, far).get(entry)

        assert near.has(entry)

    def test_list_is_the_union(self) -> None:
        """Every name is listed once, the near ones first."""
        near, one, other = MemoryStore(), MemoryStore(), MemoryStore()
        (a, b, c), data = (a_blob(text)[0] for text in (b"a", b"b", b"c")), [b"?"]
        for store, names in ((near, (a,)), (one, (a, b)), (other, (b, c))):
            for name in names:
                store.put(name, data)

        assert [a, b, c] == [name for name, _ in Layered(near, one, other).list()]

    def test_list_goes_on_without_a_store_that_is_down(self) -> None:
        """A far store that is down is passed over, and told once."""
        near, down, far = MemoryStore(), faulty.offline(MemoryStore()), MemoryStore()
        far.put(*_put(b"x"))
        store = Layered(near, down, far)
        with pytest.warns(UserWarning, match="the network is down") as told:
            assert [1, 1] == [len(list(store.list())) for _ in range(2)]

        assert 1 == len(told)

    def test_changes_are_near_only(self) -> None:
        """Putting, deleting and setting aside leave far stores as they are."""
        near, far = MemoryStore(), faulty.Faulty(MemoryStore())
        far.store.put(*_put(b"kept"))
        store = Layered(near, far)
        store.put(*_put(b"new"))
        store.delete(a_blob(b"kept")[0])
        store.set_aside(a_blob(b"kept")[0])

        assert [] == [call for call, _ in far.log]
        assert [a_blob(b"kept")[0]] == [name for name, _ in far.store.list()]

    def test_layers_of_layers(self) -> None:
        """Layers within layers are asked in order, each for itself."""
        stores = [MemoryStore() for _ in range(4)]

        assert tuple(stores) == Layered(stores[0], Layered(stores[1], stores[2]), stores[3]).layers()
        assert tuple(stores[:3]) == Layered(Layered(stores[0], stores[1]), stores[2]).layers()

    def test_stamp_of_all_layers(self, root: Path) -> None:
        """The stamp changes when a far name comes; a layer that cannot tell leaves none."""
        near, far = MemoryStore(), MemoryStore()
        store = Layered(near, far)
        before = store.stamp("")
        far.put(*_put(b"x"))

        assert before is not None
        assert before != store.stamp("")
        assert Layered(near, LocalStore(root)).stamp("") is None


class TestUrls:
    """What `open_store` takes."""

    def test_a_store_is_given_back(self) -> None:
        """A store is opened already."""
        store = MemoryStore()

        assert store is open_store(store)

    def test_paths_and_urls_name_one_store(self, root: Path) -> None:
        """A text, a path and a file URL lead to one folder, blanks and all."""
        place = root / "with blank %41"

        assert {str(place)} == {
            open_store(form).url for form in (str(place), place, place.as_uri(), f"file://localhost{place.as_uri()[7:]}")
        }

    def test_home(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        """A tilde is the home folder."""
        monkeypatch.setenv("HOME", str(root))
        monkeypatch.setenv("USERPROFILE", str(root))

        assert str(root / "x") == open_store("~/x").url

    @pytest.mark.parametrize("url", ["https://x/", "http://x", "HTTP://b"])
    def test_kinds_to_come_are_told(self, url: str) -> None:
        """A kind that this version cannot open yet is named as such, with those that it can."""
        with pytest.raises(BadSettings, match=r"cannot open .* stores yet; it opens a path, file://, git\+lfs:FOLDER, ") as caught:
            open_store(url)

        assert url == caught.value.where

    def test_unknown_kinds_are_told(self) -> None:
        """A scheme that nobody knows is refused with those that are known."""
        with pytest.raises(BadSettings, match=r"no kind of store is called 'ftp'; there are a path, file://, git\+lfs:FOLDER, "):
            open_store("ftp://x/y")

    @pytest.mark.parametrize("url", ["", "file://host/x", "file://"])
    def test_urls_that_name_nothing(self, url: str) -> None:
        """A URL that names no folder of this machine is refused."""
        with pytest.raises(BadSettings):
            open_store(url)

    def test_a_folder_with_a_colon(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A folder may have a colon in its name, if it is written so that it cannot be a URL that was mistyped."""
        monkeypatch.chdir(tmp_path)

        assert str(tmp_path / "run:2024") == open_store("./run:2024").url
        with pytest.raises(BadSettings, match=r"a folder of this name is \./run:2024"):
            open_store("run:2024")

    @pytest.mark.parametrize("name", ["run:2024", "s3:bucket", "memory:"])
    def test_a_path_object_is_a_path(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
        """Whoever says Path means a path, whatever colons it has."""
        monkeypatch.chdir(tmp_path)

        assert str(tmp_path / name) == open_store(Path(name)).url

    def test_create_is_passed_on(self, root: Path) -> None:
        """Without `create` the place must be a store."""
        with pytest.raises(NotAStore):
            open_store(root, create=False)
        with pytest.raises(NotAStore):
            open_store(root.as_uri(), create=False)


class TestFaulty:
    """The faults that other tests rely on."""

    def test_the_nth_call_fails(self) -> None:
        """One call fails, before or after its work; the others do theirs."""
        for late in (False, True):
            store = faulty.fails_at(MemoryStore(), 2, ConnectionError("cut"), calls=frozenset({"put"}), late=late)
            store.put(*_put(b"1"))
            store.has(a_blob(b"1")[0])
            with pytest.raises(ConnectionError):
                store.put(*_put(b"2"))
            store.put(*_put(b"3"))

            assert (3 if late else 2) == len(list(store.list()))

    def test_every_fault_shows(self) -> None:
        """Each ready-made fault is what it says."""
        name, data = a_blob(b"sound")
        store = MemoryStore()
        store.put(name, [data])

        assert b"sounE"[:-1] + b"e" == bytes(faulty.wrong_bytes(store).get(name))
        assert b"soun" == bytes(faulty.short(store).get(name))
        assert [Listed(name, 6)] == list(faulty.lies_about_length(store).list())
        with pytest.raises(Unavailable):
            faulty.offline(store).get(name)
        with pytest.raises(StoreReadOnly):
            faulty.read_only(store).put(name, [data])
        with pytest.raises(OSError, match="No space left"):
            faulty.full(store).put(name, [data])
        begin = time.monotonic()
        faulty.slow(store, 0.05).has(name)
        assert time.monotonic() - begin >= 0.05

    def test_a_full_disk_takes_what_fits(self) -> None:
        """Puts succeed until the disk is full, and reading goes on."""
        store = faulty.full(MemoryStore(), after=1)
        store.put(*_put(b"1"))
        with pytest.raises(OSError, match="No space left"):
            store.put(*_put(b"2"))

        assert b"1" == bytes(store.get(a_blob(b"1")[0]))


def test_every_error_of_a_store_is_a_cache_error_or_an_os_error() -> None:
    """A caller that catches CacheError and OSError has caught what a store raises, but for misuse."""
    assert all(
        issubclass(kind, CacheError) for kind in (Missing, Corrupt, Unavailable, StoreReadOnly, FormatTooNew, NotAStore, BadSettings)
    )


def _put(data: bytes) -> tuple[str, list[bytes]]:
    name, data = a_blob(data)
    return name, [data]


def _unfinished(root: Path) -> list[str]:
    return sorted(path.name for path in (root / ".local" / "tmp").iterdir())


def _damage(root: Path, data: st.DataObject, name: str, other: str) -> None:
    """Do one thing to one file that no writer of ours does."""
    path = root / name
    kind = data.draw(st.sampled_from(["overwrite", "cut", "empty", "lengthen", "swap", "remove", "folder", "parent"]))
    if kind == "parent":
        if path.parent.is_dir():
            subprocess.run(["rm", "-r", path.parent], check=True)
            path.parent.write_bytes(b"in the way")
        return
    if not path.is_file():
        return
    content = path.read_bytes()
    if kind == "overwrite" and content:
        start = data.draw(st.integers(0, len(content) - 1))
        new = data.draw(st.binary(min_size=1, max_size=40))[: len(content) - start]
        path.write_bytes(content[:start] + new + content[start + len(new) :])
    elif kind == "cut":
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "lengthen":
        path.write_bytes(content + data.draw(st.binary(min_size=1, max_size=9)))
    elif kind == "swap" and (root / other).is_file():
        path.write_bytes((root / other).read_bytes())
        (root / other).write_bytes(content)
    elif kind in ("remove", "folder"):
        path.unlink()
        if kind == "folder":
            path.mkdir()


def _unprivileged(root: Path, *statements: str) -> list[str]:
    """What a child prints that does these things to the store without root's right to read and write everything."""
    program = f"""
import ctypes, os, struct, sys
from simcache.errors import CacheError
from simcache.stores.local import LocalStore
if os.geteuid() == 0:  # give up every capability, and with them the right to pass over permissions
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)):
        sys.exit("capset failed")
def attempt(statement):
    global store
    try:
        exec(statement)
    except CacheError as problem:
        print(f"{{type(problem).__name__}}: {{problem}}")
        return False
    return True
if attempt("global store; store = LocalStore({str(root)!r})"):
    for statement in {list(statements)!r}:
        attempt(statement)
"""
    told = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    return told.stdout.splitlines()

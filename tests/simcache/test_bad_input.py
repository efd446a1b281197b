"""What a user can get wrong, and what a machine can refuse: each is said once, with what, which and the next step."""

import os
import re
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

import simcache  # noqa: F401 - an annotation that is a text names it
from simcache.cache import Cache
from simcache.codecs import registry
from simcache.codecs.file import File, Folder
from simcache.decorator import cached
from simcache.errors import BadSettings, CacheError, FormatTooNew, NotAStore, NotStored, Unkeyable
from simcache.model import entry_digest
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.upkeep.verify import verify
from tests.simcache.faulty import Fault, Faulty, full, read_only, untrusted
from tests.simcache.programs import Programs, finish, programs_in
from tests.simcache.stored import environment, files_under


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "store")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with programs_in(tmp_path) as programs:
        yield programs


@dataclass
class Road:
    length: float
    callback: Any = None


@dataclass
class Network:
    roads: list[Road] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)


@dataclass
class Scenario:
    network: Network


class TestArguments:
    """Arguments that cannot be part of a key."""

    @pytest.mark.parametrize(
        ("scenario", "path"),
        [
            (Scenario(Network([Road(1.0), Road(2.0), Road(3.0), Road(4.0, threading.Lock())])), "scenario.network.roads[3].callback"),
            (Scenario(Network(names={"a": {"b": [object()]}})), "scenario.network.names['a']['b'][0]"),
            (threading.Lock(), "scenario"),
            ([1, (x for x in [1])], "scenario[1]"),
            ({"file": sys.stdout}, "scenario['file']"),
            (np.array([object()]), "scenario[0]"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_an_unkeyable_argument_names_its_path(self, cache: Cache, scenario: object, path: str) -> None:
        """By the name of the parameter, down to the field; nothing is computed, and what to do is said."""
        made: list[object] = []

        @cached(cache=cache)
        def simulate(scenario: object, seed: int = 0) -> int:
            made.append(seed)
            return seed

        for call in (simulate, simulate.key, simulate.explain):
            with pytest.raises(Unkeyable) as caught:
                call(scenario)
            assert path == caught.value.path
            assert str(caught.value).startswith(f"{path} cannot be part of a key: ")
            assert ": " in caught.value.reason or "," in caught.value.reason
        assert [] == made

    @pytest.mark.parametrize(
        ("annotation", "given", "path", "meant"),
        [
            (File, "f.txt", "p", "File('f.txt')"),
            ("File", "f.txt", "p", "File('f.txt')"),
            ("simcache.File", "f.txt", "p", "File('f.txt')"),
            (File, Path("f.txt"), "p", "File('f.txt')"),
            (File | None, "f.txt", "p", "File('f.txt')"),
            (Annotated[File, "a table"], "f.txt", "p", "File('f.txt')"),
            (Folder, "data", "p", "Folder('data')"),
            (list[File], [File("f.txt"), "f.txt"], "p[1]", "File('f.txt')"),
            (tuple[int, File], (1, "f.txt"), "p[1]", "File('f.txt')"),
            (dict[str, File], {"a": "f.txt"}, "p['a']", "File('f.txt')"),
            (list[File] | File, ["f.txt"], "p[0]", "File('f.txt')"),
        ],
        ids=str,
    )
    def test_a_bare_path_is_no_file(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, annotation: object, given: object, path: str, meant: str
    ) -> None:
        """Where a File is annotated its content is to count; of a bare path only the name would, and an edited file would be served stale."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "f.txt").write_text("one")
        made: list[object] = []

        def n(p: object) -> int:
            made.append(p)
            return 1

        n.__annotations__["p"] = annotation
        f = cached(cache=cache)(n)
        for call in (f, f.key, f.explain, f.entry):
            with pytest.raises(Unkeyable, match=rf"only a name: pass {re.escape(meant)}$") as caught:
                call(given)
            assert path == caught.value.path
        assert [] == made

    @pytest.mark.parametrize(
        ("annotation", "given"),
        [
            (File, File("f.txt")),
            (File | str, "f.txt"),
            (File | None, None),
            (list[File] | list[str], ["f.txt"]),
            (dict[str, File], {"f.txt": File("f.txt")}),
            (str, "f.txt"),
            (Path, Path("f.txt")),
        ],
        ids=str,
    )
    def test_a_path_where_a_name_will_do(
        self, cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, annotation: object, given: object
    ) -> None:
        """Is the author's will, and a File is one."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "f.txt").write_text("one")

        def n(p: object) -> int:
            return 1

        n.__annotations__["p"] = annotation

        assert 1 == cached(cache=cache)(n)(given)

    def test_bare_paths_among_many(self, cache: Cache) -> None:
        """Arguments in a row, by any name, and of a series; one that is ignored is not part of the key."""

        @cached(cache=cache, ignore=("log",))
        def f(*tables: File, log: File | None = None, **more: File) -> int:
            return 1

        @cached(cache=cache)
        def numbers(p: File) -> Iterator[int]:
            yield 1

        name: Any = "f.txt"  # a type checker would say so, too
        with pytest.raises(Unkeyable, match=r"^tables\[0\] cannot be part of a key: the content of a File is to count"):
            f(name)
        with pytest.raises(Unkeyable, match=r"^more\['table'\]"):
            f(table=name)
        with pytest.raises(Unkeyable, match="^p cannot"):
            numbers(name)
        assert 1 == f(log=name)

    def test_it_is_a_type_error_too(self, cache: Cache) -> None:
        """Code that expects the ordinary class for a wrong argument works; so does code that expects ours."""
        f = cached(cache=cache)(lambda x: x)

        with pytest.raises(TypeError):
            f(threading.Lock())
        with pytest.raises(CacheError):
            f(threading.Lock())

    def test_another_parameter_may_be_ignored(self, cache: Cache) -> None:
        """Which is what the error suggests for one that does not change the result."""

        @cached(cache=cache, ignore=("lock",))
        def f(n: int, lock: object) -> int:
            return n

        assert [1, 1] == [f(1, threading.Lock()), f(1, threading.Lock())]

    def test_a_series_too(self, cache: Cache) -> None:
        """When it is made, not when its first item is asked for."""

        @cached(cache=cache)
        def numbers(road: Road) -> Iterator[int]:
            yield 1

        with pytest.raises(Unkeyable, match="road.callback cannot be part of a key"):
            numbers(Road(1.0, threading.Lock()))


class TestResults:
    """Results that cannot be stored."""

    def test_it_is_returned_with_one_warning(self, cache: Cache) -> None:
        """Every time, computed every time; the warning names the part, and what would do."""

        @cached(cache=cache)
        def f(n: int) -> Any:
            return {"n": n, "rows": [1.0, threading.Lock()]}

        with pytest.warns(NotStored) as said:
            answers = [f(1)["n"], f(1)["n"], f(2)["n"]]
        assert [1, 1, 2] == answers
        [warning] = said
        assert f"a result of {f.name} is not stored: value['rows'][1] cannot be stored: " in str(warning.message)
        assert {} == {name: data for name, data in files_under(Path(cache.near.url)).items() if name.startswith("entries")}

    def test_a_class_without_annotation(self, cache: Cache) -> None:
        """What could not be rebuilt is not stored: the warning says to annotate the return type, and that works."""

        @cached(cache=cache)
        def bare(length: float):  # type: ignore[no-untyped-def]  # noqa: ANN202 - the point of the test
            return Road(length)

        @cached(cache=cache)
        def annotated(length: float) -> Road:
            return Road(length)

        with pytest.warns(NotStored, match="annotate the return type"):
            assert Road(2.0) == bare(2.0)
        assert Road(2.0) == annotated(2.0) == annotated(2.0)
        assert annotated.entry(2.0) is not None

    @pytest.mark.parametrize("problem", [MemoryError, RuntimeError, KeyError])
    def test_what_fails_as_it_is_encoded_is_returned(self, cache: Cache, monkeypatch: pytest.MonkeyPatch, problem: type[Exception]) -> None:
        """Memory that is too small for the bytes, a class that raises whatever it likes: the hours are not lost."""

        def fail(*_: object) -> None:
            raise problem("as it is encoded")

        monkeypatch.setattr(registry.codec_named("json"), "encode", fail, raising=False)

        @cached(cache=cache)
        def f(n: int) -> int:
            return n

        with pytest.warns(NotStored, match=f"a result of .* is not stored: value cannot be stored: {problem.__name__}: .*as it is encoded"):
            assert 1 == f(1)

    def test_where_the_warning_points(self, programs: Programs) -> None:
        """To the line of the user's own call, not into the cache."""
        programs.write("model.py", "from simcache import cached\n@cached\ndef f(n):\n    return object()\n\nf(1)\n")
        _, err = finish(programs.start("model.py"))

        assert "model.py:6: NotStored: a result of model.f is not stored" in err
        assert "f(1)" in err


class TestStores:
    """Places that are no store, or none of ours."""

    def test_a_newer_format_is_refused_with_the_version(self, tmp_path: Path) -> None:
        """The error tells both versions and what to do; nothing is written there."""
        store = tmp_path / "store"
        store.mkdir()
        (store / "simcache.json").write_text('{"format": 7}\n')

        with pytest.raises(FormatTooNew, match="has format 7, and this simcache reads up to format 1: upgrade simcache"):
            Cache(store)
        assert ["simcache.json"] == os.listdir(store)

    def test_a_newer_format_in_the_settings(self, programs: Programs) -> None:
        """The same for the default store, at the first call."""
        programs.write("model.py", "from simcache import cached\n@cached\ndef f(n):\n    return n\nf(1)\n")
        programs.write("store/simcache.json", '{"format": 7}\n')
        _, err = finish(programs.start("model.py"))

        assert "has format 7" in err.splitlines()[-1]

    def test_an_entry_of_a_newer_format_is_a_miss(self, cache: Cache) -> None:
        """A store that two versions share: the newer one's entries are left alone, and computed with a reason."""
        made: list[int] = []

        @cached(cache=cache)
        def f(n: int) -> int:
            made.append(n)
            return n

        f(1)
        entry = f.entry(1)
        assert entry is not None
        root = Path(cache.near.url)
        newer = (root / entry.name).read_bytes().replace(b'"format":2', b'"format":7')
        name = f"{entry.name.rpartition('.json')[0][:-16]}{entry_digest(newer)}.json"
        (root / entry.name).unlink()
        (root / name).write_bytes(newer)
        again = cached(cache=Cache(root))(f.compute)

        with pytest.warns(NotStored, match="is computed again: .* has format 7"):
            assert 1 == again(1)
        assert newer == (root / name).read_bytes()
        assert 1 == again(1)
        assert [1, 1] == made

    @pytest.mark.parametrize("kind", ["file", "folder", "damaged"])
    def test_a_place_that_is_no_store(self, tmp_path: Path, kind: str) -> None:
        """A mistyped path never fills somebody's folder: refused by name."""
        place = tmp_path / "place"
        if kind == "file":
            place.write_text("mine")
        else:
            place.mkdir()
            (place / ("letter.txt" if kind == "folder" else "simcache.json")).write_text("mine")
        before = sorted(path.name for path in tmp_path.rglob("*"))

        with pytest.raises(NotAStore, match=str(place)):
            Cache(place)
        assert before == sorted(path.name for path in tmp_path.rglob("*"))

    @pytest.mark.parametrize(
        "damage", [b"", b"{", b"\0\xff" * 40, b'{"format": 0}', None], ids=["empty", "cut", "random", "none", "folder"]
    )
    def test_a_damaged_mark_stops_no_call(self, programs: Programs, damage: bytes | None) -> None:
        """Values and series are computed as if there were no cache, with one warning each that says what mends it; nothing is written."""
        programs.write("model.py", SERIES)
        programs.run("model.py")
        mark = programs.store / "simcache.json"
        mark.unlink()
        mark.mkdir() if damage is None else mark.write_bytes(damage)
        before = files_under(programs.store)
        out, err = finish(programs.start("model.py"))

        assert "6 [1, 2, 3]" == out.strip(), err
        said = [line for line in err.splitlines() if "NotStored" in line]
        assert 2 == len(said), err
        assert all(f"`simcache verify --repair --store {programs.store}`" in line for line in said), err
        assert "Traceback" not in err
        assert before == files_under(programs.store)

    def test_who_asks_a_damaged_store_by_name_is_told(self, cache: Cache) -> None:
        """What a person asked for by name and cannot be had is an error, not an empty answer."""
        f = cached(cache=cache)(_square)
        f(3)
        (Path(cache.near.url) / "simcache.json").write_bytes(b"{")
        closed = Cache(cache.near.url)
        again = cached(cache=closed)(_square)

        for question in (lambda: list(closed.all_entries()), lambda: closed.find(""), lambda: again.forget(3), lambda: again.explain(3)):
            with pytest.raises(CacheError, match="its simcache.json tells no format"):
                question()

    def test_a_far_store_serves_where_the_near_one_is_damaged(self, tmp_path: Path) -> None:
        """What lies far is found, checked and returned; that it cannot be kept is said."""
        cached(cache=Cache(tmp_path / "far"))(_large)(3)
        cached(cache=Cache(tmp_path / "near"))(_square)(1)
        (tmp_path / "near" / "simcache.json").write_bytes(b"")
        found = cached(cache=Cache(tmp_path / "near", far=[tmp_path / "far"]))(_large)
        with pytest.warns(NotStored, match="its simcache.json tells no format"):
            assert "3" * 5000 == found(3)
        assert [3] == made_large

    @pytest.mark.parametrize("url", ["", "a\0", "nonsense://x", "s3://", "file://relative", "http://host"])
    def test_a_url_that_nobody_opens(self, url: str) -> None:
        """Refused by name, with what can be opened."""
        with pytest.raises(BadSettings):
            Cache(url)

    def test_a_far_store_that_is_the_name_of_no_remote(self, programs: Programs) -> None:
        """A bare word that is neither a remote nor a folder: it is told which remotes there are, and no result is lost."""
        programs.write("model.py", "from simcache import cached\n@cached\ndef f(n):\n    return n\nprint(f(1))\n")
        programs.write("simcache.toml", 'store = "store"\nfar = ["lap"]\n[remotes]\nlab = "/mnt/lab"\n')
        out, err = finish(programs.start("model.py"))

        assert "1" == out.strip()
        assert f"a far store is left out: no remote is called lap (there are: lab), and {programs.folder / 'lap'} is not there" in err

    def test_a_far_store_that_is_not_there(self, tmp_path: Path) -> None:
        """A forgotten mount or a mistyped path costs no result, and is said."""
        with pytest.warns(RuntimeWarning, match="a far store is left out: .*nothing is not a simcache store: nothing is there"):
            cache = Cache(tmp_path / "near", far=[tmp_path / "nothing"])

        @cached(cache=cache)
        def f(n: int) -> int:
            return n

        assert [1, 1] == [f(1), f(1)]


class TestReadOnly:
    """A store that cannot be written."""

    def test_a_store_that_says_so(self, tmp_path: Path) -> None:
        """Results are returned, one warning says why they are not stored; what is stored is served without a word."""
        store = LocalStore(tmp_path / "store")
        writing = cached(cache=Cache(store))(_square)
        writing(2)
        reading = cached(cache=Cache(read_only(store)))(_square)

        assert 4 == reading(2)
        with pytest.warns(NotStored, match="results of .*_square are not stored: .* cannot be written: Read-only file system") as said:
            assert [9, 16, 9] == [reading(3), reading(4), reading(3)]
        assert 1 == len(said)
        assert verify(store).sound

    @pytest.mark.parametrize("problem", [PermissionError(13, "Permission denied"), OSError(30, "Read-only file system")], ids=repr)
    def test_a_store_that_finds_out(self, tmp_path: Path, problem: OSError) -> None:
        """The same when only the system refuses."""
        store = Faulty(LocalStore(tmp_path / "store"), Fault(error=lambda *_: problem, calls=frozenset({"put"})))
        f = cached(cache=Cache(store))(_square)

        with pytest.warns(NotStored, match=problem.strerror) as said:
            assert [9, 16, 9] == [f(3), f(4), f(3)]
        assert 1 == len(said)


class TestFull:
    """A disk without room."""

    @pytest.mark.parametrize("after", range(5))
    def test_results_are_returned(self, tmp_path: Path, after: int) -> None:
        """Wherever the room ends: all results are given, with one warning; the store is sound, and what was stored is served."""
        store = LocalStore(tmp_path / "store")
        f = cached(cache=Cache(full(store, after=after)))(_square)

        with pytest.warns(NotStored, match="No space left on device") as said:
            assert [n * n for n in range(6)] == [f(n) for n in range(6)]
        assert 1 == len(said)
        report = verify(store)
        assert report.sound
        assert report.entries <= after

    def test_it_stores_again_when_there_is_room(self, tmp_path: Path) -> None:
        """A disk that was cleaned is used."""
        wrapped = full(LocalStore(tmp_path / "store"))
        f = cached(cache=Cache(wrapped))(_square)
        with pytest.warns(NotStored):
            f(3)
        wrapped.fault = Fault()
        f(3)

        assert f.entry(3) is not None


def _square(n: int) -> int:
    return n * n


made_large: list[int] = []


def _large(n: int) -> str:
    made_large.append(n)
    return f"{n}" * 5000


SERIES = """
from simcache import Step, cached

@cached
def double(n):
    return 2 * n

@cached(every=2)
def numbers(*, resume=None):
    number = resume or 0
    while True:
        number += 1
        yield Step(number, state=number)

print(double(3), numbers()[:3])
"""


PROGRAM = """
import ctypes, os, resource, sys
import numpy as np
from simcache import Step, cached, open_store

@cached
def square(n):
    return np.full(40_000, float(n * n))

@cached(every=2)
def numbers(*, resume=None):
    number = resume or 0
    while True:
        number += 1
        yield Step(np.full(40_000, float(number)), state=number)

def without_privileges():
    # Root may write everywhere; without its capabilities it is like any user.
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(header, none)

def use():
    print([int(square(n)[-1]) for n in range(6)], [int(square(n)[0]) for n in range(6)])
    print([int(item[-1]) for item in numbers()[:7]], [int(item[0]) for _, item in zip(range(7), numbers())])

def check():
    from simcache.upkeep.verify import verify
    print(verify(open_store("store")).sound)
"""
EXPECTED = [
    "[0, 1, 4, 9, 16, 25] [0, 1, 4, 9, 16, 25]",
    "[1, 2, 3, 4, 5, 6, 7] [1, 2, 3, 4, 5, 6, 7]",
]


def can(*command: str) -> bool:
    return sys.platform == "linux" and not subprocess.run(command, capture_output=True, check=False).returncode


needs_mount = pytest.mark.skipif(
    not can("unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"), reason="no mounts of our own here"
)


@pytest.mark.skipif(sys.platform != "linux", reason="how Linux refuses")
class TestTheSystemRefuses:
    """Real processes on real file systems that take no more."""

    @pytest.fixture
    def model(self, programs: Programs) -> Programs:
        programs.write("model.py", PROGRAM)
        return programs

    def check(self, out: str, err: str, functions: int = 2) -> None:
        """All is right; one warning for each function, and nothing else is said."""
        assert EXPECTED == out.splitlines()[:2], err
        said = [line for line in err.splitlines() if "Warning" in line or "NotStored" in line]
        assert functions == len(said), err
        assert all("NotStored" in line for line in said), err
        assert "Traceback" not in err

    def mounted(self, programs: Programs, mount: str, code: str) -> tuple[str, str]:
        """What a program says that sees another file system at `store`."""
        script = f"{mount} && exec {sys.executable} -c '{code}'"
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
            cwd=programs.folder,
            env=environment(programs.folder),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout, done.stderr

    @pytest.mark.parametrize("filled", [False, True])
    def test_a_folder_without_permission(self, model: Programs, filled: bool) -> None:
        """All is computed or served; nothing is written."""
        if filled:
            model.run("-c", "from model import *; use()")
        else:
            model.store.mkdir()
        before = files_under(model.store)
        folders = [model.store, *(path for path in model.store.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        for path in model.store.rglob("*"):
            if path.is_file():
                path.chmod(0o444)
        try:
            out, err = finish(model.start("-c", "from model import *; without_privileges(); use()"))
        finally:
            for folder in folders:
                folder.chmod(0o755)

        self.check(out, err, functions=0 if filled else 2)
        assert before == files_under(model.store)

    def test_a_folder_that_cannot_be_read(self, model: Programs) -> None:
        """A store of somebody else's: all is computed, and it is said."""
        model.run("-c", "from model import *; use()")
        (model.store / "entries").chmod(0o000)
        try:
            out, err = finish(model.start("-c", "from model import *; without_privileges(); use()"))
        finally:
            (model.store / "entries").chmod(0o755)

        assert EXPECTED == out.splitlines(), err
        assert "Traceback" not in err
        assert "Permission denied" in err

    def test_a_store_that_cannot_be_entered(self, model: Programs) -> None:
        """The folder of another user, with not even its mark to be read: all is computed, with one warning for each function."""
        model.run("-c", "from model import *; use()")
        model.store.chmod(0o000)
        try:
            out, err = finish(model.start("-c", "from model import *; without_privileges(); use()"))
        finally:
            model.store.chmod(0o755)

        self.check(out, err)
        assert "its simcache.json cannot be read (Permission denied)" in err

    @needs_mount
    @pytest.mark.parametrize("filled", [False, True])
    def test_a_read_only_file_system(self, model: Programs, filled: bool) -> None:
        """A real read-only mount: a hit says nothing, a miss once."""
        model.store.mkdir()
        if filled:
            model.run("-c", "from model import *; use()")
        mount = "mount --bind store store && mount -o remount,ro,bind store"
        out, err = self.mounted(model, mount, "from model import *; use()")

        self.check(out, err, functions=0 if filled else 2)

    @needs_mount
    @pytest.mark.parametrize("kilobytes", [64, 500, 1000, 1700, 2400])
    def test_a_full_disk(self, model: Programs, kilobytes: int) -> None:
        """A real file system that is full: all is right, what is stored is sound and served."""
        model.store.mkdir()
        mount = f"mount -t tmpfs -o size={kilobytes}k none store"
        out, err = self.mounted(model, mount, "from model import *; use(); check()")

        assert [*EXPECTED, "True"] == out.splitlines(), err
        said = [line for line in err.splitlines() if "NotStored" in line or "Warning" in line]
        assert 1 <= len(said) <= 2, err
        assert all("No space left on device" in line for line in said), err

    def test_a_limit_on_the_size_of_files(self, model: Programs) -> None:
        """The same where no file may grow beyond a limit."""
        code = "import sys; sys.dont_write_bytecode = True; from model import *; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); use(); check()"
        out, err = finish(model.start("-c", code))

        self.check(out, err)
        assert "True" == out.splitlines()[-1]

    def test_no_descriptor_is_left(self, model: Programs) -> None:
        """A process that may open no more files still gets its results."""
        code = textwrap.dedent("""
            from model import *
            import model
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            square(1)
            held = []
            try:
                while True:
                    held.append(open(os.devnull))
            except OSError:
                pass
            found = [int(square(n)[-1]) for n in range(3)]
            del held
            print(found, [int(square(n)[-1]) for n in range(3)])
        """)
        out, err = finish(model.start("-c", code))

        assert "[0, 1, 4] [0, 1, 4]" == out.strip(), err
        assert "Traceback" not in err


class TestPickles:
    """Values that only pickle keeps."""

    def test_they_are_served_from_a_local_store(self, cache: Cache) -> None:
        """Where this machine's users alone write, and the function asks for it."""
        f = cached(cache=cache, codec="pickle")(_thing)

        assert [{1j: {1}}] * 2 == [f(1), f(1)]

    @pytest.mark.parametrize("trust", [False, True])
    def test_they_are_refused_from_any_other(self, tmp_path: Path, trust: bool) -> None:
        """Unless the caller trusts whoever wrote them: else computed, and the warning names the danger and the way."""
        store = LocalStore(tmp_path / "store")
        cached(cache=Cache(store), codec="pickle")(_planted)(str(tmp_path / "ran"))
        (tmp_path / "ran").unlink(missing_ok=True)
        f = cached(cache=Cache(untrusted(store), trust=trust), codec="pickle")(_planted)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            f(str(tmp_path / "ran"))

        assert trust == (tmp_path / "ran").exists()
        assert trust != any("loading it can run any code; pass trust=True" in str(warning.message) for warning in said)

    def test_they_are_opened_only_where_they_are_asked_for(self, cache: Cache, tmp_path: Path) -> None:
        """A pickle under the key of a function that asks for none is never opened, wherever it lies."""
        cached(cache=cache, codec="pickle")(_planted)(str(tmp_path / "ran"))
        f = cached(cache=cache)(_planted)

        with pytest.warns(NotStored):
            f(str(tmp_path / "ran"))
        assert not (tmp_path / "ran").exists()
        with pytest.warns(NotStored):
            cached(cache=Cache(cache.near.url))(f.compute)(str(tmp_path / "ran"))
        assert not (tmp_path / "ran").exists()


class Planted:
    """Leaves a file when it is unpickled, and only then."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return _run, (self.path,)


def _run(path: str) -> str:
    Path(path).touch()
    return path


def _planted(path: str) -> Any:
    return Planted(path)


def _thing(n: int) -> Any:
    return {complex(0, n): {n}}


class TestOptions:
    """Options of `@cached` that cannot be meant."""

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"ignore": "device"}, "@cached(ignore='device'): a tuple of names is needed: ignore=('device',)"),
            ({"ignore": 5}, "@cached(ignore=5): a tuple of names is needed"),
            ({"ignore": (5,)}, "@cached(ignore=(5,)): names are texts"),
            ({"ignore": ("wrong",)}, "the function has no argument 'wrong': it has n, device"),
            ({"code": "arz"}, "@cached(code='arz'): a tuple of names is needed: code=('arz',)"),
            ({"packages": "torch"}, "@cached(packages='torch'): a tuple of names is needed"),
            ({"every": 0}, "@cached(every=0): a number of items from 1 on is needed"),
            ({"every": 2.5}, "@cached(every=2.5): a number of items from 1 on is needed"),
            ({"every": True}, "@cached(every=True): a number of items from 1 on is needed"),
            ({"codec": "zip"}, "codec: there is none named 'zip': choose one of"),
            ({"cache": 5}, "@cached(cache=5): a Cache is needed, or the path or URL of a store"),
            ({"strict": "no"}, "@cached(strict='no'): True or False is needed"),
            ({"stroe": "x"}, "@cached(stroe=…): there is no such option: there are ignore, code"),
        ],
        ids=str,
    )
    def test_they_are_refused_where_they_stand(self, options: dict[str, Any], said: str) -> None:
        """At the decoration, with the option, what is wrong with it and what would do."""

        def f(n: int, device: str = "cpu") -> int:
            return n

        with pytest.raises(BadSettings) as caught:
            cached(**options)(f)
        assert said in str(caught.value)
        assert isinstance(caught.value, ValueError)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"code": ("no_such_package",)}, "there is no package or module 'no_such_package'"),
            ({"packages": ("no_such_package",)}, "no_such_package is not installed here"),
        ],
        ids=str,
    )
    def test_what_is_looked_for_at_the_first_call(self, cache: Cache, options: dict[str, Any], said: str) -> None:
        """Names of packages."""
        with pytest.raises(BadSettings, match=said):
            cached(cache=cache, **options)(_square)(1)

    def test_lists_and_generators_of_names_do(self) -> None:
        """What is a tuple in the end."""
        assert ("n",) == cached(ignore=["n"])(_square).options.ignore == cached(ignore=(name for name in "n"))(_square).options.ignore

    def test_a_path_as_cache(self, tmp_path: Path) -> None:
        """Is the cache in that path."""
        f = cached(cache=tmp_path / "here")(_square)  # type: ignore[call-overload]

        assert 9 == f(3)
        assert (tmp_path / "here" / "entries").is_dir()


class TestSettingsFiles:
    """Settings that cannot be used, as the first call meets them."""

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("store = 5\n", 'simcache.toml: store: must be a text in quotes, as in store = "store", and is 5'),
            ('store = ""\n', "simcache.toml: store: is empty"),
            ('store = "a\\u0000"\n', r"simcache.toml: store: holds the character \u0000, which no path has"),
            ('far = ["a\\u0000"]\n', r"simcache.toml: far[0]: holds the character \u0000, which no path has"),
            ('[remotes]\nlab = "\\u0000"\n', r"simcache.toml: remotes.lab: holds the character \u0000, which no path has"),
            ('stroe = "x"\n', "simcache.toml: stroe: there is no such setting: there are store, far"),
            ("store = \n", "simcache.toml: is no TOML"),
            ('far = "x"\n', "simcache.toml: far: must be a list of texts in quotes"),
            ("far = [5]\n", "simcache.toml: far[0]: must be a path or a URL"),
            ('durable = "yes"\n', "simcache.toml: durable: must be true or false, without quotes, and is 'yes'"),
            ('store = "nonsense://x"\n', "nonsense://x: no kind of store is called 'nonsense'"),
            ('store = "model.py"\n', "model.py is not a simcache store: it is a file"),
        ],
        ids=str,
    )
    def test_the_file_and_the_field_are_named(self, programs: Programs, text: str, said: str) -> None:
        """One line that says which file, which field and what would do."""
        programs.write("model.py", "from simcache import cached\n@cached\ndef f(n):\n    return n\nf(1)\n")
        programs.write("simcache.toml", text)
        _, err = finish(programs.start("model.py"))

        assert said in err.splitlines()[-1]

    def test_a_variable_is_named(self, programs: Programs) -> None:
        """The same for the environment."""
        programs.write("model.py", "from simcache import cached\n@cached\ndef f(n):\n    return n\nf(1)\n")
        _, err = finish(programs.start("model.py", SIMCACHE_DURABLE="perhaps"))

        assert "SIMCACHE_DURABLE: must be one of 1, true, yes, 0, false, no, and is 'perhaps'" in err.splitlines()[-1]

    def test_a_cache_that_is_given_needs_no_settings(self, programs: Programs) -> None:
        """A damaged file of settings stops nobody who names the store."""
        programs.write(
            "model.py", "from simcache import Cache, cached\n@cached(cache=Cache('mine'))\ndef f(n):\n    return n\nprint(f(1))\n"
        )
        programs.write("simcache.toml", "store = \n")

        assert "1" == programs.run("model.py")


def test_results_in_memory_leave_nothing_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store in memory makes no folder for its locks, nor anything else."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    f = cached(cache=Cache(MemoryStore()))(_square)

    assert [9, 9] == [f(3), f(3)]
    assert [] == os.listdir(tmp_path)

"""Code fingerprints are never stale and never needlessly cold: the table of edits, and files that change while a process runs."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from compileall import compile_dir
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from time import sleep
from typing import Any, Self

import pytest

from simcache.identity import closure
from simcache.identity.files import SourceFile, read
from tests.simcache.edits import CASES, Case

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden" / "fingerprints.json"
LONG_AGO = 1_700_000_000

PROBE = '''\
"""What a fresh process tells about a cached function: its key, its code version, and what it computes."""

import importlib
import json
import os
import sys
import traceback


def settle(value):
    """A result as a person would compare it: the first items of a series, what a coroutine returns."""
    if hasattr(value, "gi_frame"):
        return [item for item, _ in zip(value, range(5))]
    if hasattr(value, "cr_frame"):
        import asyncio

        return asyncio.run(value)
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(value)
    return value


def report(function, *args, **kwargs):
    told = {"key": function.key(*args, **kwargs)}
    if hasattr(function, "fingerprint"):
        told["code"] = function.fingerprint().version
    try:
        told["result"] = repr(settle(function.compute(*args, **kwargs)))
    except Exception as problem:
        told["result"] = f"raised {problem!r}"
    print(json.dumps(told))


def look(root, entry, args):
    sys.path.insert(0, root)
    module, _, name = entry.partition(":")
    space = vars(importlib.import_module(module))
    function = eval(name, space)
    args, kwargs = eval(f"(lambda *args, **kwargs: (args, kwargs))({args})", space)
    report(function, *args, **kwargs)


def nursery():
    """Fork a fresh process for every line that comes in: it has imported simcache and nothing of any checkout."""
    import simcache.decorator

    for line in sys.stdin:
        asked = json.loads(line)
        for package in asked["needs"]:
            importlib.import_module(package)
        child = os.fork()
        if child == 0:
            os.environ.update(asked["environment"])
            try:
                look(*asked["look"])
            except BaseException:
                print(json.dumps({"failed": traceback.format_exc()}))
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    look(*sys.argv[1:]) if sys.argv[1:] else nursery()
'''

LIVE = """
import json, os, sys, warnings

sys.path.insert(0, os.environ["CHECKOUT"])
shown = []
warnings.simplefilter("default")
warnings.showwarning = lambda message, category, *where: shown.append(category.__name__)
space = {"__name__": "live"}
for line in sys.stdin:
    exec(json.loads(line), space)
    print(json.dumps({"answer": repr(space.pop("answer", None)), "shown": shown}), flush=True)
    shown.clear()
"""


class World:
    """A checkout, a store, and fresh processes that look at them."""

    def __init__(self, checkout: Path, store: Path, tools: "Tools") -> None:
        self.checkout = checkout
        self.store = store
        self.tools = tools

    def write(self, files: Mapping[str, bytes | str]) -> None:
        """Make the checkout hold these files: only what differs is touched, as an editor would do."""
        wanted = {self.checkout / path: content.encode() if isinstance(content, str) else content for path, content in files.items()}
        for path in [path for path in self.checkout.rglob("*") if path.is_file() and path not in wanted]:
            path.unlink()
        for path, content in wanted.items():
            if not path.exists() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.checkout / path
        content = file.read_text()
        assert content.count(old) == 1, f"{old!r} must stand once in {path}"
        file.write_text(content.replace(old, new))

    def places(self) -> dict[str, str]:
        return {"SIMCACHE_STORE": str(self.store), "XDG_CACHE_HOME": str(self.store.with_name("home"))}

    def environment(self, **more: str) -> dict[str, str]:
        return {**self.tools.environment(), **self.places(), **more}

    def run(self, command: Sequence[str], *, stdin: str | None = None, cwd: Path | None = None, **more: str) -> str:
        """What a fresh Python prints."""
        done = subprocess.run(
            [self.tools.python, *command],
            check=False,
            cwd=cwd or self.tools.folder,
            env=self.environment(**more),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def report(self, case: Case, *, cwd: Path | None = None, **more: str) -> dict[str, Any]:
        """What a fresh process says about the case's entry: key, code version, result."""
        if case.script:
            answer = self.run([str(self.checkout / case.entry)], cwd=cwd, **more)
        else:
            answer = self.run([str(self.tools.probe), str(self.checkout), case.entry, case.args], cwd=cwd, **more)
        told: dict[str, Any] = json.loads(answer.splitlines()[-1])
        return told

    def report_soon(self, case: Case) -> dict[str, Any]:
        """The same from a process that was forked, which starts in a tenth of the time; scripts must start by themselves."""
        if case.script or not hasattr(os, "fork"):
            return self.report(case)
        return self.tools.ask(needs=case.needs, environment=self.places(), look=[str(self.checkout), case.entry, case.args])

    def live(self, **more: str) -> "Live":
        return Live(self, more)

    def ask(self, expression: str) -> str:
        """What a process that starts now gets for an expression over pkg.mod."""
        with self.live() as fresh:
            return fresh.do(f"from pkg.mod import *; answer = {expression}")

    def entries(self) -> list[Path]:
        """The entries in the store, looked at from behind."""
        return sorted((self.store / "entries").rglob("*.json"))


class Live:
    """A process that goes on running while files change under it, told what to do line by line."""

    def __init__(self, world: World, more: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [world.tools.python, "-c", LIVE],
            cwd=world.tools.folder,
            env=world.environment(CHECKOUT=str(world.checkout), **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self.shown: list[str] = []
        """The classes of the warnings that a user has seen so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.process.kill()
        self.process.communicate()

    def start(self, source: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(source) + "\n")
        self.process.stdin.flush()

    def finish(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process ended"
        told = json.loads(line)
        self.shown += told["shown"]
        return str(told["answer"])

    def do(self, source: str) -> str:
        """Run this source there, and give the repr of what `answer` is afterwards."""
        self.start(source)
        return self.finish()


class Tools:
    """A Python, and the folder that holds the probe: on the path of every child process, and no part of any checkout."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self.folder = folder
        self.python = python
        self.probe = folder / "probe.py"
        self.probe.write_text(PROBE)
        self.nursery: subprocess.Popen[str] | None = None

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(self.folder))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONIOENCODING": "utf-8",
            "OPENBLAS_NUM_THREADS": "1",  # a process without threads is safely forked
        }

    def ask(self, **wanted: object) -> dict[str, Any]:
        """What a newly forked process tells."""
        if self.nursery is None:
            command = [self.python, str(self.probe)]
            self.nursery = subprocess.Popen(
                command, cwd=self.folder, env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
            )
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        self.nursery.stdin.write(json.dumps(wanted) + "\n")
        self.nursery.stdin.flush()
        told: dict[str, Any] = json.loads(self.nursery.stdout.readline())
        assert "failed" not in told, told["failed"]
        return told

    def close(self) -> None:
        if self.nursery is not None:
            self.nursery.communicate()


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    compile_dir(ROOT / "simcache", quiet=2)  # the children write no bytecode, so they would compile it anew each time
    made = Tools(tmp_path_factory.mktemp("tools"))
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, tools: Tools) -> World:
    return World(tmp_path / "checkout", tmp_path / "store", tools)


def package(text: str, **modules: str) -> dict[str, str]:
    """The files of a package whose pkg.mod is this text, with `cached` imported."""
    files = {"pkg/__init__.py": "", "pkg/mod.py": "from simcache import cached\n" + dedent(text)}
    return {**files, **{f"pkg/{name}.py": dedent(content) for name, content in modules.items()}}


def ids(cases: Sequence[Case]) -> list[str]:
    return [case.name for case in cases]


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def lacks(case: Case) -> str:
    """Why this case cannot run here; empty if it can."""
    if missing := [name for name in case.needs if find_spec(name) is None]:
        return f"{', '.join(missing)} is not installed"
    return f"needs Python {case.python[0]}.{case.python[1]}" if case.python > sys.version_info[:2] else ""


def skip_where_it_cannot_run(case: Case) -> None:
    if reason := lacks(case):
        pytest.skip(reason)


# ---------------------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_an_edit_changes_the_key_or_keeps_it(case: Case, world: World) -> None:
    """A real edit of a real file, seen by two fresh processes: the key changes if and only if the table says so."""
    check_an_edit(case, world, world.report_soon)


@pytest.mark.deep
@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_an_edit_changes_the_key_or_keeps_it_in_processes_of_their_own(case: Case, world: World) -> None:
    """The same, where each process starts from nothing."""
    check_an_edit(case, world, world.report)


def check_an_edit(case: Case, world: World, report: Callable[[Case], dict[str, Any]]) -> None:
    skip_where_it_cannot_run(case)
    world.write(case.before)
    before = report(case)
    world.write(case.after)
    after = report(case)

    assert (before["result"] != after["result"]) == (case.result == "changes"), "the table is wrong about the results"
    assert case.key == ("changes" if before["key"] != after["key"] else "same")


def test_the_table_is_long() -> None:
    """The proof stands on hundreds of edits of both kinds."""
    assert sum(case.key == "changes" for case in CASES) >= 300
    assert sum(case.key == "same" for case in CASES) >= 80


@pytest.mark.parametrize("name", ["the function itself", "a callee two modules away", "a module constant: an int"])
def test_an_edit_that_keeps_a_files_size_and_time_is_seen(name: str, world: World) -> None:
    """What is remembered about a file is never trusted by its time alone."""
    case = named(name)
    keys = set()
    for files in (case.before, case.after):
        world.write(files)
        for path in world.checkout.rglob("*.py"):
            os.utime(path, (LONG_AGO, LONG_AGO))
        keys.add(world.report(case)["key"])

    assert len(keys) == 2


# --------------------------------------------------------------------------------------- the same code, seen otherwise


def in_place(world: World, case: Case) -> dict[str, Any]:
    return world.report(case)


def from_another_folder(world: World, case: Case) -> dict[str, Any]:
    return world.report(case, cwd=world.checkout)


def with_hash_seed_1(world: World, case: Case) -> dict[str, Any]:
    return world.report(case, PYTHONHASHSEED="1")


def with_hash_seed_2(world: World, case: Case) -> dict[str, Any]:
    return world.report(case, PYTHONHASHSEED="2")


def from_another_checkout(world: World, case: Case) -> dict[str, Any]:
    other = World(world.checkout.parent / "elsewhere" / "deeper é", world.store, world.tools)
    shutil.copytree(world.checkout, other.checkout)
    return other.report(case)


def through_a_link(world: World, case: Case) -> dict[str, Any]:
    other = World(world.checkout.with_name("linked"), world.store, world.tools)
    other.checkout.symlink_to(world.checkout, target_is_directory=True)
    return other.report(case)


def with_touched_files(world: World, case: Case) -> dict[str, Any]:
    for path in world.checkout.rglob("*.py"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return world.report(case)


def with_bytecode_written(world: World, case: Case) -> dict[str, Any]:
    return world.report(case, PYTHONDONTWRITEBYTECODE="")


def with_bytecode_read(world: World, case: Case) -> dict[str, Any]:
    return world.report(case, PYTHONDONTWRITEBYTECODE="")


def in_development_mode(world: World, case: Case) -> dict[str, Any]:
    return world.report(case, PYTHONDEVMODE="1")


def without_a_memo(world: World, case: Case) -> dict[str, Any]:
    return world.report(case, XDG_CACHE_HOME=str(world.store.with_name("new")), SIMCACHE_STORE=str(world.store.with_name("other")))


VIEWS = (
    in_place,
    from_another_folder,
    with_hash_seed_1,
    with_hash_seed_2,
    from_another_checkout,
    through_a_link,
    with_touched_files,
    with_bytecode_written,
    with_bytecode_read,
    in_development_mode,
    without_a_memo,
)

SAMPLE = [
    named(name)
    for name in (
        "CRLF line ends",
        "sets of strings in the code and in a constant",
        "the place of the file, kept in a constant",
        "a logger, a lock and a sentinel of the module are used",
        "a script: a helper",
        "a registry filled by a decorator in another module",
        "a lazily exported callee, imported in the function",
        "a closure over an instance",
        "a method of a dataclass given as an argument",
        "a field of the class that the return annotation names",
        "a pydantic validator",
        "code= names a package: a file of a subpackage",
    )
]


def check_every_view(case: Case, world: World) -> None:
    skip_where_it_cannot_run(case)
    world.write({**case.before, "pyproject.toml": b""})
    expected = world.report(case)

    assert {view.__name__: expected for view in VIEWS} == {view.__name__: view(world, case) for view in VIEWS}


@pytest.mark.parametrize("case", SAMPLE, ids=ids(SAMPLE))
def test_a_key_does_not_depend_on_where_and_how_a_process_runs(case: Case, world: World) -> None:
    """Checkout path, links, working directory, hash seed, file times, bytecode, development mode: one key, one result."""
    check_every_view(case, world)


@pytest.mark.deep
@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_no_key_depends_on_where_and_how_a_process_runs(case: Case, world: World) -> None:
    """The same for every case of the table, with everything different at once."""
    skip_where_it_cannot_run(case)
    world.write({**case.before, "pyproject.toml": b""})
    other = World(world.checkout.parent / "elsewhere" / "deeper é", world.store.with_name("other"), world.tools)
    other.write({**case.before, "pyproject.toml": b""})
    for path in other.checkout.rglob("*.py"):
        os.utime(path, (LONG_AGO, LONG_AGO))

    seen = other.report(case, cwd=other.checkout, PYTHONHASHSEED="7", PYTHONDEVMODE="1", XDG_CACHE_HOME=str(world.store.with_name("new")))
    assert seen == world.report_soon(case)


# ------------------------------------------------------------------------------------------------- golden versions

GOLDEN_CASES = (
    "the function itself",
    "a callee two modules away",
    "a lazily exported callee, read as an attribute",
    "a constant that other constants make",
    "a dict filled by a loop",
    "a registry filled by a decorator in another module",
    "functools.partial of an imported function",
    "a closure's captured dict",
    "a decorator's own callee in another module",
    "a method of a base class's base class in another module",
    "a metaclass",
    "__post_init__",
    "a pydantic validator",
    "a match pattern",
    "the text of an f-string",
    "a generator function, which is a series",
    "the return annotation of the cached function",
    "CRLF line ends",
)


def golden_versions(folder: Path, tools: Tools) -> dict[str, str]:
    found = {}
    for number, case in enumerate(map(named, GOLDEN_CASES)):
        if not lacks(case):
            world = World(folder / str(number), folder / "store", tools)
            world.write(case.before)
            found[case.name] = world.report_soon(case)["code"]
    return found


def test_a_package_that_counts_as_a_whole_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lazy face is met at each of its names, and tells the same at all of them."""
    seen: list[str] = []

    def noted(path: str) -> SourceFile | None:
        seen.append(path)
        return read(path)

    monkeypatch.setattr(closure, "read", noted)
    followed = closure.Closure("pkg", ())

    followed.package("simcache")
    first, parts = list(seen), dict(followed.parts)
    followed.package("simcache")

    assert len(first) == len(set(first)) == len(parts) > 1
    assert (seen, followed.parts) == (first, parts)


def test_code_versions_are_golden(tmp_path: Path, tools: Tools) -> None:
    """Committed versions: a change of them makes every store cold, so it is a decision (run this file) and never an accident."""
    found = golden_versions(tmp_path, tools)

    assert {name: version for name, version in json.loads(GOLDEN.read_text()).items() if not lacks(named(name))} == found


WITHOUT_TEXT = {"a function defined by exec at import"}
"""What has no source is known by its bytecode, and every minor version of Python has its own."""


@cache
def other_pythons() -> dict[str, str]:
    """Every other minor version of Python that can be found here: its name and its program."""
    homes = [Path(home) for home in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv") if home]
    found: dict[str, str] = {}
    for minor in {11, 12, 13, 14} - {sys.version_info[1]}:
        name = f"python3.{minor}"
        for program in (shutil.which(name), *sorted({str(path) for home in homes for path in home.glob(f"versions/*/bin/{name}")})):
            if program and subprocess.run([program, "-c", "import venv"], check=False, capture_output=True).returncode == 0:
                found.setdefault(name, program)
    return found


@pytest.fixture
def another(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Another Python, in an environment with other versions of the packages."""
    program = other_pythons().get(str(request.param))
    if program is None:
        pytest.skip(f"{request.param} is not here, or is the one that runs")
    subprocess.run([program, "-m", "venv", str(tmp_path / "venv")], check=True, capture_output=True)
    python = str(tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
    wanted = ["numpy<2.4", "xxhash<3.6", "pydantic<2.12"]
    if subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=False, capture_output=True).returncode:
        pytest.skip(f"{', '.join(wanted)} cannot be installed for {request.param}")
    return python


@pytest.mark.deep
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("another", ["python3.11", "python3.12", "python3.13", "python3.14"], indirect=True)
def test_other_pythons_give_the_same_keys(another: str, tmp_path: Path, tools: Tools) -> None:
    """Another minor version of Python, numpy and pydantic: the same key, before and after every edit of the table."""
    (tmp_path / "tools").mkdir()
    elsewhere = Tools(tmp_path / "tools", another)
    differing = []
    for number, case in enumerate(CASES):
        if lacks(case) or "numba" in case.needs or case.name in WITHOUT_TEXT:
            continue
        here = World(tmp_path / str(number) / "checkout", tmp_path / "store", tools)
        there = World(here.checkout, here.store, elsewhere)
        for files in (case.before, case.after):
            here.write(files)
            try:
                expected, seen = here.report_soon(case), there.report_soon(case)
                differing += [f"{case.name}: {part}" for part in ("key", "code") if expected.get(part) != seen.get(part)]
            except AssertionError as problem:
                differing.append(f"{case.name}: {problem}")

    elsewhere.close()
    assert differing == []


# ------------------------------------------------------------------------------ files that change while a process runs

MODULE = """
import pkg.callee
def g(x): return x * 2
@cached
def f(x): return g(x) + pkg.callee.h(x)
def below(x): return 0
"""
CALLEE = "def h(x): return x * 10\n"
EDITS = {
    "in the module": ("pkg/mod.py", "x * 2", "x * 3", 13),
    "in a callee's module": ("pkg/callee.py", "x * 10", "x * 20", 22),
    "with other lines": ("pkg/mod.py", "def g(x): return x * 2", "def new(x): return 7\n\n\ndef g(x): return x * 5", 15),
}


@pytest.fixture
def twelve(world: World) -> World:
    """A checkout whose f(x) is 12 x: 2 x from the function's module, 10 x from another one."""
    world.write(package(MODULE, callee=CALLEE))
    return world


@pytest.mark.parametrize(("path", "old", "new", "slope"), EDITS.values(), ids=EDITS)
def test_an_edit_before_the_first_call_is_computed_and_not_stored(path: str, old: str, new: str, slope: int, twelve: World) -> None:
    """The old code runs on in this process; its results are returned and not kept, which is said once."""
    with twelve.live() as process:
        process.do("from pkg.mod import f")
        twelve.edit(path, old, new)

        assert process.do("answer = f(1)") == "12"
        assert process.do("answer = f(2)") == "24"
        assert process.shown == ["NotStored"]
    assert twelve.entries() == []
    assert twelve.ask("f(1)") == str(slope)


@pytest.mark.parametrize(("path", "old", "new", "slope"), EDITS.values(), ids=EDITS)
def test_an_edit_between_two_calls_stops_the_storing(path: str, old: str, new: str, slope: int, twelve: World) -> None:
    """What was stored before the edit stays good for the old code; the new code never gets it."""
    with twelve.live() as process:
        assert process.do("from pkg.mod import f; answer = f(1)") == "12"
        assert len(twelve.entries()) == 1
        twelve.edit(path, old, new)

        assert [process.do(f"answer = f({x})") for x in (1, 2, 3)] == ["12", "24", "36"]
        assert process.shown == ["NotStored"]
    assert len(twelve.entries()) == 1
    assert [twelve.ask(f"f({x})") for x in (1, 2)] == [str(slope), str(2 * slope)]
    twelve.edit(path, new, old)
    assert [twelve.ask(f"f({x})") for x in (1, 2)] == ["12", "24"]


@pytest.mark.parametrize(("path", "old", "new", "slope"), EDITS.values(), ids=EDITS)
def test_an_edit_during_the_call_never_reaches_the_new_code(path: str, old: str, new: str, slope: int, twelve: World) -> None:
    """A file saved while its function runs: the result is right, and is never the answer of the new code."""
    gate, reached = twelve.store.with_name("gate"), twelve.store.with_name("reached")
    waits = f"""def f(x):
    from time import sleep
    from pathlib import Path
    Path({str(reached)!r}).touch()
    while not Path({str(gate)!r}).exists():
        sleep(0.005)
    return"""
    twelve.edit("pkg/mod.py", "def f(x): return", waits)
    with twelve.live() as process:
        process.start("from pkg.mod import f; answer = f(1)")
        while not reached.exists():
            assert process.process.poll() is None
        twelve.edit(path, old, new)
        gate.touch()

        assert process.finish() == "12"
        assert process.do("answer = f(1)") == "12"
    assert twelve.ask("f(1)") == str(slope)
    twelve.edit(path, new, old)
    assert twelve.ask("f(1)") == "12"


WORKED_OUT = {
    "a decorator's argument": ("def add(n):\n    return lambda f: lambda x: f(x) + n\n@add({})\ndef h(x): return x\n", "1", "2"),
    "a base class": ("class B:\n    A = 1\nclass C:\n    A = 2\nclass D({}): pass\ndef h(x): return x + D.A\n", "B", "C"),
    "a default that is computed": ("def make(n): return [n]\ndef h(x, n=make({})): return x + n[0]\n", "1", "2"),
    "a member of an enumeration": ("from enum import Enum\nclass E(Enum):\n    A = {}\ndef h(x): return x + E.A.value\n", "1", "2"),
    "what an import binds": ("from math import {} as r\ndef h(x): return r(x + 0.5)\n", "floor", "ceil"),
    "an attribute set from outside": ("class C: pass\nC.A = {}\ndef h(x): return x + C.A\n", "1", "2"),
    "a constant that is computed": ("def make(n): return [n]\nT = make({})\ndef h(x): return x + T[0]\n", "1", "2"),
    "what a computed constant is made by": ("def make(n): return [n + {}]\nT = make(0)\ndef h(x): return x + T[0]\n", "1", "2"),
    "a star import's module": ("from pkg.{} import *\ndef h(x): return x + STEP\n", "one", "two"),
    "what is made of a value that is bound anew": ("K = {}\nT = [K] * 2\ndef h(x): return x + T[0]\n", "1", "2"),
    "what a star import may take": ("from pkg.one import *\nfrom pkg.{} import *\ndef h(x): return x + STEP\n", "two", "three"),
    "a compiled pattern": ("import re\nR = re.compile('{}')\ndef h(x): return x + len(R.findall('aab'))\n", "a+", "a"),
}


@pytest.mark.parametrize(("text", "old", "new"), WORKED_OUT.values(), ids=WORKED_OUT)
@pytest.mark.parametrize("when", ["before the first call", "between two functions' calls"])
def test_an_edit_of_what_a_module_worked_out_is_not_the_running_code(text: str, old: str, new: str, when: str, world: World) -> None:
    """Enumerations, bases, decorators, defaults: no function's code tells that they were edited, and there is no bytecode to ask."""
    calls = "from pkg import callee\n@cached\ndef f(x): return callee.h(x)\n@cached\ndef first(x): return callee.h(x) * 0\n"
    world.write(package(calls, callee=text.format(old), one="STEP = 1\n", two="STEP = 2\n", three="__all__ = []\nSTEP = 3\n"))
    with world.live() as process:
        process.do("from pkg.mod import f, first")
        if when != "before the first call":
            process.do("first(1)")
        ran = process.do("from pkg import callee; answer = callee.h(1)")
        stored = world.entries()
        world.edit("pkg/callee.py", text.format(old), text.format(new))

        assert process.do("answer = f(1)") == ran
        assert process.shown == ["NotStored"]
    assert world.entries() == stored
    assert world.ask("f(1)") != ran


def test_an_edit_after_the_function_imported_the_module_itself(world: World) -> None:
    """What one function imports as it runs is edited before another one asks for it: it runs the old code, which is not the text's."""
    callee = "from enum import Enum\nclass E(Enum):\n    A = 1\ndef h(x): return x + E.A.value\n"
    calls = "".join(f"@cached\ndef {name}(x):\n    from pkg import callee\n    return callee.h(x)\n" for name in "fg")
    world.write(package(calls, callee=callee))
    with world.live() as process:
        assert process.do("from pkg.mod import f, g; answer = f(1)") == "2"
        stored = world.entries()
        world.edit("pkg/callee.py", "A = 1", "A = 2")

        assert process.do("answer = g(1)") == "2"
        assert process.shown == ["NotStored"]
    assert world.entries() == stored
    assert world.ask("g(1)") == "3"


@pytest.mark.parametrize(
    ("files", "edit", "before"),
    [
        (
            {"mod": "from pkg.b import *\nfrom pkg.c import *\n@cached\ndef f(x): return h(x)\n", "b": "def h(x): return x + 1\n"},
            (
                "c",
                "__all__ = ['h', 'k']\ndef h(x): return x + 2\ndef k(): return 0\n",
                "__all__ = ['k']\ndef h(x): return x + 2\ndef k(): return 0\n",
            ),
            "",
        ),
        (
            {"mod": "import pkg.c\n@cached\ndef f(x): return len([name for name in vars(pkg.c) if not name.startswith('_')])\n"},
            ("c", "def a(): return 1\ndef b(): return 2\n", "def b(): return 2\n"),
            "",
        ),
        (
            {"mod": "from pkg import c\n@cached\ndef f(x): return c.T[0] + x\n"},
            ("c", "K = 1\nT = [K] * 2\n", "K = 2\nT = [K] * 2\n"),
            "from pkg import c; c.K = 2",
        ),
        (
            {"mod": "from pkg.c import C\n@cached\ndef f(x): return made.run(x)\nmade = C()\n"},
            ("c", "class C:\n    def run(self, x): return x + 1\n", "class C:\n    def run(self, x): return x + 2\n"),
            "RELOAD",
        ),
        (
            {"mod": "from pkg import n\n@cached\ndef f(x): return n.E().run(x)\n", "n": "from pkg import c\nclass E(c.C): pass\n"},
            ("c", "class C:\n    def run(self, x): return x + 1\n", "class C:\n    def run(self, x): return x + 2\n"),
            "RELOAD",
        ),
        (
            {"mod": "from pkg.c import h\n@cached\ndef f(x): return h(x)\n"},
            (
                "c",
                "def add(n): return lambda f: lambda x: f(x) + n\n@add(1)\ndef h(x): return x\n",
                "def add(n): return lambda f: lambda x: f(x) + n\n@add(2)\ndef h(x): return x\n",
            ),
            "RELOAD",
        ),
    ],
    ids=[
        "what a star exports",
        "a name that goes",
        "a value bound anew",
        "an instance of before",
        "a base of before",
        "a wrapper of before",
    ],
)
def test_what_runs_is_never_stored_for_what_the_files_say(
    files: dict[str, str], edit: tuple[str, str, str], before: str, world: World
) -> None:
    """Whatever was edited, bound anew or loaded again: a fresh process gets what its text computes."""
    name, old, new = edit
    text = files["mod"]
    world.write(package(text, **{**{other: held for other, held in files.items() if other != "mod"}, name: old}))
    with world.live() as process:
        process.do("import importlib; from pkg.mod import f; f.key(0)")
        process.do(before if before != "RELOAD" else "pass")
        world.edit(f"pkg/{name}.py", old, new)
        if before == "RELOAD":
            process.do(f"import pkg.{name}; importlib.reload(pkg.{name})")
        process.do("answer = f(1)")
    cached_one, computed = world.ask("f(1)"), world.ask("f.compute(1)")

    assert cached_one == computed


def test_a_script_that_is_run_twice_in_one_process_is_stored_both_times(world: World) -> None:
    """Edited in between: the second run is of the new text, and its results are kept."""
    world.write({"pyproject.toml": "", "script.py": SCRIPT})
    run = f"with redirect_stdout(StringIO()): runpy.run_path({str(world.checkout / 'script.py')!r})"
    with world.live() as process:
        process.do("import runpy; from contextlib import redirect_stdout; from io import StringIO")
        process.do(run)
        world.edit("script.py", "SCALE = 2", "SCALE = 3")
        process.do(run)

        assert process.shown == []
    assert len(world.entries()) == 2


@pytest.mark.parametrize("broken", ["def (\n", None], ids=["half saved", "gone"])
def test_a_file_that_says_nothing_is_no_outside_module(broken: str | None, world: World) -> None:
    """Two processes have loaded two versions of a module whose file is unreadable when they call: neither answers for the other."""
    world.write(package("import pkg.callee\n@cached\ndef f(x): return pkg.callee.h(x)\n", callee="def h(x): return x + 1\n"))
    answers = []
    for step in (1, 2):
        (world.checkout / "pkg" / "callee.py").write_text(f"def h(x): return x + {step}\n")
        with world.live() as process:
            process.do("from pkg.mod import f")
            if broken is None:
                (world.checkout / "pkg" / "callee.py").unlink()
            else:
                (world.checkout / "pkg" / "callee.py").write_text(broken)
            answers.append(process.do("answer = f(1)"))

    assert answers == ["2", "3"]


def test_an_edit_elsewhere_in_a_file_goes_on_being_stored(world: World) -> None:
    """An enumeration is edited that nothing of the function reaches: its results are still those of the text."""
    text = "from enum import Enum\nclass E(Enum):\n    A = 1\nclass Other(Enum):\n    A = 1\ndef h(x): return x + E.A.value\n"
    world.write(package("from pkg import callee\n@cached\ndef f(x): return callee.h(x)\n", callee=text))
    key = world.ask("f.key(1)").strip("'")
    with world.live() as process:
        process.do("from pkg.mod import f")
        world.edit("pkg/callee.py", "class Other(Enum):\n    A = 1", "# other\nclass Other(Enum):\n    A = 3")

        assert process.do("answer = f(1)") == "2"
        assert process.shown == []
    assert [entry.name.partition(".")[0] for entry in world.entries()] == [key]


def test_what_is_worked_out_anew_by_a_reload_is_stored(world: World) -> None:
    """The module was edited and loaded again: its enumeration is that of the text."""
    text = "from enum import Enum\nclass E(Enum):\n    A = 1\ndef h(x): return x + E.A.value\n"
    world.write(package("from pkg import callee\n@cached\ndef f(x): return callee.h(x)\n", callee=text))
    with world.live() as process:
        process.do("import importlib; from pkg.mod import f; from pkg import callee; f.key(1)")
        world.edit("pkg/callee.py", "A = 1", "A = 2")

        assert process.do("importlib.reload(callee); answer = f(1)") == "3"
        assert process.shown == []
    assert len(world.entries()) == 1
    assert world.ask("f(1)") == "3"


def test_an_import_inside_the_function_after_an_edit_is_the_new_code(world: World) -> None:
    """The callee's module is edited before the call that imports it: its new code runs, so its new code is the key."""
    world.write(package("@cached\ndef f(x):\n    from pkg.callee import h\n    return h(x)\n", callee=CALLEE))
    with world.live() as process:
        process.do("from pkg.mod import f")
        world.edit("pkg/callee.py", "x * 10", "x * 20")

        assert process.do("answer = f(1)") == "20"
    assert world.ask("f(1)") == "20"
    world.edit("pkg/callee.py", "x * 20", "x * 10")
    assert world.ask("f(1)") == "10"


def test_an_edit_between_the_key_and_the_import_inside_the_function(world: World) -> None:
    """The key was asked before the edit, the callee's module is imported after it: the result is not kept for the old code."""
    world.write(package("@cached\ndef f(x):\n    from pkg.callee import h\n    return h(x)\n", callee=CALLEE))
    with world.live() as process:
        process.do("from pkg.mod import f; f.key(1)")
        world.edit("pkg/callee.py", "x * 10", "x * 20")

        assert process.do("answer = f(1)") == "20"
    world.edit("pkg/callee.py", "x * 20", "x * 10")
    assert world.ask("f(1)") == "10"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def g(x): return x * 2", "# one\n# two\n# three\ndef g(x): return x * 2  # four"),
        ("def g(x): return x * 2", 'def first(x): return 1\n\n\ndef g(x):\n    """Twice."""\n    return x * 2'),
        ("def below(x): return 0", "def below(x): return 5"),
    ],
    ids=["comments", "another function above", "another function below"],
)
@pytest.mark.parametrize("when", ["before the first call", "between two calls"])
def test_an_edit_that_changes_nothing_harms_nothing(old: str, new: str, when: str, twelve: World) -> None:
    """Moved lines never make a process take one function's text for another's: a result is kept rightly, or not at all."""
    key = twelve.ask("f.key(2)").strip("'")
    with twelve.live() as process:
        process.do("from pkg.mod import f" if when == "before the first call" else "from pkg.mod import f; f(1)")
        stored = twelve.entries()
        twelve.edit("pkg/mod.py", old, new)

        assert process.do("answer = f(2)") == "24"
        added = [entry.name.partition(".")[0] for entry in twelve.entries() if entry not in stored]
        assert (added, process.shown) in [([key], []), ([], ["NotStored"])]
    assert twelve.ask("f(2)") == "24"
    assert twelve.ask("f.key(2)").strip("'") == key


@pytest.mark.parametrize("asked", ["os.environ.get('TWICE')", "len(__import__('os').environ['TWICE'])"])
@pytest.mark.parametrize("where", ["mod", "callee"])
def test_which_of_two_definitions_is_loaded_counts(where: str, asked: str, world: World) -> None:
    """The environment is not followed, but the function that it chose is."""
    made = f"import os\nif {asked}:\n    def h(x): return x * 2\nelse:\n    def h(x): return x * 3\n"
    if where == "mod":
        world.write(package(f"{made}@cached\ndef f(x): return h(x)\n"))
    else:
        world.write(package("from pkg.callee import h\n@cached\ndef f(x): return h(x)\n", callee=made))
    answers = []
    for twice in ("", "1", "", "1"):
        with world.live(TWICE=twice) as process:
            answers.append(process.do("from pkg.mod import f; answer = f(1)"))

    assert answers == ["3", "2", "3", "2"]
    assert len(world.entries()) == 2


def test_a_file_that_is_gone_harms_nothing(twelve: World) -> None:
    """The checkout is removed under a running process: it goes on, and nothing wrong is kept."""
    with twelve.live() as process:
        process.do("from pkg.mod import f")
        (twelve.checkout / "pkg" / "callee.py").unlink()

        assert process.do("answer = f(1)") == "12"
    twelve.write(package(MODULE, callee=CALLEE.replace("10", "20")))
    assert twelve.ask("f(1)") == "22"


def test_a_file_that_is_half_written_harms_nothing(twelve: World) -> None:
    """An editor is in the middle of a save, so the text is no Python: the process goes on, and nothing wrong is kept."""
    with twelve.live() as process:
        process.do("from pkg.mod import f")
        twelve.edit("pkg/callee.py", "x * 10", "x * (")

        assert process.do("answer = f(1)") == "12"
    twelve.edit("pkg/callee.py", "x * (", "x * 20")
    assert twelve.ask("f(1)") == "22"


def test_a_module_loaded_again_is_the_new_code(twelve: World) -> None:
    """importlib.reload after an edit: the new function answers for itself."""
    with twelve.live() as process:
        assert process.do("import importlib, pkg.mod; answer = pkg.mod.f(1)") == "12"
        twelve.edit("pkg/mod.py", "x * 2", "x * 3")

        assert process.do("importlib.reload(pkg.mod); answer = pkg.mod.f(1)") == "13"
    assert twelve.ask("f(1)") == "13"
    twelve.edit("pkg/mod.py", "x * 3", "x * 2")
    assert twelve.ask("f(1)") == "12"


def test_a_callee_kept_from_before_a_reload_is_the_old_code(world: World) -> None:
    """Only the callee's module is loaded again: the name that was bound before still stands for the old code."""
    world.write(package("from pkg.callee import h\n@cached\ndef f(x): return h(x)\n", callee=CALLEE))
    with world.live() as process:
        process.do("import importlib, pkg.mod, pkg.callee")
        world.edit("pkg/callee.py", "x * 10", "x * 20")

        assert process.do("importlib.reload(pkg.callee); answer = pkg.mod.f(1)") == "10"
    assert world.ask("f(1)") == "20"


def test_a_constant_kept_from_before_a_reload_is_the_old_one(world: World) -> None:
    """The same for a constant: what this process holds decides, not the text of the file."""
    world.write(package("from pkg.other import K\n@cached\ndef f(x): return x * K\n", other="K = 2\n"))
    with world.live() as process:
        process.do("import importlib, pkg.mod, pkg.other")
        world.edit("pkg/other.py", "K = 2", "K = 3")

        assert process.do("importlib.reload(pkg.other); answer = pkg.mod.f(1)") == "2"
    assert world.ask("f(1)") == "3"


@pytest.mark.parametrize("pause", [0, 0.5], ids=["just edited", "edited a while ago"])
@pytest.mark.parametrize(
    ("path", "old", "new"),
    [("pkg/mod.py", "x * 2", "x * 3"), ("pkg/callee.py", "x * 10", "x * 11"), ("pkg/other.py", "[10]", "[11]")],
    ids=["the function", "a callee", "a constant"],
)
def test_stale_bytecode_never_answers_for_the_new_text(path: str, old: str, new: str, pause: float, world: World) -> None:
    """Python runs old bytecode when an edit keeps a file's size and time: that result is not the new code's."""
    text = "from pkg import callee, other\n@cached\ndef f(x): return x * 2 + callee.h(x) + other.K\n"
    world.write(package(text, callee=CALLEE, other="K = [10][0]\n"))
    file = world.checkout / path
    os.utime(file, (LONG_AGO, LONG_AGO))
    with world.live(PYTHONDONTWRITEBYTECODE="") as process:
        process.do("from pkg.mod import f")
    world.edit(path, old, new)
    os.utime(file, (LONG_AGO, LONG_AGO))
    sleep(pause)
    with world.live() as process:
        assert process.do("from pkg.mod import f; answer = f(1)") == "22", "Python itself should be fooled here"
    shutil.rmtree(file.parent / "__pycache__")
    assert world.ask("f(1)") == "23"


def test_bytecode_that_python_passes_over_does_not_keep_a_result_from_being_stored(world: World) -> None:
    """Where Python writes none, that of an earlier text stays behind: Python sees that it is of another text, and reads the new one."""
    world.write(package("@cached\ndef f(x): return x * 2\n"))
    with world.live(PYTHONDONTWRITEBYTECODE="") as process:
        process.do("from pkg.mod import f")
    world.edit("pkg/mod.py", "x * 2", "x * 30")
    sleep(0.2)  # what is as young as the process might have been edited under it
    with world.live(PYTHONDONTWRITEBYTECODE="1") as process:
        assert process.do("from pkg.mod import f; answer = f(1)") == "30"

    assert len(world.entries()) == 1


def test_code_without_its_source_is_never_stale(world: World) -> None:
    """Only bytecode is shipped: it works, and another version of it is another key or is not kept."""
    answers = []
    for factor in (2, 3):
        world.write(package(f"@cached\ndef f(x): return x * {factor}\n"))
        world.run(["-m", "compileall", "-q", "-f", "-b", str(world.checkout)])
        for path in world.checkout.rglob("*.py"):
            path.unlink()
        answers += [world.ask("f(1)"), world.ask("f(1)")]

    assert answers == ["2", "2", "3", "3"]


def test_code_in_a_zip_archive_is_never_stale(world: World) -> None:
    """A package imported from an archive works, and its next version is another key or is not kept."""
    answers = []
    for factor in (2, 3):
        world.write(package(f"@cached\ndef f(x): return x * {factor}\n"))
        archive = shutil.make_archive(str(world.store.with_name("archive")), "zip", world.checkout)
        use = f"import sys; sys.path.insert(0, {archive!r}); from pkg.mod import f; print(f(1))"
        answers += [world.run(["-c", use]).strip(), world.run(["-c", use]).strip()]

    assert answers == ["2", "2", "3", "3"]


# --------------------------------------------------------------------------------- names bound anew while a process runs

REBOUND = """
from pkg import other
FACTOR = 2
TABLE = {"a": [2]}
class Model:
    scale = 2
    def run(self, x): return x * 2
MODEL = Model()
MODEL.own = 2
def g(x): return x * 2
def box():
    value = 2
    def get(x): return x * value
    def put(new):
        nonlocal value
        value = new
    return get, put
get, put = box()
def default(x, factor=2): return x * factor
def marked(x): return x * marked.factor
marked.factor = 2
def far(x): return near(x)
def near(x): return x * FACTOR
@cached
def constant(x): return x * FACTOR
@cached
def imported(x): return x * other.FACTOR
@cached
def table(x): return x * TABLE["a"][0]
@cached
def callee(x): return g(x)
@cached
def deep(x): return far(x)
@cached
def method(x): return Model().run(x)
@cached
def attribute(x): return x * Model.scale
@cached
def instance(x): return x * MODEL.own
@cached
def captured(x): return get(x)
@cached
def defaulted(x): return default(x)
@cached
def tagged(x): return marked(x)
@cached
def lazy(x):
    from pkg.other import FACTOR as factor
    return x * factor
@cached
def builtin(x): return abs(x) * 2
"""
REBINDINGS = {
    "a constant": ("constant", "mod.FACTOR = 3"),
    "a constant of another module": ("imported", "mod.other.FACTOR = 3"),
    "a constant imported in the function": ("lazy", "mod.other.FACTOR = 3"),
    "a callee's callee's constant": ("deep", "mod.FACTOR = 3"),
    "a callee's callee": ("deep", "mod.near = lambda x: x * 3"),
    "a dict": ("table", 'mod.TABLE = {"a": [3]}'),
    "a dict in place": ("table", 'mod.TABLE["a"] = [3]'),
    "a list inside a dict in place": ("table", 'mod.TABLE["a"][0] = 3'),
    "a callee": ("callee", "mod.g = lambda x: x * 3"),
    "a callee's code": ("callee", "mod.g.__code__ = (lambda x: x * 3).__code__"),
    "a method": ("method", "mod.Model.run = lambda self, x: x * 3"),
    "a class": ("method", 'mod.Model = type("Model", (), {"run": lambda self, x: x * 3})'),
    "a class attribute": ("attribute", "mod.Model.scale = 3"),
    "an attribute of an instance": ("instance", "mod.MODEL.own = 3"),
    "a captured variable": ("captured", "mod.put(3)"),
    "a default": ("defaulted", "mod.default.__defaults__ = (3,)"),
    "an attribute of a function": ("tagged", "mod.marked.factor = 3"),
    "a builtin": ("builtin", "mod.abs = lambda x: x * 1.5"),
}


@pytest.mark.parametrize(("name", "rebind"), REBINDINGS.values(), ids=REBINDINGS)
@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after a call"])
def test_what_is_bound_anew_is_never_served_the_old_result(name: str, rebind: str, called: bool, world: World) -> None:
    """A patched process gets its own results, and leaves none of them to the processes after it."""
    world.write(package(REBOUND, other="FACTOR = 2\n"))
    with world.live() as process:
        process.do("import pkg.mod as mod")
        if called:
            assert process.do(f"answer = mod.{name}(2)") == "4"
        process.do(rebind)

        assert process.do(f"answer = int(mod.{name}(2))") == "6"
        assert process.do(f"answer = int(mod.{name}(2))") == "6"
    assert world.ask(f"{name}(2)") == "4"


def test_a_patch_that_is_taken_back_gets_the_old_result_again(world: World) -> None:
    """A test's monkeypatch leaves nothing behind, in this process or in the store."""
    world.write(package(REBOUND, other="FACTOR = 2\n"))
    with world.live() as process:
        process.do("import pkg.mod as mod; old = mod.g")
        patches = ("mod.g = old", "mod.g = lambda x: 0", "mod.g = old", "mod.g = lambda x: 1")
        answers = [process.do(f"{patch}; answer = mod.callee(2)") for patch in patches]

    assert answers == ["4", "0", "4", "1"]


OWN_STATE = {
    "a memo": "MEMO = {}\ndef g(x):\n    if x not in MEMO:\n        MEMO[x] = x * 2\n    return MEMO[x]\n",
    "a counter": "COUNT = 0\ndef g(x):\n    global COUNT\n    COUNT += 1\n    return x * 2\n",
    "a log": "LOG = []\ndef g(x):\n    LOG.append(x)\n    return x * 2\n",
    "lru_cache": "from functools import lru_cache\n@lru_cache\ndef g(x): return x * 2\n",
    "a counter of a class": "class C:\n    count = 0\ndef g(x):\n    C.count += 1\n    return x * 2\n",
    "a memo in an instance": (
        "class C:\n    def __init__(self): self.memo = {}\n    def get(self, x): return self.memo.setdefault(x, x * 2)\n"
        "KEEPER = C()\ndef g(x): return KEEPER.get(x)\n"
    ),
    "a captured counter": (
        "def make():\n    n = 0\n    def g(x):\n        nonlocal n\n        n += 1\n        return x * 2\n    return g\ng = make()\n"
    ),
    "a default as a memo": "def g(x, memo={}): return memo.setdefault(x, x * 2)\n",
}


@pytest.mark.parametrize("text", OWN_STATE.values(), ids=OWN_STATE)
def test_what_the_code_itself_changes_as_it_runs_does_not_make_it_cold(text: str, world: World) -> None:
    """Memos and counters fill up while a function runs: the key stays, here and in the next process."""
    world.write(package(text + "@cached\ndef f(x): return g(x)\n"))

    assert world.ask("[f.key(1), f(1), f(2), f.key(1)] == [f.key(1), 2, 4, f.key(1)]") == "True"
    assert world.ask("(f(2), f(1), f(3))") == "(4, 2, 6)"
    assert len(world.entries()) == 3


def test_closures_of_one_factory_do_not_answer_for_one_another(world: World) -> None:
    """One text, one name, two captured values: two keys, in one process and in the next."""
    world.write(package("def make(a):\n    @cached\n    def g(x): return a * x\n    return g\n"))
    for _ in range(2):
        with world.live() as process:
            process.do("from pkg.mod import make; two, three = make(2), make(3)")
            assert process.do("answer = two(5), three(5), make(4)(5), two(5)") == "(10, 15, 20, 10)"
            assert process.do("answer = two.key(5) == three.key(5), two.key(5) == make(2).key(5)") == "(False, True)"


def test_a_captured_value_that_changes_is_another_key(world: World) -> None:
    """A captured variable is set after the first call: the function is asked again what it holds."""
    text = """
    def make():
        a = 2
        @cached
        def g(x): return a * x
        def put(new):
            nonlocal a
            a = new
        return g, put
    """
    world.write(package(text))
    with world.live() as process:
        assert process.do("from pkg.mod import make; g, put = make(); answer = g(5)") == "10"
        assert process.do("put(3); answer = g(5)") == "15"


def test_a_captured_value_that_the_next_version_changes_is_another_key(world: World) -> None:
    """A closure stored by one process is not served to the next, which captures another value."""
    text = "def make(a):\n    @cached\n    def g(x): return a * x\n    return g\nf = make(2)\n"
    world.write(package(text))
    assert world.ask("f(5)") == "10"
    world.write(package(text.replace("make(2)", "make(3)")))

    assert world.ask("f(5)") == "15"


# ------------------------------------------------------------------------------------------ code that is in no module

SCRIPT = """
from simcache import cached
SCALE = 2
def g(x): return x * SCALE
@cached
def f(x): return g(x)
print(f(3), f.key(3))
"""


def test_two_scripts_with_one_function_name_never_meet(world: World) -> None:
    """The f of one script does not answer for f of another, even if both look the same."""
    scripts = {"one.py": SCRIPT, "two.py": SCRIPT, "sub/one.py": SCRIPT, "three.py": SCRIPT.replace("= 2", "= 3")}
    world.write({"pyproject.toml": "", **scripts})
    answers = [world.run([str(world.checkout / name)]).split() for name in scripts]

    assert [result for result, _ in answers] == ["6", "6", "6", "9"]
    assert len({key for _, key in answers}) == 4


def test_scripts_outside_any_project_never_answer_wrongly(world: World) -> None:
    """Two loose scripts of one file name: each gets its own result."""
    world.write({"a/run.py": SCRIPT, "b/run.py": SCRIPT.replace("x * SCALE", "x + SCALE")})

    assert [world.run([str(world.checkout / name / "run.py")]).split()[0] for name in "ab"] == ["6", "5"]


def test_a_script_is_the_same_from_every_folder(world: World) -> None:
    """By its name, by a relative and by an absolute path: one script, one key."""
    world.write({"pyproject.toml": "", "sub/script.py": SCRIPT})
    ways = [
        ("script.py", world.checkout / "sub"),
        ("sub/script.py", world.checkout),
        (str(world.checkout / "sub/script.py"), world.tools.folder),
    ]

    assert len({world.run([name], cwd=folder) for name, folder in ways}) == 1
    assert len(world.entries()) == 1


def test_a_script_edited_while_it_runs_keeps_nothing_for_the_new_text(world: World) -> None:
    """A long script is edited during its run: what it computes after that is not the new script's result."""
    gate, reached = world.store.with_name("gate"), world.store.with_name("reached")
    waits = f"""from pathlib import Path
from time import sleep
Path({str(reached)!r}).touch()
while not Path({str(gate)!r}).exists():
    sleep(0.005)
print("""
    world.write({"pyproject.toml": "", "script.py": SCRIPT.replace("print(", waits)})
    command = [world.tools.python, str(world.checkout / "script.py")]
    with subprocess.Popen(command, env=world.environment(), stdout=subprocess.PIPE, encoding="utf-8") as script:
        while not reached.exists():
            assert script.poll() is None
        world.edit("script.py", "SCALE = 2", "SCALE = 3")
        gate.touch()
        assert script.communicate()[0].split()[0] == "6"

    assert world.run(command[1:]).split()[0] == "9"


def test_a_module_run_with_m_is_that_module(world: World) -> None:
    """Its functions are the same whether python -m runs it or another module imports it."""
    world.write(package("@cached\ndef f(x): return x\nif __name__ == '__main__':\n    print(repr(f.key(3)))\n"))

    assert world.run(["-m", "pkg.mod"], cwd=world.checkout).strip() == world.ask("f.key(3)")


def test_worker_processes_of_a_script_see_the_same_script(world: World) -> None:
    """A pool imports the script under another name: the same function, the same key."""
    text = (
        SCRIPT.replace("print(f(3), f.key(3))", "def ask(x): return f(x), f.key(x)\n")
        + """
if __name__ == "__main__":
    from multiprocessing import get_context
    with get_context("spawn").Pool(1) as pool:
        print(pool.map(ask, [3]) == [ask(3)])
"""
    )
    world.write({"pyproject.toml": "", "script.py": text})

    assert world.run([str(world.checkout / "script.py")]).strip() == "True"
    assert len(world.entries()) == 1


STDIN = """
from simcache import cached

def g(x): return x * 2

@cached
def f(x): return g(x)

print(f(3))
"""


@pytest.mark.parametrize("way", ["-", "-c", "-i"])
def test_code_from_standard_input_works_and_is_never_stale(way: str, world: World) -> None:
    """No file holds the source: the code is followed all the same, or nothing is kept."""
    texts = (STDIN, STDIN, STDIN.replace("* 2", "* 3"), STDIN.replace("return g(x)", "return g(x) + 1"))
    answers = [world.run([way, text]) if way == "-c" else world.run([way], stdin=text) for text in texts]

    assert [answer.strip() for answer in answers] == ["6", "6", "9", "7"]


def test_a_function_defined_again_at_the_prompt_is_another_one(world: World) -> None:
    """The same name typed again, with another body, helper or constant: never the first answer."""
    lines = """
from simcache import cached
K = 2
@cached
def f(x): return x * K

print(f(3))
K = 3
print(f(3))
@cached
def f(x): return x + K

print(f(3))
def g(x): return x

@cached
def f(x): return g(x)

print(f(3))
def g(x): return -x

print(f(3))
"""

    assert world.run(["-i", "-q"], stdin=lines).split() == ["6", "9", "6", "3", "-3"]


def test_a_function_made_by_exec_is_never_stale(world: World) -> None:
    """Code without any source, twice in one process and again in the next."""
    text = """
    def make(body):
        space = {"cached": cached, "__name__": __name__}
        exec("def g(x): return " + body + "\\n@cached\\ndef f(x): return g(x)", space)
        return space["f"]
    """
    world.write(package(text))

    assert [world.ask('[make(body)(3) for body in ("x * 2", "x * 3", "x * 2")]') for _ in range(2)] == ["[6, 9, 6]"] * 2


@pytest.mark.parametrize("level", ["-O", "-OO"])
def test_optimised_code_is_cached_too(level: str, world: World) -> None:
    """Python leaves out assertions and docstrings: the loaded code is still recognised as its file's."""
    world.write(
        package('def g(x):\n    """Twice."""\n    assert x\n    return x * 2\n@cached\ndef f(x):\n    """Doc."""\n    return g(x)\n')
    )
    use = f"import sys; sys.path.insert(0, {str(world.checkout)!r}); from pkg.mod import f; print(f(3))"

    assert [world.run([level, "-W", "error", "-c", use]).strip() for _ in range(2)] == ["6", "6"]
    assert len(world.entries()) == 1


def test_functions_of_a_test_file_are_cached_too(world: World) -> None:
    """The test runner rewrites assertions, so the loaded code is not the file's: kept rightly, and without a warning."""
    text = """
from simcache import cached
def g(x):
    assert x == 3
    return x * 2
@cached
def f(x):
    assert x == 3, "three"
    return g(x)
def test_it():
    assert f(3) == 6
"""
    world.write({"pyproject.toml": "", "test_it.py": text})
    for _ in range(2):
        world.run(["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_it.py"], cwd=world.checkout)
    assert len(world.entries()) == 1
    world.edit("test_it.py", "return x * 2", "return x + 3")
    world.run(["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_it.py"], cwd=world.checkout)
    assert len(world.entries()) == 2


def test_code_compiled_under_a_files_name_is_not_that_files_code(world: World) -> None:
    """A function exec'd into a module, as a notebook's autoreload does it: its own code decides, not the file's text."""
    world.write(package("@cached\ndef f(x): return x * 2\n"))
    with world.live() as process:
        text = "@cached\ndef f(x): return x * 3\n"
        process.do(f"import pkg.mod; exec(compile({text!r}, pkg.mod.__file__, 'exec'), vars(pkg.mod))")

        assert [process.do("answer = pkg.mod.f(1)") for _ in range(2)] == ["3", "3"]
    assert world.ask("f(1)") == "2"


# ----------------------------------------------------------------------------------------------- what a user sees


def test_incident_a_baseline_cached_under_the_name_of_its_scenario(world: World) -> None:
    """0.175 was served where 0.2125 was asked, and +12 % became -42.8 %: the density is part of the key."""
    text = """
    from dataclasses import dataclass
    @dataclass(frozen=True)
    class Scenario:
        name: str
        density: float
    @cached
    def baseline(scenario: Scenario) -> float: return scenario.density * 100
    """
    world.write(package(text))

    assert world.ask('baseline(Scenario("corridor", 0.175))') == repr(0.175 * 100)
    assert world.ask('baseline(Scenario("corridor", 0.2125))') == repr(0.2125 * 100)
    assert world.ask('len({baseline.key(Scenario("corridor", density)) for density in (0.175, 0.2125)})') == "2"
    assert len(world.entries()) == 2


def test_explain_lists_what_was_followed(twelve: World) -> None:
    """A person can see which functions stand behind a key, and which do not."""
    followed = twelve.ask("f.explain(3).followed")

    assert all(part in followed for part in ("pkg.mod:f", "pkg.mod:g", "pkg.callee:h"))
    assert "below" not in followed
    assert "pkg.callee:h" in twelve.ask("str(f.explain(3))")


def main() -> None:
    """Write the golden versions anew: every store in the world goes cold."""
    with TemporaryDirectory() as folder:
        tools = Tools(Path(folder))
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(golden_versions(Path(folder), tools), indent=1) + "\n")
        tools.close()


if __name__ == "__main__":
    main()

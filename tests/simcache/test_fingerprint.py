"""Code fingerprints are never stale and never needlessly cold: the table of edits, and the same code seen from elsewhere."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import simcache
from simcache.identity import closure
from simcache.identity.fingerprint import fingerprint
from simcache.identity.forms.constant import value_digest
from simcache.identity.process import live
from simcache.identity.process.files import SourceFile, is_outside, read
from simcache.identity.text.piece import digest_of
from simcache.identity.text.source import summarise
from tests.simcache.edits import CASES, Case
from tests.simcache.world import LONG_AGO, SCRIPT, Tools, World, package

GOLDEN = Path(__file__).parent / "golden" / "fingerprints.json"


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
    if case.name != CODE_PUT_SOMEWHERE:
        assert [told["key afterwards"] for told in (before, after)] == [before["key"], after["key"]], (
            "what a call loads and fills is no part of its key"
        )


CODE_PUT_SOMEWHERE = "a memo of records in an object of another module"
"""Beside the cache, as here, nobody can tell a function or method that running code has put somewhere from one that a program registers."""

AS_FIRST_ASKED = {
    "an object that changes as it is used, filled from a file at import",
    "a memo of records in an object of another module",
}
"""Objects with a method that changes them: what they hold beside code counts as it was when the process first asked for a key."""


@pytest.mark.deep
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
@pytest.mark.parametrize("case", [case for case in CASES if not case.script], ids=ids([case for case in CASES if not case.script]))
def test_a_process_that_has_run_has_the_key_of_a_fresh_one(case: Case, world: World) -> None:
    """Memos, logs and counters that other calls have filled before the first key is asked for."""
    skip_where_it_cannot_run(case)
    world.write(case.before)

    assert (world.report_soon(case)["key"] == world.report_soon(case, runs=2)["key"]) == (case.name not in AS_FIRST_ASKED)


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


def with_bytecode(world: World, case: Case) -> dict[str, Any]:
    written, read = (world.report(case, PYTHONDONTWRITEBYTECODE="") for _ in range(2))
    assert written == read
    return read


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
    with_bytecode,
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
        "a record that holds a path of the checkout",
        "all of the environment under another name",
    )
]


def check_views(case: Case, world: World, views: Sequence[Callable[[World, Case], dict[str, Any]]]) -> None:
    skip_where_it_cannot_run(case)
    world.write({**case.before, "pyproject.toml": b""})
    expected = world.report(case)

    assert {view.__name__: expected for view in views} == {view.__name__: view(world, case) for view in views}


@pytest.mark.parametrize("number", range(len(SAMPLE)), ids=ids(SAMPLE))
def test_a_key_does_not_depend_on_where_and_how_a_process_runs(number: int, world: World) -> None:
    """Checkout path, links, working directory, hash seed, file times, bytecode, development mode: one key, one result; a third of these for each case."""
    check_views(SAMPLE[number], world, VIEWS[number % 3 :: 3])


@pytest.mark.deep
@pytest.mark.parametrize("case", SAMPLE, ids=ids(SAMPLE))
def test_a_key_does_not_depend_on_any_of_these(case: Case, world: World) -> None:
    """All of them for each case."""
    check_views(case, world, VIEWS)


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

    followed.package("xxhash")
    first, parts = list(seen), dict(followed.parts)
    followed.package("xxhash")

    assert len(first) == len(set(first)) == len(parts) > 1
    assert (seen, followed.parts) == (first, parts)


def test_objects_that_make_up_what_they_are_asked_for(world: World) -> None:
    """A dict with attributes, a mock, a face of a remote thing: nothing of theirs runs, and a key is told, or why there is none."""
    text = """
    from unittest.mock import MagicMock
    class Attributes(dict): __getattr__ = dict.__getitem__
    class Chain:
        def __getattr__(self, name): return Chain() if not name.startswith("__") else object.__getattribute__(self, name)
    CONFIG, MOCK, CHAIN = Attributes(alpha=1.5), MagicMock(), Chain()
    @cached
    def f(x): return CONFIG.alpha * x
    @cached
    def mocked(x): return MOCK.alpha * 0 or x
    @cached
    def chained(x): return CHAIN.a.b and x
    def step(x): return x
    @cached
    def stepped(x): return step(x)
    """
    world.write(package(text))
    assert world.ask("f(2), chained(2), len(mocked.key(2))") == "(3.0, 2, 32)"
    with world.live() as process:
        process.do("from unittest import mock; import pkg.mod as mod; from simcache.errors import BoundAnew")
        answer = "with mock.patch('pkg.mod.step', return_value=5):\n    try: mod.stepped.key(2)\n    except BoundAnew as told: answer = told.path"
        assert process.do(answer) == "'pkg.mod.step'"


def test_a_long_sum_is_read_once() -> None:
    """Each term was read twice as often as the one after it: twenty took five seconds."""
    terms = " + ".join(str(float(number)) for number in range(80))
    assert summarise(f"T = {terms}\nU = x * {terms}\nV = [1] + [2] + [3]").names["T"].value == value_digest(sum(map(float, range(80))))


def test_a_memo_with_fewer_fields_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field was added to what is known of a name, and its default was taken for what an older memo of the same text did not say."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    path = tmp_path / "model.py"
    path.write_text("SEEN = {}\ndef remember(x):\n    SEEN[x] = x\n", encoding="utf-8")
    file = read(str(path))
    assert file is not None
    (memo,) = (tmp_path / "user" / "simcache" / "code").iterdir()
    rows = json.loads(file.summary.to_json())
    rows[1] = {name: row[:-1] for name, row in rows[1].items()}
    text = json.dumps(rows)
    memo.write_text(f"{digest_of(text)}\n{text}", encoding="utf-8")
    monkeypatch.delitem(simcache.identity.process.files._files, str(path))

    assert read(str(path)) == file
    assert ["remember"] == list(file.summary.names["SEEN"].changed_by)


def test_a_function_imported_by_a_condition_is_keyed_by_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by its bytecode, which is another one in every version of Python."""
    (tmp_path / "conditional_slow.py").write_text("def g(x): return x + 1\n", encoding="utf-8")
    (tmp_path / "conditional.py").write_text(
        "try:\n    from conditional_fast import g\nexcept ImportError:\n    from conditional_slow import g\ndef f(x): return g(x)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    taken = fingerprint(importlib.import_module("conditional").f)
    monkeypatch.setattr(live, "piece_of_code", lambda code: pytest.fail(f"the bytecode of {code} was keyed"))

    assert taken.version == fingerprint(sys.modules["conditional"].f).version
    assert "conditional_slow:g" in taken.parts


MEMOS = """
BENCHES = {}
class Net:
    def __init__(self): self.routes, self.log, self.made = {}, [], {}
    def route(self, x):
        import importlib
        self.log.append([x])
        self.made[x] = lambda y: x * y
        self.routes[x] = importlib.import_module("_".join(["memos", "lazy"])).Bench(x)
        return self.routes[x].n
NET = Net()
def bench(x):
    import importlib
    if x not in BENCHES: BENCHES[x] = importlib.import_module("_".join(["memos", "lazy"])).Bench(x)
    return BENCHES[x].n
def f(x): return bench(x) + NET.route(x)
"""
"""What a function remembers, in a dict of the module and in an object, of a class that only the run leads to."""


def test_what_a_memo_has_come_to_hold_is_no_part_of_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects of classes that only the run leads to, and functions that were made: a process that has run has the version of a fresh one."""
    (tmp_path / "memos.py").write_text(MEMOS)
    (tmp_path / "memos_lazy.py").write_text(
        "class Bench:\n    def __init__(self, n): self.n = n\n    def run(self): return other()\n\ndef other(): return 1\ndef law(x): return x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    f = importlib.import_module("memos").f
    fresh = fingerprint(f)
    assert [f(x) for x in (1, 2)] == [2, 4]

    assert fresh.parts == fingerprint(f).parts
    for name in ("memos", "memos_lazy"):
        monkeypatch.delitem(sys.modules, name)


def test_a_default_that_its_function_fills_is_no_part_of_the_version(world: World) -> None:
    """`def walk(n, memo={})`: a process in which others have called it has the key of a fresh one; another text has another."""
    law = "def walk(n, memo={}):\n    if n not in memo: memo[n] = n if n < 2 else walk(n - 1) + walk(n - 2)\n    return memo[n]\n"
    law += "def log(n, *, seen=[0]):\n    seen.append(n)\n    return n\n"
    files = package("from pkg.law import *\n@cached\ndef f(x): return walk(x) + log(x)\n", law=law)
    world.write(files)
    fresh = world.ask("f.key(2)")

    assert fresh == world.ask("[walk(5), log(1), f.key(2)][2]")
    for then, now in (("memo={}", "memo={2: 5}"), ("seen=[0]", "seen=[1]")):
        world.write({path: text.replace(then, now) for path, text in files.items()})
        assert fresh != world.ask("f.key(2)")


def test_a_path_that_leads_out_of_simcache_again_is_the_users() -> None:
    """`simcache/../helpers/model.py` is a file of the project, however it is written."""
    own = Path(simcache.__file__).parent

    assert is_outside(str(own / "cache.py"))
    assert not is_outside(os.path.join(own, os.pardir, "tests", "conftest.py"))


def test_an_installed_package_whose_files_are_links_is_still_an_installed_one(tmp_path: Path) -> None:
    """`uv pip install --link-mode=symlink` keeps the files among its own: numpy would count as the project's, and its versions in every key."""
    kept, installed = tmp_path / "archive" / "dep", tmp_path / "site-packages" / "dep"
    for folder in (kept, installed):
        folder.mkdir(parents=True)
    (kept / "law.py").write_text("")
    (installed / "law.py").symlink_to(kept / "law.py")

    assert is_outside(str(installed / "law.py"))


@pytest.mark.parametrize("name", ["model.py", "model"])
def test_what_a_person_links_into_the_installed_packages_is_the_users(name: str, tmp_path: Path) -> None:
    """A module or a whole folder that stands among the packages by a link is edited where it lies."""
    lies, place = tmp_path / "work" / name, tmp_path / "site-packages" / name
    (lies if name == "model" else lies.parent).mkdir(parents=True)
    (lies / "law.py" if name == "model" else lies).write_text("")
    place.parent.mkdir()
    place.symlink_to(lies)

    assert not is_outside(str(place / "law.py" if name == "model" else place))


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
        if lacks(case) or not {"numpy", "pydantic"}.issuperset(case.needs) or case.name in WITHOUT_TEXT:
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


# ------------------------------------------------------------------------------------------ code that is in no module


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
    runner = ["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_it.py"]
    for _ in range(2):
        world.run(runner, cwd=world.checkout, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert len(world.entries()) == 1
    world.edit("test_it.py", "return x * 2", "return x + 3")
    world.run(runner, cwd=world.checkout, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
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


def test_explain_lists_what_was_followed(world: World) -> None:
    """A person can see which functions stand behind a key, and which do not."""
    text = """
    import pkg.callee
    def g(x): return x * 2
    @cached
    def f(x): return g(x) + pkg.callee.h(x)
    def below(x): return 0
    """
    world.write(package(text, callee="def h(x): return x * 10\n"))
    followed = world.ask("f.explain(3).followed")

    assert all(part in followed for part in ("pkg.mod:f", "pkg.mod:g", "pkg.callee:h"))
    assert "below" not in followed
    assert "pkg.callee:h" in world.ask("str(f.explain(3))")


def test_the_class_of_an_argument_that_was_edited_is_told(world: World) -> None:
    """Its methods are part of the key: `explain` and `why` said that nothing which was written down differs."""
    text = """
    from dataclasses import dataclass
    from simcache.upkeep.compare import why
    @dataclass(frozen=True)
    class Grid:
        cells: int
        def dx(self): return 100 / self.cells
    class Other(Grid): pass
    @cached
    def f(grid): return grid.dx()
    """
    world.write(package(text))
    world.ask("f(Grid(5))")
    told = "[str(one) for one in f.explain(Other(5)).differences]"
    assert [place.partition(":")[0] for place in literal_eval(world.ask(told))] == ["grid"]
    world.edit("pkg/mod.py", "100 / self.cells", "100 / (self.cells + 1)")

    expected = ["pkg/mod.py: Grid has changed"]
    assert expected == literal_eval(world.ask("[str(one) for one in f.explain(Grid(5)).differences]"))
    world.ask("f(Grid(5))")
    assert expected == literal_eval(world.ask("[change.text for change in why(f.cache, f.entry(Grid(5))).changes]"))


def test_a_constant_nested_thousands_deep_has_a_key(world: World) -> None:
    """What watches it for changes writes it whole, which no call does at such a depth: every call ended in a ValueError."""
    world.write(package("tree = []\nfor _ in range(5000): tree = [tree]\n@cached\ndef f(x): return x + len(tree)"))

    assert world.ask("f(1)") == "2"
    assert world.ask("f.entry(1) is not None") == "True"


def main() -> None:
    """Write the golden versions anew: every store in the world goes cold."""
    with TemporaryDirectory() as folder:
        tools = Tools(Path(folder))
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(golden_versions(Path(folder), tools), indent=1) + "\n")
        tools.close()


if __name__ == "__main__":
    main()

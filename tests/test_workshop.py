"""The workshop keeps its word: the runner, the tools' settings, and what every file of the project has in common."""

import ast
import fcntl
import importlib.util
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
RUNNER = ROOT / "dev.py"
COMMANDS = ("demo", "test", "check", "bench", "gpu", "docs")
HEAVY = {"click", "fsspec", "joblib", "matplotlib", "numba", "numpy", "pydantic", "rich", "torch"}


def files(*suffixes: str) -> list[Path]:
    """The files that belong to the project: what Git would take, or all but the tools' own where there is no Git."""
    asked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        found = [ROOT / line for line in asked.stdout.splitlines()]
    else:
        made = re.compile(r"(^|/)(\.venv.*|\.git|\.local|__pycache__|[.\w]+_cache|\.hypothesis|[.\w]+\.egg-info)(/|$)")
        found = [path for path in ROOT.rglob("*") if not made.search(path.relative_to(ROOT).as_posix())]
    return sorted(path for path in found if path.is_file() and (not suffixes or path.suffix in suffixes))


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def test_nothing_stands_at_the_top_that_nobody_put_there() -> None:
    """A store that a script left behind was committed with everything else."""
    folders = {path.relative_to(ROOT).parts[0] for path in files() if len(path.relative_to(ROOT).parts) > 1}

    assert folders == {".ci", "arz", "benchmarks", "changes", "docs", "examples", "experiments", "rl", "simcache", "store", "tests"}


def dev(*arguments: str, root: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs dev.py as a person does, from another folder."""
    return subprocess.run(
        [sys.executable, str(root / "dev.py"), *arguments],
        cwd=root.parent,
        env=os.environ | {"PYTHONUTF8": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout of its own, whose environment may be spoilt."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("dev.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def loaded(program: Path) -> ModuleType:
    """A program as a module."""
    spec = importlib.util.spec_from_file_location(f"{program.stem}_loaded", program)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def runner(checkout: Path) -> ModuleType:
    """dev.py of that checkout, as a module."""
    module = loaded(checkout / "dev.py")
    module.VENV.mkdir()
    module.PYTHON.parent.mkdir()
    module.PYTHON.symlink_to(sys.executable)
    return module


def stamp(runner: ModuleType, **groups: bool) -> None:
    record = {"made_from": runner._made_from(), "base": runner._base(), "indexes": runner._indexes(), "groups": groups}
    runner.STAMP.write_text(json.dumps(record), encoding="utf-8")


# --- the runner --------------------------------------------------------------------------------------------------------------------------


def test_runner_needs_the_standard_library_only() -> None:
    """dev.py runs before anything is installed."""
    nodes = list(ast.walk(ast.parse(RUNNER.read_text(encoding="utf-8"))))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in imported} - sys.stdlib_module_names == set()


def test_runner_is_readable_by_an_old_python() -> None:
    """An old Python gets as far as the sentence that says which one is needed."""
    source = RUNNER.read_text(encoding="utf-8")
    newer = [type(node).__name__ for node in ast.walk(ast.parse(source)) if isinstance(node, ast.NamedExpr | ast.Match | ast.TryStar)]
    before_the_check = ast.parse(source[: source.index("if sys.version_info < OLDEST")])
    loaded = {alias.name for node in before_the_check.body if isinstance(node, ast.Import) for alias in node.names}

    assert newer == []
    assert "tomllib" not in loaded


@pytest.mark.parametrize("arguments", [(), *((command,) for command in COMMANDS)], ids=lambda words: " ".join(words) or "all")
def test_help_shows_an_example(arguments: tuple[str, ...]) -> None:
    """`--help` of the whole and of each command answers at once and shows a line to type."""
    done = dev(*arguments, "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert f"  python3 dev.py {' '.join(arguments) or 'test'}" in done.stdout


def test_help_names_every_command() -> None:
    """The list of commands is the help's list."""
    told = dev("--help").stdout

    assert [command for command in COMMANDS if not re.search(rf"^    {command}\s", told, re.MULTILINE)] == []


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("check", "nonsense"), ("gpu",)], ids=" ".join)
def test_misuse_is_told(arguments: tuple[str, ...]) -> None:
    """What dev.py does not know, it refuses with the usual code before anything is installed."""
    done = dev(*arguments, SIMCACHE_VENV=os.devnull)

    assert done.returncode == 2
    assert "usage: dev.py" in done.stderr


def test_gpu_says_what_is_missing(tmp_path: Path) -> None:
    """Where there is no GPU, `gpu` fails in one line and measures nothing."""
    done = dev("gpu", "--out", str(tmp_path / "results"), CUDA_VISIBLE_DEVICES="")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "nothing was measured: " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_gpu_does_each_part_once(tmp_path: Path) -> None:
    """What is found goes to one file, part by part, and a second call leaves what is done alone."""
    arguments = ("gpu", "--out", str(tmp_path), "--simulator", "--only", "machine", "few_steps")
    first, second = dev(*arguments), dev(*arguments)
    known = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert second.stdout.splitlines()[:2] == ["machine: done before", "few_steps: done before"]
    assert known["machine"]["found"]["device"] == "numba's simulator"
    assert known["machine"]["simulated"]


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    """benchmarks/gpu.py, which is a program."""
    return loaded(ROOT / "benchmarks" / "gpu.py")


def test_what_another_device_did_is_not_done_by_this_one(gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial in the same folder leaves everything to measure, and so does another GPU; what a GPU has done, a trial leaves alone."""
    ran: list[bool] = []

    def part(_: str, *, simulated: bool) -> dict[str, object]:
        ran.append(simulated)
        return {"done": True, "took_s": 0.0, "simulated": simulated, "found": {}}

    monkeypatch.setattr(gpu, "run_part", part)
    for device in (gpu.SIMULATOR, gpu.SIMULATOR, "a T4", "a T4", gpu.SIMULATOR, "an H200"):
        assert gpu.drive(tmp_path, ["machine"], device, 9.0) == 0

    assert ran == [True, False, False]


def test_a_broken_promise_is_no_success(gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that finds that something does not hold says what, is kept, and ends in failure."""
    found = {"float64, grid": {"near": True, "alone_is_among": False}, "memcheck": {"clean": None}}
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(found), stderr="")
    monkeypatch.setattr(gpu.subprocess, "run", lambda *_, **__: done)

    assert gpu.drive(tmp_path, ["agreement"], "a T4", 9.0) == 1
    part = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["agreement"]
    assert (part["done"], part["failed"], part["found"]) == (False, "it does not hold: float64, grid: alone_is_among", found)


@pytest.mark.parametrize("what", ["a file", "a folder in a file", "damaged", "of somebody else"])
def test_gpu_cannot_write_there(tmp_path: Path, what: str) -> None:
    """A place for the results that is none is told in one line, and left as it was."""
    file = tmp_path / "gpu.json"
    file.write_text("[]" if what == "of somebody else" else '{"mach', encoding="utf-8")
    before = file.read_text(encoding="utf-8")
    out = {"a file": file, "a folder in a file": file / "x"}.get(what, tmp_path)
    arguments = ("benchmarks/gpu.py", "--out", str(out), "--simulator", "--only", "machine")
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert str(file) in done.stderr
    assert file.read_text(encoding="utf-8") == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="it looks for processes in /proc")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_gpu_that_is_ended_leaves_nobody_at_work(tmp_path: Path, end: signal.Signals) -> None:
    """Who ends `dev.py gpu` ends the part that runs too, even with kill -9: it would be timed together with the next call's."""
    command = [sys.executable, str(ROOT / "dev.py"), "gpu", "--out", str(tmp_path), "--simulator", "--only", "speed"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as whole:
        family, until = [whole.pid], time.monotonic() + 60
        for argument in ("benchmarks/gpu.py", "--part"):  # dev.py begins with a look for numba, which is a child of it too
            while not (found := [child for child in children(family[-1]) if argument in arguments_of(child)]):
                assert time.monotonic() < until
                time.sleep(0.02)
            family.append(found[0])
        if end is signal.SIGKILL:
            os.kill(family[1], end)
        whole.send_signal(end)
        said = whole.communicate(timeout=30)[1]

    if end is signal.SIGTERM:
        assert said.splitlines() == ["gpu.py: ended before all was done; the next call goes on"]
        assert whole.returncode == 130
    while arguments_of(family[-1]):
        assert time.monotonic() < until + 10
        time.sleep(0.02)


def children(process: int) -> list[int]:
    """Who was started by a process."""
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return []


def arguments_of(process: int) -> list[str]:
    """What a process was started with; nothing if it is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
    except FileNotFoundError:
        return []


def test_a_foreign_folder_is_left_alone(checkout: Path) -> None:
    """An environment that dev.py did not make is never removed and never installed into."""
    mine = checkout / ".venv" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("dear to me", encoding="utf-8")

    done = dev("check", root=checkout)

    assert done.returncode == 1
    assert "was not made by dev.py" in done.stderr
    assert mine.read_text(encoding="utf-8") == "dear to me"


def test_a_ready_environment_starts_at_once(checkout: Path, runner: ModuleType) -> None:
    """With nothing to install, dev.py goes straight to the program, passes its exit code on, and takes well under a second."""
    stamp(runner, core=True, show=True, torch=True)
    (checkout / "examples").mkdir()
    (checkout / "examples" / "demo.py").write_text("raise SystemExit(7)", encoding="utf-8")

    before = resource.getrusage(resource.RUSAGE_CHILDREN)  # not the clock: the other tests may keep the machine busy
    done = dev("demo", root=checkout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert (done.returncode, done.stderr) == (7, "")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_a_changed_requirement_is_noticed(checkout: Path, runner: ModuleType) -> None:
    """Another pin or dependency makes the environment out of date; another setting of a tool does not."""
    stamp(runner, core=True, dev=True)
    seen = [runner._wanting(runner._read_stamp(), ["dev"])]

    settings = checkout / "pyproject.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + "\n[tool.other]\nx = 1\n", encoding="utf-8")
    seen.append(runner._wanting(runner._read_stamp(), ["dev"]))
    pins = checkout / "constraints.txt"
    pins.write_text(pins.read_text(encoding="utf-8") + "another==1\n", encoding="utf-8")
    seen.append(runner._wanting(runner._read_stamp(), ["dev"]))

    assert seen == [[], [], ["dev"]]


def test_a_half_made_environment_is_removed(runner: ModuleType) -> None:
    """What a killed dev.py left behind is made anew, even if it had been complete once."""
    stamp(runner, core=True)
    runner.LOCK.write_text("making", encoding="utf-8")

    runner._clear_unless_usable(runner._read_stamp())

    assert not runner.VENV.exists()


def test_an_environment_of_another_python_is_removed(runner: ModuleType) -> None:
    """An environment cannot change its Python, so it is made anew."""
    runner._clear_unless_usable({"base": ["cpython", "3.11.0"], "groups": {}})

    assert not runner.VENV.exists()


def test_two_runners_do_not_meet(runner: ModuleType) -> None:
    """While one dev.py makes the environment, another one waits."""
    with runner._lock(), runner.LOCK.open("ab") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_missing_torch_is_told(runner: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that cannot run for want of torch are named; where nobody would read it, that is a failure."""
    monkeypatch.delenv("CI", raising=False)
    runner._answer_for_missing_torch()
    told = capsys.readouterr().err

    monkeypatch.setenv("CI", "true")
    with pytest.raises(runner.Trouble, match="CI must run every test"):
        runner._answer_for_missing_torch()
    assert "what needs torch (the weights codec, learning) is left out" in told
    assert len(told.splitlines()) == 1


def test_missing_torch_is_tried_again_elsewhere(runner: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """After pip was told another place to look at, torch is looked for again; until then no time is lost with it."""
    stamp(runner, torch=False)
    before = runner._wanting(runner._read_stamp(), ["torch"])

    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://elsewhere.invalid/simple")

    assert (before, runner._wanting(runner._read_stamp(), ["torch"])) == ([], ["torch"])


def test_blocks_are_run_with_the_lines_of_their_page(runner: ModuleType, checkout: Path) -> None:
    """A failing block is named by its page and the line in it; other blocks and other languages are left alone."""
    page = checkout / "page.md"
    page.write_text(
        "# Page\n\n```python\nprint('fine')\n```\n\n```text\nnot python\n```\n\n- item\n\n  ```python\n  x = 1\n  assert x == 2\n  ```\n",
        encoding="utf-8",
    )

    blocks = runner.python_blocks(page)
    failures = [runner.failure_of(block).partition(" ")[0] for block in blocks]

    assert [(block.line, block.source) for block in blocks] == [(4, "print('fine')\n"), (14, "x = 1\nassert x == 2\n")]
    assert failures == ["", "page.md:15:"]


@pytest.mark.parametrize(("ends", "code", "runs"), [((0, 1, 0, 0, 0), 1, 5), ((0, 2), 2, 2), ((1, -9), -9, 2)])
def test_a_deep_run_that_is_interrupted_begins_no_other_part(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, ends: tuple[int, ...], code: int, runs: int
) -> None:
    """A part that fails is no reason to leave out the others; Ctrl-C is, and who is killed has not passed."""
    stamp(runner, dev=True, torch=True)
    answers = iter(ends)
    begun: list[tuple[str, ...]] = []

    def python(*arguments: str) -> int:
        begun.append(arguments)
        return next(answers)

    monkeypatch.setattr(runner, "python", python)

    assert code == runner.main(["test", "--deep"])
    assert runs == len(begun)


def test_a_part_of_the_deep_run_that_passed_on_this_commit_is_not_run_again(runner: ModuleType, checkout: Path) -> None:
    """What passed on another commit, with changes on top, or not at all, is; so an interrupted deep run goes on."""
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=checkout, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True).stdout.strip()
    passed = {"commit": commit, "changed since": [], "failed": [], "passed": 7}
    (checkout / "tests").mkdir()
    assert set(runner._deep_parts()) == {"simcache", "remotes", "arz", "rl", "house"}

    record = {
        "simcache": passed,
        "remotes": passed | {"commit": "0" * 40},
        "arz": passed | {"changed since": [" M dev.py"]},
        "rl": passed | {"failed": ["tests/rl/test_env.py::test_reset"]},
    }
    (checkout / "tests" / "deep.json").write_text(json.dumps(record))

    assert set(runner._deep_parts()) == {"remotes", "arz", "rl", "house"}


@pytest.mark.deep
@pytest.mark.timeout(900)
def test_a_fresh_clone_runs(tmp_path: Path) -> None:
    """From nothing: the environment is made, a test runs in it, and a second run makes nothing."""
    clone = tmp_path / "clone"
    for path in files():
        target = clone / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    first = dev("test", "tests/test_workshop.py", "-k", "standard_library", "-n0", root=clone)
    second = dev("test", "tests/test_workshop.py", "-k", "standard_library", "-n0", root=clone)

    assert (first.returncode, second.returncode) == (0, 0), first.stdout + first.stderr + second.stderr
    assert "1 passed" in first.stdout
    assert "dev: making .venv" in first.stderr
    assert "dev: making" not in second.stderr


# --- what all files have in common -------------------------------------------------------------------------------------------------------


def test_every_python_file_begins_by_saying_what_it_is_for() -> None:
    """Line 1 of a file is a docstring sentence."""

    def says(path: Path) -> bool:
        text = path.read_text(encoding="utf-8")
        sentence = ast.get_docstring(ast.parse(text)) or ""
        first = [line for line in text.splitlines() if not line.startswith("#!")][:1]
        return bool(first) and first[0].startswith(('"""', 'r"""')) and sentence.partition("\n\n")[0].endswith((".", "?", '."'))

    assert names([path for path in files(".py") if not says(path)]) == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    """Nothing in the repository points at a folder that only one machine has."""
    places = re.compile(rb"(?<![\w.~-])/(work|root|home/\w+|Users/\w+|opt/(wheels|pypi))(/|\b)")
    fixtures = ROOT / "tests" / "simcache" / "golden"

    found = [path for path in files() if path != Path(__file__) and not path.is_relative_to(fixtures) and places.search(path.read_bytes())]

    assert names(found) == []


def test_every_package_is_typed() -> None:
    """A type checker may trust what each package says."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]

    assert [package for package in packages if not (ROOT / package / "py.typed").is_file()] == []


def test_every_ignored_rule_has_its_reason() -> None:
    """A rule is switched off for a reason that stands beside it."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if re.match(r'\s*"[A-Z]+\d*", *(#.*)?$', line)]

    assert len(rules) > 20
    assert [line for line in rules if not re.search(r"# \S", line)] == []


def test_every_fragment_is_named_by_issue_and_kind() -> None:
    """A change is found by its issue."""
    fragments = [path.name for path in (ROOT / "changes").iterdir() if path.name != "README.md"]

    assert [name for name in fragments if not re.fullmatch(r"\d+\.(feature|fix|break|docs)(\.\d+)?\.md", name)] == []


def test_the_projects_own_store_says_its_format() -> None:
    """The store that is committed is a store."""
    assert json.loads((ROOT / "store" / "simcache.json").read_text(encoding="utf-8")) == {"format": 1}


def test_importing_simcache_is_light() -> None:
    """`import simcache` loads nothing heavy; that waits until it is used."""
    program = "import simcache, sys; assert simcache.__file__; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert HEAVY & {name.partition(".")[0] for name in done.stdout.split()} == set()

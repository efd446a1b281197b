#!/usr/bin/env python3
"""The one runner: demo, test, check, bench, gpu and docs, from nothing but Python, Git and pip."""

# Up to the check of the version this file must be readable, and above it also loadable, by any Python 3: so no `:=`, no `match`, no tomllib.
import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    sys.exit(f"dev: this is Python {platform.python_version()}; simcache needs 3.11 or newer: run it as `python3.11 dev.py …`")

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("SIMCACHE_VENV") or ROOT / ".venv").absolute()
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "simcache-dev.json"
LOCK = VENV.with_name(VENV.name + ".lock")
WORKERS = 4  # more test processes than this only wait for the disk
WAITING = 2  # so many more than processors: tests wait for the disk, for programs that they started, for a kernel that another compiles
DEEP_SECONDS = 1200  # for one deep test, which tries ten times the examples; one that names its own time keeps it
BLOCK_SECONDS = 120  # a block of documentation that takes longer is no documentation


class Trouble(Exception):
    """Something that the person at the terminal can mend; the sentence says how."""


# --- the environment ---------------------------------------------------------------------------------------------------------------------


class Group(NamedTuple):
    """A part of the environment that is installed in one step."""

    title: str
    requirements: tuple[str, ...]
    required: bool = True
    holds: tuple[str, ...] = ()  # groups that come with it


GROUPS = {
    "core": Group("simcache and what it needs", ("--editable", ".")),
    "dev": Group("simcache and the tools, about 450 MB", ("--editable", ".[dev]"), holds=("core", "show")),
    "show": Group("the solver and its pictures, about 300 MB", ("--editable", ".[arz,plot]"), holds=("core",)),
    "torch": Group(
        "torch for the CPU and the learners, about 800 MB", ("torch", "--editable", ".[rl-dev]"), required=False, holds=("core",)
    ),
    "bench": Group("the peers of the benchmarks", ("--editable", ".[bench]"), holds=("core",)),
}


def ensure(*names: str) -> dict[str, bool]:
    """Makes the environment hold these groups; gives for each whether it is there (only one that is not required may be missing)."""
    stamp = _read_stamp()
    if not _wanting(stamp, names):
        return {name: stamp["groups"][name] for name in names}
    with _lock():
        stamp = _read_stamp()  # another dev.py may have made it while this one waited
        wanting = _wanting(stamp, names)
        if wanting:
            _install(stamp, wanting)
    return {name: _read_stamp()["groups"][name] for name in names}


def _wanting(stamp: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The groups still to install: those not tried, and those that failed while pip was told to look elsewhere."""
    if stamp.get("made_from") != _made_from() or not PYTHON.exists():
        return list(names)
    elsewhere = stamp.get("indexes") != _indexes()
    return [name for name in names if name not in stamp["groups"] or (elsewhere and not stamp["groups"][name])]


def _install(stamp: Mapping[str, Any], names: Sequence[str]) -> None:
    """Makes or completes the environment. The lock file says that this goes on: whoever finds that note later knows a half-made one."""
    _clear_unless_usable(stamp)
    groups = dict(stamp["groups"]) if stamp.get("made_from") == _made_from() and PYTHON.exists() else {}
    LOCK.write_text("making", encoding="utf-8")
    STAMP.unlink(missing_ok=True)
    if not PYTHON.exists():
        with _step(f"making {_short(VENV)} with Python {platform.python_version()}"):
            _make_venv()
    for name in names:
        groups[name] = _install_group(GROUPS[name])
        groups |= dict.fromkeys(GROUPS[name].holds, True)
    text = json.dumps({"made_from": _made_from(), "base": _base(), "indexes": _indexes(), "groups": groups}, indent=1)
    unfinished = STAMP.with_suffix(".new")
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(STAMP)
    LOCK.write_text("", encoding="utf-8")


def _clear_unless_usable(stamp: Mapping[str, Any]) -> None:
    """Removes an environment that is half made or belongs to another Python or checkout; never a folder that is not ours."""
    if not VENV.exists() or not any(VENV.iterdir()):
        return
    half_made = LOCK.exists() and LOCK.read_text(encoding="utf-8") == "making"
    if not half_made and not stamp:
        raise Trouble(f"{VENV} was not made by dev.py, so it is left alone: remove it, or name another folder by SIMCACHE_VENV")
    if half_made or stamp.get("base") != _base() or not PYTHON.exists():
        LOCK.write_text("making", encoding="utf-8")  # so that a removal cut short is finished next time
        with _step(f"removing {_short(VENV)}, which is {'half made' if half_made else 'of another Python or checkout'}"):
            shutil.rmtree(VENV)


def _make_venv() -> None:
    """A virtual environment with pip, also where the system keeps `ensurepip` in a package of its own but has pip."""
    if importlib.util.find_spec("ensurepip"):
        _quiet(sys.executable, "-m", "venv", str(VENV))
    elif importlib.util.find_spec("pip"):
        _quiet(sys.executable, "-m", "venv", "--without-pip", str(VENV))
        _quiet(sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet", "pip")
    else:
        raise Trouble("this Python has no pip: install it (on Debian and Ubuntu: apt install python3-venv), then run this again")


def _install_group(group: Group) -> bool:
    with _step(f"installing {group.title}") as step:
        failure = _try(str(PYTHON), "-m", "pip", "install", "--quiet", "--no-input", "--constraint", "constraints.txt", *group.requirements)
        if failure and group.required:
            raise Trouble(f"pip could not install {group.title}; the next run tries again. Its last words:\n{_last_words(failure)}")
        if failure:
            step.append("not found by pip")
    return not failure


def _made_from() -> str:
    """The digest of everything that decides what the environment holds. Settings of the tools in pyproject.toml do not."""
    import tomllib  # not in an older Python, see above

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    decides = {"project": project["project"], "build": project["build-system"], "hatch": project["tool"]["hatch"], "base": _base()}
    text = json.dumps(decides, sort_keys=True) + (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def _base() -> list[str]:
    """What an environment cannot be moved between: the Python, the checkout (installed editable), its own place (in its scripts)."""
    return [sys.implementation.name, platform.python_version(), platform.machine(), str(ROOT), str(VENV)]


def _indexes() -> str:
    """The digest of where the environment variables tell pip to look; a digest, because an address may hold a password."""
    told = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _read_stamp() -> dict[str, Any]:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and isinstance(stamp.get("groups"), dict) else {}


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """One dev.py at a time makes the environment. A pip that outlives a killed dev.py keeps the lock, because it inherits it."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("ab") as file:
        os.set_inheritable(file.fileno(), True)
        if not _take(file.fileno(), wait=False):
            _say(f"another dev.py is making {_short(VENV)}; waiting for it")
            _take(file.fileno(), wait=True)
        yield


def _take(descriptor: int, *, wait: bool) -> bool:
    if os.name == "nt":
        import msvcrt  # of Windows only

        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # beyond the note in the file: a locked byte cannot be written there
        while True:
            with contextlib.suppress(OSError):
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
                return True
            if not wait:
                return False
            time.sleep(0.2)
    import fcntl  # of POSIX only

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


# --- running programs --------------------------------------------------------------------------------------------------------------------


def run(*command: str, environment: "dict[str, str] | None" = None) -> int:
    """Runs a program of the environment in the project's folder and gives its exit code. An interrupt is the program's to answer."""
    with subprocess.Popen(command, cwd=ROOT, env=environment or _environment()) as process:
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        signal.signal(signal.SIGINT, lambda *_: None)  # the terminal has sent it to the program too
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            code = process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def python(*arguments: str) -> int:
    """Runs the environment's Python."""
    return run(str(PYTHON), *arguments)


def _environment() -> dict[str, str]:
    """The environment variables of a program: as if the virtual environment were activated."""
    path = os.pathsep.join((str(PYTHON.parent), os.environ.get("PATH", os.defpath)))
    hidden = ("PYTHONHOME", "PYTHONPATH", "SIMCACHE_VENV", "__PYVENV_LAUNCHER__")
    return {**{name: value for name, value in os.environ.items() if name not in hidden}, "VIRTUAL_ENV": str(VENV), "PATH": path}


def _try(*command: str) -> str:
    """Runs a program without a word; gives what it said if it failed, and nothing if it did not."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        close_fds=False,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout.strip() or f"it ended with {done.returncode}"


def _quiet(*command: str) -> None:
    failure = _try(*command)
    if failure:
        raise Trouble(f"`{' '.join(command)}` failed; the next run tries again. Its last words:\n{_last_words(failure)}")


def _last_words(text: str) -> str:
    return textwrap.indent("\n".join(text.splitlines()[-12:]), "    ")


@contextlib.contextmanager
def _step(title: str) -> Iterator[list[str]]:
    """One line on the terminal for one step: what goes on, then what came of it and how long it took."""
    print(f"dev: {title} …", end="", file=sys.stderr, flush=True)
    began, outcome = time.monotonic(), list[str]()
    try:
        yield outcome
    except BaseException:
        print(" failed", file=sys.stderr)
        raise
    print(f" {outcome[0] if outcome else 'done'} ({time.monotonic() - began:.0f} s)", file=sys.stderr)


def _say(sentence: str) -> None:
    print(f"dev: {sentence}", file=sys.stderr, flush=True)


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


# --- the commands ------------------------------------------------------------------------------------------------------------------------


def demo(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Runs examples/demo.py: traffic computed once, a controller trained and compared; the first time in minutes, then in seconds."""
    there = ensure("show", "torch")
    if not there["torch"]:
        _say(
            "the part on learning is left out, because pip finds no CPU build of torch here: name PyTorch's own index in PIP_EXTRA_INDEX_URL"
        )
    return python("examples/demo.py", *(() if there["torch"] else ("--without-learning",)), *rest)


def test(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Runs the tests in several processes at once; other arguments go to pytest."""
    if not ensure("dev", "torch")["torch"]:
        _answer_for_missing_torch()
    spread = [] if _chooses_workers(rest) else ["-n", str(min(WORKERS, (os.cpu_count() or 1) + WAITING)), "--dist", "worksteal"]
    if not options.deep:
        return python("-m", "pytest", *spread, *rest)
    deep = ("-m", "pytest", *spread, f"--timeout={DEEP_SECONDS}", "--deep")
    if rest:
        return python(*deep, *rest)
    worst = 0
    for name, files in _deep_parts().items():
        code = python(*deep, f"--part={name}", *files)
        if code not in {0, 1}:  # interrupted, ended, or no tests to run: no other part is begun
            return code
        worst = max(worst, code)
    return worst


def _deep_parts() -> dict[str, list[str]]:
    """The files of each part of the deep run, which takes an hour or two: those that did not pass on this very commit yet."""
    parts = {name: [f"tests/{name}"] for name in ("simcache", "remotes", "arz", "rl")}
    parts["house"] = sorted(f"tests/{file.name}" for file in (ROOT / "tests").glob("test_*.py"))
    try:
        known = json.loads((ROOT / "tests" / "deep.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = {}
    asked = ("git", "rev-parse", "HEAD")
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    for name, record in known.items():
        if record["commit"] == commit and not record["changed since"] and not record["failed"]:
            _say(f"{name} passed on this commit, {record['passed']} tests: not run again")
            del parts[name]
    return parts


def _chooses_workers(rest: Sequence[str]) -> bool:
    """Whether the arguments to pytest say themselves how many processes there are, or ask for a terminal that only one can have."""
    return any(
        word in {"--pdb", "--trace", "--co", "--collect-only", "no:xdist"} or re.match(r"-n(\d|auto|logical|$)|--numprocesses", word)
        for word in rest
    )


def _answer_for_missing_torch() -> None:
    """Skipping is said aloud by everyone's run, and is a failure where nobody reads it."""
    how = "name PyTorch's own CPU wheel index in PIP_EXTRA_INDEX_URL and run this again"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        raise Trouble(f"pip finds no CPU build of torch here, and CI must run every test: {how}")
    _say(
        f"what needs torch (the weights codec, learning) is left out or fails, because pip finds no CPU build of it here; to have it, {how}"
    )


def check(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Reads the code without running it: ruff, its formatter, mypy and the floors of .importlinter. Runs all, then tells which failed."""
    ensure("dev")
    readers = {
        "ruff": ("-m", "ruff", "check", "."),
        "the formatter": ("-m", "ruff", "format", "--check", "."),
        "mypy": ("-m", "mypy"),
        "the floors": ("-c", "from importlinter.cli import lint_imports_command as main; main()"),
    }
    failed = [name for name, arguments in readers.items() if python(*arguments) != 0]
    if failed:
        _say(f"to be mended: {', '.join(failed)}")
    return 1 if failed else 0


def bench(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Runs benchmarks/bench_NAME.py, all of them or those named, one after the other."""
    there = {path.stem.removeprefix("bench_"): path for path in sorted((ROOT / "benchmarks").glob("bench_*.py"))}
    unknown = [name for name in options.names if name not in there]
    if unknown:
        raise Trouble(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(there) or 'none yet'}")
    if not there:
        raise Trouble("there is no benchmark yet: a file benchmarks/bench_NAME.py is one")
    ensure("dev", "bench")
    return max(python(str(there[name].relative_to(ROOT)), *rest) for name in options.names or there)


def gpu(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Checks and times the CUDA backend on a machine with a GPU, in parts; a second call does what the first one did not."""
    environment = dict(os.environ)
    if options.wheels is not None:
        site = options.out.resolve() / "site"
        _unpack_wheels(options.wheels, site)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(site), environment.get("PYTHONPATH", ""))))
    # A machine with a GPU may reach no package index: what its own Python has is used as it is.
    at_hand = sys.executable
    if subprocess.run([at_hand, "-c", "import numba, pydantic"], env=environment, capture_output=True, check=False).returncode != 0:
        if options.wheels is not None:
            raise Trouble(f"{at_hand} finds no numba or no pydantic: put their wheels, and those of what they need, into {options.wheels}")
        ensure("dev")
        at_hand = str(PYTHON)
    return run(at_hand, "benchmarks/gpu.py", "--out", str(options.out.resolve()), *rest, environment=environment)


def _unpack_wheels(wheels: Path, site: Path) -> None:
    """Installs what travelled along, once; nothing is fetched."""
    found = sorted(map(str, wheels.glob("*.whl")))
    if not found:
        raise Trouble(
            f"there is no wheel in {wheels}: fetch them by `pip download --only-binary=:all: -d {wheels} NAME==VERSION` where pip works"
        )
    listed = site / "wheels.json"
    names = [Path(wheel).name for wheel in found]
    if listed.exists() and json.loads(listed.read_text(encoding="utf-8")) == names:
        return
    with _step(f"unpacking {len(found)} wheels"):
        shutil.rmtree(site, ignore_errors=True)
        _quiet(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--target", str(site), *found)
        listed.write_text(json.dumps(names), encoding="utf-8")


def docs(options: argparse.Namespace, rest: Sequence[str]) -> int:
    """Runs every ```python block of README.md and docs/, each in a fresh process in an empty folder."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    blocks = [block for page in pages for block in python_blocks(page)]
    if not blocks:
        raise Trouble("there is no ```python block in README.md or docs/, so nothing was checked")
    if not ensure("dev", "torch")["torch"]:
        _answer_for_missing_torch()
    with ThreadPoolExecutor(2) as pool:
        failures = [failure for failure in pool.map(failure_of, blocks) if failure]
    for failure in failures:
        print(failure)
    print(f"{len(blocks) - len(failures)} of {len(blocks)} blocks ran")
    return 1 if failures else 0


class Block(NamedTuple):
    """A piece of Python in a page of documentation; `line` is the page's line that its first line stands on."""

    page: Path
    line: int
    source: str


def python_blocks(page: Path) -> list[Block]:
    """The ```python blocks of one page, in order."""
    text = page.read_text(encoding="utf-8")
    fences = re.finditer(
        r"^(?P<indent>[ ]*)(?P<fence>`{3,})python[ ]*\n(?P<source>.*?)^(?P=indent)(?P=fence)`*[ ]*$", text, re.DOTALL | re.MULTILINE
    )
    return [Block(page, text.count("\n", 0, fence.start("source")) + 1, textwrap.dedent(fence["source"])) for fence in fences]


def failure_of(block: Block) -> str:
    """What is wrong with a block, beginning with `page:line:`; nothing if it runs."""
    with tempfile.TemporaryDirectory(prefix="simcache-docs-", ignore_cleanup_errors=True) as folder:
        script = Path(folder, "block.py")
        script.write_text("\n" * (block.line - 1) + block.source, encoding="utf-8")  # so that the traceback counts as the page does
        isolated = {name: value for name, value in _environment().items() if not name.startswith("SIMCACHE_")}
        isolated |= {"HOME": folder, "XDG_CACHE_HOME": str(Path(folder, "cache")), "LOCALAPPDATA": folder, "PYTHONUTF8": "1"}
        try:
            done = subprocess.run(
                [str(PYTHON), script.name], cwd=folder, env=isolated, capture_output=True, text=True, timeout=BLOCK_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{_short(block.page)}:{block.line}: still running after {BLOCK_SECONDS} s"
    if done.returncode == 0:
        return ""
    lines = re.findall(r'File ".*\bblock\.py", line (\d+)', done.stderr)
    return f"{_short(block.page)}:{lines[-1] if lines else block.line}: ended with {done.returncode}\n{_last_words(done.stderr)}"


# --- the command line --------------------------------------------------------------------------------------------------------------------


class Command(NamedTuple):
    """A command: what runs, what a person types, and whether it hands further arguments on."""

    does: Callable[[argparse.Namespace, Sequence[str]], int]
    example: str
    hands_on: bool = False


COMMANDS = {
    "demo": Command(demo, "python3 dev.py demo", hands_on=True),
    "test": Command(
        test, "python3 dev.py test\n  python3 dev.py test tests/test_workshop.py -k help -x\n  python3 dev.py test --deep", hands_on=True
    ),
    "check": Command(check, "python3 dev.py check"),
    "bench": Command(bench, "python3 dev.py bench\n  python3 dev.py bench hit key\n  python3 dev.py bench --table", hands_on=True),
    "gpu": Command(
        gpu,
        "python3 dev.py gpu --out results\n  python3 dev.py gpu --out results --wheels wheels --seconds 500\n"
        "  python3 dev.py gpu --out trial --simulator --only latency",
        hands_on=True,
    ),
    "docs": Command(docs, "python3 dev.py docs"),
}


def parser() -> argparse.ArgumentParser:
    """The command line's face."""
    note = "The first run makes .venv (or the folder SIMCACHE_VENV names), which takes a minute or two; later runs start at once."
    whole = argparse.ArgumentParser(
        "dev.py",
        description=__doc__,
        epilog=f"{note}\n\nexample:\n  python3 dev.py test",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sentence = command.does.__doc__ or ""
        part = commands.add_parser(
            name,
            help=sentence,
            description=sentence,
            epilog=f"example:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == "test":
            part.add_argument(
                "--deep",
                action="store_true",
                help="also the long and wide variants; without other arguments tests/deep.json tells how it went",
            )
        if name == "bench":
            part.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks; all without a name")
        if name == "gpu":
            part.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder for what is measured")
            part.add_argument("--wheels", type=Path, metavar="DIR", help="packages that travelled along, where nothing can be fetched")
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code."""
    face = parser()
    options, rest = face.parse_known_args(arguments)
    command = COMMANDS[options.command]
    if rest and not command.hands_on:
        face.error(f"{options.command} knows no argument {rest[0]!r}")
    try:
        return command.does(options, rest)
    except Trouble as trouble:
        _say(str(trouble))
        return 1
    except KeyboardInterrupt:
        _say("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())

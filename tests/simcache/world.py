"""A checkout, a store, and fresh or running processes that look at them, for the tests of fingerprints."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from time import sleep
from typing import Any, Self

from tests.simcache.edits import Case

ROOT = Path(__file__).parents[2]
LONG_AGO = 1_700_000_000
_TICK = 0.01
"""Seconds in which the clock of Linux's file systems moves on, however slow it is."""

SCRIPT = """
from simcache import cached
SCALE = 2
def g(x): return x * SCALE
@cached
def f(x): return g(x)
print(f(3), f.key(3))
"""

MODULE = """
import pkg.callee
def g(x): return x * 2
@cached
def f(x): return g(x) + pkg.callee.h(x)
def below(x): return 0
"""
CALLEE = "def h(x): return x * 10\n"
"""Two modules whose f(x) is 12 x: 2 x from the function's own, 10 x from the callee's."""

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


def compute(function, *args, **kwargs):
    try:
        return repr(settle(function.compute(*args, **kwargs)))
    except Exception as problem:
        return f"raised {problem!r}"


def report(function, *args, **kwargs):
    told = {"key": function.key(*args, **kwargs)}
    if hasattr(function, "fingerprint"):
        told["code"] = function.fingerprint().version
    told["result"] = compute(function, *args, **kwargs)
    told["key afterwards"] = function.key(*args, **kwargs)
    print(json.dumps(told))


def look(root, entry, args, runs=0):
    """`runs`: how often its code runs, without simcache, before it is asked for its key."""
    sys.path.insert(0, root)
    module, _, name = entry.partition(":")
    space = vars(importlib.import_module(module))
    function = eval(name, space)
    for left in reversed(range(runs + 1)):
        given, kwargs = eval(f"(lambda *args, **kwargs: (args, kwargs))({args})", space)
        if left:
            compute(function, *given, **kwargs)
    report(function, *given, **kwargs)


def live(source, going_in, going_out):
    """Run a program whose lines come in by one named pipe, and whose answers go out by another."""
    os.dup2(os.open(going_in, os.O_RDONLY), 0)
    os.dup2(os.open(going_out, os.O_WRONLY), 1)
    sys.stdin, sys.stdout = open(0, encoding="utf-8", closefd=False), open(1, "w", encoding="utf-8", closefd=False)
    sys.modules["__main__"] = program = type(sys)("__main__")
    exec(source, vars(program))


def nursery():
    """Fork a fresh process for every line that comes in: it has imported simcache and nothing of any checkout."""
    loaded = "codecs.tree computing decorator identity.forms.constant identity.process.keeping identity.process.kept "
    loaded += "identity.process.set_up identity.text.source stores.local streaming"
    for module in (*(f"simcache.{name}" for name in loaded.split()), "importlib.metadata"):
        importlib.import_module(module)
    for line in sys.stdin:
        asked = json.loads(line)
        if "ended" in asked:
            os.waitpid(asked["ended"], 0)
            print("{}", flush=True)
            continue
        if "runs" in asked:
            ended = os.waitid(os.P_PID, asked["runs"], os.WEXITED | os.WNOHANG | os.WNOWAIT)
            print(json.dumps({"runs": ended is None}), flush=True)
            continue
        for package in asked["needs"]:
            importlib.import_module(package)
        child = os.fork()
        if child == 0:
            os.environ.update(asked["environment"])
            try:
                live(*asked["live"]) if "live" in asked else look(*asked["look"])
            except BaseException:
                print(json.dumps({"failed": traceback.format_exc()}))
            sys.stdout.flush()
            os._exit(0)
        if "live" in asked:
            print(json.dumps({"process": child}), flush=True)
        else:
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

    def report_soon(self, case: Case, *, runs: int = 0) -> dict[str, Any]:
        """The same from a process that was forked, which starts in a tenth of the time; scripts must start by themselves."""
        if case.script or not hasattr(os, "fork"):
            return self.report(case)
        sleep(_TICK)  # a file that is written in the tick of a load may be younger, and nobody edits as quickly as this
        return self.tools.ask(needs=case.needs, environment=self.places(), look=[str(self.checkout), case.entry, case.args, runs])

    def live(self, *loaded: str, **more: str) -> "Live":
        """A process that goes on running; one with variables of its own starts by itself, the others are forked where these may be `loaded`."""
        command = [self.tools.python, "-c", LIVE]
        environment = {"CHECKOUT": str(self.checkout)}
        if more or not self.tools.forks:
            return Live(
                subprocess.Popen(
                    command,
                    cwd=self.tools.folder,
                    env=self.environment(**environment, **more),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    encoding="utf-8",
                )
            )
        sleep(_TICK)
        return Live(Forked(self.tools, {**self.places(), **environment}, ("numpy", *loaded)))

    def ask(self, expression: str) -> str:
        """What a process that starts now gets for an expression over pkg.mod."""
        with self.live() as fresh:
            return fresh.do(f"from pkg.mod import *; answer = {expression}")

    def entries(self) -> list[Path]:
        """The entries in the store, looked at from behind."""
        return sorted((self.store / "entries").rglob("*.json"))


class Live:
    """A process that goes on running while files change under it, told what to do line by line."""

    def __init__(self, process: "subprocess.Popen[str] | Forked") -> None:
        self.process = process
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


class Forked:
    """A process that the nursery has forked, to be used as one that was started."""

    def __init__(self, tools: "Tools", environment: Mapping[str, str], loaded: Sequence[str]) -> None:
        self._tools, self._loaded = tools, loaded
        with TemporaryDirectory(dir=tools.folder) as folder:
            pipes = [os.path.join(folder, name) for name in ("in", "out")]
            for pipe in pipes:
                os.mkfifo(pipe)
            self.pid = int(tools.ask(*loaded, environment=environment, live=[LIVE, *pipes])["process"])
            self.stdin = open(pipes[0], "w", encoding="utf-8")  # noqa: SIM115 - as long as the process runs
            self.stdout = open(pipes[1], encoding="utf-8")  # noqa: SIM115

    def poll(self) -> int | None:
        """None as long as it runs."""
        return None if self._tools.ask(*self._loaded, runs=self.pid)["runs"] else 0

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def communicate(self) -> None:
        """Wait for its end."""
        self._tools.ask(*self._loaded, ended=self.pid)
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        self.stdout.close()


class Tools:
    """A Python, and the folder that holds the probe: on the path of every child process, and no part of any checkout."""

    def __init__(self, folder: Path, python: str = sys.executable, *, forks: bool = False) -> None:
        self.folder = folder
        self.python = python
        self.forks = forks and hasattr(os, "fork")
        """Whether processes that go on running may be forked from one that has imported simcache."""
        self.probe = folder / "probe.py"
        self.probe.write_text(PROBE)
        self.nurseries: dict[Sequence[str], subprocess.Popen[str]] = {}
        """By what they have loaded."""

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(self.folder))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONIOENCODING": "utf-8",
            "OPENBLAS_NUM_THREADS": "1",  # a process without threads is safely forked
        }

    def ask(self, *loaded: str, **wanted: object) -> dict[str, Any]:
        """What a newly forked process tells, which has loaded these."""
        if loaded not in self.nurseries:
            command = [self.python, str(self.probe)]
            self.nurseries[loaded] = subprocess.Popen(
                command, cwd=self.folder, env=self.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
            )
        nursery = self.nurseries[loaded]
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        nursery.stdin.write(json.dumps({"needs": loaded, **wanted}) + "\n")
        nursery.stdin.flush()
        told: dict[str, Any] = json.loads(nursery.stdout.readline())
        assert "failed" not in told, told["failed"]
        return told

    def close(self) -> None:
        for nursery in self.nurseries.values():
            nursery.communicate()


def package(text: str, **modules: str) -> dict[str, str]:
    """The files of a package whose pkg.mod is this text, with `cached` imported."""
    files = {"pkg/__init__.py": "", "pkg/mod.py": "from simcache import cached\n" + dedent(text)}
    return {**files, **{f"pkg/{name}.py": dedent(content) for name, content in modules.items()}}

"""What every test stands on: a clean environment, how hard hypothesis tries, and which tests wait for `--deep`."""

import compileall
import json
import os
import platform
import shutil
import signal
import subprocess
import tempfile
from ctypes.util import find_library
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Shared machines stall, so a slow example is no failure; a hung one is, by the timeout of the whole test.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("work", CALM)
settings.register_profile("ci", CALM, derandomize=True)
settings.register_profile("deep", CALM, max_examples=1000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--deep", action="store_true", help="also the tests marked deep, and ten times the examples")
    parser.addoption("--part", help="what of a deep run this is: tests/deep.json is told how it went")


def pytest_configure(config: pytest.Config) -> None:
    """Settings of the person who runs the tests must not reach them, nor the programs that they start."""
    for name in [name for name in os.environ if name.startswith("SIMCACHE_")]:
        del os.environ[name]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; what tests start and interrupt would not hear it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" not in os.environ:  # the workers and all that they start inherit it
        os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="simcache-tests-")
        # Compiled code is kept from one run to the next: its folder is named by the sources, so it is never another's.
        os.environ.setdefault("NUMBA_CACHE_DIR", str(config.rootpath / ".pytest_cache" / "numba"))
        # Tests start hundreds of programs. By itself numpy starts a thread for each processor, and these wait for work by turning round:
        # 0.30 s of processor time for an import that needs 0.17.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        for package in ("simcache", "arz", "rl"):  # once, where the environment lets no program write bytecode
            compileall.compile_dir(config.rootpath / package, quiet=2)
        _bring_cuda_compiler()
    in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
    settings.load_profile("deep" if config.getoption("--deep") else "ci" if in_ci else "work")


def _bring_cuda_compiler() -> None:
    """Kernels are compiled for GPUs on every machine: by its own compiler where there is one, else by the one that pip has installed."""
    if os.environ.keys() & {"CUDA_HOME", "CUDA_PATH"} or find_library("nvvm") or not find_spec("nvidia"):
        return
    wheel = find_spec("nvidia.cuda_nvcc")
    if wheel and wheel.submodule_search_locations:
        os.environ["CUDA_HOME"] = str(_cuda_home(Path(wheel.submodule_search_locations[0])))


def _cuda_home(wheel: Path) -> Path:
    """The wheel in the form in which numba looks for a compiler: by a name with a number, which the wheel's file does not have."""
    home = Path(os.environ["XDG_CACHE_HOME"]) / "cuda"
    (home / "nvvm" / "lib64").mkdir(parents=True)
    (home / "nvvm" / "lib64" / "libnvvm.so.4").symlink_to(wheel / "nvvm" / "lib64" / "libnvvm.so")
    (home / "nvvm" / "libdevice").symlink_to(wheel / "nvvm" / "libdevice")
    return home


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ["XDG_CACHE_HOME"], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """After a part of the deep run, write down how it went and on which commit, to be committed."""
    part, book = config.getoption("--part"), Path(__file__).parent / "deep.json"
    if not part or exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        return
    stats = terminalreporter.stats
    known = json.loads(book.read_text()) if book.exists() else {}
    known[part] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "changed since": [line for line in _git("status", "--porcelain").splitlines() if not line.endswith(f"tests/{book.name}")],
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "passed": len(stats.get("passed", [])),
        "expected to fail": sorted(report.nodeid for report in stats.get("xfailed", [])),
        "failed": sorted(report.nodeid for name in ("failed", "error") for report in stats.get(name, [])),
        "skipped": sorted(f"{report.nodeid}: {report.longrepr[2]}" for report in stats.get("skipped", [])),
    }
    book.write_text(json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], cwd=Path(__file__).parent, capture_output=True, text=True, check=False).stdout.rstrip()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--deep"):
        return
    waiting = [item for item in items if item.get_closest_marker("deep")]
    items[:] = [item for item in items if not item.get_closest_marker("deep")]
    if waiting:
        config.hook.pytest_deselected(items=waiting)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, for what looks there: the default store, settings of a user."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / ".cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    return folder

"""The floors of `.importlinter` hold, and they would notice an import that climbs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and their contracts, to be spoilt."""
    for package in ("simcache", "arz", "rl"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_the_floors_hold() -> None:
    """Every import goes down."""
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("simcache/model.py", "import simcache.cache", "doors above machines"),
        ("simcache/stores/base.py", "import simcache.codecs.base", "doors above machines"),
        ("simcache/identity/forms/canonical.py", "import simcache.model", "know the errors only"),
        ("simcache/cache.py", "import simcache.identity.fingerprint", "a keyed function alone"),
        ("simcache/stores/local.py", "import pickle", "one file may unpickle"),
        ("simcache/cache.py", "import rich", "draws on a terminal"),
        ("simcache/cache.py", "import arz", "never meet"),
        ("arz/__init__.py", "import simcache", "never meet"),
        ("arz/__init__.py", "import rl", "never meet"),
    ],
)
def test_an_import_that_climbs_is_noticed(copy: Path, module: str, line: str, contract: str) -> None:
    """One import upwards breaks the contract that forbids it."""
    spoilt = copy / module
    spoilt.write_text(f"{spoilt.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")

    done = lint(copy)

    assert done.returncode == 1, done.stdout + done.stderr
    assert [text for text in done.stdout.splitlines() if contract in text and "BROKEN" in text], done.stdout

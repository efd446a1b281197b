"""Two machines with another Python minor and another numpy each: what one computes the other does not, over every kind of remote."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.remotes.kaggle_server import KaggleServer
from tests.remotes.parties import Party, a_bare_repository, a_clone, a_party, a_project, first_clone, has_lfs
from tests.simcache.contract import Backdoor, S3Backdoor, SftpBackdoor

pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
NEEDED = ("click", "rich", "xxhash", "s3fs>=2024.6", "paramiko>=3.4", "kagglehub>=1.0.2,<2")
QUICK = 1.0
"""Seconds within which a hit must be served."""

Sides = tuple[Party, Party, str]
"""The two machines, and the name that both have for the remote."""


@pytest.fixture(scope="module")
def another_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what the cache and its remotes need, of another Python minor and numpy; skips where none can be made."""
    folder = tmp_path_factory.mktemp("another") / "venv"
    on_path = [Path(path) for path in map(shutil.which, ("python3.12", "python3.13", "python3.14", "python3.11")) if path is not None]
    behind_shims = [path for found in on_path for path in sorted(found.parents[1].glob("versions/3.1[1-9]*/bin/python"))]
    asked = [sys.executable, "-c", "import sys; print(sys.version_info[1])"]
    told = [(path, subprocess.run([path, *asked[1:]], capture_output=True, check=False).stdout) for path in (*on_path, *behind_shims)]
    other = next((path for path, minor in told if minor.strip() and int(minor) != sys.version_info[1]), None)
    if other is None:
        pytest.skip("there is no other Python here")
    older = "numpy<" + ".".join(np.__version__.split(".")[:2])
    commands: list[list[str | Path]] = [[other, "-m", "venv", folder]]
    commands.append([folder / "bin" / "pip", "install", "--quiet", older, *NEEDED])
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no environment of another Python can be made: {done.stderr[-200:]}")
    return folder / "bin" / "python"


def by_git(folder: Path, request: pytest.FixtureRequest) -> Sides:
    del request
    if not has_lfs():
        pytest.skip("git-lfs is not installed: `apt-get install git-lfs`")
    far = a_bare_repository(folder)
    laptop = first_clone(folder, "laptop", far)
    return laptop, a_clone(folder, "elsewhere", far), "git"


def by_kaggle(folder: Path, request: pytest.FixtureRequest) -> Sides:
    assert isinstance(request.getfixturevalue("kaggle"), KaggleServer)
    return _parties(folder, "kaggle", lambda name: f"kaggle://me/results?writer={name}&pause=0.01")


def by_s3(folder: Path, request: pytest.FixtureRequest) -> Sides:
    return _behind(S3Backdoor(folder / "remote"), folder, request)


def by_sftp(folder: Path, request: pytest.FixtureRequest) -> Sides:
    return _behind(SftpBackdoor(folder / "remote"), folder, request)


def _behind(remote: Backdoor, folder: Path, request: pytest.FixtureRequest) -> Sides:
    patch = request.getfixturevalue("monkeypatch")
    for name, value in remote.environment.items():
        if name != "HOME":
            patch.setenv(name, value)
    sides = _parties(folder, "bucket", lambda _: remote.url)
    ssh = Path(remote.environment.get("HOME", "/nowhere")) / ".ssh"
    for party in sides[:2]:
        if ssh.is_dir():
            shutil.copytree(ssh, party.home / ".ssh")
    return sides


def _parties(folder: Path, remote: str, url: Callable[[str], str]) -> Sides:
    laptop, elsewhere = (a_party(folder, name) for name in ("laptop", "elsewhere"))
    for party in (laptop, elsewhere):
        a_project(party, {remote: url(party.home.parent.name)})
    return laptop, elsewhere, remote


@pytest.mark.parametrize("way", [by_git, by_kaggle, by_s3, by_sftp], ids=lambda way: way.__name__[3:])
@pytest.mark.parametrize("newer_first", [True, False], ids=["computed-here", "computed-there"])
def test_hits_go_both_ways(
    way: Callable[[Path, pytest.FixtureRequest], Sides],
    newer_first: bool,
    another_python: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """One computes and syncs, the other hits at once; another rate misses and its baseline still hits; and the same the other way round."""
    laptop, elsewhere, remote = way(tmp_path, request)
    pythons = {laptop.home: Path(sys.executable), elsewhere.home: another_python}

    def run(party: Party, *command: str) -> str:
        return party.run(pythons[party.home], *command, PYTHONPATH=str(ROOT)).stdout

    def ask(party: Party, expression: str) -> str:
        timed = f"import time; from model import *; began = time.perf_counter(); value = {expression}; print(value, time.perf_counter() - began)"
        value, seconds = run(party, "-c", timed).split()
        if not party.ticks():
            assert float(seconds) < QUICK
        return value

    first, second = (laptop, elsewhere) if newer_first else (elsewhere, laptop)
    value = ask(first, "learn(0.5)")
    run(first, "-m", "simcache", "sync", "--to", remote)
    run(second, "-m", "simcache", "sync", "--from", remote)
    assert value == ask(second, "learn(0.5)")
    assert [] == second.ticks()
    ask(second, "learn(0.25)")
    assert ["learn 0.25"] == second.ticks()
    run(second, "-m", "simcache", "sync", "--to", remote)
    run(first, "-m", "simcache", "sync", "--from", remote)
    ask(first, "learn(0.25)")
    assert ["learn 0.5", "baseline 3"] == first.ticks()

    made = [json.loads((first.store / name).read_text())["made"] for name in first.names() if name.startswith("entries/")]
    assert 2 == len({entry["python"].rpartition(".")[0] for entry in made})
    assert 2 == len({entry["packages"]["numpy"] for entry in made if "numpy" in entry["packages"]})

"""Parties that share results: each with a home folder, a project and a store of its own, and the programs that it runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.simcache.stored import environment

MODEL = """
import numpy as np
from simcache import cached

def rows(n: int) -> int:
    return n * 4096

@cached
def baseline(n: int) -> np.ndarray:
    with open("ticks", "a") as file:
        file.write(f"baseline {n}\\n")
    return np.arange(float(rows(n)))

@cached
def learn(rate: float) -> float:
    with open("ticks", "a") as file:
        file.write(f"learn {rate}\\n")
    return float(baseline(3).sum()) * rate
"""
"""A project of two cached functions, one of which stands on the other."""


def has_lfs() -> bool:
    return shutil.which("git-lfs") is not None


@dataclass(frozen=True)
class Party:
    """One machine, as far as it knows."""

    home: Path
    work: Path
    """Its project: for Git, a clone."""

    @property
    def store(self) -> Path:
        return self.work / "store"

    @property
    def variables(self) -> dict[str, str]:
        own = {"HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / ".cache"), "XDG_CONFIG_HOME": str(self.home / ".config")}
        return {**environment(self.work), **own, "GIT_CONFIG_NOSYSTEM": "1"}

    def run(self, *command: str | Path, check: bool = True, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a program in the project; what it printed, and how it ended."""
        done = subprocess.run(command, cwd=self.work, env=self.variables | variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def git(self, *command: str | Path) -> str:
        return self.run("git", *command).stdout

    def simcache(self, *command: str, check: bool = True, **variables: str) -> "subprocess.CompletedProcess[str]":
        return self.run(sys.executable, "-m", "simcache", *command, check=check, **variables)

    def ask(self, expression: str) -> str:
        """The value of an expression of the project's module, in a process of its own."""
        return self.run(sys.executable, "-c", f"from model import *; print({expression})").stdout.strip()

    def ticks(self) -> list[str]:
        """What was computed here."""
        path = self.work / "ticks"
        return path.read_text().splitlines() if path.is_file() else []

    def names(self) -> set[str]:
        """What stands in the store, seen from behind."""
        tops = (self.store / "blobs", self.store / "entries")
        return {path.relative_to(self.store).as_posix() for top in tops for path in top.rglob("*") if path.is_file()}


def a_party(folder: Path, name: str) -> Party:
    """A home folder and an empty project."""
    party = Party(folder / name / "home", folder / name / "work")
    party.home.mkdir(parents=True)
    party.work.mkdir()
    (party.home / ".gitconfig").write_text(
        f"[user]\n\tname = {name}\n\temail = {name}@localhost\n[init]\n\tdefaultBranch = main\n[pull]\n\trebase = false\n"
    )
    return party


def a_project(party: Party, remotes: Mapping[str, str]) -> None:
    """The model and its settings."""
    (party.work / "model.py").write_text(MODEL)
    lines = ['store = "store"', "[remotes]", *(f'{name} = "{url}"' for name, url in remotes.items())]
    (party.work / "simcache.toml").write_text("\n".join(lines) + "\n")
    (party.work / ".gitignore").write_text("ticks\n__pycache__/\n")


def a_bare_repository(folder: Path) -> Path:
    far = folder / "far.git"
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", far], check=True, env=os.environ | {"GIT_CONFIG_NOSYSTEM": "1"}
    )
    subprocess.run(["git", "-C", far, "config", "http.receivepack", "true"], check=True)
    return far


def first_clone(folder: Path, name: str, url: str | Path) -> Party:
    """The party that begins the project, sets it up to be shared, and pushes it."""
    party = a_party(folder, name)
    a_project(party, {})
    party.git("init", "--quiet")
    party.git("remote", "add", "origin", url)
    party.simcache("init", "--git")
    party.git("add", ".")
    party.git("commit", "--quiet", "-m", "the project")
    party.git("push", "--quiet", "-u", "origin", "main")
    return party


def a_clone(folder: Path, name: str, url: str | Path, *, smudge: bool = False) -> Party:
    """Another party of the same project; without `smudge`, Git LFS leaves pointers."""
    party = a_party(folder, name)
    party.work.rmdir()
    command = ["git", "clone", "--quiet", url, party.work]
    skip = {} if smudge else {"GIT_LFS_SKIP_SMUDGE": "1"}
    if has_lfs():
        subprocess.run(["git", "lfs", "install", "--skip-repo"], env=party.variables, check=True, capture_output=True, cwd=folder)
    subprocess.run(command, env=party.variables | skip, check=True, capture_output=True, cwd=folder)
    if has_lfs():
        subprocess.run(["git", "lfs", "install", "--local"], env=party.variables, check=True, capture_output=True, cwd=party.work)
    return party

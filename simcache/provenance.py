"""Where and on what a result was made: written into its entry, compared when two results differ, never part of the key."""

import contextlib
import functools
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simcache.model import Made

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "0.1.0"
_PYTHON = ".".join(map(str, sys.version_info[:3]))


def made_now(seconds: float, packages: Iterable[str], *, source: str | None, device: str = "cpu") -> Made:
    """A record of this moment and this machine; `packages` are those that the code reaches, `source` the file it is from."""
    at = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"  # without "+00:00"
    host, platform, found, git = _here(frozenset(packages), source)
    return Made(at, round(seconds, 6), host, device, _PYTHON, platform, found, git, VERSION)


def environment(made: Made) -> tuple[str, ...]:
    """What must be equal for two results to be expected equal to the bit: device, machine, Python and packages."""
    packages = (f"{name} {version}" for name, version in sorted(made.packages.items()))
    return (made.device, made.platform, made.python.rpartition(".")[0], *packages)


@functools.lru_cache(maxsize=64)
def _here(packages: frozenset[str], source: str | None) -> tuple[str, str, Mapping[str, str], str | None]:
    """What does not change while this process runs."""
    return _host(), _platform(), versions(packages), commit_of(os.path.dirname(source)) if source else None


@functools.cache
def _host() -> str:
    import platform

    return platform.node()


@functools.cache
def _platform() -> str:
    import platform

    return f"{sys.platform}-{platform.machine()}"


@functools.lru_cache(maxsize=64)
def versions(packages: frozenset[str]) -> Mapping[str, str]:
    """The versions of the installed packages among these, by import name."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in sorted(packages - sys.stdlib_module_names - {"simcache", "__main__", "builtins"}):
        try:
            found[name] = version(name)
        except (PackageNotFoundError, ValueError):
            held = None
            with contextlib.suppress(Exception):  # something else stands in the place of the module, whatever it makes of being asked
                held = getattr(sys.modules.get(name), "__version__", None)
            if isinstance(held, str):
                found[name] = held
    return found


@functools.lru_cache(maxsize=64)
def commit_of(folder: str) -> str | None:
    """The Git commit that is checked out around a folder, read from Git's files; None outside a repository."""
    from pathlib import Path

    for above in (Path(folder).absolute(), *Path(folder).absolute().parents):
        git = above / ".git"
        try:
            if git.is_file():  # a work tree elsewhere: the file says where its Git folder is
                git = (above / git.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
            if git.is_dir():
                return _head(git)
        except (OSError, ValueError):  # Git's files are not ours: one that is damaged must cost no result
            return None
    return None


def _head(git: "Path") -> str | None:
    head = (git / "HEAD").read_text("utf-8").strip()
    if not head.startswith("ref:"):
        return head or None
    name = head.removeprefix("ref:").strip()
    common = git / "commondir"
    shared = (git / common.read_text("utf-8").strip()).resolve() if common.is_file() else git
    for folder in (git, shared):
        if (folder / name).is_file():
            return (folder / name).read_text("utf-8").strip()
    packed = shared / "packed-refs"
    for line in packed.read_text("utf-8").splitlines() if packed.is_file() else ():
        if line.endswith(f" {name}"):
            return line.partition(" ")[0]
    return None

"""Settings: the nearest simcache.toml or [tool.simcache], and SIMCACHE_* above it; read without pydantic, for a quick start."""

import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from simcache.errors import BadSettings
from simcache.home import user_folder
from simcache.mounts import input_folder, mounted_stores, working_folder
from simcache.named_tuple import NamedTuple

FILE = "simcache.toml"
_URL = r"[A-Za-z][A-Za-z0-9+.-]+:"
_FIELDS: Mapping[str, tuple[type, str]] = {
    "store": (str, 'a text in quotes, as in store = "store"'),
    "far": (list, 'a list of texts in quotes, as in far = ["/mnt/lab/store"]'),
    "durable": (bool, "true or false, without quotes"),
    "trust": (bool, "true or false, without quotes"),
    "remotes": (dict, 'a table: [remotes], and below it a line NAME = "URL" for each'),
}
_NUL = r"holds the character \u0000, which no path has: write the name without it"
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class Settings(NamedTuple):
    """Where results are kept, and what the other stores are called."""

    store: str
    """A whole path or a URL."""
    far: tuple[str, ...] = ()
    """Stores to read from after the near one: whole paths, URLs or names of remotes made into those."""
    durable: bool = False
    trust: bool = False
    remotes: Mapping[str, str] = MappingProxyType({})
    file: str | None = None
    """The file that these come from; None if there is none."""


def load(start: str | os.PathLike[str] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that hold for a file or folder: of the nearest file above it, with the environment's word over it."""
    table, file = _nearest(os.path.abspath(start or os.getcwd()))
    base = os.getcwd() if file is None else os.path.dirname(file)
    where = file or "settings"
    remotes = {name: located(url, base) for name, url in _remotes(table, where).items()}
    asked = environment.get("SIMCACHE_STORE")
    far = [item for item in environment.get("SIMCACHE_FAR", "").split(",") if item] or _texts(table.get("far", []), f"{where}: far")
    store = (
        located(asked, os.getcwd())
        if asked
        else located(table["store"], base)
        if "store" in table
        else os.path.join(user_folder(), "store")
    )
    far = [remotes.get(item) or located(item, base) for item in far]
    if (mounts := input_folder(environment)) is not None:
        far += [url for url in mounted_stores(mounts) if url not in far]
        if not asked and ("store" not in table or store.startswith(mounts + os.sep)):  # what is mounted cannot be written
            store = os.path.join(working_folder(), "store")
    return Settings(
        store=store,
        far=tuple(far),
        durable=_truth(environment, "SIMCACHE_DURABLE", default=table.get("durable", False)),
        trust=_truth(environment, "SIMCACHE_TRUST", default=table.get("trust", False)),
        remotes=remotes,
        file=file,
    )


def located(store: str, base: str | os.PathLike[str]) -> str:
    """A store as written in a file: a URL as it is, a path made whole from the file's folder, also the one behind `git+lfs:`."""
    scheme, _, path = store.partition(":")
    if scheme.lower() == "git+lfs" and path.partition("?")[0]:
        return f"git+lfs:{located(path, base)}"
    if ":" in store and re.match(_URL, store):
        return store
    return os.path.normpath(os.path.join(base, os.path.expanduser(store)))


def misnamed(held: Settings, place: str) -> str:
    """Why a store of `far` is not there, if it may be meant as the name of a remote; empty otherwise."""
    base = os.getcwd() if held.file is None else os.path.dirname(held.file)
    if os.path.dirname(place) != base or place in held.remotes.values() or os.path.lexists(place):
        return ""
    name, known = os.path.basename(place), ", ".join(sorted(held.remotes)) or "none"
    return f"no remote is called {name} (there are: {known}), and {place} is not there: `simcache remote add {name} URL` gives a store the name"


def _nearest(folder: str) -> tuple[dict[str, Any], str | None]:
    """The settings in the nearest file, from this folder upwards, and that file."""
    while True:
        for name in (FILE, "pyproject.toml"):
            file = os.path.join(folder, name)
            table = _table(file) if os.path.isfile(file) else None
            if table is not None:
                _check(table, file)
                return table, file
        if folder == os.path.dirname(folder):
            return {}, None
        folder = os.path.dirname(folder)


def _table(file: str) -> dict[str, Any] | None:
    import tomllib  # 4 ms, where there is a file

    own = os.path.basename(file) == FILE
    try:
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        if not own:
            return None  # somebody else's file: whoever reads the rest of it says so
        why = "it is nested too deeply" if isinstance(problem, RecursionError) else problem
        raise BadSettings(file, f"is no TOML: {why}") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise BadSettings(file, f"cannot be read: {problem}") from None
    if own:
        return content
    tools = content.get("tool")
    held = tools.get("simcache") if isinstance(tools, dict) else None
    if held is not None and not isinstance(held, dict):
        raise BadSettings(f"{file}: tool.simcache", "must be a table")
    return held


def _check(table: Mapping[str, Any], where: str) -> None:
    for name, value in table.items():
        if name not in _FIELDS:
            raise BadSettings(f"{where}: {name}", f"there is no such setting: there are {', '.join(_FIELDS)}")
        kind, wanted = _FIELDS[name]
        if not isinstance(value, kind):
            raise BadSettings(f"{where}: {name}", f"must be {wanted}, and is {value!r}")
    if table.get("store") == "":
        raise BadSettings(f"{where}: store", 'is empty: name a folder, as in store = "store"')
    if "\0" in table.get("store", ""):
        raise BadSettings(f"{where}: store", _NUL)


def _remotes(table: Mapping[str, Any], where: str) -> dict[str, str]:
    remotes = table.get("remotes", {})
    for name, url in remotes.items():
        if not isinstance(url, str) or not url:
            raise BadSettings(f"{where}: remotes.{name}", f"must be a path or a URL in quotes, and is {url!r}")
        if "\0" in url:
            raise BadSettings(f"{where}: remotes.{name}", _NUL)
    return dict(remotes)


def _texts(value: list[Any], where: str) -> list[str]:
    for index, item in enumerate(value):
        if not isinstance(item, str) or not item:
            raise BadSettings(f"{where}[{index}]", f"must be a path or a URL in quotes, and is {item!r}")
        if "\0" in item:
            raise BadSettings(f"{where}[{index}]", _NUL)
    return value


def _truth(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environment.get(name, "")
    if not text:
        return default
    if text.lower() not in _TRUTHS:
        raise BadSettings(name, f"must be one of {', '.join(_TRUTHS)}, and is {text!r}")
    return _TRUTHS[text.lower()]

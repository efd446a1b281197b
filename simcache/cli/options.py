"""What every command shares: which store, how the answer is printed, how a result is named."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from simcache.cli.root import Told
from simcache.cli.words import moment, printable
from simcache.errors import CacheError, Corrupt
from simcache.model import Entry, Json
from simcache.stores.base import Store

if TYPE_CHECKING:
    from simcache.upkeep.divergences import Divergence
    from simcache.upkeep.served import Served

_DIGITS = 32
_ENOUGH = 4
_SHOWN = 5

store_option = click.option("--store", "store_url", metavar="PATH|URL", help="The store; else the one of the settings above this folder.")
json_option = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")


def place_of(url: str | None) -> str:
    """The path or URL of a store, as asked for: a name of a remote, a place, or none for that of the settings."""
    from pathlib import Path

    from simcache.errors import BadSettings
    from simcache.settings import load, located

    settings = load()
    if url is None:
        return settings.store
    if not url:
        raise BadSettings("store", "the path is empty; name a folder or a URL")
    return settings.remotes.get(url) or located(url, Path.cwd())


def known_place(url: str) -> str:
    """The same of a store that must be known: a bare word is the name of a remote, or of what is there.

    Otherwise a slip of the finger would make a folder, or be told as a path that nobody meant.
    """
    import os

    from simcache.errors import BadSettings
    from simcache.settings import load

    settings = load()
    if url and url not in settings.remotes and not any(mark in url for mark in "/\\:") and not os.path.exists(url):
        known = ", ".join(sorted(settings.remotes)) or "none"
        raise BadSettings(
            f"remote {url}",
            f"there is no remote of this name (there are: {known}): `simcache remote add {url} URL` gives a store the name",
        )
    return place_of(url)


def opened(url: str | None, *, remote: bool = False) -> Store:
    """A store that must be there already; with `remote`, one that is named as remotes are."""
    from simcache.stores.registry import open_store

    return open_store(known_place(url) if remote and url is not None else place_of(url), create=False)


def emit(plain: Any, text: Callable[[], Sequence[str]], *, as_json: bool) -> None:
    """Print a report: as one JSON document, or as lines for a person."""
    lines = [document(plain)] if as_json else text()
    for line in lines:
        click.echo(printable(line))


def document(plain: Any) -> str:
    """As JSON, which has an escape of its own for what is no text."""
    document = json.dumps(plain, indent=2, ensure_ascii=not _takes_unicode())
    return document if printable(document) == document else json.dumps(plain, indent=2)


def _takes_unicode() -> bool:
    return (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "") == "utf8"


def chosen(store: Store, name: str, *, to_change: bool = False) -> list[Entry]:
    """The entries of the one key that begins so; `KEY.DIGEST` is one entry of it. Told if there are none, or several keys.

    Those that cannot be read are said on stderr, and Told where there are no others. Whoever is going to change them gives at least
    four digits: a shorter beginning is too easily that of another key by a slip.
    """
    from simcache.cache import Cache

    key, _, digest = name.lower().partition(".")
    if not key or len(key) > _DIGITS or any(letter not in "0123456789abcdef" for letter in key + digest):
        raise Told(f"{name!r} is no key: it has up to 32 digits 0-9 and a-f; `simcache ls` lists the keys")
    if to_change and not (len(key) >= _ENOUGH and (not digest or len(digest) >= _ENOUGH)):
        raise Told(
            f"{name} is too short: give at least {_ENOUGH} digits of a key (and of a digest); `simcache ls {key}` lists what begins so"
        )
    problems: list[CacheError] = []
    entries = Cache(store).find(key, digest, problems)
    keys = list(dict.fromkeys((entry.function, entry.key) for entry in entries))
    if not keys and problems:
        raise Told(_unreadable(problems[0]), 1)
    if not keys:
        raise Told(f"nothing is stored under {name} in {store.url}: `simcache ls` lists what is", 1)
    if len(keys) > 1:
        listed = "; ".join(f"{one} {function}" for function, one in keys[:_SHOWN])
        raise Told(f"{len(keys)} keys begin with {name}: {listed}{'; …' if len(keys) > _SHOWN else ''}: give more digits", 1)
    for problem in problems:
        click.echo(f"simcache: left out: {printable(_unreadable(problem))}", err=True)
    return entries


def _unreadable(problem: CacheError) -> str:
    mend = ": `simcache verify --repair` sets it aside, with `--from STORE` it fetches a good copy" if isinstance(problem, Corrupt) else ""
    return f"{problem}{mend}"


def answer(store: Store, name: str) -> "Served":
    """What the key that begins so answers; of `KEY.DIGEST` that entry alone. Told as by `chosen`."""
    from simcache.upkeep.served import served

    return served(chosen(store, name), whole=names_a_key(name))


def names_a_key(name: str) -> bool:
    """Whether this is the beginning of a key, and not `KEY.DIGEST`."""
    return not name.partition(".")[2]


def record(entry: Entry) -> Json:
    """An entry as it stands in its file, with its digest."""
    plain: Json = json.loads(entry.to_bytes())
    return {"digest": entry.digest, **plain}


def divergence(found: "Divergence") -> list[str]:
    """Results that contradict each other, and who made which."""
    lines = [f"{click.style('divergence', fg='red')} {found.function} {found.key}: different bytes for its {found.what}"]
    for one in found.results:
        packages = ", ".join(f"{name} {version}" for name, version in sorted(one.packages.items()))
        on = f"{one.host} ({one.device}, {one.platform}, Python {one.python}{', ' if packages else ''}{packages})"
        lines.append(f"  {one.entry}: SHA-256 {one.sha256[:12]}, made {moment(one.at)} on {on}")
    return lines

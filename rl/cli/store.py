"""Where a command keeps what it computes: as the command `simcache` says in the same folder, or in the user's cache."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from rl.cli.options import say
from rl.cli.root import Told
from simcache.settings import Settings, load


def tell_store() -> None:
    """As `take_store`, and a person is told where results are kept."""
    say(f"results are kept in {take_store()}")


def take_store() -> str:
    """To the end of this command the settings above the current folder hold, in processes that it starts too; gives the store.

    SIMCACHE_STORE stands above them. Where there are none, it stays with those above the package, as for programs that call it.
    """
    here = load()
    if os.environ.get("SIMCACHE_STORE"):
        return here.store
    if here.file is None:
        return load(os.path.dirname(__file__)).store
    click.get_current_context().with_resource(_environment(_variables(here)))
    return here.store


def _variables(settings: Settings) -> dict[str, str]:
    """The settings as the environment says them, which processes that are started inherit."""
    if odd := [url for url in settings.far if "," in url]:
        raise Told(f"{settings.file}: far: {odd[0]} holds a comma, which parts the stores of SIMCACHE_FAR: give it a name without one")
    return {
        "SIMCACHE_STORE": settings.store,
        "SIMCACHE_FAR": ",".join(settings.far),
        "SIMCACHE_DURABLE": str(int(settings.durable)),
        "SIMCACHE_TRUST": str(int(settings.trust)),
    }


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

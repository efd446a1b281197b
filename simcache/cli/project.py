"""`init` and `remote`: setting a project up."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from simcache.cli.options import emit, json_option
from simcache.cli.words import table

if TYPE_CHECKING:
    from simcache.upkeep.setup import RemotesReport


@click.command(epilog="Example: simcache init --store results")
@click.option("--store", metavar="PATH|URL", help="Where results are kept; `store` beside the settings if left out.")
@click.option("--git", is_flag=True, help="Set the store up to be shared through Git: its blobs by Git LFS if that is installed.")
@json_option
def init(store: str | None, *, git: bool, as_json: bool) -> None:
    """Make simcache.toml and the store folder here.

    What is there already stays as it is. --git adds two lines to .gitattributes, sets Git LFS up for this clone, and calls the store's branch `git`, so that `simcache sync git` exchanges results.
    """
    from simcache.upkeep.setup import init as make

    report = make(store=store, git=git)
    lines = [
        *(f"made {path}" for path in report.made),
        *(f"{path} is there already and stays as it is" for path in report.found),
        *report.notes,
    ]
    emit(report.to_json(), lambda: lines, as_json=as_json)


@click.group(epilog="Example: simcache remote add lab /mnt/lab/store")
def remote() -> None:
    """Give other stores names."""


@remote.command(epilog="Example: simcache remote add lab /mnt/lab/store")
@click.argument("name")
@click.argument("url")
@json_option
def add(name: str, url: str, *, as_json: bool) -> None:
    """Give the store at URL (or a path) a name, in the settings file above this folder."""
    from simcache.upkeep.setup import add_remote

    report = add_remote(name, url)
    emit(report.to_json(), lambda: [report.changed], as_json=as_json)


@remote.command("ls", epilog="Example: simcache remote ls")
@json_option
def ls_(*, as_json: bool) -> None:
    """List the names and what they stand for."""
    from simcache.upkeep.setup import remotes

    report = remotes()
    emit(report.to_json(), lambda: _names(report), as_json=as_json)


@remote.command(epilog="Example: simcache remote rm lab")
@click.argument("name")
@json_option
def rm(name: str, *, as_json: bool) -> None:
    """Take a name back; the store that had it is not touched."""
    from simcache.upkeep.setup import remove_remote

    report = remove_remote(name)
    emit(report.to_json(), lambda: [report.changed], as_json=as_json)


def _names(report: "RemotesReport") -> Sequence[str]:
    if not report.remotes:
        return ["no remotes; `simcache remote add NAME URL` names one"]
    return table(("name", "store"), [(one.name, one.url) for one in report.remotes])

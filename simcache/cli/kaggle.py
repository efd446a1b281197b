"""`kaggle`: scripts that run on Kaggle, and their results brought home."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from simcache.cli.options import emit, json_option, place_of, store_option
from simcache.cli.root import Told
from simcache.cli.words import Span, counted, size, span

if TYPE_CHECKING:
    from simcache.kernels import RunReport

_GRACE = 60.0


@click.group(epilog="Example: simcache kaggle run train.py --gpu --deadline 8h")
def kaggle() -> None:
    """Run scripts on Kaggle; what they compute comes into the store."""


@kaggle.command(
    epilog="Example: simcache kaggle run train.py --gpu --deadline 8h30m -- --seed 3", context_settings={"ignore_unknown_options": True}
)
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--gpu", is_flag=True, help="On a T4; anything else that Kaggle gives is told.")
@click.option("--deadline", type=Span(limit=True), metavar="TIME", help="Stop it after so long (8h30m); a series keeps what it has.")
@click.option("--remote", metavar="REMOTE", help="The Kaggle store that is attached; else the one remote that is one.")
@click.option("--kernel", "slug", metavar="NAME", help="What the kernel is called; else simcache- and the script's name.")
@click.option("--pip", multiple=True, metavar="PACKAGE", help="Installed there first, which needs the internet there; may be given again.")
@click.option("--wait/--no-wait", default=True, help="Follow it and bring its results; without, `simcache kaggle follow` does that later.")
@store_option
@json_option
def run(
    script: str,
    arguments: tuple[str, ...],
    deadline: float | None,
    remote: str | None,
    slug: str | None,
    pip: tuple[str, ...],
    store_url: str | None,
    *,
    gpu: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Run SCRIPT on Kaggle, with the project's code and the Kaggle store attached, and bring its results into the store.

    What ran is proved by what it wrote down itself: the code, the arguments, the accelerator; results of anything else are not taken.
    """
    from simcache.kernels import prepared, pushed, script_at
    from simcache.stores.kaggle import shelf_of
    from simcache.stores.kaggle_api import Kaggle

    path = script_at(script)  # before anything is asked of the network
    shelf = shelf_of(_remote(remote))
    service = Kaggle(shelf.patience)
    asked, text = prepared(
        path, arguments, owner=shelf.owner, slug=slug or "", gpu=gpu, deadline=deadline, pip=pip, datasets=shelf.datasets()
    )
    asked = pushed(service, asked, text)
    name = f"{asked.owner}/{asked.slug}"
    if not wait:
        emit({"kernel": name}, lambda: [f"{name} runs; `simcache kaggle follow {name}` brings its results"], as_json=as_json)
        return
    _follow(name, store_url, shelf.patience.pause, as_json=as_json)


@kaggle.command(epilog="Example: simcache kaggle follow me/simcache-train")
@click.argument("kernel", metavar="OWNER/NAME")
@click.option("--pause", type=Span(limit=True), default="1s", hidden=True)
@store_option
@json_option
def follow(kernel: str, pause: float, store_url: str | None, *, as_json: bool) -> None:
    """Wait for a kernel that was started from here, and bring its results into the store."""
    _follow(kernel, store_url, pause, as_json=as_json)


def _follow(kernel: str, store_url: str | None, pause: float, *, as_json: bool) -> None:
    import sys
    import time

    from simcache.kernels import asked_before, followed
    from simcache.stores.kaggle_api import PATIENCE, Kaggle
    from simcache.stores.registry import open_store

    owner, _, slug = kernel.partition("/")
    if not slug:
        raise Told(f"{kernel!r} is no kernel: it is OWNER/NAME, as its page on Kaggle is")
    terminal = sys.stderr.isatty()
    said, heard = "", -_GRACE

    def told(state: str, seconds: float) -> None:
        nonlocal said, heard
        if terminal:
            click.echo(f"\r\x1b[K{kernel}: {state.lower()}, {span(seconds)}", err=True, nl=False)
        elif state != said or seconds - heard >= _GRACE:
            said, heard = state, seconds
            click.echo(f"{time.strftime('%H:%M:%S')} {kernel}: {state.lower()}", err=True)

    patience = PATIENCE._replace(pause=pause)
    report = followed(Kaggle(patience), asked_before(owner, slug), open_store(place_of(store_url)), told, patience=patience)
    if terminal:
        click.echo("\r\x1b[K", err=True, nl=False)
    emit({"well": report.well, **report.to_json()}, lambda: _said(report), as_json=as_json)
    if not report.well:
        raise click.exceptions.Exit(1)


def _remote(name: str | None) -> str:
    """The URL of the Kaggle store that is meant."""
    from simcache.settings import load

    remotes = load().remotes
    if name is not None:
        return remotes.get(name, name)
    found = {one: url for one, url in remotes.items() if url.startswith("kaggle://")}
    if len(found) != 1:
        known = ", ".join(found) or "none"
        raise Told(
            f"which Kaggle store is meant? There are {known}: name one with --remote, or add it: simcache remote add kaggle kaggle://YOU/SLUG"
        )
    return next(iter(found.values()))


def _said(report: "RunReport") -> Sequence[str]:
    lines = [f"{report.kernel}: {report.state.lower()} after {span(report.seconds)}{', stopped at its deadline' if report.stopped else ''}"]
    lines += [f"  on {device}" for device in report.devices]
    if report.status:
        lines.append(f"{click.style('the script failed', fg='red')} with exit code {report.status}")
    lines += [f"{click.style('not what was asked', fg='red')}: {one}" for one in report.differences]
    lines += [f"  | {line}" for line in report.log.splitlines()]
    if report.received is not None and (received := report.received.received) is not None:
        lines.append(f"received {counted(received.entries, 'entry', 'entries')}, {counted(received.blobs, 'blob')}, {size(received.bytes)}")
        lines += [f"{click.style('refused', fg='red')} {one.name}: {one.reason}" for one in report.received.refused]
    if not report.differences and not report.status:
        lines.append("what ran is what was asked: its code, arguments and accelerator")
    return lines

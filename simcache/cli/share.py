"""`sync`, `doctor`: results from and to other stores, and what would keep them from getting there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from simcache.cli.options import divergence, emit, json_option, known_place, place_of, store_option
from simcache.cli.progress import Bar
from simcache.cli.words import counted, size, span

if TYPE_CHECKING:
    from simcache.stores.base import Store
    from simcache.upkeep.doctor import DoctorReport
    from simcache.upkeep.sync import Moved, SyncReport, Way

_SHOWN = 20


@click.command(epilog="Example: simcache sync --from lab")
@click.argument("remote", required=False)
@click.option("--to", "to", metavar="REMOTE", help="Only send what REMOTE lacks.")
@click.option("--from", "from_", metavar="REMOTE", help="Only receive what REMOTE has.")
@click.option("--kernel", metavar="OWNER/NAME", help="With --from: not the store itself, but what this Kaggle kernel has put out.")
@click.option("--only", multiple=True, metavar="GLOB", help="Only results of these functions or keys; may be given again.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="How many are moved at once; 8 if left out, and 1 between folders.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be moved.")
@click.option("--progress", is_flag=True, help="Tell how far it is every few seconds, also where stderr is no terminal.")
@store_option
@json_option
def sync(
    remote: str | None,
    to: str | None,
    from_: str | None,
    kernel: str | None,
    only: tuple[str, ...],
    jobs: int | None,
    store_url: str | None,
    *,
    dry_run: bool,
    progress: bool,
    as_json: bool,
) -> None:
    """Exchange results with another store.

    REMOTE is a name that `simcache remote` lists, a path or a URL. `sync REMOTE` moves both ways what the other side lacks. Every byte is checked before its result can be seen; what is damaged is refused by name, and the rest goes on. Ended at any moment and run again, it moves only what is missing.
    """
    from simcache.settings import load
    from simcache.upkeep.sync import sync as exchange

    ways: dict[Way, str | None] = {"both": remote, "to": to, "from": from_}
    asked = [(way, place) for way, place in ways.items() if place is not None]
    if len(asked) != 1:
        raise click.UsageError("name one other store: REMOTE, --to REMOTE or --from REMOTE")
    way, place = asked[0]
    if kernel is not None:
        if way != "from":
            raise click.UsageError("a kernel's output is only read: --from kaggle --kernel OWNER/NAME")
        place = f"kaggle-kernel://{kernel}"
    near, near_is_new = _opened_or_new(place_of(store_url), create=True)
    far, far_is_new = _opened_or_new(known_place(place), create=way != "from")
    looking = Bar("reading the entries that are new", heartbeat=progress, unit=lambda number: f"{number:,.0f}")
    moving, publishing = Bar(f"syncing with {place}", heartbeat=progress), Bar(f"publishing to {place}", heartbeat=progress)
    report = exchange(
        near,
        far,
        way,
        only=only,
        jobs=jobs,
        trust=load().trust,
        dry_run=dry_run,
        looking=looking,
        progress=moving,
        publishing=publishing,
    )
    for bar in (looking, moving, publishing):
        bar.clear()
    gave = [(far_is_new, report.sent), (near_is_new, report.received)]
    made = [moved.target for is_new, moved in gave if is_new and moved is not None and moved.entries + moved.blobs]
    emit({**report.to_json(), "made": made}, lambda: _told(report, only, made), as_json=as_json)
    if not (report.complete and report.matched):
        raise click.exceptions.Exit(1)


def _opened_or_new(url: str, *, create: bool) -> "tuple[Store, bool]":
    """A store, and whether nothing is there yet, so that the first write makes it; with `create=False` something must be there."""
    from simcache.errors import NotAStore
    from simcache.stores.registry import open_store

    try:
        return open_store(url, create=False), False
    except NotAStore:
        if not create:
            raise
        return open_store(url), True


def _told(report: "SyncReport", only: Sequence[str], made: Sequence[str]) -> Sequence[str]:
    if not report.matched:
        return [f"nothing on either side matches --only {' --only '.join(only)}: `simcache ls` lists functions and keys"]
    lines = [_moved(one, way, report) for way, one in (("received", report.received), ("sent", report.sent)) if one is not None]
    lines += [f"{'would make' if report.dry_run else 'made'} the store {place}, where there was none" for place in made]
    if report.published:
        verb = "would be published" if report.dry_run else "published"
        lines.append(f"{verb} {counted(report.published, 'entry', 'entries')} that an earlier sync had sent")
    lines += [f"{click.style('refused', fg='red')} {one.name} of {one.store}: {one.reason}" for one in report.refused[:_SHOWN]]
    if len(report.refused) > _SHOWN:
        lines.append(f"… and {len(report.refused) - _SHOWN} more refused: --json lists all")
    for found in report.divergences[:_SHOWN]:
        lines += divergence(found)
    if report.stopped:
        again = "" if report.closed else "; run it again to go on where it stopped"
        lines.append(f"{click.style('stopped', fg='red')}: {report.stopped}{again}")
    return lines


def _moved(one: "Moved", way: str, report: "SyncReport") -> str:
    where = f"from {one.source}" if way == "received" else f"to {one.target}"
    if not one.entries and not one.blobs:
        return f"nothing new {where}" if report.complete else f"nothing was {way} {where}"
    verb = f"would be {way}" if report.dry_run else way
    return f"{verb} {counted(one.entries, 'entry', 'entries')}, {counted(one.blobs, 'blob')}, {size(one.bytes)} {where} in {span(report.seconds)}"


@click.command(epilog="Example: simcache doctor --offline")
@click.option("--offline", is_flag=True, help="Ask no remote.")
@store_option
@json_option
def doctor(store_url: str | None, *, offline: bool, as_json: bool) -> None:
    """Find out why sharing fails.

    Looks at the store, at how Git and Git LFS see it, at the clocks, and at each remote: whether it can be asked, and whether one side lacks what the other has. Each problem is told with the command that mends it. Exit code 0 if all is well, 1 if there are problems.
    """
    from simcache.settings import load
    from simcache.upkeep.doctor import doctor as look

    report = look(load(), None if store_url is None else place_of(store_url), network=not offline)
    emit(report.to_json(), lambda: _findings(report), as_json=as_json)
    if not report.well:
        raise click.exceptions.Exit(1)


def _findings(report: "DoctorReport") -> Sequence[str]:
    colours = {"problem": "red", "fine": "green", "note": "yellow"}
    return [
        f"{click.style(one.kind, fg=colours[one.kind])} {one.about}: {one.says}{f'; mend it: {one.mend}' if one.mend else ''}"
        for one in report.findings
    ]

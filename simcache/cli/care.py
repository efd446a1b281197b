"""`verify`, `prune`, `forget`, `withdraw`: the care of a store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from simcache.cli.options import chosen, divergence, emit, json_option, names_a_key, opened, place_of, store_option
from simcache.cli.progress import Bar
from simcache.cli.root import Told
from simcache.cli.words import Size, Span, counted, size, span

if TYPE_CHECKING:
    from simcache.model import Entry
    from simcache.stores.base import Store
    from simcache.upkeep.prune import PruneReport
    from simcache.upkeep.rerun import Rerun, RerunReport
    from simcache.upkeep.verify import VerifyReport

_SHOWN = 20


@click.command(epilog="Example: simcache verify --repair --from ../other/store")
@click.argument("place", metavar="[STORE]", required=False)
@click.option("--repair", is_flag=True, help="Set damaged things aside, into the store's quarantine.")
@click.option("--from", "source_url", metavar="STORE", help="With --repair: take good copies from this store.")
@click.option(
    "--with", "others", multiple=True, metavar="REMOTE", help="Verify this store too, and compare what both hold; may be given again."
)
@click.option("--rerun", "reruns", type=click.IntRange(min=1), metavar="N", help="Compute N results again and compare their bytes.")
@click.option("--progress", is_flag=True, help="Tell how far it is every few seconds, also where stderr is no terminal.")
@store_option
@json_option
def verify(
    place: str | None,
    source_url: str | None,
    others: tuple[str, ...],
    reruns: int | None,
    store_url: str | None,
    *,
    repair: bool,
    progress: bool,
    as_json: bool,
) -> None:
    """Check a store to the last byte.

    Every blob, entry, reference and series is looked at, and results that contradict each other are told; --with does the same for other stores, and for all of them together. Exit code 0 if it is sound, 1 if there are problems. Blobs of which only a Git LFS pointer is here are no problem.
    """
    from simcache.upkeep.mark import opened_to_mend
    from simcache.upkeep.verify import verify as look

    if place is not None and store_url is not None:
        raise click.UsageError("give the store once: as STORE or as --store")
    if source_url is not None and not repair:
        raise click.UsageError("--from fetches good copies, so it goes with --repair")
    if others and (repair or reruns):
        raise click.UsageError("--with only looks, so it goes neither with --repair nor with --rerun")
    store = opened_to_mend(place_of(store_url if place is None else place))
    if others:
        _together([store, *(opened(other, remote=True) for other in others)], heartbeat=progress, as_json=as_json)
        return
    source = None if source_url is None else opened(source_url, remote=True)
    for one in (store, source):
        if one is not None:
            one.refresh()
    bar = Bar(f"verifying {store.url}", heartbeat=progress)
    report = look(store, repair=repair, source=source, progress=bar)
    bar.clear()
    again = None if reruns is None else _rerun(store, reruns, heartbeat=progress)
    plain: dict[str, Any] = report.to_json() if again is None else {**report.to_json(), "rerun": again.to_json()}
    emit(plain, lambda: [*_verdict(report, repaired=repair), *([] if again is None else _reruns(again))], as_json=as_json)
    if not report.sound or (again is not None and not again.sound):
        raise click.exceptions.Exit(1)


def _together(stores: "list[Store]", *, heartbeat: bool, as_json: bool) -> None:
    from simcache.upkeep.across import verify_across

    bar = Bar(f"verifying {counted(len(stores), 'store')}", heartbeat=heartbeat)
    report = verify_across(stores, progress=bar)
    bar.clear()
    lines = [line for one in report.stores for line in _verdict(one, repaired=False)]
    for found in report.divergences[:_SHOWN]:
        lines += divergence(found)
    said = f"{counted(len(report.divergences), 'divergence')} among the {len(stores)} stores" if report.divergences else "the stores agree"
    emit(report.to_json(), lambda: [*lines, said], as_json=as_json)
    if not report.sound:
        raise click.exceptions.Exit(1)


def _rerun(store: "Store", count: int, *, heartbeat: bool) -> "RerunReport":
    from simcache.cache import Cache
    from simcache.cli.aside import printing_aside
    from simcache.cli.functions import find
    from simcache.upkeep.rerun import rerun

    bar = Bar("computing again", heartbeat=heartbeat, unit=lambda number: f"{number:.0f}")
    with printing_aside():
        report = rerun(Cache(store), count, find, progress=bar)
    bar.clear()
    return report


def _verdict(report: "VerifyReport", *, repaired: bool) -> Sequence[str]:
    held = f"{counted(report.entries, 'entry', 'entries')}, {counted(report.blobs, 'blob')}, {size(report.bytes)}"
    lines = [f"{report.store}: {held} in {span(report.seconds)}"]
    lines += [
        f"{_red(problem.kind)} {problem.name}: {problem.reason}{f' ({problem.mended})' if problem.mended else ''}"
        for problem in report.problems[:_SHOWN]
    ]
    if len(report.problems) > _SHOWN:
        lines.append(f"… and {len(report.problems) - _SHOWN} more: --json lists all")
    for found in report.divergences[:_SHOWN]:
        lines += divergence(found)
    lines += [f"note: {said}" for said in _notes(report)]
    if report.sound:
        return [*lines, click.style("sound", fg="green") + (", after repair" if report.problems else "")]
    return [*lines, f"{_red('not sound')}: {_advice(report, repaired=repaired)}"]


def _red(text: str) -> str:
    return click.style(text, fg="red")


def _notes(report: "VerifyReport") -> list[str]:
    notes = list(report.gaps)
    if report.unavailable:
        count = len(report.unavailable)
        notes.append(f"{counted(count, 'blob')} unavailable: only a Git LFS pointer is here; `git lfs pull` brings the content")
    if report.unreferenced:
        notes.append(
            f"{counted(report.unreferenced, 'blob belongs', 'blobs belong')} to no result: `simcache prune` frees {'it once it is' if report.unreferenced == 1 else 'them once they are'} an hour old"
        )
    if report.unfinished:
        notes.append(
            f"{counted(report.unfinished, 'unfinished file')} of writers, living or dead: harmless, dead ones are swept by the next write"
        )
    return notes


def _advice(report: "VerifyReport", *, repaired: bool) -> str:
    advice = []
    open_problems = sum(not problem.mended for problem in report.problems)
    if open_problems and not repaired:
        advice.append(
            f"{counted(open_problems, 'problem')}; `simcache verify --repair` sets damaged things aside, `--from STORE` fetches good copies"
        )
    elif open_problems:
        advice.append(
            f"{counted(open_problems, 'problem')} left; `--from STORE` fetches good copies from another store, and what helps without one is said above"
        )
    if report.divergences:
        advice.append(
            f"{counted(len(report.divergences), 'divergence')}; `simcache diff` compares, `simcache withdraw KEY.DIGEST --reason …` takes one back"
        )
    return "; ".join(advice)


def _reruns(report: "RerunReport") -> Sequence[str]:
    lines = []
    left_out: dict[tuple[str, str], list[Rerun]] = {}
    for one in report.reruns:
        if one.outcome == "skipped":
            left_out.setdefault((one.function, one.reason), []).append(one)
        else:
            said = "same bytes" if one.outcome == "same" else _red(one.outcome)
            lines.append(f"{said}: {one.function} {one.entry}{': ' if one.reason else ''}{one.reason}")
    for (function, reason), alike in left_out.items():
        which = alike[0].entry if len(alike) == 1 and alike[0].entry else f"({counted(sum(one.results for one in alike), 'result')})"
        lines.append(f"not compared: {function} {which}: {reason}")
    differ = sum(one.outcome in ("differs", "failed") for one in report.reruns)
    came = counted(differ, "differs or fails", "differ or fail") if differ else "all the same" if report.computed else "nothing compared"
    others = f"; {report.left_out} left out, for the reasons above" if report.left_out else ""
    return [*lines, f"computed {report.computed} of {report.there} again: {came}{others}"]


@click.command(epilog='Example: simcache prune --max-size 5GB --keep "arz.baseline*" --dry-run')
@click.option("--max-size", type=Size(), metavar="SIZE", help="Remove the oldest results until everything takes at most this: 5GB.")
@click.option("--older-than", type=Span(), metavar="TIME", help="Remove results made longer ago than this: 30d.")
@click.option("--keep", multiple=True, metavar="GLOB", help="Never remove results of these functions or keys; may be given again.")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@store_option
@json_option
def prune(
    max_size: int | None, older_than: float | None, keep: tuple[str, ...], store_url: str | None, *, dry_run: bool, as_json: bool
) -> None:
    """Free space.

    Goes: old results, what belongs to no result, the quarantine, and what dead writers left. A series goes from its end, so that what is left of it is whole; as long as nobody asks for the rest, nothing is
    computed again. Without --max-size and --older-than no result goes.
    """
    from simcache.upkeep.prune import prune as free

    report = free(opened(store_url), max_size=max_size, older_than=older_than, keep=keep, dry_run=dry_run)
    emit(report.to_json(), lambda: [*_freed(report), *_above(report, max_size, keep)], as_json=as_json)


def _above(report: "PruneReport", max_size: int | None, keep: Sequence[str]) -> Sequence[str]:
    """Why more is left than was asked for, if so, and what helps."""
    if max_size is None or report.bytes_left <= max_size:
        return []
    why = []
    if report.kept_young:
        why.append("blobs without a result that are too young (run it again in an hour)")
    if report.busy:
        why.append("series that are being computed (run it again when they are done)")
    if keep:
        why.append(f"what --keep names ({', '.join(keep)})")
    rest = "withdrawals, which stay, or what cannot be read (`simcache verify` names it)"
    return [
        f"note: {size(report.bytes_left)} are more than the {size(max_size)} of --max-size; what is left holds {', '.join(why) or rest}"
    ]


def _freed(report: "PruneReport") -> Sequence[str]:
    verb = "would free" if report.dry_run else "freed"
    what = f"{counted(report.entries, 'entry', 'entries')} of {counted(len(report.results), 'result')}, {counted(report.blobs, 'blob')}"
    lines = [f"{report.store}: {verb} {size(report.freed)}: {what}; {size(report.bytes_left)} left"]
    if report.quarantined:
        lines.append(f"{counted(report.quarantined, 'file')} of the quarantine {'would go' if report.dry_run else 'went'}")
    if report.unfinished:
        lines.append(f"{counted(report.unfinished, 'unfinished file')} of dead writers went")
    if report.kept_young:
        lines.append(
            f"note: {counted(report.kept_young, 'blob without a result is', 'blobs without a result are')} less than an hour old and may belong to a writer: the first prune after that frees {'it' if report.kept_young == 1 else 'them'}"
        )
    if report.busy:
        lines.append(f"note: {counted(len(report.busy), 'series', 'series')} being computed right now: left alone")
    return lines


@click.command(epilog="Example: simcache forget 3f9a")
@click.argument("key")
@store_option
@json_option
def forget(key: str, store_url: str | None, *, as_json: bool) -> None:
    """Delete the results of one key here.

    KEY is at least the first four digits of the key, KEY.DIGEST one of its results. Other stores keep theirs. A withdrawal stays, so that what it takes back cannot come back from them; the next call computes again all the same. Only KEY.DIGEST of the withdrawal itself, as `simcache show` prints it, lifts it here.
    """
    store = opened(store_url)
    entries = chosen(store, key, to_change=True)
    first = entries[0]
    withdrawals = [entry for entry in entries if entry.kind == "withdrawn"]
    lifts = withdrawals == entries and not names_a_key(key)
    going = entries if lifts else [entry for entry in entries if entry.kind != "withdrawn"]
    if not going:
        raise Told(f"of {first.function} {first.key} there is no result here, only its withdrawal, which stays: {_how_to_lift(first)}", 1)
    for entry in going:
        store.delete(entry.name)
    plain = {"function": first.function, "key": first.key, "deleted": [entry.name for entry in going], "lifted": lifts}
    emit(plain, lambda: _forgotten(going, withdrawals, lifts=lifts), as_json=as_json)


def _forgotten(going: "Sequence[Entry]", withdrawals: "Sequence[Entry]", *, lifts: bool) -> Sequence[str]:
    of = f"of {going[0].function} {going[0].key}"
    if lifts:
        return [f"lifted a withdrawal {of} here: what it took back is served again, where it still lies"]
    lines = [
        f"deleted {counted(len(going), 'entry', 'entries')} {of}; `simcache prune` frees {'its' if len(going) == 1 else 'their'} bytes once they are an hour old"
    ]
    if withdrawals:
        lines.append(f"note: what was withdrawn stays withdrawn, and a sync does not bring it back; {_how_to_lift(withdrawals[0])}")
    return lines


def _how_to_lift(withdrawal: "Entry") -> str:
    return f"`simcache forget {withdrawal.key}.{withdrawal.digest}` lifts the withdrawal here"


@click.command(epilog='Example: simcache withdraw 3f9a --reason "computed with the wrong road length"')
@click.argument("key")
@click.option("--reason", required=True, help="Why; whoever finds it withdrawn reads this.")
@store_option
@json_option
def withdraw(key: str, reason: str, store_url: str | None, *, as_json: bool) -> None:
    """Take results back everywhere.

    They are served no more, here and wherever this store is synced to. KEY takes all results of a key back, KEY.DIGEST one of several; at least the first four digits of each are needed.
    """
    from simcache.cache import Cache
    from simcache.provenance import made_now
    from simcache.upkeep.divergences import in_service

    if not reason.strip():
        raise click.UsageError("--reason is empty: say why in a few words")
    store = opened(store_url)
    cache = Cache(store)
    asked = chosen(store, key, to_change=True)
    served = {entry.name for entry in in_service(cache.find(asked[0].key))}  # a tombstone has another digest than what it takes back
    entries = [entry for entry in asked if entry.name in served]
    if not entries:
        raise Told(f"{key} is withdrawn already: `simcache show {asked[0].key}` tells why", 1)
    tombstone = cache.withdraw(entries, made_now(0.0, (), source=None), reason.strip())
    first = entries[0]
    plain = {"function": first.function, "key": first.key, "withdrawn": list(tombstone.withdraws), "reason": reason.strip()}
    said = f"withdrew {counted(len(entries), 'entry', 'entries')} of {first.function} {first.key}: the next call computes again"
    emit(plain, lambda: [said], as_json=as_json)

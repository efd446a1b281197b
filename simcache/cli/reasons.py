"""`why` and `diff`: what makes two results different."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from simcache.cli.options import chosen, emit, json_option, opened, served_first, store_option
from simcache.cli.words import moment, span

if TYPE_CHECKING:
    from simcache.upkeep.compare import Comparison, Side


@click.command(epilog="Example: simcache why 3f9a")
@click.argument("key")
@store_option
@json_option
def why(key: str, store_url: str | None, *, as_json: bool) -> None:
    """Tell why a result was computed.

    Names the arguments, and the functions in which files, that differ from the nearest result. That is the one
    made before it in which the fewest things differ.
    """
    from simcache.cache import Cache
    from simcache.upkeep.compare import why as compared

    store = opened(store_url)
    report = compared(Cache(store), served_first(chosen(store, key)))
    emit(report.to_json(), lambda: _because(report), as_json=as_json)


def _because(report: "Comparison") -> Sequence[str]:
    if report.old is None:
        return [_side("result ", report.new), "it is the first result of this function that is stored here"]
    return [_side("result ", report.new), _side("nearest", report.old), *(_changes(report) or ["nothing that was written down differs"])]


@click.command(epilog="Example: simcache diff 3f9a 81c2")
@click.argument("old")
@click.argument("new")
@store_option
@json_option
def diff(old: str, new: str, store_url: str | None, *, as_json: bool) -> None:
    """Compare two results.

    Arguments, code, packages, machine and values are compared. A key names the result that is served; KEY.DIGEST names one of several.
    """
    from simcache.cache import Cache
    from simcache.upkeep.compare import diff as compared

    store = opened(store_url)
    report = compared(Cache(store), served_first(chosen(store, old)), served_first(chosen(store, new)))
    emit(report.to_json(), lambda: _differs(report), as_json=as_json)


def _differs(report: "Comparison") -> Sequence[str]:
    lines = [] if report.old is None else [_side("old", report.old)]
    lines += [_side("new", report.new), *_changes(report)]
    lines.append("the values have the same bytes" if report.same_bytes else "the values have different bytes")
    if report.same_key and not report.same_bytes and report.new.kind == "value":
        lines.append("one key and two results: the function is not reproducible; `simcache withdraw KEY.DIGEST --reason …` takes one back")
    return lines


def _side(label: str, side: "Side") -> str:
    return f"{label} {side.entry} {side.function}, made {moment(side.at)} on {side.host} ({side.device}) in {span(side.seconds)}"


def _changes(report: "Comparison") -> list[str]:
    return [f"  {change.text}" for change in report.changes]

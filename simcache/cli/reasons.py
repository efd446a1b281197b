"""`why` and `diff`: what makes two results different."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from simcache.chain import items_named
from simcache.cli.options import answer, emit, json_option, opened, store_option
from simcache.cli.words import counted, moment, span

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
    report = compared(Cache(store), answer(store, key).first)
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
    Two series are compared over all their items, however they are cut into segments, up to the first item that differs; KEY.DIGEST
    names one segment, which is compared with the same items of the other.
    """
    from simcache.cache import Cache
    from simcache.upkeep.compare import diff as compared

    store = opened(store_url)
    report = compared(Cache(store), answer(store, old), answer(store, new))
    emit(report.to_json(), lambda: _differs(report), as_json=as_json)


def _differs(report: "Comparison") -> Sequence[str]:
    lines = [] if report.old is None else [_side("old", report.old)]
    lines += [_side("new", report.new), *_changes(report)]
    lines.append(_verdict(report))
    if report.same_key and report.same_bytes is False and report.new.kind == "value":
        lines.append("one key and two results: the function is not reproducible; `simcache withdraw KEY.DIGEST --reason …` takes one back")
    return lines


def _verdict(report: "Comparison") -> str:
    if report.beginning is not None and report.old is not None and "." in report.old.entry + report.new.entry:
        return f"the {report.beginning} one has not all of these items: those that it has have the same bytes"
    if report.beginning is not None:
        return f"the {report.beginning} one is a beginning of the other: all items that it has have the same bytes"
    if report.first_difference is not None:
        return f"the items have different bytes: item {report.first_difference} is the first that differs"
    what = "items" if report.new.items is not None else "values"
    if report.same_bytes is None:
        return f"the {what} could not be compared"
    return f"the {what} have {'the same' if report.same_bytes else 'different'} bytes"


def _side(label: str, side: "Side") -> str:
    items = "" if side.items is None else f", {_items(side)}"
    return f"{label} {side.entry} {side.function}{items}, made {moment(side.at)} on {side.host} ({side.device}) in {span(side.seconds)}"


def _items(side: "Side") -> str:
    """Which items it has: of a whole series how many."""
    start, stop = side.items or (0, 0)
    return items_named(start, stop) if "." in side.entry else counted(stop, "item")


def _changes(report: "Comparison") -> list[str]:
    return [f"  {change.text}" for change in report.changes]

"""`ls`, `show`, `stats`: what is in a store."""

import json
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

import click

from simcache.chain import items_named
from simcache.cli.options import chosen, emit, json_option, names_a_key, opened, record, store_option
from simcache.cli.words import counted, moment, size, span, table

if TYPE_CHECKING:
    from simcache.cache import Cache
    from simcache.model import Entry, Json
    from simcache.stores.base import Store
    from simcache.upkeep.listing import Listing
    from simcache.upkeep.served import Served
    from simcache.upkeep.stats import StatsReport

_LIMIT = 50
_LONGEST = 4000


@click.command(epilog='Example: simcache ls "arz.*" --sort size --limit 10')
@click.argument("pattern", required=False)
@click.option("--function", metavar="NAME", help="Only this function.")
@click.option("--limit", type=click.IntRange(min=0), default=_LIMIT, show_default=True, help="At most so many rows; 0 for all.")
@click.option("--sort", "order", type=click.Choice(["time", "size", "seconds", "function"]), default="time", show_default=True)
@store_option
@json_option
def ls(pattern: str | None, function: str | None, limit: int, order: Any, store_url: str | None, *, as_json: bool) -> None:
    """List results, the newest first.

    PATTERN is a function (with * and ?), a module, or the beginning of a key. Exit code 1 if there are none.

    A row is what one key serves; withdrawn results are listed where there are no others. Its size is that of the values, states,
    arguments and lists of functions that it names, each counted once in a row, not that of the entries themselves.
    """
    from simcache.upkeep.listing import listing

    store = opened(store_url)
    report = listing(store, pattern, function=function, limit=limit or None, order=order)
    emit(report.to_json(), lambda: _rows(report) if report.total else [_nothing(store, pattern, function)], as_json=as_json)
    if not report.total:
        raise click.exceptions.Exit(1)


def _rows(report: "Listing") -> Sequence[str]:
    rows = [
        (row.key, row.function, _kind(row.kind, row.items, row.results), moment(row.at), size(row.size), span(row.seconds), row.host)
        for row in report.rows
    ]
    lines = table(("key", "function", "what", "made", "size", "took", "host"), rows, right=(4, 5))
    if len(report.rows) < report.total:
        lines.append(f"… {report.total - len(report.rows)} more: --limit 0 shows all")
    return lines


def _nothing(store: "Store", pattern: str | None, function: str | None) -> str:
    """Why a listing is empty, and the next step."""
    from simcache.upkeep.listing import listing, near_name

    functions = {row.function for row in listing(store).rows}
    if not functions and any(store.names("entries/")):
        return f"{store.url}: no such results, no entry here can be read: `simcache verify` says why"
    if not functions:
        return f"{store.url}: nothing is stored here: results of `@cached` functions that use this store come here, and `simcache sync` brings others'"
    asked = pattern if function is None or function in functions else function
    near = near_name(asked or "", functions)
    step = f"did you mean {near}?" if near else "`simcache stats` lists the functions"
    return f"{store.url}: no such results, for no function is called so and no key begins so: {step}"


def _kind(kind: str, items: int | None, results: int) -> str:
    if items is not None:
        return counted(items, "item")
    return f"{kind} ×{results}" if results > 1 else kind


@click.command(epilog="Example: simcache show 3f9a --value")
@click.argument("key")
@click.option("--value", "with_value", is_flag=True, help="Print the value too, if it is plain data.")
@store_option
@json_option
def show(key: str, store_url: str | None, *, with_value: bool, as_json: bool) -> None:
    """Show the results of one key.

    Its first digits are enough. The value of a series is all items that are stored of it from the first one on; KEY.DIGEST names
    one segment, whose items are shown alone.
    """
    from simcache.cache import Cache
    from simcache.upkeep.divergences import in_service
    from simcache.upkeep.served import served

    store = opened(store_url)
    entries = chosen(store, key)
    cache = Cache(store)
    of_key = entries if names_a_key(key) else cache.find(entries[0].key)
    in_use = {entry.name for entry in in_service(of_key)}
    result = served(entries, whole=names_a_key(key))
    plain: dict[str, Any] = {"key": result.first.key, "function": result.first.function, "entries": [record(entry) for entry in entries]}
    if with_value:
        plain |= {"value": _plain_value(cache, result), "withdrawn": result.first.name not in in_use}
    if with_value and result.is_series:
        plain |= {"items": [result.start, result.stop], "stored": served(of_key).stop if in_use else 0}
    emit(plain, lambda: [*_shown(cache, entries, result.first, in_use), *_value_lines(plain)], as_json=as_json)


def _value_lines(plain: "Json") -> Sequence[str]:
    if "value" not in plain:
        return []
    what = "value"
    if "items" in plain:
        start, stop = plain["items"]
        what += f", {items_named(start, stop)} of {plain['stored']:,}"
    return [f"{what}{', withdrawn' if plain['withdrawn'] else ''}:", json.dumps(plain["value"], ensure_ascii=False)]


def _shown(cache: "Cache", entries: Sequence["Entry"], first: "Entry", in_use: Container[str]) -> Sequence[str]:
    from simcache.identity.difference import shown

    lines = [f"{first.function} {first.key}", f"code {first.code}"]
    lines += [f"  {name} = {shown(held.get('json', {'$recorded': held}))}{_note(held)}" for name, held in cache.arguments_of(first).items()]
    for entry in sorted(entries, key=lambda entry: (entry.segment.start if entry.segment else 0, entry.made.at)):
        lines += _entry_lines(entry, withdrawn=entry.kind != "withdrawn" and entry.name not in in_use)
    parts = cache.parts_of(first)
    if parts:
        lines.append(f"code followed: {', '.join(sorted(parts))}")
    return lines


def _note(recorded: dict[str, Any]) -> str:
    return "  (not part of the key)" if recorded.get("ignored") else ""


def _entry_lines(entry: "Entry", *, withdrawn: bool) -> list[str]:
    made = entry.made
    what: str = entry.kind
    if entry.segment is not None:
        what = items_named(entry.segment.start, entry.segment.stop)
        what += ", and there it ends" if entry.segment.ended else ""
    lines = [f"{what}{' (withdrawn)' if withdrawn else ''}: {entry.key}.{entry.digest}"]
    packages = ", ".join(f"{name} {version}" for name, version in sorted(made.packages.items()))
    lines.append(
        f"  made {moment(made.at)} on {made.host} ({made.device}, {made.platform}, Python {made.python}{', ' if packages else ''}{packages})"
    )
    if made.git:
        lines.append(f"  at Git commit {made.git}")
    if entry.kind == "withdrawn":
        return [*lines, f"  takes back {', '.join(entry.withdraws)}: {entry.reason}"]
    lines.append(f"  took {span(made.seconds)}")
    for what, described in (("value", entry.value), ("state", entry.state)):
        if described is not None:
            lines.append(f"  {what}: {described['codec']}, {size(entry.named(described).size)}, {_place(entry, described)}")
    return lines


def _plain_value(cache: "Cache", result: "Served") -> Any:
    """The value, or the items of a series, as the JSON that it is stored as; a note in its place if it is no plain data."""
    held = result.chain if result.is_series else (result.first,)
    described = [(entry, entry.value) for entry in held if entry.value is not None]
    if not described:
        return [] if result.is_series else None
    length = sum(entry.named(value).size for entry, value in described)
    other = next((value["codec"] for _, value in described if value["codec"] != "json"), None)
    if other is not None:
        return f"({other}, {size(length)}: not plain data; load it in Python)"
    if length > _LONGEST * 250:
        more = f" and {counted(len(described) - 1, 'other segment')}" if len(described) > 1 else ""
        return f"({size(length)} of JSON: see {_place(*described[0])}{more})"
    try:
        values = [json.loads(bytes(cache.content(entry, value))) for entry, value in described]
        return [item for items in values for item in items] if result.is_series else values[0]
    except (ValueError, TypeError, RecursionError) as problem:
        return f"(no JSON, though its entry says so: {problem})"


def _place(entry: "Entry", described: "Json") -> str:
    """The name of the blob that a value is, or that it has none."""
    return "in the entry" if "inline" in described else entry.named(described).name


@click.command(epilog="Example: simcache stats --json")
@store_option
@json_option
def stats(store_url: str | None, *, as_json: bool) -> None:
    """Count results, bytes, hits and time saved.

    Counted is what lies there, withdrawn results too. The bytes of a function are those that `ls` lists, and what several of its results share counts once; the
    total is what the whole store takes, the entries themselves included.
    """
    from simcache.upkeep.stats import stats as count

    report = count(opened(store_url))
    emit(report.to_json(), lambda: _numbers(report), as_json=as_json)


def _numbers(report: "StatsReport") -> Sequence[str]:
    rows = [
        (one.function, f"{one.entries:,}", size(one.bytes), f"{one.hits:,}", span(one.saved), moment(one.newest))
        for one in report.functions
    ]
    total = ("total", f"{report.entries:,}", size(report.bytes), f"{report.hits:,}", span(report.saved), "")
    lines = [report.store, *table(("function", "entries", "bytes", "hits", "saved", "newest"), [*rows, total], right=(1, 2, 3, 4))]
    if report.unreferenced:
        lines.append(f"{size(report.unreferenced)} belong to no result: `simcache prune` frees them once they are an hour old")
    return lines

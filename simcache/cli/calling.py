"""`call`: a cached function from the shell."""

import dataclasses
import inspect
import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simcache.cli.options import document, emit, json_option, place_of, store_option
from simcache.cli.root import Told

if TYPE_CHECKING:
    from simcache.decorator import Bound, Cached

_SMALL = 16
_LONG = 2000
"""Bits of a whole number from which on Python may refuse to write it in decimals: no limit on those is below 640 digits."""


@click.command(epilog="Example: echo '{\"seed\": 1}' | simcache call model:simulate -")
@click.argument("target", metavar="MODULE:FUNCTION")
@click.argument("arguments", metavar="[ARGS.json]", default="")
@click.option("--items", type=click.IntRange(min=0), metavar="N", help="Of a series: how many items.")
@store_option
@json_option
def call(target: str, arguments: str, items: int | None, store_url: str | None, *, as_json: bool) -> None:
    """Call a cached function and print its result.

    ARGS.json is a file with one JSON object, an argument a name, or - for standard input; without it there are no
    arguments. They are converted to the annotated types, dataclasses and pydantic models too. Modules of the current
    folder can be named. What they print goes to stderr. With --json the answer says whether it was a hit, and how long it took.
    """
    import os

    if store_url is not None:
        os.environ["SIMCACHE_STORE"] = place_of(store_url)
    given = _given(arguments)

    from simcache.cli.arguments import Unfit, bound
    from simcache.cli.aside import printing_aside
    from simcache.cli.functions import cached_at, hints_of, where
    from simcache.errors import CacheError

    with printing_aside():
        function = cached_at(target)
        try:
            ready = bound(function.compute, hints_of(function), given)
        except Unfit as problem:
            raise Told(str(problem)) from None
        began = time.perf_counter()
        try:
            value, hit = _called(function, ready, items)
        except (click.ClickException, CacheError):
            raise
        except (Exception, SystemExit) as problem:  # the user's own code may raise anything
            raise Told(f"{target} raised {type(problem).__name__}: {problem} ({where(problem)})", 1) from None
        seconds = time.perf_counter() - began
        form = _shown(value)
        answer = {"function": function.name, "key": _key(function, ready), "hit": hit, "seconds": round(seconds, 6), "value": form}
    emit(answer, lambda: [document(form)], as_json=as_json)


def _given(source: str) -> dict[str, Any]:
    if not source:
        return {}
    if source == "-" and sys.stdin is None:
        raise Told("standard input is closed: name a file with a JSON object")
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except OSError as problem:
        raise Told(f"{source}: {problem.strerror}: name a file with a JSON object, or - for standard input") from None
    except UnicodeDecodeError:
        raise Told(f"{source} is no text in UTF-8") from None
    name = "standard input" if source == "-" else source
    try:
        held = json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, name))
    except (ValueError, RecursionError) as problem:
        raise Told(f"{name} is no JSON: {problem}") from None
    if not isinstance(held, dict):
        raise Told(f"{name} must hold a JSON object with the arguments by name, and holds {text.strip()[:40]}")
    return held


def _object(pairs: list[tuple[str, Any]], source: str) -> dict[str, Any]:
    """A JSON object; one that gives a name twice is refused, as nobody knows which of the two is meant."""
    held: dict[str, Any] = {}
    for name, value in pairs:
        if name in held:
            raise Told(f"{source} gives {name!r} twice: keep one of them")
        held[name] = value
    return held


def _called(function: "Cached[..., Any] | Bound[Any]", ready: inspect.BoundArguments, items: int | None) -> tuple[Any, bool]:
    """The result, and whether it came from the store."""
    args, kwargs = ready.args, ready.kwargs
    if inspect.isgeneratorfunction(inspect.unwrap(function.compute)):
        if items is None:
            raise Told("this is a series, which may be endless: say how many items with --items N")
        series = function(*args, **kwargs)
        stored, ended = series.stored, series.ended
        return list(series.take(items)), stored >= items or ended
    if items is not None:
        raise Told("--items is for series, and this function gives one value")
    hit = function.entry(*args, **kwargs) is not None
    value = function(*args, **kwargs)
    if inspect.isawaitable(value):
        import asyncio

        value = asyncio.run(_awaited(value))
    return value, hit


async def _awaited(value: Any) -> Any:
    return await value


def _key(function: "Cached[..., Any] | Bound[Any]", ready: inspect.BoundArguments) -> str:
    return str(function.key(*ready.args, **ready.kwargs))


def _shown(value: Any) -> Any:
    """The plain form of a result; of one that has none (a list that holds itself, a `repr` that raises) what it is, for the call went well."""
    try:
        return plain(value)
    except Exception as problem:  # the user's own classes may raise anything
        return f"({type(value).__qualname__}, which cannot be shown: {type(problem).__name__}: {problem})"


def plain(value: Any) -> Any:
    """A value as JSON that a person can read: records as objects, arrays by what they are, anything else by its repr."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int) and value.bit_length() > _LONG:
        return _long(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if hasattr(value, "__array__") and hasattr(value, "dtype"):
        return _array(value)
    if isinstance(value, Mapping):
        return {str(plain(name) if isinstance(name, int) else name): plain(item) for name, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return {name: plain(item) for name, item in value}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(item) for name, item in zip(value._fields, value, strict=True)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": len(value)}
    return repr(value)


def _long(number: int) -> int | str:
    """The number itself if this Python writes so many digits (and whoever reads them is as likely to), else its hexadecimal form."""
    try:
        str(number)
    except ValueError:
        return hex(number)
    return number


def _array(value: Any) -> Any:
    import numpy as np

    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except (TypeError, RuntimeError):  # a tensor of numbers that numpy has not, or that is no plain block of memory
        return {"array": str(value.dtype), "shape": list(value.shape), **_numbers(value)}
    if array.ndim == 0:
        return plain(array.item())
    return {"array": str(array.dtype), "shape": list(array.shape), **_summary(array)}


def _numbers(tensor: Any) -> dict[str, Any]:
    """Of a tensor of short floats (bfloat16) what they are; nothing of one that is not taken by numpy even so."""
    import numpy as np

    try:
        return _summary(np.asarray(tensor.detach().cpu().float()))
    except (TypeError, RuntimeError):
        return {}


def _summary(array: Any) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    if array.size and array.dtype.kind in "biuf":
        summary |= {"min": plain(array.min().item()), "mean": plain(array.mean().item()), "max": plain(array.max().item())}
    if 0 < array.size <= _SMALL:
        summary["values"] = plain(array.tolist())
    return summary

"""Stored results computed again and compared, byte for byte: the only proof that a cache tells the truth."""

import asyncio
import copy
import inspect
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Protocol

from simcache.cache import Cache
from simcache.chain import items_named, longest_chain
from simcache.codecs.registry import decode, encode, is_safe
from simcache.errors import CacheError, Undecodable, Unstorable
from simcache.model import Entry, Json, blob_of, form_of
from simcache.provenance import environment, made_now
from simcache.series import Step
from simcache.upkeep.divergences import in_service
from simcache.upkeep.report import Report

_RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Rerun(Report):
    """What came of computing one result again."""

    function: str
    entry: str
    """`key.digest`; empty if nothing of the function could be computed."""
    outcome: Literal["same", "differs", "failed", "skipped"]
    reason: str
    seconds: float
    results: int = 1
    """Of how many results this is told: one, or all of a function that cannot be had."""


@dataclass(frozen=True, slots=True)
class RerunReport(Report):
    """What came of computing some results again."""

    asked: int
    there: int
    """How many results could have been asked for: those that are served."""
    reruns: tuple[Rerun, ...]

    @property
    def sound(self) -> bool:
        """At least one result was compared, none differed, and none failed."""
        return self.computed > 0 and all(one.outcome in ("same", "skipped") for one in self.reruns)

    @property
    def computed(self) -> int:
        """How many were computed."""
        return sum(one.outcome != "skipped" for one in self.reruns)

    @property
    def left_out(self) -> int:
        """How many could not be compared; of each the reason is told."""
        return sum(one.results for one in self.reruns if one.outcome == "skipped")


class NotFound(CacheError):
    """A function that a store names and that cannot be had here: say why, and compute its results where it can."""

    def __init__(self, function: str, reason: str) -> None:
        super().__init__(function, reason)
        self.function = function
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.function} cannot be computed here: {self.reason}"


class _NotHad(CacheError):
    """An argument of a stored call that cannot be had again; says which, and why."""


class Recomputable(Protocol):
    """A cached function, as far as computing its results again needs it."""

    compute: Callable[..., Any]

    @property
    def into(self) -> object:
        """The annotated type of a result, or of an item."""

    @property
    def codec(self) -> str | None:
        """The codec that was asked for by name."""

    @property
    def hints(self) -> Mapping[str, object]:
        """The annotated types of its arguments."""

    def version(self) -> str:
        """The version of its code as it is now."""

    def key(self, *args: Any, **kwargs: Any) -> str:
        """The key of a call."""


def rerun(cache: Cache, count: int, find: Callable[[str], Recomputable], progress: Callable[[int, int], None] | None = None) -> RerunReport:
    """Compute `count` stored results again, spread over the functions, the newest first; `find` gives a function by its name.

    A result is left out, with the reason, if its function cannot be had here, its code has changed since, or its
    arguments were too large to be written down.
    """
    reruns: list[Rerun] = []
    stored = _newest_first(cache)
    there = sum(map(len, stored.values()))
    waiting = {function: deque(entries) for function, entries in sorted(stored.items())}
    found: dict[str, Recomputable] = {}
    computed = 0
    while waiting and computed < count:
        for function, entries in list(waiting.items()):
            if computed >= count:
                break
            if not entries:
                del waiting[function]
                continue
            if function not in found:
                try:
                    found[function] = find(function)
                except NotFound as problem:
                    reruns.append(Rerun(function, "", "skipped", problem.reason, 0.0, len(entries)))
                    del waiting[function]
                    continue
            reruns.append(_again(cache, entries.popleft(), found[function]))
            if reruns[-1].outcome != "skipped":
                computed += 1
                if progress is not None:
                    progress(computed, min(count, there))
    return RerunReport(count, there, tuple(reruns))


def _newest_first(cache: Cache) -> dict[str, list[Entry]]:
    """The results that are served, of each function."""
    by_key: dict[tuple[str, str], list[Entry]] = {}
    for entry in cache.all_entries():
        by_key.setdefault((entry.function, entry.key), []).append(entry)
    served: dict[str, list[Entry]] = {}
    for (function, _), group in by_key.items():
        if entries := in_service(group):
            served.setdefault(function, []).extend(entries)
    for entries in served.values():
        entries.sort(key=lambda entry: (entry.made.at, entry.digest), reverse=True)
    return served


def _again(cache: Cache, entry: Entry, function: Recomputable) -> Rerun:
    name = f"{entry.key}.{entry.digest}"
    began = time.perf_counter()

    def outcome(what: Literal["same", "differs", "failed", "skipped"], reason: str = "") -> Rerun:
        return Rerun(entry.function, name, what, reason, round(time.perf_counter() - began, 3))

    if (version := function.version()) != entry.code:
        return outcome("skipped", f"its code has changed since (version {entry.code[:8]} then, {version[:8]} now)")
    try:
        bound = _arguments(cache, entry, function)
        key = function.key(*bound.args, **bound.kwargs)
    except (CacheError, TypeError) as problem:
        return outcome("skipped", str(problem))
    try:
        if key != entry.key:
            return outcome(
                "skipped", f"its arguments cannot be rebuilt exactly, or the code of one has changed: their key is {key[:8]} now"
            )
        differing = _segment(cache, entry, function, bound) if entry.segment else _value(entry, function, bound)
    except (CacheError, SystemExit) as problem:
        return outcome("failed", str(problem))
    except Exception as problem:
        return outcome("failed", f"computing it raised {type(problem).__name__}: {problem}")
    return outcome("differs", f"{differing}{_elsewhere(entry)}") if differing else outcome("same")


def _arguments(cache: Cache, entry: Entry, function: Recomputable) -> inspect.BoundArguments:
    """The recorded arguments of a call; _NotHad names one that cannot be had again."""
    arguments = {name: _argument(cache, entry, name, recorded, function.hints.get(name)) for name, recorded in entry.arguments.items()}
    signature = inspect.signature(function.compute)
    return inspect.BoundArguments(signature, arguments)


def _argument(cache: Cache, entry: Entry, name: str, recorded: Json, hint: object) -> object:
    try:
        if "json" in recorded:
            return decode({"codec": "json"}, memoryview(json.dumps(recorded["json"]).encode()), hint)
        if "describe" in recorded and is_safe(recorded["describe"]):
            return decode(recorded["describe"], cache.content(entry, recorded), hint)
    except Undecodable as problem:
        raise _NotHad(f"its argument {name} cannot be read: {problem.reason}") from problem
    except CacheError as problem:
        raise _NotHad(f"its argument {name} cannot be read: {problem}") from problem
    raise _NotHad(f"its argument {name} was too large or of too special a type to be written down: {recorded.get('text', '')}")


def _value(entry: Entry, function: Recomputable, bound: inspect.BoundArguments) -> str:
    value = function.compute(*bound.args, **bound.kwargs)
    if inspect.iscoroutine(value):
        value = asyncio.run(value)
    return _differing(entry, entry.value, value, function.codec, function.into, "the value")


def _segment(cache: Cache, entry: Entry, function: Recomputable, bound: inspect.BoundArguments) -> str:
    """Compute the items of a segment from the state before it; what differs, in words."""
    segment = entry.segment
    if segment is None:
        raise TypeError(f"{entry.name} is no segment")
    start, state = _state_before(cache, entry, segment.start, function) if _RESUME in bound.signature.parameters else (0, None)
    if _RESUME in bound.signature.parameters:
        bound.arguments[_RESUME] = state
    running = iter(function.compute(*bound.args, **bound.kwargs))
    try:
        steps = [_as_it_is(step) for step in islice(running, segment.start - start, segment.stop - start)]
        if segment.ended and next(running, None) is not None:
            return f"it goes on after item {segment.stop - 1}, where it had ended"
    finally:
        if hasattr(running, "close"):
            running.close()
    if len(steps) < segment.length:
        return f"it ends after item {segment.start + len(steps) - 1}, and had {segment.stop} items"
    items = [step.item if isinstance(step, Step) else step for step in steps]
    into = None if function.into is None else list[function.into]  # type: ignore[name-defined]
    what = items_named(segment.start, segment.stop)
    if differing := _differing(entry, entry.value, items, function.codec, into, what):
        return differing
    if entry.state is None or not steps or not isinstance(steps[-1], Step):
        return ""
    after = steps[-1].state() if callable(steps[-1].state) else steps[-1].state
    state_into, what = function.hints.get(_RESUME), f"the state after item {segment.stop - 1}"
    return _differing(entry, entry.state, after, function.codec, state_into, what, is_state=True)


def _as_it_is(step: Any) -> Any:
    """A step with its item as it is now: the generator may go on to change the very object that it gave."""
    return step._replace(item=copy.deepcopy(step.item)) if isinstance(step, Step) else copy.deepcopy(step)


def _state_before(cache: Cache, entry: Entry, start: int, function: Recomputable) -> tuple[int, Any]:
    """The stored state nearest before an item, and how many items come before that; (0, None) for the beginning."""
    segments = [one for one in cache.entries(entry.function, entry.key) if one.segment is not None]
    for one in reversed(longest_chain(segments)):
        if one.segment is not None and one.segment.stop <= start and one.state is not None:
            return one.segment.stop, cache.load(one, function.hints.get(_RESUME), state=True, codec=function.codec)
    return 0, None


def _differing(
    entry: Entry, described: Json | None, value: object, codec: str | None, into: object, what: str, *, is_state: bool = False
) -> str:
    try:
        encoded = encode(value, codec, into, is_state=is_state)
    except Unstorable as problem:
        return f"{what} cannot even be stored now: {problem}"
    stored = entry.named(described or {"blobs": [0]})
    again = blob_of(encoded.chunks)
    if again == stored and form_of(described) == encoded.describe:
        return ""
    return f"{what} has other bytes: SHA-256 {again.sha256[:12]} now, {stored.sha256[:12]} stored"


def _elsewhere(entry: Entry) -> str:
    """What was different around it when it was made, which may be the reason."""
    made = entry.made
    here = made_now(0.0, made.packages, source=None, device=made.device)
    there = set(environment(made)) - set(environment(here))
    return (
        f"; it was made on {made.host} under {', '.join(sorted(there))}"
        if there
        else f"; it was made on {made.host} under the same versions"
    )

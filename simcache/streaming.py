"""A call of a generator function that is cached: its series, and where the items come from that are not stored."""

import contextlib
import copy
import functools
import inspect
import time
from collections.abc import Container, Iterator
from itertools import islice
from typing import Any

from simcache.binder import RESUME
from simcache.cache import Call
from simcache.chain import range_of
from simcache.computing import same_value, say_divergence
from simcache.errors import SourceChanged
from simcache.identity.key import make_key
from simcache.keyed import Keyed, Used
from simcache.segment import Source
from simcache.series import Series, Step


def series_of(of: Keyed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Series[Any]:
    """The series of a call; nothing is computed before an item is asked for."""
    bound = of.binder.signature.bind(*args, **kwargs)
    bound.apply_defaults()
    arguments = bound.arguments
    if arguments.get(RESUME) is not None:
        raise TypeError(f"{of.name}: `{RESUME}` is given by the cache; leave it out")
    unknown: str | None = None
    try:
        key, used = of.key(arguments)
    except SourceChanged as problem:
        # The version of the loaded code is unknown: a key of its own, under which nothing is stored or found.
        unknown, used = problem.reason, []
        key = make_key(of.name, f"unknown {time.time_ns()}", {})
    resumable = RESUME in of.binder.names
    belonging = {code.version for code in used[:1]}

    @functools.cache
    def call() -> Call:
        return of.call(key, arguments, used) if used else Call(of.name, key, "0" * 32, {}, {})

    def settled() -> None:
        with contextlib.suppress(SourceChanged):
            belonging.add(of.fingerprint().version)

    def changed() -> str | None:
        if not used:
            return None
        if of.key_with(used, arguments) != key:
            return f"an argument of {of.name} was changed after the series was made"
        return _set_since(of, used, belonging)

    def generate(state: object) -> Iterator[Any]:
        if (reason := changed()) is not None:
            raise ValueError(f"{reason}: call {of.name} again for the series of the new one")
        nonlocal unknown
        try:
            of.settle(arguments, used)
        except SourceChanged as problem:
            unknown = problem.reason
        settled()
        call()  # before the function could change its arguments
        given = inspect.BoundArguments(bound.signature, {**arguments, RESUME: state} if resumable else arguments)
        running = of.compute(*given.args, **given.kwargs)
        if not isinstance(running, Iterator):
            raise TypeError(
                f"{of.name} wraps a generator function and gives a {type(running).__qualname__}: put @cached next to the function"
            )
        return running

    def keepable() -> str | None:
        if (problem := changed()) is not None:
            return problem
        return unknown or of.changed_since(used)

    source = Source(
        function=of.name,
        key=key,
        call=call,
        generate=generate,
        resumable=resumable,
        every=of.options.every,
        strict=of.options.strict,
        into=of.into,
        state_into=of.hints.get(RESUME),
        codec=of.options.codec,
        made=lambda seconds: of.made(seconds, used, arguments.get("device")),
        keepable=keepable,
        settled=settled,
        running=lambda: of.running(used),
    )
    return Series(of.cache, source)


def refreshed(of: Keyed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Series[Any]:
    """The series of a call, what is stored of it computed again and compared."""
    series = series_of(of, args, kwargs)
    if not series.stored:
        return series
    arguments = of.binder(args, kwargs)
    of.settle(arguments, of.key(arguments)[1])
    again = of.compute(*args, **kwargs)
    for entry in series.segments:
        made = islice(again, range_of(entry).length)
        items = [copy.deepcopy(step.item if isinstance(step, Step) else step) for step in made]  # one array may come again and again
        if not same_value(of, entry, items):
            say_divergence(of, series.key, entry, None)
            break
    return series


def _set_since(of: Keyed, used: Used, belonging: Container[str]) -> str | None:
    """What the code reads and a program set after a series was made, as notebooks do; an edited file is told of elsewhere."""
    before = used[0]
    if before.holds() or not before.files_unchanged():
        return None
    now = of.fingerprint()
    if now.version in belonging:
        return None
    from simcache.identity.difference import code_differences

    place = next((each.path for each in code_differences(before.parts, now.parts)), of.name)
    return f"{place} is not what it was when the series was made"

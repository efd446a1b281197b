"""A call whose result is not stored: computed in its turn, kept if its code is still what it was, compared with what was kept."""

import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, ClassVar

from simcache.cache import Cache, Call
from simcache.errors import CacheError, Divergence, NotStored, SourceChanged, Unstorable, warn
from simcache.keyed import Keyed, Used
from simcache.model import Entry, blob_of, form_of

_POLL = 0.01
_said: set[str] = set()


def computed(
    of: Keyed,
    key: str,
    used: Used,
    arguments: Mapping[str, object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    reasons: tuple[str, ...],
) -> Any:
    """The result of a call that was not found, for these reasons if something is damaged: computed by one at a time, and stored."""
    cache = of.cache
    with cache.turn(key):
        found = cache.lookup(of.name, key, of.into, of.options.codec, far=False)  # whoever had the turn may have stored it
        if found.entry is not None:
            cache.tally.hit(of.name, found.entry.made.seconds)
            return found.value
        _say_damaged(of, reasons or found.reasons)
        call = _begun(of, key, arguments, used)
        began = time.perf_counter()
        with of.running(used):
            value = of.compute(*args, **kwargs)
        _keep(of, call, value, time.perf_counter() - began, used, arguments)
        return value


async def awaited(of: Keyed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """The result of a call of a coroutine: loaded if it is stored, else computed and stored."""
    arguments = of.binder(args, kwargs)
    try:
        key, used = of.key(arguments)
    except SourceChanged as problem:
        say_changed(of, problem.reason)
        return await of.compute(*args, **kwargs)
    cache = of.cache
    found = cache.lookup(of.name, key, of.into, of.options.codec)
    if found.entry is None:
        reasons = found.reasons
        async with _AsyncTurn(cache, key):
            found = cache.lookup(of.name, key, of.into, of.options.codec, far=False)  # whoever had the turn may have stored it
            if found.entry is None:
                _say_damaged(of, reasons or found.reasons)
                call = _begun(of, key, arguments, used)
                began = time.perf_counter()
                value: object = await of.compute(*args, **kwargs)
                _keep(of, call, value, time.perf_counter() - began, used, arguments)
                return value
    cache.tally.hit(of.name, found.entry.made.seconds)
    return found.value


def refreshed(of: Keyed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a call, computed again and compared with the one that is served, if there is one."""
    arguments = of.binder(args, kwargs)
    key, used = of.key(arguments)
    of.settle(arguments, used)
    before = next(iter(of.cache.entries(of.name, key)), None)
    call = of.call(key, arguments, used)
    began = time.perf_counter()
    with of.running(used):
        value = of.compute(*args, **kwargs)
    if before is None or not same_value(of, before, value):
        after = _keep(of, call, value, time.perf_counter() - began, used, arguments)
        if before is not None:
            say_divergence(of, key, before, after)
    return value


def _begun(of: Keyed, key: str, arguments: Mapping[str, object], used: Used) -> Call | None:
    """What an entry will say of a call that is computed now; None, and a warning, if what the code loads only then is of before an edit."""
    try:
        of.settle(arguments, used)
    except SourceChanged as problem:
        say_changed(of, problem.reason)
        return None
    return of.call(key, arguments, used)


def _keep(of: Keyed, call: Call | None, value: object, seconds: float, used: Used, arguments: Mapping[str, object]) -> Entry | None:
    """Store a computed value; what stands in the way is said once, and the value is returned all the same."""
    if call is None:
        return None
    reason = of.changed_since(used)
    if reason is not None:
        say_changed(of, reason)
        return None
    cache = of.cache
    try:
        return cache.keep(call, value, of.made(seconds, used, arguments.get("device")), codec=of.options.codec, into=of.into)
    except Unstorable as problem:
        cache.warn_once(f"a result of {of.name} is not stored: {problem}")
    except (CacheError, OSError) as problem:
        cache.warn_once(f"results of {of.name} are not stored", f"{cache.near.url} cannot be written ({problem})")
    return None


def same_value(of: Keyed, entry: Entry, value: object) -> bool:
    """Whether a value is stored as the very bytes that an entry names."""
    from simcache.codecs.registry import encode

    try:
        encoded = encode(value, of.options.codec, of.into)
    except Unstorable:
        return False
    return entry.value is not None and blob_of(encoded.chunks) == entry.named(entry.value) and form_of(entry.value) == encoded.describe


def say_changed(of: Keyed, reason: str) -> None:
    """Warn, once for each reason, that nothing is stored because the code is not what it was."""
    text = f"{of.name} is computed and not stored: {reason}"
    if text not in _said:
        _said.add(text)
        warn(text, NotStored)


def say_divergence(of: Keyed, key: str, before: Entry, after: Entry | None) -> None:
    """Warn that one call has given two results."""
    text = (
        f"{of.name} gave another result than the one that {before.made.host} stored on {before.made.at} under {key}"
        f"{'; both are kept' if after else ''}: see `simcache diff`, or take the old one back with `.withdraw(…, reason=…)`"
    )
    warn(text, Divergence)


def _say_damaged(of: Keyed, reasons: tuple[str, ...]) -> None:
    if reasons:
        of.cache.warn_once(f"{of.name} is computed again: {'; '.join(reasons)}")


class _AsyncTurn:
    """The turn to compute a key, awaited so that other tasks of this thread go on."""

    _held: ClassVar[ContextVar[frozenset[tuple[str, str]]]] = ContextVar("held", default=frozenset())
    """The keys that this task, and those that wait for it, compute: none of them waits for itself."""

    def __init__(self, cache: Cache, key: str) -> None:
        self._lock = cache.lock(key)
        self._name = (cache.near.url, key)

    async def __aenter__(self) -> None:
        import asyncio

        held = self._held.get()
        if self._name not in held:
            while not self._lock.try_acquire():  # noqa: ASYNC110 - it may be held by another process
                await asyncio.sleep(_POLL)
            self._held.set(held | {self._name})

    async def __aexit__(self, *problem: object) -> None:
        if self._lock.held:
            self._lock.release()
            self._held.set(self._held.get() - {self._name})  # no `reset`: what is dropped with its loop ends in another context

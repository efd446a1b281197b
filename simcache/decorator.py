"""`@cached`: from a call to its key, from the key to a value; the only reader of code versions."""

import contextlib
import functools
import inspect
import os
import sys
import time
import types
import typing
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextvars import ContextVar
from itertools import islice
from typing import Any, ClassVar, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from simcache.cache import Cache, Call
from simcache.errors import BadSettings, CacheError, Divergence, NotStored, SourceChanged, Unstorable, warn
from simcache.identity.fingerprint import CodeVersions, Fingerprint, fingerprint, function_name, note_loaded
from simcache.identity.key import make_key
from simcache.model import Entry, blob_of, form_of
from simcache.named_tuple import NamedTuple
from simcache.settings import Settings, load, misnamed
from simcache.stores.base import Store

if typing.TYPE_CHECKING:
    from simcache.explain import Explanation
    from simcache.model import Json, Made
    from simcache.series import Series, Step

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_EVERY = 10
_POLL = 0.01
_RESUME = "resume"


class Options(NamedTuple):
    """How a function is cached, as given to `@cached(…)`."""

    ignore: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    version: str | None = None
    codec: str | None = None
    cache: Cache | None = None
    every: int = _EVERY
    strict: bool = False


class Cached(Generic[P, R]):
    """A function whose results are computed once; call it as before."""

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        """Made by `@cached`; nothing is read or followed before the first call."""
        if isinstance(function, (classmethod, staticmethod, property, functools.cached_property)):
            raise TypeError(f"put @cached below @{type(function).__name__}, next to the function")
        if isinstance(function, type) or not callable(function):
            raise TypeError(f"@cached takes a function, and {function!r} is none")
        if inspect.isasyncgenfunction(inspect.unwrap(function)):
            raise TypeError(f"{function!r} is an asynchronous generator, which @cached cannot keep: make it a plain generator")
        functools.update_wrapper(self, function)
        self.compute: Callable[P, Any] = function
        """The plain function, without the cache."""
        self.name = function_name(function)
        self.options = options
        self._binder = _Binder(function, options)
        self._is_series = inspect.isgeneratorfunction(inspect.unwrap(function))
        self._is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
        if self._is_async:
            _mark_coroutine(self)
        self._fingerprint: Fingerprint | None = None
        self._default: tuple[str | None, Cache] | None = None
        self._into: object = _UNKNOWN
        self._known_hints: Mapping[str, object] | None = None  # no cached_property: before Python 3.12 it has a lock, and a fork may come
        self._files: Mapping[str, object] | None = None
        """The parameters that are annotated as files; not known before the first call."""
        self._source: str | None = getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", None)
        note_loaded()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result: loaded if it is stored, else computed and stored."""
        if self._is_series:
            return self._series(args, kwargs)  # type: ignore[no-any-return]
        if self._is_async:
            return self._awaited(args, kwargs)  # type: ignore[return-value]
        arguments = self._binder(args, kwargs)
        try:
            key, used = self._key(arguments)
        except SourceChanged as problem:
            self._say_changed(problem.reason)
            return self.compute(*args, **kwargs)  # type: ignore[no-any-return]
        cache = self.cache
        found = cache.lookup(self.name, key, self.into, self.options.codec)
        if found.entry is None:
            return self._missed(cache, key, used, arguments, args, kwargs, found.reasons)
        cache.tally.hit(self.name, found.entry.made.seconds)
        return found.value  # type: ignore[no-any-return]

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> "Bound": ...
    def __get__(self, instance: object, owner: type | None = None) -> "Self | Bound":
        return self if instance is None else Bound(self, instance)

    def __reduce__(self) -> str | tuple[Any, ...]:
        name = getattr(self, "__qualname__", "")
        found: object = sys.modules.get(self.__module__)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self and self.__module__ != "__main__":
            return name
        # A script's functions travel by value to workers that have another __main__. Plain pickle finds this one by its
        # dotted name, through the attribute that holds it.
        if found is self and isinstance(self.compute, types.FunctionType):
            self.compute.__qualname__ = f"{name}.__wrapped__"
        made = Cached, (self.compute, self.options)
        code = getattr(self.compute, "__code__", None)
        if code is None or not os.path.isfile(code.co_filename):
            with contextlib.suppress(CacheError):  # who has no key here says so when it is called
                return *made, dict(self.fingerprint().cells)
        return made

    def __setstate__(self, cells: Mapping[str, str]) -> None:
        """Have the texts of a notebook's cells here, too, by which its functions are known."""
        import linecache

        for name, text in cells.items():
            linecache.cache.setdefault(name, (len(text), None, text.splitlines(keepends=True), name))

    def __repr__(self) -> str:
        return f"<cached {self.name}>"

    def __cache_key__(self) -> object:
        """As an argument of another call: the plain function."""
        return self.compute

    # -- what a call is

    @property
    def cache(self) -> Cache:
        """Where results are kept: as given, else by SIMCACHE_STORE or the settings above the function's file."""
        if self.options.cache is not None:
            return self.options.cache
        wanted = os.environ.get("SIMCACHE_STORE")
        if self._default is None or self._default[0] != wanted:
            source = self._source
            self._default = (wanted, _cache_of(load(os.path.dirname(source) if source and os.path.isfile(source) else None)))
        return self._default[1]

    @property
    def into(self) -> object:
        """The annotated type of the result, which leads to the classes that it may hold."""
        if self._into is _UNKNOWN:
            self._into = _result_type(self.compute)
        return self._into

    @property
    def _hints(self) -> Mapping[str, object]:
        if self._known_hints is None:
            self._known_hints = _hints(self.compute)
        return self._known_hints

    @property
    def code_version(self) -> str:
        """One digest of all the code that the results depend on, as this process loaded it."""
        return self.fingerprint().version

    def fingerprint(self) -> Fingerprint:
        """The code that the results depend on, as this process loaded it."""
        held = self._fingerprint
        if held is None or not held.holds():
            held = self._fingerprint = self._taken()
        return held

    def _taken(self) -> Fingerprint:
        options = self.options
        return fingerprint(self.compute, options.code, options.packages, options.version)

    def _key(self, arguments: Mapping[str, object]) -> tuple[str, list[Fingerprint]]:
        code = self.fingerprint()
        versions = self._versions()
        keyed = self._binder.keyed(arguments)
        if self._files is None:
            self._files = _annotated_files(self.compute, self._binder.signature)
        if self._files:
            from simcache.codecs.bare import refuse_bare_paths

            refuse_bare_paths(self._files, keyed)
        return make_key(self.name, code.version, keyed, versions), [code, *versions.used]

    def _versions(self) -> CodeVersions:
        return CodeVersions(self.__module__, self.options.code)

    def _call(self, key: str, arguments: Mapping[str, object], used: list[Fingerprint]) -> Call:
        parts = used[0].parts if len(used) == 1 else {name: digest for code in reversed(used) for name, digest in code.parts.items()}
        recorded = _writing()[0](arguments, self.options.ignore, self._hints, self._versions())
        return Call(self.name, key, used[0].version, parts, recorded)

    # -- computing and keeping

    def _missed(
        self,
        cache: Cache,
        key: str,
        used: list[Fingerprint],
        arguments: Mapping[str, object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reasons: tuple[str, ...],
    ) -> R:
        with cache.turn(key):
            found = cache.lookup(self.name, key, self.into, self.options.codec, far=False)  # whoever had the turn may have stored it
            if found.entry is not None:
                cache.tally.hit(self.name, found.entry.made.seconds)
                return found.value  # type: ignore[no-any-return]
            self._say_damaged(cache, reasons or found.reasons)
            call = self._call(key, arguments, used)
            began = time.perf_counter()
            value: R = self.compute(*args, **kwargs)
            self._keep(cache, call, value, time.perf_counter() - began, used, arguments)
            return value

    async def _awaited(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        arguments = self._binder(args, kwargs)
        try:
            key, used = self._key(arguments)
        except SourceChanged as problem:
            self._say_changed(problem.reason)
            return await self.compute(*args, **kwargs)
        cache = self.cache
        found = cache.lookup(self.name, key, self.into, self.options.codec)
        if found.entry is None:
            reasons = found.reasons
            async with _AsyncTurn(cache, key):
                found = cache.lookup(self.name, key, self.into, self.options.codec, far=False)  # whoever had the turn may have stored it
                if found.entry is None:
                    self._say_damaged(cache, reasons or found.reasons)
                    call = self._call(key, arguments, used)
                    began = time.perf_counter()
                    value: object = await self.compute(*args, **kwargs)
                    self._keep(cache, call, value, time.perf_counter() - began, used, arguments)
                    return value
        cache.tally.hit(self.name, found.entry.made.seconds)
        return found.value

    def _keep(
        self, cache: Cache, call: Call, value: object, seconds: float, used: list[Fingerprint], arguments: Mapping[str, object]
    ) -> Entry | None:
        """Store a computed value; what stands in the way is said once, and the value is returned all the same."""
        reason = self._changed_since(used)
        if reason is not None:
            self._say_changed(reason)
            return None
        try:
            return cache.keep(call, value, self._made(seconds, used, arguments), codec=self.options.codec, into=self.into)
        except Unstorable as problem:
            cache.warn_once(f"a result of {self.name} is not stored: {problem}")
        except (CacheError, OSError) as problem:
            cache.warn_once(f"results of {self.name} are not stored", f"{cache.near.url} cannot be written ({problem})")
        return None

    def _made(self, seconds: float, used: list[Fingerprint], arguments: Mapping[str, object]) -> Any:
        packages = frozenset().union(*(code.outside for code in used))
        return _writing()[1](seconds, packages, source=self._source, device=str(arguments.get("device") or "cpu"))

    def _changed_since(self, used: list[Fingerprint]) -> str | None:
        """Which file was edited since it was loaded, if that changes the version of any code behind this key."""
        if all(code.files_unchanged() for code in used):
            return None
        try:
            now = self._taken()
        except SourceChanged as problem:
            return problem.reason
        if now.version != used[0].version:
            edited = next((path for path, signature in used[0].files.items() if now.files.get(path) != signature), self.name)
            return SourceChanged(edited).reason
        self._fingerprint = now
        others = [code for code in used[1:] if not code.files_unchanged()]
        return SourceChanged(next(iter(others[0].files), self.name)).reason if others else None

    def _set_since(self, before: Fingerprint, belonging: Container[str]) -> str | None:
        """What the code reads and a program set after a series was made, as notebooks do; an edited file is told of elsewhere."""
        if before.holds() or not before.files_unchanged():
            return None
        now = self.fingerprint()
        if now.version in belonging:
            return None
        from simcache.identity.difference import code_differences

        place = next((each.path for each in code_differences(before.parts, now.parts)), self.name)
        return f"{place} is not what it was when the series was made"

    def _say_changed(self, reason: str) -> None:
        text = f"{self.name} is computed and not stored: {reason}"
        if text not in _said:
            _said.add(text)
            warn(text, NotStored)

    def _say_damaged(self, cache: Cache, reasons: tuple[str, ...]) -> None:
        if reasons:
            cache.warn_once(f"{self.name} is computed again: {'; '.join(reasons)}")

    # -- series

    def _series(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from simcache.segment import Source
        from simcache.series import Series

        bound = self._binder.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = bound.arguments
        if arguments.get(_RESUME) is not None:
            raise TypeError(f"{self.name}: `{_RESUME}` is given by the cache; leave it out")
        unknown: str | None = None
        try:
            key, used = self._key(arguments)
        except SourceChanged as problem:
            # The version of the loaded code is unknown: a key of its own, under which nothing is stored or found.
            unknown, used = problem.reason, []
            key = make_key(self.name, f"unknown {time.time_ns()}", {})
        resumable = _RESUME in self._binder.names
        belonging = {code.version for code in used[:1]}

        @functools.cache
        def call() -> Call:
            return self._call(key, arguments, used) if used else Call(self.name, key, "0" * 32, {}, {})

        def settled() -> None:
            with contextlib.suppress(SourceChanged):
                belonging.add(self.code_version)

        def changed() -> str | None:
            if not used:
                return None
            if make_key(self.name, used[0].version, self._binder.keyed(arguments), self._versions()) != key:
                return f"an argument of {self.name} was changed after the series was made"
            return self._set_since(used[0], belonging)

        def generate(state: object) -> Iterator[Any]:
            if (problem := changed()) is not None:
                raise ValueError(f"{problem}: call {self.name} again for the series of the new one")
            call()  # before the function could change its arguments
            given = inspect.BoundArguments(bound.signature, {**arguments, _RESUME: state} if resumable else arguments)
            running = self.compute(*given.args, **given.kwargs)
            if not isinstance(running, Iterator):
                raise TypeError(
                    f"{self.name} wraps a generator function and gives a {type(running).__qualname__}: put @cached next to the function"
                )
            return running

        def keepable() -> str | None:
            if (problem := changed()) is not None:
                return problem
            return unknown or self._changed_since(used)

        source = Source(
            function=self.name,
            key=key,
            call=call,
            generate=generate,
            resumable=resumable,
            every=self.options.every,
            strict=self.options.strict,
            into=self.into,
            state_into=self._hints.get(_RESUME),
            codec=self.options.codec,
            made=lambda seconds: self._made(seconds, used, arguments),
            keepable=keepable,
            settled=settled,
        )
        return Series(self.cache, source)

    # -- questions and care

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The address of a call: 32 hex digits."""
        return self._key(self._binder(args, kwargs))[0]

    def entry(self, *args: P.args, **kwargs: P.kwargs) -> Entry | None:
        """The record that would be served for a call: who made it, when, how long it took; None if it is not stored."""
        return next(iter(self.cache.entries(self.name, self.key(*args, **kwargs))), None)

    def explain(self, *args: P.args, **kwargs: P.kwargs) -> "Explanation":
        """Whether a call would be a hit, and if not, the nearest stored call and exactly what differs."""
        from simcache.explain import explain

        arguments = self._binder(args, kwargs)
        key, used = self._key(arguments)
        return explain(self.cache, self._call(key, arguments, used), used)

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute a call again and compare it with what is stored; a Divergence warning says if the bytes differ.

        Both are kept then, and the first stays the one that is served: `withdraw` takes it back.
        """
        if self._is_series:
            return self._refreshed_series(args, kwargs)  # type: ignore[return-value]
        if self._is_async:
            raise TypeError(f"{self.name} is asynchronous: await {self.name}.compute(…) and compare, or forget() and call it")
        arguments = self._binder(args, kwargs)
        key, used = self._key(arguments)
        cache = self.cache
        before = self.entry(*args, **kwargs)
        call = self._call(key, arguments, used)
        began = time.perf_counter()
        value: R = self.compute(*args, **kwargs)
        after = self._keep(cache, call, value, time.perf_counter() - began, used, arguments) if before is None else None
        if before is not None and not _same_value(before, value, self.options.codec, self.into):
            after = self._keep(cache, call, value, time.perf_counter() - began, used, arguments)
            self._say_divergence(key, before, after)
        return value

    def _say_divergence(self, key: str, before: Entry, after: Entry | None) -> None:
        text = (
            f"{self.name} gave another result than the one that {before.made.host} stored on {before.made.at} under {key}"
            f"{'; both are kept' if after else ''}: see `simcache diff`, or take the old one back with `.withdraw(…, reason=…)`"
        )
        warn(text, Divergence)

    def _refreshed_series(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        import copy

        from simcache.series import Step

        series = self._series(args, kwargs)
        stored = series.stored
        if not stored:
            return series
        again = self.compute(*args, **kwargs)
        for entry in series.segments:
            made = islice(again, entry.segment.length)
            items = [copy.deepcopy(step.item if isinstance(step, Step) else step) for step in made]  # one array may come again and again
            if not _same_value(entry, items, self.options.codec, self.into):
                self._say_divergence(series.key, entry, None)
                break
        return series

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Delete what is stored near for a call; how many entries there were."""
        return self.cache.forget(self.name, self.key(*args, **kwargs))

    def withdraw(self, *args: Any, reason: str, **kwargs: Any) -> int:
        """Take the stored results of a call back everywhere, for a reason; the next call computes anew. How many there were."""
        if not reason.strip():
            raise ValueError("reason is empty: say why in a few words, for whoever finds the result withdrawn")
        cache = self.cache
        entries = cache.entries(self.name, self.key(*args, **kwargs))
        if entries:
            cache.withdraw(entries, _writing()[1](0.0, (), source=self._source), reason)
        return len(entries)


class Bound:
    """A cached method of one instance: the instance is the first argument of everything."""

    def __init__(self, cached_: Cached[..., Any], instance: object) -> None:
        self._cached = cached_
        self._instance = instance
        functools.update_wrapper(self, cached_.compute)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._cached(self._instance, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        held = getattr(self._cached, name)
        return functools.partial(held, self._instance) if callable(held) and name in _BOUND else held

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._instance, self._cached.compute.__name__)


_BOUND = frozenset({"key", "entry", "explain", "refresh", "forget", "withdraw", "compute"})
_UNKNOWN = object()
_said: set[str] = set()
_caches: dict[tuple[str, tuple[str, ...], bool, bool], Cache] = {}


def _cache_of(settings: Settings) -> Cache:
    """One cache of this process for equal settings."""
    name = (settings.store, settings.far, settings.durable, settings.trust)
    if name not in _caches:
        strangers = {place: said for place in settings.far if (said := misnamed(settings, place))}
        for said in strangers.values():
            warn(f"a far store is left out: {said}", RuntimeWarning)
        far = [place for place in settings.far if place not in strangers]
        _caches[name] = Cache(settings.store, far=far, durable=settings.durable, trust=settings.trust)
    return _caches[name]


class _Binder:
    """From the arguments of a call to their names, defaults filled in."""

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        self.name = getattr(function, "__qualname__", repr(function))
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters.values()
        self.names = tuple(parameter.name for parameter in parameters)
        unknown = set(options.ignore) - set(self.names)
        if unknown:
            raise BadSettings(
                f"@cached(ignore={options.ignore!r})",
                f"the function has no argument {min(unknown)!r}: it has {', '.join(self.names)}",
            )
        is_series = inspect.isgeneratorfunction(inspect.unwrap(function))
        if is_series and _RESUME in self.names and self.signature.parameters[_RESUME].default is not None:
            raise TypeError(f"{function_name(function)}: the cache gives `{_RESUME}`, and None to start: write {_RESUME}=None")
        self._unkeyed = frozenset({*options.ignore, _RESUME} if is_series else options.ignore)
        self._simple = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
        self._defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self._sentinels = {name: default for name, default in self._defaults.items() if type(default) is object}
        self._needed = frozenset(self.names) - self._defaults.keys()

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name; TypeError as the function itself would raise it."""
        if self._simple and len(args) <= len(self.names):
            given = dict(zip(self.names, args, strict=False))
            if len(given) == len(self.names) and not kwargs:
                return given
            total = len(given) + len(kwargs)
            given.update(kwargs)
            bound = {**self._defaults, **given}
            if len(given) == total and len(bound) == len(self.names) and self._needed <= given.keys():
                return bound
        try:
            arguments = self.signature.bind(*args, **kwargs)
        except TypeError as problem:
            raise TypeError(f"{self.name}() {problem}") from None
        arguments.apply_defaults()
        return arguments.arguments

    def keyed(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Those that are part of the key; a bare `object()` that stands for an argument left out is left out."""
        if not self._unkeyed and not self._sentinels:
            return arguments
        return {
            name: value
            for name, value in arguments.items()
            if name not in self._unkeyed and (name not in self._sentinels or value is not self._sentinels[name])
        }


@functools.cache
def _writing() -> "tuple[Callable[..., dict[str, Json]], Callable[..., Made]]":
    """What records the arguments, and the maker: whoever hits needs neither, and loads neither."""
    from simcache.provenance import made_now
    from simcache.recorded import record

    return record, made_now


def _mark_coroutine(function: Any) -> None:
    """Have `iscoroutinefunction` say so, as frameworks ask."""
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    else:
        import asyncio

        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001 - Python 3.11 has no other way


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
            self._token = self._held.set(held | {self._name})

    async def __aexit__(self, *problem: object) -> None:
        if self._lock.held:
            self._held.reset(self._token)
            self._lock.release()


def _same_value(entry: Entry, value: object, codec: str | None, into: object) -> bool:
    """Whether a value is stored as the very bytes that an entry names."""
    from simcache.codecs.registry import encode

    try:
        encoded = encode(value, codec, into)
    except Unstorable:
        return False
    return entry.value is not None and blob_of(encoded.chunks) == entry.named(entry.value) and form_of(entry.value) == encoded.describe


def _result_type(function: Callable[..., Any]) -> object:
    """The annotated return type, as `result_type` tells it; most functions have none, and need not load what reads one."""
    plain = inspect.unwrap(function)
    if getattr(plain, "__annotations__", {}).get("return") is None:
        return types.NoneType if isinstance(plain, types.FunctionType) else None
    from simcache.codecs.reach import result_type

    return result_type(function)


def _annotated_files(function: Callable[..., Any], signature: inspect.Signature) -> Mapping[str, object]:
    """The parameters that are annotated as files; most functions have none, and need not load what finds them.

    Before the class is loaded no annotation can be it, but a text may name it.
    """
    texts = [parameter.annotation for parameter in signature.parameters.values() if isinstance(parameter.annotation, str)]
    if "simcache.codecs.file" not in sys.modules and not any("File" in text or "Folder" in text for text in texts):
        return {}
    from simcache.codecs.bare import annotated_files

    return annotated_files(function, signature)


def _hints(function: Callable[..., Any]) -> dict[str, object]:
    """The annotated types of a function; none where they cannot be evaluated (names that only a type checker sees)."""
    try:
        return typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except Exception:  # evaluating annotations runs any expression
        return dict(getattr(function, "__annotations__", {}))


class _Decorator(Protocol):
    """What `@cached(…)` with options is, as a type."""

    @overload
    def __call__(self, function: "Callable[P, Iterator[Step[T]]]", /) -> "Cached[P, Series[T]]": ...
    @overload
    def __call__(self, function: Callable[P, Iterator[T]], /) -> "Cached[P, Series[T]]": ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Cached[P, R]: ...


@overload
def cached(function: "Callable[P, Iterator[Step[T]]]", /) -> "Cached[P, Series[T]]": ...
@overload
def cached(function: Callable[P, Iterator[T]], /) -> "Cached[P, Series[T]]": ...
@overload
def cached(function: Callable[P, R], /) -> Cached[P, R]: ...
@overload
def cached(
    *,
    ignore: Iterable[str] = (),
    code: Iterable[str] = (),
    packages: Iterable[str] = (),
    version: str | None = None,
    codec: str | None = None,
    cache: Cache | None = None,
    every: int = _EVERY,
    strict: bool = False,
) -> _Decorator: ...
def cached(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Compute each call of a function once, anywhere; a generator function becomes a series.

    `ignore` names arguments that do not change the result, `code` packages to be followed as a whole, `packages` outside
    packages whose version (major.minor) counts, `version` is a text to change by hand, `codec` how results are stored,
    `cache` where. For a series, `every` is how many items are stored at a time, and `strict` keeps apart what different
    environments made.
    """
    if function is not None:
        return Cached(function, Options())
    checked = _checked(**options)
    return lambda decorated: Cached(decorated, checked)


def _checked(**given: Any) -> Options:
    if unknown := sorted(given.keys() - set(Options._fields)):
        raise BadSettings(f"@cached({unknown[0]}=…)", f"there is no such option: there are {', '.join(Options._fields)}")
    for name in ("ignore", "code", "packages"):
        held = given.get(name, ())
        if isinstance(held, str) or not isinstance(held, Iterable):
            raise BadSettings(f"@cached({name}={held!r})", f"a tuple of names is needed: {name}=({held!r},)")
        given[name] = tuple(held)
        if not all(isinstance(item, str) for item in given[name]):
            raise BadSettings(f"@cached({name}={held!r})", "names are texts")
    every = given.get("every", _EVERY)
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        raise BadSettings(f"@cached(every={every!r})", "a number of items from 1 on is needed")
    if (codec := given.get("codec")) is not None:
        from simcache.codecs.registry import codec_named

        codec_named(codec)
    if (held := given.get("cache")) is not None and not isinstance(held, Cache):
        if not isinstance(held, (str, os.PathLike, Store)):
            raise BadSettings(f"@cached(cache={held!r})", "a Cache is needed, or the path or URL of a store")
        given["cache"] = Cache(held)
    if not isinstance(strict := given.get("strict", False), bool):
        raise BadSettings(f"@cached(strict={strict!r})", "True or False is needed")
    if (version := given.get("version")) is not None:
        given["version"] = str(version)
    return Options(**given)

"""`@cached`: the door of the cache; a call is looked up here, and goes on elsewhere if it is not stored."""

import contextlib
import functools
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from simcache.cache import Cache
from simcache.errors import BadSettings, CacheError, SourceChanged
from simcache.keyed import EVERY, Keyed, Options
from simcache.stores.base import Store

if typing.TYPE_CHECKING:
    from simcache.explain import Explanation
    from simcache.identity.process.taken import Fingerprint
    from simcache.model import Entry
    from simcache.series import Series, Step

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


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
        self.options = options
        self._keyed = Keyed(function, options)
        self.name = self._keyed.name
        self._is_series = inspect.isgeneratorfunction(inspect.unwrap(function))
        self._is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
        if self._is_async:
            _mark_coroutine(self)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result: loaded if it is stored, else computed and stored."""
        of = self._keyed
        if self._is_series:
            from simcache.streaming import series_of

            return series_of(of, args, kwargs)  # type: ignore[return-value]
        if self._is_async:
            from simcache.computing import awaited

            return awaited(of, args, kwargs)  # type: ignore[return-value]
        arguments = of.binder(args, kwargs)
        try:
            key, used = of.key(arguments)
        except SourceChanged as problem:
            from simcache.computing import say_changed

            say_changed(of, problem.reason)
            return self.compute(*args, **kwargs)  # type: ignore[no-any-return]
        cache = of.cache
        found = cache.lookup(of.name, key, of.into, of.options.codec)
        if found.entry is None:
            from simcache.computing import computed  # who hits does not load it

            return computed(of, key, used, arguments, args, kwargs, found.reasons)  # type: ignore[no-any-return]
        cache.tally.hit(of.name, found.entry.made.seconds)
        return found.value  # type: ignore[no-any-return]

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> "Bound[R]": ...
    def __get__(self, instance: object, owner: type | None = None) -> "Self | Bound[R]":
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

    # -- what is known of it

    @property
    def cache(self) -> Cache:
        """Where results are kept: as given, else by SIMCACHE_STORE or the settings above the function's file."""
        return self._keyed.cache

    @property
    def into(self) -> object:
        """The annotated type of the result, which leads to the classes that it may hold."""
        return self._keyed.into

    @property
    def code_version(self) -> str:
        """One digest of all the code that the results depend on, as this process loaded it."""
        return self.fingerprint().version

    def fingerprint(self) -> "Fingerprint":
        """The code that the results depend on, as this process loaded it."""
        return self._keyed.fingerprint()

    # -- questions and care

    def key(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """The address of a call: 32 hex digits."""
        return self._keyed.key(self._keyed.binder(args, kwargs))[0]

    def entry(self, /, *args: P.args, **kwargs: P.kwargs) -> "Entry | None":
        """The record that would be served for a call: who made it, when, how long it took; None if it is not stored."""
        return next(iter(self.cache.entries(self.name, self.key(*args, **kwargs))), None)

    def explain(self, /, *args: P.args, **kwargs: P.kwargs) -> "Explanation":
        """Whether a call would be a hit, and if not, the nearest stored call and exactly what differs."""
        from simcache.explain import explain

        of = self._keyed
        arguments = of.binder(args, kwargs)
        key, used = of.key(arguments)
        return explain(self.cache, of.call(key, arguments, used), used)

    def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute a call again and compare it with what is stored; a Divergence warning says if the bytes differ.

        Both are kept then, and the first stays the one that is served: `withdraw` takes it back.
        """
        if self._is_series:
            from simcache import streaming

            return streaming.refreshed(self._keyed, args, kwargs)  # type: ignore[return-value]
        if self._is_async:
            raise TypeError(f"{self.name} is asynchronous: await {self.name}.compute(…) and compare, or forget() and call it")
        from simcache import computing

        return computing.refreshed(self._keyed, args, kwargs)  # type: ignore[no-any-return]

    def forget(self, /, *args: P.args, **kwargs: P.kwargs) -> int:
        """Delete the results that are stored near for a call; how many there were. What was withdrawn stays withdrawn."""
        return self.cache.forget(self.name, self.key(*args, **kwargs))

    def withdraw(self, /, *args: Any, reason: str, **kwargs: Any) -> int:
        """Take the stored results of a call back everywhere, for a reason; the next call computes anew. How many there were."""
        if not reason.strip():
            raise ValueError("reason is empty: say why in a few words, for whoever finds the result withdrawn")
        cache = self.cache
        entries = cache.entries(self.name, self.key(*args, **kwargs))
        if entries:
            cache.withdraw(entries, self._keyed.made(0.0, []), reason)
        return len(entries)


class Bound(Generic[R]):
    """A cached method of one instance: the instance is the first argument of everything.

    Its result has a type, and its arguments have none: a checker would take the first one of a static method for the instance.
    """

    def __init__(self, cached_: Cached[..., R], instance: object) -> None:
        self._cached = cached_
        self._instance = instance
        functools.update_wrapper(self, cached_.compute)

    def __call__(self, /, *args: Any, **kwargs: Any) -> R:
        return self._cached(self._instance, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "__signature__":  # no property, which this class would have for its own
            whole = inspect.signature(self._cached.compute)
            return whole.replace(parameters=[*whole.parameters.values()][1:])
        return getattr(self._cached, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._instance, self._cached.compute.__name__)

    def compute(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._cached.compute(self._instance, *args, **kwargs)

    def key(self, /, *args: Any, **kwargs: Any) -> str:
        return self._cached.key(self._instance, *args, **kwargs)

    def entry(self, /, *args: Any, **kwargs: Any) -> "Entry | None":
        return self._cached.entry(self._instance, *args, **kwargs)

    def explain(self, /, *args: Any, **kwargs: Any) -> "Explanation":
        return self._cached.explain(self._instance, *args, **kwargs)

    def refresh(self, /, *args: Any, **kwargs: Any) -> R:
        return self._cached.refresh(self._instance, *args, **kwargs)

    def forget(self, /, *args: Any, **kwargs: Any) -> int:
        return self._cached.forget(self._instance, *args, **kwargs)

    def withdraw(self, /, *args: Any, reason: str, **kwargs: Any) -> int:
        return self._cached.withdraw(self._instance, *args, reason=reason, **kwargs)


def _mark_coroutine(function: Any) -> None:
    """Have `iscoroutinefunction` say so, as frameworks ask."""
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    else:
        import asyncio

        function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001 - Python 3.11 has no other way


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
    every: int = EVERY,
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
    every = given.get("every", EVERY)
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

"""A function that is cached, and how: the key of each of its calls, and where its results are kept; the only reader of code versions."""

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeAlias

from simcache.binder import Binder, annotated_files, hints, result_type
from simcache.cache import Cache, Call
from simcache.errors import SourceChanged, warn
from simcache.identity.fingerprint import CodeVersions, Fingerprint, fingerprint, function_name, load_late, note_loaded, running_code
from simcache.identity.key import make_key
from simcache.named_tuple import NamedTuple
from simcache.settings import Settings, load, misnamed

if TYPE_CHECKING:
    from simcache.model import Json, Made

Used: TypeAlias = list[Fingerprint]
"""The code behind a key: that of the function first, then that of what its arguments hold."""

EVERY = 10
"""Items of a series that are stored at a time, unless somebody says otherwise."""
_UNKNOWN = object()
_caches: dict[tuple[str, tuple[str, ...], bool, bool], Cache] = {}


class Options(NamedTuple):
    """How a function is cached, as given to `@cached(…)`."""

    ignore: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    version: str | None = None
    codec: str | None = None
    cache: Cache | None = None
    every: int = EVERY
    strict: bool = False


class Keyed:
    """A function and its options; nothing is read or followed before its first key is asked for."""

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        self.compute = function
        self.name = function_name(function)
        self.options = options
        self.binder = Binder(self.name, function, options.ignore)
        self._module = str(function.__module__)
        self._fingerprint: Fingerprint | None = None
        self._default: tuple[str | None, Cache] | None = None
        self._into: object = _UNKNOWN
        self._hints: Mapping[str, object] | None = None  # no cached_property: before Python 3.12 it has a lock, and a fork may come
        self._files: Mapping[str, object] | None = None
        """The parameters that are annotated as files; not known before the first call."""
        self._source: str | None = getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", None)
        note_loaded()

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
            self._into = result_type(self.compute)
        return self._into

    @property
    def hints(self) -> Mapping[str, object]:
        """The annotated types of the arguments."""
        if self._hints is None:
            self._hints = hints(self.compute)
        return self._hints

    # -- the code

    def fingerprint(self) -> Fingerprint:
        """The code that the results depend on, as this process loaded it."""
        held = self._fingerprint
        if held is None or not held.holds():
            self._fingerprint = None  # what it held before may come back, and what was made meanwhile stays
            held = self._fingerprint = self._taken()
        return held

    def _taken(self) -> Fingerprint:
        options = self.options
        return fingerprint(self.compute, options.code, options.packages, options.version)

    def _versions(self) -> CodeVersions:
        return CodeVersions(self._module, self.options.code)

    def changed_since(self, used: Used) -> str | None:
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

    # -- a call

    def key(self, arguments: Mapping[str, object]) -> tuple[str, Used]:
        """The key of a call with these arguments, and the code that went into it; SourceChanged if that is no longer on disk."""
        code = self.fingerprint()
        versions = self._versions()
        keyed = self.binder.keyed(arguments)
        if self._files is None:
            self._files = annotated_files(self.compute, self.binder.signature)
        if self._files:
            from simcache.codecs.bare import refuse_bare_paths

            refuse_bare_paths(self._files, keyed)
        return make_key(self.name, code.version, keyed, versions), [code, *versions.used]

    def settle(self, arguments: Mapping[str, object], used: Used) -> None:
        """Before anything is computed: SourceChanged if functions that the code loads only as it runs would give what they kept of before an edit.

        Who hits does not load them.
        """
        if load_late(used):
            self._fingerprint = None
            self.key(arguments)

    def running(self, used: Used) -> AbstractContextManager[None]:
        """To be held while the function computes."""
        return running_code(used)

    def key_with(self, used: Used, arguments: Mapping[str, object]) -> str:
        """The key of a call by the code that went into an earlier one."""
        return make_key(self.name, used[0].version, self.binder.keyed(arguments), self._versions())

    def call(self, key: str, arguments: Mapping[str, object], used: Used) -> Call:
        """What an entry says of a call."""
        parts = used[0].parts if len(used) == 1 else {name: digest for code in reversed(used) for name, digest in code.parts.items()}
        recorded = _writing()[0](arguments, self.options.ignore, self.hints, self._versions())
        return Call(self.name, key, used[0].version, parts, recorded)

    def made(self, seconds: float, used: Used, device: object = None) -> "Made":
        """Who made a result, when, and on what."""
        packages = frozenset().union(*(code.outside for code in used))
        return _writing()[1](seconds, packages, source=self._source, device=str(device or "cpu"))


@functools.cache
def _writing() -> "tuple[Callable[..., dict[str, Json]], Callable[..., Made]]":
    """What records the arguments, and the maker: whoever hits needs neither, and loads neither."""
    from simcache.provenance import made_now
    from simcache.recorded import record

    return record, made_now


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

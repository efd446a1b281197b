"""Every way a cache can fail: one class per thing a caller would do differently."""

import sys
import warnings


class CacheError(Exception):
    """The base of all errors of simcache; catch it to go on without a cache."""


class Missing(CacheError, KeyError):
    """Nothing is stored under this name: compute it, or fetch it from another store."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"nothing is stored under {self.name}"


class Corrupt(CacheError):
    """What is stored under this name is damaged: set it aside, then take it from elsewhere or compute it again."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name} is damaged: {self.reason}"


class Unavailable(CacheError):
    """The bytes exist elsewhere but not here (an LFS pointer, a network that is down): fetch them, or compute."""

    def __init__(self, name: str, reason: str, *, passes: bool = True, away: bool = False) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason
        self.passes = passes
        """Asking again a little later may help: so a network, a service that is busy; not so a pointer, or a wrong password."""
        self.away = away
        """Nothing else that is there can be had now either: it was waited for and did not answer, or here is no room for what it gives."""

    def __str__(self) -> str:
        return f"{self.name} is not available: {self.reason}"


class StoreReadOnly(CacheError):
    """The store takes no writes: name another one with SIMCACHE_STORE or `Cache(...)`."""

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(store, reason)
        self.store = store
        self.reason = reason

    def __str__(self) -> str:
        return f"the store {self.store} cannot be written: {self.reason}"


class FormatTooNew(CacheError):
    """The store was made by a newer simcache: upgrade simcache, or name another store."""

    def __init__(self, store: str, found: int, known: int) -> None:
        super().__init__(store, found, known)
        self.store = store
        self.found = found
        self.known = known

    def __str__(self) -> str:
        return (
            f"the store {self.store} has format {self.found}, and this simcache reads up to format {self.known}: "
            "upgrade simcache, or name another store with SIMCACHE_STORE"
        )


class NotAStore(CacheError):
    """This place is no simcache store: check the path, or make one with `simcache init`."""

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(store, reason)
        self.store = store
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.store} is not a simcache store: {self.reason}"


class Unkeyable(CacheError, TypeError):
    """An argument (or the code itself) has no canonical form: leave it out, or give its type a `__cache_key__`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} cannot be part of a key: {self.reason}"


_RELOAD = "load it again (importlib.reload) and import anew what was imported from it, or start anew"


class SourceChanged(CacheError):
    """A source file is not the one that this process loaded, so the version of the loaded code is unknown: start anew."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} was edited after this process loaded it, so nobody can tell the version of the code that runs: {_RELOAD}"

    @property
    def reason(self) -> str:
        """The same as the reason why a result is not stored."""
        return f"{self.path} was edited after this process loaded it; to cache again, {_RELOAD}"


class MadeBefore(SourceChanged):
    """Something that a function keeps (machine code, results) was made before something that it reads was changed: have it made anew."""

    def __init__(self, path: str, how: str) -> None:
        super().__init__(path)
        self.how = how

    def __str__(self) -> str:
        return f"{self.path} {self.how}"

    @property
    def reason(self) -> str:
        return str(self)


class BoundAnew(SourceChanged):
    """A name of a module was bound to something, or changed into something, that has no canonical form (a mock, an open file): bind it to what has one, or do without storing."""

    def __init__(self, path: str, kind: str) -> None:
        super().__init__(path)
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.path} was bound to something else as the program runs (of the type {self.kind}), or changed in place, and cannot be part of a key"

    @property
    def reason(self) -> str:
        return str(self)


class LookFailed(SourceChanged):
    """Something that a function can reach fails at being looked at (it stands for an application that is not there): make it sooner, or do without storing."""

    def __init__(self, path: str, problem: BaseException) -> None:
        super().__init__(path)
        self.problem = f"{type(problem).__name__}: {problem}".partition("\n")[0]

    def __str__(self) -> str:
        return (
            f"{self.path} can reach something that fails at being looked at ({self.problem}), so nobody can tell what it stands for: "
            "have that there before the call, or reach for it inside the function"
        )

    @property
    def reason(self) -> str:
        return str(self)


class Unstorable(CacheError, TypeError):
    """A result that no codec can bring back exactly: annotate the return type, or choose another codec."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} cannot be stored: {self.reason}"


class Undecodable(CacheError):
    """Stored bytes that this code cannot turn back into a value: the result is computed again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the stored value cannot be decoded: {self.reason}"


class Untrusted(CacheError):
    """A pickle from a store that is not local: only `trust=True` opens it, and it can run any code."""

    def __init__(self, store: str) -> None:
        super().__init__(store)
        self.store = store

    def __str__(self) -> str:
        return f"a pickled value of {self.store} was refused: loading it can run any code; pass trust=True if you trust who wrote it"


class BadSettings(CacheError, ValueError):
    """A setting that cannot be used: names the file or variable, the field, and what would do."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class NotStored(UserWarning):
    """A result was computed and returned, but could not be kept; the warning says why and what would mend it."""


class Divergence(UserWarning):
    """One key has results with different bytes: the function is not reproducible; `simcache verify` lists them."""


def warn(text: str, category: type[Warning]) -> None:
    """Warn at the line of the user's own that led here, wherever in simcache this is said."""
    level, frame = 1, sys._getframe()  # noqa: SLF001 - `skip_file_prefixes` comes with Python 3.12
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == __name__.partition(".")[0]:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)

"""The code version of a function: one digest over all of the project's own source that it can reach."""

import os
from _thread import RLock
from collections.abc import Callable, Iterable
from typing import Any

from simcache.errors import BadSettings, CacheError, LookFailed
from simcache.identity.closure import Closure
from simcache.identity.keepers import check_held, check_kept, late
from simcache.identity.process.at_first import note_loaded as note_loaded
from simcache.identity.process.files import is_of_others
from simcache.identity.process.modules import NotLoaded, load, may_load, underlying
from simcache.identity.process.modules import function_name as function_name
from simcache.identity.process.taken import Fingerprint as Fingerprint
from simcache.identity.process.taken import running_code as running_code

_lock = RLock()
if hasattr(os, "register_at_fork"):  # a child must not wait for a thread that it does not have
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def fingerprint(obj: Any, code: Iterable[str] = (), packages: Iterable[str] = (), version: str | None = None) -> Fingerprint:
    """The code version of a function (or class) as this process loaded it.

    `code` names packages whose every file counts, `packages` outside packages whose major.minor version counts, and
    `version` is a text that a person changes by hand. SourceChanged if the loaded code is no longer on disk.
    """
    inner = underlying(obj)
    extra = [version or "", *(f"{name} {_installed(name)}" for name in sorted(packages))]

    def begin(closure: Closure) -> list[str]:
        for name in sorted(closure.project.packages):
            closure.package(name)
        return [closure.objects.follow(obj, function_name(obj), start=True), *extra]

    return _closed(function_name(obj), str(getattr(inner, "__module__", "") or ""), code, begin)


def _closed(start: str, own: str, packages: Iterable[str], begin: Callable[[Closure], list[str]]) -> Fingerprint:
    """A closure that knows from its first piece on which names are but counters of the code that it reaches, and what must be loaded."""
    counted: frozenset[str] = frozenset()
    tried: set[str] = set()
    while True:
        try:
            with _lock:
                note_loaded()
                closure = Closure(own, packages, counted, tried)
                found = closure.finish(*begin(closure))
        except NotLoaded as missing:
            tried.add(missing.name)
            load(missing.name)
            continue
        except CacheError:
            raise
        except Exception as problem:
            if is_of_others(problem):
                raise LookFailed(start, problem) from problem
            raise
        if closure.counts <= counted:
            check_kept(closure, start)
            check_held(closure)
            if filled := [*closure.filled, *closure.again.filled()]:
                from simcache.identity.memos import check_memos  # few functions change what stands beside them

                check_memos(closure, start, filled)
            return found._replace(late=late(closure))
        counted |= closure.counts


def load_late(code: Iterable[Fingerprint]) -> bool:
    """Load what the code loads only as it runs, where its functions may keep on disk what they made before an edit; whether there was such."""
    names = {name for one in code for name in one.late if may_load(name)}
    for name in sorted(names):
        load(name)
    return bool(names)


def _installed(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return ".".join(version(package).split(".")[:2])
    except PackageNotFoundError:
        raise BadSettings(
            f"@cached(packages=({package!r},))", f"{package} is not installed here: install it, or leave it out of the key"
        ) from None


class CodeVersions:
    """The code versions of the functions and classes that arguments hold; asked by the canonical form.

    `own` is the package of the function that is called, and `packages` those that are part of its version as a whole.
    """

    def __init__(self, own: str, packages: Iterable[str] = ()) -> None:
        self.own = own.partition(".")[0]
        self.packages = frozenset(packages)
        self.used: list[Fingerprint] = []

    def __call__(self, obj: Any) -> str:
        name = (id(obj), self.own, self.packages)
        known = _versions.get(name)
        if known is None or known[0] is not obj or not (isinstance(known[1], str) or known[1].guards.hold()):
            _versions.pop(name, None)  # what it held before may come back, and what was made meanwhile stays
            known = _versions[name] = (obj, self._version(obj))
        found = known[1]
        if isinstance(found, str):
            return found
        self.used.append(found)
        return found.version

    def _version(self, obj: Any) -> Fingerprint | str:
        """A fingerprint, or the bare name of what belongs to Python or to an installed package."""
        inner = underlying(obj)
        with _lock:
            closure = Closure(self.own, self.packages)
            if closure.objects.is_told_by_name(obj):
                return closure.objects.foreign(inner)
        return _closed(inner.__qualname__, self.own, self.packages, lambda closure: [closure.objects.follow(obj, inner.__qualname__)])


_versions: dict[tuple[int, str, frozenset[str]], tuple[object, Fingerprint | str]] = {}

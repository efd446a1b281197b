"""The ground of canonical forms: how they are written, how a value is refused, what a walk over a value carries."""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from xxhash import xxh3_128_digest

from simcache.errors import Unkeyable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Form: TypeAlias = Callable[[Any, "Walk", int], bytes]
    """Gives a value's canonical bytes; the number is how deep in the argument the value stands."""

DEEPEST = 200
"""Levels of nesting; well below Python's own limit, so that every caller gets the same answer."""

LONGEST_KEY_IN_PATH = 60
SCALARS = (bool, int, float, complex, str, bytes, type(None))
"""The types of values that hold no others."""

counted = Struct("<cQ").pack
"""A tag and how much follows it."""


class Refused(Exception):
    """A value without a canonical form; the containers around it add their step of the path as it passes them.

    So a path costs nothing until it is needed. Without a reason, the nesting was too deep.
    """

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps: list[tuple[str, object]] = []

    def inside(self, step: str, container: object) -> None:
        self.steps.append((step, container))

    def unkeyable(self, path: str) -> Unkeyable:
        """What the caller of the cache sees; `path` names the value that the walk began with."""
        outermost_first = self.steps[::-1]
        if self.reason is not None:
            return Unkeyable(path + "".join(step for step, _ in outermost_first), self.reason)
        here = path
        met: dict[int, str] = {}
        for step, container in outermost_first:
            if id(container) in met:
                return Unkeyable(here, f"it contains itself (it is {met[id(container)]} again), so its form has no end")
            met[id(container)] = here
            here += step
        beginning = "".join(step for step, _ in outermost_first[:3])
        return Unkeyable(path, f"it is nested more than {DEEPEST} levels deep ({path}{beginning}…)")


class Walk:
    """One pass over the arguments of a call: the forms of all types, and the code versions asked for so far."""

    __slots__ = ("_code_version", "codes", "deeper", "forms", "met", "reduces", "whole")

    def __init__(
        self, forms: Mapping[type, Form], code_version: Callable[[object], str] | None, *, reduces: bool = False, whole: bool = False
    ) -> None:
        self.forms = forms
        self.reduces = reduces
        """Whether instances of installed packages count by what a pickle would keep of them: they are no arguments, but what a module holds."""
        self.whole = whole
        """Whether what has no form even so is refused, but for locks, logs and sentinels; else it counts by its type."""
        self.met: dict[int, tuple[object, int]] = {}
        """Those that were met, and as the how many-th: some lead back to themselves."""
        self.deeper: list[Any] = []
        """Those of them that stand too deep to be written where they were met."""
        self.codes: dict[int, tuple[object, bytes]] = {}
        self._code_version = code_version

    def is_own(self, cls: type) -> bool:
        """Whether a class is of the package of the function that is called, wherever that is installed."""
        return cls.__module__.partition(".")[0] == getattr(self._code_version, "own", "")

    @property
    def follows_modules(self) -> bool:
        """Whether a module is code that is followed: it is no argument, but held by something that is reached."""
        return getattr(self._code_version, "follows_modules", False)

    def code_of_class(self, cls: type) -> bytes:
        """The code version of an instance's class, in a form; empty where nobody can tell code versions."""
        known = self.codes.get(id(cls))
        if known is not None:
            return known[1]
        return _NO_CODE if self._code_version is None else self.code_of(cls)

    def code_of(self, thing: object) -> bytes:
        """The code version of a function or class, in a form; each is asked for once."""
        known = self.codes.get(id(thing))
        if known is None:
            if self._code_version is None:
                raise Refused("it is code, and its version is not known here: leave it out with ignore=(…), or pass its name")
            try:
                version = self._code_version(thing)
            except Unkeyable as problem:
                raise Refused(problem.reason) from problem
            # The thing itself is kept beside its version: another one could get its id otherwise.
            known = self.codes[id(thing)] = (thing, _version(version))
        return known[1]


def text(tag: bytes, value: str) -> bytes:
    """Lone surrogates have bytes of their own, so any two texts differ."""
    data = value.encode("utf-8", "surrogatepass")
    return counted(tag, len(data)) + data


@lru_cache(256)  # calls ask for the same few again and again
def _version(version: str) -> bytes:
    return text(b"s", version)


_NO_CODE = text(b"s", "")


def digested(tag: bytes, data: Any) -> bytes:
    """Any contiguous buffer as size and digest: it is read where it lies, however large."""
    return counted(tag, memoryview(data).nbytes) + xxh3_128_digest(data)


def compound(name: str, *parts: bytes) -> bytes:
    """A form made of forms, for all types that have no tag of their own."""
    return text(b"v", name) + counted(b"#", len(parts)) + b"".join(parts)


def refuse(reason: str) -> Form:
    """The form of types that have none."""

    def form(_value: object, _walk: Walk, _depth: int) -> NoReturn:
        raise Refused(reason)

    return form


def listed(tag: bytes) -> Form:
    """The form of anything that is its items, in order."""

    def form(value: Iterable[Any], walk: Walk, depth: int) -> bytes:
        if depth > DEEPEST:
            raise Refused
        forms, deeper = walk.forms, depth + 1
        parts: list[bytes] = []
        add = parts.append
        try:
            for item in value:
                add(forms[type(item)](item, walk, deeper))
        except Refused as refused:
            refused.inside(f"[{len(parts)}]", value)
            raise
        return counted(tag, len(parts)) + b"".join(parts)

    return form


def paired(tag: bytes, *, ordered: bool) -> Form:
    """The form of a mapping; sorted by the form of its keys unless their order is part of the value."""

    def form(value: Mapping[Any, Any], walk: Walk, depth: int) -> bytes:
        if depth > DEEPEST:
            raise Refused
        forms, deeper = walk.forms, depth + 1
        rows: list[bytes] = []
        key = key_form = None
        try:
            for key, item in value.items():
                key_form = None
                key_form = forms[type(key)](key, walk, deeper)
                rows.append(key_form + forms[type(item)](item, walk, deeper))
        except Refused as refused:
            refused.inside("[a key]" if key_form is None else key_step(key), value)
            raise
        if not ordered:
            # No form is the beginning of another, so this sorts by key; two NaN keys are sorted by what they hold.
            rows.sort()
        return counted(tag, len(rows)) + b"".join(rows)

    return form


def key_step(key: object) -> str:
    """A key as a step of a path; only plain keys are shown, as any other's `repr` is somebody else's code."""
    if type(key) not in (str, int, float, bool, bytes, type(None)):
        return f"[a {type(key).__qualname__}]"
    shown = repr(key)
    return f"[{shown if len(shown) <= LONGEST_KEY_IN_PATH else shown[: LONGEST_KEY_IN_PATH - 1] + '…'}]"

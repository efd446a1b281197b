"""Never wrong: whatever happens to the files of a store, each call gives the right value, says why it computes again, and heals."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from simcache.cache import Cache
from simcache.decorator import cached
from simcache.errors import FormatTooNew, NotStored
from simcache.series import Step
from simcache.stores.local import LocalStore
from simcache.upkeep.verify import verify
from tests.simcache.makers import identical
from tests.simcache.stored import files_under, value_blob

made: list[object] = []
"""What was computed; the functions below add to it, so it is no part of their keys."""


def value_of(n: int) -> dict[str, Any]:
    return {"n": n, "cells": np.arange(float(n + 128)) / 7.0, "name": f"row {n}", "parts": [1.5, None, (n, "x")]}


def item_of(n: int) -> dict[str, Any]:
    return {"n": n, "cells": np.full(40, n / 3.0)}


def value(n: int) -> dict[str, Any]:
    made.append(n)
    return value_of(n)


def text(n: int) -> str:
    made.append(f"text {n}")
    return "x" * n


def series(first: int, *, resume: int | None = None) -> Iterator[Step[dict[str, Any]]]:
    number = resume or first
    while True:
        made.append(("item", number))
        yield Step(item_of(number), state=number + 1)
        number += 1


CALLS: dict[str, tuple[Callable[[Cache], Any], Any]] = {
    "value": (lambda cache: cached(cache=cache)(value)(2), value_of(2)),
    "another value": (lambda cache: cached(cache=cache)(value)(3), value_of(3)),
    "text": (lambda cache: cached(cache=cache)(text)(5), "xxxxx"),
    "long text": (lambda cache: cached(cache=cache)(text)(1100), "x" * 1100),
    "empty": (lambda cache: cached(cache=cache)(text)(0), ""),
    "series": (lambda cache: list(cached(cache=cache, every=3)(series)(1)[:8]), [item_of(n) for n in range(1, 9)]),
    "longer series": (lambda cache: list(cached(cache=cache, every=3)(series)(1)[:10]), [item_of(n) for n in range(1, 11)]),
}
"""What is called, and what must come of it."""


class Shop:
    """A small store that can be put back to what it was."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "store"
        self.fill(Cache(self.root))
        self.sound = files_under(self.root)
        self.names = sorted(name for name in self.sound if name != "simcache.json")
        self.folders = {name.rpartition("/")[0] for name in self.names}

    @staticmethod
    def fill(cache: Cache) -> None:
        for name, (call, _) in CALLS.items():
            if name != "longer series":
                call(cache)

    def restore(self) -> None:
        for top in ("blobs", "entries", ".local/quarantine"):
            shutil.rmtree(self.root / top, ignore_errors=True)
        for name, data in self.sound.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(data)

    def check(self, *spoiled: str, gone: bool = False) -> None:
        """Every call is right, with a reason where it computes what was stored; then all is healed, and nothing computes.

        An entry that is simply `gone` needs no reason: nothing is stored then.
        """
        before = {name: _seen(self.root / name) for name in spoiled}
        for name, (call, expected) in CALLS.items():
            made.clear()
            with heard() as said:
                got = call(Cache(self.root))
            assert identical(expected, got), (name, spoiled)
            again = [one for one in made if name != "longer series" or one not in (("item", 9), ("item", 10))]
            assert not again or said or gone, (name, spoiled, made)
        for name, (call, expected) in CALLS.items():
            made.clear()
            with heard() as said:
                got = call(Cache(self.root))
            assert identical(expected, got), (name, spoiled)
            assert ([], []) == (made, said), (name, spoiled)
        report = verify(LocalStore(self.root))
        bad = {problem.name for problem in report.problems if problem.kind != "missing"} - self.folders
        assert bad <= set(spoiled) - self.needed(), (bad, spoiled)
        assert not report.divergences
        assert all(before[name] == _seen(self.root / name) for name in bad)

    def needed(self) -> set[str]:
        """The files that a hit reads; what an entry only tells of its arguments, code and state is read by who asks for it."""
        entries = list(Cache(self.root).all_entries())
        return {entry.name for entry in entries} | {value_blob(entry) for entry in entries if entry.value and "blobs" in entry.value}


def _seen(path: Path) -> object:
    return path.read_bytes() if path.is_file() else path.is_dir()


@contextmanager
def heard() -> Iterator[list[str]]:
    """The warnings that a user sees, each of which must say why something is computed again."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    for warning in caught:
        assert issubclass(warning.category, NotStored), warning.message
        said.append(str(warning.message))
    assert all("computed again: " in one or "goes on from an earlier state: " in one for one in said), said


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    folder = Path(tempfile.mkdtemp(prefix="damage-"))
    yield Shop(folder)
    shutil.rmtree(folder)


def flip(data: bytes, at: int, bits: int) -> bytes:
    at %= max(1, len(data))
    return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :] if data else b"?"


def overwrite(data: bytes, at: int, new: bytes) -> bytes:
    at %= len(data) + 1
    return data[:at] + new + data[at + len(new) :]


def hole(data: bytes, at: int, length: int) -> bytes:
    at %= len(data) + 1
    return data[:at] + bytes(len(data[at : at + length])) + data[at + length :]


ranges = st.one_of(
    st.builds(lambda at, bits: lambda data: flip(data, at, bits), st.integers(0, 4000), st.integers(1, 255)),
    st.builds(lambda at, new: lambda data: overwrite(data, at, new), st.integers(0, 4000), st.binary(min_size=1, max_size=80)),
    st.builds(lambda at, length: lambda data: hole(data, at, length), st.integers(0, 4000), st.integers(1, 4000)),
    st.builds(lambda length: lambda data: data[: length % max(1, len(data))], st.integers(0, 4000)),
    st.builds(lambda more: lambda data: data + more, st.binary(min_size=1, max_size=9)),
    st.just(lambda data: b""),
    st.just(lambda data: bytes(len(data)) if data else b"\0"),
    st.just(lambda data: data[::-1] + b"!"),
)
"""What can happen to the bytes of a file."""


def spoil(shop: Shop, name: str, change: Callable[[bytes], bytes]) -> bool:
    """Change the bytes of a file; whether they differ now."""
    changed = change(shop.sound[name])
    (shop.root / name).write_bytes(changed)
    return changed != shop.sound[name]


@given(data=st.data(), change=ranges)
def test_any_byte_range_of_any_file(shop: Shop, data: st.DataObject, change: Callable[[bytes], bytes]) -> None:
    """One file flipped, overwritten, cut, emptied, lengthened or with a hole of zeros, anywhere: right values, with reasons; healed."""
    shop.restore()
    name = data.draw(st.sampled_from(shop.names))
    spoil(shop, name, change)

    shop.check(name)


@settings(max_examples=settings().max_examples // 4)
@given(data=st.data(), changes=st.lists(ranges, min_size=2, max_size=6))
def test_several_files_at_once(shop: Shop, data: st.DataObject, changes: list[Callable[[bytes], bytes]]) -> None:
    """The same for several files, as a bad disk does it."""
    shop.restore()
    names = data.draw(st.lists(st.sampled_from(shop.names), min_size=len(changes), max_size=len(changes), unique=True))
    for name, change in zip(names, changes, strict=True):
        spoil(shop, name, change)

    shop.check(*names)


PARTS = 16


def flips(shop: Shop, step: int, first: int = 0) -> None:
    """One bit of each byte at a distance of `step`, as if the files stood one behind the other."""
    before = 0
    for name in shop.names:
        for at in range((first - before) % step, len(shop.sound[name]), step):
            shop.restore()
            spoil(shop, name, lambda data, at=at: flip(data, at, 1 << at % 8))  # type: ignore[misc]
            shop.check(name)
        before += len(shop.sound[name])


def test_bytes_of_every_file(shop: Shop) -> None:
    """A flipped byte in each stretch of every file."""
    flips(shop, 199)


@pytest.mark.deep
@pytest.mark.parametrize("part", range(PARTS))
def test_every_byte_of_every_file(part: int, shop: Shop) -> None:
    """Every single byte of the store, flipped: in parts, which run side by side."""
    flips(shop, PARTS, part)


def _directory(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def _nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _sparse(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(0)
        file.truncate(max(1, size))


def _folder_gone(path: Path) -> None:
    shutil.rmtree(path.parent)


def _file_for_folder(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"in the way")


@pytest.mark.skipif(os.name == "nt", reason="pipes and links")
@pytest.mark.parametrize(
    "change",
    [Path.unlink, _directory, _nowhere, _to_itself, _pipe, _sparse, _folder_gone, _file_for_folder],
    ids=lambda change: change.__name__,
)
def test_files_that_become_something_else(shop: Shop, change: Callable[[Path], None]) -> None:
    """Each file deleted, or replaced by a folder, a link, a pipe, a hole; its folder gone, or a file in its place."""
    for name in shop.names:
        shop.restore()
        beside = [other for other in shop.names if Path(other).parent == Path(name).parent]
        change(shop.root / name)
        shop.check(*beside, gone=True)


def test_swapped_files(shop: Shop) -> None:
    """Each blob with the content of another, each entry with that of another: by content, not by place."""
    for top in ("blobs/", "entries/"):
        names = [name for name in shop.names if name.startswith(top)]
        for name, other in zip(names, names[1:] + names[:1], strict=True):
            shop.restore()
            (shop.root / name).write_bytes(shop.sound[other])
            shop.check(name)


def test_an_entry_of_another_key(shop: Shop) -> None:
    """A sound entry under the name of another call is not that call's result."""
    entries = [name for name in shop.names if name.startswith("entries/")]
    for name, other in zip(entries, entries[1:] + entries[:1], strict=True):
        shop.restore()
        forged = f"{name.rpartition('/')[0]}/{Path(name).name.partition('.')[0]}.{Path(other).name.partition('.')[2]}"
        (shop.root / name).unlink()
        (shop.root / forged).write_bytes(shop.sound[other])
        shop.check(name, forged, gone=True)


def test_a_damaged_mark_of_the_store(shop: Shop) -> None:
    """The one file without a digest: calls are computed with one warning, which names the store and what should stand there."""
    expected = shop.sound["simcache.json"]
    spoilt = [flip(expected, at, bits) for at in range(len(expected)) for bits in (1, 4, 32)]
    for data in (*spoilt, b"", expected[: len(expected) // 2], bytes(range(256))):
        shop.restore()
        (shop.root / "simcache.json").write_bytes(data)
        before = files_under(shop.root)
        for call, right in CALLS.values():
            newer = str(shop.root)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                try:
                    assert identical(right, call(Cache(shop.root)))
                except FormatTooNew as problem:
                    newer = str(problem)
            assert str(shop.root) in newer
            assert [] == said or ["NotStored", True, True] == [
                *(one.category.__name__ for one in said),
                f"{shop.root} is not available: its simcache.json tells no format" in str(said[0].message),
                f"`simcache verify --repair --store {shop.root}`" in str(said[0].message),
            ]
        assert before == files_under(shop.root) or verify(LocalStore(shop.root)).sound
    shop.restore()


def test_what_was_damaged_is_put_aside(shop: Shop) -> None:
    """A person can look at what was found; the warning names it, its fault and where it lies now."""
    shop.restore()
    entry = cached(cache=Cache(shop.root))(value).entry(2)
    assert entry is not None
    for name in (value_blob(entry), entry.name):
        shop.restore()
        (shop.root / name).write_bytes(b"spoiled")
        with heard() as said:
            CALLS["value"][0](Cache(shop.root))
        [text] = said
        aside = Path(text.rpartition("(set aside as ")[2].rstrip(")"))

        assert text.startswith(f"{__name__}.value is computed again: {name} is damaged: ")
        assert b"spoiled" == aside.read_bytes()
        assert ".local" in aside.parts
    shop.restore()


EXPECTED: dict[str, Callable[[int], Any]] = {"value": value_of, "text": "x".__mul__}


class Calls(RuleBasedStateMachine):
    """Cached calls against a dict of what they must give; what is stored and was not touched must not be computed."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="damage-"))
        self.known: set[tuple[str, int]] = set()
        self.items: dict[int, int] = {}
        self.hurt = False
        """Something was damaged: a state or a blob that nobody has read since may cost one more computation, never a wrong result."""
        self.reopen()

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule()
    def reopen(self) -> None:
        self.cache = Cache(self.folder / "store")
        self.calls: dict[str, Any] = {"value": cached(cache=self.cache)(value), "text": cached(cache=self.cache)(text)}

    def asked(self, work: Callable[[], Any]) -> Any:
        made.clear()
        with heard():
            return work()

    @rule(name=st.sampled_from(["value", "text"]), n=st.integers(0, 3))
    def call(self, name: str, n: int) -> None:
        got = self.asked(lambda: self.calls[name](n))
        assert identical(EXPECTED[name](n), got)
        assert self.hurt or not made or (name, n) not in self.known
        self.known.add((name, n))

    @rule(name=st.sampled_from(["value", "text"]), n=st.integers(0, 3))
    def refresh(self, name: str, n: int) -> None:
        assert identical(EXPECTED[name](n), self.asked(lambda: self.calls[name].refresh(n)))

    @rule(name=st.sampled_from(["value", "text"]), n=st.integers(0, 3), withdraw=st.booleans())
    def take_back(self, name: str, n: int, withdraw: bool) -> None:
        if withdraw:
            self.calls[name].withdraw(n, reason="a test")
        else:
            self.calls[name].forget(n)
        self.known.discard((name, n))

    @rule(name=st.sampled_from(["value", "text"]), n=st.integers(0, 3))
    def ask(self, name: str, n: int) -> None:
        known = (name, n) in self.known and not self.hurt
        assert (self.calls[name].entry(n) is not None) >= known
        assert self.calls[name].explain(n).hit >= known

    @rule(first=st.integers(1, 2), count=st.integers(0, 9), every=st.sampled_from([1, 3, 10]), looped=st.booleans())
    def run(self, first: int, count: int, every: int, looped: bool) -> None:
        run = cached(cache=self.cache, every=every)(series)(first)

        def loop() -> list[Any]:
            return [item for _, item in zip(range(count), run, strict=False)]

        got = self.asked(loop if looped else lambda: list(run[:count]))
        assert identical([item_of(n) for n in range(first, first + count)], got)
        stored = self.items.get(first, 0)
        assert self.hurt or not stored or len(made) <= max(0, count - stored)
        self.items[first] = max(count, stored)

    @rule(first=st.integers(1, 2))
    def forget_items(self, first: int) -> None:
        cached(cache=self.cache)(series).forget(first)
        self.items.pop(first, None)

    @rule(at=st.integers(0, 10_000), change=ranges)
    def damage(self, at: int, change: Callable[[bytes], bytes]) -> None:
        files = files_under(self.folder / "store")
        files.pop("simcache.json", None)
        if files:
            name = sorted(files)[at % len(files)]
            (self.folder / "store" / name).write_bytes(change(files[name]))
            self.forget_all()

    @rule(at=st.integers(0, 10_000))
    def delete(self, at: int) -> None:
        files = files_under(self.folder / "store")
        files.pop("simcache.json", None)
        if files:
            (self.folder / "store" / sorted(files)[at % len(files)]).unlink()
            self.forget_all()

    def forget_all(self) -> None:
        self.hurt = True
        self.known.clear()
        self.items.clear()


def test_calls_against_a_dict() -> None:
    """Calls, series, refresh, forget, withdraw, damage and deletion in any order: always right, and never computed without need."""
    run_state_machine_as_test(Calls, settings=settings(max_examples=25, stateful_step_count=30))


@pytest.mark.deep
@pytest.mark.timeout(1800)
def test_long_games_against_a_dict() -> None:
    """The same, longer and more often."""
    run_state_machine_as_test(Calls, settings=settings(max_examples=500, stateful_step_count=100))

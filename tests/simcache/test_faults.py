"""Every kind of store under every fault: the cache on top gives the right values, or computes them; it never crashes."""

import errno
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from simcache.cache import Cache
from simcache.decorator import cached
from simcache.errors import Corrupt, Missing, StoreReadOnly, Unavailable
from simcache.model import check_name
from simcache.series import Step
from simcache.stores.base import Store
from simcache.stores.memory import MemoryStore
from tests.simcache import faulty
from tests.simcache.contract import BACKDOORS, Backdoor
from tests.simcache.makers import identical

ALWAYS: Mapping[str, Callable[[Store], faulty.Faulty]] = {
    "slow": lambda store: faulty.slow(store, 0.002),
    "lists one byte more": faulty.lies_about_length,
    "lists one byte less": lambda store: faulty.lies_about_length(store, -1),
    "wrong bytes": faulty.wrong_bytes,
    "one byte less": faulty.short,
    "offline": faulty.offline,
    "read-only": faulty.read_only,
    "full": faulty.full,
}
"""Faults that stay."""
LOST = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
TOLD: tuple[Exception, ...] = (
    Unavailable("the store", "the network is down"),
    StoreReadOnly("the store", "Read-only file system"),
    Corrupt("what is asked for", "damaged"),
    Missing("what is asked for"),
)
"""What any call of a store may raise."""
UNTOLD: tuple[Exception, ...] = (LOST, OSError(errno.ENOSPC, "No space left on device"))
"""What only a put may raise; from far, where a store may be anybody's, any call."""
Fails: TypeAlias = Callable[[Store, int], faulty.Faulty]


def _fails(error: Exception, calls: frozenset[str] = faulty.CALLS, *, late: bool = False) -> Fails:
    return lambda store, number: faulty.fails_at(store, number, error, calls=calls, late=late)


_PUT = frozenset({"put"})
NEAR: Mapping[str, Fails] = {
    **{type(error).__name__: _fails(error) for error in TOLD},
    **{f"put: {type(error).__name__}": _fails(error, _PUT) for error in UNTOLD},
    "put: answer lost": _fails(LOST, _PUT, late=True),
    "put: cut": faulty.cuts_at,
}
FAR: Mapping[str, Fails] = {
    **{type(error).__name__: _fails(error) for error in (*TOLD, *UNTOLD)},
    "answer lost": _fails(LOST, late=True),
}
"""Faults of the n-th call."""


def field_of(n: int) -> dict[str, Any]:
    return {"n": n, "cells": np.arange(float(n + 4)) / 7.0, "large": np.full(10_000, n / 3.0)}


def field(n: int) -> dict[str, Any]:
    return field_of(n)


def numbers(first: int, *, resume: int | None = None) -> Iterator[Step[dict[str, Any]]]:
    number = first if resume is None else resume
    while True:
        yield Step(field_of(number), state=number + 1)
        number += 1


def use(cache: Cache) -> None:
    """Call a function and a series, and hold what they give against what they must."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it says so is asked elsewhere
        value = cached(cache=cache)(field)(2)
        items = list(cached(cache=cache, every=2)(numbers)(1)[:3])
    assert identical(field_of(2), value)
    assert identical([field_of(number) for number in (1, 2, 3)], items)


@pytest.fixture(params=sorted(BACKDOORS), ids=lambda scheme: scheme or "path")
def backdoor(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backdoor:
    """A place of every kind."""
    made = BACKDOORS[request.param](tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def store(backdoor: Backdoor) -> Store:
    return backdoor.open()


@pytest.fixture
def numbers_of_calls(request: pytest.FixtureRequest, backdoor: Backdoor) -> Sequence[int]:
    """Which calls fail, one after the other: every ninth, beginning at another one for each kind of store, and every 25th over a network."""
    if request.config.getoption("--deep"):
        return range(1, 100)
    kind = list(BACKDOORS).index(request.node.callspec.params["backdoor"])
    return range(1 + kind, 100, 25) if backdoor.environment else range(1 + kind % 9, 100, 9)


def empty(store: Store, backdoor: Backdoor) -> None:
    for name in backdoor.names():
        store.delete(name)


@pytest.mark.parametrize("fault", ALWAYS)
def test_a_fault_that_stays(store: Store, backdoor: Backdoor, fault: str) -> None:
    """Near or far, with a fault from the beginning or from now on, each call gives its value."""
    use(Cache(ALWAYS[fault](store)))
    use(Cache(store))
    use(Cache(ALWAYS[fault](store)))
    use(Cache(MemoryStore(), far=[ALWAYS[fault](store)]))
    use(Cache(store))

    for name in backdoor.names():
        check_name(name, backdoor.read(name) or b"")


@pytest.mark.parametrize("fault", NEAR)
def test_a_fault_at_each_call_in_turn_near(store: Store, backdoor: Backdoor, numbers_of_calls: Sequence[int], fault: str) -> None:
    """Whichever call of a store fails, while it is filled or read, each call gives its value, and the next ones heal what was left."""
    for number in numbers_of_calls:
        empty(store, backdoor)
        filling = NEAR[fault](store, number)
        use(Cache(filling))
        reading = NEAR[fault](store, number)
        use(Cache(reading))
        use(Cache(store))
        if max(filling.counted, reading.counted) < number:
            break
    else:
        pytest.fail("the fault was met in every round")
    assert number > 3


@pytest.mark.parametrize("fault", FAR)
def test_a_fault_at_each_call_in_turn_far(store: Store, backdoor: Backdoor, numbers_of_calls: Sequence[int], fault: str) -> None:
    """The same for a far store, which loses nothing by it."""
    use(Cache(store))
    before = {name: backdoor.read(name) for name in backdoor.names()}
    for number in numbers_of_calls:
        far = FAR[fault](store, number)
        use(Cache(MemoryStore(), far=[far]))
        if far.counted < number:
            break
    else:
        pytest.fail("the fault was met in every round")

    assert before == {name: backdoor.read(name) for name in backdoor.names()}

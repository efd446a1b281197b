"""Far stores behind a near one: what is stored anywhere is not computed again, and what only points to bytes is left alone."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simcache import Cache, NotStored, Step, cached
from tests.simcache.stored import keep, long

if TYPE_CHECKING:
    from simcache.decorator import Cached
    from simcache.series import Series


def counting(cache: Cache, calls: list[int]) -> "Cached[[int], Series[int]]":
    @cached(every=10, cache=cache)
    def numbers(seed: int, *, resume: int | None = None) -> Iterator[Step[int]]:
        number = 0 if resume is None else resume
        while True:
            number += 1
            calls.append(number)
            yield Step(number * seed, state=number)

    return numbers


def test_a_series_goes_on_where_a_far_store_ends(tmp_path: Path) -> None:
    """40 items far, none near: 60 computes 20, and everything is near then."""
    calls: list[int] = []
    counting(Cache(tmp_path / "far"), calls)(3)[:40]
    calls.clear()

    run = counting(Cache(tmp_path / "near", far=[tmp_path / "far"]), calls)(3)
    assert [3 * number for number in range(1, 61)] == run[:60]
    assert calls == list(range(41, 61))
    assert counting(Cache(tmp_path / "near"), calls)(3).stored == 60


def test_a_near_series_is_joined_by_the_longer_far_one(tmp_path: Path) -> None:
    """10 items near and 40 far: 40 are served without computing any."""
    calls: list[int] = []
    counting(Cache(tmp_path / "far"), calls)(3)[:40]
    counting(Cache(tmp_path / "near"), calls)(3)[:10]
    calls.clear()

    run = counting(Cache(tmp_path / "near", far=[tmp_path / "far"]), calls)(3)
    assert [3 * number for number in range(1, 41)] == run[:40]
    assert calls == []


def test_an_endless_loop_takes_the_far_items_too(tmp_path: Path) -> None:
    """A loop over a series replays what is far before it computes."""
    calls: list[int] = []
    counting(Cache(tmp_path / "far"), calls)(3)[:20]
    calls.clear()

    run = counting(Cache(tmp_path / "near", far=[tmp_path / "far"]), calls)(3)
    assert [item for item, _ in zip(run, range(22), strict=False)] == [3 * number for number in range(1, 23)]
    assert calls == [21, 22, 23][: len(calls)]
    assert len(calls) >= 2


def test_an_lfs_pointer_is_no_damage(tmp_path: Path) -> None:
    """Bytes that Git LFS has not fetched are computed again and written in the pointer's place; nothing is quarantined."""

    @cached(cache=Cache(tmp_path))
    def field(n: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return np.arange(float(n))

    field(200)
    entry = field.entry(200)
    assert entry is not None
    assert entry.value is not None
    blob = entry.blobs[entry.value["blobs"][0]]
    file = tmp_path / blob.name
    content = file.read_bytes()
    file.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{blob.sha256}\nsize {blob.size}\n")

    with pytest.warns(NotStored, match="LFS pointer"):
        assert field(200).tolist() == list(range(200))
    assert file.read_bytes() == content
    assert not (tmp_path / ".local" / "quarantine").exists()


def test_a_blob_that_waits_near_is_claimed_before_an_entry_names_it(tmp_path: Path) -> None:
    """A prune that runs beside the call takes what no entry names for long: it must see that this blob is wanted again."""
    far, near = Cache(tmp_path / "far"), Cache(tmp_path / "near")
    entry = keep(far, 1, long("one"))
    for blob in entry.blobs:
        near.near.put(blob.name, [far.near.get(blob.name)])
        os.utime(tmp_path / "near" / blob.name, (1, 1))
    found = Cache(tmp_path / "near", far=[tmp_path / "far"]).lookup(entry.function, entry.key)

    assert long("one") == found.value
    assert all((tmp_path / "near" / blob.name).stat().st_mtime > 1 for blob in entry.blobs)


def test_a_far_store_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    """A laptop away from the lab's mount works as without it, with one warning that names the place."""
    with pytest.warns(RuntimeWarning, match="mount"):
        cache = Cache(tmp_path / "near", far=[tmp_path / "mount"])

    def twice(x: int) -> int:
        return 2 * x

    assert cached(cache=cache)(twice)(3) == 6


@pytest.mark.parametrize("name", ["store", "link"])
def test_the_near_store_was_taken_as_its_own_far_store(tmp_path: Path, name: str) -> None:
    """It is left out with a warning that says so, by whatever name it is given; the others stay."""
    keep(Cache(tmp_path / "store"), 1, 1)
    keep(Cache(tmp_path / "other"), 2, 2)
    (tmp_path / "link").symlink_to("store")
    with pytest.warns(RuntimeWarning, match=f"a far store is left out: .*{name} is the near store itself: name another one"):
        cache = Cache(tmp_path / "store", far=[tmp_path / name, tmp_path / "other"])

    assert [str(tmp_path / "store"), str(tmp_path / "other")] == [store.url for store in cache.store.layers()]


def test_a_call_with_an_array_is_explained(tmp_path: Path) -> None:
    """Arrays among the arguments are compared by content: equal ones are no difference."""

    @cached(cache=Cache(tmp_path))
    def total(field: "np.ndarray[tuple[int], np.dtype[np.float64]]", n: int = 1) -> float:
        return float(field.sum()) * n

    total(np.zeros(3))
    assert ["n: 2, was 1"] == [str(difference) for difference in total.explain(np.zeros(3), 2).differences]
    assert ["field"] == [difference.path for difference in total.explain(np.ones(3)).differences]

"""Small values stand in their entry: exactly up to the limit, checked like everything else, and beside stores made before."""

import json
import shutil
from binascii import a2b_base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simcache.cache import Cache
from simcache.decorator import cached
from simcache.errors import Corrupt, NotStored
from simcache.model import INLINE, Entry, Json, entry_digest, inline
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.upkeep.verify import verify
from tests.simcache.makers import identical
from tests.simcache.stored import files_under, keep, keep_segment, key_of

OLD = Path(__file__).parent / "golden" / "format-1"
"""A store as it was written before: small values have blobs, and every entry is of format 1."""
BEFORE: dict[str, Any] = {"text": "a small text", "array": np.arange(5.0), "series": [1, 2, 3]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def cache(root: Path) -> Cache:
    return Cache(root)


def forged(entry: Entry, change: Callable[[Json], object]) -> tuple[str, bytes]:
    """An entry with something changed and the right digest in its name, as a hostile writer would make it."""
    record = json.loads(entry.to_bytes())
    change(record)
    data = json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    return f"{entry.name.rpartition('.json')[0][:-16]}{entry_digest(data)}.json", data


@pytest.mark.parametrize(("length", "blobs"), [(0, 0), (1, 0), (INLINE, 0), (INLINE + 1, 1)])
def test_up_to_the_limit(cache: Cache, length: int, blobs: int) -> None:
    """A value of so many bytes has no blob, one of a byte more has one; the format tells older readers which is which."""
    value = np.arange(length, dtype=np.uint8)
    entry = keep(cache, 1, value, parts={})

    assert blobs == len(entry.blobs) == len(list(cache.near.list("blobs/")))
    assert (1 if blobs else 2) == json.loads(entry.to_bytes())["format"]
    assert identical(value, Cache(cache.near.url).lookup(entry.function, entry.key).value)


def test_the_bytes_of_an_entry(cache: Cache) -> None:
    """Golden: what stands on disk for a small value, so that another version reads it."""
    entry = keep(cache, 1, {"a": 1.5}, parts={})
    record = json.loads(entry.to_bytes())

    assert ({"codec": "json", "inline": "eyJhIjoxLjV9"}, [], 2) == (record["value"], record["blobs"], record["format"])
    assert entry == Entry.from_bytes(entry.name, entry.to_bytes())


def test_a_value_is_the_callers_own(cache: Cache) -> None:
    """Whoever changes what a hit gave changes nothing for the next one."""

    @cached(cache=cache)
    def f(n: int) -> Any:
        return np.zeros(n)

    f(3)
    f(3)[:] = 7.0

    assert [0.0, 0.0, 0.0] == f(3).tolist()


def test_states_and_arguments(cache: Cache) -> None:
    """A small state and a small argument take no file either, and come back."""
    made: list[object] = []

    @cached(cache=cache)
    def f(a: Any, b: bytes) -> float:
        made.append(1)
        return float(a.sum())

    f(np.arange(3.0), b"xy")
    entry = f.entry(np.arange(3.0), b"xy")
    assert entry is not None
    segment = keep_segment(cache, "s", 0, [1, 2], state={"at": np.arange(2)})

    assert "inline" in entry.arguments["a"]
    assert identical(np.arange(2), cache.load(segment, state=True)["at"])
    assert 2 == len(list(cache.near.list("blobs/")))  # the functions behind each code version
    assert verify(cache.near).sound


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["value"].update(inline="###"),
        lambda record: record["value"].update(inline="QUJ"),
        lambda record: record["value"].update(inline=5),
        lambda record: record["value"].update(inline="é"),
        lambda record: record["value"].pop("inline"),
        lambda record: record.update(format=1),
        lambda record: record.update(format=0),
        lambda record: record["arguments"].update(n={"inline": "#", "describe": {"codec": "json"}}),
    ],
    ids=["no base64", "cut", "a number", "no ASCII", "gone", "format 1", "format 0", "argument"],
)
def test_an_entry_that_is_not_as_it_should_be(root: Path, cache: Cache, change: Callable[[Json], object]) -> None:
    """Damaged, whatever its digest says: set aside, computed again, and found by `verify`."""

    @cached(cache=cache)
    def f(n: int) -> int:
        return n + 1

    f(1)
    entry = f.entry(1)
    assert entry is not None
    (root / entry.name).unlink()
    name, data = forged(entry, change)
    (root / name).write_bytes(data)

    with pytest.raises(Corrupt):
        Entry.from_bytes(name, data)
    assert [("corrupt", name)] == [(problem.kind, problem.name) for problem in verify(LocalStore(root)).problems]
    with pytest.warns(NotStored, match="is computed again: .*damaged"):
        assert 2 == cached(cache=Cache(root))(f.compute)(1)
    assert not (root / name).exists()


@given(st.text("AZaz09+/==\n-é", max_size=12) | st.binary(max_size=9).map(inline))
@example("====")
@example("AA=A")
@example("A===")
@example("AAA=AAAA")
@example("AAAA==")
def test_an_entry_is_sound_just_if_its_bytes_can_be_read(text: str) -> None:
    """What is asked of every entry, without reading, is what the reader of base64 asks, who would take more padding than there can be."""
    entry = keep(Cache(MemoryStore()), 1, {"a": 1.5}, parts={})
    name, data = forged(entry, lambda record: record["value"].update(inline=text))
    try:
        readable = len(inline(a2b_base64(text, strict_mode=True))) == len(text)
    except ValueError:
        readable = False
    if readable:
        assert Entry.from_bytes(name, data).value == {"codec": "json", "inline": text}
    else:
        with pytest.raises(Corrupt):
            Entry.from_bytes(name, data)


def test_bytes_of_another_length_than_described(root: Path, cache: Cache) -> None:
    """A description that does not fit its bytes is no value: computed again, with the reason."""

    @cached(cache=cache)
    def f(n: int) -> Any:
        return np.arange(float(n))

    f(3)
    entry = f.entry(3)
    assert entry is not None
    (root / entry.name).unlink()
    name, data = forged(entry, lambda record: record["value"].update(inline=inline(bytes(16))))
    (root / name).write_bytes(data)

    with pytest.warns(NotStored, match="is computed again"):
        assert [0.0, 1.0, 2.0] == cached(cache=Cache(root))(f.compute)(3).tolist()


class TestStoresOfBefore:
    """A store that was made before is read as it is, and goes on."""

    @pytest.mark.parametrize("name", BEFORE)
    def test_is_read(self, root: Path, name: str) -> None:
        """Every value, from a copy that nothing was done to."""
        shutil.copytree(OLD, root)
        before = files_under(root)

        assert identical(BEFORE[name], Cache(root).lookup("model.f", key_of(name)).value)
        assert before == files_under(root)

    def test_is_sound_and_goes_on(self, root: Path) -> None:
        """`verify` finds nothing, new results stand beside the old, and an old entry written again is the same file."""
        shutil.copytree(OLD, root)
        cache = Cache(root)
        keep(cache, "new", 1)
        report = verify(cache.near)
        old = [entry for entry in cache.all_entries() if entry.key != key_of("new")]

        assert (True, 4) == (report.sound, report.entries)
        assert all((OLD / entry.name).read_bytes() == entry.to_bytes() for entry in old)

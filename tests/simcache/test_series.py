"""A series: as long as anyone has ever needed it, extended by what is missing, the same to the bit however it came about."""

import ast
import asyncio
import copy
import itertools
import os
import pickle
import signal
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcache.cache import Cache
from simcache.chain import longest_chain
from simcache.decorator import Cached, cached
from simcache.errors import CacheError, Divergence, NotStored, Unavailable, Unkeyable
from simcache.model import INLINE, Entry, Segment
from simcache.series import Items, Series, Step
from simcache.stores.base import Listed, Store
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.upkeep.verify import verify
from tests.simcache.contract import a_blob, an_entry_of, run_threads
from tests.simcache.faulty import Fault, Faulty, fails_at, full, read_only, untrusted
from tests.simcache.makers import identical
from tests.simcache.programs import TICKS, Programs, finish, programs_in
from tests.simcache.stored import files_under, project, python, value_blob

if TYPE_CHECKING:
    import subprocess


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "store")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with programs_in(tmp_path) as programs:
        yield programs


class Counted(NamedTuple):
    """A cached generator of 1·step, 2·step, …, and the number of each item that was computed."""

    call: Cached[..., Any]
    made: list[int]

    def computed(self, work: Callable[[], object]) -> list[int]:
        """The items that some work computes."""
        self.made.clear()
        work()
        return list(self.made)


LONG = 1 << 4 * INLINE
"""A step that makes items and states too long for their entries."""


def counted(cache: Cache, **options: Any) -> Counted:
    made: list[int] = []

    @cached(cache=cache, **options)
    def numbers(step: int = 1, *, resume: int | None = None) -> Iterator[Step[int]]:
        number = (resume or 0) // step
        while True:
            number += 1
            made.append(number)
            yield Step(number * step, state=number * step)

    return Counted(numbers, made)


def ranges(run: Series[Any]) -> list[tuple[int, int]]:
    """From which item to which each stored segment reaches."""
    return [(entry.segment.start, entry.segment.stop) for entry in run.segments if entry.segment is not None]


def upto(last: int, first: int = 1) -> list[int]:
    return list(range(first, last + 1))


class TestPrefix:
    """What is stored serves every request up to its length."""

    def test_forty_serve_up_to_forty(self, cache: Cache) -> None:
        """40 stored items serve any request up to 40 without calling the function, in this process and in others."""
        numbers = counted(cache)
        numbers.call(3)[:40]
        again = counted(Cache(cache.near.url))
        for length in range(41):
            for call in (numbers.call, again.call):
                assert [3 * n for n in upto(length)] == call(3)[:length]

        assert upto(40) == numbers.made
        assert [] == again.made

    def test_eighty_compute_exactly_forty_more(self, cache: Cache) -> None:
        """An extension computes what is missing, and what was there is not written again."""
        numbers = counted(cache)
        numbers.call()[:40]
        before = files_under(Path(cache.near.url))

        assert upto(80, 41) == numbers.computed(lambda: numbers.call()[:80])
        after = files_under(Path(cache.near.url))
        assert before == {name: after[name] for name in before}
        assert [(n, n + 10) for n in range(0, 80, 10)] == ranges(numbers.call())

    def test_nothing_is_computed_before_an_item_is_asked_for(self, cache: Cache) -> None:
        """Making a series, showing it and asking how long it is costs nothing and writes nothing."""
        numbers = counted(cache)
        run = numbers.call(2)

        assert (0, False, False, []) == (run.stored, run.ended, run.mixed, run.segments)
        assert f"<series {numbers.call.name} {run.key}: 0 items stored>" == repr(run)
        assert [] == run[:0]
        assert [] == numbers.made
        assert not Path(cache.near.url).exists()

    def test_neither_length_nor_state_is_part_of_the_key(self, cache: Cache) -> None:
        """One key for all lengths; the arguments tell series apart."""
        numbers = counted(cache)
        run = numbers.call(3)
        run[:5]

        assert numbers.call.key(3) == run.key == numbers.call(step=3, resume=None).key != numbers.call(4).key
        assert {run.key} == {entry.key for entry in run.segments}

    def test_a_state_from_outside_is_refused(self, cache: Cache) -> None:
        """`resume` is the cache's to give."""
        with pytest.raises(TypeError, match="`resume` is given by the cache"):
            counted(cache).call(3, resume=7)

    def test_the_default_of_resume_is_none(self, cache: Cache) -> None:
        """Another default could never be told from a state: refused where it is decorated."""

        def odd(*, resume: int = 0) -> Iterator[int]:
            yield resume

        with pytest.raises(TypeError, match="write resume=None"):
            cached(cache=cache)(odd)

    @pytest.mark.parametrize(
        ("index", "expected"),
        [
            (0, 1),
            (39, 40),
            (np.int64(7), 8),
            (slice(5), upto(5)),
            (slice(3, 7), upto(7, 4)),
            (slice(0, 10, 3), [1, 4, 7, 10]),
            (slice(2, 9, 2), [3, 5, 7, 9]),
            (slice(7, 3), []),
            (slice(4, 4), []),
            (slice(np.int64(2), np.int64(4)), [3, 4]),
        ],
        ids=str,
    )
    def test_indices(self, cache: Cache, index: Any, expected: object) -> None:
        """Items and slices as in a list, counted from 0; the same when they are stored."""
        run = counted(cache).call()

        assert expected == run[index] == run[index]

    @pytest.mark.parametrize(
        "index", [-1, slice(-5), slice(-5, 3), slice(5, None), slice(None), slice(None, None, 2), slice(0, 5, -1)], ids=str
    )
    def test_there_is_no_end_to_count_from(self, cache: Cache, index: Any) -> None:
        """A series may be endless: what only a list can answer is an IndexError, and nothing is computed."""
        numbers = counted(cache)

        with pytest.raises(IndexError):
            numbers.call()[index]
        with pytest.raises(ValueError, match="ask for 0 or more"):
            numbers.call().take(-1)
        assert [] == numbers.made

    @pytest.mark.parametrize(
        "ask",
        [
            lambda run: run[2.5],
            lambda run: run[:2.5],
            lambda run: run[1.5:3],
            lambda run: run["x"],
            lambda run: run.take(2.5),
            lambda run: run.take(3, first=1.5),
            lambda run: run.take(3, first=-1),
            lambda run: run.take(3, deadline=float("nan")),
        ],
    )
    def test_items_are_counted(self, cache: Cache, ask: Callable[[Any], object]) -> None:
        """What is no number of items is an error at once, and nothing is computed."""
        numbers = counted(cache)

        with pytest.raises((TypeError, ValueError)):
            ask(numbers.call())
        assert [] == numbers.made

    def test_a_deadline_is_in_seconds(self, cache: Cache) -> None:
        """A text with a unit is the command's, and no number here."""
        numbers = counted(cache)

        with pytest.raises(TypeError, match="a deadline is a number of seconds, as in deadline=3600, and '1h' is none"):
            numbers.call().take(3, deadline="1h")
        assert [] == numbers.made

    def test_from_a_number_on(self, cache: Cache) -> None:
        """`first` leaves out what comes before, of stored and of computed items."""
        run = counted(cache).call()

        for first, count in [(25, 33), (0, 33), (10, 20), (32, 40), (40, 40), (50, 45)]:
            assert upto(count, first + 1) == run.take(count, first=first)

    def test_progress(self, cache: Cache) -> None:
        """It is told of each computed item how many there are then, and of how many."""
        run = counted(cache).call()
        run[:12]
        told: list[tuple[int, int]] = []
        run.take(15, progress=lambda *numbers: told.append(numbers))

        assert [(13, 15), (14, 15), (15, 15)] == told

    def test_a_failing_progress_keeps_the_items(self, cache: Cache) -> None:
        """What the caller's own function raises comes through; the items that were made are kept, and so is the state."""
        numbers = counted(cache)

        def fail(done: int, total: int) -> None:
            if done == 7:
                raise RuntimeError(f"{done} of {total}")

        with pytest.raises(RuntimeError, match="7 of 9"):
            numbers.call().take(9, progress=fail)
        assert 7 == numbers.call().stored
        assert [8, 9] == numbers.computed(lambda: numbers.call()[:9])

    def test_stacked(self, cache: Cache) -> None:
        """Arrays are stacked along a new first axis, in dicts, tuples and lists; items without arrays say why not."""

        class Row(NamedTuple):
            rho: Any
            n: int

        @cached(cache=cache)
        def rows(kind: str) -> Iterator[Any]:
            for n in itertools.count():
                array = np.full(3, float(n))
                yield {"array": array, "dict": {"a": array, "n": n}, "row": (array, n), "list": [n, array], "text": "x"}[kind]

        stacked = np.repeat(np.arange(4.0)[:, None], 3, 1)
        assert np.array_equal(stacked, rows("array").stack(4))
        assert np.array_equal(stacked, rows("dict").stack(4)["a"])
        assert np.array_equal(stacked, rows("row").stack(4)[0])
        assert np.array_equal(np.arange(4), rows("list").stack(4)[0])
        with pytest.raises(TypeError, match="str cannot be stacked"):
            rows("text").stack(4)
        with pytest.raises(ValueError, match="nothing to stack"):
            rows("array").stack(0)


def simulation(seed: int, *, resume: dict[str, Any] | None = None) -> Iterator[Step[dict[str, Any]]]:
    """A simulation as people write them: arrays changed in place, a random generator, a clock, a queue, an accumulator."""
    random = np.random.default_rng(seed)
    place, clock, queue, total = np.zeros(4, np.float32), 0, [0.5], -0.0
    if resume is not None:
        random.bit_generator.state = resume["random"]
        place, clock, queue, total = resume["place"], resume["clock"], resume["queue"], resume["total"]
    while True:
        place += random.normal(size=4).astype(np.float32)
        clock += 1
        queue.append(float(place[clock % 4]) / 3.0)
        total += queue.pop(0) if len(queue) > 3 else 0.1
        state = {"random": random.bit_generator.state, "place": place, "clock": clock, "queue": queue, "total": total}
        yield Step({"place": place, "queue": queue, "total": total, "max": place.max()}, state=state)


def asked(seed: int, *, resume: dict[str, Any] | None = None) -> Iterator[Step[dict[str, Any]]]:
    """The same, with states that are asked for."""
    for step in simulation(seed, resume=resume):
        yield Step(step.item, state=partial(copy.copy, step.state))


def plain(seed: int) -> Iterator[dict[str, Any]]:
    """The same without states: every extension begins anew."""
    for step in simulation(seed):
        yield step.item


def straight(count: int, seed: int = 5) -> list[Any]:
    """The first items, from the generator itself."""
    return [copy.deepcopy(step.item) for step in itertools.islice(simulation(seed), count)]


EXPECTED = straight(60)


class Settings:
    """What a program sets between two calls."""

    scale = 2


class Left:
    """What a generator leaves behind."""

    scale = 2


class TestExtending:
    """However a series came about, it is the one straight run."""

    @given(
        function=st.sampled_from([simulation, asked, plain]),
        requests=st.lists(st.tuples(st.integers(0, 60), st.sampled_from([1, 3, 7, 10]), st.booleans()), min_size=1, max_size=6),
    )
    def test_extended_is_straight(self, function: Any, requests: list[tuple[int, int, bool]]) -> None:
        """Any requests in any order, stored in segments of any length, by slices or by a loop: bit for bit the straight run."""
        store = MemoryStore()
        for count, every, looped in requests:
            run: Series[Any] = cached(cache=Cache(store), every=every)(function)(5)
            items = list(itertools.islice(run, count)) if looped else run[:count]
            assert identical(EXPECTED[:count], list(items))
        assert identical(EXPECTED, list(cached(cache=Cache(store))(function)(5)[:60]))

    def test_one_array_that_is_yielded_again_and_again(self, cache: Cache) -> None:
        """A generator may give out the array that it goes on to change: each item is as it was when it came."""

        @cached(cache=cache)
        def buffer() -> Iterator[Any]:
            cells = np.zeros(2)
            while True:
                cells += 1.0
                yield cells

        computed, stored = buffer()[:15], buffer()[:15]
        expected = [[float(n)] * 2 for n in upto(15)]
        assert expected == [item.tolist() for item in computed]
        assert expected == [item.tolist() for item in stored]

    def test_who_changes_an_item_changes_no_series(self, cache: Cache) -> None:
        """Neither the stored items, nor the generator's own state, nor those that come later."""

        @cached(cache=cache)
        def growing(*, resume: Any = None) -> Iterator[Any]:
            cells = np.zeros(2) if resume is None else resume
            while True:
                cells += 1.0
                yield Step(cells, state=cells)

        for number, item in enumerate(growing(), 1):
            assert [number, number] == item.tolist()
            item[:] = -7.0
            if number == 15:
                break
        assert [[n, n] for n in upto(25)] == [item.tolist() for item in growing()[:25]]

    def test_states_are_asked_for_when_they_are_stored_and_only_then(self, cache: Cache) -> None:
        """A callable state is asked once for each segment, while its generator waits at the yield."""
        asked_at: list[tuple[int, int]] = []

        @cached(cache=cache, every=10)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            now = [resume or 0]
            while True:
                now[0] += 1

                def state(number: int = now[0]) -> int:
                    asked_at.append((number, now[0]))
                    return now[0]

                yield Step(now[0], state=state)

        numbers()[:25]
        assert [(10, 10), (20, 20), (25, 25)] == asked_at
        numbers()[:25]
        assert 3 == len(asked_at)
        assert upto(27) == numbers()[:27]
        assert (27, 27) == asked_at[-1]

    def test_states_of_an_annotated_class(self, cache: Cache) -> None:
        """The annotation of `resume` leads to the class of a state, as that of the result leads to the class of an item."""

        @cached(cache=cache)
        def numbers(*, resume: Snapshot | None = None) -> Iterator[Step[Item]]:
            now = resume or Snapshot(0)
            while True:
                now = Snapshot(now.number + 1, [*now.seen[-2:], now.number])
                seen.append(now.number)
                yield Step(Item(now.number, now.seen), state=now)

        seen: list[int] = []
        first = numbers()[:12]
        assert upto(12) == seen
        second = numbers()[:14]
        assert upto(14) == seen
        assert [*first, Item(13, [10, 11, 12]), Item(14, [11, 12, 13])] == second

    def test_without_a_state_an_extension_begins_anew(self, cache: Cache) -> None:
        """And still computes the very same items, and stores only the new ones."""
        made: list[int] = []

        @cached(cache=cache)
        def numbers() -> Iterator[int]:
            for number in itertools.count(1):
                made.append(number)
                yield number

        numbers()[:12]
        assert upto(15) == numbers()[:15]
        assert [*upto(12), *upto(15)] == made
        assert [(0, 10), (10, 12), (12, 15)] == ranges(numbers())

    def test_steps_without_a_state(self, cache: Cache) -> None:
        """A generator that takes states and gives none begins anew, too."""

        @cached(cache=cache)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            for number in itertools.count(resume or 1):
                yield Step(number)

        assert upto(3) == numbers()[:3]
        assert upto(12) == numbers()[:12]

    @pytest.mark.parametrize("stored", [0, 7, 10, 13])
    def test_generators_that_end(self, cache: Cache, stored: int) -> None:
        """What is beyond the end is not computed again and again; the series knows that there is no more."""
        made: list[str] = []

        @cached(cache=cache)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            number = resume or 0
            while number < 13:
                number += 1
                yield Step(number, state=number)
            made.append("end")

        run = numbers()
        run[:stored]
        taken = run[:40]
        assert (upto(13), True, True, 13) == (list(taken), taken.complete, taken.ended, run.stored)
        assert run.ended
        for again in (numbers()[:40], numbers()[:14], numbers().take(99, deadline=0.0)):
            assert (upto(13), True, True) == (list(again), again.complete, again.ended)
        assert upto(13) == list(numbers())
        assert (upto(5), True, False) == ((taken := numbers()[:5])[:], taken.complete, taken.ended)
        with pytest.raises(IndexError, match="ended after 13 items, before item 13"):
            numbers()[13]
        assert ["end"] == made

    @pytest.mark.parametrize("length", [0, 10])
    def test_generators_that_end_at_a_boundary(self, cache: Cache, length: int) -> None:
        """Also where the end comes after a full segment, or at once."""
        made: list[int] = []

        @cached(cache=cache)
        def numbers() -> Iterator[int]:
            made.append(0)
            yield from range(length)

        for _ in range(3):
            assert list(range(length)) == numbers()[:20] == list(numbers())
        assert [0] == made

    @pytest.mark.parametrize("every", [1, 3, 10])
    def test_segments(self, cache: Cache, every: int) -> None:
        """Each full segment is stored as soon as it is full; what was asked for is stored to its end."""
        numbers = counted(cache, every=every)
        stored: list[int] = []
        run = numbers.call()
        for length, _ in enumerate(run, 1):
            stored.append(run.stored)
            if length == 12:
                break

        assert [length - length % every for length in upto(12)] == stored
        assert 12 == run.stored

    def test_after_a_partial_segment_the_next_ends_at_a_boundary(self, cache: Cache) -> None:
        """After 0-7 come 7-10, 10-20 and so on."""
        numbers = counted(cache, every=10)
        numbers.call()[:7]
        numbers.call()[:25]

        assert [(0, 7), (7, 10), (10, 20), (20, 25)] == ranges(numbers.call())
        assert upto(25) == numbers.made

    def test_another_length_of_segments_reads_the_same_chain(self, cache: Cache) -> None:
        """`every` is how it is stored, not what it is."""
        counts = [(10, 14), (3, 20), (1, 22), (7, 30)]
        for every, length in counts:
            numbers = counted(cache, every=every)
            before = numbers.call().stored
            assert upto(length, before + 1) == numbers.computed(partial(numbers.call().take, length))
            assert upto(length) == numbers.call()[:length]

        assert [(0, 10), (10, 14), (14, 15), (15, 18), (18, 20), (20, 21), (21, 22), (22, 28), (28, 30)] == ranges(counted(cache).call())

    def test_arguments_that_are_changed_later(self, cache: Cache) -> None:
        """A series is that of its arguments as they were: what came of changed ones is not kept as theirs."""

        @cached(cache=cache)
        def scaled(config: dict[str, int], *, resume: int | None = None) -> Iterator[Step[int]]:
            for number in itertools.count((resume or 0) + 1):
                yield Step(number * config["scale"], state=number)

        config = {"scale": 2}
        run = scaled(config)
        assert [2, 4, 6] == run[:3]
        config["scale"] = 3
        assert [2, 4, 6] == run[:3]
        with pytest.raises(ValueError, match="an argument of .* was changed after the series was made"):
            run[:6]
        assert [3, 6, 9, 12] == scaled(config)[:4]

        def loop() -> None:
            for number, _ in enumerate(scaled(config), 1):
                if number == 6:
                    config["scale"] = 5
                if number == 12:
                    break

        with pytest.warns(NotStored, match="an argument of .* was changed"):
            loop()
        assert [2, 4, 6, 8, 10, 12, 14, 16, 18, 20] == scaled({"scale": 2})[:10]
        assert [3, 6, 9, 12, 15, 18, 21, 24, 27, 30] == scaled({"scale": 3})[:10]

    def test_a_constant_that_is_set_later(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        """A series is that of its code as it was: a cell of a notebook that sets a constant anew asks for another series."""

        @cached(cache=cache)
        def scaled(*, resume: int | None = None) -> Iterator[Step[int]]:
            for number in itertools.count((resume or 0) + 1):
                yield Step(number * Settings.scale, state=number)

        run = scaled()
        assert [2, 4, 6] == run[:3]
        monkeypatch.setattr(Settings, "scale", 3)
        assert [2, 4, 6] == run[:3]
        with pytest.raises(ValueError, match=r"test_series\.py: Settings is not what it was when the series was made: call .* again"):
            run[:6]
        assert [3, 6, 9, 12] == scaled()[:4]

        def loop() -> None:
            for number, _ in enumerate(scaled(), 1):
                if number == 6:
                    monkeypatch.setattr(Settings, "scale", 2)
                if number == 12:
                    break

        with pytest.warns(NotStored, match="Settings is not what it was"):
            loop()
        assert [2, 4, 6, 8, 10, 12] == scaled()[:6]

    def test_what_the_generator_itself_sets(self, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        """That is its work: it is stored, and goes on."""
        monkeypatch.setattr(Left, "scale", 2)

        @cached(cache=cache)
        def scaled(*, resume: int | None = None) -> Iterator[Step[int]]:
            for number in itertools.count((resume or 0) + 1):
                Left.scale = number
                yield Step(number * Left.scale, state=number)

        run = scaled()
        assert [1, 4, 9] == run[:3]
        assert [1, 4, 9, 16, 25, 36] == run[:6]
        assert 6 == run.stored

    def test_forms_of_parameters(self, cache: Cache) -> None:
        """Arguments reach the generator as they were given, wherever `resume` stands."""

        @cached(cache=cache, ignore=("log",))
        def numbers(a: int, /, b: int = 2, resume: int | None = None, *rest: int, log: Any = None, **more: int) -> Iterator[Step[Any]]:
            for number in itertools.count((resume or 0) + 1):
                yield Step([a, b, list(rest), more, number], state=number)

        for _ in range(2):
            assert [[1, 2, [], {}, 1], [1, 2, [], {}, 2]] == numbers(1)[:2]
            assert [[1, 5, [6, 7], {"c": 8}, 1]] == numbers(1, 5, None, 6, 7, c=8, log=print)[:1]
            assert [1, 5, [6, 7], {"c": 8}, 12] == numbers(1, 5, None, 6, 7, c=8)[11]

    def test_methods_are_series_too(self, cache: Cache) -> None:
        """A generator method of an object."""

        @dataclass
        class Road:
            length: int

            @cached(cache=cache)
            def cars(self, first: int, *, resume: int | None = None) -> Iterator[Step[int]]:
                for number in itertools.count(resume or first):
                    yield Step(self.length * number, state=number + 1)

        assert [6, 8, 10] == Road(2).cars(3)[:3]
        assert 3 == Road(2).cars(3).stored
        assert [6, 8, 10, 12] == Road(2).cars(3)[:4]
        assert 0 == Road(3).cars(3).stored


@dataclass(frozen=True)
class Snapshot:
    """What a simulation goes on from."""

    number: int
    seen: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Item:
    number: int
    seen: list[int]


@dataclass
class Uncopied:
    number: int

    def __deepcopy__(self, memo: object) -> "Uncopied":
        raise NotImplementedError


class TestErrors:
    """What goes wrong inside a generator."""

    def test_an_error_in_item_57_keeps_56(self, cache: Cache) -> None:
        """The finished items are kept; the next run recomputes from the last stored state, and goes on where it works."""
        made: list[int] = []
        mended = threading.Event()

        @cached(cache=cache)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            for number in itertools.count((resume or 0) + 1):
                made.append(number)
                if number == 57 and not mended.is_set():
                    raise ValueError("item 57")
                yield Step(number, state=number)

        with pytest.raises(ValueError, match="item 57"):
            numbers()[:80]
        assert (56, [(0, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 56)]) == (numbers().stored, ranges(numbers()))
        assert upto(56) == numbers()[:56]
        with pytest.raises(ValueError, match="item 57"):
            numbers()[:80]
        assert (57, upto(57, 51)) == (len(made) - 7, made[57:])
        mended.set()
        assert upto(80) == numbers()[:80]
        assert [*upto(57), *upto(57, 51), *upto(80, 51)] == made

    def test_a_loop_keeps_what_came_before_the_error(self, cache: Cache) -> None:
        """The same for a series that is looped over, and for an error of the loop's own body."""

        @cached(cache=cache)
        def numbers() -> Iterator[int]:
            yield from upto(13)
            raise ValueError("item 14")

        got: list[int] = []
        with pytest.raises(ValueError, match="item 14"):
            got.extend(numbers())
        assert (upto(13), 13) == (got, numbers().stored)

        def fail_in_13() -> None:
            for item in endless:
                if item == 13:
                    raise RuntimeError

        endless = counted(cache).call()
        with pytest.raises(RuntimeError):
            fail_in_13()
        assert 13 == endless.stored

    def test_an_error_of_the_state(self, cache: Cache) -> None:
        """A state that cannot be told comes through as the error it is; the items are kept without it."""

        @cached(cache=cache, every=5)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            for number in itertools.count((resume or 0) + 1):
                yield Step(number, state=partial(divmod, number, int(number < 6)))

        with pytest.raises(ZeroDivisionError):
            numbers()[:12]
        assert 10 == numbers().stored
        assert upto(10) == numbers()[:10]

    @pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
    @pytest.mark.parametrize("looped", [False, True])
    def test_after_an_error_of_any_kind_no_state_is_asked_for(self, cache: Cache, problem: type[BaseException], looped: bool) -> None:
        """The simulator has gone on since its last item: its snapshot belongs to no item, and none is skipped by the next run."""
        failed: list[int] = []

        @cached(cache=cache, every=5)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            simulator = [resume or 0]
            while True:
                simulator[0] += 1
                if simulator[0] == 8 and not failed:
                    failed.append(8)
                    raise problem
                yield Step(simulator[0], state=partial(simulator.__getitem__, 0))

        with pytest.raises(problem):
            list(numbers()) if looped else numbers()[:10]
        assert [upto(7), None] == [numbers()[:7], numbers().state(7)]
        assert upto(12) == numbers()[:12]

    @pytest.mark.parametrize("what", ["item", "state"])
    def test_what_cannot_be_stored_is_returned(self, cache: Cache, what: str) -> None:
        """Items or states that no codec keeps: all items are given, one warning says why none is stored."""
        lock = threading.Lock()

        @cached(cache=cache, every=5)
        def things(kind: str) -> Iterator[Step[Any]]:
            for number in itertools.count(1):
                yield Step((number, lock if kind == "item" else None), state=lock if kind == "state" else number)

        with pytest.warns(NotStored, match="things is computed and not stored: .*cannot be stored") as said:
            got = [*things(what)[:12], *itertools.islice(things(what), 7)]
        assert [*upto(12), *upto(7)] == [number for number, _ in got]
        assert 1 == len(said)
        assert 0 == things(what).stored

    @pytest.mark.parametrize("looped", [False, True])
    def test_one_object_that_cannot_be_copied(self, cache: Cache, looped: bool) -> None:
        """Yielded again and again, it is given and not stored: what would be stored is what it is later."""

        @cached(cache=cache, every=5)
        def things() -> Iterator[Uncopied]:
            thing = Uncopied(0)
            while True:
                thing.number += 1
                yield thing

        with pytest.warns(NotStored, match="things is computed and not stored: an item cannot be stored: it cannot be copied"):
            got = [item.number for item in itertools.islice(things(), 7)] if looped else [item.number for item in things()[:7]]
        assert [upto(7) if looped else [7] * 7, 0] == [got, things().stored]

    def test_no_error_hides_another(self, cache: Cache) -> None:
        """The generator's own error comes through, also when its items cannot be stored."""

        @cached(cache=cache)
        def things() -> Iterator[Any]:
            yield threading.Lock()
            raise ValueError("mine")

        with pytest.warns(NotStored), pytest.raises(ValueError, match="mine"):
            things()[:3]

    def test_the_generator_is_closed(self, cache: Cache) -> None:
        """Whatever ends the computing, a generator's own clean-up runs at once."""
        log: list[str] = []

        @cached(cache=cache)
        def numbers(name: str) -> Iterator[int]:
            try:
                yield from itertools.count(1)
            finally:
                log.append(name)

        numbers("slice")[:3]
        assert ["slice"] == log
        for _ in numbers("loop"):
            break
        assert ["slice", "loop"] == log


WALK = (
    TICKS
    + """
import signal, sys, time
from simcache import Step, cached

@cached(every=10)
def walk(step, *, resume=None):
    number = resume or 0
    while True:
        number += 1
        tick(number)
        if os.environ.get("WAIT_IN") == str(number):
            deadline = time.monotonic() + 30
            while not os.path.exists("go") and time.monotonic() < deadline:
                time.sleep(0.005)
        if os.environ.get("FAIL_IN") == str(number):
            raise ValueError(f"item {number}")
        time.sleep(float(os.environ.get("SLEEP", 0)))
        yield Step(number * step, state=number)
"""
)


@pytest.mark.skipif(os.name == "nt", reason="signals")
class TestSignals:
    """Processes that are told to stop, in the middle of an item, for real."""

    @pytest.fixture
    def walk(self, programs: Programs) -> Programs:
        programs.write("model.py", WALK)
        return programs

    def begin(self, walk: Programs, code: str, wait_in: int = 57) -> "subprocess.Popen[str]":
        """A program that has come into this item and waits there for a file `go`."""
        program = walk.start("-c", f"from model import *\n{code}", WAIT_IN=str(wait_in))
        walk.wait_for_tick(str(wait_in))
        return program

    def interrupt(self, walk: Programs, program: "subprocess.Popen[str]", *signals: int) -> tuple[str, str]:
        """Send signals into the item, then let it finish; what the program says until it ends."""
        for number in signals:
            program.send_signal(number)
            time.sleep(0.1)
        (walk.folder / "go").touch()
        return finish(program)

    def check_goes_on_at_58(self, walk: Programs) -> None:
        assert 57 == walk.ask("walk(2).stored")
        assert [2 * n for n in upto(60)] == walk.ask("walk(2)[:60]")
        assert upto(60) == [int(tick) for tick in walk.ticks()]
        assert verify(LocalStore(walk.store)).sound

    @pytest.mark.parametrize("way", ["walk(2)[:80]", "walk(2).take(80, deadline=60)", "for item in walk(2): pass"])
    def test_sigterm_in_item_57(self, walk: Programs, way: str) -> None:
        """The item is finished and kept, the process dies of SIGTERM all the same, and the next run goes on at 58."""
        program = self.begin(walk, way)
        out, err = self.interrupt(walk, program, signal.SIGTERM)

        assert (-signal.SIGTERM, "", "") == (program.returncode, out, err)
        self.check_goes_on_at_58(walk)

    def test_sigint_in_item_57(self, walk: Programs) -> None:
        """The item is finished and kept, then KeyboardInterrupt reaches the caller as ever."""
        program = self.begin(
            walk, "try:\n    walk(2)[:80]\nexcept KeyboardInterrupt:\n    print('interrupted', walk(2).stored, signal.getsignal(2))"
        )
        out, err = self.interrupt(walk, program, signal.SIGINT)

        assert (0, "") == (program.returncode, err)
        assert ["interrupted", "57", "<built-in", "function", "default_int_handler>"] == out.split()
        self.check_goes_on_at_58(walk)

    def test_a_second_sigint_stops_at_once(self, walk: Programs) -> None:
        """Whoever asks twice does not wait for the item: it is lost, those before it are kept."""
        program = self.begin(walk, "try:\n    walk(2)[:80]\nexcept KeyboardInterrupt:\n    print('interrupted', walk(2).stored)")
        began = time.monotonic()
        while program.poll() is None and time.monotonic() < began + 20.0:
            program.send_signal(signal.SIGINT)
            time.sleep(0.1)
            if walk.folder.joinpath("go").exists():
                break
        out, _ = finish(program)

        assert "interrupted 56" in out
        assert time.monotonic() - began < 10.0
        assert upto(57) == [int(tick) for tick in walk.ticks()]

    def test_a_handler_of_the_users_own(self, walk: Programs) -> None:
        """It is called once, with the item kept; if it lets the program go on, nothing is missing."""
        program = self.begin(
            walk,
            "signal.signal(signal.SIGTERM, lambda *given: print('mine', given[0], walk(2).stored))\n"
            "taken = walk(2)[:80]\nprint(len(taken), taken.complete, taken[-1])",
        )
        out, err = self.interrupt(walk, program, signal.SIGTERM)

        assert (0, "") == (program.returncode, err)
        assert ["mine 15 57", "80 True 160"] == out.splitlines()
        assert upto(80) == [int(tick) for tick in walk.ticks()]

    def test_a_handler_of_the_users_own_in_a_loop(self, walk: Programs) -> None:
        """The same for a loop: no item is missing or given twice."""
        program = self.begin(
            walk,
            "signal.signal(signal.SIGTERM, lambda *given: print('mine'))\nfrom itertools import islice\nprint(list(islice(walk(2), 62)))",
        )
        out, err = self.interrupt(walk, program, signal.SIGTERM)

        assert (0, "") == (program.returncode, err)
        said, items = out.splitlines()
        assert ("mine", [2 * n for n in upto(62)]) == (said, ast.literal_eval(items))

    def test_a_handler_that_leaves(self, walk: Programs) -> None:
        """sys.exit in a handler, as servers do it: the item is kept, the exit code is the user's."""
        program = self.begin(walk, "signal.signal(signal.SIGTERM, lambda *given: sys.exit(7))\nwalk(2)[:80]")
        self.interrupt(walk, program, signal.SIGTERM)

        assert 7 == program.returncode
        self.check_goes_on_at_58(walk)

    def test_an_ignored_signal_stays_ignored(self, walk: Programs) -> None:
        """As under nohup."""
        program = self.begin(walk, "signal.signal(signal.SIGINT, signal.SIG_IGN)\nprint(len(walk(2)[:60]), signal.getsignal(2))")
        out, _ = self.interrupt(walk, program, signal.SIGINT, signal.SIGINT)

        assert (0, "60 1") == (program.returncode, out.strip().replace("Handlers.SIG_IGN", "1"))

    def test_sigint_and_sigterm(self, walk: Programs) -> None:
        """An impatient system sends both: the item is kept, the process ends."""
        program = self.begin(walk, "try:\n    walk(2)[:80]\nexcept KeyboardInterrupt:\n    pass\ntime.sleep(20)")
        self.interrupt(walk, program, signal.SIGINT, signal.SIGTERM)

        assert -signal.SIGTERM == program.returncode
        self.check_goes_on_at_58(walk)

    def test_sigterm_and_an_error_in_the_same_item(self, walk: Programs) -> None:
        """The error does not swallow the signal: items are kept, the process dies of it."""
        program = walk.start(
            "-c", "from model import *\ntry:\n    walk(2)[:80]\nexcept ValueError:\n    time.sleep(20)", WAIT_IN="57", FAIL_IN="57"
        )
        walk.wait_for_tick("57")
        self.interrupt(walk, program, signal.SIGTERM)

        assert -signal.SIGTERM == program.returncode
        assert 56 == walk.ask("walk(2).stored")

    def test_a_series_inside_a_series(self, walk: Programs) -> None:
        """A signal while an inner series is computed never makes it shorter: the outer item gets what it asked for."""
        walk.write(
            "outer.py",
            """
            from model import *
            @cached(every=2)
            def sums(*, resume=None):
                number = resume or 0
                while True:
                    number += 1
                    yield Step(sum(walk(number)[:5]), state=number)
            """,
        )
        program = walk.start("-c", "from outer import *\nsums()[:10]", WAIT_IN="3")
        walk.wait_for_tick("3")
        self.interrupt(walk, program, signal.SIGTERM)

        assert -signal.SIGTERM == program.returncode
        assert (1, [15]) == walk.ask("sums().stored, sums()[:1]", "outer")
        assert [15, 30, 45] == walk.ask("sums()[:3]", "outer")

    def test_nothing_is_left_of_the_handlers(self, cache: Cache) -> None:
        """After a request the process's own handlers stand, also after an error; between the items of a loop that of Ctrl-C does."""
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        numbers = counted(cache).call

        def now() -> tuple[object, object]:
            return signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

        numbers()[:15]
        assert before == now()
        for item in numbers():
            assert before[1] == now()[1]
            assert (item in upto(19, 16) or item in upto(25, 21)) == (before[0] != now()[0])  # there is what SIGTERM must not lose
            if item == 25:
                break
        assert before == now()

        @cached(cache=cache)
        def fails() -> Iterator[int]:
            yield 1
            raise KeyError("two")

        with pytest.raises(KeyError):
            fails()[:3]
        assert before == now()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_that_an_event_loop_handles_comes_once(self, cache: Cache, number: int) -> None:
        """A second one would be taken for a second Ctrl-C; everything is stored before."""

        @cached(cache=cache, every=1000)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            for number_ in itertools.count((resume or 0) + 1):
                if number_ == 5:
                    os.kill(os.getpid(), number)
                yield Step(number_, state=number_)

        async def main() -> list[int]:
            heard: list[int] = []
            came = asyncio.Event()

            def hear() -> None:
                heard.append(numbers().stored)
                came.set()

            asyncio.get_running_loop().add_signal_handler(number, hear)
            assert upto(7) == numbers()[:7]
            await came.wait()
            await asyncio.sleep(0)
            return heard

        assert [7] == asyncio.run(main())

    def test_threads_are_left_alone(self, cache: Cache) -> None:
        """Python handles signals in the main thread only; a series in another thread works without."""
        numbers = counted(cache).call
        run_threads(lambda: numbers()[:15], 3)

        assert upto(15) == numbers()[:15]

    @pytest.mark.parametrize("item", [51, 57, 60])
    def test_kill_9_loses_at_most_the_open_segment(self, walk: Programs, item: int) -> None:
        """What was full is there, the store is sound, the next run goes on from there."""
        program = self.begin(walk, "walk(2)[:80]", item)
        program.kill()
        finish(program)

        assert 50 == walk.ask("walk(2).stored")
        assert verify(LocalStore(walk.store)).sound
        assert [2 * n for n in upto(60)] == walk.ask("walk(2)[:60]")
        assert [*upto(item), *upto(60, 51)] == [int(tick) for tick in walk.ticks()]

    @pytest.mark.deep
    def test_sigterm_at_any_moment(self, walk: Programs) -> None:
        """Wherever it comes, in or between items, what is stored is a straight run with nothing missing, and is gone on with."""
        for attempt in range(30):
            following = len(walk.ticks()) + 1
            program = walk.start("-c", "from model import *\nwalk(2)[:100000]", SLEEP="0.001")
            walk.wait_for_tick(str(following))
            time.sleep(attempt * 0.007)
            program.send_signal(signal.SIGTERM)
            finish(program)
            assert -signal.SIGTERM == program.returncode
        stored = walk.ask("walk(2).stored")

        ticks = [int(tick) for tick in walk.ticks()]
        assert stored > 100
        assert [2 * n for n in upto(stored)] == walk.ask(f"walk(2)[:{stored}]")
        assert sorted(ticks) == upto(len(ticks))


class TestDeadline:
    """Stopping in time."""

    def sleepy(self, cache: Cache, seconds: float) -> Cached[..., Any]:
        @cached(cache=cache, every=4)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            for number in itertools.count((resume or 0) + 1):
                time.sleep(seconds)
                yield Step(number, state=number)

        return numbers

    def test_it_stops_in_time_and_keeps_all_it_has(self, cache: Cache) -> None:
        """What was computed is returned and kept; `.complete` tells that there should be more."""
        numbers = self.sleepy(cache, 0.02)
        began = time.monotonic()
        taken = numbers().take(1000, deadline=0.4)
        spent = time.monotonic() - began

        assert spent < 2.0
        assert (False, False) == (taken.complete, taken.ended)
        assert upto(len(taken)) == taken
        assert 1 <= len(taken) < 21
        assert len(taken) == numbers().stored

    def test_no_item_is_begun_that_would_miss_it(self, cache: Cache) -> None:
        """An item as long as the longest so far must fit in."""
        numbers = self.sleepy(cache, 0.3)
        taken = numbers().take(1000, deadline=0.5)

        assert ([1], False) == (taken, taken.complete)

    def test_a_deadline_that_is_over(self, cache: Cache) -> None:
        """What is stored is returned, nothing is begun."""
        numbers = counted(cache)
        numbers.call()[:12]

        for deadline in (0.0, -1.0):
            taken = numbers.call().take(20, deadline=deadline)
            assert (upto(12), False) == (taken, taken.complete)
            assert (upto(12), True) == ((enough := numbers.call().take(12, deadline=deadline)), enough.complete)
        assert upto(12) == numbers.made

    def test_enough_time(self, cache: Cache) -> None:
        """All there is, and complete; slices and single items are complete, too."""
        run = counted(cache).call()

        assert run.take(15, deadline=60.0).complete
        assert run[:20].complete
        assert isinstance(run[:20], Items)

    def test_waiting_for_another_ends_in_time(self, cache: Cache) -> None:
        """A deadline also ends the wait for whoever computes the series now."""
        numbers = counted(cache)
        run = numbers.call()
        with cache.lock(run.key):
            began = time.monotonic()
            taken = run.take(20, deadline=0.2)
            assert time.monotonic() - began < 2.0
        assert ([], False, []) == (taken, taken.complete, numbers.made)


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
class TestTogether:
    """Several processes, threads and loops on one series."""

    @pytest.fixture
    def walk(self, programs: Programs) -> Programs:
        programs.write("model.py", WALK)
        return programs

    def test_one_computes_and_the_other_replays(self, walk: Programs) -> None:
        """Two processes ask at once for 25 and for 35 items: each item is computed once."""
        first = walk.start("-c", "from model import *; print(list(walk(1)[:25]))", SLEEP="0.01")
        second = walk.start("-c", "from model import *; print(list(walk(1)[:35]))", SLEEP="0.01")
        answers = [finish(program)[0] for program in (first, second)]

        assert [upto(25), upto(35)] == [ast.literal_eval(answer) for answer in answers]
        assert upto(35) == sorted(int(tick) for tick in walk.ticks())

    def test_a_killed_winner_is_taken_over(self, walk: Programs) -> None:
        """Whoever waits goes on from what was stored, within 1.5 seconds."""
        winner = walk.start("-c", "from model import *; walk(1)[:30]", WAIT_IN="15")
        walk.wait_for_tick("15")
        waiter = walk.start("-c", "from model import *; tick('ready'); print(list(walk(1)[:30]))")
        walk.wait_for_tick("ready")
        time.sleep(0.3)
        assert 1 == walk.ticks().count("11")
        winner.kill()
        began = time.monotonic()
        walk.wait_for_tick("11", 2)
        waited = time.monotonic() - began

        assert waited < 1.5
        assert upto(30) == ast.literal_eval(finish(waiter)[0])

    def test_threads(self, cache: Cache) -> None:
        """Threads that ask for different lengths at once compute each item once."""
        made: list[int] = []

        @cached(cache=cache)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            for number in itertools.count((resume or 0) + 1):
                made.append(number)
                time.sleep(0.001)
                yield Step(number, state=number)

        lengths = [12, 30, 7, 30, 21, 1]
        wanted = iter(lengths)
        guard = threading.Lock()

        def work() -> None:
            with guard:
                length = next(wanted)
            assert upto(length) == numbers()[:length]

        run_threads(work, len(lengths))
        assert upto(30) == made

    def test_two_loops_in_one_thread(self, cache: Cache) -> None:
        """Neither waits for the other, and both get every item in its order."""
        numbers = counted(cache).call

        assert [(n, n) for n in upto(33)] == list(itertools.islice(zip(numbers(), numbers(), strict=False), 33))

    def test_a_request_inside_a_loop(self, cache: Cache) -> None:
        """Asking for more than the loop has come to works, and the loop then replays it."""
        numbers = counted(cache).call
        got = []
        for item in numbers():
            got.append(item)
            if item == 5:
                assert upto(30) == numbers()[:30]
            if item == 40:
                break

        assert upto(40) == got

    def test_a_loop_replays_then_goes_on_live(self, cache: Cache) -> None:
        """What is stored is not computed; after a break all that came is kept, its state too."""
        numbers = counted(cache)
        numbers.call()[:12]
        assert [13, 14, 15] == numbers.computed(lambda: list(itertools.islice(numbers.call(), 15)))
        assert 15 == numbers.call().stored
        assert [16] == numbers.computed(lambda: numbers.call()[:16])

    def test_a_loop_whose_series_is_forgotten_meanwhile(self, cache: Cache) -> None:
        """The loop goes on with the very next item."""
        numbers = counted(cache).call
        numbers()[:20]
        got = []
        for item in numbers():
            got.append(item)
            if item in (5, 20, 27):
                numbers.forget()
            if item == 40:
                break

        assert upto(40) == got

    def test_a_loop_gives_its_turn_back(self, cache: Cache) -> None:
        """After a break, others compute."""
        numbers = counted(cache).call
        for item in numbers():
            if item == 3:
                break
        lock = cache.lock(numbers().key)

        assert lock.try_acquire()
        lock.release()


class TestDamage:
    """Damaged segments are computed again, never served."""

    def spoil(self, cache: Cache, name: str) -> None:
        path = Path(cache.near.url) / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def blob(self, entry: Entry, part: str) -> str:
        described = entry.value if part == "items" else entry.state
        assert described is not None
        return entry.name if part == "entry" else entry.blobs[described["blobs"][0]].name

    @pytest.mark.parametrize("part", ["items", "entry"])
    @pytest.mark.parametrize("index", [0, 2, 4])
    def test_a_damaged_segment_alone_is_computed_again(self, cache: Cache, index: int, part: str) -> None:
        """Exactly its items, with a reason; what lies before and behind it is served as stored."""
        numbers = counted(cache)
        numbers.call(LONG)[:50]
        entry = numbers.call(LONG).segments[index]
        self.spoil(cache, self.blob(entry, part))
        again = counted(Cache(cache.near.url))

        with pytest.warns(NotStored, match="a segment of .* is computed again: .*damaged"):
            assert [LONG * n for n in upto(50)] == again.call(LONG)[:50]
        assert upto(10 * index + 10, 10 * index + 1) == again.made
        assert any((Path(cache.near.url) / ".local" / "quarantine").iterdir())
        assert [LONG * n for n in upto(50)] == counted(Cache(cache.near.url)).call(LONG)[:50]
        assert verify(LocalStore(cache.near.url)).sound

    @pytest.mark.parametrize("part", ["items", "entry"])
    def test_a_loop_over_a_damaged_segment(self, cache: Cache, part: str) -> None:
        """The loop gets every item once, in order."""
        numbers = counted(cache)
        numbers.call(LONG)[:50]
        self.spoil(cache, self.blob(numbers.call(LONG).segments[2], part))
        again = counted(Cache(cache.near.url))

        with pytest.warns(NotStored):
            assert [LONG * n for n in upto(55)] == list(itertools.islice(again.call(LONG), 55))
        assert [*upto(30, 21), *upto(55, 51)] == again.made

    def test_a_damaged_state(self, cache: Cache) -> None:
        """The items are served; an extension goes on from an earlier state, with a warning, and is right."""
        numbers = counted(cache)
        numbers.call(LONG)[:30]
        self.spoil(cache, self.blob(numbers.call(LONG).segments[-1], "state"))
        again = counted(Cache(cache.near.url))

        assert [LONG * n for n in upto(30)] == again.call(LONG)[:30]
        with pytest.warns(NotStored, match="goes on from an earlier state: .*damaged"):
            assert [LONG * n for n in upto(35)] == again.call(LONG)[:35]
        assert upto(35, 21) == again.made

    @pytest.mark.parametrize("length", [0, 5, 30])
    @pytest.mark.parametrize("way", ["slice", "loop"])
    def test_an_entry_that_tells_another_length(self, cache: Cache, length: int, way: str) -> None:
        """A segment whose items are not as many as its entry says is set apart, not believed, nor waited for."""
        numbers = counted(cache)
        numbers.call(3)[:10]
        [entry] = numbers.call(3).segments
        forged = entry._replace(state=None, segment=Segment(0, length, ended=False, every=10))
        numbers.call.forget(3)
        cache.near.put(forged.name, [forged.to_bytes()])
        again = counted(Cache(cache.near.url))
        run = again.call(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotStored)
            got = run[:20] if way == "slice" else list(itertools.islice(run, 20))

        assert [3 * n for n in upto(20)] == got
        assert upto(20) == sorted({*again.made})

    def test_all_is_damaged(self, cache: Cache) -> None:
        """Every file of the store is spoiled: all is computed again, and right."""
        counted(cache).call(3)[:30]
        root = Path(cache.near.url)
        for name in files_under(root):
            if name != "simcache.json":
                self.spoil(cache, name)
        again = counted(Cache(root))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotStored)
            assert [3 * n for n in upto(30)] == again.call(3)[:30]
        assert [3 * n for n in upto(30)] == counted(Cache(root)).call(3)[:30]
        assert verify(LocalStore(root)).sound

    def test_many_segments_are_read_in_time(self) -> None:
        """Two thousand segments are little more work each than twenty: reading them is no matter of minutes."""
        numbers = counted(Cache(MemoryStore()), every=1)
        numbers.call()[:2000]
        began = time.monotonic()

        assert upto(2000) == numbers.call()[:2000] == list(itertools.islice(numbers.call(), 2000))
        assert time.monotonic() - began < 8.0


def segment(start: int, stop: int, at: int = 0, *, ended: bool = False, number: int = 0) -> Entry:
    """A segment that was made at this time; others of its range have other numbers."""
    entry = an_entry_of("f", "ab" * 16, number)[1]
    made = entry.made._replace(at=f"2026-01-01T00:00:{at:02}Z")
    return entry._replace(kind="segment", made=made, withdraws=(), reason=None, segment=Segment(start, stop - start, ended, 10))


segments = st.lists(
    st.builds(
        lambda start, length, at, ended, number: segment(start, start + length, at, ended=ended or not length, number=number),
        st.integers(0, 6),
        st.integers(0, 4),
        st.integers(0, 3),
        st.booleans(),
        st.integers(0, 99),
    ),
    max_size=9,
)


class TestChain:
    """Readers take the longest chain from 0; ties go to the earliest made, then the smallest digest."""

    @staticmethod
    def every_chain(entries: list[Entry], start: int = 0) -> Iterator[list[Entry]]:
        """Every run of segments without a gap; nothing follows one without items."""
        yield []
        for entry in entries:
            assert entry.segment is not None
            if entry.segment.start == start:
                rest = TestChain.every_chain(entries, entry.segment.stop) if entry.segment.length else iter([[]])
                yield from ([entry, *more] for more in rest)

    @staticmethod
    def rank(chain: list[Entry]) -> tuple[Any, ...]:
        """What the rule prefers comes first: reach, then item for item the earlier and smaller entry; an end at last."""
        reach = chain[-1].segment.stop if chain and chain[-1].segment is not None else 0
        ties = [(not entry.segment.length, entry.made.at, entry.digest) for entry in chain if entry.segment is not None]
        return (-reach, *ties, (True, "~"))

    @given(segments)
    def test_against_trying_all(self, entries: list[Entry]) -> None:
        """The chain is the one that a search through all chains finds."""
        best = min(self.every_chain(entries), key=self.rank)

        assert best == longest_chain(entries)
        assert best == longest_chain(entries[::-1])

    def test_longer_wins_over_earlier(self) -> None:
        """Even if it was made later, or in more pieces."""
        short, first, second = segment(0, 7, 0), segment(0, 5, 2), segment(5, 8, 3)

        assert [first, second] == longest_chain([short, first, second])

    def test_a_gap_ends_it(self) -> None:
        """What follows a gap is not reached; overlapping pieces do not close it."""
        assert [segment(0, 5)] == longest_chain([segment(0, 5), segment(6, 9), segment(4, 8)])

    def test_an_end_is_found_behind_the_last_items(self) -> None:
        """The mark that a generator ended after full segments belongs to the chain."""
        chain = [segment(0, 5), segment(5, 5, ended=True)]

        assert chain == longest_chain(chain)

    def test_a_long_series_costs_no_more_than_its_segments(self) -> None:
        """Room grows with the segments, not with their square: 20,000 of them took more than a gigabyte and minutes to load."""
        entries = [segment(place, place + 1) for place in range(2_000)]
        tracemalloc.start()
        try:
            chain = longest_chain(entries)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert chain == entries
        assert most < 2_000_000

    def test_divergence(self, cache: Cache) -> None:
        """Two processes made the same items with other bytes: one is served, always the same, and verify tells of it."""
        results = [2, 1]

        @cached(cache=cache)
        def numbers() -> Iterator[int]:
            scale = results.pop()
            yield from (scale * n for n in itertools.count(1))

        numbers()[:5]
        first = dict(files_under(Path(cache.near.url)))
        numbers.forget()
        numbers()[:5]
        for name, data in first.items():
            (Path(cache.near.url) / name).write_bytes(data)

        assert [upto(5)] * 2 == [cached(cache=Cache(cache.near.url))(numbers.compute)()[:5] for _ in range(2)]
        assert [numbers().key] == [found.key for found in verify(LocalStore(cache.near.url)).divergences]

    def test_refresh(self, cache: Cache) -> None:
        """The stored items are computed again and compared: silence if they are the same, a Divergence warning if not."""
        counted_numbers = counted(cache)
        counted_numbers.call(3)[:27]
        counted_numbers.call.refresh(3)
        assert 27 == counted_numbers.call(3).stored

        results = [1, 2, 3]

        @cached(cache=cache)
        def unlike() -> Iterator[int]:
            scale = results.pop()
            yield from (scale * n for n in itertools.count(1))

        unlike()[:12]
        with pytest.warns(Divergence, match="unlike gave another result"):
            unlike.refresh()
        assert [3 * n for n in upto(12)] == unlike()[:12]

    def test_refresh_of_one_array(self, cache: Cache) -> None:
        """An array that is changed in place and yielded again is compared as it was at each item."""

        @cached(cache=cache)
        def buffer() -> Iterator[Any]:
            cells = np.zeros(2)
            while True:
                cells += 1.0
                yield cells

        buffer()[:13]
        buffer.refresh()


class TestEnvironments:
    """Segments that were made under different conditions."""

    def numbers(self, cache: Cache, **options: Any) -> Counted:
        made: list[int] = []

        @cached(cache=cache, ignore=("device",), **options)
        def numbers(*, device: str = "cpu", resume: int | None = None) -> Iterator[Step[int]]:
            for number in itertools.count((resume or 0) + 1):
                made.append(number)
                yield Step(number, state=number)

        return Counted(numbers, made)

    def test_an_extension_elsewhere_is_marked_as_mixed(self, cache: Cache) -> None:
        """It is allowed, and says so: the items need not be those of one straight run."""
        numbers = self.numbers(cache).call

        assert not numbers(device="cpu")[:10].mixed
        assert not numbers(device="cuda")[:10].mixed
        taken = numbers(device="cuda")[:20]
        assert (True, True, upto(20)) == (taken.mixed, numbers().mixed, taken)

    def test_strict_begins_a_chain_of_its_own(self, cache: Cache) -> None:
        """Nothing that another environment made is served or gone on with."""
        mixed, strict = self.numbers(cache), self.numbers(cache, strict=True)
        mixed.call(device="cpu")[:10]

        assert upto(20) == strict.computed(lambda: strict.call(device="cuda")[:20])
        assert [] == strict.computed(lambda: strict.call(device="cpu")[:10])
        assert [] == strict.computed(lambda: strict.call(device="cuda")[:20])
        assert not strict.call(device="cuda")[:20].mixed


class TestStores:
    """Where segments lie, and where they cannot."""

    @pytest.mark.parametrize("wrap", [read_only, full, lambda store: full(store, after=3), lambda store: full(store, after=7)])
    def test_a_store_that_takes_no_more(self, tmp_path: Path, wrap: Callable[[LocalStore], Faulty]) -> None:
        """All items are given, in a slice and in a loop, with one warning; what was stored before is sound."""
        store = LocalStore(tmp_path / "store")
        numbers = counted(Cache(wrap(store)), every=5)

        with pytest.warns(NotStored, match="took no more|cannot be written") as said:
            got = [numbers.call()[:23], list(itertools.islice(numbers.call(), 27)), [numbers.call()[22]]]
        assert [upto(23), upto(27), [23]] == got
        assert 1 == len(said)
        assert verify(store).sound

    def test_a_finite_series_on_a_store_that_takes_nothing(self, tmp_path: Path) -> None:
        """A loop ends where its generator ends, though nothing remembers that."""

        @cached(cache=Cache(read_only(LocalStore(tmp_path / "store"))), every=4)
        def numbers() -> Iterator[int]:
            yield from upto(10)

        with pytest.warns(NotStored):
            looped, taken = list(numbers()), numbers()[:40]
        assert (upto(10), upto(10), True) == (looped, taken, taken.ended)

    def test_a_store_that_recovers(self, tmp_path: Path) -> None:
        """After a full disk has room again, a new request stores."""
        wrapped = full(LocalStore(tmp_path / "store"))
        numbers = counted(Cache(wrapped), every=5)
        with pytest.warns(NotStored):
            numbers.call()[:12]
        wrapped.fault = Fault()
        numbers.call()[:12]

        assert 12 == numbers.call().stored

    def test_found_far_is_kept_near(self, tmp_path: Path) -> None:
        """Only the segments that are needed, blobs first; a question for the length fetches none."""
        counted(Cache(tmp_path / "far")).call()[:40]
        watched = Faulty(LocalStore(tmp_path / "near"))
        numbers = counted(Cache(watched, far=[tmp_path / "far"]))

        assert 40 == numbers.call().stored
        assert 0 == watched.asked("put")
        assert upto(15) == numbers.call()[:15]
        assert ([], 20) == (numbers.made, counted(Cache(tmp_path / "near")).call().stored)
        assert verify(LocalStore(tmp_path / "near")).sound
        assert upto(45, 41) == numbers.computed(lambda: numbers.call()[:45])

    def test_what_is_near_asks_nobody_far(self, tmp_path: Path) -> None:
        """A prefix hit costs no question to a far store."""
        counted(Cache(tmp_path / "near")).call()[:20]
        watched = Faulty(LocalStore(tmp_path / "far"))
        run = counted(Cache(tmp_path / "near", far=[watched])).call()

        assert upto(20) == run[:20]
        assert [] == watched.log

    @pytest.mark.parametrize("way", ["slice", "loop"])
    def test_near_cannot_be_written(self, tmp_path: Path, way: str) -> None:
        """Far items are served all the same, none is computed, and what is missing is."""
        counted(Cache(tmp_path / "far")).call()[:20]
        numbers = counted(Cache(read_only(LocalStore(tmp_path / "near")), far=[tmp_path / "far"]))
        run = numbers.call()
        with pytest.warns(NotStored):
            got = run[:25] if way == "slice" else list(itertools.islice(run, 25))

        assert upto(25) == got
        assert upto(25, 21) == numbers.made

    @pytest.mark.parametrize("trust", [False, True])
    def test_pickles_from_far(self, tmp_path: Path, trust: bool) -> None:
        """Pickled segments of a store that others write to are computed instead, unless the caller trusts it."""
        counted(Cache(tmp_path / "far"), codec="pickle").call()[:20]
        strangers = untrusted(LocalStore(tmp_path / "far"))
        numbers = counted(Cache(tmp_path / "near", far=[strangers], trust=trust), codec="pickle")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert upto(20) == numbers.call()[:20]

        assert ([] if trust else upto(20)) == numbers.made
        assert trust != any("pass trust=True" in str(warning.message) for warning in said)

    def test_damaged_near_is_taken_from_far(self, tmp_path: Path) -> None:
        """A near segment that was spoiled is fetched again."""
        counted(Cache(tmp_path / "far")).call(LONG)[:20]
        numbers = counted(Cache(tmp_path / "near", far=[tmp_path / "far"]))
        numbers.call(LONG)[:20]
        entry = numbers.call(LONG).segments[1]
        for name in (value_blob(entry), entry.name):
            (tmp_path / "near" / name).write_bytes(b"damaged")
            again = counted(Cache(tmp_path / "near", far=[tmp_path / "far"]))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotStored)
                assert [LONG * n for n in upto(20)] == again.call(LONG)[:20]
            assert [] == again.made
            assert verify(LocalStore(tmp_path / "near")).sound

    def test_withdraw_and_forget(self, cache: Cache) -> None:
        """All segments of a series go together."""
        numbers = counted(cache)
        numbers.call()[:25]

        assert 3 == numbers.call.withdraw(reason="units")
        assert upto(5) == numbers.computed(lambda: numbers.call()[:5])
        assert 4 == numbers.call.forget()
        assert upto(5) == numbers.computed(lambda: numbers.call()[:5])

    def test_explain(self, cache: Cache) -> None:
        """A series can be asked like any call."""
        numbers = counted(cache)

        assert not numbers.call.explain(3).hit
        numbers.call(3)[:5]
        assert numbers.call.explain(3).hit
        assert ["step"] == [difference.path for difference in numbers.call.explain(4).differences]
        assert a_blob(b"")[0] not in files_under(Path(cache.near.url))


HELD = """
import sys
run = walk(int(sys.argv[1]))

@cached
def last(count: int) -> int:
    print("computed", end=" ")
    return run[count - 1]
"""


class TestHandedOn:
    """A series given to others: what to give instead is said."""

    @pytest.mark.parametrize(
        ("wrapped", "path"), [(lambda run: run, "given"), (lambda run: [run], "given[0]"), (lambda run: {"a": run}, "given['a']")]
    )
    def test_as_an_argument_it_was_a_module(self, cache: Cache, wrapped: Callable[[Any], Any], path: str) -> None:
        """The refusal named a module inside; now it says to pass the items, or what the series is made from."""

        @cached(cache=cache)
        def longest(given: Any) -> int:
            return int(max(given))

        run = counted(cache).call()
        with pytest.raises(Unkeyable, match="pass its items, as run.:40., or the arguments that it is made from") as told:
            longest(wrapped(run))
        assert path == told.value.path
        assert 5 == longest(run[:5])

    def test_held_by_a_module_it_was_computed_anew_in_each_process(self, tmp_path: Path) -> None:
        """A function that reads a series of its module is the same in the next process, and another one with another series."""
        project(tmp_path)
        with (tmp_path / "model.py").open("a", encoding="utf-8") as module:
            module.write(HELD)

        assert ["computed 10\n", "10\n", "computed 15\n", "10\n"] == [
            python(tmp_path, f"import sys; sys.argv[1:] = ['{step}']; import model; print(model.last(5))") for step in (2, 2, 3, 2)
        ]

    def test_a_pickle_told_of_a_local_object(self, cache: Cache) -> None:
        """As `pool.map` makes one: what to send instead, and not how simcache is made."""
        numbers = counted(cache).call
        with pytest.raises(TypeError, match="send .*numbers and its arguments, or its items, as run.:40."):
            pickle.dumps(numbers())
        assert upto(5) == pickle.loads(pickle.dumps(numbers()[:5]))

    def test_copies(self, cache: Cache) -> None:
        """A copy gives the same items."""
        numbers = counted(cache)
        run = numbers.call()

        assert [upto(3)] * 2 == [copy.copy(run)[:3], copy.deepcopy({"a": run})["a"][:3]]
        assert [1, 2, 3] == numbers.made

    @pytest.mark.parametrize("codec", [None, "pickle"])
    @pytest.mark.parametrize("wrapped", [lambda run: run, lambda run: [run]])
    def test_as_a_result_a_pickle_was_advised(self, cache: Cache, wrapped: Callable[[Any], Any], codec: str | None) -> None:
        """No pickle keeps a series: its items are to be returned."""
        run = counted(cache).call()

        @cached(cache=cache, codec=codec, ignore=("held",))
        def given(held: Any) -> Any:
            return held

        with pytest.warns(NotStored, match="its items, as run.:40.") as told:
            given(wrapped(run))
        assert "store it with codec" not in str(told[0].message)


def test_incident_a_stored_run_of_40_was_extended_by_0(cache: Cache) -> None:
    """40 were stored, 41 were asked for, and one item is computed: exactly the last."""
    numbers = counted(cache)
    numbers.call()[:40]

    assert [41] == numbers.computed(lambda: numbers.call()[:41])
    assert 41 == numbers.call()[40]


def test_a_store_that_lists_nothing_is_no_endless_loop(tmp_path: Path) -> None:
    """Segments that were stored and are not found again (a broken network disk): the items are given all the same."""
    store = Faulty(LocalStore(tmp_path / "store"), Fault(error=lambda *_: CacheError("gone"), calls=frozenset({"list"})))
    numbers = counted(Cache(store))

    with pytest.warns(NotStored):
        got = [numbers.call()[:25], list(itertools.islice(numbers.call(), 25))]
    assert [upto(25)] * 2 == got


class _Asked(Faulty):
    """A store that must be asked each time, as those beyond a network."""

    def stamp(self, prefix: str) -> None:
        del prefix


@dataclass(eq=False)
class _Filled(_Asked):
    """A store into which somebody syncs another one at its n-th listing."""

    other: Store = field(default_factory=MemoryStore)
    at: int = 1

    def list(self, prefix: str = "") -> Iterator[Listed]:
        if self.asked("list") + 1 == self.at:
            for name, _ in self.other.list():
                self.store.put(name, [self.other.get(name)])
        return super().list(prefix)


@pytest.mark.parametrize("looped", [False, True])
def test_incident_a_sync_between_two_looks_made_a_series_lose_its_beginning(looped: bool) -> None:
    """Segments that come from elsewhere while a series is read change nothing of what it gives, whenever they come."""
    other = MemoryStore()
    assert upto(6) == counted(Cache(other), every=2).call()[:6]
    for at in itertools.count(1):
        near = _Filled(MemoryStore(), other=other, at=at)
        run = counted(Cache(near), every=2).call()

        assert upto(9) == ([item for _, item in zip(range(9), run, strict=False)] if looped else run[:9]), at
        if near.asked("list") < at:
            break
    assert at > 3


def test_incident_a_look_that_failed_made_a_series_empty() -> None:
    """A listing that fails once costs at most a computation; what is given is complete."""
    for at in itertools.count(1):
        store = MemoryStore()
        assert upto(5) == counted(Cache(store), every=2).call()[:5]
        down = fails_at(store, at, Unavailable("the store", "the network is down"), calls=frozenset({"list"}))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotStored)
            taken = counted(Cache(_Asked(down)), every=2).call()[:5]

        assert upto(5) == taken
        assert taken.complete
        if down.counted < at:
            break
    assert at > 2


def test_the_state_behind_an_item_can_be_read(cache: Cache) -> None:
    """Where a segment ends with one; nowhere else, and nothing is computed for it."""
    numbers = counted(cache, every=2)
    run = numbers.call(step=10)
    run.take(4)

    assert numbers.computed(lambda: [run.state(count) for count in range(7)]) == []
    assert [run.state(count) for count in range(7)] == [None, None, 20, None, 40, None, None]

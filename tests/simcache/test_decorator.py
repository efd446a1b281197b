"""`@cached` as a user meets it: how calls are written, what can be decorated, and what travels to other processes."""

import asyncio
import contextvars
import copy
import functools
import inspect
import itertools
import math
import os
import pickle
import statistics
import threading
import time
import types
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
import pytest

from simcache.cache import Cache
from simcache.decorator import Cached, cached
from simcache.errors import Divergence, NotStored
from simcache.locks import KeyLock
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from simcache.upkeep.sync import sync
from tests.simcache.contract import run_threads
from tests.simcache.faulty import Fault, Faulty, full, offline, read_only, untrusted
from tests.simcache.programs import TICKS, Programs, programs_in
from tests.simcache.stored import files_under, long, value_blob


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "store")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with programs_in(tmp_path) as programs:
        yield programs


class Counted(NamedTuple):
    """A cached function, and the arguments of each computation so far."""

    call: Cached[..., Any]
    made: list[Any]


LONG = long("an argument that makes a result too long for its entry")


def counted(cache: Cache, **options: Any) -> Counted:
    """`f(a, b=2) -> (a, b)`, cached."""
    made: list[Any] = []

    @cached(cache=cache, **options)
    def f(a: Any, b: Any = 2) -> Any:
        made.append((a, b))
        return a, b

    return Counted(f, made)


class TestCalls:
    """What one call is, however it is written."""

    def test_an_argument_called_self_met_the_instance(self, cache: Cache) -> None:
        """Whatever keyword a function takes can be given to its calls and questions, of a method too."""
        named: Any = {"self": 2}

        class Box:
            @cached(cache=cache)
            def held(box, n: int, **kw: int) -> dict[str, int]:  # noqa: N805 - so that `self` is free
                return {"n": n, **kw}

            def __cache_key__(self) -> object:
                return None

        @cached(cache=cache)
        def kw(n: int, **kw: int) -> dict[str, int]:
            return {"n": n, **kw}

        for f in (kw, Box().held):
            assert {"n": 1, "self": 2} == f(1, **named) == f.compute(1, **named) == f.refresh(1, **named)
            entry = f.entry(1, **named)
            assert entry is not None
            assert f.key(1, **named) == entry.key != f.key(1)
            assert f.explain(1, **named).hit
            assert (1, 1) == (f.withdraw(1, **named, reason="a test"), f.forget(1, **named))

    def test_frames_of_a_level(self, cache: Cache) -> None:
        """A cached function that calls itself takes three frames a level, as its page says; and what is stored goes no deeper."""
        depths: list[int] = []

        @cached(cache=cache)
        def total(n: int) -> int:
            depths.append(len(inspect.stack(0)))
            return n + total(n - 1) if n else 0

        total(4)
        assert [3] * 4 == [after - before for before, after in itertools.pairwise(depths)]
        depths.clear()
        total(5)
        assert 1 == len(depths)

    def test_each_way_of_writing_a_call_is_one_key(self, cache: Cache) -> None:
        """By place, by name, in any order, a default given or left out: computed once."""
        f, made = counted(cache)
        answers = [f(1), f(1, 2), f(1, b=2), f(a=1), f(a=1, b=2), f(b=2, a=1), f(*[1], b=2)]

        assert [(1, 2)] * 7 == answers
        assert [(1, 2)] == made
        assert 1 == len({f.key(1), f.key(1, 2), f.key(b=2, a=1)})

    def test_every_kind_of_parameter(self, cache: Cache) -> None:
        """Parameters by place only, by name only and in any number are bound as Python binds them."""
        made: list[object] = []

        @cached(cache=cache)
        def f(a: int, /, b: int, *rest: int, c: int = 3, **more: int) -> Any:
            made.append(a)
            return [a, b, list(rest), c, more]

        assert f(1, 2) == f(1, b=2) == f(1, 2, c=3) == [1, 2, [], 3, {}]
        assert f(1, 2, 4, 5, c=6, x=7, y=8) == f(1, 2, 4, 5, y=8, x=7, c=6) == [1, 2, [4, 5], 6, {"x": 7, "y": 8}]
        assert f(1, 2, a=9) == [1, 2, [], 3, {"a": 9}]
        assert [1, 1, 1] == made

    def test_types_are_told_apart(self, cache: Cache) -> None:
        """1, 1.0, True and "1" are four arguments, as are 0.0 and -0.0, a list and a tuple, None and nothing."""
        f, made = counted(cache)
        given = [1, 1.0, True, "1", b"1", 0.0, -0.0, [1], (1,), {1}, None, (), "", np.int64(1), np.float64(1.0)]
        for _ in range(2):
            for value in given:
                f(value)

        assert len(given) == len(made)
        assert len(given) == len({f.key(value) for value in given})

    @pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"a": 1}), ((1,), {"c": 1}), ((), {"b": 1})], ids=str)
    def test_a_wrong_call_is_the_type_error_it_always_was(self, cache: Cache, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Too few, too many, twice, unknown: nothing is computed and nothing is kept, also when the key alone is asked."""
        f, made = counted(cache)
        for call in (f, f.key, f.entry, f.explain, f.refresh, f.forget):
            with pytest.raises(TypeError):
                call(*args, **kwargs)

        assert [] == made
        assert not Path(cache.near.url).exists()

    def test_ignored_arguments_are_handed_over_and_not_keyed(self, cache: Cache) -> None:
        """Even one that could not be keyed at all; the entry writes it down as ignored."""
        made: list[object] = []

        @cached(cache=cache, ignore=("b",))
        def f(a: int, b: object = None) -> int:
            made.append(b)
            return a

        unkeyable = threading.Lock()
        assert [1, 1, 2, 2] == [f(1, "first"), f(1, "second"), f(2, unkeyable), f(2)]
        assert ["first", unkeyable] == made
        assert f.key(1, "x") == f.key(1)
        entry = f.entry(1)
        assert entry is not None
        assert {"json": "first", "ignored": True} == entry.arguments["b"]

    @pytest.mark.parametrize("result", [None, False, 0, "", b"", [], {}, (), math.nan, np.zeros(0), np.float32(0)], ids=repr)
    def test_results_that_are_false_are_results(self, cache: Cache, result: Any) -> None:
        """None, False, 0 and everything empty is stored and served like any other result."""
        made: list[int] = []

        @cached(cache=cache)
        def f(n: int) -> Any:
            made.append(n)
            return result

        first, second = f(1), f(1)

        assert [1] == made
        assert (type(result), repr(result)) == (type(second), repr(second))
        assert first is result

    @pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
    def test_an_error_is_not_kept(self, cache: Cache, problem: BaseException) -> None:
        """What the function raises comes through as it is, leaves nothing behind, and the next call computes."""
        problems = [problem]

        @cached(cache=cache)
        def f(n: int) -> int:
            if problems:
                raise problems.pop()
            return n

        with pytest.raises(type(problem)) as caught:
            f(1)
        assert caught.value is problem
        assert f.entry(1) is None
        assert 1 == f(1) == f(1)
        assert f.entry(1) is not None

    def test_what_the_function_does_to_its_arguments_changes_no_key(self, cache: Cache) -> None:
        """The key and the record are those of the arguments as they were given."""
        made: list[int] = []

        @cached(cache=cache)
        def total(numbers: list[int]) -> int:
            made.append(len(numbers))
            found = sum(numbers)
            numbers.clear()
            return found

        given = [1, 2, 3]
        assert 6 == total(given)
        assert [] == given
        assert 6 == total([1, 2, 3])
        assert 0 == total(given)
        entry = total.entry([1, 2, 3])
        assert entry is not None
        assert {"json": [1, 2, 3]} == entry.arguments["numbers"]
        assert [3, 0] == made

    def test_a_default_that_is_changed_is_another_argument(self, cache: Cache) -> None:
        """A list as default that the function fills is keyed as it is at the call."""

        @cached(cache=cache)
        def f(n: int, seen: list[int] = []) -> list[int]:  # noqa: B006 - people do
            seen.append(n)
            return list(seen)

        assert [[1], [1, 1]] == [f(1), f(1)]

    @pytest.mark.parametrize("size", [3, 100_000])
    def test_who_changes_a_result_changes_no_others(self, cache: Cache, size: int) -> None:
        """A result can be changed in place where it is small, is read-only where it is shared, and is sound for the next."""

        @cached(cache=cache)
        def f(n: int) -> Any:
            return {"cells": np.zeros(n), "names": ["a"]}

        for _ in range(3):
            result = f(size)
            assert ["a"] == result["names"]
            assert not result["cells"].any()
            result["names"].append("b")
            if result["cells"].flags.writeable:
                result["cells"][:] = 1.0

    def test_the_function_itself_is_there_still(self, cache: Cache) -> None:
        """Name, words, signature and the plain function are those of before."""

        def f(a: int, b: int = 2) -> int:
            """Add."""
            return a + b

        held = cached(cache=cache)(f)

        assert (f, f, 3) == (held.compute, held.__wrapped__, held.compute(1))  # type: ignore[attr-defined]
        assert ("f", "Add.", inspect.signature(f)) == (held.__name__, held.__doc__, inspect.signature(held))  # type: ignore[attr-defined]
        assert held.entry(1) is None
        assert repr(held) == f"<cached {__name__}.{f.__qualname__}>"


class Road:
    """Methods of all kinds, each below its descriptor."""

    def __init__(self, length: float) -> None:
        self.length = length

    @cached(cache=Cache(MemoryStore("test_decorator")))
    def plus(self, more: float = 1.0) -> tuple[str, float]:
        """Longer."""
        return type(self).__name__, self.length + more

    @classmethod
    @cached(cache=Cache(MemoryStore("test_decorator")))
    def named(cls, text: str) -> str:
        return f"{cls.__name__} {text}"

    @staticmethod
    @cached(cache=Cache(MemoryStore("test_decorator")))
    def plain(text: str) -> str:
        return text

    @property
    @cached(cache=Cache(MemoryStore("test_decorator")))
    def double(self) -> float:
        return 2 * self.length

    @functools.cached_property
    @cached(cache=Cache(MemoryStore("test_decorator")))
    def triple(self) -> float:
        return 3 * self.length


class Motorway(Road):
    """A subclass without a word of its own."""


class TestForms:
    """What can be decorated, and what it becomes."""

    def test_methods(self) -> None:
        """The instance is an argument: equal ones share a result, others and other classes do not."""
        assert [("Road", 3.0), ("Road", 3.0), ("Road", 4.0)] == [Road(2.0).plus(), Road(2.0).plus(more=1.0), Road(3.0).plus()]
        assert ("Motorway", 3.0) == Motorway(2.0).plus()
        assert Road(2.0).plus.key() == Road.plus.key(Road(2.0), 1.0) != Road(3.0).plus.key()
        assert Road(2.0).plus.entry() is not None
        assert Road(2.0).plus.explain().hit
        assert ("Road", 7.0) == Road(2.0).plus.compute(5.0)
        assert "Longer." == Road(2.0).plus.__doc__
        assert "(more: float = 1.0) -> tuple[str, float]" == str(inspect.signature(Road(2.0).plus))
        assert ["cached_", "instance"] == [*inspect.signature(type(Road(2.0).plus)).parameters]  # it ended in an error

    def test_a_changed_instance_is_another_argument(self) -> None:
        """What an object holds counts at the call."""
        road = Road(10.0)

        assert ("Road", 11.0) == road.plus()
        road.length = 20.0
        assert ("Road", 21.0) == road.plus()

    def test_class_and_static_methods_and_properties(self) -> None:
        """`@cached` stands next to the function; all else works as without it."""
        bound: list[Any] = [Road.named, Motorway.named, Road(1.0).named]
        assert ["Road x", "Motorway x", "Road x"] == [named("x") for named in bound]
        assert ["y", "y"] == [Road.plain("y"), Road(1.0).plain("y")]
        assert (4.0, 6.0, 6.0) == (Road(2.0).double, Road(3.0).double, Road(2.0).triple)

    @pytest.mark.parametrize("descriptor", [classmethod, staticmethod, property])
    def test_the_wrong_order_says_so(self, descriptor: Callable[..., Any]) -> None:
        """A descriptor is no function: the error names the right order."""
        with pytest.raises(TypeError, match="put @cached below @"):
            cached(descriptor(lambda x: x))

    @pytest.mark.parametrize("given", [Road, 3, "store", None], ids=repr)
    def test_what_is_no_function(self, given: Any) -> None:
        """A class, a number, a forgotten `cache=`: refused where it stands, by name."""
        with pytest.raises(TypeError, match="takes a function"):
            Cached(given, cached()(len).options)

    def test_asynchronous_generators_are_refused(self) -> None:
        """They could not be kept; the error says what to do."""

        async def items() -> Any:
            yield 1

        with pytest.raises(TypeError, match="make it a plain generator"):
            cached(items)

    def test_lambdas(self, cache: Cache) -> None:
        """Functions without a name are told apart by what they do."""
        plus, times = cached(cache=cache)(lambda x: x + 2), cached(cache=cache)(lambda x: x * 2)

        assert [(5, 6), (5, 6)] == [(plus(3), times(3)) for _ in range(2)]
        assert plus.key(3) != times.key(3)

    def test_partials(self, cache: Cache) -> None:
        """What a partial holds is part of the key."""
        held = [cached(cache=cache)(functools.partial(pow, base)) for base in (2, 3)]
        named = [cached(cache=cache)(functools.partial(_scaled, factor=factor)) for factor in (2, 3)]

        assert [8, 27, 8, 27] == [f(3) for f in (*held, *held)]
        assert [10, 15, 10, 15] == [f(5) for f in (*named, *named)]

    def test_bound_methods_and_callable_objects(self, cache: Cache) -> None:
        """The object inside is part of the key, although it is no argument."""
        bound = [cached(cache=cache)(_Scale(factor).times) for factor in (2, 3)]
        callables = [cached(cache=cache)(_Scale(factor)) for factor in (2, 3)]

        assert [10, 15, 10, 15] == [f(5) for f in (*bound, *bound)]
        assert [-10, -15, -10, -15] == [f(5) for f in (*callables, *callables)]

    def test_closures_of_one_factory(self, cache: Cache) -> None:
        """One text, one name, two captured values: two keys."""

        def make(factor: int) -> Cached[[int], int]:
            @cached(cache=cache)
            def times(n: int) -> int:
                return factor * n

            return times

        assert [10, 15, 10, 15] == [make(factor)(5) for factor in (2, 3, 2, 3)]

    @pytest.mark.parametrize("way", ["decorated", "given", "captured", "default"])
    def test_functions_of_one_class_or_one_name(self, cache: Cache, way: str) -> None:
        """Methods of one class, lambdas of one line, nested functions of one name: none answers for another, however it is used."""
        functions = _alike()
        expected = [function(0) for function in functions]

        def use(function: Callable[[int], int]) -> int:
            if way == "decorated":
                return cached(cache=cache)(function)(0)
            if way == "given":
                return _applied(function, 0)

            @cached(cache=cache)
            def captured(n: int) -> int:
                return function(n)

            @cached(cache=cache)
            def default(n: int, function: Callable[[int], int] = function) -> int:
                return function(n)

            return captured(0) if way == "captured" else default(0)

        assert expected == [use(function) for function in functions] == [use(function) for function in functions]

    def test_functions_of_python_and_of_packages(self, cache: Cache) -> None:
        """They need no source of the project."""
        assert (2.0, 2.0) == tuple(cached(cache=cache)(math.sqrt)(4.0) for _ in range(2))
        assert [2.0, 2.0] == [cached(cache=cache)(statistics.fmean)([1.0, 3.0]) for _ in range(2)]

    def test_twice_decorated(self, cache: Cache) -> None:
        """A cached function can be cached again: no lock waits for itself."""
        f, made = counted(cache)
        twice = cached(cache=cache)(f)

        assert [(1, 2), (1, 2)] == [twice(1), twice(1)]
        assert [(1, 2)] == made

    def test_a_wrapper_that_makes_a_list_of_a_generator(self, cache: Cache) -> None:
        """It is no series, and asking for one says where `@cached` belongs."""

        def listed(function: Callable[..., Iterator[int]]) -> Callable[..., list[int]]:
            @functools.wraps(function)
            def wrapper(*args: int) -> list[int]:
                return list(function(*args))

            return wrapper

        @cached(cache=cache)
        @listed
        def numbers(n: int) -> Iterator[int]:
            yield from range(n)

        with pytest.raises(TypeError, match="gives a list: put @cached next to the function"):
            numbers(3)[:3]

    def test_recursion(self, cache: Cache) -> None:
        """A function that calls itself with other arguments computes each of them once."""
        made: list[int] = []

        @cached(cache=cache)
        def fibonacci(n: int) -> int:
            made.append(n)
            return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

        assert 6765 == fibonacci(20)
        assert list(range(20, -1, -1)) == made

    def test_recursion_with_the_same_key(self, cache: Cache) -> None:
        """A call inside a call of the same key does not wait for itself."""

        @cached(cache=cache, ignore=("depth",))
        def deep(n: int, depth: int) -> int:
            return n if not depth else deep(n, depth - 1)

        assert 7 == deep(7, 3)

    def test_recursion_without_end_is_the_error_it_always_was(self, cache: Cache) -> None:
        """Endless recursion ends in RecursionError, and the cache works afterwards."""

        @cached(cache=cache)
        def endless(n: int) -> int:
            return endless(n) + 1

        with pytest.raises(RecursionError):
            endless(1)
        f, made = counted(cache)
        assert ((1, 2), [(1, 2)]) == (f(1), made)

    def test_code_without_a_file(self, tmp_path: Path) -> None:
        """A cell of a notebook, run by exec: its results are kept, and another body is another function."""
        cell = "@cached(cache=cache)\ndef f(x):\n    made.append(x)\n    return x {}\n"
        made: list[int] = []
        names: dict[str, Any] = {"cached": cached, "cache": Cache(tmp_path / "store"), "made": made, "__name__": "__main__"}
        answers = []
        for body in ("* 2", "* 2", "* 3", "* 2"):
            exec(cell.format(body), names)
            answers.append(names["f"](5))

        assert [10, 10, 15, 10] == answers
        assert len(made) <= 4


class _Rules:
    """Methods of all kinds, and classes with methods of one name."""

    @staticmethod
    def one(n: int) -> int:
        return n + 1

    @staticmethod
    def two(n: int) -> int:
        return n + 2

    @classmethod
    def three(cls, n: int) -> int:
        return n + 3

    @classmethod
    def four(cls, n: int) -> int:
        return n + 4

    def five(self, n: int) -> int:
        return n + 5

    def six(self, n: int) -> int:
        return n + 6

    class Inner:
        @staticmethod
        def one(n: int) -> int:
            return n + 7


def _alike() -> list[Callable[[int], int]]:
    def nested() -> Callable[[int], int]:
        def inner(n: int) -> int:
            return n + 8

        return inner

    def other() -> Callable[[int], int]:
        def inner(n: int) -> int:
            return n + 9

        return inner

    methods = [_Rules.one, _Rules.two, _Rules.three, _Rules.four, _Rules().five, _Rules().six, _Rules.Inner.one]
    lambdas = [lambda n: n + 10, lambda n: n + 11, lambda n: n + 12]
    return [*methods, nested(), other(), *lambdas, functools.partial(_Rules.one), functools.partial(_Rules.two)]


@cached(cache=Cache(MemoryStore("test_decorator")))
def _applied(function: Callable[[int], int], n: int) -> int:
    return function(n)


def _scaled(n: int, factor: int) -> int:
    return n * factor


class _Scale:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def times(self, n: int) -> int:
        return self.factor * n

    def __call__(self, n: int) -> int:
        return -self.factor * n


class TestCoroutines:
    """Asynchronous functions are awaited as before."""

    def test_the_result_is_kept(self, cache: Cache) -> None:
        """Awaited once; frameworks see a coroutine function."""
        made: list[int] = []

        @cached(cache=cache)
        async def f(n: int) -> int:
            await asyncio.sleep(0)
            made.append(n)
            return n + 1

        async def main() -> list[int]:
            return [await f(1), await f(1), await f(2)]

        assert [2, 2, 3] == asyncio.run(main())
        assert [2, 2, 3] == asyncio.run(main())
        assert [1, 2] == made
        assert asyncio.iscoroutinefunction(f)
        assert f.key(1) == f.key(n=1)

    def test_two_tasks_at_once_compute_once(self, cache: Cache) -> None:
        """The second waits without blocking the first; another key waits for nobody."""
        log: list[object] = []

        @cached(cache=cache)
        async def f(n: int) -> int:
            log.append(n)
            await asyncio.sleep(0.05)
            log.append(-n)
            return n

        async def main() -> list[int]:
            return list(await asyncio.gather(f(1), f(1), f(1), f(2)))

        assert [1, 1, 1, 2] == asyncio.run(main())
        assert [1, 2, -1, -2] == log

    def test_an_error_reaches_its_task_alone(self, cache: Cache) -> None:
        """Whoever waited for a computation that failed computes itself."""
        made: list[int] = []

        @cached(cache=cache)
        async def f(n: int) -> int:
            made.append(n)
            await asyncio.sleep(0.02)
            if len(made) == 1:
                raise ValueError("the first time only")
            return n

        async def main() -> list[Any]:
            return list(await asyncio.gather(f(1), f(1), f(1), return_exceptions=True))

        failed, *fine = asyncio.run(main())
        assert (ValueError, [1, 1], [1, 1]) == (type(failed), fine, made)

    def test_a_cancelled_task_gives_its_turn_back(self, cache: Cache) -> None:
        """Cancelled while it computes, or while it waits: the others go on."""
        made: list[int] = []

        @cached(cache=cache)
        async def f(n: int) -> int:
            made.append(n)
            await asyncio.sleep(5.0 if len(made) == 1 else 0.0)
            return n

        async def main() -> int:
            first, waiting, last = (asyncio.create_task(f(1)) for _ in range(3))
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.sleep(0.05)
            first.cancel()
            return await last

        began = time.monotonic()
        assert 1 == asyncio.run(main())
        assert [1, 1] == made
        assert time.monotonic() - began < 4.0

    def test_a_coroutine_that_is_dropped_with_its_loop_gives_its_turn_back(self, cache: Cache) -> None:
        """A loop that is closed over a task which computes drops it: its end comes in another context, and the key is free then."""

        @types.coroutine
        def pause() -> Iterator[None]:
            yield

        @cached(cache=cache)
        async def f(n: int) -> int:
            await pause()
            return n

        begun: Any = f(1)
        contextvars.copy_context().run(begun.send, None)  # by hand, for asyncio says aloud what it drops
        lock = cache.lock(f.key(1))
        taken = [lock.try_acquire()]
        begun.close()
        taken.append(lock.try_acquire())
        lock.release()
        assert [False, True] == taken

    def test_recursion_with_the_same_key(self, cache: Cache) -> None:
        """A task does not wait for itself, nor for a task that waits for it."""

        @cached(cache=cache, ignore=("depth",))
        async def deep(n: int, depth: int) -> int:
            if not depth:
                return n
            inner: Awaitable[int] = deep(n, depth - 1)
            return await inner if depth % 2 else (await asyncio.gather(inner))[0]

        assert 7 == asyncio.run(asyncio.wait_for(deep(7, 4), 10.0))

    def test_the_loop_goes_on_while_another_holder_computes(self, cache: Cache) -> None:
        """Waiting for another thread's or process's computation blocks no other task."""

        @cached(cache=cache)
        async def f(n: int) -> int:
            return n

        async def main() -> tuple[int, int]:
            lock = KeyLock(f"{cache.near.local}/locks", f.key(1))
            assert lock.try_acquire()
            waiting = asyncio.create_task(f(1))
            beats = 0
            for _ in range(20):
                await asyncio.sleep(0.005)
                beats += 1
            assert not waiting.done()
            lock.release()
            return beats, await waiting

        assert (20, 1) == asyncio.run(main())

    def test_a_hit_takes_no_turn(self, tmp_path: Path) -> None:
        """What is stored is read from a store that takes no writes without a word, also while others compute."""

        @cached(cache=Cache(tmp_path / "store"))
        async def f(n: int) -> int:
            return n

        asyncio.run(f(1))
        lock = KeyLock(f"{f.cache.near.local}/locks", f.key(1))
        with lock:
            assert 1 == asyncio.run(asyncio.wait_for(f(1), 5.0))


@cached(cache=Cache(MemoryStore("test_decorator")))
def module_level(n: int) -> int:
    return n + 1


def _plain(n: int) -> int:
    return n + 2


renamed = cached(cache=Cache(MemoryStore("test_decorator")))(_plain)


SCRIPT = (
    TICKS
    + """
import sys
from simcache import cached

@cached
def slow(n):
    tick(n)
    return n * n

class Road:
    def __init__(self, length): self.length = length
    @cached
    def double(self):
        tick(f"double{self.length}")
        return 2 * self.length

def plain(n): return n + 1
fast = cached(plain)

def ways(way):
    if way == "loky":
        from joblib import Parallel, delayed
        return lambda f, items: Parallel(n_jobs=2)(delayed(f)(item) for item in items)
    if way == "executor":
        from concurrent.futures import ProcessPoolExecutor
        def run(f, items):
            with ProcessPoolExecutor(2) as pool:
                return list(pool.map(f, items))
        return run
    import multiprocessing
    def run(f, items):
        with multiprocessing.get_context(way).Pool(2) as pool:
            return pool.map(f, items)
    return run

def main():
    run = ways(sys.argv[1])
    print(slow(1), run(slow, [1, 2, 3]), [slow(n) for n in (1, 2, 3)], run(fast, [1, 2]))
    road = Road(4)
    print(run(call_double, [road, road]), road.double(), run(type(road).double.key, [road]) == [road.double.key()])

def call_double(road): return road.double()
"""
)
MAIN = '\nif __name__ == "__main__":\n    main()\n'
IMPORTED = "from jobs import main\nmain()\n"


class TestTravels:
    """A cached function is shipped to other processes like any other."""

    @pytest.mark.parametrize("function", [module_level, renamed, Road.plus, Road.plain], ids=repr)
    @pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps], ids=["pickle", "cloudpickle"])
    def test_by_its_name(self, function: Cached[..., Any], dumps: Callable[[object], bytes]) -> None:
        """What a module holds comes back as the same function, or as one with the same keys and results."""
        back = pickle.loads(dumps(function))
        argument = Road(1.0) if function is Road.plus else 1

        assert function.key(argument) == back.key(argument)
        assert function(argument) == back(argument)
        assert back is function or function is renamed

    def test_methods_of_an_instance(self) -> None:
        """With the instance."""
        for dumps in (pickle.dumps, cloudpickle.dumps):
            back = pickle.loads(dumps(Road(5.0).plus))
            assert (("Road", 6.0), Road(5.0).plus.key()) == (back(), back.key())
        assert "Motorway z" == pickle.loads(pickle.dumps(Motorway.named))("z")

    def test_local_functions_by_value(self, cache: Cache) -> None:
        """With cloudpickle, a closure travels, with its options and its store."""
        factor = 3

        @cached(cache=cache, ignore=("more",), version="2")
        def times(n: int, more: object = None) -> int:
            return factor * n

        times(5)
        back = pickle.loads(cloudpickle.dumps(times))

        assert (15, times.key(5)) == (back(5, more=print), back.key(5))
        assert (times.options.ignore, times.options.version, cache.near.url) == (back.options.ignore, "2", back.cache.near.url)
        assert back.entry(5) is not None

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
    def test_copies(self, cache: Cache, copied: Callable[[Any], Any]) -> None:
        """A copy is the same function over the same store; so is one in a structure that is copied."""
        f, made = counted(cache)
        f(1)
        again = copied({"f": f})["f"]

        assert ((1, 2), f.key(1)) == (again(1), again.key(1))
        assert [(1, 2)] == made
        assert module_level is copied(module_level)

    def test_a_cache_travels_with_all_its_stores(self, tmp_path: Path) -> None:
        """Near, far, durable and trust are the same on the other side."""
        Cache(tmp_path / "far").near.sweep()
        (tmp_path / "far" / "entries").mkdir(parents=True)
        cache = Cache(tmp_path / "near", far=[tmp_path / "far"], durable=True, trust=True)
        back = pickle.loads(pickle.dumps(cache))

        assert repr(cache) == repr(back)
        assert [store.url for store in cache.store.layers()] == [store.url for store in back.store.layers()]
        assert (True, True) == (back.durable, back.trust)

    @pytest.mark.parametrize("way", ["loky", "executor", "fork", "spawn", "forkserver"])
    @pytest.mark.parametrize("where", ["script", "module"])
    def test_worker_processes(self, programs: Programs, way: str, where: str) -> None:
        """With joblib and multiprocessing: cached functions and methods of scripts and modules work, and share one store and one key."""
        programs.write("jobs.py", SCRIPT + MAIN)
        programs.write("start.py", IMPORTED)
        if where == "module":
            programs.write("start.py", 'from jobs import main\nif __name__ == "__main__":\n    main()\n')
        said = programs.run("jobs.py" if where == "script" else "start.py", way)

        assert ["1 [1, 4, 9] [1, 4, 9] [2, 3]", "[8, 8] 8 True"] == said.splitlines()
        assert ["1", "2", "3", "double4"] == sorted(programs.ticks())

    def test_a_script_runs_once(self, programs: Programs) -> None:
        """Whatever stands in a script, looking at its functions never runs the script a second time."""
        programs.write(
            "loose.py",
            """
            from simcache import cached
            print("running", __name__)
            TABLE = {}
            for n in range(3):
                TABLE[n] = lambda x, n=n: x * n
            double = cached(lambda x: TABLE[2](x))
            print(double(5), double(5))
            """,
        )

        assert ["running __main__", "10 10"] == programs.run("loose.py").splitlines()


class TestCare:
    """Questions to a call, and taking results back."""

    def test_key_and_entry(self, cache: Cache) -> None:
        """The key is 32 hex digits; the entry tells who made the result, when, how long it took and from what."""
        f, _ = counted(cache)

        assert f.entry(1) is None
        f(1, b="x")
        entry = f.entry(1, "x")
        assert entry is not None
        assert (f.key(1, "x"), f.name, "value", f.code_version) == (entry.key, entry.function, entry.kind, entry.code)
        assert {"a": {"json": 1}, "b": {"json": "x"}} == entry.arguments
        assert 0.0 <= entry.made.seconds < 5.0
        assert set("0123456789abcdef") >= set(entry.key)
        assert 32 == len(entry.key)

    def test_refresh_of_what_is_reproducible(self, cache: Cache, tmp_path: Path) -> None:
        """Computed again, compared, and nothing is added; without a stored result it is a call."""
        f, made = counted(cache)
        first = f.refresh(1)
        before = files_under(tmp_path)

        assert (1, 2) == first == f.refresh(1)
        assert [(1, 2), (1, 2)] == made
        assert before == files_under(tmp_path)

    def test_refresh_of_what_is_not(self, cache: Cache) -> None:
        """A Divergence warning names function, host and key; both results are kept, and the first stays the one that is served."""
        results = ["b", "a"]

        @cached(cache=cache)
        def f(n: int) -> str:
            return results.pop()

        assert "a" == f(1)
        with pytest.warns(Divergence, match=f"f gave another result than the one that .* under {f.key(1)}; both are kept"):
            assert "b" == f.refresh(1)
        assert "a" == f(1)
        assert 2 == len(cache.entries(f.name, f.key(1)))

    def test_forget(self, cache: Cache) -> None:
        """One call is forgotten, its neighbours are not; there was as much as is said."""
        f, made = counted(cache)
        f(1), f(2)

        assert (1, 0) == (f.forget(1), f.forget(1))
        f(1), f(2)
        assert [(1, 2), (2, 2), (1, 2)] == made

    def test_forget_deleted_a_tombstone(self, cache: Cache, tmp_path: Path) -> None:
        """Withdrawn, forgotten, and served again once a partner sent the old result: results go, the withdrawal stays."""
        f, made = counted(cache)
        partner = Cache(tmp_path / "partner").near
        f(1)
        sync(cache.near, partner)

        assert (1, 1, 0) == (f.withdraw(1, reason="units"), f.forget(1), f.forget(1))
        sync(cache.near, partner)
        assert f.entry(1) is None
        f(1)
        assert [(1, 2), (1, 2)] == made

    def test_forget_a_damaged_entry(self, cache: Cache) -> None:
        """Nobody heeds it, so it goes like a result."""
        f, _ = counted(cache)
        f(1)
        (entry,) = cache.all_entries()
        (Path(cache.near.url) / entry.name).write_bytes(b"damaged")

        assert (1, []) == (f.forget(1), list(cache.near.list("entries/")))

    def test_withdraw_for_no_reason(self, cache: Cache) -> None:
        """Is refused, as by the command: whoever finds the result withdrawn must learn why."""
        f, _ = counted(cache)
        f(1)
        for reason in ("", " "):
            with pytest.raises(ValueError, match="reason is empty: say why"):
                f.withdraw(1, reason=reason)

        assert f.entry(1) is not None

    def test_withdraw(self, cache: Cache) -> None:
        """A result that was wrong is served no more; the reason stands in the store, and the next result is served."""
        f, made = counted(cache)
        f(1)

        assert (1, 0) == (f.withdraw(1, reason="units"), f.withdraw(1, reason="units"))
        assert f.entry(1) is None
        assert not f.explain(1).hit
        f(1), f(1)
        assert [(1, 2), (1, 2)] == made
        assert ["units"] == [entry.reason for entry in cache.all_entries() if entry.kind == "withdrawn"]

    def test_explain_a_hit(self, cache: Cache) -> None:
        """It is a hit, and by whom it was made."""
        f, made = counted(cache)
        f(1)
        told = f.explain(1)

        assert told.hit
        assert f"hit: {f.name} {f.key(1)}" in str(told)
        assert [(1, 2)] == made

    def test_explain_a_miss(self, cache: Cache) -> None:
        """The nearest stored call, and the argument that differs."""
        f, made = counted(cache)

        assert "nothing of this function is stored yet" in str(f.explain(1))
        f(0.175, b="calibrated")
        told = f.explain(0.2125, b="calibrated")
        assert not told.hit
        assert ["a"] == [difference.path for difference in told.differences]
        assert "0.175" in str(told)
        assert "0.2125" in str(told)
        assert [(0.175, "calibrated")] == made

    def test_an_argument_that_is_not_written_down_differs_by_what_it_holds(self, cache: Cache) -> None:
        """An instance of a plain class is only recognised: not by where it lay in memory, which `repr` tells."""

        @cached(cache=cache)
        def f(a: Road, b: str) -> float:
            return a.length

        f(Road(2.0), "first")

        assert ["b: 'second', was 'first'"] == [str(difference) for difference in f.explain(Road(2.0), "second").differences]
        assert ["a: another <tests.simcache.test_decorator.Road object>, was <tests.simcache.test_decorator.Road object>"] == [
            str(difference) for difference in f.explain(Road(3.0), "first").differences
        ]

    def test_explain_and_the_call_agree_about_damage(self, cache: Cache) -> None:
        """What a call would compute again is explained as a miss, with the reason; a second sound result is a hit."""
        results = [long("b"), long("a")]

        @cached(cache=cache)
        def f(n: int) -> str:
            return results.pop()

        f(1)
        with pytest.warns(Divergence):
            f.refresh(1)
        first, _ = cache.entries(f.name, f.key(1))
        (Path(cache.near.url) / value_blob(first)).write_bytes(b"damaged")

        assert f.explain(1).hit
        assert long("b") == f(1)

    def test_explain_a_damaged_result(self, cache: Cache) -> None:
        """The only result is damaged: a miss, with the reason."""
        f, _ = counted(cache)
        f(LONG)
        entry = f.entry(LONG)
        assert entry is not None
        (Path(cache.near.url) / value_blob(entry)).write_bytes(b"damaged")
        told = f.explain(LONG)

        assert not told.hit
        assert "is damaged" in str(told)

    def test_questions_to_a_coroutine(self, cache: Cache) -> None:
        """They need no awaiting; `refresh` says what to do instead."""

        @cached(cache=cache)
        async def f(n: int) -> int:
            return n

        asyncio.run(f(1))

        assert f.explain(1).hit
        assert f.entry(1) is not None
        with pytest.raises(TypeError, match="is asynchronous"):
            _ = f.refresh(1)
        assert 1 == f.forget(1)


MODEL = "from simcache import cached\n@cached\ndef f(n): return n\nwhere = f.cache.near.url\n"


class TestDefaultCache:
    """Where results are kept without `cache=`."""

    def test_the_nearest_settings_above_the_functions_file(self, programs: Programs, home: Path) -> None:
        """Not above the working directory: a function keeps its store wherever it is called from."""
        programs.write("inner/deep/model.py", MODEL)
        programs.write("inner/pyproject.toml", '[tool.simcache]\nstore = "kept"\n')
        programs.write("model.py", MODEL)
        ask = "import sys; sys.path.insert(0, {!r}); import model; print(model.where)"

        assert str(programs.store) == programs.run("-c", ask.format(str(programs.folder)))
        assert str(programs.folder / "inner" / "kept") == programs.run("-c", ask.format(str(programs.folder / "inner" / "deep")))

    def test_a_pyproject_without_settings_is_passed_by(self, programs: Programs) -> None:
        """Only a file that speaks of simcache counts."""
        programs.write("inner/pyproject.toml", '[project]\nname = "x"\n')
        programs.write("inner/model.py", MODEL)

        assert str(programs.store) == programs.run("-c", "import sys; sys.path.insert(0, 'inner'); import model; print(model.where)")

    def test_without_settings_it_is_the_users_cache_folder(self, programs: Programs) -> None:
        """Below XDG_CACHE_HOME, and made by the first result only."""
        programs.write("model.py", MODEL)
        (programs.folder / "simcache.toml").unlink()
        kept = programs.folder / ".cache" / "simcache" / "store"

        assert str(kept) == programs.ask("where")
        assert not kept.exists()
        programs.ask("f(1)")
        assert (kept / "simcache.json").is_file()

    def test_the_environment_has_the_first_word(self, programs: Programs) -> None:
        """SIMCACHE_STORE, a relative one from the working directory."""
        programs.write("model.py", MODEL)

        assert str(programs.folder / "mine") == programs.ask("where", variables={"SIMCACHE_STORE": "mine"})
        assert "memory://mine" == programs.ask("where", variables={"SIMCACHE_STORE": "memory://mine"})

    def test_it_can_change_between_two_calls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A test, or a notebook, that sets SIMCACHE_STORE is followed at the next call; so is its being unset."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
        made: list[int] = []

        @cached
        def f(n: int) -> int:
            made.append(n)
            return n

        for store in ("one", "two", "one", "two"):
            monkeypatch.setenv("SIMCACHE_STORE", str(tmp_path / store))
            f(1)
            assert str(tmp_path / store) == f.cache.near.url

        assert [1, 1] == made
        assert (tmp_path / "one").is_dir()
        assert (tmp_path / "two").is_dir()

    def test_functions_with_equal_settings_share_one_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Opened once for a process."""
        monkeypatch.setenv("SIMCACHE_STORE", str(tmp_path / "store"))
        f, g = cached(lambda: 1), cached(lambda: 2)

        assert f.cache is g.cache

    def test_far_stores_of_the_settings_are_read(self, programs: Programs) -> None:
        """`far` names remotes or paths; what they have is not computed."""
        programs.write("model.py", TICKS + MODEL.replace("return n", "tick(n); return n"))
        programs.ask("f(1)")
        programs.store.rename(programs.folder / "shared")
        programs.write("simcache.toml", 'store = "store"\nfar = ["team"]\n[remotes]\nteam = "shared"\n')

        assert 1 == programs.ask("f(1)")
        assert ["1"] == programs.ticks()
        assert files_under(programs.folder / "shared").keys() == files_under(programs.store).keys()


class TestNearAndFar:
    """A cache reads near first, then far; what it found far it keeps near."""

    @pytest.fixture
    def far(self, tmp_path: Path) -> Path:
        return tmp_path / "far"

    @pytest.fixture
    def near(self, tmp_path: Path) -> Path:
        return tmp_path / "near"

    def test_found_far_is_kept_near(self, far: Path, near: Path) -> None:
        """Whole, blobs before the entry, so that the far store can go."""
        f, made = counted(Cache(far))
        f(1)
        watched = Faulty(LocalStore(near))
        g = cached(cache=Cache(watched, far=[far]))(f.compute)

        assert (1, 2) == g(1)
        puts = [name.partition("/")[0] for call, name in watched.log if call == "put"]
        assert ["blobs"] * (len(puts) - 1) + ["entries"] == puts
        assert files_under(far) == files_under(near)
        assert (1, 2) == cached(cache=Cache(near))(f.compute)(1)
        assert [(1, 2)] == made

    def test_a_hit_near_asks_nobody_far(self, far: Path, near: Path) -> None:
        """A far store that is down costs a hit nothing."""
        f, made = counted(Cache(near))
        f(1)
        watched = offline(LocalStore(far))
        g = cached(cache=Cache(near, far=[watched]))(f.compute)

        assert (1, 2) == g(1)
        assert ([], [(1, 2)]) == (watched.log, made)

    def test_what_is_damaged_near_is_taken_from_far(self, far: Path, near: Path) -> None:
        """Blob, entry or both: quarantined, mended, not computed."""
        f, made = counted(Cache(far))
        f(LONG)
        g = cached(cache=Cache(near, far=[far]))(f.compute)
        g(LONG)
        sound = files_under(near)
        for name in sound:
            if name.startswith(("blobs/", "entries/")):
                (near / name).write_bytes(b"damaged")
                h = cached(cache=Cache(near, far=[far]))(f.compute)
                assert (LONG, 2) == h(LONG)
                entry = h.entry(LONG)
                assert entry is not None
                if name in (entry.name, value_blob(entry)):
                    assert sound[name] == (near / name).read_bytes()
                    assert any((near / ".local" / "quarantine").iterdir())
                (near / name).write_bytes(sound[name])

        assert [(LONG, 2)] == made

    @pytest.mark.parametrize("damage", ["blob", "entry"])
    def test_what_is_damaged_far_is_left_there(self, far: Path, near: Path, damage: str) -> None:
        """It is not ours to move: the result is computed, and the warning says why."""
        f, made = counted(Cache(far))
        f(LONG)
        entry = f.entry(LONG)
        assert entry is not None
        spoiled = far / (entry.name if damage == "entry" else value_blob(entry))
        spoiled.write_bytes(b"damaged")
        g = cached(cache=Cache(near, far=[far]))(f.compute)

        with pytest.warns(NotStored, match="is computed again: .*damaged"):
            assert (LONG, 2) == g(LONG)
        assert b"damaged" == spoiled.read_bytes()
        assert [(LONG, 2), (LONG, 2)] == made
        assert (LONG, 2) == g(LONG)

    def test_a_far_store_that_is_down_is_passed_by(self, far: Path, near: Path) -> None:
        """The next one is asked; if none has it, it is computed, with the reason, once said."""
        f, made = counted(Cache(far))
        f(1)
        down = offline(LocalStore(near / "down"))
        g = cached(cache=Cache(near / "one", far=[down, far]))(f.compute)

        assert (1, 2) == g(1)
        h = cached(cache=Cache(near / "two", far=[down]))(f.compute)
        with pytest.warns(NotStored, match="the network is down"):
            assert (1, 2) == h(1)
        assert [(1, 2), (1, 2)] == made

    @pytest.mark.parametrize("problem", [OSError(5, "Input/output error"), PermissionError(13, "Permission denied")], ids=repr)
    def test_a_far_store_that_breaks_its_contract_breaks_no_call(self, far: Path, near: Path, problem: OSError) -> None:
        """A plain OSError from a listing or a read is one more reason, never a crash."""
        f, made = counted(Cache(near / "plain"))
        for call in ("list", "get"):
            Cache(far).near.put(*_any_entry(f))
            broken = Faulty(LocalStore(far), Fault(error=lambda *_: problem, calls=frozenset({call})))
            g = cached(cache=Cache(near / call, far=[broken]))(f.compute)
            with pytest.warns(NotStored, match=problem.strerror):
                assert (1, 2) == g(1)

        assert 4 == len(made)

    def test_near_cannot_be_written(self, far: Path, near: Path) -> None:
        """A read-only near store still serves what is far, with one warning; nothing is computed."""
        f, made = counted(Cache(far))
        f(1), f(3)
        g = cached(cache=Cache(read_only(LocalStore(near)), far=[far]))(f.compute)

        with pytest.warns(NotStored) as said:
            answers = [g(1), g(1), g(3)]
        assert [(1, 2), (1, 2), (3, 2)] == answers
        assert [(1, 2), (3, 2)] == made
        assert len(said) <= 2
        assert not near.exists()

    def test_near_is_full(self, far: Path, near: Path) -> None:
        """Wherever the room ends, no entry is kept near without its blobs."""
        f, made = counted(Cache(far))
        f(1)
        for room in range(5):
            store = LocalStore(near / str(room))
            g = cached(cache=Cache(full(store, after=room), far=[far]))(f.compute)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotStored)
                assert (1, 2) == g(1)
            kept = {name for name, _ in store.list()}
            assert all({blob.name for blob in entry.blobs} <= kept for entry in Cache(store).all_entries())
        only_blobs = Faulty(
            LocalStore(near / "small"), Fault(error=lambda *_: OSError(28, "No space left on device"), once=True, calls=frozenset({"put"}))
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotStored)
            assert (1, 2) == cached(cache=Cache(only_blobs, far=[far]))(f.compute)(1)
        kept = {name for name, _ in only_blobs.store.list()}
        assert all({blob.name for blob in entry.blobs} <= kept for entry in Cache(only_blobs.store).all_entries())
        assert [(1, 2)] == made

    def test_pickles_from_far(self, far: Path, near: Path) -> None:
        """A pickle of a store that others write to is computed instead, unless the caller trusts it; nothing of it comes near."""
        f, made = counted(Cache(far), codec="pickle")
        f(1)
        strangers = untrusted(LocalStore(far))
        g = cached(cache=Cache(near / "wary", far=[strangers]), codec="pickle")(f.compute)
        with pytest.warns(NotStored, match="pass trust=True"):
            g(1)
        wary = [entry.made.at for entry in Cache(near / "wary").all_entries()]
        h = cached(cache=Cache(near / "trusting", far=[strangers], trust=True), codec="pickle")(f.compute)
        h(1)

        assert [(1, 2), (1, 2)] == made
        found = f.entry(1)
        assert found is not None
        assert [found.made.at] != wary
        assert [found.made.at] == [entry.made.at for entry in Cache(near / "trusting").all_entries()]

    def test_withdrawn_near_is_not_served_from_far(self, far: Path, near: Path) -> None:
        """A result that is taken back here is not fetched again."""
        f, made = counted(Cache(far))
        f(1)
        g = cached(cache=Cache(near, far=[far]))(f.compute)
        g(1)
        g.withdraw(1, reason="wrong")
        g(1), g(1)

        assert [(1, 2), (1, 2)] == made


def _any_entry(f: Cached[..., Any]) -> tuple[str, list[bytes]]:
    """A sound entry of the call f(1), to stand in a store without its blobs."""
    f(1)
    entry = f.entry(1)
    assert entry is not None
    f.forget(1)
    return entry.name, [entry.to_bytes()]


class TestThreads:
    """One process with many threads."""

    def test_one_key(self, cache: Cache) -> None:
        """However many threads ask at once, it is computed once, and all get it."""
        made: list[int] = []

        @cached(cache=cache)
        def f(n: int) -> Any:
            made.append(n)
            time.sleep(0.1)
            return np.full(n, 3.0)

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(f, [1000] * 64))

        assert [1000] == made
        assert all(np.array_equal(answers[0], answer) for answer in answers)

    def test_many_keys(self, cache: Cache) -> None:
        """Each is computed once, whatever the order, and every answer is that of its own key."""
        f, made = counted(cache)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: f(i * 7 % 20), range(200)))

        assert [(i * 7 % 20, 2) for i in range(200)] == answers
        assert sorted((n, 2) for n in range(20)) == sorted(made)

    def test_another_key_waits_for_nobody(self, cache: Cache) -> None:
        """While one key is being computed, others are computed and served."""
        computing, free = threading.Event(), threading.Event()

        @cached(cache=cache)
        def f(n: int) -> int:
            if n == 0:
                computing.set()
                assert free.wait(20.0)
            return n

        def release() -> None:
            assert computing.wait(20.0)
            assert [1, 2, 1] == [f(1), f(2), f(1)]
            free.set()

        waiting = threading.Thread(target=f, args=(0,))
        waiting.start()
        run_threads(release, 1)
        waiting.join()
        assert f.entry(0) is not None

    @pytest.mark.skipif(os.name == "nt", reason="fork")
    def test_forks_at_any_moment(self, programs: Programs) -> None:
        """Children that are forked while other threads hit and miss can use the cache: no lock of a thread that they lack stops them."""
        programs.write(
            "model.py",
            """
            import os, sys, threading
            from simcache import cached
            sys.setswitchinterval(1e-5)

            def make(factor):
                @cached
                def times(n):
                    return factor * n
                return times

            def work(stop):
                number = 0
                while not stop.is_set():
                    number += 1
                    assert make(number % 7)(number % 50) == number % 7 * (number % 50)

            def main():
                make(1)(1)
                stop = threading.Event()
                threads = [threading.Thread(target=work, args=(stop,)) for _ in range(3)]
                for thread in threads:
                    thread.start()
                ends = []
                for number in range(40):
                    child = os.fork()
                    if not child:
                        os._exit(0 if [make(3)(n) for n in (number, 100 + number)] == [3 * number, 300 + 3 * number] else 1)
                    ends.append(os.waitpid(child, 0)[1])
                stop.set()
                for thread in threads:
                    thread.join()
                return ends
            """,
        )

        assert [0] * 40 == programs.ask("main()")

    def test_threads_with_damage(self, cache: Cache) -> None:
        """Threads that read a result while its bytes are being spoiled get it right, every one."""
        f, _ = counted(cache)
        f(LONG)
        entry = f.entry(LONG)
        assert entry is not None
        path = Path(cache.near.url) / value_blob(entry)
        stop = threading.Event()
        wrong: list[object] = []

        def read() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                wrong.extend(answer for answer in (f(LONG) for _ in range(60)) if answer != (LONG, 2))
            stop.set()

        def spoil() -> None:
            while not stop.is_set():
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(b"spoiled")
                time.sleep(0.002)

        spoiler = threading.Thread(target=spoil)
        spoiler.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_threads(read, 4)
        spoiler.join()

        assert [] == wrong

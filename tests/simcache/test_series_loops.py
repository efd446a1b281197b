"""Loops over a series: nothing is held between two items, and whatever ends a program there, what was computed is kept."""

import ast
import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from simcache.cache import Cache
from simcache.decorator import Cached, cached
from simcache.errors import NotStored
from simcache.items import Items
from simcache.series import Series, Step
from simcache.stores.local import LocalStore
from simcache.upkeep.verify import verify
from tests.simcache.contract import run_threads
from tests.simcache.programs import TICKS, Programs, finish, programs_in

if TYPE_CHECKING:
    import subprocess

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")

SIM = (
    TICKS
    + """
import signal, sys, threading, time
from simcache import Step, cached

@cached(every=int(os.environ.get("EVERY", 10)))
def sim(name="a", *, resume=None):
    number = resume or 0
    while True:
        number += 1
        tick(f"{name}{number}")
        yield Step(number, state=lambda: number)
"""
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "store")


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Programs]:
    with programs_in(tmp_path) as programs:
        programs.write("model.py", SIM)
        yield programs


def upto(last: int, first: int = 1) -> list[int]:
    return list(range(first, last + 1))


def begin(sim: Programs, code: str, **variables: str) -> "subprocess.Popen[str]":
    return sim.start("-c", f"from model import *\n{code}", **variables)


class Counted(NamedTuple):
    """A cached generator of 1, 2, …, and the number of each item that was computed."""

    call: Cached[..., Any]
    made: list[int]


def counted(cache: Cache, *, resumable: bool = True, **options: Any) -> Counted:
    made: list[int] = []

    def count(after: int) -> Iterator[Step[int]]:
        for number in itertools.count(after + 1):
            made.append(number)
            yield Step(number, state=number)

    @cached(cache=cache, **options)
    def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
        yield from count(resume or 0)

    @cached(cache=cache, **options)
    def anew() -> Iterator[Step[int]]:
        yield from count(0)

    return Counted(numbers if resumable else anew, made)


def ranges(run: Series[Any]) -> list[tuple[int, int]]:
    """From which item to which each stored segment reaches."""
    return [(entry.segment.start, entry.segment.stop) for entry in run.segments if entry.segment is not None]


class TestNothingIsHeld:
    """While the consumer has control, others read and compute."""

    def test_two_processes_loop_over_two_series_in_opposite_orders(self, sim: Programs) -> None:
        """Neither waits for what the other holds: both come to their end, and what they stored is sound."""
        code = (
            "first, second = iter(sim({})), iter(sim({}))\nheld = next(first)\ntick('ready')\n"
            "while open('ticks').read().count('ready') < 2: time.sleep(0.005)\n"
            "print([(held, next(second))] + [(next(first), next(second)) for _ in range(24)])"
        )
        both = [begin(sim, code.format(*names)) for names in (("'a'", "'b'"), ("'b'", "'a'"))]

        assert [[(n, n) for n in upto(25)]] * 2 == [ast.literal_eval(finish(each)[0]) for each in both]
        assert verify(LocalStore(sim.store)).sound

    def test_a_suspended_loop_holds_up_nobody(self, sim: Programs) -> None:
        """Another process reads what is stored and computes more, while a loop waits for its consumer."""
        waiting = begin(sim, "it = iter(sim())\nfor _ in range(13): next(it)\ntick('ready')\ntime.sleep(20)")
        sim.wait_for_tick("ready")

        assert upto(10) == sim.ask("list(sim()[:10])")
        assert upto(30) == sim.ask("list(sim()[:30])")
        waiting.kill()
        assert verify(LocalStore(sim.store)).sound

    def test_a_suspended_loop_holds_up_no_thread(self, cache: Cache) -> None:
        """The same among threads of one process."""
        numbers = counted(cache).call
        loop = iter(numbers())
        assert upto(13) == [next(loop) for _ in range(13)]
        got: list[Any] = []
        thread = threading.Thread(target=lambda: got.append(numbers()[:30]), daemon=True)
        thread.start()
        thread.join(5.0)

        assert [upto(30)] == got
        assert upto(40, 14) == [next(loop) for _ in range(27)]

    def test_the_lock_is_free_between_two_items(self, cache: Cache) -> None:
        """And taken while an item is computed."""
        free: list[bool] = []

        def look() -> None:
            with cache.turn(key, wait=False) as turn:
                free.append(turn.mine)

        @cached(cache=cache)
        def numbers() -> Iterator[int]:
            for number in itertools.count(1):
                run_threads(look, 1)
                yield number

        key = numbers().key
        for number in numbers():
            run_threads(look, 1)
            if number == 3:
                break
        assert [False, True] * 3 == free


class TestOvertaken:
    """Others have stored more, while a loop waited for its consumer."""

    def test_a_loop_that_was_overtaken_reads(self, cache: Cache) -> None:
        """What was stored meanwhile is not computed again, and the loop goes on behind it."""
        numbers = counted(cache)
        loop = iter(numbers.call())
        assert upto(30) == [next(loop) for _ in range(30)]
        assert upto(60) == numbers.call()[:60]

        assert upto(65, 31) == [next(loop) for _ in range(35)]
        assert upto(65) == numbers.made

    def test_what_a_loop_of_this_thread_holds_back_is_not_computed_again(self, cache: Cache) -> None:
        """It is stored before others compute from there on."""
        numbers = counted(cache)
        loop = iter(numbers.call())
        assert upto(35) == [next(loop) for _ in range(35)]

        assert upto(60) == numbers.call()[:60]
        assert upto(65, 36) == [next(loop) for _ in range(30)]
        assert upto(65) == numbers.made
        assert upto(64, 1) == numbers.call()[:64]

    def test_by_another_process(self, sim: Programs) -> None:
        """Neither what the other stored is computed here, nor is it stored twice."""
        waiting = begin(
            sim,
            "it = iter(sim())\nfor _ in range(13): next(it)\ntick('ready')\n"
            "while not os.path.exists('go'): time.sleep(0.005)\nprint([next(it) for _ in range(20)])",
        )
        sim.wait_for_tick("ready")
        assert upto(30) == sim.ask("list(sim()[:30])")
        (sim.folder / "go").touch()

        assert upto(33, 14) == ast.literal_eval(finish(waiting)[0])
        ticks = sim.ticks()
        assert [2, 1, 1] == [ticks.count(f"a{number}") for number in (12, 14, 31)]
        assert [(0, 10), (10, 10), (20, 10), (30, 3)] == sim.ask("[each.segment[:2] for each in sim().segments]")
        assert verify(LocalStore(sim.store)).sound

    def test_partly(self, cache: Cache) -> None:
        """Others stored fewer items than the loop has given: it goes on, and stores only what they have not."""
        numbers, others = counted(cache), counted(Cache(cache.near.url))
        loop = iter(numbers.call())
        assert upto(17) == [next(loop) for _ in range(17)]
        run_threads(lambda: others.call()[:14], 1)

        assert upto(25, 18) == [next(loop) for _ in range(8)]
        assert upto(25) == numbers.made
        assert [(0, 10), (10, 14), (14, 20)] == ranges(numbers.call())
        assert verify(LocalStore(cache.near.url)).sound

    def test_one_that_takes_no_state_goes_on_by_itself(self, cache: Cache) -> None:
        """It would have to begin anew to go on behind the others; it stores nothing that they have."""
        numbers, others = counted(cache, resumable=False), counted(Cache(cache.near.url), resumable=False)
        loop = iter(numbers.call())
        assert upto(7) == [next(loop) for _ in range(7)]
        run_threads(lambda: others.call()[:25], 1)

        assert upto(45, 8) == [next(loop) for _ in range(38)]
        assert upto(45) == numbers.made
        assert [(0, 10), (10, 20), (20, 25), (25, 30), (30, 40)] == ranges(numbers.call())

    def test_one_that_ended_meanwhile(self, cache: Cache) -> None:
        """The loop ends where the others found the end."""

        @cached(cache=cache)
        def numbers(*, resume: int | None = None) -> Iterator[Step[int]]:
            for number in upto(17, (resume or 0) + 1):
                yield Step(number, state=number)

        loop = iter(numbers())
        assert upto(3) == [next(loop) for _ in range(3)]
        assert upto(17) == numbers()[:40]

        assert upto(17, 4) == list(loop)

    def test_many_loops_at_once(self, sim: Programs) -> None:
        """Processes that loop over one series side by side, fast and slow: each gets the one straight run."""
        code = "got = []\nfor item in sim():\n    got.append(item)\n    time.sleep({})\n    if item == 45: break\nprint(got)"
        programs = [begin(sim, code.format(seconds)) for seconds in (0, 0.001, 0.004)]

        assert [upto(45)] * 3 == [ast.literal_eval(finish(each)[0]) for each in programs]
        assert upto(45) == sim.ask("list(sim()[:45])")
        assert verify(LocalStore(sim.store)).sound


class TestTheEndOfAProgram:
    """A program ends while the consumer of a loop runs."""

    @pytest.mark.parametrize(("every", "last"), [("1000", 700), ("10", 15)])
    def test_sigterm_between_two_items(self, sim: Programs, every: str, last: int) -> None:
        """All that was computed is kept, with the state, and the process dies of the signal."""
        code = f"for x in sim():\n    if x == {last}:\n        os.kill(os.getpid(), signal.SIGTERM)\n        time.sleep(20)"
        program = begin(sim, code, EVERY=every)
        out, err = finish(program)

        assert (-signal.SIGTERM, "", "") == (program.returncode, out, err)
        assert last == sim.ask("sim().stored")
        assert upto(last + 2) == sim.ask(f"list(sim()[:{last + 2}])")
        assert last + 2 == len(sim.ticks())
        assert verify(LocalStore(sim.store)).sound

    @pytest.mark.parametrize("at_five", ["os.kill(os.getpid(), signal.SIGTERM)", "slow()[:9]"])
    def test_a_second_sigterm_cuts_nothing(self, sim: Programs, at_five: str) -> None:
        """As `timeout` sends it, to the program and to its group; also while what the loop holds back is stored for a request."""
        sim.write(
            "slow.py",
            """
            from model import *
            def asked():
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.05)
                return 1
            @cached(every=1000)
            def slow(*, resume=None):
                while True:
                    yield Step(7, state=asked)
            """,
        )
        program = sim.start("-c", f"from slow import *\nfor n, _ in enumerate(slow(), 1):\n    if n == 5: {at_five}")
        finish(program)

        assert -signal.SIGTERM == program.returncode
        assert (5, 1) == sim.ask("slow().stored, slow().state(5)", "slow")

    def test_sigterm_while_the_consumer_is_in_a_store(self, sim: Programs) -> None:
        """The store comes to its end first: it may hold a lock that keeping the items would wait for."""
        code = """
from simcache.stores.writer import Writer
lock, put, due = threading.Lock(), Writer.put, []
def locked(*given, **options):
    with lock:
        if due:
            os.kill(os.getpid(), due.pop())
            time.sleep(0.05)
        return put(*given, **options)
Writer.put = locked
@cached
def other(x):
    due.append(signal.SIGTERM)
    return x
for x in sim():
    if x == 15:
        other(x)
        time.sleep(20)
"""
        program = begin(sim, code)
        out, err = finish(program)

        assert (-signal.SIGTERM, "", "") == (program.returncode, out, err)
        assert 15 == sim.ask("sim().stored")
        assert verify(LocalStore(sim.store)).sound

    def test_sigterm_while_the_consumer_imports_what_storing_needs(self, sim: Programs) -> None:
        """The import comes to its end first: a module that is there by half serves nobody."""
        sim.write("half.py", "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(0.05)\nWHOLE = 7")
        sim.write(
            "lazy.py",
            """
            from model import *
            def state():
                import half
                return half.WHOLE
            @cached(every=1000)
            def lazy(*, resume=None):
                while True:
                    yield Step(7, state=state)
            """,
        )
        code = "from lazy import *\nfor n, _ in enumerate(lazy(), 1):\n    if n == 5:\n        import half\n        time.sleep(20)"
        program = sim.start("-c", code)
        out, err = finish(program)

        assert (-signal.SIGTERM, "", "") == (program.returncode, out, err)
        assert (5, 7) == sim.ask("lazy().stored, lazy().state(5)", "lazy")

    def test_handlers_of_the_users_own(self, sim: Programs) -> None:
        """They find everything stored; one that lets the program go on finds nothing missing or twice."""
        code = """
signal.signal(signal.SIGTERM, lambda *given: print('mine', given[0], sim().stored))
print([x for x in zip(range(1, 26), sim()) if x[0] != 15 or os.kill(os.getpid(), signal.SIGTERM) is None][-1], signal.getsignal(15).__name__)
"""
        program = begin(sim, code, EVERY="1000")
        out, err = finish(program)

        assert (0, "", ["mine 15 15", "(25, 25) <lambda>"]) == (program.returncode, err, out.splitlines())
        assert upto(25) == sim.ask("list(sim()[:25])")
        assert 25 == len(sim.ticks())

    @pytest.mark.parametrize(
        ("handler", "code"), [("lambda *_: os._exit(7)", 7), ("lambda *_: sys.exit(8)", 8), ("signal.SIG_DFL", -signal.SIGINT)]
    )
    def test_sigint_with_another_handler_than_the_usual(self, sim: Programs, handler: str, code: int) -> None:
        """Whatever it does, all was kept before."""
        program = begin(
            sim, f"signal.signal(signal.SIGINT, {handler})\nfor x in sim():\n    if x == 15: os.kill(os.getpid(), signal.SIGINT)"
        )
        finish(program)

        assert code == program.returncode
        assert 15 == sim.ask("sim().stored")

    def test_a_handler_that_is_set_in_the_loop(self, sim: Programs) -> None:
        """It stands from then on, also after the loop, and may call the one that stood before it."""
        code = """
for x in sim():
    if x == 3:
        before = signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, mine := lambda *given: (print('mine', flush=True), before(*given)))
    if x == 15:
        if 'AFTER' in os.environ: break
        os.kill(os.getpid(), signal.SIGTERM)
print(signal.getsignal(signal.SIGTERM) is mine, flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""
        for variables, said in (({}, ["mine"]), ({"AFTER": "1"}, ["True", "mine"])):
            program = begin(sim, code, **variables)
            out, err = finish(program)
            assert (-signal.SIGTERM, said, "") == (program.returncode, out.split(), err)
            assert 15 == sim.ask("(sim().stored, sim.forget())[0]")

    @pytest.mark.parametrize(
        ("end", "code"),
        [
            ("", 0),
            ("sys.exit('bye')", 1),
            ("raise KeyError(x)", 1),
            ("os.kill(os.getpid(), signal.SIGINT)", None),
            ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)); os.kill(os.getpid(), signal.SIGTERM)", 9),
        ],
    )
    def test_a_program_that_ends_while_somebody_holds_a_loop(self, sim: Programs, end: str, code: int | None) -> None:
        """All is kept, with the state, however it ends."""
        program = begin(sim, f"sys.held = loop = iter(sim())\nfor x in loop:\n    if x == 15:\n        {end or 'break'}")
        finish(program)

        assert program.returncode == code or code is None
        assert 15 == sim.ask("sim().stored")
        assert upto(17) == sim.ask("list(sim()[:17])")
        assert 17 == len(sim.ticks())

    def test_large_items_at_the_end_of_a_program(self, sim: Programs) -> None:
        """Also those of which a thread would hash the bytes: none begins any more by then."""
        sim.write(
            "large.py",
            """
            import numpy as np
            from simcache import Step, cached
            @cached(every=1000)
            def large(*, resume=None):
                while True:
                    yield Step(np.ones(200_000), state=1)
            """,
        )
        program = sim.start("-c", "from large import *\nloop = iter(large())\nfor _ in range(3): next(loop)")

        assert ("", "") == finish(program)
        assert (3, 1) == sim.ask("large().stored, large().state(3)", "large")

    def test_a_loop_in_a_thread(self, sim: Programs) -> None:
        """A program that ends keeps what its threads have computed; and of a signal, where the main thread has a loop, too."""
        loop = "loop = iter(sim('t'))\nfor x in loop:\n    if x == 15: break"
        code = f"""
def work():
    global loop
    {loop.replace(chr(10), chr(10) + "    ")}
    tick('ready')
    time.sleep(20)
thread = threading.Thread(target=work, daemon=True)
thread.start()
while not os.path.exists('ticks') or 'ready' not in open('ticks').read(): time.sleep(0.005)
if sys.argv[1:] == ['signal']:
    for x in sim('m'):
        if x == 7: os.kill(os.getpid(), signal.SIGTERM)
"""
        for argument, stored in (("", (15, 0)), ("signal", (15, 7))):
            sim.start("-c", f"from model import *\n{code}", argument).wait(20.0)
            assert stored == sim.ask("sim('t').stored, sim('m').stored")
            assert 15 == sim.ask("sim('t').state(15)")
            (sim.folder / "ticks").unlink()
            sim.ask("sim('t').key, [sim.forget(name) for name in 'tm']")

    def test_a_thread_in_the_middle_of_an_item(self, sim: Programs) -> None:
        """The items before it are kept; their state is gone, so the next run computes from the last stored one."""
        sim.write(
            "stuck.py",
            """
            from model import *
            @cached(every=10)
            def stuck(*, resume=None):
                for number in range((resume or 0) + 1, 100):
                    if number == 15 and 'STUCK' in os.environ:
                        tick('stuck')
                        time.sleep(20)
                    yield Step(number, state=number)
            """,
        )
        code = """
from stuck import *
threading.Thread(target=lambda: stuck()[:20], daemon=True).start()
while not os.path.exists('ticks'): time.sleep(0.005)
"""
        assert ("", "") == finish(sim.start("-c", code, STUCK="1"))
        assert (14, None, upto(20)) == sim.ask("stuck().stored, stuck().state(14), list(stuck()[:20])", "stuck")
        assert verify(LocalStore(sim.store)).sound

    def test_a_forked_child_ends_when_it_is_told_to(self, sim: Programs) -> None:
        """Neither a child that is forked between two items nor one of the middle of an item waits for items of its parent."""
        sim.write(
            "forks.py",
            """
            from model import *
            def told():
                child = os.fork()
                if child == 0:
                    time.sleep(20)
                    os._exit(0)
                time.sleep(0.05)
                os.kill(child, signal.SIGTERM)
                return os.waitpid(child, 0)[1]
            @cached
            def within():
                while True:
                    yield told()
            """,
        )
        began = time.monotonic()
        out = sim.run("-c", "from forks import *\nfor x in sim():\n    if x == 5: print(told()); break\nprint(list(within()[:1]))")

        assert ["15", "[15]"] == out.split()
        assert time.monotonic() - began < 15.0
        assert 5 == sim.ask("sim().stored")

    def test_a_loop_that_nobody_holds_is_ended_at_once(self, cache: Cache) -> None:
        """What waits for the end of the program holds no loop."""
        numbers = counted(cache)
        loop = iter(numbers.call())
        assert upto(5) == [next(loop) for _ in range(5)]
        del loop

        assert 5 == numbers.call().stored
        assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


class TestItemsAsResults:
    """What a series gives, as the result of another cached function."""

    def test_items_are_stored_as_the_list_that_they_are(self, cache: Cache) -> None:
        """Alone, inside other data, and as an item of another series."""
        numbers = counted(cache).call
        called: list[str] = []

        @cached(cache=cache)
        def first(count: int) -> list[int]:
            called.append("first")
            return numbers()[:count]  # type: ignore[no-any-return]

        @cached(cache=cache)
        def within(count: int) -> dict[str, Any]:
            called.append("within")
            return {"items": numbers()[:count], "array": np.arange(3)}

        @cached(cache=cache)
        def rows() -> Iterator[list[int]]:
            for count in itertools.count(1):
                yield numbers()[:count]

        for _ in range(2):
            assert upto(5) == first(5)
            assert upto(4) == within(4)["items"]
            assert [[1], [1, 2]] == rows()[:2]
        assert ["first", "within"] == called
        assert [list, list, list] == [type(first(5)), type(within(4)["items"]), type(rows()[1])]

    def test_items_that_a_deadline_cut_are_not_stored(self, cache: Cache) -> None:
        """Another computer would have more or fewer of them."""
        numbers = counted(cache).call

        @cached(cache=cache)
        def hurried() -> Items[int]:
            taken: Items[int] = numbers().take(10**9, deadline=0.0)
            return taken

        with pytest.warns(NotStored, match="a deadline came after 0 items"):
            hurried()
        assert hurried.entry() is None


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"a": 1}, {"b": 1}], r"items\[1\] has no 'a', unlike items\[0\]"),
        ([{"a": 1}, {"a": 1}, {"a": 1, "b": 1}], r"items\[2\] has 'b', unlike items\[0\]"),
        ([{"a": {"b": 1}}, {"a": {}}], r"items\[1\]\['a'\] has no 'b'"),
        ([{"a": np.zeros(2)}, {"a": np.zeros(3)}], r"items\[1\]\['a'\] has the shape \(3,\), unlike the \(2,\) of items\[0\]\['a'\]"),
        ([(1, [2]), (1, [2, 3])], r"items\[1\]\[1\] has 2 parts, unlike the 1 of items\[0\]\[1\]"),
        ([{"a": 1}, 7], r"items\[1\] is a int, unlike the dict items\[0\]"),
    ],
)
def test_items_of_different_forms_are_not_stacked(cache: Cache, items: list[Any], said: str) -> None:
    """The error names the item and the field."""

    @cached(cache=cache)
    def unlike() -> Iterator[Any]:
        yield from items

    with pytest.raises(ValueError, match=said):
        unlike().stack(len(items))

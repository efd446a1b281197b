"""What went wrong before: two incidents of our own, and what was measured on the caches that people use; each as a test of its name."""

import os
import pickle
import random
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simcache.cache import Cache
from simcache.decorator import Cached, cached
from simcache.errors import NotStored
from simcache.model import INLINE, blob_of
from simcache.series import Step
from simcache.stores.local import LocalStore
from simcache.upkeep.verify import verify
from tests.simcache.faulty import untrusted
from tests.simcache.programs import TICKS, Programs, finish, programs_in
from tests.simcache.stored import files_under, keep, value_blob


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "store")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with programs_in(tmp_path) as programs:
        yield programs


@dataclass(frozen=True)
class Scenario:
    name: str
    density: float
    inflow: float = 0.4


class TestOurs:
    """Two incidents, as regression tests."""

    def test_a_baseline_cached_under_the_name_of_its_scenario(self, cache: Cache) -> None:
        """0.175 was served where 0.2125 was asked for, which turned +12 % into −42.8 %: the density is part of the key."""

        @cached(cache=cache)
        def baseline(scenario: Scenario) -> float:
            return 1000.0 * scenario.density

        calm, dense = Scenario("Victoria Island", 0.175), Scenario("Victoria Island", 0.2125)
        assert 175.0 == baseline(calm)
        assert baseline.entry(dense) is None
        assert 212.5 == baseline(dense)
        assert baseline.key(calm) != baseline.key(dense)
        assert ["scenario.density"] == [difference.path for difference in baseline.explain(Scenario("Victoria Island", 0.3)).differences]
        controlled = 1.12 * 212.5
        assert 0.12 == pytest.approx(controlled / baseline(dense) - 1.0)

    def test_a_stored_run_of_40_was_extended_by_0(self, cache: Cache) -> None:
        """40 were stored, 41 were asked for, none was computed and 40 came back: it is one that is computed, and 41 that come."""
        made: list[int] = []

        @cached(cache=cache)
        def run(density: float, *, resume: int | None = None) -> Iterator[Step[float]]:
            for number in count((resume or 0) + 1):
                made.append(number)
                yield Step(number * density, state=number)

        run(0.175)[:40]
        made.clear()
        items = run(0.175)[:41]

        assert ([41], 41, 41 * 0.175) == (made, len(items), items[-1])


class TestWrongResults:
    """Results of other functions, other code and other values."""

    def test_closures(self, cache: Cache) -> None:
        """Two functions of one text that captured other values answered for each other."""

        def scaled(factor: float) -> Cached[[float], float]:
            @cached(cache=cache)
            def scale(value: float) -> float:
                return factor * value

            return scale

        double, triple = scaled(2.0), scaled(3.0)
        assert [(2.0, 3.0)] * 2 == [(double(1.0), triple(1.0)) for _ in range(2)]

    @pytest.mark.parametrize(
        ("file", "old", "new", "expected"),
        [
            ("law.py", "return 2 * x", "return 3 * x", 3),
            ("law.py", "OFFSET = 0", "OFFSET = 5", 7),
            ("model.py", "FACTOR = 1", "FACTOR = 4", 8),
            ("model.py", "return FACTOR", "return 10 * FACTOR", 20),
        ],
    )
    def test_a_changed_helper_or_constant(self, programs: Programs, file: str, old: str, new: str, expected: int) -> None:
        """What a helper in another file, or a constant, was when a result was stored: the old result was served."""
        texts = {
            "law.py": "OFFSET = 0\ndef law(x):\n    return 2 * x + OFFSET\n",
            "model.py": TICKS + "from simcache import cached\nfrom law import law\nFACTOR = 1\n"
            "@cached\ndef f(x):\n    tick('f')\n    return FACTOR * law(x)\n",
        }
        for name, text in texts.items():
            programs.write(name, text)
        assert (2, 2) == programs.ask("f(1), f(1)")
        programs.write(file, texts[file].replace(old, new))

        assert expected == programs.ask("f(1)")
        programs.write(file, texts[file])
        assert 2 == programs.ask("f(1)")
        assert ["f", "f"] == programs.ticks()

    def test_one_scripts_f_answers_for_anothers(self, programs: Programs) -> None:
        """Two scripts with a function f: by bare name they are one."""
        for folder, factor in (("one", 2), ("two", 3)):
            programs.write(
                f"{folder}/script.py",
                f"from simcache import cached\n@cached\ndef f(x):\n    return g(x)\ndef g(x):\n    return {factor} * x\nprint(f(5))\n",
            )
        programs.write("same.py", "from simcache import cached\n@cached\ndef f(x):\n    return 7 * x\nprint(f(5))\n")

        for _ in range(2):
            assert ["10", "15", "35"] == [programs.run(script) for script in ("one/script.py", "two/script.py", "same.py")]

    def test_an_argument_that_was_changed_after_the_call(self, cache: Cache) -> None:
        """Caches that keep the object itself serve what the caller made of it."""

        @cached(cache=cache)
        def ordered(numbers: list[int]) -> list[int]:
            return sorted(numbers)

        given = [3, 1, 2]
        first = ordered(given)
        first.append(99)
        given.append(0)
        assert [1, 2, 3] == ordered([3, 1, 2])
        assert [0, 1, 2, 3] == ordered(given)


class TestDamage:
    """Bytes that are no longer what was stored."""

    @pytest.fixture
    def field(self, cache: Cache) -> Cached[[int], Any]:
        @cached(cache=cache)
        def field(n: int) -> Any:
            return np.random.default_rng(n).random(16_384)

        field(5)
        return field

    def blob(self, field: Cached[[int], Any]) -> Path:
        entry = field.entry(5)
        assert entry is not None
        return Path(field.cache.near.url) / value_blob(entry)

    def test_random_bit_flips(self, field: Cached[[int], Any]) -> None:
        """Of 30 random bit flips, 24 to 30 were served as good data: here none."""
        expected = field.compute(5)
        sound = self.blob(field).read_bytes()
        chance = random.Random(3)
        for _ in range(30):
            at = chance.randrange(8 * len(sound))
            spoiled = bytearray(sound)
            spoiled[at // 8] ^= 1 << at % 8
            self.blob(field).write_bytes(spoiled)
            again = cached(cache=Cache(field.cache.near.url))(field.compute)
            with pytest.warns(NotStored, match="the bytes differ from what was stored"):
                assert np.array_equal(expected, again(5))
            assert sound == self.blob(field).read_bytes()

    def test_a_hole_of_zeros(self, field: Cached[[int], Any]) -> None:
        """What a file system leaves after a crash: blocks of zeros, of the right length."""
        expected = field.compute(5)
        sound = self.blob(field).read_bytes()
        for start, length in [(0, 4096), (65_536, 4096), (len(sound) - 4096, 4096), (0, len(sound))]:
            self.blob(field).write_bytes(sound[:start] + bytes(length) + sound[start + length :])
            again = cached(cache=Cache(field.cache.near.url))(field.compute)
            with pytest.warns(NotStored):
                assert np.array_equal(expected, again(5))


class Bomb:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


LONG = 1 << 4 * INLINE
"""A number that is too long to stand in its entry."""


class TestPlantedPickles:
    """Whoever could write a file into the cache's folder could run code."""

    @pytest.mark.parametrize("what", ["blob", "entry"])
    def test_in_the_place_of_a_result(self, cache: Cache, tmp_path: Path, what: str) -> None:
        """A pickle instead of the bytes that were stored is damage."""
        f = cached(cache=cache)(_number)
        f(LONG)
        entry = f.entry(LONG)
        assert entry is not None
        (tmp_path / "store" / (entry.name if what == "entry" else value_blob(entry))).write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))

        with pytest.warns(NotStored, match="is damaged"):
            assert LONG == cached(cache=Cache(tmp_path / "store"))(f.compute)(LONG)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("place", ["near", "far", "stranger"])
    def test_with_an_entry_of_its_own(self, tmp_path: Path, place: str) -> None:
        """A whole forged result, names and digests right: a function that asks for no pickle opens none, from wherever."""
        f = cached(cache=Cache(tmp_path / "near"))(_number)
        forger = Cache(tmp_path / ("near" if place == "near" else "far"))
        planted = keep(forger, 0, 0)
        data = pickle.dumps(Bomb(tmp_path / "ran"))
        blob = blob_of([data])
        forger.near.put(blob.name, [data])
        made = planted.made._replace(at="2000-01-01T00:00:00.000000Z")
        described = {"codec": "pickle", "blobs": [0]}
        forged = planted._replace(key=f.key(1), function=f.name, made=made, blobs=(blob,), parts=None, value=described, arguments={})
        forger.near.put(forged.name, [forged.to_bytes()])
        far = [] if place == "near" else [LocalStore(tmp_path / "far") if place == "far" else untrusted(LocalStore(tmp_path / "far"))]
        g = cached(cache=Cache(tmp_path / "near", far=far))(f.compute)

        with pytest.warns(NotStored, match="a pickled value of .* was refused"):
            assert 1 == g(1)
        assert 1 == g(1)
        assert not (tmp_path / "ran").exists()


def _number(n: int) -> int:
    return n


def _bytes_in(folder: Path) -> int:
    """How many bytes the files of a folder have that is being worked in."""
    found = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            found += path.stat().st_size
    return found


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
class TestKills:
    """What a process leaves that is ended in the middle."""

    def test_a_kill_leaves_no_garbage(self, programs: Programs) -> None:
        """A kill -9 left up to 268 MB for each kill, or an unreadable store: here the next writer clears up."""
        programs.write(
            "model.py",
            """
            import numpy as np
            from simcache import cached
            @cached
            def big(n): return np.full(6_000_000, float(n))
            @cached
            def small(n): return n
            """,
        )
        unfinished = programs.store / ".local" / "tmp"
        caught = 0
        for attempt in range(20):
            writer = programs.start("-c", f"from model import *; big({attempt})")
            while writer.poll() is None and _bytes_in(unfinished) < 100_000:
                time.sleep(0.0005)
            writer.kill()
            finish(writer)
            caught += _bytes_in(unfinished) > 0
            if caught == 3:
                break
        assert caught
        assert 7 == programs.ask("small(7)")

        assert 0 == _bytes_in(unfinished)
        assert verify(LocalStore(programs.store)).sound
        assert [0.0, 1.0] == programs.ask("[float(big(0)[-1]), float(big(1)[0])]")

    def test_a_killed_owner_blocks_nobody(self, programs: Programs) -> None:
        """Whoever waited for a killed owner waited for ever: here another goes on within 1.5 seconds."""
        programs.write(
            "model.py",
            TICKS + "import time\nfrom simcache import cached\n@cached\ndef slow(n):\n    tick('begun')\n"
            "    time.sleep(0 if os.path.exists('go') else 60)\n    return n\n",
        )
        owner = programs.start("-c", "from model import *; slow(1)")
        programs.wait_for_tick("begun")
        (programs.folder / "go").touch()
        waiter = programs.start("-c", "from model import *; tick('waiting'); print(slow(1))")
        programs.wait_for_tick("waiting")
        time.sleep(0.2)
        owner.kill()
        began = time.monotonic()
        programs.wait_for_tick("begun", 2)
        waited = time.monotonic() - began

        assert waited < 1.5
        assert ("1\n", "") == finish(waiter)

    def test_other_keys_do_not_wait(self, programs: Programs) -> None:
        """A lock around the whole cache made every key wait for the slowest."""
        programs.write(
            "model.py",
            TICKS + "import time\nfrom simcache import cached\n@cached\ndef slow(n):\n    tick(f'begun{n}')\n"
            "    time.sleep(60 if n == 0 else 0)\n    return n\n",
        )
        programs.start("-c", "from model import *; slow(0)")
        programs.wait_for_tick("begun0")

        assert [1, 2, 3, 1, 2, 3] == programs.ask("[slow(n) for n in (1, 2, 3, 1, 2, 3)]")
        assert ["begun0", "begun1", "begun2", "begun3"] == programs.ticks()


class TestEviction:
    """Results that went without a word."""

    def test_nothing_is_evicted_by_itself(self, cache: Cache) -> None:
        """A default limit threw away what had just been stored: here everything stays until somebody prunes."""
        made: list[int] = []

        @cached(cache=cache)
        def field(n: int) -> Any:
            made.append(n)
            return np.full(100_000 if n < 30 else 10, float(n))

        numbers = range(300)
        for n in numbers:
            field(n)
        again = cached(cache=Cache(cache.near.url))(field.compute)

        assert [float(n) for n in numbers] == [float(again(n)[-1]) for n in numbers]
        assert list(numbers) == made
        assert 300 == sum(name.startswith("entries/") for name in files_under(Path(cache.near.url)))

    def test_one_large_result_stays(self, cache: Cache) -> None:
        """A result larger than others' default limits for one item is stored like any other."""
        made: list[int] = []

        @cached(cache=cache)
        def large(n: int) -> Any:
            made.append(n)
            return np.zeros(6_000_000)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            large(1)
            assert (6_000_000,) == large(1).shape
        assert [1] == made

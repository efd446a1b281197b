"""Modules that a function imports as it runs: its key is the same before and after, and what is bound anew in them counts."""

import pytest

from tests.simcache.world import World, package

LATE = """
@cached
def f(x):
    from pkg.late import THING
    return x, THING
@cached
def doubled(x):
    from pkg import late
    return x * late.THING
"""
THINGS = {
    "a number": "THING = 2",
    "a sum": "import math\nTHING = math.sqrt(2)",
    "a table": "import numpy as np\nTHING = np.linspace(0, 1, 5)",
    "a record": "class C:\n    def __init__(self, a): self.a = a\nTHING = C(2)",
    "a plain namespace": "import types\nTHING = types.SimpleNamespace(a=1)",
    "an enumeration": "import enum\nclass THING(enum.Enum):\n    A = 1",
    "an enumeration of numbers": "import enum\nclass THING(enum.IntEnum):\n    A = 1\n    B = 2",
    "an enumeration of texts": "import enum\nclass THING(enum.StrEnum):\n    A = 'a'",
    "flags": "import enum\nclass THING(enum.IntFlag):\n    A = enum.auto()\n    B = enum.auto()",
    "a dataclass": "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass THING:\n    a: int = 1",
    "a function chosen by an if": "import sys\nif sys.byteorder == 'little':\n    def THING(): return 1\nelse:\n    def THING(): return 2",
    "a class chosen by an if": "import sys\nif sys.byteorder == 'little':\n    class THING: a = 1\nelse:\n    class THING: a = 2",
    "a function chosen by a try": "try:\n    from nowhere import THING\nexcept ImportError:\n    def THING(): return 2",
    "a list that others fill": "THING = []\ndef add(member): THING.append(member)",
    "a registry": "THING = {}\ndef add(f):\n    THING[f.__name__] = f\n    return f\n@add\ndef one(): return 1",
    "a partial": "import functools\ndef g(a, b): return a + b\nTHING = functools.partial(g, 1)",
    "a closure": "def make(k):\n    def g(a): return a * k\n    return g\nTHING = make(3)",
    "an object that changes": "class C:\n    n = 0\n    def step(self): self.n += 1\nTHING = C()",
    "a generic function": "import functools\n@functools.singledispatch\ndef THING(a): return a\n@THING.register\ndef _(a: int): return a + 1",
}


@pytest.mark.parametrize("text", THINGS.values(), ids=THINGS)
def test_a_key_is_the_same_whether_a_module_is_loaded_yet(text: str, world: World) -> None:
    """What one process computes with the module loaded, another finds without, and a call that loads it changes nothing."""
    world.write(package(LATE, late=text))

    before = world.ask("f.key(1)")
    assert world.ask("(__import__('pkg.late'), f.key(1))[1]") == before
    assert world.ask("(f.key(1), __import__('pkg.late'), f.key(1))[::2]") == f"({before}, {before})"


@pytest.mark.parametrize("asked", ["", "f.key(1)", "doubled(1)"], ids=["not at all", "for a key", "for a result"])
def test_what_is_bound_anew_in_a_module_that_is_loaded_later_counts(asked: str, world: World) -> None:
    """A sweep over a constant of a module that only the function imports: no value of it answers for another."""
    world.write(package(LATE, late="THING = 2"))
    with world.live() as process:
        process.do(f"from pkg.mod import *; {asked}")
        process.do("import pkg.late; pkg.late.THING = 3")

        assert process.do("answer = doubled(5)") == "15"
    assert world.ask("doubled(5)") == "10"


CALLED_AS_LOADED = """
import time
from pkg.mod import ask
entered = time.sleep(0.2)
START = ask(3)
def make(k):
    def scaled(x): return x * k
    return scaled
THING = make(START)
"""


def test_two_threads_that_load_and_ask_do_not_wait_for_each_other(world: World) -> None:
    """A module that calls something cached as it is loaded needs a key then, while another thread has it loaded for a key."""
    world.write(package(f"{LATE}@cached\ndef ask(x): return x\n", late=CALLED_AS_LOADED))
    threads = """
import faulthandler, importlib, threading
faulthandler.dump_traceback_later(20, exit=True)
from pkg.mod import f
asked = threading.Thread(target=f.key, args=(1,))
asked.start()
importlib.import_module("pkg.late")
asked.join()
answer = f.key(1)
"""
    before = world.ask("f.key(1)")
    with world.live() as process:
        assert process.do(threads) == before

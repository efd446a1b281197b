"""What a program changes in place before it first calls anything: nobody had asked for a key yet that could have told."""

import pytest

from tests.simcache.world import World, package

COMPUTED = """
from collections import defaultdict, deque, namedtuple
from functools import singledispatch
import numpy as np
DICT = {i: i * 2 for i in range(3)}
NESTED = {name: {"rates": [i, 2]} for i, name in enumerate("ab")}
FILLED = []
for i in range(3): FILLED.append(i * 2)
DEFAULTS = defaultdict(int, {"a": int("2")})
LAST = deque(range(3), 2)
ARRAY = np.arange(3) * 2.0
LARGE = {(i, -i): [i * 2] for i in range(2000)}
MANY = np.arange(100_000) * 2.0
PAIR = [i * 2 for i in range(3)], 1
Named = namedtuple("Named", "rates limits")
NAMED = Named(np.arange(3) * 2.0, [i * 2 for i in range(3)])
BY_NAME = {"a": Named(np.arange(3), [i * 2 for i in range(3)])}
SET = set(range(3))
class Options:
    k = int("2")
class Others:
    pass
for each in (Options, Others): each.n = 2
class Table:
    rates = {}
    @classmethod
    def put(cls, name, rate): cls.rates[name] = rate
Table.put("a", 2)
class Scale:
    def __init__(self, k): self.k = k
    def __call__(self, x): return self.k * x
class Model:
    run = Scale(2)
TWICE = 1
TWICE += len(FILLED) - 2
def last(x): return x
last = (lambda function: lambda x: function(x) * 2)(last)
class Tables:
    doubles = {i: i * 2 for i in range(3)}
    array = np.arange(3) * 2
    class Inner:
        doubles = [i * 2 for i in range(3)]
Made = type("Made", (), {"k": 2, "run": lambda self, x: 2})
def make(a):
    class C:
        doubles = [0, a]
        def run(self, x): return a
    return C
ByCall = make(2)
@singledispatch
def kind(x): return x * 2
@kind.register(str)
def _(x): return x
"""
CHANGES = {
    "an item of a dict": ("DICT[1]", "cfg.DICT[1] = {0}"),
    "an item that comes to a dict": ("DICT.get(7, 2)", "cfg.DICT[7] = {0}"),
    "an item of a list inside a dict": ("NESTED['b']['rates'][1]", "cfg.NESTED['b']['rates'][1] = {0}"),
    "an item of a list": ("FILLED[1]", "cfg.FILLED[1] = {0}"),
    "an item of a dict with defaults": ("DEFAULTS['a']", "cfg.DEFAULTS['a'] = {0}"),
    "an item of a queue": ("LAST[1]", "cfg.LAST[1] = {0}"),
    "an item of an array": ("int(ARRAY[1])", "cfg.ARRAY[1] = {0}"),
    "an array as a whole": ("int(ARRAY[1])", "cfg.ARRAY *= {0} / 2"),
    "an item of a large dict": ("LARGE[1, -1][0]", "cfg.LARGE[1, -1][0] = {0}"),
    "an item of a large array": ("int(MANY[1])", "cfg.MANY[1] = {0}"),
    "a list in a tuple": ("PAIR[0][1]", "cfg.PAIR[0][1] = {0}"),
    "an array in a tuple with names": ("NAMED.rates.tolist()[1]", "cfg.NAMED.rates[1] = {0}"),
    "a list in a tuple with names": ("NAMED.limits[1]", "cfg.NAMED.limits[1] = {0}"),
    "a list in a tuple in a dict": ("BY_NAME['a'].limits[1]", "cfg.BY_NAME['a'].limits[1] = {0}"),
    "a set": ("max(SET)", "cfg.SET.add({0})"),
    "an attribute of a class that is computed": ("Options.k", "cfg.Options.k = {0}"),
    "an attribute of a class that a loop set": ("Options.n", "cfg.Options.n = {0}"),
    "an attribute of a class that only a loop set": ("Others.n", "cfg.Others.n = {0}"),
    "an attribute of a class that is deleted and set": ("Others.n", "del cfg.Others.n; cfg.Others.n = {0}"),
    "an object in a class that is called": ("Model.run(x)", "cfg.Model.run = cfg.Scale({0})"),
    "a name that is bound twice": ("TWICE", "cfg.TWICE = {0}"),
    "a function that is bound twice": ("last(x)", "cfg.last = lambda x: {0}"),
    "a table of a class that a method fills": ("Table.rates['a']", "cfg.Table.put('a', {0})"),
    "a table of a class that is computed": ("Tables.doubles[1]", "cfg.Tables.doubles[1] = {0}"),
    "an array of a class": ("Tables.array[1]", "cfg.Tables.array[1] = {0}"),
    "a list of a class in a class": ("Tables.Inner.doubles[1]", "cfg.Tables.Inner.doubles[1] = {0}"),
    "an attribute of a class that `type` made": ("Made.k", "cfg.Made.k = {0}"),
    "a method of a class that `type` made": ("Made().run(x)", "cfg.Made.run = lambda self, x: {0}"),
    "a method of a class that a call made": ("ByCall().run(x)", "cfg.ByCall.run = lambda self, x: {0}"),
    "a list of a class that a call made": ("ByCall.doubles[1]", "cfg.ByCall.doubles[1] = {0}"),
    "a function with implementations": ("kind(x)", "cfg.kind = lambda x: {0}"),
}
FIRST = ("before", "after")
WHERE = {
    "where the function is": ("import pkg.mod as cfg", "{config}@cached\ndef f(x): return x * {asked}\n", ""),
    "where it is imported from": (
        "import pkg.config as cfg",
        "from pkg.config import *\n@cached\ndef f(x): return x * {asked}\n",
        "{config}",
    ),
    "in a module that is asked": (
        "import pkg.config as cfg",
        "from pkg import config\n@cached\ndef f(x): return x * config.{asked}\n",
        "{config}",
    ),
}


ASKED = "in a module that is asked"
WHEN = [
    pytest.param(where, first, marks=pytest.mark.deep if first == "after" and where != ASKED else ()) for where in WHERE for first in FIRST
]


@pytest.mark.parametrize(("where", "first"), WHEN)
@pytest.mark.parametrize("name", CHANGES)
def test_what_a_program_changes_before_its_first_call_counts(name: str, where: str, first: str, world: World) -> None:
    """Its results were stored as those of the text, and served to programs that had changed nothing, or something else."""
    asked, change = CHANGES[name]
    imported, own, config = WHERE[where]
    if where == ASKED:
        asked = asked.replace("int(ARRAY", "ARRAY").replace("int(MANY", "MANY").replace("1])", "1]").replace("max(SET)", "SET.__len__()")
    given = {part: text.format(config=COMPUTED, asked=asked) for part, text in (("own", own), ("config", config))}
    world.write(package(given["own"], config=given["config"]))
    plain = world.ask("f(1)")
    for value in (5, 6):
        with world.live() as process:
            process.do(f"{imported}\nfrom pkg.mod import f")
            if first == "after":
                assert process.do("answer = f(1)") == plain
            process.do(change.format(value))
            assert process.do("answer = f(1), f(1)") == process.do("answer = f.compute(1), f.compute(1)")
    assert world.ask("f(1), f.entry(1) is not None") == f"({plain}, True)"


@pytest.mark.parametrize("first", ["before", "after"])
def test_a_name_from_a_lazy_face_counts_as_it_is_bound(first: str, world: World) -> None:
    """The package does not hold what it gives, so nothing told that somebody had put another function there."""
    face = "def __getattr__(name):\n    from pkg import impl\n    return getattr(impl, name)\n"
    text = "from pkg.lazy import g\n@cached\ndef f(x): return g(x)\n"
    world.write(package(text, lazy=face, impl="def g(x): return x + 1\n"))
    plain = world.ask("f(1)")
    with world.live() as process:
        process.do("import pkg.mod\nfrom pkg.mod import f")
        if first == "after":
            assert process.do("answer = f(1)") == plain
        assert process.do("pkg.mod.g = lambda x: 5; answer = f(1), f(1)") == "(5, 5)"
    assert world.ask("f(1), f.entry(1) is not None") == f"({plain}, True)"


def test_what_nobody_changes_has_the_key_that_it_had(world: World) -> None:
    """Also where the program has called the code before, without the cache: what that fills and counts is its own."""
    text = f"{COMPUTED}MEMO, CALLS = {{}}, []\ndef g(x):\n    CALLS.append(x)\n    return MEMO.setdefault(x, x * DICT[1])\n@cached\ndef f(x): return g(x)\n"
    world.write(package(text))
    key = world.ask("f.key(1)")

    assert world.ask("g(1) + g(2) + f.compute(3) == 12 and f.key(1)") == key
    assert (
        world.ask("(DICT.get(7), [*NESTED], float(ARRAY.sum()), Options.k, max(SET), LAST[0], Made().run(1), ByCall().run(1)) and f.key(1)")
        == key
    )


def test_a_module_that_is_being_loaded_is_left_as_python_made_it(world: World) -> None:
    """Python is asked for the end of its loading by its specification, which is afterwards of the class that it was."""
    world.write(package("@cached\ndef f(x): return x\nimport pkg.more\n", more="from pkg.mod import f\nT = [*range(3)]\n"))
    with world.live() as process:
        process.do("import sys, pkg.mod; kinds = {type(sys.modules[name].__spec__) for name in ('pkg', 'pkg.mod', 'pkg.more')}")
        assert process.do("answer = kinds == {type(sys.__spec__)}, pkg.mod.f(1)") == "(True, 1)"
        assert (
            process.do("import importlib; importlib.reload(pkg.mod); answer = type(pkg.mod.__spec__) in kinds, pkg.mod.f(1)") == "(True, 1)"
        )


def test_what_fails_at_being_asked_stops_no_import(world: World) -> None:
    """What stands for something else (an application that is not there yet) fails at whatever it is asked; large things are not kept."""
    odd = (
        "import numpy as np\nclass Proxy:\n    def __getattribute__(self, name): raise RuntimeError(name)\n"
        "class Meta(type):\n    def __getattr__(cls, name): raise RuntimeError(name)\n"
        "class Odd(metaclass=Meta): pass\nPROXY = Proxy()\nHELD = [PROXY, Odd, np.zeros(100_000)]\nLAWS = {'a': 1, 'b': Odd}\n"
        "def register(law): LAWS['c'] = law\n"
    )
    world.write(package(f"{odd}@cached\ndef f(x): return x * len(LAWS)\nT = [*range(3)]\n@cached\ndef g(x): return x * T[1]\n"))
    with world.live() as process:
        process.do("import pkg.mod")
        assert process.do("answer = pkg.mod.g(2)") == "2"
        process.do("pkg.mod.T[1] = 7")
        assert process.do("answer = pkg.mod.g(2)") == "14"
        assert process.do("answer = pkg.mod.f(2)") == "4"


def test_a_module_that_fails_as_it_is_loaded_may_be_loaded_once_more(world: World) -> None:
    """What was known of it is of no use then."""
    world.write(
        package(
            "T = [*range(3)]\n@cached\ndef f(x): return x * T[1]\nimport pkg.more\n",
            more="import os\nif 'FAILS' in os.environ: raise ValueError\n",
        )
    )
    with world.live() as process:
        process.do("import os; os.environ['FAILS'] = '1'\ntry: import pkg.mod\nexcept ValueError: pass\ndel os.environ['FAILS']")
        process.do("import pkg.mod; pkg.mod.T[1] = 7")
        assert process.do("answer = pkg.mod.f(1)") == "7"
    assert world.ask("f(1)") == "1"


def test_what_python_keeps_in_a_class_as_code_runs_is_no_change(world: World) -> None:
    """A flag remembers each combination that was asked for, in a dict of its class: the key was another one after the first call."""
    flags = "import enum\nclass Way(enum.Flag):\n    WALK, RIDE, DRIVE = enum.auto(), enum.auto(), enum.auto()\n"
    world.write(package(f"{flags}@cached\ndef f(x): return (Way(3) | Way.DRIVE).value + x\n"))
    key = world.ask("f.key(1)")
    assert world.ask("f(1), f.key(1), f.entry(1) is not None") == f"(8, {key}, True)"


def test_what_was_changed_before_another_module_took_it_counts(world: World) -> None:
    """The module that takes a table by its name was looked at when it had been loaded, and what was in the table by then was taken for its own."""
    world.write(
        package(
            "from pkg.config import T\n@cached\ndef f(x): return x * T[1]\n",
            config="from simcache import cached\nT = {i: i * 2 for i in range(3)}\n@cached\ndef g(x): return x\n",
        )
    )
    plain = world.ask("f(1)")
    for value in (5, 6):
        with world.live() as process:
            process.do(f"import pkg.config as cfg; cfg.T[1] = {value}")
            assert process.do("from pkg.mod import f; answer = f(1), f(1)") == f"({value}, {value})"
    assert world.ask("f(1)") == plain

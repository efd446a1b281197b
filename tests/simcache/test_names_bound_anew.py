"""Names that are bound anew while a process runs: what they stand for now is the key."""

import pytest

from tests.simcache.world import World, package

REBOUND = """
from pkg import other
from pkg.more import *
FACTOR = 2
TABLE = {"a": [2]}
class Model:
    scale = 2
    def run(self, x): return x * 2
MODEL = Model()
MODEL.own = 2
def g(x): return x * 2
def box():
    value = 2
    def get(x): return x * value
    def put(new):
        nonlocal value
        value = new
    return get, put
get, put = box()
def default(x, factor=2): return x * factor
def marked(x): return x * marked.factor
marked.factor = 2
def far(x): return near(x)
def near(x): return x * FACTOR
@cached
def constant(x): return x * FACTOR
@cached
def imported(x): return x * other.FACTOR
@cached
def table(x): return x * TABLE["a"][0]
@cached
def callee(x): return g(x)
@cached
def deep(x): return far(x)
@cached
def method(x): return Model().run(x)
@cached
def attribute(x): return x * Model.scale
@cached
def instance(x): return x * MODEL.own
@cached
def captured(x): return get(x)
@cached
def defaulted(x): return default(x)
@cached
def tagged(x): return marked(x)
@cached
def lazy(x):
    from pkg.other import FACTOR as factor
    return x * factor
@cached
def builtin(x): return abs(x) * 2
import numpy as np
from types import SimpleNamespace
from dataclasses import dataclass, field
ARRAY = np.arange(2)
@dataclass
class Solver:
    factor: int = 2
    parts: list = field(default_factory=lambda: [SimpleNamespace(more=0)])
@dataclass
class Config:
    solver: Solver = field(default_factory=Solver)
CONFIG = Config()
class Derived(Model): pass
class Steps:
    def one(self, x): return x * 2
    def other(self, x): return x * 3
    @property
    def scale(self): return 2
    @classmethod
    def swap(cls): cls.one = cls.other
    def count(self): Steps.n = 1
    class Inner:
        def run(self, x): return x * 2
@cached
def step(x): return Steps().one(x)
@cached
def scaled(x): return x * Steps().scale
@cached
def inner(x): return Steps.Inner().run(x)
@cached
def starred(x): return law(x)
@cached
def times(x): return x * TIMES
@cached
def computed(x): return int(x + ARRAY.sum() + (x - 1))
@cached
def elsewhere(x): return x * len(other.LIST)
@cached
def nested(x): return x * (CONFIG.solver.factor + CONFIG.solver.parts[0].more)
@cached
def inherited(x): return Derived().run(x)
@cached
def starred_twice(x): return low(x)
def twice(x): return x
def twice(x): return x * 2
@cached
def defined_twice(x): return twice(x)
"""
BESIDE = {
    "other": "FACTOR = 2\nLIST = list(range(2))\n",
    "more": "from pkg.most import *\nTIMES = 2\ndef law(x): return x * 2\n",
    "most": "def low(x): return x * 2\n",
}
REBINDINGS = {
    "a constant": ("constant", "mod.FACTOR = 3"),
    "a constant of another module": ("imported", "mod.other.FACTOR = 3"),
    "a constant imported in the function": ("lazy", "mod.other.FACTOR = 3"),
    "a callee's callee's constant": ("deep", "mod.FACTOR = 3"),
    "a callee's callee": ("deep", "mod.near = lambda x: x * 3"),
    "a dict": ("table", 'mod.TABLE = {"a": [3]}'),
    "a dict in place": ("table", 'mod.TABLE["a"] = [3]'),
    "a list inside a dict in place": ("table", 'mod.TABLE["a"][0] = 3'),
    "a callee": ("callee", "mod.g = lambda x: x * 3"),
    "a callee's code": ("callee", "mod.g.__code__ = (lambda x: x * 3).__code__"),
    "a method": ("method", "mod.Model.run = lambda self, x: x * 3"),
    "a class": ("method", 'mod.Model = type("Model", (), {"run": lambda self, x: x * 3})'),
    "a class attribute": ("attribute", "mod.Model.scale = 3"),
    "an attribute of an instance": ("instance", "mod.MODEL.own = 3"),
    "a captured variable": ("captured", "mod.put(3)"),
    "a default": ("defaulted", "mod.default.__defaults__ = (3,)"),
    "an attribute of a function": ("tagged", "mod.marked.factor = 3"),
    "a builtin": ("builtin", "mod.abs = lambda x: x * 1.5"),
    "a computed array": ("computed", "mod.ARRAY = mod.np.full(3, 1)"),
    "a computed list of another module": ("elsewhere", "mod.other.LIST = [1, 1, 1]"),
    "a record inside a record": ("nested", "mod.CONFIG.solver.factor = 3"),
    "a record in a list of a record": ("nested", "mod.CONFIG.solver.parts[0].more = 1"),
    "a function in a wrapper": ("callee", "import functools; old = mod.g; mod.g = functools.wraps(old)(lambda x: old(x) * 3 // 2)"),
    "a method by another one of its class": ("step", "mod.Steps.one = mod.Steps.other"),
    "a method by another one of its class, by a class method": ("step", "mod.Steps.swap()"),
    "a method of a class whose methods set something in it": ("step", "mod.Steps.one = lambda self, x: x * 3"),
    "a property": ("scaled", "mod.Steps.scale = 3"),
    "a method of a class inside a class": ("inner", "mod.Steps.Inner.run = lambda self, x: x * 3"),
    "a class inside a class": ("inner", "mod.Steps.Inner = type('Inner', (), {'run': lambda self, x: x * 3})"),
    "a function of a star import": ("starred", "mod.law = lambda x: x * 3"),
    "a function of a star import of a star import": ("starred_twice", "mod.low = lambda x: x * 3"),
    "a function of a star import, in between": ("starred_twice", "import pkg.more; pkg.more.low = mod.low = lambda x: x * 3"),
    "a function that is defined twice": ("defined_twice", "mod.twice = lambda x: x * 3"),
    "a constant of a star import": ("times", "mod.TIMES = 3"),
    "a method that comes to a class": ("inherited", "mod.Derived.run = lambda self, x: x * 3"),
}


@pytest.mark.parametrize(("name", "rebind"), REBINDINGS.values(), ids=REBINDINGS)
@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after a call"])
def test_what_is_bound_anew_is_never_served_the_old_result(name: str, rebind: str, called: bool, world: World) -> None:
    """A patched process gets its own results, and leaves none of them to the processes after it."""
    world.write(package(REBOUND, **BESIDE))
    with world.live() as process:
        process.do("import pkg.mod as mod")
        if called:
            assert process.do(f"answer = mod.{name}(2)") == "4"
        process.do(rebind)

        assert process.do(f"answer = int(mod.{name}(2))") == "6"
        assert process.do(f"answer = int(mod.{name}(2))") == "6"
    assert world.ask(f"{name}(2)") == "4"


@pytest.mark.parametrize(
    ("then", "now"), [("1", "1.0"), ("(1, 2)", "(1.0, 2)"), ("0.0", "-0.0"), ("[1]", "[True]"), ("{'a': (0, [1])}", "{'a': (0, [1.0])}")]
)
def test_a_constant_is_another_one_though_python_calls_it_equal(then: str, now: str, world: World) -> None:
    """A list that is filled anew, in place, with numbers of another type."""
    world.write(package(f"HELD = [{then}]\n@cached\ndef f(): return repr(HELD[0])\n"))
    with world.live() as process:
        process.do("from pkg import mod; from pkg.mod import f")
        assert process.do("answer = f()") == repr(then)
        process.do(f"mod.HELD[0] = {now}")

        assert process.do("answer = f()") == repr(now)


SETTINGS = """
from dataclasses import dataclass, field
from types import SimpleNamespace
@dataclass
class Sub:
    k: int = 2
@dataclass
class Plain:
    sub: Sub = field(default_factory=Sub)
    k: int = 2
@dataclass
class Settable(Plain):
    def update(self, **given):
        for name, value in given.items(): setattr(self, name, value)
PLAIN = Plain()
SETTABLE = Settable()
SPACE = SimpleNamespace(k=2, sub=SimpleNamespace(k=2))
IN_A_DICT = {"a": Plain()}
NOTHING = None
class Kind:
    k = 2
    sub = Sub()
def function(): pass
function.k, function.sub = 2, Sub()
"""


@pytest.mark.parametrize("where", ["other", "mod"])
@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after a call"])
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("PLAIN", "Plain()"),
        ("SETTABLE", "Settable()"),
        ("SPACE", "SimpleNamespace(k=2, sub=SimpleNamespace(k=2))"),
        ("IN_A_DICT", "{'a': Plain()}"),
        ("Kind", "Plain()"),
        ("function", "Plain()"),
        ("NOTHING", "Plain()"),
    ],
)
def test_what_is_set_in_an_object_that_was_bound_anew_is_noticed(name: str, made: str, called: bool, where: str, world: World) -> None:
    """A script puts settings of its own in the place of the module's, and then goes on setting fields in them."""
    one = f"{name}['a']" if name == "IN_A_DICT" else name
    used = f"other.{one}" if where == "other" else one
    text = f"from pkg import other\nfrom pkg.other import *\n@cached\ndef f(x):\n    it = {used} or PLAIN\n    return x * it.k * it.sub.k\n"
    world.write(package(text, other=SETTINGS))
    with world.live() as process:
        process.do("from pkg import mod, other; from pkg.other import *")
        if called:
            assert process.do("answer = mod.f(1)") == "4"
        process.do(f"{where}.{name} = {made}")
        assert process.do("answer = mod.f(1)") == "4"
        process.do(f"{where}.{one}.k = 3")
        assert process.do("answer = mod.f(1)") == "6"
        process.do(f"{where}.{one}.sub.k = 5")
        assert process.do("answer = mod.f(1)") == "15"
        assert process.do("answer = mod.f(1), mod.f.explain(1).hit") == "(15, True)"


MANY = """
import functools
class Scaler:
    def __init__(self, k): self.k = k
    def __call__(self, x): return self.k * x
class Own:
    def __init__(self, f): self.f = f
    def __call__(self, x): return self.f(x)
def keep(made): return made
def plain(x): return 2 * x
plain.unit = "m"
@Own
def owned(x): return 2 * x
@keep
def kept(x): return 2 * x
class Set:
    k = 2
Set.unit = "m"
@keep
class Kept:
    k = 2
TABLE = {"a": 1}
TABLE.update(k=2)
@cached
def f(x): return plain(x)
@cached
def g(x): return owned(x)
@cached
def h(x): return kept(x)
@cached
def i(x): return Set.k * x
@cached
def j(x): return Kept.k * x
@cached
def k(x): return TABLE["k"] * x
"""


@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after a call"])
@pytest.mark.parametrize(
    ("function", "name", "made"),
    [
        *(
            (function, name, made)
            for function, name in (("f", "plain"), ("g", "owned"), ("h", "kept"))
            for made in ("mod.Scaler(3)", "lambda x: 3 * x")
        ),
        *(
            (function, name, made)
            for function, name in (("i", "Set"), ("j", "Kept"))
            for made in ("type('K', (), {'k': 3})", "mod.Scaler(3)")
        ),
        ("k", "TABLE", "{'k': 3}"),
    ],
)
def test_what_several_statements_or_a_decorator_made_may_be_bound_anew(
    function: str, name: str, made: str, called: bool, world: World
) -> None:
    """The text does not tell what stands there, so it is known by what stood there when the module was loaded."""
    world.write(package(MANY))
    assert world.ask(f"{function}(1)") == "2"
    with world.live() as process:
        process.do("from pkg import mod")
        if called:
            assert process.do(f"answer = mod.{function}(1)") == "2"
        process.do(f"mod.{name} = {made}")
        assert process.do(f"answer = mod.{function}(1)") == "3"
    assert world.ask(f"{function}(1)") == "2"


MOCKED = """
from pkg import other
from pkg.other import near
OPTIONS = None
def g(x): return 2
class Model:
    def run(self, x): return 2
    @staticmethod
    def of(x): return 2
@cached
def own(x): return g(x)
@cached
def imported(x): return near(x)
@cached
def far(x): return other.near(x)
@cached
def method(x): return Model().run(x)
@cached
def static(x): return Model.of(x)
@cached
def option(x): return OPTIONS(x) if OPTIONS else 2
"""


@pytest.mark.parametrize(
    ("name", "place"),
    [
        *(("own", "mod.g"), ("imported", "mod.near"), ("far", "other.near"), ("method", "mod.Model.run")),
        *(("static", "mod.Model.of"), ("option", "mod.OPTIONS")),
    ],
)
@pytest.mark.parametrize("given", ["", "autospec=True, "])
def test_a_mock_is_computed_with_and_leaves_nothing(name: str, place: str, given: str, world: World) -> None:
    """All mocks look alike, whatever they give: a test that patches a function gets its own results, and stores none."""
    world.write(package(MOCKED, other="def near(x): return 2\n"))
    if given and name == "option":
        given = "name='options', "  # of None there is nothing to be specified
    for _ in range(2):
        with world.live() as process:
            process.do("import warnings; warnings.simplefilter('ignore'); from unittest.mock import patch; from pkg import mod, other")
            for value in (5, 7):
                process.do(f"mock = patch('pkg.{place}', {given}return_value={value}); mock.start()")
                assert process.do(f"answer = mod.{name}(1)") == str(value)
                process.do("mock.stop()")
            assert process.do(f"answer = mod.{name}(1)") == "2"
    assert len(world.entries()) == 1


@pytest.mark.parametrize("taken", ["from pkg.other import DEVICE", "from pkg.other import *"])
def test_an_imported_none_is_bound_to_something_by_a_script(taken: str, world: World) -> None:
    """`mod.DEVICE = "cuda"` before the first call, where the module that it was imported from says None."""
    world.write(package(f"{taken}\n@cached\ndef f(): return DEVICE\n", other="DEVICE = None\n"))
    assert world.ask("f()") == "None"
    with world.live() as process:
        process.do("from pkg import mod; mod.DEVICE = 'cuda'")
        assert process.do("answer = mod.f()") == "'cuda'"
    assert world.ask("f()") == "None"


def test_a_name_that_is_bound_to_what_has_no_form_is_no_error(world: World) -> None:
    """A script puts a pool into a module: the call is computed, and the warning says what stands there."""
    world.write(package("POOL = None\n@cached\ndef f(x): return 2 * x if POOL is None else 3 * x\n"))
    with world.live() as process:
        process.do(
            "import warnings; from concurrent.futures import ThreadPoolExecutor; from pkg import mod; mod.POOL = ThreadPoolExecutor()"
        )
        process.do("caught = warnings.catch_warnings(record=True); said = caught.__enter__(); warnings.simplefilter('always')")
        assert process.do("answer = mod.f(1)") == "3"
        assert "pkg.mod.POOL was bound to something else as the program runs (of the type ThreadPoolExecutor)" in process.do(
            "answer = str(said[0].message)"
        )
    assert world.entries() == []


def test_a_patch_that_is_taken_back_gets_the_old_result_again(world: World) -> None:
    """A test's monkeypatch leaves nothing behind, in this process or in the store."""
    world.write(package(REBOUND, **BESIDE))
    with world.live() as process:
        process.do("import pkg.mod as mod; old = mod.g")
        patches = ("mod.g = old", "mod.g = lambda x: 0", "mod.g = old", "mod.g = lambda x: 1")
        answers = [process.do(f"{patch}; answer = mod.callee(2)") for patch in patches]

    assert answers == ["4", "0", "4", "1"]


OWN_STATE = {
    "a memo": "MEMO = {}\ndef g(x):\n    if x not in MEMO:\n        MEMO[x] = x * 2\n    return MEMO[x]\n",
    "a counter": "COUNT = 0\ndef g(x):\n    global COUNT\n    COUNT += 1\n    return x * 2\n",
    "a log": "LOG = []\ndef g(x):\n    LOG.append(x)\n    return x * 2\n",
    "lru_cache": "from functools import lru_cache\n@lru_cache\ndef g(x): return x * 2\n",
    "a counter of a class": "class C:\n    count = 0\ndef g(x):\n    C.count += 1\n    return x * 2\n",
    "a memo of a class": "class C:\n    memo = {}\ndef g(x): return C.memo.setdefault(x, x * 2)\n",
    "an instance that is made when it is asked for": (
        "class C:\n    one = None\n    @classmethod\n    def get(cls):\n        if cls.one is None: cls.one = cls()\n        return cls.one\n"
        "def g(x): return x * 2 if C.get() else 0\n"
    ),
    "a table that is handed to many as the module is loaded": (
        "import numpy as np\nT = np.arange(3.0)\nS = list(map(float, T))\ndef g(x): return x * int(T[2]) + 0 * len(S)\n"
    ),
    "a memo in an instance": (
        "class C:\n    def __init__(self): self.memo = {}\n    def get(self, x): return self.memo.setdefault(x, x * 2)\n"
        "KEEPER = C()\ndef g(x): return KEEPER.get(x)\n"
    ),
    "a profiler that may ask the environment": (
        "import os\nclass Profiler:\n    def __init__(self): self.times = {}\n    def section(self, name):\n        self.times[name] = len(self.times)\n"
        "        return os.environ.get('PROFILE')\nPROFILER = Profiler()\ndef g(x): return x * 2 if PROFILER.section(x) is None else 0\n"
    ),
    "a data set that is read when it is needed": (
        "class Data:\n    def __init__(self, name): self.name, self.rows = name, None\n    def get(self):\n        if self.rows is None:\n"
        "            self.rows = open(__file__).read(0) or [2]\n        return self.rows[0]\nDATA = Data('d')\ndef g(x): return x * DATA.get()\n"
    ),
    "a memo in an instance that was read from a file": (
        "class C:\n    def __init__(self):\n        self.memo = {}\n        open(__file__).close()\n    def get(self, x): return self.memo.setdefault(x, x * 2)\n"
        "KEEPER = {'a': C()}\ndef g(x): return KEEPER['a'].get(x)\n"
    ),
    "an object that is called, was read from a file and remembers": (
        "class C:\n    def __init__(self): self.count = open(__file__).close() or 0\n    def __call__(self, x):\n        self.count += 1\n        return x * 2\n"
        "MODEL = C()\ndef g(x): return MODEL(x)\n"
    ),
    "a captured counter": (
        "def make():\n    n = 0\n    def g(x):\n        nonlocal n\n        n += 1\n        return x * 2\n    return g\ng = make()\n"
    ),
    "a counter of a class, in a method of the class": (
        "class C:\n    made = 0\n    @classmethod\n    def make(cls):\n        cls.made += 1\n        return cls()\ndef g(x): return x * 2 if C.make() else 0\n"
    ),
    "a counter of a class, where an instance is made": (
        "class C:\n    made = 0\n    def __init__(self): type(self).made += 1\ndef g(x): return x * 2 if C() else 0\n"
    ),
    "a counter of a class, where one of a class upon it is made": (
        "class C:\n    def __init__(self): self.__class__.made += 1\nclass D(C):\n    made = 0\ndef g(x): return x * 2 if D() else 0\n"
    ),
    "seconds that a class adds up": (
        "import time\nclass C:\n    total = 0.0\n    def run(self, x):\n        began = time.perf_counter()\n        type(self).total += time.perf_counter() - began\n        return x * 2\nC_ = C()\ndef g(x): return C_.run(x)\n"
    ),
    "a sum of a class, in a class method": (
        "class C:\n    total = 0.0\n    @classmethod\n    def run(cls, x):\n        cls.total = cls.total + x / 2\n        return x * 2\ndef g(x): return C.run(x)\n"
    ),
    "a log of a class": (
        "class C:\n    seen = []\n    def run(self, x):\n        self.__class__.seen.append(x)\n        return x * 2\ndef g(x): return C().run(x)\n"
    ),
    "instances that a class lists as they are made": (
        "class C:\n    every = []\n    def __init__(self): self.every.append(self)\ndef g(x): return x * 2 if C().every else 0\n"
    ),
    "numbers that a class inside a class adds up": (
        "class C:\n    class Stats:\n        count = 0\n        total = 0.0\n    @classmethod\n    def run(cls, x):\n        C.Stats.count += 1\n        cls.Stats.total += x\n        return x * 2\ndef g(x): return C.run(x)\n"
    ),
    "seconds that a decorator adds up": (
        "import functools\nimport time\nclass Timer:\n    total = 0.0\n    calls = {}\n    @classmethod\n    def time(cls, law):\n        @functools.wraps(law)\n        def timed(x):\n            began = time.perf_counter()\n            try: return law(x)\n            finally:\n                cls.total += time.perf_counter() - began\n                cls.calls[law.__name__] = x\n        return timed\n@Timer.time\ndef g(x): return x * 2\n"
    ),
    "seconds that a class adds up after a block": (
        "import time\nclass Timer:\n    total = 0.0\n    def __enter__(self): self.began = time.perf_counter()\n    def __exit__(self, *error): type(self).total += time.perf_counter() - self.began\ndef g(x):\n    with Timer(): return x * 2\n"
    ),
    "what a class works out when it is first asked": (
        "class C:\n    table = None\n    @classmethod\n    def get(cls):\n        if cls.table is None: cls.table = tuple(range(3))\n        return cls.table\ndef g(x): return x * C.get()[2]\n"
    ),
    "an object that a class makes when it is first asked": (
        "class R:\n    def __init__(self, n): self.n = n\nclass C:\n    made = None\n    @classmethod\n    def get(cls, n=2):\n        if cls.made is None: cls.made = R(n)\n        return cls.made\ndef g(x): return x * C.get().n\n"
    ),
    "an object that a function makes in a class when it is first asked": (
        "class R:\n    def __init__(self, n): self.n = n\nclass C: pass\ndef get(n=2):\n    if not hasattr(C, 'made'): C.made = R(n)\n    return C.made\ndef g(x): return x * get().n\n"
    ),
    "what a class works out when it is first asked, by its own name": (
        "class C:\n    ready = False\n    @staticmethod\n    def get():\n        if not C.ready: C.ready = True\n        return 2\ndef g(x): return x * C.get()\n"
    ),
    "what a class that is built upon another one works out": (
        "class B:\n    table = None\n    @classmethod\n    def get(cls):\n        if cls.table is None: cls.table = (0, 2)\n        return cls.table\nclass C(B): pass\ndef g(x): return x * C.get()[1]\n"
    ),
    "the last argument, in a class": (
        "class C:\n    last = 0\n    @classmethod\n    def run(cls, x):\n        cls.last = x\n        return x * 2\ndef g(x): return C.run(x)\n"
    ),
    "a buffer that a library fills": "import numpy as np\nB = np.zeros(3)\ndef g(x):\n    np.multiply(x, 2, out=B)\n    return int(B[0])\n",
    "a buffer that a function of the module fills": (
        "import numpy as np\nB = np.zeros(3)\ndef fill(b, x): b[:] = x * 2\ndef g(x):\n    fill(B, x)\n    return int(B[0])\n"
    ),
    "a buffer that a compiled function fills": (
        "import numba\nimport numpy as np\nB = np.zeros(3)\n@numba.njit\ndef fill(b, x): b[:] = x * 2\ndef g(x):\n    fill(B, x)\n    return int(B[0])\n"
    ),
    "a heap": "from heapq import heappush\nH = []\ndef g(x):\n    heappush(H, x)\n    return x * 2\n",
    "sums at places": "import numpy as np\nB = np.zeros(9)\ndef g(x):\n    np.add.at(B, [x], 1.0)\n    return x * 2\n",
    "the last argument, in an object of options": (
        "class C:\n    def __init__(self): self.last, self.k = 0, 2\n    def set(self, k): self.k = k\n    def run(self, x):\n        self.last = x\n"
        "        return x * self.k + 0 * self.last\nCFG = C()\ndef g(x): return CFG.run(x)\n"
    ),
    "a clock that is started": (
        "import time\nclass C:\n    def __init__(self): self.since = time.time()\n    def start(self): self.since = time.time()\n"
        "    def lap(self): return time.time() - self.since\nWATCH = C()\nWATCH.start()\ndef g(x): return x * 2 if WATCH.lap() >= 0 else 0\n"
    ),
    "a log of this process": (
        "import os\nclass Log:\n    def __init__(self, name, lines=()): self.name, self.lines = name, list(lines)\n    def rename(self, name): self.name = name\n"
        "    def info(self, text): self.lines.append(f'{self.name} {text}')\nLOG = Log(os.getpid())\ndef g(x):\n    LOG.info(x)\n    return x * 2\n"
    ),
    "a default of this process": (
        "import os\nclass Log:\n    def __init__(self, name=os.getpid()): self.name = name\n    def rename(self, name): self.name = name\n"
        "LOG = Log()\ndef g(x): return x * 2 if LOG.name else 0\n"
    ),
    "a field of this process": (
        "import os\nfrom dataclasses import dataclass, field\n@dataclass\nclass Log:\n    name: int = os.getpid()\n    more: int = field(default=os.getpid())\n"
        "    def rename(self, name): self.name = name\nLOG = Log()\ndef g(x): return x * 2 if LOG.name + LOG.more else 0\n"
    ),
    "an argument that stands for this process": (
        "import os\nclass Log:\n    def __init__(self, name=None):\n        if name is None: name = os.getpid()\n        self.name = name\n    def rename(self, name): self.name = name\nLOG = Log()\ndef g(x): return x * 2 if LOG.name else 0\n"
    ),
    "times that are set by name": (
        "import time\nclass C:\n    def __init__(self):\n        setattr(self, 'a', time.time())\n        self.__dict__['b'] = time.time()\n        self.__dict__.update(d=time.time())\n    def set(self, k): self.k = k\nCFG = C()\ndef g(x): return x * 2 if CFG.a + CFG.b + CFG.d else 0\n"
    ),
    "a folder for a while": (
        "import tempfile\nclass C:\n    def __init__(self):\n        with tempfile.TemporaryDirectory() as self.folder: pass\n    def set(self, k): self.k = k\nCFG = C()\ndef g(x): return x * 2 if CFG.folder else 0\n"
    ),
    "a tuple of what counts its calls": (
        "import os\nclass Layer:\n    def __init__(self): self.calls = os.getpid()\n    def __call__(self, x):\n        self.calls += 1\n        return x * 2\nclass Net:\n    def __init__(self): self.layers = ()\n    def use(self, *layers): self.layers = layers\n    def run(self, x):\n        for layer in self.layers: x = layer(x)\n        return x\nNET = Net()\nNET.use(Layer())\ndef g(x): return NET.run(x)\n"
    ),
    "a mapping of Python's own": (
        "from collections import UserDict\nclass Memo(UserDict):\n    def name(self, name): self.called = name\n    def total(self): return len(self.data)\nMEMO = Memo()\ndef g(x):\n    MEMO[x] = MEMO.total()\n    return x * 2\n"
    ),
    "what Python calls back": (
        "from html.parser import HTMLParser\nclass Last(HTMLParser):\n    def handle_data(self, data): self.text = data\nLAST = Last()\nLAST.text = ''\ndef g(x):\n    LAST.feed(f'<p>{x}</p>')\n    return int(LAST.text) * 2\n"
    ),
    "what is told to another object as it is made": (
        "class Log:\n    def __init__(self): self.items = []\n    def clear(self): self.items = []\n    def count(self): return len(self.items)\nLOG = Log()\nclass Step:\n    def __init__(self, x):\n        self.x = x\n        LOG.items.append(x)\ndef g(x): return Step(x).x * 2 + 0 * LOG.count()\n"
    ),
    "objects that hold each other": (
        "class Part:\n    def set(self, k): self.k = k\nclass C:\n    def __init__(self): self.part, self.k = None, 1\n    def set(self, k): self.k = k\nclass D(C):\n    def __init__(self): self.part = Part()\nCFG = D()\nCFG.part = CFG\ndef g(x): return x * 2 if CFG.part.part else 0\n"
    ),
    "an object that is its own dict": (
        "class C(dict):\n    def __init__(self, **more):\n        super().__init__(**more)\n        self.__dict__ = self\n    def set(self, k): self.k = k\nCFG = C(k=2)\nCFG[1] = 2\ndef g(x): return x * CFG.k\n"
    ),
    "what the module of an object of options works out and sets": (
        "import time\nclass C:\n    def __init__(self): self.since, self.k = 0, 2\n    def set(self, since): self.since = since\nCFG = C()\n"
        "CFG.since = time.time()\nCFG.set(since=time.time())\ndef g(x): return x * CFG.k if CFG.since else 0\n"
    ),
    "a memo that is a dict of its own": (
        "class Memo(dict):\n    def of(self, x):\n        if x not in self: self[x] = x * 2\n        return self[x]\nMEMO = Memo()\ndef g(x): return MEMO.of(x)\n"
    ),
    "a memo that is a dict of its own, filled by its name": (
        "class Memo(dict):\n    def clear_all(self): self.clear()\nMEMO = Memo()\ndef g(x):\n    MEMO[x] = x * 2\n    return MEMO[x]\n"
    ),
    "a memo that is a dict of its own, filled by attributes": (
        "class Memo(dict):\n    __setattr__ = dict.__setitem__\nMEMO = Memo()\ndef put(memo, x): memo.last = x\ndef g(x):\n    put(MEMO, x)\n    return x * 2\n"
    ),
    "a memo that is an ordered dict": (
        "from collections import OrderedDict\nMEMO = OrderedDict()\ndef g(x):\n    MEMO[x] = x * 2\n    while len(MEMO) > 2: MEMO.popitem(last=False)\n    return MEMO[x]\n"
    ),
    "memos in a list": (
        "class Memo:\n    def __init__(self): self.last = None\n    def of(self, x):\n        self.last = x\n        return self.last * 2\nMEMOS = [Memo(), Memo()]\ndef g(x): return MEMOS[0].of(x)\n"
    ),
    "a count without adding in place": (
        "class C:\n    def __init__(self): self.n = 0\n    def tick(self): self.n = self.n + 1\n    def total(self): return self.n\nC_ = C()\ndef g(x):\n    C_.tick()\n    return x * 2 + 0 * C_.total()\n"
    ),
    "slots that count": (
        "class C:\n    __slots__ = ('n',)\n    def __init__(self): self.n = 0\n    def run(self, x):\n        self.n += 1\n        return x * 2\nC_ = C()\ndef g(x): return C_.run(x)\n"
    ),
    "a record that the code sets": (
        "from dataclasses import dataclass\n@dataclass\nclass State:\n    last: int = 0\nclass C:\n    def __init__(self): self.state = State()\n    def use(self, state): self.state = state\nC_ = C()\ndef g(x):\n    C_.state.last = x\n    return x * 2 + 0 * C_.state.last\n"
    ),
    "a method that is called by a computed name": (
        "class C:\n    def __init__(self): self.last = 0\n    def set_last(self, x): self.last = x\nC_ = C()\ndef g(x):\n    getattr(C_, 'set_' + 'last')(x)\n    return x * 2 + 0 * C_.last\n"
    ),
    "a method that is called by a computed name, later": (
        "class C:\n    def __init__(self): self.last = 0\n    def put(self, x): self.last = x\nC_ = C()\ndef g(x, name='put'):\n    put = getattr(C_, name)\n    put(x)\n    return x * 2 + 0 * C_.last\n"
    ),
    "an attribute that is set by a computed name": (
        "class C:\n    def __init__(self): self.last = 0\n    def use(self, last): self.last = last\nC_ = C()\ndef g(x, name='last'):\n    setattr(C_, name, x)\n    return x * 2 + 0 * C_.last\n"
    ),
    "all attributes, set at once": (
        "class C:\n    def __init__(self): self.last = 0\n    def use(self, last): self.last = last\nC_ = C()\ndef g(x):\n    held = vars(C_)\n    held['last'] = x\n    return x * 2 + 0 * C_.last\n"
    ),
    "what is worked out from a clock": (
        "import time\nclass C:\n    def __init__(self):\n        self.since = time.time()\n        self.until = self.since + 1\n    def use(self, until): self.until = until\nC_ = C()\ndef g(x): return x * 2 + 0 * int(C_.until)\n"
    ),
    "a metaclass that answers for any name": (
        "class Meta(type):\n    def __getattr__(cls, name): return {'k': 2}[name]\nclass CFG(metaclass=Meta): pass\ndef g(x): return x * CFG.k\n"
    ),
    "a list in an instance, under another name": (
        "class C:\n    def __init__(self): self.seen = []\n    def use(self, seen): self.seen = seen\nC_ = C()\n"
        "def g(x):\n    seen = C_.seen\n    seen += [x]\n    return x * 2 + 0 * len(C_.seen)\n"
    ),
    "an array in an instance, under another name": (
        "import numpy as np\nclass C:\n    def __init__(self): self.sums = np.zeros(2)\n    def use(self, sums): self.sums = sums\nC_ = C()\n"
        "def g(x):\n    sums = C_.sums\n    sums += x\n    return x * 2 + 0 * len(C_.sums)\n"
    ),
    "a list in an instance, whose method gets a name": (
        "class C:\n    def __init__(self): self.seen = []\n    def use(self, seen): self.seen = seen\nC_ = C()\n"
        "def g(x):\n    add = C_.seen.append\n    add(x)\n    return x * 2 + 0 * len(C_.seen)\n"
    ),
    "a method that is called later": (
        "class C:\n    def __init__(self): self.last = 0\n    def note(self, x): self.last = x\nC_ = C()\nON = [C_.note]\n"
        "def g(x):\n    for on in ON: on(x)\n    return x * 2 + 0 * C_.last\n"
    ),
    "a method that an object calls later": (
        "class Bus:\n    def __init__(self): self.on = []\n    def add(self, on): self.on.append(on)\n    def tell(self, x):\n        for on in self.on: on(x)\n"
        "class C:\n    def __init__(self): self.last = 0\n    def note(self, x): self.last = x\nBUS, C_ = Bus(), C()\nBUS.add(C_.note)\n"
        "def g(x):\n    BUS.tell(x)\n    return x * 2 + 0 * C_.last\n"
    ),
    "a default as a memo": "def g(x, memo={}): return memo.setdefault(x, x * 2)\n",
}


@pytest.mark.parametrize("text", OWN_STATE.values(), ids=OWN_STATE)
def test_what_the_code_itself_changes_as_it_runs_does_not_make_it_cold(text: str, world: World) -> None:
    """Memos and counters fill up while a function runs: the key stays, here and in the next process."""
    world.write(package(text + "@cached\ndef f(x): return g(x)\n"))

    assert world.ask("[f.key(1), f(1), f(2), f.key(1)] == [f.key(1), 2, 4, f.key(1)]") == "True"
    assert world.ask("(f(2), f(1), f(3))") == "(4, 2, 6)"
    assert len(world.entries()) == 3


@pytest.mark.parametrize(
    "text",
    [
        "from pkg import other\ndef g(x):\n    other.CALLS += 1\n    return x * 2\n",
        "import pkg.other\ndef g(x):\n    pkg.other.CALLS -= 1\n    return x * 2\n",
        "from pkg.other import Totals\ndef g(x):\n    Totals.n += 1\n    return x * 2\n",
        "def g(x):\n    from pkg.other import Totals as T\n    T.n += 1\n    return x * 2\n",
        "from pkg.face import Totals\ndef g(x):\n    Totals.n += 1\n    return x * 2\n",
        "from pkg.other import Totals\nclass Mine(Totals):\n    n = 5\n    def __init__(self): type(self).n += 1\ndef g(x): return x * 2 if Mine() else 0\n",
    ],
)
def test_a_counter_of_another_module_does_not_make_it_cold(text: str, world: World) -> None:
    """What the code that is reached only counts up is its own state, wherever it is kept; no version is taken again for it."""
    other = "CALLS = 0\nclass Totals:\n    n = 0\n"
    world.write(package(text + "@cached\ndef f(x): return g(x)\n", other=other, face="from pkg.other import Totals\n"))

    loaded = "(lambda key, code: (f(1), f(2), f.key(1) == key, f.fingerprint() is code))(f.key(1), f.fingerprint())"
    assert world.ask(f"(f(3), {loaded})") == "(6, (2, 4, True, True))"
    assert world.ask("(f(2), f(3), f(1))") == "(4, 6, 2)"
    assert len(world.entries()) == 3


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("from pkg import other\ndef put(v): other.STEP = v\ndef g(x): return x * other.STEP if put else 0\n", "put(5)"),
        (
            "from pkg.other import Config\nclass C:\n    def put(self, v): Config.step = v\ndef g(x): return x * Config.step if C else 0\n",
            "C().put(5)",
        ),
        ("class C:\n    step = 2\n    @classmethod\n    def put(cls, v): cls.step = v\ndef g(x): return x * C.step\n", "C.put(5)"),
        (
            "class C:\n    step = 2\n    @classmethod\n    def halve(cls): cls.step /= 2\ndef g(x): return x * C.step\n",
            "setattr(C, 'step', 5)",
        ),
        ("from pkg import other\ndef g(x):\n    other.D['n'] += 1\n    return x * other.D['step']\n", "other.D.update(step=5)"),
        ("from pkg import other\ndef g(x): return x * other.D.setdefault('step', 2)\n", "other.D.update(step=5)"),
        ("from pkg import other\ndef add(v): other.L.append(v)\ndef g(x): return x * sum(other.L) if add else 0\n", "add(3)"),
        (
            "from pkg import other\ndef count(): other.CALLS += 1\ndef g(x): return x * other.STEP if count else 0\n",
            "exec('other.STEP = 5')",
        ),
        (
            "from pkg.other import Config\ndef count(): Config.calls += 1\ndef g(x): return x * Config.step if count else 0\n",
            "exec('Config.step = 5')",
        ),
    ],
)
def test_what_a_function_that_is_reached_sets_is_a_setting_and_counts(text: str, setting: str, world: World) -> None:
    """Nobody can tell whether it is called as the function runs or by the program between two calls: it may be a configuration."""
    other = "CALLS = 0\nSTEP = 2\nD = {'n': 0, 'step': 2}\nL = [2]\nclass Config:\n    step = 2\n    calls = 0\n"
    world.write(package(text + "@cached\ndef f(x): return g(x)\n", other=other))

    assert world.ask(f"(f(1), {setting}, f(1))[::2]") == "(2, 5)"


def test_closures_of_one_factory_do_not_answer_for_one_another(world: World) -> None:
    """One text, one name, two captured values: two keys, in one process and in the next."""
    world.write(package("def make(a):\n    @cached\n    def g(x): return a * x\n    return g\n"))
    for _ in range(2):
        with world.live() as process:
            process.do("from pkg.mod import make; two, three = make(2), make(3)")
            assert process.do("answer = two(5), three(5), make(4)(5), two(5)") == "(10, 15, 20, 10)"
            assert process.do("answer = two.key(5) == three.key(5), two.key(5) == make(2).key(5)") == "(False, True)"


def test_a_captured_value_that_changes_is_another_key(world: World) -> None:
    """A captured variable is set after the first call: the function is asked again what it holds."""
    text = """
    def make():
        a = 2
        @cached
        def g(x): return a * x
        def put(new):
            nonlocal a
            a = new
        return g, put
    """
    world.write(package(text))
    with world.live() as process:
        assert process.do("from pkg.mod import make; g, put = make(); answer = g(5)") == "10"
        assert process.do("put(3); answer = g(5)") == "15"


def test_a_captured_value_that_the_next_version_changes_is_another_key(world: World) -> None:
    """A closure stored by one process is not served to the next, which captures another value."""
    text = "def make(a):\n    @cached\n    def g(x): return a * x\n    return g\nf = make(2)\n"
    world.write(package(text))
    assert world.ask("f(5)") == "10"
    world.write(package(text.replace("make(2)", "make(3)")))

    assert world.ask("f(5)") == "15"


def test_a_class_that_type_makes_of_an_abstract_one_counts_in_a_registry(world: World) -> None:
    """Python says of it that it stands in the module `abc`, and it is the project's all the same."""
    text = "from abc import ABC\nLAWS = {}\ndef register(law): LAWS['a'] = law\nclass Law(ABC):\n    k = 2\nregister(Law)\n"
    world.write(package(text + "@cached\ndef f(x): return LAWS['a']().k * x\n"))
    assert world.ask("f(1)") == "2"
    for k in (3, 4):
        with world.live() as process:
            process.do(f"from pkg import mod; mod.LAWS['a'] = type('Other', (mod.Law,), {{'k': {k}}})")
            assert process.do("answer = mod.f(1)") == str(k)

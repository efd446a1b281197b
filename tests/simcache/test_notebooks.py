"""Notebooks and closures: code and values that have no place in a file, and what later cells and programs set in them."""

import re

import pytest

from tests.simcache.test_names_bound_anew import OWN_STATE
from tests.simcache.test_options import FORMS_OF_OPTIONS, OPTIONS
from tests.simcache.world import World, package

CELLS = """
import linecache
space = {"__name__": "__main__"}
def cell(text):
    name = f"<cell {len(linecache.cache)}>"
    linecache.cache[name] = len(text), None, text.splitlines(True), name
    exec(compile(text, name, "exec"), space)
"""
COUNTED = "def g(x):\n    g.calls += 1\n    return x * 2\ng.calls = 0\n"
TRIED = """
def tried(config, asked, setting, called):
    space.clear()
    space["__name__"] = "__main__"
    cell("from simcache import cached\\n")
    cell(config)
    cell(f"@cached\\ndef f(x): return x * {asked}\\n")
    before = [int(space["f"](2))] if called else [4]
    cell(setting)
    return [*before, int(space["f"](2)), int(space["f"](2))] == [4, 6, 6]
def holds(text):
    space.clear()
    space["__name__"] = "__main__"
    cell("from simcache import cached\\n")
    cell(text)
    cell("@cached\\ndef f(x): return g(x)\\n")
    f = space["f"]
    key = f.key(1)
    return [f(1), f(2), f.key(1) == key, f.entry(1) is not None] == [2, 4, True, True]
"""
IMPORTED = re.compile(r"from pkg\.config import [\w, *]+;? ?|from pkg import config;? ?|\bconfig\.")
NO_CELLS = {
    "a data set that is read when it is needed": "it asks for its file",
    "a memo in an instance that was read from a file": "it asks for its file",
    "an object that is called, was read from a file and remembers": "it asks for its file",
    "a buffer that a function of the module fills": "every value of a notebook counts, and nobody tells what a function does with its arguments",
    "a buffer that a compiled function fills": "every value of a notebook counts, and nobody tells what a function does with its arguments",
}


@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after a call"])
def test_options_of_a_notebook_count_in_every_form(called: bool, world: World) -> None:
    """All that counts where it stands in a module counts where it stands in cells: between two calls nearly none of it did."""
    rows = {
        name: (f"class Config:\n    def __init__(self): {made}\n    {methods}\nCFG = Config()\n", asked, setting)
        for name, (made, methods, asked, setting) in OPTIONS.items()
    } | FORMS_OF_OPTIONS
    with world.live() as process:
        process.do(CELLS + TRIED)
        wrong = [
            name
            for name, row in rows.items()
            if process.do(f"answer = tried(*{[IMPORTED.sub('', text) for text in row]!r}, {called})") != "True"
        ]
    assert wrong == []


def test_a_cell_is_known_by_its_text_wherever_the_notebook_runs(world: World) -> None:
    """IPython, Jupyter and Kaggle, Colab: each has its own names for cells."""
    keys = set()
    for name in ("<ipython-input-{}-abc>", "/tmp/ipykernel_17/{}.py", "/tmp/ipython-input-{}-56.py"):
        with world.live() as process:
            process.do(CELLS.replace('f"<cell {len(linecache.cache)}>"', f"{name!r}.format(len(linecache.cache))"))
            process.do("cell('from simcache import cached'); cell('def g(x): return x * 2'); cell('@cached\\ndef f(x): return g(x)')")
            keys.add(process.do("f = space['f']; key = answer = f.key(2)"))

            assert process.do("cell('def g(x):\\n    # twice\\n    return x * 2'); answer = f.key(2) == key") == "True"
            assert process.do("cell('def g(x):\\n    # twice\\n    return x * 3'); answer = f.key(2) == key") == "False"
    assert len(keys) == 1


def test_what_the_code_of_cells_changes_itself_does_not_make_it_cold(world: World) -> None:
    """Memos, logs and counters of a notebook fill up while its functions run: the key stays."""
    with world.live() as process:
        process.do(CELLS + TRIED)
        rows = {**OWN_STATE, "calls of a function": COUNTED}
        cold = [name for name, text in rows.items() if name not in NO_CELLS and process.do(f"answer = holds({text!r})") != "True"]
    assert cold == []


def test_a_cell_that_is_run_again_counts_in_methods_too(world: World) -> None:
    """A method of a notebook that sets an attribute hid every name that it loads."""
    sim = "class Sim:\n    def __init__(self, n): self.n, self.k = n, K\n    def step(self, x):\n        self.n = helper(x)\n        return self.n * self.k\n"
    with world.live() as process:
        process.do(CELLS)
        process.do(f"cell('from simcache import cached\\nK = 3\\ndef helper(x): return x + 1\\n'); cell({sim!r})")
        process.do("cell('@cached\\ndef f(x): return Sim(1).step(x)\\n')")

        assert process.do("answer = space['f'](2)") == "9"
        assert process.do("cell('def helper(x): return x + 100\\n'); answer = space['f'](2)") == "306"
        assert process.do("cell('K = 7'); answer = space['f'](2)") == "714"
        assert process.do(f"cell({sim.replace('* self.k', '+ self.k')!r}); answer = space['f'](2)") == "109"


@pytest.mark.parametrize(
    ("made", "asked", "setting"),
    [
        ("from dataclasses import dataclass\n@dataclass\nclass C:\n    dt: int = 1\nc = C()\n", "c.dt", "c.dt = 5"),
        ("from types import SimpleNamespace\nc = SimpleNamespace(dt=1)\n", "c.dt", "c.dt = 5"),
        ("class C:\n    dt = 1\n", "C.dt", "C.dt = 5"),
        ("class C:\n    dt = 1\n    def put(self): pass\n", "C().dt", "C.dt = 5"),
    ],
)
def test_what_a_later_cell_sets_in_an_object_counts(made: str, asked: str, setting: str, world: World) -> None:
    """A setting of a notebook is changed between two calls, in an instance or a class of an earlier cell."""
    with world.live() as process:
        process.do(CELLS)
        process.do(f"cell('from simcache import cached\\n'); cell({made!r})")
        process.do(f"cell('@cached\\ndef f(x): return x * {asked}\\n')")

        assert process.do("answer = space['f'](2)") == "2"
        assert process.do(f"cell({setting!r}); answer = space['f'](2)") == "10"
        assert process.do("answer = space['f'](2)") == "10"


def test_a_class_that_counts_in_a_notebook_is_no_other_key(world: World) -> None:
    """What a function of a cell counts up itself is its state."""
    with world.live() as process:
        process.do(CELLS)
        process.do("cell('from simcache import cached\\nclass C:\\n    n = 0\\n@cached\\ndef f(x):\\n    C.n += 1\\n    return x * 2\\n')")

        assert process.do("f = space['f']; before = f.key(2); answer = f(2), f(3), f.key(2) == before") == "(4, 6, True)"


LATER_CELLS = {
    "an attribute of a plain object": ("class C:\n    dt = 1\nc = C()\n", "c.dt", "c.dt = 5"),
    "a number beside what is gone": (
        "import weakref\nclass C:\n    def __init__(self): self.n, self.w = 1, weakref.proxy(D())\nclass D: pass\nc, ws = C(), [weakref.proxy(D())]\n",
        "(c.n if ws else 0)",
        "c.n = 5",
    ),
    "an attribute, whatever its metaclass answers": (
        "class Meta(type):\n    def __getattr__(cls, name): raise KeyError(name)\nclass C(metaclass=Meta):\n    def __init__(self): self.dt = 1\nc = C()\n",
        "c.dt",
        "c.dt = 5",
    ),
    "an attribute of a function": ("def g(): return g.k\ng.k = 1\n", "g()", "g.k = 5"),
    "an attribute of its class": ("class C:\n    dt = 1\nc = C()\n", "c.dt", "C.dt = 5"),
    "a method of its class": ("class C:\n    def dt(self): return 1\nc = C()\n", "c.dt()", "C.dt = lambda self: 5"),
    "a method that only a lambda asks": ("class C:\n    dt = 1\nc = C()\nget = lambda: c.dt\n", "get()", "c.dt = 5"),
    "an item of a large array": ("import numpy as np\nw = np.ones(20_000)\n", "w[7]", "w[7] = 5"),
    "an item of an array that is no row": ("import numpy as np\nw = np.ones((200, 200)).T[::2]\n", "w[7, 3]", "w[7, 3] = 5"),
    "an array in a dict": ("import numpy as np\nd = {'a': [np.ones(3)]}\n", "d['a'][0][1]", "d['a'][0][1] = 5"),
    "an array in an object": (
        "import numpy as np\nclass C:\n    def __init__(self): self.w = np.ones(3)\nc = C()\n",
        "c.w[1]",
        "c.w[1] = 5",
    ),
    "an item of a large dict": ("d = dict.fromkeys(range(1000), 1)\n", "d[7]", "d[7] = 5"),
    "objects that hold each other": (
        "class C:\n    def __init__(self): self.dt, self.me = 1, self\nc = C()\n",
        "c.me.me.dt",
        "c.dt = 5",
    ),
    "an object in a list": ("class C:\n    def __init__(self): self.dt = 1\ncs = [C()]\n", "cs[0].dt", "cs[0].dt = 5"),
    "what a partial function was given": (
        "from functools import partial\nclass C:\n    dt = 1\nc = C()\ndef times(c): return c.dt\np = partial(times, c)\n",
        "p()",
        "c.dt = 5",
    ),
    "an object of a class of names": (
        "from typing import NamedTuple\nclass P(NamedTuple):\n    y: list\np = P([1])\n",
        "p.y[0]",
        "p.y[0] = 5",
    ),
    "a list in a tuple": ("t = ([1], 2)\n", "t[0][0]", "t[0][0] = 5"),
    "a list in an array of objects": ("import numpy as np\nw = np.array([[1], [2, 3]], dtype=object)\n", "w[0][0]", "w[0][0] = 5"),
    "a dict with defaults": ("from collections import defaultdict\nd = defaultdict(list, a=[1])\n", "d['a'][0]", "d['a'][0] = 5"),
    "a dict of collections": ("from collections import UserDict\nd = UserDict(a=1)\n", "d['a']", "d['a'] = 5"),
    "bytes that can be changed": ("b = bytearray([1])\n", "b[0]", "b[0] = 5"),
    "a record array": ("import numpy as np\nr = np.rec.array([(1, 2.0)], names=['a', 'b'])\n", "r.a[0]", "r.a[0] = 5"),
    "an object in a large list": ("class C:\n    dt = 1\ncs = [C() for _ in range(300)]\n", "cs[7].dt", "c = C(); c.dt = 5; cs[7] = c"),
    "an array in a large dict": ("import numpy as np\nd = {i: np.ones(2) for i in range(300)}\n", "d[7][0]", "d[7][0] = 5"),
    "a large list": ("l = [1] * 20_000\n", "l[7]", "l[7] = 5"),
    "a table": ("import pandas as pd\nd = pd.DataFrame({'x': [1.0, 2.0]})\n", "d['x'].iloc[0]", "d.loc[0, 'x'] = 5.0"),
    "a row": ("import pandas as pd\ns = pd.Series([1.0, 2.0])\n", "s[0]", "s *= 5"),
    "a tensor": ("import torch\nt = torch.ones(2)\n", "float(t[0])", "t[0] = 5"),
    "a network": (
        "import torch\nn = torch.nn.Linear(1, 1, bias=False)\nn.weight.data[0] = 1\n",
        "float(n(torch.ones(1))[0])",
        "n.weight.data[0] = 5",
    ),
    "a network of a cell": (
        (
            "import torch\nclass N(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.w = torch.nn.Parameter(torch.ones(1))\n    def forward(self, x): return self.w * x\nn = N()\n"
        ),
        "float(n(torch.ones(1))[0])",
        "n.w.data[0] = 5",
    ),
    "a private attribute of a model": (
        (
            "from pydantic import BaseModel, PrivateAttr\nclass M(BaseModel):\n"
            "    _dt: int = PrivateAttr(default=1)\n    def dt(self): return self._dt\nm = M()\n"
        ),
        "m.dt()",
        "m._dt = 5",
    ),
    "an attribute that a descriptor sets": (
        (
            "class D:\n    def __set_name__(self, owner, name): self.name = '_' + name\n"
            "    def __get__(self, one, of=None): return getattr(one, self.name)\n"
            "    def __set__(self, one, value): setattr(one, self.name, value)\n"
            "class C:\n    dt = D()\n    def __init__(self): self.dt = 1\nc = C()\n"
        ),
        "c.dt",
        "c.dt = 5",
    ),
    "the object of a method in a dict": (
        "class C:\n    dt = 1\n    def now(self): return self.dt\nc = C()\nd = dict(a=c.now)\n",
        "d['a']()",
        "c.dt = 5",
    ),
    "the last of a long chain": (
        (
            "class N:\n    def __init__(self, on): self.on, self.dt = on, 1\nlast = one = N(None)\nfor _ in range(300): one = N(one)\n"
            "def end(n):\n    while n.on is not None: n = n.on\n    return n.dt\n"
        ),
        "end(one)",
        "last.dt = 5",
    ),
    "the object of a method": ("class C:\n    dt = 1\n    def now(self): return self.dt\nc = C()\nnow = c.now\n", "now()", "c.dt = 5"),
}


@pytest.mark.parametrize(("made", "asked", "setting"), LATER_CELLS.values(), ids=LATER_CELLS)
def test_what_a_later_cell_sets_anywhere_counts(made: str, asked: str, setting: str, world: World) -> None:
    with world.live() as process:
        process.do(CELLS)
        process.do(f"cell('from simcache import cached\\n'); cell({made!r})")
        process.do(f"cell('@cached\\ndef f(x): return int(x * {asked})\\n')".replace("['", '[\\"').replace("']", '\\"]'))

        assert process.do("answer = space['f'](2), space['f'](2)") == "(2, 2)"
        assert process.do(f"cell({setting!r}); answer = space['f'](2), space['f'](2)") == "(10, 10)"


MAKERS = {
    "captured": "def make(cfg):\n    @cached\n    def f(x): return x * cfg.dt\n    return f\n",
    "captured by what is called": "def make(cfg):\n    def g(x): return x * cfg.dt\n    @cached\n    def f(x): return g(x)\n    return f\n",
    "captured in a container": "def make(cfg):\n    box = {'c': [cfg]}\n    @cached\n    def f(x): return x * box['c'][0].dt\n    return f\n",
    "captured by a lambda": "def make(cfg): return cached(lambda x: x * cfg.dt)\n",
    "a default": "def make(cfg):\n    def g(x, c=cfg): return x * c.dt\n    @cached\n    def f(x): return g(x)\n    return f\n",
    "given to a partial function": (
        "from functools import partial\ndef make(cfg):\n    g = partial(lambda c, x: x * c.dt, cfg)\n    @cached\n    def f(x): return g(x)\n    return f\n"
    ),
    "a method's own": "def make(cfg):\n    g = cfg.times\n    @cached\n    def f(x): return g(x)\n    return f\n",
}
CONFIGS = {
    "with a setter": "class C:\n    def __init__(self): self.dt = 2\n    def set(self, dt): self.dt = dt\n    def times(self, x): return x * self.dt\n",
    "plain": "class C:\n    dt = 2\n    def times(self, x): return x * self.dt\n",
    "with slots": "class C:\n    __slots__ = ('dt',)\n    def __init__(self): self.dt = 2\n    def times(self, x): return x * self.dt\n",
    "that counts": "class C:\n    n, dt = 0, 2\n    def times(self, x):\n        self.n += 1\n        return x * self.dt\n",
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_what_is_set_in_an_object_that_a_closure_holds_counts(maker: str, config: str, world: World) -> None:
    """A function is made for a configuration, which is changed between two calls: it was served the result of before."""
    world.write(package(config + maker))
    with world.live() as process:
        process.do("from pkg.mod import C, make; c = C(); f = make(c)")

        assert process.do("key = f.key(2); answer = f(2), f(3), f.key(2) == key") == "(4, 6, True)"
        assert process.do("c.dt = 3; answer = f(2), f(2)") == "(6, 6)"
        assert process.do("c.dt = 2; key = f.key(2); answer = f(2), f.key(2) == key") == "(4, True)"


def test_what_a_function_lacks_is_noticed_as_soon_as_a_cell_defines_it(world: World) -> None:
    """It was called before its helper was there; what it computed with the first one was served for the second."""
    with world.live() as process:
        process.do(CELLS)
        process.do("cell('from simcache import cached\\n@cached\\ndef f(x):\\n    try: return h(x)\\n    except NameError: return -1\\n')")

        assert process.do("answer = space['f'](2)") == "-1"
        assert process.do("cell('def h(x): return x'); answer = space['f'](2)") == "2"
        assert process.do("cell('def h(x): return x * 5'); answer = space['f'](2)") == "10"


def test_what_an_object_of_the_simulation_logs_in_another_is_its_own(world: World) -> None:
    """`self.env.queue.append(x)`: each call had another key."""
    sim = (
        "class Env:\n    def __init__(self): self.queue, self.rate = [], 1\n"
        "class Sim:\n    def __init__(self, env): self.env = env\n"
        "    def step(self, x):\n        self.env.queue.append(x)\n        return x * self.env.rate\n"
        "s = Sim(Env())\n"
    )
    with world.live() as process:
        process.do(CELLS)
        process.do(f"cell('from simcache import cached\\n'); cell({sim!r}); cell('@cached\\ndef f(x): return s.step(x)\\n')")

        assert process.do("f = space['f']; before = f.key(2); answer = f(2), f(2), f.key(2) == before") == "(2, 2, True)"
        assert process.do("cell('s.env.rate = 5'); answer = f(2)") == "10"


MADE_BEFORE = {
    "compiled with a constant": ("K = 2\n@numba.njit\ndef g(x): return x * K\n", "K = 3", "g.recompile()"),
    "compiled with another compiled function": (
        "@numba.njit\ndef h(x): return x * 2\n@numba.njit\ndef g(x): return h(x)\n",
        "h = numba.njit(lambda x: x * 3)",
        "g.recompile()",
    ),
    "compiled with an array": (
        "import numpy as np\nW = np.full(1, 2)\n@numba.njit\ndef g(x): return x * W[0]\n",
        "W[0] = 3",
        "g.recompile()",
    ),
    "compiled with a constant in a parallel loop": (
        (
            "import numpy as np\nK = 2\n@numba.njit(parallel=True)\ndef g(x):\n    out = np.zeros(4)\n"
            "    for i in numba.prange(4): out[i] = x * K\n    return out[3]\n"
        ),
        "K = 3",
        "g.recompile()",
    ),
    "compiled for arrays": ("K = 2\n@numba.vectorize\ndef g(x): return x * K\n", "K = 3", ""),
    "remembered with a constant": ("K = 2\n@functools.cache\ndef g(x): return x * K\n", "K = 3", "g.cache_clear()"),
    "remembered by a method": (
        "K = 2\nclass C:\n    @functools.lru_cache(maxsize=4)\n    def m(self, x): return x * K\nc = C()\ndef g(x): return c.m(x)\n",
        "K = 3",
        "C.m.cache_clear()",
    ),
    "remembered in a class inside a class": (
        "K = 2\nclass C:\n    class D:\n        @staticmethod\n        @functools.cache\n        def m(x): return x * K\ndef g(x): return C.D.m(x)\n",
        "K = 3",
        "C.D.m.cache_clear()",
    ),
    "compiled in a class": (
        "K = 2\nclass C:\n    @staticmethod\n    @numba.njit\n    def m(x): return x * K\ndef g(x): return C.m(x)\n",
        "K = 3",
        "C.m.recompile()",
    ),
    "remembered with an option": (
        "class C: k = 2\nc = C()\n@functools.lru_cache(maxsize=4)\ndef g(x): return x * c.k\n",
        "c.k = 3",
        "g.cache_clear()",
    ),
    "remembered with a function": (
        "def h(x): return x * 2\n@functools.cache\ndef g(x): return h(x)\n",
        "h = lambda x: x * 3",
        "g.cache_clear()",
    ),
}


@pytest.mark.parametrize("in_cells", [True, False], ids=["in cells", "in a module"])
@pytest.mark.parametrize(("made", "setting", "anew"), MADE_BEFORE.values(), ids=MADE_BEFORE)
def test_what_was_made_before_a_change_is_not_stored_as_made_after_it(
    made: str, setting: str, anew: str, in_cells: bool, world: World
) -> None:
    """A compiler takes in what a function reads, `lru_cache` what it gave: what is computed with that was stored under the new key, for good."""
    text = f"import functools, numba\nfrom simcache import cached\nOTHER = 1\n{made}@cached\ndef f(x): return int(g(x)) + 0 * OTHER\n"
    world.write(package(text))
    with world.live() as process:
        process.do(CELLS + (f"cell({text!r})" if in_cells else "import pkg.mod; space = vars(pkg.mod)"))
        assert process.do("f = space['f']; answer = f(2), f(3)") == "(4, 6)"
        assert process.do("space['OTHER'] = 5; answer = f(2), f.entry(2) is not None") == "(4, True)"
        process.do(f"exec({setting!r}, space)")

        assert process.do("answer = f(2)") == "4"
        assert process.shown == ["NotStored"]
        if anew:
            process.do(f"exec({anew!r}, space)")
            assert process.do("answer = f(2), f(2), f.entry(2) is not None") == "(6, 6, True)"
    assert process.shown == ["NotStored"]


TAKEN_BACK = {
    "remembered with a constant": ("K = 2\n@functools.cache\ndef g(x): return x * K\n", "K = 3", "K = 2", "g.cache_clear()"),
    "remembered with a function": (
        "def h(x): return x * 2\n@functools.cache\ndef g(x): return h(x)\n",
        "def h(x): return x * 3",
        "def h(x): return x * 2",
        "g.cache_clear()",
    ),
    "a memo of one's own": (
        "KEPT = {}\ndef h(x): return x * 2\ndef g(x):\n    if x not in KEPT: KEPT[x] = h(x)\n    return KEPT[x]\n",
        "def h(x): return x * 3",
        "def h(x): return x * 2",
        "KEPT.clear()",
    ),
    "compiled for another type": (
        "import numpy as np\nW = np.full(1, 2)\n@numba.njit\ndef g(x): return x * W[0]\n",
        "W[0] = 3",
        "W[0] = 2",
        "g.recompile()",
    ),
}


@pytest.mark.parametrize(("made", "setting", "back", "anew"), TAKEN_BACK.values(), ids=TAKEN_BACK)
def test_what_was_made_before_a_change_was_taken_back_is_not_stored_as_made_after_it(
    made: str, setting: str, back: str, anew: str, world: World
) -> None:
    """What was computed meanwhile was not stored; it was remembered, and stored under the key of before."""
    cells = f"cell('import functools, numba\\nfrom simcache import cached'); cell({made!r}); cell('@cached\\ndef f(x): return g(x)\\n')"
    with world.live() as process:
        process.do(CELLS + cells + "; f = space['f']")
        assert process.do("answer = f(2), f(3)") == "(4, 6)"
        assert process.do(f"cell({setting!r}); answer = f(5.0)") == "15.0"
        assert process.do(f"cell({back!r}); answer = f(5.0)") == "15.0"
        assert len(world.entries()) == 2
        assert process.do(f"cell({anew!r}); answer = f(5.0), f.entry(5.0) is not None") == "(10.0, True)"
    assert process.shown == ["NotStored"]


OUT_OF_A_MODULE = {
    "compiled": "@numba.njit\ndef g(x): return x * consts.K\n",
    "compiled, in a function of a cell": "@numba.njit\ndef h(x): return x * consts.K\ndef g(x): return h(x)\n",
    "remembered": "@functools.cache\ndef g(x): return x * consts.K\n",
    "remembered, of a function of a cell": "def h(x): return x * consts.K\n@functools.cache\ndef g(x): return h(x)\n",
    "remembered, of a function that is met before": "def h(x): return x * consts.K\nOTHER = h\n@functools.cache\ndef g(x): return h(x)\n",
    "remembered, of a function of the module": "from consts import times\n@functools.cache\ndef g(x): return times(x)\n",
    "remembered, of a class of a cell": (
        "class C:\n    def m(self, x): return x * consts.K\n@functools.cache\ndef g(x): return C().m(x)\n"
    ),
    "remembered by a method": "class C:\n    @functools.cache\n    def m(self, x): return x * consts.K\nc = C()\ndef g(x): return c.m(x)\n",
}


@pytest.mark.parametrize("made", OUT_OF_A_MODULE.values(), ids=OUT_OF_A_MODULE)
def test_what_was_made_of_a_module_before_a_change_is_not_stored_as_made_after_it(made: str, world: World) -> None:
    """Of what the functions of cells find in modules nothing was known to those who keep: the old result was stored under the new key."""
    world.write({"consts.py": "K = 2\ndef times(x): return x * K\n"})
    cell = f"import consts, functools, numba\nfrom simcache import cached\n{made}@cached\ndef f(x): return OTHER and int(g(x))\n"
    with world.live() as process:
        process.do(CELLS + f"cell('OTHER = 1'); cell({cell!r}); f = space['f']")
        assert process.do("answer = f(2), f(3)") == "(4, 6)"

        assert process.do("import consts; consts.K = 3; answer = f(2)") == "4"
        assert process.shown == ["NotStored"]
    with world.live() as process:
        process.do(CELLS + f"cell('OTHER = 1'); cell({cell!r}); f = space['f']; import consts; consts.K = 3")
        assert process.do("answer = f(2)") == "6"


def test_what_a_module_notes_for_functions_that_a_cell_calls_by_its_name_is_its_own(world: World) -> None:
    """`model.run(x)` was no function that may run, so what it counts in its module was taken for a setting: each call was a miss."""
    world.write({"model.py": "SEEN = {}\nLOG = []\ndef run(x):\n    SEEN[x] = True\n    LOG.append(x)\n    return 2 * x\n"})
    with world.live() as process:
        process.do(
            CELLS + "cell('import model\\nfrom simcache import cached\\n@cached\\ndef f(x): return model.run(x)\\n'); f = space['f']"
        )
        before = process.do("answer = f.key(1)")
        assert process.do("answer = f(1), f(2), f(1)") == "(2, 4, 2)"

        assert process.do("answer = f.key(1)") == before
        assert process.do("import model; answer = model.LOG") == "[1, 2]"


MEMOS = {
    "a dict": ("kept = {}", "def slow(x):\n    if x not in kept: kept[x] = step(x)\n    return kept[x]\n", "kept.clear()"),
    "a list": ("kept = []", "def slow(x):\n    if not kept: kept.append(step(1))\n    return x * kept[0]\n", "kept = []"),
    "made when it is needed": (
        "kept = None",
        "def slow(x):\n    global kept\n    if kept is None: kept = [step(1)]\n    return x * kept[0]\n",
        "kept = None",
    ),
    "made when it is needed, and no container": (
        "kept = None",
        "def slow(x):\n    global kept\n    if kept is None: kept = np.array([step(1)])\n    return int(x * kept[0])\n",
        "kept = None",
    ),
    "made when it is needed, of a name that was not there": (
        "other = 1",
        "def slow(x):\n    global kept\n    if 'kept' not in globals(): kept = step(1)\n    return x * kept\n",
        "del kept",
    ),
    "of a class of one's own that has no truth": (
        "class T(dict):\n    def __bool__(self): raise ValueError(self)\nkept = T()",
        "def slow(x):\n    if x not in kept: kept[x] = step(x)\n    return kept[x]\n",
        "kept.clear()",
    ),
    "filled by a method": (
        "kept = {}",
        "class C:\n    def run(self, x):\n        if x not in kept: kept[x] = step(x)\n        return kept[x]\ndef slow(x): return C().run(x)\n",
        "kept = {}",
    ),
}
ANEW = {
    "in a cell": "def step(x): return x * 3\n",
    "in a module": "import laws, importlib; importlib.reload(laws); from laws import step\n",
}


@pytest.mark.parametrize("where", ANEW)
@pytest.mark.parametrize(("made", "text", "emptied"), MEMOS.values(), ids=MEMOS)
def test_a_memo_of_ones_own_that_was_filled_before_an_edit_is_not_stored_as_of_after_it(
    made: str, text: str, emptied: str, where: str, world: World
) -> None:
    """What it holds is of the old code, and was stored under the key of the new one, for every later session."""
    world.write({"laws.py": "def step(x): return x * 2\n"})
    first = "from laws import step\n" if where == "in a module" else "def step(x): return x * 2\n"
    with world.live() as process:
        process.do(CELLS)
        for cell in (
            "from simcache import cached\nimport numpy as np\nOTHER = 1\n",
            made,
            first,
            text,
            "@cached\ndef f(x): return slow(x) + 0 * OTHER\n",
        ):
            process.do(f"cell({cell!r})")
        assert process.do("f = space['f']; answer = f(2), f(5)") == "(4, 10)"
        assert process.do("space['OTHER'] = 5; answer = f.key(2) != f.key(5)") == "True"
        assert process.shown == []

        world.edit("laws.py", "2", "3")
        process.do(f"cell({ANEW[where]!r})")
        assert process.do("answer = f(2)") == "4"
        assert process.shown == ["NotStored"]
        process.do(f"cell({emptied!r})")
        assert process.do("answer = f(2), f.entry(2) is not None") == "(6, True)"
    assert process.shown == ["NotStored"]


NO_MEMOS = {
    "a log": ("kept = []", "def slow(x):\n    kept.append(x)\n    return step(x)\n"),
    "a table for people": ("kept = {}", "def slow(x):\n    kept[x] = step(x)\n    return step(x)\n"),
    "a counter": ("kept = 0", "def slow(x):\n    global kept\n    kept += 1\n    return step(x)\n"),
    "counts": ("kept = {1: 0}", "def slow(x):\n    kept[1] += 1\n    return step(x)\n"),
    "counts of what may be new": ("kept = {}", "def slow(x):\n    kept[x] = kept.get(x, 0) + 1\n    return step(x)\n"),
    "what was said already": (
        "kept = set()",
        "def slow(x):\n    if 1 not in kept:\n        kept.add(1)\n        print('odd', file=sys.stderr)\n    return step(x)\n",
    ),
    "a log that is told of": ("kept = []", "def slow(x):\n    kept.append(x)\n    print(len(kept), file=sys.stderr)\n    return step(x)\n"),
    "a log that is kept short": ("kept = []", "def slow(x):\n    kept.append(x)\n    if len(kept) > 9: kept.pop(0)\n    return step(x)\n"),
    "a log that another function shows": (
        "kept = []",
        "def slow(x):\n    kept.append(x)\n    return step(x)\ndef show(): return kept[-1]\n",
    ),
    "a progress bar": (
        "kept = None",
        "class Bar(set): pass\ndef slow(x):\n    global kept\n    if kept is None: kept = Bar()\n    kept.update([1])\n    return step(x)\n",
    ),
    "a variable of a function around it": (
        "kept = [1]",
        "def make():\n    kept = []\n    def run(x):\n        kept.append(x)\n        return step(x) + 0 * len(kept)\n    return run\nslow = make()\n",
    ),
    "an argument of that name": (
        "kept = []",
        "def deep(kept): return step(kept)\ndef slow(x):\n    kept.append(x)\n    return deep(x)\n",
    ),
    "filled by code that was not changed": (
        "kept = {}",
        "def once(x):\n    if x not in kept: kept[x] = True\ndef slow(x):\n    once(x)\n    return step(x)\n",
    ),
}


@pytest.mark.parametrize(("made", "text"), NO_MEMOS.values(), ids=NO_MEMOS)
def test_what_is_only_noted_is_no_memo(made: str, text: str, world: World) -> None:
    """After an edit nothing of the result comes out of it, so the result is stored."""
    with world.live() as process:
        process.do(CELLS)
        for cell in (
            "import sys\nfrom simcache import cached\n",
            made,
            "def step(x): return x * 2\n",
            text,
            "@cached\ndef f(x): return slow(x)\n",
        ):
            process.do(f"cell({cell!r})")
        assert process.do("f = space['f']; answer = f(2), f(5)") == "(4, 10)"

        process.do("cell('def step(x): return x * 3\\n')")
        assert process.do("answer = f(2), f.entry(2) is not None, f(2)") == "(6, True, 6)"
    assert process.shown == []


def test_a_memo_does_not_become_old_by_another_function_without_a_name(world: World) -> None:
    """All lambdas have one name: what the code says that fills a memo was taken from each of them."""
    with world.live() as process:
        process.do(CELLS)
        for cell in (
            "from simcache import cached\nkept = {}\nstep = lambda x: x * 2\n",
            "def slow(x):\n    if x not in kept: kept[x] = step(x)\n    return kept[x]\n",
            "add = lambda x: x + 0\n",
            "@cached\ndef f(x): return add(slow(x))\n",
        ):
            process.do(f"cell({cell!r})")
        assert process.do("f = space['f']; answer = f(2)") == "4"
        process.do("cell('add = lambda x: x + 1')")

        assert process.do("answer = f(2), f.entry(2) is not None") == "(5, True)"
    assert process.shown == []


def test_what_was_made_as_needed_is_not_kept_for_the_watch(world: World) -> None:
    """A data set that the notebook lets go is gone, however often it was met."""
    with world.live() as process:
        process.do(CELLS + "import weakref")
        process.do("cell('from simcache import cached\\nclass Big: pass\\nDATA = None')")
        text = "@cached\ndef f(x):\n    global DATA\n    if DATA is None: DATA = Big()\n    return x * len([DATA])\n"
        process.do(f"cell({text!r}); f = space['f']; f(1); cell('def g(): pass'); f.entry(2); gone = weakref.ref(space['DATA'])")
        process.do("from simcache.identity import fingerprint; fingerprint.fingerprint(space['f'].__wrapped__)")
        assert process.do("space['DATA'] = None; import gc; gc.collect(); answer = gone()") == "None"


def test_the_text_of_a_cell_is_found_where_it_is_compiled_statement_by_statement(world: World) -> None:
    """As IPython does: `np.sqrt(x)` is other code where `import numpy as np` stands in what is compiled; the text was not found."""
    text = "import numpy as np\nfrom simcache import cached\n@cached\ndef f(x): return float(np.sqrt(x))\n"
    by_statement = CELLS.replace(
        'exec(compile(text, name, "exec"), space)',
        'import ast\n    for one in ast.parse(text).body: exec(compile(ast.Module([one], []), name, "exec"), space)',
    )
    keys = set()
    for cells in (CELLS, by_statement):
        with world.live() as process:
            keys.add(process.do(f"{cells}cell({text!r}); answer = space['f'].key(2)"))
    assert len(keys) == 1


def test_what_workers_compute_of_a_notebook_is_found_there(world: World) -> None:
    """A worker has no cells: it keyed functions by their bytecode, and the notebook computed all of it again."""
    with world.live() as process:
        process.do(CELLS)
        process.do("cell('from simcache import cached\\nK = 2\\nclass C:\\n    def times(self, x): return x * K\\n')")
        process.do("cell('def g(x):\\n    # a note\\n    return C().times(x)\\n'); cell('@cached\\ndef f(x): return g(x)\\n')")
        process.do("from joblib import Parallel, delayed; f = space['f']")

        computed = process.do("answer = Parallel(n_jobs=2)(delayed(f)(x) for x in (1, 2))")
        process.do("from joblib.externals.loky import get_reusable_executor; get_reusable_executor().shutdown()")
        assert computed == "[2, 4]"
        assert process.do("answer = f.entry(1) is not None, f.entry(2) is not None, f.entry(3)") == "(True, True, None)"


@pytest.mark.parametrize(
    "row", ["compiled with a constant", "compiled with another compiled function", "compiled with a constant in a parallel loop"]
)
def test_what_was_tried_out_before_a_change_is_not_stored_as_made_after_it(row: str, world: World) -> None:
    """A compiled function is tried in one cell, its constant set in the next, and only then something is cached that calls it."""
    made, setting, anew = MADE_BEFORE[row]
    with world.live() as process:
        process.do(CELLS)
        process.do(f"cell({f'import numba{chr(10)}from simcache import cached{chr(10)}{made}g(2){chr(10)}'!r}); cell({setting!r})")
        process.do("cell('@cached\\ndef f(x): return int(g(x))\\n')")

        assert process.do("f = space['f']; answer = f(2)") == "4"
        assert process.shown == ["NotStored"]
        process.do(f"exec({anew!r}, space)")
        assert process.do("answer = f(2), f(2), f.entry(2) is not None") == "(6, 6, True)"


CHOSEN = {
    "by if": "if K == 1:\n    def g(x): return x\nelse:\n    def g(x): return -x\n",
    "by try": "try:\n    1 / (K - 1)\n    def g(x): return -x\nexcept ZeroDivisionError:\n    def g(x): return x\n",
    "of two lambdas": "g = (lambda x: x) if K == 1 else (lambda x: -x)\n",
    "out of a dict": "g = {1: lambda x: x, 2: lambda x: -x}[K]\n",
}


@pytest.mark.parametrize("made", CHOSEN.values(), ids=CHOSEN)
def test_which_function_of_a_cell_was_chosen_counts(made: str, world: World) -> None:
    """Both stand in one cell under one name: a session that chose the second was served the result of the first."""
    for value, answer in ((1, "3"), (2, "-3")):
        with world.live() as process:
            process.do(CELLS)
            process.do(f"cell('from simcache import cached\\nK = {value}\\n'); cell({made!r}); cell('@cached\\ndef f(x): return g(x)\\n')")
            assert process.do("answer = space['f'](3)") == answer
            assert process.do("cell('K = 2\\n'); answer = space['f'](3)") == answer


FIELDS = {
    "of a model": "from pydantic import BaseModel\nclass P(BaseModel):\n    k: int = {}\n",
    "of a model, by Field": "from pydantic import BaseModel, Field\nclass P(BaseModel):\n    k: int = Field({})\n",
    "of a model with a method": "from pydantic import BaseModel\nclass P(BaseModel):\n    k: int = {}\n    def none(self): pass\n",
    "a model's, made by a function": "from pydantic import BaseModel, Field\nclass P(BaseModel):\n    k: int = Field(default_factory=lambda: {})\n",
    "a dataclass's, made by a function": (
        "from dataclasses import dataclass, field\n@dataclass\nclass P:\n    k: int = field(default_factory=lambda: {})\n"
    ),
}


@pytest.mark.parametrize("told", [True, False], ids=["as it stands there", "by a name"])
@pytest.mark.parametrize("made", FIELDS.values(), ids=FIELDS)
def test_defaults_of_fields_of_a_class_of_a_cell_count(made: str, told: bool, world: World) -> None:
    """A class without methods leaves no text, and a model no attribute: with another default the result of the old one was served."""
    for value in (1, 2):
        with world.live() as process:
            process.do(CELLS)
            process.do(f"cell('from simcache import cached\\nK = {value}\\n'); cell({made.format(value if told else 'K')!r})")
            process.do("cell('@cached\\ndef f(x): return P().k * x\\n')")
            assert (
                process.do("answer = space['f'](3), space['f'](3), space['f'].entry(3) is not None") == f"({3 * value}, {3 * value}, True)"
            )


FIELD_OPTIONS = {
    "order of a dataclass": ("@dataclass(order={})\nclass P:\n    k: int = 1\n", ("True", "False"), "'__lt__' in vars(P)"),
    "how fields are compared": ("@dataclass\nclass P:\n    k: int = field(default=1, compare={})\n", ("True", "False"), "P(1) == P(2)"),
    "how fields are shown": ("@dataclass\nclass P:\n    k: int = field(default=1, repr={})\n", ("True", "False"), "repr(P())"),
    "what fields are told": (
        "@dataclass\nclass P:\n    k: int = field(default=1, metadata={})\n",
        ("{'a': 1}", "{'a': 2}"),
        "fields(P)[0].metadata['a']",
    ),
    "another name of a model's": (
        "class P(BaseModel):\n    k: int = Field(alias='{}')\n",
        ("y", "z"),
        "list(P.model_json_schema()['properties'])",
    ),
    "what a model leaves out": ("class P(BaseModel):\n    k: int = Field(1, exclude={})\n", ("True", "False"), "P().model_dump()"),
    "what a model refuses": (
        "class P(BaseModel):\n    k: int = Field(1, multiple_of={})\n",
        ("2", "3"),
        "P.model_json_schema()['properties']['k']",
    ),
    "how a model reads": (
        "class P(BaseModel):\n    k: float = Field(1, allow_inf_nan={})\n",
        ("True", "False"),
        "str(P.__pydantic_fields__['k'].metadata)",
    ),
    "how strictly a model reads": (
        "class P(BaseModel):\n    k: float = Field(1, strict={})\n",
        ("True", "False"),
        "str(P.__pydantic_fields__['k'].metadata)",
    ),
    "what a metaclass holds": ("class Meta(type):\n    k = {}\nclass P(metaclass=Meta): pass\n", ("1", "2"), "P.k"),
    "what is worked out once": ("class P:\n    @cached_property\n    def k(self): return {}\n", ("1", "2"), "P().k"),
    "what is chosen by a type": ("class P:\n    @singledispatchmethod\n    def k(self, x): return {}\n", ("1", "2"), "P().k(x)"),
    "fields of a class that a call makes": ("P = make_dataclass('P', [('k', int, {})])\n", ("1", "2"), "P().k"),
    "fields of a model that a call makes": ("P = create_model('P', k=(int, {}))\n", ("1", "2"), "P().k"),
    "which keys a dict must have": ("class P(TypedDict, total={}):\n    k: int\n", ("True", "False"), "P.__total__"),
}


@pytest.mark.parametrize(("made", "values", "asked"), FIELD_OPTIONS.values(), ids=FIELD_OPTIONS)
def test_options_of_a_class_of_a_cell_count(made: str, values: tuple[str, str], asked: str, world: World) -> None:
    """A class without methods leaves no text: with another option of its fields the result of the old one was served."""
    before, after = (made.replace("{}", value) for value in values)
    imports = (
        "from dataclasses import dataclass, field, fields, make_dataclass\nfrom functools import cached_property, singledispatchmethod\n"
        "from typing import TypedDict\nfrom pydantic import BaseModel, Field, create_model\n"
    )
    keys = set()
    for _ in range(2):
        with world.live() as process:
            process.do(CELLS)
            process.do(f"cell('from simcache import cached'); cell({imports!r}); cell({before!r})")
            process.do(f"cell({f'@cached{chr(10)}def f(x): return {asked}'!r})")
            first = process.do("answer = space['f'](1)")
            keys.add(process.do("answer = space['f'].key(1)"))

            assert process.do(f"cell({after!r}); answer = space['f'](1)") == process.do("answer = space['f'].compute(1)") != first
            keys.add(process.do("answer = space['f'].key(1)"))
            assert process.shown == []
    assert len(keys) == 2


INSTALLED = """
from functools import wraps
def line(start):
    def at(x): return start * x
    return at
def default(start):
    return lambda x, k=start: k * x
def told(how):
    def decorator(function):
        @wraps(function)
        def wrapper(*args): return how * function(*args)
        return wrapper
    return decorator
def double(x): return 2 * x
known = told(1)(double)
"""
MADE_BY_A_PACKAGE = {
    "a function with a captured value": "lib.line({})",
    "a function with a default": "lib.default({})",
    "a function around one of one's own": "lib.told({})(lambda x: x)",
    "a function around a partial one": "lib.told({})(functools.partial(lambda k, x: x, 0))",
    "a function around one of the package": "lib.told({})(lib.double)",
    "what remembers results of such a function": "functools.lru_cache(lib.line({}))",
    "a function around a partial one of the package": "lib.told(2)(functools.partial(max, {}))",
}


@pytest.mark.parametrize("made", MADE_BY_A_PACKAGE.values(), ids=MADE_BY_A_PACKAGE)
def test_what_a_package_has_made_counts_by_what_it_was_made_with(made: str, world: World) -> None:
    """A schedule (`get_linear_fn(1e-3, 0, 0.5)`) was taken for the name of its text in the package: for another one the first one's result was served."""
    world.write({"site-packages/lib.py": INSTALLED})
    cells = "from simcache import cached\nimport functools, lib\n@cached\ndef of(g, x): return g(x)\n@cached\ndef f(x): return g(x)\n"
    told: list[list[str]] = []
    for _ in range(2):
        with world.live() as process:
            process.do("import os, sys; sys.path.insert(0, os.environ['CHECKOUT'] + '/site-packages')\n" + CELLS)
            process.do(f"cell({cells!r})")
            told.append([])
            for value in ("5", "7"):
                process.do(f"cell('g = {made.replace('{}', value)}')")
                for call in ("of(g, 1)", "f(1)"):
                    right = process.do("answer = eval('g(1)', space)")
                    assert process.do(f"answer = eval({call!r}, space)") == right
                told[-1].append(process.do("answer = eval('of.key(g, 1), f.key(1)', space)"))
            assert process.shown == []
    assert told[0] == told[1]
    assert len(set(told[0])) == 2


def test_a_function_that_a_package_holds_under_its_name_counts_by_that(world: World) -> None:
    """Whatever decorators made of it there: what these captured differs between versions."""
    world.write({"site-packages/lib.py": INSTALLED})
    with world.live() as process:
        process.do("import os, sys; sys.path.insert(0, os.environ['CHECKOUT'] + '/site-packages'); import lib; from simcache import cached")
        process.do("exec('@cached\\ndef f(g): return g(1)')")
        process.do("lib.double = lib.known; before = f.key(lib.known)")
        process.do("lib.double = lib.told(7)(lib.known.__wrapped__)")
        assert process.do("answer = f.key(lib.double) == before") == "True"


def test_what_a_decorator_of_a_package_asks_for_is_no_code_of_the_project(world: World) -> None:
    """`@np.errstate(…)` in a notebook was followed into numpy's own files, up to something without a form, and nothing was stored."""
    with world.live() as process:
        process.do(CELLS)
        process.do("cell('import numpy as np\\nfrom simcache import cached\\nMODE = \\'ignore\\'')")
        process.do("cell('@np.errstate(divide=MODE)\\ndef g(x): return np.geterr()[\\'divide\\']\\n@cached\\ndef f(x): return g(x)')")
        assert process.do("f = space['f']; answer = f(1), f.explain(1).followed") == "('ignore', ('__main__:f', '__main__:g'))"
        process.do("cell('g = np.errstate(divide=\\'raise\\')(g.__wrapped__)')")
        assert process.do("answer = f(1), f.entry(1) is not None") == "('raise', True)"
    assert process.shown == []

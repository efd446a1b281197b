"""What later cells bind anew, set, register or put somewhere, where neither a text nor a plain value tells it: generators, descriptors, registries."""

import pytest

from tests.simcache.test_notebooks import CELLS
from tests.simcache.world import World, package

GENERATORS = {
    "of numpy": ("import numpy as np\n", "rng = np.random.default_rng({})", "rng.random()"),
    "of numpy by its bits": ("import numpy as np\n", "rng = np.random.Generator(np.random.PCG64({}))", "rng.random()"),
    "of numpy as it was once": ("import numpy as np\n", "rng = np.random.RandomState({})", "rng.rand()"),
    "bits": ("import numpy as np\n", "rng = np.random.MT19937({})", "rng.random_raw()"),
    "a sequence of seeds": ("import numpy as np\n", "rng = np.random.SeedSequence({})", "np.random.default_rng(rng.spawn(1)[0]).random()"),
    "of Python": ("import random\n", "rng = random.Random({})", "rng.random()"),
    "of Python, with a method": (
        "import random\nclass Chance(random.Random):\n    def roll(self): return self.random()\n",
        "rng = Chance({})",
        "rng.roll()",
    ),
    "its method": ("import numpy as np\n", "draw = np.random.default_rng({}).random", "draw()"),
    "a method of Python's": ("import random\n", "draw = random.Random({}).gauss", "draw(0, 1)"),
    "in a list": ("import numpy as np\n", "rngs = [np.random.default_rng({})]", "rngs[0].random()"),
    "in an object": (
        "import numpy as np\nclass S:\n    def __init__(self, seed): self.rng = np.random.default_rng(seed)\n",
        "s = S({})",
        "s.rng.random()",
    ),
    "put into an object": ("import numpy as np\nfrom types import SimpleNamespace\ns = SimpleNamespace()\n", "s.rng = np.random.default_rng({})", "s.rng.random()"),
    "a default": ("import random\n", "def draw(rng=random.Random({})): return rng.random()", "draw()"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "made", "asked"), GENERATORS.values(), ids=GENERATORS)
def test_a_generator_that_a_later_cell_makes_of_another_seed_counts(before: str, made: str, asked: str, world: World) -> None:
    """`rng = np.random.default_rng(7)` in place of `default_rng(1)`: what was drawn with the first seed was served for the second."""
    keys = []
    for _ in range(2):
        with world.live() as process:
            process.do(CELLS)
            process.do(f"cell('from simcache import cached\\n'); cell({before!r}); cell({made.format(1)!r})")
            process.do(f"cell('@cached\\ndef f(x): return x * {asked}\\n'); f = space['f']")
            keys.append(process.do("key = answer = f.key(2)"))

            assert process.do("drawn = f(2), f(3); answer = f.key(2) == key") == "True"
            process.do(f"cell('@cached\\ndef f(x): return x * {asked}\\n'); f = space['f']")
            assert process.do("answer = f.key(2) == key") == "True"
            assert process.do(f"cell({made.format(7)!r}); answer = f.key(2) == key, drawn == (f(2), f(3))") == "(False, False)"
            assert process.do(f"cell({made.format(1)!r}); answer = f.key(2) == key, drawn == (f(2), f(3))") == "(True, True)"
    assert keys[0] == keys[1]


def test_a_generator_of_a_module_counts_by_its_state_where_the_text_does_not_tell_it(world: World) -> None:
    """A seed that was read from a file, a name that is bound anew more than once, what a closure holds: all had the key of any generator."""
    text = (
        "import random\nfrom pathlib import Path\nimport numpy as np\nRNG, SET = np.random.default_rng(int(Path(__file__).with_name('seed').read_text())), random.Random(1)\n"
        "def make(rng):\n    @cached\n    def f(x): return x * rng.random()\n    return f\n"
        "@cached\ndef read(x): return x * RNG.random()\n@cached\ndef bound(x): return x * SET.random()\n"
    )
    keys = []
    for seed in (1, 1, 7):
        world.write({**package(text), "pkg/seed": str(seed)})
        with world.live() as process:
            process.do("from pkg import mod; import random")
            keys.append(process.do("key = answer = mod.read.key(2)"))
            assert process.do("drawn = mod.read(2); answer = mod.read.key(2) == key") == "True"
            process.do("made = {seed: mod.make(random.Random(seed)).key(2) for seed in (1, 7)}")
            assert process.do("answer = mod.make(random.Random(1)).key(2) == made[1] != made[7]") == "True"
            process.do("def bound(seed): mod.SET = random.Random(seed); return mod.bound(2), mod.bound.key(2)")
            assert process.do("answer = bound(7) == bound(7) != bound(9)") == "True"
    assert keys[0] == keys[1] != keys[2]


def test_a_generator_that_nobody_has_seeded_is_cold_only_in_another_process(world: World) -> None:
    """Its state is of this process; those that all of a process shares count by what statements say of their seeds."""
    keys = []
    for _ in range(2):
        with world.live() as process:
            process.do(CELLS)
            process.do(
                "cell('from random import gauss\\nfrom numpy.random import rand\\nimport random, numpy as np\\nfrom simcache import cached\\n')"
            )
            process.do("cell('rng, of_machine = np.random.default_rng(), random.SystemRandom()\\n')")
            process.do("cell('@cached\\ndef own(x): return x * rng.random()\\n')")
            process.do(
                "cell('@cached\\ndef shared(x): return x * gauss(0, 1) * rand() * of_machine.random()\\n'); own, shared = space['own'], space['shared']"
            )
            assert process.do("before = own.key(2), own(2), own(3); answer = own.key(2), own(2), own(3)") == process.do("answer = before")
            keys.append([process.do("answer = own.key(2)"), process.do("answer = shared.key(2)")])
    assert keys[0][0] != keys[1][0]
    assert keys[0][1] == keys[1][1]


COMPILED_CLASS = (
    "import numba, numpy as np\nfrom numba.experimental import jitclass\n"
    "@jitclass([('dt', numba.float64), ('n', numba.int64), ('w', numba.float64[:])])\nclass C:\n"
    "    def __init__(self): self.dt, self.n, self.w = 1.0, 0, np.ones(3)\n"
    "    def step(self):\n        self.n += 1\n        return self.dt * self.w[1]\n"
)


@pytest.mark.parametrize("asked", ["float(cfg.dt * cfg.w[1])", "cfg.step()", "box[0].step()", "now()"])
def test_a_field_of_a_compiled_class_that_a_later_cell_sets_counts(asked: str, world: World) -> None:
    """Instances of a `jitclass` counted by their type alone: one with another step in time was served what the first had given."""
    with world.live() as process:
        process.do(CELLS)
        process.do(
            f"cell('from simcache import cached\\n'); cell({COMPILED_CLASS!r}); cell('cfg = C(); box = [cfg]\\ndef now(): return cfg.step()\\n')"
        )
        process.do(f"cell('@cached\\ndef f(x): return x * {asked}\\n'); f = space['f']")

        assert process.do("key = f.key(2); answer = f(2), f(3), f.key(2) == key, f(2)") == "(2.0, 3.0, True, 2.0)"
        assert process.do("cell('cfg.dt = 1.0; cfg.w[1] = 1.0'); answer = f.key(2) == key") == "True"
        assert process.do("cell('cfg.dt = 5.0'); answer = f(2), f(2)") == "(10.0, 10.0)"
        assert process.do("cell('cfg.w[1] = 2.0'); answer = f(2), f(2)") == "(20.0, 20.0)"
        edited = COMPILED_CLASS.replace("self.dt * ", "self.dt + ")
        assert process.do(f"cell({edited!r}); cell('cfg = C(); box = [cfg]'); answer = f.key(2) == key") == "False"


def test_a_compiled_class_that_counts_is_not_cold(world: World) -> None:
    """What its methods change as they run is its state; and a fresh process that makes the same finds what was kept."""
    keys = set()
    for _ in range(2):
        with world.live() as process:
            process.do(CELLS)
            process.do(f"cell('from simcache import cached\\n'); cell({COMPILED_CLASS!r}); cell('cfg = C()')")
            process.do("cell('@cached\\ndef f(x): return x * cfg.step()\\n'); f = space['f']")
            keys.add(process.do("key = answer = f.key(2)"))
            assert process.do("answer = f(2), f(3), f(4), f.key(2) == key") == "(2.0, 3.0, 4.0, True)"
    assert len(keys) == 1


CLASS_WITH = "import functools\nclass C:\n    def __init__(self): self.n = 1\n    def a(self, n): return n\n    %s\nc = C()\n"
DESCRIPTOR = "class D:\n    def __init__(self, v): self.v = v\n    def __get__(self, one, of=None): return self.v\n"
CALLABLE = "class D:\n    def __init__(self, v): self.v = v\n    def __call__(self): return self.v\n"
PUT = {
    "registered by a decorator": (
        "import functools\n@functools.singledispatch\ndef g(x): return 1\n",
        "g(x)",
        "@g.register(int)\ndef _(x): return {}\n",
    ),
    "registered by a hint": (
        "import functools\n@functools.singledispatch\ndef g(x): return 1\n",
        "g(x)",
        "@g.register\ndef _(x: int): return {}\n",
    ),
    "registered by a call": ("import functools\n@functools.singledispatch\ndef g(x): return 1\n", "g(x)", "g.register(int, lambda x: {})\n"),
    "registered by a call, captured": (
        "import functools\ndef make():\n    @functools.singledispatch\n    def g(x): return 1\n    return g\ng = make()\n",
        "g(x)",
        "g.register(int, lambda x: {})\n",
    ),
    "registered for a method": (
        CLASS_WITH % "@functools.singledispatchmethod\n    def m(self, x): return 1",
        "c.m(x)",
        "@C.m.register(int)\ndef _(self, x): return {}\n",
    ),
    "a method with arguments": (CLASS_WITH % "m = functools.partialmethod(a, 1)", "c.m()", "C.m = functools.partialmethod(C.a, {})"),
    "a method with arguments by name": (CLASS_WITH % "m = functools.partialmethod(a, n=1)", "c.m()", "C.m = functools.partialmethod(C.a, n={})"),
    "a method with arguments that is new": (CLASS_WITH % "pass", "getattr(c, 'm', lambda: 1)()", "C.m = functools.partialmethod(C.a, {})"),
    "a function with arguments": (
        CLASS_WITH % "m = functools.partial(int, 1)",
        "c.m()",
        "def b(n): return n\nC.m = functools.partial(b, {})\n",
    ),
    "a property": (CLASS_WITH % "m = property(lambda self: 1)", "c.m", "C.m = property(lambda self: {})"),
    "how a property is set": (
        CLASS_WITH % "def put(self, n): self.n = 1\n    m = property(lambda self: self.n, put)",
        "set_m(C())",
        "C.m = property(C.m.fget, lambda self, n: setattr(self, 'n', {}))",
    ),
    "a property that is kept": (
        CLASS_WITH % "@functools.cached_property\n    def m(self): return 1",
        "C().m",
        "C.m = functools.cached_property(lambda self: {})\nC.m.__set_name__(C, 'm')\n",
    ),
    "a descriptor": (DESCRIPTOR + CLASS_WITH % "m = D(1)", "C().m", "C.m = D({})"),
    "what a descriptor holds": (DESCRIPTOR + CLASS_WITH % "m = D(1)", "C().m", "vars(C)['m'].v = {}"),
    "an object that is called": (CALLABLE + CLASS_WITH % "m = D(1)", "C().m()", "C.m = D({})"),
    "a method of another object": (CALLABLE + CLASS_WITH % "m = D(1).__call__", "C().m()", "C.m = D({}).__call__"),
    "a function of Python": (CLASS_WITH % "m = min", "c.m(1, 5)", "C.m = max if {} == 5 else min"),
}  # fmt: skip
SET_M = "def set_m(c):\n    c.m = 0\n    return c.n\n"


@pytest.mark.parametrize("before", [False, True], ids=["after a call", "before the first call"])
@pytest.mark.parametrize(("made", "asked", "setting"), PUT.values(), ids=PUT)
def test_what_a_later_cell_registers_or_puts_into_a_class_counts(made: str, asked: str, setting: str, before: bool, world: World) -> None:
    """It is neither a plain value nor a function of the class's text, so nothing told what it is; the same once more changes nothing."""
    keys = []
    for _ in range(2):
        with world.live() as process:
            process.do(CELLS)
            process.do(f"cell('from simcache import cached\\n'); cell({made + SET_M!r})")
            process.do(f"cell({f'@cached{chr(10)}def f(x): return int(x * {asked}){chr(10)}'!r}); f = space['f']")

            if not before:
                assert process.do("key = f.key(2); answer = f(2), f(3), f.key(2) == key") == "(2, 3, True)"
            assert process.do(f"cell({setting.format(5)!r}); answer = f(2), f(2)") == "(10, 10)"
            keys.append(process.do("key = answer = f.key(2)"))
            assert process.do(f"cell({setting.format(5)!r}); answer = f.key(2) == key") == "True"
            assert process.do(f"cell({setting.format(1)!r}); answer = f(2), f(2)") == "(2, 2)"
    assert keys[0] == keys[1]


IN_CELLS_ALONE = {"registered by a call, captured", "what a descriptor holds"}
"""Of what a module makes by a call, its text tells."""


@pytest.mark.parametrize("row", sorted(PUT.keys() - IN_CELLS_ALONE))
def test_what_a_program_registers_or_puts_into_a_class_of_a_module_after_a_call_counts(row: str, world: World) -> None:
    """The text tells what the module put there; what came in its place, or was registered later, was not noticed."""
    made, asked, setting = PUT[row]
    world.write(package(f"{made}{SET_M}@cached\ndef f(x): return int(x * {asked})\n"))
    with world.live() as process:
        process.do("import pkg.mod; space = vars(pkg.mod); f = pkg.mod.f")

        assert process.do("key = f.key(2); answer = f(2), f(3), f.key(2) == key") == "(2, 3, True)"
        assert process.do(f"exec({setting.format(5)!r}, space); answer = f(2), f(2)") == "(10, 10)"
        assert process.do(f"key = f.key(2); exec({setting.format(5)!r}, space); answer = f.key(2) == key") == "True"
        assert process.do(f"exec({setting.format(1)!r}, space); answer = f(2), f(2)") == "(2, 2)"


READ = "def read():\n    try: return cfg.dt\n    except AttributeError: return 1\n"
LACKING = {
    "an empty object": "class C: pass\ncfg = C()\n",
    "an object with a setter": "class C:\n    def __init__(self): self.k = 1\n    def set(self, k): self.k = k\ncfg = C()\n",
    "an object that counts": "class C:\n    def tick(self): self.n = getattr(self, 'n', 0) + 1\ncfg = C()\n",
    "a space of names": "from types import SimpleNamespace\ncfg = SimpleNamespace(k=1)\n",
    "an empty slot": "class C: __slots__ = ('k', 'dt')\ncfg = C()\n",
    "an object that is a list": "class C(list): pass\ncfg = C([1])\n",
    "a model": "from pydantic import BaseModel\nclass C(BaseModel, extra='allow'):\n    k: int = 1\ncfg = C()\n",
    "a network": "import torch\nclass C(torch.nn.Module): pass\ncfg = C()\n",
    "an object in another": "class C: pass\nclass D: pass\ncfg = C()\nd = D(); d.c = cfg\n",
}


@pytest.mark.parametrize("asked", ["getattr(cfg, 'dt', 1)", "(cfg.dt if hasattr(cfg, 'dt') else 1)", "read()"])
@pytest.mark.parametrize("made", LACKING.values(), ids=LACKING)
def test_an_attribute_that_was_lacking_at_the_first_call_counts_when_a_later_cell_sets_it(made: str, asked: str, world: World) -> None:
    """Only what an object or its class had by then was watched: an option with a default in `getattr` was set for nothing."""
    if "d.c" in made:
        asked = asked.replace("cfg", "d.c").replace("read()", "[read(), d][0]")
    ticks = "cfg.tick() or " if "tick" in made else ""
    with world.live() as process:
        process.do(CELLS)
        process.do(f"cell('from simcache import cached\\n'); cell({made + READ!r})")
        process.do(f"cell({f'@cached{chr(10)}def f(x): return {ticks}x * {asked}{chr(10)}'!r}); f = space['f']")

        assert process.do("key = f.key(2); answer = f(2), f(3), f.key(2) == key") == "(2, 3, True)"
        assert process.do("cell('cfg.dt = 5'); answer = f(2), f(2)") == "(10, 10)"
        assert process.do("key = f.key(2); cell('cfg.dt = 5'); answer = f(3), f.key(2) == key") == "(15, True)"


def test_an_attribute_that_an_object_of_options_in_a_module_lacked_counts_when_a_program_sets_it(world: World) -> None:
    """As in a notebook; one that nobody asks for is no option."""
    text = "class C:\n    def __init__(self): self.k = 1\n    def set(self, k): self.k = k\nCFG = C()\n@cached\ndef f(x): return x * getattr(CFG, 'dt', 1)\n"
    world.write(package(text))
    with world.live() as process:
        process.do("from pkg.mod import CFG, f")

        assert process.do("key = f.key(2); CFG.note = 'a'; answer = f(2), f(3), f.key(2) == key") == "(2, 3, True)"
        assert process.do("CFG.dt = 5; answer = f(2), f(2)") == "(10, 10)"
        assert process.do("key = f.key(2); CFG.dt = 5; answer = f(3), f.key(2) == key") == "(15, True)"

"""Objects of options: what a program sets in them is the key, in whatever form they are kept."""

import pytest

from tests.simcache.world import World, package

OPTIONS = {
    "a method": ("self.dt = 2", "def set(self, dt): self.dt = dt", "CFG.dt", "CFG.set(3)"),
    "an attribute beside a method": ("self.dt = 2", "def set(self, dt): self.dt = dt", "CFG.dt", "CFG.dt = 3"),
    "keywords": (
        "self.dt = 2",
        "def set(self, **more):\n        for name, value in more.items(): setattr(self, name, value)",
        "CFG.dt",
        "CFG.set(dt=3)",
    ),
    "all attributes at once": ("self.dt = 2", "def set(self, **more): self.__dict__.update(more)", "CFG.dt", "CFG.set(dt=3)"),
    "a number of a text": ("self.dt = 2", "def read(self, text): self.dt = float(text)", "CFG.dt", "CFG.read('3')"),
    "a dict inside": (
        "self.values = {'dt': 2}",
        "def put(self, name, value): self.values[name] = value",
        "CFG.values['dt']",
        "CFG.put('dt', 3)",
    ),
    "a dict inside that a method reads": (
        "self.values = {'dt': 2}",
        "def put(self, **more): self.values.update(more)\n    def value(self, name): return self.values[name]",
        "CFG.value('dt')",
        "CFG.put(dt=3)",
    ),
    "an item of the object": (
        "self.values = {'dt': 2}",
        "def __setitem__(self, name, value): self.values[name] = value\n    def __getitem__(self, name): return self.values[name]",
        "CFG['dt']",
        "CFG['dt'] = 3",
    ),
    "a property": (
        "self._dt = 2",
        "@property\n    def dt(self): return self._dt\n    @dt.setter\n    def dt(self, dt): self._dt = dt",
        "CFG.dt",
        "CFG.dt = 3",
    ),
    "an object inside": (
        "self.sim = Sim(2)",
        "def use(self, **more): vars(self.sim).update(more)\nclass Sim:\n    def __init__(self, dt): self.dt = dt",
        "CFG.sim.dt",
        "CFG.use(dt=3)",
    ),
    "a method that works out a count, too": (
        "self.dt, self.changes = 2, 0",
        "def set(self, dt):\n        self.dt = dt\n        self.changes += 1",
        "CFG.dt",
        "CFG.set(3)",
    ),
    "an attribute that its class has": ("pass\n    dt = 2", "def set(self, dt): self.dt = dt", "CFG.dt", "CFG.set(3)"),
    "what a pattern takes": (
        "self.dt = 2",
        "def set(self, dt): self.dt = dt\ndef take(one):\n    match one:\n        case Config(dt=dt): return dt",
        "take(CFG)",
        "CFG.set(3)",
    ),
    "a method that another one calls": (
        "self.dt = 2",
        "def fast(self): self.set(3)\n    def set(self, dt): self.dt = dt\n    def now(self): return self.dt",
        "CFG.now()",
        "CFG.fast()",
    ),
}


@pytest.mark.parametrize(("made", "methods", "asked", "setting"), OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after a call"])
def test_what_is_set_in_an_object_of_options_counts(made: str, methods: str, asked: str, setting: str, called: bool, world: World) -> None:
    """By a method that the function does not call, or by the program, in an object whose class has methods that change it."""
    config = f"class Config:\n    def __init__(self): {made}\n    {methods}\nCFG = Config()\n"
    world.write(package(f"from pkg.config import *\n@cached\ndef f(x): return x * {asked}\n", config=config))
    with world.live() as process:
        process.do("from pkg.mod import f, CFG")
        if called:
            assert process.do("answer = f(2)") == "4"
        process.do(setting)

        assert process.do("answer = int(f(2))") == "6"
        assert process.do("answer = int(f(2))") == "6"
    assert world.ask("f(2)") == "4"


CLASS = "class Config:\n    def __init__(self, dt=2): self.dt = dt\n    def set(self, dt): self.dt = dt\n"
CFG = CLASS + "CFG = Config()\n"
MODE = "import enum\nclass Mode(enum.Enum):\n    SLOW = 2\n    FAST = 3\n"
FORMS_OF_OPTIONS = {
    "a name that others set in themselves": (
        CFG + "class Run:\n    def go(self, v):\n        self.dt = v\n        return self\ndef h(): return Run().go(1).dt\n",
        "CFG.dt * h()",
        "CFG.set(3)",
    ),
    "a name that is set in what has just been made": (
        CFG + "class Run: pass\ndef h():\n    run = Run()\n    run.dt = 1\n    return run.dt\n",
        "CFG.dt * h()",
        "CFG.set(3)",
    ),
    "a method whose name a dict's has, too": (
        (
            "class Config:\n    def __init__(self): self.dt = 2\n    def update(self, **more): self.__dict__.update(more)\nCFG = Config()\n"
            "def h():\n    d = {}\n    d.update(a=1)\n    return len(d)\n"
        ),
        "CFG.dt * h()",
        "CFG.update(dt=3)",
    ),
    "a method whose name others ask of themselves": (
        CFG
        + "class Run:\n    def set(self, v): self.v = v\n    def go(self):\n        self.set(1)\n        return self.v\ndef h(): return Run().go()\n",
        "CFG.dt * h()",
        "CFG.set(3)",
    ),
    "a computed name of a module": (
        "import math\n" + CFG + "def h(name): return getattr(math, name)(1)\n",
        "CFG.dt * int(h('sqrt'))",
        "CFG.set(3)",
    ),
    "a computed name that is only read": (CFG, "getattr(CFG, ''.join(['d', 't'])) * 1", "CFG.set(3)"),
    "a computed name that begins otherwise": (
        CFG + "class Run:\n    def phase_a(self): return 1\n    def go(self, k): return getattr(self, f'phase_{k}')()\nRUN = Run()\n",
        "CFG.dt * RUN.go('a')",
        "CFG.set(3)",
    ),
    "all attributes as a dict": (CFG + "def law(dt): return dt\n", "law(**vars(CFG))", "CFG.set(3)"),
    "all attributes of another object": (CFG + "class A: pass\ndef h(): return len(vars(A())) + 1\n", "CFG.dt * h()", "CFG.set(3)"),
    "a member of an enumeration": (
        (
            "import enum\nclass Mode(enum.Enum):\n    SLOW = 2\n    FAST = 3\n"
            "class Config:\n    def __init__(self): self.mode = Mode.SLOW\n    def set(self, mode): self.mode = mode\nCFG = Config()\n"
        ),
        "CFG.mode.value",
        "CFG.set(type(CFG.mode).FAST)",
    ),
    "a path": (
        "from pathlib import Path\nclass Config:\n    def __init__(self): self.dt = Path('2')\n    def set(self, dt): self.dt = dt\nCFG = Config()\n",
        "int(str(CFG.dt))",
        "from pathlib import Path; CFG.set(Path('3'))",
    ),
    "an array": (
        "import numpy as np\nclass Config:\n    def __init__(self): self.w = np.full(2, 1)\n    def set(self, w): self.w = w\nCFG = Config()\n",
        "int(CFG.w.sum())",
        "CFG.w[0] = 2",
    ),
    "a function": (
        (
            "def two(): return 2\ndef three(): return 3\n"
            "class Config:\n    def __init__(self): self.law = two\n    def set(self, law): self.law = law\nCFG = Config()\n"
        ),
        "CFG.law()",
        "from pkg.config import three; CFG.set(three)",
    ),
    "a record": (
        (
            "from dataclasses import dataclass\n@dataclass\nclass Sim:\n    dt: int = 2\n"
            "class Config:\n    def __init__(self): self.sim = Sim()\n    def set(self, sim): self.sim = sim\nCFG = Config()\n"
        ),
        "CFG.sim.dt",
        "CFG.sim.dt = 3",
    ),
    "a number that follows from another": (
        "class Config:\n    def __init__(self): self.set(1)\n    def set(self, dt):\n        self.dt = dt\n        self.n = int(2 / self.dt)\nCFG = Config()\n",
        "CFG.n",
        "CFG.set(2 / 3)",
    ),
    "a number that is converted": (
        "import math\nclass Config:\n    def __init__(self): self.dt = 2\n    def set(self, square): self.dt = math.sqrt(square)\nCFG = Config()\n",
        "CFG.dt",
        "CFG.set(9)",
    ),
    "for a while": (
        (
            "from contextlib import contextmanager\nclass Config:\n    def __init__(self): self.dt = 2\n    @contextmanager\n    def using(self, dt):\n"
            "        before = self.dt\n        self.dt = dt\n        yield\n        self.dt = before\nCFG = Config()\n"
        ),
        "CFG.dt",
        "context = CFG.using(3); context.__enter__()",
    ),
    "a text that is read": (
        (
            "import json\nclass Config:\n    def __init__(self): self.dt = 2\n    def load(self, text):\n        read = json.loads(text)\n"
            "        self.dt = read['dt']\nCFG = Config()\n"
        ),
        "CFG.dt",
        "CFG.load('{\"dt\": 3}')",
    ),
    "a function that is registered beside one which asks the generic one again": (
        (
            "from functools import singledispatch\n@singledispatch\ndef CFG(x): return 2\n"
            "@CFG.register(list)\ndef of_list(x): return sum(map(CFG, x))\n"
        ),
        "CFG('a')",
        "CFG.register(str, lambda x: 3)",
    ),
    "a variable of the context": ("from contextvars import ContextVar\nCFG = ContextVar('dt', default=2)\n", "CFG.get()", "CFG.set(3)"),
    "a record in a variable of the context": (
        (
            "from contextvars import ContextVar\nfrom dataclasses import dataclass\n@dataclass\nclass Sim:\n    dt: int = 2\n"
            "CFG = ContextVar('sim', default=Sim())\n"
        ),
        "CFG.get().dt",
        "CFG.set(type(CFG.get())(3))",
    ),
    "what was read from a file": (
        (
            "import json\nclass Config:\n    def __init__(self, **read): self.__dict__.update(read)\n    def set(self, dt): self.dt = dt\n"
            "CFG = Config(**json.loads('{\"dt\": 2}'))\n"
        ),
        "CFG.dt",
        "CFG.set(3)",
    ),
    "slots": (
        "class Config:\n    __slots__ = ('dt',)\n    def __init__(self): self.dt = 2\n    def set(self, dt): self.dt = dt\nCFG = Config()\n",
        "CFG.dt",
        "CFG.set(3)",
    ),
    "slots of a dataclass": (
        "from dataclasses import dataclass\n@dataclass(slots=True)\nclass Config:\n    dt: int = 2\nCFG = Config()\n",
        "CFG.dt",
        "CFG.dt = 3",
    ),
    "a dict whose items are attributes": (
        "class Config(dict):\n    __getattr__ = dict.__getitem__\n    __setattr__ = dict.__setitem__\nCFG = Config(dt=2)\n",
        "CFG.dt",
        "CFG.dt = 3",
    ),
    "a dict whose items are attributes, while others set theirs": (
        (
            "class Config(dict):\n    __getattr__ = dict.__getitem__\n    __setattr__ = dict.__setitem__\nCFG = Config(dt=2)\n"
            "class Run:\n    def go(self):\n        self.k = 1\n        return self.k\ndef h():\n    run = Run()\n    run.x = 1\n    return run.go()\n"
        ),
        "CFG.dt * h()",
        "CFG.dt = 3",
    ),
    "a dict whose items are attributes, by methods": (
        (
            "class Config(dict):\n    def __getattr__(self, name): return self[name]\n    def __setattr__(self, name, value): self[name] = value\n"
            "CFG = Config(dt=2)\n"
        ),
        "CFG.dt",
        "CFG.update(dt=3)",
    ),
    "a dict of one's own inside another": (
        (
            "class Config(dict):\n    def __getattr__(self, name): return self[name]\n    def __setattr__(self, name, value): self[name] = value\n"
            "CFG = Config(sim=Config(dt=2))\n"
        ),
        "CFG.sim.dt",
        "CFG.sim.dt = 3",
    ),
    "an ordered dict": ("from collections import OrderedDict\nCFG = OrderedDict(dt=2)\n", "CFG['dt']", "CFG['dt'] = 3"),
    "a dict whose items are attributes, and that has no others": (
        (
            "class Config(dict):\n    __slots__ = ()\n    def __getattr__(self, name): return self[name]\n"
            "    def __setattr__(self, name, value): self[name] = value\nCFG = Config(dt=2)\n"
        ),
        "CFG.dt",
        "CFG.dt = 3",
    ),
    "the order of a dict": (
        "from collections import OrderedDict\nCFG = OrderedDict(a=2, b=3)\n",
        "next(iter(CFG.values()))",
        "CFG.move_to_end('a')",
    ),
    "a namespace": (
        (
            "from types import SimpleNamespace\nclass Config:\n    def __init__(self): self.sim = SimpleNamespace(dt=2)\n"
            "    def use(self, sim): self.sim = sim\nCFG = Config()\n"
        ),
        "CFG.sim.dt",
        "CFG.sim.dt = 3",
    ),
    "by a function of its module": (CFG + "def configure(dt): CFG.dt = dt\n", "CFG.dt", "from pkg.config import configure; configure(3)"),
    "a method under another name": (
        "class Config:\n    def __init__(self): self.dt = 2\n    def set(self, dt): self.dt = dt\n    def get(self): return self.dt\nCFG = Config()\nget = CFG.get\n",
        "get()",
        "CFG.set(3)",
    ),
    "given to another object": (
        CFG + "class Run:\n    def __init__(self, cfg): self.cfg = cfg\n    def dt(self): return self.cfg.dt\nRUN = Run(CFG)\n",
        "RUN.dt()",
        "CFG.set(3)",
    ),
    "in a dict": (CLASS + "CFG = {'a': Config(2)}\n", "CFG['a'].dt", "CFG['a'].set(3)"),
    "in a list": (CLASS + "CFG = [Config(1), Config(2)]\n", "CFG[1].dt", "CFG[1].set(3)"),
    "records in a list": (
        "from dataclasses import dataclass\n@dataclass\nclass Road:\n    lanes: int\nCFG = [Road(1), Road(2)]\n",
        "CFG[1].lanes",
        "CFG[1].lanes = 3",
    ),
    "a number that a function checks": (
        (
            "def checked(dt, least=0):\n    if dt <= least: raise ValueError(dt)\n    return float(dt)\n"
            "class Config:\n    def __init__(self): self.dt = checked(2)\n    def set(self, dt): self.dt = checked(dt)\nCFG = Config()\n"
        ),
        "int(CFG.dt)",
        "CFG.set(3)",
    ),
    "a number that a method of the class checks": (
        (
            "class Config:\n    def __init__(self): self.dt = 2\n    def set(self, dt): self.dt = self._checked(dt)\n"
            "    def _checked(self, dt): return max(_least(dt), 1)\ndef _least(dt): return dt if dt > 0 else 0\nCFG = Config()\n"
        ),
        "CFG.dt",
        "CFG.set(3)",
    ),
    "a number that a static method checks": (
        (
            "class Config:\n    def __init__(self): self.dt = 2\n    def set(self, dt): self.dt = Config.checked(dt)\n"
            "    @staticmethod\n    def checked(dt):\n        dt = abs(dt)\n        return dt\nCFG = Config()\n"
        ),
        "CFG.dt",
        "CFG.set(3)",
    ),
    "a dict in a class, by a function of its module": (
        "class CFG:\n    values = {'dt': 2}\ndef put(name, value): CFG.values[name] = value\n",
        "CFG.values['dt']",
        "from pkg.config import put; put('dt', 3)",
    ),
    "a list in a class, by a function of its module under another name": (
        "class CFG:\n    values = [2]\ndef put(value):\n    values = CFG.values\n    values[0] = value\n",
        "CFG.values[0]",
        "from pkg.config import put; put(3)",
    ),
    "a class inside a class": ("class CFG:\n    class sim:\n        dt = 2\n", "CFG.sim.dt", "CFG.sim.dt = 3"),
    "a class, by its own name in a class method": (
        "class CFG:\n    dt = 2\n    @classmethod\n    def use(cls, dt): CFG.dt = dt\n",
        "CFG.dt",
        "CFG.use(3)",
    ),
    "a class, by its own name in a static method": (
        "class CFG:\n    dt = 2\n    @staticmethod\n    def use(dt): CFG.dt = dt\n",
        "CFG.dt",
        "CFG.use(3)",
    ),
    "a class, by its own name in a function of its body": (
        "class CFG:\n    dt = 2\n    def use(dt): CFG.dt = dt\n",
        "CFG.dt",
        "CFG.use(3)",
    ),
    "a class, by its own name in a method": (
        "class CFG:\n    dt = 2\n    def use(self, dt): setattr(CFG, 'dt', dt)\n",
        "CFG.dt",
        "CFG().use(3)",
    ),
    "a class, by its own name in a method whose name others have": (
        "class CFG:\n    dt = 2\n    @classmethod\n    def set(cls, dt): CFG.dt = dt\nclass Other:\n    def set(self, n): return n\n",
        "CFG.dt * Other().set(1)",
        "CFG.set(3)",
    ),
    "a class that has a method which puts it back": (
        (
            "class CFG:\n    dt = 2\n    @classmethod\n    def set(cls, dt): cls.dt = dt\n    @classmethod\n    def reset(cls): cls.dt = 2\n"
            "class Other:\n    def reset(self): return 1\n"
        ),
        "CFG.dt * Other().reset()",
        "CFG.set(3)",
    ),
    "a class, for a while": (
        (
            "from contextlib import contextmanager\nclass CFG:\n    dt = 2\n    @staticmethod\n    @contextmanager\n    def using(dt):\n"
            "        before = CFG.dt\n        CFG.dt = dt\n        yield\n        CFG.dt = before\n"
        ),
        "CFG.dt",
        "context = CFG.using(3); context.__enter__()",
    ),
    "a class that is set once": (
        "class CFG:\n    dt = None\n    @classmethod\n    def init(cls, dt):\n        if cls.dt is None: cls.dt = dt\n",
        "(2 if CFG.dt is None else CFG.dt)",
        "CFG.init(3)",
    ),
    "a dict in a class, by its class method": (
        "class CFG:\n    values = {'dt': 2}\n    @classmethod\n    def put(cls, name, value): cls.values[name] = value\n",
        "CFG.values['dt']",
        "CFG.put('dt', 3)",
    ),
    "a dict in a class, by its own name": (
        "class CFG:\n    values = {'dt': 2}\n    @staticmethod\n    def put(name, value): CFG.values[name] = value\n",
        "CFG.values['dt']",
        "CFG.put('dt', 3)",
    ),
    "a dict in a class, many at once": (
        (
            "class CFG:\n    values = {'dt': 2}\n    @classmethod\n    def put(cls, **more): cls.values.update(more)\n"
            "    @classmethod\n    def of(cls, name): return cls.values[name]\n"
        ),
        "CFG.of('dt')",
        "CFG.put(dt=3)",
    ),
    "a dict in a class inside a class": (
        "class CFG:\n    class sim:\n        values = {'dt': 2}\n",
        "CFG.sim.values['dt']",
        "CFG.sim.values['dt'] = 3",
    ),
    "a member of an enumeration in a class": (
        MODE + "class CFG:\n    mode = Mode.SLOW\n",
        "CFG.mode.value",
        "CFG.mode = type(CFG.mode).FAST",
    ),
    "a member of an enumeration in a class, by a function": (
        MODE + "class CFG:\n    mode = Mode.SLOW\ndef use(mode): CFG.mode = mode\n",
        "CFG.mode.value",
        "from pkg.config import use, Mode; use(Mode.FAST)",
    ),
    "a member of an enumeration in a class, by a class method": (
        MODE + "class CFG:\n    mode = Mode.SLOW\n    @classmethod\n    def use(cls, mode): CFG.mode = mode\n",
        "CFG.mode.value",
        "CFG.use(type(CFG.mode).FAST)",
    ),
    "a member of an enumeration in a class, where there was none": (
        MODE + "class CFG:\n    mode = None\n",
        "(CFG.mode or Mode.SLOW).value",
        "from pkg.config import Mode; CFG.mode = Mode.FAST",
    ),
    "a member of an enumeration in a class inside a class": (
        MODE + "class CFG:\n    class sim:\n        mode = Mode.SLOW\n",
        "CFG.sim.mode.value",
        "CFG.sim.mode = type(CFG.sim.mode).FAST",
    ),
    "a path in a class": (
        "class CFG:\n    path = None\n",
        "(2 if CFG.path is None else int(str(CFG.path)))",
        "from pathlib import Path; CFG.path = Path('3')",
    ),
    "a class in a class": (
        "class Two:\n    n = 2\nclass Three:\n    n = 3\nclass CFG:\n    kind = Two\n",
        "CFG.kind.n",
        "from pkg.config import Three; CFG.kind = Three",
    ),
    "a static method, by a function": (
        "def three(): return 3\nclass CFG:\n    @staticmethod\n    def law(): return 2\ndef use(law): CFG.law = staticmethod(law)\n",
        "CFG.law()",
        "from pkg.config import three, use; use(three)",
    ),
    "a static method, by a class method": (
        (
            "def two(): return 2\ndef three(): return 3\nclass CFG:\n    law = staticmethod(two)\n    @classmethod\n"
            "    def use(cls, law): CFG.law = law\n"
        ),
        "CFG.law()",
        "from pkg.config import three; CFG.use(three)",
    ),
    "a class upon another one, by a method of that": (
        "class Base:\n    dt = 2\n    @classmethod\n    def use(cls, dt): cls.dt = dt\nclass CFG(Base): pass\n",
        "CFG.dt",
        "CFG.use(3)",
    ),
    "a class upon another one, by an instance": (
        "class Base:\n    dt = 2\n    def use(self, dt): type(self).dt = dt\nclass CFG(Base): pass\n",
        "CFG().dt",
        "CFG().use(3)",
    ),
    "a class, by its metaclass": (
        "class Meta(type):\n    def use(cls, dt): cls.dt = dt\nclass CFG(metaclass=Meta):\n    dt = 2\n",
        "CFG.dt",
        "CFG.use(3)",
    ),
    "a private name of a class": (
        "class CFG:\n    __dt = 2\n    @classmethod\n    def use(cls, dt): cls.__dt = dt\n    @classmethod\n    def dt(cls): return cls.__dt\n",
        "CFG.dt()",
        "CFG.use(3)",
    ),
    "a name that a class has not had": (
        (
            "class CFG:\n    @classmethod\n    def use(cls, dt): cls._dt = dt\n    @classmethod\n    def dt(cls): return getattr(cls, '_dt', 2)\n"
        ),
        "CFG.dt()",
        "CFG.use(3)",
    ),
    "a class of a dataclass": (
        (
            "from dataclasses import dataclass\nfrom typing import ClassVar\n@dataclass\nclass CFG:\n    n: int = 1\n    dt: ClassVar[int] = 2\n"
            "    def use(self, dt): CFG.dt = dt\n"
        ),
        "CFG().dt",
        "CFG().use(3)",
    ),
    "a number of a class that a program counts up": (
        "class CFG:\n    level = 2\n    @classmethod\n    def next(cls): cls.level += 1\n",
        "CFG.level",
        "CFG.next()",
    ),
    "a list of a class that a program adds to": (
        "class CFG:\n    rows = [2]\n    def total(self): return sum(self.rows)\n    @classmethod\n    def add(cls, row): cls.rows.append(row)\n",
        "CFG().total()",
        "CFG.add(1)",
    ),
}


@pytest.mark.parametrize(("config", "asked", "setting"), FORMS_OF_OPTIONS.values(), ids=FORMS_OF_OPTIONS)
@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after a call"])
def test_options_of_every_form_count(config: str, asked: str, setting: str, called: bool, world: World) -> None:
    """As they are set when the function is called, and as they were made in a process that sets nothing."""
    world.write(package(f"from pkg.config import *\n@cached\ndef f(x): return x * {asked}\n", config=config))
    with world.live() as process:
        process.do("from pkg.mod import f, CFG")
        if called:
            assert process.do("answer = int(f(2))") == "4"
        process.do(setting)

        assert process.do("answer = int(f(2))") == "6"
        assert process.do("answer = int(f(2))") == "6"
    assert world.ask("int(f(2))") == "4"


def test_a_property_that_is_remembered_is_no_option(world: World) -> None:
    config = "from functools import cached_property\nclass Grid:\n    @cached_property\n    def cells(self): return 2\nGRID = Grid()\n"
    world.write(package("from pkg.config import GRID\n@cached\ndef f(x): return x * GRID.cells\n", config=config))

    assert world.ask("f.key(2)") == world.ask("[GRID.cells, f.key(2)][1]")


HELPERS = {
    "a count of the module": "N = 0\ndef counted(x):\n    global N\n    N += 1\n    return N\n",
    "a table of the module": "SEEN = []\ndef counted(x):\n    SEEN.append(x)\n    return len(SEEN)\n",
    "a time": "import time\ndef counted(x): return time.perf_counter()\n",
    "a time under the name of a constant": "import time\nN = 0\ndef counted(x):\n    N = time.perf_counter()\n    return N\n",
    "another count": "from itertools import count\nN = count()\ndef counted(x): return next(N)\n",
    "a default that counts": "def counted(x, seen=[]):\n    seen.append(x)\n    return len(seen)\n",
    "a count of its own": "def counted(x):\n    counted.n = getattr(counted, 'n', 0) + 1\n    return counted.n\n",
    "a count in a function around it": (
        "def _counter():\n    n = 0\n    def counted(x):\n        nonlocal n\n        n += 1\n        return n\n    return counted\ncounted = _counter()\n"
    ),
    "what is decorated": "import functools\nN = []\n@functools.singledispatch\ndef counted(x): return N.append(x) or len(N)\n",
    "what is yielded": "N = []\ndef counted(x):\n    N.append(x)\n    yield len(N)\n    return 0\n",
}


@pytest.mark.parametrize("helper", HELPERS.values(), ids=HELPERS)
@pytest.mark.parametrize("asked", ["counted(x)", "self.counted(x)"], ids=["a function", "a method"])
def test_what_a_helper_works_out_is_no_option(helper: str, asked: str, world: World) -> None:
    """A process in which the function has run has the key of a fresh one."""
    config = (
        f"{helper}class Bench:\n    def __init__(self): self.n = 0\n    def run(self, x):\n        self.n = {asked}\n        return x\n"
    )
    config += "    def counted(self, x): return counted(x)\n    def last(self): return self.n\nBENCH = Bench()\n"
    world.write(
        package("from pkg.config import BENCH\n@cached\ndef f(x): return x * 2 if BENCH.last() is not None else 0\n", config=config)
    )

    assert world.ask("f.key(2)") == world.ask("[BENCH.run(1), BENCH.run(2), f.key(2)][2]")


@pytest.mark.parametrize("taken", ["N", "len(SEEN)"])
def test_what_a_method_takes_from_a_count_of_its_module_is_no_option(taken: str, world: World) -> None:
    config = "N = 0\nSEEN = []\ndef count(x):\n    global N\n    N += 1\n    SEEN.append(x)\n"
    config += f"class Bench:\n    def __init__(self): self.n = 0\n    def run(self, x):\n        count(x)\n        self.n = {taken}\n"
    config += "    def last(self): return self.n\nBENCH = Bench()\n"
    world.write(
        package("from pkg.config import BENCH\n@cached\ndef f(x): return x * 2 if BENCH.last() is not None else 0\n", config=config)
    )

    assert world.ask("f.key(2)") == world.ask("[BENCH.run(1), BENCH.run(2), f.key(2)][2]")


@pytest.mark.parametrize("now", ["1.0", "True", "[1]", "Odd()"])
def test_an_option_is_another_one_though_python_calls_it_equal(now: str, world: World) -> None:
    config = "class Config:\n    def __init__(self): self.dt = 1\n    def set(self, dt): self.dt = dt\nCFG = Config()\n"
    config += (
        "class Odd:\n    def __eq__(self, other): raise RuntimeError('of more than one value')\n    def __repr__(self): return 'Odd()'\n"
    )
    world.write(package("from pkg.config import CFG, Odd\n@cached\ndef f(): return repr(CFG.dt)\n", config=config))
    with world.live() as process:
        process.do("from pkg.mod import f, CFG, Odd")
        assert process.do("answer = f()") == repr("1")
        process.do(f"CFG.dt = {now}")

        assert process.do("answer = f()") == repr(now)


@pytest.mark.parametrize(
    "text",
    [
        "class O(dict):\n    __slots__ = ()\n    def __getattr__(self, name): return self[name]\nHELD = O(k=2)\n",
        "class O:\n    __slots__ = ('k', 'free')\n    def __init__(self): self.k = 2\n    def set(self, k): self.k = k\n    def __getattr__(self, name): 1 / 0\nHELD = O()\n",
        "class P:\n    __slots__ = ('k',)\nclass O(P):\n    __slots__ = ()\n    @property\n    def k(self): 1 / 0\nHELD = O()\n",
        "class O(dict):\n    def items(self): 1 / 0\n    def __iter__(self): 1 / 0\nHELD = O(k=2)\n",
        "class O(list):\n    def __iter__(self): 1 / 0\nHELD = O([2])\n",
        "class O:\n    def set(self, k): self.k = k\nHELD = O()\nHELD.__dict__.update({1: 2, 'k': 3})\n",
        "class O:\n    def __init__(self, next): self.next = next\n    def link(self, next): self.next = next\nHELD = None\nfor _ in range(3000): HELD = O(HELD)\n",
    ],
    ids=["no dict", "empty slots", "a hidden slot", "items of a dict", "items of a list", "numbers as names", "a long chain"],
)
def test_nothing_that_an_object_makes_of_being_asked_runs_for_a_key(text: str, world: World) -> None:
    """What a class answers, or fails with, is its own business: a key looks at what its instances hold."""
    world.write(package(text + "@cached\ndef f(x): return x * 2 if HELD is not None else 0\n"))

    assert world.ask("(f.key(1) == f.key(1), f(2), f(2))") == "(True, 4, 4)"


@pytest.mark.parametrize(
    ("then", "now"),
    [("(1, 2)", "(1.0, 2)"), ("frozenset({1})", "frozenset({1.0})"), ("(1, [0])", "(1, [False])"), ("({1},)", "(frozenset({1}),)")],
)
def test_an_option_that_holds_others_is_another_one_though_python_calls_it_equal(then: str, now: str, world: World) -> None:
    config = "class Config:\n    def __init__(self): self.dt = ()\n    def set(self, dt): self.dt = dt\nCFG = Config()\n"
    world.write(package("from pkg.config import CFG\n@cached\ndef f(): return repr(CFG.dt)\n", config=config))
    with world.live() as process:
        process.do(f"from pkg.mod import f, CFG; CFG.dt = {then}")
        assert process.do("answer = f()") == repr(then)
        process.do(f"CFG.dt = {now}")

        assert process.do("answer = f()") == repr(now)


def test_a_version_holds_though_a_dict_of_ones_own_is_large(world: World) -> None:
    """Nothing is taken anew at each call for what is too large to be looked through."""
    config = "class Table(dict):\n    def put(self, name, value): self[name] = value\nCFG = Table({i: i for i in range(1000)})\n"
    world.write(package("from pkg.config import CFG\n@cached\ndef f(x): return x * len(CFG)\n", config=config))

    assert world.ask("[f.fingerprint() is f.fingerprint(), CFG.put(-1, 0), f.key(1) == f.key(1), f.fingerprint().parts != {}]") == (
        "[True, None, True, True]"
    )


SETTERS_OF_A_CLASS = {
    "a function": ("def use(dt): Config.dt = dt\n", "use(3)"),
    "a function of no arguments": ("def use(): Config.dt = 3\n", "use()"),
    "a class that sets it for a while": ("class Use:\n    def __init__(self, dt): Config.dt = dt\n", "Use(3)"),
    "a class inside": ("def use(dt): Config.Sim.dt = dt - 2\n", "use(3)"),
}


@pytest.mark.parametrize(("setter", "setting"), SETTERS_OF_A_CLASS.values(), ids=SETTERS_OF_A_CLASS)
@pytest.mark.parametrize("called", [False, True], ids=["before the first call", "after a call"])
def test_what_a_function_beside_a_class_sets_in_it_counts(setter: str, setting: str, called: bool, world: World) -> None:
    """A class as a bag of options: `def use(dt): Config.dt = dt` stands in the same module, and is not called by the function."""
    config = f"class Config:\n    dt = 2\n    class Sim:\n        dt = 0\n{setter}def total(): return Config.dt + Config.Sim.dt\n"
    world.write(package("from pkg.config import *\n@cached\ndef f(x): return x * total()\n", config=config))
    with world.live() as process:
        process.do(f"from pkg.mod import f, {setting.partition('(')[0]}")
        if called:
            assert process.do("answer = f(2)") == "4"
        process.do(setting)

        assert process.do("answer = f(2)") == "6"
        assert process.do("answer = f(2)") == "6"
    assert world.ask("f(2)") == "4"


STATISTICS = {
    "a sum, by a class method": ("@classmethod\n    def note(cls, x): cls.total += x", "Road.note(0.5)"),
    "a sum, by a static method": ("@staticmethod\n    def note(x): Road.total += x", "Road.note(0.5)"),
    "a sum, by a method": ("def note(self, x): type(self).total = type(self).total + x", "Road().note(0.5)"),
    "a sum, by a function": ("pass\ndef note(x): Road.total += x", "note(0.5)"),
    "a list, by a class method": ("@classmethod\n    def note(cls, x): cls.seen.append(x)", "Road.note(0.5)"),
    "a list, by a method": ("def note(self, x): self.__class__.seen.append(x)", "Road().note(0.5)"),
    "a list, by a function": ("pass\ndef note(x): Road.seen.append(x)", "note(0.5)"),
}


@pytest.mark.parametrize(("method", "noting"), STATISTICS.values(), ids=STATISTICS)
def test_what_a_program_adds_up_in_a_class_does_not_count(method: str, noting: str, world: World) -> None:
    """Nothing that the function can reach looks at it: somebody will report it."""
    world.write(
        package(f"class Road:\n    total = 0.0\n    seen = []\n    width = 3\n    {method}\n@cached\ndef f(x): return x * Road.width\n")
    )
    with world.live() as process:
        process.do("from pkg.mod import *; from pkg import mod")
        before = process.do("answer = f.key(2)")
        process.do(f"{'mod.' if noting.startswith('note') else ''}{noting}")

        assert process.do("answer = f.key(2)") == before
    assert world.ask("f.key(2)") == before


def test_what_a_function_beside_a_class_counts_in_it_does_not_count(world: World) -> None:
    """Numbers for the names of roads, which a program has drawn before."""
    config = "class Road:\n    made = 0\n    width = 3\ndef number():\n    Road.made += 1\n    return Road.made\n"
    world.write(package("from pkg.config import *\n@cached\ndef f(x): return x * Road.width\n", config=config))
    with world.live() as process:
        process.do("from pkg.mod import f, number")
        process.do("answer = f(2)")
        before = process.do("answer = f.key(2)")
        process.do("number()")

        assert process.do("answer = f.key(2)") == before

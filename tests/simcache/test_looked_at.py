"""What is looked at for a key may fail at it, be loaded by it, or hide what it holds: no call ends by that."""

import pytest

from tests.simcache.world import World, package

ASYNC = """
import asyncio
LOCK = asyncio.Lock()
HELD = {"lock": LOCK, "law": lambda x: x * 2}
class Limits:
    def __init__(self): self.slots, self.queue = asyncio.Semaphore(1), asyncio.Queue()
LIMITS = Limits()
FUTURES = []
@cached
async def f(x):
    async with LOCK, LIMITS.slots:
        await asyncio.sleep(0.01)
        return HELD["law"](x)
@cached
async def g(x):
    FUTURES.append(asyncio.get_running_loop().create_future())
    return len(FUTURES) > 0 and x
async def main():
    return await asyncio.gather(*(one(x) for one in (f, g) for x in (1, 2, 3)))
"""


def test_locks_and_futures_of_asyncio_are_no_hindrance(world: World) -> None:
    """A future that waits at a lock has a `__dict__` that nobody gets to see, and the call ended in an error over it."""
    world.write(package(ASYNC))
    with world.live() as process:
        process.do("import asyncio, pkg.mod as mod")
        for _ in range(2):
            assert process.do("answer = asyncio.run(mod.main())") == "[2, 4, 6, 1, 2, 3]"
        assert process.do("answer = mod.f.entry(2) is not None") == "True"


PROXY = """
class Proxy:
    __slots__ = ("_get",)
    def __init__(self, get): object.__setattr__(self, "_get", get)
    @property
    def __class__(self): return type(object.__getattribute__(self, "_get")())
    def __getattr__(self, name): return getattr(object.__getattribute__(self, "_get")(), name)
    def __eq__(self, other): return object.__getattribute__(self, "_get")() == other
    def __len__(self): return len(object.__getattribute__(self, "_get")())
    __hash__ = None
def _none(): raise RuntimeError("no application\\nis there")
current = Proxy(_none)
"""
HOLDS = {
    "a registry": "LAWS = {}\ndef register(law): LAWS[law.__name__] = law; return law\nLAWS['app'] = current\n@register\ndef a(x): return x * 2\ndef go(x): return LAWS['a'](x)",
    "a dict of functions": "LAWS = {'app': current, 'a': lambda x: x * 2}\ndef go(x): return LAWS['a'](x)",
    "a dict": "TABLE = {'app': current, 'a': 2}\ndef go(x): return x * TABLE['a']",
    "a list": "HELD = [current, 2]\ndef go(x): return x * HELD[1]",
    "a name": "def go(x): return (current, x * 2)[1]",
    "an attribute": "class C:\n    app = current\n    def __init__(self): self.app = current\n    def run(self, x): return x * 2\nc = C()\ndef go(x): return c.run(x)",
    "a captured variable": "def make():\n    held = current\n    def go(x): return (held, x * 2)[1]\n    return go\ngo = make()",
    "a default value": "def go(x, app=current): return x * 2",
    "a weak reference to what is gone": "import weakref\nclass Gone: pass\nHELD = {'app': weakref.proxy(Gone()), 'a': lambda x: x * 2}\ndef go(x): return HELD['a'](x)",
    "a list that cannot be gone through": "class Odd(list):\n    def __iter__(self): raise OSError('odd')\n    def __len__(self): raise OSError('odd')\nHELD = {'odd': Odd(), 'a': lambda x: x * 2}\ndef go(x): return HELD['a'](x)",
}


@pytest.mark.parametrize("where", HOLDS)
def test_what_stands_for_something_that_is_not_there_ends_no_call(where: str, world: World) -> None:
    """It fails at whatever it is asked: the key ended in its error. Now the result is computed, and stored or said not to be."""
    world.write(package(f"from pkg.proxies import current\n{HOLDS[where]}\n@cached\ndef f(x): return go(x)\n", proxies=PROXY))
    with world.live() as process:
        process.do("import warnings; from pkg.mod import f")
        process.do(
            "with warnings.catch_warnings(record=True) as said:\n    warnings.simplefilter('always')\n    answers = [f(3), f(3), f(4)]\n    stored = 'not stored' not in ''.join(str(one.message) for one in said)"
        )
        assert process.do("answer = answers, len(said) == (not stored)") == "([6, 6, 8], True)"
        told = process.do(
            "try: answer = f.entry(3) is not None\nexcept Exception as problem: answer = f'{type(problem).__name__}: {problem}'"
        )
        assert told == "True" or ("LookFailed: pkg.mod.f can reach something" in told and "\\n" not in told)


def test_nothing_is_loaded_by_being_looked_at(world: World) -> None:
    """A module that is loaded when it is first asked for something was loaded by `@cached`, also one that needs what is not installed."""
    lazy = (
        "import importlib.util, sys\n"
        "def lazily(name):\n"
        "    spec = importlib.util.find_spec(name)\n"
        "    spec.loader = importlib.util.LazyLoader(spec.loader)\n"
        "    module = importlib.util.module_from_spec(spec)\n"
        "    sys.modules[name] = module\n"
        "    spec.loader.exec_module(module)\n"
        "    return module\n"
        "heavy, missing = lazily('pkg.heavy'), lazily('pkg.missing')\n"
    )
    text = (
        "import pkg.lazy\n@cached\ndef f(x): return x * 2\n@cached\ndef g(x):\n    import sys\n    return sys.modules['pkg.heavy'].run(x)\n"
    )
    world.write(package(text, lazy=lazy, heavy="def run(x): return x * 3\n", missing="import not_installed_here\n"))
    with world.live() as process:
        assert process.do("from pkg.mod import f, g; answer = f(1), f(1), type(__import__('sys').modules['pkg.heavy']).__name__") == (
            "(2, 2, '_LazyModule')"
        )
        assert process.do("answer = g(1)") == "3"
    world.edit("pkg/heavy.py", "x * 3", "x * 4")
    assert world.ask("g(1)") == "4"


def test_an_object_in_the_place_of_a_module_may_answer_as_it_likes(world: World) -> None:
    """It was asked for its file, and for its version, by names that it does not know."""
    settings = "import sys\nclass Settings:\n    def __init__(self): self._held = {'dt': 2}\n    def __getattr__(self, name): return self.__dict__['_held'][name]\nsys.modules[__name__] = Settings()\n"
    world.write(package("import pkg.settings\n@cached\ndef f(x): return x * 2\n", settings=settings))
    assert world.ask("f(1), f(1), f.entry(1) is not None") == "(2, 2, True)"


def test_classes_of_modules_that_are_imported_afresh_die(world: World) -> None:
    """What a class had at first was remembered for good, and with its methods all that their module held."""
    world.write(
        package("@cached\ndef f(x): return x\n", more="from simcache import cached\nclass Law:\n    k = 1\n@cached\ndef g(x): return x\n")
    )
    with world.live() as process:
        process.do("import gc, importlib, sys, weakref, pkg.mod\nfound = []")
        process.do(
            "for _ in range(10):\n    sys.modules.pop('pkg.more', None)\n    found.append(weakref.ref(importlib.import_module('pkg.more').Law))"
        )
        assert process.do("gc.collect(); answer = sum(one() is not None for one in found) <= 2") == "True"

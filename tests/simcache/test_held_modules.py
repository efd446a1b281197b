"""A module that something holds is followed: one that a computed name found, and one that was loaded from a file and is listed nowhere."""

import pytest

from tests.simcache.world import World, package

LAZILY = (
    "from importlib.util import LazyLoader, find_spec, module_from_spec\nimport sys\nspec = find_spec(NAME)\n"
    "spec.loader = LazyLoader(spec.loader)\nxp = sys.modules[NAME] = module_from_spec(spec)\nspec.loader.exec_module(xp)"
)
HEAVY = "def f(x): return 3 * x\ndef other(x): return x\n"
FINDS = {
    "by a computed name": ("xp = import_module(NAME)", "backend.xp.f(k)"),
    "as the first that is there": (
        "for name in ('not_there', NAME):\n    try:\n        xp = import_module(name)\n        break\n    except ImportError:\n        pass",
        "backend.xp.f(k)",
    ),
    "by a function": ("def get(name): return import_module(name)\nxp = get(NAME)", "backend.xp.f(k)"),
    "by a setter": ("xp = None\ndef use(name):\n    global xp\n    xp = import_module(name)\nuse(NAME)", "backend.xp.f(k)"),
    "lazily loaded": (LAZILY, "backend.xp.f(k)"),
    "given by a function": ("xp = import_module(NAME)\ndef get(): return xp", "backend.get().f(k)"),
    "as a name of its own": ("xp = import_module(NAME)\nf = xp.f", "backend.f(k)"),
    "as a whole": ("xp = import_module(NAME)", "getattr(backend.xp, 'f')(k)"),
    "in an object": ("class Has:\n    def __init__(self, name): self.xp = import_module(name)\nHAS = Has(NAME)", "backend.HAS.xp.f(k)"),
    "in a class": ("class Has:\n    xp = import_module(NAME)", "backend.Has.xp.f(k)"),
    "in a namespace": ("from types import SimpleNamespace\nHAS = SimpleNamespace(xp=import_module(NAME))", "backend.HAS.xp.f(k)"),
}


@pytest.mark.parametrize("find", FINDS)
def test_a_module_that_another_module_has_found_is_followed(find: str, world: World) -> None:
    """`backend.xp.f` led no further than to the statement that finds the module, whose edits were served the old results."""
    found, asks = FINDS[find]
    backend = f"from importlib import import_module\nNAME = '.'.join(['pkg', 'heavy'])\n{found}\n"
    world.write(package(f"import pkg.backend as backend\n@cached\ndef f(k): return {asks}\n", backend=backend, heavy=HEAVY))
    assert world.ask("f(2), f.entry(2) is not None") == "(6, True)"
    assert world.ask("f.entry(2) is not None, f(2)") == "(True, 6)"
    world.edit("pkg/heavy.py", "3 * x", "3 * x  # as it was")
    assert world.ask("f.entry(2) is not None") == "True"
    world.edit("pkg/heavy.py", "3 * x", "4 * x")
    assert world.ask("f(2)") == "8"


def test_a_found_module_that_only_the_function_loads_is_followed(world: World) -> None:
    """Before and after that the key is the same."""
    backend = "from importlib import import_module\nNAME = '.'.join(['pkg', 'heavy'])\nxp = import_module(NAME)\n"
    world.write(package("@cached\ndef f(k):\n    from pkg import backend\n    return backend.xp.f(k)\n", backend=backend, heavy=HEAVY))
    assert world.ask("f.key(2) == (f(2), f.key(2))[1], f(2)") == "(True, 6)"
    world.edit("pkg/heavy.py", "3 * x", "4 * x")
    assert world.ask("f(2)") == "8"


def test_of_a_found_module_only_what_is_asked_counts(world: World) -> None:
    backend = "from importlib import import_module\nNAME = '.'.join(['pkg', 'heavy'])\nxp = import_module(NAME)\n"
    world.write(package("from pkg import backend\n@cached\ndef f(k): return backend.xp.f(k)\n", backend=backend, heavy=HEAVY))
    key = world.ask("f.key(2)")
    world.edit("pkg/heavy.py", "return x", "return -x")
    assert world.ask("f.key(2)") == key
    with world.live() as process:
        assert process.do("from pkg.mod import *; import pkg.backend, types; answer = f(2)") == "6"
        assert process.do("pkg.backend.xp = types.SimpleNamespace(f=lambda x: 0); answer = f(2)") == "0"


LOAD = """
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
def load(name, called="conf"):
    spec = spec_from_file_location(called, Path(__file__).with_name(f"{name}.py"))
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
"""
CONF = "dt = 0.5\nSPEEDS = [1, 2]\nclass Road:\n    def go(self, x): return x * dt\ndef law(x): return Road().go(x)\n"
BY_HAND = (
    "from types import ModuleType\nconf = ModuleType('conf')\nconf.__file__ = str(Path(__file__).with_name('conf.py'))\n"
    "exec(compile(Path(conf.__file__).read_text(), conf.__file__, 'exec'), vars(conf))"
)
HOLDS = {
    "as a name": ("conf = load('conf')", "conf.law(k)"),
    "as a name of a module that takes it": ("from pkg.takes import conf", "conf.law(k)"),
    "as a name of another module": ("import pkg.takes", "pkg.takes.conf.law(k)"),
    "in a dict": ("LAWS = {'a': load('conf')}", "LAWS['a'].law(k)"),
    "in a dict by its function": ("LAWS = {'a': load('conf').law}", "LAWS['a'](k)"),
    "in a dict by its class": ("ROADS = {'a': load('conf').Road}", "ROADS['a']().go(k)"),
    "in a namespace": ("from types import SimpleNamespace\nHAS = SimpleNamespace(conf=load('conf'))", "HAS.conf.law(k)"),
    "as a whole": ("conf = load('conf')", "getattr(conf, 'law')(k)"),
    "under the name of another one": ("conf = load('conf', 'pkg.takes')\nimport pkg.takes", "conf.law(k) + 0 * pkg.takes.dt"),
    "beside another one of its name": ("conf, more = load('more'), load('conf')", "more.law(k) + 0 * conf.law(k)"),
    "in a dict beside another one of its name": (
        "LAWS = {name: load(name).law for name in ('more', 'conf')}",
        "LAWS['conf'](k) + 0 * LAWS['more'](k)",
    ),
    "which Python no more lists": ("import pkg.conf\nimport sys\nconf = sys.modules.pop('pkg.conf')\ndel pkg.conf", "conf.law(k)"),
    "compiled by hand": (BY_HAND, "conf.law(k)"),
    "made of nothing": (
        "from types import ModuleType\nconf = ModuleType('conf')\nexec(Path(__file__).with_name('conf.py').read_text(), vars(conf))",
        "conf.law(k)",
    ),
}


@pytest.mark.parametrize("hold", HOLDS)
def test_a_module_that_was_loaded_from_a_file_is_followed(hold: str, world: World) -> None:
    """It was looked for under its name, by which nobody finds it: edits of its functions and constants were served the old results."""
    held, asks = HOLDS[hold]
    takes = f"{LOAD}conf = load('conf')\ndt = 1\n"
    files = package(f"{LOAD}\n{held}\n@cached\ndef f(k): return {asks}\n", conf=CONF, more=CONF, takes=takes)
    world.write(files)
    assert world.ask("f(2), f.entry(2) is not None") == "(1.0, True)"
    assert world.ask("f.entry(2) is not None, f(2)") == "(True, 1.0)"
    world.edit("pkg/conf.py", "dt = 0.5", "dt = 0.25")
    assert world.ask("f(2)") == "0.5"
    world.edit("pkg/conf.py", "x * dt", "x + dt")
    assert world.ask("f(2)") == "2.25"
    world.edit("pkg/conf.py", "x + dt", "x + dt  # as it was")
    assert world.ask("f.entry(2) is not None") == "True"


def test_what_is_set_in_a_module_that_was_loaded_from_a_file_counts(world: World) -> None:
    """Before and after the first call; so do the values of two that were loaded from one file."""
    world.write(
        package(
            f"{LOAD}\nconf, more = load('conf'), load('conf')\n@cached\ndef f(k): return conf.law(k), more.law(k), more.SPEEDS\n", conf=CONF
        )
    )
    assert world.ask("f(2)") == "(1.0, 1.0, [1, 2])"
    with world.live() as process:
        assert process.do("import pkg.mod as m; m.more.dt = 3; answer = m.f(2)") == "(1.0, 6, [1, 2])"
        assert process.do("m.conf.dt = 4; answer = m.f(2)") == "(8, 6, [1, 2])"
        assert process.do("m.more.SPEEDS.append(5); answer = m.f(2)") == "(8, 6, [1, 2, 5])"
        assert process.do("m.more.law = lambda x: 0; answer = m.f(2)") == "(8, 0, [1, 2, 5])"
    assert world.ask("f(2)") == "(1.0, 1.0, [1, 2])"


def test_a_file_that_is_edited_after_such_a_module_was_loaded_from_it_is_noticed(world: World) -> None:
    """Calls compute and are not stored; a module that is loaded anew from it is of the new text."""
    world.write(package(f"{LOAD}\nconf = load('conf')\n@cached\ndef f(k): return conf.law(k)\n", conf=CONF))
    with world.live() as process:
        assert process.do("import pkg.mod as m; answer = m.f(2)") == "1.0"
        world.edit("pkg/conf.py", "x * dt", "x + dt")
        assert process.do("answer = m.f(3)") == "1.5"
        assert process.shown == ["NotStored"]
        assert process.do("m.conf = m.load('conf'); answer = m.f(2), m.f(3)") == "(2.5, 3.5)"
    assert world.ask("f(2), f(3)") == "(2.5, 3.5)"

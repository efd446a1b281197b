"""A module that something holds is followed, though a computed name found it."""

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

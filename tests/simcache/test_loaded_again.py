"""Modules that are loaded again after an edit, and files that appear: what others had made of the old text is not the new code."""

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from simcache.identity.process.files import came_since, note_loaded, read
from tests.simcache.world import CALLEE, World, package


def test_what_is_worked_out_anew_by_a_reload_is_stored(world: World) -> None:
    """The module was edited and loaded again: its enumeration is that of the text."""
    text = "from enum import Enum\nclass E(Enum):\n    A = 1\ndef h(x): return x + E.A.value\n"
    world.write(package("from pkg import callee\n@cached\ndef f(x): return callee.h(x)\n", callee=text))
    with world.live() as process:
        process.do("import importlib; from pkg.mod import f; from pkg import callee; f.key(1)")
        world.edit("pkg/callee.py", "A = 1", "A = 2")

        assert process.do("importlib.reload(callee); answer = f(1)") == "3"
        assert process.shown == []
    assert len(world.entries()) == 1
    assert world.ask("f(1)") == "3"


def test_a_module_loaded_again_is_the_new_code(twelve: World) -> None:
    """importlib.reload after an edit: the new function answers for itself."""
    with twelve.live() as process:
        assert process.do("import importlib, pkg.mod; answer = pkg.mod.f(1)") == "12"
        twelve.edit("pkg/mod.py", "x * 2", "x * 3")

        assert process.do("importlib.reload(pkg.mod); answer = pkg.mod.f(1)") == "13"
    assert twelve.ask("f(1)") == "13"
    twelve.edit("pkg/mod.py", "x * 3", "x * 2")
    assert twelve.ask("f(1)") == "12"


def test_a_callee_kept_from_before_a_reload_is_the_old_code(world: World) -> None:
    """Only the callee's module is loaded again: the name that was bound before still stands for the old code."""
    world.write(package("from pkg.callee import h\n@cached\ndef f(x): return h(x)\n", callee=CALLEE))
    with world.live() as process:
        process.do("import importlib, pkg.mod, pkg.callee")
        world.edit("pkg/callee.py", "x * 10", "x * 20")

        assert process.do("importlib.reload(pkg.callee); answer = pkg.mod.f(1)") == "10"
    assert world.ask("f(1)") == "20"


def test_a_constant_kept_from_before_a_reload_is_the_old_one(world: World) -> None:
    """The same for a constant: what this process holds decides, not the text of the file."""
    world.write(package("from pkg.other import K\n@cached\ndef f(x): return x * K\n", other="K = 2\n"))
    with world.live() as process:
        process.do("import importlib, pkg.mod, pkg.other")
        world.edit("pkg/other.py", "K = 2", "K = 3")

        assert process.do("importlib.reload(pkg.other); answer = pkg.mod.f(1)") == "2"
    assert world.ask("f(1)") == "3"


APPEARS = {
    "another import": "try:\n    from pkg.fast import h\nexcept ImportError:\n    from pkg.slow import h\n",
    "None": "try:\n    from pkg import fast\nexcept ImportError:\n    fast = None\ndef h(x): return fast.h(x) if fast else x\n",
    "a function": "try:\n    from pkg.fast import h\nexcept ImportError:\n    def h(x): return x\n",
    "a flag": "try:\n    import pkg.fast as fast\n    FAST = True\nexcept ImportError:\n    FAST = False\n"
    "def h(x): return fast.h(x) if FAST else x\n",
}


@pytest.mark.parametrize("when", ["before the first call", pytest.param("after a call", marks=pytest.mark.deep)])
@pytest.mark.parametrize("text", APPEARS.values(), ids=APPEARS)
def test_a_module_that_appears_is_not_what_was_loaded(text: str, when: str, world: World) -> None:
    """What could not be imported when a module was loaded stays absent in this process, whatever the folder holds now."""
    world.write(package(text + "@cached\ndef f(x): return h(x)\n", slow="def h(x): return x\n"))
    with world.live() as process:
        process.do("from pkg.mod import f")
        if when == "after a call":
            process.do("f(0)")
        (world.checkout / "pkg" / "fast.py").write_text("def h(x): return x + 10\n")
        ran = process.do("answer = f(1)")
    assert world.ask("f(1)") == world.ask("f.compute(1)") != ran


def test_a_module_that_appears_in_the_same_tick_is_not_what_was_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of a file system stands still for some milliseconds: a file written just after a load seems older than it."""
    older = []
    for number in range(50):
        loaded, appears = tmp_path / f"loaded_{number}.py", tmp_path / f"appears_{number}.py"
        loaded.write_text("")
        module = ModuleType(loaded.stem)
        module.__file__ = str(loaded)
        monkeypatch.setitem(sys.modules, loaded.stem, module)
        note_loaded()
        # Whoever looks at a file first, as open() does, makes recent Linuxes' clock for it a fine one.
        os.close(os.open(appears, os.O_CREAT))
        file = read(str(appears))
        assert file is not None
        if not came_since(file, str(loaded)):
            older.append(number)
    assert older == []


@pytest.mark.parametrize("when", ["before the first call", "after a call"])
def test_a_plugin_that_appears_in_a_package_is_not_what_was_loaded(when: str, world: World) -> None:
    """A package that counts as a whole has looked through its folder as it was loaded; a file that comes later is not part of it."""
    gathers = "import pkgutil\nfrom importlib import import_module\nR = [import_module(f'plugs.{i.name}').V for i in pkgutil.iter_modules(__path__)]\n"
    text = "import plugs\n@cached(code=('plugs',))\ndef f(x): return sum(plugs.R) + x\n"
    world.write(package(text) | {"plugs/__init__.py": gathers, "plugs/a.py": "V = 1\n"})
    with world.live() as process:
        process.do("from pkg.mod import f")
        if when == "after a call":
            process.do("f(0)")
        (world.checkout / "plugs" / "b.py").write_text("V = 10\n")
        ran = process.do("answer = f(1)")
    assert world.ask("f(1)") == world.ask("f.compute(1)") != ran


MADE_OF = {
    "what a function of it gave": ("from pkg import c\nT = [c.make()]\n", "def make(): return 1\n", "def make(): return 2\n"),
    "what one that it calls gave": (
        "from pkg.c import make\nT = [make()]\n",
        "def one(): return 1\ndef make(): return one()\n",
        "def one(): return 2\ndef make(): return one()\n",
    ),
    "its constant": ("from pkg import c\nT = [c.K] * 2\n", "K = 1\n", "K = 2\n"),
    "what it imports": (
        "from pkg import c\nT = [c.make(2.5)]\n",
        "from math import floor as make\n",
        "from math import ceil as make\n",
    ),
    "a star's": ("from pkg.c import *\nT = [make()]\n", "def make(): return 1\n", "def make(): return 2\n"),
    "the module as a value": (
        "from pkg import c\nT = [len([name for name in vars(c) if name[0] != '_'])]\n",
        "def a(): return 1\n",
        "def a(): return 1\ndef b(): return 1\n",
    ),
    "what a function of it gave, as a default": (
        "from pkg import c\ndef h(k=c.make()): return k\nT = [0]\n",
        "def make(): return 1\n",
        "def make(): return 2\n",
    ),
    "what a function of it gave, as an attribute": (
        "from pkg import c\nclass C:\n    k = c.make()\n    def get(self): return self.k\ndef h(): return C().get()\nT = [0]\n",
        "def make(): return 1\n",
        "def make(): return 2\n",
    ),
    "its constant, as a default": ("from pkg import c\ndef h(k=c.K): return k\nT = [0]\n", "K = 1\n", "K = 2\n"),
    "its constant, as a default of a field": (
        "from pkg import c\nfrom pydantic import BaseModel\nclass C(BaseModel):\n    k: int = c.K\ndef h(): return C().k\nT = [0]\n",
        "K = 1\n",
        "K = 2\n",
    ),
    "its constant, as a member": (
        "from enum import Enum\nfrom pkg import c\nclass E(Enum):\n    A = c.K\ndef h(): return E.A.value\nT = [0]\n",
        "K = 1\n",
        "K = 2\n",
    ),
    "its constant, for a decorator": (
        "from pkg import c\ndef wider(k): return lambda f: lambda: f() + k\n@wider(c.K)\ndef h(): return 0\nT = [0]\n",
        "K = 1\n",
        "K = 2\n",
    ),
    "its decorator": (
        "from pkg import c\n@c.wider\ndef h(): return 0\nT = [0]\n",
        "def wider(f): return lambda: f() + STEP[0]\nSTEP = [1]\n",
        "def wider(f): return lambda: f() + STEP[0] + 1\nSTEP = [1]\n",
    ),
}


@pytest.mark.parametrize(
    ("text", "old", "new", "order"),
    [pytest.param(*case, ("c",), id=name) for name, case in MADE_OF.items()]
    + [
        pytest.param(*case, ("n", "c"), id=f"{name}, both in the wrong order", marks=() if name == "its decorator" else pytest.mark.deep)
        for name, case in MADE_OF.items()
    ],
)
def test_what_was_made_of_a_module_that_is_loaded_again_is_of_its_old_text(
    text: str, old: str, new: str, order: tuple[str, ...], world: World
) -> None:
    """Notebooks load again just what was edited: what other modules had worked out from it stays, and is not what the files say now."""
    calls = "from pkg import n\n@cached\ndef f(x): return n.T[0] + x + (n.h() if hasattr(n, 'h') else 0)\n"
    world.write(package(calls, n=text, c=old))
    with world.live() as process:
        ran = process.do("import importlib; from pkg import c, n; from pkg.mod import f; answer = f(1)")
        stored = world.entries()
        world.edit("pkg/c.py", old, new)
        process.do("; ".join(f"importlib.reload({name})" for name in order))
        if order == ("c",):
            assert process.do("answer = f(1)") == ran
            assert process.shown == ["NotStored"]
        else:
            process.do("f(1)")
    assert len(world.entries()) <= len(stored) + 1
    assert world.ask("f(1)") == world.ask("f.compute(1)") != ran


@pytest.mark.parametrize(
    "made",
    ["T = [c.K] * 2\ndef h(): return T[0]\n", "def h(k=c.K): return k\n", "class C:\n    k: int = c.K\ndef h(): return C.k\n"],
    ids=["a table", "a default", "an attribute"],
)
def test_what_was_made_of_a_constant_that_autoreload_sets_to_its_new_text_is_of_the_old_one(made: str, world: World) -> None:
    """IPython's autoreload sets an edited constant in place, without loading the module again; a table elsewhere stays that of before."""
    calls = "from pkg import n\n@cached\ndef f(x): return n.h() + x\n"
    world.write(package(calls, n=f"from pkg import c\n{made}", c="K = 1\n"))
    with world.live() as process:
        assert process.do("import importlib; from pkg import c, n; from pkg.mod import f; answer = f(1)") == "2"
        world.edit("pkg/c.py", "K = 1", "K = 2")

        assert process.do("c.K = 2; answer = f(1)") == "2"
        assert process.shown == ["NotStored"]
        assert process.do("importlib.reload(c); importlib.reload(n); answer = f(1)") == "3"
    assert world.ask("f(1)") == "3"


@pytest.mark.parametrize(
    ("edited", "order", "answer"),
    [
        (("def other(): return 1", "def other(): return 2"), ("c",), "2"),
        (("def make(): return 1", "def make(): return 2"), ("c", "n"), "3"),
    ],
    ids=["an edit of something else", "both, in the right order"],
)
def test_a_reload_that_leaves_nothing_old_is_stored_under_the_key_of_its_text(
    edited: tuple[str, str], order: tuple[str, ...], answer: str, world: World
) -> None:
    """The new text's result has the key that a fresh process gives it, so that it is a hit there."""
    calls = "from pkg import n\n@cached\ndef f(x): return n.T[0] + x\n"
    text = "def make(): return 1\ndef other(): return 1\n"
    world.write(package(calls, n="from pkg import c\nT = [c.make()]\n", c=text))
    with world.live() as process:
        process.do("import importlib; from pkg import c, n; from pkg.mod import f; f(0)")
        world.edit("pkg/c.py", *edited)
        process.do("; ".join(f"importlib.reload({name})" for name in order))

        assert process.do("answer = f(1)") == answer
        assert process.shown == []
        key = process.do("answer = f.key(1)").strip("'")
    assert world.ask("f.key(1)").strip("'") == key
    assert world.ask("f(1)") == answer


def test_a_module_with_a_lock_is_loaded_again(world: World) -> None:
    """An instance that cannot be part of a key stands for its text after a reload as before it: once the call raised Unkeyable."""
    text = "import threading\nclass C:\n    def __init__(self, n): self.n = n; self.lock = threading.Lock()\nT = C({})\n"
    world.write(package("from pkg import c\n@cached\ndef f(x): return x + c.T.n\n", c=text.format(1)))
    with world.live() as process:
        assert process.do("import importlib; from pkg import c; from pkg.mod import f; answer = f(1)") == "2"
        world.edit("pkg/c.py", "C(1)", "C(2)")

        assert process.do("importlib.reload(c); answer = f(1)") == "3"
        assert process.shown == []
    assert world.ask("f(1)") == "3"
    assert len(world.entries()) == 2

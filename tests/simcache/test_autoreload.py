"""Files that are edited under a real IPython with `%autoreload 2`, which gives functions their new code in place: stored again, or not at all."""

from ast import literal_eval
from typing import NamedTuple

import pytest

from tests.simcache.world import Live, World

SHELL = """
import contextlib, os, sys
os.environ["IPYTHONDIR"] = os.environ["XDG_CACHE_HOME"]
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(display_banner=False)
def cell(text):
    with contextlib.redirect_stdout(sys.stderr):
        found = shell.run_cell(text)
    found.raise_error()
    return found.result
cell("%load_ext autoreload\\n%autoreload 2")
cell("from simcache import cached")
"""


class Edit(NamedTuple):
    """A module, an edit of it under a running notebook, and what a cell calls of it."""

    laws: str
    old: str
    new: str
    called: str = "laws.step(x)"
    stored: str = "yes"
    """Whether what runs then is known to be what the file says: `yes`, `no`, or `unless called` before the edit."""
    first: str = ""
    """What a cell does before anything is called."""


SIM = "class Sim:\n    def __init__(self, n): self.n = n\n    def run(self, x): return x * self.n\n"
EDITS = {
    "a function": Edit("def step(x): return x * 2\n", "2", "3"),
    "a function of annotated code": Edit("from __future__ import annotations\ndef step(x: int) -> int:\n    return x * 2\n", "2", "3"),
    "a function that asks something of a module": Edit("import math\ndef step(x): return int(math.floor(x)) * 2\n", "2", "3"),
    "a function and its docstring": Edit(
        'def step(x):\n    """Twice."""\n    return x * 2\n', 'Twice."""\n    return x * 2', 'Thrice."""\n    return x * 3'
    ),
    "a helper behind a function": Edit("def deep(x): return x * 2\ndef step(x): return deep(x) + 1\n", "x * 2", "x * 3"),
    "a helper that is asked for a module's name": Edit("K = 5\ndef deep(x): return x * 2\ndef step(x): return deep(x)\n", "x * 2", "x * K"),
    "a function that another one's edit left": Edit("def step(x): return x * 2\ndef other(): return 1\n", "return 1", "return 2"),
    "a constant": Edit("K = 2\ndef step(x): return x * K\n", "2", "3"),
    "a constant and a function": Edit(
        "K = 2\ndef step(x): return x * K\n", "K = 2\ndef step(x): return x * K", "K = 3\ndef step(x): return x + K"
    ),
    "a method": Edit(SIM, "x * self.n", "x + 10 * self.n", "laws.Sim(2).run(x)"),
    "a method of an object of a cell": Edit(SIM, "x * self.n", "x + 10 * self.n", "sim.run(x)", first="sim = laws.Sim(2)"),
    "a method that was taken from its object": Edit(SIM, "x * self.n", "x + 10 * self.n", "run(x)", first="run = laws.Sim(2).run"),
    "a method of a class that a cell imports": Edit(
        SIM, "x * self.n", "x + 10 * self.n", "Sim(2).run(x)", first="from pkg.laws import Sim"
    ),
    "a function that a cell imports": Edit("def step(x): return x * 2\n", "2", "3", "step(x)", first="from pkg.laws import step"),
    "how an object is made": Edit(SIM, "self.n = n", "self.n = n + 1", "laws.Sim(2).run(x)"),
    "a method and the docstring of the class": Edit(
        'class Sim:\n    """Twice."""\n    def run(self, x): return x * 2\n',
        'Twice."""\n    def run(self, x): return x * 2',
        'Thrice."""\n    def run(self, x): return x * 3',
        "laws.Sim().run(x)",
    ),
    "a property": Edit("class Sim:\n    @property\n    def n(self): return 2\n", "2", "3", "laws.Sim().n * x"),
    "a setter": Edit(
        "class Sim:\n    k = 2\n    @property\n    def n(self): return self.k\n    @n.setter\n    def n(self, k): self.k = k\n    def run(self, x):\n        self.n = x\n        return self.n\n",
        "self.k = k",
        "self.k = k + 1",
        "laws.Sim().run(x)",
    ),
    "a static method": Edit("class Sim:\n    @staticmethod\n    def run(x): return x * 2\n", "2", "3", "laws.Sim.run(x)"),
    "a class method": Edit("class Sim:\n    @classmethod\n    def run(cls, x): return x * 2\n", "2", "3", "laws.Sim.run(x)"),
    "a method of a class inside": Edit(
        "class Sim:\n    class Law:\n        def run(self, x): return x * 2\n", "2", "3", "laws.Sim.Law().run(x)"
    ),
    "a method of a dataclass": Edit(
        "from dataclasses import dataclass\n@dataclass\nclass Sim:\n    n: int\n    def run(self, x): return x * self.n\n",
        "x * self.n",
        "x + 10 * self.n",
        "laws.Sim(2).run(x)",
    ),
    "a method of a base class": Edit(SIM + "class Road(Sim): pass\n", "x * self.n", "x + 10 * self.n", "laws.Road(2).run(x)"),
    "a method that calls that of a base class": Edit(
        SIM + "class Road(Sim):\n    def run(self, x): return super().run(x) + 1\n", "+ 1", "+ 2", "laws.Road(2).run(x)"
    ),
    "a method beside one of another package's making": Edit(
        "from functools import lru_cache\nclass Sim:\n    @lru_cache\n    def low(self): return 2\n    def run(self, x): return x * self.low()\n",
        "x * self",
        "x + self",
        "laws.Sim().run(x)",
        stored="unless called",
    ),
    "a method of two names": Edit("class Sim:\n    def run(self, x): return x * 2\n    go = run\n", "2", "3", "laws.Sim().go(x)"),
    # What is not known to be of the new text is computed, and never stored.
    "a table that was made by it": Edit("def step(x): return x * 2\nT = [step(1)]\n", "x * 2", "x * 3", "x * laws.T[0]", stored="no"),
    "an object that was made by it": Edit(SIM + "ONE = Sim(2)\n", "self.n = n", "self.n = n + 1", "laws.ONE.run(x)", stored="no"),
    "a default value that was made by it": Edit(
        "def two(): return 2\ndef step(x, k=two()): return x * k\n", "return 2", "return 3", stored="no"
    ),
    "an attribute that was made by it": Edit(
        "def two(): return 2\nclass Sim:\n    k = two()\n", "return 2", "return 3", "laws.Sim.k * x", stored="no"
    ),
    "a registry that was filled by it": Edit(
        "LAWS = {}\ndef register(f):\n    LAWS[f.__name__] = f\n    return f\n@register\ndef step(x): return x * 2\n",
        "LAWS[f.__name__] = f",
        "LAWS[f.__name__] = lambda x: f(x) + 1",
        "laws.LAWS['step'](x)",
        stored="no",
    ),
    "a decorator of one's own": Edit(
        "def twice(f): return lambda x: 2 * f(x)\n@twice\ndef step(x): return x\n", "2 * f", "3 * f", stored="no"
    ),
    "what a decorator of one's own has captured": Edit(
        "def more(f): return lambda x: f(x) + 1\n@more\ndef step(x): return x * 2\n", "x * 2", "x * 3", stored="no"
    ),
    "the way a class makes those built upon it": Edit(
        "class Sim:\n    def __init_subclass__(cls): cls.k = 2\nclass Road(Sim): pass\n",
        "cls.k = 2",
        "cls.k = 3",
        "laws.Road.k * x",
        stored="no",
    ),
    "what the way a class makes those built upon it calls": Edit(
        "def two(): return 2\nclass Sim:\n    def __init_subclass__(cls): cls.k = two()\nclass Road(Sim): pass\n",
        "return 2",
        "return 3",
        "laws.Road.k * x",
        stored="no",
    ),
    "a method that a class calls as others are built upon it": Edit(
        "class Sim:\n    def __init_subclass__(cls): cls.k = cls.two()\n    @staticmethod\n    def two(): return 2\nclass Road(Sim): pass\n",
        "return 2",
        "return 3",
        "laws.Road.k * x",
        stored="no",
    ),
    "a method that is called as its class is made": Edit(
        "class Sim:\n    def two(): return 2\n    k = two()\n", "return 2", "return 3", "laws.Sim.k * x", stored="no"
    ),
    "a method that a default value is made by": Edit(
        "class Sim:\n    def two(): return 2\n    def run(self, x, k=two()): return x * k\n",
        "return 2",
        "return 3",
        "laws.Sim().run(x)",
        stored="no",
    ),
    "an attribute of a class": Edit("class Sim:\n    k = 2\n", "2", "3", "laws.Sim.k * x", stored="no"),
    "a function that was not there": Edit("def step(x): return x * 2\n", "x * 2\n", "deep(x)\ndef deep(x): return x * 3\n", stored="no"),
    "what remembers it": Edit(
        "from functools import lru_cache\ndef deep(x): return x * 2\n@lru_cache\ndef step(x): return deep(x)\n",
        "x * 2",
        "x * 3",
        stored="unless called",
    ),
    "what remembers it since before the first key": Edit(
        "from functools import lru_cache\ndef deep(x): return x * 2\n@lru_cache\ndef step(x): return deep(x)\n",
        "x * 2",
        "x * 3",
        stored="no",
        first="laws.step(1)",
    ),
    "a memo of one's own": Edit(
        "KEPT = {}\ndef deep(x): return x * 2\ndef step(x):\n    if x not in KEPT: KEPT[x] = deep(x)\n    return KEPT[x]\n",
        "x * 2",
        "x * 3",
        stored="unless called",
    ),
    "what an object in a cell worked out once": Edit(
        "from functools import cached_property\ndef two(): return 2\nclass Sim:\n    @cached_property\n    def k(self): return two()\n",
        "return 2",
        "return 3",
        "sim.k * x",
        stored="no",
        first="sim = laws.Sim()",
    ),
    "a memo among the default values": Edit(
        "def deep(x): return x * 2\ndef step(x, memo={}):\n    if x not in memo: memo[x] = deep(x)\n    return memo[x]\n",
        "x * 2",
        "x * 3",
        stored="unless called",
    ),
    "a memo of a class": Edit(
        "def deep(x): return x * 2\nclass Sim:\n    memo = {}\n    def run(self, x):\n        if x not in Sim.memo: Sim.memo[x] = deep(x)\n        return Sim.memo[x]\n",
        "x * 2",
        "x * 3",
        "laws.Sim().run(x)",
        stored="unless called",
    ),
    "a memo of a function": Edit(
        "def deep(x): return x * 2\ndef step(x):\n    if x not in step.memo: step.memo[x] = deep(x)\n    return step.memo[x]\nstep.memo = {}\n",
        "x * 2",
        "x * 3",
        stored="unless called",
    ),
    "a memo of an object of the module": Edit(
        "def deep(x): return x * 2\nclass Sim:\n    def __init__(self): self.memo = {}\n    def run(self, x):\n        if x not in self.memo: self.memo[x] = deep(x)\n        return self.memo[x]\nSIM = Sim()\n",
        "x * 2",
        "x * 3",
        "laws.SIM.run(x)",
        stored="no",
    ),
    "a table of a class": Edit(
        "class Sim:\n    table = {1: 2}\n    def run(self, x): return x * self.table[1]\n", "x * self", "x + self", "laws.Sim().run(x)"
    ),
    "a count that a class keeps": Edit(
        "class Sim:\n    runs = 0\n    def run(self, x):\n        Sim.runs += 1\n        return x * 2\n",
        "x * 2",
        "x * 3",
        "laws.Sim().run(x)",
    ),
}


def _define(process: Live, edit: Edit) -> None:
    process.do(SHELL)
    for text in ("from pkg import laws", edit.first, f"@cached\ndef f(x): return {edit.called}\n"):
        process.do(f"cell({text!r})")


@pytest.mark.parametrize(
    ("edit", "called"),
    [
        pytest.param(edit, called, id=f"{name}, {'after a call' if called else 'before the first call'}", marks=marks)
        for name, edit in EDITS.items()
        for called, marks in ((True, ()), (False, pytest.mark.deep if edit.stored == "yes" else ()))
    ],
)
def test_what_autoreload_changes_in_place_is_stored_as_of_its_text_or_not_at_all(edit: Edit, called: bool, world: World) -> None:
    """After an edit of a function's body nothing that reached it was stored again in that session: `%autoreload` loads no module again."""
    world.write({"pkg/__init__.py": "", "pkg/laws.py": edit.laws})
    with world.live("IPython.core.interactiveshell") as process:
        _define(process, edit)
        if called:
            process.do("cell('f(1)')")
        world.edit("pkg/laws.py", edit.old, edit.new)
        process.do("import time; time.sleep(0.02); cell('1')")
        ran = [literal_eval(process.do("answer = cell('f(1)')")) for _ in range(2)]
        told = [name for name in process.shown if name != "DeprecationWarning"]  # IPython's own
    entries = len(world.entries())
    with world.live("IPython.core.interactiveshell") as process:
        _define(process, edit)
        hit = literal_eval(process.do("answer = cell('f.entry(1) is not None')"))
        right = literal_eval(process.do("answer = cell('f.compute(1)')"))
        if hit:
            assert literal_eval(process.do("answer = cell('f(1)')")) == right

    if edit.stored == "yes" or (edit.stored == "unless called" and not called):
        assert (ran, told, hit) == ([right, right], [], True)
    else:
        assert not hit
        assert set(told) == {"NotStored"}
        assert entries == called


def test_an_edit_that_is_taken_back_hits_what_was_stored_before_it(world: World) -> None:
    """The notebook goes from text to text, and each has its own key."""
    world.write({"pkg/__init__.py": "", "pkg/laws.py": "def step(x): return x * 2\n"})
    told = []
    with world.live("IPython.core.interactiveshell") as process:
        _define(process, Edit("", "", ""))
        for before, after in (("2", "3"), ("3", "4"), ("4", "2")):
            told.append(literal_eval(process.do("answer = cell('f(1), f.key(1)')")))
            world.edit("pkg/laws.py", before, after)
            process.do("import time; time.sleep(0.02); cell('1')")
        assert literal_eval(process.do("answer = cell('f(1), f.key(1)')")) == told[0]
    assert [answer for answer, _ in told] == [2, 3, 4]
    assert len(world.entries()) == len({key for _, key in told}) == 3


TAKEN_BACK = {
    "what remembers it": "from functools import lru_cache\ndef deep(x): return x * 2\n@lru_cache\ndef step(x): return deep(x)\n",
    "a memo of one's own": EDITS["a memo of one's own"].laws,
    "a default value that was made by it": "def two(x=1): return x * 2\ndef step(x, k=two()):\n    return x * k  # quickly\n",
}


@pytest.mark.parametrize("asked", ["f(2)", "laws.step(2)"], ids=["with a key", "without one"])
@pytest.mark.parametrize("laws", TAKEN_BACK.values(), ids=TAKEN_BACK)
def test_what_was_made_before_an_edit_was_taken_back_is_not_stored_as_made_after_it(laws: str, asked: str, world: World) -> None:
    """The text is that of before, and code that was given in place leaves no other trace: what it had left was stored."""
    world.write({"pkg/__init__.py": "", "pkg/laws.py": laws})
    with world.live("IPython.core.interactiveshell") as process:
        _define(process, Edit("", "", ""))
        process.do("cell('f(1)')")
        edits = [("x * 2", "x * 3"), ("x * 3", "x * 2")]
        if "quickly" in laws:  # a function that is set anew while the other one is edited
            edits[1:1] = [("x * k ", "k * x "), ("k * x ", "x * k ")]
        for before, after in edits:
            world.edit("pkg/laws.py", before, after)
            process.do("import time; time.sleep(0.02); cell('1')")
            if (before, after) == edits[-2]:
                process.do(f"cell({asked!r})")
        assert process.do("answer = cell('f(2)')") == "6"
        assert "NotStored" in process.shown
    assert len(world.entries()) == 1


def test_what_another_module_made_before_an_edit_was_taken_back_is_not_stored(world: World) -> None:
    """It was loaded between the two, and its table was stored as one of the old text."""
    world.write(
        {"pkg/__init__.py": "", "pkg/laws.py": "def step(x): return x * 2\n", "pkg/table.py": "from pkg.laws import step\nT = [step(1)]\n"}
    )
    with world.live("IPython.core.interactiveshell") as process:
        _define(process, Edit("", "", "", "x * first()", first="def first():\n    from pkg.table import T\n    return T[0]\n"))
        for before, after in (("2", "3"), ("3", "2")):
            world.edit("pkg/laws.py", before, after)
            process.do("import time; time.sleep(0.02); cell('import pkg.table')")
            process.do("cell('laws.step(1)')")
        assert process.do("answer = cell('f(1)')") == "3"
    assert not world.entries()


def test_a_package_that_counts_as_a_whole_is_not_served_stale(world: World) -> None:
    """Nothing in it was watched, for its text counts as a whole."""
    world.write({"pkg/__init__.py": "", "pkg/laws.py": SIM + "def step(x): return x * 2\n"})
    with world.live("IPython.core.interactiveshell") as process:
        _define(process, Edit("", "", ""))
        process.do("cell('@cached(code=(\"pkg\",))\\ndef f(x): return laws.step(x), laws.Sim(x).run(2)\\n')")
        assert process.do("answer = cell('f(1)')") == "(2, 2)"
        for before, after, right in (("x * 2", "x * 3", "(3, 2)"), ("x * self.n", "x * self.n + 1", "(3, 3)")):
            world.edit("pkg/laws.py", before, after)
            process.do("import time; time.sleep(0.02); cell('1')")
            assert process.do("answer = cell('f(1)')") == right
    assert len(world.entries()) == 1

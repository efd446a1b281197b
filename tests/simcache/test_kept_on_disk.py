"""Machine code that numba keeps on disk: numba asks whether the file of the function itself was edited, and no other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.simcache.world import Tools, World, package

DEEP = pytest.mark.deep
LAW = "import numba\n@numba.njit{cached}\ndef law(x): return x * 2\n"
WRAPPED = """import functools
def fast(function):
    made = numba.njit(cache=True)(function)
    @functools.wraps(function)
    def call(x): return made(x)
    return call
"""
KEPT = {
    "compiled when it is called": ("@numba.njit(cache=True)\ndef g(x): return law(x)\n", LAW.format(cached="")),
    "compiled as it is loaded": ('@numba.njit("int64(int64)", cache=True)\ndef g(x): return law(x)\n', LAW.format(cached="")),
    "what is kept takes in what is kept": ("@numba.njit(cache=True)\ndef g(x): return law(x)\n", LAW.format(cached="(cache=True)")),
    "a constant of another module": ("from pkg.law import K\n@numba.njit(cache=True)\ndef g(x): return x * K\n", "K = 2\n"),
    "a function of a class": (
        "class Laws:\n    @staticmethod\n    @numba.njit(cache=True)\n    def g(x): return law(x)\ng = Laws.g\n",
        LAW.format(cached=""),
    ),
    "a function between": (
        "from pkg.between import h\n@numba.njit(cache=True)\ndef g(x): return h(x)\n",
        LAW.format(cached=""),
    ),
    "made by a call": ("def h(x): return law(x)\ng = numba.njit(cache=True)(h)\n", LAW.format(cached="")),
    "made by a function": (
        "def made(k):\n    @numba.njit(cache=True)\n    def h(x): return law(x) * k\n    return h\ng = made(1)\n",
        LAW.format(cached=""),
    ),
    "captured by a decorator": (
        f"{WRAPPED}@fast\ndef g(x): return law(x)\n",
        LAW.format(cached=""),
    ),
    "what is not kept takes in what is kept": ("from pkg.between import h\n@numba.njit\ndef g(x): return h(x)\n", LAW.format(cached="")),
}
AT_ONCE = {"compiled when it is called", "compiled as it is loaded", "captured by a decorator", "what is not kept takes in what is kept"}
"""The others wait for the deep run: each compiles in three processes."""
BETWEEN = "import numba\nfrom pkg.law import law\n@numba.njit(cache=True)\ndef h(x): return law(x)\n"


@pytest.fixture
def world(world: World) -> World:
    """Each process starts by itself: what is on disk is looked for as numba is loaded."""
    return World(world.checkout, world.store, Tools(world.tools.folder))


def shown(texts: Mapping[str, str | tuple[str, ...]], *at_once: str) -> list[Any]:
    """Parameters of a test, of which all but some wait for the deep run."""
    return [
        pytest.param(*([text] if isinstance(text, str) else text), id=name, marks=() if name in at_once else DEEP)
        for name, text in texts.items()
    ]


def files(own: str, law: str) -> dict[str, str]:
    opening = "import numba\n" if "pkg.law" in own or "pkg.between" in own else "import numba\nfrom pkg.law import law\n"
    modules = {"law": law} | ({"between": BETWEEN} if "between" in own else {})
    return package(f"{opening}{own}@cached\ndef f(x): return int(g(x))\n", **modules)


OF_ARRAYS = "@numba.vectorize(cache=True)\ndef g(x): return law(x)\n"


@pytest.mark.parametrize(
    ("own", "law", "ran_before"),
    [
        *(
            pytest.param(*texts, ran, id=f"{name}{what}", marks=marks)
            for name, texts in KEPT.items()
            for ran, what, marks in (("", "", () if name in AT_ONCE else DEEP), ("g(2); ", ", and ran first", DEEP))
        ),
        pytest.param(OF_ARRAYS, LAW.format(cached=""), "", id="of arrays, compiled when it is called"),
    ],
)
def test_what_numba_keeps_on_disk_of_before_an_edit_is_not_computed_with(own: str, law: str, ran_before: str, world: World) -> None:
    """A callee in another file was edited: numba went on with the old machine code, and that was stored under the key of the new text, for good."""
    world.write(files(own, law))
    with world.live() as process:
        assert process.do(f"from pkg.mod import *; {ran_before}answer = f(2)") == "4"
    world.edit("pkg/law.py", "2", "3")
    with world.live() as process:
        assert process.do(f"from pkg.mod import *; {ran_before}answer = f(2), f(5)") == "(6, 15)"
        assert process.shown == []
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = f.entry(2) is not None, f(2), f(7)") == "(True, 6, 21)"


def test_what_numba_compiled_before_anybody_asked_for_a_key_is_compiled_once_more(world: World) -> None:
    """Nobody knows of which text that was."""
    own, law = KEPT["compiled when it is called"]
    world.write(files(own, law))
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = f.compute(2)") == "4"
    world.edit("pkg/law.py", "2", "3")
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = f.compute(2), f(2), f.entry(2) is not None") == "(4, 6, True)"


def test_what_one_process_made_anew_another_may_have_loaded_before(world: World) -> None:
    """Workers that start together after an edit: the first one threw the old machine code away, the others had it already, found the note new and stored what it gave."""
    own, law = KEPT["compiled as it is loaded"]
    world.write(files(own, law))
    for _ in range(2):
        with world.live() as process:
            assert process.do("from pkg.mod import *; answer = f(2)") == "4"
    world.edit("pkg/law.py", "2", "3")
    with world.live() as first, world.live() as second:
        for process in (first, second):
            assert process.do("from pkg.mod import *; answer = len(g.stats.cache_hits), int(g(2))") == "(1, 4)"

        assert first.do("answer = f(2), f.entry(2) is not None") == "(6, True)"
        assert second.do("answer = f(5), f.entry(5) is not None") == "(15, True)"


def test_a_process_that_is_killed_as_numba_writes_leaves_nothing_of_before(world: World) -> None:
    """The index of numba named a file that still held the old machine code, and the note said that all was new."""
    own, law = KEPT["compiled when it is called"]
    world.write(files(own, law))
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = f(2)") == "4"
    world.edit("pkg/law.py", "2", "3")
    killed = "import os\nfrom numba.core.caching import IndexDataCacheFile as Files\nFiles._save_data = lambda *_: os._exit(0)\n"
    world.run(["-c", f"{killed}from pkg.mod import *\nf(2)"], cwd=world.checkout)
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = f(2), f(5)") == "(6, 15)"


LOADED = {
    "of arrays": '@numba.vectorize(["int64(int64)"], cache=True)\ndef g(x): return law(x)\n',
    "a callback": '@numba.cfunc("int64(int64)", cache=True)\ndef c(x): return law(x)\ng = c.ctypes\n',
}


@pytest.mark.parametrize("own", shown(LOADED, "of arrays"))
def test_what_cannot_be_compiled_anew_is_computed_and_not_stored_until_the_next_process(own: str, world: World) -> None:
    """It is compiled, or loaded from disk, as its module is loaded."""
    world.write(files(own, LAW.format(cached="")))
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = f(2)") == "4"
        assert process.shown == ["NotStored"]
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = f(2), f.entry(2) is not None") == "(4, True)"
    world.edit("pkg/law.py", "2", "3")
    with world.live() as process:
        assert process.do("from pkg.mod import *; f(2); answer = f(2), f(5)") in {"(4, 10)", "(6, 15)"}
        assert process.shown == ["NotStored"]
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = f(2), f.entry(2) is not None") == "(6, True)"


INSIDE = {
    "a function inside": "import numba\n@cached\ndef f(x):\n    @numba.njit(cache=True)\n    def g(y): return law(y)\n    return int(g(x))\n",
    "made by a call": "@cached\ndef f(x):\n    from numba import njit\n    return int(njit(cache=True)(lambda y: law(y))(x))\n",
    "made once": (
        "import functools\nimport numba\n@functools.cache\ndef made(k):\n    @numba.njit(cache=True)\n    def g(y): return law(y) * k\n"
        "    return g\n@cached\ndef f(x): return int(made(1)(x))\n"
    ),
    "in a class inside a class": (
        "import numba\nclass Laws:\n    class Slow:\n        def make(self):\n            @numba.njit(cache=True)\n"
        "            def g(y): return law(y)\n            return g\n@cached\ndef f(x): return int(Laws.Slow().make()(x))\n"
    ),
    "by a method": (
        "from numba import njit\nclass Law:\n    def made(self):\n        @njit(cache=True)\n        def g(y): return law(y)\n"
        "        return g\n@cached\ndef f(x): return int(Law().made()(x))\n"
    ),
}


@pytest.mark.parametrize("own", shown(INSIDE, "a function inside", "made once"))
def test_what_is_compiled_inside_a_function_as_that_runs_is_made_anew_before(own: str, world: World) -> None:
    """It came with its old machine code after the key was taken, and no name leads to it."""
    folder = world.store.with_name("numba")
    ran = "made(1)(3); " if "cache\ndef made" in own else ""
    world.write(package(f"from pkg.law import law\n{own}", law=LAW.format(cached="")))
    for _ in range(2):
        with world.live(NUMBA_CACHE_DIR=str(folder)) as process:
            assert process.do(f"from pkg.mod import *; {ran}answer = f(2), f(3)") == "(4, 6)"
    kept = [path.stat().st_mtime_ns for path in folder.rglob("*.nbc")]
    with world.live(NUMBA_CACHE_DIR=str(folder)) as process:
        assert process.do("from pkg.mod import *; answer = f(4)") == "8"
    assert kept == [path.stat().st_mtime_ns for path in folder.rglob("*.nbc")] != []
    world.edit("pkg/law.py", "2", "3")
    for _ in range(2):
        with world.live(NUMBA_CACHE_DIR=str(folder)) as process:
            assert process.do(f"from pkg.mod import *; {ran}answer = f(2), f(5), f.entry(5) is not None") == "(6, 15, True)"
            assert process.shown == []


LATE = {
    "a function": ("@cached\ndef f(x):\n    from pkg.late import g\n    return int(g(x))\n", "f({})"),
    "a coroutine": (
        "import asyncio\n@cached\nasync def a(x):\n    from pkg.late import g\n    return int(g(x))\ndef f(x): return asyncio.run(a(x))\n",
        "f({})",
    ),
    "a series": (
        "@cached\ndef s(x):\n    from pkg.late import g\n    while True: yield int(g(x))\n",
        "s({})[:2][1]",
    ),
}


@pytest.mark.parametrize(
    "signature", [pytest.param("", id="when it is called"), pytest.param("'int64(int64)', ", id="as it is loaded", marks=DEEP)]
)
@pytest.mark.parametrize(("own", "call"), shown(LATE, "a function", "a series"))
def test_what_is_loaded_only_as_the_function_runs_is_made_anew_before(own: str, call: str, signature: str, world: World) -> None:
    """As the key was taken there was only the text of it, and then it came with its old machine code."""
    late = f"import numba\nfrom pkg.law import law\n@numba.njit({signature}cache=True)\ndef g(x): return law(x)\n"
    world.write(package(own, late=late, law=LAW.format(cached="")))
    for _ in range(2):
        with world.live() as process:
            assert process.do(f"from pkg.mod import *; answer = {call.format(2)}, {call.format(3)}") == "(4, 6)"
    world.edit("pkg/law.py", "2", "3")
    for _ in range(2):
        with world.live() as process:
            assert process.do(f"from pkg.mod import *; answer = {call.format(2)}, {call.format(5)}") == "(6, 15)"
            assert process.do("import sys; answer = 'numba' in sys.modules") == str(_ == 0)
            assert process.shown == []


@pytest.mark.parametrize("own", [LATE["a function"][0], LATE["a series"][0]], ids=["a function", "a series"])
def test_what_is_refreshed_is_not_compared_with_what_old_machine_code_gives(own: str, world: World, tmp_path: Path) -> None:
    """Another machine has stored the result of the new text; here numba has only been met with the old one."""
    late = "import numba\nfrom pkg.law import law\n@numba.njit(cache=True)\ndef g(x): return law(x)\n"
    world.write(package(own, late=late, law=LAW.format(cached="")))
    cached = "f" if "def f" in own else "s"
    answer = f"r = {cached}{{}}(2); answer = r if isinstance(r, int) else r[:2][1]"
    with world.live() as process:
        assert process.do(f"from pkg.mod import *; {answer.format('')}") == "4"
    world.edit("pkg/law.py", "2", "3")
    with world.live(NUMBA_CACHE_DIR=str(tmp_path / "numba"), XDG_CACHE_HOME=str(tmp_path / "user")) as process:
        assert process.do(f"from pkg.mod import *; {answer.format('')}") == "6"

    with world.live() as process:
        assert process.do(f"from pkg.mod import *; {answer.format('.refresh')}") == "6"
        assert process.shown == []


@pytest.mark.parametrize(
    "types", [pytest.param('["(int64[:], int64[:])"], ', id="as it is loaded"), pytest.param("", id="when it is called", marks=DEEP)]
)
def test_what_lies_on_disk_in_two_halves_is_left_alone(types: str, world: World) -> None:
    """Without one half numba ended the process (a segmentation fault)."""
    own = (
        f'@numba.guvectorize({types}"(n)->(n)", cache=True)\ndef g(a, out):\n    for i in range(len(a)): out[i] = law(a[i])\n'
        "import numpy as np\n@cached\ndef all(x):\n    out = np.zeros(2, np.int64)\n    g(np.full(2, x), out)\n    return out.tolist()\n"
    )
    world.write(files(own, LAW.format(cached="")))
    for _ in range(3):
        with world.live() as process:
            assert process.do("from pkg.mod import *; answer = all(2), all(3)") == "([4, 4], [6, 6])"
            assert process.shown == ["NotStored"]
    assert world.entries() == []


def test_what_numba_keeps_of_the_text_as_it_is_is_not_compiled_again(world: World) -> None:
    """Not after an edit of something that it does not read, either."""
    own, law = KEPT["what is kept takes in what is kept"]
    world.write(files(own, law))
    known = []
    for text in (law, law, f"# a comment\n{law}\nother = 2\n"):
        (world.checkout / "pkg" / "law.py").write_text(text)
        with world.live() as process:
            known.append(process.do("from pkg.mod import *; f.key(1); g(2); answer = len(g.stats.cache_hits), len(g.stats.cache_misses)"))
    assert known[1:] == ["(1, 0)", "(1, 0)"]


def test_results_that_were_remembered_of_old_machine_code_are_forgotten(world: World) -> None:
    law = LAW.format(cached="")
    own = "import functools\n@numba.njit(cache=True)\ndef h(x): return law(x)\n@functools.cache\ndef g(x): return h(x)\n"
    world.write(files(own, law))
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = f(2)") == "4"
    world.edit("pkg/law.py", "2", "3")
    with world.live() as process:
        assert process.do("from pkg.mod import *; before = g(2); answer = before, f(2), f.entry(2) is not None") == "(4, 6, True)"


def test_results_that_joblib_keeps_of_before_an_edit_are_not_stored(world: World) -> None:
    """The text of the function itself is what joblib looks at: after an edit of a callee it gave the old result, which was stored under the new key."""
    memory = f"import joblib\nmemory = joblib.Memory({str(world.store.with_name('joblib'))!r}, verbose=0)\n@memory.cache\n"
    world.write(
        package(
            f"from pkg.law import law\n{memory}def g(x): return law(x)\n@cached\ndef f(x): return g(x)\n", law="def law(x): return x * 2"
        )
    )
    for _ in range(2):
        with world.live() as process:
            assert process.do("from pkg.mod import *; answer = f(2)") == "4"
            assert process.shown == ["NotStored"]
    assert world.entries() == []


ALONE = {
    "joblib": "{memory}def g(x): return x * 2\n",
    "joblib, with libraries and what Python has": (
        "import math\nimport numpy as np\nfrom numpy.linalg import norm\n{memory}"
        "def g(x, k=1):\n    return int(sum(range(x + 1)) and np.abs(x) * math.ceil(1.5) * round(norm([1]))) * k\n"
    ),
    "numba, in two halves": (
        'import numba\nimport numpy as np\n@numba.guvectorize("(n)->(n)", cache=True)\n'
        "def h(a, out):\n    for i in range(len(a)): out[i] = a[i] * 2\n"
        "def g(x):\n    out = np.zeros(2, np.int64)\n    h(np.full(2, x), out)\n    return int(out[0])\n"
    ),
}


@pytest.mark.parametrize("own", ALONE.values(), ids=ALONE)
def test_what_is_kept_of_functions_that_read_nothing_else_is_stored(own: str, world: World) -> None:
    """Their owners see an edit. Names of Python and of libraries were taken for the project's."""
    memory = f"import joblib\nmemory = joblib.Memory({str(world.store.with_name('joblib'))!r}, verbose=0)\n@memory.cache\n"
    text = own.replace("{memory}", memory) + "@cached\ndef f(x): return g(x)\n"
    for factor, answers in ((2, "(4, 6)"), (2, "(4, 6)"), (3, "(6, 9)")):
        world.write(package(text.replace("* 2", f"* {factor}").replace("ceil(1.5)", f"ceil({factor} - 0.5)")))
        with world.live() as process:
            assert process.do("from pkg.mod import *; answer = f(2), f(3)") == answers
            assert process.do("answer = f.entry(2) is not None") == "True"
            assert process.shown == []


def test_what_the_new_text_does_not_take_stops_nobody_else(world: World) -> None:
    """Machine code for whole numbers was there, the new text takes tuples alone, and so does the call: its key ended in numba's error."""
    own = "@numba.njit(cache=True)\ndef g(x): return law(x)\n"
    world.write(files(own, "import numba\n@numba.njit\ndef law(x): return x\n"))
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = g(2), g((1, 2))") == "(2, (1, 2))"
    world.edit("pkg/law.py", "return x", "return len(x)")
    with world.live() as process:
        assert process.do("from pkg.mod import *; answer = g(2), f((1, 2)), f.entry((1, 2)) is not None") == "(2, 2, True)"

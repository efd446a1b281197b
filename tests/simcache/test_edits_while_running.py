"""The code that counts is the one that a process has loaded: files that change while it runs."""

import os
import shutil
from time import sleep

import pytest

from tests.simcache.world import CALLEE, LONG_AGO, MODULE, SCRIPT, World, package

EDITS = {
    "in the module": ("pkg/mod.py", "x * 2", "x * 3", 13),
    "in a callee's module": ("pkg/callee.py", "x * 10", "x * 20", 22),
    "with other lines": ("pkg/mod.py", "def g(x): return x * 2", "def new(x): return 7\n\n\ndef g(x): return x * 5", 15),
}


@pytest.mark.parametrize(("path", "old", "new", "slope"), EDITS.values(), ids=EDITS)
def test_an_edit_before_the_first_call_is_computed_and_not_stored(path: str, old: str, new: str, slope: int, twelve: World) -> None:
    """The old code runs on in this process; its results are returned and not kept, which is said once."""
    with twelve.live() as process:
        process.do("from pkg.mod import f")
        twelve.edit(path, old, new)

        assert process.do("answer = f(1)") == "12"
        assert process.do("answer = f(2)") == "24"
        assert process.shown == ["NotStored"]
    assert twelve.entries() == []
    assert twelve.ask("f(1)") == str(slope)


@pytest.mark.parametrize("asked", ["f.key(1)", "f.code_version", "f.entry(1)", "f.explain(1)", "f.refresh(1)", "f.forget(1)"])
def test_who_asks_for_the_version_of_an_edited_file_is_told_what_to_do(asked: str, twelve: World) -> None:
    """Nobody can know the key of the old code, and that is an error of the cache like any other."""
    with twelve.live() as process:
        process.do("from simcache import CacheError; from pkg.mod import f")
        twelve.edit("pkg/mod.py", "x * 2", "x * 3")

        told = process.do(f"try: answer = {asked}\nexcept CacheError as problem: answer = str(problem)")
    assert told == repr(
        f"{twelve.checkout / 'pkg' / 'mod.py'} was edited after this process loaded it, "
        "so nobody can tell the version of the code that runs: "
        "load it again (importlib.reload) and import anew what was imported from it, or start anew"
    )


WORDS = """import codecs
def twice(text, errors='strict'): return text * 2, len(text)
codecs.register(lambda name: {'words': codecs.CodecInfo(twice, twice)}.get(name))
"""
BESIDE = {
    "what is registered": ("pkg/words.py", "text * 2", "text * 3", "'333'"),
    "that it is": ("pkg/words.py", "codecs.register(", "callable(", None),
    "what loads it": ("pkg/mod.py", "import pkg.words", "import pkg.more", "'3333'"),
}


@pytest.mark.parametrize(("path", "old", "new", "then"), BESIDE.values(), ids=BESIDE)
def test_an_edit_of_what_a_module_beside_registers_is_not_the_running_code(
    path: str, old: str, new: str, then: str | None, world: World
) -> None:
    """It is found by a name that no text leads to, and stays registered."""
    text = "import codecs\nimport pkg.words\n@cached\ndef f(x): return codecs.encode(str(x), 'words')\n"
    world.write(package(text, words=WORDS, more=WORDS.replace("text * 2", "text * 4")))
    with world.live() as process:
        process.do("from pkg.mod import f")
        world.edit(path, old, new)

        assert process.do("answer = f(3)") == "'33'"
    if then is None:
        assert world.ask("f.entry(3)") == "None"
    else:
        assert world.ask("f(3)") == then


@pytest.mark.parametrize(("path", "old", "new", "slope"), EDITS.values(), ids=EDITS)
def test_an_edit_between_two_calls_stops_the_storing(path: str, old: str, new: str, slope: int, twelve: World) -> None:
    """What was stored before the edit stays good for the old code; the new code never gets it."""
    with twelve.live() as process:
        assert process.do("from pkg.mod import f; answer = f(1)") == "12"
        assert len(twelve.entries()) == 1
        twelve.edit(path, old, new)

        assert [process.do(f"answer = f({x})") for x in (1, 2, 3)] == ["12", "24", "36"]
        assert process.shown == ["NotStored"]
    assert len(twelve.entries()) == 1
    assert [twelve.ask(f"f({x})") for x in (1, 2)] == [str(slope), str(2 * slope)]
    twelve.edit(path, new, old)
    assert [twelve.ask(f"f({x})") for x in (1, 2)] == ["12", "24"]


@pytest.mark.parametrize(("path", "old", "new", "slope"), EDITS.values(), ids=EDITS)
def test_an_edit_during_the_call_never_reaches_the_new_code(path: str, old: str, new: str, slope: int, twelve: World) -> None:
    """A file saved while its function runs: the result is right, and is never the answer of the new code."""
    gate, reached = twelve.store.with_name("gate"), twelve.store.with_name("reached")
    waits = f"""def f(x):
    from time import sleep
    from pathlib import Path
    Path({str(reached)!r}).touch()
    while not Path({str(gate)!r}).exists():
        sleep(0.005)
    return"""
    twelve.edit("pkg/mod.py", "def f(x): return", waits)
    with twelve.live() as process:
        process.start("from pkg.mod import f; answer = f(1)")
        while not reached.exists():
            assert process.process.poll() is None
        twelve.edit(path, old, new)
        gate.touch()

        assert process.finish() == "12"
        assert process.do("answer = f(1)") == "12"
    assert twelve.ask("f(1)") == str(slope)
    twelve.edit(path, new, old)
    assert twelve.ask("f(1)") == "12"


WORKED_OUT = {
    "a decorator's argument": ("def add(n):\n    return lambda f: lambda x: f(x) + n\n@add({})\ndef h(x): return x\n", "1", "2"),
    "a base class": ("class B:\n    A = 1\nclass C:\n    A = 2\nclass D({}): pass\ndef h(x): return x + D.A\n", "B", "C"),
    "a default that is computed": ("def make(n): return [n]\ndef h(x, n=make({})): return x + n[0]\n", "1", "2"),
    "a member of an enumeration": ("from enum import Enum\nclass E(Enum):\n    A = {}\ndef h(x): return x + E.A.value\n", "1", "2"),
    "what an import binds": ("from math import {} as r\ndef h(x): return r(x + 0.5)\n", "floor", "ceil"),
    "an attribute set from outside": ("class C: pass\nC.A = {}\ndef h(x): return x + C.A\n", "1", "2"),
    "a constant that is computed": ("def make(n): return [n]\nT = make({})\ndef h(x): return x + T[0]\n", "1", "2"),
    "what a computed constant is made by": ("def make(n): return [n + {}]\nT = make(0)\ndef h(x): return x + T[0]\n", "1", "2"),
    "a star import's module": ("from pkg.{} import *\ndef h(x): return x + STEP\n", "one", "two"),
    "what is made of a value that is bound anew": ("K = {}\nT = [K] * 2\ndef h(x): return x + T[0]\n", "1", "2"),
    "what a star import may take": ("from pkg.one import *\nfrom pkg.{} import *\ndef h(x): return x + STEP\n", "two", "three"),
    "a compiled pattern": ("import re\nR = re.compile('{}')\ndef h(x): return x + len(R.findall('aab'))\n", "a+", "a"),
}


@pytest.mark.parametrize(("text", "old", "new"), WORKED_OUT.values(), ids=WORKED_OUT)
@pytest.mark.parametrize("when", ["before the first call", pytest.param("between two functions' calls", marks=pytest.mark.deep)])
def test_an_edit_of_what_a_module_worked_out_is_not_the_running_code(text: str, old: str, new: str, when: str, world: World) -> None:
    """Enumerations, bases, decorators, defaults: no function's code tells that they were edited, and there is no bytecode to ask."""
    calls = "from pkg import callee\n@cached\ndef f(x): return callee.h(x)\n@cached\ndef first(x): return callee.h(x) * 0\n"
    world.write(package(calls, callee=text.format(old), one="STEP = 1\n", two="STEP = 2\n", three="__all__ = []\nSTEP = 3\n"))
    with world.live() as process:
        process.do("from pkg.mod import f, first")
        if when != "before the first call":
            process.do("first(1)")
        ran = process.do("from pkg import callee; answer = callee.h(1)")
        stored = world.entries()
        world.edit("pkg/callee.py", text.format(old), text.format(new))

        assert process.do("answer = f(1)") == ran
        assert process.shown == ["NotStored"]
    assert world.entries() == stored
    assert world.ask("f(1)") != ran


def test_an_edit_after_the_function_imported_the_module_itself(world: World) -> None:
    """What one function imports as it runs is edited before another one asks for it: it runs the old code, which is not the text's."""
    callee = "from enum import Enum\nclass E(Enum):\n    A = 1\ndef h(x): return x + E.A.value\n"
    calls = "".join(f"@cached\ndef {name}(x):\n    from pkg import callee\n    return callee.h(x)\n" for name in "fg")
    world.write(package(calls, callee=callee))
    with world.live() as process:
        assert process.do("from pkg.mod import f, g; answer = f(1)") == "2"
        stored = world.entries()
        world.edit("pkg/callee.py", "A = 1", "A = 2")

        assert process.do("answer = g(1)") == "2"
        assert process.shown == ["NotStored"]
    assert world.entries() == stored
    assert world.ask("g(1)") == "3"


RUN_EDITED = ("c", "class C:\n    def run(self, x): return x + 1\n", "class C:\n    def run(self, x): return x + 2\n")


@pytest.mark.parametrize(
    ("files", "edit", "before"),
    [
        (
            {"mod": "from pkg.b import *\nfrom pkg.c import *\n@cached\ndef f(x): return h(x)\n", "b": "def h(x): return x + 1\n"},
            (
                "c",
                "__all__ = ['h', 'k']\ndef h(x): return x + 2\ndef k(): return 0\n",
                "__all__ = ['k']\ndef h(x): return x + 2\ndef k(): return 0\n",
            ),
            "",
        ),
        (
            {"mod": "import pkg.c\n@cached\ndef f(x): return len([name for name in vars(pkg.c) if not name.startswith('_')])\n"},
            ("c", "def a(): return 1\ndef b(): return 2\n", "def b(): return 2\n"),
            "",
        ),
        (
            {"mod": "from pkg import c\n@cached\ndef f(x): return c.T[0] + x\n"},
            ("c", "K = 1\nT = [K] * 2\n", "K = 2\nT = [K] * 2\n"),
            "from pkg import c; c.K = 2",
        ),
        (
            {"mod": "from pkg.c import C\n@cached\ndef f(x): return made.run(x)\nmade = C()\n"},
            RUN_EDITED,
            "RELOAD",
        ),
        (
            {"mod": "from pkg import n\n@cached\ndef f(x): return n.E().run(x)\n", "n": "from pkg import c\nclass E(c.C): pass\n"},
            RUN_EDITED,
            "RELOAD",
        ),
        (
            {"mod": "from pkg.c import h\n@cached\ndef f(x): return h(x)\n"},
            (
                "c",
                "def add(n): return lambda f: lambda x: f(x) + n\n@add(1)\ndef h(x): return x\n",
                "def add(n): return lambda f: lambda x: f(x) + n\n@add(2)\ndef h(x): return x\n",
            ),
            "RELOAD",
        ),
    ],
    ids=[
        "what a star exports",
        "a name that goes",
        "a value bound anew",
        "an instance of before",
        "a base of before",
        "a wrapper of before",
    ],
)
def test_what_runs_is_never_stored_for_what_the_files_say(
    files: dict[str, str], edit: tuple[str, str, str], before: str, world: World
) -> None:
    """Whatever was edited, bound anew or loaded again: a fresh process gets what its text computes."""
    name, old, new = edit
    text = files["mod"]
    world.write(package(text, **{**{other: held for other, held in files.items() if other != "mod"}, name: old}))
    with world.live() as process:
        process.do("import importlib; from pkg.mod import f; f.key(0)")
        process.do(before if before != "RELOAD" else "pass")
        world.edit(f"pkg/{name}.py", old, new)
        if before == "RELOAD":
            process.do(f"import pkg.{name}; importlib.reload(pkg.{name})")
        process.do("answer = f(1)")
    cached_one, computed = world.ask("f(1)"), world.ask("f.compute(1)")

    assert cached_one == computed


def test_a_class_that_its_decorator_derives_from_is_no_older_one(world: World) -> None:
    """The decorator gives a class of the same name, derived from the one that was written, in a file as young as the process."""
    text = """
        def wider(cls):
            class Wider(cls):
                def run(self, x): return super().run(x) + 1
            Wider.__qualname__ = Wider.__name__ = cls.__qualname__
            return Wider
        @wider
        class C:
            def run(self, x): return x
        @cached
        def f(x): return C().run(x)
    """
    with world.live() as process:
        world.write(package(text))

        assert process.do("from pkg.mod import f; answer = f(1)") == "2"
        assert process.shown == []
    assert len(world.entries()) == 1


def test_a_script_that_is_run_twice_in_one_process_is_stored_both_times(world: World) -> None:
    """Edited in between: the second run is of the new text, and its results are kept."""
    world.write({"pyproject.toml": "", "script.py": SCRIPT})
    run = f"with redirect_stdout(StringIO()): runpy.run_path({str(world.checkout / 'script.py')!r})"
    with world.live() as process:
        process.do("import runpy; from contextlib import redirect_stdout; from io import StringIO")
        process.do(run)
        world.edit("script.py", "SCALE = 2", "SCALE = 3")
        process.do(run)

        assert process.shown == []
    assert len(world.entries()) == 2


@pytest.mark.parametrize("broken", ["def (\n", None], ids=["half saved", "gone"])
def test_a_file_that_says_nothing_is_no_outside_module(broken: str | None, world: World) -> None:
    """Two processes have loaded two versions of a module whose file is unreadable when they call: neither answers for the other."""
    world.write(package("import pkg.callee\n@cached\ndef f(x): return pkg.callee.h(x)\n", callee="def h(x): return x + 1\n"))
    answers = []
    for step in (1, 2):
        (world.checkout / "pkg" / "callee.py").write_text(f"def h(x): return x + {step}\n")
        with world.live() as process:
            process.do("from pkg.mod import f")
            if broken is None:
                (world.checkout / "pkg" / "callee.py").unlink()
            else:
                (world.checkout / "pkg" / "callee.py").write_text(broken)
            answers.append(process.do("answer = f(1)"))

    assert answers == ["2", "3"]


def test_an_edit_elsewhere_in_a_file_goes_on_being_stored(world: World) -> None:
    """An enumeration is edited that nothing of the function reaches: its results are still those of the text."""
    text = "from enum import Enum\nclass E(Enum):\n    A = 1\nclass Other(Enum):\n    A = 1\ndef h(x): return x + E.A.value\n"
    world.write(package("from pkg import callee\n@cached\ndef f(x): return callee.h(x)\n", callee=text))
    key = world.ask("f.key(1)").strip("'")
    with world.live() as process:
        process.do("from pkg.mod import f")
        world.edit("pkg/callee.py", "class Other(Enum):\n    A = 1", "# other\nclass Other(Enum):\n    A = 3")

        assert process.do("answer = f(1)") == "2"
        assert process.shown == []
    assert [entry.name.partition(".")[0] for entry in world.entries()] == [key]


def test_an_import_inside_the_function_after_an_edit_is_the_new_code(world: World) -> None:
    """The callee's module is edited before the call that imports it: its new code runs, so its new code is the key."""
    world.write(package("@cached\ndef f(x):\n    from pkg.callee import h\n    return h(x)\n", callee=CALLEE))
    with world.live() as process:
        process.do("from pkg.mod import f")
        world.edit("pkg/callee.py", "x * 10", "x * 20")

        assert process.do("answer = f(1)") == "20"
    assert world.ask("f(1)") == "20"
    world.edit("pkg/callee.py", "x * 20", "x * 10")
    assert world.ask("f(1)") == "10"


def test_an_edit_between_the_key_and_the_import_inside_the_function(world: World) -> None:
    """The key was asked before the edit, the callee's module is imported after it: the result is not kept for the old code."""
    world.write(package("@cached\ndef f(x):\n    from pkg.callee import h\n    return h(x)\n", callee=CALLEE))
    with world.live() as process:
        process.do("from pkg.mod import f; f.key(1)")
        world.edit("pkg/callee.py", "x * 10", "x * 20")

        assert process.do("answer = f(1)") == "20"
    world.edit("pkg/callee.py", "x * 20", "x * 10")
    assert world.ask("f(1)") == "10"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def g(x): return x * 2", "# one\n# two\n# three\ndef g(x): return x * 2  # four"),
        ("def g(x): return x * 2", 'def first(x): return 1\n\n\ndef g(x):\n    """Twice."""\n    return x * 2'),
        ("def below(x): return 0", "def below(x): return 5"),
    ],
    ids=["comments", "another function above", "another function below"],
)
@pytest.mark.parametrize("when", ["before the first call", "between two calls"])
def test_an_edit_that_changes_nothing_harms_nothing(old: str, new: str, when: str, twelve: World) -> None:
    """Moved lines never make a process take one function's text for another's: a result is kept rightly, or not at all."""
    key = twelve.ask("f.key(2)").strip("'")
    with twelve.live() as process:
        process.do("from pkg.mod import f" if when == "before the first call" else "from pkg.mod import f; f(1)")
        stored = twelve.entries()
        twelve.edit("pkg/mod.py", old, new)

        assert process.do("answer = f(2)") == "24"
        added = [entry.name.partition(".")[0] for entry in twelve.entries() if entry not in stored]
        assert (added, process.shown) in [([key], []), ([], ["NotStored"])]
    assert twelve.ask("f(2)") == "24"
    assert twelve.ask("f.key(2)").strip("'") == key


@pytest.mark.parametrize("asked", ["os.environ.get('TWICE')", "len(__import__('os').environ['TWICE'])"])
@pytest.mark.parametrize("where", ["mod", "callee"])
def test_which_of_two_definitions_is_loaded_counts(where: str, asked: str, world: World) -> None:
    """The environment is not followed, but the function that it chose is."""
    made = f"import os\nif {asked}:\n    def h(x): return x * 2\nelse:\n    def h(x): return x * 3\n"
    if where == "mod":
        world.write(package(f"{made}@cached\ndef f(x): return h(x)\n"))
    else:
        world.write(package("from pkg.callee import h\n@cached\ndef f(x): return h(x)\n", callee=made))
    answers = []
    for twice in ("", "1", "", "1"):
        with world.live(TWICE=twice) as process:
            answers.append(process.do("from pkg.mod import f; answer = f(1)"))

    assert answers == ["3", "2", "3", "2"]
    assert len(world.entries()) == 2


def test_a_file_that_is_gone_harms_nothing(twelve: World) -> None:
    """The checkout is removed under a running process: it goes on, and nothing wrong is kept."""
    with twelve.live() as process:
        process.do("from pkg.mod import f")
        (twelve.checkout / "pkg" / "callee.py").unlink()

        assert process.do("answer = f(1)") == "12"
    twelve.write(package(MODULE, callee=CALLEE.replace("10", "20")))
    assert twelve.ask("f(1)") == "22"


def test_a_file_that_is_half_written_harms_nothing(twelve: World) -> None:
    """An editor is in the middle of a save, so the text is no Python: the process goes on, and nothing wrong is kept."""
    with twelve.live() as process:
        process.do("from pkg.mod import f")
        twelve.edit("pkg/callee.py", "x * 10", "x * (")

        assert process.do("answer = f(1)") == "12"
    twelve.edit("pkg/callee.py", "x * (", "x * 20")
    assert twelve.ask("f(1)") == "22"


@pytest.mark.parametrize("pause", [0, 0.5], ids=["just edited", "edited a while ago"])
@pytest.mark.parametrize(
    ("path", "old", "new"),
    [("pkg/mod.py", "x * 2", "x * 3"), ("pkg/callee.py", "x * 10", "x * 11"), ("pkg/other.py", "[10]", "[11]")],
    ids=["the function", "a callee", "a constant"],
)
def test_stale_bytecode_never_answers_for_the_new_text(path: str, old: str, new: str, pause: float, world: World) -> None:
    """Python runs old bytecode when an edit keeps a file's size and time: that result is not the new code's."""
    text = "from pkg import callee, other\n@cached\ndef f(x): return x * 2 + callee.h(x) + other.K\n"
    world.write(package(text, callee=CALLEE, other="K = [10][0]\n"))
    file = world.checkout / path
    os.utime(file, (LONG_AGO, LONG_AGO))
    with world.live(PYTHONDONTWRITEBYTECODE="") as process:
        process.do("from pkg.mod import f")
    world.edit(path, old, new)
    os.utime(file, (LONG_AGO, LONG_AGO))
    sleep(pause)
    with world.live() as process:
        assert process.do("from pkg.mod import f; answer = f(1)") == "22", "Python itself should be fooled here"
    shutil.rmtree(file.parent / "__pycache__")
    assert world.ask("f(1)") == "23"


def test_bytecode_that_python_passes_over_does_not_keep_a_result_from_being_stored(world: World) -> None:
    """Where Python writes none, that of an earlier text stays behind: Python sees that it is of another text, and reads the new one."""
    world.write(package("@cached\ndef f(x): return x * 2\n"))
    with world.live(PYTHONDONTWRITEBYTECODE="") as process:
        process.do("from pkg.mod import f")
    world.edit("pkg/mod.py", "x * 2", "x * 30")
    sleep(0.2)  # what is as young as the process might have been edited under it
    with world.live(PYTHONDONTWRITEBYTECODE="1") as process:
        assert process.do("from pkg.mod import f; answer = f(1)") == "30"

    assert len(world.entries()) == 1


def test_code_without_its_source_is_never_stale(world: World) -> None:
    """Only bytecode is shipped: it works, and another version of it is another key or is not kept."""
    answers = []
    for factor in (2, 3):
        world.write(package(f"@cached\ndef f(x): return x * {factor}\n"))
        world.run(["-m", "compileall", "-q", "-f", "-b", str(world.checkout)])
        for path in world.checkout.rglob("*.py"):
            path.unlink()
        answers += [world.ask("f(1)"), world.ask("f(1)")]

    assert answers == ["2", "2", "3", "3"]


def test_code_in_a_zip_archive_is_never_stale(world: World) -> None:
    """A package imported from an archive works, and its next version is another key or is not kept."""
    answers = []
    for factor in (2, 3):
        world.write(package(f"@cached\ndef f(x): return x * {factor}\n"))
        archive = shutil.make_archive(str(world.store.with_name("archive")), "zip", world.checkout)
        use = f"import sys; sys.path.insert(0, {archive!r}); from pkg.mod import f; print(f(1))"
        answers += [world.run(["-c", use]).strip(), world.run(["-c", use]).strip()]

    assert answers == ["2", "2", "3", "3"]

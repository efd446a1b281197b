"""Functions of scripts and of standard input, in real processes: bugs that were found there, each kept as a program."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

from tests.simcache.programs import programs_in

ROOT = Path(__file__).parents[2]


def run(text: str, folder: Path, *arguments: str, as_file: bool) -> list[str]:
    """What the program prints, from a file or from standard input."""
    (folder / "program.py").write_text(dedent(text))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIMCACHE_STORE": str(folder / "store"), "XDG_CACHE_HOME": str(folder / "home")}
    command = [sys.executable, "program.py" if as_file else "-", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=None if as_file else dedent(text),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


RECURSIVE = """
    from simcache import cached
    calls = []
    @cached
    def fibonacci(n):
        calls.append(n)
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
    print(fibonacci(20), len(calls))
"""


def test_a_recursive_function_of_standard_input(tmp_path: Path) -> None:
    """A cached function without a source file that calls itself through the cache: once computed, then served."""
    assert [run(RECURSIVE, tmp_path, as_file=False) for _ in range(2)] == [["6765 21"], ["6765 0"]]


def test_a_script_is_not_run_again_for_its_key(tmp_path: Path) -> None:
    """Constants of a script that the text leaves open are looked at in the running script, not by importing it once more."""
    text = """
        from simcache import cached
        print("running")
        class Table:
            def __init__(self): self.rows = [1, 2]
        TABLE = Table()
        seen = []
        @cached
        def total(x):
            seen.append(x)
            return sum(TABLE.rows) + x
        print(total(1), total(1), len(seen))
    """
    assert [run(text, tmp_path, as_file=True) for _ in range(2)] == [["running", "4 4 1"], ["running", "4 4 0"]]


def test_one_script_is_the_same_from_a_file_and_by_m(tmp_path: Path) -> None:
    """`python program.py`, `python -m program` and an import share one result."""
    text = """
        from simcache import cached
        @cached
        def twice(x):
            print("computed")
            return 2 * x
        if __name__ == "__main__":
            print(twice(3))
    """
    assert run(text, tmp_path, as_file=True) == ["computed", "6"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SIMCACHE_STORE": str(tmp_path / "store"),
        "XDG_CACHE_HOME": str(tmp_path / "home"),
    }
    for command in (["-m", "program"], ["-c", "import program; print(program.twice(3))"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout == "6\n"


def test_an_instance_that_a_script_stored_is_the_same_for_who_imports_it(tmp_path: Path) -> None:
    """A class of a script has the name by which others know it: else it could not be read back, and a second run would seem to differ."""
    text = """
        from dataclasses import dataclass
        from enum import Enum
        from typing import NamedTuple
        from simcache import cached
        class Kind(Enum):
            CAR = 1
        class Place(NamedTuple):
            road: str
        @dataclass
        class Seen:
            kind: Kind
            place: Place
        @cached
        def seen(road) -> Seen:
            print("computed")
            return Seen(Kind.CAR, Place(road))
        if __name__ == "__main__":
            print(seen("a"))
    """
    shown = "Seen(kind=<Kind.CAR: 1>, place=Place(road='a'))"

    assert run(text, tmp_path, as_file=True) == ["computed", shown]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SIMCACHE_STORE": str(tmp_path / "store"),
        "XDG_CACHE_HOME": str(tmp_path / "home"),
    }
    command = [sys.executable, "-W", "error", "-c", "import program; print(program.seen('a')); program.seen.refresh('a')"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.splitlines(), done.stderr) == ([shown, "computed"], "")


def test_what_scripts_stored_under_the_old_name_of_their_classes_is_read(tmp_path: Path) -> None:
    """A class of a script was named `__main__:Seen` once."""
    text = """
        from simcache.codecs.reach import name_of, reach
        class Seen: pass
        print(name_of(Seen), reach(Seen).find("__main__:Seen") is Seen)
    """
    assert run(text, tmp_path, as_file=True) == ["program:Seen True"]


def test_a_hit_does_not_load_what_only_the_computation_needs(tmp_path: Path) -> None:
    """A module that the function imports itself is followed through its text: a hit starts without it."""
    (tmp_path / "heavy.py").write_text(
        "import sys\nprint('heavy is loaded')\nfrom numbers import Number\nFACTOR = 3\ndef work(x): return FACTOR * x\n"
    )
    text = """
        from simcache import cached
        @cached
        def result(x):
            from heavy import work
            return work(x)
        print(result(2))
    """
    assert [run(text, tmp_path, as_file=True) for _ in range(2)] == [["heavy is loaded", "6"], ["6"]]
    heavy = tmp_path / "heavy.py"
    heavy.write_text(heavy.read_text().replace("FACTOR = 3", "FACTOR = 40"))  # another size, or Python may run its old bytecode
    assert run(text, tmp_path, as_file=True) == ["heavy is loaded", "80"]


def test_what_a_script_prints_at_its_end_is_no_part_of_its_key(tmp_path: Path) -> None:
    """A cached function that logs its calls stays the same when the main block around those calls is edited."""
    text = """
        from simcache import cached
        calls = []
        @cached
        def f(x):
            calls.append(x)
            return x
        if __name__ == "__main__":
            note = "one"
            print(f.key(1.0), f(1.0))
    """
    edited = text.replace('"one"', '"two"').replace("print(f.key(1.0), f(1.0))", "print(f.key(1.0), f(1.0), len(calls))")
    [before], [after] = run(text, tmp_path, as_file=True), run(edited, tmp_path, as_file=True)
    assert after == f"{before} 0"


def test_a_container_that_a_call_made_is_watched(tmp_path: Path) -> None:
    """`dict(a=1.0)` in a module, changed in place from outside: the old result is not served for it."""
    (tmp_path / "tables.py").write_text(
        "import collections\nTABLE = dict(a=1.0)\nMORE = collections.OrderedDict(a=1.0)\nLIST = list(range(2))\n"
    )
    text = """
        import tables
        from simcache import cached
        @cached
        def f(): return tables.TABLE["a"]
        @cached
        def g(): return tables.LIST[0]
        print(f(), g())
        tables.TABLE["a"] = 5.0
        tables.LIST[0] = 7
        print(f(), g())
    """
    assert [run(text, tmp_path, as_file=True) for _ in range(2)] == [["1.0 0", "5.0 7"]] * 2


def in_turn(first: str, second: str, text: str, folder: Path) -> list[list[str]]:
    """What a program prints with one content of `d.json` and, in a fresh process, with another."""
    printed = []
    for content in (first, second):
        (folder / "d.json").write_text(content)
        printed.append(run(text, folder, as_file=True))
    return printed


def test_files_that_classes_and_defaults_read_at_import(tmp_path: Path) -> None:
    """Data that a class body or a default reads when the module is loaded counts by its value, also through a helper."""
    text = """
        import json
        from simcache import cached
        def fetch(): return json.load(open("d.json"))
        class Road:
            TABLE = json.load(open("d.json"))
        class Lane(Road): pass
        def h(n, d=fetch()): return d[n]
        def k(n, *, d=json.load(open("d.json"))): return d[n]
        KEPT = fetch()
        @cached
        def f(n: str) -> int: return Lane.TABLE[n]
        @cached
        def g(n: str) -> int: return h(n) + k(n) + KEPT[n]
        print(f("a"), g("a"))
    """
    assert in_turn('{"a": 1}', '{"a": 2}', text, tmp_path) == [["1 3"], ["2 6"]]


def test_a_global_that_a_setter_sets_is_data_for_code_that_never_calls_it(tmp_path: Path) -> None:
    """`set_dt(2)` before the first call is another setting, not the state of a running program."""
    (tmp_path / "config.py").write_text(
        "DT = 0\nTABLE = {}\ndef set_dt(value):\n    global DT\n    DT = value\n    TABLE['dt'] = value\ndef step(n): return DT + TABLE['dt']\n"
    )
    text = """
        import sys, config
        from simcache import cached
        config.set_dt(int(open("d.json").read()))
        @cached
        def f(n): return config.step(n)
        print(f(1))
    """
    assert in_turn("1", "2", text, tmp_path) == [["2"], ["4"]]


def test_what_is_changed_in_place_between_two_calls(tmp_path: Path) -> None:
    """Class attributes, arrays, deques and captured records of the running program: the second call sees the change."""
    text = """
        import collections, types, numpy as np
        from simcache import cached
        class P: k = 1
        A = np.zeros(2)
        Q = collections.deque([1])
        def make(record):
            @cached
            def captured(n): return record.k
            return captured
        record = types.SimpleNamespace(k=1)
        captured = make(record)
        @cached
        def f(n): return P.k, float(A[0]), len(Q)
        print(f(1), captured(1))
        P.k = 7; A[0] = 8; Q.append(1); record.k = 2
        print(f(1), captured(1))
    """
    assert run(text, tmp_path, as_file=True) == ["(1, 0.0, 1) 1", "(7, 8.0, 2) 2"]


def test_an_array_that_a_helper_fills(tmp_path: Path) -> None:
    """`fill(T)` at module level makes T, so the helper's text counts."""
    text = """
        import numpy as np
        from simcache import cached
        def fill(a): a[4] = 2
        T = np.zeros(5)
        fill(T)
        @cached
        def f(n): return float(T[n])
        print(f(4))
    """
    edited = text.replace("a[4] = 2", "a[4] = 33")
    assert [run(text, tmp_path, as_file=True), run(edited, tmp_path, as_file=True)] == [["2.0"], ["33.0"]]


def test_a_lazy_module_is_not_run_by_being_looked_at(tmp_path: Path) -> None:
    """A module whose `__getattr__` raises whatever it likes is followed without asking it anything."""
    (tmp_path / "lazy.py").write_text(
        "def __getattr__(name):\n    import importlib\n    return getattr(importlib.import_module('lazy_' + name), name)\n"
    )
    (tmp_path / "lazy_thing.py").write_text("def thing(n): return n * 2\n")
    text = """
        from simcache import cached
        import lazy
        @cached
        def f(n): return lazy.thing(n)
        print(f(4))
    """
    assert [run(text, tmp_path, as_file=True) for _ in range(2)] == [["8"], ["8"]]


@pytest.mark.parametrize("place", ["'__main__:Ring'", "f'{__name__}:Ring'", "__name__ + ':Ring'"])
def test_an_environment_that_a_script_registers_by_its_place_counts(place: str, tmp_path: Path) -> None:
    """Only `register` by itself was read so, not `gym.register`: an edited environment was served what the old one gave."""
    pytest.importorskip("gymnasium")
    text = f"""
        import gymnasium as gym
        from simcache import cached
        class Ring(gym.Env):
            observation_space = action_space = gym.spaces.Discrete(3)
            def reset(self, seed=None, options=None): return 0, {{"x": 2}}
        gym.register("Ring-v0", entry_point={place}, disable_env_checker=True)
        @cached
        def f(n): return gym.make("Ring-v0").reset()[1]["x"] * n
        print(f(4))
    """
    edited = text.replace('"x": 2', '"x": 3')
    assert [run(text, tmp_path, as_file=True), run(edited, tmp_path, as_file=True)] == [["8"], ["12"]]


def test_the_arguments_of_a_script_count(tmp_path: Path) -> None:
    """`args` is a global of the script, and the next run's is another one; so is one that is changed after a call."""
    text = """
        from argparse import ArgumentParser
        from simcache import cached
        parser = ArgumentParser()
        parser.add_argument("--alpha", type=float, default=1.0)
        @cached
        def f(n): return args.alpha * n
        if __name__ == "__main__":
            args = parser.parse_args()
            print(f(2))
            args.alpha += 1
            print(f(2))
    """
    assert run(text, tmp_path, as_file=True) == ["2.0", "4.0"]
    assert run(text, tmp_path, "--alpha", "5", as_file=True) == ["10.0", "12.0"]


def test_a_script_is_not_run_again_by_being_followed(tmp_path: Path) -> None:
    """A helper imports the script by its name where nobody calls it: the statements at its top run once."""
    (tmp_path / "helper.py").write_text(
        "def g(n, deep=False):\n    if deep:\n        import program\n        return program.T\n    return n * 2\n"
    )
    text = """
        from simcache import cached
        import helper
        def two(): return [2]
        T = two() + two()
        print("top")
        @cached
        def f(n): return helper.g(n)
        print(f(4))
    """
    assert run(text, tmp_path, as_file=True) == ["top", "8"]


PICKLED = """
from simcache import cached
class Result:
    class Part: pass
    def __init__(self, x): self.parts = [x, self.Part(), Result.named]
    def named(self): return "of the model"
@cached(codec="pickle")
def compute(x):
    print("computed")
    return Result(x)
if __name__ == "__main__":
    r = compute(1)
    print(r.named(), isinstance(r, Result), isinstance(r.parts[1], Result.Part), r.parts[2] is Result.named)
"""
OTHER = """
import model
class Result:
    class Part: pass
    def named(self): return "of the other script"
r = model.compute(1)
print(r.named(), isinstance(r, model.Result), isinstance(r.parts[1], model.Result.Part), r.parts[2] is model.Result.named)
"""


@pytest.mark.parametrize("first", ["model.py", "other.py"])
def test_incident_a_pickle_of_one_script_was_rebuilt_from_the_classes_of_another(first: str, tmp_path: Path) -> None:
    """`python model.py` pickled a `__main__.Result`; a script that imports `model` and has a `Result` of its own was served one of its own.

    And what the other one stored came back in `python model.py` as a class of a second copy of it.
    """
    (tmp_path / "model.py").write_text(PICKLED)
    (tmp_path / "other.py").write_text(OTHER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIMCACHE_STORE": str(tmp_path / "store")}

    for number, script in enumerate([first, "model.py", "other.py", "model.py"]):
        done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

        assert (done.stderr, done.stdout.splitlines()) == ("", [*["computed"][number:], "of the model True True True"])


def test_a_module_in_a_zip_may_be_of_another_encoding(tmp_path: Path) -> None:
    """Python's own reader of lines takes every text in a zip for UTF-8."""
    text = '# coding: latin-1\nfrom simcache import cached\n@cached\ndef f(x): return "Stra\xdfe" * x\n'
    with zipfile.ZipFile(tmp_path / "lab.zip", "w") as packed:
        packed.writestr("road.py", text.encode("latin-1"))
    with programs_in(tmp_path) as programs:
        asked = "import sys; sys.path.insert(0, 'lab.zip'); import road; print(ascii(road.f(1)), road.f.explain(1).hit)"
        assert programs.run("-c", asked) == r"'Stra\xdfe' True"


INSTALLED = """
from simcache import cached
class Law:
    def __init__(self, rate): self.rate = rate
    def flow(self, x): return self.rate * x
    @cached
    def total(self, n): return sum(self.flow(x) for x in range(n))
@cached
def run(law, n): return law.flow(n)
"""


def test_instances_of_a_project_that_is_installed_are_what_they_are_in_its_checkout(tmp_path: Path) -> None:
    """They were refused, as those of other packages are: after `pip install .` a cached method refused its own `self`."""
    for folder in ("checkout", "env/site-packages"):
        place = tmp_path / folder / "lab"
        place.mkdir(parents=True)
        (place / "__init__.py").write_text("")
        (place / "laws.py").write_text(INSTALLED)
    with programs_in(tmp_path) as programs:
        asked = "import sys; sys.path.insert(0, {!r}); from lab.laws import Law, run; law = Law(2.0); print(law.total(3), run(law, 4), run.key(law, 4))"
        told = [programs.run("-c", asked.format(folder)) for folder in ("env/site-packages", "checkout")]

    assert told[0].startswith("6.0 8.0 ")
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("made", "change", "asked"),
    [
        ("nx.DiGraph([(1, 2)])", "HELD.add_edge(2, k)", "max(HELD.nodes)"),
        ("pd.DataFrame({'v': [float(2)]})", "HELD.insert(0, 'w', k)", "HELD.to_numpy().sum()"),
        ("{name: 2 for name in 'ab'}", "dict.__setitem__(HELD, 'a', k)", "HELD['a']"),
        ("np.arange(3) * 2.0", "np.copyto(HELD, k)", "HELD.sum()"),
    ],
)
def test_what_a_script_changes_in_its_own_data_counts(made: str, change: str, asked: str, tmp_path: Path) -> None:
    """Nobody is told when a script is loaded: what one of its functions did before the first call was seen by nobody."""
    text = f"""
        import sys
        import networkx as nx, numpy as np, pandas as pd
        from simcache import cached
        HELD = {made}
        computed = []
        @cached
        def f(x):
            computed.append(x)
            return float({asked}) * x
        def change(k):
            {change}
        def main():
            if len(sys.argv) > 1:
                change(int(sys.argv[1]))
            assert f(1) == float({asked}), (f(1), {asked})
            print(len(computed))
        if __name__ == "__main__":
            main()
    """
    every = [(), ("5",), ("7",)]
    assert [run(text, tmp_path, *given, as_file=True) for given in every * 2] == [["1"]] * 3 + [["0"]] * 3

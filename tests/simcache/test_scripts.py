"""Functions of scripts and of standard input, in real processes: bugs that were found there, each kept as a program."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]


def run(text: str, folder: Path, *, as_file: bool) -> list[str]:
    """What the program prints, from a file or from standard input."""
    (folder / "program.py").write_text(dedent(text))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIMCACHE_STORE": str(folder / "store"), "XDG_CACHE_HOME": str(folder / "home")}
    command = [sys.executable, "program.py"] if as_file else [sys.executable, "-"]
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
    heavy.write_text(heavy.read_text().replace("FACTOR = 3", "FACTOR = 4"))
    assert run(text, tmp_path, as_file=True) == ["heavy is loaded", "8"]


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

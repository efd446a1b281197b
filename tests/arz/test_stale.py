"""Compiled code is kept between processes and is never older than the laws that it was made of."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numba
import pytest

from arz import jit

KERNEL = """
from arz.jit import compiled
from arz.laws.relaxation import relaxed

@compiled
def kernel(y):
    return relaxed(y, 1.0, 0.0, 0.5)

if __name__ == "__main__":
    print(kernel(8.0), sum(kernel.stats.cache_hits.values()))
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package with a kernel beside it."""
    shutil.copytree(jit.PACKAGE, tmp_path / "arz", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "kernel.py").write_text(KERNEL)
    return tmp_path


def answer(house: Path, cache: str = "cache") -> tuple[float, int]:
    done = subprocess.run(
        [sys.executable, "kernel.py"],
        cwd=house,
        env=os.environ | {"NUMBA_CACHE_DIR": str(house / cache), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    value, hits = done.stdout.split()
    return float(value), int(hits)


def test_an_edited_law_in_another_file_changes_the_answer(house: Path) -> None:
    """A fresh process takes the compiled code of the last one, and never after a law was edited, in whatever file it stands."""
    law = house / "arz" / "laws" / "relaxation.py"

    assert answer(house) == (4.0, 0)
    assert answer(house) == (4.0, 1)
    law.write_text(law.read_text().replace("return at_rest + (y - at_rest) * left", "return at_rest + (y - at_rest) * left * left"))
    assert answer(house) == (2.0, 0)
    assert answer(house) == (2.0, 1)


def test_a_folder_that_cannot_be_written_is_no_error(house: Path) -> None:
    """Where nothing can be kept, the kernel is compiled anew each time, and nothing is written beside the sources."""
    (house / "file").write_text("")

    assert answer(house, "file") == (4.0, 0)
    assert answer(house, "file") == (4.0, 0)
    assert not list(house.rglob("*.nbi"))


def test_the_digest_names_the_sources(monkeypatch: pytest.MonkeyPatch, house: Path) -> None:
    """The digest changes with any law and with the name of a file, and with nothing else of the package."""
    monkeypatch.setattr(jit, "PACKAGE", house / "arz")
    first = jit.digest()
    (house / "arz" / "errors.py").write_text("")
    assert jit.digest() == first
    (house / "arz" / "laws" / "state.py").write_text("")
    second = jit.digest()
    assert second != first
    (house / "arz" / "laws" / "state.py").rename(house / "arz" / "laws" / "states.py")
    assert jit.digest() not in {first, second}


def test_other_users_of_numba_keep_their_setting() -> None:
    """Compiling a kernel leaves numba's own folder as it was."""
    before = numba.config.CACHE_DIR
    jit.compiled(lambda x: x)

    assert before == numba.config.CACHE_DIR


def test_who_compiles_keeps_only_those_waiting_who_ask_for_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere one kernel is being compiled: here another one is ready at once, and that one as soon as it is done there."""
    monkeypatch.setattr(jit, "code_folder", lambda: str(tmp_path))
    one, other = (cast("Any", jit.compiled(jit.named(lambda x: x, name))) for name in ("one", "other"))
    with ThreadPoolExecutor(1) as pool:
        with (tmp_path / "one.lock").open("a") as lock, jit._alone(lock):
            waiting = pool.submit(jit.ready, one, 1.0)
            jit.ready(other, 1.0)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
        waiting.result()

    assert [one(2.0), other(2.0)] == [2.0, 2.0]


KEEPERS = """
import sys
from arz.jit import compiled, named
from arz.laws.pressure import registry

LAWS = {"fan": registry.fan, "velocity": registry.velocity}

def kernel(name, code):
    law = LAWS[name]
    def ask(w, x, scale, jam, shape):
        return law(code, (w, x, scale, jam, shape))
    return compiled(named(ask, "ask", name, code))

numbers = (10.0, 0.05, 5.0, 0.2, 1.0)
for word in sys.argv[1:]:
    name, code = word.split(":")
    print(kernel(name, int(code))(*numbers) == LAWS[name](int(code), numbers))
"""


def test_code_that_two_processes_kept_is_told_apart(tmp_path: Path) -> None:
    """Each process keeps the machine code of another choice; a third that loads both gets from each what its law says."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}

    program = tmp_path / "keepers.py"
    program.write_text(KEEPERS)

    def answers(*words: str) -> list[str]:
        done = subprocess.run([sys.executable, str(program), *words], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert answers("fan:0") == answers("velocity:0") == ["True"]
    assert answers("velocity:0", "fan:0") == ["True", "True"]

"""How long a fresh process takes: start, import, one hit, end."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import HERE, Limit, Question

MODEL = """
import numpy
{opening}

def field(seed):
    return numpy.random.default_rng(seed).random(16384)
"""
HIT = """
from model import field

if field(1).sum() <= 0:
    raise SystemExit("wrong")
"""
OPENINGS = {
    "floor": "from floor import Floor\nkept = Floor('floor')",
    "simcache": "from simcache import cached\n@cached",
    "joblib": "from joblib import Memory\n@Memory('joblib', verbose=0).cache",
    "diskcache": "from diskcache import Cache\n@Cache('diskcache').memoize()",
}
"""What stands above a function so that its results are kept."""

JOBLIB = 67.0
"""Milliseconds beyond numpy, where the limit was set."""
MODULES, FUNCTIONS = 30, 49
FUNCTION = """
def step{number}(state, rate=0.5):
    total = 0.0
    for index, value in enumerate(state):
        total += rate * value / (index + 1)
    return total
"""
PROJECT_MODEL = """
{opening}
import numpy
from project.part0 import whole

{decorator}
def field(seed):
    return numpy.random.default_rng(seed).random(16384) * whole([1.0, seed])
"""


def project(folder: Path, *, caching: bool) -> None:
    """A program whose cached function reaches every function of 30 modules of 300 lines."""
    (folder / "project").mkdir(parents=True)
    for module in range(MODULES):
        following = f"from project.part{module + 1} import whole as following" if module + 1 < MODULES else "following = sum"
        steps = [FUNCTION.format(number=number) for number in range(FUNCTIONS)]
        called = " + ".join(f"step{number}(state)" for number in range(FUNCTIONS))
        text = "\n".join([following, *steps, f"\ndef whole(state):\n    return {called} + following(state)\n"])
        (folder / "project" / f"part{module}.py").write_text(text, encoding="utf-8")
    opening, decorator = ("from simcache import cached", "@cached") if caching else ("", "")
    (folder / "model.py").write_text(PROJECT_MODEL.format(opening=opening, decorator=decorator), encoding="utf-8")
    (folder / "main.py").write_text(HIT if caching else "from model import field\n", encoding="utf-8")


def single(folder: Path, way: str) -> None:
    """A program of one module with one cached function."""
    folder.mkdir()
    model = MODEL.format(opening=OPENINGS[way])
    if way == "floor":
        (folder / "floor.py").write_bytes((HERE / "floor.py").read_bytes())
        model = model.replace("def field", "def made") + "\ndef field(seed):\n    return kept(made, seed)\n"
    (folder / "model.py").write_text(model, encoding="utf-8")
    (folder / "main.py").write_text(HIT, encoding="utf-8")


def process(folder: Path, *arguments: str) -> Callable[[], None]:
    """Run this environment's Python in a folder, to its end."""
    folder.mkdir(exist_ok=True)
    own = {"SIMCACHE_STORE": str(folder / "store"), "XDG_CACHE_HOME": str(folder / "user"), "LOCALAPPDATA": str(folder / "user")}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | own

    def call() -> None:
        subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, check=True)

    call()  # stores the result, the bytecode and the memo of the source
    return call


def main() -> None:
    with Question("start", "How long does a fresh process take: start, import, one hit, end?") as question, question.folder() as folder:
        for way in OPENINGS:
            single(folder / way, way)
        bare = folder / "bare"
        question.compare(
            "one small module",
            {
                "python": process(bare, "-c", "pass"),
                "import numpy": process(bare, "-c", "import numpy"),
                "import simcache": process(bare, "-c", "import simcache"),
                "from simcache import cached": process(bare, "-c", "from simcache import cached"),
                **{way: process(folder / way, "main.py") for way in OPENINGS},
            },
            rounds=40,
            limits=[
                Limit("simcache", 20.0, beyond="import numpy"),
                Limit("simcache", 20 / JOBLIB, times="joblib", beyond="import numpy"),
                Limit("import simcache", 40.0, beyond="python"),
                Limit("from simcache import cached", 40.0, beyond="python"),
            ],
        )
        project(folder / "plain", caching=False)
        project(folder / "cached", caching=True)
        question.compare(
            f"a project of {MODULES} modules of 300 lines",
            {"import it and numpy": process(folder / "plain", "main.py"), "simcache": process(folder / "cached", "main.py")},
            rounds=40,
            limits=[Limit("simcache", 40.0, beyond="import it and numpy")],
        )


if __name__ == "__main__":
    main()

"""Keys are golden: the same call has the same key in every process, on every machine, under every Python and numpy.

`golden/keys.json` was committed once. A row that fails here means that every result stored under such a key is lost to
its users. If that is meant, raise KEY_FORMAT in simcache/identity/key.py, write the reason to docs/decisions/, and run
`python -m tests.simcache.golden.rows --replace`. New rows are added by `--add`, which changes none.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simcache.identity.key import KEY_FORMAT, make_key
from tests.simcache.golden.rows import EXPRESSIONS, KEYS, keys, version

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads(KEYS.read_text("utf-8"))

# Each Python beside another numpy: the oldest that is supported, and later ones.
OTHERS = {"3.11": "numpy==2.0.2", "3.12": "numpy==2.2.*", "3.13": "numpy==2.3.*", "3.14": "numpy"}


def test_every_row_has_its_golden_key() -> None:
    """Changing a key is a decision, not a diff; the top of this file says how it is made."""
    assert keys() == GOLDEN


def test_the_table_is_whole() -> None:
    """Each expression stands in it once; its values are keys, and all of them differ, but for one path with two spellings."""
    alike = {frozenset(other for other in GOLDEN if GOLDEN[other] == GOLDEN[one]) for one in GOLDEN}

    assert list(GOLDEN) == EXPRESSIONS
    assert len(GOLDEN) >= 60
    assert {group for group in alike if len(group) > 1} == {
        frozenset({"PurePosixPath('data/map.osm')", r"PureWindowsPath('data\\map.osm')"}),
        frozenset({"np.arange(12.0).reshape(3, 4)", "np.asfortranarray(np.arange(12.0).reshape(3, 4))"}),
    }


@pytest.mark.parametrize("seed", ["0", "1", "4294967295"])
def test_keys_do_not_follow_the_hash_seed(seed: str, tmp_path: Path) -> None:
    """Sets and dicts are iterated in another order in another process, and the folder is another one."""
    assert table_of(sys.executable, tmp_path, PYTHONHASHSEED=seed) == GOLDEN


def test_each_part_of_a_call_counts() -> None:
    """The function, its code version, the names and the values of arguments; not their order."""
    calls = [
        make_key("m:f", "1", {"a": 1, "b": 2}),
        make_key("m:g", "1", {"a": 1, "b": 2}),
        make_key("m:f", "2", {"a": 1, "b": 2}),
        make_key("m:f", "1", {"a": 2, "b": 1}),
        make_key("m:f", "1", {"a": 1, "c": 2}),
        make_key("m:f", "1", {"a": 1}),
        make_key("m:f", "1", {}),
        make_key("m:f1", "", {}),
        make_key("m:f", "1", {"a": {"b": 2}}),
    ]

    assert len(set(calls)) == len(calls)
    assert make_key("m:f", "1", {"b": 2, "a": 1}) == calls[0]
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in calls)


def test_the_format_number_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raising it makes every stored result a miss, never a wrong hit."""
    before = make_key("m:f", "1", {"a": 1})
    monkeypatch.setattr("simcache.identity.key.KEY_FORMAT", KEY_FORMAT + 1)

    assert make_key("m:f", "1", {"a": 1}) != before


def test_the_hook_answers_for_the_rows_alone() -> None:
    """The golden code versions depend on names only, so that this file may be edited."""
    assert version(len) == "version of len"


@pytest.mark.deep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("python", OTHERS)
def test_keys_are_the_same_under_other_pythons_and_numpys(python: str, tmp_path: Path) -> None:
    """A laptop and Kaggle share hits, whatever they run."""
    found = next(interpreters(python), None)
    if found is None:
        pytest.skip(f"no Python {python} on this machine")
    made = subprocess.run([found, "-m", "venv", tmp_path / "venv"], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"Python {python} makes no virtual environment: {made.stderr[-300:]}")
    inside = next(path for path in (tmp_path / "venv/bin/python", tmp_path / "venv/Scripts/python.exe") if path.exists())
    wanted = ["--only-binary", ":all:", OTHERS[python], "xxhash", "pydantic"]
    install = subprocess.run(
        [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted], capture_output=True, text=True, check=False
    )
    if install.returncode:
        pytest.skip(f"Python {python} could not install {OTHERS[python]}: {install.stderr[-300:]}")

    assert table_of(inside, tmp_path) == GOLDEN


def table_of(python: str | Path, folder: Path, **environment: str) -> dict[str, str]:
    """The table as another process makes it, in another working directory."""
    done = subprocess.run(
        [python, "-m", "tests.simcache.golden.rows"],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    table: dict[str, str] = json.loads(done.stdout)
    return table


def interpreters(version_wanted: str) -> Iterator[str]:
    """Pythons of this version that can be started, on the path or where pyenv keeps them."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    on_path = shutil.which(f"python{version_wanted}")
    for candidate in [*([on_path] if on_path else []), *sorted(map(str, pyenv.glob(f"{version_wanted}.*/bin/python")))]:
        asked = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=False
        )
        if asked.stdout.strip() == version_wanted:
            yield candidate

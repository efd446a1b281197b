"""Every example runs by itself in an empty folder, says what it shows, and is right about it."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simcache.stores.registry import open_store
from simcache.upkeep.verify import verify

EXAMPLES = Path(__file__).parents[1] / "examples"
LONGEST = {"cache_tour.py": 120, "demo.py": 120}
LONGEST_OF_OTHERS = 60
TRAINING = {"learning_resumed.py"}
"""Examples that take half a minute, and are run once."""

# What each prints: `#` stands for a number that was measured, `*` for any text, `~` for any lines.
SAYS = {
    "cached_function.py": """
two equal calls: computed once
by name, with the default written out, with another ignored argument: still the same call
another argument is no hit: speed: 10.0, was 12.5
500 and 500.0 are two arguments: equal, but not the same to the code that gets them
each result says who made it: Python #, simcache #, in # s
forget() deletes a result here, compute() is the function without its cache
""",
    "cached_simulation.py": """
computed once: 71.8 cars passed, 100 cells of float64 came back bit for bit
a large array comes back as a read-only map of the file: copy it before you change it
the same name on a busier road is another run: 72.5 cars passed
a field left at its default equals the same field given; every other value is another key
""",
    "cache_tour.py": """

1  A result is computed once
   first call        300 minutes of traffic computed in # s
   second call       0 computed: loaded and checked in # ms, # times faster

2  Another argument is another key
   density 0.2125    not stored; density: 0.2125, was 0.175

3  A series grows by what is missing
   40 minutes        40 computed, 40 stored
   80 minutes        40 computed, 80 stored
   41 minutes        0 computed, 80 stored
   a straight run    has the same bits: True

4  A process that is told to stop keeps what it has
   SIGTERM           at work on 1000 minutes: it ended with -15 and left #
   30 more, here     30 computed, # stored

5  Edited code is another key; each line is a new process
   as written        computed 0.1875
   comment added     0.1875
   law squared       computed 0.140625, as law.py: speed has changed

6  A damaged result is never served
   one bit flipped   300 minutes computed again, with the same bits: True
   it was said that  *blobs/* is damaged: * (set aside as *)

7  Of four processes that miss one key, one computes
   computed          * minutes

The store stays in *. Next, try:
   *
   *
   *
""",
    "demo.py": """

1  Traffic is computed once
   20 minutes            computed from minute 0 on, in # s
   20 minutes            loaded, in # s, # times faster than the # s it took to compute
   40 minutes            computed from minute 20 on, in # s
   a straight run        has the same bits: True
   a busier island       is another key: demand: 1.2, was 1.0
~
The pictures are in *pictures: *. Next, try:
   *
   *
   *
   *
""",
    "learning_resumed.py": """
SIGTERM: the window at hand was finished, # windows are kept
the rest: # windows computed here, from the state that was kept
cut and resumed equals straight, bit for bit: 6 windows and the state after each
another learning rate is another training: 0 windows of it are stored
""",
    "resumed_run.py": """
SIGTERM: the step at hand was finished, # steps are kept
30 more steps: computed # to #, and none twice
cut and resumed equals straight, bit for bit: the loss went from # to #
""",
    "series_extended.py": """
40 asked: 40 computed
80 asked: 40 more computed
25 asked: nothing computed
81 asked: one computed
extended three times or run in one go: the same bits
a million asked, with a deadline of 0.2 s: # there after # s, and all of them kept
mean flow of the first 40 minutes: #
""",
    "shared_baseline.py": """
two trainings, one baseline: they save 8.5% and 11.6%
the other road with this name is another key: scenario.density: 0.175, was 0.2125
against the baseline of the name, the second training would have seemed to save -13.5%
""",
}


def says(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text.removeprefix("\n")).replace(r"\#", r"\d[\d,.]*").replace(r"\*", ".*").replace(r"\~", r"[\s\S]*"))


@pytest.fixture
def folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, beside one for temporary files."""
    del home  # so that nothing is kept in the home of whoever runs the tests
    (tmp_path / "tmp").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PYTHONUTF8", "1")
    return tmp_path / "here"


def run(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(path)], cwd=folder, capture_output=True, text=True, check=False)


def test_every_example_is_listed() -> None:
    """A new example is tested by being there."""
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_an_example_is_a_screen(name: str) -> None:
    """Who reads one should not have to scroll much."""
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= LONGEST.get(name, LONGEST_OF_OTHERS)


@pytest.mark.parametrize("name", sorted(set(SAYS) - {"cache_tour.py", "demo.py"}))
def test_an_example_says_what_it_shows(name: str, folder: Path) -> None:
    """It runs without a warning, prints its claims, and leaves nothing behind; so a second run says the same."""
    for _ in range(1 if name in TRAINING else 2):
        done = run(EXAMPLES / name, folder)

        assert (done.returncode, done.stderr) == (0, "")
        assert says(SAYS[name]).fullmatch(done.stdout), done.stdout
        # torch's compiler makes itself a folder when its optimizers are imported.
        left = [path for path in (folder.parent / "tmp").iterdir() if not path.name.startswith("torchinductor_")]
        assert [*folder.iterdir(), *left] == []


def test_the_tour_says_what_it_shows(folder: Path) -> None:
    """It prints its claims; the store that it leaves is sound, and each command that it advises works."""
    done = run(EXAMPLES / "cache_tour.py", folder)

    assert (done.returncode, done.stderr) == (0, "")
    assert says(SAYS["cache_tour.py"]).fullmatch(done.stdout), done.stdout
    (race,) = re.findall(r"computed +(\d+ \+ .*) minutes", done.stdout)
    assert sorted(map(int, race.split(" + "))) == [0, 0, 0, 300]

    (store,) = (folder.parent / "tmp").glob("simcache-tour-*/store")
    assert f"The store stays in {store}. " in done.stdout
    assert verify(open_store(store)).sound
    for command in done.stdout.partition("Next, try:\n")[2].splitlines():
        subprocess.run(shlex.split(command), cwd=folder, capture_output=True, check=True)
    assert list(folder.iterdir()) == []


PICTURES = {"network_20_min.png", "network_40_min.png", "network_5_min.png", "space_time.png"}


@pytest.mark.deep  # CI runs the whole of it by itself
def test_the_demonstration_without_learning(folder: Path) -> None:
    """Computed, then loaded: a second run computes no traffic, and the pictures are there."""
    pytest.importorskip("matplotlib")
    command = [sys.executable, str(EXAMPLES / "demo.py"), "--out", "here", "--without-learning"]
    first, second = (subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False) for _ in range(2))

    assert (first.returncode, first.stderr, second.returncode) == (0, "", 0)
    assert says(SAYS["demo.py"]).fullmatch(first.stdout), first.stdout
    assert "computed from" not in second.stdout
    assert {path.name for path in (folder / "here" / "pictures").iterdir()} == PICTURES
    assert verify(open_store(folder / "here" / "store")).sound


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_the_whole_demonstration(folder: Path) -> None:
    """It trains, compares and draws; a second run computes nothing and finds the same."""
    pytest.importorskip("stable_baselines3")
    command = [sys.executable, str(EXAMPLES / "demo.py")]
    first, second = (subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False) for _ in range(2))
    table = re.compile(r"3  It is compared.*?day by day\n", re.DOTALL)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert says(SAYS["demo.py"]).fullmatch(first.stdout), first.stdout
    assert "computed from" not in second.stdout
    assert table.findall(first.stdout) == table.findall(second.stdout) != []
    assert verify(open_store(folder / "demo" / "store")).sound
    assert {path.name for path in (folder / "demo" / "pictures").iterdir()} == PICTURES | {"comparison.png", "learning_curve.png"}


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal to send")
@pytest.mark.parametrize("after", ["1 ", "4 "])
def test_ctrl_c_ends_the_tour_without_a_traceback(after: str, folder: Path) -> None:
    """Whatever it is doing, it and the processes that it started end, and nothing is printed about it."""
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / "cache_tour.py")],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line.startswith(after):
                break
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        said = process.stderr.read()

    assert (process.returncode, said) == (130, "")

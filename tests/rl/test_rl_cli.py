"""`rl` answers in one line where something is wrong, ends cleanly when it is told to, and goes on where it stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rl import pipeline
from rl.algorithms import Normalise
from rl.cached import training
from rl.cli import main
from rl.cli.root import COMMANDS, RESUMABLE
from rl.cli.training import unusual
from rl.experiment import Experiment, Training, changed
from simcache import Cache, cached
from simcache.cli.words import Span
from tests.rl.small import FIELDS, small

ROOT = Path(__file__).parents[2]
Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process, in an empty folder with a store of its own; `small.json` is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMCACHE_STORE", str(tmp_path / "store"))
    (tmp_path / "small.json").write_text(small().model_dump_json(), encoding="utf-8")
    (tmp_path / "slip.json").write_text('{"stepz": 1}', encoding="utf-8")

    def invoke(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(main, arguments)
        assert code == done.exit_code, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return invoke


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(command: Command, name: str) -> None:
    """Its help ends with a line to copy."""
    assert "Example: rl " in command(name, "--help").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("train", "nothing"), "there is no preset named 'nothing'"),
        (("train", "missing.toml"), "cannot be read"),
        (("train", "small.json", "--set", "training.window_steps=1"), "training.window_steps"),
        (("train", "small.json", "--set", "task.horizon_s=-1"), "task.horizon_s"),
        (("train", "small.json", "--set", "steps"), "PATH=VALUE"),
        (("show", "small.json", "--set", "steps=" + "[" * 50_000), "steps: is '[[["),
        (("show", "small.json", "--set", "steps." * 3_000 + "a=1"), "deeper than any field"),
        (("train", "small.json", "--deadline", "soon"), "no time above 0"),
        (("train", "small.json", "--bogus"), "see `"),
        (("compare", "nothing"), "no preset"),
        (("export", "small.json", "--to", "policy.pkl"), "NAME.npz or NAME.zip"),
        (("export", "small.json", "--to", ".zip"), "NAME.npz or NAME.zip"),
        (("export", "small.json", "--to", "nowhere/model.zip"), "in a folder that is there"),
        (("export", "small.json", "--to", "x.npz", "--checkpoint", "7"), "'best', 'last'"),
        (("export", "small.json", "--to", "x.npz", "--seed", "5000"), "seeds[0]"),
        (("evaluate", "small.json", "--out", "nowhere/x.json"), "in a folder that is there"),
        (("evaluate", "small.json", "--out", "x.txt"), "--out x.txt: end it with .json"),
        (("compare", "small.json", "--picture", "nowhere/x.png"), "in a folder that is there"),
        (("compare", "small.json", "--picture", "x.txt"), "--picture x.txt: end it with .png or .pdf or .svg"),
        (("compare", "small.json", "slip.json"), "slip.json: stepz: is not a field that is known here; did you mean steps?"),
        (("plan", "small.json", "--deadline", "0"), "no time above 0"),
        (("plan", "small.json", "--wanted", "0"), "range x>=1"),
        (("plan", "nothing"), "no preset"),
        (("watch", "small.json", "--seed", "5000"), "seeds[0]"),
        (("watch", "small.json", "--every", "0"), "no time above 0"),
        (("watch", "nothing"), "no preset"),
        (("run",), "--all"),
        (("dance",), "No such command"),
        (("trian",), "No such command 'trian'. Did you mean 'train'?"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else value[:20],
)
def test_a_mistake_is_told_in_one_line(command: Command, arguments: tuple[str, ...], says: str) -> None:
    """What, which, and the next step; exit code 2, and no traceback."""
    done = command(*arguments, code=2)

    assert says in done.stderr
    assert done.stderr.startswith("rl: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [("list",), ("show", "quick"), ("--help",)], ids=" ".join)
def test_output_that_is_full_is_told_in_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Standard output is named, and no file is blamed."""
    command = [sys.executable, "-m", "rl", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    said = "rl: standard output cannot be written (No space left on device): give it a place with room\n"
    assert (2, said) == (done.returncode, done.stderr)


@pytest.mark.parametrize("name", ["plan", "train", "check", "evaluate"])
def test_a_mistake_is_told_before_torch_is_loaded(name: str) -> None:
    """Whoever mistypes a field does not wait for the learner's packages."""
    code = (
        "import sys; from click.testing import CliRunner; from rl.cli import main; "
        f"told = CliRunner().invoke(main, ['{name}', 'quick', '--set', 'stesp=1']); print(told.exit_code, 'torch' in sys.modules, told.output)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("2 False rl: stesp: is not a field that is known here; did you mean steps?")


def test_what_a_command_loads_is_left_to_itself() -> None:
    """The garbage collector goes on, and looks no more at the hundreds of thousands of objects that stay."""
    code = "import gc; from rl.cli.loading import load; load(); print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "True"]


@pytest.mark.parametrize(
    "arguments", [("show", "nothing"), ("compare", "nothing", "--bogus"), ("dance",), ("--bogus", "list")], ids=" ".join
)
def test_a_mistake_is_json_too(command: Command, arguments: tuple[str, ...]) -> None:
    """Whoever asked for JSON can read stdout whatever happens; stderr has the line for people."""
    done = command(*arguments, "--json", code=2)

    assert done.stderr == f"rl: {json.loads(done.stdout)['error']}\n"


@pytest.mark.parametrize(
    ("name", "held"),
    [("cut.json", b"[1,"), ("deep.json", b"[" * 100_000), ("bytes.json", b"\xff\xfe"), ("date.toml", b"name = 2020-01-01\n")],
)
@pytest.mark.parametrize("asked", ["show", "compare"])
def test_a_file_that_is_no_experiment_is_told_in_one_line(command: Command, tmp_path: Path, asked: str, name: str, held: bytes) -> None:
    """Cut off, nested without end, not text, or with a date of TOML: each was a traceback somewhere."""
    (tmp_path / name).write_bytes(held)
    done = command(asked, name, code=2)

    assert done.stderr.startswith(f"rl: {name}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("text", "seconds"), [("8h30m", 30_600), ("90", 90), ("5min", 300), ("1h", 3600), ("2m30s", 150)])
def test_a_length_of_time(text: str, seconds: float) -> None:
    """As people write it."""
    assert Span(limit=True).convert(text, None, None) == seconds


def test_train_load_extend_watch_and_export(command: Command, tmp_path: Path) -> None:
    """The first time it computes, the second it loads, with more steps it computes the rest; a view of it computes nothing."""
    told = [json.loads(command("train", "small.json", "--json", *more).stdout)[0] for more in ((), (), ("--steps", "80"))]
    assert [(each["windows"], each["computed"]) for each in told] == [(2, 2), (2, 0), (4, 2)]
    assert told[0]["key"] == told[2]["key"]

    assert "40 of 40 steps" in command("watch", "small.json", "--once").stdout
    plan = json.loads(command("plan", "small.json", "--deadline", "1h", "--wanted", "200", "--json").stdout)
    assert plan["steps_per_s"] > 0
    assert plan["bytes"] == 10 * plan["window_bytes"] > 10_000
    command("export", "small.json", "--to", "policy.npz")
    assert "checkpoint 2 of 2" in command("export", "small.json", "--to", "model.zip", "--checkpoint", "last").stderr
    from stable_baselines3 import PPO

    assert PPO.load(tmp_path / "model.zip", device="cpu").policy is not None


def test_a_training_begins_with_what_is_not_the_default(command: Command) -> None:
    """In a line for people, whose changes can be copied; 1.5 kB of JSON are for who asks for JSON."""
    told = command("train", "small.json", "--unchecked", "--set", "training.algorithm.gamma=0.9").stderr.splitlines()[0]
    task = (
        'task.scenario=corridor task.options={"crossings": 1} task.horizon_s=150.0 task.observation.kind=detectors task.action.kind=phase'
    )

    assert told.startswith(f"small: 40 steps, seed 1; {task} task.agents=shared training.algorithm.net=[8] training.algorithm.gamma=0.9 ")
    assert len(told) < 450
    said = dict(part.split("=", 1) for part in told.replace(": 1", ":1").split("; ")[1].split(" "))
    assert "ppo" == said["training.algorithm.kind"]
    again = changed(Experiment(), {name: json.loads(held) if held[0] in "[{0123456789" else held for name, held in said.items()})
    same = small(training={**FIELDS["training"], "algorithm": {**FIELDS["training"]["algorithm"], "gamma": 0.9}})
    assert (same.task, same.training) == (again.task, again.training)
    asked = command("train", "small.json", "--unchecked", "--set", "training.algorithm.gamma=0.9", "--json").stderr.splitlines()[0]
    assert same == Experiment.load(asked)


def test_what_is_there_only_if_it_is_asked_for_is_told() -> None:
    """A part that is left out by default, and whose own fields are all as they come."""
    told = list(unusual(Training(normalise=Normalise()), "training."))

    assert 2 == len(told)
    assert told[1].startswith('training.normalise={"')


def test_one_window_is_one_window(command: Command) -> None:
    """It said `1 windows`."""
    asked = command("train", "small.json", "--unchecked", "--steps", "20").stdout

    assert "seed 1: 20 steps, 1 of 1 window computed in " in asked
    assert "has 1 of 2 windows: run" in command("export", "small.json", "--to", "x.npz", code=1).stderr


def test_results_are_kept_in_the_store_of_the_project(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the settings above the current folder, where SIMCACHE_STORE is not set, and the command says so; they had gone to the user's cache."""
    monkeypatch.delenv("SIMCACHE_STORE")
    (tmp_path / "simcache.toml").write_text('store = "mine"\ndurable = true\n', encoding="utf-8")
    (below := tmp_path / "below").mkdir()
    monkeypatch.chdir(below)
    place = tmp_path / "mine"
    done = command("train", "../small.json", "--unchecked", "--json")

    assert f"results are kept in {place}" in done.stderr.splitlines()
    assert len(list((place / "entries").rglob("*.json"))) == 2
    assert "40 of 40 steps" in command("watch", "../small.json", "--once").stdout
    assert not os.environ.keys() & {"SIMCACHE_STORE", "SIMCACHE_FAR", "SIMCACHE_DURABLE", "SIMCACHE_TRUST"}

    monkeypatch.setenv("SIMCACHE_STORE", str(tmp_path / "asked"))
    assert "nothing stored yet" in command("watch", "../small.json", "--once").stdout


def test_without_a_project_results_go_to_the_cache_of_the_user(command: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they did, and the command says where that is."""
    monkeypatch.delenv("SIMCACHE_STORE")
    place = home / ".cache" / "simcache" / "store"

    assert f"results are kept in {place}" in command("train", "small.json", "--unchecked").stderr.splitlines()
    assert len(list((place / "entries").rglob("*.json"))) == 2


def test_a_far_store_whose_name_holds_a_comma_is_refused(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that a command starts would take it for two."""
    monkeypatch.delenv("SIMCACHE_STORE")
    (tmp_path / "simcache.toml").write_text('far = ["one,two"]\n', encoding="utf-8")

    assert "one,two holds a comma" in command("train", "small.json", code=2).stderr


def test_evaluate_and_compare(command: Command, tmp_path: Path) -> None:
    """One table with intervals, as text and as JSON; what was measured on other days is refused."""
    command("evaluate", "small.json", "--out", "one.json")
    table = command("compare", "small.json", "one.json", "--picture", "comparison.png").stdout
    assert "held-out days, ± 95 % confidence" in table
    assert (tmp_path / "comparison.png").stat().st_size > 1000
    answer = json.loads(command("compare", "one.json", "--json").stdout)
    assert {line["kind"] for line in answer["lines"]} == {"fixed_time", "webster", "ppo"}

    (tmp_path / "other.json").write_text(small(evaluation={"days": 4, "validation_days": 2}).model_dump_json(), encoding="utf-8")
    refused = command("compare", "one.json", "other.json", code=2)
    assert "cannot be compared: days" in refused.stderr


def test_a_reference_that_no_row_can_be_is_refused_before_anything_is_trained(command: Command, tmp_path: Path) -> None:
    """It was refused after hours; each of these names one row may have, and whatever a row is called afterwards is among them."""
    done = command("compare", "small.json", "--reference", "foo", code=2)
    known = "fixed-time; webster; webster (stretch 0.8); ppo, seed 1"

    assert done.stderr == f"rl: reference: is 'foo', which is no row; choose among {known}\n"
    assert not (tmp_path / "store" / "entries").exists()
    command("evaluate", "small.json", "--out", "one.json")
    rows = [row["name"] for row in json.loads((tmp_path / "one.json").read_text())["rows"]]
    assert set(rows) <= set(known.split("; "))
    (tmp_path / "two.json").write_text((tmp_path / "one.json").read_text().replace("ppo", "a2c"))
    told = command("compare", "one.json", "two.json", "--reference", "foo", code=2).stderr
    assert "; ".join([*rows, "a2c, seed 1"]) in told
    assert "fixed-time (two.json)" in told


def test_a_comparison_that_is_not_whole_says_so(command: Command, tmp_path: Path) -> None:
    """Exit code 75, like the other commands, whether it computes or reads; and nothing is drawn of what has no day at all."""
    short = {"days": 3, "validation_days": 2}
    for name, limits in (
        ("late", {"simulation": {"timeout_seconds": 1e-9}, "evaluation": short}),
        ("never", {"simulation": {"timeout_seconds": 1e-9}, "evaluation": {**short, "held_out_set": 1, "timeout_seconds": 1e-9}}),
    ):
        (tmp_path / f"{name}.json").write_text(small(**limits).model_dump_json(), encoding="utf-8")

    command("evaluate", "late.json", "--out", "late.result.json", code=RESUMABLE)
    for target in ("late.json", "late.result.json"):
        done = command("compare", target, code=RESUMABLE)
        assert "held-out days, ± 95 % confidence" in done.stdout
        assert done.stderr.splitlines()[-1].startswith(f"rl: {target}: a time limit came before the last day")

    refused = command("compare", "never.json", "--picture", "never.png", code=1)
    assert refused.stderr.splitlines()[-1].startswith("rl: never.json: a time limit came before the first day")
    assert not (tmp_path / "never.png").exists()
    command("evaluate", "never.json", "--out", "never.result.json", code=1)
    assert not (tmp_path / "never.result.json").exists()


def test_a_deadline_ends_it_and_the_same_command_goes_on(command: Command) -> None:
    """Exit code 75, whatever the machine came to in that time; nothing that was there is lost, and the rest comes later."""
    command("train", "small.json", "--steps", "20")
    before = pipeline.series(small(), 1).stored
    done = command("train", "small.json", "--steps", "2000000", "--deadline", "1s", code=RESUMABLE)

    assert "goes on" in done.stderr
    assert pipeline.series(small(), 1).stored >= before > 0


def test_sigterm_ends_it_and_keeps_what_there_is(command: Command, tmp_path: Path) -> None:
    """Exit code 75; the window at hand is kept, and the next run goes on behind it."""
    del command
    run = pipeline.series(small(), 1)
    with started(tmp_path, "train", "small.json", "--steps", "2000000") as process:
        while run.stored < 2 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, complaint = process.communicate(timeout=60)

    assert process.returncode == RESUMABLE, complaint
    assert "Traceback" not in complaint
    assert complaint.splitlines()[-1].startswith("rl: told to end")
    kept = run.stored
    assert kept >= 2
    assert len(run[: kept + 1]) == kept + 1


@pytest.mark.deep
def test_kill_9_loses_the_window_at_hand_and_nothing_else(command: Command, tmp_path: Path) -> None:
    """The same command goes on from the last checkpoint, to the bytes of a training that was left alone."""
    run = pipeline.series(small(), 1)
    with started(tmp_path, "train", "small.json", "--steps", "2000000") as process:
        while run.stored < 3 and process.poll() is None:
            time.sleep(0.02)
        process.kill()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL

    windows = run.stored + 2
    told = json.loads(command("train", "small.json", "--steps", str(windows * 20), "--json").stdout)[0]
    assert 2 <= told["computed"] <= 3  # the last ones may have become known a moment after they were counted

    straight = cached(every=1, ignore=("pulse",), cache=Cache(str(tmp_path / "straight")))(training.compute)(
        small().task, small().training, 1
    )
    straight.take(windows)
    assert [entry.blobs for entry in run.segments] == [entry.blobs for entry in straight.segments]


def test_two_trainings_at_once_compute_each_window_once(command: Command, tmp_path: Path) -> None:
    """Of one experiment in two processes: one computes, the other waits and loads; both tell the same training, and who did what."""
    del command
    asked = ("train", "small.json", "--steps", "120", "--unchecked", "--json")
    with started(tmp_path, *asked) as one, started(tmp_path, *asked) as other:
        ends = [process.communicate(timeout=100) for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), ends
    told = [json.loads(answer)[0] for answer, _ in ends]

    assert sum(each["computed"] for each in told) == 6
    assert told[0]["reward"] == told[1]["reward"]
    entries = [json.loads(path.read_text()) for path in (tmp_path / "store" / "entries").rglob("*.json")]
    assert sorted(entry["segment"][0] for entry in entries) == [0, 1, 2, 3, 4, 5]
    done = subprocess.run([sys.executable, "-m", "simcache", "verify"], cwd=tmp_path, env=environment(), check=False, capture_output=True)
    assert done.returncode == 0, done.stdout


def test_a_training_that_cannot_be_kept_ends_at_once(command: Command, tmp_path: Path) -> None:
    """A store that is full, or that cannot be written: told in one line at the first checkpoint, instead of hours that are lost."""
    command("train", "small.json")
    before = pipeline.series(small(), 1).stored
    (tmp_path / "file").write_text("")
    for program, more in ((FULL_DISK, {}), (("-m", "rl"), {"SIMCACHE_STORE": str(tmp_path / "file" / "store")})):
        with started(tmp_path, "train", "small.json", "--steps", "2000000", "--unchecked", program=program, **more) as process:
            _, complaint = process.communicate(timeout=100)
        assert process.returncode == 2, complaint
        assert complaint.splitlines()[-1].startswith("rl: ")
        assert "store" in complaint.splitlines()[-1]
        assert "Traceback" not in complaint
    assert pipeline.series(small(), 1).stored == before


FULL_DISK = (
    "-c",
    "import resource, sys; sys.dont_write_bytecode = True; resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000)); from rl.cli import main; main()",
)
"""`rl`, no file of which may have more than four kilobytes: a checkpoint has more."""


def environment(**more: str) -> dict[str, str]:
    """Of a process of its own."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


@contextmanager
def started(place: Path, *arguments: str, program: tuple[str, ...] = ("-m", "rl"), **more: str) -> Iterator[subprocess.Popen[str]]:
    """`rl` in a process of its own, which does not outlive the test."""
    command, pipe = [sys.executable, *program, *arguments], subprocess.PIPE
    with subprocess.Popen(command, cwd=place, env=environment(**more), stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.timeout(300)  # on a machine that has compiled nothing yet, they wait for the compiler
def test_several_at_once_compute_each_key_once(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`rl run --jobs 2`: processes of their own, with one store, that of the project; what they share is computed by one of them.

    A second run, here, computes nothing.
    """
    monkeypatch.delenv("SIMCACHE_STORE")
    (tmp_path / "simcache.toml").write_text('store = "store"\n', encoding="utf-8")
    for name, seeds in (("one", [1, 2]), ("other", [2, 3])):
        (tmp_path / f"{name}.json").write_text(small(name=name, seeds=seeds).model_dump_json(), encoding="utf-8")

    def computed() -> list[tuple[str, int]]:
        entries = [json.loads(path.read_text()) for path in (tmp_path / "store" / "entries").rglob("*.json")]
        return sorted((entry["key"], (entry.get("segment") or [0])[0]) for entry in entries)

    asked = ("run", "one.json", "other.json", "--json")
    with started(tmp_path, *asked, "--jobs", "2") as process:
        answer, complaint = process.communicate(timeout=280)
    assert process.returncode == 0, complaint
    first, kept = json.loads(answer), computed()

    assert set(first) == {"one", "other"}
    assert sorted(set(kept)) == kept
    assert json.loads(command(*asked).stdout) == first
    assert computed() == kept

"""`rl` answers in one line where something is wrong, ends cleanly when it is told to, and goes on where it stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rl import pipeline
from rl.cli import main
from rl.cli.root import COMMANDS, RESUMABLE
from simcache.cli.words import Span
from tests.rl.small import small

ROOT = Path(__file__).parents[2]
Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process, in an empty folder with a store of its own; `small.json` is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMCACHE_STORE", str(tmp_path / "store"))
    (tmp_path / "small.json").write_text(small().model_dump_json(), encoding="utf-8")

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
        (("train", "small.json", "--deadline", "soon"), "no time above 0"),
        (("train", "small.json", "--bogus"), "see `"),
        (("compare", "nothing"), "no preset"),
        (("export", "small.json", "--to", "policy.pkl"), ".npz or .zip"),
        (("run",), "--all"),
        (("dance",), "No such command"),
    ],
)
def test_a_mistake_is_told_in_one_line(command: Command, arguments: tuple[str, ...], says: str) -> None:
    """What, which, and the next step; exit code 2, and no traceback."""
    done = command(*arguments, code=2)

    assert says in done.stderr
    assert done.stderr.startswith("rl: ")
    assert done.stderr.count("\n") == 1


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
    assert json.loads(command("plan", "small.json", "--deadline", "1h", "--json").stdout)["steps_per_s"] > 0
    command("export", "small.json", "--to", "policy.npz")
    assert "checkpoint 2 of 2" in command("export", "small.json", "--to", "model.zip", "--checkpoint", "last").stderr
    from stable_baselines3 import PPO

    assert PPO.load(tmp_path / "model.zip", device="cpu").policy is not None


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


def test_a_comparison_that_is_not_whole_says_so(command: Command, tmp_path: Path) -> None:
    """Exit code 75, like the other commands, whether it computes or reads; and nothing is drawn of what has no day at all."""
    short = {"days": 3, "validation_days": 2}
    for name, limits in (
        ("late", {"simulation": {"timeout_seconds": 1e-9}, "evaluation": short}),
        ("never", {"simulation": {"timeout_seconds": 1e-9}, "evaluation": {**short, "timeout_seconds": 1e-9}}),
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
    process = subprocess.Popen(
        [sys.executable, "-m", "rl", "train", "small.json", "--steps", "2000000"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    run = pipeline.series(small(), 1)
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


def test_several_at_once_compute_each_key_once(tmp_path: Path) -> None:
    """`rl run --jobs 2`: processes of their own; what they share is computed by one of them, and a second run computes nothing."""
    for name, seeds in (("one", [1, 2]), ("other", [2, 3])):
        (tmp_path / f"{name}.json").write_text(small(name=name, seeds=seeds).model_dump_json(), encoding="utf-8")
    environment = {**os.environ, "SIMCACHE_STORE": str(tmp_path / "store"), "PYTHONPATH": str(ROOT)}

    def run() -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "rl", "run", "one.json", "other.json", "--jobs", "2", "--json"],
            cwd=tmp_path, env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    def computed() -> list[tuple[str, int]]:
        entries = [json.loads(path.read_text()) for path in (tmp_path / "store" / "entries").rglob("*.json")]
        return sorted((entry["key"], (entry.get("segment") or [0])[0]) for entry in entries)

    first = run()
    kept = computed()

    assert set(first) == {"one", "other"}
    assert sorted(set(kept)) == kept
    assert run() == first
    assert computed() == kept

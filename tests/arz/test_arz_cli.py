"""`python -m arz` answers in one line where something is wrong, with the right exit code, and stops when it is told to."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from arz.cli import main
from arz.cli.kinds import KINDS
from arz.cli.root import COMMANDS, RESUMABLE
from arz.result import Result as RunResult
from arz.running import run
from arz.validate.base import Case, Figure, Group
from arz.world.network import Network
from arz.world.scenarios.registry import SCENARIOS, scenario
from tests.arz.results import assert_same

ROOT = Path(__file__).parents[2]
PATIENCE = 280.0
ENDLESS = ("run", "grid", "-o", "n=4", "-o", "m=4", "--set", "horizon_s=1e7", "--set", "fields=false", "--every", "60")

Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process and an empty folder."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(main, arguments)
        assert code == done.exit_code, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return invoke


def started(folder: Path, *arguments: str, stderr: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    """The command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "arz", *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
    )


def done(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, answer and complaint of the command in a process of its own."""
    process = started(folder, *arguments)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


class TestMistakes:
    """One line, no traceback, and the right exit code."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("run",), "name a scenario"),
            (("run", "nope"), "there is no scenario named 'nope'; known: victoria_island"),
            (("run", "nope.json"), "nope.json: there is no such file"),
            (("run", "ring", "-o", "nope=1"), "nope: is no option of the scenario 'ring'"),
            (("run", "ring", "-o", "nope"), "write it as NAME=VALUE"),
            (("run", "ring", "--set", "demand.nope=1"), "there is no field 'nope': choose among inflows, scale"),
            (("run", "ring", "--set", "network.roads[3].lanes=1"), "network.roads has 1 item: count from 0"),
            (("run", "ring", "--set", "seed.nope=1"), "seed has no fields"),
            (("run", "ring", "--set", "horizon_s=" + "[" * 50_000), "horizon_s: is '[[["),
            (("run", "ring", "--set", "network.roads[0].length_m=-4"), "network.roads[0].length_m: is -4"),
            (("run", "ring", "--set", "network.roads[0].limit_kmh=13.9e3"), "network.roads[0].limit_kmh"),
            (("run", "ring", "--set", "physics.closure=nope"), "physics.closure"),
            (
                ("run", "corridor", "--set", "horizon_s=1e12"),
                "horizon_s: is 1000000000000.0; it should be less than or equal to 31622400, in seconds",
            ),
            (("run", "ring", "--timeout", "soon"), "is no time above 0"),
            (("run", "ring", "--timeout", "0"), "is no time above 0"),
            (("run", "ring", "--device", "abacus"), "abacus"),
            (("run", "ring", "--dtype", "float16"), "float16"),
            (("run", "ring", "--out", "result.txt"), "end it with .npz"),
            (("run", "ring", "--out", "nowhere/result.npz"), "there is no folder"),
            (("run", "ring", "--out", ""), "end it with .npz"),
            (("run", "ring", "--out", "taken/"), "it cannot be written there"),
            (("run", "ring", "--set", "scheme.cell_m=1e-8"), "scheme.cell_m: is 1e-08 m, which makes 150,000,000,000 cells"),
            (("run", "ring", "--set", 'actuators=[{"kind": "nope"}]'), "actuators[0]: has the kind 'nope'; choose among 'ramp_meter', "),
            (("show", "town.json", "--set", "name=x"), "--option and --set are for scenarios"),
            (("run", "--resume", "nope.npz"), "is not there"),
            (("run", "ring", "--resume", "nope.npz"), "one of the two"),
            (("run", "."), ".: is a folder"),
            (("show", "."), ".: is a folder"),
            (("show", "nope"), "there is no scenario named 'nope'"),
            (("show", "nope.npz"), "is not there"),
            (("show", "ring", "--plot", "x"), "--plot draws results"),
            (("import", "nope.osm"), "there is no such file"),
            (("import", "nope.osm", "--kind", "nope"), "nope"),
            (("list", "nope"), "scenarios"),
            (("nope",), "No such command 'nope': see `"),
            (("rum",), "No such command 'rum'. Did you mean 'run'?"),
            (("--nope",), "No such option"),
            (("run", "ring", "--nope"), "No such option"),
            (("bench", "ring", "--worlds", "0"), "--worlds"),
            (("bench", "ring", "--worlds", "1000000000"), "give fewer"),
            (("validate", "nope"), "there is no case named 'nope'; known: "),
            (("validate", "--out", "page.txt"), "end it with .md or .json"),
            (("validate", "--out", "nowhere/page.md"), "there is no such folder"),
        ],
        ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
    )
    def test_one_line(self, command: Command, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
        (tmp_path / "taken").touch()
        (tmp_path / "town.json").write_text(scenario("ring").network.model_dump_json())
        answer = command(*arguments, code=2)

        assert "" == answer.stdout
        assert 1 == len(answer.stderr.splitlines()), answer.stderr
        assert answer.stderr.startswith("arz: ")
        assert said in answer.stderr

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    @pytest.mark.parametrize("arguments", [("list",), ("show", "ring", "--json"), ("show", "nope", "--json"), ("--help",)], ids=" ".join)
    def test_output_that_is_full(self, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        """That standard output takes no more is said as that, in one line."""
        with Path("/dev/full").open("w") as full:
            process = subprocess.run(
                [sys.executable, "-m", "arz", *arguments],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )

        said = "arz: standard output cannot be written (No space left on device): give it a place with room\n"
        assert (2, said) == (process.returncode, process.stderr)

    @pytest.mark.parametrize("arguments", [("run", "nope"), ("show", "ring", "--nope"), ("nope",), ("--nope", "list")], ids=" ".join)
    def test_as_json(self, command: Command, arguments: tuple[str, ...]) -> None:
        """Whoever asked for JSON can read stdout whatever happens; stderr has the line for people."""
        answer = command(*arguments, "--json", code=2)

        assert answer.stderr == f"arz: {json.loads(answer.stdout)['error']}\n"

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", '{"name": "x"}', '{"roads": []}', "\x00\xff", '{"name": NaN}', '{"a":' * 50_000], ids=lambda text: text[:20]
    )
    @pytest.mark.parametrize("name", ["run", "show"])
    def test_files_that_are_no_scenario(self, command: Command, tmp_path: Path, name: str, text: str) -> None:
        """Whatever a file holds, the answer names it or its field."""
        (tmp_path / "bad.json").write_text(text, encoding="latin-1")
        answer = command(name, "bad.json", code=2)

        assert 1 == len(answer.stderr.splitlines()), answer.stderr

    @pytest.mark.parametrize("name", ["run", "show"])
    def test_a_fault_is_told_with_its_file(self, command: Command, tmp_path: Path, name: str) -> None:
        """Of a field within it, of the whole, and of a network that is shown; it had named the field alone."""
        fields = json.loads(scenario("ring").model_dump_json())
        for file, held, said in (
            ("field.json", fields | {"horizon_s": -1}, "field.json: horizon_s: is -1"),
            ("cut.json", None, "cut.json: "),
            ("absent.json", {"name": "x"}, "absent.json: network: is missing; give it\n"),
        ):
            (tmp_path / file).write_text("{" if held is None else json.dumps(held))
            assert command(name, f"./{file}", code=2).stderr.startswith(f"arz: ./{said}")
        (tmp_path / "roads.json").write_text(json.dumps(fields["network"] | {"nodes": []}))
        assert command("show", "roads.json", code=2).stderr.startswith("arz: roads.json: nodes: ")

    def test_a_network_is_not_taken_for_a_scenario(self, command: Command, tmp_path: Path) -> None:
        """It is told what a scenario has besides, instead of `network: is missing`."""
        scenario("ring").network.save(tmp_path / "town.json")
        for name in ("run", "bench"):
            told = command(name, "town.json", code=2).stderr
            assert told.startswith("arz: town.json: is a road network, and a scenario says also which demand it has: ")
            assert "docs/how/bring-your-own-network.md" in told

    def test_a_result_is_not_taken_for_a_scenario(self, command: Command, tmp_path: Path) -> None:
        """It is told what can be done with it, instead of an error of UTF-8."""
        (tmp_path / "twin.npz").write_bytes(b"PK\x03\x04\xff")
        told = command("run", "twin.npz", code=2).stderr

        assert "twin.npz: is a result, no scenario: `python -m arz show twin.npz` shows it" in told
        assert "`python -m arz run --resume twin.npz` goes on" in told

    def test_several_faults_and_one_more(self, command: Command, tmp_path: Path) -> None:
        """`1 more faults` it said."""
        (tmp_path / "two.json").write_text(json.dumps({"nope": 1}))

        assert "(and 2 more faults)" in command("run", "two.json", code=2).stderr
        (tmp_path / "one.json").write_text(json.dumps({"name": "x"} | {"nope": 1}))
        assert "(and 1 more fault)" in command("run", "one.json", code=2).stderr

    def test_no_advice_to_run_what_a_file_holds(self, command: Command, tmp_path: Path) -> None:
        """Of what it does not know, numpy advises to load it as a pickle."""
        for held in (b"nothing", b"\x80\x04N."):
            (tmp_path / "bad.npz").write_bytes(held)
            told = command("show", "bad.npz", code=2).stderr
            assert told == "arz: bad.npz: is no result, or a damaged one (no archive of arrays); run the scenario again\n"

    def test_a_result_of_nothing(self, command: Command, tmp_path: Path) -> None:
        """A damaged result is told as one."""
        (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04nothing")

        assert "damaged" in command("show", "bad.npz", code=2).stderr
        assert "damaged" in command("run", "--resume", "bad.npz", code=2).stderr

    def test_for_real(self, tmp_path: Path) -> None:
        """So it is in a process of its own."""
        code, out, err = done(tmp_path, "run", "nope")

        assert (2, "", 1) == (code, out, len(err.splitlines())), err


class TestRun:
    """A scenario from the shell."""

    def test_a_name(self, command: Command, tmp_path: Path) -> None:
        """The result is that of `run`."""
        expected = run(scenario("ring", fill=0.2, horizon_s=45.0))
        answer = command("run", "ring", "-o", "fill=0.2", "--set", "horizon_s=45", "--out", "ring.npz")

        assert_same(expected, RunResult.load(tmp_path / "ring.npz"))
        assert "complete" in answer.stdout
        assert "" == answer.stderr

    def test_a_file(self, command: Command, tmp_path: Path) -> None:
        """What `show --json` prints can be run, and is the same scenario."""
        (tmp_path / "ramp.json").write_text(command("show", "ramp", "--set", "horizon_s=30", "--json").stdout)
        command("run", "ramp.json", "--out", "ramp.npz")

        assert scenario("ramp", horizon_s=30.0) == RunResult.load(tmp_path / "ramp.npz").scenario

    def test_json(self, command: Command) -> None:
        """One document, and nothing else."""
        answer = json.loads(command("run", "corridor", "--set", "horizon_s=30", "--json").stdout)

        assert (True, 30.0, 2) == (answer["complete"], answer["time_s"], answer["intervals"])
        assert {"motorcycle", "car"} == set(answer["vehicles"]) == set(answer["ledger"]["entered"])

    def test_settings_of_demand(self, command: Command) -> None:
        """--set changes what is run."""
        entered = [
            json.loads(command("run", "one_road", "--set", "horizon_s=60", "--set", f"demand.scale={scale}", "--json").stdout)["vehicles"][
                "car"
            ]["entered"]
            for scale in (0.5, 1)
        ]

        assert pytest.approx(2 * entered[0], rel=1e-3) == entered[1]

    @pytest.mark.parametrize("out", ["tables/", "result.zarr"])
    def test_other_forms(self, command: Command, tmp_path: Path, out: str) -> None:
        """A folder of tables, or zarr."""
        if out.endswith("zarr"):
            pytest.importorskip("zarr")
        command("run", "ring", "--set", "horizon_s=30", "--out", out)

        assert (tmp_path / out).is_dir()

    def test_the_compiler_is_told_of(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a line where there is no terminal, too: for a minute nothing had been said."""

        def compiles(*given: Any, compiling: Callable[[], object], **more: Any) -> RunResult:
            compiling()
            return run(*given, **more)

        monkeypatch.setattr("arz.running.run", compiles)
        answer = command("run", "ring", "--set", "horizon_s=30", "--json")

        assert answer.stderr == "compiling the solver for this machine, once, which may take a minute\n"
        assert json.loads(answer.stdout)["complete"]

    def test_rounding_is_nothing_to_a_person(self, command: Command, tmp_path: Path) -> None:
        """The table shows 0 where 1.119e-08 vehicles wait; the JSON has the number."""
        command("run", "one_road", "--set", "horizon_s=30", "--out", "road.npz")
        result = RunResult.load(tmp_path / "road.npz")
        replace(result, waiting=np.full_like(result.waiting, 1.119e-08), queue=result.queue * 0 - 1e-12).save("road.npz")

        said = command("show", "road.npz").stdout
        assert "e-" not in said.partition("ledger")[0]
        assert 1.119e-08 == pytest.approx(json.loads(command("show", "road.npz", "--json").stdout)["vehicles"]["car"]["waiting"])

    def test_timeout_and_resume(self, command: Command, tmp_path: Path) -> None:
        """A run that had no time is incomplete, says how to go on, and goes on."""
        answer = command("run", "corridor", "--set", "horizon_s=60", "--timeout", "0.000001", "--out", "part.npz", code=RESUMABLE)
        assert "go on with: python -m arz run --resume part.npz" in answer.stdout
        assert not RunResult.load(tmp_path / "part.npz").complete
        command("run", "--resume", "part.npz")

        assert_same(run(scenario("corridor", horizon_s=60.0)), RunResult.load(tmp_path / "part.npz"))

    @pytest.mark.parametrize("json_", [(), ("--json",)], ids=["", "--json"])
    def test_a_run_that_is_not_whole_says_so_by_its_exit_code(self, command: Command, json_: tuple[str, ...]) -> None:
        """75, as `rl` has it, however little it came to: a script had taken an empty result for a whole one."""
        answer = command("run", "ring", "--set", "horizon_s=60", "--timeout", "0.000001", *json_, code=RESUMABLE)

        assert [] == [line for line in answer.stderr.splitlines() if not line.startswith("compiling the solver")]  # whoever comes first
        if json_:
            assert (False, 0) == (json.loads(answer.stdout)["complete"], json.loads(answer.stdout)["intervals"])

    def test_resume_elsewhere_and_longer(self, command: Command, tmp_path: Path) -> None:
        """A finished run goes on towards a later horizon, into a file of its own."""
        command("run", "ring", "--set", "horizon_s=30", "--out", "short.npz")
        command("run", "--resume", "short.npz", "--set", "horizon_s=60", "--out", "long.npz")

        assert_same(run(scenario("ring", horizon_s=60.0)), RunResult.load(tmp_path / "long.npz"))
        assert 30.0 == RunResult.load(tmp_path / "short.npz").time_s

    def test_a_resumed_run_keeps_its_scenario(self, command: Command) -> None:
        command("run", "ring", "--set", "horizon_s=30", "--out", "short.npz")

        assert "keeps its scenario" in command("run", "--resume", "short.npz", "--set", "seed=3", code=2).stderr


class TestGoesWrong:
    """A run that fails is told in one line, with exit code 1."""

    @pytest.mark.parametrize("out", ["part.npz", "good.npz"])
    def test_one_line(self, command: Command, tmp_path: Path, out: str) -> None:
        """When, where and in which state it went wrong; what was good before is written."""
        command("run", "corridor", "--set", "horizon_s=30", "--out", "part.npz")
        part = RunResult.load(tmp_path / "part.npz")
        assert part.snapshot is not None
        rho = np.array(part.snapshot["rho"])
        rho[0, 0, 3] = np.nan
        replace(part, snapshot={**part.snapshot, "rho": rho}).save(tmp_path / "part.npz")
        answer = command("run", "--resume", "part.npz", "--set", "horizon_s=60", "--out", out, code=1)

        assert ("", 1) == (answer.stdout, len(answer.stderr.splitlines()))
        for text in ("at 30.", "is not a number", "road 'inm1_0-c0_0', cell ", f"the result up to 30 s is in {out}"):
            assert text in answer.stderr
        assert 30.0 == RunResult.load(tmp_path / out).time_s


@pytest.mark.timeout(300)  # on a machine that has compiled nothing yet, a program of its own waits for the compiler
class TestSignals:
    """A person or a batch system may end a run at any time."""

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
    def test_stopped_cleanly(self, tmp_path: Path, number: signal.Signals, code: int) -> None:
        """What there is, is written and marked incomplete; the run goes on from there, bit for bit.

        On the terminal a line told how far it was and how long it would take.
        """
        ours, theirs = pty.openpty()
        process = started(tmp_path, *ENDLESS, "--out", "part.npz", stderr=theirs)
        os.close(theirs)
        seen = b""
        until = time.monotonic() + PATIENCE
        while b" left" not in seen and time.monotonic() < until:
            seen += os.read(ours, 4096)
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE)
        os.close(ours)
        part = RunResult.load(tmp_path / "part.npz")

        assert b"grid: " in seen
        assert (code, False) == (process.returncode, part.complete), out
        assert "go on with: python -m arz run --resume part.npz" in out
        pieces = iter(range(9))
        again = run(part.scenario, resume=part, stop=lambda: next(pieces) >= 4)
        assert len(part.times_s) + 1 == len(again.times_s)
        assert part.density.tobytes() == again.density[:-1].tobytes()

    def test_nothing_on_a_pipe(self, tmp_path: Path) -> None:
        """Progress is for terminals: the answer stands alone, without colour or control characters."""
        run(scenario("one_road", horizon_s=15.0))  # compiled by now, of which there would be a line
        code, out, err = done(tmp_path, "run", "one_road", "--set", "horizon_s=3600")

        assert (0, "") == (code, err)
        assert "\x1b" not in out


class TestShow:
    """What there is, as tables."""

    def test_a_scenario(self, command: Command) -> None:
        said = command("show", "victoria_island", "--limit", "3").stdout

        assert "70 roads, 12.4 km, 60 nodes, 8 signals, 4 entries, 4 outlets" in said
        assert "… 67 more: --limit 0 shows all" in said

    def test_a_network(self, command: Command, tmp_path: Path) -> None:
        scenario("bottleneck").network.save(tmp_path / "network.json")

        assert "length m" in command("show", "network.json").stdout
        assert scenario("bottleneck").network == Network.load(command("show", "network.json", "--json").stdout)

    def test_a_result(self, command: Command) -> None:
        """Sums by class, roads by delay, and the ledger."""
        command("run", "victoria_island", "--set", "horizon_s=60", "--out", "island.npz")
        said = command("show", "island.npz", "--limit", "5").stdout

        for text in ("motorcycle", "delay veh h", "road, most delay first", "ledger", "… 65 more"):
            assert text in said, text

    def test_pictures(self, command: Command, tmp_path: Path) -> None:
        """--plot draws every picture that there is."""
        plots = pytest.importorskip("arz.plots")
        pytest.importorskip("matplotlib")
        command("run", "ring", "--set", "horizon_s=30", "--out", "ring.npz")
        drawn = json.loads(command("show", "ring.npz", "--plot", "pictures", "--json").stdout)["pictures"]

        assert {name: f"pictures/{name}.png" for name in plots.PICTURES} == drawn
        assert all((tmp_path / picture).is_file() for picture in drawn.values())

    @pytest.mark.parametrize("what", [None, *KINDS])
    def test_list(self, command: Command, what: str | None) -> None:
        """Every kind has a name and a sentence."""
        listed = json.loads(command("list", *([what] if what else []), "--json").stdout)

        assert [what] if what else list(KINDS) == list(listed)
        for kinds in listed.values():
            assert kinds
            assert all(name and about for name, about in kinds.items())
        assert command("list", *([what] if what else [])).stdout

    def test_list_scenarios(self, command: Command) -> None:
        listed = json.loads(command("list", "scenarios", "--json").stdout)

        assert [kind.name for kind in SCENARIOS] == list(listed["scenarios"])


class TestImport:
    """Networks of other programs."""

    EDGES = "u,v,name,highway,length,oneway,lanes,quality,maxspeed\na,b,First,primary,120,yes,2,R2,50\nb,c,Second,primary,80,yes,2,R2,50\n"

    def test_kept_as_json(self, command: Command, tmp_path: Path) -> None:
        """The network is written, its notes are printed, and it can be shown."""
        (tmp_path / "edges.csv").write_text(self.EDGES)
        said = command("import", "edges.csv", "--out", "network.json").stdout
        network = Network.load(tmp_path / "network.json")

        assert 2 == len(network.roads)
        assert all(f"note: {note}" in said for note in network.notes)
        assert "written to network.json" in said
        assert "2 roads" in command("show", "network.json").stdout

    def test_json(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "edges.csv").write_text(self.EDGES)
        answer = json.loads(command("import", "edges.csv", "--json").stdout)

        assert (2, 3, 200.0) == (answer["roads"], answer["nodes"], answer["length_m"])


class TestValidate:
    """What is proved, and how it is told."""

    def test_page_and_data(self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The cases that are named are measured, printed, and written as a page and as data."""
        known = tuple(Case(name, Group("Group", ""), "a promise", lambda: [Figure("error", 0.5, at_most=1.0)]) for name in ("one", "other"))
        monkeypatch.setattr("arz.validate.registry.cases", lambda: known)
        answer = command("validate", "other", "--out", "page.md", "--out", "data.json")
        data = json.loads((tmp_path / "data.json").read_text())

        assert (["other"], True) == ([row["case"] for row in data["rows"]], data["ok"])
        assert "| other | a promise | 0.5" in (tmp_path / "page.md").read_text()
        assert f"1 case, {data['bounds']} of {data['bounds']} bounds kept" in answer.stdout

    def test_a_beginning_that_one_name_has(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        """Names hold commas and spaces: a beginning will do, and several names are parted by semicolons."""
        names = ("leak, order 1", "leak, order 2", "ring")
        known = tuple(Case(name, Group("Group", ""), "a promise", lambda: [Figure("error", 0.5, at_most=1.0)]) for name in names)
        monkeypatch.setattr("arz.validate.registry.cases", lambda: known)
        rows = json.loads(command("validate", "ri", "leak, order 2", "--json").stdout)["rows"]

        assert ["leak, order 2", "ring"] == [row["case"] for row in rows]
        assert "known: leak, order 1; leak, order 2; ring\n" in command("validate", "nope", code=2).stderr
        told = command("validate", "leak", code=2).stderr
        assert told == "arz: case: 'leak' is how 2 names begin; choose among leak, order 1; leak, order 2\n"
        assert "validate 'leak, order 2'" in command("validate", "--help").stdout

    def test_a_miss_is_a_failure(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        """A bound that is not kept is told, and the exit code is 1."""
        bad = Case("bad", Group("Bad", ""), "a promise not kept", lambda: [Figure("error", 2.0, at_most=1.0)])
        monkeypatch.setattr("arz.validate.registry.cases", lambda: (bad,))

        assert "bad: error is 2, to be at most 1" in command("validate", code=1).stdout
        assert ["bad: error is 2, to be at most 1"] == json.loads(command("validate", "--json", code=1).stdout)["misses"]


class TestBench:
    """A small print of throughput."""

    def test_numbers(self, command: Command) -> None:
        """Cell updates a second, and their price in multiply-adds measured beside them."""
        answer = json.loads(command("bench", "ring", "--worlds", "4", "--seconds", "0.2", "--json").stdout)

        assert ("ring", 4, "float32") == (answer["scenario"], answer["worlds"], answer["dtype"])
        assert answer["updates_per_s"] > 0
        assert pytest.approx(answer["multiply_adds_per_s"] / answer["updates_per_s"]) == answer["multiply_adds_per_update"]

    def test_lines(self, command: Command) -> None:
        assert "cell updates" in command("bench", "ring", "--worlds", "2", "--seconds", "0.1").stdout


class TestStart:
    """The command and the package start fast."""

    def test_help(self, command: Command) -> None:
        """Every command is listed with a sentence, and has a help of its own."""
        said = command("--help").stdout
        assert "Example: python -m arz run " in said
        assert all(f"\n  {name}" in said for name in COMMANDS)
        for name in COMMANDS:
            assert "Usage: " in command(name, "--help").stdout

    def test_light_import(self) -> None:
        """`import arz` loads nothing heavy, and the names of the face are there when asked for."""
        code = (
            "import sys; before = set(sys.modules); import arz; new = set(sys.modules) - before; print(sorted(new)); "
            "print([name for name in ('numba', 'numpy', 'pydantic') if name in sys.modules]); print(arz.run.__name__, arz.scenario.__name__)"
        )
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout

        assert ["['arz']", "[]", "run scenario"] == said.splitlines()

    def test_light_help(self, tmp_path: Path) -> None:
        """Help needs neither numba nor pydantic."""
        code = "import sys; from arz.cli import main; main(['--help'], standalone_mode=False); print([n for n in ('numba', 'numpy', 'pydantic') if n in sys.modules])"
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        said = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
        ).stdout

        assert "[]" == said.splitlines()[-1]

"""The command line answers in one line, with the right exit code, and never with a traceback for a user's mistake."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from simcache.cache import Cache
from simcache.cli import main
from simcache.cli.arguments import Unfit, converted
from simcache.cli.calling import plain
from simcache.cli.root import COMMANDS
from simcache.upkeep.sync import sync
from tests.simcache import makers
from tests.simcache.stored import environment, files_under, keep, keep_segment, key_of, long, project, python, simcache, value_blob

FILL = "import model as m; m.travel(m.Road(10.0)); m.travel(m.Road(20.0)); m.grid(4); m.walk(2)[:6]"

LOUD = """
import ctypes, os, subprocess, sys
from simcache import cached
print("importing")

@cached
def f() -> int:
    print("in f")
    subprocess.run([sys.executable, "-c", "print('from a child')"])
    ctypes.CDLL(None).puts(b"from C")
    return 5
"""

Run = Callable[..., Result]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "store")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, in a folder whose settings name a store."""
    (tmp_path / "simcache.toml").write_text('store = "store"\n')
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, arguments, input=stdin)
        assert code == result.exit_code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose functions were called once; nobody changes it."""
    folder = project(tmp_path_factory.mktemp("project"))
    python(folder, FILL)
    return folder


class TestForReal:
    """In a process of its own."""

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("--version",), 0, "simcache 0.1.0"),
            (("verify",), 0, "sound"),
            (("verify", "--rerun", "4"), 0, "computed 4 of 5 again: all the same"),
            (("ls", "model.travel", "--json"), 0, '"total": 2'),
            (("call", "model:travel", "-"), 0, "30.0"),
            (("show", "0123456789"), 1, "nothing is stored under 0123456789"),
            (("show", "xyz"), 2, "is no key"),
            (("sync",), 2, "name one other store"),
            (("sync", "labb"), 2, "there is no remote of this name"),
            (("sync", "--from", "./labb"), 2, "nothing is there"),
            (("call", "model:none", "-"), 2, "cached functions are: broken, grid, travel, walk"),
            (("call", "nomodule:f"), 2, "no module 'nomodule'"),
            (("call", "model:plain"), 2, "is not cached"),
            (("call", "model:broken", "-"), 2, "the function has no such argument"),
            (("call", "model:walk"), 2, "step: is needed"),
            (("call", "model"), 2, "module:function"),
            (("--json", "ls"), 2, "simcache COMMAND --json`"),
            (("remote", "--json", "ls"), 2, "simcache remote COMMAND --json`"),
            (("ls", "--store", ""), 2, "store: the path is empty; name a folder or a URL"),
            (("init", "--store", ""), 2, "store: the path is empty; name a folder or a URL"),
            (("verify", ""), 2, "store: the path is empty; name a folder or a URL"),
            (("call", "model:travel", "-", "--store", ""), 2, "store: the path is empty; name a folder or a URL"),
        ],
    )
    def test_one_line(self, filled: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
        """The answer, the exit code, no traceback, no colour where there is no terminal."""
        done = simcache(filled, *arguments, stdin='{"road": {"length": 10}}')

        assert (code, True) == (done.returncode, said in done.stdout + done.stderr), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        assert not code or not done.stdout or "--json" in arguments

    @pytest.mark.parametrize("arguments", [("verify", "."), ("ls", "--store", ".")], ids=" ".join)
    def test_the_folder_above_a_store(self, filled: Path, arguments: tuple[str, ...]) -> None:
        """Whoever names the project is told which store in it may be meant, not how to make one."""
        done = simcache(filled, *arguments)

        assert 2 == done.returncode
        assert done.stderr.endswith(f"and no simcache.json; did you mean {filled / 'store'}?\n"), done.stderr

    def test_a_folder_that_is_no_store(self, tmp_path: Path) -> None:
        """That a store can be made in an empty folder is no help to who looks for one."""
        (tmp_path / "notes.txt").write_text("x")

        assert simcache(tmp_path, "verify", ".").stderr.endswith("and no simcache.json; check the path\n")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("raise RuntimeError('not today')", "importing other raised RuntimeError: not today"),
            ("import nothing_like_this", "No module named 'nothing_like_this'"),
            ("def f(:", "is no Python"),
            ("raise SystemExit(3)", "importing other raised SystemExit"),
        ],
    )
    def test_module_that_fails(self, tmp_path: Path, text: str, said: str) -> None:
        """What goes wrong while a module is imported is told with its place."""
        (project(tmp_path) / "other.py").write_text(text)
        done = simcache(tmp_path, "call", "other:f")

        assert (2, True, True) == (done.returncode, said in done.stderr, "other.py:1" in done.stderr), done.stderr
        assert "Traceback" not in done.stderr

    def test_function_that_raises(self, filled: Path) -> None:
        """What a function raises is told with its place, and the exit code is 1."""
        done = simcache(filled, "call", "model:broken", "-", stdin='{"n": 3}')

        assert (1, True) == (done.returncode, "raised ValueError: no result for 3 (" in done.stderr), done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize(
        ("spoil", "code", "said"),
        [
            (lambda store: (store / "simcache.json").write_text('{"format": 7}'), 2, "has format 7"),
            (lambda store: (store / "simcache.json").write_text("{"), 1, 'corrupt simcache.json: it should read {"format": 1}'),
            (lambda store: (store.rename(store.with_name("moved")), store.write_text("x")), 2, "it is a file, not a folder"),
            (lambda store: store.rename(store.with_name("moved")), 2, "nothing is there"),
            (lambda store: (store.parent / "simcache.toml").write_text("store = "), 2, "is no TOML"),
            (lambda store: (store.parent / "simcache.toml").write_text('stor = "x"'), 2, "no such setting"),
            (lambda store: next(store.glob("blobs/*/*")).write_bytes(b"bad"), 1, "not sound"),
        ],
        ids=["newer", "damaged", "file", "gone", "toml", "setting", "blob"],
    )
    def test_bad_stores(self, tmp_path: Path, spoil: Callable[[Path], object], code: int, said: str) -> None:
        """A store or settings that cannot be used are told in one line."""
        keep(Cache(project(tmp_path) / "store"), 1, 1)
        spoil(tmp_path / "store")
        done = simcache(tmp_path, "verify")

        assert (code, True) == (done.returncode, said in done.stdout + done.stderr), done.stdout + done.stderr
        assert "Traceback" not in done.stderr

    def test_quick_start(self, tmp_path: Path) -> None:
        """Help and version need nothing heavy: no numpy, no rich, no pydantic, no decorator."""
        code = (
            "import sys; from simcache.cli import main; main(['--help'], standalone_mode=False); "
            "print([name for name in ('numpy', 'rich', 'pydantic', 'fsspec', 'simcache.decorator', 'simcache.cache', 'asyncio') if name in sys.modules])"
        )

        assert "[]" == python(tmp_path, code).splitlines()[-1]

    def test_closed_pipe(self, filled: Path) -> None:
        """Whoever reads the answer may stop early (`simcache ls | head -1`)."""
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-m", "simcache", "ls"]
        done = subprocess.run(command, cwd=filled, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, env=environment(filled))
        os.close(writing)

        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("encoding", ["latin-1", "cp437", "ascii", "utf-8"])
    def test_output_of_few_letters(self, filled: Path, encoding: str) -> None:
        """What the encoding of standard output lacks is escaped; the line that counts the other rows ended in a traceback."""
        command = [sys.executable, "-m", "simcache", "ls", "--limit", "1"]
        variables = {**environment(filled), "PYTHONIOENCODING": encoding}
        done = subprocess.run(command, cwd=filled, capture_output=True, check=False, env=variables)

        assert (0, True) == (done.returncode, b"--limit 0 shows all" in done.stdout), done.stderr

    @pytest.mark.skipif(os.name == "nt", reason="a shell")
    def test_standard_input_is_closed(self, filled: Path) -> None:
        """As a service starts its programs: it is told, and was a traceback."""
        command = ["/bin/sh", "-c", '"$0" -m simcache call model:travel - <&-', sys.executable]
        done = subprocess.run(command, cwd=filled, capture_output=True, text=True, check=False, env=environment(filled))

        assert (2, "simcache: standard input is closed: name a file with a JSON object\n") == (done.returncode, done.stderr)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    @pytest.mark.parametrize(
        "arguments",
        [("ls",), ("ls", "--json"), ("show", "0123", "--json"), ("verify", "--json"), ("--help",), ("--version",), ("ls", "--help")],
        ids=" ".join,
    )
    def test_output_that_is_full(self, filled: Path, arguments: tuple[str, ...]) -> None:
        """That standard output takes no more is said as that, in one line, and the store is not blamed."""
        command = [sys.executable, "-m", "simcache", *arguments]
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(command, cwd=filled, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment(filled))

        said = "simcache: standard output cannot be written (No space left on device): give it a place with room\n"
        assert (2, said) == (done.returncode, done.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="paths that are any bytes")
class TestPathsThatAreNoText:
    """A folder whose name is no UTF-8."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / os.fsdecode(b"n\xff")
        entry = keep(Cache(folder / "store"), 1, long("one"))
        (folder / "store" / value_blob(entry)).write_bytes(b"bad")
        return folder

    @pytest.mark.parametrize("arguments", [("init", "--store"), ("remote", "add", "lab")], ids=" ".join)
    def test_no_settings_are_written_that_nobody_can_read(self, folder: Path, arguments: tuple[str, ...]) -> None:
        """TOML is UTF-8: the path is refused with what would do, and nothing is made."""
        done = simcache(folder.parent, *arguments, str(folder / "store"))

        assert (2, "") == (done.returncode, done.stdout)
        assert r"n\xff/store is no UTF-8, which settings are written in: name the place with SIMCACHE_STORE" in done.stderr
        assert 1 == len(done.stderr.splitlines())
        assert [folder.name] == os.listdir(folder.parent)

    @pytest.mark.parametrize(
        ("command", "code"),
        [("verify", 1), ("ls zz", 1), ("stats", 0), ("show 12", 1), ("prune", 0), ("doctor", 0), ("verify --repair", 0), ("sync", 1)],
    )
    def test_its_store_is_looked_after(self, folder: Path, command: str, code: int) -> None:
        """Commands print the path with its bytes escaped, and JSON from which the path can be made again."""
        arguments = (
            ["sync", str(folder / "store"), "--store", "mine"]
            if command == "sync"
            else [*command.split(), "--store", str(folder / "store")]
        )
        done = [simcache(folder.parent, *arguments), simcache(folder.parent, *arguments, "--json")]

        assert all("Traceback" not in one.stderr for one in done), done
        assert code == done[0].returncode, done[0]
        assert r"n\xff/store" in done[0].stdout + done[0].stderr
        assert json.loads(done[1].stdout).get("store", str(folder / "store")) in {str(folder / "store"), str(folder.parent / "mine")}


class TestHelp:
    """Every command explains itself."""

    @pytest.mark.parametrize(
        "command",
        [*([name] for name in COMMANDS), ["remote", "add"], ["remote", "ls"], ["remote", "rm"], ["kaggle", "run"], ["kaggle", "follow"]],
        ids=" ".join,
    )
    def test_example(self, run: Run, command: list[str]) -> None:
        """With an example."""
        assert f"Example: {'echo' if command == ['call'] else f'simcache {command[0]}'}" in run(*command, "--help").output

    def test_all_of_them(self, run: Run) -> None:
        """The list of commands ends with a line to copy, too."""
        assert "Example: simcache ls " in run("--help").output

    def test_a_mistyped_command(self, run: Run) -> None:
        """The one that is meant is told."""
        assert "No such command 'synk'. Did you mean 'sync'?" in run("synk", code=2).stderr

    def test_an_empty_name(self, run: Run) -> None:
        """It is no remote that could be added."""
        assert "simcache: store: the path is empty; name a folder or a URL\n" == run("sync", "", code=2).stderr

    def test_every_command_answers_in_json(self, run: Run) -> None:
        """Every command has --json, and every one that looks into a store has --store."""
        for name in COMMANDS:
            command = main.get_command(None, name)  # type: ignore[arg-type]  # it needs no context
            assert command is not None
            for one in command.commands.values() if isinstance(command, click.Group) else [command]:
                options = {option for parameter in one.params for option in parameter.opts}
                assert "--json" in options
                assert name == "remote" or "--store" in options

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("show", "abc", "--json"), 1, "nothing is stored under abc"),
            (("ls", "--store", "nowhere", "--json"), 2, "nothing is there"),
            (("ls", "--json", "--limit", "x"), 2, "'x' is not a valid integer"),
            (("sync", "--json"), 2, "name one other store"),
            (("remote", "rm", "lab", "--json"), 2, "lab"),
            (("remote", "nothing", "--json"), 2, "No such command"),
            (("lss", "--json"), 2, "No such command"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_a_mistake_is_json_too(self, cache: Cache, run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
        """Whoever asked for JSON can read stdout whatever happens; stderr has the line for people."""
        keep(cache, 1, "one")
        result = run(*arguments, code=code)

        assert said in json.loads(result.stdout)["error"]
        assert said in result.stderr
        without = [argument for argument in arguments if argument != "--json"]
        assert "" == run(*without, code=code).stdout
        assert "" == run(*without, "--", "--json", code=2).stdout


class TestLook:
    """ls, show, stats."""

    def test_names_from_elsewhere_do_not_drive_the_terminal(self, run: Run, cache: Cache) -> None:
        """What others wrote into a shared store is shown, and not obeyed: no title, no clipboard, no cleared screen."""
        entry = keep(cache, 1, 1, function="model.\x1b]0;title\x07f", host="\x1b[2J\x9b\rhere")
        keep(cache, 2, 2)
        for command in (("ls",), ("stats",), ("show", entry.key), ("diff", entry.key, key_of(2))):
            said = run(*command).output

            assert not {"\x1b", "\x07", "\x9b", "\r"}.intersection(said)
        assert r"model.\x1b]0;title\x07f" in run("ls").output

    @pytest.mark.parametrize("data", [b"\xff", b"{", b"[" * 100_000])
    def test_a_value_from_elsewhere_that_is_no_json(self, run: Run, cache: Cache, data: bytes) -> None:
        """What an entry says of its value need not be so; it ended `show --value` with a traceback."""
        entry = keep(cache, 1, [long("one")])
        broken = cache.near.put_blob([data])
        parts = cache.near.put_blob([b"5"])
        other = entry._replace(blobs=(broken, parts), value={"codec": "json", "blobs": [0]}, parts=1)
        cache.near.delete(entry.name)
        cache.near.put(other.name, [other.to_bytes()])
        done = run("show", entry.key, "--value", "--json")

        assert 0 == done.exit_code
        assert "no JSON" in json.loads(done.output)["value"]
        assert 0 == run("show", entry.key).exit_code
        assert 0 == run("diff", entry.key, keep(cache, 2, 2).key).exit_code

    def test_ls(self, run: Run, cache: Cache) -> None:
        """A table for people, JSON for programs."""
        entry = keep(cache, 1, "one")
        keep_segment(cache, 2, 0, [1, 2])
        [row] = json.loads(run("ls", entry.key[:6], "--json").output)["rows"]

        assert entry.key in run("ls").output
        assert "2 items" in run("ls").output
        assert ("model.f", 0.5) == (row["function"], row["seconds"])
        assert "1 more" in run("ls", "--limit", "1").output

    def test_ls_of_nothing(self, run: Run, cache: Cache) -> None:
        """Nothing found is exit code 1, as of every command; with --json the list is there, and empty."""
        keep(cache, 1, "one")

        assert "no such results" in run("ls", "zzz", code=1).output
        assert (0, []) == tuple(json.loads(run("ls", "zzz", "--json", code=1).output)[name] for name in ("total", "rows"))
        assert 1 == json.loads(run("ls", "--limit", "1", "--json").output)["total"]

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("modle.walk",), "no function is called so and no key begins so: did you mean model.walk?"),
            (("wakl",), "did you mean model.walk?"),
            (("--function", "model.wal"), "did you mean model.walk?"),
            (("modell",), "did you mean model?"),
            (("zzz",), "no function is called so and no key begins so: `simcache stats` lists the functions"),
            (("zzz", "--function", "model.walk"), "no function is called so and no key begins so"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_ls_of_a_slip_tells_what_is_near(self, run: Run, cache: Cache, arguments: tuple[str, ...], said: str) -> None:
        """A name that is not there is told with one that is like it, or with where the names are."""
        for function in ("model.walk", "other.grid"):
            keep(cache, function, 1, function=function)

        assert said in run("ls", *arguments, code=1).output

    @pytest.mark.parametrize("arguments", [(), ("model.walk",)], ids=["all", "one"])
    def test_ls_of_an_empty_store_says_that_it_is_empty(self, run: Run, cache: Cache, arguments: tuple[str, ...]) -> None:
        """Whatever is asked for, with what puts something there."""
        cache.forget("model.f", keep(cache, 1, 1).key)
        said = "nothing is stored here: results of `@cached` functions that use this store come here, and `simcache sync` brings others'"

        assert f"{cache.near.url}: {said}\n" == run("ls", *arguments, code=1).output

    def test_ls_of_damaged_entries_alone_is_not_told_as_empty(self, run: Run, cache: Cache, tmp_path: Path) -> None:
        """A store of which nothing can be read is not empty."""
        (tmp_path / "store" / keep(cache, 1, 1).name).write_bytes(b"{")

        assert "no entry here can be read: `simcache verify` says why" in run("ls", code=1).output

    def test_show(self, run: Run, cache: Cache) -> None:
        """The arguments, who made it, where the value is, and the value itself if it is plain."""
        entry = keep(cache, 1, {"a": 1.5}, arguments={"road": 3})
        text = run("show", entry.key[:8], "--value").output
        plain = json.loads(run("show", entry.key[:8], "--value", "--json").output)

        assert all(said in text for said in ("road = 3", "on here", "9 B, in the entry", '{"a": 1.5}', "code followed: model:f"))
        assert value_blob(keep(cache, 2, long("two"))) in run("show", key_of(2)).output
        assert (entry.digest, {"a": 1.5}) == (plain["entries"][0]["digest"], plain["value"])

    def test_show_of_a_series_is_all_of_it(self, run: Run, cache: Cache) -> None:
        """The value is the items of all segments in a row; of one that is named its own, and which these are."""
        segments = [keep_segment(cache, 1, start, list(range(start, min(start + 5, 12)))) for start in (0, 5, 10)]
        named = f"{segments[1].key[:8]}.{segments[1].digest[:6]}"
        whole, one = (json.loads(run("show", name, "--value", "--json").output) for name in (segments[0].key, named))

        assert (list(range(12)), [0, 12], 12) == (whole["value"], whole["items"], whole["stored"])
        assert ([5, 6, 7, 8, 9], [5, 10], 12) == (one["value"], one["items"], one["stored"])
        assert f"value, items 0 to 11 of 12:\n{list(range(12))}\n" in run("show", segments[0].key, "--value").output
        assert "value, items 5 to 9 of 12:\n[5, 6, 7, 8, 9]\n" in run("show", named, "--value").output

    @pytest.mark.parametrize(
        ("items", "said"),
        [
            ([[0.5], {"cells": b"x" * 5000}, 1], "(tree, 5.09 kB: not plain data; load it in Python)"),
            (["x" * 400_000] * 3, "(1.2 MB of JSON: see blobs/"),
        ],
        ids=["no plain data", "long"],
    )
    def test_show_of_a_series_that_is_not_printed(self, run: Run, cache: Cache, items: list[object], said: str) -> None:
        """Of items that are no plain data, or too much of it, the size of all is told."""
        for number, item in enumerate(items):
            keep_segment(cache, 1, number, [item])

        assert json.loads(run("show", key_of(1), "--value", "--json").output)["value"].startswith(said)

    def test_show_of_a_withdrawn_result(self, run: Run, cache: Cache) -> None:
        """Its arguments and value are told with what takes it back."""
        entry = keep(cache, 1, 7, arguments={"road": 3})
        run("withdraw", entry.key, "--reason", "bad road")
        text = run("show", entry.key, "--value").output

        assert all(said in text for said in ("road = 3", "value (withdrawn): ", "bad road", "value, withdrawn:\n7\n"))
        assert "value (withdrawn): " in run("show", f"{entry.key}.{entry.digest}").output
        assert json.loads(run("show", entry.key, "--value", "--json").output)["withdrawn"]

    def test_ambiguous(self, run: Run, cache: Cache) -> None:
        """A prefix of several keys lists them."""
        entries = [keep(cache, number, number) for number in range(40)]
        first = next(e for e in entries if sum(o.key[0] == e.key[0] for o in entries) > 1)

        assert "keys begin with" in run("show", first.key[0], code=1).output

    def test_one_of_several(self, run: Run, cache: Cache) -> None:
        """KEY.DIGEST names one entry."""
        keep(cache, 1, 1)
        other = keep(cache, 1, 2)
        plain = json.loads(run("show", f"{other.key[:8]}.{other.digest[:6]}", "--json").output)

        assert [other.digest] == [entry["digest"] for entry in plain["entries"]]

    @pytest.mark.parametrize("command", ["show {}", "why {}", "diff {} {}", "forget {}", "withdraw {} --reason wrong"])
    def test_damaged_entry_is_not_told_as_nothing(self, run: Run, cache: Cache, tmp_path: Path, command: str) -> None:
        """Of a key whose entry is damaged, which `ls` lists, every command says that, and what mends it."""
        entry = keep(cache, 1, "one", host="here")
        path = tmp_path / "store" / entry.name
        path.write_bytes(path.read_bytes().replace(b'"here"', b'"hera"'))
        before = files_under(tmp_path / "store")
        said = run(*command.replace("{}", entry.key[:8]).split(), code=1).stderr

        assert 1 == json.loads(run("ls", "--json").output)["total"]
        assert (
            f"{entry.name} is damaged: the content does not match the digest in the name: `simcache verify --repair` sets it aside" in said
        )
        assert 1 == len(said.splitlines())
        assert before == files_under(tmp_path / "store")

    @pytest.mark.parametrize("command", ["show {}", "why {}", "diff {} {}", "forget {}", "withdraw {} --reason wrong"])
    def test_damaged_entry_among_others_is_told(self, run: Run, cache: Cache, tmp_path: Path, command: str) -> None:
        """The sound results of a key are the answer, and stderr says that one is left out."""
        entry, damaged = keep(cache, 1, "one"), keep(cache, 1, "two", host="there")
        (tmp_path / "store" / damaged.name).write_bytes(b"{")
        said = run(*command.replace("{}", entry.key[:8]).split()).stderr

        told = (
            f"simcache: left out: {damaged.name} is damaged: the content does not match the digest in the name: `simcache verify --repair`"
        )
        assert {True} == {line.startswith(told) for line in said.splitlines()}

    def test_stats(self, run: Run, cache: Cache) -> None:
        """A line a function and one for all."""
        keep(cache, 1, 1)

        assert "total" in run("stats").output
        assert 1 == json.loads(run("stats", "--json").output)["entries"]

    def test_other_store(self, run: Run, tmp_path: Path) -> None:
        """--store takes a path, or the name of a remote."""
        keep(Cache(tmp_path / "lab"), 1, 1)
        run("remote", "add", "lab", "lab")

        assert 1 == json.loads(run("ls", "--store", "lab", "--json").output)["total"]
        assert 1 == json.loads(run("ls", "--store", str(tmp_path / "lab"), "--json").output)["total"]

    def test_unknown_kind_of_store(self, run: Run) -> None:
        """A URL that nothing opens is told."""
        assert "simcache: " in run("ls", "--store", "nosuch://x", code=2).output


class TestReasons:
    """why and diff."""

    def test_why(self, run: Run, cache: Cache) -> None:
        """The argument that differs."""
        keep(cache, 1, 1, arguments={"n": 1}, at="2026-01-01T00:00:00.000000Z")
        new = keep(cache, 2, 2, arguments={"n": 2})

        assert "n: 2, was 1" in run("why", new.key[:8]).output
        assert "first result" in run("why", keep(cache, 3, 3, function="g.g").key).output

    def test_diff(self, run: Run, cache: Cache) -> None:
        """Two results of one key, and two keys."""
        one, two = keep(cache, 1, 1.0), keep(cache, 1, 2.0)
        text = run("diff", f"{one.key}.{one.digest}", f"{two.key}.{two.digest}").output

        assert all(said in text for said in ("value: 2.0, was 1.0", "different bytes", "not reproducible"))
        assert json.loads(run("diff", one.key, one.key, "--json").output)["same_bytes"]

    def test_diff_of_series_looks_at_all_items(self, run: Run, cache: Cache) -> None:
        """Segments beyond the first one count, and how they are cut does not; both lengths and the first difference are told."""
        for start in (0, 2, 4):
            keep_segment(cache, "old", start, [start, start + 1])
        new = [keep_segment(cache, "new", 0, [0, 1, 2]), keep_segment(cache, "new", 3, [3, 9, 5, 6])]
        text = run("diff", key_of("old"), key_of("new")).output
        plain = json.loads(run("diff", key_of("old"), key_of("new"), "--json").output)

        assert all(said in text for said in ("model.f, 6 items, made", "model.f, 7 items, made", "  item 4: 9, was 4\n"))
        assert "the items have different bytes: item 4 is the first that differs\n" in text
        assert (False, 4, [0, 6], [0, 7]) == (plain["same_bytes"], plain["first_difference"], plain["old"]["items"], plain["new"]["items"])
        assert "model.f, items 0 to 2, made" in (one := run("diff", key_of("old"), f"{new[0].key}.{new[0].digest}").output)
        assert one.endswith("the items have the same bytes\n")

    def test_diff_of_a_series_that_goes_on(self, run: Run, cache: Cache) -> None:
        """Of two series that differ in length alone the shorter is a beginning of the longer."""
        for name, last in (("old", 3), ("new", 5)):
            keep_segment(cache, name, 0, [1, 2])
            keep_segment(cache, name, 2, list(range(3, last + 1)))
        there, back = run("diff", key_of("old"), key_of("new")).output, run("diff", key_of("new"), key_of("old")).output

        assert there.endswith("the old one is a beginning of the other: all items that it has have the same bytes\n")
        assert back.endswith("the new one is a beginning of the other: all items that it has have the same bytes\n")
        assert "model.f, 3 items, made" in there


class TestCare:
    """verify, prune, forget, withdraw."""

    def test_verify_json(self, run: Run, cache: Cache, tmp_path: Path) -> None:
        """What is wrong, for programs; the exit code tells it too."""
        entry = keep(cache, 1, long("one"))
        (tmp_path / "store" / value_blob(entry)).write_bytes(b"bad")
        plain = json.loads(run("verify", "--json", code=1).output)

        assert (False, ["corrupt"]) == (plain["sound"], [problem["kind"] for problem in plain["problems"]])

    def test_rerun_that_compares_nothing(self, run: Run, cache: Cache) -> None:
        """Is exit code 1; results that are left out for one reason are one line, which has no stray space."""
        for number in range(3):
            keep(cache, number, number, function="dc.ann")
        lines = run("verify", "--rerun", "20", code=1).output.splitlines()

        assert [
            "sound",
            "not compared: dc.ann (3 results): no module dc can be imported from here (a script cannot be, nor a notebook)",
            "computed 0 of 3 again: nothing compared; 3 left out, for the reasons above",
        ] == lines[1:]

    def test_rerun_of_some(self, filled: Path) -> None:
        """It is said how many there are, not how many were asked for."""
        assert "computed 2 of 5 again: all the same" in simcache(filled, "verify", "--rerun", "2").stdout
        assert "computed 5 of 5 again: all the same" in simcache(filled, "verify", "--rerun", "20").stdout

    def test_repair_from(self, run: Run, cache: Cache, tmp_path: Path) -> None:
        """A repair from another store mends, and the next verify is well."""
        entry = keep(cache, 1, long("one"))
        keep(Cache(tmp_path / "other"), 1, long("one"))
        (tmp_path / "store" / value_blob(entry)).write_bytes(b"bad")

        assert "fetched from" in run("verify", "--repair", "--from", "other").output
        assert "sound" in run("verify", "store").output

    def test_one_is_not_several(self, run: Run, cache: Cache) -> None:
        """One blob belongs to no result, and is young; one entry has its own bytes; one item is no range."""
        entry = keep_segment(cache, 1, 0, ["alone"])

        assert "\nitem 0: " in run("show", entry.key).output
        assert "deleted 1 entry of" in (said := run("forget", entry.key).output)
        assert "frees its bytes once they are an hour old" in said
        assert "1 blob belongs to no result: `simcache prune` frees it once it is an hour old" in run("verify").output
        assert "1 blob without a result is less than" in (said := run("prune").output)
        assert "the first prune after that frees it" in said

    def test_divergence(self, run: Run, cache: Cache) -> None:
        """Who made which."""
        keep(cache, 1, 1.0, host="one")
        keep(cache, 1, 2.0, host="two")
        text = run("verify", code=1).output

        assert all(said in text for said in ("divergence", "on one", "on two", "withdraw"))

    def test_wrong_use(self, run: Run, cache: Cache) -> None:
        """Options that need another one say so."""
        keep(cache, 1, 1)

        assert "--repair" in run("verify", "--from", "x", code=2).output
        assert "once" in run("verify", "store", "--store", "store", code=2).output
        assert "is no size" in run("prune", "--max-size", "5 apples", code=2).output
        assert "is no time" in run("prune", "--older-than", "soon", code=2).output

    def test_prune(self, run: Run, cache: Cache, tmp_path: Path) -> None:
        """A dry run changes nothing, a real one does."""
        keep(cache, 1, "x" * 5000)
        before = files_under(tmp_path / "store")
        told = run("prune", "--max-size", "1kB", "--dry-run").output
        unchanged = before == files_under(tmp_path / "store")

        assert (True, True) == (unchanged, "would free" in told)
        assert 1 == json.loads(run("prune", "--max-size", "1kB", "--json").output)["entries"]

    def test_after_a_cut_prune_it_was_said_that_prune_frees_the_rest(self, run: Run, cache: Cache) -> None:
        """Of blobs without entries, younger than an hour, `verify`, `stats` and `prune` say when that is."""
        for number in range(3):
            cache.near.delete(keep(cache, number, long(number)).name)

        assert "4 blobs belong to no result: `simcache prune` frees them once they are an hour old" in run("verify").output
        assert "belong to no result: `simcache prune` frees them once they are an hour old" in run("stats").output
        assert "4 blobs without a result are less than an hour old" in run("prune").output

    def test_a_size_that_was_not_reached_was_passed_over(self, run: Run, cache: Cache) -> None:
        """`prune --max-size` says that more is left, why, and what helps; and nothing where it was reached."""
        cache.near.delete(keep(cache, 1, long(1)).name)
        keep(cache, 2, long(2), function="model.kept")
        told = run("prune", "--max-size", "1kB", "--keep", "model.kept").output

        assert "are more than the 1 kB of --max-size" in told
        assert "too young (run it again in an hour), what --keep names (model.kept)" in told
        assert "--max-size" not in run("prune", "--max-size", "1GB").output

    def test_forget(self, run: Run, cache: Cache) -> None:
        """The entries of one key go."""
        entry, other = keep(cache, 1, 1), keep(cache, 2, 2)
        run("forget", entry.key[:8])

        assert [other.key] == [held.key for held in cache.all_entries()]

    def test_forget_lifted_a_withdrawal(self, run: Run, cache: Cache, tmp_path: Path) -> None:
        """Withdrawn, forgotten, and back with the next sync: the withdrawal stays, and both answers say so."""
        wrong = keep(cache, 1, 1)
        partner = Cache(tmp_path / "partner")
        sync(cache.near, partner.near)
        run("withdraw", wrong.key, "--reason", "bad road")
        told = run("forget", wrong.key[:8]).output
        sync(cache.near, partner.near)

        assert "deleted 1 entry of" in told
        assert "stays withdrawn" in told
        assert [] == cache.entries(wrong.function, wrong.key)
        assert {"value", "withdrawn"} == {entry.kind for entry in cache.find(wrong.key)}
        assert "deleted 1 entry" in run("forget", wrong.key).output
        assert "only its withdrawal, which stays" in run("forget", wrong.key, code=1).output

    def test_a_withdrawal_is_lifted_by_its_own_name(self, run: Run, cache: Cache) -> None:
        """Whoever has withdrawn by mistake names the tombstone itself: its results serve again."""
        right = keep(cache, 1, 1)
        run("withdraw", right.key, "--reason", "a mistake")
        (tombstone,) = (entry for entry in cache.find(right.key) if entry.kind == "withdrawn")

        assert f"withdrawn: {right.key}.{tombstone.digest}" in run("show", right.key).output
        assert "lifted a withdrawal" in run("forget", f"{right.key}.{tombstone.digest}").output
        assert 1 == Cache(cache.near.url).lookup(right.function, right.key).value

    def test_withdraw(self, run: Run, cache: Cache) -> None:
        """One of several is taken back, the other serves."""
        wrong, right = keep(cache, 1, 1), keep(cache, 1, 2)
        run("withdraw", f"{wrong.key}.{wrong.digest}", "--reason", "bad road")

        assert 2 == Cache(cache.near.url).lookup(right.function, right.key).value
        assert "bad road" in run("show", wrong.key).output
        assert "--reason" in run("withdraw", wrong.key, code=2).output
        assert "empty" in run("withdraw", wrong.key, "--reason", " ", code=2).output

    @pytest.mark.parametrize("command", [("forget",), ("withdraw", "--reason", "wrong")], ids=lambda command: command[0])
    def test_a_digit_is_too_little_to_change_anything(self, run: Run, cache: Cache, command: tuple[str, ...]) -> None:
        """As of git, four digits are needed, though one may be unique; looking needs no more than one."""
        entry = keep(cache, 1, 1)
        short = [entry.key[:1], entry.key[:3], f"{entry.key}.{entry.digest[:3]}"]

        for name in short:
            assert f"{name} is too short: give at least 4 digits" in run(*command, name, code=2).output
            run("show", name)
        assert [entry] == list(cache.all_entries())
        assert "1 entry" in run(*command, f"{entry.key[:4]}.{entry.digest[:4]}").output

    def test_withdrawn_twice(self, run: Run, cache: Cache, tmp_path: Path) -> None:
        """The second time nothing is written, and the answer is no; a result that was made since can be withdrawn."""
        entry = keep(cache, 1, 1)
        run("withdraw", entry.key, "--reason", "bad road")
        before = files_under(tmp_path / "store")

        for name in (entry.key, f"{entry.key}.{entry.digest}"):
            assert (
                f"{name} is withdrawn already: `simcache show {entry.key}` tells why"
                in run("withdraw", name, "--reason", "x", code=1).output
            )
        assert before == files_under(tmp_path / "store")
        new = keep(cache, 1, 2)
        assert [new.digest] == json.loads(run("withdraw", entry.key, "--reason", "bad too", "--json").output)["withdrawn"]

    def test_progress(self, run: Run, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        """A heartbeat tells how far it is, on stderr."""
        from simcache.cli import progress

        monkeypatch.setattr(progress, "_HEARTBEAT", 0.0)
        for number in range(300):
            keep(cache, number, long(number))

        assert " of " in run("verify", "--progress").stderr
        assert "" == run("verify").stderr


WAIT = """
import signal, sys, time
from simcache import cached

@cached
def wait():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a child of a job in the background passes it over
    print("at work", file=sys.stderr, flush=True)
    time.sleep(60)
"""


class TestCall:
    """Functions from the shell."""

    def test_hit_and_miss(self, tmp_path: Path) -> None:
        """With --json the answer says whether it was computed."""
        project(tmp_path)
        (tmp_path / "args.json").write_text('{"road": {"length": 10, "lanes": 2}}')
        answers = [json.loads(simcache(tmp_path, "call", "model:travel", "args.json", "--json").stdout) for _ in range(2)]

        assert [(False, 15.0), (True, 15.0)] == [(answer["hit"], answer["value"]) for answer in answers]
        assert answers[0]["key"] == answers[1]["key"]

    def test_series_and_arrays(self, filled: Path) -> None:
        """A series needs a number of items; arrays are summed up."""
        items = simcache(filled, "call", "model:walk", "-", "--items", "6", "--json", stdin='{"step": 2}')
        array = simcache(filled, "call", "model:grid", "-", stdin='{"n": 4}')

        assert (True, [2, 4, 6, 8, 10, 12]) == (json.loads(items.stdout)["hit"], json.loads(items.stdout)["value"])
        assert {"array": "float64", "shape": [4], "min": 0.0, "mean": 1.5, "max": 3.0, "values": [0.0, 1.0, 2.0, 3.0]} == json.loads(
            array.stdout
        )["cells"]

    @pytest.mark.parametrize(
        ("result", "shown"),
        [
            (r"'\ud800x'", "\ud800x"),
            ("10**6000", hex(10**6000)),
            ("[-(10**6000), 10**600]", [hex(-(10**6000)), 10**600]),
            ("{10**6000: 1}", {hex(10**6000): 1}),
            ("Odd()", "(Odd, which cannot be shown: RuntimeError: no words for it)"),
        ],
        ids=["half a character", "long", "long in a list", "long name", "no repr"],
    )
    def test_results_that_are_no_plain_text(self, tmp_path: Path, result: str, shown: object) -> None:
        """Are shown by what can be shown, for the call went well; with --json it is JSON."""
        model = "from simcache import cached\nclass Odd:\n def __repr__(self): raise RuntimeError('no words for it')\n"
        (project(tmp_path) / "odd.py").write_text(f"{model}@cached\ndef f() -> object:\n    return {result}\n")
        as_json, plain = simcache(tmp_path, "call", "odd:f", "--json"), simcache(tmp_path, "call", "odd:f")

        assert (0, 0) == (as_json.returncode, plain.returncode), as_json.stderr + plain.stderr
        assert [shown, shown] == [json.loads(as_json.stdout)["value"], json.loads(plain.stdout)]

    def test_tensors(self, tmp_path: Path) -> None:
        """Also those that numpy does not take as they are."""
        torch = pytest.importorskip("torch")
        ones = {"shape": [2], "min": 1.0, "mean": 1.0, "max": 1.0, "values": [1.0, 1.0]}

        assert {"array": "float32", **ones} == plain(torch.ones(2, requires_grad=True))
        assert {"array": "torch.bfloat16", **ones} == plain(torch.ones(2, dtype=torch.bfloat16, requires_grad=True))
        assert {"array": "torch.float32", "shape": [2]} == plain(torch.ones(2).to_sparse())
        assert 1.5 == plain(torch.tensor(1.5, requires_grad=True))

    @pytest.mark.skipif(os.name == "nt", reason="the C library is called by its POSIX name")
    def test_what_the_function_prints_is_not_the_answer(self, tmp_path: Path) -> None:
        """By Python, by C or by a child, while it is imported and computed: it goes to stderr, and stdout has the answer alone."""
        (project(tmp_path) / "loud.py").write_text(LOUD)
        done = [simcache(tmp_path, "call", "loud:f", *more) for more in (("--json",), ())]
        again = simcache(tmp_path, "verify", "--rerun", "1", "--json")

        assert [0, 0, 0] == [one.returncode for one in (*done, again)], again.stderr
        assert (5, "5\n") == (json.loads(done[0].stdout)["value"], done[1].stdout)
        assert ["same"] == [one["outcome"] for one in json.loads(again.stdout)["rerun"]["reruns"]]
        said = ["from C", "from a child", "importing", "in f"]
        assert [said, ["importing"], said] == [sorted(one.stderr.splitlines()) for one in (*done, again)]

    def test_what_a_function_prints_before_it_raises(self, tmp_path: Path) -> None:
        """Is not in the document that tells the error either."""
        (project(tmp_path) / "loud.py").write_text(LOUD.replace("return 5", "raise ValueError('no')"))
        done = simcache(tmp_path, "call", "loud:f", "--json")

        assert (1, True) == (done.returncode, "raised ValueError: no" in json.loads(done.stdout)["error"]), done

    def test_store(self, tmp_path: Path) -> None:
        """--store says where results are kept."""
        done = simcache(project(tmp_path), "call", "model:travel", "-", "--store", "other", stdin='{"road": {"length": 1}}')

        assert (0, True, False) == (done.returncode, (tmp_path / "other").exists(), (tmp_path / "store").exists()), done.stderr

    @pytest.mark.parametrize("json_", [(), ("--json",)], ids=["", "json"])
    def test_stopped(self, tmp_path: Path, json_: tuple[str, ...]) -> None:
        """Ctrl-C ends it in one line, with the exit code that shells know; whoever asked for JSON gets JSON."""
        folder = project(tmp_path)
        (folder / "late.py").write_text(WAIT)
        command = [sys.executable, "-m", "simcache", "call", "late:wait", *json_]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(folder))
        assert process.stderr is not None
        assert process.stderr.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

        assert (130, "simcache: stopped\n") == (process.returncode, err)
        assert out == ('{"error": "stopped"}\n' if json_ else "")

    @pytest.mark.parametrize(
        ("stdin", "said"),
        [
            ("{", "is no JSON"),
            ('{"n": 1, "n": 2}', "gives 'n' twice: keep one of them"),
            ('{"road": {"lanes": 1, "lanes": 2}}', "gives 'lanes' twice"),
            ("[" * 100_000, "is no JSON"),
            ("[1]", "must hold a JSON object"),
            ("{}", "road: is needed"),
            ('{"road": 5}', "road: 5 is not an object with the fields of Road"),
            ('{"road": {"length": "x"}}', "road.length: 'x' is not a number"),
            ('{"road": {"width": 1}}', "road.width: Road has no such field; it has length, lanes"),
            ('{"road": {}}', "missing 1 required positional argument"),
        ],
    )
    def test_bad_arguments(self, filled: Path, monkeypatch: pytest.MonkeyPatch, stdin: str, said: str) -> None:
        """What does not fit is named by its path."""
        done = simcache(filled, "call", "model:travel", "-", stdin=stdin)

        assert (2, True) == (done.returncode, said in done.stderr), done.stderr

    def test_no_file(self, run: Run) -> None:
        """A file that is not there is told."""
        assert "nothing.json" in run("call", "model:f", "nothing.json", code=2).output


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, float, 1.0),
        ([1, 2], tuple[float, ...], (1.0, 2.0)),
        ([1, "a"], tuple[int, str], (1, "a")),
        (["a"], set[str], {"a"}),
        ({"1": 2}, dict[int, float], {1: 2.0}),
        (None, float | None, None),
        (1, int | float, 1),
        (1, float | str, 1.0),
        ("RED", makers.Colour, makers.Colour.RED),
        ("green", makers.Colour, makers.Colour.GREEN),
        ([1.0, None], makers.Point, makers.Point(1.0)),
        ("a/b", Path, Path("a/b")),
        ({"a": 1}, object, {"a": 1}),
    ],
)
def test_converted(value: object, hint: object, expected: object) -> None:
    """A JSON value becomes the annotated type."""
    found = converted(value, hint, "x")

    assert (type(expected), expected) == (type(found), found)


@dataclass
class Nested:
    """A record that holds others of its kind."""

    inner: list["Nested"] = field(default_factory=list)


def deep(levels: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(levels):
        value = {"inner": [value]}
    return value


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (True, int),
        (1.5, int),
        ("1", float),
        (1, str),
        ([1], dict[str, int]),
        ([1, 2], tuple[int]),
        ("BLACK", makers.Colour),
        ("x", bytes),
        ({}, list[int]),
        (10**400, float),
        (1e300, timedelta),
        (float("nan"), timedelta),
        ([[1]], set[list[int]]),
        (deep(300), Nested),
    ],
    ids=lambda value: str(value)[:40],
)
def test_not_converted(value: object, hint: object) -> None:
    """A JSON value that is something else, or no value of that type can be, is refused with its path; numbers too large, sets of lists and deep values ended in a traceback."""
    with pytest.raises(Unfit, match="^x"):
        converted(value, hint, "x")


def test_sizes_and_times(run: Run, cache: Cache) -> None:
    """Units as people write them."""
    from simcache.cli.words import Size, Span

    assert [5_000_000_000, 2 * 1024**3, 0] == [Size().convert(text, None, None) for text in ("5GB", "2 GiB", "0")]
    assert [30 * 86400.0, 5400.0, 30_600.0] == [Span().convert(text, None, None) for text in ("30d", "1.5h", "8h30m")]


def test_init_and_remotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new project in two commands; a second init says what is there."""
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(main, ["init"])
    again = CliRunner().invoke(main, ["init", "--json"])
    added = CliRunner().invoke(main, ["remote", "add", "lab", "/mnt/lab"])
    listed = CliRunner().invoke(main, ["remote", "ls"])
    removed = CliRunner().invoke(main, ["remote", "rm", "lab"])

    assert [0] * 5 == [result.exit_code for result in (made, again, added, listed, removed)]
    assert 2 == len(json.loads(again.output)["found"])
    assert "/mnt/lab" in listed.output


@pytest.mark.deep
def test_start_time(tmp_path: Path) -> None:
    """Help is there before one notices."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        simcache(tmp_path, "--help")
        times.append(time.perf_counter() - began)

    assert min(times) < 0.5
    assert key_of(1)

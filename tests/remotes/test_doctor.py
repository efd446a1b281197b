"""Each way in which sharing silently fails is found and told with the command that mends it; and the command does."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simcache.cache import Cache
from simcache.settings import load
from simcache.stores.local import LocalStore
from simcache.upkeep.doctor import DoctorReport, Finding, doctor
from simcache.upkeep.sync import sync
from tests.remotes.parties import Party, a_bare_repository, a_clone, first_clone, has_lfs
from tests.simcache.stored import keep, long, unprivileged

LFS = pytest.mark.skipif(not has_lfs(), reason="git-lfs is not installed: `apt-get install git-lfs`")


@pytest.fixture
def party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Party:
    """A project that is shared through Git, with one result that is there too."""
    made = first_clone(tmp_path, "one", a_bare_repository(tmp_path))
    for name in ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, made.variables[name])
    keep(Cache(made.store), 1, [1])
    made.simcache("sync", "git")
    return made


def look(party: Party, **more: float) -> DoctorReport:
    return doctor(load(party.work, {}), **more)  # type: ignore[arg-type]


def problems(report: DoctorReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == "problem"]


def mended(party: Party, finding: Finding) -> DoctorReport:
    """What the doctor says after its own command was run."""
    subprocess.run(
        ["sh", "-c", finding.mend.replace("simcache ", f"{sys.executable} -m simcache ", 1)],
        cwd=party.work,
        env=party.variables,
        check=True,
    )
    return look(party)


def test_offline_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--offline` no connection is even tried, so a remote that would not answer is no problem."""
    urls = ["s3://bucket/x", "sftp://127.0.0.1:9/x", "gs://bucket/x", "az://bucket/x", "kaggle://me/results"]
    named = "".join(f'r{number} = "{url}"\n' for number, url in enumerate(urls))
    (tmp_path / "simcache.toml").write_text(f'store = "store"\n[remotes]\n{named}')
    keep(Cache(tmp_path / "store"), 1, [1])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("somebody is asked"))
    report = doctor(load(tmp_path, {}), network=False)

    assert [f"{url} was not asked" for url in urls] == [one.says for one in report.findings if one.about.startswith("remote")]
    assert report.well


def test_all_is_well(party: Party) -> None:
    """A project that is shared has no problem, and says so with exit code 0."""
    done = party.simcache("doctor", "--json")
    told = json.loads(done.stdout)

    assert told["well"], done.stdout
    assert {"store", "git", "remote git"} == {finding["about"] for finding in told["findings"]}


def ignored(party: Party) -> None:
    (party.work / ".gitignore").write_text("ticks\n/store/\n")


def without_attributes(party: Party) -> None:
    (party.work / ".gitattributes").write_text("*.png binary\n")


def a_new_result(party: Party) -> None:
    keep(Cache(party.store), 2, [2])


def without_hooks(party: Party) -> None:
    (party.work / ".git" / "hooks" / "pre-push").unlink()


def a_result_elsewhere(party: Party) -> None:
    other = a_clone(party.home.parents[1], "two", party.git("remote", "get-url", "origin").strip())
    keep(Cache(other.store), 3, [3])
    other.simcache("sync", "git")


def pointers(party: Party) -> None:
    """The content gives way to what Git keeps of it."""
    party.git("rm", "--cached", "-r", "--quiet", "store/blobs")
    party.git("reset", "--quiet")
    for path in party.git("ls-files", "store/blobs").split():
        (party.work / path).write_text(party.git("cat-file", "blob", f"HEAD:{path}"))
    party.git("add", "store/blobs")


@pytest.mark.parametrize(
    ("spoil", "about", "says"),
    [
        (ignored, "git", "ignored by .gitignore:2:/store/"),
        (without_attributes, "git", "no attributes keep Git"),
        (a_new_result, "remote git", "it lacks 1 of the entries here"),
        (a_new_result, "git", "1 entry is not known to Git"),
        (a_result_elsewhere, "remote git", "it has 1 entry that is not here"),
        pytest.param(without_hooks, "git-lfs", "not set up in this clone", marks=LFS),
        pytest.param(pointers, "store", "only the Git LFS pointer is here", marks=LFS),
    ],
)
def test_found_and_mended(party: Party, spoil: Callable[[Party], None], about: str, says: str) -> None:
    """What was spoilt is told, and nothing else of its kind; the command that is told mends it."""
    spoil(party)
    found = [finding for finding in problems(look(party)) if finding.about == about]

    assert 1 == len(found), found
    assert says in found[0].says
    assert found[0].mend
    after = mended(party, found[0])
    assert not [finding for finding in problems(after) if finding.says == found[0].says], after


def test_a_store_below_an_ignored_one_is_mended_from_there(party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule goes into the .gitignore that it is written for, wherever the command is run."""
    ignored(party)
    (party.work / "deeper").mkdir()
    monkeypatch.chdir(party.work / "deeper")
    found = next(finding for finding in problems(look(party)) if "ignored" in finding.says)
    subprocess.run(["sh", "-c", found.mend], check=True)

    assert ["!/store/"] == (party.work / ".gitignore").read_text().splitlines()[2:]
    assert look(party).well


@pytest.mark.skipif(os.name == "nt", reason="the hook is a shell script")
def test_what_could_not_be_published(party: Party) -> None:
    """A protected branch takes nothing: what waits here is not at the remote, and the doctor does not say that it is."""
    hook = Path(party.git("remote", "get-url", "origin").strip(), "hooks", "pre-receive")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    a_new_result(party)
    stopped = party.simcache("sync", "--to", "git", check=False)
    assert 1 == stopped.returncode
    assert "protected" in stopped.stdout

    found = [finding for finding in problems(look(party)) if finding.about == "remote git"]
    assert ["it is stale: it lacks 1 of the entries here"] == [finding.says for finding in found]
    hook.unlink()
    assert mended(party, found[0]).well


@LFS
def test_git_lfs_is_missing(party: Party, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone whose blobs go by LFS, on a machine without it."""
    (tmp_path / "bin").mkdir()
    for name in ("git", "sh"):
        found = next(Path(folder, name) for folder in os.environ["PATH"].split(":") if Path(folder, name).exists())
        (tmp_path / "bin" / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert ["git-lfs"] == [finding.about for finding in problems(look(party)) if "not installed" in finding.says]


def test_a_clock_that_is_wrong(party: Party) -> None:
    """Results from the future: one of the two clocks is wrong, and the machine is named."""
    keep(Cache(party.store), 9, [9], host="fast", at="2126-01-01T00:00:00.000000Z")
    found = [finding for finding in problems(look(party)) if finding.about == "clock"]

    assert ["fast"] == [finding.says.split()[0] for finding in found]
    assert not [one for one in problems(look(party, now=time.time() + 200 * 366 * 86400)) if one.about == "clock"]


@pytest.mark.parametrize("at", ["some day", "9999-12-31"])
def test_a_time_that_is_none(party: Party, at: str) -> None:
    """An entry from elsewhere may say any text for its time; it ended `doctor` with a traceback."""
    keep(Cache(party.store), 9, [9], at=at)

    assert not [one for one in problems(look(party)) if one.about == "clock"]


def test_formats_that_do_not_match(party: Party, tmp_path: Path) -> None:
    """A remote that a newer simcache wrote."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "simcache.json").write_text('{"format": 99}\n')
    party.simcache("remote", "add", "lab", str(tmp_path / "lab"))
    found = [finding for finding in problems(look(party)) if finding.about == "remote lab"]

    assert [("install a newer simcache", True)] == [(one.mend, "format 99" in one.says) for one in found]


def test_remotes_that_cannot_be_asked(party: Party) -> None:
    """Gone, mistyped, without a password: told one by one, and the others are still looked at."""
    party.git("remote", "set-url", "origin", "/nowhere/far.git")
    party.simcache("remote", "add", "gone", "/nowhere/store")
    with (party.work / "simcache.toml").open("a") as file:
        file.write('odd = "ftp://x/y"\n')
    report = look(party)

    assert {"remote git", "remote gone", "remote odd"} == {finding.about for finding in problems(report)}
    assert all("\n" not in finding.says for finding in report.findings)
    done = party.simcache("doctor", check=False)
    assert 1 == done.returncode
    assert "" == done.stderr


def test_without_git(tmp_path: Path) -> None:
    """A store in no work tree is not asked about Git; a folder without settings is told what it lacks."""
    (tmp_path / "simcache.toml").write_text('store = "store"\n[remotes]\nlab = "lab"\n')
    keep(Cache(tmp_path / "store"), 1, [1])
    sync(LocalStore(tmp_path / "store"), LocalStore(tmp_path / "lab"))

    assert ["fine", "fine"] == [finding.kind for finding in doctor(load(tmp_path, {})).findings]


def test_a_far_store_that_is_the_name_of_no_remote(tmp_path: Path) -> None:
    """It is told which names there are."""
    (tmp_path / "simcache.toml").write_text('store = "store"\nfar = ["lap"]\n[remotes]\nlab = "lab"\n')
    for name in ("store", "lab"):
        keep(Cache(tmp_path / name), 1, [1])
    [found] = problems(doctor(load(tmp_path, {})))

    assert found.says.startswith(f"no remote is called lap (there are: lab), and {tmp_path / 'lap'} is not there")


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
class TestPermissions:
    """A store that this user may not write or read, as `simcache doctor` tells it."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Path:
        (tmp_path / "simcache.toml").write_text('store = "store"\n[remotes]\nlab = "lab"\n')
        keep(Cache(tmp_path / "store"), 1, long(1))
        sync(LocalStore(tmp_path / "store"), LocalStore(tmp_path / "lab"))
        return tmp_path / "store"

    def told(self, store: Path) -> list[dict[str, str]]:
        """The problems that are found of the store, and what else there is is well."""
        done = unprivileged(store.parent, "doctor", "--json")
        findings = json.loads(done.stdout)["findings"]
        wrong = [finding for finding in findings if finding["kind"] == "problem"]
        assert (bool(wrong), "") == (bool(done.returncode), done.stderr), done
        assert {"store"} >= {finding["about"] for finding in wrong}
        return wrong

    @pytest.mark.parametrize("closed", ["", ".local/tmp", "blobs", "entries/model.f", "blobs/*", "entries/model.f/*", ".local"])
    def test_a_store_that_takes_no_writes_is_told_with_what_mends_it(self, store: Path, closed: str) -> None:
        """Whatever a writer needs and may not write: the folder itself, or one deep in it; the command lets results be stored again."""
        for path in store.glob(closed) if closed else [store]:
            subprocess.run(["chmod", "-R", "a-w", path], check=True)
        [finding] = self.told(store)

        assert f"chmod -R u+rwX {store}" == finding["mend"]
        assert "what is computed is not kept (Permission denied" in finding["says"]
        subprocess.run(["sh", "-c", finding["mend"]], check=True)
        assert [] == self.told(store)

    def test_the_folder_alone_is_not_enough(self, store: Path) -> None:
        """After `chmod u+w STORE` the folders in it are closed still, and the doctor does not call that fine."""
        subprocess.run(["chmod", "-R", "a-w", store], check=True)
        store.chmod(0o755)

        assert 1 == len(self.told(store))
        subprocess.run(["chmod", "-R", "u+w", store], check=True)

    @pytest.mark.parametrize("closed", ["entries", "blobs"])
    def test_a_folder_that_cannot_be_read_is_a_finding(self, store: Path, closed: str) -> None:
        """Not the end of the looking: it is a problem of the store, and nothing is said of what the remote has more."""
        (store / closed).chmod(0)
        told = self.told(store)
        subprocess.run(["sh", "-c", told[-1]["mend"]], check=True)

        assert f"{store / closed} is not available: the folder cannot be listed" in told[-1]["says"]
        assert [] == self.told(store)

    def test_nothing_is_left_of_the_trial(self, store: Path) -> None:
        """The bytes that were kept to see whether they can be are gone again."""
        held = {path for path in store.rglob("*") if path.is_file()}
        self.told(store)

        assert held == {path for path in store.rglob("*") if path.is_file()}


@pytest.mark.parametrize("named", [False, True], ids=["settings", "--store"])
def test_no_command_is_told_that_would_not_mend_it(tmp_path: Path, named: bool) -> None:
    """`simcache init` leaves settings as they are, so where their store is a file or somebody else's folder it mends nothing."""
    (tmp_path / "simcache.toml").write_text('store = "taken"\n')
    (tmp_path / "taken").touch()
    report = doctor(load(tmp_path, {}), str(tmp_path / "taken") if named else None)

    [finding] = problems(report)
    assert ("store", "") == (finding.about, finding.mend)
    assert finding.says.endswith("taken is not a simcache store: it is a file, not a folder")

"""Results shared through Git and Git LFS: the real programs, a bare repository on disk, and a server on loopback."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from simcache.cache import Cache
from simcache.errors import BadSettings, FormatTooNew, NotAStore, StoreReadOnly, Unavailable
from simcache.model import Entry, blob_name, check_name
from simcache.stores.lfs import LFS_LINES, PLAIN_LINES, GitStore
from simcache.stores.local import LocalStore
from simcache.upkeep.setup import init
from simcache.upkeep.sync import Patience, SyncReport, sync
from simcache.upkeep.verify import verify
from tests.remotes.lfs_server import LfsServer
from tests.remotes.parties import Party, a_bare_repository, a_clone, a_party, a_project, first_clone, has_lfs
from tests.simcache.stored import keep, value_blob

LFS = pytest.mark.skipif(not has_lfs(), reason="git-lfs is not installed: `apt-get install git-lfs`")
ROOT = Path(__file__).parents[2]
SOON = Patience(tries=2, first=0.01)


@pytest.fixture(autouse=True)
def _quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git in this process knows no settings of the person who runs the tests."""
    (tmp_path / "nobody").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(params=[pytest.param("lfs", marks=LFS), "plain"])
def far(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare repository; with git-lfs, and without it."""
    if request.param == "plain":
        monkeypatch.setenv("PATH", str(without_lfs(tmp_path / "bin")))
    return a_bare_repository(tmp_path)


def without_lfs(folder: Path) -> Path:
    """A folder of the programs that are needed, and no git-lfs among them."""
    folder.mkdir()
    for name in ("git", "sh", "env", "cat", "sed", "uname"):
        if (found := shutil.which(name)) is not None:
            (folder / name).symlink_to(found)
    return folder


def git_store(party: Party) -> GitStore:
    return GitStore(f"git+lfs:{party.store}")


def exchange(party: Party, *way: str) -> SyncReport:
    """A sync of a party with its remote, in this process."""
    return sync(LocalStore(party.store), git_store(party), *way, patience=SOON)  # type: ignore[arg-type]


def filled(party: Party, *names: object) -> list[Entry]:
    cache = Cache(party.store)
    return [keep(cache, name, np.full(2000, float(hash(str(name)) % 1000)) + len(str(name))) for name in names]


@pytest.mark.filterwarnings("ignore:git-lfs is not installed")
class TestTheTwoSides:
    """What one computes, the other does not."""

    def test_laptop_computes_and_the_other_hits(self, far: Path, tmp_path: Path) -> None:
        """Separate processes, homes and clones: computed, sent, received, hit; another rate misses and its baseline still hits."""
        laptop = first_clone(tmp_path, "laptop", far)
        laptop.ask("learn(0.5)")
        laptop.simcache("sync", "--to", "git")
        other = a_clone(tmp_path, "other", far)
        other.simcache("sync", "--from", "git")

        assert laptop.ask("learn(0.5)") == other.ask("learn(0.5)")
        assert [] == other.ticks()
        other.ask("learn(0.25)")
        assert ["learn 0.25"] == other.ticks()

    def test_the_other_computes_and_laptop_hits(self, far: Path, tmp_path: Path) -> None:
        """And the other way round, into a clone that is already there."""
        laptop = first_clone(tmp_path, "laptop", far)
        other = a_clone(tmp_path, "other", far)
        other.ask("learn(0.5)")
        other.simcache("sync", "git")
        laptop.simcache("sync", "git")

        assert other.ask("learn(0.5)") == laptop.ask("learn(0.5)")
        assert [] == laptop.ticks()
        assert other.names() == laptop.names()

    def test_without_a_clone_of_the_code(self, far: Path, tmp_path: Path) -> None:
        """A far store is read as it is: a hit fetches what it needs, and keeps it near."""
        laptop = first_clone(tmp_path, "laptop", far)
        entry = filled(laptop, "x")[0]
        exchange(laptop, "to")
        other = a_clone(tmp_path, "other", far)
        store = git_store(other)
        store.refresh()
        cache = Cache(tmp_path / "near", far=[store])

        found = cache.lookup(entry.function, entry.key)
        assert np.array_equal(cache.load(entry), found.value)
        assert (tmp_path / "near" / value_blob(entry)).is_file()


@pytest.mark.filterwarnings("ignore:git-lfs is not installed")
class TestWhatIsCommitted:
    """The store's paths, and nothing else."""

    def test_what_an_earlier_sync_could_not_publish(self, far: Path, tmp_path: Path) -> None:
        """A remote that takes nothing is told in one line; the next sync publishes what was sent, and says so."""
        laptop = first_clone(tmp_path, "laptop", far)
        filled(laptop, 1, 2)
        hook = far / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho 'no room' >&2\nexit 1\n")
        hook.chmod(0o755)
        first = laptop.simcache("sync", "--to", "git", check=False)
        assert 1 == first.returncode
        assert "no room" in first.stdout.splitlines()[-1]
        hook.unlink()

        assert "would be published 2 entries that an earlier sync had sent" in laptop.simcache("sync", "git", "--dry-run").stdout
        assert "published 2 entries that an earlier sync had sent" in laptop.simcache("sync", "git").stdout
        assert "published" not in laptop.simcache("sync", "git").stdout

    @LFS
    def test_no_object_is_a_delta_of_another(self, tmp_path: Path) -> None:
        """git-lfs looks through a branch with a reader of its own, which unravels each chain of deltas anew: a fetch took four times as long."""
        far = a_bare_repository(tmp_path)
        laptop = first_clone(tmp_path, "laptop", far)
        filled(laptop, *range(120))  # fewer would lie at the remote one by one
        exchange(laptop, "to")
        asked = ["git", "-C", str(far), "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(deltabase)"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
        bases = {base for kind, base in zip(told[::2], told[1::2], strict=True) if kind == "blob"}

        assert {"0" * 40} == bases

    def test_nothing_of_the_users_goes_along(self, far: Path, tmp_path: Path) -> None:
        """Staged, changed and unknown files stay as they are, here and in what is pushed; the branch here follows."""
        party = first_clone(tmp_path, "one", far)
        (party.work / "model.py").write_text("changed\n")
        (party.work / "staged.py").write_text("staged\n")
        party.git("add", "staged.py")
        (party.work / "unknown.py").write_text("unknown\n")
        before = party.git("status", "--short")
        filled(party, 1, 2)
        exchange(party, "to")

        assert before == party.git("status", "--short")
        changed = party.git("show", "--name-only", "--format=", "origin/main").split()
        assert changed
        assert all(name.startswith("store/") for name in changed)
        assert party.git("rev-parse", "main", "origin/main").split()[0] == party.git("rev-parse", "origin/main").strip()

    def test_commits_of_the_user_are_not_pushed(self, far: Path, tmp_path: Path) -> None:
        """What the user has committed and not pushed stays here; the branch joins both, so that a later push just goes."""
        party = first_clone(tmp_path, "one", far)
        (party.work / "secret.py").write_text("not yet\n")
        party.git("add", "secret.py")
        party.git("commit", "-m", "not yet")
        filled(party, 1)
        exchange(party, "to")

        assert "secret.py" not in party.git("ls-tree", "-r", "--name-only", "origin/main")
        assert "" == party.git("status", "--short")
        party.git("push", "origin", "main")
        assert "secret.py" in party.git("ls-tree", "-r", "--name-only", "origin/main")

    def test_both_sides_have_new_commits(self, far: Path, tmp_path: Path) -> None:
        """Code and results on both sides: sync moves the results, touches no other file, and a pull merges without a conflict."""
        one = first_clone(tmp_path, "one", far)
        two = a_clone(tmp_path, "two", far)
        for party, name in ((one, "one.py"), (two, "two.py")):
            (party.work / name).write_text(f"{name}\n")
            party.git("add", name)
            party.git("commit", "-m", name)
            filled(party, name)
        one.git("push", "origin", "main")
        exchange(one)
        report = exchange(two)

        assert report.complete
        assert not (two.work / "one.py").exists()
        assert one.names() < two.names()
        two.git("pull", "--no-edit")
        assert (two.work / "one.py").exists()
        assert "" == two.git("status", "--short")
        exchange(one)
        assert one.names() == two.names()

    def test_a_pull_after_a_sync_moves_forward(self, far: Path, tmp_path: Path) -> None:
        """Who only took results can pull code by fast-forward alone."""
        one = first_clone(tmp_path, "one", far)
        two = a_clone(tmp_path, "two", far)
        (one.work / "more.py").write_text("more\n")
        one.git("add", "more.py")
        one.git("commit", "-m", "more")
        one.git("push", "origin", "main")
        filled(one, 1)
        exchange(one, "to")
        exchange(two, "from")
        assert not (two.work / "more.py").exists()
        two.git("pull", "--ff-only")

        assert (two.work / "more.py").exists()
        assert "" == two.git("status", "--short")

    @pytest.mark.parametrize("way", ["to", "from"])
    def test_the_index_is_locked(self, far: Path, tmp_path: Path, way: str) -> None:
        """An editor is open over a commit: nothing is staged that takes results away, and the next sync has it all in order."""
        party = first_clone(tmp_path, "one", far)
        other = a_clone(tmp_path, "two", far)
        filled(party, 1)
        if way == "from":
            assert exchange(party).complete
            party = other
        lock = party.work / ".git" / "index.lock"
        lock.touch()
        with pytest.warns(UserWarning, match=r"not yet known to the branch.*index\.lock"):
            assert exchange(party, way).complete
        lock.unlink()

        assert "" == party.git("diff", "--cached", "--name-only", "--diff-filter=D")
        assert exchange(party).complete
        assert "" == party.git("status", "--short")

    def test_a_branch_of_its_own(self, far: Path, tmp_path: Path) -> None:
        """Results may have a branch of their own; the one that is checked out is not touched."""
        one = first_clone(tmp_path, "one", far)
        head = one.git("rev-parse", "HEAD")
        filled(one, 1)
        url = f"git+lfs:{one.store}?branch=results"
        sync(LocalStore(one.store), GitStore(url), patience=SOON)
        two = a_clone(tmp_path, "two", far)
        sync(LocalStore(two.store), GitStore(f"git+lfs:{two.store}?branch=results"), "from", patience=SOON)

        assert head == one.git("rev-parse", "HEAD")
        assert one.names() == two.names()
        assert GitStore(url).url == url

    def test_a_branch_with_a_plus_in_its_name(self, far: Path, tmp_path: Path) -> None:
        """Git takes it, and so does the URL; in a query of the web it would be a space."""
        one = first_clone(tmp_path, "one", far)
        filled(one, 1)
        url = f"git+lfs:{one.store}?branch=results+more"
        assert sync(LocalStore(one.store), GitStore(url), "to", patience=SOON).complete

        assert "results+more" in one.git("ls-remote", "--heads", "origin")
        assert url == GitStore(url).url

    def test_the_first_push_of_all(self, far: Path, tmp_path: Path) -> None:
        """A repository that has no commit, and a remote that has no branch: the results are the first."""
        party = a_party(tmp_path, "one")
        party.git("init", "--quiet")
        party.git("remote", "add", "origin", far)
        if has_lfs():
            party.git("lfs", "install", "--local")
        filled(party, 1)
        report = exchange(party, "to")

        assert report.complete
        assert "" == party.git("status", "--short", "--untracked-files=no")
        other = a_clone(tmp_path, "two", far)
        assert exchange(other, "from").complete
        assert party.names() == other.names()

    def test_a_store_with_an_odd_name(self, far: Path, tmp_path: Path) -> None:
        """Blanks, quotes and letters of elsewhere in the path of the store."""
        party = first_clone(tmp_path, "one", far)
        place = party.work / 'ré sults "1"'
        keep(Cache(place), 1, np.arange(1000.0))
        assert sync(LocalStore(place), GitStore(f"git+lfs:{place}"), patience=SOON).complete
        other = a_clone(tmp_path, "two", far)
        near = LocalStore(tmp_path / "near")
        sync(near, GitStore(f"git+lfs:{other.work / place.name}"), "from", patience=SOON)

        assert verify(near).sound
        assert 1 == verify(near).entries


@pytest.mark.filterwarnings("ignore:git-lfs is not installed")
class TestAtTheSameTime:
    """Names hold digests, so nobody is in anybody's way."""

    def test_three_parties_at_once(self, far: Path, tmp_path: Path) -> None:
        """Three clones sync at the same moment, each with its own results: all end with the same set."""
        parties = [first_clone(tmp_path, "a", far), a_clone(tmp_path, "b", far), a_clone(tmp_path, "c", far)]
        for party in parties:
            filled(party, party.home.parent.name, "shared")
        problems: list[object] = []

        def work(party: Party) -> None:
            report = exchange(party)
            if not report.complete:
                problems.append(report)

        threads = [threading.Thread(target=work, args=(party,)) for party in parties]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for party in parties:
            exchange(party)

        assert [] == problems
        assert 1 == len({frozenset(party.names()) for party in parties})
        assert all(verify(LocalStore(party.store)).sound for party in parties)

    def test_a_lost_race_is_run_again(self, far: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody pushes between our look and our push: we look again, and both are there."""
        one = first_clone(tmp_path, "one", far)
        two = a_clone(tmp_path, "two", far)
        filled(one, 1)
        filled(two, 2)
        store = git_store(two)
        sound = store._git.push
        pushes = []

        def push(remote: str, commit: str, branch: str) -> None:
            pushes.append(commit)
            if len(pushes) == 1:
                exchange(one, "to")
            sound(remote, commit, branch)

        monkeypatch.setattr(store._git, "push", push)
        assert sync(LocalStore(two.store), store, "to", patience=SOON).complete
        assert 2 == len(pushes)
        exchange(one)
        assert two.names() < one.names()

    def test_two_publish_one_clone_at_once(self, far: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two syncs of one clone, the second while the first pushes: it waits, finds all of it published, and is content."""
        one = first_clone(tmp_path, "one", far)
        filled(one, 1)
        near, stores = LocalStore(one.store), (git_store(one), git_store(one))
        for store in stores:
            store.refresh()
            for name in near.names():
                store.put(name, [near.get(name)])
        first, second = stores
        push, begun = first._git.push, threading.Event()
        beside = threading.Thread(target=second.publish)

        def slowly(remote: str, commit: str, branch: str) -> None:
            beside.start()
            begun.wait(0.3)  # nobody tells: the other one waits, or it has gone on
            push(remote, commit, branch)

        problems: list[object] = []
        monkeypatch.setattr(threading, "excepthook", problems.append)
        sound = second._commit

        def when_first_has_pushed(*given: object) -> str:
            begun.set()
            time.sleep(0.5)
            return sound(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(second, "_commit", when_first_has_pushed)
        monkeypatch.setattr(first._git, "push", slowly)
        first.publish()
        beside.join()

        assert [] == problems
        assert [] == list(second.unpublished())
        assert set(near.names()) == {*git_store(one).names()}


class TestWhenItIsCut:
    """Run again, it completes, and the other side is sound in between."""

    @LFS
    @pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
    def test_a_kill_at_any_moment(self, tmp_path: Path, moment: float) -> None:
        """Kill -9 some time into a sync: nothing half is ever seen at the other side, and the next sync sends the rest."""
        far = a_bare_repository(tmp_path)
        one = first_clone(tmp_path, "one", far)
        two = a_clone(tmp_path, "two", far)
        filled(one, *range(5))
        program = subprocess.Popen(
            [sys.executable, "-m", "simcache", "sync", "--to", "git"],
            cwd=one.work,
            env=one.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        time.sleep(0.25 + moment)
        os.killpg(program.pid, signal.SIGKILL)
        program.communicate()
        exchange(two, "from")
        assert verify(LocalStore(two.store)).sound

        assert exchange(one, "to").complete
        exchange(two, "from")
        assert one.names() == two.names()
        assert verify(LocalStore(two.store)).sound


def test_what_a_power_cut_left_is_not_published(tmp_path: Path) -> None:
    """Half of what waited is gone with the machine's memory: it is set aside, and the next sync puts it again."""
    far = a_bare_repository(tmp_path)
    one = first_clone(tmp_path, "one", far)
    entries = filled(one, 1, 2)
    store = git_store(one)
    for name in one.names():
        store.put(name, [LocalStore(one.store).get(name)])
    waiting = Path(store._waiting.url)
    for name in (value_blob(entries[0]), entries[1].name):
        (waiting / name).unlink()  # it may be the work tree's own file under a second name
        (waiting / name).write_bytes(b"")
    assert exchange(one, "to").complete
    two = a_clone(tmp_path, "two", far)
    exchange(two, "from")

    assert one.names() == two.names()
    assert verify(LocalStore(two.store)).sound


@LFS
def test_pointers_without_objects_are_told_with_what_mends_them(tmp_path: Path) -> None:
    """Somebody pushed by hand, and no content went along: who receives is told what the one who has it does about it, and that helps."""
    far = a_bare_repository(tmp_path)
    one = first_clone(tmp_path, "one", far)
    two = a_clone(tmp_path, "two", far)
    filled(one, 1, 2)
    exchange(one, "to")
    shutil.rmtree(far / "lfs")
    reasons = {refused.reason for refused in exchange(two, "from").refused}
    assert all("`git lfs push --all origin`" in reason for reason in reasons)
    one.git("lfs", "push", "--all", "origin")

    assert exchange(two, "from").complete
    assert one.names() == two.names()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LfsServer]:
    """A server of Git and Git LFS on loopback, with an empty repository."""
    (tmp_path / "served").mkdir()
    a_bare_repository(tmp_path / "served")
    with LfsServer(tmp_path / "served") as running:
        yield running


@LFS
class TestOverHttp:
    """A server counts what is moved."""

    def test_only_what_is_missing_is_moved(self, server: LfsServer, tmp_path: Path) -> None:
        """Each byte goes up once and comes down once; a second sync moves nothing, and one new result one blob."""
        one = first_clone(tmp_path, "one", server.url)
        entries = filled(one, *range(4))
        expected = sum({blob.sha256: blob.size for entry in entries for blob in entry.blobs}.values())
        report = exchange(one, "to")
        assert report.sent is not None
        assert (4, expected) == (report.sent.entries, server.uploaded)
        two = a_clone(tmp_path, "two", server.url)
        assert 0 == server.downloaded
        exchange(two, "from")
        assert (expected, expected) == (server.uploaded, server.downloaded)

        asked = len(server.asked)
        again = exchange(two)
        assert again.sent is not None
        assert again.received is not None
        assert (0, 0) == (again.sent.bytes, again.received.bytes)
        assert not [line for line in server.asked[asked:] if "lfs" in line]

        size = filled(two, "new")[0].blobs[0].size
        exchange(two)
        assert expected + size == server.uploaded
        assert one.names() < two.names()

    def test_a_connection_cut_at_each_request_in_turn(self, server: LfsServer, tmp_path: Path) -> None:
        """Whichever request is cut, the next sync completes; what was uploaded is not uploaded again, and nothing half is seen."""
        one = first_clone(tmp_path, "one", server.url)
        two = a_clone(tmp_path, "two", server.url)
        for number in range(1, 40):
            filled(one, f"{number}")
            server.asked.clear()
            server.cut_at = number
            with contextlib.suppress(Unavailable):
                sync(LocalStore(one.store), git_store(one), "to", patience=Patience(tries=1))
            reached = len(server.asked) >= number
            server.cut_at = 0
            exchange(two, "from")
            assert verify(LocalStore(two.store)).sound
            assert exchange(one, "to").complete
            if not reached:
                break
        exchange(two, "from")

        assert number > 4
        assert one.names() == two.names()
        assert server.uploaded == sum(len(data) for data in server.objects().values())

    def test_wrong_bytes_are_refused_and_the_rest_goes_on(self, server: LfsServer, tmp_path: Path) -> None:
        """A server that gives other bytes than it was given: the results are named, none is seen, and the sound ones arrive."""
        one = first_clone(tmp_path, "one", server.url)
        two = a_clone(tmp_path, "two", server.url)
        entries = filled(one, *range(4))
        exchange(one, "to")
        bad = (tmp_path / "served" / "objects" / value_blob(entries[0])[-64:]).read_bytes()
        server.spoil = lambda data: data[:-1] + b"!" if data == bad else data
        report = exchange(two, "from")

        assert {entries[0].name} == {one.name for one in report.refused}
        assert {entry.name for entry in entries[1:]} == {name for name in two.names() if name.startswith("entries/")}
        assert verify(LocalStore(two.store)).sound

    @pytest.mark.parametrize("damage", [b"other bytes of another length", b""])
    def test_an_object_that_was_damaged_here_is_fetched_anew(self, server: LfsServer, tmp_path: Path, damage: bytes) -> None:
        """What Git LFS keeps of a result was damaged, and with it the store's file, which is the same: the remote mends both."""
        one = first_clone(tmp_path, "one", server.url)
        entry = filled(one, 1)[0]
        exchange(one, "to")
        two = a_clone(tmp_path, "two", server.url)
        exchange(two, "from")
        name = value_blob(entry)
        kept = next((two.work / ".git" / "lfs" / "objects").rglob(name[-64:]))
        sound = kept.read_bytes()
        assert kept.samefile(two.store / name)
        kept.write_bytes(damage or b"!" * len(sound))
        assert not verify(LocalStore(two.store)).sound
        asked = server.downloaded
        two.simcache("verify", "--repair", "--from", "git", check=False)

        assert verify(LocalStore(two.store)).sound
        assert sound == (two.store / name).read_bytes() == kept.read_bytes()
        assert len(sound) == server.downloaded - asked
        assert (two.work / ".git" / "lfs" / "bad" / name[-64:]).is_file()

    def test_over_the_quota(self, server: LfsServer, tmp_path: Path) -> None:
        """A service that gives nothing more says so in one line, and nothing is lost or half pushed."""
        one = first_clone(tmp_path, "one", server.url)
        filled(one, 1)
        server.refusal = (429, "This repository exceeded its LFS budget")
        done = one.simcache("sync", "--to", "git", check=False)

        assert 1 == done.returncode
        assert 1 == len([line for line in done.stdout.splitlines() if line.startswith("stopped")]), done.stdout
        assert "entries" not in one.git("ls-tree", "-r", "--name-only", "origin/main")
        server.refusal = None
        assert exchange(one, "to").complete

    def test_no_credentials(self, server: LfsServer, tmp_path: Path) -> None:
        """A server that wants a password: one line, exit code 2, no question on the terminal."""
        one = first_clone(tmp_path, "one", server.url)
        filled(one, 1)
        server.password = "x" * 8
        done = one.simcache("sync", "--to", "git", check=False)

        assert (2, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
        assert "could not read Username" in done.stderr


@LFS
class TestPointers:
    """A pointer is a promise, not damage."""

    @pytest.fixture
    def pointed(self, tmp_path: Path) -> tuple[Party, Entry]:
        """A clone in which Git LFS has left pointers."""
        far = a_bare_repository(tmp_path)
        one = first_clone(tmp_path, "one", far)
        entry = filled(one, 1)[0]
        exchange(one, "to")
        two = a_clone(tmp_path, "two", far)
        assert (two.store / value_blob(entry)).stat().st_size < 200
        return two, entry

    def test_sync_brings_the_content(self, pointed: tuple[Party, Entry]) -> None:
        """What there is a pointer of is fetched, and the work tree is as clean as before."""
        party, entry = pointed
        report = exchange(party, "from")

        assert report.received is not None
        assert (0, len(entry.blobs)) == (report.received.entries, report.received.blobs)
        assert () == verify(LocalStore(party.store)).unavailable
        assert "" == party.git("status", "--short")

    def test_what_was_computed_again_is_no_change(self, pointed: tuple[Party, Entry]) -> None:
        """Content in the place of its pointer, and not from a sync: after the next one Git sees that it is the same."""
        party, entry = pointed
        pointer = party.store / value_blob(entry)
        content = GitStore(f"git+lfs:{party.store}").get(value_blob(entry))
        time.sleep(0.01)
        pointer.write_bytes(content)
        assert party.git("status", "--short", "store")
        party.simcache("sync", "--to", "git")

        assert "" == party.git("status", "--short", "store")

    def test_a_hit_fetches_it_where_the_remote_is_far(self, pointed: tuple[Party, Entry]) -> None:
        """With the remote as a far store, the content comes when it is asked for."""
        party, entry = pointed
        cache = Cache(party.store, far=[f"git+lfs:{party.store}"])

        assert cache.lookup(entry.function, entry.key).entry == entry

    def test_else_it_is_a_miss_with_the_command_that_mends_it(self, pointed: tuple[Party, Entry]) -> None:
        """Without, the reason names the command, and nothing is set aside."""
        party, entry = pointed
        found = Cache(party.store).lookup(entry.function, entry.key)

        assert found.entry is None
        assert "`git lfs pull`" in found.reasons[0]
        party.git("lfs", "pull")
        assert Cache(party.store).lookup(entry.function, entry.key).entry == entry

    def test_without_git_lfs_it_says_so(self, pointed: tuple[Party, Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who has no git-lfs gets a name and a reason for each result, and the command."""
        party, entry = pointed
        monkeypatch.setenv("PATH", str(without_lfs(tmp_path / "bin")))
        report = exchange(party, "from")

        assert {entry.name} == {one.name for one in report.refused}
        assert "git-lfs is not installed" in report.refused[0].reason


class TestBadInput:
    """One line each."""

    def test_no_work_tree(self, tmp_path: Path) -> None:
        """A folder outside of any repository."""
        with pytest.raises(NotAStore, match="git init"):
            GitStore(f"git+lfs:{tmp_path / 'store'}")

    def test_a_link_out_of_the_work_tree(self, tmp_path: Path) -> None:
        """Said with where it leads: the link itself lies in the work tree."""
        party = first_clone(tmp_path, "one", a_bare_repository(tmp_path))
        (tmp_path / "outside").mkdir()
        (party.work / "link").symlink_to(tmp_path / "outside")
        with pytest.raises(NotAStore, match="it leads to .*outside, which is in no Git work tree"):
            GitStore(f"git+lfs:{party.work / 'link'}")

    @pytest.mark.parametrize("query", ["?x=1", "?branch=a&speed=2"])
    def test_unknown_options(self, query: str) -> None:
        """What a URL cannot ask for is named."""
        with pytest.raises(BadSettings, match="git\\+lfs:FOLDER"):
            GitStore(f"git+lfs:store{query}")

    def test_no_such_remote(self, tmp_path: Path) -> None:
        """A repository without the remote."""
        party = a_party(tmp_path, "one")
        party.git("init", "--quiet")

        with pytest.raises(BadSettings, match="git remote add origin URL"):
            git_store(party).refresh()

    def test_a_remote_that_is_not_there(self, tmp_path: Path) -> None:
        """A remote whose repository is gone: one line, exit code 2."""
        party = a_party(tmp_path, "one")
        a_project(party, {"git": "git+lfs:store"})
        party.git("init", "--quiet")
        party.git("remote", "add", "origin", tmp_path / "gone.git")
        done = party.simcache("sync", "git", check=False)

        assert (2, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
        assert "gone.git" in done.stderr

    def test_a_format_of_the_future(self, tmp_path: Path) -> None:
        """A branch whose store a newer simcache wrote is left alone."""
        far = a_bare_repository(tmp_path)
        party = first_clone(tmp_path, "one", far)
        (party.store / "simcache.json").write_text('{"format": 99}\n')
        party.git("commit", "-am", "the future")
        party.git("push", "origin", "main")

        with pytest.raises(FormatTooNew):
            git_store(party).refresh()

    def test_what_is_published_stays(self, tmp_path: Path) -> None:
        """Git keeps what it has, so nothing is deleted there."""
        far = a_bare_repository(tmp_path)
        party = first_clone(tmp_path, "one", far)
        entry = filled(party, 1)[0]
        exchange(party, "to")

        with pytest.raises(StoreReadOnly, match="withdraw"):
            git_store(party).delete(entry.name)

    def test_hostile_names_are_named(self, tmp_path: Path) -> None:
        """Files of other names below entries and blobs, and links, are refused by name, and never written."""
        far = a_bare_repository(tmp_path)
        party = first_clone(tmp_path, "one", far)
        filled(party, 1)
        exchange(party, "to")
        evil = party.store / "entries" / "evil.json"
        evil.write_text("{}")
        link = party.store / blob_name("ab" * 32)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("/etc/passwd")
        party.git("add", "-f", str(evil), str(link))
        party.git("commit", "-m", "evil")
        party.git("push", "origin", "main")
        near = LocalStore(tmp_path / "near")
        report = sync(near, git_store(party), "from", patience=SOON)

        assert {"entries/evil.json", blob_name("ab" * 32)} == {one.name for one in report.refused}
        assert 1 == verify(near).entries
        assert verify(near).sound


class TestInit:
    """`simcache init --git` adds what is missing, and touches nothing else."""

    @pytest.fixture
    def party(self, tmp_path: Path) -> Party:
        made = a_party(tmp_path, "one")
        made.git("init", "--quiet")
        return made

    @LFS
    @pytest.mark.parametrize("before", ["", "*.png binary\n", "*.png binary", "* text=auto\r\n*.png binary\r\n"])
    def test_other_lines_stay(self, party: Party, before: str) -> None:
        """Two lines at the end, in the file's own way to end lines; the second time nothing changes."""
        (party.work / ".gitattributes").write_bytes(before.encode())
        init(party.work, git=True)
        after = (party.work / ".gitattributes").read_bytes().decode()

        assert after.startswith(before)
        assert [f"store/{line}" for line in LFS_LINES] == after.splitlines()[-2:]
        assert after.count("\r\n") in (0, after.count("\n"))
        report = init(party.work, git=True)
        assert () == report.made
        assert after == (party.work / ".gitattributes").read_bytes().decode()
        assert "git+lfs:store" in (party.work / "simcache.toml").read_text()

    def test_without_git_lfs(self, party: Party, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Plain Git, and it is said."""
        monkeypatch.setenv("PATH", str(without_lfs(tmp_path / "bin")))
        report = init(party.work, git=True)

        assert [f"store/{line}" for line in PLAIN_LINES] == (party.work / ".gitattributes").read_text().splitlines()
        assert "git-lfs is not installed" in report.notes[0]

    @LFS
    def test_hooks_of_the_users_stay(self, party: Party) -> None:
        """A hook that is there is not replaced; what to do about it is said."""
        hook = party.work / ".git" / "hooks" / "pre-push"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 0\n")
        report = init(party.work, git=True)

        assert "#!/bin/sh\nexit 0\n" == hook.read_text()
        assert "git lfs install --local" in report.notes[0]

    def test_no_work_tree(self, tmp_path: Path) -> None:
        """Said with what to do, and nothing is made."""
        with pytest.raises(NotAStore, match="git init"):
            init(tmp_path / "nobody", git=True)

        assert [] == list((tmp_path / "nobody").iterdir())

    @pytest.mark.parametrize("store", ["s3:bucket/lab", "git+lfs:store", "s3://bucket/lab"])
    def test_a_store_that_is_no_folder(self, party: Party, store: str) -> None:
        """Git shares folders; nothing is made of any other name."""
        before = sorted(party.work.iterdir())
        with pytest.raises(BadSettings, match=r"a store that is a folder|two slashes are missing"):
            init(party.work, store, git=True)

        assert before == sorted(party.work.iterdir())

    @LFS
    def test_a_folder_whose_name_is_a_pattern(self, party: Party) -> None:
        """Brackets and stars in the path of the store stand for themselves."""
        init(party.work, "r[1]/st*re?", git=True)

        said = party.git("check-attr", "filter", "--", "r[1]/st*re?/blobs/00/x", "r1/store1/blobs/00/x").splitlines()
        assert ["lfs", "unspecified"] == [line.rpartition(": ")[2] for line in said]
        assert () == init(party.work, git=True).made

    @LFS
    def test_this_project_is_set_up_so(self, party: Party) -> None:
        """Its own .gitattributes are what `init --git` finds in order, and its store holds no blob, so that a clone needs no git-lfs."""
        attributes = (ROOT / ".gitattributes").read_bytes()
        (party.work / ".gitattributes").write_bytes(attributes)
        init(party.work, git=True)

        assert attributes == (party.work / ".gitattributes").read_bytes()
        assert {f"store/{line}" for line in LFS_LINES} <= set(attributes.decode().splitlines())
        assert not [path for path in (ROOT / "store").rglob("*") if path.is_file() and ".local" not in path.parts and "blobs" in path.parts]


def test_a_shallow_clone_takes_part(tmp_path: Path) -> None:
    """A machine that has cloned one commit alone receives and sends like any other."""
    far = a_bare_repository(tmp_path)
    one = first_clone(tmp_path, "one", far)
    filled(one, 1)
    exchange(one, "to")
    other = a_party(tmp_path, "two")
    other.work.rmdir()
    clone = ["git", "clone", "--quiet", "--depth", "1", f"file://{far}", str(other.work)]
    subprocess.run(clone, env=other.variables | {"GIT_LFS_SKIP_SMUDGE": "1"}, check=True, capture_output=True, cwd=tmp_path)
    filled(other, 2)

    assert exchange(other).complete
    assert exchange(one).complete
    assert one.names() == other.names()


@LFS
def test_what_git_lfs_has_is_not_written_again(tmp_path: Path) -> None:
    """The store's file is that of Git LFS under a second name; on another disk it is a copy; nothing writes through either."""
    far = a_bare_repository(tmp_path)
    one = first_clone(tmp_path, "one", far)
    names = [value_blob(entry) for entry in filled(one, 1, 2)]
    exchange(one, "to")
    two = a_clone(tmp_path, "two", far)
    exchange(two, "from")
    kept = {name: next((two.work / ".git" / "lfs" / "objects").rglob(name[-64:])) for name in names}
    assert all(path.samefile(two.store / name) for name, path in kept.items())
    sound = {name: path.read_bytes() for name, path in kept.items()}
    near = LocalStore(two.store)
    near.put(names[0], [b"other bytes"])
    for name in names:
        near.set_aside(name)

    assert sound == {name: path.read_bytes() for name, path in kept.items()}
    assert exchange(two, "from").complete
    assert verify(near).sound
    with tempfile.TemporaryDirectory(dir=Path("/dev/shm") if Path("/dev/shm").is_dir() else tmp_path) as folder:
        elsewhere = LocalStore(f"{folder}/store")
        assert sync(elsewhere, git_store(two), "from", patience=SOON).complete
        assert verify(elsewhere).sound


@LFS
class TestWhatGitLfsHasIsDamaged:
    """The store's file is the object of Git LFS, so damage to one is damage to both; neither may pass for the result."""

    @staticmethod
    def damaged(party: Party, name: str, sound: bytes) -> Path:
        """The object of Git LFS with one byte changed, in a file of its own."""
        kept = party.work / ".git" / "lfs" / "objects" / name[-64:-62] / name[-62:-60] / name[-64:]
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        kept.write_bytes(sound[:100] + bytes([sound[100] ^ 1]) + sound[101:])
        return kept

    def test_what_was_computed_again_is_sent_and_not_the_damage(self, tmp_path: Path) -> None:
        """A result came from one remote, was damaged and computed again: another remote gets the sound bytes, though a folder checks none."""
        one = first_clone(tmp_path, "one", a_bare_repository(tmp_path))
        name = value_blob(filled(one, 1)[0])
        exchange(one, "to")
        sound = (one.store / name).read_bytes()
        kept = self.damaged(one, name, sound)
        (one.store / name).unlink()
        (one.store / name).hardlink_to(kept)
        near = LocalStore(one.store)
        assert not verify(near).sound
        near.set_aside(name)
        near.put(name, [sound])
        (tmp_path / "second").mkdir()
        second = a_bare_repository(tmp_path / "second")
        one.git("remote", "add", "second", second)

        assert sync(near, GitStore(f"git+lfs:{one.store}?remote=second"), "to", patience=SOON).complete
        assert [sound] == [path.read_bytes() for path in (second / "lfs" / "objects").rglob(name[-64:])]
        assert sound == kept.read_bytes()

    def test_a_sync_makes_way_for_what_was_computed_again(self, tmp_path: Path) -> None:
        """A file was cut short under both its names and the result computed again: until a sync, no command of Git's can look at it."""
        one = first_clone(tmp_path, "one", a_bare_repository(tmp_path))
        name = value_blob(filled(one, 1)[0])
        exchange(one, "to")
        assert not one.git("status", "--short")
        sound = (one.store / name).read_bytes()
        kept = self.damaged(one, name, sound)
        os.truncate(kept, 1000)
        LocalStore(one.store).put(name, [sound])
        assert "Files don't match" in one.run("git", "status", check=False).stderr
        exchange(one)

        assert not one.git("status", "--short")
        assert sound == (one.store / name).read_bytes() == kept.read_bytes()

    def test_it_is_not_lent_for_what_only_waits(self, tmp_path: Path) -> None:
        """A result waits to be published, and Git LFS has damage under its name: the store gets back what waits."""
        far = a_bare_repository(tmp_path)
        one = first_clone(tmp_path, "one", far)
        name = value_blob(filled(one, 1)[0])
        sound = (one.store / name).read_bytes()
        for each in one.names():
            git_store(one).put(each, [(one.store / each).read_bytes()])
        self.damaged(one, name, sound)
        (one.store / name).unlink()
        exchange(one, "from")

        assert sound == (one.store / name).read_bytes()


@LFS
@pytest.mark.skipif(os.name == "nt", reason="fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_contents_are_read_while_others_come(tmp_path: Path) -> None:
    """What was asked for together is read piece by piece, in any order, also by several threads and in a forked child; what the
    server has lost is told by name, and the rest is read.
    """
    far = a_bare_repository(tmp_path)
    party = first_clone(tmp_path, "one", far)
    blobs = [value_blob(keep(Cache(party.store), number, np.arange(2000.0) + number)) for number in range(30)]
    exchange(party, "to")
    lost = blobs[7]
    (far / "lfs" / "objects" / lost[-64:][:2] / lost[-64:][2:4] / lost[-64:]).unlink()
    other = git_store(a_clone(tmp_path, "two", far))
    other.refresh()
    other.expect([name for name in blobs if name != lost])
    found: list[str] = []

    def read(names: list[str]) -> None:
        for name in names:
            check_name(name, other.get(name))
            found.append(name)

    threads = [threading.Thread(target=read, args=([name for name in reversed(blobs[part::3]) if name != lost],)) for part in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(name for name in blobs if name != lost)
    again = git_store(a_clone(tmp_path, "three", far))
    again.expect(blobs)
    child = os.fork()
    if not child:
        os._exit(0 if bytes(again.get(blobs[0])) else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with pytest.raises(Unavailable):
        again.get(lost)


def test_reading_ends_its_helper(tmp_path: Path) -> None:
    """The process that reads objects ends with the store, and no process is left behind."""
    far = a_bare_repository(tmp_path)
    party = first_clone(tmp_path, "one", far)
    filled(party, 1)
    exchange(party, "to")
    store = git_store(party)
    assert list(store.list("entries/"))
    reader = store._git._reader
    assert reader is not None
    process = reader._process
    del reader, store

    assert 0 == process.wait(timeout=10)

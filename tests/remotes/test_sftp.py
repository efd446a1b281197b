"""SSH, against OpenSSH's own server on loopback: whom it trusts, what is cut, and what is never seen half."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simcache.errors import BadSettings, CacheError, StoreReadOnly, Unavailable
from simcache.stores import transport
from simcache.stores.base import Store
from simcache.stores.registry import open_store
from simcache.stores.remote import RemoteStore
from simcache.stores.sftp import Sftp
from tests.remotes.between import line
from tests.remotes.servers import sftp_server
from tests.simcache.contract import SftpBackdoor, a_blob, run_threads

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SftpBackdoor:
    """A folder behind the server, which this process can log in to."""
    backdoor = SftpBackdoor(tmp_path)
    for name, value in backdoor.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(transport, "_FIRST_WAIT", 0.001)
    return backdoor


@pytest.fixture
def home(place: SftpBackdoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own with the same keys, to be changed; its ~/.ssh."""
    ssh = tmp_path / "home" / ".ssh"
    shutil.copytree(Path(place.environment["HOME"]) / ".ssh", ssh)
    text = (ssh / "config").read_text().replace(place.environment["HOME"], str(tmp_path / "home"))
    (ssh / "config").write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return ssh


def refused(url: str) -> str:
    with pytest.raises(CacheError) as caught:
        open_store(url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestWhom:
    """Logging in, and to whom."""

    def test_a_server_that_nobody_met(self, place: SftpBackdoor, home: Path) -> None:
        """An unknown host key is refused, with what to do about it."""
        (home / "known_hosts").write_text("")
        text = refused(place.url)
        assert "known_hosts" in text
        assert "run `ssh 127.0.0.1` once" in text

    def test_a_server_with_another_key(self, place: SftpBackdoor, home: Path) -> None:
        """A host key that has changed is refused."""
        other = home / "other"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
        (home / "known_hosts").write_text(f"[127.0.0.1]:{sftp_server().port} {(home / 'other.pub').read_text()}")
        assert "does not match" in refused(place.url)

    def test_a_wrong_key(self, place: SftpBackdoor, home: Path) -> None:
        """A login that is refused is told as such, at once."""
        (home / "id_ed25519").unlink()
        (home / "id_ed25519.pub").unlink()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "id_ed25519"], check=True)
        assert "refuses this login" in refused(place.url)

    def test_a_host_of_the_config(self, place: SftpBackdoor, home: Path) -> None:
        """A name that only ~/.ssh/config knows, with its address, port, user and key."""
        with (home / "config").open("a") as file:
            user = (home / "config").read_text().partition("User ")[2].split()[0]
            file.write(f"Host lab\n  HostName 127.0.0.1\n  Port {sftp_server().port}\n  User {user}\n  IdentityFile {home}/id_ed25519\n")
        store = open_store(f"sftp://lab{place.root}")
        name, data = a_blob(b"by name")
        store.put(name, [data])
        assert data == place.read(name)

    @pytest.mark.parametrize("url", ["sftp://me:secret@host/x", "sftp://host", "sftp:///x"])
    def test_urls_that_are_refused(self, url: str) -> None:
        """A password has no place in a URL, and is not repeated; a URL without host or folder names nothing."""
        with pytest.raises(BadSettings) as caught:
            open_store(url)
        assert "secret" not in str(caught.value)

    def test_a_server_that_is_not_there(self, place: SftpBackdoor) -> None:
        """Nobody listens: told in one line."""
        assert "127.0.0.1" in refused(f"sftp://127.0.0.1:9{place.root}")

    def test_a_folder_that_may_not_be_written(self, place: SftpBackdoor) -> None:
        """A folder of somebody else's is read, and a write is refused as such."""
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        name, data = a_blob(b"x")
        store = open_store(place.url)
        store.put(name, [data])
        for path in (place.root, *place.root.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
            os.chown(path, 0, 0)
        assert data == bytes(open_store(place.url).get(name))
        with pytest.raises(StoreReadOnly, match="does not allow it"):
            open_store(place.url).put(*_put(b"y"))


class TestCuts:
    """The connection ends."""

    @pytest.mark.parametrize("after", [0, 20, 2_000, 6_000, 60_000, 200_000, 500_000])
    def test_after_so_many_bytes(self, place: SftpBackdoor, home: Path, after: int) -> None:
        """Every second connection is cut after so many bytes, in a handshake or a file: what is put is whole, what is got is right."""
        with line(sftp_server().address, lambda number: after if number % 2 else None) as port:
            with (home / "known_hosts").open("r+") as file:
                file.write(file.read().replace(str(sftp_server().port), str(port)))
            store = open_store(f"sftp://127.0.0.1:{port}{place.root}")
            blobs = [a_blob(os.urandom(300_000)) for _ in range(3)]
            for name, data in blobs:
                store.put(name, [data])
                assert data == place.read(name)
            for name, data in blobs:
                assert data == bytes(store.get(name))
            assert {name for name, _ in blobs} == {name for name, _ in store.list()}
            _hang_up(store)

    def test_for_good(self, place: SftpBackdoor, home: Path) -> None:
        """A connection that always ends in the middle of a file: told, nothing is visible, and what is left is swept after a day."""
        name, data = a_blob(os.urandom(3_000_000))
        with line(sftp_server().address, lambda number: 400_000) as port:
            with (home / "known_hosts").open("r+") as file:
                file.write(file.read().replace(str(sftp_server().port), str(port)))
            store = open_store(f"sftp://127.0.0.1:{port}{place.root}")
            with pytest.raises(Unavailable):
                store.put(name, [data])
            _hang_up(store)
        store = open_store(place.url)
        assert set() == place.names()
        assert [] == list(store.list())
        assert place.leftovers() > 0
        assert 0 == store.sweep()
        for path in (place.root / ".local" / "tmp").iterdir():
            os.utime(path, (1, 1))
        assert store.sweep() > 0
        assert 0 == place.leftovers()


def test_threads_share_one_connection(place: SftpBackdoor) -> None:
    """More threads than a server has channels: they wait for each other, over one connection."""
    store = open_store(place.url)
    blobs = [a_blob(bytes([number]) * 50_000) for number in range(40)]
    numbers = itertools.count()

    def work() -> None:
        while (number := next(numbers)) < len(blobs):
            name, data = blobs[number]
            store.put(name, [data])
            assert data == bytes(store.get(name))

    run_threads(work, 16)
    assert {name for name, _ in blobs} == place.names()
    assert 0 == place.leftovers()


def test_a_fork_has_a_connection_of_its_own(place: SftpBackdoor) -> None:
    """A child and its parent use one store side by side."""
    program = f"""
import os
from simcache.stores.registry import open_store
from tests.simcache.contract import a_blob
store = open_store({place.url!r})
def work(text):
    for number in range(10):
        name, data = a_blob(f"{{text}} {{number}}".encode())
        store.put(name, [data])
        assert bytes(store.get(name)) == data
work("before")
child = os.fork()
if not child:
    try:
        work("child")
    except BaseException as problem:
        print(repr(problem), flush=True)
    os._exit(0)
work("parent")
os.waitpid(child, 0)
work("after")
print(len(list(store.list())))
"""
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert ("", "40\n") == (told.stderr, told.stdout)


def _hang_up(store: Store) -> None:
    """Close what an ended test leaves open, so that nobody waits for it."""
    assert isinstance(store, RemoteStore)
    sftp = store._transport
    assert isinstance(sftp, Sftp)
    if sftp._line is not None:
        sftp._hang_up(sftp._line)


def _put(data: bytes) -> tuple[str, list[bytes]]:
    name, _ = a_blob(data)
    return name, [data]

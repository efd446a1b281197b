"""A folder on an SSH server, through paramiko: files written aside and renamed when they are whole."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from posixpath import dirname
from stat import S_ISDIR, S_ISREG
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from simcache.errors import BadSettings, Unavailable
from simcache.stores.transport import FORGOTTEN_AFTER, Found, Patience, Transport, is_kind, not_installed, one_line

T = TypeVar("T")

_TMP = ".local/tmp"
_CHANNELS = 8
"""How many calls go on at once over the one connection; OpenSSH allows ten."""
_ONE_ANSWER = 32 * 1024
_CONNECT_SECONDS = 15.0
_ANSWER_SECONDS = 60.0
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})
_REFUSED = (
    "paramiko.ssh_exception.AuthenticationException",
    "paramiko.ssh_exception.PasswordRequiredException",
    "paramiko.ssh_exception.BadHostKeyException",
)
_PASSING = ("paramiko.ssh_exception.SSHException", "paramiko.ssh_exception.NoValidConnectionsError", "socket.gaierror")


class Sftp(Transport):
    """A folder of an SSH server: `sftp://user@host:port/folder`, or `sftp://host/~/folder` below the login folder.

    Host, user, port, key and proxy are taken from ~/.ssh/config too, keys from there and from the agent. A server whose key is not in
    ~/.ssh/known_hosts is refused. A file is written under a name of its own in `.local/tmp`, measured, and renamed over the name it is
    for, so that nobody meets a part of it. One connection carries all calls of a process, a channel for each that goes on.
    """

    def __init__(self, url: str) -> None:
        try:
            import paramiko
        except ImportError as problem:
            raise not_installed(url, "paramiko") from problem
        parts = urlsplit(url)
        if not parts.hostname or not parts.path.strip("/"):
            raise BadSettings(url, "a host and a folder must be named: sftp://USER@HOST/FOLDER")
        if parts.password is not None:
            raise BadSettings(
                f"sftp://{parts.hostname}", "a password has no place in a URL, which is shown and kept; use a key or an agent"
            )
        self._url = url
        self._host, self._user, self._port = parts.hostname, parts.username, parts.port
        self._root = unquote(parts.path).rstrip("/").removeprefix("/~/")
        self._paramiko = paramiko
        self._patience = Patience(self.may_pass)
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_CHANNELS)
        self._line: _Line | None = None

    def read(self, path: str) -> bytearray:
        return self._call(lambda sftp: _read(sftp, f"{self._root}/{path}"))

    def write(self, path: str, chunks: Sequence[memoryview]) -> None:
        self._call(lambda sftp: self._write(sftp, path, chunks))

    def size(self, path: str) -> int | None:
        try:
            status = self._call(lambda sftp: sftp.stat(f"{self._root}/{path}"))
        except OSError as problem:
            if problem.errno not in _NOT_THERE:
                raise
            return None
        return int(status.st_size) if S_ISREG(status.st_mode) else None

    def find(self, prefix: str) -> Iterator[Found]:
        folders = [dirname(prefix)]
        while folders:
            folder = folders.pop()
            for item in self._names(folder):
                path = f"{folder}/{item.filename}"
                if S_ISDIR(item.st_mode) and folder.count("/") < _DEPTHS.get(path[: path.find("/")], 0):
                    if path.startswith(prefix) or prefix.startswith(f"{path}/"):
                        folders.append(path)
                else:
                    yield Found(path, item.st_size if S_ISREG(item.st_mode) else None)

    def top(self) -> list[str]:
        return [item.filename for item in self._names("")]

    def remove(self, path: str) -> None:
        try:
            self._call(lambda sftp: sftp.remove(f"{self._root}/{path}"))
        except OSError as problem:
            if problem.errno not in _NOT_THERE:
                raise

    def move(self, path: str, target: str) -> None:
        self._call(lambda sftp: self._rename(sftp, f"{self._root}/{path}", f"{self._root}/{target}"))

    def sweep(self) -> int:
        old = time.time() - FORGOTTEN_AFTER
        dead = [item.filename for item in self._names(_TMP) if item.st_mtime < old]
        for name in dead:
            self.remove(f"{_TMP}/{name}")
        return len(dead)

    def may_pass(self, problem: Exception) -> bool:
        if is_kind(problem, *_REFUSED):
            return False
        return isinstance(problem, ConnectionError | TimeoutError | EOFError) or is_kind(problem, *_PASSING)

    def reason(self, problem: Exception) -> str:
        if is_kind(problem, *_REFUSED):
            return (
                f"{self._host} refuses this login ({one_line(problem)}); try `ssh {self._host}`, and `ssh-add` for a key with a passphrase"
            )
        if isinstance(problem, PermissionError):
            return f"{self._host} does not allow it ({problem.strerror or one_line(problem)}); check the rights on {self._root}"
        return f"{self._host}: {getattr(problem, 'strerror', None) or one_line(problem)}"

    # files

    def _names(self, folder: str) -> list[Any]:
        """What a folder holds; nothing if it is not there."""
        try:
            return self._call(lambda sftp: sftp.listdir_attr(f"{self._root}/{folder}"))
        except OSError as problem:
            if problem.errno not in _NOT_THERE:
                raise
            return []

    def _write(self, sftp: Any, path: str, chunks: Sequence[memoryview]) -> None:
        unfinished = f"{self._root}/{_TMP}/{os.getpid()}-{os.urandom(6).hex()}"
        size = sum(chunk.nbytes for chunk in chunks)
        try:
            with self._begun(sftp, unfinished) as file:
                file.set_pipelined(pipelined=True)
                for chunk in chunks:
                    file.write(chunk)
            written = sftp.stat(unfinished).st_size
            if written != size:
                raise OSError(errno.ENOSPC, f"only {written} of {size} bytes were kept; the disk may be full", unfinished)
            self._rename(sftp, unfinished, f"{self._root}/{path}")
        except Exception:
            _try_to_remove(sftp, unfinished)
            raise

    def _begun(self, sftp: Any, path: str) -> Any:
        try:
            return sftp.open(path, "wx")
        except FileNotFoundError:
            self._make_folder(sftp, dirname(path))
            return sftp.open(path, "wx")

    def _rename(self, sftp: Any, path: str, target: str) -> None:
        try:
            sftp.posix_rename(path, target)
        except FileNotFoundError:
            sftp.stat(path)
            self._make_folder(sftp, dirname(target))
            sftp.posix_rename(path, target)

    def _make_folder(self, sftp: Any, folder: str) -> None:
        """Make a folder and those above it, as far as they are not there."""
        try:
            sftp.mkdir(folder)
        except FileNotFoundError:
            self._make_folder(sftp, dirname(folder))
            self._make_folder(sftp, folder)
        except PermissionError:
            raise
        except OSError:
            if not S_ISDIR(sftp.stat(folder).st_mode):  # SFTP has one answer for "is there" and "cannot be made"
                raise

    # the connection

    def _call(self, work: Callable[[Any], T]) -> T:
        return self._patience.call(lambda: self._once(work))

    def _once(self, work: Callable[[Any], T]) -> T:
        with self._slots:
            line = self._connected()
            sftp = line.channel()
            try:
                result = work(sftp)
            except Exception as problem:
                if line.broken or sftp.get_channel().closed or isinstance(problem, TimeoutError):
                    self._hang_up(line)
                    raise ConnectionResetError(errno.ECONNRESET, f"the connection ended ({one_line(problem)})") from problem
                line.idle.append(sftp)
                raise
            line.idle.append(sftp)
            return result

    def _connected(self) -> "_Line":
        with self._lock:
            if self._line is None or self._line.broken:
                self._line = _Line(self._client())
            return self._line

    def _hang_up(self, line: "_Line") -> None:
        with self._lock:
            if self._line is line:
                self._line = None
        line.client.close()

    def _client(self) -> Any:
        paramiko, ssh = self._paramiko, os.path.expanduser("~/.ssh")
        known = paramiko.SSHConfig()
        if os.path.isfile(f"{ssh}/config"):
            known = paramiko.SSHConfig.from_path(f"{ssh}/config")
        about = known.lookup(self._host)
        client = paramiko.SSHClient()
        for file in (about.get("userknownhostsfile") or f"{ssh}/known_hosts").split():
            if os.path.isfile(os.path.expanduser(file)):
                client.load_system_host_keys(os.path.expanduser(file))
        client.set_missing_host_key_policy(_Refusing(self._url, self._host))
        try:
            client.connect(
                about.get("hostname", self._host),
                port=self._port or int(about.get("port", 22)),
                username=self._user or about.get("user"),
                key_filename=[os.path.expanduser(file) for file in about.get("identityfile", ())] or None,
                sock=paramiko.ProxyCommand(about["proxycommand"]) if "proxycommand" in about else None,
                timeout=_CONNECT_SECONDS,
                banner_timeout=_CONNECT_SECONDS,
                auth_timeout=_CONNECT_SECONDS,
            )
        except BaseException:
            client.close()
            raise
        return client


class _Line:
    """One SSH connection, and its channels that nobody uses at the moment."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.idle: list[Any] = []

    @property
    def broken(self) -> bool:
        transport = self.client.get_transport()
        return transport is None or not transport.is_active()

    def channel(self) -> Any:
        try:
            return self.idle.pop()
        except IndexError:
            sftp = self.client.open_sftp()
            sftp.get_channel().settimeout(_ANSWER_SECONDS)
            return sftp


class _Refusing:
    """What paramiko asks about a server that nobody here has met: it may be anyone."""

    def __init__(self, url: str, host: str) -> None:
        self._url = url
        self._host = host

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        del client
        told = f"{hostname} is not in ~/.ssh/known_hosts ({key.fingerprint}); run `ssh {self._host}` once and accept its key"
        raise Unavailable(self._url, told, passes=False)


def _read(sftp: Any, path: str) -> bytearray:
    with sftp.open(path, "rb") as file:
        status = file.stat()
        if S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "a folder", path)
        if status.st_size > _ONE_ANSWER:
            file.prefetch(status.st_size)  # all questions at once, not one after each answer
        data = bytearray()
        while more := file.read(_ONE_ANSWER):  # in larger pieces paramiko takes twenty times as long
            data += more
        return data


def _try_to_remove(sftp: Any, path: str) -> None:
    """Leave nothing unfinished; where the connection is gone, a later sweep will."""
    try:
        sftp.remove(path)
    except (OSError, EOFError):
        return


_DEPTHS = {"blobs": 1, "entries": 2}
"""How many folders below these hold folders, not files."""

"""Real servers on loopback, started when a test first needs one: S3 by moto, SSH by OpenSSH's own sshd.

Each runs as a child that ends when this process does, in whatever way: it reads its standard input until that closes.
"""

import atexit
import getpass
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Server(NamedTuple):
    """A server that answers: where, and the environment in which a client finds it and no other."""

    host: str
    port: int
    environment: Mapping[str, str]
    child: "subprocess.Popen[str]"
    folder: Path = Path()
    """Where an SSH server may write: not below pytest's own folder, which every other run of pytest closes to others again."""

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@cache
def s3_server() -> Server:
    """A server that speaks S3, empty at first; credentials are any."""
    _need("moto", find_spec("moto"), "pip install 'moto[server]'")
    _need("s3fs", find_spec("s3fs"), "pip install s3fs")
    child = _child("s3")  # it gives 200 names an answer, so that a listing of several pages needs no thousands
    port = int(_said(child))
    s3_client(f"127.0.0.1:{port}").create_bucket(Bucket="tests")
    return Server("127.0.0.1", port, s3_environment(f"http://127.0.0.1:{port}"), child)


@cache
def s3_client(address: str) -> Any:
    """Amazon's own client for a server on loopback."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=f"http://{address}",
        aws_access_key_id="tests",
        aws_secret_access_key="tests",  # noqa: S106 - the server takes any
        region_name="us-east-1",
    )


def s3_environment(endpoint: str) -> dict[str, str]:
    """What an AWS client must be told to find this endpoint, and nothing of whoever runs the tests."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


@cache
def sftp_server() -> Server:
    """OpenSSH's server as an unprivileged child, with keys, settings and a home of its own in a temporary folder."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    _need("sshd", program, "apt-get install openssh-server")
    _need("paramiko", find_spec("paramiko"), "pip install paramiko")
    place = Path(tempfile.mkdtemp(prefix="sshd-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    ssh = place / "home" / ".ssh"
    ssh.mkdir(parents=True)
    _make_key(place / "host_key")
    _make_key(ssh / "id_ed25519")
    shutil.copy(ssh / "id_ed25519.pub", place / "authorized_keys")
    port = _free_port()
    (place / "sshd_config").write_text(_SSHD.format(port=port, place=place))
    (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {(place / 'host_key.pub').read_text()}")
    (ssh / "config").write_text(
        f"Host 127.0.0.1\n  User {sftp_user()}\n  IdentityFile {ssh}/id_ed25519\n  UserKnownHostsFile {ssh}/known_hosts\n"
    )
    if os.geteuid() == 0:  # then sshd runs as somebody who may do nothing else
        place.chmod(0o755)
        for file in (place / "host_key", place / "authorized_keys"):
            shutil.chown(file, sftp_user())
    (place / "stores").mkdir()
    child = _child("sftp", str(program), str(place / "sshd_config"))
    assert _said(child) == "started"
    _wait_until_open(port)
    return Server("127.0.0.1", port, {"HOME": str(place / "home"), "SSHD_LOG": str(place / "log")}, child, place / "stores")


def sftp_user() -> str:
    """Who sshd runs as, and logs in."""
    return "nobody" if os.geteuid() == 0 else getpass.getuser()


def open_to_server(folder: Path) -> None:
    """Let sshd write below this folder, whoever it runs as."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)


_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {place}/host_key
AuthorizedKeysFile {place}/authorized_keys
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
StrictModes no
MaxStartups 100
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


def _make_key(file: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f", file], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _need(what: str, found: object, remedy: str) -> None:
    """Skip, aloud, where a part is not there; in CI that is a failure."""
    if not found:
        (pytest.fail if os.environ.get("CI", "").lower() in {"1", "true"} else pytest.skip)(f"{what} is not here: `{remedy}`")


def _child(*what: str) -> "subprocess.Popen[str]":
    child = subprocess.Popen([sys.executable, __file__, *what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    atexit.register(_stop, child)
    return child


def _stop(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.close()
    child.wait(timeout=30)
    child.stdout.close()


def _said(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


# what runs in the children


def _serve_s3() -> None:
    import logging

    from moto.server import ThreadedMotoServer

    os.environ.setdefault("MOTO_S3_DEFAULT_MAX_KEYS", "200")
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    sys.stdin.read()
    server.stop()


def _serve_sftp(program: str, settings: str) -> None:
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam(sftp_user())
        account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    log = str(Path(settings).parent / "log")
    Path(log).touch()
    Path(log).chmod(0o666)
    sshd = subprocess.Popen([program, "-D", "-f", settings, "-E", log], umask=0, stderr=subprocess.DEVNULL, **account)
    print("started", flush=True)
    sys.stdin.read()
    sshd.terminate()
    sshd.wait()


_SERVERS: Mapping[str, Callable[..., None]] = {"s3": _serve_s3, "sftp": _serve_sftp}

if __name__ == "__main__":
    _SERVERS[sys.argv[1]](*sys.argv[2:])

"""What the tests of far places stand on: an empty place each, somebody between who counts and spoils, a Kaggle of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remotes.between import Between, between
from tests.remotes.kaggle_server import KaggleServer, serving
from tests.remotes.servers import s3_environment, s3_server
from tests.simcache.contract import S3Backdoor


@pytest.fixture
def bucket(tmp_path: Path) -> S3Backdoor:
    """An empty prefix on a real S3 server, seen from behind."""
    return S3Backdoor(tmp_path)


@pytest.fixture
def wire(bucket: S3Backdoor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Between]:
    """Stands between this process (with all that it starts) and the server."""
    with between(s3_server().address) as middle:
        for name, value in s3_environment(middle.url).items():
            monkeypatch.setenv(name, value)
        yield middle


@pytest.fixture(autouse=True)
def no_credentials_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the tests may do elsewhere is no business of theirs."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def kaggle(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    """A Kaggle for this test, which the real client of this process and of its children speaks with."""
    del home  # the client looks there for credentials, and the store keeps there what is not published yet
    with serving() as server:
        server.folder = tmp_path / "kernels"
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server
        assert server.leaks == []

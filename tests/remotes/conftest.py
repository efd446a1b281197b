"""What tests of remotes stand on: a Kaggle of their own, and an environment that leads to nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remotes.kaggle_server import KaggleServer, serving


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

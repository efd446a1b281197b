"""What tests of the cache share: a checkout with a store of its own, and the Python that looks at it."""

from collections.abc import Iterator
from compileall import compile_dir
from pathlib import Path

import pytest

from tests.simcache.world import CALLEE, MODULE, ROOT, Tools, World, package


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Tools]:
    compile_dir(ROOT / "simcache", quiet=2)  # the children write no bytecode, so they would compile it anew each time
    made = Tools(tmp_path_factory.mktemp("tools"), forks=not request.config.getoption("--deep"))
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, tools: Tools) -> World:
    return World(tmp_path / "checkout", tmp_path / "store", tools)


@pytest.fixture
def twelve(world: World) -> World:
    """A checkout whose f(x) is 12 x: 2 x from the function's module, 10 x from another one."""
    world.write(package(MODULE, callee=CALLEE))
    return world

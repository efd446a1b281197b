"""A cached simulation: a scenario goes in, a result with arrays comes out, and both are plain dataclasses."""

from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from simcache import Cache, cached

folder = TemporaryDirectory()
runs: list[str] = []


@dataclass(frozen=True)
class Scenario:
    """A ring road with a traffic light. All that the result depends on stands here, so all of it is in the key."""

    name: str
    start: np.ndarray[Any, Any]
    green: int = 30


@dataclass(frozen=True)
class Result:
    """Density by second and cell, and how many cars passed; found through `-> Result`, so that no stored code need run."""

    density: np.ndarray[Any, Any]
    passed: float


@cached(cache=Cache(folder.name))
def simulate(scenario: Scenario, seconds: int = 600) -> Result:
    runs.append(scenario.name)
    density, passed = [scenario.start], 0.0
    for second in range(seconds):
        send, room = np.minimum(density[-1], 0.5), np.roll(np.maximum(density[-1], 0.5), -1)
        flow = np.minimum(send * (1 - send), room * (1 - room))
        flow[-1] *= second % 60 < scenario.green
        density.append(density[-1] + 0.6 * (np.roll(flow, 1) - flow))
        passed += float(flow[-1])
    return Result(np.stack(density), passed)


monday = Scenario("monday", np.full(100, 0.175))
first, again = simulate(monday), simulate(replace(monday, start=np.full((100, 1), 0.175)[:, 0]))
assert runs == ["monday"]
assert again.density.tobytes() == first.density.tobytes()
print(f"computed once: {again.passed:.1f} cars passed, {again.density.shape[1]} cells of {again.density.dtype} came back bit for bit")

assert not again.density.flags.writeable
print("a large array comes back as a read-only map of the file: copy it before you change it")

busier = simulate(replace(monday, start=monday.start + 0.0375))
assert runs == ["monday", "monday"]
print(f"the same name on a busier road is another run: {busier.passed:.1f} cars passed")

assert simulate.key(replace(monday, green=30)) == simulate.key(monday)
assert len({simulate.key(replace(monday, green=green)) for green in (29, 30, 31)}) == 3
print("a field left at its default equals the same field given; every other value is another key")

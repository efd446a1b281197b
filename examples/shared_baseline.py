"""A baseline shared by two trainings, and an incident retold: how a stale baseline turned +12 % into -42.8 %.

It had been kept under its scenario's *name*. The name stayed when the density went from 0.175 to 0.2125, and from then on
every controller on the fuller road was measured against the emptier one. Here the key is the scenario itself.
"""

from dataclasses import dataclass
from tempfile import TemporaryDirectory

from simcache import Cache, cached

folder = TemporaryDirectory()
cache = Cache(folder.name)
computed: list[str] = []


@dataclass(frozen=True)
class Scenario:
    """A crossing: a road of some density meets a street."""

    name: str
    density: float


def delay(scenario: Scenario, green: float) -> float:
    """Seconds that a car waits at a light with this share of green (Webster 1958); stands for an hour of simulation."""
    loads = {2.6 * scenario.density * (1 - scenario.density): green, 0.35: 1 - green}
    waits = [30 * load * (1 - share) ** 2 / (1 - load) + (load / share) ** 2 / (1 - load / share) for load, share in loads.items()]
    return sum(waits) / sum(loads)


@cached(cache=cache)
def baseline(scenario: Scenario) -> float:
    computed.append("baseline")
    return delay(scenario, 0.5)


@cached(cache=cache)
def train(scenario: Scenario, learning_rate: float, steps: int = 300) -> float:
    computed.append("training")
    green = 0.5
    for _ in range(steps):
        green -= learning_rate * (delay(scenario, green + 1e-6) - delay(scenario, green - 1e-6)) / 2e-6
    return 1 - delay(scenario, green) / baseline(scenario)


before, now = Scenario("victoria", 0.175), Scenario("victoria", 0.2125)
gains = [train(now, learning_rate) for learning_rate in (1e-6, 1e-4)]
assert computed == ["training", "baseline", "training"]
print(f"two trainings, one baseline: they save {gains[0]:.1%} and {gains[1]:.1%}")

assert baseline.key(before) != baseline.key(now)
print(f"the other road with this name is another key: {baseline.explain(before).differences[0]}")

kept_by_name = {before.name: baseline(before)}  # what the cache of the incident held
wrong = 1 - (1 - gains[1]) * baseline(now) / kept_by_name[now.name]
assert wrong < 0 < gains[1]
print(f"against the baseline of the name, the second training would have seemed to save {wrong:.1%}")

"""A run that is cut by SIGTERM, as on a cluster, and resumed: nothing is lost, and the numbers are those of one straight run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from simcache import Cache, Step, cached

computed: list[int] = []


@cached(every=20)
def training(learning_rate: float, *, resume: Any = None) -> Iterator[Step[float]]:
    """Learns a line from noisy points. Everything that it goes on from is in the state: weights, step, random numbers."""
    rng = np.random.default_rng(1)
    weights, step = np.zeros(2), 0
    if resume is not None:
        weights, step, rng.bit_generator.state = resume
    while True:
        computed.append(step)
        x = rng.normal(size=32)
        error = weights[0] + weights[1] * x - (2 + 3 * x + rng.normal(size=32))
        weights = weights - learning_rate * np.array([error.mean(), (error * x).mean()])
        step += 1
        time.sleep(0.002)  # stands for real work
        yield Step(float((error**2).mean()), state=(weights, step, rng.bit_generator.state))


def main() -> None:
    folder = TemporaryDirectory()
    os.environ["SIMCACHE_STORE"] = f"{folder.name}/store"
    run = training(0.02)
    other = subprocess.Popen([sys.executable, __file__, "cut"])
    while run.stored < 40 and other.poll() is None:
        time.sleep(0.01)
    other.send_signal(signal.SIGTERM)
    assert other.wait() == -signal.SIGTERM
    kept = run.stored
    print(f"SIGTERM: the step at hand was finished, {kept} steps are kept")
    losses = run[: kept + 30]
    assert len(computed) == 30
    print(f"30 more steps: computed {computed[0]} to {computed[-1]}, and none twice")

    straight = cached(cache=Cache(f"{folder.name}/straight"))(training.compute)
    assert straight(0.02)[: len(losses)] == losses
    print(f"cut and resumed equals straight, bit for bit: the loss went from {losses[0]:.2f} to {losses[-1]:.2f}")


if __name__ == "__main__":
    if "cut" in sys.argv:
        training(0.02).take(10_000)
    else:
        main()

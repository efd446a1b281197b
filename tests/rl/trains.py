"""Trainings in the small environment as series, in this process or as a program: `python -m tests.rl.trains WINDOWS KIND WORLDS NORMALISE`."""

import sys
from collections.abc import Iterator
from typing import Any

from rl.algorithms import A2c, Dqn, MaskablePpo, Normalise, Ppo
from rl.train import Learner, Window
from simcache import Step, cached
from simcache.codecs.registry import encode
from simcache.series import Series
from tests.rl.little import Crossing

WINDOW = 128
HORIZON = 4096
KINDS = ("dqn", "ppo", "maskable_ppo", "a2c")


def small(kind: str, worlds: int) -> Any:
    """A way to learn of which a window takes a moment: two minibatches a rollout, so that their order is drawn, and one rollout or more a window."""
    rollout = max(2, min(8, WINDOW // worlds))
    halves: dict[str, Any] = {"net": (16,), "rollout_steps": rollout, "batch": rollout * worlds // 2, "epochs": 2}
    if kind == "dqn":
        return Dqn(net=(16,), learning_starts=192, buffer_steps=640, batch=32, target_every=128)
    if kind == "a2c":
        return A2c(net=(16,), rollout_steps=2)
    return Ppo(**halves, learning_rate_at_end=1e-4) if kind == "ppo" else MaskablePpo(**halves)


def learner(kind: str, worlds: int, *, normalise: bool, seed: int = 3) -> Learner:
    return Learner(Crossing(worlds, seed), small(kind, worlds), seed, HORIZON, Normalise() if normalise else None)


@cached(every=1)
def training(kind: str, worlds: int, normalise: bool, *, resume: Any = None) -> Iterator[Step[Window]]:
    """The small training, one segment a window."""
    run = learner(kind, worlds, normalise=normalise)
    if resume is not None:
        run.restore(resume)
    window = run.steps // WINDOW
    while True:
        window += 1
        yield Step(run.advance(window * WINDOW), state=run.snapshot)


def bytes_of(value: Any) -> bytes:
    """The value as the bytes that a store keeps of it."""
    return b"".join(bytes(chunk) for chunk in encode(value, into=type(value)).chunks)


def stored(series: Series[Any]) -> list[tuple[str, ...]]:
    """What is kept of each window, items and state, by the digests of the bytes."""
    return [tuple(entry.named(held).sha256 for held in (entry.value, entry.state) if held is not None) for entry in series.segments]


if __name__ == "__main__":
    training(sys.argv[2], int(sys.argv[3]), sys.argv[4] == "True").take(int(sys.argv[1]))

"""A training that was cut and resumed is the training that was not, bit for bit; and every stored part is needed for that."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rl.capture import PARTS
from simcache import Cache, cached
from simcache.series import Series
from tests.rl.trains import KINDS, WINDOW, bytes_of, learner, stored, training

ROOT = Path(__file__).parents[2]
CUTS = 5
EVERY = [(kind, worlds, normalise) for kind in KINDS for worlds in (1, 64) for normalise in (False, True)]
EACH_ONCE = [
    ("dqn", 64, True),
    ("ppo", 1, True),
    ("maskable_ppo", 4, True),
    pytest.param("dqn", 1, False, marks=pytest.mark.deep),
    pytest.param("ppo", 64, False, marks=pytest.mark.deep),
    pytest.param("a2c", 4, False, marks=pytest.mark.deep),
]


def series(store: Path, kind: str, worlds: int, normalise: bool) -> Series[Any]:
    run: Series[Any] = cached(every=1, cache=Cache(str(store)))(training.compute)(kind, worlds, normalise)
    return run


@contextmanager
def started(store: Path, windows: int, *given: object) -> Iterator[subprocess.Popen[str]]:
    """The training in a process of its own, which does not outlive the test."""
    command = [sys.executable, "-m", "tests.rl.trains", str(windows), *map(str, given)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SIMCACHE_STORE": str(store)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def finish(store: Path, windows: int, *given: object) -> None:
    with started(store, windows, *given) as process:
        _, complaint = process.communicate(timeout=100)
        assert (process.returncode, complaint) == (0, "")


@pytest.mark.parametrize(("kind", "worlds", "normalise"), EACH_ONCE)
def test_a_learner_goes_on_from_its_state(kind: str, worlds: int, normalise: bool) -> None:
    """Another learner that is given the state ends where the first one does: every window and the whole state are equal."""
    straight = learner(kind, worlds, normalise=normalise)
    straight.advance(2 * WINDOW)
    state = straight.snapshot()
    resumed = learner(kind, worlds, normalise=normalise, seed=99)
    resumed.restore(state)

    for until in (3 * WINDOW, 7 * WINDOW):
        assert bytes_of(resumed.advance(until)) == bytes_of(straight.advance(until))
    assert bytes_of(resumed.snapshot()) == bytes_of(straight.snapshot())


@pytest.mark.parametrize(("kind", "worlds", "normalise"), [("dqn", 64, True), ("ppo", 64, False)])
def test_a_window_more_or_less_changes_nothing(kind: str, worlds: int, normalise: bool) -> None:
    """How the steps are parted into windows is no part of the training: the schedules follow the horizon."""
    one, many = (learner(kind, worlds, normalise=normalise) for _ in range(2))
    for window in range(1, 9):
        many.advance(window * WINDOW)

    assert bytes_of(one.advance(8 * WINDOW).policy) == bytes_of(many.policy())
    assert bytes_of(one.snapshot()) == bytes_of(many.snapshot())


def test_whatever_else_draws_random_numbers() -> None:
    """Two trainings by turns, and a user who draws in between, give what each gives alone; and the user's numbers are the user's own."""
    alone = learner("dqn", 4, normalise=False)
    expected = bytes_of(alone.advance(4 * WINDOW).policy)
    np.random.seed(5)  # noqa: NPY002 - what a user does
    torch.manual_seed(5)
    drawn = [np.random.random(3).tolist(), torch.rand(3).tolist()]  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    threads = torch.get_num_threads()

    turns, other = learner("dqn", 4, normalise=False), learner("ppo", 4, normalise=False)
    turns.advance(2 * WINDOW)
    other.advance(WINDOW)
    seen = [np.random.random(3).tolist(), torch.rand(3).tolist()]  # noqa: NPY002
    turns.advance(4 * WINDOW)

    assert bytes_of(turns.policy()) == expected
    assert seen == drawn
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("kind", "worlds", "normalise"), [("dqn", 64, True), pytest.param("ppo", 4, False, marks=pytest.mark.deep)])
def test_train_1000_then_2000_in_a_new_process(tmp_path: Path, kind: str, worlds: int, normalise: bool) -> None:
    """Eight windows here, and eight more in a new process, leave the very bytes of sixteen in one go."""
    cut, straight = (series(tmp_path / name, kind, worlds, normalise) for name in ("cut", "straight"))
    cut.take(8)
    finish(tmp_path / "cut", 16, kind, worlds, normalise)
    straight.take(16)

    assert cut.stored == straight.stored == 16
    assert stored(cut) == stored(straight)


@pytest.mark.deep
def test_a_training_cut_by_sigterm(tmp_path: Path) -> None:
    """SIGTERM at a random moment, and once more: what is stored is what one straight run stores."""
    _cut_and_compare(tmp_path, signal.SIGTERM, 2, "dqn", 64, True)


def test_a_training_cut_by_kill_9(tmp_path: Path) -> None:
    """A kill -9 loses the window at hand; the next run goes on from the last segment."""
    _cut_and_compare(tmp_path, signal.SIGKILL, 2, "ppo", 64, True)


@pytest.mark.deep
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize(("kind", "worlds", "normalise"), [given for given in EVERY if given[0] in {"dqn", "ppo"}])
def test_trainings_cut_five_times(tmp_path: Path, number: int, kind: str, worlds: int, normalise: bool) -> None:
    """DQN and PPO, one world and 64, with and without normalisation, cut five times by each signal."""
    _cut_and_compare(tmp_path, number, CUTS, kind, worlds, normalise)


@pytest.mark.deep
@pytest.mark.parametrize(("kind", "worlds", "normalise"), EVERY)
def test_every_kind_goes_on_in_a_new_process(tmp_path: Path, kind: str, worlds: int, normalise: bool) -> None:
    """The whole matrix: 1024 steps, a new process, 2048; and 2048 in one go."""
    for windows in (8, 16):
        finish(tmp_path / "cut", windows, kind, worlds, normalise)
    finish(tmp_path / "straight", 16, kind, worlds, normalise)

    cut, straight = (series(tmp_path / name, kind, worlds, normalise) for name in ("cut", "straight"))
    assert stored(cut) == stored(straight)


def _cut_and_compare(place: Path, number: int, cuts: int, *given: Any) -> None:
    rng, run = random.Random(f"{given} {number}"), series(place / "cut", *given)
    reached = 0
    for _ in range(cuts):
        with started(place / "cut", 10_000, *given) as process:
            while run.stored < reached + 2 and process.poll() is None:
                time.sleep(0.005)
            time.sleep(rng.random() * 0.3)
            process.send_signal(number)
            _, complaint = process.communicate(timeout=60)
            assert (process.returncode, complaint) == (-number, "")
        reached = run.stored
    windows, straight = reached + 3, series(place / "straight", *given)
    for each in (run, straight):  # in this process, which is another one again
        each.take(windows)

    assert stored(run) == stored(straight)
    assert run.stored == windows


# -- each stored part is needed

LEAVES = {
    "modules.policy": "dqn",
    "modules.policy.optimizer": "dqn",
    "counters.num_timesteps": "dqn",
    "counters._n_calls": "dqn",
    "counters._n_updates": "ppo",
    "counters._episode_num": "dqn",
    "counters.exploration_rate": "dqn",
    "seen._last_obs": "dqn",
    "seen._last_original_obs": "dqn",
    "replay.observations": "dqn",
    "replay.next_observations": "dqn",
    "replay.actions": "dqn",
    "replay.rewards": "dqn",
    "replay.dones": "dqn",
    "replay.timeouts": "dqn",
    "place.pos": "dqn",
    "place.full": "dqn",
    "random.numpy": "dqn",
    "random.torch": "ppo",
    "actions": "dqn, early",
    "world": "ppo",
    "normal.ret_rms": "ppo",
    "normal.obs_rms": "ppo",
    "normal.returns": "ppo",
}
"""Every leaf of the state, and a training in which the next windows depend on it."""
UNREAD = {"seen._last_episode_starts"}
"""Kept, but none of these algorithms reads it: it is the first row of a rollout, and advantages look at the rows after that."""


def test_the_guards_know_every_part() -> None:
    """A part that is added to the state is added to the table above."""
    named = set()
    for kind in ("dqn", "ppo"):
        run = learner(kind, 64, normalise=True)
        run.advance(WINDOW)
        state = run.snapshot()
        for part in PARTS:
            held = state[part.name]
            if part.name in {"actions", "world"}:
                named.add(part.name)
            elif held is not None:
                named |= {f"{part.name}.{leaf}" for leaf in held}

    assert named == LEAVES.keys() | UNREAD


@pytest.mark.parametrize(("leaf", "how"), LEAVES.items())
def test_nothing_stored_may_be_left_out(leaf: str, how: str) -> None:
    """With one leaf as a new learner has it, and all others as they were stored, the resumed training is another one."""
    kind = how.split(",", maxsplit=1)[0]
    before = WINDOW if how.endswith("early") else 8 * WINDOW
    whole, after = straight_on(kind, before)
    resumed, fresh = (learner(kind, 64, normalise=True, seed=99) for _ in range(2))
    spoilt = {name: dict(held) if isinstance(held, dict) else held for name, held in whole.items()}
    part, _, inner = leaf.partition(".")
    new = fresh.snapshot()[part]
    if inner:
        spoilt[part][inner] = new[inner]
    else:
        spoilt[part] = new
    resumed.restore(spoilt)

    resumed.advance(before + 4 * WINDOW)
    assert bytes_of(resumed.snapshot()) != after


@cache
def straight_on(kind: str, before: int) -> tuple[dict[str, Any], bytes]:
    """The state after so many steps, and the bytes of that of four windows later: the whole state leads there, and is not spoilt by that."""
    straight = learner(kind, 64, normalise=True)
    straight.advance(before)
    whole = straight.snapshot()
    kept = bytes_of(whole)
    resumed = learner(kind, 64, normalise=True, seed=99)
    resumed.restore(whole)
    for run in (straight, resumed):
        run.advance(before + 4 * WINDOW)
    after = bytes_of(straight.snapshot())

    assert bytes_of(resumed.snapshot()) == after
    assert bytes_of(whole) == kept
    return whole, after

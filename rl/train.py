"""A training as a thing that goes on: windows of steps, and between them a state from which another process goes on to the same bits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from rl.algorithms import AnyAlgorithm, Normalise
from rl.capture import Randomness, State, capture, restore

Pulse = Callable[[int], None]
"""Told how many steps there are, after every step of the worlds."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What was learned, without what learned it: the weights, and how observations are brought to mean 0 and spread 1."""

    weights: dict[str, Any]
    mean: Any = None
    spread: Any = None
    clip: float = 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """What a window of training gave. It holds no clock: equal trainings have equal windows."""

    steps: int
    """Since the beginning, of all worlds together."""
    reward: float
    """Mean of a decision in this window, as the task gives it."""
    policy: Policy
    """At the window's end."""


class Learner:
    """An algorithm in an environment of many worlds, made afresh from its settings."""

    def __init__(
        self,
        env: VecEnv,
        algorithm: AnyAlgorithm,
        seed: int,
        horizon_steps: int,
        normalise: Normalise | None = None,
        *,
        agents: int = 1,
        pulse: Pulse | None = None,
    ) -> None:
        """`env` offers `snapshot()` and `restore()`, and has so many agents in each world; nothing is run yet."""
        self._agents = agents
        self._random = Randomness()
        self._tally = _Tally(pulse, agents)
        with self._random:
            if normalise is not None:
                env = VecNormalize(
                    env, norm_obs=normalise.observations, norm_reward=normalise.rewards, clip_obs=normalise.clip, gamma=algorithm.gamma
                )
            self.model = algorithm.make(env, seed, horizon_steps * agents)
        self.model.set_logger(Logger(None, []))

    @property
    def steps(self) -> int:
        """Decisions since the beginning, of all worlds together."""
        return int(self.model.num_timesteps) // self._agents

    def advance(self, until: int) -> Window:
        """Learn until so many steps are done: to the end of the first rollout that reaches them."""
        self._tally.begin()
        with self._random:
            if until > self.steps:
                more = until * self._agents - self.model.num_timesteps
                self.model.learn(more, callback=self._tally, log_interval=None, reset_num_timesteps=False)
        return Window(self.steps, self._tally.mean(), self.policy())

    def policy(self) -> Policy:
        """As it is now; a copy."""
        weights = {name: tensor.detach().clone() for name, tensor in self.model.policy.state_dict().items()}
        env = self.model.get_vec_normalize_env()
        if env is None or not env.norm_obs:
            return Policy(weights)
        return Policy(weights, np.array(env.obs_rms.mean), np.sqrt(env.obs_rms.var + env.epsilon), float(env.clip_obs))

    def snapshot(self) -> State:
        """Everything that the next window depends on."""
        with self._random:
            return capture(self.model)

    def restore(self, state: State) -> None:
        """Go on from a snapshot of a learner with the same settings."""
        with self._random:
            restore(self.model, state)

    def export(self, path: str) -> list[str]:
        """Write what Stable-Baselines3 goes on from, as it keeps it: the model, and beside it statistics and replay; gives all paths.

        Its own `load` runs what is pickled in such files: hand them to those who trust you.
        """
        written, stem = [path], path.removesuffix(".zip")
        # Opened here: given a path, the library makes folders, and another name where there is a folder of this one.
        with Path(path).open("wb") as file:
            self.model.save(file)
        env = self.model.get_vec_normalize_env()
        if env is not None:
            written.append(f"{stem}.vecnormalize.pkl")
            env.save(written[-1])
        if isinstance(self.model, OffPolicyAlgorithm):
            written.append(f"{stem}.replay.pkl")
            with Path(written[-1]).open("wb") as file:
                self.model.save_replay_buffer(file)
        return written


class _Tally(BaseCallback):  # type: ignore[misc]
    """Counts rewards, and passes the steps on; it draws no random numbers and holds nothing from one window to the next."""

    def __init__(self, pulse: Pulse | None, agents: int) -> None:
        super().__init__()
        self._pulse = pulse
        self._agents = agents
        self._sum = 0.0
        self._count = 0

    def begin(self) -> None:
        self._sum, self._count = 0.0, 0

    def mean(self) -> float:
        return self._sum / self._count if self._count else 0.0

    def _on_step(self) -> bool:
        env = self.model.get_vec_normalize_env()
        rewards = self.locals["rewards"] if env is None else env.old_reward
        self._sum += float(np.sum(rewards, dtype=np.float64))
        self._count += len(rewards)
        if self._pulse is not None:
            self._pulse(self.num_timesteps // self._agents)
        return True

"""A small environment with all that a real one has: state, random numbers, episodes that end, masks, snapshot and restore."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

LENGTH = 30
ROOM = 20.0


class Crossing(VecEnv):
    """Worlds with two queues and one green: serve either, but a change costs a step. An episode lasts thirty decisions."""

    def __init__(self, worlds: int, seed: int = 0) -> None:
        self.num_envs, self.render_mode = worlds, None  # asked for before they are set
        super().__init__(worlds, spaces.Box(-1.0, 5.0, (4,), np.float32), spaces.Discrete(2))
        self._rng = np.random.default_rng(seed)
        self._queues = np.zeros((worlds, 2))
        self._green = np.zeros(worlds, np.int64)
        self._clock = np.arange(worlds) % LENGTH  # so that not all episodes end at once
        self._asked = np.zeros(worlds, np.int64)

    def reset(self) -> Any:
        self._queues[:], self._green[:] = 0.0, 0
        return self._seen()

    def step_async(self, actions: Any) -> None:
        self._asked = np.asarray(actions)

    def step_wait(self) -> Any:
        served = np.where(self._asked == self._green, 3.0, 0.0)
        self._green = self._asked.copy()
        self._queues += self._rng.poisson((0.6, 1.4), self._queues.shape)
        rows = np.arange(self.num_envs)
        self._queues[rows, self._green] -= np.minimum(served, self._queues[rows, self._green])
        rewards = (-self._queues.sum(axis=1) / ROOM).astype(np.float32)
        self._clock += 1
        done = self._clock == LENGTH
        infos: list[dict[str, Any]] = [{} for _ in rows]
        last = self._seen()
        for row in np.flatnonzero(done):
            infos[row] = {"terminal_observation": last[row], "TimeLimit.truncated": True}
        self._queues[done], self._green[done], self._clock[done] = 0.0, 0, 0
        return self._seen(), rewards, done, infos

    def _seen(self) -> Any:
        return np.column_stack((self._queues / ROOM, self._green, self._clock / LENGTH)).astype(np.float32)

    def snapshot(self) -> dict[str, Any]:
        arrays = {"queues": self._queues.copy(), "green": self._green.copy(), "clock": self._clock.copy()}
        return arrays | {"rng": self._rng.bit_generator.state}

    def restore(self, snapshot: dict[str, Any]) -> None:
        self._queues, self._green, self._clock = (np.array(snapshot[name]) for name in ("queues", "green", "clock"))
        self._rng.bit_generator.state = snapshot["rng"]

    def action_masks(self) -> Any:
        return np.ones((self.num_envs, 2), bool)

    def close(self) -> None:
        pass

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, method_name: str, *arguments: Any, indices: Any = None, **named: Any) -> list[Any]:
        answer = getattr(self, method_name)(*arguments, **named)
        return [answer[row] for row in self._rows(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * len(self._rows(indices))

    def _rows(self, indices: Any) -> Sequence[int]:
        return range(self.num_envs) if indices is None else [indices] if isinstance(indices, int) else list(indices)

"""A task as Stable-Baselines3 wants it: an environment for each agent of each world, all in one process and one array."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv as Base

from arz.given import integer, of_kind
from rl.spaces import action_space, observation_space
from rl.task import Task
from rl.tasks import refuse_options

Array = NDArray[Any]
Indices = None | int | Sequence[int]
PER_ENV = {"action_masks"}
"""Methods whose first axis is the environment: each is given its own row."""


class VecEnv(Base):  # type: ignore[misc]
    """Environment world·agents + agent is that agent of that world. Episodes begin by themselves, within the step that ends one.

    `info["terminal_observation"]` is what was seen last, `info["TimeLimit.truncated"]` says that nothing but time ended the episode,
    `info["episode"]` what came of it.
    """

    def __init__(self, task: Task) -> None:
        self.task = of_kind(Task, "task", task, "give a Task, such as rl.Task(rl.ready('Corridor'), 8)")
        self.render_mode = None
        self._actions: Array | None = None
        super().__init__(task.count * task.agent_count, observation_space(task), action_space(task))

    def reset(self) -> Array:
        """With the seeds of `seed`, each once; or else the next episode of every world, the first time by chance."""
        given = self._seeds[:: self.task.agent_count]
        if all(seed is None for seed in given):
            seeds = None if self.task.begun else np.random.default_rng().integers(0, 2**63, self.task.count).tolist()
        else:
            seeds = given
        self._reset_seeds()
        self._reset_options()
        self.reset_infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        return self._flat(self.task.reset(seeds))

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """World w gets the seed + w at the next reset; the agents of one world share it."""
        start = int(np.random.default_rng().integers(0, 2**32)) if seed is None else integer("seed", seed, "give a whole number, or None")
        self._seeds = [start + env // self.task.agent_count for env in range(self.num_envs)]
        return self._seeds

    def step_async(self, actions: Array) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Array, Array, Array, list[dict[str, Any]]]:
        if self._actions is None:
            raise RuntimeError("step_wait() without step_async(); call step()")
        done = self.task.step(self._actions)
        self._actions = None
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if done.final_observation is not None and done.episode_return is not None:
            last, returns = self._flat(done.final_observation), done.episode_return.ravel().tolist()
            for info, seen, total in zip(infos, last, returns, strict=True):
                info["terminal_observation"] = seen
                info["TimeLimit.truncated"] = True
                info["episode"] = {"r": total, "l": self.task.spec.decisions}
        dones = np.repeat(done.terminated | done.truncated, self.task.agent_count)
        return self._flat(done.observation), done.reward.ravel(), dones, infos

    def action_masks(self) -> Array:
        """bool[environment, all slots' numbers in a row]."""
        return self._flat(self.task.action_masks())

    def snapshot(self) -> dict[str, Any]:
        """Between two steps: all that is needed to go on to the last bit."""
        return self.task.snapshot()

    def restore(self, snapshot: dict[str, Any]) -> Array:
        """Goes back, or on, to where a snapshot was taken; gives the observation there. Seeds that still wait for a reset are forgotten."""
        self._reset_seeds()
        return self._flat(self.task.restore(snapshot))

    def close(self) -> None:
        """There is nothing to close: the simulator stays for the next task."""

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """For all environments at once: they are one object."""
        if indices is not None and len(list(self._get_indices(indices))) < self.num_envs:
            raise NotImplementedError(f"{attr_name!r} cannot be set for some environments: they are one object; leave the indices out")
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any) -> list[Any]:
        """Each environment's row of the methods that have one; of others what the whole gives, called once, for each."""
        value = getattr(self, method_name)(*method_args, **method_kwargs)
        wanted = list(self._get_indices(indices))
        return [value[env] for env in wanted] if method_name in PER_ENV else [value for _ in wanted]

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        del wrapper_class
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[Array | None]:
        return [None] * self.num_envs

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Nothing can be chosen at a reset: what is given is refused."""
        refuse_options(options)
        self._reset_options()

    def _flat(self, values: Array) -> Array:
        return values.reshape(self.num_envs, *values.shape[2:])

"""A task as Gymnasium's own vector environments are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector import VectorEnv as Base
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from arz import Invalid
from arz.given import integer
from rl.spaces import action_space, observation_space
from rl.task import Task, TaskSpec
from rl.tasks import chosen, refuse_options

Array = NDArray[Any]


class VectorEnv(Base):  # type: ignore[misc]
    """Environment world·agents + agent is that agent of that world; the next episode begins within the step that ends one.

    What was seen last is `infos["final_obs"]` then.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 - as Gymnasium has it

    def __init__(self, task: str = "VictoriaIsland", num_envs: int = 1, *, spec: TaskSpec | None = None, **changes: Any) -> None:
        """`num_envs` counts worlds; with shared agents there are as many environments as agents in all of them."""
        self.task = Task(chosen(task, spec, changes), num_envs)
        self.num_envs = self.task.count * self.task.agent_count
        self.single_observation_space = observation_space(self.task)
        self.single_action_space = action_space(self.task)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.render_mode = None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """A number is the first world's seed, those after it count on; or one for each world; None goes on to the next episodes."""
        refuse_options(options)
        worlds = self.task.count
        if seed is None and self.task.begun:
            return self._flat(self.task.reset()), {}
        if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str):
            if any(each is None for each in seed):
                raise Invalid("seed", "has no number for some worlds", "give all, or none: worlds begin together")
            return self._flat(self.task.reset([each for each in seed if each is not None])), {}
        given = None if seed is None else integer("seed", seed, "give a whole number, one for each world, or None")
        super().reset(seed=given)
        first = int(self.np_random.integers(2**62)) if given is None else given
        return self._flat(self.task.reset([first + world for world in range(worlds)])), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        task = self.task
        done = task.step(actions)
        infos: dict[str, Any] = {}
        if done.final_observation is not None and done.episode_return is not None:
            every = np.ones(self.num_envs, bool)
            last = np.empty(self.num_envs, object)
            last[:] = list(self._flat(done.final_observation))
            ended = {"r": done.episode_return.ravel(), "_r": every, "l": np.full(self.num_envs, task.spec.decisions), "_l": every}
            infos = {"final_obs": last, "_final_obs": every, "final_info": {"episode": ended, "_episode": every}, "_final_info": every}
        ends = (np.repeat(each, task.agent_count) for each in (done.terminated, done.truncated))
        terminated, truncated = ends
        return self._flat(done.observation), done.reward.ravel().astype(np.float64), terminated, truncated, infos

    def action_masks(self) -> Array:
        """bool[environment, all slots' numbers in a row]."""
        return self._flat(self.task.action_masks())

    def _flat(self, values: Array) -> Array:
        return values.reshape(self.num_envs, *values.shape[2:])

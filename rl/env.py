"""One world as Gymnasium wants it."""

from typing import Any, SupportsFloat

import gymnasium
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from arz import Invalid
from rl.moment import Moment
from rl.spaces import action_space, observation_space
from rl.task import Task, TaskSpec
from rl.tasks import chosen, refuse_options

Array = NDArray[Any]


class Env(gymnasium.Env):  # type: ignore[misc]
    """A ready task by name with some fields changed, or any task by its spec; one agent decides for all sites.

    The same seed begins the same day, always. `reset()` without a seed goes on to the next day; the first one is then left to chance.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium has it

    def __init__(self, task: str = "VictoriaIsland", *, spec: TaskSpec | None = None, **changes: Any) -> None:
        made = chosen(task, spec, changes)
        if made.agents == "shared":
            remedy = "choose multi or joint, or take VecEnv, VectorEnv or ParallelEnv"
            raise Invalid("agents", "is 'shared', but this environment has one agent", remedy)
        self.task = Task(made)
        self.observation_space = observation_space(self.task)
        self.action_space = action_space(self.task)
        self.render_mode = None
        self._next = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        refuse_options(options)
        super().reset(seed=seed)
        if seed is None and self._next:
            seen = self.task.observe(self.task.worlds.moment)  # the task has begun the next episode already
        elif seed is None and self.task.begun:
            seen = self.task.reset()
        else:
            seen = self.task.reset([int(self.np_random.integers(2**63)) if seed is None else seed])
        self._next = False
        return seen[0, 0], self._info(self.task.worlds.moment)

    def step(self, action: Any) -> tuple[Array, SupportsFloat, bool, bool, dict[str, Any]]:
        if self._next:
            raise ResetNeeded("the episode is over; call reset()")
        done = self.task.step(action)
        over = bool(done.truncated[0])
        self._next = over
        seen = done.observation if done.final_observation is None else done.final_observation
        return seen[0, 0], float(done.reward[0, 0]), bool(done.terminated[0]), over, self._info(done.moment)

    def action_masks(self) -> Array:
        """bool[all slots' numbers in a row], as MaskablePPO reads it."""
        masks: Array = self.task.action_masks()[0, 0]
        return masks

    def _info(self, moment: Moment) -> dict[str, Any]:
        measures = moment.measures
        return {
            "time_s": moment.time_s,
            "delay_veh_s": float(measures.delay.sum()),
            "queue_veh": float(measures.queue.sum()),
            "waiting_veh": float(measures.waiting.sum()),
            "left_veh": float(measures.left.sum()),
        }

"""One world as PettingZoo's parallel interface wants it: an agent at every signal, meter or section."""

from typing import Any

import numpy as np
from gymnasium import Space
from numpy.typing import NDArray

from arz import Invalid
from rl.spaces import action_space, observation_space
from rl.task import Task, TaskSpec
from rl.tasks import chosen

try:
    from pettingzoo import ParallelEnv as Base
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("ParallelEnv stands on PettingZoo, which is not here: pip install pettingzoo", name="pettingzoo") from missing

Array = NDArray[Any]


class ParallelEnv(Base):  # type: ignore[misc]
    """A ready task by name with some fields changed, or any task by its spec; its agents are `shared`, whatever the spec says.

    `infos[agent]["action_mask"]` tells which actions make sense now. All agents end together, at the horizon.
    """

    metadata = {"name": "rl_v0", "render_modes": []}  # noqa: RUF012 - as PettingZoo has it

    def __init__(self, task: str = "VictoriaIsland", *, spec: TaskSpec | None = None, **changes: Any) -> None:
        self.task = Task(chosen(task, spec, changes).model_copy(update={"agents": "shared"}))
        self.possible_agents = list(self.task.agents.names)
        self.agents: list[str] = []
        self.render_mode = None
        self.observation_spaces = {agent: observation_space(self.task) for agent in self.possible_agents}
        self.action_spaces = {agent: action_space(self.task) for agent in self.possible_agents}
        self._next = False

    def observation_space(self, agent: str) -> Space[Any]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
        del options  # nothing can be chosen at a reset; PettingZoo's own tests give some
        if seed is None and self._next:
            seen = self.task.observe(self.task.worlds.moment)  # the task has begun the next episode already
        elif seed is None and self.task.begun:
            seen = self.task.reset()
        else:
            seen = self.task.reset([int(np.random.default_rng().integers(2**63)) if seed is None else seed])
        self._next = False
        self.agents = list(self.possible_agents)
        return self._named(seen[0]), self._infos()

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Array], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        missing = [agent for agent in self.agents if agent not in actions]
        if missing or not self.agents:
            raise Invalid(
                "actions", f"name nothing for {', '.join(missing) or 'an episode that is over'}", "give each agent one, after reset()"
            )
        done = self.task.step(np.array([[int(actions[agent]) for agent in self.agents]]))
        over = bool(done.truncated[0])
        seen = done.observation if done.final_observation is None else done.final_observation
        reward = {agent: float(each) for agent, each in zip(self.agents, done.reward[0], strict=True)}
        result = (self._named(seen[0]), reward, dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, over), self._infos())
        self._next = over
        if over:
            self.agents = []
        return result

    def _named(self, seen: Array) -> dict[str, Array]:
        return dict(zip(self.possible_agents, seen, strict=True))

    def _infos(self) -> dict[str, dict[str, Any]]:
        masks = self.task.action_masks()[0]
        return {agent: {"action_mask": mask.astype(np.int8)} for agent, mask in zip(self.possible_agents, masks, strict=True)}

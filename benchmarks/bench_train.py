"""How fast do DQN and PPO learn, from an environment that costs nothing and from the real simulator."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from benchmarks.measure import Question
from rl.algorithms import Dqn, Ppo
from rl.task import Task
from rl.tasks import ready
from rl.train import Learner
from rl.vec_env import VecEnv

WORLDS = 64
FEATURES = 26
ACTIONS = 4


class Free(VecEnv):
    """Sixty-four environments of 26 numbers that cost nothing: what is left is the learner."""

    def __init__(self) -> None:
        self._seen = np.random.default_rng(1).random((WORLDS, FEATURES), np.float32)
        self._infos: list[dict[str, Any]] = [{} for _ in range(WORLDS)]
        self.num_envs, self.render_mode = WORLDS, None
        super(VecEnv, self).__init__(WORLDS, spaces.Box(0.0, 1.0, (FEATURES,), np.float32), spaces.Discrete(ACTIONS))

    def reset(self) -> Any:
        return self._seen.copy()

    def step_wait(self) -> Any:
        return self._seen.copy(), np.zeros(WORLDS, np.float32), np.zeros(WORLDS, bool), self._infos

    def seed(self, seed: int | None = None) -> list[int | None]:
        return [seed] * WORLDS


WAYS: dict[str, Any] = {
    "DQN, 8 updates of 256 a step of all worlds": Dqn(updates=8, learning_starts=0),
    "DQN, one update of 256 a step of all worlds": Dqn(learning_starts=0),
    "PPO, batches of 512": Ppo(rollout_steps=32, batch=512),
    "PPO, batches of 1024": Ppo(rollout_steps=32, batch=1024),
}


def rate(learner: Learner, steps: int) -> Callable[[], float]:
    """Agent's decisions a second, as Stable-Baselines3 counts them, of the next so many."""

    def measure() -> float:
        before, began = learner.model.num_timesteps, time.perf_counter()
        learner.advance(learner.steps + steps)
        return float(learner.model.num_timesteps - before) / (time.perf_counter() - began)

    return measure


def main() -> None:
    with Question("train", __doc__ or "") as question:
        task = Task(ready("VictoriaIsland", agents="shared"), WORLDS // 8)
        for name, algorithm in WAYS.items():
            free = Learner(Free(), algorithm, 1, 1_000_000)
            real = Learner(VecEnv(task), algorithm, 1, 1_000_000, agents=task.agent_count)
            steps = 512 if question.quick else 4_096
            ways = {"an environment that is free": rate(free, steps), "Victoria Island, 8 worlds of 8 agents": rate(real, steps // 8)}
            question.rates(name, ways, "decisions/s", rounds=5)


if __name__ == "__main__":
    main()

"""How fast do DQN and PPO learn, from an environment that costs nothing and from the real simulator, and how long is the start."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from benchmarks.measure import Limit, Question
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


RUN = """
import json, sys, time

def now():
    return time.perf_counter(), time.process_time()

began = now()
import rl.learners
import torch
torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # the first optimizer of a process loads torch's compiler
imported = now()
from rl import pipeline
from rl.experiment import PRESETS, changed
first = []
experiment = changed(PRESETS[sys.argv[1]], {"steps": int(sys.argv[2]), "seeds": [1]})
pipeline.require_sound(experiment)
trained = pipeline.train(experiment, 1, pulse=lambda _: first or first.append(now()))
done = now()
assert trained.complete and trained.computed == experiment.windows
parts = {"torch and Stable-Baselines3": (began, imported), "then, to the first step": (imported, first[0]), "then, to the last step": (first[0], done)}
print(json.dumps({name: [b - a for a, b in zip(*both)] for name, both in parts.items()}))
"""


def whole(preset: str, steps: int) -> dict[str, tuple[float, float]]:
    """A training in a process and a store of its own: the seconds of each part, by the clock and of all processors together."""
    with tempfile.TemporaryDirectory() as store:
        # Compiled code is kept, which is Python's own too.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = {**inherited, "SIMCACHE_STORE": store, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run([sys.executable, "-c", RUN, preset, str(steps)], env=environment, capture_output=True, text=True, check=True)
    answer: dict[str, tuple[float, float]] = json.loads(done.stdout)
    return answer


def measure_whole(question: Question) -> None:
    """From the start of a process to the last step, checks and checkpoints included."""
    runs = 1 if question.quick else 3
    for preset, steps in (("quick", 2_880), ("full", 2_400 if question.quick else 24_000)):
        case = f"preset {preset}, {steps:,} steps, with checks and checkpoints"
        whole(preset, steps)  # compiles
        seen = [whole(preset, steps) for _ in range(runs)]
        for part in seen[0]:
            question.add(case, part, [each[part][0] for each in seen], "s")
            question.add(case, f"{part}, of the processors", [each[part][1] for each in seen], "s")
        question.judge(case, Limit("then, to the first step", 2.0))
        if steps == 24_000:
            question.judge(case, Limit("then, to the last step", 30.0))


def main() -> None:
    with Question("train", __doc__ or "") as question:
        task = Task(ready("VictoriaIsland", agents="shared"), WORLDS // 8)
        for name, algorithm in WAYS.items():
            free = Learner(Free(), algorithm, 1, 1_000_000)
            real = Learner(VecEnv(task), algorithm, 1, 1_000_000, agents=task.agent_count)
            steps = 512 if question.quick else 4_096
            ways = {"an environment that is free": rate(free, steps), "Victoria Island, 8 worlds of 8 agents": rate(real, steps // 8)}
            question.rates(name, ways, "decisions/s", rounds=5)
        measure_whole(question)


if __name__ == "__main__":
    main()

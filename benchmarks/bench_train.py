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

from benchmarks.measure import Least, Limit, Question
from rl.algorithms import Dqn, Ppo
from rl.task import Task
from rl.tasks import ready
from rl.train import Learner
from rl.vec_env import VecEnv

FEATURES = 26
ACTIONS = 4


class Free(VecEnv):
    """Environments of 26 numbers that cost nothing: what is left is the learner."""

    def __init__(self, count: int) -> None:
        self._seen = np.random.default_rng(1).random((count, FEATURES), np.float32)
        self._infos: list[dict[str, Any]] = [{} for _ in range(count)]
        self.num_envs, self.render_mode = count, None
        super(VecEnv, self).__init__(count, spaces.Box(0.0, 1.0, (FEATURES,), np.float32), spaces.Discrete(ACTIONS))

    def reset(self) -> Any:
        return self._seen.copy()

    def step_wait(self) -> Any:
        return self._seen.copy(), np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool), self._infos

    def seed(self, seed: int | None = None) -> list[int | None]:
        return [seed] * self.num_envs


class Timed(VecEnv):
    """The environment as it is, and the seconds that it took."""

    seconds = 0.0

    def step_wait(self) -> Any:
        began = time.perf_counter()
        done = super().step_wait()
        self.seconds += time.perf_counter() - began
        return done


FREE, REAL, PART = "an environment that is free", "Victoria Island", "Victoria Island, the learner's part of the time"
WAYS: dict[str, tuple[int, Any]] = {
    "DQN, 8 worlds of 8 agents, 8 updates of 256 a step of all worlds": (8, Dqn(updates=8, learning_starts=0)),
    "DQN, 8 worlds of 8 agents, one update of 256 a step of all worlds": (8, Dqn(learning_starts=0)),
    "PPO, 8 worlds of 8 agents, batches of 512": (8, Ppo(rollout_steps=32, batch=512)),
    "PPO, 8 worlds of 8 agents, batches of 1024": (8, Ppo(rollout_steps=32, batch=1024)),
    "PPO, 64 worlds of 8 agents, batches of 512": (64, Ppo(rollout_steps=16, batch=512)),
    "PPO, 64 worlds of 8 agents, batches of 1024": (64, Ppo(rollout_steps=16, batch=1024)),
}
"""How many worlds there are, and how is learned."""


def rate(learner: Learner, steps: int, env: Timed | None = None) -> Callable[[], float]:
    """Agents' decisions a second, as Stable-Baselines3 counts them, of the next so many; without the time of the environment that is given."""

    def measure() -> float:
        elsewhere = env.seconds if env else 0.0
        before, began = learner.model.num_timesteps, time.perf_counter()
        learner.advance(learner.steps + steps)
        spent = time.perf_counter() - began - (env.seconds - elsewhere if env else 0.0)
        return float(learner.model.num_timesteps - before) / spent

    return measure


def measure_learning(question: Question) -> None:
    """Beside each other: the learner alone, the whole with the real simulator, and what of that is the learner's."""
    for name, (worlds, algorithm) in WAYS.items():
        task = Task(ready("VictoriaIsland", agents="shared"), worlds)
        agents, env = task.agent_count, Timed(task)
        free = Learner(Free(worlds * agents), algorithm, 1, 1_000_000)
        real = Learner(env, algorithm, 1, 1_000_000, agents=agents)
        steps = (512 if question.quick else 4_096) * worlds // 8
        ways = {FREE: rate(free, steps), REAL: rate(real, steps // agents), PART: rate(real, steps // agents, env)}
        question.rates(name, ways, "decisions/s", rounds=5)
        for way in (REAL, PART):
            question.judge(name, Least(way, 0.5, times=FREE))


RUN = """
import json, sys, time

def now():
    return time.perf_counter(), time.process_time()

began = now()
from rl.cli.loading import lasting
with lasting():
    import rl.learners
    import torch
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # the first optimizer of a process loads torch's compiler
imported = now()
with lasting():  # both as the commands load what they need
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
        measure_learning(question)
        measure_whole(question)


if __name__ == "__main__":
    main()

"""The algorithms of Stable-Baselines3 as a training that can be extended needs them: schedules over a fixed horizon, a coin for each world."""

import sys
from typing import Any, Final

import numpy as np

_BOARD: Final = "torch.utils.tensorboard"

# Stable-Baselines3 imports tensorboard where it finds one, and a broken one (it brings TensorFlow, protobuf, …) would end the training
# before it began. Nothing here writes for it, so for the time of this import there is none.
_hidden = _BOARD not in sys.modules
if _hidden:
    sys.modules[_BOARD] = None  # type: ignore[assignment]
try:
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import A2C, DQN, PPO
finally:
    if _hidden:
        del sys.modules[_BOARD]


class Horizon:
    """Learning rate and exploration follow a horizon of their own, not the steps of one call: 1000 + 1000 steps are 2000 steps."""

    horizon_steps = 1

    def _update_current_progress_remaining(self, num_timesteps: int, total_timesteps: int) -> None:
        del total_timesteps
        self._current_progress_remaining = max(0.0, 1.0 - num_timesteps / self.horizon_steps)


class HorizonPpo(Horizon, PPO):
    """PPO over a horizon."""


class HorizonMaskablePpo(Horizon, MaskablePPO):
    """PPO that is told which actions are possible, over a horizon."""


class HorizonA2c(Horizon, A2C):
    """A2C over a horizon."""


class HorizonDqn(Horizon, DQN):
    """DQN over a horizon, where every world tosses its own coin: explore, or follow the greedy policy."""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,  # noqa: FBT002 - its base's
    ) -> tuple[Any, Any]:
        """The greedy actions; while learning, those of some worlds are drawn at random instead."""
        actions, state = self.policy.predict(observation, state, episode_start, deterministic=True)
        if not deterministic and np.ndim(actions):
            # One coin for the whole batch, as its base tosses, has 64 worlds explore all at once or not at all.
            explores = np.random.random(len(actions)) < self.exploration_rate  # noqa: NPY002 - the stream that is captured
            drawn = np.random.randint(self.action_space.n, size=len(actions))  # noqa: NPY002 - see above
            actions = np.where(explores, drawn + self.action_space.start, actions)
        return actions, state

"""A task's observations and actions as spaces of Gymnasium."""

import numpy as np
from gymnasium import spaces

from rl.task import Task


def observation_space(task: Task) -> spaces.Box:
    """Of one agent."""
    return spaces.Box(0.0, 1.0, (len(task.features),), np.float32)


def action_space(task: Task) -> spaces.Discrete | spaces.MultiDiscrete:
    """Of one agent: a number, or a number for each site."""
    return spaces.MultiDiscrete(task.action_sizes) if task.spec.agents == "multi" else spaces.Discrete(task.action_sizes[0])

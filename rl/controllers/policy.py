"""A policy as a controller: it sees what an agent sees, and its choices pass the same interlock."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arz import Controls
from rl.controllers.base import Driver
from rl.moment import Moment
from rl.task import Task

Array = NDArray[Any]
Choose = Callable[[Array, Array], Array]
"""(observation[row, feature], mask[row, number]) → actions, int[row] or int[row, slot]; a row is an agent of a world."""


class Policy(Driver):
    """Asks the policy at every decision of the task that it was trained for, or one of the same spec."""

    def __init__(self, task: Task, choose: Choose) -> None:
        self._task = task
        self._choose = choose

    def controls(self, moment: Moment) -> Controls:
        task = self._task
        seen = task.observe(moment)
        masks = task.agents.masks(task.lever.allowed(moment))
        rows = moment.worlds * task.agent_count
        chosen = np.asarray(self._choose(seen.reshape(rows, -1), masks.reshape(rows, -1)))
        return task.controls(chosen.reshape(moment.worlds, task.agent_count, -1), moment)

"""How the sites are shared out among agents: one that chooses for all, or one at each site with a policy in common."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from arz import Invalid

Array = NDArray[Any]
AgentsName = Literal["joint", "multi", "shared"]
MOST_JOINT = 4096
"""More actions than this are not one choice any more."""


class Agents:
    """Turns what agents do, int[world, agent, slot], into a choice for every site, and what sites allow into masks."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    """How many numbers each slot of an agent has."""
    sites: tuple[tuple[int, ...], ...]
    """Of each agent."""

    def choices(self, actions: Array) -> Array:
        """int[world, site]."""
        raise NotImplementedError

    def actions(self, choices: Array) -> Array:
        """The other way round: int[world, agent, slot] that makes these choices, int[world, site]."""
        raise NotImplementedError

    def masks(self, allowed: Array) -> Array:
        """bool[world, agent, all slots' numbers in a row] from bool[world, site, option]."""
        raise NotImplementedError


class Multi(Agents):
    """One agent with a slot for every site."""

    def __init__(self, names: Sequence[str], options: Sequence[int]) -> None:
        self.names, self.sizes, self.sites = ("all",), tuple(options), (tuple(range(len(names))),)
        self._there = np.arange(max(options)) < np.array(options)[:, None]

    def choices(self, actions: Array) -> Array:
        return actions[:, 0]

    def actions(self, choices: Array) -> Array:
        return choices[:, None]

    def masks(self, allowed: Array) -> Array:
        return allowed[:, self._there][:, None]


class Joint(Agents):
    """One agent with one number for all sites together: of a mixed-radix number the last digit is the last site's."""

    def __init__(self, names: Sequence[str], options: Sequence[int]) -> None:
        count = math.prod(options)
        if count > MOST_JOINT:
            problem = f"would choose among {count} joint actions of {len(names)} sites"
            raise Invalid("agents", problem, "choose shared, or multi where the algorithm can (PPO)")
        self.names, self.sizes, self.sites = ("all",), (count,), (tuple(range(len(names))),)
        self._options = tuple(options)
        self._digits = np.stack(np.unravel_index(np.arange(count), self._options), axis=1)

    def choices(self, actions: Array) -> Array:
        digits: Array = self._digits[actions[:, 0, 0]]
        return digits

    def actions(self, choices: Array) -> Array:
        number: Array = np.asarray(np.ravel_multi_index(tuple(choices.T), self._options))
        return number[:, None, None]

    def masks(self, allowed: Array) -> Array:
        every: Array = np.asarray(allowed[:, np.arange(allowed.shape[1]), self._digits].all(axis=2))
        return every[:, None]


class Shared(Agents):
    """One agent at every site; all have as many numbers as the site with most, and one that a site has not keeps what is."""

    def __init__(self, names: Sequence[str], options: Sequence[int]) -> None:
        self.names, self.sizes = tuple(names), (max(options),)
        self.sites = tuple((at,) for at in range(len(names)))

    def choices(self, actions: Array) -> Array:
        return actions[:, :, 0]

    def actions(self, choices: Array) -> Array:
        return choices[:, :, None]

    def masks(self, allowed: Array) -> Array:
        return allowed


AGENTS: dict[AgentsName, type[Multi | Joint | Shared]] = {"joint": Joint, "multi": Multi, "shared": Shared}

"""What every action is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from arz import Controls
from rl.guard import Guard
from rl.layout import Layout, Site, SiteKind
from rl.moment import Moment
from rl.setting import Setting

Array = NDArray[Any]


@dataclass(frozen=True)
class Lever:
    """An action made ready for one layout: each site is given a number below `options[site]` at every decision."""

    options: tuple[int, ...]

    def allowed(self, moment: Moment) -> Array:
        """bool[world, site, option]: what makes sense now; options that a site has not are never allowed."""
        there = np.arange(max(self.options)) < np.array(self.options)[:, None]
        return np.broadcast_to(there, (moment.worlds, *there.shape))

    def controls(self, choice: Array, moment: Moment) -> Controls:
        """What int[world, site] asks for; a number that a site has not keeps what is."""
        raise NotImplementedError


class Action(Setting):
    """What can be chosen at every site. Each kind adds a field `kind` that tells it from the others."""

    site_kind: ClassVar[SiteKind]

    def lever(self, layout: Layout, sites: Sequence[Site], guard: Guard, decision_s: float) -> Lever:
        """The action at these sites, which are of its kind."""
        raise NotImplementedError

"""Which phase is green."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from arz import Controls
from rl.actions.base import Action, Lever
from rl.guard import Guard
from rl.layout import Layout, Site, SiteKind
from rl.moment import Moment

Array = NDArray[Any]


class PhaseChoice(Action):
    """The phase that shall be green; amber and all-red lie between it and another one, and both bounds of green hold whatever is asked."""

    kind: Literal["phase"] = "phase"
    site_kind: ClassVar[SiteKind] = "signal"

    def lever(self, layout: Layout, sites: Sequence[Site], guard: Guard, decision_s: float) -> Lever:
        del sites  # all signals, in their order
        return _Phases(tuple(layout.phases.tolist()), guard, decision_s)


@dataclass(frozen=True)
class _Phases(Lever):
    guard: Guard
    decision_s: float

    def allowed(self, moment: Moment) -> Array:
        return self.guard.allowed(moment.measures.phase, moment.measures.phase_age_s, self.decision_s)

    def controls(self, choice: Array, moment: Moment) -> Controls:
        return Controls(phase=np.where(choice < self.guard.phases, choice, moment.measures.phase))

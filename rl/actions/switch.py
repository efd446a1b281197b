"""Keep the phase, or go on to the next one."""

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


class Switch(Action):
    """0 keeps the phase, 1 goes on to the next one of the plan; both bounds of green hold whatever is asked."""

    kind: Literal["switch"] = "switch"
    site_kind: ClassVar[SiteKind] = "signal"

    def lever(self, layout: Layout, sites: Sequence[Site], guard: Guard, decision_s: float) -> Lever:
        del layout
        return _Switch((2,) * len(sites), guard, decision_s)


@dataclass(frozen=True)
class _Switch(Lever):
    guard: Guard
    decision_s: float

    def allowed(self, moment: Moment) -> Array:
        age = moment.measures.phase_age_s
        return np.stack([~self.guard.must_change(age, self.decision_s), self.guard.may_change(age)], axis=2)

    def controls(self, choice: Array, moment: Moment) -> Controls:
        return Controls(phase=(moment.measures.phase + choice) % self.guard.phases)

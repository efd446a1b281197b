"""What the signs of a variable speed limit show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from arz import Controls, Invalid
from rl.actions.base import Action, Lever
from rl.guard import Guard
from rl.layout import Layout, Site, SiteKind
from rl.moment import Moment

Array = NDArray[Any]

SLOWEST_KMH, FASTEST_KMH = 5.0, 200.0
"""What signs can show, and the solver takes."""


class Limit(Action):
    """One of these limits for every section; with the last option the signs are dark."""

    kind: Literal["limit"] = "limit"
    site_kind: ClassVar[SiteKind] = "section"
    limits_kmh: Annotated[tuple[float, ...], Field(min_length=1, strict=False)] = (20.0, 30.0, 40.0)

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        for at, limit in enumerate(self.limits_kmh):
            if not SLOWEST_KMH <= limit <= FASTEST_KMH:
                looks = "metres a second" if limit < SLOWEST_KMH else "another unit"
                remedy = f"give km/h between {SLOWEST_KMH:g} and {FASTEST_KMH:g}"
                raise Invalid(f"limits_kmh[{at}]", f"is {limit:g} km/h, which looks like {looks}", remedy)
        return self

    def lever(self, layout: Layout, sites: Sequence[Site], guard: Guard, decision_s: float) -> Lever:
        del layout, guard, decision_s
        return _Limits((len(self.limits_kmh) + 1,) * len(sites), np.array([*self.limits_kmh, np.nan]))


@dataclass(frozen=True)
class _Limits(Lever):
    limits: Array

    def controls(self, choice: Array, moment: Moment) -> Controls:
        del moment
        return Controls(limit_kmh=self.limits[choice])

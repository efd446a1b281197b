"""How many vehicles an hour a ramp meter lets pass."""

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


class Rate(Action):
    """One of these rates for every meter; the last option opens the gate."""

    kind: Literal["rate"] = "rate"
    site_kind: ClassVar[SiteKind] = "meter"
    rates_veh_per_h: Annotated[tuple[float, ...], Field(min_length=1, strict=False)] = (240.0, 400.0, 600.0, 800.0)

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        for at, rate in enumerate(self.rates_veh_per_h):
            if rate < 0 or 0 < rate < 1:
                looks = "is less than nothing" if rate < 0 else "looks like vehicles a second"
                raise Invalid(
                    f"rates_veh_per_h[{at}]", f"is {rate:g} veh/h, which {looks}", f"give vehicles an hour: {abs(rate) * 3600:g}?"
                )
        return self

    def lever(self, layout: Layout, sites: Sequence[Site], guard: Guard, decision_s: float) -> Lever:
        del layout, guard, decision_s
        return _Rates((len(self.rates_veh_per_h) + 1,) * len(sites), np.array([*self.rates_veh_per_h, np.nan]))


@dataclass(frozen=True)
class _Rates(Lever):
    rates: Array

    def controls(self, choice: Array, moment: Moment) -> Controls:
        del moment
        return Controls(rate_veh_per_h=self.rates[choice])

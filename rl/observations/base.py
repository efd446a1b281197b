"""What every observation is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rl.guard import Guard
from rl.layout import Layout, Site
from rl.moment import Moment
from rl.setting import Setting

Array = NDArray[Any]
Part = Callable[[Moment], Array]


@dataclass(frozen=True)
class Sensor:
    """An observation made ready for one layout: `read(moment)` gives float32[world, site, feature], all between 0 and 1."""

    names: tuple[str, ...]
    """What the features are, the same for every site."""
    read: Part


class Observation(Setting):
    """What is seen at every site. Equal moments give equal numbers, and a world's are the same in any batch.

    Each kind adds a field `kind` that tells it from the others. Nothing but what detectors and the lights' own controller know is read:
    counts and speeds of the interval that has ended, queues at its end, the state of the lights. The task adds the clock.
    """

    def sensor(self, layout: Layout, sites: Sequence[Site], guard: Guard) -> Sensor:
        """The observation of these sites, which are of one kind."""
        raise NotImplementedError


def joined(parts: Sequence[tuple[Sequence[str], Part]]) -> Sensor:
    """Features side by side: each part gives [world, site, its names]."""
    names = tuple(name for own, _ in parts for name in own)

    def read(moment: Moment) -> Array:
        seen = [part(moment) for _, part in parts]
        return np.concatenate(seen, axis=2, dtype=np.float32, casting="same_kind")

    return Sensor(names, read)


def setting(layout: Layout, sites: Sequence[Site], guard: Guard) -> tuple[Sequence[str], Part]:
    """What the sites' own controllers do: the phase, since when and whether it may change; the rate; the limit."""
    if sites[0].kind == "signal":
        return _lights(layout, guard)
    if sites[0].kind == "meter":
        most = np.array([_capacity_veh_per_h(layout, site.stretches[0][0]) for site in sites])
        return ("rate",), lambda moment: _share(moment.rate_veh_per_h, most)
    highest = np.array([layout.limit_m_per_s[site.stretches[0][0]].max() * 3.6 for site in sites])
    return ("limit",), lambda moment: _share(moment.limit_kmh, highest)


def _lights(layout: Layout, guard: Guard) -> tuple[Sequence[str], Part]:
    number = np.arange(layout.most_phases)
    lost = np.array([lights.lost_s for lights in layout.signals])
    span = guard.max_green_s + lost

    def read(moment: Moment) -> Array:
        phase, age = moment.measures.phase, moment.measures.phase_age_s
        shown = np.empty((*phase.shape, len(number) + 2))
        shown[..., :-2] = number == phase[..., None]
        shown[..., -2] = np.clip((age + lost) / span, 0.0, 1.0)
        shown[..., -1] = guard.may_change(age)
        return shown

    return (*(f"phase {at}" for at in number), "since change", "may change"), read


def _share(asked: Array, most: Array) -> Array:
    """What is asked as a share of what makes a difference; 1 where nothing is asked."""
    share: Array = np.where(np.isfinite(asked), np.minimum(asked / most, 1.0), 1.0)[..., None]
    return share


def _capacity_veh_per_h(layout: Layout, road: int) -> float:
    """A bound on what a road can carry: half of the jam at the limit."""
    room, limit = layout.room[road], layout.limit_m_per_s[road]
    return float(3600 * (room * limit).max() / 4 / layout.length_m[road])

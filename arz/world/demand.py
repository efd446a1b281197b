"""Who wants to come: rates in time at the entries, with randomness that can be looked up for any moment."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from arz.errors import Invalid
from arz.world.physics import VehicleClass
from arz.world.record import Id, NotNegative, Positive, Record

HOUR_S = 3600.0
MOST = 1000.0
"""How many times the arrivals anybody may ask for; whoever asks for more means another number."""
NOISIEST = 10.0
"""A spread of ten times the mean: then nobody comes in most steps, and everybody in a few."""
SHORTEST_STEP_S = 1.0
"""Finer than anybody counts arrivals, and each step is a row of a table."""

Times = Annotated[float, Field(ge=0, le=MOST)]
Spread = Annotated[float, Field(ge=0, le=NOISIEST)]
SPREAD, SURGE = 1 << 62, 1 << 61
"""What random numbers are drawn for, beside the noise; surges count on from theirs."""


class Inflow(Record):
    """Vehicles of one class that want to enter by one road, all lanes together.

    Each (t_s, veh_per_h) of the profile holds from its time on, until the next one or for ever; before the first nobody comes.
    """

    road: Id
    vehicle: VehicleClass
    profile: Annotated[tuple[tuple[NotNegative, NotNegative], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for at in range(1, len(self.profile)):
            before, after = self.profile[at - 1][0], self.profile[at][0]
            if after <= before:
                raise Invalid(
                    f"profile[{at}]", f"begins at {after:g} s, not later than the one before ({before:g} s)", "let the times rise"
                )
        greatest = max(rate for _, rate in self.profile)
        if 0 < greatest < 1:
            problem = f"is nowhere more than {greatest:g} veh/h, which looks like vehicles a second"
            raise Invalid("profile", problem, f"give vehicles an hour: {greatest * HOUR_S:g}?")
        return self


class Surge(Record):
    """A rush at every entry: `factor` times as many come for `length_s`, from a moment that the seed chooses for each road."""

    factor: Times
    length_s: Positive
    earliest_s: NotNegative = 0.0
    latest_s: NotNegative

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.latest_s < self.earliest_s:
            problem = f"is {self.latest_s:g} s, before earliest_s ({self.earliest_s:g} s)"
            raise Invalid("latest_s", problem, "let it begin somewhere between the two")
        return self


class Demand(Record):
    """All inflows; they are multiplied by `scale` and, per inflow and step of time, by a random factor of mean 1 and spread `noise`.

    Such a factor depends on the seed, the place of its inflow and the number of its step alone. Days differ too: by `spread`, a random
    factor of mean 1 that each entry has for the whole run, and by `surges`. These depend on the seed and the place of the entry alone.
    """

    inflows: tuple[Inflow, ...] = ()
    scale: Times = 1.0
    noise: Spread = 0.0
    noise_step_s: Annotated[float, Field(ge=SHORTEST_STEP_S)] = 60.0
    spread: Spread = 0.0
    surges: tuple[Surge, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        seen: set[tuple[str, VehicleClass]] = set()
        for at, inflow in enumerate(self.inflows):
            if (inflow.road, inflow.vehicle) in seen:
                raise Invalid(
                    f"inflows[{at}]", f"is a second one of {inflow.vehicle}s on road {inflow.road!r}", "put both into one profile"
                )
            seen.add((inflow.road, inflow.vehicle))
        return self

    def table(self, seed: int, horizon_s: float, start_s: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gives (times[P], rates[inflow, P]) from `start_s` to the horizon: from times[p] on, rates[i, p] veh/s want to enter.

        A later window of the same seed agrees with an earlier one where they overlap.
        """
        surges = self._surges(seed)
        times = self._times(start_s, horizon_s, surges)
        rates = np.zeros((len(self.inflows), len(times)))
        for i, inflow in enumerate(self.inflows):
            begins, values = np.array(inflow.profile).T
            piece = np.searchsorted(begins, times, side="right") - 1
            rates[i] = np.where(piece >= 0, values[np.maximum(piece, 0)], 0.0) * (self.scale / HOUR_S)
        if self.noise > 0:
            # A step begins at a product, of which the quotient may fall short by rounding, or which it may reach too early.
            steps = np.floor(times / self.noise_step_s)
            steps += (steps + 1) * self.noise_step_s <= times
            steps -= steps * self.noise_step_s > times
            rates *= _factors(seed, len(self.inflows), steps.astype(np.uint64), self.noise)
        if self.spread > 0:
            rates *= _lognormal(_scrambled(_drawn(seed, SPREAD) + self._entries), self.spread)[:, None]
        for surge, begins in zip(self.surges, surges, strict=True):
            rates[(begins[:, None] <= times) & (times < begins[:, None] + surge.length_s)] *= surge.factor
        return times, rates

    @property
    def _entries(self) -> NDArray[np.uint64]:
        """The number of each inflow's entry: both classes of one road have the same day."""
        roads = list(dict.fromkeys(inflow.road for inflow in self.inflows))
        return np.array([roads.index(inflow.road) for inflow in self.inflows], np.uint64)

    def _surges(self, seed: int) -> list[NDArray[np.float64]]:
        """When each surge begins at each inflow, s."""
        shares = [_uniform(_scrambled(_drawn(seed, SURGE + at) + self._entries)) for at in range(len(self.surges))]
        return [surge.earliest_s + share * (surge.latest_s - surge.earliest_s) for surge, share in zip(self.surges, shares, strict=True)]

    def _times(self, start_s: float, horizon_s: float, surges: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        changes = [t for inflow in self.inflows for t, _ in inflow.profile]
        for surge, begins in zip(self.surges, surges, strict=True):
            changes += [t for begin in begins.tolist() for t in (begin, begin + surge.length_s)]
        if self.noise > 0:
            first = int(start_s / self.noise_step_s)
            changes += [step * self.noise_step_s for step in range(first, int(horizon_s / self.noise_step_s) + 1)]
        return np.array(sorted({start_s, *(t for t in changes if start_s < t < horizon_s)}))


def _factors(seed: int, inflows: int, steps: NDArray[np.uint64], noise: float) -> NDArray[np.float64]:
    """Lognormal factors [inflow, step] of mean 1 and standard deviation `noise`."""
    lanes = np.arange(inflows, dtype=np.uint64)[:, None]
    return _lognormal(_scrambled(_scrambled(_scrambled(np.uint64(seed)) + lanes) + steps[None, :]), noise)


def _drawn(seed: int, purpose: int) -> Any:
    """The beginning of a row of random numbers that is nobody else's."""
    return _scrambled(_scrambled(np.uint64(seed)) ^ np.uint64(purpose))


def _lognormal(stem: NDArray[np.uint64], deviation: float) -> NDArray[np.float64]:
    """Of mean 1 and this standard deviation."""
    spread = np.sqrt(np.log1p(deviation * deviation))
    radius = np.sqrt(-2 * np.log(_uniform(_scrambled(stem))))
    normal = radius * np.cos(2 * np.pi * _uniform(_scrambled(stem + np.uint64(1))))
    factors: NDArray[np.float64] = np.exp(spread * normal - spread * spread / 2)
    return factors


def _scrambled(x: Any) -> Any:
    """The mixing function of SplitMix64, Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195: one number in, an unrelated one out."""
    with np.errstate(over="ignore"):
        z = x + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _uniform(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Between 0 and 1, never either of them."""
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def mixed(road: str, veh_per_h: float, classes: Sequence[VehicleClass], motorcycle_share: float = 0.5) -> tuple[Inflow, ...]:
    """A constant flow into one road: shared between both classes, or of the one that there is."""
    shares = {"motorcycle": motorcycle_share, "car": 1 - motorcycle_share} if len(classes) > 1 else dict.fromkeys(classes, 1.0)
    return tuple(Inflow(road=road, vehicle=vehicle, profile=((0.0, veh_per_h * shares[vehicle]),)) for vehicle in classes)

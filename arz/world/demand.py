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


class Demand(Record):
    """All inflows; they are multiplied by `scale` and, per inflow and step of time, by a random factor of mean 1 and spread `noise`.

    A factor depends on the seed, the place of its inflow and the number of its step alone.
    """

    inflows: tuple[Inflow, ...] = ()
    scale: NotNegative = 1.0
    noise: NotNegative = 0.0
    noise_step_s: Positive = 60.0

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
        times = self._times(start_s, horizon_s)
        rates = np.zeros((len(self.inflows), len(times)))
        for i, inflow in enumerate(self.inflows):
            begins, values = np.array(inflow.profile).T
            piece = np.searchsorted(begins, times, side="right") - 1
            rates[i] = np.where(piece >= 0, values[np.maximum(piece, 0)], 0.0) * (self.scale / HOUR_S)
        if self.noise > 0:
            # The beginning of a step is a product, so the quotient may fall short of its number by rounding.
            steps = np.floor(times / self.noise_step_s + 1e-9).astype(np.uint64)
            rates *= _factors(seed, len(self.inflows), steps, self.noise)
        return times, rates

    def _times(self, start_s: float, horizon_s: float) -> NDArray[np.float64]:
        changes = [t for inflow in self.inflows for t, _ in inflow.profile]
        if self.noise > 0:
            first = int(start_s / self.noise_step_s)
            changes += [step * self.noise_step_s for step in range(first, int(horizon_s / self.noise_step_s) + 1)]
        return np.array(sorted({start_s, *(t for t in changes if start_s < t < horizon_s)}))


def _factors(seed: int, inflows: int, steps: NDArray[np.uint64], noise: float) -> NDArray[np.float64]:
    """Lognormal factors [inflow, step] of mean 1 and standard deviation `noise`."""
    spread = np.sqrt(np.log1p(noise * noise))
    lanes = np.arange(inflows, dtype=np.uint64)[:, None]
    stem = _scrambled(_scrambled(_scrambled(np.uint64(seed)) + lanes) + steps[None, :])
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

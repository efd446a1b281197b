"""The kinds of observation; the field `kind` picks one."""

from typing import Annotated, get_args

from pydantic import Field

from rl.observations.base import Observation
from rl.observations.detectors import Detectors
from rl.observations.queues import Queues

AnyObservation = Annotated[Detectors | Queues, Field(discriminator="kind")]

OBSERVATIONS: tuple[type[Observation], ...] = get_args(get_args(AnyObservation)[0])

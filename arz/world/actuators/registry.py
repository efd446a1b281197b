"""The kinds of actuator; the field `kind` picks one."""

from typing import Annotated, get_args

from pydantic import Field

from arz.world.actuators.base import Actuator
from arz.world.actuators.ramp_meter import RampMeter
from arz.world.actuators.speed_limit import SpeedLimit

AnyActuator = Annotated[RampMeter | SpeedLimit, Field(discriminator="kind")]

ACTUATORS: tuple[type[Actuator], ...] = get_args(get_args(AnyActuator)[0])

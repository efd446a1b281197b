"""The kinds of controller; the field `kind` picks one."""

from typing import Annotated, get_args

from pydantic import Field

from rl.controllers.actuated import Actuated
from rl.controllers.alinea import Alinea
from rl.controllers.base import Controller
from rl.controllers.fixed_time import FixedTime
from rl.controllers.max_pressure import MaxPressure
from rl.controllers.sotl import Sotl
from rl.controllers.webster import Webster

AnyController = Annotated[FixedTime | Webster | Actuated | MaxPressure | Sotl | Alinea, Field(discriminator="kind")]

CONTROLLERS: tuple[type[Controller], ...] = get_args(get_args(AnyController)[0])

"""The kinds of action; the field `kind` picks one."""

from typing import Annotated, get_args

from pydantic import Field

from rl.actions.base import Action
from rl.actions.limit import Limit
from rl.actions.phase import PhaseChoice
from rl.actions.rate import Rate
from rl.actions.switch import Switch

AnyAction = Annotated[PhaseChoice | Switch | Rate | Limit, Field(discriminator="kind")]

ACTIONS: tuple[type[Action], ...] = get_args(get_args(AnyAction)[0])

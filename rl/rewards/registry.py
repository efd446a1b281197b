"""The kinds of reward; the field `kind` picks one."""

from typing import Annotated, get_args

from pydantic import Field

from rl.rewards.base import Reward
from rl.rewards.delay import Delay
from rl.rewards.pressure import Pressure
from rl.rewards.queue import Queue
from rl.rewards.switches import Switches
from rl.rewards.throughput import Throughput

AnyReward = Annotated[Delay | Queue | Pressure | Throughput | Switches, Field(discriminator="kind")]

REWARDS: tuple[type[Reward], ...] = get_args(get_args(AnyReward)[0])

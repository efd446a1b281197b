"""What every controller is."""

from typing import Any, ClassVar

from numpy.typing import NDArray

from arz import Controls
from rl.guard import Guard
from rl.layout import Layout, SiteKind
from rl.moment import Moment
from rl.setting import Setting

Array = NDArray[Any]


class Driver:
    """A controller made ready for one layout, for all worlds of a batch at once; what it asks for passes the interlock.

    It is asked at every decision of the task, and in between as often as it likes.
    """

    def begin(self, worlds: int) -> None:
        """Forgets what was: an episode begins in so many worlds."""

    def controls(self, moment: Moment) -> Controls:
        """What is asked for now."""
        raise NotImplementedError

    def seconds(self, moment: Moment) -> float:
        """How long it wants to wait until it is asked again; the next decision of the task may come before."""
        del moment
        return float("inf")


class Controller(Setting):
    """Parameters of a rule that controls. Each kind adds a field `kind` that tells it from the others.

    The same rule gives the same controls for a world in any batch.
    """

    drives: ClassVar[SiteKind | None]
    """What it controls; None suits every scenario."""

    def driver(self, layout: Layout, guard: Guard) -> Driver:
        """The rule for this layout; refused where there is nothing for it to control."""
        raise NotImplementedError

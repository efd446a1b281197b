"""How finely and how carefully a scenario is computed."""

from typing import Annotated, Literal

from pydantic import Field

from arz.world.record import Positive, Record


class Scheme(Record):
    """The numerical scheme: its order, the length that cells come near to, and the share of the longest sound time step that is taken."""

    order: Literal[1, 2] = 2
    cell_m: Positive = 15.0
    courant: Annotated[float, Field(ge=1e-3, le=1)] = 0.9
    """1 is the bound of the order: Δt·max|λ|/Δx = 1 at first order, 1/2 where a second one has slopes."""

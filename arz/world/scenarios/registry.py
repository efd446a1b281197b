"""The ready scenarios, by name."""

from inspect import Parameter, signature
from typing import Any

from pydantic import ValidationError, validate_call

from arz.errors import Invalid, Unknown
from arz.world.physics import Physics
from arz.world.record import refusal
from arz.world.scenario import Scenario
from arz.world.scenarios.base import Kind
from arz.world.scenarios.bottleneck import BOTTLENECK
from arz.world.scenarios.corridor import CORRIDOR
from arz.world.scenarios.degraded_road import DEGRADED_ROAD
from arz.world.scenarios.grid import GRID
from arz.world.scenarios.lane_drop import LANE_DROP
from arz.world.scenarios.one_road import ONE_ROAD
from arz.world.scenarios.ramp import RAMP
from arz.world.scenarios.riemann import RIEMANN
from arz.world.scenarios.ring import RING
from arz.world.scenarios.victoria_island import VICTORIA_ISLAND

SCENARIOS: tuple[Kind, ...] = (VICTORIA_ISLAND, RING, ONE_ROAD, BOTTLENECK, CORRIDOR, GRID, LANE_DROP, DEGRADED_ROAD, RAMP, RIEMANN)


def scenario(name: str, /, **options: Any) -> Scenario:
    """Makes the scenario of this name.

    Options are those of its kind (`options_of`), or else fields of `Scenario`, which take the place of what the kind has chosen:
    `scenario("victoria_island", demand=1.2, seed=7, scheme=Scheme(order=1))`.
    """
    kind = kind_of(name)
    own = options_of(name)
    for option in options:
        if option not in own and option not in Scenario.model_fields:
            remedy = f"choose among {', '.join(own)}, or the fields of a scenario"
            raise Invalid(option, f"is no option of the scenario {name!r}", remedy)
    mine = {option: value for option, value in options.items() if option in own}
    fields = {option: value for option, value in options.items() if option not in own}
    try:
        made: Scenario = validate_call(kind.make)(**{**own, **mine})
    except ValidationError as error:
        raise refusal(error, Scenario, mine) from None
    return Scenario(**{**{field: getattr(made, field) for field in Scenario.model_fields}, **fields}) if fields else made


def options_of(name: str) -> dict[str, Any]:
    """Gives the options that this kind of scenario has of its own, with their defaults."""
    parameters = signature(kind_of(name).make).parameters.values()
    return {each.name: Physics() if each.default is Parameter.empty else each.default for each in parameters}


def kind_of(name: str) -> Kind:
    """Gives the kind of scenario of this name."""
    known = [kind.name for kind in SCENARIOS]
    if name not in known:
        raise Unknown("scenario", name, known)
    return SCENARIOS[known.index(name)]

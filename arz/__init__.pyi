from arz.engine.measures import Measures as Measures
from arz.engine.simulator import Controls as Controls
from arz.engine.simulator import Simulator as Simulator
from arz.errors import ArzError as ArzError
from arz.errors import Unstable as Unstable
from arz.result import Result as Result
from arz.running import run as run
from arz.world.importers.registry import read as read_network
from arz.world.network import Network as Network
from arz.world.physics import Physics as Physics
from arz.world.scenario import Scenario as Scenario
from arz.world.scenarios.registry import scenario as scenario

__all__ = [
    "ArzError",
    "Controls",
    "Measures",
    "Network",
    "Physics",
    "Result",
    "Scenario",
    "Simulator",
    "Unstable",
    "read_network",
    "run",
    "scenario",
]

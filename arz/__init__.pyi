from arz.engine.measures import Measures as Measures
from arz.engine.simulator import Controls as Controls
from arz.engine.simulator import Simulator as Simulator
from arz.errors import ArzError as ArzError
from arz.errors import Invalid as Invalid
from arz.errors import Unknown as Unknown
from arz.errors import Unstable as Unstable
from arz.result import Result as Result
from arz.running import run as run
from arz.world.demand import Surge as Surge
from arz.world.importers.registry import read as read_network
from arz.world.network import Network as Network
from arz.world.physics import Physics as Physics
from arz.world.record import Record as Record
from arz.world.scenario import Scenario as Scenario
from arz.world.scenarios.registry import scenario as scenario

__all__ = [
    "ArzError",
    "Controls",
    "Invalid",
    "Measures",
    "Network",
    "Physics",
    "Record",
    "Result",
    "Scenario",
    "Simulator",
    "Surge",
    "Unknown",
    "Unstable",
    "read_network",
    "run",
    "scenario",
]

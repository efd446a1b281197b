"""Streets that cross: two-way avenues from west to east, two-way streets from south to north, a gate at every end."""

from collections.abc import Iterator
from dataclasses import dataclass

from arz.world.network import Network, Node, Phase, Road, Signal, Turn

WEST, EAST, SOUTH, NORTH = (-1, 0), (1, 0), (0, -1), (0, 1)
SIDES = (WEST, EAST, SOUTH, NORTH)
MOST_CROSSINGS = 100_000
"""What a laptop bears: some four million cells, and as many bytes of records as of cells."""
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Lattice:
    """Columns × rows of crossings, `block_m` apart, whose outer streets end in gates, one block away.

    A road is named by its nodes, as `c0_0-c1_0`; a crossing by its column and row; a gate by its place beyond the border.
    """

    columns: int
    rows: int
    block_m: float
    avenue_lanes: int
    street_lanes: int
    limit_kmh: float
    green_s: tuple[float, float]
    """Of avenues and of streets; no signals if they are 0."""
    delay_s: float = 0.0
    """How much later the plan begins at each column than at the one before."""
    straight: float = 0.6
    """The share of each approach that goes straight on; the rest turns left and right, and nobody turns back."""

    def network(self, name: str) -> Network:
        crossings = [(column, row) for row in range(self.rows) for column in range(self.columns)]
        gates = [place for crossing in crossings for place in self.beside(crossing) if not self.inside(place)]
        roads = [road for crossing in crossings for road in self._roads(crossing)]
        nodes = [self._crossing(crossing) for crossing in crossings]
        nodes += [self._node(gate, out=out) for gate in gates for out in (False, True)]
        return Network(name=name, roads=tuple(roads), nodes=tuple(nodes))

    def inside(self, place: Place) -> bool:
        return 0 <= place[0] < self.columns and 0 <= place[1] < self.rows

    def beside(self, place: Place) -> Iterator[Place]:
        """The places to the west, east, south and north."""
        return ((place[0] + side[0], place[1] + side[1]) for side in SIDES)

    def entries(self, *, avenues: bool) -> list[str]:
        """The roads by which avenues, or streets, are entered."""
        if avenues:
            ends = [((column, row), (column + side, row)) for row in range(self.rows) for column, side in ((0, -1), (self.columns - 1, 1))]
        else:
            ends = [((column, row), (column, row + side)) for column in range(self.columns) for row, side in ((0, -1), (self.rows - 1, 1))]
        return [self.road_id(gate, crossing) for crossing, gate in ends]

    def node_id(self, place: Place, *, out: bool = False) -> str:
        """Vehicles come in at one node of a gate and go out at another one; `out` asks for the latter."""
        kind = "c" if self.inside(place) else "out" if out else "in"
        # A gate may lie at column or row −1, where the sign would read as the dash of a road.
        return f"{kind}{place[0]}_{place[1]}".replace("-", "m")

    def road_id(self, start: Place, end: Place) -> str:
        return f"{self.node_id(start)}-{self.node_id(end, out=True)}"

    def _roads(self, crossing: Place) -> Iterator[Road]:
        """The roads that end at a crossing, and those that leave it through a gate."""
        for place in self.beside(crossing):
            yield self._road(place, crossing)
        for place in self.beside(crossing):
            if not self.inside(place):
                yield self._road(crossing, place)

    def _road(self, start: Place, end: Place) -> Road:
        avenue = start[1] == end[1]
        return Road(
            id=self.road_id(start, end),
            start=self.node_id(start),
            end=self.node_id(end, out=True),
            length_m=self.block_m,
            lanes=self.avenue_lanes if avenue else self.street_lanes,
            limit_kmh=self.limit_kmh,
            highway="primary" if avenue else "secondary",
        )

    def _node(self, place: Place, *, out: bool = False) -> Node:
        return Node(id=self.node_id(place, out=out), x_m=place[0] * self.block_m, y_m=place[1] * self.block_m)

    def _crossing(self, place: Place) -> Node:
        plain = self._node(place)
        return Node(id=plain.id, x_m=plain.x_m, y_m=plain.y_m, turns=tuple(self._turns(place)), signal=self._signal(place))

    def _turns(self, place: Place) -> Iterator[Turn]:
        around = list(self.beside(place))
        for approach in around:
            for end in around:
                if end != approach:
                    opposite = approach[0] + end[0] == 2 * place[0] and approach[1] + end[1] == 2 * place[1]
                    share = self.straight if opposite else (1 - self.straight) / 2
                    yield Turn(approach=self.road_id(approach, place), exit=self.road_id(place, end), share=share)

    def _signal(self, place: Place) -> Signal | None:
        if not any(self.green_s):
            return None
        west, east, south, north = (self.road_id(side, place) for side in self.beside(place))
        signal = Signal(
            phases=(Phase(green=(west, east), duration_s=self.green_s[0]), Phase(green=(south, north), duration_s=self.green_s[1])),
            conflicts=((west, south), (west, north), (east, south), (east, north)),
        )
        return signal.model_copy(update={"offset_s": self.delay_s * place[0] % signal.cycle_s})

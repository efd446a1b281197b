"""An hour of a district in UXsim: 70 links of 177 m, 8 signals, 5,400 vehicles an hour in platoons of five; prints times real time.

Run by `peers.py` with the Python of an environment that has UXsim; nothing of this project is imported. It is comparable with
`victoria_island` in roads, signals, length and traffic, not the same network: UXsim drivers choose routes and come from a gate to a gate.
"""

import sys
from itertools import permutations
from time import perf_counter
from typing import Any

from uxsim import World

LENGTH_M, LIMIT_M_PER_S, LANES, JAM_VEH_PER_M = 177.0, 13.9, 2, 0.15
COLUMNS, ROWS = 7, 3
GATES = ((0, 0), (0, 2), (6, 1))
SIGNALS = tuple((x, y) for x in (1, 2, 4, 5) for y in (0, 2))
TRIPS_PER_H = 5400
DECISION_S = 15.0


def district(horizon_s: float, *, cpp: bool) -> tuple[Any, list[Any]]:
    """Two-way streets on 7 × 3 crossings, and a gate at three of them."""
    world = World(tmax=horizon_s, deltan=5, print_mode=0, save_mode=0, show_mode=0, random_seed=7, cpp=cpp)
    for x in range(COLUMNS):
        for y in range(ROWS):
            world.addNode(f"{x}:{y}", x * LENGTH_M, y * LENGTH_M, **({"signal": [30, 30]} if (x, y) in SIGNALS else {}))
    streets = [(f"{x}:{y}", f"{x + 1}:{y}", 0) for x in range(COLUMNS - 1) for y in range(ROWS)]
    streets += [(f"{x}:{y}", f"{x}:{y + 1}", 1) for x in range(COLUMNS) for y in range(ROWS - 1)]
    for x, y in GATES:
        world.addNode(f"gate {x}:{y}", (2 * x - COLUMNS // 2) * LENGTH_M, y * LENGTH_M)
        streets.append((f"gate {x}:{y}", f"{x}:{y}", 0))
    for one, other, group in streets:
        for start, end in ((one, other), (other, one)):
            name = f"{start} > {end}"
            world.addLink(
                name, start, end, LENGTH_M, LIMIT_M_PER_S, jam_density_per_lane=JAM_VEH_PER_M, number_of_lanes=LANES, signal_group=[group]
            )
    pairs = list(permutations(GATES, 2))
    for here, there in pairs:
        entry, leave = (f"gate {x}:{y}" for x, y in (here, there))
        world.adddemand(entry, leave, 0, horizon_s, flow=TRIPS_PER_H / 3600 / len(pairs))
    return world, [world.get_node(f"{x}:{y}") for x, y in SIGNALS]


def main() -> None:
    horizon_s, kind, decides = float(sys.argv[1]), sys.argv[2], "decides" in sys.argv[3:]
    world, signals = district(horizon_s, cpp=kind == "cpp")
    began = perf_counter()
    if not decides:
        world.exec_simulation()
    else:
        for at in range(round(horizon_s / DECISION_S)):
            for node in signals:
                node.signal_phase, node.signal_t = at // 4 % 2, 0
            world.exec_simulation(duration_t=DECISION_S)
    print(horizon_s / (perf_counter() - began))


if __name__ == "__main__":
    main()

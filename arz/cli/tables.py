"""Networks, scenarios and results as lines for a person, and results as one document."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arz.cli.words import counted, number, shortened, span, table

if TYPE_CHECKING:
    from arz.result import Result
    from arz.world.network import Network
    from arz.world.scenario import Scenario

_KM = 1000.0
_HOUR = 3600.0
_KMH = 3.6
DUST = 1e-6
"""Less than so many vehicles, kilometres or hours is nothing to a person."""


def network_lines(network: "Network", roads: int) -> list[str]:
    """The network as a whole, its roads (at most so many; 0 for all) and its notes."""
    length = sum(road.length_m for road in network.roads)
    signals = sum(node.signal is not None for node in network.nodes)
    counts = (
        counted(len(network.roads), "road"),
        f"{length / _KM:.4g} km",
        counted(len(network.nodes), "node"),
        counted(signals, "signal"),
        counted(len(network.entries), "entry", "entries"),
        counted(len(network.outlets), "outlet"),
    )
    kinds = Counter(road.highway for road in network.roads).most_common()
    lines = [f"{network.name}: {', '.join(counts)}", f"kinds of road: {', '.join(f'{count} {kind}' for kind, count in kinds)}", ""]
    rows = [
        (
            road.id,
            road.start,
            road.end,
            f"{road.length_m:.1f}",
            str(road.lanes),
            f"{road.limit_kmh:g}",
            road.quality,
            road.highway,
            road.name,
        )
        for road in network.roads
    ]
    listed = table(("road", "from", "to", "length m", "lanes", "limit km/h", "quality", "kind", "name"), rows, right=(3, 4, 5))
    return [*lines, *shortened(listed, roads, head=1), *note_lines(network.notes)]


def scenario_lines(scenario: "Scenario", roads: int) -> list[str]:
    """What is run, and on which network."""
    physics, scheme, demand = scenario.physics, scenario.scheme, scenario.demand
    wanted = dict.fromkeys((inflow.vehicle for inflow in demand.inflows), 0.0)
    for inflow in demand.inflows:
        wanted[inflow.vehicle] += max(rate for _, rate in inflow.profile) * demand.scale
    rows = [
        ("horizon", f"{span(scenario.horizon_s)}, a decision every {span(scenario.decision_s)}, seed {scenario.seed}"),
        ("classes", ", ".join(physics.classes)),
        (
            "closure",
            f"{physics.closure}" + ("" if physics.closure in {"multiplicative", "triangular"} else f", {physics.equilibrium} equilibrium"),
        ),
        ("scheme", f"order {scheme.order}, cells of {scheme.cell_m:g} m, {scheme.courant:g} of the longest time step"),
        ("demand", ", ".join(f"up to {number(rate)} {vehicle}s/h" for vehicle, rate in wanted.items()) or "none"),
        ("actuators", ", ".join(f"{actuator.kind} {actuator.id}" for actuator in scenario.actuators) or "none beside the signals"),
    ]
    return [scenario.name, *(f"  {name:<10} {said}" for name, said in rows), "", *network_lines(scenario.network, roads)]


def summary(result: "Result") -> dict[str, Any]:
    """What became of a run, as plain data."""
    return {
        "scenario": result.scenario.name,
        "complete": result.complete,
        "time_s": result.time_s,
        "horizon_s": result.scenario.horizon_s,
        "intervals": len(result.times_s),
        "every_s": result.every_s,
        "dtype": result.dtype,
        "wall_s": round(result.wall_s, 6),
        "roads": len(result.roads),
        "cells": len(result.cell_road),
        "vehicles": {vehicle: _totals(result, k) for k, vehicle in enumerate(result.classes)},
        "ledger": ledger(result),
        "notes": list(result.notes),
    }


def ledger(result: "Result") -> dict[str, dict[str, float]]:
    """Each account of the ledger, by class."""
    from dataclasses import fields

    accounts = {field.name: getattr(result.ledger, field.name).tolist() for field in fields(result.ledger)}
    return {name: dict(zip(result.classes, held, strict=True)) for name, held in accounts.items()}


def result_lines(result: "Result", roads: int | None) -> list[str]:
    """What became of a run: by class, by road (at most so many, the greatest delay first; 0 for all, None for none), ledger, notes."""
    horizon = result.scenario.horizon_s
    done = "complete" if result.complete else "not complete"
    pace = f" ({number(result.time_s / result.wall_s)} × real time)" if result.wall_s and result.complete else ""
    how = f"{counted(len(result.times_s), 'interval')} of {span(result.every_s)}, {counted(len(result.cell_road), 'cell')}, {result.dtype}"
    lines = [f"{result.scenario.name}: {span(result.time_s)} of {span(horizon)}, {done}; {how}; took {span(result.wall_s)}{pace}", ""]
    totals = {vehicle: _totals(result, k) for k, vehicle in enumerate(result.classes)}
    names = list(dict.fromkeys(name for held in totals.values() for name in held))
    rows = [(vehicle, *(_cell(held[name]) for name in names)) for vehicle, held in totals.items()]
    lines += table(("vehicle", *(name.replace("_", " ") for name in names)), rows, right=range(1, len(names) + 1))
    if roads is not None and len(result.times_s):
        lines += ["", *_road_lines(result, roads)]
    return [*lines, "", *_ledger_lines(result), *note_lines(result.notes)]


def note_lines(notes: Sequence[str]) -> list[str]:
    return ["", *(f"note: {note}" for note in notes)] if notes else []


def _cell(value: float | None) -> str:
    return "-" if value is None else _amount(value)


def _amount(value: float) -> str:
    """As a number, but for what is left of nothing by rounding."""
    return number(value if abs(value) >= DUST else 0.0)


def _totals(result: "Result", k: int) -> dict[str, float | None]:
    """What the vehicles of a class did, in units for people."""
    if not len(result.times_s):
        return {}
    distance, spent = float(result.distance[:, :, k].sum()), float(result.spent[:, :, k].sum())
    return {
        "entered": float(result.entered[-1, :, k].sum()),
        "left": float(result.left[-1, :, k].sum()),
        "inside": float(result.inside[-1, :, k].sum()),
        "waiting": float(result.waiting[-1, :, k].sum()),
        "driven_veh_km": distance / _KM,
        "spent_veh_h": spent / _HOUR,
        "delay_veh_h": float(result.delay[:, :, k].sum()) / _HOUR,
        "mean_km/h": distance / spent * _KMH if spent else None,
        "longest_queue_veh": float(result.queue[:, :, k].sum(axis=1).max()),
    }


def _road_lines(result: "Result", roads: int) -> list[str]:
    """All classes together, the means over the run."""
    delay = result.delay.sum(axis=(0, 2)) / _HOUR
    spent, distance = result.spent.sum(axis=(0, 2)), result.distance.sum(axis=(0, 2))
    # Only the last interval may be shorter than the others, by the horizon.
    weights = [result.every_s] * len(result.times_s)
    density = result.density.sum(axis=2).T @ weights / sum(weights) * _KM
    flow = result.flow.sum(axis=2).T @ weights / sum(weights) * _HOUR
    queue = result.queue.sum(axis=2).max(axis=0)
    rows = [
        (
            result.roads[at],
            _amount(flow[at]),
            _amount(density[at]),
            number(distance[at] / spent[at] * _KMH) if spent[at] else "-",
            _amount(queue[at]),
            _amount(delay[at]),
        )
        for at in (-delay).argsort(kind="stable")
    ]
    head = ("road, most delay first", "flow veh/h", "density veh/km lane", "speed km/h", "longest queue veh", "delay veh h")
    return shortened(table(head, rows, right=range(1, 6)), roads, head=1)


def _ledger_lines(result: "Result") -> list[str]:
    accounts = ledger(result)
    rows = [(vehicle, *(f"{held[vehicle]:.6g}" for held in accounts.values())) for vehicle in result.classes]
    return table(("ledger", *(name.replace("_", " ") for name in accounts)), rows, right=range(1, len(accounts) + 1))

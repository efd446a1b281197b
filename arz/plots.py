"""Pictures of a result: space and time along a route, the network at an instant, the fundamental diagram, series of detectors.

Each gives a matplotlib Figure, and saves it where a path is given; nothing is shown and no global state is touched. Needs the extra `plot`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from arz.errors import Invalid, Unknown
from arz.laws.equilibrium.registry import code_of, equilibrium_speed
from arz.laws.pressure.registry import CLOSURES
from arz.page import PathLike, page, saved
from arz.result import Result
from arz.world.network import Network, Road
from arz.world.physics import Numbers, Physics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array: TypeAlias = NDArray[Any]

KMH: Final = 3.6
PER_KM: Final = 1000.0
PER_HOUR: Final = 3600.0
MINUTE_S: Final = 60.0

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Told apart by every kind of eye: Okabe and Ito 2008, Color Universal Design."""
DASHES: Final = ("-", "--", "-.", ":")
MOST_LINES: Final = len(COLOURS)
MOST_NAMES: Final = 14
MOST_STEPS: Final = 60
"""Steps of a line that can be followed by eye among others."""
MOST_POINTS: Final = 20_000


class Shown(NamedTuple):
    """How a quantity is drawn: what its number is multiplied by, its label, its colours."""

    factor: float
    label: str
    colours: str


# Dark is slow and full in both, so that a jam looks the same. The map rises in lightness evenly, for colour-blind eyes and on grey paper.
SHOWN: Final = {
    "density": Shown(PER_KM, "density (veh/km per lane)", "magma_r"),
    "speed": Shown(KMH, "speed (km/h)", "magma"),
    "flow": Shown(PER_HOUR, "flow (veh/h, all lanes)", "magma_r"),
    "queue": Shown(1.0, "queue (veh)", "magma_r"),
    "inside": Shown(1.0, "vehicles on the road", "magma_r"),
}


def space_time(
    result: Result,
    roads: Sequence[str] | None = None,
    *,
    quantity: str = "density",
    vehicle: str | None = None,
    path: PathLike | None = None,
) -> "Figure":
    """Density or speed over time and the distance along a chain of roads, a panel for each class (or for `vehicle` alone).

    Without `roads` it is the way that most vehicles take from the first entry. The result must hold fields.
    """
    shown = _shown(quantity, ("density", "speed"))
    field = _fields(result)[quantity]
    route = main_route(result.scenario.network) if roads is None else _chain(result.scenario.network, roads)
    edges, cells = _along(result, route)
    classes = _classes(result, vehicle)
    figure = page(9.0, 0.9 + 2.9 * len(classes))
    panels = figure.subplots(len(classes), 1, sharex=True, squeeze=False)[:, 0]
    times = np.append(_begins(result)[0], result.times_s) / MINUTE_S
    length = float(edges[-1])
    unit, by = ("km", 1000.0) if length >= 2000 else ("m", 1.0)  # noqa: PLR2004 - where metres become long to read
    greatest = _greatest(quantity, result, route, field[:, classes])
    for axes, k in zip(panels, classes, strict=True):
        values = field[:, k, cells].T * shown.factor
        mesh = axes.pcolormesh(times, edges / by, values, cmap=shown.colours, vmin=0, vmax=greatest, rasterized=True)
        _mark_roads(axes, route, by)
        axes.set(ylabel=f"distance ({unit})", ylim=(0, length / by))
        axes.set_title(f"{result.classes[k]}s", loc="left", fontsize="medium")
        figure.colorbar(mesh, ax=axes, label=shown.label, extend="max" if values.max() > greatest * (1 + 1e-9) else "neither")
    panels[-1].set_xlabel("time (min)")
    figure.suptitle(
        f"{result.scenario.name}: {route[0].id} to {route[-1].id}" if len(route) > 1 else f"{result.scenario.name}: {route[0].id}"
    )
    return saved(figure, path)


def network(
    result: Result, time_s: float | None = None, *, quantity: str = "density", vehicle: str | None = None, path: PathLike | None = None
) -> "Figure":
    """The network at the output time nearest to `time_s` (default: the last), coloured by density or speed and as wide as its lanes.

    With fields each cell has its colour, without each road has that of its interval. Densities of the classes are added up, speeds are
    weighted by them; `vehicle` shows one class alone. Both directions of a street lie side by side, on the right of their driver.
    """
    from matplotlib.collections import PolyCollection

    shown = _shown(quantity, ("density", "speed"))
    _require_rows(result)
    row = len(result.times_s) - 1 if time_s is None else int(np.abs(result.times_s - time_s).argmin())
    world = result.scenario.network
    lines = [_line(world, road) for road in world.roads]
    lane = _lane_width(lines)
    shapes, values = _coloured(result, row, quantity, _classes(result, vehicle), lines, lane)
    width, height, beside = _size_of(lines)
    figure = page(width, height)
    axes = figure.subplots()
    bed = [_ribbon(line, 0.0, 1.0, road.lanes * lane) for road, line in zip(world.roads, lines, strict=True)]
    axes.add_collection(PolyCollection(bed, facecolors="0.85", edgecolors="0.55", linewidths=0.4))
    greatest = _greatest(quantity, result, world.roads, values)
    painted = PolyCollection(shapes, array=values * shown.factor, cmap=shown.colours, edgecolors="face", linewidths=0.2)
    painted.set_clim(0, greatest)
    axes.add_collection(painted)
    _mark_signals(axes, world)
    axes.autoscale_view()
    axes.set(aspect="equal", xlabel="x (m)", ylabel="y (m)")
    axes.margins(0.04)
    figure.colorbar(painted, ax=axes, label=shown.label + ("" if vehicle else ", all classes"), **beside)
    axes.set_title(f"{result.scenario.name} at {result.times_s[row] / MINUTE_S:.4g} min{f', {vehicle}s' if vehicle else ''}")
    return saved(figure, path)


def fundamental(
    result: Result, roads: Sequence[str] | None = None, *, vehicle: str | None = None, path: PathLike | None = None
) -> "Figure":
    """Flow and speed over the occupancy that a class feels: the points of the result, over the curves to which its drivers settle.

    The occupancy counts both classes by their weights, so that one curve holds whatever the mix is; with one class alone it is the density,
    and this is the ordinary diagram. The points are the cells at the output times, or without fields the roads in each interval.
    """
    _require_rows(result)
    physics, world = result.scenario.physics, result.scenario.network
    chosen = _indices(result, roads)
    classes = _classes(result, vehicle)
    figure = page(1.0 + 4.4 * len(classes), 6.4)
    panels = figure.subplots(2, len(classes), sharex="col", squeeze=False)
    kinds = list(dict.fromkeys((world.roads[at].limit_kmh, world.roads[at].quality) for at in chosen))
    for column, k in enumerate(classes):
        flow, speed = panels[:, column]
        for dashes, (limit_kmh, quality) in zip(_repeated(DASHES), kinds[:MOST_LINES], strict=False):
            numbers = physics.numbers(limit_kmh, quality)[k]
            occupancy = np.linspace(0.0, numbers.jam, 201)
            settled = np.array([_settled(physics, numbers, r) for r in occupancy])
            label = f"{quality}, limit {limit_kmh:g} km/h"
            flow.plot(occupancy * PER_KM, occupancy * settled * PER_HOUR, color="black", linestyle=dashes, linewidth=1.2, zorder=1)
            speed.plot(occupancy * PER_KM, settled * KMH, color="black", linestyle=dashes, linewidth=1.2, zorder=1, label=label)
        felt, driven = _points(result, k, chosen)
        dots = {"s": 8, "alpha": 0.3, "zorder": 2, "color": COLOURS[k], "linewidths": 0, "rasterized": True}
        flow.scatter(felt * PER_KM, felt * driven * PER_HOUR, **dots)
        speed.scatter(felt * PER_KM, driven * KMH, **dots)
        flow.set_title(f"{result.classes[k]}s", loc="left", fontsize="medium")
        alone = len(result.classes) == 1
        flow.set_ylabel("flow (veh/h per lane)" if alone else "effective flow (veh/h per lane)")
        speed.set(xlabel="density (veh/km per lane)" if alone else "occupancy (effective veh/km per lane)", ylabel="speed (km/h)")
        speed.legend(loc="upper right", fontsize="small", frameon=False, title="settled", title_fontsize="small")
        for axes in (flow, speed):
            axes.set_xlim(left=0)
            axes.set_ylim(bottom=0)
            _grid(axes)
    figure.suptitle(f"{result.scenario.name}: {physics.closure} closure")
    return saved(figure, path)


def detectors(
    result: Result,
    roads: Sequence[str],
    *,
    quantities: Sequence[str] = ("flow", "density", "speed"),
    every_s: float | None = None,
    path: PathLike | None = None,
) -> "Figure":
    """Series over time of some roads, a line each: rows of panels for the quantities, a column for each class.

    They are means over `every_s`, in whole intervals of the result; by default so long that the series are readable.
    """
    _require_rows(result)
    chosen = _indices(result, roads)
    if len(chosen) > MOST_LINES:
        raise Invalid("roads", f"names {len(chosen)}, and a picture tells {MOST_LINES} lines apart", "name fewer, or make several pictures")
    shown = [_shown(name, SHOWN) for name in quantities]
    together = math.ceil(len(result.times_s) / MOST_STEPS) if every_s is None else max(1, round(every_s / result.every_s))
    figure = page(1.0 + 4.4 * len(result.classes), 0.8 + 2.1 * len(shown))
    panels = figure.subplots(len(shown), len(result.classes), sharex=True, sharey="row", squeeze=False)
    starts = np.arange(0, len(result.times_s), together)
    edges = np.append(_begins(result)[starts], result.times_s[-1]) / MINUTE_S
    for row, (name, how) in zip(panels, zip(quantities, shown, strict=True), strict=True):
        series = _means(result, name, starts) * how.factor
        for k, axes in enumerate(row):
            for at, colour, dashes in zip(chosen, COLOURS, _repeated(DASHES), strict=False):
                axes.stairs(series[:, at, k], edges, baseline=None, color=colour, linestyle=dashes, linewidth=1.4, label=result.roads[at])
            axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None))
            _grid(axes)
        row[0].set_ylabel(how.label)
    for k, vehicle in enumerate(result.classes):
        panels[0, k].set_title(f"{vehicle}s", loc="left", fontsize="medium")
        panels[-1, k].set_xlabel("time (min)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 7), fontsize="small", frameon=False)
    figure.suptitle(f"{result.scenario.name}: means over {together * result.every_s:g} s")
    return saved(figure, path)


PICTURES: Final[dict[str, Callable[[Result, PathLike], "Figure"]]] = {
    "space_time": lambda result, path: space_time(result, path=path),
    "network": lambda result, path: network(result, path=path),
    "fundamental": lambda result, path: fundamental(result, path=path),
    "detectors": lambda result, path: detectors(result, busiest(result), path=path),
}
"""Every kind of picture, as it is made of a result when nothing else is asked for."""


def busiest(result: Result, number: int = 4) -> tuple[str, ...]:
    """The roads on which the greatest distance was driven."""
    order = np.argsort(-result.distance.sum(axis=(0, 2)), kind="stable")
    return tuple(result.roads[at] for at in order[:number])


def main_route(world: Network) -> tuple[Road, ...]:
    """The roads that most vehicles take who enter by the first entry, up to an outlet or back to where they have been."""
    road = (world.entries or world.roads)[0]
    route = [road]
    while exits := world.exits(road.end):
        at = world.approaches(road.end).index(road)
        shares = np.mean([turning[at] for turning in world.turning(road.end)], axis=0)
        road = exits[int(shares.argmax())]
        if road in route:
            break
        route.append(road)
    return tuple(route)


def _grid(axes: "Axes") -> None:
    axes.set_axisbelow(True)
    axes.grid(color="0.9")


def _shown(quantity: str, known: Sequence[str] | dict[str, Shown]) -> Shown:
    if quantity not in known:
        raise Unknown("quantity to draw", quantity, known)
    return SHOWN[quantity]


def _require_rows(result: Result) -> None:
    if not len(result.times_s):
        raise Invalid("result", "holds no whole interval yet", "go on with it by run(…, resume=result)")


def _begins(result: Result) -> Array:
    """When each interval begins (s); the first of a run that went on from a snapshot need not begin at 0."""
    first = max(float(result.times_s[0]) - result.every_s, 0.0)
    return np.append(first, result.times_s[:-1])


def _means(result: Result, name: str, starts: Array) -> Array:
    """A quantity [window, road, class], over windows that begin with these intervals."""
    if name == "speed":
        spent = np.add.reduceat(result.spent, starts)
        return np.where(spent > 0, np.add.reduceat(result.distance, starts) / np.where(spent > 0, spent, 1.0), result.speed[starts])
    weights = (result.times_s - _begins(result))[:, None, None]
    mean: Array = np.add.reduceat(getattr(result, name) * weights, starts) / np.add.reduceat(weights, starts)
    return mean


def _fields(result: Result) -> dict[str, Array]:
    if result.cell_density is None or result.cell_speed is None:
        raise Invalid("result", "holds no fields", "run the scenario with fields=True")
    _require_rows(result)
    return {"density": result.cell_density, "speed": result.cell_speed}


def _classes(result: Result, vehicle: str | None) -> list[int]:
    if vehicle is None:
        return list(range(len(result.classes)))
    if vehicle not in result.classes:
        raise Unknown("class in this result", vehicle, result.classes)
    return [result.classes.index(vehicle)]


def _indices(result: Result, roads: Sequence[str] | None) -> list[int]:
    if roads is None:
        return list(range(len(result.roads)))
    place = {name: at for at, name in enumerate(result.roads)}
    for name in roads:
        if name not in place:
            raise Unknown("road in this result", name, result.roads[:MOST_NAMES])
    return [place[name] for name in roads]


def _chain(world: Network, roads: Sequence[str]) -> tuple[Road, ...]:
    for name in roads:
        if name not in world.road_index:
            raise Unknown("road in this network", name, [road.id for road in world.roads[:MOST_NAMES]])
    route = tuple(world.road(name) for name in roads)
    for at in range(1, len(route)):
        if route[at].start != route[at - 1].end:
            problem = f"is {route[at].id!r}, which does not begin where {route[at - 1].id!r} ends"
            raise Invalid(f"roads[{at}]", problem, "name roads that follow one another")
    if not route:
        raise Invalid("roads", "is empty", "name roads that follow one another, or leave it out")
    return route


def _along(result: Result, route: Sequence[Road]) -> tuple[Array, Array]:
    """The edges of the stretches of the route that belong to one cell each (m), and those cells."""
    edges: list[float] = [0.0]
    cells: list[int] = []
    begin = 0.0
    for road in route:
        for piece in np.flatnonzero(result.piece_road == result.roads.index(road.id)).tolist():
            edges.append(begin + float(result.piece_from_m[piece] + result.piece_length_m[piece]))
            cells.append(int(result.piece_cell[piece]))
        begin += road.length_m
    return np.array(edges), np.array(cells)


def _greatest(quantity: str, result: Result, roads: Sequence[Road], values: Array) -> float:
    """The top of the scale: the speed limit, or the greatest density, at least a third of the jam so that light traffic looks light."""
    kinds = {(road.limit_kmh, road.quality) for road in roads}
    numbers = [one for kind in kinds for one in result.scenario.physics.numbers(*kind)]
    if quantity == "speed":
        return max(one.limit for one in numbers) * KMH
    return max(float(values.max()), min(one.jam for one in numbers) / 3) * PER_KM


def _mark_roads(axes: "Axes", route: Sequence[Road], by: float) -> None:
    """Lines where roads meet, and on the right the names of those that are long enough to be named."""
    if len(route) == 1:
        return
    ends = np.cumsum([road.length_m for road in route]) / by
    axes.hlines(ends[:-1], 0, 1, transform=axes.get_yaxis_transform(), colors="0.35", linewidths=0.5)
    lengths = np.array([road.length_m for road in route]) / by
    named = [at for at in range(len(route)) if lengths[at] >= ends[-1] / MOST_NAMES / 2]
    side = axes.secondary_yaxis("right")
    side.set_yticks((ends - lengths / 2)[named], [route[at].id for at in named], fontsize="x-small")
    side.tick_params(length=0)


def _line(world: Network, road: Road) -> Array:
    """The points of a road from its start to its end; a circle, if it comes back to where it began and nothing else is known."""
    if road.geometry:
        return np.array(road.geometry)
    start, end = world.node(road.start), world.node(road.end)
    if road.start != road.end:
        return np.array([(start.x_m, start.y_m), (end.x_m, end.y_m)])
    angle = np.linspace(0.0, 2 * np.pi, 73)
    radius = road.length_m / (2 * np.pi)
    return np.column_stack([start.x_m + radius * (np.cos(angle) - 1), start.y_m + radius * np.sin(angle)])


def _extent(lines: Sequence[Array]) -> tuple[float, float]:
    points = np.concatenate(lines)
    width, height = points.max(axis=0) - points.min(axis=0)
    if not max(width, height) > 0:
        raise Invalid("network.nodes", "all lie at one place", "give the nodes x_m and y_m, or the roads a geometry")
    return float(width), float(height)


def _size_of(lines: Sequence[Array]) -> tuple[float, float, dict[str, Any]]:
    """Width and height of a page (inches) in the shape of the network, within reason, and where the colour bar finds room."""
    width, height = _extent(lines)
    shape = height / width if width else math.inf
    if shape < 1 / 3:
        return 9.0, 2.2 + 7.0 * max(shape, 0.05), {"location": "bottom", "shrink": 0.6, "aspect": 40}
    if shape <= 1:
        return 9.0, 1.1 + 7.0 * shape, {"shrink": 0.8}
    return 1.8 + 7.6 / min(shape, 4.0), 8.6, {"shrink": 0.8}


def _lane_width(lines: Sequence[Array]) -> float:
    """Metres for a lane: wide enough to be seen, narrow enough that streets side by side stay apart."""
    typical = float(np.median([np.hypot(*np.diff(line, axis=0).T).sum() for line in lines]))
    return max(3.5, min(max(_extent(lines)) / 100, typical / 12))


def _ribbon(line: Array, begin: float, end: float, width: float) -> Array:
    """The outline of a part of a line (shares of its length), `width` wide, on the right of who drives along it."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    place = np.concatenate([[0.0], np.cumsum(steps)]) / max(steps.sum(), 1e-9)
    inner = place[(place > begin) & (place < end)]
    at = np.concatenate([[begin], inner, [end]])
    points = np.column_stack([np.interp(at, place, line[:, 0]), np.interp(at, place, line[:, 1])])
    # The direction around a point: of the line as a whole there, so that parts of one road fit together at a bend.
    reach = 1e-3
    ahead = np.column_stack([np.interp(np.minimum(at + reach, 1), place, line[:, axis]) for axis in (0, 1)])
    behind = np.column_stack([np.interp(np.maximum(at - reach, 0), place, line[:, axis]) for axis in (0, 1)])
    along = ahead - behind
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    right = np.column_stack([along[:, 1], -along[:, 0]])
    gap = 0.1 * width
    return np.concatenate([points + right * gap, (points + right * width)[::-1]])


def _coloured(
    result: Result, row: int, quantity: str, classes: Sequence[int], lines: Sequence[Array], lane: float
) -> tuple[list[Array], Array]:
    """The shapes to paint, and the value of each."""
    roads = result.scenario.network.roads
    if result.cell_density is None or result.cell_speed is None:
        density, speed = result.density[row][:, classes].T, result.speed[row][:, classes].T
        shapes = [_ribbon(line, 0.0, 1.0, road.lanes * lane) for road, line in zip(roads, lines, strict=True)]
        return shapes, _joined(quantity, density, speed)
    values = _joined(quantity, result.cell_density[row][classes], result.cell_speed[row][classes])
    lengths = np.array([road.length_m for road in roads])[result.piece_road]
    begins, ends = result.piece_from_m / lengths, (result.piece_from_m + result.piece_length_m) / lengths
    parts = zip(result.piece_road.tolist(), begins.tolist(), ends.tolist(), strict=True)
    return [_ribbon(lines[at], begin, end, roads[at].lanes * lane) for at, begin, end in parts], values[result.piece_cell]


def _joined(quantity: str, density: Array, speed: Array) -> Array:
    """One number for all classes [class, place]: densities add up, speeds are weighted by them."""
    total = density.sum(axis=0)
    if quantity == "density":
        return np.asarray(total)
    mean: Array = np.where(total > 0, (density * speed).sum(axis=0) / np.where(total > 0, total, 1.0), speed.max(axis=0))
    return mean


def _mark_signals(axes: "Axes", world: Network) -> None:
    places = [(node.x_m, node.y_m) for node in world.nodes if node.signal is not None]
    if places:
        axes.scatter(
            *zip(*places, strict=True), s=22, marker="o", facecolors="white", edgecolors="black", linewidths=0.9, zorder=4, label="signal"
        )
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0, fontsize="small", frameon=False)


def _settled(physics: Physics, numbers: Numbers, r: float) -> float:
    """The speed that drivers of a class settle to in the occupancy r."""
    closure = next(one for one in CLOSURES if one.name == physics.closure)
    if closure.built_in_equilibrium:
        return closure.velocity(numbers.limit, r, numbers.scale, numbers.jam, numbers.shape)
    return equilibrium_speed(code_of(physics.equilibrium), r, numbers.limit, numbers.creep, numbers.jam, numbers.shape)


def _points(result: Result, k: int, roads: Sequence[int]) -> tuple[Array, ...]:
    """The occupancy that class k feels and its speed, wherever there is anybody."""
    if result.cell_density is None or result.cell_speed is None:
        density, speed = (held[:, roads].transpose(0, 2, 1) for held in (result.density, result.speed))
        place = np.asarray(roads)
    else:
        inside = np.flatnonzero(np.isin(result.cell_road, roads))
        density, speed = result.cell_density[:, :, inside], result.cell_speed[:, :, inside]
        place = result.cell_road[inside]
    world, physics = result.scenario.network, result.scenario.physics
    own, other = np.array([physics.numbers(road.limit_kmh, road.quality)[k][:2] for road in world.roads])[place].T
    felt = own * density[:, k] + (other * density[:, 1 - k] if len(result.classes) > 1 else 0.0)
    # Without anybody of the class there, no speed was measured.
    there = density[:, k] > 1e-4  # noqa: PLR2004 - one vehicle in ten kilometres
    points = np.column_stack([felt[there], speed[:, k][there]])
    return tuple(points[:: max(1, len(points) // MOST_POINTS)].T)


def _repeated(items: Sequence[str]) -> Iterator[str]:
    while True:
        yield from items

"""Every kind of junction keeps its contract, a whole node balances, and the specification's numbers come out."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from arz.errors import Unknown
from arz.jit import compiled
from arz.laws.junctions import node as nodes
from arz.laws.junctions.base import WORK, Junction
from arz.laws.junctions.mixture import arriving, carried, mixed, remembered
from arz.laws.junctions.registry import JUNCTIONS, code_of, share
from arz.laws.pressure import registry as closures
from arz.laws.riemann import demand, supply
from tests.arz.line import Traffic, queue_demand
from tests.arz.makers import LIMIT, MULTIPLICATIVE_PAIR, R_M
from tests.arz.readings import node_kernel

Array = NDArray[Any]
every = pytest.mark.parametrize("junction", JUNCTIONS, ids=lambda junction: junction.name)
FIFO, LANES = code_of("fifo"), code_of("lanes")
POWER = closures.code_of("power")
K, RJ, G = 8.0, 0.2, 2.0
ROWS = nodes.rows(2, 2)
KINDS = ("marker", "v_ahead")
flows = st.one_of(st.just(0.0), st.floats(1e-3, 2.0))


@st.composite
def meetings(draw: st.DrawFn, classes: int = 1) -> dict[str, Array]:
    """A node of up to 3 approaches and 3 exits: demands, room, ratios that add up to 1 (some 0), priorities."""
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def array(*shape: int, of: st.SearchStrategy[float]) -> Array:
        return np.array(draw(st.lists(of, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))).reshape(shape)

    ratio = array(classes, n, m, of=st.one_of(st.just(0.0), st.floats(0.01, 1.0)))
    ratio[..., 0] += ratio.sum(axis=2) == 0
    return {
        "ratio": ratio / ratio.sum(axis=2, keepdims=True),
        "demand": array(classes, n, of=flows),
        "room": array(classes, m, of=flows),
        "priority": array(n, of=st.floats(0.05, 5.0)),
        "marker": array(classes, n, of=st.floats(3.0, LIMIT[1])),
        "v_ahead": array(classes, m, of=st.one_of(st.just(0.0), st.floats(0.1, LIMIT[1]))),
        "width": array(m, of=st.sampled_from([1.0, 2.0, 3.0])),
    }


def divided(junction: Junction, demand: Array, room: Array, ratio: Array, priority: Array, *, coded: bool = False) -> Array:
    """What passes one node by itself, one class; `coded`: the junction is picked by its number."""
    moved, work = np.full((*ratio.shape, 1), np.nan), np.full((WORK, 1), np.nan)
    numbers = (moved, demand[..., None], room[..., None], ratio[..., None], priority[..., None], work)
    if coded:
        share(code_of(junction.name), numbers)
    else:
        junction.share(*numbers)
    return moved[..., 0]


def shared(junction: Junction, met: dict[str, Array], *, coded: bool = False) -> Array:
    return divided(junction, met["demand"][0], met["room"][0], met["ratio"][0], met["priority"], coded=coded)


@every
@given(met=meetings())
def test_sharing_keeps_its_contract(junction: Junction, met: dict[str, Array]) -> None:
    """Nobody sends more than the demand or less than 0, no exit gets more than its room, and red sends exactly 0."""
    moved = shared(junction, met)
    wanted = met["ratio"][0] * met["demand"][0][:, None]

    assert (moved >= 0).all()
    assert (moved <= wanted).all()
    assert (moved.sum(axis=0) <= met["room"][0] * (1 + 1e-12)).all()
    assert (moved[met["demand"][0] == 0] == 0).all()
    assert (shared(junction, met, coded=True) == moved).all()


@given(met=meetings())
def test_fifo_flow_is_the_largest(met: dict[str, Array]) -> None:
    """First in, first out: all movements of an approach are held back alike, and each approach is served or goes to a full exit."""
    moved, ratio, wanted, room = shared(JUNCTIONS[FIFO], met), met["ratio"][0], met["demand"][0], met["room"][0]
    sent = moved.sum(axis=1)
    full = moved.sum(axis=0) >= room * (1 - 1e-12)

    assert moved == pytest.approx(ratio * sent[:, None], rel=1e-12, abs=1e-300)
    for i in range(len(wanted)):
        assert sent[i] >= wanted[i] * (1 - 1e-12) or full[ratio[i] > 0].any()


@given(met=meetings())
def test_lanes_hold_back_only_who_goes_there(met: dict[str, Array]) -> None:
    """With a lane for each movement an exit with room serves all who come to it, and none sends less than under first in, first out."""
    moved, ratio, wanted, room = shared(JUNCTIONS[LANES], met), met["ratio"][0], met["demand"][0], met["room"][0]
    asked = (ratio * wanted[:, None]).sum(axis=0)

    assert moved.sum(axis=0) == pytest.approx(np.minimum(asked, room), rel=1e-9, abs=1e-12)
    assert moved.sum() >= shared(JUNCTIONS[FIFO], met).sum() * (1 - 1e-12)


@given(d=st.tuples(flows, flows), room=flows, p=st.floats(0.05, 0.95))
def test_a_merge_is_by_priority(d: tuple[float, float], room: float, p: float) -> None:
    """Two that merge send the middle of what they want, what the other leaves, and their share."""
    moved = divided(JUNCTIONS[FIFO], np.array(d), np.array([room]), np.ones((2, 1)), np.array([p, 1 - p]))
    expected = d if sum(d) <= room else (sorted((d[0], room - d[1], p * room))[1], sorted((d[1], room - d[0], (1 - p) * room))[1])

    assert moved[:, 0] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(d=flows, room=st.tuples(flows, flows), a=st.floats(0.05, 0.95))
def test_a_diverge_is_first_in_first_out(d: float, room: tuple[float, float], a: float) -> None:
    """One full exit blocks the approach: q = min(d, s_1/a_1, s_2/a_2)."""
    moved = divided(JUNCTIONS[FIFO], np.array([d]), np.array(room), np.array([[a, 1 - a]]), np.array([1.0]))

    assert moved.sum() == pytest.approx(min(d, room[0] / a, room[1] / (1 - a)), rel=1e-12, abs=1e-15)


def test_an_unknown_junction_is_refused() -> None:
    """The refusal lists what there is."""
    with pytest.raises(Unknown, match="no junction named 'roundabout'; known: fifo, lanes"):
        code_of("roundabout")


def solve(met: dict[str, Array], traffic: Traffic, junction: int, *, law: Any = node_kernel) -> tuple[Array, Array]:
    """(moved, room) of a whole node whose exits all have the constants of this traffic."""
    moved, room = solve_all([met], traffic, junction, law=law)
    return moved[..., 0], room[..., 0]


def solve_all(
    mets: list[dict[str, Array]], traffic: Traffic, junction: int, *, law: Any = node_kernel, left_in_work: float = np.nan
) -> tuple[Array, Array]:
    """The same of several nodes of one shape side by side, each of them a lane."""
    met = {name: np.stack([each[name] for each in mets], axis=-1) for name in mets[0]}
    classes, _, m, lanes = met["ratio"].shape
    moved, room = np.full_like(met["ratio"], np.nan), np.full((classes, m, lanes), np.nan)
    table = [np.ones((classes, m, lanes)) * np.array(getattr(traffic, name))[:, None, None] for name in ("own", "scale", "jam", "shape")]
    work = np.full((nodes.rows(classes, m), lanes), left_in_work)
    order = ("demand", "marker", "v_ahead", "ratio", "priority", "width")
    law(moved, room, *(met[name] for name in order), *table, work, closures.code_of(traffic.closure), junction)
    return moved, room


def entering(law: Any, *numbers: Any) -> float:
    """The sum that the law finds for an exit, from arrays without lanes."""
    total = np.full(1, np.nan)
    law(total, *(each[..., None] if isinstance(each, np.ndarray) else each for each in numbers))
    return float(total[0])


@pytest.mark.parametrize("junction", [FIFO, LANES])
@given(met=meetings(classes=2))
def test_a_node_balances(junction: int, met: dict[str, Array]) -> None:
    """For every class: what leaves the approaches is what reaches the exits, in vehicles and in y; no exit is asked for more than it takes."""
    moved, room = solve(met, MULTIPLICATIVE_PAIR, junction)

    assert (moved >= 0).all()
    assert (moved <= met["ratio"] * met["demand"][:, :, None]).all()
    assert (moved.sum(axis=1) <= room * (1 + 1e-12)).all()
    assert (moved[met["demand"] == 0] == 0).all()
    for k in range(2):
        left = (moved[k] * met["marker"][k][:, None]).sum()
        flow = np.array([entering(arriving, moved[k], j) for j in range(moved.shape[2])])
        of_y = np.array([entering(carried, moved[k], met["marker"][k], j) for j in range(moved.shape[2])])

        assert moved[k].sum(axis=0).sum() == pytest.approx(moved[k].sum(axis=1).sum(), rel=1e-15)
        assert of_y.sum() == pytest.approx(left, rel=1e-14)
        assert flow == pytest.approx(moved[k].sum(axis=0), rel=1e-15)
        for j in range(moved.shape[2]):
            assert 3.0 * (1 - 1e-15) <= mixed(flow[j], of_y[j], 3.0) <= LIMIT[1] * (1 + 1e-15)
        assert (moved[k][:, met["v_ahead"][k] == 0] == 0).all()
    plain, _ = solve(met, MULTIPLICATIVE_PAIR, junction, law=nodes.node)
    assert plain == pytest.approx(moved, rel=1e-12, abs=1e-15)


def others(met: dict[str, Array], count: int, seed: int) -> list[dict[str, Array]]:
    """Random nodes of the same shape: some approaches are empty, some exits stand, some movements do not exist."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        other = {name: rng.uniform(0.0, 2.0, array.shape) * (rng.random(array.shape) < 0.8) for name, array in met.items()}
        other["ratio"][..., 0] += 1e-3
        other["ratio"] /= other["ratio"].sum(axis=2, keepdims=True)
        made.append(other | {"priority": other["priority"] + 0.1, "marker": other["marker"] + 3.0, "width": other["width"] + 1.0})
    return made


@pytest.mark.parametrize("junction", [FIFO, LANES])
@given(met=meetings(classes=2), place=st.integers(0, 7), seed=st.integers(0, 2**32 - 1))
def test_lanes_do_not_know_each_other(junction: int, met: dict[str, Array], place: int, seed: int) -> None:
    """A node that is solved alone is to the last bit the node that is solved among 7 others, wherever it stands among them."""
    alone = solve(met, MULTIPLICATIVE_PAIR, junction)
    among = others(met, 7, seed)
    among.insert(place, met)
    moved, room = solve_all(among, MULTIPLICATIVE_PAIR, junction)

    assert moved[..., place].tobytes() == alone[0].tobytes()
    assert room[..., place].tobytes() == alone[1].tobytes()


@pytest.mark.parametrize("junction", [FIFO, LANES])
@given(met=meetings(classes=2), seed=st.integers(0, 2**32 - 1))
def test_scratch_may_hold_anything(junction: int, met: dict[str, Array], seed: int) -> None:
    """What is in the scratch before, be it NaN, changes no bit of the answer."""
    mets = [met, *others(met, 2, seed)]
    moved, room = solve_all(mets, MULTIPLICATIVE_PAIR, junction, left_in_work=0.0)

    for left in (-1.0, np.inf, np.nan):
        again = solve_all(mets, MULTIPLICATIVE_PAIR, junction, left_in_work=left)
        assert again[0].tobytes() == moved.tobytes()
        assert again[1].tobytes() == room.tobytes()


@given(met=meetings(), share_of_first=st.floats(0.05, 0.95))
def test_a_class_cut_in_two_passes_as_before(met: dict[str, Array], share_of_first: float) -> None:
    """Two equal classes share demand and room as one class would, at every node."""
    one = Traffic("multiplicative", (1.0,), (0.0,), (1 / 0.15,), (0.15,), (1.0,), (3.0,), (17.0,))
    two = Traffic("multiplicative", *((pair, pair) for pair in (1.0, 1.0, 1 / 0.15, 0.15, 1.0, 3.0, 17.0)))
    parts = np.array([share_of_first, 1 - share_of_first])
    doubled = met | {name: np.repeat(met[name], 2, axis=0) for name in ("ratio", *KINDS)}
    doubled["demand"] = met["demand"] * parts[:, None]
    whole, _ = solve(met, one, FIFO)
    cut, _ = solve(doubled, two, FIFO)

    assert cut.sum(axis=0) == pytest.approx(whole[0], rel=1e-9, abs=1e-12)


def power_node(approaches: list[tuple[float, float]], exits: list[tuple[float, float]], ratio: list[list[float]], junction: int) -> Array:
    """Flows of a node of the power law between (rho, v) on each side; one lane each, equal priorities."""
    closure = closures.CLOSURES[POWER]
    traffic = Traffic("power", (1.0,), (0.0,), (K,), (RJ,), (G,), (0.0,), (15.0,))
    w = [closure.lowered(1e9, v, rho, K, RJ, G) for rho, v in approaches]
    met = {
        "demand": np.array([[demand(POWER, rho, w_i, 1.0, K, RJ, G) for (rho, _), w_i in zip(approaches, w, strict=True)]]),
        "marker": np.array([w]),
        "v_ahead": np.array([[v for _, v in exits]]),
        "ratio": np.array([ratio]),
        "priority": np.full(len(approaches), 0.5),
        "width": np.ones(len(exits)),
    }
    moved, _ = solve(met, traffic, junction)
    return np.asarray(moved[0])


def test_the_numbers_of_the_specification() -> None:
    """The merge, the diverge and the supplies that were derived by hand come out."""
    merge = power_node([(0.10, 4.0), (0.08, 6.0)], [(0.12, 2.0)], [[1.0], [1.0]], FIFO)
    supplies = [supply(POWER, w, 2.0, 1.0, K, RJ, G) for w in (3.0, 4.0, 6.0, 8.0, 10.0, 12.0)]

    assert merge[:, 0] == pytest.approx([0.152315462, 0.152315462], abs=1e-9)
    assert supplies == pytest.approx([0.141421, 0.2, 0.282843, 0.346410, 0.4, 0.447214], abs=1e-6)
    for junction, expected in ((FIFO, [0.087802809, 0.037629775]), (LANES, [0.336, 0.037629775])):
        moved = power_node([(0.08, 6.0)], [(0.02, 9.0), (0.19, 0.2)], [[0.7, 0.3]], junction)
        assert moved[0] == pytest.approx(expected, abs=1e-9)


def test_a_slow_road_behind_a_node_drops_its_capacity() -> None:
    """Behind traffic at 2 m/s a queue passes 44 % less than into an empty road, without a parameter for it."""
    into_empty = power_node([(0.2, 0.0)], [(0.0, 15.0)], [[1.0]], FIFO).sum()
    into_slow = power_node([(0.2, 0.0)], [(0.1, 2.0)], [[1.0]], FIFO).sum()

    assert into_empty == pytest.approx(0.615840287, abs=1e-9)
    assert 1 - into_slow / into_empty == pytest.approx(0.437, abs=1e-3)


@given(w=st.floats(3.0, 17.0), target=st.floats(3.0, 17.0), memory=st.floats(0.0, 1.0))
def test_memory_at_a_node(w: float, target: float, memory: float) -> None:
    """With full memory a marker passes to the last bit, without it is the target of the new road, else between."""
    assert remembered(w, target, 1.0) == w
    assert remembered(w, target, 0.0) == target
    assert min(w, target) * (1 - 1e-15) <= remembered(w, target, memory) <= max(w, target) * (1 + 1e-15)


@given(share_of_m=st.floats(0.0, 1.0), fill=st.floats(0.01, 0.99))
def test_a_queue_of_two_classes_flows_as_much_as_it_can(share_of_m: float, fill: float) -> None:
    """What an approach sends is what it does in free flow, and in a queue the most that any thinning of the mixture would."""
    rho = np.array([fill * share_of_m * 0.15 / 0.4, fill * (1 - share_of_m) * 0.15])
    w, out = np.array(LIMIT), np.empty(2)
    own, other, scale, jam, shape = (np.array(getattr(MULTIPLICATIVE_PAIR, name)) for name in ("own", "other", "scale", "jam", "shape"))
    queue_demand(rho, w, own, other, scale, jam, shape, 0, out)
    s = np.linspace(0, 1, 401)[:, None]
    crowd = s * fill * 0.15
    along = s * rho * w * np.maximum(1 - crowd / np.array([R_M, 0.15]), 0) * np.array([0.4, 1.0])

    assert out @ [0.4, 1.0] >= along.sum(axis=1).max() * (1 - 1e-12)
    assert out @ [0.4, 1.0] <= along.sum(axis=1).max() * (1 + 1e-3)


@compiled
def crossing(rho: Any, y: Any, low: Any, high: Any, ratio: Any, table: Any, dt_over_dx: float, steps: int, left: Any) -> float:
    """Two approaches and two exits of three cells each around a node: rho and y are [class, road, cell]; exits 0 and 1 are roads 2, 3.

    The ends stay closed, so that everything jams; gives the greatest part of the jam occupancy, for the class with more room, ever met.
    """
    own, other, scale, jam, shape = table
    met = 0.0
    w, v, r = np.empty_like(rho), np.empty_like(rho), np.empty_like(rho)
    sent, moved, room, work = np.empty((2, 2)), np.empty((2, 2, 2, 1)), np.empty((2, 2, 1)), np.full((ROWS, 1), np.nan)
    exits = np.empty((4, 2, 2, 1))
    for n, numbers in enumerate((own, scale, jam, shape)):
        for k in range(2):
            exits[n, k, :, :] = numbers[k]
    for _ in range(steps):
        for road in range(4):
            for i in range(3):
                for k in range(2):
                    w[k, road, i] = min(max(y[k, road, i] / rho[k, road, i], low[k]), high[k]) if rho[k, road, i] > 0 else high[k]
                    r[k, road, i] = own[k] * rho[k, road, i] + other[k] * rho[1 - k, road, i]
                    v[k, road, i] = closures.velocity(0, (w[k, road, i], r[k, road, i], scale[k], jam[k], shape[k]))
                met = max(met, r[0, road, i] / jam[0])
        for i in range(2):
            queue_demand(rho[:, i, 2].copy(), w[:, i, 2].copy(), own, other, scale, jam, shape, 0, sent[i])
        nodes.node(
            moved, room, sent.T.copy().reshape((2, 2, 1)), w[:, :2, 2].copy().reshape((2, 2, 1)), v[:, 2:, 0].copy().reshape((2, 2, 1)),
            ratio, np.ones((2, 1)), np.ones((2, 1)), exits[0], exits[1], exits[2], exits[3], work, 0, 0,
        )  # fmt: skip
        for k in range(2):
            for road in range(4):
                for i in range(2):
                    q = dt_over_dx * rho[k, road, i] * min(v[k, road, i + 1], w[k, road, i])
                    rho[k, road, i] -= q
                    rho[k, road, i + 1] += q
                    y[k, road, i] -= q * w[k, road, i]
                    y[k, road, i + 1] += q * w[k, road, i]
            for i in range(2):
                for j in range(2):
                    q = dt_over_dx * moved[k, i, j, 0]
                    rho[k, i, 2] -= q
                    rho[k, 2 + j, 0] += q
                    y[k, i, 2] -= q * w[k, i, 2]
                    y[k, 2 + j, 0] += q * w[k, i, 2]
                    left[k] += q
    return met


@given(
    fill=st.lists(st.floats(0.0, 0.99), min_size=12, max_size=12),
    mix=st.lists(st.floats(0.0, 1.0), min_size=12, max_size=12),
    a=st.floats(0.0, 1.0),
)
def test_a_crossing_that_jams_never_overfills(fill: list[float], mix: list[float], a: float) -> None:
    """Two classes crowd through a node into closed roads: no density becomes negative, none exceeds its jam, and nobody is lost."""
    rho = 0.15 * np.array([np.multiply(fill, mix) / 0.4, np.multiply(fill, np.subtract(1, mix))]).reshape(2, 4, 3)
    w = np.broadcast_to(np.array(LIMIT)[:, None, None], rho.shape)
    y, before, left = rho * w, rho.sum(axis=(1, 2)), np.zeros(2)
    ratio = np.array([[[a, 1 - a], [1 - a, a]]] * 2).reshape(2, 2, 2, 1)
    table = tuple(np.array(getattr(MULTIPLICATIVE_PAIR, name)) for name in ("own", "other", "scale", "jam", "shape"))
    met = crossing(rho, y, np.array([3.0, 3.0]), np.array(LIMIT), ratio, table, 0.8 / LIMIT[0], 300, left)

    assert met <= 1 + 1e-12
    assert (rho >= -1e-18).all()
    assert rho.sum(axis=(1, 2)) == pytest.approx(before, rel=1e-12)
    assert (left >= 0).all()

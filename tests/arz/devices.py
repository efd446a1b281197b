"""What every device promises, as questions that a process of its own can answer: numba plays a GPU only where that is settled at its start."""

import gc
import json
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray

from arz.engine.simulator import Controls, Simulator
from arz.errors import NoRoom, Unstable
from arz.world.scenario import Scenario
from arz.world.scenarios.registry import scenario
from arz.world.scheme import Scheme
from tests.arz.engines import LWR, STATE, cars, filled, one_road, same_measures, same_snapshot, same_world, town

Array = NDArray[Any]
Make = Callable[..., Simulator]

COARSE = Scheme(order=2, cell_m=60.0)
NEAR = {"float64": 1e-12, "float32": 1e-4}


def worlds(count: int = 2, scheme: Scheme = COARSE) -> list[Scenario]:
    """Towns of few cells, with everything in them, that differ in seed and demand."""
    return [town(seed=n, scale=1 - 0.2 * n).model_copy(update={"scheme": scheme}) for n in range(count)]


def driven(simulator: Simulator, decisions: int = 2, seconds: float = 6.0) -> tuple[dict[str, Any], Any]:
    """Under a controller that changes its mind: what is remembered in the end, and what was measured last."""
    measured = None
    for decision in range(decisions):
        phase = np.array([[(decision + world) % 2 for _ in simulator.signals] for world in range(len(simulator.scenarios))])
        measured = simulator.step(Controls(phase=phase) if simulator.signals else None, seconds)
    return simulator.snapshot(), measured


def assert_near(expected: dict[str, Any], actual: dict[str, Any], dtype: str) -> None:
    """float64: the greatest difference over the greatest value; float32: the sum of the differences over the sum of the values."""
    for name in STATE:
        one, other = np.asarray(expected[name], np.float64), np.asarray(actual[name], np.float64)
        away, scale = np.abs(one - other), np.abs(one)
        if dtype == "float64":
            assert away.max(initial=0) <= NEAR[dtype] * scale.max(initial=0), name
        else:
            assert away.sum() <= NEAR[dtype] * scale.sum(), name


def test_it_computes_what_the_cpu_computes(make: Make, dtype: str) -> None:
    """State, books and measures: float64 to 1e-12, float32 to 1e-4 in the mean."""
    reference, told = driven(Simulator(worlds(), dtype=dtype, threads=1))
    snapshot, measured = driven(make(worlds(), dtype=dtype))

    assert_near(reference, snapshot, dtype)
    for name in ("density", "flow", "speed", "inside", "queue", "delay", "waiting", "entered", "left"):
        np.testing.assert_allclose(
            getattr(measured, name), getattr(told, name), rtol=1e3 * NEAR[dtype], atol=1e2 * NEAR[dtype], err_msg=name
        )
    assert (measured.phase == told.phase).all()


def test_the_same_again(make: Make, dtype: str) -> None:
    """Run twice, the bits are equal; so they are after a reset."""
    simulator = make(worlds(), dtype=dtype)
    first, measured = driven(simulator)
    simulator.reset()
    again, measured_again = driven(simulator)

    same_snapshot(first, again)
    same_snapshot(first, driven(make(worlds(), dtype=dtype))[0])
    same_measures(measured, 1, measured_again, 1)


def test_a_world_alone_is_the_world_among_others(make: Make, dtype: str) -> None:
    """To the last bit, wherever it stands."""
    among, told = driven(make(worlds(3), dtype=dtype), 1)
    # Its controller asks for the phases of its place.
    simulator = make(worlds(3)[2:], dtype=dtype)
    measured = simulator.step(Controls(phase=np.zeros((1, 1), int)), 6.0)

    # Over the grid of a GPU roads are cut by how many worlds there are, and what the limiter takes is summed by pieces of roads.
    over_the_grid = simulator.device != "cpu" and not simulator._groups[0].backend.blocks  # type: ignore[attr-defined]
    same_world(simulator.snapshot(), 0, among, 2, near={"removed"} if over_the_grid else ())
    same_measures(measured, 0, told, 2)


def test_a_state_goes_from_device_to_device(make: Make, dtype: str) -> None:
    """A snapshot goes on to the last bit where it was taken, and on the CPU as it would have there."""
    simulator, other = make(worlds(), dtype=dtype), make(worlds(), dtype=dtype)
    simulator.step(None, 4.0)
    kept = simulator.snapshot()
    other.restore(kept)
    same_snapshot(kept, other.snapshot())
    cpu = Simulator(worlds(), dtype=dtype, threads=1)
    cpu.restore(kept)
    for each in (simulator, other, cpu):
        each.step(None, 4.0)

    same_snapshot(simulator.snapshot(), other.snapshot())
    assert_near(cpu.snapshot(), simulator.snapshot(), dtype)


def test_one_class_and_order_one(make: Make, dtype: str) -> None:
    """The other scheme, the other closure, one class; a queue before a wall."""
    made = Scenario(
        name="queue", network=one_road(600.0, end="wall"), physics=LWR, scheme=Scheme(order=1, cell_m=50.0),
        demand=cars("road", 1500.0), initial=filled((0.05,), road=600.0),
    )  # fmt: skip
    reference, told = driven(Simulator([made] * 2, dtype=dtype, threads=1))
    snapshot, measured = driven(make([made] * 2, dtype=dtype))

    assert_near(reference, snapshot, dtype)
    np.testing.assert_allclose(measured.queue, told.queue, rtol=1e3 * NEAR[dtype])
    assert snapshot["left"].sum() == 0


def test_it_is_the_cpu_after_1000_steps(make: Make, dtype: str) -> None:
    """What rounding does in a long run stays within the same bounds."""
    fine = worlds(2, Scheme(order=2, cell_m=60.0))
    results = []
    for simulator in (Simulator(fine, dtype=dtype, threads=1), make(fine, dtype=dtype)):
        steps = 0
        while steps < 1000:
            simulator.step(None, 30.0)
            steps += simulator.steps(30.0)
        results.append(simulator.snapshot())

    assert_near(results[0], results[1], dtype)


def test_a_ring_closes(make: Make, dtype: str) -> None:
    """A road that goes on with its own beginning has no node at all."""
    made = scenario("ring").model_copy(update={"scheme": Scheme(order=2, cell_m=75.0)})
    reference, _ = driven(Simulator(made, dtype=dtype, threads=1))
    simulator = make(made, dtype=dtype)
    snapshot, _ = driven(simulator)

    assert_near(reference, snapshot, dtype)
    assert np.abs(simulator.ledger().drift).max() <= (1e-14 if dtype == "float64" else 1e-6)


def test_gates_and_signs(make: Make, dtype: str) -> None:
    """Ramp meters and variable speed limits do what they do on the CPU."""
    made = scenario("ramp").model_copy(update={"scheme": Scheme(order=2, cell_m=100.0)})
    results = []
    for simulator in (Simulator(made, dtype=dtype, threads=1), make(made, dtype=dtype)):
        controls = Controls(rate_veh_per_h=np.full((1, len(simulator.meters)), 300.0), limit_kmh=np.full((1, len(simulator.limits)), 40.0))
        simulator.step(controls, 8.0)
        simulator.step(None, 4.0)
        results.append(simulator.snapshot())

    assert_near(results[0], results[1], dtype)


def test_what_goes_wrong_is_told(make: Make, dtype: str) -> None:
    """An unsound cell ends the interval, and the state before is kept to the last bit."""
    simulator = make(worlds(), dtype=dtype)
    simulator.step(None, 2.0)
    spoilt = simulator.snapshot()
    spoilt["rho"][1, 0, 3] = np.nan
    simulator.restore(spoilt)
    with pytest.raises(Unstable) as caught:
        simulator.step(None, 2.0)

    assert caught.value.world == 1
    assert simulator.snapshot()["rho"].tobytes() == spoilt["rho"].tobytes()


def test_what_is_held_is_what_is_measured(make: Make, dtype: str) -> None:
    """What stays on the device says the same as what comes to the host, and is handed over without a copy."""
    one, other = make(worlds(), dtype=dtype), make(worlds(), dtype=dtype)
    measured = one.step(None, 4.0)
    held = other.step_held(None, 4.0)
    inside = np.from_dlpack(held.inside)
    seconds = 4.0 / other.steps(4.0)

    assert inside.tobytes() == measured.inside.tobytes()
    np.testing.assert_allclose(np.asarray(np.from_dlpack(held.spent), np.float64) * seconds, measured.spent, rtol=1e-12)
    other.step_held(None, 4.0)
    if other.device != "cpu":
        assert inside.tobytes() != measured.inside.tobytes()


def test_only_gpu_lends_its_memory_again(make: Make, dtype: str) -> None:
    """The second simulator of a shape asks the device for nothing; what nobody uses is given back when asked."""
    from arz.engine.backends.gpu import gpu

    pool = gpu(0)
    gc.collect()
    pool.free()
    first = make(worlds(), dtype=dtype)
    first.step(None, 1.0)
    lent, made = pool.memory.lent, pool.memory.made
    del first
    gc.collect()
    assert (pool.memory.lent, pool.memory.idle) == (0, lent)

    for _ in range(10):
        simulator = make(worlds(), dtype=dtype)
        simulator.step(None, 1.0)
        del simulator
        gc.collect()

    assert (pool.memory.lent, pool.memory.idle, pool.memory.made) == (0, lent, made)
    assert pool.free() == lent
    assert pool.memory.idle == 0


def test_only_gpu_says_how_many_worlds_fit(make: Make, dtype: str) -> None:
    """What does not fit is refused before anything is taken, and what is said to fit does."""
    from arz.engine.backends.gpu import Gpu, gpu

    gc.collect()
    gpu(0).free()
    with patch.object(Gpu, "room", lambda _: 100_000.0):
        with pytest.raises(NoRoom, match=r"memory of cuda:0 does not hold 40 worlds, only \d+") as caught:
            make(worlds(1) * 40, dtype=dtype)
        fit = caught.value.fit

        assert 2 <= fit < 40
        assert gpu(0).memory.lent == 0
        make(worlds(1) * fit, dtype=dtype)
        with pytest.raises(NoRoom):
            make(worlds(1) * (fit + 1), dtype=dtype)


def test_only_gpu_says_how_many_worlds_fit_with_their_demand(make: Make, dtype: str) -> None:
    """A demand of many pieces can be larger than its world: who obeys what is said of it is not refused again."""
    from arz.engine.backends.gpu import Gpu

    whole, made_of_old = 400_000, Gpu._made

    def made(self: Gpu, count: int, kind: Any, size: int) -> Any:
        if self.memory.lent + size > whole:
            raise MemoryError
        return made_of_old(self, count, kind, size)

    def begun(count: int) -> None:
        simulator = make(worlds(1) * count, dtype=dtype)
        group = simulator._groups[0]
        group.times, group.arriving = (np.repeat(table[..., :1], 2000, axis=-1) for table in (group.times, group.arriving[..., 0]))
        group.arriving = np.repeat(group.arriving[..., None], count, axis=-1)
        simulator.step(None, 1.0)

    gc.collect()
    with patch.object(Gpu, "_made", made), patch.object(Gpu, "room", lambda self: float(whole - self.memory.lent)):
        with pytest.raises(NoRoom) as caught:
            begun(8)
        fit = caught.value.fit
        del caught
        gc.collect()
        begun(fit)

    assert 1 <= fit < 7


def test_only_gpu_counts_what_travels(make: Make, dtype: str) -> None:
    """A decision takes in what the lights do and brings out measures; the state stays where it is."""
    simulator = make(worlds(), dtype=dtype)
    simulator.step(None, 2.0)
    before = replace(simulator.traffic)
    measured = simulator.step(None, 2.0)
    after = simulator.traffic
    roads = sum(field.nbytes for field in (measured.spent, measured.distance, measured.inside, measured.queue))
    books = measured.waiting.nbytes * 3 + measured.left.nbytes * 2 + 2 * 8 * (1 + len(simulator.classes))

    assert after.bytes_out - before.bytes_out == roads + 2 * 8 + books
    assert after.bytes_in - before.bytes_in <= 2 * (8 + 4 * 16 * simulator.plan.light_count)


def test_only_gpu_lends_nothing_that_somebody_still_holds(make: Make, dtype: str) -> None:
    """A tensor that was taken over outlives its simulator, and the next simulator of the shape writes elsewhere."""
    simulator = make(worlds(1), dtype=dtype)
    inside = np.from_dlpack(simulator.step_held(None, 2.0).inside)
    before = inside.tobytes()
    del simulator
    gc.collect()
    make(worlds(1), dtype=dtype).step(None, 6.0)

    assert inside.tobytes() == before


def test_only_gpu_never_calls_a_view_a_copy(make: Make, dtype: str) -> None:
    """Who asks DLPack for a copy, or for another device, is refused: the next step would have written into it."""
    inside = make(worlds(1), dtype=dtype).step_held(None, 1.0).inside
    for asked in ({"copy": True}, {"dl_device": (3, 7)}):
        with pytest.raises(BufferError, match="is handed over where it is, without a copy"):
            inside.__dlpack__(**asked)

    assert np.from_dlpack(inside).shape == inside.shape


def test_only_gpu_asks_again_for_what_found_no_room(make: Make, dtype: str) -> None:
    """Demand that could not be brought in is brought in by the next step, which does not take the old one for it."""
    from arz.engine.backends.gpu import Loan

    simulator, other = make(worlds(1), dtype=dtype), make(worlds(1), dtype=dtype)
    simulator.step(None, 1.0)
    after = np.full(simulator._groups[0].arriving.shape, 0.5)  # another demand of the same shape
    for each in (simulator, other):
        each.reset()
        each._groups[0].arriving = after
    with patch.object(Loan, "filled", side_effect=NoRoom("cuda:0", 1, 0)), pytest.raises(NoRoom):
        simulator.step(None, 4.0)

    same_measures(simulator.step(None, 4.0), 0, other.step(None, 4.0), 0)


def test_only_gpu_obeys_no_controls_of_an_interval_that_found_no_room(make: Make, dtype: str) -> None:
    """All stays where it was: the lights, and the worlds of another time step that had been computed already."""
    from arz.engine.backends.cuda import Cuda

    simulator = make([*worlds(1), *worlds(1, Scheme(order=2, cell_m=60.0, courant=0.8))], dtype=dtype)
    simulator.step(None, 2.0)
    before, advanced = simulator.snapshot(), Cuda.advance

    def advance(self: Cuda, orders: Any) -> None:
        if self is simulator._groups[-1].backend:
            raise NoRoom("cuda:0", 1, 0)
        advanced(self, orders)

    with patch.object(Cuda, "advance", advance), pytest.raises(NoRoom):
        simulator.step(Controls(phase=np.ones((2, 1), int)), 6.0)

    same_snapshot(before, simulator.snapshot())


def test_any_number_is_a_duration(make: Make, dtype: str) -> None:
    """A float32 of numpy does not make the clock and the steps single: it is the duration that it says."""
    one, other = make(worlds(1), dtype=dtype), make(worlds(1), dtype=dtype)
    for _ in range(2):
        one.step(None, 3.0)
        other.step(None, np.float32(3.0))  # type: ignore[arg-type] # what an array of durations gives

    assert isinstance(other.time_s, float)
    same_snapshot(one.snapshot(), other.snapshot())


QUESTIONS = {name.removeprefix("test_"): question for name, question in list(globals().items()) if name.startswith("test_")}
LAYOUTS = ("blocks", "grid")
DTYPES = ("float64", "float32")


def maker(layout: str) -> Make:
    """Simulators on the CPU, or on a GPU with each world in a block of its own, or all over the grid."""
    return partial(_made, layout)


def _made(layout: str, scenarios: Sequence[Scenario] | Scenario, dtype: str) -> Simulator:
    if layout == "cpu":
        return Simulator(scenarios, dtype=dtype, threads=1)
    from arz.engine.backends.cuda import Cuda

    with patch("arz.engine.simulator.backend", lambda _: partial(Cuda, blocks=layout == "blocks")):
        return Simulator(scenarios, device="cuda", dtype=dtype)


def answer(layout: str, dtype: str, question: str) -> str:
    """Nothing, or how a promise was broken."""
    try:
        with warnings.catch_warnings():
            # Numba's simulator computes in numpy, which warns of the divisions by 0 that a choice then leaves out.
            warnings.simplefilter("ignore", RuntimeWarning)
            QUESTIONS[question](maker(layout), dtype)
    except (Exception, pytest.fail.Exception):  # what was to raise and did not is no Exception
        return traceback.format_exc()
    return ""


def main() -> None:
    """Answers, as one JSON document, every question given as layout/dtype/question."""
    # Who waits for a thread of the simulator holds back that thread.
    sys.setswitchinterval(1e-4)
    print(json.dumps({asked: answer(*asked.split("/")) for asked in sys.argv[1:]}))


if __name__ == "__main__":
    main()

"""What every device promises: the questions of `devices`, asked of the CPU, of numba's simulated GPU, and of a GPU where there is one."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from numba.cuda.cudadrv import nvvm

from arz.engine.backends.gpu import THREADS, Gpu, blocks_of
from arz.engine.backends.kernels import Model, kernels
from arz.engine.backends.registry import chosen, without_gpu
from arz.engine.backends.spread import spread
from arz.engine.plan import make_plan
from arz.engine.simulator import Simulator
from arz.errors import Invalid, Unknown
from arz.world.scenarios.registry import scenario
from tests.arz import devices

ROOT = Path(__file__).parents[2]
LONG = {"only_gpu_lends_its_memory_again", "the_same_again"}
"""Asked of one layout where numba plays the GPU: seconds each."""
FEW = [
    f"{layout}/float64/{name}"
    for layout in devices.LAYOUTS
    for name in devices.QUESTIONS
    if "1000" not in name and (layout == devices.LAYOUTS[0] or name not in LONG)
]
FEW += [f"{layout}/float32/it_computes_what_the_cpu_computes" for layout in devices.LAYOUTS]
ALL = [f"{layout}/{dtype}/{name}" for layout in devices.LAYOUTS for dtype in devices.DTYPES for name in devices.QUESTIONS]

pytestmark = pytest.mark.timeout(600)  # models are compiled, and the simulator is slow


def simulated(questions: list[str]) -> dict[str, str]:
    """Answered by a process in which numba plays the GPU."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.arz.devices", *questions],
        cwd=ROOT,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, str] = json.loads(done.stdout)
    return answers


def test_simulated_gpu() -> None:
    """Numba runs the kernels thread by thread, in Python; one process answers all, for it takes long to begin."""
    # What it compares with is compiled here, where others use it and its parts again.
    for dtype in devices.DTYPES:
        Simulator(devices.worlds(1), dtype=dtype).step(None, 1.0)
    assert devices.answer("cpu", "float64", "one_class_and_order_one") == ""

    assert simulated(FEW) == dict.fromkeys(FEW, "")


@pytest.mark.parametrize("name", [name for name in devices.QUESTIONS if not name.startswith("only_gpu")])
def test_cpu(name: str) -> None:
    """The CPU keeps the promises too."""
    assert devices.answer("cpu", "float64", name) == ""


@pytest.mark.skipif(bool(without_gpu()), reason="there is no GPU here")
@pytest.mark.parametrize("question", ALL)
def test_gpu(question: str) -> None:
    """The same on a real one."""
    assert devices.answer(*question.split("/")) == ""


@pytest.mark.deep
@pytest.mark.parametrize("question", sorted(set(ALL) - set(FEW)))
def test_simulated_gpu_in_full(question: str) -> None:
    """Every question in both precisions."""
    assert simulated([question])[question] == ""


def test_without_a_gpu() -> None:
    """Who asks for a GPU where there is none is told so and what to do; `auto` takes what there is."""
    assert chosen("cpu") == "cpu"
    if without_gpu():
        assert chosen("auto") == "cpu"
        with pytest.raises(Invalid, match="device: is 'cuda', and there is no GPU here, or no driver for it; give 'cpu', or 'auto'"):
            Simulator(devices.worlds(1), device="cuda")
    for device in ("abacus", "auto:1", "", None):
        with pytest.raises(Unknown, match=f"no device named {device!r}; known: cpu, cuda, cuda:1, auto"):
            chosen(device)  # type: ignore[arg-type] # None, as a setting that was left out may be
    for device, problem in (
        ("cpu:0", "a CPU has no number"),
        ("cuda:x", "give the number of a GPU"),
        ("cuda:", "give the number of a GPU"),
    ):
        with pytest.raises(Invalid, match=problem):
            chosen(device)


def test_with_a_gpu() -> None:
    """`auto` takes the first GPU, a number beyond the last one is refused, and the simulator says what it runs on."""
    program = (
        "from arz import Simulator, scenario\n"
        "from arz.engine.backends.registry import chosen\n"
        "print(chosen('auto'), chosen('cuda:0'), Simulator(scenario('ring'), device='auto').device)\n"
        "chosen('cuda:1')"
    )
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.stdout.split() == ["cuda:0", "cuda:0", "cuda:0"]
    assert "device: is 'cuda:1', and the last GPU here is 'cuda:0'; give its number, or a smaller one" in done.stderr


class TestLaunch:
    """How work is sent to a GPU, as far as that can be seen without one."""

    @pytest.mark.parametrize("worlds", [1, 64, 65536])
    def test_no_warning_of_too_few_blocks(self, worlds: int) -> None:
        """Numba warns of small grids, and warnings are errors here."""
        made = kernels(Model(2, 0, 0, True, 2, "float32", 3, 3), blocks=True)

        assert made.interval[blocks_of(worlds * 128, 128), 128, 0, 40_000].griddim[0] >= 128
        assert made.cells[blocks_of(worlds, THREADS), THREADS].griddim[0] * THREADS >= worlds

    def test_no_copy_that_nobody_asked_for(self) -> None:
        """Numba would copy an array of the host there and back for every launch: that is refused."""
        with pytest.raises(TypeError, match="an array of the host was given to a kernel"):
            Gpu(0).launch(None, 1, (np.zeros(3),))

    def test_no_chip_and_no_thread_gets_fused_code(self) -> None:
        """A kernel is compiled once, whoever asks meanwhile, and for a second GPU as it was for the first: without fused products."""
        bound: list[bool] = []

        class Overload:
            def bind(self) -> None:
                bound.append(nvvm.compile_ir.keywords == {"fma": False})

        class Kernel:
            def __init__(self) -> None:
                self.overloads: dict[Any, Overload] = {}
                self.compiled = self.launched = 0

            def compile(self, signature: Any) -> None:
                self.compiled += 1
                time.sleep(0.05)  # the other thread asks now
                self.overloads[signature] = Overload()

            def disable_compile(self) -> None:
                pass

            def __getitem__(self, _: Any) -> Any:
                return self

            def __call__(self, *_: Any) -> None:
                self.launched += 1

        kernel, before = Kernel(), nvvm.compile_ir
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda each: each.launch(kernel, 1, 1), [Gpu(0), Gpu(1)]))

        assert (kernel.compiled, kernel.launched, bound) == (1, 2, [True, True])
        assert nvvm.compile_ir is before

    def test_what_is_freed_is_free(self) -> None:
        """Numba puts off what it frees; that is not waited for, or worlds that fit would be refused."""
        done: list[str] = []
        pending = SimpleNamespace(clear=lambda: done.append("what was put off"))
        context = SimpleNamespace(memory_manager=SimpleNamespace(deallocations=pending))
        with patch.object(Gpu, "here", lambda _: nullcontext()), patch("numba.cuda.current_context", lambda: context):
            Gpu(0).free()

        assert done == ["what was put off"]


class TestSpread:
    """Where the cells are."""

    @pytest.mark.parametrize("blocks", [True, False])
    @pytest.mark.parametrize("name", ["victoria_island", "corridor", "ring", "ramp"])
    def test_every_cell_has_a_place_and_a_thread(self, name: str, *, blocks: bool) -> None:
        """No place is shared, a thread's cells follow each other, and its ghosts are what is beyond them."""
        plan = make_plan(scenario(name))
        laid = spread(plan, 1, "float32", blocks)
        own = [laid.segments.first[s] + laid.jump * np.arange(count) for s, count in enumerate(laid.segments.cells.tolist())]
        cell_of = {place: cell for cell, place in enumerate(laid.place.tolist())}

        assert sorted(np.concatenate(own).tolist()) == sorted(laid.place.tolist())
        assert laid.place.max() < laid.places
        for s, mine in enumerate(own):
            cells = [cell_of[place] for place in mine.tolist()]
            reach = int(laid.segments.reach[s])
            first, count = int(plan.reaches.first_cell[reach]), int(plan.reaches.cells[reach])
            assert cells == list(range(cells[0], cells[0] + len(cells)))
            beyond = [cells[0] - 2, cells[0] - 1, cells[-1] + 1, cells[-1] + 2]
            if plan.reaches.closed[reach]:
                expected = [first + (cell - first) % count for cell in beyond]
            else:
                expected = [min(max(cell, first), first + count - 1) for cell in beyond]
            assert [cell_of[place] for place in laid.segments.ghosts[s].tolist()] == expected

    def test_a_network_that_fits_has_blocks(self) -> None:
        """The plan decides: seventy roads fit a block in float32, in float64 they do not, and a town of 10⁵ cells never does."""
        island = make_plan(scenario("victoria_island"))

        assert spread(island, 4096, "float32").blocks
        assert not spread(island, 4096, "float64").blocks
        assert not spread(make_plan(scenario("grid", n=12, m=12)), 1, "float32").blocks

    def test_segments_are_as_short_as_leaves_enough_threads(self) -> None:
        """One world is cut finely, thousands are not."""
        island = make_plan(scenario("victoria_island"))

        assert spread(island, 1, "float32", blocks=False).segments.cells.max() == 1
        assert spread(island, 65536, "float32", blocks=False).segments.cells.max() > 8

"""One law, three readings: plain Python, CPU code and CUDA code say the same, and single precision stays single."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pytest
from numba import cuda, int64
from numpy.typing import NDArray

from arz.jit import compiled, device
from arz.laws.junctions.node import node, rows
from tests.arz import readings
from tests.arz.readings import node_kernel

ROOT = Path(__file__).parents[2]
STATES = 40
LANES = 3
Array = NDArray[Any]

on_device = device(readings.cell)


@compiled
def all_cells(out: Any, x: Any, codes: Any) -> None:
    for i in range(len(codes)):
        on_device(out[i], x[i], codes[i])


def all_cells_on_cuda(out: Any, x: Any, codes: Any) -> None:
    i = cuda.grid(1)
    if i < len(codes):
        on_device(out[i], x[i], codes[i])


def nodes_on_cuda(moved: Any, room: Any, flows: Any, ratio: Any, priority: Any, exits: Any, work: Any, codes: Any) -> None:
    """A thread for each lane, which sees arrays of that one lane."""
    a = cuda.grid(1)
    b = a + 1
    if a < moved.shape[3]:
        node(
            moved[:, :, :, a:b], room[:, :, a:b], flows[0, :, :, a:b], flows[1, :, :, a:b], flows[2, :, :, a:b], ratio[:, :, :, a:b],
            priority[:, a:b], priority[:, a:b],
            exits[0, :, :, a:b], exits[1, :, :, a:b], exits[2, :, :, a:b], exits[3, :, :, a:b], work[:, a:b], codes[0], codes[1],
        )  # fmt: skip


def pass_nodes(law: Any, kind: type) -> Array:
    """What passes, as the law says in Python or as machine code; the roads' widths are the priorities."""
    moved, room, flows, ratio, priority, exits, work = some_nodes(kind)
    law(moved, room, *flows, ratio, priority, priority, *exits, work, 1, 0)
    return moved


def states(kind: type) -> tuple[Array, Array]:
    rng = np.random.default_rng(7)
    low = np.array([0.0, 4.0, 0.5, 4.0, 0.2, 6.0, 1.0, 0.1])
    high = np.array([0.15, 8.0, 4.0, 8.0, 0.25, 9.0, 1.4, 1.0])
    x = rng.uniform(low, high, (STATES, 8))
    x[::9, 0] = 0
    return x.astype(kind), np.arange(STATES)


def some_nodes(kind: type) -> list[Array]:
    rng = np.random.default_rng(8)
    ratio = rng.uniform(0.1, 1, (2, 2, 2, LANES))
    exits = np.ones((4, 2, 2, LANES)) * np.array([1.0, 8.0, 0.2, 1.0])[:, None, None, None]
    flows = np.stack([rng.uniform(low, high, (2, 2, LANES)) for low, high in ((0.1, 0.6), (4, 8), (0, 4))])
    return [
        array.astype(kind)
        for array in (
            np.zeros((2, 2, 2, LANES)), np.zeros((2, 2, LANES)), flows, ratio / ratio.sum(axis=2, keepdims=True),
            rng.uniform(0.5, 1, (2, LANES)), exits, np.full((rows(2, 2), LANES), np.nan),
        )
    ]  # fmt: skip


def in_python(kind: type) -> tuple[Array, Array]:
    x, codes = states(kind)
    out: Array = np.zeros((STATES, readings.ANSWERS), kind)
    for i in range(STATES):
        readings.cell(out[i], x[i], codes[i])
    return out, pass_nodes(node, kind)


def on_cpu(kind: type) -> tuple[Array, Array]:
    x, codes = states(kind)
    out: Array = np.zeros((STATES, readings.ANSWERS), kind)
    all_cells(out, x, codes)
    return out, pass_nodes(node_kernel, kind)


def on_cuda(kind: type) -> tuple[Array, Array]:
    x, codes = states(kind)
    out: Array = np.zeros((STATES, readings.ANSWERS), kind)
    cuda.jit(all_cells_on_cuda)[2, 32](out, x, codes)
    arrays = some_nodes(kind)
    cuda.jit(nodes_on_cuda)[2, 2](*arrays, np.array([1, 0]))
    return out, arrays[0]


@pytest.mark.timeout(600)  # it compiles every law
@pytest.mark.parametrize(
    ("kind", "near"), [(np.float64, 1e-12), pytest.param(np.float32, 2e-4, marks=pytest.mark.deep)], ids=["float64", "float32"]
)
def test_python_and_cpu_agree(kind: type, near: float) -> None:
    """Compiled laws answer what the Python laws answer, to rounding, in both precisions; every answer is a number."""
    for python, cpu in zip(in_python(kind), on_cpu(kind), strict=True):
        assert np.isfinite(python).all()
        assert cpu == pytest.approx(python, rel=near, abs=near)


def test_cuda_kernels_agree_in_the_simulator() -> None:
    """A CUDA kernel that calls every law through its switch gives what Python gives (run by numba's simulator of CUDA)."""
    program = (
        "import json, numpy as np\n"
        "from tests.arz.test_readings import on_cuda\n"
        "print(json.dumps([part.tolist() for part in on_cuda(np.float64)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    for simulated, python in zip(json.loads(done.stdout), in_python(np.float64), strict=True):
        assert np.array(simulated) == pytest.approx(python, rel=1e-12, abs=1e-12)


@pytest.mark.skipif(not cuda.cudadrv.nvvm.is_available(), reason="the CUDA compiler's library is not on this machine")
@pytest.mark.parametrize("kernel", ["cells", pytest.param("node", marks=pytest.mark.deep)])  # its compiler takes half a minute
def test_float32_cuda_code_has_no_float64(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kernels compile to PTX without a GPU, every law inlined, and no instruction of the float32 code is in double precision."""
    monkeypatch.setattr("numba.cuda.dispatcher.get_current_device", lambda: SimpleNamespace(compute_capability=(8, 0)))
    kind = numba.float32
    if kernel == "cells":
        law: Any = all_cells_on_cuda
        signature: Any = (kind[:, ::1], kind[:, ::1], int64[::1])
    else:
        law = nodes_on_cuda
        four, three, two = kind[:, :, :, ::1], kind[:, :, ::1], kind[:, ::1]
        signature = (four, three, four, four, two, four, two, int64[::1])
    ptx, _ = cuda.compile(law, signature, device=False, cc=(8, 0), abi="numba")

    assert ".f32" in ptx
    assert re.findall(r".*\.f64.*", ptx) == []
    assert re.findall(r".*\bcall\b.*", ptx) == []

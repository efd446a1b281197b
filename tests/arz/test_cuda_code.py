"""The machine code of the CUDA kernels, read without a GPU: it compiles for every chip, in the precision and with the products that it should."""

import re
from contextlib import nullcontext
from functools import partial
from typing import Any

import numba
import numpy as np
import pytest
from numba import cuda
from numba.cuda.cudadrv.devicearray import DeviceNDArray
from numba.cuda.cudadrv.error import NvvmError

from arz.engine.backends.cuda import Cuda
from arz.engine.backends.gpu import Gpu
from arz.engine.backends.kernels import Model
from arz.engine.simulator import Simulator
from arz.world.scenarios.registry import scenario
from benchmarks.ptx import CHIPS, NAMES, Chip, assembled, assembly, example

ISLAND = Model(classes=2, closure=0, equilibrium=0, built_in=True, order=2, kind="float32", most_in=3, most_out=3)
"""Of the seventy roads, as they are by default."""
WITHOUT_BOOKS = ISLAND._replace(books=False)
OTHERS = (
    ISLAND._replace(order=1),
    ISLAND._replace(kind="float64"),
    ISLAND._replace(closure=1, built_in=False),
    ISLAND._replace(classes=1, closure=4, equilibrium=1, order=1),
    ISLAND._replace(classes=1, closure=4, equilibrium=1, order=1, kind="float64", most_in=1, most_out=1),
)
DOUBLE = re.compile(r"^\s+(?:@!?%p\d+ )?\w[\w.]*\.f64\b.*", re.MULTILINE)
"""An instruction in double precision; parameters are declared by lines that begin with a point."""

pytestmark = [
    pytest.mark.skipif(not cuda.cudadrv.nvvm.is_available(), reason="the CUDA compiler's library is not on this machine"),
    pytest.mark.timeout(600),
]


def check(model: Model, name: str, *, assembling: bool) -> None:
    for chip, ptx in assembly(model, name).items():
        assert f".target sm_{chip[0]}{chip[1]}" in ptx
        assert re.search(r"\bcall\b", ptx) is None
        # A power is libdevice's own affair.
        assert model.closure == 1 or re.search(r"\bfma\.rn\.", ptx) is None
        assert name != "nodes" or model.kind == "float64" or DOUBLE.findall(ptx) == []
        built = assembled(name, chip, ptx) if assembling else None
        if built is not None:
            assert 0 < built.registers <= 255


@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_compiles(name: str) -> None:
    """For a T4 and for Hopper; every law is inlined, and no product is fused with a sum, so that results are those of the CPU."""
    assert CHIPS == ((7, 5), (9, 0))
    check(ISLAND, name, assembling=name in {"begin", "cells", "count", "reckon"})  # the others take their assembler long


@pytest.fixture(scope="module")
def p100() -> Chip:
    """A chip that CUDA 12's compiler knows, and CUDA 13's does not."""
    chip = 6, 0
    try:
        assembly(ISLAND, "reckon", [chip])  # the smallest
    except NvvmError as error:
        if "is an unsupported option" not in str(error):
            raise
        pytest.skip("the CUDA compiler of this machine has left the P100 behind: pip install 'numba-cuda[cu12]' brings one that knows it")
    return chip


@pytest.mark.parametrize("name", NAMES)
def test_a_p100_too(p100: Chip, name: str) -> None:
    """Every kernel compiles for it, where the compiler can."""
    assert ".target sm_60" in assembly(ISLAND, name, [p100])[p100]


@pytest.mark.parametrize(
    "name", ["cells", pytest.param("interval", marks=pytest.mark.deep)]
)  # it is made of the others, and takes a minute
def test_float32_is_float32(name: str) -> None:
    """Without the books, which are in float64 on purpose, no instruction is in double precision; the nodes alone have none anyhow."""
    ptx = assembly(WITHOUT_BOOKS, name, CHIPS[-1:])[CHIPS[-1]]

    assert ".f32" in ptx
    assert DOUBLE.findall(ptx) == []


def test_double_precision_would_be_seen() -> None:
    """The kernel that keeps the books has it, and it is found there."""
    assert DOUBLE.findall(assembly(ISLAND, "begin", CHIPS[:1])[CHIPS[0]])


class Bytes:
    """Memory of a device that is not there."""

    __cuda_memory__ = True

    def __init__(self, size: int) -> None:
        self._cuda_memsize_ = size

    def view(self, start: int, stop: int | None = None) -> "Bytes":
        return Bytes((self._cuda_memsize_ if stop is None else stop) - start)

    def memset(self, *_: Any) -> None: ...


def nowhere(count: int, kind: Any) -> Any:
    """An array of numba's own kind for a GPU, on none."""
    return DeviceNDArray((count,), (np.dtype(kind).itemsize,), np.dtype(kind), gpu_data=Bytes(count * np.dtype(kind).itemsize))


@pytest.mark.parametrize("name", ["victoria_island", "ring", "ramp"])
@pytest.mark.parametrize("blocks", [True, False])
def test_kernels_are_given_what_they_are_compiled_for(name: str, monkeypatch: pytest.MonkeyPatch, *, blocks: bool) -> None:
    """The arrays that the backend makes, of networks with and without lights, gates and signs, have the types that the code is read for."""
    given: dict[str, Any] = {}
    monkeypatch.setattr("numba.cuda.cudadrv.devices.get_context", lambda *_: None)
    monkeypatch.setattr("numba.cuda.cudadrv.devices._runtime.ensure_context", nullcontext)
    monkeypatch.setattr("numba.cuda.device_array", nowhere)
    monkeypatch.setattr(DeviceNDArray, "copy_to_device", lambda *_: None)
    monkeypatch.setattr(DeviceNDArray, "copy_to_host", lambda array: np.zeros(array.shape, array.dtype))
    monkeypatch.setattr(Gpu, "here", lambda _: nullcontext())
    monkeypatch.setattr(Gpu, "room", lambda _: 1e12)
    monkeypatch.setattr(Gpu, "launch", lambda _, kernel, _work, *arguments, **__: given.update({kernel.py_func.__name__: arguments}))
    monkeypatch.setattr("arz.engine.backends.cuda.gpu", Gpu)
    monkeypatch.setattr("arz.engine.simulator.chosen", lambda device: device)
    monkeypatch.setattr("arz.engine.simulator.backend", lambda _: partial(Cuda, blocks=blocks))
    made = scenario(name)
    simulator = Simulator([made] * 3, device="cuda")
    simulator.step(None, 5.0)

    assert set(given) == ({"interval"} if blocks else {"begin", "nodes", "cells"}) | {"reckon", "count"}
    for kernel, arguments in given.items():
        expected = tuple(numba.typeof(argument) for argument in example(ISLAND, kernel))
        assert tuple(numba.typeof(argument) for argument in arguments) == expected, kernel


@pytest.mark.deep
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", OTHERS, ids=lambda model: f"{model.classes}-{model.closure}-{model.order}-{model.kind}")
def test_other_models_compile(model: Model, name: str) -> None:
    """The other order, precision, closures and number of classes."""
    check(model, name, assembling=True)

"""The devices that a simulation can run on, by the name before the colon."""

from collections.abc import Callable
from functools import partial
from typing import Any

from arz.engine.backends.base import Backend
from arz.errors import Invalid, Unknown


def _cpu(*given: Any, **options: Any) -> Backend:
    from arz.engine.backends.cpu import Cpu

    return Cpu(*given, **options)


def _cuda(*given: Any, **options: Any) -> Backend:
    from arz.engine.backends.cuda import Cuda

    return Cuda(*given, **options)


DEVICES: dict[str, Callable[..., Backend]] = {"cpu": _cpu, "cuda": _cuda}
AUTO = "auto"


def backend(device: str) -> Callable[..., Backend]:
    """What makes a backend for this device, which is one that `chosen` gave."""
    name, _, number = device.partition(":")
    return partial(DEVICES[name], number=int(number)) if number else DEVICES[name]


def chosen(device: str) -> str:
    """The device by its full name, "cpu" or "cuda:0"; "auto" is the first GPU where there is one, and the CPU elsewhere."""
    name, colon, number = str(device).partition(":")
    if name == AUTO and not colon:
        return "cpu" if without_gpu() else "cuda:0"
    if name not in DEVICES:
        raise Unknown("device", device, [*DEVICES, "cuda:1", AUTO])
    if name == "cpu":
        if colon:
            raise Invalid("device", f"is {device!r}", "a CPU has no number: give 'cpu'")
        return name
    if colon and not number.isdecimal():
        raise Invalid("device", f"is {device!r}", "give the number of a GPU, as in 'cuda:1'")
    missing = without_gpu()
    if missing:
        raise Invalid("device", f"is {device!r}, and {missing}", "give 'cpu', or 'auto', which takes what there is")
    count = _gpus()
    if int(number or 0) >= count:
        raise Invalid("device", f"is {device!r}, and the last GPU here is 'cuda:{count - 1}'", "give its number, or a smaller one")
    return f"cuda:{int(number or 0)}"


def without_gpu() -> str:
    """Why no GPU can be used here, or nothing if one can."""
    from numba import config, cuda

    if config.ENABLE_CUDASIM:
        return ""
    if not cuda.cudadrv.driver.driver.is_available:
        return "there is no GPU here, or no driver for it"
    if not cuda.cudadrv.nvvm.is_available():
        return "numba finds no CUDA toolkit here (pip install 'numba-cuda[cu12]' brings one)"
    return "" if _gpus() else "the driver shows no GPU"


def _gpus() -> int:
    from numba import cuda

    return len(cuda.gpus)

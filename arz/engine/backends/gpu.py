"""One GPU of this process: its memory, kept from one simulator to the next, and what goes in and out, counted."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import prod
from threading import RLock
from typing import Any

import numba
import numpy as np
from numba import cuda
from numpy.typing import NDArray

from arz.engine.backends.base import Traffic
from arz.engine.backends.kernels import SIMULATED, unfused
from arz.errors import NoRoom

Array = NDArray[Any]

THREADS = 8 if SIMULATED else 128
"""Of a block, where the work does not say."""
FEWEST = 1 if SIMULATED else 128
"""Blocks of a launch: numba warns of fewer, whatever they do. What is beyond the work ends at once."""
ROOM = 0.9
"""The part of the free memory that worlds may take; kernels have arrays of their own, and allocations leave holes."""
_COMPILING = RLock()
"""Of all GPUs: they share the kernels, and `unfused` changes numba for all threads."""
OUT_OF_MEMORY = 2
"""CUDA's number for it."""


@dataclass
class Memory:
    """What a pool holds: bytes lent to simulators and bytes that wait for the next one; how often it asked the device, and how often not."""

    lent: int = 0
    idle: int = 0
    made: int = 0
    reused: int = 0


class Gpu:
    """The GPU of this number: arrays are lent to simulators and come back, ready for the next simulator of the same shape."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.traffic = Traffic()
        self.memory = Memory()
        self._idle: dict[tuple[str, int], list[Any]] = {}
        self._bound: set[Any] = set()
        self._lock = RLock()

    @property
    def name(self) -> str:
        if SIMULATED:
            return "numba's simulator"
        name = cuda.gpus[self.number].name
        return name.decode() if isinstance(name, bytes) else str(name)

    @property
    def device(self) -> str:
        return f"cuda:{self.number}"

    @contextmanager
    def here(self) -> Iterator[None]:
        """As long as this lasts, CUDA calls of this thread mean this GPU."""
        with cuda.gpus[self.number]:
            yield

    def room(self) -> float:
        """Bytes that new arrays may take: what the device has free, and what waits in the pool."""
        with self.here():
            return float(cuda.current_context().get_memory_info().free) + self.memory.idle

    def take(self, count: int, kind: Any) -> Any:
        """A row of numbers on the device; what is in it is left from before."""
        key = np.dtype(kind).str, count
        size = count * np.dtype(kind).itemsize
        with self._lock, self.here():
            waiting = self._idle.get(key)
            if waiting:
                array = waiting.pop()
                self.memory.idle -= size
                self.memory.reused += 1
            else:
                array = self._made(count, kind, size)
                self.memory.made += 1
            self.memory.lent += size
        return array

    def give_back(self, array: Any) -> None:
        """The row waits for somebody who takes one of its length."""
        with self._lock:
            self._idle.setdefault((array.dtype.str, array.size), []).append(array)
            self.memory.lent -= array.nbytes
            self.memory.idle += array.nbytes

    def free(self) -> int:
        """Gives the device what waits; how many bytes that was."""
        with self._lock, self.here():
            freed = self.memory.idle
            self._idle.clear()
            self.memory.idle = 0
            if not SIMULATED:
                # Numba puts off what it frees, up to a fifth of the memory, and `room` would not see that.
                cuda.current_context().memory_manager.deallocations.clear()
        return freed

    def put(self, values: Array, array: Any) -> None:
        """Copies from the host."""
        if values.size:
            # As one row: numba looks at strides, and those of an axis of length 1 mean nothing.
            array.reshape(array.size).copy_to_device(np.ascontiguousarray(values, array.dtype).ravel())
            self.traffic.copies_in += 1
            self.traffic.bytes_in += array.nbytes

    def get(self, array: Any) -> Array:
        """Copies to the host."""
        if not array.size:
            return np.zeros(array.shape, array.dtype)
        self.traffic.copies_out += 1
        self.traffic.bytes_out += array.nbytes
        values: Array = array.copy_to_host()
        return values

    def launch(self, kernel: Any, work: int, *arguments: Any, threads: int = THREADS, shared: int = 0) -> None:
        """Starts a kernel with at least so many threads; it has ended when something is copied to the host."""
        _require_device_arrays(arguments)
        if not SIMULATED and kernel not in self._bound:
            _bind(kernel, arguments)
            self._bound.add(kernel)
        kernel[blocks_of(work, threads), threads, 0, shared](*arguments)
        self.traffic.launches += 1

    def _made(self, count: int, kind: Any, size: int) -> Any:
        try:
            return cuda.device_array(count, kind)
        except Exception as error:
            if getattr(error, "code", None) != OUT_OF_MEMORY:
                raise
            if self.free():
                return self._made(count, kind, size)
            raise MemoryError(f"{size} bytes") from error


class Loan:
    """The arrays of one simulator by their names; they go back to the pool when the simulator goes."""

    def __init__(self, gpu: Gpu, borrower: object, worlds: int, each: int) -> None:
        """Worlds of so many bytes each; `NoRoom` says how many fit where these do not."""
        self.gpu = gpu
        self._worlds, self._each = worlds, each
        self._rows: dict[str, Any] = {}
        self._arrays: dict[str, Any] = {}
        if worlds > self._fit():
            raise NoRoom(gpu.device, worlds, self._fit())
        # Not at the end of the process: the device takes everything back then, and may be gone already.
        weakref.finalize(borrower, _give_all_back, gpu, self._rows).atexit = False

    def array(self, name: str, shape: tuple[int, ...], kind: Any) -> Any:
        """The array of this name, another one if it is to have another shape."""
        held = self._arrays.get(name)
        if held is not None and held.shape == shape and held.dtype == kind:
            return held
        if held is not None:
            del self._arrays[name]
            self.gpu.give_back(self._rows.pop(name))
        count = prod(shape)
        try:
            self._rows[name] = self.gpu.take(count, kind)
        except MemoryError as error:
            # A long demand takes more than the worlds themselves, and is not known before it is drawn.
            whole = sum(row.nbytes for row in self._rows.values()) + count * np.dtype(kind).itemsize
            self._each = max(self._each, -(-whole // self._worlds))
            raise NoRoom(self.gpu.device, self._worlds, min(self._fit(), self._worlds - 1)) from error
        self._arrays[name] = self._rows[name].reshape(shape)
        return self._arrays[name]

    def filled(self, name: str, values: Array) -> Any:
        """The array of this name, with these values."""
        array = self.array(name, values.shape, values.dtype)
        self.gpu.put(values, array)
        return array

    def _fit(self) -> float:
        lent = sum(row.nbytes for row in self._rows.values())
        fit: float = (self.gpu.room() + lent) * ROOM // self._each
        return fit


def blocks_of(work: int, threads: int) -> int:
    """How many blocks of so many threads a launch has."""
    return max(-(-work // threads), FEWEST)


def _give_all_back(gpu: Gpu, rows: dict[str, Any]) -> None:
    while rows:
        gpu.give_back(rows.popitem()[1])


def _require_device_arrays(arguments: Any) -> None:
    """An array of the host would be copied there and back for every launch."""
    for argument in arguments:
        if isinstance(argument, tuple):
            _require_device_arrays(argument)
        elif isinstance(argument, np.ndarray):
            raise TypeError("an array of the host was given to a kernel: place it on the device first")


def _bind(kernel: Any, arguments: Any) -> None:
    """Compiles a kernel for arguments of these types, and for no others ever; and for the chip of this moment, if it has been for another."""
    with _COMPILING, unfused():
        if not kernel.overloads:
            kernel.compile(tuple(numba.typeof(argument) for argument in arguments))
            kernel.disable_compile()
        for compiled in kernel.overloads.values():
            compiled.bind()


@cache
def gpu(number: int) -> Gpu:
    """The GPU of this number, one object a process."""
    return Gpu(number)

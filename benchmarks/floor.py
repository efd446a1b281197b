"""The floor: as little Python as keeps results in files safely, to hold simcache against; measured, never used."""

import fcntl
import json
import mmap
import os
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_128_digest, xxh3_128_hexdigest

Array = npt.NDArray[Any]

_HEAD = 256
_numbers = count()


class Floor:
    """Arrays by call: one file a result, checked on every load, mapped, renamed into place, computed once among processes."""

    def __init__(self, folder: str | os.PathLike[str], *, durable: bool = False) -> None:
        self._folder = os.fspath(folder)
        self._durable = durable
        os.makedirs(self._folder, exist_ok=True)
        self._locks = os.open(f"{self._folder}/locks", os.O_RDWR | os.O_CREAT)

    def __call__(self, function: Callable[..., Array], *args: object) -> Array:
        name = xxh3_128_hexdigest(repr((function.__qualname__, args)).encode())
        path = f"{self._folder}/{name}"
        try:
            return load(path)
        except FileNotFoundError:
            pass
        byte = int(name[:15], 16)
        fcntl.lockf(self._locks, fcntl.LOCK_EX, 1, byte)
        try:
            return load(path)
        except FileNotFoundError:
            value = function(*args)
            store(path, value, durable=self._durable)
            return value
        finally:
            fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, byte)


def load(path: str) -> Array:
    """The array in a file, mapped; ValueError if one byte differs from what was stored."""
    file = os.open(path, os.O_RDONLY)
    try:
        whole = memoryview(mmap.mmap(file, os.fstat(file).st_size, access=mmap.ACCESS_READ))
    finally:
        os.close(file)
    dtype, shape = json.loads(bytes(whole[16:_HEAD]))
    data = whole[_HEAD:]
    if xxh3_128_digest(data) != whole[:16]:
        raise ValueError(path)
    return np.ndarray(shape, dtype, data)


def store(path: str, value: Array, *, durable: bool) -> None:
    """Write an array beside its place, then give it its name."""
    data = value.reshape(-1).view(np.uint8).data
    head = xxh3_128_digest(data) + json.dumps([value.dtype.str, value.shape]).encode().ljust(_HEAD - 16)
    temporary = f"{path}.{os.getpid()}.{next(_numbers)}"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        written = os.writev(file, [head, data])
        while written < _HEAD + data.nbytes:
            written += os.write(file, data[written - _HEAD :])
        if durable:
            os.fsync(file)
    finally:
        os.close(file)
    os.replace(temporary, path)

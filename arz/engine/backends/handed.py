"""Arrays on a GPU handed to other packages without a copy: by DLPack, and by the interface that CUDA packages share."""

import ctypes
from typing import Any, Final

from numba import cuda

from arz.engine.backends.kernels import SIMULATED

_CPU: Final = 1
_CUDA: Final = 2
"""DLPack's numbers for kinds of devices."""
_FLOAT: Final = 2
"""DLPack's number for floating point."""


class _Tensor(ctypes.Structure):
    """DLTensor, and DLManagedTensor's two fields behind it: github.com/dmlc/dlpack, include/dlpack/dlpack.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_kind", ctypes.c_int32),
        ("device_number", ctypes.c_int32),
        ("axes", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
        ("owner", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


_HELD: dict[int, tuple[Any, ...]] = {}
"""What must outlive a tensor that somebody has taken, by its address."""

_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_is_still = ctypes.pythonapi.PyCapsule_IsValid
_is_still.restype, _is_still.argtypes = ctypes.c_int, (ctypes.c_void_p, ctypes.c_char_p)
_address = ctypes.pythonapi.PyCapsule_GetPointer
_address.restype, _address.argtypes = ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)
_NAME: Final = b"dltensor"
"""Of a capsule that nobody has taken yet; who takes it renames it, and calls the deleter some day."""


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)  # type: ignore[untyped-decorator]
def _let_go(address: int) -> None:
    _HELD.pop(address, None)


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)  # type: ignore[untyped-decorator]
def _forget(capsule: int) -> None:
    if _is_still(capsule, _NAME):
        _HELD.pop(_address(capsule, _NAME), None)


class Handed:
    """An array [world, …] where it is. It is written again by the next step: who wants to keep it copies it."""

    def __init__(self, array: Any, number: int, lender: object) -> None:
        """On the GPU of this number; as long as somebody has it, so is who lends its memory, which nobody else is lent meanwhile."""
        self._array = array
        self._number = number
        self._lender = lender
        self.shape: tuple[int, ...] = tuple(array.shape)
        self.dtype: Any = array.dtype

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if SIMULATED:
            raise AttributeError("numba's simulator has no CUDA arrays")
        interface: dict[str, Any] = self._array.__cuda_array_interface__
        return interface

    def __dlpack_device__(self) -> tuple[int, int]:
        return (_CPU, 0) if SIMULATED else (_CUDA, self._number)

    def __dlpack__(self, *, stream: Any = None, dl_device: Any = None, copy: bool | None = None, **_: Any) -> Any:
        """A capsule; the work that fills the array has ended before it is given."""
        del stream
        if copy or dl_device not in {None, self.__dlpack_device__()}:
            raise BufferError("this array is handed over where it is, without a copy: take it so, and copy it then")
        with cuda.gpus[self._number]:
            cuda.synchronize()
        size = self.dtype.itemsize
        axes = len(self.shape)
        lengths = (ctypes.c_int64 * axes)(*self.shape)
        strides = (ctypes.c_int64 * axes)(*(stride // size for stride in self._array.strides))
        kind, number = self.__dlpack_device__()
        tensor = _Tensor(
            data=_pointer(self._array), device_kind=kind, device_number=number, axes=axes, code=_FLOAT, bits=8 * size, lanes=1,
            shape=lengths, strides=strides, byte_offset=0, owner=None, deleter=ctypes.cast(_let_go, ctypes.c_void_p),
        )  # fmt: skip
        address = ctypes.addressof(tensor)
        _HELD[address] = (tensor, lengths, strides, self)
        return _new(address, _NAME, ctypes.cast(_forget, ctypes.c_void_p))

    def copy_to_host(self) -> Any:
        with cuda.gpus[self._number]:
            return self._array.copy_to_host()


def _pointer(array: Any) -> int:
    return int(array.ctypes.data) if SIMULATED else int(array.__cuda_array_interface__["data"][0])

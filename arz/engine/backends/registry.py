"""The devices that a simulation can run on, by the name before the colon."""

from collections.abc import Callable
from typing import Any

from arz.engine.backends.base import Backend
from arz.errors import Unknown


def _cpu(*given: Any, **options: Any) -> Backend:
    from arz.engine.backends.cpu import Cpu

    return Cpu(*given, **options)


DEVICES: dict[str, Callable[..., Backend]] = {"cpu": _cpu}


def backend(device: str) -> Callable[..., Backend]:
    """What makes a backend for this device."""
    if device not in DEVICES:
        raise Unknown("device", device, DEVICES)
    return DEVICES[device]

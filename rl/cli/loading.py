"""What a command loads to learn and to measure, and keeps to its end."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module


@contextmanager
def lasting() -> Iterator[None]:
    """What is imported within stays: the garbage collector looks at it neither meanwhile nor later.

    Torch and what comes with it are 300,000 objects, and each full collection takes 0.2 s to find that all of them are in use. It is for
    programs, which know that nothing else of their process is garbage by now; a library may not decide that.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


@cache
def load() -> None:
    """Torch, numba and everything that stands on them, once in a process."""
    with lasting():
        import_module("rl.pipeline")

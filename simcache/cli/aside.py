"""What the user's own code prints while a command runs it: it goes to stderr, for standard output is the answer's alone."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress


@contextmanager
def printing_aside() -> Iterator[None]:
    """What is printed within goes to stderr: by Python, by compiled code and by child processes.

    Only what is printed after the end (by threads that go on, or as the program exits) is not caught.
    """
    with redirect_stdout(sys.stderr), _descriptor_aside():
        yield


@contextmanager
def _descriptor_aside() -> Iterator[None]:
    """The descriptor of standard output leads where that of stderr does, for whoever writes there past `sys.stdout`."""
    if sys.__stdout__ is None or sys.__stderr__ is None:  # closed from the start: a file of somebody's may have its number
        yield
        return
    out, err = sys.__stdout__.fileno(), sys.__stderr__.fileno()
    sys.__stdout__.flush()
    kept = os.dup(out)
    os.dup2(err, out)
    try:
        yield
    finally:
        with suppress(ValueError):  # the user's code closed it
            sys.__stdout__.flush()
        _flush_compiled_code()
        os.dup2(kept, out)
        os.close(kept)


def _flush_compiled_code() -> None:
    """What C has printed and holds back, which would otherwise come out after the answer."""
    if sys.platform != "win32":  # there each library may have a C of its own, with its own buffers
        import ctypes

        ctypes.CDLL(None).fflush(None)

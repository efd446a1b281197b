"""When the compiler works for a run, and for how long: numba tells whoever listens."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from numba.core.event import Listener, install_listener


class Compiler(Listener):  # type: ignore[misc]
    """The compiler's work for the thread that made this; `seconds` is all of it so far. Code that is kept and loaded is no work."""

    def __init__(self, begins: Callable[[], object] | None) -> None:
        self.seconds = 0.0
        self._begins = begins
        self._thread = get_ident()
        self._depth = 0
        self._since = 0.0

    def on_start(self, event: Any) -> None:
        """A function begins to be compiled, perhaps for one that is being compiled."""
        del event
        if get_ident() != self._thread:
            return
        if not self._depth:
            self._since = time.monotonic()
            if self._begins is not None and not self.seconds:
                self._begins()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        del event
        if get_ident() != self._thread:
            return
        self._depth -= 1
        if not self._depth:
            self.seconds += time.monotonic() - self._since


@contextmanager
def watched(begins: Callable[[], object] | None = None) -> Iterator[Compiler]:
    """Within, the compiler's work is counted; `begins()` is called when it begins for the first time."""
    with install_listener("numba:compile", Compiler(begins)) as compiler:
        yield compiler

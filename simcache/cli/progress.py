"""How far long work has come: one line that moves on a terminal, a line every few seconds where that was asked for."""

import sys
import time
from collections.abc import Callable

import click

from simcache.cli.words import size, span

_ON_TERMINAL = 0.1
_HEARTBEAT = 5.0


class Bar:
    """Progress on stderr; says nothing unless stderr is a terminal or a heartbeat was asked for."""

    def __init__(self, what: str, *, heartbeat: bool, unit: Callable[[float], str] = size) -> None:
        self._what = what
        self._terminal = sys.stderr.isatty()
        self._quiet = not (self._terminal or heartbeat)
        self._pause = _ON_TERMINAL if self._terminal else _HEARTBEAT
        self._unit = unit
        self._last = time.monotonic()
        self._began: tuple[float, int] | None = None
        """When this work was first heard of, and how far it was then: only what was done since tells how fast it goes."""
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._began is None or done <= self._began[1]:  # the first of this work, or of another
            self._began = now, done
        if self._quiet or now - self._last < self._pause:
            return
        self._last = now
        text = f"{self._what}: {self._unit(done)}{f' of {self._unit(total)}' if total else ' so far'}"
        began, before = self._began
        if total and done > before:
            text += f", about {span(max(0.0, (now - began) * (total - done) / (done - before)))} left"
        self._drawn = self._terminal
        click.echo(f"\r\x1b[K{text}" if self._terminal else text, err=True, nl=not self._terminal)

    def clear(self) -> None:
        """Take the line away, so that the answer stands alone."""
        if self._drawn:
            click.echo("\r\x1b[K", err=True, nl=False)

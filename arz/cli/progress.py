"""How far long work has come: one line that moves on a terminal, nothing on a pipe."""

import sys
import time
from collections.abc import Callable

import click

from arz.cli.words import span

_PAUSE = 0.1


class Bar:
    """Progress on stderr with the time left, drawn ten times a second at most; says nothing unless stderr is a terminal."""

    def __init__(self, what: str, unit: Callable[[float], str] = span) -> None:
        self._what = what
        self._unit = unit
        self._terminal = sys.stderr.isatty()
        self._last = -_PAUSE
        self._first: tuple[float, float] | None = None
        self._drawn = self._terminal
        if self._terminal:
            # On a new machine the compiler works for a minute before anything moves.
            click.echo(f"{what}: preparing", err=True, nl=False)

    def __call__(self, done: float, total: float) -> None:
        now = time.monotonic()
        # Work done before now, by an earlier run or while the compiler worked, says nothing about the speed.
        self._first = self._first or (now, done)
        if not self._terminal or now - self._last < _PAUSE:
            return
        self._last = now
        self._drawn = True
        click.echo(f"\r\x1b[K{self._what}: {self._unit(done)} of {self._unit(total)}{self._left(now, done, total)}", err=True, nl=False)

    def _left(self, now: float, done: float, total: float) -> str:
        began, before = self._first or (now, done)
        if done <= before or now <= began:
            return ""
        return f", about {span((now - began) * (total - done) / (done - before))} left"

    def clear(self) -> None:
        """Take the line away, so that the answer stands alone."""
        if self._drawn:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._drawn = False

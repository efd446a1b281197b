"""How far long work has come: one line that moves on a terminal; on a pipe nothing but that the compiler works."""

import sys
import time
from collections.abc import Callable

import click

from arz.cli.words import span

_PAUSE = 0.1


class Bar:
    """Progress on stderr with the time left, drawn ten times a second at most, and only if stderr is a terminal."""

    def __init__(self, what: str, unit: Callable[[float], str] = span) -> None:
        self._what = what
        self._unit = unit
        self._terminal = sys.stderr.isatty()
        self._last = -_PAUSE
        self._first: tuple[float, float] | None = None
        self._drawn = False
        if self._terminal:
            self._prepare()

    def _prepare(self) -> None:
        self._drawn = True
        click.echo(f"{self._what}: preparing", err=True, nl=False)

    def compiling(self) -> None:
        """On a new machine the compiler works before anything moves: that is said in a line, also where there is no terminal."""
        self.clear()
        click.echo("compiling the solver for this machine, once, which may take a minute", err=True)
        if self._terminal:
            self._prepare()

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

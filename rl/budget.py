"""Time as a budget: how fast a training is, how many steps fit before a deadline, and a sign of life by the clock."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Self

NEWEST: Final = 5
"""Windows whose median is the rate: the first ones compile, and a machine may become slower."""
SPARE: Final = 0.1
"""Share of the time that is kept back for whatever happens."""
BEAT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast windows were computed. `window_s` holds all that a window takes, its checkpoint included."""

    steps_per_s: float
    window_s: float
    windows: int
    """How many were looked at."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What fits before a deadline."""

    steps: int
    training_s: float
    reserve_s: float
    """For a checkpoint, the final evaluation, and a tenth of everything."""
    enough: bool
    """All that were asked for fit."""


def rate(seconds: Sequence[float], window_steps: int) -> Rate | None:
    """From what each window took, the oldest first; None if there is no window yet. The first one is left out where there are others."""
    if not seconds:
        return None
    newest = list(seconds[1:] or seconds)[-NEWEST:]
    typical = max(median(newest), 1e-9)
    return Rate(window_steps / typical, typical, len(newest))


def fit(measured: Rate, deadline_s: float, *, wanted: int, window_steps: int, trainings: int = 1, evaluation_s: float = 0.0) -> Fit:
    """How many steps of each of so many trainings fit, in whole windows, and what is kept back for the end."""
    reserve = min(deadline_s, SPARE * deadline_s + measured.window_s + evaluation_s)
    windows = int((deadline_s - reserve) / (measured.window_s * trainings))
    asked = -(-wanted // window_steps)
    taken = max(0, min(windows, asked))
    return Fit(taken * window_steps, taken * measured.window_s * trainings, reserve, windows >= asked)


class Heartbeat:
    """Says every 30 seconds by the clock how far long work is, whatever the work does in between: compile, train, evaluate.

    Used as a context; told how far it is by being called, which costs next to nothing.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        what: str,
        wanted: int,
        *,
        unit: str = "steps",
        begun: int = 0,
        deadline_s: float | None = None,
        every_s: float = BEAT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`begun` is how many there were before."""
        self._say, self._what, self._wanted, self._unit, self._every, self._clock = say, what, wanted, unit, every_s, clock
        self._began = clock()
        self._until = None if deadline_s is None else self._began + deadline_s
        self._reached = self._saved = begun
        self._marks = [(self._began, begun)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._over.set()
        self._thread.join()

    def __call__(self, reached: int) -> None:
        """So many are done."""
        self._reached = reached

    def saved(self, reached: int) -> None:
        """There is a checkpoint at so many."""
        self._reached = self._saved = reached

    def line(self) -> str:
        """How far it is, how fast since the line before, how long it will take, and whether that fits."""
        now, reached = self._clock(), self._reached
        before, then = self._marks[-1]
        self._marks.append((now, reached))
        speed = (reached - then) / (now - before) if now > before else 0.0
        left = (self._wanted - reached) / speed if speed > 0 else float("inf")
        parts = [f"{self._what}: {reached:,} of {self._wanted:,} {self._unit}", f"{speed:,.0f} {self._unit}/s", f"{span(left)} left"]
        if self._until is not None and left < float("inf"):
            slack = self._until - now - left
            parts.append(f"{span(abs(slack))} {'to spare' if slack >= 0 else 'too few'} before the deadline")
        return ", ".join([*parts, f"last checkpoint at {self._saved:,}"])

    def _beat(self) -> None:
        while not self._over.wait(self._every):
            self._say(self.line())


def span(seconds: float) -> str:
    """A length of time as a person writes it: 45 s, 12 min, 8 h 30 min."""
    if seconds == float("inf"):
        return "an unknown time"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004 - two hours

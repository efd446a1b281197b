"""How often results were served and how much time that saved, per function: counted in memory, kept beside the near store."""

import atexit
import contextlib
import json
import os
import time
import weakref
from collections import deque
from collections.abc import Iterator

_FLUSH_AFTER = 60.0
_MANY = 10_000


class Tally:
    """Counts hits; written as one line per process and minute, so that a hit costs no write."""

    def __init__(self, folder: str | None) -> None:
        self._path = None if folder is None else os.path.join(folder, "hits.jsonl")
        self._hits: deque[tuple[str, float]] = deque()
        self._since = time.monotonic()
        self._registered = False

    def hit(self, function: str, seconds: float) -> None:
        """Count one hit of a function whose computation had taken so many seconds."""
        self._hits.append((function, seconds))  # without a lock: a fork or a signal may come at any moment
        if not self._registered:
            self._registered = True
            atexit.register(_flush, weakref.ref(self))
        if len(self._hits) > _MANY or time.monotonic() - self._since > _FLUSH_AFTER:
            self.flush()

    def flush(self) -> None:
        """Append what was counted; a store that cannot be written keeps no count, and nothing else depends on it."""
        self._since = time.monotonic()
        counts: dict[str, tuple[int, float]] = {}
        with contextlib.suppress(IndexError):
            while True:
                function, seconds = self._hits.popleft()
                hits, saved = counts.get(function, (0, 0.0))
                counts[function] = (hits + 1, saved + seconds)
        if not counts or self._path is None or not os.path.isdir(os.path.dirname(self._path)):
            return
        line = json.dumps({name: [hits, round(saved, 6)] for name, (hits, saved) in sorted(counts.items())}) + "\n"
        with contextlib.suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(file, line.encode())  # one write: lines of several processes never mix
            finally:
                os.close(file)

    def read(self) -> dict[str, tuple[int, float]]:
        """Hits and seconds saved per function, of all processes so far."""
        self.flush()
        total: dict[str, tuple[int, float]] = {}
        for line in self._lines():
            for name, (hits, seconds) in line.items():
                before = total.get(name, (0, 0.0))
                total[name] = (before[0] + int(hits), before[1] + float(seconds))
        return total

    def _lines(self) -> Iterator[dict[str, tuple[int, float]]]:
        lines: list[str] = []
        with contextlib.suppress(OSError):
            if self._path is not None:
                with open(self._path, encoding="utf-8", errors="replace") as file:
                    lines = file.read().splitlines()
        for line in lines:
            with contextlib.suppress(ValueError, TypeError, AttributeError, OverflowError):  # a line that was cut or damaged
                counts = json.loads(line)
                yield {str(name): (int(hits), float(seconds)) for name, (hits, seconds) in counts.items()}


def _flush(tally: "weakref.ref[Tally]") -> None:
    if (held := tally()) is not None:
        held.flush()

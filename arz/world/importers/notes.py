"""What an importer guessed or left out: counted, with examples, as sentences for a person."""

from typing import Self

EXAMPLES = 3
"""How many examples a sentence names."""


class _Tally:
    """How often one thing was noted, over how many metres, and where first."""

    __slots__ = ("examples", "length_m", "times")

    def __init__(self) -> None:
        self.times = 0
        self.length_m = 0.0
        self.examples: dict[str, None] = {}

    def sentence(self, what: str) -> str:
        over = f", {self.length_m / 1000:.2f} km" if self.length_m else ""
        such = f" (for example {', '.join(self.examples)})" if self.examples else ""
        return f"{self.times} × {what}{over}{such}"


class Notes:
    """Gathers notes while a file is read; one sentence per thing, in the order in which things first happened."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally | None] = {}

    def count(self, what: str, example: str, length_m: float = 0.0) -> None:
        """One more of these; the first few examples and the sum of the lengths are kept."""
        tally = self._tallies.setdefault(what, _Tally()) or _Tally()
        tally.times += 1
        tally.length_m += length_m
        if len(tally.examples) < EXAMPLES:
            tally.examples[example] = None

    def say(self, sentence: str) -> Self:
        """A sentence about the whole file."""
        self._tallies[sentence] = None
        return self

    def sentences(self) -> tuple[str, ...]:
        return tuple(what if tally is None else tally.sentence(what) for what, tally in self._tallies.items())

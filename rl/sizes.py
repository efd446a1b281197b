"""How much a laptop bears: what asks for more is refused before it is built, by the field that asks for it."""

from typing import Final

from arz import Invalid

LONGEST_S: Final = 7 * 24 * 3600.0
"""Of an episode: a week."""
SHORTEST_S: Final = 0.1
"""Of a decision; who gives less gives another unit."""
MOST_DECISIONS: Final = 100_000
"""Of an episode."""
MOST_CELLS: Final = 10_000_000
"""Of all worlds together: some four GiB."""
MOST_BYTES: Final = 1 << 30
"""Of the observations that a learner remembers."""
NUMBER_BYTES: Final = 4
WIDEST: Final = 2_048
DEEPEST: Final = 8
"""Hidden layers of so many units, and so many of them: half a GiB with all that an optimizer keeps."""
MOST_TRIES: Final = 1_000
"""Combinations of values by which one baseline is tuned."""


def require_cells(path: str, given: str, cells: float, remedy: str) -> None:
    """Refused where so many cells, of all worlds together, do not fit into memory."""
    if not cells <= MOST_CELLS:
        raise Invalid(path, f"{given} {cells:,.3g} cells, and {MOST_CELLS:,} fit into memory", remedy)


def require_memory(path: str, steps: int, numbers: int) -> None:
    """Refused where so many steps of so many numbers, of all worlds and agents together, do not fit into memory."""
    most = MOST_BYTES // (NUMBER_BYTES * numbers)
    if steps > most:
        asked = f"{NUMBER_BYTES * numbers * steps / (1 << 30):,.3g} GiB of observations, of which {MOST_BYTES >> 30} fits into memory"
        remedy = f"give at most {most:,}" if most else "see less, or have fewer worlds"
        raise Invalid(path, f"is {steps:,}: {asked}", remedy)

"""Items of a series as a list that tells whether it is all that was asked for."""

from typing import TypeVar

T = TypeVar("T")


class Items(list[T]):
    """Items of a series; `complete` tells whether all that were asked for are here. Stored, they are a plain list."""

    complete: bool = True
    """False if a deadline came first."""
    ended: bool = False
    """The generator finished: there are no more."""
    mixed: bool = False
    """The items were made in more than one environment, so they need not be those of one straight run."""

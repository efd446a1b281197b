"""Every way the solver can refuse."""

from collections.abc import Iterable


class ArzError(Exception):
    """Anything that arz refuses; catch this to catch all of it."""


class Unknown(ArzError, KeyError):
    """There is no kind of this name: choose one of `known`."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.what = what
        self.name = name
        self.known = tuple(known)
        super().__init__(what, name, self.known)

    def __str__(self) -> str:
        return f"there is no {self.what} named {self.name!r}; known: {', '.join(self.known)}"

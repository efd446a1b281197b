"""Every way that learning can refuse, beside what the solver refuses already."""


class RlError(Exception):
    """Anything that rl refuses; catch this to catch all of it. A wrong field is refused by `arz.Invalid`, with its path."""


class NotBegun(RlError, RuntimeError):
    """There is no episode yet: call `reset` first."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.what} before the first episode; call reset() first"


class Foreign(RlError, ValueError):
    """A snapshot that is not of this task: make the task from the same spec, for as many worlds, and restore it there."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(field, problem)

    def __str__(self) -> str:
        return f"the snapshot's {self.field} {self.problem}; restore it into a task of the same spec and as many worlds"

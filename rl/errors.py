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


class NotKept(RlError, RuntimeError):
    """A checkpoint was computed and the store did not take it: give the store room, or name another one, and go on from `kept`."""

    def __init__(self, name: str, done: int, kept: int) -> None:
        self.name, self.done, self.kept = name, done, kept
        super().__init__(name, done, kept)

    def __str__(self) -> str:
        return (
            f"{self.name}: window {self.done} is computed, and the store has {self.kept}, for the reason told before; mend that (free some "
            "space, set SIMCACHE_STORE to a folder that can be written, leave the code alone), and the same command goes on"
        )


class Foreign(RlError, ValueError):
    """A snapshot that is not of this task: make the task from the same spec, for as many worlds, and restore it there."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(field, problem)

    def __str__(self) -> str:
        return f"the snapshot's {self.field} {self.problem}; restore it into a task of the same spec and as many worlds"

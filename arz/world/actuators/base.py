"""What every actuator is."""

from arz.world.record import Id, Record


class Actuator(Record):
    """Something that a controller may set while a scenario runs; its id is its name in arrays, and what it begins with is a field.

    Each kind adds a field `kind` that tells it from the others.
    """

    id: Id

    @property
    def reach(self) -> tuple[str, ...]:
        """The roads that it acts on; no road obeys two actuators of one kind."""
        raise NotImplementedError

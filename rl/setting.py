"""What every record of settings is: a record of the solver's that takes no value for another type's."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict

from arz import Record


class Setting(Record):
    """Frozen, free of unknown fields, NaN and infinities; "15", True and 15 are three different things. Refused as `arz.Invalid`."""

    model_config = ConfigDict(strict=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same with some fields changed, checked as a whole; pydantic's own would keep what follows from the old ones."""
        if update is None:
            return super().model_copy(deep=deep)
        return type(self)(**{**{field: getattr(self, field) for field in type(self).model_fields}, **update})

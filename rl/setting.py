"""What every record of settings is: a record of the solver's that takes no value for another type's."""

from pydantic import ConfigDict

from arz import Record


class Setting(Record):
    """Frozen, free of unknown fields, NaN and infinities; "15", True and 15 are three different things. Refused as `arz.Invalid`."""

    model_config = ConfigDict(strict=True)

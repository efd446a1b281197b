"""What every record of the world is: frozen, free of unknown fields, NaN and infinities, and refused with the path of what is wrong."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from arz.errors import Invalid
from arz.given import place, shown

UNITS = {
    "_veh_per_m": "vehicles a metre, per lane",
    "_veh_per_h": "vehicles an hour",
    "_m_per_s": "metres a second",
    "_kmh": "kilometres an hour",
    "_m": "metres",
    "_s": "seconds",
}
"""The unit that a field's name ends in; the longest ending comes first."""

SLOWEST_KMH, FASTEST_KMH = 5.0, 200.0
DENSEST_VEH_PER_M = 1.0


def _limit(value: float) -> float:
    if SLOWEST_KMH <= value <= FASTEST_KMH:
        return value
    looks = "metres a second" if value < SLOWEST_KMH else "another unit"
    raise Invalid("", f"is {value:g} km/h, which looks like {looks}", f"give km/h between {SLOWEST_KMH:g} and {FASTEST_KMH:g}")


def _density(value: float) -> float:
    if 0 <= value <= DENSEST_VEH_PER_M:
        return value
    looks = "less than nothing" if value < 0 else "looks like vehicles a kilometre"
    raise Invalid("", f"is {value:g} veh/m per lane, which {looks}", f"give vehicles a metre, per lane: here {abs(value) / 1000:g}?")


Id = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
LimitKmh = Annotated[float, AfterValidator(_limit)]
DensityVehPerM = Annotated[float, AfterValidator(_density)]


class Record(BaseModel):
    """A frozen description. Whatever is wrong with it is refused, when it is made, as `Invalid`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise refusal(error, type(self), data) from None

    # Records within records are made by pydantic itself, which is fast and lets the outermost record see the whole path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same with some fields changed, checked as a whole; pydantic's own would check nothing, and keep what follows from the old ones."""
        if update is None:
            return super().model_copy(deep=deep)
        return type(self)(**{**{field: getattr(self, field) for field in type(self).model_fields}, **update})

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """Reads the record from a JSON file, or from JSON text, which begins with `{`."""
        text = (
            source
            if isinstance(source, str) and source.lstrip().startswith("{")
            else _content(place(source, "give the path of a JSON file, or the JSON itself"))
        )
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise refusal(error, cls, _parsed(text)) from None

    def save(self, path: str | Path) -> None:
        """Writes the record as JSON, which `load` reads back to an equal one."""
        place(path, "give the path of a file to write").write_text(self.model_dump_json(indent=1), encoding="utf-8")


def refusal(error: ValidationError, kind: type[BaseModel], data: object) -> Invalid:
    """Gives what pydantic found as one error: the first fault, with the others."""
    faults = [_fault(details, kind, data) for details in _causes(error.errors(include_url=False))]
    first = faults[0]
    return Invalid(first.path, first.problem, first.remedy, tuple(faults[1:]))


def joined(*parts: str) -> str:
    """The path of a field within a field."""
    path = ""
    for part in parts:
        path += f".{part}" if path and part and not part.startswith("[") else part
    return path


def _causes(found: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leaves out what only follows: a sequence of faulty items counts as too short."""
    within = {details["loc"][:depth] for details in found for depth in range(len(details["loc"]))}
    return [details for details in found if details["type"] != "too_short" or details["loc"] not in within]


def _fault(details: ErrorDetails, kind: type[BaseModel], data: object) -> Invalid:
    inner = details.get("ctx", {}).get("error")
    if isinstance(inner, Invalid):
        # The fault lies within what the location names, which may end in the kind of a union.
        path = joined(_path((*details["loc"], ""), data), inner.path)
        return Invalid(path or kind.__name__, inner.problem, inner.remedy)
    path = _path(details["loc"], data)
    name = str(details["loc"][-1]) if details["loc"] else ""
    match details["type"]:
        case "extra_forbidden":
            near = get_close_matches(name, _fields_at(kind, details["loc"][:-1]), 1)
            remedy = f"did you mean {near[0]}?" if near else "take it out, or mend its name"
            return Invalid(path, "is not a field that is known here", remedy)
        case "missing":
            return Invalid(path, "is missing", "give it" + _unit(name))
        case "json_invalid":
            return Invalid(path or kind.__name__, details["msg"], "give a whole JSON text")
        case "union_tag_invalid":
            return Invalid(path, f"has the kind {details['ctx']['tag']!r}", f"choose among {details['ctx']['expected_tags']}")
        case _:
            return Invalid(path or kind.__name__, f"is {shown(details['input'])}", _demanded(details["msg"]) + _unit(name))


def _fields_at(kind: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    """The fields that are known at a place within a record: of the record that is there, or of all that may be."""
    kinds = [kind]
    for step in where:
        below = [each.model_fields[str(step)].annotation for each in kinds if step in each.model_fields]
        if below:
            kinds = [found for annotation in below for found in _records(annotation)]
        else:  # a number in a sequence, or the kind of a union
            kinds = [each for each in kinds if "kind" in each.model_fields and each.model_fields["kind"].default == step] or kinds
    return [field for each in kinds for field in each.model_fields]


def _records(annotation: object) -> list[type[BaseModel]]:
    """The records within a type, such as those of a union or a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _records(part)]


def _path(where: tuple[int | str, ...], data: object) -> str:
    path = ""
    for depth, step in enumerate(where):
        last = depth == len(where) - 1
        # pydantic names the chosen kind of a union as if it were a field; the data knows better.
        if isinstance(step, str) and not last and isinstance(data, Mapping) and step not in data:
            continue
        path = joined(path, f"[{step}]" if isinstance(step, int) else step)
        data = _within(data, step)
    return path


def _within(data: object, step: int | str) -> object:
    if isinstance(data, Mapping):
        return data.get(step)
    if isinstance(step, int):
        return data[step] if isinstance(data, Sequence) and step < len(data) else None
    return getattr(data, step, None)


def _unit(name: str) -> str:
    return next((f", in {unit}" for end, unit in UNITS.items() if name.endswith(end)), "")


def _demanded(sentence: str) -> str:
    sentence = sentence.replace("Input should", "it should")
    return sentence[:1].lower() + sentence[1:]


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(str(path), f"cannot be read ({error})", "give the path of a JSON file, or the JSON itself") from None


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

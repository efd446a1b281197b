"""The canonical forms of pandas' values: what a table, column or index holds, not in which blocks it lies; loaded when one is met."""

from __future__ import annotations

import sys
from datetime import UTC
from functools import cache
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from simcache.identity.forms.arrays import array
from simcache.identity.forms.base import DEEPEST, Refused, compound, digested, key_step, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from simcache.identity.forms.base import Form, Walk

    Parts = Callable[[Any], tuple[object, ...]]

_KEEPS_TEXTS = 3
"""The version of pandas that keeps texts as such, and not as objects."""


def form_of(cls: type) -> Form | None:
    """How values of pandas' types are written; None for a type that is none of them."""
    if cls.__module__.partition(".")[0] != "pandas":
        return None
    pandas: Any = sys.modules["pandas"]
    if cls is pandas.DataFrame:
        return _table
    if issubclass(cls, pandas.Index) and cls not in (pandas.RangeIndex, pandas.MultiIndex):
        return _made_of(cls.__name__, _index)
    if issubclass(cls, (pandas.arrays.StringArray, pandas.arrays.ArrowStringArray)):
        return _strings  # which of them holds the texts follows from what is installed
    parts = _PARTS.get(cls.__name__)
    return None if parts is None else _made_of(cls.__name__, parts)


def parts_of(value: Any) -> list[object] | None:
    """What a value of pandas is made of, whatever it remembers of itself; None of one that is not known here."""
    parts = _PARTS.get(type(value).__name__, _index if isinstance(value, sys.modules["pandas"].Index) else None)
    if type(value).__module__.partition(".")[0] != "pandas" or parts is None:
        return None
    return [part.held if type(part) is _Values else part for part in parts(value)]


def beside(value: Any) -> list[object]:
    """What a table has beside its columns, and a column beside its values: of its own attributes only those that somebody has set."""
    labels = [value.columns] if hasattr(value, "columns") else [value.name]
    return [*labels, value.index, value.attrs, value.flags.allows_duplicate_labels, *set_on(value)]


def set_on(value: Any) -> list[dict[str, object]]:
    """The attributes that somebody has set on a table, column or index, if there are any; what pandas remembers there stands in its class, too."""
    own = {name: one for name, one in vars(value).items() if not (name.startswith("_") or hasattr(type(value), name))}
    return [own] if own else []


def columns_of(table: Any) -> list[Any]:
    """The values of each column of a table: an array, numpy's own where it can be."""
    quick = getattr(table, "_iter_column_arrays", None)  # a table of a column takes 20 µs to be made
    columns = [table.iloc[:, number].array for number in range(table.shape[1])] if quick is None else [*quick()]
    return [plain(one) for one in columns]


def plain(values: Any) -> Any:
    return values.to_numpy() if type(values).__name__ == "NumpyExtensionArray" else values


def _telling(form: Form) -> Form:
    """Has whatever pandas makes of being asked be a reason why a value has no form."""

    def telling(value: Any, walk: Walk, depth: int) -> bytes:
        if depth > DEEPEST:
            raise Refused
        try:
            return form(value, walk, depth)
        except (Refused, RecursionError):
            raise
        except Exception as problem:
            raise Refused(
                f"this pandas cannot tell what is in it ({type(problem).__name__}: {problem}): pass its columns as arrays"
            ) from problem

    return telling


@_telling
def _table(value: Any, walk: Walk, depth: int) -> bytes:
    labels, columns = value.columns, list[bytes]()
    for number, values in enumerate(columns_of(value)):
        try:
            columns.append(_form(_Values(values), walk, depth + 1))
        except Refused as refused:
            refused.inside(key_step(labels[number]), value)
            raise
    return compound("pandas.DataFrame", *columns, *(_form(part, walk, depth + 1) for part in beside(value)))


def _made_of(name: str, parts: Parts) -> Form:
    """The form of a type that is told by some parts."""

    def form(value: Any, walk: Walk, depth: int) -> bytes:
        return compound(f"pandas.{name}", *(_form(part, walk, depth + 1) for part in parts(value)))

    return _telling(form)


class _Values:
    """The values of a column or an index, among its parts."""

    def __init__(self, held: Any) -> None:
        self.held = plain(held)


def _form(part: Any, walk: Walk, depth: int) -> bytes:
    held = part.held if type(part) is _Values else part
    way = way_of_texts(held) if type(part) is _Values else None
    return walk.forms[type(held)](held, walk, depth) if way is None else _texts(held, way, walk, depth)


@_telling
def _strings(held: Any, walk: Walk, depth: int) -> bytes:
    return _texts(held, way_of_texts(held) or "", walk, depth)


def _texts(held: Any, way: str, walk: Walk, depth: int) -> bytes:
    """Texts at once, not one by one: which are missing, how long each is, and all of them as one."""
    missing = np.asarray(sys.modules["pandas"].isna(held))
    items = np.where(missing, "", np.asarray(held, object)).tolist()
    if {*map(type, items)} - {str}:  # of numpy, or of one's own
        return compound("texts", text(b"s", way), array(missing, walk, depth), walk.forms[list](items, walk, depth))
    lengths = np.fromiter(map(len, items), np.int64, len(items))
    whole = digested(b"b", "".join(items).encode("utf-8", "surrogatepass"))
    return compound("texts", text(b"s", way), array(missing, walk, depth), array(lengths, walk, depth), whole)


def way_of_texts(held: Any) -> str | None:
    """How an array keeps texts: empty if as this pandas does by itself, else by its dtype; None if it is none of texts.

    So a table that was read from one file has one form under all versions, of which some keep texts as objects.
    """
    if type(held) is not np.ndarray:
        is_texts = type(held.dtype) is sys.modules["pandas"].StringDtype
        return None if not is_texts else "" if str(held.dtype) == "str" and keeps_texts_as_such() else str(held.dtype)
    kinds = {*map(type, held)} if held.dtype.hasobject and held.ndim == 1 else ()
    if kinds == {str}:
        return "object" if keeps_texts_as_such() else ""
    is_own = kinds == {str, float} and all(isnan(one) for one in held if type(one) is float) and not keeps_texts_as_such()
    return "" if is_own else None


@cache
def keeps_texts_as_such() -> bool:
    """Whether this pandas makes an array of texts of a list of texts, and none of objects, if no option says otherwise."""
    return int(sys.modules["pandas"].__version__.partition(".")[0]) >= _KEEPS_TEXTS


def zone_of(zone: Any) -> Any:
    """The name of a time zone if this pandas makes of it just such a one: versions differ in that, too; else the zone."""
    try:
        name = getattr(zone, "key", None) or getattr(zone, "zone", None) or ("UTC" if zone is UTC else None)
        made = None if name is None else sys.modules["pandas"].Timestamp(0, tz=name).tz
    except Exception:  # one of somebody's own, of which pandas knows nothing
        return zone
    return name if made is not None and type(made) is type(zone) else zone


def _index(value: Any) -> tuple[object, ...]:
    return _Values(value.array), [*value.names], steps_of(getattr(value, "freq", None)), *set_on(value)


def steps_of(steps: Any) -> Any:
    """By how much each moment follows the one before: its name if that tells all, as it does not of holidays, or of an hour beside a day."""
    try:
        same = (
            steps is not None and "+" not in steps.freqstr and sys.modules["pandas.tseries.frequencies"].to_offset(steps.freqstr) == steps
        )
    except ValueError:  # it has no name
        return steps
    return steps.freqstr if same else steps


def _steps_within(values: Any) -> list[object]:
    """The steps that an array itself has under older versions."""
    steps = getattr(values, "freq", None)
    return [] if steps is None else [steps_of(steps)]


def _set_on_levels(index: Any) -> list[dict[str, object]]:
    return [{name: one for name, one in own.items() if name != "sortorder"} for own in set_on(index) if own.keys() - {"sortorder"}]


def _masked(value: Any) -> tuple[object, ...]:
    """Numbers of which some are missing; what lies under these nobody can read."""
    plain = value.dtype.numpy_dtype
    return str(value.dtype), value.to_numpy(dtype=plain, na_value=plain.type(0)), np.asarray(value.isna())


_PARTS: dict[str, Parts] = {
    "Series": lambda column: (_Values(column.array), *beside(column)),
    "RangeIndex": lambda index: (index.start, index.stop, index.step, index.name, *set_on(index)),
    "MultiIndex": lambda index: ([*index.levels], [*index.codes], [*index.names], index.sortorder, *_set_on_levels(index)),
    "NumpyExtensionArray": lambda values: (_Values(values),),
    "Categorical": lambda values: (values.codes, values.categories, values.ordered),
    "DatetimeArray": lambda values: (values.unit, zone_of(values.tz), values.asi8, *_steps_within(values)),
    "TimedeltaArray": lambda values: (values.unit, values.asi8, *_steps_within(values)),
    "PeriodArray": lambda values: (steps_of(values.freq), values.asi8),
    "IntervalArray": lambda values: (values.left, values.right, values.closed),
    "IntegerArray": _masked,
    "FloatingArray": _masked,
    "BooleanArray": _masked,
    "Timestamp": lambda moment: (moment.asm8, zone_of(moment.tz), moment.fold),
    "Timedelta": lambda duration: (duration.asm8,),
    "Period": lambda period: (steps_of(period.freq), period.ordinal),
    "Interval": lambda interval: (interval.left, interval.right, interval.closed),
    "NaTType": lambda _missing: (),
    "NAType": lambda _missing: (),
}

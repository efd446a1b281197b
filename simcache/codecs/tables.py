"""Tables, columns and indices of pandas as tagged JSON around the arrays in them, put back by pandas; loaded where there are such."""

import re
from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from simcache.codecs.reading import Read, Reader, listed, texted
from simcache.codecs.writing import Write, Writer
from simcache.errors import Undecodable, Unstorable
from simcache.identity.forms.tables import columns_of, keeps_texts_as_such, plain, set_on, steps_of, way_of_texts, zone_of

_BY_THEMSELVES: Final = "biufcmM"
"""The kinds of numpy's arrays that pandas takes as they are."""
_MOMENT: Final = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", re.ASCII)
_MASKED: Final[dict[str, Any]] = {
    "b": pd.arrays.BooleanArray,
    "i": pd.arrays.IntegerArray,
    "u": pd.arrays.IntegerArray,
    "f": pd.arrays.FloatingArray,
}


def writer_of(kind: type) -> Write | None:
    """What writes values of this type; None if it is none of pandas that could be brought back exactly."""
    return _index if issubclass(kind, pd.Index) and kind.__module__.partition(".")[0] == "pandas" else _WRITE.get(kind)


def _enclosing(write: Write) -> Write:
    """For what holds arrays, for which there must be a place, and may hold anything beside them."""

    def enclosing(writer: Writer, value: Any) -> Any:
        if writer.leaf is None:
            raise Unstorable("", "codec='json' has no place for the arrays of a table, nor has a set: name no codec, and return a list")
        if writer.root == "state":
            raise Unstorable("", "a table in a state would lie in memory otherwise when it comes back: keep its columns as arrays")
        writer.enter(value)
        form = write(writer, value)
        writer.leave(value)
        return form

    return enclosing


def _within(step: str, write: Write, writer: Writer, value: Any) -> Any:
    try:
        return write(writer, value)
    except Unstorable as refused:
        refused.path = f"{step}{refused.path}"
        raise


@_enclosing
def _table(writer: Writer, value: Any) -> Any:
    columns = []
    for number, (label, held) in enumerate(zip(value.columns, columns_of(value), strict=True)):
        step = f"[{label!r}]" if isinstance(label, str | int) else f".iloc[:, {number}]"
        columns.append(_within(step, _values, writer, held))
    return {"$table": [_index(writer, value.columns), _index(writer, value.index), columns, *_beside(writer, value)]}


@_enclosing
def _column(writer: Writer, value: Any) -> Any:
    name = _within(".name", Writer.form, writer, value.name)
    return {"$column": [name, _index(writer, value.index), _values(writer, value.array), *_beside(writer, value)]}


def _beside(writer: Writer, value: Any) -> list[Any]:
    """What somebody has said of a table or column."""
    _refuse_set_on(value)
    return [_within(".attrs", Writer.form, writer, value.attrs), value.flags.allows_duplicate_labels]


@_enclosing
def _index(writer: Writer, value: Any) -> Any:
    _refuse_set_on(value)
    names = [_within(".name", Writer.form, writer, name) for name in value.names]
    if isinstance(value, pd.RangeIndex):
        content = [value.start, value.stop, value.step]
    elif isinstance(value, pd.MultiIndex):
        content = [
            [_index(writer, level) for level in value.levels],
            [writer.form(np.asarray(codes)) for codes in value.codes],
            value.sortorder,
        ]
    else:
        content = [_within(".array", _values, writer, value.array)]
        if isinstance(value, pd.DatetimeIndex | pd.TimedeltaIndex):
            content.append(_steps(value.freq))
    return {"$index": [type(value).__name__, names, *content]}


def _refuse_set_on(value: Any) -> None:
    if own := [name for one in set_on(value) for name in one if name != "sortorder"]:
        raise Unstorable(f".{own[0]}", "an attribute that was set on it is lost as soon as it is copied: put it into .attrs of a table")


def _steps(steps: Any) -> str | None:
    """By how much each moment follows the one before."""
    name = steps_of(steps)
    if name is not None and not isinstance(name, str):
        raise Unstorable(".freq", f"{steps!r} is more than its name: take it away by .freq = None")
    return name


def _values(writer: Writer, value: Any) -> Any:
    """The values of a column or an index: an array, or what pandas makes of several."""
    parts: list[Any] | None = None
    if (way := way_of_texts(plain(value))) is not None:
        parts = ["text", way, *_texts(writer, value)]
    elif isinstance(value.dtype, np.dtype) or type(value) is pd.arrays.NumpyExtensionArray:
        held = np.asarray(value)
        if held.dtype.kind in _BY_THEMSELVES:
            return writer.form(held)
        if held.dtype.kind == "O":
            parts = ["object", writer.items([*held])]
    elif type(value) in _MASKED.values():
        kind = value.dtype.numpy_dtype
        parts = ["masked", writer.form(value.to_numpy(kind, na_value=kind.type(0))), writer.form(np.asarray(value.isna()))]
    elif isinstance(value.dtype, pd.CategoricalDtype):
        parts = ["categorical", writer.form(np.asarray(value.codes)), _index(writer, value.categories), bool(value.ordered)]
    elif isinstance(value.dtype, pd.DatetimeTZDtype):
        parts = [
            "moments",
            writer.form(value.asi8.view(f"M8[{value.unit}]")),
            _within(".dtype.tz", Writer.form, writer, zone_of(value.dtype.tz)),
        ]
    elif isinstance(value.dtype, pd.PeriodDtype) and _steps(value.dtype.freq):
        parts = ["periods", writer.form(value.asi8), value.freqstr]
    elif isinstance(value.dtype, pd.IntervalDtype):
        parts = ["intervals", *(_values(writer, bound.array) for bound in (value.left, value.right)), value.closed]
    if parts is None:
        raise Unstorable(
            "", f"values of dtype {value.dtype} cannot be brought back exactly: turn them with .astype(…), or use codec='pickle'"
        )
    return {"$values": parts}


def _texts(writer: Writer, value: Any) -> list[Any]:
    """In which memory they are kept if not in that of this installation, and the texts."""
    items = [None if is_missing else item for is_missing, item in zip(pd.isna(value), np.asarray(value, object), strict=True)]
    kept = getattr(value.dtype, "storage", None)
    return [None if kept is None or _dtype_of(str(value.dtype)).storage == kept else kept, writer.items(items)]


def _dtype_of(way: str, kept: str | None = None) -> Any:
    """That of an array of texts."""
    return pd.StringDtype(kept) if way == "string" else pd.StringDtype(kept, na_value=np.nan)


def _moment(writer: Writer, value: Any) -> Any:
    zone = _within(".tz", Writer.form, writer, zone_of(value.tz))
    if _moment_of(value.asm8, value.tz).fold != value.fold:
        raise Unstorable("", "a time that comes twice on its day, and is told to be the other one: return it in UTC")
    return {"$pandas": ["Timestamp", str(value.asm8), value.unit, zone]}


_WRITE: Final[dict[type, Write]] = {
    pd.DataFrame: _table,
    pd.Series: _column,
    pd.Timestamp: _moment,
    pd.Timedelta: lambda _writer, value: {"$pandas": ["Timedelta", value.asm8.astype(int).item(), value.unit]},
    pd.Period: lambda _writer, value: {"$pandas": ["Period", value.ordinal, _steps(value.freq) and value.freqstr]},
    pd.Interval: lambda writer, value: {"$pandas": ["Interval", writer.form(value.left), writer.form(value.right), value.closed]},
    type(pd.NaT): lambda _writer, _value: {"$pandas": ["NaT"]},
    type(pd.NA): lambda _writer, _value: {"$pandas": ["NA"]},
}


def _checked(read: Callable[[Any], Any]) -> Read:
    """Whatever pandas makes of wrong data."""

    def checked(_reader: Reader, payload: Any) -> Any:
        try:
            return read(payload)
        except Exception as problem:
            raise Undecodable(f"no table, column or index: {type(problem).__name__}: {problem}") from problem

    return checked


def _read_table(payload: Any) -> Any:
    """A table with memory of its own, that may be written."""
    labels, index, columns, attributes, allows = listed(payload, 5)
    if len(_is(pd.Index, labels)) != len(listed(columns)) or any(len(_held(column)) != len(_is(pd.Index, index)) for column in columns):
        raise Undecodable("columns and labels are not of one length")
    # What is in an array of objects pandas would look at, to find another dtype for it.
    held = {number: pd.Series(one, index, one.dtype) if one.dtype == object else one for number, one in enumerate(columns)}
    table = pd.DataFrame(held, index)
    table.columns = labels
    return _with(table, attributes, allows)


def _read_column(payload: Any) -> Any:
    name, index, values, attributes, allows = listed(payload, 5)
    return _with(pd.Series(_held(values), _is(pd.Index, index), values.dtype, name, copy=True), attributes, allows)


def _with(value: Any, attributes: Any, allows: Any) -> Any:
    value.attrs = _is(dict, attributes)
    value.flags.allows_duplicate_labels = _is(bool, allows)
    return value


def _read_index(payload: Any) -> Any:
    kind, names, *content = listed(payload)
    if kind == "MultiIndex":
        levels, codes, order = content
        found: Any = pd.MultiIndex(listed(levels), listed(codes), order, names)
    elif kind == "RangeIndex":
        found = pd.RangeIndex(*listed(content, 3), name=names[0])
    else:
        values, *steps = content
        found = pd.Index(_held(values), values.dtype, copy=True, name=names[0], tupleize_cols=False)
        for each in steps:
            found.freq = each
    if type(found).__name__ != kind or len(found.names) != len(listed(names)):
        raise Undecodable(f"it is a {type(found).__name__} and no {kind}")
    return found


def _read_values(payload: Any) -> Any:
    kind, *parts = listed(payload)
    return _MAKE[texted(kind)](*parts)


def _make_objects(items: Any) -> Any:
    found = np.empty(len(listed(items)), object)
    for number, item in enumerate(items):  # a list among them is one thing
        found[number] = item
    return found


def _make_texts(way: Any, kept: Any, items: Any) -> Any:
    if texted(way) == "object" or (way == "" and not keeps_texts_as_such()):
        return _make_objects([np.nan if item is None else item for item in listed(items)])
    return pd.array(listed(items), _dtype_of(way, kept))


def _make_moments(plain: Any, zone: Any) -> Any:
    return pd.DatetimeIndex(_is(np.ndarray, plain)).tz_localize("UTC").tz_convert(_zone(zone)).array


_MAKE: Final[dict[str, Callable[..., Any]]] = {
    "object": _make_objects,
    "text": _make_texts,
    "masked": lambda plain, mask: _MASKED[plain.dtype.kind](plain, mask, copy=True),
    "categorical": lambda codes, of, ordered: pd.Categorical.from_codes(_is(np.ndarray, codes), _is(pd.Index, of), _is(bool, ordered)),
    "moments": _make_moments,
    "periods": lambda ordinals, steps: pd.arrays.PeriodArray(_is(np.ndarray, ordinals), pd.PeriodDtype(texted(steps)), copy=True),
    "intervals": lambda left, right, closed: pd.arrays.IntervalArray.from_arrays(_held(left), _held(right), closed),
}


def _moment_of(plain: Any, zone: Any) -> Any:
    return pd.Timestamp(plain) if zone is None else pd.Timestamp(plain, tz="UTC").tz_convert(zone)


def _make_moment(said: Any, unit: Any, zone: Any) -> Any:
    if not _MOMENT.fullmatch(texted(said)):  # numpy knows "now"
        raise Undecodable(f"{said[:40]!r} is no moment")
    return _moment_of(np.datetime64(said, _unit(unit)), _zone(zone))


def _zone(zone: Any) -> Any:
    """A time zone, or the name of one; pandas would open a file for some."""
    if isinstance(zone, str) and zone != "UTC":
        ZoneInfo(zone)
    return zone


def _unit(unit: Any) -> Any:
    if unit not in ("s", "ms", "us", "ns"):
        raise Undecodable(f"{unit!r} is no unit of time of pandas")
    return unit


def _held(values: Any) -> Any:
    """Values that lie in memory, and are not only told by how many there are."""
    return _is((np.ndarray, pd.api.extensions.ExtensionArray), values)


def _read_scalar(payload: Any) -> Any:
    kind, *parts = listed(payload)
    makers: dict[str, Callable[..., Any]] = {
        "Timestamp": _make_moment,
        "Timedelta": lambda number, unit: pd.Timedelta(np.timedelta64(_is(int, number), _unit(unit))),
        "Period": lambda ordinal, steps: pd.Period(ordinal=_is(int, ordinal), freq=texted(steps)),
        "Interval": lambda left, right, closed: pd.Interval(left, right, texted(closed)),
        "NaT": lambda: pd.NaT,
        "NA": lambda: pd.NA,
    }
    return makers[texted(kind)](*parts)


def _is(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise Undecodable(f"a {type(value).__name__} where a {getattr(kind, '__name__', 'array')} should be")
    return value


READ: Final[dict[str, Read]] = {
    "$table": _checked(_read_table),
    "$column": _checked(_read_column),
    "$index": _checked(_read_index),
    "$values": _checked(_read_values),
    "$pandas": _checked(_read_scalar),
}

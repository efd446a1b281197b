"""Dates, decimals, UUIDs and paths of the standard library as tagged JSON (the tags are listed in json.py)."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from simcache.codecs.reading import Read, Reader, listed, texted
from simcache.codecs.writing import Write, Writer
from simcache.errors import Undecodable, Unstorable


def _date(_writer: Writer, value: date) -> Any:
    return {"$date": value.isoformat()}


def _datetime(writer: Writer, value: datetime) -> Any:
    return {"$datetime": _moment(writer, value)}


def _time(writer: Writer, value: time) -> Any:
    return {"$time": _moment(writer, value)}


def _moment(writer: Writer, value: datetime | time) -> Any:
    """ISO text where that tells all; a fold and a named zone stand beside it."""
    zone = value.tzinfo
    if value.fold == 0 and (zone is None or (type(zone) is timezone and len(_init(zone)) == 1)):
        return value.isoformat()
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, writer.form(zone)]


def _init(zone: timezone) -> tuple[Any, ...]:
    """What a timezone was made of: its offset, and its name if it was given one."""
    made_of: tuple[Any, ...] = zone.__reduce__()[1]  # type: ignore[assignment]
    return made_of


def _timedelta(_writer: Writer, value: timedelta) -> Any:
    return {"$timedelta": [value.days, value.seconds, value.microseconds]}


def _timezone(writer: Writer, value: timezone) -> Any:
    offset, *name = _init(value)
    return {"$timezone": [_timedelta(writer, offset), writer.form(name[0]) if name else None]}


def _zone(_writer: Writer, value: ZoneInfo) -> Any:
    if value.key is None:
        raise Unstorable("", "a time zone without a key cannot be found again: make it with ZoneInfo('Area/City')")
    if ZoneInfo(value.key) is not value:
        raise Unstorable("", f"this time zone is not the one that ZoneInfo({value.key!r}) gives, which would come back: make it so")
    return {"$zone": value.key}


def _decimal(_writer: Writer, value: Decimal) -> Any:
    return {"$decimal": str(value)}


def _uuid(_writer: Writer, value: UUID) -> Any:
    return {"$uuid": str(value)}


def _path(tag: str) -> Write:
    return lambda writer, value: {tag: writer.form(value.as_posix())}


WRITE: Final[dict[type, Write]] = {
    date: _date,
    datetime: _datetime,
    time: _time,
    timedelta: _timedelta,
    timezone: _timezone,
    ZoneInfo: _zone,
    Decimal: _decimal,
    UUID: _uuid,
    type(Path()): _path("$path"),
    PurePosixPath: _path("$posixpath"),
    PureWindowsPath: _path("$windowspath"),
}


def _read_moment(kind: type[datetime] | type[time]) -> Read:
    def read(_reader: Reader, payload: Any) -> Any:
        if type(payload) is str:
            return kind.fromisoformat(payload)
        text, fold, zone = listed(payload, 3)
        if zone is not None and not isinstance(zone, tzinfo):
            raise Undecodable("a time zone is something else")
        return kind.fromisoformat(texted(text)).replace(fold=fold, tzinfo=zone)

    return read


def _read_timezone(_reader: Reader, payload: Any) -> timezone:
    offset, name = listed(payload, 2)
    return timezone(offset) if name is None else timezone(offset, name)


def _read_timedelta(_reader: Reader, payload: Any) -> timedelta:
    parts = listed(payload, 3)
    if any(type(part) is not int for part in parts):
        raise Undecodable("a timedelta is three ints")
    return timedelta(*parts)


def _of_text(make: Callable[[str], Any]) -> Read:
    return lambda _reader, payload: make(texted(payload))


def _read_zone(_reader: Reader, payload: Any) -> ZoneInfo:
    try:
        return ZoneInfo(texted(payload))
    except OSError as problem:  # a name that is a folder of the time zone data
        raise Undecodable(f"{payload!r} is no time zone: {problem}") from problem


READ: Final[dict[str, Read]] = {
    "$date": _of_text(date.fromisoformat),
    "$datetime": _read_moment(datetime),
    "$time": _read_moment(time),
    "$timedelta": _read_timedelta,
    "$timezone": _read_timezone,
    "$zone": _read_zone,
    "$decimal": _of_text(Decimal),
    "$uuid": _of_text(UUID),
    "$path": _of_text(Path),
    "$posixpath": _of_text(PurePosixPath),
    "$windowspath": _of_text(PureWindowsPath),
}

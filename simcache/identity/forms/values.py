"""The canonical forms of Python's own values: numbers, texts, containers, dates, paths, functions."""

from __future__ import annotations

import types
from struct import Struct, error
from typing import TYPE_CHECKING, Any

from simcache.identity.forms.base import DEEPEST, Refused, compound, counted, digested, listed, paired, refuse, text

if TYPE_CHECKING:
    from collections import Counter, defaultdict, deque
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from contextvars import ContextVar
    from datetime import date, datetime, time, tzinfo
    from decimal import Decimal
    from functools import partial
    from pathlib import PurePath
    from re import Pattern
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from simcache.identity.forms.base import Form, Walk

_pack_small = Struct("<cq").pack
_pack_float = Struct("<cd").pack
_pack_complex = Struct("<cdd").pack


def integer(value: int, _walk: Walk, _depth: int) -> bytes:
    try:
        return _pack_small(b"i", value)
    except error:  # more than 64 bits
        size = value.bit_length() // 8 + 1
        return counted(b"I", size) + value.to_bytes(size, "little", signed=True)


def boolean(value: bool, _walk: Walk, _depth: int) -> bytes:
    return b"T" if value else b"F"


def floating(value: float, _walk: Walk, _depth: int) -> bytes:
    """By bits: 0.0 is not -0.0, and a NaN is itself."""
    return _pack_float(b"f", value)


def complex_number(value: complex, _walk: Walk, _depth: int) -> bytes:
    return _pack_complex(b"c", value.real, value.imag)


def string(value: str, _walk: Walk, _depth: int) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return counted(b"s", len(data)) + data


def constant(tag: bytes) -> Form:
    """The form of a type that has one value."""
    return lambda _value, _walk, _depth: tag


def buffer(tag: bytes) -> Form:
    return lambda value, _walk, _depth: digested(tag, value)


def memory(value: memoryview, walk: Walk, _depth: int) -> bytes:
    if value.itemsize != 1:
        raise Refused("the items of a memoryview differ between machines unless they are bytes: pass a numpy array of it")
    shape = integers(value.shape or (), walk)
    return compound("memoryview", text(b"s", value.format), shape, digested(b"b", value if value.c_contiguous else value.tobytes()))


tuple_items = listed(b"t")
list_items = listed(b"l")
dict_items = paired(b"d", ordered=False)
_ordered_items = paired(b"O", ordered=True)


def integers(values: Iterable[int], walk: Walk) -> bytes:
    return tuple_items(tuple(values), walk, 0)


def unordered(tag: bytes) -> Form:
    """The form of a set: sorted by the forms of its members, never by their hashes."""

    def form(value: AbstractSet[Any], walk: Walk, depth: int) -> bytes:
        if depth > DEEPEST:
            raise Refused
        forms, deeper = walk.forms, depth + 1
        try:
            members = sorted([forms[type(member)](member, walk, deeper) for member in value])
        except Refused as refused:
            refused.inside("{a member}", value)
            raise
        return counted(tag, len(members)) + b"".join(members)

    return form


def within(name: str, *fields: str) -> Form:
    """The form of a type that is told by some attributes."""

    def form(value: object, walk: Walk, depth: int) -> bytes:
        if depth > DEEPEST:
            raise Refused
        parts = []
        for field in fields:
            part = getattr(value, field)
            try:
                parts.append(walk.forms[type(part)](part, walk, depth + 1))
            except Refused as refused:
                refused.inside("." + field, value)
                raise
        return compound(name, *parts)

    return form


def _mapping_proxy(value: types.MappingProxyType[Any, Any], walk: Walk, depth: int) -> bytes:
    return compound("mappingproxy", dict_items(value, walk, depth))


def _ordered_dict(value: Mapping[Any, Any], walk: Walk, depth: int) -> bytes:
    """Two ordered dicts in another order are not equal, so order counts; torch keeps versions in attributes of one."""
    return compound("OrderedDict", _ordered_items(value, walk, depth), dict_items(vars(value), walk, depth + 1))


def _counter(value: Counter[Any], walk: Walk, depth: int) -> bytes:
    return compound("Counter", dict_items(value, walk, depth), dict_items(vars(value), walk, depth + 1))


def _default_dict(value: defaultdict[Any, Any], walk: Walk, depth: int) -> bytes:
    return compound("defaultdict", _factory(value, walk, depth), dict_items(value, walk, depth))


_factory = within("factory", "default_factory")


def _deque(value: deque[Any], walk: Walk, depth: int) -> bytes:
    return compound("deque", walk.forms[type(value.maxlen)](value.maxlen, walk, depth), list_items(value, walk, depth))


def _array(value: Any, walk: Walk, depth: int) -> bytes:
    """An `array.array`, by its items: how wide they are differs between machines."""
    return compound("array", text(b"s", value.typecode), list_items(value.tolist(), walk, depth))


def _date(value: date, _walk: Walk, _depth: int) -> bytes:
    return compound("date", text(b"s", value.isoformat()))


def _moment(name: str) -> Callable[[datetime | time, Walk, int], bytes]:
    """The form of a time: its fields, offset and zone as they are, so one instant told in two zones is two values."""

    def form(value: datetime | time, walk: Walk, depth: int) -> bytes:
        fields = value.isoformat(timespec="microseconds")
        return compound(name, text(b"s", fields), b"T" if value.fold else b"F", _zone_of(value, walk, depth))

    return form


def _zone_of(value: datetime | time, walk: Walk, depth: int) -> bytes:
    """A zone that has one offset by its name, for the offset stands in the fields; any other may have another one on another day."""
    zone: Any = value.tzinfo
    if zone is None:
        return text(b"s", "")
    kind = type(zone)
    if kind.__module__ == "zoneinfo" and zone.key is not None:
        return text(b"s", zone.key)
    name = "" if zone.utcoffset(None) is None else zone.tzname(None) or ""
    # What was given to an offset as its name may be that of a zone, too (`CET`); those have two letters or more.
    is_usual = kind.__module__ == "datetime" and (len(name) == 1 or name == kind(zone.utcoffset(None)).tzname(None))
    if is_usual or (kind.__module__.startswith("dateutil.") and zone.utcoffset(None) is not None):
        return text(b"s", name)
    try:
        return walk.forms[kind](zone, walk, depth + 1)
    except Refused as refused:
        refused.inside(".tzinfo", value)
        raise


def _timezone(value: tzinfo, walk: Walk, depth: int) -> bytes:
    return compound("timezone", _duration(value.utcoffset(None), walk, depth), text(b"s", value.tzname(None) or ""))


def _zone(value: ZoneInfo, _walk: Walk, _depth: int) -> bytes:
    if value.key is None:
        raise Refused("a time zone that was read from a file has no name: use ZoneInfo(name)")
    return compound("ZoneInfo", text(b"s", value.key))


def _duration(value: Any, walk: Walk, _depth: int) -> bytes:
    return compound("timedelta", integers((value.days, value.seconds, value.microseconds), walk))


def _decimal(value: Decimal, _walk: Walk, _depth: int) -> bytes:
    """From its digits, as `str` follows the context of the moment; 1.0 is not 1.00."""
    sign, digits, exponent = value.as_tuple()
    return compound("Decimal", text(b"s", f"{sign} {''.join(map(str, digits))} {exponent}"))


def _uuid(value: UUID, walk: Walk, depth: int) -> bytes:
    return compound("UUID", integer(value.int, walk, depth))


def _pattern(value: Pattern[Any], walk: Walk, depth: int) -> bytes:
    return compound("Pattern", walk.forms[type(value.pattern)](value.pattern, walk, depth), integer(value.flags, walk, depth))


def _variable(value: ContextVar[Any], walk: Walk, depth: int) -> bytes:
    """What it stands for here and now."""
    held: tuple[Any, ...]
    try:
        held = (value.get(),)
    except LookupError:  # it is not set, and has no default
        held = ()
    return compound("ContextVar", text(b"s", value.name), walk.forms[tuple](held, walk, depth + 1))


def _series(value: Any, walk: Walk, _depth: int) -> bytes:
    """One that a module holds by its key, which covers its function and arguments; as an argument its items are meant, and nobody knows how many."""
    if not walk.reduces:
        raise Refused("a series is as long as anyone asks: pass its items, as run[:40], or the arguments that it is made from")
    return compound("series", text(b"s", value.key))


def path(value: PurePath, _walk: Walk, _depth: int) -> bytes:
    """The name as it was given, with `/`: a Path, a PurePath and a Windows path of one name are one."""
    return compound("path", text(b"s", value.as_posix()))


_partial = within("partial", "func", "args", "keywords")


def _whole_partial(value: partial[Any], walk: Walk, depth: int) -> bytes:
    if vars(value):
        raise Refused(f"a partial with attributes of its own ({', '.join(sorted(vars(value)))}) has no form: pass it without them")
    return _partial(value, walk, depth)


def code(value: Any, walk: Walk, _depth: int) -> bytes:
    """A function or class: its name and its code version."""
    return compound("code", text(b"s", home_of(value)), text(b"s", value.__qualname__), walk.code_of(value))


def home_of(thing: object) -> str:
    """The module of a function or class; a child process's name for the main script is not another module."""
    module = getattr(thing, "__module__", None) or ""
    return "__main__" if module == "__mp_main__" else module


_owner_of_method = within("of", "__self__")


def _method(value: types.MethodType, walk: Walk, depth: int) -> bytes:
    function = value.__func__
    return compound("method", _owner_of_method(value, walk, depth), walk.forms[type(function)](function, walk, depth + 1))


def _builtin(value: types.BuiltinFunctionType, walk: Walk, depth: int) -> bytes:
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return code(value, walk, depth)
    return compound("builtin method", _owner_of_method(value, walk, depth), text(b"s", value.__name__))


def _slot(value: Any, walk: Walk, depth: int) -> bytes:
    """A method as it stands in a built-in class (`str.upper`)."""
    owner = value.__objclass__
    return compound("slot", walk.forms[type(owner)](owner, walk, depth + 1), text(b"s", value.__name__))


_USED_UP = refuse("reading it uses it up: pass a list or tuple of its items, or leave it out with ignore=(…)")


def _module(value: types.ModuleType, walk: Walk, _depth: int) -> bytes:
    if not walk.follows_modules:
        raise Refused("a module is code, not a value: pass its name, or leave it out with ignore=(…)")
    return compound("module", walk.code_of(value))


FORMS: dict[type, Form] = {
    type(None): constant(b"N"),
    type(...): constant(b"E"),
    type(NotImplemented): constant(b"!"),
    bool: boolean,
    int: integer,
    float: floating,
    complex: complex_number,
    str: string,
    bytes: buffer(b"b"),
    bytearray: buffer(b"B"),
    memoryview: memory,
    list: list_items,
    tuple: tuple_items,
    dict: dict_items,
    set: unordered(b"S"),
    frozenset: unordered(b"Z"),
    range: within("range", "start", "stop", "step"),
    slice: within("slice", "start", "stop", "step"),
    type: code,
    types.AsyncGeneratorType: _USED_UP,
    types.BuiltinFunctionType: _builtin,
    types.ClassMethodDescriptorType: _slot,
    types.CoroutineType: _USED_UP,
    types.FunctionType: code,
    types.GeneratorType: _USED_UP,
    types.MappingProxyType: _mapping_proxy,
    types.MethodDescriptorType: _slot,
    types.MethodType: _method,
    types.MethodWrapperType: _builtin,
    types.ModuleType: _module,
    types.WrapperDescriptorType: _slot,
}

LIBRARY: dict[tuple[str, str], Form] = {
    ("_contextvars", "ContextVar"): _variable,
    ("array", "array"): _array,
    ("collections", "Counter"): _counter,
    ("collections", "OrderedDict"): _ordered_dict,
    ("collections", "defaultdict"): _default_dict,
    ("collections", "deque"): _deque,
    ("datetime", "date"): _date,
    ("datetime", "datetime"): _moment("datetime"),
    ("datetime", "time"): _moment("time"),
    ("datetime", "timedelta"): _duration,
    ("datetime", "timezone"): _timezone,
    ("decimal", "Decimal"): _decimal,
    ("fractions", "Fraction"): within("Fraction", "numerator", "denominator"),
    ("functools", "_lru_cache_wrapper"): code,
    ("functools", "partial"): _whole_partial,
    ("_struct", "Struct"): within("Struct", "format"),
    ("re", "Pattern"): _pattern,
    ("simcache.series", "Series"): _series,
    ("uuid", "UUID"): _uuid,
    ("zoneinfo", "ZoneInfo"): _zone,
}
"""Types of the standard library, and series, by the place where their name stands: a module that is not loaded has made no value."""

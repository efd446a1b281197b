"""Dataclasses, pydantic models, named tuples and enums: their state as tagged JSON, put back without running their code."""

import dataclasses
import sys
from collections.abc import Mapping
from enum import Enum, Flag
from functools import cached_property, lru_cache
from types import MemberDescriptorType
from typing import Any, Final

from simcache.codecs.reach import name_of, reach
from simcache.codecs.reading import Read, Reader, listed, texted
from simcache.codecs.writing import Write, Writer
from simcache.errors import Undecodable, Unstorable
from simcache.named_tuple import NamedTuple

_HEAP_TYPE: Final = 1 << 9
_MODEL_STATE: Final = ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")


class _Shape(NamedTuple):
    """Where the instances of a class keep their state."""

    fields: tuple[str, ...]
    slots: Mapping[str, MemberDescriptorType]
    open: bool
    """Instances have a `__dict__`."""
    derived: frozenset[str]
    """What is worked out again when it is asked for, and so is no part of the value."""
    hidden: str
    """The base written in C whose state cannot be seen; empty if there is none."""


@lru_cache(maxsize=512)
def writer_of(kind: type) -> Write | None:
    """What writes instances of this class; None if it is of no sort that is known here."""
    if issubclass(kind, Enum):
        return _enum
    if _is_model(kind):
        return _model
    if dataclasses.is_dataclass(kind):
        return _dataclass
    return _namedtuple if _is_namedtuple(kind) else None


def _enum(writer: Writer, value: Enum) -> Any:
    name = _reachable(writer, type(value))
    if type(value).__members__.get(value.name or "") is value:
        return {"$enum": [name, value.name]}
    if not isinstance(value, Flag):
        raise Unstorable("", f"it is no member of {name}")
    return {"$flag": [name, value.value]}


def _namedtuple(writer: Writer, value: tuple[object, ...]) -> Any:
    name = _reachable(writer, type(value))
    if getattr(value, "__dict__", None):
        raise Unstorable("", f"this {name} has attributes beside its fields: make them fields")
    fields: tuple[str, ...] = type(value)._fields  # type: ignore[attr-defined]
    writer.enter(value)
    forms = writer.named(dict(zip(fields, value, strict=True)))
    writer.leave(value)
    return {"$namedtuple": [name, list(forms.values())]}


def _dataclass(writer: Writer, value: object) -> Any:
    kind = type(value)
    name = _reachable(writer, kind)
    shape = _seen(kind)
    state = _state(value, shape)
    if missing := _missing(kind, shape, state):
        raise Unstorable(f".{missing}", f"this field of {name} was never set")
    writer.enter(value)
    form = {"$dataclass": [name, writer.named(state)]}
    writer.leave(value)
    return form


def _model(writer: Writer, value: Any) -> Any:
    kind = type(value)
    name = _reachable(writer, kind)
    shape = _seen(kind)
    state = _state(value, shape)
    if different := sorted(_other_names(shape, state)):
        raise Unstorable(f".{different[0]}", f"this is a field of {name} that was never set, or set and no field")
    writer.enter(value)
    form = [
        name,
        writer.named(state),
        sorted(value.__pydantic_fields_set__),
        writer.form(value.__pydantic_extra__),
        writer.form(value.__pydantic_private__),
    ]
    writer.leave(value)
    return {"$model": form}


def _reachable(writer: Writer, kind: type) -> str:
    """The name of a class, once it is certain that decoding will find this very class under it."""
    if kind in writer.classes:
        return writer.classes[kind]
    name = name_of(kind)
    within = reach(writer.into)
    found = within.find(name)
    if found is kind:
        writer.classes[kind] = name
        return name
    where = writer.annotated
    why = f"the annotated {where} leads to another class of this name" if found else f"the annotated {where} does not lead to it"
    raise Unstorable("", f"{name} could not be rebuilt, {why}{within.doubts()}: annotate the {where} with it, or use codec='pickle'")


def _seen(kind: type) -> _Shape:
    shape = _shape(kind)
    if shape.hidden:
        raise Unstorable("", f"{name_of(kind)} extends {shape.hidden}, whose own content would be lost: make that content a field")
    return shape


def _state(value: object, shape: _Shape) -> dict[str, object]:
    """All attributes of an instance: fields in slots, then its `__dict__` in its own order, then the other slots."""
    slotted = {}
    for name, slot in shape.slots.items():
        try:
            slotted[name] = slot.__get__(value)
        except AttributeError:  # never set
            continue
    state = {name: slotted.pop(name) for name in shape.fields if name in slotted}
    if shape.open:
        state.update((name, item) for name, item in vars(value).items() if name in shape.fields or name not in shape.derived)
    state.update((name, item) for name, item in slotted.items() if name not in shape.derived)
    for name in state:
        if not _is_attribute(name):
            raise Unstorable("", f"its attribute {name!r} has no name that could be set again")
    return state


def _is_attribute(name: str) -> bool:
    return name.isidentifier() and not (name.startswith("__") and name.endswith("__"))


def _missing(kind: type, shape: _Shape, state: Mapping[str, object]) -> str:
    """The first field that neither the instance nor, as a default, its class has; empty if there is none."""
    return next((name for name in shape.fields if name not in state and (name in shape.slots or not hasattr(kind, name))), "")


def _other_names(shape: _Shape, state: Mapping[str, object]) -> set[str]:
    """By which names a model's attributes and its fields differ (it may have slots beside them)."""
    return (state.keys() ^ shape.fields) - shape.slots.keys()


@lru_cache(maxsize=512)
def _shape(kind: type) -> _Shape:
    model = _is_model(kind)
    slots: dict[str, MemberDescriptorType] = {}
    derived = {"__orig_class__"}  # what typing notes when a generic class is made with its parameters
    hidden = ""
    for base in kind.__mro__[:-1]:
        if not base.__flags__ & _HEAP_TYPE:
            hidden = hidden or base.__qualname__
        for name, attribute in vars(base).items():
            if isinstance(attribute, MemberDescriptorType) and not (model and name in _MODEL_STATE):
                slots.setdefault(name, attribute)
            if isinstance(attribute, cached_property):
                derived.add(name)
    fields = tuple(kind.__pydantic_fields__) if model else tuple(field.name for field in dataclasses.fields(kind))  # type: ignore[attr-defined]
    return _Shape(fields, slots, kind.__dictoffset__ != 0, frozenset(derived), hidden)


def _is_model(kind: type) -> bool:
    main = sys.modules.get("pydantic.main")
    return main is not None and issubclass(kind, main.BaseModel)


def _is_namedtuple(kind: type) -> bool:
    return issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple) and bool(kind.__flags__ & _HEAP_TYPE)


def _read_enum(reader: Reader, payload: Any) -> Enum:
    name, member = listed(payload, 2)
    kind = reader.class_named(name)
    if not issubclass(kind, Enum):
        raise Undecodable(f"{name} is no enum")
    found: Enum = kind.__members__[texted(member)]
    return found


def _read_flag(reader: Reader, payload: Any) -> Flag:
    name, number = listed(payload, 2)
    kind = reader.class_named(name)
    if not issubclass(kind, Flag) or type(number) is not int:
        raise Undecodable(f"{name} is no flag, or {number!r} no number")
    return kind(number)


def _read_namedtuple(reader: Reader, payload: Any) -> tuple[Any, ...]:
    name, items = listed(payload, 2)
    kind = reader.class_named(name)
    if not _is_namedtuple(kind) or len(listed(items)) != len(kind._fields):  # type: ignore[attr-defined]
        raise Undecodable(f"{name} is no named tuple of {len(items)} fields")
    value: tuple[Any, ...] = tuple.__new__(kind, items)
    return value


def _read_dataclass(reader: Reader, payload: Any) -> Any:
    name, state = listed(payload, 2)
    kind = reader.class_named(name)
    if not dataclasses.is_dataclass(kind) or _is_model(kind):
        raise Undecodable(f"{name} is no dataclass")
    shape = _shape(kind)
    if missing := _missing(kind, shape, _named(state)):
        raise Undecodable(f"the field {missing} of {name} is not there")
    return _rebuilt(kind, shape, state)


def _read_model(reader: Reader, payload: Any) -> Any:
    name, state, were_set, extra, private = listed(payload, 5)
    kind = reader.class_named(name)
    if not _is_model(kind):
        raise Undecodable(f"{name} is no pydantic model")
    shape = _shape(kind)
    if _other_names(shape, _named(state)):
        raise Undecodable(f"the fields of {name} are others now")
    value = _rebuilt(kind, shape, state)
    parts = (
        {texted(field) for field in listed(were_set)},
        None if extra is None else _named(extra),
        None if private is None else _named(private),
    )
    for attribute, part in zip(_MODEL_STATE, parts, strict=True):
        if isinstance(getattr(kind, attribute), MemberDescriptorType):  # a RootModel has no place for some
            object.__setattr__(value, attribute, part)
    return value


def _named(payload: object) -> dict[str, Any]:
    """The payload of a tag as attributes by name; Undecodable if it is anything else."""
    if type(payload) is not dict or any(type(name) is not str for name in payload):
        raise Undecodable("a tag holds something else than named attributes")
    return payload


def _rebuilt(kind: type, shape: _Shape, state: dict[str, Any]) -> Any:
    """A new instance with these attributes: no `__init__`, no validator, no property of the class is run."""
    if shape.hidden:
        raise Undecodable(f"{name_of(kind)} extends {shape.hidden}")
    value: Any = object.__new__(kind)
    for name, item in state.items():
        if name in shape.slots:
            shape.slots[name].__set__(value, item)
        elif shape.open and _is_attribute(name):
            vars(value)[name] = item
        else:
            raise Undecodable(f"{name_of(kind)} has no attribute {name!r}")
    return value


READ: Final[dict[str, Read]] = {
    "$enum": _read_enum,
    "$flag": _read_flag,
    "$namedtuple": _read_namedtuple,
    "$dataclass": _read_dataclass,
    "$model": _read_model,
}

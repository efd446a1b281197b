"""What an instance carries (its attributes, those that lie in slots, the fields of a compiled one), and what stands in its class."""

import types
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

_IDLE = frozenset("_thread abc argparse builtins pydantic pydantic_settings types typing typing_extensions".split())

FIELDS: dict[str, dict[str, object]] = {
    "__dataclass_fields__": {
        "compare": True,
        "hash": None,
        "init": True,
        "kw_only": False,
        "metadata": types.MappingProxyType({}),
        "repr": True,
    },
    "__pydantic_fields__": {
        **dict.fromkeys(
            "alias discriminator exclude frozen json_schema_extra serialization_alias validate_default validation_alias".split()
        ),
        "metadata": [],
        "repr": True,
    },
}
"""By where a class keeps its fields, the options of one that has none."""
_INERT = frozenset("_contextvars _io _thread _threading_local asyncio io logging queue threading tqdm weakref".split())
"""Where the types of locks, logs and streams come from: what a function does with them is not its result."""
_OF_DATACLASSES = {"eq": True, "frozen": False, "init": True, "order": False, "repr": True, "unsafe_hash": False}
_OF_MODELS = ("__pydantic_private__", "__pydantic_extra__")
"""The slots of a pydantic model that hold attributes, by their names."""


def is_idle(cls: type) -> bool:
    """Whether a class of Python or of a package sets nothing of its own in what is built upon it, as that is used."""
    return cls.__module__ == "collections.abc" or cls.__module__.partition(".")[0] in _IDLE


def is_inert(cls: type) -> bool:
    """Whether instances are locks, logs or streams, or sentinels, of which it does not matter which one it is; a variable stands for a value."""
    return cls is object or (cls.__module__.partition(".")[0] in _INERT and cls.__name__ != "ContextVar")


def is_data(name: str, value: object) -> bool:
    """Whether a class holds a value under a name, and no code."""
    return not name.startswith("__") and not callable(value) and not hasattr(type(value), "__get__")


def found_in(cls: type, name: str) -> object:
    """What a class, or one that it is built upon, holds under a name, else None; whatever its metaclass answers for any name."""
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def has_own_key(cls: type) -> bool:
    """Whether it says itself what its key is."""
    return callable(found_in(cls, "__cache_key__"))


def is_pythons(name: str) -> bool:
    """Whether Python itself, or its enumerations, give such a name to an attribute."""
    return name.startswith("_") and name.endswith("_")


def is_text(name: object) -> bool:
    """Whether it can be the name of an attribute: an object that is its own dict has any keys."""
    return isinstance(name, str)


def slots_of(cls: type) -> dict[str, types.MemberDescriptorType]:
    """The slots that a class and those it is built upon declare; of two with one name, that of the derived class is seen."""
    return {
        name: member
        for base in reversed(cls.__mro__)
        if "__slots__" in vars(base)
        for name, member in vars(base).items()
        if isinstance(member, types.MemberDescriptorType) and not name.startswith("__")
    }


def is_compiled(cls: type) -> bool:
    """Whether it is the class of the instances of a `jitclass` of numba, which hold their fields where Python does not see them."""
    return cls.__module__ == "numba.experimental.jitclass.boxing"


@cache
def fields_of_compiled(kind: Any) -> tuple[str, ...]:
    """The fields of such instances, by numba's type of them, but for those that may lead back to where they are held: each time they are asked for, another object is given."""
    return tuple(name for name, of in kind.struct.items() if "DeferredType#" not in str(of))


def methods_of_compiled(cls: Any) -> dict[str, types.FunctionType]:
    """The functions of which the methods of such a class were compiled, by their names; of a property what reads and what sets it."""
    compiled = cls._numba_type_
    return {
        **compiled.methods,
        **compiled.static_methods,
        **{f"{name}.{kind}": one.py_func for name, both in compiled.jit_props.items() for kind, one in both.items()},
    }


def has_attributes(one: object) -> bool:
    """Whether instances carry any; asked of the class, for a `__getattr__` may answer for whatever it is asked, or fail at it."""
    return has_dict(type(one)) or bool(slots_of(type(one)))


def has_dict(cls: type) -> bool:
    """Whether instances have a `__dict__`; the one that futures of asyncio have is shown to nobody."""
    return bool(cls.__dictoffset__) and found_in(cls, "__dict__") is not None


def has_only_dict(cls: type) -> bool:
    """Whether all that instances carry stands in their `__dict__`."""
    return has_dict(cls) and not slots_of(cls) and not is_model(cls)


def attributes_of(one: Any) -> dict[str, Any]:
    """By name, in no order that means anything; a slot that is empty has none. Nothing of what the class makes of being asked runs."""
    found = {}
    for name, member in slots_of(type(one)).items():
        try:
            found[name] = member.__get__(one)
        except AttributeError:
            continue
    if has_dict(type(one)):
        found.update(object.__getattribute__(one, "__dict__"))
    if is_compiled(type(one)):
        found.update({name: getattr(one, name) for name in fields_of_compiled(one._numba_type_)})
    for name in _OF_MODELS if is_model(type(one)) else ():
        with suppress(AttributeError):  # it is being made
            found.update(getattr(type(one), name).__get__(one) or {})
    return found


def is_model(cls: type) -> bool:
    """Whether it is built upon pydantic's models."""
    return isinstance(found_in(cls, _OF_MODELS[0]), types.MemberDescriptorType)


def items_of(held: Any, deepest: int = 20) -> Any:
    """What an instance that is a dict, list or set holds, whatever its class makes of being asked; also inside, where the same class stands."""

    def inside(one: Any) -> Any:
        return items_of(one, deepest - 1) if type(one) is type(held) and deepest else one

    if isinstance(held, OrderedDict):
        return [(key, inside(one)) for key, one in OrderedDict.items(held)]
    if isinstance(held, dict):
        return {key: inside(one) for key, one in [*dict.items(held)]}  # at once: another thread may be filling it
    return [*map(inside, list.__iter__(held))] if isinstance(held, list) else set(set.__iter__(held))


def length_of(held: Any) -> int:
    """How many items an instance that is a dict, list or set holds."""
    return next(kind for kind in (dict, list, set) if isinstance(held, kind)).__len__(held)


def plain_member(held: Any) -> Any:
    """What a class method or a static method is made of. Nothing is asked of others: what pydantic puts into a class makes it anew when it is."""
    return held.__func__ if type(held) in (staticmethod, classmethod) else held


def members_within(cls: type) -> Iterator[Any]:
    """All that a class has, and the classes inside it."""
    for name, held in [*vars(cls).items()]:
        yield plain_member(held)
        if issubclass(type(held), type) and held.__qualname__ == f"{cls.__qualname__}.{name}":
            yield from members_within(held)


def fields_of(cls: type) -> Iterator[tuple[str, object, object, dict[str, object]]]:
    """The fields of a dataclass or a pydantic model: each with its default, what makes one (something of the package where there is none),
    and with its options, as far as they are others than usual.
    """
    for kind, usual in FIELDS.items():
        fields = vars(cls).get(kind)
        for name, field in fields.items() if isinstance(fields, dict) else ():
            yield name, getattr(field, "default", None), getattr(field, "default_factory", None), _unusual(field, usual)


def options_of(cls: type) -> dict[str, object]:
    """What a decorator or a base class was told of a dataclass or a typed dict, as far as it is other than usual."""
    told = _unusual(vars(cls).get("__dataclass_params__"), _OF_DATACLASSES)
    return told if vars(cls).get("__total__", True) else {**told, "total": False}


def _unusual(one: object, usual: Mapping[str, object]) -> dict[str, object]:
    found = {name: getattr(one, name, ordinary) for name, ordinary in usual.items()}
    return {name: held for name, held in found.items() if type(held) is not type(usual[name]) or held != usual[name]}

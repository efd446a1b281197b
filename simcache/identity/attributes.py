"""What an instance carries: its attributes, and those that lie in slots."""

import types
from typing import Any


def slots_of(cls: type) -> tuple[str, ...]:
    """The slots that a class and those it is built upon declare."""
    return tuple(
        name
        for base in cls.__mro__
        if "__slots__" in vars(base)
        for name, member in vars(base).items()
        if isinstance(member, types.MemberDescriptorType) and not name.startswith("__")
    )


def attributes_of(one: Any) -> dict[str, Any]:
    """By name, in no order that means anything; a slot that is empty has none."""
    held = dict(getattr(one, "__dict__", {}))
    return {**{name: getattr(one, name) for name in slots_of(type(one)) if name not in held and hasattr(one, name)}, **held}


def items_of(held: Any, deepest: int = 20) -> Any:
    """What an instance that is a dict, list or set holds, whatever its class makes of being asked; also inside, where the same class stands."""

    def inside(one: Any) -> Any:
        return items_of(one, deepest - 1) if type(one) is type(held) and deepest else one

    if isinstance(held, dict):
        return {key: inside(one) for key, one in dict.items(held)}
    return [*map(inside, list.__iter__(held))] if isinstance(held, list) else set(set.__iter__(held))


def length_of(held: Any) -> int:
    """How many items an instance that is a dict, list or set holds."""
    return next(kind for kind in (dict, list, set) if isinstance(held, kind)).__len__(held)

"""The digest of a constant's value, by which its text and the loaded object are compared."""

from collections.abc import Callable
from typing import Any

from xxhash import xxh3_128_hexdigest

from simcache.identity.forms.canonical import canonical, too_deep


def value_digest(
    value: object,
    path: str = "value",
    code_version: Callable[[object], str] | None = None,
    *,
    root: str | None = None,
    reduces: bool = False,
    whole: bool = False,
) -> str:
    """A digest of a constant's value; the order of a dict counts, as a loop over it would show. The rest is as `canonical` takes it."""
    try:
        ordered = _ordered(value, {})
    except RecursionError:
        too_deep(path)
    return xxh3_128_hexdigest(canonical(ordered, path, code_version, root=root, reduces=reduces, whole=whole))


def _ordered(value: Any, made: dict[int, Any]) -> Any:
    """With each dict as the list of its items; what leads back to itself is left as it is, there."""
    if type(value) not in (dict, list, tuple):
        return value
    if id(value) not in made:
        made[id(value)] = value
        if type(value) is dict:
            made[id(value)] = ("dict", [(_ordered(key, made), _ordered(held, made)) for key, held in value.items()])
        else:
            made[id(value)] = type(value)([_ordered(item, made) for item in value])
    return made[id(value)]

"""The digest of a constant's value, by which its text and the loaded object are compared."""

from collections.abc import Callable
from typing import Any

from xxhash import xxh3_128_hexdigest

from simcache.identity.canonical import canonical


def value_digest(
    value: object,
    path: str = "value",
    code_version: Callable[[object], str] | None = None,
    *,
    root: str | None = None,
    reduces: bool = False,
) -> str:
    """A digest of a constant's value; the order of a dict counts, as a loop over it would show. The rest is as `canonical` takes it."""
    return xxh3_128_hexdigest(canonical(_ordered(value), path, code_version, root=root, reduces=reduces))


def _ordered(value: Any) -> Any:
    if type(value) is dict:
        return ("dict", [(_ordered(key), _ordered(held)) for key, held in value.items()])
    return type(value)(map(_ordered, value)) if type(value) in (list, tuple) else value

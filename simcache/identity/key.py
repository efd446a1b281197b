"""From a function's name, its code version and its arguments to the key; golden-tested, so it never drifts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from xxhash import xxh3_128_hexdigest

from simcache.identity.forms.base import counted, text
from simcache.identity.forms.canonical import canonical_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEY_FORMAT = 1
"""Part of every key: raising it makes every stored result a miss."""


def make_key(
    function: str,
    code: str,
    arguments: Mapping[str, object],
    code_version: Callable[[object], str] | None = None,
) -> str:
    """The key of a call, 32 hex digits: equal for equal calls, in every process and on every machine.

    `arguments` are bound by signature, with defaults filled in, so that each way of writing a call gives one key;
    their order does not count. `code_version` tells the version of functions and classes among them.
    Unkeyable if one of them has no canonical form.
    """
    return xxh3_128_hexdigest(_opening(KEY_FORMAT, function, code) + canonical_arguments(arguments, code_version))


@lru_cache(256)  # a program asks for many keys of few functions
def _opening(key_format: int, function: str, code: str) -> bytes:
    return counted(b"k", key_format) + text(b"s", function) + text(b"s", code)

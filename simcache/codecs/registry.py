"""The list of codecs, each loaded when it is first needed: a value to bytes by the first that takes it, and back by name."""

import sys
from functools import cache
from importlib import import_module
from typing import Any, Final

from simcache.codecs.base import Codec, Encoded
from simcache.errors import BadSettings, CacheError, Undecodable, Unstorable
from simcache.model import Json
from simcache.named_tuple import NamedTuple


class _Kind(NamedTuple):
    module: str
    needs: str = "builtins"
    """No value of this kind exists before this module is loaded, so the codec need not be loaded to ask it."""


# In the order of asking.
_KINDS: Final = {
    "array": _Kind("simcache.codecs.arrays", needs="numpy"),
    "file": _Kind("simcache.codecs.file", needs="simcache.codecs.file"),
    "json": _Kind("simcache.codecs.json"),
    "tree": _Kind("simcache.codecs.tree"),  # takes all that is left
    "pickle": _Kind("simcache.codecs.pickle"),
}


def encode(value: object, codec: str | None = None, into: object = None, *, is_state: bool = False) -> Encoded:
    """The value as bytes, by the codec of this name or the first that takes it; Unstorable if none can bring it back.

    A state is gone on with: what it holds twice is to come back as one.
    """
    try:
        if codec is not None:
            return _encoded(codec_named(codec), value, into, is_state=is_state)
        for name, kind in _KINDS.items():
            if kind.needs in sys.modules and (found := _loaded(name)).takes(value):
                return _encoded(found, value, into, is_state=is_state)
    except CacheError:
        raise
    except Exception as problem:  # its own classes are asked, and may raise anything; or there is no memory for its bytes
        raise Unstorable("value", f"{type(problem).__name__}: {problem}") from problem
    raise Unstorable("value", f"no codec takes a {type(value).__qualname__}")


def _encoded(by: Codec, value: object, into: object, *, is_state: bool) -> Encoded:
    return by.encode_state(value, into) if is_state else by.encode(value, into)


def decode(describe: Json, data: memoryview, into: object = None) -> Any:
    """The value of an entry again; Undecodable says why it is none. A codec that is not safe runs the code in the data."""
    name = describe.get("codec")
    if not isinstance(name, str) or name not in _KINDS:
        raise Undecodable(f"there is no codec {name!r} here: a newer simcache may have written it")
    return _loaded(name).decode(describe, data, into)


def is_safe(describe: Json) -> bool:
    """Whether decoding this runs no code that came with it (what cannot be decoded at all runs none)."""
    name = describe.get("codec")
    return not isinstance(name, str) or name not in _KINDS or _loaded(name).safe


def codec_named(name: str) -> Codec:
    """The codec that a person asked for by name."""
    if name not in _KINDS:
        raise BadSettings("codec", f"there is none named {name!r}: choose one of {', '.join(map(repr, codec_names()))}")
    return _loaded(name)


def codec_names() -> tuple[str, ...]:
    return tuple(_KINDS)


@cache
def _loaded(name: str) -> Codec:
    found: Codec = import_module(_KINDS[name].module).CODEC
    return found

"""What an entry says of a call's arguments: enough to rebuild the small ones, and to recognise the others."""

import re
from collections.abc import Callable, Container, Mapping
from typing import Any

from xxhash import xxh3_128, xxh3_128_hexdigest

from simcache.codecs.registry import encode
from simcache.errors import SourceChanged, Unkeyable, Unstorable
from simcache.identity.forms.canonical import canonical
from simcache.leaves import seen
from simcache.model import INLINE, Json

_REBUILT = 1 << 20
_TEXT = 200
_EXACT = 2.0**53
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def record(
    arguments: Mapping[str, object],
    ignored: Container[str],
    hints: Mapping[str, object],
    code_version: Callable[[object], str] | None = None,
) -> dict[str, Json]:
    """Each argument so that it can be rebuilt where it is small, and recognised where it is not.

    Those in `ignored` are not part of the key and are written down all the same; `hints` are the annotated types, and
    `code_version` tells functions apart.
    """
    recorded: dict[str, Json] = {}
    for name, value in arguments.items():
        try:
            recorded[name] = {"json": value} if _is_plain(value) else _recorded(value, hints.get(name))
        except Unstorable:
            recorded[name] = {"digest": _recognised(value, None if name in ignored else code_version), "text": _short(value)}
        if name in ignored:
            recorded[name]["ignored"] = True
    return recorded


def comparable(recorded: Mapping[str, Json]) -> dict[str, Json]:
    """Arguments of a call as `arguments_of` gives those of an entry."""
    return {
        name: seen(argument["describe"], argument["bytes"]) if "bytes" in argument and "json" not in argument else argument
        for name, argument in recorded.items()
    }


def _is_plain(value: Any) -> bool:
    """Whether JSON holds the value just as it is; most arguments are so."""
    kind = type(value)
    if kind is str:
        return len(value) <= _TEXT and value.isascii()
    return value is None or kind is bool or ((kind is int or kind is float) and -_EXACT < value < _EXACT)


def _recorded(value: object, hint: object) -> Json:
    encoded = encode(value, None, hint)
    size = sum(memoryview(chunk).nbytes for chunk in encoded.chunks)
    if size > _REBUILT:
        digest = xxh3_128()
        for chunk in encoded.chunks:
            digest.update(chunk)
        return {"digest": digest.hexdigest(), "text": _short(value)}
    data = b"".join(encoded.chunks)
    stored = {"bytes": data, "describe": dict(encoded.describe)}
    if encoded.describe.get("codec") != "json":
        return stored
    import json

    plain = {"json": json.loads(data)}
    return plain if size <= INLINE else {**plain, **stored}


def _recognised(value: object, code_version: Callable[[object], str] | None) -> str:
    """A digest of what the value holds, as in the key; of its text if it is no part of the key and has no form.

    A class counts by its name alone: what was edited in it is told as code.
    """

    def version(code: object) -> str:
        return "" if code_version is None or isinstance(code, type) else code_version(code)

    try:
        return xxh3_128_hexdigest(canonical(value, code_version=version))
    except (Unkeyable, SourceChanged):
        return xxh3_128_hexdigest(_short(value).encode("utf-8", "replace"))


def _short(value: object) -> str:
    """Its `repr`, cut, and without the places in memory, which differ from run to run."""
    try:
        text = repr(value)
    except Exception as problem:
        text = f"<{type(value).__qualname__}, whose repr fails: {type(problem).__name__}>"
    text = _ADDRESS.sub("", text)
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"

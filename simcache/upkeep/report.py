"""What every care of a store hands back: a frozen record that can be printed or turned into plain JSON."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes (or other things) are done and how many there are in all, 0 while that is not known."""


class Report:
    """The base of all reports; each is a frozen dataclass, and each knows its plain form."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """The report as JSON would hold it: dicts, lists, texts, numbers."""
        plain = _plain(self)
        return plain if isinstance(plain, dict) else {}


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value

"""What has been set in objects of options since they were made, by methods that the code which is reached does not call."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from simcache.identity.forms import SCALARS
from simcache.identity.use import ALL, ANY, MAKERS, Use

PLAIN = (*SCALARS, tuple, frozenset)
TABLES = (dict, list, set)


class Running:
    """What the code that is reached does with attributes, whatever they are attributes of: functions, and the methods that these ask for.

    Python's own methods (`__call__`) may always run.
    """

    def __init__(self, functions: Iterable[Use], methods: Iterable[Use]) -> None:
        self.asks: set[str] = set()
        self.stores: set[str] = set()
        self.fills: set[str] = set()
        runs, waiting = [*functions], [*methods]
        while True:
            for use in runs:
                self.asks |= use.asks
                self.stores |= use.stores
                self.fills |= use.fills
            runs = [use for use in waiting if self._may_run(use.name)]
            if not runs:
                break
            waiting = [use for use in waiting if not self._may_run(use.name)]

    def _may_run(self, name: str) -> bool:
        if name in ("__setattr__", "__delattr__"):
            return any(asked.endswith("=") for asked in self.asks)
        if name in ("__setitem__", "__delitem__"):
            return "__setitem__" in self.asks
        return name in self.asks or name in MAKERS or (name.startswith("__") and name.endswith("__"))

    def options(self, held: Mapping[Any, Any], uses: Iterable[Use]) -> Iterator[str]:
        """Of the attributes of an instance, of whose classes these are the uses, those that are read, and set by others alone.

        What methods work out (a count, a time) is none.
        """
        worked_out = frozenset[str]().union(*(use.works_out for use in uses))
        for name in sorted(name for name in held if isinstance(name, str)):  # an object that is its own dict has any keys
            value = held[name]
            is_told = isinstance(value, PLAIN) or (type(value) in TABLES and name not in self.fills)
            if is_told and name not in worked_out and self._is_read_only(name):
                yield name

    def inside(self, held: Mapping[str, Any], uses: Iterable[Use]) -> Iterator[str]:
        """The attributes that hold what was made with the instance, which may be options again."""
        makes = frozenset[str]().union(*(use.makes for use in uses))
        return (name for name in sorted(makes & held.keys()) if self._is_read_only(name))

    def unset(self, held: Mapping[str, Any], cls: type, uses: Iterable[Use]) -> Iterator[str]:
        """The attributes that are still as the class has them, and would be options if somebody set them in the instance."""
        told = {name: value for base in cls.__mro__ for name, value in vars(base).items() if name not in held and not name.startswith("__")}
        return self.options(told, uses)

    def _is_read_only(self, name: str) -> bool:
        if name in self.stores or ANY in self.asks or ANY in self.stores:
            return False
        return name in self.asks or ALL in self.asks

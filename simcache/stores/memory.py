"""A store in the memory of this process: for tests, and for results that need not outlive it."""

import os
from collections.abc import Iterator, Sequence
from itertools import count
from weakref import WeakValueDictionary

from simcache.errors import Missing
from simcache.model import Buffer, Capabilities
from simcache.stores.base import Listed, Store, require_name

_COPY_BELOW = 64 * 1024
_QUARANTINED = 32


class MemoryStore(Store):
    """A store that every user of its name in this process shares, and that ends with the process.

    `MemoryStore("x")` twice is one store, as is a copy that came through pickle; a store without a name is its own, and
    ends with its last user. Needs no lock: each method makes one change, and the dictionary makes it whole.
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            self._name = f"{os.getpid()}-{next(_numbers)}"
            self._kept = _nameless[self._name] = _Kept()
        else:
            self._name = name
            self._kept = _nameless.get(name) or _named.setdefault(name, _Kept())
        self.url = f"memory://{self._name}"
        self.capabilities = Capabilities(trusted=True, quick=True)

    def __repr__(self) -> str:
        return f"MemoryStore({self._name!r})"

    def __reduce__(self) -> tuple[type["MemoryStore"], tuple[str]]:
        return MemoryStore, (self._name,)

    def get(self, name: str) -> memoryview:
        require_name(name)
        data = self._kept.bytes.get(name)
        if data is None:
            raise Missing(name)
        return memoryview(data if len(data) >= _COPY_BELOW else bytearray(data))

    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool = False) -> None:
        del durable  # nothing here outlives the process
        require_name(name)
        self._kept.bytes[name] = b"".join(memoryview(chunk) for chunk in chunks)
        self._kept.stamp = object()

    def has(self, name: str) -> bool:
        require_name(name)
        return name in self._kept.bytes

    def list(self, prefix: str = "") -> Iterator[Listed]:
        for name, data in self._kept.bytes.copy().items():
            if name.startswith(prefix):
                yield Listed(name, len(data))

    def delete(self, name: str) -> None:
        require_name(name)
        self._kept.bytes.pop(name, None)
        self._kept.stamp = object()

    def set_aside(self, name: str) -> str | None:
        require_name(name)
        data = self._kept.bytes.pop(name, None)
        if data is None:
            return None
        self._kept.stamp = object()
        place = f"quarantine/{name.rpartition('/')[2]}.{next(_numbers)}"
        self._kept.quarantine[place] = data
        for old in tuple(self._kept.quarantine)[:-_QUARANTINED]:
            self._kept.quarantine.pop(old, None)
        return f"{self.url}/{place}"

    def stamp(self, prefix: str) -> object:
        del prefix
        return self._kept.stamp


class _Kept:
    """What one name of a memory store holds; the stamp is a new object after each change."""

    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}
        self.quarantine: dict[str, bytes] = {}
        self.stamp = object()


_numbers = count()
_named: dict[str, _Kept] = {}
_nameless: WeakValueDictionary[str, _Kept] = WeakValueDictionary()

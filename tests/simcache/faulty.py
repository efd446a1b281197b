"""A store with a fault, for every test that asks what happens then: wraps a store of any kind and is one."""

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from simcache.errors import StoreReadOnly, Unavailable
from simcache.model import Buffer
from simcache.stores.base import Listed, Store

T = TypeVar("T")
Wrap: TypeAlias = Callable[[Store], "Faulty"]

CALLS = frozenset({"get", "put", "has", "list", "delete", "set_aside"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and when."""

    error: Callable[[str, str], Exception] | None = None
    """What is raised, made from the call and the name (a prefix, for `list`)."""
    at: int = 1
    """The first call that fails, counted from 1 among the calls below; 0 for none."""
    once: bool = False
    """Only that call fails, not those after it."""
    late: bool = False
    """The call does its work and fails then, as when an answer is lost on the way."""
    calls: frozenset[str] = CALLS
    """Which calls are counted and fail."""
    spoil: Callable[[bytes], bytes] | None = None
    """What `get` makes of the bytes."""
    seconds: float = 0.0
    """How long each call takes before it begins."""
    lie: int = 0
    """How much is added to each size that is listed."""
    cut: bool = False
    """A put that fails leaves the first half of its bytes under the name: what a store that keeps the contract never does."""


@dataclass(eq=False)
class Faulty(Store):
    """Another store, with a fault. `log` holds each call and its name, so that a test can count what was asked."""

    store: Store
    fault: Fault = field(default_factory=Fault)
    log: list[tuple[str, str]] = field(default_factory=list)
    counted: int = 0

    def __post_init__(self) -> None:
        self.url = self.store.url
        self.capabilities = self.store.capabilities
        self.local = self.store.local

    def get(self, name: str) -> memoryview:
        data = self._call("get", name, lambda: self.store.get(name))
        return data if self.fault.spoil is None else memoryview(bytearray(self.fault.spoil(bytes(data))))

    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool = False) -> None:
        try:
            self._call("put", name, lambda: self.store.put(name, chunks, durable=durable))
        except Exception:
            if self.fault.cut:
                data = b"".join(memoryview(chunk) for chunk in chunks)
                self.store.put(name, [data[: len(data) // 2]])
            raise

    def has(self, name: str) -> bool:
        return self._call("has", name, lambda: self.store.has(name))

    def list(self, prefix: str = "") -> Iterator[Listed]:
        for name, size in self._call("list", prefix, lambda: self.store.list(prefix)):
            yield Listed(name, max(0, size + self.fault.lie))

    def delete(self, name: str) -> None:
        self._call("delete", name, lambda: self.store.delete(name))

    def set_aside(self, name: str) -> str | None:
        if not self.capabilities.writes:
            return None
        return self._call("set_aside", name, lambda: self.store.set_aside(name))

    def stamp(self, prefix: str) -> object:
        return self.store.stamp(prefix)

    def sweep(self) -> int:
        return self.store.sweep()

    def asked(self, call: str) -> int:
        """How often this was called."""
        return sum(made == call for made, _ in self.log)

    def _call(self, call: str, name: str, work: Callable[[], T]) -> T:
        self.log.append((call, name))
        if self.fault.seconds:
            time.sleep(self.fault.seconds)
        error = self._due(call)
        if error is not None and not self.fault.late:
            raise error(call, name)
        result = work()
        if error is not None:
            raise error(call, name)
        return result

    def _due(self, call: str) -> Callable[[str, str], Exception] | None:
        if self.fault.error is None or call not in self.fault.calls or not self.fault.at:
            return None
        self.counted += 1
        due = self.counted == self.fault.at if self.fault.once else self.counted >= self.fault.at
        return self.fault.error if due else None


def fails_at(store: Store, number: int, error: Exception, *, calls: frozenset[str] = CALLS, late: bool = False) -> Faulty:
    """The n-th of these calls raises this error, and no other."""
    return Faulty(store, Fault(error=lambda *_: error, at=number, once=True, calls=calls, late=late))


def cuts_at(store: Store, number: int) -> Faulty:
    """The n-th put leaves half of its bytes, and fails."""
    lost = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    return Faulty(store, Fault(error=lambda *_: lost, at=number, once=True, calls=frozenset({"put"}), cut=True))


def full(store: Store, *, after: int = 0) -> Faulty:
    """A disk on which only so many puts have room."""
    return Faulty(
        store, Fault(error=lambda _, name: OSError(errno.ENOSPC, "No space left on device", name), at=after + 1, calls=frozenset({"put"}))
    )


def read_only(store: Store) -> Faulty:
    """A store that takes no writes and says so in its capabilities."""
    wrapped = Faulty(store, Fault(error=lambda *_: StoreReadOnly(store.url, "Read-only file system"), calls=frozenset({"put", "delete"})))
    wrapped.capabilities = store.capabilities._replace(writes=False, deletes=False)
    return wrapped


def offline(store: Store) -> Faulty:
    """A store that cannot be reached."""
    return Faulty(store, Fault(error=lambda _, name: Unavailable(name, "the network is down")))


def slow(store: Store, seconds: float) -> Faulty:
    """A store whose every call takes so long."""
    return Faulty(store, Fault(seconds=seconds))


def wrong_bytes(store: Store) -> Faulty:
    """A store that gives as many bytes as it should, and one of them wrong."""
    return Faulty(store, Fault(spoil=lambda data: data[:-1] + bytes([data[-1] ^ 1]) if data else b"?"))


def short(store: Store) -> Faulty:
    """A store that gives one byte less than it lists."""
    return Faulty(store, Fault(spoil=lambda data: data[:-1]))


def lies_about_length(store: Store, by: int = 1) -> Faulty:
    """A store that lists other sizes than it gives."""
    return Faulty(store, Fault(lie=by))


def untrusted(store: Store) -> Faulty:
    """A sound store that others may write to."""
    wrapped = Faulty(store)
    wrapped.capabilities = store.capabilities._replace(trusted=False)
    return wrapped

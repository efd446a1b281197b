"""A store that is only read here: one that is mounted, or was put out by somebody's program."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NoReturn

from simcache.errors import StoreReadOnly
from simcache.model import Buffer
from simcache.stores.base import Listed, Store, require_name


class ReadOnly(Store):
    """Another store without its writing, and without trust: others made it, so no pickle of it is opened.

    `learn` is called before the first question, and by every refresh; it tells what it could not read, and why.
    """

    def __init__(self, store: Store, url: str, learn: Callable[[], Mapping[str, str]] | None = None) -> None:
        self._store = store
        self._learn = learn
        self._learned = learn is None
        self._unread: Mapping[str, str] = {}
        self.url = url
        self.capabilities = store.capabilities._replace(writes=False, deletes=False, trusted=False)

    def __repr__(self) -> str:
        return f"ReadOnly({self._store!r})"

    def __reduce__(self) -> tuple[type["ReadOnly"], tuple[Store, str, Callable[[], Mapping[str, str]] | None]]:
        return ReadOnly, (self._store, self.url, self._learn)

    def get(self, name: str) -> memoryview:
        return self._asked().get(name)

    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool = False) -> None:
        del chunks, durable
        require_name(name)
        self._refuse()

    def has(self, name: str) -> bool:
        return self._asked().has(name)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        return self._asked().list(prefix)

    def foreign(self) -> Sequence[str]:
        return self._asked().foreign()

    def unread(self) -> Mapping[str, str]:
        return {**self._asked().unread(), **self._unread}

    def delete(self, name: str) -> None:
        require_name(name)
        self._refuse()

    def set_aside(self, name: str) -> str | None:
        require_name(name)
        return None

    def stamp(self, prefix: str) -> object:
        return self._store.stamp(prefix)

    def expect(self, names: Sequence[str]) -> None:
        self._asked().expect(names)

    def refresh(self) -> None:
        if self._learn is not None:
            self._unread = self._learn()
            self._learned = True
        self._store.refresh()

    def _asked(self) -> Store:
        if not self._learned:
            self.refresh()
        return self._store

    def _refuse(self) -> NoReturn:
        raise StoreReadOnly(self.url, "it is only read here; results go to the near store")

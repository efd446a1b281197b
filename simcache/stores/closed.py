"""A place that cannot be opened as the store that it is, for whoever must go on without it."""

from collections.abc import Iterator, Sequence
from typing import NoReturn

from simcache.errors import Unavailable
from simcache.model import Buffer, Capabilities
from simcache.stores.base import Listed, Store, require_name


class Closed(Store):
    """Holds nothing and takes nothing; every question that needs an answer says why there is none."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        # Trusted, for nothing comes from here: what a far store may not do is decided by the far store.
        self.capabilities = Capabilities(writes=False, deletes=False, trusted=True)
        self._reason = reason

    def __repr__(self) -> str:
        return f"Closed({self.url!r})"

    def get(self, name: str) -> memoryview:
        require_name(name)
        self._refuse()

    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool = False) -> None:
        del chunks, durable
        require_name(name)
        self._refuse()

    def has(self, name: str) -> bool:
        require_name(name)
        return False

    def claim(self, name: str, size: int) -> bool:
        del size
        return self.has(name)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        del prefix
        self._refuse()

    def delete(self, name: str) -> None:
        require_name(name)
        self._refuse()

    def set_aside(self, name: str) -> str | None:
        require_name(name)
        return None

    def _refuse(self) -> NoReturn:
        raise Unavailable(self.url, self._reason)

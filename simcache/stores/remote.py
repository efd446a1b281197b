"""A store at the other end of a network: S3 and its like, SSH servers, whatever fsspec opens."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from simcache.errors import CacheError, Corrupt, Missing, StoreReadOnly, Unavailable
from simcache.model import Buffer, Capabilities, digest_in_name
from simcache.stores.base import Listed, Store, require_name
from simcache.stores.place import FORMAT_BYTES, FORMAT_FILE, check_format, check_names
from simcache.stores.transport import Transport

_READ_ONLY_FROM = 64 * 1024
_TOPS = ("blobs/", "entries/")


class RemoteStore(Store):
    """Names and bytes behind a transport: each name is one object or file, written whole.

    Opening it asks for the format file: one request, and one more where there is none. After that each method is one request
    where the protocol lets it: a miss is one listing, a hit one listing, one read of the entry and one of each blob.
    Others write here too, so nothing that comes from here is trusted. Connections are made when they are first used, for each
    process anew. Trouble that may pass is tried again by the transport; what stays is Unavailable, with the reason in one line.
    """

    def __init__(self, url: str, connect: Callable[[str], Transport], *, create: bool = True) -> None:
        """Open the store, which `connect` reaches by its URL. FormatTooNew, NotAStore or Unavailable if it cannot be; with `create=False` it must be there."""
        self.url = url
        self.capabilities = Capabilities(shared=True, paged=True)
        self._connect = connect
        self._transports: dict[int, Transport] = {}
        """By process: connections must not be used, nor even closed, by a child that inherits them."""
        self._foreign: dict[str, list[str]] = {}
        """What the last whole listing met that is neither a blob nor an entry."""
        self._marked = self._is_marked(create=create)

    def __repr__(self) -> str:
        return f"RemoteStore({self.url!r})"

    def __reduce__(self) -> tuple[type["RemoteStore"], tuple[str, Callable[[str], Transport]]]:
        return RemoteStore, (self.url, self._connect)

    def get(self, name: str) -> memoryview:
        require_name(name)
        with self._told(name):
            try:
                data = self._transport.read(name)
            except (FileNotFoundError, NotADirectoryError) as problem:
                raise Missing(name) from problem
            except IsADirectoryError as problem:
                raise Corrupt(name, "a folder stands in its place") from problem
        return memoryview(data) if len(data) < _READ_ONLY_FROM else memoryview(data).toreadonly()

    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool = False) -> None:
        del durable  # what an object store has answered for is kept; how soon an SSH server's disk has it, no client can tell
        require_name(name)
        views = [view.cast("B") for chunk in chunks if (view := memoryview(chunk)).nbytes]
        with self._told(name, writing=True):
            if not self._marked:
                self._mark()
            self._transport.write(name, views)

    def has(self, name: str) -> bool:
        require_name(name)
        with self._told(name):
            return self._transport.size(name) is not None

    def claim(self, name: str, size: int) -> bool:
        require_name(name)
        with self._told(name):
            return self._transport.size(name) == size

    def list(self, prefix: str = "") -> Iterator[Listed]:
        with self._told(f"{self.url}/{prefix}"):
            for top in _TOPS:
                wanted = max(top, prefix, key=len)
                if wanted.startswith(top) and wanted.startswith(prefix):
                    foreign = []
                    for path, size in self._transport.find(wanted):
                        if digest_in_name(path):
                            if path.startswith(wanted):
                                yield Listed(path, size or 0)
                        elif path.startswith(top):
                            foreign.append(path)
                    if wanted == top:
                        self._foreign[top] = foreign

    def foreign(self) -> Sequence[str]:
        for top in _TOPS:
            if top not in self._foreign:
                for _ in self.list(top):
                    pass
        return [path for top in _TOPS for path in self._foreign[top]]

    def delete(self, name: str) -> None:
        require_name(name)
        with self._told(name, writing=True):
            self._transport.remove(name)

    def set_aside(self, name: str) -> str | None:
        require_name(name)
        place = f".local/quarantine/{name.rpartition('/')[2]}.{os.urandom(4).hex()}"
        try:
            with self._told(name, writing=True):
                self._transport.move(name, place)
        except (CacheError, OSError):
            return None
        return f"{self.url}/{place}"

    def sweep(self) -> int:
        with self._told(self.url, writing=True):
            return self._transport.sweep()

    @property
    def _transport(self) -> Transport:
        process = os.getpid()
        return self._transports.get(process) or self._transports.setdefault(process, self._connect(self.url))

    def _is_marked(self, *, create: bool) -> bool:
        with self._told(self.url):
            try:
                mark = self._transport.read(FORMAT_FILE)
            except FileNotFoundError:
                check_names(self.url, self._transport.top(), create=create)
                return False
        check_format(self.url, mark)
        return True

    def _mark(self) -> None:
        """Say which format this is, before anything else is there; unless somebody did meanwhile."""
        if not self._is_marked(create=True):
            self._transport.write(FORMAT_FILE, [memoryview(FORMAT_BYTES)])
        self._marked = True

    @contextmanager
    def _told(self, name: str, *, writing: bool = False) -> Iterator[None]:
        """Raise what goes wrong as the error that its caller can act upon."""
        try:
            yield
        except (CacheError, GeneratorExit):
            raise
        except Exception as problem:
            reason = self._transport.reason(problem)
            if writing and isinstance(problem, PermissionError):
                raise StoreReadOnly(self.url, reason) from problem
            away = self._transport.may_pass(problem)
            raise Unavailable(name, reason, passes=False, away=away) from problem  # it was tried often enough

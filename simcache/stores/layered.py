"""A near store that reads on in far ones: what is found far is checked, and kept near."""

from collections.abc import Iterator, Sequence

from simcache.errors import CacheError, Corrupt, Missing, NotStored, Unavailable, warn
from simcache.model import Buffer, Capabilities, check_name
from simcache.stores.base import Listed, Store


class Layered(Store):
    """Several stores as one: reads near, then far, in order; writes, deletes and sets aside near only.

    Nothing that comes from far is believed: SHA-256 must match the name before it is handed out or kept. A far store
    that is damaged, down or too new is passed over, and the final error names it.

    Blobs are kept near, for they are only bytes. An entry is kept near only if the far store is as trusted as the near
    one, for else a pickle from far would be opened as one of ours the next time. The cache, which knows the codecs,
    asks `layers()` one by one, so it knows which store an entry comes from, and puts a harmless one near itself.
    """

    def __init__(self, near: Store, *far: Store) -> None:
        self._near = near
        self._far = tuple(layer for store in far for layer in store.layers())
        self.url = near.url
        self.local = near.local
        self.capabilities = Capabilities(
            writes=near.capabilities.writes,
            deletes=near.capabilities.deletes,
            trusted=all(store.capabilities.trusted for store in (near, *self._far)),
            shared=near.capabilities.shared,
        )
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"Layered({', '.join(map(repr, (self._near, *self._far)))})"

    def get(self, name: str) -> memoryview:
        problems: list[CacheError] = []
        try:
            return self._near.get(name)
        except Missing:
            pass
        except Corrupt as problem:
            self._near.set_aside(name)
            problems.append(Corrupt(name, f"in {self._near.url}: {problem.reason}"))
        except Unavailable as problem:
            problems.append(Unavailable(name, f"in {self._near.url}: {problem.reason}"))
        for store in self._far:
            try:
                data = store.get(name)
                check_name(name, data)
            except Missing:
                continue
            except Corrupt as problem:
                problems.append(Corrupt(name, f"in {store.url}: {problem.reason}"))
            except (CacheError, OSError) as problem:
                problems.append(Unavailable(name, f"in {store.url}: {getattr(problem, 'reason', problem)}"))
            else:
                self._keep(name, data, store)
                return data
        raise _worst(name, problems)

    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool = False) -> None:
        self._near.put(name, chunks, durable=durable)

    def has(self, name: str) -> bool:
        return self._near.has(name) or any(self._far_has(store, name) for store in self._far)

    def claim(self, name: str, size: int) -> bool:
        return self._near.claim(name, size)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        seen: set[str] = set()
        for listed in self._near.list(prefix):
            seen.add(listed.name)
            yield listed
        for store in self._far:
            try:
                for listed in store.list(prefix):
                    if listed.name not in seen:
                        seen.add(listed.name)
                        yield listed
            except (CacheError, OSError) as problem:
                self._tell(store.url, f"{store.url} could not be asked for results, going on without it: {problem}", UserWarning)

    def delete(self, name: str) -> None:
        self._near.delete(name)

    def set_aside(self, name: str) -> str | None:
        return self._near.set_aside(name)

    def stamp(self, prefix: str) -> object:
        stamps = tuple(store.stamp(prefix) for store in self.layers())
        return None if None in stamps else stamps

    def sweep(self) -> int:
        return self._near.sweep()

    def layers(self) -> tuple[Store, ...]:
        return (*self._near.layers(), *self._far)

    def _keep(self, name: str, data: memoryview, source: Store) -> None:
        """Put near what was found far; a near store that cannot take it costs only the next fetch."""
        if name.startswith("entries/") and self._near.capabilities.trusted and not source.capabilities.trusted:
            return
        try:
            self._near.put(name, [data])
        except (CacheError, OSError) as problem:
            self._tell(self._near.url, f"{name} came from {source.url} and could not be kept near: {problem}", NotStored)

    def _far_has(self, store: Store, name: str) -> bool:
        try:
            return store.has(name)
        except (CacheError, OSError):
            return False

    def _tell(self, url: str, text: str, category: type[Warning]) -> None:
        """Warn once for each store: one that is down or full stays so for the calls that follow."""
        if url not in self._told:
            self._told.add(url)
            warn(text, category)


def _worst(name: str, problems: Sequence[CacheError]) -> CacheError:
    """One error for a name that no store could give: unavailable while one of them may still have it, else corrupt, else missing."""
    reasons = "; ".join(str(getattr(problem, "reason", problem)) for problem in problems)
    if any(isinstance(problem, Unavailable) for problem in problems):
        return Unavailable(name, reasons)
    return Corrupt(name, reasons) if problems else Missing(name)

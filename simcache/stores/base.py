"""The contract of a store: names to immutable bytes, written once and whole."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from simcache.errors import CacheError
from simcache.model import Blob, Buffer, Capabilities, blob_of, digest_in_name
from simcache.named_tuple import NamedTuple


class Listed(NamedTuple):
    """A name that a store holds, and how many bytes stand under it."""

    name: str
    size: int


@lru_cache(maxsize=4096)  # a hit asks for the same few names again and again
def require_name(name: str) -> None:
    """Raise ValueError unless this is the name of a blob or an entry; every kind asks it first, so no name leads out of a store."""
    if not digest_in_name(name):
        raise ValueError(f"{name!r} is the name of neither a blob nor an entry")


class Store(ABC):
    """Names (POSIX-like, `blobs/…` and `entries/…`) to immutable bytes.

    A name that tells a digest always has the same bytes, so writing a name again is harmless, retries are safe and
    two stores merge by union. Every method may be called from several threads and processes at once.
    A name of neither form is refused with ValueError, by every method that takes one.
    """

    url: str
    """How a person names this store; `open_store(url)` opens it again."""
    capabilities: Capabilities
    local: str | None = None
    """A folder of this machine beside the store, for locks and memos, which is never synced; None if there is none."""

    @abstractmethod
    def get(self, name: str) -> memoryview:
        """The bytes under this name.

        Large ones cannot be written to, and may be a map of the file; small ones are a private copy. They are whole but
        not checked: whoever knows the digest checks it. Missing if there are none, Unavailable if they exist but cannot be had now,
        Corrupt if something else (a folder, say) stands in their place.
        """

    @abstractmethod
    def put(self, name: str, chunks: Sequence[Buffer], *, durable: bool = False) -> None:
        """Keep these bytes, chunk after chunk, under this name: all of them or nothing, also when the process dies.

        What stands there already is replaced (a name has only one content). With `durable` the bytes and the name
        have reached the disk on return. StoreReadOnly if the store takes no writes; OSError if it is full.
        """

    def lent(self, name: str) -> str | None:
        """A file of this machine that holds these bytes, to which nobody writes, and which may have one more name elsewhere; None if there is none.

        Only a store whose bytes lie far lends what it keeps of them here: two folders that share files would be lost together.
        """
        del name
        return None

    def adopt(self, name: str, path: str) -> bool:
        """Keep what this file holds under this name as `put` does, without writing it: the file gets a second name. False if that cannot be.

        Who asks has checked the bytes.
        """
        del name, path
        return False

    def put_blob(self, chunks: Sequence[Buffer], *, durable: bool = False) -> Blob:
        """Keep these bytes under the name that they themselves make, as `put` does, and tell that name.

        Bytes that are there already, and sound, are claimed, not written again, unless they must be durable.
        """
        blob = blob_of(chunks)
        if durable or not (self.claim(blob.name, blob.size) and self._has_sound(blob)):
            self.put(blob.name, chunks, durable=durable)
        return blob

    def _has_sound(self, blob: Blob) -> bool:
        try:
            blob.check(self.get(blob.name))
        except CacheError:
            return False
        return True

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether bytes stand under this name; says nothing of their being sound."""

    def claim(self, name: str, size: int) -> bool:
        """Whether so many bytes stand under this name; if so, whoever prunes sees that they are wanted from now on.

        A writer asks this of a blob that it need not write again, and names it in an entry soon after.
        """
        return any(listed.name == name and listed.size == size for listed in self.list(name))

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Listed]:
        """All names of blobs and entries that begin with this text, in no order; unfinished writes are never among them.

        What stands under such a name but is no bytes (a folder, say) is listed too, with size 0, so that it is found
        and set aside. Unavailable if a part cannot be listed: a listing never silently leaves things out.
        """

    def names(self, prefix: str = "") -> Iterator[str]:
        """The same names without the sizes, which some kinds look up one by one."""
        return (listed.name for listed in self.list(prefix))

    def foreign(self) -> Sequence[str]:
        """What lies among blobs and entries under a name of neither form, and which a listing therefore leaves out: damage, or malice."""
        return ()

    def unread(self) -> Mapping[str, str]:
        """What may hold names and cannot be read (an index of many), and why: a listing leaves out whatever it names."""
        return {}

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a name; one that is not there is no error. Local housekeeping: it is not carried to other stores."""

    @abstractmethod
    def set_aside(self, name: str) -> str | None:
        """Move damaged content out of the way (into `quarantine/`) and say where; None if it could not be moved."""

    def stamp(self, prefix: str) -> object:
        """A token that changes when a name under this prefix appears or goes; None if the store cannot tell cheaply."""
        del prefix
        return None

    def sweep(self) -> int:
        """Remove what writers that have died left unfinished, and say how many files that were."""
        return 0

    def refresh(self) -> None:  # noqa: B027 - nothing to do is the answer of most kinds
        """Learn what others have put there since; a store that is read where it lives has nothing to do."""

    def expect(self, names: Sequence[str]) -> None:  # noqa: B027 - nothing to do is the answer of most kinds
        """These will be asked for next, in this order: a store that fetches many at once in less time than one by one does it now.

        Nothing is promised: what could not be fetched is told by `get`.
        """

    def settle(self) -> None:  # noqa: B027 - nothing to do is the answer of most kinds
        """A sync is over, and what came from here lies in the near store: whoever lies in a work tree leaves that in order."""

    def publish(self, told: Callable[[int, int], None] | None = None) -> None:
        """Let others see what was put since the last time; `told` hears how many bytes have gone, and of how many.

        A store that others read where it lives has nothing to do. Until this returns, nobody else sees a part of it; cut at any
        point and called again, it moves only what is missing.
        """
        del told

    def unpublished(self, prefix: str = "") -> Iterator[str]:
        """Of the names that begin with this text those which nobody else sees before `publish`, and which a publishing that failed has left."""
        del prefix
        return iter(())

    def layers(self) -> tuple["Store", ...]:
        """The stores to ask for entries, nearest first."""
        return (self,)


def root_of(store: Store) -> str | None:
    """The folder that a store is, if it is one."""
    root = store.url
    return root if store.local == os.path.join(root, ".local") and os.path.isabs(root) else None


def is_one(near: Store, far: Store) -> bool:
    """Whether both are the same store, by whatever name."""
    folders = [folder for folder in (root_of(near), root_of(far)) if folder is not None and os.path.isdir(folder)]
    return near.url == far.url or (len(folders) > 1 and os.path.samefile(*folders))

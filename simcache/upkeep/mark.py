"""The file that tells a store's format: what is wrong with it, and writing it anew where the entries tell the format too."""

from simcache.errors import CacheError, Corrupt
from simcache.stores.base import Store, root_of
from simcache.stores.local import LocalStore
from simcache.stores.place import FORMAT_BYTES, FORMAT_FILE, check_place
from simcache.stores.registry import open_store, scheme_of
from simcache.upkeep.repair import move_away

_OURS = FORMAT_BYTES.decode().strip()
KNOWN = f"it should read {_OURS}"
UNKNOWN = f"it should tell the format, and no sound entry tells it either: write {_OURS} there if this version of simcache made the store"


def opened_to_mend(url: str) -> Store:
    """The store at this path or URL, which must be there; a folder of which only the mark is damaged is opened too."""
    try:
        return open_store(url, create=False)
    except Corrupt as problem:
        if scheme_of(url):
            raise
        return LocalStore(problem.name, create=False, to_mend=True)


def is_damaged(store: Store) -> bool:
    """Whether this is a folder with a mark that tells no format."""
    root = root_of(store)
    if root is None:
        return False
    try:
        check_place(root)
    except Corrupt:
        return True
    return False


def written_anew(store: Store) -> str:
    """Set a damaged mark aside and write it anew; what was done, in words. Only where the entries are known to be of our format."""
    if not (isinstance(store, LocalStore) and is_damaged(store)):  # one that tells a newer format meanwhile is not touched
        return ""
    moved = move_away(store, FORMAT_FILE)
    try:
        store.mark()
    except (CacheError, OSError):
        return ""
    return f"{moved}, and written anew" if moved else ""

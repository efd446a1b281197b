"""Which places are stores: reads the format file, and says what an unmarked place may become."""

import json
import os
from collections.abc import Collection

from simcache.errors import CacheError, Corrupt, FormatTooNew, NotAStore, Unavailable
from simcache.model import FORMAT

FORMAT_FILE = "simcache.json"
FORMAT_BYTES = json.dumps({"format": FORMAT}).encode() + b"\n"
_READ_AT_MOST = 64 * 1024
_TOPS = ("entries", "blobs")
"""What makes a folder a store even without its mark."""


def check_place(root: str, *, create: bool = True) -> bool:
    """Whether the folder is marked as a store of a known format; raise unless it is one, or (with `create`) may become one.

    An unmarked folder may become a store if it is not there, holds nothing but hidden files, or holds `entries` or
    `blobs` already (a copy that was cut, or that left the mark out). Any other folder is somebody's own: a mistyped path
    must not fill a home or a project folder with blobs, so it is refused.

    Corrupt if the mark of what is a store by its folders is damaged, so that its format is unknown; NotAStore if nothing else
    tells that the place is one.
    """
    try:
        with open(os.path.join(root, FORMAT_FILE), "rb") as file:
            data = file.read(_READ_AT_MOST)
    except FileNotFoundError:
        _check_unmarked(root, create=create)
        return False
    except NotADirectoryError as problem:
        raise NotAStore(root, "it is a file, not a folder") from problem
    except IsADirectoryError as problem:
        raise _damaged(NotAStore(root, f"a folder stands where its {FORMAT_FILE} should be")) from problem
    except OSError as problem:
        raise Unavailable(root, f"its {FORMAT_FILE} cannot be read ({problem.strerror})") from problem
    try:
        check_format(root, data)
    except NotAStore as problem:
        raise _damaged(problem) from problem
    return True


def _damaged(problem: NotAStore) -> CacheError:
    from shlex import quote

    root = problem.store
    if any(os.path.isdir(os.path.join(root, top)) for top in _TOPS):
        return Corrupt(root, f"{problem.reason}; `simcache verify --repair --store {quote(root)}` writes it anew")
    return problem


def check_format(root: str, data: bytes | bytearray) -> None:
    """Raise NotAStore or FormatTooNew unless these are the bytes of a format file that this simcache knows."""
    found = _format_in(root, data)
    if found > FORMAT:
        raise FormatTooNew(root, found, FORMAT)


def check_names(root: str, names: Collection[str], *, create: bool, inside: str = "") -> None:
    """Raise NotAStore unless an unmarked place that holds these names is a store without its mark, or may become one.

    `inside` is a store that lies in it, which may be the one that is meant.
    """
    if not {*_TOPS, FORMAT_FILE}.isdisjoint(names):  # the mark may have come this very moment
        return
    others = sorted(name for name in names if not name.startswith("."))
    if others:
        what = f"did you mean {inside}?" if inside else "name an empty or a new folder" if create else "check the path"
        raise NotAStore(root, f"it holds other things ({others[0]}, …) and no {FORMAT_FILE}; {what}")
    if not create:
        raise NotAStore(root, "nothing is there; check the path, or make a store with `simcache init`")


def _check_unmarked(root: str, *, create: bool) -> None:
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        names = []
    except OSError as problem:
        raise Unavailable(root, f"the folder cannot be read ({problem.strerror})") from problem
    inside = (os.path.join(root, name) for name in sorted(names) if os.path.isfile(os.path.join(root, name, FORMAT_FILE)))
    check_names(root, names, create=create, inside=next(inside, ""))


def _format_in(root: str, data: bytes | bytearray) -> int:
    try:
        found = json.loads(data)["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise NotAStore(root, f"its {FORMAT_FILE} tells no format; it should read {FORMAT_BYTES.decode().strip()}")
    return found

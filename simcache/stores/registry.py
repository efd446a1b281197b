"""The kinds of stores, by the scheme of their URL; a new kind is one file and one line here."""

import os
import re
from collections.abc import Callable, Mapping

from simcache.errors import BadSettings, NotAStore
from simcache.stores.base import Store

_URL = r"([A-Za-z][A-Za-z0-9+.-]+):(//)?"
"""One letter before a colon is a drive of Windows. Compiled when it is needed: most stores are plain paths."""
_SOON = frozenset({"http", "https"})


def _path(url: str, create: bool) -> Store:
    from simcache.stores.local import LocalStore

    return LocalStore(os.path.expanduser(url), create=create)


def _file(url: str, create: bool) -> Store:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise BadSettings(url, "a file URL has three slashes and a whole path: file:///folder/store")
    path = unquote(parts.path)
    return _path(path[1:] if re.match(r"/[A-Za-z]:", path) and os.name == "nt" else path, create)


def _memory(url: str, create: bool) -> Store:
    from simcache.stores.memory import MemoryStore

    del create  # a store in memory is there as soon as it is named
    return MemoryStore(url.removeprefix("memory://"))


def _git(url: str, create: bool) -> Store:
    from simcache.stores.lfs import GitStore

    del create  # a branch that is not there yet is an empty store, which the first publishing makes
    return GitStore(url)


def _s3(url: str, create: bool) -> Store:
    from simcache.stores.remote import RemoteStore
    from simcache.stores.s3 import S3

    return RemoteStore(url, S3, create=create)


def _sftp(url: str, create: bool) -> Store:
    from simcache.stores.remote import RemoteStore
    from simcache.stores.sftp import Sftp

    return RemoteStore(url, Sftp, create=create)


def _objects(url: str, create: bool) -> Store:
    from simcache.stores.objects import Objects
    from simcache.stores.remote import RemoteStore

    return RemoteStore(url, Objects, create=create)


def _packed(url: str, create: bool) -> Store:
    from simcache.stores.packs import FolderShelf, PackedStore

    folder = url.removeprefix("packed://")
    if not folder:
        raise BadSettings(url, "a folder is needed: packed:///folder/of/packs")
    if not create and not os.path.isdir(folder):
        raise NotAStore(folder, "nothing is there; check the path")
    shelf = FolderShelf(folder)
    if not create and not shelf.is_begun():
        raise NotAStore(folder, "no index of packs (*.simidx) is there; check the path")
    return PackedStore(shelf)


def _kaggle(url: str, create: bool) -> Store:
    from simcache.stores.kaggle import open_kaggle

    del create  # a dataset that is not there is an empty store, and only asking tells
    return open_kaggle(url)


def _kernel(url: str, create: bool) -> Store:
    from simcache.stores.kaggle_kernel import open_kernel

    del create  # only asking tells whether there is such a kernel
    return open_kernel(url)


def _mounted(url: str, create: bool) -> Store:
    from simcache.stores.local import LocalStore
    from simcache.stores.packs import FolderShelf
    from simcache.stores.place import FORMAT_FILE
    from simcache.stores.read_only import ReadOnly

    del create  # it is only read
    folder = url.removeprefix("mounted://")
    if not os.path.isdir(folder):
        raise NotAStore(url, "nothing is there; check the path")
    plain = os.path.exists(os.path.join(folder, FORMAT_FILE)) or not FolderShelf(folder).is_begun()
    return ReadOnly(LocalStore(folder, create=False) if plain else _packed(f"packed://{folder}", create=False), url)


KINDS: Mapping[str, Callable[[str, bool], Store]] = {
    "": _path,
    "file": _file,
    "git+lfs": _git,
    "memory": _memory,
    "s3": _s3,
    "gs": _objects,
    "az": _objects,
    "fsspec+memory": _objects,
    "sftp": _sftp,
    "kaggle": _kaggle,
    "kaggle-kernel": _kernel,
    "mounted": _mounted,
    "packed": _packed,
}
"""The empty scheme is a plain path."""

ASKED_WHEN_OPENED = frozenset({"s3", "gs", "az", "sftp"})
"""Kinds whose place is asked over the network as soon as they are opened."""


def open_store(url: str | os.PathLike[str] | Store, *, create: bool = True) -> Store:
    """The store at this path or URL; a store is given back as it is, and a path object is a path, whatever colons it has.

    With `create` a place that is not there yet is an empty store, which the first write makes; without it, NotAStore.
    BadSettings for a URL that no kind takes; FormatTooNew, NotAStore or Unavailable for a place that cannot be opened.
    """
    if isinstance(url, Store):
        return url
    text = os.fspath(url)
    if not text:
        raise BadSettings("store", "the path is empty; name a folder or a URL")
    if "\0" in text:
        raise BadSettings(repr(text), r"holds the character \u0000, which no path has: write the name without it")
    return KINDS[scheme_of(text) if isinstance(url, str) else ""](text, create)


def scheme_of(url: str) -> str:
    """Which of the kinds a URL asks for, the empty one for a path; BadSettings if none takes it."""
    found = re.match(_URL, url) if ":" in url else None
    if found is None:
        return ""
    scheme = found[1].lower()
    folder = "" if found[2] else f"; a folder of this name is ./{url}"
    if scheme not in KINDS:
        raise BadSettings(url, _no_kind(scheme) + folder)
    if folder and scheme != "git+lfs":  # a folder called s3:bucket would pass for the bucket
        raise BadSettings(url, f"two slashes are missing: it is written {scheme}://…{folder}")
    return scheme


def _no_kind(scheme: str) -> str:
    known = ", ".join("a path" if not name else "git+lfs:FOLDER" if name == "git+lfs" else f"{name}://" for name in KINDS)
    if scheme in _SOON:
        return f"this version of simcache cannot open {scheme} stores yet; it opens {known}"
    return f"no kind of store is called {scheme!r}; there are {known}"

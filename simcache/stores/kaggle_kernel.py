"""What a Kaggle kernel has put out, as a store: packs, and results that it could not pack before it was ended."""

import os
import re
from collections.abc import Mapping
from hashlib import sha256

from simcache.errors import BadSettings, CacheError, Corrupt, FormatTooNew, Unavailable, warn
from simcache.home import user_folder
from simcache.model import check_name, digest_in_name
from simcache.stores.base import Store
from simcache.stores.kaggle_api import PATIENCE, Kaggle, Refused
from simcache.stores.local import LocalStore
from simcache.stores.packs import INDEX_SUFFIX, FolderShelf, Index, PackedStore, put_file
from simcache.stores.read_only import ReadOnly

_URL = re.compile(r"kaggle-kernel://([a-z0-9][a-z0-9-]{0,49})/([a-z0-9][a-z0-9-]{2,98}[a-z0-9])", re.ASCII)
_PLAIN = re.compile(r"(?:.*/)?((?:blobs|entries)/.*)")
_INDEX_AT_MOST = 256 * 1024 * 1024
_PLAIN_AT_MOST = 2 * 1024 * 1024 * 1024


def open_kernel(url: str) -> Store:
    """The store at `kaggle-kernel://owner/slug`: the output of its last session. Nothing is asked of Kaggle yet."""
    from urllib.parse import parse_qsl

    place, _, query = url.partition("?")
    match = _URL.fullmatch(place)
    options = dict(parse_qsl(query))
    if match is None or set(options) - {"pause"}:
        raise BadSettings(url, "a kernel's output is kaggle-kernel://owner/slug")
    patience = PATIENCE._replace(pause=float(options.get("pause", PATIENCE.pause)))
    folder = kernel_folder(match[1], match[2])
    output = KernelOutput(Kaggle(patience), match[1], match[2], folder)
    return ReadOnly(PackedStore(FolderShelf(folder)), url, output.bring)


def kernel_folder(owner: str, slug: str) -> str:
    """Where on this machine lies what is known of a kernel."""
    return os.path.join(user_folder(), "kaggle-kernels", owner, slug)


class KernelOutput:
    """The files of a kernel's last session; of these the stores among them are brought here."""

    def __init__(self, kaggle: Kaggle, owner: str, slug: str, folder: str) -> None:
        self._kaggle = kaggle
        self._owner = owner
        self._slug = slug
        self._folder = folder
        self._url = f"kaggle-kernel://{owner}/{slug}"

    def bring(self) -> Mapping[str, str]:
        """Have the packs and loose results here; what was brought before is not brought again, and other files are left.

        Packs come before the index that names them. What is damaged is left out with a warning, and told, with the reason.
        """
        files, _ = self.files()
        left_out = {}
        loose = LocalStore(f"{self._folder}/loose")
        for name, url in sorted(files.items()):
            plain = _PLAIN.fullmatch(name)
            try:
                if name.endswith(INDEX_SUFFIX):
                    self._bring_packs(name, files)
                elif plain is not None and digest_in_name(plain[1]) and not loose.has(plain[1]):
                    data = self._kaggle.read_url(name, url, _PLAIN_AT_MOST)
                    check_name(plain[1], data)
                    loose.put(plain[1], [data])
            except (Corrupt, FormatTooNew) as problem:
                warn(f"left out of {self._url}: {problem}", UserWarning)
                left_out[name] = str(getattr(problem, "reason", problem))
            except Refused as problem:
                raise Unavailable(self._url, str(problem)) from None
        return left_out

    def files(self) -> tuple[dict[str, str], str]:
        """The names and URLs of all that was put out, and the log."""
        try:
            return self._kaggle.output(self._owner, self._slug)
        except Refused as problem:
            raise Unavailable(self._url, f"{problem}; check its name, and that it has run") from None

    def read(self, name: str, limit: int) -> bytes:
        """One small file of the output. Unavailable if there is none of this name."""
        files, _ = self.files()
        if name not in files:
            raise Unavailable(self._url, f"its output has no {name}")
        try:
            return self._kaggle.read_url(name, files[name], limit)
        except CacheError as problem:
            raise Unavailable(self._url, str(problem)) from None

    def _bring_packs(self, name: str, files: dict[str, str]) -> None:
        data = self._kaggle.read_url(name, files[name], _INDEX_AT_MOST)
        index = Index.from_bytes(name, data)
        for pack in index.packs:
            beside = f"{name.rpartition('/')[0]}/{pack.file}".lstrip("/")
            path = f"{self._folder}/{pack.file}"
            if beside not in files:
                raise Corrupt(name, f"it names {pack.file}, which is not among the output")
            if not os.path.exists(path):
                self._kaggle.fetch_url(beside, files[beside], path, pack.size, pack.sha256)
        put_file(self._folder, f"index-{sha256(data).hexdigest()[:16]}{INDEX_SUFFIX}", [data])

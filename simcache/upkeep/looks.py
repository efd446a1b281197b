"""That a store far away was seen whole: its blobs, which are most of its names, are not listed again for a day."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from xxhash import xxh3_128_hexdigest

from simcache.home import user_folder

_DAY: Final = 24 * 3600.0


class Looks:
    """What is remembered of one store: a file for each set of names that was found there whole, its time that of the look.

    The same names later mean that nothing was put there, not that nothing was lost, so a look counts for a day; and not at all
    once `verify` has found something wrong. What cannot be written or read down here is as if nobody had looked.
    """

    def __init__(self, url: str) -> None:
        self._folder = os.path.join(
            user_folder(), "looks", xxh3_128_hexdigest(url.encode(errors="surrogateescape"))
        )  # a path may be no UTF-8

    def counts(self, names: Iterable[str]) -> bool:
        """Whether these names were found whole within a day."""
        try:
            age = time.time() - os.stat(self._file(names)).st_mtime
        except OSError:
            return False
        return 0 <= age < _DAY

    def note(self, names: Iterable[str]) -> None:
        """These are all names, and all of them are there; looks of before are forgotten."""
        self.forget()
        with suppress(OSError):
            os.makedirs(self._folder, exist_ok=True)
            with open(self._file(names), "wb"):
                pass

    def forget(self) -> None:
        with suppress(OSError):
            for name in os.listdir(self._folder):
                os.unlink(os.path.join(self._folder, name))

    def _file(self, names: Iterable[str]) -> str:
        return os.path.join(self._folder, xxh3_128_hexdigest("\n".join(sorted(names)).encode()))

"""Where this user's own things lie: the default store, and what may be thrown away."""

import os
import sys


def user_folder() -> str:
    """The folder of simcache among this user's caches, by the rules of the system; it need not exist yet."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "simcache")

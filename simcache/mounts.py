"""On Kaggle: which folders below the input folder are stores, so that a kernel finds them without any setting."""

import os
from collections.abc import Mapping

_DEEP = 5
"""Folders: input/datasets/OWNER/SLUG and input/notebooks/OWNER/SLUG/results are the deepest that are known."""
_LOOKED_AT = 2000
"""Folders at most: somebody's dataset may have a hundred thousand, and none of them is a store."""
_WORKING = "/kaggle/working"


def input_folder(environment: Mapping[str, str]) -> str | None:
    """Where a Kaggle kernel finds its datasets; None anywhere else."""
    if "KAGGLE_KERNEL_RUN_TYPE" not in environment:
        return None
    return os.path.abspath(environment.get("KAGGLE_CACHE_MOUNT_FOLDER") or "/kaggle/input")


def working_folder() -> str:
    """Where a kernel puts its results: what lies there is kept when it ends."""
    return _WORKING if os.path.isdir(_WORKING) else os.getcwd()


def mounted_stores(folder: str) -> tuple[str, ...]:
    """The stores below the input folder, as URLs, in the order of their paths; whatever the layout of the mounts."""
    found: list[str] = []
    level = [folder]
    looked_at = 0
    for _ in range(_DEEP + 1):
        below: list[str] = []
        for path in level:
            looked_at += 1
            if looked_at > _LOOKED_AT:
                return tuple(sorted(found))
            try:
                with os.scandir(path) as items:
                    held = list(items)
            except OSError:
                continue  # not there, or not ours to read
            if any(item.name == "simcache.json" or item.name.endswith(".simidx") for item in held):
                found.append(f"mounted://{path}")
            else:
                below += [item.path for item in held if not item.name.startswith(".") and item.is_dir()]
        level = sorted(below)
    return tuple(sorted(found))

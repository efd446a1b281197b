"""A program that writes a blob and its entry in many children, and has the n-th dead at its n-th step; see test_kill.py."""

import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simcache.locks import KeyLock
from simcache.model import Blob, Buffer, Entry, blob_of
from simcache.stores.local import LocalStore
from tests.simcache.contract import a_blob, an_entry, an_entry_of

STEPS = ("open", "write", "writev", "fsync", "replace", "rename", "link", "mkdir", "unlink", "close")
KEY = "ab" * 16


def contents(sizes: Sequence[int]) -> tuple[list[Buffer], Blob, Entry]:
    """The chunks that a child writes, the blob they make, and the entry that names it."""
    chunks: list[Buffer] = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    blob = blob_of(chunks)
    return chunks, blob, an_entry_of("f", KEY, 1, (blob,))[1]


def fresh(folder: Path) -> None:
    """Nothing is there; the write makes the store."""
    del folder


def used(folder: Path) -> None:
    """A store with other things in it, and what a writer left that was killed before."""
    store = LocalStore(folder)
    for name, data in EARLIER:
        store.put(name, [data])
    (folder / ".local" / "tmp" / "1-dead-1").write_bytes(b"half")


def checkout(folder: Path) -> None:
    """As Git makes it: the format file, and no folder."""
    folder.mkdir(parents=True)
    (folder / "simcache.json").write_text('{"format": 1}\n')


def obstructed(folder: Path) -> None:
    """A file stands where the folder of the blobs should be, and a folder where the entry should be."""
    checkout(folder)
    (folder / "blobs").write_bytes(b"in the way")
    (folder / contents([10])[2].name / "inside").mkdir(parents=True)


EARLIER = (a_blob(b"earlier"), an_entry("g", 1))
BEGINNINGS = {begin.__name__: begin for begin in (fresh, used, checkout, obstructed)}
"""What a child finds."""


def write(folder: Path, sizes: Sequence[int], *, durable: bool) -> None:
    """What a cache does after a miss: under the lock of the key, the blob, then the entry."""
    chunks, _, entry = contents(sizes)
    store = LocalStore(folder)
    with KeyLock(folder / ".local" / "locks", KEY):
        store.put_blob(chunks, durable=durable)
        store.put(entry.name, [entry.to_bytes()], durable=durable)


def die_at(last: int, written: float) -> None:
    """Kill this process -9 before its n-th step; a write gets this part of its bytes out before."""
    done = 0

    def step(call: str, sound: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done == last:
                if call in ("write", "writev"):
                    data = b"".join(given[1]) if call == "writev" else bytes(given[1])
                    plain_write(given[0], data[: int(len(data) * written)])
                os.kill(os.getpid(), signal.SIGKILL)
            return sound(*given, **named)

        return counted

    plain_write = os.write
    for call in STEPS:
        setattr(os, call, step(call, getattr(os, call)))
    for call in ("flock", "fcntl"):
        setattr(fcntl, call, step(call, getattr(fcntl, call)))


def main() -> None:
    """For n = 1, 2, …: a child in folder n that dies at step n, until one completes; prints how many died."""
    place, given = Path(sys.argv[1]), json.loads(sys.argv[2])
    for last in range(1, 500):
        BEGINNINGS[given["beginning"]](place / str(last))
        child = os.fork()
        if not child:
            die_at(last, given["written"])
            write(place / str(last), given["sizes"], durable=given["durable"])
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            print(last - 1)
            return
        if status != -signal.SIGKILL:
            sys.exit(f"the child of step {last} ended with {status}")


if __name__ == "__main__":
    main()

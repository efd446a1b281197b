"""Stores with known content, for the tests of their care; and a small project that uses one."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xxhash import xxh3_128_hexdigest

from simcache.cache import Cache, Call
from simcache.model import INLINE, Entry, Segment
from simcache.provenance import made_now

CODE = "ab" * 16

MODEL = """
from dataclasses import dataclass
from simcache import Step, cached

@dataclass(frozen=True)
class Road:
    length: float
    lanes: int = 1

def speed(road: Road) -> float:
    return road.length / road.lanes

@cached
def travel(road: Road, cars: int = 3) -> float:
    return speed(road) * cars

@cached
def grid(n: int) -> dict[str, object]:
    import numpy as np
    return {"n": n, "cells": np.arange(float(n))}

@cached
def broken(n: int) -> int:
    raise ValueError(f"no result for {n}")

@cached(every=4)
def walk(step: int, *, resume: int | None = None):
    place = resume or 0
    while True:
        place += step
        yield Step(place, state=place)

def plain() -> int:
    return 1
"""


def key_of(name: object) -> str:
    return xxh3_128_hexdigest(str(name).encode())


def keep(
    cache: Cache,
    name: object,
    value: object,
    *,
    function: str = "model.f",
    at: str = "2026-01-02T03:04:05.000000Z",
    host: str = "here",
    segment: Segment | None = None,
    state: object = None,
    arguments: Mapping[str, Any] | None = None,
    parts: Mapping[str, str] | None = None,
    code: str = CODE,
) -> Entry:
    """One entry of the key that this name stands for, as a cache stores it."""
    made = made_now(0.5, (), source=None)._replace(at=at, host=host)
    recorded = {"n": {"json": str(name)}} if arguments is None else {key: {"json": held} for key, held in arguments.items()}
    call = Call(function, key_of(name), code, parts if parts is not None else {"model:f": "cd" * 16}, recorded)
    return cache.keep(call, value, made, segment=segment, state=state, has_state=state is not None)


def keep_segment(cache: Cache, name: object, start: int, items: list[Any], *, state: object = None, **more: Any) -> Entry:
    """One segment of a series."""
    return keep(cache, name, items, segment=Segment(start, len(items), ended=False, every=10), state=state, **more)


def files_under(folder: Path) -> dict[str, bytes]:
    """What a store holds, seen from behind: every file but those of its workbench."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".local" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def long(text: object) -> str:
    """A text that is too long to stand in its entry: its bytes are a blob."""
    return f"{text} ".ljust(INLINE, ".")


def value_blob(entry: Entry) -> str:
    assert entry.value is not None
    return str(entry.blobs[entry.value["blobs"][0]].name)


def project(folder: Path) -> Path:
    """A folder with a module of cached functions, and settings that name a store beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "model.py").write_text(MODEL, "utf-8")
    (folder / "simcache.toml").write_text('store = "store"\n', "utf-8")
    return folder


def python(folder: Path, code: str) -> str:
    """Run some code in a project, in a process of its own; what it printed."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, check=True, env=environment(folder))
    return done.stdout.decode()


def simcache(folder: Path, *arguments: str, stdin: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the command for real."""
    return subprocess.run(
        [sys.executable, "-m", "simcache", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        input=stdin,
        env={**environment(folder), **variables},
    )


UNPRIVILEGED = """
import ctypes, os, struct, sys
if os.geteuid() == 0:  # give up every capability, and with them the right to pass over permissions
    if ctypes.CDLL(None, use_errno=True).capset(struct.pack("Ii", 0x20080522, 0), bytes(24)):
        sys.exit("capset failed")
from simcache.cli import main
main(prog_name="simcache")
"""


def unprivileged(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command for real, by somebody who may not pass over the permissions of files."""
    command = [sys.executable, "-c", UNPRIVILEGED, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment(folder))


def environment(folder: Path) -> dict[str, str]:
    """The environment of a child, in which nothing of the user's own is found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIMCACHE_")}
    return {**kept, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / ".cache"), "PYTHONDONTWRITEBYTECODE": "1"}

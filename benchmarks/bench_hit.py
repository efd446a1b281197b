"""How long a warm hit takes, every byte checked."""

import mmap
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from cachier import cachier
from diskcache import Cache as DiskCache
from joblib import Memory
from xxhash import xxh3_128_digest

from benchmarks.floor import Floor
from benchmarks.measure import Limit, Question
from benchmarks.values import field, small
from simcache import Cache, cached

SIZES = {
    "131 KB": (1 << 14, 400, 20, 0.05, 0.015),
    "8 MiB": (1 << 20, 100, 2, 0.8, 0.4),
    "256 MiB": (1 << 25, 20, 1, 18.0, 14.8),
}
"""How many numbers; how many rounds of how many calls; what to reach, in ms; and what *raw* took on that machine."""

Calls = dict[str, Callable[[], object]]


def mapped(path: Path) -> Callable[[], bytes]:
    """The raw limit: open, map, hash."""

    def call() -> bytes:
        file = os.open(path, os.O_RDONLY)
        try:
            size = os.fstat(file).st_size
            return xxh3_128_digest(mmap.mmap(file, size, access=mmap.ACCESS_READ))
        finally:
            os.close(file)

    return call


def ways(folder: Path, count: int) -> Calls:
    """A warm hit of one array by each way."""
    raw = folder / "raw"
    raw.write_bytes(field(count, 1).tobytes())
    floor = Floor(folder / "floor")
    ours = cached(cache=Cache(folder / "simcache"))(field)
    plain = Memory(folder / "joblib", verbose=0).cache(field)
    with_maps = Memory(folder / "joblib-maps", verbose=0, mmap_mode="r").cache(field)
    kept = DiskCache(str(folder / "diskcache"), size_limit=1 << 34).memoize()(field)
    return {
        "raw": mapped(raw),
        "floor": lambda: floor(field, count, 1),
        "simcache": lambda: ours(count, 1),
        "joblib": lambda: plain(count, 1),
        "joblib, mapped": lambda: with_maps(count, 1),
        "diskcache": lambda: kept(count, 1),
    }


def among_many(folder: Path, count: int, entries: int) -> Calls:
    """The same hit in stores that hold more: of other functions, and of this one."""
    alone, among = Cache(folder / "alone"), Cache(folder / "among")
    others = cached(cache=among)(small)
    for seed in range(entries):
        others(seed)
    of_many, of_one, of_hundred = (cached(cache=cache)(field) for cache in (among, alone, Cache(folder / "hundred")))
    pickled = cachier(cache_dir=str(folder / "cachier"))(field)
    single = cachier(cache_dir=str(folder / "cachier-one"))(field)
    for seed in range(1, 101):
        of_hundred(count, seed)
        pickled(count, seed)
    return {
        "simcache": lambda: of_one(count, 1),
        f"simcache, {entries:,} entries in the store": lambda: of_many(count, 1),
        "simcache, 100 entries of the function": lambda: of_hundred(count, 1),
        "cachier": lambda: single(count, 1),
        "cachier, 100 entries of the function": lambda: pickled(count, 1),
    }


def warmed(calls: Calls) -> Calls:
    """After the first calls, which store; and after the moment in which a store cannot tell yet whether its folder has settled."""
    for call in calls.values():
        call()
    time.sleep(0.2)
    return calls


def main() -> None:
    warnings.simplefilter("ignore")
    with Question("hit", "How long does a warm hit take, every byte checked?") as question:
        for size, (count, rounds, burst, at_most, raw_there) in SIZES.items():
            limits = [
                Limit("simcache", at_most),
                Limit("simcache", round(at_most / raw_there, 2), times="raw"),
                Limit("simcache", 1.5, times="floor"),
            ]
            if count >= 1 << 17:
                limits.append(Limit("simcache", 1.0, times="diskcache"))
            with question.folder() as folder:
                question.compare(size, warmed(ways(folder, count)), rounds=rounds, burst=burst, limits=limits)
        entries = 1000 if question.quick else 10_000
        with question.folder() as folder:
            calls = warmed(among_many(folder, 1 << 14, entries))
            limits = [Limit(way, 1.15, times="simcache") for way in calls if way.startswith("simcache,")]
            question.compare("131 KB among many", calls, rounds=100, burst=10, limits=limits)


if __name__ == "__main__":
    main()

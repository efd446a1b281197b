"""How long a miss takes, the result stored: without fsync, and durable."""

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path

from cachier import cachier
from diskcache import Cache as DiskCache
from joblib import Memory

from benchmarks.floor import Floor
from benchmarks.measure import Limit, Question
from benchmarks.values import field, held
from simcache import Cache, cached

SIZES = {"131 KB": (1 << 14, 50, 4), "8 MiB": (1 << 20, 12, 2), "256 MiB": (1 << 25, 7, 1)}
"""How many numbers; how many rounds of how many calls."""
FEW = 200
"""Numbers, that are too many to stand in an entry: a result of them makes the folders of a blob, too."""
LARGE = 100 << 20
RECORD = b"." * 750
"""As long as an entry."""

Way = Callable[[int, int], object]
"""A function of how many numbers and a seed, its results kept by one way."""


def clear(folder: Path) -> None:
    """Remove what is very large, so that a few GB of disk are enough. Small files stay: removing some slows the making of others."""
    for above, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(above, name)
            if os.path.getsize(path) >= LARGE:
                os.unlink(path)


def written(folder: Path, *, durable: bool, named: bool = False) -> Way:
    """The raw limit: create, write, rename, with fsync of the file before and of the folder after.

    If `named`, what a store of blobs and entries cannot do without: the SHA-256 of the bytes, and a small file after the first.
    """
    folder.mkdir()
    names = count()

    def write(data: memoryview, name: str) -> None:
        file = os.open(f"{name}.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        done = 0
        while done < data.nbytes:
            done += os.write(file, data[done:])
        if durable:
            os.fsync(file)
        os.close(file)
        os.replace(f"{name}.new", name)
        if durable:
            above = os.open(folder, os.O_RDONLY)
            os.fsync(above)
            os.close(above)

    def call(numbers: int, seed: int) -> None:
        data = field(numbers, seed).data.cast("B")
        name = str(folder / str(next(names)))
        if named:
            sha256(data).digest()
        write(data, name)
        if named:
            write(memoryview(RECORD), f"{name}.json")

    return call


def quick_ways(folder: Path) -> dict[str, Way]:
    """A miss by each way that leaves the disk to the system; and the digest alone that names a blob."""
    floor = Floor(folder / "floor")
    return {
        "raw": written(folder / "raw", durable=False),
        "raw, two files": written(folder / "raw-two", durable=False, named=True),
        "SHA-256 alone": lambda numbers, _: sha256(held(numbers).data.cast("B")).digest(),
        "floor": lambda numbers, seed: floor(field, numbers, seed),
        "simcache": cached(cache=Cache(folder / "simcache"))(field),
        "joblib": Memory(folder / "joblib", verbose=0).cache(field),
        "diskcache": DiskCache(str(folder / "diskcache"), size_limit=1 << 40).memoize()(field),
        "cachier": cachier(cache_dir=str(folder / "cachier"), separate_files=True)(field),
    }


def durable_ways(folder: Path) -> dict[str, Way]:
    """A miss that has reached the disk when the call returns; no peer offers that."""
    floor = Floor(folder / "floor", durable=True)
    return {
        "raw": written(folder / "raw", durable=True),
        "raw, two files": written(folder / "raw-two", durable=True, named=True),
        "floor": lambda numbers, seed: floor(field, numbers, seed),
        "simcache": cached(cache=Cache(folder / "simcache", durable=True))(field),
    }


def fresh(way: Way, numbers: int) -> Callable[[], object]:
    """A call with a seed that nobody has used."""
    seeds = count()
    return lambda: way(numbers, next(seeds))


def compare(question: Question, ways: dict[str, Way], folder: Path, *, note: str, limit: Limit) -> None:
    """All sizes, held to a limit, and so are the system calls alone that make two files of a result; in stores that are in use: their folders are there, as they are after some hundred results."""
    for way in ways.values():
        for seed in range(100 if question.quick else 1000):
            way(FEW, seed)
    for size, (numbers, rounds, burst) in SIZES.items():
        calls = {name: fresh(way, numbers) for name, way in ways.items()}
        between = partial(clear, folder) if numbers * 8 >= LARGE else None
        question.compare(
            f"{size}{note}", calls, rounds=rounds, burst=burst, between=between, limits=[limit, replace(limit, way="raw, two files")]
        )


def main() -> None:
    warnings.simplefilter("ignore")
    sentence = "How long does a miss take, the result stored: without fsync, and durable?"
    with Question("store", sentence) as question, question.folder() as folder:
        quick, durable = folder / "quick", folder / "durable"
        quick.mkdir()
        durable.mkdir()
        compare(question, quick_ways(quick), quick, note="", limit=Limit("simcache", 1.5, times="floor"))
        compare(question, durable_ways(durable), durable, note=", durable", limit=Limit("simcache", 1.3, times="raw"))


if __name__ == "__main__":
    main()

"""How long a miss takes, the result stored: without fsync, and durable."""

import os
import warnings
from collections.abc import Callable
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


LARGE = 100 << 20


def clear(folder: Path) -> None:
    """Remove what is very large, so that a few GB of disk are enough. Small files stay: removing some slows the making of others."""
    for above, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(above, name)
            if os.path.getsize(path) >= LARGE:
                os.unlink(path)


def written(folder: Path, numbers: int, *, durable: bool) -> Callable[[], None]:
    """The raw limit: create, write, rename, with fsync of the file before and of the folder after."""
    folder.mkdir()
    names = count()

    def call() -> None:
        data = field(numbers, 0).data.cast("B")
        name = str(folder / str(next(names)))
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

    return call


def fresh(function: Callable[..., object], numbers: int) -> Callable[[], object]:
    """A call with a seed that nobody has used."""
    seeds = count()
    return lambda: function(numbers, next(seeds))


def quick_ways(folder: Path, numbers: int) -> dict[str, Callable[[], object]]:
    """A miss by each way that leaves the disk to the system; and the digest alone that names a blob."""
    floor = Floor(folder / "floor")
    memory = held(numbers).data.cast("B")
    return {
        "raw": written(folder / "raw", numbers, durable=False),
        "SHA-256 alone": lambda: sha256(memory).digest(),
        "floor": fresh(lambda *args: floor(field, *args), numbers),
        "simcache": fresh(cached(cache=Cache(folder / "simcache"))(field), numbers),
        "joblib": fresh(Memory(folder / "joblib", verbose=0).cache(field), numbers),
        "diskcache": fresh(DiskCache(str(folder / "diskcache"), size_limit=1 << 40).memoize()(field), numbers),
        "cachier": fresh(cachier(cache_dir=str(folder / "cachier"), separate_files=True)(field), numbers),
    }


def durable_ways(folder: Path, numbers: int) -> dict[str, Callable[[], object]]:
    """A miss that has reached the disk when the call returns; no peer offers that."""
    floor = Floor(folder / "floor", durable=True)
    return {
        "raw": written(folder / "raw", numbers, durable=True),
        "floor": fresh(lambda *args: floor(field, *args), numbers),
        "simcache": fresh(cached(cache=Cache(folder / "simcache", durable=True))(field), numbers),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    with Question("store", "How long does a miss take, the result stored: without fsync, and durable?") as question:
        for size, (numbers, rounds, burst) in SIZES.items():
            for ways, case, limits in (
                (quick_ways, size, [Limit("simcache", 1.5, times="floor")]),
                (durable_ways, f"{size}, durable", [Limit("simcache", 1.3, times="raw")]),
            ):
                with question.folder() as folder:
                    between = partial(clear, folder) if numbers * 8 >= LARGE else None
                    question.compare(case, ways(folder, numbers), rounds=rounds, burst=burst, between=between, limits=limits)


if __name__ == "__main__":
    main()

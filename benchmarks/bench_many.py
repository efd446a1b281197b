"""What ten thousand small results cost: to store each, to list them, to verify them."""

import os
import warnings
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from pathlib import Path

from cachier import cachier
from diskcache import Cache as DiskCache
from joblib import Memory

from benchmarks.floor import Floor
from benchmarks.measure import Limit, Question
from benchmarks.values import small
from simcache import Cache, cached
from simcache.upkeep.listing import listing
from simcache.upkeep.verify import verify

BURST = 100
RECORD = b"." * 750
"""As long as an entry."""
JOBLIB_STORES, JOBLIB_LISTS, RAW_VERIFIES = 0.34, 205.0, 78.0
"""Milliseconds, where the limits were set."""


def fresh(function: Callable[[int], object]) -> Callable[[], object]:
    """A call with a seed that nobody has used."""
    seeds = count()
    return lambda: function(next(seeds))


def raw(folder: Path, record: bytes = b"") -> Callable[[int], None]:
    """The raw limit: a file beside its place, renamed into one of 256 folders; and then its record, if it has one."""
    above = str(folder)
    for number in range(256):
        (folder / f"{number:02x}").mkdir(parents=True)

    def write(seed: int) -> None:
        data = small(seed).tobytes()
        name = sha256(data).hexdigest()
        place(data, f"{above}/{name}.new", f"{above}/{name[:2]}/{name}")
        if record:
            place(record, f"{above}/{name}.new", f"{above}/{name[:2]}/{name}.json")

    return write


def place(data: bytes, temporary: str, name: str) -> None:
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.write(file, data)
    os.close(file)
    os.replace(temporary, name)


def raw_list(folder: Path) -> int:
    """All names."""
    return sum(len(os.listdir(folder / pair)) for pair in os.listdir(folder))


def raw_verify(folder: Path) -> int:
    """All bytes against their names."""
    sound = 0
    for pair in os.listdir(folder):
        below = f"{folder}/{pair}"
        for name in os.listdir(below):
            file = os.open(f"{below}/{name}", os.O_RDONLY)
            sound += sha256(os.read(file, 1 << 14)).hexdigest() == name
            os.close(file)
    return sound


def main() -> None:
    warnings.simplefilter("ignore")
    sentence = "What do ten thousand small results cost: to store each, to list them, to verify them?"
    with Question("many", sentence) as question, question.folder() as folder:
        cache, memory, floor = Cache(folder / "simcache"), Memory(folder / "joblib", verbose=0), Floor(folder / "floor")
        question.compare(
            "a result of 1 KB, computed and stored",
            {
                "raw": fresh(raw(folder / "raw")),
                "raw, two files": fresh(raw(folder / "raw-two", RECORD)),
                "floor": fresh(lambda seed: floor(small, seed)),
                "simcache": fresh(cached(cache=cache)(small)),
                "joblib": fresh(memory.cache(small)),
                "diskcache": fresh(DiskCache(str(folder / "diskcache"), size_limit=1 << 40).memoize()(small)),
                "cachier": fresh(cachier(cache_dir=str(folder / "cachier"), separate_files=True)(small)),
            },
            rounds=10_000 // BURST - 1,
            burst=BURST,
            limits=[Limit("simcache", 0.25), Limit("simcache", 0.25 / JOBLIB_STORES, times="joblib")],
        )
        entries = len(listing(cache.store).rows)
        question.compare(
            f"list {entries:,} of them",
            {
                "raw": lambda: raw_list(folder / "raw"),
                "simcache": lambda: listing(cache.store),
                "joblib": memory.store_backend.get_items,
            },
            rounds=20,
            limits=[Limit("simcache", 150), Limit("simcache", 150 / JOBLIB_LISTS, times="joblib")],
        )
        report = verify(cache.store)
        if not report.sound or report.entries != entries:
            raise SystemExit(f"the store is not sound: {report}")
        question.compare(
            f"verify {entries:,} of them",
            {"raw": lambda: raw_verify(folder / "raw"), "simcache": lambda: verify(cache.store)},
            rounds=20,
            limits=[Limit("simcache", 300), Limit("simcache", 300 / RAW_VERIFIES, times="raw")],
        )


if __name__ == "__main__":
    main()

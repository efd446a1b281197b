"""How long it takes to share 1,000 results through a bucket or Kaggle, beside the clients of the same server by themselves."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from s3fs import S3FileSystem

from benchmarks.measure import Limit, Question
from simcache import Cache, cached
from simcache.stores.memory import MemoryStore
from simcache.stores.registry import open_store
from simcache.upkeep.sync import sync
from tests.remotes.kaggle_server import serving
from tests.remotes.servers import s3_client, s3_server

JOBS = 8
BUCKET = "tests"


def result(seed: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.random.default_rng(seed).random(1 << 14)


def emptied(client: Any) -> Callable[[], None]:
    """Removes all that is in the bucket, which the server keeps in memory."""

    def empty() -> None:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            keys = [{"Key": item["Key"]} for item in page.get("Contents", ())]
            if keys:
                client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})

    return empty


def with_boto3(client: Any, objects: Mapping[str, bytes]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Puts and gets by Amazon's own client in so many threads, with nothing checked."""

    def put() -> None:
        with ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(lambda key: client.put_object(Bucket=BUCKET, Key=f"boto3/{key}", Body=objects[key]), objects))

    def get() -> None:
        with ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(lambda key: client.get_object(Bucket=BUCKET, Key=f"kept/{key}")["Body"].read(), objects))

    return put, get


def with_s3fs(files: S3FileSystem, objects: Mapping[str, bytes]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Puts and gets by s3fs, 32 at once on its event loop, with nothing checked."""

    def put() -> None:
        files.pipe({f"{BUCKET}/s3fs/{key}": data for key, data in objects.items()}, batch_size=32)

    def get() -> None:
        files.cat([f"{BUCKET}/kept/{key}" for key in objects], batch_size=32)

    return put, get


def main() -> None:
    os.environ["MOTO_S3_DEFAULT_MAX_KEYS"] = "1000"  # as many names an answer as S3 gives
    server = s3_server()
    os.environ.update(server.environment)
    client, numbers = s3_client(server.address), count()
    empty = emptied(client)
    with Question("remotes", "How long does it take to share 1,000 results of 131 KB through a bucket, or Kaggle?") as ask:
        near = MemoryStore()
        for seed in range(100 if ask.quick else 1000):
            cached(cache=Cache(near))(result)(seed)
        objects = {listed.name: bytes(near.get(listed.name)) for listed in near.list()}
        files = S3FileSystem(skip_instance_cache=True)
        boto3_put, boto3_get = with_boto3(client, objects)
        s3fs_put, s3fs_get = with_s3fs(files, objects)

        opening = {"simcache": lambda: open_store(f"s3://{BUCKET}/{next(numbers)}")}
        ask.compare("a bucket opened", opening, rounds=7)
        sent = open_store(f"s3://{BUCKET}/sent")

        putting: dict[str, Callable[[], object]] = {
            "simcache sync --to, 8 jobs": lambda: sync(near, sent, "to", jobs=JOBS),
            "boto3, 8 threads": boto3_put,
            "s3fs, 32 at once": s3fs_put,
        }
        limits = [Limit("simcache sync --to, 8 jobs", 1.5, times="boto3, 8 threads")]
        ask.compare(f"{len(objects)} objects put", putting, rounds=3, between=empty, limits=limits)

        kept = open_store(f"s3://{BUCKET}/kept")
        sync(near, kept, "to")

        getting: dict[str, Callable[[], object]] = {
            "simcache sync --from, 8 jobs": lambda: sync(MemoryStore(), kept, "from", jobs=JOBS),
            "boto3, 8 threads": boto3_get,
            "s3fs, 32 at once": s3fs_get,
        }
        limits = [Limit("simcache sync --from, 8 jobs", 1.5, times="boto3, 8 threads")]
        ask.compare(f"{len(objects)} objects got", getting, rounds=3, limits=limits)

        def listed() -> None:
            for _ in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="kept/"):
                pass

        again = {"simcache sync, nothing to do": lambda: sync(near, kept), "boto3, all names listed": listed}
        limits = [
            Limit("simcache sync, nothing to do", 1000.0),
            Limit("simcache sync, nothing to do", 1.3, times="boto3, all names listed"),
        ]
        ask.compare("again", again, rounds=7, limits=limits)
        empty()
        with ask.folder() as folder, serving() as service:
            os.environ.update(service.environment())
            by_kaggle(ask, near, folder)


def by_kaggle(ask: Question, near: MemoryStore, folder: Path) -> None:
    """A Kaggle on loopback, in this very process; each round makes a dataset, or looks from a machine that has none of it."""
    numbers = count()
    os.environ["XDG_CACHE_HOME"] = str(folder)
    kept = open_store("kaggle://me/results?writer=laptop&pause=0.01")
    sync(near, kept, "to")

    def sent() -> None:
        sync(near, open_store(f"kaggle://me/results-{next(numbers)}?writer=laptop&pause=0.01"), "to")

    def received() -> None:
        os.environ["XDG_CACHE_HOME"] = str(folder / str(next(numbers)))
        sync(MemoryStore(), open_store("kaggle://me/results?writer=phone&pause=0.01"), "from")

    ask.compare("Kaggle", {"simcache sync --to": sent, "simcache sync --from": received}, rounds=3)
    again = {"simcache sync, nothing to do": lambda: sync(near, kept)}
    ask.compare("Kaggle, again", again, rounds=7, limits=[Limit("simcache sync, nothing to do", 1000.0)])


if __name__ == "__main__":
    main()

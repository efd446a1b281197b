"""How long it takes to name a call: the key of a large array, and of a small record of settings."""

import warnings

import joblib
import numpy as np
import numpy.typing as npt
from diskcache.core import args_to_key
from pydantic import BaseModel
from xxhash import xxh3_128_digest, xxh3_128_hexdigest

from benchmarks.measure import Limit, Question
from benchmarks.values import held
from simcache import Cache, cached

JOBLIB = 0.042
"""Milliseconds for the small model, where the limit was set."""


class Road(BaseModel):
    """A small record."""

    length: float = 1000.0
    lanes: int = 2
    name: str = "main"


class Config(BaseModel):
    """A small record of settings, with another one inside."""

    steps: int = 40
    dt: float = 0.5
    scheme: str = "hll"
    seed: int = 0
    limits: tuple[float, float] = (0.0, 1.0)
    road: Road = Road()


def total(array: npt.NDArray[np.float64]) -> float:
    """A function of an array."""
    return float(array.sum())


def run(config: Config) -> float:
    """A function of settings."""
    return config.dt * config.steps


def main() -> None:
    warnings.simplefilter("ignore")
    with (
        Question("key", "How long does it take to name a call: the key of a large array, and of a small record of settings?") as question,
        question.folder() as folder,
    ):
        keep = cached(cache=Cache(folder / "store"))
        of_array, of_config = keep(total), keep(run)
        array = held(1 << (20 if question.quick else 25))
        memory = array.data.cast("B")
        question.compare(
            "an array of 8 MiB" if question.quick else "an array of 256 MiB",
            {
                "raw": lambda: xxh3_128_digest(memory),
                "floor": lambda: xxh3_128_hexdigest(repr((array.dtype.str, array.shape, xxh3_128_digest(memory))).encode()),
                "simcache": lambda: of_array.key(array),
                "joblib": lambda: joblib.hash(array),
                "diskcache": lambda: args_to_key(("total",), (array.tobytes(),), {}, False, ()),
            },
            rounds=20,
            limits=[Limit("simcache", 18.0), Limit("simcache", 1.5, times="floor")],
        )
        config = Config(seed=7)
        question.compare(
            "a small pydantic model",
            {
                "raw": lambda: xxh3_128_hexdigest(b"7" * 200),
                "floor": lambda: xxh3_128_hexdigest(repr(config).encode()),
                "simcache": lambda: of_config.key(config),
                "joblib": lambda: joblib.hash(config),
                "model_dump_json": lambda: xxh3_128_hexdigest(config.model_dump_json().encode()),
            },
            rounds=300,
            burst=30,
            limits=[Limit("simcache", 0.02), Limit("simcache", 0.02 / JOBLIB, times="joblib")],
        )


if __name__ == "__main__":
    main()

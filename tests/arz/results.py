"""How the tests compare results: bit for bit, but for the time that they took."""

import dataclasses
from typing import Any

import numpy as np

from arz.result import Result


def assert_same(expected: Result, actual: Result) -> None:
    """Every array, number and name is the same, NaN included; `wall_s` may differ."""
    for field in dataclasses.fields(Result):
        if field.name != "wall_s":
            _same(field.name, getattr(expected, field.name), getattr(actual, field.name))


def _same(path: str, expected: Any, actual: Any) -> None:
    if isinstance(expected, np.ndarray):
        assert (expected.dtype, expected.shape) == (actual.dtype, actual.shape), path
        assert expected.tobytes() == actual.tobytes(), path
    elif isinstance(expected, dict):
        assert sorted(expected) == sorted(actual), path
        for name, held in expected.items():
            _same(f"{path}.{name}", held, actual[name])
    elif dataclasses.is_dataclass(expected):
        for field in dataclasses.fields(expected):
            _same(f"{path}.{field.name}", getattr(expected, field.name), getattr(actual, field.name))
    else:
        assert (type(expected), expected) == (type(actual), actual), path

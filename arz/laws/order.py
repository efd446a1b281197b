"""The larger and the smaller of two numbers, where the first one, if it is NaN, is the answer: a fault must not be clamped away."""

from arz.jit import device

# Not max and min: they choose otherwise where a number is NaN, and compiled CUDA code does not take them everywhere.


@device
def larger(x: float, low: float) -> float:
    return low if x < low else x  # noqa: FURB136 - see above


@device
def smaller(x: float, high: float) -> float:
    return high if x > high else x  # noqa: FURB136 - see above


@device
def between(x: float, low: float, high: float) -> float:
    return smaller(larger(x, low), high)

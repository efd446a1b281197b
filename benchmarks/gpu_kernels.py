"""What a GPU can do at best: a kernel of nothing but fused multiply-adds, and one of nothing at all."""

from typing import Any

from numba import cuda, float32

CHAIN = 8
"""Independent ones of each thread, so that none waits for another."""


@cuda.jit  # type: ignore[untyped-decorator]
def multiply_add(out: Any, factor: float, term: float, rounds: int) -> None:
    """CHAIN·rounds multiply-adds a thread; numba fuses them."""
    i = cuda.grid(1)
    v = cuda.local.array(CHAIN, float32)
    for c in range(CHAIN):
        v[c] = float32(c)
    for _ in range(rounds):
        for c in range(CHAIN):
            v[c] = v[c] * factor + term
    total = v[0]
    for c in range(1, CHAIN):
        total += v[c]
    if i < out.size:
        out[i] = total


@cuda.jit  # type: ignore[untyped-decorator]
def nothing() -> None:
    pass

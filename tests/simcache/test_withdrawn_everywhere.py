"""A result that was withdrawn near is not served from far, where nobody has heard of it yet."""

import time
from pathlib import Path

from simcache.cache import Cache
from simcache.decorator import cached
from simcache.provenance import made_now
from tests.simcache.stored import keep


def test_lookup(tmp_path: Path) -> None:
    """A tombstone near takes the result back in all layers, also once it is remembered."""
    entry = keep(Cache(tmp_path / "far"), 1, "wrong")
    Cache(tmp_path / "near").withdraw([entry], made_now(0.0, (), source=None), "wrong")
    both = Cache(tmp_path / "near", far=[tmp_path / "far"])
    time.sleep(0.1)  # from then on the near store's folder is remembered

    for _ in range(3):
        assert None is both.lookup(entry.function, entry.key).entry
        assert [] == both.entries(entry.function, entry.key)


def test_a_call(tmp_path: Path) -> None:
    """The next call after `withdraw` computes anew, also where the wrong result came from far."""
    calls: list[int] = []

    def double(n: int) -> int:
        calls.append(n)
        return 2 * n

    cached(cache=Cache(tmp_path / "far"))(double)(1)
    near = cached(cache=Cache(tmp_path / "near", far=[tmp_path / "far"]))(double)
    near(1)
    near.withdraw(1, reason="wrong")
    near(1)

    assert [1, 1] == calls

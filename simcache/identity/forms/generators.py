"""Random number generators, by the state that each had when it was first met: later it has the one that the code has made of it."""

import sys
from typing import Any

from xxhash import xxh3_128_hexdigest

from simcache.identity.forms.base import Refused, Walk

_TYPES = (("random", "Random"), *(("numpy.random", name) for name in ("Generator", "RandomState", "BitGenerator", "SeedSequence")))
_SHARED = (("random", "_inst"), ("numpy.random.mtrand", "_rand"))
"""Those behind the functions of a module (`random.gauss`): statements seed them, which count by their text."""

_first_told: dict[int, tuple[object, str]] = {}
"""What each was when it was first asked. It is kept, so that no other gets its id: numpy's cannot be referred to weakly."""


def is_generator(cls: type) -> bool:
    """Whether instances give other numbers each time they are asked."""
    return any(issubclass(cls, found) for found in _loaded(_TYPES))


def first_state(one: Any, walk: Walk) -> str:
    """A digest of what a generator was when it was first met; Refused where it has no state of its own."""
    if any(one is shared for shared in _loaded(_SHARED)):
        raise Refused("all of the process shares it")
    if id(one) not in _first_told:
        try:
            state = _state(one)
        except NotImplementedError as problem:
            raise Refused("it takes its numbers from the machine") from problem
        apart = Walk(walk.forms, None)  # in which nothing was met: what is told must not depend on what stands around
        _first_told[id(one)] = one, xxh3_128_hexdigest(apart.forms[type(state)](state, apart, 0))
    return _first_told[id(one)][1]


def _state(one: Any) -> object:
    """All that its next numbers depend on, and the generators that are spawned by it."""
    if hasattr(one, "getstate"):
        return one.getstate()
    if hasattr(one, "get_state"):
        return one.get_state(legacy=False)
    bits = getattr(one, "bit_generator", one)
    return bits.state, getattr(getattr(bits, "seed_seq", None), "state", None)


def _loaded(places: tuple[tuple[str, str], ...]) -> list[Any]:
    """What stands in these modules; one that is not loaded has made nothing."""
    return [getattr(sys.modules[module], name) for module, name in places if module in sys.modules]

"""All cases, in the order of the page."""

from arz.validate import limits, pairs, riemann, signal, single, smooth
from arz.validate.base import Case

KINDS = (riemann, smooth, signal, limits, pairs, single)


def cases() -> tuple[Case, ...]:
    """Everything there is to prove; nothing is computed yet."""
    return tuple(case for kind in KINDS for case in kind.cases())

"""The contract of a codec: a value to bytes and back, exactly, without running code."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from simcache.model import Buffer, Json
from simcache.named_tuple import NamedTuple

# What a wrong shape, range or name in hostile data makes the builders raise.
BAD_DATA: Final = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class Encoded(NamedTuple):
    """A value as bytes: what goes into the entry to describe it, and the chunks that make its one blob."""

    describe: Json
    chunks: Sequence[Buffer]


class Codec(ABC):
    """Turns values of some types into the bytes of one blob, and back into an equal value of the same type.

    Encoding is deterministic: equal values give equal bytes in every process and on every machine. Decoding never runs
    code that came with the data, and never trusts a length or an offset before checking it (Undecodable).
    """

    name: str
    safe: bool = True
    """Decoding runs no code; a codec that is not safe is refused from stores that are not trusted."""

    @abstractmethod
    def takes(self, value: object) -> bool:
        """Whether this codec is the natural one for the value (asked in the registry's order)."""

    @abstractmethod
    def encode(self, value: Any, into: object = None) -> Encoded:
        """The value as bytes; Unstorable names the path of the part that cannot be brought back exactly.

        `into` is what `decode` will be given: a class that it could not rebuild from there is refused now.
        """

    def encode_state(self, value: Any, into: object = None) -> Encoded:
        """A value that is changed in place when it comes back: what it holds twice, or in memory that is shared, comes back so."""
        return self.encode(value, into)

    @abstractmethod
    def decode(self, describe: Json, data: memoryview, into: object = None) -> Any:
        """The value again. `into` is the annotated type, from which classes of dataclasses, models and enums are taken.

        Arrays may share memory with `data`; they are writable exactly if it is.
        """

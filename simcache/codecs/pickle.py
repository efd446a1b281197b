"""Whatever Python can pickle, for who asks for it by name: loading a pickle can run any code, so it is not safe."""

import pickle
from typing import Any, Final

from simcache.codecs.base import Codec, Encoded
from simcache.errors import Undecodable, Unstorable
from simcache.model import Json

_PROTOCOL: Final = 5


class PickleCodec(Codec):
    """The blob is a pickle of protocol 5. Never chosen for a value: only named.

    Python makes no promise that equal values give equal pickles: entries of one key may diverge without reason.
    """

    name = "pickle"
    safe = False

    def takes(self, value: object) -> bool:
        del value
        return False

    def encode(self, value: Any, into: object = None) -> Encoded:
        del into
        try:
            return Encoded({"codec": self.name}, [pickle.dumps(value, protocol=_PROTOCOL)])
        except Exception as problem:
            raise Unstorable("value", f"it cannot be pickled: {problem}") from problem

    def decode(self, describe: Json, data: memoryview, into: object = None) -> Any:
        del describe, into
        try:
            return pickle.loads(data)
        except Exception as problem:
            raise Undecodable(f"the pickle does not load: {type(problem).__name__}: {problem}") from problem


CODEC: Final = PickleCodec()

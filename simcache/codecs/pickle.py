"""Whatever Python can pickle, for who asks for it by name: loading a pickle can run any code, so it is not safe."""

import pickle
import re
import sys
from functools import lru_cache, reduce
from importlib import import_module
from io import BytesIO
from types import FunctionType
from typing import Any, Final

from simcache.codecs.base import Codec, Encoded
from simcache.errors import Undecodable, Unstorable
from simcache.identity.process.modules import MAIN, module_name
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
            data = pickle.dumps(value, protocol=_PROTOCOL)
            return Encoded({"codec": self.name}, [_with_scripts_named(value) if any(main.encode() in data for main in MAIN) else data])
        except Exception as problem:
            raise Unstorable("value", f"it cannot be pickled: {problem}") from problem

    def encode_state(self, value: Any, into: object = None) -> Encoded:
        if "numpy" not in sys.modules:
            return self.encode(value, into)
        file = BytesIO()
        census = _Census(file, _PROTOCOL)
        try:
            census.dump(value)
        except Exception as problem:
            raise Unstorable("value", f"it cannot be pickled: {problem}") from problem
        import_module("simcache.codecs.sharing").refuse_shared(census.arrays)
        return Encoded({"codec": self.name}, [file.getvalue()])

    def decode(self, describe: Json, data: memoryview, into: object = None) -> Any:
        del describe, into
        try:
            script = _running()
            named = script not in MAIN and re.search(re.escape(script.encode()), data) is not None
            return _Unpickler(BytesIO(data), script).load() if named else pickle.loads(data)
        except Exception as problem:
            raise Undecodable(f"the pickle does not load: {type(problem).__name__}: {problem}") from problem


class _Pickler(pickle.Pickler):
    """Names classes and functions of a script as if the script were imported: in another program `__main__` is another module."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType) and obj.__module__ in MAIN and (script := _script_of(obj)) not in MAIN:
            return of_script, (script, obj.__qualname__)
        return NotImplemented


class _Census(_Pickler):
    """Notes the arrays that it meets; a pickle keeps objects together, and takes views of one array apart."""

    def __init__(self, file: BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self.arrays: dict[int, object] = {}

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, sys.modules["numpy"].ndarray):
            self.arrays[id(obj)] = obj
        return super().reducer_override(obj)


class _Unpickler(pickle.Unpickler):
    """Finds what is of the script that runs in it, and not in a second copy of it that an import would make."""

    def __init__(self, file: BytesIO, script: str) -> None:
        super().__init__(file)
        self._script = script

    def find_class(self, module: str, name: str) -> Any:
        return of_script(module, name) if module == self._script else super().find_class(module, name)


class _OfMain:
    """Stands for all that the running program defines."""

    __module__ = "__main__"


_script_of = lru_cache(maxsize=512)(module_name)
"""It takes a look at the disk, and a hit has no time for that."""


def _running() -> str:
    """The name of the script that runs."""
    return _script_of(_OfMain)


def _with_scripts_named(value: object) -> bytes:
    file = BytesIO()
    _Pickler(file, _PROTOCOL).dump(value)
    return file.getvalue()


def of_script(script: str, name: str) -> Any:
    """What a pickle names of a script: from the program itself if it runs that script, else from the module."""
    parts = name.split(".")
    if script == _running():
        found: Any = sys.modules["__main__"]
        for part in parts:
            found = getattr(found, part, None)
        if getattr(found, "__module__", None) in MAIN:
            return found
    return reduce(getattr, parts, import_module(script))


CODEC: Final = PickleCodec()

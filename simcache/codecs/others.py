"""Which part of this folder writes a value that is not of the basic types, and what to say of one that none can."""

import sys
from importlib import import_module
from types import BuiltinFunctionType, CoroutineType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

from simcache.codecs import objects, standard
from simcache.codecs.writing import Writer
from simcache.errors import Unstorable
from simcache.items import Items

_REMEDY = "return plain data, arrays, a dataclass or a pydantic model, or store it with codec='pickle'"


def form(writer: Writer, value: object) -> Any:
    """The tagged form of a value of a rarer type; Unstorable if there is none."""
    kind: Any = type(value)
    if isinstance(value, Items):
        return _plain(writer, value)
    write = standard.WRITE.get(kind) or objects.writer_of(kind)
    if write is None and "pandas" in sys.modules and any(base.__module__.startswith("pandas") for base in kind.__mro__):
        write = import_module("simcache.codecs.tables").writer_of(kind)  # only where there are tables
    if write is not None:
        return write(writer, value)
    if "numpy" in sys.modules and isinstance(value, sys.modules["numpy"].generic):
        return import_module("simcache.codecs.arrays").scalar_form(writer, value)  # only where there are numpy scalars
    raise Unstorable("", _reason(value))


def _plain(writer: Writer, value: Items[Any]) -> Any:
    """Items of a series are a list, and what they tell of themselves is of no use any more; unless it is that some are missing."""
    if not value.complete:
        raise Unstorable("", f"a deadline came after {len(value)} items: another computer would have more or fewer; return list(…) of them")
    return writer.form(list(value))


def _reason(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__
    if isinstance(value, GeneratorType):
        return "a generator gives its items only once: return a list, or yield from the cached function itself"
    if isinstance(value, CoroutineType):
        return "a coroutine is no result: await it, or make the cached function itself a coroutine"
    if isinstance(value, FunctionType | BuiltinFunctionType | MethodType | ModuleType | type):
        return f"it is code ({name}), not data: {_REMEDY}"
    if isinstance(value, BaseException):
        return f"{name} is an exception, not data: return its name and its args, or store it with codec='pickle'"
    if kind.__module__ == "simcache.series":
        return "a series is as long as anyone asks: return its items, as run[:40]"
    if kind.__module__ == "simcache.codecs.file":
        return f"a {name} is stored only alone: return it by itself, or gather all files in one Folder"
    if "numpy" in sys.modules and isinstance(value, sys.modules["numpy"].ndarray):
        return "an array inside other data is stored by codec='tree', which is chosen if none is named"
    bases = [base for base in kind.__mro__[1:-1] if base.__module__ in {"builtins", "collections"}]
    if bases:
        base = bases[0].__name__
        return f"a {name} is more than the {base} that it extends: return a plain {base}, or store it with codec='pickle'"
    return f"nothing here can bring a {kind.__module__}.{name} back exactly: {_REMEDY}"

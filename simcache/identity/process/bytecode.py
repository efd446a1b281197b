"""Compiled code: whether two pieces are the same, and what a function without any source text is made of."""

import dis
import sys
import types
from collections.abc import Iterator

from simcache.identity.text.link import link_to
from simcache.identity.text.piece import MUTATORS, Piece, digest_of

_DOCSTRING = 0x4000000  # a flag of the code object from Python 3.13 on
_AUTORELOADED = "__autoreload_class__."
"""What IPython calls the class around a method that it compiles anew."""
_WRITES = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR", "STORE_ATTR", "DELETE_ATTR"})
_GLOBAL_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_FREE_LOADS = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_ATTRIBUTE_LOADS = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


def same_code(one: types.CodeType, other: types.CodeType) -> bool:
    """Whether two code objects do the same; where they stand in their files does not count."""
    return one is other or _meaning(one) == _meaning(other)


def qualname_of(function: types.FunctionType) -> str:
    """The name under which its code stands in a file; autoreload compiles a method inside a class of its own."""
    name = function.__code__.co_qualname
    return function.__qualname__ if name.startswith(_AUTORELOADED) else name


def is_of_file(function: types.FunctionType, path: str) -> bool:
    """Whether its code says that it stands in this file; autoreload names none where it compiles a property, and leaves it in its class."""
    code = function.__code__
    return code.co_filename == path or (code.co_filename == "<string>" and code.co_qualname.startswith(_AUTORELOADED))


def may_be_patched() -> bool:
    """Whether somebody is here who gives functions other code in place, as IPython's autoreload does: to watch all takes milliseconds."""
    return "IPython" in sys.modules


def functions_in(held: object) -> list[types.FunctionType]:
    """The plain functions that something in a class runs, or is itself."""
    found = (held.fget, held.fset, held.fdel) if isinstance(held, property) else (getattr(held, "__func__", held),)
    return [one for one in found if isinstance(one, types.FunctionType)]


def functions_within(held: object) -> list[types.FunctionType]:
    """A plain function itself, or all that a class and those inside it run."""
    if isinstance(held, (types.FunctionType, classmethod, property, staticmethod)):
        return functions_in(held)
    if not isinstance(held, type):
        return []
    inside = [one for one in vars(held).values() if not isinstance(one, type) or one.__qualname__.startswith(f"{held.__qualname__}.")]
    return [function for one in inside for function in functions_within(one)]


def place_of(code: types.CodeType) -> tuple[int, int]:
    """Where the text of a function stands in its file: the line that it begins with, and its body's first column."""
    columns = [column for _, _, column, end in code.co_positions() if column is not None and end]
    return code.co_firstlineno, min(columns, default=0)


def _meaning(code: types.CodeType) -> tuple[object, ...]:
    return (
        code.co_code,
        code.co_exceptiontable,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & ~_DOCSTRING,
        tuple(_constant(constant) for constant in _constants(code)),
    )


def _constants(code: types.CodeType) -> Iterator[object]:
    """The constants but for a docstring, which always comes first and is never used."""
    documented = code.co_flags & _DOCSTRING or (sys.version_info < (3, 13) and _is_function(code))
    for index, constant in enumerate(code.co_consts):
        yield None if index == 0 and documented and isinstance(constant, str) and not _loads_first(code) else constant


def _is_function(code: types.CodeType) -> bool:
    return bool(code.co_flags & 0x2) and code.co_name != "<lambda>"


def _loads_first(code: types.CodeType) -> bool:
    return any(instruction.opname == "LOAD_CONST" and instruction.arg == 0 for instruction in dis.get_instructions(code))


def _constant(value: object) -> object:
    """A constant so that 1, 1.0 and True differ, and 0.0 and -0.0."""
    if isinstance(value, types.CodeType):
        return _meaning(value)
    if isinstance(value, tuple):
        return (tuple, *map(_constant, value))
    if isinstance(value, frozenset):
        return (frozenset, *sorted(map(repr, value)))
    return (type(value), repr(value))


def piece_of_code(code: types.CodeType) -> Piece:
    """The piece of a function by its bytecode alone; it differs between minor versions of Python."""
    reaches: set[str] = set()
    changes: set[str] = set()
    for inner in _all_codes(code):
        found, changed = _names(inner)
        reaches |= found
        changes |= changed
    digest = digest_of(f"bytecode {sys.version_info[:2]}", repr(_meaning(code)))
    return Piece("def", digest, tuple(sorted(reaches)), changes=tuple(sorted(changes)))


def stored_attributes(code: types.CodeType) -> set[str]:
    """The names of all attributes that it sets, of whatever object."""
    return {str(one.argval) for inner in _all_codes(code) for one in dis.get_instructions(inner) if one.opname == "STORE_ATTR"}


def _all_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _all_codes(constant)


def _names(code: types.CodeType) -> tuple[set[str], set[str]]:
    """The outside names that one code object loads, and those that it changes (or may change)."""
    reaches: set[str] = set()
    changes: set[str] = set()
    loaded: set[str] = set()
    chain: list[str] = []
    imported, level = "", 0
    writes = False
    previous: object = None
    for instruction in [*dis.get_instructions(code), None]:
        opname = instruction.opname if instruction else ""
        if instruction and opname in _ATTRIBUTE_LOADS and chain:
            if instruction.argval in MUTATORS:
                changes.add(chain[0])
            chain.append(str(instruction.argval))
            continue
        if chain:
            reaches.add(".".join(chain))
            chain = []
        if instruction is None:
            break
        if opname in _GLOBAL_LOADS or opname in _FREE_LOADS:
            loaded.add(str(instruction.argval))
            chain = [str(instruction.argval)]
        elif opname in ("STORE_GLOBAL", "STORE_DEREF", "DELETE_GLOBAL"):
            changes.add(str(instruction.argval))
        elif opname in _WRITES:
            writes = True
        elif opname == "LOAD_CONST":
            level = previous if isinstance(previous, int) else 0
            previous = instruction.argval
        elif opname == "IMPORT_NAME":
            imported = str(instruction.argval)
            reaches.add(link_to(level, imported))
        elif opname == "IMPORT_FROM":
            reaches.discard(link_to(level, imported))
            reaches.add(link_to(level, imported, instruction.argval))
    if writes:
        changes |= loaded  # which of them is written to, bytecode does not tell simply
    return reaches, changes

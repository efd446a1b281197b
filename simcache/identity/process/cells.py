"""The cells of a notebook: what was typed there, or at a prompt that keeps its texts, and has no file."""

import linecache
import os
from collections.abc import Mapping
from functools import lru_cache
from types import CodeType, FunctionType

from simcache.identity.process.bytecode import same_code
from simcache.identity.process.files import compiled, compiled_one_by_one
from simcache.identity.process.modules import own_function
from simcache.identity.text.piece import Piece, Summary


def piece_in_cell(function: FunctionType, texts: dict[str, str]) -> Piece | None:
    """The piece of a function; the text of its cell is added to `texts`, by the name that its code has for a file."""
    summary = _cell(function, texts)
    if summary is None:
        return None
    qualname = function.__code__.co_qualname
    around = summary.names.get(qualname.partition(".")[0])
    of_class = around if around is not None and around.kind == "class" else None
    return summary.names.get(qualname) or summary.nested.get(qualname) or of_class


def class_in_cell(cls: type, texts: dict[str, str]) -> Piece | None:
    """The piece of a class, if it has methods by which the cell is found."""
    method = own_function(cls)
    summary = _cell(method, texts) if isinstance(method, FunctionType) else None
    piece = None if summary is None else summary.piece(cls.__qualname__)
    return piece if piece is not None and piece.kind == "class" else None


def _cell(function: FunctionType, texts: dict[str, str]) -> Summary | None:
    """What the text says of the cell in which a function stands; None if there is no text, or another one than was run."""
    code = function.__code__
    if os.path.isfile(code.co_filename):  # cells have names like `<ipython-input-3-…>`, `/tmp/ipykernel_17/….py`
        return None
    try:
        text = "".join(linecache.getlines(code.co_filename, function.__globals__))  # of a zip it takes all for UTF-8
        if not any(same_code(code, found) for found in codes_in_cell(text, code).get(code.co_qualname, ())):
            return None
        summary = _summary_of(text)
    except (SyntaxError, ValueError):
        return None
    texts[code.co_filename] = text
    return summary


def codes_in_cell(text: str, code: CodeType) -> Mapping[str, tuple[CodeType, ...]]:
    """All functions of the cell in which a function stands, by their qualified names."""
    whole = compiled(code.co_filename, text.encode())
    if any(same_code(code, found) for found in whole.get(code.co_qualname, ())):
        return whole
    return compiled_one_by_one(text.encode())


@lru_cache(maxsize=256)
def _summary_of(text: str) -> Summary:
    from simcache.identity.text.source import summarise  # not for classes that functions of files make

    return summarise(text)

"""What a text leads to by telling a library its place as a text: `register("Ring-v0", entry_point="envs:Ring")`, `make("envs:Ring-v0")`."""

import ast
import re
from collections.abc import Iterable, Iterator

from simcache.identity.text.link import link_to
from simcache.identity.text.normal import called, chain_of
from simcache.identity.text.tree import walk

ALL_CODE = "*"
"""Some function or class of the module: which, only the run tells."""
_OWN = "<own>"
_COMPUTED = "<computed>"
_CHAIN = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_PLACE = re.compile(rf"(?P<own>(?:{_OWN}|__main__)(?=[.:]))?(?P<inside>\.?{_CHAIN})?:(?:(?P<chain>{_CHAIN})|.*{_COMPUTED}.*)")
_MADE = re.compile(rf"({_CHAIN}):[\w/-]+")
_MAKERS = frozenset({"make", "make_vec"})


def registered_by(call: ast.Call) -> Iterator[str]:
    """What a call registers by its place, as names of its own module, links, and ALL_CODE."""
    if _registers(call):
        for part in (*call.args, *(keyword.value for keyword in call.keywords)):
            yield from _places_in(part)


def registered_among(statements: Iterable[ast.stmt], values: Iterable[object]) -> Iterator[str]:
    """The same of statements, one of which registers something; its place may stand beside it, or in one of the values that they read."""
    nodes = [node for statement in statements for node in walk(statement)]
    if any(isinstance(node, ast.Call) and _registers(node) for node in nodes):
        for node in nodes:
            if isinstance(node, ast.expr):
                yield from _places_in(node)
        for text in _texts_in(values):
            yield from _place(text)


def loaded_to_make(call: ast.Call) -> Iterator[str]:
    """The module that is loaded to make what it registers, as a link: `make("envs:Ring-v0")`."""
    match call.args:
        case [ast.Constant(value=str(text)), *_] if called(call).rpartition(".")[2] in _MAKERS and (found := _MADE.fullmatch(text)):
            yield link_to(0, found[1])


def _registers(call: ast.Call) -> bool:
    return called(call).rpartition(".")[2].startswith("register")


def _places_in(node: ast.expr) -> Iterator[str]:
    if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)):
        yield from _place(_said(node))


def _place(text: str) -> Iterator[str]:
    found = _PLACE.fullmatch(text)
    if found is None or not (found["own"] or found["inside"]):
        return
    own, inside, chain = found["own"], found["inside"] or "", found["chain"] or ""
    if inside:
        yield link_to(1 if own else 0, inside.removeprefix("."), chain)
    else:
        yield chain or ALL_CODE


def _said(node: ast.expr) -> str:
    """The text that an expression gives, with the name of its own module and what only the run tells in angle brackets."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(_said, parts))
        case ast.FormattedValue(value=value):
            return _said(value)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _said(left) + _said(right)
        case ast.Name(id="__name__" | "__package__"):
            return _OWN
        case ast.Attribute(value=ast.Name() as made, attr="__name__" | "__qualname__"):
            return chain_of(made)
    return _COMPUTED


def _texts_in(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _texts_in(value.values())
        elif isinstance(value, (list, tuple)):
            yield from _texts_in(value)

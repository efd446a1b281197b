"""What a module does to others as it is loaded, told without taking it apart name by name: a tenth of the work."""

import ast

from simcache.identity.text.library import LibraryState
from simcache.identity.text.piece import Outline
from simcache.identity.text.reach import bindings
from simcache.identity.text.statements import flattened, loaded_by
from simcache.identity.text.tree import forget


def outline(text: str | bytes) -> Outline:
    """Of a source file. SyntaxError where this Python cannot read it."""
    links: dict[str, tuple[str, ...]] = {}
    libraries = LibraryState(links)
    try:
        body = ast.parse(text).body
        for statement in flattened(body):
            for name, more in bindings([statement])[1].items():
                links[name] = (*links.get(name, ()), *more)
            libraries.note(statement)
        return outlined(body, libraries)
    finally:
        forget()


def outlined(body: list[ast.stmt], libraries: LibraryState) -> Outline:
    """Of what has been found already."""
    inside = {name: tuple(sorted(found)) for name, found in sorted(libraries.inside.items()) if found}
    return Outline(tuple(sorted({*loaded_by(body)})), tuple(sorted(libraries.settings())), inside, tuple(sorted(libraries.calls)))
